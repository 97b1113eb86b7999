//! The fold-outs: what changes in each resource, the dangerous first, as far as there is room.

use super::Place;
use super::budget::Sheet;
use super::diff::{plain_value_lines, resource_lines, value_lines};
use super::escape::{clip, fence, html, html_code, link, visible};
use super::ink::Ink;
use super::view::{CommentView, Phase};
use super::words::{grouped, listed, many, symbol, verb};
use crate::plan::{Hidden, Kind, OutputSummary, PlanSummary, ResourceSummary};

/// Lines of one resource in full, and when there is little room.
const LINES: usize = 160;
const FEW_LINES: usize = 24;

/// Dangerous fold-outs that stand open, and the lines that each may have.
const MOST_OPEN: usize = 3;
const OPEN_LINES: usize = 30;

/// Characters of an address.
const ADDRESS: usize = 300;

/// Characters that saying what is left out takes at most, without its link.
const OMISSION: usize = 260;

/// What nobody has to know by heart; the one mark that is not Terraform's own is GitHub's, for a colour.
const MARKS: &str = "Marks: `+` comes, `-` goes, `~` changes (`!` colours its line); `-/+` is destroyed and made anew.";
const FORGETTING: &str = "`+/.` and `./+`: another one is made, and the old one is left behind, unmanaged.";
const FINGERPRINT: &str = "Fingerprint: a digest of the changes and of what provisioners and providers are given. \
     The apply compares the same parts.";

/// Characters that saying what is left out of them takes at most.
pub(super) fn omission(view: &CommentView<'_>) -> usize {
    let has_details = view.plan.is_some_and(|plan| plan.kinds.total() + plan.counts.outputs > 0);
    if has_details { OMISSION + view.run_url.map_or(0, str::len) } else { 0 }
}

/// Writes as much as fits; what is left out is listed by address, then counted, and it is said
/// where it is in full.
pub(super) fn push(sheet: &mut Sheet, view: &CommentView<'_>, ink: &Ink<'_>, place: Place) {
    push_outputs_after_apply(sheet, view, ink);
    let Some(plan) = view.plan else { return };
    if is_compared(view, plan) {
        sheet.push(&not_shown(plan.hidden));
    }
    let mut order: Vec<&ResourceSummary> = plan.resources.iter().collect();
    order.sort_by(|one, other| {
        let rank = |resource: &ResourceSummary| detail_rank(resource.kind);
        rank(one)
            .cmp(&rank(other))
            .then_with(|| one.module_address.cmp(&other.module_address))
            .then_with(|| one.kind.cmp(&other.kind))
    });
    // What is lost is read without a click, as long as that is short.
    let dangerous = order.iter().filter(|resource| resource.kind.is_dangerous()).count();
    let open = plan.kinds.dangerous() <= MOST_OPEN && view.phase != Phase::Applied;
    let mut room = Sheet::new(sheet.left().reserving(omission(view)));
    let mut left_out: Vec<&ResourceSummary> = Vec::new();
    let (lost, rest) = order.split_at(dangerous);
    push_resources(&mut room, lost, ink, open, &mut left_out);
    let (outputs, number) = outputs(view);
    let are_told = number == 0
        || left_out.is_empty()
            && [LINES, FEW_LINES].into_iter().any(|most| room.push(&output_changes(outputs, number, ink, most)));
    push_resources(&mut room, rest, ink, false, &mut left_out);
    sheet.push(&room.finish());
    let told = plan.resources.len() - left_out.len();
    let is_marked = |resource: &&ResourceSummary| matches!(resource.kind, Kind::Replace | Kind::Update);
    let marks = order.iter().take(told).any(is_marked).then_some(MARKS);
    let is_forgetting = |resource: &&ResourceSummary| {
        resource.kind == Kind::Replace && resource.actions.iter().any(|action| action == "forget")
    };
    let forgetting = order.iter().take(told).any(is_forgetting).then_some(FORGETTING);
    let fingerprint = view.fingerprint.filter(|_| is_compared(view, plan)).map(|_| FINGERPRINT);
    let legend: Vec<&str> = [marks, forgetting, fingerprint].into_iter().flatten().collect();
    if !legend.is_empty() {
        sheet.push(&format!("{}\n\n", legend.join("\\\n")));
    }
    push_left_out(sheet, plan, &left_out, if are_told { 0 } else { number }, view, ink, place);
}

