//! A state that Terraform could not upload: saved beside the old one, before the machine vanishes.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use crate::core::comment::LockView;
use crate::core::transcript::Transcript;
use crate::error::Error;
use crate::shell::lock_store::Bucket;
use crate::shell::runner::{Footprint, temporary_directory};

/// The lock that stays then: the only copy of the new state is not where Terraform looks for it, so
/// nobody may plan.
pub(super) fn kept_for(id: String) -> LockView {
    let why = "the new state is not in the bucket yet; push it back before anything else runs".to_owned();
    LockView::Kept { id, why }
}

/// Where the state is now, and what to do about it.
pub(super) struct Rescued {
    rescued: String,
    next_step: String,
}

impl Rescued {
    /// What an earlier step told its footprint.
    pub(super) fn told_before((rescued, next_step): (String, String)) -> Self {
        Self { rescued, next_step }
    }

    /// For the footprint: where it is, and what to do about it.
    pub(super) fn told(&self) -> (String, String) {
        (self.rescued.clone(), self.next_step.clone())
    }

    /// The error, with why Terraform failed.
    pub(super) fn told_with(self, stderr: String) -> Error {
        Error::StateNotUploaded { rescued: self.rescued, stderr, next_step: self.next_step }
    }
}

/// Terraform could not upload the new state and left it on this runner's disk, which is about to
/// vanish; or, where even that failed, only printed it.
pub(super) async fn rescue(
    bucket: &Bucket,
    (run, attempt): (u64, u32),
    printed: Option<String>,
    errored_state: &Path,
) -> Rescued {
    let backend = bucket.backend();
    let key = backend.rescued_key(run, attempt);
    let state = printed.clone().map_or_else(|| fs::read(errored_state), |state| Ok(state.into_bytes()));
    let rescued = match state {
        Ok(bytes) => bucket.put(&key, bytes, "application/json").await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match rescued {
        Ok(()) => Rescued {
            rescued: format!("it is safe in s3://{}/{key}", backend.bucket),
            next_step: format!(
                "The lock stays. In the root module: `aws s3 cp s3://{}/{key} rescued.tfstate`, `terraform state push -lock=false rescued.tfstate`, \
                 then unlock with `stategate unlock --lock-id ID --reason TEXT`.",
                backend.bucket
            ),
        },
        Err(why) => Rescued {
            rescued: match printed.map_or_else(|| Ok(errored_state.to_owned()), |state| keep(&state)) {
                Ok(file) => format!("it stands only in {} on this machine, because it could not be rescued either: {why}", file.display()),
                Err(error) => format!("it is lost, because it could neither be rescued ({why}) nor written to a file ({error})"),
            },
            next_step: "The lock stays. Save that file before this machine vanishes, then `terraform state push -lock=false FILE` and unlock.".to_owned(),
        },
    }
}

/// The state that the Terraform of a killed step could only print: the files that it printed to are
/// still there.
pub(super) fn printed_state(killed: &Footprint) -> Option<String> {
    killed.output_files().iter().find_map(|file| {
        let mut transcript = Transcript::new(None);
        for line in BufReader::new(File::open(file).ok()?).split(b'\n') {
            transcript.hear(&String::from_utf8_lossy(&line.ok()?));
        }
        transcript.take_state()
    })
}

/// Writes a state to a file that stays, readable by us alone.
fn keep(state: &str) -> io::Result<PathBuf> {
    let mut file =
        tempfile::Builder::new().prefix("stategate-errored-").suffix(".tfstate").tempfile_in(temporary_directory())?;
    file.write_all(state.as_bytes())?;
    Ok(file.keep()?.1)
}
