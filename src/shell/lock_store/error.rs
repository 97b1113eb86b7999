//! What an answer of AWS means, in one place.

use std::error::Error;
use std::fmt::{self, Write as _};

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use super::credentials::{RoleRefused, TokenUnreadable};
use crate::net::Trouble;
use stategate_core::refusal::{Denial, Refusal, expected_region, is_bad_credentials};

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
    AccessDenied(Box<Denial>),
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
    /// STS does not give a role, or the token for it cannot be read: what to mend, and why.
    Role(Box<Refusal>, String),
    /// The account is not one that the backend allows; its number.
    Account(String),
    /// No answer in time.
    Timeout,
    /// The connection failed; why.
    Unreachable(Trouble),
    /// The KMS key cannot be used as it is; the service's words.
    Key(String),
    /// No host has the name that begins with the bucket's.
    BucketInHost(String),
    /// What answered, with this status, is something on the way to AWS.
    Intercepted(u16),
    /// The store wants a checksum, or wants none; the service's words.
    Checksum {
        /// The backend says `skip_s3_checksum`.
        is_skipped: bool,
        /// The service's words.
        message: String,
    },
    /// The store says that a lock is there and that none is, for longer than a race can last.
    Contradiction,
    /// The object is larger than what may lie there; the most that is read, in bytes.
    TooLarge(usize),
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

impl AwsErrorKind {
    /// Did the request certainly never leave this machine, and may another try be luckier?
    pub(super) fn is_unsent(&self) -> bool {
        matches!(self, AwsErrorKind::Unreachable(trouble) if trouble.is_unsent() && !trouble.is_final())
    }

