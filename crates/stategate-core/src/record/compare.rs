//! Is what would be applied what was reviewed? And if not: what differs, and why that might be.

use std::collections::BTreeMap;

use super::audit::AuditRecord;
use super::difference::{Deed, Difference, Note, Why};
use super::effects::compare_effects;
use super::fingerprint::{OtherPart, OutputChange, PlanFingerprint, ResourceChange};
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
///
/// With one record, the two plans are equal exactly when their fingerprints are: where the parts do
/// not say so, that is a difference too.
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
    for (kind, now) in [(Kind::Change, &fresh.plan.resources), (Kind::Drift, &fresh.plan.drift)] {
        let reviewed = all.iter().map(|record| kind.of(&record.plan));
        differences.extend(compare_resources(kind, by_key(reviewed, now), comparable));
    }
    differences.extend(compare_outputs(
        by_key(all.iter().map(|r| r.plan.outputs.as_slice()), &fresh.plan.outputs),
        comparable,
    ));
    differences
        .extend(compare_other(by_key(all.iter().map(|r| r.plan.other.as_slice()), &fresh.plan.other), comparable));
    differences.extend(compare_coverage(&all, &fresh.plan));
    if comparable {
        compare_effects(all.iter().flat_map(|record| &record.plan.effects), &fresh.plan.effects, &mut differences);
    }
    compare_addresses(&all, &fresh.origin, &mut differences);
    compare_accounts(&all, &fresh.origin, &mut differences);
    if let [reviewed] = all.as_slice()
        && differences.is_empty()
        && reviewed.plan.fingerprint != fresh.plan.fingerprint
    {
        let (reviewed, now) = (reviewed.plan.short().to_owned(), fresh.plan.short().to_owned());
        differences.push(Difference::Unexplained { reviewed, now });
    }
    if !differences.is_empty() {
        let numbers = earlier.iter().filter_map(|record| record.origin.pull_request);
        let not_applied = numbers.map(|number| Why::NotApplied { number });
        let whys = not_applied.chain(whys(reviewed, &fresh.origin, history)).collect();
        return Comparison::Different { differences, whys };
    }
    let masked = fresh.plan.masked || all.iter().any(|record| record.plan.masked);
    let mut notes: Vec<Note> = masked.then_some(Note::SensitiveNotCompared).into_iter().collect();
    notes.extend(beside(reviewed, fresh));
    Comparison::Equal { notes }
}

/// The record is kept beside the state, so this shows only where one was put there by hand.
fn compare_addresses(reviewed: &[Record], now: &RecordOrigin, differences: &mut Vec<Difference>) {
    let Some(now) = &now.state else { return };
    if let Some(other) = reviewed.iter().filter_map(|record| record.origin.state.as_ref()).find(|state| *state != now) {
        differences.push(Difference::OtherAddress { reviewed: other.clone(), now: now.clone() });
    }
}

/// The same credentials in another account mean other objects. One that is not known is not compared.
fn compare_accounts(reviewed: &[Record], now: &RecordOrigin, differences: &mut Vec<Difference>) {
    let Some(now) = &now.account else { return };
    let mut known = reviewed.iter().filter_map(|record| record.origin.account.as_ref());
    if let Some(other) = known.find(|account| *account != now) {
        differences.push(Difference::OtherAccount { reviewed: other.clone(), now: now.clone() });
    }
}

