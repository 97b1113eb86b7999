//! What this job leaves behind for its clean-up step: which processes it started and which locks
//! they may hold. A killed process cannot tell, so it is written down before it can matter.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

use super::{temporary_directory, variable};
use crate::shell::processes::{ProcessGroup, ProcessId};

/// Why a footprint could not be written or read.
#[derive(Debug, Error)]
#[error("failed to {action} {path}: {source}")]
pub struct FootprintError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// How far an apply came, as far as it is written down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Apply {
    /// Nothing was applied.
    #[default]
    NotStarted,
    /// It is about to start, or at work, or its state is not known to be in the bucket.
    AtWork,
    /// What it did is in the state, or it did nothing.
    Settled,
    /// It ended well.
    Done,
}

/// One stategate process of this job, as its clean-up step finds it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Footprint {
    /// The root module, as an absolute path.
    pub working_directory: PathBuf,
    /// The run and the attempt.
    pub run: (u64, u32),
    /// The process itself.
    pub stategate: ProcessId,
    /// The Terraform that it started last.
    pub terraform: Option<ProcessGroup>,
    /// Bucket and state key, once known.
    pub state: Option<String>,
    /// The lock ID that it may hold; written before the lock is taken, cleared after its release.
    pub lock_id: Option<String>,
    /// The pull requests whose comment it edits.
    #[serde(default)]
    pub pull_requests: Vec<u64>,
    /// How far its apply came.
    #[serde(default)]
    pub apply: Apply,
    /// Whether the state that could not be uploaded is in the bucket, whole, where the rescued states of
    /// this run are. A place of ours and no words: whoever can write this file must not speak through us.
    #[serde(default)]
    pub is_rescued: bool,
    /// Whether it told its result; a killed process did not.
    #[serde(default)]
    pub concluded: bool,
    #[serde(skip)]
    file: Option<PathBuf>,
}

