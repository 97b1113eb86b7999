//! What an answer of AWS means, in one place.

use std::error::Error;
use std::fmt::{self, Write as _};

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

/// A request to AWS that did not do what it should.
#[derive(Debug)]
pub struct AwsError {
    /// The API operation, such as `PutObject`.
    pub operation: &'static str,
    /// What it was for, such as `s3://bucket/key` or `DynamoDB table locks`.
    pub resource: String,
    /// What it means.
    pub kind: AwsErrorKind,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What an answer of AWS means.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AwsErrorKind {
    /// 403: the caller is known and may not.
    AccessDenied {
        /// Which policy said no, where AWS tells.
        by: Option<Policy>,
        /// AWS's own words; it names the caller, the action and the resource.
        message: String,
    },
    /// The caller's credentials are wrong or have expired; the service's error code.
    BadCredentials(String),
    /// No credentials were found, or none could be had.
    MissingCredentials(String),
    /// The bucket does not exist.
    NoSuchBucket,
    /// The lock table does not exist.
    NoSuchTable,
    /// The object does not exist.
    NotFound,
    /// The bucket is in another region.
    WrongRegion {
        /// Where it is, when S3 tells.
        region: Option<String>,
    },
    /// 412, or DynamoDB's failed condition.
    Precondition,
    /// 409: somebody else is writing the same thing now.
    Conflict,
    /// Asked to slow down.
    Throttled,
    /// The store does not know conditional requests.
    NoConditions,
    /// The store takes conditional requests and does not heed the condition.
    IgnoresConditions,
    /// The service failed, with this status.
    Server(u16),
    /// No answer in time.
    Timeout,
    /// The connection failed; why.
    Unreachable(String),
    /// The request was refused as invalid.
    Invalid {
        /// The service's error code.
        code: String,
        /// The service's words.
        message: String,
    },
    /// An answer that makes no sense.
    Unexpected(&'static str),
}

/// Which policy denied a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// The KMS key's policy, or the caller's right to use the key.
    Kms,
    /// The bucket's (or table's) own policy.
    Resource,
    /// The caller's IAM policies.
    Identity,
    /// The organization's policies, or a permissions boundary.
    Boundary,
}

impl AwsErrorKind {
    /// May the request have been carried out, or be carried out still?
    pub(super) fn is_unclear(&self) -> bool {
        matches!(
            self,
            AwsErrorKind::Conflict
                | AwsErrorKind::Throttled
                | AwsErrorKind::Server(_)
                | AwsErrorKind::Timeout
                | AwsErrorKind::Unreachable(_)
                | AwsErrorKind::Unexpected(_)
        )
    }
}

impl AwsError {
    pub(super) fn new(operation: &'static str, resource: String, kind: AwsErrorKind) -> AwsError {
        AwsError { operation, resource, kind, source: None }
    }

