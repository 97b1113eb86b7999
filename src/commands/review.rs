//! The reviewed-plan record: written when a pull request is planned, compared before an apply.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Deserialize;

use super::audit;
use super::beside;
use super::planning::{self, PlanFile};
use super::report::Report;
use super::running::all_words;
use super::session::{Root, Session};
use crate::cli::Words;
use crate::error::Error;
use crate::shell::checkout;
use crate::shell::lock_store::Bucket;
use crate::shell::runner::{Event, Run, variable};
use crate::shell::sources::{Arguments, Sources, configuration, providers, sources, workflow};
use stategate_core::configuration::Configuration;
use stategate_core::record::{
    AuditRecord, Comparison, FingerprintKey, Fingerprinter, PlanFingerprint, Record, RecordError, RecordOrigin,
    compare_along, explains, key_for, overlaps,
};
use stategate_core::sentence::Sentence;

/// How many audit objects are read for the reasons of a difference.
const RECENT_AUDITS: usize = 20;

/// How many other pull requests' records are read, the newest first.
const MOST_OVERLAPS: usize = 20;

/// How many resources that another pull request changes too are named.
const MOST_ADDRESSES: usize = 5;

/// Which state it is, and how often it was written.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct StateIdentity {
    #[serde(default)]
    lineage: Option<String>,
    #[serde(default)]
    serial: Option<u64>,
    /// The object's, where the bucket keeps versions.
    #[serde(skip)]
    version: Option<String>,
}

impl fmt::Display for StateIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.serial {
            Some(serial) => write!(f, "serial {serial}")?,
            None => f.write_str("absent")?,
        }
        self.version.as_ref().map_or(Ok(()), |version| write!(f, ", version {version}"))
    }
}

impl StateIdentity {
    /// What keeps fingerprints of what belongs to this state from telling it.
    pub(super) fn key(&self) -> FingerprintKey {
        FingerprintKey::new(self.lineage.as_deref())
    }

    /// Reads lineage and serial; both are absent while there is no state.
    pub(super) async fn read(bucket: &Bucket) -> Result<StateIdentity, Error> {
        let key = bucket.backend().state_key();
        // A state can be large, and nothing else of it is of use here.
        let read = |state: &mut dyn Read| serde_json::from_reader::<_, StateIdentity>(BufReader::new(state));
        match bucket.read_through(&key, read).await? {
            Some((version, identity)) => identity
                .map(|identity| StateIdentity { version, ..identity })
                // The error itself can quote the state.
                .map_err(|error| {
                    let why = format!("line {}, column {}: it is not a state", error.line(), error.column());
                    Error::StateUnreadable { key, why }
                }),
            None => Ok(StateIdentity::default()),
        }
    }

    /// Whether it is the same state; `None` where one of them is absent.
    pub(super) fn is_same_state(&self, other: &Self) -> Option<bool> {
        self.lineage.as_ref().zip(other.lineage.as_ref()).map(|(one, other)| one == other)
    }
}

/// The code that is planned.
pub(super) struct Code {
    pub(super) base_sha: Option<String>,
    merge_tree: Option<String>,
    pusher: Option<String>,
    pub(super) providers: BTreeMap<String, String>,
    /// `None` where it cannot be told which files reach the apply: then no approval carries over.
    sources: Option<Sources>,
    /// Whether it is planned with `-refresh-only`.
    refresh_only: bool,
    /// The text that Terraform plans, and a digest of each module that comes from elsewhere.
    pub(super) configuration: Configuration,
    modules: BTreeMap<String, String>,
    /// Where the repository is checked out.
    pub(super) repository: Option<PathBuf>,
}

