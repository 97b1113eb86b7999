//! What GitHub does not show blocks: each list of each query, with each kind of hole.

use graphql_parser::query::{Definition, OperationDefinition, Selection, SelectionSet, parse_query};
use serde_json::{Value, json};

use super::fake::{Fake, Reply};
use super::gate::{BEFORE, HEAD, MERGE, commit, list, pull_request, pushed, repository, review};
use super::{infra, tip};
use crate::shell::github::commits::APPROVAL;
use crate::shell::github::queue::QUEUE;
use crate::shell::github::{GitHubError, MergeGroup};
use stategate_core::approval::{Decision, Policy, decide};

/// The lists that a query asks for: the way to each, and whether it asks for all that the rule needs.
fn lists(query: &str) -> Vec<(Vec<String>, bool)> {
    fn walk(set: &SelectionSet<'static, String>, path: &[String], found: &mut Vec<(Vec<String>, bool)>) {
        for item in &set.items {
            match item {
                Selection::Field(field) => {
                    let path = [path, std::slice::from_ref(&field.name)].concat();
                    if field.arguments.iter().any(|(name, _)| name == "first" || name == "last") {
                        let text = field.selection_set.to_string();
                        let needs = ["pageInfo", "hasNextPage", "endCursor", "nodes"];
                        found.push((path.clone(), needs.iter().all(|name| text.contains(name))));
                    }
                    walk(&field.selection_set, &path, found);
                }
                Selection::InlineFragment(fragment) => walk(&fragment.selection_set, path, found),
                Selection::FragmentSpread(_) => panic!("no query has named fragments"),
            }
        }
    }
    let document = parse_query::<String>(query).unwrap().into_static();
    let mut found = Vec::new();
    for definition in &document.definitions {
        let Definition::Operation(OperationDefinition::Query(query)) = definition else { panic!("no query") };
        walk(&query.selection_set, &[], &mut found);
    }
    found
}

type Cut = fn(&mut Value);

/// Each way in which a list can fail to say what it holds.
fn holes() -> [(&'static str, Cut); 7] {
    [
        ("a hidden node", |list| list["nodes"].as_array_mut().unwrap().push(Value::Null)),
        ("no list", |list| *list = Value::Null),
        ("no nodes", |list| list["nodes"] = Value::Null),
        ("no word of further pages", |list| list["pageInfo"] = Value::Null),
        ("an empty word of further pages", |list| list["pageInfo"] = json!({})),
        ("no way to the next page", |list| list["pageInfo"] = json!({ "hasNextPage": true, "endCursor": null })),
        ("an empty way to the next page", |list| list["pageInfo"] = json!({ "hasNextPage": true, "endCursor": "" })),
    ]
}

/// Follows a way through an answer, through the first of each list.
fn at<'a>(answer: &'a mut Value, path: &[String]) -> &'a mut Value {
    path.iter().fold(answer, |value, name| {
        let value = if value.is_array() { &mut value[0] } else { value };
        assert!(value.get(name).is_some(), "the answer has no {name}: {value}");
        &mut value[name.as_str()]
    })
}

fn whole() -> Value {
    commit(MERGE, &[BEFORE, HEAD], &[pull_request(7, &json!([review("hubot", "APPROVED")]))])
}

#[test]
fn every_query_asks_whether_there_is_more_of_each_list() {
    let names = |query: &str| {
        let found = lists(query);
        assert!(found.iter().all(|(_, is_asked)| *is_asked), "{found:?}");
        found.into_iter().map(|(path, _)| path.last().unwrap().clone()).collect::<Vec<_>>()
    };
    let approval =
        ["parents", "associatedPullRequests", "commits", "timelineItems", "latestOpinionatedReviews", "onBehalfOf"];
    assert_eq!(names(APPROVAL), approval);
    assert_eq!(names(QUEUE), ["entries"]);
}

