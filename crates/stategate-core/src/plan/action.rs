//! Actions of providers that an apply invokes: what calls them, and what they are called with.

use std::io::Read;

use serde_json::Value;

use super::change::Change;
use super::delta::Delta;
use super::error::PlanError;
use super::reader::Document;
use super::scan::Span;

/// One entry of `action_invocations` or `deferred_action_invocations`, as the plan tells it.
#[derive(Debug, Clone, Default)]
pub struct ActionInvocation {
    /// The action's absolute address, `module.a.action.aws_lambda_invoke.b["key"]`.
    pub address: String,
    /// The action's type.
    pub r#type: String,
    /// The action's name within its module.
    pub name: String,
    /// The provider's source address.
    pub provider_name: String,
    /// What makes Terraform invoke it.
    pub trigger: Trigger,
    /// The same as the plan tells it, whatever else it says: the change of a resource, and a request.
    pub triggers: [Value; 2],
    /// What it is invoked with: `after` has the configuration, `before` is always `null`, and the
    /// marks are those of Terraform.
    pub config: Change,
    /// Whether a later plan invokes it.
    pub deferred: bool,
}

/// What makes Terraform invoke an action.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trigger {
    /// The change of a resource.
    Change(ChangeTrigger),
    /// `-invoke` on the command line.
    Invoke,
    /// The plan does not say, or says it in a way that we do not know.
    #[default]
    Unknown,
}

/// An `action_trigger` block of a resource.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChangeTrigger {
    /// The address of the resource whose change invokes the action.
    pub resource: String,
    /// Terraform's word for the moment (`BeforeCreate`, `AfterUpdate`); empty when it does not say.
    pub event: String,
    /// Which of the resource's `action_trigger` blocks it is, from 0.
    pub block: u64,
    /// Which of the block's actions it is, from 0.
    pub index: u64,
}

/// An action of a provider that the apply invokes.
#[derive(Debug, Clone)]
pub struct ActionSummary {
    /// The action's address.
    pub address: Box<str>,
    /// What makes Terraform invoke it.
    pub trigger: Trigger,
    /// Whether it is put off.
    pub deferred: bool,
    /// What it is invoked with, as long as there was room to keep it.
    pub(crate) delta: Option<Box<Delta>>,
    /// Whether what it is invoked with was not kept.
    pub(crate) detail_left_out: bool,
}

impl Trigger {
    /// The address of the resource whose change invokes the action.
    pub fn resource(&self) -> Option<&str> {
        match self {
            Self::Change(change) => Some(&change.resource),
            Self::Invoke | Self::Unknown => None,
        }
    }

    /// When it is invoked, as people say it: the words before and after the resource's address. Of a
    /// moment that we do not know it is only said by what.
    pub fn moment(&self) -> Option<(&'static str, &str, &'static str)> {
        let Self::Change(ChangeTrigger { resource, event, .. }) = self else { return None };
        let (when, what) = match event.as_str() {
            "BeforeCreate" => ("before", "is created"),
            "AfterCreate" => ("after", "is created"),
            "BeforeUpdate" => ("before", "is updated"),
            "AfterUpdate" => ("after", "is updated"),
            "BeforeDestroy" => ("before", "is destroyed"),
            "AfterDestroy" => ("after", "is destroyed"),
            _ => ("triggered by", ""),
        };
        Some((when, resource, what))
    }

    /// Terraform's word for the moment, where it has one.
    pub fn event(&self) -> Option<&str> {
        match self {
            Self::Change(change) => Some(change.event.as_str()).filter(|event| !event.is_empty()),
            Self::Invoke | Self::Unknown => None,
        }
    }
}

const INVOCATION: [&[u8]; 9] = [
    b"\"address\"",
    b"\"type\"",
    b"\"name\"",
    b"\"provider_name\"",
    b"\"lifecycle_action_trigger\"",
    b"\"invoke_action_trigger\"",
    b"\"config_values\"",
    b"\"config_sensitive\"",
    b"\"config_unknown\"",
];

type Spans = [Option<Span>; 9];

impl<R: Read> Document<'_, '_, R> {
    /// An entry of `action_invocations`.
    pub(super) fn invocation(&mut self) -> Result<(), PlanError> {
        let spans = self.fields(INVOCATION)?;
        self.add_invocation(spans, false)
    }