impl Code {
    /// Looks at what is checked out; `init` must have been run, and nothing else yet that could
    /// write files.
    pub(super) fn read(session: &Session, root: &Root, plan_args: Option<&Words>) -> Code {
        let module = root.terraform.module();
        let repository = variable("GITHUB_WORKSPACE").and_then(|path| fs::canonicalize(PathBuf::from(path)).ok());
        let plan_args = all_words("plan", plan_args);
        let merge_tree = repository.as_ref().and_then(|repository| checkout::tree(repository, module.directory()));
        let sources = repository.as_ref().and_then(|repository| {
            let arguments = Arguments { plan: &plan_args, init: &all_words("init", session.target.init_args.as_ref()) };
            let found = sources(repository, module.directory(), &module.data_directory(), arguments);
            if let Ok(Sources { open: Some(file), .. }) = &found {
                let file = file.strip_prefix(repository).unwrap_or(file).display();
                tracing::info!(
                    "an expression in {file} decides which files are read: any file of the repository counts"
                );
            }
            let found = found.map(|mut found| {
                found.covered.extend(runs_it(session, repository));
                found
            });
            found.inspect_err(|error| tracing::warn!("which files reach this root module is not known: {error}")).ok()
        });
        let (base_sha, pusher) = match session.host.run().map(|run| &run.event) {
            Some(Event::PullRequest(event)) => {
                let pusher = Some(event.sender.clone()).filter(|_| event.action == "synchronize");
                (Some(event.base_sha.clone()), pusher)
            }
            Some(Event::Push(push)) => (Some(push.before.clone()), None),
            Some(Event::MergeGroup { base_sha, .. }) => (Some(base_sha.clone()), None),
            Some(Event::Other) | None => (None, None),
        };
        let refresh_only = asks_for_refresh_only(&plan_args);
        let (configuration, modules) = configuration(module.directory(), &module.data_directory());
        let providers = providers(module.directory());
        Code { base_sha, merge_tree, pusher, providers, sources, refresh_only, configuration, modules, repository }
    }

    /// The directories and files of the repository that reach the apply.
    pub(super) fn covered(&self) -> &[String] {
        self.sources.as_ref().map(|sources| sources.covered.as_slice()).unwrap_or_default()
    }
}

/// Whether these arguments of `plan` ask for one that only updates the state's record. Of a flag given
/// twice Terraform takes the last.
fn asks_for_refresh_only(plan_args: &[String]) -> bool {
    let value = |word: &String| {
        let flag = word.strip_prefix("--").or(word.strip_prefix('-'))?.strip_prefix("refresh-only")?;
        match flag.strip_prefix('=') {
            None => flag.is_empty().then_some(true),
            // As Go reads it; Terraform refuses what is none of these.
            Some(value) => Some(!["0", "f", "F", "false", "FALSE", "False"].contains(&value)),
        }
    };
    plan_args.iter().filter_map(value).next_back().unwrap_or(false)
}

/// The files of the repository that decide how Terraform is run here: this run's workflow, whose
/// environment holds variables, with its local actions, and a script in Terraform's place.
fn runs_it(session: &Session, repository: &Path) -> Vec<String> {
    let of_run = session.host.run().zip(variable("GITHUB_WORKFLOW_REF")).and_then(|(run, workflow)| {
        // `acme/infra/.github/workflows/apply.yml@refs/heads/main`
        let (path, _) = workflow.split_once('@')?;
        Some(path.strip_prefix(&run.repository)?.strip_prefix('/')?.to_owned())
    });
    let script = session.target.terraform_bin.as_ref().and_then(|script| {
        let script = fs::canonicalize(script).ok()?;
        Some(script.strip_prefix(repository).ok()?.to_string_lossy().into_owned())
    });
    of_run.map(|path| workflow(repository, &path)).unwrap_or_default().into_iter().chain(script).collect()
}

/// Reads the plan JSON into the report and takes its fingerprints, with the key that fits what it
/// will be compared with.
pub(super) async fn read_plan(
    session: &Session,
    root: &Root,
    code: &Code,
    plan_file: &PlanFile,
    identity: &StateIdentity,
    reviewed: &[Record],
    report: &mut Report,
) -> Result<Record, Error> {
    let key = key_for(reviewed, identity.lineage.as_deref());
    let lineage_digest = identity.key().lineage_digest();
    let fingerprinter = Fingerprinter::new(key).refresh_only(code.refresh_only);
    // Beside the plan's JSON it costs no time.
    let (fingerprinter, account) =
        tokio::join!(planning::read(session, root, plan_file, fingerprinter, report), root.bucket.account());
    let fingerprinter = fingerprinter?;
    let plan = match &report.plan {
        Some(summary) => {
            let (observed, texts) = beside::observe(root, code, summary, fingerprinter.key());
            report.beside.texts = texts;
            fingerprinter.with_effects(observed).finish_plan(summary)
        }
        None => PlanFingerprint::default(),
    };
    report.fingerprint = Some(plan.short().to_owned());
    let origin = RecordOrigin {
        head_sha: report.head_sha.clone().unwrap_or_default(),
        base_sha: code.base_sha.clone(),
        merge_tree: code.merge_tree.clone(),
        pull_request: report.pull_requests.first().copied(),
        run_url: session.host.run().map(Run::url),
        actor: Some(session.host.actor()),
        pusher: code.pusher.clone(),
        pushers: code.pusher.iter().cloned().collect(),
        made_at: Some(Timestamp::now()),
        lineage_digest,
        serial: identity.serial,
        terraform_version: Some(root.version.clone()),
        providers: code.providers.clone(),
        content_digest: code.sources.as_ref().map(|sources| sources.digest.clone()),
        state: Some(format!("s3://{}/{}", root.bucket.backend().bucket, root.bucket.backend().state_key())),
        account,
        modules: code.modules.clone(),
        inputs: None,
    };
    Ok(Record::new(origin, plan))
}

