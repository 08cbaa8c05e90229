//! Invocations joined with their completions.

use super::History;
use super::op::{Op, OpType, Process, Value};
use super::well_formed::{Event, IllFormed, WellFormed};

/// What is known about an operation when the history ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It did happen, between invocation and completion.
    Ok,
    /// It did not happen.
    Failed,
    /// It may have happened, or may at any time after its invocation, even after the history's end.
    Unknown,
}

/// One operation of a client: its invocation and what came of it.
#[derive(Clone, Copy, Debug)]
pub struct Call<'h> {
    /// The invocation: function, key and argument are its.
    pub invoke: &'h Op,
    /// The completion; none when the history ended first.
    pub completion: Option<&'h Op>,
    /// What is known about it.
    pub outcome: Outcome,
    /// Position of the invocation in the history, from 0.
    pub start: usize,
    /// Position from which the operation is certainly over; none while its outcome is unknown.
    pub end: Option<usize>,
}

impl<'h> Call<'h> {
    /// The process's number.
    pub fn process(&self) -> u64 {
        match self.invoke.process {
            Process::Client(number) => number,
            Process::Nemesis => unreachable!("pairing makes calls of client ops only"),
        }
    }

    /// The function.
    pub fn f(&self) -> &'h str {
        &self.invoke.f
    }

    /// What an ok read returned; nothing for any other outcome.
    pub fn result(&self) -> Option<&'h Value> {
        match (self.outcome, self.completion) {
            (Outcome::Ok, Some(completion)) => Some(&completion.value),
            _ => None,
        }
    }

    /// The argument of an update: the invocation's value. A completion that names another value is a
    /// contradiction that nobody can judge.
    pub fn argument(&self) -> Result<&'h Value, String> {
        let argument = &self.invoke.value;
        match self.completion {
            Some(completion)
                if self.outcome == Outcome::Ok
                    && !completion.value.is_nil()
                    && completion.value != *argument =>
            {
                Err(format!(
                    "op {} completes {} {} as {} (op {}): which of the two values took effect is not known",
                    completion.index, self.invoke.f, argument, completion.value, self.invoke.index
                ))
            }
            _ => Ok(argument),
        }
    }
}

/// Joins them; see [`History::calls`].
pub(super) fn calls(history: &History) -> Result<Vec<Call<'_>>, IllFormed> {
    let ops = history.ops();
    let mut rules = WellFormed::default();
    let mut calls: Vec<Call<'_>> = Vec::with_capacity(ops.len() / 2);
    // Where in `calls` the invocation of each position went.
    let mut call_of = vec![0usize; ops.len()];
    for (position, op) in ops.iter().enumerate() {
        match rules.observe(op)? {
            Event::Nemesis => {}
            Event::Invoked => {
                call_of[position] = calls.len();
                calls.push(Call {
                    invoke: op,
                    completion: None,
                    outcome: Outcome::Unknown,
                    start: position,
                    end: None,
                });
            }
            Event::Completed { invoked_at } => {
                let call = &mut calls[call_of[invoked_at]];
                call.completion = Some(op);
                (call.outcome, call.end) = match op.op_type {
                    OpType::Ok => (Outcome::Ok, Some(position)),
                    OpType::Fail => (Outcome::Failed, Some(position)),
                    OpType::Info => (Outcome::Unknown, None),
                    OpType::Invoke => unreachable!("an invocation is not a completion"),
                };
            }
        }
    }
    Ok(calls)
}
