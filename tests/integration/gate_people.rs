//! Whose approval counts, for which push and for which base branch; and whose does not, whatever a
//! commit claims.

use crate::harness::files::PROD_KEY;
use crate::harness::runner::Step;
use crate::harness::world::World;

const MAIN: &str = "environments/prod/main.tf";

/// GitHub tells neither what moved a branch nor which runs a commit had: an old server.
fn without_githubs_word(world: &World) {
    world.github.never_has("/activity");
    world.github.never_has("/actions/runs");
}

/// hubot pushes to octocat's pull request a commit that claims octocat as its committer.
fn disguised_push(world: &World) -> u64 {
    let number = world.new_image();
    world.push_to(number, |files| files.append(MAIN, "# by hubot\n"));
    world.github.head_was_pushed_by(number, "hubot", Some("octocat"));
    number
}

#[test]
fn a_pusher_stays_known_when_the_same_commit_is_planned_again() {
    let world = World::applied();
    let number = disguised_push(&world);
    // Only the event of the push says who pushed, and it is planned again without it.
    without_githubs_word(&world);
    let mut pushed = world.github.pull_request_event(number, "synchronize");
    pushed.payload["sender"]["login"] = "hubot".into();
    Step::new(&world, "plan", pushed).run().exits(0);
    for _ in 0..2 {
        Step::new(&world, "plan", world.github.pull_request_event(number, "reopened")).run().exits(0);
    }
    let comment = world.github.comment(number);
    assert!(comment.contains("hubot (who pushed last)"), "{comment}");
    world.approve(number);
    let push = world.merge(number);
    Step::apply(&world, &push).refused_and_told(&[number], 11, &["hubot pushed the last commit"]);
    world.github.review(number, "monalisa", "APPROVED");
    Step::apply(&world, &push).run().exits(0);
}

#[test]
fn github_names_the_pusher_of_a_commit_that_claims_another() {
    for hidden in ["", "/activity"] {
        let world = World::applied();
        let number = disguised_push(&world);
        if !hidden.is_empty() {
            // Then its runs tell: a push starts them in the name of who pushed.
            world.github.never_has(hidden);
            let head = world.head(number);
            world.github.start_run("ci", "pull_request", &head, "web-1-1", "hubot");
        }
        // The run that plans it is another's, and never heard of hubot.
        Step::new(&world, "plan", world.github.pull_request_event(number, "reopened")).run().exits(0);
        world.approve(number);
        let push = world.merge(number);
        Step::apply(&world, &push).refused_and_told(&[number], 11, &["hubot pushed the last commit"]);
        world.github.review(number, "monalisa", "APPROVED");
        Step::apply(&world, &push).run().exits(0);
    }
}

#[test]
fn a_pusher_whom_nobody_knows_takes_one_approval_more() {
    let world = World::applied();
    let number = world.new_image();
    world.github.head_was_pushed_by(number, "hubot", None);
    without_githubs_word(&world);
    Step::new(&world, "plan", world.github.pull_request_event(number, "reopened")).run().exits(0);
    world.approve(number);
    let push = world.merge(number);
    let told = ["hubot may have pushed the last commit", "no account on GitHub", "one approval more than required"];
    Step::apply(&world, &push).refused_and_told(&[number], 11, &told);
    world.github.review(number, "monalisa", "APPROVED");
    Step::apply(&world, &push).run().exits(0);
}

#[test]
fn what_an_app_pushed_is_approved_by_one_person() {
    let world = World::applied();
    let number = world.new_image();
    "renovate[bot]".clone_into(&mut world.github.state().pulls.get_mut(&number).unwrap().author);
    world.github.head_was_pushed_by(number, "renovate[bot]", None);
    let planned = Step::plan(&world, number).run().exits(0);
    assert!(planned.summary.contains("except renovate (its author)"), "{}", planned.summary);
    assert!(!planned.summary.contains("who pushed last"), "{}", planned.summary);
    world.approve(number);
    let push = world.merge(number);
    Step::apply(&world, &push).run().exits(0);
}

