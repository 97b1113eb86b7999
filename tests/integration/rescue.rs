//! A state that cannot be uploaded after an apply: rescued to the bucket, the lock kept, the pull
//! request told how to push it back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::Signal;

use crate::harness::fault_proxy::{Fault, FaultProxy, Seen};
use crate::harness::files::{PROD, PROD_KEY, PROD_LOCK};
use crate::harness::laptop::stand_in;
use crate::harness::ministack::Ministack;
use crate::harness::process::wait_for;
use crate::harness::runner::{Outcome, Step};
use crate::harness::world::World;

#[test]
fn a_state_that_cannot_be_uploaded_is_rescued_and_the_lock_stays() {
    check_rescue(World::new_image, "web:1.1");
}

#[test]
fn a_state_that_terraform_can_only_print_is_rescued_and_told_to_nobody() {
    let outcome = check_rescue(
        |world| {
            world.pull_request("No room for a file", |files| {
                files.write(&format!("{PROD}/more.tf"), NO_ROOM);
            })
        },
        "a-value-of-the-state",
    );
    assert!(outcome.log.contains("Failed to persist state to backend"), "{}", outcome.log);
    assert!(!outcome.log.contains("\"lineage\"") && !outcome.summary.contains("\"lineage\""), "{}", outcome.log);
}

/// A resource whose creation leaves no room for the file that Terraform writes a state to: what
/// stands behind the link can be no file, for main.tf is no directory.
const NO_ROOM: &str = "resource \"terraform_data\" \"x\" {
  input = \"a-value-of-the-state\"
  provisioner \"local-exec\" {
    command = \"ln -s main.tf/x errored.tfstate\"
  }
}
";

#[test]
fn the_clean_up_step_rescues_the_state_of_a_terraform_that_outlived_its_step() {
    check_rescue_of_killed("");
}

#[test]
fn the_clean_up_step_rescues_a_state_that_could_only_be_printed() {
    check_rescue_of_killed(NO_ROOM);
}

/// Kills a step in the middle of its apply, whose state the bucket then refuses.
#[track_caller]
fn check_rescue_of_killed(more: &str) {
    let (world, refuse, _) = refusing();
    world.main.write(&format!("{PROD}/more.tf"), more);
    let (number, push, sign) = world.slow_change();
    let step = Step::apply(&world, &push).start();
    step.wait_for_apply();
    refuse.store(true, Ordering::SeqCst);
    step.signal(Signal::KILL);
    let outcome = step.finish_after(&sign);
    refuse.store(false, Ordering::SeqCst);
    let state = check_told_by_the_clean_up_step(&world, number, outcome);
    assert!(state.contains("\"slow\""), "what the orphan did is in the rescued state");
}

#[test]
fn a_step_that_is_killed_after_it_rescued_a_printed_state_leaves_its_lock() {
    let (world, refuse, _) = refusing();
    let number = world.pull_request("No room for a file", |files| files.write(&format!("{PROD}/more.tf"), NO_ROOM));
    Step::plan(&world, number).run().exits(0);
    world.approve(number);
    let push = world.merge(number);
    refuse.store(true, Ordering::SeqCst);
    // Whoever asks what is secret in the new state is killed.
    let script = "case \"$*\" in\n\"show -json \"*.tfplan) ;;\n\"show -json\"*) kill -KILL $PPID; exit 1 ;;\nesac\nexec \"$TERRAFORM\" \"$@\"\n";
    let program = stand_in(&world.place("bin"), script);
    let outcome = Step::apply(&world, &push).with("terraform-bin", &program.display().to_string()).run();
    refuse.store(false, Ordering::SeqCst);
    assert_eq!(outcome.code, None, "{}", outcome.log);
    let state = check_told_by_the_clean_up_step(&world, number, outcome);
    assert!(state.contains("a-value-of-the-state"), "what the apply did is in the rescued state");
}

