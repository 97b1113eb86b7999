//! `action.yml`, the flags and the variables are one list.

use std::collections::{BTreeMap, BTreeSet};

use crate::harness::action::Action;

/// Inputs that are not flags: which command, which binary, where it comes from, and the token, which
/// must not stand in a process list.
const NOT_FLAGS: [&str; 4] = ["command", "binary-path", "download-base-url", "github-token"];

/// Flags of `render`, which needs no action.
const OFFLINE: [&str; 2] = ["plan-json", "budget"];

#[test]
fn every_flag_is_an_input_and_a_variable_with_the_same_words_and_default() {
    let action = Action::read();
    let mut flags: BTreeMap<String, (String, String)> = BTreeMap::new();
    for command in stategate::cli::definition().get_subcommands() {
        for flag in command.get_arguments().filter(|flag| !OFFLINE.contains(&flag.get_long().unwrap_or_default())) {
            let Some(long) = flag.get_long() else { continue };
            let variable = flag.get_env().unwrap_or_else(|| panic!("--{long} has no variable")).to_str().unwrap();
            let default = flag.get_default_values().first().map(|value| value.to_str().unwrap().to_owned());
            flags.insert(long.to_owned(), (variable.to_owned(), default.unwrap_or_default()));
        }
    }
    let inputs: BTreeSet<&str> =
        action.inputs.keys().map(String::as_str).filter(|name| !NOT_FLAGS.contains(name)).collect();
    assert_eq!(inputs, flags.keys().map(String::as_str).collect::<BTreeSet<_>>());
    for (name, (variable, default)) in &flags {
        assert_eq!(variable, &format!("STATEGATE_{}", name.to_uppercase().replace('-', "_")));
        assert_eq!(&action.inputs[name].default, default, "the default of {name}");
        assert!(!action.inputs[name].description.is_empty(), "{name} says nothing");
    }
}

#[test]
fn every_input_goes_through_the_environment_and_none_into_a_script() {
    let action = Action::read();
    for step in &action.runs.steps {
        assert!(!step.run.contains("${{"), "{} writes an expression into its script", step.name);
        assert!(step.run.starts_with("exec "), "{} leaves bash between the runner and the binary", step.name);
        for name in action.inputs.keys() {
            let variable = format!("STATEGATE_{}", name.to_uppercase().replace('-', "_"));
            assert_eq!(
                step.env.get(&variable),
                Some(&format!("${{{{ inputs.{name} }}}}")),
                "{variable} in {}",
                step.name
            );
        }
    }
    assert!(action.runs.steps.last().unwrap().condition.as_ref().unwrap().contains("always()"));
}

#[test]
fn the_outputs_are_those_of_the_contract() {
    let contract = [
        "has-changes",
        "add",
        "change",
        "replace",
        "destroy",
        "import",
        "move",
        "forget",
        "result",
        "lock-id",
        "lock-holder",
        "fingerprint",
        "approved",
        "comment-url",
        "summary-json",
    ];
    let action = Action::read();
    assert_eq!(action.outputs.keys().map(String::as_str).collect::<BTreeSet<_>>(), contract.into_iter().collect());
    for (name, output) in &action.outputs {
        assert_eq!(output.value, format!("${{{{ steps.stategate.outputs.{name} }}}}"));
    }
}
