//! Reads that wait: for their barrier to be confirmed, and then for its slot to be applied.

use super::Origin;
use crate::kv::Txn;
use crate::paxos::Slot;
use std::collections::{BTreeMap, VecDeque};

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
