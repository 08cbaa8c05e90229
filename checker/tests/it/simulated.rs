//! The public simulator: what it calls atomic is, what it calls spoiled is not, and a seed gives its bytes.

use checker::simulate::{Object, Pace, Plan, Spoil, each_op, simulate};
use checker::{Budget, Call, Check, LinearizableAppend, LinearizableRegister, Outcome, Value};

use crate::brute_force::{self, Step, is_linearizable};

/// Every object, its oracle, the spoils it knows, and the checksum of its bytes for one plan.
pub(crate) fn objects() -> Vec<(Object, Step, &'static [Spoil], u64)> {
    use Spoil::{Lost, Phantom, Stale};
    const ALL: &[Spoil] = &[Stale, Phantom, Lost];
    vec![
        (Object::Register, brute_force::register as Step, ALL, 0xe15b_fac7_329b_9467),
        (Object::UniqueCas, brute_force::register, ALL, 0xc130_9b6b_64dc_dc5b),
        (Object::CasRegister { values: 3 }, brute_force::register, ALL, 0x86e5_5390_9434_b93d),
        (Object::Queue, queue, ALL, 0xe40a_029f_68ad_9c38),
        (Object::Stack, stack, ALL, 0x6eea_405d_0a2e_c4d3),
        (Object::PriorityQueue, priority_queue, ALL, 0xe5d7_c187_effe_e4d9),
        (Object::Set { elements: 3 }, set, ALL, 0xb46e_e88f_6f0f_4f58),
        (Object::List { appends: 1_000 }, brute_force::list, ALL, 0xed97_ef9e_5d9f_b174),
        (Object::ListTransactions { appends: 1_000 }, transactions, ALL, 0xba57_7d10_0b14_0aab),
        (Object::Mutex, mutex, &[Stale], 0x3ea6_3cca_34bb_40a0),
        (Object::Counter, counter, ALL, 0xa6b8_847e_4197_a500),
    ]
}

fn elements(state: &Value) -> Vec<Value> {
    state.as_list().unwrap_or(&[]).to_vec()
}

/// A container that is put to at its end; `next` is the place of what comes out next.
fn container(state: &Value, call: &Call<'_>, next: fn(&[Value]) -> usize) -> Option<Value> {
    let mut held = elements(state);
    match call.f() {
        "enqueue" | "push" | "insert" => held.push(call.asked()),
        _ => match call.result() {
            // One that may have happened: it takes what comes next, if anything.
            None if held.is_empty() => {}
            None => drop(held.remove(next(&held))),
            Some(Value::Nil) if held.is_empty() => {}
            Some(Value::Nil) => return None,
            Some(value) => {
                let place = held.iter().position(|held| *held == value)?;
                if place != next(&held) {
                    return None;
                }
                held.remove(place);
            }
        },
    }
    Some(Value::List(held))
}

fn queue(state: &Value, call: &Call<'_>) -> Option<Value> {
    container(state, call, |_| 0)
}

fn stack(state: &Value, call: &Call<'_>) -> Option<Value> {
    container(state, call, |held| held.len() - 1)
}

fn priority_queue(state: &Value, call: &Call<'_>) -> Option<Value> {
    container(state, call, |held| (0..held.len()).max_by_key(|place| held[*place].clone()).unwrap())
}

fn set(state: &Value, call: &Call<'_>) -> Option<Value> {
    let (asked, mut present) = (call.asked(), elements(state));
    let place = present.iter().position(|element| *element == asked);
    let answer = match (call.f(), place) {
        ("add", None) => {
            present.push(asked);
            present.sort();
            true
        }
        ("remove", Some(place)) => {
            present.remove(place);
            true
        }
        ("contains", place) => place.is_some(),
        _ => false,
    };
    call.result().is_none_or(|told| told == Value::Bool(answer)).then_some(Value::List(present))
}

