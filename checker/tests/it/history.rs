//! Small histories written down as text, for tests that are read by people.

use checker::{History, Op, OpType, Process, Value};

/// One op a line: `milliseconds process type f value [@key]`, the value as JSON.
pub(crate) fn history(text: &str) -> History {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.enumerate().map(|(index, line)| op(index as u64, line)).collect()
}

fn op(index: u64, line: &str) -> Op {
    let (line, key) = match line.split_once('@') {
        Some((line, key)) => (line.trim(), Some(serde_json::from_str::<Value>(key.trim()).unwrap())),
        None => (line, None),
    };
    let words: Vec<&str> = line.splitn(5, ' ').map(str::trim).collect();
    let [time, process, op_type, f, value @ ..] = &words[..] else { panic!("{line}") };
    let process = match *process {
        "nemesis" => Process::Nemesis,
        number => Process::Client(number.parse().unwrap()),
    };
    let op_type = match *op_type {
        "invoke" => OpType::Invoke,
        "ok" => OpType::Ok,
        "fail" => OpType::Fail,
        "info" => OpType::Info,
        other => panic!("{other}"),
    };
    let value = value.first().map_or(Value::Nil, |value| serde_json::from_str(value).unwrap());
    let time_ns = time.parse::<u64>().unwrap() * 1_000_000;
    Op { key, ..Op::new(index, time_ns, op_type, process, f.to_string(), value) }
}