impl Footprint {
    /// Begins this process's footprint. Outside a runner (run 0) it is kept in memory only: no
    /// clean-up step follows there.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn begin(working_directory: &Path, run: (u64, u32)) -> Result<Footprint, FootprintError> {
        let pid = process::id();
        let name = format!("{}-{}-{pid}.json", run.0, run.1);
        let file = (run.0 != 0).then(|| directory(working_directory).join(name));
        let footprint = Self::new(working_directory, run, file);
        footprint.save()?;
        Ok(footprint)
    }

    fn new(working_directory: &Path, run: (u64, u32), file: Option<PathBuf>) -> Footprint {
        let pid = process::id();
        Footprint {
            working_directory: working_directory.to_owned(),
            run,
            stategate: ProcessId::of(pid).unwrap_or_else(|| ProcessId { pid, started: String::new() }),
            terraform: None,
            state: None,
            lock_id: None,
            pull_requests: Vec::new(),
            apply: Apply::NotStarted,
            is_rescued: false,
            concluded: false,
            file,
        }
    }

    /// Writes down which lock is about to be taken, or (`None`) that it is released.
    ///
    /// # Errors
    /// It cannot be written; then the lock must not be taken.
    pub fn set_lock(&mut self, state: &str, lock_id: Option<&str>) -> Result<(), FootprintError> {
        self.state = Some(state.to_owned());
        self.lock_id = lock_id.map(str::to_owned);
        self.save()
    }

    /// Writes down whose comment is edited.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn set_pull_requests(&mut self, numbers: &[u64]) -> Result<(), FootprintError> {
        self.pull_requests = numbers.to_vec();
        self.save()
    }

    /// Writes down that an apply is about to start, so that its state is looked for. Which process
    /// it is follows; until then no other is taken for it.
    ///
    /// # Errors
    /// It cannot be written; then nothing must be applied.
    pub fn set_applying(&mut self) -> Result<(), FootprintError> {
        self.apply = Apply::AtWork;
        self.terraform = None;
        self.save()
    }

    /// Writes down that the new state could not be uploaded, and is rescued.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn set_rescued(&mut self) -> Result<(), FootprintError> {
        self.is_rescued = true;
        self.save()
    }

    /// Writes down that what its apply did is in the state, or that it did nothing.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn set_settled(&mut self) -> Result<(), FootprintError> {
        self.apply = Apply::Settled;
        self.save()
    }

    /// Writes down that its apply ended well.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn set_applied(&mut self) -> Result<(), FootprintError> {
        self.apply = Apply::Done;
        self.save()
    }

    /// Writes down that the process told its result.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn set_concluded(&mut self) -> Result<(), FootprintError> {
        self.concluded = true;
        self.save()
    }

    /// Writes down the Terraform that was just started.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn set_terraform(&mut self, pid: u32) -> Result<(), FootprintError> {
        self.terraform = ProcessGroup::of(pid);
        self.save()
    }

    /// The footprints that this run's attempt left in this job for `working_directory`.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn find(working_directory: &Path, run: (u64, u32)) -> Result<Vec<Footprint>, FootprintError> {
        let directory = directory(working_directory);
        let failed = |source| FootprintError { action: "read", path: directory.clone(), source };
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut found = Vec::new();
        for entry in entries {
            let path = entry.map_err(failed)?.path();
            let Ok(text) = fs::read(&path) else { continue };
            // A half-written file belongs to a process that died before it could take a lock.
            let Ok(mut footprint) = serde_json::from_slice::<Footprint>(&text) else { continue };
            // Nor does any of ours name another ID than a UUID. Such a file is somebody else's.
            if footprint.lock_id.as_deref().is_some_and(|id| Uuid::parse_str(id).is_err()) {
                continue;
            }
            footprint.file = Some(path);
            if footprint.run == run && footprint.working_directory == working_directory {
                found.push(footprint);
            }
        }
        Ok(found)
    }

    /// The process that may still be at work for it, if any: its own, or its Terraform's. One that
    /// told its result waited for its Terraform itself.
    pub fn at_work(&self) -> Option<u32> {
        if self.stategate.is_alive() {
            return Some(self.stategate.pid);
        }
        let terraform = self.terraform.as_ref().filter(|_| !self.concluded);
        terraform.and_then(ProcessGroup::at_work)
    }

    /// The files that its Terraform printed to, as far as they are still there.
    pub fn output_files(&self) -> Vec<PathBuf> {
        self.terraform.as_ref().map(|group| group.output_in(&temporary_directory())).unwrap_or_default()
    }

    /// Whether it was killed in the very moment in which it started its apply: then nothing says
    /// which process that is, nor whether it is dead.
    pub fn is_untraced_apply(&self) -> bool {
        self.apply == Apply::AtWork && self.terraform.is_none() && !self.concluded
    }

    /// Whether its apply may have left a state that is not in the bucket: the lock that it holds must
    /// stay until somebody knows.
    pub fn is_unsettled(&self) -> bool {
        self.apply == Apply::AtWork
    }

    fn save(&self) -> Result<(), FootprintError> {
        let Some(file) = &self.file else { return Ok(()) };
        let failed = |source: io::Error| FootprintError { action: "write", path: file.clone(), source };
        if let Some(directory) = file.parent() {
            fs::create_dir_all(directory).map_err(failed)?;
        }
        let text = serde_json::to_vec(self).map_err(io::Error::other).map_err(failed)?;
        // Written beside and renamed: a kill in between leaves the old one whole.
        let beside = file.with_extension("new");
        fs::write(&beside, text).map_err(failed)?;
        fs::rename(&beside, file).map_err(failed)
    }
}

/// A runner that names no directory for temporary files keeps the checkout between steps all the
/// same; a directory that everybody can write to is no place for what is believed.
fn directory(working_directory: &Path) -> PathBuf {
    let temp = variable("RUNNER_TEMP").map(PathBuf::from);
    temp.unwrap_or_else(|| working_directory.join(".terraform")).join("stategate")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_apply_is_untraced_until_its_process_is_known() {
        let mut footprint = Footprint::new(Path::new("."), (1, 1), None);
        assert!(!footprint.is_untraced_apply(), "it only planned");
        footprint.set_terraform(process::id()).unwrap();
        footprint.set_applying().unwrap();
        assert!(footprint.is_untraced_apply(), "the finished plan is not the apply");
        footprint.set_terraform(process::id()).unwrap();
        assert!(!footprint.is_untraced_apply());
        footprint.set_applying().unwrap();
        footprint.set_concluded().unwrap();
        assert!(!footprint.is_untraced_apply(), "it could not start it, and said so");
    }
}
