//! Opinions that change while an apply is at work, and approvals that come after its refusal.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use serde::Deserialize;

use crate::harness::files::PROD_LOCK;
use crate::harness::github::story::Push;
use crate::harness::laptop::Sign;
use crate::harness::process::{Finished, run};
use crate::harness::runner::{Outcome, Step};
use crate::harness::world::World;

const WEB: &str = "module.web.terraform_data.service";

/// A world whose pull request 42 is planned, approved and merged.
fn merged() -> (World, u64, Push) {
    let (world, number) = World::planned();
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
fn an_approval_withdrawn_while_github_takes_its_time_over_the_comment_blocks() {
    let (world, number, push) = merged();
    let untouched = world.untouched();
    world.github.delay_next(1, "PATCH", "/issues/comments/", Duration::from_secs(15));
    let running = Step::apply(&world, &push).start();
    let is_told = |_| {
        sleep(Duration::from_millis(50));
        world.github.comment(number).contains("applying")
    };
    assert!((0..2000).any(is_told), "the comment says that it is applied");
    world.github.dismiss(number, "hubot");
    running.finish().exits(11).tells(&world, &[number], &["hubot's review was dismissed", WEB]);
    let comment = world.github.comment(number);
    assert!(!comment.contains("applying"), "it did not come to that: {comment}");
    untouched.check();
}

#[test]
fn an_approval_given_after_the_merge_opens_the_gate_for_a_re_run() {
    let (world, number) = World::planned();
    let push = world.merge(number);
    let told = ["0 of 1", WEB, "#42 approved by"];
    let refused = Step::apply(&world, &push).refused_and_told(&[number], 11, &told);
    world.approve(number);
    let outcome = Step::apply(&world, &push).rerun_of(refused.run).run().exits(0);
    assert_eq!((outcome.attempt, outcome.output("result")), (2, "applied"));
    assert_eq!(world.image(), "web:1.1");
}

/// `docs/rerun-apply.yml`, as far as it is looked at.
#[derive(Deserialize)]
struct Workflow {
    on: BTreeMap<String, BTreeMap<String, Vec<String>>>,
    permissions: BTreeMap<String, String>,
    jobs: BTreeMap<String, Job>,
}

#[derive(Deserialize)]
struct Job {
    permissions: BTreeMap<String, String>,
    steps: Vec<JobStep>,
}

#[derive(Deserialize)]
struct JobStep {
    shell: String,
    env: BTreeMap<String, String>,
    run: String,
}

/// Runs the workflow's step as the runner does, with the permissions that it asks for.
fn rerun_apply(world: &World) -> Finished {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rerun-apply.yml");
    let workflow: Workflow = yaml_serde::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(workflow.on["pull_request_review"]["types"], ["submitted"]);
    assert!(workflow.permissions.is_empty());
    let job = &workflow.jobs["rerun"];
    assert_eq!(job.permissions.iter().collect::<Vec<_>>(), [(&"actions".to_owned(), &"write".to_owned())]);
    let [step] = job.steps.as_slice() else { panic!("one step") };
    // Without it, the runner's own choice of bash lets a pipe's failure pass.
    assert_eq!(step.shell, "bash");
    assert!(!step.run.contains("${{"), "an expression in a script can be an injection: {}", step.run);
    let token = world.github.workflow_token(&[("metadata", "read"), ("actions", "write")]);
    let value = |text: &str| match text {
        "${{ github.token }}" => token.clone(),
        "${{ github.event.pull_request.base.ref }}" => "main".to_owned(),
        plain => plain.to_owned(),
    };
    let script = world.place("rerun").join("step.sh");
    fs::write(&script, &step.run).unwrap();
    let mut bash = Command::new("/bin/bash");
    bash.args(["--noprofile", "--norc", "-e", "-o", "pipefail"]).arg(script);
    bash.env_clear().env("PATH", "/usr/bin:/bin").env("GITHUB_API_URL", world.github.api_url());
    bash.env("GITHUB_SERVER_URL", "https://github.com").env("GITHUB_REPOSITORY", "acme/infra");
    bash.envs(step.env.iter().map(|(name, text)| (name, value(text))));
    run(&mut bash).succeeded()
}

#[test]
fn the_workflow_that_re_runs_an_apply_runs_the_newest_one_again_and_only_when_it_failed() {
    let world = World::applied();
    assert!(rerun_apply(&world).stdout.contains("nothing to run again"), "there was no run");
    let number = world.new_image();
    Step::plan(&world, number).run().exits(0);
    let push = world.merge(number);
    let older = Step::apply(&world, &push).refused(11);
    let newest = Step::apply(&world, &push).refused(11);
    assert!(older.run < newest.run);

    world.approve(number);
    rerun_apply(&world);
    assert_eq!(std::mem::take(&mut world.github.state().reruns), [newest.run]);
    let again = Step::apply(&world, &push).rerun_of(newest.run).run().exits(0);
    assert_eq!((again.attempt, again.output("result")), (2, "applied"));
    // A second approval changes nothing any more.
    assert!(rerun_apply(&world).stdout.contains("nothing to run again"));
    assert!(world.github.state().reruns.is_empty());
}
