//! Plans of a pull request that an input names: somebody starts them, or a comment or a review does.

use serde_json::json;

use crate::harness::github::events::{Checkout, Event};
use crate::harness::runner::{Outcome, Step};
use crate::harness::world::World;

/// A plan that somebody starts by hand, of this checkout.
fn dispatched(world: &World, number: u64, sha: &str, checkout: Checkout) -> Outcome {
    let mut event = world.github.dispatch_event("monalisa");
    sha.clone_into(&mut event.sha);
    event.checkout = checkout;
    Step::new(world, "plan", event).with("pull-request", &number.to_string()).run().exits(0)
}

#[test]
fn a_dispatched_plan_of_the_pull_requests_code_is_the_reviewed_one() {
    let world = World::applied();
    let number = world.new_image();
    let head = world.head(number);
    let merge = world.github.pull_request_event(number, "opened").sha;
    for sha in [head, merge] {
        dispatched(&world, number, &sha, Checkout::TestMerge(vec![number]));
        let record = world.bucket.json(&world.record_key(number)).expect("there is a record");
        assert_eq!(record["pull_request"], json!(number));
        world.bucket.delete(&world.record_key(number));
    }
    dispatched(&world, number, &world.head(number), Checkout::TestMerge(vec![number]));
    world.approve(number);
    Step::apply(&world, &world.merge(number)).run().exits(0);
}

#[test]
fn a_dispatched_plan_of_other_code_says_that_it_is_not_the_reviewed_one() {
    let world = World::applied();
    let number = world.new_image();
    let main = world.github.state().branches["main"].clone();
    let outcome = dispatched(&world, number, &main, Checkout::Main);
    let told =
        format!("This is not the reviewed plan of #{number}, so no apply counts it: the checkout is {}", &main[..10]);
    let comment = world.github.comment(number).replace('`', "");
    assert!(comment.contains(&format!("check out refs/pull/{number}/merge here")), "{comment}");
    outcome.says(&told);
    assert_eq!(world.bucket.json(&world.record_key(number)), None);
}

/// The events with whose runs somebody can name a pull request.
fn events(world: &World, number: u64) -> [Event; 3] {
    let github = &world.github;
    [
        github.dispatch_event("monalisa"),
        github.comment_event(number, "monalisa"),
        github.review_event(number, "monalisa"),
    ]
}

#[test]
fn the_code_of_a_fork_is_not_run_by_a_plan_that_names_its_pull_request() {
    let world = World::applied();
    let number = world.github.open_pull_request_from("hubot", "hubot", "patch-1", "From a fork");
    // Checked out as `refs/pull/NUMBER/merge`, as its head, and not at all.
    let merge = world.github.pull_request_event(number, "opened").sha;
    let main = world.github.state().branches["main"].clone();
    for (sha, comment) in [(merge, "true"), (world.head(number), "true"), (main, "false")] {
        for mut event in events(&world, number) {
            event.sha.clone_from(&sha);
            event.checkout = Checkout::Main;
            let step = Step::new(&world, "plan", event).with("comment", comment);
            let outcome = step.with("pull-request", &number.to_string()).run().exits(0).says("comes from a fork");
            assert_eq!(outcome.output("result"), "skipped");
            assert!(outcome.summary.contains("must not run with this job's secrets"), "{}", outcome.summary);
            assert!(!outcome.log.contains("terraform init"), "{}", outcome.log);
            assert!(world.github.comments(number).is_empty());
            assert_eq!(world.bucket.json(&world.record_key(number)), None);
        }
    }
}

#[test]
fn a_plan_started_by_a_comment_or_a_review_says_which_input_it_needs() {
    let world = World::applied();
    let number = world.new_image();
    let inputs = ["github.event.issue.number", "github.event.pull_request.number"];
    for (event, input) in events(&world, number).into_iter().skip(1).zip(inputs) {
        let outcome = Step::new(&world, "plan", event.clone()).run().exits(2);
        let outcome = outcome.says(&format!("`pull-request: ${{{{ {input} }}}}`")).says(event.name);
        assert!(!outcome.log.contains("terraform init"), "{}", outcome.log);
        // GitHub evaluates that to the number, and the same job works with its code.
        let path = input.trim_start_matches("github.event").replace('.', "/");
        let value = event.payload.pointer(&path).cloned().expect("the event has that number");
        let merge = world.github.pull_request_event(number, "opened");
        let event = Event { sha: merge.sha, checkout: merge.checkout, ..event };
        Step::new(&world, "plan", event).with("pull-request", &value.to_string()).run().exits(0);
        assert!(world.bucket.json(&world.record_key(number)).is_some(), "it is the reviewed plan");
        world.bucket.delete(&world.record_key(number));
    }
}
