//! One history per key, and the keys judged in parallel.
//!
//! Linearizability is local (Herlihy & Wing 1990, theorem 1): a history over independent objects is
//! linearizable exactly when its part for each object is.

use std::ops::ControlFlow;
use std::slice;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::hash::Table;
use crate::history::op::Value;
use crate::history::pair::{Call, Calls, Outcome, Pair};
use crate::history::values::ValueId;
use crate::history::{F, History};

/// Below this many calls a thread costs more than it saves.
const CALLS_PER_THREAD_MIN: usize = 5_000;

pub(crate) use crate::history::ended::NEVER;

/// When a call was open, in positions of its own key's events: from 1, without gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    /// [`NEVER`] while the outcome is unknown.
    pub(crate) end: u32,
}

/// What engines ask of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub(crate) span: Span,
    pub(crate) f: F,
    pub(crate) outcome: Outcome,
    pub(crate) asked: ValueId,
    /// Nil unless the outcome is [`Outcome::Ok`].
    pub(crate) answer: ValueId,
}

impl Known {
    /// Of a call whose positions count as these.
    #[inline(always)]
    fn of(history: &History, pair: Pair, position: impl Fn(usize) -> u32) -> Self {
        let (invoke, last) = (pair.invoke(), pair.last());
        let outcome = Outcome::after(history.op_type(last));
        let end = if outcome == Outcome::Unknown { NEVER } else { position(last) };
        let answer = if outcome == Outcome::Ok { history.value_id(last) } else { ValueId::NIL };
        let span = Span { start: position(invoke), end };
        Known { span, f: history.f_id(invoke), outcome, asked: history.value_id(invoke), answer }
    }
}

/// What engines ask of the calls of a key, one after the other.
#[derive(Clone, Debug)]
pub(crate) struct KnownCalls<'p> {
    history: &'p History,
    pairs: slice::Iter<'p, Pair>,
    known: slice::Iter<'p, Known>,
}

// Inlined by order: it is the innermost step of every engine, and too long for the compiler to do so by itself.
impl Iterator for KnownCalls<'_> {
    type Item = Known;

    #[inline(always)]
    fn next(&mut self) -> Option<Known> {
        let pair = self.pairs.next()?;
        match self.known.next() {
            Some(known) => Some(*known),
            None => Some(Known::of(self.history, *pair, |position| position as u32 + 1)),
        }
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.pairs.size_hint()
    }
}

/// Everything about one key.
#[derive(Debug)]
pub(crate) struct Part<'h> {
    pub(crate) history: &'h History,
    pub(crate) key: Option<ValueId>,
    /// In the order of invocation. Failed calls are among them; they never count as done.
    pub(crate) calls: Vec<Pair>,
    /// For each call, side by side, since those of one key are far apart in the history. Nothing where there is
    /// but one key: its positions are those of the history.
    known: Vec<Known>,
    /// How many positions there are: every span's start and end is in `1..=positions`.
    pub(crate) positions: u32,
}

