//! After an apply two things go wrong at once: the worse one is told, and nothing that was done is
//! told as undone.

use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering;

use crate::harness::files::PROD_LOCK;
use crate::harness::runner::Step;
use crate::harness::world::World;
use crate::rescue::refusing;

/// From here on no footprint can be written.
fn lose_footprints(temp: &Path) {
    let directory = temp.join("stategate");
    fs::rename(&directory, directory.with_extension("gone")).unwrap();
    fs::write(directory, "").unwrap();
}

#[test]
fn an_apply_that_is_done_stays_done_when_its_footprint_cannot_be_written() {
    let world = World::applied();
    let (number, push, sign) = world.slow_change();
    let temp = world.place("temp");
    let step = Step::apply(&world, &push).env("RUNNER_TEMP", &temp.display().to_string()).without_cleanup().start();
    step.wait_for_apply();
    lose_footprints(&temp);
    sign.go_on();
    let outcome = step.finish().exits(0).says("failed to write").says("the lock is released");
    assert_eq!(outcome.output("result"), "applied");
    let comment = world.github.comment(number);
    assert!(comment.contains(": applied"), "{comment}");
    assert!(world.bucket.locks().is_empty(), "{}", outcome.log);
}

#[test]
fn where_the_state_is_is_told_though_the_footprint_cannot_be_written() {
    let (world, refuse, _proxy) = refusing();
    let (number, push, sign) = world.slow_change();
    let temp = world.place("temp");
    let step = Step::apply(&world, &push).env("RUNNER_TEMP", &temp.display().to_string()).start();
    step.wait_for_apply();
    lose_footprints(&temp);
    refuse.store(true, Ordering::SeqCst);
    sign.go_on();
    let outcome = step.finish().exits(14);
    refuse.store(false, Ordering::SeqCst);
    for text in [&outcome.log, &world.github.comment(number)] {
        assert!(text.contains("it is safe in ") && text.contains("state push"), "{text}");
    }
    assert_eq!(world.bucket.locks(), [PROD_LOCK], "{outcome:?}");
}

#[test]
fn a_state_that_is_not_uploaded_by_a_run_that_lost_its_lock_is_told_without_a_lock() {
    let (world, refuse, _proxy) = refusing();
    let (number, push, sign) = world.slow_change();
    let step = Step::apply(&world, &push).start();
    step.wait_for_apply();
    refuse.store(true, Ordering::SeqCst);
    world.bucket.delete(PROD_LOCK);
    sign.go_on();
    let outcome = step.finish().exits(14);
    refuse.store(false, Ordering::SeqCst);
    let comment = world.github.comment(number);
    for text in [&outcome.log, &comment] {
        assert!(text.contains("it is safe in ") && text.contains("state push"), "{text}");
        assert!(text.contains("The lock was taken from us"), "{text}");
        assert!(!text.contains("The lock stays") && !text.contains("lock is kept"), "{text}");
    }
    assert!(comment.contains("The lock was taken from this run"), "{comment}");
    assert!(world.bucket.locks().is_empty(), "{outcome:?}");
}
