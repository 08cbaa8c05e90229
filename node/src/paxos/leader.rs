//! Phase 2: the leader of one ballot counts votes.
//!
//! A vote is counted per slot, in this ballot only, per node only once, and only when it is
//! durable where it was cast; the leader's own vote is no exception. Its disk write runs in
//! parallel with the followers'.

use super::candidate::Candidate;
use super::reads::Reads;
use super::{Ballot, Configuration, Lsn, NodeId, NodeSet, Slot};
use std::collections::{BTreeMap, VecDeque};

#[derive(Debug)]
pub(crate) struct Leader {
    pub(crate) ballot: Ballot,
    /// The promises that it stands on, and what came with them for slots not yet proposed in.
    pub(crate) phase1: Candidate,
    /// The next slot to propose in.
    pub(crate) next: Slot,
    /// The first slot of this ballot's own: once it is chosen, everything chosen in earlier
    /// ballots is known here, and reads may be served. None until the take-over has come that far.
    pub(crate) barrier: Option<Slot>,
    pub(crate) reads: Reads,
    votes: BTreeMap<Slot, Ballots>,
    /// Own acceptances on their way to the disk, with the ballot they were made in: a completion
    /// must never be credited to whatever ballot happens to be current when it arrives.
    own_pending: VecDeque<(Lsn, Slot, Ballot)>,
    /// When each other node last answered anything in this ballot, and how far it has learned.
    heard: BTreeMap<NodeId, (u64, Slot)>,
    /// When this leadership began: who has answered nothing yet is given as much time from there.
    began_at: u64,
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
    /// The leader whom these promises make; it goes on with slot `next`, and behaves as if it had heard
    /// everybody at `heard`. `reads` have none waiting.
    pub(crate) fn new(phase1: Candidate, next: Slot, heard: u64, reads: Reads) -> Leader {
        Leader {
            ballot: phase1.ballot,
            phase1,
            next,
            barrier: None,
            reads,
            votes: BTreeMap::new(),
            own_pending: VecDeque::new(),
            heard: BTreeMap::new(),
            began_at: heard,
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
    pub(crate) fn vote(&mut self, from: NodeId, slot: Slot, configuration: &Configuration) -> bool {
        let Some(ballots) = self.votes.get_mut(&slot) else { return false };
        let again = !ballots.voters.insert(from);
        let mut votes = configuration.votes(ballots.voters);
        if crate::mutant!(DuplicateVoteCounted) && again {
            votes += 1;
        }
        let chosen = configuration.is_majority(votes);
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

    /// A node answered; if it said how far it has learned, that is remembered.
    pub(crate) fn hear(&mut self, from: NodeId, learned: Option<Slot>, now: u64) {
        let heard = self.heard.entry(from).or_default();
        *heard = (now, learned.unwrap_or(heard.1));
    }

    /// How far a node has learned, as far as it has told this leader.
    pub(crate) fn learned_by(&self, node: NodeId) -> Slot {
        self.heard.get(&node).map_or(Slot::ZERO, |(_, learned)| *learned)
    }

    /// Whether a quorum, this node included, has answered within the last `ticks`.
    pub(crate) fn hears_quorum(
        &self,
        now: u64,
        ticks: u64,
        configuration: &Configuration,
        own: NodeId,
    ) -> bool {
        let mut heard = configuration.voters();
        for node in configuration.voters().iter().filter(|node| *node != own) {
            let at = self.heard.get(&node).map_or(self.began_at, |(at, _)| *at);
            if at + ticks < now {
                heard.remove(node);
            }
        }
        configuration.has_majority(heard)
    }
}
