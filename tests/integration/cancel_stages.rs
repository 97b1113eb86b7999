//! The runner's whole cancel sequence (SIGINT, 7.5 s, SIGTERM, 2.5 s, SIGKILL, to the entry process
//! alone) at each stage of a run, each made to last longer than the sequence. While the lock is
//! free, no Terraform of the run is at work; in the end the lock is free and the state is whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::Signal;

use crate::harness::fault_proxy::{Fault, FaultProxy, Seen};
use crate::harness::files::{PROD_KEY, PROD_LOCK};
use crate::harness::laptop::Sign;
use crate::harness::ministack::Ministack;
use crate::harness::process::wait_for;
use crate::harness::runner::{Outcome, Running, Step, terraforms};
use crate::harness::world::World;

/// Longer than the sequence.
const LONG: Duration = Duration::from_secs(13);
const PATIENCE: Duration = Duration::from_mins(2);

/// One slow request to S3: the first that matches once it is armed.
#[derive(Clone, Default)]
struct Slow {
    armed: Arc<AtomicBool>,
    met: Arc<AtomicBool>,
}

impl Slow {
    fn arm(&self) {
        self.armed.store(true, Ordering::SeqCst);
    }

    fn wait_until_met(&self) {
        wait_for("the slow request", PATIENCE, || self.met.load(Ordering::SeqCst).then_some(()));
    }
}

fn is_terraform(seen: &Seen) -> bool {
    seen.header("user-agent").is_some_and(|agent| agent.contains("Terraform"))
}

fn is_on(seen: &Seen, method: &str, key: &str) -> bool {
    seen.method == method && seen.path.split('?').next().is_some_and(|path| path.ends_with(key))
}

/// An applied world in which one request to S3 will be slow.
fn world(matches: impl Fn(&Seen) -> bool + Send + Sync + 'static) -> (World, Slow) {
    let slow = Slow::default();
    let mut bucket = Ministack::shared().bucket();
    let plan = slow.clone();
    let proxy = FaultProxy::start(&bucket.endpoint, move |seen| {
        if plan.armed.load(Ordering::SeqCst) && matches(seen) && plan.armed.swap(false, Ordering::SeqCst) {
            plan.met.store(true, Ordering::SeqCst);
            return Fault::Delay(LONG);
        }
        Fault::None
    });
    bucket.endpoint.clone_from(&proxy.endpoint);
    let world = World::with_bucket(bucket);
    world.laptop().apply().succeeded();
    (world, slow)
}

/// An apply whose resource is being made and goes on at the sign.
fn applying(world: &World) -> (u64, Running<'_>, Sign) {
    let (number, push, sign) = world.slow_change();
    let step = Step::apply(world, &push).start();
    step.wait_for_apply();
    (number, step, sign)
}

/// Cancels, and watches from then to the end of the clean-up step. `terraform`: one was at work.
#[track_caller]
fn cancel(world: &World, step: Running<'_>, terraform: bool) -> Outcome {
    let mark = step.tracking();
    let (began, over) = (AtomicBool::new(false), AtomicBool::new(false));
    let outcome = std::thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let mut seen = 0;
            while !over.load(Ordering::SeqCst) {
                let before = terraforms(&mark);
                let is_free = world.bucket.locks().is_empty();
                let orphans: Vec<_> = terraforms(&mark).intersection(&before).cloned().collect();
                assert!(!is_free || orphans.is_empty(), "the lock is free while Terraform works: {orphans:?}");
                seen += orphans.len();
                began.store(true, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(20));
            }
            seen
        });
        wait_for("the watch to begin", PATIENCE, || {
            (began.load(Ordering::SeqCst) || watching.is_finished()).then_some(())
        });
        let outcome = step.cancel();
        over.store(true, Ordering::SeqCst);
        let seen = watching.join().expect("the lock was never free too early");
        assert_eq!(seen > 0, terraform, "a Terraform at work was seen {seen} times");
        outcome
    });
    let (code, log) = outcome.cleanup.clone().expect("the clean-up step ran");
    assert_eq!(code, Some(0), "{log}");
    assert!(world.bucket.locks().is_empty(), "{}\n{log}", outcome.log);
    assert!(matches!(outcome.code, Some(130) | None), "{:?}:\n{}", outcome.code, outcome.log);
    assert_eq!(world.laptop().plan().code, Some(0), "the state is whole and free");
    outcome
}

