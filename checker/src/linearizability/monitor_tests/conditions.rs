//! The conditions of the monitors are dropped one by one.

use std::sync::Arc;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{container, counted, element, lock, permit};
use crate::history::op::Value;
use crate::linearizability::condition::idle;
use crate::linearizability::inclusion;
use crate::linearizability::monitor_condition::Condition;
use crate::linearizability::partition::{NEVER, Span};
use crate::linearizability::search::tests::{Shape, random_ops};
use crate::model::{
    Bag, ContainerOp, Counter, CounterOp, ElementSet, GrowSet, Model, Mutex, PriorityQueue, Queue, Quick,
    SearchOp, Semaphore, SetOp, Stack,
};

/// The verdict, and with a violation of a lock the operation that fails.
type Said = Option<(bool, Option<usize>)>;

/// A history of this model, which some order explains or not.
fn history<M: Model>(
    model: &M,
    seed: u64,
    op: impl Fn(&mut ChaCha8Rng, &mut i64) -> M::Op,
) -> Vec<SearchOp<M::Op>> {
    let random = &mut ChaCha8Rng::seed_from_u64(seed);
    let (ops, width) = (random.random_range(2..=9), random.random_range(1..=6));
    let shape = Shape { ops, width, unknown_percent: [0, 0, 15, 30][seed as usize % 4] };
    let mut fresh = 0;
    random_ops(model, shape, [0, 1, 2, 4][seed as usize / 4 % 4], random, |random| op(random, &mut fresh))
}

fn said<M: Model>(model: &M, ops: &[SearchOp<M::Op>], tells_where: bool) -> Said {
    match model.quick(ops) {
        Quick::NotApplicable => None,
        Quick::Valid => Some((true, None)),
        Quick::Violation(violation) => Some((false, tells_where.then_some(violation.failing))),
    }
}

fn of_container<M: Model<Op = ContainerOp>>(model: &M, seed: u64, peeks: bool) -> Said {
    let mut ops = history(model, seed, |random, fresh| match random.random_range(0..12) {
        0 if seed.is_multiple_of(3) => ContainerOp::Put(Value::Int(1)),
        1..4 if seed % 3 == 1 => ContainerOp::Empty,
        _ => container(random, fresh, peeks),
    });
    // Most takes of unknown outcome do not tell what they took; those that do are for the search.
    let lost = |op: &SearchOp<ContainerOp>| op.end == NEVER && matches!(op.op, ContainerOp::Take(_));
    ops.iter_mut()
        .filter(|op| !seed.is_multiple_of(5) && lost(op))
        .for_each(|op| op.op = ContainerOp::TakeUnknown);
    said(model, &ops, false)
}

/// A growing set: the second element of a read may be shown twice, and one element be added again.
fn of_set(seed: u64) -> Said {
    let ops = history(&GrowSet, seed, |random, fresh| match random.random_range(0..2) {
        0 if random.random_ratio(1, 12) => SetOp::Add(Value::Int(1)),
        0 => {
            *fresh += 1;
            SetOp::Add(Value::Int(*fresh))
        }
        _ => {
            let seen = (1..=*fresh).filter(|_| random.random_ratio(2, 3)).map(Value::Int);
            SetOp::Read(Arc::new(seen.collect()))
        }
    });
    let mut set = inclusion::Set::default();
    let number = |value: &Value| value.as_int().map_or(0, |value| value as u32);
    for (call, SearchOp { op, start, end }) in ops.iter().enumerate() {
        let span = Span { start: *start, end: *end };
        match op {
            SetOp::Add(value) => set.adds.push(inclusion::Add { call, element: number(value), span }),
            SetOp::Read(seen) => {
                let mut elements: Vec<u32> = seen.iter().map(number).collect();
                if seed.is_multiple_of(11) {
                    elements.extend(elements.first().copied());
                }
                set.reads.push(inclusion::Read { call, elements, span });
            }
            SetOp::ReadTwice(_) => {}
        }
    }
    set.elements = (0..32).map(Value::Int).collect();
    match inclusion::judge(&set) {
        inclusion::Answer::NotUnique => None,
        inclusion::Answer::Valid => Some((true, None)),
        inclusion::Answer::Violation(_) => Some((false, None)),
    }
}

fn of_counter(seed: u64) -> Said {
    let initial = if seed.is_multiple_of(7) { i64::MAX - 5 } else { 0 };
    let ops = history(&Counter::starting_with(initial), seed, |random, _| {
        match counted(random, [0, 2][seed as usize % 2]) {
            CounterOp::Read(value) => CounterOp::Read(initial.wrapping_add(value)),
            add => add,
        }
    });
    said(&Counter::starting_with(initial), &ops, true)
}

/// The more urgent value comes while the other is taken, and goes before a look at that ends.
fn a_look_that_ends_after_the_take() -> Said {
    let op = |op: fn(Value) -> ContainerOp, value: i64, start, end| SearchOp {
        op: op(Value::Int(value)),
        start,
        end,
    };
    let ops = [
        op(ContainerOp::Put, 1, 1, 2),
        op(ContainerOp::Take, 1, 3, 10),
        op(ContainerOp::Put, 5, 4, 5),
        op(ContainerOp::Peek, 1, 6, 13),
        op(ContainerOp::Take, 5, 11, 12),
    ];
    said(&PriorityQueue::default(), &ops, false)
}

fn said_of(seed: u64) -> Said {
    if seed == 0 {
        return a_look_that_ends_after_the_take();
    }
    let (kind, seed) = (seed % 10, seed / 10);
    match kind {
        0 | 1 => of_container(&Queue::default(), seed, false),
        2 => of_container(&Stack::default(), seed, false),
        3 => of_container(&PriorityQueue::default(), seed, true),
        4 => of_container(&Bag::default(), seed, true),
        5 => said(&ElementSet, &history(&ElementSet, seed, |random, _| element(random)), true),
        6 => said(&Mutex, &history(&Mutex, seed, |random, _| lock(random)), true),
        7 => {
            let permits = 1 + seed as u32 % 3;
            let model = Semaphore::of(permits);
            said(&model, &history(&model, seed, |random, _| permit(random, 1)), true)
        }
        8 => of_set(seed),
        _ => of_counter(seed),
    }
}

/// What is said with every condition is held against the oracle by the other tests.
#[test]
fn every_condition_is_needed() {
    let case = |seed| (seed, said_of(seed));
    let idle: Vec<Condition> = idle(200_000, case, |(seed, said)| said_of(*seed) == *said);
    assert!(idle.is_empty(), "nothing goes wrong without {idle:?}");
}
