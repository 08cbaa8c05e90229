//! The arms on every object.

use std::sync::Arc;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{agree, agree_but, value};
use crate::history::op::Value;
use crate::model::{
    AppendList, Bag, CasRegister, ContainerOp, Counter, CounterOp, ElementOp, ElementSet, FencedLock,
    FencedOp, Kv, KvMap, KvOp, ListOp, MicroOp, MultiRegister, OwnerOp, PriorityQueue, Queue, ReentrantLock,
    RegisterOp, Semaphore, SemaphoreOp, Stack,
};

#[test]
fn arms_agree_on_registers() {
    let op = |random: &mut ChaCha8Rng| match random.random_range(0..3) {
        0 => RegisterOp::Read(value(random)),
        1 => RegisterOp::Write(value(random)),
        _ => RegisterOp::Cas(value(random), value(random)),
    };
    agree(&CasRegister::default(), op, 3_000, 100);
}

#[test]
fn arms_agree_on_lists() {
    let op = |random: &mut ChaCha8Rng| match random.random_range(0..2) {
        0 => ListOp::Append(value(random)),
        _ => ListOp::Read((0..random.random_range(0..4)).map(|_| value(random)).collect()),
    };
    agree(&AppendList, op, 3_000, 0);
}

/// Puts and takes of few values, takes that do not tell what they took among them.
pub(super) fn container(random: &mut ChaCha8Rng) -> ContainerOp {
    match random.random_range(0..8) {
        0..3 => ContainerOp::Put(value(random)),
        3..5 => ContainerOp::Take(value(random)),
        5 => ContainerOp::TakeUnknown,
        6 => ContainerOp::Peek(value(random)),
        _ => ContainerOp::Empty,
    }
}

#[test]
fn arms_agree_on_queues() {
    agree_but(&Queue::default(), container, |op| *op == ContainerOp::TakeUnknown, 2_000, 0);
}

#[test]
fn arms_agree_on_stacks() {
    agree_but(&Stack::default(), container, |op| *op == ContainerOp::TakeUnknown, 2_000, 0);
}

#[test]
fn arms_agree_on_bags_where_a_take_may_lead_to_several_states() {
    agree_but(&Bag::default(), container, |op| *op == ContainerOp::TakeUnknown, 3_000, 0);
}

#[test]
fn arms_agree_on_priority_queues() {
    agree_but(&PriorityQueue::default(), container, |op| *op == ContainerOp::TakeUnknown, 1_000, 0);
}

#[test]
fn arms_agree_on_texts_of_which_most_are_never_seen() {
    let texts = ["a", "b", "ab", "ba", ""];
    let op = |random: &mut ChaCha8Rng| {
        let text = texts[random.random_range(0..5)].into();
        match random.random_range(0..4) {
            0 => KvOp::Put(text),
            1 | 2 => KvOp::Append(text),
            _ => KvOp::Get(text),
        }
    };
    agree(&Kv, op, 2_000, 60);
    agree(&KvMap, |random| (value(random), op(random)), 2_000, 60);
}

#[test]
fn arms_agree_on_sets() {
    let op = |random: &mut ChaCha8Rng| {
        let answer = [None, Some(true), Some(false)][random.random_range(0..3)];
        match random.random_range(0..4) {
            0 => ElementOp::Add(value(random), answer),
            1 => ElementOp::Remove(value(random), answer),
            2 => ElementOp::Contains(value(random), answer == Some(true)),
            _ => {
                let elements = (0..random.random_range(0..3)).map(|_| value(random)).collect();
                ElementOp::Read(random.random_ratio(9, 10).then(|| Arc::new(elements)))
            }
        }
    };
    agree(&ElementSet, op, 2_000, 30);
}

#[test]
fn arms_agree_on_locks() {
    let owner = |random: &mut ChaCha8Rng| Value::Int(random.random_range(0..2));
    let op = |random: &mut ChaCha8Rng| match random.random_range(0..5) {
        0 | 1 => OwnerOp::Acquire(owner(random)),
        2 | 3 => OwnerOp::Release(owner(random)),
        _ => OwnerOp::Refused(owner(random)),
    };
    agree(&ReentrantLock::at_most(2), op, 2_000, 60);
    let op = |random: &mut ChaCha8Rng| match random.random_range(0..2) {
        0 => {
            let token = random.random_ratio(3, 4).then(|| random.random_range(0..12));
            FencedOp::Acquire(owner(random), token)
        }
        _ => FencedOp::Release(owner(random)),
    };
    agree(&FencedLock, op, 2_000, 0);
}

#[test]
fn arms_agree_on_counters_and_permits() {
    let op = |random: &mut ChaCha8Rng| match random.random_range(0..2) {
        0 => CounterOp::Add(random.random_range(-1..3)),
        _ => CounterOp::Read(random.random_range(0..5)),
    };
    agree(&Counter::default(), op, 2_000, 60);
    let op = |random: &mut ChaCha8Rng| match random.random_range(0..3) {
        0 => SemaphoreOp::Acquire(random.random_range(1..3)),
        1 => SemaphoreOp::Release(random.random_range(1..3)),
        _ => SemaphoreOp::Refused(random.random_range(1..3)),
    };
    agree(&Semaphore::of(3), op, 2_000, 60);
}

#[test]
fn arms_agree_on_several_registers() {
    let op = |random: &mut ChaCha8Rng| {
        let micro_ops = (0..random.random_range(1..3)).map(|_| {
            let register = Value::Int(random.random_range(0..2));
            match random.random_range(0..2) {
                0 => MicroOp::Read(
                    register,
                    if random.random_ratio(1, 4) { Value::Nil } else { value(random) },
                ),
                _ => MicroOp::Write(register, value(random)),
            }
        });
        micro_ops.collect::<Arc<[MicroOp]>>()
    };
    agree(&MultiRegister::default(), op, 2_000, 60);
}
