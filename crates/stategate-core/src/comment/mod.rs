//! What a pull request is told: the comment and the job summary, as GitHub-flavoured Markdown.
//!
//! The view is plain data. All text in it is taken for hostile: escaping, redaction and the
//! budget are this module's work, never the caller's.

mod actions;
mod view;

mod beside;
mod budget;
mod details;
mod diff;
mod escape;
mod ink;
mod life;
mod lists;
mod lock;
mod next;
mod note;
mod plain;
mod progress;
mod site;
mod status;
mod warnings;
mod words;

#[cfg(test)]
mod tests;

use budget::{Budget, Sheet};
use ink::Ink;

pub use life::{life_from_comment, why};
pub use next::{after_half_way, next_step};
pub use note::{UnlockNote, unlock_note};
pub use progress::{ActionProgress, Progress, Step};
pub use view::{
    Beside, CommentView, FailureView, GateView, HolderView, LifeEvent, Liveness, LockView, OutputView, Phase,
};

/// What a comment may hold, in code points; GitHub refuses more than 65,536.
pub const COMMENT_BUDGET: usize = 65_000;

/// What a comment may hold, in bytes.
const COMMENT_BYTES: usize = 262_144;

/// What a job summary may hold, in bytes; GitHub shows nothing of a larger one.
pub const SUMMARY_LIMIT: usize = 1_048_576;

/// The id of a root module's comment in a workspace, when nobody gives one: each pair has its own.
///
/// What stands after the last `@` is the workspace, in which an `@` is written as `%40`.
pub fn default_id(root: &str, workspace: &str) -> String {
    format!("{root}@{}", workspace.replace('%', "%25").replace('@', "%40"))
}

/// The comment's first line, by which our own comment is found again.
///
/// An id that could end the HTML comment is percent-encoded; any other stands as it is.
pub fn marker(comment_id: &str) -> String {
    format!("<!-- stategate:{} -->", escape::in_html_comment(comment_id))
}

/// The comment, at most `budget` code points and 262,144 bytes long.
pub fn comment(view: &CommentView<'_>, budget: usize) -> String {
    let hidden = life::hidden_line(&view.history, &Ink::new(view.plan), budget / 4);
    let budget = Budget { chars: budget, bytes: COMMENT_BYTES };
    let opening = [format!("{}\n", marker(view.comment_id)), hidden, "\n".to_owned()];
    write(view, budget, &opening, Place::Comment)
}

/// The same for a person at a terminal: plain text, without anything that only GitHub needs.
pub fn for_terminal(view: &CommentView<'_>) -> String {
    let whole = Budget { chars: usize::MAX, bytes: usize::MAX };
    let view = CommentView { history: Vec::new(), ..view.clone() };
    plain::text(&write(&view, whole, &[], Place::Summary))
}

/// The verdict and what is destroyed, replaced or forgotten, as plain text: what a person has to
/// know who is asked whether to go on.
pub fn verdict_for_terminal(view: &CommentView<'_>) -> String {
    let ink = Ink::new(view.plan);
    let whole = Budget { chars: usize::MAX, bytes: usize::MAX };
    let dangers = lists::dangers(view, &ink, whole, Place::Summary);
    plain::text(&(status::verdict(view, &ink) + &dangers.notice + &dangers.block))
}

/// The job summary: the comment without its markers, and Terraform's own text (scrubbed and fenced
/// here) as far as `limit_bytes` goes.
pub fn job_summary(view: &CommentView<'_>, plan_text: Option<&str>, limit_bytes: usize) -> String {
    let whole = Budget { chars: limit_bytes, bytes: limit_bytes };
    let Some(plan_text) = plan_text.filter(|text| !text.trim().is_empty()) else {
        return write(view, whole, &[], Place::Summary);
    };
    // What we say comes first, but leaves at least half of the room to Terraform.
    let held_back = (plan_text.len() + plan_text.lines().count() * 8).min(limit_bytes / 2);
    let told = write(view, whole.reserving(held_back), &[], Place::Summary);
    let room = limit_bytes.saturating_sub(told.len());
    told + &details::plan_text(plan_text, &Ink::new(view.plan), room)
}

/// Where a text will stand; a comment points to the summary for what it leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Comment,
    Summary,
}

/// Writes in the order of reading, having put aside what must not be lost further down.
fn write(view: &CommentView<'_>, budget: Budget, opening: &[String], place: Place) -> String {
    let ink = Ink::new(view.plan);
    let mut sheet = Sheet::new(budget);
    let closing = life::told(view, &ink, budget.chars / 8);

    for line in opening {
        sheet.push(line);
    }
    let verdict = status::verdict(view, &ink);
    if !sheet.push(&verdict) {
        // Too little even for one line: at least say what it is about, without any foreign text.
        sheet.push(&format!("### {}\n", view.phase.word()));
    }
    let states = status::states(view, &ink);
    let lists = lists::lists(view, &ink);
    // What does not fit further down has to be said.
    let omissions = lists::omission(&lists, view, place) + details::omission(view);
    let spare = sheet.left().reserving(closing.chars().count()).reserving(omissions);
    // The dangers come after these, but two thirds of the room are theirs where they need it.
    let theirs = Budget { chars: spare.chars / 3 * 2, bytes: spare.bytes / 3 * 2 };
    let needed = lists::dangers(view, &ink, theirs, place);
    let told = lists::fitted(&states, spare.less(&needed.notice).less(&needed.block), view, place);
    let fitted = lists::dangers(view, &ink, spare.less(&told), place);
    sheet.push(&fitted.notice);
    sheet.push(&told);
    sheet.push(&fitted.block);

    let mut middle = Sheet::new(sheet.left().reserving(closing.chars().count()));
    middle.push(&lists::fitted(&lists, middle.left().reserving(details::omission(view)), view, place));
    details::push(&mut middle, view, &ink, place);
    sheet.push(&middle.finish());
    sheet.push(&closing);
    sheet.finish()
}
