//! Running `terraform apply` of an approved plan: run it, save its state where Terraform could not,
//! find out what in its words is secret, tell them, and say how it ended.

use std::fs;
use std::path::Path;

use super::apply::ApprovedPlan;
use super::report::Report;
use super::rescue::{Left, Rescued, rescue};
use super::running::{Live, Ran, shown, words};
use super::session::{Root, Session};
use crate::cli::Words;
use crate::error::{Error, Killed};
use crate::shell::checkout;
use crate::shell::lock_store::HeldLock;
use crate::shell::runner::{Footprint, variable};
use crate::shell::terraform::{Exit, Finished, TerraformError};
use stategate_core::comment::Step;
use stategate_core::plan::{Secrets, read_state};
use stategate_core::transcript::Transcript;

/// Applies the plan. What the new state marks as sensitive comes back, where somebody had to ask.
pub(super) async fn apply_plan(
    session: &Session,
    root: &Root,
    _held: &HeldLock,
    (approved, apply_args): (ApprovedPlan, Option<&Words>),
    footprint: &mut Footprint,
    report: &mut Report,
) -> Result<Option<Secrets>, Error> {
    may_start(session, root)?;
    let of_plan = report.plan.as_ref().map(|plan| plan.secrets.clone()).unwrap_or_default();
    let mut known = Known { session, of_plan, of_state: None };
    let mut ran = run(session, root, (&approved, apply_args), footprint, report, &known).await;
    // Before anything else, whatever failed: it may be the only copy of the new state.
    let unsaved = save(session, root, &mut ran, footprint).await;
    report.apply_ended(ran.as_ref().ok().map(|ran| &ran.transcript));
    let ran = match (ran, unsaved.as_ref()) {
        (Ok(ran), _) => ran,
        (Err(error), None) if footprint.is_untraced_apply() => {
            settle(footprint);
            return Err(error);
        }
        // It was started, and what it said is not known to its end.
        (Err(error), None) => {
            let ended = format!("how terraform apply ended is not known ({error})");
            return Err(Error::ApplyKilled { ended, stderr: String::new(), cause: Killed::ByForce });
        }
        (Err(error), Some(_)) => {
            let why = error.to_string();
            return Err(unsaved.map_or(error, |(_, rescued)| rescued.told_with(why)));
        }
    };
    known.of_state = secrets_after(session, root, &ran, unsaved.as_ref().map(|(left, _)| left)).await;
    let (finished, transcript) = tell(ran, &known);
    if let Some((_, rescued)) = unsaved {
        return Err(unsaved_end(finished, rescued, footprint, &known));
    }
    let exit = exit_of(root, &finished, &transcript);
    if exit.is_some_and(|exit| breaks_off(exit, finished.interrupted, &transcript)) {
        return Err(broken_off(&finished, exit, &transcript, &known));
    }
    settle(footprint);
    ended(finished, exit, &transcript, &known, report)?;
    Ok(known.of_state)
}

fn may_start(session: &Session, root: &Root) -> Result<(), Error> {
    let path = root.terraform.module().errored_state();
    if path.exists() {
        let is_committed = variable("GITHUB_WORKSPACE")
            .and_then(|workspace| fs::canonicalize(workspace).ok())
            .is_some_and(|workspace| checkout::holds(&workspace, &path));
        return Err(Error::OldErroredState { path, is_committed });
    }
    if session.cancel.requested() { Err(Error::Cancelled) } else { Ok(()) }
}

/// What is secret in Terraform's words, as far as it is known.
struct Known<'a> {
    session: &'a Session,
    of_plan: Secrets,
    /// What only the new state marks.
    of_state: Option<Secrets>,
}

impl Known<'_> {
    fn scrub(&self, text: &str) -> String {
        let text = self.of_state.as_ref().map_or(text.into(), |of_state| of_state.scrub(text));
        self.session.scrub(&self.of_plan.scrub(&text))
    }

    /// Addresses and words of ours, which are shown at once.
    fn scrub_name(&self, text: &str) -> String {
        self.session.scrub(&self.of_plan.scrub_name(text))
    }
}

async fn run(
    session: &Session,
    root: &Root,
    (approved, apply_args): (&ApprovedPlan, Option<&Words>),
    footprint: &mut Footprint,
    report: &mut Report,
    known: &Known<'_>,
) -> Result<Ran, Error> {
    let made_of = match approved.commit() {
        Some(sha) => format!("commit {sha}"),
        None => "the files as they are here".to_owned(),
    };
    tracing::info!("terraform apply of the plan above, made of {made_of}");
    let plan_file = approved.plan_file().display().to_string();
    let arguments = words(root, "apply", apply_args, &["-auto-approve", &plan_file]);
    // Nobody knows of the state of a Terraform whose step was killed, but for this.
    footprint.set_applying()?;
    report.step = Step::Applying;
    let on_start = |pid| {
        if let Err(error) = footprint.set_terraform(pid) {
            tracing::warn!("{error}");
        }
    };
    let show = |text: &str| known.scrub_name(text);
    shown(&root.terraform, &arguments, session, (None, Live::Progress), on_start, show).await
}

/// Saves a state that Terraform could not upload. Until it is in the bucket, what Terraform printed
/// stays on the disk, where the clean-up step finds it if we are killed.
async fn save(
    session: &Session,
    root: &Root,
    ran: &mut Result<Ran, Error>,
    footprint: &mut Footprint,
) -> Option<(Left, Rescued)> {
    let transcript: Option<&mut Transcript> = ran.as_mut().ok().map(|ran| &mut ran.transcript);
    let (left, rescued) = rescue(root, session.run_attempt(), transcript).await?;
    // What follows takes time.
    rescued.note_in(footprint);
    Some((left, rescued))
}

