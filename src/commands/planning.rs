//! Making a plan under the lock and reading what it says.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tracing::Level;

use super::report::Report;
use super::running::{log_lines, quote, quote_diagnostics, words};
use super::session::{Root, Session};
use crate::cli::Words;
use crate::error::Error;
use crate::shell::lock_store::HeldLock;
use crate::shell::runner::{Footprint, temporary_directory};
use crate::shell::terraform::{Finished, TerraformError};
use stategate_core::plan::{PlanSummary, PlanVisitor, Secrets, read_plan};
use stategate_core::refusal::DigestMismatch;
use stategate_core::transcript::{Said, Transcript};

/// How often a silent plan says that it still works.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// A plan file, in a directory that only we can read and that goes with this value.
pub(super) struct PlanFile {
    _directory: TempDir,
    path: PathBuf,
    /// What Terraform said while it planned; it can hold secrets until it is scrubbed.
    transcript: Transcript,
    /// What it printed; the plan's text, where it does not speak JSON.
    printed: String,
}

impl PlanFile {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Runs `terraform plan`. What it says is held back: only the plan JSON tells which of its values
/// are secret, and Terraform's text is known to show some of them.
pub(super) async fn make(
    session: &Session,
    root: &Root,
    held: &HeldLock,
    plan_args: Option<&Words>,
    footprint: &mut Footprint,
    report: &mut Report,
) -> Result<PlanFile, Error> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("stategate-plan-");
    let directory = builder.tempdir_in(temporary_directory()).map_err(Error::TemporaryDirectory)?;
    let path = directory.path().join("plan.tfplan");
    let arguments = words(root, "plan", plan_args, &[&format!("-out={}", path.display())]);
    tracing::info!("terraform plan in {}", session.root_name());
    let mut transcript = Transcript::new(session.place_in_repository());
    let seen = Cell::new(0_usize);
    let planning = root.terraform.run(
        &arguments,
        session.cancel.wait(),
        |pid| {
            if let Err(error) = footprint.set_terraform(pid) {
                tracing::warn!("{error}");
            }
        },
        |line| match transcript.hear(line) {
            Said::Notice(text) => log_lines(Level::INFO, text),
            Said::Progress(_) | Said::Words(_) => seen.set(seen.get() + 1),
            Said::Diagnostic(..) | Said::Text(_) | Said::Nothing => {}
        },
    );
    // Beside the plan, for it costs nothing there; a plan under a lock that excludes nobody is
    // thrown away.
    let (finished, checked) = tokio::join!(with_heartbeat("terraform plan", planning, &seen), held.check_store());
    checked?;
    let mut finished = finished?;
    if finished.interrupted {
        return Err(Error::Cancelled);
    }
    if transcript.is_json() {
        finished.stderr = transcript.failure(&finished.stderr);
    }
    match finished.check_report(transcript.reports_error()) {
        Ok(finished) => Ok(PlanFile { _directory: directory, path, transcript, printed: finished.stdout }),
        Err(error) => {
            let of_plan = secrets_of_failed(session, root, &path).await?;
            if let Some(why) = of_plan.withheld() {
                tracing::warn!("Terraform's words about this plan are withheld: {why}");
            }
            let scrub = |text: &str| session.scrub(&of_plan.scrub(text));
            let table = root.bucket.backend().dynamodb_table.as_deref();
            let error = with_digest(Error::from(error.map_stderr(scrub)), table);
            report.hear(transcript.diagnostics().iter().map(|diagnostic| diagnostic.clone().map(scrub)));
            quote_diagnostics(&report.warnings())?;
            quote(None, Level::ERROR, error.terraform_text().unwrap_or_default())?;
            Err(error)
        }
    }
}

/// A checksum that does not fit is put right in the table that the backend names.
pub(super) fn with_digest(error: Error, table: Option<&str>) -> Error {
    match error.terraform_text().and_then(DigestMismatch::read) {
        Some(mismatch) => error.with_next(mismatch.remedy(table)),
        None => error,
    }
}

