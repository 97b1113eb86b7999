//! A state that Terraform could not upload: saved beside the old one, before the machine vanishes.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use super::session::Root;
use crate::error::{Error, LOCK_STAYS};
use crate::shell::lock_store::Bucket;
use crate::shell::runner::{Footprint, temporary_directory};
use stategate_core::advice::unlock_by_workflow;
use stategate_core::comment::LockView;
use stategate_core::lock_info::RunRef;
use stategate_core::state_file;
use stategate_core::transcript::{Dump, Transcript};

const JSON: &str = "application/json";

/// The lock that stays after such an end: what is in the bucket is not what the apply left, so nobody
/// may plan.
pub(super) fn kept_for(id: String, error: &Error) -> LockView {
    let why = match error {
        Error::ApplyKilled { .. } => "what the apply made may be in no state; import it before anything else runs",
        Error::StateLost { .. } => "the new state is lost; import what the apply made before anything else runs",
        _ => "the new state is not in the bucket yet; push it back before anything else runs",
    };
    LockView::Kept { id, why: why.to_owned() }
}

/// What Terraform left of a state that it could not upload: in a file, printed, both or nothing.
pub(super) struct Left {
    file: Option<Part>,
    printed: Option<Part>,
}

/// A state, or what there is of it.
struct Part {
    /// How people are told what it is.
    name: String,
    /// Nothing where it cannot be read.
    bytes: Vec<u8>,
    /// The file that it stands in, where it has one of its own.
    place: Option<PathBuf>,
    /// Why it is not whole.
    defect: Option<String>,
}

impl Part {
    fn in_file(file: PathBuf) -> Part {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (bytes, defect) = match fs::read(&file) {
            Ok(bytes) => (bytes, None),
            Err(error) => (Vec::new(), Some(format!("it cannot be read: {error}"))),
        };
        Part { name, defect: defect.or_else(|| state_file::defect(&bytes)), bytes, place: Some(file) }
    }

    fn printed(dump: Dump) -> Part {
        let (Dump::Whole(state) | Dump::Cut(state)) = dump;
        let bytes = state.into_bytes();
        Part { name: "what Terraform printed".to_owned(), defect: state_file::defect(&bytes), bytes, place: None }
    }
}

impl Left {
    /// Looks what an apply left beside the root module's files and in what it said. `None`: nothing
    /// says that its state is anywhere but in the bucket.
    pub(super) fn find(root_file: PathBuf, mut transcript: Option<&mut Transcript>) -> Option<Left> {
        let is_told = transcript.as_ref().is_some_and(|transcript| transcript.says_state_is_not_saved());
        let printed = transcript.as_mut().and_then(|transcript| transcript.take_state()).map(Part::printed);
        let file = Some(root_file).filter(|file| file.exists()).map(Part::in_file);
        (is_told || printed.is_some() || file.is_some()).then_some(Left { file, printed })
    }

    /// Whether there is a whole state among it.
    pub(super) fn is_whole(&self) -> bool {
        self.whole().is_some()
    }

    /// The whole state among it.
    fn whole(&self) -> Option<&Part> {
        [&self.printed, &self.file].into_iter().flatten().find(|part| part.defect.is_none())
    }

    /// The whole state in a file, for Terraform to read; one that has none of its own gets a copy that
    /// goes with the value.
    pub(super) fn in_file(&self) -> Option<StateFile> {
        let whole = self.whole()?;
        match &whole.place {
            Some(place) => Some(StateFile::Own(place.clone())),
            None => file_of(&whole.bytes).ok().map(StateFile::Copy),
        }
    }

    /// Puts into the bucket what there is. The machine is about to vanish.
    pub(super) async fn rescue(&self, bucket: &Bucket, run: (u64, u32)) -> Rescued {
        match self.whole() {
            Some(whole) => whole.rescue(bucket, run).await,
            None => self.rescue_parts(bucket, run).await,
        }
    }

