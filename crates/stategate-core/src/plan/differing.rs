//! Leaves out of a change what stays, before anything is built of it.
//!
//! Of a resource that changes, most attributes do not. Where one is written the same before and after,
//! it is counted and not built; what is written otherwise, if only by a space, is built and compared.

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::change::{Change, IDENTITY};
use super::delta::has_true;
use super::exact::exact;

/// Sets `before` and `after`, as far as they differ, and what stays. `false` when they have to be built
/// as a whole: when one of them is no object or not valid, or is not marked attribute by attribute.
pub(super) fn build_differing(before: &[u8], after: &[u8], change: &mut Change) -> bool {
    let by_attribute = |marks: &Value| marks.is_object() || marks.is_null();
    if ![&change.before_sensitive, &change.after_sensitive, &change.after_unknown].into_iter().all(by_attribute) {
        return false;
    }
    let differing = || -> serde_json::Result<_> {
        let (mut old, mut new) = (Map::new(), Map::new());
        let mut unchanged = 0;
        let Members(before) = serde_json::from_slice(before)?;
        let Members(after) = serde_json::from_slice(after)?;
        let mut after = after.into_iter().peekable();
        for (key, value) in before {
            while let Some((key, value)) = after.next_if(|(other, _)| *other < key) {
                new.insert(key.to_owned(), built(value)?);
            }
            let other = after.next_if(|(other, _)| *other == key).map(|(_, other)| other);
            if other == Some(value) && stays(key, change) {
                unchanged += usize::from(value != "null");
                continue;
            }
            old.insert(key.to_owned(), built(value)?);
            if let Some(other) = other {
                new.insert(key.to_owned(), built(other)?);
            }
        }
        for (key, value) in after {
            new.insert(key.to_owned(), built(value)?);
        }
        Ok((old, new, unchanged))
    };
    let Ok((old, new, unchanged)) = differing() else { return false };
    (change.before, change.after, change.unchanged) = (Value::Object(old), Value::Object(new), unchanged);
    true
}

/// Whether an attribute names the object, or the object stays.
pub(super) fn names_what_it_loses(change: &Change) -> bool {
    let is_lost = change.actions.iter().any(|action| action == "delete" || action == "forget");
    let is_name = |value: &Value| value.is_number() || value.as_str().is_some_and(|text| !text.is_empty());
    let has = |name: &str| change.before.get(name).is_some_and(is_name);
    !is_lost || change.before_identity.is_object() || IDENTITY.into_iter().any(has)
}

fn built(json: &str) -> serde_json::Result<Value> {
    serde_json::from_slice(&exact(json.as_bytes()))
}

/// Whether an attribute with an equal value before and after matters to nobody. Which object it is does,
/// and so does what is sensitive.
fn stays(key: &str, change: &Change) -> bool {
    let marks = change.after_sensitive.get(key);
    !IDENTITY.contains(&key)
        && change.before_sensitive.get(key) == marks
        && !marks.is_some_and(has_true)
        && !change.after_unknown.get(key).is_some_and(has_true)
}

