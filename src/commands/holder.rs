//! Who holds the lock, told to people: since when, is that run alive, and what to do.

use jiff::Timestamp;

use super::again;
use super::rescue::is_kept;
use super::session::Session;
use crate::error::Error;
use crate::shell::github::GitHubError;
use crate::shell::lock_store::{Bucket, LockSeen};
use crate::shell::runner::columns;
use stategate_core::advice::{capitalised, lock_id, unlock_by_workflow};
use stategate_core::comment::{HolderView, Liveness as Shown};
use stategate_core::liveness::{self, Liveness, RunState, Taken};
use stategate_core::lock_info::{LockInfo, RunRef, one_line};
use stategate_core::wrapped::wrapped;

/// A lock that was seen, and what GitHub says about the run behind it.
pub(super) struct Holder {
    pub(super) seen: LockSeen,
    /// The run, when the lock names one of this repository on this server: another's is not asked
    /// for, its answer would prove nothing here.
    pub(super) run: Option<(RunRef, RunState)>,
    /// Whether its apply left a state that is not in the bucket, or may have: then the lock is there on
    /// purpose. `None` when that cannot be told.
    pub(super) is_kept: Option<bool>,
    /// When it was taken, by S3's clock; `None` for one that stands in the lock table alone.
    taken: Option<Taken>,
    /// The flags that name the state, for a command that is copied into a shell.
    flags: String,
    /// Whether a workflow is nearer than a shell.
    in_job: bool,
}

/// What names one lock.
enum Name {
    Id(String),
    ETag(String),
}

/// Asks GitHub about the run behind each lock, and the bucket what that left.
pub(super) async fn look_up(session: &Session, bucket: &Bucket, seen: Vec<LockSeen>) -> Vec<Holder> {
    let taken: Vec<Option<Taken>> = seen.iter().map(|half| taken(half, &seen)).collect();
    let mut holders = Vec::new();
    for (seen, taken) in seen.into_iter().zip(taken) {
        // Whoever froze a state went home; that its run is over proves nothing about the freeze.
        let info = seen.body.as_ref().ok().filter(|info| info.freeze_reason().is_none());
        let (run, is_kept) = match info.and_then(LockInfo::run) {
            Some(run) => {
                // Whatever the lock says that it was taken for: anybody may have written that.
                let is_kept = is_kept(bucket, &run).await;
                (run_state(session, run).await, is_kept)
            }
            None => (None, Some(false)),
        };
        let (flags, in_job) = (again::target(&session.target), session.host.run().is_some());
        holders.push(Holder { seen, run, is_kept, taken, flags, in_job });
    }
    holders
}

/// When a half of a lock was taken. The lock table keeps no time of its own; S3's half of the same lock
/// was written just before.
fn taken(half: &LockSeen, all: &[LockSeen]) -> Option<Taken> {
    let same = all.iter().find(|seen| seen.last_modified.is_some() && seen.id().is_some() && seen.id() == half.id());
    let dated = if half.last_modified.is_some() { half } else { same? };
    Some(Taken { at: dated.last_modified?, seen_at: dated.seen_at? })
}

async fn run_state(session: &Session, run: RunRef) -> Option<(RunRef, RunState)> {
    let here = session.host.run()?;
    if run.server_url != here.server_url || !run.repository.eq_ignore_ascii_case(&here.repository) {
        return None;
    }
    let state = match session.github() {
        Ok(github) => match run.repository.parse() {
            Ok(repository) => github.run_state(&repository, (run.run_id, run.attempt), session.run_attempt()).await,
            Err(error) => RunState::Unknown { why: GitHubError::to_string(&error) },
        },
        Err(error) => RunState::Unknown { why: error.to_string() },
    };
    Some((run, state))
}

impl Holder {
    pub(super) fn info(&self) -> Option<&LockInfo> {
        self.seen.body.as_ref().ok()
    }

    /// Why the state is frozen, when this is a freeze.
    pub(super) fn freeze_reason(&self) -> Option<&str> {
        self.info().and_then(LockInfo::freeze_reason)
    }