/// Once it is decided, nobody reviews any more.
fn is_compared(view: &CommentView<'_>, plan: &PlanSummary) -> bool {
    plan.has_changes() && matches!(view.phase, Phase::Planned | Phase::Blocked | Phase::Refused)
}

/// How much of the changes an approver cannot see; empty where that is nothing.
fn not_shown(hidden: Hidden) -> String {
    if hidden.is_none() {
        return String::new();
    }
    let is = |count: usize| if count == 1 { "is" } else { "are" };
    let mut parts = Vec::new();
    if hidden.sensitive > 0 {
        parts.push(format!("{} {} hidden as sensitive", many(hidden.sensitive, "value"), is(hidden.sensitive)));
    }
    if hidden.unknown > 0 {
        let what = if parts.is_empty() { many(hidden.unknown, "value") } else { grouped(hidden.unknown) };
        parts.push(format!("{what} {} known only after the apply", is(hidden.unknown)));
    }
    let more = if hidden.may_be_more { "At least " } else { "" };
    format!("{more}{}.\n\n", parts.join(", "))
}

fn push_resources<'p>(
    room: &mut Sheet,
    resources: &[&'p ResourceSummary],
    ink: &Ink<'_>,
    open: bool,
    left_out: &mut Vec<&'p ResourceSummary>,
) {
    for resource in resources {
        // Once something did not fit, nothing less dangerous takes its place.
        let fits = left_out.is_empty()
            && [LINES, FEW_LINES].into_iter().any(|lines| room.push(&fold_out(resource, ink, lines, open)));
        if !fits {
            left_out.push(resource);
        }
    }
}

/// Dangerous, changed, added, the rest.
fn detail_rank(kind: Kind) -> u8 {
    match kind {
        _ if kind.is_dangerous() => 0,
        Kind::Update => 1,
        Kind::Create => 2,
        _ => 3,
    }
}

fn fold_out(resource: &ResourceSummary, ink: &Ink<'_>, lines: usize, open: bool) -> String {
    let mark = if resource.kind.is_dangerous() {
        format!("<b>{}</b> ", verb(resource.kind))
    } else if resource.kind == Kind::NoOp {
        let word = if resource.importing.is_some() { "import" } else { "move" };
        format!("{word} ")
    } else {
        format!("{} ", verb(resource.kind))
    };
    let address = html_code(&ink.address(&resource.address), ADDRESS);
    let lines = resource_lines(resource, ink, lines);
    let open = if open && lines.len() <= OPEN_LINES { " open" } else { "" };
    format!("<details{open}>\n<summary>{mark}{address}</summary>\n\n{}\n\n</details>\n\n", fence("diff", &lines))
}

/// The outputs that change, and how many they are in all; after the apply their real values stand
/// there.
fn outputs<'p>(view: &CommentView<'p>) -> (&'p [OutputSummary], usize) {
    match view.plan {
        Some(plan) if view.phase != Phase::Applied || view.outputs.is_empty() => (&plan.outputs, plan.counts.outputs),
        _ => (&[], 0),
    }
}

fn output_changes(outputs: &[OutputSummary], number: usize, ink: &Ink<'_>, most: usize) -> String {
    let lines = outputs.iter().flat_map(|output| value_lines(&output.name, output.delta.as_deref(), ink));
    let mut lines = first(lines.collect(), most, "      # ");
    if number > outputs.len() {
        lines.push(format!("      # ({} more)", many(number - outputs.len(), "output")));
    }
    let verb = if number == 1 { "changes" } else { "change" };
    let title = format!("{} {verb}", many(number, "output"));
    format!("<details>\n<summary>{title}</summary>\n\n{}\n\n</details>\n\n", fence("diff", &lines))
}

/// The first of the lines, and how many more there are.
fn first(mut lines: Vec<String>, most: usize, indent: &str) -> Vec<String> {
    let more = lines.len().saturating_sub(most);
    lines.truncate(most);
    if more > 0 {
        lines.push(format!("{indent}({} more)", many(more, "line")));
    }
    lines
}

