//! What is started as Terraform may be a wrapper. One that dies while its Terraform goes on takes
//! no lock with it, and Terraform gets one interrupt whatever the wrapper does with it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::files::{PROD, PROD_LOCK};
use crate::harness::laptop::{Sign, terraform};
use crate::harness::process::wait_for;
use crate::harness::python::{ON_TERMINAL, python};
use crate::harness::runner::{Step, binary};
use crate::harness::world::World;

const DIES: &str = "#!/bin/sh\ntrap - INT\n\"$TERRAFORM\" \"$@\"\nexit $?\n";
const WAITS: &str = "#!/bin/bash\n\"$TERRAFORM\" \"$@\"\nexit $?\n";
const PASSES_ON: &str = "#!/bin/bash\ntrap 'kill -INT $child' INT\n\"$TERRAFORM\" \"$@\" &\nchild=$!\nwhile kill -0 $child 2>/dev/null; do wait $child; code=$?; done\nexit $code\n";
const LAYS_A_PIPE: &str = "#!/bin/bash\nset -o pipefail\n\"$TERRAFORM\" \"$@\" 2>&1 | cat\n";
/// coreutils' own, as people limit an apply. It signals its child, and then its whole group.
const TIMEOUT: &str = "#!/bin/bash\nexec timeout 45m \"$TERRAFORM\" \"$@\"\n";
const TIMEOUT_BEHIND_A_SHELL: &str = "#!/bin/bash\ntimeout 45m \"$TERRAFORM\" \"$@\"\nexit $?\n";
const TIMEOUT_IN_A_PIPE: &str = "#!/bin/bash\nset -o pipefail\ntimeout 45m \"$TERRAFORM\" \"$@\" | cat\n";
/// As a version manager's program does that is called `terraform` itself and passes signals on.
const TIMEOUT_CALLED_TERRAFORM: &str = "#!/bin/bash\ncp /usr/bin/timeout \"$0.d/terraform\" 2>/dev/null\nexec \"$0.d/terraform\" 45m \"$TERRAFORM\" \"$@\"\n";
const LEAVES_A_TUNNEL: &str = "#!/bin/sh\nsleep 301 >/dev/null 2>&1 &\nexec \"$TERRAFORM\" \"$@\"\n";
/// The tunnel holds what the wrapper has as standard output and error.
const LEAVES_A_TUNNEL_AND_ITS_OUTPUT: &str = "#!/bin/sh\nsleep 301 &\n\"$TERRAFORM\" \"$@\"\nexit $?\n";

