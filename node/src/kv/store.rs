//! Keys and what they hold, and transactions over them.
//!
//! What is stored is copied out of the batch that brought it: a small value must not keep a large
//! batch's bytes alive when the log that held them is trimmed.

use super::codec::{ByteCount, Encode};
use super::frozen::Frozen;
use super::limits::{MAX_LIST_BYTES, MAX_LIST_ITEMS, MAX_OUTCOME_BYTES};
use super::{AbortReason, OpResult, Txn, TxnOp, TxnOutcome};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};

/// What a key that is present holds.
#[derive(Clone, Eq, PartialEq, Debug)]
pub(super) enum Held {
    Bytes(Bytes),
    List(List),
    Integer(i64),
}

/// A list that knows its size. Grows at its end; shrinks at its front, and at its end where an append
/// is taken back.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub(super) struct List {
    pub(super) items: VecDeque<Bytes>,
    /// Encoded size of the items, each with its length prefix.
    bytes: usize,
}

/// How to take back one operation of a transaction that aborts.
enum Undo {
    /// The key held this before.
    Restore(Bytes, Option<Held>),
    /// The key's list, which existed before, got one element more. Taking that back costs the
    /// same however long the list is; a copy of the list would not.
    Shorten(Bytes),
    /// The key's list lost this first element. As cheap, for the same reason.
    PutBack(Bytes, Bytes),
}

/// The keys. Ordered, so that no walk over it depends on a hash function.
#[derive(Default, Debug)]
pub(super) struct Store {
    pub(super) keys: BTreeMap<Bytes, Held>,
    /// What a snapshot under way must still see as it was.
    pub(super) frozen: Option<Frozen>,
}

impl Store {
    /// All of the transaction, or nothing of it.
    pub(super) fn execute(&mut self, txn: &Txn) -> TxnOutcome {
        let mut undo = Vec::new();
        let mut results = Results::new(txn);
        for op in &txn.ops {
            let done = self.step(op, &mut undo).and_then(|result| results.push(result));
            if let Err(reason) = done {
                self.roll_back(undo);
                return results.abort(reason);
            }
        }
        TxnOutcome::Done(results.done)
    }

    /// A transaction that reads only.
    pub(super) fn read(&self, txn: &Txn) -> TxnOutcome {
        let mut results = Results::new(txn);
        for op in &txn.ops {
            let TxnOp::Get { key } = op else {
                panic!("a read must change nothing, but was asked for {op:?}")
            };
            if let Err(reason) = results.push(self.get(key)) {
                return results.abort(reason);
            }
        }
        TxnOutcome::Done(results.done)
    }

    fn step(&mut self, op: &TxnOp, undo: &mut Vec<Undo>) -> Result<OpResult, AbortReason> {
        match op {
            TxnOp::Get { key } => return Ok(self.get(key)),
            TxnOp::Put { key, value } => self.replace(key, Some(Held::Bytes(own(value))), undo),
            TxnOp::Cas { key, expect, value } => {
                let found = match self.keys.get(key) {
                    None => None,
                    Some(Held::Bytes(found)) => Some(found),
                    Some(Held::List(_) | Held::Integer(_)) => return Err(AbortReason::WrongType),
                };
                if found != expect.as_ref() {
                    return Err(AbortReason::CasMismatch);
                }
                self.replace(key, Some(Held::Bytes(own(value))), undo);
            }
            TxnOp::Append { key, value } => self.append(key, value, undo)?,
            TxnOp::Pop { key } => return self.pop(key, undo),
            TxnOp::Add { key, delta } => {
                let sum = self.sum(key, *delta)?;
                self.replace(key, Some(Held::Integer(sum)), undo);
                return Ok(OpResult::Integer(sum));
            }
            TxnOp::Delete { key } => self.replace(key, None, undo),
        }
        Ok(OpResult::Done)
    }

    fn get(&self, key: &Bytes) -> OpResult {
        match self.keys.get(key) {
            None => OpResult::Value(None),
            Some(Held::Bytes(value)) => OpResult::Value(Some(value.clone())),
            Some(Held::List(list)) => OpResult::List(list.items.iter().cloned().collect()),
            Some(Held::Integer(value)) => OpResult::Integer(*value),
        }
    }

    fn replace(&mut self, key: &Bytes, held: Option<Held>, undo: &mut Vec<Undo>) {
        self.keep(key);
        let before = self.set(key.clone(), held);
        undo.push(Undo::Restore(key.clone(), before));
    }

    /// This key is about to change, or to be taken back to what it was: a snapshot under way that
    /// has not come to it yet remembers what it holds.
    fn keep(&mut self, key: &Bytes) {
        if let Some(frozen) = &mut self.frozen {
            frozen.keep(key, &self.keys);
        }
    }

