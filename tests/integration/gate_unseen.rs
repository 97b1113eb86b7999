//! What GitHub does not show blocks, or is asked for in another way: it never counts as not there.

use crate::harness::github::state::HoleKind;
use crate::harness::runner::Step;
use crate::harness::world::World;

#[test]
fn a_hole_in_graphqls_answer_hides_no_request_for_changes() {
    let (world, number) = World::planned();
    world.approve(number);
    world.github.review(number, "monalisa", "CHANGES_REQUESTED");
    let push = world.merge(number);
    for (list, what) in [
        ("latestOpinionatedReviews", HoleKind::NullNode),
        ("latestOpinionatedReviews", HoleKind::NoCursor),
        ("latestOpinionatedReviews", HoleKind::NoPageInfo),
        ("onBehalfOf", HoleKind::Error),
        ("associatedPullRequests", HoleKind::NullNode),
    ] {
        world.github.hides(list, what);
        Step::apply(&world, &push).refused_and_told(&[number], 11, &["monalisa requests changes on #42"]);
    }
    // Where REST does not tell either, nothing is decided.
    world.github.fail_next(usize::MAX, "GET", "/reviews", 404);
    Step::apply(&world, &push).refused(21);
}

#[test]
fn every_pull_request_of_a_commit_is_asked_about() {
    let (world, number) = World::planned();
    world.approve(number);
    let push = world.merge(number);
    {
        // A stack: GitHub names one merge commit for all of it.
        let mut state = world.github.state();
        let first = state.pulls[&number].clone();
        for above in 1..=10 {
            let pull = crate::harness::github::state::Pull { number: number + above, ..first.clone() };
            state.pulls.insert(number + above, pull);
        }
        state.pulls.get_mut(&(number + 10)).unwrap().reviews.clear();
    }
    let refused = Step::apply(&world, &push).refused(11);
    assert!(refused.log.contains("#52 has 0 of 1 approval"), "{}", refused.log);
    assert!(!refused.log.contains("#51 has"), "{}", refused.log);
    for above in 11..=120 {
        let mut state = world.github.state();
        let pull = crate::harness::github::state::Pull { number: number + above, ..state.pulls[&number].clone() };
        state.pulls.insert(number + above, pull);
    }
    // More than a page of GraphQL's: REST lists them all.
    let mut last = world.github.state().pulls[&(number + 120)].clone();
    last.reviews.clear();
    world.github.state().pulls.insert(number + 120, last);
    let refused = Step::apply(&world, &push).refused(11);
    assert!(refused.log.contains("#162 has 0 of 1 approval"), "{}", refused.log);
}
