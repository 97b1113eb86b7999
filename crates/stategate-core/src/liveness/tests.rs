//! Every job that can hold the lock decides, and nothing else does.

use super::*;

fn at(text: &str) -> Timestamp {
    format!("2026-11-20T{text}Z").parse().unwrap()
}

/// `status started–completed`, with `+` for a runner and `?` for an open step.
fn job(text: &str) -> Job {
    let (status, times) = text.split_once(' ').unwrap();
    let (started, completed) = times.trim_end_matches(['+', '?']).split_once('-').unwrap();
    let time = |text: &str| (!text.is_empty()).then(|| at(&format!("{text}:00")));
    Job {
        status: status.to_owned(),
        started: time(started),
        completed: time(completed),
        has_runner: times.contains('+'),
        has_open_step: times.contains('?'),
    }
}

fn attempt(status: &str, observed: &str, jobs: &[&str]) -> RunState {
    RunState::Found(Attempt {
        status: status.to_owned(),
        conclusion: None,
        observed: at(observed),
        jobs: jobs.iter().map(|text| job(text)).collect(),
    })
}

/// A lock that was taken at 11:30 and read at 12:30.
fn taken() -> Taken {
    Taken { at: at("11:30:00"), seen_at: at("12:30:00") }
}

fn until(text: &str) -> Liveness {
    Liveness::Finishing { until: at(text) }
}

#[track_caller]
fn check_unknown(run: &RunState, taken: Option<Taken>, expected: &str) {
    let judged = judge(run, taken);
    assert!(matches!(&judged, Liveness::Unknown { why } if why.contains(expected)), "{judged:?}");
}

#[test]
fn a_run_is_dead_six_minutes_after_its_end_and_not_a_second_sooner() {
    let ended = |observed| attempt("completed", observed, &["completed 11:00-12:00+", "completed 11:00-11:40+"]);
    assert_eq!(judge(&ended("12:06:00"), Some(taken())), Liveness::Dead);
    assert_eq!(judge(&ended("12:05:59"), Some(taken())), until("12:06:00"));
    assert_eq!(judge(&ended("12:06:00"), None), Liveness::Dead);
    // A clock that runs backwards proves nothing.
    assert_eq!(judge(&ended("11:00:00"), Some(taken())), until("12:06:00"));
}

#[test]
fn a_job_that_can_hold_the_lock_and_is_not_completed_keeps_it() {
    for status in ["in_progress", "a_word_of_next_year"] {
        let run = attempt("in_progress", "12:30:00", &["completed 11:00-12:00+", &format!("{status} 11:00-+")]);
        assert_eq!(judge(&run, Some(taken())), Liveness::Alive, "{status}");
    }
    for status in ["requested", "queued", "pending", "waiting", "in_progress", "a word of next year"] {
        assert_eq!(judge(&attempt(status, "12:30:00", &[]), Some(taken())), Liveness::Alive, "{status}");
    }
    let queued_with_a_runner = attempt("in_progress", "12:30:00", &["completed 11:00-12:00+", "queued 11:00-+"]);
    assert_eq!(judge(&queued_with_a_runner, Some(taken())), Liveness::Alive);
    // Its status says more than the run's.
    let behind = attempt("completed", "12:30:00", &["in_progress 11:00-+"]);
    assert_eq!(judge(&behind, Some(taken())), Liveness::Alive);
}

#[test]
fn a_job_that_waits_for_a_reviewer_keeps_no_lock() {
    let run = |observed| attempt("waiting", observed, &["completed 11:00-12:00+", "waiting 11:00-"]);
    assert_eq!(judge(&run("12:06:00"), Some(taken())), Liveness::Dead);
    assert_eq!(judge(&run("12:05:00"), Some(taken())), until("12:06:00"));
    // Of a lock that was taken after the last job's end too: nobody approved that job.
    let late = Some(Taken { at: at("12:20:00"), seen_at: at("12:30:00") });
    assert_eq!(judge(&run("12:30:00"), late), Liveness::Dead);
    let nobody_began = attempt("waiting", "12:30:00", &["waiting 11:00-"]);
    assert_eq!(judge(&nobody_began, Some(taken())), Liveness::Alive);
}

#[test]
fn a_queued_job_may_have_begun_a_moment_ago() {
    let run = |observed| attempt("queued", observed, &["completed 11:00-12:00+", "queued 11:00-"]);
    assert_eq!(judge(&run("12:30:00"), Some(taken())), Liveness::Dead, "the lock is older than the delay");
    let fresh = Some(Taken { at: at("12:28:00"), seen_at: at("12:30:00") });
    assert_eq!(judge(&run("12:30:00"), fresh), until("12:34:00"));
    assert_eq!(judge(&run("12:30:00"), None), Liveness::Alive);
}

#[test]
fn a_job_that_began_after_the_lock_was_taken_did_not_take_it() {
    let run = |later: &str| attempt("in_progress", "12:30:00", &["completed 11:00-12:00+", later]);
    assert_eq!(judge(&run("in_progress 12:10-+"), Some(taken())), Liveness::Dead);
    assert_eq!(judge(&run("in_progress 11:31-+"), Some(taken())), Liveness::Alive, "two clocks");
    assert_eq!(judge(&run("in_progress -+"), Some(taken())), Liveness::Alive, "GitHub does not say when");
    assert_eq!(judge(&run("in_progress 12:10-+"), None), Liveness::Alive, "the store does not say when");
}

#[test]
fn a_completed_job_with_a_step_in_progress_proves_nothing() {
    for status in ["completed", "waiting"] {
        let run = attempt(status, "18:00:00", &["completed 11:00-12:00+", "completed 11:00-12:00+?", "waiting 11:00-"]);
        let run = if status == "completed" { without_the_last(run) } else { run };
        check_unknown(&run, Some(taken()), "stopped reporting");
    }
}

fn without_the_last(run: RunState) -> RunState {
    let RunState::Found(mut attempt) = run else { panic!("it was found") };
    attempt.jobs.pop();
    RunState::Found(attempt)
}

#[test]
fn a_run_that_is_not_found_is_dead_once_the_lock_is_an_hour_old() {
    let seen_at = |text| Some(Taken { at: at("11:30:00"), seen_at: at(text) });
    assert_eq!(judge(&RunState::NotFound, seen_at("12:30:00")), Liveness::Dead);
    check_unknown(&RunState::NotFound, seen_at("12:29:59"), "younger than an hour");
    check_unknown(&RunState::NotFound, seen_at("11:00:00"), "younger than an hour");
    check_unknown(&RunState::NotFound, None, "lock table");
}

#[test]
fn what_is_not_told_proves_nothing() {
    check_unknown(&RunState::Unknown { why: "no answer".to_owned() }, Some(taken()), "no answer");
    check_unknown(&attempt("completed", "12:30:00", &[]), Some(taken()), "does not say when");
    let one_is_not_told = ["completed 11:00-12:00+", "completed 11:00-+"];
    check_unknown(&attempt("completed", "18:00:00", &one_is_not_told), Some(taken()), "does not say when");
}
