//! What a plan does, as far as people and programs are told.

use serde_json::Value;

use super::secrets::Secrets;

/// How many of each; every resource change counts once by its actions, beside `import` and `moved`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are Terraform's")]
pub struct Counts {
    pub add: usize,
    pub change: usize,
    pub replace: usize,
    pub destroy: usize,
    pub import: usize,
    pub moved: usize,
    pub forget: usize,
    pub read: usize,
    pub drift: usize,
    pub outputs: usize,
}

/// What happens to a resource, most dangerous first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Destroyed and not created again.
    Destroy,
    /// Destroyed (or forgotten) and created, in either order.
    Replace,
    /// Removed from the state; the real object stays.
    Forget,
    /// Something that we do not know.
    Unknown,
    /// Changed in place.
    Update,
    /// Created.
    Create,
    /// A data source that is read during the apply.
    Read,
    /// Only moved or imported.
    NoOp,
}

/// A resource that changes.
#[derive(Debug, Clone)]
pub struct ResourceSummary {
    /// The absolute address.
    pub address: String,
    /// Where it was, when it moves.
    pub previous_address: Option<String>,
    /// The module's address, `None` for the root module.
    pub module_address: Option<String>,
    /// What happens.
    pub kind: Kind,
    /// Terraform's words for it.
    pub actions: Vec<String>,
    /// Terraform's word for why.
    pub action_reason: Option<String>,
    /// The attributes that force the replacement, as paths (`tags.Name`, `rule[0].cidr`).
    pub forced_by: Vec<String>,
    /// The deposed object's key, when it is not the current object.
    pub deposed: Option<String>,
    /// Whether it is imported.
    pub importing: bool,
}

/// An output of the root module that changes.
#[derive(Debug, Clone)]
pub struct OutputSummary {
    /// Its name.
    pub name: String,
    /// What happens.
    pub kind: Kind,
}

/// A plan, summed up: enough to tell people about it, small whatever the plan's size.
#[derive(Debug, Clone, Default)]
pub struct PlanSummary {
    /// Terraform's version, when the plan tells it.
    pub terraform_version: Option<String>,
    /// How many of each.
    pub counts: Counts,
    /// The resources that change, in the plan's order.
    pub resources: Vec<ResourceSummary>,
    /// The outputs that change, by name.
    pub outputs: Vec<OutputSummary>,
    /// Resources that do not change.
    pub unchanged: usize,
    /// Whether the plan covers everything; `false` when parts are deferred.
    pub complete: bool,
    /// Whether planning ended in an error.
    pub errored: bool,
    /// Actions and parts of the plan that we do not know.
    pub unknown_actions: Vec<String>,
    /// The values that must not be shown.
    pub secrets: Secrets,
}

impl PlanSummary {
    /// Whether an apply would do anything; what we do not know counts as something.
    pub fn has_changes(&self) -> bool {
        true
    }

    /// The JSON of `render --json` and of the step output `summary-json`.
    pub fn to_summary_json(&self) -> Value {
        Value::Null
    }
}
