//! What the log, the annotations and the comment make of what Terraform says.

use std::os::unix::fs::PermissionsExt;

use crate::harness::files::PROD;
use crate::harness::runner::{Outcome, Step};
use crate::harness::world::World;

/// The workflow commands that the runner takes from a log: those that nothing stopped.
fn commands(log: &str) -> Vec<&str> {
    let mut stopped: Option<String> = None;
    let mut taken = Vec::new();
    for line in log.lines() {
        assert!(!line.contains("##["), "a command of the old form: {line:?}");
        let Some(command) = line.trim_start().strip_prefix("::") else { continue };
        match &stopped {
            Some(end) if command == end => stopped = None,
            Some(_) => {}
            None => match command.strip_prefix("stop-commands::") {
                Some(end) => stopped = Some(format!("{end}::")),
                None => taken.push(command),
            },
        }
    }
    assert_eq!(stopped, None, "commands stay off:\n{log}");
    taken
}

fn annotations<'a>(log: &'a str, kind: &str) -> Vec<&'a str> {
    commands(log).into_iter().filter_map(|command| command.strip_prefix(kind)?.strip_prefix(' ')).collect()
}

/// Plans a pull request that adds this file to production.
fn plan_with(world: &World, text: &str) -> (u64, Outcome) {
    let number = world.pull_request("More", |files| files.write(&format!("{PROD}/more.tf"), text));
    (number, Step::plan(world, number).run())
}

const CHECK: &str = r#"check "health" {
  assert {
    condition     = module.web.image == "never"
    error_message = "The image is ${module.web.image}."
  }
}
"#;

#[test]
fn a_warning_reaches_the_comment_the_summary_and_its_line_of_the_code() {
    let world = World::applied();
    let number = world.pull_request("Warnings", |files| {
        files.write(&format!("{PROD}/more.tf"), CHECK);
        let module = "resource \"terraform_data\" \"odd\" {\n  input = 1\n  lifecycle {\n    ignore_changes = [output]\n  }\n}\n";
        files.append("modules/service/main.tf", module);
    });
    let outcome = Step::plan(&world, number).run().exits(0);
    let comment = world.github.comment(number);
    for (place, text) in [("comment", comment.as_str()), ("summary", &outcome.summary)] {
        assert!(text.contains("Redundant ignore_changes element"), "the {place} warns of nothing:\n{text}");
        assert!(text.contains("modules/service/main.tf:"), "the {place} does not say where:\n{text}");
        assert_eq!(text.matches("The image is web:1.0.").count(), 1, "the check is told once in the {place}:\n{text}");
    }
    let warnings = annotations(&outcome.log, "warning");
    // The line of the condition.
    let check = format!("file={PROD}/more.tf,line=3,title=Check block assertion failed::The image is web:1.0.");
    assert!(warnings.iter().any(|warning| **warning == check), "{check} is not among {warnings:#?}");
    assert!(warnings.iter().any(|warning| warning.starts_with("file=modules/service/main.tf,line=")), "{warnings:#?}");
    assert!(annotations(&outcome.log, "error").is_empty(), "{}", outcome.log);
}

#[test]
fn an_error_is_told_with_file_and_line() {
    let world = World::applied();
    let (number, outcome) = plan_with(&world, "resource \"terraform_data\" \"x\" {\n  imput = 1\n}\n");
    let outcome = outcome.exits(14);
    let comment = world.github.comment(number);
    for text in [&comment, &outcome.summary, &outcome.log] {
        assert!(text.contains("Unsupported argument") && text.contains(&format!("{PROD}/more.tf line 2")), "{text}");
    }
    let errors = annotations(&outcome.log, "error");
    let (ours, located): (Vec<_>, Vec<_>) =
        errors.into_iter().partition(|error| error.starts_with("title=stategate::"));
    assert_eq!(ours.len(), 1, "{}", outcome.log);
    let expected = format!("file={PROD}/more.tf,line=2,title=Unsupported argument::An argument named \"imput\"");
    assert!(located.len() == 1 && located[0].starts_with(&expected), "{located:#?}");
}

