//! What is no history at all.

use checker::{
    BrokenRule, Budget, Check, Event, History, LinearizableRegister, Op, OpType, Outcome, Process,
    Resolution, ResolveError, Value, Verdict, WellFormed,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::history::history;

#[test]
fn clients_that_obey_the_rules_make_a_history() {
    for text in [
        "",
        "0 0 invoke read\n 1 0 ok read",
        // Still open at the end.
        "0 0 invoke write 1\n 1 1 invoke read",
        // An info retires the process; another one goes on.
        "0 0 invoke write 1\n 1 0 info write 1\n 2 10 invoke read",
        // A fail does not.
        "0 0 invoke write 1\n 1 0 fail write 1\n 2 0 invoke read",
        // The nemesis keeps no rules.
        "0 nemesis info kill\n 1 nemesis invoke kill\n 2 nemesis invoke heal\n 3 nemesis ok heal",
    ] {
        assert_eq!(history(text).well_formed(), Ok(()), "{text}");
    }
}

#[test]
fn each_broken_rule_is_named_with_its_place() {
    let cases = [
        (
            "0 3 invoke read\n 1 3 invoke write 1",
            BrokenRule::InvokedWhileOpen { open: 0 },
            "ill-formed history at op 1 (line 2, process 3): invokes while its operation of op 0 is still open",
        ),
        (
            "0 3 invoke write 1\n 1 3 info write 1\n 2 3 invoke read",
            BrokenRule::ReusedAfterInfo { info: 1 },
            "ill-formed history at op 2 (line 3, process 3): is used again after the info of op 1; that operation may still be running",
        ),
        (
            "0 3 ok read 1",
            BrokenRule::CompletedWithoutInvoke { op_type: OpType::Ok },
            "ill-formed history at op 0 (line 1, process 3): ok without an open invocation",
        ),
        (
            "0 3 invoke write 1\n 1 3 ok write 1\n 2 3 ok write 1",
            BrokenRule::CompletedWithoutInvoke { op_type: OpType::Ok },
            "ill-formed history at op 2 (line 3, process 3): ok without an open invocation",
        ),
        (
            "0 3 invoke write 1\n 1 3 info write 1\n 2 3 ok write 1",
            BrokenRule::CompletedWithoutInvoke { op_type: OpType::Ok },
            "ill-formed history at op 2 (line 3, process 3): ok without an open invocation",
        ),
        (
            "0 3 invoke write 1\n 1 3 ok read 1",
            BrokenRule::OtherFunction { invoke: 0, invoked: "write".into(), completed: "read".into() },
            "ill-formed history at op 1 (line 2, process 3): completes read, but op 0 invoked write",
        ),
        (
            "0 3 invoke write 1 @1\n 1 3 ok write 1 @2",
            BrokenRule::OtherKey { invoke: 0 },
            "ill-formed history at op 1 (line 2, process 3): completes about another key than op 0 invoked",
        ),
    ];
    for (text, broken, words) in cases {
        let history = history(text);
        let error = history.well_formed().unwrap_err();
        assert_eq!(error.broken, broken, "{text}");
        assert_eq!(error.to_string(), words);
        let report = LinearizableRegister::default().check(&history, &Budget::default());
        assert_eq!(report.verdict, Verdict::Unknown(words.to_owned()));
        assert_eq!(report.verdict.exit_code(), 2);
    }
}

#[test]
fn indices_rise() {
    let mut ops = history("0 0 invoke read\n 1 0 ok read").into_ops();
    ops[1].index = 0;
    let error = History::new(ops).well_formed().unwrap_err();
    assert_eq!(error.broken, BrokenRule::IndexNotRising { after: 0 });
    // Gaps are allowed: parts of a history are histories.
    let mut ops = history("0 0 invoke read\n 1 0 ok read").into_ops();
    ops[1].index = 17;
    assert_eq!(History::new(ops).well_formed(), Ok(()));
}

#[test]
fn a_recorder_can_judge_as_it_writes() {
    let mut rules = WellFormed::default();
    let events: Vec<_> = history("0 0 invoke read\n 1 nemesis info kill\n 2 0 ok read")
        .ops()
        .map(|op| rules.observe(&op).unwrap())
        .collect();
    assert_eq!(events, [Event::Invoked, Event::Nemesis, Event::Completed { invoked_at: 0 }]);
}

#[test]
fn what_is_learnt_late_is_the_outcome() {
    let mut history = history("0 0 invoke write 1\n 1 0 info write 1\n 2 1 invoke read\n 3 1 ok read 2");
    let outcome = |history: &History| history.calls().unwrap().iter().next().unwrap().outcome();
    assert_eq!(outcome(&history), Outcome::Unknown);
    assert_eq!(history.resolve(2, Resolution::DidNotHappen), Err(ResolveError::Known(2)));
    assert_eq!(history.resolve(1, Resolution::DidNotHappen), Err(ResolveError::NoInvocation(1)));
    assert_eq!(history.resolve(99, Resolution::DidNotHappen), Err(ResolveError::NoInvocation(99)));
    let mut other = history.clone();
    history.resolve(0, Resolution::Happened(Value::Nil)).unwrap();
    assert_eq!(outcome(&history), Outcome::Ok);
    assert_eq!(history.calls().unwrap().iter().next().unwrap().end(), Some(4));
    assert_eq!(history.resolve(0, Resolution::DidNotHappen), Err(ResolveError::Known(0)));
    other.resolve(0, Resolution::DidNotHappen).unwrap();
    assert_eq!(outcome(&other), Outcome::Failed);
    // It survives being written down, and a second word on the same operation is refused.
    let mut lines = Vec::new();
    history.write_jsonl(&mut lines).unwrap();
    assert_eq!(History::read_jsonl(&lines[..]).unwrap(), history);
    let mut twice = history.op(4);
    twice.index = 5;
    history.push(twice);
    assert!(history.well_formed().is_err());
}

/// The rules are kept in two places, for columns and for one op at a time: they must be the same.
#[test]
fn both_judges_of_the_rules_agree() {
    let types = [OpType::Invoke, OpType::Ok, OpType::Fail, OpType::Info];
    let (mut sound, mut broken) = (0, 0);
    for seed in 0..20_000u64 {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut history = History::default();
        for index in 0..random.random_range(1..8u64) {
            let index = if random.random_ratio(1, 40) { 0 } else { index };
            let process = match random.random_range(0..9u64) {
                0 => Process::Nemesis,
                number => Process::Client(number % 2),
            };
            let op_type = types[random.random_range(0..4usize)];
            let f = if random.random_ratio(1, 10) { "write" } else { "read" };
            let late = random.random_ratio(1, 4);
            let mut op = Op { late, ..Op::new(index, 0, op_type, process, f, Value::Nil) };
            op.key = random.random_ratio(1, 10).then_some(Value::Int(1));
            history.push(op);
        }
        let mut rules = WellFormed::default();
        let streamed = history.ops().try_for_each(|op| rules.observe(&op).map(|_| ()));
        assert_eq!(history.well_formed(), streamed, "seed {seed}: {:?}", history.into_ops());
        *if streamed.is_ok() { &mut sound } else { &mut broken } += 1;
    }
    assert!(sound > 1_000 && broken > 1_000, "{sound} sound, {broken} broken");
}
