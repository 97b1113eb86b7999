//! The step's outputs, as the contract has them.

use super::Report;
use crate::shell::runner::Outputs;
use stategate_core::comment::{LockView, Phase};
use stategate_core::lock_info::one_line;

/// All of them; what a result does not have is empty.
const NAMES: [&str; 16] = [
    "has-changes",
    "add",
    "change",
    "replace",
    "destroy",
    "import",
    "move",
    "forget",
    "actions",
    "result",
    "lock-id",
    "lock-holder",
    "fingerprint",
    "approved",
    "comment-url",
    "summary-json",
];

/// A job's outputs may have 1 MB in all; the others are small.
const SUMMARY_JSON_LIMIT: usize = 900_000;

impl Report {
    pub(super) fn outputs(&self) -> Outputs {
        let mut outputs = Outputs::default();
        for name in NAMES {
            outputs.set(name, "");
        }
        outputs.set("result", result_word(self.phase));
        if let Some(plan) = &self.plan {
            let counts = &plan.counts;
            outputs.set("has-changes", plan.has_changes().to_string());
            for (name, count) in [
                ("add", counts.add),
                ("change", counts.change),
                ("replace", counts.replace),
                ("destroy", counts.destroy),
                ("import", counts.import),
                ("move", counts.moved),
                ("forget", counts.forget),
                ("actions", counts.actions),
            ] {
                outputs.set(name, count.to_string());
            }
            outputs.set("summary-json", plan.to_summary_json(SUMMARY_JSON_LIMIT));
        }
        if let Some(id) = &self.lock_id {
            outputs.set("lock-id", id);
        }
        if let LockView::HeldByOther(holders) = &self.lock
            && let Some(holder) = holders.first()
        {
            outputs.set("lock-holder", one_line(&holder.who));
        }
        if let Some(fingerprint) = &self.fingerprint {
            outputs.set("fingerprint", fingerprint);
        }
        if let Some(approved) = self.approved {
            outputs.set("approved", approved.to_string());
        }
        if let Some(comment) = self.pull_requests.iter().find_map(|number| self.comments.get(number)) {
            outputs.set("comment-url", &comment.url);
        }
        outputs
    }
}

fn result_word(phase: Phase) -> &'static str {
    match phase {
        Phase::Planned => "planned",
        Phase::Applied => "applied",
        Phase::NoChanges => "no-changes",
        Phase::Blocked => "blocked",
        Phase::Refused => "refused",
        Phase::Cancelled => "cancelled",
        Phase::Skipped => "skipped",
        // Waiting, approved and applying are never an end; if one is, something failed.
        Phase::Failed | Phase::Locked | Phase::WaitingForLock | Phase::Approved | Phase::Applying | Phase::Unlocked => {
            "failed"
        }
    }
}