#[test]
fn while_waiting_for_the_lock() {
    let world = World::applied();
    let number = world.new_image();
    world.bucket.put(PROD_LOCK, r#"{"ID":"theirs","Who":"colleague@desk"}"#);
    let mut step = Step::plan(&world, number).with("lock-timeout", "10m").start();
    step.wait_for_log("waiting for the lock");
    let outcome = step.cancel();
    assert_eq!((outcome.code, outcome.cleanup.map(|(code, _)| code)), (Some(130), Some(Some(0))));
    assert_eq!(world.bucket.json(PROD_LOCK).unwrap()["ID"], "theirs");
}

#[test]
fn in_init() {
    let (world, slow) = world(is_terraform);
    let number = world.new_image();
    slow.arm();
    let step = Step::plan(&world, number).start();
    slow.wait_until_met();
    cancel(&world, step, false);
}

#[test]
fn in_plan() {
    let is_locked = AtomicBool::new(false);
    let (world, slow) = world(move |seen| {
        is_locked.fetch_or(is_on(seen, "PUT", ".tflock"), Ordering::SeqCst);
        is_locked.load(Ordering::SeqCst) && is_terraform(seen) && is_on(seen, "GET", PROD_KEY)
    });
    let number = world.new_image();
    slow.arm();
    let step = Step::plan(&world, number).start();
    slow.wait_until_met();
    cancel(&world, step, true);
}

#[test]
fn in_apply() {
    let world = World::applied();
    let (_, step, _sign) = applying(&world);
    let outcome = cancel(&world, step, true);
    assert_eq!(outcome.log.matches("Interrupt received").count(), 1, "{}", outcome.log);
}

#[test]
fn in_a_slow_state_upload() {
    let (world, slow) = world(|seen| is_on(seen, "PUT", PROD_KEY));
    let (number, step, sign) = applying(&world);
    slow.arm();
    sign.go_on();
    slow.wait_until_met();
    let outcome = cancel(&world, step, true);
    assert_eq!(outcome.code, None, "nobody outlives the sequence");
    assert!(world.laptop().state().to_string().contains("\"slow\""), "the upload went through");
    assert!(world.github.comment(number).contains("was killed"), "{}", world.github.comment(number));
}

#[test]
fn further_signals_reach_no_terraform_that_writes_the_state() {
    let (world, slow) = world(|seen| is_on(seen, "PUT", PROD_KEY));
    let (_, step, _sign) = applying(&world);
    slow.arm();
    step.signal(Signal::TERM);
    slow.wait_until_met();
    for signal in [Signal::INT, Signal::INT, Signal::HUP, Signal::TERM] {
        step.signal(signal);
    }
    let outcome = step.finish().exits(130);
    assert_eq!(outcome.log.matches("Interrupt received").count(), 1, "{}", outcome.log);
    assert!(!outcome.log.contains("Two interrupts"), "{}", outcome.log);
    assert!(world.bucket.locks().is_empty());
    assert!(world.laptop().state().to_string().contains("\"slow\""), "what was begun is in the state");
}

#[test]
fn while_commenting_under_the_lock() {
    let world = World::applied();
    let (_, push, sign) = world.slow_change();
    sign.go_on();
    world.github.delay_next(1, "PATCH", "/issues/comments/", LONG);
    let mut step = Step::apply(&world, &push).start();
    step.wait_for_log("Plan: 1 to add");
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(world.bucket.locks(), [PROD_LOCK]);
    let outcome = cancel(&world, step, false);
    assert!(!outcome.log.contains("terraform apply of"), "{}", outcome.log);
    assert!(!world.laptop().state().to_string().contains("\"slow\""), "nothing was applied");
}

#[test]
fn while_commenting_at_the_end() {
    let world = World::applied();
    let (number, mut step, sign) = applying(&world);
    world.github.delay_next(1, "PATCH", "/issues/comments/", LONG);
    sign.go_on();
    step.wait_for_log("the lock is released");
    std::thread::sleep(Duration::from_secs(1));
    cancel(&world, step, false);
    let comment = world.github.comment(number);
    assert!(comment.contains(": applied") && !comment.contains(": cancelled"), "{comment}");
}

#[test]
fn while_releasing() {
    let (world, slow) = world(|seen| is_on(seen, "DELETE", ".tflock"));
    let (number, step, sign) = applying(&world);
    slow.arm();
    sign.go_on();
    slow.wait_until_met();
    let outcome = cancel(&world, step, false);
    assert!(world.laptop().state().to_string().contains("\"slow\""), "{}", outcome.log);
    let comment = world.github.comment(number);
    assert!(comment.contains(": applied"), "{comment}");
}
