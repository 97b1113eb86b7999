//! Merged pull requests whose own apply has not happened: the next plan of the branch holds their
//! changes too.
//!
//! It happens whenever two are merged in a row (the run of the first is then no longer the branch's
//! tip), or one was merged and its apply was blocked or failed. One counts when its reviewed plan
//! does what the fresh plan does, and also when it was merged after the last apply and changed files
//! that reach this one: a reviewed plan is written by the pull request's own job, which may write
//! nothing, or something else.

use std::collections::BTreeSet;

use super::report::Report;
use super::review;
use super::session::Session;
use crate::core::approval::{Commit, PullRequest, brought_by, merges};
use crate::core::record::{AuditRecord, Record, explains, same_files};
use crate::core::sentence::Sentence;
use crate::error::Error;
use crate::shell::github::{GitHub, Repository};
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
    pub(super) number: u64,
    /// Its reviewed plan, where that does something which the fresh plan would do.
    pub(super) record: Option<Record>,
}

/// Finds those that do something which `fresh` would do, other than the `reviewed` ones themselves;
/// and, with the places of the files that reach the apply (`covered`), those that changed such files
/// since the last apply.
///
/// Mostly the commit below is applied, and that is all that is asked.
pub(super) async fn find(
    session: &Session,
    bucket: &Bucket,
    line: &Line,
    (reviewed, fresh): (&[Record], &Record),
    covered: Option<&[String]>,
) -> Result<Vec<Pending>, Error> {
    let state_key = bucket.backend().state_key();
    let keys = bucket.list(&format!("stategate/{state_key}/")).await?;
    let is_ours =
        |key: &String| reviewed.iter().any(|record| key.ends_with(&format!("/{}.json", record.origin.head_sha)));
    let applied = applied_last(bucket, &keys).await?;
    // What came before the first apply of ours was applied by other means, or not: who could tell?
    let covered = covered.filter(|_| !applied.is_empty());
    let plans = format!("stategate/{state_key}/plans/");
    if covered.is_none() && keys.iter().filter(|key| key.starts_with(&plans)).all(is_ours) {
        return Ok(Vec::new());
    }
    let (github, repository) = (session.github()?, session.repository()?);
    let name = repository.to_string();
    let from = match &line.from {
        Some(from) => Some(from.clone()),
        None => github.branch_tip(&repository, &line.branch).await?,
    };
    let Some(from) = from else { return Ok(Vec::new()) };
    // An apply brings along whatever the branch held by then, so nothing before it is left.
    let is_last = |commit: &_| merges(&name, &line.branch, commit).iter().any(|pr| applied.contains(&pr.number));
    let mut found: Vec<Pending> = Vec::new();
    let mut newer: Vec<&str> = Vec::new();
    let commits = github.line(&repository, &from, MOST_COMMITS, is_last).await?;
    for commit in &commits {
        newer.push(&commit.sha);
        for pull_request in brought_by(&name, &line.branch, commit, &newer) {
            let number = pull_request.number;
            let key = Record::object_key(&state_key, &pull_request.head)?;
            if is_ours(&key) || applied.contains(&number) || found.iter().any(|pending| pending.number == number) {
                continue;
            }
            let record = if keys.contains(&key) { reviewed_plan(bucket, pull_request).await } else { None };
            let record = record.filter(|record| explains(record, &[], fresh));
            let counts = match covered {
                _ if record.is_some() => true,
                Some(covered) => reaches_the_apply(session.github()?, &repository, covered, commit).await,
                None => false,
            };
            if counts {
                let commit = pull_request.merge_commit.clone().unwrap_or_else(|| commit.sha.clone());
                found.push(Pending { commit, number, record });
            }
        }
    }
    Ok(found)
}

/// The reviewed plan of a pull request, when it can be read.
async fn reviewed_plan(bucket: &Bucket, pull_request: &PullRequest) -> Option<Record> {
    match review::fetch(bucket, &pull_request.head).await {
        // The number is GitHub's, not the record's: that was written by the pull request's job.
        Ok(mut record) => {
            record.origin.pull_request = Some(pull_request.number);
            Some(record)
        }
        Err(error) => {
            tracing::warn!("the reviewed plan of #{} does not count: {error}", pull_request.number);
            None
        }
    }
}

/// Whether a commit of the branch changed files that reach the apply, by Git's own object names;
/// one that GitHub does not tell about may have.
async fn reaches_the_apply(github: &GitHub, repository: &Repository, covered: &[String], commit: &Commit) -> bool {
    let Some(parent) = commit.parents.first() else { return true };
    match tokio::try_join!(github.files(repository, parent), github.files(repository, &commit.sha)) {
        Ok((before, after)) => same_files(covered, (parent, &before), (&commit.sha, &after)).is_err(),
        Err(error) => {
            tracing::warn!("which files {} changed is not told: {error}", commit.sha);
            true
        }
    }
}

/// Says which they are, and so why they are asked about.
pub(super) fn tell(pending: &[Pending], report: &mut Report) {
    for Pending { number, record, .. } in pending {
        let what = match record {
            Some(_) => "its reviewed changes are part of this plan",
            None => "it changed files that reach this apply",
        };
        let note = Sentence::default().pull_request(*number).words(format!(" is merged and not applied yet: {what}"));
        tracing::info!("{note}");
        report.related.push(note);
    }
}

/// The pull requests that the last successful apply applied.
async fn applied_last(bucket: &Bucket, keys: &[String]) -> Result<BTreeSet<u64>, Error> {
    let trail = format!("stategate/{}/audit/", bucket.backend().state_key());
    let applies = keys.iter().filter(|key| key.starts_with(&trail) && key.ends_with("-apply.json"));
    let (mut numbers, mut run) = (BTreeSet::new(), None);
    for key in applies.rev() {
        let audit = bucket.get(key).await?.and_then(|object| serde_json::from_slice::<AuditRecord>(&object.bytes).ok());
        // What came without a pull request is no place on the branch to stop at.
        let is_mark = |audit: &AuditRecord| audit.result == "applied" && audit.pull_request.is_some();
        let Some(audit) = audit.filter(is_mark) else { continue };
        // One run writes an entry for each of its pull requests.
        if run.get_or_insert_with(|| audit.run_url.clone()) != &audit.run_url {
            break;
        }
        numbers.extend(audit.pull_request);
    }
    Ok(numbers)
}
