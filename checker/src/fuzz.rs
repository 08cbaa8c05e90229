//! The engines against each other, on histories too long for an oracle, and against what the simulator
//! proved about them. Seeds without end: see [`driver`].
//!
//! An engine plugs its own oracle in with one line in [`TARGETS`]: a name and a function of a seed that
//! panics or says what is wrong.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

#[path = "../tests/it/fuzz/driver.rs"]
mod driver;
#[path = "../tests/it/fuzz/kept.rs"]
mod kept;

use crate::budget::{Budget, Meter};
use crate::history::History;
use crate::history::op::{Op, OpType, Process, Value};
use crate::linearizability::judge::Found;
use crate::linearizability::partition::{Part, by_key};
use crate::linearizability::register_decode::Decoder;
use crate::linearizability::register_op::{INITIAL, Kind, RegisterOp, ValueId};
use crate::linearizability::search::{self, Limits, SearchOp, Told};
use crate::linearizability::{frontier, portfolio, zones};
use crate::model::{self, CasRegister, Model, Queue};
use crate::simulate::{Object, Pace, Plan, Spoil, simulate};
use driver::{Target, shrink};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::HashMap;
use std::ops::RangeInclusive;

/// To plug an engine in, add a line.
const TARGETS: &[Target] = &[
    ("engines-on-unique-registers", |seed| engines_agree(Object::Register, seed)),
    ("engines-on-unique-cas", |seed| engines_agree(Object::UniqueCas, seed)),
    ("engines-on-few-values", |seed| {
        engines_agree(Object::CasRegister { values: 2 + (seed % 5) as u32 }, seed)
    }),
    ("registers-at-once", |seed| at_once_agrees(seed, 1..=60)),
    // Over several of the chunks in which events are paired.
    ("long-registers-at-once", |seed| at_once_agrees(seed, 600..=1_500)),
    ("queues-at-once", queue_at_once_agrees),
];

#[test]
fn fuzz() {
    driver::run(TARGETS, 60);
}

#[test]
fn what_was_wrong_once_is_said_alike_by_all_engines() {
    for kept in kept::KEPT.iter().filter(|kept| kept.check == "cas-register") {
        let history = History::read_jsonl(kept.jsonl.as_bytes()).unwrap();
        assert_eq!(at_once_differs(&history, &CasRegister::default()), None, "{}", kept.name);
        let parts = by_key(history.calls().unwrap());
        let proven = match kept.said {
            "valid" => Some(true),
            "invalid" if parts.len() == 1 => Some(false),
            _ => None,
        };
        for part in &parts {
            let register = Register::of(part, &CasRegister::default()).unwrap();
            assert_eq!(differ(&register, proven), None, "{}", kept.name);
        }
    }
}

/// Steps that the search may take: it is here to be compared with, not to be waited for.
const STEPS_MAX: u64 = 200_000;

/// A register's operations; values are below `values`.
#[derive(Clone)]
struct Register {
    ops: Vec<RegisterOp>,
    values: usize,
    positions: u32,
}

impl Register {
    fn of(part: &Part<'_>, model: &CasRegister) -> Result<Self, String> {
        let mut decoder = Decoder::new(part, model);
        let ops = decoder.ops()?;
        Ok(Self { values: decoder.values(), ops, positions: part.positions })
    }
}

