//! What is checked out: the commit, read from Git's own files (`git` need not be installed for what
//! decides), and its tree, for the record.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Why the checked-out commit cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum CheckoutError {
    /// A file of Git's cannot be read.
    #[error("{} cannot be read: {why}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
    /// `HEAD` leads nowhere.
    #[error("{} names no commit", path.display())]
    NoCommit {
        /// The file.
        path: PathBuf,
    },
}

/// The commit that is checked out around `directory`, in the nearest repository up to `workspace`;
/// `None` where there is none, such as after a download of the files alone.
///
/// A submodule belongs to the commit of the repository around it.
///
/// # Errors
///
/// When there is a repository, and its commit cannot be told.
pub fn head(workspace: &Path, directory: &Path) -> Result<Option<String>, CheckoutError> {
    repository(workspace, directory).map(|git| commit(&git)).transpose()
}

/// The tree of the commit that is checked out, as `git` tells it; `None` where it does not, for the
/// tree only explains.
pub fn tree(workspace: &Path, directory: &Path) -> Option<String> {
    let git = repository(workspace, directory)?;
    // With its directory named, `git` looks at no other, whoever owns it.
    let arguments = ["rev-parse", "--verify", "--quiet", "HEAD^{tree}"];
    let said = Command::new("git").arg("--git-dir").arg(git).args(arguments).stdin(Stdio::null()).output().ok()?;
    as_sha(&String::from_utf8_lossy(&said.stdout)).filter(|_| said.status.success())
}

/// Whether a file is part of the commit that is checked out, as `git` tells it; `false` where it does
/// not.
pub fn holds(workspace: &Path, file: &Path) -> bool {
    let Some(git) = file.parent().and_then(|directory| repository(workspace, directory)) else { return false };
    let Some(path) = git.parent().and_then(|root| file.strip_prefix(root).ok()) else { return false };
    let mut object = std::ffi::OsString::from("HEAD:");
    object.push(path);
    let asked = Command::new("git").arg("--git-dir").arg(git).args(["cat-file", "-e"]).arg(object).output();
    asked.is_ok_and(|said| said.status.success())
}

/// The Terraform files and the lock file of a directory in another commit, each with its content; `None`
/// where Git does not have that commit, as in a shallow checkout.
pub fn base_files(workspace: &Path, directory: &Path, commit: &str) -> Option<Vec<(String, Vec<u8>)>> {
    let place = place(workspace, directory)?;
    let commit = as_sha(commit)?;
    let mut words = vec!["ls-tree", "--full-tree", "--name-only", "-z", &commit];
    words.extend(Some(place.prefix.as_str()).filter(|prefix| !prefix.is_empty()));
    let listed = git(&place.git, &words)?;
    let names = listed.split(|byte| *byte == 0).filter_map(|name| std::str::from_utf8(name).ok());
    let mut files = Vec::new();
    for path in names {
        let name = path.rsplit('/').next().unwrap_or(path);
        let is_wanted = [".tf", ".tf.json", ".tofu", ".tofu.json", ".terraform.lock.hcl"];
        if is_wanted.iter().any(|ending| name.ends_with(ending)) {
            files.push((name.to_owned(), git(&place.git, &["cat-file", "blob", &format!("{commit}:{path}")])?));
        }
    }
    Some(files)
}

/// The files below these places, from the repository's root, that are not what they are in another commit;
/// `None` where Git does not have that commit.
pub fn changed_files(workspace: &Path, directory: &Path, commit: &str, places: &[String]) -> Option<Vec<String>> {
    // Without a place everything would count.
    let place = place(workspace, directory).filter(|_| !places.is_empty())?;
    let commit = as_sha(commit)?;
    let mut words = vec!["diff-tree", "-r", "--name-only", "-z", "--no-renames", &commit, "HEAD", "--"];
    words.extend(places.iter().map(|place| if place.is_empty() { "." } else { place.as_str() }));
    let listed = git(&place.git, &words)?;
    let names = listed.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    Some(names.map(|name| String::from_utf8_lossy(name).into_owned()).collect())
}

/// A repository's Git directory, and a directory in it, as `ls-tree` takes it.
struct Place {
    git: PathBuf,
    prefix: String,
}

fn place(workspace: &Path, directory: &Path) -> Option<Place> {
    let git = repository(workspace, directory)?;
    let below = directory.strip_prefix(git.parent()?).ok()?.to_str()?;
    let prefix = if below.is_empty() { String::new() } else { format!("{below}/") };
    Some(Place { git, prefix })
}

/// What Git prints; `None` where it fails. It fetches nothing.
fn git(git: &Path, words: &[&str]) -> Option<Vec<u8>> {
    let mut command = Command::new("git");
    command.arg("--git-dir").arg(git).arg("--literal-pathspecs").args(words).env("GIT_NO_LAZY_FETCH", "1");
    let said = command.stdin(Stdio::null()).output().ok()?;
    said.status.success().then_some(said.stdout)
}