    /// Whether the holder still works, as far as GitHub can prove it.
    pub(super) fn liveness(&self) -> Liveness {
        match &self.run {
            Some((_, state)) => liveness::judge(state, self.taken),
            None if self.freeze_reason().is_some() => {
                Liveness::Unknown { why: "a freeze ends only when somebody ends it".to_owned() }
            }
            None if self.info().is_some_and(|info| info.run().is_some()) => {
                let why = if self.in_job {
                    "its run is not one of this repository"
                } else {
                    "only a job can ask GitHub about its run"
                };
                Liveness::Unknown { why: why.to_owned() }
            }
            None if self.info().is_none() => {
                Liveness::Unknown { why: "the lock cannot be read; only a person can tell".to_owned() }
            }
            None => Liveness::Unknown { why: "it is not a run of GitHub Actions; only a person can tell".to_owned() },
        }
    }

    /// What to do, in one sentence.
    pub(super) fn next_step(&self) -> String {
        let unlock = self.unlock(false);
        let Some(info) = self.info() else {
            return format!("The lock cannot be read. When no Terraform works on this state, {unlock}.");
        };
        let who = one_line(&info.who);
        // Other programs may leave it empty.
        let who = if who.trim().is_empty() { "whoever works on this state" } else { &who };
        if self.freeze_reason().is_some() {
            return format!("Ask {who} how long it takes. To end the freeze, {unlock}.");
        }
        if self.is_kept == Some(true) {
            return format!(
                "That run left its lock on purpose: what its apply made is not in the state, or may not be. First do what \
                 that run says; then {unlock}."
            );
        }
        match self.liveness() {
            Liveness::Alive => "Wait: that run is alive and releases the lock when it ends.".to_owned(),
            Liveness::Finishing { until } => format!(
                "{} is over; its clean-up may still release the lock. When it is still there at {}, {unlock}.",
                self.what_is_over(),
                clock(until)
            ),
            Liveness::Dead => {
                format!("{} is over and left its lock behind. {}.", self.what_is_over(), capitalised(&unlock))
            }
            // What GitHub does not vouch for, a person has to.
            Liveness::Unknown { .. } if info.run().is_some() && self.run.is_none() && !self.in_job => format!(
                "{}: there GitHub proves whether the run is over. \
                 Only where that cannot be, and when its Terraform is dead for certain, {}.",
                capitalised(&unlock_by_workflow(&self.inputs())),
                self.unlock(true)
            ),
            Liveness::Unknown { why } if info.run().is_some() => format!(
                "See whether that run is over; nothing proves it: {}. When its Terraform is dead for certain, {}.",
                one_line(&why),
                self.unlock(true)
            ),
            Liveness::Unknown { .. } => {
                format!("Ask {who}. When that Terraform is dead for certain, {unlock}.")
            }
        }
    }

    /// Whether GitHub says that the whole run is over.
    pub(super) fn is_run_over(&self) -> bool {
        self.run.as_ref().is_none_or(|(_, state)| state.is_over())
    }

