//! What differs between before and after, and nothing else, with what is sensitive already gone.
//!
//! This is what is kept of a change until the comment is written. It is small: attributes that
//! stay are a number, a sensitive value is a mark.

use std::cell::Cell;

use serde_json::{Map, Value};

use super::change::Change;
use super::large::{is_stand_in, told_by_size};

/// A value as it may be kept. Its `Debug` tells nothing of it: it may hold a secret's copy.
#[derive(Clone, PartialEq)]
pub(crate) enum Leaf {
    /// The value itself, to be scrubbed before it is shown.
    Known(Value),
    /// Known after the apply.
    Unknown,
    /// Marked sensitive.
    Sensitive,
}

impl std::fmt::Debug for Leaf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Known(_) => "Known(***)",
            Self::Unknown => "Unknown",
            Self::Sensitive => "Sensitive",
        })
    }
}

/// A difference.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Delta {
    /// Only after.
    Added(Leaf),
    /// Only before.
    Removed(Leaf),
    /// Another value than before.
    Changed(Leaf, Leaf),
    /// The same value, which becomes sensitive or ceases to be.
    Remarked {
        /// Whether it is sensitive from now on.
        sensitive: bool,
    },
    /// Something inside an object differs.
    Object {
        /// What differs, by key.
        entries: Vec<(String, Delta)>,
        /// How many entries stay.
        unchanged: usize,
        /// Whether there was none before.
        new: bool,
    },
    /// Something inside a list or a set differs.
    List {
        /// What differs, in order.
        items: Vec<Delta>,
        /// How many elements stay.
        unchanged: usize,
        /// Whether the elements stay and only their order differs.
        reordered: bool,
        /// Whether there was none before.
        new: bool,
    },
}

/// Elements beyond this are compared by place only.
const MOST_COMPARED: usize = 400;

/// What a change changes; `None` when before and after are the same. A value that does not fit into
/// what is left of `room` bytes is told by its size.
///
/// # Errors
///
/// When there is no room to say what differs.
pub(super) fn delta(change: &Change, room: usize) -> Result<Option<Delta>, NoRoom> {
    let room = Cell::new(room);
    let before = Side { value: &change.before, marks: &change.before_sensitive, room: &room };
    let after = Side { value: &change.after, marks: &change.after_sensitive, room: &room };
    let mut delta = compare(before, after, &change.after_unknown);
    if let Some(Delta::Object { unchanged, .. }) = &mut delta {
        *unchanged += change.unchanged;
    }
    if room.get() == 0 { Err(NoRoom) } else { Ok(delta) }
}

/// Whether a change changes anything that is known by its value. Costs no memory.
pub(super) fn differs(change: &Change) -> bool {
    has_true(&change.after_unknown) || !is_equal(&change.before, &change.after)
}

/// An attribute without a value is as good as none.
fn is_equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(one_map), Value::Object(other_map)) => {
            one_map.keys().chain(other_map.keys()).all(|key| is_equal(get(one, key), get(other, key)))
        }
        _ => one == other,
    }
}

/// More differs than may be told.
pub(super) struct NoRoom;

/// How much memory a difference takes, roughly, in bytes.
pub(super) fn size(delta: &Delta) -> usize {
    let own = std::mem::size_of::<Delta>();
    own + match delta {
        Delta::Added(leaf) | Delta::Removed(leaf) => leaf_size(leaf),
        Delta::Changed(before, after) => leaf_size(before) + leaf_size(after),
        Delta::Remarked { .. } => 0,
        Delta::Object { entries, .. } => entries.iter().map(|(key, inner)| key.len() + 24 + size(inner)).sum(),
        Delta::List { items, .. } => items.iter().map(size).sum(),
    }
}

fn leaf_size(leaf: &Leaf) -> usize {
    match leaf {
        Leaf::Known(value) => value_size(value),
        Leaf::Unknown | Leaf::Sensitive => 0,
    }
}

fn value_size(value: &Value) -> usize {
    let own = std::mem::size_of::<Value>();
    own + match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(value_size).sum(),
        Value::Object(map) => map.iter().map(|(key, item)| key.len() + 48 + value_size(item)).sum(),
        _ => 0,
    }
}

#[derive(Clone, Copy)]
struct Side<'a> {
    value: &'a Value,
    marks: &'a Value,
    /// How much more may be copied, in bytes.
    room: &'a Cell<usize>,
}

