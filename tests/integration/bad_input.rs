//! Bad input: each kind with its exit code, the place and the remedy, and nothing lost or left locked.

use std::process::Command;

use serde_json::json;

use crate::harness::files::{PROD, PROD_KEY, PROD_LOCK, backend};
use crate::harness::ministack::Ministack;
use crate::harness::process::{run, runtime};
use crate::harness::runner::{Outcome, Step, binary};
use crate::harness::world::World;
use crate::lock_store::{dynamodb, table};

/// Runs a step that must fail: it says each text in the log, changes no state and leaves no lock.
#[track_caller]
fn check(world: &World, step: Step<'_>, code: i32, says: &[&str]) -> Outcome {
    let before = world.bucket.get(PROD_KEY);
    let mut outcome = step.run().exits(code);
    for text in says {
        outcome = outcome.says(text);
    }
    assert!(!outcome.log.contains("panicked"), "{}", outcome.log);
    if let Some((code, log)) = &outcome.cleanup {
        assert_eq!(*code, Some(0), "the clean-up step fails too:\n{log}");
    }
    assert_eq!(world.bucket.get(PROD_KEY), before, "the state is byte-identical");
    assert!(world.bucket.locks().is_empty(), "{:?}", world.bucket.keys());
    outcome
}

/// A pull request whose production backend is this.
fn with_backend(world: &World, text: &str) -> u64 {
    world.pull_request("Another backend", |files| files.write(&format!("{PROD}/backend.tf"), text))
}

#[test]
fn no_backend_block() {
    let world = World::applied();
    let number = with_backend(&world, "# none\n");
    let block =
        "a block `backend \"s3\"` with bucket, key, region and `use_lockfile = true`, inside its block `terraform`";
    let outcome = check(&world, Step::plan(&world, number), 2, &[PROD, "no Terraform file in", block]);
    assert!(world.github.comment(number).contains(block), "{}", world.github.comment(number));
    assert!(!outcome.log.contains("terraform init in"), "it is told at once:\n{}", outcome.log);
}

#[test]
fn a_forgotten_working_directory() {
    let world = World::applied();
    let number = world.new_image();
    for directory in ["", "environments", "modules"] {
        let step = Step::plan(&world, number).with("working-directory", directory);
        let outcome = check(&world, step, 2, &["no Terraform files", "working-directory (--working-directory)"]);
        assert!(!outcome.log.contains("terraform init in"), "it is told at once:\n{}", outcome.log);
        let names_them = outcome.log.contains("such as environments/dev or environments/prod.");
        assert_eq!(names_them, directory != "modules", "{}", outcome.log);
    }
}

/// What `init` brings into the directory cannot be missed before it.
#[test]
fn a_root_module_that_init_brings() {
    let world = World::applied();
    let laptop = world.laptop();
    let laptop = laptop.clone().within("brought");
    std::fs::create_dir_all(laptop.files.root.join("brought")).unwrap();
    let source = format!("-from-module={}", laptop.files.root.join(PROD).display());
    let brought = laptop.stategate(&["status", "--init-args", &source]);
    assert!(!brought.stderr.contains("no Terraform files"), "{}", brought.text());
}

#[test]
fn a_backend_other_than_s3() {
    let world = World::applied();
    let number = with_backend(&world, "terraform {\n  backend \"local\" {\n    path = \"elsewhere.tfstate\"\n  }\n}\n");
    check(&world, Step::plan(&world, number), 2, &["local", "s3"]);
    // Its `init` would ask for another cloud's credentials.
    let number = with_backend(&world, "terraform {\n  backend \"gcs\" {\n    bucket = \"x\"\n  }\n}\n");
    let outcome = check(&world, Step::plan(&world, number), 2, &["uses the backend \"gcs\"", "stategate works with"]);
    assert!(!outcome.log.contains("terraform init in"), "it is told at once:\n{}", outcome.log);
}

#[test]
fn a_root_module_that_is_not_initialised() {
    let world = World::applied();
    let number = world.new_image();
    check(&world, Step::plan(&world, number).with("init", "false"), 2, &[PROD, "terraform init"]);
}

#[test]
fn a_bucket_that_does_not_exist() {
    let world = World::applied();
    let mut nowhere = world.bucket.clone();
    "no-such-bucket".clone_into(&mut nowhere.name);
    let number = with_backend(&world, &backend(&nowhere, PROD_KEY, ""));
    check(&world, Step::plan(&world, number), 20, &["no-such-bucket"]);
}

