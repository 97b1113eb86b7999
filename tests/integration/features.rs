//! What is tested is what ships: a dependency of the core has the same features in the core's own tests
//! as in the release binary.
//!
//! Cargo unites the features of all that is built together, so a development dependency can lend the
//! tests a feature that the shipped program lacks, and the tests prove something else.

use std::collections::BTreeMap;
use std::process::Command;

/// Each package of a dependency tree with its features, without those that only build scripts and
/// procedural macros use.
fn features(arguments: &[&str]) -> BTreeMap<String, String> {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command.args(["tree", "--locked", "--prefix", "none", "--no-dedupe", "--format", "{p}|{f}"]);
    let output = command.args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    // `default` is a name for others, which stand beside it.
    let named = |features: &str| features.split(',').filter(|name| *name != "default").collect::<Vec<_>>().join(",");
    text.lines().filter_map(|line| line.split_once('|')).map(|(p, f)| (p.to_owned(), named(f))).collect()
}

#[test]
fn the_cores_tests_run_with_the_features_that_ship() {
    let edges = ["--edges", "normal,no-proc-macro"];
    let core = features(&[&["--package", "stategate-core"], edges.as_slice()].concat());
    let tested = features(&["--package", "stategate-core", "--edges", "normal,dev,no-proc-macro"]);
    let shipped = features(&[&["--package", "stategate"], edges.as_slice()].concat());
    assert!(core.keys().any(|package| package.starts_with("serde_json ")), "{core:?}");
    let differing: Vec<_> = core
        .keys()
        .filter(|package| tested.get(*package) != shipped.get(*package))
        .map(|package| (package, tested.get(package), shipped.get(package)))
        .collect();
    assert!(differing.is_empty(), "not the same in tests and in the release: {differing:#?}");
}
