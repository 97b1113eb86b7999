//! Several root modules in one repository, each planned only by the pull requests that change it: what
//! provably does not reach a root module needs no reviewed plan and no approval there.

use crate::harness::files::{DEV, PROD};
use crate::harness::github::story::{MergeMethod, Push};
use crate::harness::runner::Step;
use crate::harness::terraform::terraform;
use crate::harness::world::World;

const METHODS: [MergeMethod; 3] = [MergeMethod::Merge, MergeMethod::Squash, MergeMethod::Rebase];
const WORKFLOW: &str = ".github/workflows/apply.yml";
const SCRIPT: &str = "scripts/terraform";
const BRINGS_NOTHING: &str = "changed no file that reaches this root module";

/// A world with both environments applied, and production once by an approved pull request.
fn two_roots() -> World {
    let world = World::applied();
    world.laptop().within(DEV).apply().succeeded();
    world
}

fn with_a_trail(world: &World) {
    let number = resource(world, PROD, "mail");
    plan_in(world, number, PROD);
    world.approve(number);
    Step::apply(world, &world.merge(number)).run().exits(0);
}

/// A pull request with a new resource in one root module.
fn resource(world: &World, root: &str, name: &str) -> u64 {
    let text = format!("resource \"terraform_data\" \"{name}\" {{\n  input = \"one\"\n}}\n");
    world.pull_request(&format!("A {name}"), |files| files.write(&format!("{root}/{name}.tf"), &text))
}

fn plan_in(world: &World, number: u64, root: &str) {
    Step::plan(world, number).with("working-directory", root).run().exits(0);
}

fn apply_in<'a>(world: &'a World, push: &Push, root: &str) -> Step<'a> {
    Step::apply(world, push).with("working-directory", root)
}

/// The comment of one root module on a pull request.
#[track_caller]
fn comment_in(world: &World, number: u64, root: &str) -> String {
    let comments = world.github.comments(number);
    let found = comments.iter().find(|comment| comment.body.starts_with(&format!("<!-- stategate:{root}@default -->")));
    found.unwrap_or_else(|| panic!("#{number} has no comment of {root}: {comments:?}")).body.clone()
}

#[track_caller]
fn check_nothing_left(world: &World, root: &str) {
    let plan = world.laptop().within(root).plan();
    assert!(plan.stdout.contains("No changes"), "{root}: {}", plan.text());
}

/// #1 changes production and waits; #2 changes only the other root module, and was planned only there.
fn pending_in_prod(has_trail: bool) -> (World, u64, u64, Push) {
    let world = two_roots();
    if has_trail {
        with_a_trail(&world);
    }
    let prod = resource(&world, PROD, "queue");
    plan_in(&world, prod, PROD);
    world.approve(prod);
    world.merge(prod);
    let other = resource(&world, DEV, "cache");
    plan_in(&world, other, DEV);
    world.approve(other);
    let push = world.merge(other);
    (world, prod, other, push)
}

#[test]
fn a_pending_change_is_applied_by_a_push_that_does_not_reach_its_root() {
    for has_trail in [false, true] {
        let (world, prod, other, push) = pending_in_prod(has_trail);
        apply_in(&world, &push, DEV).run().exits(0);
        let applied = apply_in(&world, &push, PROD).run().exits(0);
        assert_eq!(applied.output("result"), "applied");
        applied.says(&format!("#{other} {BRINGS_NOTHING}")).says(&format!("#{prod} is merged and not applied yet"));
        for number in [prod, other] {
            let comment = comment_in(&world, number, PROD);
            assert!(comment.contains("✅") && comment.contains(BRINGS_NOTHING), "#{number}: {comment}");
        }
        check_nothing_left(&world, PROD);
        check_nothing_left(&world, DEV);
        // The next one finds it applied.
        let next = resource(&world, PROD, "next");
        plan_in(&world, next, PROD);
        world.approve(next);
        let applied = apply_in(&world, &world.merge(next), PROD).run().exits(0);
        assert!(!applied.log.contains("not applied yet"), "{}", applied.log);
    }
}

#[test]
fn a_pending_change_that_nobody_approved_still_is_refused() {
    let (world, prod, other, push) = pending_in_prod(true);
    world.github.dismiss(prod, "hubot");
    let refused = apply_in(&world, &push, PROD).refused(11);
    refused.says(&format!("#{prod} is merged and not applied yet")).says(&format!("#{prod} has 0 of 1"));
    for number in [prod, other] {
        let comment = comment_in(&world, number, PROD);
        assert!(comment.contains("has 0 of 1") || comment.contains("is not approved"), "#{number}: {comment}");
    }
}

#[test]
fn a_pull_request_that_does_not_reach_a_root_needs_no_approval_there() {
    let (world, _, other, push) = pending_in_prod(true);
    world.github.dismiss(other, "hubot");
    apply_in(&world, &push, PROD).run().exits(0);
    apply_in(&world, &push, DEV).refused(11).says(&format!("#{other} has 0 of 1"));
}