fn transactions(state: &Value, call: &Call<'_>) -> Option<Value> {
    let told = call.result().unwrap_or_else(|| call.asked());
    let mut lists = elements(state);
    for part in told.as_list().unwrap() {
        let [f, key, value] = part.as_list().unwrap() else { panic!("{part}") };
        let place = lists.iter().position(|list| list.as_list().unwrap()[0] == *key);
        let mut list = place.map_or(vec![key.clone()], |place| elements(&lists.remove(place)));
        match (f == &Value::from("append"), call.result()) {
            (true, _) => list.push(value.clone()),
            (false, Some(_)) if *value != Value::List(list[1..].to_vec()) => return None,
            (false, _) => {}
        }
        lists.push(Value::List(list));
    }
    lists.sort();
    Some(Value::List(lists))
}

fn mutex(state: &Value, call: &Call<'_>) -> Option<Value> {
    let held = Value::Bool(call.f() == "acquire");
    let free = state.is_nil() || *state == Value::Bool(false);
    (free == (call.f() == "acquire")).then_some(held)
}

fn counter(state: &Value, call: &Call<'_>) -> Option<Value> {
    let sum = state.as_int().unwrap_or(0);
    match call.f() {
        "add" => Some(Value::Int(sum + call.asked().as_int().unwrap())),
        _ => call.result().is_none_or(|told| told.as_int() == Some(sum)).then_some(Value::Int(sum)),
    }
}

/// Small enough for the oracle, of every shape.
fn small(object: Object, spoil: Option<Spoil>, seed: u64) -> Plan {
    Plan {
        clients: 1 + (seed % 4) as u32,
        operations: 4 + seed / 4 % 9,
        unknown: [0.0, 0.15][(seed / 36 % 2) as usize],
        pace: [Pace::Busy, Pace::Irregular][(seed / 72 % 2) as usize],
        spoil,
        seed,
        ..Plan::of(object)
    }
}

#[test]
fn what_is_called_atomic_is() {
    for (object, step, _, _) in objects() {
        for seed in 0..600 {
            let simulated = simulate(&small(object, None, seed));
            assert_eq!(simulated.spoiled_at, None);
            assert!(is_linearizable(&simulated.history, step), "{object:?}, seed {seed}");
        }
    }
}

#[test]
fn what_is_called_spoiled_is_not_atomic() {
    for (object, step, spoils, _) in objects() {
        for &spoil in spoils {
            let mut spoiled = 0;
            for seed in 0..600 {
                let simulated = simulate(&small(object, Some(spoil), seed));
                if simulated.spoiled_at.is_some() {
                    spoiled += 1;
                    let history = &simulated.history;
                    assert!(!is_linearizable(history, step), "{object:?}, {spoil:?}, seed {seed}");
                }
            }
            assert!(spoiled > 0, "{object:?} was never spoiled by {spoil:?}");
        }
    }
}

#[test]
fn what_can_be_spoiled_is_and_every_history_is_well_formed() {
    for (object, _, spoils, _) in objects() {
        for unknown in [0.0, 0.02] {
            for &spoil in spoils {
                // A take of unknown outcome explains a loss, a write of unknown outcome one of few values.
                let explained = match object {
                    Object::Queue | Object::Stack | Object::PriorityQueue => spoil == Spoil::Lost,
                    Object::CasRegister { .. } | Object::Set { .. } => spoil != Spoil::Phantom,
                    _ => false,
                };
                if unknown > 0.0 && explained {
                    continue;
                }
                let plan =
                    Plan { operations: 4_000, clients: 4, unknown, spoil: Some(spoil), ..Plan::of(object) };
                let simulated = simulate(&plan);
                assert!(simulated.spoiled_at.is_some(), "{plan:?}");
                assert_eq!(simulated.history.well_formed(), Ok(()));
                let calls = simulated.history.calls().unwrap();
                assert_eq!(calls.len(), 4_000);
                let lost = calls.iter().filter(|call| call.outcome() == Outcome::Unknown).count();
                // Who waits for a lock that nobody releases any more waits for ever.
                assert!(lost > 0 || unknown == 0.0, "{plan:?}");
                assert!(lost == 0 || unknown > 0.0 || object == Object::Mutex, "{plan:?}");
            }
        }
    }
}

