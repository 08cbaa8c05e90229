//! Reads that wait: for their barrier to be confirmed, and then for its slot to be applied.

use super::{Origin, Service};
use crate::kv::{ClientResult, Command, DefiniteError, Reply, Txn};
use crate::paxos::Slot;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::str::FromStr;

/// How a leader answers transactions that only read. (Whoever is content with what one node has says so
/// in the request: [`ClientRequest::local`](crate::kv::ClientRequest::local).)
#[derive(Copy, Clone, Eq, PartialEq, Debug, Default)]
pub enum ReadMode {
    /// From the leader's state, once a quorum has confirmed that it leads still: linearizable, for a
    /// round trip and no write.
    #[default]
    Barrier,
    /// From the leader's state without asking, as long as its lease lasts, else by barrier:
    /// linearizable as long as clocks keep to the bound ([`crate::paxos::lease`]).
    Lease,
    /// Through a slot, like an update: linearizable whatever else may be wrong, for a write on every disk.
    Log,
}

impl ReadMode {
    /// All of them, by name.
    pub const NAMES: [(&'static str, ReadMode); 3] =
        [("barrier", ReadMode::Barrier), ("lease", ReadMode::Lease), ("log", ReadMode::Log)];
}

impl fmt::Display for ReadMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(ReadMode::NAMES.iter().find(|(_, mode)| mode == self).map_or("?", |(name, _)| name))
    }
}

impl FromStr for ReadMode {
    type Err = String;

    fn from_str(text: &str) -> Result<ReadMode, String> {
        let named = ReadMode::NAMES.iter().find(|(name, _)| *name == text);
        named.map(|(_, mode)| *mode).ok_or_else(|| format!("`{text}` is not `barrier`, `lease` or `log`"))
    }
}

/// Reads that may wait for their barrier.
pub const WAITING_READS_MAX: usize = 4096;

/// By the token under which the replica was asked for a barrier.
#[derive(Default, Debug)]
pub(super) struct Reads {
    waiting: BTreeMap<u64, (Origin, Txn)>,
    /// Tokens with a confirmed barrier, and its slot, in the order in which they were confirmed.
    confirmed: VecDeque<(u64, Slot)>,
}

impl Reads {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= WAITING_READS_MAX
    }

    pub(super) fn wait(&mut self, token: u64, origin: Origin, txn: Txn) {
        self.waiting.insert(token, (origin, txn));
    }

    /// Whoever led when these were asked for led still, with everything up to their slots chosen.
    pub(super) fn confirm(&mut self, barriers: impl IntoIterator<Item = (u64, Slot)>) {
        self.confirmed.extend(barriers);
    }

    /// The next one whose slot is applied.
    pub(super) fn take_ready(&mut self, applied: Slot) -> Option<(Origin, Txn)> {
        while let Some((token, slot)) = self.confirmed.front().copied()
            && slot <= applied
        {
            self.confirmed.pop_front();
            if let Some(read) = self.waiting.remove(&token) {
                return Some(read);
            }
        }
        None
    }

    /// Nothing will be confirmed any more: who waited in vain.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = Origin> + use<> {
        self.confirmed.clear();
        std::mem::take(&mut self.waiting).into_values().map(|(origin, _)| origin)
    }
}

impl Service {
    /// A read on a node that leads.
    pub(super) fn serve_read(&mut self, origin: Origin, txn: Txn) {
        if self.reads.is_full() {
            self.answer(origin, Slot::ZERO, ClientResult::Failed(DefiniteError::Overloaded));
            return;
        }
        let token = self.take_token();
        let asked = self.replica.read(token);
        assert!(asked, "a leader takes reads");
        self.reads.wait(token, origin, txn);
    }

    /// Somebody is content with what this node has: an answer from its state, labelled as that.
    pub(super) fn serve_local(&mut self, origin: Origin, command: &Command) {
        let (slot, result) = match command {
            Command::Execute { txn, .. } if txn.is_read_only() => {
                (self.kv.applied().slot, ClientResult::Stale(self.kv.read(txn)))
            }
            Command::Execute { .. } | Command::OpenSession { .. } => {
                (Slot::ZERO, ClientResult::Failed(DefiniteError::Malformed))
            }
        };
        self.answer(origin, slot, result);
    }

    /// Answers the reads that may be answered.
    pub(super) fn serve_reads(&mut self) {
        let applied = self.kv.applied().slot;
        while let Some((origin, txn)) = self.reads.take_ready(applied) {
            let outcome = Reply::Outcome(self.kv.read(&txn));
            self.answer(origin, applied, ClientResult::Reply(outcome));
        }
    }
}
