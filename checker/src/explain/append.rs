//! What was found about a list, told as a story about a list.

use super::register::cap;
use super::witness::{Anomaly, Argument};
use super::words::{began, brief, did, ended, span, whose};
use crate::history::op::Value;
use crate::history::pair::Call;
use crate::linearizability::append::{Impossible, ListRegister, failed_update};
use crate::linearizability::partition::Part;
use crate::linearizability::register_op::Kind;
use crate::linearizability::zones::Violation;

/// A result that no list can have.
pub(crate) fn impossible(part: &Part<'_>, found: &Impossible) -> Argument {
    match found {
        Impossible::NeverAppended { read, value } => never_updated(part, "append", *read, value),
        Impossible::Twice { read, value } => twice(part, "append", *read, value),
        Impossible::Fork { read, other, place } => fork(part, *read, *other, *place),
    }
}

/// A read shows an element that nobody can have put there.
pub(crate) fn never_updated(part: &Part<'_>, f: &str, read: usize, value: &Value) -> Argument {
    let reader = &part.call(read);
    let seen = format!("{} {}", did(reader), span(reader));
    let argument = match failed_update(part, f, value) {
        Some(failed) => {
            let update = &part.call(failed);
            Argument::new(
                Anomaly::FailedWriteSeen,
                format!(
                    "{seen}; {value} is in it, but {} {} failed, which means that it did not happen, and nobody else did it",
                    whose(update),
                    span(update)
                ),
            )
            .with(failed, "failed: it did not happen")
        }
        None => Argument::new(
            Anomaly::NeverWritten,
            format!("{seen}; {value} is in it, but there was never an {f} of {value}"),
        ),
    };
    argument.failing(read, format!("has {value}"))
}

/// A read shows an element twice.
pub(crate) fn twice(part: &Part<'_>, f: &str, read: usize, value: &Value) -> Argument {
    let reader = &part.call(read);
    let argument = Argument::new(
        Anomaly::Duplicate,
        format!(
            "{} {}; {value} is in it twice, but the {f} of {value} was asked for once",
            did(reader),
            span(reader)
        ),
    )
    .failing(read, format!("has {value} twice"));
    let update = part.possible().find(|(_, call, _)| call.f() == f && call.asked() == *value);
    match update {
        Some((number, call, _)) => {
            argument.because(format!("{} {}.", cap(&whose(&call)), span(&call))).with(number, "asked once")
        }
        None => argument,
    }
}

fn fork(part: &Part<'_>, read: usize, other: usize, place: usize) -> Argument {
    let at = |number: usize| {
        let call = &part.call(number);
        let list = call.result();
        let value = list.as_ref().and_then(Value::as_list).and_then(|list| list.get(place));
        value.map_or("nothing".to_owned(), brief)
    };
    let (a, b) = (&part.call(read), &part.call(other));
    let later = if a.end() > b.end() { read } else { other };
    Argument::new(
        Anomaly::Fork,
        format!(
            "{} {} and {} {}: neither list begins with the other, so they can't be two states of one list",
            did(a),
            span(a),
            did(b),
            span(b)
        ),
    )
    .because(format!(
        "They differ first at place {}: {} in one, {} in the other.",
        place + 1,
        at(read),
        at(other)
    ))
    .failing(later, "")
    .with(read, "")
    .with(other, "")
}

/// Why a list whose reads agree still has no order.
pub(crate) fn tell(part: &Part<'_>, list: &ListRegister, violation: &Violation) -> Argument {
    let story = Story { part, list };
    match violation {
        Violation::OutOfOrder { early, late, .. } => story.out_of_order(*early, *late),
        Violation::Crossing { older, newer } => story.missing(newer.last_start, older.last_start),
        // A list told as a register is one chain: its values follow one another by construction.
        Violation::NeverWritten { .. } | Violation::TwoSuccessors { .. } | Violation::Cycle { .. } => {
            Argument::new(Anomaly::NoOrder, "the appends and reads of this list fit no order")
        }
    }
}

struct Story<'a, 'h> {
    part: &'a Part<'h>,
    list: &'a ListRegister,
}

impl<'h> Story<'_, 'h> {
    fn call(&self, op: usize) -> Call<'h> {
        self.part.call(self.list.calls[op])
    }

    fn is_read(&self, op: usize) -> bool {
        matches!(self.list.ops[op].kind, Kind::Read(_))
    }

    fn out_of_order(&self, early: usize, late: usize) -> Argument {
        let (early_call, late_call) = (&self.call(early), self.call(late));
        let (early_number, late_number) = (self.list.calls[early], self.list.calls[late]);
        if self.is_read(late) {
            let argument = Argument::new(
                Anomaly::StaleRead,
                format!(
                    "{} {}, but {} had finished {}: a stale read",
                    did(&late_call),
                    span(&late_call),
                    whose(early_call),
                    ended(early_call)
                ),
            )
            .failing(late_number, "the stale read")
            .with(early_number, "had finished before that read began");
            return if self.is_read(early) { argument } else { self.with_proof(argument, early_call) };
        }
        let value = &late_call.asked();
        if self.is_read(early) {
            return Argument::new(
                Anomaly::ReadFromFuture,
                format!(
                    "{} {}; {value} is in it, but {} began only {}",
                    did(early_call),
                    span(early_call),
                    whose(&late_call),
                    began(&late_call)
                ),
            )
            .failing(early_number, format!("has {value} too early"))
            .with(late_number, format!("the only append of {value}"));
        }
        let argument = Argument::new(
            Anomaly::NoOrder,
            format!(
                "{} had finished {}, before {} began {}, but the list has {value} first",
                whose(early_call),
                ended(early_call),
                whose(&late_call),
                began(&late_call)
            ),
        )
        .with(early_number, "finished first")
        .with(late_number, "began later, yet stands earlier");
        self.with_proof(argument, early_call)
    }

    /// Who shows the value of an append in the list.
    fn with_proof(&self, argument: Argument, append: &Call<'_>) -> Argument {
        let value = &append.asked();
        let Some(longest) = self.list.longest else { return argument };
        let proof = &self.part.call(longest);
        argument
            .because(format!("{value} did get into the list: {} {}.", did(proof), span(proof)))
            .failing_unless_named(longest, "shows the order of the values")
    }

    /// An acknowledged append that no read shows, though `late` began after it had finished.
    fn missing(&self, append: usize, late: usize) -> Argument {
        let lost = &self.call(append);
        let value = &lost.asked();
        let span_end = self.list.ops[append].end;
        // A read is easier to believe than an append that some read shows.
        let read = (0..self.list.ops.len())
            .find(|&op| self.is_read(op) && self.list.ops[op].start > span_end)
            .unwrap_or(late);
        let later = &self.call(read);
        let argument = if self.is_read(read) {
            Argument::new(
                Anomaly::LostUpdate,
                format!(
                    "{} {}, but {} had finished {}, and {value} is missing: a lost update",
                    did(later),
                    span(later),
                    whose(lost),
                    ended(lost)
                ),
            )
            .because(format!("No completed read shows {value} at all."))
            .failing(self.list.calls[read], format!("lacks {value}"))
        } else {
            let argument = Argument::new(
                Anomaly::LostUpdate,
                format!(
                    "{} had finished {}, before {} began {}, but the list has the later one without the earlier: a lost update",
                    whose(lost),
                    ended(lost),
                    whose(later),
                    began(later)
                ),
            )
            .failing(self.list.calls[read], "began later, yet it is in the list");
            self.with_proof(argument, later)
        };
        argument.with(self.list.calls[append], format!("acknowledged, but {value} is missing later"))
    }
}
