//! The lock on a bad network and a bad service: each row of the fault table, and random histories.

use std::future::pending;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use stategate::shell::lock_store::{
    AcquireError, AwsError, AwsErrorKind, Bucket, Released, Removed, VerifyError, Wait, acquire, preflight, read_locks,
    release_ours, remove,
};

use crate::harness::fault_proxy::{Fault, FaultProxy, Seen};
use crate::harness::ministack::Ministack;
use crate::harness::process::runtime;
use crate::harness::world::World;
use crate::lock_store::{backend, info, table, try_lock};

/// The faults that leave a request in doubt.
const DOUBTS: [Fault; 6] = [
    Fault::Lose,
    Fault::LoseAnswer,
    Fault::Status(503, "SlowDown"),
    Fault::Status(409, "ConditionalRequestConflict"),
    Fault::DoneBut(500, "InternalError"),
    Fault::Twice,
];

fn settings(store: &str, name: &str) -> String {
    match store {
        "s3" => r#""use_lockfile":true"#.to_owned(),
        "dynamodb" => format!(r#""dynamodb_table":"{name}""#),
        _ => format!(r#""use_lockfile":true,"dynamodb_table":"{name}""#),
    }
}

/// A bucket and a table of its own, reached directly and through a proxy with this plan.
pub(crate) fn through(
    store: &str,
    plan: impl Fn(&Seen) -> Fault + Send + Sync + 'static,
) -> (Bucket, Bucket, FaultProxy) {
    let bucket = Ministack::shared().bucket();
    table(Ministack::shared(), &bucket.name);
    let proxy = FaultProxy::start(&bucket.endpoint, plan);
    let settings = settings(store, &bucket.name);
    let direct = runtime().block_on(Bucket::connect(backend(&bucket.endpoint, &bucket.name, &settings)));
    let faulty = runtime().block_on(Bucket::connect(backend(&proxy.endpoint, &bucket.name, &settings)));
    (direct, faulty, proxy)
}

/// This fault on the first request with one of these operations.
fn once(operations: &'static [&'static str], fault: Fault) -> impl Fn(&Seen) -> Fault + Send + Sync + 'static {
    let left = AtomicU32::new(1);
    move |seen| {
        let hit = operations.contains(&seen.operation())
            && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        if hit { fault } else { Fault::None }
    }
}

const PUTS: &[&str] = &["PUT", "PutItem"];
const DELETES: &[&str] = &["DELETE", "DeleteItem"];

#[test]
fn an_uncontended_lock_costs_one_put_and_one_delete() {
    for (store, expected) in [
        ("s3", vec!["PUT", "DELETE"]),
        ("dynamodb", vec!["PutItem", "DeleteItem"]),
        ("both", vec!["PUT", "PutItem", "DELETE", "DeleteItem"]),
    ] {
        let (_, faulty, proxy) = through(store, |_| Fault::None);
        let lock = runtime().block_on(try_lock(&faulty, "a")).unwrap();
        assert!(matches!(runtime().block_on(lock.release()), Ok(Released::Done)));
        assert_eq!(proxy.operations(), expected);
    }
}

#[test]
fn a_put_in_doubt_ends_with_the_lock_held() {
    for store in ["s3", "dynamodb", "both"] {
        for fault in DOUBTS {
            let (direct, faulty, proxy) = through(store, once(PUTS, fault));
            let lock =
                runtime().block_on(try_lock(&faulty, "a")).unwrap_or_else(|e| panic!("{store} {fault:?}: {e:?}"));
            runtime().block_on(lock.verify()).unwrap();
            let released = runtime().block_on(lock.release());
            assert!(matches!(released, Ok(Released::Done)), "{store} {fault:?}: {released:?}");
            assert!(
                runtime().block_on(read_locks(&direct)).unwrap().is_empty(),
                "{store} {fault:?} {:?}",
                proxy.operations()
            );
        }
    }
}

