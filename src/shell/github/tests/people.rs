//! Runs, permissions and pull requests.

use serde_json::{Value, json};

use super::fake::{Fake, Reply};
use super::infra;
use crate::shell::github::Permission;
use stategate_core::liveness::RunState;

const HEAD: &str = "1111111111111111111111111111111111111111";
const MERGE: &str = "2222222222222222222222222222222222222222";
const BEFORE: &str = "3333333333333333333333333333333333333333";

#[tokio::test]
async fn a_run_is_over_when_its_attempt_and_all_its_jobs_are() {
    let job = |status: &str, at: Value| json!({ "status": status, "completed_at": at });
    let run = |status: &'static str, jobs: Vec<Value>| async move {
        let fake = Fake::start(move |asked| {
            let reply = if asked.path.contains("/jobs") {
                Reply::json(&json!({ "total_count": jobs.len(), "jobs": jobs }))
            } else {
                assert_eq!(asked.path, "/repos/acme/infra/actions/runs/5/attempts/2");
                Reply::json(&json!({ "name": null, "head_branch": null, "status": status, "conclusion": "cancelled" }))
            };
            reply.header("date", "Fri, 20 Nov 2026 12:30:00 GMT")
        })
        .await;
        fake.client().run_state(&infra(), 5, 2).await
    };
    let ended = [job("completed", json!("2026-11-20T12:00:00Z")), job("completed", json!("2026-11-20T12:10:00Z"))];
    let state = run("completed", ended.to_vec()).await;
    assert_eq!(
        state,
        RunState::Finished {
            at: "2026-11-20T12:10:00Z".parse().ok(),
            observed: "2026-11-20T12:30:00Z".parse().unwrap(),
            conclusion: Some("cancelled".to_owned()),
        }
    );
    let alive = run("completed", vec![ended[0].clone(), job("in_progress", Value::Null)]).await;
    assert_eq!(alive, RunState::Alive { status: "in_progress".to_owned() });
    let waiting = run("waiting", Vec::new()).await;
    assert_eq!(waiting, RunState::Alive { status: "waiting".to_owned() });
    for untold in [vec![job("completed", Value::Null), ended[0].clone()], Vec::new()] {
        let state = run("completed", untold).await;
        assert!(matches!(state, RunState::Finished { at: None, .. }), "{state:?}");
    }
}

#[tokio::test]
async fn a_run_that_is_not_found_is_deleted_only_where_the_repository_is_seen() {
    let seen = |run: u16, repository: u16| async move {
        let fake = Fake::start(move |asked| match asked.path.as_str() {
            "/repos/acme/infra" => Reply::message(repository, "x"),
            "/repos/acme/infra/actions/runs/5" => Reply::message(run, "x"),
            _ => Reply::message(404, "Not Found"),
        })
        .await;
        fake.client().run_state(&infra(), 5, 1).await
    };
    assert_eq!(seen(404, 200).await, RunState::Deleted);
    for (run, repository) in [(404, 404), (404, 403), (200, 200), (403, 200), (500, 200)] {
        let state = seen(run, repository).await;
        assert!(matches!(state, RunState::Unknown { .. }), "{run} {repository}: {state:?}");
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
