//! Which plans mean the same and which do not, through the real reader; and what is told of it.

use std::slice::from_ref;

use serde_json::{Value, json};

use super::*;
use crate::plan::read_plan;

mod beside;
mod effects;
mod invariant;
mod kept;
mod property;
mod undecided;

const LINEAGE: &str = "8a2b1c3d-1111-2222-3333-444455556666";

/// A plan with these changes, made at this time.
fn plan(changes: &[Value], outputs: &Value, time: &str) -> Value {
    json!({
        "format_version": "1.2",
        "terraform_version": "1.11.4",
        "resource_changes": changes,
        "output_changes": outputs,
        "timestamp": time,
        "complete": true,
        "errored": false,
    })
}

fn fingerprint_of(lineage: Option<&str>, plan: &Value) -> PlanFingerprint {
    let mut fingerprinter = Fingerprinter::new(FingerprintKey::new(lineage));
    let summary = read_plan(plan.to_string().as_bytes(), &mut [&mut fingerprinter]).unwrap();
    fingerprinter.finish_plan(&summary)
}

fn record_of(lineage: Option<&str>, plan: &Value) -> Record {
    let origin = RecordOrigin {
        head_sha: "1".repeat(40),
        pull_request: Some(42),
        lineage_digest: FingerprintKey::new(lineage).lineage_digest(),
        serial: lineage.map(|_| 7),
        ..RecordOrigin::default()
    };
    Record::new(origin, fingerprint_of(lineage, plan))
}

fn record(changes: &[Value]) -> Record {
    record_of(Some(LINEAGE), &plan(changes, &json!({}), "2026-11-20T12:00:00Z"))
}

/// A change of `terraform_data.a`; `before` and `after` as they stand in a plan.
fn change(actions: &[&str], before: &Value, after: &Value) -> Value {
    json!({
        "address": "terraform_data.a", "mode": "managed", "type": "terraform_data", "name": "a",
        "provider_name": "terraform.io/builtin/terraform",
        "change": {
            "actions": actions, "before": before, "after": after, "after_unknown": {},
            "before_sensitive": {}, "after_sensitive": {},
        },
    })
}

fn with(mut change: Value, pointer: &str, value: Value) -> Value {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    change.pointer_mut(parent).unwrap().as_object_mut().unwrap().insert(key.to_owned(), value);
    change
}

fn created(after: &Value) -> Value {
    change(&["create"], &Value::Null, after)
}

#[track_caller]
fn assert_equal(reviewed: &[Value], fresh: &[Value]) {
    let comparison = compare(&[record(reviewed)], &record(fresh), &[]);
    assert_eq!(comparison, Comparison::Equal { notes: Vec::new() });
    assert_eq!(record(reviewed).plan.short(), record(fresh).plan.short());
}

/// What differs, in words.
#[track_caller]
fn differences(comparison: &Comparison) -> Vec<String> {
    match comparison {
        Comparison::Different { differences, .. } => differences.iter().map(ToString::to_string).collect(),
        Comparison::Equal { .. } => panic!("they are equal"),
    }
}

#[track_caller]
fn assert_differs(reviewed: &[Value], fresh: &[Value], expected: &[&str]) {
    assert_eq!(differences(&compare(&[record(reviewed)], &record(fresh), &[])), expected);
    assert_ne!(record(reviewed).plan.fingerprint, record(fresh).plan.fingerprint);
}

#[test]
fn order_formatting_and_what_is_not_set_do_not_count() {
    let a = created(&json!({ "input": 1, "tags": { "x": "1", "y": "2" }, "note": null }));
    let b = with(a.clone(), "/address", json!("terraform_data.b"));
    assert_equal(&[a.clone(), b.clone()], &[b, a.clone()]);
    let mut fewer = a.clone();
    fewer["change"]["after"].as_object_mut().unwrap().remove("note");
    assert_equal(from_ref(&a), &[fewer]);
    let reasoned = with(a.clone(), "/action_reason", json!("replace_because_tainted"));
    assert_equal(&[a], &[reasoned]);
}