/// The members of an object in the order of their keys, each value as it is written. A key that stands
/// there twice is an error.
struct Members<'a>(Vec<(&'a str, &'a str)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members: Vec<(&str, &str)> = Vec::new();
                while let Some((key, value)) = map.next_entry::<&str, &RawValue>()? {
                    members.push((key, value.get()));
                }
                members.sort_unstable();
                if members.windows(2).any(|pair| matches!(pair, [one, other] if one.0 == other.0)) {
                    return Err(serde::de::Error::custom("the same key twice"));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Each)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::plan::{Change, PlanVisitor as _, ResourceChange, read_plan};
    use crate::record::{FingerprintKey, Fingerprinter};

    fn value() -> impl Strategy<Value = String> {
        const VALUES: [&str; 16] = [
            "null",
            "true",
            "1",
            "1.0",
            "10e-1",
            r#""secret-one""#,
            r#""secret-\u006fne""#,
            r#""secret-two""#,
            r#""\u0000secret""#,
            "[1,2]",
            "[1, 2]",
            "[2,1]",
            r#"["secret-one","secret-two"]"#,
            r#"{"a":1,"b":"secret-three"}"#,
            r#"{"b":"secret-three", "a":1}"#,
            r#"{"a":[{"c":"secret-two"}]}"#,
        ];
        prop::sample::select(&VALUES[..]).prop_map(str::to_owned)
    }

    fn marks() -> impl Strategy<Value = String> {
        const INNER: [&str; 7] =
            ["true", "false", "{}", r#"{"a":true}"#, r#"{"b":true,"c":false}"#, "[false,true]", r#""\u0000""#];
        let object = prop::collection::vec((key(), prop::sample::select(&INNER[..]).prop_map(str::to_owned)), 0..3);
        let whole = prop::sample::select(&["true", "false", "null", "{}"][..]).prop_map(str::to_owned);
        prop_oneof![3 => object.prop_map(|members| written(&members)), 1 => whole]
    }

    fn key() -> impl Strategy<Value = String> {
        prop::sample::select(&["a", "b", "c", "id", r"\u0061"][..]).prop_map(str::to_owned)
    }

    fn written(members: &[(String, String)]) -> String {
        let members: Vec<_> = members.iter().map(|(key, value)| format!(r#""{key}":{value}"#)).collect();
        format!("{{{}}}", members.join(","))
    }

    /// What there is before and after: mostly the same attributes, with another value here and there.
    fn sides() -> impl Strategy<Value = (String, String)> {
        let member = (key(), value(), prop::option::weighted(0.3, value()), 0..10);
        let objects = (prop::collection::vec(member, 0..6), any::<bool>()).prop_map(|(members, turned)| {
            let side = |after: bool, left_out: i32| {
                let here = members.iter().filter(|(.., place)| *place != left_out);
                let of =
                    |value: &String, other: &Option<String>| other.clone().filter(|_| after).unwrap_or(value.clone());
                here.map(|(key, value, other, _)| (key.clone(), of(value, other))).collect::<Vec<_>>()
            };
            let (before, mut after) = (side(false, 8), side(true, 9));
            if turned {
                after.reverse();
            }
            (written(&before), written(&after))
        });
        prop_oneof![8 => objects, 1 => (value(), value())]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_stays_is_told_the_same_whether_it_is_built_or_not(
            (before, after) in sides(),
            (before_marks, after_marks, unknown) in prop_oneof![
                marks().prop_map(|marks| (marks.clone(), marks, "{}".to_owned())),
                (marks(), marks(), marks()),
            ],
        ) {
            let change = format!(
                r#"{{"actions":["delete","create"],"before":{before},"after":{after},
                "before_sensitive":{before_marks},"after_sensitive":{after_marks},"after_unknown":{unknown}}}"#
            );
            let resource = format!(r#"{{"address":"a.b","change":{change}}}"#);
            let document = format!(r#"{{"resource_changes":[{resource}]}}"#);
            let fingerprinter = || Fingerprinter::new(FingerprintKey::new(Some("a lineage")));
            let (mut of_quick, mut of_whole) = (fingerprinter(), fingerprinter());
            let quick = read_plan(document.as_bytes(), &mut [&mut of_quick]).unwrap();
            // An output's change is built as a whole.
            let document = format!(r#"{{"output_changes":{{"x":{change}}}}}"#);
            let whole = read_plan(document.as_bytes(), &mut []).unwrap();
            prop_assert_eq!(&quick.resources[0].delta, &whole.outputs[0].delta);
            // What begins like a stand-in is replaced by the reader.
            if !document.contains(r"\u0000") {
                of_whole.resource_change(&serde_json::from_str::<ResourceChange>(&resource).unwrap());
                prop_assert_eq!(of_quick.finish_plan(&quick), of_whole.finish_plan(&quick));
            }
            prop_assert_eq!(quick.secrets.withheld(), whole.secrets.withheld());
            for text in ["secret-one", "secret-two", "secret-three"] {
                prop_assert_eq!(quick.secrets.scrub(text), whole.secrets.scrub(text));
            }
        }
    }

    fn differing(before: &str, after: &str) -> Option<Change> {
        let mut change = Change::default();
        super::build_differing(before.as_bytes(), after.as_bytes(), &mut change).then_some(change)
    }

    #[test]
    fn only_what_is_written_otherwise_is_built() {
        let change = differing(r#"{"b":1,"a":"x","n":null,"c":2}"#, r#"{"a":"x","b":1.0,"d":[],"n":null}"#).unwrap();
        assert_eq!(change.before, serde_json::json!({"b": 1, "c": 2}));
        assert_eq!(change.after, serde_json::json!({"b": 1.0, "d": []}));
        assert_eq!(change.unchanged, 1, "what is null both times is no attribute that stays");
    }

    #[test]
    fn what_is_not_valid_or_not_told_by_attribute_is_left_to_the_usual_way() {
        for odd in [r#"{"a":1,"a":2}"#, r#"{"\u0061":1}"#, r#"{"a":tru}"#, r#"{"a":[1 2]}"#, "[1]", "null", "\"a\""] {
            assert!(differing(odd, odd).is_none(), "{odd}");
        }
        assert!(differing(r#"{"a":1}"#, r#"{"a":1}"#).is_some());
    }
}
