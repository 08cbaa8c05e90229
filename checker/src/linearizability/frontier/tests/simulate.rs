//! Histories of a real atomic register, small and large, and ways to spoil them.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::linearizability::partition::NEVER;
use crate::linearizability::register_op::{INITIAL, Kind, RegisterOp, ValueId};

/// Operations, and how many values they use.
#[derive(Clone, Debug)]
pub(crate) struct History {
    pub(crate) ops: Vec<RegisterOp>,
    pub(crate) values: usize,
}

/// The history of a seed: the first few are cases that chance takes long to find.
pub(crate) fn of_seed(seed: u64) -> History {
    match seed {
        // A lost write that began after the current block did can't have come before it.
        0 => {
            let told = [(Kind::Read(2), 1, 7), (Kind::Write(1), 2, 3), (Kind::Read(1), 4, 5)];
            let rest = [(Kind::Write(2), 6, NEVER), (Kind::Read(1), 8, 9)];
            let ops = told.into_iter().chain(rest).map(|(kind, start, end)| RegisterOp { kind, start, end });
            History { ops: ops.collect(), values: 3 }
        }
        _ => small(&mut ChaCha8Rng::seed_from_u64(seed)),
    }
}

/// A few operations with all that is awkward: half of them (about) linearizable.
fn small(random: &mut impl Rng) -> History {
    let most = *pick(random, &[5, 9, 9, 12]);
    let count = random.random_range(1..=most);
    let values = random.random_range(2..=4_u32);
    let longest = random.random_range(1..=5 * count);
    let unknown_percent = *pick(random, &[0, 0, 10, 40]);
    let weights =
        *pick(random, &[[4, 4, 4, 0], [4, 4, 0, 0], [3, 3, 3, 3], [4, 1, 6, 1], [1, 4, 2, 4], [1, 2, 8, 0]]);
    // Times: start, effect, end; made into positions afterwards.
    let mut drafts: Vec<(u32, u32, u32, bool)> = Vec::new();
    for _ in 0..count {
        let start = random.random_range(0..4 * count);
        let end = start + 1 + random.random_range(0..longest);
        let unknown = random.random_ratio(unknown_percent, 100);
        let latest = if unknown { 8 * count } else { end };
        drafts.push((start, random.random_range(start..=latest), end, unknown));
    }
    drafts.sort_by_key(|draft| draft.1);
    let mut state = INITIAL;
    let mut kinds = Vec::new();
    for _ in &drafts {
        let kind = draw(random, &weights, values, state);
        state = match kind {
            Kind::Write(value) | Kind::Cas(_, value) => value,
            Kind::Read(_) | Kind::NotEqual(_) => state,
        };
        kinds.push(kind);
    }
    for _ in 0..random.random_range(0..3) {
        let spoiled = random.random_range(0..kinds.len());
        let state = random.random_range(0..values);
        kinds[spoiled] = draw(random, &weights, values, state);
    }
    History { ops: placed(random, &drafts, &kinds), values: values as usize }
}

fn draw(random: &mut impl Rng, weights: &[u32; 4], values: u32, state: ValueId) -> Kind {
    let mut roll = random.random_range(0..weights.iter().sum());
    let kind = weights.iter().position(|weight| match roll.checked_sub(*weight) {
        Some(rest) => {
            roll = rest;
            false
        }
        None => true,
    });
    let other = random.random_range(0..values);
    match kind {
        Some(0) => Kind::Read(state),
        Some(1) => Kind::Write(other),
        Some(2) => Kind::Cas(state, other),
        _ => Kind::NotEqual(if other == state { (state + 1) % values } else { other }),
    }
}

/// Gives every start and end a position of its own; reads of unknown outcome go.
fn placed(random: &mut impl Rng, drafts: &[(u32, u32, u32, bool)], kinds: &[Kind]) -> Vec<RegisterOp> {
    let mut events: Vec<(u32, u32, usize, bool)> = Vec::new();
    for (place, (start, _, end, unknown)) in drafts.iter().enumerate() {
        events.push((2 * start, random.random_range(0..1000), place, false));
        if !unknown {
            // At equal times, starts come first: closed intervals.
            events.push((2 * end + 1, random.random_range(0..1000), place, true));
        }
    }
    events.sort_unstable();
    let mut ops: Vec<RegisterOp> =
        kinds.iter().map(|kind| RegisterOp { kind: *kind, start: 0, end: NEVER }).collect();
    for (position, (.., place, is_end)) in events.into_iter().enumerate() {
        let position = position as u32 + 1;
        if is_end {
            ops[place].end = position;
        } else {
            ops[place].start = position;
        }
    }
    ops.retain(|op| op.end != NEVER || !matches!(op.kind, Kind::Read(_) | Kind::NotEqual(_)));
    ops
}

fn pick<'a, T>(random: &mut impl Rng, from: &'a [T]) -> &'a T {
    &from[random.random_range(0..from.len())]
}

