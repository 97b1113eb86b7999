//! The invariants of `ARCHITECTURE.md` that stand in the source itself.

use std::fs;
use std::path::{Path, PathBuf};

const CORE: &str = "crates/stategate-core/src";

/// The source files below a directory of the repository, with their text.
fn sources(under: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(under)];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty(), "nothing to check under {under}");
    found
}

/// The lines that are code, with their numbers.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(at, line)| (at + 1, line)).filter(|(_, line)| !line.trim_start().starts_with("//"))
}

fn assert_without(under: &str, forbidden: &[&str]) {
    let mut broken = Vec::new();
    for (path, text) in sources(under) {
        for (number, line) in code(&text) {
            if let Some(word) = forbidden.iter().find(|word| line.contains(*word)) {
                broken.push(format!("{}:{number}: {word}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Clippy keeps the core from files, processes, network and clock (its `clippy.toml`), and what it does
/// not depend on it cannot call. This holds the list of what it may depend on.
#[test]
fn the_core_depends_on_nothing_that_reaches_the_world() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/stategate-core/Cargo.toml");
    let manifest = fs::read_to_string(manifest).unwrap();
    let section = manifest.split("[dependencies]\n").nth(1).unwrap().split("\n[").next().unwrap();
    let found: Vec<&str> = section.lines().filter_map(|line| line.split(['.', ' ', '=']).next()).collect();
    let allowed = [
        "base64",
        "hmac",
        "jiff",
        "md-5",
        "memchr",
        "secrecy",
        "serde",
        "serde_json",
        "serde_path_to_error",
        "sha2",
        "shell-words",
        "similar",
        "thiserror",
        "wide",
    ];
    let found: Vec<&str> = found.into_iter().filter(|name| !name.is_empty() && !name.starts_with('#')).collect();
    assert_eq!(found, allowed);
}

#[test]
fn shells_know_the_core_and_never_each_other() {
    assert_without("src/shell", &["crate::commands", "crate::error", "crate::cli"]);
    assert_without("src/net", &["crate::commands", "crate::error", "crate::cli", "crate::shell"]);
    let rooms = ["checkout", "github", "lock_store", "processes", "runner", "signals", "sources", "terraform"];
    // The ground that two of them stand on knows none of them.
    let ground = |own: &str, other: &str| other == "processes" && matches!(own, "runner" | "terraform");
    for (path, text) in sources("src/shell") {
        let inside = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/shell")).unwrap();
        let own = inside.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned();
        for other in rooms.iter().filter(|room| **room != own) {
            for (number, line) in code(&text) {
                let crosses = line.contains(&format!("shell::{other}")) || line.contains(&format!("super::{other}::"));
                assert!(
                    own == "mod" || !crosses || ground(&own, other),
                    "{}:{number} looks into {other}",
                    path.display()
                );
            }
        }
    }
}

/// A release has nothing below `info` in it: what a debug run shows goes through `detail!`.
#[test]
fn nothing_is_told_that_a_release_leaves_out() {
    assert_without("src", &["tracing::debug!", "tracing::trace!"]);
}

#[test]
fn one_purpose_a_file() {
    for under in [CORE, "src/net", "src/shell", "src/commands"] {
        for (path, text) in sources(under) {
            let lines = text.lines().count();
            assert!(lines <= 600, "{} has {lines} lines: perhaps several rooms in one", path.display());
            assert!(text.starts_with("//!"), "{} does not say what it is for", path.display());
        }
    }
}
