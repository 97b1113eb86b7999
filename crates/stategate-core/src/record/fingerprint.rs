//! What a plan means, as fingerprints that tell no value.
//!
//! For each change count: its address (and deposed key), the actions in their order, the provider,
//! where it was moved or imported from, and every attribute that changes, from what to what. Of a
//! created object count all attributes that are set; of a destroyed one its `id`. What is unknown
//! counts as unknown. Not counted: attributes that stay as they are, Terraform's reason, the order
//! of the changes, and drift that leads to no change.

use std::collections::{BTreeMap, BTreeSet};

use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::Sha256;

use super::canonical::{Canon, NONE, Sides, Unfinished, is_somewhere, keys, member};
use super::key::{FingerprintKey, hex};
use crate::plan::{
    ActionInvocation, Change, DeferredSummary, PlanSummary, PlanVisitor, ResourceChange as PlannedChange,
};

/// How many digits of a fingerprint people are shown.
pub const SHORT: usize = 12;

/// How many digits are kept of a fingerprint, and of one attribute's.
const DIGITS: usize = 32;
const ATTRIBUTE_DIGITS: usize = 16;

/// How many attributes are kept one by one; beyond that, a difference names the resource only.
const MOST_ATTRIBUTES: usize = 20_000;

/// What a plan would do, without its values.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanFingerprint {
    /// The fingerprint of the whole.
    pub fingerprint: String,
    /// Whether there was a key, so that sensitive values are in the fingerprints.
    pub keyed: bool,
    /// Whether something sensitive was left out for want of a key.
    pub masked: bool,
    /// Whether the plan covers everything; not so when parts are deferred.
    pub complete: bool,
    /// The resource changes, by address.
    pub resources: Vec<ResourceChange>,
    /// The outputs that change, by name.
    pub outputs: Vec<OutputChange>,
    /// Parts of the plan that are not resource changes or outputs, as the reader names them.
    #[serde(default)]
    pub other: Vec<String>,
}

impl PlanFingerprint {
    /// The fingerprint as people are shown it.
    pub fn short(&self) -> &str {
        self.fingerprint.get(..SHORT).unwrap_or(&self.fingerprint)
    }
}

/// One resource's change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ResourceChange {
    /// The resource's address.
    pub address: String,
    /// The deposed object's key, when the change is about that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deposed: Option<String>,
    /// Terraform's words for what is done, in its order.
    pub actions: Vec<String>,
    /// The fingerprint of the change's meaning.
    pub fingerprint: String,
    /// A fingerprint for each attribute that changes, so that a difference can name it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
}

/// One output's change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OutputChange {
    /// Its name.
    pub name: String,
    /// Terraform's words for what is done.
    pub actions: Vec<String>,
    /// The fingerprint of its change.
    pub fingerprint: String,
}

/// Takes the fingerprints of a plan while it is read.
pub struct Fingerprinter {
    key: FingerprintKey,
    resource_start: Hmac<Sha256>,
    attribute_start: Hmac<Sha256>,
    resources: Vec<Taken>,
    outputs: Vec<Taken>,
    other: Vec<String>,
    unknown: BTreeSet<String>,
    attributes: usize,
    masked: bool,
}

/// A change whose fingerprint is taken. Few have a time in them, so all that is kept of most of a large
/// plan's are its name and digits.
enum Taken {
    Whole(ResourceChange),
    /// When the plan was made stands at its end.
    Open(Box<Pending>),
}

impl Taken {
    fn of(pending: Pending) -> Self {
        if pending.attributes.iter().any(|(_, value)| value.is_open()) {
            Self::Open(Box::new(pending))
        } else {
            Self::Whole(pending.finish(None))
        }
    }

    fn finish(self, plan_time: Option<&str>) -> ResourceChange {
        match self {
            Self::Whole(change) => change,
            Self::Open(pending) => pending.finish(plan_time),
        }
    }
}

/// A change whose times are not known yet to be the plan's.
struct Pending {
    name: String,
    deposed: Option<String>,
    actions: Vec<String>,
    head: Hmac<Sha256>,
    attributes: Vec<(String, Unfinished)>,
    keeps_attributes: bool,
}

impl Fingerprinter {
    /// Starts with a key (see [`super::key_for`] for the one that fits a reviewed record).
    pub fn new(key: FingerprintKey) -> Self {
        Self {
            resource_start: key.start("change"),
            attribute_start: key.start("attribute"),
            key,
            resources: Vec::new(),
            outputs: Vec::new(),
            other: Vec::new(),
            unknown: BTreeSet::new(),
            attributes: 0,
            masked: false,
        }
    }

