//! AWS's own messages, and what Terraform 1.11 prints.

use super::*;

const USER: &str = "User: arn:aws:sts::111122223333:assumed-role/stategate-plan/run";
const OBJECT: &str = "arn:aws:s3:::tfstate/prod/app/terraform.tfstate.tflock";
const KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

#[test]
fn a_denial_names_policy_action_and_resource() {
    let table = [
        (
            "s3:PutObject",
            OBJECT,
            "because no identity-based policy allows the s3:PutObject action",
            Policy::Identity,
            false,
        ),
        ("s3:PutObject", OBJECT, "with an explicit deny in an identity-based policy", Policy::Identity, true),
        ("s3:DeleteObject", OBJECT, "with an explicit deny in a resource-based policy", Policy::Resource, true),
        (
            "s3:GetObject",
            OBJECT,
            "because no resource-based policy allows the s3:GetObject action",
            Policy::Resource,
            false,
        ),
        ("s3:GetObject", OBJECT, "with an explicit deny in a service control policy", Policy::Boundary, true),
        ("s3:GetObject", OBJECT, "with an explicit deny in a resource control policy", Policy::Boundary, true),
        (
            "s3:GetObject",
            OBJECT,
            "because no permissions boundary allows the s3:GetObject action",
            Policy::Boundary,
            false,
        ),
        ("s3:GetObject", OBJECT, "because no session policy allows the s3:GetObject action", Policy::Session, false),
        (
            "s3:GetObject",
            OBJECT,
            "because no VPC endpoint policy allows the s3:GetObject action",
            Policy::Endpoint,
            false,
        ),
        (
            "kms:GenerateDataKey",
            KEY,
            "because no identity-based policy allows the kms:GenerateDataKey action",
            Policy::Kms,
            false,
        ),
        ("kms:Decrypt", KEY, "because no resource-based policy allows the kms:Decrypt action", Policy::Kms, false),
        ("kms:Decrypt", KEY, "with an explicit deny in a service control policy", Policy::Boundary, true),
    ];
    for (action, resource, why, policy, is_explicit) in table {
        // S3 quotes the resource, KMS does not.
        for resource_text in [format!("\"{resource}\""), resource.to_owned()] {
            let denial = Denial::read(&format!(
                "{USER} is not authorized to perform: {action} on resource: {resource_text} {why}"
            ));
            assert_eq!(denial.by, Some(policy), "{why}");
            assert_eq!(denial.is_explicit, is_explicit, "{why}");
            assert_eq!(denial.action.as_deref(), Some(action), "{why}");
            assert_eq!(denial.resource.as_deref(), Some(resource), "{why}");
            let remedy = denial.remedy("other", "other");
            assert!(remedy.contains(&format!("`{action}` on `{resource}`")), "{remedy}");
            assert_eq!(remedy.contains("explicit deny"), is_explicit, "{remedy}");
        }
    }
}

#[test]
fn a_key_of_another_account_is_no_object() {
    let words = "on this resource because the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access";
    let mut denial = Denial::read(&format!("{USER} is not authorized to perform: kms:GenerateDataKey {words}"));
    assert_eq!((denial.by, denial.resource.as_deref()), (Some(Policy::Kms), None));
    let remedy = denial.remedy("s3:PutObject", OBJECT);
    assert!(remedy.contains("`kms_key_id`") && !remedy.contains(OBJECT), "{remedy}");
    denial.resource = Some(KEY.to_owned());
    let remedy = denial.remedy("s3:PutObject", OBJECT);
    assert!(remedy.starts_with(&format!("allow the role `kms:GenerateDataKey` on `{KEY}`")), "{remedy}");
    assert!(remedy.contains("another account"), "{remedy}");
}

#[test]
fn a_denial_without_words_names_what_was_asked_for() {
    let denial = Denial::read("Access Denied");
    assert_eq!((denial.by, denial.is_explicit), (None, false));
    let remedy = denial.remedy("s3:PutObject", OBJECT);
    assert!(remedy.contains("`s3:PutObject`") && remedy.contains(OBJECT) && remedy.contains("key's"), "{remedy}");
    let key = "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.";
    assert_eq!(Denial::read(key).by, Some(Policy::Kms));
}

