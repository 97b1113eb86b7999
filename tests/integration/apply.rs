//! `apply` on main: the gate, the comparison with what was reviewed, and the apply itself.

use crate::harness::files::PROD;
use crate::harness::github::story::MergeMethod;
use crate::harness::runner::Step;
use crate::harness::world::World;

const SERVICE: &str = "module.web.terraform_data.service";

/// The gate blocks: every reason on the pull request, and the plan that waits.
#[track_caller]
fn check_blocked(number: u64, step: Step<'_>, reasons: &[&str]) {
    let outcome = step.refused_and_told(&[number], 11, &[reasons, &[SERVICE]].concat());
    assert_eq!((outcome.output("result"), outcome.output("approved")), ("blocked", "false"));
}

#[test]
fn without_approval_nothing_is_applied() {
    let (world, number) = World::planned();
    let push = world.merge(number);
    check_blocked(number, Step::apply(&world, &push), &["#42"]);
}

#[test]
fn an_approved_change_is_applied() {
    let (world, number) = World::planned();
    world.approve(number);
    let push = world.merge(number);
    let outcome = Step::apply(&world, &push).run().exits(0);
    assert_eq!((outcome.output("result"), outcome.output("approved")), ("applied", "true"));
    let comment = world.github.comment(number);
    assert!(comment.contains("✅") && comment.contains("hubot"), "{comment}");
    assert_eq!(world.image(), "web:1.1");
    assert!(world.bucket.locks().is_empty());
    assert!(world.laptop().plan().stdout.contains("No changes"), "the apply did what was planned");
}

#[test]
fn squash_and_rebase_merges_are_found_too() {
    for method in [MergeMethod::Squash, MergeMethod::Rebase] {
        let (world, number) = World::planned();
        // A rebase brings two commits then, of which only one is what the merge made.
        world.push_to(number, |files| files.append(&format!("{PROD}/main.tf"), "# 1.1\n"));
        Step::plan(&world, number).run().exits(0);
        world.approve(number);
        let push = world.merge_by(method, number);
        Step::apply(&world, &push).run().exits(0);
        assert_eq!(world.image(), "web:1.1", "{method:?}");
    }
}

#[test]
fn an_approval_of_an_earlier_commit_does_not_count() {
    let (world, number) = World::planned();
    world.approve(number);
    world.push_to(number, |files| files.replace(&format!("{PROD}/main.tf"), "web:1.1", "web:1.2"));
    Step::new(&world, "plan", world.github.pull_request_event(number, "synchronize")).run().exits(0);
    let push = world.merge(number);
    check_blocked(number, Step::apply(&world, &push), &["hubot"]);
}

#[test]
fn the_authors_own_approval_does_not_count() {
    let (world, number) = World::planned();
    world.github.review(number, "octocat", "APPROVED");
    let push = world.merge(number);
    check_blocked(number, Step::apply(&world, &push), &["octocat"]);
}

#[test]
fn an_approval_without_write_access_does_not_count() {
    let (world, number) = World::planned();
    world.github.person("outsider", "read");
    world.github.review(number, "outsider", "APPROVED");
    let push = world.merge(number);
    check_blocked(number, Step::apply(&world, &push), &["#42"]);
}

#[test]
fn requested_changes_block() {
    let (world, number) = World::planned();
    world.approve(number);
    world.github.review(number, "monalisa", "CHANGES_REQUESTED");
    let push = world.merge(number);
    check_blocked(number, Step::apply(&world, &push), &["monalisa"]);
}

#[test]
fn a_later_opinion_replaces_the_earlier_one() {
    let (world, number) = World::planned();
    world.github.review(number, "hubot", "CHANGES_REQUESTED");
    world.approve(number);
    let push = world.merge(number);
    Step::apply(&world, &push).run().exits(0);
}

#[test]
fn two_approvals_need_two_people() {
    let (world, number) = World::planned();
    world.approve(number);
    world.approve(number);
    let push = world.merge(number);
    check_blocked(number, Step::apply(&world, &push).with("required-approvals", "2"), &["2"]);
    world.github.review(number, "monalisa", "APPROVED");
    Step::apply(&world, &push).with("required-approvals", "2").run().exits(0);
}

#[test]
fn a_direct_push_is_refused_unless_it_is_allowed() {
    let world = World::applied();
    world.main.replace(&format!("{PROD}/main.tf"), "web:1.0", "web:1.1");
    let push = world.github.push_directly("octocat");
    Step::apply(&world, &push).refused_and_told(&[], 11, &["without a pull request", SERVICE]);
    Step::apply(&world, &push).with("allow-direct-push", "true").run().exits(0);
    assert_eq!(world.image(), "web:1.1");
}

#[test]
fn a_plan_that_is_not_the_reviewed_one_is_refused_in_words() {
    let (world, number) = World::planned();
    world.approve(number);
    let push = world.merge(number);
    // Somebody takes a service away by hand: the fresh plan has to make it again.
    let laptop = world.laptop();
    laptop.initialised(&["state", "rm", "module.worker.terraform_data.service"]).succeeded();
    let told = ["module.worker.terraform_data.service"];
    let outcome = Step::apply(&world, &push).refused_and_told(&[number], 12, &told);
    assert_eq!(outcome.output("result"), "refused");
    Step::apply(&world, &push).with("on-plan-change", "apply").run().exits(0);
    assert_eq!(world.image(), "web:1.1");
}

#[test]
fn a_run_for_a_commit_that_main_has_left_is_refused() {
    let (world, number) = World::planned();
    world.approve(number);
    let push = world.merge(number);
    world.github.push_directly("monalisa");
    Step::apply(&world, &push).refused_and_told(&[number], 11, &["no longer the newest commit of main"]);
}

#[test]
fn an_apply_that_fails_is_told_and_leaves_no_lock() {
    let world = World::applied();
    let number = world.pull_request("A step that fails", |files| {
        let fails = "resource \"terraform_data\" \"fails\" {\n  provisioner \"local-exec\" {\n    command = \"echo cannot reach the moon >&2; exit 3\"\n  }\n}\n";
        files.append(&format!("{PROD}/main.tf"), fails);
    });
    Step::plan(&world, number).run().exits(0);
    world.approve(number);
    let push = world.merge(number);
    let outcome = Step::apply(&world, &push).run().exits(14).says("cannot reach the moon");
    assert_eq!(outcome.output("result"), "failed");
    assert!(world.github.comment(number).to_lowercase().contains("failed"), "{}", world.github.comment(number));
    assert!(world.bucket.locks().is_empty());
}
