//! What an apply does that stands in no change, as fingerprints: what provisioners and providers
//! are given.
//!
//! What counts: the text of a provisioner, of its connection and of a provider's block, everything
//! that they name, the values of the variables among it, the files beside a provisioner, and what a
//! provider takes from the environment instead of its block. What is
//! another one in every run by its nature, a sensitive or ephemeral variable that nothing but a
//! provider's configuration reads, is named and not compared.

use std::collections::{BTreeMap, BTreeSet};

use hmac::Mac;
use serde::{Deserialize, Serialize};

use super::difference::Difference;
use super::fingerprint::{ATTRIBUTE_DIGITS, digits};
use super::key::FingerprintKey;
use super::surroundings::{self, Environment};
use crate::configuration::{Configuration, Reads, call_path};
use crate::plan::{Effects, Provider, Variable};

/// Something that an apply does, or works with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Effect {
    /// What it is.
    #[serde(flatten)]
    pub subject: Subject,
    /// A fingerprint for each part that says what it does, by the part's name.
    #[serde(default)]
    pub parts: BTreeMap<String, String>,
}

/// What does something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    /// The provisioners of a resource.
    Provisioners(String),
    /// The provisioners of a `removed` block.
    Removed(String),
    /// The configuration of a provider.
    Provider(String),
    /// What a plan does not know of a resource, an action or an output.
    Undecided(String),
    /// Which provider an action takes.
    Action(String),
    /// More than can be told apart, so that all of the configuration counts.
    Everything(String),
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Provisioners(resource) => write!(f, "the provisioners of {resource}"),
            Self::Removed(resource) => write!(f, "the provisioners of the `removed` block of {resource}"),
            Self::Provider(key) => write!(f, "the configuration of the provider {key}"),
            Self::Undecided(address) => write!(f, "what is decided during the apply of {address}"),
            Self::Action(action) => write!(f, "the provider of {action}"),
            Self::Everything(_) => f.write_str("the configuration, of which too much has an effect to tell it apart"),
        }
    }
}

/// The files of which the content matters: those beside provisioners.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The call paths of modules; the root's is among them.
    pub modules: BTreeSet<String>,
    /// What may be the name of a file, as it stands in the text of a module.
    pub words: BTreeSet<(String, String)>,
}

/// Files by the call path of the module that they were looked for in, then by name: their digests.
pub type FilesBeside = BTreeMap<String, BTreeMap<String, [u8; 32]>>;

/// The effects of a plan, and what is known beside them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    pub(super) effects: Vec<Effect>,
    /// Variables that are read and not compared.
    pub(super) not_compared: Vec<String>,
    /// Whether something sensitive was left out for want of a key.
    pub(super) masked: bool,
}

/// The texts that a plan's effects rest on, before the files beside them are read.
pub struct Followed<'a> {
    plan: &'a Effects,
    configuration: &'a Configuration,
    provisioners: Vec<(Subject, Option<[u8; 32]>, String, Reads)>,
    /// Resources and the like with values that the plan does not know, by address.
    undecided: Vec<(String, String, Reads)>,
}

