//! The client against a server of our own: what it sends, what it sends again, what it makes of
//! the answers.

mod by_rest;
mod comments;
mod fake;
mod gate;
mod holes;
mod people;
mod pushers;

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use self::comments::comment;
use self::fake::{Fake, Reply};
use self::gate::wanted;
use super::*;
use stategate_core::approval::{Arrival, Policy};
use stategate_core::network::Network;

fn infra() -> Repository {
    "acme/infra".parse().unwrap()
}

/// A server that answers with each of these in turn, and with the last one from then on.
async fn answers(replies: Vec<Reply>) -> Fake {
    let next = AtomicUsize::new(0);
    Fake::start(move |_| {
        let at = next.fetch_add(1, Ordering::SeqCst).min(replies.len() - 1);
        replies[at].clone()
    })
    .await
}

fn tip(sha: &str) -> Reply {
    Reply::json(&json!({ "commit": { "sha": sha } }))
}

#[tokio::test]
async fn a_request_says_who_we_are_and_which_version_we_read() {
    let fake = answers(vec![tip("abc")]).await;
    let sha = fake.client().branch_tip(&infra(), "feature/a b#?").await.unwrap();
    assert_eq!(sha.as_deref(), Some("abc"));
    let asked = &fake.asked()[0];
    assert_eq!(asked.line(), "GET /repos/acme/infra/branches/feature%2Fa%20b%23%3F");
    assert_eq!(asked.header("x-github-api-version"), ["2022-11-28"]);
    assert_eq!(asked.header("authorization"), ["Bearer ghs_secret"]);
    assert_eq!(asked.header("user-agent").len(), 1);
}

#[tokio::test]
async fn an_enterprise_server_has_graphql_beside_rest() {
    let fake = Fake::start(|asked| {
        if asked.path == "/api/graphql" {
            Reply::json(&json!({ "data": { "repository": { "object": null } } }))
        } else {
            tip("abc")
        }
    })
    .await;
    let github = fake.client_at("/api/v3/", "/api/graphql");
    let wanted = wanted(Arrival::Commit { pull_request: None });
    github.facts(&infra(), &Policy::default(), &wanted).await.unwrap();
    let lines = fake.lines();
    assert_eq!(lines.last().unwrap(), "GET /api/v3/repos/acme/infra/branches/main");
    assert!(lines.iter().any(|line| line == "POST /api/graphql"));
    assert!(fake.asked().iter().all(|a| a.header("authorization") == ["Bearer ghs_secret"]));
}

#[tokio::test]
async fn reads_are_sent_again_and_then_given_up() {
    let fake =
        answers(vec![Reply::message(502, "bad gateway"), Reply::message(503, "busy").too_late(), tip("abc")]).await;
    assert!(fake.client().branch_tip(&infra(), "main").await.is_ok());
    assert_eq!(fake.lines().len(), 3);

    let fake = answers(vec![Reply::message(500, "oh no")]).await;
    let error = fake.client().branch_tip(&infra(), "main").await.unwrap_err();
    assert!(matches!(error, GitHubError::Status { status: 500, .. }), "{error}");
    assert_eq!(fake.lines().len(), 4);

    let silent = answers(vec![tip("abc").too_late()]).await;
    let error = silent.client().branch_tip(&infra(), "main").await.unwrap_err();
    assert!(matches!(error, GitHubError::Unreachable { tries: 4, .. }), "{error}");
}

#[tokio::test]
async fn an_unreachable_host_is_named_without_the_token() {
    let fake = answers(vec![tip("abc")]).await;
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let mut connection = Connection {
        api_url: format!("http://{closed}"),
        graphql_url: format!("http://{closed}/graphql"),
        token: "ghs_secret".into(),
        network: Network::default(),
        pauses: fake.client().pauses.clone(),
    };
    let github = GitHub::connect(connection.clone()).unwrap();
    let error = github.branch_tip(&infra(), "main").await.unwrap_err();
    let said = format!("{error} {error:?} {}", error.hint());
    assert!(said.contains("GET /repos/acme/infra/branches/main"), "{said}");
    assert!(said.to_lowercase().contains("refused"), "{said}");
    assert!(!said.contains("ghs_secret"), "{said}");
    assert!(!format!("{github:?} {connection:?}").contains("ghs_secret"));

    for (api, token) in [("ftp://x", "t"), ("", "t"), ("http://x", ""), ("http://x", "a\nb")] {
        connection.api_url = api.to_owned();
        connection.token = token.into();
        let error = GitHub::connect(connection.clone()).unwrap_err();
        assert!(matches!(error, GitHubError::Setup { .. }), "{error}");
    }
}

