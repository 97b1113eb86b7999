//! What has an effect and stands in no plan: real Terraform makes the same plan, and the apply would
//! do something else than what was reviewed.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::files::{PROD, PROD_KEY};
use crate::harness::lab::{Lab, REQUIRED};
use crate::harness::ministack::Ministack;
use crate::harness::process::run;
use crate::harness::runner::Step;
use crate::harness::world::World;

/// A resource whose provisioner writes to `mark` what it is given.
fn provisioned(mark: &Path, command: &str) -> String {
    let mark = mark.display();
    format!(
        r#"
resource "terraform_data" "runs" {{
  provisioner "local-exec" {{
    command = "{command} >> {mark}"
  }}
}}
"#
    )
}

/// A place outside of every checkout.
fn at(world: &World, name: &str) -> PathBuf {
    world.scratch().join(name)
}

/// A world with an approved pull request that adds these files to production.
fn approved(change: impl FnOnce(&World, &crate::harness::files::Files), variables: &[(&str, &str)]) -> (World, u64) {
    let world = World::applied();
    let number = world.pull_request("It runs something", |files| change(&world, files));
    with(Step::plan(&world, number), variables).run().exits(0);
    world.approve(number);
    (world, number)
}

fn with<'a>(step: Step<'a>, variables: &[(&str, &str)]) -> Step<'a> {
    variables.iter().fold(step, |step, (name, value)| step.env(name, value))
}

/// Refused, and nothing ran; told by this part's name.
#[track_caller]
fn refused(world: &World, number: u64, step: Step<'_>, part: &str) {
    let words = ["the provisioners of ", "changed since the review, though the plan reads the same: ", part];
    step.refused_and_told(&[number], 12, &words);
    assert!(!at(world, "mark").exists(), "the provisioner ran");
    assert!(world.bucket.locks().is_empty());
}

#[test]
fn a_variable_that_only_a_provisioner_reads_is_compared() {
    let text = |world: &World| {
        let runs = provisioned(&at(world, "mark"), "${local.command}");
        format!("variable \"command\" {{}}\nlocals {{ command = \"echo ${{var.command}}\" }}\n{runs}")
    };
    let (world, number) =
        approved(|world, files| files.write(&format!("{PROD}/runs.tf"), &text(world)), &[("TF_VAR_command", "good")]);
    let push = world.merge(number);
    refused(&world, number, Step::apply(&world, &push).env("TF_VAR_command", "evil"), "var.command");
    Step::apply(&world, &push).env("TF_VAR_command", "good").run().exits(0);
    assert_eq!(std::fs::read_to_string(at(&world, "mark")).unwrap(), "good\n");
}

#[test]
fn a_script_and_a_local_that_another_merge_changed_are_compared() {
    let (world, number) = approved(
        |world, files| {
            let runs = provisioned(&at(world, "mark"), "sh ${path.module}/run.sh ${local.word}");
            files.write(&format!("{PROD}/runs.tf"), &runs);
            files.write(&format!("{PROD}/locals.tf"), "locals {\n  word = \"good\"\n  other = 1\n}\n");
            files.write(&format!("{PROD}/run.sh"), "echo $1\n");
        },
        &[],
    );
    let push = world.merge(number);
    let (script, locals) = (format!("{PROD}/run.sh"), format!("{PROD}/locals.tf"));
    world.main.replace(&script, "echo", "echo evil");
    refused(&world, number, Step::apply(&world, &push), &script);
    world.main.replace(&script, "echo evil", "echo");
    world.main.replace(&locals, "\"good\"", "\"evil\"");
    refused(&world, number, Step::apply(&world, &push), "local.word");
    world.main.replace(&locals, "\"evil\"", "\"good\"");
    world.main.replace(&format!("{PROD}/runs.tf"), "local-exec\" {", "local-exec\" {\n    on_failure = continue");
    refused(&world, number, Step::apply(&world, &push), "its blocks");
    world.main.replace(&format!("{PROD}/runs.tf"), "    on_failure = continue", "");
    // What no provisioner reads stops nothing, and is told.
    world.main.replace(&locals, "other = 1", "other = 2");
    let outcome = Step::apply(&world, &push).run().exits(0);
    assert_eq!(outcome.output("result"), "applied");
    let comment = world.github.comment(number);
    assert!(comment.contains("files that reach this apply changed since the review"), "{comment}");
    assert_eq!(std::fs::read_to_string(at(&world, "mark")).unwrap(), "good\n");
}

