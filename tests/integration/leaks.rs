//! What a job holds stays out of what it tells, though the configuration prints it.

use crate::harness::files::PROD;
use crate::harness::runner::{Outcome, Step};
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

/// A secret that its own configuration declassifies and spreads.
const SPREAD: &str = r#"variable "token" {
  sensitive = true
  default   = "tök&5e3c/2e7 value"
}

locals { open = nonsensitive(var.token) }

resource "terraform_data" "holder" { input = var.token }

resource "terraform_data" "copy" {
  for_each = toset([local.open])
  input = {
    base64 = base64encode("app:${local.open}")
    json   = jsonencode({ deep = [{ password = local.open }] })
    url    = "https://x.example/?token=${urlencode(local.open)}"
    lines  = "first\n${local.open}\nlast"
  }
}

output "copied" { value = { (local.open) = local.open } }
"#;

#[test]
fn copies_of_a_secret_are_told_nowhere_from_plan_to_apply() {
    let spellings = [
        "tök&5e3c/2e7 value",
        "tök\\u00265e3c/2e7 value",
        "YXBwOnTDtmsmNWUzYy8yZTcgdmFsdWU=",
        "t%C3%B6k%265e3c%2F2e7+value",
    ];
    let world = World::applied();
    let number = world.pull_request("A secret, spread", |files| files.write(&format!("{PROD}/spread.tf"), SPREAD));
    let check = |outcome: &Outcome| {
        let (comment, outputs) = (world.github.comment(number), outcome.outputs["summary-json"].clone());
        let texts = [("comment", &comment), ("summary", &outcome.summary), ("log", &outcome.log), ("output", &outputs)];
        for (place, text) in texts {
            assert!(text.contains("terraform_data.copy["), "the {place} does not tell what changes: {text}");
            for spelling in spellings {
                let line = text.lines().find(|line| line.contains(spelling));
                assert!(line.is_none(), "the {place} tells {spelling}: {line:?}");
            }
        }
    };
    check(&Step::plan(&world, number).run().exits(0));
    world.approve(number);
    let push = world.merge(number);
    // Something else got into the merge: the refusal names addresses.
    let spread = format!("{PROD}/spread.tf");
    world.main.replace(&spread, "\"first", "\"other");
    check(&Step::apply(&world, &push).run().exits(12));
    world.main.replace(&spread, "\"other", "\"first");
    check(&Step::apply(&world, &push).run().exits(0));
}

/// A value that no plan knows, marked in one place and carried unmarked in another.
const MADE: &str = r#"resource "terraform_data" "made" {}

resource "terraform_data" "holder" { input = sensitive(terraform_data.made.id) }

resource "terraform_data" "open" {}

output "carrier" { value = { inside = "key ${terraform_data.made.id}" } }
output "open" { value = "seen ${length(terraform_data.open.id)}" }
"#;

#[test]
fn an_output_does_not_tell_what_only_the_new_state_marks() {
    let world = World::applied();
    let number = world.pull_request("A key is made", |files| files.write(&format!("{PROD}/made.tf"), MADE));
    Step::plan(&world, number).run().exits(0);
    world.approve(number);
    let push = world.merge(number);
    let outcome = Step::apply(&world, &push).run().exits(0);
    for text in [world.github.comment(number), outcome.summary] {
        assert!(text.contains("inside = \"key (sensitive value)\""), "{text}");
        assert!(text.contains("open    = \"seen 36\"") || text.contains("open = \"seen 36\""), "{text}");
    }
}
