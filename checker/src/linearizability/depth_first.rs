//! A search for an order, for any model.
//!
//! Wing & Gong's search (1993) with Lowe's memory of what has been tried, and three things that keep
//! the memory small:
//!
//! * **Keys.** Let r be the number of completed operations, by their end, that are all placed. Whatever
//!   else is placed began before the next end, that of operation r, and is still open there. So (r,
//!   which of the operations open there are placed, state) says everything, in a few words instead of a
//!   bit for each operation of the history.
//! * **Pure reads close greedily.** A read that fits the state is placed at once: it changes nothing, so
//!   placing it early never hurts.
//! * **Operations with unknown outcome come last**, count as classes of equal ones (they have no end, so
//!   the one that began first stands for all), are dropped where nothing needs what they made, and the
//!   search is over as soon as only such are left.
//!
//! The first operation in order of ends that no attempt ever got past is the one at which the history
//! became impossible: without it, and with everything then open left open, there is an order.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hash};

use super::hash::{Mix, Table};
use super::search_plan::{Plan, Planned, SearchOp};
use crate::budget::{Exhausted, Meter};
use crate::model::Model;

/// Steps between two looks at the clock and the memory.
const STEPS_PER_CHECK: u64 = 256;

/// The most completed operations open at once that a search can tell apart.
pub(crate) const OPEN_MAX: usize = 1024;

/// States that are collected for an explanation.
const STATES_KEPT_MAX: usize = 64;

/// What a search may spend.
#[derive(Clone, Copy)]
pub(crate) struct Limits<'a> {
    pub(crate) meter: &'a Meter,
    /// Places that it may try.
    pub(crate) steps_max: u64,
    /// Whether to keep the longest order and its states: memory by the square of the length.
    pub(crate) traced: bool,
}

/// What the search found, and the steps it took.
#[derive(Clone, Debug)]
pub(crate) struct Outcome<S> {
    pub(crate) answer: Answer<S>,
    pub(crate) steps: u64,
}

/// Operations are named by their place in the slice that was asked about.
#[derive(Clone, Debug)]
pub(crate) enum Answer<S> {
    Valid,
    Invalid {
        /// The first operation, by end, that no order gets past.
        stuck: usize,
        /// When traced: one of the longest orders that got there.
        order: Vec<usize>,
        /// When traced: the states that orders which got there end in.
        states: Vec<S>,
    },
    Exhausted {
        why: Exhausted,
        /// Completed operations placed in the best attempt.
        placed: usize,
        /// Completed operations in all.
        completed: usize,
    },
    TooConcurrent {
        open: usize,
    },
}

/// Looks for an order.
pub(crate) fn search<M: Model>(model: &M, ops: &[SearchOp<M::Op>], limits: Limits<'_>) -> Outcome<M::State> {
    let plan = Plan::new(model, ops);
    match plan.slots {
        0..=64 => Search::<M, 1>::new(model, &plan, limits).run(),
        65..=256 => Search::<M, 4>::new(model, &plan, limits).run(),
        257..=OPEN_MAX => Search::<M, 16>::new(model, &plan, limits).run(),
        open => Outcome { answer: Answer::TooConcurrent { open }, steps: 0 },
    }
}

/// Where a search is. `W` words of mask.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Key<const W: usize> {
    /// Every completed operation of a lower rank is placed; this one is not.
    rank: u32,
    state: u32,
    /// How many of each class of unknown operations are placed (interned).
    used: u32,
    /// Which of the open operations are placed, by slot.
    mask: [u64; W],
}

impl<const W: usize> Hash for Key<W> {
    fn hash<H: std::hash::Hasher>(&self, hasher: &mut H) {
        hasher.write_u64(u64::from(self.rank) << 32 | u64::from(self.state));
        hasher.write_u32(self.used);
        self.mask.iter().for_each(|word| hasher.write_u64(*word));
    }
}

impl<const W: usize> Key<W> {
    fn has(&self, slot: u32) -> bool {
        self.mask[slot as usize / 64] >> (slot % 64) & 1 == 1
    }

    fn set(&mut self, slot: u32) {
        self.mask[slot as usize / 64] |= 1 << (slot % 64);
    }

    fn clear(&mut self, slot: u32) {
        self.mask[slot as usize / 64] &= !(1 << (slot % 64));
    }
}

struct Frame<const W: usize> {
    key: Key<W>,
    /// What to try next: ranks first, then classes of unknown operations.
    cursor: u32,
    /// Length of the trace with this frame's operations in it.
    traced: usize,
}

/// Values by number.
struct Interned<T> {
    numbers: Table<T, u32>,
    values: Vec<T>,
}

impl<T: Clone + Eq + Hash> Interned<T> {
    fn new() -> Self {
        Self { numbers: Table::default(), values: Vec::new() }
    }

    fn number(&mut self, value: T) -> u32 {
        if let Some(number) = self.numbers.get(&value) {
            return *number;
        }
        let number = self.values.len() as u32;
        self.numbers.insert(value.clone(), number);
        self.values.push(value);
        number
    }