#[test]
fn a_direct_push_is_let_through_beside_a_pull_request_that_brings_nothing() {
    let world = two_roots();
    let other = resource(&world, DEV, "cache");
    plan_in(&world, other, DEV);
    world.approve(other);
    let merged = world.merge(other);
    world.main.write(&format!("{PROD}/queue.tf"), "resource \"terraform_data\" \"queue\" {}\n");
    let push = Push { before: merged.before, ..world.github.push_directly("octocat") };
    apply_in(&world, &push, PROD).refused(11);
    let applied = apply_in(&world, &push, PROD).with("allow-direct-push", "true").run().exits(0);
    assert_eq!(applied.output("result"), "applied", "{}", applied.log);
    let applied = applied.says(BRINGS_NOTHING);
    assert!(applied.summary.contains("nobody reviewed it"), "{}", applied.summary);
}

#[test]
fn one_push_lands_a_pull_request_for_each_of_two_roots() {
    for method in METHODS {
        let world = two_roots();
        let prod = resource(&world, PROD, "queue");
        plan_in(&world, prod, PROD);
        let other = resource(&world, DEV, "cache");
        plan_in(&world, other, DEV);
        for number in [prod, other] {
            world.approve(number);
        }
        let group = world.merge_group(method, &[prod, other]);
        for root in [PROD, DEV] {
            let planned = Step::new(&world, "plan", group.clone()).with("working-directory", root).run().exits(0);
            planned.says(BRINGS_NOTHING);
            for number in [prod, other] {
                let comment = comment_in(&world, number, root);
                assert!(comment.contains("it means what was reviewed"), "#{number} in {root}: {comment}");
            }
        }
        let push = world.land_queue();
        for root in [PROD, DEV] {
            let applied = apply_in(&world, &push, root).run().exits(0);
            assert_eq!(applied.output("result"), "applied", "{method:?} in {root}: {}", applied.log);
            check_nothing_left(&world, root);
        }
    }
}

#[test]
fn a_group_that_does_not_reach_a_root_passes_there_whatever_waits() {
    let world = two_roots();
    // Somebody changed production by hand.
    world.laptop().initialised(&["state", "rm", "module.worker.terraform_data.service"]).succeeded();
    let other = resource(&world, DEV, "cache");
    plan_in(&world, other, DEV);
    let planned = Step::new(&world, "plan", world.merge_group(MergeMethod::Squash, &[other])).run().exits(0);
    planned.says(BRINGS_NOTHING);
    // An apply would carry out what nobody reviewed.
    world.approve(other);
    apply_in(&world, &world.merge(other), PROD).refused(12);
}

#[test]
fn a_pull_request_that_reaches_a_root_is_refused_there_without_a_record() {
    for file in ["environments/prod/cache.tf", "modules/service/main.tf"] {
        let (world, _, _, _) = pending_in_prod(true);
        let sneaky = world.pull_request("Both roots", |files| {
            files.write("environments/dev/more.tf", "# nothing\n");
            let old = if files.root.join(file).exists() { files.read(file) } else { String::new() };
            files.write(file, &format!("{old}\n# changed\n"));
        });
        plan_in(&world, sneaky, DEV);
        world.approve(sneaky);
        let push = world.merge(sneaky);
        let why = format!("#{sneaky} changed {file}, which reaches this root module");
        apply_in(&world, &push, PROD).refused(12).says(&why);
        let comment = comment_in(&world, sneaky, PROD).replace('`', "");
        assert!(comment.contains(&format!("changed {file}")), "{comment}");
    }
}

#[test]
fn where_github_does_not_list_files_nothing_is_proven() {
    let (world, _, other, push) = pending_in_prod(true);
    world.github.state().files.clear();
    apply_in(&world, &push, PROD).refused(12).says(&format!("#{other} may have changed files that reach"));
}

/// Main, with the workflow that applies it and a script that stands in Terraform's place.
fn with_what_runs_it(world: &World) {
    world.main.write(WORKFLOW, "name: apply\n");
    let script = format!("#!/bin/sh\nexec '{}' \"$@\"\n", terraform().display());
    world.main.write(SCRIPT, &script);
}

/// An apply of production by that workflow, with that script.
fn as_it_runs<'a>(world: &'a World, push: &Push) -> Step<'a> {
    let workflow = format!("acme/infra/{WORKFLOW}@refs/heads/main");
    apply_in(world, push, PROD).env("GITHUB_WORKFLOW_REF", &workflow).with("terraform-bin", SCRIPT)
}

#[test]
fn the_workflow_and_the_script_that_run_an_apply_reach_it() {
    for (file, reaches) in [(WORKFLOW, true), (SCRIPT, true), (".github/workflows/test.yml", false)] {
        let world = two_roots();
        with_what_runs_it(&world);
        let prod = resource(&world, PROD, "queue");
        plan_in(&world, prod, PROD);
        world.approve(prod);
        world.merge(prod);
        let other = world.pull_request("What runs it", |files| {
            let old = if files.root.join(file).exists() { files.read(file) } else { String::new() };
            files.write(file, &format!("{old}# changed\n"));
        });
        plan_in(&world, other, DEV);
        world.approve(other);
        let push = world.merge(other);
        if reaches {
            as_it_runs(&world, &push).refused(12).says(&format!("#{other} changed {file}, which reaches"));
        } else {
            as_it_runs(&world, &push).run().exits(0).says(&format!("#{other} {BRINGS_NOTHING}"));
        }
    }
}
