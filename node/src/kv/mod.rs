//! The state machine that the log replicates: keys that hold bytes, lists or integers, atomic
//! transactions over them, and sessions that make a retried request execute once.
//!
//! "Start in the same state, execute the same commands in the same order": a replica's state is a
//! function of the log alone. So there is no clock here but the stamp in each batch, no lot, no
//! order that depends on a hash, and every outcome is a value, even of a batch that nobody can
//! decode. A rolling hash over slots, values and replies witnesses it: replicas compare theirs at
//! equal slots, and one that differs stops loudly.
//!
//! [`command`](Command) is what can be asked and answered, [`client`](ClientRequest) how a client
//! wraps it, `codec` the bytes of both, `store` the transactions, `session` exactly-once,
//! `frozen` and `snapshot` how the state is written down while it goes on, `limits` how large
//! anything may be.

mod client;
mod codec;
mod command;
mod frozen;
mod hash;
mod limits;
mod session;
mod snapshot;
mod store;

pub use client::{ClientReply, ClientRequest, ClientResult, DefiniteError, UnknownReason};
pub use codec::CodecError;
pub use command::{
    AbortReason, Batch, Command, OpResult, Reply, RequestId, SessionId, Txn, TxnOp, TxnOutcome,
};
pub use limits::{
    HASHES_KEPT, MAX_BATCH_BYTES, MAX_BATCH_COMMANDS, MAX_COMMAND_BYTES, MAX_KEY_BYTES, MAX_LIST_BYTES,
    MAX_LIST_ITEMS, MAX_OUTCOME_BYTES, MAX_SESSIONS, MAX_TXN_OPS, MAX_VALUE_BYTES, SESSION_IDLE_MS,
};

pub use snapshot::{PIECE_BYTES, PIECE_BYTES_MAX, Restoring};

use crate::paxos::{AppliedHash, Slot, Value};
use codec::{Encode, Sink};
use hash::RollingHash;
use session::{Admission, Sessions};
use std::collections::VecDeque;
use store::Store;

/// One replica's state.
pub struct Kv {
    store: Store,
    sessions: Sessions,
    /// The latest batch stamp seen; a new leader's clock may be behind the old one's.
    now_ms: u64,
    /// The hash after each of the latest slots, one after the other; the last is the current one.
    hashes: VecDeque<AppliedHash>,
    /// The state that this one goes on from: a snapshot's, or nothing.
    origin: AppliedHash,
    /// The snapshot being taken.
    capture: Option<snapshot::Under>,
}

impl Default for Kv {
    fn default() -> Self {
        Kv::new()
    }
}

impl Kv {
    /// The state before slot 1: nothing in it.
    #[must_use]
    pub fn new() -> Kv {
        Kv {
            store: Store::default(),
            sessions: Sessions::default(),
            now_ms: 0,
            hashes: VecDeque::from([AppliedHash::default()]),
            origin: AppliedHash::default(),
            capture: None,
        }
    }

    /// Applies the value chosen for the next slot; one reply for each of its commands.
    ///
    /// # Errors
    /// If the value is no batch. The slot counts as applied all the same, as a no-op that left
    /// its mark in the hash: every replica fails alike, and stays equal.
    ///
    /// # Panics
    /// If the slot is not the one after the last: applied is a gap-free prefix of the log.
    pub fn apply(&mut self, slot: Slot, value: &Value) -> Result<Vec<Reply>, CodecError> {
        let applied = self.applied();
        assert!(
            slot == applied.slot.next(),
            "applied is a gap-free prefix: slot {slot} can't follow slot {}",
            applied.slot
        );
        if crate::mutant!(DedupInLeaderMemory) && *value == Value::Noop {
            self.sessions.open.values_mut().for_each(|session| session.reply = None);
        }
        let replies = match value {
            Value::Noop | Value::Configuration(_) => Ok(Vec::new()),
            Value::Batch(bytes) => Batch::decode(bytes.clone()).map(|batch| self.apply_batch(slot, &batch)),
        };
        self.hashes.push_back(AppliedHash { slot, hash: chain(applied.hash, slot, value, &replies) });
        if self.hashes.len() > HASHES_KEPT {
            self.hashes.pop_front();
        }
        replies
    }

