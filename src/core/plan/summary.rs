//! What a plan does, as far as people and programs are told.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::change::{Change, ResourceChange};
use super::delta::{self, Delta};
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
    pub actions: usize,
    pub deferred: usize,
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

/// A resource that changes, or that drifted.
#[derive(Debug, Clone)]
pub struct ResourceSummary {
    /// The absolute address.
    pub address: String,
    /// Where it was, when it moves.
    pub previous_address: Option<String>,
    /// The module's address, `None` for the root module.
    pub module_address: Option<String>,
    /// `managed` or `data`.
    pub mode: String,
    /// The resource's type.
    pub r#type: String,
    /// The resource's name within its module.
    pub name: String,
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
    /// What is imported, when something is: the id, or the identity as JSON; empty when unknown.
    pub importing: Option<String>,
    /// What differs, as long as there was room to keep it.
    pub(crate) delta: Option<Delta>,
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
    pub(crate) delta: Option<Delta>,
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

/// An action of a provider that the apply invokes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionSummary {
    /// The action's address.
    pub address: String,
    /// The resource whose change triggers it, when one does.
    pub triggered_by: Option<String>,
    /// Whether it is put off.
    pub deferred: bool,
}

/// A plan, summed up: enough to tell people about it, small whatever the plan's size.
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
    /// The resources that change, in the plan's order.
    pub resources: Vec<ResourceSummary>,
    /// The outputs that change, by name.
    pub outputs: Vec<OutputSummary>,
    /// Resources that do not change.
    pub unchanged: usize,
    /// What was changed outside of Terraform.
    pub drift: Vec<ResourceSummary>,
    /// What was checked and did not pass.
    pub checks: Vec<CheckSummary>,
    /// How many checks passed.
    pub checks_passed: usize,
    /// How many checks are known only after the apply.
    pub checks_unknown: usize,
    /// What is left for a later plan.
    pub deferred: Vec<DeferredSummary>,
    /// The provider actions that the apply invokes.
    pub actions: Vec<ActionSummary>,
    /// Whether the plan covers everything; `None` from a Terraform that does not say.
    pub complete: Option<bool>,
    /// Whether planning ended in an error.
    pub errored: bool,
    /// Whether Terraform says that applying would do something; `None` when it does not say.
    pub applyable: Option<bool>,
    /// Actions and parts of the plan that we do not know.
    pub unknown_actions: Vec<String>,
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
        !self.resources.is_empty()
            || !self.outputs.is_empty()
            || !self.deferred.is_empty()
            || !self.actions.is_empty()
            || !self.unknown_actions.is_empty()
            || self.errored
            || self.complete == Some(false)
            || self.applyable == Some(true)
    }

    /// Keeps what happens to what, and no value.
    pub(super) fn forget_values(&mut self) {
        for resource in self.resources.iter_mut().chain(&mut self.drift) {
            resource.delta = None;
            resource.detail_left_out = true;
            resource.importing = resource.importing.as_ref().map(|_| String::new());
        }
        for output in &mut self.outputs {
            output.delta = None;
        }
        for check in &mut self.checks {
            check.problems.clear();
        }
    }

    /// The JSON of `render --json` and of the step output `summary-json`.
    pub fn to_summary_json(&self) -> Value {
        self.summary_json_of(self.resources.len())
    }

    /// The same in at most `limit` bytes as compact JSON: the least dangerous resources are left
    /// out first, and `resources_omitted` says how many. The counts are always complete.
    pub fn to_summary_json_within(&self, limit: usize) -> Value {
        let mut kept = self.resources.len();
        loop {
            let json = self.summary_json_of(kept);
            if kept == 0 || json.to_string().len() <= limit {
                return json;
            }
            kept /= 2;
        }
    }

    fn summary_json_of(&self, kept: usize) -> Value {
        let counts = &self.counts;
        let mut order: Vec<&ResourceSummary> = self.resources.iter().collect();
        if kept < order.len() {
            order.sort_by_key(|resource| resource.kind);
            order.truncate(kept);
        }
        let resources: Vec<Value> = order
            .into_iter()
            .map(|resource| {
                json!({
                    "address": self.scrub_address(&resource.address),
                    "actions": resource.actions,
                    "reason": resource.action_reason,
                    "forced_by": resource.forced_by.iter()
                        .map(|path| self.secrets.scrub_name(path)).collect::<Vec<_>>(),
                })
            })
            .collect();
        let mut json = json!({
            "counts": {
                "add": counts.add,
                "change": counts.change,
                "replace": counts.replace,
                "destroy": counts.destroy,
                "import": counts.import,
                "move": counts.moved,
                "forget": counts.forget,
                "read": counts.read,
                "drift": counts.drift,
                "outputs": counts.outputs,
            },
            "complete": self.complete.unwrap_or(true) && self.deferred.is_empty(),
            "errored": self.errored,
            "unknown_actions": self.unknown_actions,
            "resources": resources,
        });
        // Few plans have any.
        for (name, count) in [("actions", counts.actions), ("deferred", counts.deferred)] {
            if let (true, Some(Value::Object(counts))) = (count > 0, json.get_mut("counts")) {
                counts.insert(name.to_owned(), json!(count));
            }
        }
        let omitted = self.resources.len() - kept;
        if let (true, Some(map)) = (omitted > 0, json.as_object_mut()) {
            map.insert("resources_omitted".to_owned(), json!(omitted));
        }
        json
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

/// How much detail is kept for each kind of change, in bytes: more than a job summary can show.
const DETAIL_PER_KIND: usize = 256 * 1024;

/// What is kept of one change at most; a larger one would be cut to pieces anyway.
const LARGEST_DETAIL: usize = DETAIL_PER_KIND / 4;

/// Sums up changes as they come by.
#[derive(Default)]
pub(super) struct Totals {
    pub(super) plan: PlanSummary,
    kept: [usize; 9],
}

impl Totals {
    /// A resource that changes, moves or is imported.
    pub(super) fn resource(&mut self, change: &ResourceChange) {
        let kind = Kind::of(&change.change.actions);
        let counts = &mut self.plan.counts;
        match kind {
            Kind::Create => counts.add += 1,
            Kind::Update => counts.change += 1,
            Kind::Replace => counts.replace += 1,
            Kind::Destroy => counts.destroy += 1,
            Kind::Forget => counts.forget += 1,
            Kind::Read => counts.read += 1,
            Kind::NoOp => self.plan.unchanged += 1,
            Kind::Unknown => {
                let words = change.change.actions.join(", ");
                self.unknown(if words.is_empty() { "no action".to_owned() } else { words });
            }
        }
        let counts = &mut self.plan.counts;
        counts.moved += usize::from(moved(change));
        counts.import += usize::from(change.change.importing.is_some());
        let summary = self.resource_summary(change, kind, kind as usize);
        self.plan.resources.push(summary);
    }

    /// A resource that somebody changed outside of Terraform.
    pub(super) fn drift(&mut self, change: &ResourceChange) {
        self.plan.counts.drift += 1;
        let summary = self.resource_summary(change, Kind::of(&change.change.actions), 8);
        self.plan.drift.push(summary);
    }

    pub(super) fn output(&mut self, name: &str, change: &Change) {
        self.plan.counts.outputs += 1;
        let kind = Kind::of(&change.actions);
        if kind == Kind::Unknown {
            self.unknown(change.actions.join(", "));
        }
        let (delta, _) = self.keep(change, 8);
        self.plan.outputs.push(OutputSummary { name: name.to_owned(), kind, delta });
    }

    pub(super) fn unknown(&mut self, what: String) {
        if !self.plan.unknown_actions.contains(&what) {
            self.plan.unknown_actions.push(what);
        }
    }

    fn resource_summary(&mut self, change: &ResourceChange, kind: Kind, drawer: usize) -> ResourceSummary {
        let (delta, detail_left_out) = self.keep(&change.change, drawer);
        ResourceSummary {
            address: change.address.clone(),
            previous_address: change.previous_address.clone().filter(|_| moved(change)),
            module_address: change.module_address.clone().filter(|module| !module.is_empty()),
            mode: change.mode.clone(),
            r#type: change.r#type.clone(),
            name: change.name.clone(),
            kind,
            actions: change.change.actions.clone(),
            action_reason: change.action_reason.clone(),
            forced_by: change.change.replace_paths.iter().map(|path| path_text(path)).collect(),
            deposed: change.deposed.clone().filter(|key| !key.is_empty()),
            importing: change.change.importing.as_ref().map(import_text),
            delta,
            detail_left_out,
        }
    }

    fn keep(&mut self, change: &Change, drawer: usize) -> (Option<Delta>, bool) {
        let Some(used) = self.kept.get_mut(drawer) else { return (None, true) };
        if *used >= DETAIL_PER_KIND {
            return (None, true);
        }
        let delta = match delta::delta(change, LARGEST_DETAIL) {
            Ok(Some(delta)) => delta,
            Ok(None) => return (None, false),
            Err(delta::NoRoom) => return (None, true),
        };
        let size = delta::size(&delta);
        if size > LARGEST_DETAIL {
            return (None, true);
        }
        // One that did not fit closes the drawer: from then on nothing is built for it.
        *used += size;
        if *used > DETAIL_PER_KIND { (None, true) } else { (Some(delta), false) }
    }

    /// Whether the detail of another change of this kind may be kept.
    pub(super) fn has_room(&self, kind: Kind) -> bool {
        self.kept.get(kind as usize).is_some_and(|used| *used < DETAIL_PER_KIND)
    }
}

pub(super) fn moved(change: &ResourceChange) -> bool {
    change.previous_address.as_ref().is_some_and(|previous| *previous != change.address)
}

fn import_text(importing: &Value) -> String {
    match (importing.get("id"), importing.get("identity")) {
        (Some(Value::String(id)), _) => id.clone(),
        (_, Some(identity)) if !identity.is_null() => identity.to_string(),
        _ => String::new(),
    }
}

/// A path as one would write it in a configuration.
fn path_text(path: &[Value]) -> String {
    let mut out = String::new();
    for step in path {
        match step {
            Value::String(name) if is_name(name) => {
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(name);
            }
            Value::String(key) => write!(out, "[{key:?}]").unwrap_or_default(),
            other => write!(out, "[{other}]").unwrap_or_default(),
        }
    }
    out
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}