#[test]
fn a_delete_in_doubt_is_finished_and_hits_nobody_else() {
    for store in ["s3", "dynamodb", "both"] {
        for fault in DOUBTS {
            let (direct, faulty, _) = through(store, once(DELETES, fault));
            let lock = runtime().block_on(try_lock(&faulty, "a")).unwrap();
            let released = runtime().block_on(lock.release());
            // Where the first delete was repeated underneath us, the second one found nothing.
            let expected = matches!(released, Ok(Released::Done))
                || fault == Fault::Twice && matches!(released, Ok(Released::AlreadyGone));
            assert!(expected, "{store} {fault:?}: {released:?}");
            assert!(runtime().block_on(read_locks(&direct)).unwrap().is_empty(), "{store} {fault:?}");
        }
        // The answer is lost, and somebody else locks before we ask again: the row where
        // Terraform deletes the new owner's lock.
        let late = Fault::Late(Duration::from_millis(1500));
        for fault in [Fault::LoseAnswer, late] {
            let (direct, faulty, _) = through(store, once(DELETES, fault));
            let lock = runtime().block_on(try_lock(&faulty, "a")).unwrap();
            let other = {
                let direct = direct.clone();
                runtime().spawn(async move {
                    loop {
                        if let Ok(lock) = try_lock(&direct, "b").await {
                            return lock;
                        }
                    }
                })
            };
            runtime().block_on(lock.release()).unwrap();
            let other = runtime().block_on(other).unwrap();
            std::thread::sleep(Duration::from_millis(1600));
            runtime().block_on(other.verify()).unwrap_or_else(|e| panic!("{store} {fault:?}: {e:?}"));
            assert!(matches!(runtime().block_on(other.release()), Ok(Released::Done)));
        }
    }
}

#[test]
fn a_denied_request_is_an_error_that_says_what_is_missing_and_leaves_nothing() {
    let denied = Fault::Status(403, "AccessDenied");
    let (direct, faulty, _) = through("s3", once(PUTS, denied));
    let Err(AcquireError::Aws(error)) = runtime().block_on(try_lock(&faulty, "a")) else { panic!("403") };
    assert!(error.hint().contains("`s3:PutObject` on `arn:aws:s3:::"), "{}", error.hint());
    assert!(runtime().block_on(read_locks(&direct)).unwrap().is_empty());

    // The second half is denied: the first goes back.
    let (direct, faulty, _) = through("both", once(&["PutItem"], Fault::Status(400, "AccessDeniedException")));
    let Err(AcquireError::Aws(error)) = runtime().block_on(try_lock(&faulty, "a")) else { panic!("400") };
    assert!(error.hint().contains("`dynamodb:PutItem`"), "{}", error.hint());
    assert!(runtime().block_on(read_locks(&direct)).unwrap().is_empty());

    // A denied delete leaves the lock, says so, and does not keep the other half.
    let (direct, faulty, _) = through("both", once(&["DELETE"], denied));
    let lock = runtime().block_on(try_lock(&faulty, "a")).unwrap();
    let error = runtime().block_on(lock.release()).unwrap_err();
    assert!(error.hint().contains("s3:DeleteObject"), "{}", error.hint());
    assert_eq!(runtime().block_on(read_locks(&direct)).unwrap().len(), 1);
    let cleaned_up = runtime().block_on(release_ours(&faulty, |info| info.id == "a"));
    assert!(cleaned_up.removed.len() == 1 && cleaned_up.failed.is_none(), "{cleaned_up:?}");

    // What the clean-up step removed in one store is told though the other one refuses.
    let refuse: &[&str] = &["DeleteItem"];
    let (_, faulty, _) = through("both", once(refuse, Fault::Status(400, "AccessDeniedException")));
    drop(runtime().block_on(try_lock(&faulty, "a")).unwrap());
    let cleaned_up = runtime().block_on(release_ours(&faulty, |info| info.id == "a"));
    assert_eq!(cleaned_up.removed.iter().map(|seen| seen.store.as_str()).collect::<Vec<_>>(), ["s3"]);
    assert!(cleaned_up.failed.unwrap().hint().contains("`dynamodb:DeleteItem`"));
}

#[test]
fn cancelling_with_a_put_in_flight_leaves_nothing_behind() {
    for fault in [Fault::Delay(Duration::from_millis(400)), Fault::LoseAnswer, Fault::None] {
        for store in ["s3", "dynamodb", "both"] {
            let (direct, faulty, _) = through(store, once(PUTS, fault));
            let soon = async { tokio::time::sleep(Duration::from_millis(50)).await };
            let wait = Wait { timeout: Duration::from_secs(5) };
            let ended = runtime().block_on(acquire(&faulty, info(&faulty, "a"), wait, soon, |_| ()));
            match ended {
                Err(AcquireError::Cancelled) => {}
                Ok(lock) if fault == Fault::None => drop(runtime().block_on(lock.release()).unwrap()),
                other => panic!("{store} {fault:?}: {other:?}"),
            }
            assert!(runtime().block_on(read_locks(&direct)).unwrap().is_empty(), "{store} {fault:?}");
        }
    }
}

