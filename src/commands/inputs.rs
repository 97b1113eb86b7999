//! The settings that a plan is made with, and what the apply says where its own are others.

use super::report::Report;
use super::running::all_words;
use super::session::{Root, Session};
use crate::cli::Words;
use stategate_core::approval::Policy;
use stategate_core::record::{FingerprintKey, PlanInputs, Record, RecordOrigin, other_inputs};

/// Gathers the settings of this run; `key` is the state's.
pub(super) fn inputs(
    session: &Session,
    root: &Root,
    (policy, plan_args): (&Policy, Option<&Words>),
    key: &FingerprintKey,
) -> PlanInputs {
    let target = &session.target;
    let digest = |command, given| key.arguments_digest(command, &all_words(command, given));
    PlanInputs {
        workspace: root.terraform.module().workspace(),
        executable: root.terraform.kind(),
        plan_args: digest("plan", plan_args),
        init_args: digest("init", target.init_args.as_ref()),
        ..PlanInputs::of(policy, target.environment.as_deref())
    }
}

/// Says in which settings this apply differs from the plans that were reviewed. It blocks nothing: the
/// gate asks for what this apply's settings demand.
pub(super) fn tell_inputs(reviewed: &[Record], fresh: &RecordOrigin, report: &mut Report) {
    for other in other_inputs(reviewed, fresh) {
        tracing::warn!("{other}");
        report.notes.push(other.to_string());
    }
}
