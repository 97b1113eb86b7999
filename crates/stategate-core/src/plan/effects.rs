//! What an apply does that stands in no change: the provisioners of what is made or destroyed, and the
//! configuration of the providers that do it.
//!
//! The JSON tells the constants of an expression, or else only what it refers to: enough for people
//! to see, and for the record to know where to look.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Read;
use std::rc::Rc;

use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::action::ActionInvocation;
use super::change::ResourceChange;
use super::error::PlanError;
use super::reader::Document;
use super::summary::Kind;
use super::undecided::{Gathering, Undecided};
use crate::configuration::call_path;

/// Resources with provisioners that are kept one by one, and what is kept of their expressions, in
/// bytes.
const MOST_PROVISIONED: usize = 1_000;
const MOST_EXPRESSIONS: usize = 512 * 1024;

/// Provider configurations, and the variables, that are kept one by one.
const MOST_PROVIDERS: usize = 1_000;
const MOST_VARIABLES: usize = 20_000;

/// Names of resources that another provider than their default one works on.
const MOST_ELSEWHERE: usize = 5_000;

/// What is destroyed and waits to be found in the configuration, the length of a provider's name, and
/// actions that are kept one by one.
const MOST_GONE: usize = 5_000;
const LONGEST_SOURCE: usize = 512;
const MOST_INVOKED: usize = 5_000;

/// Resources that change, each counted once for all its instances.
const MOST_CHANGED: usize = 200_000;

/// What an apply does beside the changes.
#[derive(Clone, Default, PartialEq)]
pub struct Effects {
    /// The resources that are created, replaced or destroyed, and have provisioners.
    pub provisioned: Vec<Provisioned>,
    /// How many more there are that are not kept.
    pub more_provisioned: usize,
    /// The configurations of the providers that change something, by key.
    pub providers: BTreeMap<String, Provider>,
    /// The configurations of the other providers.
    pub idle: BTreeMap<String, Provider>,
    /// The actions that are invoked, without instances.
    pub invoked: BTreeSet<Invoked>,
    /// The root module's variables.
    pub variables: BTreeMap<String, Variable>,
    /// What is known only during the apply.
    pub undecided: Undecided,
    /// Whether something is destroyed or forgotten.
    pub destroys: bool,
    /// What of these parts was too much to be kept one by one, as a digest.
    pub rest: Option<[u8; 32]>,
}

/// A resource, of which instances are created, replaced or destroyed, with its provisioners.
#[derive(Clone, PartialEq)]
pub struct Provisioned {
    /// The calls that lead to its module (`network.subnets`); empty in the root module.
    pub call_path: String,
    /// Its type.
    pub r#type: String,
    /// Its name.
    pub name: String,
    /// What the configuration says of its provisioners, in order; empty where that is too much.
    pub provisioners: Vec<Provisioner>,
    /// The digest of the same as it was written.
    pub digest: [u8; 32],
}

impl Provisioned {
    /// The address in the configuration, without instances.
    pub fn address(&self) -> String {
        format!("{}{}.{}", modules(&self.call_path), self.r#type, self.name)
    }
}

fn modules(call_path: &str) -> String {
    call_path.split('.').filter(|call| !call.is_empty()).map(|call| format!("module.{call}.")).collect()
}

/// An action, as it stands in the configuration.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Invoked {
    /// The calls that lead to its module.
    pub call_path: String,
    /// Its type.
    pub r#type: String,
    /// Its name.
    pub name: String,
}

impl Invoked {
    /// The address in the configuration, without instances.
    pub fn address(&self) -> String {
        format!("{}action.{}.{}", modules(&self.call_path), self.r#type, self.name)
    }
}

/// A provisioner.
#[derive(Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Provisioner {
    /// `local-exec`, `remote-exec`, `file`, or a word that we do not know.
    pub r#type: String,
    /// Its arguments, each with its constant or its references.
    pub expressions: Value,
}

