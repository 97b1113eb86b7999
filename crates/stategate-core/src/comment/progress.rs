//! What a run was about when it ended, and how far its apply came.

use std::collections::BTreeMap;

use super::words::{grouped, listed, many};
use crate::plan::{PlanSummary, ResourceSummary, Trigger};
use crate::transcript::{Invocations, Outcome};

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

/// How far an apply came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// The changes of resources that were completed, and all that were planned; `None` where
    /// Terraform does not tell.
    pub completed: Option<(usize, usize)>,
    /// What became of the actions; `None` where the plan has none, or Terraform does not tell.
    pub actions: Option<ActionProgress>,
    /// Whether the state was written since the plan; `None` where that is not known.
    pub saved: Option<bool>,
}

/// What became of the plan's actions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ActionProgress {
    /// How many were planned.
    pub planned: usize,
    /// How many were completed.
    pub completed: usize,
    /// What became of each that is kept of the plan, in the plan's order; `None`: it was not begun.
    pub outcomes: Vec<Option<Outcome>>,
    /// The addresses of those that no later plan shows, because the change that invokes them is done,
    /// and that were not completed. Each stands here once.
    pub lost: Vec<String>,
}

impl Progress {
    /// Counts the plan's changes and actions that were completed: `completed` has how many steps of
    /// each address were. A replacement takes two. Of a plan that was too large to keep whole, it is
    /// not known how many changes were.
    pub fn counted(plan: &PlanSummary, completed: &BTreeMap<String, usize>, invocations: &Invocations) -> Self {
        let actions = (plan.counts.actions > 0).then(|| ActionProgress::counted(plan, completed, invocations));
        if plan.resources.len() < plan.kinds.total() {
            return Self { actions, ..Self::default() };
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
        Self { completed: Some((done, all)), actions, saved: None }
    }

    /// `1 of 2 changes and 0 of 1 action completed`.
    pub(super) fn count(&self) -> Option<String> {
        let (done, all) = self.completed?;
        let mut counts = vec![format!("{done} of {}", many(all, "change"))];
        if let Some(actions) = &self.actions {
            counts.retain(|_| all > 0);
            counts.push(format!("{} of {}", actions.completed, many(actions.planned, "action")));
        }
        Some(format!("{} completed", listed(&counts)))
    }

    /// What is real now, as far as it is known, in a sentence.
    pub(super) fn told(&self) -> String {
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

    /// Whether nothing is left but actions that no later plan shows.
    pub fn is_all_but_actions(&self) -> bool {
        self.completed.is_some_and(|(done, all)| done == all) && self.lost().is_some()
    }

    /// What to do about the actions that no later plan shows.
    pub fn lost(&self) -> Option<String> {
        const NAMED: usize = 5;
        let lost = self.actions.as_ref().map(|actions| &actions.lost).filter(|lost| !lost.is_empty())?;
        let mut names: Vec<String> = lost.iter().take(NAMED).map(|address| format!("`{address}`")).collect();
        if lost.len() > NAMED {
            names.push(format!("{} more", grouped(lost.len() - NAMED)));
        }
        let names = listed(&names);
        // Terraform takes one at a time.
        Some(match lost.as_slice() {
            [only] => {
                let argument = format!("-invoke={}", shell_words::quote(only));
                format!(
                    "{names} did not complete, and no later plan shows it: plan and apply with `plan-args` set to \
                     `{argument}`."
                )
            }
            _ => format!(
                "{names} did not complete, and no later plan shows them: for each of them, plan and apply with \
                 `plan-args` set to `-invoke=ADDRESS`."
            ),
        })
    }
}

impl ActionProgress {
    fn counted(plan: &PlanSummary, completed: &BTreeMap<String, usize>, invocations: &Invocations) -> Self {
        let mut needed: BTreeMap<&str, usize> = BTreeMap::new();
        for resource in &plan.resources {
            *needed.entry(&*resource.address).or_default() += steps(resource);
        }
        let is_done = |trigger: &Trigger| {
            let Some((_, resource, _)) = trigger.moment() else { return false };
            // Of a change that was not kept, a step that is completed says enough.
            completed.get(resource).copied().unwrap_or_default() >= needed.get(resource).copied().unwrap_or(1)
        };
        let mut invocations = invocations.clone();
        let mut progress = Self { planned: plan.counts.actions, ..Self::default() };
        for action in &plan.actions {
            let outcome = invocations.take(&action.address, &action.trigger);
            progress.outcomes.push(outcome);
            if outcome == Some(Outcome::Completed) {
                continue;
            }
            let address = plan.scrub_address(&action.address);
            if !action.deferred && is_done(&action.trigger) && !progress.lost.contains(&address) {
                progress.lost.push(address);
            }
        }
        // Those of which nothing is kept, too.
        let kept = progress.outcomes.iter().filter(|outcome| **outcome == Some(Outcome::Completed)).count();
        progress.completed = kept + invocations.completed();
        progress
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
    use crate::transcript::Transcript;

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
        let progress = Progress::counted(&plan, &completed, &Invocations::default());
        assert_eq!(progress.completed, Some((3, 5)));
        assert_eq!(progress.count().unwrap(), "3 of 5 changes completed");
    }

    /// A message of an apply about an action.
    fn told(kind: &str, address: &str, event: &str) -> String {
        json!({"@message": "x", "type": kind, "hook": {"action": {"addr": address}, "lifecycle": {
            "resource": {"addr": "a.b"}, "trigger_event": event, "trigger_index": 0, "actions_index": 0}}})
        .to_string()
    }

    fn progress(addresses: &[&str], completed: usize, messages: &[String]) -> Progress {
        let invocation = |(address, event)| {
            json!({"address": address, "lifecycle_action_trigger": {
                "triggering_resource_address": "a.b", "action_trigger_event": event,
                "action_trigger_block_index": 0, "actions_list_index": 0}})
        };
        let both =
            |address: &&str| [(*address, "BeforeUpdate"), (*address, "AfterUpdate")].map(|it| (it.0.to_owned(), it.1));
        let invocations: Vec<_> = addresses.iter().flat_map(both).map(invocation).collect();
        let plan = json!({"resource_changes": [{"address": "a.b", "change": {"actions": ["update"]}}],
            "action_invocations": invocations});
        let plan = read_plan(plan.to_string().as_bytes(), &mut []).unwrap();
        let mut transcript = Transcript::default();
        for message in messages {
            transcript.hear(message);
        }
        Progress::counted(&plan, &[("a.b".to_owned(), completed)].into(), transcript.invocations())
    }

    #[test]
    fn an_action_that_no_plan_shows_again_is_told_with_its_remedy() {
        let [before, after] = ["BeforeUpdate", "AfterUpdate"];
        let first = told("action_complete", "action.x.y", before);
        for last in [None, Some("action_start"), Some("action_errored")] {
            let last = last.map(|kind| told(kind, "action.x.y", after));
            let messages: Vec<String> = [Some(first.clone()), last].into_iter().flatten().collect();
            let progress = progress(&["action.x.y"], 1, &messages);
            assert_eq!(progress.count().unwrap(), "1 of 1 change and 1 of 2 actions completed");
            assert_eq!(
                progress.lost().unwrap(),
                "`action.x.y` did not complete, and no later plan shows it: plan and apply with `plan-args` set to \
                 `-invoke=action.x.y`."
            );
            assert!(progress.is_all_but_actions());
        }
        let all = progress(&["action.x.y"], 1, &[first.clone(), told("action_complete", "action.x.y", after)]);
        assert_eq!((all.lost(), all.count().unwrap().as_str()), (None, "1 of 1 change and 2 of 2 actions completed"));
    }

    #[test]
    fn an_action_whose_change_is_not_done_is_planned_again() {
        let ran = [told("action_complete", "action.x.y", "BeforeUpdate")];
        let failed = [told("action_errored", "action.x.y", "BeforeUpdate")];
        for messages in [&ran[..], &failed, &[]] {
            let progress = progress(&["action.x.y"], 0, messages);
            assert_eq!((progress.lost(), progress.is_all_but_actions()), (None, false));
        }
    }

    #[test]
    fn a_command_that_invokes_an_action_can_be_copied() {
        let lost = progress(&[r#"action.x.y["a b"]"#], 1, &[]).lost().unwrap();
        assert!(lost.contains(r#"`-invoke='action.x.y["a b"]'`"#), "{lost}");
        let many: Vec<String> = (0..7).map(|number| format!("action.x.y{number}")).collect();
        let lost = progress(&many.iter().map(String::as_str).collect::<Vec<_>>(), 1, &[]).lost().unwrap();
        assert!(lost.starts_with("`action.x.y0`, `action.x.y1`, "), "{lost}");
        assert!(lost.contains("`action.x.y4` and 2 more did not complete"), "{lost}");
        assert!(
            lost.ends_with("for each of them, plan and apply with `plan-args` set to `-invoke=ADDRESS`."),
            "{lost}"
        );
    }
}
