//! Where nothing is as it should be: nobody reads the output, the terminal is closed, there is no
//! room for files. The lock goes all the same, and a state that was written stays written.

use std::fs;
use std::io::{PipeReader, pipe};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::files::{PROD, PROD_LOCK};
use crate::harness::laptop::{Laptop, Sign, stand_in, terraform};
use crate::harness::process::wait_for;
use crate::harness::runner::{Step, binary};
use crate::harness::world::World;

const APPLY: [&str; 3] = ["apply", "--required-approvals", "0"];

/// A laptop with a change.
fn changed(world: &World) -> Laptop {
    let laptop = world.laptop();
    laptop.files.replace(&format!("{PROD}/main.tf"), "web:1.0", "web:1.1");
    laptop
}

#[test]
fn nobody_reads_the_output() {
    let world = World::applied();
    let laptop = changed(&world);
    for arguments in [&["plan"][..], &APPLY] {
        let (reader, writer): (PipeReader, _) = pipe().unwrap();
        drop(reader);
        let mut command = laptop.command(&binary());
        command.args(arguments).stdin(Stdio::null()).stdout(writer.try_clone().unwrap()).stderr(writer);
        let code = ended(&mut command.spawn().unwrap());
        // 101 is a panic.
        assert_eq!(code, Some(1), "{arguments:?}");
        assert!(world.bucket.locks().is_empty(), "{arguments:?}");
    }
    assert_eq!(laptop.terraform(&["output", "-raw", "web_image"]).succeeded().stdout, "web:1.1");
}

#[test]
fn a_terminal_that_is_closed_is_an_interrupt() {
    let world = World::applied();
    let laptop = world.laptop();
    let sign = Sign::new(world.scratch());
    laptop.files.write(&format!("{PROD}/slow.tf"), &sign.slow_resource("slow"));
    let log = world.place("logs").join("apply");
    let mut command = laptop.command(&binary());
    let (out, err) = (fs::File::create(&log).unwrap(), fs::File::options().append(true).open(&log).unwrap());
    let mut apply = command.args(APPLY).process_group(0).stdin(Stdio::null()).stdout(out).stderr(err).spawn().unwrap();
    let said = || fs::read_to_string(&log).unwrap_or_default();
    wait_for("the apply to begin", Duration::from_mins(2), || said().contains("Provisioning with").then_some(()));
    kill_process(Pid::from_child(&apply), Signal::HUP).unwrap();
    assert_eq!(ended(&mut apply), Some(130), "{}", said());
    assert!(world.bucket.locks().is_empty(), "{}", said());
    fs::remove_file(laptop.files.root.join(PROD).join("slow.tf")).unwrap();
    assert_eq!(laptop.plan().code, Some(0), "the state is whole");
}

#[test]
fn there_is_no_place_for_files() {
    let world = World::applied();
    let number = world.new_image();
    let file = world.place("no-directory").join("file");
    fs::write(&file, "").unwrap();
    let nowhere = [file.display().to_string(), file.with_file_name("missing").join("at-all").display().to_string()];
    for place in nowhere {
        let refused = Step::plan(&world, number).env("RUNNER_TEMP", &place).run();
        assert_ne!(refused.code, Some(0), "{}", refused.log);
        assert!(refused.log.contains("RUNNER_TEMP") || refused.log.contains(&place), "{}", refused.log);
        assert!(world.bucket.locks().is_empty(), "{}", refused.log);
        // On a runner, nothing goes to TMPDIR.
        Step::plan(&world, number).env("TMPDIR", &place).run().exits(0);
        let refused = changed(&world).env("TMPDIR", &place).stategate(&["plan"]);
        assert_ne!(refused.code, Some(0), "{}", refused.text());
        assert!(refused.stderr.contains("TMPDIR"), "{}", refused.stderr);
        assert!(world.bucket.locks().is_empty());
    }
}

#[test]
fn a_terraform_that_makes_no_plan_file_has_not_planned() {
    let world = World::applied();
    let number = world.new_image();
    let program: PathBuf = world.place("bin").join("tf");
    let script = format!("#!/bin/sh\ncase $1 in plan) exit 0 ;; esac\nexec '{}' \"$@\"\n", terraform().display());
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    Step::plan(&world, number).with("terraform-bin", &program.display().to_string()).run().exits(14);
    assert!(world.bucket.locks().is_empty());
    let comment = world.github.comment(number);
    assert!(!comment.contains("No changes"), "{comment}");
}

/// As a disk without room does it.
#[test]
fn a_plan_file_that_is_cut_off_is_told_as_that() {
    let world = World::applied();
    let number = world.new_image();
    let script = "\"$TERRAFORM\" \"$@\" || exit
[ \"$1\" != plan ] || for word; do case $word in -out=*) head -c 100 \"${word#-out=}\" >cut; mv cut \"${word#-out=}\" ;; esac; done
";
    let program = stand_in(&world.place("bin"), script);
    let outcome = Step::plan(&world, number).with("terraform-bin", &program.display().to_string()).run().exits(14);
    assert!(world.bucket.locks().is_empty(), "{}", outcome.log);
    for text in [&outcome.log, &world.github.comment(number)] {
        assert!(text.contains("the runner's disk has room") && !text.contains("versions of the state"), "{text}");
        assert!(!text.contains("[0m") && !text.contains("1b}"), "colours are told:\n{text}");
    }
}

#[test]
fn a_plan_on_a_runner_without_a_temporary_directory_leaves_no_lock() {
    let world = World::applied();
    let number = world.new_image();
    let outcome = Step::plan(&world, number).without_env("RUNNER_TEMP").run();
    assert!(!world.bucket.locks().contains(&PROD_LOCK.to_owned()), "{}", outcome.log);
    outcome.exits(0);
}

/// Waits for a program's end.
#[track_caller]
fn ended(program: &mut Child) -> Option<i32> {
    let status = wait_for("the program to end", Duration::from_mins(5), || program.try_wait().unwrap());
    status.code()
}
