//! Requests to S3, with the headers Terraform sends for the same backend.

use std::error::Error;
use std::sync::{Arc, OnceLock};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{Builder, ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::{BoxError, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::builders::GetObjectFluentBuilder;
use aws_sdk_s3::operation::head_object::builders::HeadObjectFluentBuilder;
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::primitives::{ByteStream, ByteStreamError, DateTime};
use aws_sdk_s3::types::{ChecksumAlgorithm, ObjectCannedAcl, ServerSideEncryption};
use jiff::Timestamp;
use secrecy::ExposeSecret as _;

use super::ObjectHead;
use super::error::{AwsError, AwsErrorKind};
use crate::net::Trouble;
use stategate_core::backend::{Backend, Encryption};
use stategate_core::refusal::Refusal;

/// Does the SDK repeat a request by itself? The steps of the lock's protocol are never repeated
/// behind its back: a second attempt that is refused would hide what the first one did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempts {
    One,
    AsConfigured,
}

impl Attempts {
    fn config(self) -> Builder {
        match self {
            Attempts::One => Builder::new().retry_config(RetryConfig::disabled()),
            Attempts::AsConfigured => Builder::new(),
        }
    }
}

/// One bucket, as one backend describes it.
#[derive(Debug, Clone, Copy)]
pub(super) struct S3<'a> {
    pub(super) client: &'a Client,
    pub(super) backend: &'a Backend,
}

impl S3<'_> {
    /// Writes an object; with `if_absent` only if there is none. Answers its `ETag`.
    pub(super) async fn put(
        self,
        key: &str,
        bytes: Vec<u8>,
        content_type: &str,
        if_absent: bool,
        attempts: Attempts,
    ) -> Result<Option<String>, AwsError> {
        let mut request = self
            .client
            .put_object()
            .bucket(&self.backend.bucket)
            .key(key)
            .content_type(content_type)
            .set_acl(self.backend.acl.as_deref().map(ObjectCannedAcl::from))
            .set_tagging(self.backend.tags_of(key).header())
            .body(ByteStream::from(bytes));
        if if_absent {
            request = request.if_none_match("*");
        }
        if !self.backend.skip_s3_checksum {
            request = request.checksum_algorithm(ChecksumAlgorithm::Sha256);
        }
        let request = encrypted(request, &self.backend.encryption);
        match request.customize().config_override(attempts.config()).send().await {
            Ok(answer) => Ok(answer.e_tag),
            Err(error) => Err(self.failed("PutObject", key, error)),
        }
    }

    /// Begins to read an object. Nothing of its content has arrived yet.
    pub(super) async fn open(self, key: &str, attempts: Attempts) -> Result<Option<Opened>, AwsError> {
        let clock = Clock::default();
        let request = self.client.get_object().bucket(&self.backend.bucket).key(key);
        let request = with_customer_key_get(request, &self.backend.encryption);
        let sent = request.customize().interceptor(clock.clone()).config_override(attempts.config()).send().await;
        let answer = match sent {
            Ok(answer) => answer,
            Err(error) => return absent(self.failed("GetObject", key, error)),
        };
        Ok(Some(Opened {
            place: self.place(key),
            size: answer.content_length.and_then(|size| u64::try_from(size).ok()),
            last_modified: answer.last_modified.as_ref().and_then(timestamp),
            etag: answer.e_tag,
            version_id: answer.version_id,
            seen_at: clock.0.get().copied(),
            body: answer.body,
        }))
    }

    /// An object's properties.
    pub(super) async fn head(self, key: &str) -> Result<Option<ObjectHead>, AwsError> {
        let request = self.client.head_object().bucket(&self.backend.bucket).key(key);
        match with_customer_key_head(request, &self.backend.encryption).send().await {
            Ok(answer) => Ok(Some(ObjectHead {
                size: answer.content_length.and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
                last_modified: answer.last_modified.as_ref().and_then(timestamp),
                etag: answer.e_tag,
                version_id: answer.version_id,
            })),
            Err(error) => absent(self.failed("HeadObject", key, error)),
        }
    }

    /// Deletes an object; with a tag only if that is its `ETag`. `false`: there was none, where
    /// S3 tells (it does for a conditional request).
    pub(super) async fn delete(self, key: &str, etag: Option<&str>) -> Result<bool, AwsError> {
        let request = self.client.delete_object().bucket(&self.backend.bucket).key(key);
        let request = request.set_if_match(etag.map(str::to_owned));
        match request.customize().config_override(Attempts::One.config()).send().await {
            Ok(_) => Ok(true),
            Err(error) => {
                let error = self.failed("DeleteObject", key, error);
                if error.kind == AwsErrorKind::NotFound { Ok(false) } else { Err(error) }
            }
        }
    }

    /// All keys under a prefix.
    pub(super) async fn list(self, prefix: &str) -> Result<Vec<String>, AwsError> {
        let request = self.client.list_objects_v2().bucket(&self.backend.bucket).prefix(prefix);
        let mut pages = request.into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.failed("ListObjectsV2", "", error))?;
            keys.extend(page.contents.unwrap_or_default().into_iter().filter_map(|object| object.key));
        }
        Ok(keys)
    }

    /// What went wrong, in the light of the backend.
    fn failed<E>(self, operation: &'static str, key: &str, error: SdkError<E, HttpResponse>) -> AwsError
    where
        E: Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let mut failed = AwsError::from_sdk(operation, self.place(key), error);
        let better = match &mut failed.kind {
            AwsErrorKind::AccessDenied(denial) if denial.is_about_a_key() && denial.resource.is_none() => {
                denial.resource = self.key();
                None
            }
            AwsErrorKind::Invalid { message, .. } if message.to_ascii_lowercase().contains("checksum") => {
                let is_skipped = self.backend.skip_s3_checksum;
                Some(AwsErrorKind::Checksum { is_skipped, message: std::mem::take(message) })
            }
            AwsErrorKind::Unreachable(Trouble::Unreached { host, .. })
                if Refusal::is_bucket_in_host(&self.backend.bucket, host) =>
            {
                Some(AwsErrorKind::BucketInHost(std::mem::take(host)))
            }
            _ => None,
        };
        failed.kind = better.unwrap_or(failed.kind);
        failed
    }

    /// The KMS key as the backend names it.
    fn key(self) -> Option<String> {
        let Encryption::Kms { key_id } = &self.backend.encryption else { return None };
        Some(if key_id.starts_with("arn:") { key_id.clone() } else { format!("the KMS key `{key_id}` (`kms_key_id`)") })
    }

    fn place(self, key: &str) -> String {
        let bucket = &self.backend.bucket;
        if key.is_empty() { format!("s3://{bucket}") } else { format!("s3://{bucket}/{key}") }
    }
}

