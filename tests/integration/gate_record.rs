//! The reviewed-plan record as it stands in the bucket.

use std::process::Command;

use serde_json::{Value, json};

use crate::harness::files::{PROD_KEY, PROD_LOCK};
use crate::harness::github::state::minutes_ago;
use crate::harness::process::run;
use crate::harness::runner::Step;
use crate::harness::world::World;

const WEB: &str = "module.web.terraform_data.service";

#[test]
fn a_record_says_what_was_planned_of_what_and_no_value() {
    let world = World::applied();
    world.with_git();
    let number = world.pull_request("Web 1.1", |files| {
        files.replace("environments/prod/main.tf", "web:1.0", "web:1.1");
        files.append("environments/prod/main.tf", "variable \"token\" {\n  sensitive = true\n  default = \"hunter2-hunter2\"\n}\n\nresource \"terraform_data\" \"secret\" {\n  input = var.token\n}\n");
    });
    let event = world.github.pull_request_event(number, "opened");
    // What the tree is called, from a checkout of our own.
    let checkout = world.checkout(&event, world.place("tree"));
    let mut git = Command::new("git");
    let tree = run(git.current_dir(&checkout.root).args(["write-tree"])).succeeded().stdout;
    let outcome = Step::new(&world, "plan", event).run().exits(0);

    let text = String::from_utf8(world.bucket.get(&world.record_key(number)).unwrap()).unwrap();
    let record: Value = serde_json::from_str(&text).unwrap();
    let state = world.laptop().state();
    let (base, head) = {
        let github = world.github.state();
        (github.branches["main"].clone(), github.pulls[&number].head_sha().to_owned())
    };
    for (field, expected) in [
        ("version", json!(2)),
        ("head_sha", json!(head)),
        ("base_sha", json!(base)),
        ("merge_tree", json!(tree.trim())),
        ("pull_request", json!(number)),
        ("run_url", json!(format!("{}/attempts/1", outcome.url()))),
        ("actor", json!("octocat")),
        ("serial", state["serial"].clone()),
        ("keyed", json!(true)),
        ("complete", json!(true)),
    ] {
        assert_eq!(record[field], expected, "{field} in {record:#}");
    }
    for field in ["made_at", "lineage_digest", "terraform_version", "content_digest", "fingerprint"] {
        assert!(record[field].as_str().is_some_and(|text| text.len() > 4), "{field} in {record:#}");
    }
    let resources = record["resources"].as_array().unwrap();
    let told: Vec<(&str, &Value)> =
        resources.iter().map(|change| (change["address"].as_str().unwrap(), &change["actions"])).collect();
    assert_eq!(told, [(WEB, &json!(["update"])), ("terraform_data.secret", &json!(["create"]))]);
    assert_eq!(record["outputs"][0]["name"], "web_image");
    // Neither a value, nor the key that would let a reader try values.
    for untold in ["web:1.1", "web:1.0", "hunter2", state["lineage"].as_str().unwrap()] {
        assert!(!text.contains(untold), "{untold} in {text}");
    }
}

/// Half an hour ago it was planned and approved ten minutes later.
fn planned_and_approved_a_while_ago() -> (World, u64) {
    let world = World::applied();
    let number = world.new_image();
    Step::plan(&world, number).run().exits(0);
    let key = world.record_key(number);
    let mut record: Value = serde_json::from_slice(&world.bucket.get(&key).unwrap()).unwrap();
    record["made_at"] = json!(minutes_ago(30));
    world.bucket.put(&key, record.to_string());
    world.approve(number);
    world.github.state().pulls.get_mut(&number).unwrap().reviews[0].at = minutes_ago(20);
    (world, number)
}

#[test]
fn an_approval_of_another_plan_of_the_commit_is_told_as_one() {
    let (world, number) = planned_and_approved_a_while_ago();
    assert!(!world.github.comment(number).contains("approved another plan"));
    world.laptop().initialised(&["state", "rm", "module.worker.terraform_data.service"]).succeeded();
    Step::plan(&world, number).run().exits(0);
    let differs =
        "What differs: `module.worker.terraform_data.service` would be created; the approved plan left it alone";
    let told_in = |comment: &str| {
        assert!(comment.contains("approved another plan, before it was made again"), "{comment}");
        assert!(comment.contains(differs), "{comment}");
    };
    told_in(&world.github.comment(number));
    // It is of the merged commit, so it counts; but nobody applies it unawares.
    let push = world.merge(number);
    Step::apply(&world, &push).run().exits(0);
    told_in(&world.github.comment(number));
}

#[test]
fn an_approval_of_the_same_plan_made_again_is_told_as_that() {
    let (world, number) = planned_and_approved_a_while_ago();
    Step::plan(&world, number).run().exits(0);
    let comment = world.github.comment(number);
    assert!(comment.contains("hubot approved before the plan was made again ("), "{comment}");
    assert!(comment.contains("it is the same plan"), "{comment}");

    // Approved once more, it is younger than the plan.
    world.approve(number);
    let push = world.merge(number);
    Step::apply(&world, &push).run().exits(0);
    let comment = world.github.comment(number);
    assert!(!comment.contains("made again"), "{comment}");
}

#[test]
fn records_and_the_trail_are_encrypted_like_the_state() {
    let world = World::new();
    let key = "arn:aws:kms:us-east-1:111122223333:key/0c1d2e3f-4a5b-4c6d-8e7f-9a0b1c2d3e4f";
    let encrypted = format!("encrypt      = true\n    kms_key_id   = \"{key}\"");
    world.main.replace("environments/prod/backend.tf", "encrypt      = true", &encrypted);
    world.laptop().apply().succeeded();
    let number = world.new_image();
    Step::plan(&world, number).run().exits(0);
    world.approve(number);
    let push = world.merge(number);
    Step::apply(&world, &push).run().exits(0);
    let state = world.bucket.encryption(PROD_KEY);
    assert_eq!(state, (Some("aws:kms".to_owned()), Some(key.to_owned())));
    let ours: Vec<String> = world.bucket.keys().into_iter().filter(|key| key.starts_with("stategate/")).collect();
    assert!(
        ours.iter().any(|key| key.contains("/plans/")) && ours.iter().any(|key| key.contains("/audit/")),
        "{ours:?}"
    );
    for key in ours {
        assert_eq!(world.bucket.encryption(&key), state, "{key}");
    }
    assert!(world.bucket.get(PROD_LOCK).is_none());
}

#[test]
fn a_record_is_as_old_as_s3_says_whatever_it_says_of_itself() {
    let (world, number) = planned_and_approved_a_while_ago();
    Step::apply(&world, &world.merge(number)).run().exits(0);
    let comment = world.github.comment(number);
    assert!(comment.contains("hubot approved before this plan was made ("), "{comment}");
}