#[test]
fn no_credentials_for_aws() {
    let world = World::applied();
    let number = world.new_image();
    let step = Step::plan(&world, number).without_env("AWS_ACCESS_KEY_ID").without_env("AWS_SECRET_ACCESS_KEY");
    check(&world, step, 20, &["redentials"]);
    let laptop = world.laptop();
    laptop.terraform(&["init", "-input=false"]).succeeded();
    let without = laptop.env("AWS_ACCESS_KEY_ID", "").env("AWS_SECRET_ACCESS_KEY", "");
    let refused = without.stategate(&["status", "--init", "false"]);
    assert_eq!(refused.code, Some(20), "{}", refused.text());
    let line = |name: &str| refused.stderr.lines().find(|line| line.contains(name)).unwrap_or_default().to_owned();
    assert!(line("error:").ends_with("there are no AWS credentials"), "{}", refused.stderr);
    assert!(line("why:").contains("AWS_WEB_IDENTITY_TOKEN_FILE"), "{}", refused.stderr);
}

#[test]
fn credentials_that_aws_does_not_know() {
    let ministack = Ministack::start(&[("AUTH", "true")]);
    let world = World::with_bucket(ministack.bucket());
    world.laptop().apply().succeeded();
    let number = world.new_image();
    let step = Step::plan(&world, number).env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE");
    check(&world, step, 20, &["redentials"]);
}

#[test]
fn a_role_that_may_not_write_the_lock() {
    let ministack = Ministack::start(&[("AUTH", "true")]);
    let world = World::with_bucket(ministack.bucket());
    world.laptop().apply().succeeded();
    let number = world.new_image();
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetObject"], "Resource": "*" }],
    });
    let (key, secret) = ministack.user("reader", &policy);
    let step = Step::plan(&world, number).env("AWS_ACCESS_KEY_ID", &key).env("AWS_SECRET_ACCESS_KEY", &secret);
    check(&world, step, 20, &["s3:PutObject", &world.bucket.name, ".tflock"]);
}

/// A role that only plans shall not be allowed to write states.
#[test]
fn a_role_that_may_not_make_a_workspace() {
    let ministack = Ministack::start(&[("AUTH", "true")]);
    let world = World::with_bucket(ministack.bucket());
    world.laptop().apply().succeeded();
    let number = world.new_image();
    let (bucket, locks) = (&world.bucket.name, "arn:aws:s3:::*/*.tflock");
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [
            { "Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetObject"], "Resource": "*" },
            { "Effect": "Allow", "Action": ["s3:PutObject", "s3:DeleteObject"], "Resource": [locks, format!("arn:aws:s3:::{bucket}/stategate/*")] },
        ],
    });
    let (key, secret) = ministack.user("planner", &policy);
    let step = Step::plan(&world, number).with("workspace", "brandnew");
    let step = step.env("AWS_ACCESS_KEY_ID", &key).env("AWS_SECRET_ACCESS_KEY", &secret);
    let run = "run `terraform workspace new brandnew` once with a role that may write it";
    let outcome = check(&world, step, 20, &["The workspace `brandnew` does not exist yet", run, "the input workspace"]);
    for told in [&outcome.log, &world.github.comment(number)] {
        assert!(!told.contains("llow the role"), "{told}");
    }
}

/// What a person forgot to give, and which input takes it.
#[test]
fn what_terraform_lacks_is_named_with_its_input() {
    let world = World::applied();
    let number = with_backend(&world, "terraform {\n  backend \"s3\" {}\n}\n");
    check(&world, Step::plan(&world, number), 14, &["init-args (--init-args): `-backend-config=FILE`"]);
    let number = world.pull_request("Asks", |files| files.write(&format!("{PROD}/ask.tf"), "variable \"size\" {}\n"));
    check(&world, Step::plan(&world, number), 14, &["`TF_VAR_name`", "plan-args (--plan-args): `-var-file=FILE`"]);
    let step = Step::plan(&world, number).with("plan-args", "-var-file=environments/prod/eu.tfvars");
    check(&world, step, 14, &["relative to the root module, not to the repository"]);
}

