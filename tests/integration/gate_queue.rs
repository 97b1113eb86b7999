//! Several pull requests at once: merge queues, pushes of more than one, and what was merged but
//! not applied when the next one comes.

use crate::harness::files::PROD_KEY;
use crate::harness::github::story::{MergeMethod, Push};
use crate::harness::runner::Step;
use crate::harness::world::World;

const MAIN: &str = "environments/prod/main.tf";
const WEB: &str = "module.web.terraform_data.service";
const WORKER: &str = "module.worker.terraform_data.service";
const QUEUE: &str = "terraform_data.queue";
const METHODS: [MergeMethod; 3] = [MergeMethod::Merge, MergeMethod::Squash, MergeMethod::Rebase];

/// A world with two pull requests that change different things, both planned.
fn two() -> (World, u64, u64) {
    let world = World::applied();
    let web = world.new_image();
    Step::plan(&world, web).run().exits(0);
    let queue = another(&world, "queue");
    (world, web, queue)
}

/// A planned pull request for a new resource of this name, in two commits.
fn another(world: &World, name: &str) -> u64 {
    let file = format!("environments/prod/{name}.tf");
    let text = format!("resource \"terraform_data\" \"{name}\" {{\n  input = \"one\"\n}}\n");
    let number = world.pull_request(&format!("A {name}"), |files| files.write(&file, &text));
    world.push_to(number, |files| files.replace(&file, "one", "two"));
    Step::plan(world, number).run().exits(0);
    number
}

fn group<'a>(world: &'a World, method: MergeMethod, numbers: &[u64]) -> Step<'a> {
    Step::new(world, "plan", world.github.merge_group_event_by(method, numbers))
}

#[track_caller]
fn check_applied(world: &World, numbers: &[u64]) {
    for number in numbers {
        let comment = world.github.comment(*number);
        assert!(comment.contains("✅"), "#{number}: {comment}");
    }
    assert!(world.laptop().plan().stdout.contains("No changes"), "everything was applied");
}

#[test]
fn a_merge_queue_drops_what_is_no_longer_what_was_reviewed() {
    let (world, number, _) = two();
    let queued = || Step::new(&world, "plan", world.github.merge_group_event(number));
    let outcome = queued().run().exits(0);
    assert_eq!(outcome.output("result"), "planned");
    assert!(world.github.comment(number).contains("it means what was reviewed"), "{}", world.github.comment(number));
    world.laptop().initialised(&["state", "rm", WORKER]).succeeded();
    queued().refused_and_told(&[number], 12, &[&format!("{WORKER} would be created")]);
    let head = world.head(number);
    world.bucket.delete(&format!("stategate/{PROD_KEY}/plans/{head}.json"));
    queued().refused_and_told(&[number], 12, &["there is no reviewed plan at"]);
}

#[test]
fn a_group_of_several_is_compared_and_told_together_however_it_merges() {
    for method in METHODS {
        let (world, web, queue) = two();
        let outcome = group(&world, method, &[web, queue]).run().exits(0);
        assert_eq!(outcome.output("result"), "planned", "{method:?}");
        for number in [web, queue] {
            let comment = world.github.comment(number);
            assert!(comment.contains("it means what was reviewed") && comment.contains(QUEUE), "{comment}");
        }
        // One of them changes on the way: the group is refused, and both are told.
        world.laptop().initialised(&["state", "rm", WORKER]).succeeded();
        let told = [&format!("{WORKER} would be created") as &str];
        group(&world, method, &[web, queue]).refused_and_told(&[web, queue], 12, &told);
    }
}

#[test]
fn a_group_whose_queue_is_not_told_passes_only_where_its_commits_name_their_pull_requests() {
    let (world, web, queue) = two();
    world.github.state().hides_queue = true;
    group(&world, MergeMethod::Merge, &[web, queue]).run().exits(0);
    group(&world, MergeMethod::Squash, &[queue]).run().exits(0);
    let refused = group(&world, MergeMethod::Squash, &[web, queue]).refused(21);
    assert!(refused.log.contains("into the merge group is not told"), "{}", refused.log);
}

#[test]
fn a_queue_lands_several_in_one_push_and_all_must_be_approved() {
    for method in METHODS {
        let (world, web, queue) = two();
        let third = another(&world, "mail");
        for approved in [web, third] {
            world.approve(approved);
        }
        group(&world, method, &[web, queue, third]).run().exits(0);
        let push = world.land_queue();
        let all = [web, queue, third];
        let told = ["#43 has 0 of 1", WEB, QUEUE, "terraform_data.mail"];
        let refused = Step::apply(&world, &push).refused_and_told(&all, 11, &told);
        assert_eq!(refused.output("approved"), "false", "{method:?}");
        world.github.review(queue, "monalisa", "CHANGES_REQUESTED");
        Step::apply(&world, &push).refused_and_told(&all, 11, &["monalisa requests changes on #43"]);
        world.github.review(queue, "monalisa", "APPROVED");
        let applied = Step::apply(&world, &push).run().exits(0);
        assert_eq!((applied.output("result"), applied.output("approved")), ("applied", "true"));
        check_applied(&world, &all);
    }
}

#[test]
fn a_push_of_several_merge_commits_is_asked_about_for_each() {
    let (world, web, queue) = two();
    world.approve(web);
    let first = world.merge(web);
    let second = world.merge(queue);
    let push = Push { before: first.before, ..second };
    Step::apply(&world, &push).refused_and_told(&[web, queue], 11, &["#43 has 0 of 1", WEB, QUEUE]);
    world.approve(queue);
    Step::apply(&world, &push).run().exits(0);
    check_applied(&world, &[web, queue]);
}