/// A repository with a module in it; its address.
fn module_repository(world: &World, text: &str) -> PathBuf {
    let place = at(world, "module");
    std::fs::create_dir_all(&place).unwrap();
    git(&place, &["init", "--quiet", "--initial-branch=main"]);
    commit(&place, text);
    place
}

fn commit(place: &Path, text: &str) {
    std::fs::write(place.join("main.tf"), text).unwrap();
    git(place, &["add", "."]);
    git(place, &["commit", "--quiet", "--message", "More"]);
}

fn git(place: &Path, words: &[&str]) {
    let mut git = Command::new("git");
    git.current_dir(place).args(["-c", "user.name=octocat", "-c", "user.email=octocat@github.com"]);
    run(git.args(words).env("GIT_CONFIG_GLOBAL", "/dev/null")).succeeded();
}

#[test]
fn a_block_in_a_comment_does_not_stand_for_the_one_that_runs() {
    // Terraform sees one resource in it, behind a heredoc; whoever ends the heredoc at its first mark sees
    // the other one.
    let module = |world: &World, word: &str| {
        let decoy = provisioned(&at(world, "decoy"), "echo good");
        let runs = provisioned(&at(world, "mark"), &format!("echo {word}"));
        let (first, second) = ("locals {\n  a = <<EOT\n${/*\nEOT\n}\n", "locals {\n  z = <<ZZ\n*/ 1}\nEOT\n}\n");
        format!("{first}{decoy}{second}{runs}locals {{\n  b = <<ZZ\nZZ\n}}\n")
    };
    let (world, number) = approved(
        |world, files| {
            let place = module_repository(world, &module(world, "good"));
            let call = format!("module \"far\" {{ source = \"git::file://{}?ref=main\" }}\n", place.display());
            files.write(&format!("{PROD}/far.tf"), &call);
        },
        &[],
    );
    let push = world.merge(number);
    commit(&at(&world, "module"), &module(&world, "evil"));
    refused(&world, number, Step::apply(&world, &push), "main.tf in module far");
    commit(&at(&world, "module"), &module(&world, "good"));
    Step::apply(&world, &push).run().exits(0);
    assert!(!at(&world, "decoy").exists());
    assert_eq!(std::fs::read_to_string(at(&world, "mark")).unwrap(), "good\n");
}

#[test]
fn a_module_by_a_moving_reference_is_compared_where_it_runs_something() {
    let module = |world: &World, word: &str| provisioned(&at(world, "mark"), &format!("echo {word}"));
    let (world, number) = approved(
        |world, files| {
            let place = module_repository(world, &module(world, "good"));
            let call = format!("module \"far\" {{ source = \"git::file://{}?ref=main\" }}\n", place.display());
            files.write(&format!("{PROD}/far.tf"), &call);
        },
        &[],
    );
    let push = world.merge(number);
    let place = at(&world, "module");
    commit(&place, &module(&world, "evil"));
    refused(&world, number, Step::apply(&world, &push), "its blocks");
    // Another content that runs nothing else is told.
    commit(&place, &format!("# a word\n{}", module(&world, "good")));
    Step::apply(&world, &push).run().exits(0);
    let comment = world.github.comment(number).replace('`', "");
    let note = "the module far comes from outside of the repository, and its content changed since the review";
    assert!(comment.contains(note), "{comment}");
}

/// Names of files in production, and their texts.
type Added<'a> = &'a [(&'a str, &'a str)];

/// A world with an approved pull request that adds these files to production, the lab's provider among
/// them.
fn approved_with_lab(files: Added<'_>, variables: &[(&str, &str)]) -> (World, Lab, u64) {
    let world = World::applied();
    let lab = Lab::start(at(&world, "lab"));
    let number = world.pull_request("Something of the lab's", |checkout| {
        for (name, text) in files {
            checkout.write(&format!("{PROD}/{name}"), text);
        }
    });
    lab.step(with(Step::plan(&world, number), variables)).run().exits(0);
    world.approve(number);
    (world, lab, number)
}

