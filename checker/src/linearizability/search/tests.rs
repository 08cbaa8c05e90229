//! Each arm alone and both together against every order tried, and against one another where there are
//! too many orders to try; `objects` has the models.

mod conditions;
mod objects;

use std::sync::Arc;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::budget::Budget;
use crate::history::op::Value;
use crate::linearizability::partition::NEVER;
use crate::model::{AppendList, CasRegister, Counter, CounterOp, ListOp, OutOfBudget, RegisterOp, Steps};

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
        let alike = std::mem::discriminant(&timed[place].2) == std::mem::discriminant(&timed[other].2);
        match random.random_range(0..5) {
            0 => timed[place].2 = op(random),
            1 if timed[place].1 != NEVER => timed[place].1 = timed[place].0 + 1,
            // Two that are alike change places, or any two.
            2 | 3 if alike || random.random_ratio(1, 4) => {
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

/// What one attempt may take.
const STEPS_MAX: u64 = 20_000;

fn arm<M: Model>(model: &M, ops: &[SearchOp<M::Op>], arms: Arms, told: Told) -> Answer<M::State> {
    let meter = Meter::new(&Budget { memory_bytes: 64 << 20, ..Budget::default() });
    let limits = Limits { meter: &meter, steps_max: STEPS_MAX, told };
    // Masks of another size than needed must make no difference.
    let outcome = searched(model, ops, limits, |states, plan| match ops.len() % 3 {
        0 if plan.slots <= 64 => Search::<[u64; 1]>::run(states, plan, limits, arms),
        1 if plan.slots <= 256 => Search::<[u64; 4]>::run(states, plan, limits, arms),
        _ => Search::<Box<[u64]>>::run(states, plan, limits, arms),
    });
    outcome.answer
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
            // One arm alone may take too long over a long one.
            Answer::Exhausted { .. } if ops.len() > 20 => continue,
            Answer::Exhausted { .. } => panic!("{text}"),
        };
        assert_eq!(found, *truth.get_or_insert(found), "{text}");
    }
    truth.flatten().is_none()
}

/// The same with the outcomes unknown of operations that say so.
fn recorded<O>(mut ops: Vec<SearchOp<O>>, unknown: &impl Fn(&O) -> bool) -> Vec<SearchOp<O>> {
    ops.iter_mut().filter(|op| unknown(&op.op)).for_each(|op| op.end = NEVER);
    ops
}

fn agree<M: Model>(model: &M, op: impl Fn(&mut ChaCha8Rng) -> M::Op, small: u64, large: u64) {
    agree_but(model, op, |_| false, small, large);
}

/// Small histories against the truth, then larger ones arm against arm. Some operations can only be
/// recorded with an unknown outcome.
fn agree_but<M: Model>(
    model: &M,
    op: impl Fn(&mut ChaCha8Rng) -> M::Op,
    unknown: impl Fn(&M::Op) -> bool,
    small: u64,
    large: u64,
) {
    let (mut valid, mut invalid) = (0, 0);
    for seed in 0..seeds(small) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let shape = Shape {
            ops: random.random_range(1..=8),
            width: random.random_range(1..=6),
            unknown_percent: [0, 0, 20, 40][seed as usize % 4],
        };
        let spoiled = [0, 1, 2, 4][seed as usize / 4 % 4];
        let ops = recorded(random_ops(model, shape, spoiled, &mut random, &op), &unknown);
        let truth = brute_force(model, &ops);
        assert!(spoiled > 0 || truth.is_none(), "seed {seed}: the history is not what it should be");
        if judge(model, &ops, Some(truth), seed) { valid += 1 } else { invalid += 1 }
    }
    println!("{}: {valid} valid, {invalid} invalid", model.name());
    assert!(valid > seeds(small) / 4 && invalid > seeds(small) / 40, "{valid} valid, {invalid} invalid");
    for seed in 0..large {
        let mut random = ChaCha8Rng::seed_from_u64(!seed);
        let width = random.random_range(1..=3);
        let shape = Shape { ops: 60, width, unknown_percent: [0, 3][seed as usize % 2] };
        let ops = random_ops(model, shape, [0, 1][seed as usize / 2 % 2], &mut random, &op);
        let ops = recorded(ops, &unknown);
        judge(model, &ops, None, seed);
    }
}

fn value(random: &mut ChaCha8Rng) -> Value {
    Value::Int(random.random_range(0..3))
}

