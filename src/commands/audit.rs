//! The audit trail: an object beside the state for whatever changed it or its lock.

use jiff::Timestamp;

use super::report::Report;
use super::session::Session;
use crate::cli::Reporting;
use crate::error::Error;
use crate::shell::lock_store::Bucket;
use crate::shell::runner::Run;
use stategate_core::comment::{LockView, UnlockNote, unlock_note};
use stategate_core::lock_info::LockInfo;
use stategate_core::record::AuditRecord;

/// What is written down.
pub(super) struct Entry<'a> {
    pub(super) action: &'static str,
    pub(super) at: Timestamp,
    pub(super) reason: Option<&'a str>,
    pub(super) lock: Option<&'a LockInfo>,
    pub(super) pull_request: Option<u64>,
    pub(super) commit: Option<&'a str>,
    pub(super) result: &'static str,
}

pub(super) async fn write(session: &Session, bucket: &Bucket, entry: &Entry<'_>) -> Result<(), Error> {
    let lock = entry.lock.and_then(|lock| serde_json::from_str(&lock.to_go_json()).ok());
    let record = AuditRecord {
        action: entry.action.to_owned(),
        at: entry.at,
        actor: session.host.actor(),
        reason: entry.reason.map(str::to_owned),
        lock,
        run_url: session.host.run().map(Run::url),
        pull_request: entry.pull_request,
        commit: entry.commit.map(str::to_owned),
        result: entry.result.to_owned(),
    };
    let key = record.object_key(&bucket.backend().state_key());
    bucket.put(&key, record.to_json().into_bytes(), "application/json").await.map_err(Error::NotRecorded)
}

/// Reads an entry of the trail; `None` for what none of this repository's runs wrote.
pub(super) async fn read(session: &Session, bucket: &Bucket, key: &str) -> Result<Option<AuditRecord>, Error> {
    let place = bucket.backend().place();
    if place.read_trail_entry(key).is_none() {
        return Ok(None);
    }
    let home = session.host.run().map(Run::repository_url).unwrap_or_default();
    let object = bucket.get(key).await?;
    Ok(object.and_then(|object| AuditRecord::read(&place, key, &object.bytes, &home)))
}

/// The holder's pull request learns who took its lock away: by a note, and in the comment that
/// says what the holder does. The removal does not depend on it.
pub(super) async fn tell_holder(
    session: &Session,
    reporting: &Reporting,
    info: &LockInfo,
    reason: &str,
    forced: bool,
    at: Timestamp,
) {
    let (Some(run), Some((repository, number))) = (session.host.run(), info.pull_request()) else { return };
    if repository != run.repository {
        return;
    }
    let run_url = run.url();
    let note = UnlockNote { lock: info, actor: &run.actor, reason, forced, at, run_url: &run_url };
    let (marker, body) = unlock_note(&note);
    let told =
        async { Ok::<_, Error>(session.github()?.add_comment(&session.repository()?, number, &marker, &body).await?) };
    if let Err(error) = told.await {
        tracing::warn!("the holder's pull request could not be told: {error}");
    }
    let Some(holder) = info.run() else { return };
    let removed = LockView::Removed { by: run.actor.clone(), at };
    if let Err(error) = Report::tell_unlocked(session, reporting, (number, &holder.url()), removed).await {
        tracing::warn!("the holder's comment could not be edited: {error}");
    }
}
