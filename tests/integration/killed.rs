//! A Terraform that a signal ends (the system kills it for want of memory, it crashes): told as that,
//! with what is known of the state and the lock.

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::files::PROD_LOCK;
use crate::harness::laptop::stand_in;
use crate::harness::runner::Step;
use crate::harness::world::World;

const MEMORY: &str = "was killed by signal 9 (SIGKILL), often because the machine has no memory left";

#[test]
fn a_killed_apply_keeps_its_lock_and_says_what_the_state_may_lack() {
    let world = World::applied();
    let (number, push, sign) = world.slow_change();
    let before = world.bucket.json("prod/app/terraform.tfstate").unwrap()["serial"].clone();
    let step = Step::apply(&world, &push).start();
    step.wait_for_apply();
    let terraform = step.terraforms().pop_first().expect("Terraform applies");
    let pid = terraform.rsplit('/').next().unwrap().parse().unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    let outcome = step.finish().exits(14);
    sign.go_on();
    assert_eq!(outcome.cleanup.as_ref().map(|(code, _)| *code), Some(Some(0)), "{outcome:?}");
    assert_eq!(world.bucket.locks(), [PROD_LOCK], "nobody may plan before it is looked at:\n{}", outcome.log);
    let id = world.bucket.json(PROD_LOCK).unwrap()["ID"].as_str().unwrap().to_owned();
    let comment = world.github.comment(number);
    let was = format!("The state was serial {before}");
    for told in [MEMORY, "may be in no state", "import", "unlock", &was, &id] {
        assert!(comment.contains(told), "{told:?} is not told:\n{comment}");
    }
    assert!(outcome.log.contains(MEMORY), "{}", outcome.log);
    assert_eq!(outcome.output("result"), "failed");

    // The way on is the one that is told.
    world.github.finish_run_before(outcome.run, "failure", 7);
    Step::unlock(&world, "hubot").with("lock-id", &id).with("reason", "nothing is missing").run().exits(0);
    assert!(world.laptop().plan().code.is_some() && world.bucket.locks().is_empty());
}

#[test]
fn a_signal_that_ends_what_only_reads_is_told_with_what_it_left() {
    let world = World::applied();
    let number = world.new_image();
    let told = |words: &str, signal: &str, name: &str| {
        let script = format!("case \"$*\" in {words}) kill -{signal} $$ ;; esac\nexec \"$TERRAFORM\" \"$@\"\n");
        let program = stand_in(&world.place("bin"), &script);
        let outcome = Step::plan(&world, number).with("terraform-bin", &program.display().to_string()).run().exits(14);
        assert!(world.bucket.locks().is_empty(), "{}", outcome.log);
        let comment = world.github.comment(number);
        for text in [&outcome.log, &comment] {
            for told in [name, "Nothing was changed", "the lock is released"] {
                assert!(text.contains(told), "{words}: {told:?} is not told:\n{text}");
            }
        }
    };
    told("init*", "KILL", &format!("init {MEMORY}"));
    told("plan*", "SEGV", "plan was killed by signal 11 (SIGSEGV)");
    told("show*-json*", "KILL", &format!("show {MEMORY}"));
    // A shell in between tells it as a code.
    let program = stand_in(&world.place("bin"), "[ \"$1\" != plan ] || exit 137\nexec \"$TERRAFORM\" \"$@\"\n");
    let step = Step::plan(&world, number).with("terraform-bin", &program.display().to_string());
    step.run().exits(14).says("exited with code 137, killed by signal 9 (SIGKILL)");
}
