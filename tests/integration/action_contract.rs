//! `action.yml`, the flags and the variables are one list.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

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

/// A help text as a description would say it.
fn plain(text: &str) -> String {
    text.replace('`', "").replace("--", "the ").to_lowercase()
}

#[test]
fn an_input_is_described_in_the_words_of_its_flag() {
    let action = Action::read();
    for (name, input) in action.inputs.iter().filter(|(name, _)| !NOT_FLAGS.contains(&name.as_str())) {
        let definition = stategate::cli::definition();
        let flags = definition.get_subcommands().flat_map(clap::Command::get_arguments);
        let helps: Vec<String> = flags
            .filter(|flag| flag.get_long() == Some(name))
            .filter_map(|flag| Some(plain(&flag.get_help()?.to_string())))
            .collect();
        let description = plain(&input.description);
        // What stands behind a semicolon may be said in another way.
        let said = helps.iter().any(|help| description.contains(help.split(';').next().unwrap().trim_end_matches('.')));
        assert!(said, "{name}: {:?} is none of {helps:?}", input.description);
    }
}

#[test]
fn the_scripts_can_be_run_as_they_are_checked_out() {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    for name in ["run.sh", "package.sh"] {
        let mode = fs::metadata(scripts.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o111, 0o111, "{name}");
    }
    let release = fs::read_to_string(scripts.join("release.txt")).unwrap();
    assert!(release.lines().all(|line| line.starts_with('#')), "only a release's own commit names a binary: {release}");
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
    assert_eq!(action.inputs["github-token"].default, "${{ github.token }}");
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
        "actions",
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
        assert!(output.description.ends_with('.'), "{name} says nothing");
        assert_eq!(output.value, format!("${{{{ steps.stategate.outputs.{name} }}}}"));
    }
}
