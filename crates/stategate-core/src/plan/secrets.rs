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
mod marked;
mod patterns;
mod sorted;

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Value;

use self::patterns::{LONG, Patterns};
use self::sorted::{Sorted, Starts};
use super::encoded;

pub(super) use self::marked::Marked;
pub use self::marked::Unsearchable;
pub(crate) use self::patterns::{Quoting, quoted};

/// What stands in place of a text that may hold something secret that cannot be searched for.
pub(crate) const WITHHELD: &str = "(withheld)";

/// What a value or a pattern takes in memory beside its text.
const OWN: usize = 48;

/// What stands in place of a sensitive value; Terraform's own words.
pub(crate) const SENSITIVE: &str = "(sensitive value)";

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
