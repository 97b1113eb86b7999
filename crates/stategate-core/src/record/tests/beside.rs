//! What a plan does beside changing resources: actions, what is deferred, and what changed outside.

use super::*;

fn invocation(message: &str) -> Value {
    json!({
        "address": "action.tiny_call.c", "type": "tiny_call", "name": "c", "provider_name": "tinyprovider/tiny",
        "config_values": {"message": message, "token": "hunter2"}, "config_sensitive": {"token": true},
        "lifecycle_action_trigger": {
            "triggering_resource_address": "tiny_thing.a", "action_trigger_event": "AfterUpdate",
            "action_trigger_block_index": 0, "actions_list_index": 0,
        },
    })
}

fn invoking(invocations: &[Value]) -> Record {
    record_of(Some(LINEAGE), &json!({"resource_changes": [], "action_invocations": invocations}))
}

#[track_caller]
fn assert_said(reviewed: &[Value], now: &[Value], expected: &str) {
    let (reviewed, now) = (invoking(reviewed), invoking(now));
    assert_eq!(differences(&compare(from_ref(&reviewed), &now, &[])), [expected]);
    assert_ne!(reviewed.plan.fingerprint, now.plan.fingerprint);
}

#[test]
fn what_an_action_is_invoked_with_and_by_counts() {
    let one = invocation("do-safe");
    let same = compare(&[invoking(from_ref(&one))], &invoking(from_ref(&one)), &[]);
    assert_eq!(same, Comparison::Equal { notes: Vec::new() });
    let what = "the action action.tiny_call.c would be invoked (by tiny_thing.a)";
    for (pointer, value, said) in [
        ("/config_values/message", json!("do-DROP-TABLES"), "with another value of `message`"),
        ("/config_values/token", json!("hunter3"), "with another value of `token`"),
        ("/config_unknown", json!({"message": true}), "with another value of `message`"),
        ("/provider_name", json!("evil/tiny"), "by another provider"),
        ("/lifecycle_action_trigger/action_trigger_event", json!("BeforeUpdate"), "by another event or trigger"),
        ("/lifecycle_action_trigger/actions_list_index", json!(1), "by another event or trigger"),
        ("/lifecycle_action_trigger/on_failure", json!("continue"), "by another event or trigger"),
    ] {
        let other = with(one.clone(), pointer, value);
        assert_said(from_ref(&one), from_ref(&other), &format!("{what} {said}"));
    }
    let by_other = with(one.clone(), "/lifecycle_action_trigger/triggering_resource_address", json!("tiny_thing.b"));
    let said = differences(&compare(&[invoking(from_ref(&one))], &invoking(&[by_other]), &[]));
    assert_eq!(
        said,
        [
            "the action action.tiny_call.c would be invoked (by tiny_thing.b): not in the reviewed plan".to_owned(),
            format!("{what}: in the reviewed plan only")
        ]
    );
    assert!(!invoking(&[one]).to_json().contains("hunter2"));
}

#[test]
fn how_often_an_action_is_invoked_counts() {
    let (one, other) = (invocation("x"), invocation("y"));
    let what = "the action action.tiny_call.c would be invoked (by tiny_thing.a)";
    let twice = [one.clone(), one.clone()];
    assert_said(from_ref(&one), &twice, &format!("{what} twice; in the reviewed plan once"));
    assert_said(&twice, from_ref(&one), &format!("{what} once; in the reviewed plan twice"));
    assert_said(&twice, &[one.clone(), other.clone()], &format!("{what} with another value of `message`"));
    let thrice = [one.clone(), one.clone(), other.clone()];
    assert_said(&thrice, from_ref(&other), &format!("{what} once; in the reviewed plan 3 times"));
    let turned = [other.clone(), one.clone()];
    assert!(matches!(compare(&[invoking(&[one, other])], &invoking(&turned), &[]), Comparison::Equal { .. }));
}

#[test]
fn without_a_state_what_is_sensitive_of_an_action_is_left_out_and_that_is_said() {
    let of = |token: &str, message: &str| {
        let invocation = with(invocation(message), "/config_values/token", json!(token));
        record_of(None, &json!({"resource_changes": [], "action_invocations": [invocation]}))
    };
    let comparison = compare(&[of("one", "x")], &of("two", "x"), &[]);
    assert_eq!(comparison, Comparison::Equal { notes: vec![Note::SensitiveNotCompared] });
    assert!(matches!(compare(&[of("one", "x")], &of("one", "y"), &[]), Comparison::Different { .. }));
}

