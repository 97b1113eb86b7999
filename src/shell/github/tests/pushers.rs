//! Who pushed last, by GitHub's own word.

use serde_json::{Value, json};

use super::fake::{Fake, Reply};
use super::gate::{BEFORE, HEAD, MERGE, commit, pull_request, pushed, reasons, review};
use super::{infra, tip};
use stategate_core::approval::{Decision, Policy, decide};

/// A pull request of octocat's whose last commit claims to be octocat's, approved by hubot; and what
/// GitHub answers to who pushed it.
async fn asked_who_pushed(committer: Value, activity: Reply, runs: Reply) -> Fake {
    Fake::start(move |asked| {
        let path = asked.path.split('?').next().unwrap_or_default();
        match path.strip_prefix("/repos/acme/infra/").unwrap_or(path) {
            "/graphql" => {
                let mut pull_request = pull_request(7, &json!([review("hubot", "APPROVED")]));
                pull_request["commits"]["nodes"][0]["commit"]["committer"]["user"] = committer.clone();
                Reply::json(&commit(MERGE, &[BEFORE, HEAD], &[pull_request]))
            }
            "branches/main" => tip(MERGE),
            "activity" => activity.clone(),
            "actions/runs" => runs.clone(),
            _ => Reply::message(404, "Not Found"),
        }
    })
    .await
}

#[tokio::test]
async fn an_approval_counts_where_githubs_word_says_that_another_pushed() {
    let octocat = json!({ "login": "octocat" });
    let activity = |after: &str, actor: Value| Reply::json(&json!([{ "after": after, "actor": actor }]));
    let runs = |event: &str, branch: &str, actor: Value| {
        Reply::json(&json!({ "total_count": 1, "workflow_runs": [
            { "event": event, "head_sha": HEAD, "head_branch": branch, "actor": actor },
            { "event": "push", "head_sha": MERGE, "head_branch": "change", "actor": { "login": "hubot" } },
        ] }))
    };
    let user = |login: &str| json!({ "login": login, "type": "User" });
    let (none, nothing) = (|| Reply::message(404, "Not Found"), || Reply::json(&json!([])));
    let no_runs = || Reply::json(&json!({ "total_count": 0, "workflow_runs": [] }));
    let refused = || Reply::message(403, "Resource not accessible by integration");
    let cases = [
        ("the activity names hubot", &octocat, activity(HEAD, user("Hubot")), none(), "pushed the last commit"),
        ("the activity names octocat", &octocat, activity(HEAD, user("octocat")), refused(), ""),
        ("an app pushed, with no account in the commit", &Value::Null, activity(HEAD, user("r[bot]")), none(), ""),
        ("a deleted account pushed", &octocat, activity(HEAD, Value::Null), no_runs(), "GitHub names nobody"),
        ("another commit's activity", &octocat, activity(BEFORE, user("octocat")), no_runs(), "GitHub names nobody"),
        ("its run was hubot's", &octocat, nothing(), runs("pull_request", "x", user("hubot")), "pushed the last"),
        ("its run was octocat's", &Value::Null, nothing(), runs("push", "change", user("octocat")), ""),
        ("its run was of another branch", &octocat, nothing(), runs("push", "x", user("octocat")), "names nobody"),
        (
            "its run was started by hand",
            &octocat,
            nothing(),
            runs("workflow_dispatch", "change", user("hubot")),
            "names nobody",
        ),
        ("neither is there, an account", &octocat, none(), none(), ""),
        ("neither is there, no account", &Value::Null, none(), none(), "its committer has no account"),
        ("the token may not see the runs", &octocat, none(), refused(), "add `actions: read`"),
        ("a word that is none", &octocat, Reply::json(&json!("?")), none(), "cannot be read"),
    ];
    for (name, committer, activity, runs, expected) in cases {
        let fake = asked_who_pushed(committer.clone(), activity, runs).await;
        let facts = fake.client().facts(&infra(), &Policy::default(), &pushed()).await.unwrap();
        let decision = decide(&Policy::default(), &facts);
        let said = reasons(&decision).join("; ");
        assert_eq!(matches!(decision, Decision::Approved(_)), expected.is_empty(), "{name}: {said}");
        assert!(said.contains(expected), "{name}: {said}");
    }
}

#[tokio::test]
async fn whose_push_it_was_is_no_ones_to_know_while_github_is_out_of_reach() {
    let fake =
        asked_who_pushed(json!({ "login": "octocat" }), Reply::message(401, "Bad credentials"), tip(MERGE)).await;
    assert!(fake.client().facts(&infra(), &Policy::default(), &pushed()).await.is_err());
}
