//! The examination of logs, on logs written by hand: what is sound passes, each rule broken is
//! found and told in words.

use bytes::Bytes;
use checker::{History, Op, OpType, Process, Value as Said};
use harness::system::paxos::white_box::{FINDINGS_MAX, NodeLog, examine_logs};
use harness::system::{NodeId, WhiteBoxReport};
use paxos_node::kv::{Batch, Command, RequestId, SessionId, Txn, TxnOp};
use paxos_node::paxos::{Ballot, NodeId as Owner, Record, Slot, Value};

const SESSION: SessionId = SessionId(1 << 16);

fn ballot(round: u64) -> Ballot {
    Ballot { round, node: Owner(1) }
}

fn batch(commands: Vec<Command>) -> Value {
    Value::Batch(Batch { time_ms: 1, commands }.encode())
}

fn open() -> Value {
    batch(vec![Command::OpenSession { nonce: 0 }])
}

/// Request `sequence`: append `element` to key 5.
fn append(sequence: u64, element: i64) -> Command {
    let op = TxnOp::Append { key: "5".into(), value: Bytes::from(element.to_string()) };
    Command::Execute { request: Some(RequestId { session: SESSION, sequence }), txn: Txn { ops: vec![op] } }
}

fn accepted(slot: u64, round: u64, value: &Value) -> Record {
    Record::Accepted { slot: Slot(slot), ballot: ballot(round), value: value.clone() }
}

fn learned(slot: u64, value: &Value) -> Record {
    Record::Learned { slot: Slot(slot), ballot: ballot(1), value: value.clone() }
}

fn log(node: u16, records: Vec<Record>) -> NodeLog {
    NodeLog::whole(NodeId(node), records)
}

/// A log that accepted these values in ballot 1, slots 1, 2, …, and marked them as chosen.
fn sound(node: u16, values: &[Value]) -> NodeLog {
    let mut records: Vec<Record> =
        values.iter().zip(1..).map(|(value, slot)| accepted(slot, 1, value)).collect();
    records.push(Record::ChosenUpto(Slot(values.len() as u64)));
    log(node, records)
}

fn values() -> Vec<Value> {
    vec![open(), batch(vec![append(1, 10)]), Value::Noop, batch(vec![append(2, 20)])]
}

fn op(index: u64, op_type: OpType, f: &'static str, value: impl Into<Said>, slot: u64, sequence: u64) -> Op {
    let mut op = Op::new(index, index, op_type, Process::Client(0), f, value).with_key(5);
    if slot > 0 {
        op.extra.insert("slot".into(), slot.into());
    }
    op.extra.insert("request".into(), format!("1/0#{sequence}").into());
    op
}

fn history() -> History {
    History::new(vec![
        op(0, OpType::Invoke, "append", 10, 0, 1),
        op(1, OpType::Ok, "append", 10, 2, 1),
        op(2, OpType::Ok, "append", 20, 4, 2),
        op(3, OpType::Ok, "read", vec![10], 3, 3),
        op(4, OpType::Ok, "read", vec![10, 20], 4, 4),
        op(5, OpType::Fail, "append", 30, 0, 5),
        op(6, OpType::Info, "append", 40, 0, 6),
    ])
}

fn examine(logs: &[NodeLog]) -> WhiteBoxReport {
    examine_logs(logs, 3, &history())
}

fn only_violation(report: &WhiteBoxReport) -> &str {
    assert_eq!(report.violations.len(), 1, "{report:#?}");
    &report.violations[0]
}

#[test]
fn sound_logs_pass_and_it_is_told_how_much_was_looked_at() {
    let report = examine(&[sound(1, &values()), sound(2, &values()), sound(3, &values()[..3])]);
    assert_eq!((&report.violations, &report.unknown), (&vec![], &vec![]));
    let examined = |what: &str| report.examined[what];
    assert_eq!(examined("logs"), 3);
    assert_eq!(examined("chosen slots"), 4);
    assert_eq!(examined("learned slots"), 4 + 4 + 3);
    assert_eq!(examined("acknowledged updates"), 2);
    assert_eq!(examined("refused updates"), 1);
    assert_eq!(examined("reads replayed"), 2);
    assert_eq!(examined("replayed slots"), 4 + (4 + 4 + 3));
}

