//! The lock's story, loud only when it keeps us out.

use super::escape::{is_plain_url, link};
use super::ink::Ink;
use super::next;
use super::site::Site;
use super::status::{NAME, SENTENCE, alert};
use super::view::{CommentView, HolderView, Liveness, LockView, Phase};
use super::words::{between, duration, moment, time_or_moment};

/// What stands in the way, or may; that it is given back is small print.
pub(super) fn told(view: &CommentView<'_>, ink: &Ink<'_>) -> String {
    match &view.lock {
        LockView::NotTaken | LockView::Released { .. } => String::new(),
        LockView::HeldSince { taken, id } => {
            // Whoever finds that the run is lost needs the id.
            format!("**Lock** held by this run since {}, lock id {}\n\n", moment(*taken), ink.code(id, NAME))
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
                "**Next:** re-run that run's job: it plans anew. Where a part is applied already, it stops and says how to go on.".to_owned(),
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
    lines.extend(next::lines(next::of_holder(holder, view), view, ink));
    lines
}

/// That it was held and given back, for the small print.
pub(super) fn released(lock: &LockView) -> Option<String> {
    let LockView::Released { taken, released } = lock else { return None };
    Some(format!("lock released after {}", duration(between(*taken, *released))))
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
    lines.extend(next::lines(next::of_holder(holder, view), view, ink));
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

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
