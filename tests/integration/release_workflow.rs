//! `release.yml`, whose scripts are run as the runner does: what they refuse, what they leave on
//! GitHub, in which order, and what is left when any call fails or its answer is lost.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use sha2::{Digest as _, Sha256};

use crate::harness::pipeline::{DOWNLOADS, Ended, Pipeline, TARGETS};
use crate::harness::process::run;

const CHANGELOG: &str = "# Changelog\n\n## [Unreleased]\n\n- Not yet.\n\n## [1.2.3] - 2026-11-21\n\n- It is better.\n\n## [1.2.2] - 2026-11-01\n\n- Old.\n";

/// In the order in which they must happen: nobody can see half of it.
const CALLS: [&str; 5] = ["create v1.2.3", "POST git/trees", "POST git/commits", "POST git/refs", "edit v1.2.3"];

/// Up to the point where something is written: checked and packed.
fn packed() -> (Pipeline, BTreeMap<String, String>) {
    let pipeline = Pipeline::new("1.2.3", CHANGELOG);
    let checked = pipeline.job("check", &BTreeMap::new(), &[]);
    assert_eq!(checked.failed, None, "{}", checked.log);
    pipeline.built();
    let packed = pipeline.job("package", &checked.outputs, &[]);
    assert_eq!(packed.failed, None, "{}", packed.log);
    (pipeline, checked.outputs)
}

#[track_caller]
fn stops(ended: &Ended, step: &str, says: &str) {
    assert_eq!(ended.failed.as_deref(), Some(step), "{}", ended.log);
    assert!(ended.log.contains(says), "it does not say {says:?}: {}", ended.log);
}

fn in_hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn nothing_is_published_that_was_not_checked_built_packed_and_run_for_every_target() {
    let pipeline = Pipeline::new("1.2.3", CHANGELOG);
    let before = pipeline.needs("publish");
    for job in ["check", "ci", "build", "package", "try"] {
        assert!(before.iter().any(|name| name == job), "{job} does not come before publish");
    }
    for job in ["build", "try"] {
        assert_eq!(pipeline.matrix(job, "target"), TARGETS, "{job}");
    }
    // Each on its own kind of machine: nothing is built across, and what is tried is what was built.
    assert_eq!(pipeline.matrix("try", "runner"), pipeline.matrix("build", "runner"));
}

#[test]
fn a_version_that_is_there_or_that_nobody_described_is_not_released() {
    const STEP: &str = "The version is new, and CHANGELOG.md tells about it";
    let undated = Pipeline::new("1.2.3", "## [Unreleased]\n\n## [1.2.3]\n\n## [11.2.3] - 2026-11-21\n");
    stops(&undated.job("check", &BTreeMap::new(), &[]), STEP, "::error::CHANGELOG.md has no dated section for 1.2.3");

    let (pipeline, outputs) = packed();
    assert_eq!(outputs["check.version"], "1.2.3");
    let offline = pipeline.job("check", &BTreeMap::new(), &[("GH_OFFLINE", "1")]);
    stops(&offline, STEP, "error connecting");
    for (tag, stopped) in [("v1.2.30", false), ("v1.2.3", true)] {
        pipeline.git(&["-C", "origin.git", "tag", tag, "main"]);
        let checked = pipeline.job("check", &BTreeMap::new(), &[]);
        assert_eq!(checked.failed.is_some(), stopped, "{tag}: {}", checked.log);
        assert_eq!(checked.log.contains("::error::v1.2.3 is there already"), stopped, "{tag}: {}", checked.log);
    }
}

#[test]
fn a_release_is_a_draft_a_commit_beside_main_its_tag_and_then_public() {
    let (pipeline, outputs) = packed();
    let main = pipeline.main();
    let published = pipeline.job("publish", &outputs, &[]);
    assert_eq!(published.failed, None, "{}", published.log);
    assert_eq!(pipeline.calls(), CALLS);

    assert_eq!(pipeline.main(), main, "main is not touched");
    let git = |words: &[&str]| pipeline.git(&[&["-C", "origin.git"], words].concat());
    let commit = git(&["rev-parse", "v1.2.3"]);
    assert_eq!(git(&["rev-parse", "v1.2.3^"]), main);
    assert_eq!(git(&["diff", "--name-only", "main", "v1.2.3"]), "scripts/release.txt");
    assert_eq!(git(&["ls-tree", "v1.2.3", "scripts/run.sh"]), git(&["ls-tree", "main", "scripts/run.sh"]));
    assert!(published.summary.contains(&format!("acme/stategate@{commit} # v1.2.3")), "{}", published.summary);

    // The commit names what the release has: address, version and sums.
    let named = git(&["show", "v1.2.3:scripts/release.txt"]);
    assert!(named.contains(&format!("\nversion 1.2.3\ndownload {DOWNLOADS}\n")), "{named}");
    let release = &pipeline.releases()["v1.2.3"];
    assert_eq!((&release["draft"], &release["immutable"]), (&false.into(), &true.into()));
    assert_eq!(release["notes"].as_str().unwrap().trim(), "- It is better.");
    let assets = release["assets"].as_object().unwrap();
    assert_eq!(assets.len(), TARGETS.len() + 1, "{:?}", assets.keys());
    for target in TARGETS {
        let archive = in_hex(assets[&format!("stategate-{target}.tar.gz")].as_str().unwrap());
        let sum: String = Sha256::digest(&archive).iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(named.contains(&format!("\nsha256 {sum} stategate-{target}.tar.gz")), "{target}: {named}");
    }

    // Once more does nothing, and says so.
    let again = pipeline.job("check", &BTreeMap::new(), &[]);
    stops(&again, "The version is new, and CHANGELOG.md tells about it", "v1.2.3 is there already");
    let forced = pipeline.job("publish", &outputs, &[]);
    stops(&forced, "The draft, the commit, the tag, the release", "there is a release v1.2.3 already");
    assert!(pipeline.calls().is_empty());
}