#[test]
fn two_learned_values_are_found() {
    let mut other = values();
    other[2] = batch(vec![append(3, 99)]);
    let mut wrong = log(3, other.iter().zip(1..).map(|(value, slot)| learned(slot, value)).collect());
    let report = examine(&[sound(1, &values()), sound(2, &values()), wrong.clone()]);
    let expected = [
        "slot 3: two values were chosen: a quorum accepted in ballot 1.n1 a no-op, n3 learned a batch of 1 [1/0#3]",
        "slot 3: n3's state differs from here on",
    ];
    assert_eq!(report.violations[0], expected[0]);
    assert!(report.violations[1].starts_with(expected[1]), "{report:?}");
    let report = examine(&[sound(1, &values()), wrong.clone()]);
    assert!(report.violations[0].contains("n1 learned a no-op, n3 learned a batch"), "{report:?}");
    wrong.records.push(learned(3, &Value::Noop));
    let report = examine(&[wrong]);
    let expected = "slot 3: n3 learned two values: a batch of 1 [1/0#3], later a no-op";
    assert_eq!(report.violations[0], expected);
}

#[test]
fn a_ballot_that_proposed_two_values_is_found() {
    let mut logs = [sound(1, &values()), sound(2, &values())];
    logs[1].records.insert(0, accepted(9, 4, &Value::Noop));
    logs[0].records.insert(0, accepted(9, 4, &open()));
    let report = examine(&logs);
    let expected = "slot 9: ballot 4.n1 proposed two values: n1 accepted a batch of 1 [open session], n2 accepted a no-op";
    assert_eq!(only_violation(&report), expected);
}

#[test]
fn a_gap_below_a_mark_is_found() {
    let mut gap = sound(2, &values());
    gap.records.remove(1);
    let report = examine(&[sound(1, &values()), gap]);
    let expected = "slot 2: n2 marks everything up to slot 4 as chosen, but its log holds no value here";
    assert_eq!(only_violation(&report), expected);
}

#[test]
fn a_mark_means_what_was_accepted_before_it() {
    // A later ballot proposed again what was chosen; an earlier one had proposed something else.
    let records = vec![
        accepted(1, 1, &Value::Noop),
        accepted(1, 2, &open()),
        Record::ChosenUpto(Slot(1)),
        accepted(1, 3, &open()),
        learned(1, &open()),
    ];
    let report = examine_logs(&[log(1, records)], 1, &History::new(vec![]));
    assert_eq!(report.violations, Vec::<String>::new());
}

#[test]
fn an_acknowledged_update_in_the_wrong_slot_is_found() {
    let mut wrong = values();
    wrong[3] = Value::Noop;
    let mut history = history().into_ops();
    history.truncate(4);
    let report = examine_logs(&[sound(1, &wrong), sound(2, &wrong)], 3, &History::new(history));
    let expected = "op 2: append 20 was acknowledged as request 1/0#2 in slot 4, but that slot holds a no-op";
    assert_eq!(only_violation(&report), expected);
}

#[test]
fn what_nobody_learned_must_have_been_accepted_by_a_quorum() {
    let history = History::new(history().into_ops().drain(..3).collect::<Vec<_>>());
    let examine = |logs: &[NodeLog]| examine_logs(logs, 3, &history);
    let short = || sound(1, &values()[..3]).records;
    let holding = |node| {
        let mut records = short();
        records.push(accepted(4, 1, &values()[3]));
        log(node, records)
    };
    let report = examine(&[holding(1), holding(2), log(3, short())]);
    assert_eq!((&report.violations, &report.unknown), (&vec![], &vec![]));
    let report = examine(&[holding(1), log(2, short()), log(3, short())]);
    let expected = "op 2: append 20 was acknowledged as request 1/0#2 in slot 4, where nobody learned a value and no quorum accepted one";
    assert_eq!(only_violation(&report), expected);
    // The log that can't be read might have held it.
    let report = examine(&[holding(1), log(2, short())]);
    assert_eq!(report.violations, Vec::<String>::new());
    assert_eq!(report.unknown.len(), 1, "{report:?}");
}

/// Request `sequence`: change key 5 from `old` to 2.
fn cas(sequence: u64, old: &'static str) -> Command {
    let op = TxnOp::Cas { key: "5".into(), expect: Some(old.into()), value: "2".into() };
    Command::Execute { request: Some(RequestId { session: SESSION, sequence }), txn: Txn { ops: vec![op] } }
}

