//! What a run was about when it ended, and how far its apply came.

use std::collections::BTreeMap;

use super::words::many;
use crate::plan::{PlanSummary, ResourceSummary};

/// What a run was about: what it can have changed when it ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Step {
    /// Looking at everything that has to be right first; nothing is locked.
    #[default]
    Preparing,
    /// Asking for the lock.
    Locking,
    /// Planning under the lock, and comparing.
    Planning,
    /// Applying: from here on something can have been changed.
    Applying,
}

/// How far an apply came that did not end well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// The changes of resources that were completed, and all that were planned; `None` where
    /// Terraform does not tell.
    pub completed: Option<(usize, usize)>,
    /// Whether the state was written since the plan; `None` where that is not known.
    pub saved: Option<bool>,
}

impl Progress {
    /// Counts the plan's changes that were completed: `completed` has how many steps of each
    /// address were. A replacement takes two. Of a plan that was too large to keep whole, it is not
    /// known.
    pub fn counted(plan: &PlanSummary, completed: &BTreeMap<String, usize>) -> Self {
        if plan.resources.len() < plan.kinds.total() {
            return Self::default();
        }
        let mut left: BTreeMap<&str, usize> =
            completed.iter().map(|(address, steps)| (address.as_str(), *steps)).collect();
        let (mut done, mut all) = (0, 0);
        for resource in &plan.resources {
            let needed = steps(resource);
            if needed == 0 {
                continue;
            }
            all += 1;
            if let Some(left) = left.get_mut(&*resource.address).filter(|left| **left >= needed) {
                *left -= needed;
                done += 1;
            }
        }
        Self { completed: Some((done, all)), saved: None }
    }

    /// `1 of 2 changes completed`.
    pub(super) fn count(self) -> Option<String> {
        let (done, all) = self.completed?;
        Some(format!("{done} of {} completed", many(all, "change")))
    }

    /// What is real now, as far as it is known, in a sentence.
    pub(super) fn told(self) -> String {
        let state = match (self.saved, self.completed) {
            (Some(true), _) => "the state has what was done",
            (Some(false), Some((0, _))) => "the state is as it was",
            (Some(false), _) => "**the state was not written since**, so what was done may be missing in it",
            (None, _) => "the state says what was done",
        };
        match self.count() {
            Some(count) => format!("{count}, as far as Terraform's log tells; {state}."),
            None => format!("A part of the change may be applied; {state}."),
        }
    }
}

/// What Terraform reports as completed, one after the other, when it makes this change.
fn steps(resource: &ResourceSummary) -> usize {
    resource.actions.iter().filter(|action| matches!(action.as_str(), "create" | "update" | "delete")).count()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::read_plan;

    #[test]
    fn a_change_counts_when_each_of_its_steps_is_completed() {
        let change = |address: &str, actions: &[&str]| json!({"address": address, "change": {"actions": actions}});
        let plan = json!({"resource_changes": [
            change("a.new", &["create"]), change("a.both", &["delete", "create"]), change("a.half", &["delete", "create"]),
            change("a.read", &["read"]), change("a.left", &["forget"]), change("a.still", &["no-op"]),
            change("a.gone", &["delete"]), change("a.kept", &["create", "forget"]),
        ]});
        let plan = read_plan(plan.to_string().as_bytes(), &mut []).unwrap();
        let completed = [("a.new", 1), ("a.both", 2), ("a.half", 1), ("a.kept", 1), ("a.read", 1), ("a.unknown", 1)];
        let completed = completed.map(|(address, steps)| (address.to_owned(), steps)).into();
        let progress = Progress::counted(&plan, &completed);
        assert_eq!(progress.completed, Some((3, 5)));
        assert_eq!(progress.count().unwrap(), "3 of 5 changes completed");
    }
}