/// The lab's provider takes a token.
const TOKEN: &str = r#"
variable "token" {
  sensitive = true
}
provider "lab" {
  token = var.token
}
resource "lab_item" "new" {
  name = "new"
}
"#;

#[test]
fn a_token_that_only_a_provider_reads_is_named_and_not_compared() {
    let text = format!("{REQUIRED}{TOKEN}");
    let (world, lab, number) = approved_with_lab(&[("lab.tf", &text)], &[("TF_VAR_token", "token-of-run-1")]);
    let push = world.merge(number);
    lab.step(Step::apply(&world, &push).env("TF_VAR_token", "token-of-run-2")).run().exits(0);
    assert_eq!(lab.worked_with("token"), ["token-of-run-2"]);
    let comment = world.github.comment(number);
    assert!(comment.contains("`var.token` was not compared"), "{comment}");
    assert!(!comment.contains("token-of-run"), "{comment}");
}

#[test]
fn a_token_that_a_provisioner_reads_too_is_compared() {
    let text = format!("{REQUIRED}{TOKEN}")
        .replace("\"new\"\n}", "\"new\"\n  provisioner \"local-exec\" {\n    command = \"echo ${var.token}\"\n  }\n}");
    let (world, lab, number) = approved_with_lab(&[("lab.tf", &text)], &[("TF_VAR_token", "token-of-run-1")]);
    let push = world.merge(number);
    let other = lab.step(Step::apply(&world, &push).env("TF_VAR_token", "token-of-run-2"));
    refused(&world, number, other, "var.token");
    assert!(lab.log().is_empty(), "{:?}", lab.log());
    let comment = world.github.comment(number);
    assert!(!comment.contains("not compared") && !comment.contains("token-of-run"), "{comment}");
    lab.step(Step::apply(&world, &push).env("TF_VAR_token", "token-of-run-1")).run().exits(0);
}