#[test]
fn an_update_that_was_answered_something_else_than_it_came_to_is_found() {
    let mut mismatch = op(1, OpType::Fail, "cas", vec![1, 2], 2, 1);
    mismatch.extra.insert("reason".into(), "cas-mismatch".into());
    // Nothing is there, so that the comparison fails.
    let log = [sound(1, &[open(), batch(vec![cas(1, "1")])])];
    let report = |op: Op| examine_logs(&log, 1, &History::new(vec![op]));
    let sound = report(mismatch.clone());
    assert_eq!((&sound.violations, sound.examined["aborted updates"]), (&vec![], 1));
    let wrong = report(op(1, OpType::Ok, "cas", vec![1, 2], 2, 1));
    let words = only_violation(&wrong);
    assert!(words.starts_with("op 1: cas [1 2] was answered in slot 2 with: done; the log gives"), "{words}");
    let mut other = mismatch.clone();
    other.extra.insert("reason".into(), "wrong-type".into());
    assert!(only_violation(&report(other)).contains("with: wrong-type; the log gives"));
    mismatch.extra.insert("request".into(), "1/0#9".into());
    let elsewhere = report(mismatch);
    assert!(
        only_violation(&elsewhere).contains("was aborted as request 1/0#9 in slot 2, but that slot holds")
    );
}

#[test]
fn an_update_that_was_answered_another_value_is_found() {
    let add = TxnOp::Add { key: "5".into(), delta: 1 };
    let request = Some(RequestId { session: SESSION, sequence: 1 });
    let command = Command::Execute { request, txn: Txn { ops: vec![add] } };
    let log = [sound(1, &[open(), batch(vec![command])])];
    let report =
        |answered: i64| examine_logs(&log, 1, &History::new(vec![op(1, OpType::Ok, "inc", answered, 2, 1)]));
    assert_eq!(report(1).violations, Vec::<String>::new());
    let words = report(2).violations.concat();
    assert!(words.starts_with("op 1: inc 2 was answered in slot 2 with: done; the log gives"), "{words}");
}

#[test]
fn a_transaction_that_only_reads_is_held_against_the_log() {
    let part = |seen: Vec<i64>| Said::List(vec!["r".into(), 5.into(), seen.into()]);
    let report = |seen: Vec<i64>| {
        let mut read = op(7, OpType::Ok, "txn", vec![part(seen)], 4, 7);
        read.key = None;
        examine_logs(&[sound(1, &values())], 1, &History::new(vec![read]))
    };
    let sound = report(vec![10, 20]);
    assert_eq!((&sound.violations, sound.examined["reads replayed"]), (&vec![], 1));
    let expected = "op 7: a read of several keys at slot 4 returned a list of 1 whose element 0 is [\"r\" 5 [10]], where the log gives 1 with [\"r\" 5 [10 20]] there";
    assert_eq!(only_violation(&report(vec![10])), expected);
}

/// It has its place among the updates of its batch, and saw no more than those before it.
#[test]
fn a_read_in_the_log_is_held_against_its_place_there() {
    let get = TxnOp::Get { key: "5".into() };
    let read = Command::Execute { request: None, txn: Txn { ops: vec![get] } };
    let values = [open(), batch(vec![append(1, 10)]), batch(vec![append(2, 20), read, append(3, 30)])];
    let report = |seen: Vec<i64>| {
        examine_logs(&[sound(1, &values)], 1, &History::new(vec![op(7, OpType::Ok, "read", seen, 3, 7)]))
    };
    assert_eq!(report(vec![10, 20]).violations, Vec::<String>::new());
    for seen in [vec![10], vec![10, 30]] {
        let report = report(seen);
        assert!(only_violation(&report).contains("a read of key 5 at slot 3"), "{report:#?}");
    }
}

#[test]
fn an_answer_that_the_protocol_does_not_know_is_found() {
    let mut read = op(7, OpType::Fail, "read", Said::Nil, 0, 3);
    read.error = Some("the node answered read with [Done]".into());
    read.extra.insert("reason".into(), "nonsense".into());
    let report = examine_logs(&[sound(1, &values())], 1, &History::new(vec![read]));
    assert_eq!(only_violation(&report), "op 7: read nil: the node answered read with [Done]");
}

