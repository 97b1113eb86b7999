//! `stategate unlock`: show the holder, prove it dead, remove exactly that lock, leave a record.

use jiff::Timestamp;

use super::again;
use super::audit;
use super::holder::{self, Holder, row};
use super::session::{Purpose, Root, Session};
use super::status::status_text;
use crate::cli::{CommentMode, UnlockCommand};
use crate::error::Error;
use crate::shell::github::Permission;
use crate::shell::lock_store::{LockSeen, Removed, read_locks, remove};
use crate::shell::runner::{Outputs, write_out};
use stategate_core::liveness::Liveness;
use stategate_core::lock_info::{LockInfo, one_line};

pub(super) async fn run(command: UnlockCommand) -> Result<(), Error> {
    let is_asked = command.lock_id.is_some() || command.etag.is_some() || command.force;
    if is_asked && command.reason.is_none() {
        return Err(reason_missing(&command));
    }
    let session = Session::begin(&command.target)?;
    let root = Root::open(&session, Purpose::Look).await?;
    let holders = holder::look_up(&session, &root.bucket, read_locks(&root.bucket).await?).await;
    let path = root.bucket.backend().path();
    if holders.is_empty() {
        // Somebody was faster, or it is the second run of the same request: what was asked for holds.
        return write_out(&status_text(&path, &holders, true)).map_err(Error::Output);
    }
    if command.lock_id.is_none() && command.etag.is_none() && !is_forced_unreadable(&command, &holders) {
        write_out(&status_text(&path, &holders, false)).map_err(Error::Output)?;
        let mut steps: Vec<String> = holders.iter().map(Holder::next_step).collect();
        steps.dedup();
        return Err(Error::OnlyShown { next_step: steps.join(" ") });
    }
    let reason = command.reason.as_deref().ok_or_else(|| reason_missing(&command))?;
    let (chosen, left): (Vec<&Holder>, Vec<&Holder>) =
        holders.iter().partition(|holder| is_chosen(&command, &holder.seen));
    if chosen.is_empty() {
        return Err(other_lock(&command, &holders));
    }
    may_unlock(&session).await?;
    if !command.force {
        for holder in &chosen {
            proven_dead(holder)?;
        }
    }
    let first = chosen.first().map(|holder| &holder.seen);
    let info = first.and_then(|seen| seen.body.as_ref().ok()).cloned();
    let (removed, outcome) = remove_all(&root, &chosen).await;
    let at = Timestamp::now();
    let result = match (&outcome, removed.is_empty()) {
        (Ok(()), true) => "gone already",
        (Ok(()), false) if command.force => "removed by force",
        (Ok(()), false) => "removed",
        (Err(_), true) => "not removed",
        (Err(_), false) => "removed in part",
    };
    let pull_request = info.as_ref().and_then(LockInfo::pull_request).map(|(_, number)| number);
    let entry = audit::Entry {
        action: "unlock",
        at,
        reason: Some(reason),
        lock: info.as_ref(),
        pull_request,
        commit: None,
        result,
    };
    let recorded = audit::write(&session, &root.bucket, &entry).await;
    let mut told = match (&outcome, removed.is_empty()) {
        (Ok(()), _) if !left.is_empty() => format!("{path} is still locked\n"),
        (Ok(()), true) => format!("{path} is unlocked: the lock had gone already\n"),
        (Ok(()), false) => format!("{path} is unlocked\n"),
        (Err(_), _) => String::new(),
    };
    for holder in &removed {
        told.push_str(&row("removed", &format!("{} from {}", holder.line(), holder.seen.store.as_str())));
    }
    told.push_str(&row("reason", &one_line(reason)));
    // An ETag names one half, and each store can hold somebody else's.
    for holder in &left {
        told.push_str(&row("left", &format!("{} in {}", holder.line(), holder.seen.store.as_str())));
        told.push_str(&row("next", &holder.next_step()));
    }
    write_out(&told).map_err(Error::Output)?;
    outcome?;
    if let Some(info) = &info {
        let mut outputs = Outputs::default();
        outputs.set("lock-id", &info.id);
        outputs.set("lock-holder", one_line(&info.who));
        outputs.write().map_err(Error::StepOutputs)?;
        if command.reporting.comment != CommentMode::Never && !removed.is_empty() {
            audit::tell_holder(&session, &command.reporting, info, reason, command.force, at).await;
        }
    }
    recorded
}

