//! Is what would be applied what was reviewed? And if not: what differs, and why that might be.

use std::collections::BTreeMap;
use std::fmt;

use super::audit::AuditRecord;
use super::fingerprint::{PlanFingerprint, ResourceChange};
use super::key::FingerprintKey;
use super::{Record, RecordOrigin};

/// How the plan that would be applied compares with what was reviewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparison {
    /// It means the same.
    Equal {
        /// What could not be compared, to be told all the same.
        notes: Vec<Note>,
    },
    /// It does not.
    Different {
        /// What differs: never empty.
        differences: Vec<Difference>,
        /// Why that might be.
        whys: Vec<Why>,
    },
}

/// Something that was left out of the comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// There was no state when the plan was reviewed, and so no key for sensitive values.
    SensitiveNotCompared,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SensitiveNotCompared => f.write_str(
                "sensitive values were not compared: there was no state yet when this was \
                 reviewed, and without one nothing secret is recorded of them",
            ),
        }
    }
}

/// One difference, from the reviewed plan to the one that would be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// A resource that the reviewed plan left alone would be changed.
    New {
        /// The resource, with its deposed key if it is about one.
        resource: String,
        /// Terraform's words for what would be done.
        actions: Vec<String>,
    },
    /// A resource that the reviewed plan changed would be left alone.
    Gone {
        /// The resource.
        resource: String,
        /// What the reviewed plan did.
        actions: Vec<String>,
    },
    /// Something else would be done.
    Actions {
        /// The resource.
        resource: String,
        /// What the reviewed plan did.
        reviewed: Vec<String>,
        /// What would be done now.
        now: Vec<String>,
    },
    /// The same would be done, with other values.
    Values {
        /// The resource.
        resource: String,
        /// Terraform's words for what would be done.
        actions: Vec<String>,
        /// The attributes that differ, where that is known.
        attributes: Vec<String>,
    },
    /// An output that the reviewed plan left alone would be changed.
    NewOutput {
        /// Its name.
        name: String,
    },
    /// An output that the reviewed plan changed would be left alone.
    GoneOutput {
        /// Its name.
        name: String,
    },
    /// An output would get another value.
    OutputValue {
        /// Its name.
        name: String,
    },
    /// A part of the plan that is neither would be new.
    NewOther {
        /// As the reader names it.
        part: String,
    },
    /// A part of the plan that is neither would be gone.
    GoneOther {
        /// As the reader names it.
        part: String,
    },
    /// The plan no longer covers everything.
    Incomplete,
    /// It is another state, with another lineage, or it is gone.
    OtherState,
    /// The values cannot be compared: there was no state then, and there is one now.
    NotComparable,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New { resource, actions } => {
                write!(f, "{resource} would be {}; the reviewed plan left it alone", words(actions))
            }
            Self::Gone { resource, actions } => {
                write!(f, "{resource} would be left alone; in the reviewed plan it was to be {}", words(actions))
            }
            Self::Actions { resource, reviewed, now } => {
                write!(f, "{resource} would be {}; in the reviewed plan it was to be {}", words(now), words(reviewed))
            }
            Self::Values { resource, actions, attributes } => {
                write!(f, "{resource} would be {} ", words(actions))?;
                match attributes.as_slice() {
                    [] => f.write_str("with other values"),
                    [one] if one == "id" && destroys(actions) => {
                        f.write_str("as was reviewed, but it is another object by now (`id`)")
                    }
                    some => {
                        f.write_str("with another value of ")?;
                        for (at, name) in some.iter().enumerate() {
                            write!(f, "{}`{name}`", if at == 0 { "" } else { ", " })?;
                        }
                        Ok(())
                    }
                }
            }
            Self::NewOutput { name } => {
                write!(f, "the output {name} would change; the reviewed plan left it alone")
            }
            Self::GoneOutput { name } => {
                write!(f, "the output {name} would not change, as it did in the reviewed plan")
            }
            Self::OutputValue { name } => {
                write!(f, "the output {name} would change to another value, or from another")
            }
            Self::NewOther { part } => write!(f, "{part}: not in the reviewed plan"),
            Self::GoneOther { part } => write!(f, "{part}: in the reviewed plan only"),
            Self::Incomplete => f.write_str(
                "the plan covers only a part (some changes are deferred); the reviewed plan \
                 covered everything",
            ),
            Self::OtherState => f.write_str(
                "the state is not the one that the reviewed plan was made for (its lineage is \
                 another, or it is gone)",
            ),
            Self::NotComparable => f.write_str(
                "there was no state when this was reviewed, so its values cannot be compared \
                 with a plan made with one",
            ),
        }
    }
}