/// The configuration of a provider.
#[derive(Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Provider {
    /// Its local name.
    pub name: String,
    /// Its source address.
    pub full_name: String,
    /// Its alias.
    pub alias: Option<String>,
    /// The module that it stands in; `None` for the root module.
    pub module_address: Option<String>,
    /// Its arguments, each with its constant or its references.
    pub expressions: Value,
    /// What changes by it, where it is not the one that a resource takes by default.
    #[serde(skip)]
    pub resources: BTreeSet<String>,
}

impl Provider {
    /// Whether a module has it from the modules around it.
    pub(crate) fn is_inherited(&self) -> bool {
        let is_empty = self.expressions.as_object().is_none_or(serde_json::Map::is_empty);
        self.module_address.is_some() && self.alias.is_none() && is_empty
    }

    /// Whether it may be one of this source address. Old versions tell no more than the name.
    fn is_of(&self, source: &str) -> bool {
        let is_named = self.name.is_empty() || self.name == local_name(source);
        self.full_name == source || self.full_name.is_empty() && is_named
    }
}

/// A variable of the root module.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Variable {
    /// The digest of its value as the plan writes it.
    pub digest: [u8; 32],
    /// Whether it is declared sensitive.
    pub is_sensitive: bool,
}

impl std::fmt::Debug for Effects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Effects").field("provisioned", &self.provisioned.len()).finish_non_exhaustive()
    }
}

/// Collects them while the plan is read.
#[derive(Default)]
pub(super) struct Collector {
    effects: Effects,
    pub(super) undecided: Gathering,
    /// The resources of the configuration, by the hash of where they stand, that something is done to,
    /// and those that come or go. Provisioners run for the latter only.
    changed: HashSet<u64>,
    remade: HashSet<u64>,
    /// Too many to be told apart: every resource counts.
    every: bool,
    knows_changes: bool,
    /// The resources that were read before the changes, and whose provider changes nothing perhaps.
    pending: Vec<Use>,
    keys: BTreeSet<String>,
    /// The providers of what is destroyed and was not found in the configuration yet, by its place.
    gone: HashMap<u64, Rc<str>>,
    /// The source addresses of which every configuration counts.
    sources: BTreeSet<Rc<str>>,
    elsewhere: usize,
    expressions: usize,
    rest: Option<Sha256>,
}

/// A resource, and the key of its provider.
struct Use {
    place: u64,
    key: Rc<str>,
    /// Its address, where the provider is not the one that it takes by default.
    address: Option<String>,
}

impl Collector {
    /// The changes are about to be read.
    pub(super) fn changes_begin(&mut self) {
        self.knows_changes = true;
    }

