//! The comments of a pull request: one for each root module and workspace, written by jobs that run
//! at the same time, and a history that tells what became of the change.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::harness::files::{DEV, Files, PROD, PROD_LOCK};
use crate::harness::github::Comment;
use crate::harness::github::events::Event;
use crate::harness::github::story::Push;
use crate::harness::process::wait_for;
use crate::harness::runner::{Outcome, Running, Step};
use crate::harness::world::World;

/// What a matrix plans: the root module, and the workspace where it is not the usual one.
const MATRIX: [(&str, &str); 3] = [(PROD, ""), (DEV, ""), (DEV, "blue")];

fn marker(root: &str, workspace: &str) -> String {
    let workspace = if workspace.is_empty() { "default" } else { workspace };
    format!("<!-- stategate:{root}@{workspace} -->")
}

/// The jobs of one run, side by side.
fn matrix(world: &World, event: impl Fn() -> Event) -> Vec<Running<'_>> {
    let job = |(root, workspace): (&str, &str)| {
        Step::new(world, "plan", event()).with("working-directory", root).with("workspace", workspace).start()
    };
    MATRIX.into_iter().map(job).collect()
}

/// The comments by their markers, each of which must stand once and be in sight.
#[track_caller]
fn by_marker(world: &World, number: u64) -> BTreeMap<String, Comment> {
    let mut found = BTreeMap::new();
    for comment in world.github.comments(number).into_iter().filter(|comment| !comment.minimized) {
        let marker = comment.body.lines().next().unwrap_or_default().to_owned();
        let twice = found.insert(marker, comment);
        assert!(twice.is_none(), "a comment stands twice: {twice:#?}");
    }
    found
}

#[test]
fn jobs_of_a_matrix_write_one_comment_each_and_edit_it_in_place() {
    let world = World::applied();
    let both = |files: &Files, old: &str, new: &str| {
        for root in [PROD, DEV] {
            files.replace(&format!("{root}/main.tf"), old, new);
        }
    };
    let number = world.pull_request("Web 1.1 everywhere", |files| both(files, "web:1.0", "web:1.1"));
    for job in matrix(&world, || world.github.pull_request_event(number, "opened")) {
        job.finish().exits(0);
    }
    let first = by_marker(&world, number);
    let expected: Vec<String> = MATRIX.iter().map(|(root, workspace)| marker(root, workspace)).collect();
    assert_eq!(first.len(), 3, "{first:#?}");
    for ((root, workspace), marker) in MATRIX.iter().zip(&expected) {
        let verdict = first[marker].body.lines().find(|line| line.starts_with("### ")).unwrap_or_default();
        assert!(verdict.starts_with(&format!("### 📋 `{root}`")), "{verdict}");
        assert_eq!(verdict.contains("(workspace `blue`)"), *workspace == "blue", "{verdict}");
    }

    world.push_to(number, |files| both(files, "web:1.1", "web:1.2"));
    // In whatever order they end: each edits its own, so the order on the page stays.
    for job in matrix(&world, || world.github.pull_request_event(number, "synchronize")).into_iter().rev() {
        job.finish().exits(0);
    }
    let second = by_marker(&world, number);
    assert_eq!(world.github.comments(number).len(), 3);
    for marker in &expected {
        assert_eq!(first[marker].id, second[marker].id, "{marker} was not edited in place");
        assert!(second[marker].body.contains("web:1.2"), "{}", second[marker].body);
    }
    assert!(world.bucket.locks().is_empty());
}

#[test]
fn two_runs_that_begin_at_once_leave_one_comment_in_sight() {
    let world = World::applied();
    let number = world.new_image();
    let pasted = format!("{}\nplease look at this one", marker(PROD, ""));
    world.github.write_comment(number, "monalisa", &pasted);
    let start = |_| Step::plan(&world, number).start();
    let runs: Vec<Running<'_>> = (0..3).map(start).collect();
    for run in runs {
        run.finish().exits(0);
    }
    let comments = world.github.comments(number);
    let ours = comments.iter().filter(|comment| comment.author != "monalisa" && !comment.minimized);
    assert_eq!(ours.count(), 1, "{comments:#?}");
    let theirs = comments.iter().find(|comment| comment.author == "monalisa").unwrap();
    assert_eq!((theirs.body.as_str(), theirs.minimized, theirs.history.len()), (pasted.as_str(), false, 1));
}

