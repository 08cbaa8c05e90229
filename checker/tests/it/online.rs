//! Judging while the test runs: the first impossible event, late knowledge, keys, broken rules.

use checker::history::{Resolution, ResolveError};
use checker::online::{Checker, Status};
use checker::{Anomaly, BrokenRule, Check, History, Op, OpType, Process, SetCheck, Value, WellFormed};

use crate::brute_force::{self, Step};
use crate::history::history;
use crate::simulate::{Object, Plan, correct, spoiled};

fn seeds() -> u64 {
    std::env::var("CHECKER_SEEDS").map_or(4_000, |seeds| seeds.parse().unwrap())
}

/// The index of the event at which a violation is reported.
fn reported(mut checker: Checker, ops: &[Op]) -> Option<u64> {
    let statuses = ops.iter().map(|op| checker.event(op).unwrap());
    statuses.into_iter().find_map(|status| match status {
        Status::Fine => None,
        Status::Violation(violation) => Some(violation.index),
        Status::Undecided(undecided) => panic!("{undecided:?}"),
    })
}

/// The index of the event with which no order is left.
fn first_impossible(ops: &[Op], step: Step) -> Option<u64> {
    let linearizable =
        |length: &usize| brute_force::is_linearizable(&History::new(ops[..*length].to_vec()), step);
    (1..=ops.len()).find(|length| !linearizable(length)).map(|length| ops[length - 1].index)
}

fn agree(object: Object, unique: bool, checker: fn() -> Checker, step: Step) {
    let (mut valid, mut invalid) = (0, 0);
    for seed in 0..seeds() {
        let plan = Plan {
            object,
            clients: 1 + seed as usize % 5,
            operations: 3 + seed as usize / 5 % 7,
            unique,
            unknown_percent: [0, 10, 30][seed as usize % 3],
            failed_percent: 10,
        };
        let history = spoiled(&correct(plan, seed), object, seed);
        let ops = history.into_ops();
        let truth = first_impossible(&ops, step);
        assert_eq!(reported(checker(), &ops), truth, "seed {seed}: {ops:#?}");
        valid += u64::from(truth.is_none());
        invalid += u64::from(truth.is_some());
    }
    assert!(valid > seeds() / 5 && invalid > seeds() / 10, "{valid} {invalid}");
}

#[test]
fn a_register_is_judged_at_the_first_impossible_event() {
    agree(Object::Register, true, Checker::registers, brute_force::register);
    agree(Object::Register, false, Checker::registers, brute_force::register);
}

#[test]
fn a_list_is_judged_at_the_first_impossible_event() {
    agree(Object::List, true, Checker::lists, brute_force::list);
    agree(Object::List, false, Checker::lists, brute_force::list);
}

#[test]
fn a_set_is_judged_at_the_first_impossible_event() {
    let checker = || SetCheck::default().online().unwrap();
    agree(Object::Set, true, checker, brute_force::set);
    agree(Object::Set, false, checker, brute_force::set);
}

#[test]
fn a_long_list_is_judged_without_a_complaint() {
    for seed in 0..3 {
        let plan = Plan {
            object: Object::List,
            clients: 9,
            operations: 2_000,
            unique: true,
            unknown_percent: 2,
            failed_percent: 2,
        };
        assert_eq!(reported(Checker::lists(), &correct(plan, seed).into_ops()), None, "seed {seed}");
    }
}

/// Feeds what a text tells, and says what the last event shows.
fn last(checker: &mut Checker, text: &str) -> Status {
    let statuses: Vec<Status> = history(text).ops().map(|op| checker.event(&op).unwrap()).collect();
    let (last, before) = statuses.split_last().unwrap();
    assert!(before.iter().all(|status| *status == Status::Fine), "{statuses:?}");
    last.clone()
}

fn anomaly(status: Status) -> Anomaly {
    match status {
        Status::Violation(violation) => violation.anomaly,
        other => panic!("{other:?}"),
    }
}

