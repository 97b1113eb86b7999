//! Equal comparison exactly when the fingerprints are equal; and everything with an effect counts.

use proptest::prelude::*;

use super::*;

/// A plan with one of each thing that a plan can do.
pub(super) fn everything() -> Value {
    let resource = |address: &str, change: Value| {
        json!({
            "address": address, "provider_name": "registry.terraform.io/acme/x", "change": change,
            "mode": "managed", "type": "a", "name": "b", "index": 0, "action_reason": "a_reason",
        })
    };
    let moved = with(
        resource("a.moved", json!({"actions": ["no-op"], "before": {"id": "m", "x": 1}, "after": {"id": "m", "x": 1}})),
        "/previous_address",
        json!("a.before"),
    );
    let imported = json!({"actions": ["no-op"], "before": {"id": "i"}, "after": {"id": "i"}, "importing": {"id": "i"}});
    let updated = json!({
        "actions": ["update"],
        "before": {"id": "u", "stays": "s", "x": 1, "list": [1, {"y": 2}], "policy": r#"{"a":1,"b":null}"#, "pin": 1},
        "after": {"id": "u", "stays": "s", "x": 2, "list": [3, {"y": 4}], "policy": r#"{"a":2}"#, "pin": 2},
        "after_unknown": {"later": true}, "before_sensitive": {"pin": true}, "after_sensitive": {"pin": true},
    });
    let created = json!({
        "actions": ["create"], "before": null, "after": {"x": 1.791_272_944_048_607_5, "on": true, "list": ["a"]},
        "after_unknown": {"id": true, "list": [false, true]}, "after_sensitive": {"x": true},
    });
    let invocation = |address: &str| {
        json!({
            "address": address, "type": "call", "name": "c", "provider_name": "registry.terraform.io/acme/x",
            "config_values": {"message": "do it", "token": "hunter2"}, "config_sensitive": {"token": true},
            "config_unknown": {"host": true},
            "lifecycle_action_trigger": {
                "triggering_resource_address": "a.updated", "action_trigger_event": "AfterUpdate",
                "action_trigger_block_index": 1, "actions_list_index": 2,
            },
        })
    };
    let mut on_request = invocation("action.call.requested");
    on_request.as_object_mut().unwrap().remove("lifecycle_action_trigger");
    on_request["invoke_action_trigger"] = json!({});
    json!({
        "format_version": "1.2",
        "resource_changes": [
            moved,
            resource("a.imported", imported),
            resource("a.updated", updated),
            resource("a.created", created),
            resource("a.deleted", json!({"actions": ["delete"], "before": {"id": "d"}, "after": null})),
            resource("a.nameless", json!({"actions": ["delete"], "before": {"x": [1, "y"]}, "after": null})),
            resource("a.identified", json!({"actions": ["update"], "before": {"x": 1}, "after": {"x": 2},
                "before_identity": {"region": "eu", "number": 1}})),
            resource("a.by_arn", json!({"actions": ["forget"], "before": {"arn": "arn:x", "name": "n"}, "after": null})),
            with(resource("a.deposed", json!({"actions": ["delete"], "before": {"id": "o"}, "after": null})),
                "/deposed", json!("abcd1234")),
        ],
        "output_changes": {
            "o": {"actions": ["update"], "before": "one", "after": "two", "before_sensitive": false,
                "after_sensitive": false},
        },
        "action_invocations": [invocation("action.call.c"), invocation("action.call.c"), on_request],
        "deferred_action_invocations": [{"reason": "instance_count_unknown", "action_invocation": invocation("action.call.d")}],
        "deferred_changes": [{"reason": "provider_config_unknown",
            "resource_change": resource("a.deferred", json!({"actions": ["create"], "before": null, "after": {"x": 1}}))}],
        "new_kind_of_changes": [{"what": "ever"}],
        "complete": false,
        "applyable": true,
    })
}

/// Nothing but the state's record of what changed outside changes.
fn only_drift() -> Value {
    let drifted = |address: &str, change: Value| json!({"address": address, "provider_name": "registry.terraform.io/acme/x", "change": change});
    json!({
        "resource_drift": [
            drifted("a.b", json!({"actions": ["update"], "before": {"id": "i", "x": "v1"}, "after": {"id": "i", "x": "v2"}})),
            drifted("a.gone", json!({"actions": ["delete"], "before": {"id": "g", "x": "v1"}, "after": null})),
        ],
        "output_changes": {},
        "applyable": true,
    })
}

/// What in [`everything`] follows from something else, stays as it is, or says only why.
fn has_no_effect(pointer: &str) -> bool {
    let end = |end: &str| pointer.ends_with(end);
    ["/mode", "/action_reason", "/index"].into_iter().any(end)
        || pointer.starts_with("/resource_changes") && ["/type", "/name"].into_iter().any(end) && !end("/after/name")
            && !end("/before/name")
        || pointer.starts_with("/deferred_changes") && ["/type", "/name"].into_iter().any(end)
        // Beside an ARN.
        || end("/before/name")
        // It stays, in one of the two.
        || pointer.contains("/resource_changes/0/change/") && !end("/before/id") && !pointer.contains("/actions")
        || pointer.contains("/resource_changes/1/change/after")
        || pointer == "/deferred_action_invocations/0/reason"
        || pointer == "/format_version"
        || pointer == "/applyable"
}

fn leaves(value: &Value, pointer: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            members.iter().for_each(|(key, inner)| leaves(inner, &format!("{pointer}/{key}"), found));
        }
        Value::Array(items) if !items.is_empty() => {
            items.iter().enumerate().for_each(|(index, inner)| leaves(inner, &format!("{pointer}/{index}"), found));
        }
        _ => found.push(pointer.to_owned()),
    }
}

