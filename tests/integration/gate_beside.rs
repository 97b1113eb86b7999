//! What an apply does beside changing resources is held to the review like a change: the actions that
//! it invokes, and drift where it only refreshes the state. With a provider of our own.

use serde_json::json;

use crate::harness::files::{PROD, PROD_KEY};
use crate::harness::github::story::Push;
use crate::harness::lab::{Lab, REQUIRED};
use crate::harness::runner::Step;
use crate::harness::world::World;

const ITEM: &str = r#"
data "lab_reading" "what" { name = "what" }
data "lab_reading" "again" { name = "again" }

resource "lab_item" "a" {
  name  = "a"
  value = "one"

  lifecycle {
    action_trigger {
      events  = [after_update]
      actions = [action.lab_call.c]
    }
    action_trigger {
      condition = data.lab_reading.again.content == "yes"
      events    = [after_update]
      actions   = [action.lab_call.c]
    }
  }
}

action "lab_call" "c" {
  config { message = "do-${data.lab_reading.what.content}" }
}
"#;

fn reviewed() -> (World, Lab, u64, Push) {
    let world = World::new();
    let lab = Lab::start(world.place("lab"));
    lab.reading("what", "safe");
    lab.reading("again", "no");
    let file = format!("{PROD}/lab.tf");
    world.main.write(&file, &format!("{REQUIRED}{ITEM}"));
    lab.laptop(world.laptop()).apply().succeeded();
    let number = world.pull_request("Two", |files| files.replace(&file, "\"one\"", "\"two\""));
    lab.step(Step::plan(&world, number)).run().exits(0);
    world.approve(number);
    let push = world.merge(number);
    (world, lab, number, push)
}

#[test]
fn an_action_is_not_invoked_with_what_nobody_reviewed() {
    let (world, lab, number, push) = reviewed();
    lab.reading("what", "DROP-TABLES");
    let told = ["the action action.lab_call.c would be invoked (by lab_item.a) with another value of message"];
    lab.step(Step::apply(&world, &push)).refused_and_told(&[number], 12, &told);
    assert!(lab.calls().is_empty(), "{:?}", lab.calls());
    lab.reading("what", "safe");
    lab.step(Step::apply(&world, &push)).run().exits(0);
    assert_eq!(lab.calls(), ["do-safe"]);
}

#[test]
fn an_action_is_not_invoked_more_often_than_was_reviewed() {
    let (world, lab, number, push) = reviewed();
    lab.reading("again", "yes");
    lab.step(Step::apply(&world, &push)).refused(12);
    let comment = world.github.comment(number).replace('`', "");
    let told = "the action action.lab_call.c would be invoked (by lab_item.a) twice; in the reviewed plan once";
    assert!(comment.contains(told), "{comment}");
    assert!(lab.calls().is_empty(), "{:?}", lab.calls());
}

#[test]
fn drift_that_nobody_reviewed_is_not_written_to_the_state() {
    let world = World::new();
    let lab = Lab::start(world.place("lab"));
    let file = format!("{PROD}/lab.tf");
    world
        .main
        .write(&file, &format!("{REQUIRED}resource \"lab_item\" \"a\" {{\n  name  = \"a\"\n  value = \"one\"\n}}\n"));
    lab.laptop(world.laptop()).apply().succeeded();
    lab.drift("a", "value", &json!("drift-A"));
    let number = world.pull_request("Accept the drift", |files| files.append(&file, "# refreshed\n"));
    let refreshing = |step: Step<'_>| lab.step(step).with("plan-args", "-refresh-only").run();
    let planned = refreshing(Step::plan(&world, number)).exits(0);
    world.approve(number);
    let push = world.merge(number);
    let state = world.bucket.get(PROD_KEY);
    lab.drift("a", "value", &json!("drift-B"));
    let refused = refreshing(Step::apply(&world, &push)).exits(12);
    let comment = world.github.comment(number).replace('`', "");
    let told = "lab_item.a would be updated in the state (it changed outside of Terraform) with another value of value";
    assert!(comment.contains(told), "{comment}");
    assert_ne!(refused.output("fingerprint"), planned.output("fingerprint"));
    assert_eq!(world.bucket.get(PROD_KEY), state);
    lab.drift("a", "value", &json!("drift-A"));
    refreshing(Step::apply(&world, &push)).exits(0);
    assert!(world.bucket.json(PROD_KEY).unwrap().to_string().contains("drift-A"));
}
