//! Taking the lock, and waiting for it.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::bucket::Bucket;
use super::perform::{Performer, jittered};
use super::{AcquireError, HeldLock, Wait, WaitEvent};
use stategate_core::lock_info::LockInfo;
use stategate_core::locking::{Acquire, Acquired, Answer, Step};

/// How often a waiting client reads the lock: often at first, for plans are short, then about
/// once in four seconds, one cheap `GET` each. With many waiters somebody looks all the time;
/// the jitter keeps them apart. `benches/README.md` has the figures.
const FIRST_POLL: Duration = Duration::from_millis(500);
const SLOWEST_POLL: Duration = Duration::from_secs(4);
/// With one slow poll after it, waiting is never silent for half a minute.
const TELL_EVERY: Duration = Duration::from_secs(20);
/// What a request in flight gets when we are cancelled, before it counts as unclear: the runner
/// leaves 7.5 s in all.
const GRACE: Duration = Duration::from_secs(2);

/// Takes the lock, waiting as told. When `cancelled` resolves, whatever we may have stored is
/// found and removed before this returns: cancel, do not drop.
pub async fn acquire(
    bucket: &Bucket,
    info: LockInfo,
    wait: Wait,
    cancelled: impl Future<Output = ()>,
    mut on_event: impl FnMut(WaitEvent<'_>),
) -> Result<HeldLock, AcquireError> {
    let mut cancelled = pin!(cancelled);
    let mut is_cancelled = false;
    let mut performer = Performer::new(bucket, info.to_go_json());
    let mut machine = Acquire::new(info.id.clone(), bucket.backend().stores());
    if wait.timeout.is_zero() {
        machine = machine.only_once();
    }
    let mut waiting = Waiting::new(wait);
    while let Some(step) = machine.step() {
        let is_wait = matches!(step, Step::Wait(_));
        let answer = if is_wait {
            waiting.tell(&performer, &mut on_event);
            let mut pause = pin!(waiting.pause());
            tokio::select! {
                answer = &mut pause => answer,
                () = &mut cancelled, if !is_cancelled => {
                    is_cancelled = true;
                    Answer::Resumed
                }
            }
        } else {
            let mut request = pin!(performer.perform(step));
            if is_cancelled {
                request.await
            } else {
                tokio::select! {
                    // Who was cancelled and won in the same moment gives the lock back.
                    biased;
                    () = &mut cancelled => {
                        is_cancelled = true;
                        timeout(GRACE, request).await.unwrap_or(Answer::Unclear)
                    }
                    answer = &mut request => answer,
                }
            }
        };
        let cancel_now = is_cancelled && !machine.is_cancelled();
        machine.observe(answer);
        if cancel_now {
            machine.cancel();
        }
    }
    match machine.outcome().cloned() {
        Some(Acquired::Yes(halves)) => Ok(HeldLock { bucket: bucket.clone(), info, halves }),
        Some(Acquired::Held) => Err(AcquireError::Held(performer.seen)),
        Some(Acquired::Cancelled { left_behind: false }) => Err(AcquireError::Cancelled),
        Some(Acquired::Cancelled { left_behind: true } | Acquired::Failed { left_behind: true }) => {
            Err(AcquireError::LeftBehind { id: info.id, error: performer.error() })
        }
        Some(Acquired::Contradicted { left_behind: true }) => {
            Err(AcquireError::LeftBehind { id: info.id, error: performer.contradiction() })
        }
        Some(Acquired::Contradicted { left_behind: false }) => Err(AcquireError::Aws(performer.contradiction())),
        Some(Acquired::Failed { left_behind: false }) | None => Err(AcquireError::Aws(performer.error())),
    }
}

/// The clock of a waiting client.
struct Waiting {
    since: Instant,
    timeout: Duration,
    poll: Duration,
    told_at: Option<Instant>,
    told_of: Vec<String>,
}

impl Waiting {
    fn new(wait: Wait) -> Self {
        Waiting { since: Instant::now(), timeout: wait.timeout, poll: FIRST_POLL, told_at: None, told_of: Vec::new() }
    }

    /// At first, when the holder changes, and every now and then.
    fn tell(&mut self, performer: &Performer<'_>, on_event: &mut impl FnMut(WaitEvent<'_>)) {
        let holders: Vec<String> = performer.seen.iter().map(|seen| seen.tag.clone()).collect();
        let due = self.told_at.is_none_or(|at| at.elapsed() >= TELL_EVERY);
        if due || holders != self.told_of {
            let waited = self.since.elapsed();
            on_event(WaitEvent::Held { by: &performer.seen, waited, left: self.timeout.saturating_sub(waited) });
            self.told_at = Some(Instant::now());
            self.told_of = holders;
        }
    }

    async fn pause(&mut self) -> Answer<String, String> {
        let left = self.timeout.saturating_sub(self.since.elapsed());
        let poll = jittered(self.poll);
        self.poll = self.poll.mul_f64(1.5).min(SLOWEST_POLL);
        sleep(poll.min(left)).await;
        if poll < left { Answer::Resumed } else { Answer::Expired }
    }
}
