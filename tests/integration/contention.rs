//! Our lock and Terraform's are the same lock: each keeps the other out, names the holder, and can
//! be removed by the other's own command.

use std::time::Duration;

use crate::harness::files::{DEV, PROD, PROD_KEY, PROD_LOCK, backend};
use crate::harness::process::wait_for;
use crate::harness::runner::Step;
use crate::harness::world::World;

const APPLIED: &str = "the apply begins";

/// The lock's ID as it stands in the bucket.
fn lock_id(world: &World, key: &str) -> String {
    let lock = world.bucket.json(key).unwrap_or_else(|| panic!("nothing holds {key}: {:?}", world.bucket.keys()));
    lock["ID"].as_str().expect("a lock has an ID").to_owned()
}

/// Who holds the production state, in Terraform's own words: a user and a host.
fn who(world: &World) -> String {
    world.bucket.json(PROD_LOCK).expect("the state is locked")["Who"].as_str().expect("a holder").to_owned()
}

#[test]
fn terraforms_lock_keeps_us_out_and_is_shown() {
    let world = World::applied();
    let number = world.new_image();
    let holding = world.laptop().hold_lock();
    let id = lock_id(&world, PROD_LOCK);
    let who = who(&world);
    let step = Step::plan(&world, number).with("lock-timeout", "0s").run().exits(10).says(&id).says(&who);
    assert_eq!(step.output("lock-holder"), who);
    let comment = world.github.comment(number);
    for told in [who.as_str(), &id, "workflow that runs `unlock`"] {
        assert!(comment.contains(told), "{told:?} is not told:\n{comment}");
    }
    assert_eq!(lock_id(&world, PROD_LOCK), id, "the colleague's lock was not touched");
    holding.finish();
    Step::plan(&world, number).with("lock-timeout", "0s").run().exits(0);
}

#[test]
fn we_wait_for_terraforms_lock_and_say_so() {
    let world = World::applied();
    let number = world.new_image();
    let holding = world.laptop().hold_lock();
    let step = Step::plan(&world, number).with("lock-timeout", "1m").start();
    let comment = wait_for("the comment that we wait", Duration::from_secs(20), || {
        world.github.comments(number).first().map(|comment| comment.body.clone())
    });
    assert!(comment.contains(&who(&world)) && comment.to_lowercase().contains("wait"), "{comment}");
    holding.finish();
    step.finish().exits(0);
    assert!(world.github.comment(number).contains("module.web.terraform_data.service"));
    assert!(world.bucket.locks().is_empty());
}

#[test]
fn our_lock_keeps_terraform_out_and_is_shown() {
    let world = World::applied();
    let (number, push, sign) = world.slow_change();
    let step = Step::apply(&world, &push).start();
    wait_for(APPLIED, Duration::from_mins(1), || step.log().contains("Provisioning with").then_some(()));
    let lock = world.bucket.json(PROD_LOCK).expect("our lock");

    let kept_out = world.laptop().plan();
    assert_eq!(kept_out.code, Some(1));
    let run = format!("https://github.com/acme/infra/actions/runs/{}/attempts/1", step.run);
    let pull = format!("acme/infra#{number}");
    for told in
        [lock["ID"].as_str().unwrap(), "octocat via GitHub Actions (acme/infra)", "OperationTypeApply", &pull, &run]
    {
        assert!(kept_out.stderr.contains(told), "{told:?} is not told:\n{}", kept_out.stderr);
    }
    assert_eq!(lock["Path"], format!("{}/{PROD_KEY}", world.bucket.name));

    let elsewhere = world.laptop().within(DEV).plan();
    assert_eq!(elsewhere.code, Some(0), "another state is free: {}", elsewhere.text());
    sign.go_on();
    step.finish().exits(0);
    assert!(world.bucket.locks().is_empty());
}

#[test]
fn a_second_pull_request_names_the_first() {
    let world = World::applied();
    let (first, push, sign) = world.slow_change();
    let second = world.new_image();
    let holder = Step::apply(&world, &push).start();
    wait_for(APPLIED, Duration::from_mins(1), || holder.log().contains("Provisioning with").then_some(()));
    let kept_out = Step::plan(&world, second).with("lock-timeout", "2s").run().exits(10);
    let comment = world.github.comment(second);
    for told in [format!("#{first}"), format!("/actions/runs/{}", holder.run), "octocat via GitHub Actions".to_owned()]
    {
        assert!(comment.contains(&told), "{told:?} is not told:\n{comment}");
    }
    assert!(kept_out.log.contains("alive"), "{}", kept_out.log);
    sign.go_on();
    holder.finish().exits(0);
}

