//! A walk through the files that reach an apply, which neither leaves the repository nor runs in circles.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{Sources, SourcesError, name, plain, read};
use stategate_core::reads::{Base, Reads, in_hcl, in_json, in_template};
use stategate_core::record::ContentDigest;

/// As many links as Linux follows in one path.
const MOST_LINKS: usize = 40;

/// A template that is larger is none.
const LARGEST_TEMPLATE: u64 = 4 * 1024 * 1024;

pub(super) struct Walk<'a> {
    repository: &'a Path,
    root: &'a Path,
    pub(super) digest: ContentDigest,
    covered: Vec<String>,
    open: Option<PathBuf>,
    /// Whether a file starts programs.
    has_programs: bool,
    /// The first file with a path that only a shell knows.
    shell: Option<PathBuf>,
    /// The directories that were walked, without links.
    walked: BTreeSet<PathBuf>,
    /// The templates elsewhere that were read.
    templates: BTreeSet<PathBuf>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(repository: &'a Path, root: &'a Path) -> Self {
        Self {
            repository,
            root,
            digest: ContentDigest::default(),
            covered: Vec::new(),
            open: None,
            has_programs: false,
            shell: None,
            walked: BTreeSet::new(),
            templates: BTreeSet::new(),
        }
    }

    pub(super) fn finish(mut self) -> Sources {
        if self.has_programs {
            // The command can be made of a value from another file.
            self.open = self.open.or(self.shell);
        }
        if self.open.is_some() {
            self.covered.push(String::new());
        }
        Sources { digest: self.digest.finish(), covered: self.covered, open: self.open }
    }

    /// Covers a place, and every place that a link on the way to it leads to: to Git, a link stays the
    /// same whatever becomes of that.
    pub(super) fn cover(&mut self, path: &Path) -> Result<(), SourcesError> {
        for place in hops(path) {
            let name = name(self.repository, &place)?;
            if !self.covered.contains(&name) {
                self.covered.push(name);
            }
        }
        Ok(())
    }

    /// Adds all files below a directory to the digest, Terraform's and Git's own aside.
    pub(super) fn add_directory(&mut self, directory: &Path) -> Result<(), SourcesError> {
        let unreadable = |path: &Path, why| SourcesError::Unreadable { path: path.to_owned(), why };
        let real = directory.canonicalize().map_err(|why| unreadable(directory, why))?;
        if !real.starts_with(self.repository) {
            return Err(SourcesError::Outside { path: directory.to_owned() });
        }
        if !self.walked.insert(real) {
            return Ok(());
        }
        let entries = std::fs::read_dir(directory).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let mut entries = entries.map_err(|why| unreadable(directory, why))?;
        // Under which name something is found first must not depend on the machine.
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let (path, file_name) = (entry.path(), entry.file_name());
            if file_name == ".terraform" || file_name == ".git" {
                continue;
            }
            let is_link = entry.file_type().map_err(|why| unreadable(&path, why))?.is_symlink();
            if is_link {
                self.cover(&path)?;
            }
            if path.is_dir() {
                self.add_directory(&path)?;
            } else if !is_link || path.exists() {
                let content = read(&path)?;
                self.digest.add(&name(self.repository, &path)?, &content);
                if is_template(&path) {
                    self.take(directory, &path, &in_template(&String::from_utf8_lossy(&content)));
                }
            }
        }
        Ok(())
    }

    /// Covers what the configuration of a module reads elsewhere.
    pub(super) fn read_configuration(&mut self, directory: &Path) -> Result<(), SourcesError> {
        let unreadable = |why| SourcesError::Unreadable { path: directory.to_owned(), why };
        for entry in std::fs::read_dir(directory).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.is_file() {
                self.read_text(directory, &path, &read(&path)?);
            }
        }
        Ok(())
    }

    /// Covers what a file reads elsewhere, if it is one of a configuration or of variables.
    pub(super) fn read_text(&mut self, directory: &Path, path: &Path, content: &[u8]) {
        let file_name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let (stem, is_json) = match file_name.strip_suffix(".json") {
            Some(stem) => (stem, true),
            None => (file_name.as_str(), false),
        };
        if ![".tf", ".tofu", ".tfvars"].iter().any(|ending| stem.ends_with(ending)) {
            return;
        }
        let text = String::from_utf8_lossy(content);
        let reads = if is_json { in_json(&text) } else { in_hcl(&text) };
        self.take(directory, path, &reads);
    }

    fn take(&mut self, directory: &Path, file: &Path, reads: &Reads) {
        if reads.anything {
            self.open.get_or_insert_with(|| file.to_owned());
        }
        self.has_programs |= reads.has_programs;
        if reads.has_shell_path {
            self.shell.get_or_insert_with(|| file.to_owned());
        }
        for (base, path) in &reads.places {
            let base = if *base == Base::Root { self.root } else { directory };
            let place = plain(&base.join(path));
            if self.repository.starts_with(&place) {
                self.open.get_or_insert_with(|| file.to_owned());
            } else if place.starts_with(self.repository) && !self.is_covered(&place) {
                self.take_place(&place);
            }
        }
    }

    fn take_place(&mut self, place: &Path) {
        for hop in hops(place) {
            // What lies outside is in no commit.
            if let Ok(name) = name(self.repository, &hop)
                && !self.covered.contains(&name)
            {
                self.covered.push(name);
            }
        }
        let is_small = place.metadata().is_ok_and(|file| file.is_file() && file.len() <= LARGEST_TEMPLATE);
        if is_small
            && is_template(place)
            && self.templates.insert(place.to_owned())
            && let Ok(content) = read(place)
        {
            let directory = place.parent().unwrap_or(self.root).to_owned();
            self.take(&directory, place, &in_template(&String::from_utf8_lossy(&content)));
        }
    }

    fn is_covered(&self, place: &Path) -> bool {
        // A link on the way leads elsewhere.
        let is_plain = hops(place).len() == 1;
        let name = name(self.repository, place).unwrap_or_default();
        let is_below = |above: &String| {
            name == *above || name.strip_prefix(above.as_str()).is_some_and(|rest| rest.starts_with('/'))
        };
        is_plain && self.covered.iter().any(is_below)
    }
}

/// Files that a configuration fills with values, by their usual endings.
fn is_template(path: &Path) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().into_owned()).unwrap_or_default();
    ["tpl", "tftpl", "tmpl"].contains(&ending.as_str())
}

/// A path, and what it becomes by each link on the way.
fn hops(path: &Path) -> Vec<PathBuf> {
    let mut found = vec![plain(path)];
    while found.len() <= MOST_LINKS
        && let Some(last) = found.last()
        && let Some(next) = follow_one(last)
    {
        if found.contains(&next) {
            break;
        }
        found.push(next);
    }
    found
}

/// The path with its first link replaced by what that leads to; `None` without a link.
fn follow_one(path: &Path) -> Option<PathBuf> {
    let mut at = PathBuf::new();
    let mut parts = path.components();
    while let Some(part) = parts.next() {
        at.push(part);
        if at.is_symlink() {
            let target = at.parent().unwrap_or(path).join(at.read_link().ok()?);
            return Some(plain(&target.join(parts.as_path())));
        }
    }
    None
}