    pub(super) fn change(&mut self, change: &ResourceChange, kind: Kind) {
        if kind == Kind::NoOp {
            return;
        }
        self.undecided.resource(change);
        self.effects.destroys |= matches!(kind, Kind::Destroy | Kind::Replace | Kind::Forget | Kind::Unknown);
        let place = call_path(change.module_address.as_deref().unwrap_or_default());
        let place = hash((place.as_str(), &change.mode, &change.r#type, &change.name));
        if matches!(kind, Kind::Destroy | Kind::Unknown) {
            self.destroyed_by(place, &change.provider_name);
        }
        if self.changed.len() >= MOST_CHANGED {
            self.every = true;
            return;
        }
        self.changed.insert(place);
        if matches!(kind, Kind::Create | Kind::Replace | Kind::Destroy | Kind::Unknown) {
            self.remade.insert(place);
        }
    }

    /// The state says which provider destroys what is in no configuration any more.
    fn destroyed_by(&mut self, place: u64, source: &str) {
        if self.gone.contains_key(&place) {
            return;
        }
        if self.gone.len() >= MOST_GONE || source.len() > LONGEST_SOURCE {
            return self.use_source(source);
        }
        let known = self.gone.values().next().filter(|known| ***known == *source).cloned();
        self.gone.insert(place, known.unwrap_or_else(|| source.into()));
    }

    pub(super) fn invocation(&mut self, action: &ActionInvocation) {
        self.use_source(&action.provider_name);
        // The action's own words look like one more call: `module.m.action.TYPE.NAME`.
        let place = call_path(&action.address);
        let place = place.strip_suffix(&action.r#type).unwrap_or(&place).trim_end_matches('.');
        let (r#type, name) = (action.r#type.clone(), action.name.clone());
        if self.effects.invoked.len() < MOST_INVOKED {
            self.effects.invoked.insert(Invoked { call_path: place.to_owned(), r#type, name });
        } else {
            self.too_much(action.address.as_bytes());
        }
    }

    fn use_source(&mut self, source: &str) {
        if source.is_empty() || self.sources.contains(source) {
            return;
        }
        if self.sources.len() >= MOST_PROVIDERS || source.len() > LONGEST_SOURCE {
            return self.too_much(source.as_bytes());
        }
        self.sources.insert(source.into());
    }

    /// Counts every configuration of the providers of which it is not known which one works.
    fn use_sources(&mut self) {
        for source in std::mem::take(&mut self.gone).into_values() {
            self.use_source(&source);
        }
        for source in std::mem::take(&mut self.sources) {
            let providers = self.effects.providers.iter();
            let of_it = providers.filter(|(_, provider)| provider.is_of(&source) && !provider.is_inherited());
            let keys: Vec<String> = of_it.map(|(key, _)| key.clone()).collect();
            if keys.is_empty() {
                let key = local_name(&source).into();
                self.use_provider(Use { place: 0, key, address: None });
            }
            self.keys.extend(keys);
        }
    }

    fn use_provider(&mut self, used: Use) {
        // What a module does not configure itself it takes from the root module. Terraform tells that
        // only where the root module uses the provider, too.
        let inherited = self.effects.providers.get(&*used.key).filter(|provider| provider.is_inherited());
        let name = inherited.map(|provider| provider.name.clone());
        let address = used.address.filter(|_| name.is_none());
        let key: &str = name.as_deref().unwrap_or(&used.key);
        if key.is_empty() {
            return;
        }
        if !self.keys.contains(key) && self.keys.len() >= MOST_PROVIDERS {
            return self.too_much(key.as_bytes());
        }
        self.keys.insert(key.to_owned());
        let unconfigured = || Provider { name: key.to_owned(), ..Provider::default() };
        let provider = self.effects.providers.entry(key.to_owned()).or_insert_with(unconfigured);
        let Some(address) = address else { return };
        if self.elsewhere < MOST_ELSEWHERE {
            self.elsewhere += usize::from(provider.resources.insert(address));
        } else {
            self.too_much(format!("{key} {address}").as_bytes());
        }
    }

    fn too_much(&mut self, bytes: &[u8]) {
        self.rest.get_or_insert_default().update(Sha256::digest(bytes));
    }

    pub(super) fn variable(&mut self, name: &str, value: &[u8]) {
        if self.effects.variables.len() >= MOST_VARIABLES {
            self.too_much(name.as_bytes());
            return self.too_much(value);
        }
        let digest = Sha256::digest(value).into();
        self.effects.variables.insert(name.to_owned(), Variable { digest, is_sensitive: false });
    }

    /// What was collected; `is_sensitive` knows the root module's variables.
    pub(super) fn finish(mut self, is_sensitive: impl Fn(&str) -> bool) -> Effects {
        for used in std::mem::take(&mut self.pending) {
            self.gone.remove(&used.place);
            if self.every || self.changed.contains(&used.place) {
                self.use_provider(used);
            }
        }
        self.use_sources();
        let mut effects = self.effects;
        let comes_or_goes = |resource: &Provisioned| {
            self.remade.contains(&hash((&resource.call_path, "managed", &resource.r#type, &resource.name)))
        };
        effects.provisioned.retain(|resource| self.every || comes_or_goes(resource));
        let (used, idle) =
            std::mem::take(&mut effects.providers).into_iter().partition(|(key, _)| self.keys.contains(key));
        (effects.providers, effects.idle) = (used, idle);
        for (name, variable) in &mut effects.variables {
            variable.is_sensitive = is_sensitive(name);
        }
        effects.undecided = self.undecided.finish();
        if effects.undecided.is_cut_off {
            self.rest.get_or_insert_default();
        }
        effects.rest = self.rest.map(|rest| rest.finalize().into());
        effects
    }
}

impl<R: Read> Document<'_, '_, R> {
    /// An entry of `provider_config`.
    pub(super) fn provider_config(&mut self) -> Result<(), PlanError> {
        let key = self.key_text();
        let span = self.scanner.kept_value()?;
        let written = self.scanner.bytes(span);
        let room = MOST_EXPRESSIONS.saturating_sub(self.effects.expressions);
        if self.effects.effects.providers.len() >= MOST_PROVIDERS || written.len() > room {
            let digest = Sha256::digest(written);
            self.effects.too_much(&digest);
        } else {
            self.effects.expressions += written.len();
            // A stand-in for a large one is a string, and says so.
            let value: Value = self.parse(span)?;
            let provider = serde_json::from_value(value.clone())
                .unwrap_or_else(|_| Provider { expressions: value, ..Provider::default() });
            self.effects.effects.providers.insert(key, provider);
        }
        self.scanner.let_go();
        Ok(())
    }

    /// A resource of the configuration.
    pub(super) fn configured_resource(&mut self, call_path: &str) -> Result<(), PlanError> {
        let [mode, r#type, name, key, provisioners] = self.fields_if_any([
            b"\"mode\"",
            b"\"type\"",
            b"\"name\"",
            b"\"provider_config_key\"",
            b"\"provisioners\"",
        ])?;
        let text = |span| self.field::<Option<String>>("name", span).map(|text| text.flatten().unwrap_or_default());
        let (mode, r#type, name, key) = (text(mode)?, text(r#type)?, text(name)?, text(key)?);
        let place = hash((call_path, &mode, &r#type, &name));
        let effects = &mut self.effects;
        let all = effects.every || !effects.knows_changes;
        effects.gone.remove(&place);
        if all || effects.changed.contains(&place) {
            let call_path = call_path.to_owned();
            let resource = Provisioned { call_path, r#type, name, provisioners: Vec::new(), digest: [0; 32] };
            // One with an alias, or in a module, has such a key.
            let address = key.contains(['.', ':']).then(|| resource.address());
            let last = effects.pending.last().map(|last| last.key.clone()).filter(|last| **last == *key);
            let key = last.unwrap_or_else(|| key.into());
            let used = Use { place, key, address };
            if effects.knows_changes {
                effects.use_provider(used);
            } else if effects.pending.len() < MOST_CHANGED {
                effects.pending.push(used);
            } else {
                effects.every = true;
                effects.use_provider(used);
            }
            if let Some(span) = provisioners.filter(|_| all || self.effects.remade.contains(&place)) {
                self.provisioned(resource, span)?;
            }
        }
        self.scanner.let_go();
        Ok(())
    }

    fn provisioned(&mut self, mut resource: Provisioned, span: super::scan::Span) -> Result<(), PlanError> {
        let written = self.scanner.bytes(span);
        resource.digest = Sha256::digest(written).into();
        if self.effects.effects.provisioned.len() >= MOST_PROVISIONED {
            self.effects.effects.more_provisioned += 1;
            let digest = resource.digest;
            self.effects.too_much(resource.address().as_bytes());
            self.effects.too_much(&digest);
            return Ok(());
        }
        if self.effects.expressions + written.len() <= MOST_EXPRESSIONS {
            self.effects.expressions += written.len();
            let value: Value = self.parse(span)?;
            resource.provisioners = serde_json::from_value(value).unwrap_or_default();
        }
        self.effects.effects.provisioned.push(resource);
        Ok(())
    }
}

/// What a provider is called by default.
fn local_name(source: &str) -> &str {
    source.rsplit('/').next().unwrap_or(source)
}

fn hash(place: (&str, &str, &str, &str)) -> u64 {
    let mut hasher = DefaultHasher::new();
    place.hash(&mut hasher);
    hasher.finish()
}
