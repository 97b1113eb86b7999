//! The objects beside the lock: the state itself, and our records.

use std::sync::Arc;
use std::time::Duration;

use super::client::{Clients, clients};
use super::dynamodb::LockItem;
use super::error::{AwsError, AwsErrorKind};
use super::s3::{Attempts, S3};
use super::{Object, ObjectHead};
use stategate_core::backend::Backend;

/// How often an unclear write-if-absent is looked after and repeated.
const TRIES: u32 = 4;

/// The bucket that holds the state, reached as the backend says. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Bucket(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    backend: Backend,
    clients: Clients,
    path: String,
    lock_key: String,
}

impl Bucket {
    /// Prepares the clients; asks nothing of AWS yet, so that a bucket that cannot be reached
    /// shows with the first request.
    pub async fn connect(backend: Backend) -> Bucket {
        // The SDK's own future is large.
        let clients = Box::pin(clients(&backend)).await;
        let (path, lock_key) = (backend.path(), backend.lock_key());
        Bucket(Arc::new(Inner { backend, clients, path, lock_key }))
    }

    /// The backend behind it.
    pub fn backend(&self) -> &Backend {
        &self.0.backend
    }

    /// An object, or `None` when there is none.
    pub async fn get(&self, key: &str) -> Result<Option<Object>, AwsError> {
        Ok(self.s3().get(key, Attempts::AsConfigured).await?.map(|(object, _)| object))
    }

    /// An object's properties, or `None` when there is none (or no bucket: S3 does not tell).
    pub async fn head(&self, key: &str) -> Result<Option<ObjectHead>, AwsError> {
        self.s3().head(key).await
    }

    /// Writes an object with the state's own encryption and ACL, over whatever is there.
    pub async fn put(&self, key: &str, bytes: Vec<u8>, content_type: &str) -> Result<(), AwsError> {
        self.s3().put(key, bytes, content_type, false, Attempts::AsConfigured).await.map(drop)
    }

    /// Writes an object unless one is there already. `false`: there is one, with other content.
    /// After an unclear answer the content tells whether it was ours.
    pub async fn put_if_absent(&self, key: &str, bytes: Vec<u8>, content_type: &str) -> Result<bool, AwsError> {
        let mut tries = 0;
        loop {
            let error = match self.s3().put(key, bytes.clone(), content_type, true, Attempts::One).await {
                Ok(_) => return Ok(true),
                Err(error) if error.kind == AwsErrorKind::Precondition || error.kind.is_unclear() => error,
                Err(error) => return Err(error),
            };
            if let Some(object) = self.get(key).await? {
                return Ok(object.bytes == bytes);
            }
            tries += 1;
            if tries == TRIES {
                return Err(error);
            }
            tokio::time::sleep(Duration::from_millis(100 << tries)).await;
        }
    }

    /// All keys under a prefix, in S3's order.
    pub async fn list(&self, prefix: &str) -> Result<Vec<String>, AwsError> {
        self.s3().list(prefix).await
    }

    pub(super) fn s3(&self) -> S3<'_> {
        S3 { client: &self.0.clients.s3, backend: &self.0.backend }
    }

    pub(super) fn sts(&self) -> &aws_sdk_sts::Client {
        &self.0.clients.sts
    }

    pub(super) fn is_amazon(&self) -> bool {
        self.0.clients.is_amazon
    }

    pub(super) fn lock_key(&self) -> &str {
        &self.0.lock_key
    }

    /// The lock item, if the backend names a table.
    pub(super) fn lock_item(&self) -> Option<LockItem<'_>> {
        let table = self.0.backend.dynamodb_table.as_deref()?;
        Some(LockItem { client: &self.0.clients.dynamodb, table, lock_id: &self.0.path })
    }
}
