//! What is marked sensitive anywhere in a plan, and its removal from any text.
//!
//! Terraform hides a value where its mark is, but copies lose the mark: `terraform_data.output`
//! repeats an earlier `input`, a data source returns what was written elsewhere. So every value
//! that is marked once is hidden wherever it occurs.
//!
//! Hiding short or common values would hide the plan instead of the secret, and tell by the holes
//! what it was. The rule, for a value as it stands, each of its lines, and each string inside it
//! when it is JSON:
//!
//! | value | hidden where it is marked | hidden elsewhere |
//! |---|---|---|
//! | six characters or more | yes | wherever it occurs, also inside longer text and encoded |
//! | three to five | yes | where it stands as a word of its own |
//! | one or two, `true`, `null`, `default`, `prod` and their like, numbers under six digits | yes | no: it is no secret by its text |
//!
//! What is too large to be kept cannot be searched for. Then every text that may hold a value is
//! withheld as a whole; names and addresses stay, without the secrets that are known.

mod credentials;

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value;

use super::delta::has_true;
use super::large::{is_stand_in, stands_for, weight};
use super::{encoded, scan};

/// What stands in place of a text that may hold something secret that cannot be searched for.
pub(crate) const WITHHELD: &str = "(withheld)";

/// What is searched for at most, in bytes of memory: the values, and all ways to write them.
const MOST_VALUES: usize = 8 * 1024 * 1024;
const MOST_PATTERNS: usize = 12 * 1024 * 1024;

/// What a value or a pattern takes beside its text.
const OWN: usize = 48;

/// What is JSON itself is taken apart up to this weight.
const MOST_INSIDE: usize = 6 * 1024 * 1024;

/// What stands in place of a sensitive value; Terraform's own words.
pub(crate) const SENSITIVE: &str = "(sensitive value)";

/// From so many characters on, a value is hidden inside longer text too.
const LONG: usize = 6;

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

