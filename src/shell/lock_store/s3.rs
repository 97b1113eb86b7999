//! Requests to S3, with the headers Terraform sends for the same backend.

use std::sync::{Arc, OnceLock};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{Builder, ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::operation::get_object::builders::GetObjectFluentBuilder;
use aws_sdk_s3::operation::head_object::builders::HeadObjectFluentBuilder;
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::primitives::{ByteStream, ByteStreamError, DateTime};
use aws_sdk_s3::types::{ChecksumAlgorithm, ObjectCannedAcl, ServerSideEncryption};
use jiff::Timestamp;
use secrecy::ExposeSecret as _;

use super::error::{AwsError, AwsErrorKind};
use super::{Object, ObjectHead};
use crate::net::Trouble;
use stategate_core::backend::{Backend, Encryption};

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
            Err(error) => Err(AwsError::from_sdk("PutObject", self.place(key), error)),
        }
    }

    /// Reads an object, and S3's clock along with it.
    pub(super) async fn get(
        self,
        key: &str,
        attempts: Attempts,
    ) -> Result<Option<(Object, Option<Timestamp>)>, AwsError> {
        let clock = Clock::default();
        let request = self.client.get_object().bucket(&self.backend.bucket).key(key);
        let request = with_customer_key_get(request, &self.backend.encryption);
        let sent = request.customize().interceptor(clock.clone()).config_override(attempts.config()).send().await;
        let answer = match sent {
            Ok(answer) => answer,
            Err(error) => return absent(AwsError::from_sdk("GetObject", self.place(key), error)),
        };
        let cut = |error: ByteStreamError| {
            AwsError::new(
                "GetObject",
                self.place(key),
                AwsErrorKind::Unreachable(Trouble::Connection(error.to_string())),
            )
        };
        let last_modified = answer.last_modified.as_ref().and_then(timestamp);
        let object = Object {
            bytes: answer.body.collect().await.map_err(cut)?.to_vec(),
            etag: answer.e_tag,
            version_id: answer.version_id,
            last_modified,
        };
        Ok(Some((object, clock.0.get().copied())))
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
            Err(error) => absent(AwsError::from_sdk("HeadObject", self.place(key), error)),
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
                let error = AwsError::from_sdk("DeleteObject", self.place(key), error);
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
            let page = page.map_err(|error| AwsError::from_sdk("ListObjectsV2", self.place(""), error))?;
            keys.extend(page.contents.unwrap_or_default().into_iter().filter_map(|object| object.key));
        }
        Ok(keys)
    }

    fn place(self, key: &str) -> String {
        let bucket = &self.backend.bucket;
        if key.is_empty() { format!("s3://{bucket}") } else { format!("s3://{bucket}/{key}") }
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
