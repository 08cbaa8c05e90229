//! Values that are a key and a value.

use checker::format::keys::Independent::{Auto, No, Yes};

use super::{read_as, shown};

fn op(process: u32, op_type: &str, f: &str, value: &str) -> String {
    format!("{{:type :{op_type}, :f :{f}, :process {process}, :value {value}}}\n")
}

#[test]
fn pairs_are_split_when_some_read_asks_for_a_key_and_everything_is_a_pair() {
    let text = op(0, "invoke", "write", "[7 1]")
        + &op(1, "invoke", "cas", "[8 [1 2]]")
        + &op(0, "ok", "write", "[7 1]")
        + "{:type :info, :f :kill, :process :nemesis, :value :n1}"
        + &op(1, "info", "cas", ":timed-out")
        + &op(0, "invoke", "read", "[8 nil]")
        + &op(0, "ok", "read", "[8 3]");
    let split = [
        "0 invoke write 1 @7",
        "1 invoke cas [1 2] @8",
        "0 ok write 1 @7",
        "nemesis info kill \"n1\"",
        "1 info cas \"timed-out\" @8",
        "0 invoke read nil @8",
        "0 ok read 3 @8",
    ];
    for independent in [Auto, Yes] {
        let recorded = read_as(&text, independent).unwrap();
        assert_eq!(shown(&recorded.history), split);
        assert!(recorded.history.calls().is_ok());
        assert_eq!(recorded.suggests.model, Some("cas-register"));
    }
    let whole = read_as(&text, No).unwrap();
    assert_eq!(shown(&whole.history)[1], "1 invoke cas [8 [1 2]]");
    assert!(!whole.history.has_keys());
}

#[test]
fn what_only_looks_like_pairs_stays_whole() {
    let register = op(0, "invoke", "cas", "[1 2]")
        + &op(1, "invoke", "cas", "[2 3]")
        + &op(1, "fail", "cas", ":timed-out")
        + &op(0, "ok", "cas", "[1 2]")
        + &op(0, "invoke", "read", "nil")
        + &op(0, "ok", "read", "2");
    let only_cas = op(0, "invoke", "cas", "[1 nil]") + &op(0, "ok", "cas", "[1 nil]");
    let set = op(0, "invoke", "add", "[0 1]") + &op(0, "ok", "add", "[0 1]");
    let transactions =
        op(0, "invoke", "txn", "[[:r 1 nil] [:r 2 nil]]") + &op(0, "ok", "txn", "[[:r 1 3] [:r 2 nil]]");
    let other_key = op(0, "invoke", "read", "[1 nil]") + &op(0, "ok", "read", "[2 3]");
    for text in [register, only_cas, set, transactions, other_key] {
        let auto = read_as(&text, Auto).unwrap();
        assert!(!auto.history.has_keys(), "{text}");
        assert_eq!(auto.history, read_as(&text, No).unwrap().history, "{text}");
        assert_eq!(auto.suggests, read_as(&text, No).unwrap().suggests, "{text}");
    }
}

#[test]
fn transactions_of_independent_objects_are_split() {
    let text = op(0, "invoke", "txn", "[3 [[:append 1 2]]]") + &op(0, "ok", "txn", "[3 [[:append 1 2]]]");
    let recorded = read_as(&text, Auto).unwrap();
    assert_eq!(shown(&recorded.history)[0], "0 invoke txn [[\"append\" 1 2]] @3");
    assert_eq!(recorded.suggests.model, Some("list-append"));
}

#[test]
fn a_value_that_should_be_a_pair_and_is_none_is_an_error() {
    let text =
        op(0, "invoke", "read", "[1 nil]") + &op(0, "ok", "read", "[1 2]") + &op(0, "invoke", "read", "5");
    let error = read_as(&text, Yes).unwrap_err().to_string();
    assert!(error.starts_with("line 3, column 1: expected a value [key value]"), "{error}");
    assert!(!read_as(&text, Auto).unwrap().history.has_keys());
}