#[test]
fn no_token() {
    let world = World::applied();
    let number = world.new_image();
    check(&world, Step::plan(&world, number).with("github-token", ""), 21, &["github-token"]);
    // The first thing that is wrong is the one that is reported.
    world.bucket.put(PROD_LOCK, r#"{"ID":"another","Who":"colleague@desk"}"#);
    let step = Step::plan(&world, number).with("github-token", "").with("lock-timeout", "0s");
    let held = step.run().exits(21).says("Give the action's input github-token");
    assert_eq!(held.log.matches("::error title=stategate::").count(), 1, "{}", held.log);
    assert_eq!(held.log.matches("  next: ").count(), 1, "{}", held.log);
    world.bucket.delete(PROD_LOCK);
    world.approve(number);
    let push = world.merge(number);
    check(&world, Step::apply(&world, &push).with("github-token", ""), 21, &["github-token"]);
}

#[test]
fn a_token_that_github_does_not_know() {
    let world = World::applied();
    let number = world.new_image();
    check(&world, Step::plan(&world, number).token("ghs_expired"), 21, &["Bad credentials", "github-token"]);
}

#[test]
fn a_token_without_permission_to_comment_still_plans() {
    let world = World::applied();
    let number = world.new_image();
    let token = world.github.workflow_token(&[("contents", "read"), ("pull_requests", "read"), ("actions", "read")]);
    let outcome = check(&world, Step::plan(&world, number).token(&token), 21, &["pull-requests: write"]);
    assert!(outcome.summary.contains("module.web.terraform_data.service"), "the plan stands in the summary");
    assert_eq!(outcome.output("change"), "1");
}

#[test]
fn a_token_without_permission_to_read_reviews_applies_nothing() {
    let (world, number) = World::planned();
    world.approve(number);
    let push = world.merge(number);
    let token = world.github.workflow_token(&[("contents", "read"), ("actions", "read")]);
    check(&world, Step::apply(&world, &push).token(&token), 21, &["pull-requests"]);
}

#[test]
fn a_plan_that_is_not_for_a_pull_request() {
    let world = World::applied();
    let push = world.github.push_directly("octocat");
    let step = Step::new(&world, "plan", world.github.push_event(&push));
    check(&world, step, 2, &["push", "pull_request"]);
}

#[test]
fn an_apply_on_a_pull_request_that_is_not_merged() {
    let world = World::applied();
    let number = world.new_image();
    let step = Step::new(&world, "apply", world.github.pull_request_event(number, "opened"));
    check(&world, step, 2, &["pull_request"]);
}

#[test]
fn no_terraform() {
    let world = World::applied();
    let number = world.new_image();
    let path = world.place("tools");
    for tool in ["bash", "env", "sh"] {
        std::os::unix::fs::symlink(format!("/bin/{tool}"), path.join(tool)).unwrap();
    }
    let step = Step::plan(&world, number).env("PATH", &path.display().to_string());
    check(&world, step, 14, &["setup-terraform", "--terraform-bin"]);
    let step = Step::plan(&world, number).with("terraform-bin", "/nowhere/terraform");
    check(&world, step, 14, &["/nowhere/terraform"]);
}

#[test]
fn an_init_that_fails() {
    let world = World::applied();
    let number = world.pull_request("Half a file", |files| files.write(&format!("{PROD}/half.tf"), "resource \"x\" {"));
    let outcome = check(&world, Step::plan(&world, number), 14, &["terraform init", "half.tf"]);
    assert_eq!(outcome.output("result"), "failed");
    assert!(world.github.comment(number).contains("half.tf"), "{}", world.github.comment(number));
}

#[test]
fn a_region_that_aws_does_not_have_is_named_with_its_line() {
    let world = World::applied();
    let text = backend(&world.bucket, PROD_KEY, "");
    let text = text.replace("us-east-1", "eu-centrall-1").replace("    skip_region_validation      = true\n", "");
    let number = with_backend(&world, &text);
    let says = ["`eu-centrall-1` is no AWS region", "Correct `region` in the backend block, on backend.tf line 5."];
    check(&world, Step::plan(&world, number), 2, &says);
}

#[test]
fn a_store_that_knows_no_bucket_in_its_address_is_told_by_the_setting() {
    let world = World::applied();
    let text = backend(&world.bucket, PROD_KEY, "").replace("    use_path_style              = true\n", "");
    let number = with_backend(&world, &text);
    check(&world, Step::plan(&world, number), 20, &["use_path_style = true"]);
    // Where Terraform does not ask, we say it ourselves, at once, and nothing is left behind.
    let laptop = world.laptop();
    laptop.terraform(&["init", "-input=false"]).succeeded();
    let file = format!("{PROD}/.terraform/terraform.tfstate");
    laptop.files.replace(&file, "\"use_path_style\": true", "\"use_path_style\": false");
    // An address in figures is never a bucket's; this one never resolves.
    laptop.files.replace(&file, &format!("\"s3\": \"{}\"", world.bucket.endpoint), "\"s3\": \"http://store.invalid\"");
    let started = std::time::Instant::now();
    let refused = laptop.stategate(&["lock", "--reason", "test", "--init", "false"]);
    assert_eq!(refused.code, Some(20), "{}", refused.text());
    assert!(refused.stderr.contains("Set `use_path_style = true`"), "{}", refused.text());
    assert!(!refused.text().contains("left behind") && started.elapsed().as_secs() < 60, "{}", refused.text());
}

/// `init`, `plan` and `apply` know these flags, the commands that only read do not.
#[test]
fn arguments_for_all_of_terraforms_commands_reach_those_that_know_them() {
    let world = World::applied();
    let number = world.new_image();
    for flag in ["-input=false", "-lock-timeout=10m", "-input=false -no-color"] {
        Step::plan(&world, number).env("TF_CLI_ARGS", flag).run().exits(0);
    }
    world.approve(number);
    let push = world.merge(number);
    Step::apply(&world, &push).env("TF_CLI_ARGS", "-lock-timeout=10m").run().exits(0);
    // A flag that none knows is named with the variable.
    let again = world.pull_request("Web 1.2", |files| files.replace(&format!("{PROD}/main.tf"), "web:1.1", "web:1.2"));
    check(&world, Step::plan(&world, again).env("TF_CLI_ARGS", "-frob"), 14, &["TF_CLI_ARGS"]);
}

#[test]
fn a_checksum_that_does_not_fit_the_state_is_put_right_by_a_command() {
    let world = World::applied();
    table(Ministack::shared(), &world.bucket.name);
    let text = backend(&world.bucket, PROD_KEY, &format!("    dynamodb_table = \"{}\"\n", world.bucket.name));
    let number = with_backend(&world, &text);
    let item = format!("{}/{PROD_KEY}-md5", world.bucket.name);
    let wrong = aws_sdk_dynamodb::types::AttributeValue::S("0".repeat(32));
    let id = aws_sdk_dynamodb::types::AttributeValue::S(item.clone());
    let request = dynamodb(&world.bucket.endpoint).put_item().table_name(&world.bucket.name);
    runtime().block_on(request.item("LockID", id).item("Digest", wrong).send()).unwrap();
    let name = &world.bucket.name;
    let command = format!("aws dynamodb update-item --table-name {name} --key '{{\"LockID\":{{\"S\":\"{item}\"}}}}'");
    check(&world, Step::plan(&world, number), 14, &[&command, "SET Digest = :d"]);
}

#[test]
fn a_working_directory_that_does_not_exist() {
    let world = World::applied();
    let number = world.new_image();
    let step = Step::plan(&world, number).with("working-directory", "environments/staging");
    let names = "(--working-directory), such as environments/dev or environments/prod.";
    check(&world, step, 2, &["environments/staging", names]);
    // With the same workflow file it would end the same.
    let comment = |number| world.github.comments(number).last().expect("a comment").body.clone();
    let told = comment(number);
    assert!(told.contains(names.trim_start_matches("(--working-directory)")), "{told}");
    assert!(!told.contains("re-run this job") && !told.contains("> …\n"), "{told}");
    let step = Step::plan(&world, number).with("working-directory", "enviroments/prod");
    check(&world, step, 2, &["enviroments/prod", names]);
    let step = Step::plan(&world, number).with("working-directory", "modules");
    check(&world, step, 2, &["no Terraform files (*.tf)"]);
    assert!(comment(number).contains("Terraform files (`*.tf`) in"), "{}", comment(number));
}

#[test]
fn values_that_a_flag_does_not_know() {
    let world = World::applied();
    let number = world.new_image();
    for (input, value) in [
        ("lock-timeout", "soon"),
        ("lock-timeout", "-5s"),
        ("comment", "sometimes"),
        ("init", "maybe"),
        ("required-approvals", "many"),
        ("approval-binds-to", "branch"),
        ("on-plan-change", "ask"),
        ("plan-args", "-var 'open"),
    ] {
        let step = Step::plan(&world, number).with(input, value).without_cleanup();
        let named = format!("the input {input} (--{input})");
        let correct = format!("  next: Correct `{input}:` in the workflow's step");
        // Arguments for Terraform can hand over a credential, so they are not repeated.
        let shown = if input.ends_with("-args") { String::new() } else { format!("'{value}' ") };
        let outcome = check(&world, step, 2, &[&format!("invalid value {shown}for {named}"), &correct]);
        assert!(!outcome.log.contains("invalid digit"), "{}", outcome.log);
        assert!(!outcome.log.contains("terraform init"), "it is refused before anything runs:\n{}", outcome.log);
    }
}

#[test]
fn an_empty_value_is_the_default() {
    let world = World::applied();
    let number = world.new_image();
    let mut step = Step::plan(&world, number);
    for input in ["workspace", "init", "lock-timeout", "required-approvals", "comment", "summary", "on-plan-change"] {
        step = step.with(input, "");
    }
    step.run().exits(0);
}

#[test]
fn commands_and_flags_that_do_not_exist() {
    for (arguments, error, next) in [
        (&["frobnicate"][..], "there is no command 'frobnicate'", "one of plan, apply, unlock"),
        (&["paln"], "there is no command 'paln'", "Did you mean plan? Give one of"),
        (&["version"], "there is no command 'version'", "Run `stategate --version`."),
        (&["destroy"], "there is no command 'destroy'", "`stategate plan --plan-args=-destroy` on a pull request"),
        (&["doctor"], "there is no command 'doctor'", "Give one of plan, apply, unlock"),
        (&["plan", "--dir", "."], "plan does not know '--dir'", "Did you mean --working-directory?"),
        (&["--frobnicate"], "stategate does not know '--frobnicate'", "stategate --help"),
        (&["plan", "--lock-timeuot", "3m"], "plan does not know '--lock-timeuot'", "Did you mean --lock-timeout?"),
        (&["plan", "--lock-id", "3"], "plan does not know '--lock-id'", "--lock-id is for unlock"),
        (
            &["apply", "--auto-approve"],
            "apply does not know '--auto-approve'",
            "That is a flag of Terraform's. In a job",
        ),
        (&["plan", "-var-file=x"], "plan does not know '-var-file=x'", "Give it in --plan-args='-var-file=x'."),
        (&["plan", "-lock-timeout=3m"], "plan does not know '-lock-timeout=3m'", "Did you mean --lock-timeout=3m?"),
        (&["force-unlock", "5f0c"], "there is no command 'force-unlock'", "Did you mean unlock? Give one of"),
        (&["plan", "prod"], "plan takes flags only, not 'prod'", "`stategate plan --working-directory prod`?"),
        (&["unlock", "5f0c"], "unlock takes flags only, not '5f0c'", "`stategate unlock --lock-id 5f0c`?"),
        (&["render", "a b.json"], "render takes flags only", "`stategate render --plan-json 'a b.json'`?"),
        (&["completions", "bash", "x"], "completions does not know 'x'", "completions --help"),
        (&["plan", "--workspace"], "--workspace has no value", "See `stategate plan --help`"),
        (
            &["apply", "--required-approvals", "-1"],
            "invalid value '-1' for --required-approvals",
            "See `stategate apply",
        ),
        (&["plan", "--init", "--init"], "--init is given more than once", "once"),
        (
            &["render"],
            "render needs --plan-json <FILE>",
            "`terraform show -json PLANFILE | stategate render --plan-json -`",
        ),
        (&["completions"], "completions needs <SHELL>", "`stategate completions bash`"),
        (&["unlock", "--force"], "`unlock` needs --reason", "`stategate unlock --force --reason TEXT`"),
        (
            &["unlock", "--lock-id", "5f0c; x", "--working-directory", "environments/prod"],
            "`unlock` needs --reason",
            "`stategate unlock --lock-id '5f0c; x' --working-directory environments/prod --reason TEXT`",
        ),
        (&["lock"], "`lock` needs --reason", "`stategate lock --reason TEXT`"),
        (&["lock", "--reason", " "], "`lock` needs --reason", "`stategate lock --reason TEXT`"),
        (&["lock", "--reason=\t"], "`lock` needs --reason", "`stategate lock --reason TEXT`"),
        (&["plan", "--github-token", "x"], "plan does not know '--github-token'", "STATEGATE_GITHUB_TOKEN"),
        (&["render", "--plan-json", "x", "--budget", "big"], "invalid value 'big' for --budget", "render --help"),
        (&["completions", "ksh"], "it can be bash, elvish, fish, powershell or zsh", "completions --help"),
    ] {
        let finished = run(Command::new(binary()).args(arguments).env_clear());
        assert_eq!(finished.code, Some(2), "{}", finished.text());
        let (told, remedy) = finished.stderr.split_once("\n  next: ").unwrap_or_default();
        assert!(told.starts_with("error: ") && told.contains(error), "{arguments:?}: {}", finished.text());
        assert!(remedy.contains(next), "{arguments:?}: {}", finished.text());
    }
}

#[test]
fn a_misspelt_variable_is_told_once() {
    let mut command = Command::new(binary());
    command.args(["completions", "bash"]).env_clear().env("STATEGATE_LOCK_TIMEUOT", "1m");
    let finished = run(&mut command).succeeded();
    let told = "the variable STATEGATE_LOCK_TIMEUOT has no effect: no flag has that name; did you mean STATEGATE_LOCK_TIMEOUT?";
    assert_eq!(finished.stderr.matches(told).count(), 1, "{}", finished.text());
}

#[test]
fn the_variables_of_a_job_that_are_missing_are_named_at_once() {
    let missing = |variables: &[(&str, &str)]| {
        let mut command = Command::new(binary());
        command.arg("plan").env_clear().env("GITHUB_ACTIONS", "true").envs(variables.iter().copied());
        let finished = run(&mut command);
        assert_eq!(finished.code, Some(2), "{}", finished.text());
        assert!(finished.stderr.contains("STATEGATE_GITHUB_TOKEN"), "the token is not told of: {}", finished.text());
        let (_, names) = finished.stderr.split_once("are not set: ").unwrap_or_default();
        names.split_once("%0A").unwrap_or_default().0.to_owned()
    };
    assert_eq!(missing(&[]), "GITHUB_REPOSITORY, GITHUB_RUN_ID, GITHUB_EVENT_NAME");
    let some = [("GITHUB_REPOSITORY", "acme/infra"), ("GITHUB_RUN_ID", ""), ("GITHUB_EVENT_NAME", "push")];
    assert_eq!(missing(&some), "GITHUB_RUN_ID");
    let without_payload = [some[0], ("GITHUB_RUN_ID", "1"), some[2]];
    assert_eq!(missing(&without_payload), "GITHUB_EVENT_PATH");
}

#[test]
fn a_job_without_a_token_locks_and_plans_nothing() {
    let world = World::applied();
    let number = world.new_image();
    for step in [Step::plan(&world, number), Step::apply(&world, &world.github.push_directly("octocat"))] {
        let outcome = step.with("github-token", "").token("").run().exits(21).says("STATEGATE_GITHUB_TOKEN");
        assert!(!outcome.log.contains("taking the lock") && !outcome.log.contains("terraform init"), "{}", outcome.log);
    }
    // Nobody is to be shown anything there.
    let quiet = Step::plan(&world, number).with("comment", "false").with("github-token", "").token("");
    quiet.run().exits(0).says("taking the lock");
}

#[test]
fn an_event_file_that_a_container_does_not_have_is_to_be_mounted() {
    let world = World::applied();
    let number = world.new_image();
    let nowhere = world.place("nowhere").join("event.json");
    let step = Step::plan(&world, number).env("GITHUB_EVENT_PATH", &nowhere.display().to_string()).without_cleanup();
    let outcome = step.run().exits(2).says("In a container, mount the event file");
    assert!(!outcome.log.contains("or on a laptop"), "{}", outcome.log);
}

#[test]
fn a_summary_that_cannot_be_written_hides_no_output() {
    let world = World::applied();
    let number = world.new_image();
    let nowhere = world.place("nowhere").join("missing").join("summary");
    let step = Step::plan(&world, number).env("GITHUB_STEP_SUMMARY", &nowhere.display().to_string());
    let outcome = step.run().exits(0).says("the job summary could not be written");
    assert_eq!((outcome.output("result"), outcome.output("change")), ("planned", "1"));
    let step = Step::plan(&world, number).env("GITHUB_OUTPUT", &nowhere.display().to_string());
    let outcome = step.run().exits(1).says("GITHUB_OUTPUT").says("next: ");
    assert!(outcome.summary.contains("module.web.terraform_data.service"), "{}", outcome.summary);
    assert!(world.bucket.locks().is_empty());
}
