//! `stategate release`, the clean-up step: once this job's Terraform is dead, release what this
//! run and attempt still holds.

use std::path::Path;
use std::time::Duration;

use super::report::Report;
use super::rescue::{Left, Rescued, kept_for};
use super::session::{Session, connect};
use crate::cli::ReleaseCommand;
use crate::core::comment::{Phase, Step};
use crate::core::lock_info::{LockInfo, RunRef, one_line};
use crate::error::Error;
use crate::shell::lock_store::{CleanedUp, release_ours};
use crate::shell::runner::{Footprint, Run};

/// A cancelled job leaves its clean-up steps a little under five minutes.
const PATIENCE: Duration = Duration::from_mins(4);

pub(super) async fn run(command: ReleaseCommand) -> Result<(), Error> {
    let session = Session::begin(&command.target)?;
    let Some(run) = session.host.run() else {
        tracing::info!("nothing to release: outside a runner no lock belongs to a run");
        return Ok(());
    };
    // A main step that failed before it had a directory or a backend took no lock, unless somebody
    // tidied up after it.
    let Ok(module) = session.module() else {
        let gone = std::path::absolute(&session.target.working_directory).unwrap_or_default();
        return nothing_held(&gone, run);
    };
    let bucket = match connect(&session, &module).await {
        Ok(Some(bucket)) => bucket,
        // Not initialised, or a backend that the main step refused.
        Ok(None) | Err(Error::Backend(_)) => return nothing_held(module.directory(), run),
        Err(error) => return Err(error),
    };
    // An earlier step of this job on another state, in another workspace say, is not told here.
    let path = bucket.backend().path();
    let mut footprints = Footprint::find(module.directory(), (run.run_id, run.run_attempt))?;
    footprints.retain(|footprint| footprint.state.as_ref().is_none_or(|state| *state == path));
    wait_for_death(&footprints).await?;
    let killed_apply = footprints.iter().find(|footprint| footprint.applying && !footprint.concluded);
    if let Some(killed) = killed_apply {
        if let Some(told) = killed.rescued.clone() {
            return tell_rescued(&session, &command, &mut footprints, Rescued::told_before(told)).await;
        }
        if let Some(left) = Left::by_killed(killed, module.errored_state()) {
            let rescued = left.rescue(&bucket, session.run_attempt()).await;
            return tell_rescued(&session, &command, &mut footprints, rescued).await;
        }
    }
    let untraced = footprints.iter().find(|footprint| footprint.is_untraced_apply());
    if let Some(id) = untraced.and_then(|footprint| footprint.lock_id.clone()) {
        return Err(Error::UntracedApply { id });
    }
    let ids: Vec<String> = footprints.iter().filter_map(|footprint| footprint.lock_id.clone()).collect();
    if ids.is_empty() && !footprints.is_empty() {
        tracing::info!("nothing to release: this job let its lock go");
        return tell_killed(&session, &command, &mut footprints, 0).await;
    }
    let is_untraced = footprints.is_empty();
    // Without any footprint the lock may be another job's of this very run.
    if is_untraced && !is_only_job(&session, run).await {
        tracing::info!("nothing released: this job took no lock, and other jobs of this run may be at work");
        return Ok(());
    }
    let is_ours = |info: &LockInfo| {
        if info.freeze_reason().is_some() {
            return false;
        }
        if is_untraced { info.run().is_some_and(|of| is_this_run(&of, run)) } else { ids.contains(&info.id) }
    };
    let CleanedUp { removed: released, failed } = release_ours(&bucket, is_ours).await;
    for seen in &released {
        let id = one_line(seen.id().unwrap_or_default());
        tracing::info!("released the lock {id} that this run had left in {}", seen.store.as_str());
    }
    if let Some(error) = failed {
        return Err(error.into());
    }
    for footprint in &mut footprints {
        if let Some(state) = footprint.state.clone() {
            footprint.set_lock(&state, None)?;
        }
    }
    tell_killed(&session, &command, &mut footprints, released.len()).await
}

/// The Terraform of a killed step could not upload the state. Its lock stays: nobody may plan until
/// that state is pushed back.
async fn tell_rescued(
    session: &Session,
    command: &ReleaseCommand,
    footprints: &mut [Footprint],
    rescued: Rescued,
) -> Result<(), Error> {
    let error = rescued.told_with(String::new());
    let mut report = Report::new(session, &command.reporting);
    report.step = Step::Applying;
    report
        .notes
        .push("The step was killed before it could tell its end. Terraform could not upload the new state.".to_owned());
    for footprint in footprints {
        if !footprint.concluded {
            report.pull_requests.clone_from(&footprint.pull_requests);
        }
        if let Some(id) = footprint.lock_id.take() {
            report.lock = kept_for(id, &error);
        }
        // A later clean-up step of this job has nothing to release and nothing to tell.
        footprint.set_concluded()?;
    }
    report.conclude(session, Err(error)).await
}

/// A killed step could not tell its end, so its comment still says that it waits or applies.
async fn tell_killed(
    session: &Session,
    command: &ReleaseCommand,
    footprints: &mut [Footprint],
    released: usize,
) -> Result<(), Error> {
    let Some(killed) = footprints.iter_mut().find(|footprint| !footprint.concluded) else { return Ok(()) };
    let mut report = Report::new(session, &command.reporting);
    report.pull_requests.clone_from(&killed.pull_requests);
    report.notes.push(match released {
        0 => "The step was killed before it could tell its end. It held no lock any more.".to_owned(),
        _ => "The step was killed before it could tell its end. The clean-up step saw its Terraform dead and released its lock.".to_owned(),
    });
    report.step = if killed.applying { Step::Applying } else { Step::Planning };
    report.phase = if killed.applied { Phase::Applied } else { Phase::Cancelled };
    report.conclude_killed(session).await?;
    // Told once: a later step of this job has an end of its own.
    Ok(killed.set_concluded()?)
}

fn nothing_held(directory: &Path, run: &Run) -> Result<(), Error> {
    let footprints = Footprint::find(directory, (run.run_id, run.run_attempt))?;
    match footprints.into_iter().find_map(|footprint| footprint.lock_id) {
        Some(id) => Err(Error::NotReleased { id }),
        None => Ok(()),
    }
}

fn is_this_run(of: &RunRef, run: &Run) -> bool {
    of.server_url == run.server_url
        && of.repository == run.repository
        && of.run_id == run.run_id
        && of.attempt == run.run_attempt
}

async fn wait_for_death(footprints: &[Footprint]) -> Result<(), Error> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let mut told = false;
    while let Some(pid) = footprints.iter().find_map(Footprint::at_work) {
        if tokio::time::Instant::now() >= deadline {
            return Err(Error::StillAtWork { pid });
        }
        if !told {
            tracing::info!(
                "this run's Terraform is still at work (process {pid}); waiting for its end before the lock is touched"
            );
            told = true;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Ok(())
}

/// Whether GitHub says that no other job of this attempt is at work. Where it does not tell, one
/// may be, and the lock its own.
async fn is_only_job(session: &Session, run: &Run) -> bool {
    let (Ok(github), Ok(repository)) = (session.github(), session.repository()) else { return false };
    github.jobs_at_work(&repository, run.run_id, u64::from(run.run_attempt)).await.is_some_and(|jobs| jobs <= 1)
}
