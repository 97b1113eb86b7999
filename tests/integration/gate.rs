//! The gate end to end: every way in which a change may not be applied, and what people are told.

use crate::harness::files::PROD_KEY;
use crate::harness::github::story::Push;
use crate::harness::refusal::as_read;
use crate::harness::runner::Step;
use crate::harness::world::World;

const MAIN: &str = "environments/prod/main.tf";
const WEB: &str = "module.web.terraform_data.service";
const WORKER: &str = "module.worker.terraform_data.service";

/// A pull request for something else, planned.
fn new_queue(world: &World) -> u64 {
    let text = "resource \"terraform_data\" \"queue\" {\n  input = \"jobs\"\n}\n";
    let number = world.pull_request("A queue", |files| files.write("environments/prod/queue.tf", text));
    Step::plan(world, number).run().exits(0);
    number
}

#[test]
fn the_plan_says_what_will_be_asked_and_what_it_has() {
    let (world, number) = World::planned();
    let comment = world.github.comment(number);
    assert!(comment.contains("0 of 1") && comment.contains("except octocat (its author)"), "{comment}");
    world.approve(number);
    Step::plan(&world, number).run().exits(0);
    let comment = world.github.comment(number);
    assert!(comment.contains("1 of 1") && comment.contains("hubot"), "{comment}");
}

#[test]
fn who_pushed_last_does_not_approve() {
    let (world, number) = World::planned();
    world.push_to(number, |files| files.append(MAIN, "# by hubot\n"));
    let mut event = world.github.pull_request_event(number, "synchronize");
    event.payload["sender"]["login"] = "hubot".into();
    Step::new(&world, "plan", event).run().exits(0);
    world.approve(number);
    let push = world.merge(number);
    Step::apply(&world, &push).refused_and_told(&[number], 11, &["hubot pushed the last commit"]);
    world.github.review(number, "monalisa", "APPROVED");
    Step::apply(&world, &push).run().exits(0);
}

#[test]
fn a_forced_push_and_a_new_branch_are_refused() {
    let world = World::applied();
    world.main.replace(MAIN, "web:1.0", "web:1.1");
    let push = world.github.force_push("octocat");
    Step::apply(&world, &push).refused_and_told(&[], 11, &["main was force-pushed", WEB]);
    let created = Push { before: "0".repeat(40), forced: false, ..push };
    Step::apply(&world, &created).refused_and_told(&[], 11, &["main was just created"]);
}

#[test]
fn a_direct_push_that_is_let_through_is_shown() {
    let world = World::applied();
    world.main.replace(MAIN, "web:1.0", "web:1.1");
    let push = world.github.push_directly("octocat");
    let outcome = Step::apply(&world, &push).with("allow-direct-push", "true").run().exits(0);
    assert!(outcome.summary.contains(&push.after) && outcome.summary.contains("nobody reviewed it"));
}

#[test]
fn a_late_run_is_refused_and_a_plan_without_changes_passes() {
    let (world, number) = World::planned();
    world.approve(number);
    let push = world.merge(number);
    let comment = world.pull_request("A comment", |files| files.write("environments/prod/calm.tf", "# calm\n"));
    let later = world.merge(comment);
    Step::apply(&world, &push).refused_and_told(&[number], 11, &["is no longer the newest commit of main"]);
    // Nobody approved the later one; but where nothing changes, there is nothing to approve.
    world.main.replace(MAIN, "web:1.1", "web:1.0");
    let before = world.bucket.get(PROD_KEY);
    let outcome = Step::apply(&world, &later).run().exits(0);
    assert_eq!(outcome.output("result"), "no-changes");
    assert_eq!(world.bucket.get(PROD_KEY), before);
}

#[test]
fn an_environment_must_be_protected_and_approved_by_another() {
    let (world, number) = World::planned();
    world.approve(number);
    let push = world.merge(number);
    let apply = || Step::apply(&world, &push).with("environment", "prod").with("require-environment-approval", "true");
    apply().refused_and_told(&[number], 11, &["this repository has no environment prod"]);
    world.github.environment("prod", &[], false);
    apply().refused_and_told(&[number], 11, &["has no required reviewers"]);
    world.github.environment("prod", &["hubot", "octocat"], false);
    let refused = apply().refused_and_told(&[number], 11, &["nobody approved this run"]);
    world.github.approve_run(refused.run, "prod", "octocat");
    apply().rerun_of(refused.run).refused_and_told(&[number], 11, &["octocat started this run"]);
    world.github.approve_run(refused.run, "prod", "hubot");
    apply().rerun_of(refused.run).run().exits(0);
    assert!(world.github.comment(number).contains("environment prod by hubot"), "{}", world.github.comment(number));
}

