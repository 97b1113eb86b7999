//! A sentence for people: words, in which text of others may stand, and references that only we
//! make. A text that reads like a reference is none.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A sentence, or a part of one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sentence(Vec<Part>);

/// A piece of a sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Part {
    /// Words, whoever wrote them.
    Words(String),
    /// A pull request of this repository, by its number.
    PullRequest(u64),
}

impl Sentence {
    /// The pieces, in order.
    pub fn parts(&self) -> &[Part] {
        &self.0
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Goes on with words.
    #[must_use]
    pub fn words(mut self, words: impl Into<String>) -> Self {
        let words = words.into();
        match self.0.last_mut() {
            _ if words.is_empty() => {}
            Some(Part::Words(last)) => last.push_str(&words),
            _ => self.0.push(Part::Words(words)),
        }
        self
    }

    /// Goes on with a pull request.
    #[must_use]
    pub fn pull_request(mut self, number: u64) -> Self {
        self.0.push(Part::PullRequest(number));
        self
    }

    /// Goes on with another sentence.
    #[must_use]
    pub fn then(self, other: Self) -> Self {
        other.0.into_iter().fold(self, |sentence, part| match part {
            Part::Words(words) => sentence.words(words),
            Part::PullRequest(number) => sentence.pull_request(number),
        })
    }

    /// Several, with words between them.
    pub fn join(sentences: impl IntoIterator<Item = Self>, between: &str) -> Self {
        let sentences = sentences.into_iter().filter(|sentence| !sentence.is_empty());
        sentences.fold(Self::default(), |joined, sentence| {
            let between = if joined.is_empty() { "" } else { between };
            joined.words(between).then(sentence)
        })
    }

    /// The same, each of its words passed through `change`.
    #[must_use]
    pub fn map(&self, change: impl Fn(&str) -> String) -> Self {
        let part = |part: &Part| match part {
            Part::Words(words) => Part::Words(change(words)),
            Part::PullRequest(number) => Part::PullRequest(*number),
        };
        Self(self.0.iter().map(part).collect())
    }
}

impl From<&str> for Sentence {
    fn from(words: &str) -> Self {
        Self::default().words(words)
    }
}

impl From<String> for Sentence {
    fn from(words: String) -> Self {
        Self::default().words(words)
    }
}

impl fmt::Display for Sentence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            Part::Words(words) => f.write_str(words),
            Part::PullRequest(number) => write!(f, "#{number}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_reference_is_a_reference() {
        let sentence = Sentence::from("have ").pull_request(42).words(" approved, not ").words("#43");
        assert_eq!(sentence.to_string(), "have #42 approved, not #43");
        let json = serde_json::to_string(&sentence).unwrap();
        assert_eq!(json, r#"["have ",42," approved, not #43"]"#);
        assert_eq!(serde_json::from_str::<Sentence>(&json).unwrap(), sentence);
        let both = Sentence::join([sentence.clone(), Sentence::default(), "then merge".into()], "; ");
        assert_eq!(both.to_string(), "have #42 approved, not #43; then merge");
    }
}
