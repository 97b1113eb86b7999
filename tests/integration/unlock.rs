//! `status`, `unlock` and `release`: a lock that was left behind is found, judged and removed, and
//! no other lock is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::Value;

use crate::harness::fault_proxy::{Fault, FaultProxy};
use crate::harness::files::{PROD, PROD_KEY, PROD_LOCK, backend};
use crate::harness::ministack::Ministack;
use crate::harness::process::{runtime, wait_for};
use crate::harness::runner::{Outcome, Step};
use crate::harness::world::World;
use crate::lock_store::{dynamodb, table};

/// A world whose apply died with its machine and left its lock.
fn left_behind() -> (World, u64, Outcome, String) {
    left_behind_in(World::applied())
}

fn left_behind_in(world: World) -> (World, u64, Outcome, String) {
    let (number, push, sign) = world.slow_change();
    let step = Step::apply(&world, &push).start();
    step.wait_for_apply();
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
}

/// A run that is not found can be one that has just begun.
#[test]
fn a_run_that_is_not_found_keeps_its_young_lock() {
    let (world, _, dead, id) = left_behind();
    world.github.delete_run(dead.run);
    let seen = status(&world);
    assert_eq!(
        (&seen["locks"][0]["stale"], &seen["locks"][0]["run"]["status"]),
        (&Value::Null, &Value::Null),
        "{seen}"
    );
    let unlock = || Step::unlock(&world, "hubot").with("lock-id", &id).with("reason", "its run is gone");
    unlock().run().exits(10).says("younger than an hour").says("When its Terraform is dead for certain").says("force");
    let number = world.new_image();
    let breaking = Step::plan(&world, number).with("break-stale-lock", "true").with("lock-timeout", "0s");
    breaking.run().exits(10);
    assert_eq!(world.bucket.json(PROD_LOCK).unwrap()["ID"].as_str(), Some(id.as_str()));
    unlock().with("force", "true").run().exits(0);
    assert!(world.bucket.locks().is_empty());
}

#[test]
fn a_run_that_is_not_found_is_dead_once_its_lock_is_an_hour_old() {
    let later = Arc::new(AtomicBool::new(false));
    let mut bucket = Ministack::shared().bucket();
    let is_later = Arc::clone(&later);
    // The store's clock goes on by an hour; the runner's does not.
    let proxy = FaultProxy::start(&bucket.endpoint, move |seen| {
        let ages = is_later.load(Ordering::SeqCst) && seen.method == "GET" && seen.path.contains(".tflock");
        if ages { Fault::ClockAhead(Duration::from_mins(61)) } else { Fault::None }
    });
    bucket.endpoint.clone_from(&proxy.endpoint);
    let (world, _, dead, id) = left_behind_in({
        let world = World::with_bucket(bucket);
        world.laptop().apply().succeeded();
        world
    });
    world.github.delete_run(dead.run);
    assert_eq!(status(&world)["locks"][0]["stale"], Value::Null);
    later.store(true, Ordering::SeqCst);
    let lock = &status(&world)["locks"][0];
    assert_eq!((lock["stale"].as_bool(), lock["run"]["status"].as_str()), (Some(true), Some("deleted")), "{lock}");
    Step::unlock(&world, "hubot").with("lock-id", &id).with("reason", "its run is gone").run().exits(0);
    assert!(world.bucket.locks().is_empty());
}

/// `apply dev` lost its machine; `apply prod` of the same run waits for a reviewer, for weeks.
#[test]
fn a_dead_jobs_lock_is_stale_while_its_run_waits_for_a_reviewer() {
    for waits in ["waiting", "in_progress"] {
        let (world, _, dead, id) = left_behind();
        world.github.finish_run_before(dead.run, "failure", 7);
        world.github.add_job(dead.run, "apply prod", waits);
        let seen = status(&world);
        let unlock = Step::unlock(&world, "hubot").with("lock-id", &id).with("reason", "its runner was lost").run();
        if waits == "in_progress" {
            // Its own clock says that it can have taken the lock.
            assert_eq!(seen["locks"][0]["stale"], false, "{seen}");
            unlock.exits(10).says("may be alive");
            continue;
        }
        assert_eq!(seen["locks"][0]["run"]["status"], "waiting", "{seen}");
        assert_eq!(seen["locks"][0]["stale"], true, "{seen}");
        assert!(
            seen["advice"].as_str().unwrap().starts_with("The job of that run that took the lock is over"),
            "{seen}"
        );
        unlock.exits(0);
        assert!(world.bucket.locks().is_empty());
    }
}

