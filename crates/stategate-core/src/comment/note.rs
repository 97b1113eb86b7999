//! The note on a pull request whose lock somebody removed.

use jiff::Timestamp;

use super::escape::{code, link};
use super::words::moment;
use crate::lock_info::LockInfo;

/// A lock that was removed by hand.
#[derive(Debug)]
pub struct UnlockNote<'a> {
    /// The lock as it was found.
    pub lock: &'a LockInfo,
    /// Who removed it.
    pub actor: &'a str,
    /// Why, in their words.
    pub reason: &'a str,
    /// Whether it was removed without proof that its holder is dead.
    pub forced: bool,
    /// When.
    pub at: Timestamp,
    /// The run that did it.
    pub run_url: &'a str,
}

/// The note's marker and its text. One lock is removed once, so its ID makes the marker.
pub fn unlock_note(note: &UnlockNote<'_>) -> (String, String) {
    let marker = super::marker(&format!("unlock:{}", note.lock.id));
    // A list, not a table: in a table, a `|` ends a code span.
    let mut text = format!(
        "🔓 **The lock of this pull request was removed by hand.**\n\n\
         - state {}\n- lock id {}\n- removed by {}\n- when {}\n- why {}\n- record {}\n",
        code(&note.lock.path, 500),
        code(&note.lock.id, 500),
        code(note.actor, 500),
        moment(note.at),
        code(note.reason, 500),
        link("the run that did it", note.run_url),
    );
    text.push_str(if note.forced {
        "\n**It was forced**: nobody proved that its holder was dead. If an apply of this pull request was at work, compare the state with the world: run a plan and look for resources that it does not know.\n"
    } else {
        "\nIts holder was proven dead first.\n"
    });
    (marker, text)
}