/// Splits calls (in the order of invocation) by key, keys in the order in which they first appear.
pub(crate) fn by_key(calls: Calls<'_>) -> Vec<Part<'_>> {
    let Calls { history, pairs, .. } = calls;
    if pairs.is_empty() {
        return Vec::new();
    }
    if !history.has_keys() {
        let positions = history.len() as u32;
        return vec![Part { history, key: None, calls: pairs, known: Vec::new(), positions }];
    }
    let mut parts: Vec<Part<'_>> = Vec::new();
    // How many calls each part has; for each call its part; for each event its position among those of its
    // part. All is counted before anything is written, so that nothing is moved.
    let mut sizes: Vec<usize> = Vec::new();
    let mut part_of_call: Vec<u32> = Vec::with_capacity(pairs.len());
    let mut local: Vec<u32> = vec![0; history.len()];
    let mut keys = Keys::new(history);
    for pair in &pairs {
        let key = history.key_id(pair.invoke());
        let index = keys.number(key, parts.len() as u32);
        if index as usize == parts.len() {
            parts.push(Part { history, key, calls: Vec::new(), known: Vec::new(), positions: 0 });
            sizes.push(0);
        }
        sizes[index as usize] += 1;
        part_of_call.push(index);
        // From 1, so that 0 is no event of a call.
        local[pair.invoke()] = index + 1;
        if let Some(end) = Call::new(history, *pair).end() {
            local[end] = index + 1;
        }
    }
    for position in local.iter_mut().filter(|position| **position != 0) {
        let part = &mut parts[*position as usize - 1];
        part.positions += 1;
        *position = part.positions;
    }
    for (part, size) in parts.iter_mut().zip(sizes) {
        part.calls.reserve_exact(size);
        part.known.reserve_exact(size);
    }
    for (pair, part) in pairs.into_iter().zip(part_of_call) {
        let known = Known::of(history, pair, |position| local[position]);
        let part = &mut parts[part as usize];
        part.calls.push(pair);
        part.known.push(known);
    }
    parts
}

/// Which part is that of a key: by place, or, where there are many more values than events, by look-up.
enum Keys {
    ByPlace(Vec<u32>),
    ByLookUp(Table<Option<ValueId>, u32>),
}

const NO_PART: u32 = u32::MAX;
const VALUES_PER_EVENT_MAX: usize = 4;

impl Keys {
    fn new(history: &History) -> Self {
        let values = history.values().len();
        match values <= VALUES_PER_EVENT_MAX * history.len() {
            // The last place is for calls without a key.
            true => Keys::ByPlace(vec![NO_PART; values + 1]),
            false => Keys::ByLookUp(Table::default()),
        }
    }

    /// The number of a key's part, the next one if it is new.
    #[inline(always)]
    fn number(&mut self, key: Option<ValueId>, next: u32) -> u32 {
        match self {
            Keys::ByPlace(parts) => {
                let last = parts.len() - 1;
                let part = &mut parts[key.map_or(last, ValueId::index)];
                if *part == NO_PART {
                    *part = next;
                }
                *part
            }
            Keys::ByLookUp(parts) => *parts.entry(key).or_insert(next),
        }
    }
}

impl<'h> Part<'h> {
    /// A call by number.
    pub(crate) fn call(&self, number: usize) -> Call<'h> {
        Call::new(self.history, self.calls[number])
    }

    /// What engines ask of every call.
    #[inline]
    pub(crate) fn known(&self) -> KnownCalls<'_> {
        KnownCalls { history: self.history, pairs: self.calls.iter(), known: self.known.iter() }
    }

    /// Every call with when it was open.
    pub(crate) fn spanned(&self) -> impl Iterator<Item = (Call<'h>, Span)> + '_ {
        self.all().zip(self.known().map(|known| known.span))
    }

    /// Every call.
    pub(crate) fn all(&self) -> impl Iterator<Item = Call<'h>> + '_ {
        let history = self.history;
        self.calls.iter().map(move |pair| Call::new(history, *pair))
    }

    /// The position in the history of what ended at this position of the key.
    pub(crate) fn position_of_end(&self, end: u32) -> usize {
        let ended = self.spanned().find(|(_, span)| span.end == end);
        ended.and_then(|(call, _)| call.completion()).unwrap_or(self.history.len())
    }

    /// The key itself.
    pub(crate) fn key(&self) -> Option<Value> {
        self.key.map(|key| self.history.values().get(key))
    }

    /// The calls that did or may have happened, with their spans and numbers.
    pub(crate) fn possible(&self) -> impl Iterator<Item = (usize, Call<'h>, Span)> + '_ {
        self.all()
            .zip(self.known())
            .enumerate()
            .filter(|(_, (_, known))| known.outcome != Outcome::Failed)
            .map(|(number, (call, known))| (number, call, known.span))
    }
}

/// Answers for all parts, in their order, whichever thread finds them. After a break no further part is
/// begun, and those that were not are left out.
pub(crate) fn judge_all<'p, 'h, A: Send>(
    parts: &'p [Part<'h>],
    judge: impl Fn(&'p Part<'h>) -> ControlFlow<A, A> + Sync,
) -> Vec<A> {
    let threads = threads(parts);
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let work = || {
        let mut answers = Vec::new();
        while !stop.load(Ordering::Relaxed)
            && let index = next.fetch_add(1, Ordering::Relaxed)
            && let Some(part) = parts.get(index)
        {
            answers.push((
                index,
                match judge(part) {
                    ControlFlow::Continue(answer) => answer,
                    ControlFlow::Break(answer) => {
                        stop.store(true, Ordering::Relaxed);
                        answer
                    }
                },
            ));
        }
        answers
    };
    let mut answers: Vec<(usize, A)> = match threads {
        1 => work(),
        _ => std::thread::scope(|scope| {
            let workers: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
            let mut answers = work();
            for worker in workers {
                answers.extend(match worker.join() {
                    Ok(answers) => answers,
                    Err(panic) => std::panic::resume_unwind(panic),
                });
            }
            answers
        }),
    };
    if threads > 1 {
        answers.sort_unstable_by_key(|(index, _)| *index);
    }
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// How many threads these parts are worth. Looking how many cores there are takes longer than judging a
/// few calls does.
fn threads(parts: &[Part<'_>]) -> usize {
    let calls: usize = parts.iter().map(|part| part.calls.len()).sum();
    match parts.len().min(calls / CALLS_PER_THREAD_MIN) {
        0 | 1 => 1,
        worth => std::thread::available_parallelism().map_or(1, usize::from).min(worth),
    }
}
