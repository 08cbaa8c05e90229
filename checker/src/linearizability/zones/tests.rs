//! The zones against an oracle that tries every order.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::condition::Condition;
use super::{Answer, Violation, at_once, first_impossible, never_written, order, unique_part, zones};
use crate::history::op::{Op, OpType, Process, Value};
use crate::linearizability::condition::idle;
use crate::linearizability::partition::NEVER;
use crate::linearizability::register_op::{INITIAL, Kind, RegisterOp, ValueId};
use crate::model::CasRegister;

/// Histories per test; `CHECKER_SEEDS=N` asks for another number, for a night.
fn seeds() -> u64 {
    std::env::var("CHECKER_SEEDS").map_or(40_000, |seeds| seeds.parse().unwrap())
}

#[derive(Debug)]
pub(crate) struct Generated {
    pub(crate) ops: Vec<RegisterOp>,
    pub(crate) values: usize,
    pub(crate) positions: u32,
}

#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) ops: usize,
    pub(crate) clients: usize,
    /// How many values there are to write when they are not unique.
    pub(crate) repeated: Option<u32>,
    pub(crate) not_equals: bool,
    /// How often something seen is replaced by something else.
    pub(crate) spoiled: usize,
}

/// A register that was really there, under clients whose operations overlap, and then perhaps spoiled.
pub(crate) fn generate(plan: Plan, seed: u64) -> Generated {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut ops: Vec<RegisterOp> = Vec::new();
    let mut next_value = INITIAL + 1;
    let mut state = INITIAL;
    let mut position = 0;
    // Places of operations that have not taken effect, and of those that have and are not over.
    let (mut pending, mut done) = (Vec::new(), Vec::new());
    while ops.len() < plan.ops || !pending.is_empty() || !done.is_empty() {
        let open = pending.len() + done.len();
        match random.random_range(0..3) {
            0 if ops.len() < plan.ops && open < plan.clients => {
                position += 1;
                let mut written = || match plan.repeated {
                    Some(values) => random.random_range(1..=values),
                    None => {
                        next_value += 1;
                        next_value - 1
                    }
                };
                // What they saw is filled in when they take effect.
                let kind = match written() % 7 {
                    0..2 => Kind::Read(INITIAL),
                    2 if plan.not_equals => Kind::NotEqual(INITIAL),
                    3 | 4 => Kind::Write(written()),
                    _ => Kind::Cas(INITIAL, written()),
                };
                pending.push(ops.len());
                ops.push(RegisterOp { kind, start: position, end: NEVER });
            }
            1 if !pending.is_empty() => {
                let place = pending.swap_remove(random.random_range(0..pending.len()));
                let other = random.random_range(0..next_value.max(4));
                match &mut ops[place].kind {
                    Kind::Read(seen) => *seen = state,
                    Kind::NotEqual(not) => *not = if other == state { next_value } else { other },
                    Kind::Write(value) => state = *value,
                    Kind::Cas(expected, value) => {
                        *expected = state;
                        state = *value;
                    }
                }
                done.push(place);
            }
            _ if !done.is_empty() => {
                let place = done.swap_remove(random.random_range(0..done.len()));
                if random.random_ratio(1, 6) {
                    // Nobody is told.
                } else {
                    position += 1;
                    ops[place].end = position;
                }
            }
            _ => {}
        }
    }
    let values = next_value.max(plan.repeated.map_or(0, |values| values + 1)) + 1;
    for _ in 0..random.random_range(0..=plan.spoiled) {
        spoil(&mut ops, values, &mut random);
    }
    ops.retain(|op| op.end != NEVER || !matches!(op.kind, Kind::Read(_) | Kind::NotEqual(_)));
    Generated { ops, values: values as usize, positions: position }
}

fn spoil(ops: &mut [RegisterOp], values: u32, random: &mut ChaCha8Rng) {
    let place = random.random_range(0..ops.len());
    // What another one dealt with, or else anything.
    let near = match random.random_ratio(3, 4) {
        true => ops[random.random_range(0..ops.len())].value(),
        false => random.random_range(0..values),
    };
    let op = &mut ops[place];
    match &mut op.kind {
        Kind::Read(seen) | Kind::NotEqual(seen) => *seen = near,
        Kind::Cas(seen, _) => *seen = near,
        // Its reply came early: right behind its start, if that position is free.
        Kind::Write(_) => {
            let early = op.start + 1;
            if ops.iter().all(|other| other.start != early && other.end != early) {
                ops[place].end = early;
            }
        }
    }
}

