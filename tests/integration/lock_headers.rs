//! Our requests for the lock, header by header, against those that Terraform 1.11.4 was seen to
//! send for the same backend.

use stategate::shell::lock_store::Bucket;

use crate::harness::fault_proxy::{Fault, FaultProxy, Seen};
use crate::harness::ministack::Ministack;
use crate::harness::process::runtime;
use crate::lock_store::{backend, table, try_lock};

const KMS_KEY: &str = "arn:aws:kms:us-east-1:123456789012:key/363e65a2-5183-4f46-bffa-4db1d39b5a93";
const CUSTOMER_KEY: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
const CUSTOMER_KEY_MD5: &str = "KYvwGXoFFJ42a2u2GDWhwQ==";

/// Headers of the transport, of the signature, and of the SDK's own book-keeping.
const NOT_COMPARED: &[&str] = &[
    "host",
    "user-agent",
    "x-amz-user-agent",
    "content-length",
    "accept",
    "accept-encoding",
    "amz-sdk-invocation-id",
    "amz-sdk-request",
    "authorization",
    "x-amz-content-sha256",
    "x-amz-date",
    "connection",
];

/// A digest of the body: only that there is one is compared.
const DIGEST: &str = "(digest)";

fn headers(seen: &Seen) -> Vec<(String, String)> {
    let mut headers: Vec<_> =
        seen.headers.iter().filter(|(name, _)| !NOT_COMPARED.contains(&name.as_str())).cloned().collect();
    for (name, value) in &mut headers {
        if name.starts_with("x-amz-checksum-sha256") {
            DIGEST.clone_into(value);
        }
    }
    headers.sort();
    headers
}

fn expected(lines: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut headers: Vec<_> = lines.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    headers.sort();
    headers
}

/// Locks, verifies and releases through a recording proxy.
fn record(settings: &str) -> Vec<Seen> {
    let plain = Ministack::shared().bucket();
    let proxy = FaultProxy::start(&plain.endpoint, |_| Fault::None);
    let bucket = runtime().block_on(Bucket::connect(backend(&proxy.endpoint, &plain.name, settings)));
    let lock = runtime().block_on(try_lock(&bucket, "a")).unwrap();
    runtime().block_on(lock.verify()).unwrap();
    runtime().block_on(lock.release()).unwrap();
    let seen = proxy.seen();
    assert_eq!(proxy.operations(), ["PUT", "GET", "DELETE"]);
    for request in &seen {
        let path = format!("/{}/prod/app/terraform.tfstate.tflock?x-id=", plain.name);
        assert!(request.path.starts_with(&path), "{}", request.path);
    }
    seen
}

