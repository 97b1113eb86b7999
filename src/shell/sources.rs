//! The files that could reach an apply: what is in the root module, in every module that Terraform
//! installed for it, in the variable files that the arguments name, and in the dependency lock
//! file.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use stategate_core::record::ContentDigest;

/// The files that could reach an apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sources {
    /// The digest over their paths and contents.
    pub digest: String,
    /// The directories and files that belong to the repository, from its root.
    pub covered: Vec<String>,
}

/// Why the files could not be told.
#[derive(Debug, thiserror::Error)]
pub enum SourcesError {
    /// A file or directory cannot be read.
    #[error("{} cannot be read: {why}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
    /// Terraform's list of modules is not one.
    #[error("{} is not a list of modules: {why}", path.display())]
    Modules {
        /// Where it is.
        path: PathBuf,
        /// What is wrong with it.
        why: serde_json::Error,
    },
    /// A link leads to a directory, whose files would be missed.
    #[error("{} is a link to a directory, which is not followed", path.display())]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// A module is outside of the repository.
    #[error("{} is outside of the repository", path.display())]
    Outside {
        /// The module's directory.
        path: PathBuf,
    },
}

#[derive(Deserialize)]
struct Modules {
    #[serde(rename = "Modules", default)]
    modules: Vec<Module>,
}

#[derive(Deserialize)]
struct Module {
    #[serde(rename = "Dir")]
    dir: PathBuf,
}

/// Collects the files of the root module `root`, in the repository that is checked out at
/// `repository`; `data` is where Terraform keeps what it downloaded (`.terraform`). All must be
/// absolute and without links, and `init` must have been run.
///
/// # Errors
///
/// When anything of it cannot be read, or leads out of the repository: then nothing is proven.
pub fn sources(repository: &Path, root: &Path, data: &Path, plan_args: &[String]) -> Result<Sources, SourcesError> {
    let mut directories = vec![root.to_owned()];
    let list = data.join("modules/modules.json");
    if list.exists() {
        let modules: Modules =
            serde_json::from_slice(&read(&list)?).map_err(|why| SourcesError::Modules { path: list.clone(), why })?;
        directories.extend(modules.modules.into_iter().map(|module| plain(&root.join(module.dir))));
    }
    directories.sort();
    directories.dedup();
    let mut digest = ContentDigest::default();
    let mut covered = Vec::new();
    for directory in &directories {
        // What was downloaded is in the digest, but in no commit of the repository.
        if !directory.starts_with(data) {
            covered.push(name(repository, directory)?);
        }
        add_directory(&mut digest, &mut covered, repository, directory)?;
    }
    for file in variable_files(plan_args) {
        let file = plain(&root.join(file));
        let name = name(repository, &file)?;
        digest.add(&name, &read(&file)?);
        covered.push(name);
    }
    Ok(Sources { digest: digest.finish(), covered })
}

/// The providers' versions by source address, from the dependency lock file, which `init` writes.
/// Empty when there is none: they only explain a difference.
pub fn providers(root: &Path) -> BTreeMap<String, String> {
    let file = std::fs::read_to_string(root.join(".terraform.lock.hcl")).unwrap_or_default();
    locked_providers(&file)
}

/// Terraform writes this file itself, one attribute a line.
fn locked_providers(file: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut address = None;
    for line in file.lines() {
        let mut words = line.split_whitespace();
        let unquoted = |word: Option<&str>| word.map(|word| word.trim_matches('"').to_owned());
        match (words.next(), words.next()) {
            (Some("provider"), quoted) => address = unquoted(quoted),
            (Some("version"), Some("=")) => {
                if let (Some(address), Some(version)) = (address.take(), unquoted(words.next())) {
                    found.insert(address, version);
                }
            }
            _ => {}
        }
    }
    found
}

