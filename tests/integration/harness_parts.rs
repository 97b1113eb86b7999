//! The harness's own parts hold what the tests take for granted.

use std::process::Command;
use std::time::Duration;

use graphql_parser::query::parse_query;
use serde_json::{Value, json};

use crate::harness::files::{PROD_KEY, PROD_LOCK};
use crate::harness::github::{FakeGithub, WORKFLOW_PERMISSIONS, graphql_schema, schema};
use crate::harness::ministack::Ministack;
use crate::harness::process::{Finished, run, wait_for};
use crate::harness::python::python;
use crate::harness::world::World;

#[test]
fn the_aws_stand_in_keeps_objects_and_versions() {
    let bucket = Ministack::shared().bucket();
    assert_eq!(bucket.get("a"), None);
    bucket.put("a", "one");
    bucket.put("a", "two");
    assert_eq!(bucket.get("a").as_deref(), Some(b"two".as_slice()));
    assert_eq!(bucket.versions("a"), 2);
    bucket.delete("a");
    assert!(bucket.keys().is_empty());
}

#[test]
fn plain_terraform_locks_and_applies_on_a_laptop() {
    let world = World::new();
    let holding = world.laptop().hold_lock();
    assert_eq!(world.bucket.locks(), [PROD_LOCK]);
    let kept_out = world.laptop().plan();
    assert_eq!(kept_out.code, Some(1));
    assert!(kept_out.stderr.contains("Error acquiring the state lock"), "{}", kept_out.text());
    holding.finish();
    assert!(world.bucket.locks().is_empty());
    assert!(world.bucket.keys().contains(&PROD_KEY.to_owned()));
}

#[test]
fn a_stand_in_goes_with_its_parent() {
    // A process that starts a stand-in like ours and is killed: its pipe closes, and nothing else tells the child.
    let script = "import subprocess, sys, time\n\
        child = subprocess.Popen([sys.executable, '-c', 'import sys; sys.stdin.buffer.read()'], stdin=subprocess.PIPE)\n\
        print(child.pid, flush=True)\ntime.sleep(60)";
    let mut parent = Command::new(python()).args(["-c", script]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(parent.stdout.as_mut().unwrap()), &mut line).unwrap();
    parent.kill().unwrap();
    parent.wait().unwrap();
    let child = std::path::PathBuf::from(format!("/proc/{}", line.trim()));
    wait_for("the child to leave", Duration::from_secs(10), || (!child.exists()).then_some(()));
}

fn ask(github: &FakeGithub, token: &str, method: &str, path: &str, body: Option<&Value>) -> (u16, Value, Finished) {
    let mut curl = Command::new("curl");
    curl.args(["-sS", "-i", "-X", method, "-H", &format!("Authorization: Bearer {token}")]);
    if let Some(body) = body {
        curl.args(["-d", &body.to_string()]);
    }
    let finished = run(curl.arg(format!("{}{path}", github.api_url())));
    let (head, text) = finished.stdout.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(text).unwrap_or(Value::Null), finished)
}

#[test]
fn github_answers_in_its_own_shapes() {
    let github = FakeGithub::start();
    let token = github.workflow_token(WORKFLOW_PERMISSIONS);
    let number = github.open_pull_request("octocat", "change", "A change");
    github.review(number, "hubot", "APPROVED");
    let head = github.state().pulls[&number].head_sha().to_owned();
    let push = github.merge(number, "octocat");
    let run = github.start_run("plan", "push", &push.after, "main", "octocat");
    github.environment("prod", &["hubot"], true);
    github.approve_run(run, "prod", "hubot");
    let get = |path: &str| ask(&github, &token, "GET", &format!("/repos/acme/infra{path}"), None);
    for path in [
        String::new(),
        "/pulls?state=all".to_owned(),
        format!("/pulls/{number}"),
        format!("/pulls/{number}/reviews"),
        format!("/pulls/{number}/commits"),
        format!("/commits/{head}/pulls"),
        format!("/commits/{head}"),
        "/branches/main".to_owned(),
        format!("/compare/{}...{}", push.before, push.after),
        format!("/issues/{number}/comments"),
        "/collaborators/hubot/permission".to_owned(),
        format!("/actions/runs/{run}"),
        format!("/actions/runs/{run}/attempts/1"),
        format!("/actions/runs/{run}/attempts/1/jobs"),
        format!("/actions/runs/{run}/approvals"),
        "/environments/prod".to_owned(),
    ] {
        let (status, body, raw) = get(&path);
        assert_eq!(status, 200, "{path}: {}", raw.text());
        assert!(!body.is_null(), "{path}");
    }
    assert_eq!(get(&format!("/commits/{}/pulls", push.after)).1[0]["number"], number);
    assert_eq!(get(&format!("/compare/{}...{}", push.before, push.after)).1["ahead_by"], 2);
    assert_eq!(get("/actions/runs/1").0, 404);
    for event in [github.push_event(&push), github.dispatch_event("octocat"), github.merged_event(number)] {
        assert!(event.payload["repository"]["full_name"] == "acme/infra", "{}", event.name);
    }
    let other = github.open_pull_request("octocat", "other", "Another");
    github.push_to_pull_request(other, "octocat");
    github.pull_request_event(other, "opened");
    github.pull_request_event(other, "synchronize");
    github.merge_group_event(other);
}