#[test]
fn each_pull_request_of_several_may_bring_its_action_and_none_another() {
    let (one, other) = (invocation("x"), with(invocation("x"), "/address", json!("action.tiny_call.d")));
    let reviewed = [invoking(from_ref(&one)), invoking(from_ref(&other))];
    assert!(matches!(compare(&reviewed, &invoking(&[one.clone(), other.clone()]), &[]), Comparison::Equal { .. }));
    for wrong in [&[one.clone()][..], &[one.clone(), one.clone(), other.clone()]] {
        assert!(matches!(compare(&reviewed, &invoking(wrong), &[]), Comparison::Different { .. }));
    }
    assert!(explains(&reviewed[0], &reviewed[1..], &invoking(&[one, other])));
}

#[test]
fn what_is_deferred_counts_with_what_is_known_of_it() {
    let of = |x: u8, reason: &str| {
        let change = json!({"actions": ["create"], "before": null, "after": {"x": x}});
        let entry = json!({"reason": reason, "resource_change": {"address": "a.b", "change": change}});
        record_of(Some(LINEAGE), &json!({"resource_changes": [], "deferred_changes": [entry], "complete": false}))
    };
    let reviewed = [of(1, "provider_config_unknown")];
    assert!(matches!(compare(&reviewed, &of(1, "provider_config_unknown"), &[]), Comparison::Equal { .. }));
    let said = differences(&compare(&reviewed, &of(2, "provider_config_unknown"), &[]));
    assert_eq!(said, ["a.b is deferred (provider_config_unknown) with another value of `x`"]);
    assert_eq!(differences(&compare(&reviewed, &of(1, "absent_prereq"), &[])).len(), 2);
}

fn drifted(changes: &[Value], applyable: Option<bool>) -> Value {
    let mut plan = json!({"planned_values": {}, "resource_drift": changes});
    if let Some(applyable) = applyable {
        plan["applyable"] = json!(applyable);
    }
    plan
}

#[test]
fn drift_is_the_change_where_there_is_no_other() {
    let update = |to: &str| change(&["update"], &json!({"id": "i", "input": "v1"}), &json!({"id": "i", "input": to}));
    let gone = change(&["delete"], &json!({"id": "i", "input": "v1"}), &Value::Null);
    // OpenTofu does not say whether there is something to apply.
    for applyable in [Some(true), None] {
        let of = |changes: &[Value]| record_of(Some(LINEAGE), &drifted(changes, applyable));
        let reviewed = [of(&[update("drift-A")])];
        assert!(matches!(compare(&reviewed, &of(&[update("drift-A")]), &[]), Comparison::Equal { .. }));
        for (now, said) in [
            (
                vec![update("drift-B")],
                "terraform_data.a would be updated in the state (it changed outside of Terraform) with another \
                 value of `input`",
            ),
            (
                vec![gone.clone()],
                "terraform_data.a would be removed from the state (it is gone); in the reviewed plan it was to be \
                 updated in the state (it changed outside of Terraform)",
            ),
        ] {
            let now = of(&now);
            assert_eq!(differences(&compare(&reviewed, &now, &[])), [said]);
            assert_ne!(reviewed[0].plan.fingerprint, now.plan.fingerprint);
        }
        assert!(!differences(&compare(&reviewed, &of(&[]), &[])).is_empty());
    }
}

#[test]
fn drift_beside_a_change_does_not_count_unless_the_plan_only_refreshes() {
    let drift = |to: &str| {
        let drift = change(&["update"], &json!({"id": "i", "etag": "v1"}), &json!({"id": "i", "etag": to}));
        let mut plan = plan(&[created(&json!({"input": 1}))], &json!({}), "t");
        plan["resource_drift"] = json!([drift]);
        plan
    };
    let (one, other) = (record_of(Some(LINEAGE), &drift("a")), record_of(Some(LINEAGE), &drift("b")));
    assert_eq!(one.plan, other.plan);
    let refresh_only = |plan: &Value| {
        let mut fingerprinter = Fingerprinter::new(FingerprintKey::new(Some(LINEAGE))).refresh_only(true);
        let summary = read_plan(plan.to_string().as_bytes(), &mut [&mut fingerprinter]).unwrap();
        fingerprinter.finish_plan(&summary)
    };
    assert_ne!(refresh_only(&drift("a")), refresh_only(&drift("b")));
    let nothing = |to: &str| {
        let entry = change(&["update"], &json!({"id": "i", "x": 1}), &json!({"id": "i", "x": to}));
        fingerprint_of(Some(LINEAGE), &drifted(&[entry], Some(false)))
    };
    assert_eq!(nothing("a"), nothing("b"), "Terraform would apply nothing");
}

