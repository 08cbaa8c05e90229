//! Narrow first, wider and further back where that fails.

use super::super::register_op::{Kind, RegisterOp, ValueId};
use super::abstraction;
use super::config::Config;
use super::plan::Plan;
use super::run::{Run, Stop};
use crate::budget::{Exhausted, Meter};

/// How hard to try at first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effort {
    /// How wide a run may be while all goes well.
    pub(super) width: usize,
    /// Events that are looked at again when it does not, at first.
    pub(super) window: usize,
    /// How many operations of unknown outcome may be placed for one end, even if it could do with fewer;
    /// and if that is not enough for anything to be left.
    pub(super) unknown: u32,
    pub(super) unknown_max: u32,
}

impl Effort {
    pub(super) const USUAL: Self = Self { width: 16, window: 64, unknown: 0, unknown_max: 2 };

    /// All that can be done with so many configurations.
    pub(super) fn all(width: usize) -> Self {
        Self { width, window: usize::MAX, unknown: u32::MAX, unknown_max: u32::MAX }
    }

    /// The next one to make.
    fn more(self) -> Self {
        Self {
            width: self.width.saturating_mul(GROWTH),
            window: self.window.saturating_mul(GROWTH),
            unknown: self.unknown_max / 2,
            unknown_max: self.unknown_max.saturating_mul(2),
        }
    }
}

/// How much wider and longer each further attempt is.
const GROWTH: usize = 4;

/// Events between two configurations that are kept to go back to.
const EVENTS_PER_MARK: usize = 512;

/// Steps for each configuration and event that a look at a window may take.
const STEPS_PER_EVENT: usize = 4;

/// What the frontier says. Operations are named by their place in the slice that was asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// There is an order.
    Valid,
    /// There is none.
    Invalid {
        /// The operation at whose end the history became impossible.
        failing: usize,
    },
    /// Neither was found.
    Undecided {
        /// Which limit was met.
        why: Exhausted,
        /// Completed operations that some order was found for.
        placed: usize,
        /// Completed operations in all.
        completed: usize,
    },
}

/// Whether there is an order of these operations on one register whose values are below `values`.
pub(crate) fn decide(ops: &[RegisterOp], values: usize, meter: &Meter) -> Answer {
    decide_with(ops, values, Effort::USUAL, meter)
}

pub(super) fn decide_with(ops: &[RegisterOp], values: usize, effort: Effort, meter: &Meter) -> Answer {
    let plan = Plan::new(ops, values);
    match plan.slots {
        0..=64 => Drive::<1>::new(&plan, effort, meter).answer(),
        65..=128 => Drive::<2>::new(&plan, effort, meter).answer(),
        129..=256 => Drive::<4>::new(&plan, effort, meter).answer(),
        257..=1024 => Drive::<16>::new(&plan, effort, meter).answer(),
        _ => Drive::<64>::new(&plan, effort, meter).answer(),
    }
}

/// A frontier to go back to.
#[derive(Debug)]
pub(super) struct Mark<const W: usize> {
    pub(super) event: usize,
    pub(super) front: Vec<Config<W>>,
    pub(super) was_cut: bool,
    /// What took the run here from the mark before.
    pub(super) effort: Effort,
}

/// A run, and what it takes to go back and try again.
#[derive(Debug)]
pub(super) struct Drive<'a, const W: usize> {
    pub(super) plan: &'a Plan<'a>,
    meter: &'a Meter,
    effort: Effort,
    pub(super) run: Run<'a, W>,
    pub(super) marks: Vec<Mark<W>>,
    /// The furthest event that some run died at.
    deepest: usize,
    charged: u64,
}

impl<'a, const W: usize> Drive<'a, W> {
    pub(super) fn new(plan: &'a Plan<'a>, effort: Effort, meter: &'a Meter) -> Self {
        let run = Run::new(plan, meter);
        Drive { plan, meter, effort, run, marks: Vec::new(), deepest: 0, charged: 0 }
    }

    fn answer(mut self) -> Answer {
        match self.go() {
            Ok(None) => Answer::Valid,
            Ok(Some(event)) => Answer::Invalid { failing: self.plan.events[event].op() },
            Err(why) => {
                let reached = self.run.bursts.open.at.max(self.deepest);
                let is_end = |event: &&super::plan::Event| event.is_end();
                Answer::Undecided {
                    why,
                    placed: self.plan.events[..reached].iter().filter(is_end).count(),
                    completed: self.plan.events.iter().filter(is_end).count(),
                }
            }
        }
    }

