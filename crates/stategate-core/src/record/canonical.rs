//! Values as bytes that are equal when the values mean the same.
//!
//! The order of an object's keys, absent against `null` in the plan's own values, and white space and
//! the order of keys in JSON inside strings make no difference. The order of an array does: the plan does not say which arrays are sets,
//! but Terraform writes sets in an order of their own, which does not change from run to run.

use std::collections::BTreeSet;

use hmac::{Hmac, Mac};
use serde_json::Value;
use sha2::Sha256;

use crate::plan::{is_stand_in, json_inside, literal};

/// What is not unknown, or not sensitive.
pub(super) const NONE: &Value = &Value::Null;

/// Writes values into a fingerprint.
pub(super) struct Canon {
    mac: Hmac<Sha256>,
    /// The times found in strings; whether one is the time of the plan itself shows at its end.
    times: Vec<String>,
    keeps_sensitive: bool,
    wrote: bool,
    masked: bool,
}

/// A fingerprint but for the times in it; most values have none.
pub(super) enum Unfinished {
    Whole([u8; 32]),
    Open(Box<(Hmac<Sha256>, Vec<String>)>),
}

impl Unfinished {
    /// Whether when the plan was made can change it.
    pub(super) fn is_open(&self) -> bool {
        matches!(self, Self::Open(_))
    }

    /// The fingerprint; a time that equals `plan_time` (which `plantimestamp()` returns) counts as
    /// "when the plan was made", whenever that was.
    pub(super) fn finish(self, plan_time: Option<&str>) -> [u8; 32] {
        let (mut mac, times) = match self {
            Self::Whole(fingerprint) => return fingerprint,
            Self::Open(open) => *open,
        };
        for time in &times {
            if Some(time.as_str()) == plan_time {
                mac.update(b"P");
            } else {
                mac.update(b"T");
                mac.update(time.as_bytes());
            }
        }
        mac.finalize().into_bytes().into()
    }
}

impl Canon {
    /// Starts from a keyed state; without a key, sensitive values are left out.
    pub(super) fn new(mac: Hmac<Sha256>, keeps_sensitive: bool) -> Self {
        Self { mac, times: Vec::new(), keeps_sensitive, wrote: false, masked: false }
    }

    /// Whether nothing was written.
    pub(super) fn is_empty(&self) -> bool {
        !self.wrote
    }

    /// Whether something sensitive was left out.
    pub(super) fn is_masked(&self) -> bool {
        self.masked
    }

    pub(super) fn end(self) -> Unfinished {
        if self.times.is_empty() {
            Unfinished::Whole(self.mac.finalize().into_bytes().into())
        } else {
            Unfinished::Open(Box::new((self.mac, self.times)))
        }
    }

    /// The state so far, for more to be written into; times are none of a name's business.
    pub(super) fn end_mac(self) -> Hmac<Sha256> {
        self.mac
    }

    fn tag(&mut self, tag: u8) {
        self.wrote = true;
        self.mac.update(&[tag]);
    }

    fn sized(&mut self, bytes: &[u8]) {
        self.mac.update(&(bytes.len() as u64).to_be_bytes());
        self.mac.update(bytes);
    }

    /// A name that is part of what is said, such as an address.
    pub(super) fn name(&mut self, name: &str) {
        self.tag(b'a');
        self.sized(name.as_bytes());
    }

    /// A value, with `true` in `unknown` and `sensitive` wherever it is that.
    pub(super) fn value(&mut self, value: &Value, unknown: &Value, sensitive: &Value) {
        if *unknown == Value::Bool(true) {
            return self.unknown(sensitive);
        }
        let is_sensitive = *sensitive == Value::Bool(true)
            || is_stand_in(sensitive)
            // Nobody can leave out a part of what is not at hand.
            || is_stand_in(value) && is_somewhere(sensitive);
        if is_sensitive && !self.keeps_sensitive {
            self.masked = true;
            return self.tag(b'*');
        }
        // Who may see a value is part of what a change makes of it.
        if is_sensitive {
            self.tag(b'S');
        }
        if is_stand_in(unknown) {
            self.tag(b'~');
            self.value(unknown, NONE, NONE);
            return self.value(value, NONE, sensitive);
        }
        match value {
            Value::Object(_) | Value::Null if unknown.is_object() || value.is_object() => {
                self.tag(b'{');
                for key in keys(&[value, unknown]) {
                    let (value, unknown) = (member(value, key), member(unknown, key));
                    if value.is_null() && !is_somewhere(unknown) {
                        continue;
                    }
                    self.name(key);
                    self.value(value, unknown, member(sensitive, key));
                }
                self.tag(b'}');
            }
            Value::Array(_) | Value::Null if unknown.is_array() || value.is_array() => {
                self.tag(b'[');
                for index in 0..length(value).max(length(unknown)) {
                    self.value(element(value, index), element(unknown, index), element(sensitive, index));
                }
                self.tag(b']');
            }
            Value::Null => self.tag(b'n'),
            Value::Bool(true) => self.tag(b't'),
            Value::Bool(false) => self.tag(b'f'),
            Value::Number(number) => {
                self.tag(b'#');
                self.sized(number.to_string().as_bytes());
            }
            Value::String(text) => {
                if let Some(letters) = literal(text) {
                    self.tag(b'=');
                    self.sized(letters.as_bytes());
                } else if let Some(inside) = json_inside(text) {
                    self.tag(b'j');
                    self.value(&inside, NONE, NONE);
                } else {
                    self.text(text);
                }
            }
            Value::Array(_) | Value::Object(_) => self.tag(b'!'),
        }
    }