#[test]
fn a_store_without_conditional_delete_is_compared_first() {
    let unsupported = |seen: &Seen| {
        let conditional = seen.method == "DELETE" && seen.header("if-match").is_some();
        if conditional { Fault::Status(501, "NotImplemented") } else { Fault::None }
    };
    let (direct, faulty, proxy) = through("s3", unsupported);
    let lock = runtime().block_on(try_lock(&faulty, "a")).unwrap();
    assert!(matches!(runtime().block_on(lock.release()), Ok(Released::Done)));
    assert_eq!(proxy.operations(), ["PUT", "DELETE", "GET", "DELETE"]);
    // Not ours any more: no unconditional delete.
    let lock = runtime().block_on(try_lock(&faulty, "a")).unwrap();
    let seen = runtime().block_on(read_locks(&direct)).unwrap();
    assert!(matches!(runtime().block_on(remove(&direct, &seen[0])), Ok(Removed::Done)));
    let theirs = runtime().block_on(try_lock(&direct, "b")).unwrap();
    assert!(matches!(runtime().block_on(lock.release()), Ok(Released::NotOurs(_))));
    runtime().block_on(theirs.verify()).unwrap();
}

#[test]
fn a_store_that_ignores_conditions_is_found_out_and_refused() {
    // Writes without regard to what is there.
    let (_, faulty, _) = through("s3", |_| Fault::WithoutConditions);
    let lock = runtime().block_on(try_lock(&faulty, "a")).unwrap();
    let error = runtime().block_on(lock.check_store()).unwrap_err();
    assert_eq!((error.operation, &error.kind), ("PutObject", &AwsErrorKind::IgnoresConditions), "{error}");
    assert!(error.to_string().contains("excludes nobody"), "{error}");
    runtime().block_on(lock.release()).unwrap();
    // Heeds the condition on writing, ignores it on deleting.
    let plan = |seen: &Seen| if seen.method == "DELETE" { Fault::WithoutConditions } else { Fault::None };
    let (_, faulty, _) = through("s3", plan);
    let lock = runtime().block_on(try_lock(&faulty, "a")).unwrap();
    let error = runtime().block_on(lock.check_store()).unwrap_err();
    assert_eq!((error.operation, &error.kind), ("DeleteObject", &AwsErrorKind::IgnoresConditions), "{error}");
    runtime().block_on(lock.release()).unwrap();
}

#[test]
fn a_store_that_keeps_its_word_passes_and_the_lock_stays() {
    let (direct, faulty, proxy) = through("both", |_| Fault::None);
    let lock = runtime().block_on(try_lock(&faulty, "a")).unwrap();
    runtime().block_on(lock.check_store()).unwrap();
    assert_eq!(proxy.operations(), ["PUT", "PutItem", "PUT", "DELETE"]);
    runtime().block_on(lock.verify()).unwrap();
    // Somebody else's preflight does not touch it either.
    runtime().block_on(preflight(&direct)).unwrap();
    runtime().block_on(lock.verify()).unwrap();
    assert!(matches!(runtime().block_on(lock.release()), Ok(Released::Done)));
    runtime().block_on(preflight(&direct)).unwrap();
}

#[test]
fn a_lock_that_we_may_not_delete_is_found_out_early() {
    let denied = |seen: &Seen| match seen.operation() {
        "DELETE" => Fault::Status(403, "AccessDenied"),
        "DeleteItem" => Fault::Status(400, "AccessDeniedException"),
        _ => Fault::None,
    };
    let may_not = |error: &AwsError, what: &str| assert!(error.hint().contains(what), "{}", error.hint());
    for (store, what) in [("both", "`s3:DeleteObject` on `arn:aws:s3:::"), ("dynamodb", "`dynamodb:DeleteItem`")] {
        let (_, faulty, _) = through(store, denied);
        may_not(&runtime().block_on(preflight(&faulty)).unwrap_err(), what);
    }
    // While somebody holds the lock, it is not asked about where a condition may be ignored.
    let (direct, faulty, proxy) =
        through("s3", |seen| if seen.method == "DELETE" { Fault::WithoutConditions } else { Fault::None });
    let theirs = runtime().block_on(try_lock(&direct, "b")).unwrap();
    runtime().block_on(preflight(&faulty)).unwrap();
    assert_eq!(proxy.operations(), ["GET"]);
    runtime().block_on(theirs.verify()).unwrap();
    runtime().block_on(theirs.release()).unwrap();

    let (_, faulty, _) = through("both", denied);
    let lock = runtime().block_on(try_lock(&faulty, "a")).unwrap();
    may_not(&runtime().block_on(lock.check_store()).unwrap_err(), "`s3:DeleteObject` on `arn:aws:s3:::");
}

