//! Actions of providers: reviewed with what they are invoked with, followed while they run, and told
//! for what became of them.

use serde_json::{Value, json};

use crate::harness::files::{Files, PROD};
use crate::harness::github::story::Push;
use crate::harness::lab::{Lab, REQUIRED};
use crate::harness::runner::{Outcome, Step};
use crate::harness::world::World;

/// An item, and two calls around its update. The first call is made before and after.
const ITEM: &str = r#"
resource "lab_item" "a" {
  name  = "a"
  value = "one"

  lifecycle {
    action_trigger {
      events  = [before_update, after_update]
      actions = [action.lab_call.first]
    }
    action_trigger {
      events  = [after_update]
      actions = [action.lab_call.second]
    }
  }
}

action "lab_call" "first" {
  config {
    message = "first"
    secret  = "hunter2hunter2"
  }
}

action "lab_call" "second" {
  config { message = "second" }
}
"#;

/// A world in which the item was made, and an approved pull request that changes it.
fn changed() -> (World, Lab, u64) {
    let world = World::new();
    let lab = Lab::start(world.place("lab"));
    world.main.write(&format!("{PROD}/lab.tf"), &format!("{REQUIRED}{ITEM}"));
    lab.laptop(world.laptop()).apply().succeeded();
    let change = |files: &Files| files.replace(&format!("{PROD}/lab.tf"), "\"one\"", "\"two\"");
    let number = world.pull_request("Two", change);
    (world, lab, number)
}

fn merged(world: &World, lab: &Lab, number: u64) -> Push {
    lab.step(Step::plan(world, number)).run().exits(0);
    world.approve(number);
    world.merge(number)
}

#[track_caller]
fn in_order(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let at = rest.find(part).unwrap_or_else(|| panic!("{part:?} is not in, or not in order:\n{text}"));
        rest = &rest[at + part.len()..];
    }
}

/// The comment, the summary and the log.
fn everywhere(world: &World, number: u64, outcome: &Outcome) -> [String; 3] {
    [world.github.comment(number), outcome.summary.clone(), outcome.log.replace('\n', " ")]
}

#[test]
fn an_action_is_reviewed_with_its_arguments_and_followed_while_it_runs() {
    let (world, lab, number) = changed();
    let planned = lab.step(Step::plan(&world, number)).run().exits(0);
    let comment = world.github.comment(number);
    in_order(
        &comment,
        &[
            ": 1 to change, 3 actions\n",
            "**3 actions will be invoked**",
            "- `action.lab_call.first` after `lab_item.a` is updated\n",
            "What the actions are invoked with",
            "action.lab_call.first\n+     message = \"first\"\n+     secret  = ",
        ],
    );
    assert!(comment.contains("- `action.lab_call.first` before `lab_item.a` is updated\n"), "{comment}");
    assert_eq!((planned.output("actions"), planned.output("change")), ("3", "1"));
    let summary: Value = serde_json::from_str(planned.output("summary-json")).unwrap();
    let second = json!({"address": "action.lab_call.second", "event": "AfterUpdate", "triggered_by": "lab_item.a"});
    assert!(summary["actions"].as_array().unwrap().contains(&second), "{summary}");
    // The same again means the same.
    let again = lab.step(Step::plan(&world, number)).run().exits(0);
    assert_eq!(planned.output("fingerprint"), again.output("fingerprint"));

    world.approve(number);
    let push = world.merge(number);
    lab.hold("second");
    let mut applying = lab.step(Step::apply(&world, &push)).start();
    // While it runs, and not after.
    applying.wait_for_log("action.lab_call.second: Invoking (after lab_item.a is updated)...");
    assert!(!applying.log().contains("Apply complete"), "{}", applying.log());
    lab.let_go("second");
    let applied = applying.finish().exits(0);
    in_order(
        &applied.log,
        &[
            "action.lab_call.first: Invoking (before lab_item.a is updated)...",
            "action.lab_call.first: Invocation complete (before lab_item.a is updated)",
            "lab_item.a: Modifying...",
            "lab_item.a: Modifications complete",
            "action.lab_call.first: Invoking (after lab_item.a is updated)...",
            "Apply complete! Resources: 0 added, 1 changed, 0 destroyed. Actions: 3 invoked.",
        ],
    );
    assert_eq!(lab.calls(), ["first", "first", "second"]);
    in_order(&world.github.comment(number), &["applied · 1 changed, 3 actions", "**3 actions were invoked**"]);
    for text in everywhere(&world, number, &applied).iter().chain(&everywhere(&world, number, &planned)) {
        assert!(!text.contains("hunter2hunter2"), "{text}");
    }
}

