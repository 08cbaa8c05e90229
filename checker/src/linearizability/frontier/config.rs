//! A configuration: all that matters of one way to order what has happened so far.

use super::super::hash::Table;
use super::super::register_op::ValueId;
use super::condition::{Condition, holds};
use super::mask::Mask;
use super::open::Open;
use super::plan::Class;

/// The value of a register whose current value nobody will see: it may be taken for any.
pub(super) const DEAD: ValueId = ValueId::MAX;

/// See the module's documentation for what these mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Config<const W: usize> {
    /// The value now, or [`DEAD`].
    pub(super) state: ValueId,
    /// How many useful unknown operations had begun when the current block did.
    pub(super) known: u32,
    /// How many of each class of unknown operations are placed, by number in [`Used`].
    pub(super) used: u32,
    /// The open operations that are placed.
    pub(super) done: Mask<W>,
    /// The open operations that are not placed and began after the current block did.
    pub(super) fresh: Mask<W>,
}

impl<const W: usize> Config<W> {
    /// Forgets an operation that ended.
    pub(super) fn forget(&mut self, slot: usize) {
        self.done.clear(slot);
        self.fresh.clear(slot);
    }

    /// Whether everything that can become of the other can become of this one (R7).
    ///
    /// `optional` are operations that may be left out.
    pub(super) fn covers(&self, other: &Self, open: &Open<W>, optional: Mask<W>, used: &Used) -> bool {
        if other.state != DEAD {
            // A block that began later lets more go before it.
            if self.state != other.state
                || self.known < other.known
                || (!self.fresh.without(other.fresh).is_empty() && holds(Condition::CoverFresh))
            {
                return false;
            }
        }
        let differ = (self.done ^ other.done) & open.all;
        if differ.is_empty() {
            return used.at_most(self.used, other.used) || !holds(Condition::CoverUsed);
        }
        // A placed read has nothing more to ask for. A write that may go before the current block is
        // free to do so, or to be used, where a placed one is only free.
        let mine = differ & self.done;
        let theirs = differ & other.done;
        (!mine.meets(open.writes) || !holds(Condition::CoverWrites))
            && (!(mine | theirs.without(optional)).meets(open.cas) || !holds(Condition::CoverCas))
            && (theirs.without(open.writes | open.cas).is_empty() || !holds(Condition::CoverReads))
            && (used.at_most(self.used, other.used) || !holds(Condition::CoverUsed))
    }
}

/// Not looked up yet.
const UNSEEN: u32 = u32::MAX;

/// How many operations of each class are placed, as numbers for short.
#[derive(Debug, Default)]
pub(super) struct Used {
    counts: Vec<Box<[u16]>>,
    numbers: Table<Box<[u16]>, u32>,
    /// For each number and class, the number with one more of that class, once it is known.
    next: Vec<u32>,
    /// By class, whether what has begun never runs out: in relaxations only.
    pub(super) endless: Vec<bool>,
}

impl Used {
    pub(super) fn new(classes: usize) -> Self {
        let nothing = vec![0; classes].into_boxed_slice();
        let mut numbers = Table::default();
        if classes > 0 {
            numbers.insert(nothing.clone(), 0);
        }
        Used { counts: vec![nothing], numbers, next: vec![UNSEEN; classes], endless: vec![false; classes] }
    }

    /// Whether one of this class is left among the first `known`.
    pub(super) fn has_left(&self, used: u32, class: usize, of: &Class, known: u32) -> bool {
        let placed = self.counts[used as usize][class] as usize;
        // The first is the one asked for most, and is looked up fastest.
        of.members[placed.min(of.members.len() - 1)].0 < known && placed < of.members.len()
    }

    pub(super) fn count(&self, used: u32, class: usize) -> usize {
        self.counts[used as usize][class] as usize
    }

    /// With one more of this class.
    pub(super) fn and_one(&mut self, used: u32, class: usize) -> u32 {
        if self.endless[class] {
            return used;
        }
        let classes = self.counts[0].len();
        let known = self.next[used as usize * classes + class];
        if known != UNSEEN {
            return known;
        }
        let mut counts = self.counts[used as usize].clone();
        counts[class] = counts[class].saturating_add(1);
        let number = match self.numbers.get(&counts) {
            Some(number) => *number,
            None => {
                let number = self.counts.len() as u32;
                self.numbers.insert(counts.clone(), number);
                self.counts.push(counts);
                self.next.resize(self.next.len() + classes, UNSEEN);
                number
            }
        };
        self.next[used as usize * classes + class] = number;
        number
    }

    pub(super) fn at_most(&self, one: u32, other: u32) -> bool {
        one == other
            || self.counts[one as usize].iter().zip(&self.counts[other as usize]).all(|(a, b)| a <= b)
    }

    pub(super) fn total(&self, used: u32) -> u32 {
        self.counts[used as usize].iter().map(|count| u32::from(*count)).sum()
    }

    pub(super) fn bytes(&self) -> u64 {
        (self.counts.len() * (self.counts[0].len() * 8 + 64)) as u64
    }
}
