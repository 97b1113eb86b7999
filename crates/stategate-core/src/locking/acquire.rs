//! Taking the lock: in every store or in none.

use super::release::{Ending, Release, Target};
use super::{Answer, CONTRADICTIONS, Rules, Step, TRIES, UNSENT_TRIES};
use crate::backend::Store;

/// How often "held, then gone" is answered by an immediate new attempt before we wait as for a
/// holder.
const RUSHES: u8 = 3;

/// The number of the pause between two rushes where there is no time left to wait: a second or two.
const REST: u8 = 4;

/// A client on its way to the lock.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Acquire<I, T> {
    id: I,
    stores: &'static [Store],
    /// The halves that are ours, in the order of `stores`.
    taken: Vec<Target<T>>,
    /// A store in which a `PUT` of ours is in doubt: unclear, or met by something that may be
    /// our own. Whoever gives up before he has looked looks then.
    doubt: Option<Doubt>,
    phase: Phase<I, T>,
    /// Unclear answers that we still bear before the next step of progress.
    tries: u8,
    /// Immediate attempts after "held, then gone" that are left.
    rushes: u8,
    /// The time is up: what is held now stays held.
    last: bool,
    /// What the last `PUT` met, until the look after it.
    met: Met,
    /// How often the store refused a lock that it did not have, since it last showed one.
    contradictions: u8,
    /// The store has answered something.
    is_heard: bool,
    /// The doubt that is being looked into is the faintest there is.
    is_faint: bool,
    most_tries: u8,
    rules: Rules,
}

/// A `PUT` of ours that may have stored, or may still store, a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Doubt {
    store: Store,
    certainty: Certainty,
}

/// How much is known about the requests in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Certainty {
    /// One of them was not answered.
    Open,
    /// Each was refused because something is there, which may be our own.
    Refused,
    /// And what is there is somebody else's. Only a copy that the network made could still win.
    Refuted,
}

/// What the last `PUT` met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Met {
    /// It was refused because something is there.
    Something,
    /// It was not clearly answered, so nobody needs to have been in its way.
    NoAnswer,
    /// Nothing that the next look could contradict.
    Nothing,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Phase<I, T> {
    Put,
    Look(Store),
    /// A pause, then a look.
    Pause(Store),
    /// A pause, then another `PUT`: the last one never left, or there is no time left to wait.
    Rest(u8),
    Wait(Store),
    /// Giving back what is ours already.
    Undo(Release<I, T>, After),
    Over(Acquired<T>),
}

/// What follows on giving back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum After {
    Wait(Store),
    GiveUp(GiveUp),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum GiveUp {
    Held,
    Failed,
    Contradicted,
    Cancelled,
}

/// How the attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Acquired<T> {
    /// The lock is ours, in these exact bodies.
    Yes(Vec<Target<T>>),
    /// Somebody else holds it.
    Held,
    /// A store refused, or stayed unclear.
    Failed {
        /// A half of our lock could not be taken back and may still be there.
        left_behind: bool,
    },
    /// The store kept saying that a lock is there and that none is. Nobody holds it.
    Contradicted {
        /// A half of our lock could not be taken back and may still be there.
        left_behind: bool,
    },
    /// We were told to stop.
    Cancelled {
        /// A half of our lock could not be taken back and may still be there.
        left_behind: bool,
    },
}

impl<I: Clone + Eq, T: Clone + Eq> Acquire<I, T> {
    /// Starts with the first store. `id` must be new for each acquisition.
    pub fn new(id: I, stores: &'static [Store]) -> Self {
        Self::with_rules(id, stores, TRIES, Rules::ALL)
    }

    /// No waiting: what is held now stays held.
    #[must_use]
    pub fn only_once(mut self) -> Self {
        self.last = true;
        self
    }

    pub(crate) fn with_rules(id: I, stores: &'static [Store], most_tries: u8, rules: Rules) -> Self {
        Acquire {
            id,
            stores,
            taken: Vec::new(),
            doubt: None,
            phase: Phase::Put,
            tries: most_tries,
            rushes: RUSHES,
            last: false,
            met: Met::Nothing,
            contradictions: 0,
            is_heard: false,
            is_faint: false,
            most_tries,
            rules,
        }
    }

