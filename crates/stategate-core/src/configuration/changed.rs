//! What a root module's text says otherwise than that of the base branch: where its modules come from,
//! and where its state is.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::split::{Item, attribute};
use super::{Configuration, Module};
use crate::backend::Backend;

/// The settings of a backend that say which state it is.
const ADDRESS: [&str; 7] =
    ["bucket", "key", "workspace_key_prefix", "region", "dynamodb_table", "endpoint", "endpoints"];

/// A setting of the backend that differs, as the texts have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    setting: String,
    base: Option<String>,
    now: Option<String>,
}

impl Moved {
    /// Puts what the base branch has into a backend; `None` where that is no plain text, or says more
    /// than where an object lies in AWS.
    pub fn take_back(&self, backend: &mut Backend) -> Option<()> {
        match self.setting.as_str() {
            "bucket" => self.literal()?.clone_into(&mut backend.bucket),
            "key" => self.literal()?.clone_into(&mut backend.key),
            "region" => backend.region = Some(self.literal()?.to_owned()),
            "workspace_key_prefix" => {
                // Terraform's own, where the block has none.
                let prefix = self.base.as_ref().map_or(Some("env:"), |_| self.literal())?;
                prefix.clone_into(&mut backend.workspace_key_prefix);
            }
            // Where the lock lies has nothing to do with where the state does.
            "dynamodb_table" => {}
            _ => return None,
        }
        Some(())
    }

    /// What the base branch has, where that is plain text.
    fn literal(&self) -> Option<&str> {
        let text = self.base.as_deref()?.strip_prefix('"')?.strip_suffix('"')?;
        (!text.is_empty() && !text.contains(['"', '\\', '$', '%'])).then_some(text)
    }
}

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |text: &Option<String>| match text {
            Some(text) => format!("`{}`", text.trim_matches('"').replace('`', "")),
            None => "not set".to_owned(),
        };
        write!(f, "`{}` is {}, and {} on the base branch", self.setting, shown(&self.now), shown(&self.base))
    }
}

impl Configuration {
    /// The calls of modules whose source or version is another one than in `base`, a sentence each. Local
    /// modules are part of the diff that reviewers read.
    pub fn other_calls(&self, base: &Self) -> Vec<String> {
        let (now, base) = (calls(self.module("")), calls(base.module("")));
        let mut said = Vec::new();
        for (name, settings) in &now {
            let is_local = |source: Option<&String>| source.is_none_or(|source| source.starts_with("\"."));
            let Some(then) = base.get(name) else {
                if let Some(source) = settings.get("source").filter(|source| !is_local(Some(source))) {
                    said.push(format!("the module `{name}` is new, from `{}`", plain(source)));
                }
                continue;
            };
            if is_local(settings.get("source")) && is_local(then.get("source")) {
                continue;
            }
            for setting in ["source", "version"] {
                let (is, was) = (settings.get(setting), then.get(setting));
                if is != was {
                    let shown = |text: Option<&String>| {
                        text.map_or_else(|| "none".to_owned(), |text| format!("`{}`", plain(text)))
                    };
                    said.push(format!(
                        "the module `{name}` has the {setting} {}, and {} on the base branch",
                        shown(is),
                        shown(was)
                    ));
                }
            }
        }
        said
    }

    /// The settings of the backend's address that are not those of `base`.
    pub fn other_backend(&self, base: &Self) -> Vec<Moved> {
        let (now, base) = (backend(self.module("")), backend(base.module("")));
        // One that cannot be read, or that a file of `init` completes, says nothing.
        if base.is_empty() || now.is_empty() {
            return Vec::new();
        }
        let settings: BTreeSet<&String> = now.keys().chain(base.keys()).collect();
        let differing = settings.into_iter().filter(|setting| now.get(*setting) != base.get(*setting));
        let moved = differing.map(|setting| Moved {
            setting: setting.clone(),
            base: base.get(setting).cloned(),
            now: now.get(setting).cloned(),
        });
        moved.collect()
    }
}

fn plain(text: &str) -> String {
    text.trim_matches('"').replace('`', "")
}

type Settings = BTreeMap<String, String>;

fn calls(module: Option<&Module>) -> BTreeMap<String, Settings> {
    let mut calls = BTreeMap::new();
    for (labels, body) in module.iter().flat_map(|module| module.blocks("module")) {
        let settings = |name: &&str| Some(((*name).to_owned(), attribute(body, name)?.to_owned()));
        if let Some(name) = labels.first() {
            calls.insert(name.clone(), ["source", "version"].iter().filter_map(settings).collect());
        }
    }
    calls
}

fn backend(module: Option<&Module>) -> Settings {
    let blocks = module.iter().flat_map(|module| module.blocks("terraform")).flat_map(|(_, body)| body);
    let bodies = blocks.filter_map(|item: &Item| item.block("backend")).map(|(_, body)| body);
    let settings = bodies.flat_map(|body| {
        ADDRESS.iter().filter_map(|name| Some(((*name).to_owned(), attribute(body, name)?.to_owned())))
    });
    settings.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Configuration {
        let mut module = Module::default();
        module.add("main.tf", text.as_bytes());
        let mut configuration = Configuration::default();
        configuration.add("", module);
        configuration
    }

    #[test]
    fn modules_from_elsewhere_are_compared_and_local_ones_are_not() {
        let base = of("module \"a\" {\n source = \"x/y/z\"\n version = \"1.0\"\n}\nmodule \"l\" { source = \"./l\" }");
        let now = of(
            "module \"a\" {\n source = \"x/y/z\"\n version = \"2.0\"\n}\nmodule \"l\" { source = \"./m\" }\nmodule \"n\" { source = \"git::https://h/n\" }",
        );
        assert_eq!(
            now.other_calls(&base),
            [
                "the module `a` has the version `2.0`, and `1.0` on the base branch",
                "the module `n` is new, from `git::https://h/n`",
            ]
        );
        assert!(base.other_calls(&base).is_empty());
    }

    #[test]
    fn a_backend_that_moved_is_told_by_its_settings() {
        let backend = |key: &str| {
            of(&format!(
                "terraform {{\n backend \"s3\" {{\n  bucket = \"b\"\n  key = \"{key}\"\n encrypt = true\n }}\n}}"
            ))
        };
        let moved = backend("copy").other_backend(&backend("prod"));
        assert_eq!(
            moved.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["`key` is `copy`, and `prod` on the base branch"]
        );
        assert_eq!(moved[0].literal(), Some("prod"));
        assert!(backend("a").other_backend(&backend("a")).is_empty());
        assert!(backend("a").other_backend(&of("")).is_empty());
    }
}
