//! Any model: its parts apart where it has some, its own quick way first, search for the rest.

use super::judge::{Found, Judged, Located};
use super::partition::Part;
use super::portfolio::searched;
use super::positions::close_gaps;
use crate::budget::Meter;
use crate::explain::minimise::minimise;
use crate::explain::order;
use crate::explain::witness::{Anomaly, Argument};
use crate::explain::words::{did, span, whose};
use crate::hash::Table;
use crate::history::op::Value;
use crate::model::{Model, Quick, SearchOp, Violation};

/// Operations on one object, each with the number of its call.
pub(crate) struct Object<'p, 'h, M: Model> {
    pub(crate) model: &'p M,
    pub(crate) part: &'p Part<'h>,
    pub(crate) ops: Vec<SearchOp<M::Op>>,
    pub(crate) calls: Vec<usize>,
}

/// What decided when it was no search.
pub(super) const MONITOR: &str = "monitor";

/// Evidence that nobody has to make smaller.
const EVIDENCE_SMALL: usize = 8;

/// Judges an object.
pub(crate) fn judge<'p, M: Model>(object: Object<'p, '_, M>, meter: &Meter) -> Judged<'p> {
    // A monitor sees all parts of an object at once faster than anybody can split them.
    match object.model.quick(&object.ops) {
        Quick::Valid => return Judged::valid(MONITOR),
        Quick::Violation(violation) => return object.violated(violation),
        Quick::NotApplicable => {}
    }
    let Some(parts) = split(object.model, &object.ops) else { return searched(object, meter) };
    let mut judged = Judged::valid(MONITOR);
    for places in parts {
        let ops = dense(places.iter().map(|place| object.ops[*place].clone()).collect());
        let calls: Vec<usize> = places.iter().map(|place| object.calls[*place]).collect();
        let part = Object { ops, calls, ..object };
        let next = match part.model.quick(&part.ops) {
            Quick::Valid => continue,
            Quick::Violation(violation) => part.violated(violation),
            Quick::NotApplicable => searched(part, meter),
        };
        match next.found {
            Found::Invalid(_) => return next,
            // Another part may still be invalid.
            Found::Unknown(_) => judged = next,
            Found::Valid if matches!(judged.found, Found::Valid) => judged = next,
            Found::Valid => {}
        }
    }
    judged
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
    close_gaps(&mut ops, |op| [&mut op.start, &mut op.end]);
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

/// What is left to say where a model contradicts itself, which is a bug of the model: tests must not miss it, and
/// who asks for a verdict has one.
pub(super) fn untold<M: Model>(model: &M, why: &str) -> Argument {
    let name = model.name();
    if cfg!(debug_assertions) {
        panic!("the calls of a {name} show a violation that its operations don't: {why}");
    }
    let summary =
        format!("by its calls this is no {name}, but more can't be told, by a bug of the model: {why}");
    Argument::new(Anomaly::NoOrder, summary)
}

impl<'p, M: Model> Object<'p, '_, M> {
    /// The position in the history at which an operation ended.
    pub(crate) fn end_of(&self, place: usize) -> usize {
        let call = self.part.call(self.calls[place]);
        call.completion().unwrap_or(call.start())
    }

    fn violated(self, violation: Violation) -> Judged<'p> {
        Judged::invalid(MONITOR, move || self.located(violation))
    }

    fn located(self, violation: Violation) -> Located<'p> {
        Located::at(self.end_of(violation.failing), move |meter| self.tell(&violation, meter))
    }

    /// The violation of what the calls alone showed to have one.
    pub(super) fn located_violation(self) -> Located<'p> {
        match self.model.quick(&self.ops) {
            Quick::Violation(violation) => self.located(violation),
            Quick::Valid | Quick::NotApplicable => {
                let why = "its operations do not show again what its calls have shown";
                Located::told(self.part, untold(self.model, why))
            }
        }
    }

    fn tell(&self, violation: &Violation, meter: &Meter) -> Argument {
        let Self { model, part, ops, calls } = self;
        let call = |place: usize| part.call(calls[place]);
        let mut none_spared = false;
        if violation.ops.len() > EVIDENCE_SMALL {
            let places: Vec<usize> = violation.ops.iter().map(|(place, _)| *place).collect();
            let failing = places.iter().position(|place| *place == violation.failing);
            let evidence: Vec<_> = places.iter().map(|place| ops[*place].clone()).collect();
            let of_evidence: Vec<usize> = places.iter().map(|place| calls[*place]).collect();
            if let Some(failing) = failing {
                let core = minimise(*model, &evidence, failing, meter);
                if core.ops.len() < violation.ops.len() {
                    return order::tell(*model, part, &of_evidence, &core);
                }
            }
            none_spared = spares_no_value(*model, &evidence);
        }
        let failing = call(violation.failing);
        let summary = format!("{} {}, but {}", did(&failing), span(&failing), violation.rule);
        let mut argument =
            Argument::new(Anomaly::NoOrder, summary).failing(calls[violation.failing], "fits no order");
        let others = || violation.ops.iter().filter(|(place, _)| *place != violation.failing);
        let steps = model.reasons(ops, violation, &|place| {
            let call = call(place);
            format!("{} {}", whose(&call), span(&call))
        });
        let own_words = !steps.is_empty();
        for (number, (place, role)) in others().enumerate() {
            argument = argument.with(calls[*place], *role);
            if number < EVIDENCE_SMALL && !own_words {
                argument = argument.because(format!("{}: {role}.", whose(&call(*place))));
            }
        }
        argument = steps.into_iter().fold(argument, Argument::because);
        if others().count() > EVIDENCE_SMALL && !own_words {
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
}
