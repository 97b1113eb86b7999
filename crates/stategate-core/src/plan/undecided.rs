//! What of a plan is known only during the apply: two plans with unknown values compare as equal,
//! whatever code sets these.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use serde_json::Value;

use super::change::ResourceChange;
use super::delta::has_true;
use crate::configuration::call_path;

/// Blocks of the configuration that are kept.
const MOST_BLOCKS: usize = 20_000;

/// Names of attributes that are kept; equal resources share theirs.
const MOST_NAMES: usize = 50_000;

/// A block of the configuration of which the plan does not know all values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Block {
    /// The calls that lead to its module (`network.subnets`); empty in the root module.
    pub call_path: String,
    /// `resource`, `data`, `action` or `output`.
    pub kind: &'static str,
    /// Its labels.
    pub labels: Vec<String>,
}

impl Block {
    /// The address in the configuration, without instances.
    pub fn address(&self) -> String {
        let modules = self.call_path.split('.').filter(|call| !call.is_empty());
        let modules: String = modules.map(|call| format!("module.{call}.")).collect();
        let kind = if self.kind == "resource" { String::new() } else { format!("{}.", self.kind) };
        format!("{modules}{kind}{}", self.labels.join("."))
    }
}

/// Which attributes are unknown, in all instances together and without the indices of lists.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Unknown {
    /// All of it may be.
    pub all: bool,
    /// What is unknown within it.
    pub members: BTreeMap<String, Self>,
}

impl Unknown {
    fn of(marks: &Value) -> Self {
        let mut unknown = Self::default();
        match marks {
            Value::Null | Value::Bool(false) => {}
            Value::Object(members) => {
                for (name, marks) in members.iter().filter(|(_, marks)| has_true(marks)) {
                    unknown.members.insert(name.clone(), Self::of(marks));
                }
            }
            Value::Array(items) => items.iter().for_each(|marks| unknown.merge(&Self::of(marks))),
            // A stand-in for marks that are too large says nothing.
            Value::Bool(true) | Value::Number(_) | Value::String(_) => unknown.all = true,
        }
        unknown
    }

    fn merge(&mut self, other: &Self) {
        self.all |= other.all;
        for (name, inner) in &other.members {
            self.members.entry(name.clone()).or_default().merge(inner);
        }
    }

    fn is_nothing(&self) -> bool {
        !self.all && self.members.is_empty()
    }

    fn size(&self) -> usize {
        1 + self.members.values().map(Self::size).sum::<usize>()
    }
}

/// Blocks, and what is unknown of each.
#[derive(Clone, Default, PartialEq)]
pub struct Undecided {
    /// The blocks that are kept.
    pub blocks: BTreeMap<Block, Arc<Unknown>>,
    /// Whether there are more.
    pub is_cut_off: bool,
}

/// Collects them.
#[derive(Default)]
pub(super) struct Gathering {
    found: Undecided,
    shared: HashSet<Arc<Unknown>>,
    names: usize,
}

impl Gathering {
    pub(super) fn resource(&mut self, change: &ResourceChange) {
        let kind = if change.mode == "data" { "data" } else { "resource" };
        let labels = || vec![change.r#type.clone(), change.name.clone()];
        let module = change.module_address.as_deref().unwrap_or_default();
        self.add(&change.change.after_unknown, || Block { call_path: call_path(module), kind, labels: labels() });
    }

    /// An action, by its address.
    pub(super) fn action(&mut self, address: &str, labels: [&str; 2], marks: &Value) {
        self.add(marks, || {
            // Behind the modules there are `action`, the type and the name.
            let path = call_path(address);
            let call_path = path.rsplit_once('.').map_or_else(String::new, |(modules, _)| modules.to_owned());
            Block { call_path, kind: "action", labels: labels.map(str::to_owned).to_vec() }
        });
    }

    pub(super) fn output(&mut self, name: &str, marks: &Value) {
        self.add(marks, || Block { call_path: String::new(), kind: "output", labels: vec![name.to_owned()] });
    }

    fn add(&mut self, marks: &Value, block: impl FnOnce() -> Block) {
        let mut unknown = Unknown::of(marks);
        if unknown.is_nothing() {
            return;
        }
        let block = block();
        match self.found.blocks.get(&block) {
            Some(known) if **known == unknown => return,
            Some(known) => unknown.merge(known),
            None if self.found.blocks.len() >= MOST_BLOCKS => {
                self.found.is_cut_off = true;
                return;
            }
            None => {}
        }
        let shared = self.shared.get(&unknown).cloned();
        let shared = shared.unwrap_or_else(|| {
            self.names += unknown.size();
            // Without its names, any attribute of it may be unknown.
            let kept = if self.names > MOST_NAMES { Unknown { all: true, ..Unknown::default() } } else { unknown };
            let kept = Arc::new(kept);
            self.shared.insert(kept.clone());
            kept
        });
        self.found.blocks.insert(block, shared);
    }

    pub(super) fn finish(self) -> Undecided {
        self.found
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn instances_of_a_block_are_merged_and_indices_dropped() {
        let mut gathering = Gathering::default();
        gathering.action(
            "module.m[\"a.module.b\"].action.x_run.go",
            ["x_run", "go"],
            &json!({"config": [{"a": true}]}),
        );
        gathering.action("module.m[\"c\"].action.x_run.go", ["x_run", "go"], &json!({"config": [{}, {"b": true}]}));
        gathering.output("known", &json!(false));
        let blocks = gathering.finish().blocks;
        let (block, unknown) = blocks.iter().next().unwrap();
        assert_eq!((blocks.len(), block.address().as_str()), (1, "module.m.action.x_run.go"));
        assert_eq!(unknown.members["config"].members.keys().collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn too_many_blocks_and_names_are_not_forgotten() {
        let mut gathering = Gathering::default();
        for number in 0..=MOST_BLOCKS {
            gathering.output(&number.to_string(), &json!({"a": {"b": true}, number.to_string(): true}));
        }
        let found = gathering.finish();
        assert!(found.is_cut_off && found.blocks.len() == MOST_BLOCKS);
        assert!(found.blocks.values().any(|unknown| unknown.all));
    }
}
