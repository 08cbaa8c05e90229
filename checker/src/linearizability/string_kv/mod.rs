//! Texts that grow: `get`, `put v`, `append v` on one key, as Porcupine's kv tests have them.
//!
//! A quick way, and exact: if each text that a get shows falls apart into updates in one way only, the
//! text is a register. Its value is told by its last update and what that stood behind: a put is a write, an
//! append that a get shows a compare-and-set from the text before, an append that none shows a write
//! that nobody read, and a get a read. The [`zones`](super::zones) do the rest. Where texts fall apart in
//! several ways the answer is [`Quick::NotApplicable`], and a search over what the gets can still tell
//! apart is asked ([`Model::guide`](crate::Model::guide)).
//!
//! | file | what |
//! |---|---|
//! | `decode` | takes the gets apart |
//! | `assign` | which of several appends of one text made which text |
//! | `few` | short lists |

mod assign;
mod decode;
mod few;

#[cfg(test)]
mod tests;

use super::partition::NEVER;
use super::register_op::{Kind as RegisterKind, RegisterOp};
use super::zones::{self, Answer, Zones};
use crate::model::{Quick, Violation};
use assign::Choices;
use decode::{Chains, Update};

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

/// Appends of one text that are told.
const APPENDS_TOLD_MAX: usize = 7;

/// A text told as a register.
#[derive(Debug)]
struct TextRegister {
    ops: Vec<RegisterOp>,
    /// For each of `ops` its place among the operations of the text.
    numbers: Vec<usize>,
    values: usize,
}

/// What no text can answer. Operations by their place.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Impossible {
    /// A part of it is nothing that anybody wrote.
    NeverWritten { get: usize },
    /// What was put there stands behind something else.
    PutBehind { get: usize, put: usize },
    /// Two gets differ in what stands behind the same beginning.
    Fork { get: usize, other: usize },
    /// This append is there more often than it was asked for.
    TooOften { get: usize, append: usize },
}

/// Decides the operations on one text.
pub(crate) fn quick(ops: &[TextOp<'_>]) -> Quick {
    let chains = match decode::chains(ops) {
        None => return Quick::NotApplicable,
        Some(Err(impossible)) => return Quick::Violation(impossible.told()),
        Some(Ok(chains)) => chains,
    };
    let Some(choices) = Choices::of(ops, &chains) else { return Quick::NotApplicable };
    if let Some(update) = choices.without(&chains) {
        return Quick::Violation(never_open(&chains, update));
    }
    let positions = last_position(ops);
    let mut found = None;
    for number in 0..choices.count() {
        let register = choices.register(ops, &chains, number);
        match zones::zones(&register.ops, register.values, positions) {
            Answer::Valid => return Quick::Valid,
            Answer::Invalid(collision) => {
                found = found.or_else(|| register.told(&collision.found(&register.ops)));
            }
            Answer::NotUnique | Answer::Undecided => unreachable!("every value is made once"),
        }
    }
    // If it can't be told in these terms, a search tells it.
    found.map_or(Quick::NotApplicable, Quick::Violation)
}

/// Whether there is an order; nothing if that can't be told.
pub(crate) fn is_valid(ops: &[TextOp<'_>]) -> Option<bool> {
    if let Some(Ok(chains)) = decode::chains(ops) {
        let choices = Choices::of(ops, &chains)?;
        let positions = last_position(ops);
        let fits = |number: usize| {
            let mut zones = Zones::new(chains.texts.len() + 1);
            choices.each_kind(ops, &chains, number, |op, kind| {
                let unique = zones.add(&ops[op].with(kind));
                debug_assert!(unique, "every value is made once");
            });
            matches!(zones.decide(positions), Answer::Valid)
        };
        if (0..choices.count()).any(fits) {
            return Some(true);
        }
    }
    // What is impossible must be told once somebody asks: only what can be is called so.
    match quick(ops) {
        Quick::NotApplicable => None,
        Quick::Valid => Some(true),
        Quick::Violation(_) => Some(false),
    }
}

/// Every position is at most this.
fn last_position(ops: &[TextOp<'_>]) -> u32 {
    ops.iter().map(|op| if op.end == NEVER { op.start } else { op.end }).max().unwrap_or(0)
}

impl TextOp<'_> {
    /// What it does to the register that the text is.
    fn with(&self, kind: RegisterKind) -> RegisterOp {
        RegisterOp { kind, start: self.start, end: self.end }
    }
}

/// Appends that were not open when what gets show must have been appended.
fn never_open(chains: &Chains, update: &Update) -> Violation {
    // What stands last was shown by somebody who saw all before.
    let mut shown = update.made.iter().map(|value| &chains.texts[*value as usize - 1]);
    let failing = shown.next_back().map_or(update.appends[0], |text| text.shown_by);
    let appends = update.appends.iter().take(APPENDS_TOLD_MAX);
    Violation {
        rule: "for some part of this no append of it was open when it must have happened",
        ops: appends.map(|append| (*append, "appended it")).chain([(failing, "shows it")]).collect(),
        failing,
    }
}

impl Impossible {
    fn told(&self) -> Violation {
        let told = |rule, failing, other: Option<(usize, &'static str)>| Violation {
            rule,
            ops: [(failing, "shows it")].into_iter().chain(other).collect(),
            failing,
        };
        match *self {
            Impossible::NeverWritten { get } => told("a part of this was never written", get, None),
            Impossible::PutBehind { get, put } => {
                told("what was put replaces all, and can't stand behind anything", get, Some((put, "put it")))
            }
            Impossible::Fork { get, other } => told(
                "this can't come before nor after another text seen",
                get,
                Some((other, "saw the other")),
            ),
            Impossible::TooOften { get, append } => {
                told("this has a part more often than it was appended", get, Some((append, "appended it")))
            }
        }
    }
}

impl TextRegister {
    /// A violation in the terms of the text; none of the kinds that chains rule out.
    fn told(&self, violation: &zones::Violation) -> Option<Violation> {
        let number = |op: usize| self.numbers[op];
        let is_read = |op: usize| matches!(self.ops[op].kind, RegisterKind::Read(_));
        Some(match violation {
            zones::Violation::OutOfOrder { early, late, .. } if is_read(*late) => Violation {
                rule: "what it found had been replaced or appended to before it began",
                ops: vec![(number(*early), "shows what came after"), (number(*late), "found what was gone")],
                failing: number(*late),
            },
            zones::Violation::OutOfOrder { early, late, .. } => Violation {
                rule: "what it needs to have been there was written only later",
                ops: vec![(number(*early), "needs it"), (number(*late), "wrote it later")],
                failing: number(*early),
            },
            zones::Violation::Crossing { older, newer } => {
                let ends = [older, newer].into_iter().flat_map(|zone| zone.first_end);
                let starts = [older.last_start, newer.last_start].into_iter();
                let mut ops: Vec<(usize, &'static str)> = Vec::new();
                for (op, role) in starts
                    .map(|op| (op, "found or wrote it after the other was there"))
                    .chain(ends.map(|op| (op, "shows that it was there by then")))
                {
                    if !ops.iter().any(|(known, _)| *known == number(op)) {
                        ops.push((number(op), role));
                    }
                }
                Violation {
                    rule: "what it deals with was there before something that was there before it",
                    ops,
                    failing: number(older.last_start),
                }
            }
            zones::Violation::NeverWritten { .. }
            | zones::Violation::TwoSuccessors { .. }
            | zones::Violation::Cycle { .. } => return None,
        })
    }
}
