//! Is the run that holds a lock still alive? Only GitHub's own word makes it dead.

use jiff::{SignedDuration, Timestamp};

/// How long after its end a run may still touch the state: a cancelled job has almost five minutes
/// of clean-up, and processes that outlive their step die only with the job.
pub const GRACE: SignedDuration = SignedDuration::from_mins(6);

/// What GitHub says about one attempt of a workflow run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunState {
    /// Not completed.
    Alive {
        /// GitHub's word: `queued`, `waiting`, `in_progress`, …
        status: String,
    },
    /// Completed, with all its jobs.
    Finished {
        /// When its last job ended; `None` when GitHub does not say.
        at: Option<Timestamp>,
        /// What time it was at GitHub when it said so.
        observed: Timestamp,
        /// GitHub's word: `success`, `failure`, `cancelled`, …
        conclusion: Option<String>,
    },
    /// The repository is there and the run is not: somebody deleted it, which GitHub allows only
    /// when it is completed.
    Deleted,
    /// It could not be told.
    Unknown {
        /// Why, as a phrase.
        why: String,
    },
}

/// What follows for the lock that the run holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Liveness {
    /// The holder may be working: leave its lock alone.
    Alive,
    /// The run is over, but something of it may linger until then.
    Finishing {
        /// From when on it counts as dead.
        until: Timestamp,
    },
    /// Proven dead: its lock is stale.
    Dead,
    /// Nobody can tell but a person.
    Unknown {
        /// Why, as a phrase.
        why: String,
    },
}

/// Judges a run.
pub fn judge(run: &RunState) -> Liveness {
    match run {
        RunState::Alive { .. } => Liveness::Alive,
        RunState::Deleted => Liveness::Dead,
        RunState::Unknown { why } => Liveness::Unknown { why: why.clone() },
        RunState::Finished { at: None, .. } => {
            Liveness::Unknown { why: "GitHub does not say when the run ended".to_owned() }
        }
        RunState::Finished { at: Some(at), observed, .. } => match at.checked_add(GRACE) {
            Ok(until) if *observed >= until => Liveness::Dead,
            Ok(until) => Liveness::Finishing { until },
            Err(_) => Liveness::Unknown { why: "the run's end is beyond the calendar".to_owned() },
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn finished(observed: &str) -> RunState {
        RunState::Finished {
            at: Some(at("2026-11-20T12:00:00Z")),
            observed: at(observed),
            conclusion: Some("cancelled".to_owned()),
        }
    }

    #[test]
    fn a_run_is_dead_six_minutes_after_its_end_and_not_a_second_sooner() {
        assert_eq!(judge(&finished("2026-11-20T12:06:00Z")), Liveness::Dead);
        assert_eq!(judge(&finished("2026-11-20T12:05:59Z")), Liveness::Finishing { until: at("2026-11-20T12:06:00Z") });
        // A clock that runs backwards proves nothing.
        assert!(matches!(judge(&finished("2026-11-20T11:00:00Z")), Liveness::Finishing { .. }));
    }

    #[test]
    fn a_run_that_is_not_completed_is_alive_whatever_it_waits_for() {
        for status in ["requested", "queued", "pending", "waiting", "in_progress", "a word of next year"] {
            let run = RunState::Alive { status: status.to_owned() };
            assert_eq!(judge(&run), Liveness::Alive, "{status}");
        }
    }

    #[test]
    fn a_deleted_run_is_dead_and_an_unknown_one_is_not() {
        assert_eq!(judge(&RunState::Deleted), Liveness::Dead);
        let unknown = RunState::Unknown { why: "no answer".to_owned() };
        assert!(matches!(judge(&unknown), Liveness::Unknown { .. }));
        let endless = RunState::Finished { at: None, observed: at("2026-11-20T12:00:00Z"), conclusion: None };
        assert!(matches!(judge(&endless), Liveness::Unknown { .. }));
    }
}
