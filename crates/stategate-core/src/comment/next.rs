//! What to do next, in the same words wherever it is told: in the comment and the summary with
//! links, in the log with addresses.

use super::escape::link;
use super::ink::Ink;
use super::plain;
use super::progress::{Progress, Step};
use super::site::Site;
use super::status::SENTENCE;
use super::view::{CommentView, HolderView, LifeEvent, Liveness, LockView, Phase};
use crate::advice::SHOW_BY_WORKFLOW;
use crate::sentence::{Part, Sentence};

/// Pull requests that are linked to be reviewed.
const REVIEWS: usize = 5;

/// While it applies nothing is to be done; but a machine that dies then tells nobody.
fn applying() -> Sentence {
    format!(
        "nothing to do: what comes of it will stand here. If that run has ended and this stays as it is, its machine \
         was lost: {SHOW_BY_WORKFLOW} and says what removes its lock. Then re-run the job"
    )
    .into()
}

/// What to do after an apply that broke off: what is left is no longer the plan that was reviewed.
pub fn after_half_way(is_failed: bool, in_job: bool, is_reviewed: bool) -> &'static str {
    match (is_failed, in_job, is_reviewed) {
        (true, false, _) => "Mend what Terraform says and run again: it plans what is left.",
        (false, false, _) => "Run again: it plans what is left.",
        (true, true, false) => {
            "Where the code is wrong, mend it with a new commit. Where it is not (a limit, an outage), re-run this \
             job: it applies what is left."
        }
        (false, true, false) => "Re-run this job: it applies what is left.",
        (true, true, true) => {
            "Where the code is wrong, mend it in a new pull request: its plan shows what is left, too. Where it is \
             not (a limit, an outage), re-run the plan job, which shows what is left, then this job; the approval \
             still counts."
        }
        (false, true, true) => {
            "Re-run the plan job, which shows what is left, then this job; the approval still counts."
        }
    }
}

/// What is to be done next, and where, for the log; the first where there are several.
pub fn next_step(view: &CommentView<'_>) -> Option<String> {
    let step = of_failure(view)
        .or_else(|| of_difference(view))
        .or_else(|| of_lock(view))
        .or_else(|| of_gate(view))
        .or_else(|| usual(view))?
        .to_string();
    let places = places(view, &Site::of(view));
    Some(if places.is_empty() { step } else { format!("{step} → {}", plain::text(&places.join(" · ")).trim_end()) })
}

pub(super) fn of_failure(view: &CommentView<'_>) -> Option<Sentence> {
    let hint = &view.failure.as_ref()?.hint;
    (!hint.is_empty()).then(|| hint.as_str().into())
}

/// The last line of a difference can be the way on.
pub(super) fn of_difference(view: &CommentView<'_>) -> Option<Sentence> {
    view.difference.last()?.strip_prefix("Next: ").map(Sentence::from)
}

fn of_lock(view: &CommentView<'_>) -> Option<Sentence> {
    let LockView::HeldByOther(holders) = &view.lock else { return None };
    of_holder(holders.first()?, view)
}

pub(super) fn of_holder(holder: &HolderView, view: &CommentView<'_>) -> Option<Sentence> {
    let is_alive = holder.liveness == Liveness::Alive && holder.freeze_reason.is_none();
    let step = &holder.next_step;
    match view.phase {
        Phase::WaitingForLock if is_alive => {
            Some("nothing to do: this job goes on by itself when the lock is free".into())
        }
        _ if is_alive => Some("that run is alive: when it has ended, re-run this job".into()),
        _ if step.is_empty() => None,
        Phase::Locked if view.run_url.is_some() => Some(format!("{step} Then re-run this job.").into()),
        _ => Some(step.as_str().into()),
    }
}

pub(super) fn of_gate(view: &CommentView<'_>) -> Option<Sentence> {
    view.gate.as_ref().map(|gate| gate.next_step.clone()).filter(|step| !step.is_empty())
}

/// Where nothing else says it.
pub(super) fn usual(view: &CommentView<'_>) -> Option<Sentence> {
    let told = view.next_step.as_deref().map(Sentence::from);
    told.or_else(|| (view.phase == Phase::Applying).then(applying))
}

/// What to do, and under it where that is done.
pub(super) fn lines(step: Option<Sentence>, view: &CommentView<'_>, ink: &Ink<'_>) -> Vec<String> {
    let Some(step) = step else { return Vec::new() };
    let site = Site::of(view);
    let mut lines = vec![format!("**Next:** {}", ink.told(&step, &site, SENTENCE))];
    let places = places(view, &site);
    if !places.is_empty() {
        lines.push(format!("→ {}", places.join(" · ")));
    }
    lines
}

/// The pull requests that lack something, which need not be the one that is told.
pub(super) fn asked(view: &CommentView<'_>) -> Vec<u64> {
    let mut asked: Vec<u64> = Vec::new();
    for part in view.gate.iter().flat_map(|gate| &gate.blockers).flat_map(Sentence::parts) {
        match part {
            Part::PullRequest(number) if !asked.contains(number) => asked.push(*number),
            _ => {}
        }
    }
    asked
}

/// The pages on which the next step is done.
fn places(view: &CommentView<'_>, site: &Site<'_>) -> Vec<String> {
    let lacks_approval = view.gate.as_ref().is_some_and(|gate| gate.approved_by.len() < gate.required);
    let has_notes = view.gate.as_ref().is_some_and(|gate| !gate.notes.is_empty());
    let asked = asked(view);
    let is_usage = view.failure.as_ref().is_some_and(|failure| failure.is_usage);
    // First there is something else to do, and it says what.
    if matches!(view.lock, LockView::Kept { .. } | LockView::Lost { .. }) {
        return Vec::new();
    }
    let run_again = || site.run_again();
    let review = || view.pull_request.and_then(|number| site.review(number));
    let planned = || {
        let is_plan = |event: &&LifeEvent| matches!(event.phase, Phase::Planned | Phase::NoChanges);
        let run = view.history.iter().rfind(is_plan)?.run_url.as_deref().filter(|url| site.has_run(url))?;
        Some(link("the plan job", run))
    };
    let places = match view.phase {
        Phase::Planned if lacks_approval || has_notes => vec![review()],
        // Where it is no pull request that keeps it out, neither helps.
        Phase::Blocked if !asked.is_empty() => {
            let reviews = asked.iter().take(REVIEWS).map(|number| site.review(*number));
            reviews.chain([run_again()]).collect()
        }
        Phase::Refused => vec![planned(), review(), run_again()],
        // The same again would find nothing to do.
        Phase::Failed | Phase::Cancelled if view.progress.is_some_and(Progress::is_all_but_actions) => Vec::new(),
        Phase::Failed | Phase::Cancelled if view.step == Step::Applying => vec![planned(), run_again()],
        // With what this run was given, it would end the same.
        Phase::Failed if is_usage => Vec::new(),
        Phase::Locked | Phase::Cancelled | Phase::Failed => vec![run_again()],
        Phase::Applying => vec![site.run()],
        _ => Vec::new(),
    };
    places.into_iter().flatten().collect()
}
