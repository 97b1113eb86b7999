//! Runs that GitHub gives no secrets: nothing is planned, nobody sees a red cross, nothing is risked.

use crate::harness::github::events::{Checkout, Event};
use crate::harness::runner::{Outcome, Step};
use crate::harness::world::World;

/// The run as GitHub starts it for an outsider: a token that only reads, no credentials.
fn plan_without_secrets(world: &World, event: Event) -> Outcome {
    let token = world.github.workflow_token(&[("contents", "read"), ("pull-requests", "read"), ("actions", "read")]);
    let event = Event { checkout: Checkout::Main, ..event };
    let mut step = Step::new(world, "plan", event).token(&token);
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
        step = step.without_env(name);
    }
    step.run()
}

#[track_caller]
fn finishes_neutrally(world: &World, number: u64, outcome: Outcome, why: &str) {
    let outcome = outcome.exits(0);
    assert_eq!(outcome.output("result"), "skipped");
    for word in [format!("#{number}"), why.to_owned(), "Somebody with write access can push".to_owned()] {
        assert!(outcome.summary.contains(&word), "the summary lacks {word:?}: {}", outcome.summary);
    }
    assert!(!outcome.log.contains("::error") && !outcome.log.contains("error:"), "{}", outcome.log);
    assert!(!outcome.log.contains("terraform init"), "the contributor's code is not run: {}", outcome.log);
    assert!(world.github.comments(number).is_empty());
    assert!(world.bucket.locks().is_empty());
    let (code, log) = outcome.cleanup.expect("the clean-up step runs");
    assert!(code == Some(0) && !log.contains("error"), "{log}");
}

#[test]
fn a_pull_request_from_a_fork_is_explained_and_stays_green() {
    let world = World::applied();
    let number = world.github.open_pull_request_from("hubot", "hubot", "patch-1", "From a fork");
    for action in ["opened", "synchronize"] {
        let event = world.github.pull_request_event(number, action);
        assert_eq!(event.payload["pull_request"]["head"]["repo"]["full_name"], "hubot/infra");
        finishes_neutrally(&world, number, plan_without_secrets(&world, event), "comes from a fork");
    }
}

#[test]
fn a_pull_request_by_dependabot_is_explained_and_stays_green_also_when_a_person_runs_it_again() {
    let world = World::applied();
    let number = world.github.open_pull_request("dependabot[bot]", "dependabot/terraform/aws-6.1.0", "Bump aws");
    let event = world.github.pull_request_event(number, "opened");
    let why = "was pushed by Dependabot";
    finishes_neutrally(&world, number, plan_without_secrets(&world, event.clone()), why);
    // A re-run keeps the first run's rights, whoever asks for it.
    let again = Event { actor: "octocat".to_owned(), ..event.clone() };
    finishes_neutrally(&world, number, plan_without_secrets(&world, again), why);
    // GitHub decides by whose run it is, whatever the event says of its sender.
    let mut by_actor = event;
    by_actor.payload["sender"]["login"] = "octocat".into();
    finishes_neutrally(&world, number, plan_without_secrets(&world, by_actor), why);
}

#[test]
fn pull_request_target_is_refused_before_anything_is_run() {
    let world = World::applied();
    let number = world.github.open_pull_request_from("hubot", "hubot", "patch-1", "From a fork");
    for command in ["plan", "apply", "status", "unlock"] {
        let event = world.github.pull_request_event(number, "opened");
        let event = Event {
            name: "pull_request_target",
            sha: world.github.state().branches["main"].clone(),
            git_ref: "refs/heads/main".to_owned(),
            checkout: Checkout::Main,
            ..event
        };
        let outcome = Step::new(&world, command, event).run().exits(2).says("pull_request_target is refused");
        assert!(!outcome.log.contains("terraform init"), "{}", outcome.log);
        if let Some((code, log)) = outcome.cleanup {
            assert_eq!((code, log.as_str()), (Some(0), ""));
        }
    }
    assert!(world.github.comments(number).is_empty());
}
