//! Where the change stands: the verdict, what failed, the lock and the gate.

use super::escape::{self, fence, is_plain_url, link};
use super::ink::Ink;
use super::site::Site;
use super::view::{CommentView, HolderView, LifeEvent, Liveness, LockView, Phase};
use super::words::{
    between, counts, duration, grouped, listed, many, moment, short_hash, short_moment, time_or_moment,
};
use crate::core::plan::PlanSummary;
use crate::core::sentence::{Part, Sentence};

/// Characters of an address, a name, a sentence: more says nothing more.
const NAME: usize = 120;
const SENTENCE: usize = 600;

/// Entries of a list of ours before the rest is counted.
const ENTRIES: usize = 20;

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
        Phase::Planned | Phase::NoChanges if view.plan.is_some() => changes(false),
        Phase::Planned => "planned".to_owned(),
        Phase::NoChanges => "no changes".to_owned(),
        Phase::WaitingForLock => "waiting for the lock".to_owned(),
        Phase::Locked if is_frozen(view) => "the state is frozen, nothing was done".to_owned(),
        Phase::Locked => "the state is locked, nothing was done".to_owned(),
        Phase::Approved => with("approved", changes(false)),
        Phase::Applying => with("applying", changes(false)),
        Phase::Applied => with("applied", changes(true)),
        Phase::Blocked => with("not applied, approval is missing", changes(false)),
        Phase::Refused => with("not applied, the plan is not the one reviewed", changes(false)),
        Phase::Failed if was_applying(view) => with("failed during the apply", changes(false)),
        Phase::Failed => "failed".to_owned(),
        Phase::Cancelled if was_applying(view) => with("cancelled during the apply", changes(false)),
        Phase::Cancelled => "cancelled".to_owned(),
        Phase::Skipped => "not planned".to_owned(),
        Phase::Unlocked => "the lock was removed, how the run ended is unknown".to_owned(),
    }
}

/// Whether this run had begun to apply: then a part of the change may be real.
fn was_applying(view: &CommentView<'_>) -> bool {
    view.history.iter().any(|event| event.phase == Phase::Applying && event.run_url.as_deref() == view.run_url)
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
    if let Some(sha) = view.head_sha {
        parts.push(format!("commit {}", escape::code(&short_hash(sha, 7), NAME)));
    }
    if let Some(fingerprint) = view.fingerprint {
        parts.push(format!("plan {}", escape::code(&short_hash(fingerprint, 12), NAME)));
    }
    if let Some(version) = view.plan.and_then(|plan| plan.terraform_version.as_deref()) {
        parts.push(format!("Terraform {}", ink.sentence(version, 40)));
    }
    if let Some(url) = view.run_url {
        // The run's page shows the job summary, with Terraform's own text in full.
        let changes = view.plan.is_some_and(PlanSummary::has_changes);
        parts.push(link(if changes { "full plan" } else { "run" }, url));
    }
    parts.join(" · ")
}

/// What failed, and what to do.
pub(super) fn failure(view: &CommentView<'_>, ink: &Ink<'_>) -> String {
    let Some(failure) = &view.failure else { return String::new() };
    let mut lines = vec![format!("**{}**", ink.sentence(&failure.what, SENTENCE))];
    // The rest of it stands below, in Terraform's own shape.
    let headline = failure.terraform_error_text.as_deref().and_then(first_error);
    let why = headline.unwrap_or(&failure.why);
    if !why.is_empty() {
        lines.push(ink.sentence(why, SENTENCE));
    }
    if was_applying(view) && !matches!(view.lock, LockView::Kept { .. }) {
        lines.push("A part of the change may be applied; the state says which.".to_owned());
    }
    if !failure.hint.is_empty() {
        lines.extend(next(&failure.hint.as_str().into(), view, ink));
    }
    alert("CAUTION", &lines)
}

