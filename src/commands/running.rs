//! Running Terraform: what it says goes into the log, and what of it is needed later is kept.

use std::collections::VecDeque;

use serde_json::Value;
use tracing::Level;

use super::report::Report;
use super::session::{Purpose, Root, Session};
use crate::cli::Words;
use crate::error::Error;
use crate::shell::runner::{Quotation, annotate, in_actions, variable};
use crate::shell::terraform::{Finished, Terraform, TerraformError};
use stategate_core::diagnostic::{Diagnostic, MOST_ANNOTATIONS, Severity, annotations};
use stategate_core::transcript::{Said, Transcript, speaks_json, without_form};

/// A run of Terraform that ended, one way or another.
pub(super) struct Ran {
    /// Its standard error says why it failed, also where Terraform said so in JSON.
    pub(super) finished: Finished,
    pub(super) transcript: Transcript,
    /// What was not shown yet.
    pub(super) held_back: HeldBack,
}

/// What of Terraform's words is shown at once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Live {
    /// Everything: there are no values in it.
    Everything,
    /// What becomes of each resource. All else can hold a value that only the new state marks as
    /// sensitive, so it is held back.
    Progress,
}

enum Held {
    Words(String),
    Diagnostic(Diagnostic),
}

/// Bytes that are held back; of more, the last count: an error stands at the end.
const MOST_HELD_BACK: usize = 1024 * 1024;

/// What Terraform said and nobody may see before it is known what in it is secret.
#[derive(Default)]
pub(super) struct HeldBack {
    said: VecDeque<Held>,
    bytes: usize,
    left_out: usize,
}

impl HeldBack {
    fn push(&mut self, said: Held) {
        self.bytes += said.bytes();
        self.said.push_back(said);
        while self.bytes > MOST_HELD_BACK
            && let Some(first) = self.said.pop_front()
        {
            self.bytes -= first.bytes();
            self.left_out += 1;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.said.is_empty() && self.left_out == 0
    }

    /// Shows it in the log, each text passed through `scrub`. Where that does not know what the new
    /// state marks as sensitive, only what warnings and errors are called is shown, and where they are.
    pub(super) fn show(self, knows_the_state: bool, scrub: impl Fn(&str) -> String) {
        if self.is_empty() {
            return;
        }
        let quotation = match Quotation::begin(None) {
            Ok(quotation) => quotation,
            Err(error) => return tracing::warn!("what Terraform said cannot be shown: {error}"),
        };
        let mut left_out = self.left_out;
        for said in self.said {
            match said {
                Held::Words(text) if knows_the_state => log_lines(Level::INFO, &scrub(&text)),
                Held::Words(_) => left_out += 1,
                Held::Diagnostic(told) => {
                    let told = if knows_the_state { told } else { told.without_values() };
                    log_lines(level(told.severity), &scrub(&told.text()));
                }
            }
        }
        end(quotation);
        if left_out > 0 {
            tracing::info!(
                "{left_out} messages of Terraform's are not shown: too many, or what in them is secret is not known"
            );
        }
    }
}

impl Held {
    fn bytes(&self) -> usize {
        match self {
            Held::Words(text) => text.len(),
            Held::Diagnostic(diagnostic) => diagnostic.text().len(),
        }
    }
}

/// What Terraform did is worth more than the log.
fn end(quotation: Quotation) {
    if let Err(error) = quotation.end() {
        tracing::warn!("workflow commands stay off: {error}");
    }
}

/// Runs Terraform and shows what it says in the log, each text passed through `scrub`; on GitHub
/// folded under `title` when there is one.
pub(super) async fn shown(
    terraform: &Terraform,
    arguments: &[String],
    session: &Session,
    (title, live): (Option<&str>, Live),
    on_start: impl FnMut(u32),
    scrub: impl Fn(&str) -> String,
) -> Result<Ran, Error> {
    let mut transcript = Transcript::new(session.place_in_repository());
    let mut held_back = HeldBack::default();
    let quotation = begin_quotation(title)?;
    let finished = terraform
        .run(arguments, session.cancel.wait(), on_start, |line| match transcript.hear(line) {
            Said::Notice(text) => log_lines(Level::INFO, text),
            Said::Progress(text) => log_lines(Level::INFO, &scrub(&text)),
            Said::Words(text) | Said::Text(text) if live == Live::Everything => log_lines(Level::INFO, &scrub(&text)),
            Said::Diagnostic(told) if live == Live::Everything => log_lines(level(told.severity), &scrub(&told.text())),
            Said::Words(text) | Said::Text(text) => held_back.push(Held::Words(text)),
            Said::Diagnostic(told) => held_back.push(Held::Diagnostic(told)),
            Said::Nothing => {}
        })
        .await;
    end(quotation);
    let mut finished = finished?;
    if transcript.is_json() {
        finished.stderr = transcript.failure(&finished.stderr);
    }
    Ok(Ran { finished, transcript, held_back })
}

/// The words of `terraform plan` or `terraform apply`: the user's own first, for of a flag given
/// twice Terraform takes the last.
pub(super) fn words(root: &Root, command: &str, given: Option<&Words>, ours: &[&str]) -> Vec<String> {
    let mut words = vec![command.to_owned()];
    words.extend(given.map(|given| without_form(&given.0)).unwrap_or_default());
    words.extend(["-lock=false", "-input=false", "-no-color"].map(str::to_owned));
    if command == "plan" {
        // Terraform's own variables can ask for it, and a plan with changes would look like a failure.
        words.push("-detailed-exitcode=false".to_owned());
    }
    if speaks_json(&root.version) {
        words.push("-json".to_owned());
    }
    words.extend(ours.iter().map(|word| (*word).to_owned()));
    words
}

/// The arguments of a command as Terraform reads them: those of its own variables come first.
pub(super) fn all_words(command: &str, given: Option<&Words>) -> Vec<String> {
    let of_environment = ["TF_CLI_ARGS".to_owned(), format!("TF_CLI_ARGS_{command}")];
    let texts = of_environment.iter().filter_map(|name| variable(name));
    // Terraform refuses what cannot be split.
    let words = texts.flat_map(|text| shell_words::split(&text).unwrap_or_default());
    words.chain(given.into_iter().flat_map(|given| given.0.iter().cloned())).collect()
}

/// Puts Terraform's text into the log, where it cannot be taken for workflow commands; on GitHub
/// folded under `title` when there is one.
pub(super) fn quote(title: Option<&str>, level: Level, text: &str) -> Result<(), Error> {
    if text.trim().is_empty() {
        return Ok(());
    }
    let quotation = begin_quotation(title)?;
    log_lines(level, text);
    quotation.end().map_err(Error::Output)
}

/// Puts diagnostics into the log, each in the shape that people know from Terraform.
pub(super) fn quote_diagnostics(diagnostics: &[Diagnostic]) -> Result<(), Error> {
    if diagnostics.is_empty() {
        return Ok(());
    }
    let quotation = begin_quotation(None)?;
    for diagnostic in diagnostics {
        log_lines(level(diagnostic.severity), &diagnostic.text());
    }
    quotation.end().map_err(Error::Output)
}

/// On GitHub the title is the fold's; elsewhere a line of its own.
fn begin_quotation(title: Option<&str>) -> Result<Quotation, Error> {
    if let Some(title) = title.filter(|_| !in_actions()) {
        tracing::info!("{title}");
    }
    Quotation::begin(title).map_err(Error::Output)
}

/// A line of the log for each that is not empty.
pub(super) fn log_lines(level: Level, text: &str) {
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        match level {
            Level::ERROR => tracing::error!(target: "terraform", "{line}"),
            Level::WARN => tracing::warn!(target: "terraform", "{line}"),
            _ => tracing::info!(target: "terraform", "{line}"),
        }
    }
}

