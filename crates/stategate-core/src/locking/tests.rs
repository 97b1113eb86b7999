//! Each row of the fault table as a script: the step that must come, the answer it gets.

use super::Answer::*;
use super::Store::{DynamoDb, S3};
use super::*;

type A = Acquire<&'static str, &'static str>;
type R = Release<&'static str, &'static str>;
type Script<'a> = &'a [(Step<&'static str>, Answer<&'static str, &'static str>)];

const OURS: Answer<&str, &str> = Present { id: Some("us"), tag: "t" };
const THEIRS: Answer<&str, &str> = Present { id: Some("them"), tag: "u" };
const PUT: Step<&str> = Step::Put(S3);
const READ: Step<&str> = Step::Read(S3);
const WAIT: Step<&str> = Step::Wait(S3);

fn delete(tag: &str) -> Step<&str> {
    Step::Delete(S3, Some(tag))
}

fn half(store: Store, tag: &str) -> Target<&str> {
    Target { store, tag: Some(tag) }
}

fn play(mut machine: A, script: Script<'_>) -> A {
    for (at, (step, answer)) in script.iter().enumerate() {
        assert_eq!(machine.step().as_ref(), Some(step), "at {at}");
        machine.observe(answer.clone());
    }
    machine
}

fn acquire(stores: &'static [Store], script: Script<'_>) -> Acquired<&'static str> {
    let machine = play(A::new("us", stores), script);
    machine.outcome().unwrap_or_else(|| panic!("not over: {machine:?}")).clone()
}

fn release(mut machine: R, script: Script<'_>) -> Vec<Ending> {
    for (at, (step, answer)) in script.iter().enumerate() {
        assert_eq!(machine.step().as_ref(), Some(step), "at {at}");
        machine.observe(answer.clone());
    }
    assert_eq!(machine.step(), None);
    machine.endings().iter().map(|(_, ending)| *ending).collect()
}

fn holder() -> R {
    R::of_holder("us", vec![half(S3, "t")])
}

#[test]
fn a_free_lock_costs_one_put_and_its_release_one_delete() {
    assert_eq!(acquire(&[S3], &[(PUT, Created("t"))]), Acquired::Yes(vec![half(S3, "t")]));
    assert_eq!(release(holder(), &[(delete("t"), Deleted)]), [Ending::Removed]);
}

#[test]
fn a_put_whose_answer_was_lost_is_found_by_its_id() {
    let ours = Acquired::Yes(vec![half(S3, "t")]);
    // The SDK repeated it, and it met itself.
    assert_eq!(acquire(&[S3], &[(PUT, Exists), (READ, OURS)]), ours);
    // 409, 5xx, timeout.
    assert_eq!(acquire(&[S3], &[(PUT, Unclear), (Step::Backoff(1), Resumed), (READ, OURS)]), ours);
    // It never arrived.
    let again = [(PUT, Unclear), (Step::Backoff(1), Resumed), (READ, Absent), (PUT, Created("t"))];
    assert_eq!(acquire(&[S3], &again), ours);
}

#[test]
fn held_then_gone_is_tried_at_once_but_not_in_a_frenzy() {
    let rush = [(PUT, Exists), (READ, Absent)];
    let mut script = Vec::new();
    (0..4).for_each(|_| script.extend(rush.clone()));
    script.extend([(WAIT, Resumed), (READ, Absent)]);
    let mut won = script.clone();
    won.push((PUT, Created("t")));
    assert_eq!(acquire(&[S3], &won), Acquired::Yes(vec![half(S3, "t")]));
}

#[test]
fn a_store_that_says_both_that_a_lock_is_there_and_that_none_is_is_named() {
    let rush = [(PUT, Exists), (READ, Absent)];
    // One last look, for what may have been stored late.
    let look = [(Step::Backoff(0), Resumed), (READ, Absent)];
    let mut script = Vec::new();
    (0..4).for_each(|_| script.extend(rush.clone()));
    for _ in 0..2 {
        script.extend([(WAIT, Resumed), (READ, Absent)]);
        (0..3).for_each(|_| script.extend(rush.clone()));
    }
    script.extend([(WAIT, Resumed), (READ, Absent)]);
    (0..2).for_each(|_| script.extend(rush.clone()));
    script.extend(look.clone());
    assert_eq!(acquire(&[S3], &script), Acquired::Contradicted { left_behind: false });
    // Whoever does not wait is as patient: a race does not last for seconds.
    let mut script = Vec::new();
    for round in 0..3 {
        (0..4).for_each(|_| script.extend(rush.clone()));
        if round < 2 {
            script.push((Step::Backoff(4), Resumed));
        }
    }
    script.extend(look);
    let machine = play(A::new("us", &[S3]).only_once(), &script);
    assert_eq!(machine.outcome(), Some(&Acquired::Contradicted { left_behind: false }));
    // A holder that shows itself in between proves the store sound.
    let mut machine = A::new("us", &[S3]);
    let mut looks = 0;
    for _ in 0..500 {
        let answer = match machine.step().unwrap() {
            Step::Put(_) => Exists,
            Step::Read(_) => {
                looks += 1;
                if looks % 9 == 0 { THEIRS } else { Absent }
            }
            _ => Resumed,
        };
        machine.observe(answer);
        assert_eq!(machine.outcome(), None);
    }
}

#[test]
fn what_never_left_is_sent_again_for_a_while_and_left_nothing_behind() {
    let again = [(PUT, Unsent), (Step::Backoff(1), Resumed), (PUT, Created("t"))];
    assert_eq!(acquire(&[S3], &again), Acquired::Yes(vec![half(S3, "t")]));
    let mut script = Vec::new();
    for n in 1..=5 {
        script.extend([(PUT, Unsent), (Step::Backoff(n), Resumed)]);
    }
    script.push((PUT, Unsent));
    assert_eq!(acquire(&[S3], &script), Acquired::Failed { left_behind: false });
    // A store that has answered before gets as long as any other trouble.
    let mut script = vec![(PUT, Exists), (READ, THEIRS), (WAIT, Resumed)];
    for n in 1..=TRIES {
        script.extend([(READ, Unsent), (Step::Backoff(n), Resumed)]);
    }
    script.push((READ, Unsent));
    for n in 0..=TRIES {
        script.extend([(Step::Backoff(n), Resumed), (READ, Unsent)]);
    }
    assert_eq!(acquire(&[S3], &script), Acquired::Failed { left_behind: false }, "its only `PUT` was refused");
    // What was sent before stays in doubt.
    let script = [(PUT, Unclear), (Step::Backoff(1), Resumed), (READ, Absent), (PUT, Unsent)];
    let mut machine = play(A::new("us", &[S3]), &script);
    while let Some(step) = machine.step() {
        machine.observe(if matches!(step, Step::Backoff(_)) { Resumed } else { Unsent });
    }
    assert_eq!(machine.outcome(), Some(&Acquired::Failed { left_behind: true }));
}

#[test]
fn a_put_that_met_somebody_elses_lock_left_nothing_behind() {
    let met = [(PUT, Exists), (READ, THEIRS), (WAIT, Resumed), (READ, Refused)];
    let look = [(Step::Backoff(0), Resumed), (READ, Refused)];
    let mut script = met.to_vec();
    script.extend(look.clone());
    assert_eq!(acquire(&[S3], &script), Acquired::Failed { left_behind: false });
    // One that was not answered may still arrive, whatever stands there now.
    let mut script = vec![(PUT, Unclear), (Step::Backoff(1), Resumed), (READ, THEIRS)];
    script.extend(met[2..].to_vec());
    script.extend(look.clone());
    assert_eq!(acquire(&[S3], &script), Acquired::Failed { left_behind: true });
    // Nor is known what is in the way of one that nobody looked after.
    let mut script = vec![(PUT, Exists), (READ, Refused)];
    script.extend(look);
    assert_eq!(acquire(&[S3], &script), Acquired::Failed { left_behind: true });
}

#[test]
fn a_delete_that_never_left_removed_nothing() {
    let pause = (Step::Backoff(1), Resumed);
    let unsent = (delete("t"), Unsent);
    assert_eq!(release(holder(), &[unsent.clone(), pause.clone(), (delete("t"), Deleted)]), [Ending::Removed]);
    assert_eq!(release(holder(), &[unsent, pause, (delete("t"), Absent)]), [Ending::Gone]);
}

#[test]
fn a_store_that_takes_no_lock_and_has_none_is_a_failure_and_no_holder() {
    let mut script = Vec::new();
    for n in 1..=4 {
        script.extend([(PUT, Unclear), (Step::Backoff(n), Resumed), (READ, Absent)]);
    }
    // One last look, for what may have been stored late.
    script.extend([(Step::Backoff(0), Resumed), (READ, Absent)]);
    let machine = play(A::new("us", &[S3]).only_once(), &script);
    assert_eq!(machine.outcome(), Some(&Acquired::Failed { left_behind: false }));
}

#[test]
fn waiting_reads_and_tries_once_more_at_the_deadline() {
    let waiting = [(PUT, Exists), (READ, THEIRS), (WAIT, Resumed), (READ, THEIRS)];
    let mut gone = waiting.to_vec();
    gone.extend([(WAIT, Resumed), (READ, Absent), (PUT, Created("t"))]);
    assert_eq!(acquire(&[S3], &gone), Acquired::Yes(vec![half(S3, "t")]));
    let mut expired = waiting.to_vec();
    expired.extend([(WAIT, Expired), (PUT, Exists), (READ, THEIRS)]);
    assert_eq!(acquire(&[S3], &expired), Acquired::Held);
    let mut in_time = waiting.to_vec();
    in_time.extend([(WAIT, Expired), (PUT, Created("t"))]);
    assert_eq!(acquire(&[S3], &in_time), Acquired::Yes(vec![half(S3, "t")]));
}

#[test]
fn an_unreadable_lock_is_somebody_elses() {
    let unreadable = Present { id: None, tag: "x" };
    let script = [(PUT, Exists), (READ, unreadable), (WAIT, Expired), (PUT, Exists), (READ, THEIRS)];
    assert_eq!(acquire(&[S3], &script), Acquired::Held);
}

#[test]
fn a_refusal_after_doubt_takes_the_doubtful_lock_back() {
    let script = [
        (PUT, Unclear),
        (Step::Backoff(1), Resumed),
        (READ, Absent),
        (PUT, Refused),
        (Step::Backoff(0), Resumed),
        (READ, OURS),
        (delete("t"), Deleted),
    ];
    assert_eq!(acquire(&[S3], &script), Acquired::Failed { left_behind: false });
    assert_eq!(acquire(&[S3], &[(PUT, Refused)]), Acquired::Failed { left_behind: false });
}

#[test]
fn a_store_that_stays_unclear_is_given_up_and_the_rest_is_named() {
    let mut script = vec![(PUT, Unclear)];
    for n in 1..=TRIES {
        script.extend([(Step::Backoff(n), Resumed), (READ, Unclear)]);
    }
    for n in 0..=TRIES {
        script.extend([(Step::Backoff(n), Resumed), (READ, Unclear)]);
    }
    assert_eq!(acquire(&[S3], &script), Acquired::Failed { left_behind: true });
}

#[test]
fn cancelling_leaves_nothing_behind() {
    // While waiting: one last look, for a late copy of the `PUT` may have won meanwhile.
    let mut waiting = play(A::new("us", &[S3]), &[(PUT, Exists), (READ, THEIRS)]);
    waiting.cancel();
    let after = play(waiting, &[(Step::Backoff(0), Resumed), (READ, THEIRS)]);
    assert_eq!(after.outcome(), Some(&Acquired::Cancelled { left_behind: false }));
    // With a `PUT` in doubt: look, take it back.
    let mut doubtful = play(A::new("us", &[S3]), &[(PUT, Unclear)]);
    doubtful.cancel();
    let after = play(doubtful, &[(Step::Backoff(0), Resumed), (READ, OURS), (delete("t"), Deleted)]);
    assert_eq!(after.outcome(), Some(&Acquired::Cancelled { left_behind: false }));
    // Having met something that was not looked at yet: it may be our own.
    let mut met = play(A::new("us", &[S3]), &[(PUT, Exists)]);
    met.cancel();
    let after = play(met, &[(Step::Backoff(0), Resumed), (READ, OURS), (delete("t"), Deleted)]);
    assert_eq!(after.outcome(), Some(&Acquired::Cancelled { left_behind: false }));
    // In the moment of winning.
    let mut won = play(A::new("us", &[S3]), &[(PUT, Created("t"))]);
    won.cancel();
    let after = play(won, &[(delete("t"), Deleted)]);
    assert_eq!(after.outcome(), Some(&Acquired::Cancelled { left_behind: false }));
    // Between the stores.
    let mut half_way = play(A::new("us", &[S3, DynamoDb]), &[(PUT, Created("t"))]);
    half_way.cancel();
    let after = play(half_way, &[(delete("t"), Deleted)]);
    assert_eq!(after.outcome(), Some(&Acquired::Cancelled { left_behind: false }));
}

#[test]
fn two_stores_go_in_terraforms_order_and_all_or_nothing() {
    let both = &[S3, DynamoDb];
    let put_item = Step::Put(DynamoDb);
    let script = [(PUT, Created("t")), (put_item.clone(), Created("i"))];
    assert_eq!(acquire(both, &script), Acquired::Yes(vec![half(S3, "t"), half(DynamoDb, "i")]));
    // The second half is somebody else's: the first goes back before we wait.
    let script = [
        (PUT, Created("t")),
        (put_item.clone(), Exists),
        (Step::Read(DynamoDb), THEIRS),
        (delete("t"), Deleted),
        (Step::Backoff(0), Resumed),
        (Step::Read(DynamoDb), THEIRS),
        (Step::Wait(DynamoDb), Resumed),
        (Step::Read(DynamoDb), Absent),
        (PUT, Created("t2")),
        (put_item.clone(), Created("i")),
    ];
    assert_eq!(acquire(both, &script), Acquired::Yes(vec![half(S3, "t2"), half(DynamoDb, "i")]));
    // The table refuses: the first half goes back.
    let script = [(PUT, Created("t")), (put_item, Refused), (delete("t"), Deleted)];
    assert_eq!(acquire(both, &script), Acquired::Failed { left_behind: false });
}

#[test]
fn one_half_already_gone_is_no_failure_and_both_are_always_tried() {
    let both = || R::of_holder("us", vec![half(S3, "t"), half(DynamoDb, "i")]);
    let item = Step::Delete(DynamoDb, Some("i"));
    assert_eq!(release(both(), &[(delete("t"), Absent), (item.clone(), Deleted)]), [Ending::Gone, Ending::Removed]);
    assert_eq!(release(both(), &[(delete("t"), Refused), (item, Deleted)]), [Ending::Failed, Ending::Removed]);
}

#[test]
fn a_delete_whose_answer_was_lost_is_repeated_and_hits_nobody_else() {
    let lost = (delete("t"), Unclear);
    let pause = (Step::Backoff(1), Resumed);
    let done = [lost.clone(), pause.clone(), (delete("t"), Absent)];
    assert_eq!(release(holder(), &done), [Ending::Removed]);
    // It was done, and somebody else has locked since.
    let taken = [lost, pause, (delete("t"), Mismatch), (READ, THEIRS)];
    assert_eq!(release(holder(), &taken), [Ending::Removed]);
}

#[test]
fn where_no_delete_is_answered_a_last_look_tells() {
    let mut script = Vec::new();
    for n in 1..=TRIES {
        script.extend([(delete("t"), Unclear), (Step::Backoff(n), Resumed)]);
    }
    script.push((delete("t"), Unclear));
    for (seen, ending) in [
        (Absent, Ending::Removed),
        (THEIRS, Ending::Removed),
        (OURS, Ending::Failed),
        (Unclear, Ending::Failed),
        (Refused, Ending::Failed),
    ] {
        let mut script = script.clone();
        script.push((READ, seen.clone()));
        assert_eq!(release(holder(), &script), [ending], "{seen:?}");
    }
}

#[test]
fn somebody_elses_lock_is_never_touched() {
    assert_eq!(release(holder(), &[(delete("t"), Mismatch), (READ, THEIRS)]), [Ending::NotOurs]);
    assert_eq!(release(R::of_exactly(S3, "u"), &[(delete("u"), Mismatch)]), [Ending::NotOurs]);
    // Under a KMS key a repeated `PUT` of the same lock has another tag.
    let same_id = Present { id: Some("us"), tag: "t2" };
    let script = [(delete("t"), Mismatch), (READ, same_id), (delete("t2"), Deleted)];
    assert_eq!(release(holder(), &script), [Ending::Removed]);
}

#[test]
fn a_store_without_conditional_delete_is_compared_first_each_time() {
    let plain = Step::Delete(S3, None);
    let script = [
        (delete("t"), NoConditions),
        (READ, OURS),
        (plain.clone(), Unclear),
        (Step::Backoff(1), Resumed),
        (READ, THEIRS),
    ];
    assert_eq!(release(holder(), &script), [Ending::Removed]);
    let exactly = [(delete("u"), NoConditions), (READ, THEIRS), (plain, Deleted)];
    assert_eq!(release(R::of_exactly(S3, "u"), &exactly), [Ending::Removed]);
    let changed = [(delete("u"), NoConditions), (READ, OURS)];
    assert_eq!(release(R::of_exactly(S3, "u"), &changed), [Ending::NotOurs]);
}
