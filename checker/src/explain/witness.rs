//! The evidence for an invalid verdict: which operations can't be ordered, and why, in words.

use std::fmt;

use crate::history::op::Value;
use crate::history::pair::{Call, Outcome};

/// Why a history is invalid. All of it is data; `Display` is the page that a person reads.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Witness {
    /// The kind of violation.
    pub anomaly: Anomaly,
    /// The key it happened on, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Value>,
    /// The violation in one sentence.
    pub summary: String,
    /// The steps of the argument, each checkable against `ops`.
    pub reasons: Vec<String>,
    /// The stretch of the history that holds all of `ops`.
    pub window: Window,
    /// The operations that can't be ordered, by their invocation; the first failing one is marked.
    pub ops: Vec<WitnessOp>,
    /// What the nemesis did in the window, and the last things it did before.
    pub nemesis: Vec<NemesisOp>,
}

/// The kinds of violation, by the name an operator would use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Anomaly {
    /// Somebody read a value that nobody wrote.
    NeverWritten,
    /// Somebody read a value whose write failed, which means that it did not happen.
    FailedWriteSeen,
    /// Somebody read a value before its write began.
    ReadFromFuture,
    /// Somebody read a value that had been replaced before the read began.
    StaleRead,
    /// An acknowledged update was missing from later results, or overwritten by a stale compare-and-set.
    LostUpdate,
    /// Something done once is there twice.
    Duplicate,
    /// Two reads saw states that can't follow each other.
    Fork,
    /// No order of these operations fits both their results and their times.
    NoOrder,
}

/// A stretch of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Window {
    /// Index of the first op.
    pub first_index: u64,
    /// Index of the last op.
    pub last_index: u64,
    /// Time of the first op, in nanoseconds since the run began.
    pub from_ns: u64,
    /// Time of the last op, in nanoseconds since the run began.
    pub to_ns: u64,
}

/// One operation of a witness.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct WitnessOp {
    /// What it is in the argument.
    pub role: String,
    /// Whether it is the operation at which the history became impossible.
    pub failing: bool,
    /// Who did it.
    pub process: u64,
    /// The function.
    pub f: String,
    /// Argument of an update, result of a read.
    pub value: Value,
    /// What is known about it.
    pub outcome: Outcome,
    /// Index of its invocation.
    pub invoke_index: u64,
    /// Index of its completion, if there is one.
    pub complete_index: Option<u64>,
    /// When it was invoked, in nanoseconds since the run began.
    pub start_ns: u64,
    /// When it completed, in nanoseconds since the run began.
    pub end_ns: Option<u64>,
}

/// What the nemesis did.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct NemesisOp {
    /// Index in the history.
    pub index: u64,
    /// When, in nanoseconds since the run began.
    pub time_ns: u64,
    /// What.
    pub f: String,
    /// To whom or which way.
    pub value: Value,
}

impl WitnessOp {
    /// The operation as evidence, with the part it plays.
    pub fn of(call: &Call<'_>, role: impl Into<String>) -> Self {
        Self {
            role: role.into(),
            failing: false,
            process: call.process(),
            f: call.f().to_owned(),
            value: call.result().filter(|_| call.f() == "read").unwrap_or(&call.invoke.value).clone(),
            outcome: call.outcome,
            invoke_index: call.invoke.index,
            complete_index: call.completion.map(|op| op.index),
            start_ns: call.invoke.time_ns,
            end_ns: call.completion.map(|op| op.time_ns),
        }
    }
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.summary)
    }
}