#[test]
fn a_team_that_this_token_cannot_see_is_said_with_the_token_that_can() {
    let (world, number) = World::planned();
    world.approve(number);
    let push = world.merge(number);
    let apply = || Step::apply(&world, &push).with("approvers", "acme/platform");
    apply().refused_and_told(&[number], 11, &["whether hubot is in the team acme/platform", "members: read"]);
}

#[test]
fn a_merged_event_and_a_dispatch_lead_to_the_same_gate() {
    let (world, number) = World::planned();
    world.merge(number);
    let merged = || Step::new(&world, "apply", world.github.merged_event(number));
    let dispatched = |named: u64| {
        let step = Step::new(&world, "apply", world.github.dispatch_event("monalisa"));
        step.with("pull-request", &named.to_string())
    };
    merged().refused_and_told(&[number], 11, &["#42 has 0 of 1"]);
    dispatched(number).refused_and_told(&[number], 11, &["#42 has 0 of 1"]);
    dispatched(7).refused_and_told(&[number], 11, &["did not come by #7 but by #42"]);
    world.approve(number);
    merged().run().exits(0);
    assert_eq!(dispatched(number).run().exits(0).output("result"), "no-changes");
}

#[test]
fn other_code_than_the_gate_decided_about_is_not_applied() {
    let (world, number) = World::planned();
    world.approve(number);
    let push = world.merge(number);
    let mut event = world.github.push_event(&push);
    event.sha = world.head(number);
    let step = Step::new(&world, "apply", event);
    step.refused_and_told(&[number], 11, &["the checked-out commit is", &push.after]);
}

#[test]
fn a_changed_plan_is_refused_in_words() {
    let (world, number) = World::planned();
    world.approve(number);
    let push = world.merge(number);
    // As if something else had got into the merge: another address, another value, another action.
    let new = format!("{WORKER} would be changed in place; the reviewed plan left it alone");
    for (old, other, word) in [
        ("worker:1.0", "worker:2.0", new.as_str()),
        ("web:1.1", "web:1.2", "another value of input"),
        ("\"web:1.1\"\n", "\"web:1.1\"\n  region = \"us-east-1\"\n", "would be replaced"),
    ] {
        world.main.replace(MAIN, old, other);
        let outcome = Step::apply(&world, &push).refused(12);
        assert_eq!(outcome.output("result"), "refused");
        let comment = world.github.comment(number).replace(['`', '*'], "");
        for told in [word, "the merged code is not the code that was planned", "Next: Re-run the plan job"] {
            assert!(comment.contains(told), "{told:?} is not told:\n{comment}");
        }
        world.main.replace(MAIN, other, old);
    }
    Step::apply(&world, &push).run().exits(0);
    assert_eq!(world.image(), "web:1.1");
}