/// Collects what is marked sensitive while a plan is read.
#[derive(Default)]
pub(super) struct Marked {
    values: HashSet<Box<str>>,
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
    pub(super) fn add(&mut self, value: &Value, marks: &Value) {
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
    pub(super) fn add_json(&mut self, json: &[u8], marks: &Value) -> serde_json::Result<()> {
        match marks {
            Value::Bool(true) => self.add_all(&serde_json::from_slice(json)?),
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
    pub(super) fn add_all(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.add_text(text),
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

    fn add_text(&mut self, text: &str) {
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
    pub(super) fn finish(self) -> Secrets {
        let mut found = Patterns { unsearchable: self.unsearchable, ..Patterns::default() };
        for value in self.values {
            found.add_value(&value);
        }
        Secrets::new(found)
    }
}

/// Every way in which the values may be written.
#[derive(Default)]
struct Patterns {
    texts: HashSet<Box<str>>,
    size: usize,
    unsearchable: Option<Unsearchable>,
}

impl Patterns {
    fn add_value(&mut self, value: &str) {
        self.add_text(value);
        if value.trim_start().starts_with(['{', '[']) {
            self.add_inside(value);
        }
    }

    fn add_text(&mut self, value: &str) {
        self.add(value, SHORT);
        self.add(value.trim(), SHORT);
        self.add_lines(value);
    }

    fn add_lines(&mut self, value: &str) {
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
        } else if let Ok(inner) = serde_json::from_str::<Value>(value) {
            let mut leaves = Marked::default();
            leaves.add_all(&inner);
            for leaf in leaves.values {
                self.add(&leaf, LONG);
            }
        }
    }

    fn add(&mut self, text: &str, least: usize) {
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

/// The values a plan marks as sensitive, to be taken out of every text that is shown.
///
/// Its `Debug` shows nothing of them.
#[derive(Clone, Default)]
pub struct Secrets {
    /// Six characters or more.
    long: Arc<Sorted>,
    /// Three to five.
    short: Arc<Sorted>,
    /// Which three-byte beginnings occur at all.
    starts: Option<Arc<Starts>>,
    withheld: Option<Unsearchable>,
}

impl Secrets {
    fn new(patterns: Patterns) -> Self {
        let (long, short): (Vec<_>, Vec<_>) =
            patterns.texts.into_iter().partition(|text| text.chars().nth(LONG - 1).is_some());
        let mut starts = Starts::default();
        for pattern in long.iter().chain(&short) {
            starts.insert(pattern.as_bytes());
        }
        Self {
            long: Arc::new(Sorted::new(long)),
            short: Arc::new(Sorted::new(short)),
            starts: Some(Arc::new(starts)),
            withheld: patterns.unsearchable,
        }
    }

    /// Only these values, for what is known to be secret without a plan.
    pub fn from_values<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        let mut marked = Marked::default();
        for value in values {
            marked.add_text(value);
        }
        marked.finish()
    }

    /// These and the others.
    #[must_use]
    pub fn and(&self, others: &Self) -> Self {
        let known = [self, others].into_iter().flat_map(|one| one.long.texts.iter().chain(&one.short.texts));
        Self::new(Patterns {
            texts: known.cloned().collect(),
            unsearchable: self.withheld.or(others.withheld),
            ..Patterns::default()
        })
    }

    /// Whether nothing is hidden.
    pub fn is_empty(&self) -> bool {
        self.long.texts.is_empty() && self.short.texts.is_empty() && self.withheld.is_none()
    }

    /// Why no text that may hold a value is shown, when none is.
    pub fn withheld(&self) -> Option<Unsearchable> {
        self.withheld
    }

    /// The text without any sensitive value, each replaced by `(sensitive value)`; or nothing of it
    /// when not all of them can be searched for.
    ///
    /// Knows the values as they are, as Terraform and JSON quote them, and in base64, hexadecimal
    /// and percent-encoding. The rule for short and common values is in the module's documentation.
    pub fn scrub<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.withheld.is_some() && !text.trim().is_empty() {
            return Cow::Borrowed(WITHHELD);
        }
        self.scrub_name(text)
    }

    /// The same for a name that stands in the configuration, such as an address: of what cannot be
    /// searched for, a name is no copy.
    pub fn scrub_name<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.scrub_plain(text) {
            Cow::Borrowed(text) => self.scrub_encoded(text),
            Cow::Owned(text) => match self.scrub_encoded(&text) {
                Cow::Owned(scrubbed) => Cow::Owned(scrubbed),
                Cow::Borrowed(_) => Cow::Owned(text),
            },
        }
    }

    /// The value with each text, name and number in it scrubbed.
    #[must_use]
    pub fn scrub_value(&self, value: &Value) -> Value {
        match value {
            _ if self.withheld.is_some() => Value::String(WITHHELD.to_owned()),
            Value::String(text) => Value::String(self.scrub(text).into_owned()),
            Value::Number(number) if *self.scrub(&number.to_string()) == *SENSITIVE => {
                Value::String(SENSITIVE.to_owned())
            }
            Value::Array(items) => items.iter().map(|item| self.scrub_value(item)).collect(),
            Value::Object(map) => {
                map.iter().map(|(name, item)| (self.scrub(name).into_owned(), self.scrub_value(item))).collect()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }

    /// Hides what holds a secret once it is decoded, as a whole.
    fn scrub_encoded<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let Some(starts) = self.starts.as_deref().filter(|_| !self.long.texts.is_empty()) else {
            return Cow::Borrowed(text);
        };
        let holds_secret = |bytes: &[u8]| {
            (0..bytes.len()).any(|at| {
                let rest = bytes.get(at..).unwrap_or_default();
                starts.contains(rest) && self.long.longest_prefix(rest, |_| true).is_some()
            })
        };
        let found = encoded::hidden(text, holds_secret);
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut out = String::new();
        let mut copied = 0;
        for run in found {
            // One inside another went with it.
            if run.end > copied {
                out.push_str(text.get(copied..run.start).unwrap_or_default());
                out.push_str(SENSITIVE);
                copied = run.end;
            }
        }
        out.push_str(text.get(copied..).unwrap_or_default());
        Cow::Owned(out)
    }

    fn scrub_plain<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let Some(starts) = self.starts.as_deref() else { return Cow::Borrowed(text) };
        let bytes = text.as_bytes();
        let mut out = String::new();
        let mut copied = 0;
        // The secret found last; one that overlaps it makes it longer.
        let mut hidden: Option<(usize, usize)> = None;
        for at in 0..bytes.len() {
            let rest = bytes.get(at..).unwrap_or_default();
            if !starts.contains(rest) {
                continue;
            }
            let Some(length) = self.longest_at(bytes, at) else { continue };
            match &mut hidden {
                Some((_, end)) if at <= *end => *end = (*end).max(at + length),
                _ => {
                    if let Some((start, end)) = hidden {
                        out.push_str(text.get(copied..start).unwrap_or_default());
                        out.push_str(SENSITIVE);
                        copied = end;
                    }
                    hidden = Some((at, at + length));
                }
            }
        }
        let Some((start, end)) = hidden else { return Cow::Borrowed(text) };
        out.push_str(text.get(copied..start).unwrap_or_default());
        out.push_str(SENSITIVE);
        out.push_str(text.get(end..).unwrap_or_default());
        Cow::Owned(out)
    }

    /// The length of the longest secret that begins at `at`.
    fn longest_at(&self, text: &[u8], at: usize) -> Option<usize> {
        let rest = text.get(at..)?;
        let long = self.long.longest_prefix(rest, |_| true);
        let word = |length: usize| {
            let before = at.checked_sub(1).and_then(|before| text.get(before));
            let after = text.get(at + length);
            !before.is_some_and(|byte| is_word(*byte)) && !after.is_some_and(|byte| is_word(*byte))
        };
        long.or_else(|| self.short.longest_prefix(rest, word))
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(***)")
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

/// Patterns sorted by bytes, so that those with the same start are neighbours.
#[derive(Clone, Default)]
struct Sorted {
    texts: Vec<Box<str>>,
    /// Of each, the place of the longest other one that it begins with.
    within: Vec<Option<usize>>,
}

impl Sorted {
    fn new(mut texts: Vec<Box<str>>) -> Self {
        texts.sort_unstable();
        let mut within = Vec::with_capacity(texts.len());
        let mut begun: Vec<usize> = Vec::new();
        for (at, text) in texts.iter().enumerate() {
            while begun.last().and_then(|last| texts.get(*last)).is_some_and(|last| !text.starts_with(&**last)) {
                begun.pop();
            }
            within.push(begun.last().copied());
            begun.push(at);
        }
        Self { texts, within }
    }

    /// The longest with which `text` begins and that is accepted.
    ///
    /// Whatever begins `text` sorts before it, and all that sorts between the two begins with it as
    /// well; so the nearest neighbour leads to each that can be meant.
    fn longest_prefix(&self, text: &[u8], accept: impl Fn(usize) -> bool) -> Option<usize> {
        let above = self.texts.partition_point(|pattern| pattern.as_bytes() <= text);
        let nearest = above.checked_sub(1)?;
        let common = self.texts.get(nearest)?.bytes().zip(text).take_while(|(one, other)| one == *other).count();
        let mut next = Some(nearest);
        while let Some(at) = next {
            let length = self.texts.get(at)?.len();
            if length <= common && accept(length) {
                return Some(length);
            }
            next = *self.within.get(at)?;
        }
        None
    }
}

/// A set of three-byte beginnings that answers fast, and wrongly only by a false yes.
#[derive(Clone)]
struct Starts([u64; 1024]);

impl Default for Starts {
    fn default() -> Self {
        Self([0; 1024])
    }
}

impl Starts {
    fn slot(bytes: &[u8]) -> Option<(usize, u64)> {
        let &[a, b, c, ..] = bytes else { return None };
        let key = u32::from_le_bytes([a, b, c, 0]).wrapping_mul(0x9E37_79B1) >> 16;
        Some(((key >> 6) as usize, 1 << (key & 63)))
    }

    fn insert(&mut self, bytes: &[u8]) {
        if let Some((slot, bit)) = Self::slot(bytes)
            && let Some(word) = self.0.get_mut(slot)
        {
            *word |= bit;
        }
    }

    fn contains(&self, bytes: &[u8]) -> bool {
        Self::slot(bytes).and_then(|(slot, bit)| self.0.get(slot).map(|word| word & bit != 0)).unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_longest_prefix_is_found(texts in prop::collection::hash_set("[ab]{1,6}", 0..20), text in "[ab]{0,9}", least in 0_usize..4) {
            let sorted = Sorted::new(texts.iter().map(|text| text.as_str().into()).collect());
            let accept = |length: usize| length >= least;
            let expected = texts.iter().filter(|one| text.starts_with(one.as_str())).map(String::len).filter(|length| accept(*length)).max();
            prop_assert_eq!(sorted.longest_prefix(text.as_bytes(), accept), expected);
        }
    }
}
