//! What is no history at all.

use checker::{BrokenRule, Budget, Check, Event, History, LinearizableRegister, OpType, Verdict, WellFormed};

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
        .iter()
        .map(|op| rules.observe(op).unwrap())
        .collect();
    assert_eq!(events, [Event::Invoked, Event::Nemesis, Event::Completed { invoked_at: 0 }]);
}
