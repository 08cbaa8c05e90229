//! A whole queue at once: the verdict, straight from the columns of its history.
//!
//! What [`judge`](super::judge) does, where all is plain: no operations are kept, only four moments of every value,
//! and those are laid out along the positions for one sweep. Takes of unknown outcome, looks at the front, and values
//! that are put in twice are left to the other one, which also tells what is wrong.

use super::super::lives::NOBODY;
use super::super::partition::NEVER;
use crate::history::History;
use crate::model::ContainerOp;

/// When a value was put in and taken out.
#[derive(Clone, Copy)]
struct Moments {
    /// The first end of its operations, and the last start.
    in_by: u32,
    out_from: u32,
    /// The start of its put; [`NOBODY`] if there was none.
    put: u32,
    /// The end of its take; [`NEVER`] if there was none.
    taken: u32,
}

const UNTOUCHED: Moments = Moments { in_by: NEVER, out_from: 0, put: NOBODY, taken: NEVER };

/// What is at a position, in the two highest bits; below them another position that belongs to it.
mod kind {
    pub(super) const NOTHING: u32 = 0;
    /// A value is certainly inside from here on; it certainly is until there.
    pub(super) const IN: u32 = 1;
    /// A put begins; its value was taken by then.
    pub(super) const PUT: u32 = 2;
    /// What found nothing ended here; it began there.
    pub(super) const FOUND_NOTHING: u32 = 3;
    pub(super) const SHIFT: u32 = 30;
}

/// Later than every position, and no bit of a kind.
const LATEST: u32 = (1 << kind::SHIFT) - 1;
/// More values than events cost more to clear than they save.
const VALUES_MORE_MAX: usize = 1 << 10;

/// A queue as its calls come in.
pub(crate) struct AtOnce {
    values: Vec<Moments>,
    /// Start and end of what found nothing.
    empties: Vec<(u32, u32)>,
    /// Whether some value was, though none was put in twice.
    taken_twice: bool,
    positions: usize,
}

impl AtOnce {
    /// Of a history; nothing if it is none of those that are decided here.
    pub(crate) fn new(history: &History) -> Option<Self> {
        let (values, positions) = (history.values().len(), history.len());
        let fits = values <= positions + VALUES_MORE_MAX && positions < LATEST as usize;
        fits.then(|| Self {
            values: vec![UNTOUCHED; values],
            empties: Vec::new(),
            taken_twice: false,
            positions,
        })
    }

    /// Takes a call, values by their ids and positions those of the history. Whether it is one that is decided here.
    #[inline(always)]
    pub(crate) fn add(&mut self, op: ContainerOp<u32>, start: u32, end: u32) -> bool {
        match op {
            ContainerOp::Put(value) | ContainerOp::Take(value) => {
                let is_put = matches!(op, ContainerOp::Put(_));
                let moments = &mut self.values[value as usize];
                moments.in_by = moments.in_by.min(end);
                moments.out_from = moments.out_from.max(start);
                if is_put {
                    std::mem::replace(&mut moments.put, start) == NOBODY
                } else {
                    self.taken_twice |= std::mem::replace(&mut moments.taken, end) != NEVER;
                    true
                }
            }
            ContainerOp::Empty => {
                self.empties.push((start, end));
                true
            }
            ContainerOp::TakeUnknown | ContainerOp::Peek(_) => false,
        }
    }

    /// Whether there is an order.
    pub(crate) fn is_valid(&self) -> bool {
        !self.taken_twice && self.laid_out().is_some_and(|positions| is_orderly(&positions))
    }

