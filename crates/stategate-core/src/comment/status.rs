//! Where the change stands: the verdict, what failed, and the gate.

use super::budget::Piece;
use super::escape::{self, fence, link};
use super::ink::Ink;
use super::lock;
use super::next;
use super::progress::{Progress, Step};
use super::site::Site;
use super::view::{CommentView, FailureView, LockView, Phase};
use super::words::{counts, grouped, listed, many, short_hash};
use crate::diagnostic::is_heading;
use crate::plan::PlanSummary;
use crate::sentence::Sentence;

/// Characters of an address, a name, a sentence: more says nothing more.
pub(super) const NAME: usize = 120;
pub(super) const SENTENCE: usize = 600;

/// Entries of a list of ours before the rest is counted, as far as there is room.
pub(super) const ENTRIES: usize = 20;
const FEWER: [usize; 3] = [ENTRIES, 5, 1];

/// Lines of Terraform's error that are shown, as far as there is room; and how wide they are.
const ERROR_LINES: [usize; 3] = [120, 30, 6];
const ERROR_WIDTH: usize = 600;

/// The verdict: what it is about, what would happen; and, small, what it rests on.
pub(super) fn verdict(view: &CommentView<'_>, ink: &Ink<'_>) -> String {
    let about = about(view, ink);
    let outcome = outcome(view);
    let meta = meta(view, ink);
    if is_quiet(view) {
        return format!("{about}: {outcome}{}{meta}\n\n", if meta.is_empty() { "" } else { " · " });
    }
    let meta = if meta.is_empty() { String::new() } else { format!("{meta}\n\n") };
    format!("### {about}: {outcome}\n\n{meta}")
}

/// Whether one line says it all.
fn is_quiet(view: &CommentView<'_>) -> bool {
    matches!(view.phase, Phase::NoChanges | Phase::Planned)
        && view.plan.is_some_and(|plan| !plan.has_changes())
        && view.failure.is_none()
}

/// The root module first, then workspace and environment where they are not the usual ones.
fn about(view: &CommentView<'_>, ink: &Ink<'_>) -> String {
    // A dot names nothing: the root module is where the repository begins.
    let root = if view.root == "." { "Root module".to_owned() } else { ink.code(view.root, NAME) };
    let mut about = format!("{} {root}", icon(view));
    let mut where_else = Vec::new();
    if view.workspace != "default" && !view.workspace.is_empty() {
        where_else.push(format!("workspace {}", ink.code(view.workspace, NAME)));
    }
    if let Some(environment) = view.environment {
        where_else.push(format!("environment {}", ink.code(environment, NAME)));
    }
    if !where_else.is_empty() {
        about.extend([" (", &where_else.join(", "), ")"]);
    }
    about
}

