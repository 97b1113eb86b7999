//! `stategate release`, the clean-up step: once this job's Terraform is dead, release what this
//! run and attempt still holds.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::locking::forget;
use super::report::Report;
use super::rescue::{Left, Rescued, is_kept, kept_for, note_kept, said_by_killed};
use super::session::{Session, connect};
use crate::cli::ReleaseCommand;
use crate::error::{Error, Killed};
use crate::shell::lock_store::{Bucket, CleanedUp, LockSeen, read_locks, release_ours};
use crate::shell::processes::is_anybody_in;
use crate::shell::runner::{Apply, Event, Footprint, Run};
use stategate_core::comment::{Phase, Step};
use stategate_core::liveness::RunState;
use stategate_core::lock_info::{LockInfo, RunRef, one_line};

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
        return nothing_held(&as_it_was(&session.target.working_directory), run);
    };
    let bucket = match connect(&session, &module).await {
        Ok(Some(bucket)) => bucket,
        // Not initialised, or a backend that the main step refused; or a runner that does not wait.
        Ok(None) | Err(Error::Backend(_) | Error::BackendFile(_) | Error::Cancelled) => {
            return nothing_held(module.directory(), run);
        }
        Err(error) => return Err(error),
    };
    // An earlier step of this job on another state, in another workspace say, is not told here.
    let path = bucket.backend().path();
    let mut footprints = Footprint::find(module.directory(), (run.run_id, run.run_attempt))?;
    footprints.retain(|footprint| footprint.state.as_ref().is_none_or(|state| *state == path));
    for footprint in &mut footprints {
        believe(footprint, run);
    }
    wait_for_death(&footprints).await?;
    let is_told = |footprint: &mut Footprint| footprint.is_unsettled() && footprint.concluded;
    let mut told: Vec<Footprint> = footprints.extract_if(.., is_told).collect();
    for unsettled in &mut told {
        if let Some(rescued) = rescue_again(unsettled, &session, &bucket, module.errored_state()).await {
            let error = rescued.told_with(String::new());
            return tell_kept(&session, &command, unsettled, error, "The clean-up step tried once more.").await;
        }
    }
    if !told.is_empty() {
        tell_left_as_it_is(&session, &module.errored_state());
        if footprints.is_empty() {
            return Ok(());
        }
    }
    if let Some(unsettled) = footprints.iter_mut().find(|footprint| footprint.is_unsettled()) {
        match became_of(unsettled, &session, &bucket, module.errored_state()).await {
            Unsettled::Stays(error) => {
                if !unsettled.is_rescued {
                    note_kept(&bucket, session.run_attempt(), &error).await;
                }
                let killed = "The step was killed before it could tell its end.";
                return tell_kept(&session, &command, unsettled, error, killed).await;
            }
            Unsettled::Untraced { id } => return Err(Error::UntracedApply { id }),
            Unsettled::InOrder => {}
        }
    }
    let ids: Vec<String> = footprints.iter().filter_map(|footprint| footprint.lock_id.clone()).collect();
    if ids.is_empty() && !footprints.is_empty() {
        tracing::info!("nothing to release: this job let its lock go");
        return tell_killed(&session, &command, &mut footprints, 0).await;
    }
    if footprints.is_empty() {
        return untraced(&session, &bucket, run, module.directory()).await;
    }
    let released = let_go(&bucket, &ids, run).await?;
    for footprint in &mut footprints {
        if let Some(state) = footprint.state.clone() {
            forget(footprint, &state);
        }
    }
    tell_killed(&session, &command, &mut footprints, released).await
}

/// Takes back what a footprint of a plan job cannot rightly say. Such a job runs the pull request's own
/// code, which can write these files: it applies nothing, and comments on no other pull request.
fn believe(footprint: &mut Footprint, run: &Run) {
    let Event::PullRequest(event) = &run.event else { return };
    if event.merged {
        return;
    }
    footprint.pull_requests.retain(|number| *number == event.number);
    footprint.apply = Apply::NotStarted;
    footprint.is_rescued = false;
}

/// What became of the apply of a killed step, of which nothing says that its state is in the bucket.
enum Unsettled {
    /// Its lock stays, and why.
    Stays(Error),
    /// Nothing says which process it is.
    Untraced { id: String },
    /// Terraform came to its own end.
    InOrder,
}

async fn became_of(unsettled: &mut Footprint, session: &Session, bucket: &Bucket, root_file: PathBuf) -> Unsettled {
    if unsettled.is_rescued
        && let Some(rescued) = Rescued::by_earlier_step(bucket, session.run_attempt()).await
    {
        return Unsettled::Stays(rescued.told_with(String::new()));
    }
    let mut transcript = said_by_killed(unsettled);
    if let Some(left) = Left::find(root_file, Some(&mut transcript)) {
        let rescued = left.rescue(bucket, session.run_attempt()).await;
        rescued.note_in(unsettled);
        return Unsettled::Stays(rescued.told_with(String::new()));
    }
    if let Some(id) = unsettled.lock_id.clone().filter(|_| unsettled.is_untraced_apply()) {
        return Unsettled::Untraced { id };
    }
    if transcript.breaks_off() {
        let (ended, cause) = if transcript.tells_two_interrupts() {
            ("terraform apply got two interrupts and left at once", Killed::ByTwoInterrupts)
        } else {
            ("terraform apply was killed with its step", Killed::ByForce)
        };
        return Unsettled::Stays(Error::ApplyKilled { ended: ended.to_owned(), stderr: String::new(), cause });
    }
    Unsettled::InOrder
}

