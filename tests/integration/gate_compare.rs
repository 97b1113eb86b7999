//! What counts as the same plan, with real Terraform; and what a difference is put down to.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use crate::harness::files::PROD_KEY;
use crate::harness::laptop::terraform;
use crate::harness::runner::Step;
use crate::harness::world::World;

const MAIN: &str = "environments/prod/main.tf";
const WEB: &str = "module.web.terraform_data.service";

/// Everything that comes out otherwise in each plan of the same code.
const VOLATILE: &str = r#"resource "terraform_data" "volatile" {
  input = {
    now     = timestamp()
    id      = uuid()
    planned = plantimestamp()
    text    = "planned at ${plantimestamp()}"
    set     = toset(["b", "c", "a"])
    json    = jsonencode({ b = 1, a = [2, 3] })
  }
}

# Known only once the other is made, so it is read by the apply.
data "terraform_remote_state" "dev" {
  backend    = "local"
  config     = { path = "${path.module}/dev.tfstate" }
  depends_on = [terraform_data.volatile]
}

resource "terraform_data" "reads" {
  for_each = toset(["y", "x"])
  input    = "${each.key} ${data.terraform_remote_state.dev.outputs.name}"
}

output "volatile" { value = terraform_data.volatile.output }
output "planned" { value = plantimestamp() }
"#;

const DEV_STATE: &str = r#"{"version":4,"terraform_version":"1.11.4","serial":1,"lineage":"x","outputs":{"name":{"value":"dev","type":"string"}},"resources":[]}"#;

fn volatile() -> (World, u64) {
    let world = World::applied();
    let number = world.pull_request("Something volatile", |files| {
        files.write("environments/prod/volatile.tf", VOLATILE);
        files.write("environments/prod/dev.tfstate", DEV_STATE);
    });
    Step::plan(&world, number).run().exits(0);
    world.approve(number);
    (world, number)
}

#[test]
fn what_differs_in_every_plan_of_the_same_code_does_not_count() {
    let (world, number) = volatile();
    let push = world.merge(number);
    // Another second, and the same code in another order.
    std::thread::sleep(Duration::from_millis(1_100));
    world.main.replace("environments/prod/volatile.tf", r#"["b", "c", "a"]"#, r#"["c", "a", "b"]"#);
    world.main.replace("environments/prod/volatile.tf", "b = 1, a = [2, 3]", "a = [2, 3], b = 1");
    let outcome = Step::apply(&world, &push).run().exits(0);
    assert_eq!(outcome.output("result"), "applied");

    // It is another object now, changed in place in every plan; the same holds. A plan made in the
    // second of the apply before would find the time unchanged.
    std::thread::sleep(Duration::from_millis(1_100));
    let again = world.pull_request("More of it", |files| files.append("environments/prod/volatile.tf", "# more\n"));
    Step::plan(&world, again).run().exits(0);
    world.approve(again);
    let push = world.merge(again);
    std::thread::sleep(Duration::from_millis(1_100));
    assert_eq!(Step::apply(&world, &push).run().exits(0).output("result"), "applied");
}

#[test]
fn a_value_that_differs_among_them_counts() {
    let (world, number) = volatile();
    let push = world.merge(number);
    let file = "environments/prod/volatile.tf";
    for (old, new) in [
        (r#""planned at "#, r#""Planned at "#),
        ("a = [2, 3]", "a = [3, 2]"),
        (r#"["b", "c", "a"]"#, r#"["b", "c"]"#),
        ("now     = timestamp()", "now     = \"2026-11-20T12:00:00Z\""),
        // A time that is reckoned from the plan's is a value like another: it is other each time.
        ("planned = plantimestamp()", "planned = timeadd(plantimestamp(), \"24h\")"),
    ] {
        world.main.replace(file, old, new);
        let told = ["terraform_data.volatile would be created with another value of input"];
        Step::apply(&world, &push).refused_and_told(&[number], 12, &told);
        world.main.replace(file, new, old);
    }
    Step::apply(&world, &push).run().exits(0);
}

#[test]
fn a_state_that_changed_since_is_put_down_to_the_pull_request_that_was_applied() {
    let world = World::applied();
    let first = world.new_image();
    Step::plan(&world, first).run().exits(0);
    world.approve(first);
    let second = world.pull_request("Web 1.2", |files| files.replace(MAIN, "web:1.0", "web:1.2"));
    Step::plan(&world, second).run().exits(0);
    world.approve(second);
    let push = world.merge(second);
    Step::apply(&world, &push).run().exits(0);

    let push = world.merge(first);
    let same = "the code is exactly what was planned, so the difference comes from the state";
    let words = [&format!("{WEB} would be changed in place with another value of input") as &str, same];
    Step::apply(&world, &push).refused(12).says("another value of `input`");
    let comment = world.github.comment(first).replace('`', "");
    for word in words.into_iter().chain(["the state changed since, by #43 (serial "]) {
        assert!(comment.contains(word), "{word:?} is not told:\n{comment}");
    }
}

/// A `terraform` whose `init` locks this version of a provider, as if a registry had given it. It is
/// the real one in everything else, and finds nothing locked that is not installed.
fn locking(world: &World, version: &str) -> String {
    let directory = world.place("bin");
    let lock = directory.join("lock.hcl");
    let text = format!("provider \"registry.terraform.io/acme/x\" {{\n  version = \"{version}\"\n}}\n");
    fs::write(&lock, text).unwrap();
    let (program, lock, real) = (directory.join("terraform"), lock.display(), terraform().display());
    let script = format!(
        "#!/bin/sh\nif [ \"$1\" = init ]; then '{real}' \"$@\" && exec cp '{lock}' .terraform.lock.hcl; exit 1; fi\n\
         [ \"$1\" != plan ] || rm -f .terraform.lock.hcl\nexec '{real}' \"$@\"\n"
    );
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    program.display().to_string()
}

#[test]
fn a_base_that_moved_and_other_versions_are_named() {
    let world = World::applied();
    let number = world.new_image();
    Step::plan(&world, number).with("terraform-bin", &locking(&world, "1.0.0")).run().exits(0);
    world.approve(number);
    let head = world.head(number);
    let key = format!("stategate/{PROD_KEY}/plans/{head}.json");
    // There is one Terraform here: the record says that another one planned.
    let mut record = world.bucket.json(&key).unwrap();
    record["terraform_version"] = "1.10.5".into();
    world.bucket.put(&key, record.to_string());
    let base = record["base_sha"].as_str().unwrap()[..10].to_owned();
    // Somebody else's change of the same module comes in between.
    let push = world.merge(number);
    world.main.replace("modules/service/main.tf", "name = var.name,", "name = upper(var.name),");
    let words = [
        &format!("the merged code is not the code that was planned: other changes were merged since {base}") as &str,
        "it was planned with Terraform 1.10.5, and is with ",
        "the provider registry.terraform.io/acme/x was 1.0.0, and is 1.1.0 now",
    ];
    Step::apply(&world, &push).with("terraform-bin", &locking(&world, "1.1.0")).refused(12);
    let comment = world.github.comment(number).replace('`', "");
    for word in words {
        assert!(comment.contains(word), "{word:?} is not told:\n{comment}");
    }
}
