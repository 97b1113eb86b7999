//! What must hold for any facts at all.

use proptest::prelude::*;

use super::environment::{by_queue, environment, run_approval};
use super::*;

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
            // Whose member they are now counts, not whose they were.
            on_behalf_of: vec!["acme/infra".to_owned()],
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

/// Base changes, each after the one before it, as GitHub lists them.
fn any_base_changes() -> impl Strategy<Value = Vec<BaseChange>> {
    let from = prop::sample::select(vec![Some("main"), Some("main"), Some("scratch"), None]);
    let change = (0..50_i64, from).prop_map(|(second, from)| BaseChange {
        at: jiff::Timestamp::from_second(second).unwrap(),
        from: from.map(str::to_owned),
    });
    let some = prop::collection::vec(change, 0..4).prop_map(|mut changes| {
        changes.sort_by_key(|change| change.at);
        changes
    });
    prop_oneof![2 => Just(Vec::new()), 3 => some]
}

/// Whether a moment can have been while the pull request went into another branch than main: in one
/// of the spans between two changes, each of which holds both of its ends.
fn may_be_elsewhere(moment: jiff::Timestamp, changes: &[BaseChange]) -> bool {
    let is_span_elsewhere = |at: usize| {
        let begins = at.checked_sub(1).is_none_or(|before| changes[before].at <= moment);
        let ends = changes.get(at).is_none_or(|change| moment <= change.at);
        let is_main = changes.get(at).is_none_or(|change| change.from.as_deref() == Some("main"));
        begins && ends && !is_main
    };
    (0..=changes.len()).any(is_span_elsewhere)
}

/// How many people gave a valid approval of the head, or of one of these commits.
fn valid_approvals(reviews: &[Review], also: &[&str], changes: &[BaseChange]) -> usize {
    let is_for_main = |review: &&Review| review.submitted_at.is_some_and(|at| !may_be_elsewhere(at, changes));
    let valid = reviews.iter().filter(|review| is_valid_approval(review, reviews, also)).filter(is_for_main);
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
        is_pusher_told in prop::bool::weighted(0.7),
        changes in any_base_changes(),
    ) {
        let mut pull_request = pull_request();
        pull_request.reviews = reviews.clone();
        pull_request.merged = merged;
        into.clone_into(&mut pull_request.base_branch);
        pull_request.base_repository = Some(repository.to_owned());
        pull_request.merge_commit = merge.map(str::to_owned);
        if !is_pusher_told {
            pull_request.pushers = pushed_by_somebody();
            pull_request.pushers.add("pusher");
        }
        pull_request.base_changes.clone_from(&changes);
        let mut facts = facts_with(pull_request);
        branch(&mut facts).tip = tip.map(str::to_owned);
        branch(&mut facts).arrival = Arrival::Push { before: before.to_owned(), forced };
        let policy = Policy { required_approvals: needed, ..Policy::default() };
        match decide(&policy, &facts) {
            Decision::Approved(approval) => {
                // Where it is not known who pushed, one of them may have.
                let more = usize::from(!is_pusher_told);
                prop_assert!(valid_approvals(&reviews, &[], &changes) >= usize::try_from(needed).unwrap() + more);
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
        is_by_queue in any::<bool>(),
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
        let mut entering = environment();
        entering.approvals = vec![run_approval(state, entered.author.clone())];
        if is_by_queue {
            by_queue(&mut entering, "starter");
        }
        facts.environment = Some(entering);
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
            prop_assert!(valid_approvals(&theirs, &also, &[]) >= usize::try_from(needed).unwrap(), "{:?}", reviews);
        }
        prop_assert!(!asks_environment || (approved && entered.author == Some(user("keeper"))));
    }
}
