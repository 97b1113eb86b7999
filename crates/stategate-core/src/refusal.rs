//! What AWS's own words say about a refusal: which policy, which action, which resource; and
//! which of the usual causes made `terraform init` fail, which speaks to AWS before we can.
//!
//! Words decide only what people are told, never what is done.

use std::fmt;

/// Which policy denied a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// The KMS key's policy, or the caller's right to use the key.
    Kms,
    /// The bucket's (or table's, or role's) own policy.
    Resource,
    /// The caller's IAM policies.
    Identity,
    /// The policy that the session was narrowed with.
    Session,
    /// The organization's policies, or a permissions boundary.
    Boundary,
    /// The policy of a VPC endpoint on the way.
    Endpoint,
}

/// A denial, as far as AWS's message tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Denial {
    /// Which policy said no.
    pub by: Option<Policy>,
    /// A policy says "deny", rather than none saying "allow".
    pub is_explicit: bool,
    /// The action, such as `s3:PutObject`.
    pub action: Option<String>,
    /// The resource's ARN.
    pub resource: Option<String>,
    /// The message itself; it names the caller too.
    pub message: String,
}

impl Denial {
    /// Reads AWS's message.
    pub fn read(message: &str) -> Denial {
        let after = |mark: &str| message.split_once(mark).map(|(_, rest)| rest.trim_start());
        let word = |text: &str| {
            let word = text.split_whitespace().next().unwrap_or_default();
            let word = word.trim_matches(['"', '\'', ',', '.']);
            (!word.is_empty()).then(|| word.to_owned())
        };
        let action = after("is not authorized to perform:").and_then(word);
        let resource = after("on resource:").and_then(word).filter(|resource| resource.starts_with("arn:"));
        let is_kms = action.as_deref().is_some_and(|action| action.starts_with("kms:"))
            || message.contains("KMS key")
            || message.contains("customer master key");
        let policies = [
            ("VPC endpoint policy", Policy::Endpoint),
            ("service control policy", Policy::Boundary),
            ("resource control policy", Policy::Boundary),
            ("permissions boundary", Policy::Boundary),
            ("session policy", Policy::Session),
            ("resource-based policy", Policy::Resource),
            ("identity-based policy", Policy::Identity),
        ];
        let named = policies.iter().find(|(name, _)| message.contains(name)).map(|(_, policy)| *policy);
        let by = match named {
            // Above the key's own policy and IAM stand the others, for a key as for a bucket.
            Some(policy @ (Policy::Endpoint | Policy::Boundary | Policy::Session)) => Some(policy),
            _ if is_kms => Some(Policy::Kms),
            named => named,
        };
        let is_explicit = message.contains("explicit deny");
        Denial { by, is_explicit, action, resource, message: message.to_owned() }
    }

    /// What to do about it; `action` and `resource` are what was asked for, where AWS names none.
    pub fn remedy(&self, action: &str, resource: &str) -> String {
        let action = self.action.as_deref().unwrap_or(action);
        let resource = self.resource.as_deref().unwrap_or(resource);
        let resource =
            if resource.starts_with("arn:") { format!("`{}`", for_policy(resource)) } else { resource.to_owned() };
        let place = match self.by {
            Some(Policy::Kms) => "the key's policy and the role's IAM policies",
            Some(Policy::Resource) => "the bucket's own policy",
            Some(Policy::Identity) => "the role's IAM policies",
            Some(Policy::Session) => {
                "the session's policy (`policy` and `policy_arns` of `assume_role`, or of the login step)"
            }
            Some(Policy::Boundary) => "the organization's policies and the role's permissions boundary",
            Some(Policy::Endpoint) => "the policy of the VPC endpoint on the way",
            None => "the role's IAM policies, the bucket's policy and the key's",
        };
        if self.is_explicit {
            format!(
                "an explicit deny refuses `{action}` on {resource}: take it out of {place}, or narrow it; no allow outweighs it"
            )
        } else {
            format!("allow the role `{action}` on {resource}, in {place}")
        }
    }
}

