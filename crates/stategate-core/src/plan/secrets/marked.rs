//! Collects what is marked sensitive.

use std::collections::HashSet;

use serde_json::Value;

use super::super::delta::has_true;
use super::super::exact::exact;
use super::super::large::{is_stand_in, literal, stands_for};
use super::super::scan;
use super::patterns::Patterns;
use super::{OWN, Secrets};

/// What is kept at most, in bytes of memory.
const MOST_VALUES: usize = 8 * 1024 * 1024;

/// Collects what is marked sensitive while a plan is read.
#[derive(Default)]
pub(in super::super) struct Marked {
    pub(super) values: HashSet<Box<str>>,
    size: usize,
    unsearchable: Option<Unsearchable>,
}

/// Why not all that is sensitive can be searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsearchable {
    /// One value is too large.
    #[error(
        "a value of {bytes} bytes is sensitive, or holds something that is, and too large to be searched for in other texts"
    )]
    Value {
        /// Its length.
        bytes: usize,
    },
    /// All together are too large.
    #[error("the sensitive values are too many, or too large, to be searched for in other texts")]
    Together,
}

impl Marked {
    /// Takes the parts of `value` that `marks` marks: `true` marks all below it.
    pub(in super::super) fn add(&mut self, value: &Value, marks: &Value) {
        match (marks, value) {
            (Value::Bool(true), _) => self.add_all(value),
            (Value::String(text), _) | (_, Value::String(text)) if has_true(marks) => self.give_up_on(text),
            (Value::Object(marks), Value::Object(map)) => {
                for (key, mark) in marks {
                    if let Some(inner) = map.get(key) {
                        self.add(inner, mark);
                    }
                }
            }
            (Value::Array(marks), Value::Array(items)) => {
                for (item, mark) in items.iter().zip(marks) {
                    self.add(item, mark);
                }
            }
            _ => {}
        }
    }

    /// Takes the parts of a value that is still JSON, building only those.
    pub(in super::super) fn add_json(&mut self, json: &[u8], marks: &Value) -> serde_json::Result<()> {
        match marks {
            Value::Bool(true) => self.add_all(&serde_json::from_slice(&exact(json))?),
            _ if is_stand_in(marks) || json.starts_with(b"\"") => self.add(&serde_json::from_slice(json)?, marks),
            Value::Object(marks) if json.starts_with(b"{") => {
                for (key, mark) in marks.iter().filter(|(_, mark)| has_true(mark)) {
                    if let Some(value) = scan::entry(json, key) {
                        self.add_json(value, mark)?;
                    }
                }
            }
            Value::Array(marks) if json.starts_with(b"[") => {
                for (value, mark) in scan::elements(json).zip(marks) {
                    self.add_json(value, mark)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes every string and number in `value`. Keys are names, not values.
    pub(in super::super) fn add_all(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.add_text(literal(text).unwrap_or(text)),
            Value::Number(number) => {
                self.add_text(&number.to_string());
                // Terraform writes large numbers without an exponent.
                if let Some(number) = number.as_f64().filter(|_| !number.is_i64() && !number.is_u64()) {
                    self.add_text(&number.to_string());
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.add_all(item)),
            Value::Object(map) => map.values().for_each(|item| self.add_all(item)),
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// Of what is only partly marked, or whose marks are, and that cannot be looked into.
    fn give_up_on(&mut self, text: &str) {
        if let Some(bytes) = stands_for(text) {
            self.unsearchable = Some(Unsearchable::Value { bytes });
        }
    }

    /// Something that was not kept is sensitive.
    pub(in super::super) fn give_up(&mut self) {
        self.unsearchable.get_or_insert(Unsearchable::Together);
    }

    pub(super) fn add_text(&mut self, text: &str) {
        self.give_up_on(text);
        if self.values.contains(text) {
            return;
        }
        if self.size > MOST_VALUES {
            self.unsearchable.get_or_insert(Unsearchable::Together);
            return;
        }
        self.size += text.len() + OWN;
        self.values.insert(text.into());
    }

    /// Ready to be looked for.
    pub(in super::super) fn finish(self) -> Secrets {
        let mut found = Patterns { unsearchable: self.unsearchable, ..Patterns::default() };
        for value in self.values {
            found.add_value(&value);
        }
        Secrets::new(found)
    }
}
