//! The client against a server of our own: what it sends, what it sends again, what it makes of
//! the answers.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::fake::{Asked, Fake, Reply};
use super::*;
use crate::core::approval::{
    Arrival, Decision, EnvironmentProtection, MembershipAnswer, Policy, Reason,
    RequiredEnvironment, approvers, decide,
};
use crate::core::liveness::RunState;

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
    let sha = fake
        .client()
        .branch_tip(&infra(), "feature/a b#?")
        .await
        .unwrap();
    assert_eq!(sha.as_deref(), Some("abc"));
    let asked = &fake.asked()[0];
    assert_eq!(
        asked.line(),
        "GET /repos/acme/infra/branches/feature%2Fa%20b%23%3F"
    );
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
    github
        .facts(&infra(), &Policy::default(), &wanted)
        .await
        .unwrap();
    let lines = fake.lines();
    assert_eq!(
        lines.last().unwrap(),
        "GET /api/v3/repos/acme/infra/branches/main"
    );
    assert!(lines.iter().any(|line| line == "POST /api/graphql"));
    assert!(
        fake.asked()
            .iter()
            .all(|a| a.header("authorization") == ["Bearer ghs_secret"])
    );
}

#[tokio::test]
async fn reads_are_sent_again_and_then_given_up() {
    let fake = answers(vec![
        Reply::message(502, "bad gateway"),
        Reply::message(503, "busy").too_late(),
        tip("abc"),
    ])
    .await;
    assert!(fake.client().branch_tip(&infra(), "main").await.is_ok());
    assert_eq!(fake.lines().len(), 3);

    let fake = answers(vec![Reply::message(500, "oh no")]).await;
    let error = fake
        .client()
        .branch_tip(&infra(), "main")
        .await
        .unwrap_err();
    assert!(
        matches!(error, GitHubError::Status { status: 500, .. }),
        "{error}"
    );
    assert_eq!(fake.lines().len(), 4);

    let silent = answers(vec![tip("abc").too_late()]).await;
    let error = silent
        .client()
        .branch_tip(&infra(), "main")
        .await
        .unwrap_err();
    assert!(
        matches!(error, GitHubError::Unreachable { tries: 4, .. }),
        "{error}"
    );
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
        pauses: fake.client().pauses.clone(),
    };
    let github = GitHub::connect(connection.clone()).unwrap();
    let error = github.branch_tip(&infra(), "main").await.unwrap_err();
    let said = format!("{error} {error:?} {}", error.hint());
    assert!(
        said.contains("GET /repos/acme/infra/branches/main"),
        "{said}"
    );
    assert!(said.to_lowercase().contains("refused"), "{said}");
    assert!(!said.contains("ghs_secret"), "{said}");
    assert!(!format!("{github:?} {connection:?}").contains("ghs_secret"));

    for (api, token) in [
        ("ftp://x", "t"),
        ("", "t"),
        ("http://x", ""),
        ("http://x", "a\nb"),
    ] {
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
    assert!(
        matches!(error, Err(GitHubError::Unauthorized { .. })),
        "{error:?}"
    );
    assert_eq!(tries, 1);

    let integration = "Resource not accessible by integration";
    let fake = answers(vec![Reply::message(403, integration)]).await;
    let github = fake.client();
    let error = github
        .upsert_comment(&infra(), 42, "<!-- m -->", "b")
        .await
        .unwrap_err();
    assert!(error.to_string().contains(integration), "{error}");
    assert_eq!(
        error.hint(),
        "add `pull-requests: write` to the job's `permissions:`"
    );

    // GitHub's own word about the permission is better than ours.
    let told = Reply::message(403, integration).header(
        "x-accepted-github-permissions",
        "issues=write; pull_requests=write",
    );
    let (error, _) = refused(told).await;
    assert!(
        error
            .unwrap_err()
            .hint()
            .contains("issues: write; pull-requests: write")
    );

    let (error, _) = refused(Reply::message(422, "Validation Failed")).await;
    assert!(
        matches!(error, Err(GitHubError::Invalid { .. })),
        "{error:?}"
    );
    let (error, _) = refused(Reply::status(200, &json!({ "other": 1 }))).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("missing field `permission`"), "{error}");

    // A hostile message stays one short line.
    let shout = format!("a\r\n::error::b\u{1b}[31m{}", "x".repeat(1000));
    let (error, _) = refused(Reply::message(400, &shout)).await;
    let error = error.unwrap_err().to_string();
    assert!(
        !error.contains(['\n', '\r', '\u{1b}']) && error.len() < 500,
        "{error}"
    );
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
    let graphql = Reply::json(
        &json!({ "errors": [{ "type": "RATE_LIMITED", "message": "API rate limit exceeded" }] }),
    )
    .header("retry-after", "60");
    let fake = answers(vec![graphql]).await;
    let wanted = wanted(Arrival::Commit { pull_request: None });
    let error = fake
        .client()
        .facts(&infra(), &Policy::default(), &wanted)
        .await
        .unwrap_err();
    let GitHubError::RateLimited { until: Some(_), .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(fake.lines().len(), 1);

    // A write that was turned away was not carried out: it is sent again.
    let fake = answers(vec![
        Reply::json(&json!([])),
        limited(),
        Reply::status(201, &comment(9, "github-actions[bot]", "Bot", "")),
    ])
    .await;
    fake.client()
        .upsert_comment(&infra(), 42, "<!-- m -->", "b")
        .await
        .unwrap();
    assert_eq!(fake.lines().len(), 3);
}

