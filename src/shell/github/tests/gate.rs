//! From a push back to its reviews, and environments.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::fake::{Fake, Reply};
use super::{infra, tip};
use crate::shell::github::{Pauses, Wanted};
use stategate_core::approval::{
    Arrival, Decision, EnvironmentProtection, Facts, MembershipAnswer, Origin, Policy, Reason, RequiredEnvironment,
    decide,
};

pub(super) const HEAD: &str = "1111111111111111111111111111111111111111";
pub(super) const MERGE: &str = "2222222222222222222222222222222222222222";
pub(super) const BEFORE: &str = "3333333333333333333333333333333333333333";

pub(super) fn wanted(arrival: Arrival) -> Wanted {
    Wanted {
        branch: "main".to_owned(),
        sha: MERGE.to_owned(),
        arrival,
        earlier: Vec::new(),
        is_cut_off: false,
        is_fresh: true,
        run_id: Some(5),
    }
}

pub(super) fn pushed() -> Wanted {
    wanted(Arrival::Push { before: BEFORE.to_owned(), forced: false })
}

pub(super) fn review(login: &str, state: &str) -> Value {
    json!({
        "state": state,
        "submittedAt": "2026-11-20T12:00:00Z",
        "authorAssociation": "NONE",
        "authorCanPushToRepository": true,
        "author": { "__typename": "User", "login": login },
        "commit": { "oid": HEAD },
        "onBehalfOf": list(&json!([])),
    })
}

/// All of a list, on one page.
pub(super) fn list(nodes: &Value) -> Value {
    json!({ "pageInfo": { "hasNextPage": false, "endCursor": null }, "nodes": nodes })
}

pub(super) fn pull_request(number: u64, reviews: &Value) -> Value {
    json!({
        "number": number, "url": format!("https://github.com/acme/infra/pull/{number}"),
        "state": "MERGED", "merged": true, "mergedAt": "2026-11-20T13:00:00Z",
        "baseRefName": "main", "headRefName": "change", "headRefOid": HEAD,
        "isCrossRepository": false,
        "baseRepository": { "nameWithOwner": "acme/infra" },
        "headRepository": { "nameWithOwner": "acme/infra" },
        "mergeCommit": { "oid": MERGE },
        "author": { "__typename": "User", "login": "octocat" },
        "mergedBy": { "__typename": "User", "login": "octocat" },
        "reviewDecision": null,
        "commits": list(&json!([{ "commit": { "oid": HEAD, "committer": { "user": { "login": "octocat" } } } }])),
        "timelineItems": list(&json!([])),
        "latestOpinionatedReviews": list(reviews),
    })
}

pub(super) fn commit(sha: &str, parents: &[&str], pull_requests: &[Value]) -> Value {
    let parents: Vec<Value> = parents.iter().map(|oid| json!({ "oid": oid })).collect();
    json!({ "data": {
        "rateLimit": { "cost": 1, "remaining": 4999, "resetAt": "2026-11-20T14:00:00Z" },
        "repository": {
            "defaultBranchRef": { "name": "main", "target": { "oid": MERGE } },
            "object": {
                "oid": sha,
                "parents": list(&json!(parents)),
                "associatedPullRequests": list(&json!(pull_requests)),
            },
        },
    }})
}

/// A server whose GraphQL answers by commit and cursor, and whose main ends at the merge.
pub(super) async fn repository(answer: impl Fn(&str, Option<&str>) -> Value + Send + Sync + 'static) -> Fake {
    Fake::start(move |asked| {
        if asked.path == "/graphql" {
            let variables = &asked.body["variables"];
            assert_eq!((&variables["owner"], &variables["repo"]), (&json!("acme"), &json!("infra")));
            let answer = answer(variables["sha"].as_str().unwrap(), variables["after"].as_str());
            Reply::json(&answer)
        } else if asked.path.contains("/branches/") {
            tip(MERGE)
        } else {
            Reply::message(404, "Not Found")
        }
    })
    .await
}

pub(super) async fn judged(fake: &Fake, policy: &Policy, wanted: &Wanted) -> Decision {
    let facts = fake.client().facts(&infra(), policy, wanted).await.unwrap();
    decide(policy, &facts)
}

pub(super) fn reasons(decision: &Decision) -> Vec<String> {
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
    // The whole gate costs three requests; this old server knows no activity, so it is asked for runs.
    assert_eq!(
        fake.lines(),
        [
            "POST /graphql".to_owned(),
            "GET /repos/acme/infra/branches/main".to_owned(),
            "GET /repos/acme/infra/activity?ref=refs%2Fheads%2Fchange&per_page=100".to_owned(),
            format!("GET /repos/acme/infra/actions/runs?head_sha={HEAD}&per_page=100&page=1"),
        ]
    );
}

