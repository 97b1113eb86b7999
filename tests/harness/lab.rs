//! The lab: a Terraform provider of our own, which does on demand what real ones do seldom.
//!
//! It has settings of its own, resources with identity, write-only and sensitive attributes, a data
//! source, an ephemeral resource and actions. Files in its directory make it slow, make it fail, or are the drift;
//! `lab/serve.py` says which. Terraform reaches it by `TF_REATTACH_PROVIDERS`, so nothing is installed.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::laptop::Laptop;
use super::process::wait_for;
use super::python::python;
use super::runner::Step;
use super::terraform::{RELEASES, number};

/// What a root module that uses it begins with. As `acme.test/acme/aws` it is there as well.
pub const REQUIRED: &str = r#"terraform {
  required_providers {
    lab = { source = "acme.test/acme/lab" }
  }
}
"#;

/// A running provider, with what exists in it. It ends when dropped, or with the tests.
#[derive(Debug)]
pub struct Lab {
    process: Child,
    directory: PathBuf,
    reattach: String,
}

impl Lab {
    /// Starts one with nothing in it, in a directory of its own.
    pub fn start(directory: PathBuf) -> Self {
        let code = directory.join("code");
        fs::create_dir_all(&code).expect("the directory can be made");
        for (name, text) in [("wire.py", include_str!("lab/wire.py")), ("serve.py", include_str!("lab/serve.py"))] {
            fs::write(code.join(name), text).expect("the provider can be written");
        }
        let mut process = serving(&directory).spawn().expect("the provider starts");
        let mut port = String::new();
        let stdout = process.stdout.take().expect("the provider has an output");
        BufReader::new(stdout).read_line(&mut port).expect("the provider tells its port");
        let address = json!({"Network": "tcp", "String": format!("127.0.0.1:{}", port.trim())});
        let at = json!({
            "Protocol": "grpc", "ProtocolVersion": 6, "Pid": process.id(), "Test": true, "Addr": address,
        });
        let reattach = json!({"acme.test/acme/lab": at, "acme.test/acme/aws": at});
        Self { process, directory, reattach: reattach.to_string() }
    }

    /// The same program once more.
    pub fn another(&self) -> Command {
        serving(&self.directory)
    }

    /// A step whose Terraform knows this provider, and actions.
    pub fn step<'a>(&self, step: Step<'a>) -> Step<'a> {
        let step = step.env("TF_REATTACH_PROVIDERS", &self.reattach);
        if number() < (1, 14, 0) { step.with_terraform(newest()) } else { step }
    }

    /// The same for a laptop.
    pub fn laptop(&self, laptop: Laptop) -> Laptop {
        let laptop = laptop.env("TF_REATTACH_PROVIDERS", &self.reattach);
        if number() < (1, 14, 0) { laptop.with_terraform(newest()) } else { laptop }
    }

    /// Makes a change of this item, or a call with this message, take until [`Lab::let_go`].
    pub fn hold(&self, name: &str) {
        self.write(&format!("hold-{name}"), "");
    }

    pub fn let_go(&self, name: &str) {
        self.remove(&format!("hold-{name}"));
    }

    /// Makes it fail until [`Lab::mend`].
    pub fn fail(&self, name: &str) {
        self.write(&format!("fail-{name}"), "");
    }

    pub fn mend(&self, name: &str) {
        self.remove(&format!("fail-{name}"));
    }

    /// What the data source finds under a name.
    pub fn reading(&self, name: &str, content: &str) {
        self.write(&format!("readings/{name}"), content);
    }

    /// An item that Terraform did not make.
    pub fn item(&self, kind: &str, item: &Value) {
        let key = item["id"].as_str().expect("an item has an ID");
        self.write(&format!("items/{kind}.{key}.json"), &item.to_string());
    }

    /// Changes an attribute of the only item with this name, outside of Terraform.
    pub fn drift(&self, name: &str, attribute: &str, value: &Value) {
        for entry in fs::read_dir(self.directory.join("items")).expect("there are items").flatten() {
            let text = fs::read_to_string(entry.path()).expect("an item can be read");
            let mut item: Value = serde_json::from_str(&text).expect("an item is JSON");
            if item["name"] == name {
                item[attribute] = value.clone();
                fs::write(entry.path(), item.to_string()).expect("an item can be written");
            }
        }
    }

    /// What it did, in order.
    pub fn log(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.directory.join("log.jsonl")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("the log is JSON")).collect()
    }

    /// The provider's setting at the time of each change, in order.
    pub fn worked_with(&self, setting: &str) -> Vec<Value> {
        self.log().into_iter().filter_map(|mut entry| Some(entry.get_mut("provider")?[setting].take())).collect()
    }

    /// The messages of the calls that it completed, in order.
    pub fn calls(&self) -> Vec<String> {
        let invoked = self.log().into_iter().filter(|entry| entry["did"] == "invoked");
        invoked.map(|entry| entry["config"]["message"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Waits until it has begun a call, made an item, or been told to stop.
    pub fn wait_for(&self, did: &str, count: usize) {
        wait_for(&format!("{did}, {count} times"), Duration::from_mins(2), || {
            (self.log().iter().filter(|entry| entry["did"] == did).count() >= count).then_some(())
        });
    }

    fn write(&self, path: &str, text: &str) {
        fs::write(self.directory.join(path), text).expect("the provider's files can be written");
    }

    fn remove(&self, path: &str) {
        fs::remove_file(self.directory.join(path)).expect("the provider's files can be removed");
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _status = self.process.wait();
    }
}

/// The provider as a program; it ends when its standard input is closed.
fn serving(directory: &Path) -> Command {
    let mut command = Command::new(python());
    command.arg(directory.join("code/serve.py")).arg(directory).stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

fn newest() -> &'static str {
    let [.., newest] = RELEASES;
    newest.version
}
