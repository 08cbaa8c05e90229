//! Three answers, and nothing green by omission.

use checker::model::CasRegister;
use checker::{
    Budget, Check, History, LinearizableAppend, LinearizableRegister, OpType, Process, Report, SetCheck,
    Value, Verdict,
};

use crate::history::history;

fn register(text: &str) -> Report {
    LinearizableRegister::default().check(&history(text), &Budget::default())
}

fn reason(report: Report) -> String {
    match report.verdict {
        Verdict::Unknown(reason) => reason,
        other => panic!("{other}"),
    }
}

#[test]
fn invalid_beats_unknown_beats_valid() {
    let invalid = || register("0 0 invoke read\n 1 0 ok read 1").verdict;
    let unknown = || Verdict::Unknown("why".into());
    for (a, b, merged) in [
        (Verdict::Valid, Verdict::Valid, Verdict::Valid),
        (Verdict::Valid, unknown(), unknown()),
        (unknown(), Verdict::Valid, unknown()),
        (unknown(), invalid(), invalid()),
        (invalid(), unknown(), invalid()),
        (invalid(), Verdict::Valid, invalid()),
    ] {
        assert_eq!(a.merge(b), merged);
    }
    assert_eq!([Verdict::Valid, invalid(), unknown()].map(|verdict| verdict.exit_code()), [0, 1, 2]);
}

#[test]
fn nothing_asked_or_nothing_done_is_unknown() {
    assert!(reason(register("")).contains("no operations of clients"));
    assert!(reason(register("0 nemesis info kill")).contains("no operations of clients"));
    assert!(reason(register("0 0 invoke write 1\n 1 0 fail write 1")).contains("none of the 1 operations"));
    assert!(reason(register("0 0 invoke write 1\n 1 0 info write 1")).contains("none of the 1 operations"));
}

#[test]
fn what_is_no_operation_of_the_object_is_unknown_with_its_place() {
    for (text, words) in [
        ("0 0 invoke push 1\n 1 0 ok push 1", "op 0: a register has no function \"push\""),
        ("0 0 invoke cas 1\n 1 0 ok cas 1", "op 0: the argument of a cas is [old, new], not 1"),
        (
            "0 0 invoke write 1\n 1 0 ok write 2",
            "op 1 completes write 1 as 2 (op 0): which of the two values took effect is not known",
        ),
    ] {
        assert_eq!(reason(register(text)), words);
    }
    let list =
        LinearizableAppend::default().check(&history("0 0 invoke read\n 1 0 ok read 3"), &Budget::default());
    assert_eq!(reason(list), "the read of op 0 answers 3, which is no list");
}

#[test]
fn a_report_counts_what_it_rests_on() {
    let report = register(
        "0 0 invoke read @1\n 1 0 ok read @1
         2 0 invoke write 2 @2\n 3 0 fail write 2 @2
         4 0 invoke write 3 @2\n 5 0 info write 3 @2
         6 1 invoke read @1\n",
    );
    assert!(report.verdict.is_valid());
    let ops = report.ops;
    assert_eq!((ops.invoked, ops.ok, ops.failed, ops.unknown), (4, 1, 1, 2));
    assert_eq!((report.keys, report.engine.as_str()), (2, "zones"));
    assert_eq!(report.to_string(), "cas-register: valid (4 ops: 1 ok, 1 failed, 2 unknown; 2 keys; zones)\n");
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
}

#[test]
fn engines_are_named_with_their_keys() {
    let report = register(
        "0 0 invoke write 1 @1\n 1 0 ok write 1 @1\n 2 0 invoke write 1 @2\n 3 0 ok write 1 @2
         4 0 invoke write 1 @2\n 5 0 ok write 1 @2\n 6 0 invoke read @3\n 7 0 ok read @3",
    );
    assert!(report.verdict.is_valid());
    assert_eq!(report.engine, "frontier (1 key), zones (2 keys)");
}

#[test]
fn a_failed_or_unknown_read_says_nothing() {
    for end in ["fail", "info"] {
        let text = format!("0 0 invoke read\n 1 0 {end} read 9\n 2 1 invoke read\n 3 1 ok read");
        assert!(register(&text).verdict.is_valid());
    }
}

#[test]
fn a_history_in_which_nobody_looked_is_unknown() {
    let append = |text: &str| LinearizableAppend::default().check(&history(text), &Budget::default());
    let appended = "0 0 invoke append 1\n 1 0 ok append 1\n";
    assert!(reason(append(appended)).starts_with("1 acknowledged updates and not one successful read"));
    let failed = format!("{appended}2 0 invoke read\n 3 0 fail read");
    assert!(append(&failed).verdict.is_unknown());
    // One look at any key will do.
    let looked = format!("{appended}2 0 invoke read @7\n 3 0 ok read [] @7");
    assert!(append(&looked).verdict.is_valid());
    let written = "0 0 invoke write 1\n 1 0 ok write 1\n";
    assert!(register(written).verdict.is_unknown());
    assert!(register(&format!("{written}2 0 invoke cas [1,2]\n 3 0 ok cas [1,2]")).verdict.is_valid());
}

#[test]
fn a_function_that_never_succeeded_shows_nothing() {
    let cas = |count: u64| -> String {
        let one = |n: u64| format!("{} 0 invoke cas [8,9]\n {} 0 fail cas [8,9]\n", 2 + 2 * n, 3 + 2 * n);
        (0..count).map(one).collect()
    };
    let read = "0 0 invoke read\n 1 0 ok read\n";
    assert!(register(&format!("{read}{}", cas(49))).verdict.is_valid());
    let never = register(&format!("{read}{}", cas(50)));
    assert_eq!(reason(never), "none of the 50 operations cas succeeded, so nothing is shown about them");
}

