//! Our own format, byte by byte.

use checker::{Float, History, Op, OpType, Process, ReadError, Value};
use proptest::prelude::*;

fn read(text: &str) -> Result<History, ReadError> {
    History::read_jsonl(text.as_bytes())
}

fn written(history: &History) -> String {
    let mut bytes = Vec::new();
    history.write_jsonl(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

const GOLDEN: &str = r#"{"index":0,"time_ns":5,"intended_ns":3,"type":"invoke","process":0,"f":"cas","key":7,"value":[null,1]}
{"index":1,"time_ns":6,"type":"info","process":"nemesis","f":"kill","value":["n1","n2"]}
{"index":2,"time_ns":9,"type":"ok","process":0,"f":"cas","key":7,"value":[null,1],"node":"n1","request":[3,1],"slot":12}
{"index":3,"time_ns":11,"type":"invoke","process":1,"f":"read","key":"x","value":null}
{"index":4,"time_ns":12,"type":"fail","process":1,"f":"read","key":"x","value":null,"error":"no leader"}
"#;

#[test]
fn what_was_written_is_read_and_written_alike() {
    let history = read(GOLDEN).unwrap();
    assert_eq!(written(&history), GOLDEN);
    let ops: Vec<Op> = history.ops().collect();
    assert_eq!(ops[0].intended_ns, Some(3));
    assert_eq!(ops[0].value, Value::List(vec![Value::Nil, Value::Int(1)]));
    assert_eq!(ops[1].process, Process::Nemesis);
    assert_eq!((ops[2].op_type, &ops[2].key), (OpType::Ok, &Some(Value::Int(7))));
    assert_eq!(ops[2].extra["slot"], 12);
    assert_eq!(ops[4].error.as_deref(), Some("no leader"));
}

#[test]
fn order_of_fields_blanks_and_blank_lines_do_not_matter() {
    let text =
        "\n  {\"f\": \"read\", \"process\": 4,\t\"type\": \"ok\", \"time_ns\": 1, \"index\": 9}  \r\n\n";
    let op = Op::new(9, 1, OpType::Ok, Process::Client(4), "read", Value::Nil);
    assert_eq!(read(text).unwrap().into_ops(), [op]);
}

#[test]
fn a_malformed_line_is_an_error_with_line_column_and_reason() {
    let good = r#"{"index":0,"time_ns":5,"type":"invoke","process":0,"f":"read"}"#;
    let cases = [
        ("hello", 1, "expected value"),
        (r#"{"index":0,"time_ns":5,"type":"invoke","process":0}"#, 51, "missing field `f`"),
        (r#"{"index":0,"time_ns":5,"type":"began","process":0,"f":"read"}"#, 37, "unknown variant `began`"),
        (r#"{"index":0,"time_ns":5,"type":"ok","process":"n1","f":"read"}"#, 49, "a process number or"),
        (r#"{"index":-1,"time_ns":5,"type":"ok","process":0,"f":"read"}"#, 11, "invalid value: integer `-1`"),
        (
            r#"{"index":0,"index":0,"time_ns":5,"type":"ok","process":0,"f":"read"}"#,
            18,
            "duplicate field `index`",
        ),
        (
            r#"{"index":0,"time_ns":5,"type":"ok","process":0,"f":"read","value":1e300}"#,
            71,
            "expected null, true, false, a number of 64 bits, text, or a list or an object",
        ),
        (
            r#"{"index":0,"time_ns":5,"type":"ok","process":0,"f":"read","value":{"a":99999999999999999999}}"#,
            91,
            "invalid value: floating point `1e+20`",
        ),
        (
            r#"{"index":0,"time_ns":5,"type":"ok","process":0,"f":"read","value":9223372036854775808}"#,
            85,
            "invalid value: integer `9223372036854775808`",
        ),
        (r#"{"index":0,"time_ns":5,"slot":1,"slot":2}"#, 38, "field `slot` given twice"),
        (r#"{"index":0}{"index":1}"#, 11, "missing field `time_ns`"),
        ("[1,2]", 1, "invalid type: sequence, expected an op"),
    ];
    for (bad, at, words) in cases {
        let error = read(&format!("{good}\n\n{bad}\n{good}\n")).unwrap_err();
        let ReadError::Malformed { line, column, reason, torn_tail } = &error else { panic!("{error}") };
        assert_eq!((*line, *torn_tail), (3, false), "{bad}: {error}");
        assert!(reason.contains(words), "{bad}: {error}");
        assert_eq!(*column, at, "{bad}: column {column}: {error}");
        assert!(error.to_string().starts_with(&format!("line 3, column {column}: ")), "{error}");
    }
}

#[test]
fn a_line_that_just_stops_at_the_end_of_the_file_is_told_apart() {
    let torn = |text: &str| match read(text) {
        Err(ReadError::Malformed { torn_tail, line: 2, .. }) => torn_tail,
        other => panic!("{other:?}"),
    };
    let good = r#"{"index":0,"time_ns":5,"type":"invoke","process":0,"f":"read"}"#;
    for length in 1..good.len() {
        assert!(torn(&format!("{good}\n{}", &good[..length])), "{length}");
        assert!(!torn(&format!("{good}\n{}\n", &good[..length])), "{length}");
    }
}

#[test]
fn a_file_with_lines_but_no_ops_is_refused_and_one_without_bytes_is_empty() {
    assert!(matches!(read("\n\n  \n"), Err(ReadError::NoOps { lines: 3 })));
    assert!(read("").unwrap().is_empty());
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let error = History::read_jsonl(&b"\xff\xfe{}\n"[..]).unwrap_err();
    assert!(matches!(error, ReadError::Malformed { line: 1, .. }), "{error}");
    let nested = "[".repeat(100_000);
    let text = format!(r#"{{"index":0,"time_ns":5,"type":"ok","process":0,"f":"read","value":{nested}"#);
    assert!(matches!(read(&text), Err(ReadError::Malformed { line: 1, .. })));
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Nil),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,8}".prop_map(|text| Value::from(text.as_str())),
        (-9_007_199_254_740_991i64..9_007_199_254_740_991)
            .prop_map(|bits| Value::Float(Float::new(bits as f64 / 1024.0 + 0.000_5))),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            prop::collection::vec((any::<i64>().prop_map(Value::from), inner), 0..4).prop_map(Value::map),
        ]
    })
}

proptest! {
    #[test]
    fn every_op_survives(
        times in (any::<u64>(), any::<u64>(), prop::option::of(any::<u64>())),
        op_type in prop_oneof![Just(OpType::Invoke), Just(OpType::Ok), Just(OpType::Fail), Just(OpType::Info)],
        process in prop_oneof![Just(Process::Nemesis), any::<u64>().prop_map(Process::Client)],
        f in ".{1,8}",
        key in prop::option::of(value().prop_filter("nil is no key", |key| !key.is_nil())),
        value in value(),
        error in prop::option::of(".{0,20}"),
    ) {
        let (index, time_ns, intended_ns) = times;
        let mut op = Op { intended_ns, key, error, ..Op::new(index, time_ns, op_type, process, f, value) };
        op.extra.insert("slot".into(), serde_json::json!({"deep": [1, "x", null]}));
        let history = History::new(vec![op]);
        prop_assert_eq!(read(&written(&history)).unwrap(), history);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = History::read_jsonl(&bytes[..]);
    }
}