#[tokio::test]
async fn whatever_is_hidden_in_a_list_of_the_gates_question_blocks() {
    let fake = repository(|_, _| whole()).await;
    let facts = fake.client().facts(&infra(), &Policy::default(), &pushed()).await.unwrap();
    assert!(matches!(decide(&Policy::default(), &facts), Decision::Approved(_)), "the answer is whole");
    for (path, _) in lists(APPROVAL) {
        for (name, cut) in holes() {
            let path = path.clone();
            let of = path.join(".");
            let fake = repository(move |_, _| {
                let mut answer = whole();
                // The query's `nodes` and fragments are no names in the way to a list.
                cut(at(&mut answer["data"], &path));
                answer
            })
            .await;
            let error = fake.client().facts(&infra(), &Policy::default(), &pushed()).await.unwrap_err();
            assert!(matches!(error, GitHubError::Unreadable { .. }), "{of}, {name}: {error}");
            let asked = fake.lines();
            assert!(asked.iter().any(|line| line.starts_with("GET /repos/acme/infra/commits/")), "{of}: {asked:?}");
        }
    }
}

#[tokio::test]
async fn an_error_anywhere_in_the_gates_question_leaves_it_unanswered() {
    for path in [
        json!(["repository", "object", "associatedPullRequests", "nodes", 0, "latestOpinionatedReviews", "nodes", 1]),
        json!(["repository", "object", "associatedPullRequests", "nodes", 0, "onBehalfOf"]),
        json!(["repository", "object", "author"]),
        json!([]),
    ] {
        let fake = repository(move |_, _| {
            let mut answer = whole();
            answer["errors"] = json!([{ "type": "FORBIDDEN", "message": "no teams", "path": path.clone() }]);
            answer
        })
        .await;
        let error = fake.client().facts(&infra(), &Policy::default(), &pushed()).await.unwrap_err();
        assert!(matches!(error, GitHubError::GraphQl { .. }), "{error}");
    }
}

#[tokio::test]
async fn more_pull_requests_than_a_page_or_another_last_commit_are_asked_of_rest() {
    let cases: [Cut; 2] = [
        |commit| {
            commit["associatedPullRequests"]["pageInfo"] = json!({ "hasNextPage": true, "endCursor": "x" });
        },
        // Of many commits GitHub lists only some.
        |commit| {
            commit["associatedPullRequests"]["nodes"][0]["commits"]["nodes"][0]["commit"]["oid"] = json!(BEFORE);
        },
    ];
    for change in cases {
        let fake = repository(move |_, _| {
            let mut answer = whole();
            change(&mut answer["data"]["repository"]["object"]);
            answer
        })
        .await;
        let error = fake.client().facts(&infra(), &Policy::default(), &pushed()).await.unwrap_err();
        assert!(matches!(error, GitHubError::Unreadable { .. }), "{error}");
        assert!(fake.lines().iter().any(|line| line.contains(&format!("/commits/{MERGE}"))), "{:?}", fake.lines());
    }
}

#[tokio::test]
async fn whatever_is_hidden_in_the_merge_queue_is_an_error() {
    let [(path, _)] = lists(QUEUE).try_into().unwrap();
    for (name, cut) in holes() {
        let path = path.clone();
        let fake = Fake::start(move |asked| {
            if asked.path != "/graphql" {
                return tip(BEFORE);
            }
            let entries = list(&json!([{ "headCommit": { "oid": HEAD }, "pullRequest": { "number": 7 } }]));
            let mut answer = json!({ "data": { "repository": { "mergeQueue": { "entries": entries } } } });
            cut(at(&mut answer["data"], &path));
            Reply::json(&answer)
        })
        .await;
        let group = MergeGroup { branch: "main", head_sha: HEAD, named: Some(7) };
        let error = fake.client().pull_requests_of_group(&infra(), group).await.unwrap_err();
        assert!(matches!(error, GitHubError::Unreadable { .. }), "{name}: {error}");
    }
}