// Comments.

const MARKER: &str = "<!-- stategate:infra@default -->";

fn comment(id: u64, login: &str, kind: &str, body: &str) -> Value {
    json!({
        "id": id,
        "node_id": format!("IC_{id}"),
        "html_url": format!("https://github.com/acme/infra/pull/42#issuecomment-{id}"),
        "body": body,
        "user": { "login": login, "type": kind },
        "performed_via_github_app": null,
    })
}

/// A pull request's conversation, with `viewer` as the token's owner.
async fn conversation(viewer: Option<&'static str>, comments: Vec<Value>) -> Fake {
    let comments = Mutex::new(comments);
    Fake::start(move |asked| {
        let mut comments = comments.lock().unwrap();
        match (asked.method.as_str(), asked.path.as_str()) {
            ("POST", "/graphql") if asked.body["query"].as_str().unwrap().contains("viewer") => {
                match viewer {
                    Some(login) => {
                        Reply::json(&json!({ "data": { "viewer": { "login": login } } }))
                    }
                    None => Reply::json(&json!({
                        "data": null,
                        "errors": [{ "type": "FORBIDDEN", "message": "Resource not accessible by integration" }],
                    })),
                }
            }
            ("POST", "/graphql") => Reply::json(&json!({ "data": {} })),
            ("GET", path) => {
                let page: usize = path.rsplit_once("page=").unwrap().1.parse().unwrap();
                let items: Vec<&Value> = comments.iter().skip((page - 1) * 100).take(100).collect();
                let reply = Reply::json(&json!(items));
                if comments.len() > page * 100 {
                    reply.header("link", "<https://elsewhere/?page=2>; rel=\"next\", <x>; rel=\"last\"")
                } else if page > 1 {
                    reply.header("link", "<x>; rel=\"first\"")
                } else {
                    reply
                }
            }
            ("POST", _) => {
                let mut new = comment(1000, "github-actions[bot]", "Bot", "");
                new["body"] = asked.body["body"].clone();
                comments.push(new.clone());
                Reply::status(201, &new)
            }
            ("PATCH", path) => {
                let id: u64 = path.rsplit_once('/').unwrap().1.parse().unwrap();
                match comments.iter_mut().find(|comment| comment["id"] == id) {
                    Some(found) => {
                        found["body"] = asked.body["body"].clone();
                        Reply::json(found)
                    }
                    None => Reply::message(404, "Not Found"),
                }
            }
            other => panic!("{other:?}"),
        }
    })
    .await
}

fn writes(fake: &Fake) -> Vec<String> {
    let is_write = |asked: &&Asked| asked.method == "PATCH" || asked.path.contains("comments");
    fake.asked()
        .iter()
        .filter(is_write)
        .filter(|asked| asked.method != "GET")
        .map(Asked::line)
        .collect()
}

