//! What clients asked and were told, in one order: all that a judge may know.

use super::trace::Show;
use crate::kv::{RequestId, Txn, TxnOutcome};
use crate::paxos::Slot;
use std::fmt;

/// One transaction, from a client's side.
#[derive(Clone, Debug)]
pub struct Call {
    /// Who asked.
    pub client: u32,
    /// For what.
    pub txn: Txn,
    /// Under which name; reads need none.
    pub request: Option<RequestId>,
    /// When, as a position in the history.
    pub invoked: u64,
    /// What came of it, and when, as a position in the history.
    pub completed: Option<(u64, Told)>,
}

/// How a call ended for its client.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum Told {
    /// It happened; this came out, decided by this slot.
    Ok(Slot, TxnOutcome),
    /// It was answered with what a node had, after this slot, which others may have passed.
    Stale(Slot, TxnOutcome),
    /// It did not happen, and never will.
    Failed,
    /// It may have happened, or may yet happen.
    Unknown,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Told::Ok(slot, outcome) => write!(f, "ok, {} at {slot:?}", Show(outcome)),
            Told::Stale(slot, outcome) => write!(f, "perhaps stale, {} at {slot:?}", Show(outcome)),
            Told::Failed => f.write_str("failed"),
            Told::Unknown => f.write_str("unknown"),
        }
    }
}

/// All calls, in the order of their invocation.
#[derive(Clone, Debug, Default)]
pub struct History {
    calls: Vec<Call>,
    positions: u64,
}

impl History {
    /// A client asks; returns the call's index.
    pub fn invoke(&mut self, client: u32, txn: Txn, request: Option<RequestId>) -> usize {
        let invoked = self.next_position();
        self.calls.push(Call { client, txn, request, invoked, completed: None });
        self.calls.len() - 1
    }

    /// A client is told, or gives up.
    ///
    /// # Panics
    /// If the call has ended before.
    pub fn complete(&mut self, call: usize, told: Told) {
        let position = self.next_position();
        let before = self.calls[call].completed.replace((position, told));
        assert!(before.is_none(), "a call ends once");
    }

    /// All calls, in the order of their invocation.
    #[must_use]
    pub fn calls(&self) -> &[Call] {
        &self.calls
    }

    /// How many calls ended well, failed, and ended in doubt (or not at all).
    #[must_use]
    pub fn counts(&self) -> (u64, u64, u64) {
        let mut counts = (0, 0, 0);
        for call in &self.calls {
            match &call.completed {
                Some((_, Told::Ok(..) | Told::Stale(..))) => counts.0 += 1,
                Some((_, Told::Failed)) => counts.1 += 1,
                Some((_, Told::Unknown)) | None => counts.2 += 1,
            }
        }
        counts
    }

    fn next_position(&mut self) -> u64 {
        self.positions += 1;
        self.positions
    }
}