/// A register whose writes say when they took effect; the hint may be wrong.
#[derive(Clone)]
struct Versioned;

impl Model for Versioned {
    type Op = (RegisterOp, Option<u64>);
    type State = Value;

    fn name(&self) -> &str {
        "versioned register"
    }

    fn decode(&self, _call: &crate::history::pair::Call<'_>) -> Result<Option<Self::Op>, String> {
        Ok(None)
    }

    fn initial(&self) -> Value {
        Value::Nil
    }

    fn step(&self, state: &Value, (op, _): &Self::Op) -> Option<Value> {
        CasRegister::default().step(state, op)
    }

    fn is_pure(&self, (op, _): &Self::Op) -> bool {
        CasRegister::default().is_pure(op)
    }

    fn order_hint(&self, (_, hint): &Self::Op) -> Option<u64> {
        *hint
    }
}

#[test]
fn a_hint_that_is_wrong_changes_no_verdict() {
    agree(&Versioned, hinted, 2_000, 60);
}

fn hinted(random: &mut ChaCha8Rng) -> (RegisterOp, Option<u64>) {
    let op = match random.random_range(0..3) {
        0 => RegisterOp::Read(value(random)),
        1 => RegisterOp::Write(value(random)),
        _ => RegisterOp::Cas(value(random), value(random)),
    };
    (op, random.random_ratio(2, 3).then(|| random.random_range(0..9)))
}

/// Many writes open at once, and reads that show one order of them: without hints, a long search.
#[test]
fn a_hint_that_is_right_is_all_that_it_takes() {
    let width = 40;
    let mut ops: Vec<SearchOp<(RegisterOp, Option<u64>)>> = Vec::new();
    for number in 0..width {
        // The first to begin is the last to take effect, and every cas says what it found.
        let (old, new) = (i64::from(number) + 1, i64::from(number));
        let old = if number == width - 1 { Value::Nil } else { Value::Int(old) };
        let op = (RegisterOp::Cas(old, Value::Int(new)), Some(u64::from(width - number)));
        ops.push(SearchOp { op, start: number + 1, end: width + number + 1 });
    }
    let meter = Meter::new(&Budget::default());
    let limits = Limits { meter: &meter, steps_max: u64::MAX, told: Told::Order };
    let outcome = search(&Versioned, &ops, limits);
    let Answer::Valid { order } = outcome.answer else { panic!("{outcome:?}") };
    assert_eq!(order, (0..width as usize).rev().collect::<Vec<_>>());
    assert!(outcome.steps <= 2 * u64::from(width), "{}", outcome.steps);
}

/// More operations open at once than fit in any number of words that was thought of beforehand.
#[test]
fn many_open_operations_are_told_apart_by_both_arms() {
    for width in [63_u32, 64, 65, 257, 600] {
        for (read, found) in [(width, None), (width + 1, Some(width as usize))] {
            let mut ops: Vec<SearchOp<CounterOp>> = Vec::new();
            for number in 0..width {
                let op = CounterOp::Add(if number == 5 { 2 } else { 1 });
                ops.push(SearchOp { op, start: number + 1, end: width + number + 1 });
            }
            let (start, end) = (2 * width + 1, 2 * width + 2);
            ops.push(SearchOp { op: CounterOp::Read(i64::from(read + 1)), start, end });
            let all = [Arms::Depth, Arms::Breadth, Arms::Both];
            for arms in if width > 70 { &all[..1] } else { &all[..] } {
                match arm(&Counter::default(), &ops, *arms, Told::Verdict) {
                    Answer::Valid { .. } => assert_eq!(found, None, "{width} {arms:?}"),
                    Answer::Invalid { stuck, .. } => assert_eq!(found, Some(stuck), "{width} {arms:?}"),
                    Answer::Exhausted { why, .. } => panic!("{width} {arms:?}: {why}"),
                }
            }
        }
    }
}

/// A model whose one step would take for ever.
struct Slow;

impl Model for Slow {
    type Op = u8;
    type State = u8;

    fn name(&self) -> &str {
        "slow"
    }

    fn decode(&self, _call: &crate::history::pair::Call<'_>) -> Result<Option<u8>, String> {
        Ok(None)
    }

    fn initial(&self) -> u8 {
        0
    }

    fn step(&self, _state: &u8, op: &u8) -> Option<u8> {
        Some(*op)
    }

