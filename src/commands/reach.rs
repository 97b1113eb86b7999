//! Which pull requests of a change reach this root module, and what was reviewed of them.

use std::collections::BTreeMap;

use super::report::Report;
use super::review;
use super::session::Session;
use crate::error::Error;
use crate::shell::github::{GitHub, Repository};
use crate::shell::lock_store::Bucket;
use stategate_core::approval::{Brought, Elsewhere, MayReach, elsewhere};
use stategate_core::record::{Files, Record, RecordError, changed_file};
use stategate_core::sentence::Sentence;

/// The files of commits by Git's own object names, each commit asked of GitHub once.
pub(super) struct Trees<'a> {
    github: &'a GitHub,
    repository: Repository,
    /// Those that GitHub told.
    known: BTreeMap<String, Files>,
}

impl<'a> Trees<'a> {
    pub(super) fn new(github: &'a GitHub, repository: Repository) -> Self {
        Self { github, repository, known: BTreeMap::new() }
    }

    async fn look_up(&mut self, sha: &str) -> bool {
        if self.known.contains_key(sha) {
            return true;
        }
        match self.github.files(&self.repository, sha).await {
            Ok(files) => {
                self.known.insert(sha.to_owned(), files);
                true
            }
            Err(error) => {
                tracing::warn!("GitHub does not list the files of {sha}: {error}");
                false
            }
        }
    }

    /// Whether a file below the covered places may differ between two commits. Where GitHub does not
    /// tell, it may.
    pub(super) async fn may_differ(&mut self, covered: &[String], (old, new): (Option<&str>, &str)) -> bool {
        let Some(old) = old else { return true };
        if covered.is_empty() || !(self.look_up(old).await && self.look_up(new).await) {
            return true;
        }
        let (before, after) = (self.known.get(old), self.known.get(new));
        before.zip(after).is_none_or(|(before, after)| changed_file(covered, before, after).is_some())
    }
}

/// A pull request of a push or of a merge group, and what it brings to the branch.
pub(super) struct Change {
    pub(super) number: u64,
    pub(super) head: String,
    pub(super) commits: Vec<Brought>,
}

/// What was reviewed of a change.
#[derive(Default)]
pub(super) struct Reviewed {
    /// The records of the pull requests' head commits, as far as there are any.
    pub(super) records: Vec<Record>,
    /// Why one that is needed is not among them.
    pub(super) lacks: Option<Error>,
    /// The pull requests without a record that need none.
    pub(super) elsewhere: Vec<Elsewhere>,
}

impl Reviewed {
    /// Fetches the record of each pull request. One that has none, and provably changed no file below
    /// the `covered` places, needs none.
    pub(super) async fn gather(session: &Session, bucket: &Bucket, changes: &[Change], covered: &[String]) -> Reviewed {
        let mut reviewed = Reviewed::default();
        let mut trees: Option<Trees<'_>> = None;
        for change in changes {
            let error = match review::fetch(bucket, &change.head).await {
                Ok(record) => {
                    reviewed.records.push(record);
                    continue;
                }
                Err(Error::Record(RecordError::Missing { place, .. })) => {
                    let proof = match prove(session, &mut trees, change, covered).await {
                        Ok(proof) => {
                            reviewed.elsewhere.push(proof);
                            continue;
                        }
                        Err(why) => why,
                    };
                    RecordError::Missing { place, reach: Some((change.number, proof)) }.into()
                }
                Err(error) => error,
            };
            reviewed.lacks.get_or_insert(error);
        }
        reviewed
    }

    /// Whether a pull request of the change has to do with this root module.
    pub(super) fn reaches(&self) -> bool {
        !self.records.is_empty() || self.lacks.is_some()
    }

    /// Says which pull requests bring nothing here, and so need nothing here.
    pub(super) fn tell(&self, report: &mut Report) {
        for proof in &self.elsewhere {
            let note = Sentence::default().pull_request(proof.number()).words(
                " changed no file that reaches this root module: it needs neither a reviewed plan nor an approval here",
            );
            tracing::info!("{note}");
            report.related.push(note);
        }
    }
}

async fn prove<'a>(
    session: &'a Session,
    trees: &mut Option<Trees<'a>>,
    change: &Change,
    covered: &[String],
) -> Result<Elsewhere, MayReach> {
    let trees = match trees {
        Some(trees) => trees,
        none => {
            let not_told = |error: Error| MayReach::NotKnown(error.to_string());
            none.insert(Trees::new(session.github().map_err(not_told)?, session.repository().map_err(not_told)?))
        }
    };
    // Where it is not known which files reach the root module, those of the commits prove nothing.
    if !covered.is_empty() {
        for commit in &change.commits {
            for sha in commit.parent.iter().chain([&commit.commit]) {
                trees.look_up(sha).await;
            }
        }
    }
    elsewhere(change.number, &change.commits, covered, &trees.known)
}
