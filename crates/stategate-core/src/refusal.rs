//! What AWS's own words say about a refusal: which policy, which action, which resource; and
//! which of the usual causes made `terraform init` fail, which speaks to AWS before we can.
//!
//! Words decide only what people are told, never what is done.

mod digest;
mod terraform;

use std::fmt;

pub use digest::DigestMismatch;
pub use terraform::expected_region;

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
    /// The answer bears no number of AWS's, so it may be somebody else's.
    pub is_anonymous: bool,
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
        Denial { by, is_explicit, action, resource, is_anonymous: false, message: message.to_owned() }
    }

    /// Whether the KMS key is what may not be used.
    pub fn is_about_a_key(&self) -> bool {
        self.action.as_deref().is_some_and(|action| action.starts_with("kms:"))
    }

    /// What to do about it; `action` and `resource` are what was asked for, where AWS names none.
    pub fn remedy(&self, action: &str, resource: &str) -> String {
        let action = self.action.as_deref().unwrap_or(action);
        let resource = match self.resource.as_deref() {
            // S3's words about a key of another account or region name no key.
            None if self.is_about_a_key() => "the KMS key (`kms_key_id`, or the bucket's own)",
            named => named.unwrap_or(resource),
        };
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
        if self.is_about_a_key() && self.message.contains("does not exist in this Region") {
            format!(
                "allow the role `{action}` on {resource}, in {place}; of another account, the key's own policy must let this one in, and `kms_key_id` must be its ARN, in the bucket's region"
            )
        } else if self.is_explicit {
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
    /// The role of `assume_role` cannot be taken.
    Role,
    /// The role of a profile cannot be taken.
    ProfileRole,
    /// STS does not give the role for the OIDC token; its error code.
    TokenRefused(String),
    /// The OIDC token has expired.
    TokenExpired,
    /// The OIDC token's file cannot be read; its path.
    TokenFile(String),
    /// The SSO session has expired, or there is none.
    SsoExpired,
    /// The profile's `credential_process` failed.
    Process,
    /// What stands in the block is no region.
    NoSuchRegion {
        /// What stands there.
        region: String,
        /// The file and the line, where Terraform tells.
        place: Option<String>,
    },
    /// The account is not one that the backend allows.
    Account,
    /// The bucket is in another region.
    WrongRegion(Option<String>),
    /// The credentials may not.
    Denied(Box<Denial>),
    /// AWS, or the store, failed or asked to slow down; the status.
    Service(u16),
    /// What answered is not the store but something on the way to it; the status.
    Intercepted(u16),
    /// No host has the name that begins with the bucket's.
    BucketInHost(String),
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
    /// Why STS does not give a role for an OIDC token.
    pub fn of_token(code: &str) -> Refusal {
        if code.starts_with("ExpiredToken") { Refusal::TokenExpired } else { Refusal::TokenRefused(code.to_owned()) }
    }

    /// Whether this host's name begins with the bucket's, at a store that is not Amazon's.
    pub fn is_bucket_in_host(bucket: &str, host: &str) -> bool {
        terraform::is_bucket_before(bucket, host)
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Refusal::NoSuchBucket => "Create the bucket, or correct `bucket`; it must be one of the account of these credentials or open to it.".to_owned(),
            Refusal::NoCredentials => "In a job: an earlier step such as aws-actions/configure-aws-credentials, and the permission `id-token: write`. On a laptop: `aws sso login` or `aws login`, `AWS_PROFILE`, or the keys in the environment.".to_owned(),
            Refusal::NoProfile => "Correct `profile` (or AWS_PROFILE), or give the file it is in with `shared_config_files`; a runner has no profiles of yours.".to_owned(),
            Refusal::BadCredentials(code) if code.contains("Expired") || code == "TokenRefreshRequired" => "Renew the session. In a job: log in to AWS in a step of this very job, and let the session last as long as the job (`role-duration-seconds`). On a laptop: `aws sso login` or `aws login`, or new keys in the environment.".to_owned(),
            Refusal::BadCredentials(code) if code == "RequestTimeTooSkewed" => "Set the machine's clock.".to_owned(),
            Refusal::BadCredentials(_) => "See which key is used (AWS_ACCESS_KEY_ID, the profile, the backend block), that it is active, and of this partition and account.".to_owned(),
            Refusal::Role => "See that the role of `assume_role` exists, that its trust policy names these credentials (and `external_id`), and that they may `sts:AssumeRole` it.".to_owned(),
            Refusal::ProfileRole => "See that the profile's `role_arn` exists, that its trust policy names the credentials of `source_profile` (or `credential_source`) and `external_id`, and that those may `sts:AssumeRole` it.".to_owned(),
            Refusal::TokenRefused(code) if code == "IDPCommunicationError" => "Run again: AWS could not reach the identity provider. If it comes back, see that the token's issuer serves its keys to the internet.".to_owned(),
            Refusal::TokenRefused(code) if code == "RegionDisabledException" => "Activate STS in that region, in the account settings of IAM, or name another one with `sts_region` or AWS_REGION.".to_owned(),
            Refusal::TokenRefused(code) if code == "InvalidIdentityToken" || code.starts_with("IDP") => "Create the identity provider of the token's issuer (for GitHub `token.actions.githubusercontent.com`, audience `sts.amazonaws.com`) in the role's account, or correct the account in the role's ARN.".to_owned(),
            Refusal::TokenRefused(_) => "See that the role exists (`role-to-assume`, AWS_ROLE_ARN), and that its trust policy allows `sts:AssumeRoleWithWebIdentity` to this token: for GitHub its subject names the repository with the branch, the environment or `pull_request`. An account that has to be taken in two steps needs `role-chaining`.".to_owned(),
            Refusal::TokenExpired => "Such a token lasts minutes. In a job: take the role in a step of this very job, right before this one (aws-actions/configure-aws-credentials), which leaves a session that lasts. On a laptop or a runner of your own: have AWS_WEB_IDENTITY_TOKEN_FILE written anew.".to_owned(),
            Refusal::TokenFile(path) => format!("Correct AWS_WEB_IDENTITY_TOKEN_FILE: there is no {path} for this process. In a container: mount it at that path. Where a job takes its role by aws-actions/configure-aws-credentials, take the variable out."),
            Refusal::SsoExpired => "On a laptop: `aws sso login`, for the profile that is used. In a job no SSO session can be had: take a role by OIDC (aws-actions/configure-aws-credentials).".to_owned(),
            Refusal::Process => "Run the profile's `credential_process` by hand to see what it says.".to_owned(),
            Refusal::NoSuchRegion { place: Some(place), .. } => format!("Correct `region` in the backend block, {place}."),
            Refusal::NoSuchRegion { place: None, .. } => "Correct `region` in the backend block, AWS_REGION or the profile.".to_owned(),
            Refusal::Account => "Log in to the account that the backend allows, or correct `allowed_account_ids` and `forbidden_account_ids`.".to_owned(),
            Refusal::WrongRegion(Some(region)) => format!("Set `region = \"{region}\"` in the backend block."),
            Refusal::WrongRegion(None) => "Set `region` in the backend block to the bucket's own.".to_owned(),
            Refusal::Denied(denial) => {
                let remedy = sentence(&denial.remedy("s3:ListBucket", "the state's bucket"));
                let proxy = " The answer bears no request ID: where a proxy or a firewall is on the way, it may have refused.";
                if denial.is_anonymous { remedy + proxy } else { remedy }
            }
            Refusal::Service(_) => "This is the service's trouble, not the configuration's: run this again.".to_owned(),
            Refusal::Intercepted(407) => "Give the proxy's user and password in HTTPS_PROXY (or the backend's `https_proxy`), or name the store's host in NO_PROXY.".to_owned(),
            Refusal::Intercepted(_) => "Let the proxy or the firewall on the way pass requests to the store, or name the store's host in NO_PROXY; AWS itself has refused nothing.".to_owned(),
            Refusal::BucketInHost(_) => "Set `use_path_style = true` in the backend block: this store knows no addresses that begin with the bucket's name.".to_owned(),
            Refusal::Certificate => "Name the certificate authority's file: SSL_CERT_FILE for everything, AWS_CA_BUNDLE or `custom_ca_bundle` for AWS.".to_owned(),
            Refusal::Unreachable => "Check the network, `region` (is there such an AWS region?) and `endpoints`; where the way out is a proxy, set HTTPS_PROXY.".to_owned(),
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
            Refusal::ProfileRole => f.write_str("the profile's role cannot be taken"),
            Refusal::TokenRefused(code) => {
                let code = if code.is_empty() { String::new() } else { format!(" ({code})") };
                write!(f, "AWS does not give the role for the web identity token{code}")
            }
            Refusal::TokenExpired => f.write_str("the web identity token has expired"),
            Refusal::TokenFile(path) => write!(f, "the web identity token's file {path} cannot be read"),
            Refusal::SsoExpired => f.write_str("the SSO session has expired"),
            Refusal::Process => f.write_str("the profile's `credential_process` failed"),
            Refusal::NoSuchRegion { region, .. } => write!(f, "`{region}` is no AWS region"),
            Refusal::Account => f.write_str("the credentials are of an account that the backend does not allow"),
            Refusal::WrongRegion(Some(region)) => write!(f, "the state's bucket is in the region {region}"),
            Refusal::WrongRegion(None) => f.write_str("the state's bucket is in another region"),
            Refusal::Denied(denial) => match &denial.action {
                Some(action) => write!(f, "AWS denies `{action}`"),
                None => f.write_str("AWS denies access to the state's bucket"),
            },
            Refusal::Service(status) => write!(f, "AWS, or the store, failed with status {status}"),
            Refusal::Intercepted(status) => {
                write!(f, "something on the way to the store, no part of AWS, refused the request ({status})")
            }
            Refusal::BucketInHost(host) => write!(f, "there is no host {host}, which begins with the bucket's name"),
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

/// A remedy as a sentence of its own.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| format!("{}{}.", first.to_uppercase(), letters.as_str())).unwrap_or_default()
}

#[cfg(test)]
mod tests;
