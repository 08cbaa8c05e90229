//! The model as a machine over numbers: states are numbered, and each step is asked once.

use std::hash::Hash;

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

/// The states of a model by number, whatever the model: all that a search asks of it.
pub(super) trait States {
    /// The state before any operation.
    fn initial(&mut self) -> u32;

    /// Puts all states there that may follow an operation of this class, any of them perhaps twice.
    fn follow(&mut self, state: u32, class: u32, next: &mut Vec<u32>) -> Result<(), Exhausted>;

    /// How many there are.
    fn known(&self) -> usize;

    /// Forgets all but these, which get the numbers from 0 in this order.
    fn keep_only(&mut self, numbers: &[u32]);

    fn bytes(&self) -> usize;
}

/// States of one model by number.
pub(super) struct Numbered<S> {
    states: Interned<S>,
    /// What the states hold elsewhere.
    elsewhere: usize,
}

impl<S: Clone + Eq + Hash> Numbered<S> {
    pub(super) fn new() -> Self {
        Self { states: Interned::new(), elsewhere: 0 }
    }

    /// The number of a state that holds so many bytes elsewhere.
    pub(super) fn number(&mut self, state: S, bytes: usize) -> u32 {
        let known = self.states.len();
        let number = self.states.number(state);
        if self.states.len() > known {
            self.elsewhere += bytes;
        }
        number
    }

    pub(super) fn get(&self, number: u32) -> &S {
        self.states.get(number)
    }

    pub(super) fn len(&self) -> usize {
        self.states.len()
    }

    /// Forgets all but these, which get the numbers from 0 in this order.
    pub(super) fn keep_only(&mut self, numbers: &[u32], bytes: impl Fn(&S) -> usize) {
        let old = std::mem::replace(self, Self::new());
        for number in numbers {
            let state = old.get(*number);
            self.number(state.clone(), bytes(state));
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.states.bytes() + self.elsewhere
    }
}

/// The states of one model, and its operations by class.
pub(super) struct ModelStates<'a, M: Model> {
    model: &'a M,
    ops: &'a [&'a M::Op],
    meter: &'a Meter,
    guide: Option<Guide<'a, M::State>>,
    states: Numbered<M::State>,
    scratch: Vec<M::State>,
}

impl<'a, M: Model> ModelStates<'a, M> {
    pub(super) fn new(
        model: &'a M,
        plan: &Plan,
        ops: &'a [&'a M::Op],
        meter: &'a Meter,
        guided: bool,
    ) -> Self {
        let completed = plan.completed.iter().map(|planned| planned.class);
        let unknown = plan.unknown.iter().flat_map(|class| class.starts.iter().map(|_| class.class));
        let guide = || {
            let all: Vec<&'a M::Op> = completed.chain(unknown).map(|class| ops[class as usize]).collect();
            model.guide(&all)
        };
        Self {
            model,
            ops,
            meter,
            guide: if guided { guide() } else { None },
            states: Numbered::new(),
            scratch: Vec::new(),
        }
    }

    pub(super) fn state(&self, number: u32) -> &M::State {
        self.states.get(number)
    }

    fn number(&mut self, state: M::State) -> u32 {
        let state = match &self.guide {
            Some(guide) => guide(state),
            None => state,
        };
        let bytes = self.model.state_bytes(&state);
        self.states.number(state, bytes)
    }
}

impl<M: Model> States for ModelStates<'_, M> {
    fn initial(&mut self) -> u32 {
        self.number(self.model.initial())
    }

    fn follow(&mut self, state: u32, class: u32, next: &mut Vec<u32>) -> Result<(), Exhausted> {
        let mut scratch = std::mem::take(&mut self.scratch);
        let mut steps = Steps::new(&mut scratch, Some(self.meter));
        let (state, op) = (self.states.get(state), self.ops[class as usize]);
        self.model.steps(state, op, &mut steps).map_err(|out| out.0)?;
        next.extend(scratch.drain(..).map(|state| self.number(state)));
        self.scratch = scratch;
        Ok(())
    }

    fn known(&self) -> usize {
        self.states.len()
    }

    fn keep_only(&mut self, numbers: &[u32]) {
        self.states.keep_only(numbers, |state| self.model.state_bytes(state));
    }

    fn bytes(&self) -> usize {
        self.states.bytes()
    }
}

/// The steps between the states, each asked once.
pub(super) struct Machine<'a> {
    states: &'a mut dyn States,
    known: KnownSteps,
    scratch: Vec<u32>,
}

/// Steps that were asked.
#[derive(Default)]
pub(super) struct KnownSteps {
    cache: Table<u64, Next>,
    /// States of steps that have more than one.
    several: Vec<u32>,
}

impl<'a> Machine<'a> {
    /// A machine that knows these steps already.
    pub(super) fn knowing(states: &'a mut dyn States, known: KnownSteps) -> Self {
        Self { states, known, scratch: Vec::new() }
    }

    /// The steps that it knows by now.
    pub(super) fn into_known(self) -> KnownSteps {
        self.known
    }

    pub(super) fn initial(&mut self) -> u32 {
        self.states.initial()
    }

    /// How many states it knows.
    pub(super) fn known(&self) -> usize {
        self.states.known()
    }

    /// What may follow an operation of this class.
    #[inline]
    pub(super) fn step(&mut self, state: u32, class: u32) -> Result<Next, Exhausted> {
        let key = u64::from(state) << 32 | u64::from(class);
        match self.known.cache.get(&key) {
            Some(next) => Ok(*next),
            None => self.step_for_the_first_time(key, state, class),
        }
    }

    fn step_for_the_first_time(&mut self, key: u64, state: u32, class: u32) -> Result<Next, Exhausted> {
        let mut found = std::mem::take(&mut self.scratch);
        found.clear();
        self.states.follow(state, class, &mut found)?;
        let KnownSteps { cache, several } = &mut self.known;
        if cache.len() >= STEPS_KEPT_MAX {
            // Nobody keeps a `Next` across a step.
            cache.clear();
            several.clear();
        }
        let mut next = Next { first: found.first().copied().unwrap_or(0), count: found.len() as u32 };
        if found.len() > 1 {
            let place = several.len();
            for number in &found {
                if !several[place..].contains(number) {
                    several.push(*number);
                }
            }
            match several.len() - place {
                1 => {
                    next.count = 1;
                    several.truncate(place);
                }
                count => next = Next { first: place as u32, count: count as u32 },
            }
        }
        cache.insert(key, next);
        self.scratch = found;
        Ok(next)
    }

    /// The state of this index among those of the step asked last.
    pub(super) fn of(&self, next: Next, index: u32) -> u32 {
        debug_assert!(index < next.count, "a step has so many states and no more");
        if next.count == 1 { next.first } else { self.known.several[(next.first + index) as usize] }
    }

    /// Forgets all states but these, which get the numbers from 0 in this order.
    pub(super) fn keep_only(&mut self, numbers: &[u32]) {
        self.states.keep_only(numbers);
        self.known = KnownSteps::default();
    }

    pub(super) fn bytes(&self) -> usize {
        self.states.bytes()
            + table_bytes(self.known.cache.capacity(), size_of::<(u64, Next)>())
            + self.known.several.capacity() * size_of::<u32>()
    }
}