/// The oracle.
fn is_linearizable(ops: &[RegisterOp]) -> bool {
    fn place(ops: &[RegisterOp], done: u32, state: ValueId, tried: &mut Vec<(u32, ValueId)>) -> bool {
        let rest = |n: &usize| done & (1 << n) == 0;
        let horizon = (0..ops.len()).filter(rest).map(|n| ops[n].end).min().unwrap_or(NEVER);
        if horizon == NEVER {
            return true;
        }
        if tried.contains(&(done, state)) {
            return false;
        }
        tried.push((done, state));
        (0..ops.len()).filter(rest).filter(|n| ops[*n].start < horizon).any(|n| {
            let after = apply(state, ops[n].kind);
            after.is_some_and(|state| place(ops, done | 1 << n, state, tried))
        })
    }
    place(ops, 0, INITIAL, &mut Vec::new())
}

/// The register as it is.
fn apply(state: ValueId, kind: Kind) -> Option<ValueId> {
    match kind {
        Kind::Read(seen) => (seen == state).then_some(state),
        Kind::Write(value) => Some(value),
        Kind::Cas(seen, value) => (seen == state).then_some(value),
        Kind::NotEqual(value) => (value != state).then_some(state),
    }
}

/// What was known at a position.
fn prefix(ops: &[RegisterOp], cut: u32) -> Vec<RegisterOp> {
    let known = ops.iter().filter(|op| op.start <= cut);
    let known = known.map(|op| RegisterOp { end: if op.end > cut { NEVER } else { op.end }, ..*op });
    known.filter(|op| op.end != NEVER || !matches!(op.kind, Kind::Read(_) | Kind::NotEqual(_))).collect()
}

/// The first position up to which there is no order.
pub(crate) fn first_impossible_of_all(ops: &[RegisterOp], positions: u32) -> Option<u32> {
    (1..=positions).find(|cut| !is_linearizable(&prefix(ops, *cut)))
}

/// Whether an order is one: complete, in real time, and with what was seen.
fn verify(ops: &[RegisterOp], order: &[usize]) {
    let mut placed = vec![false; ops.len()];
    let (mut state, mut last_start) = (INITIAL, 0);
    for &number in order {
        let op = ops[number];
        assert!(!std::mem::replace(&mut placed[number], true), "{number} twice");
        assert!(op.end > last_start, "{number} ended before something placed earlier began");
        last_start = last_start.max(op.start);
        state = apply(state, op.kind).unwrap_or_else(|| panic!("{number}: {op:?} in {state}"));
    }
    for (number, op) in ops.iter().enumerate() {
        assert!(placed[number] || op.end == NEVER, "{number} left out");
    }
}

/// The operations that it names.
fn names(violation: &Violation) -> Vec<usize> {
    match violation {
        Violation::NeverWritten { by } => vec![*by],
        Violation::TwoSuccessors { first, second } => vec![*first, *second],
        Violation::Cycle { ops } => ops.clone(),
        Violation::OutOfOrder { early, late, links } => [&[*early, *late], &links[..]].concat(),
        Violation::Crossing { older, newer } => [older, newer]
            .iter()
            .flat_map(|zone| zone.first_end.into_iter().chain([zone.last_start]).chain(zone.links.clone()))
            .collect(),
    }
}

pub(crate) fn plan_of(seed: u64) -> Plan {
    Plan {
        ops: 3 + seed as usize % 9,
        clients: 1 + seed as usize / 9 % 5,
        repeated: None,
        not_equals: false,
        spoiled: [0, 2, 6][seed as usize % 3],
    }
}

