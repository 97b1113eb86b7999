//! The page.

use super::stage::Stage;

pub(crate) fn html(_stage: &Stage) -> String { String::new() }
