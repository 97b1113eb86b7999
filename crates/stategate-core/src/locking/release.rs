//! Letting go: exactly what is meant, in every store, whatever happens in the other.

use super::{Answer, Rules, Step, TRIES};
use crate::backend::Store;

/// One half of a lock that is to go.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target<T> {
    /// Where.
    pub store: Store,
    /// The exact body; `None` when it is in doubt whether there is one of ours.
    pub tag: Option<T>,
}

/// How it ended in one store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ending {
    /// We deleted it.
    Removed,
    /// It was gone already.
    Gone,
    /// What stands there is not what was meant; it was not touched.
    NotOurs,
    /// The store refused or stayed unclear; it may still be there.
    Failed,
    /// Whether there is one could not be seen.
    Unseen,
}

/// Letting one lock go, one store after the other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Release<I, T> {
    /// Our lock's ID. `None`: whatever its ID, only the exact body is meant.
    id: Option<I>,
    /// What is still to go, the current one first.
    targets: Vec<Target<T>>,
    endings: Vec<(Store, Ending)>,
    phase: Phase,
    tries: u8,
    /// A delete of ours stayed unclear: if it is gone now, we may well have done it.
    unclear: bool,
    /// The store cannot compare; we do, right before each delete.
    compare: bool,
    most_tries: u8,
    rules: Rules,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Phase {
    Delete,
    Look,
    PauseThenDelete,
    PauseThenLook,
    /// No delete was ever answered: what stands there now says whether one was carried out.
    LastLook,
}

impl<I: Clone + Eq, T: Clone + Eq> Release<I, T> {
    /// Lets the holder's own lock go. A half whose tag changed is still ours while the ID is.
    pub fn of_holder(id: I, targets: Vec<Target<T>>) -> Self {
        Self::with_rules(Some(id), targets, TRIES, Rules::ALL)
    }

    /// Removes exactly what was seen, whoever's it is.
    pub fn of_exactly(store: Store, tag: T) -> Self {
        Self::with_rules(None, vec![Target { store, tag: Some(tag) }], TRIES, Rules::ALL)
    }

    pub(crate) fn with_rules(id: Option<I>, targets: Vec<Target<T>>, most_tries: u8, rules: Rules) -> Self {
        let mut release = Release {
            id,
            targets,
            endings: Vec::new(),
            phase: Phase::Delete,
            tries: 0,
            unclear: false,
            compare: false,
            most_tries,
            rules,
        };
        release.begin();
        release
    }

    /// What to do next; `None` when it is over.
    pub fn step(&self) -> Option<Step<T>> {
        let target = self.targets.first()?;
        Some(match self.phase {
            Phase::Delete if self.compare || !self.rules.delete_if_match => Step::Delete(target.store, None),
            Phase::Delete => Step::Delete(target.store, target.tag.clone()),
            Phase::Look | Phase::LastLook => Step::Read(target.store),
            Phase::PauseThenDelete | Phase::PauseThenLook => Step::Backoff(self.most_tries.saturating_sub(self.tries)),
        })
    }

    /// How it ended in each store, in the order given; complete when there is no step left.
    pub fn endings(&self) -> &[(Store, Ending)] {
        &self.endings
    }

    /// Takes note of what came of the step.
    pub fn observe(&mut self, answer: Answer<I, T>) {
        match (self.phase, answer) {
            (Phase::PauseThenDelete, _) => self.phase = Phase::Delete,
            (Phase::PauseThenLook, _) => self.phase = Phase::Look,
            (Phase::Delete, Answer::Deleted) => self.end(Ending::Removed),
            (Phase::Delete | Phase::Look | Phase::LastLook, Answer::Absent) => {
                self.end(if self.unclear { Ending::Removed } else { Ending::Gone });
            }
            (Phase::Delete | Phase::Look, Answer::Refused) => self.fail(),
            // A body that changed under the same ID is still our lock: a repeated `PUT` under a
            // KMS key gets a new `ETag`. Whoever means one exact body has his answer here.
            (Phase::Delete, Answer::Mismatch) if self.id.is_some() && self.rules.recognize_own => {
                self.again(Phase::Look);
            }
            (Phase::Delete, Answer::Mismatch) => self.end(Ending::NotOurs),
            (Phase::Delete, Answer::NoConditions) if !self.compare => {
                self.compare = true;
                self.phase = Phase::Look;
            }
            (Phase::Look | Phase::LastLook, Answer::Present { id, tag }) => self.after_look(id.as_ref(), tag),
            (Phase::Delete, answer) => {
                // What never left deleted nothing.
                self.unclear |= answer != Answer::Unsent;
                match (self.tries, self.compare) {
                    (0, _) => self.phase = Phase::LastLook,
                    // Without a condition of the store's own, only a new look makes a repeat safe.
                    (_, true) => self.again(Phase::PauseThenLook),
                    (_, false) => self.again(Phase::PauseThenDelete),
                }
            }
            (Phase::Look, _) => self.again(Phase::PauseThenLook),
            (Phase::LastLook, _) => self.fail(),
        }
    }

    fn after_look(&mut self, id: Option<&I>, tag: T) {
        let Some(target) = self.targets.first_mut() else { return };
        let ours = match &self.id {
            Some(ours) => self.rules.recognize_own && id == Some(ours),
            None => target.tag.as_ref() == Some(&tag),
        };
        if ours && self.phase == Phase::LastLook {
            target.tag = Some(tag);
            self.fail();
        } else if ours {
            target.tag = Some(tag);
            self.phase = Phase::Delete;
        } else {
            // Only we delete a lock with our ID: if another stands there, our unclear delete
            // was done. Of a stranger's lock that cannot be said.
            self.end(if self.unclear && self.id.is_some() { Ending::Removed } else { Ending::NotOurs });
        }
    }

    fn again(&mut self, phase: Phase) {
        match self.tries.checked_sub(1) {
            Some(tries) => {
                self.tries = tries;
                self.phase = phase;
            }
            None => self.fail(),
        }
    }

    /// What was in doubt and never seen stays in doubt; everything else may still be there.
    fn fail(&mut self) {
        let is_unseen = self.targets.first().is_some_and(|target| target.tag.is_none());
        self.end(if is_unseen { Ending::Unseen } else { Ending::Failed });
    }

    fn end(&mut self, ending: Ending) {
        if !self.targets.is_empty() {
            let target = self.targets.remove(0);
            self.endings.push((target.store, ending));
        }
        self.begin();
    }

    fn begin(&mut self) {
        self.tries = self.most_tries;
        self.unclear = false;
        self.compare = false;
        // What is in doubt may be on its way: give it the time to arrive before looking.
        self.phase = match self.targets.first() {
            Some(Target { tag: None, .. }) => Phase::PauseThenLook,
            _ => Phase::Delete,
        };
    }
}
