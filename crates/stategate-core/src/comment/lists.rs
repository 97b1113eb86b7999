//! What must not be overlooked: the dangers, all of them, and what else is not as it should be.

use super::Place;
use super::actions;
use super::beside;
use super::budget::{Budget, Piece, Sheet};
use super::diff::attribute_lines;
use super::escape::{clip, code, fence, link, visible};
use super::ink::Ink;
use super::status::{self, alert, gate_tells_related, items, told};
use super::view::{CommentView, Phase};
use super::warnings::warnings;
use super::words::{grouped, listed, many, reason, verb};
use crate::plan::{Kind, Kinds, PlanSummary, ResourceSummary, Unsearchable};

/// Characters that the notice about left-out dangers takes at most, without its link.
const NOTICE: usize = 280;

/// Characters of an address.
const ADDRESS: usize = 300;

/// Entries of the other lists.
pub(super) const ENTRIES: usize = 30;

/// Lines of what changed of a resource outside of Terraform, as far as there is room.
const DRIFT_LINES: [usize; 2] = [12, 0];

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
    let mut sheet = Sheet::new(budget.reserving(NOTICE + view.run_url.map_or(0, str::len)));
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
        .map(|kind| match kind {
            Kind::Unknown => format!("{} unknown", grouped(left_out(kind))),
            _ => format!("{} to {}", grouped(left_out(kind)), verb(kind)),
        })
        .collect();
    let where_else = match (place, view.run_url) {
        (Place::Comment, Some(url)) => format!("The {} has room for more.", link("job summary", url)),
        _ => "`terraform show PLANFILE` has them all.".to_owned(),
    };
    let total = plan.kinds.dangerous();
    let notice = format!(
        "> [!CAUTION]\n> **{} of {} not listed here for want of room: {}.** {where_else}\n\n",
        grouped(total - told.total()),
        if total == 1 {
            "1 dangerous change is".to_owned()
        } else {
            format!("{} are", many(total, "dangerous change"))
        },
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
            out = format!("{} {} {word}", many(count, "resource"), tense(phase, count));
        } else {
            out.extend([", ", &grouped(count), " ", word]);
        }
    }
    out
}

/// The tense of where the change stands.
pub(super) fn tense(phase: Phase, count: usize) -> &'static str {
    match (phase, count) {
        (Phase::Applied, 1) => "was",
        (Phase::Applied, _) => "were",
        (Phase::Blocked | Phase::Refused, _) => "would be",
        (Phase::Failed | Phase::Cancelled, 1) => "was to be",
        (Phase::Failed | Phase::Cancelled, _) => "were to be",
        _ => "will be",
    }
}

/// What else is not as it should be, each list on its own.
pub(super) fn lists(view: &CommentView<'_>, ink: &Ink<'_>) -> Vec<Piece> {
    let mut lists = Vec::new();
    let mut add = |what, ways: Vec<String>| lists.push(Piece { what, ways });
    if let Some(plan) = view.plan {
        add("what is not known here", unknown(plan, ink).into_iter().collect());
        add("why no values are shown", plan.secrets.withheld().map(withheld).into_iter().collect());
        add("what is deferred", incomplete(plan, ink).into_iter().collect());
        add("the failed checks", checks(plan, ink).into_iter().collect());
    }
    if let Some((list, details)) = warnings(view, ink) {
        add("Terraform's warnings", vec![list]);
        add("what Terraform warns of", vec![details]);
    }
    lists.extend(beside::section(view, ink));
    let mut add = |what, ways: Vec<String>| lists.push(Piece { what, ways });
    if let Some(plan) = view.plan {
        add("the actions", actions::list(plan, view, ink).into_iter().collect());
        add("what the actions are invoked with", actions::arguments(plan, ink));
        add("what changed outside of Terraform", drift(plan, ink));
        add("what moves in the state", state_moves(plan, ink).into_iter().collect());
    }
    let related = if gate_tells_related(view) { &[][..] } else { &view.related };
    let notes = [told(related, view, ink, status::ENTRIES), items(&view.notes, ink, status::ENTRIES)].concat();
    if !notes.is_empty() {
        add("notes", vec![format!("{}\n\n", notes.join("\n"))]);
    }
    lists.retain(|list| !list.ways.is_empty());
    lists
}

