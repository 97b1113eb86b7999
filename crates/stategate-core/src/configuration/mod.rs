//! What a configuration's own text says, as far as its structure.
//!
//! A plan's JSON leaves out what has an effect: of an expression that refers to something it tells
//! the references and not the rest, and locals, connections and `when` not at all. So what a
//! provisioner or a provider is given is looked up in the text that Terraform reads, and followed
//! from name to name.

mod changed;
mod follow;
mod names;
mod split;
#[cfg(test)]
mod tests;
mod undecided;

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

pub use changed::Moved;
pub use follow::Reads;
use names::{Name, names};
use split::{Content, Item};

use crate::plan::{all_inside, without_twice};

/// The configuration of a root module and of all modules that it calls.
#[derive(Debug, Clone, Default)]
pub struct Configuration {
    modules: BTreeMap<String, Module>,
}

/// One module: its Terraform files, split.
#[derive(Debug, Clone, Default)]
pub struct Module {
    /// Where it is, for people and for whoever reads files beside it.
    directory: String,
    items: Vec<Item>,
    /// The files that are not understood: each counts as a whole for everything in the module.
    opaque: BTreeMap<String, Opaque>,
}

/// A file that is not understood.
#[derive(Debug, Clone)]
struct Opaque {
    digest: [u8; 32],
    /// All that stands in it anywhere.
    names: Vec<Name>,
}

impl Module {
    /// Begins with a module's directory, as `Configuration::directory` gives it back.
    pub fn at(directory: impl Into<String>) -> Self {
        Self { directory: directory.into(), ..Self::default() }
    }

    /// Adds a Terraform file.
    #[expect(clippy::case_sensitive_file_extension_comparisons, reason = "Terraform compares them so")]
    pub fn add(&mut self, name: &str, content: &[u8]) {
        let text = std::str::from_utf8(content).ok();
        let items = match text {
            // What an override changes of which block is Terraform's to know.
            _ if is_override(name) => None,
            Some(text) if name.ends_with(".json") => from_json(text),
            Some(text) => split::split(text),
            None => None,
        };
        match items {
            Some(items) => self.items.extend(items),
            None => self.add_whole(name, content),
        }
    }

    /// Adds a Terraform file of which any change counts.
    pub fn add_whole(&mut self, name: &str, content: &[u8]) {
        let text = String::from_utf8_lossy(content);
        // Escapes in JSON can be in the middle of a name.
        let text = all_inside(&text).map_or_else(|| text.into_owned(), |json| json.to_string());
        let opaque = Opaque { digest: Sha256::digest(content).into(), names: names(&text) };
        self.opaque.insert(name.to_owned(), opaque);
    }

    fn blocks<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (&'a [String], &'a [Item])> {
        self.items.iter().filter_map(move |item| item.block(kind))
    }

    /// The body of the block with these labels.
    fn block<'a>(&'a self, kind: &'a str, labels: &[&str]) -> Option<&'a [Item]> {
        self.blocks(kind).find(|(own, _)| own.iter().eq(labels)).map(|(_, body)| body)
    }
}

impl Configuration {
    /// Adds a module by the names of the calls that lead to it (`network.subnets`); the root's is empty.
    pub fn add(&mut self, call_path: &str, module: Module) {
        self.modules.insert(call_path.to_owned(), module);
    }

    /// Where a module is.
    pub fn directory(&self, call_path: &str) -> Option<&str> {
        self.modules.get(call_path).map(|module| module.directory.as_str())
    }

    fn module(&self, call_path: &str) -> Option<&Module> {
        self.modules.get(call_path)
    }
}

/// The calls that lead to a module, from its address: `module.a["x"].module.b[0]` is `a.b`.
pub fn call_path(module_address: &str) -> String {
    let mut path = String::new();
    let (mut quoted, mut escaped, mut open) = (false, false, 0_usize);
    let mut plain = String::new();
    for letter in module_address.chars() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '[' if !quoted => open += 1,
            ']' if !quoted => open = open.saturating_sub(1),
            _ if quoted || open > 0 => {}
            other => plain.push(other),
        }
    }
    let mut parts = plain.split('.');
    while let (Some(_), Some(name)) = (parts.next(), parts.next()) {
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(name);
    }
    path
}

/// Whether Terraform merges a file's blocks into those of others.
fn is_override(name: &str) -> bool {
    let stem = [".tf.json", ".tofu.json", ".tf", ".tofu"].iter().find_map(|ending| name.strip_suffix(ending));
    let stem = stem.unwrap_or(name);
    stem == "override" || stem.ends_with("_override")
}

/// How many labels a block of this kind has.
fn labels_of(kind: &str) -> usize {
    match kind {
        "resource" | "data" | "ephemeral" | "action" => 2,
        "module" | "variable" | "output" | "provider" | "check" => 1,
        _ => 0,
    }
}

/// The same from Terraform's JSON syntax. What stands in a block stays JSON: only resources,
/// which can hold provisioners, are opened one step further.
fn from_json(text: &str) -> Option<Vec<Item>> {
    // Of a block that stands twice, Terraform takes both.
    let Value::Object(top) = without_twice(text)? else { return None };
    let mut items = Vec::new();
    for (kind, value) in &top {
        blocks_of_json(kind, labels_of(kind), &mut Vec::new(), value, &mut items);
    }
    Some(items)
}

fn blocks_of_json(kind: &str, labels: usize, had: &mut Vec<String>, value: &Value, items: &mut Vec<Item>) {
    match value {
        Value::Array(several) => several.iter().for_each(|one| blocks_of_json(kind, labels, had, one, items)),
        Value::Object(members) if labels > 0 => {
            for (label, inner) in members {
                had.push(label.clone());
                blocks_of_json(kind, labels - 1, had, inner, items);
                had.pop();
            }
        }
        Value::Object(members) => {
            let mut body = Vec::new();
            for (name, inner) in members {
                let is_block = matches!(name.as_str(), "provisioner" | "connection");
                if is_block {
                    blocks_of_json(name, usize::from(name == "provisioner"), &mut Vec::new(), inner, &mut body);
                } else {
                    body.push(Item { name: name.clone(), content: Content::Expression(inner.to_string()) });
                }
            }
            items.push(Item { name: kind.to_owned(), content: Content::Block { labels: had.clone(), body } });
        }
        other => items.push(Item { name: kind.to_owned(), content: Content::Expression(other.to_string()) }),
    }
}
