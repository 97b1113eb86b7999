//! Pull requests of a push, or of a merge group, that bring nothing to this root module: they changed
//! no file that reaches it. They need no reviewed plan and no approval here.
//!
//! It is proven by Git's own object names, as GitHub tells them, and by the branch's own commits: what
//! a merge really made counts, not what the pull request shows.

use std::collections::BTreeMap;
use std::fmt;

use super::decide::brought_by;
use super::facts::{BranchFacts, Facts, Origin};
use crate::record::{Files, changed_file};

/// A commit of a branch, and the one below it on the branch's own line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brought {
    /// The commit.
    pub commit: String,
    /// The one below it; `None` where that is not known.
    pub parent: Option<String>,
}

/// The proof that a pull request brings nothing to a root module. Only [`elsewhere`] makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elsewhere {
    number: u64,
    commits: Vec<String>,
}

impl Elsewhere {
    /// The pull request.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Whether it holds for this commit.
    pub fn covers(&self, commit: &str) -> bool {
        self.commits.iter().any(|proven| proven == commit)
    }
}

/// Why a pull request may bring something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MayReach {
    /// It changed this file, which reaches the root module.
    File(String),
    /// Which of its files reach the root module is not known, and why.
    NotKnown(String),
}

impl fmt::Display for MayReach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "changed {path}, which reaches this root module"),
            Self::NotKnown(why) => write!(f, "may have changed files that reach this root module: {why}"),
        }
    }
}

/// The commits that each pull request of a push brought to the branch, by its number.
pub fn brought(facts: &Facts) -> BTreeMap<u64, Vec<Brought>> {
    let Origin::Branch(BranchFacts { branch, commits, .. }) = &facts.origin else { return BTreeMap::new() };
    let mut found: BTreeMap<u64, Vec<Brought>> = BTreeMap::new();
    let mut newer: Vec<&str> = Vec::new();
    for commit in commits {
        newer.push(&commit.sha);
        for pull_request in brought_by(&facts.repository, branch, commit, &newer) {
            let one = Brought { commit: commit.sha.clone(), parent: commit.parents.first().cloned() };
            found.entry(pull_request.number).or_default().push(one);
        }
    }
    found
}

/// Proves that a pull request which brought these commits changed no file below the `covered` places;
/// `trees` are the files of the commits and their parents, as far as they are known.
///
/// # Errors
///
/// When it did, or when that cannot be told.
pub fn elsewhere(
    number: u64,
    commits: &[Brought],
    covered: &[String],
    trees: &BTreeMap<String, Files>,
) -> Result<Elsewhere, MayReach> {
    if commits.is_empty() {
        return Err(MayReach::NotKnown("which commits it brought is not known".to_owned()));
    }
    if covered.is_empty() {
        return Err(MayReach::NotKnown("which files reach it is not known".to_owned()));
    }
    for Brought { commit, parent } in commits {
        let before = parent.as_ref().and_then(|parent| trees.get(parent));
        let Some((before, after)) = before.zip(trees.get(commit)) else {
            return Err(MayReach::NotKnown(format!(
                "GitHub does not list the files of {commit} and the commit below it"
            )));
        };
        if let Some(path) = changed_file(covered, before, after) {
            return Err(MayReach::File(path.to_owned()));
        }
    }
    Ok(Elsewhere { number, commits: commits.iter().map(|brought| brought.commit.clone()).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(list: &[(&str, &str)]) -> Files {
        list.iter().map(|(path, id)| ((*path).to_owned(), (*id).to_owned())).collect()
    }

    #[test]
    fn every_commit_must_leave_all_covered_files_alone() {
        let trees: BTreeMap<String, Files> = [
            ("a", files(&[("live/prod/main.tf", "1"), ("docs/x", "1")])),
            ("b", files(&[("live/prod/main.tf", "1"), ("docs/x", "2")])),
            ("c", files(&[("live/prod/main.tf", "2"), ("docs/x", "2")])),
            // Back to what it was: the second commit reaches it all the same.
            ("d", files(&[("live/prod/main.tf", "1"), ("docs/x", "2")])),
        ]
        .map(|(sha, files)| (sha.to_owned(), files))
        .into();
        let step = |parent: &str, commit: &str| Brought { commit: commit.to_owned(), parent: Some(parent.to_owned()) };
        let covered = ["live/prod".to_owned()];
        let proof = elsewhere(7, &[step("a", "b")], &covered, &trees).unwrap();
        assert!(proof.number() == 7 && proof.covers("b") && !proof.covers("a"));
        let file = MayReach::File("live/prod/main.tf".to_owned());
        assert_eq!(elsewhere(7, &[step("b", "c")], &covered, &trees), Err(file.clone()));
        assert_eq!(elsewhere(7, &[step("c", "d"), step("b", "c")], &covered, &trees), Err(file));
        for (commits, covered) in [
            (vec![], &covered[..]),
            (vec![step("a", "b")], &[]),
            (vec![step("a", "unknown")], &covered[..]),
            (vec![step("unknown", "b")], &covered[..]),
            (vec![Brought { commit: "b".to_owned(), parent: None }], &covered[..]),
            (vec![step("a", "b"), step("x", "y")], &covered[..]),
        ] {
            let why = elsewhere(7, &commits, covered, &trees).unwrap_err();
            assert!(matches!(why, MayReach::NotKnown(_)), "{commits:?}: {why}");
        }
    }
}
