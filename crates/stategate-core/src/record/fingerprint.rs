//! What a plan means, as fingerprints that tell no value.
//!
//! For each change count: its address (and deposed key), the actions in their order, the provider,
//! where it was moved or imported from, which object it is about (by its `id`, else its identity, `arn`
//! or `name`; of a destroyed one that has none, all its values), and every attribute that changes, from
//! what to what, and whether it is sensitive. Of a created object count all attributes that are set.
//! What is unknown counts as unknown. Each invocation of an action counts with its configuration, its
//! provider and what triggers it; what is deferred with all that is known of it. Where nothing but the
//! state's record changes, drift counts like a change. Not counted: attributes that stay as they are,
//! Terraform's reason, the order of the changes, and drift beside a change.

use std::collections::{BTreeMap, BTreeSet};

use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::Sha256;

use super::canonical::{Canon, NONE, Sides, Unfinished, is_somewhere, keys, member};
use super::effects::{Effect, Observed};
use super::identity::{BY_VALUES, identity, write_identity};
use super::key::{FingerprintKey, hex};
use crate::plan::{
    ActionInvocation, Change, DeferredSummary, PlanSummary, PlanVisitor, ResourceChange as PlannedChange,
};

/// How many digits of a fingerprint people are shown.
pub const SHORT: usize = 12;

/// How many digits are kept of a fingerprint, and of one attribute's.
const DIGITS: usize = 32;
pub(super) const ATTRIBUTE_DIGITS: usize = 16;

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
    /// What changed outside of Terraform, where nothing but that is written to the state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drift: Vec<ResourceChange>,
    /// Parts of the plan that are neither: invocations of actions, what is deferred, and what is not
    /// known to this program.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other: Vec<OtherPart>,
    /// What provisioners and providers are given.
    #[serde(default)]
    pub effects: Vec<Effect>,
    /// Variables that a provider's configuration reads, and that are not compared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_compared: Vec<String>,
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

/// A part of a plan that is neither a resource change nor an output. The same one can be there twice.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OtherPart {
    /// What it is, in words: `the action a.b would be invoked (by c.d)`.
    pub what: String,
    /// The fingerprint of its meaning.
    pub fingerprint: String,
    /// A fingerprint for each setting, so that a difference can name it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
}

/// What stands for the provider, the event and the place of an invocation among its settings: no setting
/// has such a name.
pub(super) const BY_PROVIDER: &str = " provider";
pub(super) const BY_TRIGGER: &str = " trigger";

