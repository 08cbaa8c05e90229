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

use super::{Configuration, NodeId, Slot};
use std::collections::{BTreeMap, VecDeque};

#[derive(Debug, Default)]
pub(crate) struct Reads {
    /// The last counter value sent to the followers.
    sent: u64,
    /// Highest value each follower has answered in this ballot.
    answered: BTreeMap<NodeId, u64>,
    /// Reads in order of arrival: token, the counter value that confirms it, and the slot that
    /// must be applied before it is served.
    waiting: VecDeque<(u64, u64, Slot)>,
}

impl Reads {
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

    /// The value to send now; starts a new round if some read needs one.
    pub(crate) fn sequence_to_send(&mut self) -> u64 {
        if self.needs_round() {
            self.sent += 1;
        }
        self.sent
    }

    /// A follower answered, in the leader's own ballot.
    pub(crate) fn answer(&mut self, from: NodeId, sequence: u64) {
        if sequence > self.sent {
            // Never asked: whoever says so is confused, and must not confirm what is yet to come.
            return;
        }
        let answered = self.answered.entry(from).or_default();
        *answered = (*answered).max(sequence);
    }

    /// Reads that a quorum has confirmed, this node `own` included: token, and the slot to be applied
    /// first.
    pub(crate) fn take_confirmed(&mut self, configuration: &Configuration, own: NodeId) -> Vec<(u64, Slot)> {
        let confirmed = self.confirmed(configuration, own);
        let mut ready = Vec::new();
        while let Some((token, sequence, slot)) = self.waiting.front().copied() {
            if sequence > confirmed && !crate::mutant!(ReadWithoutQuorum) {
                break;
            }
            self.waiting.pop_front();
            ready.push((token, slot));
        }
        ready
    }

    /// The highest counter value that a quorum, the leader itself included, has answered.
    fn confirmed(&self, configuration: &Configuration, own: NodeId) -> u64 {
        let answer =
            |node| if node == own { self.sent } else { self.answered.get(&node).copied().unwrap_or(0) };
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
        reads.answer(NodeId(2), 1);
        reads.answer(NodeId(2), 1);
        assert_eq!(
            reads.take_confirmed(&cluster(3), LEADER),
            [(1, Slot(5))],
            "one answer and the leader are a quorum of 3"
        );
        assert!(reads.needs_round());
        assert_eq!(reads.sequence_to_send(), 2);
        assert_eq!(reads.take_confirmed(&cluster(3), LEADER), []);
        reads.answer(NodeId(3), 2);
        assert_eq!(reads.take_confirmed(&cluster(3), LEADER), [(2, Slot(6))]);
    }

    #[test]
    fn a_quorum_of_five_needs_two_others() {
        let mut reads = Reads::default();
        reads.ask(9, Slot(1));
        reads.sequence_to_send();
        reads.answer(NodeId(4), 1);
        assert_eq!(reads.take_confirmed(&cluster(5), LEADER), []);
        reads.answer(NodeId(5), 1);
        assert_eq!(reads.take_confirmed(&cluster(5), LEADER), [(9, Slot(1))]);
    }

    #[test]
    fn a_cluster_of_one_confirms_itself_once_asked() {
        let mut reads = Reads::default();
        reads.ask(1, Slot(0));
        reads.sequence_to_send();
        assert_eq!(reads.take_confirmed(&cluster(1), LEADER), [(1, Slot(0))]);
    }
}
