//! Transactions out of a history: operations whose values are lists of `[f key value]`.

use super::Object;
use super::txn::{Action, Mop, NEVER, Txn, Txns};
use crate::hash::Table;
use crate::history::op::Value;
use crate::history::pair::{Call, Calls, Outcome};
use crate::history::values::{ValueId, ValueView, Values};

struct Decoder<'h> {
    object: Object,
    values: &'h Values,
    txns: Vec<Txn>,
    mops: Vec<Mop>,
    names: Vec<Value>,
    keys: Table<u64, u32>,
}

/// The transactions of these calls, in their order. An error is what is no transaction, in words.
pub(crate) fn decode<'h>(calls: &Calls<'h>, object: Object) -> Result<Txns<'h>, String> {
    let mut decoder = Decoder {
        object,
        values: calls.history.values(),
        txns: Vec::with_capacity(calls.len()),
        mops: Vec::new(),
        names: Vec::new(),
        keys: Table::default(),
    };
    for call in calls.iter() {
        decoder.call(&call).map_err(|why| format!("op {}: {why}", call.invoke_index()))?;
    }
    let Decoder { txns, mops, names, values, .. } = decoder;
    Ok(Txns { txns, mops, keys: names, values })
}

impl Decoder<'_> {
    fn call(&mut self, call: &Call<'_>) -> Result<(), String> {
        let answered = call.result_id().filter(|result| *result != ValueId::NIL);
        let value = answered.unwrap_or_else(|| call.asked_id());
        let first = self.mops.len() as u32;
        let Some(mops) = self.values.list_view(value) else {
            return Err(format!("{} is no transaction: a list of [f key value]", self.values.get(value)));
        };
        for mop in mops {
            let part = self.values.list_view(*mop).and_then(|part| <&[ValueId; 3]>::try_from(part).ok());
            let Some([f, key, value]) = part else {
                return Err(format!("{} is no part of a transaction: [f key value]", self.values.get(*mop)));
            };
            if let Some(action) = self.action(*f, *value, answered.is_some())? {
                let key = self.key(call.key_id(), *key);
                self.mops.push(Mop { key, action });
            }
        }
        self.txns.push(Txn {
            process: call.process(),
            start: call.start() as u32,
            end: call.end().map_or(NEVER, |end| end as u32),
            outcome: call.outcome(),
            mops: (first, self.mops.len() as u32),
        });
        debug_assert!(call.outcome() == Outcome::Ok || answered.is_none(), "only what happened is answered");
        Ok(())
    }

    /// What a micro-operation did; nothing for a read that was not answered.
    fn action(&self, f: ValueId, value: ValueId, answered: bool) -> Result<Option<Action>, String> {
        let ValueView::Text(f) = self.values.view(f) else {
            return Err(format!("{} is no function of {}", self.values.get(f), self.object.name()));
        };
        match (f, self.object) {
            ("r" | "read", _) if !answered => Ok(None),
            ("r" | "read", Object::List) => match self.values.view(value) {
                ValueView::List(_) | ValueView::Nil => Ok(Some(Action::ReadList(value))),
                _ => Err(format!("a read answers {}, which is no list", self.values.get(value))),
            },
            ("r" | "read", Object::Register) => Ok(Some(Action::Read(value))),
            ("append", Object::List) => Ok(Some(Action::Append(value))),
            ("w" | "write", Object::Register) => Ok(Some(Action::Write(value))),
            (f, object) => Err(format!("{} has no function {f:?}", object.name())),
        }
    }

    /// A key; of independent histories in one, with the history's own key before it.
    fn key(&mut self, part: Option<ValueId>, key: ValueId) -> u32 {
        let next = self.names.len() as u32;
        // No key is the greatest id there could be.
        let place = u64::from(part.map_or(u32::MAX, |part| part.0)) << 32 | u64::from(key.0);
        let number = *self.keys.entry(place).or_insert(next);
        if number == next {
            self.names.push(match part {
                Some(part) => Value::List(vec![self.values.get(part), self.values.get(key)]),
                None => self.values.get(key),
            });
        }
        number
    }
}