#[test]
fn unique_values_are_decided_like_the_oracle_does_and_at_the_first_event() {
    let (mut valid, mut invalid, mut late) = (0, 0, 0);
    for seed in 0..seeds() {
        let Generated { ops, values, positions } = generate(plan_of(seed), seed);
        let first = first_impossible_of_all(&ops, positions);
        assert_eq!(first.is_none(), is_linearizable(&ops), "seed {seed}: {ops:?}");
        assert_eq!(first_impossible(&ops, values, positions), first, "seed {seed}: {ops:?}");
        match zones(&ops, values, positions) {
            Answer::Valid => {
                assert_eq!(first, None, "seed {seed}: {ops:?}");
                verify(&ops, &order(&ops, values, positions).unwrap());
                valid += 1;
            }
            Answer::Invalid(collision) => {
                let violation = collision.earliest(&ops).violation;
                let cut = first.unwrap_or_else(|| panic!("seed {seed}: {violation:?}: {ops:?}"));
                // What saw a value too early is told with the write that came later; but without that
                // nobody wrote it at all, and so only writes may be of any time.
                let named = names(&violation).into_iter().map(|op| ops[op]);
                let mut reads = named.filter(|op| matches!(op.kind, Kind::Read(_)));
                assert!(reads.all(|op| op.start < cut), "seed {seed}: {violation:?}: {ops:?}");
                invalid += 1;
                late += u64::from(cut < positions / 2);
            }
            answer => panic!("seed {seed}: {answer:?}: {ops:?}"),
        }
    }
    assert!(valid > seeds() / 4 && invalid > seeds() / 4 && late > seeds() / 40, "{valid} {invalid} {late}");
}

#[test]
fn what_was_not_there_is_fitted_in_or_left_undecided() {
    let (mut valid, mut invalid, mut undecided) = (0, 0, 0);
    for seed in 0..seeds() {
        let plan = Plan { not_equals: true, ..plan_of(seed) };
        let Generated { ops, values, positions } = generate(plan, seed);
        let truth = is_linearizable(&ops);
        match zones(&ops, values, positions) {
            Answer::Valid => {
                assert!(truth, "seed {seed}: {ops:?}");
                verify(&ops, &order(&ops, values, positions).unwrap());
                valid += 1;
            }
            Answer::Invalid(_) => {
                assert!(!truth, "seed {seed}: {ops:?}");
                invalid += 1;
            }
            Answer::Undecided => undecided += 1,
            Answer::NotUnique => panic!("seed {seed}: {ops:?}"),
        }
    }
    assert!(valid > seeds() / 4 && invalid > seeds() / 8, "{valid} {invalid} {undecided}");
    assert!((1..seeds() / 10).contains(&undecided), "{valid} {invalid} {undecided}");
}

#[test]
fn what_is_impossible_among_the_unique_values_is_impossible() {
    let (mut found, mut missed) = (0, 0);
    for seed in 0..seeds() {
        let plan = Plan { repeated: Some(8 + seed as u32 % 8), ..plan_of(seed) };
        let Generated { ops, values, positions } = generate(plan, seed);
        let truth = is_linearizable(&ops);
        match unique_part(&ops, values, positions) {
            Some(part) => {
                assert!(!truth, "seed {seed}: {part:?}: {ops:?}");
                assert!(part.numbers.iter().zip(&part.ops).all(|(&n, op)| ops[n].start == op.start));
                found += 1;
            }
            None => missed += u64::from(!truth),
        }
        assert!(never_written(&ops, values).is_none() || !truth, "seed {seed}: {ops:?}");
    }
    assert!(found > seeds() / 8 && missed > seeds() / 200, "{found} found, {missed} missed");
}

#[test]
fn long_histories_are_put_into_an_order() {
    for seed in 0..8 {
        let (clients, not_equals) = ([1, 5, 20, 50][seed as usize % 4], seed >= 4);
        let plan = Plan { ops: 20_000, clients, repeated: None, not_equals, spoiled: 0 };
        let Generated { ops, values, positions } = generate(plan, seed);
        if let Some(order) = order(&ops, values, positions) {
            verify(&ops, &order);
        } else {
            assert!(not_equals && matches!(zones(&ops, values, positions), Answer::Undecided), "seed {seed}");
        }
    }
}

/// An unread unknown write and a chain of compare-and-sets of unknown outcome that one read proves.
#[test]
fn a_read_proves_the_whole_chain_behind_it() {
    let op = |kind, start, end| RegisterOp { kind, start, end };
    let chain = [
        op(Kind::Write(1), 1, NEVER),
        op(Kind::Cas(1, 2), 2, NEVER),
        op(Kind::Write(4), 3, NEVER),
        op(Kind::Cas(2, 3), 4, NEVER),
        op(Kind::Read(3), 5, 6),
    ];
    assert!(matches!(zones(&chain, 5, 8), Answer::Valid));
    assert_eq!(order(&chain, 5, 8).unwrap(), [0, 1, 3, 4]);
    let stale = [&chain[..], &[op(Kind::Read(1), 7, 8)]].concat();
    let Answer::Invalid(collision) = zones(&stale, 5, 8) else { panic!() };
    let violation = collision.earliest(&stale).violation;
    assert_eq!(violation, Violation::OutOfOrder { early: 4, late: 5, links: vec![1, 3] });
}

