//! A text that never grows beyond what it may hold.

/// How much a text may hold, in both of GitHub's measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Budget {
    pub(super) chars: usize,
    pub(super) bytes: usize,
}

impl Budget {
    /// What is left after `text`.
    pub(super) fn less(self, text: &str) -> Self {
        Self { chars: self.chars.saturating_sub(text.chars().count()), bytes: self.bytes.saturating_sub(text.len()) }
    }

    /// What is left after holding back so many characters of plain text of ours.
    pub(super) fn reserving(self, chars: usize) -> Self {
        Self { chars: self.chars.saturating_sub(chars), bytes: self.bytes.saturating_sub(chars) }
    }

    pub(super) fn holds(self, text: &str) -> bool {
        text.len() <= self.bytes && (text.len() <= self.chars || text.chars().count() <= self.chars)
    }
}

/// Something to tell, and in how many words it can be told, most first.
pub(super) struct Piece {
    /// What is left out where not even the shortest fits.
    pub(super) what: &'static str,
    pub(super) ways: Vec<String>,
}

/// A text that takes what fits, and nothing else.
#[derive(Debug)]
pub(super) struct Sheet {
    text: String,
    left: Budget,
}

impl Sheet {
    pub(super) fn new(budget: Budget) -> Self {
        Self { text: String::new(), left: budget }
    }

    /// Appends the whole text, or nothing of it.
    pub(super) fn push(&mut self, text: &str) -> bool {
        let fits = self.left.holds(text);
        if fits {
            self.text.push_str(text);
            self.left = self.left.less(text);
        }
        fits
    }

    /// Appends each as it fits, the first way that does, and gives what did not fit at all.
    pub(super) fn push_each<'p>(&mut self, pieces: &'p [Piece]) -> Vec<&'p Piece> {
        pieces.iter().filter(|piece| !piece.ways.iter().any(|way| self.push(way))).collect()
    }

    pub(super) fn left(&self) -> Budget {
        self.left
    }

    pub(super) fn finish(self) -> String {
        self.text
    }
}
