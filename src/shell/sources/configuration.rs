//! The text of the configuration, and the files beside provisioners.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use stategate_core::configuration::{Configuration, Module};
use stategate_core::record::{ContentDigest, FilesBeside, Wanted};

use super::{Modules, plain};

/// Endings of the files that Terraform and OpenTofu read themselves.
const TERRAFORM: [&str; 4] = [".tf", ".tf.json", ".tofu", ".tofu.json"];

/// What else in a module tells a provisioner nothing: values that are compared as variables, states,
/// and what is written for people.
const ASIDE: [&str; 6] = [".tfvars", ".tfvars.json", ".tfstate", ".tfstate.backup", ".tfplan", ".md"];

/// Files beside provisioners; more count as one.
const MOST_FILES: usize = 20_000;

/// The configuration of a root module that is initialised, and a digest of each module that came from
/// elsewhere, by its call path.
///
/// What cannot be read is left out: Terraform then fails, or the plan's JSON stands for it.
pub fn configuration(root: &Path, data: &Path) -> (Configuration, BTreeMap<String, String>) {
    let mut configuration = Configuration::default();
    let mut elsewhere = BTreeMap::new();
    for (call_path, directory) in directories(root, data) {
        if let Some(package) = package(data, &directory) {
            let mut digest = ContentDigest::default();
            for (name, file) in below(&package, &package, |_, _| true) {
                digest.add(&name, &self::digest(&file));
            }
            elsewhere.insert(call_path.clone(), digest.finish());
        }
        configuration.add(&call_path, module(&directory));
    }
    (configuration, elsewhere)
}

/// The modules' directories by call path.
fn directories(root: &Path, data: &Path) -> BTreeMap<String, PathBuf> {
    let mut directories = BTreeMap::from([(String::new(), root.to_owned())]);
    let list = fs::read(data.join("modules/modules.json")).ok();
    let list: Option<Modules> = list.and_then(|list| serde_json::from_slice(&list).ok());
    for module in list.map(|list| list.modules).unwrap_or_default() {
        directories.insert(module.key, plain(&root.join(module.dir)));
    }
    directories
}

/// All of what was downloaded for a module, of which it may be a part only.
fn package(data: &Path, directory: &Path) -> Option<PathBuf> {
    let modules = data.join("modules");
    let first = directory.strip_prefix(&modules).ok()?.components().next()?;
    Some(modules.join(first))
}

fn module(directory: &Path) -> Module {
    let mut module = Module::at(directory.to_string_lossy());
    let mut names: Vec<String> = entries(directory).into_iter().map(|(name, _)| name).collect();
    names.retain(|name| is_terraforms(name));
    for name in &names {
        let path = directory.join(name);
        let content = if path.is_file() { fs::read(path).unwrap_or_default() } else { Vec::new() };
        // Of two that are called alike, which one is read depends on the program.
        let twin = name.contains(".tofu") || names.contains(&name.replace(".tf", ".tofu"));
        if twin && names.contains(&name.replace(".tofu", ".tf")) {
            module.add_whole(name, &content);
        } else {
            module.add(name, &content);
        }
    }
    module
}

fn is_terraforms(name: &str) -> bool {
    !name.starts_with('.') && !name.ends_with('~') && TERRAFORM.iter().any(|ending| name.ends_with(ending))
}

fn may_be_run(name: &str) -> bool {
    !is_terraforms(name) && !ASIDE.iter().any(|ending| name.ends_with(ending))
}

/// Reads the files of which the content matters to provisioners; `repository` is where names begin, and
/// what lies outside of it is not looked at.
pub fn files_beside(
    configuration: &Configuration,
    wanted: &Wanted,
    data: &Path,
    repository: Option<&Path>,
) -> FilesBeside {
    let mut files = FilesBeside::new();
    let directory = |call_path: &str| configuration.directory(call_path).map(PathBuf::from);
    let Some(root) = directory("") else { return files };
    let repository = repository.filter(|repository| root.starts_with(repository)).unwrap_or(&root);
    let mut left = MOST_FILES;
    for call_path in &wanted.modules {
        let Some(directory) = directory(call_path) else { continue };
        let own = files.entry(call_path.clone()).or_default();
        let (place, from) = match package(data, &directory) {
            Some(package) => (package.clone(), package),
            None => (directory, repository.to_owned()),
        };
        // Another root module or module below this one is its own.
        let is_own = |below: &Path| !entries(below).iter().any(|(name, _)| is_terraforms(name));
        add(
            own,
            below(&place, &from, |name, path| if path.is_dir() { is_own(path) } else { may_be_run(name) }),
            &mut left,
        );
    }
    for (call_path, word) in &wanted.words {
        let places = [Some(root.clone()), directory(call_path)];
        for place in places.into_iter().flatten() {
            let named = plain(&place.join(word));
            let Some(around) = (if named.is_dir() { Some(named.as_path()) } else { named.parent() })
                .filter(|around| named.exists() && around.starts_with(repository))
            else {
                continue;
            };
            // A script has others beside it. Where it lies among modules, those are no part of it.
            let mut found = below(around, repository, |name, path| !path.is_dir() && may_be_run(name));
            // Whatever it is called, it is named.
            if named.is_file() {
                found.push((shown(&named, repository), named.clone()));
            }
            add(files.entry(call_path.clone()).or_default(), found, &mut left);
        }
    }
    files
}

