//! What became of a plan that was planned again: the same commit, another plan, perhaps after it was
//! approved.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::Record;
use super::compare::{Comparison, compare};
use super::difference::Difference;

/// How many replaced plans are kept, and how many changes in them all.
const MOST_PLANS: usize = 4;
const MOST_CHANGES: usize = 5_000;

/// What was planned after a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlannedSince {
    /// The same: the plan was there already, or was made again and means what it meant.
    Same {
        /// Whether it was made again.
        again: bool,
    },
    /// The plan of that moment is not the one of today.
    Other {
        /// What differs: never empty.
        differences: Vec<Difference>,
    },
    /// No plan of that moment is known.
    First,
}

impl Record {
    /// The record, remembering the one of the same commit that it replaces.
    #[must_use]
    pub fn replacing(mut self, before: Option<Self>) -> Self {
        let Some(mut before) = before.filter(|before| before.origin.head_sha == self.origin.head_sha) else {
            return self;
        };
        // A reopen, a re-run or an edit plans the same commit and names no pusher: who pushed it stays known.
        self.origin.pushers = self.pushers().union(&before.pushers()).cloned().collect();
        let mut earlier = std::mem::take(&mut before.earlier);
        // Of plans that mean the same the first is enough: it was there the longest.
        if !earlier.last().is_some_and(|last| differences(last, &before).is_empty()) {
            earlier.push(before);
        }
        let changes = |records: &[Self]| records.iter().map(|record| record.plan.resources.len()).sum::<usize>();
        while earlier.len() > MOST_PLANS || changes(&earlier) > MOST_CHANGES {
            earlier.remove(0);
        }
        self.earlier = earlier;
        self
    }

    /// Everybody whom this record, or one that it replaced, names as a pusher of its commit.
    pub fn pushers(&self) -> BTreeSet<String> {
        let named = |record: &Self| record.origin.pushers.iter().chain(&record.origin.pusher).cloned().collect();
        let mut all: BTreeSet<String> = named(self);
        all.extend(self.earlier.iter().flat_map(Self::pushers));
        all
    }

    /// How this plan stands to the one that could be read at a moment.
    pub fn planned_since(&self, moment: Timestamp) -> PlannedSince {
        // GitHub's moments are whole seconds, cut off.
        let was_there =
            |record: &&Self| record.origin.made_at.is_none_or(|made_at| made_at.as_second() <= moment.as_second());
        if was_there(&self) {
            return PlannedSince::Same { again: false };
        }
        let Some(then) = self.earlier.iter().rev().find(was_there) else { return PlannedSince::First };
        match differences(then, self) {
            none if none.is_empty() => PlannedSince::Same { again: true },
            differences => PlannedSince::Other { differences },
        }
    }
}

fn differences(then: &Record, now: &Record) -> Vec<Difference> {
    match compare(std::slice::from_ref(then), now, &[]) {
        Comparison::Equal { .. } => Vec::new(),
        Comparison::Different { differences, .. } => differences,
    }
}