/// Why `terraform init` could not use the state's bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The bucket does not exist.
    NoSuchBucket,
    /// No credentials were found.
    NoCredentials,
    /// The profile that the backend or the environment names does not exist.
    NoProfile,
    /// The credentials are wrong or have expired; AWS's error code.
    BadCredentials(String),
    /// The role cannot be taken.
    Role,
    /// The account is not one that the backend allows.
    Account,
    /// The bucket is in another region.
    WrongRegion(Option<String>),
    /// The credentials may not.
    Denied(Box<Denial>),
    /// The server's certificate is not trusted.
    Certificate,
    /// AWS, or the proxy on the way, could not be reached.
    Unreachable,
    /// Something else about AWS.
    Other,
}

/// AWS's codes for credentials that it does not accept.
pub fn is_bad_credentials(code: &str) -> bool {
    matches!(
        code,
        "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "ExpiredToken"
            | "ExpiredTokenException"
            | "InvalidToken"
            | "InvalidSecurity"
            | "TokenRefreshRequired"
            | "RequestTimeTooSkewed"
            | "RequestExpired"
            | "NotSignedUp"
            | "UnrecognizedClientException"
            | "InvalidSignatureException"
            | "InvalidClientTokenId"
            | "MissingAuthenticationTokenException"
            | "MissingSecurityHeader"
            | "IncompleteSignature"
            | "IncompleteSignatureException"
            | "InvalidIdentityToken"
            | "IDPCommunicationError"
    )
}

