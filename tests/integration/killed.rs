//! A Terraform that a signal ends (the system kills it for want of memory, it crashes): told as that,
//! with what is known of the state and the lock.

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::files::{PROD, PROD_LOCK};
use crate::harness::laptop::stand_in;
use crate::harness::runner::{Running, Step};
use crate::harness::world::World;

const MEMORY: &str = "was killed by signal 9 (SIGKILL), often because the machine has no memory left";

fn kill_terraform(step: &Running<'_>) {
    let terraform = step.terraforms().pop_first().expect("Terraform applies");
    let pid = terraform.rsplit('/').next().unwrap().parse().unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}

#[test]
fn a_killed_apply_keeps_its_lock_and_says_what_the_state_may_lack() {
    let world = World::applied();
    let (number, push, sign) = world.slow_change();
    let before = world.bucket.json("prod/app/terraform.tfstate").unwrap()["serial"].clone();
    let step = Step::apply(&world, &push).start();
    step.wait_for_apply();
    kill_terraform(&step);
    let outcome = step.finish().exits(14);
    sign.go_on();
    let (code, log) = outcome.cleanup.as_ref().expect("the clean-up step ran");
    assert_eq!(*code, Some(0), "{log}");
    assert!(log.contains("is left as it is") && !log.contains("released"), "{log}");
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

/// As the system does for want of memory: it takes one, and then the other.
#[test]
fn an_apply_that_is_killed_together_with_its_step_keeps_its_lock() {
    let world = World::applied();
    let (number, push, sign) = world.slow_change();
    let step = Step::apply(&world, &push).start();
    step.wait_for_apply();
    step.signal(Signal::KILL);
    kill_terraform(&step);
    let outcome = step.finish();
    sign.go_on();
    assert_eq!(outcome.code, None, "{}", outcome.log);
    let (code, log) = outcome.cleanup.as_ref().expect("the clean-up step ran");
    assert_eq!(*code, Some(14), "{log}");
    assert_eq!(world.bucket.locks(), [PROD_LOCK], "nobody may plan before it is looked at:\n{log}");
    let id = world.bucket.json(PROD_LOCK).unwrap()["ID"].as_str().unwrap().to_owned();
    for text in [log, &world.github.comment(number)] {
        for told in ["terraform apply was killed with its step", "may be in no state", "import", "unlock"] {
            assert!(text.contains(told), "{told:?} is not told:\n{text}");
        }
    }
    assert!(world.github.comment(number).contains(&id), "{}", world.github.comment(number));

    // Its run is over, and its lock is no forgotten one.
    world.github.finish_run_before(outcome.run, "failure", 7);
    let number = world.new_image();
    let breaking = Step::plan(&world, number).with("break-stale-lock", "true").with("lock-timeout", "0s");
    breaking.run().exits(10).says("left its lock on purpose").says("First do what that run says");
    assert_eq!(world.bucket.locks(), [PROD_LOCK]);
    let laptop = world.laptop();
    laptop.plan();
    let status = laptop.stategate(&["status"]).succeeded().stdout;
    assert!(status.contains("the lock stays on purpose") && status.contains("First do what that run"), "{status}");
}

/// Whoever is not content with the first interrupt: Terraform then waits for nothing, tells an error
/// and exits with 1, as if that were an end.
#[test]
fn an_apply_that_is_interrupted_twice_keeps_its_lock() {
    let world = World::applied();
    let number = world.new_image();
    Step::plan(&world, number).run().exits(0);
    world.approve(number);
    let push = world.merge(number);
    let script = "if [ \"$1\" = apply ]; then
echo '{\"@level\":\"info\",\"@message\":\"Terraform 1.11.4\",\"type\":\"version\"}'
echo '{\"@level\":\"info\",\"@message\":\"\\nTwo interrupts received. Exiting immediately. Note that data loss may have occurred.\\n\",\"type\":\"log\"}'
echo '{\"@level\":\"error\",\"@message\":\"Error: operation canceled\",\"diagnostic\":{\"severity\":\"error\",\"summary\":\"operation canceled\",\"detail\":\"\"},\"type\":\"diagnostic\"}'
exit 1
fi
exec \"$TERRAFORM\" \"$@\"
";
    let program = stand_in(&world.place("bin"), script);
    let outcome = Step::apply(&world, &push).with("terraform-bin", &program.display().to_string()).run().exits(14);
    assert_eq!(world.bucket.locks(), [PROD_LOCK], "{}", outcome.log);
    let (log, comment) = (&outcome.log, world.github.comment(number));
    for text in [log, &comment] {
        for told in ["got two interrupts and left at once", "may be in no state", "interrupt it once and wait"] {
            assert!(text.contains(told), "{told:?} is not told:\n{text}");
        }
        assert!(!text.contains("memory"), "that is not the cause:\n{text}");
    }
}

/// Scripts around Terraform whose exit code says nothing of it.
#[test]
fn a_wrapper_that_swallows_how_terraform_ended_makes_no_apply_succeed() {
    let fails =
        "resource \"terraform_data\" \"fails\" {\n  provisioner \"local-exec\" {\n    command = \"exit 3\"\n  }\n}\n";
    // Terraform itself runs the provisioner.
    let killed = fails.replace("exit 3", "kill -KILL $PPID");
    for (resource, script, is_locked) in [
        (fails, "\"$TERRAFORM\" \"$@\"; exit 0\n", false),
        (fails, "\"$TERRAFORM\" \"$@\" | cat\n", false),
        (killed.as_str(), "\"$TERRAFORM\" \"$@\" || exit 1\n", true),
        (&killed, "\"$TERRAFORM\" \"$@\"; exit 0\n", true),
    ] {
        let world = World::applied();
        let number = world.pull_request("It fails", |files| files.write(&format!("{PROD}/more.tf"), resource));
        let program = stand_in(&world.place("bin"), script).display().to_string();
        Step::plan(&world, number).with("terraform-bin", &program).run().exits(0);
        world.approve(number);
        let push = world.merge(number);
        let outcome = Step::apply(&world, &push).with("terraform-bin", &program).run().exits(14);
        assert_eq!(outcome.output("result"), "failed", "{script}: {}", outcome.log);
        assert_eq!(!world.bucket.locks().is_empty(), is_locked, "{script}: {}", outcome.log);
        assert!(!world.github.comment(number).contains(": applied"), "{}", world.github.comment(number));
    }
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
