//! Terraform's machine-readable UI, line by line: what of it is for people, and when it may be shown.
//!
//! A line that is not of that form (a wrapper's noise, an old Terraform) is text. Neither text nor
//! a message decides anything: the exit code and the plan JSON do.

mod actions;
mod told;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

pub use actions::{Invocations, Outcome};
use told::{completed, is_of_a_plan, progress, summary};

use super::diagnostic::{Diagnostic, Severity};

/// Bytes that are kept of what is not JSON: `TF_LOG` can be endless.
const MOST_TEXT: usize = 256 * 1024;

/// What is told of a message that ends before its end. Nobody knows what it would have been: it
/// may hold a state.
const CUT: &str = "(a message of Terraform's cannot be read; there may be no room for its output)";

/// What Terraform and `OpenTofu` call it that the state could not be saved.
const NOT_SAVED: [&str; 4] = [
    "Failed to save state",
    "Failed to persist state to backend",
    "Failed to persist state after interruption",
    "Failed to serialize state",
];

/// How Terraform and `OpenTofu` begin to say that a second interrupt makes them leave everything as it is.
const FORCED: &str = "Two interrupts received";

/// What one line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// Words of Terraform's own, known to us letter for letter.
    Notice(&'static str),
    /// What becomes of a resource, told by its address and by numbers.
    Progress(String),
    /// Words that can be anybody's: a provisioner's, a provider's, or of a kind that we do not know.
    /// A value in them can be a secret.
    Words(String),
    /// A warning or an error, in Terraform's shape. A value in it can be a secret.
    Diagnostic(Diagnostic),
    /// A line that is not JSON of Terraform's.
    Text(String),
    /// What the plan or the comment tells better, or nobody needs; or what nobody may see.
    Nothing,
}

/// What one run of Terraform said, as far as it is needed later.
#[derive(Debug, Default)]
pub struct Transcript {
    root_module: Option<String>,
    is_json: bool,
    diagnostics: Vec<Diagnostic>,
    completed: BTreeMap<String, usize>,
    invocations: Invocations,
    text: String,
    text_left_out: usize,
    state: Option<Dump>,
    has_summary: bool,
    is_forced: bool,
}

/// A state that Terraform printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dump {
    /// Letter for letter.
    Whole(String),
    /// Up to where there was no room for its output; whatever it said next can stand behind.
    Cut(String),
}

impl Transcript {
    /// Nothing was said yet. `root_module` is the root module's path from the root of the
    /// repository, where there is one.
    pub fn new(root_module: Option<String>) -> Transcript {
        Transcript { root_module, ..Transcript::default() }
    }

    /// Takes a line.
    pub fn hear(&mut self, line: &str) -> Said {
        if let Some(state) = dumped_state(line) {
            self.is_json = true;
            self.state = Some(Dump::Whole(state));
            return Said::Nothing;
        }
        let message = serde_json::from_str::<Value>(line).ok().filter(Value::is_object);
        let word = |name: &str| message.as_ref()?.get(name)?.as_str();
        let (Some(message), Some(text), Some(kind)) = (&message, word("@message"), word("type")) else {
            let is_cut = message.is_none() && line.starts_with("{\"@level\":");
            if is_cut && let Some(part) = cut_dump(line) {
                self.state.get_or_insert_with(|| Dump::Cut(part.to_owned()));
            }
            let line = if is_cut { CUT } else { line };
            if self.text.len() + line.len() < MOST_TEXT {
                self.text.extend([line, "\n"]);
            } else {
                self.text_left_out += 1;
            }
            return Said::Text(line.to_owned());
        };
        self.is_json = true;
        let text = text.trim().to_owned();
        match kind {
            // Version and summary stand in the plan; the values of outputs and of changed resources
            // are only shown as the plan JSON allows.
            "version" | "planned_change" | "planned_action_invocation" | "resource_drift" | "outputs" => Said::Nothing,
            "change_summary" if is_of_a_plan(message) => Said::Nothing,
            "change_summary" => {
                self.has_summary = true;
                summary(message).map_or(Said::Words(text), Said::Progress)
            }
            "log" => {
                self.is_forced |= text.starts_with(FORCED);
                notice(&text).map_or(Said::Words(text), Said::Notice)
            }
            "diagnostic" => {
                let json = message.get("diagnostic").unwrap_or(&Value::Null);
                match Diagnostic::from_json(json, self.root_module.as_deref()) {
                    Some(diagnostic) => {
                        self.diagnostics.push(diagnostic.clone());
                        Said::Diagnostic(diagnostic)
                    }
                    None => Said::Words(text),
                }
            }
            kind => {
                if let Some(address) = completed(kind, message) {
                    *self.completed.entry(address.to_owned()).or_default() += 1;
                }
                self.invocations.hear(kind, message);
                progress(kind, message).map_or(Said::Words(text), Said::Progress)
            }
        }
    }

    /// Whether Terraform spoke JSON at all.
    pub fn is_json(&self) -> bool {
        self.is_json
    }

    /// The warnings and errors, in their order.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// How many steps of each resource's change were completed: created, changed or destroyed.
    pub fn completed(&self) -> &BTreeMap<String, usize> {
        &self.completed
    }

    /// What became of the actions that it invoked.
    pub fn invocations(&self) -> &Invocations {
        &self.invocations
    }

