//! Making a plan under the lock and reading what it says.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use super::report::Report;
use super::session::{Root, Session};
use crate::cli::Words;
use crate::core::plan::{PlanSummary, PlanVisitor, read_plan};
use crate::error::Error;
use crate::shell::lock_store::HeldLock;
use crate::shell::runner::{Footprint, resume_commands, stop_commands, variable};
use crate::shell::terraform::Finished;

/// How often a silent plan says that it still works.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// A plan file, in a directory that only we can read and that goes with this value.
pub(super) struct PlanFile {
    _directory: TempDir,
    path: PathBuf,
    /// Terraform's own text of the plan; it can hold secrets until it is scrubbed.
    text: String,
}

impl PlanFile {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Runs `terraform plan`. Its text is held back: only the plan JSON tells which of its values are
/// secret, and Terraform's text is known to show some of them.
pub(super) async fn make(
    session: &Session,
    root: &Root,
    held: &HeldLock,
    plan_args: Option<&Words>,
    footprint: &mut Footprint,
) -> Result<PlanFile, Error> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("stategate-plan-");
    let directory = match variable("RUNNER_TEMP") {
        Some(temp) => builder.tempdir_in(temp),
        None => builder.tempdir(),
    }
    .map_err(Error::TemporaryDirectory)?;
    let path = directory.path().join("plan.tfplan");
    // The user's arguments first: of a flag given twice, Terraform takes the last.
    // A detailed exit code would make a plan with changes look like a failure.
    let mut arguments = vec!["plan".to_owned()];
    let given = plan_args.cloned().unwrap_or_default().0;
    arguments.extend(given.into_iter().filter(|word| word.trim_start_matches('-') != "detailed-exitcode"));
    arguments.extend(["-lock=false", "-input=false", "-no-color"].map(str::to_owned));
    arguments.push(format!("-out={}", path.display()));
    tracing::info!("terraform plan in {}", session.root_name());
    let planning = root.terraform.run(
        &arguments,
        session.cancel.wait(),
        |pid| {
            if let Err(error) = footprint.set_terraform(pid) {
                tracing::warn!("{error}");
            }
        },
        |_| {},
    );
    // Beside the plan, for it costs nothing there; a plan under a lock that excludes nobody is
    // thrown away.
    let (finished, checked) = tokio::join!(with_heartbeat("terraform plan", planning), held.check_store());
    checked?;
    let finished = finished?;
    if finished.interrupted {
        return Err(Error::Cancelled);
    }
    let finished = match finished.check() {
        Ok(finished) => finished,
        Err(error) => {
            let error = Error::from(error.map_stderr(|text| session.secrets.scrub(text).into_owned()));
            log_terraform(error.terraform_text().unwrap_or_default())?;
            return Err(error);
        }
    };
    Ok(PlanFile { _directory: directory, path, text: finished.stdout })
}

/// Reads the plan JSON, shows it to `visitor` on the way, and puts the summary into the report.
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
    let (summary, visitor) = tokio::task::spawn_blocking(move || {
        let summary = showing.read(|json| read_plan(json, &mut [&mut visitor]));
        (summary, visitor)
    })
    .await
    .map_err(|error| Error::Unexpected(error.to_string()))?;
    let shown = summary.map_err(|error| error.map_stderr(|text| session.secrets.scrub(text).into_owned()));
    let summary: PlanSummary = shown??;
    let text = summary.secrets.scrub(&plan_file.text);
    let text = session.secrets.scrub(&text).into_owned();
    log_terraform(&text)?;
    report.plan_text = Some(text);
    report.plan = Some(summary);
    Ok(visitor)
}

/// Puts Terraform's text into the log, where it cannot be taken for workflow commands.
fn log_terraform(text: &str) -> Result<(), Error> {
    let commands = stop_commands().map_err(Error::Output)?;
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        tracing::info!(target: "terraform", "{line}");
    }
    resume_commands(commands).map_err(Error::Output)
}

async fn with_heartbeat<E>(what: &str, work: impl Future<Output = Result<Finished, E>>) -> Result<Finished, E> {
    let mut work = std::pin::pin!(work);
    let started = tokio::time::Instant::now();
    loop {
        tokio::select! {
            finished = &mut work => return finished,
            () = tokio::time::sleep(HEARTBEAT) => tracing::info!("{what} still works, {} s so far", started.elapsed().as_secs()),
        }
    }
}