fn reason(status: Status) -> String {
    match status {
        Status::Undecided(undecided) => undecided.reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn violations_have_names() {
    let register = |text: &str| anomaly(last(&mut Checker::registers(), text));
    let list = |text: &str| anomaly(last(&mut Checker::lists(), text));
    assert_eq!(register("0 0 invoke read\n 1 0 ok read 1"), Anomaly::NeverWritten);
    let failed = "0 0 invoke write 1\n 1 1 invoke read\n 2 1 ok read 1\n 3 0 fail write 1";
    assert_eq!(register(failed), Anomaly::FailedWriteSeen);
    let twice =
        "0 0 invoke cas [null,1]\n 1 0 ok cas [null,1]\n 2 0 invoke cas [null,2]\n 3 0 ok cas [null,2]";
    assert_eq!(register(twice), Anomaly::LostUpdate);
    let cycle = "0 0 invoke cas [2,1]\n 1 1 invoke cas [1,2]\n 2 0 ok cas [2,1]";
    assert_eq!(register(cycle), Anomaly::NoOrder);
    let stale = "0 0 invoke write 1\n 1 0 ok write 1\n 2 0 invoke read\n 3 0 ok read";
    assert_eq!(register(stale), Anomaly::StaleRead);
    let appended =
        "0 0 invoke append 1\n 1 0 ok append 1\n 2 0 invoke append 2\n 3 0 ok append 2\n 4 0 invoke read\n";
    assert_eq!(list(&format!("{appended} 5 0 ok read [1]")), Anomaly::LostUpdate);
    assert_eq!(list(&format!("{appended} 5 0 ok read [2,1]")), Anomaly::LostUpdate);
    assert_eq!(list(&format!("{appended} 5 0 ok read [1,1]")), Anomaly::Duplicate);
    assert_eq!(list(&format!("{appended} 5 0 ok read [1,3]")), Anomaly::NeverWritten);
    let read = format!("{appended} 5 0 ok read [1,2]\n 6 0 invoke read\n");
    assert_eq!(list(&format!("{read} 7 0 ok read [1]")), Anomaly::StaleRead);
    assert_eq!(list(&format!("{read} 7 0 ok read [2]")), Anomaly::Fork);
    let early = "0 0 invoke append 1\n 1 1 invoke read\n 2 1 ok read [1]\n 3 0 fail append 1";
    assert_eq!(list(early), Anomaly::FailedWriteSeen);
}

#[test]
fn a_value_that_comes_back_after_long_is_undecided_if_the_old_one_may_be_there() {
    let mut checker = Checker::registers();
    let mut index = 0;
    let mut event = |op_type, f, key: i64, value: i64| {
        index += 1;
        let op = Op::new(index, index, op_type, Process::Client(0), f, value).with_key(key);
        checker.event(&op).unwrap()
    };
    for value in 0..10_000 {
        assert_eq!(event(OpType::Invoke, "write", 1, value), Status::Fine);
        assert_eq!(event(OpType::Ok, "write", 1, value), Status::Fine);
    }
    let undecided = reason(event(OpType::Invoke, "write", 1, 9_999));
    assert!(undecided.contains("9999 is written twice, from positions 19998 and 20000"), "{undecided}");
    assert!(undecided.contains("too long ago"), "{undecided}");
    // That key is not judged any more; others are.
    assert_eq!(event(OpType::Ok, "write", 1, 9_999), Status::Fine);
    event(OpType::Invoke, "read", 1, 0);
    assert_eq!(event(OpType::Ok, "read", 1, 7), Status::Fine);
    event(OpType::Invoke, "read", 2, 0);
    assert_eq!(anomaly(event(OpType::Ok, "read", 2, 7)), Anomaly::NeverWritten);
    assert_eq!(checker.violation().unwrap().key, Some(2.into()));
    assert_eq!(checker.undecided().unwrap().key, Some(1.into()));
}

#[test]
fn a_value_written_again_is_just_a_value() {
    let again =
        "0 0 invoke write 1\n 1 0 ok write 1\n 2 0 invoke write 1\n 3 0 ok write 1\n 4 1 invoke read\n";
    assert_eq!(last(&mut Checker::registers(), &format!("{again} 5 1 ok read 1")), Status::Fine);
    let Status::Violation(stale) = last(&mut Checker::registers(), &format!("{again} 5 1 ok read")) else {
        panic!()
    };
    assert_eq!((stale.index, stale.events), (5, vec![4, 5]));
    assert_eq!(
        stale.summary,
        "process 1 read nil at 0.004 s–0.005 s, and with that no order of the operations is left: by what had ended \
         before, the register could hold 1"
    );
    // When the old one is certainly gone, it is just a value.
    let gone = "0 0 invoke write 1\n 1 0 ok write 1\n 2 0 invoke write 2\n 3 0 ok write 2\n 4 0 invoke write 1\n 5 0 ok write 1";
    assert_eq!(last(&mut Checker::registers(), gone), Status::Fine);
}

#[test]
fn what_is_no_operation_of_the_object_is_undecided() {
    let register = |text: &str| reason(last(&mut Checker::registers(), text));
    assert!(register("0 0 invoke push 1").contains("no function \"push\""));
    assert!(register("0 0 invoke cas 1").contains("[old, new]"));
    assert!(register("0 0 invoke append 1").contains("no function \"append\""));
    assert!(register("0 0 invoke write 1\n 1 0 ok write 2").contains("which of the two"));
    let list = |text: &str| reason(last(&mut Checker::lists(), text));
    assert!(list("0 0 invoke write 1").contains("no function \"write\""));
    assert!(list("0 0 invoke read\n 1 0 ok read 3").contains("no list"));
}

#[test]
fn the_rules_are_those_of_every_history() {
    for seed in 0..seeds() {
        let plan = Plan {
            object: Object::Register,
            clients: 3,
            operations: 9,
            unique: true,
            unknown_percent: 20,
            failed_percent: 10,
        };
        let mut ops = correct(plan, seed).into_ops();
        // Some of them are lost, marked late, swapped or about another function.
        let (place, other) = (seed as usize % ops.len(), seed as usize / 7 % ops.len());
        match seed % 5 {
            0 => drop(ops.remove(place)),
            1 => ops[place].late = true,
            2 => ops.swap(place, other),
            3 => ops[place].f = "write".into(),
            _ => ops[place].key = Some(Value::Int(1)),
        }
        let (mut rules, mut checker) = (WellFormed::default(), Checker::registers());
        for op in &ops {
            let (expected, found) = (rules.observe(op), checker.event(op));
            assert_eq!(expected.as_ref().err(), found.as_ref().err(), "seed {seed}: {ops:#?}");
        }
    }
}

#[test]
fn late_knowledge_counts_from_when_it_came() {
    let given_up = "0 0 invoke write 1\n 1 0 info write 1\n 2 1 invoke read\n 3 1 ok read";
    let resolved = |resolution: &Resolution, then: &str| {
        let mut checker = Checker::registers();
        assert_eq!(last(&mut checker, given_up), Status::Fine);
        assert_eq!(checker.resolve(0, resolution), Ok(Status::Fine));
        assert_eq!(checker.resolve(0, resolution), Err(ResolveError::Known(0)));
        let ops = history(then).into_ops().into_iter().map(|op| Op { index: op.index + 4, ..op });
        let statuses: Vec<Status> = ops.map(|op| checker.event(&op).unwrap()).collect();
        statuses.last().unwrap().clone()
    };
    let (nil, one) = ("0 1 invoke read\n 1 1 ok read", "0 1 invoke read\n 1 1 ok read 1");
    let happened = Resolution::Happened(Value::Nil);
    assert_eq!(anomaly(resolved(&happened, nil)), Anomaly::StaleRead);
    assert_eq!(resolved(&happened, one), Status::Fine);
    assert_eq!(anomaly(resolved(&Resolution::DidNotHappen, one)), Anomaly::NeverWritten);
    assert_eq!(resolved(&Resolution::DidNotHappen, nil), Status::Fine);
    let mut checker = Checker::registers();
    let seen = "0 0 invoke write 1\n 1 0 info write 1\n 2 1 invoke read\n 3 1 ok read 1";
    assert_eq!(last(&mut checker, seen), Status::Fine);
    assert_eq!(checker.resolve(9, &happened), Err(ResolveError::NoInvocation(9)));
    assert_eq!(anomaly(checker.resolve(0, &Resolution::DidNotHappen).unwrap()), Anomaly::FailedWriteSeen);
}

#[test]
fn late_knowledge_gives_the_verdict_of_the_whole_history() {
    let (mut valid, mut invalid, mut resolved) = (0, 0, 0);
    for seed in 0..seeds() {
        let plan = Plan {
            object: Object::Register,
            clients: 1 + seed as usize % 4,
            operations: 3 + seed as usize / 5 % 6,
            unique: true,
            unknown_percent: 40,
            failed_percent: 0,
        };
        let mut history = spoiled(&correct(plan, seed), Object::Register, seed);
        let calls = history.calls().unwrap();
        let unknown = calls.iter().filter(|call| call.outcome() == checker::Outcome::Unknown);
        let infos: Vec<u64> = unknown.map(|call| call.invoke_index()).collect();
        let mut checker = Checker::registers();
        let ops = history.clone().into_ops();
        let mut impossible = reported_by(&mut checker, &ops);
        for (place, index) in infos.into_iter().enumerate() {
            let f = history.op(history.position_of(index).unwrap()).f;
            let resolution = match (seed as usize + place) % 3 {
                0 => continue,
                1 => Resolution::DidNotHappen,
                _ if f == "read" => Resolution::Happened(Value::Int(1 + seed as i64 % 4)),
                _ => Resolution::Happened(Value::Nil),
            };
            history.resolve(index, resolution.clone()).unwrap();
            impossible |= checker.resolve(index, &resolution).unwrap() != Status::Fine;
            resolved += 1;
        }
        let truth = brute_force::is_linearizable(&history, brute_force::register);
        assert_eq!(impossible, !truth, "seed {seed}: {history:#?}");
        valid += u64::from(truth);
        invalid += u64::from(!truth);
    }
    assert!(valid > seeds() / 5 && invalid > seeds() / 5 && resolved > seeds() / 2, "{valid} {invalid}");
}

fn reported_by(checker: &mut Checker, ops: &[Op]) -> bool {
    ops.iter().fold(false, |found, op| found | (checker.event(op).unwrap() != Status::Fine))
}

#[test]
fn an_op_against_the_rules_is_not_taken() {
    let mut checker = Checker::registers();
    let ops = history("0 0 invoke write 1\n 1 1 ok write 1\n 2 0 ok write 1").into_ops();
    assert_eq!(checker.event(&ops[0]), Ok(Status::Fine));
    let broken = checker.event(&ops[1]).unwrap_err();
    assert_eq!(broken.broken, BrokenRule::CompletedWithoutInvoke { op_type: OpType::Ok });
    assert_eq!(checker.event(&ops[2]), Ok(Status::Fine));
}