    /// The lines that were not JSON of Terraform's, as far as they were kept.
    pub fn text(&self) -> String {
        match self.text_left_out {
            0 => self.text.clone(),
            more => format!("{}({more} more lines that are not Terraform's)\n", self.text),
        }
    }

    /// The same without what can hold a value.
    #[must_use]
    pub fn without_values(self) -> Transcript {
        let diagnostics = self.diagnostics.into_iter().map(Diagnostic::without_values).collect();
        Transcript { diagnostics, text: String::new(), ..self }
    }

    /// The state, when Terraform could write it neither to the backend nor to a file and printed it
    /// as the last resort. It is full of secrets.
    pub fn take_state(&mut self) -> Option<Dump> {
        self.state.take()
    }

    /// Whether an apply came to its own end: its counts and its errors are the last that Terraform
    /// tells, after it wrote the state. Of a second interrupt it tells an error as well, and has not
    /// waited for its providers nor for the state.
    pub fn tells_its_end(&self) -> bool {
        !self.is_forced && (self.has_summary || self.reports_error())
    }

    /// Whether Terraform reports an error. Some versions go on after one and exit with 0.
    pub fn reports_error(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// Whether a second interrupt made it leave everything as it was.
    pub fn tells_two_interrupts(&self) -> bool {
        self.is_forced
    }

    /// Whether an apply began to speak and did not come to its own end. Of one that speaks text it is
    /// not known.
    pub fn breaks_off(&self) -> bool {
        self.is_json && !self.tells_its_end()
    }

    /// Whether an apply tells that it did all that it was to do.
    pub fn tells_success(&self) -> bool {
        self.has_summary
    }

    /// Whether Terraform says that it could not save the state. These words of its own have been the
    /// same since 0.15; a provider that says them too does no more than to keep the lock.
    pub fn says_state_is_not_saved(&self) -> bool {
        let says = |diagnostic: &Diagnostic| NOT_SAVED.contains(&diagnostic.summary.as_str());
        self.diagnostics.iter().any(says)
            || self
                .text
                .lines()
                .any(|line| NOT_SAVED.iter().any(|summary| line.ends_with(&format!("Error: {summary}"))))
    }

    /// Why Terraform failed: its errors, then whatever it wrote on standard error.
    pub fn failure(&self, stderr: &str) -> String {
        let errors = self.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
        let mut parts: Vec<String> = errors.map(Diagnostic::text).collect();
        if !stderr.trim().is_empty() {
            parts.push(stderr.to_owned());
        }
        parts.join("\n")
    }
}

/// Whether a Terraform that speaks text reports an error on its standard error, in its own shape.
pub fn reports_error(stderr: &str) -> bool {
    stderr.lines().any(|line| line.trim_start_matches(['│', ' ']).starts_with("Error: "))
}

/// The state in a line, letter for letter: a number in it can be one that we have no type for.
fn dumped_state(line: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Dump<'a> {
        #[serde(rename = "type")]
        kind: &'a str,
        #[serde(borrow)]
        state: &'a RawValue,
    }
    let dump = Some(line).filter(|line| line.contains("\"state\""))?;
    let dump = serde_json::from_str::<Dump<'_>>(dump).ok().filter(|dump| dump.kind == "log")?;
    Some(dump.state.get().to_owned())
}

/// What there is of the state in a line that is cut off. Go writes the keys in their order, so the
/// message's name stands before the state.
fn cut_dump(line: &str) -> Option<&str> {
    let (before, state) = line.split_once("\"state\":")?;
    before.contains("\"@message\":\"Emergency state dump\"").then_some(state)
}

/// What Terraform says of itself while it works. A provider's log can look like that, so none of
/// it but the words that we know is taken over.
fn notice(text: &str) -> Option<&'static str> {
    let known = [
        ("Interrupt received", "Interrupt received. It ends in order; please wait, or data may be lost."),
        (FORCED, "Two interrupts received. It exits at once; data may have been lost."),
        ("Stopping operation", "Stopping operation..."),
        ("Apply cancelled", "Apply cancelled."),
        ("Destroy cancelled", "Destroy cancelled."),
    ];
    known.into_iter().find(|(start, _)| text.starts_with(start)).map(|(_, told)| told)
}

/// Whether `plan` and `apply` of this version of Terraform or OpenTofu know `-json`: 0.15.3 was the
/// first. A version that cannot be read is an older one.
pub fn speaks_json(version: &str) -> bool {
    let mut numbers = version.split(['.', '-', '+']).map(str::parse::<u64>);
    let mut number = || numbers.next().and_then(Result::ok);
    match (number(), number(), number()) {
        (Some(major), Some(minor), Some(patch)) => (major, minor, patch) >= (0, 15, 3),
        _ => false,
    }
}

/// The user's arguments without those that would change how we hear Terraform: its form, and an
/// exit code that makes a plan with changes look like a failure.
pub fn without_form(arguments: &[String]) -> Vec<String> {
    let is_form = |word: &str| {
        let name = word.strip_prefix("--").or_else(|| word.strip_prefix('-')).unwrap_or_default();
        matches!(name.split('=').next(), Some("json" | "detailed-exitcode"))
    };
    arguments.iter().filter(|word| !is_form(word)).cloned().collect()
}
