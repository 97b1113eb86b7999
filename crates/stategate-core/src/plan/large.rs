//! What stands in place of a value that is too large to be kept: its length and its digest.
//!
//! It is a string, so that everything behind the scanner compares, shows and fingerprints it like
//! any other: two are equal when the values are. It begins with a NUL, and no other string does: one
//! of the document that begins so, large or not, is replaced by a stand-in of its own. A literal begins
//! with a NUL too: a number, or a `null`, whose letters count.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// How a stand-in begins.
const MARK: char = '\0';

/// How a literal begins that is kept as it is written.
const LITERAL: &str = "\0=";

/// How a string begins in JSON that would be taken for a stand-in; there is only one way to write it.
pub(super) const MARKED: &[u8] = br#""\u0000"#;

/// The digest of a value that goes by.
pub(super) struct Digest(Sha256);

impl Digest {
    /// Begins with what is at hand of it.
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self(Sha256::new_with_prefix(bytes))
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The stand-in as JSON, for a value of so many bytes.
    pub(super) fn stand_in(self, bytes: usize) -> String {
        let hex: String = self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        format!(r#""\u0000 {bytes} {hex}""#)
    }
}

/// What is told of a value that is at hand, and too large to be kept for that.
pub(super) fn told_by_size(bytes: usize) -> Value {
    Value::String(format!("{MARK} {bytes}"))
}

/// Whether something else stood here, too large to be kept.
pub(crate) fn is_stand_in(value: &Value) -> bool {
    matches!(value, Value::String(text) if text.starts_with(MARK) && literal(text).is_none())
}

/// The letters of a literal that a machine would not write the same way; `None` of any other text.
pub(crate) fn literal(text: &str) -> Option<&str> {
    text.strip_prefix(LITERAL)
}

/// The length in bytes of what a text stands in for; `None` of a text that is just that.
pub(crate) fn stands_for(text: &str) -> Option<usize> {
    let rest = text.strip_prefix(MARK).filter(|_| literal(text).is_none());
    rest.map(|rest| rest.split(' ').find_map(|word| word.parse().ok()).unwrap_or_default())
}

/// Roughly how much memory a value takes that is built from JSON, in bytes.
///
/// Brackets and commas inside strings count as well: it is never less.
pub(super) fn weight(json: &[u8]) -> usize {
    json.iter().fold(json.len(), |weight, byte| weight + of_byte(*byte))
}

/// What a bracket or comma brings with it: the first node of a map, the first elements of a list, one
/// more of either.
pub(super) fn of_byte(byte: u8) -> usize {
    match byte {
        b'{' => 672,
        b'[' => 160,
        b',' => 80,
        _ => 0,
    }
}
