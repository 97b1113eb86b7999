//! The lock in a real S3 API and a real lock table: taken, waited for, verified, released,
//! removed. What faults do to it is in `lock_faults`.

use std::future::pending;
use std::time::Duration;

use stategate::shell::lock_store::{
    AcquireError, Bucket, HeldLock, Released, Removed, VerifyError, Wait, WaitEvent, acquire, read_locks, release_ours,
    remove,
};
use stategate_core::backend::{Backend, Store};
use stategate_core::lock_info::{LockInfo, Operation, Origin};

use crate::harness::bucket;
use crate::harness::ministack::Ministack;
use crate::harness::process::runtime;

const KEY: &str = "prod/app/terraform.tfstate";
const LOCK_KEY: &str = "prod/app/terraform.tfstate.tflock";

/// A backend as `init` would have written it, plus `settings`.
pub(crate) fn backend(endpoint: &str, bucket: &str, settings: &str) -> Backend {
    let file = format!(
        r#"{{"version":3,"backend":{{"type":"s3","config":{{"bucket":"{bucket}","key":"{KEY}","region":"us-east-1",
        "access_key":"test","secret_key":"test","use_path_style":true,
        "endpoints":{{"s3":"{endpoint}","dynamodb":"{endpoint}","sts":"{endpoint}"}},{settings}}}}}}}"#
    );
    Backend::read(file.as_bytes(), "default", &|_| None).unwrap()
}

/// Lock info with this ID.
pub(crate) fn info(bucket: &Bucket, id: &str) -> LockInfo {
    let origin = Origin::Person { user: id.to_owned(), host: "desk".to_owned() };
    let created = "2026-11-21T01:33:06.21750747Z".parse().unwrap();
    LockInfo::ours(id.to_owned(), &Operation::Plan, &origin, "1.11.4", created, bucket.backend().path())
}

/// One attempt, no waiting.
pub(crate) async fn try_lock(bucket: &Bucket, id: &str) -> Result<HeldLock, AcquireError> {
    acquire(bucket, info(bucket, id), Wait { timeout: Duration::ZERO }, pending(), |_| ()).await
}

/// The lock table that Terraform asks for.
pub(crate) fn table(ministack: &Ministack, name: &str) {
    use aws_sdk_dynamodb::types::{AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType};
    let client = dynamodb(&ministack.endpoint());
    let attribute = AttributeDefinition::builder().attribute_name("LockID").attribute_type(ScalarAttributeType::S);
    let key = KeySchemaElement::builder().attribute_name("LockID").key_type(KeyType::Hash);
    let request = client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(attribute.build().unwrap())
        .key_schema(key.build().unwrap());
    runtime().block_on(request.send()).expect("the table is made");
}

pub(crate) fn dynamodb(endpoint: &str) -> aws_sdk_dynamodb::Client {
    use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "harness"))
        .endpoint_url(endpoint)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    aws_sdk_dynamodb::Client::from_conf(config)
}

fn connect(endpoint: &str, bucket: &str, settings: &str) -> Bucket {
    runtime().block_on(Bucket::connect(backend(endpoint, bucket, settings)))
}

