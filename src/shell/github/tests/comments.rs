//! Finding, writing and folding away comments.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::fake::{Asked, Fake, Reply};
use super::infra;

const MARKER: &str = "<!-- stategate:infra@default -->";

pub(super) fn comment(id: u64, login: &str, kind: &str, body: &str) -> Value {
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
            ("POST", "/graphql") if asked.body["query"].as_str().unwrap().contains("viewer") => match viewer {
                Some(login) => Reply::json(&json!({ "data": { "viewer": { "login": login } } })),
                None => Reply::json(&json!({
                    "data": null,
                    "errors": [{ "type": "FORBIDDEN", "message": "Resource not accessible by integration" }],
                })),
            },
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
    fake.asked().iter().filter(is_write).filter(|asked| asked.method != "GET").map(Asked::line).collect()
}

#[tokio::test]
async fn a_comment_is_created_once_and_then_edited_in_place() {
    let fake = conversation(Some("github-actions[bot]"), vec![]).await;
    let github = fake.client();
    let first = github.upsert_comment(&infra(), 42, MARKER, "planned").await.unwrap();
    let second = github.upsert_comment(&infra(), 42, MARKER, "applied").await.unwrap();
    assert_eq!(first, second);
    assert_eq!(
        fake.lines(),
        [
            "GET /repos/acme/infra/issues/42/comments?per_page=100&page=1",
            "POST /repos/acme/infra/issues/42/comments",
            "GET /repos/acme/infra/issues/42/comments?per_page=100&page=1",
            "PATCH /repos/acme/infra/issues/comments/1000",
        ]
    );
    let found = fake.client().find_comment(&infra(), 42, MARKER).await.unwrap().unwrap();
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
            comment(5, "github-actions[bot]", "Bot", "<!-- stategate:infra@default2 -->"),
            json!({ "id": 6, "body": marked, "user": null }),
            json!({ "id": 7, "body": null, "user": null }),
            comment(8, "github-actions[bot]", "Bot", &marked),
        ]
    };
    // Whether the token may say who it is or not, and however GraphQL spells an app.
    for viewer in [Some("github-actions[bot]"), None] {
        let fake = conversation(viewer, comments()).await;
        let found = fake.client().find_comment(&infra(), 42, MARKER).await.unwrap();
        assert_eq!(found.map(|comment| comment.at.id), Some(8), "{viewer:?}");
    }
    // A person's token edits that person's comment.
    let fake = conversation(Some("octocat"), comments()).await;
    let at = fake.client().upsert_comment(&infra(), 42, MARKER, "b").await.unwrap();
    assert_eq!(at.id, 1);
    // Somebody else's token writes its own.
    let fake = conversation(Some("hubot"), comments()).await;
    fake.client().upsert_comment(&infra(), 42, MARKER, "b").await.unwrap();
    assert_eq!(writes(&fake), ["POST /repos/acme/infra/issues/42/comments"]);
}

#[tokio::test]
async fn ours_is_found_on_any_page() {
    let mut comments: Vec<Value> = (1..=250).map(|id| comment(id, "octocat", "User", "talk")).collect();
    comments.push(comment(251, "github-actions[bot]", "Bot", MARKER));
    let fake = conversation(Some("github-actions"), comments).await;
    let found = fake.client().find_comment(&infra(), 42, MARKER).await.unwrap();
    assert_eq!(found.map(|comment| comment.at.id), Some(251));
}

#[tokio::test]
async fn further_comments_of_ours_are_folded_away() {
    let comments = vec![
        comment(5, "github-actions[bot]", "Bot", MARKER),
        comment(3, "github-actions[bot]", "Bot", MARKER),
        comment(4, "octocat", "User", MARKER),
    ];
    let fake = conversation(None, comments.clone()).await;
    let at = fake.client().upsert_comment(&infra(), 42, MARKER, "b").await.unwrap();
    assert_eq!(at.id, 3);
    assert_eq!(folded(&fake), ["IC_5"]);

    let fake = conversation(None, comments).await;
    let github = fake.client();
    assert_eq!(github.find_comment(&infra(), 42, MARKER).await.unwrap().map(|found| found.at.id), Some(3));
    assert_eq!(folded(&fake), ["IC_5"]);
}

