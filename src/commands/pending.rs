//! Merged pull requests whose own apply has not happened: the next plan of the branch holds their
//! changes too.
//!
//! It happens whenever two are merged in a row (the run of the first is then no longer the branch's
//! tip), or one was merged and its apply was blocked or failed. One counts when its reviewed plan
//! does what the fresh plan does, and also when it was merged after the last apply and changed files
//! that reach this one: a reviewed plan is written by the pull request's own job, which may write
//! nothing, or something else.

use std::collections::BTreeSet;

use super::audit;
use super::reach::Trees;
use super::report::Report;
use super::review;
use super::session::Session;
use crate::error::Error;
use crate::shell::lock_store::Bucket;
use stategate_core::approval::{Commit, Policy, PullRequest, brought_by, merges, standing};
use stategate_core::record::{AuditRecord, Record, explains};
use stategate_core::sentence::Sentence;

/// How many commits of the branch are walked back at once, one request each; mostly the first is
/// applied.
const COMMITS_AT_ONCE: usize = 30;

/// How many in all, while it is not proven that nothing which reaches the apply came before them.
pub(super) const MOST_COMMITS: usize = 240;

/// How many in all for a pull request's plan, which only names them.
pub(super) const MOST_FOR_PLAN: usize = 10;

/// From where on a branch to look back.
pub(super) struct Line {
    pub(super) branch: String,
    /// The branch's newest commit when there is none.
    pub(super) from: Option<String>,
    /// How many commits are looked at in all.
    pub(super) most: usize,
    /// What lies in the bucket beside the state, where that was listed already.
    pub(super) keys: Option<Vec<String>>,
}

/// What was merged earlier and is not applied yet.
#[derive(Default)]
pub(super) struct Earlier {
    pub(super) pending: Vec<Pending>,
    /// Files that reach the apply changed between the last apply and the commits that were looked at.
    pub(super) is_cut_off: bool,
}

impl Earlier {
    /// The reviewed plans that the fresh plan would carry out too.
    pub(super) fn records(&self) -> impl Iterator<Item = &Record> {
        self.pending.iter().filter_map(|pending| pending.record.as_ref())
    }
}

/// One that is merged and not applied yet.
pub(super) struct Pending {
    /// What its merge made.
    pub(super) commit: String,
    pub(super) number: u64,
    /// What GitHub says of it.
    pub(super) pull_request: PullRequest,
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
) -> Result<Earlier, Error> {
    let (place, state_key) = (bucket.backend().place(), bucket.backend().state_key());
    let keys = match &line.keys {
        Some(keys) => keys.clone(),
        None => bucket.list(place.all()).await?,
    };
    let ours: Vec<String> = reviewed.iter().filter_map(|record| place.plan(&record.origin.head_sha)).collect();
    let is_ours = |key: &String| ours.contains(key);
    let last = last_apply(session, bucket, &keys).await?;
    // What came before the first apply of ours was applied by other means, or not: who could tell?
    let covered = covered.filter(|_| last.is_some());
    let last = last.unwrap_or_default();
    let plans = place.plans();
    if covered.is_none() && keys.iter().filter(|key| key.starts_with(&plans)).all(is_ours) {
        return Ok(Earlier::default());
    }
    let (github, repository) = (session.github()?, session.repository()?);
    let name = repository.to_string();
    let from = match &line.from {
        Some(from) => Some(from.clone()),
        None => github.branch_tip(&repository, &line.branch).await?,
    };
    let Some(from) = from else { return Ok(Earlier::default()) };
    if last.commit.as_ref() == Some(&from) {
        return Ok(Earlier::default());
    }
    // An apply brings along whatever the branch held by then, so nothing before it is left.
    let is_last = |commit: &Commit| {
        last.commit.as_ref() == Some(&commit.sha)
            || merges(&name, &line.branch, commit).iter().any(|pr| last.numbers.contains(&pr.number))
    };
    let mut trees = Trees::new(github, repository.clone());
    let mut earlier = Earlier::default();
    let at_once = COMMITS_AT_ONCE.min(line.most);
    let mut commits = github.line(&repository, &from, at_once, is_last).await?;
    while let (Some(covered), Some(before)) = (covered, before(&commits, is_last)) {
        if !trees.may_differ(covered, (last.commit.as_deref(), &before)).await {
            break;
        }
        if commits.len() >= line.most {
            earlier.is_cut_off = true;
            break;
        }
        let more = github.line(&repository, &before, at_once, is_last).await?;
        if more.is_empty() {
            earlier.is_cut_off = true;
            break;
        }
        commits.extend(more);
    }
    let found = &mut earlier.pending;
    let mut newer: Vec<&str> = Vec::new();
    for commit in &commits {
        newer.push(&commit.sha);
        for pull_request in brought_by(&name, &line.branch, commit, &newer) {
            let number = pull_request.number;
            let key = Record::object_key(&state_key, &pull_request.head)?;
            if is_ours(&key) || last.numbers.contains(&number) || found.iter().any(|pending| pending.number == number) {
                continue;
            }
            let record = if keys.contains(&key) { reviewed_plan(bucket, pull_request).await } else { None };
            let record = record.filter(|record| explains(record, &[], fresh));
            let counts = match covered {
                _ if record.is_some() => true,
                Some(covered) => {
                    let parent = commit.parents.first().map(String::as_str);
                    trees.may_differ(covered, (parent, &commit.sha)).await
                }
                None => false,
            };
            if counts {
                let commit = pull_request.merge_commit.clone().unwrap_or_else(|| commit.sha.clone());
                found.push(Pending { commit, number, pull_request: pull_request.clone(), record });
            }
        }
    }
    Ok(earlier)
}

