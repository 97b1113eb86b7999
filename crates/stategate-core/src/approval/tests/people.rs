//! Whose approvals are asked about.

use super::*;

#[test]
fn earlier_approvals_are_looked_into_only_where_content_binds() {
    let mut pull_request = approved(pull_request());
    pull_request.reviews[0].commit = Some("old".to_owned());
    let mut facts = facts_with(pull_request);
    let policy = Policy { binds_to: BindsTo::Content, ..Policy::default() };
    assert!(earlier_approvals(&Policy::default(), &facts).is_empty());
    let earlier = EarlierApproval {
        pull_request: 7,
        commit: "old".to_owned(),
        head: HEAD.to_owned(),
        head_repository: Some("acme/infra".to_owned()),
        head_branch: "change".to_owned(),
    };
    assert_eq!(earlier_approvals(&policy, &facts), [earlier]);
    assert_blocked(&policy, &facts, &["0 of 1"]);
    facts.prove(&same_content("old", HEAD, 7));
    assert_approved(&policy, &facts);
    assert!(earlier_approvals(&policy, &facts).is_empty());
}

#[test]
fn teams_are_asked_about_only_where_they_decide() {
    let policy = Policy { approvers: approvers("acme/infra, second").unwrap(), ..Policy::default() };
    let facts = facts_with(approved(pull_request()));
    let question = ("acme".to_owned(), "infra".to_owned(), "reviewer".to_owned());
    assert_eq!(memberships_to_ask(&policy, &facts), [question]);
    assert!(memberships_to_ask(&Policy::default(), &facts).is_empty());
    assert!(memberships_to_ask(&policy, &facts_with(pull_request())).is_empty());
}

#[test]
fn approvers_are_read_or_refused() {
    let list = approvers(" octocat,@hubot\n@acme/infra-team ").unwrap();
    let names: Vec<String> = list.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["octocat", "hubot", "acme/infra-team"]);
    assert_eq!(approvers(""), Ok(Vec::new()));
    assert_eq!(approvers(" \n"), Ok(Vec::new()));
    for wrong in ["a/b/c", "/team", "org/", "@", "two words/x!", "a;b", ",", " ,\n"] {
        assert!(approvers(wrong).is_err(), "{wrong}");
    }
}
