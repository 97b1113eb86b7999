//! The gate's question where GraphQL does not answer it.

use serde_json::{Value, json};

use super::fake::{Fake, Reply};
use super::gate::{BEFORE, HEAD, MERGE, pushed, reasons};
use super::{infra, tip};
use crate::shell::github::GitHubError;
use stategate_core::approval::{Decision, Policy, decide};

fn review(login: &str, state: &str, commit: &str) -> Value {
    let kind = if login.ends_with("[bot]") { "Bot" } else { "User" };
    json!({ "user": { "login": login, "type": kind }, "state": state, "commit_id": commit,
        "submitted_at": "2026-11-20T12:00:00Z" })
}

/// What REST says of a merged pull request, which octocat opened and monalisa pushed to last.
fn rest(path: &str, reviews: &Value) -> Option<Value> {
    let user = |login: &str| json!({ "login": login, "type": "User" });
    let here = json!({ "full_name": "acme/infra" });
    let (path, _) = path.split_once('?').unwrap_or((path, ""));
    let rest = path.strip_prefix("/repos/acme/infra/")?;
    Some(match rest.split('/').collect::<Vec<_>>().as_slice() {
        ["commits", sha] if *sha == MERGE => json!({ "sha": MERGE, "parents": [{ "sha": BEFORE }, { "sha": HEAD }] }),
        ["commits", sha] if *sha == HEAD => json!({ "sha": HEAD, "committer": user("monalisa") }),
        ["commits", sha, "pulls"] if *sha == MERGE => json!([{ "number": 7 }]),
        ["pulls", "7"] => json!({
            "number": 7, "html_url": "https://github.com/acme/infra/pull/7", "state": "closed", "merged": true,
            "merge_commit_sha": MERGE, "user": user("octocat"), "merged_by": user("octocat"),
            "head": { "ref": "grow", "sha": HEAD, "repo": here }, "base": { "ref": "main", "sha": BEFORE, "repo": here },
        }),
        ["pulls", "7", "reviews"] => reviews.clone(),
        ["issues", "7", "events"] => json!([]),
        ["collaborators", "reader", "permission"] => json!({ "permission": "read" }),
        ["collaborators", _, "permission"] => json!({ "permission": "write" }),
        ["branches", "main"] => json!({ "commit": { "sha": MERGE } }),
        _ => return None,
    })
}

async fn without_graphql(graphql: Reply, reviews: Value) -> Fake {
    Fake::start(move |asked| match asked.path.as_str() {
        "/graphql" => graphql.clone(),
        path => rest(path, &reviews).map_or_else(|| Reply::message(404, "Not Found"), |found| Reply::json(&found)),
    })
    .await
}

#[tokio::test]
async fn the_gate_judges_by_rest_what_graphql_does_not_tell() {
    let refusals = [
        Reply::message(404, "Not Found"),
        Reply::message(403, "Resource not accessible by integration"),
        Reply::message(502, "bad gateway"),
        Reply::json(&json!({ "data": null, "errors": [{ "message": "Something went wrong" }] })),
        Reply::json(&json!("a page of a proxy's")),
    ];
    for graphql in refusals {
        let fake = without_graphql(graphql, json!([review("hubot", "APPROVED", HEAD)])).await;
        let facts = fake.client().facts(&infra(), &Policy::default(), &pushed()).await.unwrap();
        let decision = decide(&Policy::default(), &facts);
        let Decision::Approved(approval) = decision else { panic!("{:?}", reasons(&decision)) };
        assert_eq!(approval.by(), ["hubot"]);
    }
}

/// The reviews are all of them here, and who may write is asked for: neither is a way around the gate.
#[tokio::test]
async fn by_rest_no_other_approval_counts_than_by_graphql() {
    let approved = |login: &str| review(login, "APPROVED", HEAD);
    for reviews in [
        json!([]),
        json!([approved("octocat")]),
        json!([approved("monalisa")]),
        json!([approved("reader")]),
        json!([approved("app[bot]")]),
        json!([review("hubot", "APPROVED", BEFORE)]),
        json!([review("hubot", "APPROVED", HEAD), review("hubot", "DISMISSED", HEAD)]),
        json!([approved("hubot"), review("hubot", "CHANGES_REQUESTED", HEAD)]),
        json!([approved("hubot"), review("defunkt", "CHANGES_REQUESTED", HEAD)]),
        json!([{ "user": null, "state": "APPROVED", "commit_id": HEAD }]),
        json!([{ "user": { "login": "hubot", "type": "User" }, "state": "APPROVED", "commit_id": null }]),
    ] {
        let fake = without_graphql(Reply::message(404, "Not Found"), reviews.clone()).await;
        let facts = fake.client().facts(&infra(), &Policy::default(), &pushed()).await.unwrap();
        let decision = decide(&Policy::default(), &facts);
        assert!(matches!(decision, Decision::Blocked(_)), "{reviews}");
    }
}

#[tokio::test]
async fn what_neither_tells_is_graphqls_refusal_and_no_missing_commit() {
    let fake = Fake::start(|asked| match asked.path.as_str() {
        "/graphql" => Reply::message(403, "Resource not accessible by integration"),
        path if path.contains("/branches/") => tip(MERGE),
        _ => Reply::message(404, "Not Found"),
    })
    .await;
    let error = fake.client().facts(&infra(), &Policy::default(), &pushed()).await.unwrap_err();
    assert!(matches!(error, GitHubError::Forbidden { .. }), "{error}");
    assert_eq!(error.hint(), "add `pull-requests: read` to the job's `permissions:`");
}