    /// A run can go on, or wait for a reviewer, when the job that took the lock is over.
    fn what_is_over(&self) -> &'static str {
        if self.is_run_over() { "That run" } else { "The job of that run that took the lock" }
    }

    /// How this lock is removed from here, as a part of a sentence. In a job it is never a command: on
    /// a laptop nobody can prove a run dead, and the role may be one that people do not have.
    fn unlock(&self, by_force: bool) -> String {
        if self.in_job {
            let force = if by_force { ", force" } else { "" };
            return unlock_by_workflow(&format!("{}{force}", self.inputs()));
        }
        let force = if by_force { " --force" } else { "" };
        let lock = match self.name() {
            Name::Id(id) => format!("--lock-id {}", shell_words::quote(&id)),
            Name::ETag(etag) => format!("--etag {etag}"),
        };
        format!("run `stategate unlock {lock}{force} --reason TEXT{}`", self.flags)
    }

    /// The inputs of the workflow that name this lock. Without an ID, force takes what cannot be read
    /// and nothing else.
    fn inputs(&self) -> String {
        match self.name() {
            Name::Id(id) => lock_id(&id),
            Name::ETag(etag) if self.info().is_none() => format!("force (or, where it has that input, etag `{etag}`)"),
            Name::ETag(etag) => format!("etag `{etag}`"),
        }
    }

    /// What names this lock. People copy it, and anybody may have written the ID: one that is not
    /// plain is named by its `ETag` instead.
    fn name(&self) -> Name {
        let is_plain = |id: &str| {
            id.len() <= 100 && id.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter))
        };
        let etag = self.seen.etag.as_deref().map(|etag| etag.trim_matches('"').to_owned());
        match (self.info(), etag) {
            (Some(info), Some(etag)) if !is_plain(&info.id) => Name::ETag(etag),
            (Some(info), _) => Name::Id(one_line(&info.id)),
            (None, etag) => Name::ETag(etag.unwrap_or_default()),
        }
    }

    pub(super) fn view(&self) -> HolderView {
        let info = self.info();
        HolderView {
            store: self.seen.store.as_str().to_owned(),
            id: info.map(|info| info.id.clone()),
            who: info.map_or_else(|| "unknown (the lock cannot be read)".to_owned(), LockInfo::holder),
            operation: info.map(|info| info.operation.clone()).unwrap_or_default(),
            info: info.map(|info| info.info.clone()).unwrap_or_default(),
            freeze_reason: self.freeze_reason().map(str::to_owned),
            since: self.since(),
            age_seconds: self.seen.age().map(|age| age.as_secs()),
            run_url: self.run.as_ref().map(|(run, _)| run.url()),
            pull_request: self.run.as_ref().and_then(|_| Some(info?.pull_request()?.1)),
            liveness: match self.liveness() {
                Liveness::Alive => Shown::Alive,
                Liveness::Finishing { .. } | Liveness::Dead => Shown::Finished,
                Liveness::Unknown { .. } => Shown::Unknown,
            },
            next_step: self.next_step(),
        }
    }

    /// `2026-11-21 13:37 UTC, for 1 h 2 min`; empty when nobody knows.
    pub(super) fn since_words(&self) -> String {
        let age = self.seen.age().map(|age| format!("for {}", duration(age.as_secs())));
        let parts = [self.since().map(clock), age];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// What its Terraform does, in words; empty for a freeze.
    pub(super) fn work(&self) -> String {
        match self.info().map(|info| info.operation.as_str()) {
            Some("OperationTypePlan") => "a plan".to_owned(),
            Some("OperationTypeApply") => "an apply".to_owned(),
            Some("freeze") | None => String::new(),
            Some(other) => one_line(other),
        }
    }

    fn since(&self) -> Option<Timestamp> {
        self.seen.last_modified.or_else(|| self.info().and_then(LockInfo::created_at))
    }

    /// One line for the log.
    pub(super) fn line(&self) -> String {
        let Some(info) = self.info() else {
            return format!("a lock that cannot be read, in {}", self.seen.store.as_str());
        };
        let age = self.seen.age().map_or_else(String::new, |age| format!(", for {}", duration(age.as_secs())));
        let what = if info.operation == "freeze" { "a freeze".to_owned() } else { self.work() };
        let told = self.freeze_reason().unwrap_or(&info.info);
        let told = if told.is_empty() { String::new() } else { format!(": {}", one_line(told)) };
        format!("{} ({what}{age}){told} [lock ID {}]", info.holder(), one_line(&info.id))
    }
}

/// The error of a state that these hold.
pub(super) fn locked(holders: &[Holder]) -> Error {
    if let Some((holder, info, reason)) =
        holders.iter().find_map(|holder| Some((holder, holder.info()?, holder.freeze_reason()?)))
    {
        return Error::Frozen {
            who: info.holder(),
            since: holder.since().map(|since| format!(" since {}", clock(since))).unwrap_or_default(),
            reason: one_line(reason),
            next_step: holder.next_step(),
        };
    }
    match holders.first() {
        Some(holder) => Error::Locked { holder: holder.line(), next_step: holder.next_step() },
        None => Error::Locked { holder: "somebody who is gone by now".to_owned(), next_step: "Run again.".to_owned() },
    }
}

/// `2 h 5 min`, `3 min 20 s`, `45 s`.
pub(super) fn duration(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// A line of an answer on standard output: a name and what there is to say, on a terminal within its
/// width.
pub(super) fn row(name: &str, value: &str) -> String {
    let value = match columns(std::io::stdout()) {
        Some(columns) => wrapped(value, ROW.len(), columns),
        None => value.to_owned(),
    };
    format!("  {name:<10} {value}\n")
}

/// Where the values of all rows begin.
const ROW: &str = "  frozen by  ";

/// A moment in UTC.
pub(super) fn clock(at: Timestamp) -> String {
    at.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%d %H:%M UTC").to_string()
}