#[test]
fn a_job_whose_runner_stopped_reporting_is_not_dead() {
    let (world, _, dead, id) = left_behind();
    world.github.finish_run_before(dead.run, "failure", 30);
    world.github.lose_runner(dead.run);
    let seen = status(&world);
    assert_eq!(seen["locks"][0]["stale"], Value::Null, "{seen}");
    let unlock = || Step::unlock(&world, "hubot").with("lock-id", &id).with("reason", "it looks dead");
    unlock().run().exits(10).says("stopped reporting").says("force");
    let number = world.new_image();
    let breaking = Step::plan(&world, number).with("break-stale-lock", "true").with("lock-timeout", "0s");
    breaking.run().exits(10).says("a person must look");
    assert_eq!(world.bucket.locks(), [PROD_LOCK]);
    unlock().with("force", "true").run().exits(0);
}

/// Whoever writes the lock writes what it is for, too.
#[test]
fn a_kept_lock_that_says_plan_is_kept() {
    let (world, _, dead, id) = left_behind();
    world.github.finish_run_before(dead.run, "failure", 30);
    let kept = format!("stategate/{PROD_KEY}/rescued/{}-1.tfstate", dead.run);
    world.bucket.put(&kept, "{}");
    let mut lock = world.bucket.json(PROD_LOCK).unwrap();
    lock["Operation"] = "OperationTypePlan".into();
    world.bucket.put(PROD_LOCK, lock.to_string());
    assert_eq!(status(&world)["locks"][0]["stale"], false);
    let number = world.new_image();
    let breaking = Step::plan(&world, number).with("break-stale-lock", "true").with("lock-timeout", "0s");
    breaking.run().exits(10).says("on purpose");
    assert_eq!(world.bucket.json(PROD_LOCK).unwrap()["ID"].as_str(), Some(id.as_str()));
}

