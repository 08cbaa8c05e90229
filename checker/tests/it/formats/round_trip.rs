//! What is written is read back as the same history.

use checker::format::keys::Independent;
use checker::format::{Format, WriteError};
use checker::{Float, History, Op, OpType, Process, Value};
use proptest::prelude::*;

/// Values that JSON knows.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Nil),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-5i64..5).prop_map(Value::from),
        ".{0,8}".prop_map(|text| Value::from(text.as_str())),
        (-1e6..1e6f64).prop_map(|number| Value::Float(Float::new(number))),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        let key = prop_oneof![
            any::<i64>().prop_map(Value::from),
            "[a-z :/\"\\\\]{1,6}".prop_map(|text| Value::from(text.as_str()))
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            prop::collection::vec((key, inner), 0..4).prop_map(Value::map),
        ]
    })
}

/// Values that only EDN knows too.
fn edn_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        json_value(),
        prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY), any::<f64>()]
            .prop_map(|number| Value::Float(Float::new(number))),
    ];
    leaf.prop_recursive(2, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::set),
            prop::collection::vec((inner.clone(), inner), 0..3).prop_map(Value::map),
        ]
    })
}

fn op(value: BoxedStrategy<Value>) -> impl Strategy<Value = Op> {
    let key = prop::option::of(value.clone().prop_filter("nil is no key", |key| !key.is_nil()));
    let op_type = prop_oneof![Just(OpType::Invoke), Just(OpType::Ok), Just(OpType::Fail), Just(OpType::Info)];
    let process = prop_oneof![Just(Process::Nemesis), (0u64..100_000_000_000).prop_map(Process::Client)];
    let times = (0..u64::MAX >> 1, prop::option::of(0..u64::MAX >> 1));
    let rest = (".{1,8}", prop::option::of(".{0,20}"), any::<bool>(), 0..3u8);
    (times, op_type, process, key, value, rest).prop_map(|(times, op_type, process, key, value, rest)| {
        let ((time_ns, intended_ns), (f, error, late, extra)) = (times, rest);
        let mut op = Op { intended_ns, key, error, late, ..Op::new(0, time_ns, op_type, process, f, value) };
        if extra > 0 {
            op.extra.insert("slot".into(), serde_json::json!({"deep": [1, "x", null, 1.5, -3]}));
            op.extra.insert("odd name\"".into(), serde_json::json!(true));
        }
        op
    })
}

fn history(mut ops: Vec<Op>) -> History {
    for (place, op) in ops.iter_mut().enumerate() {
        op.index = 3 * place as u64;
    }
    History::new(ops)
}

fn written(history: &History, format: Format) -> Vec<u8> {
    let mut bytes = Vec::new();
    history.write(format, &mut bytes).unwrap();
    bytes
}

fn back(history: &History, format: Format) -> Result<(), TestCaseError> {
    let bytes = written(history, format);
    let recorded = History::read_with(&bytes[..], Independent::No);
    let recorded = recorded
        .map_err(|error| TestCaseError::fail(format!("{error}: {}", String::from_utf8_lossy(&bytes))))?;
    prop_assert_eq!(&recorded.history, history, "{}", String::from_utf8_lossy(&bytes));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn edn_is_read_back(ops in prop::collection::vec(op(edn_value().boxed()), 1..5)) {
        back(&history(ops), Format::Edn)?;
    }

    #[test]
    fn json_is_read_back(ops in prop::collection::vec(op(json_value().boxed()), 1..5)) {
        let history = history(ops);
        back(&history, Format::ElleJson)?;
        back(&history, Format::Jsonl)?;
    }

    #[test]
    fn history_txt_is_read_back_but_for_indices_and_times(
        values in prop::collection::vec((edn_value(), prop::option::of(".{1,12}")), 1..5)
    ) {
        let mut ops = Vec::new();
        for (client, (value, error)) in values.into_iter().enumerate() {
            let process = Process::Client(client as u64);
            ops.push(Op::new(2 * client as u64, 0, OpType::Invoke, process, "write", value.clone()));
            ops.push(Op { error, ..Op::new(2 * client as u64 + 1, 0, OpType::Info, process, "write", value) });
        }
        back(&History::new(ops), Format::HistoryTxt)?;
    }
}

#[test]
fn what_a_format_has_no_place_for_is_an_error() {
    let one = |value: Value| History::new([Op::new(0, 0, OpType::Ok, Process::Client(0), "read", value)]);
    let keyed = History::new([Op::new(0, 0, OpType::Ok, Process::Client(0), "read", 1).with_key(5)]);
    let odd = History::new([Op::new(0, 0, OpType::Ok, Process::Client(0), "a b", 1)]);
    let table = [
        (one(Value::set(vec![1.into()])), Format::Jsonl, "the set #{1}"),
        (one(Value::set(vec![1.into()])), Format::ElleJson, "the set #{1}"),
        (one(Value::Float(Float::new(f64::INFINITY))), Format::Jsonl, "the number inf"),
        (one(Value::map(vec![("1".into(), Value::Nil)])), Format::ElleJson, "the key \"1\" of a map"),
        (one(Value::map(vec![(true.into(), Value::Nil)])), Format::ElleJson, "the key true of a map"),
        (keyed, Format::HistoryTxt, "a key"),
        (odd, Format::HistoryTxt, "a function whose name is no keyword"),
    ];
    for (history, format, expected) in table {
        match history.write(format, &mut Vec::new()) {
            Err(WriteError::CannotCarry { what, position: 0, .. }) => assert_eq!(what, expected),
            other => panic!("{format} {expected}: {other:?}"),
        }
    }
    let limo = one(Value::Nil).write(Format::Limo, &mut Vec::new());
    assert_eq!(limo.unwrap_err().to_string(), "LiMo's text is only read, not written");
}

#[test]
fn recorded_histories_are_read_back() {
    for (path, bytes) in super::shared::files() {
        let history = History::read(&bytes[..]).unwrap().history;
        for format in [Format::Edn, Format::Jsonl, Format::ElleJson] {
            let mut written = Vec::new();
            match history.write(format, &mut written) {
                Ok(()) => {}
                // EDN's sets are no JSON.
                Err(WriteError::CannotCarry { .. }) if format != Format::Edn => continue,
                Err(error) => panic!("{path}: {error}"),
            }
            let again = History::read_with(&written[..], Independent::No);
            let again = again.unwrap_or_else(|error| panic!("{path} as {format}: {error}"));
            assert_eq!(again.history, history, "{path} as {format}");
        }
    }
}
