//! What a node's log holds, as its trace tells: written, durable, and after a restart what came back.

use super::rank::Rank;
use paxos_node::paxos::{Lsn, Slot};
use paxos_node::trace::{Entry, Holding, ValueId};
use std::collections::BTreeMap;

/// An acceptance.
#[derive(Copy, Clone, Debug)]
pub(super) struct Vote {
    pub(super) ballot: paxos_node::paxos::Ballot,
    pub(super) value: ValueId,
    pub(super) lsn: Lsn,
}

impl Vote {
    pub(super) fn rank(&self) -> Rank {
        Rank::of(self.ballot)
    }
}

/// One node's log.
#[derive(Default)]
pub(super) struct Log {
    entries: Vec<Entry>,
    durable: Lsn,
    /// The highest ballot that binds the node, and as far as its disk knows.
    promised: Rank,
    promised_durably: Rank,
    /// Ballots of its own, with where they stand.
    used: BTreeMap<Rank, Lsn>,
    /// Everything it accepted, by slot, in the order of the log.
    votes: BTreeMap<Slot, Vec<Vote>>,
    /// What it was told to be chosen, and wrote down.
    learned: BTreeMap<Slot, ValueId>,
}

impl Log {
    /// The last record.
    pub(super) fn written(&self) -> Lsn {
        Lsn(self.entries.len() as u64)
    }

    pub(super) fn durable(&self) -> Lsn {
        self.durable
    }

    pub(super) fn promised(&self) -> Rank {
        self.promised
    }

    pub(super) fn promised_durably(&self) -> Rank {
        self.promised_durably
    }

    pub(super) fn has_used(&self, ballot: Rank) -> bool {
        self.used.contains_key(&ballot)
    }

    pub(super) fn has_used_durably(&self, ballot: Rank) -> bool {
        self.used.get(&ballot).is_some_and(|lsn| *lsn <= self.durable)
    }

    /// What it accepted in a slot.
    pub(super) fn votes(&self, slot: Slot) -> &[Vote] {
        self.votes.get(&slot).map_or(&[], Vec::as_slice)
    }

    /// Its acceptance in a slot and ballot.
    pub(super) fn vote(&self, slot: Slot, ballot: Rank) -> Option<&Vote> {
        self.votes(slot).iter().find(|vote| vote.rank() == ballot)
    }

    pub(super) fn votes_from(&self, from: Slot) -> impl Iterator<Item = (Slot, &[Vote])> {
        self.votes.range(from..).map(|(slot, votes)| (*slot, votes.as_slice()))
    }

    pub(super) fn learned(&self, slot: Slot) -> Option<ValueId> {
        self.learned.get(&slot).copied()
    }

    /// What it must take itself to hold after a restart that began with a snapshot of `base`.
    pub(super) fn holding(&self, base: Slot) -> Holding {
        let mut holding = Holding::default();
        for (slot, votes) in self.votes.range(base.next()..) {
            if let Some(last) = votes.last() {
                holding.add(*slot, last.ballot, last.value);
            }
        }
        holding
    }

    /// Another record.
    pub(super) fn write(&mut self, entry: Entry) {
        self.entries.push(entry);
        let lsn = self.written();
        match entry {
            Entry::BallotUsed(ballot) => _ = self.used.insert(Rank::of(ballot), lsn),
            Entry::Promised(ballot) => self.promised = self.promised.max(Rank::of(ballot)),
            Entry::Accepted { slot, ballot, value } => {
                self.promised = self.promised.max(Rank::of(ballot));
                self.votes.entry(slot).or_default().push(Vote { ballot, value, lsn });
            }
            Entry::Learned { slot, value, .. } => _ = self.learned.insert(slot, value),
            // What is said again is in `votes` already, from where it was said first.
            Entry::ChosenUpto(_) | Entry::Checkpoint { .. } | Entry::Kept { .. } | Entry::Founding => {}
        }
    }

    /// The disk confirmed everything up to `lsn`: what is newly durable.
    pub(super) fn confirm(&mut self, lsn: Lsn) -> &[Entry] {
        let before = index(self.durable);
        self.durable = self.durable.max(lsn.min(self.written()));
        let confirmed = &self.entries[before..index(self.durable)];
        for entry in confirmed {
            if let Entry::Promised(ballot) | Entry::Accepted { ballot, .. } = entry {
                self.promised_durably = self.promised_durably.max(Rank::of(*ballot));
            }
        }
        confirmed
    }

    /// A restart gave back this many records, all of them durable from now on. Returns those that
    /// had not been known to be.
    pub(super) fn restart(&mut self, records: Lsn) -> Vec<Entry> {
        let already = index(self.durable.min(records));
        let mut kept = std::mem::take(&mut self.entries);
        kept.truncate(index(records));
        *self = Log::default();
        for entry in &kept {
            self.write(*entry);
        }
        self.confirm(records);
        kept.split_off(already)
    }
}

fn index(lsn: Lsn) -> usize {
    // Never above the number of records in memory.
    usize::try_from(lsn.0).unwrap_or(usize::MAX)
}
