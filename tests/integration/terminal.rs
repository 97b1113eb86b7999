//! What a person sees at a terminal, a real one: colours of ours, and nothing of others' that moves
//! the cursor, hides text or turns the writing round.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::harness::files::{PROD, PROD_LOCK};
use crate::harness::laptop::Laptop;
use crate::harness::process::Finished;
use crate::harness::python::{ON_TERMINAL, python};
use crate::harness::runner::binary;
use crate::harness::world::World;

/// Clears the screen, renames the window, hides, turns round, in both notations of a command.
const HOSTILE: &str = "x\u{1b}[2J\u{1b}]0;pwned\u{7}\u{9b}31m\u{202e}\u{2066}\u{200f}\u{e0041}\r\u{8}\u{7f}y";

fn on_terminal(laptop: &Laptop, variables: &[(&str, &str)], arguments: &[&str]) -> Finished {
    let mut command = Command::new(python());
    command.args(["-c", ON_TERMINAL, ""]).arg(binary()).args(arguments).stdin(Stdio::null());
    let laptop = variables.iter().fold(laptop.clone(), |laptop, (name, value)| laptop.env(name, value));
    laptop
        .env("TERM", variables.iter().find(|(name, _)| *name == "TERM").map_or("xterm", |(_, value)| value))
        .run(command)
}