    /// May the request have been carried out, or be carried out still?
    pub(super) fn is_unclear(&self) -> bool {
        matches!(
            self,
            AwsErrorKind::Conflict
                | AwsErrorKind::Throttled
                | AwsErrorKind::Server(_)
                | AwsErrorKind::Timeout
                | AwsErrorKind::Unexpected(_)
        ) || matches!(self, AwsErrorKind::Unreachable(trouble) if !trouble.is_final())
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
                let is_page = headers.get("content-type").is_some_and(|kind| kind.contains("html"));
                match error.code().unwrap_or_default() {
                    // AWS and the stores speak XML or JSON.
                    "" if is_page && (400..500).contains(&status) => AwsErrorKind::Intercepted(status),
                    code => meaning(status, code, error.message().unwrap_or_default(), region),
                }
            }
            SdkError::ResponseError(_) => AwsErrorKind::Unexpected("the answer cannot be read"),
            other => not_answered(other),
        };
        AwsError { operation, resource, kind, source: Some(Box::new(error)) }
    }

    /// Why, where that is too long for the message: what each place that could have credentials said.
    pub fn cause(&self) -> String {
        match &self.kind {
            AwsErrorKind::MissingCredentials(why) => why.clone(),
            _ => String::new(),
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        let resource = &self.resource;
        match &self.kind {
            AwsErrorKind::AccessDenied(denial) if denial.is_about_a_key() => denial.remedy(&self.action(), &self.arn()),
            AwsErrorKind::AccessDenied(denial) => {
                format!("{}{}", denial.remedy(&self.action(), &self.arn()), self.what_a_lock_takes())
            }
            AwsErrorKind::BadCredentials(code) => Refusal::BadCredentials(code.clone()).hint(),
            AwsErrorKind::Account(_) => Refusal::Account.hint(),
            AwsErrorKind::Role(refusal, _) => refusal.hint(),
            AwsErrorKind::BucketInHost(host) => Refusal::BucketInHost(host.clone()).hint(),
            AwsErrorKind::Intercepted(status) => Refusal::Intercepted(*status).hint(),
            AwsErrorKind::Checksum { is_skipped: true, .. } => {
                "remove `skip_s3_checksum` from the backend block: this bucket wants a checksum with each upload, as Object Lock does".to_owned()
            }
            AwsErrorKind::Checksum { is_skipped: false, .. } => {
                "set `skip_s3_checksum = true` in the backend block: this store does not take the checksum of an upload".to_owned()
            }
            AwsErrorKind::Contradiction => format!(
                "nobody holds the lock. Have the store mended: a conditional write must not count a delete marker as an object. Until then use a bucket without versioning; deleting the delete markers of {resource} helps once"
            ),
            AwsErrorKind::TooLarge(_) => format!("look at who wrote {resource}, and remove it"),
            AwsErrorKind::Key(_) => {
                "see that the key of `kms_key_id` exists in that region, is enabled, and may be used by this role"
                    .to_owned()
            }
            AwsErrorKind::MissingCredentials(_) => Refusal::NoCredentials.hint(),
            AwsErrorKind::NoSuchBucket => format!("check `bucket`, `region` and the account: {resource}"),
            AwsErrorKind::NoSuchTable => {
                "create the lock table (partition key `LockID`, a string), or remove `dynamodb_table` and set `use_lockfile = true`".to_owned()
            }
            AwsErrorKind::WrongRegion { region: Some(region) } => format!("set `region = \"{region}\"` in the backend block"),
            AwsErrorKind::WrongRegion { region: None } => "check `region` in the backend block".to_owned(),
            AwsErrorKind::NoConditions | AwsErrorKind::IgnoresConditions => {
                "this store cannot lock with a lockfile; use one with conditional writes, such as Amazon S3".to_owned()
            }
            AwsErrorKind::Timeout => "check the network, `endpoints` and the proxy, then run this again".to_owned(),
            AwsErrorKind::Unreachable(trouble) => trouble.hint().to_owned(),
            AwsErrorKind::Conflict | AwsErrorKind::Throttled | AwsErrorKind::Server(_) => {
                "this is AWS's trouble, not the configuration's: run this again".to_owned()
            }
            AwsErrorKind::NotFound if self.operation == "PutObject" => {
                "the store knows no such place: check `bucket`, the path in `endpoints.s3`, and `use_path_style`".to_owned()
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
            "GetCallerIdentity" => "sts:GetCallerIdentity".to_owned(),
            operation => format!("s3:{operation}"),
        }
    }

    /// So that nobody who allows one action is denied the next.
    fn what_a_lock_takes(&self) -> &'static str {
        match self.operation {
            "GetObject" | "PutObject" | "DeleteObject" if self.resource.ends_with(".tflock") => {
                "; a lock takes `s3:GetObject`, `s3:PutObject` and `s3:DeleteObject`"
            }
            "GetItem" | "PutItem" | "DeleteItem" => {
                "; a lock takes `dynamodb:GetItem`, `dynamodb:PutItem` and `dynamodb:DeleteItem`"
            }
            _ => "",
        }
    }

    fn arn(&self) -> String {
        match self.resource.strip_prefix("s3://") {
            Some(path) => format!("arn:aws:s3:::{path}"),
            None if self.resource.starts_with("DynamoDB") => format!("the {}", self.resource),
            None => self.resource.clone(),
        }
    }
}

