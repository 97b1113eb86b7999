//! Terraform's machine-readable UI, line by line: what of it is for people, and when it may be shown.
//!
//! A line that is not of that form (a wrapper's noise, an old Terraform) is text. Neither text nor
//! a message decides anything: the exit code and the plan JSON do.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

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
            "version" | "planned_change" | "resource_drift" | "outputs" => Said::Nothing,
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
        let has_error = || self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
        !self.is_forced && (self.has_summary || has_error())
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

/// What becomes of a resource, in Terraform's words but for the ID that it gets: that can be a
/// secret. `None` for what we cannot put into words of our own.
fn progress(kind: &str, message: &Value) -> Option<String> {
    let hook = message.get("hook")?;
    let word = |name: &str| hook.get(name)?.as_str();
    let address = hook.get("resource")?.get("addr")?.as_str()?;
    let (doing, done) = match word("action") {
        Some("create") => ("Creating", "Creation"),
        Some("update") => ("Modifying", "Modifications"),
        Some("delete") => ("Destroying", "Destruction"),
        Some("read") => ("Reading", "Read"),
        Some("open") => ("Opening", "Opening"),
        Some("renew") => ("Renewing", "Renewal"),
        Some("close") => ("Closing", "Closing"),
        Some(_) => return None,
        None => ("", ""),
    };
    let seconds = || hook.get("elapsed_seconds")?.as_u64();
    let told = match kind.strip_prefix("ephemeral_op").or_else(|| kind.strip_prefix("apply")) {
        Some(_) if doing.is_empty() => return None,
        Some("_start") => format!("{doing}..."),
        Some("_progress") => format!("Still {}... [{}s elapsed]", doing.to_lowercase(), seconds()?),
        Some("_complete") => format!("{done} complete after {}s", seconds()?),
        Some("_errored") => format!("{done} errored after {}s", seconds()?),
        Some(_) => return None,
        None => match kind {
            "provision_start" => format!("Provisioning with '{}'...", word("provisioner")?),
            "provision_complete" => format!("({}) Provisioning complete", word("provisioner")?),
            "provision_errored" => format!("({}) Provisioning errored", word("provisioner")?),
            "refresh_start" => "Refreshing state...".to_owned(),
            "refresh_complete" => "Refresh complete".to_owned(),
            _ => return None,
        },
    };
    Some(format!("{address}: {told}"))
}

/// The address of what is created, changed or destroyed by now.
fn completed<'m>(kind: &str, message: &'m Value) -> Option<&'m str> {
    let hook = message.get("hook").filter(|_| kind == "apply_complete")?;
    let changes = matches!(hook.get("action")?.as_str()?, "create" | "update" | "delete");
    hook.get("resource")?.get("addr")?.as_str().filter(|_| changes)
}

/// The numbers at the end of an apply.
fn summary(message: &Value) -> Option<String> {
    let changes = message.get("changes")?;
    let count = |name: &str| changes.get(name)?.as_u64();
    let (add, change, remove) = (count("add")?, count("change")?, count("remove")?);
    let imported = count("import").filter(|count| *count > 0).map(|count| format!("{count} imported, "));
    match changes.get("operation")?.as_str()? {
        "apply" => Some(format!(
            "Apply complete! Resources: {}{add} added, {change} changed, {remove} destroyed.",
            imported.unwrap_or_default()
        )),
        "destroy" => Some(format!("Destroy complete! Resources: {remove} destroyed.")),
        _ => None,
    }
}

