//! Transactions: against every possible order, and each anomaly planted on its own.

mod exhaustive;
mod large;
mod planted;
mod shared;
mod store;

use checker::transactions::analysis::Analysis;
use checker::transactions::{ListAppend, RwRegister};
use checker::{Budget, History, Op, OpType, Process, Value};

/// A micro-operation of a test: `("append", key, value)`, `("r", key, value)`.
pub(crate) fn mop(f: &str, key: i64, value: impl Into<Value>) -> Value {
    Value::List(vec![f.into(), key.into(), value.into()])
}

/// A history from lines `process type mop mop …`, a micro-operation being `f,key,value` and a list
/// `1+2+3`; `-` is nil.
pub(crate) fn history(text: &str) -> History {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let ops = lines.enumerate().map(|(index, line)| {
        let mut words = line.split_whitespace();
        let process = Process::Client(words.next().unwrap().parse().unwrap());
        let op_type = match words.next().unwrap() {
            "invoke" => OpType::Invoke,
            "ok" => OpType::Ok,
            "fail" => OpType::Fail,
            "info" => OpType::Info,
            other => panic!("{other}"),
        };
        let mops = words.map(|word| {
            let [f, key, value] = word.split(',').collect::<Vec<_>>().try_into().unwrap();
            mop(f, key.parse().unwrap(), parsed(value))
        });
        let value = Value::List(mops.collect());
        Op::new(index as u64, index as u64 * 1_000_000, op_type, process, "txn", value)
    });
    History::new(ops)
}

fn parsed(text: &str) -> Value {
    match text {
        "-" => Value::Nil,
        "[]" => Value::List(Vec::new()),
        list if list.ends_with(']') => {
            let elements = list.trim_matches(['[', ']']).split('+');
            Value::List(elements.map(|element| Value::Int(element.parse().unwrap())).collect())
        }
        number => Value::Int(number.parse().unwrap()),
    }
}

/// A history of transactions, each begun and complete before the next: `process mop mop …`, or
/// `process! mop …` for one that failed and `process? mop …` for one of unknown outcome.
pub(crate) fn serial(text: &str) -> History {
    let mut lines = String::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (process, mops) = line.split_once(' ').unwrap();
        let number = process.trim_end_matches(['!', '?']);
        let end = match process {
            _ if process.ends_with('!') => "fail",
            _ if process.ends_with('?') => "info",
            _ => "ok",
        };
        lines += &format!("{number} invoke {mops}\n{number} {end} {mops}\n");
    }
    history(&lines)
}

/// The same, but all begun before any is complete.
pub(crate) fn concurrent(text: &str) -> History {
    let (begins, ends): (Vec<Op>, Vec<Op>) =
        serial(text).into_ops().into_iter().partition(|op| op.op_type == OpType::Invoke);
    let ops = begins.into_iter().chain(ends).enumerate();
    History::new(ops.map(|(index, op)| Op { index: index as u64, ..op }))
}

pub(crate) fn lists(history: &History) -> Analysis {
    ListAppend::default().analyse(history, &Budget::default()).unwrap()
}

pub(crate) fn registers(history: &History) -> Analysis {
    RwRegister::default().analyse(history, &Budget::default()).unwrap()
}

/// The names of the anomalies found, each once.
pub(crate) fn names(analysis: &Analysis) -> Vec<&'static str> {
    let mut names: Vec<_> = analysis.findings.iter().map(|finding| finding.anomaly.name()).collect();
    names.dedup();
    names
}
