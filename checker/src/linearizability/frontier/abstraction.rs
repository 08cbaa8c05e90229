//! A quick no: the history as seen by somebody who tells only a few values apart.
//!
//! Call all other values one, *other*. A read of any of them becomes a read of other, a write a write of
//! other, and so on; an order of the history is an order of what becomes of it. So if that has none,
//! neither has the history. It is much easier to decide: a stale or phantom read of v is mostly seen
//! by telling v from the rest, whatever happens to the rest and however many of their writers are lost.

use super::super::partition::NEVER;
use super::super::register_op::{INITIAL, Kind, RegisterOp, ValueId};
use super::condition::Condition;
use super::drive::Effort;
use super::plan::Plan;
use super::run::{Run, Stop};
use crate::budget::{Exhausted, Meter};
use crate::linearizability::condition::holds;

/// Configurations that are enough for an abstraction that is any good.
const WIDTH_MAX: usize = 1024;

/// Steps that it may take for each operation.
const STEPS_PER_OP: u64 = 64;

/// Whether the history up to this position has no order, told by these values alone.
pub(super) fn refutes<const W: usize>(
    ops: &[RegisterOp],
    kept: &[ValueId],
    position: u32,
    meter: &Meter,
) -> Result<bool, Exhausted> {
    let seen: Vec<RegisterOp> = ops
        .iter()
        .filter(|op| op.start <= position)
        .filter_map(|op| {
            let end = if op.end <= position { op.end } else { NEVER };
            let kind = told(op.kind, kept, end == NEVER)?;
            Some(RegisterOp { kind, start: op.start, end })
        })
        .collect();
    let plan = Plan::new(&seen, kept.len() + 2);
    let other = number(kept, ValueId::MAX);
    let mut run: Run<'_, W> = Run::new(&plan, meter);
    for (class, of) in plan.classes.iter().enumerate() {
        // What makes other is plenty, and to count it would be no help.
        run.bursts.used.endless[class] =
            matches!(of.kind, Kind::Write(value) | Kind::Cas(_, value) if value == other);
    }
    run.bursts.steps_max = STEPS_PER_OP * seen.len() as u64;
    match run.advance(plan.events.len(), Effort::all(WIDTH_MAX)) {
        Ok(Stop::There) | Err(Exhausted::Steps(_)) => Ok(false),
        Ok(Stop::Died(_)) => Ok(!run.was_cut),
        Err(why) => Err(why),
    }
}

/// What becomes of an operation; `None` if it tells nothing.
pub(super) fn told(kind: Kind, kept: &[ValueId], is_unknown: bool) -> Option<Kind> {
    let other = number(kept, ValueId::MAX);
    let kind = match kind {
        Kind::Read(value) => Kind::Read(number(kept, value)),
        Kind::Write(value) => Kind::Write(number(kept, value)),
        Kind::Cas(from, to) => match (number(kept, from), number(kept, to)) {
            (from, to) if from == to => Kind::Read(from),
            (from, to) => Kind::Cas(from, to),
        },
        Kind::NotEqual(value) => match number(kept, value) {
            value if value == other && holds(Condition::AbstractNotEqual) => return None,
            value => Kind::NotEqual(value),
        },
    };
    (!is_unknown || matches!(kind, Kind::Write(_) | Kind::Cas(..))).then_some(kind)
}

/// The number of a value. The initial one keeps its own, whether or not it is told apart.
fn number(kept: &[ValueId], value: ValueId) -> ValueId {
    let place = kept.iter().position(|other| *other == value);
    let initial = kept.iter().position(|other| *other == INITIAL);
    match (place, initial) {
        (Some(place), Some(initial)) if place == initial => INITIAL,
        (Some(place), _) => place as ValueId + 1,
        // Not told apart: the initial one is among these unless it is.
        (None, Some(_)) => kept.len() as ValueId + 1,
        (None, None) => INITIAL,
    }
}