#[test]
fn a_direct_push_between_two_approved_merges_is_refused() {
    let (world, web, queue) = two();
    for number in [web, queue] {
        world.approve(number);
    }
    let first = world.merge(web);
    world.main.append(MAIN, "# unseen\n");
    let unseen = world.github.push_directly("octocat");
    let push = Push { before: first.before, ..world.merge(queue) };
    let told = format!("{} came to main without a pull request", &unseen.after[..10]);
    Step::apply(&world, &push).refused_and_told(&[web, queue], 11, &[&told]);
}

#[test]
fn an_index_that_lags_is_waited_for_once_for_the_whole_push() {
    let (world, web, queue) = two();
    for number in [web, queue] {
        world.approve(number);
    }
    let first = world.merge(web);
    let push = Push { before: first.before, ..world.merge(queue) };
    // GitHub's index does not know the lower one's pull request yet.
    world.github.state().pulls.get_mut(&web).unwrap().index_lag = 1;
    let mut running = Step::apply(&world, &push).start();
    running.wait_for_log("GitHub names no merged pull request for this commit yet");
    world.github.state().pulls.get_mut(&web).unwrap().index_lag = 0;
    running.finish().exits(0);
    check_applied(&world, &[web, queue]);
}

#[test]
fn what_was_merged_and_not_applied_is_asked_about_and_applied_with_the_next() {
    let (world, web, queue) = two();
    // The first merge's run comes too late: main has moved on.
    let first = world.merge(web);
    let push = world.merge(queue);
    Step::apply(&world, &first).refused_and_told(&[web], 11, &["no longer the newest commit of main"]);
    let told = ["#42 is merged and not applied yet", "#42 has 0 of 1", "#43 has 0 of 1", WEB, QUEUE];
    Step::apply(&world, &push).refused_and_told(&[web, queue], 11, &told);
    world.approve(queue);
    // The next one's plan holds both. That #42 is merged makes it nobody's approval.
    let told = ["#42 is merged and not applied yet", "#42 has 0 of 1", WEB, QUEUE];
    Step::apply(&world, &push).refused_and_told(&[web, queue], 11, &told);
    // Nor does accepting another plan, or one that nobody reviewed.
    let accepting = || Step::apply(&world, &push).with("on-plan-change", "apply");
    accepting().refused(11).says("#42 has 0 of 1");
    let head = world.head(queue);
    let key = format!("stategate/{PROD_KEY}/plans/{head}.json");
    let record = world.bucket.get(&key).unwrap();
    world.bucket.delete(&key);
    accepting().refused(11).says("#42 has 0 of 1");
    world.bucket.put(&key, record);
    world.approve(web);
    Step::apply(&world, &push).run().exits(0);
    check_applied(&world, &[web, queue]);
    // What was applied with it is known as applied, each by its number.
    let third = another(&world, "mail");
    world.approve(third);
    let push = world.merge(third);
    world.laptop().initialised(&["state", "rm", WEB]).succeeded();
    let refused = Step::apply(&world, &push).refused(12);
    assert!(!refused.log.contains("not applied yet") && !world.github.comment(third).contains("not applied yet"));
}

#[test]
fn a_plan_that_was_reviewed_on_top_of_what_nobody_approved_lends_it_no_approval() {
    let world = World::applied();
    let web = world.new_image();
    Step::plan(&world, web).run().exits(0);
    let blocked = world.merge(web);
    Step::apply(&world, &blocked).refused_and_told(&[web], 11, &["#42 has 0 of 1"]);
    // Planned after that merge, so its reviewed plan has the other's change in it, but its code has not.
    let queue = another(&world, "queue");
    assert!(world.github.comment(queue).contains(WEB), "{}", world.github.comment(queue));
    world.approve(queue);
    let push = world.merge(queue);
    let told = ["#42 is merged and not applied yet", "#42 has 0 of 1", WEB, QUEUE];
    Step::apply(&world, &push).refused_and_told(&[web, queue], 11, &told);
    world.approve(web);
    Step::apply(&world, &push).run().exits(0);
    check_applied(&world, &[web, queue]);
}

#[test]
fn the_queue_lets_the_next_one_pass_while_another_waits_to_be_applied_and_says_so() {
    let (world, web, queue) = two();
    world.merge(web);
    let outcome = group(&world, MergeMethod::Squash, &[queue]).run().exits(0);
    outcome.tells(&world, &[queue], &["#42 is merged and not applied yet: its reviewed changes are part of this plan"]);
    assert!(world.github.comment(queue).contains("it means what was reviewed"), "{}", world.github.comment(queue));
    // With something that neither of them had, it is refused, and told apart.
    world.laptop().initialised(&["state", "rm", WORKER]).succeeded();
    let told = [&format!("{WORKER} would be created") as &str, "#42 is merged and not applied yet, so its changes"];
    let refused = group(&world, MergeMethod::Squash, &[queue]).refused(12);
    let comment = world.github.comment(queue).replace('`', "");
    assert!(told.iter().all(|word| comment.contains(word)), "{comment}");
    assert!(!refused.log.contains(&format!("{WEB} would be")), "what was reviewed is no difference:\n{}", refused.log);
}
