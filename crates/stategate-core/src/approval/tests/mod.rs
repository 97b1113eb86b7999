//! The facts that the tests start from, and how a decision is looked at.

mod environment;
mod histories;
mod origin;
mod people;
mod property;

use super::*;
use crate::record::{self, SameContent};

const HEAD: &str = "1111111111111111111111111111111111111111";
const MERGE: &str = "2222222222222222222222222222222222222222";
const BEFORE: &str = "3333333333333333333333333333333333333333";
const ZEROS: &str = "0000000000000000000000000000000000000000";

fn user(login: &str) -> Actor {
    Actor { login: login.to_owned(), kind: ActorKind::User }
}

/// A merged pull request by `author`, to which `pusher` pushed last; nobody reviewed it.
fn pull_request() -> PullRequest {
    PullRequest {
        number: 7,
        url: "https://github.com/acme/infra/pull/7".to_owned(),
        merged: true,
        base_repository: Some("acme/infra".to_owned()),
        base_branch: "main".to_owned(),
        head_branch: "change".to_owned(),
        head: HEAD.to_owned(),
        from_fork: false,
        merge_commit: Some(MERGE.to_owned()),
        author: Some(user("author")),
        merged_by: Some(user("author")),
        head_repository: Some("acme/infra".to_owned()),
        pushers: pushed_by("pusher"),
        reviews: Vec::new(),
        base_changes: Vec::new(),
        dismissals: Vec::new(),
        same_content: Vec::new(),
        brings_nothing: false,
    }
}

/// GitHub itself says who pushed the last commit.
fn pushed_by(login: &str) -> Pushers {
    let mut pushers = Pushers::default();
    pushers.answered(&[PushAnswer { named: vec![login.to_owned()], completeness: Completeness::Whole }]);
    pushers
}

/// Nobody says who pushed the last commit, whose committer has no account.
fn pushed_by_somebody() -> Pushers {
    Pushers::by_commit(&CommitWord::default())
}

fn approved(mut pull_request: PullRequest) -> PullRequest {
    let head = pull_request.head.clone();
    pull_request.reviews.push(Review {
        author: Some(user("reviewer")),
        state: ReviewState::Approved,
        commit: Some(head),
        can_write: true,
        submitted_at: None,
        on_behalf_of: Vec::new(),
    });
    pull_request
}

/// A push of that pull request's merge commit to main.
fn facts_with(pull_request: PullRequest) -> Facts {
    push(vec![Commit {
        sha: MERGE.to_owned(),
        parents: vec![BEFORE.to_owned(), HEAD.to_owned()],
        pull_requests: vec![pull_request],
    }])
}

fn push(commits: Vec<Commit>) -> Facts {
    let sha = commits[0].sha.clone();
    Facts {
        repository: "acme/infra".to_owned(),
        origin: Origin::Branch(BranchFacts {
            branch: "main".to_owned(),
            tip: Some(sha.clone()),
            sha,
            arrival: Arrival::Push { before: BEFORE.to_owned(), forced: false },
            commits,
            earlier: Vec::new(),
            is_cut_off: false,
        }),
        environment: None,
        memberships: Vec::new(),
    }
}

fn branch(facts: &mut Facts) -> &mut BranchFacts {
    match &mut facts.origin {
        Origin::Branch(branch) => branch,
        Origin::Local => panic!("no branch"),
    }
}

/// A proof as two equal records give it.
fn same_content(earlier: &str, head: &str, number: u64) -> SameContent {
    let of = |sha: &str| {
        let origin = record::RecordOrigin {
            head_sha: sha.to_owned(),
            pull_request: Some(number),
            content_digest: Some("same".to_owned()),
            ..record::RecordOrigin::default()
        };
        record::Record::new(origin, record::PlanFingerprint::default())
    };
    let (covered, files) = ([String::new()], record::Files::new());
    let same = record::same_files(&covered, (earlier, &files), (head, &files)).unwrap();
    record::same_content(&of(earlier), &of(head), &same).unwrap()
}

#[track_caller]
fn assert_blocked(policy: &Policy, facts: &Facts, expected: &[&str]) {
    let decision = decide(policy, facts);
    let said: Vec<String> = decision.reasons().iter().map(Reason::to_string).collect();
    assert_eq!(said.len(), expected.len(), "{said:#?}");
    for part in expected {
        assert!(said.iter().any(|reason| reason.contains(part)), "{part:?}: {said:#?}");
    }
}

#[track_caller]
fn assert_approved(policy: &Policy, facts: &Facts) -> Approval {
    match decide(policy, facts) {
        Decision::Approved(approval) => approval,
        Decision::Blocked(blocked) => panic!("{:#?}", blocked.reasons),
    }
}
