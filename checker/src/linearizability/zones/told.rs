//! What a call says of the clusters of values: to them, or, put into few words, to another thread.

use super::super::hand_over::Batches;
use super::super::register_op::ValueId;
use super::clusters::Clusters;

/// Whoever is told. It answers whether more is wanted.
pub(super) trait Listener {
    /// This value was there before all.
    fn there_at_first(&mut self, value: ValueId) -> bool;

    /// Something in this role dealt with the value.
    fn touched(&mut self, value: ValueId, role: usize, start: u32, end: u32) -> bool;

    /// Something found the one value and left the other.
    fn swapped(&mut self, found: ValueId, left: ValueId, start: u32, end: u32) -> bool;
}

impl Listener for Clusters {
    fn there_at_first(&mut self, value: ValueId) -> bool {
        self.begin_with(value);
        true
    }

    #[inline(always)]
    fn touched(&mut self, value: ValueId, role: usize, start: u32, end: u32) -> bool {
        self.touch(value, role, start, end)
    }

    #[inline(always)]
    fn swapped(&mut self, found: ValueId, left: ValueId, start: u32, end: u32) -> bool {
        self.swap(found, left, start, end)
    }
}

/// One thing that was said.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    /// The value, and its role above it.
    value: u32,
    /// One more than the value that was found, if it was swapped.
    found: u32,
    start: u32,
    /// 0 if the value was there at first: nothing else ends there.
    end: u32,
}

/// Not a bit of a value: see [`NUMBERS_MAX`](super::clusters::NUMBERS_MAX).
const ROLE_BIT: u32 = 31;

impl Told {
    #[inline(always)]
    pub(super) fn again(&self, listener: &mut impl Listener) -> bool {
        let Told { value, found, start, end } = *self;
        let (value, role) = (value & !(1 << ROLE_BIT), (value >> ROLE_BIT) as usize);
        match (found, end) {
            (0, 0) => listener.there_at_first(value),
            (0, _) => listener.touched(value, role, start, end),
            (found, _) => listener.swapped(found - 1, value, start, end),
        }
    }
}

impl Listener for Batches<Told> {
    fn there_at_first(&mut self, value: ValueId) -> bool {
        self.push(Told { value, found: 0, start: 0, end: 0 })
    }

    #[inline(always)]
    fn touched(&mut self, value: ValueId, role: usize, start: u32, end: u32) -> bool {
        self.push(Told { value: value | (role as u32) << ROLE_BIT, found: 0, start, end })
    }

    #[inline(always)]
    fn swapped(&mut self, found: ValueId, left: ValueId, start: u32, end: u32) -> bool {
        self.push(Told { value: left, found: found + 1, start, end })
    }
}
