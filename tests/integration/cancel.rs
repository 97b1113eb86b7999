//! Cancelling: the interrupt reaches Terraform once, we wait, release and exit 130; what a killed
//! step leaves, the clean-up step releases once Terraform is dead.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::harness::files::{PROD, PROD_LOCK};
use crate::harness::laptop::stand_in;
use crate::harness::process::wait_for;
use crate::harness::runner::Step;
use crate::harness::world::World;

#[test]
fn a_cancelled_apply_lets_terraform_end_and_releases() {
    let world = World::applied();
    let (number, push, _sign) = world.slow_change();
    let step = Step::apply(&world, &push).start();
    step.wait_for_apply();
    let outcome = step.cancel().exits(130);
    assert_eq!(outcome.output("result"), "cancelled");
    assert_eq!(outcome.log.matches("Interrupt received").count(), 1, "{}", outcome.log);
    assert!(!outcome.log.contains("Two interrupts received"), "{}", outcome.log);
    assert!(world.bucket.locks().is_empty());
    assert!(world.github.comment(number).to_lowercase().contains("cancelled"), "{}", world.github.comment(number));
    assert_eq!(world.laptop().terraform(&["version"]).code, Some(0));
}

#[test]
fn a_cancelled_wait_ends_at_once_and_leaves_the_holders_lock() {
    let world = World::applied();
    let number = world.new_image();
    let holding = world.laptop().hold_lock();
    let mut step = Step::plan(&world, number).with("lock-timeout", "5m").start();
    step.wait_for_log("waiting for the lock");
    let asked = Instant::now();
    step.cancel().exits(130);
    assert!(asked.elapsed() < Duration::from_secs(7), "it took {:?}", asked.elapsed());
    assert_eq!(world.bucket.locks(), [PROD_LOCK]);
    holding.finish();
}

#[test]
fn terminate_is_an_interrupt_too() {
    let world = World::applied();
    let (_, push, _sign) = world.slow_change();
    let step = Step::apply(&world, &push).start();
    step.wait_for_apply();
    step.signal(Signal::TERM);
    step.finish().exits(130);
    assert!(world.bucket.locks().is_empty());
}

/// Terraform takes no notice of an interrupt while it only reads.
#[test]
fn a_cancel_while_terraform_shows_the_plan_is_noticed() {
    let world = World::applied();
    let number = world.new_image();
    Step::plan(&world, number).run().exits(0);
    world.approve(number);
    let push = world.merge(number);
    for (words, step) in [
        ("\"show -json\"*", Step::plan(&world, number)),
        ("\"show -no-color\"*", Step::plan(&world, number)),
        ("\"show -json\"*", Step::apply(&world, &push)),
    ] {
        let begun = world.place("begun").join("show");
        let slow = format!("trap '' INT TERM; echo $$ >'{0}.new'; mv '{0}.new' '{0}'; sleep 307", begun.display());
        let script = format!("case \"$*\" in {words}) {slow} ;; esac\nexec \"$TERRAFORM\" \"$@\"\n");
        let program = stand_in(&world.place("bin"), &script);
        let step = step.with("terraform-bin", &program.display().to_string()).start();
        let pid = wait_for("the plan to be shown", Duration::from_mins(2), || fs::read_to_string(&begun).ok());
        step.signal(Signal::TERM);
        let outcome = step.finish().exits(130);
        assert_eq!(outcome.output("result"), "cancelled", "{words}");
        assert!(world.bucket.locks().is_empty(), "{words}: {}", outcome.log);
        let line = fs::read_to_string(format!("/proc/{}/cmdline", pid.trim())).unwrap_or_default();
        assert!(!line.contains("show"), "{words} goes on: {line}");
    }
    assert_eq!(world.image(), "web:1.0", "nothing was applied");
}

#[test]
fn a_killed_step_is_cleaned_up_only_after_terraform_is_dead() {
    check_killed(|step| step);
}

#[test]
fn so_it_is_on_a_runner_without_a_temporary_directory() {
    check_killed(|step| step.without_env("RUNNER_TEMP"));
}

