//! Terraform's plan as JSON (`terraform show -json`): read as a stream, summed up, and searched
//! for what must not be shown.
//!
//! Everything that is said about a plan comes from here, never from Terraform's text: a
//! configuration can print whatever it likes, but it cannot write the plan's JSON.

mod change;
mod reader;
mod secrets;
mod summary;

pub use change::{Change, ResourceChange};
pub use reader::{PlanError, PlanVisitor, read_plan};
pub use secrets::Secrets;
pub use summary::{Counts, Kind, OutputSummary, PlanSummary, ResourceSummary};
