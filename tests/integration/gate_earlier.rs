//! What was merged earlier and refused does not come in with the next apply, whatever the pull
//! requests' own jobs wrote down of it: they have the plan role, and may write any record.

use serde_json::{Value, json};

use crate::harness::files::{PROD, PROD_KEY};
use crate::harness::github::story::Push;
use crate::harness::lab::{Lab, REQUIRED};
use crate::harness::runner::Step;
use crate::harness::world::World;

const MAIN: &str = "environments/prod/main.tf";
const WEB: &str = "module.web.terraform_data.service";

/// A planned pull request for a new resource of this name.
fn another(world: &World, name: &str) -> u64 {
    let text = format!("resource \"terraform_data\" \"{name}\" {{\n  input = \"one\"\n}}\n");
    let file = format!("environments/prod/{name}.tf");
    let number = world.pull_request(&format!("A {name}"), |files| files.write(&file, &text));
    Step::plan(world, number).run().exits(0);
    number
}

/// Commits on main that touch nothing.
fn pushes(world: &World, count: usize) {
    for _ in 0..count {
        let push = world.github.push_directly("octocat");
        world.github.state().files.insert(push.after, world.main.all());
    }
}

/// A world that was applied once by an approved pull request.
fn applied() -> World {
    let world = World::applied();
    let first = another(&world, "mail");
    world.approve(first);
    Step::apply(&world, &world.merge(first)).run().exits(0);
    world
}

/// With #43 merged and refused, for nobody approved it.
fn with_a_refused_one() -> (World, u64) {
    let world = applied();
    let web = world.new_image();
    Step::plan(&world, web).run().exits(0);
    Step::apply(&world, &world.merge(web)).refused_and_told(&[web], 11, &["#43 has 0 of 1"]);
    (world, web)
}

/// #44, planned on top of that, so that its reviewed plan has the other's change in it; approved and
/// merged.
fn on_top(world: &World) -> (u64, Push) {
    let queue = another(world, "queue");
    world.approve(queue);
    (queue, world.merge(queue))
}

#[track_caller]
fn check_only_with_its_approval(world: &World, (web, queue): (u64, u64), push: &Push) {
    let told = [&format!("#{web} is merged and not applied yet") as &str, &format!("#{web} has 0 of 1"), WEB];
    Step::apply(world, push).refused_and_told(&[web, queue], 11, &told);
    // Which of the two lacks it, each reads in its own verdict, beside its own count.
    let (first, second) = (world.github.comment(web), world.github.comment(queue));
    assert!(first.contains("not applied, approval is missing") && first.contains("has 0 of 1 approval"), "{first}");
    let other = format!("[#{web}](https://github.com/acme/infra/pull/{web}) is not approved");
    assert!(second.contains(&format!("not applied, {other}")), "{second}");
    assert!(second.contains("Approvals of this pull request: 1 of 1, by"), "{second}");
    Step::apply(world, push).with("on-plan-change", "apply").refused(11).says(&format!("#{web} has 0 of 1"));
    world.approve(web);
    Step::apply(world, push).run().exits(0);
    assert!(world.github.comment(web).contains("✅"), "{}", world.github.comment(web));
}

#[test]
fn whatever_is_written_over_its_reviewed_plan() {
    let forgeries: [fn(&mut Value); 3] = [
        // It changes nothing.
        |record| {
            record["resources"] = json!([]);
            record["outputs"] = json!([]);
        },
        // It changes the same resource in another way.
        |record| {
            record["resources"][0]["fingerprint"] = "0".repeat(32).into();
            record["outputs"] = json!([]);
        },
        |record| *record = Value::Null,
    ];
    for forge in forgeries {
        let (world, web) = with_a_refused_one();
        let key = world.record_key(web);
        let mut record = world.bucket.json(&key).unwrap();
        forge(&mut record);
        world.bucket.put(&key, record.to_string());
        let (queue, push) = on_top(&world);
        check_only_with_its_approval(&world, (web, queue), &push);
    }
}

