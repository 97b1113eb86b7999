//! Where a change comes from.

use super::*;

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
    let step = |pull_request: PullRequest| {
        let decision = decide(&Policy { required_approvals: 2, ..Policy::default() }, &facts_with(pull_request));
        decision.reasons()[0].next_step().to_string()
    };
    let usual = "have #7 approved by anybody who can write to this repository, except author (its \
                 author) and pusher (who pushed last), then re-run this job";
    assert_eq!(step(approved(pull_request())), usual);
    // Where nobody else said anything, there may be nobody else.
    let alone = step(pull_request());
    assert!(alone.starts_with(usual) && alone.contains("set `--required-approvals 0`"), "{alone}");
    assert!(alone.contains("an `environment:` with required reviewers"), "{alone}");
    let unknown = step(PullRequest { pushers: pushed_by_somebody(), ..approved(pull_request()) });
    assert!(unknown.contains("one approval more than required"), "{unknown}");
}

#[test]
fn an_app_that_opened_and_pushed_is_named_once() {
    for (kind, login, pusher, told) in [
        (ActorKind::Bot, "renovate", "renovate[bot]", "except renovate (its author)"),
        (ActorKind::Bot, "renovate[bot]", "Renovate", "except renovate[bot] (its author)"),
        (ActorKind::User, "author", "AUTHOR", "except author (its author)"),
        // A person and an app of one name are two.
        (ActorKind::User, "renovate", "renovate[bot]", "(its author) and renovate[bot] (who pushed last)"),
    ] {
        let author = Some(Actor { login: login.to_owned(), kind });
        let mut pull_request = PullRequest { author, pushers: pushed_by(pusher), ..pull_request() };
        pull_request.pushers.add(&pusher.to_uppercase());
        let who_could = decide(&Policy::default(), &facts_with(pull_request)).tallies()[0].who_could.clone();
        assert!(who_could.ends_with(told), "{who_could}");
    }
}

#[test]
fn a_dismissed_request_for_changes_is_named_until_that_person_approves() {
    let dismissal = |reviewer: Option<&str>, by: Option<&str>| Dismissal {
        reviewer: reviewer.map(str::to_owned),
        by: by.map(str::to_owned),
    };
    let told = |dismissals: Vec<Dismissal>| {
        let pull_request = PullRequest { dismissals, ..approved(pull_request()) };
        let approval = assert_approved(&Policy::default(), &facts_with(pull_request.clone()));
        let notes = Decision::Approved(approval).notes().to_vec();
        assert_eq!(standing(&Policy::default(), &pull_request, &[]).0.notes, notes);
        notes.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let dave = || dismissal(Some("dave"), Some("alice"));
    assert_eq!(told(vec![dave(), dave()]), ["dave asked for changes; dismissed by alice (#7)"]);
    assert_eq!(told(vec![dismissal(None, None)]).len(), 1);
    assert!(told(vec![dismissal(Some("Reviewer"), Some("alice"))]).is_empty());
}

#[test]
fn a_pusher_whom_only_the_commit_names_is_told() {
    let word = CommitWord { committer: Some("pusher".to_owned()), ..CommitWord::default() };
    let pull_request = PullRequest { pushers: Pushers::by_commit(&word), ..approved(pull_request()) };
    let decision = decide(&Policy::default(), &facts_with(pull_request));
    assert!(matches!(decision, Decision::Approved(_)));
    let notes: Vec<String> = decision.notes().iter().map(ToString::to_string).collect();
    assert!(notes[0].contains("known from the commit alone (pusher)"), "{notes:?}");
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

#[test]
fn what_was_merged_earlier_must_be_told_unless_nobody_is_asked() {
    let mut facts = facts_with(approved(pull_request()));
    branch(&mut facts).is_cut_off = true;
    branch(&mut facts).earlier = vec![Commit {
        sha: "e".repeat(40),
        parents: Vec::new(),
        pull_requests: vec![PullRequest { number: 6, merge_commit: Some("e".repeat(40)), ..approved(pull_request()) }],
    }];
    assert_blocked(&Policy::default(), &facts, &["merged and not applied since; found so far: #6"]);
    // The advice never lets through what nobody approved.
    let step = decide(&Policy::default(), &facts).reasons()[0].next_step().to_string();
    assert!(step.contains("gh pr list --repo acme/infra --base main --state merged"), "{step}");
    assert!(step.contains("together with `--require-environment-approval`"), "{step}");
    assert_approved(&Policy { required_approvals: 0, ..Policy::default() }, &facts);
}
