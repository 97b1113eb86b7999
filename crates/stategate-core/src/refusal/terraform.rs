//! Which of the usual causes made `terraform init` fail, from what it printed.

use super::{Denial, Refusal, is_bad_credentials};

impl Refusal {
    /// Reads what Terraform printed; `None` when it is not about AWS.
    pub fn from_terraform(stderr: &str) -> Option<Refusal> {
        let text = unframed(stderr);
        let has = |sign: &str| text.contains(sign);
        let (code, message) = answer(&text);
        let is_aws = ["operation error ", "S3 bucket", "AWS account", "IAM Role"].iter().any(|sign| has(sign));
        if has("failed to get shared config profile") {
            Some(Refusal::NoProfile)
        } else if has("Invalid region value") || has("Invalid AWS Region: ") {
            Some(no_such_region(&text))
        } else if let Some(refusal) = of_credentials(&text, code) {
            Some(refusal)
        } else if has("AWS account ID not allowed") {
            Some(Refusal::Account)
        } else if !is_aws {
            None
        } else if has("NoSuchBucket") || (has("S3 bucket") && has("does not exist")) {
            Some(Refusal::NoSuchBucket)
        } else if let Some((_, region)) = text.split_once("actual location \"") {
            let region = region.split_once('"').map(|(region, _)| region.to_owned());
            Some(Refusal::WrongRegion(region.filter(|region| !region.is_empty())))
        } else if has("StatusCode: 301") || has("PermanentRedirect") || code == "AuthorizationHeaderMalformed" {
            Some(Refusal::WrongRegion(expected_region(message)))
        } else if let Some(refusal) = of_status(&text, (code, message)) {
            Some(refusal)
        } else {
            Some(of_network(&text).unwrap_or(Refusal::Other))
        }
    }
}

/// Why there are no credentials to ask with.
fn of_credentials(text: &str, code: &str) -> Option<Refusal> {
    let has = |sign: &str| text.contains(sign);
    let asks_sts = has("operation error STS: AssumeRole");
    if has("No valid credential sources") && has("unable to read file at ") {
        let path = text.split_once("unable to read file at ").and_then(|(_, rest)| rest.split_once(": "));
        return Some(Refusal::TokenFile(path.map(|(path, _)| path.to_owned()).unwrap_or_default()));
    }
    // What cannot be reached refuses nothing.
    if let Some(network) = of_network(text).filter(|_| asks_sts) {
        return Some(network);
    }
    if has("operation error STS: AssumeRoleWithWebIdentity") {
        return Some(Refusal::of_token(code));
    }
    if is_bad_credentials(code) {
        return Some(Refusal::BadCredentials(code.to_owned()));
    }
    if has("cannot be assumed") || has("Cannot assume IAM Role") {
        return Some(Refusal::Role);
    }
    if asks_sts {
        return Some(Refusal::ProfileRole);
    }
    if !has("No valid credential sources") {
        return None;
    }
    Some(match () {
        () if has("SSO session has expired") || has("SSO token") => Refusal::SsoExpired,
        () if has("process provider error") => Refusal::Process,
        () => Refusal::NoCredentials,
    })
}

/// What the status of S3's answer says.
fn of_status(text: &str, (code, message): (&str, &str)) -> Option<Refusal> {
    let status = text.split_once("StatusCode: ").and_then(|(_, rest)| rest.split_once(','));
    let status: u16 = status.and_then(|(status, _)| status.parse().ok()).unwrap_or(0);
    match status {
        407 => Some(Refusal::Intercepted(407)),
        429 | 500.. => Some(Refusal::Service(status)),
        _ if matches!(code, "SlowDown" | "ServiceUnavailable" | "InternalError") => Some(Refusal::Service(status)),
        _ if status == 403 || code.starts_with("AccessDenied") => {
            let mut denial = Denial::read(message);
            denial.action = denial.action.or_else(|| asked_for(text).map(str::to_owned));
            // S3 numbers every answer, also one without a body.
            denial.is_anonymous = text.contains("RequestID: ,");
            Some(Refusal::Denied(Box::new(denial)))
        }
        _ => None,
    }
}

/// What is between us and AWS.
fn of_network(text: &str) -> Option<Refusal> {
    let has = |sign: &str| text.contains(sign);
    if has("x509:") || has("failed to verify certificate") {
        return Some(Refusal::Certificate);
    }
    let signs = ["dial tcp", "no such host", "proxyconnect", "connection refused", "request send failed"];
    if !signs.iter().any(|sign| has(sign)) {
        return None;
    }
    let between = |from: &str, to: &[char]| {
        let (_, rest) = text.split_once(from)?;
        Some(rest.split(to).next().unwrap_or_default())
    };
    let host = between("lookup ", &[' ', ':']).unwrap_or_default();
    let bucket = between("S3 bucket \"", &['"']).unwrap_or_default();
    if is_bucket_before(bucket, host) {
        Some(Refusal::BucketInHost(host.to_owned()))
    } else {
        Some(Refusal::Unreachable)
    }
}

/// The bucket's name stands before the address of a store that is not Amazon's.
pub(super) fn is_bucket_before(bucket: &str, host: &str) -> bool {
    let rest = host.strip_prefix(bucket).and_then(|rest| rest.strip_prefix('.'));
    !bucket.is_empty() && rest.is_some_and(|rest| !rest.contains("amazonaws."))
}

fn no_such_region(text: &str) -> Refusal {
    let region = text.split_once("Invalid AWS Region: ").and_then(|(_, rest)| rest.split_whitespace().next());
    let place = text.split_once("Invalid region value ").and_then(|(_, rest)| rest.split_once(','));
    Refusal::NoSuchRegion {
        region: region.unwrap_or_default().to_owned(),
        place: place
            .map(|(place, _)| place.to_owned())
            .filter(|place| place.starts_with("on ") && place.contains(" line ")),
    }
}

/// The region that S3 says it expects in a signature.
pub fn expected_region(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("expecting '")?;
    let (region, _) = rest.split_once('\'')?;
    let is_name = !region.is_empty() && region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    is_name.then(|| region.to_owned())
}

/// The code and the message of AWS's answer: after `api error`, or, where Terraform knows the code,
/// right after the numbers of the request.
fn answer(text: &str) -> (&str, &str) {
    let known = || {
        let (_, rest) = text.split_once("RequestID: ")?.1.split_once(", ")?;
        let rest = if rest.starts_with("HostID: ") { rest.split_once(", ")?.1 } else { rest };
        rest.split_once(": ")
            .filter(|(code, _)| !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_alphanumeric()))
    };
    let unknown = || text.split_once("api error ")?.1.split_once(": ");
    unknown().or_else(known).unwrap_or_default()
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
