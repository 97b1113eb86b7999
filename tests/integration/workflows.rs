//! The workflows that the README and `docs/workflows.md` print: read as they stand there, judged,
//! and run through the action's own steps. What counts is what stands on the pull request and in
//! the bucket afterwards.

use serde_json::json;

use crate::harness::files::{DEV, PROD, PROD_LOCK};
use crate::harness::github::events::{Checkout, Event};
use crate::harness::runner::{Outcome, Step};
use crate::harness::workflow::Workflow;
use crate::harness::world::World;

const README: &str = "README.md";
const VARIANTS: &str = "docs/workflows.md";
const MAIN: &str = "environments/prod/main.tf";
/// Another file, so that what changes it goes together with what changes the first.
const QUEUE: &str = "environments/prod/queue.tf";
const RESOURCE: &str = "resource \"terraform_data\" \"queue\" {\n  input = \"jobs\"\n}\n";

/// The only use of the action that a workflow makes for this event.
fn only<'a>(workflow: &Workflow, world: &'a World, event: &Event) -> Step<'a> {
    let mut steps = workflow.steps(world, event);
    assert_eq!(steps.len(), 1, "{} uses the action once", workflow.name);
    steps.remove(0)
}

/// `workflow_dispatch` with these inputs.
fn dispatch(world: &World, actor: &str, inputs: serde_json::Value) -> Event {
    let mut event = world.github.dispatch_event(actor);
    event.payload["inputs"] = inputs;
    event
}

/// Nothing that was asked of GitHub was more than the token may do.
#[track_caller]
fn assert_allowed(world: &World) {
    let refused: Vec<String> = world
        .github
        .requests()
        .into_iter()
        .filter(|request| request.status == 403)
        .map(|request| format!("{} {}", request.method, request.path))
        .collect();
    assert!(refused.is_empty(), "the printed permissions do not cover {refused:?}");
}

/// octocat's pull request, planned by the printed workflow.
fn planned(world: &World) -> (u64, Outcome) {
    let plan = Workflow::printed(README, "plan");
    let number = world.new_image();
    let event = world.github.pull_request_event(number, "opened");
    // Whatever it touches: the newest commit of main needs its apply, and that its record.
    assert!(plan.starts_on(&event, MAIN) && plan.starts_on(&event, "docs/index.md"));
    (number, only(&plan, world, &event).run())
}

/// A world whose printed apply died with its machine, and left the lock with this ID.
fn left_behind() -> (World, Outcome, String) {
    let world = World::applied();
    let (_, push, sign) = world.slow_change();
    let apply = Workflow::printed(README, "apply");
    let step = only(&apply, &world, &world.github.push_event(&push)).start();
    step.wait_for_apply();
    let dead = step.vanish();
    sign.go_on();
    let id = world.bucket.json(PROD_LOCK).unwrap()["ID"].as_str().unwrap().to_owned();
    (world, dead, id)
}

#[test]
fn outsiders_stay_green_with_every_printed_plan() {
    let world = World::applied();
    let fork = world.github.open_pull_request_from("hubot", "hubot", "patch-1", "From a fork");
    let bump = world.github.open_pull_request("dependabot[bot]", "dependabot/terraform/aws-6.1.0", "Bump aws");
    let mut names = Vec::new();
    for (_, workflow) in [README, VARIANTS].into_iter().flat_map(Workflow::all) {
        if !workflow.on.contains_key("pull_request") {
            continue;
        }
        for number in [fork, bump] {
            let event = Event { checkout: Checkout::Main, ..world.github.pull_request_event(number, "opened") };
            for step in workflow.steps(&world, &event) {
                assert_eq!(step.run().exits(0).output("result"), "skipped", "{}", workflow.name);
            }
        }
        names.push(workflow.name);
    }
    assert_eq!(names.len(), 6, "{names:?}");
}

#[test]
fn every_printed_workflow_is_whole_and_asks_for_no_more_than_it_needs() {
    let mut names = Vec::new();
    for page in [README, VARIANTS] {
        for (text, workflow) in Workflow::all(page) {
            assert_eq!(workflow.problems(), Vec::<String>::new(), "{page}: {}", workflow.name);
            assert!(!text.contains("secrets."), "{page}: {} needs a stored secret", workflow.name);
            let pins = text.matches("uses: ").count();
            let told = text.lines().filter(|line| line.contains("uses: ") && line.contains(" # ")).count();
            assert_eq!(pins, told, "{page}: {}: a pin says which version it is", workflow.name);
            names.push(workflow.name);
        }
    }
    assert_eq!(&names[..3], ["plan", "apply", "unlock"]);
    let mut unique = names.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), names.len(), "{names:?}");
}