/// The same command again shows what to add.
fn reason_missing(command: &UnlockCommand) -> Error {
    let mut again = "unlock".to_owned();
    for (flag, value) in [("--lock-id", &command.lock_id), ("--etag", &command.etag)] {
        if let Some(value) = value {
            again.push_str(&format!(" {flag} {}", shell_words::quote(&one_line(value))));
        }
    }
    if command.force {
        again.push_str(" --force");
    }
    Error::ReasonMissing { command: "unlock", again: again + &again::target(&command.target) }
}

/// `--force` alone is for bodies that nobody can name by an ID.
fn is_forced_unreadable(command: &UnlockCommand, holders: &[Holder]) -> bool {
    command.force && holders.iter().any(|holder| holder.seen.body.is_err())
}

fn is_chosen(command: &UnlockCommand, seen: &LockSeen) -> bool {
    match (&command.lock_id, &command.etag) {
        // What is pasted brings blanks along; an ID that has some of its own is still to be named.
        (Some(id), _) => seen.id().is_some_and(|found| found == id || found.trim() == id.trim()),
        (None, Some(etag)) => {
            let bare = |etag: &str| etag.trim().trim_matches('"').to_owned();
            seen.etag.as_deref().is_some_and(|found| bare(found) == bare(etag))
        }
        (None, None) => seen.body.is_err(),
    }
}

/// As much of an ID as tells it from another by accident.
const LEAST_OF_AN_ID: usize = 4;

fn other_lock(command: &UnlockCommand, holders: &[Holder]) -> Error {
    let given = command.lock_id.as_deref().or(command.etag.as_deref()).unwrap_or_default().trim().to_owned();
    let is_begun = |id: &str| given.len() >= LEAST_OF_AN_ID && id.starts_with(&given);
    if let Some(whole) = holders.iter().filter_map(|holder| holder.seen.id()).find(|id| is_begun(id)) {
        let next_step = format!("That is the beginning of the lock's ID. Give all of it: `{}`.", one_line(whole));
        let error = Error::OtherLock { given, holder: holders.first().map(Holder::line).unwrap_or_default() };
        return error.with_next(next_step);
    }
    Error::OtherLock { given, holder: holders.first().map(Holder::line).unwrap_or_default() }
}

/// A lock that names nobody's run is the word of the person who asks; a run's death only GitHub
/// can prove.
fn proven_dead(holder: &Holder) -> Result<(), Error> {
    let names_a_run = holder.info().is_some_and(|info| info.run().is_some() && info.freeze_reason().is_none());
    let why = match holder.liveness() {
        Liveness::Dead => return Ok(()),
        Liveness::Unknown { .. } if !names_a_run => return Ok(()),
        Liveness::Unknown { why } => why,
        Liveness::Alive => "GitHub says that run is not completed".to_owned(),
        Liveness::Finishing { until } => format!("that run ended a moment ago; its clean-up may take until {until}"),
    };
    let refused = Error::HolderAlive { holder: holder.line(), why };
    // What a laptop cannot ask, and what GitHub does not tell, no waiting will answer.
    let is_told = holder.run.is_some() && !matches!(holder.liveness(), Liveness::Unknown { .. });
    Err(if is_told { refused } else { refused.with_next(holder.next_step()) })
}

async fn may_unlock(session: &Session) -> Result<(), Error> {
    let Some(run) = session.host.run() else { return Ok(()) };
    if session.github()?.permission(&session.repository()?, &run.actor).await? >= Permission::Write {
        return Ok(());
    }
    Err(Error::MayNotUnlock { actor: run.actor.clone(), repository: run.repository.clone() })
}

/// Every half is tried, whatever happens to another. Returns what was removed, too.
async fn remove_all<'a>(root: &Root, chosen: &[&'a Holder]) -> (Vec<&'a Holder>, Result<(), Error>) {
    let mut removed = Vec::new();
    let mut outcome = Ok(());
    for holder in chosen {
        let result = match remove(&root.bucket, &holder.seen).await {
            Ok(Removed::Done) => {
                removed.push(*holder);
                Ok(())
            }
            Ok(Removed::AlreadyGone) => Ok(()),
            Ok(Removed::Changed(now)) => Err(Error::LockChanged { now: now_there(&now) }),
            Err(error) => Err(error.into()),
        };
        outcome = outcome.and(result);
    }
    (removed, outcome)
}

fn now_there(now: &LockSeen) -> String {
    match &now.body {
        Ok(info) => format!("{} holds it now (lock ID {})", info.holder(), one_line(&info.id)),
        Err(_) => "it cannot be read any more".to_owned(),
    }
}
