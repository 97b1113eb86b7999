//! Outside GitHub Actions: the same commands, no token, the comment on standard output.

use crate::harness::files::{PROD, PROD_KEY, PROD_LOCK};
use crate::harness::world::World;

#[test]
fn a_plan_prints_the_comment_and_asks_nobody() {
    let world = World::applied();
    let laptop = world.laptop();
    laptop.files.replace(&format!("{PROD}/main.tf"), "web:1.0", "web:1.1");
    let plan = laptop.stategate(&["plan"]).succeeded();
    assert!(plan.stdout.contains("module.web.terraform_data.service"), "{}", plan.text());
    assert!(!plan.text().contains("::error"), "no workflow commands outside a workflow: {}", plan.text());
    assert!(world.github.requests().is_empty());
    assert!(world.bucket.locks().is_empty());
}

#[test]
fn an_apply_is_refused_because_no_pull_request_stands_behind_it() {
    let world = World::applied();
    let laptop = world.laptop();
    laptop.files.replace(&format!("{PROD}/main.tf"), "web:1.0", "web:1.1");
    let before = world.bucket.get(PROD_KEY);
    let refused = laptop.stategate(&["apply"]);
    assert_eq!(refused.code, Some(11), "{}", refused.text());
    assert_eq!(world.bucket.get(PROD_KEY), before);
    laptop.stategate(&["apply", "--required-approvals", "0"]).succeeded();
    assert_eq!(laptop.terraform(&["output", "-raw", "web_image"]).succeeded().stdout, "web:1.1");
    assert!(world.bucket.locks().is_empty());
}

#[test]
fn a_freeze_and_its_end_by_hand() {
    let world = World::applied();
    let laptop = world.laptop();
    laptop.stategate(&["lock", "--reason", "a long night"]).succeeded();
    let lock = world.bucket.json(PROD_LOCK).expect("a lock");
    assert_eq!(lock["Operation"], "freeze");
    assert!(lock["Who"].as_str().unwrap().contains('@'), "{lock}");
    let status = laptop.stategate(&["status"]).succeeded();
    assert!(status.stdout.contains("a long night"), "{}", status.text());
    let id = lock["ID"].as_str().unwrap();
    laptop.stategate(&["unlock", "--lock-id", id, "--reason", "morning"]).succeeded();
    assert!(world.bucket.locks().is_empty());
}

#[test]
fn a_stale_lock_of_a_laptop_is_for_people_to_judge() {
    let world = World::applied();
    world.laptop().hold_lock().kill();
    let status = world.laptop().stategate(&["status", "--json"]).succeeded();
    let status: serde_json::Value = serde_json::from_str(&status.stdout).unwrap();
    assert_eq!(status["locks"][0]["stale"], serde_json::Value::Null, "{status}");
    assert_eq!(status["locked"], true);
}