#[test]
fn the_beginning_of_a_lock_id_is_recognised() {
    let world = World::applied();
    let id = "c9b75094-88f1-4a3e-9a2b-7d3f1c0e5a11";
    world.bucket.put(PROD_LOCK, format!(r#"{{"ID":"{id}","Who":"colleague@desk"}}"#));
    let unlock = |id: &str| Step::unlock(&world, "hubot").with("lock-id", id).with("reason", "a slip").run().exits(10);
    let told = format!("That is the beginning of the lock's ID. Give all of it: `{id}`.");
    unlock("c9b75094").says(&told);
    unlock(" c9b75094-88f1 ").says(&told);
    for other in ["c9b", "88f1", "c9b75095"] {
        assert!(!unlock(other).log.contains("the beginning of"), "{other}");
    }
    assert_eq!(world.bucket.locks(), [PROD_LOCK]);
}

#[test]
fn a_lock_without_a_name_is_somebodys() {
    let world = World::applied();
    world.bucket.put(PROD_LOCK, r#"{"ID":"5f0c","Who":""}"#);
    let status = Step::new(&world, "status", world.github.dispatch_event("hubot")).run().exits(0);
    let status = status.says("somebody who left no name").says("Ask whoever works on this state.");
    assert!(!status.log.contains("Ask ."), "{}", status.log);
    let number = world.new_image();
    let plan = Step::plan(&world, number).with("lock-timeout", "0s").run().exits(10).says("somebody who left no name");
    assert!(!world.github.comment(number).contains("Ask ."), "{}", plan.log);
}

#[test]
fn without_an_id_unlock_only_shows_the_holder() {
    let (world, _, dead, id) = left_behind();
    world.github.finish_run_before(dead.run, "cancelled", 7);
    let shown = Step::unlock(&world, "hubot").run().exits(10).says("octocat via GitHub Actions");
    let (_, told) = shown.log.split_once("::error title=stategate::nothing was removed").expect("an error");
    let start = format!("Start the workflow that runs `unlock` with lock-id `{id}` and a reason.");
    assert!(told.contains(&start), "{told}");
    assert_eq!(shown.log.matches(&start).count(), 1, "what to do is told once:\n{}", shown.log);
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

    // A note tells it all; the comment that said "applying" only says no longer what is not so.
    let comments = world.github.comments(number);
    assert_eq!(comments.len(), 2, "{comments:#?}");
    let (comment, note) = (&comments[0].body, &comments[1].body);
    for told in ["hubot", "the runner was lost", &id] {
        assert!(note.contains(told), "{told:?} is not told:\n{note}");
    }
    assert!(comment.contains("hubot") && !comment.contains("the runner was lost"), "it is told twice:\n{comment}");
    assert!(comments[0].history.iter().any(|body| body.contains("held by this run")), "it was misleading before");
    assert!(comment.contains("how the run ended is unknown"), "{comment}");
    assert!(!comment.contains("held by this run") && !comment.contains(": applying"), "{comment}");
}

#[test]
fn the_answer_stands_alone() {
    let (world, _, dead, id) = left_behind();
    world.github.finish_run_before(dead.run, "cancelled", 7);
    let status = Step::new(&world, "status", world.github.dispatch_event("hubot")).run().exits(0);
    let shown = Step::unlock(&world, "hubot").run().exits(10);
    let unlock = Step::unlock(&world, "hubot").with("lock-id", &id).with("reason", "the runner was lost");
    let unlocked = unlock.run().exits(0).says("is unlocked");
    for log in [&status.log, &shown.log, &unlocked.log] {
        assert!(!log.contains("Initializing") && !log.contains("::group"), "{log}");
        assert_eq!(log.matches("octocat via GitHub Actions").count(), 1, "the holder is told once:\n{log}");
    }
    assert!(!unlocked.log.contains("next"), "there is nothing left to do:\n{}", unlocked.log);
    let step = Step::new(&world, "status", world.github.dispatch_event("hubot")).env("RUNNER_DEBUG", "1");
    step.run().exits(0).says(" | Initializing the backend");
    let broken = world.main.root.join("environments/prod/backend.tf");
    std::fs::write(broken, "terraform {").unwrap();
    Step::new(&world, "status", world.github.dispatch_event("hubot")).run().exits(14).says("Error:");
}

#[test]
fn a_lock_that_is_replaced_in_the_last_moment_is_left_alone() {
    let armed = Arc::new(AtomicBool::new(false));
    let mut bucket = Ministack::shared().bucket();
    let is_armed = Arc::clone(&armed);
    let proxy = FaultProxy::start(&bucket.endpoint, move |seen| {
        let hit = seen.method == "DELETE" && seen.path.contains(".tflock") && is_armed.swap(false, Ordering::SeqCst);
        if hit { Fault::Delay(Duration::from_secs(4)) } else { Fault::None }
    });
    bucket.endpoint.clone_from(&proxy.endpoint);
    let world = World::with_bucket(bucket);
    world.laptop().apply().succeeded();
    world.bucket.put(PROD_LOCK, r#"{"ID":"first","Who":"colleague@desk"}"#);
    armed.store(true, Ordering::SeqCst);
    let step = Step::unlock(&world, "hubot").with("lock-id", "first").with("reason", "it is dead").start();
    wait_for("the delete", Duration::from_mins(1), || (!armed.load(Ordering::SeqCst)).then_some(()));
    world.bucket.put(PROD_LOCK, r#"{"ID":"second","Who":"monalisa@desk"}"#);
    step.finish().exits(10).says("changed since it was shown").says("monalisa@desk");
    assert_eq!(world.bucket.json(PROD_LOCK).unwrap()["ID"], "second");
}

/// A world that locks in both stores.
fn both_stores() -> World {
    let world = World::new();
    table(Ministack::shared(), &world.bucket.name);
    let settings = format!("    dynamodb_table = \"{}\"", world.bucket.name);
    world.main.write(&format!("{PROD}/backend.tf"), &backend(&world.bucket, PROD_KEY, &settings));
    world.laptop().apply().succeeded();
    world
}

#[test]
fn whatever_half_exists_is_removed() {
    let world = both_stores();
    let laptop = world.laptop();
    laptop.stategate(&["lock", "--reason", "a long night"]).succeeded();
    let seen = status(&world);
    assert_eq!(
        (seen["locks"][0]["store"].as_str(), seen["locks"][1]["store"].as_str()),
        (Some("s3"), Some("dynamodb"))
    );
    let id = seen["locks"][1]["id"].as_str().unwrap().to_owned();
    world.bucket.delete(PROD_LOCK);
    Step::unlock(&world, "hubot").with("lock-id", &id).with("reason", "morning").run().exits(0).says("from dynamodb");
    assert_eq!(status(&world)["locked"], false);

    laptop.stategate(&["lock", "--reason", "another night"]).succeeded();
    let id = status(&world)["locks"][0]["id"].as_str().unwrap().to_owned();
    let unlock = Step::unlock(&world, "hubot").with("lock-id", &id).with("reason", "morning").run().exits(0);
    assert!(unlock.log.contains("from s3") && unlock.log.contains("from dynamodb"), "{}", unlock.log);
    assert_eq!(status(&world)["locked"], false);
}

#[test]
fn bodies_that_cannot_be_read_are_removed_by_their_etags_in_both_stores() {
    let world = both_stores();
    for body in ["", "not JSON at all"] {
        world.bucket.put(PROD_LOCK, body);
        let item = dynamodb(&world.bucket.endpoint)
            .put_item()
            .table_name(&world.bucket.name)
            .item("LockID", AttributeValue::S(format!("{}/{PROD_KEY}", world.bucket.name)))
            .item("Info", AttributeValue::S(body.to_owned()));
        runtime().block_on(item.send()).expect("the item is put");
        let seen = status(&world);
        for (index, store) in ["s3", "dynamodb"].iter().enumerate() {
            let lock = &seen["locks"][index];
            assert_eq!((lock["store"].as_str(), &lock["id"]), (Some(*store), &Value::Null), "{seen}");
            let etag = lock["etag"].as_str().expect("an ETag").trim_matches('"').to_owned();
            let unlock = Step::unlock(&world, "hubot").with("etag", &etag).with("reason", "a truncated upload");
            // The store's other half stands: "is unlocked" would be wrong.
            let whole = ["is still locked", "is unlocked"];
            let unlock = unlock.run().exits(0).says(&format!("in {store}")).says(whole[index]);
            assert!(!unlock.log.contains(whole[1 - index]), "{}", unlock.log);
            assert_eq!(status(&world)["locks"].as_array().unwrap().len(), 1 - index, "only that half went");
        }
    }
}

#[test]
fn unlock_refuses_what_it_must_not_touch() {
    let (world, _, dead, id) = left_behind();
    world.github.finish_run_before(dead.run, "cancelled", 7);
    let unlock = |actor: &str| Step::unlock(&world, actor);
    unlock("hubot").with("lock-id", &id).run().exits(2).says("--reason");
    let slip = unlock("hubot").with("lock-id", "another").with("reason", "a slip").run().exits(10).says(&id);
    assert!(slip.log.contains("give that ID when that is the lock you mean"), "{}", slip.log);
    world.github.person("outsider", "read");
    unlock("outsider").with("lock-id", &id).with("reason", "a try").run().exits(11).says("outsider");
    world.github.finish_run_before(dead.run, "cancelled", 1);
    unlock("hubot").with("lock-id", &id).with("reason", "too early").run().exits(10);
    assert_eq!(world.bucket.locks(), [PROD_LOCK]);
    // What is pasted brings blanks along.
    let pasted = format!(" {id} ");
    unlock("hubot").with("lock-id", &pasted).with("reason", "it is dead").with("force", "true").run().exits(0);
    assert!(world.bucket.locks().is_empty());
}

#[test]
fn unlock_refuses_a_living_run() {
    let world = World::applied();
    let (_, push, sign) = world.slow_change();
    let step = Step::apply(&world, &push).start();
    step.wait_for_apply();
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

#[test]
fn a_stale_lock_is_broken_by_proof_and_both_pull_requests_learn_of_it() {
    let (world, dead_number, dead, id) = left_behind();
    let number = world.new_image();
    let breaking = || Step::plan(&world, number).with("break-stale-lock", "true").with("lock-timeout", "0s");
    // Alive, or over a moment ago: no proof.
    breaking().run().exits(10);
    world.github.finish_run_before(dead.run, "cancelled", 2);
    breaking().run().exits(10);
    assert_eq!(world.bucket.json(PROD_LOCK).unwrap()["ID"].as_str(), Some(id.as_str()));
    world.github.finish_run_before(dead.run, "cancelled", 7);
    breaking().run().exits(0);
    assert!(world.bucket.locks().is_empty());

    let prefix = format!("stategate/{PROD_KEY}/audit/");
    let keys = world.bucket.keys();
    let key = keys.iter().find(|key| key.starts_with(&prefix) && key.contains("break-stale-lock")).expect("a record");
    let record = world.bucket.json(key).unwrap();
    assert_eq!((record["actor"].as_str(), record["lock"]["ID"].as_str()), (Some("octocat"), Some(id.as_str())));
    let comment = world.github.comment(number);
    assert!(comment.contains("Removed the stale lock") && comment.contains(&id), "{comment}");
    let told = world.github.comments(dead_number);
    assert!(told[0].body.contains("how the run ended is unknown"), "{}", told[0].body);
    assert!(told[1].body.contains(&id) && told[1].body.contains("proven dead"), "{}", told[1].body);
}

#[test]
fn a_stale_lock_in_both_stores_is_broken_at_once() {
    let (world, _, dead, _) = left_behind_in(both_stores());
    world.github.finish_run_before(dead.run, "cancelled", 7);
    let number = world.new_image();
    let breaking = Step::plan(&world, number).with("break-stale-lock", "true").with("lock-timeout", "0s");
    breaking.run().exits(0);
    assert_eq!(status(&world)["locked"], false);
    let is_record = |key: &&String| key.contains("break-stale-lock");
    assert_eq!(world.bucket.keys().iter().filter(is_record).count(), 1, "one lock, one record");
}

#[test]
fn what_status_says_to_do_works_where_nobody_may_ask_about_the_run() {
    let (world, _, dead, id) = left_behind();
    world.github.finish_run_before(dead.run, "cancelled", 7);
    let laptop = world.laptop();
    let status = laptop.stategate(&["status"]).succeeded().stdout;
    let command = status.split("`stategate ").nth(1).and_then(|rest| rest.split('`').next()).expect("a command");
    assert!(command.contains(&id), "{status}");
    let words: Vec<&str> = command.split(' ').collect();
    // Without force it is refused, and told what works instead.
    let without: Vec<&str> = words.iter().filter(|word| **word != "--force").copied().collect();
    let refused = laptop.stategate(&without);
    assert_eq!(refused.code, Some(10), "{}", refused.text());
    let next = refused.stderr.split_once("  next: ").map(|(_, next)| next).unwrap_or_default();
    let start = format!("Start the workflow that runs `unlock` with lock-id `{id}` and a reason");
    assert!(next.starts_with(&start) && next.contains(command) && status.contains(&start), "{}", refused.text());
    laptop.stategate(&words).succeeded();
    assert!(world.bucket.locks().is_empty());
}

/// No sentence of a job leads to a command that is refused where it is pasted.
#[test]
fn in_a_job_every_lock_is_removed_by_the_workflow() {
    let (world, _, dead, id) = left_behind();
    let number = world.new_image();
    let told = |texts: &[&str]| {
        let plan = Step::plan(&world, number).with("lock-timeout", "0s").run().exits(10);
        let status = Step::new(&world, "status", world.github.dispatch_event("hubot")).run().exits(0);
        let shown = Step::unlock(&world, "hubot").run().exits(10);
        for told in [&plan.log, &plan.summary, &world.github.comment(number), &status.log, &shown.log] {
            for text in texts {
                assert!(told.contains(text), "{text:?} is not told:\n{told}");
            }
            assert!(!told.contains("stategate unlock"), "a command is told:\n{told}");
        }
    };
    world.github.finish_run_before(dead.run, "cancelled", 2);
    let start = format!("tart the workflow that runs `unlock` with lock-id `{id}` and a reason");
    told(&["its clean-up may still release the lock", &start]);
    world.github.finish_run_before(dead.run, "cancelled", 7);
    told(&["left its lock behind", &start]);
    world.bucket.delete(PROD_LOCK);
    world.laptop().stategate(&["lock", "--reason", "a long night"]).succeeded();
    let id = world.bucket.json(PROD_LOCK).unwrap()["ID"].as_str().unwrap().to_owned();
    let start = format!("start the workflow that runs `unlock` with lock-id `{id}` and a reason");
    told(&["To end the freeze", &start]);
    world.bucket.put(PROD_LOCK, r#"{"ID":"5f0c","Who":"colleague@desk"}"#);
    told(&["colleague@desk", "start the workflow that runs `unlock` with lock-id `5f0c` and a reason"]);
    world.bucket.put(PROD_LOCK, "not JSON");
    told(&["start the workflow that runs `unlock` with force (or"]);
    Step::unlock(&world, "hubot").with("force", "true").with("reason", "a truncated upload").run().exits(0);
    assert!(world.bucket.locks().is_empty());
}
