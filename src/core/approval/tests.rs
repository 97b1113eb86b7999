//! Where a change comes from, environments, and what must hold for any facts at all.

use proptest::prelude::*;

use super::*;
use crate::core::record::{self, SameContent};

pub(super) const HEAD: &str = "1111111111111111111111111111111111111111";
const MERGE: &str = "2222222222222222222222222222222222222222";
const BEFORE: &str = "3333333333333333333333333333333333333333";
const ZEROS: &str = "0000000000000000000000000000000000000000";

pub(super) fn user(login: &str) -> Actor {
    Actor { login: login.to_owned(), kind: ActorKind::User }
}

/// A merged pull request by `author`, to which `pusher` pushed last; nobody reviewed it.
pub(super) fn pull_request() -> PullRequest {
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
        last_pushers: vec!["pusher".to_owned()],
        reviews: Vec::new(),
        same_content: Vec::new(),
    }
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
pub(super) fn facts_with(pull_request: PullRequest) -> Facts {
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
pub(super) fn same_content(earlier: &str, head: &str, number: u64) -> SameContent {
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

#[test]
fn an_approved_merge_passes_and_says_what_and_by_whom() {
    let approval = assert_approved(&Policy::default(), &facts_with(approved(pull_request())));
    assert_eq!(approval.sha(), Some(MERGE));
    assert_eq!(approval.by(), ["reviewer"]);
    assert_eq!(approval.tallies()[0].number, 7);
    assert!(approval.direct_pushes().is_empty());
}

#[test]
fn a_refusal_names_who_could_approve() {
    let decision = decide(&Policy::default(), &facts_with(pull_request()));
    let step = decision.reasons()[0].next_step();
    assert_eq!(
        step.to_string(),
        "have #7 approved by anybody who can write to this repository, except author (its \
         author) and pusher (who pushed last), then re-run this job"
    );
}

#[test]
fn squash_rebase_and_queue_pushes_are_traced() {
    let policy = Policy::default();
    // A squash merge is one commit with one parent.
    let squash = Commit {
        sha: MERGE.to_owned(),
        parents: vec![BEFORE.to_owned()],
        pull_requests: vec![approved(pull_request())],
    };
    assert_approved(&policy, &push(vec![squash]));

    // A rebase merge brings each commit; the last is the merge commit.
    let earlier =
        Commit { sha: "a".repeat(40), parents: vec![BEFORE.to_owned()], pull_requests: vec![approved(pull_request())] };
    let last = Commit {
        sha: MERGE.to_owned(),
        parents: vec![earlier.sha.clone()],
        pull_requests: vec![approved(pull_request())],
    };
    let rebase = push(vec![last.clone(), earlier.clone()]);
    assert_eq!(assert_approved(&policy, &rebase).tallies().len(), 1);

    // A merge queue brings several pull requests: each must pass.
    let mut second = pull_request();
    second.number = 8;
    second.merge_commit = Some(earlier.sha.clone());
    let mut queue = vec![last, Commit { pull_requests: vec![second.clone()], ..earlier }];
    assert_blocked(&policy, &push(queue.clone()), &["#8 has 0 of 1 approval"]);
    queue[1].pull_requests = vec![approved(second)];
    assert_eq!(assert_approved(&policy, &push(queue)).tallies().len(), 2);
}

#[test]
fn a_rebased_commit_of_another_push_is_not_covered() {
    // Its pull request's merge commit is not among the commits of this push.
    let mut stray = approved(pull_request());
    stray.merge_commit = Some("b".repeat(40));
    assert_blocked(&Policy::default(), &facts_with(stray), &["is not what the merge of #7 made"]);
}

#[test]
fn a_direct_push_is_blocked_unless_allowed_and_then_told() {
    let direct = Commit { sha: MERGE.to_owned(), parents: vec![BEFORE.to_owned()], pull_requests: Vec::new() };
    let facts = push(vec![direct.clone()]);
    assert_blocked(&Policy::default(), &facts, &["came to main without a pull request"]);
    let allowing = Policy { allow_direct_push: true, ..Policy::default() };
    let approval = assert_approved(&allowing, &facts);
    assert_eq!(approval.direct_pushes(), [MERGE]);

    // What came by a pull request needs its approvals all the same.
    assert_blocked(&allowing, &facts_with(pull_request()), &["0 of 1"]);
    // A direct push below an approved merge counts too.
    let below = Commit { sha: "a".repeat(40), ..direct };
    let above = Commit {
        sha: MERGE.to_owned(),
        parents: vec![below.sha.clone()],
        pull_requests: vec![approved(pull_request())],
    };
    let facts = push(vec![above, below]);
    assert_blocked(&Policy::default(), &facts, &["aaaaaaaaaa came to main without"]);
    assert_eq!(assert_approved(&allowing, &facts).direct_pushes(), ["a".repeat(40)]);
}

#[test]
fn a_pull_request_elsewhere_does_not_count() {
    let check = |change: &dyn Fn(&mut PullRequest), expected: &str| {
        let mut pull_request = approved(pull_request());
        change(&mut pull_request);
        for allow_direct_push in [false, true] {
            let policy = Policy { allow_direct_push, ..Policy::default() };
            assert_blocked(&policy, &facts_with(pull_request.clone()), &[expected]);
        }
    };
    check(&|pr| pr.base_branch = "next".to_owned(), "merged into next, not into main");
    check(&|pr| pr.base_branch = "Main".to_owned(), "merged into Main, not into main");
    check(&|pr| pr.base_repository = Some("fork/infra".to_owned()), "of another repository (fork/infra)");
    check(&|pr| pr.base_repository = None, "of another repository");
    check(&|pr| pr.merged = false, "which is not merged");
    check(&|pr| pr.merge_commit = None, "GitHub does not say which commit");
    check(&|pr| pr.merge_commit = Some("c".repeat(40)), "is not what the merge of #7 made, which is cccccccccc");
}

#[test]
fn of_several_pull_requests_the_one_that_was_merged_here_counts() {
    let mut elsewhere = pull_request();
    elsewhere.number = 3;
    elsewhere.base_branch = "next".to_owned();
    let mut facts = facts_with(approved(pull_request()));
    branch(&mut facts).commits[0].pull_requests.insert(0, elsewhere);
    assert_approved(&Policy::default(), &facts);

    // Two that were merged by the same commit: both must pass.
    let mut twin = pull_request();
    twin.number = 9;
    branch(&mut facts).commits[0].pull_requests.push(twin);
    assert_blocked(&Policy::default(), &facts, &["#9 has 0 of 1"]);
}

#[test]
fn a_fork_and_a_revert_are_pull_requests_like_others() {
    let mut fork = approved(pull_request());
    fork.from_fork = true;
    assert_approved(&Policy::default(), &facts_with(fork));
    // A revert does not inherit the approval of what it reverts.
    let mut revert = pull_request();
    revert.head_branch = "revert-6-change".to_owned();
    assert_blocked(&Policy::default(), &facts_with(revert), &["0 of 1"]);
}

#[test]
fn what_a_push_brought_must_be_told() {
    let policy = Policy::default();
    let with = |change: &dyn Fn(&mut BranchFacts)| {
        let mut facts = facts_with(approved(pull_request()));
        change(branch(&mut facts));
        facts
    };
    let arrival = |before: &str, forced| Arrival::Push { before: before.to_owned(), forced };
    assert_blocked(
        &policy,
        &with(&|b| b.tip = Some("d".repeat(40))),
        &["no longer the newest commit of main, which is dddddddddd"],
    );
    assert_blocked(&policy, &with(&|b| b.tip = None), &["knows no branch main"]);
    assert_blocked(&policy, &with(&|b| b.arrival = arrival(BEFORE, true)), &["main was force-pushed"]);
    assert_blocked(&policy, &with(&|b| b.arrival = arrival(ZEROS, false)), &["main was just created"]);
    assert_blocked(
        &policy,
        &with(&|b| b.arrival = arrival(&"e".repeat(40), false)),
        &["does not continue main from eeeeeeeeee"],
    );
    assert_blocked(&policy, &with(&|b| b.commits.clear()), &["does not know the commit"]);
    assert_blocked(&policy, &with(&|b| b.commits[0].parents.clear()), &["does not continue main"]);
    // The old tip as second parent: the branch's own line does not hold it.
    assert_blocked(&policy, &with(&|b| b.commits[0].parents.reverse()), &["does not continue main"]);
    // All reasons at once.
    assert_blocked(
        &policy,
        &with(&|b| {
            b.tip = Some("d".repeat(40));
            b.arrival = arrival(BEFORE, true);
            b.commits[0].pull_requests[0].reviews.clear();
        }),
        &["newest commit", "force-pushed", "0 of 1"],
    );
}

#[test]
fn a_named_pull_request_must_be_the_one() {
    let named = |number| {
        let mut facts = facts_with(approved(pull_request()));
        branch(&mut facts).arrival = Arrival::Commit { pull_request: number };
        facts
    };
    assert_approved(&Policy::default(), &named(None));
    assert_approved(&Policy::default(), &named(Some(7)));
    assert_blocked(&Policy::default(), &named(Some(8)), &["did not come by #8 but by #7"]);
}

#[test]
fn on_ones_own_computer_only_no_approvals_at_all_are_enough() {
    let facts = Facts { origin: Origin::Local, ..facts_with(pull_request()) };
    assert_blocked(&Policy::default(), &facts, &["no pull request stands behind"]);
    let none = Policy { required_approvals: 0, ..Policy::default() };
    assert_eq!(assert_approved(&none, &facts).sha(), None);
}

fn environment() -> EnvironmentFacts {
    EnvironmentFacts {
        name: "production".to_owned(),
        protection: EnvironmentProtection::Reviewers(vec![
            EnvironmentReviewer::User("keeper".to_owned()),
            EnvironmentReviewer::User("starter".to_owned()),
        ]),
        approvals: vec![run_approval("approved", Some(user("keeper")))],
        started_by: vec!["starter".to_owned()],
    }
}

fn run_approval(state: &str, user: Option<Actor>) -> RunApproval {
    RunApproval { state: state.to_owned(), user, environments: vec!["production".to_owned()] }
}

type Change<'a> = &'a dyn Fn(&mut EnvironmentFacts);

#[test]
fn the_environment_is_a_gate_of_its_own() {
    let policy = Policy {
        required_approvals: 0,
        environment: Some(RequiredEnvironment(Some("production".to_owned()))),
        ..Policy::default()
    };
    let with = |change: &dyn Fn(&mut EnvironmentFacts)| {
        let mut environment = environment();
        change(&mut environment);
        Facts { environment: Some(environment), ..facts_with(pull_request()) }
    };
    let approval = assert_approved(&policy, &with(&|_| {}));
    assert_eq!(approval.environment(), Some(("production", "keeper")));
    assert_approved(&policy, &with(&|e| e.approvals[0].environments = vec!["PRODUCTION".into()]));
    assert_approved(
        &policy,
        &with(&|e| {
            e.protection = EnvironmentProtection::Reviewers(vec![EnvironmentReviewer::Team("ops".into())]);
        }),
    );

    let refusals: &[(Change<'_>, &str)] = &[
        (&|e| e.protection = EnvironmentProtection::Missing, "has no environment production"),
        (&|e| e.protection = EnvironmentProtection::NotTold { why: "403".into() }, "is not told to this token: 403"),
        (&|e| e.protection = EnvironmentProtection::Reviewers(Vec::new()), "has no required reviewers"),
        (&|e| e.approvals.clear(), "nobody approved this run for the environment production"),
        (&|e| e.approvals[0].environments = vec!["staging".into()], "nobody approved"),
        (&|e| e.approvals[0].state = "pending".into(), "nobody approved"),
        (&|e| e.approvals[0].state = "blessed".into(), "nobody approved"),
        (&|e| e.approvals[0].user = None, "a deleted account approved it"),
        (&|e| e.approvals[0].user = Some(user("starter")), "starter started this run"),
        (&|e| e.approvals[0].user = Some(user("STARTER")), "STARTER started this run"),
        (&|e| e.approvals[0].user = Some(user("admin")), "admin is not one of its required"),
        (&|e| e.approvals[0].user = Some(Actor { login: "ci".into(), kind: ActorKind::Bot }), "ci is not a person"),
        (
            &|e| {
                e.started_by = vec!["github-merge-queue[bot]".into()];
                e.approvals[0].user = Some(user("author"));
            },
            "author is the author, for whom an app started this run",
        ),
        (&|e| e.started_by.clear(), "who started this run is unknown"),
        (&|e| e.approvals.push(run_approval("rejected", Some(user("second")))), "second rejected this run"),
        (&|e| e.name = "staging".into(), "it was not asked"),
    ];
    for (change, expected) in refusals {
        assert_blocked(&policy, &with(*change), &[expected]);
    }
    // The gate that asks for it without a name, or without asking GitHub.
    let nameless = Policy { environment: Some(RequiredEnvironment(None)), ..policy.clone() };
    assert_blocked(&nameless, &with(&|_| {}), &["no environment is named"]);
    assert_blocked(&policy, &facts_with(pull_request()), &["it was not asked"]);
    // Both gates together give their reasons together.
    let both = Policy { required_approvals: 1, ..policy };
    assert_blocked(&both, &with(&|e| e.approvals.clear()), &["0 of 1", "nobody approved this run"]);
}

#[test]
fn earlier_approvals_are_looked_into_only_where_content_binds() {
    let mut pull_request = approved(pull_request());
    pull_request.reviews[0].commit = Some("old".to_owned());
    let mut facts = facts_with(pull_request);
    let policy = Policy { binds_to: BindsTo::Content, ..Policy::default() };
    assert!(earlier_approvals(&Policy::default(), &facts).is_empty());
    let earlier = EarlierApproval { pull_request: 7, commit: "old".to_owned(), head: HEAD.to_owned() };
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
    for wrong in ["a/b/c", "/team", "org/", "@", "two words/x!", "a;b"] {
        assert!(approvers(wrong).is_err(), "{wrong}");
    }
}

fn any_review() -> impl Strategy<Value = Review> {
    let login = prop::sample::select(vec!["author", "pusher", "reviewer", "Reviewer", "second", "keeper", ""]);
    let kind = prop::sample::select(vec![
        ActorKind::User,
        ActorKind::User,
        ActorKind::Bot,
        ActorKind::Other("Mannequin".to_owned()),
    ]);
    let state = prop::sample::select(vec![
        "APPROVED",
        "APPROVED",
        "CHANGES_REQUESTED",
        "COMMENTED",
        "DISMISSED",
        "PENDING",
        "approved",
    ]);
    let commit = prop::sample::select(vec![Some(HEAD), Some(MERGE), Some(""), None]);
    (prop::option::weighted(0.9, (login, kind)), state, commit, any::<bool>(), 0..50_i64).prop_map(
        |(author, state, commit, can_write, second)| Review {
            author: author.map(|(login, kind)| Actor { login: login.to_owned(), kind }),
            state: ReviewState::from_word(state),
            commit: commit.map(str::to_owned),
            can_write,
            submitted_at: jiff::Timestamp::from_second(second).ok(),
            on_behalf_of: Vec::new(),
        },
    )
}

/// Mostly an approval that counts: what goes wrong is then one thing among many that are right.
fn likely_review() -> impl Strategy<Value = Review> {
    let good = prop::sample::select(vec!["reviewer", "second", "keeper"]).prop_map(|login| Review {
        author: Some(user(login)),
        state: ReviewState::Approved,
        commit: Some(HEAD.to_owned()),
        can_write: true,
        submitted_at: jiff::Timestamp::from_second(25).ok(),
        on_behalf_of: Vec::new(),
    });
    prop_oneof![3 => good, 2 => any_review()]
}

fn mostly<T: Clone + std::fmt::Debug>(usual: T, odd: T) -> impl Strategy<Value = T> {
    prop::bool::weighted(0.95).prop_map(move |is_usual| if is_usual { usual.clone() } else { odd.clone() })
}

/// How many people gave a valid approval of the head, or of one of these commits.
fn valid_approvals(reviews: &[Review], also: &[&str]) -> usize {
    let valid = reviews.iter().filter(|review| is_valid_approval(review, reviews, also));
    let mut people: Vec<String> =
        valid.filter_map(|review| Some(review.author.as_ref()?.login.to_lowercase())).collect();
    people.sort();
    people.dedup();
    people.len()
}

/// The rule once more, written as differently as possible: by crossing out.
fn is_valid_approval(review: &Review, all: &[Review], also: &[&str]) -> bool {
    let Some(author) = &review.author else {
        return false;
    };
    let name = author.login.to_lowercase();
    let superseded = all.iter().any(|other| {
        other.author.as_ref().is_some_and(|a| a.login.to_lowercase() == name && a.kind == author.kind)
            && other.submitted_at > review.submitted_at
            && matches!(other.state, ReviewState::ChangesRequested | ReviewState::Dismissed | ReviewState::Unknown(_))
    });
    review.state == ReviewState::Approved
        && author.kind == ActorKind::User
        && !["", "author", "pusher"].contains(&name.as_str())
        && review.can_write
        && review.commit.as_deref().is_some_and(|commit| commit == HEAD || also.contains(&commit))
        && !superseded
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_approved_without_a_valid_approval(
        reviews in prop::collection::vec(likely_review(), 0..8),
        needed in 1..4_u32,
        merged in prop::bool::weighted(0.95),
        into in mostly("main", "next"),
        repository in mostly("ACME/infra", "evil/infra"),
        merge in mostly(Some(MERGE), Some(HEAD)),
        tip in mostly(Some(MERGE), None),
        forced in prop::bool::weighted(0.05),
        before in mostly(BEFORE, ZEROS),
    ) {
        let mut pull_request = pull_request();
        pull_request.reviews = reviews.clone();
        pull_request.merged = merged;
        into.clone_into(&mut pull_request.base_branch);
        pull_request.base_repository = Some(repository.to_owned());
        pull_request.merge_commit = merge.map(str::to_owned);
        let mut facts = facts_with(pull_request);
        branch(&mut facts).tip = tip.map(str::to_owned);
        branch(&mut facts).arrival = Arrival::Push { before: before.to_owned(), forced };
        let policy = Policy { required_approvals: needed, ..Policy::default() };
        match decide(&policy, &facts) {
            Decision::Approved(approval) => {
                prop_assert!(valid_approvals(&reviews, &[]) >= usize::try_from(needed).unwrap());
                prop_assert!(approval.by().len() >= usize::try_from(needed).unwrap());
                prop_assert!(merged && into == "main" && !forced && before == BEFORE);
                prop_assert!(repository != "evil/infra");
                prop_assert_eq!(merge, Some(MERGE));
                prop_assert_eq!(tip, Some(MERGE));
            }
            Decision::Blocked(blocked) => prop_assert!(!blocked.reasons.is_empty()),
        }
    }

    #[test]
    fn of_several_pull_requests_each_needs_valid_approvals_and_the_environment_its_own(
        pushed in prop::collection::vec(prop::collection::vec(likely_review(), 1..5), 1..4),
        earlier in prop::collection::vec(prop::collection::vec(likely_review(), 1..5), 0..3),
        needed in 1..3_u32,
        binds_to in prop::sample::select(vec![BindsTo::Commit, BindsTo::Content]),
        by in prop::sample::select(vec!["", "reviewer", "author,second", "acme/infra"]),
        is_member in any::<bool>(),
        asks_environment in any::<bool>(),
        entered in likely_review(),
        allow_direct_push in any::<bool>(),
    ) {
        let mut number = 0;
        let mut merged = |reviews: &Vec<Review>| {
            number += 1;
            let sha = format!("{number:040}");
            let mut pull_request = PullRequest { number, reviews: reviews.clone(), ..pull_request() };
            pull_request.merge_commit = Some(sha.clone());
            // MERGE stands for an earlier commit, which the pusher pushed too.
            let same = same_content(MERGE, HEAD, number);
            pull_request.same_content = vec![same.pushed_by(Some("pusher".to_owned()))];
            Commit { sha, parents: vec![BEFORE.to_owned()], pull_requests: vec![pull_request] }
        };
        let mut commits: Vec<Commit> = pushed.iter().map(&mut merged).collect();
        for at in 1..commits.len() {
            commits[at - 1].parents = vec![commits[at].sha.clone()];
        }
        let mut facts = push(commits);
        branch(&mut facts).earlier = earlier.iter().map(&mut merged).collect();
        let answer = if is_member { MembershipAnswer::Member } else { MembershipAnswer::NotMember };
        facts.memberships = ["reviewer", "second"].map(|login| Membership {
            org: "acme".to_owned(), slug: "infra".to_owned(), login: login.to_owned(), answer: answer.clone(),
        }).into();
        let approved = entered.state == ReviewState::Approved;
        let state = if approved { "approved" } else { "rejected" };
        facts.environment = Some(EnvironmentFacts {
            approvals: vec![run_approval(state, entered.author.clone())],
            ..environment()
        });
        let policy = Policy {
            required_approvals: needed,
            approvers: approvers(by).unwrap(),
            binds_to,
            environment: asks_environment.then(|| RequiredEnvironment(Some("production".to_owned()))),
            allow_direct_push,
        };
        let Decision::Approved(approval) = decide(&policy, &facts) else { return Ok(()) };
        prop_assert_eq!(approval.tallies().len(), pushed.len() + earlier.len());
        let also = if binds_to == BindsTo::Content { vec![MERGE] } else { Vec::new() };
        for reviews in pushed.iter().chain(&earlier) {
            let may = |review: &Review| {
                let login = review.author.as_ref().map(|author| author.login.to_lowercase()).unwrap_or_default();
                match by {
                    "" => true,
                    "acme/infra" => is_member && login != "author",
                    names => names.split(',').any(|name| name == login),
                }
            };
            let theirs: Vec<Review> = reviews.iter().filter(|review| may(review)).cloned().collect();
            prop_assert!(valid_approvals(&theirs, &also) >= usize::try_from(needed).unwrap(), "{:?}", reviews);
        }
        prop_assert!(!asks_environment || (approved && entered.author == Some(user("keeper"))));
    }
}