/// A frame as Terraform draws it.
fn framed(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("│ {line}")).collect();
    format!("╷\n{}\n╵\n", lines.join("\n"))
}

#[test]
fn each_cause_has_a_headline_and_a_remedy_of_its_own() {
    let s3 = "Error: error loading state: Unable to access object \"prod\" in S3 bucket \"tfstate\": operation error S3: HeadObject, https response error";
    let table = [
        ("Error: Failed to get existing workspaces: S3 bucket \"tfstate\" does not exist.\n\nThe referenced S3 bucket must have been previously created.\n\nError: operation error S3: ListObjectsV2, https response error StatusCode: 404, RequestID: X, HostID: , NoSuchBucket: The specified bucket does not exist".to_owned(), Refusal::NoSuchBucket, "does not exist", "Create the bucket"),
        ("Error: No valid credential sources found\n\nPlease see https://www.terraform.io/docs/language/settings/backends/s3.html\nfor more information about providing credentials.\n\nError: failed to refresh cached credentials, no EC2 IMDS role found, operation error ec2imds: GetMetadata, access disabled to EC2 IMDS via client option".to_owned(), Refusal::NoCredentials, "no AWS credentials", "id-token: write"),
        ("Error: failed to get shared config profile, production".to_owned(), Refusal::NoProfile, "profile", "`profile`"),
        ("Error: validating provider credentials: retrieving caller identity from STS: operation error STS: GetCallerIdentity, https response error StatusCode: 403, RequestID: X, api error ExpiredToken: The security token included in the request is expired".to_owned(), Refusal::BadCredentials("ExpiredToken".to_owned()), "expired", "Renew the session"),
        (format!("{s3} StatusCode: 403, RequestID: X, HostID: Y, api error InvalidAccessKeyId: The AWS Access Key Id you provided does not exist in our records."), Refusal::BadCredentials("InvalidAccessKeyId".to_owned()), "does not accept", "AWS_ACCESS_KEY_ID"),
        ("Error: requested bucket from \"us-east-1\", actual location \"eu-central-1\"\n\noperation error S3: ListObjectsV2, https response error StatusCode: 301".to_owned(), Refusal::WrongRegion(Some("eu-central-1".to_owned())), "region eu-central-1", "`region = \"eu-central-1\"`"),
        ("Error: operation error S3: ListObjectsV2, https response error StatusCode: 301, RequestID: X, api error PermanentRedirect: The bucket you are attempting to access must be addressed using the specified endpoint.".to_owned(), Refusal::WrongRegion(None), "another region", "`region`"),
        ("Error: Cannot assume IAM Role\n\nIAM Role (arn:aws:iam::111122223333:role/state) cannot be assumed.\n\nError: operation error STS: AssumeRole, https response error StatusCode: 403, RequestID: X, api error AccessDenied: no".to_owned(), Refusal::Role, "role cannot be taken", "trust policy"),
        ("Error: Invalid account ID\n\nAWS account ID not allowed: 111122223333".to_owned(), Refusal::Account, "account", "allowed_account_ids"),
        ("Error: operation error S3: ListObjectsV2, https response error StatusCode: 0, RequestID: , HostID: , request send failed, Get \"https://s3\": tls: failed to verify certificate: x509: certificate signed by unknown authority".to_owned(), Refusal::Certificate, "certificate", "SSL_CERT_FILE"),
        ("Error: operation error S3: ListObjectsV2, exceeded maximum number of attempts, 5, https response error StatusCode: 0, RequestID: , HostID: , request send failed, Get \"https://s3\": dial tcp: lookup s3: no such host".to_owned(), Refusal::Unreachable, "cannot be reached", "HTTPS_PROXY"),
    ];
    let none = "Error: No valid credential sources found\n\nPlease see https://developer.hashicorp.com/terraform/language/backend/s3\nfor more information about providing credentials.\n\nError: failed to refresh cached credentials, ";
    let list = "Error: Failed to get existing workspaces: Unable to list objects in S3 bucket \"tfstate\" with prefix \"env:/\": operation error S3: ListObjectsV2, ";
    let table = table.into_iter().chain([
        (format!("{none}failed to retrieve credentials,\noperation error STS: AssumeRoleWithWebIdentity, https response error\nStatusCode: 403, RequestID: r, api error AccessDenied: Not authorized to\nperform sts:AssumeRoleWithWebIdentity"), Refusal::TokenRefused("AccessDenied".to_owned()), "web identity token (AccessDenied)", "trust policy"),
        (format!("{none}failed to retrieve credentials,\noperation error STS: AssumeRoleWithWebIdentity, exceeded maximum number of\nattempts, 3, https response error StatusCode: 400, RequestID: r,\nInvalidIdentityToken: No OpenIDConnect provider found in your account for\nhttps://token.actions.githubusercontent.com"), Refusal::TokenRefused("InvalidIdentityToken".to_owned()), "web identity token", "identity provider"),
        (format!("{none}failed to retrieve credentials,\noperation error STS: AssumeRoleWithWebIdentity, https response error\nStatusCode: 400, RequestID: r, ExpiredTokenException: Token expired: current\ndate/time must be before the expiration date/time"), Refusal::TokenExpired, "token has expired", "right before this one"),
        (format!("{none}failed to retrieve jwt from\nprovide source, unable to read file at /var/run/gone: open\n/var/run/gone: no such file or directory"), Refusal::TokenFile("/var/run/gone".to_owned()), "/var/run/gone cannot be read", "AWS_WEB_IDENTITY_TOKEN_FILE"),
        (format!("{none}operation error STS: AssumeRole,\nhttps response error StatusCode: 403, RequestID: r, api error AccessDenied:\nUser: arn:aws:iam::1:user/x is not authorized to perform: sts:AssumeRole on\nresource: arn:aws:iam::111122223333:role/state"), Refusal::ProfileRole, "profile's role", "`source_profile`"),
        (format!("{none}operation error STS: AssumeRole, https response error StatusCode: 403, RequestID: r, api error InvalidClientTokenId: The security token included in the request is invalid"), Refusal::BadCredentials("InvalidClientTokenId".to_owned()), "(InvalidClientTokenId)", "AWS_ACCESS_KEY_ID"),
        (format!("{none}the SSO session has expired or\nis invalid: failed to read cached SSO token file"), Refusal::SsoExpired, "SSO session", "aws sso login"),
        (format!("{none}process provider error: error in\ncredential_process: exit status 1"), Refusal::Process, "credential_process", "by hand"),
        ("Error: Invalid region value\n\n  on main.tf line 5, in terraform:\n   5:     region = \"eu-centrall-1\"\n\nInvalid AWS Region: eu-centrall-1".to_owned(), Refusal::NoSuchRegion { region: "eu-centrall-1".to_owned(), place: Some("on main.tf line 5".to_owned()) }, "`eu-centrall-1` is no AWS region", "main.tf line 5"),
        (format!("{list}exceeded maximum number of attempts, 1, https response error StatusCode: 503, RequestID: R, HostID: H, api error SlowDown: SlowDown"), Refusal::Service(503), "status 503", "run this again"),
        (format!("{list}https response error StatusCode: 407, RequestID: , HostID: , api error ProxyAuthenticationRequired: Proxy Authentication Required"), Refusal::Intercepted(407), "no part of AWS", "HTTPS_PROXY"),
        (format!("{list}https response error StatusCode: 400, RequestID: R, HostID: H, api error AuthorizationHeaderMalformed: The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-3'"), Refusal::WrongRegion(Some("eu-west-3".to_owned())), "region eu-west-3", "`region = \"eu-west-3\"`"),
        (format!("{list}https response error StatusCode: 0, RequestID: , HostID: , request send failed, Get \"http://tfstate.127.0.0.1:9/?list-type=2\": dial tcp: lookup tfstate.127.0.0.1 on 10.0.0.2:53: no such host"), Refusal::BucketInHost("tfstate.127.0.0.1".to_owned()), "no host tfstate.127.0.0.1", "use_path_style = true"),
    ]);
    // What cannot be reached refuses nothing.
    let unreached = format!(
        "{none}operation error STS: AssumeRoleWithWebIdentity, https response error StatusCode: 0, RequestID: , request send failed, Post \"https://sts.us-east-1.amazonaws.com/\": dial tcp: lookup sts.us-east-1.amazonaws.com: no such host"
    );
    assert_eq!(Refusal::from_terraform(&framed(&unreached)), Some(Refusal::Unreachable));
    let mut headlines = std::collections::BTreeSet::new();
    for (text, refusal, headline, hint) in table {
        for text in [text.clone(), framed(&text)] {
            let found = Refusal::from_terraform(&text).unwrap();
            assert_eq!(found, refusal, "{text}");
            assert!(found.to_string().contains(headline), "{found}");
            assert!(found.hint().contains(hint), "{}", found.hint());
        }
        assert!(headlines.insert((refusal.to_string(), refusal.hint())), "{refusal} is told as something else too");
    }
    let denied = format!(
        "{s3} StatusCode: 403, RequestID: X, HostID: Y, api error AccessDenied: {USER} is not authorized to perform: s3:GetObject on resource: \"{OBJECT}\" because no identity-based policy allows the s3:GetObject action"
    );
    let refusal = Refusal::from_terraform(&framed(&denied)).unwrap();
    assert_eq!(refusal.to_string(), "AWS denies `s3:GetObject`");
    assert!(refusal.hint().contains(OBJECT), "{}", refusal.hint());
    assert!(!refusal.hint().contains("proxy"), "{}", refusal.hint());
    // A proxy's answer has no number of S3's.
    let proxys =
        format!("{list}https response error StatusCode: 403, RequestID: , HostID: , api error Forbidden: Forbidden");
    let refusal = Refusal::from_terraform(&framed(&proxys)).unwrap();
    assert!(refusal.hint().contains("proxy"), "{}", refusal.hint());
    // S3 answers a HEAD without words.
    let silent = format!("{s3} StatusCode: 403, RequestID: X, HostID: Y, api error Forbidden: Forbidden");
    let refusal = Refusal::from_terraform(&framed(&silent)).unwrap();
    assert_eq!(refusal.to_string(), "AWS denies `s3:GetObject`");
    assert!(refusal.hint().contains("`s3:GetObject` on the state's bucket,"), "{}", refusal.hint());
}

