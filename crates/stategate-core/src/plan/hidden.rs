//! How many of the values that change a reader is not shown.

use serde_json::Value;
use serde_json::value::Index;

use super::change::Change;
use super::delta::has_true;
use super::large::is_stand_in;

/// The values of a plan's changes that stand in no text of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hidden {
    /// Those that change and are sensitive.
    pub sensitive: usize,
    /// Those that are known only after the apply.
    pub unknown: usize,
    /// Whether there may be more: the plan was too large to look at each.
    pub may_be_more: bool,
}

impl Hidden {
    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        self.sensitive + self.unknown == 0
    }

    /// Counts those of one change.
    pub(super) fn count(&mut self, change: &Change) {
        let before = Side { value: &change.before, marks: &change.before_sensitive };
        let after = Side { value: &change.after, marks: &change.after_sensitive };
        self.walk(before, after, &change.after_unknown);
    }

    fn walk(&mut self, before: Side<'_>, after: Side<'_>, unknown: &Value) {
        if is_all(unknown) {
            self.unknown += 1;
        } else if is_all(before.marks) || is_all(after.marks) {
            // What is unknown inside of it is hidden with it.
            self.sensitive += usize::from(before.value != after.value || has_true(unknown));
        } else if [unknown, before.marks, after.marks].into_iter().any(has_true) {
            let parts = [unknown, before.marks, after.marks];
            let mut keys: Vec<&String> =
                parts.iter().filter_map(|part| part.as_object()).flat_map(|map| map.keys()).collect();
            keys.sort_unstable();
            keys.dedup();
            for key in keys {
                self.walk(before.at(key), after.at(key), at(unknown, key));
            }
            let length = parts.iter().filter_map(|part| part.as_array()).map(Vec::len).max().unwrap_or_default();
            for index in 0..length {
                self.walk(before.at(index), after.at(index), at(unknown, index));
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Side<'a> {
    value: &'a Value,
    marks: &'a Value,
}

impl Side<'_> {
    fn at(self, place: impl Index + Copy) -> Self {
        Self { value: at(self.value, place), marks: at(self.marks, place) }
    }
}

fn at(value: &Value, place: impl Index) -> &Value {
    value.get(place).unwrap_or(&Value::Null)
}

/// Whether all of a value is marked; also when nobody can tell what of it.
fn is_all(marks: &Value) -> bool {
    *marks == Value::Bool(true) || is_stand_in(marks)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn counted(change: &Value) -> (usize, usize) {
        let mut hidden = Hidden::default();
        hidden.count(&serde_json::from_value(change.clone()).unwrap());
        (hidden.sensitive, hidden.unknown)
    }

    #[test]
    fn each_value_that_is_not_shown_counts_once() {
        let created = json!({
            "actions": ["create"], "before": null, "before_sensitive": false,
            "after": {"name": "n", "password": "p", "list": [{"key": "k"}, {"key": "l"}]},
            "after_unknown": {"id": true, "list": [{"arn": true}, {}]},
            "after_sensitive": {"password": true, "list": [{"key": true}, {}]},
        });
        assert_eq!(counted(&created), (2, 2));
        let updated = json!({
            "actions": ["update"], "before": {"same": "s", "other": "o"}, "after": {"same": "s", "other": "p"},
            "before_sensitive": {"same": true}, "after_sensitive": {"same": true, "other": true}, "after_unknown": {},
        });
        assert_eq!(counted(&updated), (1, 0));
        // A sensitive value that is decided during the apply is told as that.
        let decided = json!({
            "actions": ["update"], "before": {"key": "k"}, "after": {}, "before_sensitive": {"key": true},
            "after_sensitive": {"key": true}, "after_unknown": {"key": true},
        });
        assert_eq!(counted(&decided), (0, 1));
        let whole = json!({
            "actions": ["update"], "before": "a", "after": "b", "before_sensitive": true, "after_sensitive": true,
            "after_unknown": false,
        });
        assert_eq!(counted(&whole), (1, 0));
    }
}