fn push_outputs_after_apply(sheet: &mut Sheet, view: &CommentView<'_>, ink: &Ink<'_>) {
    if view.outputs.is_empty() {
        return;
    }
    let mut lines: Vec<String> = Vec::new();
    for output in &view.outputs {
        match &output.value {
            Some(value) => lines.extend(plain_value_lines(&output.name, value, ink)),
            None => lines.push(format!("    {} = (sensitive value)", visible(&output.name))),
        }
    }
    // Without colours the first columns are only an indent.
    let lines: Vec<String> = lines.iter().map(|line| line.strip_prefix("    ").unwrap_or(line).to_owned()).collect();
    let title = format!("{} after the apply", many(view.outputs.len(), "output value"));
    let folded = |most| {
        let fence = fence("", &first(lines.clone(), most, ""));
        format!("<details open>\n<summary>{title}</summary>\n\n{fence}\n\n</details>\n\n")
    };
    if ![LINES, FEW_LINES].into_iter().any(|most| sheet.push(&folded(most))) {
        sheet.push(&format!("{title} left out for want of room; `terraform output` has them.\n\n"));
    }
}

/// What has no fold-out: a list of addresses as far as it goes, then a number.
fn push_left_out(
    sheet: &mut Sheet,
    plan: &PlanSummary,
    left_out: &[&ResourceSummary],
    outputs: usize,
    view: &CommentView<'_>,
    ink: &Ink<'_>,
    place: Place,
) {
    let mut what = Vec::new();
    let not_kept = plan.kinds.total() - plan.resources.len();
    if left_out.len() + not_kept > 0 {
        what.push(many(left_out.len() + not_kept, "resource"));
    }
    if outputs > 0 {
        what.push(many(outputs, "output"));
    }
    if what.is_empty() {
        return;
    }
    // The dangerous ones stand in the caution block already, or are counted there.
    let of_no_danger = plan.kinds.total() - plan.kinds.dangerous();
    let told = plan.resources.iter().filter(|resource| !resource.kind.is_dangerous()).count();
    let harmless = || left_out.iter().filter(|resource| !resource.kind.is_dangerous());
    let mut unlisted = of_no_danger - told + harmless().count();
    let wrapper = "<details>\n<summary></summary>\n\n\n\n</details>\n\n".len() + 200;
    let mut room = sheet.left().reserving(omission(view)).reserving(wrapper);
    let mut lines = Vec::new();
    for resource in harmless() {
        let address = visible(&clip(&ink.address(&resource.address), ADDRESS));
        let line = format!("{:<3} {address}", symbol(resource));
        let with_break = format!("{line}\n");
        if !room.holds(&with_break) {
            break;
        }
        room = room.less(&with_break);
        lines.push(line);
    }
    if !lines.is_empty() {
        let text = format!(
            "<details>\n<summary>{} without details</summary>\n\n{}\n\n</details>\n\n",
            html(&format!("{} more", many(lines.len(), "resource"))),
            fence("", &lines)
        );
        if sheet.push(&text) {
            unlisted -= lines.len();
        }
    }
    let mut parts = vec![format!("The details of {} are left out for want of room", listed(&what))];
    if unlisted > 0 {
        parts.push(format!("{} of them, none dangerous, are not listed either", grouped(unlisted)));
    }
    let where_else = match (place, view.run_url) {
        (Place::Comment, Some(url)) => {
            format!("the {} has more and Terraform's own text", link("job summary", url))
        }
        (Place::Comment, None) => "`terraform show PLANFILE` has them all".to_owned(),
        (Place::Summary, _) => "Terraform's own text has them".to_owned(),
    };
    sheet.push(&format!("{}; {where_else}.\n\n", parts.join("; ")));
}

/// Terraform's own text in a fold-out, at most `most` bytes; nothing when there is no room at all.
pub(super) fn plan_text(text: &str, ink: &Ink<'_>, most: usize) -> String {
    /// For the fold-out and the line that says what is missing.
    const FRAME: usize = 300;
    let lines = ink.lines(text.trim_end());
    let total = lines.len();
    let mut kept: Vec<String> = Vec::new();
    let mut used = FRAME;
    let mut longest = 0;
    for line in lines {
        used += line.len() + 8;
        longest = longest.max(line.len());
        // The fence is longer than any run of backticks inside it, above and below.
        if used + 2 * longest > most {
            break;
        }
        kept.push(line);
    }
    if kept.is_empty() {
        return String::new();
    }
    let omitted = total - kept.len();
    if omitted > 0 {
        kept.push(format!("({} more: `terraform show PLANFILE`)", many(omitted, "line")));
    }
    format!("<details>\n<summary>Terraform's own text of the plan</summary>\n\n{}\n\n</details>\n", fence("", &kept))
}