#[test]
fn a_failure_in_the_middle_leaves_nothing_and_the_next_try_goes_through() {
    let (pipeline, outputs) = packed();
    for (number, call) in (1..).zip(CALLS) {
        for trouble in ["GH_FAILS", "GH_LOSES"] {
            if (call, trouble) == ("edit v1.2.3", "GH_LOSES") {
                continue;
            }
            let failed = pipeline.job("publish", &outputs, &[(trouble, &number.to_string())]);
            assert!(failed.failed.is_some(), "{trouble} {call}: {}", failed.log);
            assert_eq!(pipeline.releases(), serde_json::json!({}), "{trouble} {call}: {}", failed.log);
            assert!(pipeline.tags().is_empty(), "{trouble} {call}: {}", failed.log);
            assert_eq!(pipeline.calls()[..number], CALLS[..number]);
        }
    }
    let next = pipeline.job("publish", &outputs, &[]);
    assert_eq!(next.failed, None, "{}", next.log);
    assert_eq!(pipeline.calls(), CALLS);
}

#[test]
fn a_release_that_people_may_have_seen_stays_whole() {
    let (pipeline, outputs) = packed();
    let failed = pipeline.job("publish", &outputs, &[("GH_LOSES", &CALLS.len().to_string())]);
    stops(&failed, "The draft, the commit, the tag, the release", "it is public and stays");
    assert_eq!(pipeline.releases()["v1.2.3"]["draft"], false);
    assert_eq!(pipeline.tags(), ["v1.2.3"]);
    assert_eq!(pipeline.calls(), CALLS);
}

#[test]
fn what_somebody_else_made_is_left_alone() {
    // A tag that came after the check: it is not ours to take away.
    let (pipeline, outputs) = packed();
    pipeline.git(&["-C", "origin.git", "tag", "v1.2.3", "main"]);
    let failed = pipeline.job("publish", &outputs, &[]);
    stops(&failed, "The draft, the commit, the tag, the release", "Reference already exists");
    assert_eq!(pipeline.tags(), ["v1.2.3"]);
    assert_eq!(pipeline.releases(), serde_json::json!({}), "the draft was ours");

    // A draft.
    let (pipeline, outputs) = packed();
    let draft = r#"{"v1.2.3": {"draft": true, "immutable": false, "notes": "By hand.", "assets": {}}}"#;
    fs::write(pipeline.path("releases.json"), draft).unwrap();
    let failed = pipeline.job("publish", &outputs, &[]);
    stops(&failed, "The draft, the commit, the tag, the release", "if it is a draft that somebody left, delete it");
    assert!(pipeline.calls().is_empty());
    assert_eq!(pipeline.releases()["v1.2.3"]["notes"], "By hand.");
}

#[test]
fn a_release_that_can_be_changed_is_told() {
    let (pipeline, outputs) = packed();
    let published = pipeline.job("publish", &outputs, &[("GH_MUTABLE", "1")]);
    stops(&published, "Nobody can change it any more", "turn on immutable releases in the repository settings");
    assert_eq!(pipeline.releases()["v1.2.3"]["draft"], false, "what is public is not taken back");
}

#[test]
fn the_same_binaries_of_a_commit_are_packed_to_the_same_bytes() {
    let (pipeline, outputs) = packed();
    let sums = || {
        let kept = pipeline.path("artifacts/packed");
        run(Command::new("sha256sum").args(["--check", "SHA256SUMS"]).current_dir(&kept)).succeeded();
        fs::read_to_string(kept.join("SHA256SUMS")).unwrap()
    };
    let first = sums();
    // Another place, another time, another person's settings.
    fs::remove_dir_all(pipeline.path("artifacts/packed")).unwrap();
    pipeline.built();
    let elsewhere = pipeline.path("elsewhere");
    fs::create_dir_all(&elsewhere).unwrap();
    let settings = [("TZ", "Asia/Tokyo"), ("LC_ALL", "tr_TR.UTF-8"), ("TMPDIR", elsewhere.to_str().unwrap())];
    let again = pipeline.job("package", &outputs, &settings);
    assert_eq!(again.failed, None, "{}", again.log);
    assert_eq!(first, sums());
}
