//! Linearizable reads without writing: the quorum-confirmed barrier.
//!
//! A leader may have been replaced without knowing it, so before it answers a read from its own
//! state it asks a quorum: "have you promised anybody higher?" Each heartbeat carries a counter;
//! a read waits for a counter value that was first sent *after* the read arrived. If a quorum
//! answers it in this ballot, then no higher ballot had finished phase 1 when the read arrived,
//! so nothing was chosen that this leader doesn't know.
//!
//! The counter is one monotone number, not a map of request ids: an answer that is late,
//! repeated or out of order can only confirm what was asked before it (etcd #20418 reused an id
//! and let late acknowledgements confirm a newer read).
//!
//! With leases each heartbeat has a value of its own, and the moment at which it left is kept: the
//! highest value that a quorum has answered with a grant says until when the lease lasts
//! ([`super::lease`]). Reads need no round then.

use super::lease::LeaseTerms;
use super::{Configuration, LocalTime, NodeId, Slot};
use std::collections::{BTreeMap, VecDeque};

#[derive(Debug, Default)]
pub(crate) struct Reads {
    /// The last counter value sent to the followers.
    sent: u64,
    /// Highest value each follower has answered in this ballot.
    answered: BTreeMap<NodeId, u64>,
    /// Highest value each follower has answered with a grant.
    granted: BTreeMap<NodeId, u64>,
    /// When values left, those on which the lease may yet rest; `None`: at the end of this turn.
    left: VecDeque<(u64, Option<LocalTime>)>,
    /// The lease's terms; none where leases are not used.
    terms: LeaseTerms,
    /// Reads in order of arrival: token, the counter value that confirms it, and the slot that
    /// must be applied before it is served.
    waiting: VecDeque<(u64, u64, Slot)>,
}

impl Reads {
    /// No reads yet; with terms, leases are asked for.
    pub(crate) fn new(terms: LeaseTerms) -> Reads {
        Reads { terms, ..Reads::default() }
    }

    fn uses_leases(&self) -> bool {
        self.terms.term_us > 0
    }

    /// Takes a read in; it will be confirmed by the next counter value to be sent.
    pub(crate) fn ask(&mut self, token: u64, read_index: Slot) {
        let mut sequence = self.sent + 1;
        if crate::mutant!(ReadTokenReuse) && self.waiting.back().is_some_and(|read| read.1 == self.sent) {
            sequence = self.sent;
        }
        self.waiting.push_back((token, sequence, read_index));
    }

    /// Whether some read waits for a counter value that has not been sent.
    pub(crate) fn needs_round(&self) -> bool {
        self.waiting.back().is_some_and(|(_, sequence, _)| *sequence > self.sent)
    }

    /// The value to send now; starts a new round if some read needs one, or the lease does.
    pub(crate) fn sequence_to_send(&mut self) -> u64 {
        if self.needs_round() || self.uses_leases() {
            self.sent += 1;
        }
        if self.uses_leases() {
            self.left.push_back((self.sent, None));
        }
        self.sent
    }

    /// What was sent in this turn leaves after this moment.
    pub(crate) fn turn_ends(&mut self, now: LocalTime) {
        let unstamped = self.left.iter_mut().rev().take_while(|(_, left)| left.is_none());
        unstamped.for_each(|(_, left)| *left = Some(now));
    }

    /// A follower answered, in the leader's own ballot, and granted a lease for so long.
    pub(crate) fn answer(&mut self, from: NodeId, sequence: u64, granted_us: u64) {
        if sequence > self.sent {
            // Never asked: whoever says so is confused, and must not confirm what is yet to come.
            return;
        }
        let answered = self.answered.entry(from).or_default();
        *answered = (*answered).max(sequence);
        if self.uses_leases() && granted_us >= self.terms.term_us {
            let granted = self.granted.entry(from).or_default();
            *granted = (*granted).max(sequence);
        }
    }

    /// Whether the lease lasts at this moment, by the grants of a quorum; this node `own` grants itself
    /// what it asks for, as long as it leads.
    pub(crate) fn holds_lease(&mut self, configuration: &Configuration, own: NodeId, now: LocalTime) -> bool {
        if !self.uses_leases() {
            return false;
        }
        let granted = self.quorum_has(&self.granted, configuration, own);
        while self.left.front().is_some_and(|(sequence, _)| *sequence < granted) {
            self.left.pop_front();
        }
        match self.left.front() {
            Some((sequence, Some(left))) if *sequence == granted => now.0 < left.0 + self.terms.usable_us(),
            _ => false,
        }
    }

    /// All reads that wait, for they may be answered: token, and the slot to be applied first.
    pub(crate) fn take_all(&mut self) -> Vec<(u64, Slot)> {
        self.waiting.drain(..).map(|(token, _, slot)| (token, slot)).collect()
    }

    /// Reads that a quorum has confirmed, this node `own` included: token, and the slot to be applied
    /// first.
    pub(crate) fn take_confirmed(&mut self, configuration: &Configuration, own: NodeId) -> Vec<(u64, Slot)> {
        let mut ready = Vec::new();
        if self.waiting.is_empty() {
            return ready;
        }
        let confirmed = self.quorum_has(&self.answered, configuration, own);
        while let Some((token, sequence, slot)) = self.waiting.front().copied() {
            if sequence > confirmed && !crate::mutant!(ReadWithoutQuorum) {
                break;
            }
            self.waiting.pop_front();
            ready.push((token, slot));
        }
        ready
    }

