//! Operations: invocations with what came of them. How they are found is told in [`join`](super::join).

use super::op::{OpType, Process, Value};
use super::values::ValueId;
use super::{F, History};

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

impl Outcome {
    /// Of a call whose last event was of this type: an invocation if it never completed.
    #[inline]
    pub(crate) fn after(last: OpType) -> Self {
        match last {
            OpType::Ok => Outcome::Ok,
            OpType::Fail => Outcome::Failed,
            OpType::Info | OpType::Invoke => Outcome::Unknown,
        }
    }
}

/// All operations of a history, in the order of invocation.
#[derive(Clone, Debug)]
pub struct Calls<'h> {
    pub(crate) history: &'h History,
    pub(crate) pairs: Vec<Pair>,
    /// For each function of the history.
    pub(crate) counts: Vec<OpCounts>,
}

/// How many operations were asked, and what came of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct OpCounts {
    /// Operations invoked by clients.
    pub invoked: u64,
    /// Of these: did happen.
    pub ok: u64,
    /// Of these: did not happen.
    pub failed: u64,
    /// Of these: may have happened (an info, or no completion at all).
    pub unknown: u64,
}

impl OpCounts {
    /// Of how many ops there are of each type.
    pub(super) fn of_types(by_type: [u64; 4]) -> Self {
        let [invoked, ok, failed] =
            [OpType::Invoke, OpType::Ok, OpType::Fail].map(|op_type| by_type[op_type as usize]);
        OpCounts { invoked, ok, failed, unknown: invoked - ok - failed }
    }
}

impl std::iter::Sum for OpCounts {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), std::ops::Add::add)
    }
}

impl std::ops::Add for OpCounts {
    type Output = OpCounts;

    fn add(self, other: OpCounts) -> OpCounts {
        OpCounts {
            invoked: self.invoked + other.invoked,
            ok: self.ok + other.ok,
            failed: self.failed + other.failed,
            unknown: self.unknown + other.unknown,
        }
    }
}

/// Where an invocation and its completion are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pair([u32; 2]);

const NONE: u32 = u32::MAX;

impl Pair {
    /// No event of either kind yet.
    pub(super) const NOTHING: Pair = Pair([NONE; 2]);

    /// Invoked here, and not completed.
    pub(crate) fn open(invoke: u32) -> Self {
        Pair([invoke, NONE])
    }

    /// Notes an event: whether it begins or ends a call can't be predicted, so that no branch depends on it.
    #[inline]
    pub(crate) fn note(&mut self, begins: bool, position: u32) {
        self.0[usize::from(!begins)] = position;
    }

    /// Position of the invocation.
    #[inline]
    pub(crate) fn invoke(self) -> usize {
        self.0[0] as usize
    }

    /// Position of its last event.
    #[inline]
    pub(crate) fn last(self) -> usize {
        (if self.0[1] == NONE { self.0[0] } else { self.0[1] }) as usize
    }

    /// Position of the completion, if there is one.
    #[inline]
    pub(crate) fn completion(self) -> Option<usize> {
        (self.0[1] != NONE).then_some(self.0[1] as usize)
    }
}

/// One operation of a client: its invocation and what came of it.
#[derive(Clone, Copy)]
pub struct Call<'h> {
    history: &'h History,
    pair: Pair,
}

impl<'h> Calls<'h> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// One of them, by its place.
    pub(crate) fn call(&self, number: usize) -> Call<'h> {
        Call::new(self.history, self.pairs[number])
    }

    /// How many of all functions together came to what.
    pub fn counts(&self) -> OpCounts {
        self.counts.iter().copied().sum()
    }

    /// How many of each function came to what.
    pub fn counts_by_function(&self) -> impl Iterator<Item = (&'h str, OpCounts)> + '_ {
        self.history.functions().iter().map(|name| &**name).zip(self.counts.iter().copied())
    }

    /// Each of them.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Call<'h>> + ExactSizeIterator + '_ {
        let history = self.history;
        self.pairs.iter().map(move |pair| Call::new(history, *pair))
    }
}

