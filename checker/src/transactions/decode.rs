//! Transactions out of a history: operations whose values are lists of `[f key value]`.

use super::txn::{Action, Mop, NEVER, NIL, Txn, Txns};
use super::Object;
use crate::history::op::Value;
use crate::history::pair::{Call, Outcome};
use crate::linearizability::hash::Table;

struct Decoder {
    object: Object,
    txns: Txns,
    keys: Table<Value, u32>,
    values: Table<Value, u32>,
}

/// The transactions of these calls, in their order. An error is what is no transaction, in words.
pub(crate) fn decode(calls: &[Call<'_>], object: Object) -> Result<Txns, String> {
    let mut decoder =
        Decoder { object, txns: Txns::default(), keys: Table::default(), values: Table::default() };
    let nil = decoder.value(&Value::Nil);
    debug_assert_eq!(nil, NIL, "nil is the first value");
    for call in calls {
        decoder.call(call)?;
    }
    Ok(decoder.txns)
}

impl Decoder {
    fn call(&mut self, call: &Call<'_>) -> Result<(), String> {
        let answered = call.result().filter(|result| !result.is_nil());
        let seen = answered.is_some();
        let value = answered.unwrap_or(&call.invoke.value);
        let first = self.txns.mops.len() as u32;
        let place = || format!("op {}", call.invoke.index);
        let mops = value
            .as_list()
            .ok_or_else(|| format!("{}: {value} is no transaction: a list of [f key value]", place()))?;
        for mop in mops {
            let Some([Value::Text(f), key, value]) = mop.as_list() else {
                return Err(format!("{}: {mop} is no part of a transaction: [f key value]", place()));
            };
            let action = match (&**f, self.object) {
                ("r" | "read", _) if !seen => continue,
                ("r" | "read", Object::List) => Action::ReadList(self.list(value).map_err(|why| {
                    format!("{}: a read of key {key} answers {value}, {why}", place())
                })?),
                ("r" | "read", Object::Register) => Action::Read(self.value(value)),
                ("append", Object::List) => Action::Append(self.value(value)),
                ("w" | "write", Object::Register) => Action::Write(self.value(value)),
                (f, object) => {
                    return Err(format!("{}: {} has no function {f:?}", place(), object.name()));
                }
            };
            let key = self.key(call.invoke.key.as_ref(), key);
            self.txns.mops.push(Mop { key, action });
        }
        self.txns.txns.push(Txn {
            process: call.process(),
            start: call.start as u32,
            end: match call.outcome {
                Outcome::Ok | Outcome::Failed => call.end.map_or(NEVER, |end| end as u32),
                Outcome::Unknown => NEVER,
            },
            outcome: call.outcome,
            mops: (first, self.txns.mops.len() as u32),
        });
        Ok(())
    }

    /// A key; of independent histories in one, with the history's own key before it.
    fn key(&mut self, part: Option<&Value>, key: &Value) -> u32 {
        let name = match part {
            Some(part) => Value::List(vec![part.clone(), key.clone()]),
            None => key.clone(),
        };
        let next = self.txns.keys.len() as u32;
        *self.keys.entry(name).or_insert_with_key(|name| {
            self.txns.keys.push(name.clone());
            next
        })
    }

    fn value(&mut self, value: &Value) -> u32 {
        if let Some(known) = self.values.get(value) {
            return *known;
        }
        let next = self.txns.values.len() as u32;
        self.txns.values.push(value.clone());
        self.values.insert(value.clone(), next);
        next
    }

    /// A list read; nil is the empty one.
    fn list(&mut self, value: &Value) -> Result<u32, &'static str> {
        let elements = match value {
            Value::Nil => &[][..],
            value => value.as_list().ok_or("which is no list")?,
        };
        let first = self.txns.elements.len() as u32;
        for element in elements {
            let element = self.value(element);
            self.txns.elements.push(element);
        }
        self.txns.lists.push((first, self.txns.elements.len() as u32));
        Ok(self.txns.lists.len() as u32 - 1)
    }
}