#[test]
fn a_step_that_is_killed_while_it_rescues_a_printed_state_is_continued_by_the_clean_up_step() {
    let (upload, met) = (AtomicBool::new(true), Arc::new(AtomicBool::new(false)));
    let is_met = Arc::clone(&met);
    let (world, refuse, _) = refusing_and(move |seen| {
        let is_first = seen.path.contains("/rescued/") && upload.swap(false, Ordering::SeqCst);
        is_met.fetch_or(is_first, Ordering::SeqCst);
        // It never arrives, and nobody learns of it.
        if is_first { Fault::Late(Duration::from_hours(1)) } else { Fault::None }
    });
    let number = world.pull_request("No room for a file", |files| files.write(&format!("{PROD}/more.tf"), NO_ROOM));
    Step::plan(&world, number).run().exits(0);
    world.approve(number);
    let push = world.merge(number);
    refuse.store(true, Ordering::SeqCst);
    let step = Step::apply(&world, &push).start();
    wait_for("the upload", Duration::from_mins(2), || met.load(Ordering::SeqCst).then_some(()));
    step.signal(Signal::KILL);
    let outcome = step.finish();
    refuse.store(false, Ordering::SeqCst);
    assert_eq!(outcome.code, None, "{}", outcome.log);
    let state = check_told_by_the_clean_up_step(&world, number, outcome);
    assert!(state.contains("a-value-of-the-state"), "what the apply did is in the rescued state");
}

#[test]
fn a_state_that_could_not_be_rescued_at_first_is_rescued_by_the_clean_up_step() {
    check_second_try("");
}

#[test]
fn so_is_one_that_could_only_be_printed() {
    check_second_try(NO_ROOM);
}

/// The bucket refuses the state, and its rescue at first.
#[track_caller]
fn check_second_try(more: &str) {
    let upload = AtomicBool::new(true);
    let (world, refuse, _) = refusing_and(move |seen| {
        let is_first = seen.path.contains("/rescued/") && upload.swap(false, Ordering::SeqCst);
        if is_first { Fault::Status(403, "AccessDenied") } else { Fault::None }
    });
    let number = world.pull_request("More", |files| {
        let late = "resource \"terraform_data\" \"late\" {\n  input = \"a-value-of-the-state\"\n}\n";
        files.write(&format!("{PROD}/late.tf"), late);
        files.write(&format!("{PROD}/more.tf"), more);
    });
    Step::plan(&world, number).run().exits(0);
    world.approve(number);
    let push = world.merge(number);
    refuse.store(true, Ordering::SeqCst);
    let outcome = Step::apply(&world, &push).run().exits(14).says("it stands only in");
    refuse.store(false, Ordering::SeqCst);
    let (code, log) = outcome.cleanup.expect("the clean-up step ran");
    assert_eq!(code, Some(14), "{log}");
    let state = String::from_utf8(world.bucket.get(&rescued(&world)).unwrap()).unwrap();
    serde_json::from_str::<serde_json::Value>(&state).expect("the state is whole");
    assert!(state.contains("a-value-of-the-state"), "{state}");
    assert_eq!(world.bucket.locks(), [PROD_LOCK], "{log}");
    let comment = world.github.comment(number);
    for text in [&log, &comment] {
        assert!(text.contains("it is safe in") && text.contains("state push"), "{text}");
        assert!(!text.contains("\"lineage\""), "the state is shown:\n{text}");
    }
}

/// The clean-up step tells where the state is, and the lock stays. The rescued state.
#[track_caller]
fn check_told_by_the_clean_up_step(world: &World, number: u64, outcome: Outcome) -> String {
    let (code, log) = outcome.cleanup.expect("the clean-up step ran");
    assert_eq!(code, Some(14), "{log}");
    let state = String::from_utf8(world.bucket.get(&rescued(world)).unwrap()).unwrap();
    serde_json::from_str::<serde_json::Value>(&state).expect("the state is whole");
    assert_eq!(world.bucket.locks(), [PROD_LOCK], "nobody may plan until it is pushed back:\n{log}");
    let id = world.bucket.json(PROD_LOCK).unwrap()["ID"].as_str().unwrap().to_owned();
    let comment = world.github.comment(number);
    for told in [rescued(world).as_str(), "state push", "unlock", "was killed", &id] {
        assert!(comment.contains(told), "{told:?} is not told:\n{comment}");
    }
    for told in [&log, &outcome.log, &outcome.summary, &comment] {
        assert!(!told.contains("\"lineage\""), "the state is shown:\n{told}");
    }
    state
}

/// A world whose bucket refuses the state from when it is told to.
pub(crate) fn refusing() -> (World, Arc<AtomicBool>, FaultProxy) {
    refusing_and(|_| Fault::None)
}