/// The commit below these, when the last applied one is not among them.
fn before(commits: &[Commit], is_last: impl Fn(&Commit) -> bool) -> Option<String> {
    commits.last().filter(|lowest| !is_last(lowest)).and_then(|lowest| lowest.parents.first().cloned())
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

/// Says which they are, and so why they are asked about.
pub(super) fn tell(earlier: &Earlier, report: &mut Report) {
    for Pending { number, record, .. } in &earlier.pending {
        let what = match record {
            Some(_) => "its reviewed changes are part of this plan",
            None => "it changed files that reach this apply",
        };
        let note = Sentence::default().pull_request(*number).words(format!(" is merged and not applied yet: {what}"));
        tracing::info!("{note}");
        report.related.push(note);
    }
}

/// Names on a pull request that is planned what is merged and not applied yet, with its approvals: its
/// reviewers are shown those changes too. The plan does not depend on it: a failure is logged only.
pub(super) async fn announce(
    session: &Session,
    bucket: &Bucket,
    line: &Line,
    (fresh, covered, policy): (&Record, &[String], &Policy),
    report: &mut Report,
) {
    let own = std::slice::from_ref(fresh);
    let earlier = match find(session, bucket, line, (own, fresh), Some(covered)).await {
        Ok(earlier) => earlier,
        Err(error) => return tracing::warn!("what is merged and not applied yet could not be told: {error}"),
    };
    for Pending { number, pull_request, .. } in &earlier.pending {
        let (tally, _) = standing(policy, pull_request, &[]);
        let (had, needed) = (tally.counted.len(), policy.required_approvals);
        let s = if needed == 1 { "" } else { "s" };
        let words = format!(
            " is merged and not applied yet: this plan can hold its changes, and the apply brings them along. It has {had} of {needed} approval{s}"
        );
        let note = Sentence::default().pull_request(*number).words(words);
        tracing::info!("{note}");
        report.related.push(note);
    }
    if earlier.is_cut_off {
        let note = format!(
            "More than {MOST_FOR_PLAN} commits of {} are not applied yet, and not all of them were looked at",
            line.branch
        );
        tracing::info!("{note}");
        report.related.push(note.into());
    }
}

/// The last apply that left nothing for later.
#[derive(Default)]
struct LastApply {
    numbers: BTreeSet<u64>,
    commit: Option<String>,
}

async fn last_apply(session: &Session, bucket: &Bucket, keys: &[String]) -> Result<Option<LastApply>, Error> {
    let place = bucket.backend().place();
    let is_apply = |key: &&String| place.read_trail_entry(key).is_some_and(|entry| entry.action == "apply");
    let mut found: Option<(Option<String>, LastApply)> = None;
    for key in keys.iter().filter(is_apply).rev() {
        let entry = audit::read(session, bucket, key).await?;
        let Some(entry) = entry.filter(AuditRecord::is_mark) else { continue };
        let (run, last) = found.get_or_insert_with(|| (entry.run_url.clone(), LastApply::default()));
        // One run writes an entry for each of its pull requests.
        if *run != entry.run_url {
            break;
        }
        last.numbers.extend(entry.pull_request);
        last.commit = entry.commit;
    }
    Ok(found.map(|(_, last)| last))
}
