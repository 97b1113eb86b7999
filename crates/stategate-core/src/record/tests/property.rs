//! Any two values have one fingerprint exactly when they mean the same.

use proptest::prelude::*;

use super::*;

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3..4_i64).prop_map(Value::from),
        prop::sample::select(vec!["", "a", "b", "2026-11-20T12:00:00Z", "[1]", "{\"a\":1}"]).prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[ab]", inner, 0..3).prop_map(|map| json!(map)),
        ]
    })
}

/// A value without what does not count: two that mean the same are equal then.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key.clone(), plain(value)))
            .collect(),
        Value::Array(items) => items.iter().map(plain).collect(),
        other => other.clone(),
    }
}

proptest! {
    #[test]
    fn created_values_have_one_fingerprint_exactly_when_they_mean_the_same(one in any_value(), other in any_value()) {
        let of = |value: &Value| record(&[created(&json!({ "input": value }))]);
        let equal = matches!(compare(&[of(&one)], &of(&other), &[]), Comparison::Equal { .. });
        prop_assert_eq!(equal, plain(&one) == plain(&other), "{} {}", one, other);
        prop_assert_eq!(of(&one), of(&one));
    }

    #[test]
    fn updates_differ_when_what_they_write_differs(before in any_value(), one in any_value(), other in any_value()) {
        let of = |after: &Value| {
            record(&[change(&["update"], &json!({ "input": before }), &json!({ "input": after }))])
        };
        let equal = matches!(compare(&[of(&one)], &of(&other), &[]), Comparison::Equal { .. });
        prop_assert_eq!(equal, plain(&one) == plain(&other), "{} -> {} {}", before, one, other);
    }
}