fn check(settings: &str, put: &[(&str, &str)], get: &[(&str, &str)]) {
    let seen = record(&format!(r#""use_lockfile":true{settings}"#));
    let mut on_put = vec![("content-type", "application/json"), ("if-none-match", "*")];
    on_put.extend_from_slice(put);
    assert_eq!(headers(&seen[0]), expected(&on_put), "PUT with {settings}");
    let mut on_get = vec![("x-amz-checksum-mode", "ENABLED")];
    on_get.extend_from_slice(get);
    assert_eq!(headers(&seen[1]), expected(&on_get), "GET with {settings}");
    // Terraform's has no header at all here; the condition is what makes ours safe to repeat.
    let delete = headers(&seen[2]);
    assert_eq!(delete.len(), 1, "DELETE with {settings}: {delete:?}");
    assert_eq!(delete[0].0, "if-match");
}

const CHECKSUM: [(&str, &str); 2] = [("x-amz-checksum-sha256", DIGEST), ("x-amz-sdk-checksum-algorithm", "SHA256")];

#[test]
fn the_lockfiles_headers_are_terraforms() {
    check("", &CHECKSUM, &[]);
}

#[test]
fn encryption_headers_are_terraforms() {
    let aes = [CHECKSUM[0], CHECKSUM[1], ("x-amz-server-side-encryption", "AES256")];
    check(r#","encrypt":true"#, &aes, &[]);
    let kms = [
        CHECKSUM[0],
        CHECKSUM[1],
        ("x-amz-acl", "bucket-owner-full-control"),
        ("x-amz-server-side-encryption", "aws:kms"),
        ("x-amz-server-side-encryption-aws-kms-key-id", KMS_KEY),
    ];
    check(&format!(r#","encrypt":true,"acl":"bucket-owner-full-control","kms_key_id":"{KMS_KEY}""#), &kms, &[]);
    let customer = [
        ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
        ("x-amz-server-side-encryption-customer-key", CUSTOMER_KEY),
        ("x-amz-server-side-encryption-customer-key-md5", CUSTOMER_KEY_MD5),
    ];
    let put = [CHECKSUM[0], CHECKSUM[1], customer[0], customer[1], customer[2]];
    check(&format!(r#","encrypt":true,"sse_customer_key":"{CUSTOMER_KEY}""#), &put, &customer);
}

/// Terraform's SDK then still adds a CRC32 of its own accord. Stores that want no checksum want
/// that one neither, so we send none.
#[test]
fn without_checksums_there_is_none() {
    check(r#","skip_s3_checksum":true"#, &[], &[]);
}

/// As OpenTofu 1.11 and later send them, for its own settings.
#[test]
fn the_lockfile_and_states_have_the_tags_that_opentofu_gives_them() {
    let tags = r#","lock_tags":{"team":"a b","cost:center":"1/2"},"state_tags":{"kind":"state"}"#;
    check(tags, &[CHECKSUM[0], CHECKSUM[1], ("x-amz-tagging", "cost%3Acenter=1%2F2&team=a+b")], &[]);

    let plain = Ministack::shared().bucket();
    let proxy = FaultProxy::start(&plain.endpoint, |_| Fault::None);
    let settings = format!(r#""use_lockfile":true{tags}"#);
    let bucket = runtime().block_on(Bucket::connect(backend(&proxy.endpoint, &plain.name, &settings)));
    let keys = bucket.backend();
    for (key, tagging) in [
        (keys.state_key(), Some("kind=state")),
        (keys.rescued_key(7, 1), Some("kind=state")),
        (keys.kept_key(7, 1), None),
        (keys.rescued_part_key((7, 1), "state"), None),
        ("stategate/prod/app/terraform.tfstate/audit/x.json".to_owned(), None),
    ] {
        runtime().block_on(bucket.put(&key, b"{}".to_vec(), "application/json")).unwrap();
        assert_eq!(proxy.seen().last().unwrap().header("x-amz-tagging"), tagging, "{key}");
    }
}

#[test]
fn a_workspaces_key_is_written_as_terraform_writes_it() {
    let plain = Ministack::shared().bucket();
    let proxy = FaultProxy::start(&plain.endpoint, |_| Fault::None);
    let mut of_workspace = backend(&proxy.endpoint, &plain.name, r#""use_lockfile":true"#);
    of_workspace.workspace = "ws1".to_owned();
    let bucket = runtime().block_on(Bucket::connect(of_workspace));
    let lock = runtime().block_on(try_lock(&bucket, "a")).unwrap();
    runtime().block_on(lock.release()).unwrap();
    let path = format!("/{}/env%3A/ws1/prod/app/terraform.tfstate.tflock", plain.name);
    assert_eq!(proxy.seen()[0].path.split('?').next().unwrap(), path);
}

#[test]
fn the_lock_items_requests_are_terraforms() {
    let plain = Ministack::shared().bucket();
    table(Ministack::shared(), &plain.name);
    let proxy = FaultProxy::start(&plain.endpoint, |_| Fault::None);
    let settings = format!(r#""dynamodb_table":"{}""#, plain.name);
    let bucket = runtime().block_on(Bucket::connect(backend(&proxy.endpoint, &plain.name, &settings)));
    let lock = runtime().block_on(try_lock(&bucket, "a")).unwrap();
    runtime().block_on(lock.verify()).unwrap();
    let info = lock.info().to_go_json();
    runtime().block_on(lock.release()).unwrap();
    let bodies: Vec<serde_json::Value> =
        proxy.seen().iter().map(|seen| serde_json::from_slice(&seen.body).unwrap()).collect();
    let lock_id = serde_json::json!({"S": format!("{}/prod/app/terraform.tfstate", plain.name)});
    let put = serde_json::json!({
        "TableName": plain.name, "ConditionExpression": "attribute_not_exists(LockID)",
        "Item": {"LockID": lock_id, "Info": {"S": info}},
    });
    let get = serde_json::json!({
        "TableName": plain.name, "ConsistentRead": true, "Key": {"LockID": lock_id},
        "ProjectionExpression": "LockID, Info",
    });
    assert_eq!(bodies[0], put);
    assert_eq!(bodies[1], get);
    assert_eq!(bodies[2]["Key"], serde_json::json!({"LockID": lock_id}));
    assert_eq!(bodies[2]["ExpressionAttributeValues"], serde_json::json!({":seen": {"S": info}}));
}