/// A state that a step could leave only on this machine, which is about to vanish: the bucket may take
/// it by now. `None` when there is none, or the bucket does not.
async fn rescue_again(
    unsettled: &mut Footprint,
    session: &Session,
    bucket: &Bucket,
    root_file: PathBuf,
) -> Option<Rescued> {
    if unsettled.is_rescued {
        return None;
    }
    let left = Left::find(root_file, Some(&mut said_by_killed(unsettled))).filter(Left::is_whole)?;
    let rescued = left.rescue(bucket, session.run_attempt()).await;
    rescued.note_in(unsettled);
    rescued.is_in_bucket().then_some(rescued)
}

/// The lock of an apply that broke off stays, and its own step has told why. A state that is on this
/// machine alone is in danger until the job's end.
fn tell_left_as_it_is(session: &Session, root_file: &Path) {
    if !session.cancel.requested() && root_file.exists() {
        tracing::warn!(
            "the new state is still on this machine alone, in {}. Only a later step of this job can save it, with fresh \
             credentials and `command: release`",
            root_file.display()
        );
    }
    tracing::info!("the lock of an apply that broke off is left as it is: its own step says what to do");
}

/// A step left a state that is not in the bucket, or may have. Its lock stays: nobody may plan until
/// that is mended.
async fn tell_kept(
    session: &Session,
    command: &ReleaseCommand,
    unsettled: &mut Footprint,
    error: Error,
    note: &str,
) -> Result<(), Error> {
    let mut report = Report::new(session, &command.reporting);
    report.step = Step::Applying;
    report.notes.push(note.to_owned());
    report.pull_requests.clone_from(&unsettled.pull_requests);
    if let Some(id) = unsettled.lock_id.clone() {
        report.lock = kept_for(id, &error);
    }
    // A later clean-up step of this job has nothing to release and nothing to tell.
    if let Err(error) = unsettled.set_concluded() {
        tracing::warn!("{error}");
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
    report.step = if killed.apply == Apply::NotStarted { Step::Planning } else { Step::Applying };
    report.phase = if killed.apply == Apply::Done { Phase::Applied } else { Phase::Cancelled };
    report.conclude_killed(session).await?;
    // Told once: a later step of this job has an end of its own.
    Ok(killed.set_concluded()?)
}

/// The path of a directory that is gone, as the footprint has it: what is still there of it may be
/// reached by links.
fn as_it_was(gone: &Path) -> PathBuf {
    let gone = std::path::absolute(gone).unwrap_or_default();
    let real = |there: &Path| Some(there.canonicalize().ok()?.join(gone.strip_prefix(there).ok()?));
    gone.ancestors().find_map(real).unwrap_or_else(|| gone.clone())
}

fn nothing_held(directory: &Path, run: &Run) -> Result<(), Error> {
    let footprints = Footprint::find(directory, (run.run_id, run.run_attempt))?;
    match footprints.into_iter().find_map(|footprint| footprint.lock_id) {
        Some(id) => Err(Error::NotReleased { id }),
        None => Ok(()),
    }
}

/// A job without a footprint took no lock, or somebody tidied up after it. A lock of this run is let go
/// when nothing works in the root module's directory, no other job of the run is at work, and it does
/// not stay on purpose; else it is named.
async fn untraced(session: &Session, bucket: &Bucket, run: &Run, directory: &Path) -> Result<(), Error> {
    let locks = read_locks(bucket).await?;
    let of_run = |seen: &LockSeen| {
        let info = seen.body.as_ref().ok().filter(|info| info.freeze_reason().is_none())?;
        Some((info.id.clone(), info.run().filter(|of| is_this_run(of, run))?))
    };
    let Some((id, of)) = locks.iter().find_map(of_run) else { return Ok(()) };
    if !is_only_job(session, run).await {
        tracing::info!("nothing released: this job took no lock, and other jobs of this run may be at work");
        return Ok(());
    }
    if is_anybody_in(directory) != Some(false) || is_kept(bucket, &of).await != Some(false) {
        return Err(Error::NotReleased { id });
    }
    let_go(bucket, &[id], run).await.map(|_| ())
}

/// Releases the locks with these IDs, and tells how many that were. A footprint is a file that any code
/// of this job can write: the lock itself has to say that this attempt of this run took it.
async fn let_go(bucket: &Bucket, ids: &[String], run: &Run) -> Result<usize, Error> {
    let is_ours = |info: &LockInfo| {
        let is_named = info.freeze_reason().is_none() && ids.contains(&info.id);
        let is_of_run = info.run().is_some_and(|of| is_this_run(&of, run));
        if is_named && !is_of_run {
            let (id, who) = (one_line(&info.id), info.holder());
            tracing::warn!("a footprint of this job names the lock {id}, but {who} holds it: the lock stays");
        }
        is_named && is_of_run
    };
    let CleanedUp { removed, failed } = release_ours(bucket, is_ours).await;
    for seen in &removed {
        let id = one_line(seen.id().unwrap_or_default());
        tracing::info!("released the lock {id} that this run had left in {}", seen.store.as_str());
    }
    match failed {
        Some(source) => {
            let id = ids.first().cloned().unwrap_or_default();
            Err(Error::LockNotReleased { id, path: bucket.backend().path(), source: Box::new(source) })
        }
        None => Ok(removed.len()),
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
    let own = (run.run_id, run.run_attempt);
    matches!(github.run_state(&repository, own, own).await, RunState::Found(attempt) if attempt.jobs_at_work() <= 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_is_gone_is_known_by_the_path_that_it_had() {
        let place = tempfile::tempdir().unwrap();
        let real = place.path().canonicalize().unwrap();
        std::fs::create_dir(real.join("work")).unwrap();
        std::os::unix::fs::symlink(real.join("work"), real.join("link")).unwrap();
        assert_eq!(as_it_was(&real.join("link/infra/prod")), real.join("work/infra/prod"));
        assert_eq!(as_it_was(&real.join("link")), real.join("work"));
    }
}
