//! Plans by other people and other versions of Terraform. They are not ours to hand on, so they
//! stand beside the project where somebody has put them; our own are in `crates/stategate-core/tests/plans`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use stategate_core::plan::{PlanError, read_plan};

/// Those of our own plans that change something, and whatever stands beside the project.
fn plans() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let ours = ["everything", "destroy", "target"]
        .map(|name| root.join(format!("crates/stategate-core/tests/plans/{name}.json")));
    let foreign =
        fs::read_dir(root.join("../shared/fixtures/plans")).into_iter().flatten().map(|entry| entry.unwrap().path());
    ours.into_iter()
        .chain(foreign.filter(|path| path.extension().is_some_and(|extension| extension == "json")))
        .collect()
}

#[test]
fn plans_of_every_version_are_read_and_none_is_taken_for_no_changes() {
    for path in plans() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let result = read_plan(File::open(&path).unwrap(), &mut []);
        if name.contains("wrapper_noise") {
            assert!(matches!(result, Err(PlanError::Noise { .. })), "{name}");
        } else {
            assert!(result.unwrap_or_else(|error| panic!("{name}: {error}")).has_changes(), "{name}");
        }
    }
}

/// What each version's JSON has and lacks, as far as it matters here.
fn eras() -> Vec<(&'static str, Value)> {
    let change = |more: Value| {
        let mut entry = json!({"address": "null_resource.a", "mode": "managed", "type": "null_resource", "name": "a",
            "provider_name": "null", "change": {"actions": ["delete", "create"], "before": {"id": "1"}, "after": {},
            "after_unknown": {"id": true}}});
        if let (Some(entry), Value::Object(more)) = (entry.as_object_mut(), more) {
            entry.extend(more);
        }
        entry
    };
    let plan = |format: &str, version: &str, changes: Value, more: Value| {
        let mut plan = json!({"format_version": format, "terraform_version": version, "planned_values": {},
            "resource_changes": changes, "configuration": {"root_module": {}}});
        if let (Some(plan), Value::Object(more)) = (plan.as_object_mut(), more) {
            plan.extend(more);
        }
        plan
    };
    let replaced = |reason: &str| {
        change(json!({"action_reason": reason, "provider_name": "registry.terraform.io/hashicorp/null"}))
    };
    let checks = json!([{"address": {"kind": "check", "to_display": "check.c"}, "status": "fail", "instances": []}]);
    let action = json!([{"address": "action.a.b", "type": "a", "name": "b"}]);
    let deferred = json!([{"reason": "provider_config_unknown", "resource_change": change(json!({}))}]);
    let nothing = json!([]);
    vec![
        // No marks, no reasons, no module of a provider.
        ("0.12", plan("0.1", "0.12.31", json!([change(json!({}))]), json!({}))),
        (
            "0.13",
            plan(
                "0.1",
                "0.13.7",
                json!([change(json!({"provider_name": "registry.terraform.io/hashicorp/null"}))]),
                json!({}),
            ),
        ),
        ("0.15", plan("0.1", "0.15.5", json!([replaced("replace_because_tainted")]), json!({}))),
        (
            "1.0",
            plan(
                "0.2",
                "1.0.11",
                json!([replaced("replace_because_cannot_update")]),
                json!({"resource_drift": [change(json!({}))]}),
            ),
        ),
        ("1.2", plan("1.1", "1.2.9", json!([replaced("replace_by_triggers")]), json!({"relevant_attributes": []}))),
        (
            "1.5",
            plan("1.2", "1.5.7", json!([replaced("replace_by_request")]), json!({"checks": checks, "errored": false})),
        ),
        (
            "1.8",
            plan(
                "1.2",
                "1.8.5",
                json!([replaced("replace_because_tainted")]),
                json!({"applyable": true, "complete": true}),
            ),
        ),
        (
            "1.9 deferred",
            plan("1.2", "1.9.8", nothing.clone(), json!({"deferred_changes": deferred, "complete": false})),
        ),
        ("1.14 actions", plan("1.2", "1.14.0", nothing.clone(), json!({"action_invocations": action}))),
        (
            "OpenTofu",
            plan(
                "1.2",
                "1.10.6",
                json!([replaced("replace_because_tainted")]),
                json!({"timestamp": "2026-11-21T00:00:00Z", "errored": false}),
            ),
        ),
        ("of tomorrow", plan("2.0", "3.0.0", nothing, json!({"whatever_changes": [{}]}))),
    ]
}

#[test]
fn each_versions_json_is_read_with_what_it_lacks() {
    for (name, plan) in eras() {
        let summary = read_plan(plan.to_string().as_bytes(), &mut []).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(summary.has_changes(), "{name} reads as no changes");
        assert_eq!(summary.terraform_version.as_deref(), plan["terraform_version"].as_str(), "{name}");
        let replaced = plan["resource_changes"].as_array().map_or(0, Vec::len);
        assert_eq!(summary.counts.replace, replaced, "{name}");
        assert_eq!(!summary.unknown_actions.is_empty(), name == "of tomorrow", "{name}: {:?}", summary.unknown_actions);
    }
}