#[test]
fn an_object_that_is_another_one_counts_whatever_names_it() {
    let entry = |actions: &[&str], before: Value, after: Value, identity: Value| {
        with(change(actions, &before, &after), "/change/before_identity", identity)
    };
    let update = |before: Value| {
        let mut before = before;
        before["x"] = json!(1);
        let mut after = before.clone();
        after["x"] = json!(2);
        entry(&["update"], before, after, Value::Null)
    };
    let delete = |before: Value| entry(&["delete"], before, Value::Null, Value::Null);
    let identified = |region: &str, actions: &[&str], after: Value| {
        entry(actions, json!({"x": 1, "noise": region}), after, json!({"region": region}))
    };
    let still = |id: &str| {
        with(change(&["no-op"], &json!({"id": id}), &json!({"id": id})), "/previous_address", json!("terraform_data.z"))
    };
    for (one, other, said) in [
        (
            update(json!({"id": "1"})),
            update(json!({"id": "2"})),
            "changed in place as was reviewed, but it is another object now (`id`)",
        ),
        (update(json!({"arn": "1"})), update(json!({"arn": "2"})), "but it is another object now (`arn`)"),
        (update(json!({"name": "1"})), update(json!({"name": "2"})), "with another value of `name`"),
        (delete(json!({"id": "1", "name": "n"})), delete(json!({"id": "2", "name": "n"})), "another object now (`id`)"),
        (delete(json!({"arn": "1"})), delete(json!({"arn": "2"})), "another object now (`arn`)"),
        (delete(json!({"name": "1"})), delete(json!({"name": "2"})), "another object now (`name`)"),
        (
            delete(json!({"size": 1})),
            delete(json!({"size": 2})),
            "destroyed as was reviewed, but it is another object now",
        ),
        (
            identified("eu", &["delete"], Value::Null),
            identified("us", &["delete"], Value::Null),
            "object now (`identity`)",
        ),
        (
            identified("eu", &["update"], json!({"x": 2, "noise": "eu"})),
            identified("us", &["update"], json!({"x": 2, "noise": "us"})),
            "object now (`identity`)",
        ),
        (still("1"), still("2"), "another object now (`id`)"),
    ] {
        assert_equal(from_ref(&one), from_ref(&one));
        let told = differences(&compare(&[record(&[one])], &record(&[other]), &[]));
        assert!(told.len() == 1 && told[0].ends_with(said), "{told:?}: {said}");
    }
    assert_equal(&[delete(json!({"id": "1", "etag": "a"}))], &[delete(json!({"id": "1", "etag": "b"}))]);
}

#[test]
fn who_may_see_a_value_counts() {
    let base = change(&["update"], &json!({"id": "i", "input": "x"}), &json!({"id": "i", "input": "x"}));
    let hidden = with(base.clone(), "/change/after_sensitive", json!({"input": true}));
    let said = ["terraform_data.a would be changed in place with another value of `input`"];
    assert_differs(&[base], from_ref(&hidden), &said);
    let shown = with(created(&json!({"input": "x"})), "/change/after_sensitive", json!({"input": true}));
    assert_differs(
        &[created(&json!({"input": "x"}))],
        &[shown],
        &["terraform_data.a would be created with another value of `input`"],
    );
}

#[test]
fn a_part_that_is_not_known_counts_with_its_content() {
    let of = |lineage, content: Value| record_of(lineage, &json!({"resource_changes": [], "quantum_changes": content}));
    let one = of(Some(LINEAGE), json!([{"a": 1}]));
    assert!(matches!(compare(from_ref(&one), &of(Some(LINEAGE), json!([{"a": 1}])), &[]), Comparison::Equal { .. }));
    let said = differences(&compare(from_ref(&one), &of(Some(LINEAGE), json!([{"a": 2}])), &[]));
    assert_eq!(said, ["unknown: quantum_changes with other values"]);
    assert!(of(None, json!([{"a": 1}])).plan.masked, "what in it is sensitive nobody knows");
}

#[test]
fn a_plan_that_covers_more_than_the_reviewed_one_is_another() {
    let of = |complete: bool| {
        let mut plan = plan(&[created(&json!({"input": 1}))], &json!({}), "t");
        plan["complete"] = json!(complete);
        record_of(Some(LINEAGE), &plan)
    };
    for (reviewed, now, said) in [(false, true, "the plan covers everything"), (true, false, "covers only a part")] {
        let told = differences(&compare(&[of(reviewed)], &of(now), &[]));
        assert!(told.len() == 1 && told[0].contains(said), "{told:?}");
    }
}

#[test]
fn fingerprints_that_differ_without_a_cause_are_never_equal() {
    let reviewed = record(&[created(&json!({"input": 1}))]);
    let mut now = reviewed.clone();
    now.plan.fingerprint = "f".repeat(32);
    let told = differences(&compare(from_ref(&reviewed), &now, &[]));
    assert!(
        told.len() == 1 && told[0].contains("ffffffffffff would be applied") && told[0].contains("please report"),
        "{told:?}"
    );
}
