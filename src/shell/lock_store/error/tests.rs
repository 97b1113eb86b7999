//! AWS's error answers as they come over the wire, read by the SDK itself, and what they mean.

use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;

use super::*;
use stategate_core::refusal::Policy;

/// Answers everything alike.
#[derive(Debug, Clone)]
struct Canned {
    status: u16,
    headers: Vec<(&'static str, &'static str)>,
    body: String,
}

impl HttpClient for Canned {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Canned {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        let mut response = HttpResponse::new(self.status.try_into().unwrap(), SdkBody::from(self.body.clone()));
        for (name, value) in &self.headers {
            response.headers_mut().insert(*name, *value);
        }
        HttpConnectorFuture::ready(Ok(response))
    }
}

fn xml(code: &str, message: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message><RequestId>656c76696e6727732072657175657374</RequestId><HostId>Uuag1LuByRx9e6j5Onimru9pO4ZVKnJ2Qz7/C1NPcfTWAtRPfTaOFg==</HostId></Error>"
    )
}

/// What a `PutObject` that is answered so fails with.
async fn put(status: u16, headers: &[(&'static str, &'static str)], body: String) -> AwsError {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("AKIAIOSFODNN7EXAMPLE", "secret", None, None, "test"))
        .retry_config(aws_sdk_s3::config::retry::RetryConfig::disabled())
        .http_client(Canned { status, headers: headers.to_vec(), body })
        .build();
    let client = aws_sdk_s3::Client::from_conf(config);
    let sent = client.put_object().bucket("tfstate").key("a.tflock").send().await;
    AwsError::from_sdk("PutObject", "s3://tfstate/a.tflock".to_owned(), sent.unwrap_err())
}

#[tokio::test]
async fn each_answer_of_s3_has_its_meaning() {
    let bad = |code: &str| AwsErrorKind::BadCredentials(code.to_owned());
    let table = [
        (400, "ExpiredToken", "The provided token has expired.", bad("ExpiredToken"), "Renew the session"),
        (
            403,
            "InvalidAccessKeyId",
            "The AWS Access Key Id you provided does not exist in our records.",
            bad("InvalidAccessKeyId"),
            "AWS_ACCESS_KEY_ID",
        ),
        (
            403,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided.",
            bad("SignatureDoesNotMatch"),
            "AWS_ACCESS_KEY_ID",
        ),
        (
            400,
            "InvalidToken",
            "The provided token is malformed or otherwise invalid.",
            bad("InvalidToken"),
            "AWS_ACCESS_KEY_ID",
        ),
        (
            403,
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
            bad("RequestTimeTooSkewed"),
            "clock",
        ),
        (404, "NoSuchBucket", "The specified bucket does not exist", AwsErrorKind::NoSuchBucket, "`bucket`"),
        (
            412,
            "PreconditionFailed",
            "At least one of the pre-conditions you specified did not hold",
            AwsErrorKind::Precondition,
            "status",
        ),
        (409, "ConditionalRequestConflict", "A conflicting operation occurred", AwsErrorKind::Conflict, "again"),
        (503, "SlowDown", "Please reduce your request rate.", AwsErrorKind::Throttled, "again"),
        (
            500,
            "InternalError",
            "We encountered an internal error. Please try again.",
            AwsErrorKind::Server(500),
            "again",
        ),
        (
            501,
            "NotImplemented",
            "A header you provided implies functionality that is not implemented",
            AwsErrorKind::NoConditions,
            "conditional",
        ),
        (
            400,
            "KMS.DisabledException",
            "arn:aws:kms:x:1:key/k is disabled.",
            AwsErrorKind::Key("arn:aws:kms:x:1:key/k is disabled.".to_owned()),
            "kms_key_id",
        ),
    ];
    for (status, code, message, kind, hint) in table {
        let error = put(status, &[], xml(code, message)).await;
        assert_eq!(error.kind, kind, "{code}");
        assert!(error.hint().contains(hint), "{code}: {}", error.hint());
    }
    let elsewhere =
        put(301, &[("x-amz-bucket-region", "eu-west-1")], xml("PermanentRedirect", "must be addressed elsewhere"));
    let elsewhere = elsewhere.await;
    assert_eq!(elsewhere.kind, AwsErrorKind::WrongRegion { region: Some("eu-west-1".to_owned()) });
    assert_eq!(elsewhere.hint(), "set `region = \"eu-west-1\"` in the backend block");
    let malformed = "<Error><Code>AuthorizationHeaderMalformed</Code><Message>The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-1'</Message><Region>eu-west-1</Region></Error>";
    let untold = put(400, &[], malformed.to_owned()).await;
    assert_eq!(untold.kind, AwsErrorKind::WrongRegion { region: Some("eu-west-1".to_owned()) }, "by the words alone");
    let malformed = put(400, &[("x-amz-bucket-region", "eu-west-1")], malformed.to_owned()).await;
    assert_eq!(malformed.kind, AwsErrorKind::WrongRegion { region: Some("eu-west-1".to_owned()) });
}

