//! A workload's words as transactions, and a transaction's results as values: pure.
//!
//! | f | value | transaction | what an `ok` carries |
//! |---|---|---|---|
//! | `read` | nil | `Get` | the integer; a list of integers; nil if the key is absent |
//! | `write` | v | `Put` | what was asked |
//! | `cas` | [old, new] | `Cas`, aborts on a mismatch | what was asked |
//! | `append`, `add` | v | `Append`: a set is the list of its elements | what was asked |
//!
//! Keys and values travel as decimal text, so that a log can be read by people. A value that is no
//! number is shown as text: the checker is then the one to say that nobody wrote it.

use bytes::Bytes;
use checker::Value;
use paxos_node::kv::{AbortReason, OpResult, Txn, TxnOp};
use workloads::Invocation;

/// The key of a workload that has only one object.
const ONLY_KEY: &str = "all";

/// Why an invocation can't be asked of this system. It did not happen.
#[derive(Clone, Eq, PartialEq, Debug, thiserror::Error)]
pub enum Untranslatable {
    /// The system has no such function.
    #[error("this system has no operation `{0}`")]
    Function(&'static str),
    /// The function does not take such a value.
    #[error("`{f}` takes {takes}, not {found}")]
    Argument {
        /// The function.
        f: &'static str,
        /// What it takes.
        takes: &'static str,
        /// What it was given.
        found: Value,
    },
}

/// Whether the operation, had it happened unnoticed, would have changed something.
#[must_use]
pub fn is_update(invocation: &Invocation) -> bool {
    invocation.f != "read"
}

/// What to ask for.
///
/// # Errors
/// [`Untranslatable`].
pub fn transaction(invocation: &Invocation) -> Result<Txn, Untranslatable> {
    let key = key(invocation.key);
    let argument =
        |takes| Untranslatable::Argument { f: invocation.f, takes, found: invocation.value.clone() };
    let number = |value: &Value| value.as_int().map(encoded);
    let op = match invocation.f {
        "read" => TxnOp::Get { key },
        "write" => TxnOp::Put { key, value: number(&invocation.value).ok_or_else(|| argument("a number"))? },
        "append" | "add" => {
            TxnOp::Append { key, value: number(&invocation.value).ok_or_else(|| argument("a number"))? }
        }
        "cas" => {
            let pair = || argument("[old, new]");
            let Some([old, new]) = invocation.value.as_list() else { return Err(pair()) };
            let expect = if old.is_nil() { None } else { Some(number(old).ok_or_else(pair)?) };
            TxnOp::Cas { key, expect, value: number(new).ok_or_else(pair)? }
        }
        other => return Err(Untranslatable::Function(other)),
    };
    Ok(Txn { ops: vec![op] })
}

/// The bytes of a workload's key.
#[must_use]
pub fn key(key: Option<i64>) -> Bytes {
    match key {
        Some(key) => encoded(key),
        None => Bytes::from_static(ONLY_KEY.as_bytes()),
    }
}

/// What a `Get` found, as a workload's value; `None` if it is not a `Get`'s result.
#[must_use]
pub fn read(result: &OpResult) -> Option<Value> {
    match result {
        OpResult::Value(None) => Some(Value::Nil),
        OpResult::Value(Some(bytes)) => Some(decoded(bytes)),
        OpResult::List(items) => Some(Value::List(items.iter().map(decoded).collect())),
        OpResult::Integer(number) => Some(Value::Int(*number)),
        OpResult::Done => None,
    }
}

/// What an `ok` of `invocation` carries, from the results of its transaction; `None` if they are
/// not the results of it.
#[must_use]
pub fn value(invocation: &Invocation, results: &[OpResult]) -> Option<Value> {
    let [result] = results else { return None };
    match (is_update(invocation), result) {
        (true, OpResult::Done) => Some(invocation.value.clone()),
        (true, _) => None,
        (false, result) => read(result),
    }
}

/// A word for each way in which a transaction refuses, for the history's `reason`.
#[must_use]
pub fn abort_reason(reason: AbortReason) -> &'static str {
    match reason {
        AbortReason::CasMismatch => "cas-mismatch",
        AbortReason::WrongType => "wrong-type",
        AbortReason::Overflow => "overflow",
        AbortReason::TooLarge => "too-large",
    }
}

fn encoded(number: i64) -> Bytes {
    Bytes::from(number.to_string())
}

/// Only what [`encoded`] makes is a number: "+1" and "01" were written by nobody.
fn decoded(bytes: &Bytes) -> Value {
    let text = String::from_utf8_lossy(bytes);
    match text.parse::<i64>() {
        Ok(number) if number.to_string() == text => Value::Int(number),
        _ => Value::from(text.as_ref()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invocation(f: &'static str, value: impl Into<Value>) -> Invocation {
        Invocation { f, key: Some(7), value: value.into() }
    }

    fn text(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    #[test]
    fn every_function_has_its_transaction() {
        let key = text("7");
        let of = |f, value: Value| transaction(&invocation(f, value)).map(|txn| txn.ops[0].clone());
        assert_eq!(of("read", Value::Nil), Ok(TxnOp::Get { key: key.clone() }));
        assert_eq!(of("write", 5.into()), Ok(TxnOp::Put { key: key.clone(), value: text("5") }));
        assert_eq!(of("add", 5.into()), Ok(TxnOp::Append { key: key.clone(), value: text("5") }));
        assert_eq!(of("append", (-5).into()), Ok(TxnOp::Append { key: key.clone(), value: text("-5") }));
        let cas = |expect| Ok(TxnOp::Cas { key: key.clone(), expect, value: text("2") });
        assert_eq!(of("cas", vec![1, 2].into()), cas(Some(text("1"))));
        assert_eq!(of("cas", Value::List(vec![Value::Nil, 2.into()])), cas(None));
        let only = Invocation { f: "read", key: None, value: Value::Nil };
        assert_eq!(transaction(&only).unwrap().ops[0].key(), &text("all"));
    }

    #[test]
    fn nonsense_is_refused_in_words() {
        let refused = |f, value: Value| transaction(&invocation(f, value)).unwrap_err().to_string();
        assert_eq!(refused("burn", Value::Nil), "this system has no operation `burn`");
        assert_eq!(refused("write", Value::Nil), "`write` takes a number, not nil");
        assert_eq!(refused("cas", vec![1].into()), "`cas` takes [old, new], not [1]");
    }

    #[test]
    fn reads_carry_what_was_read_and_updates_what_was_asked() {
        let read = invocation("read", Value::Nil);
        let of = |result| value(&read, &[result]);
        assert_eq!(of(OpResult::Value(None)), Some(Value::Nil));
        assert_eq!(of(OpResult::Value(Some(text("12")))), Some(12.into()));
        assert_eq!(of(OpResult::Value(Some(text("012")))), Some("012".into()));
        assert_eq!(of(OpResult::List(vec![text("1"), text("2")])), Some(vec![1, 2].into()));
        assert_eq!(of(OpResult::Done), None);
        assert_eq!(value(&invocation("write", 3), &[OpResult::Done]), Some(3.into()));
        assert_eq!(value(&invocation("write", 3), &[]), None);
    }
}
