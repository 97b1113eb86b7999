//! What the comment is made from: plain data, as it came, unescaped.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::progress::{Progress, Step};
use crate::diagnostic::Diagnostic;
use crate::plan::PlanSummary;
use crate::sentence::Sentence;

/// Everything that one comment tells.
#[derive(Debug, Clone)]
pub struct CommentView<'a> {
    /// The id in the marker.
    pub comment_id: &'a str,
    /// The root module: the working directory, as the user wrote it.
    pub root: &'a str,
    /// Terraform's workspace.
    pub workspace: &'a str,
    /// GitHub's environment, when one is named.
    pub environment: Option<&'a str>,
    /// The pull request that is told.
    pub pull_request: Option<u64>,
    /// The commit that was planned.
    pub head_sha: Option<&'a str>,
    /// The plan's fingerprint.
    pub fingerprint: Option<&'a str>,
    /// The plan, once there is one.
    pub plan: Option<&'a PlanSummary>,
    /// Where the change stands.
    pub phase: Phase,
    /// What this run is about; where it failed, what it was about then.
    pub step: Step,
    /// How far its apply came, when that did not end well.
    pub progress: Option<&'a Progress>,
    /// The lock's story.
    pub lock: LockView,
    /// Until when this run waits for it.
    pub waits_until: Option<Timestamp>,
    /// The gate, when it was asked.
    pub gate: Option<GateView>,
    /// How the plan differs from the one that was reviewed, a sentence each.
    pub difference: Vec<String>,
    /// What failed.
    pub failure: Option<FailureView>,
    /// What Terraform warned of.
    pub warnings: Vec<Diagnostic>,
    /// What happened before and now, oldest first.
    pub history: Vec<LifeEvent>,
    /// This run's page.
    pub run_url: Option<&'a str>,
    /// The root module's outputs after the apply.
    pub outputs: Vec<OutputView>,
    /// What to do next, a sentence, where neither lock nor gate nor failure says it.
    pub next_step: Option<String>,
    /// What other pull requests have to do with it, such as "also changed by #41".
    pub related: Vec<Sentence>,
    /// What else is worth a line.
    pub notes: Vec<String>,
    /// What the plan does not show.
    pub beside: Beside,
    /// The moment of writing.
    pub now: Timestamp,
}

/// What an approver should know that stands in no plan, as it came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Beside {
    /// The text of each resource's provisioners, by the resource's address in the configuration.
    pub texts: BTreeMap<String, String>,
    /// What is another one than on the base branch, a sentence each.
    pub facts: Vec<String>,
    /// How many files that reach the apply differ from the base branch's, where Git tells.
    pub changed_files: usize,
}

impl<'a> CommentView<'a> {
    /// A plan and nothing that stands around it.
    pub fn of_plan(plan: &'a PlanSummary, now: Timestamp) -> Self {
        CommentView {
            comment_id: ".@default",
            root: ".",
            workspace: "default",
            environment: None,
            pull_request: None,
            head_sha: None,
            fingerprint: None,
            plan: Some(plan),
            phase: if plan.has_changes() { Phase::Planned } else { Phase::NoChanges },
            step: Step::Planning,
            progress: None,
            lock: LockView::NotTaken,
            waits_until: None,
            gate: None,
            difference: Vec::new(),
            failure: None,
            warnings: Vec::new(),
            history: Vec::new(),
            run_url: None,
            outputs: Vec::new(),
            next_step: None,
            related: Vec::new(),
            notes: Vec::new(),
            beside: Beside::default(),
            now,
        }
    }
}

