//! What an answer of AWS means, in one place.

/// A request to AWS that did not do what it should.
#[derive(Debug, thiserror::Error)]
#[error("{operation} on {resource}: {kind}")]
pub struct AwsError {
    /// The API operation, such as `PutObject`.
    pub operation: &'static str,
    /// What it was for, such as `s3://bucket/key` or `DynamoDB table locks`.
    pub resource: String,
    /// What it means.
    pub kind: AwsErrorKind,
    /// What the SDK said.
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What an answer of AWS means.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AwsErrorKind {
    /// 403.
    #[error("access denied ({0})")]
    AccessDenied(String),
    /// The bucket is not there.
    #[error("the bucket does not exist")]
    NoSuchBucket,
}

impl AwsError {
    pub(crate) fn stub() -> AwsError {
        AwsError { operation: "none", resource: String::new(), kind: AwsErrorKind::NoSuchBucket, source: None }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        String::new()
    }
}