#[test]
fn when_its_plan_was_never_recorded() {
    let (world, web) = with_a_refused_one();
    world.bucket.delete(&world.record_key(web));
    let (queue, push) = on_top(&world);
    check_only_with_its_approval(&world, (web, queue), &push);
}

#[test]
fn when_the_next_one_changes_the_same_resource_further() {
    let world = applied();
    let change = |old: &str, new: &str| {
        let number = world.pull_request(new, |files| files.replace(MAIN, old, new));
        Step::plan(&world, number).run().exits(0);
        number
    };
    let refused = change("worker:1.0", "worker:1.1");
    Step::apply(&world, &world.merge(refused)).refused_and_told(&[refused], 11, &["#43 has 0 of 1"]);
    // Its own change, by the fingerprint, is nowhere in the plan any more.
    let further = change("worker:1.1", "worker:1.2");
    world.approve(further);
    let push = world.merge(further);
    let told = ["#43 is merged and not applied yet: it changed files that reach this apply", "#43 has 0 of 1"];
    Step::apply(&world, &push).refused_and_told(&[refused, further], 11, &told);
    world.approve(refused);
    Step::apply(&world, &push).run().exits(0);
}

#[test]
fn when_the_next_ones_record_claims_to_be_its_own() {
    let (world, web) = with_a_refused_one();
    let (queue, push) = on_top(&world);
    let key = world.record_key(queue);
    let record = world.bucket.json(&key).unwrap();
    let mut forged = record.clone();
    forged["head_sha"] = world.github.state().pulls[&web].head_sha().into();
    world.bucket.put(&key, forged.to_string());
    let told = "cannot be read: it is of another commit";
    world.approve(web);
    Step::apply(&world, &push).refused_and_told(&[queue], 12, &[told]);
    world.bucket.put(&key, record.to_string());
    Step::apply(&world, &push).run().exits(0);
}

#[test]
fn when_a_direct_push_that_is_let_through_comes_next() {
    let (world, web) = with_a_refused_one();
    let push = world.github.push_directly("octocat");
    let told = ["#43 is merged and not applied yet", "#43 has 0 of 1"];
    Step::apply(&world, &push).with("allow-direct-push", "true").refused_and_told(&[web], 11, &told);
}

#[test]
fn when_the_next_one_is_asked_for_by_its_event_alone() {
    let (world, web) = with_a_refused_one();
    world.bucket.delete(&world.record_key(web));
    let (queue, _) = on_top(&world);
    let told = ["#43 is merged and not applied yet: it changed files that reach this apply", "#43 has 0 of 1"];
    Step::new(&world, "apply", world.github.merged_event(queue)).refused_and_told(&[web, queue], 11, &told);
    let dispatched = Step::new(&world, "apply", world.github.dispatch_event("monalisa"));
    dispatched.refused_and_told(&[web, queue], 11, &told);
}

#[test]
fn what_reaches_no_apply_is_nobodys_to_approve() {
    let world = applied();
    let docs = world.pull_request("Words", |files| files.write("docs/words.md", "words"));
    world.merge(docs);
    let (_, push) = on_top(&world);
    Step::apply(&world, &push).run().exits(0);
}

#[test]
fn when_only_a_part_was_applied_since() {
    let world = World::applied();
    let web = world.new_image();
    Step::plan(&world, web).run().exits(0);
    Step::apply(&world, &world.merge(web)).refused_and_told(&[web], 11, &["#42 has 0 of 1"]);
    // Nothing of the other's is part of this plan.
    let text = "resource \"terraform_data\" \"mail\" {\n  input = \"one\"\n}\n";
    let mail = world.pull_request("A mail", |files| files.write("environments/prod/mail.tf", text));
    let partly = |step: Step<'_>| step.with("plan-args", "-target=terraform_data.mail").run().exits(0);
    partly(Step::plan(&world, mail));
    world.approve(mail);
    partly(Step::apply(&world, &world.merge(mail)));
    let (queue, push) = on_top(&world);
    check_only_with_its_approval(&world, (web, queue), &push);
}