impl Refusal {
    /// Reads what Terraform printed; `None` when it is not about AWS.
    pub fn from_terraform(stderr: &str) -> Option<Refusal> {
        let text = unframed(stderr);
        let has = |sign: &str| text.contains(sign);
        let api_error = text.split_once("api error ").and_then(|(_, rest)| rest.split_once(": "));
        let code = api_error.map(|(code, _)| code).unwrap_or_default();
        let message = api_error.map(|(_, message)| message).unwrap_or_default();
        let is_aws = ["operation error ", "S3 bucket", "AWS account", "IAM Role"].iter().any(|sign| has(sign));
        if has("failed to get shared config profile") {
            Some(Refusal::NoProfile)
        } else if is_bad_credentials(code) {
            Some(Refusal::BadCredentials(code.to_owned()))
        } else if has("cannot be assumed") || has("Cannot assume IAM Role") {
            Some(Refusal::Role)
        } else if has("No valid credential sources") {
            Some(Refusal::NoCredentials)
        } else if has("AWS account ID not allowed") {
            Some(Refusal::Account)
        } else if !is_aws {
            None
        } else if has("NoSuchBucket") || (has("S3 bucket") && has("does not exist")) {
            Some(Refusal::NoSuchBucket)
        } else if has("x509:") || has("failed to verify certificate") {
            Some(Refusal::Certificate)
        } else if let Some((_, region)) = text.split_once("actual location \"") {
            let region = region.split_once('"').map(|(region, _)| region.to_owned());
            Some(Refusal::WrongRegion(region.filter(|region| !region.is_empty())))
        } else if has("StatusCode: 301") || has("PermanentRedirect") || code == "AuthorizationHeaderMalformed" {
            Some(Refusal::WrongRegion(None))
        } else if has("StatusCode: 403") || code.starts_with("AccessDenied") {
            let mut denial = Denial::read(message);
            denial.action = denial.action.or_else(|| asked_for(&text).map(str::to_owned));
            Some(Refusal::Denied(Box::new(denial)))
        } else if ["dial tcp", "no such host", "proxyconnect", "connection refused", "request send failed"]
            .iter()
            .any(|sign| has(sign))
        {
            Some(Refusal::Unreachable)
        } else {
            Some(Refusal::Other)
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Refusal::NoSuchBucket => "Create the bucket, or correct `bucket`; it must be one of the account of these credentials or open to it.".to_owned(),
            Refusal::NoCredentials => "In a job: an earlier step such as aws-actions/configure-aws-credentials, and the permission `id-token: write`. On a laptop: `aws sso login`, `AWS_PROFILE`, or the keys in the environment.".to_owned(),
            Refusal::NoProfile => "Correct `profile` (or AWS_PROFILE), or give the file it is in with `shared_config_files`; a runner has no profiles of yours.".to_owned(),
            Refusal::BadCredentials(code) if code.contains("Expired") || code == "TokenRefreshRequired" => "Renew the session: log in to AWS in a step of this very job, and let it last as long as the job (`role-duration-seconds`).".to_owned(),
            Refusal::BadCredentials(code) if code == "RequestTimeTooSkewed" => "Set the machine's clock.".to_owned(),
            Refusal::BadCredentials(_) => "See which key is used (AWS_ACCESS_KEY_ID, the profile, the backend block), that it is active, and of this partition and account.".to_owned(),
            Refusal::Role => "See that the role of `assume_role` exists, that its trust policy names these credentials (and `external_id`), and that they may `sts:AssumeRole` it.".to_owned(),
            Refusal::Account => "Log in to the account that the backend allows, or correct `allowed_account_ids` and `forbidden_account_ids`.".to_owned(),
            Refusal::WrongRegion(Some(region)) => format!("Set `region = \"{region}\"` in the backend block."),
            Refusal::WrongRegion(None) => "Set `region` in the backend block to the bucket's own.".to_owned(),
            Refusal::Denied(denial) => sentence(&denial.remedy("s3:ListBucket", "the state's bucket")),
            Refusal::Certificate => "Name the certificate authority's file: SSL_CERT_FILE for everything, AWS_CA_BUNDLE or `custom_ca_bundle` for AWS.".to_owned(),
            Refusal::Unreachable => "Check the network, `region` and `endpoints`; where the way out is a proxy, set HTTPS_PROXY.".to_owned(),
            Refusal::Other => "See what AWS says above; `bucket`, `region` and the credentials are the usual suspects.".to_owned(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::NoSuchBucket => f.write_str("the state's bucket does not exist"),
            Refusal::NoCredentials => f.write_str("there are no AWS credentials"),
            Refusal::NoProfile => f.write_str("the AWS profile does not exist"),
            Refusal::BadCredentials(code) if code.contains("Expired") => {
                write!(f, "the AWS credentials have expired ({code})")
            }
            Refusal::BadCredentials(code) => write!(f, "AWS does not accept the credentials ({code})"),
            Refusal::Role => f.write_str("the backend's role cannot be taken"),
            Refusal::Account => f.write_str("the credentials are of an account that the backend does not allow"),
            Refusal::WrongRegion(Some(region)) => write!(f, "the state's bucket is in the region {region}"),
            Refusal::WrongRegion(None) => f.write_str("the state's bucket is in another region"),
            Refusal::Denied(denial) => match &denial.action {
                Some(action) => write!(f, "AWS denies `{action}`"),
                None => f.write_str("AWS denies access to the state's bucket"),
            },
            Refusal::Certificate => f.write_str("the certificate of AWS, or of the store, is not trusted"),
            Refusal::Unreachable => f.write_str("AWS cannot be reached"),
            Refusal::Other => f.write_str("the state's bucket could not be used"),
        }
    }
}

/// A resource as a policy names it: each of our records has a key of its own, which nobody asks for
/// again.
fn for_policy(arn: &str) -> String {
    let ours = arn.find("/stategate/").map(|at| at + "/stategate".len());
    let kind = ours.and_then(|from| {
        let key = arn.get(from..)?;
        ["/audit/", "/plans/", "/rescued/"].iter().filter_map(|kind| Some(from + key.rfind(kind)? + kind.len())).max()
    });
    match kind.and_then(|end| arn.get(..end)) {
        Some(prefix) => format!("{prefix}*"),
        None => arn.to_owned(),
    }
}

/// The action of the request that Terraform names, where AWS's answer names none.
fn asked_for(text: &str) -> Option<&'static str> {
    let (_, operation) = text.split_once("operation error ")?;
    Some(match operation.split_once(',')?.0 {
        "S3: HeadObject" | "S3: GetObject" => "s3:GetObject",
        "S3: ListObjectsV2" | "S3: ListObjects" => "s3:ListBucket",
        "S3: PutObject" => "s3:PutObject",
        _ => return None,
    })
}

/// Terraform draws a frame around an error and breaks its lines.
fn unframed(stderr: &str) -> String {
    let lines = stderr.lines().map(|line| line.trim_matches(['│', '╷', '╵', ' ']));
    lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}

/// A remedy as a sentence of its own.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| format!("{}{}.", first.to_uppercase(), letters.as_str())).unwrap_or_default()
}

#[cfg(test)]
mod tests;
