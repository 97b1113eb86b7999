//! Variables on their way to Terraform.

use crate::harness::runner::Step;
use crate::harness::world::World;

/// No plan file holds it, so the apply is given it again by the flags of the plan.
#[test]
fn an_ephemeral_variable_that_the_plan_was_given_reaches_the_apply() {
    let world = World::applied();
    let number = world.pull_request("A token", |files| {
        let text = "\nvariable \"tok\" {\n  type      = string\n  ephemeral = true\n}\n\nvariable \"size\" {}\n\nresource \"terraform_data\" \"sized\" {\n  input = var.size\n}\n";
        files.append("environments/prod/main.tf", text);
        files.write("environments/prod/prod.tfvars", "tok = \"hunter2-hunter2\"\nsize = \"large\"\n");
    });
    let with = |step: Step<'_>| step.with("plan-args", "-var-file=prod.tfvars").run();
    with(Step::plan(&world, number)).exits(0);
    world.approve(number);
    let push = world.merge(number);
    let outcome = with(Step::apply(&world, &push)).exits(0);
    assert_eq!(outcome.output("result"), "applied");
    assert!(!outcome.log.contains("hunter2"), "{}", outcome.log);
}