#[test]
fn a_workflow_that_lacks_something_is_noticed() {
    let (text, _) = Workflow::all(README).into_iter().find(|(_, workflow)| workflow.name == "apply").unwrap();
    let check = |old: &str, new: &str, problem: &str| {
        assert!(text.contains(old), "the workflow has no {old:?}:\n{text}");
        let problems = Workflow::parse(&text.replace(old, new)).problems();
        assert!(problems.iter().any(|found| found.contains(problem)), "{old:?}: {problems:?}");
    };
    check("required-approvals:", "required-aprovals:", "no input required-aprovals");
    check("          command: apply\n", "", "required input command");
    check("      actions: read", "      actions: write", "actions: read is missing");
    check("      id-token: write # OIDC to AWS\n", "", "id-token: write is missing");
    check(
        "      contents: read\n",
        "      contents: read\n      deployments: write\n",
        "nothing needs the permission deployments",
    );
    check("persist-credentials: false", "persist-credentials: true", "persist-credentials");
    check("terraform_wrapper: false", "terraform_version: 1.14.0", "terraform_wrapper");
    check("    timeout-minutes: 60\n", "", "timeout-minutes");
    check("permissions: {}", "permissions:\n  contents: read", "permissions belong to the jobs");
    check("actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1", "actions/checkout@v7", "not pinned");
}

#[test]
fn the_printed_permissions_are_what_the_job_gets() {
    let (text, _) = Workflow::all(README).into_iter().find(|(_, workflow)| workflow.name == "plan").unwrap();
    let check = |without: &str, code: i32, says: &str| {
        let world = World::applied();
        let number = world.new_image();
        let lacking: String =
            text.lines().filter(|line| !line.contains(without)).map(|line| format!("{line}\n")).collect();
        let event = world.github.pull_request_event(number, "opened");
        only(&Workflow::parse(&lacking), &world, &event).run().exits(code).says(says);
    };
    check("pull-requests: write", 21, "pull-requests: write");
    check("id-token: write", 20, "redentials");
}

#[test]
fn without_its_permission_to_ask_about_runs_the_printed_unlock_proves_nobody_dead() {
    let (text, _) = Workflow::all(README).into_iter().find(|(_, workflow)| workflow.name == "unlock").unwrap();
    let (world, dead, id) = left_behind();
    world.github.finish_run_before(dead.run, "cancelled", 7);
    let lacking: String =
        text.lines().filter(|line| !line.contains("actions: read")).map(|line| format!("{line}\n")).collect();
    let event = dispatch(&world, "hubot", json!({ "lock-id": id, "reason": "the runner was lost" }));
    only(&Workflow::parse(&lacking), &world, &event).run().exits(10).says("may be alive");
    assert_eq!(world.bucket.locks(), [PROD_LOCK]);
}

#[test]
fn the_three_printed_workflows_carry_a_change_to_production() {
    let world = World::applied();
    let (number, plan) = planned(&world);
    let plan = plan.exits(0);
    assert_eq!((plan.output("result"), plan.output("change")), ("planned", "1"));
    assert!(world.github.comment(number).contains("web:1.1"), "{}", world.github.comment(number));

    let apply = Workflow::printed(README, "apply");
    let early = world.github.pull_request_event(number, "opened");
    assert!(!apply.starts_on(&early, MAIN), "nothing is applied before the merge");
    let push = world.merge(number);
    let event = world.github.push_event(&push);
    assert!(apply.starts_on(&event, MAIN) && apply.starts_on(&event, "README.md"));
    let blocked = only(&apply, &world, &event).run().exits(11);
    assert_eq!(blocked.output("approved"), "false");
    assert!(world.github.comment(number).contains("0 of 1"), "{}", world.github.comment(number));

    world.approve(number);
    only(&apply, &world, &event).rerun_of(blocked.run).run().exits(0);
    assert_eq!(world.laptop().state()["outputs"]["web_image"]["value"], "web:1.1");
    assert!(world.github.comment(number).contains("✅"), "{}", world.github.comment(number));
    assert!(world.bucket.locks().is_empty());
    assert_allowed(&world);
}

#[test]
fn the_printed_unlock_shows_the_holder_and_removes_a_dead_ones_lock() {
    let (world, dead, id) = left_behind();
    let number = *world.github.state().pulls.keys().next().unwrap();
    world.github.finish_run_before(dead.run, "cancelled", 7);
    let unlock = Workflow::printed(README, "unlock");
    let run = |inputs| only(&unlock, &world, &dispatch(&world, "hubot", inputs)).run();
    run(json!({})).exits(10).says(&id).says("octocat via GitHub Actions");
    run(json!({ "lock-id": id })).exits(2).says("needs --reason");
    assert_eq!(world.bucket.locks(), [PROD_LOCK]);
    run(json!({ "lock-id": id, "reason": "the runner was lost" })).exits(0);
    assert!(world.bucket.locks().is_empty());
    let told = world.github.comments(number).last().unwrap().body.clone();
    assert!(told.contains("the runner was lost") && told.contains(&id), "{told}");
    assert_allowed(&world);
}

