//! One step of the lock's protocol, performed: a request, and what its answer means.

use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::LockSeen;
use super::bucket::Bucket;
use super::error::{AwsError, AwsErrorKind};
use super::s3::Attempts;
use stategate_core::backend::Store;
use stategate_core::lock_info::LockInfo;
use stategate_core::locking::{Answer, Step};

/// The shortest pause after trouble; it doubles up to [`LONGEST_BACKOFF`].
const BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);
/// What is read of a lock, in bytes. Terraform's have a few hundred.
const MOST_OF_LOCK: usize = 64 * 1024;

/// Performs steps and remembers what a report needs and the machines do not: errors and holders.
#[derive(Debug)]
pub(super) struct Performer<'a> {
    bucket: &'a Bucket,
    /// The body of our own lock; empty for whoever only removes.
    body: String,
    pub(super) last_error: Option<AwsError>,
    /// The locks read last, one a store.
    pub(super) seen: Vec<LockSeen>,
}

impl<'a> Performer<'a> {
    pub(super) fn new(bucket: &'a Bucket, body: String) -> Self {
        Performer { bucket, body, last_error: None, seen: Vec::new() }
    }

    /// Performs a request, or a backoff. A wait is the caller's.
    pub(super) async fn perform(&mut self, step: Step<String>) -> Answer<String, String> {
        match step {
            Step::Put(store) => self.put(store).await,
            Step::Read(store) => self.read(store).await,
            Step::Delete(store, tag) => self.delete(store, tag).await,
            Step::Backoff(number) => {
                tokio::time::sleep(jittered(backoff(number))).await;
                Answer::Resumed
            }
            Step::Wait(_) => Answer::Resumed,
        }
    }

    /// Why it failed.
    pub(super) fn error(&mut self) -> AwsError {
        self.last_error.take().unwrap_or_else(|| {
            let place = format!("s3://{}/{}", self.bucket.backend().bucket, self.bucket.lock_key());
            AwsError::new("GetObject", place, AwsErrorKind::Unexpected("the lock keeps changing"))
        })
    }

    /// The store has said for too long that a lock is there, and that none is.
    pub(super) fn contradiction(&self) -> AwsError {
        let bucket = self.bucket;
        let place = match bucket.backend().stores().last() {
            Some(Store::S3) | None => format!("s3://{}/{}", bucket.backend().bucket, bucket.lock_key()),
            Some(Store::DynamoDb) => format!("the lock of {}", bucket.backend().path()),
        };
        AwsError::new("PutObject", place, AwsErrorKind::Contradiction)
    }

    async fn put(&mut self, store: Store) -> Answer<String, String> {
        let put = match store {
            Store::S3 => {
                let body = self.body.clone().into_bytes();
                self.bucket.s3().put(self.bucket.lock_key(), body, "application/json", true, Attempts::One).await
            }
            Store::DynamoDb => match self.bucket.lock_item() {
                Some(item) => item.put(&self.body).await.map(|()| Some(self.body.clone())),
                None => return Answer::Refused,
            },
        };
        match put {
            Ok(Some(tag)) => Answer::Created(tag),
            // A store that does not tell its tag has to be asked.
            Ok(None) => Answer::Exists,
            Err(error) if error.kind == AwsErrorKind::Precondition => Answer::Exists,
            Err(error) => self.note(error),
        }
    }

    async fn read(&mut self, store: Store) -> Answer<String, String> {
        let read = read(self.bucket, store, Attempts::One).await;
        self.seen.retain(|seen| seen.store != store);
        match read {
            Ok(None) => Answer::Absent,
            Ok(Some(seen)) => {
                let answer = Answer::Present { id: seen.id().map(str::to_owned), tag: seen.tag.clone() };
                self.seen.push(seen);
                answer
            }
            Err(error) => self.note(error),
        }
    }

    async fn delete(&mut self, store: Store, tag: Option<String>) -> Answer<String, String> {
        let deleted = match (store, self.bucket.lock_item()) {
            (Store::S3, _) => self.bucket.s3().delete(self.bucket.lock_key(), tag.as_deref()).await,
            (Store::DynamoDb, Some(item)) => item.delete(tag.as_deref().unwrap_or_default()).await,
            (Store::DynamoDb, None) => Ok(false),
        };
        match deleted {
            Ok(true) => Answer::Deleted,
            Ok(false) => Answer::Absent,
            Err(error) if error.kind == AwsErrorKind::Precondition => Answer::Mismatch,
            Err(error) if error.kind == AwsErrorKind::NoConditions => {
                tracing::warn!(%error, "the store has no conditional delete: comparing first, then deleting");
                self.last_error = Some(error);
                Answer::NoConditions
            }
            Err(error) => self.note(error),
        }
    }

    fn note(&mut self, error: AwsError) -> Answer<String, String> {
        let answer = match &error.kind {
            kind if kind.is_unsent() => Answer::Unsent,
            kind if kind.is_unclear() => Answer::Unclear,
            _ => Answer::Refused,
        };
        detail!(%error, ?answer, "a request for the lock failed");
        self.last_error = Some(error);
        answer
    }
}

/// Reads the lock in one store.
pub(super) async fn read(bucket: &Bucket, store: Store, attempts: Attempts) -> Result<Option<LockSeen>, AwsError> {
    match store {
        Store::S3 => {
            let Some(mut opened) = bucket.s3().open(bucket.lock_key(), attempts).await? else { return Ok(None) };
            let body = opened.within(MOST_OF_LOCK).await?;
            let Some(etag) = opened.etag else {
                let place = format!("s3://{}/{}", bucket.backend().bucket, bucket.lock_key());
                return Err(AwsError::new("GetObject", place, AwsErrorKind::Unexpected("the store sends no ETag")));
            };
            Ok(Some(LockSeen {
                store,
                body: body.map_or_else(|| Err(too_large(opened.size)), |bytes| parse(&bytes)),
                etag: Some(etag.clone()),
                last_modified: opened.last_modified,
                seen_at: opened.seen_at,
                tag: etag,
            }))
        }
        Store::DynamoDb => {
            let Some(item) = bucket.lock_item() else { return Ok(None) };
            let read = item.get(attempts).await?;
            Ok(read.map(|(info, seen_at)| LockSeen {
                store,
                body: if info.len() > MOST_OF_LOCK {
                    Err(too_large(u64::try_from(info.len()).ok()))
                } else {
                    parse(info.as_bytes())
                },
                etag: Some(hash(&info)),
                last_modified: None,
                seen_at,
                tag: info,
            }))
        }
    }
}

/// Names an item's exact body on a command line, as an `ETag` does an object's.
fn hash(body: &str) -> String {
    let digest = Sha256::digest(body.as_bytes());
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn parse(body: &[u8]) -> Result<LockInfo, String> {
    LockInfo::parse(body).map_err(|_unreadable| String::from_utf8_lossy(body).into_owned())
}

/// In the place of a body that nobody needs to see.
fn too_large(size: Option<u64>) -> String {
    let size = size.map_or_else(|| "more".to_owned(), |size| format!("{size} bytes, more"));
    format!("({size} than the {} KiB that a lock may have; it was not read)", MOST_OF_LOCK / 1024)
}

fn backoff(number: u8) -> Duration {
    BACKOFF.saturating_mul(1 << number.min(10)).min(LONGEST_BACKOFF)
}

/// Between half and one and a half of it, so that those who collided once do not again.
pub(super) fn jittered(duration: Duration) -> Duration {
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    duration.mul_f64(0.5 + f64::from(random) / f64::from(u32::MAX))
}
