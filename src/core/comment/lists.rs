//! What must not be overlooked: the dangers, all of them, and what else is not as it should be.

use super::Place;
use super::budget::{Budget, Sheet};
use super::escape::{clip, code, fence, link, visible};
use super::ink::Ink;
use super::status::{alert, gate_tells_related, items, told};
use super::view::{CommentView, Phase};
use super::warnings::warnings;
use super::words::{grouped, listed, many, reason, verb};
use crate::core::plan::{Kind, PlanSummary, ResourceSummary, Unsearchable};

/// Characters that the notice about left-out dangers takes at most.
pub(super) const NOTICE: usize = 400;

/// Characters of an address.
const ADDRESS: usize = 300;

/// Entries of the other lists.
const ENTRIES: usize = 30;

/// Messages of a check, and their characters.
const PROBLEMS: usize = 5;
const MESSAGE: usize = 500;

/// A danger in its two lengths.
pub(super) struct Danger {
    kind: Kind,
    full: String,
    short: String,
}

/// What fits of the dangers.
#[derive(Default)]
pub(super) struct Fitted {
    /// Said at the top when not all fit.
    pub(super) notice: String,
    pub(super) block: String,
}

/// Every destroy, replace and forget, and whatever we do not know, worst first.
pub(super) fn dangers(view: &CommentView<'_>, ink: &Ink<'_>) -> Vec<Danger> {
    let Some(plan) = view.plan else { return Vec::new() };
    let mut dangerous: Vec<&ResourceSummary> =
        plan.resources.iter().filter(|resource| resource.kind.is_dangerous()).collect();
    dangerous.sort_by_key(|resource| resource.kind);
    dangerous
        .into_iter()
        .map(|resource| {
            let address = address(&resource.address, ink);
            let short = format!("> - **{}** {address}\n", verb(resource.kind));
            let reason = reason(resource, ink);
            let full = if reason.is_empty() {
                short.clone()
            } else {
                format!("> - **{}** {address}: {reason}\n", verb(resource.kind))
            };
            Danger { kind: resource.kind, full, short }
        })
        .collect()
}

/// All of them with reasons if that fits, else all by address, else as many as fit and how many
/// not.
pub(super) fn fit_dangers(dangers: &[Danger], budget: Budget, view: &CommentView<'_>, place: Place) -> Fitted {
    if dangers.is_empty() {
        return Fitted::default();
    }
    // What is done is no danger any more.
    let kind = if view.phase == Phase::Applied { "NOTE" } else { "CAUTION" };
    let head = format!("> [!{kind}]\n> **{}**\n>\n", headline(dangers, view.phase));
    for with_reason in [true, false] {
        let text = |danger: &'_ Danger| if with_reason { danger.full.clone() } else { danger.short.clone() };
        let lines: String = dangers.iter().map(text).collect();
        let block = format!("{head}{lines}\n");
        if budget.holds(&block) {
            return Fitted { notice: String::new(), block };
        }
    }
    let mut sheet = Sheet::new(budget);
    let mut left_out = Vec::new();
    let opened = sheet.push(&head);
    for danger in dangers {
        if !opened || !left_out.is_empty() || !sheet.push(&danger.short) {
            left_out.push(danger.kind);
        }
    }
    let count = |wanted: Kind| left_out.iter().filter(|kind| **kind == wanted).count();
    let parts: Vec<String> = [Kind::Destroy, Kind::Replace, Kind::Forget, Kind::Unknown]
        .into_iter()
        .filter(|kind| count(*kind) > 0)
        .map(|kind| format!("{} to {}", grouped(count(kind)), verb(kind)))
        .collect();
    let where_else = match place {
        Place::Comment => " The job summary has room for more.",
        Place::Summary => " The plan file has them all.",
    };
    let notice = format!(
        "> [!CAUTION]\n> **{} of {} dangerous changes are not listed here for want of room: {}.**{where_else}\n\n",
        grouped(left_out.len()),
        grouped(dangers.len()),
        listed(&parts),
    );
    let mut block = sheet.finish();
    block.push('\n');
    Fitted { notice, block }
}

/// `2 resources will be destroyed, 1 replaced`; in the tense of where the change stands.
fn headline(dangers: &[Danger], phase: Phase) -> String {
    let words = [
        (Kind::Destroy, "destroyed"),
        (Kind::Replace, "replaced"),
        (Kind::Forget, "forgotten"),
        (Kind::Unknown, "changed in a way that is not known here"),
    ];
    let mut out = String::new();
    for (kind, word) in words {
        let count = dangers.iter().filter(|danger| danger.kind == kind).count();
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
    let names: Vec<String> = plan.unknown_actions.iter().take(ENTRIES).map(|name| ink.code(name, 80)).collect();
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
    } else if plan.complete == Some(false) || !plan.deferred.is_empty() {
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
    lines.extend(more(plan.deferred.len()));
    Some(alert("WARNING", &lines))
}

fn checks(plan: &PlanSummary, ink: &Ink<'_>) -> Option<String> {
    if plan.checks.is_empty() {
        return None;
    }
    let failed = many(plan.checks.len(), "check");
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
    lines.extend(more(plan.checks.len()));
    Some(alert("WARNING", &lines))
}

fn actions(plan: &PlanSummary, ink: &Ink<'_>) -> Option<String> {
    if plan.actions.is_empty() {
        return None;
    }
    let mut lines = vec![format!("**{} will be invoked**", many(plan.actions.len(), "action"))];
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
    lines.extend(more(plan.actions.len()));
    Some(alert("IMPORTANT", &lines))
}

fn drift(plan: &PlanSummary, ink: &Ink<'_>) -> Option<String> {
    if plan.drift.is_empty() {
        return None;
    }
    let mut lines = Vec::new();
    for resource in plan.drift.iter().take(ENTRIES) {
        let word = match resource.kind {
            Kind::Destroy => "gone    ",
            Kind::Create => "appeared",
            _ => "changed ",
        };
        lines.push(format!("{word} {}", visible(&clip(&ink.address(&resource.address), ADDRESS))));
    }
    if plan.drift.len() > ENTRIES {
        lines.push(format!("and {} more", grouped(plan.drift.len() - ENTRIES)));
    }
    let noun = many(plan.drift.len(), "resource");
    let verb = if plan.drift.len() == 1 { "was" } else { "were" };
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