#[tokio::test]
async fn a_denial_names_the_policy_the_action_and_the_resource() {
    let user = "User: arn:aws:sts::111122223333:assumed-role/stategate-plan/run is not authorized to perform:";
    let object = "arn:aws:s3:::tfstate/a.tflock";
    let key = "arn:aws:kms:us-east-1:111122223333:key/k";
    let table = [
        (
            format!(
                "{user} s3:PutObject on resource: &quot;{object}&quot; because no identity-based policy allows the s3:PutObject action"
            ),
            Some(Policy::Identity),
            format!("allow the role `s3:PutObject` on `{object}`, in the role's IAM policies"),
        ),
        (
            format!(
                "{user} s3:PutObject on resource: &quot;{object}&quot; with an explicit deny in a resource-based policy"
            ),
            Some(Policy::Resource),
            format!("an explicit deny refuses `s3:PutObject` on `{object}`: take it out of the bucket's own policy"),
        ),
        (
            format!(
                "{user} kms:GenerateDataKey on resource: {key} because no identity-based policy allows the kms:GenerateDataKey action"
            ),
            Some(Policy::Kms),
            format!("allow the role `kms:GenerateDataKey` on `{key}`, in the key's policy"),
        ),
        ("Access Denied".to_owned(), None, format!("allow the role `s3:PutObject` on `{object}`")),
    ];
    for (message, policy, hint) in table {
        let error = put(403, &[], xml("AccessDenied", &message)).await;
        let AwsErrorKind::AccessDenied(denial) = &error.kind else { panic!("{error:?}") };
        assert_eq!(denial.by, policy, "{message}");
        assert!(error.hint().starts_with(&hint), "{}", error.hint());
        let told = error.hint().ends_with("`s3:GetObject`, `s3:PutObject` and `s3:DeleteObject`");
        assert_eq!(told, policy != Some(Policy::Kms), "{}", error.hint());
    }
    // A `HEAD` has no body: status alone, and the operation names the action.
    let kind = meaning(403, "", "", None);
    let head = AwsError::new("HeadObject", "s3://tfstate/a.tflock".into(), kind);
    assert!(head.hint().contains("`s3:GetObject`"), "{}", head.hint());
    let table =
        AwsError::new("PutItem", "DynamoDB table locks".into(), meaning(400, "AccessDeniedException", "no", None));
    assert!(table.hint().contains("`dynamodb:PutItem` on the DynamoDB table locks"), "{}", table.hint());
    assert!(table.hint().contains("`dynamodb:DeleteItem`"), "{}", table.hint());
}

#[tokio::test]
async fn an_answer_that_is_a_page_is_a_proxys() {
    let page = "<html><body>blocked</body></html>";
    for (status, remedy) in [(403, "NO_PROXY"), (407, "user and password"), (404, "NO_PROXY")] {
        let error = put(status, &[("content-type", "text/html; charset=utf-8")], page.to_owned()).await;
        assert_eq!(error.kind, AwsErrorKind::Intercepted(status));
        assert!(error.hint().contains(remedy) && !error.hint().contains("Allow the role"), "{}", error.hint());
    }
    // Whether a gateway that gave up had passed the request on is not known.
    let gateway = put(502, &[("content-type", "text/html")], page.to_owned()).await;
    assert!(gateway.kind.is_unclear(), "{gateway:?}");
}

#[tokio::test]
async fn a_put_that_finds_no_place_names_what_says_where_it_is() {
    let error = put(404, &[], String::new()).await;
    assert!(error.hint().contains("`endpoints.s3`"), "{}", error.hint());
}

#[test]
fn every_status_has_its_meaning_without_a_code() {
    let kind = |status, code: &str| meaning(status, code, "", None);
    assert_eq!(kind(412, ""), AwsErrorKind::Precondition);
    assert_eq!(kind(400, "ConditionalCheckFailedException"), AwsErrorKind::Precondition);
    assert_eq!(kind(404, "NoSuchKey"), AwsErrorKind::NotFound);
    assert_eq!(kind(400, "ResourceNotFoundException"), AwsErrorKind::NoSuchTable);
    assert_eq!(meaning(400, "InvalidArgument", "Unsupported header If-Match", None), AwsErrorKind::NoConditions);
}

#[test]
fn only_definite_answers_are_clear() {
    for (status, code) in [(500, ""), (503, "SlowDown"), (409, ""), (408, ""), (429, ""), (502, ""), (504, "")] {
        assert!(meaning(status, code, "", None).is_unclear(), "{status} {code}");
    }
    for (status, code) in [(403, "AccessDenied"), (404, "NoSuchBucket"), (400, "InvalidArgument"), (412, ""), (501, "")]
    {
        assert!(!meaning(status, code, "", None).is_unclear(), "{status} {code}");
    }
    let unsent = Trouble::Unreached { host: "s3".to_owned(), why: "s3:443: dns error".to_owned() };
    assert!(AwsErrorKind::Unreachable(unsent).is_unsent());
    assert!(!AwsErrorKind::Unreachable(Trouble::Connection("reset".to_owned())).is_unsent());
    let unreachable = |trouble| AwsErrorKind::Unreachable(trouble).is_unclear();
    assert!(unreachable(Trouble::Connection("reset".to_owned())), "the request may have arrived");
    let certificate = Trouble::Certificate { host: "s3".to_owned(), why: "UnknownIssuer".to_owned() };
    assert!(!unreachable(certificate), "nothing was sent, and nothing will be");
}

#[test]
fn what_a_credential_process_says_is_not_told() {
    let told =
        without_stderr("external process exited with code exit status: 3. Stderr: {\"SecretAccessKey\":\"hunter2\"");
    assert_eq!(told, "external process exited with code exit status: 3. (run it by hand to see what it says)");
    assert_eq!(without_stderr("no profile"), "no profile");
}