/// Takes the fingerprints of a plan while it is read.
pub struct Fingerprinter {
    key: FingerprintKey,
    resource_start: Hmac<Sha256>,
    attribute_start: Hmac<Sha256>,
    resources: Vec<Taken>,
    outputs: Vec<Taken>,
    drift: Vec<Taken>,
    other: Vec<Taken>,
    unknown: BTreeSet<String>,
    refresh_only: bool,
    attributes: usize,
    masked: bool,
    observed: Observed,
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
            drift: Vec::new(),
            other: Vec::new(),
            unknown: BTreeSet::new(),
            refresh_only: false,
            attributes: 0,
            masked: false,
            observed: Observed::default(),
        }
    }

    /// Whether the plan was asked for with `-refresh-only`: then drift counts, whatever else it has.
    #[must_use]
    pub fn refresh_only(mut self, is_refresh_only: bool) -> Self {
        self.refresh_only = is_refresh_only;
        self
    }

    /// The key.
    pub fn key(&self) -> &FingerprintKey {
        &self.key
    }

    /// Adds what the apply does that stands in no change.
    #[must_use]
    pub fn with_effects(mut self, observed: Observed) -> Self {
        self.observed = observed;
        self
    }

    /// Ends with what the whole plan says: when it was made, whether it covers everything, and whether
    /// an apply would do something.
    pub fn finish_plan(mut self, plan: &PlanSummary) -> PlanFingerprint {
        let plan_time = plan.timestamp.as_deref();
        let complete = plan.complete != Some(false);
        for what in std::mem::take(&mut self.unknown) {
            let pending = self.pending("unknown", format!("unknown: {what}"));
            self.other.push(Taken::of(pending));
        }
        let finished = |taken: Vec<Taken>| {
            let mut changes: Vec<ResourceChange> = taken.into_iter().map(|taken| taken.finish(plan_time)).collect();
            changes.sort();
            changes
        };
        let resources = finished(self.resources);
        // OpenTofu does not say whether an apply would do something. What is only read changes nothing.
        let only_reads = resources.iter().all(|change| change.actions == ["read"]);
        let drift_counts = self.refresh_only || only_reads && plan.applyable != Some(false);
        let drift = if drift_counts { finished(self.drift) } else { Vec::new() };
        let outputs: Vec<OutputChange> = finished(self.outputs).into_iter().map(OutputChange::from).collect();
        let other: Vec<OtherPart> = finished(self.other).into_iter().map(OtherPart::from).collect();

        let mut whole = Canon::new(self.key.start("plan"), true);
        let parts = resources
            .iter()
            .map(|change| ("resource", &change.fingerprint))
            .chain(outputs.iter().map(|change| ("output", &change.fingerprint)))
            .chain(drift.iter().map(|change| ("drift", &change.fingerprint)))
            .chain(other.iter().map(|part| ("other", &part.fingerprint)));
        for (kind, fingerprint) in parts {
            whole.name(kind);
            whole.name(fingerprint);
        }
        for effect in &self.observed.effects {
            whole.name("effect");
            whole.name(&effect.subject.to_string());
            for (name, fingerprint) in &effect.parts {
                whole.name(name);
                whole.name(fingerprint);
            }
        }
        whole.name(if complete { "complete" } else { "incomplete" });
        PlanFingerprint {
            fingerprint: digits(&whole.end().finish(None), DIGITS),
            keyed: self.key.is_keyed(),
            masked: self.masked || self.observed.masked,
            complete,
            resources,
            outputs,
            drift,
            other,
            effects: self.observed.effects,
            not_compared: self.observed.not_compared,
        }
    }

    /// Begins a change: what is known by its name.
    fn pending(&self, kind: &str, name: String) -> Pending {
        let mut head = Canon::new(self.resource_start.clone(), self.key.is_keyed());
        head.name(kind);
        head.name(&name);
        Pending {
            name,
            deposed: None,
            actions: Vec::new(),
            head: head.end_mac(),
            attributes: Vec::new(),
            keeps_attributes: false,
        }
    }

    /// Takes what is done to a resource.
    fn resource(&mut self, kind: &str, planned: &PlannedChange) -> Pending {
        let change = &planned.change;
        let mut pending = self.pending(kind, planned.address.clone());
        let mut head = Canon::new(pending.head, self.key.is_keyed());
        head.name(planned.deposed.as_deref().unwrap_or_default());
        head.name(&planned.provider_name);
        head.name(planned.previous_address.as_deref().unwrap_or_default());
        for action in &change.actions {
            head.name(action);
        }
        if let Some(importing) = &change.importing {
            head.name("import");
            head.value(importing, NONE, NONE);
        }
        pending.head = head.end_mac();
        pending.deposed.clone_from(&planned.deposed);
        pending.actions.clone_from(&change.actions);
        self.change(pending, change, true)
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
        let is_object_or_nothing = |value: &Value| value.is_object() || value.is_null();
        let by_attribute = is_resource
            && is_object_or_nothing(sides.before)
            && is_object_or_nothing(sides.after)
            && *sides.unknown != Value::Bool(true);
        if by_attribute {
            self.by_attribute(&mut pending, change, &sides);
        } else {
            self.attribute(&mut pending, "", |canon| whole(canon, &sides));
        }
        self.attributes += pending.attributes.len();
        pending.keeps_attributes = self.key.is_keyed() && self.attributes <= MOST_ATTRIBUTES;
        pending
    }

    /// What is lost, or stays, is told by which object it is; all else by each attribute, too.
    fn by_attribute(&mut self, pending: &mut Pending, change: &Change, sides: &Sides<'_>) {
        let identity = identity(change);
        let has_values = change.actions != ["no-op"] && (!sides.after.is_null() || is_somewhere(sides.unknown));
        let mut names = if has_values { keys(&[sides.before, sides.after, sides.unknown]) } else { BTreeSet::new() };
        names.extend(identity);
        for name in names {
            let side = sides.map(|value| member(value, name));
            self.attribute(pending, name, |canon| {
                if identity == Some(name) {
                    write_identity(canon, change, sides, name);
                }
                if has_values && !sides.before.is_null() {
                    canon.difference(&mut Vec::new(), &side);
                } else if has_values && (!side.after.is_null() || is_somewhere(side.unknown)) {
                    canon.value(side.after, side.unknown, side.after_sensitive);
                }
            });
        }
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

impl From<ResourceChange> for OutputChange {
    fn from(change: ResourceChange) -> Self {
        Self { name: change.address, actions: change.actions, fingerprint: change.fingerprint }
    }
}

impl From<ResourceChange> for OtherPart {
    fn from(change: ResourceChange) -> Self {
        Self { what: change.address, fingerprint: change.fingerprint, attributes: change.attributes }
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
        let pending = self.resource("resource", planned);
        self.resources.push(Taken::of(pending));
    }

    fn drift(&mut self, change: &PlannedChange) {
        // Whether it counts shows at the end; its names take none of the room of what does count.
        let attributes = self.attributes;
        let pending = self.resource("drift", change);
        self.attributes = attributes;
        self.drift.push(Taken::of(pending));
    }

    fn deferred(&mut self, deferred: &DeferredSummary, change: &PlannedChange) {
        let mut pending = self.resource("deferred", change);
        pending.name = format!("{} is deferred ({})", deferred.address, deferred.reason);
        let mut head = Canon::new(pending.head, self.key.is_keyed());
        head.name(&deferred.reason);
        pending.head = head.end_mac();
        self.other.push(Taken::of(pending));
    }

    fn action(&mut self, action: &ActionInvocation) {
        let by = action.trigger.resource().map(|address| format!(" (by {address})")).unwrap_or_default();
        let later = if action.deferred { " later" } else { "" };
        let what = format!("the action {} would be invoked{later}{by}", action.address);
        let mut pending = self.pending("action", what);
        self.attribute(&mut pending, BY_PROVIDER, |canon| {
            canon.name(&action.r#type);
            canon.name(&action.name);
            canon.name(&action.provider_name);
        });
        self.attribute(&mut pending, BY_TRIGGER, |canon| {
            for trigger in &action.triggers {
                canon.value(trigger, NONE, NONE);
            }
        });
        let pending = self.change(pending, &action.config, true);
        self.other.push(Taken::of(pending));
    }

    fn unknown(&mut self, what: &str, content: &Value) {
        if content.is_null() {
            self.unknown.insert(what.to_owned());
            return;
        }
        let mut pending = self.pending("unknown part", format!("unknown: {what}"));
        // What in it is sensitive nobody knows.
        self.attribute(&mut pending, BY_VALUES, |canon| canon.value(content, NONE, &Value::Bool(true)));
        self.other.push(Taken::of(pending));
    }

    fn output_change(&mut self, name: &str, change: &Change) {
        let mut pending = self.pending("output", format!("output.{name}"));
        let mut head = Canon::new(pending.head, self.key.is_keyed());
        for action in &change.actions {
            head.name(action);
        }
        pending.head = head.end_mac();
        pending.actions.clone_from(&change.actions);
        let mut pending = self.change(pending, change, false);
        name.clone_into(&mut pending.name);
        self.outputs.push(Taken::of(pending));
    }
}

pub(super) fn digits(bytes: &[u8], count: usize) -> String {
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
