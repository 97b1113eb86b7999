//! Taking and releasing the lock for a command, and telling people while it waits.

use std::cell::RefCell;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, mpsc};
use uuid::Uuid;

use super::audit;
use super::holder::{self, Holder};
use super::report::Report;
use super::session::{Root, Session};
use crate::cli::Locking;
use crate::error::{Error, new_workspace_hint};
use crate::shell::lock_store::{
    AcquireError, AwsErrorKind, HeldLock, LockSeen, Released, Removed, VerifyError, Wait, WaitEvent, acquire,
    read_locks, remove,
};
use crate::shell::runner::{Footprint, variable};
use stategate_core::comment::{LockView, Phase, Step};
use stategate_core::liveness::Liveness;
use stategate_core::lock_info::{LockInfo, Operation, one_line};
use stategate_core::opentofu;
use stategate_core::state_file;

/// Takes the lock, waiting as long as the user allows; the comment says for whom we wait.
pub(super) async fn take(
    session: &Session,
    root: &Root,
    locking: &Locking,
    operation: &Operation,
    footprint: &mut Footprint,
    report: &mut Report,
) -> Result<HeldLock, Error> {
    let info = session.lock_info(root, operation, report.pull_requests.first().copied());
    footprint.set_pull_requests(&report.pull_requests)?;
    // Written down before the request: a kill right after it must not hide the lock.
    footprint.set_lock(&info.path, Some(&info.id))?;
    tracing::info!("taking the lock of {}", info.path);
    report.step = Step::Locking;
    let mut result = wait_and_tell(session, root, locking, info, report).await;
    if let Err(AcquireError::Held(seen)) = &result
        && locking.break_stale_lock
        && break_stale(session, root, &holder::look_up(session, &root.bucket, seen.clone()).await, report).await?
    {
        let once = Locking { lock_timeout: SignedDuration::ZERO, ..locking.clone() };
        // A second acquisition needs an ID of its own: a late request of the first must not pass
        // for one of the second.
        let info = session.lock_info(root, operation, report.pull_requests.first().copied());
        footprint.set_lock(&info.path, Some(&info.id))?;
        result = wait_and_tell(session, root, &once, info, report).await;
    }
    let lost = match result {
        Ok(held) => {
            tracing::info!("the lock is ours: {}", held.info().id);
            report.step = Step::Planning;
            report.lock_id = Some(held.info().id.clone());
            report.lock = LockView::HeldSince { taken: Timestamp::now(), id: held.info().id.clone() };
            match make_workspace(root, &held).await {
                Ok(false) => {}
                // Whoever misspelt it sees it here.
                Ok(true) => {
                    let workspace = &root.bucket.backend().workspace;
                    let new = format!("The workspace `{workspace}` is new: nothing was applied in it before.");
                    tracing::warn!("{new}");
                    report.notes.push(new);
                }
                Err(error) => {
                    let released = release(held, footprint, report).await;
                    return both(Err(error), released, report);
                }
            }
            return Ok(held);
        }
        Err(AcquireError::Held(seen)) => {
            let holders = holder::look_up(session, &root.bucket, seen).await;
            report.lock = LockView::HeldByOther(holders.iter().map(Holder::view).collect());
            holder::locked(&holders)
        }
        Err(AcquireError::Cancelled) => Error::Cancelled,
        Err(AcquireError::Aws(error)) => error.into(),
        // The footprint keeps its ID for the clean-up step.
        Err(AcquireError::LeftBehind { id, error }) => {
            tracing::warn!("a lock of ours may be left behind: {id}");
            return Err(error.into());
        }
    };
    forget(footprint, &root.bucket.backend().path());
    Err(lost)
}

/// Writes down that we hold no lock any more. Where that fails there is more to tell; a clean-up step
/// that still reads its ID finds no such lock, or one that is meant to stay.
pub(super) fn forget(footprint: &mut Footprint, path: &str) {
    if let Err(error) = footprint.set_lock(path, None) {
        tracing::warn!("{error}");
    }
}