impl<'a> Followed<'a> {
    /// Looks up what the provisioners of a plan are given.
    pub fn new(plan: &'a Effects, configuration: &'a Configuration) -> Self {
        let mut provisioners = Vec::new();
        for resource in &plan.provisioned {
            let reads = configuration.provisioners(&resource.call_path, &resource.r#type, &resource.name);
            let subject = Subject::Provisioners(resource.address());
            provisioners.push((subject, Some(resource.digest), resource.call_path.clone(), reads));
        }
        for (resource, reads) in plan.destroys.then(|| configuration.removed()).into_iter().flatten() {
            provisioners.push((Subject::Removed(resource), None, String::new(), reads));
        }
        let mut undecided = Vec::new();
        for (block, unknown) in &plan.undecided.blocks {
            let reads = configuration.undecided(block, unknown);
            undecided.extend(reads.map(|reads| (block.address(), block.call_path.clone(), reads)));
        }
        Self { plan, configuration, provisioners, undecided }
    }

    /// The files that have to be looked at; nothing where neither a provisioner nor an expression reads any.
    pub fn wanted(&self) -> Wanted {
        let mut wanted = Wanted::default();
        let read_files = self.undecided.iter().filter(|(_, _, reads)| reads.reads_files());
        let read_files = read_files.map(|(_, call_path, reads)| (call_path, reads));
        let run = self.provisioners.iter().map(|(_, _, call_path, reads)| (call_path, reads));
        for (call_path, reads) in run.chain(read_files) {
            wanted.modules.extend([String::new(), call_path.clone()]);
            wanted.modules.extend(reads.modules.iter().cloned());
            for text in reads.texts.values() {
                let words = paths(text).map(|word| (call_path.clone(), word.to_owned()));
                wanted.words.extend(words);
            }
        }
        if self.plan.more_provisioned > 0 || self.plan.undecided.is_cut_off {
            // Which modules they are in is not known.
            for (call_path, text) in self.configuration.texts() {
                wanted.modules.insert(call_path.to_owned());
                wanted.words.extend(paths(&text).map(|word| (call_path.to_owned(), word.to_owned())));
            }
        }
        wanted
    }

    /// The text of each resource's provisioners, by its address.
    pub fn texts(&self) -> BTreeMap<String, String> {
        let told = self.provisioners.iter().filter_map(|(subject, _, _, reads)| match subject {
            Subject::Provisioners(address) => Some((address.clone(), reads.texts.get("its blocks")?.clone())),
            _ => None,
        });
        told.collect()
    }

    /// Takes the fingerprints.
    pub fn observe(self, key: &FingerprintKey, files: &FilesBeside, environment: Environment<'_>) -> Observed {
        let mut taking = Taking { key, variables: &self.plan.variables, observed: Observed::default() };
        let mut by_provisioners: BTreeSet<&str> = BTreeSet::new();
        for (subject, told, call_path, reads) in &self.provisioners {
            by_provisioners.extend(reads.variables.iter().map(String::as_str));
            let mut parts = taking.parts(subject, reads, |_| true);
            if let Some(told) = told.filter(|_| !reads.texts.contains_key("its blocks")) {
                taking.part(subject, "its blocks", &told, &mut parts);
            }
            taking.files(subject, (call_path, reads), files, &mut parts);
            taking.observed.effects.push(Effect { subject: subject.clone(), parts });
        }
        for (address, call_path, reads) in &self.undecided {
            let subject = Subject::Undecided(address.clone());
            by_provisioners.extend(reads.variables.iter().map(String::as_str));
            let mut parts = taking.parts(&subject, reads, |_| true);
            if reads.reads_files() {
                taking.files(&subject, (call_path, reads), files, &mut parts);
            }
            taking.observed.effects.push(Effect { subject, parts });
        }
        self.observe_providers(&mut taking, environment);
        for action in &self.plan.invoked {
            let reads = self.configuration.provider_of_action(&action.call_path, &action.r#type, &action.name);
            let subject = Subject::Action(action.address());
            let parts = taking.parts(&subject, &reads, |_| true);
            if !parts.is_empty() {
                taking.observed.effects.push(Effect { subject, parts });
            }
        }
        if let Some(rest) = self.plan.rest {
            let subject = Subject::Everything(self.plan.more_provisioned.to_string());
            let all = Reads { variables: self.plan.variables.keys().cloned().collect(), ..Reads::default() };
            let mut parts = taking.parts(&subject, &all, |name| !self.is_of_each_run(name));
            taking.part(&subject, "what is left out", &rest, &mut parts);
            taking.part(&subject, "its text", self.configuration.whole().as_bytes(), &mut parts);
            for (call_path, files) in files {
                for (name, digest) in files {
                    taking.part(&subject, &format!("{name} ({call_path})"), digest, &mut parts);
                }
            }
            taking.observed.effects.push(Effect { subject, parts });
        }
        let mut observed = taking.observed;
        observed.not_compared.retain(|name| !by_provisioners.contains(name.as_str()));
        observed.not_compared.sort();
        observed.not_compared.dedup();
        observed.effects.sort();
        observed
    }

    /// The providers that change something, and those that open what these or a provisioner read.
    fn observe_providers(&self, taking: &mut Taking<'_>, environment: Environment<'_>) {
        let by_provisioners = self.provisioners.iter().map(|(_, _, _, reads)| reads);
        let followed = by_provisioners.chain(self.undecided.iter().map(|(_, _, reads)| reads));
        let mut openers: BTreeSet<String> = followed.flat_map(|reads| reads.openers.iter().cloned()).collect();
        let mut idle: BTreeMap<String, Provider> = self.plan.idle.clone();
        idle.retain(|_, provider| !provider.is_inherited());
        let mut open = self.plan.providers.clone();
        while !open.is_empty() || !openers.is_empty() {
            for (key, provider) in std::mem::take(&mut open) {
                let (mut effect, more) = self.provider(taking, &key, &provider);
                openers.extend(more);
                for (argument, value) in surroundings::given(&provider, environment) {
                    let name = format!("the environment's {argument}");
                    taking.part(&effect.subject, &name, value.as_bytes(), &mut effect.parts);
                }
                taking.observed.effects.push(effect);
            }
            // Which of its configurations opens it is not followed: each counts.
            for opener in std::mem::take(&mut openers) {
                let all = self.plan.providers.values().chain(self.plan.idle.values());
                let sources: BTreeSet<&str> =
                    all.filter(|one| one.name == opener).map(|one| one.full_name.as_str()).collect();
                let opens = |one: &Provider| one.name == opener || sources.contains(one.full_name.as_str());
                let keys: Vec<String> = idle.iter().filter(|(_, one)| opens(one)).map(|(key, _)| key.clone()).collect();
                open.extend(keys.into_iter().filter_map(|key| idle.remove_entry(&key)));
            }
        }
    }

    fn provider(&self, taking: &mut Taking<'_>, key: &str, provider: &Provider) -> (Effect, BTreeSet<String>) {
        let subject = Subject::Provider(key.to_owned());
        let call_path = call_path(provider.module_address.as_deref().unwrap_or_default());
        let reads = self.configuration.provider(&call_path, &provider.name, provider.alias.as_deref());
        let mut parts = taking.parts(&subject, &reads, |name| !self.is_of_each_run(name));
        if !reads.texts.contains_key("its block") {
            taking.part(&subject, "its block", provider.expressions.to_string().as_bytes(), &mut parts);
        }
        for resource in &provider.resources {
            taking.part(&subject, &format!("its use by {resource}"), &[], &mut parts);
        }
        (Effect { subject, parts }, reads.openers)
    }

    /// Whether a variable may have another value in each run, because nothing but a provider reads it.
    fn is_of_each_run(&self, name: &str) -> bool {
        let is_sensitive = self.plan.variables.get(name).is_some_and(|variable| variable.is_sensitive);
        (is_sensitive || self.configuration.is_ephemeral(name)) && !self.configuration.is_read_beside_providers(name)
    }
}

struct Taking<'a> {
    key: &'a FingerprintKey,
    variables: &'a BTreeMap<String, Variable>,
    observed: Observed,
}

impl Taking<'_> {
    fn parts(&mut self, subject: &Subject, reads: &Reads, counts: impl Fn(&str) -> bool) -> BTreeMap<String, String> {
        let mut parts = BTreeMap::new();
        for (name, text) in &reads.texts {
            self.part(subject, name, text.as_bytes(), &mut parts);
        }
        for name in &reads.variables {
            let part = format!("var.{name}");
            if !counts(name) {
                self.observed.not_compared.push(part);
                continue;
            }
            let variable = self.variables.get(name).copied().unwrap_or_default();
            if variable.is_sensitive && !self.key.is_keyed() {
                self.observed.masked = true;
                continue;
            }
            self.part(subject, &part, &variable.digest, &mut parts);
        }
        parts
    }