/// Between our look and our write, others write too.
async fn written_meanwhile(others: Vec<Value>) -> Fake {
    let stored = Mutex::new(Vec::<Value>::new());
    Fake::start(move |asked| {
        let mut stored = stored.lock().unwrap();
        match (asked.method.as_str(), asked.path.as_str()) {
            ("POST", "/graphql") => Reply::message(403, "no"),
            ("GET", _) => Reply::json(&json!(*stored)),
            ("POST", _) => {
                let mut new = comment(1000, "github-actions[bot]", "Bot", "");
                new["body"] = asked.body["body"].clone();
                stored.extend(others.clone());
                stored.push(new.clone());
                Reply::status(201, &new)
            }
            ("PATCH", path) => {
                let id: u64 = path.rsplit_once('/').unwrap().1.parse().unwrap();
                Reply::json(&comment(id, "github-actions[bot]", "Bot", MARKER))
            }
            other => panic!("{other:?}"),
        }
    })
    .await
}

fn folded(fake: &Fake) -> Vec<Value> {
    let asked = fake.asked();
    let minimizing = asked.iter().filter(|asked| asked.body["query"].to_string().contains("minimizeComment"));
    minimizing.map(|asked| asked.body["variables"]["id"].clone()).collect()
}

#[tokio::test]
async fn of_two_jobs_that_create_the_same_comment_the_older_stays() {
    // The other job was quicker: its comment gets our text, ours is folded away.
    let others = vec![
        comment(998, "octocat", "User", MARKER),
        comment(999, "github-actions[bot]", "Bot", MARKER),
        comment(1001, "github-actions[bot]", "Bot", "<!-- stategate:infra@blue -->"),
    ];
    let fake = written_meanwhile(others).await;
    let at = fake.client().upsert_comment(&infra(), 42, MARKER, "b").await.unwrap();
    assert_eq!((at.id, folded(&fake)), (999, vec![json!("IC_1000")]));
    assert!(fake.lines().contains(&"PATCH /repos/acme/infra/issues/comments/999".to_owned()), "{:?}", fake.lines());

    // We were quicker: the other job sees it and folds its own away.
    let fake = written_meanwhile(vec![comment(1001, "github-actions[bot]", "Bot", MARKER)]).await;
    let at = fake.client().upsert_comment(&infra(), 42, MARKER, "b").await.unwrap();
    assert_eq!((at.id, folded(&fake).len()), (1000, 0));

    // A person pasted our marker: nothing of theirs is touched.
    let fake = written_meanwhile(vec![comment(998, "octocat", "User", MARKER)]).await;
    let at = fake.client().upsert_comment(&infra(), 42, MARKER, "b").await.unwrap();
    assert_eq!((at.id, folded(&fake).len()), (1000, 0));
    assert!(!fake.lines().iter().any(|line| line.starts_with("PATCH")), "{:?}", fake.lines());
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
    let at = github.upsert_comment(&infra(), 42, MARKER, "b").await.unwrap();
    assert_eq!(at.id, 1000);
}

#[tokio::test]
async fn a_lost_answer_to_a_new_comment_makes_no_second_comment() {
    // Stored, and the answer is a 502, or none at all.
    for lost in [Reply::message(502, "bad gateway"), Reply::json(&json!({})).too_late()] {
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
        let at = fake.client().upsert_comment(&infra(), 42, MARKER, "b").await.unwrap();
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
    let at = fake.client().upsert_comment(&infra(), 42, MARKER, "b").await.unwrap();
    assert_eq!(at.id, 78);
    let methods: Vec<String> = fake.asked().into_iter().map(|asked| asked.method).collect();
    // The last look is for another job's comment.
    assert_eq!(methods, ["GET", "POST", "GET", "POST", "GET"]);
}
