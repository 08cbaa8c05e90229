//! An order of the operations of a register whose values are unique.
//!
//! Relies on clusters that were judged to fit. A forward block goes where its f is, a backward one
//! where its s is. That respects real time. Let X have to come before Y: f(X) < s(Y).
//!
//! | X | Y | X goes before Y, for |
//! |---|---|---|
//! | forward | backward | f(X) < s(Y) |
//! | backward | backward | s(X) ≤ f(X) < s(Y) |
//! | forward | forward | f(X) < s(X) ≤ f(Y), since Y need not come before X |
//! | backward | forward | s(X) ≤ f(Y), since Y need not come before X |
//!
//! Within a block values go in the order of the chain, each with its writer before its reads.

use super::NONE;
use super::clusters::{Block, Clusters, READS, WRITER};
use super::condition::Condition;
use crate::linearizability::condition::holds;
use crate::linearizability::partition::NEVER;
use crate::linearizability::register_op::{INITIAL, Kind, RegisterOp, ValueId};

/// An order of the operations of a linearizable history: their places in the slice. Updates of
/// unknown outcome that nobody depends on are left out. Nothing if the zones can't order it.
pub(crate) fn order(ops: &[RegisterOp], values: usize, positions: u32) -> Option<Vec<usize>> {
    let mut clusters = Clusters::load(ops, values, NEVER - 1)?;
    clusters.judge(positions).ok()?;
    arrange(ops, &clusters, positions)
}

/// The order of what the clusters hold, with the operations that only say what was not there put in
/// wherever there is a place; `None` if one of them finds none.
pub(super) fn arrange(ops: &[RegisterOp], clusters: &Clusters, positions: u32) -> Option<Vec<usize>> {
    let ranks = ranks(clusters);
    let mut placed: Vec<Place> = Vec::with_capacity(ops.len());
    let mut not_equals = Vec::new();
    for (number, op) in ops.iter().enumerate() {
        let value = op.value();
        let role = match op.kind {
            Kind::NotEqual(_) => {
                not_equals.push(number);
                continue;
            }
            Kind::Read(_) => READS,
            Kind::Cas(expected, _) if expected == value => READS,
            Kind::Write(_) | Kind::Cas(..) => WRITER,
        };
        let rank = ranks.get(value as usize).copied().unwrap_or(NONE);
        let ended = op.end != NEVER || !holds(Condition::LostReadNotOrdered);
        let needed = rank != NONE || !holds(Condition::UnneededNotOrdered);
        if needed && (role == WRITER || ended) {
            placed.push(Place {
                rank,
                is_read: role == READS && holds(Condition::WriterBeforeReads),
                start: op.start,
                number,
            });
        }
    }
    placed.sort_unstable();
    let order: Vec<usize> = placed.iter().map(|place| place.number).collect();
    if not_equals.is_empty() {
        return Some(order);
    }
    not_equals.sort_unstable_by_key(|&number| ops[number].start);
    fit_in(ops, &order, &not_equals, positions)
}

/// Sorts as the operations are to be ordered.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    rank: u32,
    is_read: bool,
    start: u32,
    number: usize,
}

/// For each needed value its place among all values.
fn ranks(clusters: &Clusters) -> Vec<u32> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut values = 0;
    let walked = clusters.walk_blocks(|block| blocks.push(block));
    debug_assert!(walked.is_ok(), "only what fits is ordered");
    blocks.sort_unstable_by_key(|block| if block.end < block.start { block.end } else { block.start });
    let mut ranks = vec![NONE; clusters.values()];
    ranks[INITIAL as usize] = 0;
    for block in blocks {
        let mut value: ValueId = block.head;
        loop {
            ranks[value as usize] = values;
            values += 1;
            value = clusters.next(value);
            if value == NONE {
                break;
            }
        }
    }
    ranks
}

/// Puts operations that only say what was not there (sorted by their starts) into an order, each in
/// the first gap that it can have: earliest is best, since it holds back those that come after it the
/// least. Gap n is the one behind n operations.
fn fit_in(ops: &[RegisterOp], order: &[usize], fit: &[usize], positions: u32) -> Option<Vec<usize>> {
    let size = positions as usize + 2;
    // By position: the first gap behind everything that ended before it, and the last gap before
    // everything that starts after it.
    let (mut first, mut last) = (vec![0; size], vec![order.len(); size]);
    for (place, &number) in order.iter().enumerate() {
        let op = &ops[number];
        if op.end != NEVER {
            first[op.end as usize] = place + 1;
        }
        last[op.start as usize] = place;
    }
    for position in 1..size {
        first[position] = first[position].max(first[position - 1]);
        let mirrored = size - 1 - position;
        last[mirrored] = last[mirrored].min(last[mirrored + 1]);
    }
    // For each gap the value there and the first gap behind it with another one.
    let mut replaced = vec![usize::MAX; order.len() + 1];
    let value_at = |gap: usize| if gap == 0 { INITIAL } else { ops[order[gap - 1]].value() };
    for gap in (0..order.len()).rev() {
        replaced[gap] = if value_at(gap) == value_at(gap + 1) { replaced[gap + 1] } else { gap + 1 };
    }
    let mut gaps = Vec::with_capacity(fit.len());
    // Where those of them that ended went.
    let mut held = vec![0; size];
    let (mut floor, mut swept) = (0, 0);
    for &number in fit {
        let op = &ops[number];
        while swept < op.start as usize {
            floor = floor.max(held[swept]);
            swept += 1;
        }
        let mut gap = if holds(Condition::FitBehindEnded) { first[op.start as usize] } else { 0 };
        gap = if holds(Condition::FitBehindHeld) { gap.max(floor) } else { gap };
        if value_at(gap) == op.value() && holds(Condition::FitNotEqual) {
            gap = replaced[gap];
        }
        if gap > last[op.end as usize] && holds(Condition::FitBeforeBegun) {
            return None;
        }
        held[op.end as usize] = gap;
        gaps.push((gap, number));
    }
    gaps.sort_by_key(|(gap, _)| *gap);
    let mut all = Vec::with_capacity(order.len() + fit.len());
    let mut gaps = gaps.into_iter().peekable();
    for gap in 0..=order.len() {
        while let Some((_, number)) = gaps.next_if(|(at, _)| *at == gap) {
            all.push(number);
        }
        all.extend(order.get(gap));
    }
    Some(all)
}