/// Adds all files below a directory, Terraform's and Git's own aside. What a link leads to is covered
/// too: to Git, the link stays the same whatever becomes of that.
fn add_directory(
    digest: &mut ContentDigest,
    covered: &mut Vec<String>,
    repository: &Path,
    directory: &Path,
) -> Result<(), SourcesError> {
    let unreadable = |path: &Path, why| SourcesError::Unreadable { path: path.to_owned(), why };
    for entry in std::fs::read_dir(directory).map_err(|why| unreadable(directory, why))? {
        let entry = entry.map_err(|why| unreadable(directory, why))?;
        let (path, file_name) = (entry.path(), entry.file_name());
        if file_name == ".terraform" || file_name == ".git" {
            continue;
        }
        let kind = entry.file_type().map_err(|why| unreadable(&path, why))?;
        if kind.is_dir() {
            add_directory(digest, covered, repository, &path)?;
        } else if path.is_dir() {
            return Err(SourcesError::Link { path });
        } else {
            digest.add(&name(repository, &path)?, &read(&path)?);
            for target in targets(&path).map_err(|why| unreadable(&path, why))? {
                covered.push(name(repository, &target)?);
            }
        }
    }
    Ok(())
}

/// Where a link leads, by each link on the way; nowhere for a plain file.
fn targets(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut targets = Vec::new();
    let mut at = path.to_owned();
    while at.is_symlink() {
        at = plain(&at.parent().unwrap_or(path).join(at.read_link()?));
        targets.push(at.clone());
    }
    if !targets.is_empty() {
        targets.push(path.canonicalize()?);
        targets.dedup();
    }
    Ok(targets)
}

fn read(path: &Path) -> Result<Vec<u8>, SourcesError> {
    std::fs::read(path).map_err(|why| SourcesError::Unreadable { path: path.to_owned(), why })
}

/// The variable files that the arguments name.
fn variable_files(arguments: &[String]) -> Vec<&str> {
    let mut files = Vec::new();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let Some(option) = argument.strip_prefix("--").or_else(|| argument.strip_prefix('-')) else {
            continue;
        };
        match option.split_once('=') {
            Some(("var-file", file)) => files.push(file),
            None if option == "var-file" => files.extend(arguments.next().map(String::as_str)),
            _ => {}
        }
    }
    files
}

/// A path without `.` and `..`, as far as its words tell.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