#[tokio::test]
async fn refusals_are_told_apart_and_name_what_is_missing() {
    let refused = |reply: Reply| async move {
        let fake = answers(vec![reply]).await;
        let error = fake.client().permission(&infra(), "octocat").await;
        (error.map(|_| ()), fake.lines().len())
    };
    let (error, tries) = refused(Reply::message(401, "Bad credentials")).await;
    assert!(matches!(error, Err(GitHubError::Unauthorized { .. })), "{error:?}");
    assert_eq!(tries, 1);

    let integration = "Resource not accessible by integration";
    let fake = answers(vec![Reply::message(403, integration)]).await;
    let github = fake.client();
    let error = github.upsert_comment(&infra(), 42, "<!-- m -->", "b").await.unwrap_err();
    assert!(error.to_string().contains(integration), "{error}");
    assert_eq!(error.hint(), "add `pull-requests: write` to the job's `permissions:`");

    // GitHub's own word about the permission is better than ours.
    let told =
        Reply::message(403, integration).header("x-accepted-github-permissions", "issues=write; pull_requests=write");
    let (error, _) = refused(told).await;
    assert!(error.unwrap_err().hint().contains("issues: write; pull-requests: write"));

    let (error, _) = refused(Reply::message(422, "Validation Failed")).await;
    assert!(matches!(error, Err(GitHubError::Invalid { .. })), "{error:?}");
    let (error, _) = refused(Reply::status(200, &json!({ "other": 1 }))).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("missing field `permission`"), "{error}");

    // A hostile message stays one short line.
    let shout = format!("a\r\n::error::b\u{1b}[31m{}", "x".repeat(1000));
    let (error, _) = refused(Reply::message(400, &shout)).await;
    let error = error.unwrap_err().to_string();
    assert!(!error.contains(['\n', '\r', '\u{1b}']) && error.len() < 500, "{error}");
}

#[tokio::test]
async fn a_rate_limit_is_waited_for_as_long_as_is_reasonable() {
    let limited = || Reply::message(403, "You have exceeded a secondary rate limit");
    for reply in [
        limited(),
        limited().header("retry-after", "0"),
        Reply::message(429, "slow down").header("retry-after", "1"),
        Reply::message(403, "API rate limit exceeded")
            .header("x-ratelimit-remaining", "0")
            .header("x-ratelimit-reset", "1000"),
    ] {
        let fake = answers(vec![reply, tip("abc")]).await;
        assert!(fake.client().branch_tip(&infra(), "main").await.is_ok());
        assert_eq!(fake.lines().len(), 2);
    }

    // GraphQL says it with 200.
    let graphql = Reply::json(&json!({ "errors": [{ "type": "RATE_LIMITED", "message": "API rate limit exceeded" }] }))
        .header("retry-after", "60");
    let fake = answers(vec![graphql]).await;
    let wanted = wanted(Arrival::Commit { pull_request: None });
    let error = fake.client().facts(&infra(), &Policy::default(), &wanted).await.unwrap_err();
    let GitHubError::RateLimited { until: Some(_), .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(fake.lines().len(), 1);

    // A write that was turned away was not carried out: it is sent again.
    let fake = answers(vec![
        Reply::json(&json!([])),
        limited(),
        Reply::status(201, &comment(9, "github-actions[bot]", "Bot", "")),
        Reply::json(&json!([])),
    ])
    .await;
    fake.client().upsert_comment(&infra(), 42, "<!-- m -->", "b").await.unwrap();
    assert_eq!(fake.lines().len(), 4);
}

#[tokio::test]
async fn a_limit_that_is_said_to_be_over_and_never_is_ends_in_an_error() {
    let reply = Reply::message(429, "slow down").header("retry-after", "0");
    let fake = answers(vec![reply]).await;
    let error = fake.client().branch_tip(&infra(), "main").await.unwrap_err();
    assert!(matches!(error, GitHubError::RateLimited { .. }), "{error}");
    assert!(fake.lines().len() <= 20, "{}", fake.lines().len());
}

#[tokio::test]
async fn a_renamed_repository_is_followed_and_another_host_is_not() {
    let moved = |to: &str| Reply::message(301, "Moved Permanently").header("location", to);
    let fake = answers(vec![moved("/repositories/7/branches/main"), tip("abc")]).await;
    assert_eq!(fake.client().branch_tip(&infra(), "main").await.unwrap().as_deref(), Some("abc"));
    assert_eq!(fake.lines(), ["GET /repos/acme/infra/branches/main", "GET /repositories/7/branches/main"]);

    let other = answers(vec![tip("abc")]).await;
    let fake = answers(vec![moved(&format!("{}/repositories/7", other.url))]).await;
    let error = fake.client().branch_tip(&infra(), "main").await.unwrap_err();
    assert!(matches!(error, GitHubError::Status { status: 301, .. }), "{error}");
    assert!(other.lines().is_empty(), "the token would go to another host");

    let fake = answers(vec![moved("/again")]).await;
    let error = fake.client().branch_tip(&infra(), "main").await.unwrap_err();
    assert!(error.to_string().contains("3 times"), "{error}");
}

#[test]
fn a_repositorys_name_is_two_names() {
    assert_eq!(infra().to_string(), "acme/infra");
    for wrong in ["", "acme", "acme/", "/infra", "a/b/c", "../x", "acme/..", "acme/a b", "a?/b"] {
        assert!(wrong.parse::<Repository>().is_err(), "{wrong}");
    }
}
