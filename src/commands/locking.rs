//! Taking and releasing the lock for a command, and telling people while it waits.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::holder::{self, Holder};
use super::report::Report;
use super::session::{Root, Session};
use crate::cli::Locking;
use crate::core::comment::{LockView, Phase};
use crate::core::lock_info::{LockInfo, Operation};
use crate::error::Error;
use crate::shell::lock_store::{AcquireError, HeldLock, LockSeen, Released, VerifyError, Wait, WaitEvent, acquire};
use crate::shell::runner::Footprint;

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
    // Written down before the request: a kill right after it must not hide the lock.
    footprint.set_lock(&info.path, Some(&info.id))?;
    tracing::info!("taking the lock of {}", info.path);
    let result = wait_and_tell(session, root, locking, info, report).await;
    let lost = match result {
        Ok(held) => {
            tracing::info!("the lock is ours: {}", held.info().id);
            report.lock_id = Some(held.info().id.clone());
            report.lock = LockView::HeldSince { taken: Timestamp::now(), id: held.info().id.clone() };
            return Ok(held);
        }
        Err(AcquireError::Held(seen)) => {
            let holders = holder::look_up(session, seen).await;
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
    footprint.set_lock(&root.bucket.backend().path(), None)?;
    Err(lost)
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
    let acquiring = acquire(&root.bucket, info, Wait { timeout }, session.cancel.wait(), move |event| {
        let WaitEvent::Held { by, left, .. } = event;
        if sender.send((by.to_vec(), left)).is_err() {
            tracing::debug!("nobody listens to the waiting any more");
        }
    });
    let telling = async {
        while let Some((seen, left)) = events.recv().await {
            let holders = holder::look_up(session, seen).await;
            for holder in &holders {
                tracing::info!(
                    "waiting for the lock, {} left; it is held by {}",
                    holder::duration(left.as_secs()),
                    holder.line()
                );
            }
            report.lock = LockView::HeldByOther(holders.iter().map(Holder::view).collect());
            if !left.is_zero() {
                report.tell(session, Phase::WaitingForLock).await;
            }
        }
    };
    tokio::join!(acquiring, telling).0
}

/// Lets the lock go and says how that ended.
pub(super) async fn release(held: HeldLock, footprint: &mut Footprint, report: &mut Report) -> Result<(), Error> {
    let info = held.info().clone();
    let taken = match report.lock {
        LockView::HeldSince { taken, .. } => taken,
        _ => Timestamp::now(),
    };
    match held.release().await? {
        Released::Done => {
            tracing::info!("the lock is released");
            report.lock = LockView::Released { taken, released: Timestamp::now() };
        }
        Released::AlreadyGone => {
            footprint.set_lock(&info.path, None)?;
            return Err(lost(&info, &[], report));
        }
        Released::NotOurs(found) => {
            footprint.set_lock(&info.path, None)?;
            return Err(lost(&info, &found, report));
        }
    }
    Ok(footprint.set_lock(&info.path, None)?)
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
        Some(LockSeen { body: Ok(info), .. }) => format!("{} holds it now (lock ID {})", info.who, info.id),
        Some(LockSeen { body: Err(_), .. }) => "a lock that cannot be read stands in its place".to_owned(),
    };
    report.lock = LockView::Lost { found: found.clone() };
    Error::LockLost { id: ours.id.clone(), path: ours.path.clone(), found }
}