#[test]
fn an_approval_given_for_another_base_branch_does_not_count() {
    let world = World::applied();
    let number = world.new_image();
    world.github.change_base(number, "octocat", "scratch");
    world.approve(number);
    world.github.seconds_pass(number, 60);
    world.github.change_base(number, "octocat", "main");
    Step::plan(&world, number).run().exits(0);
    let comment = world.github.comment(number);
    assert!(comment.contains("hubot approved it for"), "{comment}");
    let push = world.merge(number);
    Step::apply(&world, &push).refused_and_told(&[number], 11, &["hubot approved it for", "scratch"]);
    // REST does not name the branch, and takes the approval away all the same.
    world.github.hides("parents", crate::harness::github::state::HoleKind::NullNode);
    Step::apply(&world, &push).refused_and_told(&[number], 11, &["hubot approved it before it was moved"]);
    world.github.state().holes.clear();
    world.github.seconds_pass(number, 60);
    world.approve(number);
    Step::apply(&world, &push).run().exits(0);
}

#[test]
fn an_approval_stands_when_github_itself_moves_the_base() {
    let world = World::applied();
    let number = world.new_image();
    "stack".clone_into(&mut world.github.state().pulls.get_mut(&number).unwrap().base);
    world.approve(number);
    world.github.seconds_pass(number, 60);
    world.github.base_follows(number, "octocat", "main");
    Step::plan(&world, number).run().exits(0);
    let push = world.merge(number);
    Step::apply(&world, &push).run().exits(0);
}

#[test]
fn a_dismissed_request_for_changes_is_named() {
    for by_rest in [false, true] {
        let (world, number) = World::planned();
        world.github.review(number, "monalisa", "CHANGES_REQUESTED");
        world.github.dismiss_by(number, "monalisa", "octocat");
        world.approve(number);
        if by_rest {
            world.github.hides("parents", crate::harness::github::state::HoleKind::NullNode);
        }
        let named = "monalisa asked for changes; dismissed by octocat";
        Step::plan(&world, number).run().exits(0);
        assert!(world.github.comment(number).contains(named), "{}", world.github.comment(number));
        let push = world.merge(number);
        let applied = Step::apply(&world, &push).run().exits(0);
        assert!(world.github.comment(number).contains(named), "{}", world.github.comment(number));
        assert!(applied.log.contains(named), "{}", applied.log);
    }
}

#[test]
fn approvers_are_read_before_anything_is_done() {
    let (world, number) = World::planned();
    let before = world.bucket.get(PROD_KEY);
    let plan = Step::plan(&world, number).with("approvers", "hubot; monalisa").run().exits(2);
    let push = world.merge(number);
    let apply = Step::apply(&world, &push).with("approvers", "hubot; monalisa").run().exits(2);
    for outcome in [plan, apply] {
        assert!(outcome.log.contains("`hubot;` is neither a login"), "{}", outcome.log);
        assert!(!outcome.log.contains("terraform init"), "{}", outcome.log);
    }
    assert!(world.github.comment(number).contains("is neither a login"), "{}", world.github.comment(number));
    assert_eq!(world.bucket.get(PROD_KEY), before);
}

#[test]
fn an_approver_whom_github_does_not_know_is_told_on_the_pull_request() {
    let world = World::applied();
    let number = world.new_image();
    world.github.state().teams.insert("platform".to_owned(), vec!["hubot".to_owned()]);
    let plan = |approvers: &str, permissions: &[(&str, &str)]| {
        let token = world.github.workflow_token(permissions);
        let before = world.github.requests().len();
        Step::plan(&world, number).with("approvers", approvers).token(&token).run().exits(0);
        let asked = world.github.requests().split_off(before);
        let is_question = |body: &serde_json::Value| body["query"].to_string().contains("query Approvers");
        (world.github.comment(number), asked.iter().filter(|asked| is_question(&asked.body)).count())
    };
    let usual = crate::harness::github::WORKFLOW_PERMISSIONS;
    let (comment, asked) = plan("hubot, monalsia, acme/platfrom, acne/platform", usual);
    assert!(comment.contains("no account monalsia") && comment.contains("no team acne/platform"), "{comment}");
    // This token sees no team at all, so it cannot tell which there are.
    assert!(!comment.contains("account hubot") && !comment.contains("acme/platfrom:"), "{comment}");
    assert_eq!(asked, 1);
    let (comment, _) = plan("acme/platform, acme/platfrom", &[usual, &[("members", "read")]].concat());
    assert!(comment.contains("no team acme/platfrom") && !comment.contains("no team acme/platform:"), "{comment}");
    let (comment, asked) = plan("", usual);
    assert!(!comment.contains("correct the input"), "{comment}");
    assert_eq!(asked, 0);
}

