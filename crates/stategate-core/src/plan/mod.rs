//! Terraform's plan as JSON (`terraform show -json`): read as a stream, summed up, and searched
//! for what must not be shown.
//!
//! Everything that is said about a plan comes from here, never from Terraform's text: a
//! configuration can print whatever it likes, but it cannot write the plan's JSON.

mod reader;
mod resources;
mod summary;

mod action;
mod aside;
mod change;
mod configuration;
mod delta;
mod differing;
mod effects;
mod encoded;
mod error;
mod exact;
mod hidden;
mod inside;
mod keeper;
mod large;
mod scan;
mod secrets;
mod skip;
mod state;
mod summary_json;
mod totals;
mod undecided;
mod unknown;

#[cfg(test)]
mod tests;

pub use action::{ActionInvocation, ActionSummary, ChangeTrigger, Trigger};
pub(crate) use change::IDENTITY;
pub use change::{Change, ResourceChange};
pub(crate) use delta::{Delta, Leaf, compare_values};
pub use effects::{Effects, Invoked, Provider, Provisioned, Provisioner, Variable};
pub use error::PlanError;
pub use hidden::Hidden;
pub(crate) use inside::{all_inside, json_inside, without_twice};
pub(crate) use large::{is_stand_in, literal, stands_for};
pub use reader::{PlanVisitor, read_plan};
pub use scan::Position;
pub(crate) use secrets::{Quoting, SENSITIVE, quoted};
pub use secrets::{Secrets, Unsearchable};
pub use state::read_state;
pub use summary::{
    CheckSummary, Counts, DeferredSummary, Kind, Kinds, OutputSummary, PlanSummary, ResourceSummary, StateMove,
};
pub use undecided::{Block, Undecided, Unknown};
