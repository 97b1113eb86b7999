//! What `init` really writes, and every way in which it can be unusable.

use super::*;

fn config(extra: &str) -> String {
    let extra = if extra.is_empty() { String::new() } else { format!(",{extra}") };
    format!(
        r#"{{"version":3,"terraform_version":"1.11.4","backend":{{"type":"s3","config":{{"bucket":"tfstate","key":"prod/app/terraform.tfstate"{extra}}},"hash":1}}}}"#
    )
}

fn read_env(extra: &str, workspace: &str, env: &[(&str, &str)]) -> Result<Backend, BackendError> {
    let lookup = |name: &str| env.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
    Backend::read(config(extra).as_bytes(), workspace, &lookup)
}

fn read(extra: &str) -> Backend {
    read_env(extra, "default", &[]).unwrap()
}

fn error(file: &str) -> String {
    Backend::read(file.as_bytes(), "default", &|_| None).unwrap_err().to_string()
}

#[test]
fn keys_follow_the_workspace() {
    let keys = |workspace, extra| {
        let backend = read_env(extra, workspace, &[]).unwrap();
        (backend.state_key(), backend.lock_key(), backend.path())
    };
    let expected = |state: &str| (state.to_owned(), format!("{state}.tflock"), format!("tfstate/{state}"));
    assert_eq!(keys("default", ""), expected("prod/app/terraform.tfstate"));
    assert_eq!(keys("ws1", ""), expected("env:/ws1/prod/app/terraform.tfstate"));
    let prefix = r#""workspace_key_prefix":"teams/a""#;
    assert_eq!(keys("ws1", prefix), expected("teams/a/ws1/prod/app/terraform.tfstate"));
    assert_eq!(keys("default", prefix), expected("prod/app/terraform.tfstate"));
    assert_eq!(keys("ws1", r#""workspace_key_prefix":"""#), expected("ws1/prod/app/terraform.tfstate"));
}

#[test]
fn our_own_objects_lie_beside_the_state() {
    let backend = read_env("", "ws1", &[]).unwrap();
    let state = "stategate/env:/ws1/prod/app/terraform.tfstate";
    assert_eq!(backend.rescued_key(987, 2), format!("{state}/rescued/987-2.tfstate"));
}

#[test]
fn the_stores_are_what_the_backend_names() {
    assert_eq!(read(r#""use_lockfile":true"#).stores(), [Store::S3]);
    assert_eq!(read(r#""dynamodb_table":"locks""#).stores(), [Store::DynamoDb]);
    let both = read(r#""use_lockfile":true,"dynamodb_table":"locks""#);
    assert_eq!(both.stores(), [Store::S3, Store::DynamoDb]);
    assert!(both.warnings().is_empty());
    let none = read(r#""use_lockfile":false,"dynamodb_table":"""#);
    assert_eq!(none.stores(), [Store::S3]);
    assert_eq!(none.warnings(), [BackendWarning::TerraformDoesNotLock]);
}

#[test]
fn encryption_is_what_terraform_would_send() {
    let key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
    assert!(matches!(read("").encryption, Encryption::BucketDefault));
    assert!(matches!(read(r#""encrypt":true"#).encryption, Encryption::Aes256));
    assert!(matches!(read(r#""kms_key_id":"k""#).encryption, Encryption::BucketDefault));
    let kms = read(r#""encrypt":true,"kms_key_id":"arn:k""#);
    assert!(matches!(kms.encryption, Encryption::Kms { key_id } if key_id == "arn:k"));
    let md5 = "KYvwGXoFFJ42a2u2GDWhwQ==";
    let customer = read(&format!(r#""encrypt":true,"sse_customer_key":"{key}""#));
    assert!(matches!(customer.encryption, Encryption::Customer { key_md5, .. } if key_md5 == md5));
    let from_env = read_env(r#""encrypt":true"#, "default", &[("AWS_SSE_CUSTOMER_KEY", key)]).unwrap();
    assert!(matches!(from_env.encryption, Encryption::Customer { key_md5, .. } if key_md5 == md5));
    for (bad, why) in [("!", "is not base64"), ("c2hvcnQ=", "is not 256 bits long")] {
        let extra = format!(r#""encrypt":true,"sse_customer_key":"{bad}""#);
        assert!(read_env(&extra, "default", &[]).unwrap_err().to_string().contains(why));
    }
}

#[test]
fn the_environment_fills_what_the_block_leaves_out() {
    let env = [
        ("AWS_REGION", ""),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
        ("AWS_ENDPOINT_URL_S3", "http://s3"),
        ("AWS_S3_ENDPOINT", "http://old-s3"),
        ("AWS_DYNAMODB_ENDPOINT", "http://ddb"),
        ("AWS_ENDPOINT_URL_STS", "http://sts"),
        ("AWS_MAX_ATTEMPTS", "9"),
    ];
    let backend = read_env("", "default", &env).unwrap();
    assert_eq!(backend.region.as_deref(), Some("eu-west-1"));
    assert_eq!(backend.endpoints.s3.as_deref(), Some("http://s3"));
    assert_eq!(backend.endpoints.dynamodb.as_deref(), Some("http://ddb"));
    assert_eq!(backend.endpoints.sts.as_deref(), Some("http://sts"));
    assert_eq!(backend.max_attempts, Some(9));
    let block = r#""region":"us-east-1","endpoint":"http://legacy","dynamodb_endpoint":"http://d","max_retries":2"#;
    let backend = read_env(block, "default", &env).unwrap();
    assert_eq!(backend.region.as_deref(), Some("us-east-1"));
    assert_eq!(backend.endpoints.s3.as_deref(), Some("http://legacy"));
    assert_eq!(backend.endpoints.dynamodb.as_deref(), Some("http://d"));
    assert_eq!(backend.max_attempts, Some(2));
    let nested = r#""endpoint":"http://legacy","endpoints":{"s3":"http://nested","dynamodb":null}"#;
    assert_eq!(read_env(nested, "default", &env).unwrap().endpoints.s3.as_deref(), Some("http://nested"));
}

#[test]
fn roles_are_read_in_both_spellings() {
    let nested = read(
        r#""assume_role":{"role_arn":"arn:r","duration":"1h30m","external_id":"e","policy":null,"policy_arns":["arn:p"],"session_name":"s","source_identity":null,"tags":{"a":"b"},"transitive_tag_keys":null},"sts_region":"eu-west-1""#,
    );
    let role = nested.credentials.assume_role.unwrap();
    assert_eq!(role.role_arn, "arn:r");
    assert_eq!(role.duration, Some(Duration::from_mins(90)));
    assert_eq!(role.tags, [("a".to_owned(), "b".to_owned())]);
    assert_eq!(role.sts_region.as_deref(), Some("eu-west-1"));
    let flat = read(r#""role_arn":"arn:r","session_name":"s","assume_role_duration_seconds":900"#);
    let role = flat.credentials.assume_role.unwrap();
    assert_eq!((role.role_arn.as_str(), role.duration), ("arn:r", Some(Duration::from_mins(15))));

    let env = [("AWS_ROLE_ARN", "arn:w"), ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token")];
    let web = read_env(r#""assume_role_with_web_identity":{"session_name":"s"}"#, "default", &env).unwrap();
    let web = web.credentials.web_identity.unwrap();
    assert_eq!(web.role_arn, "arn:w");
    assert!(matches!(web.token, WebIdentityToken::File(path) if path == "/token"));
}

#[test]
fn what_cannot_be_honoured_is_named() {
    let backend = read(r#""use_lockfile":true,"insecure":true,"https_proxy":"http://p""#);
    let names: Vec<_> = backend.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(names.len(), 2);
    assert!(names[0].contains("`https_proxy`") && names[1].contains("`insecure`"));
}

#[test]
fn bad_input_names_the_place() {
    assert!(error("{").contains("line 1, column 1"), "{}", error("{"));
    assert!(error("").contains("cannot be read"));
    assert!(error(r#"{"version":3}"#).contains("no backend block"));
    assert!(error(r#"{"backend":{"type":"gcs","config":{}}}"#).contains("\"gcs\""));
    assert!(error(r#"{"backend":{"type":"s3","config":{"key":"k"}}}"#).contains("`bucket`"));
    assert!(error(r#"{"backend":{"type":"s3","config":{"bucket":"b","key":""}}}"#).contains("`key`"));
    assert!(error(r#"{"backend":{"type":"s3","config":null}}"#).contains("backend.config"));
    assert!(
        error(r#"{"backend":{"type":"s3","config":{"bucket":"b","key":"k","access_key":"a"}}}"#)
            .contains("`secret_key`")
    );
}

#[test]
fn nothing_secret_is_ever_printed() {
    let key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
    let secrets = format!(
        r#""access_key":"AKID","secret_key":"s3cr3t-1","token":"s3cr3t-2","encrypt":true,"sse_customer_key":"{key}","assume_role_with_web_identity":{{"role_arn":"r","web_identity_token":"s3cr3t-3"}}"#
    );
    let debug = format!("{:?}", read(&secrets));
    assert!(debug.contains("AKID") && !debug.contains("s3cr3t") && !debug.contains(key), "{debug}");
    // A wrong type must not quote the value that has it.
    for bad in [r#""encrypt":"s3cr3t-4""#, r#""secret_key":["s3cr3t-4"]"#, r#""endpoints":"s3cr3t-4""#] {
        let error = read_env(bad, "default", &[]).unwrap_err();
        let text = format!("{error} {error:?} {}", error.hint());
        assert!(text.contains("backend.config.") && !text.contains("s3cr3t"), "{text}");
    }
}
