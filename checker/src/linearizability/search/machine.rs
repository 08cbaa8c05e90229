//! The model as a machine over numbers: states are numbered, and each step is asked once.

use super::interned::{Interned, table_bytes};
use super::plan::Plan;
use crate::budget::{Exhausted, Meter};
use crate::hash::Table;
use crate::model::{Guide, Model, Steps};

/// Steps that are remembered. It is a cache: a history of ever new states must not fill the memory
/// with steps that nobody will take again.
const STEPS_KEPT_MAX: usize = 1 << 20;

/// The states that follow a step.
#[derive(Clone, Copy)]
pub(super) struct Next {
    /// The state itself if there is one, else the first one's place in the arena.
    first: u32,
    count: u32,
}

impl Next {
    pub(super) fn count(self) -> u32 {
        self.count
    }

    pub(super) fn is_possible(self) -> bool {
        self.count > 0
    }
}

pub(super) struct Machine<'a, M: Model> {
    model: &'a M,
    meter: &'a Meter,
    guide: Option<Guide<'a, M::State>>,
    states: Interned<M::State>,
    /// What the states hold elsewhere.
    state_bytes: usize,
    cache: Table<u64, Next>,
    /// States of steps that have more than one.
    several: Vec<u32>,
    scratch: Vec<M::State>,
}

impl<'a, M: Model> Machine<'a, M> {
    pub(super) fn new(model: &'a M, plan: &Plan<'a, M::Op>, meter: &'a Meter, guided: bool) -> Self {
        let ops: Vec<&'a M::Op> = plan
            .completed
            .iter()
            .map(|planned| planned.op)
            .chain(plan.unknown.iter().flat_map(|class| class.starts.iter().map(|_| class.op)))
            .collect();
        Self {
            model,
            meter,
            guide: if guided { model.guide(&ops) } else { None },
            states: Interned::new(),
            state_bytes: 0,
            cache: Table::default(),
            several: Vec::new(),
            scratch: Vec::new(),
        }
    }

    pub(super) fn initial(&mut self) -> u32 {
        self.number(self.model.initial())
    }

    pub(super) fn state(&self, number: u32) -> &M::State {
        self.states.get(number)
    }

    /// How many states it knows.
    pub(super) fn known(&self) -> usize {
        self.states.len()
    }

    /// What may follow an operation of this class.
    pub(super) fn step(&mut self, state: u32, class: u32, op: &M::Op) -> Result<Next, Exhausted> {
        let key = u64::from(state) << 32 | u64::from(class);
        if let Some(next) = self.cache.get(&key) {
            return Ok(*next);
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        let mut steps = Steps::new(&mut scratch, Some(self.meter));
        self.model.steps(self.states.get(state), op, &mut steps).map_err(|out| out.0)?;
        if self.cache.len() >= STEPS_KEPT_MAX {
            // Nobody keeps a `Next` across a step.
            self.cache.clear();
            self.several.clear();
        }
        let mut numbers: Vec<u32> = Vec::new();
        let mut next = Next { first: 0, count: 0 };
        for state in scratch.drain(..) {
            let number = self.number(state);
            if next.count == 0 {
                next = Next { first: number, count: 1 };
            } else if number != next.first && !numbers.contains(&number) {
                numbers.push(number);
            }
        }
        if !numbers.is_empty() {
            let place = self.several.len() as u32;
            self.several.push(next.first);
            self.several.extend_from_slice(&numbers);
            next = Next { first: place, count: numbers.len() as u32 + 1 };
        }
        self.scratch = scratch;
        self.cache.insert(key, next);
        Ok(next)
    }

    /// The state of this index among those of the step asked last.
    pub(super) fn of(&self, next: Next, index: u32) -> u32 {
        debug_assert!(index < next.count, "a step has so many states and no more");
        if next.count == 1 { next.first } else { self.several[(next.first + index) as usize] }
    }

    /// Forgets all states but these, which get the numbers from 0 in this order.
    pub(super) fn keep_only(&mut self, numbers: &[u32]) {
        let kept: Vec<M::State> = numbers.iter().map(|number| self.states.get(*number).clone()).collect();
        self.states = Interned::new();
        self.state_bytes = 0;
        self.cache = Table::default();
        self.several = Vec::new();
        for state in kept {
            self.intern(state);
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.states.bytes()
            + self.state_bytes
            + table_bytes(self.cache.capacity(), size_of::<(u64, Next)>())
            + self.several.capacity() * size_of::<u32>()
    }

    fn number(&mut self, state: M::State) -> u32 {
        let state = match &self.guide {
            Some(guide) => guide(state),
            None => state,
        };
        self.intern(state)
    }

    fn intern(&mut self, state: M::State) -> u32 {
        let (known, bytes) = (self.states.len(), self.model.state_bytes(&state));
        let number = self.states.number(state);
        if self.states.len() > known {
            self.state_bytes += bytes;
        }
        number
    }
}