    /// The highest counter value that a quorum, the leader itself included, has reached.
    fn quorum_has(&self, reached: &BTreeMap<NodeId, u64>, configuration: &Configuration, own: NodeId) -> u64 {
        let answer = |node| if node == own { self.sent } else { reached.get(&node).copied().unwrap_or(0) };
        let mut answers: Vec<u64> = configuration.voters().iter().map(answer).collect();
        answers.sort_unstable_by(|a, b| b.cmp(a));
        let enough = (1..=answers.len()).find(|votes| configuration.is_majority(*votes));
        enough.map_or(0, |votes| answers[votes - 1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEADER: NodeId = NodeId(1);

    fn cluster(nodes: u16) -> Configuration {
        Configuration::of(&(1..=nodes).map(NodeId).collect::<Vec<_>>())
    }

    #[test]
    fn late_and_repeated_answers_never_confirm_a_newer_read() {
        let mut reads = Reads::default();
        reads.ask(1, Slot(5));
        assert_eq!(reads.sequence_to_send(), 1);
        reads.ask(2, Slot(6));
        reads.answer(NodeId(2), 1, 0);
        reads.answer(NodeId(2), 1, 0);
        assert_eq!(
            reads.take_confirmed(&cluster(3), LEADER),
            [(1, Slot(5))],
            "one answer and the leader are a quorum of 3"
        );
        assert!(reads.needs_round());
        assert_eq!(reads.sequence_to_send(), 2);
        assert_eq!(reads.take_confirmed(&cluster(3), LEADER), []);
        reads.answer(NodeId(3), 2, 0);
        assert_eq!(reads.take_confirmed(&cluster(3), LEADER), [(2, Slot(6))]);
    }

    #[test]
    fn a_quorum_of_five_needs_two_others() {
        let mut reads = Reads::default();
        reads.ask(9, Slot(1));
        reads.sequence_to_send();
        reads.answer(NodeId(4), 1, 0);
        assert_eq!(reads.take_confirmed(&cluster(5), LEADER), []);
        reads.answer(NodeId(5), 1, 0);
        assert_eq!(reads.take_confirmed(&cluster(5), LEADER), [(9, Slot(1))]);
    }

    #[test]
    fn a_cluster_of_one_confirms_itself_once_asked() {
        let mut reads = Reads::default();
        reads.ask(1, Slot(0));
        reads.sequence_to_send();
        assert_eq!(reads.take_confirmed(&cluster(1), LEADER), [(1, Slot(0))]);
    }

    const TERMS: LeaseTerms = LeaseTerms { term_us: 100_000, drift_ppm: 0 };

    fn holds(reads: &mut Reads, nodes: u16, now: u64) -> bool {
        reads.holds_lease(&cluster(nodes), LEADER, LocalTime(now))
    }

    #[test]
    fn a_lease_counts_from_when_the_heartbeat_left() {
        let mut reads = Reads::new(TERMS);
        assert_eq!(reads.sequence_to_send(), 1);
        reads.turn_ends(LocalTime(1_000));
        assert!(!holds(&mut reads, 3, 1_000), "nobody has granted anything");
        assert_eq!(reads.sequence_to_send(), 2, "each heartbeat has its own number");
        reads.turn_ends(LocalTime(21_000));
        reads.answer(NodeId(2), 1, 100_000);
        assert!(holds(&mut reads, 3, 100_999));
        assert!(!holds(&mut reads, 3, 101_000), "counted from the first heartbeat, however late the answer");
        reads.answer(NodeId(2), 2, 100_000);
        assert!(holds(&mut reads, 3, 120_999));
        assert!(!holds(&mut reads, 3, 121_000));
    }

    #[test]
    fn a_lease_needs_a_quorums_grants_for_as_long_as_it_is_used() {
        let mut reads = Reads::new(TERMS);
        reads.sequence_to_send();
        reads.turn_ends(LocalTime(0));
        reads.answer(NodeId(2), 1, 100_000);
        reads.answer(NodeId(3), 1, 99_999);
        reads.answer(NodeId(4), 1, 0);
        reads.answer(NodeId(5), 2, 100_000);
        assert!(!holds(&mut reads, 5, 1), "a shorter grant is none, and none is due for what was not sent");
        reads.answer(NodeId(4), 1, 200_000);
        assert!(holds(&mut reads, 5, 1));
        let mut unasked = Reads::default();
        unasked.sequence_to_send();
        unasked.answer(NodeId(2), 0, 100_000);
        assert!(!holds(&mut unasked, 3, 1), "who does not use leases has none");
    }

    #[test]
    fn a_round_that_has_not_left_holds_no_lease() {
        let mut reads = Reads::new(TERMS);
        reads.sequence_to_send();
        assert!(!holds(&mut reads, 1, 0), "a cluster of one grants itself what it asks, once it has asked");
        reads.turn_ends(LocalTime(5));
        assert!(holds(&mut reads, 1, 100_004));
        assert!(!holds(&mut reads, 1, 100_005));
    }
}