    /// The event at which the history became impossible, if it did.
    pub(super) fn go(&mut self) -> Result<Option<usize>, Exhausted> {
        let end = self.plan.events.len();
        let (mut effort, mut trouble) = (self.effort, 0);
        self.mark(effort);
        loop {
            let died = match self.advance(end, self.effort)? {
                Stop::There => {
                    self.mark(self.effort);
                    return Ok(None);
                }
                Stop::Died(event) => event,
            };
            if !self.run.was_cut {
                return Ok(Some(died));
            }
            if died > trouble + effort.window {
                effort = self.effort;
            }
            trouble = trouble.max(died);
            self.deepest = trouble;
            loop {
                if self.is_hopeless(effort)? {
                    return Ok(Some(self.deepest));
                }
                self.go_back(effort.window);
                let now = effort;
                effort = effort.more();
                match self.advance(self.deepest + 1, now)? {
                    Stop::There => {
                        self.mark(now);
                        break;
                    }
                    Stop::Died(event) if !self.run.was_cut => return Ok(Some(event)),
                    Stop::Died(event) => self.deepest = self.deepest.max(event),
                }
            }
        }
    }

    /// Whether nothing gets past the deepest event.
    fn is_hopeless(&mut self, effort: Effort) -> Result<bool, Exhausted> {
        let further = effort.width / self.effort.width;
        // Lost operations make windows wide open; without them a window is nearly always enough.
        let patience = if self.plan.classes.is_empty() { GROWTH * GROWTH } else { GROWTH };
        if further >= patience {
            let kept = self.values_around(further / patience);
            let position = self.plan.positions[self.deepest];
            if abstraction::refutes::<W>(self.plan.ops, &kept, position, self.meter)? {
                return Ok(true);
            }
        }
        self.is_hopeless_from_anywhere(effort)
    }

    /// Whether nothing gets past the deepest event, whatever went before the window that ends there.
    fn is_hopeless_from_anywhere(&mut self, effort: Effort) -> Result<bool, Exhausted> {
        let first = self.deepest.saturating_sub(effort.window);
        if first == 0 {
            // The real beginning says more.
            return Ok(false);
        }
        let mut run: Run<'_, W> = Run::anywhere(self.plan, first, self.meter);
        run.bursts.steps_max =
            effort.width.saturating_mul(effort.window).saturating_mul(STEPS_PER_EVENT) as u64;
        match run.advance(self.deepest + 1, Effort::all(effort.width)) {
            Ok(Stop::Died(_)) => Ok(!run.was_cut),
            Ok(Stop::There) | Err(Exhausted::Steps(_)) => Ok(false),
            Err(why) => Err(why),
        }
    }

    /// The values that the operation at whose end the run died asked for, and some of those that were
    /// asked for shortly before.
    fn values_around(&self, count: usize) -> Vec<ValueId> {
        let mut values = Vec::new();
        for event in self.plan.events[..=self.deepest].iter().rev().filter(|event| event.is_end()) {
            let asked = match self.plan.ops[event.op()].kind {
                Kind::Read(value) | Kind::NotEqual(value) | Kind::Cas(value, _) => value,
                Kind::Write(_) => continue,
            };
            if !values.contains(&asked) {
                values.push(asked);
            }
            if values.len() >= count {
                break;
            }
        }
        values
    }

    fn mark(&mut self, effort: Effort) {
        let event = self.run.bursts.open.at;
        let front = self.run.front.clone();
        self.marks.push(Mark { event, front, was_cut: self.run.was_cut, effort });
        let marked: usize = self.marks.iter().map(|mark| mark.front.len()).sum();
        self.charge((marked * size_of::<Config<W>>()) as u64);
    }

    /// Tells the meter what is held now.
    fn charge(&mut self, marked: u64) {
        let bytes = self.plan.bytes() + self.run.bytes() + marked;
        self.meter.take(bytes);
        self.meter.give_back(self.charged);
        self.charged = bytes;
    }

    fn go_back(&mut self, window: usize) {
        let first = self.deepest.saturating_sub(window);
        while self.marks.len() > 1 && self.marks[self.marks.len() - 1].event > first {
            self.marks.pop();
        }
        let Some(mark) = self.marks.last() else { return };
        self.run.front.clone_from(&mark.front);
        self.run.was_cut = mark.was_cut;
        self.run.bursts.open.seek(self.plan, mark.event);
    }

    fn advance(&mut self, event: usize, effort: Effort) -> Result<Stop, Exhausted> {
        loop {
            let at = self.run.bursts.open.at;
            let next = (at / EVENTS_PER_MARK + 1) * EVENTS_PER_MARK;
            let stop = self.run.advance(next.min(event), effort)?;
            if stop != Stop::There || self.run.bursts.open.at == event {
                return Ok(stop);
            }
            self.mark(effort);
        }
    }
}

impl<const W: usize> Drop for Drive<'_, W> {
    fn drop(&mut self) {
        self.meter.give_back(self.charged);
    }
}