/// Terraform's own words about a failure, in full and, where there is less room, shorter and shorter.
pub(super) fn terraform_error(view: &CommentView<'_>, ink: &Ink<'_>) -> Vec<String> {
    let text = view.failure.as_ref().and_then(|failure| failure.terraform_error_text.as_ref());
    let Some(text) = text else { return Vec::new() };
    let all: Vec<String> = ink.lines(text.trim()).iter().map(|line| escape::clip(line, ERROR_WIDTH)).collect();
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
    text.lines().find_map(|line| Some(line.split_once("Error: ")?.1.trim())).filter(|line| !line.is_empty())
}

/// How the plan differs from the reviewed one.
pub(super) fn difference(view: &CommentView<'_>, ink: &Ink<'_>) -> String {
    if view.difference.is_empty() {
        return String::new();
    }
    let mut lines = vec!["**What differs from the reviewed plan**".to_owned()];
    let step = view.difference.last().and_then(|last| last.strip_prefix("Next: "));
    let told = view.difference.len() - usize::from(step.is_some());
    lines.extend(items(view.difference.get(..told).unwrap_or_default(), ink));
    lines.extend(step.into_iter().flat_map(|step| next(&step.into(), view, ink)));
    alert("WARNING", &lines)
}

/// The lock's story, loud only when it keeps us out.
pub(super) fn lock(view: &CommentView<'_>, ink: &Ink<'_>) -> String {
    match &view.lock {
        LockView::NotTaken => String::new(),
        LockView::HeldSince { taken, .. } => {
            format!("**Lock** held by this run since {}\n\n", moment(*taken))
        }
        LockView::Released { .. } if is_quiet(view) => String::new(),
        LockView::Released { taken, released } => {
            let held = duration(between(*taken, *released));
            format!("**Lock** held for {held}, released {} UTC\n\n", short_moment(*released))
        }
        LockView::HeldByOther(holders) => {
            let lines: Vec<String> = holders.iter().flat_map(|one| holder(one, view, ink)).collect();
            alert("WARNING", &lines)
        }
        LockView::Kept { id, why } => alert(
            "WARNING",
            &[
                "**The lock is kept.**".to_owned(),
                ink.sentence(why, SENTENCE),
                format!("Lock id {}", ink.code(id, NAME)),
            ],
        ),
        LockView::Removed { by, at } => alert(
            "WARNING",
            &[
                // Why, and all the rest, stands in a comment of its own (`unlock_note`).
                format!("**The lock of this run was removed** by {}, {}.", ink.code(by, NAME), moment(*at)),
                "The run never told its end; the state knows what it did.".to_owned(),
                "**Next:** re-run that run's job: it plans anew and does what is left.".to_owned(),
            ],
        ),
        LockView::Lost { found } => alert(
            "CAUTION",
            &[
                "**The lock was taken from this run.** Somebody else may have changed the state \
                 meanwhile."
                    .to_owned(),
                ink.sentence(found, SENTENCE),
            ],
        ),
    }
}

fn holder(holder: &HolderView, view: &CommentView<'_>, ink: &Ink<'_>) -> Vec<String> {
    let who = if holder.who.is_empty() {
        "somebody whose lock cannot be read".to_owned()
    } else {
        ink.code(&holder.who, NAME)
    };
    if let Some(reason) = &holder.freeze_reason {
        return frozen(holder, &who, reason, view, ink);
    }
    let doing = operation(&holder.operation, ink);
    let site = Site::of(view);
    let for_whom = holder.pull_request.map(|number| format!(" for {}", site.pull_request(number))).unwrap_or_default();
    let mut lines = vec![format!("**The state is locked** by {who}{doing}{for_whom}.")];

    let held = held_since(holder, view);
    let run = holder
        .run_url
        .as_deref()
        .filter(|url| is_run_beside(url, view.run_url))
        .map_or_else(|| "Its run".to_owned(), |url| link("Its run", url));
    let alive = match holder.liveness {
        Liveness::Alive => format!("{run} is **still working**."),
        Liveness::Finished => format!("{run} is **finished**; the lock was left behind."),
        Liveness::Unknown => "Whether it still works cannot be told.".to_owned(),
    };
    lines.push(format!("{held}{alive}"));
    // For a run of ours, who and where already say it.
    if !holder.info.is_empty() && holder.pull_request.is_none() {
        lines.push(format!("It says {}", ink.code(&holder.info, 200)));
    }
    lines.extend(known(holder, ink));
    lines.extend(patience(view));
    let next_step = match (holder.liveness, view.phase) {
        (Liveness::Alive, Phase::WaitingForLock) => "nothing to do: this job goes on by itself when the lock is free",
        (Liveness::Alive, _) => "when that run has ended, re-run this job",
        _ => &holder.next_step,
    };
    if !next_step.is_empty() {
        lines.extend(next(&next_step.into(), view, ink));
    }
    lines
}

