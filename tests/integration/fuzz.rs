//! Plans that nobody wrote: real ones, changed at random. Whatever is read of them is told; nothing
//! that changes something reads as "no changes", and no destroy is lost.

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};
use stategate::commands::render::{RenderOptions, render};

const PLANS: [&str; 5] = [
    include_str!("../../crates/stategate-core/tests/plans/everything.json"),
    include_str!("../../crates/stategate-core/tests/plans/destroy.json"),
    include_str!("../../crates/stategate-core/tests/plans/target.json"),
    include_str!("../../crates/stategate-core/tests/plans/quiet.json"),
    include_str!("../../crates/stategate-core/tests/plans/picture.json"),
];

fn rendered(plan: &Value, budget: usize, json: bool) -> Option<String> {
    let options = RenderOptions {
        root: "environments/prod",
        workspace: "default",
        environment: None,
        comment_id: "x",
        budget,
        json,
        now: Timestamp::UNIX_EPOCH,
    };
    render(plan.to_string().as_bytes(), &options).ok()
}

/// What is done to a place in a plan.
#[derive(Debug, Clone)]
enum Mutation {
    Replace(Value),
    Remove,
    Double,
}

/// The way to every value inside this one.
fn places(value: &Value, path: &str, found: &mut Vec<String>) {
    let mut child = |key: &str, inner: &Value| {
        let path = format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"));
        places(inner, &path, found);
        found.push(path);
    };
    match value {
        Value::Object(map) => map.iter().for_each(|(key, inner)| child(key, inner)),
        Value::Array(items) => items.iter().enumerate().for_each(|(index, inner)| child(&index.to_string(), inner)),
        _ => {}
    }
}

fn mutate(plan: &mut Value, at: Index, mutation: &Mutation) {
    let mut found = Vec::new();
    places(plan, "", &mut found);
    let Some(place) = (!found.is_empty()).then(|| found[at.index(found.len())].clone()) else { return };
    let (outer, key) = place.rsplit_once('/').expect("a place is in something");
    let key = key.replace("~1", "/").replace("~0", "~");
    match mutation {
        Mutation::Replace(value) => *plan.pointer_mut(&place).expect("it was found") = value.clone(),
        Mutation::Remove => match plan.pointer_mut(outer) {
            Some(Value::Object(map)) => drop(map.remove(&key)),
            Some(Value::Array(items)) => drop(items.remove(key.parse().expect("an index"))),
            _ => {}
        },
        Mutation::Double => {
            if let Some(Value::Array(items)) = plan.pointer_mut(outer) {
                let again = items[key.parse::<usize>().expect("an index")].clone();
                items.push(again);
            }
        }
    }
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let words = prop::sample::select(vec![
        json!(["delete"]),
        json!(["create", "delete"]),
        json!(["forget"]),
        json!(["no-op"]),
        json!(["read"]),
        json!(["frobnicate"]),
        json!([]),
        json!(true),
        json!(null),
        json!({}),
        json!([{}]),
        json!("2.0"),
        json!("a\n```\n</details>\n# no changes"),
        json!(-1.5e300),
    ]);
    prop_oneof![words.prop_map(Mutation::Replace), Just(Mutation::Remove), Just(Mutation::Double)]
}

/// Whether a plan carries something to do, told without any code of ours.
fn carries_changes(plan: &Value) -> bool {
    let is_change = |change: &Value| change.pointer("/actions").is_none_or(|actions| *actions != json!(["no-op"]));
    let entries = |key: &str| plan[key].as_array().cloned().unwrap_or_default();
    entries("resource_changes").iter().any(|entry| is_change(&entry["change"]))
        || plan["output_changes"].as_object().is_some_and(|outputs| outputs.values().any(is_change))
        || !entries("deferred_changes").is_empty()
        || !entries("action_invocations").is_empty()
        || plan["errored"] == json!(true)
        || plan["complete"] == json!(false)
        || plan["applyable"] == json!(true)
        || plan["format_version"].as_str().is_some_and(|version| !version.starts_with(['0', '1']))
}

fn destroyed(plan: &Value) -> Vec<String> {
    let entries = plan["resource_changes"].as_array().cloned().unwrap_or_default();
    let gone = entries.iter().filter(|entry| entry["change"]["actions"] == json!(["delete"]));
    gone.map(|entry| entry["address"].as_str().unwrap_or_default().to_owned()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn a_mutated_plan_is_refused_or_told_whole(
        which in 0..PLANS.len(),
        mutations in prop::collection::vec((any::<Index>(), mutation()), 0..12),
        budget in 2_000_usize..65_000,
    ) {
        let mut plan: Value = serde_json::from_str(PLANS[which]).expect("a plan");
        for (at, mutation) in &mutations {
            mutate(&mut plan, *at, mutation);
        }
        let Some(text) = rendered(&plan, budget, false) else { return Ok(()) };
        prop_assert!(text.chars().count() <= budget && text.len() <= 262_144, "{} of {budget}", text.chars().count());
        let verdict = text.lines().find(|line| line.contains("`environments/prod`")).unwrap_or_default();
        prop_assert!(!verdict.is_empty(), "no verdict:\n{text}");
        prop_assert!(!carries_changes(&plan) || !verdict.contains("no changes"), "{verdict}\n{plan}");

        let gone = destroyed(&plan);
        let named = text.lines().filter(|line| line.starts_with("> - **destroy** ")).count();
        let counted = format!("{} to destroy", gone.len() - named.min(gone.len()));
        let notice = text.lines().any(|line| line.contains("are not listed here") && line.contains(&counted));
        prop_assert!(named == gone.len() || notice, "{named} of {} named:\n{text}", gone.len());
        prop_assert!(gone.is_empty() || verdict.contains(&format!("**{} to destroy", gone.len())), "{verdict}");

        // For programs, every one by its address.
        let summary: Value = serde_json::from_str(&rendered(&plan, budget, true).expect("it was read")).expect("JSON");
        let told: Vec<&Value> = summary["resources"].as_array().expect("a list").iter()
            .filter(|one| one["actions"] == json!(["delete"])).map(|one| &one["address"]).collect();
        prop_assert_eq!(told.len(), gone.len());
        prop_assert_eq!(&summary["counts"]["destroy"], &json!(gone.len()));
    }
}
