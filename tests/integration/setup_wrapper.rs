//! The wrapper of setup-terraform and setup-opentofu: a script for Node.js that swallows signals and
//! writes into the output. The real executable beside it is run, or nothing.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::harness::downloads::program;
use crate::harness::laptop::terraform;
use crate::harness::runner::Step;
use crate::harness::world::World;

/// A directory as the setup action leaves it: a wrapper that would tell when it is run.
fn wrapped(world: &World, name: &str) -> PathBuf {
    let directory = world.place("setup");
    let script = "#!/usr/bin/env node\nconsole.log('[command]the wrapper ran');\n";
    program(&directory.join(name), script);
    program(&directory.join("node"), "#!/bin/sh\necho '[command]the wrapper ran'\n");
    directory
}

fn plan_with<'a>(world: &'a World, number: u64, directory: &Path) -> Step<'a> {
    Step::plan(world, number).env("PATH", &format!("{}:/usr/bin:/bin", directory.display()))
}

#[test]
fn the_wrapper_gives_way_to_the_real_executable() {
    let world = World::applied();
    let number = world.new_image();
    for name in ["terraform", "tofu"] {
        let directory = wrapped(&world, name);
        symlink(terraform(), directory.join(format!("{name}-bin"))).unwrap();
        let outcome = plan_with(&world, number, &directory).run().exits(0);
        assert!(!outcome.log.contains("the wrapper ran"), "{}", outcome.log);
        assert_eq!(outcome.output("change"), "1");
    }
}

#[test]
fn a_wrapper_without_the_real_one_is_refused_with_the_line_to_add() {
    let world = World::applied();
    let number = world.new_image();
    for (name, line) in [("terraform", "terraform_wrapper: false"), ("tofu", "tofu_wrapper: false")] {
        let directory = wrapped(&world, name);
        if name == "tofu" {
            // Another product's executable is not the one behind this wrapper.
            symlink(terraform(), directory.join("terraform-bin")).unwrap();
        }
        let outcome = plan_with(&world, number, &directory).run().exits(2).says(line);
        assert!(!outcome.log.contains("the wrapper ran"), "{}", outcome.log);
        let by_path = directory.join(name).display().to_string();
        Step::plan(&world, number).with("terraform-bin", &by_path).run().exits(2).says(line);
    }
    assert!(world.bucket.locks().is_empty());
}

#[test]
fn a_version_managers_script_is_run_as_it_is() {
    let world = World::applied();
    let number = world.new_image();
    let directory = world.place("shims");
    let script = format!("#!/bin/sh\nexec '{}' \"$@\"\n", terraform().display());
    program(&directory.join("terraform"), &script);
    plan_with(&world, number, &directory).run().exits(0);
}
