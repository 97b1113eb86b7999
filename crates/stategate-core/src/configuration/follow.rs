//! What the provisioners of a resource, or a provider, are given: their own text, and whatever it
//! names, from module to module.

use std::collections::{BTreeMap, BTreeSet};

use super::names::{Name, names};
use super::split::{Item, attribute};
use super::{Configuration, Module};

/// What was found to be read. The parts are named as people name them (`local.command`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reads {
    /// Texts of the configuration.
    pub texts: BTreeMap<String, String>,
    /// The root module's variables, whose values count.
    pub variables: Vec<String>,
    /// Data sources, by the call path of their module, type and name.
    pub data: Vec<(String, String)>,
    /// The local names of the providers that open the ephemeral resources.
    pub openers: BTreeSet<String>,
    /// The call paths of the modules whose text was read.
    pub modules: Vec<String>,
}

impl Configuration {
    /// What the provisioners of a resource read. Where their text is not found, only the files that are
    /// not understood.
    pub fn provisioners(&self, call_path: &str, r#type: &str, name: &str) -> Reads {
        let mut follow = Follow::new(self);
        if let Some(body) = self.module(call_path).and_then(|module| module.block("resource", &[r#type, name])) {
            let runs = |item: &&Item| item.block("provisioner").is_some() || item.block("connection").is_some();
            let text: String = body.iter().filter(runs).map(Item::text).collect();
            if !text.is_empty() {
                follow.text(call_path, "its blocks".to_owned(), &text, body);
            }
        }
        if follow.reads.texts.is_empty() {
            // Somewhere in there it has to be.
            let text: String =
                self.module(call_path).into_iter().flat_map(|module| &module.items).map(Item::text).collect();
            follow.text(call_path, place(call_path, "all of its module"), &text, &[]);
        }
        follow.see_module(call_path);
        follow.finish()
    }

    /// The `removed` blocks that run something when their resource is destroyed: what each names, and
    /// what it reads. The plan's JSON has nothing of them.
    pub fn removed(&self) -> Vec<(String, Reads)> {
        let mut found = Vec::new();
        for (call_path, module) in &self.modules {
            for (_, body) in module.blocks("removed") {
                if body.iter().any(|item| item.block("provisioner").is_some()) {
                    let mut follow = Follow::new(self);
                    let text: String = body.iter().map(Item::text).collect();
                    follow.text(call_path, "its block".to_owned(), &text, body);
                    found.push((place(call_path, attribute(body, "from").unwrap_or_default()), follow.finish()));
                }
            }
        }
        found
    }

    /// What the configuration of a provider reads. `alias` is the one in its block.
    pub fn provider(&self, call_path: &str, name: &str, alias: Option<&str>) -> Reads {
        let mut follow = Follow::new(self);
        for (labels, body) in self.module(call_path).iter().flat_map(|module| module.blocks("provider")) {
            let own = attribute(body, "alias").map(|alias| alias.trim_matches('"'));
            // With an escape in it, it can be any.
            let is_it = own == alias || own.is_some_and(|own| own.contains('\\'));
            if labels.first().is_some_and(|label| label == name) && is_it {
                let text: String = body.iter().filter(|item| item.name != "version").map(Item::text).collect();
                follow.text(call_path, "its block".to_owned(), &text, body);
            }
        }
        follow.see_module(call_path);
        follow.finish()
    }

    /// Which provider an action takes: its own choice, and those of the calls that lead to it.
    pub fn provider_of_action(&self, call_path: &str, r#type: &str, name: &str) -> Reads {
        let mut follow = Follow::new(self);
        let body = self.module(call_path).and_then(|module| module.block("action", &[r#type, name]));
        if let Some(own) = body.and_then(|body| attribute(body, "provider")) {
            follow.reads.texts.insert("its choice".to_owned(), own.to_owned());
        }
        follow.see_module(call_path);
        let mut inner = call_path;
        while let Some((parent, call)) = split_call(inner) {
            let body = self.module(parent).and_then(|module| module.block("module", &[call]));
            if let Some(given) = body.and_then(|body| attribute(body, "providers")) {
                follow.reads.texts.insert(place(parent, &format!("the providers of module.{call}")), given.to_owned());
            }
            follow.see_module(parent);
            inner = parent;
        }
        // Only the texts say which one it is.
        follow.reads
    }

    /// Whether something else than a provider's configuration may read a variable of the root module.
    pub fn is_read_beside_providers(&self, variable: &str) -> bool {
        let Some(module) = self.module("") else { return true };
        let mut follow = Follow::new(self);
        // What is ephemeral goes into these, and into no plan.
        let is_aside = |item: &&Item| matches!(item.name.as_str(), "provider" | "variable" | "locals" | "ephemeral");
        for item in module.items.iter().filter(|item| !is_aside(item)) {
            follow.open.extend(names(&item.text()).into_iter().map(|name| (String::new(), name, &[] as &[Item])));
        }
        !module.opaque.is_empty() || follow.finish().variables.iter().any(|read| read == variable)
    }

    /// All of the text, for what cannot be looked up one by one.
    pub fn whole(&self) -> String {
        let mut text = String::new();
        for (call_path, module) in &self.modules {
            text.extend([call_path, "\n"]);
            text.extend(module.items.iter().map(Item::text));
            text.extend(module.opaque.values().map(|opaque| hex(&opaque.digest)));
        }
        text
    }

    /// Whether a variable of the root module is declared ephemeral.
    pub fn is_ephemeral(&self, variable: &str) -> bool {
        let module = self.module("");
        let body = module.and_then(|module| module.block("variable", &[variable]));
        body.and_then(|body| attribute(body, "ephemeral")).is_some_and(|value| value != "false")
    }
}

pub(super) struct Follow<'a> {
    configuration: &'a Configuration,
    reads: Reads,
    /// Names that are not followed yet, with the module and the block that they stand in.
    open: Vec<(String, Name, &'a [Item])>,
}

impl<'a> Follow<'a> {
    pub(super) fn new(configuration: &'a Configuration) -> Self {
        Self { configuration, reads: Reads::default(), open: Vec::new() }
    }

    /// The files that are not understood may say anything about what is read.
    pub(super) fn see_module(&mut self, call_path: &str) {
        if self.reads.modules.iter().any(|known| known == call_path) {
            return;
        }
        self.reads.modules.push(call_path.to_owned());
        for (name, opaque) in self.configuration.module(call_path).iter().flat_map(|module| &module.opaque) {
            self.reads.texts.insert(place(call_path, name), hex(&opaque.digest));
            let open = opaque.names.iter().map(|name| (call_path.to_owned(), name.clone(), &[] as &[Item]));
            self.open.extend(open);
        }
    }

    /// Follows all names that were found, and those found on the way. No recursion: a chain of names can
    /// be as long as its author likes.
    pub(super) fn finish(mut self) -> Reads {
        while let Some((call_path, name, around)) = self.open.pop() {
            self.name(&call_path, name, around);
        }
        self.reads
    }

    /// Adds a text under a name, and what it names; `around` is the block with its repetition.
    pub(super) fn text(&mut self, call_path: &str, part: String, text: &str, around: &'a [Item]) {
        if self.reads.texts.contains_key(&part) {
            return;
        }
        self.reads.texts.insert(part, text.to_owned());
        self.see_module(call_path);
        self.open.extend(names(text).into_iter().map(|name| (call_path.to_owned(), name, around)));
    }

    fn name(&mut self, call_path: &str, name: Name, around: &'a [Item]) {
        let Some(module) = self.configuration.module(call_path) else { return };
        match name {
            Name::Variable(name) => self.variable(call_path, module, &name),
            Name::Local(name) => {
                let part = place(call_path, &format!("local.{name}"));
                let text = module.blocks("locals").find_map(|(_, body)| attribute(body, &name));
                if let Some(text) = text {
                    self.text(call_path, part, text, &[]);
                }
            }
            Name::Module(call, output) => self.module_output(call_path, &call, output.as_deref()),
            Name::Data(r#type, name) => {
                let data = (call_path.to_owned(), format!("data.{type}.{name}"));
                if !self.reads.data.contains(&data) {
                    self.reads.data.push(data);
                }
                // What it is asked for says what it answers.
                let part = place(call_path, &format!("data.{type}.{name}"));
                if let Some(body) = module.block("data", &[&r#type, &name]) {
                    let text: String = body.iter().map(Item::text).collect();
                    self.text(call_path, part, &text, &[]);
                }
            }
            Name::Ephemeral(r#type, name) => {
                if let Some(body) = module.block("ephemeral", &[&r#type, &name]) {
                    let text: String = body.iter().map(Item::text).collect();
                    let chosen = attribute(body, "provider").map(|own| own.trim_start_matches(['"', '$', '{', ' ']));
                    let ends = |letter: char| !(letter.is_alphanumeric() || letter == '-' || letter == '_');
                    let opener = match chosen {
                        Some(chosen) => chosen.split(ends).next().unwrap_or_default(),
                        None => r#type.split('_').next().unwrap_or_default(),
                    };
                    self.reads.openers.insert(opener.to_owned());
                    self.text(call_path, place(call_path, &format!("ephemeral.{type}.{name}")), &text, body);
                }
            }
            Name::Repetition => {
                for meta in ["count", "for_each"] {
                    if let Some(text) = attribute(around, meta) {
                        self.text(call_path, place(call_path, &format!("`{meta}` of its block")), text, &[]);
                    }
                }
            }
        }
    }

    /// A variable: of the root module its value, of another what the call gives.
    fn variable(&mut self, call_path: &str, module: &'a Module, name: &str) {
        // A default can be in the type, too, and counts where the call gives `null`.
        let wanted: &[&str] = if call_path.is_empty() { &["type"] } else { &["default", "type", "nullable"] };
        let body = module.block("variable", &[name]).unwrap_or_default();
        let declared = body.iter().filter(|item| wanted.contains(&item.name.as_str()));
        let declared: String = declared.map(Item::text).collect();
        if !declared.is_empty() {
            self.text(call_path, place(call_path, &format!("the declaration of var.{name}")), &declared, &[]);
        }
        let Some((parent, call)) = split_call(call_path) else {
            if !self.reads.variables.iter().any(|known| known == name) {
                self.reads.variables.push(name.to_owned());
            }
            return;
        };
        let body = self.configuration.module(parent).and_then(|module| module.block("module", &[call]));
        let part = place(call_path, &format!("var.{name}"));
        if let Some((body, text)) = body.and_then(|body| Some((body, attribute(body, name)?))) {
            self.text(parent, part, text, body);
        }
    }

    fn module_output(&mut self, call_path: &str, call: &str, output: Option<&str>) {
        let child = if call_path.is_empty() { call.to_owned() } else { format!("{call_path}.{call}") };
        let Some(module) = self.configuration.module(&child) else { return };
        for (labels, body) in module.blocks("output") {
            let Some(name) = labels.first().filter(|name| output.is_none_or(|wanted| wanted == name.as_str())) else {
                continue;
            };
            if let Some(text) = attribute(body, "value") {
                self.text(&child, place(call_path, &format!("module.{call}.{name}")), text, &[]);
            }
        }
    }
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The module that makes the call, and the call's name.
fn split_call(call_path: &str) -> Option<(&str, &str)> {
    if call_path.is_empty() {
        return None;
    }
    Some(call_path.rsplit_once('.').unwrap_or(("", call_path)))
}

/// A name within a module, so that two modules' do not meet.
pub(super) fn place(call_path: &str, name: &str) -> String {
    if call_path.is_empty() { name.to_owned() } else { format!("{name} in module {call_path}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configuration(modules: &[(&str, &str)]) -> Configuration {
        let mut configuration = Configuration::default();
        for (path, text) in modules {
            let mut module = Module::at(*path);
            module.add("main.tf", text.as_bytes());
            configuration.add(path, module);
        }
        configuration
    }

    const RUNS: &str = r#"resource "terraform_data" "a" {
  input = var.other
  provisioner "local-exec" {
    command = "run ${local.what} ${each.value}"
  }
  for_each = toset(var.places)
}"#;

    #[track_caller]
    fn reads(modules: &[(&str, &str)]) -> Reads {
        configuration(modules).provisioners(modules[0].0, "terraform_data", "a")
    }

    #[test]
    fn a_provisioner_is_followed_to_whatever_it_is_given() {
        let child = format!("{RUNS}\nvariable \"places\" {{}}\nlocals {{\n  what = \"${{var.what}} x\"\n}}");
        let root = r#"
module "m" {
  source = "./m"
  what   = "${local.far} ${module.n.out}"
  places = ["p"]
  other  = var.other
}
locals { far = var.deep }
module "n" { source = "./n" }
"#;
        let neighbour = "output \"out\" { value = data.external.x.result }\ndata \"external\" \"x\" { program = [var.y] }\nvariable \"y\" { default = \"z\" }";
        let found = reads(&[("m", &child), ("", root), ("n", neighbour)]);
        let parts: Vec<&str> = found.texts.keys().map(String::as_str).collect();
        for part in [
            "its blocks",
            "local.what in module m",
            "`for_each` of its block in module m",
            "var.what in module m",
            "var.places in module m",
            "local.far",
            "module.n.out",
            "data.external.x in module n",
            "the declaration of var.y in module n",
        ] {
            assert!(parts.contains(&part), "{part} in {parts:?}");
        }
        assert_eq!(found.variables, ["deep"], "what only the resource's arguments read is in the plan");
        assert_eq!(found.modules, ["m", "", "n"]);
    }

    #[test]
    fn an_unrelated_change_of_the_module_makes_no_difference() {
        let one = format!("{RUNS}\nlocals {{ what = 1 }}");
        let other = format!("# new\n{RUNS}\nlocals {{\n  what = 1\n  more = 2\n}}\nresource \"x\" \"y\" {{}}");
        assert_eq!(reads(&[("", &one)]), reads(&[("", &other)]));
        assert_ne!(reads(&[("", &one)]), reads(&[("", &one.replace("what = 1", "what = 2"))]));
        assert_ne!(reads(&[("", &one)]), reads(&[("", &one.replace("run ", "rum "))]));
    }

    #[test]
    fn a_file_that_is_not_understood_counts_as_a_whole() {
        let mut configuration = configuration(&[("", RUNS)]);
        let mut module = configuration.modules[""].clone();
        module.add("odd.tf", b"locals {");
        module.add("main_override.tf", b"locals {}");
        configuration.add("", module);
        let reads = configuration.provisioners("", "terraform_data", "a");
        assert!(["odd.tf", "main_override.tf"].iter().all(|name| reads.texts.contains_key(*name)), "{reads:?}");
    }

    #[test]
    fn a_removed_block_can_still_run_something() {
        let removed = "removed {\n  from = terraform_data.a\n  provisioner \"local-exec\" {\n    when = destroy\n    command = \"x\"\n  }\n}";
        let found = configuration(&[("", removed), ("m", "removed { from = terraform_data.b }")]).removed();
        let subjects: Vec<&str> = found.iter().map(|(subject, _)| subject.as_str()).collect();
        assert_eq!(subjects, ["terraform_data.a"]);
        assert!(found[0].1.texts.contains_key("its block"));
    }

    #[test]
    fn a_provider_is_found_by_name_and_alias() {
        let text = r#"
provider "aws" { region = var.region }
provider "aws" {
  alias  = "west"
  region = local.west
}
locals { west = "us-west-${var.number}" }
variable "token" { ephemeral = true }
"#;
        let configuration = configuration(&[("", text)]);
        assert_eq!(configuration.provider("", "aws", None).variables, ["region"]);
        assert_eq!(configuration.provider("", "aws", Some("west")).variables, ["number"]);
        assert!(configuration.provider("", "google", None).texts.is_empty());
        assert!(configuration.is_ephemeral("token") && !configuration.is_ephemeral("number"));
    }
}