    /// From what the SDK returned.
    pub(super) fn from_sdk<E>(operation: &'static str, resource: String, error: SdkError<E, HttpResponse>) -> AwsError
    where
        E: Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let kind = match &error {
            SdkError::TimeoutError(_) => AwsErrorKind::Timeout,
            SdkError::ServiceError(answer) => {
                let headers = answer.raw().headers();
                let status = answer.raw().status().as_u16();
                let region = headers.get("x-amz-bucket-region").map(str::to_owned);
                meaning(status, error.code().unwrap_or_default(), error.message().unwrap_or_default(), region)
            }
            SdkError::ResponseError(_) => AwsErrorKind::Unexpected("the answer cannot be read"),
            other => match credentials_error(other) {
                Some(error) => AwsErrorKind::MissingCredentials(chain(error)),
                None => match other {
                    SdkError::DispatchFailure(failure) if failure.is_timeout() => AwsErrorKind::Timeout,
                    SdkError::DispatchFailure(failure) if !failure.is_user() => AwsErrorKind::Unreachable(chain(other)),
                    _ => AwsErrorKind::Invalid { code: "request".to_owned(), message: chain(other) },
                },
            },
        };
        AwsError { operation, resource, kind, source: Some(Box::new(error)) }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        let Self { operation, resource, .. } = self;
        match &self.kind {
            AwsErrorKind::AccessDenied { by, .. } => {
                let action = self.action();
                let arn = self.arn();
                match by {
                    Some(Policy::Kms) => format!(
                        "allow the role `kms:GenerateDataKey` and `kms:Decrypt` on the state's key, in the key's policy and in IAM (for {operation} on {resource})"
                    ),
                    Some(Policy::Resource) => format!("let the bucket's policy allow `{action}` on `{arn}`"),
                    Some(Policy::Boundary) => format!(
                        "the organization's policies or a permissions boundary deny `{action}` on `{arn}`; ask whoever owns them"
                    ),
                    Some(Policy::Identity) | None => format!("allow the role `{action}` on `{arn}`"),
                }
            }
            AwsErrorKind::BadCredentials(_) => {
                "renew the credentials (an expired session, or a key of another account)".to_owned()
            }
            AwsErrorKind::MissingCredentials(_) => {
                "give this job AWS credentials, for example with aws-actions/configure-aws-credentials and `permissions: id-token: write`".to_owned()
            }
            AwsErrorKind::NoSuchBucket => format!("check `bucket`, `region` and the account: {resource}"),
            AwsErrorKind::NoSuchTable => {
                "create the lock table (partition key `LockID`, a string), or remove `dynamodb_table` and set `use_lockfile = true`".to_owned()
            }
            AwsErrorKind::WrongRegion { region: Some(region) } => format!("set `region = \"{region}\"` in the backend block"),
            AwsErrorKind::WrongRegion { region: None } => "check `region` in the backend block".to_owned(),
            AwsErrorKind::NoConditions | AwsErrorKind::IgnoresConditions => {
                "this store cannot lock with a lockfile; use one with conditional writes, such as Amazon S3".to_owned()
            }
            AwsErrorKind::Timeout | AwsErrorKind::Unreachable(_) => {
                "check the network, `endpoints` and the proxy, then run this again".to_owned()
            }
            AwsErrorKind::Conflict | AwsErrorKind::Throttled | AwsErrorKind::Server(_) => {
                "this is AWS's trouble, not the configuration's: run this again".to_owned()
            }
            AwsErrorKind::NotFound | AwsErrorKind::Precondition => "run `stategate status` to see what is there".to_owned(),
            AwsErrorKind::Invalid { .. } | AwsErrorKind::Unexpected(_) => {
                "check the backend block against what the store supports".to_owned()
            }
        }
    }

    /// The IAM action the operation needs.
    fn action(&self) -> String {
        match self.operation {
            "HeadObject" => "s3:GetObject".to_owned(),
            "ListObjectsV2" => "s3:ListBucket".to_owned(),
            "GetItem" | "PutItem" | "DeleteItem" => format!("dynamodb:{}", self.operation),
            operation => format!("s3:{operation}"),
        }
    }

