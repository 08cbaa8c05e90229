//! Jepsen's console logs and history.txt.

use checker::Value;
use checker::format::{FailedCas, Format, NilReads};

use super::{error, read, shown};

#[test]
fn ops_are_found_between_other_lines_whatever_separates_their_parts() {
    let expected = [
        "3 invoke cas [3 0]",
        "nemesis info start \"Cut off {:n1 #{:n2}}\"",
        "3 fail cas [3 0]",
        "4 invoke read nil",
    ];
    let tabs = "INFO  jepsen.core - Worker 3 starting\n\
                INFO  jepsen.util - 3\t:invoke\t:cas\t[3 0]\n\
                INFO  jepsen.util - :nemesis\t:info\t:start\tCut off {:n1 #{:n2}}\n\
                java.lang.Exception: 3 things\n\tat x.y(Z.java:3)\n\
                INFO  jepsen.util - 3\t:fail\t:cas\t[3 0]\n\
                INFO  jepsen.util - 4\t:invoke\t:read\tnil\n";
    let later = tabs.replace(
        "INFO  jepsen.util - ",
        "2019-01-01 12:00:00,123{GMT}\tINFO\t[jepsen worker 3] jepsen.util: ",
    );
    let brackets =
        tabs.replace("INFO  jepsen.util - ", "INFO [2016-01-01 12:00:00,123] jepsen worker 3 - jepsen.util ");
    for text in [tabs, &tabs.replace('\t', " "), &tabs.replace('\n', "\r\n"), &later, &brackets] {
        let recorded = read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(shown(&recorded.history), expected, "{text}");
        assert_eq!(recorded.format, Format::ConsoleLog);
        assert_eq!(recorded.suggests.failed_cas, FailedCas::HeldSomethingElse);
        assert_eq!(recorded.suggests.nil_reads, NilReads::Real);
        assert_eq!(recorded.suggests.model, Some("cas-register"));
    }
}

#[test]
fn history_txt_is_a_log_of_nothing_but_ops() {
    let text =
        "0\t:invoke\t:write\t1\n\n0\t:ok\t:write\t1\n1 :invoke :read nil\n:nemesis\t:info\t:kill\t:n1\n";
    let recorded = read(text).unwrap();
    assert_eq!(
        shown(&recorded.history),
        ["0 invoke write 1", "0 ok write 1", "1 invoke read nil", "nemesis info kill \"n1\""]
    );
    assert_eq!(recorded.format, Format::HistoryTxt);
    assert_eq!(recorded.suggests.failed_cas, FailedCas::DidNotHappen);
    assert_eq!(recorded.suggests.nil_reads, NilReads::SayNothing);
    assert!(error("0\t:invoke\t:write\t1\nhello\n").starts_with("line 2, column 1: expected process, :type"));
}

#[test]
fn a_reason_is_no_value() {
    let text = "0\t:invoke\t:write\t1\n0\t:info\t:write\t:timed-out\n\
                1\t:invoke\t:read\tnil\n1\t:fail\t:read\tindeterminate: Connection refused\n\
                2\t:invoke\t:write\t7\n2\t:info\t:write\t7\t\"broken pipe\"\n\
                3\t:invoke\t:cas\t[1 2]\n3\t:fail\t:cas\t[1 2]\t[:code 4]\n";
    let history = read(text).unwrap().history;
    let ops = shown(&history);
    assert_eq!(ops[1], "0 info write nil !timed-out");
    assert_eq!(ops[3], "1 fail read nil !indeterminate: Connection refused");
    assert_eq!(ops[5], "2 info write 7 !broken pipe");
    assert_eq!(ops[7], "3 fail cas [1 2] ![:code 4]");
    // The argument is the invocation's.
    assert_eq!(history.calls().unwrap().iter().next().unwrap().argument(), Ok(Value::Int(1)));
}

#[test]
fn a_process_used_against_the_rules_is_told_with_its_line() {
    let invoke = "INFO  jepsen.util - 3\t:invoke\t:write\t1\n";
    let info = "INFO  jepsen.util - 3\t:info\t:write\t:timed-out\n";
    let ok = "INFO  jepsen.util - 3\t:ok\t:write\t1\n";
    let table = [
        (
            format!("{invoke}{info}noise\n{invoke}"),
            "line 4, column 1: process 3 is used again after the info of line 2",
        ),
        (
            format!("{invoke}{invoke}"),
            "line 2, column 1: process 3 invokes while its operation of line 1 is still open",
        ),
        (ok.to_owned(), "line 1, column 1: ok of process 3 without an open invocation"),
        (format!("{invoke}{ok}{ok}"), "line 3, column 1: ok of process 3 without"),
        (format!("{invoke}{info}{ok}"), "line 3, column 1: ok of process 3 without"),
    ];
    for (text, expected) in table {
        let error = error(&text);
        assert!(error.starts_with(expected), "{text}: {error}");
    }
}

#[test]
fn a_damaged_op_is_no_other_line() {
    let table = [
        (
            "INFO  jepsen.util - 3\t:invok\t:read\tnil\n",
            "line 1, column 23: expected :invoke, :ok, :fail or :info",
        ),
        ("INFO  jepsen.util - 3\t:invoke\tread\tnil\n", "line 1, column 23: expected"),
        ("INFO  jepsen.util - 3\t:invoke\t:write\t[1\n", "line 1, column 40: the file ends inside a vector"),
        (
            "INFO  jepsen.util - 3\t:invoke\t:write\t1 2\n",
            "line 1, column 40: expected the end of the line after the value, found `2`",
        ),
        ("x y\nINFO  jepsen.util - 3\t:invoke\t:write\t1/0\n", "line 2, column 38: expected a number"),
    ];
    for (text, expected) in table {
        let error = error(text);
        assert!(error.starts_with(expected), "{text}: {error}");
    }
}

#[test]
fn a_file_without_ops_is_refused() {
    assert_eq!(error(""), "the file is empty: a history has at least one op");
    assert_eq!(error("\n \n"), "2 lines but not one op: this is not a history");
    assert_eq!(
        error("INFO  jepsen.core - nothing happened\nbye bye"),
        "2 lines but not one op: this is not a history"
    );
    assert!(error("INFO  jepsen.util - 3\n").contains("not one op"));
}