/// Each as it fits; and what did not fit at all, by name: never silently.
pub(super) fn fitted(pieces: &[Piece], budget: Budget, view: &CommentView<'_>, place: Place) -> String {
    let mut sheet = Sheet::new(budget);
    if sheet.push_each(pieces).is_empty() {
        return sheet.finish();
    }
    let mut shorter = Sheet::new(budget.reserving(omission(pieces, view, place)));
    let untold = shorter.push_each(pieces);
    let mut sheet = Sheet::new(budget);
    sheet.push(&shorter.finish());
    sheet.push(&left_out(&untold, view, place));
    sheet.finish()
}

/// Characters that saying what is left out of these takes at most.
pub(super) fn omission(pieces: &[Piece], view: &CommentView<'_>, place: Place) -> usize {
    let all: Vec<&Piece> = pieces.iter().collect();
    if all.is_empty() { 0 } else { left_out(&all, view, place).chars().count() }
}

/// Says what did not fit: never silently.
fn left_out(pieces: &[&Piece], view: &CommentView<'_>, place: Place) -> String {
    let what: Vec<String> = pieces.iter().map(|piece| piece.what.to_owned()).collect();
    let where_else = match (place, view.run_url) {
        (Place::Comment, Some(url)) => format!("the {} has more", link("job summary", url)),
        (Place::Comment, None) => "`terraform show PLANFILE` has more".to_owned(),
        (Place::Summary, _) => "the log has more".to_owned(),
    };
    format!("**Left out for want of room: {}**; {where_else}.\n\n", listed(&what))
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

/// With what changed of each, and without.
fn drift(plan: &PlanSummary, ink: &Ink<'_>) -> Vec<String> {
    let total = plan.counts.drift;
    if total == 0 {
        return Vec::new();
    }
    let mut worst: Vec<&ResourceSummary> = plan.drift.iter().collect();
    worst.sort_by_key(|resource| resource.kind);
    worst.truncate(ENTRIES);
    let noun = many(total, "resource");
    let verb = if total == 1 { "was" } else { "were" };
    let folded = |most: usize| {
        let mut lines = Vec::new();
        for resource in &worst {
            let word = match resource.kind {
                Kind::Destroy => "gone    ",
                Kind::Create => "appeared",
                _ => "changed ",
            };
            lines.push(format!("  {word} {}", visible(&clip(&ink.address(&resource.address), ADDRESS))));
            if resource.kind == Kind::Update {
                lines.extend(attribute_lines(resource.delta.as_deref(), ink, most));
            }
        }
        if total > worst.len() {
            lines.push(format!("  and {} more", grouped(total - worst.len())));
        }
        format!(
            "<details>\n<summary><b>{noun} {verb} changed outside of Terraform</b></summary>\n\n{}\n\n</details>\n\n",
            fence("diff", &lines)
        )
    };
    DRIFT_LINES.map(folded).into()
}

/// What gets another address, where nothing else is planned.
fn state_moves(plan: &PlanSummary, ink: &Ink<'_>) -> Option<String> {
    let total = plan.state_moves_total;
    if total == 0 {
        return None;
    }
    let verb = if total == 1 { "moves" } else { "move" };
    let mut lines = vec![format!("**{} {verb} in the state**", many(total, "resource"))];
    for moved in plan.state_moves.iter().take(ENTRIES) {
        lines.push(format!("- {} to {}", address(&moved.from, ink), address(&moved.to, ink)));
    }
    lines.extend(more(total));
    Some(alert("NOTE", &lines))
}

pub(super) fn more(total: usize) -> Option<String> {
    (total > ENTRIES).then(|| format!("- and {} more", grouped(total - ENTRIES)))
}

pub(super) fn address(address: &str, ink: &Ink<'_>) -> String {
    code(&ink.address(address), ADDRESS)
}