fn engines_agree(object: Object, seed: u64) -> Result<(), String> {
    let random = &mut ChaCha8Rng::seed_from_u64(seed);
    let spoil =
        [None, Some(Spoil::Stale), Some(Spoil::Phantom), Some(Spoil::Lost)][random.random_range(0..4)];
    let plan = Plan {
        clients: random.random_range(2..=12),
        operations: random.random_range(10..=160),
        unknown: [0.0, 0.02, 0.1][random.random_range(0..3)],
        pace: [Pace::Busy, Pace::Irregular][random.random_range(0..2)],
        spoil,
        seed: random.random(),
        ..Plan::of(object)
    };
    let simulated = simulate(&plan);
    let parts = by_key(simulated.history.calls().map_err(|rule| rule.to_string())?);
    let mut register = Register::of(&parts[0], &CasRegister::default())?;
    let proven = match (spoil, simulated.spoiled_at) {
        (_, Some(_)) => Some(false),
        (None, None) => Some(true),
        // Lost updates that no answer proved, or no place that was fit: nobody knows.
        (Some(_), None) => None,
    };
    differ(&register, proven).map_or(Ok(()), Err)?;
    // Nobody knows what becomes of it now, but all must say the same.
    for _ in 0..random.random_range(0..3) {
        falsify(&mut register, random);
    }
    let Some(_) = differ(&register, None) else { return Ok(()) };
    let fewer = |ops: &[RegisterOp]| Register { ops: ops.to_vec(), ..register.clone() };
    let left = fewer(&shrink(&register.ops, |ops| differ(&fewer(ops), None).is_some()));
    Err(differ(&left, None).unwrap_or_default())
}

/// All keys at once and key by key, also where somebody wrote down what can't be.
fn at_once_agrees(seed: u64, operations: RangeInclusive<u64>) -> Result<(), String> {
    let random = &mut ChaCha8Rng::seed_from_u64(seed);
    let objects = [Object::Register, Object::UniqueCas, Object::CasRegister { values: 40 }];
    let object = objects[random.random_range(0..objects.len())];
    let plan = Plan {
        clients: random.random_range(1..=8),
        operations: random.random_range(operations),
        keys: random.random_range(1..=4),
        unknown: [0.0, 0.05, 0.3][random.random_range(0..3)],
        pace: [Pace::Busy, Pace::Irregular][random.random_range(0..2)],
        seed: random.random(),
        ..Plan::of(object)
    };
    let mut ops = simulate(&plan).history.into_ops();
    if random.random_bool(0.5) {
        number_by_key(&mut ops);
    }
    let model = CasRegister::default();
    let plain = zones::at_once(&History::new(ops.clone()), &model);
    if !matches!(object, Object::CasRegister { .. }) && !plain.is_some_and(|found| found.is_valid) {
        return Err(format!("{plan:?} is not found valid at once"));
    }
    let models = [
        model,
        CasRegister::default().nil_read_says_nothing(),
        CasRegister::default().failed_cas_is_read(),
        CasRegister::starting_with(Value::Int(2)),
    ];
    let model = &models[random.random_range(0..models.len())];
    for _ in 0..random.random_range(0..4) {
        garble(&mut ops, random);
    }
    let wrong = |ops: &[Op]| at_once_differs(&ops.iter().cloned().collect(), model);
    let Some(_) = wrong(&ops) else { return Ok(()) };
    let left = shrink(&ops, |ops| wrong(ops).is_some());
    let model = format!("{model:?}");
    Err(format!("{model}: {}\n{}", wrong(&left).unwrap_or_default(), jsonl(left)))
}

/// A whole queue at once and by its operations, also where somebody wrote down what can't be.
fn queue_at_once_agrees(seed: u64) -> Result<(), String> {
    let random = &mut ChaCha8Rng::seed_from_u64(seed);
    let plan = Plan {
        clients: random.random_range(1..=8),
        operations: random.random_range(1..=60),
        unknown: [0.0, 0.0, 0.1][random.random_range(0..3)],
        pace: [Pace::Busy, Pace::Irregular][random.random_range(0..2)],
        spoil: [None, Some(Spoil::Lost), Some(Spoil::Stale)][random.random_range(0..3)],
        seed: random.random(),
        ..Plan::of(Object::Queue)
    };
    let mut ops = simulate(&plan).history.into_ops();
    for _ in 0..random.random_range(0..4) {
        garble(&mut ops, random);
    }
    let wrong = |ops: &[Op]| queue_at_once_differs(&ops.iter().cloned().collect());
    let Some(_) = wrong(&ops) else { return Ok(()) };
    let left = shrink(&ops, |ops| wrong(ops).is_some());
    Err(format!("{}\n{}", wrong(&left).unwrap_or_default(), jsonl(left)))
}

