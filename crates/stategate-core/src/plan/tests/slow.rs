//! A plan read slowly, by its JSON as a whole: what the reader must come to as well.

use std::io::Read;

use serde_json::{Map, Value, json};

use crate::plan::{Kind, PlanSummary, PlanVisitor, ResourceChange};

/// Hands out so many bytes at once.
pub(crate) struct Pieces<'a>(pub(crate) &'a [u8], pub(crate) usize);

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.1.min(self.0.len()).min(buffer.len());
        let (piece, rest) = self.0.split_at(length);
        buffer[..length].copy_from_slice(piece);
        self.0 = rest;
        Ok(length)
    }
}

fn entries<'a>(plan: &'a Value, key: &str) -> &'a [Value] {
    plan[key].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn output_changes(plan: &Value) -> impl Iterator<Item = &Value> {
    plan["output_changes"].as_object().into_iter().flat_map(Map::values)
}

fn words(change: &Value) -> Vec<&str> {
    change["actions"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn does_something(change: &Value) -> bool {
    words(change) != ["no-op"]
}

/// Whether something differs; what has no value is as good as nothing.
fn is_drift(change: &Value) -> bool {
    fn without_nulls(value: &Value) -> Value {
        match value {
            Value::Object(map) => map
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| (key.clone(), without_nulls(value)))
                .collect(),
            other => other.clone(),
        }
    }
    let is_unknown = change["after_unknown"].to_string().contains("true");
    does_something(change)
        && (words(change) != ["update"]
            || is_unknown
            || without_nulls(&change["before"]) != without_nulls(&change["after"]))
}

fn is_moved(entry: &Value) -> bool {
    let text = |key: &str| entry[key].as_str().unwrap_or_default();
    !entry["previous_address"].is_null() && text("previous_address") != text("address")
}

fn is_imported(entry: &Value) -> bool {
    !entry["change"]["importing"].is_null()
}

fn stays(entry: &Value) -> bool {
    !does_something(&entry["change"]) && !is_moved(entry) && !is_imported(entry)
}

/// Whether there is something to do.
pub(crate) fn carries_changes(plan: &Value) -> bool {
    entries(plan, "resource_changes").iter().any(|entry| does_something(&entry["change"]))
        || output_changes(plan).any(does_something)
        || !entries(plan, "deferred_changes").is_empty()
        || !entries(plan, "action_invocations").is_empty()
        || plan["errored"] == json!(true)
        || plan["complete"] == json!(false)
        || plan["applyable"] == json!(true)
}

/// There are as many of each as stand in the document.
pub(crate) fn is_counted(plan: &Value, read: &PlanSummary) {
    let changes = entries(plan, "resource_changes");
    let number = |is: &dyn Fn(&Value) -> bool| changes.iter().filter(|entry| is(entry)).count();
    let of = |kinds: &[&[&str]]| number(&|entry| kinds.contains(&words(&entry["change"]).as_slice()));
    let replaces: &[&[&str]] =
        &[&["delete", "create"], &["create", "delete"], &["forget", "create"], &["create", "forget"]];
    let counts = &read.counts;
    let kinds: [(Kind, usize, &[&[&str]]); 6] = [
        (Kind::Destroy, counts.destroy, &[&["delete"]]),
        (Kind::Replace, counts.replace, replaces),
        (Kind::Forget, counts.forget, &[&["forget"]]),
        (Kind::Update, counts.change, &[&["update"]]),
        (Kind::Create, counts.add, &[&["create"]]),
        (Kind::Read, counts.read, &[&["read"]]),
    ];
    for (kind, count, actions) in kinds {
        assert_eq!((read.kinds.of(kind), count), (of(actions), of(actions)), "{kind:?}");
    }
    assert_eq!(read.kinds.total(), number(&|entry| !stays(entry)));
    assert_eq!((counts.moved, counts.import), (number(&is_moved), number(&is_imported)));
    assert_eq!(read.unchanged, of(&[&["no-op"]]));
    let drifted = entries(plan, "resource_drift").iter().filter(|entry| is_drift(&entry["change"]));
    assert_eq!(counts.drift, drifted.count());
    assert_eq!(counts.outputs, output_changes(plan).filter(|change| does_something(change)).count());
    assert_eq!(counts.deferred, entries(plan, "deferred_changes").len());
}

/// What a visitor saw of the resources that change.
#[derive(Default)]
pub(crate) struct Seen(Vec<ResourceChange>);

impl PlanVisitor for Seen {
    fn resource_change(&mut self, change: &ResourceChange) {
        self.0.push(change.clone());
    }
}

impl Seen {
    /// Whatever differs was seen as it stands there; what was left out is the same before and after.
    pub(crate) fn is_all_of(&self, plan: &Value) {
        let changed: Vec<&Value> = entries(plan, "resource_changes").iter().filter(|entry| !stays(entry)).collect();
        assert_eq!(changed.len(), self.0.len());
        for (entry, seen) in changed.into_iter().zip(&self.0) {
            let (entry, seen) = (&entry["change"], &seen.change);
            let (Value::Object(before), Value::Object(after)) = (&entry["before"], &entry["after"]) else {
                assert_eq!((&seen.before, &seen.after), (&entry["before"], &entry["after"]));
                continue;
            };
            let none = Map::new();
            let (old, new) = (seen.before.as_object().unwrap_or(&none), seen.after.as_object().unwrap_or(&none));
            let is_part =
                |part: &Map<_, _>, all: &Map<_, _>| part.iter().all(|(key, value)| all.get(key) == Some(value));
            assert!(is_part(old, before) && is_part(new, after), "{entry}");
            let mut unchanged = 0;
            for (key, value) in
                before.iter().chain(after).filter(|(key, _)| !old.contains_key(*key) && !new.contains_key(*key))
            {
                assert_eq!((before.get(key), after.get(key)), (Some(value), Some(value)), "{key}");
                unchanged += usize::from(!value.is_null());
            }
            assert_eq!(2 * seen.unchanged, unchanged, "{entry}");
        }
    }
}

/// What a resource marks right at an attribute is hidden; here only what is too long to be a usual word.
pub(crate) fn is_hidden(plan: &Value, read: &PlanSummary) {
    for entry in ["resource_changes", "resource_drift"].into_iter().flat_map(|key| entries(plan, key)) {
        for (values, marks) in [("before", "before_sensitive"), ("after", "after_sensitive")] {
            let marks = entry["change"][marks].as_object().into_iter().flatten();
            for (name, _) in marks.filter(|(_, mark)| **mark == json!(true)) {
                let secret = entry["change"][values][name].as_str().unwrap_or_default();
                if secret.len() >= 12 && secret.bytes().all(|byte| byte.is_ascii_lowercase()) {
                    assert_ne!(read.secrets.scrub(secret), secret);
                }
            }
        }
    }
}