#[tokio::test]
async fn a_comment_is_created_once_and_then_edited_in_place() {
    let fake = conversation(Some("github-actions[bot]"), vec![]).await;
    let github = fake.client();
    let first = github
        .upsert_comment(&infra(), 42, MARKER, "planned")
        .await
        .unwrap();
    let second = github
        .upsert_comment(&infra(), 42, MARKER, "applied")
        .await
        .unwrap();
    assert_eq!(first, second);
    assert_eq!(
        fake.lines(),
        [
            "GET /repos/acme/infra/issues/42/comments?per_page=100&page=1",
            "POST /repos/acme/infra/issues/42/comments",
            "PATCH /repos/acme/infra/issues/comments/1000",
        ]
    );
    let found = fake
        .client()
        .find_comment(&infra(), 42, MARKER)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.body, format!("{MARKER}\napplied"));
    assert!(found.at.url.ends_with("#issuecomment-1000"));
}

#[tokio::test]
async fn only_the_comment_with_our_marker_and_our_author_is_ours() {
    let marked = format!("{MARKER}\r\nplanned");
    let quoted = format!("> {MARKER}\n{MARKER}");
    let comments = || {
        vec![
            comment(1, "octocat", "User", &marked),
            comment(2, "github-actions", "User", &marked),
            comment(3, "other-app[bot]", "Bot", &marked),
            comment(4, "github-actions[bot]", "Bot", &quoted),
            comment(
                5,
                "github-actions[bot]",
                "Bot",
                "<!-- stategate:infra@default2 -->",
            ),
            json!({ "id": 6, "body": marked, "user": null }),
            json!({ "id": 7, "body": null, "user": null }),
            comment(8, "github-actions[bot]", "Bot", &marked),
        ]
    };
    // Whether the token may say who it is or not, and however GraphQL spells an app.
    for viewer in [Some("github-actions[bot]"), None] {
        let fake = conversation(viewer, comments()).await;
        let found = fake
            .client()
            .find_comment(&infra(), 42, MARKER)
            .await
            .unwrap();
        assert_eq!(found.map(|comment| comment.at.id), Some(8), "{viewer:?}");
    }
    // A person's token edits that person's comment.
    let fake = conversation(Some("octocat"), comments()).await;
    let at = fake
        .client()
        .upsert_comment(&infra(), 42, MARKER, "b")
        .await
        .unwrap();
    assert_eq!(at.id, 1);
    // Somebody else's token writes its own.
    let fake = conversation(Some("hubot"), comments()).await;
    fake.client()
        .upsert_comment(&infra(), 42, MARKER, "b")
        .await
        .unwrap();
    assert_eq!(writes(&fake), ["POST /repos/acme/infra/issues/42/comments"]);
}

#[tokio::test]
async fn ours_is_found_on_any_page() {
    let mut comments: Vec<Value> = (1..=250)
        .map(|id| comment(id, "octocat", "User", "talk"))
        .collect();
    comments.push(comment(251, "github-actions[bot]", "Bot", MARKER));
    let fake = conversation(Some("github-actions"), comments).await;
    let found = fake
        .client()
        .find_comment(&infra(), 42, MARKER)
        .await
        .unwrap();
    assert_eq!(found.map(|comment| comment.at.id), Some(251));
}

#[tokio::test]
async fn further_comments_of_ours_are_folded_away() {
    let comments = vec![
        comment(5, "github-actions[bot]", "Bot", MARKER),
        comment(3, "github-actions[bot]", "Bot", MARKER),
        comment(4, "octocat", "User", MARKER),
    ];
    let fake = conversation(None, comments).await;
    let at = fake
        .client()
        .upsert_comment(&infra(), 42, MARKER, "b")
        .await
        .unwrap();
    assert_eq!(at.id, 3);
    let folded: Vec<Value> = fake
        .asked()
        .iter()
        .filter(|asked| asked.body["query"].to_string().contains("minimizeComment"))
        .map(|asked| asked.body["variables"]["id"].clone())
        .collect();
    assert_eq!(folded, ["IC_5"]);
}