    /// Ends with what the whole plan says: when it was made, and whether it covers everything.
    pub fn finish_plan(self, plan: &PlanSummary) -> PlanFingerprint {
        self.finish(plan.timestamp.as_deref(), plan.complete != Some(false))
    }

    /// Ends with what is known only after the whole plan was read.
    ///
    /// `plan_time` is the plan's own `timestamp`, `complete` its field of that name.
    fn finish(self, plan_time: Option<&str>, complete: bool) -> PlanFingerprint {
        let mut resources: Vec<ResourceChange> =
            self.resources.into_iter().map(|taken| taken.finish(plan_time)).collect();
        resources.sort();
        let output = |taken: Taken| {
            let ResourceChange { address: name, actions, fingerprint, .. } = taken.finish(plan_time);
            OutputChange { name, actions, fingerprint }
        };
        let mut outputs: Vec<OutputChange> = self.outputs.into_iter().map(output).collect();
        outputs.sort();
        let unknown = self.unknown.into_iter().map(|part| format!("unknown: {part}"));
        let mut other: Vec<String> = self.other.into_iter().chain(unknown).collect();
        other.sort();

        let mut whole = Canon::new(self.key.start("plan"), true);
        for change in &resources {
            whole.name("resource");
            whole.name(&change.fingerprint);
        }
        for change in &outputs {
            whole.name("output");
            whole.name(&change.fingerprint);
        }
        for part in &other {
            whole.name("other");
            whole.name(part);
        }
        whole.name(if complete { "complete" } else { "incomplete" });
        PlanFingerprint {
            fingerprint: digits(&whole.end().finish(None), DIGITS),
            keyed: self.key.is_keyed(),
            masked: self.masked,
            complete,
            resources,
            outputs,
            other,
        }
    }

    fn attribute(&mut self, pending: &mut Pending, name: &str, write: impl FnOnce(&mut Canon)) {
        let mut named = Canon::new(self.attribute_start.clone(), self.key.is_keyed());
        // The address makes equal values of different resources look different.
        named.name(&pending.name);
        named.name(name);
        let mut value = Canon::new(named.end_mac(), self.key.is_keyed());
        write(&mut value);
        self.masked |= value.is_masked();
        if !value.is_empty() {
            pending.attributes.push((name.to_owned(), value.end()));
        }
    }

    fn change(&mut self, mut pending: Pending, change: &Change, is_resource: bool) -> Pending {
        let sides = Sides {
            before: &change.before,
            after: &change.after,
            unknown: &change.after_unknown,
            before_sensitive: &change.before_sensitive,
            after_sensitive: &change.after_sensitive,
        };
        let destroys = change.actions.iter().any(|a| a == "delete" || a == "forget");
        let is_object_or_nothing = |value: &Value| value.is_object() || value.is_null();
        let by_attribute = is_resource
            && is_object_or_nothing(sides.before)
            && is_object_or_nothing(sides.after)
            && *sides.unknown != Value::Bool(true);
        if !by_attribute {
            self.attribute(&mut pending, "", |canon| whole(canon, &sides));
        } else if sides.after.is_null() && !is_somewhere(sides.unknown) {
            self.attribute(&mut pending, "id", |canon| identity(canon, &sides));
        } else {
            for key in keys(&[sides.before, sides.after, sides.unknown]) {
                let side = sides.map(|value| member(value, key));
                self.attribute(&mut pending, key, |canon| {
                    if destroys && key == "id" {
                        identity(canon, &sides);
                    }
                    if !sides.before.is_null() {
                        canon.difference(&mut Vec::new(), &side);
                    } else if !side.after.is_null() || is_somewhere(side.unknown) {
                        canon.value(side.after, side.unknown, side.after_sensitive);
                    }
                });
            }
        }
        self.attributes += pending.attributes.len();
        pending.keeps_attributes = self.key.is_keyed() && self.attributes <= MOST_ATTRIBUTES;
        pending
    }
}

/// A value that is not looked at attribute by attribute, such as an output's.
fn whole(canon: &mut Canon, sides: &Sides<'_>) {
    if sides.before.is_null() {
        canon.value(sides.after, sides.unknown, sides.after_sensitive);
    } else {
        canon.difference(&mut Vec::new(), sides);
    }
}

