//! Does this plan need an approval at all?

use crate::core::plan::{Kind, PlanSummary};

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
    if plan.complete == Some(false) {
        return approval("the plan does not cover everything");
    }
    let kinds = || plan.resources.iter().map(|resource| resource.kind);
    if kinds().any(|kind| !matches!(kind, Kind::Read | Kind::NoOp)) {
        return approval("it changes resources");
    }
    if kinds().any(|kind| kind == Kind::NoOp) {
        return approval("it moves or imports resources, which decides what later plans change");
    }
    if !plan.outputs.is_empty() || plan.counts.outputs > 0 {
        return approval("it changes outputs, which other configurations and people rely on");
    }
    if kinds().any(|kind| kind == Kind::Read) {
        return Need::Nothing { because: "the plan only reads data sources, which changes nothing" };
    }
    Need::Nothing { because: "the plan changes nothing" }
}
