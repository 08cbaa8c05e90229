//! Every monitor against every order tried, its evidence alone too, and against the search where there are
//! too many orders to try.

mod conditions;

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::search::tests::{Shape, brute_force, random_ops};
use super::search::{self, Answer, Limits, Told};
use crate::budget::{Budget, Meter};
use crate::history::op::Value;
use crate::model::{
    Bag, ContainerOp, Counter, CounterOp, ElementOp, ElementSet, LockOp, Model, Mutex, PriorityQueue, Queue,
    Quick, SearchOp, Semaphore, SemaphoreOp, Stack,
};

fn seeds() -> u64 {
    std::env::var("CHECKER_SEEDS").map_or(6_000, |seeds| seeds.parse().unwrap())
}

#[derive(Debug, Default)]
struct Tally {
    valid: u64,
    invalid: u64,
    undecided: u64,
    rules: BTreeMap<&'static str, u64>,
}

fn agree<M: Model>(
    model: &M,
    op: impl Fn(&mut ChaCha8Rng, &mut i64) -> M::Op,
    fits: impl Fn(&[SearchOp<M::Op>]) -> bool,
    alone_impossible: bool,
) -> Tally {
    let mut tally = Tally::default();
    for seed in 0..seeds() {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let shape = Shape {
            ops: random.random_range(2..=9),
            width: random.random_range(1..=6),
            unknown_percent: [0, 0, 15, 30][seed as usize % 4],
        };
        let mut fresh = 0;
        let ops = random_ops(model, shape, [0, 1, 2, 4][seed as usize / 4 % 4], &mut random, |random| {
            op(random, &mut fresh)
        });
        if !fits(&ops) {
            continue;
        }
        let text = || format!("{} seed {seed}: {:?}\n{ops:#?}", model.name(), model.quick(&ops));
        let truth = brute_force(model, &ops);
        match model.quick(&ops) {
            Quick::NotApplicable => tally.undecided += 1,
            Quick::Valid => {
                assert!(truth.is_none(), "{}", text());
                tally.valid += 1;
            }
            Quick::Violation(violation) => {
                assert!(truth.is_some(), "{}", text());
                tally.invalid += 1;
                *tally.rules.entry(violation.rule).or_default() += 1;
                let mut places: Vec<usize> = violation.ops.iter().map(|(place, _)| *place).collect();
                assert!(places.contains(&violation.failing), "{}", text());
                places.sort_unstable();
                assert!(places.windows(2).all(|pair| pair[0] != pair[1]), "twice: {}", text());
                if alone_impossible {
                    let alone: Vec<_> = places.iter().map(|place| ops[*place].clone()).collect();
                    assert!(brute_force(model, &alone).is_some(), "evidence: {}", text());
                } else {
                    assert_eq!(Some(violation.failing), truth, "{}", text());
                }
            }
        }
    }
    println!("{}: {tally:#?}", model.name());
    assert!(tally.valid > seeds() / 8 && tally.invalid > seeds() / 16, "{tally:?}");
    tally
}

/// Puts of new values, takes of values that may be there, and what finds nothing.
fn container(random: &mut ChaCha8Rng, fresh: &mut i64, peeks: bool) -> ContainerOp {
    match random.random_range(0..9) {
        0..3 => {
            *fresh += 1;
            // Not in order, or a priority queue would be a stack.
            ContainerOp::Put(Value::Int(*fresh * 7 % 11))
        }
        3..7 => ContainerOp::Take(Value::Int(random.random_range(1..=fresh.max(&mut 1).to_owned()) * 7 % 11)),
        7 if peeks => {
            ContainerOp::Peek(Value::Int(random.random_range(1..=fresh.max(&mut 1).to_owned()) * 7 % 11))
        }
        7 => ContainerOp::Empty,
        _ if random.random_ratio(1, 2) => ContainerOp::Empty,
        _ => ContainerOp::Take(Value::Int(1)),
    }
}

/// A take whose outcome is unknown does not tell what it took.
fn forget(ops: &[SearchOp<ContainerOp>]) -> bool {
    ops.iter().all(|op| op.end != u32::MAX || !matches!(op.op, ContainerOp::Take(_)))
}

/// A model whose unknown takes tell nothing, by leaving it to the generator.
fn containers<M: Model<Op = ContainerOp>>(model: &M, peeks: bool) -> Tally {
    let takers = |random: &mut ChaCha8Rng, fresh: &mut i64| match random.random_range(0..12) {
        0 => ContainerOp::TakeUnknown,
        _ => container(random, fresh, peeks),
    };
    // A completed take of unknown value is none that a client could have recorded.
    let possible = |ops: &[SearchOp<ContainerOp>]| {
        forget(ops) && ops.iter().all(|op| op.end == u32::MAX || op.op != ContainerOp::TakeUnknown)
    };
    agree(model, takers, possible, true)
}

#[test]
fn queues_are_judged_as_by_every_order() {
    let tally = containers(&Queue::default(), false);
    assert!(tally.undecided == 0 && tally.rules.len() >= 5, "{tally:?}");
}

#[test]
fn stacks_are_judged_as_by_every_order() {
    let tally = containers(&Stack::default(), false);
    assert!(tally.undecided < tally.valid / 5 && tally.rules.len() >= 5, "{tally:?}");
}

#[test]
fn priority_queues_are_judged_as_by_every_order() {
    let tally = containers(&PriorityQueue::default(), true);
    assert!(tally.undecided < tally.valid / 5 && tally.rules.len() >= 5, "{tally:?}");
    containers(&PriorityQueue::least_first(), true);
}