    /// What is at each position; nothing if some value was taken before it was put in, or was not put in at all.
    fn laid_out(&self) -> Option<Vec<u32>> {
        let mut at = vec![kind::NOTHING; self.positions + 1];
        for &Moments { in_by, out_from, put, taken } in &self.values {
            if in_by == NEVER {
                // Nobody dealt with it, or it may have been put in and nobody saw it.
                continue;
            }
            if put == NOBODY || taken < put {
                return None;
            }
            let stays_until = if taken == NEVER { LATEST } else { out_from };
            at[put as usize] = kind::PUT << kind::SHIFT | taken.min(LATEST);
            at[in_by as usize] = kind::IN << kind::SHIFT | stays_until;
        }
        for &(start, end) in &self.empties {
            at[end as usize] = kind::FOUND_NOTHING << kind::SHIFT | start;
        }
        Some(at)
    }
}

/// Whether no value was overtaken by a later one, and whoever found nothing had a moment in which nothing was
/// certainly inside.
fn is_orderly(positions: &[u32]) -> bool {
    // How far the stays reach that have begun, and the last moment that none covered.
    let (mut reach, mut free) = (0, 0);
    for (position, &noted) in (0..).zip(positions) {
        let other = noted & LATEST;
        match noted >> kind::SHIFT {
            kind::IN => reach = reach.max(other),
            kind::PUT if other < reach => return false,
            kind::FOUND_NOTHING if free < other => return false,
            _ => {}
        }
        free = if reach <= position { position } else { free };
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of these operations of two values.
    fn said(ops: &[(ContainerOp<u32>, u32, u32)]) -> Option<bool> {
        let mut queue =
            AtOnce { values: vec![UNTOUCHED; 2], empties: Vec::new(), taken_twice: false, positions: 20 };
        ops.iter().all(|(op, start, end)| queue.add(*op, *start, *end)).then(|| queue.is_valid())
    }

    #[test]
    fn the_operations_of_a_value_are_a_put_and_a_take_after_it() {
        use ContainerOp::{Peek, Put, Take, TakeUnknown};
        assert_eq!(said(&[(Put(0), 1, 2), (Take(0), 3, 4)]), Some(true));
        assert_eq!(said(&[(Put(0), 2, 4), (Take(0), 1, 3)]), Some(true));
        assert_eq!(said(&[(Put(0), 1, NEVER), (Take(0), 2, 3)]), Some(true));
        assert_eq!(said(&[(Put(0), 3, 4), (Take(0), 1, 2)]), Some(false));
        assert_eq!(said(&[(Put(0), 3, NEVER), (Take(0), 1, 2)]), Some(false));
        assert_eq!(said(&[(Take(0), 1, 2)]), Some(false));
        assert_eq!(said(&[(Put(0), 1, 2), (Take(0), 3, 4), (Take(0), 5, 6)]), Some(false));
        // Those are for others.
        assert_eq!(said(&[(Put(0), 1, 2), (Put(0), 3, 4)]), None);
        assert_eq!(said(&[(TakeUnknown, 1, NEVER)]), None);
        assert_eq!(said(&[(Put(0), 1, 2), (Peek(0), 3, 4)]), None);
    }

    #[test]
    fn nothing_overtakes_and_nothing_is_found_only_where_nothing_is() {
        use ContainerOp::{Empty, Put, Take};
        let both = [(Put(0), 1, 2), (Put(1), 3, 4)];
        let with = |more: &[(ContainerOp<u32>, u32, u32)]| said(&[&both, more].concat());
        assert_eq!(with(&[(Take(1), 6, 8), (Take(0), 5, 7)]), Some(true));
        assert_eq!(with(&[(Take(1), 5, 6), (Take(0), 7, 8)]), Some(false));
        // What nobody took is still inside.
        assert_eq!(with(&[(Take(1), 5, 6)]), Some(false));
        assert_eq!(with(&[(Take(0), 5, 6), (Empty, 7, 8)]), Some(false));
        assert_eq!(with(&[(Take(0), 5, 6), (Take(1), 7, 9), (Empty, 8, 10)]), Some(true));
        assert_eq!(with(&[(Take(0), 5, 6), (Take(1), 9, 10), (Empty, 7, 8)]), Some(false));
        // A put that nobody saw may never have happened.
        assert_eq!(said(&[(Put(0), 1, NEVER), (Empty, 2, 3)]), Some(true));
    }
}
