//! What a plan does, as far as people and programs are told.

use std::sync::Arc;

use serde::Serialize;

use super::action::ActionSummary;
use super::delta::Delta;
use super::effects::Effects;
use super::hidden::Hidden;
use super::secrets::Secrets;

/// How many of each; every resource change counts once by its actions, beside `import` and `moved`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names are Terraform's")]
pub struct Counts {
    // Few plans have any of these two.
    #[serde(skip_serializing_if = "is_zero")]
    pub actions: usize,
    pub add: usize,
    pub change: usize,
    #[serde(skip_serializing_if = "is_zero")]
    pub deferred: usize,
    pub destroy: usize,
    pub drift: usize,
    pub forget: usize,
    pub import: usize,
    #[serde(rename = "move")]
    pub moved: usize,
    pub outputs: usize,
    pub read: usize,
    pub replace: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives it so")]
pub(super) fn is_zero(count: &usize) -> bool {
    *count == 0
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

impl Kind {
    /// What Terraform's words for it mean; what we do not know is [`Kind::Unknown`].
    pub fn of(actions: &[String]) -> Self {
        let words: Vec<&str> = actions.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["no-op"] => Self::NoOp,
            ["create"] => Self::Create,
            ["read"] => Self::Read,
            ["update"] => Self::Update,
            ["delete"] => Self::Destroy,
            ["forget"] => Self::Forget,
            ["delete" | "forget", "create"] | ["create", "delete" | "forget"] => Self::Replace,
            _ => Self::Unknown,
        }
    }

    /// Whether something is lost, or may be.
    pub fn is_dangerous(self) -> bool {
        self <= Self::Unknown
    }
}

/// How many resources there are of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kinds([usize; 8]);

impl Kinds {
    /// Counts one more.
    pub fn add(&mut self, kind: Kind) {
        if let Some(count) = self.0.get_mut(kind as usize) {
            *count += 1;
        }
    }

    /// So many are of this kind.
    pub fn of(&self, kind: Kind) -> usize {
        self.0.get(kind as usize).copied().unwrap_or_default()
    }

    /// So many are dangerous.
    pub fn dangerous(&self) -> usize {
        self.0.iter().take(Kind::Unknown as usize + 1).sum()
    }

    /// All of them.
    pub fn total(&self) -> usize {
        self.0.iter().sum()
    }
}

/// A resource that changes, or that drifted. Of these there can be very many, so it is small.
#[derive(Debug, Clone)]
pub struct ResourceSummary {
    /// The absolute address.
    pub address: Box<str>,
    /// Where it was, when it moves.
    pub previous_address: Option<Box<str>>,
    /// The module's address, `None` for the root module.
    pub module_address: Option<Arc<str>>,
    /// `managed` or `data`.
    pub mode: Arc<str>,
    /// The resource's type.
    pub r#type: Arc<str>,
    /// The resource's name within its module.
    pub name: Arc<str>,
    /// What happens.
    pub kind: Kind,
    /// Terraform's words for it.
    pub actions: Arc<[String]>,
    /// Terraform's word for why.
    pub action_reason: Option<Arc<str>>,
    /// The attributes that force the replacement, as paths (`tags.Name`, `rule[0].cidr`).
    pub forced_by: Box<[String]>,
    /// The deposed object's key, when it is not the current object.
    pub deposed: Option<Box<str>>,
    /// What is imported, when something is: the id, or the identity as JSON; empty when unknown.
    pub importing: Option<Box<str>>,
    /// What differs, as long as there was room to keep it.
    pub(crate) delta: Option<Box<Delta>>,
    /// Whether what differs was not kept.
    pub(crate) detail_left_out: bool,
}

/// An output of the root module that changes.
#[derive(Debug, Clone)]
pub struct OutputSummary {
    /// Its name.
    pub name: String,
    /// What happens.
    pub kind: Kind,
    /// What differs.
    pub(crate) delta: Option<Box<Delta>>,
}

/// A check, precondition or postcondition that did not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckSummary {
    /// What was checked, as Terraform displays it.
    pub address: String,
    /// `fail` or `error`, or a word that we do not know.
    pub status: String,
    /// The messages of the configuration's author.
    pub problems: Vec<String>,
}

/// Something that this plan leaves for a later one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeferredSummary {
    /// The resource's address.
    pub address: String,
    /// Terraform's word for why.
    pub reason: String,
}

/// A resource that gets another address in the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateMove {
    /// Its address until now.
    pub from: Box<str>,
    /// Its address from then on.
    pub to: Box<str>,
}

