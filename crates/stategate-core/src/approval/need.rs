//! Does this plan need an approval at all?

use crate::plan::{Kind, PlanSummary};

/// Whether an apply needs an approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// There is nothing to apply, so there is nothing to approve; nothing is applied either.
    Nothing {
        /// Why, as a sentence without its full stop.
        because: &'static str,
    },
    /// It does.
    Approval {
        /// Why, as a sentence without its full stop.
        because: &'static str,
    },
}

/// Judges a plan.
///
/// - A plan that only *reads* needs none: nothing is changed by it, and configurations with
///   `check` blocks read in every plan. It is not applied either, since that would do nothing but
///   read.
/// - A plan that only changes *outputs* needs one: they are written to the state, and other root
///   modules and people act on them.
/// - So does one that only *moves*, *imports* or *forgets*: it changes no object, but which object
///   the next plan changes.
/// - So does everything that we do not know, or that the plan does not cover.
pub fn need(plan: &PlanSummary) -> Need {
    let approval = |because| Need::Approval { because };
    if plan.errored {
        return approval("planning ended in an error, so what it would do is not known");
    }
    if !plan.unknown_actions.is_empty() {
        return approval("the plan holds something that is not known to this version");
    }
    if plan.counts.actions > 0 {
        return approval("it invokes actions of providers");
    }
    if plan.complete == Some(false) || plan.counts.deferred > 0 {
        return approval("the plan does not cover everything");
    }
    let (read, kept) = (plan.kinds.of(Kind::Read), plan.kinds.of(Kind::NoOp));
    if plan.kinds.total() > read + kept {
        return approval("it changes resources");
    }
    if kept > 0 {
        return approval("it moves or imports resources, which decides what later plans change");
    }
    if plan.counts.outputs > 0 {
        return approval("it changes outputs, which other configurations and people rely on");
    }
    if plan.may_record_drift() {
        return approval("it may write to the state what changed outside of Terraform");
    }
    if read > 0 {
        return Need::Nothing { because: "the plan only reads data sources, which changes nothing" };
    }
    if plan.applyable == Some(true) {
        return approval("Terraform says that applying it would do something");
    }
    Need::Nothing { because: "the plan changes nothing" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::read_plan;

    #[track_caller]
    fn check(plan: &str, expected: Result<&str, &str>) {
        let document = format!(r#"{{"format_version":"1.2","planned_values":{{}},{plan}}}"#);
        let plan = read_plan(document.as_bytes(), &mut []).unwrap();
        let (is_free, because) = match need(&plan) {
            Need::Nothing { because } => (true, because),
            Need::Approval { because } => (false, because),
        };
        let part = expected.unwrap_or_else(|part| part);
        assert!(is_free == expected.is_ok() && because.contains(part), "{document}: {is_free}, {because}");
    }

    fn change(action: &str, more: &str) -> String {
        format!(
            r#""resource_changes":[{{"address":"a.b","mode":"managed","type":"a","name":"b"{more},
            "change":{{"actions":[{action}],"before":{{}},"after":{{}}}}}}]"#
        )
    }

    #[test]
    fn what_changes_nothing_needs_no_approval_and_everything_else_does() {
        check(r#""resource_changes":[]"#, Ok("changes nothing"));
        check(r#""resource_changes":[],"applyable":false,"complete":true,"errored":false"#, Ok("changes nothing"));
        check(&change(r#""no-op""#, ""), Ok("changes nothing"));
        check(&change(r#""read""#, ""), Ok("only reads"));
        check(&change(r#""read""#, r#","action_reason":"read_because_check_nested""#), Ok("only reads"));

        for action in [r#""create""#, r#""update""#, r#""delete""#, r#""forget""#, r#""delete","create""#] {
            check(&change(action, ""), Err("changes resources"));
        }
        check(&change(r#""no-op""#, r#","previous_address":"a.c""#), Err("moves or imports"));
        check(&change(r#""transmogrify""#, ""), Err("not known"));
        check(&change("", ""), Err(""));
        check(r#""output_changes":{"o":{"actions":["update"],"before":1,"after":2}}"#, Err("outputs"));
        check(r#""errored":true"#, Err("error"));
        check(r#""complete":false"#, Err("does not cover everything"));
        check(r#""applyable":true"#, Err("would do something"));
        let drift =
            r#""resource_drift":[{"address":"a.b","change":{"actions":["update"],"before":{"x":1},"after":{"x":2}}}]"#;
        check(drift, Err("may write to the state"));
        check(&format!("{drift},{}", change(r#""read""#, "")), Err("may write to the state"));
        check(&format!(r#"{drift},"applyable":true"#), Err("would do something"));
        check(&format!(r#"{drift},"applyable":false"#), Ok("changes nothing"));
        check(r#""action_invocations":[{"address":"action.a.b","type":"a","name":"b"}]"#, Err(""));
        check(
            r#""deferred_changes":[{"reason":"resource_config_unknown","resource_change":{"address":"a.b","change":{"actions":["create"]}}}]"#,
            Err(""),
        );
    }
}