/// What is wrong with the answer about a whole queue, if it gives one.
fn queue_at_once_differs(history: &History) -> Option<String> {
    if history.has_keys() {
        return None;
    }
    let (is_valid, counts) = Queue::default().quick_history(history)?;
    let calls = match history.calls() {
        Ok(calls) => calls,
        Err(rule) => return Some(format!("it was judged, but {rule}")),
    };
    if calls.counts != counts {
        return Some(format!("{:?} counted as {counts:?}", calls.counts));
    }
    let meter = Meter::new(&Budget::default());
    by_key(calls).iter().find_map(|part| match portfolio::any_model(part, &Queue::default(), &meter).found {
        Found::Valid => (!is_valid).then(|| "valid by its operations, not at once".to_owned()),
        Found::Invalid(_) => is_valid.then(|| "invalid by its operations, not at once".to_owned()),
        Found::Unknown(why) => Some(format!("it was judged, but {why}")),
    })
}

#[test]
fn a_whole_queue_is_judged_at_once_whenever_it_is_plain() {
    for spoil in [None, Some(Spoil::Lost), Some(Spoil::Stale)] {
        let simulated = simulate(&Plan { operations: 3_000, spoil, ..Plan::of(Object::Queue) });
        let (is_valid, _) = Queue::default().quick_history(&simulated.history).unwrap();
        assert_eq!(is_valid, simulated.spoiled_at.is_none(), "{spoil:?}");
    }
}

/// Numbers the values of every key anew, so that keys share them.
fn number_by_key(ops: &mut [Op]) {
    let mut numbers: HashMap<(Option<Value>, i64), i64> = HashMap::new();
    let mut next: HashMap<Option<Value>, i64> = HashMap::new();
    let mut number = |key: &Option<Value>, value: &mut Value| {
        if let Value::Int(value) = value {
            *value = *numbers.entry((key.clone(), *value)).or_insert_with(|| {
                let next = next.entry(key.clone()).or_default();
                *next += 1;
                *next
            });
        }
    };
    for Op { key, value, .. } in ops {
        match value {
            Value::List(values) => values.iter_mut().for_each(|value| number(key, value)),
            value => number(key, value),
        }
    }
}

/// What is wrong with the answer about all keys at once, if it gives one.
fn at_once_differs(history: &History, model: &CasRegister) -> Option<String> {
    let found = zones::at_once(history, model);
    let on_two = zones::at_once_on(2, history, model);
    if found != on_two {
        return Some(format!("{found:?} by one thread, {on_two:?} by two"));
    }
    let found = found?;
    let calls = match history.calls() {
        Ok(calls) => calls,
        Err(rule) => return Some(format!("it was judged, but {rule}")),
    };
    if calls.counts != found.counts {
        return Some(format!("{:?} counted as {:?}", calls.counts, found.counts));
    }
    let parts = by_key(calls);
    let meter = Meter::new(&Budget::default());
    let invalid = |part| match portfolio::register(part, model, &meter).found {
        Found::Valid => Ok(false),
        Found::Invalid(_) => Ok(true),
        Found::Unknown(why) => Err(why),
    };
    let invalid: Result<Vec<bool>, String> = parts.iter().map(invalid).collect();
    match invalid {
        Err(why) => Some(format!("it was judged, but {why}")),
        Ok(invalid) if invalid.contains(&true) == found.is_valid || parts.len() as u64 != found.keys => {
            Some(format!("{invalid:?} by key, but {} in {} keys", found.is_valid, found.keys))
        }
        Ok(_) => None,
    }
}

/// Changes something about one op that it may break rules by.
fn garble(ops: &mut Vec<Op>, random: &mut ChaCha8Rng) {
    if ops.is_empty() {
        return;
    }
    let (at, other) = (random.random_range(0..ops.len()), random.random_range(0..ops.len()));
    match random.random_range(0..9) {
        0 if at > 0 => ops.swap(at - 1, at),
        1 => ops[at].value = ops[other].value.clone(),
        2 => ops[at].value = Value::Nil,
        3 => ops[at].op_type = [OpType::Ok, OpType::Fail, OpType::Info][random.random_range(0..3)],
        4 => ops[at].key = ops[other].key.clone(),
        5 => ops[at].process = ops[other].process,
        6 => ops[at].process = Process::Nemesis,
        7 => ops[at].f = ops[other].f.clone(),
        _ => drop(ops.remove(at)),
    }
    for (op, index) in ops.iter_mut().zip(0..) {
        op.index = 2 * index;
    }
}

