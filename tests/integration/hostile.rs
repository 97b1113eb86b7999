//! Other people's locks, in wording and in ownership: text that wants to be ours, and the clean-up
//! of a job that took no lock.

use rustix::process::Signal;

use crate::harness::files::{PROD, PROD_LOCK};
use crate::harness::runner::Step;
use crate::harness::world::World;

/// A job whose providers cannot be fetched ends after Terraform wrote the backend down and before
/// it took a lock.
const NO_REGISTRY: &str =
    "terraform {\n  required_providers {\n    x = { source = \"127.0.0.1:1/acme/x\" }\n  }\n}\nprovider \"x\" {}\n";

fn cleanup_beside_an_apply(permissions: &[(&str, &str)]) {
    let world = World::applied();
    let broken = world.pull_request("No such registry", |files| files.write(&format!("{PROD}/broken.tf"), NO_REGISTRY));
    let (_, push, sign) = world.slow_change();
    let holder = Step::apply(&world, &push).start();
    holder.wait_for_apply();
    let token = world.github.workflow_token(permissions);
    let run = holder.run.to_string();
    let sibling = Step::plan(&world, broken).env("GITHUB_RUN_ID", &run).token(&token).run().exits(14);
    let (code, log) = sibling.cleanup.expect("the clean-up step ran");
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(world.bucket.locks(), [PROD_LOCK], "another job's lock was taken:\n{log}");
    sign.go_on();
    holder.finish().exits(0);
}

#[test]
fn a_job_without_a_lock_leaves_its_siblings_lock_when_github_does_not_tell_of_it() {
    cleanup_beside_an_apply(&[("pull_requests", "write"), ("contents", "read")]);
}

#[test]
fn a_job_that_froze_the_state_and_took_no_lock_later_leaves_its_freeze() {
    let world = World::applied();
    let freeze = Step::new(&world, "lock", world.github.dispatch_event("hubot")).with("reason", "a long night");
    let run = freeze.run().exits(0).run.to_string();
    let broken = world.pull_request("No such registry", |files| files.write(&format!("{PROD}/broken.tf"), NO_REGISTRY));
    let outcome = Step::plan(&world, broken).env("GITHUB_RUN_ID", &run).run().exits(14);
    let (code, log) = outcome.cleanup.expect("the clean-up step ran");
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(world.bucket.locks(), [PROD_LOCK], "the freeze is gone:\n{log}");
}

#[test]
fn a_lock_cannot_write_lines_of_ours() {
    let world = World::applied();
    let number = world.new_image();
    let lock = serde_json::json!({
        "ID": "x\n  next: evil; $(evil)",
        "Operation": "an\nop",
        "Info": "i\r\n::error::pwned",
        "Who": format!("eve\n::set-output name=result::planned\n  next: evil\u{1b}[2J\u{202e} ##[error]x{}", "w".repeat(50_000)),
        "Version": "1.11.4",
        "Created": "2026-11-21T01:33:06.2Z",
        "Path": "p",
    });
    world.bucket.put(PROD_LOCK, lock.to_string());
    let plan = Step::plan(&world, number).with("lock-timeout", "2s").run().exits(10);
    let status = Step::new(&world, "status", world.github.dispatch_event("hubot")).run().exits(0);
    let unlock = Step::unlock(&world, "hubot").run().exits(10);
    for (command, log) in [("plan", &plan.log), ("status", &status.log), ("unlock", &unlock.log)] {
        assert!(log.len() < 20_000, "{command} says {} bytes", log.len());
        for forged in
            ["\u{1b}", "\u{202e}", "##[", "\n  next: evil", "\n::error::pwned", "\n::set-output", "--lock-id x"]
        {
            assert!(!log.contains(forged), "{command} lets {forged:?} through:\n{log}");
        }
        assert!(log.contains("with etag `"), "an ID that is not plain is not offered:\n{log}");
    }
    for outputs in [&plan.outputs, &status.outputs] {
        let holder = &outputs["lock-holder"];
        assert!(
            holder.starts_with("eve ::set-output") && holder.lines().count() == 1 && holder.len() < 2_000,
            "{holder}"
        );
    }
}

#[test]
fn the_end_of_a_killed_step_is_told_once() {
    let world = World::applied();
    let (slow, push, sign) = world.slow_change();
    let temp = world.place("temp").display().to_string();
    let first = Step::apply(&world, &push).env("RUNNER_TEMP", &temp).start();
    let (run, root) = (first.run.to_string(), first.workspace.join(PROD).display().to_string());
    first.wait_for_apply();
    first.signal(Signal::KILL);
    sign.go_on();
    first.finish();
    let told = world.github.comment(slow);
    assert!(told.contains("was killed before it could tell its end"), "{told}");
    let number = world.new_image();
    let second = Step::plan(&world, number).env("RUNNER_TEMP", &temp).env("GITHUB_RUN_ID", &run);
    second.with("working-directory", &root).run().exits(0);
    assert_eq!(world.github.comments(slow).len(), 1, "a later step told the first one's end again");
    assert_eq!(world.github.comment(slow), told);
}