/// Which object is destroyed: one that was made anew under the same address is another.
fn identity(canon: &mut Canon, sides: &Sides<'_>) {
    let id = member(sides.before, "id");
    if id.is_string() || id.is_number() {
        canon.name("identity");
        let sensitive = sides.map(|value| member(value, "id")).before_sensitive;
        canon.value(id, NONE, sensitive);
    }
}

impl Pending {
    fn finish(self, plan_time: Option<&str>) -> ResourceChange {
        let mut head = self.head;
        let mut attributes = BTreeMap::new();
        for (name, unfinished) in self.attributes {
            let fingerprint = unfinished.finish(plan_time);
            head.update(&fingerprint);
            if self.keeps_attributes {
                attributes.insert(name, digits(&fingerprint, ATTRIBUTE_DIGITS));
            }
        }
        let fingerprint: [u8; 32] = head.finalize().into_bytes().into();
        ResourceChange {
            address: self.name,
            deposed: self.deposed,
            actions: self.actions,
            fingerprint: digits(&fingerprint, DIGITS),
            attributes,
        }
    }
}

impl PlanVisitor for Fingerprinter {
    fn resource_change(&mut self, planned: &PlannedChange) {
        let change = &planned.change;
        let mut head = Canon::new(self.resource_start.clone(), self.key.is_keyed());
        head.name("resource");
        head.name(&planned.address);
        head.name(planned.deposed.as_deref().unwrap_or_default());
        head.name(&planned.provider_name);
        head.name(planned.previous_address.as_deref().unwrap_or_default());
        for action in &change.actions {
            head.name(action);
        }
        if let Some(importing) = &change.importing {
            head.name("import");
            head.name(&importing.to_string());
        }
        let pending = Pending {
            name: planned.address.clone(),
            deposed: planned.deposed.clone(),
            actions: change.actions.clone(),
            head: head.end_mac(),
            attributes: Vec::new(),
            keeps_attributes: false,
        };
        let pending = if change.actions == ["no-op"] { pending } else { self.change(pending, change, true) };
        self.resources.push(Taken::of(pending));
    }

    fn deferred(&mut self, deferred: &DeferredSummary) {
        self.other.push(format!("{} is deferred ({})", deferred.address, deferred.reason));
    }

    fn action(&mut self, action: &ActionInvocation) {
        let by = action.trigger.resource().map(|address| format!(" (by {address})")).unwrap_or_default();
        let later = if action.deferred { ", later" } else { "" };
        self.other.push(format!("the action {} is invoked{by}{later}", action.address));
    }

    fn unknown(&mut self, what: &str) {
        self.unknown.insert(what.to_owned());
    }

    fn output_change(&mut self, name: &str, change: &Change) {
        let mut head = Canon::new(self.resource_start.clone(), self.key.is_keyed());
        head.name("output");
        head.name(name);
        for action in &change.actions {
            head.name(action);
        }
        let pending = Pending {
            name: format!("output.{name}"),
            deposed: None,
            actions: change.actions.clone(),
            head: head.end_mac(),
            attributes: Vec::new(),
            keeps_attributes: false,
        };
        let mut pending = self.change(pending, change, false);
        name.clone_into(&mut pending.name);
        self.outputs.push(Taken::of(pending));
    }
}

fn digits(bytes: &[u8], count: usize) -> String {
    let mut text = hex(bytes);
    text.truncate(count);
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::read_plan;

    /// What is kept grows with the number of changes, and not with what they say.
    #[test]
    fn only_a_change_with_a_time_in_it_is_kept_whole() {
        let created = |address: &str, after: Value| json!({"address": address, "change": {"actions": ["create"], "before": null, "after": after}});
        let many: serde_json::Map<String, Value> = (0..60).map(|number| (format!("a{number}"), "x".into())).collect();
        let plan = json!({"timestamp": "2026-11-20T12:00:00Z", "resource_changes": [
            created("a.plain", many.into()),
            created("a.timed", json!({"made": "2026-11-20T12:00:00Z"})),
        ]});
        let mut taken = Fingerprinter::new(FingerprintKey::new(Some("a lineage")));
        let summary = read_plan(plan.to_string().as_bytes(), &mut [&mut taken]).unwrap();
        assert!(matches!(taken.resources.as_slice(), [Taken::Whole(_), Taken::Open(_)]));
        let names: Vec<usize> = taken.finish_plan(&summary).resources.iter().map(|one| one.attributes.len()).collect();
        assert_eq!(names, [60, 1]);
    }
}
