//! The state's bucket and the lock in it: performs the steps that [`stategate_core::locking`]
//! decides, and reports what each store answered.

mod account;
mod acquire;
mod bucket;
mod check;
mod client;
mod credentials;
mod dynamodb;
mod error;
mod http;
mod perform;
mod profile;
mod release;
mod s3;

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use stategate_core::backend::Store;
use stategate_core::lock_info::LockInfo;
use stategate_core::locking::Target;

pub use acquire::acquire;
pub use bucket::Bucket;
pub use check::preflight;
pub use error::{AwsError, AwsErrorKind};
pub use release::{read_locks, release_ours, remove};

/// An object as it was read.
#[derive(Debug, Clone)]
pub struct Object {
    /// The content.
    pub bytes: Vec<u8>,
    /// The `ETag`, with its quotes.
    pub etag: Option<String>,
    /// In a versioned bucket.
    pub version_id: Option<String>,
    /// By S3's clock.
    pub last_modified: Option<Timestamp>,
}

/// An object's properties.
#[derive(Debug, Clone)]
pub struct ObjectHead {
    /// Bytes.
    pub size: u64,
    /// The `ETag`, with its quotes.
    pub etag: Option<String>,
    /// In a versioned bucket.
    pub version_id: Option<String>,
    /// By S3's clock.
    pub last_modified: Option<Timestamp>,
}

/// One half of a lock as a store shows it.
#[derive(Debug, Clone)]
pub struct LockSeen {
    /// Where it was seen.
    pub store: Store,
    /// The lock info, or the raw body when it cannot be read.
    pub body: Result<LockInfo, String>,
    /// Identifies exactly this body: S3's `ETag`; for the lock table, which has none, a hash of ours.
    pub etag: Option<String>,
    /// S3 only: since when, by S3's clock.
    pub last_modified: Option<Timestamp>,
    /// The store's own clock when it answered (its `Date` header).
    pub seen_at: Option<Timestamp>,
    /// What identifies exactly this lock in its store.
    tag: String,
}

impl LockSeen {
    /// The lock ID, when the body can be read.
    pub fn id(&self) -> Option<&str> {
        self.body.as_ref().ok().map(|info| info.id.as_str())
    }

    /// How long it has been there: by S3's clock alone, or for DynamoDB from the holder's
    /// `Created` to the table's clock. For showing, never for expiring.
    pub fn age(&self) -> Option<Duration> {
        let since = self.last_modified.or_else(|| self.body.as_ref().ok()?.created_at())?;
        Duration::try_from(self.seen_at?.duration_since(since)).ok()
    }
}

/// How long to wait for a lock that somebody else holds.
#[derive(Debug, Clone, Copy)]
pub struct Wait {
    /// From the first attempt; zero means one attempt. There is a last one at the deadline.
    pub timeout: Duration,
}

/// What a waiting client may tell.
#[derive(Debug)]
pub enum WaitEvent<'a> {
    /// Somebody else holds the lock. Told at first, when the holder changes, and every 30 s.
    Held {
        /// The holder's lock, one entry a store.
        by: &'a [LockSeen],
        /// Since our first attempt.
        waited: Duration,
        /// Until we give up.
        left: Duration,
    },
}

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
pub enum AcquireError {
    /// Held by somebody else until the time was up.
    #[error("the state is locked")]
    Held(Vec<LockSeen>),
    /// The caller cancelled; nothing of ours is left behind.
    #[error("cancelled while waiting for the lock")]
    Cancelled,
    /// A store refused, or its answers stayed unclear; nothing of ours is left behind.
    #[error("the lock could not be taken: {0}")]
    Aws(#[source] AwsError),
    /// As before, and a lock of ours may be left behind: the clean-up step will look again.
    #[error("the lock could not be taken, and a part of it may be left behind under the ID {id}: {error}")]
    LeftBehind {
        /// The ID of the lock that may be there.
        id: String,
        /// Why it could not be taken back.
        #[source]
        error: AwsError,
    },
}

/// Our lock on the state. Releasing consumes it; dropping it leaves the lock in place.
#[must_use = "a lock that is not released stays"]
pub struct HeldLock {
    bucket: Bucket,
    info: LockInfo,
    halves: Vec<Target<String>>,
}

impl fmt::Debug for HeldLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HeldLock").field(&self.info.id).finish()
    }
}

/// Why a lock is not known to be ours any more.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// It was removed, or somebody else's stands in its place.
    #[error("the lock {id} is no longer ours")]
    Lost {
        /// Our lock's ID.
        id: String,
        /// What stands in the stores now.
        found: Vec<LockSeen>,
    },
    /// A store could not be asked.
    #[error(transparent)]
    Aws(#[from] AwsError),
}

/// How a release ended.
#[derive(Debug)]
pub enum Released {
    /// Every half was ours and is gone.
    Done,
    /// Somebody else had removed it, in whole or in part; none of it is left.
    AlreadyGone,
    /// What stands there now is somebody else's. It was not touched.
    NotOurs(Vec<LockSeen>),
}

/// How the removal of a lock that was seen ended.
#[derive(Debug)]
pub enum Removed {
    /// Exactly what was seen is gone.
    Done,
    /// It was gone already.
    AlreadyGone,
    /// It changed since it was seen into this; not touched.
    Changed(Box<LockSeen>),
}

/// How a clean-up ended. What was removed in one store is told whatever happened in the other.
#[derive(Debug)]
#[must_use]
pub struct CleanedUp {
    /// The locks that are gone now.
    pub removed: Vec<LockSeen>,
    /// Why one may still be there.
    pub failed: Option<AwsError>,
}