/// Only the new state says what is secret in it; `None` where there is nothing to show, or where that
/// state is not known. Whoever cancels does not wait for it.
async fn secrets_after(session: &Session, root: &Root, ran: &Ran, left: Option<&Left>) -> Option<Secrets> {
    let is_whole = Exit::of(ran.finished.status).is_none_or(|exit| !exit.is_abrupt());
    if ran.finished.interrupted || !is_whole || ran.held_back.is_empty() {
        return None;
    }
    let read = match left {
        None => secrets_of_state(session, root, None).await,
        Some(left) => secrets_of_state(session, root, Some(left.in_file()?.path())).await,
    };
    read.ok()
}

/// Shows what Terraform said and nobody has seen yet. How it ended comes back, and of what it said all
/// that may be told.
fn tell(ran: Ran, known: &Known<'_>) -> (Finished, Transcript) {
    let Ran { mut finished, mut transcript, held_back } = ran;
    let withheld = known.of_state.as_ref().and_then(Secrets::withheld);
    if let Some(why) = withheld.filter(|_| known.of_plan.withheld().is_none()) {
        tracing::warn!("neither values of the new state nor Terraform's words about it are shown: {why}");
    }
    held_back.show(known.of_state.is_some(), |text| known.scrub(text));
    if known.of_state.is_none() {
        transcript = transcript.without_values();
        finished.stderr = transcript.failure("");
    }
    (finished, transcript)
}

/// The end of an apply whose state could not be uploaded. Unless that is in the bucket now, and the
/// clean-up step knows of it, all that Terraform printed stays on the disk.
fn unsaved_end(finished: Finished, rescued: Rescued, footprint: &Footprint, known: &Known<'_>) -> Error {
    if !footprint.is_rescued {
        match finished.output.keep() {
            Ok(file) => tracing::warn!("all that Terraform printed stays in {}; it can hold secrets", file.display()),
            Err(error) => tracing::warn!("what Terraform printed could not be kept: {error}"),
        }
    }
    rescued.told_with(known.scrub(&finished.stderr))
}

/// How the apply ended; `None`: well. A script around Terraform can swallow its exit code, and an error
/// that Terraform reports is a failure, whatever its exit code.
fn exit_of(root: &Root, finished: &Finished, transcript: &Transcript) -> Option<Exit> {
    let is_swallowed = root.terraform.is_script() && transcript.is_json() && !transcript.tells_success();
    let despite_error = transcript.reports_error().then_some(Exit::DespiteError);
    Exit::of(finished.status).or(is_swallowed.then_some(Exit::Code(0))).or(despite_error)
}

/// Whether Terraform itself was ended in the middle of the apply. A wrapper can be killed, and its
/// Terraform go on and end in order; or exit with a code of its own when its Terraform was killed.
fn breaks_off(exit: Exit, interrupted: bool, transcript: &Transcript) -> bool {
    let is_ours = interrupted && exit.is_interrupt();
    transcript.breaks_off() || exit.is_abrupt() && !is_ours && !transcript.tells_its_end()
}

fn broken_off(finished: &Finished, exit: Option<Exit>, transcript: &Transcript, known: &Known<'_>) -> Error {
    let cause = if transcript.tells_two_interrupts() { Killed::ByTwoInterrupts } else { Killed::ByForce };
    let how = match cause {
        Killed::ByTwoInterrupts => "got two interrupts and left at once".to_owned(),
        Killed::ByForce => exit.map(|exit| exit.to_string()).unwrap_or_default(),
    };
    let ended = format!("{} {how}", finished.command);
    Error::ApplyKilled { ended, stderr: known.scrub(&finished.stderr), cause }
}

/// What the apply did is in the state, or it did nothing: the clean-up step may let the lock go.
fn settle(footprint: &mut Footprint) {
    if let Err(error) = footprint.set_settled() {
        tracing::warn!("{error}");
    }
}

/// The end of an apply whose state is where it belongs.
fn ended(
    finished: Finished,
    exit: Option<Exit>,
    transcript: &Transcript,
    known: &Known<'_>,
    report: &mut Report,
) -> Result<(), Error> {
    if finished.interrupted && exit.is_some() {
        return Err(Error::Cancelled);
    }
    if !finished.interrupted {
        report.hear(transcript.diagnostics().iter().map(|told| told.clone().map(|text| known.scrub(text))));
    }
    let Some(exit) = exit else { return Ok(()) };
    Err(TerraformError::Failed { command: finished.command, exit, stderr: known.scrub(&finished.stderr) }.into())
}

/// What the new state marks as sensitive: the one in the bucket, or the one that is `left` here.
pub(super) async fn secrets_of_state(session: &Session, root: &Root, left: Option<&Path>) -> Result<Secrets, Error> {
    let showing = match left {
        Some(left) => root.terraform.show_json(left)?,
        None => root.terraform.show_state()?,
    };
    let cancel = session.cancel.clone();
    let read = move || showing.read(|| cancel.requested(), |json| read_state(json));
    let read = tokio::task::spawn_blocking(read).await;
    Ok(read.map_err(|error| Error::Unexpected(error.to_string()))???)
}
