//! What did not happen is not told: a lock that was never sent, and a holder that is none.

use std::future::pending;
use std::time::{Duration, Instant};

use stategate::shell::lock_store::{AcquireError, AwsErrorKind, Bucket, Wait, acquire};

use crate::harness::fault_proxy::{Fault, Seen};
use crate::harness::process::{dead_port, runtime};
use crate::lock_faults::through;
use crate::lock_store::{backend, info, try_lock};

#[test]
fn a_store_whose_delete_markers_count_is_named_and_is_no_holder() {
    for (wait, most) in [(Duration::ZERO, 60), (Duration::from_mins(30), 60)] {
        let is_put = |seen: &Seen| seen.method == "PUT" && seen.path.contains(".tflock");
        let (_, faulty, _) =
            through(
                "s3",
                move |seen| {
                    if is_put(seen) { Fault::Status(412, "PreconditionFailed") } else { Fault::None }
                },
            );
        let started = Instant::now();
        let ended = runtime().block_on(acquire(&faulty, info(&faulty, "a"), Wait { timeout: wait }, pending(), |_| ()));
        let Err(AcquireError::Aws(error)) = ended else { panic!("{ended:?}") };
        assert_eq!(error.kind, AwsErrorKind::Contradiction);
        assert!(error.to_string().contains("delete markers count as objects"), "{error}");
        // Longer than a race can last, and not for as long as one waits for a holder.
        let took = started.elapsed();
        assert!(took > Duration::from_secs(1) && took < Duration::from_secs(most), "{took:?}");
    }
}

#[test]
fn what_was_never_sent_left_nothing_behind() {
    let port = dead_port();
    for settings in [r#""use_lockfile":true"#, r#""dynamodb_table":"locks""#] {
        let nowhere = backend(&format!("http://127.0.0.1:{port}"), "tfstate", settings);
        let bucket = runtime().block_on(Bucket::connect(nowhere));
        let ended = runtime().block_on(try_lock(&bucket, "a"));
        assert!(matches!(&ended, Err(AcquireError::Aws(error)) if error.to_string().contains("refused")), "{ended:?}");
    }
    // Nor did a `PUT` that met somebody's lock, whatever becomes of the session while we wait.
    for code in ["ExpiredToken", "AccessDenied"] {
        let (direct, faulty, _) =
            through(
                "s3",
                move |seen| {
                    if seen.method == "GET" && seen.number > 1 { Fault::Status(403, code) } else { Fault::None }
                },
            );
        let theirs = runtime().block_on(try_lock(&direct, "b")).unwrap();
        let wait = Wait { timeout: Duration::from_mins(1) };
        let ended = runtime().block_on(acquire(&faulty, info(&faulty, "a"), wait, pending(), |_| ()));
        assert!(matches!(ended, Err(AcquireError::Aws(_))), "{code}: {ended:?}");
        runtime().block_on(theirs.release()).unwrap();
    }
    // One that was not answered may have been stored.
    let (_, faulty, _) =
        through("s3", |seen| if seen.method == "PUT" { Fault::LoseAnswer } else { Fault::Status(403, "ExpiredToken") });
    let ended = runtime().block_on(try_lock(&faulty, "a"));
    assert!(matches!(ended, Err(AcquireError::LeftBehind { .. })), "{ended:?}");
}
