//! What both arms of a search share: the plan, the machine, the counts, and where one may go from a key.

use super::Told;
use super::condition::Condition;
use super::interned::Counts;
use super::key::{Key, Mask};
use super::links::{Link, Links};
use super::machine::{KnownSteps, Machine, States};
use super::plan::{Event, Plan, Planned};
use crate::budget::Exhausted;
use crate::linearizability::condition::holds;

pub(super) const NOBODY: u32 = u32::MAX;

pub(super) struct Space<'a> {
    pub(super) plan: &'a Plan,
    pub(super) machine: Machine<'a>,
    pub(super) counts: Counts,
    pub(super) links: Links,
    /// By class: the least rank that was seen in this look, and in which look.
    least: Vec<(u32, u32)>,
    look: u32,
}

/// What of a space outlives it: steps that were asked, and counts by number.
pub(super) struct Kept {
    pub(super) steps: KnownSteps,
    pub(super) counts: Counts,
}

impl Default for Kept {
    fn default() -> Self {
        Self { steps: KnownSteps::default(), counts: Counts::new() }
    }
}

impl<'a> Space<'a> {
    pub(super) fn new(states: &'a mut dyn States, plan: &'a Plan, told: Told) -> Self {
        Self { links: Links::new(told != Told::Verdict), ..Self::resumed(states, plan, Kept::default()) }
    }

    /// A space that goes on where another one over the same states was left, for a verdict only.
    pub(super) fn resumed(states: &'a mut dyn States, plan: &'a Plan, kept: Kept) -> Self {
        Self {
            plan,
            machine: Machine::knowing(states, kept.steps),
            counts: kept.counts,
            links: Links::new(false),
            least: vec![(0, 0); plan.classes],
            look: 0,
        }
    }

    /// What the next one goes on with.
    pub(super) fn into_kept(self) -> Kept {
        Kept { steps: self.machine.into_known(), counts: self.counts }
    }

    /// Before anything is placed.
    pub(super) fn root<K: Mask>(&mut self) -> Key<K> {
        let state = self.machine.initial();
        Key { rank: 0, state, used: Counts::NONE, mask: K::empty(self.plan.slots) }
    }

    /// Places every open pure operation that fits: it changes nothing, so placing it early never
    /// hurts. Tells each.
    pub(super) fn close<K: Mask>(
        &mut self,
        key: &mut Key<K>,
        open: &Open,
        mut told: impl FnMut(u32),
    ) -> Result<(), Exhausted> {
        for (slot, rank) in open.slots.iter().enumerate().filter(|(_, rank)| **rank != NOBODY) {
            let planned = &self.plan.completed[*rank as usize];
            if planned.pure && !key.mask.has(slot as u32) && self.fits(key.state, planned)? {
                key.mask.set(slot as u32);
                told(planned.number as u32);
            }
        }
        Ok(())
    }

    #[inline]
    fn fits(&mut self, state: u32, pure: &Planned) -> Result<bool, Exhausted> {
        let possible = self.machine.step(state, pure.class)?.is_possible();
        Ok(possible || !holds(Condition::PureWhereItFits))
    }

    /// The same, with links.
    pub(super) fn close_linked<K: Mask>(
        &mut self,
        key: &mut Key<K>,
        link: &mut Link,
        open: &Open,
    ) -> Result<(), Exhausted> {
        for (slot, rank) in open.slots.iter().enumerate().filter(|(_, rank)| **rank != NOBODY) {
            let planned = &self.plan.completed[*rank as usize];
            if planned.pure && !key.mask.has(slot as u32) && self.fits(key.state, planned)? {
                key.mask.set(slot as u32);
                *link = self.links.add(*link, planned.number as u32);
            }
        }
        Ok(())
    }

    /// The open operations that are to be tried, as ranks: neither placed nor pure (a pure one that fitted
    /// would have been placed already), and of equal ones only the one that ends first. In any order
    /// that places another one before it the two can change places.
    pub(super) fn candidates<K: Mask>(&mut self, mask: &K, open: &Open, ranks: &mut Vec<u32>) {
        ranks.clear();
        self.look = self.look.wrapping_add(1);
        for (slot, rank) in open.slots.iter().enumerate().filter(|(_, rank)| **rank != NOBODY) {
            let planned = &self.plan.completed[*rank as usize];
            if planned.pure || mask.has(slot as u32) {
                continue;
            }
            let least = &mut self.least[planned.class as usize];
            if least.1 != self.look {
                *least = (*rank, self.look);
                ranks.push(*rank);
            } else if *rank < least.0 && holds(Condition::EqualByEnd) {
                let worse = std::mem::replace(&mut least.0, *rank);
                ranks.iter_mut().filter(|rank| **rank == worse).for_each(|rank| *rank = least.0);
            }
        }
    }

    /// The unplaced operation of this class of unknown ones that may be placed next, before an
    /// operation that ends at `end`: the one that began first, for they have no end that tells them
    /// apart.
    pub(super) fn unknown_of(&self, used: u32, index: usize, end: u32) -> Option<u32> {
        let class = &self.plan.unknown[index];
        let placed = if holds(Condition::UnknownOnce) { self.counts.of(used, index as u32) } else { 0 };
        let (start, number) = *class.starts.get(placed as usize)?;
        (start < end || !holds(Condition::UnknownBegan)).then_some(number as u32)
    }

    pub(super) fn bytes(&self) -> usize {
        self.machine.bytes()
            + self.counts.bytes()
            + self.links.bytes()
            + self.least.capacity() * size_of::<(u32, u32)>()
    }
}

/// Which completed operation is open in each slot, just before some operation ends.
pub(super) struct Open {
    /// Ranks, or [`NOBODY`].
    pub(super) slots: Vec<u32>,
    applied: usize,
}

impl Open {
    pub(super) fn new(slots: usize) -> Self {
        Self { slots: vec![NOBODY; slots], applied: 0 }
    }

    /// Goes to just before this operation ends, forwards or backwards.
    pub(super) fn seek(&mut self, plan: &Plan, before_end_of: &Planned) {
        self.seek_event(plan, before_end_of.end_event as usize);
    }

    /// Goes to just before the event at this place.
    pub(super) fn seek_event(&mut self, plan: &Plan, target: usize) {
        while self.applied < target {
            self.set(plan, plan.events[self.applied], true);
            self.applied += 1;
        }
        while self.applied > target {
            self.applied -= 1;
            self.set(plan, plan.events[self.applied], false);
        }
    }

    fn set(&mut self, plan: &Plan, event: Event, forwards: bool) {
        // What has not completed has no rank, and no slot of the completed.
        if let Some(planned) = plan.completed.get(event.rank as usize) {
            self.slots[planned.slot as usize] = if event.start == forwards { event.rank } else { NOBODY };
        }
    }

    /// How many events it has passed.
    pub(super) fn applied(&self) -> usize {
        self.applied
    }

    /// Takes in that what began at this event has got a rank since.
    pub(super) fn complete(&mut self, plan: &Plan, start_event: usize) {
        if start_event < self.applied {
            self.set(plan, plan.events[start_event], true);
        }
    }

    /// Takes in that the first events and ranks of the plan are no longer in it, all of which it has passed.
    pub(super) fn forget(&mut self, events: usize, ranks: u32) {
        self.applied -= events;
        self.slots.iter_mut().filter(|rank| **rank != NOBODY).for_each(|rank| *rank -= ranks);
    }
}
