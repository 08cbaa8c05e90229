//! Phase 2: the leader of one ballot counts votes.
//!
//! A vote is counted per slot, in this ballot only, per node only once, and only when it is
//! durable where it was cast; the leader's own vote is no exception. Its disk write runs in
//! parallel with the followers'.

use super::reads::Reads;
use super::{Ballot, Lsn, NodeId, NodeSet, Slot, majority};
use std::collections::{BTreeMap, VecDeque};

#[derive(Debug)]
pub(crate) struct Leader {
    pub(crate) ballot: Ballot,
    /// The next free slot.
    pub(crate) next: Slot,
    /// The first slot of this ballot's own: once it is chosen, everything chosen in earlier
    /// ballots is known here, and reads may be served.
    pub(crate) barrier: Slot,
    pub(crate) reads: Reads,
    votes: BTreeMap<Slot, Ballots>,
    /// Own acceptances on their way to the disk, with the ballot they were made in: a completion
    /// must never be credited to whatever ballot happens to be current when it arrives.
    own_pending: VecDeque<(Lsn, Slot, Ballot)>,
    /// When each follower last answered anything in this ballot.
    heard_at: BTreeMap<NodeId, u64>,
    pub(crate) heartbeat_at: u64,
}

/// Votes for one slot.
#[derive(Debug)]
struct Ballots {
    voters: NodeSet,
    /// When the proposal was last sent.
    sent_at: u64,
}

impl Leader {
    /// A leader that behaves as if it had heard everybody at `heard`.
    pub(crate) fn new(ballot: Ballot, barrier: Slot, first: Slot, others: &[NodeId], heard: u64) -> Leader {
        Leader {
            ballot,
            next: first,
            barrier,
            reads: Reads::default(),
            votes: BTreeMap::new(),
            own_pending: VecDeque::new(),
            heard_at: others.iter().map(|node| (*node, heard)).collect(),
            heartbeat_at: 0,
        }
    }

    /// A proposal was made in `slot`; this node's acceptance of it is record `own`.
    pub(crate) fn proposed(&mut self, slot: Slot, own: Lsn, now: u64) {
        self.votes.insert(slot, Ballots { voters: NodeSet::EMPTY, sent_at: now });
        self.own_pending.push_back((own, slot, self.ballot));
    }

    /// Own acceptances that the disk has confirmed.
    pub(crate) fn take_durable(&mut self, durable: Lsn) -> Vec<(Slot, Ballot)> {
        let mut confirmed = Vec::new();
        while let Some((lsn, slot, ballot)) = self.own_pending.front().copied() {
            if lsn > durable {
                break;
            }
            self.own_pending.pop_front();
            confirmed.push((slot, ballot));
        }
        confirmed
    }

    /// Counts a vote; `true` when the slot is thereby chosen.
    pub(crate) fn vote(&mut self, from: NodeId, slot: Slot, nodes: usize) -> bool {
        let Some(ballots) = self.votes.get_mut(&slot) else { return false };
        let again = !ballots.voters.insert(from);
        let mut votes = ballots.voters.len();
        if crate::mutant!(DuplicateVoteCounted) && again {
            votes += 1;
        }
        let chosen = votes >= majority(nodes);
        if chosen {
            self.votes.remove(&slot);
        }
        chosen
    }

    /// Slots proposed but not yet known to be chosen.
    pub(crate) fn in_flight(&self) -> usize {
        self.votes.len()
    }

    /// Everything up to here is known to be chosen, whoever counted the votes.
    pub(crate) fn forget_upto(&mut self, slot: Slot) {
        while self.votes.first_key_value().is_some_and(|(first, _)| *first <= slot) {
            self.votes.pop_first();
        }
    }

    /// Proposals to be sent again, each to those who have not voted; marks them as sent.
    pub(crate) fn take_overdue(&mut self, now: u64, after_ticks: u64) -> Vec<(Slot, NodeSet)> {
        /// A few of the oldest are enough: they hold up all others.
        const SLOTS_PER_ROUND_MAX: usize = 16;
        let overdue = |ballots: &&mut Ballots| now >= ballots.sent_at + after_ticks;
        let mut again = Vec::new();
        for (slot, ballots) in self.votes.iter_mut().take(SLOTS_PER_ROUND_MAX) {
            if overdue(&ballots) {
                ballots.sent_at = now;
                again.push((*slot, ballots.voters));
            }
        }
        again
    }

    pub(crate) fn hear(&mut self, from: NodeId, now: u64) {
        self.heard_at.insert(from, now);
    }

    /// Whether a quorum, this node included, has answered within the last `ticks`.
    pub(crate) fn hears_quorum(&self, now: u64, ticks: u64, nodes: usize) -> bool {
        let heard = self.heard_at.values().filter(|at| **at + ticks >= now).count();
        heard + 1 >= majority(nodes)
    }
}
