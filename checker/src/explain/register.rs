//! What the zones found, told as a story about a register.

use super::witness::{Anomaly, Argument};
use super::words::{began, did, ended, span, what, whose};
use crate::history::op::Value;
use crate::history::pair::{Call, Outcome};
use crate::linearizability::partition::{NEVER, Part};
use crate::linearizability::register_op::{INITIAL, Kind, RegisterOp, ValueId};
use crate::linearizability::zones::{Violation, Zone};

/// Links of a chain that are told one by one.
const LINKS_TOLD_MAX: usize = 4;

/// A key's operations as the zones saw them, with the way back to what people know.
pub(crate) struct Story<'a, 'h> {
    pub(crate) part: &'a Part<'h>,
    pub(crate) ops: &'a [RegisterOp],
    /// For each of `ops` the number of its call.
    pub(crate) calls: &'a [u32],
    /// For each value id the value.
    pub(crate) values: &'a [Value],
}

impl<'h> Story<'_, 'h> {
    /// The whole argument.
    pub(crate) fn tell(&self, violation: &Violation) -> Argument {
        match violation {
            Violation::NeverWritten { by } => self.never_written(*by),
            Violation::TwoSuccessors { first, second } => self.two_successors(*first, *second),
            Violation::Cycle { ops } => self.cycle(ops),
            Violation::OutOfOrder { early, late, links } => self.out_of_order(*early, *late, links),
            Violation::Crossing { older, newer } => self.crossing(older, newer),
        }
    }

    fn call_number(&self, op: usize) -> usize {
        self.calls[op] as usize
    }

    fn call(&self, op: usize) -> Call<'h> {
        self.part.call(self.call_number(op))
    }

    fn value(&self, value: ValueId) -> &Value {
        &self.values[value as usize]
    }

    /// The value that an operation saw, or left if it saw none.
    fn seen(&self, op: usize) -> ValueId {
        match self.ops[op].kind {
            Kind::Read(value) | Kind::Cas(value, _) | Kind::Write(value) | Kind::NotEqual(value) => value,
        }
    }

    fn writer(&self, value: ValueId) -> Option<usize> {
        self.ops.iter().position(
            |op| matches!(op.kind, Kind::Write(written) | Kind::Cas(_, written) if written == value),
        )
    }

    /// Adds the writer of a value to the evidence, and, if nobody knows its outcome, somebody who saw
    /// that it happened.
    fn with_writer(&self, argument: Argument, value: ValueId) -> Argument {
        let Some(writer) = self.writer(value) else { return argument };
        let argument = argument.with(self.call_number(writer), format!("put {} there", self.value(value)));
        self.with_evidence(argument, writer)
    }

    /// For an operation of unknown outcome: who shows that it did happen. That may be another one of
    /// unknown outcome which needs its value, and so on, up to one that completed.
    fn with_evidence(&self, mut argument: Argument, op: usize) -> Argument {
        for (op, observer) in self.evidence(op) {
            let (call, saw) = (&self.call(observer), self.value(self.ops[op].value()));
            argument = argument
                .because(format!(
                    "The outcome of {} is unknown, but it did happen: {} {}.",
                    whose(&self.call(op)),
                    did(call),
                    span(call),
                ))
                .with(self.call_number(observer), format!("saw {saw}"));
        }
        argument
    }

    /// Pairs of an operation of unknown outcome and one that saw its value, from this one to one whose
    /// observer completed.
    fn evidence(&self, op: usize) -> Vec<(usize, usize)> {
        let mut reached: Vec<(usize, Option<usize>)> = vec![(op, None)];
        let mut known = vec![false; self.ops.len()];
        known[op] = true;
        let mut place = 0;
        while let Some(&(unknown, _)) = reached.get(place) {
            if self.ops[unknown].end != NEVER {
                let mut pairs = Vec::new();
                let mut at = place;
                while let Some(before) = reached[at].1 {
                    pairs.push((reached[before].0, reached[at].0));
                    at = before;
                }
                pairs.reverse();
                return pairs;
            }
            let value = self.ops[unknown].value();
            for (other, candidate) in self.ops.iter().enumerate() {
                let sees = matches!(candidate.kind, Kind::Read(seen) | Kind::Cas(seen, _) if seen == value);
                if sees && !std::mem::replace(&mut known[other], true) {
                    reached.push((other, Some(place)));
                }
            }
            place += 1;
        }
        Vec::new()
    }

    fn never_written(&self, by: usize) -> Argument {
        let value = self.value(self.seen(by));
        let seen_by = &self.call(by);
        let failed = self
            .part
            .all()
            .position(|call| call.outcome() == Outcome::Failed && written_by(&call).as_ref() == Some(value));
        let argument = match failed {
            Some(failed) => {
                let write = &self.part.call(failed);
                Argument::new(
                    Anomaly::FailedWriteSeen,
                    format!(
                        "{} {}, but {} {} failed, which means that it did not happen, and nobody else wrote {value}",
                        did(seen_by),
                        span(seen_by),
                        whose(write),
                        span(write)
                    ),
                )
                .with(failed, "failed: it did not happen")
            }
            None => Argument::new(
                Anomaly::NeverWritten,
                format!("{} {}, but nobody ever wrote {value}", did(seen_by), span(seen_by)),
            ),
        };
        let argument = argument.failing(self.call_number(by), format!("found {value}"));
        self.with_evidence(argument, by)
    }

    fn two_successors(&self, first: usize, second: usize) -> Argument {
        let value = self.value(self.seen(first));
        let (a, b) = (&self.call(first), self.call(second));
        let times = if self.seen(first) == INITIAL {
            format!("{value} was there only before the first write")
        } else {
            format!("{value} was written only once")
        };
        let argument = Argument::new(
            Anomaly::LostUpdate,
            format!(
                "{} and {} both found {value}, but {times}: the second of them, whichever it was, overwrote the first unseen",
                whose(a),
                whose(&b)
            ),
        )
        .because(format!("{} {}: it can only succeed while {value} is there.", cap(&whose(a)), span(a)))
        .because(format!("{} {}: the same.", cap(&whose(&b)), span(&b)));
        let later = if self.ops[second].end >= self.ops[first].end { second } else { first };
        let argument = argument.failing(self.call_number(later), format!("replaced {value}"));
        let argument = argument
            .with(self.call_number(first), format!("replaced {value}"))
            .with(self.call_number(second), format!("replaced {value}"));
        let argument = self.with_evidence(self.with_evidence(argument, first), second);
        self.with_writer(argument, self.seen(first))
    }

    fn cycle(&self, ops: &[usize]) -> Argument {
        let mut argument = Argument::new(
            Anomaly::NoOrder,
            "these compare-and-sets each found what the one before put there, all the way round: none can be the first",
        );
        for op in ops {
            argument = argument.failing(self.call_number(*op), "").because(format!(
                "{} {} needs {} to be there.",
                cap(&whose(&self.call(*op))),
                span(&self.call(*op)),
                self.value(self.seen(*op))
            ));
        }
        for op in ops {
            argument = self.with_evidence(argument, *op);
        }
        argument
    }

    fn out_of_order(&self, early: usize, late: usize, links: &[usize]) -> Argument {
        let (before, after) = (self.value(self.ops[late].value()), self.value(self.ops[early].value()));
        let (early_call, late_call) = (&self.call(early), self.call(late));
        if matches!(self.ops[late].kind, Kind::Read(_)) {
            let argument = Argument::new(
                Anomaly::StaleRead,
                format!(
                    "{} {}, but {before} had already been replaced: {} had finished {}, and {before} was never written again: a stale read",
                    did(&late_call),
                    span(&late_call),
                    whose(early_call),
                    ended(early_call)
                ),
            )
            .failing(self.call_number(late), "the stale read");
            let argument = self.with_links(argument, links);
            let argument =
                argument.with(self.call_number(early), format!("shows that {after} was there by then"));
            return self.with_writer(argument, self.ops[late].value());
        }
        let mut argument = Argument::new(
            Anomaly::ReadFromFuture,
            if links.is_empty() {
                format!(
                    "{} {}, before {before} was there at all: {} began only {}",
                    did(early_call),
                    span(early_call),
                    whose(&late_call),
                    began(&late_call)
                )
            } else {
                format!(
                    "{} had finished {}, but it needs {before} to have been there before, and {} began only {}",
                    whose(early_call),
                    ended(early_call),
                    whose(&late_call),
                    began(&late_call)
                )
            },
        )
        .failing(self.call_number(early), format!("found {after} too early"))
        .with(self.call_number(late), format!("the only one to put {before} there"));
        argument = self.with_links(argument, links);
        argument
    }

    fn with_links(&self, mut argument: Argument, links: &[usize]) -> Argument {
        for link in links.iter().take(LINKS_TOLD_MAX) {
            let (from, to) = (self.value(self.seen(*link)), self.value(self.ops[*link].value()));
            argument = argument
                .because(format!(
                    "{} came directly after {from}: {} {}.",
                    cap(&to.to_string()),
                    whose(&self.call(*link)),
                    span(&self.call(*link))
                ))
                .with(self.call_number(*link), format!("replaced {from} by {to}"));
            argument = self.with_evidence(argument, *link);
        }
        if links.len() > LINKS_TOLD_MAX {
            argument = argument.because(format!("… and so on, {} more times.", links.len() - LINKS_TOLD_MAX));
        }
        argument
    }

    fn crossing(&self, older: &Zone, newer: &Zone) -> Argument {
        let stale = &self.call(older.last_start);
        let (old, new) =
            (self.seen(older.last_start), newer.first_end.map_or(INITIAL, |op| self.ops[op].value()));
        let (old_value, new_value) = (self.value(old), self.value(new));
        let shown = newer.first_end.map(|op| self.call(op));
        let replaced = match shown {
            Some(call) if call.f() == "read" => {
                format!("process {} had already read {new_value} {}", call.process(), ended(&call))
            }
            Some(call) => format!("{} had finished {}", whose(&call), ended(&call)),
            None => String::new(),
        };
        let never_again = if old == INITIAL {
            format!("{old_value} is there only before the first write")
        } else {
            format!("{old_value} was never written again")
        };
        let (anomaly, name, role) = match self.ops[older.last_start].kind {
            Kind::Read(_) | Kind::NotEqual(_) => (Anomaly::StaleRead, "a stale read", "the stale read"),
            Kind::Cas(..) | Kind::Write(_) => {
                (Anomaly::LostUpdate, "a lost update", "found a value that was gone")
            }
        };
        let (subject, succeeded): (fn(&Call<'_>) -> String, _) = match stale.f() {
            "read" => (did, ""),
            _ => (whose, " succeeded"),
        };
        let argument = Argument::new(
            anomaly,
            format!(
                "{} {}{succeeded}, but {replaced} and {never_again}: {name}",
                subject(stale),
                span(stale)
            ),
        )
        .failing(self.call_number(older.last_start), role);
        let argument = self.old_was_first(argument, older, newer);
        let argument = self.new_was_first(argument, older, newer);
        let argument = argument.because(if old == INITIAL || newer.first_end.is_none() {
            format!("{old_value} was never put back, so it can't have been read after {new_value}.")
        } else {
            format!("Each of {old_value} and {new_value} was written only once, so neither can have been there both before and after the other.")
        });
        let argument = self.with_writer(argument, old);
        self.with_writer(argument, new)
    }

    /// f(older) < s(newer).
    fn old_was_first(&self, argument: Argument, older: &Zone, newer: &Zone) -> Argument {
        let new = self.value(self.seen(newer.last_start));
        let argument = match older.first_end {
            None => argument.because(format!("The key held {} from the start.", self.value(INITIAL))),
            Some(first_end) => {
                let (first, next) = (&self.call(first_end), self.call(newer.last_start));
                let value = self.value(self.ops[first_end].value());
                let argument = argument.because(format!(
                    "{value} was there before {new}: {} had finished {}, before {} began {}.",
                    whose(first),
                    ended(first),
                    whose(&next),
                    began(&next)
                ));
                argument
                    .with(self.call_number(first_end), format!("shows that {value} was there by then"))
                    .with(self.call_number(newer.last_start), format!("{} came after that", what(&next)))
            }
        };
        self.with_links(argument, &older.links)
    }

    /// f(newer) < s(older).
    fn new_was_first(&self, argument: Argument, older: &Zone, newer: &Zone) -> Argument {
        let Some(first_end) = newer.first_end else { return argument };
        let (first, next) = (&self.call(first_end), self.call(older.last_start));
        let new = self.value(self.ops[first_end].value());
        let argument = argument
            .because(format!(
                "{new} was there before {} began: {} had finished {}, that {} began {}.",
                whose(&next),
                whose(first),
                ended(first),
                next.f(),
                began(&next)
            ))
            .with(self.call_number(first_end), format!("shows that {new} was there by then"));
        self.with_links(argument, &newer.links)
    }
}

/// What a call would have put there.
pub(crate) fn written_by(call: &Call<'_>) -> Option<Value> {
    match (call.f(), call.asked()) {
        ("write" | "append" | "add", value) => Some(value),
        ("cas", Value::List(pair)) if pair.len() == 2 => Some(pair[1].clone()),
        _ => None,
    }
}

/// With a capital, to begin a sentence.
pub(crate) fn cap(sentence: &str) -> String {
    let mut chars = sentence.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}
