//! The end of a job: the runner kills whatever still carries the job's tracking ID, Terraform too.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;

use crate::harness::files::PROD_LOCK;
use crate::harness::process::wait_for;
use crate::harness::runner::Step;
use crate::harness::world::World;

/// The programs at work in a job's checkout.
fn at_work(workspace: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for process in fs::read_dir("/proc").unwrap().flatten() {
        if fs::read_link(process.path().join("cwd")).is_ok_and(|directory| directory.starts_with(workspace)) {
            found.push(fs::read_to_string(process.path().join("comm")).unwrap_or_default().trim().to_owned());
        }
    }
    found
}

#[test]
fn a_terraform_that_the_sweep_kills_leaves_its_lock_and_everybody_is_told() {
    let world = World::applied();
    let (_, push, _sign) = world.slow_change();
    // Its clean-up step never comes: the runner has given up on the job.
    let mut step = Step::apply(&world, &push).without_cleanup().start();
    step.wait_for_log("Provisioning with");
    let workspace = step.workspace.canonicalize().unwrap();
    step.signal(Signal::KILL);
    wait_for("the step to die", Duration::from_mins(1), || {
        (!at_work(&workspace).contains(&"stategate".to_owned())).then_some(())
    });
    assert!(at_work(&workspace).contains(&"terraform".to_owned()), "{:?}", at_work(&workspace));

    let outcome = step.finish();
    wait_for("the sweep to end all", Duration::from_mins(1), || at_work(&workspace).is_empty().then_some(()));
    assert_eq!(outcome.code, None);
    assert_eq!(world.bucket.locks(), [PROD_LOCK], "nobody proved that the state is sound, so it stays locked");

    let number = world.new_image();
    let waiting = Step::plan(&world, number).with("lock-timeout", "0s").run().exits(10);
    assert!(waiting.output("lock-holder").contains("octocat"), "{}", waiting.output("lock-holder"));
    assert!(world.github.comment(number).contains(&outcome.url()), "{}", world.github.comment(number));
    assert_eq!(world.bucket.locks(), [PROD_LOCK]);
    let laptop = world.laptop();
    laptop.plan();
    let status = laptop.stategate(&["status", "--json"]).stdout;
    laptop.terraform(&["force-unlock", "-force", &lock_id(&status)]).succeeded();
    Step::plan(&world, number).run().exits(0);
}

fn lock_id(status: &str) -> String {
    let status: serde_json::Value = serde_json::from_str(status).unwrap();
    status["locks"][0]["id"].as_str().unwrap().to_owned()
}