#[test]
fn who_left_a_team_no_longer_approves_for_it() {
    let (world, number) = World::planned();
    world.approve(number);
    let push = world.merge(number);
    world.github.state().teams.insert("platform".to_owned(), vec!["monalisa".to_owned()]);
    let permissions = [crate::harness::github::WORKFLOW_PERMISSIONS, &[("members", "read")]].concat();
    let token = world.github.workflow_token(&permissions);
    world.github.state().pulls.get_mut(&number).unwrap().reviews[0].on_behalf_of = vec!["platform".to_owned()];
    let apply = || Step::apply(&world, &push).with("approvers", "acme/platform").token(&token);
    apply().refused_and_told(&[number], 11, &["hubot is not among the approvers"]);
    world.github.state().teams.get_mut("platform").unwrap().push("hubot".to_owned());
    apply().run().exits(0);
}

#[test]
fn the_author_does_not_let_in_a_run_that_an_app_started_whoever_runs_it_again() {
    let (world, number) = World::planned();
    let push = world.merge(number);
    world.github.environment("prod", &["hubot", "octocat"], false);
    let apply = || {
        let mut event = world.github.push_event(&push);
        "github-merge-queue[bot]".clone_into(&mut event.actor);
        let step = Step::new(&world, "apply", event).with("required-approvals", "0");
        step.with("environment", "prod").with("require-environment-approval", "true")
    };
    let refused = apply().refused_and_told(&[number], 11, &["nobody approved this run"]);
    world.github.approve_run(refused.run, "prod", "octocat");
    // The same attempt's successor, started by a person.
    let again = || {
        let mut event = world.github.push_event(&push);
        "monalisa".clone_into(&mut event.actor);
        let step = Step::new(&world, "apply", event).with("required-approvals", "0").rerun_of(refused.run);
        step.with("environment", "prod").with("require-environment-approval", "true")
    };
    again().refused_and_told(&[number], 11, &["octocat is the author, for whom an app started this run"]);
    world.github.approve_run(refused.run, "prod", "hubot");
    again().run().exits(0);
}

#[test]
fn an_environment_that_lets_every_branch_in_is_told() {
    let (world, number) = World::planned();
    world.approve(number);
    let push = world.merge(number);
    world.github.environment("prod", &["hubot"], false);
    world.github.open_environment("prod");
    let apply = || Step::apply(&world, &push).with("environment", "prod").with("require-environment-approval", "true");
    let open = "The environment prod lets every branch in";
    let refused = apply().refused_and_told(&[number], 11, &["nobody approved this run", open]);
    world.github.approve_run(refused.run, "prod", "hubot");
    let applied = apply().rerun_of(refused.run).run().exits(0);
    assert!(world.github.comment(number).contains(open) && applied.log.contains(open), "{}", applied.log);
}

#[test]
fn a_lone_maintainer_is_told_the_way_on() {
    let (world, number) = World::planned();
    let push = world.merge(number);
    let told = ["if nobody else maintains this repository, set", "--required-approvals 0", "with required reviewers"];
    Step::apply(&world, &push).refused_and_told(&[number], 11, &told);
    world.github.review(number, "hubot", "COMMENTED");
    world.github.review(number, "hubot", "DISMISSED");
    let outcome = Step::apply(&world, &push).refused(11);
    assert!(!outcome.log.contains("if nobody else maintains"), "{}", outcome.log);
}

#[test]
fn a_checkout_outside_of_the_workspace_is_checked_too() {
    let (world, number) = World::planned();
    world.approve(number);
    let push = world.merge(number);
    let elsewhere = world.place("elsewhere");
    let apply = |sha: Option<&str>| {
        let files = world.main.copy_to(elsewhere.join(sha.unwrap_or("none")));
        if let Some(sha) = sha {
            files.write(".git/HEAD", sha);
        }
        let directory = files.root.join("environments/prod");
        Step::apply(&world, &push).with("working-directory", &directory.display().to_string())
    };
    apply(Some(&world.head(number))).refused_and_told(&[], 11, &["the checked-out commit is", &push.after]);
    let said = apply(None).run().exits(0);
    assert!(said.log.contains("No Git checkout holds the root module"), "{}", said.log);
    assert!(said.summary.contains("No Git checkout holds the root module"), "{}", said.summary);
}