/// How long this run waits, and what comes of it then.
fn patience(view: &CommentView<'_>) -> Option<String> {
    let until = view.waits_until.filter(|_| view.phase == Phase::WaitingForLock)?;
    Some(format!(
        "This job waits until {}; if the lock is still held then, it fails and nothing is done.",
        time_or_moment(until, view.now)
    ))
}

/// A freeze is no run: it ends when somebody ends it.
fn frozen(holder: &HolderView, who: &str, reason: &str, view: &CommentView<'_>, ink: &Ink<'_>) -> Vec<String> {
    let mut lines = vec![format!("**The state is frozen for maintenance** by {who}.")];
    let held = held_since(holder, view);
    if !held.is_empty() {
        lines.push(held.trim_end().to_owned());
    }
    lines.push(format!("Why: {}", ink.code(reason, 200)));
    lines.extend(known(holder, ink));
    lines.extend(next(&holder.next_step.as_str().into(), view, ink));
    lines
}

fn held_since(holder: &HolderView, view: &CommentView<'_>) -> String {
    let since = holder.since.map(|since| format!("Since {}", moment(since)));
    let age = holder.age_seconds.or_else(|| holder.since.map(|since| between(since, view.now))).map(duration);
    match (since, age) {
        (Some(since), Some(age)) => format!("{since}, for {age}. "),
        (Some(since), None) => format!("{since}. "),
        (None, Some(age)) => format!("For {age}. "),
        (None, None) => String::new(),
    }
}

fn known(holder: &HolderView, ink: &Ink<'_>) -> Option<String> {
    let mut known = Vec::new();
    if let Some(id) = &holder.id {
        known.push(format!("lock id {}", ink.code(id, NAME)));
    }
    if holder.store == "dynamodb" {
        known.push("in the DynamoDB table".to_owned());
    }
    (!known.is_empty()).then(|| capitalised(&known.join(", ")))
}

fn operation(operation: &str, ink: &Ink<'_>) -> String {
    match operation {
        "" => String::new(),
        "OperationTypePlan" => " (a plan)".to_owned(),
        "OperationTypeApply" => " (an apply)".to_owned(),
        other => format!(" ({})", ink.code(other, 40)),
    }
}

/// Whether an address is a run's page on the server that runs us: a lock's body can name any.
fn is_run_beside(url: &str, ours: Option<&str>) -> bool {
    let server = |url: &str| url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
    is_plain_url(url)
        && url.contains("/actions/runs/")
        && !url.contains("..")
        && ours.is_some_and(|ours| server(ours) == server(url))
}