/// An answer that names the branch's tip is as good as the other one that does.
#[tokio::test]
async fn the_tip_of_the_default_branch_is_told_by_either_api() {
    for (default, is_approved) in [
        (json!({ "name": "main", "target": { "oid": MERGE } }), true),
        (json!({ "name": "main", "target": { "oid": HEAD } }), false),
        (json!({ "name": "trunk", "target": { "oid": MERGE } }), false),
        (json!({ "name": "main", "target": { "oid": null } }), false),
        (json!({ "name": "main", "target": null }), false),
        (Value::Null, false),
    ] {
        let expected = default.clone();
        let fake = Fake::start(move |asked| {
            if asked.path != "/graphql" {
                return Reply::message(404, "Not Found");
            }
            let reviews = json!([review("hubot", "APPROVED")]);
            let sha = asked.body["variables"]["sha"].as_str().unwrap();
            let mut answer = commit(sha, &[BEFORE, HEAD], &[pull_request(7, &reviews)]);
            answer["data"]["repository"]["defaultBranchRef"] = default.clone();
            Reply::json(&answer)
        })
        .await;
        let decision = judged(&fake, &Policy::default(), &pushed()).await;
        assert_eq!(matches!(decision, Decision::Approved(_)), is_approved, "{expected}: {:?}", reasons(&decision));
    }
}

#[tokio::test]
async fn odd_reviews_and_accounts_that_are_gone_hide_nothing() {
    let fake = repository(|sha, _| {
        let mut deleted = review("-", "APPROVED");
        deleted["author"] = Value::Null;
        deleted["commit"] = Value::Null;
        deleted["submittedAt"] = Value::Null;
        let mut unknown = review("monalisa", "BLESSED");
        unknown["author"]["__typename"] = json!("EnterpriseUserAccount");
        let reviews = json!([deleted, unknown, review("hubot", "APPROVED"), review("defunkt", "APPROVED")]);
        let mut pull_request = pull_request(7, &reviews);
        pull_request["author"] = Value::Null;
        pull_request["mergedBy"] = Value::Null;
        pull_request["commits"]["nodes"][0]["commit"]["committer"] = Value::Null;
        commit(sha, &[BEFORE], &[pull_request])
    })
    .await;
    let decision = judged(&fake, &Policy::default(), &pushed()).await;
    assert!(matches!(decision, Decision::Approved(_)), "{:?}", reasons(&decision));
}

#[tokio::test]
async fn what_github_commits_on_its_own_pages_was_pushed_by_its_author() {
    let who_could = |committer: &'static str, author: Value| async move {
        let fake = repository(move |sha, _| {
            let mut pull_request = pull_request(7, &json!([]));
            let head = &mut pull_request["commits"]["nodes"][0]["commit"];
            head["committer"]["user"]["login"] = json!(committer);
            head["author"] = author.clone();
            head["signature"] = json!({ "wasSignedByGitHub": true });
            commit(sha, &[BEFORE], &[pull_request])
        })
        .await;
        judged(&fake, &Policy::default(), &pushed()).await.tallies()[0].who_could.clone()
    };
    // "Update branch", or an edit in the browser, by somebody other than the author.
    let anybody = "anybody who can write to this repository, except octocat (its author)";
    let hubot = json!({ "user": { "login": "hubot" } });
    assert_eq!(who_could("web-flow", hubot.clone()).await, format!("{anybody} and hubot (who pushed last)"));
    assert_eq!(who_could("octocat", hubot).await, anybody, "who commits may not be who wrote it");
    assert_eq!(who_could("web-flow", json!({ "user": null })).await, anybody);
    assert_eq!(who_could("web-flow", Value::Null).await, anybody);
}

