//! What the apply says about settings that are others than those of the reviewed plan.

use crate::harness::runner::Step;
use crate::harness::world::World;

const SECRET: &str = "hunter2-hunter2";

#[test]
fn an_apply_says_which_settings_the_plan_was_made_with() {
    let (world, number) = World::planned();
    let record = String::from_utf8(world.bucket.get(&world.record_key(number)).unwrap()).unwrap();
    assert!(record.contains("\"required_approvals\":1"), "{record}");
    let push = world.merge(number);
    let apply = || {
        let step = Step::apply(&world, &push).with("required-approvals", "2").with("environment", "production");
        step.with("plan-args", "-parallelism=3")
    };
    let differing = [
        "Planned with 1 approval needed, applied with 2 approvals needed",
        "Planned with no environment, applied with the environment production",
        "Planned with no arguments for terraform plan, applied with some",
    ];
    // It blocks nothing by itself; that an approval is missing does.
    for (approvers, code) in [(["hubot"].as_slice(), 11), (["hubot", "dave"].as_slice(), 0)] {
        for approver in approvers {
            world.github.person(approver, "write");
            world.github.review(number, approver, "APPROVED");
        }
        let outcome = apply().run().exits(code);
        let comment = world.github.comment(number);
        for words in differing {
            assert!(outcome.log.contains(words), "{words} in {}", outcome.log);
            assert!(comment.contains(words), "{words} in {comment}");
        }
        assert!(!comment.contains("terraform init"), "they are the same: {comment}");
    }
}

#[test]
fn an_apply_with_the_settings_of_the_plan_says_nothing_of_them() {
    let world = World::applied();
    let number = world.pull_request("Web 1.1", |files| {
        files.replace("environments/prod/main.tf", "web:1.0", "web:1.1");
        files.append("environments/prod/main.tf", "variable \"token\" { sensitive = true }\n");
    });
    let given = |step: Step<'_>| {
        let step = step.with("plan-args", &format!("-parallelism=3 -var=token={SECRET}"));
        step.with("approvers", "Octocat, hubot").with("environment", "production").run().exits(0)
    };
    world.approve(number);
    given(Step::plan(&world, number));
    let record = String::from_utf8(world.bucket.get(&world.record_key(number)).unwrap()).unwrap();
    assert!(record.contains("\"plan_args\":\"") && !record.contains(SECRET), "{record}");
    let push = world.merge(number);
    given(Step::apply(&world, &push));
    assert!(!world.github.comment(number).contains("Planned with"), "{}", world.github.comment(number));
}
