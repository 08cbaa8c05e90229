//! What transactions do, one example each.

use super::{add, append, cas, delete, execute, get, pop, put, run, text};
use paxos_node::kv::{
    AbortReason, Batch, HASHES_KEPT, Kv, MAX_LIST_BYTES, MAX_LIST_ITEMS, MAX_TXN_OPS, MAX_VALUE_BYTES,
    OpResult, Reply, Txn, TxnOp, TxnOutcome,
};
use paxos_node::paxos::{AppliedHash, Slot, Value};

fn done(results: &[OpResult]) -> TxnOutcome {
    TxnOutcome::Done(results.to_vec())
}

fn aborted(op: u16, reason: AbortReason) -> TxnOutcome {
    TxnOutcome::Aborted { op, reason }
}

#[test]
fn a_transaction_sees_its_own_steps() {
    let mut kv = Kv::new();
    let outcome = run(&mut kv, &[get("k"), put("k", "1"), get("k"), cas("k", Some("1"), "2"), get("k")]);
    let value = |value: &str| OpResult::Value(Some(text(value)));
    assert_eq!(
        outcome,
        done(&[OpResult::Value(None), OpResult::Done, value("1"), OpResult::Done, value("2")])
    );
}

#[test]
fn a_transaction_that_aborts_changes_nothing() {
    let mut kv = Kv::new();
    run(&mut kv, &[put("k", "1"), append("l", "x"), add("i", 5)]);
    let everything = Txn { ops: vec![get("k"), get("l"), get("i"), get("new")] };
    let before = kv.read(&everything);

    let steps = [
        put("k", "2"),
        append("l", "y"),
        pop("l"),
        append("l", "z"),
        pop("l"),
        add("i", 1),
        delete("l"),
        append("new", "n"),
    ];
    let outcome = run(&mut kv, &[&steps[..], &[cas("k", Some("1"), "3")]].concat());

    assert_eq!(outcome, aborted(8, AbortReason::CasMismatch));
    assert_eq!(kv.read(&everything), before);
}

#[test]
fn every_refusal_names_its_reason() {
    let mut kv = Kv::new();
    run(&mut kv, &[put("bytes", "1"), append("list", "x"), add("integer", i64::MAX)]);
    let table = [
        (cas("bytes", Some("2"), "3"), AbortReason::CasMismatch),
        (cas("bytes", None, "3"), AbortReason::CasMismatch),
        (cas("absent", Some(""), "3"), AbortReason::CasMismatch),
        (cas("list", Some("x"), "3"), AbortReason::WrongType),
        (cas("integer", None, "3"), AbortReason::WrongType),
        (append("bytes", "x"), AbortReason::WrongType),
        (append("integer", "x"), AbortReason::WrongType),
        (pop("bytes"), AbortReason::WrongType),
        (pop("integer"), AbortReason::WrongType),
        (add("bytes", 1), AbortReason::WrongType),
        (add("list", 1), AbortReason::WrongType),
        (add("integer", 1), AbortReason::Overflow),
    ];
    for (op, reason) in table {
        assert_eq!(run(&mut kv, std::slice::from_ref(&op)), aborted(0, reason), "{op:?}");
    }
}

#[test]
fn put_and_delete_take_any_type() {
    let mut kv = Kv::new();
    run(&mut kv, &[append("list", "x"), add("integer", 1), put("list", "v"), delete("integer")]);
    let outcome = kv.read(&Txn { ops: vec![get("list"), get("integer")] });
    assert_eq!(outcome, done(&[OpResult::Value(Some(text("v"))), OpResult::Value(None)]));
}

/// A list that has grown can always be read back, in a reply that fits a frame.
#[test]
fn a_list_stays_readable() {
    let mut kv = Kv::new();
    let half = TxnOp::Append { key: text("l"), value: vec![0; MAX_LIST_BYTES / 2 - 4].into() };
    assert_eq!(MAX_LIST_BYTES / 2, MAX_VALUE_BYTES, "two elements fill the list");
    assert_eq!(run(&mut kv, std::slice::from_ref(&half)), done(&[OpResult::Done]));
    assert_eq!(run(&mut kv, std::slice::from_ref(&half)), done(&[OpResult::Done]));
    assert_eq!(run(&mut kv, &[append("l", "")]), aborted(0, AbortReason::TooLarge));
    assert!(matches!(kv.read(&Txn { ops: vec![get("l")] }), TxnOutcome::Done(_)));
    assert_eq!(kv.read(&Txn { ops: vec![get("l"), get("l")] }), aborted(1, AbortReason::TooLarge));
}

/// Else transactions that abort would fill a list that they leave as it was.
#[test]
fn an_append_taken_back_takes_no_room() {
    let mut kv = Kv::new();
    let half = TxnOp::Append { key: text("l"), value: vec![0; MAX_LIST_BYTES / 2 - 4].into() };
    run(&mut kv, &[append("l", "")]);
    for _ in 0..3 {
        let outcome = run(&mut kv, &[half.clone(), cas("k", Some("absent"), "")]);
        assert_eq!(outcome, aborted(1, AbortReason::CasMismatch));
    }
    assert_eq!(run(&mut kv, &[half]), done(&[OpResult::Done]));
}