#[test]
fn the_printed_matrix_has_one_lock_and_one_comment_for_each_environment() {
    let world = World::applied();
    world.laptop().within(DEV).apply().succeeded();
    let number = world.pull_request("Everywhere", |files| {
        for directory in [DEV, PROD] {
            files.replace(&format!("{directory}/main.tf"), "web:1.0", "web:1.1");
        }
    });
    let plan = Workflow::printed(VARIANTS, "plan environments");
    let event = world.github.pull_request_event(number, "opened");
    let ids: Vec<String> = plan
        .steps(&world, &event)
        .into_iter()
        .map(|step| step.run().exits(0).output("comment-url").to_owned())
        .collect();
    assert_eq!(ids.len(), 2);
    assert_ne!(ids[0], ids[1]);
    let comments: Vec<String> = world.github.comments(number).into_iter().map(|comment| comment.body).collect();
    assert!(comments[0].contains(DEV) && comments[1].contains(PROD), "{comments:#?}");

    world.approve(number);
    let push = world.merge(number);
    let apply = Workflow::printed(VARIANTS, "apply environments");
    for step in apply.steps(&world, &world.github.push_event(&push)) {
        step.run().exits(0);
    }
    for directory in [DEV, PROD] {
        assert_eq!(world.laptop().within(directory).state()["outputs"]["web_image"]["value"], "web:1.1", "{directory}");
    }
    assert_allowed(&world);
}

#[test]
fn the_printed_approval_by_environment_asks_who_let_the_run_in() {
    let world = World::applied();
    world.github.environment("production", &["hubot"], false);
    let (number, plan) = planned(&world);
    plan.exits(0);
    world.approve(number);
    let push = world.merge(number);
    let apply = Workflow::printed(VARIANTS, "apply production");
    let step = || only(&apply, &world, &world.github.push_event(&push));
    let refused = step().run().exits(11).says("nobody approved this run");
    world.github.approve_run(refused.run, "production", "hubot");
    step().rerun_of(refused.run).run().exits(0);
    assert_allowed(&world);
}

#[test]
fn the_printed_merge_queue_plans_the_group_again() {
    let world = World::applied();
    let queue = Workflow::printed(VARIANTS, "plan in the queue");
    let number = world.new_image();
    only(&queue, &world, &world.github.pull_request_event(number, "opened")).run().exits(0);
    let group = world.github.merge_group_event(number);
    only(&queue, &world, &group).run().exits(0);
    // Another change gets to production meanwhile: the group would do something else.
    world.main.write(QUEUE, RESOURCE);
    only(&queue, &world, &world.github.merge_group_event(number)).run().exits(12).says("terraform_data.queue");
    assert_allowed(&world);
}

#[test]
fn the_printed_file_with_both_roles_does_for_each_event_its_own_job() {
    let world = World::applied();
    let both = Workflow::printed(VARIANTS, "terraform");
    let number = world.new_image();
    only(&both, &world, &world.github.pull_request_event(number, "opened")).run().exits(0);
    world.approve(number);
    let push = world.merge(number);
    let applied = only(&both, &world, &world.github.push_event(&push)).run().exits(0);
    assert_eq!(applied.output("result"), "applied");
    assert_allowed(&world);
}

#[test]
fn the_printed_freeze_keeps_plans_out_until_the_printed_unlock_ends_it() {
    let world = World::applied();
    let freeze = Workflow::printed(VARIANTS, "freeze");
    let event = dispatch(&world, "hubot", json!({ "reason": "moving the database" }));
    let frozen = only(&freeze, &world, &event).run().exits(0);
    let id = frozen.output("lock-id").to_owned();
    let number = world.new_image();
    Step::plan(&world, number).with("lock-timeout", "0s").run().exits(10).says("moving the database");
    // The run that froze it is long over, and the freeze is meant to stay.
    world.github.finish_run_before(frozen.run, "success", 60);
    let breaking = Step::plan(&world, number).with("lock-timeout", "0s").with("break-stale-lock", "true");
    breaking.run().exits(10).says("moving the database");
    world.github.finish_run_before(frozen.run, "success", 0);
    let unlock = Workflow::printed(README, "unlock");
    let event = dispatch(&world, "hubot", json!({ "lock-id": id, "reason": "moved" }));
    only(&unlock, &world, &event).run().exits(0);
    planned(&world).1.exits(0);
    assert_allowed(&world);
}

#[test]
fn every_variant_can_be_evaluated_for_each_event_that_starts_it() {
    let world = World::new();
    let number = world.new_image();
    let push = world.github.push_directly("octocat");
    for (_, workflow) in Workflow::all(VARIANTS) {
        let mut uses = 0;
        for trigger in workflow.on.keys() {
            let event = match trigger.as_str() {
                "pull_request" => world.github.pull_request_event(number, "opened"),
                "push" => world.github.push_event(&push),
                "merge_group" => world.github.merge_group_event(number),
                "workflow_dispatch" => dispatch(&world, "hubot", json!({ "reason": "a try" })),
                other => panic!("{}: the harness knows no trigger {other}", workflow.name),
            };
            uses += workflow.steps(&world, &event).len();
        }
        assert!(uses > 0, "{} never uses the action", workflow.name);
    }
}
