//! What a refusal must leave as it was, the state byte for byte, and what it must tell.

use super::files::PROD_KEY;
use super::runner::{Outcome, Step};
use super::world::World;

/// The production state as it was.
#[must_use]
pub struct Untouched<'a> {
    world: &'a World,
    state: Option<Vec<u8>>,
}

impl World {
    /// Remembers the production state, to be compared after a refusal.
    pub fn untouched(&self) -> Untouched<'_> {
        Untouched { world: self, state: self.bucket.get(PROD_KEY) }
    }
}

impl Untouched<'_> {
    /// Fails unless the state is byte-identical and nobody's lock is left.
    #[track_caller]
    pub fn check(self) {
        assert!(self.world.bucket.get(PROD_KEY) == self.state, "the state is byte-identical");
        assert!(self.world.bucket.locks().is_empty(), "{:?}", self.world.bucket.locks());
    }
}

impl Step<'_> {
    /// Runs what must be refused with this code, and leave everything as it was.
    #[track_caller]
    pub fn refused(self, code: i32) -> Outcome {
        let untouched = self.world.untouched();
        let outcome = self.run().exits(code);
        untouched.check();
        outcome
    }

    /// The same, and each of these pull requests, the log and the summary must say all the words.
    #[track_caller]
    pub fn refused_and_told(self, numbers: &[u64], code: i32, words: &[&str]) -> Outcome {
        let world = self.world;
        let outcome = self.refused(code);
        outcome.tells(world, numbers, words);
        outcome
    }
}

impl Outcome {
    /// Fails unless each of these pull requests, the log and the summary say all the words.
    #[track_caller]
    pub fn tells(&self, world: &World, numbers: &[u64], words: &[&str]) {
        let comments = numbers.iter().map(|number| (format!("#{number}"), world.github.comment(*number)));
        let ours = [("the log".to_owned(), self.log.clone()), ("the summary".to_owned(), self.summary.clone())];
        for (place, told) in comments.chain(ours) {
            let told = as_read(&told);
            for word in words {
                assert!(told.contains(word), "{word:?} is not told in {place}:\n{told}");
            }
        }
    }
}

/// What a reader sees of Markdown: no code marks, and links without where they lead.
pub fn as_read(markdown: &str) -> String {
    let mut out = String::new();
    let mut rest = markdown;
    while let Some((before, link)) = rest.split_once("](http") {
        let (before, text) = before.rsplit_once('[').unwrap_or((before, ""));
        out.extend([before, text]);
        rest = link.split_once(')').map_or("", |(_, after)| after);
    }
    (out + rest).replace('`', "")
}
