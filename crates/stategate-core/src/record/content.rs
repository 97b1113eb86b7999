//! What an approval covers beyond its commit: the files that could reach the apply.
//!
//! Two proofs must agree. The digests in the two records cover what was there when the plans were
//! made, downloaded modules and variable files included; but a pull request's own job wrote them,
//! with the pull request's code. So the files in the repository are compared once more by Git's
//! own object names, as GitHub tells them.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::Record;
use super::compare::{Comparison, compare};
use super::difference::Note;
use super::key::hex;

/// Takes the digest over the files that could reach an apply.
#[derive(Debug, Default)]
pub struct ContentDigest {
    files: BTreeMap<String, [u8; 32]>,
}

impl ContentDigest {
    /// Adds a file; the order in which files are added makes no difference.
    pub fn add(&mut self, path: &str, content: &[u8]) {
        self.files.insert(path.to_owned(), Sha256::digest(content).into());
    }

    /// The digest, in hexadecimal digits.
    pub fn finish(&self) -> String {
        let mut whole = Sha256::new();
        for (path, content) in &self.files {
            whole.update((path.len() as u64).to_be_bytes());
            whole.update(path);
            whole.update(content);
        }
        hex(&whole.finalize())
    }
}

/// The files of a commit: each path with Git's mode and object name.
pub type Files = BTreeMap<String, String>;

/// The proof that two commits hold the same files where it matters. Only [`same_files`] makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SameFiles {
    earlier: String,
    head: String,
}

/// Compares the files of two commits below these directories (from the repository's root; empty is
/// the root itself), or with these very paths.
///
/// # Errors
///
/// A phrase that names a file that is not the same.
pub fn same_files(
    covered: &[String],
    (earlier, earlier_files): (&str, &Files),
    (head, head_files): (&str, &Files),
) -> Result<SameFiles, String> {
    match changed_file(covered, earlier_files, head_files) {
        Some(path) => Err(format!("{path} changed since")),
        None if covered.is_empty() => Err("which files reach the apply is not known".to_owned()),
        None => Ok(SameFiles { earlier: earlier.to_owned(), head: head.to_owned() }),
    }
}

/// A file at or below the covered places that two commits do not have alike.
pub fn changed_file<'a>(covered: &[String], before: &'a Files, after: &'a Files) -> Option<&'a str> {
    let is_at_or_below = |path: &str, place: &str| {
        place.is_empty() || path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    // What stands above a place is no directory, but a submodule or a link that the place is in.
    let is_covered =
        |path: &str| covered.iter().any(|place| is_at_or_below(path, place) || is_at_or_below(place, path));
    let mut paths = before.keys().chain(after.keys());
    paths.find(|path| is_covered(path) && before.get(*path) != after.get(*path)).map(String::as_str)
}

/// The proof that an earlier commit of a pull request carries what its head carries. Only
/// [`same_content`] makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SameContent {
    pull_request: u64,
    earlier: String,
    head: String,
    pushers: Vec<String>,
}

impl SameContent {
    /// The pull request.
    pub fn pull_request(&self) -> u64 {
        self.pull_request
    }

    /// The earlier commit.
    pub fn earlier(&self) -> &str {
        &self.earlier
    }

    /// The head commit.
    pub fn head(&self) -> &str {
        &self.head
    }

    /// Who is known to have pushed the earlier commit: what came after it brought nothing that
    /// reaches the apply, so theirs was the last push to be reviewed.
    pub fn pushers(&self) -> &[String] {
        &self.pushers
    }

    /// Adds who is known to have pushed the earlier commit.
    #[must_use]
    pub fn pushed_by(mut self, logins: impl IntoIterator<Item = String>) -> Self {
        self.pushers.extend(logins);
        self
    }
}