#[test]
fn bags_are_judged_as_by_every_order() {
    let tally = containers(&Bag::default(), true);
    assert!(tally.undecided < tally.valid / 5 && tally.rules.len() >= 4, "{tally:?}");
}

#[test]
fn sets_are_judged_as_by_every_order() {
    let tally = agree(&ElementSet, |random, _| element(random), |_| true, true);
    assert_eq!(tally.undecided, 0);
}

fn element(random: &mut ChaCha8Rng) -> ElementOp {
    let (value, answer) = (Value::Int(random.random_range(0..2)), random.random_ratio(2, 3));
    match random.random_range(0..5) {
        0 | 1 => ElementOp::Add(value, Some(answer)),
        2 | 3 => ElementOp::Remove(value, Some(answer)),
        _ => ElementOp::Contains(value, answer),
    }
}

#[test]
fn locks_are_judged_as_by_every_order() {
    let tally = agree(&Mutex, |random, _| lock(random), |_| true, false);
    assert_eq!(tally.undecided, 0);
}

fn lock(random: &mut ChaCha8Rng) -> LockOp {
    [LockOp::Acquire, LockOp::Release, LockOp::Refused][random.random_range(0..3)]
}

#[test]
fn semaphores_are_judged_as_by_every_order() {
    for permits in 1..4 {
        let tally = agree(&Semaphore::of(permits), |random, _| permit(random, permits), |_| true, false);
        assert_eq!(tally.undecided, 0);
    }
}

fn permit(random: &mut ChaCha8Rng, permits: u32) -> SemaphoreOp {
    match random.random_range(0..4) {
        0 | 1 => SemaphoreOp::Acquire(1),
        2 => SemaphoreOp::Release(1),
        // A look at more than one permit is for the search.
        _ if permits == 1 => SemaphoreOp::Refused(1),
        _ => SemaphoreOp::Release(1),
    }
}

#[test]
fn what_is_said_of_counters_is_so() {
    for lowers in [0, 2] {
        let mut tally = Tally::default();
        for seed in 0..seeds() {
            let random = &mut ChaCha8Rng::seed_from_u64(seed);
            let (ops, width) = (random.random_range(2..=9), random.random_range(1..=6));
            let shape = Shape { ops, width, unknown_percent: [0, 15][seed as usize % 2] };
            let ops =
                random_ops(&Counter::default(), shape, [0, 1, 2][seed as usize % 3], random, |random| {
                    counted(random, lowers)
                });
            let truth = brute_force(&Counter::default(), &ops);
            match (Counter::default().quick(&ops), truth) {
                (Quick::Violation(found), Some(_)) => {
                    assert!(ops[found.failing].end != u32::MAX, "seed {seed}: {found:?} {ops:#?}");
                    *tally.rules.entry(found.rule).or_default() += 1;
                    tally.invalid += 1;
                }
                (Quick::NotApplicable, None) => tally.valid += 1,
                (Quick::NotApplicable, Some(_)) => tally.undecided += 1,
                (answer, truth) => panic!("seed {seed}: {answer:?}, {truth:?} {ops:#?}"),
            }
        }
        println!("{tally:?}");
        assert!(tally.valid > seeds() / 8 && tally.invalid > 4 * tally.undecided, "{tally:?}");
        assert_eq!(tally.rules.len(), 2, "{tally:?}");
    }
}

fn counted(random: &mut ChaCha8Rng, lowers: i64) -> CounterOp {
    match random.random_range(0..2) {
        0 => CounterOp::Add(random.random_range(1 - lowers..=3)),
        _ => CounterOp::Read(random.random_range(0..9)),
    }
}

/// Long histories, monitor against search; the search may give up.
fn agree_when_long<M: Model<Op = ContainerOp>>(model: &M) {
    let mut decided = [0; 2];
    for seed in 0..60 {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let shape = Shape { ops: 120, width: 2, unknown_percent: 0 };
        let mut fresh = 0;
        let ops = random_ops(model, shape, [0, 1, 3][seed as usize % 3], &mut random, |random| {
            let full = fresh > 4 && random.random_ratio(2, 3);
            match random.random_range(0..8) {
                0..5 if !full => {
                    fresh += 1;
                    ContainerOp::Put(Value::Int(fresh * 101 % 127))
                }
                7 => ContainerOp::Empty,
                _ => ContainerOp::Take(Value::Int(random.random_range(1..=fresh.max(1)) * 101 % 127)),
            }
        });
        let meter = Meter::new(&Budget { memory_bytes: 64 << 20, ..Budget::default() });
        let limits = Limits { meter: &meter, steps_max: 20_000, told: Told::Verdict };
        let truth = match search::search(model, &ops, limits).answer {
            Answer::Valid { .. } => true,
            Answer::Invalid { .. } => false,
            Answer::Exhausted { .. } => continue,
        };
        let quick = model.quick(&ops);
        match &quick {
            Quick::Valid => assert!(truth, "{} seed {seed}", model.name()),
            Quick::Violation(_) => assert!(!truth, "{} seed {seed}: {quick:?}", model.name()),
            Quick::NotApplicable => continue,
        }
        decided[usize::from(truth)] += 1;
    }
    println!("{}: {decided:?}", model.name());
    assert!(decided.iter().all(|count| *count > 5), "{}: {decided:?}", model.name());
}

#[test]
fn long_histories_are_judged_as_by_search() {
    agree_when_long(&Queue::default());
    agree_when_long(&Stack::default());
    agree_when_long(&PriorityQueue::default());
    agree_when_long(&Bag::default());
}