/// In a named workspace without a state, Terraform takes the lock whatever `-lock=false` says, to
/// write an empty state first, and would fail on ours. So that state is made here, under our lock;
/// `true` when nothing was applied in it yet, whoever made it: `terraform init` can have.
async fn make_workspace(root: &Root, held: &HeldLock) -> Result<bool, Error> {
    let backend = root.bucket.backend();
    if backend.workspace == "default" {
        return Ok(false);
    }
    let key = backend.state_key();
    if let Some(head) = root.bucket.head(&key).await? {
        let small = if head.size < state_file::MOST_OF_EMPTY { root.bucket.get(&key).await? } else { None };
        return Ok(small.is_some_and(|state| state_file::is_first(&state.bytes)));
    }
    // What cannot be read cannot be planned either, and Terraform says that better.
    let files = root.terraform.module().files();
    let files = files.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    if opentofu::encrypts(variable("TF_ENCRYPTION").as_deref(), files) {
        return Err(Error::EncryptedWorkspace { workspace: backend.workspace.clone() });
    }
    let state = serde_json::json!({
        "version": 4,
        "terraform_version": held.info().version,
        "serial": 1,
        "lineage": Uuid::new_v4().to_string(),
        "outputs": {},
        "resources": [],
        "check_results": null,
    });
    let made = root.bucket.put_if_absent(&key, state.to_string().into_bytes(), "application/json").await;
    made.map_err(|error| {
        let is_denied = matches!(error.kind, AwsErrorKind::AccessDenied(_));
        let error = Error::from(error);
        // A role that only plans shall not be allowed to write states.
        if is_denied { error.with_next(new_workspace_hint(&backend.workspace)) } else { error }
    })
}

async fn wait_and_tell(
    session: &Session,
    root: &Root,
    locking: &Locking,
    info: LockInfo,
    report: &mut Report,
) -> Result<HeldLock, AcquireError> {
    let timeout = Duration::try_from(locking.lock_timeout).unwrap_or(Duration::ZERO);
    let (sender, mut events) = mpsc::unbounded_channel::<(Vec<LockSeen>, Duration)>();
    // A freeze does not end within minutes: whoever meets one is told so at once.
    let (frozen, stop_waiting) = (RefCell::new(None), Notify::new());
    let stopped = async {
        tokio::select! {
            () = session.cancel.wait() => {}
            () = stop_waiting.notified() => {}
        }
    };
    let (is_frozen, stop) = (&frozen, &stop_waiting);
    let acquiring = acquire(&root.bucket, info, Wait { timeout }, stopped, move |event| {
        let WaitEvent::Held { by, left, .. } = event;
        if by.iter().any(is_freeze) {
            is_frozen.replace(Some(by.to_vec()));
            stop.notify_one();
            return;
        }
        if sender.send((by.to_vec(), left)).is_err() {
            detail!("nobody listens to the waiting any more");
        }
    });
    let telling = async {
        while let Some((seen, left)) = events.recv().await {
            let holders = holder::look_up(session, &root.bucket, seen).await;
            if holders.is_empty() {
                tracing::warn!("the store refuses the lock, though nobody holds it; trying on");
                continue;
            }
            for holder in &holders {
                tracing::info!(
                    "waiting for the lock, {} left; it is held by {}",
                    holder::duration(left.as_secs()),
                    holder.line()
                );
            }
            if locking.break_stale_lock {
                match break_stale(session, root, &holders, report).await {
                    Ok(true) => continue,
                    Ok(false) => {}
                    Err(error) => tracing::warn!("the stale lock could not be removed: {error}"),
                }
            }
            report.lock = LockView::HeldByOther(holders.iter().map(Holder::view).collect());
            let until = Timestamp::now().checked_add(SignedDuration::try_from(left).unwrap_or_default());
            report.waits_until = report.waits_until.or(until.ok());
            if !left.is_zero() {
                report.tell(session, Phase::WaitingForLock).await;
            }
        }
    };
    let acquired = tokio::join!(acquiring, telling).0;
    match (acquired, frozen.take()) {
        (Err(AcquireError::Cancelled), Some(by)) if !session.cancel.requested() => Err(AcquireError::Held(by)),
        (acquired, _) => acquired,
    }
}

fn is_freeze(seen: &LockSeen) -> bool {
    seen.body.as_ref().is_ok_and(|info| info.freeze_reason().is_some())
}

