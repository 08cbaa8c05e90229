//! The public simulator: what it calls atomic is, what it calls spoiled is not, and a seed gives its bytes.

use checker::simulate::{Object, Pace, Plan, Spoil, each_op, simulate};
use checker::{Budget, Call, Check, History, LinearizableAppend, LinearizableRegister, Outcome, Value};

use crate::brute_force::{self, Step, is_linearizable};

/// Every object, its oracle, the spoils it knows, and the checksum of its bytes for one plan.
fn objects() -> Vec<(Object, Step, &'static [Spoil], u64)> {
    use Spoil::{Lost, Phantom, Stale};
    const ALL: &[Spoil] = &[Stale, Phantom, Lost];
    vec![
        (Object::Register, brute_force::register as Step, ALL, 0),
        (Object::UniqueCas, brute_force::register, ALL, 0),
        (Object::CasRegister { values: 3 }, brute_force::register, ALL, 0),
        (Object::Queue, queue, ALL, 0),
        (Object::Stack, stack, ALL, 0),
        (Object::PriorityQueue, priority_queue, ALL, 0),
        (Object::Set { elements: 3 }, set, ALL, 0),
        (Object::List { appends: 1_000 }, brute_force::list, ALL, 0),
        (Object::ListTransactions { appends: 1_000 }, transactions, ALL, 0),
        (Object::Mutex, mutex, &[Stale], 0),
        (Object::Counter, counter, ALL, 0),
    ]
}

fn elements(state: &Value) -> Vec<Value> {
    state.as_list().unwrap_or(&[]).to_vec()
}

/// A container that is put to at its end; `next` is the place of what comes out next.
fn container(state: &Value, call: &Call<'_>, next: fn(&[Value]) -> usize) -> Option<Value> {
    let mut held = elements(state);
    match call.f() {
        "enqueue" | "push" | "insert" => held.push(call.invoke.value.clone()),
        _ => match call.result() {
            // One that may have happened: it takes what comes next, if anything.
            None if held.is_empty() => {}
            None => drop(held.remove(next(&held))),
            Some(Value::Nil) if held.is_empty() => {}
            Some(Value::Nil) => return None,
            Some(value) => {
                let place = held.iter().position(|held| held == value)?;
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
    let mut present = elements(state);
    let place = present.iter().position(|element| *element == call.invoke.value);
    let answer = match (call.f(), place) {
        ("add", None) => {
            present.push(call.invoke.value.clone());
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
    call.result().is_none_or(|told| *told == Value::Bool(answer)).then_some(Value::List(present))
}

fn transactions(state: &Value, call: &Call<'_>) -> Option<Value> {
    let told = call.result().unwrap_or(&call.invoke.value).as_list().unwrap();
    let mut lists = elements(state);
    for part in told {
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
        "add" => Some(Value::Int(sum + call.invoke.value.as_int().unwrap())),
        _ => call.result().is_none_or(|told| told.as_int() == Some(sum)).then(|| Value::Int(sum)),
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
                let container = matches!(object, Object::Queue | Object::Stack | Object::PriorityQueue);
                if unknown > 0.0 && spoil == Spoil::Lost && container {
                    continue; // A take of unknown outcome explains the loss.
                }
                let plan =
                    Plan { operations: 4_000, clients: 10, unknown, spoil: Some(spoil), ..Plan::of(object) };
                let simulated = simulate(&plan);
                assert!(simulated.spoiled_at.is_some(), "{plan:?}");
                assert_eq!(simulated.history.well_formed(), Ok(()));
                let calls = simulated.history.calls().unwrap();
                assert_eq!(calls.len(), 4_000);
                let lost = calls.iter().filter(|call| call.outcome == Outcome::Unknown).count();
                assert_eq!(lost > 0, unknown > 0.0, "{plan:?}");
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
    assert_eq!(History::new(ops), simulate(&plan).history);
}