impl<'a> Side<'a> {
    /// Whether all of it is; also when nobody can tell what of it.
    fn sensitive(self) -> bool {
        *self.marks == Value::Bool(true) || is_stand_in(self.marks)
    }

    fn entry(self, key: &str) -> Side<'a> {
        Side { value: get(self.value, key), marks: get(self.marks, key), ..self }
    }

    fn element(self, index: usize) -> Side<'a> {
        Side { value: at(self.value, index), marks: at(self.marks, index), ..self }
    }

    /// Takes the room of one more difference; `false` when there is none left.
    fn has_room(self) -> bool {
        self.room.set(self.room.get().saturating_sub(std::mem::size_of::<Delta>()));
        self.room.get() > 0
    }

    /// The value with every sensitive part replaced, as far as there is room.
    fn leaf(self) -> Leaf {
        if self.sensitive() {
            return Leaf::Sensitive;
        }
        let size = value_size(self.value);
        match self.room.get().checked_sub(size).filter(|left| *left > 0) {
            Some(left) => {
                self.room.set(left);
                Leaf::Known(masked(self))
            }
            None => Leaf::Known(told_by_size(size)),
        }
    }
}

fn get<'a>(value: &'a Value, key: &str) -> &'a Value {
    value.get(key).unwrap_or(&Value::Null)
}

fn at(value: &Value, index: usize) -> &Value {
    value.get(index).unwrap_or(&Value::Null)
}