#[tokio::test]
async fn a_comment_that_was_deleted_meanwhile_is_written_anew() {
    let fake = conversation(None, vec![comment(3, "github-actions[bot]", "Bot", MARKER)]).await;
    let github = fake.client();
    github.find_comment(&infra(), 42, MARKER).await.unwrap();
    let gone = conversation(None, vec![]).await;
    let github = {
        let known = github.known_comments.lock().await.clone();
        let client = gone.client();
        *client.known_comments.lock().await = known;
        client
    };
    let at = github
        .upsert_comment(&infra(), 42, MARKER, "b")
        .await
        .unwrap();
    assert_eq!(at.id, 1000);
}

#[tokio::test]
async fn a_lost_answer_to_a_new_comment_makes_no_second_comment() {
    // Stored, and the answer is a 502, or none at all.
    for lost in [
        Reply::message(502, "bad gateway"),
        Reply::json(&json!({})).too_late(),
    ] {
        let stored = Mutex::new(Vec::new());
        let fake = Fake::start(move |asked| {
            let mut stored = stored.lock().unwrap();
            match asked.method.as_str() {
                "GET" => Reply::json(&json!(*stored)),
                _ if asked.path == "/graphql" => Reply::message(403, "no"),
                _ => {
                    let body = asked.body["body"].as_str().unwrap();
                    stored.push(comment(77, "github-actions[bot]", "Bot", body));
                    lost.clone()
                }
            }
        })
        .await;
        let at = fake
            .client()
            .upsert_comment(&infra(), 42, MARKER, "b")
            .await
            .unwrap();
        assert_eq!(at.id, 77);
        assert_eq!(writes(&fake).len(), 1, "{:?}", fake.lines());
    }
    // Not stored: it is looked for before each further try.
    let tries = AtomicUsize::new(0);
    let fake = Fake::start(move |asked| match asked.method.as_str() {
        "GET" => Reply::json(&json!([])),
        _ if tries.fetch_add(1, Ordering::SeqCst) == 0 => Reply::message(502, "bad gateway"),
        _ => Reply::status(201, &comment(78, "github-actions[bot]", "Bot", MARKER)),
    })
    .await;
    let at = fake
        .client()
        .upsert_comment(&infra(), 42, MARKER, "b")
        .await
        .unwrap();
    assert_eq!(at.id, 78);
    let methods: Vec<String> = fake.asked().into_iter().map(|asked| asked.method).collect();
    assert_eq!(methods, ["GET", "POST", "GET", "POST"]);
}

// The gate's facts.

const HEAD: &str = "1111111111111111111111111111111111111111";
const MERGE: &str = "2222222222222222222222222222222222222222";
const BEFORE: &str = "3333333333333333333333333333333333333333";

fn wanted(arrival: Arrival) -> Wanted {
    Wanted {
        branch: "main".to_owned(),
        sha: MERGE.to_owned(),
        arrival,
        run_id: Some(5),
    }
}

fn pushed() -> Wanted {
    wanted(Arrival::Push {
        before: BEFORE.to_owned(),
        forced: false,
    })
}

fn review(login: &str, state: &str) -> Value {
    json!({
        "state": state,
        "submittedAt": "2026-11-20T12:00:00Z",
        "authorAssociation": "NONE",
        "authorCanPushToRepository": true,
        "author": { "__typename": "User", "login": login },
        "commit": { "oid": HEAD },
        "onBehalfOf": { "nodes": [] },
    })
}

fn pull_request(number: u64, reviews: &Value) -> Value {
    json!({
        "number": number, "url": format!("https://github.com/acme/infra/pull/{number}"),
        "state": "MERGED", "merged": true, "mergedAt": "2026-11-20T13:00:00Z",
        "baseRefName": "main", "headRefName": "change", "headRefOid": HEAD,
        "isCrossRepository": false,
        "baseRepository": { "nameWithOwner": "acme/infra" },
        "mergeCommit": { "oid": MERGE },
        "author": { "__typename": "User", "login": "octocat" },
        "mergedBy": { "__typename": "User", "login": "octocat" },
        "reviewDecision": null,
        "commits": { "totalCount": 1, "nodes": [{ "commit": { "oid": HEAD, "committer": { "user": { "login": "octocat" } } } }] },
        "latestOpinionatedReviews": {
            "pageInfo": { "hasNextPage": false, "endCursor": null },
            "nodes": reviews,
        },
    })
}

