//! Jepsen's EDN.

use checker::format::Format;
use checker::{Op, OpType, Process, Value};

use super::{error, read, shown};

/// What one value in EDN is.
fn value(edn: &str) -> Value {
    let text = format!("{{:type :invoke, :f :write, :process 0, :value {edn}}}");
    let recorded = read(&text).unwrap_or_else(|error| panic!("{edn}: {error}"));
    recorded.history.op(0).value
}

#[test]
fn ops_are_read_in_every_shape() {
    let expected = ["0 invoke write 1", "nemesis info start \"n1\"", "0 ok write 1"];
    let ops = [
        "{:type :invoke, :f :write, :value 1, :process 0}",
        "{:process :nemesis :type :info :f :start :value \"n1\"}",
        "{:index 5, :time 7, :type :ok, :f :write, :value 1, :process 0}",
    ];
    let [a, b, c] = ops;
    for text in [
        format!("{a}\n{b}\n{c}\n"),
        format!("{a}{b}{c}"),
        format!("[{a}\n {b}, {c}]"),
        format!("({a} {b}\n{c})\n"),
        format!("; a comment [\n[{a} ; another }}\n{b} #_ {{:type :ok}} #_[1 2] {c}]"),
        format!("[[{a} {b}] ({c})]"),
        format!("#jepsen.history.Op{a} #jepsen.history.Op {b} #jepsen.history.Op{c}"),
        format!("\u{feff}[{a}\r\n{b}\r\n,,{c}]\r\n"),
    ] {
        let recorded = read(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(shown(&recorded.history), expected, "{text}");
        assert_eq!(recorded.format, Format::Edn, "{text}");
    }
}

#[test]
fn index_and_time_may_be_there_or_not() {
    let both = read(
        "{:index 3 :time 70 :type :invoke :f :read :process 1} {:index 9 :time 80 :type :ok :f :read :process 1}",
    );
    let history = both.unwrap().history;
    assert_eq!((history.index(0), history.index(1), history.time_ns(1)), (3, 9, 80));
    assert!(history.has_times());
    let neither =
        read("{:index -1 :time nil :type :invoke :f :read :process 1} {:type :ok :f :read :process 1}");
    let history = neither.unwrap().history;
    assert_eq!((history.index(0), history.index(1)), (0, 1));
    assert!(!history.has_times());
}

#[test]
fn what_else_is_in_an_op_is_carried_along() {
    let text = "{:type :info :f :write :value :timed-out :process 4 :error [:conn \"x\"] :node \"n1\" \
                :jepsen/debug {:a #{1}} :exception #:clojure.error{:phase :x}} \
                {:type :info :f :kill :process :nemesis :error \"in words\" :late true} \
                {:type :info :f :watch :process :watcher :error nil}";
    let history = read(text).unwrap().history;
    let op = history.op(0);
    assert_eq!((op.value, op.error.as_deref()), (Value::from("timed-out"), Some("[:conn \"x\"]")));
    assert_eq!(op.extra["node"], "n1");
    assert_eq!(op.extra["jepsen/debug"]["a"], serde_json::json!([1]));
    assert_eq!(op.extra["exception"]["clojure.error/phase"], "x");
    assert_eq!((history.op(1).error.as_deref(), history.op(1).late), (Some("in words"), true));
    // Only numbers are clients.
    assert_eq!((history.op(2).process, history.op(2).error), (Process::Nemesis, None));
    assert_eq!(history.op(2).extra["process"], "watcher");
}

#[test]
fn equal_values_are_equal_however_they_are_written() {
    let same = [
        ("1", "1N"),
        ("1", "+1"),
        ("0", "-0"),
        ("255", "0xff"),
        ("255", "0377"),
        ("7", "2r111"),
        ("[1 2]", "(1 2)"),
        ("[1 2]", "[1, 2,]"),
        ("1/2", "2/4"),
        ("2", "4/2"),
        ("1.5", "1.50M"),
        ("1e3", "1000.0"),
        ("\\a", "\"a\""),
        ("\\newline", "\"\\n\""),
        ("\\u0041", "\\A"),
        ("\\o101", "\\A"),
        ("\"\\u00e9\\101\"", "\"éA\""),
        ("\"\\ud83d\\ude00\"", "\"😀\""),
        ("#{1 2}", "#{2 1}"),
        ("{:a 1 :b 2}", "{:b 2, :a 1}"),
        ("#:n{:a 1 :_/b 2 :m/c 3 \"d\" 4}", "{:n/a 1 :b 2 :m/c 3 \"d\" 4}"),
        (":a", "::a"),
        ("^{:doc \"x\"} [1]", "[1]"),
        ("'x", "x"),
        ("#my/tag [1]", "[1]"),
        ("#inst \"2020-01-01\"", "\"2020-01-01\""),
        ("[1 #_ 2 #_ #_ 3 4 5]", "[1 5]"),
        ("123456789012345678901234567890", "0123456789012345678901234567890N".trim_start_matches('0')),
        ("##NaN", "##NaN"),
        ("1.5M", "1.5"),
        ("12345678901234567890.10M", "12345678901234567890.1M"),
    ];
    for (a, b) in same {
        assert_eq!(value(a), value(b), "{a} and {b}");
    }
    let different = [
        ("1", "1.0"),
        ("1", "\"1\""),
        ("nil", "false"),
        ("nil", "[]"),
        ("[1 2]", "[2 1]"),
        ("[1]", "#{1}"),
        ("{}", "[]"),
        ("123456789012345678901234567890", "123456789012345678901234567891"),
        ("12345678901234567890.1M", "12345678901234567890.2M"),
        ("1/2", "1/3"),
        ("-5", "5"),
        (":a", ":b"),
    ];
    for (a, b) in different {
        assert_ne!(value(a), value(b), "{a} and {b}");
    }
}

#[test]
fn values_are_what_they_say() {
    let int = Value::Int;
    let table = [
        ("nil", Value::Nil),
        ("true", true.into()),
        ("-9223372036854775808", int(i64::MIN)),
        ("9223372036854775807", int(i64::MAX)),
        ("9223372036854775808", "9223372036854775808".into()),
        ("[nil [] ()]", Value::List(vec![Value::Nil, Value::List(vec![]), Value::List(vec![])])),
        ("\"a \\\"b\\\" \\\\ c\"", "a \"b\" \\ c".into()),
        (":k/w", "k/w".into()),
        ("sym.bol/x", "sym.bol/x".into()),
        ("-", "-".into()),
        ("\\(", "(".into()),
        ("#{}", Value::Set(vec![])),
        (
            "#object[java.lang.Object 0x1f \"x\"]",
            Value::List(vec!["java.lang.Object".into(), int(31), "x".into()]),
        ),
        ("#<Thread a <b>>", "#<Thread a <b>>".into()),
        ("{1 [2]}", Value::map(vec![(int(1), Value::List(vec![int(2)]))])),
    ];
    for (edn, expected) in table {
        assert_eq!(value(edn), expected, "{edn}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_what_was_expected() {
    let table = [
        (
            "{:type :began, :f :read, :process 0}",
            "line 1, column 8: expected :invoke, :ok, :fail or :info, found `:began, :f :read",
        ),
        (
            "{:type :ok, :f :read, :process -3}",
            "line 1, column 32: expected a process number or :nemesis, found `-3}`",
        ),
        ("{:type :ok, :f :read, :process 1.5}", "line 1, column 32: expected a process number"),
        ("\n [{:type :ok, :f :read}]", "line 2, column 3: an op without :process"),
        ("{:type :ok, :process 0}", "line 1, column 1: an op without :f"),
        ("{:f :read, :process 0}", "line 1, column 1: an op without :type"),
        ("{:type :ok, :type :ok}", "line 1, column 13: field :type given twice"),
        ("{:x 1 :x 2}", "line 1, column 7: field :x given twice"),
        ("{:type :ok, :time :noon}", "line 1, column 19: expected a time in nanoseconds, found `:noon}`"),
        ("{:type :ok, :index -7}", "line 1, column 20: expected an index, found `-7}`"),
        ("{:value [1 2}", "line 1, column 13: expected a value or `]` of a vector, found `}`"),
        ("{:value {1 2 3}}", "line 1, column 9: a map with a key that has no value"),
        ("{:value 1/0}", "line 1, column 9: expected a number, found `1/0}`"),
        ("{:value 08}", "line 1, column 9: expected a number, found `08}`"),
        ("{:value 12ab}", "line 1, column 9: expected a number, found `12ab}`"),
        ("{:value \"\\q\"}", "line 1, column 10: expected an escape, found `\\\\q`"),
        ("{:value \\uzzzz}", "line 1, column 9: expected a character, found"),
        ("{:value #}", "line 1, column 9: expected a value, found `#}`"),
        ("{:value #=(+ 1 2)}", "line 1, column 9: expected a value, found `#=(+ 1 2)}`"),
        ("{5 1}", "line 1, column 2: expected a keyword, the name of a field of an op, found `5 1}`"),
        (
            "{:type :ok, :f :read, :process 0}\n 5",
            "line 2, column 2: expected an op: a map with :type, :process, :f and :value, found `5`",
        ),
        ("[{:type :ok, :f :read, :process 0})", "line 1, column 35: expected an op"),
        ("({:type :ok, :f :read, :process 0}", "line 1, column 35: the file ends inside the list of ops"),
        ("{:type :ok, :f :re", "line 1, column 19: the file ends inside an op"),
        ("{:type :ok, :value \"abc", "line 1, column 24: the file ends inside a string"),
        ("{:type :ok, :value [1 2", "line 1, column 24: the file ends inside a vector"),
        ("{}", "line 1, column 1: an op without :f"),
        ("[]", "1 lines but not one op"),
        ("; nothing\n", "1 lines but not one op"),
    ];
    for (text, expected) in table {
        let error = error(text);
        assert!(error.starts_with(expected), "{text}\n  is: {error}\n not: {expected}");
    }
    let long = format!("{{:type :{}}}", "x".repeat(1000));
    assert!(error(&long).len() < 120, "{}", error(&long));
    let bad = error(b"{:type :ok, :f :read, :value \"\xff\", :process 0}");
    assert_eq!(bad, "line 1, column 31: the text is not UTF-8");
    for deep in ["[", "{", "#{", "#a ", "'", "{1 ", "^", "#_", "(", "#:a{"] {
        let text = format!("{{:type :ok, :value {}", deep.repeat(200_000));
        assert!(
            error(&text).contains("nested deeper than 100 levels") || deep == "{",
            "{deep}: {}",
            error(&text)
        );
    }
    assert!(read("{:type :ok, :f :re").unwrap_err().is_torn_tail());
    assert!(!read("{:type :okay}").unwrap_err().is_torn_tail());
}

#[test]
fn a_transaction_needs_no_function() {
    let recorded = read("{:type :invoke, :process 0, :value [[:append 1 2] [:r 1 nil]]}").unwrap();
    assert_eq!(recorded.history.op(0).f, "txn");
    assert_eq!(recorded.suggests.model, Some("list-append"));
    let registers = read("{:type :invoke, :process 0, :f :txn, :value [[:w 1 2] [:r 1 nil]]}").unwrap();
    assert_eq!(registers.suggests.model, Some("rw-register"));
}

#[test]
fn a_failure_stays_a_failure_and_a_nil_read_stays_nil() {
    let text = "{:type :invoke, :f :cas, :value [1 2], :process 0}{:type :fail, :f :cas, :value [1 2], :process 0}\
                {:type :invoke, :f :read, :value nil, :process 0}{:type :ok, :f :read, :value nil, :process 0}";
    let recorded = read(text).unwrap();
    assert_eq!(recorded.history.op(1).op_type, OpType::Fail);
    assert_eq!(recorded.history.op(3).value, Value::Nil);
    use checker::format::{FailedCas, NilReads};
    assert_eq!(recorded.suggests.failed_cas, FailedCas::DidNotHappen);
    assert_eq!(recorded.suggests.nil_reads, NilReads::SayNothing);
    assert_eq!(recorded.suggests.model, Some("cas-register"));
}

#[test]
fn a_process_that_is_reused_is_told_by_the_history() {
    let text = "{:type :invoke, :f :read, :process 0}{:type :info, :f :read, :process 0}\
                {:type :invoke, :f :read, :process 0}";
    let history = read(text).unwrap().history;
    let error = history.calls().unwrap_err();
    assert_eq!((error.position, error.process), (2, Process::Client(0)));
}

#[test]
fn kv_ops_with_a_key_are_porcupines() {
    let text = "{:process 9, :type :invoke, :f :append, :key \"0\", :value \"x\"}\n\
                {:process 9, :type :ok, :f :append, :key \"0\", :value \"x\"}";
    let recorded = read(text).unwrap();
    assert_eq!((recorded.format, recorded.suggests.model), (Format::PorcupineKv, Some("append")));
    assert_eq!(recorded.suggests.initial, Value::from(""));
    let expected = Op::new(0, 0, OpType::Invoke, Process::Client(9), "append", "x").with_key("0");
    assert_eq!(recorded.history.op(0), expected);
    let register = read("{:process 9, :type :invoke, :f :write, :key 0, :value 3}").unwrap();
    assert_eq!((register.format, register.suggests.model), (Format::Edn, Some("cas-register")));
}