#[test]
fn an_unknown_write_may_happen_at_any_later_time_but_not_before_it_was_asked() {
    let write = "2 0 invoke write 1\n 3 0 info write 1\n";
    let nil = "4 1 invoke read\n 5 1 ok read\n";
    let one = "6 1 invoke read\n 7 1 ok read 1\n";
    assert!(register(&format!("{write}{nil}")).verdict.is_valid());
    assert!(register(&format!("{write}{nil}{one}")).verdict.is_valid());
    assert!(register(&format!("{write}{one}{nil}")).verdict.is_invalid());
    assert!(register(&format!("0 1 invoke read\n 1 1 ok read 1\n{write}")).verdict.is_invalid());
}

#[test]
fn a_set_that_nobody_reads_at_the_end_proves_nothing() {
    let check = |text: &str| SetCheck::default().check(&history(text), &Budget::default());
    let add = "0 0 invoke add 1\n 1 0 ok add 1\n";
    assert!(reason(check(add)).contains("1 acknowledged adds were followed by no successful read"));
    let failed = format!("{add}2 0 invoke read\n 3 0 fail read");
    assert!(check(&failed).verdict.is_unknown());
    let read = format!("{add}2 0 invoke read\n 3 0 ok read [1]");
    assert!(check(&read).verdict.is_valid());
    let added_again = format!("{read}\n4 0 invoke add 2\n 5 0 ok add 2");
    assert!(check(&added_again).verdict.is_unknown());
    // Nothing was acknowledged: nothing to read back.
    assert!(check("0 0 invoke read\n 1 0 ok read\n 2 0 invoke add 2\n 3 0 info add 2").verdict.is_valid());
}

#[test]
fn a_read_of_nil_can_be_declared_to_say_nothing() {
    let text = "0 0 invoke write 1\n 1 0 ok write 1\n 2 0 invoke read\n 3 0 ok read";
    assert!(register(text).verdict.is_invalid());
    let lenient = LinearizableRegister::of(CasRegister::default().nil_read_says_nothing());
    assert!(lenient.check(&history(text), &Budget::default()).verdict.is_valid());
    let zero = LinearizableRegister::of(CasRegister::starting_with(0));
    let text = "0 0 invoke read\n 1 0 ok read 0\n 2 0 invoke cas [0,1]\n 3 0 ok cas [0,1]";
    assert!(zero.check(&history(text), &Budget::default()).verdict.is_valid());
    assert!(register(text).verdict.is_invalid());
}

#[test]
fn the_same_history_gets_the_same_report() {
    use crate::simulate::{Object, Plan, correct, spoiled};
    for seed in 0..50 {
        let plan = Plan {
            object: Object::Register,
            clients: 6,
            operations: 60,
            unique: seed % 2 == 0,
            unknown_percent: 5,
            failed_percent: 5,
        };
        let history = spoiled(&correct(plan, seed), Object::Register, seed);
        let check = || LinearizableRegister::default().check(&history, &Budget::default());
        assert_eq!(check(), check());
    }
}

/// Enough of it that several threads work on the keys.
#[test]
fn many_keys_are_judged_each_on_its_own() {
    use crate::simulate::{Object, Plan, correct};
    let mut ops = Vec::new();
    for key in 0..12 {
        let plan = Plan {
            object: Object::Register,
            clients: 5,
            operations: 1_500,
            unique: key % 2 == 0,
            unknown_percent: 1,
            failed_percent: 1,
        };
        for mut op in correct(plan, key).into_ops() {
            // A read of something that nobody wrote, on two of the keys.
            if [4, 7].contains(&key) && op.index > 1_000 && op.f == "read" && op.op_type == OpType::Ok {
                op.value = Value::Int(1_000_000);
            }
            let Process::Client(process) = op.process else { panic!("{op:?}") };
            op.process = Process::Client(process + key * 1_000_000);
            op.index = ops.len() as u64;
            ops.push(op.with_key(key as i64));
        }
    }
    let history = History::new(ops);
    let report = LinearizableRegister::default().check(&history, &Budget::default());
    assert_eq!(report.invalid_keys, [4.into(), 7.into()], "{report}");
    assert_eq!((report.keys, report.unknown_keys), (12, 0), "{report}");
    let Verdict::Invalid(witness) = report.verdict else { panic!() };
    assert_eq!(witness.key, Some(4.into()));
}

#[test]
fn a_hundred_thousand_operations_on_one_key_are_nothing_special() {
    use crate::simulate::{Object, Plan, correct};
    let plan = Plan {
        object: Object::Register,
        clients: 20,
        operations: 100_000,
        unique: true,
        unknown_percent: 1,
        failed_percent: 1,
    };
    let history = correct(plan, 1);
    let report = LinearizableRegister::default().check(&history, &Budget::default());
    assert!(report.verdict.is_valid(), "{report}");
    assert_eq!(report.engine, "zones");
    // Values that repeat: only a handful of them.
    let history = correct(Plan { unique: false, clients: 5, operations: 20_000, ..plan }, 1);
    let report = LinearizableRegister::default().check(&history, &Budget::default());
    assert!(report.verdict.is_valid(), "{report}");
    assert_eq!(report.engine, "frontier");
}