/// What is another one although the plan means the same: it is told, and stops nothing.
fn beside(reviewed: &[Record], fresh: &Record) -> Vec<Note> {
    let mut notes = Vec::new();
    if !fresh.plan.not_compared.is_empty() {
        notes.push(Note::VariablesNotCompared { names: fresh.plan.not_compared.clone() });
    }
    let knows_account = fresh.origin.account.is_some();
    if reviewed.iter().any(|record| record.origin.account.is_some() != knows_account) {
        notes.push(Note::AccountNotCompared);
    }
    for why in whys(reviewed, &fresh.origin, &[]) {
        match why {
            Why::Terraform { .. } | Why::Provider { .. } => notes.push(Note::Version(why)),
            Why::SameCode | Why::OtherCode { .. } | Why::NotApplied { .. } | Why::StateMoved { .. } => {}
        }
    }
    for (module, digest) in &fresh.origin.modules {
        let then = reviewed.iter().filter_map(|record| record.origin.modules.get(module));
        if then.into_iter().any(|then| then != digest) {
            notes.push(Note::OtherModule { module: module.clone() });
        }
    }
    let digest = &fresh.origin.content_digest;
    let is_other = |record: &Record| record.origin.content_digest.is_some() && record.origin.content_digest != *digest;
    if digest.is_some() && reviewed.iter().any(is_other) {
        notes.push(Note::OtherContent);
    }
    notes
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
        || fresh.plan.other.iter().any(|part| only_here(&|record| record.plan.other.contains(part)))
}

/// A part of a plan that is compared by itself.
trait Part {
    /// What it is about.
    fn key(&self) -> (&str, Option<&str>);
    fn fingerprint(&self) -> &str;
}

impl Part for ResourceChange {
    fn key(&self) -> (&str, Option<&str>) {
        (&self.address, self.deposed.as_deref())
    }

    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

impl Part for OutputChange {
    fn key(&self) -> (&str, Option<&str>) {
        (&self.name, None)
    }

    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

impl Part for OtherPart {
    fn key(&self) -> (&str, Option<&str>) {
        (&self.what, None)
    }

    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

/// What plans do about the same thing; mostly it is one part in each.
struct Counterparts<'a, T> {
    /// What each record says about it that says something.
    reviewed: Vec<Vec<&'a T>>,
    now: Vec<&'a T>,
}

impl<'a, T: Part> Counterparts<'a, T> {
    /// Whether one of the records does exactly what is done now, and as often.
    fn are_equal(&self, comparable: bool) -> bool {
        let meant = |parts: &[&'a T]| {
            let mut fingerprints: Vec<&'a str> =
                parts.iter().map(|part| if comparable { part.fingerprint() } else { "" }).collect();
            fingerprints.sort_unstable();
            fingerprints
        };
        let now = meant(&self.now);
        self.reviewed.iter().any(|reviewed| meant(reviewed) == now)
    }

    /// What one would hold against the other: something that only the reviewed plans do, and something
    /// that is done only now.
    fn differing(&self) -> Option<(&'a T, &'a T)> {
        let reviewed: Vec<&T> = self.reviewed.iter().flatten().copied().collect();
        let only_in = |these: &[&'a T], others: &[&'a T]| {
            let is_known = |part: &&&T| others.iter().any(|other| other.fingerprint() == part.fingerprint());
            these.iter().find(|part| !is_known(part)).or(these.last()).copied()
        };
        only_in(&reviewed, &self.now).zip(only_in(&self.now, &reviewed))
    }
}

/// By what they are about, what is done now first.
fn by_key<'a, T: Part>(reviewed: impl Iterator<Item = &'a [T]>, now: &'a [T]) -> Vec<Counterparts<'a, T>> {
    let mut all: BTreeMap<(&str, Option<&str>), Counterparts<'a, T>> = BTreeMap::new();
    let none = || Counterparts { reviewed: Vec::new(), now: Vec::new() };
    for part in now {
        all.entry(part.key()).or_insert_with(none).now.push(part);
    }
    for parts in reviewed {
        let mut of_record: BTreeMap<(&str, Option<&str>), Vec<&'a T>> = BTreeMap::new();
        for part in parts {
            of_record.entry(part.key()).or_default().push(part);
        }
        for (key, parts) in of_record {
            all.entry(key).or_insert_with(none).reviewed.push(parts);
        }
    }
    let (now, gone): (Vec<_>, Vec<_>) = all.into_values().partition(|parts| !parts.now.is_empty());
    now.into_iter().chain(gone).collect()
}

/// What is done to a resource, or happened to it.
#[derive(Clone, Copy)]
enum Kind {
    Change,
    Drift,
}

impl Kind {
    fn of(self, plan: &PlanFingerprint) -> &[ResourceChange] {
        match self {
            Self::Change => &plan.resources,
            Self::Drift => &plan.drift,
        }
    }