#[test]
fn a_store_that_answers_no_probe_is_known_by_the_other_condition() {
    // The lock is won with a lost answer already; then the probes stay unanswered.
    let (_, faulty, _) = through("s3", |seen| if seen.method == "PUT" { Fault::LoseAnswer } else { Fault::None });
    let lock = runtime().block_on(try_lock(&faulty, "a")).unwrap();
    runtime().block_on(lock.check_store()).unwrap();
    assert!(matches!(runtime().block_on(lock.release()), Ok(Released::Done)));

    // Where that one is not known, nothing is known.
    let deaf = |seen: &Seen| match seen.method.as_str() {
        "PUT" => Fault::LoseAnswer,
        "DELETE" => Fault::Status(501, "NotImplemented"),
        _ => Fault::None,
    };
    let (_, faulty, _) = through("s3", deaf);
    let lock = runtime().block_on(try_lock(&faulty, "a")).unwrap();
    let error = runtime().block_on(lock.check_store()).unwrap_err();
    assert_eq!(error.operation, "PutObject", "{error}");
}

#[test]
fn deletes_that_are_done_and_never_answered_are_seen_to_be_done() {
    let (direct, faulty, _) =
        through("s3", |seen| if seen.method == "DELETE" { Fault::LoseAnswer } else { Fault::None });
    let lock = runtime().block_on(try_lock(&faulty, "a")).unwrap();
    assert!(matches!(runtime().block_on(lock.release()), Ok(Released::Done)));
    assert!(runtime().block_on(read_locks(&direct)).unwrap().is_empty());
}

#[test]
fn a_store_that_takes_no_lock_is_a_failure_of_its_own_and_no_holder() {
    let (_, faulty, _) =
        through("s3", |seen| if seen.method == "PUT" { Fault::Status(500, "InternalError") } else { Fault::None });
    let error = runtime().block_on(try_lock(&faulty, "a")).unwrap_err();
    assert!(matches!(&error, AcquireError::Aws(error) if error.kind == AwsErrorKind::Server(500)), "{error:?}");
}

/// A small generator with a seed, so that a failing history can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// Histories of two to four clients whose requests suffer random faults, 40 of them, or as many
/// as `STATEGATE_TEST_SCHEDULES` says. A client may give up when a store stays unclear nine times
/// over; that is rare, it says so, and the clean-up step then finds what it could not let go.
#[test]
fn random_histories_never_have_two_holders_nor_a_forgotten_lock() {
    let schedules: u64 = std::env::var("STATEGATE_TEST_SCHEDULES").map_or(40, |count| count.parse().unwrap());
    // Most of a history is waiting, so many of them run side by side.
    let next = AtomicU64::new(1);
    let gave_up = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed > schedules {
                        break;
                    }
                    gave_up.fetch_add(history(seed), Ordering::SeqCst);
                }
            });
        }
    });
    let gave_up = gave_up.into_inner();
    println!("{schedules} histories, {gave_up} clients gave up");
    assert!(gave_up * 50 <= schedules, "{gave_up} clients gave up in {schedules} histories");
}