    async fn rescue_parts(&self, bucket: &Bucket, run: (u64, u32)) -> Rescued {
        let mut told = Vec::new();
        for (kind, part) in [("printed", &self.printed), ("file", &self.file)] {
            let Some(part) = part else { continue };
            let mut what = format!("{}: {}", part.name, part.defect.as_deref().unwrap_or_default());
            if !part.bytes.is_empty() {
                let key = bucket.backend().rescued_part_key(run, kind);
                match put(bucket, &key, &part.bytes, JSON).await {
                    Ok(place) => what.push_str(&format!("; what there is of it, is in {place}")),
                    Err(why) => what.push_str(&format!("; {}", part.only_here(&why))),
                }
            }
            told.push(what);
        }
        if told.is_empty() {
            told.push("Terraform could not save it anywhere".to_owned());
        }
        Rescued::Lost { told: told.join("; ") }
    }
}

impl Part {
    async fn rescue(&self, bucket: &Bucket, (run, attempt): (u64, u32)) -> Rescued {
        let key = bucket.backend().rescued_key(run, attempt);
        match put(bucket, &key, &self.bytes, JSON).await {
            Ok(place) => Rescued::in_bucket(&place),
            Err(why) => Rescued::Here { told: self.only_here(&why), next_step: save_it(run != 0) },
        }
    }

    /// Where it stays on this machine, because it could not be put into the bucket.
    fn only_here(&self, why: &str) -> String {
        let kept = match &self.place {
            Some(place) => Ok(place.clone()),
            None => file_of(&self.bytes).and_then(|file| Ok(file.keep()?.1)),
        };
        match kept {
            Ok(file) => format!(
                "it stands only in {} on this machine, because it could not be rescued either: {why}",
                file.display()
            ),
            Err(error) => format!(
                "it stands only in what Terraform printed, in {}/stategate-output-… on this machine, because it could neither be rescued ({why}) nor written to a file of its own ({error})",
                temporary_directory().display()
            ),
        }
    }
}

/// What to do about a state that is on this machine alone.
fn save_it(in_job: bool) -> String {
    let push = "`terraform state push -lock=false FILE`";
    if !in_job {
        return format!(
            "{LOCK_STAYS} Keep that file. When the bucket can be reached again, run {push} in the root module, then \
             `stategate unlock --lock-id ID --reason TEXT`."
        );
    }
    let unlock = unlock_by_workflow("the lock's ID");
    format!(
        "{LOCK_STAYS} A later step of this job can save the file: log in to AWS again and run `command: release`, both with \
         `if: failure()`, as the printed applies do. If the job has no such steps and the machine stays, copy the file \
         before the job's next run, run {push} in the root module, then {unlock}."
    )
}

/// A file with a state in it.
pub(super) enum StateFile {
    /// Its own.
    Own(PathBuf),
    /// A copy that only we can read.
    Copy(tempfile::NamedTempFile),
}

impl StateFile {
    pub(super) fn path(&self) -> &Path {
        match self {
            StateFile::Own(path) => path,
            StateFile::Copy(file) => file.path(),
        }
    }
}

/// What became of a state that could not be uploaded, and what to do about it.
pub(super) enum Rescued {
    /// It is whole, beside the old one.
    InBucket { told: String, next_step: String },
    /// It is whole, on this machine alone.
    Here { told: String, next_step: String },
    /// There are parts of it at best.
    Lost { told: String },
}

impl Rescued {
    fn in_bucket(place: &str) -> Self {
        Self::InBucket {
            told: format!("it is safe in {place}"),
            next_step: format!(
                "{LOCK_STAYS} In the root module: `aws s3 cp {place} rescued.tfstate`, `terraform state push -lock=false rescued.tfstate`, \
                 then {} (where this ran on a laptop: `stategate unlock --lock-id ID --reason TEXT`).",
                unlock_by_workflow("the lock's ID")
            ),
        }
    }