/// Another value of the same type.
fn other(value: &Value) -> Value {
    match value {
        Value::Null => json!({"new": 1}),
        Value::Bool(value) => json!(!value),
        Value::Number(number) if number.is_f64() => json!(1.791_272_944_048_607_7),
        Value::Number(number) => json!(number.as_u64().unwrap() + 7),
        Value::String(text) => json!(format!("{text}x")),
        Value::Array(_) => json!(["new"]),
        Value::Object(_) => json!({"new": {"actions": ["create"], "after": 1}}),
    }
}

/// Whether they are equal, by both measures, which must agree.
fn are_equal(one: &Value, two: &Value) -> Result<bool, TestCaseError> {
    let (one, two) = (record_of(Some(LINEAGE), one), record_of(Some(LINEAGE), two));
    let fingerprints = one.plan.fingerprint == two.plan.fingerprint;
    for (reviewed, fresh) in [(&one, &two), (&two, &one)] {
        let compared = compare(from_ref(reviewed), fresh, &[]);
        prop_assert_eq!(matches!(compared, Comparison::Equal { .. }), fingerprints, "{:?}", compared);
        if let Comparison::Different { differences, .. } = &compared {
            let is_explained = |difference: &Difference| !matches!(difference, Difference::Unexplained { .. });
            prop_assert!(differences.iter().all(is_explained), "{:?}", differences);
        }
    }
    Ok(fingerprints)
}

#[test]
fn every_field_with_an_effect_counts() {
    for (plan, least) in [(everything(), 60), (only_drift(), 10)] {
        assert!(are_equal(&plan, &plan).unwrap());
        let mut pointers = Vec::new();
        leaves(&plan, "", &mut pointers);
        let mut counted = 0;
        for pointer in pointers {
            let mut changed = plan.clone();
            let value = changed.pointer_mut(&pointer).unwrap();
            *value = other(value);
            let no_effect = if plan.get("resource_changes").is_some() {
                has_no_effect(&pointer)
            } else {
                // What is gone is told by its `id`.
                pointer == "/resource_drift/1/change/before/x"
            };
            assert_eq!(
                are_equal(&plan, &changed).unwrap(),
                no_effect,
                "{pointer}: {}",
                changed.pointer(&pointer).unwrap()
            );
            counted += usize::from(!no_effect);
        }
        assert!(counted >= least, "{counted}");
    }
}

