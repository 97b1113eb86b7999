//! Sums up a plan while it is read, and keeps no more of it than can be told.

use std::fmt::Write as _;
use std::mem::size_of;

use serde_json::Value;

use super::action::{ActionInvocation, ActionSummary, Trigger};
use super::change::{Change, ResourceChange};
use super::delta::{self, Delta};
use super::keeper::{Keeper, Names, text_size};
use super::summary::{CheckSummary, DeferredSummary, Kind, OutputSummary, PlanSummary, ResourceSummary, StateMove};

/// What is kept of the messages of checks, in bytes; no comment shows more.
pub(super) const MOST_MESSAGES: usize = 512 * 1024;

/// How much detail is kept for each kind of change, in bytes: more than a job summary can show.
const DETAIL_PER_KIND: usize = 256 * 1024;

/// Where it is counted what is kept of outputs, of drift, and of actions.
const OF_OUTPUTS: usize = 8;
const OF_DRIFT: usize = 9;
const OF_ACTIONS: usize = 10;

/// What is kept of one change at most; a larger one would be cut to pieces anyway.
const LARGEST_DETAIL: usize = DETAIL_PER_KIND / 4;

/// How much is kept of the resources that change, in bytes of memory. A line takes less in any text:
/// so this holds more than a job summary can list.
const MOST_RESOURCES: usize = 9 * 1024 * 1024;

/// The same for lists of which only the first few entries are shown.
const MOST_ENTRIES: usize = 256 * 1024;

/// Outputs are shown with their values; those take room of their own.
const MOST_OUTPUTS: usize = 512 * 1024;

/// Different words for what we do not know, and their bytes.
const MOST_UNKNOWN: usize = 200;
const LONGEST_UNKNOWN: usize = 64 * 1024;

/// Sums up changes as they come by.
pub(super) struct Totals {
    pub(super) plan: PlanSummary,
    resources: Keeper<Kind, ResourceSummary>,
    drift: Keeper<Kind, ResourceSummary>,
    outputs: Keeper<Kind, OutputSummary>,
    checks: Keeper<(), CheckSummary>,
    deferred: Keeper<(), DeferredSummary>,
    actions: Keeper<(), ActionSummary>,
    state_moves: Keeper<(), StateMove>,
    /// How much is kept of what differs: of resources by kind, of outputs, of drift, and of actions.
    detail: [usize; 11],
    texts: Names<str>,
    lists: Names<[String]>,
}

impl Default for Totals {
    fn default() -> Self {
        Self {
            plan: PlanSummary::default(),
            resources: Keeper::new(MOST_RESOURCES),
            drift: Keeper::new(MOST_ENTRIES),
            outputs: Keeper::new(MOST_OUTPUTS),
            checks: Keeper::new(MOST_ENTRIES + MOST_MESSAGES),
            deferred: Keeper::new(MOST_ENTRIES),
            actions: Keeper::new(MOST_ENTRIES),
            state_moves: Keeper::new(MOST_ENTRIES),
            detail: [0; 11],
            texts: Names::default(),
            lists: Names::default(),
        }
    }
}

impl Totals {
    pub(super) fn finish(self) -> PlanSummary {
        let mut plan = self.plan;
        plan.resources = self.resources.finish();
        plan.drift = self.drift.finish();
        plan.outputs = self.outputs.finish();
        plan.outputs.sort_by(|one, other| one.name.cmp(&other.name));
        plan.checks = self.checks.finish();
        plan.deferred = self.deferred.finish();
        plan.actions = self.actions.finish();
        plan.state_moves = self.state_moves.finish();
        // Where resources change, what moves is among them.
        if plan.kinds.total() > 0 {
            plan.state_moves.clear();
            plan.state_moves_total = 0;
        }
        plan
    }

    /// A resource that changes, moves or is imported.
    pub(super) fn resource(&mut self, change: &ResourceChange) {
        let kind = Kind::of(&change.change.actions);
        self.plan.kinds.add(kind);
        let counts = &mut self.plan.counts;
        match kind {
            Kind::Create => counts.add += 1,
            Kind::Update => counts.change += 1,
            Kind::Replace => counts.replace += 1,
            Kind::Destroy => counts.destroy += 1,
            Kind::Forget => counts.forget += 1,
            Kind::Read => counts.read += 1,
            Kind::NoOp => self.plan.unchanged += 1,
            Kind::Unknown => {}
        }
        self.plan.hidden.count(&change.change);
        let counts = &mut self.plan.counts;
        counts.moved += usize::from(moved(change));
        counts.import += usize::from(change.change.importing.is_some());
        if self.resources.is_open(kind) {
            let (mut summary, size) = self.resource_summary(change, kind);
            (summary.delta, summary.detail_left_out) = self.difference(&change.change, kind as usize);
            self.resources.give(kind, size, summary);
        }
    }

    /// A resource that somebody changed outside of Terraform.
    pub(super) fn drift(&mut self, change: &ResourceChange) {
        self.plan.counts.drift += 1;
        let kind = Kind::of(&change.change.actions);
        if self.drift.is_open(kind) {
            let (mut summary, size) = self.resource_summary(change, kind);
            (summary.delta, summary.detail_left_out) = self.difference(&change.change, OF_DRIFT);
            self.drift.give(kind, size, summary);
        }
    }

