//! An error that Terraform reports is a failure, whatever its exit code.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::harness::files::PROD_KEY;
use crate::harness::runner::Step;
use crate::harness::terraform::terraform;
use crate::harness::world::World;

const MAIN: &str = "environments/prod/main.tf";

/// What a run of Terraform tells as JSON when something is wrong that does not stop it.
const REPORTED: &str = r#"{"@level":"error","@message":"Error: Odd reading","@module":"terraform.ui","type":"diagnostic","diagnostic":{"severity":"error","summary":"Odd reading","detail":"The file was left out.","range":{"filename":"main.tf","start":{"line":3,"column":1,"byte":0},"end":{"line":3,"column":2,"byte":1}}}}"#;

/// The real Terraform, which also reports an error in `command`, and exits with its own code.
fn reporting(world: &World, command: &str, line: &str, stream: &str) -> String {
    let directory = world.place("bin");
    fs::write(directory.join("reported"), format!("{line}\n")).unwrap();
    let (real, reported) = (terraform().display(), directory.join("reported"));
    let script =
        format!("#!/bin/sh\n[ \"$1\" != {command} ] || cat '{}' {stream}\nexec '{real}' \"$@\"\n", reported.display());
    let program = directory.join("terraform");
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    program.display().to_string()
}

#[test]
fn a_plan_that_reports_an_error_and_exits_with_0_is_a_failure() {
    let (world, number) = World::planned();
    let key = world.record_key(number);
    let before = world.bucket.get(&key);
    let outcome =
        Step::plan(&world, number).with("terraform-bin", &reporting(&world, "plan", REPORTED, "")).run().exits(14);
    assert_eq!(outcome.output("result"), "failed");
    let comment = world.github.comment(number).replace('`', "");
    for told in ["Odd reading", "main.tf", "though it reported an error"] {
        assert!(comment.contains(told), "{told}: {comment}");
    }
    assert_eq!(world.bucket.get(&key), before, "no record is made of it");
}

#[test]
fn an_init_that_reports_an_error_and_exits_with_0_is_a_failure() {
    let (world, number) = World::planned();
    let told = "\nError: Invalid variables file\n\n  on odd.tfvars line 1:\n";
    let terraform = reporting(&world, "init", told, ">&2");
    Step::plan(&world, number).with("terraform-bin", &terraform).run().exits(14).says("Invalid variables file");
}

#[test]
fn an_apply_that_reports_an_error_and_exits_with_0_is_a_failure() {
    let (world, number) = World::planned();
    world.approve(number);
    let push = world.merge(number);
    let outcome =
        Step::apply(&world, &push).with("terraform-bin", &reporting(&world, "apply", REPORTED, "")).run().exits(14);
    assert_eq!(outcome.output("result"), "failed");
    assert!(world.github.comment(number).contains("Odd reading"), "{}", world.github.comment(number));
    assert!(world.bucket.get(&format!("{PROD_KEY}.tflock")).is_none(), "the lock is released");
}

/// 1.15.0 to 1.15.5 go on with the defaults.
#[test]
fn a_variables_file_that_is_missing_is_a_failure_in_every_version() {
    for (release, wrong) in [("1.15.5", "prod.tfvars"), ("1.15.5", "broken.tfvars"), ("1.14.9", "prod.tfvars")] {
        let world = World::applied();
        let number = world.pull_request("A size", |files| {
            files.append(
                MAIN,
                "\nvariable \"size\" {\n  default = \"small\"\n}\n\noutput \"size\" { value = var.size }\n",
            );
            files.write("environments/prod/broken.tfvars", "size = \"large\"\nsize = \"huge\"\n");
        });
        let args = format!("-var-file={wrong}");
        let outcome = Step::plan(&world, number).with_terraform(release).with("plan-args", &args).run().exits(14);
        assert_eq!(outcome.output("result"), "failed");
        let comment = world.github.comment(number);
        assert!(comment.contains(wrong), "{release} {wrong}:\n{comment}");
        assert!(world.bucket.get(&world.record_key(number)).is_none(), "{release} {wrong}");
    }
}
