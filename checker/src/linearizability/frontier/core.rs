//! Why there is no order, in as few operations as can be.
//!
//! What is made smaller is the set of *constraints*, never the set of writes: take a write away and its
//! value becomes one that was never written. In steps that can only make an order easier to find:
//!
//! 1. the history ends at the failing end; what is open there may still happen or not;
//! 2. values that do not matter become one, *other* (see [`abstraction`]);
//! 3. what ended before some moment is forgotten, and so is the value at that moment; what was open there
//!    may or may not have happened by its end;
//! 4. reads go; writes and compare-and-sets lose their interval: each may have happened at any time, once,
//!    or never.
//!
//! What is left in the end is minimal as far as the effort shows, for the values and the moment chosen: with
//! any one of it freed too, it was not seen that there is no order.

use std::collections::HashMap;

use super::super::partition::NEVER;
use super::super::register_op::{Kind, RegisterOp, ValueId, known_at};
use super::abstraction;
use super::drive::Effort;
use super::plan::Plan;
use super::run::{Run, Stop};
use crate::budget::{Exhausted, Meter};

/// Configurations that a check may take; a core whose checks take more is not looked for.
const WIDTH_MAX: usize = 4096;

/// Steps of one check, for each operation looked at and at least.
const STEPS_PER_OP: u64 = 64;
const STEPS_MIN: u64 = 10_000;

/// Positions that are looked at first: a reason is mostly near.
const RECENT: u32 = 4096;

/// A core of so few operations is not looked for a smaller one.
const SMALL_ENOUGH: usize = 6;

/// The moment from which on a core holds is found first to within this share of the way back to it.
const START_GRAINS: u32 = 8;

/// The most values that are told apart before all are.
const KEPT_MAX: usize = 8;

/// Operations that can't be ordered, whatever the others did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Core {
    /// In the order of their starts.
    pub(crate) ops: Vec<usize>,
    /// The position from which on it holds, whatever happened before: the beginning if `None`.
    pub(crate) from: Option<u32>,
    /// Values that it is enough to tell apart; all of them if `None`.
    pub(crate) values: Option<Vec<ValueId>>,
}

/// A smallest core of a history that becomes impossible at the end of `failing`. `None` if it takes more
/// than a small effort to see that it does.
pub(crate) fn core(
    ops: &[RegisterOp],
    values: usize,
    failing: usize,
    meter: &Meter,
) -> Result<Option<Core>, Exhausted> {
    let position = ops[failing].end;
    let everything: Vec<(usize, RegisterOp)> = known_at(ops, position).collect();
    let asked = asked_before(&everything, position);
    let (mut count, mut best) = (1, None::<Core>);
    loop {
        let kept = (count <= KEPT_MAX && count < 2 * asked.len()).then(|| &asked[..count.min(asked.len())]);
        // What is near and takes few values is looked for first; at the beginning, nothing is before it.
        for since in [position.checked_sub(RECENT), None] {
            let recent = everything.iter().filter(|(_, op)| op.end >= since.unwrap_or(0)).copied();
            let search = match kept {
                Some(kept) => Search::new(told(recent, kept), kept.len() + 2, position, meter),
                None => Search::new(recent.collect(), values, position, meter),
            };
            let found = match search.is_impossible_from(since) {
                Ok(true) => search.minimise(kept.map(<[ValueId]>::to_vec)).map(Some),
                Ok(false) => Ok(None),
                Err(why) => Err(why),
            };
            // What was found in an earlier round is an explanation, whatever a later one comes to.
            let found = match found {
                Err(_) if best.is_some() => return Ok(best),
                found => found?,
            };
            if let Some(found) = found {
                if found.ops.len() <= SMALL_ENOUGH {
                    return Ok(Some(found));
                }
                // More values make for other reasons, shorter ones at times.
                best = best.filter(|best| best.ops.len() <= found.ops.len()).or(Some(found));
                break;
            }
        }
        if kept.is_none() {
            return Ok(best);
        }
        count *= 2;
    }
}

