//! Any model: its parts apart where it has some, its own quick way first, search for the rest.

use super::partition::{NEVER, Part};
use super::portfolio::{Undecided, searched};
use crate::budget::Meter;
use crate::explain::minimise::minimise;
use crate::explain::order;
use crate::explain::witness::{Anomaly, Argument};
use crate::explain::words::{did, span, whose};
use crate::hash::Table;
use crate::history::op::Value;
use crate::model::{Model, Quick, SearchOp, Violation};

/// What decided, and what came of it.
pub(crate) type Decision = (&'static str, Result<(), Refusal>);

/// Why it is not valid.
pub(crate) enum Refusal {
    Invalid(Argument),
    Undecided(Undecided),
}

/// What decided when it was no search.
const MONITOR: &str = "monitor";

/// Evidence that nobody has to make smaller.
const EVIDENCE_SMALL: usize = 8;

/// Judges operations, given with the number of each one's call.
pub(crate) fn judge<M: Model>(
    model: &M,
    part: &Part<'_>,
    ops: &[SearchOp<M::Op>],
    calls: &[usize],
    meter: &Meter,
) -> Decision {
    // A monitor sees all parts of an object at once faster than anybody can split them.
    match model.quick(ops) {
        Quick::Valid => return (MONITOR, Ok(())),
        Quick::Violation(violation) => {
            let argument = tell(model, part, ops, calls, &violation, meter);
            return (MONITOR, Err(Refusal::Invalid(argument)));
        }
        Quick::NotApplicable => {}
    }
    let Some(parts) = split(model, ops) else { return searched(model, part, ops, calls, meter) };
    let mut decision: Decision = (MONITOR, Ok(()));
    for places in parts {
        let ops = dense(places.iter().map(|place| ops[*place].clone()).collect());
        let calls: Vec<usize> = places.iter().map(|place| calls[*place]).collect();
        let (engine, found) = match model.quick(&ops) {
            Quick::Valid => continue,
            Quick::Violation(violation) => {
                let argument = tell(model, part, &ops, &calls, &violation, meter);
                (MONITOR, Err(Refusal::Invalid(argument)))
            }
            Quick::NotApplicable => searched(model, part, &ops, &calls, meter),
        };
        match found {
            Ok(()) if decision.1.is_ok() => decision.0 = engine,
            Ok(()) => {}
            Err(Refusal::Invalid(_)) => return (engine, found),
            // Another part may still be invalid.
            Err(Refusal::Undecided(_)) => decision = (engine, found),
        }
    }
    decision
}

/// The places of each part's operations, if every operation is about one part and there are several.
fn split<M: Model>(model: &M, ops: &[SearchOp<M::Op>]) -> Option<Vec<Vec<usize>>> {
    let mut parts: Vec<Vec<usize>> = Vec::new();
    let mut numbers: Table<Value, usize> = Table::default();
    for (place, op) in ops.iter().enumerate() {
        let number = *numbers.entry(model.part(&op.op)?).or_insert_with(|| {
            parts.push(Vec::new());
            parts.len() - 1
        });
        parts[number].push(place);
    }
    (parts.len() > 1).then_some(parts)
}

/// The same with positions without gaps.
fn dense<O>(mut ops: Vec<SearchOp<O>>) -> Vec<SearchOp<O>> {
    let mut positions: Vec<u32> = ops.iter().flat_map(|op| [op.start, op.end]).collect();
    positions.sort_unstable();
    let place = |position: u32| match position {
        NEVER => NEVER,
        position => positions.partition_point(|other| *other < position) as u32 + 1,
    };
    for op in &mut ops {
        (op.start, op.end) = (place(op.start), place(op.end));
    }
    ops
}

/// Whether the operations have an order without all that was done with any one value. Each must have one.
fn spares_no_value<M: Model>(model: &M, ops: &[SearchOp<M::Op>]) -> bool {
    let value = |op: &SearchOp<M::Op>| model.makes(&op.op).or_else(|| model.needs(&op.op).into_iter().next());
    let Some(values) = ops.iter().map(value).collect::<Option<Vec<Value>>>() else { return false };
    model.values_separable()
        && values.iter().all(|spared| {
            let rest = ops.iter().zip(&values).filter(|(_, value)| *value != spared);
            model.quick(&dense(rest.map(|(op, _)| op.clone()).collect())) == Quick::Valid
        })
}

fn tell<M: Model>(
    model: &M,
    part: &Part<'_>,
    ops: &[SearchOp<M::Op>],
    calls: &[usize],
    violation: &Violation,
    meter: &Meter,
) -> Argument {
    let call = |place: usize| part.call(calls[place]);
    let mut none_spared = false;
    if violation.ops.len() > EVIDENCE_SMALL {
        let places: Vec<usize> = violation.ops.iter().map(|(place, _)| *place).collect();
        let failing = places.iter().position(|place| *place == violation.failing);
        let evidence: Vec<_> = places.iter().map(|place| ops[*place].clone()).collect();
        let of_evidence: Vec<usize> = places.iter().map(|place| calls[*place]).collect();
        if let Some(failing) = failing {
            let core = minimise(model, &evidence, failing, meter);
            if core.ops.len() < violation.ops.len() {
                return order::tell(model, part, &of_evidence, &core);
            }
        }
        none_spared = spares_no_value(model, &evidence);
    }
    let failing = call(violation.failing);
    let summary = format!("{} {}, but {}", did(&failing), span(&failing), violation.rule);
    let mut argument =
        Argument::new(Anomaly::NoOrder, summary).failing(calls[violation.failing], "fits no order");
    let others = || violation.ops.iter().filter(|(place, _)| *place != violation.failing);
    for (number, (place, role)) in others().enumerate() {
        argument = argument.with(calls[*place], *role);
        if number < EVIDENCE_SMALL {
            argument = argument.because(format!("{}: {role}.", whose(&call(*place))));
        }
    }
    if others().count() > EVIDENCE_SMALL {
        let more = others().count() - EVIDENCE_SMALL;
        argument = argument.because(format!("And {more} more, each of which plays one of these parts."));
    }
    if none_spared {
        argument = argument.because(
            "It takes all of them: without what was done with any one of these values, there is an order.",
        );
    }
    argument.because("No other operation of the history helps: there is no order.".to_owned())
}