    /// The files of the modules that something was read in. Two packages can have files of one name.
    fn files(
        &self,
        subject: &Subject,
        (call_path, reads): (&str, &Reads),
        files: &FilesBeside,
        parts: &mut BTreeMap<String, String>,
    ) {
        let places: BTreeSet<&str> =
            ["", call_path].into_iter().chain(reads.modules.iter().map(String::as_str)).collect();
        for place in places {
            for (name, digest) in files.get(place).into_iter().flatten() {
                let twin = parts.contains_key(name).then(|| format!("{name} in module {place}"));
                self.part(subject, twin.as_ref().unwrap_or(name), digest, parts);
            }
        }
    }

    fn part(&self, subject: &Subject, name: &str, content: &[u8], parts: &mut BTreeMap<String, String>) {
        let mut mac = self.key.start("effect");
        for bytes in [subject.to_string().as_bytes(), name.as_bytes(), content] {
            mac.update(&(bytes.len() as u64).to_be_bytes());
            mac.update(bytes);
        }
        parts.insert(name.to_owned(), digits(&mac.finalize().into_bytes(), ATTRIBUTE_DIGITS));
    }
}

/// What in a text may be the path of a file.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    let ends = |letter: char| !(letter.is_alphanumeric() || "._-/".contains(letter));
    text.split(ends).map(|word| word.trim_start_matches('/')).filter(|word| word.len() > 1 && word.contains(['/', '.']))
}

/// Compares the effects of a fresh plan with those that were reviewed, of all records together.
pub(super) fn compare_effects<'r>(
    reviewed: impl Iterator<Item = &'r Effect>,
    fresh: &[Effect],
    differences: &mut Vec<Difference>,
) {
    let mut before: BTreeMap<&Subject, BTreeMap<&str, Vec<&str>>> = BTreeMap::new();
    for effect in reviewed {
        let parts = before.entry(&effect.subject).or_default();
        for (name, fingerprint) in &effect.parts {
            parts.entry(name).or_default().push(fingerprint);
        }
    }
    for effect in fresh {
        let Some(parts) = before.remove(&effect.subject) else {
            if let Subject::Undecided(address) = &effect.subject {
                let (address, parts) = (address.clone(), effect.parts.keys().cloned().collect());
                differences.push(Difference::OtherCode { address, parts });
                continue;
            }
            differences.push(Difference::NewEffect { subject: effect.subject.to_string() });
            continue;
        };
        let is_as_reviewed =
            |name: &str, fingerprint: &str| parts.get(name).is_some_and(|reviewed| reviewed.contains(&fingerprint));
        let other = effect.parts.iter().filter(|(name, fingerprint)| !is_as_reviewed(name, fingerprint));
        let mut names: Vec<String> = other.map(|(name, _)| name.clone()).collect();
        names.extend(parts.keys().filter(|name| !effect.parts.contains_key(**name)).map(|name| (*name).to_owned()));
        if !names.is_empty() {
            differences.push(match &effect.subject {
                Subject::Undecided(address) => Difference::OtherCode { address: address.clone(), parts: names },
                subject => Difference::OtherEffect { subject: subject.to_string(), parts: names },
            });
        }
    }
    for subject in before.into_keys() {
        differences.push(Difference::GoneEffect { subject: subject.to_string() });
    }
}
