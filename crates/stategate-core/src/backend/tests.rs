//! What `init` really writes, and every way in which it can be unusable.

use secrecy::ExposeSecret;

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
    assert_eq!(backend.place().all(), format!("{state}/"));
}

#[test]
fn only_what_a_run_writes_says_that_its_lock_stays() {
    let backend = read_env("", "prod", &[]).unwrap();
    let place = backend.place();
    for key in [backend.rescued_key(7, 1), backend.kept_key(7, 1), backend.rescued_part_key((7, 1), "printed")] {
        assert!(place.is_rescued(&key, 7, 1), "{key}");
        assert!(!place.is_rescued(&key, 7, 2) && !place.is_rescued(&key, 77, 1), "{key}");
    }
    let start = place.rescued(7, 1);
    for ending in ["", "x", ".part", "a/b.part", "/prod/app/terraform.tfstate/plans/x.json", "kept/plans/x", "kept2"] {
        assert!(!place.is_rescued(&format!("{start}{ending}"), 7, 1), "{ending}");
    }
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
    assert_eq!(nested.credentials.sts_region.as_deref(), Some("eu-west-1"));
    let role = nested.credentials.assume_role.unwrap();
    assert_eq!(role.role_arn, "arn:r");
    assert_eq!(role.duration, Some(Duration::from_mins(90)));
    assert_eq!(role.tags, [("a".to_owned(), "b".to_owned())]);
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
    let backend = read(r#""use_lockfile":true,"insecure":true"#);
    assert_eq!(backend.warnings(), [BackendWarning::Insecure]);
    let said = backend.warnings()[0].to_string();
    assert!(said.contains("`insecure`") && said.contains("`custom_ca_bundle`"), "{said}");
}

/// The proxies for `http://` and for `https://`.
fn proxies(backend: &Backend) -> [Option<&str>; 2] {
    [&backend.network.http_proxy, &backend.network.https_proxy].map(|p| p.as_ref().map(ExposeSecret::expose_secret))
}

#[test]
fn proxies_and_certificates_are_the_blocks_then_the_environments() {
    let env = [
        ("HTTPS_PROXY", "http://env:1"),
        ("http_proxy", "http://env:2"),
        ("NO_PROXY", "env"),
        ("AWS_CA_BUNDLE", "~/env.pem"),
        ("HOME", "/home/octocat"),
    ];
    let backend = read_env("", "default", &env).unwrap();
    assert_eq!(proxies(&backend), [Some("http://env:2"), Some("http://env:1")]);
    assert_eq!(backend.network.no_proxy.as_deref(), Some("env"));
    assert_eq!(backend.network.ca_bundle.as_deref(), Some("/home/octocat/env.pem"));
    let block = r#""http_proxy":"http://block:2","https_proxy":"http://block:1","no_proxy":"block","custom_ca_bundle":"/ca/${NAME}.pem""#;
    let mut env = env.to_vec();
    env.push(("NAME", "acme"));
    let backend = read_env(block, "default", &env).unwrap();
    assert_eq!(proxies(&backend), [Some("http://block:2"), Some("http://block:1")]);
    assert_eq!(backend.network.no_proxy.as_deref(), Some("block"));
    assert_eq!(backend.network.ca_bundle.as_deref(), Some("/ca/acme.pem"));
    let alone = read(r#""http_proxy":"http://block:2""#);
    assert_eq!(proxies(&alone), [Some("http://block:2"); 2]);
    let both = read_env(r#""http_proxy":"http://block:2""#, "default", &env).unwrap();
    assert_eq!(proxies(&both), [Some("http://block:2"), Some("http://env:1")]);
}

#[test]
fn the_other_settings_are_terraforms() {
    let plain = read("");
    assert!(!plain.adaptive_retries && plain.use_fips.is_none() && plain.use_dualstack.is_none());
    assert_eq!(plain.accounts, Accounts::Any);
    assert_eq!(plain.credentials.metadata.enabled, None);
    let set = r#""retry_mode":"adaptive","use_fips_endpoint":true,"use_dualstack_endpoint":false,"allowed_account_ids":["111122223333"],"skip_metadata_api_check":true,"ec2_metadata_service_endpoint":"http://imds","ec2_metadata_service_endpoint_mode":"IPv6""#;
    let env = [("AWS_RETRY_MODE", "standard"), ("AWS_USE_DUALSTACK_ENDPOINT", "true")];
    let backend = read_env(set, "default", &env).unwrap();
    assert!(backend.adaptive_retries);
    assert_eq!((backend.use_fips, backend.use_dualstack), (Some(true), Some(false)));
    assert!(backend.accounts.allow("111122223333") && !backend.accounts.allow("444455556666"));
    let metadata = backend.credentials.metadata;
    assert_eq!(
        (metadata.enabled, metadata.endpoint.as_deref(), metadata.ipv6),
        (Some(false), Some("http://imds"), true)
    );
    let env = [("AWS_RETRY_MODE", "adaptive"), ("AWS_USE_FIPS_ENDPOINT", "true"), ("AWS_METADATA_URL", "http://old")];
    let backend = read_env(r#""forbidden_account_ids":["111122223333"]"#, "default", &env).unwrap();
    assert!(backend.adaptive_retries);
    assert_eq!(backend.use_fips, Some(true));
    assert!(!backend.accounts.allow("111122223333") && backend.accounts.allow("444455556666"));
    assert_eq!(backend.credentials.metadata.endpoint.as_deref(), Some("http://old"));
    for (wrong, setting) in
        [(r#""retry_mode":"often""#, "retry_mode"), (r#""ec2_metadata_service_endpoint_mode":"4""#, "mode")]
    {
        assert!(read_env(wrong, "default", &[]).unwrap_err().to_string().contains(setting));
    }
}

#[test]
fn paths_are_expanded_as_terraform_does() {
    let env = |name: &str| match name {
        "HOME" => Some("/home/octocat".to_owned()),
        "NAME" => Some("acme".to_owned()),
        _ => None,
    };
    for (path, expanded) in [
        ("~/.aws/config", "/home/octocat/.aws/config"),
        ("~", "/home/octocat"),
        ("~other/x", "~other/x"),
        ("$NAME/${NAME}.pem", "acme/acme.pem"),
        ("$HOME/x", "/home/octocat/x"),
        ("a/$UNKNOWN/b", "a//b"),
        ("plain", "plain"),
    ] {
        assert_eq!(settings::expand(path, &env), expanded, "{path}");
    }
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
        r#""access_key":"AKID","secret_key":"s3cr3t-1","token":"s3cr3t-2","encrypt":true,"sse_customer_key":"{key}","assume_role_with_web_identity":{{"role_arn":"r","web_identity_token":"s3cr3t-3"}},"https_proxy":"http://u:s3cr3t-5@p:1","http_proxy":"http://u:s3cr3t-6@p:1""#
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

#[test]
fn the_way_out_of_hcp_terraform_is_not_migrate_state() {
    let hint = |kind: &str| BackendError::NotS3 { kind: kind.to_owned() }.hint();
    assert!(hint("cloud").contains("terraform state push") && !hint("cloud").contains("-migrate-state"));
    assert!(hint("gcs").contains("-migrate-state"));
}