#[test]
fn terraform_force_unlock_removes_ours_and_we_say_that_it_was_taken() {
    let world = World::applied();
    let (number, push, sign) = world.slow_change();
    let step = Step::apply(&world, &push).start();
    wait_for(APPLIED, Duration::from_mins(1), || step.log().contains("Provisioning with").then_some(()));
    let id = lock_id(&world, PROD_LOCK);
    world.laptop().initialised(&["force-unlock", "-force", &id]).succeeded();
    assert!(world.bucket.locks().is_empty());
    sign.go_on();
    step.finish().exits(13).says(&id);
    let comment = world.github.comment(number);
    // What to compare: the state before and after, by serial and version.
    for told in [id.as_str(), "The state was serial 1, version ", "and is serial 2, version "] {
        assert!(comment.contains(told), "{told:?} is not told:\n{comment}");
    }
}

#[test]
fn a_lock_that_is_taken_before_the_apply_is_noticed_before_anything_is_applied() {
    let (world, number) = World::planned();
    world.approve(number);
    let push = world.merge(number);
    let before = world.bucket.get(PROD_KEY);
    world.github.delay_next(1, "PATCH", "/issues/comments/", Duration::from_secs(8));
    let mut step = Step::apply(&world, &push).start();
    step.wait_for_log("Plan: 0 to add, 1 to change");
    let id = lock_id(&world, PROD_LOCK);
    world.bucket.put(PROD_LOCK, r#"{"ID":"theirs","Who":"colleague@desk"}"#);
    let outcome = step.finish().exits(13).says(&id).says("colleague@desk holds it now");
    assert!(!outcome.log.contains("terraform apply of"), "{}", outcome.log);
    assert_eq!(world.bucket.get(PROD_KEY), before);
    assert_eq!(lock_id(&world, PROD_LOCK), "theirs", "nobody else's lock is touched");
}

#[test]
fn our_unlock_removes_terraforms() {
    let world = World::applied();
    world.laptop().hold_lock().kill();
    let id = lock_id(&world, PROD_LOCK);
    Step::unlock(&world, "hubot").with("lock-id", &id).with("reason", "the laptop fell into the sea").run().exits(0);
    assert!(world.bucket.locks().is_empty());
    assert_eq!(world.laptop().plan().code, Some(0));
}

/// What we lock is what Terraform locks: a frozen state keeps Terraform out of exactly this key, and
/// the key that Terraform writes keeps us out.
#[track_caller]
fn check_lock_key(settings: &str, workspace: &str, key: &str) {
    let world = World::new();
    world.main.write(&format!("{PROD}/backend.tf"), &backend(&world.bucket, PROD_KEY, settings));
    let laptop = world.laptop();
    laptop.terraform(&["init", "-input=false"]).succeeded();
    if workspace != "default" {
        laptop.terraform(&["workspace", "new", workspace]).succeeded();
    }
    let laptop = laptop.env("TF_WORKSPACE", workspace);
    laptop.apply().succeeded();

    laptop.stategate(&["lock", "--reason", "maintenance"]).succeeded();
    assert_eq!(world.bucket.locks(), [key]);
    let ours = world.bucket.json(key).unwrap();
    let kept_out = laptop.plan();
    assert_eq!(kept_out.code, Some(1), "{}", kept_out.text());
    assert!(kept_out.stderr.contains(ours["ID"].as_str().unwrap()), "{}", kept_out.text());
    laptop.terraform(&["force-unlock", "-force", ours["ID"].as_str().unwrap()]).succeeded();
    assert!(world.bucket.locks().is_empty());

    let holding = laptop.hold_lock();
    assert_eq!(world.bucket.locks(), [key]);
    let theirs = world.bucket.json(key).unwrap();
    assert_eq!(ours["Path"], theirs["Path"]);
    let names = |lock: &serde_json::Value| lock.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&ours), names(&theirs));
    let status = laptop.stategate(&["status"]);
    assert!(status.stdout.contains(theirs["ID"].as_str().unwrap()), "{}", status.text());
    holding.finish();
}

#[test]
fn the_lock_key_in_the_default_workspace() {
    check_lock_key("", "default", PROD_LOCK);
}

#[test]
fn the_lock_key_in_a_named_workspace() {
    check_lock_key("", "blue", "env:/blue/prod/app/terraform.tfstate.tflock");
}

#[test]
fn the_lock_key_with_a_workspace_key_prefix() {
    let settings = "    workspace_key_prefix = \"team a/spaces\"";
    check_lock_key(settings, "blue", "team a/spaces/blue/prod/app/terraform.tfstate.tflock");
}