/// An object whose content is still to come.
#[derive(Debug)]
pub(super) struct Opened {
    place: String,
    body: ByteStream,
    /// Bytes, where the store tells.
    pub(super) size: Option<u64>,
    pub(super) etag: Option<String>,
    pub(super) version_id: Option<String>,
    pub(super) last_modified: Option<Timestamp>,
    /// The store's own clock when it answered.
    pub(super) seen_at: Option<Timestamp>,
}

impl Opened {
    /// The content; `None` when there is more of it than so many bytes. Then the rest is not fetched.
    pub(super) async fn within(&mut self, most: usize) -> Result<Option<Vec<u8>>, AwsError> {
        if self.size.is_some_and(|size| usize::try_from(size).map_or(true, |size| size > most)) {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = self.next().await? {
            if bytes.len() + chunk.len() > most {
                return Ok(None);
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Some(bytes))
    }

    /// The next part of the content.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<u8>>, AwsError> {
        let cut = |error: ByteStreamError| {
            let kind = AwsErrorKind::Unreachable(Trouble::Connection(error.to_string()));
            AwsError::new("GetObject", self.place.clone(), kind)
        };
        self.body.next().await.map(|chunk| chunk.map(|chunk| chunk.to_vec())).transpose().map_err(cut)
    }

    /// It is larger than what is read of it.
    pub(super) fn too_large(&self, most: usize) -> AwsError {
        AwsError::new("GetObject", self.place.clone(), AwsErrorKind::TooLarge(most))
    }
}

fn absent<T>(error: AwsError) -> Result<Option<T>, AwsError> {
    if error.kind == AwsErrorKind::NotFound { Ok(None) } else { Err(error) }
}

fn encrypted(request: PutObjectFluentBuilder, encryption: &Encryption) -> PutObjectFluentBuilder {
    match encryption {
        Encryption::BucketDefault => request,
        Encryption::Aes256 => request.server_side_encryption(ServerSideEncryption::Aes256),
        Encryption::Kms { key_id } => {
            request.server_side_encryption(ServerSideEncryption::AwsKms).ssekms_key_id(key_id)
        }
        Encryption::Customer { key, key_md5 } => {
            request.sse_customer_algorithm("AES256").sse_customer_key(key.expose_secret()).sse_customer_key_md5(key_md5)
        }
    }
}

fn with_customer_key_get(request: GetObjectFluentBuilder, encryption: &Encryption) -> GetObjectFluentBuilder {
    let Encryption::Customer { key, key_md5 } = encryption else { return request };
    request.sse_customer_algorithm("AES256").sse_customer_key(key.expose_secret()).sse_customer_key_md5(key_md5)
}

fn with_customer_key_head(request: HeadObjectFluentBuilder, encryption: &Encryption) -> HeadObjectFluentBuilder {
    let Encryption::Customer { key, key_md5 } = encryption else { return request };
    request.sse_customer_algorithm("AES256").sse_customer_key(key.expose_secret()).sse_customer_key_md5(key_md5)
}

fn timestamp(at: &DateTime) -> Option<Timestamp> {
    Timestamp::new(at.secs(), i32::try_from(at.subsec_nanos()).unwrap_or(0)).ok()
}

/// The service's own clock: the `Date` of its answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Clock(pub(super) Arc<OnceLock<Timestamp>>);

impl Intercept for Clock {
    fn name(&self) -> &'static str {
        "stategate's reading of the service's clock"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        if let Some(date) = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok()) {
            self.0.get_or_init(|| date.timestamp());
        }
        Ok(())
    }
}