#[test]
fn every_entry_counts_and_so_does_how_often_it_is_there() {
    for plan in [everything(), only_drift()] {
        for (section, entries) in plan.as_object().unwrap().iter().filter(|(_, entries)| entries.is_array()) {
            for index in 0..entries.as_array().unwrap().len() {
                let mut fewer = plan.clone();
                fewer[section].as_array_mut().unwrap().remove(index);
                assert!(!are_equal(&plan, &fewer).unwrap(), "{section}[{index}]");
                let mut more = plan.clone();
                let again = more[section][index].clone();
                more[section].as_array_mut().unwrap().push(again);
                assert!(!are_equal(&plan, &more).unwrap(), "{section}[{index}]");
                let mut turned = plan.clone();
                turned[section].as_array_mut().unwrap().rotate_left(index);
                let is_ordered = section.starts_with("new_kind");
                assert!(is_ordered || are_equal(&plan, &turned).unwrap(), "{section}");
            }
        }
    }
}

/// What stands at a place: from few values, so that two are often the same.
fn any_piece() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!(null),
        json!(true),
        json!(1),
        json!(1.5),
        json!("a"),
        json!(""),
        json!("2026-11-20T12:00:00Z"),
        json!(r#"{"a":1}"#),
        json!(r#"{ "a": 1 }"#),
        json!(r#"{"a":1,"a":1}"#),
        json!(r#"{"a":1,"b":null}"#),
        json!(r#"{"a":1.0}"#),
        json!([]),
        json!({}),
        json!(["a", null]),
        json!({"a": null}),
        json!({"a": {"b": [true]}}),
        json!("update"),
        json!(["update"]),
        json!(["delete", "create"]),
    ])
}

#[derive(Debug, Clone)]
enum Edit {
    Set(prop::sample::Index, Value),
    Remove(prop::sample::Index),
    Twice(prop::sample::Index),
}

fn any_edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        4 => (any::<prop::sample::Index>(), any_piece()).prop_map(|(at, value)| Edit::Set(at, value)),
        1 => any::<prop::sample::Index>().prop_map(Edit::Remove),
        1 => any::<prop::sample::Index>().prop_map(Edit::Twice),
    ]
}

/// Changes the plan somewhere; where that makes it unreadable, it stays.
fn edited(plan: &Value, edit: &Edit) -> Value {
    let mut pointers = Vec::new();
    leaves(plan, "", &mut pointers);
    let mut changed = plan.clone();
    let (Edit::Set(at, _) | Edit::Remove(at) | Edit::Twice(at)) = edit;
    let pointer = pointers[at.index(pointers.len())].clone();
    match edit {
        Edit::Set(_, value) => *changed.pointer_mut(&pointer).unwrap() = value.clone(),
        Edit::Remove(_) | Edit::Twice(_) => {
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            match changed.pointer_mut(parent) {
                Some(Value::Object(members)) => drop(members.remove(key)),
                Some(Value::Array(items)) if matches!(edit, Edit::Twice(_)) => items.push(items[0].clone()),
                Some(Value::Array(items)) => drop(items.remove(0)),
                _ => {}
            }
        }
    }
    let mut fingerprinter = Fingerprinter::new(FingerprintKey::new(Some(LINEAGE)));
    let is_readable = read_plan(changed.to_string().as_bytes(), &mut [&mut fingerprinter]).is_ok();
    if is_readable { changed } else { plan.clone() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_comparison_says_equal_exactly_when_the_fingerprints_do(
        drift in any::<bool>(),
        common in prop::collection::vec(any_edit(), 0..3),
        one in prop::collection::vec(any_edit(), 0..3),
        two in prop::collection::vec(any_edit(), 0..2),
    ) {
        let start = if drift { only_drift() } else { everything() };
        let start = common.iter().fold(start, |plan, edit| edited(&plan, edit));
        let one = one.iter().fold(start.clone(), |plan, edit| edited(&plan, edit));
        let two = two.iter().fold(start, |plan, edit| edited(&plan, edit));
        are_equal(&one, &two)?;
    }
}
