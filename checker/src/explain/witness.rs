//! The evidence for an invalid verdict: which operations can't be ordered, and why, in words.

use std::fmt;

use super::{timeline, words};
use crate::history::History;
use crate::history::op::{Op, Value};
use crate::history::pair::{Call, Outcome};
use crate::linearizability::partition::Part;

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
    /// The same drawn, where that shows more than the times do: a cycle of transactions, a line each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drawing: Option<String>,
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
    /// Somebody read what a transaction wrote and replaced before it was complete.
    IntermediateRead,
    /// A transaction contradicts what it read or wrote itself.
    SelfContradiction,
    /// Transactions each of which must come before the next, in a circle.
    Cycle,
    /// Something that must hold of every state does not.
    BrokenInvariant,
    /// A value that only grows went back.
    WentBack,
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

impl Window {
    /// Whether anybody wrote down when it was. (A run's first op is at 0, but its last is not.)
    pub(crate) fn is_timed(&self) -> bool {
        words::are_times(self.to_ns, self.last_index)
    }
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

/// An argument in the making: what an engine found, in terms of the calls of one key.
#[derive(Clone, Debug)]
pub(crate) struct Argument {
    pub(crate) anomaly: Anomaly,
    pub(crate) summary: String,
    pub(crate) reasons: Vec<String>,
    /// Calls by number, each with its part in the argument.
    cast: Vec<(usize, String)>,
    failing: Option<usize>,
}

/// Nemesis ops shown from within the window, and from before it.
const NEMESIS_IN_WINDOW_MAX: usize = 20;
const NEMESIS_BEFORE_MAX: usize = 3;

impl Argument {
    pub(crate) fn new(anomaly: Anomaly, summary: impl Into<String>) -> Self {
        let (reasons, cast) = (Vec::new(), Vec::new());
        Self { anomaly, summary: summary.into(), reasons, cast, failing: None }
    }

    /// Adds a step.
    pub(crate) fn because(mut self, reason: impl Into<String>) -> Self {
        self.reasons.push(reason.into());
        self
    }

    /// Adds a call to the evidence; a call that is there already keeps its role.
    pub(crate) fn with(mut self, call: usize, role: impl Into<String>) -> Self {
        if !self.cast.iter().any(|(other, _)| *other == call) {
            self.cast.push((call, role.into()));
        }
        self
    }

    /// Adds the call at which the history became impossible.
    pub(crate) fn failing(mut self, call: usize, role: impl Into<String>) -> Self {
        self.failing = Some(call);
        self.with(call, role)
    }

    /// The position of the last event of all that it names.
    pub(crate) fn last_event(&self, part: &Part<'_>) -> usize {
        let last = |number: usize| {
            let call = part.call(number);
            call.completion().unwrap_or(call.start())
        };
        self.cast.iter().map(|(number, _)| last(*number)).max().unwrap_or(0)
    }

