//! A workload's words as transactions, and a transaction's results as values: pure.
//!
//! | f | value | transaction | what an `ok` carries |
//! |---|---|---|---|
//! | `read` | nil | `Get` | the integer; a list of integers; nil if the key is absent |
//! | `read` | {part: nil, …} | `Get` of each part of the key | the same, filled in |
//! | `write` | v | `Put` | what was asked |
//! | `cas` | [old, new] | `Cas`, aborts on a mismatch | what was asked |
//! | `append`, `add`, `enqueue` | v | `Append`: a set is the list of its elements | what was asked |
//! | `dequeue` | nil | `Pop` | the element; nil if there is none |
//! | `increment` | n | `Add` | what was asked |
//! | `inc`, `generate` | nil | `Add` of 1 | the sum |
//! | `open` | {part: amount, …} | `Add` to each part of the key | what was asked |
//! | `transfer` | {from, to, amount} | `Add` to both parts of the key | what was asked |
//! | `acquire` | owner | `Cas` from absent | true; false where it aborts on a mismatch |
//! | `release` | owner | `Cas` from the owner to itself, aborts on a mismatch; `Delete` | what was asked |
//! | `txn` | [[f, k, v], …] | `Append`, `Put` (`w`) and `Get` (`r`) | the same, reads filled in |
//!
//! An answer has the shape of its question, so that either tells what was asked.
//!
//! Keys and values travel as decimal text, so that a log can be read by people; part 2 of key 7 is
//! `7/2`. A value that is no number is shown as text: the checker is then the one to say that nobody
//! wrote it.

use bytes::Bytes;
use checker::{Op, Value};
use paxos_node::kv::{AbortReason, OpResult, Txn, TxnOp, TxnOutcome};
use workloads::Invocation;

/// The key of a workload that has only one object.
const ONLY_KEY: &str = "all";

/// What was asked: of an invocation, or of its answer.
#[derive(Copy, Clone, Debug)]
pub struct Asked<'a> {
    /// The function.
    pub f: &'a str,
    /// The object it is about, if it names one.
    pub key: Option<i64>,
    /// The argument, or what the answer made of it.
    pub value: &'a Value,
}

impl<'a> From<&'a Invocation> for Asked<'a> {
    fn from(invocation: &'a Invocation) -> Self {
        Asked { f: invocation.f, key: invocation.key, value: &invocation.value }
    }
}