fn told(ops: impl Iterator<Item = (usize, RegisterOp)>, kept: &[ValueId]) -> Vec<(usize, RegisterOp)> {
    let told = ops.filter_map(|(place, op)| {
        let kind = abstraction::told(op.kind, kept, op.end == NEVER)?;
        Some((place, RegisterOp { kind, ..op }))
    });
    told.collect()
}

/// Values that were asked for, latest first, at most [`KEPT_MAX`].
fn asked_before(ops: &[(usize, RegisterOp)], position: u32) -> Vec<ValueId> {
    let asked = ops.iter().filter(|(_, op)| op.end <= position).filter_map(|(_, op)| match op.kind {
        Kind::Read(value) | Kind::NotEqual(value) | Kind::Cas(value, _) => Some((op.end, value)),
        Kind::Write(_) => None,
    });
    let mut asked: Vec<(u32, ValueId)> = asked.collect();
    asked.sort_unstable_by(|a, b| b.cmp(a));
    let mut values = Vec::new();
    for (_, value) in asked {
        if !values.contains(&value) {
            values.push(value);
        }
        if values.len() == KEPT_MAX {
            break;
        }
    }
    values
}

/// What is left of a history, and whether that is still impossible.
struct Search<'a> {
    /// Each with its place in the slice that was asked about, by start.
    ops: Vec<(usize, RegisterOp)>,
    /// Which have lost their interval.
    freed: Vec<bool>,
    from: Option<u32>,
    /// A position from which on there is an order.
    too_late: u32,
    values: usize,
    position: u32,
    meter: &'a Meter,
}

impl<'a> Search<'a> {
    fn new(mut ops: Vec<(usize, RegisterOp)>, values: usize, position: u32, meter: &'a Meter) -> Self {
        ops.sort_unstable_by_key(|(_, op)| op.start);
        let (freed, too_late) = (vec![false; ops.len()], position + 1);
        Search { freed, ops, from: None, too_late, values, position, meter }
    }

    fn minimise(mut self, kept: Option<Vec<ValueId>>) -> Result<Core, Exhausted> {
        self.find_start()?;
        // By halves, quarters and so on, then one by one until nothing changes.
        let mut size = self.ops.len().div_ceil(2);
        loop {
            let mut changed = false;
            let mut first = 0;
            while first < self.ops.len() {
                let last = (first + size).min(self.ops.len());
                changed |= self.free(first..last)?;
                first = last;
            }
            self.prune();
            match size {
                0 | 1 if !changed => break,
                0 | 1 => {}
                _ => size = size.div_ceil(2),
            }
        }
        // Few are left, so that the moment itself costs little to find.
        if let Some(from) = self.from {
            self.start_later(from, 1)?;
        }
        let left = self.ops.iter().zip(&self.freed).filter(|(_, freed)| !**freed);
        let ops = left.map(|((place, _), _)| *place).collect();
        Ok(Core { ops, from: self.from, values: kept })
    }

    /// Frees these, if it is still impossible then.
    fn free(&mut self, range: std::ops::Range<usize>) -> Result<bool, Exhausted> {
        let changed: Vec<usize> = range.filter(|place| !self.freed[*place]).collect();
        if changed.is_empty() {
            return Ok(false);
        }
        changed.iter().for_each(|place| self.freed[*place] = true);
        let still = self.is_impossible()?;
        if !still {
            changed.iter().for_each(|place| self.freed[*place] = false);
        }
        Ok(still)
    }

    /// Forgets as much of the beginning as can be, or nearly.
    fn find_start(&mut self) -> Result<(), Exhausted> {
        // The longer the window, the more it shows: so the shortest that shows it.
        let mut length = 16;
        while length < self.position {
            let from = self.position + 1 - length;
            if self.is_impossible_from(Some(from))? {
                return self.start_later(from, length / START_GRAINS);
            }
            self.too_late = from;
            length = length.saturating_mul(4);
        }
        Ok(())
    }

