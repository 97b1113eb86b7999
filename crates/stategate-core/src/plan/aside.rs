//! Values that may prove to be sensitive, until the configuration says which are.

use std::collections::HashSet;

use serde_json::Value;

use super::secrets::Marked;

/// What is put aside of values, by weight with their names; and of the names of sensitive variables.
pub(super) const MOST_VALUES: usize = 4 * 1024 * 1024;
const MOST_NAMES: usize = 2 * 1024 * 1024;

/// What a name or a value takes beside its own bytes.
const OWN: usize = 96;

/// How much is put aside at the moment, in all modules that are being read.
#[derive(Clone, Copy, Default)]
pub(super) struct Used {
    values: usize,
    names: usize,
}

impl Used {
    /// Takes the room of a value of this weight, if there is so much.
    pub(super) fn takes(&mut self, weight: usize) -> bool {
        let fits = self.values + weight <= MOST_VALUES;
        self.values += if fits { weight } else { 0 };
        fits
    }
}

/// The values of variables, by name.
#[derive(Default)]
pub(super) struct Given {
    values: Vec<(String, Value)>,
    left_out: bool,
}

impl Given {
    /// Whether there is room for one of this name; if not, that is remembered.
    pub(super) fn takes(&mut self, name: &str, used: &mut Used) -> bool {
        let fits = used.takes(name.len() + OWN);
        self.left_out |= !fits;
        fits
    }

    pub(super) fn put(&mut self, name: String, value: Value) {
        self.values.push((name, value));
    }

    /// Takes the values of sensitive variables. One that was not kept may be any secret.
    pub(super) fn mark(&self, sensitive: &Sensitive, marked: &mut Marked) {
        for (_, value) in self.values.iter().filter(|(name, _)| sensitive.has(name)) {
            marked.add_all(value);
        }
        if self.left_out && !sensitive.are_among(&self.values) {
            marked.give_up();
        }
    }
}

/// The names of a module's sensitive variables.
#[derive(Default)]
pub(super) struct Sensitive {
    names: HashSet<String>,
    /// They are too many: every variable counts as one.
    all: bool,
}

impl Sensitive {
    pub(super) fn add(&mut self, name: String, used: &mut Used) {
        used.names += name.len() + OWN;
        if used.names > MOST_NAMES {
            self.all = true;
        } else {
            self.names.insert(name);
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.all || self.names.contains(name)
    }

    fn are_among(&self, values: &[(String, Value)]) -> bool {
        let known: HashSet<&str> = values.iter().map(|(name, _)| name.as_str()).collect();
        !self.all && self.names.iter().all(|name| known.contains(name.as_str()))
    }
}