/// The record that the next one of this commit replaces. It only says what became of it, so a
/// failure is a warning.
pub(super) async fn replaced(bucket: &Bucket, head_sha: Option<&str>) -> Option<Record> {
    // Its time is its own word: so is that of all it replaced.
    match read_record(bucket, head_sha?).await {
        Ok((record, _)) => Some(record),
        Err(Error::Record(RecordError::Missing { .. })) => None,
        Err(error) => {
            tracing::warn!("what was planned of this commit before is not known: {error}");
            None
        }
    }
}

/// Keeps the record of what a pull request's reviewers are shown.
pub(super) async fn store(bucket: &Bucket, record: &Record) -> Result<(), Error> {
    let key = Record::object_key(&bucket.backend().state_key(), &record.origin.head_sha)?;
    Ok(bucket.put(&key, record.to_json().into_bytes(), "application/json").await?)
}

/// Fetches the record of a commit. Its time is the later of its own word and S3's: the job that wrote
/// it can write any time into it, but cannot set S3's clock.
pub(super) async fn fetch(bucket: &Bucket, head_sha: &str) -> Result<Record, Error> {
    let (mut record, stored_at) = read_record(bucket, head_sha).await?;
    record.origin.made_at = record.origin.made_at.max(stored_at);
    Ok(record)
}

/// The record of a commit as it was written, and when that was by S3's clock.
async fn read_record(bucket: &Bucket, head_sha: &str) -> Result<(Record, Option<Timestamp>), Error> {
    let key = Record::object_key(&bucket.backend().state_key(), head_sha)?;
    let place = format!("s3://{}/{key}", bucket.backend().bucket);
    let object = bucket.get(&key).await?.ok_or_else(|| RecordError::Missing { place: place.clone(), reach: None })?;
    let record = Record::from_json(&place, &object.bytes)?;
    if record.origin.head_sha != head_sha {
        let why = "it is of another commit".to_owned();
        return Err(RecordError::Unreadable { place, why }.into());
    }
    Ok((record, object.last_modified))
}

/// Says which other open pull requests change the same resources. It is for people to know, so a
/// failure is a warning; and it stays cheap, with one request to GitHub, and none while there is
/// no other record.
pub(super) async fn tell_overlaps(
    session: &Session,
    bucket: &Bucket,
    (mine, keys): (&Record, &[String]),
    report: &mut Report,
) {
    let found = async {
        let state_key = bucket.backend().state_key();
        let plans = bucket.backend().place().plans();
        let own = Record::object_key(&state_key, &mine.origin.head_sha)?;
        if keys.iter().filter(|key| key.starts_with(&plans)).all(|key| *key == own) {
            return Ok(Vec::new());
        }
        let open = session.github()?.open_pull_requests(&session.repository()?).await?;
        let others = open.into_iter().filter(|other| Some(other.number) != mine.origin.pull_request);
        let mut records = Vec::new();
        for other in others {
            let key = Record::object_key(&state_key, &other.head_sha)?;
            if !keys.contains(&key) || records.len() == MOST_OVERLAPS {
                continue;
            }
            // The number is GitHub's, not the record's: that was written by the other's own job.
            if let Ok(mut record) = fetch(bucket, &other.head_sha).await {
                record.origin.pull_request = Some(other.number);
                records.push(record);
            }
        }
        Ok::<_, Error>(records)
    };
    let records = match found.await {
        Ok(records) => records,
        Err(error) => return tracing::warn!("other pull requests could not be compared: {error}"),
    };
    for overlap in overlaps(mine, &records) {
        let more = overlap.addresses.len().saturating_sub(MOST_ADDRESSES);
        let mut addresses = overlap.addresses.into_iter().take(MOST_ADDRESSES).collect::<Vec<_>>().join(", ");
        if more > 0 {
            addresses.push_str(&format!(" and {more} more"));
        }
        let also = Sentence::from("Also changed by ").pull_request(overlap.pull_request);
        report.related.push(also.words(format!(": {addresses}")));
    }
}

