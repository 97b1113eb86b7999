//! Finds patterns at a place in a text.

/// Patterns sorted by bytes, so that those with the same start are neighbours.
#[derive(Clone, Default)]
pub(super) struct Sorted {
    pub(super) texts: Vec<Box<str>>,
    /// Of each, the place of the longest other one that it begins with.
    within: Vec<Option<usize>>,
}

impl Sorted {
    pub(super) fn new(mut texts: Vec<Box<str>>) -> Self {
        texts.sort_unstable();
        let mut within = Vec::with_capacity(texts.len());
        let mut begun: Vec<usize> = Vec::new();
        for (at, text) in texts.iter().enumerate() {
            while begun.last().and_then(|last| texts.get(*last)).is_some_and(|last| !text.starts_with(&**last)) {
                begun.pop();
            }
            within.push(begun.last().copied());
            begun.push(at);
        }
        Self { texts, within }
    }

    /// The longest with which `text` begins and that is accepted.
    ///
    /// Whatever begins `text` sorts before it, and all that sorts between the two begins with it as
    /// well; so the nearest neighbour leads to each that can be meant.
    pub(super) fn longest_prefix(&self, text: &[u8], accept: impl Fn(usize) -> bool) -> Option<usize> {
        let above = self.texts.partition_point(|pattern| pattern.as_bytes() <= text);
        let nearest = above.checked_sub(1)?;
        let common = self.texts.get(nearest)?.bytes().zip(text).take_while(|(one, other)| one == *other).count();
        let mut next = Some(nearest);
        while let Some(at) = next {
            let length = self.texts.get(at)?.len();
            if length <= common && accept(length) {
                return Some(length);
            }
            next = *self.within.get(at)?;
        }
        None
    }
}

/// A set of three-byte beginnings that answers fast, and wrongly only by a false yes.
#[derive(Clone)]
pub(super) struct Starts([u64; 1024]);

impl Default for Starts {
    fn default() -> Self {
        Self([0; 1024])
    }
}

impl Starts {
    fn slot(bytes: &[u8]) -> Option<(usize, u64)> {
        let &[a, b, c, ..] = bytes else { return None };
        let key = u32::from_le_bytes([a, b, c, 0]).wrapping_mul(0x9E37_79B1) >> 16;
        Some(((key >> 6) as usize, 1 << (key & 63)))
    }

    pub(super) fn insert(&mut self, bytes: &[u8]) {
        if let Some((slot, bit)) = Self::slot(bytes)
            && let Some(word) = self.0.get_mut(slot)
        {
            *word |= bit;
        }
    }

    pub(super) fn contains(&self, bytes: &[u8]) -> bool {
        Self::slot(bytes).and_then(|(slot, bit)| self.0.get(slot).map(|word| word & bit != 0)).unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_longest_prefix_is_found(texts in prop::collection::hash_set("[ab]{1,6}", 0..20), text in "[ab]{0,9}", least in 0_usize..4) {
            let sorted = Sorted::new(texts.iter().map(|text| text.as_str().into()).collect());
            let accept = |length: usize| length >= least;
            let expected = texts.iter().filter(|one| text.starts_with(one.as_str())).map(String::len).filter(|length| accept(*length)).max();
            prop_assert_eq!(sorted.longest_prefix(text.as_bytes(), accept), expected);
        }
    }
}
