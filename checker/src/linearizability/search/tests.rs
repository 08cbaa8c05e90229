//! Each arm alone and both together against every order tried, and against one another where there are
//! too many orders to try.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::budget::Budget;
use crate::history::op::Value;
use crate::linearizability::partition::NEVER;
use crate::model::{AppendList, CasRegister, ListOp, RegisterOp, Steps};

/// `CHECKER_SEEDS=N` asks for another number, for a night.
fn seeds(usual: u64) -> u64 {
    std::env::var("CHECKER_SEEDS").map_or(usual, |seeds| seeds.parse().unwrap())
}

/// What histories to make.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) ops: usize,
    /// How many operations may be open around each moment.
    pub(crate) width: u32,
    pub(crate) unknown_percent: u32,
}

/// Operations that some order explains, made by running the model, then spoiled in so many places.
pub(crate) fn random_ops<M: Model>(
    model: &M,
    shape: Shape,
    spoiled: usize,
    random: &mut ChaCha8Rng,
    mut op: impl FnMut(&mut ChaCha8Rng) -> M::Op,
) -> Vec<SearchOp<M::Op>> {
    let mut state = model.initial();
    // Moments are far apart, so that starts and ends find room between them.
    let mut timed: Vec<(u32, u32, M::Op)> = Vec::new();
    let mut moment = 1000;
    while timed.len() < shape.ops {
        moment += 100;
        let op = op(random);
        let unknown = random.random_range(0..100) < shape.unknown_percent;
        let mut next = Vec::new();
        model.steps(&state, &op, &mut Steps::new(&mut next, None)).unwrap();
        let start = moment - random.random_range(1..=100 * shape.width).min(moment - 1);
        let end = moment + random.random_range(1..=100 * shape.width);
        let happened = !next.is_empty() && (!unknown || random.random_ratio(1, 2));
        if happened {
            state = next.swap_remove(random.random_range(0..next.len()));
        } else if !unknown {
            continue;
        }
        if unknown && model.is_pure(&op) {
            continue;
        }
        timed.push((start, if unknown { NEVER } else { end }, op));
    }
    for _ in 0..spoiled {
        if timed.is_empty() {
            break;
        }
        let (place, other) = (random.random_range(0..timed.len()), random.random_range(0..timed.len()));
        match random.random_range(0..4) {
            0 => timed[place].2 = op(random),
            1 if timed[place].1 != NEVER => timed[place].1 = timed[place].0 + 1,
            2 => {
                let moved = timed[other].2.clone();
                timed[other].2 = std::mem::replace(&mut timed[place].2, moved);
            }
            _ if timed[place].1 != NEVER => timed[place].0 = timed[place].1 - 1,
            _ => {}
        }
        timed.retain(|(_, end, op)| *end != NEVER || !model.is_pure(op));
    }
    ranked(timed)
}

/// Positions of one order, all different.
fn ranked<O>(timed: Vec<(u32, u32, O)>) -> Vec<SearchOp<O>> {
    let mut events: Vec<(u32, usize, bool)> = Vec::new();
    for (number, (start, end, _)) in timed.iter().enumerate() {
        events.push((*start, number, false));
        if *end != NEVER {
            events.push((*end, number, true));
        }
    }
    // At a tie starts come first: the interval is closed.
    events.sort_unstable_by_key(|(at, number, is_end)| (*at, *is_end, *number));
    let mut spans = vec![(0, NEVER); timed.len()];
    for (position, (_, number, is_end)) in events.into_iter().enumerate() {
        let position = position as u32 + 1;
        if is_end { spans[number].1 = position } else { spans[number].0 = position }
    }
    let ops = timed.into_iter().zip(spans);
    ops.map(|((_, _, op), (start, end))| SearchOp { op, start, end }).collect()
}

/// Every order tried: the number of completed operations, by end, that can't all be got past, or none.
pub(crate) fn brute_force<M: Model>(model: &M, ops: &[SearchOp<M::Op>]) -> Option<usize> {
    let mut by_end: Vec<usize> = (0..ops.len()).filter(|number| ops[*number].end != NEVER).collect();
    by_end.sort_by_key(|number| ops[*number].end);
    for due in &by_end {
        // Everything that ended by then is to be placed; what began before and ended later may be.
        let limit = ops[*due].end;
        let mut rest: Vec<(u32, u32, &M::Op)> = ops
            .iter()
            .filter(|op| op.start < limit)
            .map(|op| (op.start, if op.end <= limit { op.end } else { NEVER }, &op.op))
            .collect();
        if !place_rest(model, &model.initial(), &mut rest) {
            return Some(*due);
        }
    }
    None
}