#[test]
fn github_pages_refuses_and_fails_like_itself() {
    let github = FakeGithub::start();
    let token = github.workflow_token(WORKFLOW_PERMISSIONS);
    let number = github.open_pull_request("octocat", "change", "A change");
    let comments = format!("/repos/acme/infra/issues/{number}/comments");
    for index in 0..101 {
        github.write_comment(number, "octocat", &format!("comment {index}"));
    }
    let (_, first, raw) = ask(&github, &token, "GET", &format!("{comments}?per_page=100"), None);
    assert_eq!(first.as_array().unwrap().len(), 100);
    assert!(raw.stdout.contains(r#"page=2>; rel="next""#), "{}", raw.stdout);
    let (_, second, _) = ask(&github, &token, "GET", &format!("{comments}?per_page=100&page=2"), None);
    assert_eq!(second[0]["body"], "comment 100");

    let (status, posted, _) = ask(&github, &token, "POST", &comments, Some(&json!({ "body": "ours" })));
    assert_eq!((status, posted["user"]["type"].as_str()), (201, Some("Bot")));
    let ours = format!("/repos/acme/infra/issues/comments/{}", posted["id"]);
    assert_eq!(
        ask(&github, &token, "PATCH", &ours, Some(&json!({ "body": "ours, edited" }))).1["body"],
        "ours, edited"
    );
    let theirs = format!("/repos/acme/infra/issues/comments/{}", first[0]["id"]);
    assert_eq!(ask(&github, &token, "PATCH", &theirs, Some(&json!({ "body": "taken" }))).0, 403);
    let long = json!({ "body": "x".repeat(65_537) });
    assert_eq!(ask(&github, &token, "POST", &comments, Some(&long)).0, 422);

    let reader = github.workflow_token(&[("contents", "read")]);
    let (status, refused, _) = ask(&github, &reader, "POST", &comments, Some(&json!({ "body": "x" })));
    assert_eq!((status, refused["message"].as_str()), (403, Some("Resource not accessible by integration")));
    assert_eq!(ask(&github, "wrong", "GET", &comments, None).0, 401);
    github.fail_next(1, "GET", "/comments", 502);
    assert_eq!(ask(&github, &token, "GET", &comments, None).0, 502);
    assert_eq!(ask(&github, &token, "GET", &comments, None).0, 200);
    github.lose_answers(1, "POST", "/comments", 502);
    assert_eq!(ask(&github, &token, "POST", &comments, Some(&json!({ "body": "lost" }))).0, 502);
    assert_eq!(github.comments(number).last().unwrap().body, "lost");
}

#[test]
fn github_selects_what_a_query_asks_and_refuses_unknown_fields() {
    let github = FakeGithub::start();
    let token = github.workflow_token(WORKFLOW_PERMISSIONS);
    let number = github.open_pull_request("octocat", "change", "A change");
    github.review(number, "hubot", "APPROVED");
    github.person("outsider", "read");
    github.review(number, "outsider", "APPROVED");
    let push = github.merge(number, "octocat");
    let query = "query($owner: String!, $name: String!, $sha: GitObjectID!) {
        repository(owner: $owner, name: $name) { object(oid: $sha) { ... on Commit {
            associatedPullRequests(first: 10) { nodes {
                number
                latestOpinionatedReviews(first: 100, writersOnly: true) {
                    pageInfo { hasNextPage } nodes { state author { __typename login } commit { oid } }
                }
            } }
        } } }
    }";
    let variables = json!({ "owner": "acme", "name": "infra", "sha": push.after });
    let post = |query: &str| {
        ask(&github, &token, "POST", "/graphql", Some(&json!({ "query": query, "variables": variables }))).1
    };
    let answer = post(query);
    let pull = &answer["data"]["repository"]["object"]["associatedPullRequests"]["nodes"][0];
    assert_eq!(pull["number"], number, "{answer}");
    let reviews = pull["latestOpinionatedReviews"]["nodes"].as_array().unwrap();
    assert_eq!(reviews.len(), 1, "only who can write: {answer}");
    assert_eq!(reviews[0]["author"], json!({ "__typename": "User", "login": "hubot" }));
    let unknown = post(&query.replace("state author", "stat author"));
    assert_eq!(unknown["errors"][0]["message"], "Field 'stat' doesn't exist on type 'PullRequestReview'");

    let comment = github.write_comment(number, "octocat", "old");
    let minimize = format!(
        "mutation {{ minimizeComment(input: {{ subjectId: \"IC_{comment}\", classifier: OUTDATED }}) {{ minimizedComment {{ isMinimized }} }} }}"
    );
    assert_eq!(post(&minimize)["data"]["minimizeComment"]["minimizedComment"]["isMinimized"], true);
    assert!(github.comments(number)[0].minimized);
}

#[test]
fn an_answer_that_github_would_not_give_is_found() {
    let error = schema::validate("BasicError", &json!({ "message": 5 })).unwrap_err();
    assert!(error.contains("/message"), "{error}");
    let unknown_field = std::panic::catch_unwind(|| schema::build("BasicError", &json!({ "mesage": "x" })));
    assert!(unknown_field.is_err());

    let github = FakeGithub::start();
    let token = github.workflow_token(WORKFLOW_PERMISSIONS);
    ask(&github, &token, "GET", "/repos/acme/infra/no-such-thing", None);
    let violations = std::mem::take(&mut github.state().violations);
    assert_eq!(violations, ["the fake GitHub does not know GET /repos/acme/infra/no-such-thing"]);
}

#[test]
fn queries_and_answers_are_held_against_githubs_own_graphql_schema() {
    let read = |text: &str| parse_query::<String>(text).unwrap().into_static();
    let query =
        |fields: &str| read(&format!("query Q($n: Int!) {{ repository(owner: \"o\", name: \"r\") {{ {fields} }} }}"));
    let refused = |fields: &str| graphql_schema::refusal(&query(fields)).unwrap_or_default();
    assert_eq!(refused("pullRequest(number: $n) { number merged } object(oid: \"x\") { ... on Commit { oid } }"), "");
    assert!(refused("pullRequests(first: 1) { nodes { approved } }").contains("doesn't exist on type 'PullRequest'"));
    assert!(refused("object(oid: \"x\") { ... on Commit { number } }").contains("doesn't exist on type 'Commit'"));
    assert!(refused("pullRequest(name: \"x\") { number }").contains("doesn't accept argument 'name'"));
    assert!(refused("pullRequest { number }").contains("missing required arguments: number"));
    assert!(refused("mergeQueue(branch: $n) { id }").contains("Type mismatch on variable $n"));
    assert!(refused("pullRequest(number: $n)").contains("must have selections"));
    assert!(refused("nameWithOwner { text }").contains("must not have selections"));

    let violations = |value: Value| {
        let asked = query("pullRequest(number: $n) { number state mergedAt author { login } }");
        graphql_schema::violations(&asked, &json!({ "repository": { "pullRequest": value } }))
    };
    let sound = json!({ "number": 1, "state": "OPEN", "mergedAt": null, "author": null });
    assert!(violations(sound.clone()).is_empty() && violations(Value::Null).is_empty());
    for (field, value) in [
        ("number", Value::Null),
        ("number", json!("1")),
        ("state", json!("DONE")),
        ("mergedAt", json!("yesterday")),
        ("author", json!({ "login": null })),
        ("author", json!({})),
        ("author", json!([])),
    ] {
        let mut other = sound.clone();
        other[field] = value;
        assert_eq!(violations(other.clone()).len(), 1, "{other}");
    }
}
