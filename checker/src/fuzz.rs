//! The engines against each other, on histories too long for an oracle, and against what the simulator
//! proved about them. Seeds without end: see [`driver`].
//!
//! An engine plugs its own oracle in with one line in [`TARGETS`]: a name and a function of a seed that
//! panics or says what is wrong.

#[path = "../tests/it/fuzz/driver.rs"]
mod driver;

use crate::budget::{Budget, Meter};
use crate::history::op::Value;
use crate::linearizability::partition::by_key;
use crate::linearizability::register_decode::Decoder;
use crate::linearizability::register_op::{INITIAL, Kind, RegisterOp, ValueId};
use crate::linearizability::search::{self, Limits, SearchOp, Told};
use crate::linearizability::{frontier, zones};
use crate::model::{self, CasRegister};
use crate::simulate::{Object, Pace, Plan, Spoil, simulate};
use driver::{Target, shrink};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// To plug an engine in, add a line.
const TARGETS: &[Target] = &[
    ("engines-on-unique-registers", |seed| engines_agree(Object::Register, seed)),
    ("engines-on-unique-cas", |seed| engines_agree(Object::UniqueCas, seed)),
    ("engines-on-few-values", |seed| {
        engines_agree(Object::CasRegister { values: 2 + (seed % 5) as u32 }, seed)
    }),
];

#[test]
fn fuzz() {
    driver::run(TARGETS, 60);
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
    let model = CasRegister::default();
    let mut decoder = Decoder::new(&parts[0], &model);
    let ops = decoder.ops()?;
    let mut register = Register { values: decoder.values(), ops, positions: parts[0].positions };
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
        let lines: Vec<String> = ops.iter().map(|op| format!("{op:?}")).collect();
        format!("proven {proven:?}, first impossible {answers:?}\n{}", lines.join("\n"))
    })
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
