//! A test that a page names as its proof exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The integration tests, as `file::name`.
fn tests() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/integration");
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let file = path.file_stem().unwrap().to_str().unwrap();
        for rest in text.split("#[test]\n").skip(1) {
            let name = rest.split_once("fn ").unwrap().1.split('(').next().unwrap();
            found.insert(format!("{file}::{name}"));
        }
    }
    found
}

/// What stands in backquotes and reads like an integration test's name; an ellipsis ends a name that
/// goes on.
fn named(page: &str) -> BTreeSet<String> {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
    let is_name = |quoted: &str| {
        let mut parts = quoted.split("::");
        let (Some(file), Some(name), None) = (parts.next(), parts.next(), parts.next()) else { return false };
        let is_word = |part: &str| part.chars().all(|char| char.is_ascii_alphanumeric() || "_…".contains(char));
        let is_file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/integration/{file}.rs")).is_file();
        is_file && is_word(name)
    };
    page.split('`').skip(1).step_by(2).filter(|name| is_name(name)).map(str::to_owned).collect()
}

#[test]
fn every_test_that_a_page_names_exists() {
    let tests = tests();
    for (page, least) in [("ARCHITECTURE.md", 50), ("docs/threat-model.md", 20)] {
        let named = named(page);
        assert!(named.len() >= least, "{page} names only {named:?}");
        let is_there = |name: &str| match name.split_once('…') {
            Some((begin, _)) => tests.iter().any(|test| test.starts_with(begin)),
            None => tests.contains(name),
        };
        let missing: Vec<&String> = named.iter().filter(|name| !is_there(name)).collect();
        assert!(missing.is_empty(), "{page} names tests that do not exist: {missing:#?}");
    }
}