    /// An entry of `deferred_action_invocations`.
    pub(super) fn deferred_invocation(&mut self) -> Result<(), PlanError> {
        let (mut spans, mut inner): (Spans, Option<Spans>) = ([None; 9], None);
        self.begin_entry()?;
        let mut first = true;
        while self.scanner.next_key(&mut first)? {
            if self.scanner.key() == b"\"action_invocation\"" {
                if inner.is_some() {
                    return Err(PlanError::twice(self.scanner.position()));
                }
                inner = Some(self.fields(INVOCATION)?);
            } else {
                self.field_of(&INVOCATION, &mut spans)?;
            }
        }
        self.add_invocation(inner.unwrap_or(spans), true)
    }

    fn add_invocation(&mut self, spans: Spans, deferred: bool) -> Result<(), PlanError> {
        let [address, r#type, name, provider, by_change, by_request, values, marks, _] = spans;
        let mut invocation = ActionInvocation {
            address: self.field("address", address)?.unwrap_or_default(),
            r#type: self.field("type", r#type)?.unwrap_or_default(),
            name: self.field("name", name)?.unwrap_or_default(),
            provider_name: self.field("provider_name", provider)?.unwrap_or_default(),
            trigger: self.trigger(by_change, by_request)?,
            triggers: [
                self.field("lifecycle_action_trigger", by_change)?.unwrap_or_default(),
                self.field("invoke_action_trigger", by_request)?.unwrap_or_default(),
            ],
            config: Change::default(),
            deferred,
        };
        if self.visitors.is_empty() && !self.totals.has_room_for_action() {
            self.mark(values, marks)?;
        } else {
            invocation.config = self.invoked_with(&spans)?;
            self.mark_change(&invocation.config);
        }
        for visitor in self.visitors.iter_mut() {
            visitor.action(&invocation);
        }
        self.effects.invocation(&invocation);
        self.totals.action(&invocation);
        if !deferred {
            let labels = [invocation.r#type.as_str(), invocation.name.as_str()];
            self.effects.undecided.action(&invocation.address, labels, &invocation.config.after_unknown);
        }
        Ok(())
    }

    fn trigger(&self, by_change: Option<Span>, by_request: Option<Span>) -> Result<Trigger, PlanError> {
        let change: Option<Value> = self.field("lifecycle_action_trigger", by_change)?;
        if let Some(change @ Value::Object(_)) = change {
            let text = |name: &str| change.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            // Terraform leaves out a number that is 0.
            let number = |name: &str| change.get(name).and_then(Value::as_u64).unwrap_or_default();
            return Ok(Trigger::Change(ChangeTrigger {
                resource: text("triggering_resource_address"),
                event: text("action_trigger_event"),
                block: number("action_trigger_block_index"),
                index: number("actions_list_index"),
            }));
        }
        let is_requested = by_request.is_some_and(|span| self.scanner.bytes(span) != b"null");
        Ok(if is_requested { Trigger::Invoke } else { Trigger::Unknown })
    }

    fn invoked_with(&self, spans: &Spans) -> Result<Change, PlanError> {
        let [_, _, _, _, _, _, values, marks, unknown] = *spans;
        Ok(Change {
            after: self.field("config_values", values)?.unwrap_or_default(),
            after_sensitive: self.field("config_sensitive", marks)?.unwrap_or_default(),
            after_unknown: self.field("config_unknown", unknown)?.unwrap_or_default(),
            ..Change::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::{PlanVisitor, ResourceChange, read_plan};

    #[derive(Default)]
    struct Seen(Vec<ActionInvocation>);

    impl PlanVisitor for Seen {
        fn resource_change(&mut self, _change: &ResourceChange) {}

        fn action(&mut self, invocation: &ActionInvocation) {
            self.0.push(invocation.clone());
        }
    }

    fn read(invocations: &Value, deferred: &Value) -> Vec<ActionInvocation> {
        let plan = json!({
            "resource_changes": [], "action_invocations": invocations, "deferred_action_invocations": deferred,
        });
        let mut seen = Seen::default();
        let plan = read_plan(plan.to_string().as_bytes(), &mut [&mut seen]).unwrap();
        assert_eq!(plan.counts.actions, seen.0.len());
        let kept: Vec<_> = plan.actions.iter().map(|action| (&*action.address, &action.trigger)).collect();
        let shown: Vec<_> = seen.0.iter().map(|action| (&*action.address, &action.trigger)).collect();
        assert_eq!(kept, shown);
        seen.0
    }

    #[test]
    fn an_invocation_says_what_invokes_it_and_with_what() {
        let by_change = json!({
            "address": "module.m.action.x_run.clean[\"a\"]", "type": "x_run", "name": "clean",
            "provider_name": "registry.terraform.io/hashicorp/x",
            "config_values": {"target": "prod", "token": "hunter2"},
            "config_sensitive": {"token": true}, "config_unknown": {"host": true},
            "lifecycle_action_trigger": {
                "triggering_resource_address": "x_i.a", "action_trigger_event": "BeforeCreate",
                "action_trigger_block_index": 2, "actions_list_index": 3,
            },
        });
        let by_request = json!({"address": "action.x_run.b", "invoke_action_trigger": {}});
        let told_nothing = json!({"address": "action.x_run.c", "lifecycle_action_trigger": null});
        let seen = read(&json!([by_change, by_request, told_nothing]), &json!(null));
        let [change, request, nothing] = seen.as_slice() else { panic!("{seen:?}") };
        let trigger =
            ChangeTrigger { resource: "x_i.a".to_owned(), event: "BeforeCreate".to_owned(), block: 2, index: 3 };
        assert_eq!(change.trigger, Trigger::Change(trigger));
        assert_eq!((&*change.r#type, &*change.name), ("x_run", "clean"));
        assert_eq!(change.provider_name, "registry.terraform.io/hashicorp/x");
        assert_eq!(change.config.after, json!({"target": "prod", "token": "hunter2"}));
        assert_eq!(change.config.after_sensitive, json!({"token": true}));
        assert_eq!(change.config.after_unknown, json!({"host": true}));
        assert_eq!((&request.trigger, &nothing.trigger), (&Trigger::Invoke, &Trigger::Unknown));
    }

    #[test]
    fn a_deferred_invocation_is_read_in_both_of_its_forms() {
        let plain = json!({"address": "action.a.b", "config_values": {"x": 1}});
        let seen = read(&json!([]), &json!([{"reason": "x", "action_invocation": plain}, plain]));
        for action in &seen {
            assert_eq!(
                (&*action.address, action.deferred, &action.config.after),
                ("action.a.b", true, &json!({"x": 1}))
            );
        }
        assert_eq!(seen.len(), 2);
    }

    #[test]
    fn what_is_sensitive_of_an_invocation_is_a_secret_whether_it_is_kept_or_not() {
        let entry = |number: usize| {
            json!({"address": format!("action.a.b[{number}]"), "config_values": {"x": format!("hunter2hunter{number:05}")},
                "config_sensitive": {"x": true}})
        };
        let plan = json!({"resource_changes": [], "action_invocations": (0..20_000).map(entry).collect::<Vec<_>>()});
        let plan = read_plan(plan.to_string().as_bytes(), &mut []).unwrap();
        assert!(plan.actions.len() < 20_000, "the list is bounded");
        for secret in ["hunter2hunter00000", "hunter2hunter19999"] {
            assert_ne!(plan.secrets.scrub(secret), secret);
        }
    }

    #[test]
    fn the_summary_json_says_which_actions_are_invoked() {
        let plan = json!({"resource_changes": [], "action_invocations": [
            {"address": "action.a.b", "lifecycle_action_trigger":
                {"triggering_resource_address": "x_i.a", "action_trigger_event": "AfterCreate"}},
            {"address": "action.a.c", "invoke_action_trigger": {}},
        ]});
        let plan = read_plan(plan.to_string().as_bytes(), &mut []).unwrap();
        let summary: Value = serde_json::from_str(&plan.to_summary_json(usize::MAX)).unwrap();
        assert_eq!(summary["counts"]["actions"], 2);
        let expected = json!([
            {"address": "action.a.b", "event": "AfterCreate", "triggered_by": "x_i.a"},
            {"address": "action.a.c", "event": null, "triggered_by": null},
        ]);
        assert_eq!((&summary["actions"], &summary["actions_omitted"]), (&expected, &Value::Null));

        let entries: Vec<Value> =
            (0..1_000).map(|number| json!({"address": format!("action.a.b[{number}]")})).collect();
        let plan = json!({"resource_changes": [], "action_invocations": entries});
        let plan = read_plan(plan.to_string().as_bytes(), &mut []).unwrap();
        let text = plan.to_summary_json(10_000);
        let summary: Value = serde_json::from_str(&text).unwrap();
        let kept = summary["actions"].as_array().unwrap().len();
        assert!(text.len() <= 10_000 && kept > 50, "{kept} in {} bytes", text.len());
        assert_eq!(summary["actions_omitted"], 1_000 - kept);
    }
}