    fn deed(self, change: &ResourceChange) -> Deed {
        Deed { actions: change.actions.clone(), is_drift: matches!(self, Self::Drift) }
    }
}

fn compare_resources(
    kind: Kind,
    all: Vec<Counterparts<'_, ResourceChange>>,
    comparable: bool,
) -> impl Iterator<Item = Difference> {
    all.into_iter().filter_map(move |parts| match (parts.reviewed.as_slice(), parts.now.as_slice()) {
        ([], [change, ..]) => Some(Difference::New { resource: resource(change), deed: kind.deed(change) }),
        (_, []) => {
            let gone = parts.reviewed.last()?.last()?;
            Some(Difference::Gone { resource: resource(gone), deed: kind.deed(gone) })
        }
        _ if parts.are_equal(comparable) => None,
        _ => {
            let (reviewed, now) = parts.differing()?;
            let alike = parts.reviewed.iter().flatten().find(|change| change.actions == now.actions);
            match alike {
                Some(_) if !comparable => None,
                Some(alike) => Some(Difference::Values {
                    resource: resource(now),
                    deed: kind.deed(now),
                    attributes: differing_attributes(&alike.attributes, &now.attributes),
                }),
                None => Some(Difference::Actions {
                    resource: resource(now),
                    reviewed: kind.deed(reviewed),
                    now: kind.deed(now),
                }),
            }
        }
    })
}

fn compare_outputs(all: Vec<Counterparts<'_, OutputChange>>, comparable: bool) -> impl Iterator<Item = Difference> {
    all.into_iter().filter_map(move |parts| match (parts.reviewed.as_slice(), parts.now.as_slice()) {
        ([], [output, ..]) => Some(Difference::NewOutput { name: output.name.clone() }),
        (_, []) => Some(Difference::GoneOutput { name: parts.reviewed.first()?.first()?.name.clone() }),
        (_, [output, ..]) => {
            (!parts.are_equal(comparable)).then(|| Difference::OutputValue { name: output.name.clone() })
        }
    })
}

fn compare_other(all: Vec<Counterparts<'_, OtherPart>>, comparable: bool) -> impl Iterator<Item = Difference> {
    all.into_iter().filter_map(move |parts| match (parts.reviewed.as_slice(), parts.now.as_slice()) {
        ([], [part, ..]) => Some(Difference::NewOther { part: part.what.clone() }),
        (_, []) => Some(Difference::GoneOther { part: parts.reviewed.first()?.first()?.what.clone() }),
        _ if parts.are_equal(comparable) => None,
        ([.., reviewed], now) if reviewed.len() != now.len() => {
            Some(Difference::OtherTimes { part: now.first()?.what.clone(), reviewed: reviewed.len(), now: now.len() })
        }
        _ => {
            let (reviewed, now) = parts.differing()?;
            let attributes = differing_attributes(&reviewed.attributes, &now.attributes);
            Some(Difference::OtherValues { part: now.what.clone(), attributes })
        }
    })
}

fn compare_coverage(reviewed: &[Record], fresh: &PlanFingerprint) -> Option<Difference> {
    let is_known = reviewed.iter().any(|record| record.plan.complete == fresh.complete);
    (!is_known).then_some(if fresh.complete { Difference::Complete } else { Difference::Incomplete })
}

fn differing_attributes(reviewed: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Vec<String> {
    let mut names: Vec<&String> =
        reviewed.keys().chain(now.keys()).filter(|name| reviewed.get(*name) != now.get(*name)).collect();
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
