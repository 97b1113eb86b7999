//! `stategate render`: the comment for a plan's JSON, offline.

use std::io::Read;

use stategate_core::comment::{CommentView, comment};
use stategate_core::plan::{PlanError, read_plan};

/// What `render` is asked for.
#[derive(Debug, Clone)]
pub struct RenderOptions<'a> {
    /// The root module to name in the verdict.
    pub root: &'a str,
    /// The workspace to name in the verdict.
    pub workspace: &'a str,
    /// The environment to name in the verdict.
    pub environment: Option<&'a str>,
    /// The id in the comment's marker.
    pub comment_id: &'a str,
    /// What the comment may hold, in code points.
    pub budget: usize,
    /// The summary as JSON instead of the comment.
    pub json: bool,
    /// The moment of writing.
    pub now: jiff::Timestamp,
}

/// What the JSON has at most, in bytes: all that is kept of a plan, unless most of it must be escaped.
const MOST_JSON: usize = 12 * 1024 * 1024;

/// The comment, or its JSON, for the plan that `reader` yields.
///
/// # Errors
///
/// When what is read is not a plan's JSON.
pub fn render(reader: impl Read, options: &RenderOptions<'_>) -> Result<String, PlanError> {
    let plan = read_plan(reader, &mut [])?;
    if options.json {
        return Ok(plan.to_summary_json(MOST_JSON) + "\n");
    }
    let view = CommentView {
        comment_id: options.comment_id,
        root: options.root,
        workspace: options.workspace,
        environment: options.environment,
        ..CommentView::of_plan(&plan, options.now)
    };
    Ok(comment(&view, options.budget))
}
