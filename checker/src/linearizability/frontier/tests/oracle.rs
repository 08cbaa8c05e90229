//! Tries every order: slow and obviously right.

use super::simulate::History;
use crate::linearizability::frontier::Core;
use crate::linearizability::partition::NEVER;
use crate::linearizability::register_op::{INITIAL, Kind, RegisterOp, ValueId};

/// The operation at whose end there is no order any more, if there is one: the history up to that end,
/// with everything then open left open, has no order, and one event less has.
pub(crate) fn first_impossible(ops: &[RegisterOp]) -> Option<usize> {
    if is_linearizable(ops) {
        return None;
    }
    let mut by_end: Vec<usize> = (0..ops.len()).filter(|op| ops[*op].end != NEVER).collect();
    by_end.sort_by_key(|op| ops[*op].end);
    by_end.into_iter().find(|op| !is_linearizable(&up_to(ops, ops[*op].end)))
}

/// What was known at this position.
pub(crate) fn up_to(ops: &[RegisterOp], position: u32) -> Vec<RegisterOp> {
    let begun = ops.iter().filter(|op| op.start <= position);
    begun.map(|op| RegisterOp { end: if op.end <= position { op.end } else { NEVER }, ..*op }).collect()
}

/// What an operation leaves, or `None` where it can't be.
pub(crate) fn step(state: ValueId, kind: Kind) -> Option<ValueId> {
    match kind {
        Kind::Read(value) => (state == value).then_some(state),
        Kind::NotEqual(value) => (state != value).then_some(state),
        Kind::Write(value) => Some(value),
        Kind::Cas(from, to) => (state == from).then_some(to),
    }
}

pub(crate) fn is_linearizable(ops: &[RegisterOp]) -> bool {
    assert!(ops.len() <= 16);
    let mut tried = std::collections::HashSet::new();
    place_rest(ops, 0, INITIAL, &mut tried)
}

fn place_rest(
    ops: &[RegisterOp],
    placed: u32,
    state: ValueId,
    tried: &mut std::collections::HashSet<(u32, ValueId)>,
) -> bool {
    let rest = || (0..ops.len()).filter(|op| placed >> op & 1 == 0);
    let Some(first_end) = rest().map(|op| ops[op].end).filter(|end| *end != NEVER).min() else {
        return true;
    };
    if !tried.insert((placed, state)) {
        return false;
    }
    rest().any(|op| {
        ops[op].start < first_end
            && step(state, ops[op].kind).is_some_and(|after| place_rest(ops, placed | 1 << op, after, tried))
    })
}

/// Whether this is an order of the operations: each at most once, all completed ones, legal, and none
/// behind one that began after it had ended.
pub(crate) fn follow(ops: &[RegisterOp], order: &[usize]) -> Result<(), String> {
    let mut placed = vec![false; ops.len()];
    let (mut state, mut latest_start) = (INITIAL, 0);
    for &op in order {
        if std::mem::replace(&mut placed[op], true) {
            return Err(format!("#{op} is placed twice"));
        }
        state =
            step(state, ops[op].kind).ok_or_else(|| format!("#{op} can't be where the value is {state}"))?;
        latest_start = latest_start.max(ops[op].start);
        if ops[op].end < latest_start {
            return Err(format!("#{op} had ended before one in front of it began"));
        }
    }
    match (0..ops.len()).find(|op| !placed[*op] && ops[*op].end != NEVER) {
        Some(op) => Err(format!("#{op} is missing")),
        None => Ok(()),
    }
}

/// One operation a line, by start.
pub(crate) fn show(ops: &[RegisterOp]) -> String {
    let mut order: Vec<usize> = (0..ops.len()).collect();
    order.sort_by_key(|op| ops[*op].start);
    let lines = order.iter().map(|op| {
        let RegisterOp { kind, start, end } = ops[*op];
        let end = if end == NEVER { "unknown".to_owned() } else { end.to_string() };
        format!("  #{op} {kind:?} {start}..{end}")
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Whether what a core leaves of a history up to a position can be ordered, if these operations are the
/// ones that keep their intervals.
pub(crate) fn core_has_an_order(history: &History, core: &Core, bound: &[usize], position: u32) -> bool {
    let (mut ops, mut optional) = (Vec::new(), Vec::new());
    let (from, count) = (core.from.unwrap_or(0), history.ops.len() as u32);
    for (place, op) in up_to(&history.ops, position).iter().enumerate().filter(|(_, op)| op.end >= from) {
        // `up_to` drops what began later; so does nothing that keeps the places the same.
        let kind = match &core.values {
            None => Some(op.kind),
            Some(kept) => super::super::abstraction::told(op.kind, kept, op.end == NEVER),
        };
        let Some(kind) = kind else { continue };
        let is_pure = matches!(kind, Kind::Read(_) | Kind::NotEqual(_));
        let begun: Vec<usize> =
            (0..history.ops.len()).filter(|place| history.ops[*place].start <= position).collect();
        if bound.contains(&begun[place]) {
            if core.from.is_some() && op.start < from && op.end != NEVER {
                optional.push(ops.len());
            }
            ops.push(RegisterOp { kind, start: op.start + count, end: op.end.saturating_add(count) });
        } else if !is_pure {
            ops.push(RegisterOp { kind, start: 1 + place as u32, end: NEVER });
        }
    }
    ops.retain(|op| op.end != NEVER || !matches!(op.kind, Kind::Read(_) | Kind::NotEqual(_)));
    let values = core.values.as_ref().map_or(history.values, |kept| kept.len() + 2) as ValueId;
    (0..1 << optional.len()).any(|left_out: u32| {
        let out = |op: usize| {
            optional.iter().position(|other| *other == op).is_some_and(|at| left_out >> at & 1 == 1)
        };
        let ops: Vec<RegisterOp> = (0..ops.len()).filter(|op| !out(*op)).map(|op| ops[op]).collect();
        let mut initial = 0..if core.from.is_some() { values } else { 1 };
        initial.any(|value| place_rest(&ops, 0, value, &mut std::collections::HashSet::new()))
    })
}
