//! Merged pull requests whose own apply has not happened: the next plan of the branch holds their
//! changes too.
//!
//! It happens whenever two are merged in a row (the run of the first is then no longer the branch's
//! tip), or one was merged and its apply was blocked or failed. Nothing is guessed: one counts only
//! when the plan that was reviewed of it stands in the bucket, and does what the fresh plan does.

use std::collections::BTreeSet;

use super::report::Report;
use super::review;
use super::session::Session;
use crate::core::approval::merges;
use crate::core::record::{AuditRecord, Record, explains};
use crate::error::Error;
use crate::shell::lock_store::Bucket;

/// How many commits of the branch are walked back, one request each; mostly the first is applied.
const MOST_COMMITS: usize = 30;

/// From where on a branch to look back.
pub(super) struct Line {
    pub(super) branch: String,
    /// The branch's newest commit when there is none.
    pub(super) from: Option<String>,
}

/// One that is merged and not applied yet.
pub(super) struct Pending {
    /// What its merge made.
    pub(super) commit: String,
    pub(super) record: Record,
}

/// Finds those that do something which `fresh` would do, other than the `reviewed` ones themselves.
///
/// Mostly the commit below is applied, and that is all that is asked; nothing is asked while no
/// other pull request has a reviewed plan.
pub(super) async fn find(
    session: &Session,
    bucket: &Bucket,
    line: &Line,
    (reviewed, fresh): (&[Record], &Record),
) -> Result<Vec<Pending>, Error> {
    let state_key = bucket.backend().state_key();
    let keys = bucket.list(&format!("stategate/{state_key}/plans/")).await?;
    let is_ours =
        |key: &String| reviewed.iter().any(|record| key.ends_with(&format!("/{}.json", record.origin.head_sha)));
    if keys.iter().all(is_ours) {
        return Ok(Vec::new());
    }
    let (github, repository) = (session.github()?, session.repository()?);
    let name = repository.to_string();
    let from = match &line.from {
        Some(from) => Some(from.clone()),
        None => github.branch_tip(&repository, &line.branch).await?,
    };
    let Some(from) = from else { return Ok(Vec::new()) };
    let applied = applied_last(bucket).await?;
    // An apply brings along whatever the branch held by then, so nothing before it is left.
    let is_last = |commit: &_| merges(&name, &line.branch, commit).iter().any(|pr| applied.contains(&pr.number));
    let mut found = Vec::new();
    for commit in github.line(&repository, &from, MOST_COMMITS, is_last).await? {
        for pull_request in merges(&name, &line.branch, &commit) {
            let key = Record::object_key(&state_key, &pull_request.head)?;
            if is_ours(&key) || applied.contains(&pull_request.number) || !keys.contains(&key) {
                continue;
            }
            let mut record = match review::fetch(bucket, &pull_request.head).await {
                Ok(record) => record,
                Err(error) => {
                    tracing::warn!("the reviewed plan of #{} does not count: {error}", pull_request.number);
                    continue;
                }
            };
            // The number is GitHub's, not the record's: that was written by the pull request's job.
            record.origin.pull_request = Some(pull_request.number);
            if explains(&record, &[], fresh) {
                found.push(Pending { commit: commit.sha.clone(), record });
            }
        }
    }
    Ok(found)
}

/// Says which they are, and so why they are asked about.
pub(super) fn tell(pending: &[Pending], report: &mut Report) {
    for number in pending.iter().filter_map(|pending| pending.record.origin.pull_request) {
        let note = format!("#{number} is merged and not applied yet: its reviewed changes are part of this plan");
        tracing::info!("{note}");
        report.notes.push(note);
    }
}

/// The pull requests that the last successful apply applied.
async fn applied_last(bucket: &Bucket) -> Result<BTreeSet<u64>, Error> {
    let mut keys = bucket.list(&format!("stategate/{}/audit/", bucket.backend().state_key())).await?;
    keys.retain(|key| key.ends_with("-apply.json"));
    let (mut numbers, mut run) = (BTreeSet::new(), None);
    for key in keys.iter().rev() {
        let audit = bucket.get(key).await?.and_then(|object| serde_json::from_slice::<AuditRecord>(&object.bytes).ok());
        let Some(audit) = audit.filter(|audit| audit.result == "applied") else { continue };
        // One run writes an entry for each of its pull requests.
        if run.get_or_insert_with(|| audit.run_url.clone()) != &audit.run_url {
            break;
        }
        numbers.extend(audit.pull_request);
    }
    Ok(numbers)
}