#[test]
fn the_linear_engines_agree_on_long_histories() {
    let register: Box<dyn Check> = Box::new(LinearizableRegister::default());
    let append: Box<dyn Check> = Box::new(LinearizableAppend::default());
    let kinds = [
        (&register, Object::Register),
        (&register, Object::UniqueCas),
        (&append, Object::List { appends: 200 }),
    ];
    for (check, object) in kinds {
        for spoil in [None, Some(Spoil::Stale), Some(Spoil::Phantom), Some(Spoil::Lost)] {
            for keys in [1, 8] {
                let plan = Plan {
                    operations: 5_000,
                    clients: 20,
                    unknown: 0.01,
                    keys,
                    spoil,
                    seed: u64::from(keys),
                    ..Plan::of(object)
                };
                let simulated = simulate(&plan);
                assert_eq!(simulated.spoiled_at.is_some(), spoil.is_some(), "{plan:?}");
                let report = check.check(&simulated.history, &Budget::default());
                assert_eq!(report.verdict.is_valid(), spoil.is_none(), "{plan:?}: {report}");
                assert_eq!(report.verdict.is_invalid(), spoil.is_some(), "{plan:?}: {report}");
            }
        }
    }
}

#[test]
fn a_seed_gives_its_bytes() {
    for (object, _, spoils, checksum) in objects() {
        let plan = Plan {
            operations: 300,
            clients: 7,
            keys: 2,
            unknown: 0.05,
            pace: Pace::Irregular,
            spoil: Some(spoils[0]),
            seed: 11,
            ..Plan::of(object)
        };
        let mut bytes = Vec::new();
        simulate(&plan).history.write_jsonl(&mut bytes).unwrap();
        let found = bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        assert_eq!(found, checksum, "{object:?}: {found:#018x}");
    }
}

#[test]
fn ops_come_one_by_one_as_in_the_history() {
    let plan = Plan { unknown: 0.1, ..Plan::of(Object::CasRegister { values: 5 }) };
    let mut ops = Vec::new();
    each_op(&plan, |op| ops.push(op));
    let history = simulate(&plan).history;
    assert!(history.ops().eq(ops) && history.len() > 1_900);
}

#[test]
fn long_histories_of_unique_values_are_what_the_simulation_calls_for() {
    let plain = Plan { operations: 6_000, clients: 20, ..Plan::of(Object::Register) };
    let objects = [Object::Register, Object::UniqueCas];
    for (seed, object) in (0..12).zip(objects.into_iter().cycle()) {
        let keys = [1, 7, 300][seed as usize % 3];
        let plan = Plan { object, keys, unknown: [0.0, 0.02][seed as usize / 6], seed, ..plain };
        for spoil in [None, Some(Spoil::Stale), Some(Spoil::Phantom)] {
            let simulated = simulate(&Plan { spoil, ..plan });
            let valid = simulated.spoiled_at.is_none();
            let check = LinearizableRegister::default();
            let report = check.check(&simulated.history, &Budget::default());
            assert_eq!(report.verdict.is_valid(), valid, "{plan:?} {spoil:?}: {report}");
            assert_eq!(report.verdict.is_invalid(), !valid, "{plan:?} {spoil:?}: {report}");
            assert_eq!((report.keys, &*report.engine), (u64::from(keys), "zones"), "{plan:?} {spoil:?}");
            assert_eq!(report.ops.invoked, plan.operations, "{plan:?} {spoil:?}");
            let alone = check.decide(&simulated.history, &Budget::default());
            assert_eq!(alone, report.verdict.into(), "{plan:?} {spoil:?}");
        }
    }
}
