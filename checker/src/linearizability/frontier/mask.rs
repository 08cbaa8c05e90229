//! Sets of slots. A slot is a small number that an operation holds from its start to its end; with one
//! word the compiler makes of a set what it makes of a `u64`.

use std::ops::{BitAnd, BitAndAssign, BitOr, BitOrAssign, BitXor, Not};

/// A set of slots below `64 * W`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Mask<const W: usize>([u64; W]);

impl<const W: usize> Mask<W> {
    pub(super) const EMPTY: Self = Self([0; W]);

    pub(super) fn of(slot: usize) -> Self {
        let mut mask = Self::EMPTY;
        mask.set(slot);
        mask
    }

    pub(super) fn has(self, slot: usize) -> bool {
        self.0[slot / 64] >> (slot % 64) & 1 == 1
    }

    pub(super) fn set(&mut self, slot: usize) {
        self.0[slot / 64] |= 1 << (slot % 64);
    }

    pub(super) fn clear(&mut self, slot: usize) {
        self.0[slot / 64] &= !(1 << (slot % 64));
    }

    pub(super) fn is_empty(self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    pub(super) fn count(self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    /// Those in it and not in the other.
    pub(super) fn without(self, other: Self) -> Self {
        self & !other
    }

    pub(super) fn meets(self, other: Self) -> bool {
        !(self & other).is_empty()
    }

    /// The slots in it, lowest first.
    pub(super) fn slots(self) -> impl Iterator<Item = usize> {
        self.0.into_iter().enumerate().flat_map(|(index, mut word)| {
            std::iter::from_fn(move || {
                let bit = word.trailing_zeros() as usize;
                (word != 0).then(|| {
                    word &= word - 1;
                    index * 64 + bit
                })
            })
        })
    }

    pub(super) fn hash(self, mut seed: u64) -> u64 {
        for word in self.0 {
            let product = u128::from(word ^ seed) * 0x9e37_79b9_7f4a_7c15;
            seed = (product >> 64) as u64 ^ product as u64 ^ seed.rotate_left(29);
        }
        seed
    }
}

impl<const W: usize> BitAnd for Mask<W> {
    type Output = Self;

    fn bitand(mut self, other: Self) -> Self {
        self &= other;
        self
    }
}

impl<const W: usize> BitOr for Mask<W> {
    type Output = Self;

    fn bitor(mut self, other: Self) -> Self {
        self |= other;
        self
    }
}

impl<const W: usize> BitXor for Mask<W> {
    type Output = Self;

    fn bitxor(mut self, other: Self) -> Self {
        for (word, with) in self.0.iter_mut().zip(other.0) {
            *word ^= with;
        }
        self
    }
}

impl<const W: usize> BitAndAssign for Mask<W> {
    fn bitand_assign(&mut self, other: Self) {
        for (word, with) in self.0.iter_mut().zip(other.0) {
            *word &= with;
        }
    }
}

impl<const W: usize> BitOrAssign for Mask<W> {
    fn bitor_assign(&mut self, other: Self) {
        for (word, with) in self.0.iter_mut().zip(other.0) {
            *word |= with;
        }
    }
}

impl<const W: usize> Not for Mask<W> {
    type Output = Self;

    fn not(mut self) -> Self {
        self.0.iter_mut().for_each(|word| *word = !*word);
        self
    }
}