fn place_rest<M: Model>(model: &M, state: &M::State, rest: &mut Vec<(u32, u32, &M::Op)>) -> bool {
    let first_end = rest.iter().map(|op| op.1).min().unwrap_or(NEVER);
    if first_end == NEVER {
        return true;
    }
    for index in 0..rest.len() {
        let op = rest[index];
        if op.0 < first_end {
            let mut next = Vec::new();
            model.steps(state, op.2, &mut Steps::new(&mut next, None)).unwrap();
            rest.swap_remove(index);
            let found = next.iter().any(|state| place_rest(model, state, rest));
            rest.push(op);
            let last = rest.len() - 1;
            rest.swap(index, last);
            if found {
                return true;
            }
        }
    }
    false
}

fn arm<M: Model>(model: &M, ops: &[SearchOp<M::Op>], arms: Arms, told: Told) -> Answer<M::State> {
    let meter = Meter::new(&Budget::default());
    let limits = Limits { meter: &meter, steps_max: u64::MAX, told };
    let plan = Plan::new(model, ops);
    // Masks of another size than needed must make no difference.
    match ops.len() % 3 {
        0 if plan.slots <= 64 => Search::<M, [u64; 1]>::run(model, &plan, limits, arms).answer,
        1 if plan.slots <= 256 => Search::<M, [u64; 4]>::run(model, &plan, limits, arms).answer,
        _ => Search::<M, Box<[u64]>>::run(model, &plan, limits, arms).answer,
    }
}

/// Whether an order is one: all completed operations once, in real time, each possible.
fn assert_order<M: Model>(model: &M, ops: &[SearchOp<M::Op>], order: &[usize], text: &str) {
    let mut states = vec![model.initial()];
    let mut placed = vec![false; ops.len()];
    let mut latest_start = 0;
    for &number in order {
        assert!(!std::mem::replace(&mut placed[number], true), "twice: {text}");
        assert!(ops[number].end > latest_start, "against real time: {text}");
        latest_start = latest_start.max(ops[number].start);
        let mut next = Vec::new();
        for state in &states {
            model.steps(state, &ops[number].op, &mut Steps::new(&mut next, None)).unwrap();
        }
        states = next;
        assert!(!states.is_empty(), "impossible: {text}");
    }
    assert!(ops.iter().zip(&placed).all(|(op, placed)| *placed || op.end == NEVER), "left out: {text}");
}

/// Holds every arm against the truth, and tells it: the first operation that no order gets past.
fn judge<M: Model>(model: &M, ops: &[SearchOp<M::Op>], truth: Option<Option<usize>>, seed: u64) -> bool {
    let mut truth = truth;
    let asked = [
        (Arms::Depth, Told::Order),
        (Arms::Breadth, Told::Order),
        (Arms::Both, Told::Order),
        (Arms::Both, Told::Verdict),
        (Arms::Both, Told::Story),
    ];
    for (arms, told) in asked {
        let answer = arm(model, ops, arms, told);
        let text = format!("seed {seed}, {arms:?} {told:?}, truth {truth:?}: {answer:?}\n{ops:#?}");
        let found = match &answer {
            Answer::Valid { order } => {
                if told != Told::Verdict {
                    assert_order(model, ops, order, &text);
                }
                None
            }
            Answer::Invalid { stuck, .. } => Some(*stuck),
            Answer::Exhausted { .. } => panic!("{text}"),
        };
        assert_eq!(found, *truth.get_or_insert(found), "{text}");
    }
    truth.flatten().is_none()
}

/// Small histories against the truth, then larger ones arm against arm.
fn agree<M: Model>(model: &M, op: impl Fn(&mut ChaCha8Rng) -> M::Op, small: u64, large: u64) {
    let (mut valid, mut invalid) = (0, 0);
    for seed in 0..seeds(small) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let shape = Shape {
            ops: random.random_range(1..=8),
            width: random.random_range(1..=6),
            unknown_percent: [0, 0, 20, 40][seed as usize % 4],
        };
        let spoiled = [0, 1, 2, 4][seed as usize / 4 % 4];
        let ops = random_ops(model, shape, spoiled, &mut random, &op);
        let truth = brute_force(model, &ops);
        assert!(spoiled > 0 || truth.is_none(), "seed {seed}: the history is not what it should be");
        if judge(model, &ops, Some(truth), seed) { valid += 1 } else { invalid += 1 }
    }
    println!("{}: {valid} valid, {invalid} invalid", model.name());
    assert!(valid > seeds(small) / 4 && invalid > seeds(small) / 10);
    for seed in 0..large {
        let mut random = ChaCha8Rng::seed_from_u64(!seed);
        let width = random.random_range(1..=3);
        let shape = Shape { ops: 60, width, unknown_percent: [0, 3][seed as usize % 2] };
        let ops = random_ops(model, shape, [0, 1][seed as usize / 2 % 2], &mut random, &op);
        judge(model, &ops, None, seed);
    }
}

fn value(random: &mut ChaCha8Rng) -> Value {
    Value::Int(random.random_range(0..3))
}

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
