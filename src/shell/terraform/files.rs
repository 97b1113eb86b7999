//! What stands in a root module's files, as far as it can be told without Terraform.

use std::fs;
use std::path::{Path, PathBuf};

use super::RootModule;

/// What a directory's Terraform files say about a backend. In doubt it has one: Terraform knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Configuration {
    /// There are no Terraform files.
    Missing,
    /// There are, and none has a backend block.
    WithoutBackend,
    /// There may be a backend block.
    WithBackend,
    /// The state is HCP Terraform's (`cloud`).
    Cloud,
    /// The only backend block is of another kind than S3: this one.
    OtherBackend(&'static str),
}

/// Where root modules are looked for: so many directories deep, and so many in all.
const DEPTH: usize = 3;
const MOST_DIRECTORIES: usize = 500;

/// Root modules that are worth naming.
const MOST_NAMED: usize = 4;

impl RootModule {
    /// Reads the directory's own files.
    pub fn configuration(&self) -> Configuration {
        configuration(&self.directory)
    }

    /// The directory's own Terraform files that can be read, each with its name and its text.
    pub fn files(&self) -> Vec<(String, String)> {
        files(&self.directory).into_iter().filter_map(|(name, text)| Some((name, text?))).collect()
    }

    /// The directories below this one whose files have an S3 backend, a few at most, relative to it.
    pub fn root_modules_below(&self) -> Vec<PathBuf> {
        let (mut found, mut seen) = (Vec::new(), 0);
        let mut open = vec![(self.directory.clone(), 0)];
        while let Some((directory, depth)) = open.pop() {
            seen += 1;
            if seen > MOST_DIRECTORIES {
                break;
            }
            let is_s3 = |text: &String| text.contains("backend") && text.contains("\"s3\"");
            if depth > 0 && texts(&directory).iter().flatten().any(is_s3) {
                found.extend(directory.strip_prefix(&self.directory).map(Path::to_owned));
                continue;
            }
            if depth < DEPTH {
                open.extend(directories(&directory).into_iter().map(|below| (below, depth + 1)));
            }
        }
        found.sort();
        found.truncate(MOST_NAMED);
        found
    }
}

fn configuration(directory: &Path) -> Configuration {
    let texts = texts(directory);
    // Terragrunt writes the files that Terraform reads.
    let may_have = |text: &Option<String>| text.as_deref().is_none_or(|text| has_backend(text) || is_torn(text));
    let is_terragrunts = ["terragrunt.hcl", "terragrunt.hcl.json"].iter().any(|name| directory.join(name).exists());
    if !is_terragrunts && let Some(kind) = other_backend(&texts) {
        return Configuration::OtherBackend(kind);
    }
    if is_terragrunts || texts.iter().any(may_have) {
        return Configuration::WithBackend;
    }
    match texts.iter().flatten().any(|text| has_cloud(text)) {
        _ if texts.is_empty() => Configuration::Missing,
        true => Configuration::Cloud,
        false => Configuration::WithoutBackend,
    }
}

/// The Terraform files, each with its name and its text; `None` for one that cannot be read.
fn files(directory: &Path) -> Vec<(String, Option<String>)> {
    let endings = [".tf", ".tf.json", ".tofu", ".tofu.json"];
    let file = |path: PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_terraform =
            !name.starts_with('.') && endings.iter().any(|ending| name.ends_with(ending)) && !path.is_dir();
        is_terraform.then(|| (name, fs::read_to_string(path).ok()))
    };
    entries(directory).into_iter().filter_map(file).collect()
}

fn texts(directory: &Path) -> Vec<Option<String>> {
    files(directory).into_iter().map(|(_, text)| text).collect()
}

fn directories(directory: &Path) -> Vec<PathBuf> {
    let is_open = |path: &PathBuf| {
        let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        !is_hidden && !path.is_symlink() && path.is_dir()
    };
    entries(directory).into_iter().filter(is_open).collect()
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

/// A file that ends in the middle: Terraform says where.
fn is_torn(text: &str) -> bool {
    text.matches('{').count() != text.matches('}').count()
}

/// Whether a label follows the word somewhere: `backend "s3"`, `backend s3`, `"backend":`.
fn has_backend(text: &str) -> bool {
    let is_label =
        |rest: &str| rest.trim_start().starts_with(|next: char| next == '"' || next == '/' || next.is_alphabetic());
    text.match_indices("backend").any(|(at, word)| text.get(at + word.len()..).is_some_and(is_label))
}

/// Terraform's and OpenTofu's backends that are not S3.
const OTHER_BACKENDS: [&str; 10] =
    ["azurerm", "consul", "cos", "gcs", "http", "kubernetes", "local", "oss", "pg", "remote"];

/// The kind of the one backend block that is there, where it is certainly none of S3: all files can be
/// read and are whole, nothing else speaks of a backend, and no comment spans lines.
fn other_backend(texts: &[Option<String>]) -> Option<&'static str> {
    let texts: Option<Vec<&str>> = texts.iter().map(Option::as_deref).collect();
    let texts = texts?;
    if texts.iter().any(|text| is_torn(text) || text.contains("/*") || text.contains("<<")) {
        return None;
    }
    let mut lines = texts.iter().flat_map(|text| text.lines()).map(str::trim_start).filter(|line| has_backend(line));
    let (only, None) = (lines.next()?, lines.next()) else { return None };
    let block = only.strip_prefix("terraform").map_or(only, |rest| rest.trim_start_matches([' ', '{']));
    let label = block.strip_prefix("backend")?.trim_start().strip_prefix('"')?;
    let (label, rest) = label.split_once('"')?;
    OTHER_BACKENDS.into_iter().find(|kind| *kind == label && rest.trim_start().starts_with('{'))
}