#[test]
fn a_refused_update_that_was_chosen_is_found() {
    let mut values = values();
    values.push(batch(vec![append(5, 30)]));
    let report = examine(&[sound(1, &values)]);
    let expected = "op 5: append 30 was refused for certain (no reason given), but its request 1/0#5 was chosen in slot 5";
    assert_eq!(only_violation(&report), expected);
}

#[test]
fn a_read_that_the_log_does_not_bear_out_is_found() {
    let mut ops = history().into_ops();
    ops.push(op(7, OpType::Ok, "read", vec![10], 4, 7));
    ops.push(op(8, OpType::Ok, "read", vec![10, 20], 9, 8));
    let report = examine_logs(&[sound(1, &values())], 3, &History::new(ops.clone()));
    assert_eq!(
        report.unknown,
        ["op 8: a read was answered at slot 9, but slot 5 is chosen nowhere in the logs"]
    );
    let expected = "op 7: a read of key 5 at slot 4 returned a list of 1 whose element 1 is nothing, where the log gives 2 with 20 there";
    assert_eq!(only_violation(&report), expected);
    // With all logs at hand it is no longer a question.
    let report = examine_logs(&[sound(1, &values())], 1, &History::new(ops));
    assert_eq!((report.violations.len(), report.unknown.len()), (2, 0));
}

#[test]
fn a_request_twice_in_the_log_is_counted_and_harmless() {
    let mut values = values();
    values.push(batch(vec![append(2, 20)]));
    let report = examine(&[sound(1, &values)]);
    assert_eq!(report.violations, Vec::<String>::new());
    assert_eq!(report.examined["requests in the log again"], 1);
}

#[test]
fn an_answer_without_slot_leaves_the_examination_incomplete() {
    let history = History::new(vec![op(0, OpType::Ok, "append", 10, 0, 1)]);
    let report = examine_logs(&[sound(1, &values())], 1, &history);
    assert_eq!(report.unknown, ["op 0: an acknowledged append names no slot and request"]);
}

#[test]
fn one_bug_that_shows_everywhere_does_not_flood_the_report() {
    let ops: Vec<Op> = (0..1000).map(|index| op(index, OpType::Ok, "append", 1, 3, 9)).collect();
    let report = examine_logs(&[sound(1, &values())], 1, &History::new(ops));
    assert_eq!(report.violations.len(), FINDINGS_MAX + 1);
    assert_eq!(report.violations.last().unwrap(), &format!("and {} more like these", 1000 - FINDINGS_MAX));
}

/// An operation of its own process, asked at index `from` and answered at index `to`.
fn call(from: u64, to: u64, f: &'static str, slot: u64, sequence: u64) -> [Op; 2] {
    let value = if f == "read" { Said::Nil } else { 10.into() };
    [op(from, OpType::Invoke, f, value.clone(), 0, sequence), op(to, OpType::Ok, f, value, slot, sequence)]
        .map(|op| Op { process: Process::Client(sequence), ..op })
}

fn real_time(calls: &[[Op; 2]]) -> Vec<String> {
    let mut ops = calls.concat();
    ops.sort_by_key(|op| op.index);
    let words = examine_logs(&[], 3, &History::new(ops)).violations;
    words.into_iter().filter(|words| words.contains("answered before it was asked")).collect()
}

#[test]
fn what_is_asked_later_stands_later_in_the_log() {
    let first = call(0, 1, "append", 2, 1);
    assert_eq!(real_time(&[first.clone(), call(2, 3, "read", 2, 2)]), Vec::<String>::new());
    assert_eq!(real_time(&[first.clone(), call(2, 3, "append", 3, 2)]), Vec::<String>::new());
    let stale = real_time(&[first.clone(), call(2, 3, "read", 1, 2)]);
    let expected =
        "op 3: read was answered at slot 1, but op 1, answered before it was asked, stands at slot 2";
    assert_eq!(stale, [expected]);
    assert_eq!(real_time(&[first.clone(), call(2, 3, "append", 2, 2)]).len(), 1);
    // Under way at the same time, they may stand in any order.
    let [asked, answered] = call(0, 3, "append", 2, 1);
    assert_eq!(real_time(&[[asked, answered], call(1, 4, "read", 1, 2)]), Vec::<String>::new());
}