/// What is secret in a plan that failed, as far as Terraform wrote it down: newer versions keep
/// what they had. Where there is nothing, what Terraform itself hides has to do.
async fn secrets_of_failed(session: &Session, root: &Root, path: &Path) -> Result<Secrets, Error> {
    if !path.exists() {
        return Ok(Secrets::default());
    }
    let Ok(showing) = root.terraform.show_json(path) else { return Ok(Secrets::default()) };
    let cancel = session.cancel.clone();
    let read = move || showing.read(|| cancel.requested(), |json| read_plan(json, &mut []));
    let read = tokio::task::spawn_blocking(read);
    match read.await {
        Ok(Ok(Ok(plan))) => Ok(plan.secrets),
        Ok(Err(TerraformError::Stopped)) => Err(Error::Cancelled),
        _ => Ok(Secrets::default()),
    }
}

/// Reads the plan JSON, shows it to `visitor` on the way, and puts the summary into the report.
/// Then the log gets Terraform's text and warnings.
pub(super) async fn read<V: PlanVisitor + Send + 'static>(
    session: &Session,
    root: &Root,
    plan_file: &PlanFile,
    mut visitor: V,
    report: &mut Report,
) -> Result<V, Error> {
    if session.cancel.requested() {
        return Err(Error::Cancelled);
    }
    let showing = root.terraform.show_json(plan_file.path())?;
    let cancel = session.cancel.clone();
    let reading = tokio::task::spawn_blocking(move || {
        let summary = showing.read(|| cancel.requested(), |json| read_plan(json, &mut [&mut visitor]));
        (summary, visitor)
    });
    let (read, text) = tokio::join!(reading, text(session, root, plan_file));
    let (summary, visitor) = read.map_err(|error| Error::Unexpected(error.to_string()))?;
    let shown = summary.map_err(|error| error.map_stderr(|text| session.scrub(text)));
    let mut summary: PlanSummary = shown??;
    summary.secrets = summary.secrets.and(&session.secrets);
    if let Some(why) = summary.secrets.withheld() {
        tracing::warn!("neither values of this plan nor Terraform's words about it are shown: {why}");
    }
    let scrub = |text: &str| session.scrub(&summary.secrets.scrub(text));
    // The summary shows the plan as it is, so that a reviewer sees every change of a value.
    let text = summary.secrets.scrub(&text).into_owned();
    quote(Some("Terraform's plan"), Level::INFO, &text)?;
    let transcript = &plan_file.transcript;
    if transcript.is_json() {
        quote(None, Level::INFO, &scrub(&transcript.text()))?;
    }
    report.hear(transcript.diagnostics().iter().map(|diagnostic| diagnostic.clone().map(scrub)));
    quote_diagnostics(&report.diagnostics)?;
    report.plan_text = Some(text);
    report.plan = Some(summary);
    Ok(visitor)
}

/// The plan as Terraform writes it for people, not scrubbed yet. The work does not depend on it.
async fn text(session: &Session, root: &Root, plan_file: &PlanFile) -> String {
    if !plan_file.transcript.is_json() {
        return plan_file.printed.clone();
    }
    let arguments = ["show".to_owned(), "-no-color".to_owned(), plan_file.path.display().to_string()];
    let shown = root.terraform.ask(&arguments, session.cancel.wait()).await;
    match shown.and_then(Finished::check) {
        Ok(finished) => finished.stdout,
        // Whoever reads the JSON beside it notices too.
        Err(TerraformError::Stopped) => String::new(),
        Err(error) => {
            tracing::warn!("the plan cannot be shown as Terraform writes it: {error}");
            String::new()
        }
    }
}

/// Waits for `work` and says now and then that it goes on.
async fn with_heartbeat<E>(
    what: &str,
    work: impl Future<Output = Result<Finished, E>>,
    seen: &Cell<usize>,
) -> Result<Finished, E> {
    let mut work = std::pin::pin!(work);
    let started = tokio::time::Instant::now();
    loop {
        tokio::select! {
            finished = &mut work => return finished,
            () = tokio::time::sleep(HEARTBEAT) => tracing::info!(
                "{what} still works: {} s, {} messages so far",
                started.elapsed().as_secs(),
                seen.get()
            ),
        }
    }
}