#[test]
fn what_is_not_about_aws_is_not_told_as_such() {
    for text in [
        "Error: Unsupported block type\n\n  on main.tf line 3",
        "Error: Failed to query available provider packages: no such host",
        "Error: Invalid value for input variable: x509: certificate",
    ] {
        assert_eq!(Refusal::from_terraform(text), None, "{text}");
    }
}

#[test]
fn an_object_that_is_written_once_is_allowed_with_its_siblings() {
    let remedy = |resource: &str| Denial::default().remedy("s3:PutObject", resource);
    let state = "arn:aws:s3:::tfstate/stategate/prod/audit/app.tfstate";
    for (key, named) in [
        ("audit/2026-11-21T16%3A39%3A07Z-freeze.json", "audit/*"),
        ("plans/4f0c1d2e.json", "plans/*"),
        ("rescued/987-1.tfstate", "rescued/*"),
    ] {
        let told = remedy(&format!("{state}/{key}"));
        assert!(told.starts_with(&format!("allow the role `s3:PutObject` on `{state}/{named}`,")), "{told}");
        let denial = Denial { resource: Some(format!("{state}/{key}")), ..Denial::default() };
        assert_eq!(denial.remedy("s3:PutObject", "that"), told, "AWS's own words");
    }
    for whole in [OBJECT, "arn:aws:s3:::stategate/prod/audit/x", "arn:aws:s3:::tfstate/audit/x"] {
        assert!(remedy(whole).contains(&format!("on `{whole}`,")), "{}", remedy(whole));
    }
}

#[test]
fn a_token_that_is_not_at_fault_has_a_remedy_of_its_own() {
    for (code, remedy) in [
        ("IDPCommunicationError", "Run again"),
        ("RegionDisabledException", "Activate STS in that region"),
        ("InvalidIdentityToken", "Create the identity provider"),
        ("IDPRejectedClaim", "Create the identity provider"),
        ("AccessDenied", "trust policy"),
        ("ExpiredTokenException", "lasts minutes"),
    ] {
        let hint = Refusal::of_token(code).hint();
        assert!(hint.contains(remedy), "{code}: {hint}");
    }
}
