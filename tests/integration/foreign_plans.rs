//! Plans by other people and other versions of Terraform. They are not ours to hand on, so they
//! stand beside the project where somebody has put them; our own are in `tests/plans`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use stategate::core::plan::{PlanError, read_plan};

/// Those of our own plans that change something, and whatever stands beside the project.
fn plans() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let ours = ["everything", "destroy", "target"].map(|name| root.join(format!("tests/plans/{name}.json")));
    let foreign =
        fs::read_dir(root.join("../shared/fixtures/plans")).into_iter().flatten().map(|entry| entry.unwrap().path());
    ours.into_iter()
        .chain(foreign.filter(|path| path.extension().is_some_and(|extension| extension == "json")))
        .collect()
}

#[test]
fn plans_of_every_version_are_read_and_none_is_taken_for_no_changes() {
    for path in plans() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let result = read_plan(File::open(&path).unwrap(), &mut []);
        if name.contains("wrapper_noise") {
            assert!(matches!(result, Err(PlanError::Noise { .. })), "{name}");
        } else {
            assert!(result.unwrap_or_else(|error| panic!("{name}: {error}")).has_changes(), "{name}");
        }
    }
}