/// Registers as a client would have recorded them, each with a key of its own.
pub(crate) fn recorded(registers: &[&[RegisterOp]]) -> crate::History {
    let mut events: Vec<(u32, Op)> = Vec::new();
    let value = |value: ValueId| Value::Int(i64::from(value));
    let mut process = 0;
    for (key, ops) in registers.iter().enumerate() {
        for op in *ops {
            let (f, asked, answered) = match op.kind {
                Kind::Read(seen) => ("read", Value::Nil, value(seen)),
                Kind::Write(written) => ("write", value(written), value(written)),
                Kind::Cas(old, new) => {
                    let pair = Value::List(vec![value(old), value(new)]);
                    ("cas", pair.clone(), pair)
                }
                Kind::NotEqual(_) => continue,
            };
            let event = |op_type, value| {
                Op::new(0, 0, op_type, Process::Client(process), f, value).with_key(key as i64)
            };
            events.push((op.start, event(OpType::Invoke, asked)));
            if op.end != NEVER {
                events.push((op.end, event(OpType::Ok, answered)));
            }
            process += 1;
        }
    }
    events.sort_by_key(|(position, _)| *position);
    let numbered = events.into_iter().zip(0..).map(|((_, op), index)| Op { index, ..op });
    numbered.collect()
}

/// All that is said of two registers.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    is_valid: Option<bool>,
    first_impossible: Option<u32>,
    order: Option<Vec<usize>>,
    of_unique_part: bool,
    never_written: bool,
    at_once: Option<bool>,
}

impl Said {
    fn of((generated, other): &(Generated, Generated)) -> Self {
        let Generated { ops, values, positions } = generated;
        let initial = CasRegister::starting_with(Value::Int(i64::from(INITIAL)));
        let at_once = at_once(&recorded(&[ops, &other.ops]), &initial);
        Said {
            is_valid: match zones(ops, *values, *positions) {
                Answer::Valid => Some(true),
                Answer::Invalid(_) => Some(false),
                Answer::NotUnique | Answer::Undecided => None,
            },
            first_impossible: first_impossible(ops, *values, *positions),
            order: order(ops, *values, *positions),
            of_unique_part: unique_part(ops, *values, *positions).is_some(),
            never_written: never_written(ops, *values).is_some(),
            at_once: at_once.map(|found| found.is_valid),
        }
    }
}

/// The same with the initial value in place of this one.
fn with_initial_for(value: ValueId, kind: Kind) -> Kind {
    let replaced = |other| if other == value { INITIAL } else { other };
    match kind {
        Kind::Read(seen) => Kind::Read(replaced(seen)),
        Kind::Write(written) => Kind::Write(replaced(written)),
        Kind::Cas(old, new) => Kind::Cas(replaced(old), replaced(new)),
        Kind::NotEqual(not) => Kind::NotEqual(replaced(not)),
    }
}

/// What is said with every condition is held against the oracle by the other tests.
#[test]
fn every_condition_is_needed() {
    let case = |seed: u64| {
        let plan = plan_of(seed / 3);
        let plan = match seed % 3 {
            0 => plan,
            1 => Plan { not_equals: true, ..plan },
            _ => Plan { repeated: Some(8 + seed as u32 % 8), ..plan },
        };
        let mut generated = (generate(plan, seed), generate(plan, !seed));
        if plan.repeated.is_some() && seed.is_multiple_of(2) {
            // The initial value is written, too.
            generated.0.ops.iter_mut().for_each(|op| op.kind = with_initial_for(1, op.kind));
        }
        let said = Said::of(&generated);
        (generated, said)
    };
    let idle: Vec<Condition> = idle(30_000, case, |(generated, said)| Said::of(generated) == *said);
    assert!(idle.is_empty(), "nothing goes wrong without {idle:?}");
}