fn commit(sha: &str, parents: &[&str], pull_requests: &[Value]) -> Value {
    let parents: Vec<Value> = parents.iter().map(|oid| json!({ "oid": oid })).collect();
    json!({ "data": {
        "rateLimit": { "cost": 1, "remaining": 4999, "resetAt": "2026-11-20T14:00:00Z" },
        "repository": {
            "defaultBranchRef": { "name": "main", "target": { "oid": MERGE } },
            "object": {
                "oid": sha,
                "parents": { "nodes": parents },
                "associatedPullRequests": { "nodes": pull_requests },
            },
        },
    }})
}

/// A server whose GraphQL answers by commit and cursor, and whose main ends at the merge.
async fn repository(answer: impl Fn(&str, Option<&str>) -> Value + Send + Sync + 'static) -> Fake {
    Fake::start(move |asked| {
        if asked.path == "/graphql" {
            let variables = &asked.body["variables"];
            assert_eq!(
                (&variables["owner"], &variables["repo"]),
                (&json!("acme"), &json!("infra"))
            );
            let answer = answer(
                variables["sha"].as_str().unwrap(),
                variables["after"].as_str(),
            );
            Reply::json(&answer)
        } else if asked.path.contains("/branches/") {
            tip(MERGE)
        } else {
            Reply::message(404, "Not Found")
        }
    })
    .await
}

async fn judged(fake: &Fake, policy: &Policy, wanted: &Wanted) -> Decision {
    let facts = fake.client().facts(&infra(), policy, wanted).await.unwrap();
    decide(policy, &facts)
}

fn reasons(decision: &Decision) -> Vec<String> {
    decision.reasons().iter().map(Reason::to_string).collect()
}

#[tokio::test]
async fn an_approved_push_is_judged_from_githubs_answer() {
    let fake = repository(|sha, _| {
        let reviews = json!([review("hubot", "APPROVED")]);
        commit(sha, &[BEFORE, HEAD], &[pull_request(7, &reviews)])
    })
    .await;
    let decision = judged(&fake, &Policy::default(), &pushed()).await;
    let Decision::Approved(approval) = decision else {
        panic!("{:?}", reasons(&decision));
    };
    assert_eq!(approval.by(), ["hubot"]);
    // The whole gate costs two requests.
    assert_eq!(
        fake.lines(),
        ["POST /graphql", "GET /repos/acme/infra/branches/main"]
    );
}

#[tokio::test]
async fn odd_reviews_and_hidden_accounts_hide_nothing() {
    let fake = repository(|sha, _| {
        let mut deleted = review("-", "APPROVED");
        deleted["author"] = Value::Null;
        deleted["commit"] = Value::Null;
        deleted["submittedAt"] = Value::Null;
        deleted["onBehalfOf"] = Value::Null;
        let mut unknown = review("monalisa", "BLESSED");
        unknown["author"]["__typename"] = json!("EnterpriseUserAccount");
        let reviews = json!([deleted, null, unknown, review("hubot", "APPROVED")]);
        let mut pull_request = pull_request(7, &reviews);
        pull_request["author"] = Value::Null;
        pull_request["mergedBy"] = Value::Null;
        pull_request["commits"]["nodes"][0]["commit"]["committer"] = Value::Null;
        commit(sha, &[BEFORE], &[pull_request])
    })
    .await;
    let decision = judged(&fake, &Policy::default(), &pushed()).await;
    assert!(
        matches!(decision, Decision::Approved(_)),
        "{:?}",
        reasons(&decision)
    );
}