#[test]
fn json_in_strings_is_compared_as_json() {
    let policy = |text: &str| [created(&json!({ "policy": text }))];
    assert_equal(&policy(r#"{"a":1,"b":[1,2]}"#), &policy("{\n  \"b\": [1, 2],\n  \"a\": 1\n}"));
    let said = ["terraform_data.a would be created with another value of `policy`"];
    assert_differs(&policy(r#"{"a":1,"b":[1,2]}"#), &policy(r#"{"a":1,"b":[2,1]}"#), &said);
    // A string is not the object it holds, and a text that only looks like JSON is a text.
    assert_differs(&policy(r#"{"a":1}"#), &[created(&json!({ "policy": { "a": 1 } }))], &said);
    assert_differs(&policy("{a"), &policy("{ a"), &said);
}

/// Through the reader, which gets them as text.
#[test]
fn a_change_between_two_long_numbers_is_fingerprinted() {
    let of = |before: &str, after: &str| {
        let change = format!(r#"{{"actions":["update"],"before":{{"x":{before}}},"after":{{"x":{after}}}}}"#);
        let plan = format!(r#"{{"resource_changes":[{{"address":"a.b","change":{change}}}]}}"#);
        let mut fingerprinter = Fingerprinter::new(FingerprintKey::new(Some(LINEAGE)));
        let summary = read_plan(plan.as_bytes(), &mut [&mut fingerprinter]).unwrap();
        fingerprinter.finish_plan(&summary)
    };
    let one = of("1", "1.7912729440486075");
    for other in ["1.7912729440486077", "1.7912729440486073", r#""1.7912729440486075""#] {
        assert_ne!(one, of("1", other), "{other}");
    }
    assert_ne!(of("1.7912729440486075", "1.7912729440486077"), of("1.7912729440486077", "1.7912729440486077"));
    assert_ne!(of("1", "18446744073709551617"), of("1", r#""18446744073709551617""#));
    assert_ne!(of("1", "18446744073709551617"), of("1", "18446744073709551618"));
}

#[test]
fn the_time_of_the_plan_does_not_count_and_any_other_time_does() {
    let at = |time: &str, value: &str| {
        let changes = [created(&json!({ "input": value, "other": "x" }))];
        record_of(
            Some(LINEAGE),
            &plan(&changes, &json!({ "o": { "actions": ["create"], "before": null, "after": value } }), time),
        )
    };
    let (noon, one) = ("2026-11-20T12:00:00Z", "2026-11-20T13:00:00Z");
    let reviewed = at(noon, &format!("made at {noon}, again {noon}"));
    let fresh = at(one, &format!("made at {one}, again {one}"));
    assert_eq!(compare(from_ref(&reviewed), &fresh, &[]), Comparison::Equal { notes: vec![] });
    assert_eq!(reviewed.plan, fresh.plan);
    // The same text means another time now.
    let stale = at(one, &format!("made at {noon}, again {one}"));
    assert_eq!(differences(&compare(&[reviewed], &stale, &[])).len(), 2);
    // A time that is none of the plan's is a value like another.
    let expires = |year: &str| at(noon, &format!("{year}-01-01T00:00:00Z"));
    assert_eq!(compare(&[expires("2027")], &expires("2027"), &[]), Comparison::Equal { notes: vec![] });
    assert_eq!(differences(&compare(&[expires("2027")], &expires("2099"), &[])).len(), 2);
}

#[test]
fn what_is_unknown_is_unknown_whatever_it_was() {
    let update = |before: &str| {
        let base = change(
            &["update"],
            &json!({ "id": "x", "input": 1, "modified": before }),
            &json!({ "id": "x", "input": 2 }),
        );
        with(base, "/change/after_unknown", json!({ "modified": true }))
    };
    assert_equal(&[update("monday")], &[update("tuesday")]);
    let mut known = update("monday");
    known["change"]["after_unknown"] = json!({});
    known["change"]["after"]["modified"] = json!("wednesday");
    assert_differs(
        &[update("monday")],
        &[known],
        &["terraform_data.a would be changed in place with another value of `modified`"],
    );
    let nested = |unknown: Value| with(created(&json!({ "list": [{ "a": 1 }] })), "/change/after_unknown", unknown);
    assert_equal(&[nested(json!({ "list": [{}] }))], &[nested(json!({ "list": [{ "b": false }] }))]);
    assert_differs(
        &[nested(json!({ "list": [{}] }))],
        &[nested(json!({ "list": [{ "b": true }] }))],
        &["terraform_data.a would be created with another value of `list`"],
    );
}

#[test]
fn attributes_that_stay_as_they_are_do_not_count() {
    let update = |noise: &str, from: u8, to: u8| {
        change(
            &["update"],
            &json!({ "id": "x", "etag": noise, "input": from }),
            &json!({ "id": "x", "etag": noise, "input": to }),
        )
    };
    assert_equal(&[update("a", 1, 2)], &[update("b", 1, 2)]);
    let said = ["terraform_data.a would be changed in place with another value of `input`"];
    assert_differs(&[update("a", 1, 2)], &[update("a", 1, 3)], &said);
    // From another value: somebody changed it since, and this would change it back.
    assert_differs(&[update("a", 1, 3)], &[update("a", 2, 3)], &said);
}

#[test]
fn a_destroyed_object_counts_by_its_id() {
    let gone = |id: &str, noise: &str| change(&["delete"], &json!({ "id": id, "etag": noise }), &Value::Null);
    assert_equal(&[gone("x", "a")], &[gone("x", "b")]);
    assert_differs(
        &[gone("x", "a")],
        &[gone("y", "a")],
        &["terraform_data.a would be destroyed as was reviewed, but it is another object now (`id`)"],
    );
    let replaced = |id: &str| {
        let base = change(&["delete", "create"], &json!({ "id": id, "input": 1 }), &json!({ "input": 2 }));
        with(base, "/change/after_unknown", json!({ "id": true }))
    };
    assert_equal(&[replaced("x")], &[replaced("x")]);
    assert_ne!(record(&[replaced("x")]).plan.resources, record(&[replaced("y")]).plan.resources);
}

#[test]
fn another_action_address_provider_move_or_import_counts() {
    let created_a = created(&json!({ "input": 1 }));
    let at_b = with(created_a.clone(), "/address", json!("terraform_data.b"));
    assert_differs(
        from_ref(&created_a),
        &[at_b],
        &[
            "terraform_data.b would be created; the reviewed plan left it alone",
            "terraform_data.a would be left alone; in the reviewed plan it was to be created",
        ],
    );
    let update = change(&["update"], &json!({ "input": 1 }), &json!({ "input": 2 }));
    let replace = with(update.clone(), "/change/actions", json!(["delete", "create"]));
    assert_differs(
        from_ref(&update),
        &[replace],
        &[
            "terraform_data.a would be replaced (destroyed, then created); in the reviewed plan it was to be changed in place",
        ],
    );
    let odd = with(update.clone(), "/change/actions", json!(["transmogrify"]));
    let said = differences(&compare(&[record(from_ref(&update))], &record(&[odd]), &[]));
    assert!(said[0].contains("would be subject to `transmogrify`"), "{said:?}");

    let no_op = change(&["no-op"], &json!({ "input": 1 }), &json!({ "input": 1 }));
    let moved = |from: &str| with(no_op.clone(), "/previous_address", json!(from));
    let import = |id: &str| with(no_op.clone(), "/change/importing", json!({ "id": id }));
    let deposed = |key: &str| with(change(&["delete"], &json!({ "id": "x" }), &Value::Null), "/deposed", json!(key));
    let provider = |name: &str| with(update.clone(), "/provider_name", json!(name));
    for (reviewed, fresh) in [
        (moved("terraform_data.x"), moved("terraform_data.y")),
        (import("1"), import("2")),
        (import("1"), moved("terraform_data.x")),
        (deposed("aaaa"), deposed("bbbb")),
        (provider("registry.terraform.io/acme/x"), provider("registry.terraform.io/evil/x")),
    ] {
        assert_equal(from_ref(&reviewed), from_ref(&reviewed));
        assert!(!differences(&compare(&[record(&[reviewed])], &record(&[fresh]), &[])).is_empty());
    }
    let said = differences(&compare(&[record(&[])], &record(&[deposed("aaaa")]), &[]));
    assert!(said[0].starts_with("terraform_data.a (deposed object aaaa) would be destroyed"), "{said:?}");
}

#[test]
fn outputs_and_the_other_parts_of_a_plan_count() {
    let with_outputs = |outputs: Value| record_of(Some(LINEAGE), &plan(&[], &outputs, "2026-11-20T12:00:00Z"));
    let output =
        |before: Value, after: Value| json!({ "o": { "actions": ["update"], "before": before, "after": after } });
    let one = with_outputs(output(json!({ "a": 1, "b": 2 }), json!("text")));
    assert_eq!(compare(from_ref(&one), &one, &[]), Comparison::Equal { notes: vec![] });
    for other in [output(json!({ "a": 1, "b": 2 }), json!("texts")), output(json!({ "a": 1 }), json!("text"))] {
        let said = differences(&compare(from_ref(&one), &with_outputs(other), &[]));
        assert_eq!(said, ["the output o would change to another value, or from another"]);
    }
    let said = differences(&compare(from_ref(&one), &record(&[]), &[]));
    assert_eq!(said, ["the output o would not change, as it did in the reviewed plan"]);
    let said = differences(&compare(&[record(&[])], &one, &[]));
    assert_eq!(said, ["the output o would change; the reviewed plan left it alone"]);

    let mut partial = plan(&[], &json!({}), "2026-11-20T12:00:00Z");
    partial["complete"] = json!(false);
    partial["deferred_changes"] = json!([{
        "reason": "provider_config_unknown",
        "resource_change": { "address": "a.b", "change": { "actions": ["create"] } },
    }]);
    let partial = record_of(Some(LINEAGE), &partial);
    let said = differences(&compare(&[record(&[])], &partial, &[]));
    assert!(said.iter().any(|part| part.contains("a.b is deferred")), "{said:?}");
    assert!(said.iter().any(|part| part.contains("covers only a part")), "{said:?}");
    assert!(!differences(&compare(&[partial], &record(&[]), &[])).is_empty());
}

#[test]
fn no_value_and_no_guessable_fingerprint_is_recorded() {
    let secret = "hunter2-hunter2";
    let sensitive = with(
        created(&json!({ "password": secret, "name": "db-main-name" })),
        "/change/after_sensitive",
        json!({ "password": true }),
    );
    let keyed = record_of(Some(LINEAGE), &plan(from_ref(&sensitive), &json!({}), "t"));
    for text in [keyed.to_json(), format!("{keyed:?}")] {
        for value in [secret, "db-main-name", LINEAGE] {
            assert!(!text.contains(value), "{value} in {text}");
        }
    }
    // Who does not know the lineage cannot make the same fingerprint of the same value: another
    // lineage gives other ones throughout.
    let elsewhere = record_of(Some("another"), &plan(from_ref(&sensitive), &json!({}), "t"));
    assert_ne!(keyed.plan.resources[0].fingerprint, elsewhere.plan.resources[0].fingerprint);
    assert_ne!(keyed.plan.resources[0].attributes, elsewhere.plan.resources[0].attributes);
    // Equal values of two resources do not show as equal.
    let twin = with(sensitive.clone(), "/address", json!("terraform_data.b"));
    let both = record_of(Some(LINEAGE), &plan(&[sensitive.clone(), twin], &json!({}), "t"));
    assert_ne!(both.plan.resources[0].attributes["password"], both.plan.resources[1].attributes["password"]);

    // With the key, another secret shows; without a state, it is left out, and that is said.
    let other = with(sensitive.clone(), "/change/after/password", json!("changed"));
    let fresh = record_of(Some(LINEAGE), &plan(from_ref(&other), &json!({}), "t"));
    let said = differences(&compare(&[keyed], &fresh, &[]));
    assert_eq!(said, ["terraform_data.a would be created with another value of `password`"]);
    let without = |change: Value| record_of(None, &plan(&[change], &json!({}), "t"));
    assert_eq!(without(sensitive.clone()).plan.resources, without(other.clone()).plan.resources);
    assert!(without(sensitive.clone()).plan.masked);
    let comparison = compare(&[without(sensitive.clone())], &without(other), &[]);
    assert_eq!(comparison, Comparison::Equal { notes: vec![Note::SensitiveNotCompared] });
    let renamed = with(sensitive.clone(), "/change/after/name", json!("db-other"));
    let said = differences(&compare(&[without(sensitive)], &without(renamed), &[]));
    assert_eq!(said, ["terraform_data.a would be created with other values"]);
}

#[test]
fn the_key_fits_the_record_and_another_state_is_found_out() {
    let changes = plan(&[created(&json!({ "input": 1 }))], &json!({}), "t");
    let (keyed, unkeyed) = (record_of(Some(LINEAGE), &changes), record_of(None, &changes));
    assert!(key_for(from_ref(&keyed), Some(LINEAGE)).is_keyed());
    assert!(!key_for(from_ref(&unkeyed), Some(LINEAGE)).is_keyed());
    assert!(!key_for(from_ref(&keyed), None).is_keyed());
    assert!(key_for(&[], Some(LINEAGE)).is_keyed());

    let other = record_of(Some("another-lineage"), &changes);
    let said = differences(&compare(from_ref(&keyed), &other, &[]));
    assert_eq!(said.len(), 1);
    assert!(said[0].contains("the state is not the one"), "{said:?}");
    assert!(differences(&compare(from_ref(&keyed), &unkeyed, &[]))[0].contains("the state is not the one"));
    assert!(differences(&compare(&[unkeyed], &keyed, &[]))[0].contains("there was no state"));
    assert_eq!(format!("{:?}", FingerprintKey::new(Some(LINEAGE))), "FingerprintKey(***)");
}

#[test]
fn reasons_are_found_in_versions_serials_trees_and_the_audit_trail() {
    let mut reviewed = record(&[]);
    let mut fresh = record(&[created(&json!({ "input": 1 }))]);
    let whys = |reviewed: &Record, fresh: &Record, history: &[AuditRecord]| -> Vec<String> {
        match compare(from_ref(reviewed), fresh, history) {
            Comparison::Different { whys, .. } => whys.iter().map(ToString::to_string).collect(),
            Comparison::Equal { .. } => panic!(),
        }
    };
    assert!(whys(&reviewed, &fresh, &[]).is_empty());
    reviewed.origin.made_at = "2026-11-20T12:00:00Z".parse().ok();
    reviewed.origin.base_sha = Some("b".repeat(40));
    reviewed.origin.merge_tree = Some("t1".to_owned());
    fresh.origin.merge_tree = Some("t1".to_owned());
    assert!(whys(&reviewed, &fresh, &[])[0].starts_with("the code is exactly what was planned"));
    fresh.origin.merge_tree = Some("t2".to_owned());
    fresh.origin.serial = Some(9);
    reviewed.origin.terraform_version = Some("1.11.3".to_owned());
    fresh.origin.terraform_version = Some("1.11.4".to_owned());
    reviewed.origin.providers = [("acme/x".to_owned(), "1.0".to_owned())].into();
    fresh.origin.providers = [("acme/x".to_owned(), "1.1".to_owned())].into();
    let audit = |action: &str, at: &str, number| AuditRecord {
        action: action.to_owned(),
        at: at.parse().unwrap(),
        actor: "octocat".to_owned(),
        reason: None,
        lock: None,
        run_url: None,
        pull_request: Some(number),
        commit: None,
        result: "applied".to_owned(),
    };
    let history = [
        audit("apply", "2026-11-20T11:00:00Z", 40),
        audit("apply", "2026-11-20T13:00:00Z", 41),
        audit("unlock", "2026-11-20T13:00:00Z", 43),
        audit("apply", "2026-11-20T14:00:00Z", 42),
    ];
    assert_eq!(
        whys(&reviewed, &fresh, &history),
        [
            "the merged code is not the code that was planned: other changes were merged since bbbbbbbbbb",
            "the state changed since, by #41 (serial 7, now 9)",
            "it was planned with Terraform 1.11.3, and is with 1.11.4 now",
            "the provider acme/x was 1.0, and is 1.1 now",
        ]
    );
}

#[test]
fn several_records_are_compared_together() {
    let a = created(&json!({ "input": 1 }));
    let b = with(a.clone(), "/address", json!("terraform_data.b"));
    let both = record(&[a.clone(), b.clone()]);
    let (of_a, of_b) = (record(&[a]), record(&[b]));
    assert_eq!(compare(&[of_a.clone(), of_b.clone()], &both, &[]), Comparison::Equal { notes: vec![] });
    assert!(differences(&compare(from_ref(&of_a), &both, &[]))[0].contains("terraform_data.b would be created"));
    assert!(
        differences(&compare(&[of_a.clone(), of_b.clone()], &of_a, &[]))[0]
            .contains("terraform_data.b would be left alone")
    );

    let mut other = of_b;
    other.origin.pull_request = Some(41);
    assert!(overlaps(&of_a, from_ref(&other)).is_empty());
    let mine = both;
    let expected = Overlap { pull_request: 41, addresses: vec!["terraform_data.b".to_owned()] };
    assert_eq!(overlaps(&mine, &[other, mine.clone()]), [expected]);
}

#[test]
fn what_is_merged_and_not_applied_explains_a_plan_only_by_what_both_do() {
    let a = created(&json!({ "input": 1 }));
    let b = with(a.clone(), "/address", json!("terraform_data.b"));
    let other_b = with(b.clone(), "/change/after/input", json!(2));
    let numbered = |number, changes: &[Value]| {
        let mut record = record(changes);
        record.origin.pull_request = Some(number);
        record
    };
    let (mine, earlier) = (numbered(43, from_ref(&a)), numbered(42, from_ref(&b)));
    let fresh = record(&[a.clone(), b.clone()]);
    let explains_it = |record: &Record, others: &[Record]| explains(record, others, &fresh);
    assert!(explains_it(&earlier, from_ref(&mine)));
    assert!(!explains_it(&earlier, &[mine.clone(), earlier.clone()]), "another has it already");
    assert!(!explains_it(&numbered(42, from_ref(&other_b)), from_ref(&mine)), "another value");
    assert!(!explains_it(&numbered(42, &[]), from_ref(&mine)));
    let output = json!({ "o": { "actions": ["create"], "before": null, "after": 1 } });
    let outputs = record_of(Some(LINEAGE), &plan(&[], &output, "t"));
    assert!(explains(&outputs, &[], &outputs) && !explains(&outputs, from_ref(&outputs), &outputs));

    let along = compare_along(from_ref(&mine), from_ref(&earlier), &fresh, &[]);
    assert_eq!(along, Comparison::Equal { notes: vec![] });
    let Comparison::Different { differences, whys } =
        compare_along(from_ref(&mine), from_ref(&earlier), &record(&[a, other_b]), &[])
    else {
        panic!("another value")
    };
    assert_eq!(differences.len(), 1);
    assert!(whys[0].to_string().starts_with("#42 is merged and not applied yet"), "{}", whys[0]);
}

/// Longer than what is kept of a string, or heavier than what is built of a list.
fn large(end: &str) -> [Value; 2] {
    let list: Vec<Value> = (0..120_000).map(|number| json!(number % 10)).chain([json!(end)]).collect();
    [json!(format!("{}{end}", "x".repeat(300_000))), json!(list)]
}

#[test]
fn every_byte_of_what_is_too_large_to_be_kept_counts() {
    let of = |before: &Value, after: &Value, key: Option<&str>, marks: &Value| {
        let change = json!({"actions": ["update"], "before": {"x": before}, "after": {"x": after}, "after_unknown": {},
            "before_sensitive": marks, "after_sensitive": marks});
        let plan = json!({"resource_changes": [{"address": "a.b", "change": change}]}).to_string();
        let mut fingerprints = Fingerprinter::new(FingerprintKey::new(key));
        let summary = read_plan(plan.as_bytes(), &mut [&mut fingerprints]).unwrap();
        fingerprints.finish_plan(&summary)
    };
    let (open, key) = (json!({}), Some("a lineage"));
    for (one, other) in large("one").iter().zip(large("two")) {
        assert_eq!(of(&json!(1), one, key, &open), of(&json!(1), one, key, &open));
        assert_ne!(of(&json!(1), one, key, &open), of(&json!(1), &other, key, &open));
        assert_ne!(of(one, &json!(1), key, &open), of(&other, &json!(1), key, &open));
        assert_ne!(of(one, one, key, &open), of(one, &other, key, &open));
        // Without a key nothing of it is recorded where only a part of it is sensitive.
        let marks = json!({"x": [{"y": true}]});
        let unkeyed = of(&json!(1), one, None, &marks);
        assert!(unkeyed.masked);
        assert_eq!(unkeyed, of(&json!(1), &other, None, &marks));
    }
}

#[test]
fn every_part_counts_however_many_there_are() {
    let of = |last: &str| {
        let address = |index| if index == 4_999 { format!("a.{last}") } else { format!("a.b[{index}]") };
        let entry = |index| json!({"address": address(index), "change": {"actions": [address(index)]}});
        let entries: Vec<Value> = (0..5_000).map(entry).collect();
        let mut plan = plan(&entries, &json!({}), "2026-11-20T12:00:00Z");
        plan["deferred_changes"] = entries.iter().map(|entry| json!({"resource_change": entry})).collect();
        plan["action_invocations"] = json!(entries);
        fingerprint_of(Some(LINEAGE), &plan)
    };
    let (one, other) = (of("c"), of("d")); // each deferred, invoked, and a word that is not known
    assert_eq!((one.resources.len(), one.other.len()), (5_000, 15_000));
    let differ = one.other.iter().filter(|part| !other.other.contains(part)).count();
    assert!(differ == 3 && one.fingerprint != other.fingerprint, "{differ}");
}

#[test]
fn who_pushed_a_commit_stays_known_however_often_it_is_planned_again() {
    let planned = |sha: &str, pusher: Option<&str>| {
        let pusher = pusher.map(str::to_owned);
        Record::new(
            RecordOrigin { head_sha: sha.to_owned(), pusher, ..RecordOrigin::default() },
            PlanFingerprint::default(),
        )
    };
    let mut record = planned("a", Some("alice"));
    // A reopen, then many re-runs: more than the replaced records that are kept.
    for pusher in [None, Some("bob"), None, None, None, None, None, None] {
        record = planned("a", pusher).replacing(Some(record));
        assert!(record.pushers().contains("alice"), "{record:?}");
    }
    let read = Record::from_json("s3://b/k", record.to_json().as_bytes()).unwrap();
    assert_eq!(read.pushers().into_iter().collect::<Vec<_>>(), ["alice", "bob"]);
    let other = planned("b", None).replacing(Some(read));
    assert!(other.pushers().is_empty(), "another commit's pushers are its own");
}