/// What to simulate at length.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) clients: usize,
    pub(crate) operations: usize,
    pub(crate) values: u32,
    /// Of ten thousand writes and compare-and-sets, how many are of unknown outcome.
    pub(crate) unknown_per_10k: u32,
    /// Whether compare-and-sets that fail say so.
    pub(crate) failures: bool,
}

enum Client {
    Idle,
    Open { op: usize, wait: u32, took_effect: bool, unknown: bool },
}

/// Clients in a loop over reads, writes and compare-and-sets of a few values. One whose operation is lost
/// goes on as another, and the lost operation takes effect at some time or never.
pub(crate) fn large(random: &mut impl Rng, load: Load) -> History {
    let mut ops: Vec<(RegisterOp, bool)> = Vec::with_capacity(load.operations);
    let mut clients: Vec<Client> = (0..load.clients).map(|_| Client::Idle).collect();
    let mut floating: Vec<usize> = Vec::new();
    let (mut state, mut position, mut open) = (INITIAL, 0, 0);
    while ops.len() < load.operations || open > 0 {
        let client = &mut clients[random.random_range(0..load.clients)];
        match client {
            Client::Idle if ops.len() < load.operations => {
                let kind = any_kind(random, load.values);
                let unknown =
                    !matches!(kind, Kind::Read(_)) && random.random_ratio(load.unknown_per_10k, 10_000);
                *client = Client::Open {
                    op: ops.len(),
                    wait: random.random_range(0..4),
                    took_effect: false,
                    unknown,
                };
                (position, open) = (position + 1, open + 1);
                ops.push((RegisterOp { kind, start: position, end: NEVER }, true));
            }
            Client::Idle => {}
            Client::Open { op, unknown: true, .. } => {
                floating.push(*op);
                open -= 1;
                *client = Client::Idle;
            }
            Client::Open { wait, .. } if *wait > 0 => *wait -= 1,
            Client::Open { op, took_effect: true, .. } => {
                (position, open) = (position + 1, open - 1);
                ops[*op].0.end = position;
                *client = Client::Idle;
            }
            Client::Open { op, wait, took_effect, .. } => {
                take_effect(&mut ops[*op], &mut state);
                (*wait, *took_effect) = (random.random_range(0..4), true);
            }
        }
        if !floating.is_empty() && random.random_ratio(1, 100) {
            let late = floating.swap_remove(random.random_range(0..floating.len()));
            if random.random_ratio(2, 3) && matches!(ops[late].0.kind, Kind::Write(_)) || {
                matches!(ops[late].0.kind, Kind::Cas(from, _) if from == state)
            } {
                take_effect(&mut ops[late], &mut state);
            }
        }
    }
    let told = ops.into_iter().filter_map(|(op, worked)| match op.kind {
        Kind::Cas(from, _) if !worked => {
            load.failures.then_some(RegisterOp { kind: Kind::NotEqual(from), ..op })
        }
        _ => Some(op),
    });
    History { ops: told.collect(), values: load.values as usize + 1 }
}

fn any_kind(random: &mut impl Rng, values: u32) -> Kind {
    let (one, other) = (random.random_range(1..=values), random.random_range(1..=values));
    match random.random_range(0..3) {
        0 => Kind::Read(INITIAL),
        1 => Kind::Write(one),
        _ => Kind::Cas(one, other),
    }
}

fn take_effect((op, worked): &mut (RegisterOp, bool), state: &mut ValueId) {
    match &mut op.kind {
        Kind::Read(seen) => *seen = *state,
        Kind::Write(value) => *state = *value,
        Kind::Cas(from, to) if *from == *state => *state = *to,
        Kind::Cas(..) | Kind::NotEqual(_) => *worked = false,
    }
}

/// Makes a read near `at` (of 1000) see another value, one that was not there while it was open and
/// that no completed operation then open could have put there. With its place; `None` if there
/// is no such read.
pub(crate) fn spoil(random: &mut impl Rng, history: &History, at: usize) -> Option<(History, usize)> {
    let mut spoiled = history.clone();
    let first = history.ops.len() * at / 1000;
    for place in first..history.ops.len() {
        let read = history.ops[place];
        let Kind::Read(seen) = read.kind else { continue };
        let near = &history.ops[place.saturating_sub(1000)..history.ops.len().min(place + 1000)];
        let could = |value: ValueId| {
            near.iter().any(|op| {
                op.start < read.end
                    && op.end > read.start
                    && match op.kind {
                        Kind::Write(other) | Kind::Cas(_, other) | Kind::Read(other) => other == value,
                        Kind::NotEqual(_) => false,
                    }
            })
        };
        let first_value = random.random_range(1..history.values as ValueId);
        let values = (1..history.values as ValueId)
            .map(|value| 1 + (value + first_value) % (history.values as ValueId - 1));
        if let Some(value) = values.into_iter().find(|value| *value != seen && !could(*value)) {
            spoiled.ops[place].kind = Kind::Read(value);
            return Some((spoiled, place));
        }
    }
    None
}
