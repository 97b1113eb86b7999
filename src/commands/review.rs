//! The reviewed-plan record: written when a pull request is planned, compared before an apply.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::planning::{self, PlanFile};
use super::report::Report;
use super::session::{Root, Session};
use crate::core::record::{
    AuditRecord, Comparison, FingerprintKey, Fingerprinter, Record, RecordError, RecordOrigin,
    compare as compare_records, key_for,
};
use crate::error::Error;
use crate::shell::lock_store::Bucket;

/// How many audit objects are read for the reasons of a difference.
const RECENT_AUDITS: usize = 20;

/// Which state it is, and how often it was written.
#[derive(Debug, Default, Deserialize)]
pub(super) struct StateIdentity {
    #[serde(default)]
    lineage: Option<String>,
    #[serde(default)]
    serial: Option<u64>,
}

impl StateIdentity {
    /// Reads lineage and serial; both are absent while there is no state.
    pub(super) async fn read(bucket: &Bucket) -> Result<StateIdentity, Error> {
        let key = bucket.backend().state_key();
        match bucket.get(&key).await? {
            Some(object) => serde_json::from_slice(&object.bytes)
                .map_err(|error| Error::StateUnreadable { key, why: error.to_string() }),
            None => Ok(StateIdentity::default()),
        }
    }
}

/// Reads the plan JSON into the report and takes its fingerprints, with the key that fits what it
/// will be compared with.
pub(super) async fn read_plan(
    session: &Session,
    root: &Root,
    plan_file: &PlanFile,
    identity: &StateIdentity,
    reviewed: &[Record],
    report: &mut Report,
) -> Result<Record, Error> {
    let key = key_for(reviewed, identity.lineage.as_deref());
    let lineage_digest = FingerprintKey::new(identity.lineage.as_deref()).lineage_digest();
    let fingerprinter = planning::read(session, root, plan_file, Fingerprinter::new(key), report).await?;
    let (plan_time, complete) =
        report.plan.as_ref().map_or((None, false), |plan| (plan.timestamp.clone(), plan.complete != Some(false)));
    let plan = fingerprinter.finish(plan_time.as_deref(), complete, &[]);
    report.fingerprint = Some(plan.short().to_owned());
    let origin = RecordOrigin {
        head_sha: report.head_sha.clone().unwrap_or_default(),
        base_sha: None,
        merge_tree: None,
        pull_request: report.pull_requests.first().copied(),
        run_url: session.host.run().map(crate::shell::runner::Run::url),
        actor: Some(session.host.actor()),
        made_at: Some(Timestamp::now()),
        lineage_digest,
        serial: identity.serial,
        terraform_version: Some(root.version.clone()),
        providers: BTreeMap::new(),
        content_digest: None,
    };
    Ok(Record::new(origin, plan))
}

/// Keeps the record of what a pull request's reviewers are shown.
pub(super) async fn store(bucket: &Bucket, record: &Record) -> Result<(), Error> {
    let key = Record::object_key(&bucket.backend().state_key(), &record.origin.head_sha)?;
    Ok(bucket.put(&key, record.to_json().into_bytes(), "application/json").await?)
}

/// Fetches the records of what was reviewed.
pub(super) async fn fetch(bucket: &Bucket, head_shas: &[String]) -> Result<Vec<Record>, Error> {
    let mut records = Vec::new();
    for sha in head_shas {
        let key = Record::object_key(&bucket.backend().state_key(), sha)?;
        let place = format!("s3://{}/{key}", bucket.backend().bucket);
        let object = bucket.get(&key).await?.ok_or_else(|| RecordError::Missing { place: place.clone() })?;
        records.push(Record::from_json(&place, &object.bytes)?);
    }
    Ok(records)
}

/// Whether what would be applied is what was reviewed.
pub(super) async fn compare(
    bucket: &Bucket,
    reviewed: &[Record],
    fresh: &Record,
    report: &mut Report,
) -> Result<(), Error> {
    let history = recent_audits(bucket).await;
    match compare_records(reviewed, fresh, &history) {
        Comparison::Equal { notes } => {
            report.notes.extend(notes.iter().map(ToString::to_string));
            Ok(())
        }
        Comparison::Different { differences, whys } => {
            report.difference =
                differences.iter().map(ToString::to_string).chain(whys.iter().map(ToString::to_string)).collect();
            Err(Error::PlanChanged { differences: differences.iter().map(ToString::to_string).collect() })
        }
    }
}

/// What was done to the state lately. It only explains a difference, so a failure is a warning.
async fn recent_audits(bucket: &Bucket) -> Vec<AuditRecord> {
    let prefix = format!("stategate/{}/audit/", bucket.backend().state_key());
    let keys = match bucket.list(&prefix).await {
        Ok(keys) => keys,
        Err(error) => {
            tracing::warn!("the audit trail could not be read: {error}");
            return Vec::new();
        }
    };
    let mut audits = Vec::new();
    for key in keys.iter().rev().take(RECENT_AUDITS) {
        match bucket.get(key).await {
            Ok(Some(object)) => audits.extend(serde_json::from_slice::<AuditRecord>(&object.bytes)),
            Ok(None) => {}
            Err(error) => tracing::warn!("{key} could not be read: {error}"),
        }
    }
    audits
}