#[tokio::test]
async fn reviews_are_read_to_the_last_page_of_each_pull_request() {
    // 250 reviews, of which the only request for changes is the very last; beside it another pull
    // request with two pages of its own.
    let fake = repository(|sha, after| {
        let page = |number: u64, from: usize, cursor: Option<&str>| {
            let count = if cursor.is_some() { 100 } else { 50 };
            let mut nodes: Vec<Value> =
                (from..from + count).map(|n| review(&format!("reviewer-{n}"), "APPROVED")).collect();
            if cursor.is_none() {
                nodes.push(review("last", if number == 7 { "CHANGES_REQUESTED" } else { "APPROVED" }));
            }
            let mut pull_request = pull_request(number, &json!(nodes));
            let info = json!({ "hasNextPage": cursor.is_some(), "endCursor": cursor });
            pull_request["latestOpinionatedReviews"]["pageInfo"] = info;
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
    let policy = Policy { required_approvals: 250, ..Policy::default() };
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
        _ => commit(sha, &[BEFORE], &[pull_request(7, &json!([review("hubot", "APPROVED")]))]),
    })
    .await;
    let decision = judged(&fake, &Policy::default(), &pushed()).await;
    assert!(matches!(decision, Decision::Approved(_)), "{:?}", reasons(&decision));

    let fake = repository(|sha, _| commit(sha, &[BEFORE], &[])).await;
    let decision = judged(&fake, &Policy::default(), &pushed()).await;
    assert!(reasons(&decision)[0].contains("without a pull request"));
    assert_eq!(fake.lines().iter().filter(|line| *line == "POST /graphql").count(), 6);
    // The pauses between them come to about half a minute.
    assert_eq!(Pauses::default().index.iter().sum::<std::time::Duration>().as_secs(), 30);
}

#[tokio::test]
async fn a_push_is_walked_back_to_where_it_began() {
    let other = "4444444444444444444444444444444444444444";
    let fake = repository(move |sha, _| {
        if sha == MERGE {
            return commit(sha, &[other, HEAD], &[pull_request(7, &json!([review("hubot", "APPROVED")]))]);
        }
        let mut earlier = pull_request(6, &json!([]));
        earlier["mergeCommit"] = json!({ "oid": other });
        commit(sha, &[BEFORE], &[earlier])
    })
    .await;
    let decision = judged(&fake, &Policy::default(), &pushed()).await;
    assert!(reasons(&decision)[0].contains("#6 has 0 of 1"), "{:?}", reasons(&decision));
    assert_eq!(decision.tallies().len(), 2);

    // A line that never meets the push's beginning ends somewhere, closed.
    let endless = repository(|sha, _| commit(sha, &[MERGE], &[pull_request(7, &json!([]))])).await;
    let decision = judged(&endless, &Policy::default(), &pushed()).await;
    assert!(reasons(&decision)[0].contains("does not continue main"));
}

#[tokio::test]
async fn a_team_says_who_is_in_it_or_that_it_may_not() {
    let team = |membership: Reply, seen: Reply| async move {
        let fake = Fake::start(
            move |asked| {
                if asked.path.contains("/memberships/") { membership.clone() } else { seen.clone() }
            },
        )
        .await;
        fake.client().membership("acme", "infra", "octocat").await.unwrap()
    };
    let (yes, no) = (Reply::json(&json!({})), Reply::message(404, "Not Found"));
    let state = |state: &str| Reply::json(&json!({ "state": state }));
    assert_eq!(team(state("active"), yes.clone()).await, MembershipAnswer::Member);
    assert_eq!(team(state("pending"), yes.clone()).await, MembershipAnswer::NotMember);
    assert_eq!(team(no.clone(), yes).await, MembershipAnswer::NotMember);
    let hidden = team(no.clone(), no).await;
    assert!(matches!(hidden, MembershipAnswer::NotTold { .. }), "{hidden:?}");
    let forbidden = Reply::message(403, "Resource not accessible by integration");
    let hidden = team(forbidden.clone(), forbidden).await;
    assert!(matches!(hidden, MembershipAnswer::NotTold { .. }), "{hidden:?}");
}

#[tokio::test]
async fn an_environment_is_read_with_its_reviewers_and_the_runs_approvals() {
    let fake = Fake::start(|asked| {
        let user = |login: &str| json!({ "login": login, "type": "User" });
        match asked.path.as_str() {
            "/repos/acme/infra/environments/prod%2Feu%20west" => Reply::json(&json!({
                "name": "prod/eu west",
                "deployment_branch_policy": { "protected_branches": true, "custom_branch_policies": false },
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
    let facts = github.environment_facts(&infra(), "prod/eu west", Some(5)).await.unwrap();
    let EnvironmentProtection::Reviewers(reviewers) = &facts.protection else {
        panic!("{facts:?}");
    };
    assert_eq!(reviewers.len(), 2);
    assert_eq!(facts.started_by, ["octocat"]);
    assert!(!facts.lets_every_branch_in && facts.actor.as_ref().is_some_and(|actor| actor.login == "octocat"));
    assert_eq!(facts.approvals[0].user.as_ref().unwrap().login, "hubot");

    let missing = github.environment_facts(&infra(), "none", Some(5)).await.unwrap();
    assert_eq!(missing.protection, EnvironmentProtection::Missing);
    let hidden = github.environment_facts(&infra(), "hidden", Some(5)).await.unwrap();
    assert!(matches!(hidden.protection, EnvironmentProtection::NotTold { .. }));
    let policy = Policy { environment: Some(RequiredEnvironment(Some("hidden".to_owned()))), ..Policy::default() };
    let facts = Facts {
        repository: "acme/infra".to_owned(),
        origin: Origin::Local,
        environment: Some(hidden),
        memberships: Vec::new(),
    };
    let decision = decide(&policy, &facts);
    assert!(decision.reasons()[1].next_step().to_string().contains("actions: read"));
}
