//! A model of one's own, and the limits of the search.

use std::fmt::Write;

use checker::model::{CasRegister, Register};
use checker::{Budget, Call, Check, Linearizable, Model, Outcome, Value, Verdict};

use crate::history::history;

/// A lock: acquire and release, in turn.
struct Lock;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum LockOp {
    Acquire,
    Release,
}

impl Model for Lock {
    type Op = LockOp;
    type State = bool;

    fn name(&self) -> &str {
        "lock"
    }

    fn decode(&self, call: &Call<'_>) -> Result<Option<LockOp>, String> {
        match call.f() {
            "acquire" => Ok(Some(LockOp::Acquire)),
            "release" => Ok(Some(LockOp::Release)),
            other => Err(format!("no {other}")),
        }
    }

    fn initial(&self) -> bool {
        false
    }

    fn step(&self, held: &bool, op: &LockOp) -> Option<bool> {
        match (held, op) {
            (false, LockOp::Acquire) => Some(true),
            (true, LockOp::Release) => Some(false),
            (true, LockOp::Acquire) | (false, LockOp::Release) => None,
        }
    }

    fn is_pure(&self, _op: &LockOp) -> bool {
        false
    }
}

#[test]
fn a_lock_of_ones_own_is_checked() {
    let check = Linearizable::new(Lock);
    let judge = |text: &str| check.check(&history(text), &Budget::default());
    let acquire = "0 0 invoke acquire\n 1 0 ok acquire\n";
    assert!(judge(acquire).verdict.is_valid());
    assert!(judge(&format!("{acquire}2 1 invoke acquire\n 3 1 ok acquire")).verdict.is_invalid());
    assert!(
        judge(&format!(
            "{acquire}2 1 invoke acquire\n 3 0 invoke release\n 4 0 info release\n 5 1 ok acquire"
        ))
        .verdict
        .is_valid()
    );
    // Only one of two may have been released in between.
    let twice = "2 1 invoke acquire\n 3 2 invoke acquire\n 4 0 invoke release\n 5 0 info release
                 6 1 ok acquire\n 7 2 ok acquire";
    let report = judge(&format!("{acquire}{twice}"));
    let Verdict::Invalid(witness) = &report.verdict else { panic!("{report}") };
    assert!(
        witness.summary.contains("by what is shown the lock can only have held true when that ended"),
        "{report}"
    );
    assert!(judge("0 0 invoke steal\n 1 0 ok steal").verdict.is_unknown());
}

#[test]
fn a_register_without_cas_refuses_cas() {
    let check = Linearizable::new(Register::starting_with(0));
    let text = "0 0 invoke read\n 1 0 ok read 0\n 2 0 invoke write 1\n 3 0 ok write 1";
    assert!(check.check(&history(text), &Budget::default()).verdict.is_valid());
    let text = "0 0 invoke cas [0,1]\n 1 0 ok cas [0,1]";
    assert!(check.check(&history(text), &Budget::default()).verdict.is_unknown());
}

/// More operations open at once than one word of mask has bits, in each of its sizes.
#[test]
fn many_open_operations_are_told_apart() {
    for open in [60, 70, 300, 1100] {
        let mut text = String::new();
        for process in 0..open {
            writeln!(text, "0 {process} invoke write {}", process % 7).unwrap();
        }
        for process in 0..open {
            writeln!(text, "1 {process} ok write {}", process % 7).unwrap();
        }
        text += "2 0 invoke read\n3 0 ok read 3\n";
        let report = Linearizable::new(CasRegister::default()).check(&history(&text), &Budget::default());
        assert!(report.verdict.is_valid(), "{open}: {report}");
    }
}

#[test]
fn calls_say_what_is_known() {
    let history = history(
        "0 0 invoke write 1 @3\n 1 1 invoke read @3\n 2 0 ok write 1 @3\n 3 1 info read @3\n 4 2 invoke read @3",
    );
    let calls = history.calls().unwrap();
    let told: Vec<_> = calls
        .iter()
        .map(|call| (call.process(), call.f(), call.outcome(), call.start(), call.end()))
        .collect();
    assert_eq!(
        told,
        [
            (0, "write", Outcome::Ok, 0, Some(2)),
            (1, "read", Outcome::Unknown, 1, None),
            (2, "read", Outcome::Unknown, 4, None)
        ]
    );
    assert_eq!(calls.iter().next().unwrap().argument(), Ok(Value::Int(1)));
}
