//! What is open at a place of the history, by what it does. Walks both ways.

use super::super::partition::NEVER;
use super::super::register_op::{Kind, ValueId};
use super::condition::Condition;
use super::mask::Mask;
use super::plan::Plan;
use crate::linearizability::condition::holds;

/// The open operations, before event `at`.
#[derive(Debug)]
pub(super) struct Open<const W: usize> {
    pub(super) at: usize,
    /// By slot: the operation, its end, and what it leaves there.
    pub(super) op: Vec<u32>,
    pub(super) end: Vec<u32>,
    pub(super) kind: Vec<Kind>,
    pub(super) all: Mask<W>,
    pub(super) writes: Mask<W>,
    pub(super) cas: Mask<W>,
    pub(super) not_equal: Mask<W>,
    by_value: Vec<ByValue<W>>,
    /// Useful operations of unknown outcome that have begun.
    pub(super) unknown_begun: u32,
    /// By value: how many of its needs began before `at`, as an index into the plan's list.
    need_cursor: Vec<u32>,
    not_equal_cursor: usize,
}

/// The open operations of one value.
#[derive(Clone, Copy, Debug)]
struct ByValue<const W: usize> {
    reads: Mask<W>,
    writes: Mask<W>,
    /// Compare-and-sets that expect it, and that leave it.
    cas_from: Mask<W>,
    cas_to: Mask<W>,
    not_equal: Mask<W>,
}

impl<const W: usize> Open<W> {
    pub(super) fn new(plan: &Plan<'_>) -> Self {
        let nothing = ByValue {
            reads: Mask::EMPTY,
            writes: Mask::EMPTY,
            cas_from: Mask::EMPTY,
            cas_to: Mask::EMPTY,
            not_equal: Mask::EMPTY,
        };
        Open {
            at: 0,
            op: vec![0; plan.slots],
            end: vec![0; plan.slots],
            kind: vec![Kind::Read(0); plan.slots],
            all: Mask::EMPTY,
            writes: Mask::EMPTY,
            cas: Mask::EMPTY,
            not_equal: Mask::EMPTY,
            by_value: vec![nothing; plan.values],
            unknown_begun: 0,
            need_cursor: plan.need_offsets[..plan.values].to_vec(),
            not_equal_cursor: 0,
        }
    }

    /// Goes to just before this event.
    pub(super) fn seek(&mut self, plan: &Plan<'_>, event: usize) {
        while self.at < event {
            self.step(plan);
        }
        while self.at > event {
            self.at -= 1;
            let event = plan.events[self.at];
            match event.is_end() {
                true => self.set::<true>(plan, event.op()),
                false => self.set::<false>(plan, event.op()),
            }
        }
    }

    /// Takes one event in.
    pub(super) fn step(&mut self, plan: &Plan<'_>) {
        let event = plan.events[self.at];
        match event.is_end() {
            true => self.set::<false>(plan, event.op()),
            false => self.set::<true>(plan, event.op()),
        }
        self.at += 1;
    }

    /// An operation becomes open, or no longer is.
    fn set<const OPEN: bool>(&mut self, plan: &Plan<'_>, place: usize) {
        let op = &plan.ops[place];
        if op.end == NEVER {
            if OPEN {
                self.unknown_begun += 1;
            } else {
                self.unknown_begun -= 1;
            }
            return;
        }
        let slot = plan.slot[place] as usize;
        let put = |mask: &mut Mask<W>| if OPEN { mask.set(slot) } else { mask.clear(slot) };
        put(&mut self.all);
        match op.kind {
            Kind::Read(value) => put(&mut self.by_value[value as usize].reads),
            Kind::Write(value) => {
                put(&mut self.writes);
                put(&mut self.by_value[value as usize].writes);
            }
            Kind::Cas(from, to) => {
                put(&mut self.cas);
                put(&mut self.by_value[from as usize].cas_from);
                put(&mut self.by_value[to as usize].cas_to);
            }
            Kind::NotEqual(value) => {
                put(&mut self.not_equal);
                put(&mut self.by_value[value as usize].not_equal);
            }
        }
        if OPEN {
            self.op[slot] = place as u32;
            self.end[slot] = op.end;
            self.kind[slot] = op.kind;
        }
    }

    /// The open reads and failed compare-and-sets that are right at this value.
    pub(super) fn pleased_by(&self, value: ValueId) -> Mask<W> {
        let of = &self.by_value[value as usize];
        if self.not_equal.is_empty() { of.reads } else { of.reads | self.not_equal.without(of.not_equal) }
    }

    pub(super) fn writes_of(&self, value: ValueId) -> Mask<W> {
        self.by_value[value as usize].writes
    }

    pub(super) fn cas_from(&self, value: ValueId) -> Mask<W> {
        self.by_value[value as usize].cas_from
    }

    pub(super) fn cas_to(&self, value: ValueId) -> Mask<W> {
        self.by_value[value as usize].cas_to
    }

    /// The one of these that ends first.
    pub(super) fn first_to_end(&self, of: Mask<W>) -> Option<usize> {
        of.slots().min_by_key(|slot| self.end[*slot])
    }

    /// The next position after `now` at which something begins that this value may please.
    pub(super) fn next_need(&mut self, plan: &Plan<'_>, value: ValueId, now: u32) -> u32 {
        let value = value as usize;
        let (first, last) = (plan.need_offsets[value] as usize, plan.need_offsets[value + 1] as usize);
        let cursor = &mut self.need_cursor[value];
        while (*cursor as usize) < last && plan.need_starts[*cursor as usize] <= now {
            *cursor += 1;
        }
        while *cursor as usize > first && plan.need_starts[*cursor as usize - 1] > now {
            *cursor -= 1;
        }
        let need = if (*cursor as usize) < last { plan.need_starts[*cursor as usize] } else { NEVER };
        need.min(self.next_not_equal(plan, now))
    }

    fn next_not_equal(&mut self, plan: &Plan<'_>, now: u32) -> u32 {
        let starts = &plan.not_equal_starts;
        if starts.is_empty() || !holds(Condition::WantedByNotEqual) {
            return NEVER;
        }
        let cursor = &mut self.not_equal_cursor;
        while *cursor < starts.len() && starts[*cursor] <= now {
            *cursor += 1;
        }
        while *cursor > 0 && starts[*cursor - 1] > now {
            *cursor -= 1;
        }
        starts.get(*cursor).copied().unwrap_or(NEVER)
    }
}