/// Why a plan might differ from the reviewed one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The code is the very same, so the difference comes from outside.
    SameCode,
    /// The code is not what was planned: the base branch moved after it.
    OtherCode {
        /// The base commit of the reviewed plan, when it is known.
        base: Option<String>,
    },
    /// Somebody wrote the state since.
    StateMoved {
        /// Its serial then and now.
        reviewed: Option<u64>,
        /// Its serial now.
        now: Option<u64>,
        /// The pull requests that were applied since, as far as the audit records tell.
        by: Vec<u64>,
    },
    /// Terraform has another version.
    Terraform {
        /// The version then.
        reviewed: String,
        /// The version now.
        now: String,
    },
    /// A provider has another version.
    Provider {
        /// Its source address.
        name: String,
        /// The version then.
        reviewed: Option<String>,
        /// The version now.
        now: Option<String>,
    },
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_none = |version: &Option<String>| version.clone().unwrap_or_else(|| "none".into());
        match self {
            Self::SameCode => f.write_str(
                "the code is exactly what was planned, so the difference comes from the state, \
                 from what exists, or from what the configuration reads",
            ),
            Self::OtherCode { base } => {
                f.write_str("the merged code is not the code that was planned")?;
                match base {
                    Some(base) => {
                        write!(f, ": other changes were merged since {}", base.chars().take(10).collect::<String>())
                    }
                    None => Ok(()),
                }
            }
            Self::StateMoved { reviewed, now, by } => {
                f.write_str("the state changed since")?;
                for (at, number) in by.iter().enumerate() {
                    write!(f, "{}#{number}", if at == 0 { ", by " } else { ", " })?;
                }
                match (reviewed, now) {
                    (Some(reviewed), Some(now)) => write!(f, " (serial {reviewed}, now {now})"),
                    (None, Some(_)) => f.write_str(" (there was none)"),
                    _ => Ok(()),
                }
            }
            Self::Terraform { reviewed, now } => {
                write!(f, "it was planned with Terraform {reviewed}, and is with {now} now")
            }
            Self::Provider { name, reviewed, now } => {
                write!(f, "the provider {name} was {}, and is {} now", or_none(reviewed), or_none(now))
            }
        }
    }
}

/// The key with which a plan's fingerprints can be compared with these records'.
///
/// `lineage` is the state's, when there is a state.
pub fn key_for(reviewed: &[Record], lineage: Option<&str>) -> FingerprintKey {
    let none_keyed = !reviewed.is_empty() && reviewed.iter().all(|record| !record.plan.keyed);
    FingerprintKey::new(lineage.filter(|_| !none_keyed))
}

/// Compares what would be applied with what was reviewed, by meaning.
///
/// Several records are compared together (a merge queue lands several pull requests at once): each
/// change must be in one of them, and none of theirs may be missing. `history` is what was done to
/// the state, for the reasons.
pub fn compare(reviewed: &[Record], fresh: &Record, history: &[AuditRecord]) -> Comparison {
    let mut differences = Vec::new();
    let is_keyed_otherwise = |record: &Record| record.plan.keyed != fresh.plan.keyed;
    let is_of_other_state =
        |record: &Record| record.plan.keyed && record.origin.lineage_digest != fresh.origin.lineage_digest;
    if reviewed.iter().any(is_of_other_state) {
        differences.push(Difference::OtherState);
    } else if reviewed.iter().any(is_keyed_otherwise) {
        differences.push(Difference::NotComparable);
    }
    let comparable = differences.is_empty();
    compare_resources(reviewed, &fresh.plan, comparable, &mut differences);
    compare_outputs(reviewed, &fresh.plan, comparable, &mut differences);
    compare_other(reviewed, &fresh.plan, &mut differences);
    if !differences.is_empty() {
        return Comparison::Different { differences, whys: whys(reviewed, &fresh.origin, history) };
    }
    let masked = fresh.plan.masked || reviewed.iter().any(|record| record.plan.masked);
    Comparison::Equal { notes: masked.then_some(Note::SensitiveNotCompared).into_iter().collect() }
}

type ByResource<'a> = BTreeMap<(&'a str, Option<&'a str>), Vec<&'a ResourceChange>>;