/// The same, and what becomes of the other requests.
fn refusing_and(other: impl Fn(&Seen) -> Fault + Send + Sync + 'static) -> (World, Arc<AtomicBool>, FaultProxy) {
    let refuse = Arc::new(AtomicBool::new(false));
    let refused = Arc::clone(&refuse);
    let mut bucket = Ministack::shared().bucket();
    let proxy = FaultProxy::start(&bucket.endpoint, move |seen| {
        let is_state = seen.method == "PUT" && seen.path.split('?').next().is_some_and(|path| path.ends_with(PROD_KEY));
        if is_state && refused.load(Ordering::SeqCst) { Fault::Status(403, "AccessDenied") } else { other(seen) }
    });
    bucket.endpoint.clone_from(&proxy.endpoint);
    let world = World::with_bucket(bucket);
    world.laptop().apply().succeeded();
    (world, refuse, proxy)
}

fn rescued(world: &World) -> String {
    let prefix = format!("stategate/{PROD_KEY}/rescued/");
    world
        .bucket
        .keys()
        .into_iter()
        .find(|key| key.starts_with(&prefix) && !key.contains(".kept"))
        .expect("a rescued state")
}

/// Applies a change whose state the bucket refuses: a state with `text` in it is rescued.
fn check_rescue(change: impl FnOnce(&World) -> u64, text: &str) -> Outcome {
    let (world, refuse, proxy) = refusing();
    let number = change(&world);
    Step::plan(&world, number).run().exits(0);
    world.approve(number);
    let push = world.merge(number);
    let before = world.bucket.get(PROD_KEY);

    refuse.store(true, Ordering::SeqCst);
    let outcome = Step::apply(&world, &push).run().exits(14);
    refuse.store(false, Ordering::SeqCst);

    assert_eq!(world.bucket.get(PROD_KEY), before, "the old state stands as it was");
    let rescued = rescued(&world);
    let state = String::from_utf8(world.bucket.get(&rescued).unwrap()).unwrap();
    assert!(state.contains(text), "what the apply did is in the rescued state");
    assert_eq!(
        world.bucket.locks(),
        [PROD_LOCK],
        "nobody may plan until it is pushed back; the clean-up step too leaves it"
    );
    let comment = world.github.comment(number);
    for told in [rescued.as_str(), "state push", "unlock"] {
        assert!(comment.contains(told), "{told:?} is not told:\n{comment}");
    }
    assert_eq!(outcome.output("result"), "failed");
    let seen = proxy.seen();
    let upload = seen.iter().find(|seen| seen.method == "PUT" && seen.path.contains("/rescued/")).unwrap();
    assert_eq!(upload.header("x-amz-server-side-encryption"), Some("AES256"), "encrypted as the state is");

    // Its run is over, and its lock is no forgotten one.
    world.github.finish_run_before(outcome.run, "failure", 7);
    let later = world.pull_request("Later", |files| {
        files.write(&format!("{PROD}/later.tf"), "resource \"terraform_data\" \"later\" {}\n");
    });
    let breaking = Step::plan(&world, later).with("break-stale-lock", "true").with("lock-timeout", "0s");
    breaking.run().exits(10).says("left its lock on purpose").says("First do what that run says");
    assert_eq!(world.bucket.locks(), [PROD_LOCK]);

    // What the comment says to do works.
    let laptop = world.laptop();
    laptop.files.write(&format!("{PROD}/rescued.tfstate"), &state);
    laptop.initialised(&["state", "push", "-lock=false", "rescued.tfstate"]).succeeded();
    let unlock = Step::unlock(&world, "hubot").with("lock-id", outcome.output("lock-id"));
    unlock.with("reason", "the state is pushed back").run().exits(0);
    let plan = laptop.plan().succeeded();
    assert!(plan.stdout.contains("No changes."), "{}", plan.text());
    outcome
}

#[test]
fn a_committed_errored_state_is_pushed_nowhere() {
    let world = World::applied();
    world.with_git();
    let number = world.pull_request("A state", |files| {
        files.replace(&format!("{PROD}/main.tf"), "web:1.0", "web:1.1");
        files.write(&format!("{PROD}/errored.tfstate"), "{\"version\": 4}");
    });
    Step::plan(&world, number).run().exits(0);
    world.approve(number);
    let refused =
        Step::apply(&world, &world.merge(number)).refused(14).says("It is part of the commit: delete it there");
    assert!(!refused.log.contains("state push"), "{}", refused.log);
}
