//! GitHub's own schemas: what the fake answers and the events it makes are built from them and
//! validated against them. They come from the models that the `PyPI` package `githubkit` generates
//! from GitHub's `OpenAPI` description, exported once into `target/`.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::process::Command;
use std::sync::OnceLock;

use jsonschema::Validator;
use serde_json::{Map, Value};

use crate::harness::process::run;
use crate::harness::python::{harness_dir, once, python};

/// The models in use, by the names they have in `githubkit`.
const MODELS: &[&str] = &[
    "Activity",
    "BasicError",
    "BranchWithProtection",
    "Commit",
    "CommitComparison",
    "EmptyObject",
    "Environment",
    "EnvironmentApprovals",
    "FullRepository",
    "GitTree",
    "IssueComment",
    "IssueEvent",
    "Job",
    "PullRequest",
    "PullRequestReview",
    "PullRequestSimple",
    "RateLimitOverview",
    "RepositoryCollaboratorPermission",
    "TeamFull",
    "TeamMembership",
    "WebhookIssueCommentCreated",
    "WebhookMergeGroupChecksRequested",
    "WebhookPullRequestClosed",
    "WebhookPullRequestOpened",
    "WebhookPullRequestReopened",
    "WebhookPullRequestReviewSubmitted",
    "WebhookPullRequestSynchronize",
    "WebhookPush",
    "WebhookWorkflowDispatch",
    "WorkflowRun",
];

const EXPORT: &str = r#"
import json, sys
from githubkit_schemas.v2022_11_28 import models
from pydantic import TypeAdapter
schemas = {name: TypeAdapter(getattr(models, name)).json_schema(by_alias=True) for name in sys.argv[2:]}
with open(sys.argv[1], "w") as file:
    json.dump(schemas, file)
"#;

struct Schema {
    root: Value,
    validator: Validator,
}

/// Builds a complete value of the model: the fields given, and neutral values for all others that
/// GitHub promises. Fails for a field that GitHub does not have.
#[track_caller]
pub fn build(model: &str, fields: &Value) -> Value {
    let schema = schema(model);
    let value = build_node(&schema.root, &schema.root, Some(fields), model);
    if let Err(error) = validate(model, &value) {
        panic!("{error}");
    }
    value
}

/// Says where a value is not what GitHub promises for the model.
pub fn validate(model: &str, value: &Value) -> Result<(), String> {
    let errors: Vec<String> = schema(model)
        .validator
        .iter_errors(value)
        .map(|error| format!("{model} at {}: {error}", error.instance_path()))
        .collect();
    if errors.is_empty() { Ok(()) } else { Err(errors.join("\n")) }
}

fn schema(model: &str) -> &'static Schema {
    static SCHEMAS: OnceLock<BTreeMap<String, Schema>> = OnceLock::new();
    let schemas = SCHEMAS.get_or_init(|| {
        let exported: BTreeMap<String, Value> = serde_json::from_slice(&export()).expect("the schemas are JSON");
        let compile = |(name, root): (String, Value)| {
            let validator = jsonschema::options()
                .should_validate_formats(true)
                .build(&root)
                .unwrap_or_else(|error| panic!("GitHub's schema {name} does not compile: {error}"));
            (name, Schema { root, validator })
        };
        exported.into_iter().map(compile).collect()
    });
    schemas.get(model).unwrap_or_else(|| panic!("the harness exports no schema {model}"))
}

fn export() -> Vec<u8> {
    let mut hasher = DefaultHasher::new();
    (MODELS, EXPORT, python()).hash(&mut hasher);
    let file = harness_dir().join(format!("github-schemas-{:016x}.json", hasher.finish()));
    once(&file.with_extension("lock"), &file.with_extension("exported"), || {
        run(Command::new(python()).args(["-W", "ignore", "-c", EXPORT]).arg(&file).args(MODELS)).succeeded();
    });
    fs::read(file).expect("the exported schemas can be read")
}

fn build_node(node: &Value, root: &Value, fields: Option<&Value>, path: &str) -> Value {
    let node = resolve(node, root);
    if let Some(options) = node.get("anyOf").or_else(|| node.get("oneOf")).and_then(Value::as_array) {
        return build_option(options, root, fields, path);
    }
    if let Some(properties) = node.get("properties").and_then(Value::as_object) {
        return build_object(node, properties, root, fields, path);
    }
    if let (Some(items), Some(Value::Array(values))) = (node.get("items"), fields) {
        return values.iter().map(|value| build_node(items, root, Some(value), &format!("{path}[]"))).collect();
    }
    fields.cloned().unwrap_or_else(|| neutral(node))
}

fn build_object(
    node: &Value,
    properties: &Map<String, Value>,
    root: &Value,
    fields: Option<&Value>,
    path: &str,
) -> Value {
    let nothing_given = Map::new();
    let given = match fields {
        None => &nothing_given,
        Some(Value::Object(given)) => given,
        Some(other) => panic!("{path} is an object at GitHub, not {other}"),
    };
    for name in given.keys() {
        assert!(properties.contains_key(name), "GitHub's {path} has no field {name}");
    }
    let required = node.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let names = required.chain(given.keys().map(String::as_str));
    let build = |name: &str| build_node(&properties[name], root, given.get(name), &format!("{path}.{name}"));
    names.map(|name| (name.to_owned(), build(name))).collect()
}

fn build_option(options: &[Value], root: &Value, fields: Option<&Value>, path: &str) -> Value {
    let is_null = |option: &Value| option["type"] == "null";
    match fields {
        None if options.iter().any(is_null) => Value::Null,
        None => build_node(&options[0], root, None, path),
        Some(Value::Object(given)) => {
            let fits = |option: &&Value| {
                let properties = resolve(option, root).get("properties");
                properties.is_some_and(|properties| given.keys().all(|name| properties.get(name).is_some()))
            };
            match options.iter().find(fits) {
                Some(option) => build_node(option, root, fields, path),
                None => Value::Object(given.clone()),
            }
        }
        Some(value) => {
            let list = options.iter().find(|option| resolve(option, root)["type"] == "array");
            match (value, list) {
                (Value::Array(_), Some(option)) => build_node(option, root, fields, path),
                _ => value.clone(),
            }
        }
    }
}

fn resolve<'a>(node: &'a Value, root: &'a Value) -> &'a Value {
    match node.get("$ref").and_then(Value::as_str) {
        Some(reference) => {
            let target = root.pointer(reference.trim_start_matches('#')).expect("a reference inside the schema");
            resolve(target, root)
        }
        None => node,
    }
}

fn neutral(node: &Value) -> Value {
    if let Some(value) = node.get("const").or_else(|| node.pointer("/enum/0")) {
        return value.clone();
    }
    match (node["type"].as_str(), node["format"].as_str()) {
        (Some("string"), Some("date-time")) => "2026-01-01T00:00:00Z".into(),
        (Some("string"), _) => "".into(),
        (Some("integer" | "number"), _) => 0.into(),
        (Some("boolean"), _) => false.into(),
        (Some("array"), _) => Value::Array(Vec::new()),
        (Some("object"), _) => Value::Object(Map::new()),
        _ => Value::Null,
    }
}
