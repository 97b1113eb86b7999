//! Waiting for a lock: for whom, since when, told again and again; and never for a freeze.

use std::time::Duration;

use crate::harness::files::{PROD, PROD_LOCK};
use crate::harness::process::wait_for;
use crate::harness::runner::Step;
use crate::harness::world::World;

fn lock_of(world: &World, who: &str) {
    let body = format!(
        r#"{{"ID":"lock-of-{who}","Operation":"OperationTypeApply","Info":"","Who":"{who}@desk","Version":"1.11.4","Created":"2026-11-21T01:33:06.21750747Z","Path":"{}"}}"#,
        world.bucket.name
    );
    world.bucket.put(PROD_LOCK, body);
}

/// How much of the time to wait was left at each line that says for whom we wait, in seconds.
fn left(log: &str, who: &str) -> Vec<i64> {
    let lines = log.lines().filter(|line| line.contains("waiting for the lock") && line.contains(who));
    let left = |line: &str| {
        let (_, left) = line.split_once("waiting for the lock, ")?;
        let left: jiff::SignedDuration = left.split_once(" left")?.0.parse().ok()?;
        Some(left.as_secs())
    };
    lines.map(|line| left(line).unwrap_or_else(|| panic!("how long is left? {line}"))).collect()
}

#[test]
fn waiting_is_told_every_half_minute_and_when_the_holder_changes() {
    let world = World::applied();
    let number = world.new_image();
    lock_of(&world, "monalisa");
    let mut step = Step::plan(&world, number).with("lock-timeout", "20m").start();
    step.wait_for_log("monalisa@desk");
    let comment = wait_for("the comment that we wait", Duration::from_mins(1), || {
        world.github.comments(number).first().map(|comment| comment.body.clone())
    });
    for text in ["waiting for the lock", "monalisa@desk", "Since ", "lock-of-monalisa"] {
        assert!(comment.contains(text), "{text:?} is not told:\n{comment}");
    }
    wait_for("another line for the same holder", Duration::from_mins(2), || {
        (left(&step.log(), "monalisa").len() > 1).then_some(())
    });
    let times = left(&step.log(), "monalisa");
    assert!(times[0] - times[1] <= 31, "{times:?}");
    lock_of(&world, "hubot");
    step.wait_for_log("hubot@desk");
    wait_for("the comment to name the new holder", Duration::from_mins(1), || {
        world.github.comment(number).contains("hubot@desk").then_some(())
    });
    world.bucket.delete(PROD_LOCK);
    step.finish().exits(0);
    assert!(world.bucket.locks().is_empty());
}

/// Met by a plan and by an apply, a freeze is told at once, whatever they may wait.
#[test]
fn a_freeze_is_told_at_once_as_a_freeze() {
    let world = World::applied();
    let (planned, waiting) =
        (world.new_image(), world.pull_request("Dev", |files| files.append(&format!("{PROD}/main.tf"), "")));
    Step::plan(&world, planned).run().exits(0);
    world.approve(planned);
    let push = world.merge(planned);
    world.laptop().stategate(&["lock", "--reason", "moving to another account"]).succeeded();
    for (number, step) in [(waiting, Step::plan(&world, waiting)), (planned, Step::apply(&world, &push))] {
        let outcome = step.with("lock-timeout", "1h").run().exits(10);
        assert!(!outcome.log.contains("waiting for the lock"), "{}", outcome.log);
        assert_eq!(outcome.output("lock-holder").split('@').next(), Some("colleague"));
        let comment = world.github.comment(number);
        for told in [&outcome.log, &comment, &outcome.summary] {
            for text in [
                "frozen for maintenance",
                "colleague@",
                "moving to another account",
                "workflow that runs `unlock` with lock-id",
            ] {
                assert!(told.contains(text), "{text:?} is not told:\n{told}");
            }
            assert!(told.to_lowercase().contains("since ") && !told.contains("cannot be told"), "{told}");
        }
        assert_eq!(outcome.cleanup.map(|(code, _)| code), Some(Some(0)));
    }
    assert_eq!(world.bucket.locks(), [PROD_LOCK]);
}

#[test]
fn a_freeze_that_comes_while_we_wait_ends_the_waiting() {
    let world = World::applied();
    let number = world.new_image();
    lock_of(&world, "monalisa");
    let mut step = Step::plan(&world, number).with("lock-timeout", "1h").start();
    step.wait_for_log("monalisa@desk");
    world
        .bucket
        .put(PROD_LOCK, r#"{"ID":"a-freeze","Operation":"freeze","Info":"freeze: a long night","Who":"hubot@desk"}"#);
    step.finish().exits(10).says("frozen for maintenance by hubot@desk").says("a long night");
    assert_eq!(world.bucket.json(PROD_LOCK).unwrap()["ID"], "a-freeze");
}

#[test]
fn a_freeze_outlives_the_run_that_made_it() {
    let world = World::applied();
    let freeze = Step::new(&world, "lock", world.github.dispatch_event("hubot")).with("reason", "a long night");
    let freeze = freeze.run().exits(0);
    world.github.finish_run_before(freeze.run, "success", 60);
    let number = world.new_image();
    Step::plan(&world, number).with("break-stale-lock", "true").run().exits(10).says("a long night");
    assert_eq!(world.bucket.locks(), [PROD_LOCK]);
    let status = Step::new(&world, "status", world.github.dispatch_event("hubot")).run().exits(0);
    assert!(status.log.contains("frozen") && !status.log.contains("unknown"), "{}", status.log);
    let id = freeze.output("lock-id");
    Step::unlock(&world, "hubot").with("lock-id", id).with("reason", "morning").run().exits(0);
    Step::plan(&world, number).run().exits(0);
}

/// A comment that cannot be written does not fill the log while we wait: it is told when that
/// begins, and when it is over.
#[test]
fn a_github_that_takes_no_comment_is_told_once() {
    let world = World::applied();
    let number = world.new_image();
    lock_of(&world, "monalisa");
    world.github.fail_next(usize::MAX, "GET", "/comments", 404);
    let mut step = Step::plan(&world, number).with("lock-timeout", "20m").start();
    for who in ["monalisa", "hubot", "octocat"] {
        lock_of(&world, who);
        step.wait_for_log(&format!("held by {who}@desk"));
    }
    let told = |log: &str, words: &str| log.matches(words).count();
    assert_eq!(told(&step.log(), "could not be edited"), 1, "{}", step.log());
    world.github.state().faults.clear();
    lock_of(&world, "hubot");
    step.wait_for_log("could be edited again");
    world.bucket.delete(PROD_LOCK);
    let outcome = step.finish().exits(0);
    assert_eq!(told(&outcome.log, "could be edited again"), 1, "{}", outcome.log);
    assert!(!outcome.log.contains("GitHub: "), "{}", outcome.log);
}
