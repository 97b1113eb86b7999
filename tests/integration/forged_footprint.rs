//! The clean-up step goes by files in `RUNNER_TEMP`, which the code of a pull request can write. A
//! forged one deletes nobody's lock and speaks to nobody.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::harness::files::{PROD_KEY, PROD_LOCK};
use crate::harness::laptop::stand_in;
use crate::harness::runner::{Outcome, Step};
use crate::harness::world::World;

/// A process that ended long ago.
fn dead() -> Value {
    json!({ "pid": 999_999_999, "started": "1" })
}

/// A plan whose Terraform is a script of the pull request's that writes this footprint.
fn plan(world: &World, fields: &Value) -> (u64, Outcome) {
    let number = world.new_image();
    let (temp, script) = (world.place("temp"), world.place("bin"));
    let program = stand_in(&script, &forge(world, &temp, fields)).display().to_string();
    let step = Step::plan(world, number).with("terraform-bin", &program);
    (number, step.env("RUNNER_TEMP", &temp.display().to_string()).run())
}

/// A shell script that writes the footprint of a process that is gone, for whatever run and directory it
/// is in.
fn forge(world: &World, temp: &Path, fields: &Value) -> String {
    let mut footprint = json!({
        "working_directory": "DIRECTORY",
        "run": [0, 1],
        "stategate": dead(),
        "terraform": null,
        "state": format!("{}/{PROD_KEY}", world.bucket.name),
        "lock_id": null,
        "pull_requests": [],
        "apply": "not-started",
        "concluded": false,
    });
    for (name, value) in fields.as_object().unwrap() {
        footprint[name] = value.clone();
    }
    let text = footprint.to_string().replace("[0,1]", "[RUN,1]");
    format!(
        "if [ \"$1\" = plan ]; then
mkdir -p '{0}/stategate'
sed -e \"s|DIRECTORY|$PWD|\" -e \"s|RUN|$GITHUB_RUN_ID|\" >'{0}/stategate/'$GITHUB_RUN_ID-1-1.json <<'FORGED'
{text}
FORGED
fi
exec \"$TERRAFORM\" \"$@\"
",
        temp.display()
    )
}

fn cleanup(outcome: &Outcome) -> (Option<i32>, &str) {
    outcome.cleanup.as_ref().map(|(code, log)| (*code, log.as_str())).expect("the clean-up step ran")
}

#[test]
fn it_deletes_no_lock_of_another_run() {
    let world = World::applied();
    let (_, push, sign) = world.slow_change();
    let apply = Step::apply(&world, &push).start();
    apply.wait_for_apply();
    let id = world.bucket.json(PROD_LOCK).unwrap()["ID"].as_str().unwrap().to_owned();
    let scratch = world.place("temp");
    let number = world.new_image();
    let program = stand_in(&world.place("bin"), &forge(&world, &scratch, &json!({ "lock_id": id })));
    // It never gets the lock; its own code runs in `init` all the same.
    let script = fs::read_to_string(&program).unwrap().replace("\"$1\" = plan", "\"$1\" = init");
    fs::write(&program, script).unwrap();
    let step = Step::plan(&world, number).with("terraform-bin", &program.display().to_string());
    let step = step.env("RUNNER_TEMP", &scratch.display().to_string()).with("lock-timeout", "0s");
    let outcome = step.leaving_its_lock().run().exits(10);
    let (code, log) = cleanup(&outcome);
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("the lock stays") && !log.contains("released the lock"), "{log}");
    assert_eq!(world.bucket.json(PROD_LOCK).unwrap()["ID"].as_str(), Some(id.as_str()), "{log}");
    sign.go_on();
    apply.finish().exits(0);
}

#[test]
fn it_speaks_no_words_and_to_no_other_pull_request() {
    let world = World::applied();
    let other = world.new_image();
    Step::plan(&world, other).run().exits(0);
    let before = world.github.comments(other);
    let words = "Run `make evil`";
    let fields = json!({ "apply": "at-work", "rescued": [words, words], "is_rescued": true, "pull_requests": [other] });
    let (number, outcome) = plan(&world, &fields);
    let (_, log) = cleanup(&outcome);
    let comments = world.github.comments(other);
    assert_eq!(comments.len(), before.len(), "{comments:#?}");
    assert_eq!(comments[0].body, before[0].body, "another pull request's comment was edited");
    for told in [log, &outcome.log, &outcome.summary, &world.github.comment(number)] {
        assert!(!told.contains("evil"), "{told}");
    }
    let rescued = format!("stategate/{PROD_KEY}/rescued/");
    assert!(
        !world.bucket.keys().iter().any(|key| key.starts_with(&rescued)),
        "nothing was applied, so nothing is kept"
    );
    assert!(world.bucket.locks().is_empty());
}
