//! The reviewed-plan record: what a plan would do, kept beside the state without its values, so
//! that main can be held to what was reviewed.
//!
//! What counts as the same plan, and what does not, stands in [`fingerprint`]; how two plans are
//! compared and explained, in [`compare`].

mod audit;
mod canonical;
mod compare;
mod content;
mod difference;
mod earlier;
mod effects;
mod fingerprint;
mod identity;
mod inputs;
mod key;
mod surroundings;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::approval::MayReach;
use crate::backend::Place;

pub use audit::{AuditRecord, applied};
pub use compare::{Comparison, Overlap, compare, compare_along, explains, key_for, overlaps};
pub use content::{ContentDigest, Files, SameContent, SameFiles, changed_file, same_content, same_files};
pub use difference::{Deed, Difference, Note, Why};
pub use earlier::PlannedSince;
pub use effects::{Effect, FilesBeside, Followed, Observed, Subject, Wanted};
pub use fingerprint::{Fingerprinter, OtherPart, OutputChange, PlanFingerprint, ResourceChange, SHORT};
pub use inputs::{Executable, OtherInput, PlanInputs, other_inputs};
pub use key::FingerprintKey;
pub use surroundings::Environment;

#[cfg(test)]
mod tests;

/// The version of the record's format that this program writes, and the only one it believes.
///
/// It also names what a fingerprint covers: one of version 1 covers less than one of version 2, so
/// the two are never compared.
pub const VERSION: u32 = 2;

/// A plan as it was reviewed (or as it would be applied), without its values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The format's version.
    pub version: u32,
    /// Which plan it is.
    #[serde(flatten)]
    pub origin: RecordOrigin,
    /// What it would do.
    #[serde(flatten)]
    pub plan: PlanFingerprint,
    /// The plans of the same commit that it replaced, oldest first, as far as they are kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Record>,
}

/// Which commit, run, state and versions a plan was made of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordOrigin {
    /// The pull request's head commit (on a branch: the commit itself).
    pub head_sha: String,
    /// The commit of the base branch that the plan was made against.
    #[serde(default)]
    pub base_sha: Option<String>,
    /// The tree that was planned, by Git's name: of the test merge commit in a pull request, of the
    /// commit itself on a branch. `None` without a Git checkout, or without `git`.
    #[serde(default)]
    pub merge_tree: Option<String>,
    /// The pull request's number.
    #[serde(default)]
    pub pull_request: Option<u64>,
    /// The run's page.
    #[serde(default)]
    pub run_url: Option<String>,
    /// Who started the run.
    #[serde(default)]
    pub actor: Option<String>,
    /// Who pushed the head commit, by the event that announced the push. It can only take an
    /// approval away, so that it is written by the pull request's own job does no harm.
    #[serde(default)]
    pub pusher: Option<String>,
    /// Everybody who is known to have pushed the head commit: [`Self::pusher`], and those that the
    /// records of the same commit named which this one replaces. Like that field, it can only take
    /// approvals away.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub pushers: BTreeSet<String>,
    /// When the plan was made.
    #[serde(default)]
    pub made_at: Option<Timestamp>,
    /// [`FingerprintKey::lineage_digest`]; `None` when there was no state yet.
    #[serde(default)]
    pub lineage_digest: Option<String>,
    /// The state's serial.
    #[serde(default)]
    pub serial: Option<u64>,
    /// Terraform's version.
    #[serde(default)]
    pub terraform_version: Option<String>,
    /// The providers' versions, by source address.
    #[serde(default)]
    pub providers: BTreeMap<String, String>,
    /// A digest over the files that reach the apply.
    #[serde(default)]
    pub content_digest: Option<String>,
    /// Where the state is, `s3://BUCKET/KEY`.
    #[serde(default)]
    pub state: Option<String>,
    /// The AWS account of the job's credentials; `None` where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// A digest of each module that comes from outside of the repository, by its call path.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub modules: BTreeMap<String, String>,
    /// The settings that it was made with. `None` in a record of a program that did not keep them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<PlanInputs>,
}

/// Why there is no record to compare with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// There is none.
    #[error("there is no reviewed plan at {place}{}", because(reach.as_ref()))]
    Missing {
        /// Where it was looked for.
        place: String,
        /// The pull request that lacks it, and why it cannot do without; `None` where nobody asked.
        reach: Option<(u64, MayReach)>,
    },
    /// It is not a record.
    #[error("the reviewed plan at {place} cannot be read: {why}")]
    Unreadable {
        /// Where it is.
        place: String,
        /// What is wrong with it.
        why: String,
    },
    /// It was written by another version of this program.
    #[error("the reviewed plan at {place} has version {found}, and this program reads {VERSION}")]
    OtherVersion {
        /// Where it is.
        place: String,
        /// Its version.
        found: u64,
    },
    /// The commit cannot be the name of a record.
    #[error("`{sha}` is not a commit SHA, so no reviewed plan can be named after it")]
    NotASha {
        /// What was given.
        sha: String,
    },
}

fn because(reach: Option<&(u64, MayReach)>) -> String {
    reach.map_or_else(String::new, |(number, why)| format!("; #{number} {why}"))
}

impl RecordError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Missing { .. } => {
                "re-run the plan job of the pull request (a fork's has no access to the state, \
                 so its change needs a branch in this repository), have it approved, and re-run \
                 this job; or set `--on-plan-change apply` where an approval alone is enough"
            }
            Self::Unreadable { .. } => {
                "re-run the plan job of the pull request, which writes the record anew; if it \
                 was changed by somebody else, find out who in the bucket's versions"
            }
            Self::OtherVersion { .. } => {
                "re-run the plan job of the pull request with the version of stategate that \
                 applies; pin both jobs to the same commit of it"
            }
            Self::NotASha { .. } => "this should not happen: please report it",
        }
        .to_owned()
    }
}

impl Record {
    /// Puts a record together.
    pub fn new(origin: RecordOrigin, plan: PlanFingerprint) -> Self {
        Self { version: VERSION, origin, plan, earlier: Vec::new() }
    }

    /// The key of the record of a head commit in the state's bucket.
    ///
    /// # Errors
    ///
    /// When `head_sha` is no SHA: it comes from outside and becomes part of a path.
    pub fn object_key(state_key: &str, head_sha: &str) -> Result<String, RecordError> {
        Place::beside(state_key).plan(head_sha).ok_or_else(|| RecordError::NotASha { sha: head_sha.to_owned() })
    }

    /// The bytes to store.
    pub fn to_json(&self) -> String {
        // Strings, numbers and maps with string keys cannot fail to be written.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads what was stored at `place`, believing nothing but this version's own format.
    ///
    /// # Errors
    ///
    /// When it is something else.
    pub fn from_json(place: &str, bytes: &[u8]) -> Result<Self, RecordError> {
        #[derive(Deserialize)]
        struct Version {
            version: u64,
        }
        let unreadable =
            |why: serde_json::Error| RecordError::Unreadable { place: place.to_owned(), why: why.to_string() };
        let Version { version } = serde_json::from_slice(bytes).map_err(unreadable)?;
        if version != u64::from(VERSION) {
            return Err(RecordError::OtherVersion { place: place.to_owned(), found: version });
        }
        serde_json::from_slice(bytes).map_err(unreadable)
    }
}
