//! Texts that grow: `get`, `put v`, `append v` on one key, as Porcupine's kv tests have them.
//!
//! Two ways, both exact:
//!
//! * As a register, if each text that a get shows falls apart into updates in one way only: its last
//!   update, and what that stood behind, tell it. A put is then a write, an append that a get
//!   shows a compare-and-set from the text before, an append that none shows a write that nobody read,
//!   and a get a read. The [`zones`](super::zones) do the rest.
//! * Else by [`guided`] search over what the gets can still tell apart.
//!
//! | file | what |
//! |---|---|
//! | `decode` | takes the gets apart |
//! | `assign` | which of several appends of one text made which text |
//! | `guided` | the search |

mod assign;
mod decode;
mod guided;

#[cfg(test)]
mod tests;

pub(crate) use guided::Searched;

use super::partition::{NEVER, Part};
use super::register_op::RegisterOp;
use super::zones::{self, Answer, Violation};
use crate::budget::Meter;
use crate::history::values::{ValueId, ValueView};
use crate::model::no_such_function;
use assign::Choices;

/// What an operation did to a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind<'t> {
    /// Answered this.
    Get(&'t str),
    /// Put this there instead of what was there.
    Put(&'t str),
    /// Put this at the end.
    Append(&'t str),
}

/// An operation that did or may have happened. Gets of unknown outcome are not among them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TextOp<'t> {
    pub(crate) kind: Kind<'t>,
    /// Positions of one order, at least 1, all different.
    pub(crate) start: u32,
    /// [`NEVER`] when the outcome is unknown.
    pub(crate) end: u32,
}

/// What is found about one key.
#[derive(Debug)]
pub(crate) enum Judged {
    Valid,
    Impossible(Impossible),
    /// The only register that it can be has no order.
    Violation(TextRegister, Violation),
    /// As a register it has no order, whichever append made what.
    NoOrder,
    /// The search was asked.
    Searched(Searched),
}

/// A text told as a register.
#[derive(Debug)]
pub(crate) struct TextRegister {
    pub(crate) ops: Vec<RegisterOp>,
    /// For each of `ops` its place among the operations of the text.
    pub(crate) numbers: Vec<usize>,
    pub(crate) values: usize,
}

/// What no text can answer. Operations by their place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Impossible {
    /// From this byte on it is nothing that anybody wrote.
    NeverWritten { get: usize, byte: usize },
    /// What was put there stands behind something else.
    PutBehind { get: usize, put: usize },
    /// Two gets differ in what stands behind the same beginning.
    Fork { get: usize, other: usize },
    /// This append is there more often than it was asked for.
    TooOften { get: usize, append: usize },
}

/// Decides one key; starts and ends are within `1..=positions`.
pub(crate) fn judge(ops: &[TextOp<'_>], positions: u32, meter: &Meter) -> Judged {
    let chains = match decode::chains(ops) {
        None => return Judged::Searched(guided::guided(ops, meter)),
        Some(Err(impossible)) => return Judged::Impossible(impossible),
        Some(Ok(chains)) => chains,
    };
    let Some(choices) = Choices::of(ops, &chains) else {
        return Judged::Searched(guided::guided(ops, meter));
    };
    let mut found = Judged::NoOrder;
    for number in 0..choices.count() {
        let register = choices.register(ops, &chains, number);
        match zones::zones_as_a_whole(&register.ops, register.values, positions) {
            Answer::Valid => return Judged::Valid,
            Answer::Violation(violation) if choices.count() == 1 => {
                found = Judged::Violation(register, violation);
            }
            Answer::Violation(_) => {}
            Answer::NotUnique | Answer::Undecided => unreachable!("every value is made once"),
        }
    }
    found
}

/// A key's operations, and for each the number of its call. Nil is the empty text.
pub(crate) fn text_ops<'h>(part: &Part<'h>) -> Result<(Vec<TextOp<'h>>, Vec<usize>), String> {
    let (mut ops, mut calls) = (Vec::new(), Vec::new());
    for (number, call, span) in part.possible() {
        let text = |value: ValueId| match call.history().values().view(value) {
            ValueView::Nil => Ok(""),
            ValueView::Text(text) => Ok(text),
            _ => Err(format!(
                "op {}: {} {}: not a text",
                call.invoke_index(),
                call.f(),
                call.history().values().get(value)
            )),
        };
        let kind = match call.f() {
            "get" | "read" => match call.result_id() {
                None => continue,
                Some(_) if span.end == NEVER => continue,
                Some(value) => Kind::Get(text(value)?),
            },
            "put" | "write" => Kind::Put(text(call.argument_id()?)?),
            "append" => Kind::Append(text(call.argument_id()?)?),
            _ => return Err(no_such_function("kv", &call)),
        };
        ops.push(TextOp { kind, start: span.start, end: span.end });
        calls.push(number);
    }
    Ok((ops, calls))
}