    /// Starts as late as shows it, to within so many positions: by halves.
    fn start_later(&mut self, mut from: u32, within: u32) -> Result<(), Exhausted> {
        while from.saturating_add(within.max(1)) < self.too_late {
            let middle = from + (self.too_late - from) / 2;
            *(if self.is_impossible_from(Some(middle))? { &mut from } else { &mut self.too_late }) = middle;
        }
        self.from = Some(from);
        self.keep(|_, (_, op)| op.end >= from);
        Ok(())
    }

    fn keep(&mut self, mut keeps: impl FnMut(usize, &(usize, RegisterOp)) -> bool) {
        let kept: Vec<bool> = self.ops.iter().enumerate().map(|(place, op)| keeps(place, op)).collect();
        let mut at = kept.iter();
        self.ops.retain(|_| *at.next().expect("one for each"));
        let mut at = kept.iter();
        self.freed.retain(|_| *at.next().expect("one for each"));
    }

    /// Between two operations whose times count nobody needs two of those that may have happened at any time
    /// and do the same. So a few of each kind are as good as all of them, those that end last as good as any.
    fn prune(&mut self) {
        let enough = 1 + self.freed.iter().filter(|freed| !**freed).count();
        let mut by_end: Vec<usize> = (0..self.ops.len()).filter(|place| self.freed[*place]).collect();
        by_end.sort_unstable_by_key(|place| std::cmp::Reverse(self.ops[*place].1.end));
        let mut of_kind: HashMap<Kind, usize> = HashMap::new();
        let mut kept: Vec<bool> = self.freed.iter().map(|freed| !freed).collect();
        for place in by_end {
            let kind = self.ops[place].1.kind;
            let count = of_kind.entry(kind).or_default();
            *count += 1;
            kept[place] = *count <= enough && matches!(kind, Kind::Write(_) | Kind::Cas(..));
        }
        self.keep(|place, _| kept[place]);
    }

    fn is_impossible(&self) -> Result<bool, Exhausted> {
        self.is_impossible_from(self.from)
    }

    /// Whether what is left since a position can't be ordered, whatever happened before it.
    fn is_impossible_from(&self, from: Option<u32>) -> Result<bool, Exhausted> {
        let left = |freed: bool| {
            let ops = self.ops.iter().zip(&self.freed).filter(move |(_, is_freed)| **is_freed == freed);
            ops.map(|((_, op), _)| op).filter(move |op| op.end >= from.unwrap_or(0))
        };
        let freed = left(true).filter(|op| matches!(op.kind, Kind::Write(_) | Kind::Cas(..)));
        let mut ops: Vec<RegisterOp> =
            freed.zip(1..).map(|(op, start)| RegisterOp { start, end: NEVER, ..*op }).collect();
        let shift = ops.len() as u32;
        let later = |position: u32| position.saturating_add(shift);
        ops.extend(left(false).map(|op| RegisterOp { start: later(op.start), end: later(op.end), ..*op }));
        let first = from.map(later);
        let plan = Plan::new(&ops, self.values);
        match plan.slots {
            0..=64 => self.dies::<1>(&plan, first),
            65..=256 => self.dies::<4>(&plan, first),
            _ => self.dies::<64>(&plan, first),
        }
    }

    fn dies<const W: usize>(&self, plan: &Plan<'_>, first: Option<u32>) -> Result<bool, Exhausted> {
        let mut run: Run<'_, W> = match first {
            None => Run::new(plan, self.meter),
            Some(first) => {
                let event = plan.positions.partition_point(|position| *position < first);
                if event == plan.events.len() {
                    return Ok(false);
                }
                Run::anywhere(plan, event, self.meter)
            }
        };
        run.bursts.steps_max = STEPS_MIN + STEPS_PER_OP * plan.ops.len() as u64;
        match run.advance(plan.events.len(), Effort::all(WIDTH_MAX)) {
            Ok(Stop::Died(_)) => Ok(!run.was_cut),
            Ok(Stop::There) | Err(Exhausted::Steps(_)) => Ok(false),
            Err(why) => Err(why),
        }
    }
}
