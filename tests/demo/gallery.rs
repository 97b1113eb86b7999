//! The kinds of comment that the story has no room for, each from a run of its own.

use std::time::Duration;

use super::harness::files::PROD;
use super::harness::process::wait_for;
use super::harness::runner::Step;
use super::harness::world::World;
use super::stage::Kind;

const MAIN: &str = "environments/prod/main.tf";

const RULE: &str = r#"
resource "terraform_data" "checked" {
  lifecycle {
    precondition {
      condition     = startswith(module.web.image, "registry.acme.example/")
      error_message = "Production runs images from our own registry only."
    }
  }
}
"#;

/// Plays them beside the story, in repositories and buckets of their own.
pub(crate) fn play() -> Vec<Kind> {
    let world = World::applied();
    // What is cancelled leaves something half done, which is nothing for the others to see.
    vec![no_changes(&world), failed(&world), refused(&world), cancelled(&World::applied())]
}

fn kind(name: &'static str, world: &World, number: u64) -> Kind {
    Kind { name, body: world.github.comment(number) }
}

fn no_changes(world: &World) -> Kind {
    let number =
        world.pull_request("Explain the worker", |files| files.append(MAIN, "# The worker needs no region.\n"));
    Step::plan(world, number).run().exits(0);
    kind("No changes", world, number)
}

fn failed(world: &World) -> Kind {
    let number = world.pull_request("A rule for images", |files| files.append(MAIN, RULE));
    Step::plan(world, number).run().exits(14);
    kind("Terraform failed", world, number)
}

/// Somebody changes the world between the review and the apply.
fn refused(world: &World) -> Kind {
    let number = world.new_image();
    Step::plan(world, number).run().exits(0);
    world.approve(number);
    let push = world.merge(number);
    world.laptop().initialised(&["state", "rm", "module.worker.terraform_data.service"]).succeeded();
    Step::apply(world, &push).run().exits(12);
    kind("Refused: the plan is not the one reviewed", world, number)
}

fn cancelled(world: &World) -> Kind {
    let sign = world.place("cancelled").join("go");
    let wait = format!("for i in $(seq 600); do [ -e '{}' ] && break; sleep 0.1; done", sign.display());
    let number = world.pull_request("A slow report", |files| {
        let slow = format!(
            "resource \"terraform_data\" \"report\" {{\n  provisioner \"local-exec\" {{\n    command = \"{wait}\"\n  }}\n}}\n"
        );
        files.write(&format!("{PROD}/report.tf"), &slow);
    });
    Step::plan(world, number).run().exits(0);
    world.approve(number);
    let push = world.merge(number);
    let step = Step::apply(world, &push).start();
    wait_for("the apply to begin", Duration::from_mins(1), || step.log().contains("Provisioning with").then_some(()));
    step.cancel();
    kind("Cancelled by a person", world, number)
}
