//! `render` without anything else: the comment for a plan, and what it says of what is no plan.

use std::fs;
use std::process::{Command, Stdio};

use crate::harness::laptop::terraform;
use crate::harness::process::{Finished, run};
use crate::harness::runner::binary;

const PLAN: &str = include_str!("../../crates/stategate-core/tests/plans/everything.json");
const STATE: &str = include_str!("../../crates/stategate-core/tests/plans/state.json");

fn render(path: &std::path::Path) -> Finished {
    run(Command::new(binary()).args(["render", "--plan-json"]).arg(path).env_clear())
}

#[test]
fn what_is_no_plan_is_told_apart() {
    let scratch = tempfile::tempdir().unwrap();
    let text = include_str!("../../crates/stategate-core/tests/plans/everything.txt");
    let cut = format!("{{\n{}", &PLAN[1..PLAN.len() / 2]);
    let noise = format!("[command]/usr/bin/terraform show -json\n{PLAN}\n::debug::stdout\n");
    let after = format!("{}\n::debug::stdout\n", PLAN.trim_end());
    let stream = "{\"@level\":\"info\",\"@message\":\"Terraform 1.11.4\"}\n{\"@level\":\"info\"}\n";
    let outputs = r#"{"url": {"sensitive": false, "type": "string", "value": "x"}}"#;
    let cases: [(&str, &[u8], &[&str]); 11] = [
        ("empty", b"", &["the plan JSON is empty", "terraform show -json"]),
        ("state", STATE.as_bytes(), &["this is a state, not a plan"]),
        ("truncated", cut.as_bytes(), &["line 2, column ", "ends in the middle", "cut off"]),
        ("zip", b"PK\x03\x04\x14\x00", &["binary format", "terraform show -json"]),
        ("noise", noise.as_bytes(), &["line 1, column 1: there is text before", "terraform_wrapper"]),
        ("after", after.as_bytes(), &["line 2, column 1: there is text after", "terraform_wrapper"]),
        ("text", text.as_bytes(), &["this is text, not JSON", "terraform show -json"]),
        ("latin", b"{\"resource_changes\":[{\"address\":\"\xe9\"}]}", &["not UTF-8", "resource_changes[0].address"]),
        ("outputs", outputs.as_bytes(), &["not a plan", "terraform output -json"]),
        ("stream", stream.as_bytes(), &["the log of a running command"]),
        ("shape", b"{\"resource_changes\":\n{}}", &["line 2, column 1", "an array is expected", "resource_changes"]),
    ];
    for (name, bytes, says) in cases {
        let path = scratch.path().join(name);
        fs::write(&path, bytes).unwrap();
        let told = render(&path);
        assert_eq!((told.code, told.stdout.as_str()), (Some(2), ""), "{name}: {}", told.text());
        for text in says {
            assert!(told.stderr.contains(text), "{name} does not say {text:?}: {}", told.text());
        }
        let blames_a_wrapper = told.stderr.contains("wrapper");
        assert_eq!(blames_a_wrapper, ["noise", "after"].contains(&name), "{name}: {}", told.text());
    }
    for (path, says) in [(scratch.path().to_owned(), "is a directory"), (scratch.path().join("none"), "No such file")] {
        let told = render(&path);
        assert_eq!(told.code, Some(2), "{}", told.text());
        assert!(told.stderr.contains(says) && told.stderr.contains(&*path.to_string_lossy()), "{}", told.text());
    }
}

#[test]
fn a_plan_file_of_terraform_itself_is_named() {
    let scratch = tempfile::tempdir().unwrap();
    fs::write(scratch.path().join("main.tf"), "resource \"terraform_data\" \"a\" {}\n").unwrap();
    let home = scratch.path().join("home");
    for arguments in [&["init", "-input=false"][..], &["plan", "-input=false", "-out=plan.tfplan"]] {
        let mut command = Command::new(terraform());
        crate::harness::laptop::scrubbed(&mut command, &home, terraform());
        run(command.args(arguments).current_dir(scratch.path()).stdin(Stdio::null())).succeeded();
    }
    let told = render(&scratch.path().join("plan.tfplan"));
    assert_eq!(told.code, Some(2), "{}", told.text());
    assert!(told.stderr.contains("plan file in Terraform's binary format"), "{}", told.text());
}

/// A plan of one resource, with this change.
fn rendered(change: &str) -> String {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("plan.json");
    let resource = format!(r#"{{"address":"a_b.c","type":"a_b","name":"c","change":{change}}}"#);
    fs::write(&path, format!(r#"{{"format_version":"1.2","resource_changes":[{resource}]}}"#)).unwrap();
    render(&path).succeeded().stdout
}

/// Numbers that a reader which is not exact takes for their neighbours.
#[test]
fn numbers_of_16_and_17_digits_are_shown_compared_and_hidden_as_they_are() {
    let created = rendered(r#"{"actions":["create"],"before":null,"after":{"x":1.7912729440486075}}"#);
    assert!(created.contains("x = 1.7912729440486075"), "{created}");
    let updated =
        rendered(r#"{"actions":["update"],"before":{"x":1.7912729440486075},"after":{"x":1.7912729440486077}}"#);
    assert!(updated.contains("x = 1.7912729440486075 -> 1.7912729440486077"), "{updated}");
    let hidden = rendered(
        r#"{"actions":["create"],"before":null,"after_sensitive":{"pin":true},
        "after":{"pin":1.7912729440486075,"copy":"the pin is 1.7912729440486075"}}"#,
    );
    assert!(!hidden.contains("1.79127") && hidden.contains("the pin is (sensitive value)"), "{hidden}");
}

#[test]
fn json_text_with_a_key_that_stands_twice_is_shown_as_what_it_is() {
    let change = |after: &str| {
        let (before, after) = (serde_json::json!(r#"{"S":"deny"}"#), serde_json::json!(after));
        rendered(&format!(r#"{{"actions":["update"],"before":{{"p":{before}}},"after":{{"p":{after}}}}}"#))
    };
    for after in [r#"{"S":"allow","S":"deny"}"#, r#"{"S":"deny","x":null}"#] {
        let shown = change(after);
        assert!(!shown.contains("only its white space or order changes"), "{shown}");
    }
    assert!(change(r#"{ "S": "deny" }"#).contains("only its white space or order changes"));
}
