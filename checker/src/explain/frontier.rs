//! What the frontier found, told: which few operations can't be ordered, whatever all others did.

use super::register::Story;
use super::witness::{Anomaly, Argument};
use super::words::{did, ended, span, whose};
use crate::history::op::Value;
use crate::linearizability::frontier::Core;
use crate::linearizability::partition::Part;
use crate::linearizability::register_op::{Kind, ValueId};

/// The argument that a core makes; without one, what is known all the same.
pub(crate) fn tell(story: &Story<'_, '_>, failing: usize, core: Option<&Core>) -> Argument {
    let stuck = story.part.call(story.calls[failing] as usize);
    let stuck_number = story.calls[failing] as usize;
    let role = "fits no order";
    let Some(core) = core else {
        let summary = format!(
            "{} {}, but no order of the operations before its end explains that",
            did(&stuck),
            span(&stuck)
        );
        return Argument::new(Anomaly::NoOrder, summary).failing(stuck_number, role).because(
            "Up to the operation before there is an order. A small part of the history that shows why there is none here was not found within the effort for that.",
        );
    };
    let (anomaly, summary) = stale(story, failing, core).unwrap_or_else(|| {
        let (what, when) = (did(&stuck), span(&stuck));
        let others = match core.ops.iter().filter(|op| **op != failing).count() {
            0 => {
                return (
                    Anomaly::NoOrder,
                    format!("{what} {when}, but nothing that anybody had begun by then explains that"),
                );
            }
            1 => "one other operation".to_owned(),
            more => format!("{more} other operations"),
        };
        (
            Anomaly::NoOrder,
            format!(
                "{what} {when}, but that and {others} fit no order, whatever the others begun by then did"
            ),
        )
    });
    let mut argument = Argument::new(anomaly, summary).failing(stuck_number, role);
    for &op in core.ops.iter().filter(|op| **op != failing) {
        argument = argument.with(story.calls[op] as usize, part_of(story, op, story.ops[failing].end));
    }
    if let Some(moment) = core.from.and_then(|from| moment(story.part, from)) {
        argument = argument.because(format!(
            "It does not matter what happened before {moment}, nor what the register held then."
        ));
    }
    if let Some(values) = &core.values {
        argument = argument.because(told(&words(story.values, values)));
    }
    argument.because(match core.from {
        Some(_) => "Every other operation that was open or had yet to begin then, and had begun when the failing one ended, may have happened at any time, once, or not at all: there is still no order.",
        None => "Every other operation that had begun when the failing one ended may have happened at any time, once, or not at all: there is still no order.",
    })
}

/// The simplest case has a name: one operation left something else there, or saw it, before the failing one
/// began, and nobody could have brought back what that found.
fn stale(story: &Story<'_, '_>, failing: usize, core: &Core) -> Option<(Anomaly, String)> {
    let stuck = &story.ops[failing];
    let (anomaly, found, name) = match stuck.kind {
        Kind::Read(found) => (Anomaly::StaleRead, found, "a stale read"),
        Kind::Cas(found, _) => (Anomaly::LostUpdate, found, "a lost update"),
        Kind::Write(_) | Kind::NotEqual(_) => return None,
    };
    let makes =
        |op: usize| matches!(story.ops[op].kind, Kind::Write(value) | Kind::Cas(_, value) if value == found);
    // Who made what was found is part of it where that can't be left out; all must be over by then.
    let mut others = core.ops.iter().copied().filter(|op| *op != failing && !makes(*op));
    let (Some(other), None) = (others.next(), others.next()) else { return None };
    let before = &story.ops[other];
    let replaced = match before.kind {
        Kind::NotEqual(_) => false,
        Kind::Read(_) | Kind::Write(_) | Kind::Cas(..) => before.value() != found,
    };
    let over = |op: &usize| *op == failing || *op == other || story.ops[*op].end < before.start;
    if before.end >= stuck.start || !replaced || !core.ops.iter().all(over) {
        return None;
    }
    let call = |op: usize| story.part.call(story.calls[op] as usize);
    let summary = format!(
        "{} {}, but {} had finished {} and nobody could have put {} back by then: {name}",
        did(&call(failing)),
        span(&call(failing)),
        whose(&call(other)),
        ended(&call(other)),
        story.values[found as usize]
    );
    Some((anomaly, summary))
}

fn words(values: &[Value], told: &[ValueId]) -> Vec<String> {
    told.iter().map(|value| values[*value as usize].to_string()).collect()
}

fn told(values: &[String]) -> String {
    match values {
        [only] => format!("It is enough to ask whether the register held {only}."),
        several => format!("It is enough to tell the values {} apart.", several.join(", ")),
    }
}

/// What an operation says in the argument, which ends at the limit: what ended later was still open.
fn part_of(story: &Story<'_, '_>, op: usize, limit: u32) -> String {
    let value = |value: ValueId| &story.values[value as usize];
    let op = &story.ops[op];
    match op.kind {
        Kind::Read(saw) => format!("saw {}", value(saw)),
        Kind::Write(put) if op.end > limit => {
            format!("may have put {} there, not before it began", value(put))
        }
        Kind::Write(put) => format!("put {} there", value(put)),
        Kind::Cas(old, new) if op.end > limit => {
            format!("may have replaced {} by {}, not before it began", value(old), value(new))
        }
        Kind::Cas(old, new) => format!("replaced {} by {}", value(old), value(new)),
        Kind::NotEqual(other) => format!("found something else than {}", value(other)),
    }
}

/// A position of the key's events as a moment of the history.
fn moment(part: &Part<'_>, position: u32) -> Option<String> {
    let at = part.spanned().find(|(_, span)| span.start == position || span.end == position);
    at.map(|(call, span)| {
        let (process, f) = (call.process(), call.f());
        if span.start == position {
            return format!("process {process} began its {f} (op {})", call.invoke_index());
        }
        let index = call.complete_index().unwrap_or_else(|| call.invoke_index());
        format!("process {process} had done its {f} (op {index})")
    })
}
