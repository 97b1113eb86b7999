//! A named workspace that does not exist yet, where Terraform locks whatever `-lock=false` says.

use crate::harness::files::{PROD, PROD_KEY};
use crate::harness::runner::Step;
use crate::harness::world::World;

#[test]
fn a_new_workspace_is_planned_applied_frozen_and_unlocked() {
    let world = World::applied();
    let state = format!("env:/blue/{PROD_KEY}");
    let number = world.new_image();
    let in_blue = |step: Step<'_>| step.with("workspace", "blue").run();
    let planned = in_blue(Step::plan(&world, number)).exits(0);
    assert_eq!(planned.output("add"), "5", "nothing is there yet");
    // Whoever misspelt it sees it.
    for told in [&planned.log, &world.github.comment(number)] {
        assert!(told.contains("The workspace `blue` is new: nothing was applied in it before."), "{told}");
    }
    assert!(!planned.log.contains("Error:"), "{}", planned.log);
    assert!(world.bucket.get(&state).is_some() && world.bucket.locks().is_empty());
    world.approve(number);
    let push = world.merge(number);
    let default = world.bucket.get(PROD_KEY);
    in_blue(Step::apply(&world, &push)).exits(0).says("The workspace `blue` is new");
    let number = world.pull_request("More", |files| files.append(&format!("{PROD}/main.tf"), "# more\n"));
    let again = in_blue(Step::plan(&world, number)).exits(0);
    assert!(!again.log.contains("is new"), "{}", again.log);
    assert!(String::from_utf8(world.bucket.get(&state).unwrap()).unwrap().contains("web:1.1"));
    assert_eq!(world.bucket.get(PROD_KEY), default, "the default workspace was not touched");
    assert!(world.bucket.locks().is_empty());

    let dispatched = || world.github.dispatch_event("hubot");
    let frozen = in_blue(Step::new(&world, "lock", dispatched()).with("reason", "a long night")).exits(0);
    assert_eq!(world.bucket.locks(), [format!("{state}.tflock")]);
    let unlock = Step::unlock(&world, "hubot").with("lock-id", frozen.output("lock-id")).with("reason", "morning");
    in_blue(unlock).exits(0);
    assert!(world.bucket.locks().is_empty());
}

#[test]
fn the_first_command_in_a_new_workspace_may_be_a_freeze() {
    let world = World::applied();
    let green = |step: Step<'_>| step.with("workspace", "green").run();
    let dispatched = || world.github.dispatch_event("hubot");
    let frozen = green(Step::new(&world, "lock", dispatched()).with("reason", "not yet")).exits(0);
    let number = world.new_image();
    green(Step::plan(&world, number)).exits(10).says("not yet");
    let unlock = Step::unlock(&world, "hubot").with("lock-id", frozen.output("lock-id")).with("reason", "now");
    green(unlock).exits(0);
    green(Step::plan(&world, number)).exits(0);
}