impl<'a> Asked<'a> {
    /// What an op of a history is about; `None` if this system was never asked for such a key.
    #[must_use]
    pub fn of(op: &'a Op) -> Option<Asked<'a>> {
        let key = match &op.key {
            None => None,
            Some(Value::Int(key)) => Some(*key),
            Some(_) => return None,
        };
        Some(Asked { f: &op.f, key, value: &op.value })
    }
}

/// What a transaction's outcome means to whoever asked for it.
#[derive(Clone, PartialEq, Debug)]
pub enum Told {
    /// It happened, and an `ok` carries this.
    Happened(Value),
    /// It changed nothing; why, in a word for the history's `reason`.
    DidNot(&'static str),
    /// These are not the results of what was asked.
    Nonsense,
}

/// Why an invocation can't be asked of this system. It did not happen.
#[derive(Clone, Eq, PartialEq, Debug, thiserror::Error)]
pub enum Untranslatable {
    /// The system has no such function.
    #[error("this system has no operation `{0}`")]
    Function(String),
    /// The function does not take such a value.
    #[error("`{f}` takes {takes}, not {found}")]
    Argument {
        /// The function.
        f: String,
        /// What it takes.
        takes: &'static str,
        /// What it was given.
        found: Value,
    },
}

/// Whether the operation, had it happened unnoticed, would have changed something.
#[must_use]
pub fn is_update(asked: Asked<'_>) -> bool {
    match (asked.f, asked.value.as_list()) {
        ("read", _) => false,
        ("txn", Some(parts)) => parts.iter().any(|part| micro(part).is_none_or(|(f, ..)| f != "r")),
        _ => true,
    }
}

/// What to ask for.
///
/// # Errors
/// [`Untranslatable`].
pub fn transaction(asked: Asked<'_>) -> Result<Txn, Untranslatable> {
    let key = || key(asked.key);
    let (takes, ops) = match asked.f {
        "read" => match asked.value {
            Value::Map(parts) => {
                ("a map of parts", each_part(asked, parts, |key, _| Some(TxnOp::Get { key })))
            }
            // The argument of an answer is what was read.
            _ => ("nil", Some(vec![TxnOp::Get { key: key() }])),
        },
        "write" => ("a number", number(asked.value).map(|value| vec![TxnOp::Put { key: key(), value }])),
        "append" | "add" | "enqueue" => {
            ("a number", number(asked.value).map(|value| vec![TxnOp::Append { key: key(), value }]))
        }
        "dequeue" => ("nil", Some(vec![TxnOp::Pop { key: key() }])),
        "increment" => ("a number", asked.value.as_int().map(|delta| vec![TxnOp::Add { key: key(), delta }])),
        "inc" | "generate" => ("nil", Some(vec![TxnOp::Add { key: key(), delta: 1 }])),
        "cas" => ("[old, new]", cas(key(), asked.value)),
        "acquire" => {
            let take = |owner| vec![TxnOp::Cas { key: key(), expect: None, value: owner }];
            ("an owner's number", number(asked.value).map(take))
        }
        "release" => ("an owner's number", number(asked.value).map(|owner| release(key(), owner))),
        "open" => ("a map of amounts", open(asked)),
        "transfer" => ("{from, to, amount}", transfer(asked)),
        "txn" => ("a list of [f, key, value]", parts(asked)),
        other => return Err(Untranslatable::Function(other.to_owned())),
    };
    let refused = || Untranslatable::Argument { f: asked.f.to_owned(), takes, found: asked.value.clone() };
    Ok(Txn { ops: ops.ok_or_else(refused)? })
}

/// What became of what was asked.
#[must_use]
pub fn told(asked: Asked<'_>, outcome: &TxnOutcome) -> Told {
    match outcome {
        TxnOutcome::Done(results) => answer(asked, results).map_or(Told::Nonsense, Told::Happened),
        // Whoever finds the lock taken has learnt something.
        TxnOutcome::Aborted { op: _, reason: AbortReason::CasMismatch } if asked.f == "acquire" => {
            Told::Happened(false.into())
        }
        TxnOutcome::Aborted { op: _, reason } => Told::DidNot(abort_reason(*reason)),
    }
}

/// What an `ok` carries; `None` if these are not the results of what was asked.
fn answer(asked: Asked<'_>, results: &[OpResult]) -> Option<Value> {
    match (asked.f, asked.value, results) {
        ("read", Value::Map(parts), results) => {
            let part = |((part, _), result): (&(Value, Value), _)| Some((part.clone(), read(result)?));
            Some(Value::map(pairs(parts, results)?.map(part).collect::<Option<_>>()?))
        }
        ("read", _, [result]) => read(result),
        ("txn", Value::List(parts), results) => {
            let parts = pairs(parts, results)?.map(|(part, result)| filled_in(part, result));
            Some(Value::List(parts.collect::<Option<_>>()?))
        }
        ("open", Value::Map(parts), results) => {
            let is_sum = |(_, result): (_, &OpResult)| matches!(result, OpResult::Integer(_));
            pairs(parts, results)?.all(is_sum).then(|| asked.value.clone())
        }
        ("dequeue", _, [OpResult::Value(None)]) => Some(Value::Nil),
        ("dequeue", _, [OpResult::Value(Some(element))]) => Some(decoded(element)),
        ("inc" | "generate", _, [OpResult::Integer(sum)]) => Some(Value::Int(*sum)),
        ("acquire", _, [OpResult::Done]) => Some(true.into()),
        ("write" | "append" | "add" | "enqueue" | "cas", value, [OpResult::Done])
        | ("increment", value, [OpResult::Integer(_)])
        | ("release", value, [OpResult::Done, OpResult::Done])
        | ("transfer", value, [OpResult::Integer(_), OpResult::Integer(_)]) => Some(value.clone()),
        _ => None,
    }
}

/// Each part with its result, if there is one for each.
fn pairs<'a, P>(
    parts: &'a [P],
    results: &'a [OpResult],
) -> Option<impl Iterator<Item = (&'a P, &'a OpResult)>> {
    (parts.len() == results.len()).then(|| parts.iter().zip(results))
}

/// What a `Get` found, as a workload's value; `None` if it is not a `Get`'s result.
fn read(result: &OpResult) -> Option<Value> {
    match result {
        OpResult::Value(None) => Some(Value::Nil),
        OpResult::Value(Some(bytes)) => Some(decoded(bytes)),
        OpResult::List(items) => Some(Value::List(items.iter().map(decoded).collect())),
        OpResult::Integer(number) => Some(Value::Int(*number)),
        OpResult::Done => None,
    }
}

fn cas(key: Bytes, value: &Value) -> Option<Vec<TxnOp>> {
    let [old, new] = value.as_list()? else { return None };
    let expect = if old.is_nil() { None } else { Some(number(old)?) };
    Some(vec![TxnOp::Cas { key, expect, value: number(new)? }])
}

fn release(key: Bytes, owner: Bytes) -> Vec<TxnOp> {
    vec![TxnOp::Cas { key: key.clone(), expect: Some(owner.clone()), value: owner }, TxnOp::Delete { key }]
}

/// An operation on each part of the key.
fn each_part(
    asked: Asked<'_>,
    parts: &[(Value, Value)],
    op: impl Fn(Bytes, &Value) -> Option<TxnOp>,
) -> Option<Vec<TxnOp>> {
    parts.iter().map(|(part, value)| op(part_key(asked.key, part.as_int()?), value)).collect()
}

fn open(asked: Asked<'_>) -> Option<Vec<TxnOp>> {
    let Value::Map(parts) = asked.value else { return None };
    each_part(asked, parts, |key, amount| Some(TxnOp::Add { key, delta: amount.as_int()? }))
}

fn transfer(asked: Asked<'_>) -> Option<Vec<TxnOp>> {
    let Value::Map(parts) = asked.value else { return None };
    let part = |name: &str| parts.iter().find(|(key, _)| *key == Value::from(name))?.1.as_int();
    let amount = part("amount")?;
    Some(vec![
        TxnOp::Add { key: part_key(asked.key, part("from")?), delta: amount.checked_neg()? },
        TxnOp::Add { key: part_key(asked.key, part("to")?), delta: amount },
    ])
}

/// One part of a transaction.
fn micro(part: &Value) -> Option<(&str, i64, &Value)> {
    match part.as_list()? {
        [Value::Text(f), Value::Int(key), value] => Some((f, *key, value)),
        _ => None,
    }
}

fn parts(asked: Asked<'_>) -> Option<Vec<TxnOp>> {
    let op = |part| {
        let (f, part, value) = micro(part)?;
        let key = part_key(asked.key, part);
        match f {
            "r" => Some(TxnOp::Get { key }),
            "w" => Some(TxnOp::Put { key, value: number(value)? }),
            "append" => Some(TxnOp::Append { key, value: number(value)? }),
            _ => None,
        }
    };
    asked.value.as_list()?.iter().map(op).collect()
}

/// A part of a transaction, with what it read.
fn filled_in(part: &Value, result: &OpResult) -> Option<Value> {
    match (micro(part)?, result) {
        (("r", key, _), result) => Some(Value::List(vec!["r".into(), key.into(), read(result)?])),
        (_, OpResult::Done) => Some(part.clone()),
        _ => None,
    }
}

/// The bytes of a workload's key.
fn key(key: Option<i64>) -> Bytes {
    match key {
        Some(key) => encoded(key),
        None => Bytes::from_static(ONLY_KEY.as_bytes()),
    }
}

/// The bytes of a part of a key; of a key, where the operation has none and its parts name them.
fn part_key(key: Option<i64>, part: i64) -> Bytes {
    match key {
        Some(key) => Bytes::from(format!("{key}/{part}")),
        None => encoded(part),
    }
}

/// A word for each way in which a transaction refuses, for the history's `reason`.
fn abort_reason(reason: AbortReason) -> &'static str {
    match reason {
        AbortReason::CasMismatch => "cas-mismatch",
        AbortReason::WrongType => "wrong-type",
        AbortReason::Overflow => "overflow",
        AbortReason::TooLarge => "too-large",
    }
}

fn number(value: &Value) -> Option<Bytes> {
    value.as_int().map(encoded)
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