    fn steps(&self, _state: &u8, _op: &u8, next: &mut Steps<'_, u8>) -> Result<(), OutOfBudget> {
        loop {
            next.spend(1)?;
        }
    }

    fn is_pure(&self, _op: &u8) -> bool {
        false
    }
}

#[test]
fn a_budget_is_kept_inside_a_step() {
    let budget = Budget { time: std::time::Duration::from_millis(20), memory_bytes: 1 << 20 };
    let meter = Meter::new(&budget);
    let limits = Limits { meter: &meter, steps_max: u64::MAX, told: Told::Verdict };
    let ops = [SearchOp { op: 1, start: 1, end: 2 }];
    let answer = search(&Slow, &ops, limits).answer;
    assert!(
        matches!(answer, Answer::Exhausted { why: Exhausted::Time(_), placed: 0, completed: 1 }),
        "{answer:?}"
    );
}

/// Everything that is held is given back, whether the search ended well or not.
#[test]
fn memory_ends_a_search_and_is_given_back() {
    let width = 24;
    let mut ops: Vec<SearchOp<ListOp>> = Vec::new();
    for number in 0..width {
        let op = ListOp::Append(Value::Int(i64::from(number)));
        ops.push(SearchOp { op, start: number + 1, end: width + number + 1 });
    }
    let (start, end) = (2 * width + 1, 2 * width + 2);
    let seen = (0..width).map(|number| Value::Int(i64::from(number * 7 % width))).rev();
    ops.push(SearchOp { op: ListOp::Read(seen.collect()), start, end });
    ops.push(SearchOp { op: ListOp::Read(Arc::from([])), start: end + 1, end: end + 2 });
    let memory_bytes = 1 << 20;
    for (steps_max, told) in [(u64::MAX, Told::Verdict), (u64::MAX, Told::Story), (500, Told::Verdict)] {
        let meter = Meter::new(&Budget { time: std::time::Duration::from_secs(600), memory_bytes });
        let limits = Limits { meter: &meter, steps_max, told };
        // What guides the model would make this easy.
        let answer = search(&Unguided, &ops, limits).answer;
        match answer {
            Answer::Exhausted { why: Exhausted::Memory(limit), placed, completed }
                if steps_max == u64::MAX =>
            {
                assert_eq!((limit, completed), (memory_bytes, ops.len()));
                assert!(placed < completed);
            }
            Answer::Exhausted { why: Exhausted::Steps(500), .. } if steps_max == 500 => {}
            other => panic!("{other:?}"),
        }
        // Taking all that there is must be possible again.
        meter.take(memory_bytes);
        assert_eq!(meter.check(), Ok(()));
    }
}

/// A list that does not know which lists are never read.
struct Unguided;

impl Model for Unguided {
    type Op = ListOp;
    type State = Arc<[Value]>;

    fn name(&self) -> &str {
        "list"
    }

    fn decode(&self, call: &crate::history::pair::Call<'_>) -> Result<Option<ListOp>, String> {
        AppendList.decode(call)
    }

    fn initial(&self) -> Arc<[Value]> {
        AppendList.initial()
    }

    fn step(&self, state: &Arc<[Value]>, op: &ListOp) -> Option<Arc<[Value]>> {
        AppendList.step(state, op)
    }

    fn is_pure(&self, op: &ListOp) -> bool {
        AppendList.is_pure(op)
    }

    fn state_bytes(&self, state: &Arc<[Value]>) -> usize {
        AppendList.state_bytes(state)
    }
}

/// Long and easy: the work is linear, and it does not matter which arm does it.
#[test]
fn a_long_history_is_little_work() {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let shape = Shape { ops: 5_000, width: 2, unknown_percent: 0 };
    let ops = random_ops(&CasRegister::default(), shape, 0, &mut random, |random| {
        match random.random_range(0..3) {
            0 => RegisterOp::Read(value(random)),
            1 => RegisterOp::Write(value(random)),
            _ => RegisterOp::Cas(value(random), value(random)),
        }
    });
    let meter = Meter::new(&Budget::default());
    let limits = Limits { meter: &meter, steps_max: 200_000, told: Told::Order };
    let outcome = search(&CasRegister::default(), &ops, limits);
    let Answer::Valid { order } = &outcome.answer else { panic!("{outcome:?}") };
    assert_order(&CasRegister::default(), &ops, order, "seed 7");
}
