//! What a person sees, what nobody may forge, what must not leak, and what always fits.

mod beside;
mod budget;
mod forgery;
mod hostile;
mod leaks;
mod look;
mod standing;
mod values;
mod warnings;

use std::sync::LazyLock;

use serde_json::Value;

use self::hostile::{RUN, at, warning};
use super::*;
use crate::plan::{PlanSummary, read_plan};

const EVERYTHING: &str = include_str!("../../../tests/plans/everything.json");
const EVERYTHING_TEXT: &str = include_str!("../../../tests/plans/everything.txt");
const QUIET: &str = include_str!("../../../tests/plans/quiet.json");
const TARGET: &str = include_str!("../../../tests/plans/target.json");

fn read(json: &str) -> PlanSummary {
    read_plan(json.as_bytes(), &mut []).unwrap()
}

fn plan_of(plan: &Value) -> PlanSummary {
    read(&plan.to_string())
}

/// A plan in a pull request, as calm as can be.
fn view(plan: Option<&PlanSummary>) -> CommentView<'_> {
    static NONE: LazyLock<PlanSummary> = LazyLock::new(PlanSummary::default);
    CommentView {
        comment_id: "environments/prod@default",
        root: "environments/prod",
        pull_request: Some(42),
        head_sha: Some("4f0c1d2e9ab84c7753d1aa02c6f4e1d80b7a9e55"),
        fingerprint: Some("9c1f4e77ab02d3e8"),
        plan,
        phase: Phase::Planned,
        run_url: Some(RUN),
        ..CommentView::of_plan(plan.unwrap_or(&NONE), at("09:40:00"))
    }
}

fn event(time: &str, phase: Phase) -> LifeEvent {
    LifeEvent {
        at: at(time),
        phase,
        run_url: Some(RUN.to_owned()),
        actor: Some("octocat".to_owned()),
        head_sha: Some("4f0c1d2".to_owned()),
        why: None,
    }
}

/// Whether all of these stand in the text, in this order.
fn in_order(text: &str, parts: &[&str]) {
    let mut from = 0;
    for part in parts {
        let rest = &text[from..];
        let found = rest.find(part).unwrap_or_else(|| panic!("{part:?} is not in, or not in order:\n{text}"));
        from += found + part.len();
    }
}
