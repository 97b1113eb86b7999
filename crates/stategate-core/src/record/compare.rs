//! Is what would be applied what was reviewed? And if not: what differs, and why that might be.

use std::collections::BTreeMap;

use super::audit::AuditRecord;
use super::difference::{Difference, Note, Why};
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
    compare_along(reviewed, &[], fresh, history)
}

/// The same, where the plan also holds the changes of pull requests that were merged earlier and
/// are not applied yet (see [`explains`]).
pub fn compare_along(reviewed: &[Record], earlier: &[Record], fresh: &Record, history: &[AuditRecord]) -> Comparison {
    let all = [reviewed, earlier].concat();
    let mut differences = Vec::new();
    let is_keyed_otherwise = |record: &Record| record.plan.keyed != fresh.plan.keyed;
    let is_of_other_state =
        |record: &Record| record.plan.keyed && record.origin.lineage_digest != fresh.origin.lineage_digest;
    if all.iter().any(is_of_other_state) {
        differences.push(Difference::OtherState);
    } else if all.iter().any(is_keyed_otherwise) {
        differences.push(Difference::NotComparable);
    }
    let comparable = differences.is_empty();
    compare_resources(&all, &fresh.plan, comparable, &mut differences);
    compare_outputs(&all, &fresh.plan, comparable, &mut differences);
    compare_other(&all, &fresh.plan, &mut differences);
    if !differences.is_empty() {
        let numbers = earlier.iter().filter_map(|record| record.origin.pull_request);
        let not_applied = numbers.map(|number| Why::NotApplied { number });
        let whys = not_applied.chain(whys(reviewed, &fresh.origin, history)).collect();
        return Comparison::Different { differences, whys };
    }
    let masked = fresh.plan.masked || all.iter().any(|record| record.plan.masked);
    Comparison::Equal { notes: masked.then_some(Note::SensitiveNotCompared).into_iter().collect() }
}

/// Whether a reviewed plan does something that the fresh plan does too, and none of the `others`
/// does: so it is not applied yet.
pub fn explains(record: &Record, others: &[Record], fresh: &Record) -> bool {
    let changes = |record: &Record, wanted: &ResourceChange| {
        let is_it = |change: &ResourceChange| {
            (&change.address, &change.deposed, &change.fingerprint)
                == (&wanted.address, &wanted.deposed, &wanted.fingerprint)
        };
        record.plan.resources.iter().any(is_it)
    };
    let only_here = |is_in: &dyn Fn(&Record) -> bool| is_in(record) && !others.iter().any(is_in);
    fresh.plan.resources.iter().any(|change| only_here(&|record| changes(record, change)))
        || fresh.plan.outputs.iter().any(|output| only_here(&|record| record.plan.outputs.contains(output)))
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
        let tree = then.merge_tree.as_ref().zip(now.merge_tree.as_ref());
        let content = then.content_digest.as_ref().zip(now.content_digest.as_ref());
        // The files that reach the apply say more than the whole tree, which every merge changes.
        if let Some((reviewed, now)) = content.or(tree) {
            push(if reviewed == now { Why::SameCode } else { Why::OtherCode { base: then.base_sha.clone() } });
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
