//! What is kept of very many changes: the most dangerous, as far as there is room.

use std::collections::{BTreeMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

/// What one thing takes in memory beside its own bytes, at least.
const ALLOCATION: usize = 16;
const SMALLEST: usize = 32;

/// Keeps as much as there is room for, by rank, the lowest first; of one rank what came first.
///
/// Put in order of rank, all that was given begins with what is kept: nothing stays for which
/// something of a lower rank had to go.
pub(super) struct Keeper<R, T> {
    drawers: BTreeMap<R, Vec<Entry<T>>>,
    /// Something of this rank had to go, so nothing of it or of a higher one is taken any more.
    closed: Option<R>,
    given: usize,
    used: usize,
    room: usize,
}

struct Entry<T> {
    order: usize,
    size: usize,
    item: T,
}

impl<R: Ord + Copy, T> Keeper<R, T> {
    /// With room for so many bytes.
    pub(super) fn new(room: usize) -> Self {
        Self { drawers: BTreeMap::new(), closed: None, given: 0, used: 0, room }
    }

    /// Whether something of this rank may be kept.
    pub(super) fn is_open(&self, rank: R) -> bool {
        self.closed.is_none_or(|closed| rank < closed)
    }

    /// Keeps it, if need be instead of what ranks higher; `size` is what it takes outside of itself.
    pub(super) fn give(&mut self, rank: R, size: usize, item: T) {
        if !self.is_open(rank) {
            return;
        }
        let size = size + std::mem::size_of::<Entry<T>>();
        while self.used + size > self.room {
            let Some(mut drawer) = self.drawers.last_entry().filter(|drawer| *drawer.key() > rank) else {
                self.closed = Some(rank);
                return;
            };
            self.closed = Some(*drawer.key());
            let entries = drawer.get_mut();
            self.used -= entries.pop().map_or(0, |entry| entry.size);
            if entries.is_empty() {
                drawer.remove();
            } else if entries.len() < entries.capacity() / 2 {
                entries.shrink_to_fit();
            }
        }
        self.used += size;
        self.drawers.entry(rank).or_default().push(Entry { order: self.given, size, item });
        self.given += 1;
    }

    /// What was kept, in the order in which it was given.
    pub(super) fn finish(self) -> Vec<T> {
        let mut drawers = self.drawers.into_values();
        let mut all = drawers.next().unwrap_or_default();
        drawers.for_each(|drawer| all.extend(drawer));
        all.sort_unstable_by_key(|entry| entry.order);
        all.into_iter().map(|entry| entry.item).collect()
    }
}

/// Roughly how much memory a text takes outside of itself, in bytes.
pub(super) fn text_size(text: &str) -> usize {
    if text.is_empty() { 0 } else { SMALLEST.max(text.len() + ALLOCATION) }
}

/// Names that many resources have in common, each held once.
pub(super) struct Names<T: ?Sized>(HashSet<Arc<T>>);

impl<T: ?Sized> Default for Names<T> {
    fn default() -> Self {
        Self(HashSet::new())
    }
}

impl<T: ?Sized + Hash + Eq> Names<T>
where
    Arc<T>: for<'a> From<&'a T>,
{
    /// So many are held. Of more, each has its own.
    const MOST: usize = 2_048;

    /// The name, and what it takes in memory for itself when its text takes `size`.
    pub(super) fn share(&mut self, name: &T, size: usize) -> (Arc<T>, usize) {
        /// A longer one is nobody else's.
        const LONGEST: usize = 256;
        if let Some(known) = self.0.get(name) {
            return (Arc::clone(known), 0);
        }
        let own = Arc::from(name);
        if self.0.len() < Self::MOST && size <= LONGEST {
            self.0.insert(Arc::clone(&own));
            return (own, 0);
        }
        (own, size + ALLOCATION)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// The same as to keep all, put it in order and cut it off.
        #[test]
        fn what_is_left_out_ranks_after_what_is_kept(
            given in prop::collection::vec((0_u8..5, 0_usize..400), 0..80),
            room in 0_usize..8_000,
        ) {
            let own = std::mem::size_of::<Entry<usize>>();
            let mut keeper = Keeper::new(room);
            for (index, (rank, size)) in given.iter().enumerate() {
                keeper.give(*rank, *size, index);
                prop_assert!(keeper.used <= room);
            }
            let mut expected: Vec<usize> = (0..given.len()).collect();
            expected.sort_by_key(|index| given[*index].0);
            let mut used = 0;
            let fits = expected.iter().take_while(|index| {
                used += given[**index].1 + own;
                used <= room
            }).count();
            expected.truncate(fits);
            expected.sort_unstable();
            prop_assert_eq!(keeper.finish(), expected);
        }
    }

    #[test]
    fn a_name_is_held_once_as_long_as_there_are_few() {
        let mut names = Names::default();
        assert_eq!(names.share("aws_instance", 12).1, 0);
        let (one, other) = (names.share("aws_instance", 12).0, names.share("aws_instance", 12).0);
        assert!(Arc::ptr_eq(&one, &other));
        let charged: Vec<usize> = (0..3_000).map(|number| names.share(&format!("aws_{number}"), 8).1).collect();
        assert!(charged[..2_000].iter().all(|size| *size == 0) && charged[2_100..].iter().all(|size| *size > 8));
    }
}