fn repository(workspace: &Path, directory: &Path) -> Option<PathBuf> {
    let inside = directory.ancestors().take_while(|at| at.starts_with(workspace));
    inside.map(|at| at.join(".git")).find(|git| git.is_dir())
}

fn commit(git: &Path) -> Result<String, CheckoutError> {
    let file = git.join("HEAD");
    let no_commit = || CheckoutError::NoCommit { path: file.clone() };
    let head = read(&file)?.ok_or_else(no_commit)?;
    let Some(name) = head.trim().strip_prefix("ref:").map(str::trim) else {
        return as_sha(&head).ok_or_else(no_commit);
    };
    if name.split('/').any(|part| part == "..") || !name.starts_with("refs/") {
        return Err(no_commit());
    }
    if let Some(loose) = read(&git.join(name))? {
        return as_sha(&loose).ok_or_else(no_commit);
    }
    let packed = read(&git.join("packed-refs"))?.unwrap_or_default();
    let named = |line: &str| line.split_once(' ').filter(|(_, of)| *of == name).and_then(|(sha, _)| as_sha(sha));
    packed.lines().find_map(named).ok_or_else(no_commit)
}

fn as_sha(text: &str) -> Option<String> {
    let text = text.trim();
    let is_sha = matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_sha.then(|| text.to_ascii_lowercase())
}

fn read(path: &Path) -> Result<Option<String>, CheckoutError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(why) if why.kind() == ErrorKind::NotFound => Ok(None),
        Err(why) => Err(CheckoutError::Unreadable { path: path.to_owned(), why }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

    #[track_caller]
    fn check(files: &[(&str, &str)], expected: Result<Option<&str>, &str>) {
        let checkout = tempfile::tempdir().unwrap();
        let root = checkout.path().join("live/prod");
        fs::create_dir_all(&root).unwrap();
        for (path, text) in files {
            let path = checkout.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        match (head(checkout.path(), &root), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found.as_deref(), expected),
            (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{error}"),
            (found, _) => panic!("{files:?}: {found:?}"),
        }
    }

    #[test]
    fn the_commit_is_found_wherever_git_keeps_it() {
        let line = format!("{SHA}\n");
        let packed = format!("# pack-refs with: peeled\nffff refs/heads/mainly\n{SHA} refs/heads/main\n^{SHA}\n");
        check(&[], Ok(None));
        check(&[(".git/HEAD", &line)], Ok(Some(SHA)));
        check(&[(".git/HEAD", "ref: refs/heads/main\n"), (".git/refs/heads/main", &line)], Ok(Some(SHA)));
        check(&[(".git/HEAD", "ref: refs/heads/main\n"), (".git/packed-refs", &packed)], Ok(Some(SHA)));
        check(&[("live/.git/HEAD", &line), (".git/HEAD", "ref: refs/heads/x")], Ok(Some(SHA)));
        check(&[("live/.git", "gitdir: ../.git/modules/live"), (".git/HEAD", &line)], Ok(Some(SHA)));
    }

    #[test]
    fn the_tree_is_that_of_the_commit_checked_out() {
        let checkout = tempfile::tempdir().unwrap();
        let root = checkout.path().join("live/prod");
        fs::create_dir_all(&root).unwrap();
        assert_eq!(tree(checkout.path(), &root), None, "no repository");
        let git = |arguments: &[&str]| {
            let mut command = Command::new("git");
            command.current_dir(checkout.path()).args([
                "-c",
                "user.name=octocat",
                "-c",
                "user.email=octocat@github.com",
            ]);
            let said = command.args(arguments).output().expect("the tests need git");
            assert!(said.status.success(), "{arguments:?}: {said:?}");
            String::from_utf8(said.stdout).unwrap().trim().to_owned()
        };
        git(&["init", "--quiet"]);
        assert_eq!(tree(checkout.path(), &root), None, "no commit");
        fs::write(root.join("main.tf"), "one").unwrap();
        git(&["add", "."]);
        let one = git(&["write-tree"]);
        git(&["commit", "--quiet", "-m", "one"]);
        assert_eq!(tree(checkout.path(), &root), Some(one.clone()));
        fs::write(root.join("main.tf"), "two").unwrap();
        git(&["commit", "--quiet", "-a", "-m", "two"]);
        assert_eq!(tree(checkout.path(), &root), Some(git(&["write-tree"])));
        assert_ne!(tree(checkout.path(), &root), Some(one));
    }

    #[test]
    fn what_cannot_be_told_is_an_error() {
        check(&[(".git/config", "")], Err("HEAD names no commit"));
        check(&[(".git/HEAD", "main")], Err("HEAD names no commit"));
        check(&[(".git/HEAD", "ref: refs/heads/main"), (".git/packed-refs", "")], Err("names no commit"));
        check(&[(".git/HEAD", "ref: refs/../../x"), ("x", SHA)], Err("names no commit"));
        check(&[(".git/HEAD/x", "")], Err("cannot be read"));
    }
}