/// A new bucket, seen by a plain client and by ours.
fn lockfile() -> (bucket::Bucket, Bucket) {
    let plain = Ministack::shared().bucket();
    let ours = connect(&plain.endpoint, &plain.name, r#""use_lockfile":true"#);
    (plain, ours)
}

#[test]
fn a_lock_is_terraforms_own_and_goes_again() {
    let (plain, ours) = lockfile();
    let lock = runtime().block_on(async {
        let lock = try_lock(&ours, "a").await.unwrap();
        lock.verify().await.unwrap();
        let seen = read_locks(&ours).await.unwrap();
        assert_eq!(seen.len(), 1);
        assert_eq!((seen[0].store, seen[0].id()), (Store::S3, Some("a")));
        assert!(seen[0].etag.is_some() && seen[0].age().unwrap() < Duration::from_mins(1), "{seen:?}");
        let Err(AcquireError::Held(by)) = try_lock(&ours, "b").await else { panic!("two holders") };
        assert_eq!(by[0].body.as_ref().unwrap().who, "a@desk");
        assert_eq!(format!("{lock:?}"), r#"HeldLock("a")"#);
        lock
    });
    assert_eq!(plain.locks(), [LOCK_KEY]);
    assert_eq!(plain.get(LOCK_KEY).unwrap(), lock.info().to_go_json().as_bytes());
    assert!(matches!(runtime().block_on(lock.release()), Ok(Released::Done)));
    assert!(plain.locks().is_empty());
    assert_eq!(plain.versions(LOCK_KEY), 1);
}

#[test]
fn a_waiting_client_hears_who_holds_it_and_takes_it_when_it_is_free() {
    let (_, ours) = lockfile();
    runtime().block_on(async {
        let first = try_lock(&ours, "a").await.unwrap();
        let mut told = Vec::new();
        let wait = Wait { timeout: Duration::from_secs(20) };
        let second = acquire(&ours, info(&ours, "b"), wait, pending(), |WaitEvent::Held { by, left, .. }| {
            assert!(left <= Duration::from_secs(20));
            told.push(by[0].id().unwrap().to_owned());
        });
        let release = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            first.release().await
        };
        let (second, released) = tokio::join!(second, release);
        assert!(matches!(released, Ok(Released::Done)));
        assert_eq!(second.unwrap().info().id, "b");
        assert_eq!(told, ["a"]);
    });
}

#[test]
fn time_and_cancellation_end_the_waiting() {
    let (plain, ours) = lockfile();
    runtime().block_on(async {
        let _held = try_lock(&ours, "a").await.unwrap();
        let wait = Wait { timeout: Duration::from_millis(700) };
        let Err(AcquireError::Held(by)) = acquire(&ours, info(&ours, "b"), wait, pending(), |_| ()).await else {
            panic!("two holders")
        };
        assert_eq!(by[0].id(), Some("a"));
        let soon = tokio::time::sleep(Duration::from_millis(200));
        let wait = Wait { timeout: Duration::from_mins(1) };
        assert!(matches!(acquire(&ours, info(&ours, "b"), wait, soon, |_| ()).await, Err(AcquireError::Cancelled)));
    });
    assert_eq!(plain.json(LOCK_KEY).unwrap()["ID"], "a");
    plain.delete(LOCK_KEY);
    // Cancelled before the first request is answered: nothing may stay.
    let at_once = acquire(&ours, info(&ours, "c"), Wait { timeout: Duration::ZERO }, async {}, |_| ());
    match runtime().block_on(at_once) {
        Err(AcquireError::Cancelled) => {}
        // A store that needs more than the two seconds of grace leaves it in doubt; that is said,
        // and the clean-up step looks again.
        Err(AcquireError::LeftBehind { id, .. }) => {
            assert!(runtime().block_on(release_ours(&ours, |info| info.id == id)).failed.is_none());
        }
        ended => panic!("{ended:?}"),
    }
    assert!(plain.locks().is_empty());
}

#[test]
fn a_lock_that_was_taken_from_us_is_noticed_and_the_new_owner_is_left_alone() {
    let (plain, ours) = lockfile();
    let lock = runtime().block_on(try_lock(&ours, "a")).unwrap();
    plain.delete(LOCK_KEY);
    let lost = runtime().block_on(lock.verify()).unwrap_err();
    assert!(matches!(&lost, VerifyError::Lost { id, found } if id == "a" && found.is_empty()), "{lost:?}");
    let theirs = runtime().block_on(try_lock(&ours, "b")).unwrap();
    let lost = runtime().block_on(lock.verify()).unwrap_err();
    assert!(matches!(&lost, VerifyError::Lost { found, .. } if found[0].id() == Some("b")), "{lost:?}");
    let Ok(Released::NotOurs(now)) = runtime().block_on(lock.release()) else { panic!("not ours any more") };
    assert_eq!(now[0].id(), Some("b"));
    assert_eq!(plain.json(LOCK_KEY).unwrap()["ID"], "b");
    plain.delete(LOCK_KEY);
    assert!(matches!(runtime().block_on(theirs.release()), Ok(Released::AlreadyGone)));
}

#[test]
fn unlocking_removes_exactly_what_was_seen() {
    let (plain, ours) = lockfile();
    for body in ["", "not lock info", "{\"ID\":7}"] {
        plain.put(LOCK_KEY, body);
        let seen = runtime().block_on(read_locks(&ours)).unwrap();
        assert_eq!(seen[0].body.as_ref().unwrap_err(), body);
        assert!(matches!(runtime().block_on(remove(&ours, &seen[0])), Ok(Removed::Done)));
        assert!(matches!(runtime().block_on(remove(&ours, &seen[0])), Ok(Removed::AlreadyGone)));
        plain.put(LOCK_KEY, r#"{"ID":"b"}"#);
        let Ok(Removed::Changed(now)) = runtime().block_on(remove(&ours, &seen[0])) else { panic!("it changed") };
        assert_eq!(now.id(), Some("b"));
        assert_eq!(plain.json(LOCK_KEY).unwrap()["ID"], "b");
    }
}

#[test]
fn the_clean_up_step_releases_what_it_recognizes_and_nothing_else() {
    let (plain, ours) = lockfile();
    // Left behind by a crash: the lock value is gone, the lock is not.
    drop(runtime().block_on(try_lock(&ours, "a")).unwrap());
    let none = runtime().block_on(release_ours(&ours, |info| info.id == "b"));
    assert!(none.removed.is_empty() && none.failed.is_none());
    assert_eq!(plain.locks(), [LOCK_KEY]);
    let removed = runtime().block_on(release_ours(&ours, |info| info.who == "a@desk")).removed;
    assert_eq!(removed[0].id(), Some("a"));
    assert!(plain.locks().is_empty());
    assert!(runtime().block_on(release_ours(&ours, |_| true)).removed.is_empty());
}

#[test]
fn both_stores_are_taken_and_let_go_together() {
    let plain = Ministack::shared().bucket();
    table(Ministack::shared(), &plain.name);
    let settings = format!(r#""use_lockfile":true,"dynamodb_table":"{}""#, plain.name);
    let both = connect(&plain.endpoint, &plain.name, &settings);
    let only_table = connect(&plain.endpoint, &plain.name, &format!(r#""dynamodb_table":"{}""#, plain.name));
    let only_file = connect(&plain.endpoint, &plain.name, r#""use_lockfile":true"#);
    runtime().block_on(async {
        let lock = try_lock(&both, "a").await.unwrap();
        let stores: Vec<_> = read_locks(&both).await.unwrap().iter().map(|seen| seen.store).collect();
        assert_eq!(stores, [Store::S3, Store::DynamoDb]);
        for half in [&only_table, &only_file] {
            assert!(matches!(try_lock(half, "b").await, Err(AcquireError::Held(_))));
        }
        assert!(matches!(lock.release().await, Ok(Released::Done)));
        assert!(read_locks(&both).await.unwrap().is_empty());

        // Somebody holds the table alone: our first half must not stay.
        let theirs = try_lock(&only_table, "b").await.unwrap();
        let Err(AcquireError::Held(by)) = try_lock(&both, "a").await else { panic!("two holders") };
        assert_eq!((by[0].store, by[0].id()), (Store::DynamoDb, Some("b")));
        assert!(read_locks(&only_file).await.unwrap().is_empty());
        assert!(matches!(theirs.release().await, Ok(Released::Done)));

        // One half gone already is no failure.
        let lock = try_lock(&both, "a").await.unwrap();
        let half = read_locks(&only_file).await.unwrap();
        assert!(matches!(remove(&only_file, &half[0]).await, Ok(Removed::Done)));
        assert!(matches!(lock.verify().await, Err(VerifyError::Lost { .. })));
        assert!(matches!(lock.release().await, Ok(Released::AlreadyGone)));
        assert!(read_locks(&both).await.unwrap().is_empty());
    });
}

#[test]
fn objects_beside_the_state() {
    let (plain, ours) = lockfile();
    let key = format!("stategate/{}/plans/abc.json", ours.backend().state_key());
    runtime().block_on(async {
        assert!(ours.get(&key).await.unwrap().is_none());
        assert!(ours.head(&key).await.unwrap().is_none());
        assert!(ours.put_if_absent(&key, b"one".to_vec(), "application/json").await.unwrap());
        assert!(ours.put_if_absent(&key, b"one".to_vec(), "application/json").await.unwrap());
        assert!(!ours.put_if_absent(&key, b"two".to_vec(), "application/json").await.unwrap());
        let object = ours.get(&key).await.unwrap().unwrap();
        assert_eq!(object.bytes, b"one");
        assert!(object.etag.is_some() && object.version_id.is_some() && object.last_modified.is_some());
        ours.put(&key, b"three".to_vec(), "application/json").await.unwrap();
        assert_eq!(ours.head(&key).await.unwrap().unwrap().size, 5);
        assert_eq!(ours.list("stategate/").await.unwrap(), [key.as_str()]);
    });
    assert_eq!(plain.get(&key).unwrap(), b"three");
}

#[test]
fn a_missing_bucket_is_told() {
    let endpoint = Ministack::shared().endpoint();
    let missing = connect(&endpoint, "no-such-bucket", r#""use_lockfile":true"#);
    let Err(AcquireError::Aws(error)) = runtime().block_on(try_lock(&missing, "a")) else { panic!("no bucket") };
    assert!(error.to_string().contains("the bucket does not exist"), "{error}");
    assert!(error.hint().contains("no-such-bucket"));
}