    /// What to do next; `None` when it is over.
    pub fn step(&self) -> Option<Step<T>> {
        match &self.phase {
            Phase::Put => self.next_store().map(Step::Put),
            Phase::Look(store) => Some(Step::Read(*store)),
            Phase::Pause(_) => Some(Step::Backoff(self.most_tries.saturating_sub(self.tries))),
            Phase::Rest(number) => Some(Step::Backoff(*number)),
            Phase::Wait(store) => Some(Step::Wait(*store)),
            Phase::Undo(release, _) => release.step(),
            Phase::Over(_) => None,
        }
    }

    /// How it ended; `None` while there is a step to do.
    pub fn outcome(&self) -> Option<&Acquired<T>> {
        match &self.phase {
            Phase::Over(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// Takes note of what came of the step.
    pub fn observe(&mut self, answer: Answer<I, T>) {
        match &mut self.phase {
            Phase::Put => self.after_put(answer),
            Phase::Look(store) => {
                let store = *store;
                self.after_look(store, answer);
            }
            Phase::Pause(store) => self.phase = Phase::Look(*store),
            Phase::Rest(_) => self.phase = Phase::Put,
            Phase::Wait(store) => {
                if answer == Answer::Expired {
                    self.last = true;
                    self.phase = Phase::Put;
                } else {
                    self.phase = Phase::Look(*store);
                }
            }
            Phase::Undo(release, after) => {
                let after = *after;
                release.observe(answer);
                if release.step().is_none() {
                    self.doubt = None;
                    let is_faint = self.is_faint;
                    let left_behind = release.endings().iter().any(|(_, ending)| match ending {
                        Ending::Failed => true,
                        Ending::Unseen => !is_faint,
                        Ending::Removed | Ending::Gone | Ending::NotOurs => false,
                    });
                    self.after_undo(after, left_behind);
                }
            }
            Phase::Over(_) => {}
        }
    }

    /// Told to stop: gives back what is ours or may be. Only between two steps, and also right
    /// after the last one: the lock may have been won in the same moment.
    pub fn cancel(&mut self) {
        match &mut self.phase {
            Phase::Undo(_, after) => *after = After::GiveUp(GiveUp::Cancelled),
            Phase::Over(
                Acquired::Held | Acquired::Failed { .. } | Acquired::Contradicted { .. } | Acquired::Cancelled { .. },
            ) => {}
            _ => self.undo(After::GiveUp(GiveUp::Cancelled)),
        }
    }

    /// Told to stop, and on the way out.
    pub fn is_cancelled(&self) -> bool {
        matches!(self.phase, Phase::Undo(_, After::GiveUp(GiveUp::Cancelled)) | Phase::Over(Acquired::Cancelled { .. }))
    }

    /// A `PUT` of ours was refused, and nobody has looked yet what is in its way.
    #[cfg(test)]
    pub(crate) fn is_unlooked(&self) -> bool {
        self.doubt.is_some_and(|doubt| doubt.certainty == Certainty::Refused)
    }

    fn next_store(&self) -> Option<Store> {
        self.stores.get(self.taken.len()).copied()
    }

    fn after_put(&mut self, answer: Answer<I, T>) {
        let Some(store) = self.next_store() else { return };
        self.is_heard |= !matches!(answer, Answer::Unsent | Answer::Unclear);
        self.met = match answer {
            Answer::Exists => Met::Something,
            Answer::Unclear => Met::NoAnswer,
            _ => Met::Nothing,
        };
        match answer {
            Answer::Created(tag) => self.took(store, tag),
            Answer::Exists => {
                self.doubts(store, Certainty::Refused);
                self.phase = Phase::Look(store);
            }
            Answer::Refused => self.undo(After::GiveUp(GiveUp::Failed)),
            // What was sent before may still be on its way.
            Answer::Unsent if self.doubt.is_none() => self.send_again(),
            Answer::Unsent => self.try_again(store),
            _ => {
                self.doubts(store, Certainty::Open);
                self.try_again(store);
            }
        }
    }

    /// A request that was not answered stays in doubt, whatever becomes of the next.
    fn doubts(&mut self, store: Store, certainty: Certainty) {
        let before = self.doubt.filter(|doubt| doubt.store == store && doubt.certainty == Certainty::Open);
        self.doubt = before.or(Some(Doubt { store, certainty }));
    }

    fn after_look(&mut self, store: Store, answer: Answer<I, T>) {
        self.is_heard |= !matches!(answer, Answer::Unsent | Answer::Unclear);
        match answer {
            Answer::Absent => self.after_absence(store),
            Answer::Present { id, tag } => {
                self.contradictions = 0;
                if self.rules.recognize_own && id.as_ref() == Some(&self.id) {
                    if self.next_store() == Some(store) {
                        self.took(store, tag);
                    } else {
                        // A late arrival in the second store; the first one comes first.
                        self.phase = Phase::Put;
                    }
                } else {
                    if let Some(doubt) = self.doubt.as_mut().filter(|doubt| doubt.certainty == Certainty::Refused) {
                        doubt.certainty = Certainty::Refuted;
                    }
                    self.contended(store);
                }
            }
            Answer::Refused => self.undo(After::GiveUp(GiveUp::Failed)),
            _ => self.try_again(store),
        }
    }

    /// Held a moment ago, free now: whoever hesitates here waits for ever.
    fn after_absence(&mut self, store: Store) {
        let met = std::mem::replace(&mut self.met, Met::Nothing);
        self.contradictions += u8::from(met == Met::Something);
        if self.contradictions >= CONTRADICTIONS {
            self.undo(After::GiveUp(GiveUp::Contradicted));
            return;
        }
        match self.rushes.checked_sub(1) {
            Some(rushes) => {
                self.rushes = rushes;
                self.phase = Phase::Put;
            }
            None if self.last && met == Met::NoAnswer => self.undo(After::GiveUp(GiveUp::Failed)),
            None => {
                self.rushes = RUSHES;
                if self.last {
                    self.phase = Phase::Rest(REST);
                } else {
                    self.contended(store);
                }
            }
        }
    }

    fn took(&mut self, store: Store, tag: T) {
        self.taken.push(Target { store, tag: Some(tag) });
        self.doubt = self.doubt.filter(|doubt| doubt.store != store);
        self.contradictions = 0;
        self.tries = self.most_tries;
        self.rushes = RUSHES;
        self.phase = match self.next_store() {
            Some(_) => Phase::Put,
            None => Phase::Over(Acquired::Yes(self.taken.clone())),
        };
    }

    /// Somebody else has it. A half that is ours goes back before we wait: whoever waits holding
    /// a half would leave it behind when killed, and would stand in the way of `force-unlock`.
    fn contended(&mut self, store: Store) {
        self.tries = self.most_tries;
        let after = if self.last { After::GiveUp(GiveUp::Held) } else { After::Wait(store) };
        if self.taken.is_empty() {
            // A waiting client stays in doubt: a late copy of its `PUT` may win the lock for it
            // just when it is told to stop.
            self.doubt = self.doubt.filter(|_| !self.last);
            self.after_undo(after, false);
        } else {
            self.undo(after);
        }
    }

    fn try_again(&mut self, look: Store) {
        match self.tries.checked_sub(1) {
            Some(tries) => {
                self.tries = tries;
                self.phase = Phase::Pause(look);
            }
            None => self.undo(After::GiveUp(GiveUp::Failed)),
        }
    }

    /// The same for what was never sent: there is nothing to look for.
    fn send_again(&mut self) {
        let used = self.most_tries.saturating_sub(self.tries);
        if self.tries == 0 || !self.is_heard && used >= UNSENT_TRIES {
            self.undo(After::GiveUp(GiveUp::Failed));
        } else {
            self.tries -= 1;
            self.phase = Phase::Rest(used + 1);
        }
    }

    fn undo(&mut self, after: After) {
        let mut targets = std::mem::take(&mut self.taken);
        self.is_faint =
            self.rules.settle_doubt && self.doubt.is_some_and(|doubt| doubt.certainty == Certainty::Refuted);
        if let Some(doubt) = self.doubt {
            targets.push(Target { store: doubt.store, tag: None });
        }
        let release = Release::with_rules(Some(self.id.clone()), targets, self.most_tries, self.rules);
        if release.step().is_none() {
            self.after_undo(after, false);
        } else {
            self.phase = Phase::Undo(release, after);
        }
    }

    fn after_undo(&mut self, after: After, left_behind: bool) {
        self.phase = match after {
            After::Wait(store) if !left_behind => Phase::Wait(store),
            After::Wait(_) | After::GiveUp(GiveUp::Failed) => Phase::Over(Acquired::Failed { left_behind }),
            After::GiveUp(GiveUp::Contradicted) => Phase::Over(Acquired::Contradicted { left_behind }),
            After::GiveUp(GiveUp::Held) if left_behind => Phase::Over(Acquired::Failed { left_behind }),
            After::GiveUp(GiveUp::Held) => Phase::Over(Acquired::Held),
            After::GiveUp(GiveUp::Cancelled) => Phase::Over(Acquired::Cancelled { left_behind }),
        };
    }
}
