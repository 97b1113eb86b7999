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

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

pub use changed::Moved;
pub use follow::Reads;
use split::{Content, Item};

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
    /// Of the files that are not understood, names and digests: each counts as a whole for
    /// everything in the module.
    opaque: BTreeMap<String, [u8; 32]>,
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
        self.opaque.insert(name.to_owned(), Sha256::digest(content).into());
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
    let stem = name.split('.').next().unwrap_or(name);
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
    let Value::Object(top) = serde_json::from_str(text).ok()? else { return None };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calls_to_a_module_are_read_from_its_address() {
        assert_eq!(call_path(""), "");
        assert_eq!(call_path("module.a"), "a");
        assert_eq!(call_path(r#"module.a["x.module.y]\""].module.b[0]"#), "a.b");
    }

    #[test]
    fn json_is_split_as_hcl_is() {
        let text = r#"{"resource": {"t": {"n": [{"provisioner": [{"local-exec": {"command": "x"}}], "count": 2}]}},
            "locals": {"a": 1}, "provider": {"aws": [{"region": "x"}, {"alias": "y"}]}}"#;
        let mut module = Module::at("m");
        module.add("main.tf.json", text.as_bytes());
        let body = module.block("resource", &["t", "n"]).unwrap();
        assert!(body.iter().any(|item| item.block("provisioner").is_some()));
        assert_eq!(module.blocks("provider").count(), 2);
        assert_eq!(split::attribute(module.block("locals", &[]).unwrap(), "a"), Some("1"));
    }
}
