//! Every engine and the oracle give the same answer on many small histories.

use checker::model::{AppendList, CasRegister, GrowSet};
use checker::{
    Budget, Check, History, KeyOrder, Linearizable, LinearizableAppend, LinearizableRegister, SetCheck,
    Verdict,
};

use crate::brute_force::{self, Step};
use crate::simulate::{Object, Plan, correct, spoiled};

/// Correct histories of each kind; each is judged once as it is and twice spoiled. `CHECKER_SEEDS=N` asks
/// for another number, for a night.
fn seeds() -> u64 {
    std::env::var("CHECKER_SEEDS").map_or(8_000, |seeds| seeds.parse().unwrap())
}

struct Tally {
    valid: u64,
    invalid: u64,
    fast: u64,
}

/// Runs correct and spoiled histories of a kind through the check, the search and the oracle.
fn agree(object: Object, unique: bool) -> Tally {
    let (check, search, step): (Box<dyn Check>, Box<dyn Check>, Step) = match object {
        Object::Register => (
            Box::new(LinearizableRegister::default()),
            Box::new(Linearizable::new(CasRegister::default())),
            brute_force::register,
        ),
        Object::List => (
            Box::new(LinearizableAppend::default()),
            Box::new(Linearizable::new(AppendList)),
            brute_force::list,
        ),
        Object::Set => {
            (Box::new(SetCheck::default()), Box::new(Linearizable::new(GrowSet)), brute_force::set)
        }
    };
    let mut tally = Tally { valid: 0, invalid: 0, fast: 0 };
    for seed in 0..seeds() {
        let plan = Plan {
            object,
            clients: 1 + seed as usize % 5,
            operations: 3 + seed as usize / 5 % 8,
            unique,
            unknown_percent: [0, 10, 30][seed as usize % 3],
            failed_percent: 10,
        };
        let history = correct(plan, seed);
        assert!(brute_force::is_linearizable(&history, step), "seed {seed}: the simulation is wrong");
        judge(&*check, &*search, step, &history, seed, &mut tally);
        for round in 0..2 {
            judge(&*check, &*search, step, &spoiled(&history, object, seed * 2 + round), seed, &mut tally);
        }
    }
    println!("{object:?} unique {unique}: {} valid, {} invalid", tally.valid, tally.invalid);
    tally
}

fn judge(check: &dyn Check, search: &dyn Check, step: Step, history: &History, seed: u64, tally: &mut Tally) {
    let truth = brute_force::is_linearizable(history, step);
    let budget = Budget::default();
    let (report, searched) = (check.check(history, &budget), search.check(history, &budget));
    let text = || {
        let mut lines = Vec::new();
        history.write_jsonl(&mut lines).unwrap();
        format!("seed {seed}, linearizable: {truth}\n{}{report}{searched}", String::from_utf8(lines).unwrap())
    };
    for (check, report) in [(check, &report), (search, &searched)] {
        let alone = check.decide(history, &budget);
        assert_eq!(alone, report.verdict.clone().into(), "without why: {}", text());
    }
    if report.ops.ok == 0 {
        assert!(report.verdict.is_unknown(), "{}", text());
        return;
    }
    assert_eq!(searched.verdict.is_valid(), truth, "search: {}", text());
    assert_eq!(searched.verdict.is_invalid(), !truth, "search: {}", text());
    match &report.verdict {
        Verdict::Valid => {
            assert!(truth, "{}", text());
            for check in [check, search].into_iter().filter(|check| check.name() != "set") {
                let orders = check.order(history, &budget).unwrap_or_else(|why| panic!("{why}: {}", text()));
                for KeyOrder { order, engine, .. } in orders {
                    assert!(brute_force::explains(history, &order, step), "{engine} {order:?}: {}", text());
                }
            }
        }
        Verdict::Invalid(witness) => {
            assert!(!truth, "{}", text());
            assert!(witness.ops.iter().any(|op| op.failing), "{}", text());
            // The evidence alone is already impossible.
            let kept: Vec<u64> = witness
                .ops
                .iter()
                .flat_map(|op| [Some(op.invoke_index), op.complete_index])
                .flatten()
                .collect();
            let alone: History = history.ops().filter(|op| kept.contains(&op.index)).collect();
            assert!(!brute_force::is_linearizable(&alone, step), "evidence: {}", text());
        }
        // In order as far as it goes, but nobody looked.
        Verdict::Unknown(_) => {
            let looked =
                |op: &checker::Op| op.op_type == checker::OpType::Ok && (op.f == "read" || op.f == "cas");
            let seen = history.ops().any(|op| looked(&op));
            assert!(truth && (check.name() == "set" || !seen), "{}", text());
        }
    }
    tally.valid += u64::from(truth);
    tally.invalid += u64::from(!truth);
    tally.fast += u64::from(report.engine != "search");
}

#[test]
fn on_registers_whose_values_are_unique() {
    let tally = agree(Object::Register, true);
    assert!(tally.valid > seeds() && tally.invalid > seeds() / 4);
    assert_eq!(tally.fast, tally.valid + tally.invalid);
}

#[test]
fn on_registers_whose_values_repeat() {
    let tally = agree(Object::Register, false);
    assert!(tally.valid > seeds() && tally.invalid > seeds() / 4);
}

#[test]
fn on_lists_whose_values_are_unique() {
    let tally = agree(Object::List, true);
    assert!(tally.valid > seeds() && tally.invalid > seeds() / 4);
    assert_eq!(tally.fast, tally.valid + tally.invalid);
}

#[test]
fn on_lists_whose_values_repeat() {
    let tally = agree(Object::List, false);
    assert!(tally.valid > seeds() && tally.invalid > seeds() / 4);
}

#[test]
fn on_sets_whose_elements_are_unique() {
    let tally = agree(Object::Set, true);
    assert!(tally.valid > seeds() && tally.invalid > seeds() / 4);
    assert_eq!(tally.fast, tally.valid + tally.invalid);
}

#[test]
fn on_sets_whose_elements_repeat() {
    let tally = agree(Object::Set, false);
    assert!(tally.valid > seeds() && tally.invalid > seeds() / 4);
}