fn add(files: &mut BTreeMap<String, [u8; 32]>, found: Vec<(String, PathBuf)>, left: &mut usize) {
    for (name, path) in found {
        if files.contains_key(&name) {
            continue;
        }
        let digest: [u8; 32] = digest(&path);
        if *left == 0 {
            let rest = files.entry("the other files".to_owned()).or_default();
            *rest = Sha256::new_with_prefix(*rest).chain_update(name).chain_update(digest).finalize().into();
        } else {
            *left -= 1;
            files.insert(name, digest);
        }
    }
}

fn digest(path: &Path) -> [u8; 32] {
    let mut digest = Sha256::new();
    let mut read = || {
        // A device has no end, and a pipe may have no beginning.
        if !fs::metadata(path)?.is_file() {
            return Err(std::io::ErrorKind::InvalidInput.into());
        }
        let mut file = BufReader::new(fs::File::open(path)?);
        loop {
            let some = file.fill_buf()?;
            if some.is_empty() {
                return std::io::Result::Ok(());
            }
            digest.update(some);
            let length = some.len();
            file.consume(length);
        }
    };
    if let Err(error) = read() {
        digest.update(error.kind().to_string());
    }
    digest.finalize().into()
}

/// The files below a directory that are `wanted`, in order, named from another directory. Hidden ones,
/// Terraform's and Git's among them, and linked directories are left out.
fn below(directory: &Path, from: &Path, wanted: impl Fn(&str, &Path) -> bool) -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(at) = open.pop() {
        for (name, path) in entries(&at) {
            if name.starts_with('.') || !wanted(&name, &path) {
                continue;
            }
            if path.is_dir() {
                if !path.is_symlink() {
                    open.push(path);
                }
                continue;
            }
            found.push((shown(&path, from), path));
        }
    }
    found.sort();
    found
}

fn shown(path: &Path, from: &Path) -> String {
    path.strip_prefix(from).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

/// What is in a directory, by name; nothing where it cannot be read.
fn entries(directory: &Path) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut entries: Vec<(String, PathBuf)> =
        entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path())).collect();
    entries.sort();
    entries
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn write(place: &Path, files: &[(&str, &str)]) {
        for (path, text) in files {
            let path = place.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_device_is_not_read() {
        let place = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(place.path()).unwrap();
        write(
            &root,
            &[
                ("main.tf", ""),
                (".terraform/modules/far/main.tf", ""),
                (".terraform/modules/modules.json", r#"{"Modules":[{"Key":"far","Dir":".terraform/modules/far"}]}"#),
            ],
        );
        for name in ["run.sh", "more.tf", ".terraform/modules/far/x"] {
            std::os::unix::fs::symlink("/dev/zero", root.join(name)).unwrap();
        }
        let data = root.join(".terraform");
        let (configuration, elsewhere) = configuration(&root, &data);
        let wanted = Wanted { modules: BTreeSet::from([String::new()]), ..Wanted::default() };
        let files = files_beside(&configuration, &wanted, &data, None);
        assert!(elsewhere.contains_key("far") && files[""].contains_key("run.sh"));
    }

    #[test]
    fn the_files_beside_a_provisioner_are_those_that_it_may_run() {
        let place = tempfile::tempdir().unwrap();
        let place = fs::canonicalize(place.path()).unwrap();
        let root = place.join("live/prod");
        write(
            &place,
            &[
                ("live/prod/main.tf", ""),
                ("live/prod/run.sh", ""),
                ("live/prod/lib/more.sh", ""),
                ("live/prod/other/main.tf", ""),
                ("live/prod/other/its.sh", ""),
                ("live/prod/README.md", ""),
                ("live/prod/x.tfvars", ""),
                ("scripts/deploy.sh", ""),
                ("scripts/beside.sh", ""),
                ("scripts/x.md", ""),
                ("scripts/y.md", ""),
                ("scripts/.z", ""),
                ("docs/x.txt", ""),
                ("live/prod/.terraform/modules/far/sub/main.tf", ""),
                ("live/prod/.terraform/modules/far/up.sh", ""),
                (
                    "live/prod/.terraform/modules/modules.json",
                    r#"{"Modules":[{"Key":"","Dir":"."},{"Key":"far","Dir":".terraform/modules/far/sub"}]}"#,
                ),
            ],
        );
        let data = root.join(".terraform");
        let (configuration, elsewhere) = configuration(&root, &data);
        assert_eq!(elsewhere.keys().collect::<Vec<_>>(), ["far"]);
        let wanted = Wanted {
            modules: BTreeSet::from([String::new(), "far".to_owned()]),
            words: ["deploy.sh", "x.md", ".z"].map(|name| (String::new(), format!("../../scripts/{name}"))).into(),
        };
        let files = files_beside(&configuration, &wanted, &data, Some(&place));
        let names = |module: &str| files[module].keys().map(String::as_str).collect::<Vec<_>>();
        let scripts = ["scripts/.z", "scripts/beside.sh", "scripts/deploy.sh", "scripts/x.md"];
        assert_eq!(names(""), [&["live/prod/lib/more.sh", "live/prod/run.sh"], &scripts[..]].concat());
        assert_eq!(names("far"), ["up.sh"]);
        write(&place, &[("live/prod/run.sh", "other"), ("live/prod/.terraform/modules/far/up.sh", "other")]);
        let then = files_beside(&configuration, &wanted, &data, Some(&place));
        assert_ne!(then[""]["live/prod/run.sh"], files[""]["live/prod/run.sh"]);
        assert_ne!(super::configuration(&root, &data).1, elsewhere);
    }
}