#[test]
fn what_was_appended_first_is_popped_first() {
    let mut kv = Kv::new();
    let value = |value: &str| OpResult::Value(Some(text(value)));
    assert_eq!(run(&mut kv, &[pop("l")]), done(&[OpResult::Value(None)]));
    run(&mut kv, &[append("l", "x"), append("l", "y")]);
    assert_eq!(run(&mut kv, &[pop("l")]), done(&[value("x")]));
    let outcome = run(&mut kv, &[append("l", "z"), pop("l"), pop("l")]);
    assert_eq!(outcome, done(&[OpResult::Done, value("y"), value("z")]));
    let empty = done(&[OpResult::Value(None), OpResult::List(Vec::new())]);
    assert_eq!(run(&mut kv, &[pop("l"), get("l")]), empty);
}

/// Else a queue would be full for ever once enough has gone through it.
#[test]
fn what_was_popped_takes_no_room() {
    let mut kv = Kv::new();
    let half = TxnOp::Append { key: text("l"), value: vec![0; MAX_LIST_BYTES / 2 - 4].into() };
    for _ in 0..5 {
        assert!(matches!(run(&mut kv, &[half.clone(), pop("l")]), TxnOutcome::Done(_)));
    }
    run(&mut kv, std::slice::from_ref(&half));
    run(&mut kv, std::slice::from_ref(&half));
    // Put back by the abort, they take it again.
    let outcome = run(&mut kv, &[pop("l"), pop("l"), cas("k", Some("absent"), "")]);
    assert_eq!(outcome, aborted(2, AbortReason::CasMismatch));
    assert_eq!(run(&mut kv, &[half]), aborted(0, AbortReason::TooLarge));
}

#[test]
fn a_list_of_small_elements_is_bounded_too() {
    let mut kv = Kv::new();
    for _ in 0..MAX_LIST_ITEMS / MAX_TXN_OPS {
        assert!(matches!(run(&mut kv, &vec![append("l", ""); MAX_TXN_OPS]), TxnOutcome::Done(_)));
    }
    assert_eq!(run(&mut kv, &[append("l", "")]), aborted(0, AbortReason::TooLarge));
}

#[test]
#[should_panic(expected = "a read must change nothing")]
fn a_read_changes_nothing() {
    let _ = Kv::new().read(&Txn { ops: vec![put("k", "v")] });
}

#[test]
#[should_panic(expected = "applied is a gap-free prefix")]
fn a_gap_is_never_skipped() {
    let _ = Kv::new().apply(Slot(2), &Value::Noop);
}

#[test]
fn a_batch_that_nobody_can_decode_is_the_same_noop_everywhere() {
    let garbage = Value::Batch(text("garbage"));
    let apply = || {
        let mut kv = Kv::new();
        kv.apply(Slot(1), &garbage).expect_err("no batch");
        kv.applied()
    };
    let mut noop = Kv::new();
    assert_eq!(noop.apply(Slot(1), &Value::Noop), Ok(vec![]));

    assert_eq!(apply(), apply());
    assert_eq!(apply().slot, Slot(1));
    assert_ne!(apply(), noop.applied(), "it leaves its mark in the hash");
}

#[test]
fn the_latest_hashes_are_kept() {
    let mut kv = Kv::new();
    assert_eq!(kv.applied(), AppliedHash::default());
    let mut all = vec![kv.applied().hash];
    for slot in 1..=2 * HASHES_KEPT as u64 {
        assert_eq!(kv.apply(Slot(slot), &Value::Noop), Ok(vec![]));
        all.push(kv.applied().hash);
    }
    let last = 2 * HASHES_KEPT as u64;
    for slot in 0..=last + 1 {
        let kept = slot > last - HASHES_KEPT as u64 && slot <= last;
        let expected = kept.then(|| all[slot as usize]);
        assert_eq!(kv.hash_at(Slot(slot)), expected, "slot {slot}");
    }
}

/// Same slot, other value, or other state before: another hash.
#[test]
fn the_hash_covers_value_and_replies() {
    let batch = |ops: &[TxnOp]| Value::Batch(Batch { time_ms: 0, commands: vec![execute(ops)] }.encode());
    let hash = |first: &Value| {
        let mut kv = Kv::new();
        kv.apply(Slot(1), first).unwrap();
        let replies = kv.apply(Slot(2), &batch(&[get("k")])).unwrap();
        assert!(matches!(replies.as_slice(), [Reply::Outcome(TxnOutcome::Done(_))]));
        kv.applied().hash
    };
    let hashes = [hash(&Value::Noop), hash(&batch(&[put("k", "1")])), hash(&batch(&[put("k", "2")]))];
    assert!(hashes[0] != hashes[1] && hashes[1] != hashes[2] && hashes[0] != hashes[2]);
}
