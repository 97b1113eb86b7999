//! An AWS session that ends in the middle of an apply: no state is lost, and one whose end is near is
//! reported before the apply starts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::{SignedDuration, Timestamp};

use crate::harness::fault_proxy::{Fault, FaultProxy};
use crate::harness::files::{PROD_KEY, PROD_LOCK};
use crate::harness::ministack::Ministack;
use crate::harness::runner::{Outcome, Step};
use crate::harness::workflow::Workflow;
use crate::harness::world::World;

/// The access key of the session that ends.
const OLD: &str = "ASIAOLDSESSION";

/// A world whose S3 no longer takes the old session once it is `ended`.
fn world() -> (World, Arc<AtomicBool>) {
    let ended = Arc::new(AtomicBool::new(false));
    let mut bucket = Ministack::shared().bucket();
    let is_ended = Arc::clone(&ended);
    let proxy = FaultProxy::start(&bucket.endpoint, move |seen| {
        let is_old = seen.header("authorization").is_some_and(|header| header.contains(OLD));
        if is_old && is_ended.load(Ordering::SeqCst) { Fault::Status(400, "ExpiredToken") } else { Fault::None }
    });
    bucket.endpoint.clone_from(&proxy.endpoint);
    let world = World::with_bucket(bucket);
    world.laptop().apply().succeeded();
    (world, ended)
}

/// The printed apply, whose session ends while Terraform makes the resource.
fn ends_in_mid_apply(page: &str, name: &str) -> (World, u64, Outcome) {
    let (world, ended) = world();
    let (number, push, sign) = world.slow_change();
    let mut steps = Workflow::printed(page, name).steps(&world, &world.github.push_event(&push));
    let step = steps.pop().expect("it uses the action").env("AWS_ACCESS_KEY_ID", OLD).start();
    step.wait_for_apply();
    ended.store(true, Ordering::SeqCst);
    sign.go_on();
    let outcome = step.finish().exits(14);
    (world, number, outcome)
}

#[test]
fn the_printed_apply_rescues_the_state_with_a_new_session() {
    let (world, number, outcome) = ends_in_mid_apply("README.md", "apply");
    // Upload, rescue and clean-up are refused alike, and what they say leads to the step that is not.
    for text in [&outcome.log, &outcome.summary] {
        assert!(text.contains("command: release") && text.contains("if: failure()"), "{text}");
    }
    let (code, log) = outcome.cleanup.as_ref().expect("the clean-up step ran");
    assert_eq!(*code, Some(0), "{log}");
    assert!(log.contains("on this machine alone") && log.contains("command: release"), "{log}");

    let [(code, log)] = outcome.later.as_slice() else { panic!("one later step: {:?}", outcome.later) };
    assert_eq!(*code, Some(14), "{log}");
    let rescued = format!("stategate/{PROD_KEY}/rescued/{}-1.tfstate", outcome.run);
    let state = String::from_utf8(world.bucket.get(&rescued).expect("the state is rescued")).unwrap();
    assert!(state.contains("\"slow\""), "what the apply made is in it");
    assert_eq!(world.bucket.locks(), [PROD_LOCK], "nobody may plan before it is pushed back");
    let id = world.bucket.json(PROD_LOCK).unwrap()["ID"].as_str().unwrap().to_owned();
    let comment = world.github.comment(number);
    for told in [rescued.as_str(), "state push", "unlock", &id] {
        assert!(log.contains(told) || told == id, "{told:?} is not told:\n{log}");
        assert!(comment.contains(told), "{told:?} is not told:\n{comment}");
    }
}

#[test]
fn the_printed_apply_of_a_matrix_does_so_too() {
    let (world, _, outcome) = ends_in_mid_apply("docs/workflows.md", "apply environments");
    let rescued = format!("stategate/{PROD_KEY}/rescued/{}-1.tfstate", outcome.run);
    assert!(world.bucket.get(&rescued).is_some(), "{:?}", outcome.later);
}

#[test]
fn a_later_step_has_nothing_to_do_after_an_ordinary_failure() {
    let world = World::applied();
    let number = world.new_image();
    Step::plan(&world, number).run().exits(0);
    let push = world.merge(number);
    let mut steps = Workflow::printed("README.md", "apply").steps(&world, &world.github.push_event(&push));
    let outcome = steps.pop().expect("it uses the action").run().exits(11);
    let [(code, log)] = outcome.later.as_slice() else { panic!("one later step: {:?}", outcome.later) };
    assert_eq!(*code, Some(0), "{log}");
    assert!(world.bucket.locks().is_empty());
}

/// The session ends between the state's upload and the release of the lock.
#[test]
fn a_lock_that_the_old_session_could_not_release_is_released_with_the_new_one() {
    let (world, ended) = world();
    let (_, push, sign) = world.slow_change();
    sign.go_on();
    let mut steps = Workflow::printed("README.md", "apply").steps(&world, &world.github.push_event(&push));
    let mut step = steps.pop().expect("it uses the action").env("AWS_ACCESS_KEY_ID", OLD).start();
    step.wait_for_log("Apply complete!");
    ended.store(true, Ordering::SeqCst);
    let outcome = step.finish();
    assert!(matches!(outcome.code, Some(13 | 20)), "{}", outcome.log);
    let first = "could not be released: ";
    let (_, told) = outcome.log.split_once(first).unwrap_or_else(|| panic!("not reported:\n{}", outcome.log));
    let now = told.find("When the job has ended and the lock is still there, start the workflow");
    let cause = told.find("So that it does not happen again").expect("the cause comes last");
    assert!(now.is_some_and(|now| now < cause), "{told}");
    let [(code, log)] = outcome.later.as_slice() else { panic!("one later step: {:?}", outcome.later) };
    assert_eq!(*code, Some(0), "{log}");
    assert!(log.contains("released the lock") && world.bucket.locks().is_empty(), "{log}");
}

#[test]
fn a_session_that_ends_soon_is_reported_before_the_apply() {
    let in_minutes = |minutes| (Timestamp::now() + SignedDuration::from_mins(minutes)).to_string();
    for (minutes, is_near) in [(9, true), (300, false)] {
        let (world, number) = World::planned();
        world.approve(number);
        let push = world.merge(number);
        let step = Step::apply(&world, &push).env("AWS_CREDENTIAL_EXPIRATION", &in_minutes(minutes));
        let outcome = step.run().exits(0);
        let warning = "The AWS session of these credentials ends at";
        assert_eq!(outcome.log.contains(warning), is_near, "{}", outcome.log);
        assert_eq!(world.github.comment(number).contains(warning), is_near, "{}", world.github.comment(number));
        if is_near {
            let (before, _) = outcome.log.split_once("terraform apply of the plan").expect("it applied");
            assert!(before.contains(warning), "{}", outcome.log);
        }
    }
}