#[tokio::test]
async fn reviews_are_read_to_the_last_page_of_each_pull_request() {
    // 250 reviews, of which the only request for changes is the very last; beside it another pull
    // request with two pages of its own.
    let fake = repository(|sha, after| {
        let page = |number: u64, from: usize, cursor: Option<&str>| {
            let count = if cursor.is_some() { 100 } else { 50 };
            let mut nodes: Vec<Value> = (from..from + count)
                .map(|n| review(&format!("reviewer-{n}"), "APPROVED"))
                .collect();
            if cursor.is_none() {
                nodes.push(review(
                    "last",
                    if number == 7 {
                        "CHANGES_REQUESTED"
                    } else {
                        "APPROVED"
                    },
                ));
            }
            let mut pull_request = pull_request(number, &json!(nodes));
            pull_request["latestOpinionatedReviews"]["pageInfo"] =
                json!({ "hasNextPage": cursor.is_some(), "endCursor": cursor });
            pull_request
        };
        let both = match after {
            None => [page(7, 0, Some("7b")), page(8, 0, Some("8b"))],
            Some("7b") => [page(7, 100, Some("7c")), page(8, 900, Some("x"))],
            Some("7c") => [page(7, 200, None), page(8, 900, Some("x"))],
            Some("8b") => [page(7, 900, Some("x")), page(8, 100, None)],
            other => panic!("{other:?}"),
        };
        commit(sha, &[BEFORE], &both)
    })
    .await;
    let policy = Policy {
        required_approvals: 250,
        ..Policy::default()
    };
    let decision = judged(&fake, &policy, &pushed()).await;
    assert_eq!(reasons(&decision).len(), 2, "{:?}", reasons(&decision));
    assert!(reasons(&decision)[0].contains("last requests changes on #7"));
    assert!(reasons(&decision)[1].contains("#8 has 151 of 250"));
    assert_eq!(decision.tallies()[0].counted.len(), 250);
}

#[tokio::test]
async fn an_index_that_lags_is_asked_again_and_then_the_gate_stays_closed() {
    let tries = AtomicUsize::new(0);
    let fake = repository(move |sha, _| match tries.fetch_add(1, Ordering::SeqCst) {
        0 => json!({ "data": { "repository": { "object": null } } }),
        1 => commit(sha, &[BEFORE], &[]),
        2 => {
            // The pull request is known, its merge commit not yet.
            let mut pull_request = pull_request(7, &json!([review("hubot", "APPROVED")]));
            pull_request["merged"] = json!(false);
            pull_request["mergeCommit"] = Value::Null;
            commit(sha, &[BEFORE], &[pull_request])
        }
        _ => commit(
            sha,
            &[BEFORE],
            &[pull_request(7, &json!([review("hubot", "APPROVED")]))],
        ),
    })
    .await;
    let decision = judged(&fake, &Policy::default(), &pushed()).await;
    assert!(
        matches!(decision, Decision::Approved(_)),
        "{:?}",
        reasons(&decision)
    );

    let fake = repository(|sha, _| commit(sha, &[BEFORE], &[])).await;
    let decision = judged(&fake, &Policy::default(), &pushed()).await;
    assert!(reasons(&decision)[0].contains("without a pull request"));
    assert_eq!(
        fake.lines()
            .iter()
            .filter(|line| *line == "POST /graphql")
            .count(),
        6
    );
    // The pauses between them come to about half a minute.
    assert_eq!(
        Pauses::default()
            .index
            .iter()
            .sum::<std::time::Duration>()
            .as_secs(),
        30
    );
}

#[tokio::test]
async fn a_push_is_walked_back_to_where_it_began() {
    let other = "4444444444444444444444444444444444444444";
    let fake = repository(move |sha, _| match sha {
        MERGE => commit(
            sha,
            &[other, HEAD],
            &[pull_request(7, &json!([review("hubot", "APPROVED")]))],
        ),
        _ => {
            let mut earlier = pull_request(6, &json!([]));
            earlier["mergeCommit"] = json!({ "oid": other });
            commit(sha, &[BEFORE], &[earlier])
        }
    })
    .await;
    let decision = judged(&fake, &Policy::default(), &pushed()).await;
    assert!(
        reasons(&decision)[0].contains("#6 has 0 of 1"),
        "{:?}",
        reasons(&decision)
    );
    assert_eq!(decision.tallies().len(), 2);

    // A line that never meets the push's beginning ends somewhere, closed.
    let endless = repository(|sha, _| commit(sha, &[MERGE], &[pull_request(7, &json!([]))])).await;
    let decision = judged(&endless, &Policy::default(), &pushed()).await;
    assert!(reasons(&decision)[0].contains("does not continue main"));
}

