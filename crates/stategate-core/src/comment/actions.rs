//! The actions that an apply invokes: which, when, what with, and what became of them.

use serde_json::Value;

use super::diff::attribute_lines;
use super::escape::{clip, fence, visible};
use super::ink::Ink;
use super::lists::{ENTRIES, address, more, tense};
use super::progress::{ActionProgress, Step};
use super::status::alert;
use super::view::{CommentView, Phase};
use super::words::many;
use crate::plan::{ActionSummary, Delta, Leaf, PlanSummary, Trigger};
use crate::transcript::Outcome;

/// Lines of what one action is invoked with, as far as there is room.
const LINES: [usize; 2] = [40, 8];

/// Characters of an address.
const ADDRESS: usize = 300;

/// All actions with what invokes them, and once they ended what became of each.
pub(super) fn list(plan: &PlanSummary, view: &CommentView<'_>, ink: &Ink<'_>) -> Option<String> {
    if plan.counts.actions == 0 {
        return None;
    }
    let progress = view.progress.and_then(|progress| progress.actions.as_ref());
    let mut lines = vec![format!("**{}**", headline(plan.counts.actions, view, progress))];
    for (at, action) in plan.actions.iter().take(ENTRIES).enumerate() {
        let mut line = format!("- {}", address(&action.address, ink));
        if let Some((when, resource, what)) = action.trigger.moment() {
            let comma = if what.is_empty() { "," } else { "" };
            line.extend([comma, " ", when, " ", &address(resource, ink)]);
            match action.trigger.event() {
                // A moment that we do not know is told in Terraform's word.
                Some(event) if what.is_empty() => line.extend([" at ", &ink.code(event, 80)]),
                _ if what.is_empty() => {}
                _ => line.extend([" ", what]),
            }
        } else if action.trigger == Trigger::Invoke {
            line.push_str(", asked for with `-invoke`");
        }
        if action.deferred {
            line.push_str(" (deferred)");
        }
        if let Some(progress) = progress {
            line.push_str(match progress.outcomes.get(at).copied().flatten() {
                Some(Outcome::Completed) => ": completed",
                Some(Outcome::Failed) => ": **failed**",
                Some(Outcome::Begun) => ": **begun, and not known to have completed**",
                None => ": **not invoked**",
            });
        }
        lines.push(line);
    }
    lines.extend(more(plan.counts.actions));
    let is_done = match progress {
        Some(progress) => progress.completed == progress.planned,
        None => view.phase == Phase::Applied,
    };
    Some(alert(if is_done { "NOTE" } else { "IMPORTANT" }, &lines))
}

fn headline(count: usize, view: &CommentView<'_>, progress: Option<&ActionProgress>) -> String {
    let is_cut_off = view.step == Step::Applying && matches!(view.phase, Phase::Failed | Phase::Cancelled);
    match progress {
        Some(progress) if progress.completed < progress.planned => {
            format!("{} of {} completed", progress.completed, many(count, "action"))
        }
        None if is_cut_off => format!("{} may have been invoked", many(count, "action")),
        _ if view.phase == Phase::Applied || progress.is_some() => {
            format!("{} {} invoked", many(count, "action"), if count == 1 { "was" } else { "were" })
        }
        _ => format!("{} {} invoked", many(count, "action"), tense(view.phase, count)),
    }
}

/// What each is invoked with, longer and shorter.
pub(super) fn arguments(plan: &PlanSummary, ink: &Ink<'_>) -> Vec<String> {
    if plan.actions.is_empty() {
        return Vec::new();
    }
    let within = |most: usize| {
        let mut lines = Vec::new();
        for (at, action) in plan.actions.iter().take(ENTRIES).enumerate() {
            // One that is invoked before and after is told once.
            let is_same = |other: &ActionSummary| other.address == action.address && other.delta == action.delta;
            if !plan.actions.iter().take(at).any(is_same) {
                lines.extend(block(action, ink, most));
            }
        }
        let more = plan.counts.actions.saturating_sub(ENTRIES.min(plan.actions.len()));
        let more = if more > 0 { vec![format!("    # ({} more)", many(more, "action"))] } else { Vec::new() };
        let title = if plan.counts.actions == 1 { "the action is" } else { "the actions are" };
        let fence = fence("diff", &[lines, more].concat());
        format!("<details open>\n<summary>What {title} invoked with</summary>\n\n{fence}\n\n</details>\n\n")
    };
    LINES.map(within).into()
}

/// Whether no argument has a value.
fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.values().all(Value::is_null),
        other => other.is_null(),
    }
}

/// One action as a block of its configuration.
fn block(action: &ActionSummary, ink: &Ink<'_>, most: usize) -> Vec<String> {
    let title = visible(&clip(&ink.address(&action.address), ADDRESS));
    let why = match action.delta.as_deref() {
        _ if ink.withholds() => "its values are withheld",
        _ if action.detail_left_out => "too large to be shown here",
        None => "without arguments",
        Some(Delta::Added(Leaf::Known(value))) if says_nothing(value) => "without arguments",
        Some(_) => "",
    };
    let given = action.delta.as_deref().filter(|_| why.is_empty());
    let lines = attribute_lines(given, ink, most);
    if lines.is_empty() { vec![format!("    {title} # {why}")] } else { [vec![format!("    {title}")], lines].concat() }
}