fn icon(view: &CommentView<'_>) -> &'static str {
    match view.phase {
        Phase::WaitingForLock | Phase::Applying => "⏳",
        Phase::Locked => "🔒",
        Phase::Approved => "👍",
        Phase::Applied if view.failure.is_some() => "⚠️",
        Phase::Applied => "✅",
        Phase::Blocked | Phase::Refused => "⛔",
        Phase::Failed => "❌",
        Phase::Cancelled => "⏹️",
        Phase::Skipped => "⏭️",
        Phase::Unlocked => "🔓",
        Phase::Planned | Phase::NoChanges => match view.plan {
            Some(plan) if !plan.has_changes() => "🟢",
            Some(plan) if is_risky(plan) => "⚠️",
            _ => "📋",
        },
    }
}

fn is_risky(plan: &PlanSummary) -> bool {
    plan.kinds.dangerous() > 0 || !plan.unknown_actions.is_empty() || plan.errored || plan.complete == Some(false)
}

fn outcome(view: &CommentView<'_>) -> String {
    let changes = |done| view.plan.map(|plan| changes(plan, done)).unwrap_or_default();
    let with = |word: &str, changes: String| {
        if changes.is_empty() { word.to_owned() } else { format!("{word} · {changes}") }
    };
    match view.phase {
        // What changes no object now can change what a later apply does.
        Phase::Planned | Phase::NoChanges if is_quiet(view) && view.beside.changed_files > 0 => {
            let count = view.beside.changed_files;
            let reach = if count == 1 { "reaches" } else { "reach" };
            format!("no changes now; {} that {reach} the apply changed", many(count, "file"))
        }
        Phase::Planned | Phase::NoChanges if view.plan.is_some() => changes(false),
        Phase::Planned => "planned".to_owned(),
        Phase::NoChanges => "no changes".to_owned(),
        Phase::WaitingForLock => "waiting for the lock".to_owned(),
        Phase::Locked if is_frozen(view) => "the state is frozen, nothing was done".to_owned(),
        Phase::Locked => "the state is locked, nothing was done".to_owned(),
        Phase::Approved => with("approved", changes(false)),
        Phase::Applying => with("applying", changes(false)),
        Phase::Applied => with("applied", changes(true)),
        Phase::Blocked => with(&format!("not applied, {}", blocked(view)), changes(false)),
        Phase::Refused => with("not applied, the plan is not the one reviewed", changes(false)),
        Phase::Failed if matches!(view.lock, LockView::Lost { .. }) => match view.step {
            Step::Applying => with(&format!("the lock was lost during the apply{}", how_far(view)), changes(false)),
            _ => with("the lock was lost, nothing was changed", changes(false)),
        },
        Phase::Failed => match view.step {
            Step::Preparing => "failed before the plan, nothing was changed".to_owned(),
            Step::Locking => "the lock could not be taken, nothing was changed".to_owned(),
            Step::Planning if view.plan.is_none() => "the plan failed, nothing was changed".to_owned(),
            Step::Planning => with("failed after the plan, nothing was changed", changes(false)),
            Step::Applying => with(&format!("the apply failed{}", how_far(view)), changes(false)),
        },
        Phase::Cancelled if view.step == Step::Applying => {
            with(&format!("cancelled during the apply{}", how_far(view)), changes(false))
        }
        Phase::Cancelled => "cancelled, nothing was changed".to_owned(),
        Phase::Skipped => "not planned".to_owned(),
        Phase::Unlocked => "the lock was removed, how the run ended is unknown".to_owned(),
    }
}

/// What kept an apply out: not always that approvals are missing, nor always this one's.
fn blocked(view: &CommentView<'_>) -> String {
    if let Some(others) = others_not_approved(view) {
        return others;
    }
    match &view.gate {
        Some(gate) if gate.approved_by.len() >= gate.required => "the gate blocks it".to_owned(),
        _ => "approval is missing".to_owned(),
    }
}

/// That it is only other pull requests that keep this one out, those which were merged earlier and
/// would be applied along.
fn others_not_approved(view: &CommentView<'_>) -> Option<String> {
    let own = view.pull_request?;
    let asked = next::asked(view);
    if asked.is_empty() || asked.contains(&own) {
        return None;
    }
    let site = Site::of(view);
    let mut names: Vec<String> = asked.iter().take(ENTRIES).map(|number| site.pull_request(*number)).collect();
    if asked.len() > ENTRIES {
        names.push(format!("{} more", asked.len() - ENTRIES));
    }
    Some(format!("{} {} not approved", listed(&names), if asked.len() == 1 { "is" } else { "are" }))
}

/// How far an apply came, after a word that says that it broke off.
fn how_far(view: &CommentView<'_>) -> String {
    let count = view.progress.and_then(Progress::count);
    let mut told = count.map_or_else(|| ", a part may be done".to_owned(), |count| format!(", {count}"));
    if matches!(view.lock, LockView::Kept { .. }) {
        told.push_str(", its state is not in the bucket yet");
    }
    told
}

fn is_frozen(view: &CommentView<'_>) -> bool {
    matches!(&view.lock, LockView::HeldByOther(holders) if holders.iter().any(|one| one.freeze_reason.is_some()))
}

fn changes(plan: &PlanSummary, done: bool) -> String {
    if !plan.has_changes() {
        return "no changes".to_owned();
    }
    // What is lost, or may be, comes first and stands out.
    let (mut loud, calm) = counts(&plan.counts, done);
    if !plan.unknown_actions.is_empty() {
        loud.push("something unknown".to_owned());
    }
    if plan.errored {
        loud.push("planning failed".to_owned());
    }
    if plan.complete == Some(false) && !plan.errored || plan.counts.deferred > 0 {
        loud.push("incomplete".to_owned());
    }
    let loud = if loud.is_empty() { String::new() } else { format!("**{}**", loud.join(", ")) };
    let parts: Vec<String> = [loud, calm.join(", ")].into_iter().filter(|part| !part.is_empty()).collect();
    if parts.is_empty() { "only the state's record changes".to_owned() } else { parts.join(" · ") }
}

fn meta(view: &CommentView<'_>, ink: &Ink<'_>) -> String {
    let mut parts = Vec::new();
    if let Some(plan) = view.plan.filter(|plan| plan.unchanged > 0) {
        parts.push(format!("{} unchanged", grouped(plan.unchanged)));
    }
    if let Some(plan) = view.plan.filter(|plan| plan.opened > 0) {
        parts.push(format!("{} opened", many(plan.opened, "ephemeral resource")));
    }
    if let Some(sha) = view.head_sha {
        parts.push(format!("commit {}", escape::code(&short_hash(sha, 7), NAME)));
    }
    if let Some(fingerprint) = view.fingerprint {
        parts.push(format!("fingerprint {}", escape::code(&short_hash(fingerprint, 12), NAME)));
    }
    if let Some(version) = view.plan.and_then(|plan| plan.terraform_version.as_deref()) {
        parts.push(format!("Terraform {}", ink.sentence(version, 40)));
    }
    parts.extend(lock::released(&view.lock).filter(|_| !is_quiet(view)));
    if let Some(url) = view.run_url {
        // The run's page shows the job summary, with Terraform's own text in full.
        let changes = view.plan.is_some_and(PlanSummary::has_changes);
        parts.push(link(if changes { "full plan" } else { "run" }, url));
    }
    parts.join(" · ")
}

/// What a person has to know before the plan itself: what kept the change from going on, or may, and
/// what to do; in the order of reading.
pub(super) fn states(view: &CommentView<'_>, ink: &Ink<'_>) -> Vec<Piece> {
    let states = [
        ("what failed", vec![failure(view, ink)]),
        ("what Terraform said", terraform_error(view, ink)),
        ("what differs from the reviewed plan", FEWER.map(|most| difference(view, ink, most)).into()),
        ("who holds the lock", vec![lock::told(view, ink)]),
        ("the approvals", FEWER.map(|most| gate(view, ink, most)).into()),
        ("what to do next", vec![next_step(view, ink)]),
    ];
    let says_something = |state: &Piece| state.ways.first().is_some_and(|way| !way.is_empty());
    states.into_iter().map(|(what, ways)| Piece { what, ways }).filter(says_something).collect()
}

/// What failed, and what to do.
fn failure(view: &CommentView<'_>, ink: &Ink<'_>) -> String {
    let Some(failure) = &view.failure else { return String::new() };
    let mut lines = vec![format!("**{}**", ink.sentence(&failure.what, SENTENCE))];
    let why = why_failed(failure, ink);
    if !why.is_empty() {
        lines.push(why);
    }
    lines.extend(what_is_real(view));
    lines.extend(next::lines(next::of_failure(view), view, ink));
    alert("CAUTION", &lines)
}

/// The first error with its place; the rest of it stands below, in Terraform's own shape.
fn why_failed(failure: &FailureView, ink: &Ink<'_>) -> String {
    let Some(error) = &failure.error else {
        let headline = failure.terraform_error_text.as_deref().and_then(first_error).unwrap_or(&failure.why);
        // Most errors of ours say why in what they say.
        return if headline.trim().is_empty() { String::new() } else { ink.sentence(headline, SENTENCE) };
    };
    let mut told = ink.sentence(error.summary.trim(), SENTENCE);
    if let Some(address) = &error.address {
        told.extend([", with ", &ink.code(address, NAME)]);
    }
    if let Some(place) = &error.place {
        told.extend([", at ", &ink.code(&format!("{}:{}", place.file, place.line), NAME)]);
    }
    told
}

/// What an apply that broke off has done. Where the state is not in the bucket, the lock tells.
fn what_is_real(view: &CommentView<'_>) -> Option<String> {
    let broke_off = view.step == Step::Applying && matches!(view.phase, Phase::Failed | Phase::Cancelled);
    let is_kept = matches!(view.lock, LockView::Kept { .. });
    (broke_off && !is_kept).then(|| view.progress.unwrap_or(&Progress::default()).told())
}

/// Terraform's own words about a failure, in full and, where there is less room, shorter and shorter.
fn terraform_error(view: &CommentView<'_>, ink: &Ink<'_>) -> Vec<String> {
    let text = view.failure.as_ref().and_then(|failure| failure.terraform_error_text.as_ref());
    let Some(text) = text else { return Vec::new() };
    let all = ink.prose(text, ERROR_WIDTH);
    let within = |most: usize| {
        let mut lines: Vec<String> = all.iter().take(most).cloned().collect();
        if all.len() > lines.len() {
            lines.push(format!("({} more in the log)", many(all.len() - lines.len(), "line")));
        }
        let fence = fence("", &lines);
        format!("<details open>\n<summary>What Terraform said</summary>\n\n{fence}\n\n</details>\n\n")
    };
    ERROR_LINES.into_iter().map(within).collect()
}

/// The first line of Terraform's first error, without its frame.
fn first_error(text: &str) -> Option<&str> {
    let mut headlines = text.lines().filter_map(|line| Some(line.split_once("Error: ")?.1.trim()));
    headlines.find(|headline| !is_heading(headline)).filter(|headline| !headline.is_empty())
}

/// How the plan differs from the reviewed one.
fn difference(view: &CommentView<'_>, ink: &Ink<'_>, most: usize) -> String {
    if view.difference.is_empty() {
        return String::new();
    }
    let mut lines = vec!["**What differs from the reviewed plan**".to_owned()];
    let step = next::of_difference(view);
    let told = view.difference.len() - usize::from(step.is_some());
    lines.extend(items(view.difference.get(..told).unwrap_or_default(), ink, most));
    lines.extend(next::lines(step, view, ink));
    alert("WARNING", &lines)
}

/// Whether the gate's block tells what other pull requests have to do with it.
pub(super) fn gate_tells_related(view: &CommentView<'_>) -> bool {
    view.phase == Phase::Blocked && view.gate.is_some()
}

/// The gate: a line while it waits or is open, loud when it kept an apply out.
fn gate(view: &CommentView<'_>, ink: &Ink<'_>, most: usize) -> String {
    let Some(gate) = &view.gate else { return String::new() };
    let names: Vec<String> = gate.approved_by.iter().take(ENTRIES).map(|name| ink.code(name, 60)).collect();
    let had = gate.approved_by.len();
    let by = if names.is_empty() { String::new() } else { format!(", by {}", listed(&names)) };
    let count = format!("{had} of {}{by}", gate.required);
    // One thing is to be done next: after a failure the failure says it, before a lock the lock.
    let is_told = match view.phase {
        Phase::Failed => view.failure.is_some(),
        Phase::Locked => matches!(view.lock, LockView::HeldByOther(_)),
        _ => false,
    };
    let next_step = if is_told { Vec::new() } else { next::lines(next::of_gate(view), view, ink) };
    let who_can = (!gate.who_can.is_empty()).then(|| ink.sentence(&gate.who_can, SENTENCE));
    if gate_tells_related(view) {
        let headline = match others_not_approved(view) {
            Some(others) => format!("**Nothing was applied: {others}. Approvals of this pull request: {count}**"),
            // Where nobody approved, the first reason says so.
            None if had == 0 => "**Nothing was applied.**".to_owned(),
            None => format!("**Nothing was applied. Approvals: {count}**"),
        };
        let mut lines = vec![headline];
        lines.extend(told(&gate.blockers, view, ink, most));
        // Why somebody else's pull request is asked about.
        lines.extend(told(&view.related, view, ink, most));
        lines.extend(told(&gate.notes, view, ink, most));
        lines.extend(who_can);
        lines.extend(next_step);
        return alert("WARNING", &lines);
    }
    // While it waits, that is the normal course of things: short and calm.
    let mut lines = Vec::new();
    match gate.blockers.as_slice() {
        // Where nobody is asked, there is nothing to count.
        [] if gate.required == 0 => {}
        [only] if gate.notes.is_empty() => {
            lines.push(format!("**Approval** {count} · {}", ink.told(only, &Site::of(view), SENTENCE)));
        }
        blockers => {
            lines.push(format!("**Approval** {count}"));
            lines.extend(told(blockers, view, ink, most));
            lines.extend(told(&gate.notes, view, ink, most));
        }
    }
    lines.extend(who_can.filter(|_| !gate.blockers.is_empty()));
    lines.extend(next_step);
    if lines.is_empty() { String::new() } else { paragraph(&lines) }
}

/// Lines under each other, a list apart from them.
fn paragraph(lines: &[String]) -> String {
    let mut out = String::new();
    for (index, line) in lines.iter().enumerate() {
        let item = line.starts_with("- ");
        let after_item = index.checked_sub(1).and_then(|before| lines.get(before)).map(|line| line.starts_with("- "));
        match after_item {
            None => {}
            Some(before) if before == item => out.push_str(if item { "\n" } else { "\\\n" }),
            Some(_) => out.push_str("\n\n"),
        }
        out.push_str(line);
    }
    out.push_str("\n\n");
    out
}

/// What to do next, where nothing else says it; before that, what a cancelled apply has done.
fn next_step(view: &CommentView<'_>, ink: &Ink<'_>) -> String {
    let mut lines: Vec<String> = what_is_real(view).filter(|_| view.failure.is_none()).into_iter().collect();
    lines.extend(next::lines(next::usual(view), view, ink));
    if lines.is_empty() { String::new() } else { paragraph(&lines) }
}

/// Sentences as a list, the last ones counted when they are more than `most`.
pub(super) fn items(sentences: &[String], ink: &Ink<'_>, most: usize) -> Vec<String> {
    list(sentences, most, |sentence| ink.sentence(sentence, SENTENCE))
}

/// The same, with references.
pub(super) fn told(sentences: &[Sentence], view: &CommentView<'_>, ink: &Ink<'_>, most: usize) -> Vec<String> {
    let site = Site::of(view);
    list(sentences, most, |sentence| ink.told(sentence, &site, SENTENCE))
}

fn list<T>(entries: &[T], most: usize, told: impl Fn(&T) -> String) -> Vec<String> {
    let mut items: Vec<String> = entries.iter().take(most).map(|entry| format!("- {}", told(entry))).collect();
    if entries.len() > most {
        items.push(format!("- and {} more", grouped(entries.len() - most)));
    }
    items
}

/// One of GitHub's coloured blocks; paragraphs apart, list items together.
pub(super) fn alert(kind: &str, lines: &[String]) -> String {
    let mut out = format!("> [!{kind}]\n");
    let mut in_list = false;
    for (index, line) in lines.iter().enumerate() {
        let item = line.starts_with("- ");
        if index > 0 && !(in_list && item) {
            out.push_str(">\n");
        }
        in_list = item;
        out.extend(["> ", line.as_str(), "\n"]);
    }
    out.push('\n');
    out
}