#[tokio::test]
async fn hidden_teams_are_asked_for_and_other_errors_are_errors() {
    let with_error = |path: Value| {
        move |sha: &str, _: Option<&str>| {
            let mut hidden = review("hubot", "APPROVED");
            hidden["onBehalfOf"] = Value::Null;
            let mut reply = commit(sha, &[BEFORE], &[pull_request(7, &json!([hidden]))]);
            reply["errors"] =
                json!([{ "type": "FORBIDDEN", "message": "no teams", "path": path.clone() }]);
            reply
        }
    };
    let policy = Policy {
        approvers: approvers("acme/infra").unwrap(),
        ..Policy::default()
    };
    let fake = repository(with_error(json!([
        "repository",
        "object",
        "nodes",
        0,
        "onBehalfOf"
    ])))
    .await;
    let decision = judged(&fake, &policy, &pushed()).await;
    let said = reasons(&decision);
    assert!(
        said.iter()
            .any(|reason| reason.contains("whether hubot is in the team acme/infra")),
        "{said:?}"
    );
    let step = decision.reasons().last().unwrap().next_step();
    assert!(step.contains("members: read"), "{step}");

    let fake = repository(with_error(json!(["repository", "object", "author"]))).await;
    let error = fake
        .client()
        .facts(&infra(), &policy, &pushed())
        .await
        .unwrap_err();
    assert!(matches!(error, GitHubError::GraphQl { .. }), "{error}");
}

#[tokio::test]
async fn a_team_says_who_is_in_it_or_that_it_may_not() {
    let team = |membership: Reply, seen: Reply| async move {
        let fake = Fake::start(move |asked| {
            if asked.path.contains("/memberships/") {
                membership.clone()
            } else {
                seen.clone()
            }
        })
        .await;
        fake.client()
            .membership("acme", "infra", "octocat")
            .await
            .unwrap()
    };
    let (yes, no) = (Reply::json(&json!({})), Reply::message(404, "Not Found"));
    let state = |state: &str| Reply::json(&json!({ "state": state }));
    assert_eq!(
        team(state("active"), yes.clone()).await,
        MembershipAnswer::Member
    );
    assert_eq!(
        team(state("pending"), yes.clone()).await,
        MembershipAnswer::NotMember
    );
    assert_eq!(team(no.clone(), yes).await, MembershipAnswer::NotMember);
    let hidden = team(no.clone(), no).await;
    assert!(
        matches!(hidden, MembershipAnswer::NotTold { .. }),
        "{hidden:?}"
    );
    let forbidden = Reply::message(403, "Resource not accessible by integration");
    let hidden = team(forbidden.clone(), forbidden).await;
    assert!(
        matches!(hidden, MembershipAnswer::NotTold { .. }),
        "{hidden:?}"
    );
}

