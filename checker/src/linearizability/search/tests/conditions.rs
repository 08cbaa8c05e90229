//! The conditions of the search are dropped one by one.

use std::sync::Arc;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::objects::container;
use super::{Shape, arm, random_ops, value};
use crate::linearizability::condition::idle;
use crate::linearizability::partition::NEVER;
use crate::linearizability::search::condition::Condition;
use crate::linearizability::search::growing::{Effort, Growing, Stuck};
use crate::linearizability::search::{Answer, Arms, SearchOp, Told};
use crate::model::{Bag, CasRegister, Counter, CounterOp, Model, Queue, RegisterOp};

/// The first operation, if any, that no order gets past; an error if that was not found out.
type Said = Result<Option<usize>, String>;

/// Enough for so few operations: without a condition there may be no end.
const EFFORT: Effort = Effort { steps_per_event: 64, steps_max: 1 << 12, ..Effort::USUAL };

/// What both arms and the one that goes on say of a history.
fn said<M: Model + Clone>(model: &M, seed: u64, op: impl Fn(&mut ChaCha8Rng) -> M::Op) -> [Said; 3] {
    let random = &mut ChaCha8Rng::seed_from_u64(seed);
    let (ops, width) = (random.random_range(2..=9), random.random_range(1..=6));
    let shape = Shape { ops, width, unknown_percent: [0, 20, 40][seed as usize % 3] };
    let ops = random_ops(model, shape, [0, 1, 2][seed as usize / 3 % 3], random, op);
    let alone = |arms| match arm(model, &ops, arms, Told::Verdict) {
        Answer::Valid { .. } => Ok(None),
        Answer::Invalid { stuck, .. } => Ok(Some(stuck)),
        Answer::Exhausted { why, .. } => Err(why.to_string()),
    };
    // Some of what ended did not happen: told only where it can be told so.
    let failed = |place: usize| random_bit(seed, place) && seed % 4 == 3;
    [alone(Arms::Depth), alone(Arms::Breadth), growing(model, &ops, failed)]
}

fn random_bit(seed: u64, place: usize) -> bool {
    (seed >> (2 + place % 16)) & 3 == 0
}

fn growing<M: Model + Clone>(model: &M, ops: &[SearchOp<M::Op>], failed: impl Fn(usize) -> bool) -> Said {
    let mut events: Vec<(u32, usize)> = Vec::new();
    for (place, op) in ops.iter().enumerate() {
        events.extend([(op.start, place), (op.end, place)].iter().filter(|(position, _)| *position != NEVER));
    }
    events.sort_unstable();
    let mut growing = Growing::new(Arc::new(model.clone()), EFFORT);
    let told = |why: Stuck| why.to_string();
    for (position, place) in events {
        let op = &ops[place];
        if position == op.start {
            growing.begin(u64::from(position), Some(&op.op)).map_err(told)?;
        } else if !growing.end(u64::from(op.start), Some(&op.op).filter(|_| !failed(place))).map_err(told)? {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

fn all_said(seed: u64) -> [Said; 3] {
    match seed % 5 {
        0 => said(&CasRegister::default(), seed / 5, |random| match random.random_range(0..3) {
            0 => RegisterOp::Read(value(random)),
            1 => RegisterOp::Write(value(random)),
            _ => RegisterOp::Cas(value(random), value(random)),
        }),
        1 => said(&Bag::default(), seed / 5, container),
        2 => said(&Queue::default(), seed / 5, container),
        3 => said(&Counter::default(), seed / 5, |random| match random.random_range(0..2) {
            0 => CounterOp::Add(random.random_range(-1..3)),
            _ => CounterOp::Read(random.random_range(0..5)),
        }),
        _ => said(&super::Versioned, seed / 5, super::hinted),
    }
}

/// What is said with every condition is held against the oracle by the other tests.
#[test]
fn every_condition_is_needed() {
    let case = |seed| (seed, all_said(seed));
    let idle: Vec<Condition> = idle(30_000, case, |(seed, said)| all_said(*seed) == *said);
    assert!(idle.is_empty(), "nothing goes wrong without {idle:?}");
}