    /// What an earlier step of this run rescued; `None` when there is no such state in the bucket. Where
    /// the bucket does not answer, it is taken to be there.
    pub(super) async fn by_earlier_step(bucket: &Bucket, (run, attempt): (u64, u32)) -> Option<Self> {
        let key = bucket.backend().rescued_key(run, attempt);
        match bucket.head(&key).await {
            Ok(None) => None,
            Ok(Some(_)) | Err(_) => Some(Self::in_bucket(&place(bucket, &key))),
        }
    }

    pub(super) fn is_in_bucket(&self) -> bool {
        matches!(self, Self::InBucket { .. })
    }

    /// Writes down where it is, and what to do about it, once nothing on this machine is needed any
    /// more.
    pub(super) fn note_in(&self, footprint: &mut Footprint) {
        if !self.is_in_bucket() {
            return;
        }
        if let Err(error) = footprint.set_rescued() {
            tracing::warn!("{error}");
            footprint.is_rescued = false;
        }
    }

    /// The error, with why Terraform failed.
    pub(super) fn told_with(self, stderr: String) -> Error {
        match self {
            Self::InBucket { told, next_step } | Self::Here { told, next_step } => {
                Error::StateNotUploaded { rescued: told, stderr, next_step }
            }
            Self::Lost { told } => Error::StateLost { left: told, stderr },
        }
    }
}

/// Writes into the bucket that this run's lock stays on purpose, where no rescued state says so.
/// Whoever breaks stale locks goes by it.
pub(super) async fn note_kept(bucket: &Bucket, (run, attempt): (u64, u32), error: &Error) {
    if run == 0 {
        return;
    }
    let why = format!("{error}\n").into_bytes();
    if let Err(why) = put(bucket, &bucket.backend().kept_key(run, attempt), &why, "text/plain").await {
        tracing::warn!("that the lock stays on purpose could not be written down: {why}");
    }
}

/// Whether the lock of a run stays on purpose: what its apply left is not in the state, or may not be.
/// `None` when that cannot be told.
pub(super) async fn is_kept(bucket: &Bucket, run: &RunRef) -> Option<bool> {
    let place = bucket.backend().place();
    match bucket.list(&place.rescued(run.run_id, run.attempt)).await {
        Ok(left) => Some(left.iter().any(|key| place.is_rescued(key, run.run_id, run.attempt))),
        Err(error) => {
            tracing::warn!("whether the lock stays on purpose cannot be told: {error}");
            None
        }
    }
}

/// What the Terraform of a killed step said: the files that it printed to are still there.
pub(super) fn said_by_killed(killed: &Footprint) -> Transcript {
    let mut transcript = Transcript::new(None);
    for file in killed.output_files() {
        let Ok(file) = File::open(file) else { continue };
        for line in BufReader::new(file).split(b'\n').map_while(Result::ok) {
            transcript.hear(&String::from_utf8_lossy(&line));
        }
    }
    transcript
}

/// What an apply left, put into the bucket, and what became of it; `None` when its state is where it
/// belongs.
pub(super) async fn rescue(
    root: &Root,
    run: (u64, u32),
    transcript: Option<&mut Transcript>,
) -> Option<(Left, Rescued)> {
    let left = Left::find(root.terraform.module().errored_state(), transcript)?;
    let rescued = left.rescue(&root.bucket, run).await;
    Some((left, rescued))
}

async fn put(bucket: &Bucket, key: &str, bytes: &[u8], content_type: &str) -> Result<String, String> {
    let put = bucket.put(key, bytes.to_vec(), content_type).await;
    put.map(|()| place(bucket, key)).map_err(|error| error.to_string())
}

fn place(bucket: &Bucket, key: &str) -> String {
    format!("s3://{}/{key}", bucket.backend().bucket)
}

/// A state in a file that only we can read, and that goes with the value.
fn file_of(state: &[u8]) -> io::Result<tempfile::NamedTempFile> {
    let mut file =
        tempfile::Builder::new().prefix("stategate-errored-").suffix(".tfstate").tempfile_in(temporary_directory())?;
    file.write_all(state)?;
    Ok(file)
}