    fn set(&mut self, key: Bytes, held: Option<Held>) -> Option<Held> {
        let Some(held) = held else { return self.keys.remove(&key) };
        match self.keys.get_mut(&key) {
            Some(place) => Some(std::mem::replace(place, held)),
            None => self.keys.insert(own(&key), held),
        }
    }

    fn append(&mut self, key: &Bytes, value: &Bytes, undo: &mut Vec<Undo>) -> Result<(), AbortReason> {
        self.keep(key);
        match self.keys.get_mut(key) {
            None => {
                let mut list = List::default();
                list.push(value)?;
                self.replace(key, Some(Held::List(list)), undo);
            }
            Some(Held::List(list)) => {
                list.push(value)?;
                undo.push(Undo::Shorten(key.clone()));
            }
            Some(Held::Bytes(_) | Held::Integer(_)) => return Err(AbortReason::WrongType),
        }
        Ok(())
    }

    fn pop(&mut self, key: &Bytes, undo: &mut Vec<Undo>) -> Result<OpResult, AbortReason> {
        self.keep(key);
        let first = match self.keys.get_mut(key) {
            None => None,
            Some(Held::List(list)) => list.pop_front(),
            Some(Held::Bytes(_) | Held::Integer(_)) => return Err(AbortReason::WrongType),
        };
        undo.extend(first.iter().map(|first| Undo::PutBack(key.clone(), first.clone())));
        Ok(OpResult::Value(first))
    }

    fn sum(&self, key: &Bytes, delta: i64) -> Result<i64, AbortReason> {
        match self.keys.get(key) {
            None => Ok(delta),
            Some(Held::Integer(value)) => value.checked_add(delta).ok_or(AbortReason::Overflow),
            Some(Held::Bytes(_) | Held::List(_)) => Err(AbortReason::WrongType),
        }
    }

    fn roll_back(&mut self, undo: Vec<Undo>) {
        for step in undo.into_iter().rev() {
            match step {
                Undo::Restore(key, before) => drop(self.set(key, before)),
                Undo::Shorten(key) => self.list_again(&key).take_back(),
                Undo::PutBack(key, first) => self.list_again(&key).push_front(first),
            }
        }
    }

    /// The list that a step of the transaction being rolled back found here.
    fn list_again(&mut self, key: &Bytes) -> &mut List {
        match self.keys.get_mut(key) {
            Some(Held::List(list)) => list,
            other => panic!("only lists grow and shrink by elements, yet {key:?} holds {other:?}"),
        }
    }
}

/// The same bytes in a buffer of their own.
fn own(bytes: &Bytes) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

impl List {
    pub(super) fn push(&mut self, item: &Bytes) -> Result<(), AbortReason> {
        let bytes = self.bytes + Self::size(item);
        if bytes > MAX_LIST_BYTES || self.items.len() == MAX_LIST_ITEMS {
            return Err(AbortReason::TooLarge);
        }
        self.bytes = bytes;
        self.items.push_back(own(item));
        Ok(())
    }

    fn pop_front(&mut self) -> Option<Bytes> {
        let item = self.items.pop_front()?;
        self.bytes -= Self::size(&item);
        Some(item)
    }

    fn take_back(&mut self) {
        let item = self.items.pop_back().expect("undo takes away only what an append added");
        self.bytes -= Self::size(&item);
    }

    /// What was there before: no limit can be in its way.
    fn push_front(&mut self, item: Bytes) {
        self.bytes += Self::size(&item);
        self.items.push_front(item);
    }

    fn size(item: &Bytes) -> usize {
        4 + item.len()
    }
}

/// Results so far, and how many bytes of reply they make.
struct Results {
    done: Vec<OpResult>,
    bytes: usize,
}

impl Results {
    fn new(txn: &Txn) -> Self {
        let mut bytes = ByteCount::default();
        TxnOutcome::Done(Vec::new()).encode(&mut bytes);
        Results { done: Vec::with_capacity(txn.ops.len()), bytes: bytes.total() }
    }

    fn push(&mut self, result: OpResult) -> Result<(), AbortReason> {
        let mut bytes = ByteCount::default();
        result.encode(&mut bytes);
        self.bytes += bytes.total();
        if self.bytes > MAX_OUTCOME_BYTES {
            return Err(AbortReason::TooLarge);
        }
        self.done.push(result);
        Ok(())
    }

    /// The operation that was to give the next result refused.
    fn abort(&self, reason: AbortReason) -> TxnOutcome {
        let op = u16::try_from(self.done.len()).expect("a transaction's operations are far fewer");
        TxnOutcome::Aborted { op, reason }
    }
}
