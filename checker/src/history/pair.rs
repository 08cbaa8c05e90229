//! Invocations joined with their completions.

use super::op::{OpType, Process, Value};
use super::processes::NEMESIS;
use super::values::ValueId;
use super::well_formed::{BrokenRule, IllFormed};
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

/// Where an invocation and its completion are; [`NEVER`](crate::linearizability::partition::NEVER) where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) invoke: u32,
    pub(crate) completion: u32,
}

const NONE: u32 = u32::MAX;

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
        match self.completion() {
            None => Outcome::Unknown,
            Some(position) => match self.history.op_type[position] {
                OpType::Ok => Outcome::Ok,
                OpType::Fail => Outcome::Failed,
                OpType::Info | OpType::Invoke => Outcome::Unknown,
            },
        }
    }

    /// What is known about it, and what it answered if that is known.
    #[inline]
    pub(crate) fn answer(&self) -> (Outcome, Option<ValueId>) {
        let outcome = self.outcome();
        let answered = self.completion().filter(|_| outcome == Outcome::Ok);
        (outcome, answered.map(|position| self.history.value[position]))
    }

    /// Position of the invocation in the history, from 0.
    #[inline]
    pub fn start(&self) -> usize {
        self.pair.invoke as usize
    }

    /// Position of the completion, if there is one.
    #[inline]
    pub fn completion(&self) -> Option<usize> {
        (self.pair.completion != NONE).then_some(self.pair.completion as usize)
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

/// What a process is doing, in one word, so that going from one to the other takes no branch: nothing
/// ([`IDLE`]), a call with this number, or, with the bit [`RETIRED`], nothing any more since the outcome of
/// the call with this number is unknown.
type Doing = u32;

const IDLE: Doing = u32::MAX;
const RETIRED: Doing = 1 << 31;

/// So many calls are made room for at once.
const CALLS_AT_ONCE: usize = 1 << 10;

/// Joins them; see [`History::calls`].
pub(super) fn calls(history: &History) -> Result<Calls<'_>, IllFormed> {
    let ill_formed = |position: usize, broken| IllFormed {
        position,
        index: history.index(position),
        process: history.process(position),
        broken,
    };
    if let Some(position) = history.index.windows(2).position(|pair| pair[1] <= pair[0]) {
        let after = history.index[position];
        // Whatever else is wrong before that comes first.
        pairs(history, position + 1).map_err(|(position, broken)| ill_formed(position, broken))?;
        return Err(ill_formed(position + 1, BrokenRule::IndexNotRising { after }));
    }
    let pairs = pairs(history, history.len());
    let (pairs, counts) = pairs.map_err(|(position, broken)| ill_formed(position, broken))?;
    Ok(Calls { history, pairs, counts })
}

/// The pairs of the first `length` ops, and the counts for each function.
///
/// Whether an op begins or ends a call can't be predicted, so what both do is written as one: an invocation
/// takes the next call, a completion that of its process, and either notes where it is.
fn pairs(history: &History, length: usize) -> Result<(Vec<Pair>, Vec<OpCounts>), (usize, BrokenRule)> {
    // For each function how often there is each type of op.
    let mut counts = vec![[0u64; 4]; history.functions.len()];
    let mut doing = vec![IDLE; history.processes.clients()];
    let at_once = length.min(CALLS_AT_ONCE);
    let mut pairs: Vec<Pair> = Vec::with_capacity(length / 2 + at_once);
    let mut begun: u32 = 0;
    let columns = history.process[..length].iter().zip(&history.op_type).zip(&history.f);
    for (position, ((&process, &op_type), &f)) in columns.enumerate() {
        if process == NEMESIS {
            continue;
        }
        if begun as usize == pairs.len() {
            let room = pairs.len() + at_once;
            pairs.resize(room, Pair { invoke: 0, completion: NONE });
        }
        let doing = &mut doing[process as usize];
        let begins = op_type == OpType::Invoke;
        let mut call = if begins { begun } else { *doing };
        // Anything else is rare, and mostly wrong.
        if (*doing == IDLE) != begins || call >= RETIRED {
            match *doing & !RETIRED {
                known
                    if !begins
                        && *doing != IDLE
                        && is_resolution(history, &pairs[known as usize], position) =>
                {
                    call = known;
                }
                _ if begins => return Err((position, invoked_too_early(history, &pairs, *doing))),
                _ => return Err((position, BrokenRule::CompletedWithoutInvoke { op_type })),
            }
        }
        let pair = &mut pairs[call as usize];
        let invoke = if begins { position as u32 } else { pair.invoke };
        if history.f[invoke as usize] != f
            || (history.keyed && history.key[invoke as usize] != history.key[position])
        {
            return Err((position, changed(history, invoke as usize, position)));
        }
        *pair = Pair { invoke, completion: if begins { NONE } else { position as u32 } };
        counts[usize::from(f.0)][op_type as usize] += 1;
        // A retired process stays so: its connection is as lost as before.
        let ended = if op_type == OpType::Info || *doing != call { RETIRED | call } else { IDLE };
        *doing = if begins { call } else { ended };
        begun += u32::from(begins);
    }
    pairs.truncate(begun as usize);
    Ok((pairs, counts.into_iter().map(OpCounts::of_types).collect()))
}

/// The rule that a completion broke which is not about what was invoked.
fn changed(history: &History, invoke: usize, completion: usize) -> BrokenRule {
    let name = |position: usize| history.functions[usize::from(history.f[position].0)].clone();
    match history.f[invoke] == history.f[completion] {
        true => BrokenRule::OtherKey { invoke: history.index(invoke) },
        false => BrokenRule::OtherFunction {
            invoke: history.index(invoke),
            invoked: name(invoke),
            completed: name(completion),
        },
    }
}

/// Whether the op at this position tells late what became of a call of unknown outcome, for the first time.
fn is_resolution(history: &History, pair: &Pair, position: usize) -> bool {
    history.op_type[pair.completion as usize] == OpType::Info
        && history.more(position).is_some_and(|more| more.late)
}

fn invoked_too_early(history: &History, pairs: &[Pair], doing: Doing) -> BrokenRule {
    let Pair { invoke, completion } = pairs[(doing & !RETIRED) as usize];
    if doing < RETIRED {
        return BrokenRule::InvokedWhileOpen { open: history.index(invoke as usize) };
    }
    // The completion may be a later one that told the outcome.
    let info = (invoke..completion).find(|position| {
        let position = *position as usize;
        history.process[position] == history.process[invoke as usize]
            && history.op_type[position] == OpType::Info
    });
    BrokenRule::ReusedAfterInfo { info: history.index(info.unwrap_or(completion) as usize) }
}
