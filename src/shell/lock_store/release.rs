//! Reading the lock, and letting it go: our own, one that was seen, or what a run left behind.

use super::bucket::Bucket;
use super::error::AwsError;
use super::perform::{Performer, read};
use super::s3::Attempts;
use super::{CleanedUp, HeldLock, LockSeen, Released, Removed, VerifyError};
use stategate_core::backend::Store;
use stategate_core::lock_info::LockInfo;
use stategate_core::locking::{Ending, Release};

impl HeldLock {
    /// The lock info we wrote.
    pub fn info(&self) -> &LockInfo {
        &self.info
    }

    /// Leaves the lock in place on purpose: a freeze, or a state that must not be touched.
    #[must_use]
    pub fn keep(self) -> LockInfo {
        self.info
    }

    /// Asks every store whether the lock is still ours.
    pub async fn verify(&self) -> Result<(), VerifyError> {
        let found = read_locks(&self.bucket).await?;
        let is_ours = |store: Store| found.iter().any(|seen| seen.store == store && seen.id() == Some(&self.info.id));
        if self.halves.iter().all(|half| is_ours(half.store)) {
            return Ok(());
        }
        Err(VerifyError::Lost { id: self.info.id.clone(), found })
    }

    /// Lets it go, every half of it; never touches anybody else's. After an error the lock may
    /// still be there: the clean-up step tries again.
    pub async fn release(self) -> Result<Released, AwsError> {
        let mut performer = Performer::new(&self.bucket, String::new());
        let endings = run(&mut performer, Release::of_holder(self.info.id.clone(), self.halves)).await;
        if endings.contains(&Ending::Failed) || endings.contains(&Ending::Unseen) {
            Err(performer.error())
        } else if endings.contains(&Ending::NotOurs) {
            Ok(Released::NotOurs(performer.seen))
        } else if endings.contains(&Ending::Gone) {
            Ok(Released::AlreadyGone)
        } else {
            Ok(Released::Done)
        }
    }
}

/// The lock as it stands in every store that the backend names; empty when the state is free.
pub async fn read_locks(bucket: &Bucket) -> Result<Vec<LockSeen>, AwsError> {
    let mut locks = Vec::new();
    for store in bucket.backend().stores() {
        locks.extend(read(bucket, *store, Attempts::AsConfigured).await?);
    }
    Ok(locks)
}

/// Removes exactly the lock that was seen, on the condition that it has not changed.
pub async fn remove(bucket: &Bucket, seen: &LockSeen) -> Result<Removed, AwsError> {
    let mut performer = Performer::new(bucket, String::new());
    let endings = run(&mut performer, Release::of_exactly(seen.store, seen.tag.clone())).await;
    match endings.first() {
        Some(Ending::Removed) => Ok(Removed::Done),
        Some(Ending::Gone) => Ok(Removed::AlreadyGone),
        Some(Ending::NotOurs) => match read(bucket, seen.store, Attempts::AsConfigured).await? {
            Some(now) => Ok(Removed::Changed(Box::new(now))),
            None => Ok(Removed::AlreadyGone),
        },
        Some(Ending::Failed | Ending::Unseen) | None => Err(performer.error()),
    }
}

/// The clean-up step: removes every half of the lock that `is_ours` recognizes, conditional on
/// what was read. Both stores are tried whatever happens in one.
pub async fn release_ours(bucket: &Bucket, is_ours: impl Fn(&LockInfo) -> bool) -> CleanedUp {
    let mut cleaned_up = CleanedUp { removed: Vec::new(), failed: None };
    for store in bucket.backend().stores() {
        match release_ours_in(bucket, *store, &is_ours).await {
            Ok(lock) => cleaned_up.removed.extend(lock),
            Err(error) => cleaned_up.failed = cleaned_up.failed.or(Some(error)),
        }
    }
    cleaned_up
}

async fn release_ours_in(
    bucket: &Bucket,
    store: Store,
    is_ours: &impl Fn(&LockInfo) -> bool,
) -> Result<Option<LockSeen>, AwsError> {
    let Some(seen) = read(bucket, store, Attempts::AsConfigured).await? else { return Ok(None) };
    if !seen.body.as_ref().is_ok_and(is_ours) {
        return Ok(None);
    }
    match remove(bucket, &seen).await? {
        Removed::Done => Ok(Some(seen)),
        Removed::AlreadyGone | Removed::Changed(_) => Ok(None),
    }
}

async fn run(performer: &mut Performer<'_>, mut machine: Release<String, String>) -> Vec<Ending> {
    while let Some(step) = machine.step() {
        let answer = performer.perform(step).await;
        machine.observe(answer);
    }
    machine.endings().iter().map(|(_, ending)| *ending).collect()
}
