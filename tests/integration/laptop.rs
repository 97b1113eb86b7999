//! Outside GitHub Actions: the same commands, no token, the comment on standard output.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::harness::files::{PROD, PROD_KEY, PROD_LOCK};
use crate::harness::laptop::Laptop;
use crate::harness::process::wait_for;
use crate::harness::runner::binary;
use crate::harness::world::World;

const QUESTION: &str = "Only `yes` applies it";

/// An apply by a person who sees a terminal and types this once they are asked: the exit code, and
/// what stood on the terminal.
fn on_a_terminal(laptop: &Laptop, arguments: &[&str], answer: &str) -> (Option<i32>, String) {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
    let side = || File::options().read(true).write(true).open(&name).unwrap();
    let mut command = laptop.command(&binary());
    command.arg("apply").args(arguments).env("TERM", "dumb").stdin(side()).stderr(side()).stdout(Stdio::null());
    let mut process = command.spawn().unwrap();
    // Until it ends, the terminal is open in it; then it must be open nowhere.
    drop(command);
    let mut terminal = File::from(terminal);
    let shown = Arc::new(Mutex::new(String::new()));
    let (mut reader, into) = (terminal.try_clone().unwrap(), Arc::clone(&shown));
    let reading = std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(length @ 1..) = reader.read(&mut bytes) {
            into.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..length]));
        }
    });
    let mut is_answered = false;
    let status = wait_for("the apply to end", Duration::from_mins(5), || {
        if !is_answered && shown.lock().unwrap().contains(QUESTION) {
            terminal.write_all(answer.as_bytes()).unwrap();
            is_answered = true;
        }
        process.try_wait().unwrap()
    });
    reading.join().unwrap();
    let shown = shown.lock().unwrap().clone();
    (status.code(), shown)
}

#[test]
fn on_a_terminal_an_apply_shows_what_is_lost_and_asks() {
    let world = World::applied();
    let laptop = world.laptop();
    laptop.files.replace(&format!("{PROD}/main.tf"), "  replicas = 2\n", "  replicas = 1\n");
    let before = world.bucket.get(PROD_KEY);
    for (answer, code) in [("no\n", 130), ("y\n", 130), ("\u{4}", 130), ("yes please\n", 130)] {
        let (ended, shown) = on_a_terminal(&laptop, &["--required-approvals", "0"], answer);
        assert_eq!(ended, Some(code), "{answer:?}: {shown}");
        let (_, question) = shown.rsplit_once("the lock is ours").unwrap();
        let (verdict, _) = question.split_once(QUESTION).unwrap();
        for told in ["1 to destroy", "destroy module.web.terraform_data.replica[1]", PROD_KEY] {
            assert!(verdict.contains(told), "{told:?} is not told before the question:\n{shown}");
        }
        assert!(shown.contains("next: ") && !shown.contains("terraform apply of"), "{shown}");
        assert!(world.bucket.get(PROD_KEY) == before, "the state is byte-identical");
        assert!(world.bucket.locks().is_empty());
    }
    let (ended, shown) = on_a_terminal(&laptop, &["--required-approvals", "0"], "yes\n");
    assert_eq!(ended, Some(0), "{shown}");
    assert!(shown.contains("terraform apply of the plan above"), "{shown}");
    assert!(world.bucket.get(PROD_KEY) != before, "it is applied");
    laptop.files.replace(&format!("{PROD}/main.tf"), "web:1.0", "web:1.1");
    let waived = ["--required-approvals", "0", "--apply-args", "-auto-approve"];
    let (ended, shown) = on_a_terminal(&laptop, &waived, "");
    assert!(ended == Some(0) && !shown.contains(QUESTION), "{shown}");
    assert!(world.bucket.locks().is_empty());
}

#[test]
fn whom_the_gate_refuses_is_not_asked() {
    let world = World::applied();
    let laptop = world.laptop();
    laptop.files.replace(&format!("{PROD}/main.tf"), "web:1.0", "web:1.1");
    let (ended, shown) = on_a_terminal(&laptop, &[], "yes\n");
    assert!(ended == Some(11) && !shown.contains(QUESTION), "{shown}");
}

#[test]
fn a_plan_prints_the_comment_and_asks_nobody() {
    let world = World::applied();
    let laptop = world.laptop();
    laptop.files.replace(&format!("{PROD}/main.tf"), "web:1.0", "web:1.1");
    let plan = laptop.stategate(&["plan"]).succeeded();
    assert!(plan.stdout.contains("module.web.terraform_data.service"), "{}", plan.text());
    assert!(!plan.text().contains("::error"), "no workflow commands outside a workflow: {}", plan.text());
    assert!(world.github.requests().is_empty());
    assert!(world.bucket.locks().is_empty());
}

#[test]
fn an_apply_is_refused_because_no_pull_request_stands_behind_it() {
    let world = World::applied();
    let laptop = world.laptop();
    laptop.files.replace(&format!("{PROD}/main.tf"), "web:1.0", "web:1.1");
    let before = world.bucket.get(PROD_KEY);
    let refused = laptop.stategate(&["apply"]);
    assert_eq!(refused.code, Some(11), "{}", refused.text());
    assert_eq!(world.bucket.get(PROD_KEY), before);
    laptop.stategate(&["apply", "--required-approvals", "0"]).succeeded();
    assert_eq!(laptop.terraform(&["output", "-raw", "web_image"]).succeeded().stdout, "web:1.1");
    assert!(world.bucket.locks().is_empty());
}

#[test]
fn a_freeze_and_its_end_by_hand() {
    let world = World::applied();
    let laptop = world.laptop();
    laptop.stategate(&["lock", "--reason", "a long night"]).succeeded();
    let lock = world.bucket.json(PROD_LOCK).expect("a lock");
    assert_eq!(lock["Operation"], "freeze");
    assert!(lock["Who"].as_str().unwrap().contains('@'), "{lock}");
    let status = laptop.stategate(&["status"]).succeeded();
    assert!(status.stdout.contains("a long night"), "{}", status.text());
    let id = lock["ID"].as_str().unwrap();
    laptop.stategate(&["unlock", "--lock-id", id, "--reason", "morning"]).succeeded();
    assert!(world.bucket.locks().is_empty());
}

#[test]
fn a_stale_lock_of_a_laptop_is_for_people_to_judge() {
    let world = World::applied();
    world.laptop().hold_lock().kill();
    let status = world.laptop().stategate(&["status", "--json"]).succeeded();
    let status: serde_json::Value = serde_json::from_str(&status.stdout).unwrap();
    assert_eq!(status["locks"][0]["stale"], serde_json::Value::Null, "{status}");
    assert_eq!(status["locked"], true);
}

#[test]
fn a_lock_that_cannot_be_read_has_the_same_names_for_programs() {
    let world = World::applied();
    let laptop = world.laptop();
    let lock = || {
        let status = laptop.stategate(&["status", "--json"]).succeeded();
        serde_json::from_str::<serde_json::Value>(&status.stdout).unwrap()["locks"][0].as_object().unwrap().clone()
    };
    laptop.stategate(&["lock", "--reason", "a long night"]).succeeded();
    let readable = lock();
    world.bucket.put(PROD_LOCK, b"{\"ID\":");
    let mut unreadable = lock();
    assert_eq!(unreadable.remove("raw"), Some("{\"ID\":".into()));
    assert!(unreadable["id"].is_null() && unreadable["who"].is_null(), "{unreadable:?}");
    assert!(unreadable.keys().eq(readable.keys()), "{unreadable:?} {readable:?}");
}
