//! What differs, or might, from one version of Terraform to the next. `.ci/terraforms` runs it with each.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::harness::fault_proxy::{Fault, FaultProxy, Seen};
use crate::harness::files::{PROD, PROD_KEY, backend};
use crate::harness::lab::{Lab, REQUIRED};
use crate::harness::ministack::Ministack;
use crate::harness::runner::Step;
use crate::harness::terraform::{RELEASES, number};
use crate::harness::world::World;
use crate::lock_store::table;

/// A world that locks in both stores, seen through a proxy.
fn seen_world() -> (World, FaultProxy) {
    let mut bucket = Ministack::shared().bucket();
    table(Ministack::shared(), &bucket.name);
    let proxy = FaultProxy::start(&bucket.endpoint, |_| Fault::None);
    bucket.endpoint.clone_from(&proxy.endpoint);
    let world = World::with_bucket(bucket);
    let settings = format!("    dynamodb_table = \"{}\"", world.bucket.name);
    world.main.write(&format!("{PROD}/backend.tf"), &backend(&world.bucket, PROD_KEY, &settings));
    (world, proxy)
}

/// What asks a store for the lock, or gives it back.
fn of_locks(seen: &[Seen]) -> Vec<&Seen> {
    let is_lock = |seen: &&Seen| match seen.operation() {
        "PUT" | "DELETE" => seen.path.split('?').next().is_some_and(|path| path.ends_with(".tflock")),
        // The item that holds the state's digest is no lock.
        "PutItem" | "DeleteItem" => !String::from_utf8_lossy(&seen.body).contains("-md5"),
        _ => false,
    };
    seen.iter().filter(is_lock).collect()
}

/// The names of a lock's fields in their order, from the body of the object or the item.
fn fields(seen: &Seen) -> Vec<String> {
    let body: Value = serde_json::from_slice(&seen.body).expect("a lock's request has JSON");
    let text = match &body["Item"]["Info"]["S"] {
        Value::String(info) => info.clone(),
        _ => String::from_utf8(seen.body.clone()).unwrap(),
    };
    let info: Value = serde_json::from_str(&text).expect("a lock is JSON");
    let mut names: Vec<String> = info.as_object().expect("a lock is an object").keys().cloned().collect();
    names.sort_by_key(|name| text.find(&format!("\"{name}\":")));
    names
}