fn compare_resources(
    reviewed: &[Record],
    fresh: &PlanFingerprint,
    comparable: bool,
    differences: &mut Vec<Difference>,
) {
    let mut before: ByResource<'_> = BTreeMap::new();
    for change in reviewed.iter().flat_map(|record| &record.plan.resources) {
        before.entry((&change.address, change.deposed.as_deref())).or_default().push(change);
    }
    for change in &fresh.resources {
        let resource = resource(change);
        let candidates = before.remove(&(change.address.as_str(), change.deposed.as_deref()));
        let Some(candidates) = candidates else {
            differences.push(Difference::New { resource, actions: change.actions.clone() });
            continue;
        };
        if comparable && candidates.iter().any(|c| c.fingerprint == change.fingerprint) {
            continue;
        }
        let alike = candidates.iter().find(|c| c.actions == change.actions);
        match (alike, candidates.last()) {
            (Some(_), _) if !comparable => {}
            (Some(alike), _) => differences.push(Difference::Values {
                resource,
                actions: change.actions.clone(),
                attributes: differing_attributes(alike, change),
            }),
            (None, Some(last)) => differences.push(Difference::Actions {
                resource,
                reviewed: last.actions.clone(),
                now: change.actions.clone(),
            }),
            (None, None) => {}
        }
    }
    for change in before.into_values().filter_map(|changes| changes.last().copied()) {
        differences.push(Difference::Gone { resource: resource(change), actions: change.actions.clone() });
    }
}

fn compare_outputs(reviewed: &[Record], fresh: &PlanFingerprint, comparable: bool, differences: &mut Vec<Difference>) {
    let mut before: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for change in reviewed.iter().flat_map(|record| &record.plan.outputs) {
        before.entry(&change.name).or_default().push(&change.fingerprint);
    }
    for change in &fresh.outputs {
        let name = change.name.clone();
        match before.remove(change.name.as_str()) {
            None => differences.push(Difference::NewOutput { name }),
            Some(candidates) if comparable && !candidates.contains(&change.fingerprint.as_str()) => {
                differences.push(Difference::OutputValue { name });
            }
            Some(_) => {}
        }
    }
    for name in before.into_keys() {
        differences.push(Difference::GoneOutput { name: name.to_owned() });
    }
}

fn compare_other(reviewed: &[Record], fresh: &PlanFingerprint, differences: &mut Vec<Difference>) {
    let before: Vec<&String> = reviewed.iter().flat_map(|r| &r.plan.other).collect();
    for part in fresh.other.iter().filter(|part| !before.contains(part)) {
        differences.push(Difference::NewOther { part: part.clone() });
    }
    for part in before.iter().filter(|part| !fresh.other.contains(part)) {
        differences.push(Difference::GoneOther { part: (*part).clone() });
    }
    if !fresh.complete && reviewed.iter().all(|record| record.plan.complete) {
        differences.push(Difference::Incomplete);
    }
}

fn differing_attributes(reviewed: &ResourceChange, now: &ResourceChange) -> Vec<String> {
    let mut names: Vec<&String> = reviewed
        .attributes
        .keys()
        .chain(now.attributes.keys())
        .filter(|name| reviewed.attributes.get(*name) != now.attributes.get(*name))
        .collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().cloned().collect()
}

fn whys(reviewed: &[Record], now: &RecordOrigin, history: &[AuditRecord]) -> Vec<Why> {
    let mut whys = Vec::new();
    let mut push = |why: Why| {
        if !whys.contains(&why) {
            whys.push(why);
        }
    };
    for record in reviewed {
        let then = &record.origin;
        if let (Some(reviewed_tree), Some(tree)) = (&then.merge_tree, &now.merge_tree) {
            push(if reviewed_tree == tree { Why::SameCode } else { Why::OtherCode { base: then.base_sha.clone() } });
        }
        if then.serial != now.serial {
            push(Why::StateMoved { reviewed: then.serial, now: now.serial, by: applied_since(then, history) });
        }
        if let (Some(reviewed), Some(now)) = (&then.terraform_version, &now.terraform_version)
            && reviewed != now
        {
            push(Why::Terraform { reviewed: reviewed.clone(), now: now.clone() });
        }
        if then.providers.is_empty() || now.providers.is_empty() {
            continue;
        }
        let mut names: Vec<&String> = then.providers.keys().chain(now.providers.keys()).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let (reviewed, now) = (then.providers.get(name), now.providers.get(name));
            if reviewed != now {
                push(Why::Provider { name: name.clone(), reviewed: reviewed.cloned(), now: now.cloned() });
            }
        }
    }
    whys
}