/// How engines differ about the first operation that makes it impossible, or with what is proven.
fn differ(register: &Register, proven: Option<bool>) -> Option<String> {
    let Register { ops, values, positions } = register;
    let meter = Meter::new(&Budget::default());
    let mut answers: Vec<(&str, Option<u32>)> = Vec::new();
    match zones::zones(ops, *values, *positions) {
        zones::Answer::Valid => answers.push(("zones", None)),
        zones::Answer::Invalid(_) => {
            answers.push(("zones", zones::first_impossible(ops, *values, *positions)));
        }
        zones::Answer::NotUnique | zones::Answer::Undecided => {}
    }
    match frontier::decide(ops, *values, &meter) {
        frontier::Answer::Valid => answers.push(("frontier", None)),
        frontier::Answer::Invalid { failing } => answers.push(("frontier", Some(ops[failing].end))),
        frontier::Answer::Undecided { .. } => {}
    }
    let model = CasRegister::starting_with(named(INITIAL));
    let limits = Limits { meter: &meter, steps_max: STEPS_MAX, told: Told::Verdict };
    let searched = ops.iter().map(|op| SearchOp { op: spelt(op.kind), start: op.start, end: op.end });
    match search::search(&model, &searched.collect::<Vec<_>>(), limits).answer {
        search::Answer::Valid { .. } => answers.push(("search", None)),
        search::Answer::Invalid { stuck, .. } => answers.push(("search", Some(ops[stuck].end))),
        search::Answer::Exhausted { .. } => {}
    }
    let contradicted =
        answers.iter().any(|(_, failing)| proven.is_some_and(|valid| valid != failing.is_none()));
    let differ = answers.windows(2).any(|pair| pair[0].1 != pair[1].1);
    (contradicted || differ).then(|| {
        let history = zones::tests::recorded(&[ops]);
        format!("proven {proven:?}, first impossible {answers:?}\n{}", jsonl(history.into_ops()))
    })
}

/// As it can be kept: see [`kept`].
fn jsonl(ops: Vec<Op>) -> String {
    let mut lines = Vec::new();
    ops.iter().for_each(|op| op.write_jsonl(&mut lines).unwrap());
    String::from_utf8(lines).unwrap()
}

/// Lets a completed read answer something else, or an operation end sooner or later.
fn falsify(register: &mut Register, random: &mut ChaCha8Rng) {
    let Some(count) = register.ops.len().checked_sub(1) else { return };
    let (at, other) = (random.random_range(0..=count), random.random_range(0..=count));
    let (end, other_end) = (register.ops[at].end, register.ops[other].end);
    match register.ops[at].kind {
        Kind::Read(_) if random.random_bool(0.5) => {
            let value = random.random_range(0..register.values as ValueId);
            register.ops[at].kind = Kind::Read(value);
        }
        _ if other_end > register.ops[at].start && end > register.ops[other].start => {
            let reads = [at, other].iter().any(|place| matches!(register.ops[*place].kind, Kind::Read(_)));
            // A read always has an end.
            if !reads || end.max(other_end) != crate::linearizability::partition::NEVER {
                register.ops[at].end = other_end;
                register.ops[other].end = end;
            }
        }
        _ => {}
    }
}

fn named(value: ValueId) -> Value {
    Value::Int(i64::from(value))
}

fn spelt(kind: Kind) -> model::RegisterOp {
    match kind {
        Kind::Read(value) => model::RegisterOp::Read(named(value)),
        Kind::Write(value) => model::RegisterOp::Write(named(value)),
        Kind::Cas(expected, value) => model::RegisterOp::Cas(named(expected), named(value)),
        Kind::NotEqual(value) => model::RegisterOp::NotEqual(named(value)),
    }
}
