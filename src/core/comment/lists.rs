//! What must not be overlooked: the dangers, all of them, and what else is not as it should be.

use super::Place;
use super::budget::{Budget, Sheet};
use super::escape::{clip, code, fence, link, visible};
use super::ink::Ink;
use super::status::{alert, gate_tells_related, items, told};
use super::view::{CommentView, Phase};
use super::warnings::warnings;
use super::words::{grouped, listed, many, reason, verb};
use crate::core::plan::{Kind, Kinds, PlanSummary, ResourceSummary, Unsearchable};

/// Characters that the notice about left-out dangers takes at most.
pub(super) const NOTICE: usize = 400;

/// Characters of an address.
const ADDRESS: usize = 300;

/// Entries of the other lists.
const ENTRIES: usize = 30;

/// Messages of a check, and their characters.
const PROBLEMS: usize = 5;
const MESSAGE: usize = 500;

/// What fits of the dangers.
#[derive(Default)]
pub(super) struct Fitted {
    /// Said at the top when not all fit.
    pub(super) notice: String,
    pub(super) block: String,
}

/// Every destroy, replace and forget, and whatever we do not know, worst first: all of them with
/// reasons if that fits, else all by address, else as many as fit and how many not.
pub(super) fn dangers(view: &CommentView<'_>, ink: &Ink<'_>, budget: Budget, place: Place) -> Fitted {
    let Some(plan) = view.plan.filter(|plan| plan.kinds.dangerous() > 0) else { return Fitted::default() };
    let mut kept: Vec<&ResourceSummary> =
        plan.resources.iter().filter(|resource| resource.kind.is_dangerous()).collect();
    kept.sort_by_key(|resource| resource.kind);
    // What is done is no danger any more.
    let kind = if view.phase == Phase::Applied { "NOTE" } else { "CAUTION" };
    let head = format!("> [!{kind}]\n> **{}**\n>\n", headline(&plan.kinds, view.phase));
    if kept.len() == plan.kinds.dangerous() {
        for with_reason in [true, false] {
            let mut sheet = Sheet::new(budget);
            let mut lines = kept.iter().map(|resource| danger(resource, ink, with_reason));
            if sheet.push(&head) && lines.all(|line| sheet.push(&line)) && sheet.push("\n") {
                return Fitted { notice: String::new(), block: sheet.finish() };
            }
        }
    }
    let mut sheet = Sheet::new(budget);
    let mut told = Kinds::default();
    if sheet.push(&head) {
        for resource in kept {
            if !sheet.push(&danger(resource, ink, false)) {
                break;
            }
            told.add(resource.kind);
        }
    }
    let left_out = |kind| plan.kinds.of(kind) - told.of(kind);
    let parts: Vec<String> = [Kind::Destroy, Kind::Replace, Kind::Forget, Kind::Unknown]
        .into_iter()
        .filter(|kind| left_out(*kind) > 0)
        .map(|kind| format!("{} to {}", grouped(left_out(kind)), verb(kind)))
        .collect();
    let where_else = match place {
        Place::Comment => " The job summary has room for more.",
        Place::Summary => " The plan file has them all.",
    };
    let total = plan.kinds.dangerous();
    let notice = format!(
        "> [!CAUTION]\n> **{} of {} dangerous changes are not listed here for want of room: {}.**{where_else}\n\n",
        grouped(total - told.total()),
        grouped(total),
        listed(&parts),
    );
    let mut block = sheet.finish();
    block.push('\n');
    Fitted { notice, block }
}

fn danger(resource: &ResourceSummary, ink: &Ink<'_>, with_reason: bool) -> String {
    let address = address(&resource.address, ink);
    let reason = if with_reason { reason(resource, ink) } else { String::new() };
    let colon = if reason.is_empty() { "" } else { ": " };
    format!("> - **{}** {address}{colon}{reason}\n", verb(resource.kind))
}

/// `2 resources will be destroyed, 1 replaced`; in the tense of where the change stands.
fn headline(kinds: &Kinds, phase: Phase) -> String {
    let words = [
        (Kind::Destroy, "destroyed"),
        (Kind::Replace, "replaced"),
        (Kind::Forget, "forgotten"),
        (Kind::Unknown, "changed in a way that is not known here"),
    ];
    let mut out = String::new();
    for (kind, word) in words {
        let count = kinds.of(kind);
        if count == 0 {
            continue;
        }
        if out.is_empty() {
            let tense = match (phase, count) {
                (Phase::Applied, 1) => "was",
                (Phase::Applied, _) => "were",
                (Phase::Blocked | Phase::Refused, _) => "would be",
                (Phase::Failed | Phase::Cancelled, 1) => "was to be",
                (Phase::Failed | Phase::Cancelled, _) => "were to be",
                _ => "will be",
            };
            out = format!("{} {tense} {word}", many(count, "resource"));
        } else {
            out.extend([", ", &grouped(count), " ", word]);
        }
    }
    out
}

/// What else is not as it should be, each list on its own.
pub(super) fn lists(view: &CommentView<'_>, ink: &Ink<'_>) -> Vec<String> {
    let mut lists = Vec::new();
    if let Some(plan) = view.plan {
        lists.extend(unknown(plan, ink));
        lists.extend(plan.secrets.withheld().map(withheld));
        lists.extend(incomplete(plan, ink));
        lists.extend(checks(plan, ink));
    }
    lists.extend(warnings(view, ink));
    if let Some(plan) = view.plan {
        lists.extend(actions(plan, ink));
        lists.extend(drift(plan, ink));
    }
    let related = if gate_tells_related(view) { &[][..] } else { &view.related };
    let notes = [told(related, view, ink), items(&view.notes, ink)].concat();
    if !notes.is_empty() {
        lists.push(format!("{}\n\n", notes.join("\n")));
    }
    lists
}