    fn get(&self, number: u32) -> &T {
        &self.values[number as usize]
    }

    fn bytes(&self) -> usize {
        self.values.capacity() * size_of::<T>() + table_bytes(self.numbers.capacity(), size_of::<(T, u32)>())
    }
}

fn table_bytes(capacity: usize, entry: usize) -> usize {
    // hashbrown: one byte of control per bucket, buckets filled up to seven eighths.
    capacity / 7 * 8 * (entry + 1)
}

const NOBODY: u32 = u32::MAX;
const IMPOSSIBLE: u32 = u32::MAX;

struct Search<'a, M: Model, const W: usize> {
    model: &'a M,
    plan: &'a Plan<'a, M::Op>,
    limits: Limits<'a>,
    /// Which rank is open in each slot once `applied` of the plan's events are.
    open: Vec<u32>,
    applied: usize,
    states: Interned<M::State>,
    state_bytes: usize,
    used: Interned<Vec<u32>>,
    /// State after (state, class), or [`IMPOSSIBLE`].
    steps: Table<(u32, u32), u32>,
    visited: HashSet<Key<W>, BuildHasherDefault<Mix>>,
    charged: u64,
    trace: Option<Vec<usize>>,
    best_rank: u32,
    best_order: Vec<usize>,
    best_states: Vec<u32>,
    taken: u64,
}

impl<'a, M: Model, const W: usize> Search<'a, M, W> {
    fn new(model: &'a M, plan: &'a Plan<'a, M::Op>, limits: Limits<'a>) -> Self {
        Search {
            model,
            plan,
            limits,
            open: vec![NOBODY; plan.slots],
            applied: 0,
            states: Interned::new(),
            state_bytes: 0,
            used: Interned::new(),
            steps: Table::default(),
            visited: HashSet::default(),
            charged: 0,
            trace: limits.traced.then(Vec::new),
            best_rank: 0,
            best_order: Vec::new(),
            best_states: Vec::new(),
            taken: 0,
        }
    }

    fn run(mut self) -> Outcome<M::State> {
        let answer = match self.look() {
            Ok(true) => Answer::Valid,
            Ok(false) => Answer::Invalid {
                stuck: self.plan.completed[self.best_rank as usize].number,
                order: std::mem::take(&mut self.best_order),
                states: self.best_states.iter().map(|state| self.states.get(*state).clone()).collect(),
            },
            Err(why) => Answer::Exhausted {
                why,
                placed: self.best_rank as usize,
                completed: self.plan.completed.len(),
            },
        };
        self.limits.meter.give_back(self.charged);
        Outcome { answer, steps: self.taken }
    }