    fn arn(&self) -> String {
        match self.resource.strip_prefix("s3://") {
            Some(path) => format!("arn:aws:s3:::{path}"),
            None => self.resource.clone(),
        }
    }
}

/// Status and code to meaning, for S3 and DynamoDB alike.
fn meaning(status: u16, code: &str, message: &str, bucket_region: Option<String>) -> AwsErrorKind {
    let invalid = || AwsErrorKind::Invalid { code: code.to_owned(), message: message.to_owned() };
    match code {
        "AccessDenied" | "AccessDeniedException" | "AllAccessDisabled" | "AccountProblem" => {
            AwsErrorKind::AccessDenied { by: denying_policy(message), message: message.to_owned() }
        }
        "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidToken"
        | "TokenRefreshRequired"
        | "RequestTimeTooSkewed"
        | "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "InvalidClientTokenId"
        | "MissingAuthenticationTokenException"
        | "IncompleteSignatureException" => AwsErrorKind::BadCredentials(code.to_owned()),
        "NoSuchBucket" => AwsErrorKind::NoSuchBucket,
        "NoSuchKey" | "NotFound" => AwsErrorKind::NotFound,
        "ResourceNotFoundException" => AwsErrorKind::NoSuchTable,
        "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException" => {
            AwsErrorKind::WrongRegion { region: bucket_region }
        }
        "PreconditionFailed" | "ConditionalCheckFailedException" => AwsErrorKind::Precondition,
        "ConditionalRequestConflict" | "OperationAborted" | "TransactionConflictException" => AwsErrorKind::Conflict,
        "SlowDown"
        | "Throttling"
        | "ThrottlingException"
        | "RequestLimitExceeded"
        | "ProvisionedThroughputExceededException"
        | "TooManyRequestsException" => AwsErrorKind::Throttled,
        "RequestTimeout" => AwsErrorKind::Timeout,
        "NotImplemented" => AwsErrorKind::NoConditions,
        _ => match status {
            301 | 307 | 308 => AwsErrorKind::WrongRegion { region: bucket_region },
            400 if names_a_condition(message) => AwsErrorKind::NoConditions,
            403 => AwsErrorKind::AccessDenied { by: denying_policy(message), message: message.to_owned() },
            404 => AwsErrorKind::NotFound,
            409 => AwsErrorKind::Conflict,
            412 => AwsErrorKind::Precondition,
            408 => AwsErrorKind::Timeout,
            429 | 503 => AwsErrorKind::Throttled,
            501 => AwsErrorKind::NoConditions,
            500.. => AwsErrorKind::Server(status),
            400..=499 => invalid(),
            _ => AwsErrorKind::Unexpected("an error with a status that is none"),
        },
    }
}

fn names_a_condition(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    ["if-match", "if-none-match", "conditional"].iter().any(|word| message.contains(word))
}

/// AWS names the policy in its message, for callers of the same account.
fn denying_policy(message: &str) -> Option<Policy> {
    let has = |word: &str| message.contains(word);
    if has("kms:") {
        Some(Policy::Kms)
    } else if has("resource-based policy") {
        Some(Policy::Resource)
    } else if has("service control policy") || has("resource control policy") || has("permissions boundary") {
        Some(Policy::Boundary)
    } else if has("identity-based policy") || has("session policy") {
        Some(Policy::Identity)
    } else {
        None
    }
}

/// The credentials' own error, if that is why the request was never sent.
fn credentials_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<CredentialsError>() {
            return Some(error);
        }
        next = error.source();
    }
    None
}

/// An error and its causes in one line; the SDK's own `Display` stops at the first.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            // Writing to a string cannot fail.
            write!(text, ": {cause_text}").unwrap_or_default();
        }
        next = cause.source();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl fmt::Display for AwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}: {}", self.operation, self.resource, self.kind)
    }
}

impl Error for AwsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