/// A plan, summed up: enough to tell people about it, small whatever the plan's size.
///
/// Its lists hold what the largest text can show, the most dangerous first; numbers are of all.
///
/// Its `Debug` tells the counts only: keys and messages can hold a secret's copy.
#[derive(Clone, Default)]
pub struct PlanSummary {
    /// The version of the JSON's format.
    pub format_version: Option<String>,
    /// Terraform's version, when the plan tells it.
    pub terraform_version: Option<String>,
    /// When the plan was made, as `timestamp()` in its configuration says it too.
    pub timestamp: Option<String>,
    /// How many of each.
    pub counts: Counts,
    /// How many resource changes there are of each kind, whether kept or not.
    pub kinds: Kinds,
    /// The resources that change, in the plan's order.
    pub resources: Vec<ResourceSummary>,
    /// The outputs that change, by name; `counts.outputs` in all.
    pub outputs: Vec<OutputSummary>,
    /// How many of the values that change stand in no text.
    pub hidden: Hidden,
    /// Resources that do not change.
    pub unchanged: usize,
    /// Ephemeral resources that are opened, as far as the plan lists them.
    pub opened: usize,
    /// What was changed outside of Terraform; `counts.drift` in all.
    pub drift: Vec<ResourceSummary>,
    /// What a plan that changes nothing else (`-refresh-only`) moves in the state;
    /// `state_moves_total` in all.
    pub state_moves: Vec<StateMove>,
    /// How many of these there are.
    pub state_moves_total: usize,
    /// What was checked and did not pass.
    pub checks: Vec<CheckSummary>,
    /// How many checks did not pass.
    pub checks_failed: usize,
    /// How many checks passed.
    pub checks_passed: usize,
    /// How many checks are known only after the apply.
    pub checks_unknown: usize,
    /// What is left for a later plan; `counts.deferred` in all.
    pub deferred: Vec<DeferredSummary>,
    /// The provider actions that the apply invokes; `counts.actions` in all.
    pub actions: Vec<ActionSummary>,
    /// Whether the plan covers everything; `None` from a Terraform that does not say.
    pub complete: Option<bool>,
    /// Whether planning ended in an error.
    pub errored: bool,
    /// Whether Terraform says that applying would do something; `None` when it does not say.
    pub applyable: Option<bool>,
    /// Whether the configuration declares variables whose values the plan does not hold: ephemeral ones.
    pub withholds_variables: bool,
    /// Actions and parts of the plan that we do not know.
    pub unknown_actions: Vec<String>,
    /// How often something unknown came up that is not among them.
    pub unknown_omitted: usize,
    /// What the apply does that stands in no change.
    pub effects: Effects,
    /// The values that must not be shown.
    pub secrets: Secrets,
}

impl std::fmt::Debug for PlanSummary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlanSummary").field("counts", &self.counts).finish_non_exhaustive()
    }
}

impl PlanSummary {
    /// Whether an apply would do anything; what we do not know, or what is missing, counts as
    /// something.
    pub fn has_changes(&self) -> bool {
        let counts = &self.counts;
        self.kinds.total() + counts.outputs + counts.deferred + counts.actions > 0
            || !self.unknown_actions.is_empty()
            || self.errored
            || self.complete == Some(false)
            || self.applyable == Some(true) && !self.only_opens()
            || self.may_record_drift()
    }

    /// Whether an apply may write to the state what changed outside of Terraform: `OpenTofu` does not
    /// say whether it would.
    pub fn may_record_drift(&self) -> bool {
        self.applyable.is_none() && self.counts.drift > 0
    }

    /// Whether opening ephemeral resources is all that an apply would do.
    fn only_opens(&self) -> bool {
        self.opened > 0 && self.counts.drift == 0
    }

    /// Keeps what happens to what, and no value.
    pub(super) fn forget_values(&mut self) {
        for resource in self.resources.iter_mut().chain(&mut self.drift) {
            resource.delta = None;
            resource.detail_left_out = true;
            resource.importing = resource.importing.as_ref().map(|_| Box::default());
        }
        for output in &mut self.outputs {
            output.delta = None;
        }
        for action in &mut self.actions {
            action.delta = None;
            action.detail_left_out = true;
        }
        for check in &mut self.checks {
            check.problems.clear();
        }
    }

    /// An address without sensitive values in its keys. Its names stand in the configuration, so
    /// they are no secrets; hiding them would hide what is destroyed.
    pub fn scrub_address(&self, address: &str) -> String {
        let mut out = String::with_capacity(address.len());
        let mut rest = address;
        while let Some(open) = rest.find("[\"") {
            let key_start = open + 2;
            let key_length = end_of_key(rest.get(key_start..).unwrap_or_default());
            let (head, tail) = rest.split_at(key_start);
            let (key, tail) = tail.split_at(key_length);
            out.push_str(head);
            out.push_str(&self.secrets.scrub_name(key));
            rest = tail;
        }
        out.push_str(rest);
        out
    }
}

/// The length of a quoted key up to its closing quote.
fn end_of_key(text: &str) -> usize {
    let mut escaped = false;
    for (at, char) in text.char_indices() {
        match char {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at,
            _ => {}
        }
    }
    text.len()
}