#[test]
fn a_region_that_only_a_provider_reads_is_compared() {
    let root = r#"
variable "region" {}
locals {
  place = var.region
}
provider "lab" {
  region = local.place
}
resource "lab_item" "new" {
  name = "new"
}
"#;
    let module = r#"
variable "region" {}
module "inner" {
  source = "./inner"
  place  = "${var.region}-2"
}
"#;
    let inner = r#"
variable "place" {}
provider "lab" {
  region = var.place
}
resource "lab_item" "inner" {
  name = "inner"
}
"#;
    let (root, inner) = (format!("{REQUIRED}{root}"), format!("{REQUIRED}{inner}"));
    let cases: [(Added<'_>, &str, &str); 2] = [
        (&[("lab.tf", &root)], "the configuration of the provider lab", "us"),
        (
            &[("lab.tf", module), ("inner/main.tf", &inner)],
            "the configuration of the provider module.inner:lab",
            "us-2",
        ),
    ];
    for (files, subject, region) in cases {
        let (world, lab, number) = approved_with_lab(files, &[("TF_VAR_region", "us")]);
        let push = world.merge(number);
        let elsewhere = lab.step(Step::apply(&world, &push).env("TF_VAR_region", "ap"));
        let words = [subject, "changed since the review, though the plan reads the same: ", "var.region"];
        elsewhere.refused_and_told(&[number], 12, &words);
        assert!(lab.log().is_empty(), "{:?}", lab.log());
        lab.step(Step::apply(&world, &push).env("TF_VAR_region", "us")).run().exits(0);
        assert_eq!(lab.worked_with("region"), [region]);
    }
}

#[test]
fn the_environments_region_is_compared_where_a_provider_names_none() {
    let text = REQUIRED.replace("acme/lab", "acme/aws") + "resource \"lab_item\" \"new\" {\n  name = \"new\"\n}\n";
    let (world, lab, number) = approved_with_lab(&[("lab.tf", &text)], &[("AWS_REGION", "us-east-1")]);
    let push = world.merge(number);
    let elsewhere = lab.step(Step::apply(&world, &push).env("AWS_REGION", "ap-south-1"));
    let words = ["the configuration of the provider lab changed since the review", "the environment's region"];
    elsewhere.refused_and_told(&[number], 12, &words);
    assert!(lab.log().is_empty(), "{:?}", lab.log());
    lab.step(Step::apply(&world, &push).env("AWS_REGION", "us-east-1")).run().exits(0);
}

#[test]
fn another_aws_account_is_refused_and_named() {
    let (own, other) = ("000000000000", "222222222222");
    let world = World::applied();
    let (backend, skip) = (format!("{PROD}/backend.tf"), "skip_requesting_account_id  = true");
    world.main.replace(&backend, skip, "");
    let number = world.new_image();
    Step::plan(&world, number).run().exits(0);
    assert!(!world.github.comment(number).contains(own), "nobody needs to know it while it stays");
    world.approve(number);
    let push = world.merge(number);
    let elsewhere = Ministack::start(&[("MINISTACK_ACCOUNT_ID", other)]);
    let named = format!(
        "the credentials belong to the AWS account {other}, and the reviewed plan was made with those of {own}"
    );
    // The same key, and another STS to ask.
    let sts = |endpoint: &str| format!("sts = \"{endpoint}\"");
    world.main.replace(&backend, &sts(&world.bucket.endpoint), &sts(&elsewhere.endpoint()));
    Step::apply(&world, &push).refused_and_told(&[number], 12, &[&named]);
    // Where nobody is to be asked, the account stops nothing, and that is told.
    world.main.replace(&backend, "skip_region_validation", &format!("{skip}\n    skip_region_validation"));
    let outcome = Step::apply(&world, &push).run().exits(0);
    assert!(world.github.comment(number).contains("the AWS account was not compared"), "{}", outcome.log);
}

#[test]
fn a_committed_selection_of_a_workspace_that_does_not_exist_is_refused() {
    let world = World::applied();
    let state = world.bucket.get(PROD_KEY);
    // Terraform's data directory is part of the commit.
    let number = world.pull_request("Another workspace", |files| {
        files.write(&format!("{PROD}/data/environment"), "sandbox");
        files.replace(&format!("{PROD}/main.tf"), "web:1.0", "web:1.1");
    });
    let outcome = Step::plan(&world, number).env("TF_DATA_DIR", "data").run().exits(2);
    outcome.says("the selected workspace sandbox does not exist, and Terraform chose default");
    assert_eq!(world.bucket.get(&world.record_key(number)), None);
    assert!(world.bucket.locks().is_empty());
    assert_eq!(world.bucket.get(PROD_KEY), state);
}

#[test]
fn the_comment_shows_what_the_plan_does_not() {
    let world = World::applied();
    world.with_git();
    let number = world.pull_request("It runs something", |files| {
        let runs = provisioned(&at(&world, "mark"), "echo ${local.word} `now` @octocat");
        files.write(&format!("{PROD}/runs.tf"), &format!("locals {{ word = \"good\" }}\n{runs}"));
        let place = module_repository(&world, "");
        let call = format!("module \"far\" {{ source = \"git::file://{}?ref=main\" }}\n", place.display());
        files.write(&format!("{PROD}/far.tf"), &call);
    });
    Step::plan(&world, number).run().exits(0);
    let comment = world.github.comment(number);
    for told in [
        "**Not in the plan**",
        "`terraform_data.runs` runs `local-exec`: ``",
        "command = \"echo ${local.word} `now` @octocat",
        "the module `far` is new, from `git::file://",
    ] {
        assert!(comment.contains(told), "{told:?} is not told:\n{comment}");
    }
    assert!(!comment.contains("on the base branch"), "the backend stayed:\n{comment}");
}

#[test]
fn a_state_that_moved_to_a_copy_is_told_though_nothing_changes() {
    let world = World::applied();
    world.with_git();
    let copy = "prod/copy/terraform.tfstate";
    world.bucket.put(copy, String::from_utf8(world.bucket.get(PROD_KEY).unwrap()).unwrap());
    let number = world.pull_request("Elsewhere", |files| files.replace(&format!("{PROD}/backend.tf"), PROD_KEY, copy));
    Step::plan(&world, number).run().exits(0);
    let comment = world.github.comment(number);
    for told in [
        "no changes now; 1 file that reaches the apply changed",
        &format!("`key` is `{copy}`, and `{PROD_KEY}` on the base branch"),
        &format!("the state there has the lineage of `{PROD_KEY}`: it is a copy, or was moved"),
        &format!("`{PROD}/backend.tf` changed, and"),
    ] {
        assert!(comment.contains(told), "{told:?} is not told:\n{comment}");
    }
    // Another state, at an address that is as easily mistaken.
    let foreign = "prod/other/terraform.tfstate";
    let state = String::from_utf8(world.bucket.get(PROD_KEY).unwrap()).unwrap();
    let lineage = serde_json::from_str::<serde_json::Value>(&state).unwrap()["lineage"].as_str().unwrap().to_owned();
    world.bucket.put(foreign, state.replace(&lineage, "0b4f9a3c-8a0e-4a51-9b64-5a1e0f7f7f00"));
    world.push_to(number, |files| files.replace(&format!("{PROD}/backend.tf"), copy, foreign));
    Step::plan(&world, number).run().exits(0);
    let comment = world.github.comment(number);
    assert!(comment.contains(&format!("the state there has another lineage than `{PROD_KEY}`")), "{comment}");
}

#[test]
fn a_state_that_moved_to_another_bucket_or_prefix_is_told() {
    let world = World::applied();
    world.with_git();
    let state = String::from_utf8(world.bucket.get(PROD_KEY).unwrap()).unwrap();
    let second = Ministack::shared().bucket();
    second.put(PROD_KEY, state.clone());
    let (old, new) = (format!("\"{}\"", world.bucket.name), format!("\"{}\"", second.name));
    let number = world.pull_request("Elsewhere", |files| files.replace(&format!("{PROD}/backend.tf"), &old, &new));
    Step::plan(&world, number).run().exits(0);
    let comment = world.github.comment(number);
    for told in [
        format!("`bucket` is `{}`, and `{}` on the base branch", second.name, world.bucket.name),
        format!("the state there has the lineage of `s3://{}/{PROD_KEY}`", world.bucket.name),
    ] {
        assert!(comment.contains(&told), "{told:?} is not told:\n{comment}");
    }
    // In another workspace, the prefix is a part of the address.
    let in_blue = |prefix: &str| format!("{prefix}/blue/{PROD_KEY}");
    world.bucket.put(&in_blue("env:"), state.clone());
    world.bucket.put(&in_blue("team"), state);
    let number = world.pull_request("Another prefix", |files| {
        files.replace(
            &format!("{PROD}/backend.tf"),
            "backend \"s3\" {",
            "backend \"s3\" {\n    workspace_key_prefix = \"team\"",
        );
    });
    Step::plan(&world, number).with("workspace", "blue").run().exits(0);
    let comment = world.github.comment(number);
    for told in [
        "`workspace_key_prefix` is `team`, and not set on the base branch".to_owned(),
        format!("the state there has the lineage of `{}`", in_blue("env:")),
    ] {
        assert!(comment.contains(&told), "{told:?} is not told:\n{comment}");
    }
}

#[test]
fn a_plan_without_changes_names_the_files_that_change_a_later_apply() {
    let world = World::applied();
    world.with_git();
    let number = world.pull_request("Only words", |files| {
        files.append(&format!("{PROD}/main.tf"), "# a word\n");
        files.write("docs/more.md", "more");
    });
    Step::plan(&world, number).run().exits(0);
    let comment = world.github.comment(number);
    assert!(comment.contains("no changes now; 1 file that reaches the apply changed"), "{comment}");
    assert!(comment.contains(&format!("`{PROD}/main.tf` changed")), "{comment}");
}

#[test]
fn a_value_that_is_known_after_the_apply_is_set_by_the_reviewed_code() {
    let module = |word: &str| {
        let b = format!("resource \"terraform_data\" \"b\" {{\n  input = \"${{terraform_data.a.id}} {word}\"\n}}\n");
        format!("resource \"terraform_data\" \"a\" {{}}\n{b}")
    };
    let (world, number) = approved(
        |world, files| {
            let place = module_repository(world, &module("good"));
            let call = format!("module \"far\" {{\n  source = \"git::file://{}?ref=main\"\n}}\n", place.display());
            files.write(&format!("{PROD}/far.tf"), &call);
        },
        &[],
    );
    let push = world.merge(number);
    commit(&at(&world, "module"), &module("evil"));
    let words = ["module.far.terraform_data.b: what is decided during the apply is set by other code: ", "its input"];
    Step::apply(&world, &push).refused_and_told(&[number], 12, &words);
    commit(&at(&world, "module"), &format!("locals {{\n  more = 1\n}}\n{}", module("good")));
    Step::apply(&world, &push).run().exits(0);
}
