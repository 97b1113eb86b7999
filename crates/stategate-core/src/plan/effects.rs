//! What an apply does that stands in no change: the provisioners of what is made or destroyed, and the
//! configuration of the providers that do it.
//!
//! The JSON tells the constants of an expression, or else only what it refers to: enough for people
//! to see, and for the record to know where to look.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Read;
use std::rc::Rc;

use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

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
        let modules = self.call_path.split('.').filter(|call| !call.is_empty());
        let modules: String = modules.map(|call| format!("module.{call}.")).collect();
        format!("{modules}{}.{}", self.r#type, self.name)
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
    fn is_inherited(&self) -> bool {
        let is_empty = self.expressions.as_object().is_none_or(serde_json::Map::is_empty);
        self.module_address.is_some() && self.alias.is_none() && is_empty
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
        if self.changed.len() >= MOST_CHANGED {
            self.every = true;
            return;
        }
        let place = call_path(change.module_address.as_deref().unwrap_or_default());
        let place = hash((place.as_str(), &change.mode, &change.r#type, &change.name));
        self.changed.insert(place);
        if matches!(kind, Kind::Create | Kind::Replace | Kind::Destroy | Kind::Unknown) {
            self.remade.insert(place);
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
            if self.every || self.changed.contains(&used.place) {
                self.use_provider(used);
            }
        }
        let mut effects = self.effects;
        let comes_or_goes = |resource: &Provisioned| {
            self.remade.contains(&hash((&resource.call_path, "managed", &resource.r#type, &resource.name)))
        };
        effects.provisioned.retain(|resource| self.every || comes_or_goes(resource));
        effects.providers.retain(|key, _| self.keys.contains(key));
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

fn hash(place: (&str, &str, &str, &str)) -> u64 {
    let mut hasher = DefaultHasher::new();
    place.hash(&mut hasher);
    hasher.finish()
}
