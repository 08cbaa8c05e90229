//! An object whose monitor is exact, event by event: the monitor is asked again and again, about what still matters.
//!
//! At an event everything open may have happened or not, like what nobody will ever hear of, and that is how a
//! monitor judges a history that ends there. The model says which operations no later answer can depend on
//! ([`Model::settled`]), and those are forgotten; so a look costs as much as is open or inside.

use std::sync::Arc;

use crate::linearizability::partition::NEVER;
use crate::linearizability::search::growing::Effort;
use crate::model::{Model, Quick, SearchOp};

/// A monitor looks at so many operations in the time of a step of the search.
const LOOKS_PER_STEP: u64 = 32;

/// Fewer operations than this are not worth looking which can be forgotten.
const SETTLED_MIN: usize = 64;

/// Where an operation is that has begun.
#[derive(Clone, Copy, Debug)]
struct Begun {
    token: u64,
    open: bool,
}

pub(super) struct Window<M: Model> {
    model: Arc<M>,
    /// Operations that may still matter, and, side by side, whose they are.
    ops: Vec<SearchOp<M::Op>>,
    begun: Vec<Begun>,
    /// What is open and nothing as long as nobody knows its answer: token and start.
    silent: Vec<(u64, u32)>,
    clock: u32,
    looks_left: u64,
    looks_per_event: u64,
    looks_max: u64,
    /// With so many operations it is time to forget some.
    ops_max: usize,
}

impl<M: Model> Window<M> {
    /// One for an object of this model, if its monitor is exact.
    pub(super) fn of(model: Arc<M>, effort: Effort) -> Option<Self> {
        model.settled(&[], 0)?;
        let looks = |steps: u64| steps.saturating_mul(LOOKS_PER_STEP);
        Some(Self {
            model,
            ops: Vec::new(),
            begun: Vec::new(),
            silent: Vec::new(),
            clock: 0,
            looks_left: looks(effort.steps_max),
            looks_per_event: looks(effort.steps_per_event),
            looks_max: looks(effort.steps_max),
            ops_max: SETTLED_MIN,
        })
    }

    /// An operation begins, which is this one as long as its outcome is unknown, if it is anything.
    pub(super) fn begin(&mut self, token: u64, op: Option<&M::Op>) {
        self.clock += 1;
        match op {
            Some(op) => self.push(token, SearchOp { op: op.clone(), start: self.clock, end: NEVER }, true),
            None => self.silent.push((token, self.clock)),
        }
    }

    /// It did happen, as this operation, or did not. Whether any order is left, if the monitor can tell.
    pub(super) fn end(&mut self, token: u64, op: Option<&M::Op>) -> Option<bool> {
        self.clock += 1;
        if self.clock >= NEVER - 1 {
            return None;
        }
        let place = self.begun.iter().rposition(|begun| begun.token == token);
        let silent = self.silent.iter().position(|(silent, _)| *silent == token);
        let start = match (place, silent) {
            (Some(place), _) => {
                self.begun.swap_remove(place);
                self.ops.swap_remove(place).start
            }
            (None, Some(place)) => self.silent.swap_remove(place).1,
            // What was there when it began may be forgotten.
            (None, None) => return None,
        };
        if let Some(op) = op {
            self.push(token, SearchOp { op: op.clone(), start, end: self.clock }, false);
        }
        self.looks_left = (self.looks_left + self.looks_per_event).min(self.looks_max);
        self.forget()?;
        match op {
            None if place.is_none() => Some(true),
            Some(op) if self.model.always_possible(op) => Some(true),
            None | Some(_) => self.judge(),
        }
    }

    /// Nobody will hear of it.
    pub(super) fn give_up(&mut self, token: u64) {
        self.begun.iter_mut().filter(|begun| begun.token == token).for_each(|begun| begun.open = false);
        self.silent.retain(|(silent, _)| *silent != token);
    }

    /// Whether something can be learnt about it.
    pub(super) fn knows(&self, token: u64) -> bool {
        self.begun.iter().any(|begun| begun.token == token)
    }

    /// How many operations it holds.
    pub(super) fn len(&self) -> usize {
        self.ops.len() + self.silent.len()
    }

    fn push(&mut self, token: u64, op: SearchOp<M::Op>, open: bool) {
        self.ops.push(op);
        self.begun.push(Begun { token, open });
    }

    /// Takes a look at all operations, if it is not too many.
    fn look(&mut self) -> Option<()> {
        self.looks_left = self.looks_left.checked_sub(self.ops.len() as u64)?;
        Some(())
    }

    fn judge(&mut self) -> Option<bool> {
        self.look()?;
        match self.model.quick(&self.ops) {
            Quick::Valid => Some(true),
            Quick::Violation(_) => Some(false),
            Quick::NotApplicable => None,
        }
    }

    fn forget(&mut self) -> Option<()> {
        if self.ops.len() < self.ops_max {
            return Some(());
        }
        self.look()?;
        let open = self.ops.iter().zip(&self.begun).filter(|(_, begun)| begun.open).map(|(op, _)| op.start);
        let open_since = open.chain(self.silent.iter().map(|(_, start)| *start)).min().unwrap_or(NEVER);
        let settled = self.model.settled(&self.ops, open_since)?;
        let mut place = 0..;
        self.ops.retain(|_| place.next().is_some_and(|place: usize| !settled[place]));
        let mut place = 0..;
        self.begun.retain(|_| place.next().is_some_and(|place: usize| !settled[place]));
        self.ops_max = 2 * self.ops.len() + SETTLED_MIN;
        Some(())
    }
}