#[test]
fn a_record_that_is_missing_or_not_ours_is_refused_with_the_remedy() {
    let (world, number) = World::planned();
    world.approve(number);
    let push = world.merge(number);
    let key = world.record_key(number);
    let record = world.bucket.get(&key).unwrap();
    world.bucket.delete(&key);
    Step::apply(&world, &push).refused_and_told(&[number], 12, &["there is no reviewed plan at"]);
    world.bucket.put(&key, "{");
    Step::apply(&world, &push).refused_and_told(&[number], 12, &["cannot be read"]);
    world.bucket.put(&key, r#"{"version":99}"#);
    let outcome = Step::apply(&world, &push).refused_and_told(&[number], 12, &["has version 99"]);
    assert!(outcome.log.contains("Re-run the plan job of the pull request"), "{}", outcome.log);
    world.bucket.put(&key, include_str!("../../crates/stategate-core/tests/records/version-1.json"));
    Step::apply(&world, &push).refused_and_told(&[number], 12, &["has version 1", "Re-run the plan job"]);
    world.bucket.put(&key, record);
    Step::apply(&world, &push).run().exits(0);
}

#[test]
fn other_open_pull_requests_that_touch_the_same_resources_are_named() {
    let (world, _first) = World::planned();
    let second = world.pull_request("Web 1.2", |files| files.replace(MAIN, "web:1.0", "web:1.2"));
    Step::plan(&world, second).run().exits(0);
    let comment = world.github.comment(second).replace('`', "");
    assert!(as_read(&comment).contains("Also changed by #42:") && comment.contains(WEB), "{comment}");
    let queue = new_queue(&world);
    assert!(!world.github.comment(queue).contains("Also changed by"), "{}", world.github.comment(queue));
}

#[test]
fn a_forks_pull_request_has_no_reviewed_plan_and_is_told_the_way_on() {
    let world = World::applied();
    let number = world.new_image();
    world.github.state().pulls.get_mut(&number).unwrap().head_owner = "stranger".to_owned();
    let skipped = Step::plan(&world, number).run().exits(0);
    assert_eq!(skipped.output("result"), "skipped");
    world.approve(number);
    let push = world.merge(number);
    let refused = Step::apply(&world, &push).refused_and_told(&[number], 12, &["there is no reviewed plan at"]);
    assert!(refused.log.contains("needs a branch in this repository"), "{}", refused.log);
    Step::apply(&world, &push).with("on-plan-change", "apply").run().exits(0);
    assert_eq!(world.image(), "web:1.1");
}

#[test]
fn a_pull_request_into_another_branch_lends_its_approval_to_nobody() {
    let (world, number) = World::planned();
    world.approve(number);
    let push = world.merge(number);
    "next".clone_into(&mut world.github.state().pulls.get_mut(&number).unwrap().base);
    let told = ["belongs to #42, which was merged into next, not into main", WEB];
    Step::apply(&world, &push).with("allow-direct-push", "true").refused_and_told(&[], 11, &told);
}

#[test]
fn a_revert_needs_an_approval_of_its_own() {
    let (world, number) = World::planned();
    world.approve(number);
    let push = world.merge(number);
    Step::apply(&world, &push).run().exits(0);
    let revert = world.pull_request("Revert Web 1.1", |files| files.replace(MAIN, "web:1.1", "web:1.0"));
    Step::plan(&world, revert).run().exits(0);
    let push = world.merge(revert);
    Step::apply(&world, &push).refused_and_told(&[revert], 11, &["#43 has 0 of 1", WEB]);
    world.approve(revert);
    Step::apply(&world, &push).run().exits(0);
    assert_eq!(world.image(), "web:1.0");
}

#[test]
fn the_last_of_many_reviews_counts_like_the_first() {
    let (world, number) = World::planned();
    for index in 0..120 {
        let login = format!("reviewer-{index:03}");
        world.github.person(&login, "write");
        world.github.review(number, &login, "APPROVED");
    }
    world.github.review(number, "monalisa", "CHANGES_REQUESTED");
    let push = world.merge(number);
    Step::apply(&world, &push).refused_and_told(&[number], 11, &["monalisa requests changes on #42"]);
    world.github.dismiss(number, "monalisa");
    let apply = || Step::apply(&world, &push);
    apply().with("required-approvals", "121").refused(11).says("120 of 121");
    apply().with("required-approvals", "120").run().exits(0);
}

#[test]
fn outputs_need_an_approval_and_what_is_only_read_does_not() {
    let world = World::applied();
    let only = |title: &str, text: &str| {
        let number = world.pull_request(title, |files| files.append(MAIN, text));
        Step::plan(&world, number).run().exits(0);
        (number, world.merge(number))
    };
    let (number, push) = only("An output", "output \"fact\" { value = \"one\" }\n");
    Step::apply(&world, &push).refused_and_told(&[number], 11, &["#42 has 0 of 1", "fact"]);
    world.approve(number);
    Step::apply(&world, &push).run().exits(0);
    let other =
        r#"{"version":4,"serial":1,"lineage":"x","outputs":{"n":{"value":"x","type":"string"}},"resources":[]}"#;
    world.main.write("environments/prod/other.tfstate", other);
    let reads = r#"check "other" {
  data "terraform_remote_state" "other" {
    backend = "local"
    config  = { path = "${path.module}/other.tfstate" }
  }
  assert {
    condition     = data.terraform_remote_state.other.outputs.n == "x"
    error_message = "never"
  }
}
"#;
    let (_, push) = only("A check", reads);
    let untouched = world.untouched();
    let outcome = Step::apply(&world, &push).run().exits(0);
    assert_eq!(outcome.output("result"), "no-changes");
    assert!(outcome.log.contains("nothing to apply: the plan only reads data sources"), "{}", outcome.log);
    untouched.check();
}
