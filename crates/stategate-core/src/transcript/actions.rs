//! Invocations of actions: what becomes of each while it applies.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::plan::{ChangeTrigger, Trigger};

/// How far an invocation came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was begun, and nothing tells that it ended.
    Begun,
    /// It was completed.
    Completed,
    /// The provider says that it failed.
    Failed,
}

/// What an apply told of the actions that it invoked.
#[derive(Debug, Clone, Default)]
pub struct Invocations {
    /// By the action's address and what invoked it: a plan has no two that agree in both.
    told: BTreeMap<(String, Trigger), Outcome>,
    /// What became of those of which Terraform does not say, in a shape that we know, what invoked
    /// them.
    vague: BTreeMap<String, Vec<Outcome>>,
}

impl Invocations {
    /// Takes a message about an action.
    pub(super) fn hear(&mut self, kind: &str, message: &Value) {
        let Some((outcome, address, trigger)) = invocation(kind, message) else { return };
        let address = address.to_owned();
        if trigger != Trigger::Unknown {
            self.told.insert((address, trigger), outcome);
            return;
        }
        let vague = self.vague.entry(address).or_default();
        match vague.iter_mut().find(|known| **known == Outcome::Begun && outcome != Outcome::Begun) {
            Some(begun) => *begun = outcome,
            None => vague.push(outcome),
        }
    }

    /// What became of one; `None`: nothing tells that it was begun. Each look takes away one of those
    /// of which it is not known what invoked them.
    pub fn take(&mut self, address: &str, trigger: &Trigger) -> Option<Outcome> {
        if let Some(outcome) = self.told.remove(&(address.to_owned(), trigger.clone())) {
            return Some(outcome);
        }
        self.vague.get_mut(address)?.pop()
    }

    /// How many are left that were completed.
    pub fn completed(&self) -> usize {
        let all = self.told.values().chain(self.vague.values().flatten());
        all.filter(|outcome| **outcome == Outcome::Completed).count()
    }
}

/// What becomes of an action, by addresses and words that we know alone: the error and the progress
/// are a provider's words.
pub(super) fn told(kind: &str, message: &Value) -> Option<String> {
    let (outcome, address, trigger) = invocation(kind, message)?;
    let moment = match (&trigger, trigger.moment()) {
        (_, Some((when, resource, ""))) => format!(" ({when} {resource})"),
        (_, Some((when, resource, what))) => format!(" ({when} {resource} {what})"),
        (Trigger::Invoke, _) => " (asked for with -invoke)".to_owned(),
        _ => String::new(),
    };
    Some(match outcome {
        Outcome::Begun => format!("{address}: Invoking{moment}..."),
        Outcome::Completed => format!("{address}: Invocation complete{moment}"),
        Outcome::Failed => format!("{address}: Invocation failed{moment}"),
    })
}

fn invocation<'m>(kind: &str, message: &'m Value) -> Option<(Outcome, &'m str, Trigger)> {
    let outcome = match kind {
        "action_start" => Outcome::Begun,
        "action_complete" => Outcome::Completed,
        "action_errored" => Outcome::Failed,
        _ => return None,
    };
    let hook = message.get("hook")?;
    let address = hook.get("action")?.get("addr")?.as_str()?;
    Some((outcome, address, trigger(hook)))
}

fn trigger(hook: &Value) -> Trigger {
    let by_change = || {
        let lifecycle = hook.get("lifecycle")?;
        Some(Trigger::Change(ChangeTrigger {
            resource: lifecycle.get("resource")?.get("addr")?.as_str()?.to_owned(),
            event: lifecycle.get("trigger_event")?.as_str()?.to_owned(),
            block: lifecycle.get("trigger_index")?.as_u64()?,
            index: lifecycle.get("actions_index")?.as_u64()?,
        }))
    };
    let by_request = || hook.get("invoke").filter(|invoke| invoke.is_object()).map(|_| Trigger::Invoke);
    by_change().or_else(by_request).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::{Said, Transcript};

    const BY_CHANGE: &str =
        r#""lifecycle":{"resource":{"addr":"a.b"},"trigger_index":1,"actions_index":0,"trigger_event":"AfterUpdate"}"#;

    fn line(kind: &str, fields: &str) -> String {
        format!(
            r#"{{"@message":"hunter2","type":"{kind}","hook":{{"action":{{"addr":"action.x.y"}},"error":"hunter2",{fields}}}}}"#
        )
    }

    #[test]
    fn an_action_is_told_at_once_by_addresses_and_known_words() {
        let by_request = r#""invoke":{}"#;
        let unknown_event =
            r#""lifecycle":{"resource":{"addr":"a.b"},"trigger_index":0,"actions_index":0,"trigger_event":"hunter2"}"#;
        for (kind, fields, told) in [
            ("action_start", BY_CHANGE, "action.x.y: Invoking (after a.b is updated)..."),
            ("action_complete", BY_CHANGE, "action.x.y: Invocation complete (after a.b is updated)"),
            ("action_errored", BY_CHANGE, "action.x.y: Invocation failed (after a.b is updated)"),
            ("action_start", by_request, "action.x.y: Invoking (asked for with -invoke)..."),
            ("action_start", unknown_event, "action.x.y: Invoking (triggered by a.b)..."),
            ("action_start", r#""x":1"#, "action.x.y: Invoking..."),
        ] {
            assert_eq!(Transcript::default().hear(&line(kind, fields)), Said::Progress(told.to_owned()), "{kind}");
        }
        let words = Said::Words("hunter2".to_owned());
        assert_eq!(Transcript::default().hear(&line("action_progress", BY_CHANGE)), words);
    }

    #[test]
    fn what_became_of_an_action_is_found_by_what_invoked_it() {
        let mut transcript = Transcript::default();
        for line in [
            line("action_start", BY_CHANGE),
            line("action_complete", BY_CHANGE),
            line("action_start", r#""invoke":{}"#),
            line("action_start", r#""x":1"#),
            line("action_errored", r#""x":1"#),
        ] {
            transcript.hear(&line);
        }
        let mut invocations = transcript.invocations().clone();
        let by_change =
            ChangeTrigger { resource: "a.b".to_owned(), event: "AfterUpdate".to_owned(), block: 1, index: 0 };
        let other = Trigger::Change(ChangeTrigger { block: 0, ..by_change.clone() });
        let mut take = |trigger: &Trigger| invocations.take("action.x.y", trigger);
        assert_eq!(take(&Trigger::Change(by_change)), Some(Outcome::Completed));
        assert_eq!(take(&Trigger::Invoke), Some(Outcome::Begun));
        assert_eq!(take(&other), Some(Outcome::Failed), "one of which nothing more is known");
        assert_eq!(take(&other), None);
    }
}