/// What a store decides by: the condition, the encryption, the kind of content, and that there is a digest.
fn conditions(seen: &Seen) -> BTreeSet<(String, String)> {
    let decides = |name: &str| {
        ["if-none-match", "content-type", "x-amz-sdk-checksum-algorithm", "x-amz-target"].contains(&name)
            || name.starts_with("x-amz-server-side-encryption")
            || name == "x-amz-acl"
    };
    let headers = seen.headers.iter().filter(|(name, _)| decides(name));
    // "DynamoDB_20120810.PutItem", whichever service path leads there.
    headers.map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[test]
fn our_lock_is_asked_for_as_this_terraform_asks() {
    let (world, proxy) = seen_world();
    let laptop = world.laptop();
    laptop.apply().succeeded();
    let before = proxy.seen().len();
    laptop.plan().succeeded();
    let between = proxy.seen().len();
    laptop.stategate(&["plan"]).succeeded();
    let all = proxy.seen();
    let (theirs, ours) = (of_locks(&all[before..between]), of_locks(&all[between..]));
    let operations: Vec<&str> = theirs.iter().map(|seen| seen.operation()).collect();
    assert_eq!(operations, ["PUT", "PutItem", "DELETE", "DeleteItem"], "Terraform's own");
    for asked in ["PUT", "PutItem"] {
        let first = |seen: &[&Seen]| (*seen.iter().find(|seen| seen.operation() == asked).expect(asked)).clone();
        let (theirs, ours) = (first(&theirs), first(&ours));
        assert_eq!(ours.path.split('?').next(), theirs.path.split('?').next(), "{asked}");
        assert_eq!(conditions(&ours), conditions(&theirs), "{asked}");
        assert_eq!(fields(&ours), fields(&theirs), "{asked}");
    }
}

/// 1.15 says that the table's name is out of date, in each plan, as long as both stores are locked.
#[test]
fn the_warning_about_the_lock_table_is_told_where_terraform_gives_it() {
    let (world, _proxy) = seen_world();
    world.laptop().apply().succeeded();
    let pull = world.new_image();
    Step::plan(&world, pull).run().exits(0);
    let comment = world.github.comment(pull);
    let is_told = comment.contains("Deprecated Parameter");
    assert_eq!(is_told, number() >= (1, 15, 0), "{comment}");
    assert!(comment.contains("1 to change"), "{comment}");
}

/// Reviewed with the oldest, merged, applied with this one, as in the week of an update.
#[test]
fn a_plan_reviewed_with_an_older_terraform_is_applied_with_a_newer_one() {
    let oldest = RELEASES[0].version;
    let world = World::new();
    world.laptop().with_terraform(oldest).apply().succeeded();
    let pull = world.pull_request("Everything", |files| {
        let main = format!("{PROD}/main.tf");
        files.replace(&main, "web:1.0", "web:1.1");
        files.append(&main, "resource \"terraform_data\" \"new\" { input = [module.web.image, \"x\"] }\n");
        files.append(&main, "output \"new\" { value = terraform_data.new.id }\n");
        files.replace(&main, "replicas = 2", "replicas = 1");
    });
    let planned = Step::plan(&world, pull).with_terraform(oldest).run().exits(0);
    world.approve(pull);
    let push = world.merge(pull);
    let applied = Step::apply(&world, &push).run().exits(0);
    assert_eq!(applied.output("fingerprint"), planned.output("fingerprint"));
    assert_eq!(world.image(), "web:1.1");
}

/// Up to 1.14 such a plan can call itself applicable (and exit with 2) where nothing is to be written.
#[test]
fn a_refresh_that_finds_nothing_is_told_and_applied_whatever_terraform_calls_it() {
    for version in [RELEASES[0].version, RELEASES[RELEASES.len() - 1].version] {
        let world = World::new();
        let lab = Lab::start(world.place("lab"));
        let item = format!("{REQUIRED}resource \"lab_item\" \"a\" {{\n  name = \"a\"\n}}\n");
        world.main.write(&format!("{PROD}/lab.tf"), &item);
        let laptop = lab.laptop(world.laptop()).with_terraform(version);
        laptop.apply().succeeded();
        let theirs = laptop.terraform(&["plan", "-refresh-only", "-input=false", "-detailed-exitcode"]);
        assert!(theirs.stdout.contains("No changes"), "{version}: {}", theirs.text());
        let is_applicable = theirs.code == Some(2);
        // So that both answers are tried.
        assert_eq!(is_applicable, version == RELEASES[0].version, "{version}");

        let pull = world.pull_request("A word", |files| files.append(&format!("{PROD}/main.tf"), "# A word.\n"));
        let only = |step| lab.step(step).with_terraform(version).with("plan-args", "-refresh-only");
        let planned = only(Step::plan(&world, pull)).run().exits(0);
        let comment = world.github.comment(pull);
        assert_eq!(planned.output("has-changes"), is_applicable.to_string(), "{version}: {comment}");
        assert_eq!(comment.contains("no changes"), !is_applicable, "{version}: {comment}");
        assert!(!comment.contains("changed outside of Terraform"), "{version}: {comment}");
        world.approve(pull);
        let push = world.merge(pull);
        let before = laptop.state();
        let applied = only(Step::apply(&world, &push)).run().exits(0);
        let expected = if is_applicable { "applied" } else { "no-changes" };
        assert_eq!(applied.output("result"), expected, "{version}: {}", applied.log);
        assert_eq!(laptop.state()["resources"], before["resources"], "{version}");
    }
}
