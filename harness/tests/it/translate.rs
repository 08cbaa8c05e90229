//! What a workload's words become for the node, and what its answers become for the checker.

use bytes::Bytes;
use checker::{Budget, History, Op, OpType, Process, Value};
use harness::system::paxos::translate::{Asked, Told, is_update, told, transaction};
use paxos_node::kv::{AbortReason, Batch, Command, Kv, OpResult, Reply, Txn, TxnOp, TxnOutcome};
use paxos_node::paxos::{Slot, Value as Batched};
use workloads::{Context, Generator, Invocation, Next, Options, by_name, names};

fn text(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

fn of_key_7<'a>(f: &'a str, value: &'a Value) -> Asked<'a> {
    Asked { f, key: Some(7), value }
}

fn map(entries: &[(&str, Option<i64>)]) -> Value {
    let key = |key: &str| key.parse().map_or_else(|_| Value::from(key), Value::Int);
    let value = |value: Option<i64>| value.map_or(Value::Nil, Value::Int);
    Value::map(entries.iter().map(|(name, amount)| (key(name), value(*amount))).collect())
}

fn part(f: &str, key: i64, value: impl Into<Value>) -> Value {
    Value::List(vec![f.into(), key.into(), value.into()])
}

fn get(key: &'static str) -> TxnOp {
    TxnOp::Get { key: text(key) }
}

fn add(key: &'static str, delta: i64) -> TxnOp {
    TxnOp::Add { key: text(key), delta }
}

fn append(key: &'static str, value: &'static str) -> TxnOp {
    TxnOp::Append { key: text(key), value: text(value) }
}

fn cas(expect: Option<&'static str>, value: &'static str) -> TxnOp {
    TxnOp::Cas { key: text("7"), expect: expect.map(text), value: text(value) }
}

#[test]
fn every_function_has_its_transaction() {
    let parts = Value::List(vec![part("r", 1, Value::Nil), part("w", 2, 5), part("append", 3, 6)]);
    let table: Vec<(&str, Value, Vec<TxnOp>)> = vec![
        ("read", Value::Nil, vec![get("7")]),
        ("read", map(&[("0", None), ("1", None)]), vec![get("7/0"), get("7/1")]),
        ("write", 5.into(), vec![TxnOp::Put { key: text("7"), value: text("5") }]),
        ("add", 5.into(), vec![append("7", "5")]),
        ("append", (-5).into(), vec![append("7", "-5")]),
        ("enqueue", 5.into(), vec![append("7", "5")]),
        ("dequeue", Value::Nil, vec![TxnOp::Pop { key: text("7") }]),
        ("increment", 3.into(), vec![add("7", 3)]),
        ("inc", Value::Nil, vec![add("7", 1)]),
        ("generate", Value::Nil, vec![add("7", 1)]),
        ("cas", vec![1, 2].into(), vec![cas(Some("1"), "2")]),
        ("cas", Value::List(vec![Value::Nil, 2.into()]), vec![cas(None, "2")]),
        ("acquire", 4.into(), vec![cas(None, "4")]),
        ("release", 4.into(), vec![cas(Some("4"), "4"), TxnOp::Delete { key: text("7") }]),
        ("open", map(&[("0", Some(20)), ("1", Some(30))]), vec![add("7/0", 20), add("7/1", 30)]),
        (
            "transfer",
            map(&[("from", Some(1)), ("to", Some(0)), ("amount", Some(4))]),
            vec![add("7/1", -4), add("7/0", 4)],
        ),
        (
            "txn",
            parts,
            vec![get("7/1"), TxnOp::Put { key: text("7/2"), value: text("5") }, append("7/3", "6")],
        ),
    ];
    for (f, value, ops) in &table {
        assert_eq!(transaction(of_key_7(f, value)).unwrap().ops, *ops, "{f} {value}");
    }
    let keyless = |f, value: &Value| transaction(Asked { f, key: None, value }).unwrap().ops;
    assert_eq!(keyless("read", &Value::Nil), [get("all")]);
    assert_eq!(keyless("txn", &Value::List(vec![part("r", 1, Value::Nil)])), [get("1")]);
}

#[test]
fn nonsense_is_refused_in_words() {
    let table: &[(&str, Value, &str)] = &[
        ("burn", Value::Nil, "this system has no operation `burn`"),
        ("write", Value::Nil, "`write` takes a number, not nil"),
        ("cas", vec![1].into(), "`cas` takes [old, new], not [1]"),
        ("acquire", Value::Nil, "`acquire` takes an owner's number, not nil"),
        ("transfer", map(&[("from", Some(1))]), "`transfer` takes {from, to, amount}, not {\"from\" 1}"),
        ("txn", vec![1].into(), "`txn` takes a list of [f, key, value], not [1]"),
        (
            "txn",
            Value::List(vec![part("burn", 1, 2)]),
            "`txn` takes a list of [f, key, value], not [[\"burn\" 1 2]]",
        ),
    ];
    for (f, value, words) in table {
        assert_eq!(transaction(of_key_7(f, value)).unwrap_err().to_string(), *words);
    }
}

#[test]
fn only_what_could_have_changed_something_is_an_update() {
    let txn = |parts: &[Value]| is_update(of_key_7("txn", &Value::List(parts.to_vec())));
    assert!(!is_update(of_key_7("read", &Value::Nil)));
    assert!(!txn(&[part("r", 1, Value::Nil), part("r", 2, 5)]));
    assert!(txn(&[part("r", 1, Value::Nil), part("w", 2, 5)]));
    assert!(is_update(of_key_7("dequeue", &Value::Nil)));
}

#[test]
fn an_ok_carries_what_was_read_or_asked() {
    let nothing = || OpResult::Value(None);
    let value = |value| OpResult::Value(Some(text(value)));
    let happened =
        |f, asked: Value, results: Vec<OpResult>| match told(of_key_7(f, &asked), &TxnOutcome::Done(results))
        {
            Told::Happened(value) => Some(value),
            Told::Nonsense => None,
            told @ Told::DidNot(_) => panic!("{f}: {told:?}"),
        };
    let read = |result| happened("read", Value::Nil, vec![result]);
    assert_eq!(read(nothing()), Some(Value::Nil));
    assert_eq!(read(value("12")), Some(12.into()));
    assert_eq!(read(value("012")), Some("012".into()));
    assert_eq!(read(OpResult::List(vec![text("1"), text("2")])), Some(vec![1, 2].into()));
    assert_eq!(read(OpResult::Done), None);
    let accounts = map(&[("0", None), ("1", None)]);
    let balances = vec![OpResult::Integer(20), nothing()];
    assert_eq!(happened("read", accounts.clone(), balances), Some(map(&[("0", Some(20)), ("1", None)])));
    assert_eq!(happened("read", accounts, vec![OpResult::Integer(20)]), None);
    assert_eq!(happened("write", 3.into(), vec![OpResult::Done]), Some(3.into()));
    assert_eq!(happened("write", 3.into(), vec![]), None);
    assert_eq!(happened("dequeue", Value::Nil, vec![value("3")]), Some(3.into()));
    assert_eq!(happened("dequeue", Value::Nil, vec![nothing()]), Some(Value::Nil));
    assert_eq!(happened("dequeue", Value::Nil, vec![OpResult::Done]), None);
    assert_eq!(happened("increment", 3.into(), vec![OpResult::Integer(9)]), Some(3.into()));
    assert_eq!(happened("inc", Value::Nil, vec![OpResult::Integer(9)]), Some(9.into()));
    assert_eq!(happened("acquire", 4.into(), vec![OpResult::Done]), Some(true.into()));
    assert_eq!(happened("release", 4.into(), vec![OpResult::Done; 2]), Some(4.into()));
    let asked = Value::List(vec![part("r", 1, Value::Nil), part("append", 1, 5)]);
    let answered = Value::List(vec![part("r", 1, vec![4]), part("append", 1, 5)]);
    let results = vec![OpResult::List(vec![text("4")]), OpResult::Done];
    assert_eq!(happened("txn", asked.clone(), results.clone()), Some(answered));
    assert_eq!(happened("txn", asked, results.into_iter().rev().collect()), None);
}

#[test]
fn an_abort_did_not_happen_but_tells_that_a_lock_is_taken() {
    let aborted = |f, reason| told(of_key_7(f, &4.into()), &TxnOutcome::Aborted { op: 0, reason });
    assert_eq!(aborted("cas", AbortReason::CasMismatch), Told::DidNot("cas-mismatch"));
    assert_eq!(aborted("release", AbortReason::CasMismatch), Told::DidNot("cas-mismatch"));
    assert_eq!(aborted("acquire", AbortReason::CasMismatch), Told::Happened(false.into()));
    assert_eq!(aborted("acquire", AbortReason::WrongType), Told::DidNot("wrong-type"));
}

/// The node's own state machine, asked one operation after the other.
#[derive(Default)]
struct Alone {
    kv: Kv,
    slot: u64,
    ops: Vec<Op>,
}

impl Alone {
    fn execute(&mut self, txn: Txn) -> TxnOutcome {
        self.slot += 1;
        let batch = Batch { time_ms: 0, commands: vec![Command::Execute { request: None, txn }] };
        let mut replies = self.kv.apply(Slot(self.slot), &Batched::Batch(batch.encode())).unwrap();
        match replies.pop() {
            Some(Reply::Outcome(outcome)) => outcome,
            other => panic!("{other:?}"),
        }
    }

    fn record(
        &mut self,
        generator: &mut dyn Generator,
        op_type: OpType,
        process: u64,
        invocation: &Invocation,
    ) {
        let index = self.ops.len() as u64;
        let value = invocation.value.clone();
        let mut op = Op::new(index, index, op_type, Process::Client(process), invocation.f, value);
        op.key = invocation.key.map(Value::Int);
        generator.update(&op);
        self.ops.push(op);
    }

    fn ask(&mut self, generator: &mut dyn Generator, process: u64, invocation: &Invocation) {
        let asked = Asked::from(invocation);
        let txn = transaction(asked).unwrap();
        let outcome = self.execute(txn.clone());
        self.record(generator, OpType::Invoke, process, invocation);
        let (op_type, value) = match told(asked, &outcome) {
            Told::Happened(value) => (OpType::Ok, value),
            Told::DidNot("cas-mismatch") => (OpType::Fail, invocation.value.clone()),
            other => panic!("{invocation:?}: {outcome:?} means {other:?}"),
        };
        self.record(generator, op_type, process, &Invocation { value, ..invocation.clone() });
        let answered = Asked::of(self.ops.last().unwrap()).unwrap();
        assert_eq!(is_update(answered), is_update(asked), "{invocation:?}");
        // What an update was asked may be gone from its answer; not what a read was.
        if !is_update(asked) {
            assert_eq!(transaction(answered).unwrap(), txn, "{invocation:?}");
        }
    }
}

/// Nothing is refused but what should be, and the checks are content.
#[test]
fn every_workload_is_understood_by_the_node() {
    for name in names() {
        let options = Options { seed: 1, ops_per_key: Some(40), ..Options::default() };
        let mut workload = by_name(name, &options).unwrap();
        let mut alone = Alone::default();
        for time_ns in 0..1_500 {
            let process = time_ns % 10;
            if let Next::Invoke(invocation) = workload.generator.next(&Context { time_ns, process }) {
                alone.ask(&mut *workload.generator, process, &invocation);
            }
        }
        for invocation in workload.generator.final_reads().iter().rev() {
            alone.ask(&mut *workload.generator, 10, invocation);
        }
        let report = workload.check.check(&History::new(alone.ops), &Budget::default());
        assert!(report.verdict.is_valid() && report.ops.ok > 1_000, "{name}: {report}");
    }
}