/// A wrapper that notes its own pid beside itself before it goes on.
fn wrapper(world: &World, script: &str) -> PathBuf {
    let program = world.place("bin").join("tf");
    let start = format!("echo $$ >'{}'\nTERRAFORM='{}'\n", pid_file(&program).display(), terraform().display());
    let (shebang, rest) = script.split_once('\n').unwrap();
    fs::write(&program, format!("{shebang}\n{start}{rest}")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir_all(program.with_extension("d")).unwrap();
    program
}

fn pid_file(program: &std::path::Path) -> PathBuf {
    program.with_extension("pid")
}

fn kill(pid: &str) {
    let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
}

/// An interrupted apply behind a wrapper ends with one interrupt for Terraform, whose work is in
/// the state, and then without a lock.
#[track_caller]
fn check_interrupt(script: &str) {
    let world = World::applied();
    let (_, push, _sign) = world.slow_change();
    let program = wrapper(&world, script);
    let step = Step::apply(&world, &push).with("terraform-bin", &program.display().to_string()).start();
    step.wait_for_apply();
    let outcome = step.cancel().exits(130);
    assert_eq!(outcome.log.matches("Interrupt received").count(), 1, "{}", outcome.log);
    assert!(!outcome.log.contains("Two interrupts received"), "{}", outcome.log);
    let told = outcome.log.find("Interrupt received").unwrap();
    let released = outcome.log.find("the lock is released").unwrap_or_else(|| panic!("not released:\n{}", outcome.log));
    assert!(told < released, "the lock was let go before Terraform had ended:\n{}", outcome.log);
    assert!(world.bucket.locks().is_empty());
    assert_eq!(world.laptop().plan().code, Some(0), "the state is whole");
}

#[test]
fn a_wrapper_that_dies_of_the_interrupt() {
    check_interrupt(DIES);
}

#[test]
fn a_wrapper_that_waits_and_tells_nobody() {
    check_interrupt(WAITS);
}

#[test]
fn a_wrapper_that_passes_the_interrupt_on() {
    check_interrupt(PASSES_ON);
}

#[test]
fn a_wrapper_that_lays_a_pipe_between() {
    check_interrupt(LAYS_A_PIPE);
}

#[test]
fn behind_timeout_terraform_gets_one_interrupt() {
    check_interrupt(TIMEOUT);
}

#[test]
fn behind_a_shell_and_timeout_terraform_gets_one_interrupt() {
    check_interrupt(TIMEOUT_BEHIND_A_SHELL);
}

#[test]
fn behind_timeout_and_a_pipe_terraform_gets_one_interrupt() {
    check_interrupt(TIMEOUT_IN_A_PIPE);
}

#[test]
fn behind_a_program_of_its_own_name_terraform_gets_one_interrupt() {
    check_interrupt(TIMEOUT_CALLED_TERRAFORM);
}

/// The second interrupt of `timeout` comes too late half of the time, so one cancel proves little.
#[test]
fn behind_timeout_each_of_many_cancels_is_one_interrupt() {
    let world = World::applied();
    let program = wrapper(&world, TIMEOUT).display().to_string();
    let (laptop, sign) = (world.laptop(), Sign::new(world.scratch()));
    laptop.files.write(&format!("{PROD}/slow.tf"), &sign.slow_resource("slow"));
    laptop.plan();
    let words = ["apply", "--init", "false", "--required-approvals", "0", "--apply-args", "-auto-approve"];
    for round in 0..10 {
        // What the last one began is tainted, and so it is made again.
        let log = world.place("logs").join("log");
        let file = fs::File::create(&log).unwrap();
        let mut command = laptop.command(&binary());
        command.args(words).args(["--terraform-bin", &program]).stdin(Stdio::null());
        let mut process = command.stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap();
        let read = || fs::read_to_string(&log).unwrap_or_default();
        wait_for("the apply", Duration::from_mins(2), || {
            assert!(process.try_wait().unwrap().is_none(), "it ended:\n{}", read());
            read().contains("Provisioning with").then_some(())
        });
        kill_process(Pid::from_raw(i32::try_from(process.id()).unwrap()).unwrap(), Signal::INT).unwrap();
        let code = process.wait().unwrap().code();
        let log = read();
        assert_eq!(log.matches("Interrupt received").count(), 1, "{round}: {log}");
        assert!(!log.contains("Two interrupts received"), "{round}: {log}");
        assert_eq!(code, Some(130), "{round}: {log}");
        assert!(world.bucket.locks().is_empty(), "{round}: {log}");
    }
}

#[test]
fn a_wrapper_that_is_killed_leaves_a_terraform_that_we_wait_for() {
    let world = World::applied();
    let (_, push, sign) = world.slow_change();
    let program = wrapper(&world, WAITS);
    let mut step = Step::apply(&world, &push).with("terraform-bin", &program.display().to_string()).start();
    step.wait_for_apply();
    kill(&fs::read_to_string(pid_file(&program)).unwrap());
    step.wait_for_log("waiting for its end");
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(world.bucket.locks(), [PROD_LOCK], "the lock stays while Terraform works");
    sign.go_on();
    // Nobody knows how its Terraform ended, so the step has failed.
    step.finish().exits(14).says("killed by signal 9").says("Terraform itself came to its end");
    assert!(world.bucket.locks().is_empty());
    assert!(world.laptop().state().to_string().contains("\"slow\""), "its work is in the state");
}

#[test]
fn the_clean_up_step_waits_for_a_terraform_whose_wrapper_is_dead_too() {
    let world = World::applied();
    let (_, push, sign) = world.slow_change();
    let program = wrapper(&world, WAITS);
    let step = Step::apply(&world, &push).with("terraform-bin", &program.display().to_string()).start();
    step.wait_for_apply();
    step.signal(Signal::KILL);
    kill(&fs::read_to_string(pid_file(&program)).unwrap());
    let outcome = step.finish_after(&sign);
    let (code, log) = outcome.cleanup.expect("the clean-up step ran");
    assert_eq!(code, Some(0), "{log}");
    assert!(world.bucket.locks().is_empty(), "{log}");
    assert!(world.laptop().state().to_string().contains("\"slow\""), "the orphan's work is in the state");
}

#[test]
fn what_terraform_leaves_in_the_background_is_not_waited_for() {
    check_background(LEAVES_A_TUNNEL);
}

#[test]
fn what_holds_the_output_in_the_background_is_not_waited_for() {
    check_background(LEAVES_A_TUNNEL_AND_ITS_OUTPUT);
}

#[track_caller]
fn check_background(script: &str) {
    let world = World::applied();
    let number = world.pull_request("A daemon", |files| {
        let daemon = "resource \"terraform_data\" \"daemon\" {\n  provisioner \"local-exec\" {\n    command = \"sleep 302 >/dev/null 2>&1 &\"\n  }\n}\n";
        files.write(&format!("{PROD}/daemon.tf"), daemon);
    });
    let program = wrapper(&world, script).display().to_string();
    Step::plan(&world, number).with("terraform-bin", &program).run().exits(0);
    world.approve(number);
    let push = world.merge(number);
    let outcome = Step::apply(&world, &push).with("terraform-bin", &program).run().exits(0);
    assert!(!outcome.log.contains("waiting for its end"), "{}", outcome.log);
    assert_eq!(outcome.cleanup.map(|(code, _)| code), Some(Some(0)));
    assert!(world.bucket.locks().is_empty());
}

#[test]
fn ctrl_c_on_a_terminal_reaches_terraform_once() {
    let world = World::applied();
    let (_, _, _sign) = world.slow_change();
    let laptop = world.laptop();
    let mut command = Command::new(python());
    let binary = binary().display().to_string();
    let waived = ["--required-approvals", "0", "--apply-args", "-auto-approve"];
    let words = [["Provisioning with", &binary, "apply"].as_slice(), &waived].concat();
    command.args(["-c", ON_TERMINAL]).args(words).stdin(Stdio::null());
    let ended = laptop.run(command);
    let shown = ended.text();
    assert_eq!(ended.code, Some(130), "{shown}");
    assert_eq!(shown.matches("Interrupt received").count(), 1, "{shown}");
    assert!(!shown.contains("Two interrupts received"), "{shown}");
    assert!(world.bucket.locks().is_empty(), "{shown}");
}

#[test]
fn a_wrapper_may_write_the_backends_file_itself() {
    let world = World::applied();
    let laptop = world.laptop();
    let directory = laptop.files.root.join(PROD);
    fs::rename(directory.join("backend.tf"), directory.join("backend.template")).unwrap();
    let refused = laptop.stategate(&["plan"]);
    assert_eq!(refused.code, Some(2), "{}", refused.text());
    let idle = wrapper(&world, "#!/bin/sh\nexec \"$TERRAFORM\" \"$@\"\n").display().to_string();
    let refused = laptop.stategate(&["plan", "--terraform-bin", &idle]);
    assert_eq!(refused.code, Some(2), "{}", refused.text());
    assert!(refused.text().contains("has a backend block"), "{}", refused.text());
    let writes = "#!/bin/sh\ncp backend.template backend.tf\nexec \"$TERRAFORM\" \"$@\"\n";
    let program = wrapper(&world, writes).display().to_string();
    laptop.stategate(&["plan", "--terraform-bin", &program]).succeeded();
    assert!(world.bucket.locks().is_empty());
}