    /// Whether there is an order.
    fn look(&mut self) -> Result<bool, Exhausted> {
        let state = self.state_number(self.model.initial());
        let used = self.used.number(vec![0; self.plan.unknown.len()]);
        let mut stack = Vec::new();
        if self.enter(Key { rank: 0, state, used, mask: [0; W] }, &mut stack) {
            return Ok(true);
        }
        while let Some(mut frame) = stack.pop() {
            self.taken += 1;
            if self.taken.is_multiple_of(STEPS_PER_CHECK) || self.visited.len() == self.visited.capacity() {
                self.charge(stack.capacity() * size_of::<Frame<W>>())?;
            }
            if let Some(trace) = &mut self.trace {
                trace.truncate(frame.traced);
            }
            if let Some(key) = self.next_child(&mut frame) {
                stack.push(frame);
                if self.enter(key, &mut stack) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Goes to a key, if nobody was there before. True when only unknown operations are left.
    fn enter(&mut self, mut key: Key<W>, stack: &mut Vec<Frame<W>>) -> bool {
        if self.close(&mut key) {
            return true;
        }
        if self.visited.insert(key) {
            self.note_best(&key);
            let traced = self.trace.as_ref().map_or(0, Vec::len);
            stack.push(Frame { key, cursor: key.rank, traced });
        }
        false
    }

    /// Places every pure operation that fits, and passes every end whose operation is placed, until
    /// neither is possible. True when all completed operations are placed.
    fn close(&mut self, key: &mut Key<W>) -> bool {
        let plan = self.plan;
        while let Some(next) = plan.completed.get(key.rank as usize) {
            self.seek(next);
            for slot in 0..self.open.len() {
                let rank = self.open[slot];
                if rank == NOBODY || key.has(slot as u32) {
                    continue;
                }
                let planned = &plan.completed[rank as usize];
                if planned.pure && self.step(key.state, planned.class, planned.op).is_some() {
                    key.set(slot as u32);
                    self.note(planned.number);
                }
            }
            if !key.has(next.slot) {
                return false;
            }
            key.clear(next.slot);
            key.rank += 1;
        }
        true
    }

    /// The next place to go from a frame.
    fn next_child(&mut self, frame: &mut Frame<W>) -> Option<Key<W>> {
        let plan = self.plan;
        let next = &plan.completed[frame.key.rank as usize];
        self.seek(next);
        while let Some(rank) = self.next_open(frame) {
            frame.cursor = rank + 1;
            let planned = &plan.completed[rank as usize];
            if let Some(state) = self.step(frame.key.state, planned.class, planned.op) {
                let mut key = Key { state, ..frame.key };
                key.set(planned.slot);
                self.note(planned.number);
                return Some(key);
            }
        }
        let first_class = plan.completed.len() as u32;
        frame.cursor = frame.cursor.max(first_class);
        while let Some(class) = plan.unknown.get((frame.cursor - first_class) as usize) {
            let index = (frame.cursor - first_class) as usize;
            frame.cursor += 1;
            let used = self.used.get(frame.key.used)[index] as usize;
            let began = class.starts.get(used).is_some_and(|(start, _)| *start < next.end);
            if began && let Some(state) = self.step(frame.key.state, class.class, class.op) {
                // What changes nothing is better left for later.
                if state == frame.key.state {
                    continue;
                }
                let mut counts = self.used.get(frame.key.used).clone();
                counts[index] += 1;
                let used_now = self.used.number(counts);
                self.note(class.starts[used].1);
                return Some(Key { state, used: used_now, ..frame.key });
            }
        }
        None
    }

    /// The open operation of the least rank from the frame's cursor on that is neither placed nor
    /// pure: a pure one that fitted would have been placed already.
    fn next_open(&self, frame: &Frame<W>) -> Option<u32> {
        let open = self.open.iter().enumerate().filter(|(slot, rank)| {
            **rank != NOBODY && **rank >= frame.cursor && !frame.key.has(*slot as u32)
        });
        open.map(|(_, rank)| *rank).filter(|rank| !self.plan.completed[*rank as usize].pure).min()
    }

    /// Makes `open` say what is open just before this operation ends.
    fn seek(&mut self, before_end_of: &Planned<'_, M::Op>) {
        let plan = self.plan;
        let target = before_end_of.end_event as usize;
        while self.applied < target {
            let event = plan.events[self.applied];
            let slot = plan.completed[event.rank as usize].slot as usize;
            self.open[slot] = if event.start { event.rank } else { NOBODY };
            self.applied += 1;
        }
        while self.applied > target {
            self.applied -= 1;
            let event = plan.events[self.applied];
            let slot = plan.completed[event.rank as usize].slot as usize;
            self.open[slot] = if event.start { NOBODY } else { event.rank };
        }
    }

    fn step(&mut self, state: u32, class: u32, op: &M::Op) -> Option<u32> {
        let after = match self.steps.get(&(state, class)) {
            Some(after) => *after,
            None => {
                let after = match self.model.step(self.states.get(state), op) {
                    Some(after) => self.state_number(after),
                    None => IMPOSSIBLE,
                };
                self.steps.insert((state, class), after);
                after
            }
        };
        (after != IMPOSSIBLE).then_some(after)
    }

    fn state_number(&mut self, state: M::State) -> u32 {
        let (known, bytes) = (self.states.values.len(), self.model.state_bytes(&state));
        let number = self.states.number(state);
        if self.states.values.len() > known {
            self.state_bytes += bytes;
        }
        number
    }

    fn note(&mut self, number: usize) {
        if let Some(trace) = &mut self.trace {
            trace.push(number);
        }
    }

    fn note_best(&mut self, key: &Key<W>) {
        let better = key.rank > self.best_rank;
        self.best_rank = self.best_rank.max(key.rank);
        let Some(trace) = &self.trace else { return };
        if better {
            self.best_states.clear();
        }
        if key.rank == self.best_rank {
            if better || trace.len() >= self.best_order.len() {
                self.best_order.clone_from(trace);
            }
            if self.best_states.len() < STATES_KEPT_MAX && !self.best_states.contains(&key.state) {
                self.best_states.push(key.state);
            }
        }
    }

    fn charge(&mut self, stack_bytes: usize) -> Result<(), Exhausted> {
        // A full table is about to double while the old one is still there.
        let growth = if self.visited.len() == self.visited.capacity() { 3 } else { 1 };
        let counts = self.used.values.len() * self.plan.unknown.len() * size_of::<u32>() * 2;
        let bytes = table_bytes(self.visited.capacity(), size_of::<Key<W>>()) * growth
            + table_bytes(self.steps.capacity(), size_of::<((u32, u32), u32)>())
            + self.states.bytes()
            + self.state_bytes
            + self.used.bytes()
            + counts
            + stack_bytes;
        self.limits.meter.take(bytes as u64);
        self.limits.meter.give_back(self.charged);
        self.charged = bytes as u64;
        match self.taken > self.limits.steps_max {
            true => Err(Exhausted::Steps(self.limits.steps_max)),
            false => self.limits.meter.check(),
        }
    }
}
