//! The kinds of comment that the story has no room for, each from a run of its own.

use std::thread;
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

const IMPORT: &str = r#"
resource "terraform_data" "table" {
  input = { name = "orders" }
}

resource "terraform_data" "import" {
  input = terraform_data.table.output.name
  provisioner "local-exec" {
    command = "echo \"orders.acme.example: no route to host\" >&2; exit 1"
  }
}
"#;

/// Plays them beside the story, in repositories and buckets of their own: what one leaves half done
/// is nothing for the others to see.
pub(crate) fn play() -> Vec<Kind> {
    let groups: [fn() -> Vec<Kind>; 3] = [of_plans, of_locks, of_applies];
    thread::scope(|scope| {
        let start = |group: fn() -> Vec<Kind>| {
            let name = thread::current().name().unwrap_or_default().to_owned();
            thread::Builder::new().name(name).spawn_scoped(scope, group).expect("a thread starts")
        };
        let playing = groups.map(start);
        playing.into_iter().flat_map(|group| group.join().expect("its kinds are played")).collect()
    })
}

fn of_plans() -> Vec<Kind> {
    let world = World::applied();
    vec![no_changes(&world), failed(&world), refused(&world)]
}

fn of_locks() -> Vec<Kind> {
    let world = World::applied();
    let laptop = held_by_a_laptop(&world);
    vec![left_behind(&World::applied()), laptop, frozen(&World::applied())]
}

fn of_applies() -> Vec<Kind> {
    vec![half_way(&World::applied()), cancelled(&World::applied()), merged_earlier(&World::applied())]
}

fn kind(name: &'static str, world: &World, number: u64) -> Kind {
    Kind { name, body: world.github.comment(number) }
}

/// Plans another pull request, which somebody's lock keeps out.
fn kept_out(name: &'static str, world: &World) -> Kind {
    let number = world.new_image();
    Step::plan(world, number).with("lock-timeout", "0s").run().exits(10);
    kind(name, world, number)
}

fn held_by_a_laptop(world: &World) -> Kind {
    let holding = world.laptop().hold_lock();
    let kept_out = kept_out("Locked by a laptop", world);
    holding.finish();
    kept_out
}

fn left_behind(world: &World) -> Kind {
    let (_, push, sign) = world.slow_change();
    let step = Step::apply(world, &push).start();
    step.wait_for_apply();
    let dead = step.vanish();
    sign.go_on();
    world.github.finish_run_before(dead.run, "failure", 7);
    kept_out("Locked by a run that is dead", world)
}

fn frozen(world: &World) -> Kind {
    world.laptop().stategate(&["lock", "--reason", "moving to another account"]).succeeded();
    kept_out("Frozen for maintenance", world)
}

/// Of two resources the first is made, and the second one's machine never answers.
fn half_way(world: &World) -> Kind {
    let number = world.pull_request("A table and its import", |files| {
        files.write(&format!("{PROD}/import.tf"), IMPORT);
    });
    Step::plan(world, number).run().exits(0);
    world.approve(number);
    let push = world.merge(number);
    Step::apply(world, &push).run().exits(14);
    kind("An apply that failed half-way", world, number)
}

/// What was merged without an approval would be applied along with the next one.
fn merged_earlier(world: &World) -> Kind {
    let planned = |title: &str, text: &str| {
        let file = format!("{PROD}/{}.tf", title.to_lowercase().replace(' ', "-"));
        let number = world.pull_request(title, |files| files.write(&file, text));
        Step::plan(world, number).run().exits(0);
        number
    };
    let first = planned("Mail", "resource \"terraform_data\" \"mail\" {\n  input = \"mail\"\n}\n");
    world.approve(first);
    Step::apply(world, &world.merge(first)).run().exits(0);
    let unapproved = world.new_image();
    Step::plan(world, unapproved).run().exits(0);
    Step::apply(world, &world.merge(unapproved)).run().exits(11);
    let next = planned("Queue", "resource \"terraform_data\" \"queue\" {\n  input = \"queue\"\n}\n");
    world.approve(next);
    Step::apply(world, &world.merge(next)).run().exits(11);
    kind("Blocked by what was merged earlier", world, next)
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
