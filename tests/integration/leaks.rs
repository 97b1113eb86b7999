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

/// A value that no plan knows, and that a provisioner prints.
const LOUD: &str = r#"resource "terraform_data" "made" {}

resource "terraform_data" "holder" { input = sensitive(terraform_data.made.id) }

resource "terraform_data" "loud" {
  depends_on = [terraform_data.holder]
  provisioner "local-exec" {
    command = "echo made=${terraform_data.made.id}; exit EXIT"
  }
}
"#;

#[test]
fn an_apply_does_not_tell_what_only_the_new_state_marks() {
    for (exit, code) in [("0", 0), ("3", 14)] {
        let world = World::applied();
        let number = world.pull_request("A key is made", |files| {
            files.write(&format!("{PROD}/loud.tf"), &LOUD.replace("EXIT", exit));
        });
        Step::plan(&world, number).run().exits(0);
        world.approve(number);
        let push = world.merge(number);
        let outcome = Step::apply(&world, &push).run().exits(code);
        let state = world.laptop().state();
        let resources = state["resources"].as_array().unwrap();
        let made = resources.iter().find(|resource| resource["name"] == "made").unwrap();
        let secret = made["instances"][0]["attributes"]["id"].as_str().unwrap();
        let told = [
            "terraform_data.made: Creation complete after 0s",
            "terraform_data.loud: (local-exec): made=(sensitive value)",
        ];
        for told in told {
            assert!(outcome.log.contains(told), "{told:?} is not told:\n{}", outcome.log);
        }
        let comment = world.github.comment(number);
        for (place, text) in [("comment", &comment), ("summary", &outcome.summary), ("log", &outcome.log)] {
            assert!(!text.contains(secret), "the {place} tells it:\n{text}");
            assert!(code == 0 || text.contains("(sensitive value)"), "the {place} does not tell the failure:\n{text}");
        }
        assert!(world.bucket.locks().is_empty());
    }
}

#[test]
fn terraforms_debug_log_is_in_a_file_alone() {
    let world = World::applied();
    let number = world.pull_request("It fails", |files| {
        let resource = "resource \"terraform_data\" \"x\" {\n  input = tonumber(terraform.workspace)\n}\n";
        files.write(&format!("{PROD}/more.tf"), resource);
    });
    for level in ["trace", "json"] {
        let temp = world.place(level).display().to_string();
        let outcome = Step::plan(&world, number).env("TF_LOG", level).env("RUNNER_TEMP", &temp).run().exits(14);
        let comment = world.github.comment(number);
        for text in [&comment, &outcome.summary, &outcome.log] {
            assert!(text.contains("Invalid function argument"), "{text}");
            for line in ["[TRACE]", "[DEBUG]", "[INFO]", "\"@level\"", "Terraform version: "] {
                assert!(!text.contains(line), "{text}");
            }
        }
        let files = std::fs::read_dir(&temp).unwrap().map(|file| file.unwrap().path());
        let logs: Vec<_> = files.filter(|file| file.extension().is_some_and(|end| end == "log")).collect();
        let [log] = &logs[..] else { panic!("{logs:?}\n{}", outcome.log) };
        assert!(outcome.log.contains(&log.display().to_string()), "{}", outcome.log);
        assert!(std::fs::read_to_string(log).unwrap().contains("Terraform version: "));
    }
    let elsewhere = world.place("elsewhere").join("tf.log");
    Step::plan(&world, number)
        .env("TF_LOG", "debug")
        .env("TF_LOG_PATH", &elsewhere.display().to_string())
        .run()
        .exits(14);
    assert!(elsewhere.exists());
}

#[test]
fn a_credential_of_the_job_that_the_configuration_takes_over_is_told_nowhere() {
    let world = World::applied();
    let number = world.pull_request("It reads its environment", |files| {
        let resource = "locals { found = regex(\"VENDOR_API_TOKEN=([0-9a-z-]+)\", file(\"/proc/self/environ\"))[0] }\n\
                        resource \"terraform_data\" \"taken\" { input = \"key ${local.found}\" }\noutput \"taken\" { value = local.found }\n";
        files.write(&format!("{PROD}/taken.tf"), resource);
    });
    let secret = "5e3c2e7-nobody-may-read";
    let step = |step: Step<'_>| step.env("VENDOR_API_TOKEN", secret).run();
    let check = |outcome: Outcome| {
        let (comment, outputs) = (world.github.comment(number), format!("{:?}", outcome.outputs));
        let texts =
            [("comment", &comment), ("summary", &outcome.summary), ("log", &outcome.log), ("outputs", &outputs)];
        for (place, text) in texts {
            assert!(text.contains("taken"), "the {place} does not tell what changes: {text}");
            assert!(!text.contains(secret), "the {place} tells it:\n{text}");
        }
    };
    check(step(Step::plan(&world, number)).exits(0));
    world.approve(number);
    let push = world.merge(number);
    check(step(Step::apply(&world, &push)).exits(0));
}

#[test]
fn credentials_in_addresses_are_told_nowhere() {
    let secret = "hunter2hunter2";
    let world = World::applied();
    let number = world.pull_request("A module from a private place", |files| {
        let module = format!("module \"x\" {{\n  source = \"git::https://oauth2:{secret}@127.0.0.1:1/x.git\"\n}}\n");
        files.write(&format!("{PROD}/module.tf"), &module);
    });
    let outcome = Step::plan(&world, number).run().exits(14);
    let comment = world.github.comment(number);
    for (place, text) in [("comment", &comment), ("summary", &outcome.summary), ("log", &outcome.log)] {
        assert!(text.contains("127.0.0.1:1/x.git"), "the {place} does not tell what failed:\n{text}");
        assert!(!text.contains(secret), "the {place} tells it:\n{text}");
    }
    let address = format!("http://u:{secret}@127.0.0.1:1");
    let fresh = world.new_image();
    for (name, code) in
        [("AWS_ENDPOINT_URL_S3", 0), ("AWS_ENDPOINT_URL_STS", 0), ("GITHUB_API_URL", 21), ("HTTPS_PROXY", 0)]
    {
        let outcome = Step::plan(&world, fresh).env(name, &address).env("RUNNER_DEBUG", "1").run();
        assert!(code == 0 || outcome.code == Some(code), "{name}: {}", outcome.log);
        for text in [&outcome.log, &outcome.summary, &format!("{:?}{:?}", outcome.outputs, outcome.cleanup)] {
            assert!(!text.contains(secret), "{name}: {text}");
        }
    }
}

#[test]
fn what_becomes_of_each_resource_is_told_though_values_are_withheld() {
    let world = World::applied();
    let number = world.pull_request("A large secret", |files| {
        let large = "0123456789".repeat(30_000);
        let resource = format!("resource \"terraform_data\" \"large\" {{\n  input = sensitive(\"{large}\")\n  provisioner \"local-exec\" {{\n    command = \"echo aloud\"\n  }}\n}}\n");
        files.write(&format!("{PROD}/large.tf"), &resource);
    });
    Step::plan(&world, number).run().exits(0);
    world.approve(number);
    let push = world.merge(number);
    let outcome = Step::apply(&world, &push).run().exits(0);
    let told = "terraform_data.large: Creation complete after 0s";
    assert!(outcome.log.contains(told), "{told:?} is not told:\n{}", outcome.log);
    for text in [&world.github.comment(number), &outcome.summary, &outcome.log] {
        assert!(!text.contains("aloud") && !text.contains("0123456789"), "{text}");
    }
}