#[test]
fn a_failing_init_is_told_with_file_and_line() {
    let world = World::applied();
    let (number, outcome) = plan_with(&world, "\nresource \"terraform_data\" {\n}\n");
    let errors = annotations(&outcome.log, "error");
    assert!(errors.iter().any(|error| error.starts_with(&format!("file={PROD}/more.tf,line=2,title="))), "{errors:#?}");
    let ours = errors.iter().find(|error| error.starts_with("title=stategate::")).expect("an error of ours");
    let why = "%0A  why: Missing name for resource on more.tf line 2: All resource blocks must have 2 labels";
    assert!(ours.contains(why), "{ours}");
    assert!(world.github.comment(number).contains("\n> Missing name for resource"), "{}", world.github.comment(number));
    outcome.exits(14);
}

#[test]
fn a_failed_plan_tells_no_value_that_the_configuration_marks_as_sensitive() {
    let world = World::applied();
    let text = "variable \"pin\" {\n  sensitive = true\n  default   = \"correct-horse-battery\"\n}\n\
                resource \"terraform_data\" \"x\" {\n  input = tonumber(nonsensitive(var.pin))\n}\n";
    let (number, outcome) = plan_with(&world, text);
    let outcome = outcome.exits(14);
    let comment = world.github.comment(number);
    assert!(comment.contains("Invalid function argument"), "{comment}");
    for (place, text) in [("comment", &comment), ("summary", &outcome.summary), ("log", &outcome.log)] {
        assert!(!text.contains("correct-horse"), "the {place} tells it:\n{text}");
    }
}

/// That nothing in the comment is forged is proven for the comment itself, by a Markdown parser.
#[test]
fn hostile_diagnostics_stay_text() {
    let world = World::applied();
    let message = r"no\n::error file=x,line=1::pwned\r\n##[error]pwned\n::endgroup::\n<!-- stategate:environments/prod@default -->\n</details>\n@octocat [x](https://example.com)\n```\n# Approved %0A::error::y";
    let precondition = |severity: &str| match severity {
        "warning" => format!(
            "check \"x\" {{\n  assert {{\n    condition     = module.web.image == \"never\"\n    error_message = \"{message}\"\n  }}\n}}\n"
        ),
        _ => format!(
            "resource \"terraform_data\" \"x\" {{\n  lifecycle {{\n    precondition {{\n      condition     = module.web.image == \"never\"\n      error_message = \"{message}\"\n    }}\n  }}\n}}\n"
        ),
    };
    for (severity, code) in [("warning", 0), ("error", 14)] {
        let (number, outcome) = plan_with(&world, &precondition(severity));
        let outcome = outcome.exits(code);
        for command in commands(&outcome.log) {
            let known = ["group::", "endgroup::", "warning ", "error "].iter().any(|known| command.starts_with(known));
            assert!(known && !command.starts_with("error file=x"), "{command:?} in\n{}", outcome.log);
        }
        let located = annotations(&outcome.log, severity);
        let located: Vec<_> = located.iter().filter(|one| one.starts_with("file=")).collect();
        assert!(located.len() == 1 && located[0].contains("no%0A::error file=x,line=1::pwned"), "{located:#?}");
        let comment = world.github.comment(number);
        assert_eq!(world.github.comments(number).len(), 1);
        assert!(comment.starts_with("<!-- stategate:environments/prod@default -->\n"), "{comment}");
    }
}

#[test]
fn more_errors_than_github_shows_are_a_number() {
    let world = World::applied();
    let text: String = (0..14).map(|n| format!("resource \"terraform_data\" \"x{n}\" {{\n  imput = 1\n}}\n")).collect();
    let (_, outcome) = plan_with(&world, &text);
    let errors = annotations(&outcome.log, "error");
    assert_eq!(errors.len(), 10, "{errors:#?}");
    assert!(errors.iter().any(|error| error.contains("6 more")), "{errors:#?}");
    outcome.exits(14);
}

