//! Small histories, where every order of the transactions can be tried.

use std::collections::BTreeMap;

use checker::transactions::consistency::ConsistencyModel as M;
use checker::transactions::{ListAppend, RwRegister};
use checker::{Budget, Check, History, Outcome, Value};

use super::store::{Plan, run};

struct Small {
    outcome: Outcome,
    start: usize,
    end: Option<usize>,
    mops: Vec<Value>,
}

/// Whether some order of what happened explains every answer; in real time if asked for.
fn explained(history: &History, real_time: bool) -> bool {
    let calls = history.calls().unwrap();
    let txns: Vec<Small> = calls
        .iter()
        .filter(|call| call.outcome() != Outcome::Failed)
        .map(|call| {
            let value = call.result().unwrap_or_else(|| call.asked());
            let Value::List(mops) = value else { panic!() };
            Small { outcome: call.outcome(), start: call.start(), end: call.end(), mops }
        })
        .collect();
    extend(&txns, 0, &BTreeMap::new(), real_time)
}

fn extend(txns: &[Small], done: u32, state: &BTreeMap<Value, Value>, real_time: bool) -> bool {
    let left = |number: usize| done >> number & 1 == 0;
    if (0..txns.len()).all(|number| !left(number) || txns[number].outcome == Outcome::Unknown) {
        return true;
    }
    for (number, txn) in txns.iter().enumerate().filter(|(number, _)| left(*number)) {
        let too_early = (0..txns.len()).any(|other| {
            left(other) && other != number && txns[other].end.is_some_and(|end| end < txn.start)
        });
        if real_time && too_early {
            continue;
        }
        if let Some(after) = apply(txn, state)
            && extend(txns, done | 1 << number, &after, real_time)
        {
            return true;
        }
    }
    false
}

fn apply(txn: &Small, state: &BTreeMap<Value, Value>) -> Option<BTreeMap<Value, Value>> {
    let mut state = state.clone();
    for mop in &txn.mops {
        let [Value::Text(f), key, value] = mop.as_list().unwrap() else { panic!() };
        match &**f {
            "append" => {
                let Value::List(list) = state.entry(key.clone()).or_insert(Value::List(Vec::new())) else {
                    panic!()
                };
                list.push(value.clone());
            }
            "w" => {
                state.insert(key.clone(), value.clone());
            }
            _ if txn.outcome == Outcome::Unknown => {}
            _ => {
                let known = state.get(key).cloned();
                let empty = Value::List(Vec::new());
                let same = match known {
                    Some(known) => known == *value,
                    None => value.is_nil() || *value == empty,
                };
                if !same {
                    return None;
                }
            }
        }
    }
    Some(state)
}

/// How many seeds: a handful, or as many as asked for.
fn seeds(usual: u64) -> std::ops::Range<u64> {
    0..std::env::var("CHECKER_SEEDS").ok().and_then(|count| count.parse().ok()).unwrap_or(usual)
}

fn small(seed: u64, registers: bool) -> Plan {
    Plan {
        registers,
        clients: 2 + (seed % 3) as usize,
        transactions: 3 + (seed % 4) as usize,
        mops_max: 1 + (seed / 4 % 4) as usize,
        keys: 1 + (seed / 16 % 3) as i64,
        writes_per_key: 100,
        unknown_percent: if seed.is_multiple_of(5) { 25 } else { 0 },
        failed_percent: if seed.is_multiple_of(7) { 20 } else { 0 },
        read_all: true,
        stale_percent: [0, 15, 40][(seed / 3 % 3) as usize],
        snapshots: seed.is_multiple_of(11),
    }
}

/// When everything is read in the end, nothing is missed and nothing is blamed wrongly.
#[test]
fn lists_read_in_the_end_are_judged_as_by_trying_every_order() {
    let mut counts = [[0; 2]; 2];
    for seed in seeds(6_000) {
        let history = run(&small(seed, false), seed);
        for (model, real_time) in [(M::StrictSerializable, true), (M::Serializable, false)] {
            let expected = explained(&history, real_time);
            let report = ListAppend::expecting(model).check(&history, &Budget::default());
            assert_eq!(report.verdict.is_valid(), expected, "seed {seed}: {report}");
            counts[usize::from(real_time)][usize::from(expected)] += 1;
        }
    }
    assert!(counts.iter().flatten().all(|count| *count > 100), "a one-sided test: {counts:?}");
}

/// What is not read in the end may hide something, but what is right is never blamed.
#[test]
fn no_alarm_is_false() {
    let mut alarms = 0;
    for seed in seeds(6_000) {
        let registers = seed % 2 == 0;
        let plan = Plan { read_all: seed % 3 == 0, ..small(seed / 2, registers) };
        let history = run(&plan, seed);
        for (model, real_time) in [(M::StrictSerializable, true), (M::Serializable, false)] {
            let report = match registers {
                true => RwRegister::expecting(model).check(&history, &Budget::default()),
                false => ListAppend::expecting(model).check(&history, &Budget::default()),
            };
            if report.verdict.is_invalid() {
                alarms += 1;
                assert!(!explained(&history, real_time), "seed {seed}: {report}");
            }
        }
    }
    assert!(alarms > 500, "too few alarms to mean anything: {alarms}");
}

/// A store with snapshots may skew writes but keeps to snapshot isolation.
#[test]
fn snapshots_are_told_from_serializability() {
    let mut skewed = 0;
    for seed in seeds(150) {
        let registers = seed % 2 == 0;
        let plan = Plan { registers, snapshots: true, transactions: 60, keys: 3, ..Plan::default() };
        let history = run(&plan, seed);
        let check = |model| match registers {
            true => RwRegister::expecting(model).check(&history, &Budget::default()),
            false => ListAppend::expecting(model).check(&history, &Budget::default()),
        };
        for model in [M::StrongSessionSnapshotIsolation, M::StrongSnapshotIsolation, M::StrongReadCommitted] {
            let report = check(model);
            assert!(report.verdict.is_valid(), "seed {seed}: {report}");
        }
        skewed += u32::from(check(M::Serializable).verdict.is_invalid());
    }
    assert!(skewed > 20, "only {skewed} skewed");
}

/// A long history of a correct store, lists and registers.
#[test]
fn a_correct_store_is_never_blamed() {
    for seed in seeds(40) {
        let registers = seed % 2 == 0;
        let plan = Plan { registers, clients: 10, transactions: 600, unknown_percent: 3, ..Plan::default() };
        let history = run(&plan, seed);
        let report = match registers {
            true => RwRegister::default().check(&history, &Budget::default()),
            false => ListAppend::default().check(&history, &Budget::default()),
        };
        assert!(report.verdict.is_valid(), "seed {seed}: {report}");
    }
}
