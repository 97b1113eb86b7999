//! Does this store keep what the lock builds on? Asked off the critical path, by requests that
//! change nothing in a store that does.

use super::HeldLock;
use super::bucket::Bucket;
use super::error::{AwsError, AwsErrorKind};
use super::perform::read;
use super::s3::Attempts;
use stategate_core::backend::{Accounts, Store};

/// No object has this `ETag`, and no lock item this `Info`.
const NO_TAG: &str = "\"stategate-matches-nothing\"";

/// May we delete the lock? Asked before holding it, by a delete that cannot match: 403 tells from
/// 404 and 412. Another service than Amazon's own might ignore the condition and delete somebody's
/// lock, so there it is asked only while there is none; [`HeldLock::check_store`] asks again, of
/// our own lock.
pub async fn preflight(bucket: &Bucket) -> Result<(), AwsError> {
    // Rarely asked, and large.
    Box::pin(check_account(bucket)).await?;
    for store in bucket.backend().stores() {
        let answer = match store {
            Store::S3 => {
                if !bucket.is_amazon() && !matches!(read(bucket, Store::S3, Attempts::One).await, Ok(None)) {
                    continue;
                }
                bucket.s3().delete(bucket.lock_key(), Some(NO_TAG)).await
            }
            Store::DynamoDb => match bucket.lock_item() {
                Some(item) => item.delete(NO_TAG).await,
                None => continue,
            },
        };
        tolerate(answer)?;
    }
    Ok(())
}

/// Are the credentials of an account that the backend allows? Asked only where it names some.
async fn check_account(bucket: &Bucket) -> Result<(), AwsError> {
    let accounts = &bucket.backend().accounts;
    if *accounts == Accounts::Any {
        return Ok(());
    }
    let place = || "the credentials' account".to_owned();
    let answer = bucket.sts().get_caller_identity().send().await;
    let answer = answer.map_err(|error| AwsError::from_sdk("GetCallerIdentity", place(), error))?;
    match answer.account {
        Some(account) if accounts.allow(&account) => Ok(()),
        account => {
            let kind = AwsErrorKind::Account(account.unwrap_or_default());
            Err(AwsError::new("GetCallerIdentity", place(), kind))
        }
    }
}

impl HeldLock {
    /// Finds out a store that ignores conditions, in which a lock excludes nobody, and a lock that
    /// we may not delete. Two requests, none on Amazon S3 itself. To be awaited before anything
    /// relies on the lock; after an error, release it.
    pub async fn check_store(&self) -> Result<(), AwsError> {
        let bucket = &self.bucket;
        if bucket.is_amazon() || !bucket.backend().stores().contains(&Store::S3) {
            return Ok(());
        }
        let unanswered = match self.is_written_over().await {
            Ok(true) => return Err(self.ignores("PutObject")),
            Ok(false) => None,
            Err(error) if error.kind.is_unclear() => Some(error),
            Err(error) => return Err(error),
        };
        match (bucket.s3().delete(bucket.lock_key(), Some(NO_TAG)).await, unanswered) {
            (Ok(true), _) => Err(self.ignores("DeleteObject")),
            // Whoever heeds this condition heeds the other, which is older and more widely known.
            (Err(error), Some(_)) if error.kind == AwsErrorKind::Precondition => Ok(()),
            (_, Some(unanswered)) => Err(unanswered),
            (answer, None) => tolerate(answer),
        }
    }

    /// Our own lock once more, as it stands: harmless where it is written over. Twice, for if
    /// somebody has just removed it, the first one rightly succeeds.
    async fn is_written_over(&self) -> Result<bool, AwsError> {
        Ok(self.put_again().await? && self.put_again().await?)
    }

    async fn put_again(&self) -> Result<bool, AwsError> {
        let body = self.info.to_go_json().into_bytes();
        let key = self.bucket.lock_key();
        match self.bucket.s3().put(key, body, "application/json", true, Attempts::AsConfigured).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind == AwsErrorKind::Precondition => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn ignores(&self, operation: &'static str) -> AwsError {
        let place = format!("s3://{}/{}", self.bucket.backend().bucket, self.bucket.lock_key());
        AwsError::new(operation, place, AwsErrorKind::IgnoresConditions)
    }
}

/// Only a denial counts; whatever else is wrong will show where it matters.
fn tolerate(answer: Result<bool, AwsError>) -> Result<(), AwsError> {
    match answer {
        Err(error) if matches!(error.kind, AwsErrorKind::AccessDenied { .. }) => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}