/// Takes our own colours away; what is left is text.
#[track_caller]
fn without_our_colours(shown: &str) -> String {
    let ours = ["\u{1b}[0m", "\u{1b}[2m", "\u{1b}[31;1m", "\u{1b}[33;1m"];
    let plain = ours.iter().fold(shown.replace("\r\n", "\n"), |text, colour| text.replace(colour, ""));
    let is_active = |char: char| {
        (char.is_control() && !"\n\t".contains(char))
            || matches!(char, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{e0000}'..='\u{e007f}')
    };
    let active = plain.chars().find(|char| is_active(*char));
    assert!(active.is_none(), "{active:?} in {plain:?}");
    plain
}

fn lock() -> Value {
    json!({
        "ID": HOSTILE, "Operation": HOSTILE, "Info": HOSTILE, "Who": HOSTILE, "Version": HOSTILE,
        "Created": HOSTILE, "Path": HOSTILE,
    })
}

#[test]
fn nothing_of_others_acts_on_a_terminal() {
    let world = World::applied();
    let laptop = world.laptop();
    let resource = format!(
        "resource \"terraform_data\" \"keys\" {{\n  for_each = toset([jsondecode({})])\n  input = each.key\n}}\n",
        json!(json!(HOSTILE).to_string())
    );
    laptop.files.write(&format!("{PROD}/keys.tf"), &resource);
    let plan = on_terminal(&laptop, &[], &["plan"]).succeeded();
    assert!(plan.stdout.contains("\u{1b}[2m"), "no colour on a terminal: {}", plan.stdout);
    let told = without_our_colours(&plan.stdout);
    assert!(told.contains("terraform_data.keys["), "{told}");

    let frozen = on_terminal(&laptop, &[], &["lock", "--reason", HOSTILE]).succeeded();
    let told = without_our_colours(&frozen.stdout);
    assert!(told.lines().any(|line| line.contains(" is frozen: x") && line.ends_with('y')), "{told}");
    world.bucket.put(PROD_LOCK, lock().to_string());
    for arguments in [&["status"][..], &["status", "--json"], &["unlock"], &["plan", "--lock-timeout", "0s"]] {
        let shown = on_terminal(&laptop, &[], arguments);
        let told = without_our_colours(&shown.stdout);
        assert!(told.contains('x') && told.contains('y'), "{told}");
    }
    world.bucket.put(PROD_LOCK, format!("not JSON {HOSTILE}"));
    without_our_colours(&on_terminal(&laptop, &[], &["status"]).stdout);
}

#[test]
fn colours_are_for_a_terminal_that_wants_them() {
    let world = World::applied();
    let laptop = world.laptop();
    let is_coloured = |variables: &[(&str, &str)]| {
        let shown = on_terminal(&laptop, variables, &["plan", "--terraform-bin", "/no/such/terraform"]);
        assert_eq!(shown.code, Some(14), "{}", shown.stdout);
        shown.stdout.contains('\u{1b}')
    };
    assert!(is_coloured(&[]));
    assert!(!is_coloured(&[("NO_COLOR", "1")]));
    assert!(!is_coloured(&[("TERM", "dumb")]));
    let piped = laptop.stategate(&["plan", "--terraform-bin", "/no/such/terraform"]);
    assert!(!piped.text().contains('\u{1b}'), "{}", piped.text());
}

#[test]
fn json_for_programs_is_whole_and_does_nothing_to_a_terminal_or_a_log() {
    let world = World::applied();
    let laptop = world.laptop();
    let text = format!("{HOSTILE} ##[error]z \u{200b}\u{feff}");
    let address = format!("a.b[{}]", json!(text));
    let plan = json!({"format_version": "1.2", "resource_changes": [{
        "address": address, "mode": "managed", "type": "a", "name": "b", "change": {"actions": ["delete"]},
    }]});
    let file = world.place("plan").join("plan.json");
    fs::write(&file, plan.to_string()).unwrap();
    world.bucket.put(PROD_LOCK, lock().to_string());
    let render = ["render", "--json", "--plan-json", file.to_str().unwrap()];
    for (arguments, at, expected) in
        [(&render[..], "/resources/0/address", address.as_str()), (&["status", "--json"][..], "/locks/0/who", HOSTILE)]
    {
        let printed = laptop.stategate(arguments).succeeded().stdout;
        let in_a_log = laptop.clone().env("GITHUB_ACTIONS", "true").stategate(arguments);
        without_our_colours(&printed);
        assert!(!printed.contains(['\u{200b}', '\u{feff}']) && !printed.contains("##["), "{printed}");
        let json: Value = serde_json::from_str(&printed).unwrap();
        assert_eq!(json.pointer(at), Some(&json!(expected)));
        if arguments == render {
            assert_eq!(in_a_log.stdout, printed, "the runner's log gets something else");
        }
    }
}

/// What a person reads, on a terminal of so many columns.
fn read(laptop: &Laptop, columns: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let shown = on_terminal(laptop, &[("COLUMNS", columns), ("TERM", "dumb")], arguments);
    (shown.code, shown.stdout.replace("\r\n", "\n"))
}

fn lock_of(who: &str, info: &str) -> String {
    json!({
        "ID": "5f0c1b7e-31d2-4f45-9a63-8f3d7b1c2a90", "Operation": "OperationTypeApply", "Info": info, "Who": who,
        "Version": "1.11.4", "Created": "2026-11-21T01:33:06.2Z", "Path": "p",
    })
    .to_string()
}

#[test]
fn an_early_failure_is_one_error_with_one_next_step() {
    let world = World::applied();
    let laptop = world.laptop();
    let check = |laptop: &Laptop, arguments: &[&str], code: i32, says: &str| {
        for command in ["plan", "apply"] {
            let arguments = [&[command, "--lock-timeout", "0s"], arguments].concat();
            let finished = laptop.stategate(&arguments);
            assert_eq!(finished.code, Some(code), "{}", finished.text());
            assert!(finished.stderr.contains(says), "{says:?}: {}", finished.stderr);
            let (_, error) = finished.stderr.split_once("\nerror: ").unwrap_or(("", &finished.stderr));
            assert_eq!(error.matches("next: ").count(), 1, "{error}");
            assert_eq!(finished.stdout, "", "the error says it all, in a pipe too");
            let (_, shown) = read(laptop, "80", &arguments);
            assert_eq!(shown.to_lowercase().matches("next: ").count(), 1, "the error says it all: {shown}");
        }
    };
    check(&laptop, &["--working-directory", "nowhere"], 2, "error: the working directory nowhere does not exist");
    check(&laptop, &["--terraform-bin", "/nowhere"], 14, "error: the Terraform executable /nowhere");
    check(&laptop.clone().within("environments"), &[], 2, "error: there are no Terraform files");
    world.bucket.put(PROD_LOCK, lock_of("colleague@desk", ""));
    check(&laptop, &[], 10, "error: the state is locked by colleague@desk");
    world.bucket.delete(PROD_LOCK);
    let without = laptop.clone().env("AWS_ACCESS_KEY_ID", "").env("AWS_SECRET_ACCESS_KEY", "");
    check(&without, &[], 20, "error: there are no AWS credentials");
    let backend = format!("{PROD}/backend.tf");
    laptop.files.replace(&backend, &format!("\"{}\"", world.bucket.name), "\"no-such-bucket\"");
    check(&laptop, &["--init-args", "-reconfigure"], 20, "error: the state's bucket does not exist");
}

#[test]
fn what_failed_after_the_plan_is_told_once_below_it() {
    let world = World::applied();
    let laptop = world.laptop();
    laptop.files.replace(&format!("{PROD}/main.tf"), "web:1.0", "web:1.1");
    let (code, shown) = read(&laptop, "120", &["apply"]);
    assert_eq!(code, Some(11), "{shown}");
    let (plan, error) = shown.split_once("\nerror: ").expect("an error");
    assert!(plan.contains("not applied, approval is missing") && plan.contains("change module.web"), "{plan}");
    assert!(!plan.contains("Next:") && error.contains("next: "), "{shown}");
    assert_eq!(shown.matches("no pull request stands behind this apply").count(), 1, "{shown}");
}

#[test]
fn status_begins_with_who_and_what_to_do() {
    let world = World::applied();
    let laptop = world.laptop();
    let names = |told: &str| -> Vec<String> {
        let name = |line: &str| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')).map(str::to_owned);
        let named = told.lines().filter_map(name);
        named.map(|line| line.split("  ").next().unwrap_or_default().to_owned()).collect()
    };
    world.bucket.put(PROD_LOCK, lock_of("colleague@desk", ""));
    let told = laptop.stategate(&["status"]).succeeded().stdout;
    let details = ["lock ID", "created", "version", "store", "etag"];
    assert_eq!(names(&told), [&["held by", "doing", "since", "alive", "next"][..], &details].concat(), "{told}");
    assert!(told.contains("held by    colleague@desk\n") && told.contains("doing      an apply\n"), "{told}");
    let since = told.lines().find(|line| line.contains("since")).unwrap();
    assert!(since.contains(" UTC, for ") && since.ends_with(" s"), "{told}");
    laptop.stategate(&["unlock", "--lock-id", "5f0c1b7e-31d2-4f45-9a63-8f3d7b1c2a90", "--reason", "x"]).succeeded();
    let frozen = laptop.stategate(&["lock", "--reason", "moving the database"]).succeeded().stdout;
    assert_eq!(names(&frozen), ["lock ID", "next"], "{frozen}");
    let told = laptop.stategate(&["status"]).succeeded().stdout;
    assert_eq!(names(&told), [&["frozen by", "why", "since", "next"][..], &details].concat(), "{told}");
    assert!(told.contains("why        moving the database\n"), "{told}");
    world.bucket.put(PROD_LOCK, "not JSON");
    let told = laptop.stategate(&["status"]).succeeded().stdout;
    assert_eq!(names(&told), ["held by", "since", "alive", "next", "store", "etag"], "{told}");
}

#[test]
fn words_fit_the_terminal_and_a_command_is_never_broken() {
    let world = World::applied();
    let laptop = world.laptop();
    let run = "acme/infra#42 https://github.com/acme/infra/actions/runs/987/attempts/1";
    world.bucket.put(PROD_LOCK, lock_of("octocat via GitHub Actions (acme/infra)", run));
    let command = "`stategate unlock --lock-id 5f0c1b7e-31d2-4f45-9a63-8f3d7b1c2a90 --force --reason TEXT`";
    let edge: usize = 80;
    for arguments in [&["status"][..], &["unlock"], &["plan", "--lock-timeout", "0s"], &["render"], &["plan", "x"]] {
        let (_, shown) = read(&laptop, &edge.to_string(), arguments);
        // Terraform's own lines and what is one word or one command may be longer.
        let is_ours = |line: &&str| !line.contains(" | ");
        for line in shown.lines().filter(is_ours).filter(|line| line.chars().count() > edge) {
            assert!(line.trim_start().starts_with(command), "{arguments:?}: {line:?} in\n{shown}");
        }
        let names_it = shown.lines().any(|line| line.contains(command));
        assert!(names_it || ["render", "plan"].contains(&arguments[0]) && arguments.len() < 3, "{shown}");
    }
    let (_, wide) = read(&laptop, "400", &["status"]);
    assert!(wide.contains(&format!("doing      an apply: {run}\n")), "{wide}");
    let next = wide.lines().find(|line| line.starts_with("  next")).unwrap();
    assert!(next.contains("there GitHub proves") && next.contains(command), "{wide}");
}
