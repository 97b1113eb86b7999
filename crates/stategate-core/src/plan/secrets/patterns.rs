//! Every way in which a value may be written, and which values are worth to be searched for.

use std::collections::HashSet;

use super::super::inside::{MOST_INSIDE, all_inside};
use super::super::large::weight;
use super::marked::Marked;
use super::{OWN, Unsearchable};

/// What is searched for at most, in bytes of memory.
const MOST_PATTERNS: usize = 12 * 1024 * 1024;

/// From so many characters on, a value is hidden inside longer text too.
pub(super) const LONG: usize = 6;

/// Shorter ones are hidden only where they are marked.
const SHORT: usize = 3;

/// Values that many settings have by chance.
const COMMON: [&str; 20] = [
    "true",
    "false",
    "null",
    "none",
    "yes",
    "on",
    "off",
    "enabled",
    "disabled",
    "enable",
    "disable",
    "default",
    "auto",
    "dev",
    "test",
    "stage",
    "staging",
    "prod",
    "production",
    "string",
];

/// Every way in which the values may be written.
#[derive(Default)]
pub(super) struct Patterns {
    pub(super) texts: HashSet<Box<str>>,
    pub(super) size: usize,
    pub(super) unsearchable: Option<Unsearchable>,
}

impl Patterns {
    pub(super) fn add_value(&mut self, value: &str) {
        self.add_text(value);
        if value.trim_start().starts_with(['{', '[']) {
            self.add_inside(value);
        }
    }

    pub(super) fn add_text(&mut self, value: &str) {
        self.add(value, SHORT);
        self.add(value.trim(), SHORT);
        self.add_lines(value);
    }

    pub(super) fn add_lines(&mut self, value: &str) {
        if value.contains('\n') {
            // Terraform's text indents each line of a long value by itself.
            for line in value.lines() {
                let line = line.trim();
                // The frame of a PEM file is the same in all of them.
                if !line.starts_with("-----") {
                    self.add(line, LONG);
                }
            }
        }
    }

    /// The strings inside a value that is JSON itself.
    fn add_inside(&mut self, value: &str) {
        if weight(value.as_bytes()) > MOST_INSIDE {
            self.unsearchable.get_or_insert(Unsearchable::Value { bytes: value.len() });
        } else if let Some(inner) = all_inside(value) {
            let mut leaves = Marked::default();
            leaves.add_all(&inner);
            for leaf in leaves.values {
                self.add(&leaf, LONG);
            }
        }
    }

    pub(super) fn add(&mut self, text: &str, least: usize) {
        let length = text.chars().take(LONG).count();
        let number = text.bytes().all(|byte| byte.is_ascii_digit() || b".-+".contains(&byte));
        let least = if number { least.max(LONG) } else { least };
        if length < least || COMMON.iter().any(|common| common.eq_ignore_ascii_case(text)) {
            return;
        }
        // Most texts are the same between quotation marks.
        let is_quoted = text.contains(['\\', '"', '\n', '\r', '\t', '<', '>', '&', '$', '%']);
        for quoting in Quoting::ALL.into_iter().filter(|_| is_quoted) {
            let once = quoted(text, quoting);
            if once != text {
                // JSON stands in strings too, which are quoted again. What has many lines is found
                // by these.
                if !text.contains('\n') {
                    for again in Quoting::ALL {
                        self.insert(&quoted(&once, again));
                    }
                }
                self.insert(&once);
            }
        }
        self.insert(text);
    }

    fn insert(&mut self, text: &str) {
        if self.texts.contains(text) {
            return;
        }
        if self.size > MOST_PATTERNS {
            self.unsearchable.get_or_insert(Unsearchable::Together);
            return;
        }
        self.size += text.len() + OWN;
        self.texts.insert(text.into());
    }
}

/// Who puts a text between quotation marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quoting {
    /// Terraform, in its own language.
    Terraform,
    /// Go, in JSON that may stand in HTML.
    Go,
    /// Anybody else.
    Plain,
}

impl Quoting {
    const ALL: [Self; 3] = [Self::Terraform, Self::Go, Self::Plain];
}

/// The text as it stands between quotation marks.
pub(crate) fn quoted(text: &str, quoting: Quoting) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut rest = text.chars().peekable();
    while let Some(char) = rest.next() {
        match char {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '<' if quoting == Quoting::Go => out.push_str("\\u003c"),
            '>' if quoting == Quoting::Go => out.push_str("\\u003e"),
            '&' if quoting == Quoting::Go => out.push_str("\\u0026"),
            '$' | '%' if quoting == Quoting::Terraform && rest.peek() == Some(&'{') => {
                out.push(char);
                out.push(char);
            }
            _ => out.push(char),
        }
    }
    out
}