/// The steps of the history, without their times, and with names for the runs.
fn history(comment: &str, runs: &[(&str, &str)]) -> Vec<String> {
    let (_, told) = comment.split_once("**History** (UTC)\n\n").unwrap_or_else(|| panic!("no history in:\n{comment}"));
    let step = |line: &str| {
        let (time, step) = line.trim_start_matches("- ").split_once(" · ").expect("a time");
        assert!(time.contains(':'), "{line}");
        let named = runs.iter().find(|(_, url)| step.contains(&format!("[run]({url})")));
        let (step, by) = step.split_once(" · [run](").unwrap_or((step, ""));
        let by = by.split_once(')').map_or("", |(_, by)| by);
        format!("{step} · {}{by}", named.map_or("no run", |(name, _)| name))
    };
    told.lines().filter(|line| line.starts_with("- ")).map(step).collect()
}

fn attempt(outcome: &Outcome) -> String {
    format!("{}/attempts/{}", outcome.url(), outcome.attempt)
}

#[test]
fn the_comment_keeps_the_life_of_the_change_with_times_commits_and_runs() {
    let world = World::applied();
    let number = world.new_image();
    let first = world.head(number);
    let planned = Step::plan(&world, number).run().exits(0);
    let second = world.push_to(number, |files| files.replace(&format!("{PROD}/main.tf"), "web:1.1", "web:1.2"));

    // Somebody else is at work when the second plan begins.
    let holding = world.laptop().hold_lock();
    let lock: Value = serde_json::from_slice(&world.bucket.get(PROD_LOCK).unwrap()).unwrap();
    let holder = lock["Who"].as_str().unwrap();
    let waiting = Step::new(&world, "plan", world.github.pull_request_event(number, "synchronize"));
    let waiting = waiting.with("lock-timeout", "3m").start();
    wait_for("the comment that it waits", Duration::from_mins(2), || {
        world.github.comment(number).contains("waiting for the lock").then_some(())
    });
    holding.finish();
    let again = waiting.finish().exits(0);

    let comment = world.github.comment(number);
    let next = format!("**Next:** an approval of `{}` by anybody who can write", &second[..7]);
    assert!(comment.contains(&next) && comment.contains("then merge, and the apply runs on main"), "{comment}");
    let push = world.merge(number);
    let blocked = Step::apply(&world, &push).run().exits(11);
    world.approve(number);
    let applied = Step::apply(&world, &push).rerun_of(blocked.run).run().exits(0);

    let comment = world.github.comment(number);
    let [one, two, three, four] = [&planned, &again, &blocked, &applied].map(attempt);
    let runs = [("first plan", &*one), ("second plan", &*two), ("blocked apply", &*three), ("apply", &*four)];
    let (first, second) = (&first[..7], &second[..7]);
    assert_eq!(
        history(&comment, &runs),
        [
            format!("planned · commit `{first}` · first plan by `octocat`"),
            format!("waiting for the lock (held by `{holder}`) · commit `{second}` · second plan by `octocat`"),
            format!("planned · commit `{second}` · second plan by `octocat`"),
            format!("blocked (0 of 1 approval) · commit `{second}` · blocked apply by `octocat`"),
            format!("approved by `hubot` · commit `{second}` · no run"),
            format!("applying · commit `{second}` · apply by `octocat`"),
            format!("applied · commit `{second}` · apply by `octocat`"),
        ],
        "{comment}"
    );
}

#[test]
fn each_pull_request_of_a_push_is_told_its_own_commit_and_one_failure_stops_no_other() {
    let world = World::applied();
    let web = world.new_image();
    let worker = world.pull_request("Worker 1.1", |files| {
        files.write(&format!("{PROD}/more.tf"), "resource \"terraform_data\" \"more\" {\n  input = \"more\"\n}\n");
    });
    let heads = [web, worker].map(|number| world.head(number));
    // One push to main brings both.
    let before = world.merge(web).before;
    let push = Push { before, ..world.merge(worker) };
    // The first comment that is written is refused; it is the first pull request's.
    world.github.fail_next(1, "POST", &format!("/issues/{web}/comments"), 422);
    let step = Step::apply(&world, &push).run().exits(11);
    assert!(step.log.contains(&format!("the comment on #{web} could not be posted")), "{}", step.log);
    assert!(world.github.comments(web).is_empty());
    let told = world.github.comment(worker);
    assert!(told.contains(&format!("commit `{}`", &heads[1][..7])), "{told}");
    assert!(step.summary.contains(&format!("The comment on `#{web}` could not be posted")), "{}", step.summary);

    Step::apply(&world, &push).run().exits(11);
    let told = world.github.comment(web);
    let commit = |head: &str| told.contains(&format!(" · commit `{}` · ", &head[..7]));
    assert!(commit(&heads[0]) && !commit(&heads[1]), "{told}");
}