/// Says that lists did not fit: never silently.
pub(super) fn left_out(count: usize, view: &CommentView<'_>, place: Place) -> String {
    let what = many(count, "further block");
    let where_else = match (place, view.run_url) {
        (Place::Comment, Some(url)) => format!("; they stand in the {}", link("job summary", url)),
        (Place::Comment, None) => "; `terraform show PLANFILE` has them".to_owned(),
        (Place::Summary, _) => String::new(),
    };
    format!("**{what} (such as failed checks, drift or notes) left out for want of room**{where_else}.\n\n")
}

fn unknown(plan: &PlanSummary, ink: &Ink<'_>) -> Option<String> {
    if plan.unknown_actions.is_empty() {
        return None;
    }
    let mut names: Vec<String> = plan.unknown_actions.iter().take(ENTRIES).map(|name| ink.code(name, 80)).collect();
    let more = plan.unknown_actions.len() + plan.unknown_omitted - names.len();
    if more > 0 {
        names.push(format!("{} more", grouped(more)));
    }
    Some(alert(
        "WARNING",
        &[format!(
            "**The plan holds something that this version of stategate does not know:** {}. \
             Read Terraform's own text before you approve.",
            listed(&names)
        )],
    ))
}

fn withheld(why: Unsearchable) -> String {
    alert("WARNING", &[format!("**No values of this plan are shown:** {why}. `terraform show PLANFILE` has them.")])
}

fn incomplete(plan: &PlanSummary, ink: &Ink<'_>) -> Option<String> {
    let mut lines = Vec::new();
    if plan.errored {
        lines.push("**Planning ended in an error:** what stands here is only a part.".to_owned());
    } else if plan.complete == Some(false) || plan.counts.deferred > 0 {
        lines.push(
            "**The plan is not complete:** it was made with `-target`, or leaves parts for later. \
             After this apply, another plan is needed."
                .to_owned(),
        );
    }
    if lines.is_empty() {
        return None;
    }
    for deferred in plan.deferred.iter().take(ENTRIES) {
        let address = address(&deferred.address, ink);
        let why = match deferred.reason.as_str() {
            "" => String::new(),
            "instance_count_unknown" => ": its `count` or `for_each` is not known yet".to_owned(),
            "resource_config_unknown" => ": its configuration is not known yet".to_owned(),
            "provider_config_unknown" => ": its provider's configuration is not known yet".to_owned(),
            "absent_prereq" | "deferred_prereq" => ": what it needs is deferred".to_owned(),
            other => format!(": {}", ink.code(other, 80)),
        };
        lines.push(format!("- deferred {address}{why}"));
    }
    lines.extend(more(plan.counts.deferred));
    Some(alert("WARNING", &lines))
}

fn checks(plan: &PlanSummary, ink: &Ink<'_>) -> Option<String> {
    if plan.checks_failed == 0 {
        return None;
    }
    let failed = many(plan.checks_failed, "check");
    let mut lines = vec![format!("**{failed} did not pass**")];
    for check in plan.checks.iter().take(ENTRIES) {
        let address = address(&check.address, ink);
        let mut line = format!("- {address}");
        if check.status == "error" {
            line.push_str(" (could not be evaluated)");
        } else if check.status != "fail" {
            line.extend([" (", &ink.code(&check.status, 40), ")"]);
        }
        let problems: Vec<String> =
            check.problems.iter().take(PROBLEMS).map(|problem| ink.code(problem, MESSAGE)).collect();
        if !problems.is_empty() {
            line.extend([": ", &problems.join("; ")]);
        }
        lines.push(line);
    }
    lines.extend(more(plan.checks_failed));
    Some(alert("WARNING", &lines))
}

fn actions(plan: &PlanSummary, ink: &Ink<'_>) -> Option<String> {
    if plan.counts.actions == 0 {
        return None;
    }
    let mut lines = vec![format!("**{} will be invoked**", many(plan.counts.actions, "action"))];
    for action in plan.actions.iter().take(ENTRIES) {
        let mut line = format!("- {}", address(&action.address, ink));
        if let Some(by) = &action.triggered_by {
            line.extend([", triggered by ", &address(by, ink)]);
        }
        if action.deferred {
            line.push_str(" (deferred)");
        }
        lines.push(line);
    }
    lines.extend(more(plan.counts.actions));
    Some(alert("IMPORTANT", &lines))
}

fn drift(plan: &PlanSummary, ink: &Ink<'_>) -> Option<String> {
    let total = plan.counts.drift;
    if total == 0 {
        return None;
    }
    let mut worst: Vec<&ResourceSummary> = plan.drift.iter().collect();
    worst.sort_by_key(|resource| resource.kind);
    worst.truncate(ENTRIES);
    let line = |resource: &&ResourceSummary| {
        let word = match resource.kind {
            Kind::Destroy => "gone    ",
            Kind::Create => "appeared",
            _ => "changed ",
        };
        format!("{word} {}", visible(&clip(&ink.address(&resource.address), ADDRESS)))
    };
    let mut lines: Vec<String> = worst.iter().map(line).collect();
    if total > lines.len() {
        lines.push(format!("and {} more", grouped(total - lines.len())));
    }
    let noun = many(total, "resource");
    let verb = if total == 1 { "was" } else { "were" };
    Some(format!(
        "<details>\n<summary><b>{noun} {verb} changed outside of Terraform</b></summary>\n\n{}\n\n</details>\n\n",
        fence("", &lines)
    ))
}

fn more(total: usize) -> Option<String> {
    (total > ENTRIES).then(|| format!("- and {} more", grouped(total - ENTRIES)))
}

fn address(address: &str, ink: &Ink<'_>) -> String {
    code(&ink.address(address), ADDRESS)
}