#[tokio::test]
async fn an_environment_is_read_with_its_reviewers_and_the_runs_approvals() {
    let fake = Fake::start(|asked| {
        let user = |login: &str| json!({ "login": login, "type": "User" });
        match asked.path.as_str() {
            "/repos/acme/infra/environments/prod%2Feu%20west" => Reply::json(&json!({
                "name": "prod/eu west",
                "protection_rules": [
                    { "type": "wait_timer", "wait_timer": 30 },
                    { "type": "required_reviewers", "prevent_self_review": true, "reviewers": [
                        { "type": "User", "reviewer": user("hubot") },
                        { "type": "Team", "reviewer": { "slug": "ops" } },
                        { "type": "Robot", "reviewer": { "slug": "r2" } },
                    ]},
                    { "type": "branch_policy" },
                ],
            })),
            "/repos/acme/infra/actions/runs/5" => Reply::json(&json!({
                "id": 5, "name": null, "head_branch": null, "actor": user("octocat"), "triggering_actor": null,
            })),
            "/repos/acme/infra/actions/runs/5/approvals" => Reply::json(&json!([
                { "state": "approved", "user": user("hubot"), "comment": "", "environments": [{ "name": "prod/eu west" }] },
            ])),
            "/repos/acme/infra/environments/hidden" => Reply::message(403, "Resource not accessible by integration"),
            _ => Reply::message(404, "Not Found"),
        }
    })
    .await;
    let github = fake.client();
    let facts = github
        .environment_facts(&infra(), "prod/eu west", Some(5))
        .await
        .unwrap();
    let EnvironmentProtection::Reviewers(reviewers) = &facts.protection else {
        panic!("{facts:?}");
    };
    assert_eq!(reviewers.len(), 2);
    assert_eq!(facts.started_by, ["octocat"]);
    assert_eq!(facts.approvals[0].user.as_ref().unwrap().login, "hubot");

    let missing = github
        .environment_facts(&infra(), "none", Some(5))
        .await
        .unwrap();
    assert_eq!(missing.protection, EnvironmentProtection::Missing);
    let hidden = github
        .environment_facts(&infra(), "hidden", Some(5))
        .await
        .unwrap();
    assert!(matches!(
        hidden.protection,
        EnvironmentProtection::NotTold { .. }
    ));
    let policy = Policy {
        environment: Some(RequiredEnvironment(Some("hidden".to_owned()))),
        ..Policy::default()
    };
    let facts = crate::core::approval::Facts {
        repository: "acme/infra".to_owned(),
        origin: crate::core::approval::Origin::Local,
        environment: Some(hidden),
        memberships: Vec::new(),
    };
    let decision = decide(&policy, &facts);
    assert!(decision.reasons()[1].next_step().contains("actions: read"));
}

// Runs and people.

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
    let ended = [
        job("completed", json!("2026-11-20T12:00:00Z")),
        job("completed", json!("2026-11-20T12:10:00Z")),
    ];
    let state = run("completed", ended.to_vec()).await;
    assert_eq!(
        state,
        RunState::Finished {
            at: "2026-11-20T12:10:00Z".parse().ok(),
            observed: "2026-11-20T12:30:00Z".parse().unwrap(),
            conclusion: Some("cancelled".to_owned()),
        }
    );
    let alive = run(
        "completed",
        vec![ended[0].clone(), job("in_progress", Value::Null)],
    )
    .await;
    assert_eq!(
        alive,
        RunState::Alive {
            status: "in_progress".to_owned()
        }
    );
    let waiting = run("waiting", Vec::new()).await;
    assert_eq!(
        waiting,
        RunState::Alive {
            status: "waiting".to_owned()
        }
    );
    for untold in [
        vec![job("completed", Value::Null), ended[0].clone()],
        Vec::new(),
    ] {
        let state = run("completed", untold).await;
        assert!(
            matches!(state, RunState::Finished { at: None, .. }),
            "{state:?}"
        );
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
        assert!(
            matches!(state, RunState::Unknown { .. }),
            "{run} {repository}: {state:?}"
        );
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
    assert_eq!(
        github.permission(&infra(), "octocat").await,
        Ok(Permission::Write)
    );
    assert_eq!(
        github.permission(&infra(), "hubot").await,
        Ok(Permission::None)
    );
    assert_eq!(
        github.permission(&infra(), "../../x").await,
        Ok(Permission::None)
    );
    assert!(
        fake.lines()
            .last()
            .unwrap()
            .ends_with("/collaborators/..%2F..%2Fx/permission")
    );
    let details = github.pull_request(&infra(), 42).await.unwrap();
    assert!(details.merged && !details.open && details.from_fork);
    assert_eq!(details.merge_commit.as_deref(), Some(MERGE));
    assert!(
        github
            .pull_request(&infra(), 43)
            .await
            .unwrap_err()
            .is_not_found()
    );
}

#[test]
fn a_repositorys_name_is_two_names() {
    assert_eq!(infra().to_string(), "acme/infra");
    for wrong in [
        "", "acme", "acme/", "/infra", "a/b/c", "../x", "acme/..", "acme/a b", "a?/b",
    ] {
        assert!(wrong.parse::<Repository>().is_err(), "{wrong}");
    }
}