#[test]
fn an_action_that_fails_after_its_change_is_invoked_by_what_the_next_step_says() {
    let (world, lab, number) = changed();
    let push = merged(&world, &lab, number);
    lab.fail("second");
    let failed = lab.step(Step::apply(&world, &push)).run().exits(14);
    in_order(
        &world.github.comment(number),
        &[
            "the apply failed, 1 of 1 change and 2 of 3 actions completed",
            "**2 of 3 actions completed**",
            "- `action.lab_call.second` after `lab_item.a` is updated: **failed**",
        ],
    );
    for text in everywhere(&world, number, &failed) {
        let text = text.replace('`', "");
        in_order(
            &text,
            &["action.lab_call.second did not complete, and no later plan shows it", "-invoke=action.lab_call.second"],
        );
        assert!(!text.contains("which shows what is left"), "{text}");
    }
    assert!(failed.log.contains("action.lab_call.second: Invocation failed (after lab_item.a is updated)"));
    // As it says, nobody else shows it.
    lab.mend("second");
    assert_eq!(lab.step(Step::plan(&world, number)).run().exits(0).output("has-changes"), "false");
    let invoke = "-invoke=action.lab_call.second";
    let planned = lab.step(Step::plan(&world, number)).with("plan-args", invoke).run().exits(0);
    assert_eq!((planned.output("actions"), planned.output("has-changes")), ("1", "true"));
    in_order(&world.github.comment(number), &["- `action.lab_call.second`, asked for with `-invoke`\n"]);
    lab.step(Step::apply(&world, &push)).rerun_of(failed.run).with("plan-args", invoke).run().exits(0);
    assert_eq!(lab.calls(), ["first", "first", "second"]);
}

#[test]
fn an_action_whose_change_failed_is_shown_by_the_next_plan() {
    let (world, lab, number) = changed();
    let push = merged(&world, &lab, number);
    lab.fail("a");
    let failed = lab.step(Step::apply(&world, &push)).run().exits(14);
    let comment = world.github.comment(number);
    in_order(
        &comment,
        &["the apply failed, 0 of 1 change and 1 of 3 actions completed", "**1 of 3 actions completed**"],
    );
    assert!(comment.contains("- `action.lab_call.first` before `lab_item.a` is updated: completed\n"), "{comment}");
    assert!(
        comment.contains("- `action.lab_call.second` after `lab_item.a` is updated: **not invoked**\n"),
        "{comment}"
    );
    for text in everywhere(&world, number, &failed) {
        assert!(text.contains("which shows what is left") && !text.contains("-invoke"), "{text}");
    }
    lab.mend("a");
    assert_eq!(lab.step(Step::plan(&world, number)).run().exits(0).output("actions"), "3");
    lab.step(Step::apply(&world, &push)).rerun_of(failed.run).run().exits(0);
    assert_eq!(lab.calls(), ["first", "first", "first", "second"]);
}

#[test]
fn an_apply_that_is_cancelled_between_two_actions_names_the_lost_one() {
    let (world, lab, number) = changed();
    world.push_to(number, |files| {
        let of_first = "actions = [action.lab_call.first]\n    }\n    action_trigger {\n      events  = [after_update]\n      actions = [action.lab_call.second]";
        files.replace(&format!("{PROD}/lab.tf"), of_first, "actions = [action.lab_call.first, action.lab_call.second]");
        files.replace(&format!("{PROD}/lab.tf"), "before_update, ", "");
    });
    let push = merged(&world, &lab, number);
    lab.hold("first");
    let mut applying = lab.step(Step::apply(&world, &push)).start();
    applying.wait_for_log("action.lab_call.first: Invoking (after lab_item.a is updated)...");
    applying.signal(rustix::process::Signal::INT);
    lab.wait_for("stop", 1);
    lab.let_go("first");
    let cancelled = applying.finish().exits(130);
    assert_eq!(lab.calls(), ["first"]);
    in_order(
        &world.github.comment(number),
        &[
            "cancelled during the apply, 1 of 1 change and 1 of 2 actions completed",
            "- `action.lab_call.first` after `lab_item.a` is updated: completed\n",
            "- `action.lab_call.second` after `lab_item.a` is updated: **not invoked**\n",
        ],
    );
    for text in everywhere(&world, number, &cancelled) {
        assert!(text.contains("-invoke=action.lab_call.second"), "{text}");
    }
    assert!(world.bucket.locks().is_empty());
}
