//! Approvals bound to content: what costs a new review, and what does not.

use crate::harness::files::PROD_KEY;
use crate::harness::github::story::Push;
use crate::harness::runner::Step;
use crate::harness::world::World;

const MAIN: &str = "environments/prod/main.tf";

const STEP: &str =
    "resource \"terraform_data\" \"step\" {\n  provisioner \"local-exec\" {\n    command = \"echo one\"\n  }\n}\n";

/// A pull request with a provisioner, planned and approved.
fn approved() -> (World, u64) {
    let world = World::applied();
    let number = world.pull_request("Web 1.1", |files| {
        files.replace(MAIN, "web:1.0", "web:1.1");
        files.append(MAIN, STEP);
    });
    Step::plan(&world, number).run().exits(0);
    world.approve(number);
    (world, number)
}

fn plan_again(world: &World, number: u64) {
    Step::new(world, "plan", world.github.pull_request_event(number, "synchronize")).run().exits(0);
}

fn apply<'a>(world: &'a World, push: &Push) -> Step<'a> {
    Step::apply(world, push).with("approval-binds-to", "content")
}

#[test]
fn an_updated_branch_keeps_its_approval() {
    let (world, number) = approved();
    world.main.write("docs/readme.md", "something else that was merged");
    world.github.push_directly("monalisa");
    world.update_branch(number, "octocat");
    plan_again(&world, number);
    let push = world.merge(number);
    // Bound to the commit, it would have been lost.
    Step::apply(&world, &push).refused(11).says("an earlier commit");
    apply(&world, &push).run().exits(0);
    assert!(world.github.comment(number).contains("hubot"));
}

#[test]
fn a_reviewer_who_updates_the_branch_keeps_their_approval() {
    let (world, number) = approved();
    world.main.write("docs/readme.md", "something else that was merged");
    world.github.push_directly("monalisa");
    world.update_branch(number, "hubot");
    let mut event = world.github.pull_request_event(number, "synchronize");
    event.payload["sender"]["login"] = "hubot".into();
    Step::new(&world, "plan", event).run().exits(0);
    let push = world.merge(number);
    // Bound to the commit, hubot is who pushed last, and is told why that was a push.
    let told = ["hubot pushed the last commit, if only by Update branch"];
    Step::apply(&world, &push).refused_and_told(&[number], 11, &told);
    apply(&world, &push).run().exits(0);
}

#[test]
fn who_pushed_what_they_approved_does_not_count_whoever_updates_the_branch_after_them() {
    let world = World::applied();
    let number = world.new_image();
    world.push_to_as(number, "hubot", |files| files.replace(MAIN, "web:1.1", "web:6.6"));
    let mut event = world.github.pull_request_event(number, "synchronize");
    event.payload["sender"]["login"] = "hubot".into();
    Step::new(&world, "plan", event).run().exits(0);
    world.approve(number);
    world.update_branch(number, "octocat");
    plan_again(&world, number);
    let push = world.merge(number);
    apply(&world, &push).refused_and_told(&[number], 11, &["0 of 1", "which they approved"]);
    world.github.review(number, "monalisa", "APPROVED");
    apply(&world, &push).run().exits(0);
}

#[test]
fn a_provisioner_that_no_plan_shows_costs_it() {
    let (world, number) = approved();
    world.push_to(number, |files| files.replace(MAIN, "echo one", "echo two"));
    plan_again(&world, number);
    let push = world.merge(number);
    apply(&world, &push).refused(11).says("environments/prod/main.tf changed since");
}

#[test]
fn a_record_that_claims_the_same_content_is_not_believed_alone() {
    let (world, number) = approved();
    let earlier = world.head(number);
    world.push_to(number, |files| files.replace(MAIN, "echo one", "echo two"));
    plan_again(&world, number);
    // The pull request's own job writes both records, and may lie in them.
    let head = world.head(number);
    let key = |sha: &str| format!("stategate/{PROD_KEY}/plans/{sha}.json");
    let mut forged = world.bucket.json(&key(&head)).unwrap();
    forged["content_digest"] = world.bucket.json(&key(&earlier)).unwrap()["content_digest"].clone();
    world.bucket.put(&key(&head), forged.to_string());
    let push = world.merge(number);
    apply(&world, &push).refused(11).says("changed since");
}

/// Terraform also takes arguments from the environment, and splits them as a shell does.
#[test]
fn a_variable_file_that_the_environment_names_reaches_the_apply() {
    let (world, args) = (World::applied(), "-var-file='../../common file.tfvars'");
    let number = world.pull_request("Web 1.1", |files| {
        files.replace(MAIN, "web:1.0", "web:1.1");
        files.write("common file.tfvars", "# one\n");
    });
    Step::plan(&world, number).env("TF_CLI_ARGS_plan", args).run().exits(0);
    world.approve(number);
    world.push_to(number, |files| files.write("common file.tfvars", "# two\n"));
    let event = world.github.pull_request_event(number, "synchronize");
    Step::new(&world, "plan", event).env("TF_CLI_ARGS_plan", args).run().exits(0);
    let push = world.merge(number);
    let refused = apply(&world, &push).env("TF_CLI_ARGS_plan", args).run().exits(11);
    refused.says("common file.tfvars changed since");
}
