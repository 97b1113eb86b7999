//! The life of a change, from one edit of its comment to the next.
//!
//! It is kept in the comment itself, encoded, on the second line. Nothing that others wrote can
//! stand before that line or on it, so nothing that others wrote can be taken for it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::escape::{clip, link};
use super::ink::Ink;
use super::site::Site;
use super::view::{CommentView, FailureView, GateView, HolderView, LifeEvent, LockView, Phase};
use super::words::{many, short_hash, short_moment};
use crate::sentence::{Part, Sentence};

const OPEN: &str = "<!-- stategate-life:";
const CLOSE: &str = " -->";

/// Steps that are kept; a pull request that lives longer has its oldest forgotten.
const KEPT: usize = 24;

/// Steps in sight where others are folded away, and how many need no fold. On a phone they are lines
/// of their own, and who comes back asks for the latest.
const SHOWN: usize = 3;
const FEW: usize = 4;

/// Characters of why a step was taken.
const WHY: usize = 90;

/// A step as it is stored.
#[derive(Serialize, Deserialize)]
struct Stored(
    i64,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")] Option<Sentence>,
);

/// Why a change came to where it stands, or for whom it waits: a few words for its history, on the
/// pull request that is told (`own`).
pub fn why(
    own: Option<u64>,
    phase: Phase,
    lock: &LockView,
    gate: Option<&GateView>,
    difference: &[String],
    failure: Option<&FailureView>,
) -> Option<Sentence> {
    match (phase, lock) {
        (Phase::WaitingForLock | Phase::Locked, LockView::HeldByOther(holders)) => holders.first().map(holder),
        (Phase::Blocked, _) => gate.map(|gate| blocker(gate, own)),
        // The clause behind it says what it was to be instead.
        (Phase::Refused, _) => difference.first().and_then(|first| first.split("; ").next()).map(Sentence::from),
        (Phase::Failed, _) => failure.map(|failure| failure.what.as_str().into()),
        _ => None,
    }
}

fn holder(holder: &HolderView) -> Sentence {
    let who = holder.who.split(" via GitHub Actions").next().unwrap_or_default();
    let by = if holder.freeze_reason.is_some() { "frozen by" } else { "held by" };
    let told = Sentence::from(format!("{by} {who}"));
    match holder.pull_request {
        Some(number) => told.words(" for ").pull_request(number),
        None => told,
    }
}

fn blocker(gate: &GateView, own: Option<u64>) -> Sentence {
    let had = gate.approved_by.len();
    match gate.blockers.as_slice() {
        [] | [_] if had < gate.required => lacks(gate, own),
        [] => Sentence::default(),
        [only] => only.clone(),
        [first, rest @ ..] => first.clone().words(format!(", and {}", many(rest.len(), "more reason"))),
    }
}

/// How many approvals are missing; on which pull request, where it is another.
fn lacks(gate: &GateView, own: Option<u64>) -> Sentence {
    let count = format!("{} of {}", gate.approved_by.len(), many(gate.required, "approval"));
    match gate.blockers.first().map(Sentence::parts) {
        Some([Part::PullRequest(number), ..]) if own.is_some_and(|own| own != *number) => {
            Sentence::default().pull_request(*number).words(format!(" has {count}"))
        }
        _ => count.into(),
    }
}

/// The life that an earlier comment of ours tells, oldest first; empty when it tells none.
pub fn life_from_comment(body: &str) -> Vec<LifeEvent> {
    let line = body.lines().nth(1).unwrap_or_default().trim();
    let encoded = line.strip_prefix(OPEN).and_then(|rest| rest.strip_suffix(CLOSE));
    let json = encoded.and_then(|encoded| STANDARD.decode(encoded).ok()).unwrap_or_default();
    let stored: Vec<Stored> = serde_json::from_slice(&json).unwrap_or_default();
    stored
        .into_iter()
        .filter_map(|Stored(at, phase, run_url, actor, head_sha, why)| {
            Some(LifeEvent {
                at: Timestamp::from_second(at).ok()?,
                phase: Phase::from_word(&phase)?,
                run_url,
                actor,
                head_sha,
                why,
            })
        })
        .collect()
}

