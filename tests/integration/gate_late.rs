//! Opinions that change while an apply is at work, and approvals that come after its refusal.

use crate::harness::files::PROD_LOCK;
use crate::harness::github::story::Push;
use crate::harness::laptop::Sign;
use crate::harness::runner::{Outcome, Step};
use crate::harness::world::World;

const WEB: &str = "module.web.terraform_data.service";

/// A world whose pull request 42 is planned, approved and merged.
fn merged() -> (World, u64, Push) {
    let world = World::applied();
    let number = world.new_image();
    Step::plan(&world, number).run().exits(0);
    world.approve(number);
    let push = world.merge(number);
    (world, number, push)
}

#[test]
fn an_approval_withdrawn_while_the_lock_is_waited_for_blocks() {
    let (world, number, push) = merged();
    let untouched = world.untouched();
    let lock = r#"{"ID":"1","Operation":"OperationTypePlan","Info":"","Who":"root@vm","Version":"1.11.4","Created":"2026-11-21T01:33:06Z","Path":"x"}"#;
    world.bucket.put(PROD_LOCK, lock);
    let mut running = Step::apply(&world, &push).start();
    running.wait_for_log("waiting for the lock");
    world.github.dismiss(number, "hubot");
    world.bucket.delete(PROD_LOCK);
    let outcome = running.finish().exits(11).says("hubot's review was dismissed");
    assert_eq!((outcome.output("approved"), outcome.output("result")), ("false", "blocked"));
    untouched.check();
}

/// What happens while Terraform plans, between the two questions, and what is said of it.
#[track_caller]
fn check_during_the_plan(inputs: &[(&str, &str)], happens: impl FnOnce(&World, u64, u64), told: &str) {
    let (world, number, push) = merged();
    let untouched = world.untouched();
    let sign = Sign::new(world.scratch());
    let program = sign.slow_to_plan();
    let mut step = Step::apply(&world, &push).with("terraform-bin", program.to_str().unwrap());
    for (name, value) in inputs {
        step = step.with(name, value);
    }
    let mut running = step.start();
    running.wait_for_log("terraform plan in");
    happens(&world, number, running.run);
    sign.go_on();
    let outcome: Outcome = running.finish().exits(11);
    outcome.tells(&world, &[number], &[told, WEB]);
    assert_eq!((outcome.output("approved"), outcome.output("result")), ("false", "blocked"));
    untouched.check();
}

#[test]
fn whatever_takes_the_approval_away_while_it_plans_blocks() {
    check_during_the_plan(&[], |world, number, _| world.github.dismiss(number, "hubot"), "review was dismissed");
    check_during_the_plan(
        &[],
        |world, number, _| world.github.review(number, "hubot", "CHANGES_REQUESTED"),
        "hubot requests changes on #42",
    );
    check_during_the_plan(
        &[],
        |world, number, _| world.github.review(number, "monalisa", "CHANGES_REQUESTED"),
        "monalisa requests changes on #42",
    );
    check_during_the_plan(&[], |world, _, _| world.github.person("hubot", "read"), "#42 has 0 of 1");
    check_during_the_plan(
        &[],
        |world, _, _| {
            world.github.push_directly("monalisa");
        },
        "no longer the newest commit of main",
    );
}

#[test]
fn an_approval_given_after_the_merge_opens_the_gate_for_a_re_run() {
    let world = World::applied();
    let number = world.new_image();
    Step::plan(&world, number).run().exits(0);
    let push = world.merge(number);
    let told = ["0 of 1", WEB, "have #42 approved by"];
    let refused = Step::apply(&world, &push).refused_and_told(&[number], 11, &told);
    world.approve(number);
    let outcome = Step::apply(&world, &push).rerun_of(refused.run).run().exits(0);
    assert_eq!((outcome.attempt, outcome.output("result")), (2, "applied"));
    assert_eq!(world.laptop().initialised(&["output", "-raw", "web_image"]).succeeded().stdout, "web:1.1");
}