fn level(severity: Severity) -> Level {
    match severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARN,
    }
}

/// Opens the root module to work on it; when that fails for what stands in its files, the report
/// says where.
pub(super) async fn open_root(session: &Session, report: &mut Report) -> Result<Root, Error> {
    let opened = Root::open(session, Purpose::Lock).await;
    if let Err(Error::Terraform(TerraformError::Failed { stderr, .. })) = &opened {
        report.hear(found_by_validate(session, stderr).await.unwrap_or_default());
    }
    opened
}

/// `terraform init` tells its errors as text only; `validate` has the same ones with file and line.
/// What else it finds comes of a root module that is not initialised, and is left out.
async fn found_by_validate(session: &Session, stderr: &str) -> Result<Vec<Diagnostic>, Error> {
    let terraform = Terraform::find(session.target.terraform_bin.as_deref(), session.module()?)?;
    let arguments = ["validate".to_owned(), "-json".to_owned(), "-no-color".to_owned()];
    let finished = terraform.ask(&arguments, session.cancel.wait()).await?;
    let json: Value = serde_json::from_str(&finished.stdout).unwrap_or_default();
    let place = session.place_in_repository();
    let found = json.get("diagnostics").and_then(Value::as_array).into_iter().flatten();
    let found = found.filter_map(|json| Diagnostic::from_json(json, place.as_deref()));
    let told = found.filter(|diagnostic| !diagnostic.summary.is_empty() && stderr.contains(&diagnostic.summary));
    Ok(told.map(|diagnostic| diagnostic.map(|text| session.scrub(text))).collect())
}

/// Shows warnings and errors at their lines of the code. GitHub shows ten of each for a step, and
/// one error is ours.
pub(super) fn annotate_code(diagnostics: &[Diagnostic]) -> Result<(), Error> {
    let errors = annotations(diagnostics, Severity::Error, MOST_ANNOTATIONS - 1);
    let warnings = annotations(diagnostics, Severity::Warning, MOST_ANNOTATIONS);
    errors.iter().chain(&warnings).try_for_each(annotate).map_err(Error::Output)
}
