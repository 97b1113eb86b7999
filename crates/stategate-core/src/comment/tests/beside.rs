//! What an approver is told that the plan does not show.

use serde_json::{Value, json};

use super::*;

fn created(name: &str) -> Value {
    json!({"address": format!("aws_instance.{name}"), "mode": "managed", "type": "aws_instance", "name": name,
           "change": {"actions": ["create"], "before": null, "after": {"x": 1}}})
}

fn configured(name: &str, key: &str, command: &Value) -> Value {
    json!({"mode": "managed", "type": "aws_instance", "name": name, "provider_config_key": key,
           "provisioners": [{"type": "local-exec", "expressions": {"command": command}}]})
}

fn plan_with(command: &Value) -> Value {
    json!({
        "format_version": "1.2",
        "variables": {"password": {"value": "hunter2-secret"}},
        "resource_changes": [created("a")],
        "configuration": {
            "provider_config": {
                "aws": {"name": "aws", "expressions": {"region": {"constant_value": "eu-west-1"}}},
                "aws.prod": {"name": "aws", "alias": "prod", "expressions": {
                    "region": {"constant_value": "us-west-1"}, "secret_key": {"constant_value": "never-shown"},
                    "assume_role": [{"role_arn": {"references": ["var.role"]}}]}},
            },
            "root_module": {
                "resources": [configured("a", "aws.prod", command), configured("calm", "aws", &json!({"constant_value": "no"}))],
                "variables": {"password": {"sensitive": true}},
            },
        },
    })
}

#[test]
fn provisioners_and_unusual_providers_of_what_changes_are_told() {
    let plan = plan_of(&plan_with(&json!({"constant_value": "./run.sh --now"})));
    let text = comment(&view(Some(&plan)), COMMENT_BUDGET);
    in_order(
        &text,
        &[
            "**Not in the plan**",
            "`aws_instance.a` runs `local-exec`: `command = ./run.sh --now`",
            "the provider `aws.prod` makes changes: region `us-west-1`, role `(var.role)`",
        ],
    );
    for word in ["calm", "never-shown", "eu-west-1"] {
        assert!(!text.contains(word), "{word} in {text}");
    }
    // What the configuration says is more than the references that the plan has.
    let mut of_source = view(Some(&plan));
    of_source.beside.texts.insert("aws_instance.a".to_owned(), "command = \"./run.sh ${var.x}\"\n".to_owned());
    of_source.beside.facts.push("the module `net` has the version `2.0`, and `1.0` on the base branch".to_owned());
    let text = comment(&of_source, COMMENT_BUDGET);
    in_order(&text, &["`command = \"./run.sh ${var.x}\"`", "the module `net` has the version `2.0`"]);
}

#[test]
fn a_plan_without_effects_has_no_such_section() {
    for plan in [read(EVERYTHING), read(QUIET)] {
        let text = comment(&view(Some(&plan)), COMMENT_BUDGET);
        assert!(!text.contains("Not in the plan"), "{text}");
    }
}

#[test]
fn no_changes_with_changed_files_is_told_as_that() {
    let plan = read(QUIET);
    let mut quiet = CommentView { phase: Phase::NoChanges, ..view(Some(&plan)) };
    assert!(comment(&quiet, COMMENT_BUDGET).contains(": no changes"));
    quiet.beside.changed_files = 2;
    let text = comment(&quiet, COMMENT_BUDGET);
    assert!(text.contains("no changes now; 2 files that reach the apply changed"), "{text}");
}

#[test]
fn a_secret_in_a_command_is_hidden() {
    let plan = plan_of(&plan_with(&json!({"constant_value": "login hunter2-secret"})));
    let mut shown = view(Some(&plan));
    for _ in 0..2 {
        let text = comment(&shown, COMMENT_BUDGET);
        assert!(!text.contains("hunter2") && text.contains("login (sensitive value)"), "{text}");
        shown.beside.texts.insert("aws_instance.a".to_owned(), "command = \"login hunter2-secret\"".to_owned());
    }
}

#[test]
fn of_very_many_effects_some_are_shown_and_the_rest_is_counted() {
    let names: Vec<String> = (0..1_200).map(|number| format!("n{number}")).collect();
    let mut plan = plan_with(&Value::Null);
    plan["resource_changes"] = names.iter().map(|name| created(name)).collect();
    let command = json!({"constant_value": "x".repeat(5_000)});
    plan["configuration"]["root_module"]["resources"] =
        names.iter().map(|name| configured(name, "aws", &command)).collect();
    let plan = plan_of(&plan);
    let text = comment(&view(Some(&plan)), COMMENT_BUDGET);
    assert!(text.contains("and 981 more"), "{text}");
    for budget in [2_000, 4_000, 8_000] {
        let text = comment(&view(Some(&plan)), budget);
        assert!(text.chars().count() <= budget);
        assert!(text.contains("Not in the plan") || text.contains("what is not in the plan"), "{text}");
    }
}
