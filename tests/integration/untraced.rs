//! A step that is killed in the very moment in which it starts its apply: nothing says which process
//! that is, so the lock stays.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::harness::files::PROD_LOCK;
use crate::harness::laptop::terraform;
use crate::harness::process::wait_for;
use crate::harness::python::python;
use crate::harness::runner::Step;
use crate::harness::world::World;

const PATIENCE: Duration = Duration::from_mins(2);

/// Longer than it takes to lay hands on a program.
const LONG: Duration = Duration::from_secs(15);

/// Takes a lease, and keeps it until standard input ends.
const LEASE: &str = "import fcntl, signal, sys
signal.signal(signal.SIGIO, signal.SIG_IGN)
program = open(sys.argv[1])
fcntl.fcntl(program, fcntl.F_SETLEASE, fcntl.F_WRLCK)
print('held', flush=True)
sys.stdin.read()
";

/// A program that nobody can start for now: whoever tries waits. The kernel ends it by itself after
/// `/proc/sys/fs/lease-break-time`, usually 45 seconds.
struct Unstartable(Child);

impl Unstartable {
    fn new(program: &Path) -> Self {
        let mut command = Command::new(python());
        let mut holder = command
            .args(["-c", LEASE])
            .arg(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python starts");
        let mut line = String::new();
        BufReader::new(holder.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "held\n", "nobody has the program open");
        Self(holder)
    }

    fn end(mut self) {
        drop(self.0.stdin.take());
        self.0.wait().expect("Python ends");
    }
}

fn footprint(temp: &Path) -> Option<Value> {
    let file = fs::read_dir(temp.join("stategate"))
        .ok()?
        .flatten()
        .find(|file| file.path().extension().is_some_and(|kind| kind == "json"));
    serde_json::from_slice(&fs::read(file?.path()).ok()?).ok()
}

/// Whether a process has a child.
fn is_parent(pid: u32) -> bool {
    let is_child = |process: fs::DirEntry| {
        let line = fs::read_to_string(process.path().join("stat")).unwrap_or_default();
        let parent = line.rsplit_once(')').and_then(|(_, fields)| fields.split_ascii_whitespace().nth(1));
        parent == Some(pid.to_string().as_str())
    };
    fs::read_dir("/proc").unwrap().flatten().any(is_child)
}

#[test]
fn the_lock_stays_until_a_person_removes_it() {
    let world = World::applied();
    let (number, push, sign) = world.slow_change();
    let (temp, program) = (world.place("temp"), world.place("bin").join("tf"));
    fs::write(&program, format!("#!/bin/sh\nexec '{}' \"$@\"\n", terraform().display())).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();

    world.github.delay_next(1, "PATCH", "/issues/comments/", LONG);
    let from = world.github.requests().len();
    let step = Step::apply(&world, &push).with("terraform-bin", &program.display().to_string());
    let step = step.env("RUNNER_TEMP", &temp.display().to_string()).start();
    // The comment says that it applies: no Terraform is at work now, and the next one is the apply.
    wait_for("the comment", PATIENCE, || {
        world.github.requests().iter().skip(from).any(|request| request.method == "PATCH").then_some(())
    });
    let unstartable = Unstartable::new(&program);
    wait_for("the apply to start", PATIENCE, || is_parent(step.pid()).then_some(()));
    let footprint = footprint(&temp).unwrap();
    assert!(footprint["apply"] == "at-work" && footprint["terraform"].is_null(), "{footprint}");
    step.signal(Signal::KILL);
    unstartable.end();
    // Terraform lives on, and nobody knows it.
    wait_for("Terraform to apply", PATIENCE, || (!step.terraforms().is_empty()).then_some(()));
    let outcome = step.finish();
    assert_eq!(outcome.code, None, "{}", outcome.log);
    let (code, log) = outcome.cleanup.as_ref().expect("the clean-up step ran");
    assert_eq!(*code, Some(10), "{log}");
    for told in ["was killed while it started its apply", "six minutes", "unlock"] {
        assert!(log.contains(told), "{told:?} is not told:\n{log}");
    }
    assert_eq!(world.bucket.locks(), [PROD_LOCK], "{log}");

    // The job's end killed Terraform, and GitHub's word proves it.
    let id = world.bucket.json(PROD_LOCK).unwrap()["ID"].as_str().unwrap().to_owned();
    assert!(log.contains(&id), "{log}");
    let unlock = || Step::unlock(&world, "hubot").with("lock-id", &id).with("reason", "the job has ended").run();
    unlock().exits(10).says("ended a moment ago");
    world.github.finish_run_before(outcome.run, "cancelled", 7);
    unlock().exits(0);
    assert!(world.bucket.locks().is_empty());
    let comments = world.github.comments(number);
    assert!(comments.iter().any(|comment| comment.body.contains("the job has ended")), "{comments:#?}");
    sign.go_on();
    assert_eq!(world.laptop().plan().code, Some(0), "the state is whole");
}
