//! The files of the repository that a workflow is made of.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::{name, plain};

/// A larger file is no workflow.
const LARGEST: u64 = 1024 * 1024;

/// A workflow, and the local actions and workflows that it names after `uses: ./`, and those that they
/// name, from the repository's root. What is written in a way that only YAML understands is not seen.
pub fn workflow(repository: &Path, path: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![path.to_owned()];
    while let Some(next) = open.pop() {
        let place = plain(&repository.join(&next));
        let Ok(name) = name(repository, &place) else { continue };
        // The root itself: everything counts.
        if !found.insert(name) {
            continue;
        }
        for file in [place.clone(), place.join("action.yml"), place.join("action.yaml")] {
            let is_small = file.metadata().is_ok_and(|file| file.is_file() && file.len() <= LARGEST);
            let text = if is_small { fs::read_to_string(file).unwrap_or_default() } else { String::new() };
            open.extend(local_uses(&text).map(str::to_owned));
        }
    }
    found
}

/// The paths after `uses:`, where they begin with a dot.
fn local_uses(text: &str) -> impl Iterator<Item = &str> {
    let values = text.lines().filter_map(|line| line.split_once("uses"));
    let values = values.filter_map(|(_, rest)| rest.trim_start_matches(['"', '\'']).trim_start().strip_prefix(':'));
    let plain = |value: &str| -> Option<usize> { value.find([' ', '\t', '"', '\'', ',', '}', '@']) };
    values
        .map(|value| value.trim_start().trim_start_matches(['"', '\'']))
        .filter(|value| value.starts_with("./") || *value == ".")
        .map(move |value| plain(value).and_then(|end| value.get(..end)).unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workflow_is_made_of_its_local_actions_too() {
        let place = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(place.path()).unwrap();
        for (path, text) in [
            (
                ".github/workflows/apply.yml",
                "jobs:\n  a:\n    uses: ./.github/workflows/shared.yml\n  b:\n    steps:\n      - uses: actions/checkout@v7\n      - { uses: \"./tools/setup\", with: {} }\n",
            ),
            (".github/workflows/shared.yml", "      - uses: './.github/actions/login' # comment\n"),
            (
                ".github/actions/login/action.yaml",
                "  steps:\n    - uses: ./.github/actions/login\n    - uses: ./../up\n    - run: uses a file\n",
            ),
            ("tools/setup/action.yml", "runs: {}"),
        ] {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let found = workflow(&root, ".github/workflows/apply.yml");
        let expected =
            [".github/actions/login", ".github/workflows/apply.yml", ".github/workflows/shared.yml", "tools/setup"];
        assert_eq!(found.into_iter().collect::<Vec<_>>(), expected);
        assert_eq!(workflow(&root, "gone.yml").into_iter().collect::<Vec<_>>(), ["gone.yml"]);
    }
}