/// Proves that an approval of an earlier commit is as good as one of the head: the files are the
/// same, what was planned with has the same digest, and both plans mean the same.
///
/// # Errors
///
/// A phrase that says what is not the same, or not known.
pub fn same_content(earlier: &Record, head: &Record, files: &SameFiles) -> Result<SameContent, String> {
    if files.earlier != earlier.origin.head_sha || files.head != head.origin.head_sha {
        return Err("the files that were compared are those of other commits".to_owned());
    }
    let pull_request = head
        .origin
        .pull_request
        .filter(|_| head.origin.pull_request == earlier.origin.pull_request)
        .ok_or("the two plans belong to different pull requests")?;
    match (&earlier.origin.content_digest, &head.origin.content_digest) {
        (Some(one), Some(other)) if one == other => {}
        (Some(_), Some(_)) => return Err("the files that reach the apply changed since".to_owned()),
        _ => return Err("a plan's record does not say which files it was made of".to_owned()),
    }
    match compare(std::slice::from_ref(earlier), head, &[]) {
        Comparison::Equal { notes } if !notes.contains(&Note::SensitiveNotCompared) => {
            let pushers = earlier.pushers().into_iter().collect();
            Ok(SameContent { pull_request, earlier: files.earlier.clone(), head: files.head.clone(), pushers })
        }
        Comparison::Equal { .. } => Err("the plans hold sensitive values that could not be compared".to_owned()),
        Comparison::Different { .. } => Err("the two plans mean different things".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{PlanFingerprint, RecordOrigin};

    fn files(list: &[(&str, &str)]) -> Files {
        list.iter().map(|(path, id)| ((*path).to_owned(), (*id).to_owned())).collect()
    }

    fn record(sha: &str, digest: Option<&str>, pull_request: Option<u64>, plan: PlanFingerprint) -> Record {
        let origin = RecordOrigin {
            head_sha: sha.to_owned(),
            content_digest: digest.map(str::to_owned),
            pull_request,
            ..RecordOrigin::default()
        };
        Record::new(origin, plan)
    }

    #[test]
    fn only_covered_files_count_and_each_of_them() {
        let earlier = files(&[("live/prod/main.tf", "1"), ("modules/a/main.tf", "2"), ("docs/x.md", "3")]);
        let check = |head: &[(&str, &str)], covered: &[&str]| {
            let covered: Vec<String> = covered.iter().map(|c| (*c).to_owned()).collect();
            same_files(&covered, ("e", &earlier), ("h", &files(head))).map(|_| ())
        };
        let covered = ["live/prod", "modules/a"];
        let docs = [("live/prod/main.tf", "1"), ("modules/a/main.tf", "2"), ("docs/x.md", "4")];
        assert_eq!(check(&docs, &covered), Ok(()));
        assert_eq!(check(&docs, &["docs/x.md"]), Err("docs/x.md changed since".to_owned()));
        assert!(check(&docs, &[""]).is_err());
        assert!(check(&docs, &[]).is_err());
        assert!(check(&docs[1..], &covered).is_err(), "a file that is gone");
        let new = [&docs[..], &[("modules/a/run.sh", "5")]].concat();
        assert!(check(&new, &covered).is_err(), "a new file");
        let submodule = |commit| [&docs[..], &[("vendor/net", commit)]].concat();
        let (one, other) = (files(&submodule("5")), files(&submodule("6")));
        let inside = ["vendor/net/vpc".to_owned()];
        assert!(same_files(&inside, ("e", &one), ("h", &other)).is_err(), "a submodule that a module is in");
        assert!(same_files(&inside, ("e", &one), ("h", &one)).is_ok());
        let beside = [&docs[..], &[("modules/ab/run.sh", "5")]].concat();
        assert_eq!(check(&beside, &covered), Ok(()));
    }

    #[test]
    fn content_is_the_same_only_when_everything_is() {
        let same = SameFiles { earlier: "e".to_owned(), head: "h".to_owned() };
        let plan = |fingerprint: bool| PlanFingerprint { complete: fingerprint, ..PlanFingerprint::default() };
        let head = record("h", Some("d"), Some(42), plan(false));
        let proof = same_content(&record("e", Some("d"), Some(42), plan(false)), &head, &same).unwrap();
        assert_eq!((proof.pull_request(), proof.earlier(), proof.head()), (42, "e", "h"));
        for (earlier, why) in [
            (record("x", Some("d"), Some(42), plan(false)), "those of other commits"),
            (record("e", Some("o"), Some(42), plan(false)), "files that reach the apply changed"),
            (record("e", None, Some(42), plan(false)), "does not say which files"),
            (record("e", Some("d"), Some(41), plan(false)), "different pull requests"),
            (record("e", Some("d"), None, plan(false)), "different pull requests"),
            (record("e", Some("d"), Some(42), plan(true)), "mean different things"),
            (
                record("e", Some("d"), Some(42), PlanFingerprint { masked: true, ..plan(false) }),
                "sensitive values that could not be compared",
            ),
        ] {
            let said = same_content(&earlier, &head, &same).unwrap_err();
            assert!(said.contains(why), "{said}");
        }
    }

    #[test]
    fn the_digest_tells_names_from_contents_and_knows_no_order() {
        let of = |list: &[(&str, &str)]| {
            let mut digest = ContentDigest::default();
            for (path, content) in list {
                digest.add(path, content.as_bytes());
            }
            digest.finish()
        };
        assert_eq!(of(&[("a", "1"), ("b", "2")]), of(&[("b", "2"), ("a", "1")]));
        let all = [of(&[]), of(&[("a", "")]), of(&[("a", "1")]), of(&[("b", "1")]), of(&[("a", "1"), ("b", "")])];
        for (at, one) in all.iter().enumerate() {
            assert!(!all[at + 1..].contains(one), "{at}");
        }
    }
}
