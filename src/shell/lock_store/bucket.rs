//! The objects beside the lock: the state itself, and our records.

use std::io::{self, Cursor, Read};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::client::{Clients, clients};
use super::dynamodb::LockItem;
use super::error::{AwsError, AwsErrorKind};
use super::s3::{Attempts, Opened, S3};
use super::{Object, ObjectHead};
use stategate_core::backend::Backend;

/// How often an unclear write-if-absent is looked after and repeated.
const TRIES: u32 = 4;

/// The most that is read of a record, an entry of the trail and the like, in bytes. A record of
/// some thousand changes has about one MiB.
const MOST: usize = 16 * 1024 * 1024;

/// How many parts of an object wait for its reader.
const CHUNKS: usize = 4;

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

    /// An object, or `None` when there is none. One that is larger than anything of ours is an error,
    /// and is not loaded.
    pub async fn get(&self, key: &str) -> Result<Option<Object>, AwsError> {
        let Some(mut opened) = self.s3().open(key, Attempts::AsConfigured).await? else { return Ok(None) };
        let Some(bytes) = opened.within(MOST).await? else { return Err(opened.too_large(MOST)) };
        let Opened { etag, version_id, last_modified, .. } = opened;
        Ok(Some(Object { bytes, etag, version_id, last_modified }))
    }

    /// Lets `read` read an object of any size while it arrives; `None` when there is none. Answers
    /// its version, too.
    pub async fn read_through<T: Send + 'static>(
        &self,
        key: &str,
        read: impl FnOnce(&mut dyn Read) -> T + Send + 'static,
    ) -> Result<Option<(Option<String>, T)>, AwsError> {
        let Some(mut opened) = self.s3().open(key, Attempts::AsConfigured).await? else { return Ok(None) };
        let (sender, receiver) = mpsc::channel(CHUNKS);
        let reading = tokio::task::spawn_blocking(move || read(&mut Chunks { receiver, chunk: Cursor::default() }));
        while let Some(chunk) = opened.next().await? {
            // Who reads no further has read enough.
            if sender.send(chunk).await.is_err() {
                break;
            }
        }
        drop(sender);
        let broken = |_| AwsError::new("GetObject", key.to_owned(), AwsErrorKind::Unexpected("its reader broke off"));
        Ok(Some((opened.version_id, reading.await.map_err(broken)?)))
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
            match self.get(key).await {
                Ok(Some(object)) => return Ok(object.bytes == bytes),
                Err(AwsError { kind: AwsErrorKind::TooLarge(_), .. }) => return Ok(false),
                Ok(None) => {}
                Err(error) => return Err(error),
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

    /// STS with the credentials that the job has, where it is worth asking.
    pub(super) fn identity(&self) -> Option<&aws_sdk_sts::Client> {
        self.0.clients.identity.as_ref()
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

/// An object's parts as they arrive.
struct Chunks {
    receiver: mpsc::Receiver<Vec<u8>>,
    chunk: Cursor<Vec<u8>>,
}

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.chunk.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            match self.receiver.blocking_recv() {
                Some(chunk) => self.chunk = Cursor::new(chunk),
                None => return Ok(0),
            }
        }
    }
}