/// An apply that only invokes an action changes nothing else of what was merged.
#[test]
fn when_only_an_action_was_invoked_since() {
    let world = World::new();
    let lab = Lab::start(world.place("lab"));
    let file = format!("{PROD}/lab.tf");
    let action = format!("{REQUIRED}action \"lab_call\" \"c\" {{\n  config {{\n    message = \"c\"\n  }}\n}}\n");
    world.main.write(&file, &action);
    lab.laptop(world.laptop()).apply().succeeded();
    let web = world.new_image();
    lab.step(Step::plan(&world, web)).run().exits(0);
    lab.step(Step::apply(&world, &world.merge(web))).refused(11);
    let invoke = world.pull_request("Invoke", |files| files.append(&file, "# invoke it\n"));
    let with = |step: Step<'_>| lab.step(step).with("plan-args", "-invoke=action.lab_call.c").run().exits(0);
    with(Step::plan(&world, invoke));
    world.approve(invoke);
    with(Step::apply(&world, &world.merge(invoke)));
    let text = "resource \"terraform_data\" \"queue\" {}\n";
    let queue = world.pull_request("A queue", |files| files.write(&format!("{PROD}/queue.tf"), text));
    lab.step(Step::plan(&world, queue)).run().exits(0);
    world.approve(queue);
    let push = world.merge(queue);
    lab.step(Step::apply(&world, &push)).refused(11).says(&format!("#{web} has 0 of 1 approval"));
}

#[test]
fn when_many_commits_came_in_between() {
    let (world, web) = with_a_refused_one();
    pushes(&world, 40);
    let (queue, push) = on_top(&world);
    check_only_with_its_approval(&world, (web, queue), &push);
}

#[test]
fn when_it_is_too_far_back_to_be_found() {
    let (world, web) = with_a_refused_one();
    pushes(&world, 250);
    let (queue, push) = on_top(&world);
    let told = [
        "the last apply of this state is so far back on main",
        "gh pr list --repo acme/infra --base main --state merged",
        "--require-environment-approval",
    ];
    Step::apply(&world, &push).refused_and_told(&[queue], 11, &told);
    world.approve(web);
    Step::apply(&world, &push).refused_and_told(&[queue], 11, &told);
    Step::apply(&world, &push).with("required-approvals", "0").run().exits(0);
    // From there on it is known again.
    let cache = another(&world, "cache");
    world.approve(cache);
    Step::apply(&world, &world.merge(cache)).run().exits(0);
}

#[test]
fn what_reaches_no_apply_is_nobodys_to_approve_however_much_it_is() {
    let world = applied();
    pushes(&world, 250);
    let (_, push) = on_top(&world);
    Step::apply(&world, &push).run().exits(0);
}

/// A policy whose `*` matches `/` lets a plan role write such keys.
#[test]
fn a_forged_trail_hides_no_unapproved_pull_request() {
    let (world, web) = with_a_refused_one();
    let trail = format!("stategate/{PROD_KEY}/audit/");
    let honest = world.bucket.keys().into_iter().rfind(|key| key.starts_with(&trail)).expect("an apply was recorded");
    let mut entry = world.bucket.json(&honest).unwrap();
    entry["pull_request"] = web.into();
    entry["commit"] = world.github.state().branches["main"].clone().into();
    for key in [format!("{trail}{PROD_KEY}/plans/z-apply.json"), format!("{trail}z-apply.json")] {
        world.bucket.put(&key, entry.to_string());
    }
    // Under a key of the right shape, but of another repository.
    entry["at"] = "2100-01-01T00:00:00Z".into();
    entry["run_url"] = "https://github.com/acme/other/actions/runs/1/attempts/1".into();
    world.bucket.put(&format!("{trail}2100-01-01T00:00:00.000000000Z-apply.json"), entry.to_string());
    let (queue, push) = on_top(&world);
    check_only_with_its_approval(&world, (web, queue), &push);
}

