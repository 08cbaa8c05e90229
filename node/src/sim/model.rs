//! The state machine again, as simply as possible, to compare the real one with.

use super::oracle::Place;
use crate::kv::{AbortReason, Command, OpResult, RequestId, SessionId, Txn, TxnOp, TxnOutcome};
use crate::paxos::Slot;
use bytes::Bytes;
use std::collections::BTreeMap;

/// The state machine again, as simply as possible.
#[derive(Default, Debug)]
pub struct Model {
    keys: BTreeMap<Bytes, Held>,
    latest: BTreeMap<SessionId, u64>,
    /// Requests executed: where, and with what result.
    pub(super) executed: BTreeMap<RequestId, (Place, TxnOutcome)>,
}

#[derive(Clone, Debug)]
enum Held {
    Bytes(Bytes),
    List(Vec<Bytes>),
    Integer(i64),
}

impl Model {
    /// What a key holds, as a read would say.
    #[must_use]
    pub fn get(&self, key: &Bytes) -> OpResult {
        match self.keys.get(key) {
            None => OpResult::Value(None),
            Some(Held::Bytes(bytes)) => OpResult::Value(Some(bytes.clone())),
            Some(Held::List(items)) => OpResult::List(items.clone()),
            Some(Held::Integer(number)) => OpResult::Integer(*number),
        }
    }

    /// Executes a command; `false` if it is one that may not execute (again).
    pub(super) fn execute(&mut self, slot: Slot, position: usize, command: &Command) -> bool {
        match command {
            Command::OpenSession { .. } => {
                let position = u16::try_from(position).expect("a batch is shorter");
                self.latest.insert(SessionId::new(slot, position), 0);
            }
            Command::Execute { request: None, txn } => {
                self.transact(txn);
            }
            Command::Execute { request: Some(request), txn } => {
                match self.latest.get_mut(&request.session) {
                    Some(latest) if *latest < request.sequence => *latest = request.sequence,
                    Some(_) | None => return false,
                }
                let outcome = self.transact(txn);
                self.executed.insert(*request, ((slot, position), outcome));
            }
        }
        true
    }

    fn transact(&mut self, txn: &Txn) -> TxnOutcome {
        // A single operation that refuses has changed nothing.
        let before = (txn.ops.len() > 1).then(|| self.keys.clone());
        let mut results = Vec::new();
        for (op, position) in txn.ops.iter().zip(0..) {
            match self.operate(op) {
                Ok(result) => results.push(result),
                Err(reason) => {
                    if let Some(before) = before {
                        self.keys = before;
                    }
                    return TxnOutcome::Aborted { op: position, reason };
                }
            }
        }
        TxnOutcome::Done(results)
    }

    fn operate(&mut self, op: &TxnOp) -> Result<OpResult, AbortReason> {
        let held = self.keys.get_mut(op.key());
        let result = match (op, held) {
            (TxnOp::Get { key }, _) => return Ok(self.get(key)),
            (TxnOp::Put { key, value }, _) => {
                self.keys.insert(key.clone(), Held::Bytes(value.clone()));
                OpResult::Done
            }
            (TxnOp::Cas { key, expect, value }, held) => {
                let matches = match (&held, expect) {
                    (None, None) => true,
                    (Some(Held::Bytes(bytes)), Some(expect)) => bytes == expect,
                    (Some(Held::List(_) | Held::Integer(_)), _) => return Err(AbortReason::WrongType),
                    (None, Some(_)) | (Some(Held::Bytes(_)), None) => false,
                };
                if !matches {
                    return Err(AbortReason::CasMismatch);
                }
                self.keys.insert(key.clone(), Held::Bytes(value.clone()));
                OpResult::Done
            }
            (TxnOp::Append { value, .. }, Some(Held::List(items))) => {
                items.push(value.clone());
                OpResult::Done
            }
            (TxnOp::Append { key, value }, None) => {
                self.keys.insert(key.clone(), Held::List(vec![value.clone()]));
                OpResult::Done
            }
            (TxnOp::Add { delta, .. }, Some(Held::Integer(number))) => {
                *number = number.checked_add(*delta).ok_or(AbortReason::Overflow)?;
                OpResult::Integer(*number)
            }
            (TxnOp::Add { key, delta }, None) => {
                self.keys.insert(key.clone(), Held::Integer(*delta));
                OpResult::Integer(*delta)
            }
            (TxnOp::Pop { .. }, Some(Held::List(items))) => {
                let first = (!items.is_empty()).then(|| items.remove(0));
                return Ok(OpResult::Value(first));
            }
            (TxnOp::Pop { .. }, None) => OpResult::Value(None),
            (TxnOp::Append { .. } | TxnOp::Pop { .. } | TxnOp::Add { .. }, Some(_)) => {
                return Err(AbortReason::WrongType);
            }
            (TxnOp::Delete { key }, _) => {
                self.keys.remove(key);
                OpResult::Done
            }
        };
        Ok(result)
    }
}
