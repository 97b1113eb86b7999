//! `status`, `unlock` and `release`: a lock that was left behind is found, judged and removed, and
//! no other lock is.

use std::time::Duration;

use serde_json::Value;

use crate::harness::files::{PROD_KEY, PROD_LOCK};
use crate::harness::process::wait_for;
use crate::harness::runner::{Outcome, Step};
use crate::harness::world::World;

/// A world whose apply died with its machine and left its lock.
fn left_behind() -> (World, u64, Outcome, String) {
    let world = World::applied();
    let (number, push, sign) = world.slow_change();
    let step = Step::apply(&world, &push).start();
    wait_for("the apply to begin", Duration::from_mins(1), || step.log().contains("Provisioning with").then_some(()));
    let dead = step.vanish();
    sign.go_on();
    let id = world.bucket.json(PROD_LOCK).expect("the lock is left")["ID"].as_str().unwrap().to_owned();
    (world, number, dead, id)
}

fn status(world: &World) -> Value {
    let step = Step::new(world, "status", world.github.dispatch_event("hubot")).with("json", "true").run().exits(0);
    let line = step.log.lines().find(|line| line.starts_with('{')).unwrap_or_else(|| panic!("no JSON:\n{}", step.log));
    serde_json::from_str(line).unwrap()
}

#[test]
fn a_free_state_is_said_to_be_free() {
    let world = World::applied();
    assert_eq!(status(&world)["locked"], false);
    let unlock = Step::unlock(&world, "hubot").with("reason", "just looking").run().exits(0);
    assert!(unlock.log.contains("not locked"), "{}", unlock.log);
}

#[test]
fn status_tells_a_living_holder_from_a_dead_one() {
    let (world, number, dead, id) = left_behind();
    world.github.finish_run_before(dead.run, "cancelled", 2);
    let seen = status(&world);
    assert_eq!(seen["locks"][0]["stale"], false, "its clean-up may still run: {seen}");
    world.github.finish_run_before(dead.run, "cancelled", 7);
    let seen = status(&world);
    let lock = &seen["locks"][0];
    assert_eq!((lock["id"].as_str(), lock["store"].as_str()), (Some(id.as_str()), Some("s3")));
    assert_eq!(lock["who"], "octocat via GitHub Actions (acme/infra)");
    assert!(lock["info"].as_str().unwrap().contains(&format!("acme/infra#{number}")));
    assert_eq!((lock["run"]["status"].as_str(), lock["stale"].as_bool()), (Some("completed"), Some(true)));
    assert!(seen["advice"].as_str().unwrap().contains(&id), "{seen}");
    world.github.delete_run(dead.run);
    assert_eq!(status(&world)["locks"][0]["stale"], true, "a deleted run is dead");
}

#[test]
fn without_an_id_unlock_only_shows_the_holder() {
    let (world, _, dead, id) = left_behind();
    world.github.finish_run_before(dead.run, "cancelled", 7);
    Step::unlock(&world, "hubot").run().exits(10).says(&id).says("octocat via GitHub Actions");
    assert_eq!(world.bucket.locks(), [PROD_LOCK]);
}

#[test]
fn unlock_removes_a_dead_runs_lock_and_leaves_a_record() {
    let (world, number, dead, id) = left_behind();
    world.github.finish_run_before(dead.run, "cancelled", 7);
    let step = Step::unlock(&world, "hubot").with("lock-id", &id).with("reason", "the runner was lost").run().exits(0);
    assert!(world.bucket.locks().is_empty());

    let prefix = format!("stategate/{PROD_KEY}/audit/");
    let keys = world.bucket.keys();
    let key = keys.iter().find(|key| key.starts_with(&prefix) && key.contains("unlock")).expect("an audit record");
    let record = world.bucket.json(key).unwrap();
    assert_eq!((record["action"].as_str(), record["actor"].as_str()), (Some("unlock"), Some("hubot")));
    assert_eq!(
        (record["reason"].as_str(), record["lock"]["ID"].as_str()),
        (Some("the runner was lost"), Some(id.as_str()))
    );
    assert!(record["run_url"].as_str().unwrap().starts_with(&step.url()));

    let note = world.github.comments(number).last().unwrap().body.clone();
    for told in [id.as_str(), "hubot", "the runner was lost"] {
        assert!(note.contains(told), "{told:?} is not told on the holder's pull request:\n{note}");
    }
}

#[test]
fn unlock_refuses_what_it_must_not_touch() {
    let (world, _, dead, id) = left_behind();
    world.github.finish_run_before(dead.run, "cancelled", 7);
    let unlock = |actor: &str| Step::unlock(&world, actor);
    unlock("hubot").with("lock-id", &id).run().exits(2).says("--reason");
    unlock("hubot").with("lock-id", "another").with("reason", "a slip").run().exits(10).says(&id);
    world.github.person("outsider", "read");
    unlock("outsider").with("lock-id", &id).with("reason", "a try").run().exits(11).says("outsider");
    world.github.finish_run_before(dead.run, "cancelled", 1);
    unlock("hubot").with("lock-id", &id).with("reason", "too early").run().exits(10);
    assert_eq!(world.bucket.locks(), [PROD_LOCK]);
    unlock("hubot").with("lock-id", &id).with("reason", "it is dead").with("force", "true").run().exits(0);
    assert!(world.bucket.locks().is_empty());
}

#[test]
fn unlock_refuses_a_living_run() {
    let world = World::applied();
    let (_, push, sign) = world.slow_change();
    let step = Step::apply(&world, &push).start();
    wait_for("the apply to begin", Duration::from_mins(1), || step.log().contains("Provisioning with").then_some(()));
    let id = world.bucket.json(PROD_LOCK).unwrap()["ID"].as_str().unwrap().to_owned();
    Step::unlock(&world, "hubot").with("lock-id", &id).with("reason", "impatience").run().exits(10).says("alive");
    assert_eq!(world.bucket.locks(), [PROD_LOCK]);
    sign.go_on();
    step.finish().exits(0);
}

#[test]
fn a_lock_that_cannot_be_read_is_removed_by_its_etag() {
    for body in ["", "not JSON at all"] {
        let world = World::applied();
        world.bucket.put(PROD_LOCK, body);
        let seen = status(&world);
        assert_eq!(seen["locks"][0]["id"], Value::Null, "{seen}");
        let etag = seen["locks"][0]["etag"].as_str().expect("an ETag").trim_matches('"').to_owned();
        let number = world.new_image();
        Step::plan(&world, number).with("lock-timeout", "0s").run().exits(10).says(&etag);
        let unlock = Step::unlock(&world, "hubot").with("reason", "a truncated upload");
        unlock.with("etag", &etag).run().exits(0);
        assert!(world.bucket.locks().is_empty());
    }
}

#[test]
fn a_stale_lock_is_broken_only_when_asked() {
    let (world, _, dead, _) = left_behind();
    world.github.finish_run_before(dead.run, "cancelled", 7);
    let number = world.new_image();
    Step::plan(&world, number).with("lock-timeout", "0s").run().exits(10);
    assert_eq!(world.bucket.locks(), [PROD_LOCK]);
}
