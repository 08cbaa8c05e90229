//! A frontier on its way through a history.

use super::super::partition::NEVER;
use super::super::register_op::{INITIAL, Kind, ValueId};
use super::burst::Bursts;
use super::condition::Condition;
use super::config::{Config, DEAD};
use super::drive::Effort;
use super::layer::{self, Scratch};
use super::mask::Mask;
use super::plan::Plan;
use crate::budget::{Exhausted, Meter};
use crate::linearizability::condition::holds;

/// Events between two looks at the clock.
const EVENTS_PER_CHECK: usize = 1024;

/// How far a run got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// To where it was asked to.
    There,
    /// No configuration is left after this event.
    Died(usize),
}

/// A frontier: every configuration (but covered and cut ones) that the events so far allow.
#[derive(Debug)]
pub(super) struct Run<'a, const W: usize> {
    pub(super) bursts: Bursts<'a, W>,
    pub(super) front: Vec<Config<W>>,
    /// Whether some configuration was dropped that nothing covers: dying then proves nothing.
    pub(super) was_cut: bool,
    /// For each of the front, its place in the front before, when asked for.
    pub(super) parents: Option<Vec<u32>>,
    pub(super) widest: usize,
    scratch: Scratch,
    meter: &'a Meter,
}

impl<'a, const W: usize> Run<'a, W> {
    /// At the beginning.
    pub(super) fn new(plan: &'a Plan<'a>, meter: &'a Meter) -> Self {
        let mut run = Self::nowhere(plan, meter);
        run.restart();
        run
    }

    /// Back to the beginning.
    pub(super) fn restart(&mut self) {
        self.bursts.open.seek(self.bursts.plan, 0);
        self.front.clear();
        let (done, fresh) = (Mask::EMPTY, Mask::EMPTY);
        self.front.push(Config { state: INITIAL, known: 0, used: 0, done, fresh });
    }

    /// In the middle, with whatever may be: nothing that a real frontier holds there is not covered by
    /// what this one holds. If this one dies, so does the real one, and no later.
    pub(super) fn anywhere(plan: &'a Plan<'a>, event: usize, meter: &'a Meter) -> Self {
        let mut run = Self::nowhere(plan, meter);
        let bursts = &mut run.bursts;
        bursts.open.seek(plan, event);
        bursts.optional = bursts.open.all;
        bursts.look_ahead_from(event);
        let done = bursts.open.all.without(bursts.open.writes | bursts.open.cas);
        let known = bursts.open.unknown_begun;
        for state in 0..plan.values as ValueId {
            let mut config = Config { state, known, used: 0, done, fresh: Mask::EMPTY };
            bursts.bury(&mut config);
            if config.state != DEAD && (state == 0 || holds(Condition::AnyValueInWindow)) {
                run.front.push(config);
            }
        }
        if run.front.is_empty() {
            run.front.push(Config { state: DEAD, known, used: 0, done, fresh: Mask::EMPTY });
        }
        run
    }

    fn nowhere(plan: &'a Plan<'a>, meter: &'a Meter) -> Self {
        Run {
            bursts: Bursts::new(plan, meter),
            front: Vec::new(),
            was_cut: false,
            parents: None,
            widest: 0,
            scratch: Scratch::default(),
            meter,
        }
    }

    /// Goes to just before this event, with no more than this effort.
    pub(super) fn advance(&mut self, event: usize, effort: Effort) -> Result<Stop, Exhausted> {
        let plan = self.bursts.plan;
        while self.bursts.open.at < event {
            let at = self.bursts.open.at;
            let op = plan.events[at].op();
            if at.is_multiple_of(EVENTS_PER_CHECK) {
                self.meter.check()?;
            }
            if plan.events[at].is_end() {
                self.end(plan.slot[op] as usize, effort)?;
                if self.front.is_empty() {
                    return Ok(Stop::Died(at));
                }
            } else {
                self.start(op);
            }
        }
        Ok(Stop::There)
    }

    /// Bytes it holds.
    pub(super) fn bytes(&self) -> u64 {
        let configs = self.front.capacity() + self.bursts.found.capacity();
        (configs * size_of::<Config<W>>()) as u64 + self.bursts.used.bytes()
    }

    /// An operation begins.
    pub(super) fn start(&mut self, op: usize) {
        let plan = self.bursts.plan;
        let slot = plan.slot[op] as usize;
        let kind = plan.ops[op].kind;
        let is_unknown = plan.ops[op].end == NEVER;
        self.bursts.open.step(plan);
        for config in &mut self.front {
            if is_unknown {
                if config.state == DEAD {
                    config.known = self.bursts.open.unknown_begun;
                }
                continue;
            }
            let is_pleased = match kind {
                Kind::Read(value) => config.state == value,
                Kind::NotEqual(value) => config.state != value && config.state != DEAD,
                Kind::Write(_) | Kind::Cas(..) => false,
            };
            if is_pleased {
                config.done.set(slot);
            } else if config.state != DEAD {
                config.fresh.set(slot);
            }
        }
    }

    /// An operation ends.
    fn end(&mut self, slot: usize, effort: Effort) -> Result<(), Exhausted> {
        let mut unknown_max = effort.unknown;
        let mut parents = self.expand(slot, unknown_max)?;
        while self.bursts.found.is_empty() && self.bursts.was_limited && unknown_max < effort.unknown_max {
            unknown_max = (2 * unknown_max).clamp(1, effort.unknown_max);
            parents = self.expand(slot, unknown_max)?;
        }
        let bursts = &mut self.bursts;
        std::mem::swap(&mut self.front, &mut bursts.found);
        let plan = bursts.plan;
        bursts.open.step(plan);
        bursts.optional.clear(slot);
        self.was_cut |= bursts.was_limited && holds(Condition::CutProvesNothing);
        let (open, used) = (&bursts.open, &bursts.used);
        layer::antichain(&mut self.front, parents.as_mut(), open, bursts.optional, used, &mut self.scratch);
        self.widest = self.widest.max(self.front.len());
        let width = effort.width;
        let was_cut = layer::cut(&mut self.front, parents.as_mut(), width, open, used, &mut self.scratch);
        self.was_cut |= was_cut && holds(Condition::CutProvesNothing);
        self.parents = parents;
        Ok(())
    }

    /// Fills `found` with what becomes of the front, and says of which of it each comes.
    pub(super) fn expand(&mut self, slot: usize, unknown_max: u32) -> Result<Option<Vec<u32>>, Exhausted> {
        let bursts = &mut self.bursts;
        bursts.look_at(slot);
        bursts.unknown_max = unknown_max;
        bursts.was_limited = false;
        bursts.found.clear();
        let is_optional = bursts.optional.has(slot);
        let mut parents = self.parents.is_some().then(Vec::new);
        for (index, config) in self.front.iter().enumerate() {
            let mut config = *config;
            bursts.bury(&mut config);
            let is_done = config.done.has(slot);
            if !is_done && (!is_optional || holds(Condition::OptionalAtEnd)) {
                bursts.burst(&config);
            }
            if is_done || is_optional {
                config.forget(slot);
                bursts.found.push(config);
            }
            if let Some(parents) = &mut parents {
                parents.resize(bursts.found.len(), index as u32);
            }
        }
        match bursts.spent {
            Some(why) => Err(why),
            None => Ok(parents),
        }
    }
}