/// The gate: a line while it waits or is open, loud when it kept an apply out.
pub(super) fn gate(view: &CommentView<'_>, ink: &Ink<'_>) -> String {
    let Some(gate) = &view.gate else { return String::new() };
    let names: Vec<String> = gate.approved_by.iter().take(ENTRIES).map(|name| ink.code(name, 60)).collect();
    let had = gate.approved_by.len();
    let by = if names.is_empty() { String::new() } else { format!(", by {}", listed(&names)) };
    let count = format!("{had} of {}{by}", gate.required);
    let next_step = if gate.next_step.is_empty() { Vec::new() } else { next(&gate.next_step, view, ink) };
    let who_can = (!gate.who_can.is_empty()).then(|| ink.sentence(&gate.who_can, SENTENCE));
    if view.phase == Phase::Blocked {
        let mut lines = vec![format!("**Nothing was applied. Approvals: {count}**")];
        lines.extend(told(&gate.blockers, view, ink));
        lines.extend(told(&gate.notes, view, ink));
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
            lines.extend(told(blockers, view, ink));
            lines.extend(told(&gate.notes, view, ink));
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

/// What to do next, and under it where that is done.
fn next(step: &Sentence, view: &CommentView<'_>, ink: &Ink<'_>) -> Vec<String> {
    let site = Site::of(view);
    let mut lines = vec![format!("**Next:** {}", ink.told(step, &site, SENTENCE))];
    let places = places(view, &site);
    if !places.is_empty() {
        lines.push(format!("→ {}", places.join(" · ")));
    }
    lines
}

/// The pages on which the next step is done.
fn places(view: &CommentView<'_>, site: &Site<'_>) -> Vec<String> {
    let lacks_approval = view.gate.as_ref().is_some_and(|gate| gate.approved_by.len() < gate.required);
    let has_notes = view.gate.as_ref().is_some_and(|gate| !gate.notes.is_empty());
    let is_reference = |part: &Part| matches!(part, Part::PullRequest(_));
    let mut blockers = view.gate.iter().flat_map(|gate| &gate.blockers);
    let is_of_reviews = blockers.any(|blocker| blocker.parts().iter().any(is_reference));
    // First there is something else to do, and it says what.
    let run_again = || site.run_again().filter(|_| !matches!(view.lock, LockView::Kept { .. } | LockView::Lost { .. }));
    let review = || view.pull_request.and_then(|number| site.review(number));
    let planned = || {
        let is_plan = |event: &&LifeEvent| matches!(event.phase, Phase::Planned | Phase::NoChanges);
        let run = view.history.iter().rfind(is_plan)?.run_url.as_deref().filter(|url| site.has_run(url))?;
        Some(link("the plan job", run))
    };
    let places = match view.phase {
        Phase::Planned if lacks_approval || has_notes => vec![review()],
        // Where it is no pull request that keeps it out, neither helps.
        Phase::Blocked if is_of_reviews => vec![review(), run_again()],
        Phase::Refused => vec![planned(), review(), run_again()],
        Phase::Locked | Phase::Cancelled | Phase::Failed => vec![run_again()],
        _ => Vec::new(),
    };
    places.into_iter().flatten().collect()
}

/// What to do next, where nothing else says it.
pub(super) fn next_step(view: &CommentView<'_>, ink: &Ink<'_>) -> String {
    view.next_step.as_ref().map_or_else(String::new, |step| paragraph(&next(&step.as_str().into(), view, ink)))
}

/// Sentences as a list, the last ones counted when they are many.
pub(super) fn items(sentences: &[String], ink: &Ink<'_>) -> Vec<String> {
    list(sentences, |sentence| ink.sentence(sentence, SENTENCE))
}

/// The same, with references.
pub(super) fn told(sentences: &[Sentence], view: &CommentView<'_>, ink: &Ink<'_>) -> Vec<String> {
    let site = Site::of(view);
    list(sentences, |sentence| ink.told(sentence, &site, SENTENCE))
}

fn list<T>(entries: &[T], told: impl Fn(&T) -> String) -> Vec<String> {
    let mut items: Vec<String> = entries.iter().take(ENTRIES).map(|entry| format!("- {}", told(entry))).collect();
    if entries.len() > ENTRIES {
        items.push(format!("- and {} more", entries.len() - ENTRIES));
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

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
