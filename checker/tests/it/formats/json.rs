//! Elle-cli's JSON.

use checker::Value;
use checker::format::Format;

use super::{error, read, shown};

#[test]
fn ops_are_read_from_a_list_or_one_after_another() {
    let ops = [
        r#"{"index":0,"time":5,"process":1,"type":"invoke","f":"transfer","value":{"from":6,"to":1}}"#,
        r#"{"type":"info","f":"kill","process":"nemesis","value":["n1",null,true,1.5]}"#,
        r#"{"process":1,"type":"ok","f":"transfer","value":{"0":100,"a":-7},"node":"n\u0031","error":"late"}"#,
    ];
    let expected = [
        "1 invoke transfer {\"from\" 6, \"to\" 1}",
        "nemesis info kill [\"n1\" nil true 1.5]",
        "1 ok transfer {0 100, \"a\" -7} !late",
    ];
    for text in [format!("[{}]", ops.join(",\n")), ops.join("\n"), format!(" [ {} ]\r\n", ops.join(" , "))] {
        let recorded = read(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(shown(&recorded.history), expected, "{text}");
        assert_eq!((recorded.format, recorded.suggests.model), (Format::ElleJson, Some("bank")));
        assert_eq!(recorded.history.op(2).extra["node"], "n1");
    }
}

#[test]
fn models_are_told_by_functions_and_values() {
    let op = |f: &str, invoke: &str, ok: &str| {
        format!(
            r#"{{"process":1,"type":"invoke","f":"{f}","value":{invoke}}}{{"process":1,"type":"ok","f":"{f}","value":{ok}}}"#
        )
    };
    let table = [
        (op("read", "null", "3") + &op("write", "3", "3"), "cas-register"),
        (op("cas", "[1,2]", "[1,2]"), "cas-register"),
        (op("write", "{\"x\":1}", "{\"x\":1}"), "multi-register"),
        (op("add", "1", "1") + &op("read", "null", "[1]"), "set"),
        (op("add", "1", "1") + &op("read", "null", "1"), "counter"),
        (op("add", "1", "1") + &op("add", "1", "1"), "counter"),
        (op("add", "1", "1") + &op("add", "2", "2"), "set"),
        (op("enqueue", "1", "1") + &op("dequeue", "null", "1"), "queue"),
        (op("acquire", "null", "null"), "mutex"),
        (op("read", "null", "{\"1\":10}"), "bank"),
        (op("generate", "null", "17"), "unique-ids"),
        (op("append", "1", "1") + &op("read", "null", "[1]"), "append"),
        (op("get", "null", "\"\"") + &op("put", "\"x\"", "\"x\""), "kv"),
        (op("txn", r#"[["r",1,null]]"#, r#"[["r",1,3]]"#), "rw-register"),
        (
            op("txn", r#"[["read","x",null],["write","y",1]]"#, r#"[["read","x",3],["write","y",1]]"#),
            "multi-register",
        ),
        (op("txn", r#"[["r",1,null],["append",1,2]]"#, r#"[["r",1,[3]],["append",1,2]]"#), "list-append"),
    ];
    for (text, model) in table {
        assert_eq!(read(&text).unwrap().suggests.model, Some(model), "{text}");
    }
    assert_eq!(read(op("frobnicate", "1", "1")).unwrap().suggests.model, None);
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let table = [
        (
            r#"[{"type":"began"}]"#,
            "line 1, column 10: expected \"invoke\", \"ok\", \"fail\" or \"info\", found",
        ),
        (
            r#"[{"type":"ok","process":1.5}]"#,
            "line 1, column 25: expected a process number or \"nemesis\", found `1.5}]`",
        ),
        ("[{\"type\":\"ok\"},\n5]", "line 1, column 2: an op without :f"),
        (
            "[{\"type\":\"ok\",\"process\":0,\"f\":\"read\"},\n5]",
            "line 2, column 1: expected an op, an object, found `5]`",
        ),
        (
            "[{\"type\":\"ok\",\"process\":0,\"f\":\"read\"}\n{}]",
            "line 2, column 1: expected `,` or `]`, found `{}]`",
        ),
        (
            "[{\"type\":\"ok\",\"process\":0,\"f\":\"read\"}] x",
            "line 1, column 40: expected the end of the file",
        ),
        (r#"{"type":"ok","value":[1,}"#, "line 1, column 25: expected a value, found `}`"),
        (r#"{"type":"ok","value":12345678901234567890}"#, "line 1, column 22: expected a number of 64 bits"),
        (r#"{"type":"ok","value":nul}"#, "line 1, column 22: expected a value, found `nul}`"),
        (r#"{"type":"ok","type":"ok"}"#, "line 1, column 14: field \"type\" given twice"),
        (
            r#"[{"type":"ok","process":0,"f":"read"}"#,
            "line 1, column 38: the file ends inside the list of ops",
        ),
        (r#"[{"type":"ok","value":"ab"#, "line 1, column 26: the file ends inside a string"),
    ];
    for (text, expected) in table {
        let error = error(text);
        assert!(error.starts_with(expected), "{text}: {error}");
    }
    let deep = format!(r#"{{"type":"ok","value":{}"#, "[".repeat(100_000));
    assert!(error(&deep).contains("nested deeper than 100 levels"));
    let deep = format!(r#"{{"type":"ok","x":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert!(error(&deep).contains("recursion limit"), "{}", error(&deep));
    assert_eq!(
        read(r#"{"type":"ok","process":1,"f":"x","value":"\ud83d\ude00"}"#).unwrap().history.op(0).value,
        Value::from("😀")
    );
}