/// The line that carries the life, of the latest steps where all take more than `most` characters;
/// empty when there is none yet.
pub(super) fn hidden_line(history: &[LifeEvent], ink: &Ink<'_>, most: usize) -> String {
    let steps = steps(history);
    let line = |kept: usize| {
        let kept = steps.get(steps.len().saturating_sub(kept)..).unwrap_or_default();
        let stored: Vec<Stored> = kept.iter().map(|event| stored(event, ink)).collect();
        let json = serde_json::to_vec(&stored).unwrap_or_default();
        format!("{OPEN}{}{CLOSE}\n", STANDARD.encode(json))
    };
    (1..=steps.len().min(KEPT)).rev().map(line).find(|line| line.len() <= most).unwrap_or_default()
}

fn stored(event: &LifeEvent, ink: &Ink<'_>) -> Stored {
    let short = |text: &Option<String>, most| text.as_deref().map(|text| clip(text, most));
    Stored(
        event.at.as_second(),
        event.phase.word().to_owned(),
        event.run_url.clone().filter(|url| url.len() <= 300),
        short(&event.actor, 60),
        short(&event.head_sha, 40),
        event.why.as_ref().map(|why| why.map(|words| clip(&ink.name(words), WHY))),
    )
}

/// Without the steps that only repeat the one before.
fn steps(history: &[LifeEvent]) -> Vec<&LifeEvent> {
    let mut steps: Vec<&LifeEvent> = Vec::new();
    for event in history {
        let again = steps.last().is_some_and(|last| {
            last.phase == event.phase && last.run_url == event.run_url && last.head_sha == event.head_sha
        });
        if !again {
            steps.push(event);
        }
    }
    steps
}

/// The life as a list, once it has more than one step: the latest steps in sight, the earlier ones
/// folded away; fewer of them when that takes more than `most` characters.
pub(super) fn told(view: &CommentView<'_>, ink: &Ink<'_>, most: usize) -> String {
    let steps = steps(&view.history);
    if steps.len() < 2 {
        return String::new();
    }
    let lines: Vec<String> = steps.iter().map(|event| line(event, view, ink)).collect();
    let shown = if lines.len() > FEW { SHOWN } else { FEW };
    let (earlier, latest) = lines.split_at(lines.len().saturating_sub(shown));
    let earlier = match earlier {
        [] => String::new(),
        some => format!(
            "<details>\n<summary>{}</summary>\n\n{}\n</details>\n\n",
            many(some.len(), "earlier step"),
            some.concat()
        ),
    };
    let history = |earlier: &str| format!("**History** (UTC)\n\n{earlier}{}", latest.concat());
    let fits = |text: &String| text.chars().count() <= most;
    let latest_only = if earlier.is_empty() { String::new() } else { history(&left_out(lines.len() - shown)) };
    [history(&earlier), latest_only, left_out(lines.len())]
        .into_iter()
        .find(|text| !text.is_empty() && fits(text))
        .unwrap_or_default()
}

/// Where there is no room for them: they are kept, and told where there is.
fn left_out(steps: usize) -> String {
    format!("{} of the history left out for want of room.\n\n", many(steps, "step"))
}

fn line(event: &LifeEvent, view: &CommentView<'_>, ink: &Ink<'_>) -> String {
    let mut line = format!("- {} · {}", short_moment(event.at), event.phase.word());
    if let Some(why) = event.why.as_ref().filter(|why| !why.is_empty()) {
        line.push_str(&format!(" ({})", ink.told(why, &Site::of(view), WHY)));
    }
    let by = event.actor.as_ref().map_or_else(String::new, |actor| format!(" by {}", ink.code(actor, 60)));
    // An approval is a person's; anything else is what a person's run came to.
    let is_own = event.run_url.is_none();
    if is_own {
        line.push_str(&by);
    }
    if let Some(sha) = &event.head_sha {
        line.extend([" · commit ", &ink.code(&short_hash(sha, 7), 40)]);
    }
    if let Some(url) = &event.run_url {
        // Whoever may edit comments may have written this address.
        let run = if Site::of(view).has_run(url) { link("run", url) } else { "run".to_owned() };
        line.extend([" · ", &run, &by]);
    }
    line.push('\n');
    line
}
