//! Where a search is, in a few words.
//!
//! Let r be the number of completed operations, by their end, that are all placed. Whatever else is
//! placed began before the next end, that of operation r, and is still open there. So (r, which of the
//! operations open there are placed, how many unknown ones of each class, state) says everything,
//! instead of a bit for each operation of the history.

use std::hash::{Hash, Hasher};

use super::condition::Condition;
use super::interned::Counts;
use crate::linearizability::condition::holds;

/// Which of the open operations are placed, by slot.
pub(super) trait Mask: Clone + Eq {
    /// Nothing placed, of so many slots.
    fn empty(slots: usize) -> Self;
    fn words(&self) -> &[u64];
    fn words_mut(&mut self) -> &mut [u64];

    fn has(&self, slot: u32) -> bool {
        self.words()[slot as usize / 64] >> (slot % 64) & 1 == 1
    }

    fn set(&mut self, slot: u32) {
        self.words_mut()[slot as usize / 64] |= 1 << (slot % 64);
    }

    fn clear(&mut self, slot: u32) {
        self.words_mut()[slot as usize / 64] &= !(1 << (slot % 64));
    }

    /// What is here and not there.
    fn without(&self, other: &Self) -> Self {
        let mut rest = self.clone();
        for (word, other) in rest.words_mut().iter_mut().zip(other.words()) {
            *word &= !other;
        }
        rest
    }

    fn is_within(&self, other: &Self) -> bool {
        self.words().iter().zip(other.words()).all(|(word, other)| word & !other == 0)
    }

    /// Memory beyond its own size.
    fn heap_bytes(slots: usize) -> usize;
}

impl<const W: usize> Mask for [u64; W] {
    fn empty(_slots: usize) -> Self {
        [0; W]
    }

    fn words(&self) -> &[u64] {
        self
    }

    fn words_mut(&mut self) -> &mut [u64] {
        self
    }

    fn heap_bytes(_slots: usize) -> usize {
        0
    }
}

/// As many as it takes.
impl Mask for Box<[u64]> {
    fn empty(slots: usize) -> Self {
        vec![0; slots.div_ceil(64)].into()
    }

    fn words(&self) -> &[u64] {
        self
    }

    fn words_mut(&mut self) -> &mut [u64] {
        self
    }

    fn heap_bytes(slots: usize) -> usize {
        // The words, and what an allocation costs beside.
        slots.div_ceil(64) * 8 + 16
    }
}

/// See the head of this file.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Key<K> {
    /// Every completed operation of a lower rank is placed; this one is not.
    pub(super) rank: u32,
    /// Interned.
    pub(super) state: u32,
    /// How many of each class of unknown operations are placed, interned.
    pub(super) used: u32,
    pub(super) mask: K,
}

impl<K: Mask> Key<K> {
    /// What it is remembered by when it was tried.
    pub(super) fn remembered(&self) -> Self {
        let mut tried = self.clone();
        if !holds(Condition::ToldApartByUsed) {
            tried.used = Counts::NONE;
        }
        if !holds(Condition::ToldApartByMask) {
            tried.mask.words_mut().fill(0);
        }
        tried
    }
}

impl<K: Mask> Hash for Key<K> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_u64(u64::from(self.rank) << 32 | u64::from(self.state));
        hasher.write_u32(self.used);
        self.mask.words().iter().for_each(|word| hasher.write_u64(*word));
    }
}