/// The pull requests that were applied after a plan was made, other than its own.
fn applied_since(then: &RecordOrigin, history: &[AuditRecord]) -> Vec<u64> {
    let mut numbers: Vec<u64> = history
        .iter()
        .filter(|audit| audit.action == "apply")
        .filter(|audit| then.made_at.is_none_or(|made_at| audit.at >= made_at))
        .filter_map(|audit| audit.pull_request)
        .filter(|number| Some(*number) != then.pull_request)
        .collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// The proof that an earlier commit of a pull request carries what its head carries. Only
/// [`same_content`] makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SameContent {
    pull_request: u64,
    earlier: String,
    head: String,
}

impl SameContent {
    /// The pull request.
    pub fn pull_request(&self) -> u64 {
        self.pull_request
    }

    /// The earlier commit.
    pub fn earlier(&self) -> &str {
        &self.earlier
    }

    /// The head commit.
    pub fn head(&self) -> &str {
        &self.head
    }
}

/// Proves that an approval of an earlier commit is as good as one of the head: everything that
/// reaches the apply has the same digest, and both plans mean the same.
///
/// # Errors
///
/// A phrase that says what is not the same, or not known.
pub fn same_content(earlier: &Record, head: &Record) -> Result<SameContent, String> {
    let pull_request = head
        .origin
        .pull_request
        .filter(|_| head.origin.pull_request == earlier.origin.pull_request)
        .ok_or("the two plans belong to different pull requests")?;
    let digest = |record: &Record| record.origin.content_digest.clone();
    if digest(earlier).is_none() || digest(head).is_none() {
        return Err("a plan's record does not say which files it was made of".to_owned());
    }
    if digest(earlier) != digest(head) {
        return Err("the files that reach the apply changed since".to_owned());
    }
    match compare(std::slice::from_ref(earlier), head, &[]) {
        Comparison::Equal { notes } if notes.is_empty() => Ok(SameContent {
            pull_request,
            earlier: earlier.origin.head_sha.clone(),
            head: head.origin.head_sha.clone(),
        }),
        Comparison::Equal { .. } => Err("the plans hold sensitive values that could not be compared".to_owned()),
        Comparison::Different { .. } => Err("the two plans mean different things".to_owned()),
    }
}

/// Another pull request whose plan touches the same resources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlap {
    /// Its number.
    pub pull_request: u64,
    /// The resources that both change.
    pub addresses: Vec<String>,
}

/// Finds the other pull requests whose plans touch the same resources as this one's.
pub fn overlaps(mine: &Record, others: &[Record]) -> Vec<Overlap> {
    let changed = |record: &'_ Record| -> Vec<String> {
        record
            .plan
            .resources
            .iter()
            .filter(|change| change.actions != ["read"])
            .map(|change| change.address.clone())
            .collect()
    };
    let ours: std::collections::BTreeSet<String> = changed(mine).into_iter().collect();
    let mut by_number: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for other in others {
        let Some(number) = other.origin.pull_request else {
            continue;
        };
        if Some(number) == mine.origin.pull_request {
            continue;
        }
        let shared = changed(other).into_iter().filter(|a| ours.contains(a));
        by_number.entry(number).or_default().extend(shared);
    }
    by_number
        .into_iter()
        .filter(|(_, addresses)| !addresses.is_empty())
        .map(|(pull_request, mut addresses)| {
            addresses.sort_unstable();
            addresses.dedup();
            Overlap { pull_request, addresses }
        })
        .collect()
}

fn resource(change: &ResourceChange) -> String {
    match &change.deposed {
        Some(key) => format!("{} (deposed object {key})", change.address),
        None => change.address.clone(),
    }
}

fn destroys(actions: &[String]) -> bool {
    actions.iter().any(|a| a == "delete" || a == "forget")
}

/// Terraform's actions as people say them; ones we do not know in Terraform's words.
fn words(actions: &[String]) -> String {
    let actions: Vec<&str> = actions.iter().map(String::as_str).collect();
    match actions.as_slice() {
        ["create"] => "created".to_owned(),
        ["update"] => "changed in place".to_owned(),
        ["delete"] => "destroyed".to_owned(),
        ["delete", "create"] => "replaced (destroyed, then created)".to_owned(),
        ["create", "delete"] => "replaced (created, then the old one destroyed)".to_owned(),
        ["create", "forget"] => "replaced (created, and the old one forgotten)".to_owned(),
        ["forget"] => "forgotten".to_owned(),
        ["read"] => "read".to_owned(),
        ["no-op"] => "moved or imported".to_owned(),
        other => format!("subject to `{}`", other.join("`, `")),
    }
}