/// A path from the repository's root, as Git writes it.
fn name(repository: &Path, path: &Path) -> Result<String, SourcesError> {
    let inside = path.strip_prefix(repository).map_err(|_outside| SourcesError::Outside { path: path.to_owned() })?;
    let parts: Vec<_> = inside.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    Ok(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Checkout(tempfile::TempDir);

    impl Checkout {
        fn new() -> Self {
            let checkout = Self(tempfile::tempdir().unwrap());
            checkout.write("live/prod/main.tf", "module");
            checkout.write("live/prod/scripts/run.sh", "echo");
            checkout.write("live/prod/.terraform.lock.hcl", "locked");
            checkout.write("live/prod/.terraform/providers/x", "binary");
            checkout.write("live/prod/.terraform/modules/far/main.tf", "downloaded");
            checkout.write("live/common.tfvars", "a = 1");
            checkout.write("modules/near/main.tf", "near");
            checkout.write("modules/other/main.tf", "other");
            checkout.write(
                "live/prod/.terraform/modules/modules.json",
                r#"{"Modules":[
                    {"Key":"","Source":"","Dir":"."},
                    {"Key":"near","Source":"../../modules/near","Dir":"../../modules/near"},
                    {"Key":"far","Source":"git::https://x","Dir":".terraform/modules/far"}]}"#,
            );
            checkout
        }

        fn write(&self, path: &str, content: &str) {
            let path = self.0.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }

        fn sources(&self) -> Result<Sources, SourcesError> {
            let arguments = ["-input=false", "-var-file", "../common.tfvars"].map(str::to_owned);
            let root = self.0.path().join("live/prod");
            sources(self.0.path(), &root, &root.join(".terraform"), &arguments)
        }
    }

    #[test]
    fn what_reaches_the_apply_is_in_the_digest_and_nothing_else() {
        let checkout = Checkout::new();
        let first = checkout.sources().unwrap();
        assert_eq!(first.covered, ["live/prod", "modules/near", "live/common.tfvars"]);
        for (path, counts) in [
            ("modules/other/main.tf", false),
            ("live/prod/.terraform/providers/x", false),
            ("live/prod/main.tf", true),
            ("live/prod/scripts/run.sh", true),
            ("live/prod/scripts/new.sh", true),
            ("live/prod/.terraform.lock.hcl", true),
            ("live/prod/.terraform/modules/far/main.tf", true),
            ("live/common.tfvars", true),
            ("modules/near/main.tf", true),
        ] {
            let before = checkout.sources().unwrap().digest;
            checkout.write(path, "changed");
            assert_eq!(checkout.sources().unwrap().digest != before, counts, "{path}");
        }
        assert_ne!(checkout.sources().unwrap().digest, first.digest);
    }

    #[cfg(unix)]
    #[test]
    fn what_a_link_leads_to_is_covered() {
        let checkout = Checkout::new();
        checkout.write("shared/real.tf", "real");
        std::os::unix::fs::symlink("real.tf", checkout.0.path().join("shared/common.tf")).unwrap();
        std::os::unix::fs::symlink("../../shared/common.tf", checkout.0.path().join("live/prod/common.tf")).unwrap();
        let first = checkout.sources().unwrap();
        for place in ["shared/common.tf", "shared/real.tf"] {
            assert!(first.covered.contains(&place.to_owned()), "{place} in {:?}", first.covered);
        }
        std::os::unix::fs::symlink("/etc/hostname", checkout.0.path().join("live/prod/far.tf")).unwrap();
        assert!(matches!(checkout.sources(), Err(SourcesError::Outside { .. } | SourcesError::Unreadable { .. })));
    }

    #[test]
    fn the_lock_file_tells_the_versions_of_providers() {
        let file = "# Maintained automatically.\n\nprovider \"registry.terraform.io/hashicorp/aws\" {\n  \
            version     = \"5.1.0\"\n  constraints = \"~> 5.0\"\n  hashes = [\n    \"h1:x=\",\n  ]\n}\n\n\
            provider \"registry.terraform.io/hashicorp/null\" {\n  version = \"3.2.1\"\n}\n";
        let expected =
            [("registry.terraform.io/hashicorp/aws", "5.1.0"), ("registry.terraform.io/hashicorp/null", "3.2.1")];
        let expected = expected.map(|(name, version)| (name.to_owned(), version.to_owned()));
        assert_eq!(locked_providers(file), BTreeMap::from(expected));
        assert!(locked_providers("version = \"1\"\nprovider").is_empty());
    }

    #[test]
    fn every_spelling_of_a_variable_file_is_found() {
        let arguments = ["-var-file=a", "--var-file=b", "-var-file", "c", "--var-file", "d", "-var=e", "var-file=f"];
        assert_eq!(variable_files(&arguments.map(str::to_owned)), ["a", "b", "c", "d"]);
    }

    #[test]
    fn what_cannot_be_told_is_an_error() {
        let checkout = Checkout::new();
        std::os::unix::fs::symlink("../../modules", checkout.0.path().join("live/prod/linked")).unwrap();
        assert!(matches!(checkout.sources(), Err(SourcesError::Link { .. })));

        let checkout = Checkout::new();
        std::fs::remove_file(checkout.0.path().join("live/common.tfvars")).unwrap();
        assert!(matches!(checkout.sources(), Err(SourcesError::Unreadable { .. })));

        let checkout = Checkout::new();
        checkout.write("live/prod/.terraform/modules/modules.json", "{");
        assert!(matches!(checkout.sources(), Err(SourcesError::Modules { .. })));
        checkout.write("live/prod/.terraform/modules/modules.json", r#"{"Modules":[{"Dir":"../../.."}]}"#);
        assert!(matches!(checkout.sources(), Err(SourcesError::Outside { .. })));
    }
}
