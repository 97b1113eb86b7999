//! The files that could reach an apply: what is in the root module, in every module that Terraform
//! installed for it, in the variable files that the arguments name, and in the dependency lock
//! file.

mod configuration;
mod walk;
mod workflow;

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use self::walk::Walk;

pub use configuration::{configuration, files_beside};
pub use workflow::workflow;

/// The files that could reach an apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sources {
    /// The digest over their paths and contents.
    pub digest: String,
    /// The directories and files that belong to the repository, from its root; empty is the root.
    pub covered: Vec<String>,
    /// The file in which an expression decides what else is read, so that it may be anything.
    pub open: Option<PathBuf>,
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
    /// A module, or what a link leads to, is outside of the repository.
    #[error("{} is outside of the repository", path.display())]
    Outside {
        /// Where it is.
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
    #[serde(rename = "Key", default)]
    key: String,
    #[serde(rename = "Dir")]
    dir: PathBuf,
}

/// The arguments that name files.
#[derive(Debug, Clone, Copy, Default)]
pub struct Arguments<'a> {
    /// Of `terraform plan`.
    pub plan: &'a [String],
    /// Of `terraform init`.
    pub init: &'a [String],
}

/// Collects the files of the root module `root`, in the repository that is checked out at
/// `repository`; `data` is where Terraform keeps what it downloaded (`.terraform`). All must be
/// absolute and without links, and `init` must have been run.
///
/// # Errors
///
/// When anything of it cannot be read, or leads out of the repository: then nothing is proven.
pub fn sources(repository: &Path, root: &Path, data: &Path, arguments: Arguments<'_>) -> Result<Sources, SourcesError> {
    let mut directories = vec![root.to_owned()];
    let list = data.join("modules/modules.json");
    if list.exists() {
        let modules: Modules =
            serde_json::from_slice(&read(&list)?).map_err(|why| SourcesError::Modules { path: list.clone(), why })?;
        directories.extend(modules.modules.into_iter().map(|module| plain(&root.join(module.dir))));
    }
    directories.sort();
    directories.dedup();
    let mut walk = Walk::new(repository, root);
    for directory in &directories {
        // What was downloaded is in the digest, but in no commit of the repository.
        if !directory.starts_with(data) {
            walk.cover(directory)?;
        }
        walk.add_directory(directory)?;
        walk.read_configuration(directory)?;
    }
    for file in named_files(arguments.plan, "var-file") {
        let file = plain(&root.join(file));
        let content = read(&file)?;
        walk.cover(&file)?;
        walk.digest.add(&name(repository, &file)?, &content);
        walk.read_text(root, &file, &content);
    }
    // Unlike these, one of the backend's can lie anywhere: it holds no code.
    for file in named_files(arguments.init, "backend-config").into_iter().filter(|file| !file.contains('=')) {
        let file = plain(&root.join(file));
        if file.starts_with(repository) {
            walk.digest.add(&name(repository, &file)?, &read(&file)?);
            walk.cover(&file)?;
        }
    }
    Ok(walk.finish())
}

/// The providers' versions by source address, from the dependency lock file, which `init` writes.
/// Empty when there is none: they only explain a difference.
pub fn providers(root: &Path) -> BTreeMap<String, String> {
    let file = std::fs::read_to_string(root.join(".terraform.lock.hcl")).unwrap_or_default();
    locked_providers(&file)
}