/// Removes the lock of holders that are all proven dead, exactly as it was seen; `false` when one
/// of them is not. It is written down, and both pull requests learn of it.
async fn break_stale(session: &Session, root: &Root, holders: &[Holder], report: &mut Report) -> Result<bool, Error> {
    let is_dead = |holder: &Holder| holder.liveness() == Liveness::Dead && holder.is_kept == Some(false);
    if holders.is_empty() || !holders.iter().all(is_dead) {
        return Ok(false);
    }
    // Whoever tries for the lock sees the first store that refuses him; what is stale goes as a whole.
    let holders = &holder::look_up(session, &root.bucket, read_locks(&root.bucket).await?).await;
    if !holders.iter().all(is_dead) {
        return Ok(false);
    }
    let (mut removed, mut outcome) = (Vec::new(), Ok(true));
    for holder in holders {
        match remove(&root.bucket, &holder.seen).await {
            Ok(Removed::Done) => removed.push(holder),
            Ok(Removed::AlreadyGone) => {}
            Ok(Removed::Changed(_)) => outcome = outcome.and(Ok(false)),
            Err(error) => outcome = Err(error.into()),
        }
    }
    // What was removed is told, whatever happened to the other half.
    let Some(info) = removed.first().and_then(|holder| holder.info()) else { return outcome };
    let line = removed.first().map(|holder| holder.line()).unwrap_or_default();
    tracing::warn!("removed a stale lock, its run is proven dead: {line}");
    report.notes.push(format!("Removed the stale lock of a run that is proven dead: {line}."));
    let reason = "its run is proven dead (--break-stale-lock)";
    let at = Timestamp::now();
    let pull_request = info.pull_request().map(|(_, number)| number);
    let entry = audit::Entry {
        action: "break-stale-lock",
        at,
        reason: Some(reason),
        lock: Some(info),
        pull_request,
        commit: None,
        result: if matches!(outcome, Ok(true)) { "removed" } else { "removed in part" },
    };
    // The lock is gone, recorded or not.
    if let Err(error) = audit::write(session, &root.bucket, &entry).await {
        tracing::warn!("{error}");
        report.notes.push(format!("The removal of the stale lock: {error}."));
    }
    audit::tell_holder(session, report.reporting(), info, reason, false, at).await;
    outcome
}

/// Lets the lock go and says how that ended. When AWS refuses, the footprint keeps its ID for the
/// clean-up step.
pub(super) async fn release(held: HeldLock, footprint: &mut Footprint, report: &mut Report) -> Result<(), Error> {
    let info = held.info().clone();
    let taken = match report.lock {
        LockView::HeldSince { taken, .. } => taken,
        _ => Timestamp::now(),
    };
    let released = held.release().await.map_err(|source| Error::LockNotReleased {
        id: info.id.clone(),
        path: info.path.clone(),
        source: Box::new(source),
    })?;
    let mut ended = Ok(());
    match released {
        Released::Done => {
            tracing::info!("the lock is released");
            report.lock = LockView::Released { taken, released: Timestamp::now() };
        }
        Released::AlreadyGone => ended = Err(lost(&info, &[], report)),
        Released::NotOurs(found) => ended = Err(lost(&info, &found, report)),
    }
    forget(footprint, &info.path);
    ended
}

/// One result of the work under the lock and of letting it go, of which neither may be lost.
pub(super) fn both<T>(result: Result<T, Error>, released: Result<(), Error>, report: &mut Report) -> Result<T, Error> {
    match (result, released) {
        // "Nothing is left locked" would be wrong.
        (Err(Error::Cancelled), Err(not_released)) => {
            report.phase = Phase::Cancelled;
            Err(not_released)
        }
        // Told once is enough.
        (Err(lost @ Error::LockLost { .. }), Err(Error::LockLost { .. })) => Err(lost),
        (Err(error), Err(not_released)) => {
            tracing::warn!("{not_released}. {}", not_released.hint());
            report.notes.push(format!("{not_released}. {}", not_released.hint()));
            Err(error)
        }
        (result, released) => result.and_then(|done| released.map(|()| done)),
    }
}

/// Asks whether the lock is still ours.
pub(super) async fn verify(held: &HeldLock, report: &mut Report) -> Result<(), Error> {
    match held.verify().await {
        Ok(()) => Ok(()),
        Err(VerifyError::Lost { found, .. }) => Err(lost(held.info(), &found, report)),
        Err(VerifyError::Aws(error)) => Err(error.into()),
    }
}

fn lost(ours: &LockInfo, found: &[LockSeen], report: &mut Report) -> Error {
    let found = match found.first() {
        None => "nobody holds the state now".to_owned(),
        Some(LockSeen { body: Ok(info), .. }) => {
            format!("{} holds it now (lock ID {})", info.holder(), one_line(&info.id))
        }
        Some(LockSeen { body: Err(_), .. }) => "a lock that cannot be read stands in its place".to_owned(),
    };
    report.lock = LockView::Lost { found: found.clone() };
    Error::LockLost { id: ours.id.clone(), path: ours.path.clone(), found }
}
