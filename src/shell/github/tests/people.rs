//! Runs, permissions and pull requests.

use serde_json::{Value, json};

use super::fake::{Fake, Reply};
use super::infra;
use crate::shell::github::Permission;
use stategate_core::liveness::{Job, RunState};

const HEAD: &str = "1111111111111111111111111111111111111111";
const MERGE: &str = "2222222222222222222222222222222222222222";
const BEFORE: &str = "3333333333333333333333333333333333333333";

#[tokio::test]
async fn a_run_is_read_with_its_jobs_and_their_steps() {
    let run = |status: &'static str, jobs: u16| async move {
        let fake = Fake::start(move |asked| {
            let reply = if asked.path.contains("/jobs") {
                let step = |conclusion: Value| json!({ "name": "x", "status": "x", "conclusion": conclusion });
                let times = json!({ "started_at": "2026-11-20T12:00:00Z", "completed_at": "2026-11-20T12:10:00Z" });
                let mut job = json!({ "status": "completed", "runner_id": 7, "steps": [step(json!("success")), step(Value::Null)] });
                job.as_object_mut().unwrap().extend(times.as_object().unwrap().clone());
                let waits = json!({ "status": "waiting", "runner_id": 0, "started_at": null, "completed_at": null });
                let bare = json!({ "status": "queued" });
                Reply::status(jobs, &json!({ "total_count": 3, "jobs": [job, waits, bare] }))
            } else {
                assert_eq!(asked.path, "/repos/acme/infra/actions/runs/5/attempts/2");
                Reply::json(&json!({ "name": null, "head_branch": null, "status": status, "conclusion": "cancelled" }))
            };
            reply.header("date", "Fri, 20 Nov 2026 12:30:00 GMT")
        })
        .await;
        fake.client().run_state(&infra(), (5, 2), (9, 1)).await
    };
    let time = |text: &str| format!("2026-11-20T{text}Z").parse().unwrap();
    let RunState::Found(attempt) = run("completed", 200).await else { panic!("it was found") };
    let told = (attempt.status.as_str(), attempt.conclusion.as_deref(), attempt.observed);
    assert_eq!(told, ("completed", Some("cancelled"), time("12:30:00")));
    let done = Job {
        status: "completed".to_owned(),
        started: Some(time("12:00:00")),
        completed: Some(time("12:10:00")),
        has_runner: true,
        has_open_step: true,
    };
    let waits = |status: &str| Job { status: status.to_owned(), ..Job::default() };
    assert_eq!(attempt.jobs, [done, waits("waiting"), waits("queued")]);
    // Without its jobs, only a run that is not completed says anything.
    let RunState::Found(attempt) = run("in_progress", 403).await else { panic!("it was found") };
    assert_eq!((attempt.status.as_str(), attempt.jobs), ("in_progress", Vec::new()));
    assert!(matches!(run("completed", 403).await, RunState::Unknown { .. }));
}

#[tokio::test]
async fn a_run_is_missing_only_where_the_same_question_finds_our_own() {
    let seen = |run: u16, own: u16| async move {
        let fake = Fake::start(move |asked| match asked.path.as_str() {
            "/repos/acme/infra" => Reply::message(200, "x"),
            "/repos/acme/infra/actions/runs/9/attempts/3" => Reply::message(own, "x"),
            "/repos/acme/infra/actions/runs/5" => Reply::message(run, "x"),
            _ => Reply::message(404, "Not Found"),
        })
        .await;
        fake.client().run_state(&infra(), (5, 1), (9, 3)).await
    };
    assert_eq!(seen(404, 200).await, RunState::NotFound);
    for (run, own) in [(404, 404), (404, 403), (200, 200), (403, 200), (500, 200), (404, 500)] {
        let state = seen(run, own).await;
        assert!(matches!(state, RunState::Unknown { .. }), "{run} {own}: {state:?}");
    }
}

#[tokio::test]
async fn permissions_and_pull_requests_are_read() {
    let fake = Fake::start(|asked| match asked.path.as_str() {
        "/repos/acme/infra/collaborators/octocat/permission" => {
            Reply::json(&json!({ "permission": "write", "role_name": "maintain", "user": null }))
        }
        "/repos/acme/infra/collaborators/hubot/permission" => {
            Reply::json(&json!({ "permission": "none", "role_name": "x", "user": null }))
        }
        "/repos/acme/infra/pulls/42" => Reply::json(&json!({
            "number": 42, "title": "Grow", "html_url": "https://github.com/acme/infra/pull/42",
            "state": "closed", "merged": true, "merge_commit_sha": MERGE,
            "head": { "ref": "grow", "sha": HEAD, "repo": null },
            "base": { "ref": "main", "sha": BEFORE, "repo": { "full_name": "acme/infra" } },
        })),
        _ => Reply::message(404, "Not Found"),
    })
    .await;
    let github = fake.client();
    assert_eq!(github.permission(&infra(), "octocat").await, Ok(Permission::Write));
    assert_eq!(github.permission(&infra(), "hubot").await, Ok(Permission::None));
    assert_eq!(github.permission(&infra(), "../../x").await, Ok(Permission::None));
    assert!(fake.lines().last().unwrap().ends_with("/collaborators/..%2F..%2Fx/permission"));
    let details = github.pull_request(&infra(), 42).await.unwrap();
    assert!(details.merged && !details.open && details.from_fork);
    assert_eq!(details.merge_commit.as_deref(), Some(MERGE));
    assert!(github.pull_request(&infra(), 43).await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn the_files_of_a_commit_are_all_or_none() {
    let fake = Fake::start(|asked| {
        let entry = |path: &str, kind: &str| json!({ "path": path, "type": kind, "mode": "100644", "sha": "1" });
        let entries = [entry("a", "tree"), entry("a/main.tf", "blob"), entry("vendored", "commit")];
        Reply::json(&json!({ "sha": "x", "truncated": asked.path.contains("big"), "tree": entries }))
    })
    .await;
    let files = fake.client().files(&infra(), HEAD).await.unwrap();
    assert_eq!(files.keys().collect::<Vec<_>>(), ["a/main.tf", "vendored"]);
    assert_eq!(files["a/main.tf"], "100644 1");
    assert_eq!(fake.lines(), [format!("GET /repos/acme/infra/git/trees/{HEAD}?recursive=1")]);
    assert!(fake.client().files(&infra(), "big").await.is_err());
}