fn is_of_a_plan(message: &Value) -> bool {
    message.get("changes").and_then(|changes| changes.get("operation")).and_then(Value::as_str) == Some("plan")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, said: &Said) {
        assert_eq!(Transcript::default().hear(line), *said);
    }

    #[test]
    fn each_kind_of_line_is_told_when_it_may_be() {
        check(
            r#"{"@message":"\nInterrupt received.\nhunter2","type":"log"}"#,
            &Said::Notice("Interrupt received. It ends in order; please wait, or data may be lost."),
        );
        check(r#"{"@message":"a provider's words","type":"log"}"#, &Said::Words("a provider's words".to_owned()));
        check(r#"{"@message":"new","type":"not_known_yet"}"#, &Said::Words("new".to_owned()));
        for kind in ["version", "planned_change", "resource_drift", "outputs"] {
            check(&format!(r#"{{"@message":"x","type":"{kind}"}}"#), &Said::Nothing);
        }
        let summary = |operation: &str| {
            let changes = format!(r#"{{"add":1,"change":0,"import":2,"remove":3,"operation":"{operation}"}}"#);
            format!(r#"{{"@message":"s","type":"change_summary","changes":{changes}}}"#)
        };
        check(&summary("plan"), &Said::Nothing);
        let applied = "Apply complete! Resources: 2 imported, 1 added, 0 changed, 3 destroyed.";
        check(&summary("apply"), &Said::Progress(applied.to_owned()));
        check(&summary("destroy"), &Said::Progress("Destroy complete! Resources: 3 destroyed.".to_owned()));
        check(&summary("hunter2"), &Said::Words("s".to_owned()));
    }

    #[test]
    fn progress_is_told_by_addresses_and_numbers_alone() {
        let hook = r#""resource":{"addr":"a.b[\"c\"]"},"provisioner":"local-exec","id_key":"id","id_value":"hunter2","output":"hunter2""#;
        for (kind, fields, told) in [
            ("apply_start", r#""action":"delete""#, Some("Destroying...")),
            ("apply_progress", r#""action":"create","elapsed_seconds":10"#, Some("Still creating... [10s elapsed]")),
            ("apply_complete", r#""action":"update","elapsed_seconds":3"#, Some("Modifications complete after 3s")),
            ("apply_errored", r#""action":"read","elapsed_seconds":0"#, Some("Read errored after 0s")),
            ("ephemeral_op_start", r#""action":"open""#, Some("Opening...")),
            ("provision_start", r#""x":1"#, Some("Provisioning with 'local-exec'...")),
            ("provision_complete", r#""x":1"#, Some("(local-exec) Provisioning complete")),
            ("refresh_start", r#""x":1"#, Some("Refreshing state...")),
            ("provision_progress", r#""x":1"#, None),
            ("apply_start", r#""action":"frobnicate""#, None),
            ("apply_start", r#""x":1"#, None),
            ("action_progress", r#""action":"create""#, None),
        ] {
            let words = format!("m{kind}");
            let line = format!(r#"{{"@message":"{words}","type":"{kind}","hook":{{{hook},{fields}}}}}"#);
            let told = told.map(|told| Said::Progress(format!("a.b[\"c\"]: {told}")));
            check(&line, &told.unwrap_or(Said::Words(words)));
        }
        check(r#"{"@message":"x","type":"apply_start","hook":{}}"#, &Said::Words("x".to_owned()));
    }

    #[test]
    fn what_is_completed_is_counted_by_its_address() {
        let mut transcript = Transcript::default();
        for (kind, action) in [
            ("apply_start", "delete"),
            ("apply_complete", "delete"),
            ("apply_complete", "create"),
            ("apply_complete", "read"),
            ("apply_errored", "update"),
            ("provision_complete", "create"),
        ] {
            let hook = format!(r#"{{"resource":{{"addr":"a.b"}},"action":"{action}"}}"#);
            transcript.hear(&format!(r#"{{"@message":"x","type":"{kind}","hook":{hook}}}"#));
        }
        assert_eq!(*transcript.completed(), [("a.b".to_owned(), 2)].into());
    }

    #[test]
    fn what_is_not_json_of_terraform_is_text() {
        for line in ["", "plain", "{", "[1]", "null", r#"{"type":"diagnostic"}"#, r#"{"@message":1,"type":"log"}"#] {
            check(line, &Said::Text(line.to_owned()));
        }
        let mut transcript = Transcript::default();
        transcript.hear("a wrapper's noise");
        assert!(!transcript.is_json());
        transcript.hear(r#"{"@message":"Terraform 1.11.4","type":"version"}"#);
        assert!(transcript.is_json());
        assert_eq!(transcript.text(), "a wrapper's noise\n");
        for _ in 0..300 {
            transcript.hear(&"x".repeat(1024));
        }
        assert!(transcript.text().len() <= MOST_TEXT + 100);
        assert!(transcript.text().ends_with(" more lines that are not Terraform's)\n"));
        let mut tofu = Transcript::default();
        tofu.hear(r#"{"@level":"info","@message":"OpenTofu 1.6.0","@module":"tofu.ui","tofu":"1.6.0","type":"version","ui":"1.2"}"#);
        assert!(tofu.is_json());
    }

    #[test]
    fn a_dumped_state_is_kept_and_not_told() {
        // None of these numbers fits a type of ours; a float would make others of them.
        for number in ["7", "12345678901234567890123", "0.1000000000000000000001", "1e400"] {
            let mut transcript = Transcript::default();
            let state = format!(r#"{{"version": 4,"serial":{number}}}"#);
            let line = format!(r#"{{"@message":"Emergency state dump","type":"log","state":{state}}}"#);
            assert_eq!(transcript.hear(&line), Said::Nothing);
            assert!(transcript.is_json());
            assert_eq!(transcript.take_state(), Some(Dump::Whole(state)));
        }
    }

    #[test]
    fn a_dumped_state_that_is_cut_off_is_not_told() {
        let mut transcript = Transcript::default();
        let line = r#"{"@level":"info","@message":"Emergency state dump","type":"log","state":{"outputs":"hunter2"#;
        assert_eq!(transcript.hear(line), Said::Text(CUT.to_owned()));
        assert_eq!(transcript.text(), format!("{CUT}\n"));
        assert_eq!(transcript.take_state(), Some(Dump::Cut(r#"{"outputs":"hunter2"#.to_owned())));
        transcript.hear(r#"{"@level":"info","@message":"a \"state\":","type":"log","x":"#);
        assert_eq!(transcript.take_state(), None, "what is cut off need not be a state");
    }

    #[test]
    fn an_apply_tells_its_own_end() {
        let changes = |operation: &str| {
            let counts = format!(r#"{{"add":1,"change":0,"remove":0,"operation":"{operation}"}}"#);
            format!(r#"{{"@message":"s","type":"change_summary","changes":{counts}}}"#)
        };
        let diagnostic = |severity: &str| {
            format!(r#"{{"@message":"","type":"diagnostic","diagnostic":{{"severity":"{severity}","summary":"S"}}}}"#)
        };
        let progress = r#"{"@message":"x","type":"apply_complete","hook":{}}"#.to_owned();
        for (line, tells) in [
            (changes("apply"), true),
            (changes("destroy"), true),
            (changes("plan"), false),
            (diagnostic("error"), true),
            (diagnostic("warning"), false),
            (progress, false),
        ] {
            let mut transcript = Transcript::default();
            transcript.hear(&line);
            assert_eq!((transcript.tells_its_end(), transcript.breaks_off()), (tells, !tells), "{line}");
        }
        let mut forced = Transcript::default();
        forced.hear(&diagnostic("error"));
        forced.hear(r#"{"@message":"\nTwo interrupts received. Exiting immediately.","type":"log"}"#);
        assert!(forced.breaks_off(), "its error says only that it was interrupted twice");
        let mut text = Transcript::default();
        text.hear("Error: as it says it to people");
        assert!(!text.breaks_off());
    }

    #[test]
    fn terraforms_own_words_say_that_the_state_is_not_saved() {
        let diagnostic = |summary: &str| {
            format!(
                r#"{{"@message":"","type":"diagnostic","diagnostic":{{"severity":"error","summary":"{summary}"}}}}"#
            )
        };
        for (line, says) in [
            (diagnostic("Failed to save state"), true),
            (diagnostic("Failed to persist state to backend"), true),
            (diagnostic("creating: Failed to save state"), false),
            ("\u{2502} Error: Failed to persist state to backend".to_owned(), true),
            ("Failed to save state".to_owned(), false),
        ] {
            let mut transcript = Transcript::default();
            transcript.hear(&line);
            assert_eq!(transcript.says_state_is_not_saved(), says, "{line}");
        }
    }

    #[test]
    fn a_failure_is_told_by_the_errors_and_standard_error() {
        let mut transcript = Transcript::default();
        transcript.hear(r#"{"@message":"","type":"diagnostic","diagnostic":{"severity":"warning","summary":"W"}}"#);
        transcript.hear(r#"{"@message":"","type":"diagnostic","diagnostic":{"severity":"error","summary":"E"}}"#);
        assert_eq!(transcript.diagnostics().len(), 2);
        assert_eq!(transcript.failure("crashed\n"), "Error: E\n\ncrashed\n");
        assert_eq!(Transcript::default().failure("as it was\n"), "as it was\n");
    }

    #[test]
    fn the_version_says_whether_there_is_json() {
        for version in ["0.15.3", "0.15.4-beta1", "1.0.0", "1.11.4", "1.6.0-alpha2+dev", "2.0.0"] {
            assert!(speaks_json(version), "{version}");
        }
        for version in ["0.11.15", "0.12.31", "0.15.2", "unknown", "", "1"] {
            assert!(!speaks_json(version), "{version}");
        }
    }

    #[test]
    fn arguments_that_change_the_form_are_left_out() {
        let given = ["-json", "--json=false", "-detailed-exitcode", "-var", "json", "-var=json=1", "-jsonx"];
        let given: Vec<String> = given.map(str::to_owned).to_vec();
        assert_eq!(without_form(&given), ["-var", "json", "-var=json=1", "-jsonx"]);
    }
}