#[test]
fn a_usage_error_is_one_annotation() {
    let world = World::applied();
    let number = world.new_image();
    let step = Step::plan(&world, number).with("lock-timeout", "soon\n::add-mask::x").without_cleanup();
    let outcome = step.run().exits(2);
    let [only] = commands(&outcome.log)[..] else { panic!("{}", outcome.log) };
    assert!(only.starts_with("error title=stategate::") && only.contains("lock-timeout"), "{only}");
    assert!(!outcome.log.contains('\u{1b}'), "{}", outcome.log);
}

#[test]
fn a_failure_is_one_annotation_and_a_cancelled_run_none() {
    let world = World::applied();
    let number = world.new_image();
    let holding = world.laptop().hold_lock();
    let held = Step::plan(&world, number).with("lock-timeout", "0s").run().exits(10);
    let [only] = annotations(&held.log, "error")[..] else { panic!("{}", held.log) };
    assert!(only.starts_with("title=stategate::the state is locked by"), "{only}");
    assert!(only.contains("%0A  next: "), "{only}");
    assert_eq!(held.log.matches("the state is locked by").count(), 1, "the runner tells it once more:\n{}", held.log);
    let mut waiting = Step::plan(&world, number).with("lock-timeout", "5m").start();
    waiting.wait_for_log("waiting for the lock");
    let cancelled = waiting.cancel().exits(130);
    assert!(annotations(&cancelled.log, "error").is_empty(), "{}", cancelled.log);
    holding.finish();
}

#[test]
fn init_and_plan_are_folded_and_lines_have_no_time_on_github() {
    let world = World::applied();
    let number = world.new_image();
    let outcome = Step::plan(&world, number).run().exits(0);
    let groups: Vec<_> = commands(&outcome.log).into_iter().filter(|command| command.contains("group")).collect();
    let init = format!("group::terraform init in {PROD}");
    assert_eq!(groups, [init.as_str(), "endgroup::", "group::Terraform's plan", "endgroup::"], "{}", outcome.log);
    assert!(outcome.log.contains("Plan: 0 to add"), "{}", outcome.log);
    assert_eq!(outcome.log.matches(&format!("terraform init in {PROD}")).count(), 1, "{}", outcome.log);
    for json in ["\"@message\"", "\"type\":"] {
        assert!(!outcome.log.contains(json), "{}", outcome.log);
    }
    assert!(!outcome.log.contains('\u{1b}'), "{}", outcome.log);
    let has_time = |line: &str| {
        line.len() > 8 && line.as_bytes()[2] == b':' && line.as_bytes()[5] == b':' && line[..2].parse::<u8>().is_ok()
    };
    assert!(!outcome.log.lines().any(|line| line.is_char_boundary(2) && has_time(line)), "{}", outcome.log);

    let laptop = world.laptop();
    laptop.files.write(&format!("{PROD}/more.tf"), CHECK);
    let plan = laptop.stategate(&["plan"]).succeeded();
    assert!(plan.stderr.lines().all(has_time), "{}", plan.stderr);
    assert!(plan.stderr.contains("Check block assertion failed"), "{}", plan.stderr);
    assert!(!plan.text().contains("::") && !plan.text().contains('\u{1b}'), "{}", plan.text());
}