/// How many clients gave up.
fn history(seed: u64) -> u64 {
    let random = Mutex::new(Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1));
    let (clients, store) = {
        let mut random = random.lock().unwrap();
        (2 + random.below(3), ["s3", "dynamodb", "both"][usize::try_from(random.below(3)).unwrap()])
    };
    let (direct, faulty, proxy) = through(store, move |seen| {
        // No service answers a read with 409.
        let is_read = seen.operation() == "GET" || seen.operation() == "GetItem";
        let mut random = random.lock().unwrap();
        let delay = Duration::from_millis(random.below(40));
        match random.below(24) {
            0 => Fault::Lose,
            1 => Fault::LoseAnswer,
            2 => Fault::Late(delay),
            3 => Fault::Delay(delay),
            4 => Fault::Twice,
            5 => Fault::CopyLater(delay),
            6 => Fault::Status(503, "SlowDown"),
            7 if !is_read => Fault::Status(409, "ConditionalRequestConflict"),
            8 => Fault::DoneBut(500, "InternalError"),
            _ => Fault::None,
        }
    });
    let holders = Arc::new(AtomicU32::new(0));
    let gave_up = runtime().block_on(async {
        let mut tasks = Vec::new();
        for client in 0..clients {
            let (faulty, holders) = (faulty.clone(), Arc::clone(&holders));
            tasks.push(tokio::spawn(async move {
                let id = format!("client-{client}");
                // Only a bound: on a busy machine the others can take a while.
                let wait = Wait { timeout: Duration::from_mins(5) };
                let lock = match acquire(&faulty, info(&faulty, &id), wait, pending(), |_| ()).await {
                    Ok(lock) => lock,
                    Err(AcquireError::Aws(error)) => {
                        println!("seed {seed} ({store}): {id} gave up: {error}");
                        return 1;
                    }
                    Err(AcquireError::LeftBehind { error, .. }) => {
                        println!("seed {seed} ({store}): {id} gave up and cleans up: {error}");
                        clean_up(&faulty, &id).await;
                        return 1;
                    }
                    Err(error) => panic!("seed {seed} ({store}): {error:?}"),
                };
                let before = holders.fetch_add(1, Ordering::SeqCst);
                assert_eq!(before, 0, "seed {seed}: two holders");
                // Longer than any request is late: what lands later than that is nobody's.
                tokio::time::sleep(Duration::from_millis(150)).await;
                // A read that fails five times over proves nothing; a lost lock would.
                let verified = lock.verify().await;
                assert!(!matches!(verified, Err(VerifyError::Lost { .. })), "seed {seed}: lost: {verified:?}");
                holders.fetch_sub(1, Ordering::SeqCst);
                match lock.release().await {
                    Ok(Released::Done | Released::AlreadyGone) => 0,
                    Ok(Released::NotOurs(theirs)) => panic!("seed {seed} ({store}): {theirs:?}"),
                    Err(error) => {
                        println!("seed {seed} ({store}): {id} cleans up: {error}");
                        clean_up(&faulty, &id).await;
                        1
                    }
                }
            }));
        }
        let mut gave_up = 0;
        for task in tasks {
            gave_up += task.await.unwrap();
        }
        proxy.settled().await;
        gave_up
    });
    let left = runtime().block_on(read_locks(&direct)).unwrap();
    assert!(left.is_empty(), "seed {seed} ({store}): {left:?} after {:?}", proxy.operations());
    gave_up
}

/// What the clean-up step does, which may be run again.
async fn clean_up(bucket: &Bucket, id: &str) {
    for _ in 0..5 {
        if release_ours(bucket, |info| info.id == id).await.failed.is_none() {
            return;
        }
    }
    panic!("{id} cannot be cleaned up");
}

/// 64 tasks on one key, 20 rounds, or as many as `STATEGATE_TEST_ROUNDS` says: one winner each.
#[test]
fn of_64_who_try_at_once_one_wins() {
    let rounds: u32 = std::env::var("STATEGATE_TEST_ROUNDS").map_or(20, |count| count.parse().unwrap());
    let plain = Ministack::shared().bucket();
    let ours = runtime().block_on(Bucket::connect(backend(&plain.endpoint, &plain.name, &settings("s3", ""))));
    for round in 0..rounds {
        let winners = runtime().block_on(async {
            let tasks: Vec<_> = (0..64)
                .map(|task| {
                    let ours = ours.clone();
                    tokio::spawn(async move { try_lock(&ours, &format!("{round}-{task}")).await })
                })
                .collect();
            let mut winners = Vec::new();
            for task in tasks {
                match task.await.unwrap() {
                    Ok(lock) => winners.push(lock),
                    Err(AcquireError::Held(_)) => {}
                    Err(error) => panic!("round {round}: {error:?}"),
                }
            }
            winners
        });
        assert_eq!(winners.len(), 1, "round {round}");
        for lock in winners {
            assert!(matches!(runtime().block_on(lock.release()), Ok(Released::Done)));
        }
    }
}

#[test]
fn nothing_is_frozen_in_a_store_that_ignores_conditions() {
    let mut bucket = Ministack::shared().bucket();
    let is_lock = |seen: &Seen| seen.path.contains(".tflock");
    let ignores = move |seen: &Seen| if is_lock(seen) { Fault::WithoutConditions } else { Fault::None };
    let proxy = FaultProxy::start(&bucket.endpoint, ignores);
    bucket.endpoint.clone_from(&proxy.endpoint);
    let world = World::with_bucket(bucket);
    let refused = world.laptop().stategate(&["lock", "--reason", "a long night"]);
    assert_eq!(refused.code, Some(20), "{}", refused.text());
    assert!(refused.stderr.contains("excludes nobody"), "{}", refused.text());
    assert!(world.bucket.locks().is_empty(), "{}", refused.text());
}
