//! Advice that is given in several places, in the same words.

use std::borrow::Cow;

/// How to remove a lock where a workflow is at hand, as a part of a sentence: there GitHub proves a
/// dead run dead, and the role may do it. `lock` names it as that workflow's inputs do.
pub fn unlock_by_workflow(lock: &str) -> String {
    format!("start the workflow that runs `unlock` with {lock} and a reason")
}

/// The inputs that name this lock, for [`unlock_by_workflow`].
pub fn lock_id(id: &str) -> String {
    format!("lock-id `{id}`")
}

/// How to see who holds the lock where a workflow is at hand, as a part of a sentence.
pub const SHOW_BY_WORKFLOW: &str = "start the workflow that runs `unlock` without a lock-id: it shows the holder";

/// A word as a shell reads it back: `-var-file=x` needs no quotes.
pub fn quoted(word: &str) -> Cow<'_, str> {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.,:/=@+".contains(letter);
    if !word.is_empty() && word.chars().all(is_plain) { Cow::Borrowed(word) } else { shell_words::quote(word) }
}

/// A part of a sentence as its beginning.
pub fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
