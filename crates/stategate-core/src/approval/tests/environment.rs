//! The approval of a run for an environment.

use super::*;

pub(super) fn environment() -> EnvironmentFacts {
    EnvironmentFacts {
        name: "production".to_owned(),
        protection: EnvironmentProtection::Reviewers(vec![
            EnvironmentReviewer::User("keeper".to_owned()),
            EnvironmentReviewer::User("starter".to_owned()),
        ]),
        approvals: vec![run_approval("approved", Some(user("keeper")))],
        started_by: vec!["starter".to_owned()],
        actor: Some(user("starter")),
        lets_every_branch_in: false,
    }
}

pub(super) fn run_approval(state: &str, user: Option<Actor>) -> RunApproval {
    RunApproval { state: state.to_owned(), user, environments: vec!["production".to_owned()] }
}

/// A run that a merge queue started, and that somebody may have run again.
pub(super) fn by_queue(environment: &mut EnvironmentFacts, triggered_by: &str) {
    environment.actor = Some(Actor { login: "github-merge-queue[bot]".to_owned(), kind: ActorKind::Bot });
    environment.started_by = vec!["github-merge-queue[bot]".to_owned(), triggered_by.to_owned()];
    environment.protection = EnvironmentProtection::Reviewers(
        ["author", "keeper"].map(|login| EnvironmentReviewer::User(login.to_owned())).into(),
    );
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
                by_queue(e, "github-merge-queue[bot]");
                e.approvals[0].user = Some(user("author"));
            },
            "author is the author, for whom an app started this run",
        ),
        // Anybody's re-run makes it no other run than the queue's.
        (
            &|e| {
                by_queue(e, "starter");
                e.approvals[0].user = Some(user("author"));
            },
            "author is the author, for whom an app started this run",
        ),
        (
            &|e| {
                e.actor = None;
                e.approvals[0].user = Some(user("author"));
            },
            "author is the author",
        ),
        (&|e| e.started_by.clear(), "who started this run is unknown"),
        (&|e| e.approvals.push(run_approval("rejected", Some(user("second")))), "second rejected this run"),
        (&|e| e.name = "staging".into(), "it was not asked"),
    ];
    for (change, expected) in refusals {
        assert_blocked(&policy, &with(*change), &[expected]);
    }
    // Both ways, it is told when every branch gets in.
    let open = |is_open: bool| with(&|e| e.lets_every_branch_in = is_open);
    for (is_open, told) in [(true, 1), (false, 0)] {
        let notes: Vec<String> = decide(&policy, &open(is_open)).notes().iter().map(ToString::to_string).collect();
        assert_eq!(notes.len(), told, "{notes:?}");
        assert!(!is_open || notes[0].contains("production lets every branch in"), "{notes:?}");
        let unasked = Policy { environment: None, required_approvals: 0, ..policy.clone() };
        assert!(decide(&unasked, &open(is_open)).notes().is_empty());
    }
    // The gate that asks for it without a name, or without asking GitHub.
    let nameless = Policy { environment: Some(RequiredEnvironment(None)), ..policy.clone() };
    assert_blocked(&nameless, &with(&|_| {}), &["no environment is named"]);
    assert_blocked(&policy, &facts_with(pull_request()), &["it was not asked"]);
    // Both gates together give their reasons together.
    let both = Policy { required_approvals: 1, ..policy };
    assert_blocked(&both, &with(&|e| e.approvals.clear()), &["0 of 1", "nobody approved this run"]);
}