    /// What is known after the apply only.
    fn unknown(&mut self, sensitive: &Value) {
        self.tag(b'?');
        if *sensitive == Value::Bool(true) {
            self.tag(b'S');
        }
    }

    fn text(&mut self, text: &str) {
        self.tag(b's');
        let mut rest = text;
        while let Some((before, time, after)) = split_at_time(rest) {
            self.sized(before.as_bytes());
            self.tag(b'@');
            self.times.push(time.to_owned());
            rest = after;
        }
        self.sized(rest.as_bytes());
    }

    /// What a change makes of a value, written only where it makes a difference.
    pub(super) fn difference(&mut self, path: &mut Vec<String>, side: &Sides<'_>) {
        if *side.unknown == Value::Bool(true) {
            // What it was before is noise: computed attributes become unknown with every update.
            self.path(path);
            return self.unknown(side.after_sensitive);
        }
        let is_marked = |marks: &Value| *marks == Value::Bool(true);
        if is_marked(side.before_sensitive) != is_marked(side.after_sensitive) && !side.after.is_null() {
            self.path(path);
            self.tag(if is_marked(side.after_sensitive) { b'H' } else { b'V' });
        }
        if is_stand_in(side.unknown) {
            self.path(path);
            self.value(side.before, NONE, side.before_sensitive);
            self.value(side.after, side.unknown, side.after_sensitive);
        } else if side.before.is_object() && side.after.is_object() {
            for key in keys(&[side.before, side.after, side.unknown]) {
                path.push(key.to_owned());
                self.difference(path, &side.map(|value| member(value, key)));
                path.pop();
            }
        } else if side.before.is_array() && side.after.is_array() && length(side.before) == length(side.after) {
            for index in 0..length(side.before) {
                path.push(index.to_string());
                self.difference(path, &side.map(|value| element(value, index)));
                path.pop();
            }
        } else if is_somewhere(side.unknown) || !same(side.before, side.after) {
            self.path(path);
            self.value(side.before, NONE, side.before_sensitive);
            self.value(side.after, side.unknown, side.after_sensitive);
        }
    }

    fn path(&mut self, path: &[String]) {
        self.tag(b'/');
        for step in path {
            self.name(step);
        }
    }
}

/// The two sides of a change, and what of them is unknown or sensitive.
pub(super) struct Sides<'a> {
    pub(super) before: &'a Value,
    pub(super) after: &'a Value,
    pub(super) unknown: &'a Value,
    pub(super) before_sensitive: &'a Value,
    pub(super) after_sensitive: &'a Value,
}

impl<'a> Sides<'a> {
    /// The same part of each; a mark on the whole is a mark on its parts.
    pub(super) fn map(&self, part: impl Fn(&'a Value) -> &'a Value) -> Self {
        let mark = |marks: &'a Value| {
            if *marks == Value::Bool(true) { marks } else { part(marks) }
        };
        Self {
            before: part(self.before),
            after: part(self.after),
            unknown: mark(self.unknown),
            before_sensitive: mark(self.before_sensitive),
            after_sensitive: mark(self.after_sensitive),
        }
    }
}

/// The member of an object, `null` when there is none.
pub(super) fn member<'a>(value: &'a Value, key: &str) -> &'a Value {
    value.get(key).unwrap_or(NONE)
}

fn element(value: &Value, index: usize) -> &Value {
    match value {
        // A mark on the whole array is a mark on each element.
        Value::Bool(true) => value,
        other => other.get(index).unwrap_or(NONE),
    }
}

fn length(value: &Value) -> usize {
    value.as_array().map_or(0, Vec::len)
}

/// All keys of these objects, in order, each once.
pub(super) fn keys<'a>(values: &[&'a Value]) -> BTreeSet<&'a str> {
    values.iter().filter_map(|value| value.as_object()).flat_map(|object| object.keys().map(String::as_str)).collect()
}

/// Whether anything in there is marked, as unknown or sensitive; what is too large counts.
pub(super) fn is_somewhere(marks: &Value) -> bool {
    match marks {
        Value::Bool(mark) => *mark,
        Value::Array(elements) => elements.iter().any(is_somewhere),
        Value::Object(members) => members.values().any(is_somewhere),
        other => is_stand_in(other),
    }
}

/// Whether two values mean the same.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(_), Value::Object(_)) => {
            keys(&[one, other]).into_iter().all(|key| same(member(one, key), member(other, key)))
        }
        (Value::Array(ones), Value::Array(others)) => {
            ones.len() == others.len() && ones.iter().zip(others).all(|(a, b)| same(a, b))
        }
        (Value::String(a), Value::String(b)) => {
            a == b || json_inside(a).zip(json_inside(b)).is_some_and(|(a, b)| same(&a, &b))
        }
        _ => one == other,
    }
}

/// Splits a text around the first time that is written as `plantimestamp()` writes it.
fn split_at_time(text: &str) -> Option<(&str, &str, &str)> {
    const SHAPE: &[u8; 20] = b"dddd-dd-ddTdd:dd:ddZ";
    let start = text.as_bytes().windows(SHAPE.len()).position(|window| {
        window.iter().zip(SHAPE).all(|(byte, shape)| match shape {
            b'd' => byte.is_ascii_digit(),
            _ => byte == shape,
        })
    })?;
    let (before, rest) = text.split_at_checked(start)?;
    let (time, after) = rest.split_at_checked(SHAPE.len())?;
    Some((before, time, after))
}
