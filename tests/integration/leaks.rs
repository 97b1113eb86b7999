//! What a job holds stays out of what it tells, though the configuration prints it.

use crate::harness::files::PROD;
use crate::harness::runner::Step;
use crate::harness::world::World;

#[test]
fn a_failing_apply_does_not_tell_the_jobs_credentials() {
    let world = World::applied();
    let number = world.pull_request("A provisioner that prints", |files| {
        let command = "echo out $AWS_SESSION_TOKEN; echo err $AWS_SESSION_TOKEN >&2; exit 3";
        let resource = format!(
            "resource \"terraform_data\" \"loud\" {{\n  provisioner \"local-exec\" {{\n    command = \"{command}\"\n  }}\n}}\n"
        );
        files.write(&format!("{PROD}/loud.tf"), &resource);
    });
    let secret = "a-session-token-that-nobody-may-read";
    let with_secret = |step: Step<'_>| step.env("AWS_SESSION_TOKEN", secret).env("RUNNER_DEBUG", "1").run();
    with_secret(Step::plan(&world, number)).exits(0);
    world.approve(number);
    let push = world.merge(number);
    let outcome = with_secret(Step::apply(&world, &push)).exits(14);
    assert!(outcome.log.contains("terraform_data.loud"), "the failure is told:\n{}", outcome.log);
    for (place, text) in [("comment", world.github.comment(number)), ("summary", outcome.summary), ("log", outcome.log)]
    {
        assert!(!text.contains(secret), "the {place} tells it:\n{text}");
    }
}