    /// What a transaction that reads only says about the state as it is. Linearizable only after
    /// a read barrier.
    ///
    /// # Panics
    /// If the transaction could change anything.
    #[must_use]
    pub fn read(&self, txn: &Txn) -> TxnOutcome {
        self.store.read(txn)
    }

    /// The last slot applied, and the rolling hash after it.
    #[must_use]
    pub fn applied(&self) -> AppliedHash {
        *self.hashes.back().expect("starts with slot 0 and never empties")
    }

    /// The rolling hash after a slot, if that is among the last [`HASHES_KEPT`] applied.
    #[must_use]
    pub fn hash_at(&self, slot: Slot) -> Option<u64> {
        let first = self.hashes.front().expect("starts with slot 0 and never empties").slot;
        let offset = usize::try_from(slot.0.checked_sub(first.0)?).ok()?;
        self.hashes.get(offset).map(|applied| applied.hash)
    }

    /// The state that this one was restored from; slot 0 if from none.
    #[must_use]
    pub fn origin(&self) -> AppliedHash {
        self.origin
    }

    /// The latest stamp seen in a batch: cluster time, in milliseconds.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// How many sessions are open.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// As if cluster time were this.
    #[cfg(feature = "mutants")]
    pub(crate) fn expire_sessions(&mut self, now_ms: u64) {
        self.sessions.expire(now_ms);
    }

    fn apply_batch(&mut self, slot: Slot, batch: &Batch) -> Vec<Reply> {
        self.now_ms = self.now_ms.max(batch.time_ms);
        self.sessions.expire(self.now_ms);
        let commands = batch.commands.iter().zip(0..);
        commands.map(|(command, position)| self.apply_command(slot, position, command)).collect()
    }

    fn apply_command(&mut self, slot: Slot, position: u16, command: &Command) -> Reply {
        match command {
            Command::OpenSession { nonce: _ } => {
                let id = SessionId::new(slot, position);
                self.sessions.open(id, self.now_ms);
                Reply::SessionOpened(id)
            }
            Command::Execute { request: None, txn } => Reply::Outcome(self.store.execute(txn)),
            Command::Execute { request: Some(request), txn } => {
                match self.sessions.admit(*request, self.now_ms) {
                    Admission::Answered(reply) => reply,
                    Admission::Fresh => {
                        let reply = Reply::Outcome(self.store.execute(txn));
                        self.sessions.executed(*request, &reply);
                        reply
                    }
                }
            }
        }
    }
}

/// The hash after a slot, from the one before it and everything that slot did.
fn chain(before: u64, slot: Slot, value: &Value, replies: &Result<Vec<Reply>, CodecError>) -> u64 {
    let mut hash = RollingHash(before);
    hash.u64(slot.0);
    match value {
        Value::Noop => hash.u8(0),
        Value::Batch(bytes) => {
            hash.u8(1);
            hash.bytes(bytes);
        }
        Value::Configuration(configuration) => {
            hash.u8(2);
            hash.bytes(&configuration.encode());
        }
    }
    match replies {
        Ok(replies) => {
            hash.u8(1);
            hash.count(replies.len());
            for reply in replies {
                reply.encode(&mut hash);
            }
        }
        Err(_) => hash.u8(0),
    }
    hash.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    /// What can't be told apart from outside: equal values in equal slots whose replies differ.
    #[test]
    fn the_hash_covers_slot_value_and_replies() {
        let batch = |bytes: &'static [u8]| Value::Batch(Bytes::from_static(bytes));
        let replies = |reply: &[Reply]| Ok(reply.to_vec());
        let hashes = [
            chain(1, Slot(1), &Value::Noop, &replies(&[])),
            chain(2, Slot(1), &Value::Noop, &replies(&[])),
            chain(1, Slot(2), &Value::Noop, &replies(&[])),
            chain(1, Slot(1), &batch(b""), &replies(&[])),
            chain(1, Slot(1), &batch(b"x"), &replies(&[])),
            chain(1, Slot(1), &batch(b"x"), &replies(&[Reply::Superseded])),
            chain(1, Slot(1), &batch(b"x"), &replies(&[Reply::SessionExpired])),
            chain(1, Slot(1), &batch(b"x"), &Err(CodecError::Trailing { count: 1 })),
        ];
        for (place, hash) in hashes.iter().enumerate() {
            assert!(!hashes[..place].contains(hash), "{place}");
        }
    }
}
