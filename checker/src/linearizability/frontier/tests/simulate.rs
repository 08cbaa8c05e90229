//! Histories of a real atomic register, small and large, and ways to spoil them.

use rand::{Rng, RngExt};

use crate::linearizability::partition::NEVER;
use crate::linearizability::register_op::{INITIAL, Kind, RegisterOp, ValueId};

/// Operations, and how many values they use.
#[derive(Clone, Debug)]
pub(crate) struct History {
    pub(crate) ops: Vec<RegisterOp>,
    pub(crate) values: usize,
}

/// A few operations with all that is awkward: half of them (about) linearizable.
pub(crate) fn small(random: &mut impl Rng) -> History {
    let count = random.random_range(1..=9);
    let values = random.random_range(2..=4_u32);
    let longest = random.random_range(1..=3 * count);
    let unknown_percent = *pick(random, &[0, 0, 10, 40]);
    let weights = *pick(random, &[[4, 4, 4, 0], [4, 4, 0, 0], [3, 3, 3, 3], [4, 1, 6, 1], [1, 4, 2, 4]]);
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
