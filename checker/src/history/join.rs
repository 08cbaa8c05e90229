//! Joins invocations with their completions, and tells the first rule that a history breaks.

use std::ops::Range;

use super::History;
use super::op::OpType;
use super::pair::{Calls, OpCounts, Pair};
use super::processes::NEMESIS;
use super::well_formed::{BrokenRule, IllFormed};

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
