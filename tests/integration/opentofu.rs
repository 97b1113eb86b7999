//! `OpenTofu`, as far as it can be told without its program: a stand-in called `tofu` that says of
//! itself what `OpenTofu` says, and is Terraform otherwise. The CI runs all tests with the real one.

use std::path::PathBuf;

use stategate_core::transcript::{Dump, Said, Transcript};

use crate::harness::downloads::program;
use crate::harness::files::PROD_KEY;
use crate::harness::laptop::terraform;
use crate::harness::runner::Step;
use crate::harness::workflow::Workflow;
use crate::harness::world::World;

/// A directory with `tofu` alone: no `terraform` is on this runner.
fn tofu(world: &World) -> PathBuf {
    let directory = world.place("opentofu");
    let version = r#"{"terraform_version":"1.10.6","platform":"linux_amd64","provider_selections":{}}"#;
    let script = format!(
        "#!/bin/sh\n[ \"$1\" != version ] || {{ echo '{version}'; exit; }}\nunset TF_ENCRYPTION\nexec '{}' \"$@\"\n",
        terraform().display()
    );
    program(&directory.join("tofu"), &script);
    directory
}

fn with_tofu<'a>(world: &World, step: Step<'a>) -> Step<'a> {
    step.env("PATH", &format!("{}:/usr/bin:/bin", tofu(world).display()))
}

#[test]
fn the_printed_plan_and_an_apply_run_where_only_tofu_is() {
    let world = World::applied();
    let number = world.new_image();
    let workflow = Workflow::printed("docs/workflows.md", "plan with OpenTofu");
    let event = world.github.pull_request_event(number, "opened");
    let planned = with_tofu(&world, workflow.steps(&world, &event).remove(0)).run().exits(0);
    assert_eq!(planned.output("change"), "1");

    world.approve(number);
    let push = world.merge(number);
    // Without a word on the executable it is found, too.
    with_tofu(&world, Step::apply(&world, &push)).run().exits(0);
    assert!(String::from_utf8(world.bucket.get(PROD_KEY).unwrap()).unwrap().contains("web:1.1"));
    assert!(world.bucket.locks().is_empty());
}

#[test]
fn a_lock_of_ours_names_opentofus_version_and_keeps_terraform_out() {
    let world = World::applied();
    let freeze = Step::new(&world, "lock", world.github.dispatch_event("hubot")).with("reason", "a long night");
    with_tofu(&world, freeze).run().exits(0);
    let lock = String::from_utf8(world.bucket.get(&format!("{PROD_KEY}.tflock")).unwrap()).unwrap();
    assert!(lock.contains(r#""Version":"1.10.6""#), "{lock}");
    let refused = world.laptop().plan();
    assert_ne!(refused.code, Some(0), "{}", refused.text());
    assert!(refused.text().contains("Error acquiring the state lock"), "{}", refused.text());
}

/// Only `OpenTofu` can write an encrypted state: it could not read one of ours. `init` writes it, but
/// not while somebody holds the lock.
#[test]
fn a_new_workspace_with_an_encrypted_state_is_left_to_opentofu() {
    let world = World::applied();
    let number = world.new_image();
    let state = format!("env:/blue/{PROD_KEY}");
    let lock = format!("{state}.tflock");
    for (encryption, code) in [("state { method = method.aes_gcm.m }", 2), ("", 0)] {
        world.bucket.put(&lock, r#"{"ID":"5e2b1f54-2b35-4c0a-9b58-4f0d4bb0f1aa","Who":"hubot@laptop"}"#);
        let step = Step::plan(&world, number).with("workspace", "blue").env("TF_ENCRYPTION", encryption);
        let mut running = with_tofu(&world, step).start();
        running.wait_for_log("waiting for the lock");
        world.bucket.delete(&lock);
        let ended = running.finish().exits(code);
        assert!(world.bucket.locks().is_empty());
        assert_eq!(world.bucket.get(&state).is_some(), code == 0);
        if code != 0 {
            ended
                .says("the workspace blue has no state yet, and its state is encrypted")
                .says("tofu workspace new blue");
        }
    }
}

/// As the last resort `OpenTofu`, too, prints the state that it could write nowhere: encrypted.
#[test]
fn an_encrypted_state_that_is_only_printed_is_rescued_as_it_is() {
    let state = r#"{"serial":7,"lineage":"l","meta":{},"encrypted_data":"c2VjcmV0","encryption_version":"v0"}"#;
    let mut transcript = Transcript::default();
    let line = format!(
        r#"{{"@level":"info","@message":"Emergency state dump","@module":"tofu.ui","type":"log","state":{state}}}"#
    );
    assert_eq!(transcript.hear(&line), Said::Nothing);
    assert_eq!(transcript.take_state(), Some(Dump::Whole(state.to_owned())));
}