#[test]
fn an_apply_is_told_as_it_goes() {
    let world = World::applied();
    let number = world.pull_request("A provisioner that prints", |files| {
        let command = "echo '::error::pwned'; echo '{\\\"@message\\\":\\\"m\\\",\\\"type\\\":\\\"log\\\",\\\"state\\\":{}}'; echo at the end";
        let resource = format!(
            "resource \"terraform_data\" \"loud\" {{\n  provisioner \"local-exec\" {{\n    command = \"{command}\"\n  }}\n}}\n\
             output \"told\" {{ value = \"an-outputs-value\" }}\n"
        );
        files.write(&format!("{PROD}/loud.tf"), &resource);
    });
    Step::plan(&world, number).run().exits(0);
    world.approve(number);
    let push = world.merge(number);
    let outcome = Step::apply(&world, &push).run().exits(0);
    for told in [
        "terraform_data.loud: Creating...",
        "at the end",
        "Creation complete after",
        "Apply complete! Resources: 1 added",
    ] {
        assert!(outcome.log.contains(told), "{told:?} is not told:\n{}", outcome.log);
    }
    assert!(!outcome.log.contains("Plan to create"), "what the plan told is not told again:\n{}", outcome.log);
    assert!(annotations(&outcome.log, "error").is_empty(), "{}", outcome.log);
    assert!(world.bucket.locks().is_empty());
}

/// A wrapper that adds noise, around a Terraform that does not know `-json`.
const OLD_TERRAFORM: &str = r#"#!/bin/bash
arguments=()
for word in "$@"; do
  case "$1$word" in plan-json | apply-json) ;; *) arguments+=("$word") ;; esac
done
case "$1" in plan | apply) echo "noise ::error::pwned" ;; esac
exec terraform "${arguments[@]}"
"#;

#[test]
fn a_terraform_that_speaks_text_is_told_as_text() {
    let world = World::applied();
    let wrapper = world.place("bin").join("old-terraform");
    std::fs::write(&wrapper, OLD_TERRAFORM).unwrap();
    std::fs::set_permissions(&wrapper, std::fs::Permissions::from_mode(0o755)).unwrap();
    let wrapper = wrapper.display().to_string();
    let number = world.pull_request("A warning as text", |files| {
        files.write(&format!("{PROD}/more.tf"), &format!("{CHECK}resource \"terraform_data\" \"more\" {{}}\n"));
    });
    let plan = Step::plan(&world, number).with("terraform-bin", &wrapper).run().exits(0);
    for told in ["noise", "Warning: Check block assertion failed", "Plan: 1 to add"] {
        assert!(plan.log.contains(told) && plan.summary.contains(told), "{told:?} is not told:\n{}", plan.log);
    }
    assert!(commands(&plan.log).iter().all(|command| command.contains("group")), "{}", plan.log);
    world.approve(number);
    let push = world.merge(number);
    let apply = Step::apply(&world, &push).with("terraform-bin", &wrapper).run().exits(0);
    assert!(apply.log.contains("Apply complete!"), "{}", apply.log);
}

#[test]
fn a_script_that_does_not_tell_its_version_is_run_all_the_same() {
    let world = World::applied();
    let wrapper = world.place("bin").join("silent-terraform");
    std::fs::write(&wrapper, "#!/bin/bash\n[ \"$1\" = version ] && exit 1\nexec terraform \"$@\"\n").unwrap();
    std::fs::set_permissions(&wrapper, std::fs::Permissions::from_mode(0o755)).unwrap();
    let number = world.new_image();
    let outcome = Step::plan(&world, number).with("terraform-bin", &wrapper.display().to_string()).run().exits(0);
    assert!(outcome.log.contains("Plan: 0 to add, 1 to change"), "{}", outcome.log);
}

#[test]
fn arguments_of_the_user_do_not_change_how_terraform_is_heard() {
    let world = World::applied();
    let number = world.new_image();
    let step = Step::plan(&world, number).with("plan-args", "-json=false -detailed-exitcode -compact-warnings");
    let outcome = step.env("TF_CLI_ARGS_plan", "-json=false -detailed-exitcode").run().exits(0);
    assert!(outcome.log.contains("Plan: 0 to add, 1 to change"), "{}", outcome.log);
    assert!(outcome.summary.contains("Plan: 0 to add, 1 to change"), "{}", outcome.summary);
}