/// Where a change stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The lock is held by another; we wait.
    WaitingForLock,
    /// The lock stayed with another until our time was up.
    Locked,
    /// Planned, nothing applied.
    Planned,
    /// Planned, and there is nothing to do.
    NoChanges,
    /// Approved, not applied yet.
    Approved,
    /// Being applied.
    Applying,
    /// Applied.
    Applied,
    /// The gate does not let it through.
    Blocked,
    /// The plan is not the one that was reviewed.
    Refused,
    /// Something failed.
    Failed,
    /// A person or GitHub cancelled the run.
    Cancelled,
    /// Not run, such as for a pull request from a fork.
    Skipped,
    /// Somebody removed the run's lock; how the run ended is not known.
    Unlocked,
}

/// The lock's story, told from this run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LockView {
    /// Not asked for.
    NotTaken,
    /// Ours since then.
    HeldSince {
        /// When it was taken.
        taken: Timestamp,
        /// Its id.
        id: String,
    },
    /// Ours, and given back.
    Released {
        /// When it was taken.
        taken: Timestamp,
        /// When it was given back.
        released: Timestamp,
    },
    /// Held by others, one per store.
    HeldByOther(Vec<HolderView>),
    /// Ours, and kept on purpose.
    Kept {
        /// Its id.
        id: String,
        /// Why.
        why: String,
    },
    /// This comment's run had it, and somebody removed it.
    Removed {
        /// Who.
        by: String,
        /// When.
        at: Timestamp,
    },
    /// Ours, and taken from us.
    Lost {
        /// What was found instead.
        found: String,
    },
}

/// Who holds the lock.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HolderView {
    /// `s3` or `dynamodb`.
    pub store: String,
    /// The lock's id, `None` when its body cannot be read.
    pub id: Option<String>,
    /// `Who` of the lock info.
    pub who: String,
    /// `Operation` of the lock info.
    pub operation: String,
    /// `Info` of the lock info.
    pub info: String,
    /// Why the state is frozen, when this is a freeze.
    pub freeze_reason: Option<String>,
    /// When it was taken.
    pub since: Option<Timestamp>,
    /// For how long, in seconds, by the store's clock.
    pub age_seconds: Option<u64>,
    /// The holding run's page; linked only when it is a run on this run's own server.
    pub run_url: Option<String>,
    /// The pull request it works for, in this repository.
    pub pull_request: Option<u64>,
    /// Whether it still works.
    pub liveness: Liveness,
    /// What to do, a sentence of ours.
    pub next_step: String,
}

/// Whether the run that holds a lock still works.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Liveness {
    /// GitHub says it runs.
    Alive,
    /// GitHub says it ended.
    Finished,
    /// Nobody can tell.
    #[default]
    Unknown,
}

/// What the gate says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GateView {
    /// Approvals needed.
    pub required: usize,
    /// Who approved, and counts.
    pub approved_by: Vec<String>,
    /// Every reason against, a sentence each; empty when the gate is open.
    pub blockers: Vec<Sentence>,
    /// What an approver should know of the approvals, a sentence each.
    pub notes: Vec<Sentence>,
    /// Whose approval counts, a sentence.
    pub who_can: String,
    /// What to do next, a sentence.
    pub next_step: Sentence,
}

/// What failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FailureView {
    /// What happened, a sentence.
    pub what: String,
    /// Why.
    pub why: String,
    /// What to do next.
    pub hint: String,
    /// Whether something that was given has to change: the same run again would end the same.
    pub is_usage: bool,
    /// Terraform's first error.
    pub error: Option<Diagnostic>,
    /// Terraform's own words.
    pub terraform_error_text: Option<String>,
}

/// A step in the life of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifeEvent {
    /// When.
    pub at: Timestamp,
    /// What it became.
    pub phase: Phase,
    /// The run's page.
    pub run_url: Option<String>,
    /// Who stood behind it.
    pub actor: Option<String>,
    /// The commit, where one is known.
    pub head_sha: Option<String>,
    /// Why, or for whom it waits, in a few words.
    pub why: Option<Sentence>,
}

/// An output's value after an apply.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputView {
    /// Its name.
    pub name: String,
    /// Its value; `None` when it is sensitive.
    pub value: Option<serde_json::Value>,
}
