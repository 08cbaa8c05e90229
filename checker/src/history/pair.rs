//! Invocations joined with their completions.

use std::ops::Range;

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
    const NOTHING: Pair = Pair([NONE; 2]);

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

/// What a process is doing, in one word, so that going from one to the other takes no branch: nothing
/// ([`IDLE`]), a call with this number, or, with the bit [`RETIRED`], nothing any more since the outcome of
/// the call with this number is unknown.
type Doing = u32;

const IDLE: Doing = u32::MAX;
const RETIRED: Doing = 1 << 31;

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

/// The pairs of the first `length` ops, and the counts for each function; or the first rule that is broken,
/// and where.
fn pairs(history: &History, length: usize) -> Result<(Vec<Pair>, Vec<OpCounts>), (usize, BrokenRule)> {
    let mut pairs = Vec::new();
    let joined = join(history, length, &mut pairs);
    // What a call is about is looked at when all are joined: that breaks the first rule all the same if it is
    // the first to be broken.
    match (count(history, &pairs), joined) {
        (Some(counts), Ok(())) => Ok((pairs, counts)),
        (None, Ok(())) => Err(first_change(history, &pairs).expect("some call is about two things")),
        (_, Err(broken)) => {
            let change = first_change(history, &pairs).filter(|(position, _)| *position <= broken.0);
            Err(change.unwrap_or(broken))
        }
    }
}

/// Joins the first `length` ops, whatever they are about.
fn join(history: &History, length: usize, pairs: &mut Vec<Pair>) -> Result<(), (usize, BrokenRule)> {
    let op_types = &history.op_type[..length];
    // Those of the nemesis are too many, but they are few.
    let begun = op_types.iter().filter(|op_type| **op_type == OpType::Invoke).count();
    pairs.resize(begun, Pair::NOTHING);
    let mut doing = vec![IDLE; history.processes.clients()];
    let (mut begun, mut from, mut broken) = (0, 0, Ok(()));
    while let Some(position) = join_usual(history, from..length, pairs, &mut doing, &mut begun) {
        let doing = doing[history.process[position] as usize];
        match unusual(history, pairs, doing, position) {
            // A retired process stays so: its connection is as lost as before.
            Ok(known) => pairs[known as usize].note(false, position as u32),
            Err(rule) => {
                broken = Err(rule);
                break;
            }
        }
        from = position + 1;
    }
    pairs.truncate(begun as usize);
    broken
}

/// Joins these ops up to the first that neither begins a call in its turn nor ends one; where that is.
///
/// Whether an op begins or ends a call can't be predicted, so what both do is written as one: an invocation
/// takes the next call, a completion that of its process, and either notes where it is.
fn join_usual(
    history: &History,
    range: Range<usize>,
    pairs: &mut [Pair],
    doing: &mut [Doing],
    begun: &mut u32,
) -> Option<usize> {
    let events = history.process[range.clone()].iter().zip(&history.op_type[range.clone()]);
    for ((&process, &op_type), position) in events.zip(range.start as u32..) {
        if process == NEMESIS {
            continue;
        }
        let doing = &mut doing[process as usize];
        let begins = op_type == OpType::Invoke;
        let in_turn = if begins { *doing == IDLE } else { *doing < RETIRED };
        if !in_turn {
            return Some(position as usize);
        }
        let call = if begins { *begun } else { *doing };
        pairs[call as usize].note(begins, position);
        let ended = if op_type == OpType::Info { RETIRED | call } else { IDLE };
        *doing = if begins { call } else { ended };
        *begun += u32::from(begins);
    }
    None
}

/// The call that an op is about which is none that is open: late knowledge, or a rule is broken.
#[cold]
fn unusual(
    history: &History,
    pairs: &[Pair],
    doing: Doing,
    position: usize,
) -> Result<u32, (usize, BrokenRule)> {
    let op_type = history.op_type[position];
    if op_type == OpType::Invoke {
        return Err((position, invoked_too_early(history, pairs, doing)));
    }
    let known = doing & !RETIRED;
    match pairs.get(known as usize).filter(|_| doing != IDLE) {
        Some(pair) if is_resolution(history, pair, position) => {
            // This completion will take the place of the one before, which nobody will look at again.
            match changed(history, *pair) {
                Some(broken) => Err(broken),
                None => Ok(known),
            }
        }
        _ => Err((position, BrokenRule::CompletedWithoutInvoke { op_type })),
    }
}

/// What came of the calls of each function; nothing if some completion is about another function or key than
/// its invocation.
fn count(history: &History, pairs: &[Pair]) -> Option<Vec<OpCounts>> {
    // By the type of the last event of each: an invocation where there is no completion.
    let mut counts = vec![[0u64; 4]; history.functions.len()];
    let fs = &history.f[..];
    let op_types = &history.op_type[..fs.len()];
    let mut same = true;
    for pair in pairs {
        let (invoke, last) = (pair.invoke(), pair.last());
        same &= fs[last] == fs[invoke];
        counts[usize::from(fs[invoke].0)][op_types[last] as usize] += 1;
    }
    if history.keyed {
        same &= pairs.iter().all(|pair| history.key[pair.last()] == history.key[pair.invoke()]);
    }
    let of_types = |mut by_type: [u64; 4]| {
        by_type[OpType::Invoke as usize] = by_type.iter().sum();
        OpCounts::of_types(by_type)
    };
    same.then(|| counts.into_iter().map(of_types).collect())
}

/// The first completion that is not about what was invoked.
#[cold]
fn first_change(history: &History, pairs: &[Pair]) -> Option<(usize, BrokenRule)> {
    pairs.iter().filter_map(|pair| changed(history, *pair)).min_by_key(|(position, _)| *position)
}

/// The rule that the completion of a call broke by being not about what was invoked, and where.
fn changed(history: &History, pair: Pair) -> Option<(usize, BrokenRule)> {
    let (invoke, completion) = (pair.invoke(), pair.completion()?);
    let name = |position: usize| history.functions[usize::from(history.f[position].0)].clone();
    let broken = if history.f[invoke] != history.f[completion] {
        BrokenRule::OtherFunction {
            invoke: history.index(invoke),
            invoked: name(invoke),
            completed: name(completion),
        }
    } else if history.keyed && history.key[invoke] != history.key[completion] {
        BrokenRule::OtherKey { invoke: history.index(invoke) }
    } else {
        return None;
    };
    Some((completion, broken))
}

/// Whether the op at this position tells late what became of a call of unknown outcome, for the first time.
fn is_resolution(history: &History, pair: &Pair, position: usize) -> bool {
    pair.completion().is_some_and(|completion| history.op_type[completion] == OpType::Info)
        && history.more(position).is_some_and(|more| more.late)
}

fn invoked_too_early(history: &History, pairs: &[Pair], doing: Doing) -> BrokenRule {
    let pair = pairs[(doing & !RETIRED) as usize];
    let invoke = pair.invoke();
    if doing < RETIRED {
        return BrokenRule::InvokedWhileOpen { open: history.index(invoke) };
    }
    // The completion may be a later one that told the outcome.
    let completion = pair.completion().unwrap_or(invoke);
    let info = (invoke..completion).find(|position| {
        history.process[*position] == history.process[invoke] && history.op_type[*position] == OpType::Info
    });
    BrokenRule::ReusedAfterInfo { info: history.index(info.unwrap_or(completion)) }
}
