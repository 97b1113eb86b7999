//! The work is done and AWS refuses to let the lock go: the work is told as done, the lock as
//! left, with what to do about it.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::process::Signal;

use crate::harness::fault_proxy::{Fault, FaultProxy};
use crate::harness::files::{PROD, PROD_KEY, PROD_LOCK};
use crate::harness::ministack::Ministack;
use crate::harness::process::wait_for;
use crate::harness::runner::Step;
use crate::harness::world::World;

/// A world whose bucket refuses as many deletes of a lock as the number says; not the ones that
/// only ask whether a delete would be allowed.
fn world() -> (World, Arc<AtomicUsize>) {
    let left = Arc::new(AtomicUsize::new(0));
    let mut bucket = Ministack::shared().bucket();
    let refusals = Arc::clone(&left);
    let proxy = FaultProxy::start(&bucket.endpoint, move |seen| {
        let asks_only = seen.header("if-match").is_some_and(|tag| tag.contains("matches-nothing"));
        let is_release = seen.method == "DELETE" && seen.path.contains(".tflock") && !asks_only;
        let take = |left: usize| left.checked_sub(1);
        if is_release && refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_ok() {
            return Fault::Status(403, "AccessDenied");
        }
        Fault::None
    });
    bucket.endpoint.clone_from(&proxy.endpoint);
    let world = World::with_bucket(bucket);
    world.laptop().apply().succeeded();
    (world, left)
}

#[test]
fn an_apply_is_told_as_applied_and_the_clean_up_step_tries_once_more() {
    let (world, refusals) = world();
    let number = world.new_image();
    Step::plan(&world, number).run().exits(0);
    world.approve(number);
    let push = world.merge(number);
    refusals.store(1, Ordering::SeqCst);
    let step = Step::apply(&world, &push).leaving_its_lock();
    let outcome = step.run().exits(20).says("could not be released");
    assert_eq!(outcome.output("result"), "applied");
    assert!(String::from_utf8(world.bucket.get(PROD_KEY).unwrap()).unwrap().contains("web:1.1"));
    for told in [&world.github.comment(number), &outcome.summary] {
        for text in
            [": applied", "could not be released", "s3:DeleteObject", "workflow that runs `unlock` with lock-id"]
        {
            assert!(told.contains(text), "{text:?} is not told:\n{told}");
        }
    }
    let (code, log) = outcome.cleanup.expect("the clean-up step ran");
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("released the lock"), "{log}");
    assert!(world.bucket.locks().is_empty());
}

#[test]
fn a_lock_that_nobody_may_delete_stays_and_is_named() {
    let (world, refusals) = world();
    let number = world.new_image();
    Step::plan(&world, number).run().exits(0);
    world.approve(number);
    let push = world.merge(number);
    refusals.store(usize::MAX, Ordering::SeqCst);
    let outcome = Step::apply(&world, &push).run().exits(20);
    let (code, log) = outcome.cleanup.as_ref().expect("the clean-up step ran");
    assert_eq!(*code, Some(20), "{log}");
    let id = outcome.output("lock-id");
    assert!(log.contains(&format!("stategate unlock --lock-id {id}")), "the clean-up step does not name it:\n{log}");
    assert_eq!(world.bucket.locks(), [PROD_LOCK]);
    refusals.store(0, Ordering::SeqCst);
    world.github.finish_run_before(outcome.run, "failure", 7);
    Step::unlock(&world, "hubot").with("lock-id", id).with("reason", "the policy is mended").run().exits(0);
    assert!(world.bucket.locks().is_empty());
}

#[test]
fn a_plan_is_told_as_planned() {
    let (world, refusals) = world();
    let number = world.new_image();
    refusals.store(1, Ordering::SeqCst);
    let step = Step::plan(&world, number).leaving_its_lock();
    let outcome = step.run().exits(20).says("could not be released");
    assert_eq!((outcome.output("result"), outcome.output("change")), ("planned", "1"));
    let comment = world.github.comment(number);
    for text in ["module.web.terraform_data.service", "could not be released"] {
        assert!(comment.contains(text), "{text:?} is not told:\n{comment}");
    }
    assert!(world.bucket.locks().is_empty(), "the clean-up step let it go");
    // The plan is the reviewed one all the same.
    world.approve(number);
    let push = world.merge(number);
    Step::apply(&world, &push).run().exits(0);
}

#[test]
fn a_lock_whose_directory_was_tidied_away_is_named() {
    let world = World::applied();
    let (_, push, sign) = world.slow_change();
    let step = Step::apply(&world, &push).start();
    step.wait_for_apply();
    step.signal(Signal::KILL);
    sign.go_on();
    wait_for("Terraform to end", Duration::from_mins(1), || step.terraforms().is_empty().then_some(()));
    fs::remove_dir_all(step.workspace.join(PROD)).unwrap();
    let outcome = step.finish();
    let (code, log) = outcome.cleanup.as_ref().expect("the clean-up step ran");
    assert_eq!(*code, Some(10), "{log}");
    let id = world.bucket.json(PROD_LOCK).unwrap()["ID"].as_str().unwrap().to_owned();
    assert!(log.contains(&id) && log.contains("workflow that runs `unlock` with lock-id"), "{log}");
}