/// Status and code to meaning, for S3 and DynamoDB alike.
fn meaning(status: u16, code: &str, message: &str, bucket_region: Option<String>) -> AwsErrorKind {
    let invalid = || AwsErrorKind::Invalid { code: code.to_owned(), message: message.to_owned() };
    match code {
        code if is_bad_credentials(code) => AwsErrorKind::BadCredentials(code.to_owned()),
        code if code.starts_with("KMS.") => AwsErrorKind::Key(message.to_owned()),
        "AccessDenied" | "AccessDeniedException" | "AllAccessDisabled" | "AccountProblem" => {
            AwsErrorKind::AccessDenied(Box::new(Denial::read(message)))
        }
        "NoSuchBucket" => AwsErrorKind::NoSuchBucket,
        "NoSuchKey" | "NotFound" => AwsErrorKind::NotFound,
        "ResourceNotFoundException" => AwsErrorKind::NoSuchTable,
        "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException" => {
            AwsErrorKind::WrongRegion { region: bucket_region.or_else(|| expected_region(message)) }
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
            403 => AwsErrorKind::AccessDenied(Box::new(Denial::read(message))),
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

/// Why a request has no answer: the way there, or the credentials for it.
fn not_answered<E>(error: &SdkError<E, HttpResponse>) -> AwsErrorKind
where
    E: Error + 'static,
{
    if let Some(trouble) = Trouble::find(error) {
        return AwsErrorKind::Unreachable(trouble.clone());
    }
    if let Some(kind) = of_role(error) {
        return kind;
    }
    if let Some(why) = find::<CredentialsError>(error) {
        let why = without_stderr(&chain(why));
        let mut words = why.split(|letter: char| !letter.is_ascii_alphanumeric());
        return match words.find(|word| is_bad_credentials(word)) {
            Some(code) => AwsErrorKind::BadCredentials(code.to_owned()),
            None => AwsErrorKind::MissingCredentials(why),
        };
    }
    match error {
        SdkError::DispatchFailure(failure) if failure.is_timeout() => AwsErrorKind::Timeout,
        SdkError::DispatchFailure(failure) if !failure.is_user() => {
            AwsErrorKind::Unreachable(Trouble::Connection(chain(error)))
        }
        _ => AwsErrorKind::Invalid { code: "request".to_owned(), message: chain(error) },
    }
}

/// Why there is no role: ours, the environment's, or a profile's.
fn of_role(error: &(dyn Error + 'static)) -> Option<AwsErrorKind> {
    let (refusal, why) = if let Some(refused) = find::<RoleRefused>(error) {
        (refused.refusal(), refused.words())
    } else {
        let unreadable = find::<TokenUnreadable>(error)?;
        (Refusal::TokenFile(unreadable.path.clone()), unreadable.to_string())
    };
    Some(match refusal {
        Refusal::BadCredentials(code) => AwsErrorKind::BadCredentials(code),
        Refusal::TokenExpired => {
            let why = format!("{}: {why}", Refusal::TokenExpired);
            AwsErrorKind::Role(Box::new(Refusal::TokenExpired), why)
        }
        refusal => AwsErrorKind::Role(Box::new(refusal), why),
    })
}

/// Without what a `credential_process` wrote on standard error, which no SDK is to show: it can hold
/// the credentials.
fn without_stderr(why: &str) -> String {
    match why.split_once(" Stderr: ") {
        Some((why, _)) => format!("{why} (run it by hand to see what it says)"),
        None => why.to_owned(),
    }
}

/// The first of this kind in an error and its causes.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
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
            AwsErrorKind::AccessDenied(denial) if denial.message.is_empty() => f.write_str("access denied"),
            AwsErrorKind::AccessDenied(denial) => write!(f, "access denied: {}", denial.message),
            AwsErrorKind::Account(account) => {
                write!(f, "the credentials are of the account {account}, which the backend does not allow")
            }
            AwsErrorKind::Key(message) => write!(f, "the KMS key cannot be used: {message}"),
            AwsErrorKind::BadCredentials(code) => write!(f, "{}", Refusal::BadCredentials(code.clone())),
            AwsErrorKind::MissingCredentials(_) => write!(f, "{}", Refusal::NoCredentials),
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
            AwsErrorKind::Unreachable(trouble) => write!(f, "{trouble}"),
            AwsErrorKind::Invalid { code, message } => write!(f, "refused as invalid ({code}): {message}"),
            AwsErrorKind::Role(_, why) => f.write_str(why),
            AwsErrorKind::BucketInHost(host) => write!(f, "{}", Refusal::BucketInHost(host.clone())),
            AwsErrorKind::Intercepted(status) => write!(f, "{}", Refusal::Intercepted(*status)),
            AwsErrorKind::Checksum { message, .. } => write!(f, "the checksum does not suit the store: {message}"),
            AwsErrorKind::Contradiction => f.write_str(
                "the store says that a lock is there (412) and that none is (404), for longer than a race can last: \
                 most likely its delete markers count as objects",
            ),
            AwsErrorKind::TooLarge(most) => {
                write!(f, "larger than {} KiB, which nothing that belongs there is; it was not read", most / 1024)
            }
            AwsErrorKind::Unexpected(what) => f.write_str(what),
        }
    }
}

#[cfg(test)]
mod tests;
