//! A configuration: all that matters of one way to order what has happened so far.

use std::hash::{Hash, Hasher};

use hashbrown::HashTable;

use super::super::hash::Mix;
use super::super::register_op::ValueId;
use super::condition::Condition;
use super::mask::Mask;
use super::open::Open;
use super::plan::Class;
use crate::linearizability::condition::holds;

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
    classes: usize,
    /// For each number the counts of all classes, one number after the other.
    counts: Vec<u16>,
    numbers: HashTable<u32>,
    /// For each number and class, the number with one more of that class, once it is known.
    next: Vec<u32>,
    /// By class, whether what has begun never runs out: in relaxations only.
    pub(super) endless: Vec<bool>,
}

impl Used {
    pub(super) fn new(classes: usize) -> Self {
        let mut numbers = HashTable::new();
        let counts = vec![0; classes];
        if classes > 0 {
            numbers.insert_unique(hash_of(&counts), 0, |_| 0);
        }
        Used { classes, counts, numbers, next: vec![UNSEEN; classes], endless: vec![false; classes] }
    }

    fn of(&self, used: u32) -> &[u16] {
        &self.counts[used as usize * self.classes..][..self.classes]
    }

    /// Whether one of this class is left among the first `known`.
    pub(super) fn has_left(&self, used: u32, class: usize, of: &Class, known: u32) -> bool {
        let placed = self.of(used)[class] as usize;
        // The first is the one asked for most, and is looked up fastest.
        of.members[placed.min(of.members.len() - 1)].0 < known && placed < of.members.len()
    }

    pub(super) fn count(&self, used: u32, class: usize) -> usize {
        self.of(used)[class] as usize
    }

    /// With one more of this class.
    pub(super) fn and_one(&mut self, used: u32, class: usize) -> u32 {
        if self.endless[class] {
            return used;
        }
        let known = self.next[used as usize * self.classes + class];
        if known != UNSEEN {
            return known;
        }
        // Behind the others until it is known whether it is new.
        let (classes, number) = (self.classes, (self.counts.len() / self.classes) as u32);
        let first = used as usize * classes;
        self.counts.extend_from_within(first..first + classes);
        let count = &mut self.counts[number as usize * classes + class];
        *count = count.saturating_add(1);
        let counts = |number: u32| &self.counts[number as usize * classes..][..classes];
        let hash = hash_of(counts(number));
        let same = self.numbers.find(hash, |other| counts(*other) == counts(number)).copied();
        let found = same.unwrap_or(number);
        match same {
            Some(_) => self.counts.truncate(number as usize * classes),
            None => {
                self.numbers.insert_unique(hash, number, |other| hash_of(counts(*other)));
                self.next.resize(self.next.len() + classes, UNSEEN);
            }
        }
        self.next[used as usize * classes + class] = found;
        found
    }

    pub(super) fn at_most(&self, one: u32, other: u32) -> bool {
        one == other || self.of(one).iter().zip(self.of(other)).all(|(a, b)| a <= b)
    }

    pub(super) fn total(&self, used: u32) -> u32 {
        self.of(used).iter().map(|count| u32::from(*count)).sum()
    }

    pub(super) fn bytes(&self) -> u64 {
        (self.counts.capacity() * size_of::<u16>() + self.next.capacity() * size_of::<u32>()) as u64
            + self.numbers.allocation_size() as u64
    }
}

fn hash_of(counts: &[u16]) -> u64 {
    let mut hasher = Mix::default();
    counts.hash(&mut hasher);
    hasher.finish()
}