    /// A resource that gets another address in the state, whatever else becomes of it.
    pub(super) fn state_move(&mut self, change: &ResourceChange) {
        let Some(from) = change.previous_address.as_deref().filter(|_| moved(change)) else { return };
        self.plan.state_moves_total += 1;
        let size = text_size(from) + text_size(&change.address);
        self.state_moves.give((), size, StateMove { from: from.into(), to: change.address.as_str().into() });
    }

    pub(super) fn output(&mut self, name: &str, change: &Change) {
        self.plan.counts.outputs += 1;
        self.plan.hidden.count(change);
        let kind = Kind::of(&change.actions);
        if self.outputs.is_open(kind) {
            let (delta, _) = self.difference(change, OF_OUTPUTS);
            self.outputs.give(kind, text_size(name), OutputSummary { name: name.to_owned(), kind, delta });
        }
    }

    /// A check that did not pass.
    pub(super) fn check(&mut self, check: CheckSummary) {
        self.plan.checks_failed += 1;
        let problems: usize = check.problems.iter().map(|text| text_size(text) + size_of::<String>()).sum();
        self.checks.give((), text_size(&check.address) + text_size(&check.status) + problems, check);
    }

    pub(super) fn deferred(&mut self, deferred: DeferredSummary) {
        self.plan.counts.deferred += 1;
        self.deferred.give((), text_size(&deferred.address) + text_size(&deferred.reason), deferred);
    }

    pub(super) fn action(&mut self, invocation: &ActionInvocation) {
        self.plan.counts.actions += 1;
        self.plan.hidden.count(&invocation.config);
        if !self.actions.is_open(()) {
            return;
        }
        let of_trigger = match &invocation.trigger {
            Trigger::Change(change) => text_size(&change.resource) + text_size(&change.event),
            Trigger::Invoke | Trigger::Unknown => 0,
        };
        let size = text_size(&invocation.address) + of_trigger;
        let (delta, detail_left_out) = self.difference(&invocation.config, OF_ACTIONS);
        let action = ActionSummary {
            address: Box::from(invocation.address.as_str()),
            trigger: invocation.trigger.clone(),
            deferred: invocation.deferred,
            delta,
            detail_left_out,
        };
        self.actions.give((), size, action);
    }

    /// Whether what another action is invoked with may be kept.
    pub(super) fn has_room_for_action(&self) -> bool {
        self.actions.is_open(()) && self.detail.get(OF_ACTIONS).is_some_and(|used| *used < DETAIL_PER_KIND)
    }

    pub(super) fn unknown(&mut self, what: String) {
        let known = &mut self.plan.unknown_actions;
        if known.contains(&what) {
            return;
        }
        let used: usize = known.iter().map(String::len).sum();
        if known.len() < MOST_UNKNOWN && used + what.len() <= LONGEST_UNKNOWN {
            known.push(what);
        } else {
            self.plan.unknown_omitted += 1;
        }
    }

    /// All but what differs, and how much memory it takes outside of itself.
    fn resource_summary(&mut self, change: &ResourceChange, kind: Kind) -> (ResourceSummary, usize) {
        let mut size = 0;
        let mut own = |text: &str| {
            size += text_size(text);
            Box::from(text)
        };
        let address = own(&change.address);
        let previous_address = change.previous_address.as_deref().filter(|_| moved(change)).map(&mut own);
        let deposed = change.deposed.as_deref().filter(|key| !key.is_empty()).map(&mut own);
        let importing = change.change.importing.as_ref().map(|importing| own(&import_text(importing)));
        let forced_by: Box<[String]> = change.change.replace_paths.iter().map(|path| path_text(path)).collect();
        size += forced_by.iter().map(|path| text_size(path) + size_of::<String>()).sum::<usize>();
        let mut shared = |text: &str| {
            let (text, own) = self.texts.share(text, text.len());
            size += own;
            text
        };
        let module_address = change.module_address.as_deref().filter(|module| !module.is_empty()).map(&mut shared);
        let (mode, r#type, name) = (shared(&change.mode), shared(&change.r#type), shared(&change.name));
        let action_reason = change.action_reason.as_deref().map(&mut shared);
        let words = &change.change.actions;
        let of_words = words.iter().map(|word| text_size(word) + size_of::<String>()).sum();
        let (actions, own) = self.lists.share(words, of_words);
        size += own;
        let summary = ResourceSummary {
            address,
            previous_address,
            module_address,
            mode,
            r#type,
            name,
            kind,
            actions,
            action_reason,
            forced_by,
            deposed,
            importing,
            delta: None,
            detail_left_out: true,
        };
        (summary, size)
    }

    /// What differs, or that there is no room for it.
    fn difference(&mut self, change: &Change, drawer: usize) -> (Option<Box<Delta>>, bool) {
        let Some(used) = self.detail.get_mut(drawer) else { return (None, true) };
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
        if *used > DETAIL_PER_KIND { (None, true) } else { (Some(Box::new(delta)), false) }
    }

    /// Whether the detail of another change of this kind may be kept.
    pub(super) fn has_room(&self, kind: Kind) -> bool {
        self.resources.is_open(kind) && self.detail.get(kind as usize).is_some_and(|used| *used < DETAIL_PER_KIND)
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
