//! Is the run that holds a lock still alive? Only GitHub's own word makes it dead.
//!
//! A run has jobs, and only one of them holds the lock. Which one, the lock does not say. So the
//! holder is dead when *every* job that can hold it is: a job that waits for a reviewer or for a
//! runner has not begun, and one that began after the lock was taken came too late to take it.

use jiff::{SignedDuration, Timestamp};

/// How long after its end a job may still touch the state: a cancelled job has almost five minutes
/// of clean-up, and processes that outlive their step die only with the job. It also covers the
/// time that GitHub needs to show that a queued job has begun.
pub const GRACE: SignedDuration = SignedDuration::from_mins(6);

/// How old a lock must be before "there is no such run" means that the run was deleted. A run that
/// has just begun can be missing from GitHub's answers for minutes; nobody promises how many.
pub const LAG: SignedDuration = SignedDuration::from_hours(1);

/// How far GitHub's clock and the store's may be apart.
const SKEW: SignedDuration = SignedDuration::from_mins(2);

const COMPLETED: &str = "completed";

/// What GitHub says about one attempt of a workflow run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunState {
    /// GitHub knows it.
    Found(Attempt),
    /// GitHub does not know it, although the same question finds our own run.
    NotFound,
    /// It could not be told.
    Unknown {
        /// Why, as a phrase.
        why: String,
    },
}

/// One attempt of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// GitHub's word: `queued`, `waiting`, `in_progress`, `completed`, …
    pub status: String,
    /// GitHub's word once it is completed: `success`, `failure`, `cancelled`, …
    pub conclusion: Option<String>,
    /// What time it was at GitHub when it said so.
    pub observed: Timestamp,
    /// Its jobs.
    pub jobs: Vec<Job>,
}

/// One job of an attempt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Job {
    /// GitHub's word, as for the attempt.
    pub status: String,
    /// When it began; of a job that waits, when it was made.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub completed: Option<Timestamp>,
    /// Whether a runner took it.
    pub has_runner: bool,
    /// Whether one of its steps has no conclusion. GitHub shows a completed job so when it lost
    /// contact with the runner, whose Terraform may still be at work.
    pub has_open_step: bool,
}

/// When a lock was taken, by the clock of the store that holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// When it was written.
    pub at: Timestamp,
    /// What time it was at the store when the lock was read.
    pub seen_at: Timestamp,
}

/// What follows for the lock that the run holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Liveness {
    /// The holder may be working: leave its lock alone.
    Alive,
    /// The holder's job is over, but something of it may linger until then.
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

impl RunState {
    /// Whether GitHub says that the whole attempt is completed.
    pub fn is_over(&self) -> bool {
        match self {
            Self::Found(attempt) => attempt.is_over(),
            Self::NotFound => true,
            Self::Unknown { .. } => false,
        }
    }
}

impl Attempt {
    /// How many of its jobs are at work.
    pub fn jobs_at_work(&self) -> usize {
        self.jobs.iter().filter(|job| !job.is_over() && job.has_begun()).count()
    }

    fn is_over(&self) -> bool {
        self.status == COMPLETED
    }
}

impl Job {
    fn is_over(&self) -> bool {
        self.status == COMPLETED
    }

    /// A job in a state that we do not know may have begun.
    fn has_begun(&self) -> bool {
        let waits = matches!(self.status.as_str(), "waiting" | "queued" | "pending" | "requested");
        !waits || self.has_runner
    }

    fn began_after(&self, taken: Option<Taken>) -> bool {
        let latest = taken.and_then(|taken| taken.at.checked_add(SKEW).ok());
        self.started.zip(latest).is_some_and(|(started, latest)| started > latest)
    }
}

/// Judges the run of a lock. `taken`: when the lock was taken; `None` where its store has no clock.
pub fn judge(run: &RunState, taken: Option<Taken>) -> Liveness {
    match run {
        RunState::Found(attempt) => judge_attempt(attempt, taken),
        RunState::NotFound => judge_missing(taken),
        RunState::Unknown { why } => unknown(why),
    }
}

fn judge_missing(taken: Option<Taken>) -> Liveness {
    let Some(taken) = taken else {
        return unknown("GitHub does not find its run, and the lock table does not say how old the lock is");
    };
    match taken.at.checked_add(LAG) {
        Ok(from) if taken.seen_at >= from => Liveness::Dead,
        _ => unknown(
            "GitHub does not find its run; while the lock is younger than an hour that proves nothing, for GitHub can be \
             late to show a new run",
        ),
    }
}

fn judge_attempt(attempt: &Attempt, taken: Option<Taken>) -> Liveness {
    // When all jobs are over, the holder is one of them.
    let may_hold = |job: &&Job| attempt.is_over() || job.has_begun() && !job.began_after(taken);
    let holders: Vec<&Job> = attempt.jobs.iter().filter(may_hold).collect();
    if holders.iter().any(|job| !job.is_over()) || holders.is_empty() && !attempt.is_over() {
        return Liveness::Alive;
    }
    if holders.iter().any(|job| job.has_open_step) {
        return unknown("its runner stopped reporting in the middle of a step; a person must look at that machine");
    }
    let is_told = holders.iter().all(|job| job.completed.is_some());
    let Some(ended) = holders.iter().filter_map(|job| job.completed).max().filter(|_| is_told) else {
        return unknown("GitHub does not say when the run ended");
    };
    let quiet_since = match (attempt.may_have_begun(), taken) {
        (false, _) => ended,
        // GitHub may be late to say that it began, and the lock may be its own.
        (true, Some(taken)) => ended.max(taken.at),
        (true, None) => return Liveness::Alive,
    };
    match quiet_since.checked_add(GRACE) {
        Ok(until) if attempt.observed >= until => Liveness::Dead,
        Ok(until) => Liveness::Finishing { until },
        Err(_) => unknown("the run's end is beyond the calendar"),
    }
}

impl Attempt {
    /// Whether a job waits for a runner, which it may get at any moment. One that waits for a
    /// reviewer gets none before somebody approves.
    fn may_have_begun(&self) -> bool {
        !self.is_over() && self.jobs.iter().any(|job| !job.has_begun() && job.status != "waiting")
    }
}

fn unknown(why: &str) -> Liveness {
    Liveness::Unknown { why: why.to_owned() }
}

#[cfg(test)]
mod tests;