/// Whether what would be applied is what was reviewed: of these pull requests, and of those that
/// are merged and not applied yet.
pub(super) async fn compare(
    session: &Session,
    bucket: &Bucket,
    (reviewed, fresh): (&[Record], &Record),
    others: impl Iterator<Item = &Record>,
    report: &mut Report,
) -> Result<(), Error> {
    let mut compared = compare_along(reviewed, &[], fresh, &[]);
    if matches!(compared, Comparison::Different { .. }) {
        // What was done to the state lately explains a difference; equality needs no explaining.
        let others: Vec<Record> = others.filter(|record| explains(record, reviewed, fresh)).cloned().collect();
        compared = compare_along(reviewed, &others, fresh, &recent_audits(session, bucket).await);
    }
    match compared {
        Comparison::Equal { notes } => {
            report.notes.extend(notes.iter().map(ToString::to_string));
            Ok(())
        }
        Comparison::Different { differences, whys } => {
            // They go to the log too; a key in an address can be a copy of something secret.
            let secrets = report.plan.as_ref().map(|plan| plan.secrets.clone()).unwrap_or_default();
            let differences: Vec<String> =
                differences.iter().map(|difference| secrets.scrub_name(&difference.to_string()).into_owned()).collect();
            report.difference = differences.iter().cloned().chain(whys.iter().map(ToString::to_string)).collect();
            Err(Error::PlanChanged { differences })
        }
    }
}

/// Puts a refusal into the report: what is wrong with the record, where it is that, and the way on.
pub(super) fn explained(compared: Result<(), Error>, report: &mut Report) -> Result<(), Error> {
    if let Err(error @ (Error::PlanChanged { .. } | Error::Record(_))) = &compared {
        if matches!(error, Error::Record(_)) {
            report.difference.push(error.to_string());
        }
        report.difference.push(format!("Next: {}", error.hint()));
    }
    compared
}

/// What was done to the state lately. It only explains a difference, so a failure is a warning.
async fn recent_audits(session: &Session, bucket: &Bucket) -> Vec<AuditRecord> {
    let place = bucket.backend().place();
    let mut keys = match bucket.list(&place.trail()).await {
        Ok(keys) => keys,
        Err(error) => {
            tracing::warn!("the audit trail could not be read: {error}");
            return Vec::new();
        }
    };
    keys.retain(|key| place.read_trail_entry(key).is_some());
    let mut audits = Vec::new();
    for key in keys.iter().rev().take(RECENT_AUDITS) {
        match audit::read(session, bucket, key).await {
            Ok(entry) => audits.extend(entry),
            Err(error) => tracing::warn!("{key} could not be read: {error}"),
        }
    }
    audits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_that_only_refreshes_is_told_by_its_arguments() {
        for (words, expected) in [
            ("-refresh-only", true),
            ("--refresh-only=true", true),
            ("-refresh-only -refresh-only=false", false),
            ("-refresh=false", false),
            ("-refresh-onlyx", false),
            ("", false),
        ] {
            let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
            assert_eq!(asks_for_refresh_only(&words), expected, "{words:?}");
        }
    }

    #[test]
    fn an_encrypted_state_of_opentofus_is_known_by_what_stands_in_it_in_clear() {
        let state = r#"{"serial":7,"lineage":"0b4f9a3c-8a0e-4a51-9b64-5a1e0f7f7f00","meta":{"key_provider.pbkdf2.k":"eyJzYWx0IjoiLi4uIn0="},"encrypted_data":"c2VjcmV0","encryption_version":"v0"}"#;
        let identity: StateIdentity = serde_json::from_str(state).unwrap();
        assert_eq!(identity.to_string(), "serial 7");
        assert_eq!(identity.lineage.as_deref(), Some("0b4f9a3c-8a0e-4a51-9b64-5a1e0f7f7f00"));
    }
}