#[track_caller]
fn check_killed(on: fn(Step<'_>) -> Step<'_>) {
    let world = World::applied();
    let (number, push, sign) = world.slow_change();
    let step = on(Step::apply(&world, &push)).start();
    step.wait_for_apply();
    step.signal(Signal::KILL);
    // Terraform lives on as an orphan: the clean-up step has to wait for it.
    let outcome = step.finish_after(&sign);
    assert_eq!(outcome.code, None);
    let (code, log) = outcome.cleanup.expect("the clean-up step ran");
    assert_eq!(code, Some(0), "{log}");
    assert!(world.bucket.locks().is_empty(), "{log}");
    let state = world.laptop().state();
    assert!(state.to_string().contains("\"slow\""), "the orphan's work is in the state");
    let comment = world.github.comment(number);
    for told in [
        "cancelled during the apply, a part may be done",
        "the state says what was done",
        "**Next:** Re-run the plan job",
    ] {
        assert!(comment.contains(told), "{told:?} is not told:\n{comment}");
    }
}

/// Whoever tidied up took away what names its Terraform; but somebody works in the directory.
#[test]
fn a_clean_up_step_that_finds_no_footprint_lets_no_lock_go_while_somebody_is_at_work() {
    let world = World::applied();
    let (_, push, sign) = world.slow_change();
    let temp = world.place("temp");
    let step = Step::apply(&world, &push).env("RUNNER_TEMP", &temp.display().to_string()).start();
    step.wait_for_apply();
    step.signal(Signal::KILL);
    fs::remove_dir_all(temp.join("stategate")).unwrap();
    let outcome = step.finish();
    let (code, log) = outcome.cleanup.as_ref().expect("the clean-up step ran");
    assert_eq!(*code, Some(10), "{log}");
    assert_eq!(world.bucket.locks(), [PROD_LOCK], "{log}");
    let id = world.bucket.json(PROD_LOCK).unwrap()["ID"].as_str().unwrap().to_owned();
    for told in
        [id.as_str(), "whether its Terraform is dead", "six minutes", "the workflow that runs `unlock` with lock-id"]
    {
        assert!(log.contains(told), "{told:?} is not told:\n{log}");
    }
    sign.go_on();
}

#[test]
fn a_clean_up_step_that_finds_no_footprint_releases_its_runs_lock_when_nobody_is_at_work() {
    let world = World::applied();
    let (_, push, sign) = world.slow_change();
    let temp = world.place("temp");
    let step = Step::apply(&world, &push).env("RUNNER_TEMP", &temp.display().to_string()).start();
    step.wait_for_apply();
    step.signal(Signal::KILL);
    sign.go_on();
    wait_for("Terraform's end", Duration::from_mins(1), || step.terraforms().is_empty().then_some(()));
    fs::remove_dir_all(temp.join("stategate")).unwrap();
    let outcome = step.finish();
    let (code, log) = outcome.cleanup.as_ref().expect("the clean-up step ran");
    assert_eq!(*code, Some(0), "{log}");
    assert!(log.contains("released the lock") && world.bucket.locks().is_empty(), "{log}");
}

#[test]
fn the_clean_up_step_leaves_another_holders_lock_alone() {
    let world = World::applied();
    let number = world.new_image();
    let holding = world.laptop().hold_lock();
    let outcome = Step::plan(&world, number).with("lock-timeout", "0s").run().exits(10);
    assert_eq!(outcome.cleanup.map(|(code, _)| code), Some(Some(0)));
    assert_eq!(world.bucket.locks(), [PROD_LOCK]);
    holding.finish();
}

#[test]
fn the_clean_up_step_is_quiet_when_nothing_was_locked() {
    let world = World::applied();
    let number = world.pull_request("Broken", |files| files.write(&format!("{PROD}/broken.tf"), "resource {"));
    let outcome = Step::plan(&world, number).run().exits(14);
    assert_eq!(outcome.cleanup.map(|(code, _)| code), Some(Some(0)));
}