/// The same from the file's text. Terraform writes this file itself, one attribute a line.
pub fn locked_providers(file: &str) -> BTreeMap<String, String> {
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

fn read(path: &Path) -> Result<Vec<u8>, SourcesError> {
    std::fs::read(path).map_err(|why| SourcesError::Unreadable { path: path.to_owned(), why })
}

/// The files that the arguments name with this option.
fn named_files<'a>(arguments: &'a [String], wanted: &str) -> Vec<&'a str> {
    let mut files = Vec::new();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let Some(option) = argument.strip_prefix("--").or_else(|| argument.strip_prefix('-')) else {
            continue;
        };
        match option.split_once('=') {
            Some((name, file)) if name == wanted => files.push(file),
            None if option == wanted => files.extend(arguments.next().map(String::as_str)),
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
            checkout.write("live/prod.hcl", "bucket = \"b\"");
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

        fn repository(&self) -> PathBuf {
            self.0.path().canonicalize().unwrap()
        }

        fn root(&self) -> PathBuf {
            self.repository().join("live/prod")
        }

        fn link(&self, target: &str, path: &str) {
            let path = self.0.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::os::unix::fs::symlink(target, path).unwrap();
        }

        fn sources(&self) -> Result<Sources, SourcesError> {
            let plan = ["-input=false", "-var-file", "../common.tfvars"].map(str::to_owned);
            let init = ["-backend-config", "../prod.hcl", "-backend-config=key=a/../b"].map(str::to_owned);
            let root = self.root();
            sources(&self.repository(), &root, &root.join(".terraform"), Arguments { plan: &plan, init: &init })
        }
    }

    #[test]
    fn what_reaches_the_apply_is_in_the_digest_and_nothing_else() {
        let checkout = Checkout::new();
        let first = checkout.sources().unwrap();
        assert_eq!(first.covered, ["live/prod", "modules/near", "live/common.tfvars", "live/prod.hcl"]);
        assert_eq!(first.open, None);
        for (path, counts) in [
            ("modules/other/main.tf", false),
            ("live/prod/.terraform/providers/x", false),
            ("live/prod/main.tf", true),
            ("live/prod/scripts/run.sh", true),
            ("live/prod/scripts/new.sh", true),
            ("live/prod/.terraform.lock.hcl", true),
            ("live/prod/.terraform/modules/far/main.tf", true),
            ("live/common.tfvars", true),
            ("live/prod.hcl", true),
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
    fn what_a_link_to_a_directory_leads_to_is_covered_and_in_the_digest() {
        let checkout = Checkout::new();
        checkout.write("shared/real/policy.json", "one");
        checkout.link("real", "shared/current");
        checkout.link("../../shared/current", "live/prod/policies");
        // A way back up, which must end.
        checkout.link("../..", "shared/real/up");
        let first = checkout.sources().unwrap();
        for place in ["shared/current", "shared/real"] {
            assert!(first.covered.contains(&place.to_owned()), "{place} in {:?}", first.covered);
        }
        checkout.write("shared/real/policy.json", "two");
        assert_ne!(checkout.sources().unwrap().digest, first.digest);
        checkout.link("/etc", "live/prod/etc");
        assert!(matches!(checkout.sources(), Err(SourcesError::Outside { .. })));
    }

    #[test]
    fn a_link_that_leads_nowhere_covers_where_it_leads() {
        let checkout = Checkout::new();
        checkout.link("../../later.tf", "live/prod/later.tf");
        checkout.link("round.tf", "live/prod/round.tf");
        assert!(checkout.sources().unwrap().covered.contains(&"later.tf".to_owned()));
    }

    #[test]
    fn what_the_code_reads_elsewhere_is_covered() {
        let checkout = Checkout::new();
        checkout.link("config-2", "config");
        checkout.write("config-2/x.json", "{}");
        checkout.write("live/prod/main.tf", "x = file(\"../../config/x.json\")");
        checkout.write("modules/near/main.tf.json", r#"{"x": "${templatefile(\"${path.module}/../tpl/a.tpl\", {})}"}"#);
        checkout.write("modules/tpl/a.tpl", "${file(\"../further.txt\")}");
        checkout.write(
            "live/prod/.terraform/modules/far/main.tf",
            "x = fileset(path.root, \"x\")\ny = file(\"../far.txt\")",
        );
        checkout.write("live/common.tfvars", "dir = \"../../vars/dir\"");
        let found = checkout.sources().unwrap();
        for place in
            ["config/x.json", "config-2/x.json", "modules/tpl/a.tpl", "live/further.txt", "live/far.txt", "vars/dir"]
        {
            assert!(found.covered.contains(&place.to_owned()), "{place} in {:?}", found.covered);
        }
        assert!(!found.covered.contains(&String::new()), "{:?}", found.covered);
        // A path out of the repository is in no commit of it; one that holds the repository is.
        for (text, is_whole) in [
            ("x = file(\"../../../../../../../../../../../../../../../etc/hostname\")", false),
            ("x = fileset(\"../../..\", \"**\")", true),
            ("x = file(\"/etc/hostname\")", false),
            ("x = file(var.path)", true),
        ] {
            checkout.write("live/prod/main.tf", text);
            let found = checkout.sources().unwrap();
            assert_eq!(found.covered.contains(&String::new()), is_whole, "{text}: {:?}", found.covered);
        }
        assert_eq!(checkout.sources().unwrap().open, Some(checkout.root().join("main.tf")));
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
        assert_eq!(named_files(&arguments.map(str::to_owned), "var-file"), ["a", "b", "c", "d"]);
    }

    #[test]
    fn what_cannot_be_told_is_an_error() {
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
