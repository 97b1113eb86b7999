//! The state's bucket and the lock in it: performs the steps that [`crate::core::locking`]
//! decides, and reports what each store answered.

mod error;

use std::fmt;
use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;

use crate::core::backend::{Backend, Store};
use crate::core::lock_info::LockInfo;

pub use error::{AwsError, AwsErrorKind};

/// The bucket that holds the state, reached as the backend says. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Bucket {
    backend: std::sync::Arc<Backend>,
}

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
    /// S3 only: identifies exactly this object.
    pub etag: Option<String>,
    /// S3 only: since when, by S3's clock.
    pub last_modified: Option<Timestamp>,
    /// The store's own clock when it answered (its `Date` header).
    pub seen_at: Option<Timestamp>,
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
    /// A store could not be asked, or its answers stayed unclear.
    #[error(transparent)]
    Aws(#[from] AwsError),
}

/// Our lock on the state. Releasing consumes it; dropping it leaves the lock in place.
#[must_use = "a lock that is not released stays"]
pub struct HeldLock {
    bucket: Bucket,
    info: LockInfo,
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
    /// It changed since it was seen; not touched. `None` when it cannot be read any more.
    Changed(Option<LockSeen>),
}

impl Bucket {
    /// Prepares the clients; asks nothing of S3 yet.
    pub async fn connect(backend: Backend) -> Result<Bucket, AwsError> {
        Ok(Bucket { backend: std::sync::Arc::new(backend) })
    }

    /// The backend behind it.
    pub fn backend(&self) -> &Backend {
        &self.backend
    }

    /// An object, or `None` when there is none.
    pub async fn get(&self, _key: &str) -> Result<Option<Object>, AwsError> {
        Err(AwsError::stub())
    }

    /// An object's properties, or `None` when there is none.
    pub async fn head(&self, _key: &str) -> Result<Option<ObjectHead>, AwsError> {
        Err(AwsError::stub())
    }

    /// Writes an object with the state's own encryption and ACL, over whatever is there.
    pub async fn put(&self, _key: &str, _bytes: Vec<u8>, _content_type: &str) -> Result<(), AwsError> {
        Err(AwsError::stub())
    }

    /// Writes an object unless one is there already. `false`: there is one, with other content.
    pub async fn put_if_absent(&self, _key: &str, _bytes: Vec<u8>, _content_type: &str) -> Result<bool, AwsError> {
        Err(AwsError::stub())
    }

    /// All keys under a prefix, in S3's order.
    pub async fn list(&self, _prefix: &str) -> Result<Vec<String>, AwsError> {
        Err(AwsError::stub())
    }
}

/// Takes the lock, waiting as told. When `cancelled` resolves, whatever we may have stored is
/// found and removed before this returns: cancel, do not drop.
pub async fn acquire(
    _bucket: &Bucket,
    _info: LockInfo,
    _wait: Wait,
    _cancelled: impl Future<Output = ()>,
    _on_event: impl FnMut(WaitEvent<'_>),
) -> Result<HeldLock, AcquireError> {
    Err(AcquireError::Aws(AwsError::stub()))
}

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
        Err(VerifyError::Aws(AwsError::stub()))
    }

    /// Lets it go, every half of it; never touches anybody else's.
    pub async fn release(self) -> Result<Released, AwsError> {
        let _ = &self.bucket;
        Err(AwsError::stub())
    }
}

/// The lock as it stands in every store that the backend names; empty when the state is free.
pub async fn read_locks(_bucket: &Bucket) -> Result<Vec<LockSeen>, AwsError> {
    Err(AwsError::stub())
}

/// Removes exactly the lock that was seen, on the condition that it has not changed.
pub async fn remove(_bucket: &Bucket, _seen: &LockSeen) -> Result<Removed, AwsError> {
    Err(AwsError::stub())
}

/// The clean-up step: removes every half of the lock that `is_ours` recognizes, conditional on
/// what was read. Returns the locks removed.
pub async fn release_ours(_bucket: &Bucket, _is_ours: impl Fn(&LockInfo) -> bool) -> Result<Vec<LockSeen>, AwsError> {
    Err(AwsError::stub())
}
