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