/// Whether a line begins a block `cloud`, or JSON has such a member.
fn has_cloud(text: &str) -> bool {
    let begins =
        |line: &str| line.trim_start().strip_prefix("cloud").is_some_and(|rest| rest.trim_start().starts_with('{'));
    text.lines().any(begins)
        || text
            .match_indices("\"cloud\"")
            .any(|(at, word)| text.get(at + word.len()..).is_some_and(|rest| rest.trim_start().starts_with(':')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_is_missed_only_where_there_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path();
        let check = |name: &str, text: &str, expected: Configuration| {
            fs::write(place.join(name), text).unwrap();
            assert_eq!(configuration(place), expected, "{name}: {text}");
            fs::remove_file(place.join(name)).unwrap();
        };
        check("README.md", "backend \"s3\" {}", Configuration::Missing);
        check(".main.tf", "backend \"s3\" {}", Configuration::Missing);
        check("main.tf", "", Configuration::WithoutBackend);
        check(
            "main.tf",
            "resource \"x\" \"y\" {\n  target = x.backend.arn\n  backend = 1\n}\n",
            Configuration::WithoutBackend,
        );
        for text in [
            "terraform {\n  backend \"s3\" {}\n}",
            "terraform { backend s3 {} }",
            "terraform {\n backend /* state */ \"s3\" {}\n}",
        ] {
            check("backend.tf", text, Configuration::WithBackend);
            check("backend.tofu", text, Configuration::WithBackend);
        }
        check("backend.tf.json", r#"{"terraform":{"backend":{"s3":{}}}}"#, Configuration::WithBackend);
        check("main.tf", "terraform {\n", Configuration::WithBackend);
        check("terragrunt.hcl", "", Configuration::WithBackend);
        check("terragrunt.hcl.json", "{}", Configuration::WithBackend);
        check("main.tf", "variable \"cloud\" {}", Configuration::WithoutBackend);
        check("main.tf.json", r#"{"terraform":{"cloud":{}}}"#, Configuration::Cloud);
        check("main.tf", "terraform {\n  cloud {\n    organization = \"acme\"\n  }\n}", Configuration::Cloud);
        for text in ["terraform {\n  backend \"gcs\" {\n    bucket = \"x\"\n  }\n}", "terraform { backend \"gcs\" {} }"]
        {
            check("backend.tf", text, Configuration::OtherBackend("gcs"));
        }
        for text in [
            "# backend \"gcs\" {}\nterraform {\n  backend \"s3\" {}\n}",
            "/*\nbackend \"gcs\" {}\n*/",
            "terraform {\n  backend \"gcs\" {}\n}\nterraform {\n  backend \"s3\" {}\n}",
            "terraform {\n  backend \"of tomorrow\" {}\n}",
        ] {
            check("backend.tf", text, Configuration::WithBackend);
        }
        fs::write(place.join("latin.tf"), b"# \xe9\n").unwrap();
        assert_eq!(configuration(place), Configuration::WithBackend, "a file that cannot be read may have it");
    }

    #[test]
    fn root_modules_are_found_below() {
        let directory = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("environments/prod/backend.tf", "terraform {\n  backend \"s3\" {}\n}"),
            ("environments/dev/backend.tf", "terraform {\n  backend \"s3\" {}\n}"),
            ("modules/service/main.tf", "variable \"name\" {}"),
            (".terraform/modules/x/main.tf", "terraform {\n  backend \"s3\" {}\n}"),
        ] {
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let module = RootModule::find(directory.path(), None).unwrap();
        assert_eq!(module.configuration(), Configuration::Missing);
        assert_eq!(module.root_modules_below(), [Path::new("environments/dev"), Path::new("environments/prod")]);
    }
}