impl<'h> Call<'h> {
    #[inline]
    pub(crate) fn new(history: &'h History, pair: Pair) -> Self {
        Self { history, pair }
    }

    /// What is known about it.
    #[inline]
    pub fn outcome(&self) -> Outcome {
        Outcome::after(self.history.op_type[self.pair.last()])
    }

    /// Position of the invocation in the history, from 0.
    #[inline]
    pub fn start(&self) -> usize {
        self.pair.invoke()
    }

    /// Position of the completion, if there is one.
    #[inline]
    pub fn completion(&self) -> Option<usize> {
        self.pair.completion()
    }

    /// Position from which the operation is certainly over; none while its outcome is unknown.
    pub fn end(&self) -> Option<usize> {
        self.completion().filter(|_| self.outcome() != Outcome::Unknown)
    }

    /// The process's number.
    pub fn process(&self) -> u64 {
        match self.history.process(self.start()) {
            Process::Client(number) => number,
            Process::Nemesis => unreachable!("pairing makes calls of client ops only"),
        }
    }

    /// The function.
    pub fn f(&self) -> &'h str {
        self.history.name(self.f_id())
    }

    /// The function, by number.
    #[inline]
    pub fn f_id(&self) -> F {
        self.history.f[self.start()]
    }

    /// Which object it is about, where there are several.
    pub fn key(&self) -> Option<Value> {
        self.key_id().map(|key| self.history.values.get(key))
    }

    /// The same by number.
    pub fn key_id(&self) -> Option<ValueId> {
        self.history.key_id(self.start())
    }

    /// What was asked: the value of the invocation, taken as it is.
    pub fn asked(&self) -> Value {
        self.history.values.get(self.asked_id())
    }

    /// The same by number.
    #[inline]
    pub fn asked_id(&self) -> ValueId {
        self.history.value[self.start()]
    }

    /// What an ok read returned; nothing for any other outcome.
    pub fn result(&self) -> Option<Value> {
        self.result_id().map(|value| self.history.values.get(value))
    }

    /// The same by number.
    #[inline]
    pub fn result_id(&self) -> Option<ValueId> {
        match self.outcome() {
            Outcome::Ok => self.completion().map(|position| self.history.value[position]),
            Outcome::Failed | Outcome::Unknown => None,
        }
    }

    /// The argument of an update: the invocation's value. A completion that names another value is a
    /// contradiction that nobody can judge.
    pub fn argument(&self) -> Result<Value, String> {
        self.argument_id().map(|value| self.history.values.get(value))
    }

    /// The same by number.
    pub fn argument_id(&self) -> Result<ValueId, String> {
        let argument = self.asked_id();
        match self.result_id() {
            Some(completed) if completed != ValueId::NIL && completed != argument => {
                let completion = self.completion().map_or(0, |position| self.history.index(position));
                let value = |id| self.history.values.get(id);
                Err(format!(
                    "op {completion} completes {} {} as {} (op {}): which of the two values took effect is not known",
                    self.f(),
                    value(argument),
                    value(completed),
                    self.invoke_index()
                ))
            }
            _ => Ok(argument),
        }
    }

    /// Index of the invocation.
    pub fn invoke_index(&self) -> u64 {
        self.history.index(self.start())
    }

    /// Index of the completion, if there is one.
    pub fn complete_index(&self) -> Option<u64> {
        self.completion().map(|position| self.history.index(position))
    }

    /// When it was invoked, in nanoseconds since the run began.
    pub fn start_ns(&self) -> u64 {
        self.history.time_ns[self.start()]
    }

    /// When it completed, in nanoseconds since the run began.
    pub fn end_ns(&self) -> Option<u64> {
        self.completion().map(|position| self.history.time_ns[position])
    }

    /// The history it is of.
    pub fn history(&self) -> &'h History {
        self.history
    }
}

impl std::fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "process {} {} {} ({:?}, ops {}–{:?})",
            self.process(),
            self.f(),
            self.result().unwrap_or_else(|| self.asked()),
            self.outcome(),
            self.invoke_index(),
            self.complete_index()
        )
    }
}
