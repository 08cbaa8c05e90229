//! Is this order a linearization? Knows nothing of how it was found.
//!
//! This is the whole definition (Herlihy & Wing 1990): every completed operation is in it once, each finds
//! the state that it says it found, and none stands before one that had ended before it began.

use super::partition::NEVER;
use super::search::SearchOp;
use crate::model::{Model, Steps};

/// Goes through an order of operations, given by their places, one by one.
pub(crate) fn verify<M: Model>(model: &M, ops: &[SearchOp<M::Op>], order: &[usize]) -> Result<(), String> {
    let mut placed = vec![false; ops.len()];
    let mut states = vec![model.initial()];
    let mut latest_start = 0;
    for &place in order {
        let SearchOp { op, start, end } =
            ops.get(place).ok_or("the order names an operation that is not there")?;
        if std::mem::replace(&mut placed[place], true) {
            return Err(format!("{op:?} is in the order twice"));
        }
        if *end < latest_start {
            return Err(format!("{op:?} stands behind one that began after it had ended"));
        }
        latest_start = latest_start.max(*start);
        let mut next = Vec::new();
        for state in &states {
            let stepped = model.steps(state, op, &mut Steps::new(&mut next, None));
            stepped.map_err(|_| "the model was stopped".to_owned())?;
        }
        if next.is_empty() {
            return Err(format!("{op:?} can't have its result where it stands"));
        }
        let distinct: std::collections::HashSet<M::State> = next.into_iter().collect();
        states = distinct.into_iter().collect();
    }
    match ops.iter().zip(&placed).find(|(op, placed)| op.end != NEVER && !**placed) {
        Some((missing, _)) => Err(format!("{:?} completed and is not in the order", missing.op)),
        None => Ok(()),
    }
}
