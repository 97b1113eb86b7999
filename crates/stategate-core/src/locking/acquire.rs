//! Taking the lock: in every store or in none.

use super::release::{Ending, Release, Target};
use super::{Answer, Rules, Step, TRIES};
use crate::backend::Store;

/// How often "held, then gone" is answered by an immediate new attempt before we wait as for a
/// holder.
const RUSHES: u8 = 3;

/// A client on its way to the lock.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Acquire<I, T> {
    id: I,
    stores: &'static [Store],
    /// The halves that are ours, in the order of `stores`.
    taken: Vec<Target<T>>,
    /// A store in which a `PUT` of ours is in doubt: unclear, or met by something that may be
    /// our own. Whoever gives up before he has looked looks then.
    doubt: Option<Store>,
    phase: Phase<I, T>,
    /// Unclear answers that we still bear before the next step of progress.
    tries: u8,
    /// Immediate attempts after "held, then gone" that are left.
    rushes: u8,
    /// The time is up: what is held now stays held.
    last: bool,
    /// The last `PUT` was not clearly answered, so nobody needs to have been in its way.
    unanswered: bool,
    most_tries: u8,
    rules: Rules,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Phase<I, T> {
    Put,
    Look(Store),
    /// A pause, then a look.
    Pause(Store),
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
            unanswered: false,
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
                    let left_behind = release.endings().iter().any(|(_, ending)| *ending == Ending::Failed);
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
            Phase::Over(Acquired::Held | Acquired::Failed { .. } | Acquired::Cancelled { .. }) => {}
            _ => self.undo(After::GiveUp(GiveUp::Cancelled)),
        }
    }

    /// Told to stop, and on the way out.
    pub fn is_cancelled(&self) -> bool {
        matches!(self.phase, Phase::Undo(_, After::GiveUp(GiveUp::Cancelled)) | Phase::Over(Acquired::Cancelled { .. }))
    }

    fn next_store(&self) -> Option<Store> {
        self.stores.get(self.taken.len()).copied()
    }

    fn after_put(&mut self, answer: Answer<I, T>) {
        let Some(store) = self.next_store() else { return };
        self.unanswered = answer == Answer::Unclear;
        match answer {
            Answer::Created(tag) => self.took(store, tag),
            Answer::Exists => {
                self.doubt = Some(store);
                self.phase = Phase::Look(store);
            }
            Answer::Refused => self.undo(After::GiveUp(GiveUp::Failed)),
            _ => {
                self.doubt = Some(store);
                self.try_again(store);
            }
        }
    }

    fn after_look(&mut self, store: Store, answer: Answer<I, T>) {
        match answer {
            // Held a moment ago, free now: whoever hesitates here waits for ever.
            Answer::Absent => match self.rushes.checked_sub(1) {
                Some(rushes) => {
                    self.rushes = rushes;
                    self.phase = Phase::Put;
                }
                None if self.last && self.unanswered => self.undo(After::GiveUp(GiveUp::Failed)),
                None if self.last => self.undo(After::GiveUp(GiveUp::Held)),
                // A store that refuses for ever what it does not have: the deadline counts here too.
                None => {
                    self.rushes = RUSHES;
                    self.contended(store);
                }
            },
            Answer::Present { id, tag } => {
                if self.rules.recognize_own && id.as_ref() == Some(&self.id) {
                    if self.next_store() == Some(store) {
                        self.took(store, tag);
                    } else {
                        // A late arrival in the second store; the first one comes first.
                        self.phase = Phase::Put;
                    }
                } else {
                    self.contended(store);
                }
            }
            Answer::Refused => self.undo(After::GiveUp(GiveUp::Failed)),
            _ => self.try_again(store),
        }
    }

    fn took(&mut self, store: Store, tag: T) {
        self.taken.push(Target { store, tag: Some(tag) });
        if self.doubt == Some(store) {
            self.doubt = None;
        }
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

    fn undo(&mut self, after: After) {
        let mut targets = std::mem::take(&mut self.taken);
        if let Some(store) = self.doubt.take() {
            targets.push(Target { store, tag: None });
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
            After::GiveUp(GiveUp::Held) if left_behind => Phase::Over(Acquired::Failed { left_behind }),
            After::GiveUp(GiveUp::Held) => Phase::Over(Acquired::Held),
            After::GiveUp(GiveUp::Cancelled) => Phase::Over(Acquired::Cancelled { left_behind }),
        };
    }
}