/// A copy without what is sensitive, for values that are shown whole.
fn masked(side: Side<'_>) -> Value {
    if side.sensitive() {
        return Value::String(super::secrets::SENSITIVE.to_owned());
    }
    match side.value {
        Value::Object(map) => {
            Value::Object(map.keys().map(|key| (key.clone(), masked(side.entry(key)))).collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array((0..items.len()).map(|index| masked(side.element(index))).collect()),
        other => other.clone(),
    }
}

fn compare(before: Side<'_>, after: Side<'_>, unknown: &Value) -> Option<Delta> {
    // What is unknown in it nobody can tell either, when that is too large.
    let unknown_now = *unknown == Value::Bool(true) || is_stand_in(unknown);
    if before.sensitive() || after.sensitive() {
        return compare_sensitive(before, after, unknown_now);
    }
    if unknown_now {
        return Some(match before.value {
            Value::Null => Delta::Added(Leaf::Unknown),
            _ => Delta::Changed(before.leaf(), Leaf::Unknown),
        });
    }
    match (before.value, after.value) {
        (Value::Object(_), Value::Object(_)) => compare_objects(before, after, unknown),
        (Value::Array(_), Value::Array(_)) => compare_lists(before, after, unknown),
        (Value::Null, Value::Null) => has_true(unknown).then_some(Delta::Added(Leaf::Unknown)),
        (Value::Null, Value::Object(_)) => {
            compare_objects(before, after, unknown).or_else(|| Some(Delta::Added(after.leaf())))
        }
        (Value::Null, _) if has_true(unknown) => compare_lists(before, after, unknown),
        (Value::Null, _) => Some(Delta::Added(after.leaf())),
        (_, Value::Null) if !has_true(unknown) => Some(Delta::Removed(before.leaf())),
        (one, other) if one == other && !has_true(unknown) => None,
        _ => Some(Delta::Changed(before.leaf(), after.leaf())),
    }
}

fn compare_sensitive(before: Side<'_>, after: Side<'_>, unknown: bool) -> Option<Delta> {
    let same = before.value == after.value && !unknown;
    if same {
        let remarked = before.sensitive() != after.sensitive() && !before.value.is_null();
        return remarked.then_some(Delta::Remarked { sensitive: after.sensitive() });
    }
    let after_leaf = if unknown { Leaf::Unknown } else { Leaf::Sensitive };
    Some(if before.value.is_null() {
        Delta::Added(after_leaf)
    } else if after.value.is_null() && !unknown {
        Delta::Removed(Leaf::Sensitive)
    } else {
        Delta::Changed(Leaf::Sensitive, after_leaf)
    })
}

/// Whether anything is marked at all; most objects of marks are empty. What is too large counts.
pub(super) fn has_true(marks: &Value) -> bool {
    match marks {
        Value::String(_) => is_stand_in(marks),
        Value::Bool(mark) => *mark,
        Value::Array(items) => items.iter().any(has_true),
        Value::Object(map) => map.values().any(has_true),
        _ => false,
    }
}

fn compare_objects(before: Side<'_>, after: Side<'_>, unknown: &Value) -> Option<Delta> {
    let mut keys: Vec<&String> = Vec::new();
    for source in [before.value, after.value, unknown] {
        if let Value::Object(map) = source {
            keys.extend(map.keys());
        }
    }
    keys.sort_unstable();
    keys.dedup();
    let mut entries = Vec::new();
    let mut unchanged = 0;
    for key in keys {
        match compare(before.entry(key), after.entry(key), get(unknown, key)) {
            Some(inner) => {
                entries.push((key.clone(), inner));
                if !after.has_room() {
                    break;
                }
            }
            // An attribute without a value is not one that anybody set.
            None if before.entry(key).value.is_null() => {}
            None => unchanged += 1,
        }
    }
    (!entries.is_empty()).then_some(Delta::Object { entries, unchanged, new: before.value.is_null() })
}

/// Elements that are equal stay; of the others, those at the same place among their kind are one
/// changed element, the rest are added or removed.
fn compare_lists(before: Side<'_>, after: Side<'_>, unknown: &Value) -> Option<Delta> {
    let none = Vec::new();
    let old = before.value.as_array().unwrap_or(&none);
    let new = after.value.as_array().unwrap_or(&none);
    let length = new.len().max(unknown.as_array().map_or(0, Vec::len));
    if old.len().max(length) > MOST_COMPARED {
        return compare_by_place(before, after, unknown, old.len(), length);
    }
    let same = |i: usize, j: usize| {
        at(before.value, i) == at(after.value, j)
            && !has_true(at(unknown, j))
            && at(before.marks, i) == at(after.marks, j)
    };
    let mut left: Vec<usize> = Vec::new();
    let mut free: Vec<bool> = vec![true; length];
    let mut in_order = true;
    let mut last = None;
    for i in 0..old.len() {
        let found = (0..length).find(|&j| free.get(j) == Some(&true) && same(i, j));
        match found {
            Some(j) => {
                if let Some(slot) = free.get_mut(j) {
                    *slot = false;
                }
                in_order &= last.is_none_or(|last| last < j);
                last = Some(j);
            }
            None => left.push(i),
        }
    }
    let right: Vec<usize> = free.iter().enumerate().filter(|(_, free)| **free).map(|(j, _)| j).collect();
    let unchanged = old.len() - left.len();
    if left.is_empty() && right.is_empty() {
        let reordered = Delta::List { items: Vec::new(), unchanged, reordered: true, new: false };
        return (!in_order).then_some(reordered);
    }
    let mut items = Vec::new();
    // Only objects have an inside worth comparing; a set's other elements come and go whole.
    let may_be_object = |j: &usize| after.element(*j).value.is_object() || *at(unknown, *j) == Value::Bool(true);
    let (objects, mut rest): (Vec<usize>, Vec<usize>) = right.iter().partition(|j| may_be_object(j));
    let mut pairs = objects.into_iter();
    for &i in &left {
        let old = before.element(i);
        let pair = if old.value.is_object() { pairs.next() } else { None };
        match pair {
            Some(j) => items.extend(compare(old, after.element(j), at(unknown, j))),
            None => items.push(Delta::Removed(old.leaf())),
        }
    }
    rest.extend(pairs);
    rest.sort_unstable();
    for j in rest {
        let new = after.element(j);
        let nothing = Side { value: &Value::Null, marks: &Value::Null, room: after.room };
        let none = Delta::Added(Leaf::Known(Value::Null));
        items.push(compare(nothing, new, at(unknown, j)).unwrap_or(none));
    }
    Some(Delta::List { items, unchanged, reordered: false, new: before.value.is_null() })
}

fn compare_by_place(before: Side<'_>, after: Side<'_>, unknown: &Value, old: usize, new: usize) -> Option<Delta> {
    let mut items = Vec::new();
    let mut unchanged = 0;
    for index in 0..old.max(new) {
        match compare(before.element(index), after.element(index), at(unknown, index)) {
            Some(item) => {
                items.push(item);
                if !after.has_room() {
                    break;
                }
            }
            None => unchanged += 1,
        }
    }
    (!items.is_empty()).then_some(Delta::List { items, unchanged, reordered: false, new: before.value.is_null() })
}

/// What differs between two values of which nothing is unknown or marked.
pub(crate) fn compare_values(before: &Value, after: &Value) -> Option<Delta> {
    let room = Cell::new(usize::MAX);
    let side = |value| Side { value, marks: &Value::Null, room: &room };
    compare(side(before), side(after), &Value::Null)
}
