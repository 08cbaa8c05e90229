//! What a search found, told without knowing what the object is.

use super::minimise::Core;
use super::register::cap;
use super::witness::{Anomaly, Argument};
use super::words::{did, span, whose};
use crate::linearizability::partition::{NEVER, Part};
use crate::model::Model;

/// States and operations that are spelt out.
const STATES_TOLD_MAX: usize = 6;
const ORDER_TOLD_MAX: usize = 24;

/// The argument that a core makes.
pub(crate) fn tell<M: Model>(
    model: &M,
    part: &Part<'_>,
    calls: &[usize],
    core: &Core<M::Op, M::State>,
) -> Argument {
    let stuck = &part.call(calls[core.stuck]);
    let object = model.name();
    let held: Vec<String> = core.states.iter().map(|state| model.describe(state)).collect();
    let could = match &held[..] {
        [] => "no order of the operations before its end explains that".to_owned(),
        [only] => format!("by what is shown the {object} can only have held {only} when that ended"),
        some if some.len() <= STATES_TOLD_MAX => {
            format!(
                "by what is shown the {object} can only have held one of {} when that ended",
                some.join(", ")
            )
        }
        many => {
            format!(
                "of the {} states that the {object} can have been in by what is shown, none explains that",
                many.len()
            )
        }
    };
    let mut argument = Argument::new(
        Anomaly::NoOrder,
        format!("{} {}, but whatever the order of the operations, {could}", did(stuck), span(stuck)),
    )
    .failing(calls[core.stuck], "fits no order");
    if !core.order.is_empty() {
        let told: Vec<String> =
            core.order.iter().take(ORDER_TOLD_MAX).map(|op| whose(&part.call(calls[*op]))).collect();
        let more = match core.order.len() - told.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        argument = argument.because(format!(
            "One of the longest orders that fit: {}{more}; then {} does not.",
            told.join(", then "),
            whose(stuck)
        ));
    }
    for core_op in core.ops.iter().filter(|core_op| core_op.number != core.stuck) {
        let role = match (core_op.untimed, core_op.op.end) {
            (true, _) => "whenever it happened",
            (false, NEVER) => "may have happened by then",
            (false, _) => "must have happened by then",
        };
        argument = argument.with(calls[core_op.number], role);
    }
    if let Some(shown_by) = core.shown_by {
        let call = &part.call(calls[shown_by]);
        argument = argument.with(calls[shown_by], "shows what was there").because(format!(
            "{} {} shows what the {object} held; what was over before says nothing more.",
            cap(&whose(call)),
            span(call)
        ));
    }
    if core.idle > 0 {
        argument = argument.because(format!(
            "{} operations that may have happened are not shown: whichever of them did, it fits no better.",
            core.idle
        ));
    }
    if core.repeated > 0 {
        argument = argument.because(format!(
            "{} earlier operations are not shown: later ones that are shown did the same again.",
            core.repeated
        ));
    }
    argument.because(match core.ops.len().saturating_sub(1) + usize::from(core.shown_by.is_some()) {
        0 => "It can't be explained even when everything else is left out.".to_owned(),
        1 => "Only one other operation matters: without all the rest there is still no order.".to_owned(),
        some => format!("Only {some} other operations matter: without all the rest there is still no order."),
    })
}
