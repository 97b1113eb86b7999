//! A state that can be uploaded nowhere, on a machine without room: what is cut never passes for a
//! state, what there is of it is kept, and the lock stays.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use serde_json::Value;

use crate::harness::files::{PROD, PROD_LOCK};
use crate::harness::laptop::stand_in;
use crate::harness::runner::{Outcome, Step};
use crate::harness::world::World;
use crate::rescue::refusing;

/// Its state takes some 10 KB on one line, as Terraform prints it, and many times that in a file.
const LARGE: &str = "resource \"terraform_data\" \"large\" {
  input = range(1000)
}
";

/// Applies a change of such a size whose state the bucket refuses. While Terraform applies, the shell
/// script `apply` stands around it.
fn apply(apply: &str) -> (World, u64, Outcome) {
    let (world, refuse, _proxy) = refusing();
    let number = world.pull_request("Large", |files| files.write(&format!("{PROD}/large.tf"), LARGE));
    Step::plan(&world, number).run().exits(0);
    world.approve(number);
    let push = world.merge(number);
    refuse.store(true, Ordering::SeqCst);
    let script = format!("if [ \"$1\" = apply ]; then\n{apply}\nfi\nexec \"$TERRAFORM\" \"$@\"\n");
    let program: PathBuf = stand_in(&world.place("bin"), &script);
    let outcome = Step::apply(&world, &push).with("terraform-bin", &program.display().to_string()).run().exits(14);
    refuse.store(false, Ordering::SeqCst);
    assert_eq!(world.bucket.locks(), [PROD_LOCK], "nobody may plan:\n{}", outcome.log);
    assert_eq!(outcome.cleanup.as_ref().map(|(code, _)| *code), Some(Some(0)), "{outcome:?}");
    for text in [&outcome.log, &outcome.summary, &world.github.comment(number)] {
        assert!(!text.contains("\"lineage\""), "the state is shown:\n{text}");
    }
    (world, number, outcome)
}

/// What of the state was put into the bucket, by the ends of the keys.
fn rescued(world: &World) -> Vec<(String, String)> {
    let keys = world.bucket.keys().into_iter().filter(|key| key.contains("/rescued/") && !key.contains(".kept"));
    keys.map(|key| (key.clone(), String::from_utf8(world.bucket.get(&key).unwrap()).unwrap())).collect()
}

#[track_caller]
fn check_lost(world: &World, number: u64, outcome: &Outcome, told: &[&str]) {
    let comment = world.github.comment(number);
    for text in [&comment, &outcome.log] {
        let always = ["the new state is lost", "The lock stays", "import", "unlock"];
        for told in always.iter().chain(told) {
            assert!(text.contains(told), "{told:?} is not told:\n{text}");
        }
    }
    assert!(comment.contains("The state was serial"), "{comment}");
    assert!(!comment.contains("state push") && !comment.contains("is safe"), "{comment}");
}

#[test]
fn a_state_that_is_cut_in_the_file_and_in_the_output_is_told_as_lost_and_its_parts_are_kept() {
    let (world, number, outcome) = apply("ulimit -f 8");
    let parts = rescued(&world);
    let ends: Vec<_> = parts.iter().map(|(key, _)| key.rsplit_once("-1.").unwrap().1).collect();
    assert_eq!(ends, ["file.part", "printed.part"], "none of it passes for a state");
    for (key, part) in &parts {
        assert!(part.len() > 5000 && part.contains("\"lineage\""), "{key}: {part}");
        assert!(serde_json::from_str::<Value>(part).is_err(), "{key} is whole");
    }
    let keys: Vec<&str> = parts.iter().map(|(key, _)| key.as_str()).collect();
    check_lost(&world, number, &outcome, &[keys[0], keys[1], "cut off after"]);
}

#[test]
fn a_state_that_is_cut_in_the_file_and_printed_whole_is_rescued() {
    let (world, number, _) = apply("ulimit -f 64");
    let [(key, state)] = rescued(&world).try_into().expect("one state");
    assert!(key.ends_with("-1.tfstate"), "{key}");
    let state: Value = serde_json::from_str(&state).expect("it is whole");
    assert!(state["serial"].is_u64() && state.to_string().contains("[0,1,2,3,"), "{state}");
    let comment = world.github.comment(number);
    assert!(comment.contains("it is safe in") && comment.contains("state push"), "{comment}");
}

/// Where its directory cannot be written, Terraform says that it wrote the file, and has not.
#[test]
fn a_state_that_terraform_believes_to_have_saved_is_told_as_lost() {
    let (world, number, outcome) = apply("\"$TERRAFORM\" \"$@\"; code=$?; rm errored.tfstate; exit $code");
    assert_eq!(rescued(&world), []);
    check_lost(&world, number, &outcome, &["Terraform could not save it anywhere"]);
}