/// What the code reads from outside of its modules reaches the apply as well.
#[test]
fn when_it_changed_a_file_that_the_code_reads_elsewhere() {
    let world = World::applied();
    world.main.write("config/mail.json", "{}\n");
    world.main.write("config/real/extra.json", "{}\n");
    let text = "resource \"terraform_data\" \"mail\" {\n  input = file(\"../../config/mail.json\")\n}\n";
    let first = world.pull_request("A mail", |files| files.write("environments/prod/mail.tf", text));
    Step::plan(&world, first).run().exits(0);
    world.approve(first);
    Step::apply(&world, &world.merge(first)).run().exits(0);
    let sneaky = world.pull_request("Config", |files| files.write("config/mail.json", "{\"to\": \"evil\"}\n"));
    let unplanned = world.merge(sneaky);
    let why = format!("#{sneaky} changed config/mail.json, which reaches this root module");
    world.approve(sneaky);
    Step::apply(&world, &unplanned).refused(12).says(&why);
    world.github.dismiss(sneaky, "hubot");
    let (queue, push) = on_top(&world);
    let told = [&format!("#{sneaky} is merged and not applied yet") as &str, &format!("#{sneaky} has 0 of 1 approval")];
    Step::apply(&world, &push).refused_and_told(&[sneaky, queue], 11, &told);
    world.approve(sneaky);
    Step::apply(&world, &push).run().exits(0);
}

/// Only the shell knows which file a provisioner's command runs.
#[test]
fn when_it_changed_a_script_that_a_provisioner_finds_by_the_shell() {
    let script = "environments/scripts.d/run.sh";
    for (command, cmd) in [
        ("sh $GITHUB_WORKSPACE/environments/scripts.d/run.sh", ""),
        ("sh $(dirname $PWD)/scripts.d/run.sh", ""),
        ("${local.cmd}", "locals {\n  cmd = \"D=$${PWD%/*}; cd $D && sh scripts.d/run.sh\"\n}\n"),
    ] {
        let world = World::applied();
        world.main.write(script, "echo good\n");
        let first = another(&world, "first");
        world.approve(first);
        Step::apply(&world, &world.merge(first)).run().exits(0);
        let sneaky = world.pull_request("Sneaky", |files| files.write(script, "echo evil\n"));
        let mark = world.scratch().join("mark");
        let command = format!("({command}) >> {}", mark.display());
        let text = format!(
            "resource \"terraform_data\" \"runs\" {{\n  provisioner \"local-exec\" {{\n    command = \"{command}\"\n  }}\n}}\n"
        );
        let number = world.pull_request("It runs", |files| {
            files.write(&format!("{PROD}/runs.tf"), &text);
            files.write(&format!("{PROD}/locals.tf"), cmd);
        });
        Step::plan(&world, number).run().exits(0);
        world.approve(number);
        world.merge(sneaky);
        let push = world.merge(number);
        Step::apply(&world, &push).refused(11).says(&format!("#{sneaky} has 0 of 1 approval"));
        assert!(!mark.exists(), "{command}");
        world.approve(sneaky);
        Step::apply(&world, &push).run().exits(0);
        assert_eq!(std::fs::read_to_string(&mark).unwrap(), "evil\n", "{command}");
    }
}

/// Its reviewers are shown the other's changes as its own.
#[test]
fn the_plan_of_a_pull_request_names_what_is_merged_and_not_applied() {
    let (world, web) = with_a_refused_one();
    world.bucket.delete(&world.record_key(web));
    let queue = another(&world, "queue");
    let told = world.github.comment(queue).replace('`', "");
    let link = format!("[#{web}](https://github.com/acme/infra/pull/{web})");
    assert!(told.contains(&format!("{link} is merged and not applied yet")), "{told}");
    assert!(told.contains("It has 0 of 1 approval"), "{told}");
    world.approve(web);
    Step::plan(&world, queue).run().exits(0).says("It has 1 of 1 approval");
    world.approve(queue);
    Step::apply(&world, &world.merge(queue)).run().exits(0);
    let next = another(&world, "next");
    assert!(!world.github.comment(next).contains("not applied yet"), "{}", world.github.comment(next));
}