    /// Adds a call, at which the history became impossible if no other is named for that.
    pub(crate) fn failing_unless_named(mut self, call: usize, role: impl Into<String>) -> Self {
        self.failing = self.failing.or(Some(call));
        self.with(call, role)
    }
}

impl Witness {
    /// Completes an argument about a key with the calls and the nemesis ops of its window.
    pub(crate) fn new(history: &History, part: &Part<'_>, argument: Argument) -> Self {
        let mut cast = argument.cast;
        cast.sort_by_key(|(call, _)| *call);
        let events = |number: &usize| {
            let call = part.call(*number);
            [Some(call.start()), call.completion()].into_iter().flatten()
        };
        let all = || cast.iter().flat_map(|(number, _)| events(number));
        let first = all().min().unwrap_or(0);
        let last = all().max().unwrap_or(0);
        let window = Window {
            first_index: history.index(first),
            last_index: history.index(last),
            from_ns: history.time_ns(first),
            to_ns: history.time_ns(last),
        };
        let ops = cast.iter().map(|(number, role)| {
            let failing = argument.failing == Some(*number);
            WitnessOp { failing, ..WitnessOp::of(&part.call(*number), role.clone()) }
        });
        Witness {
            anomaly: argument.anomaly,
            key: part.key(),
            summary: argument.summary,
            reasons: argument.reasons,
            drawing: None,
            window,
            ops: ops.collect(),
            nemesis: nemesis_around(history, window),
        }
    }
}

impl Witness {
    /// A witness of these operations, for checks that are not about one key's calls.
    pub(crate) fn from_ops(
        history: &History,
        anomaly: Anomaly,
        key: Option<Value>,
        summary: String,
        reasons: Vec<String>,
        mut ops: Vec<WitnessOp>,
    ) -> Self {
        ops.sort_by_key(|op| op.invoke_index);
        let last = |op: &WitnessOp| op.complete_index.unwrap_or(op.invoke_index);
        let window = Window {
            first_index: ops.iter().map(|op| op.invoke_index).min().unwrap_or(0),
            last_index: ops.iter().map(last).max().unwrap_or(0),
            from_ns: ops.iter().map(|op| op.start_ns).min().unwrap_or(0),
            to_ns: ops.iter().map(|op| op.end_ns.unwrap_or(op.start_ns)).max().unwrap_or(0),
        };
        let nemesis = nemesis_around(history, window);
        Witness { anomaly, key, summary, reasons, drawing: None, window, ops, nemesis }
    }
}

fn nemesis_around(history: &History, window: Window) -> Vec<NemesisOp> {
    let ops: Vec<(usize, Op)> = history.nemesis().collect();
    let begin = ops.partition_point(|(_, op)| op.index < window.first_index);
    let end = ops.partition_point(|(_, op)| op.index <= window.last_index);
    let shown = begin.saturating_sub(NEMESIS_BEFORE_MAX)..end.min(begin + NEMESIS_IN_WINDOW_MAX);
    ops[shown]
        .iter()
        .map(|(_, op)| NemesisOp {
            index: op.index,
            time_ns: op.time_ns,
            f: op.f.to_string(),
            value: op.value.clone(),
        })
        .collect()
}

impl WitnessOp {
    /// The operation as evidence, with the part it plays.
    pub fn of(call: &Call<'_>, role: impl Into<String>) -> Self {
        Self {
            role: role.into(),
            failing: false,
            process: call.process(),
            f: call.f().to_owned(),
            // What was asked says nothing of a read, or of a pop.
            value: call
                .result()
                .filter(|_| call.f() == "read" || call.asked().is_nil())
                .unwrap_or_else(|| call.asked()),
            outcome: call.outcome(),
            invoke_index: call.invoke_index(),
            complete_index: call.complete_index(),
            start_ns: call.start_ns(),
            end_ns: call.end_ns(),
        }
    }
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Anomaly::NeverWritten => "a value that was never written",
            Anomaly::FailedWriteSeen => "the effect of a failed update",
            Anomaly::ReadFromFuture => "a read from the future",
            Anomaly::StaleRead => "a stale read",
            Anomaly::LostUpdate => "a lost update",
            Anomaly::Duplicate => "a duplicate",
            Anomaly::Fork => "a fork",
            Anomaly::NoOrder => "no possible order",
            Anomaly::IntermediateRead => "an intermediate read",
            Anomaly::SelfContradiction => "a transaction that contradicts itself",
            Anomaly::Cycle => "a cycle of transactions",
            Anomaly::BrokenInvariant => "a broken invariant",
            Anomaly::WentBack => "a value that went back",
        })
    }
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => writeln!(f, "{} on key {key}: {}", self.anomaly, self.summary)?,
            None => writeln!(f, "{}: {}", self.anomaly, self.summary)?,
        }
        for (number, reason) in self.reasons.iter().enumerate() {
            writeln!(f, "  {}. {reason}", number + 1)?;
        }
        self.drawing.iter().try_for_each(|drawing| f.write_str(drawing))?;
        let Window { first_index, last_index, from_ns, to_ns } = self.window;
        if self.window.is_timed() {
            let (from, to) = (words::seconds(from_ns), words::seconds(to_ns));
            writeln!(f, "  window: ops {first_index}–{last_index}, {from} – {to}")?;
        } else {
            writeln!(f, "  window: ops {first_index}–{last_index}")?;
        }
        write!(f, "{}", timeline::Timeline { witness: self })
    }
}