impl fmt::Display for AwsErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AwsErrorKind::AccessDenied { message, .. } if message.is_empty() => f.write_str("access denied"),
            AwsErrorKind::AccessDenied { message, .. } => write!(f, "access denied: {message}"),
            AwsErrorKind::BadCredentials(code) => write!(f, "the credentials are not accepted ({code})"),
            AwsErrorKind::MissingCredentials(why) => write!(f, "no credentials: {why}"),
            AwsErrorKind::NoSuchBucket => f.write_str("the bucket does not exist"),
            AwsErrorKind::NoSuchTable => f.write_str("the table does not exist"),
            AwsErrorKind::NotFound => f.write_str("not found"),
            AwsErrorKind::WrongRegion { region: Some(region) } => write!(f, "the bucket is in the region {region}"),
            AwsErrorKind::WrongRegion { region: None } => f.write_str("the bucket is in another region"),
            AwsErrorKind::Precondition => f.write_str("the condition does not hold"),
            AwsErrorKind::Conflict => f.write_str("another request for the same key is in progress"),
            AwsErrorKind::Throttled => f.write_str("asked to slow down"),
            AwsErrorKind::NoConditions => f.write_str("the store does not support conditional requests"),
            AwsErrorKind::IgnoresConditions => {
                f.write_str("the store ignores the condition of the request: a lock in it excludes nobody")
            }
            AwsErrorKind::Server(status) => write!(f, "the service failed with status {status}"),
            AwsErrorKind::Timeout => f.write_str("no answer in time"),
            AwsErrorKind::Unreachable(why) => write!(f, "the connection failed: {why}"),
            AwsErrorKind::Invalid { code, message } => write!(f, "refused as invalid ({code}): {message}"),
            AwsErrorKind::Unexpected(what) => f.write_str(what),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_meaning() {
        let kind = |status, code: &str| meaning(status, code, "", None);
        assert_eq!(kind(412, "PreconditionFailed"), AwsErrorKind::Precondition);
        assert_eq!(kind(412, ""), AwsErrorKind::Precondition);
        assert_eq!(kind(400, "ConditionalCheckFailedException"), AwsErrorKind::Precondition);
        assert_eq!(kind(409, "ConditionalRequestConflict"), AwsErrorKind::Conflict);
        assert_eq!(kind(503, "SlowDown"), AwsErrorKind::Throttled);
        assert_eq!(kind(500, "InternalError"), AwsErrorKind::Server(500));
        assert_eq!(kind(404, "NoSuchBucket"), AwsErrorKind::NoSuchBucket);
        assert_eq!(kind(404, "NoSuchKey"), AwsErrorKind::NotFound);
        assert_eq!(kind(400, "ExpiredToken"), AwsErrorKind::BadCredentials("ExpiredToken".into()));
        assert_eq!(kind(400, "ResourceNotFoundException"), AwsErrorKind::NoSuchTable);
        assert_eq!(kind(501, "NotImplemented"), AwsErrorKind::NoConditions);
        assert_eq!(meaning(400, "InvalidArgument", "Unsupported header If-Match", None), AwsErrorKind::NoConditions);
        assert_eq!(
            meaning(301, "PermanentRedirect", "", Some("eu-west-1".into())),
            AwsErrorKind::WrongRegion { region: Some("eu-west-1".into()) }
        );
    }

    #[test]
    fn only_definite_answers_are_clear() {
        for (status, code) in [(500, ""), (503, "SlowDown"), (409, ""), (408, ""), (429, ""), (502, ""), (504, "")] {
            assert!(meaning(status, code, "", None).is_unclear(), "{status} {code}");
        }
        for (status, code) in
            [(403, "AccessDenied"), (404, "NoSuchBucket"), (400, "InvalidArgument"), (412, ""), (501, "")]
        {
            assert!(!meaning(status, code, "", None).is_unclear(), "{status} {code}");
        }
    }

    #[test]
    fn a_denial_names_the_policy_the_action_and_the_resource() {
        let error = |operation, message: &str| {
            let kind = meaning(403, "AccessDenied", message, None);
            AwsError::new(operation, "s3://tfstate/a.tflock".into(), kind)
        };
        let iam = error(
            "DeleteObject",
            "User: u is not authorized to perform: s3:DeleteObject because no identity-based policy allows the s3:DeleteObject action",
        );
        assert!(iam.hint().contains("`s3:DeleteObject` on `arn:aws:s3:::tfstate/a.tflock`"), "{}", iam.hint());
        let kms = error("PutObject", "User: u is not authorized to perform: kms:GenerateDataKey on this resource");
        assert!(kms.hint().contains("kms:GenerateDataKey"));
        let bucket = error("GetObject", "with an explicit deny in a resource-based policy");
        assert!(bucket.hint().contains("bucket's policy"));
        assert!(error("HeadObject", "").hint().contains("s3:GetObject"));
    }
}
