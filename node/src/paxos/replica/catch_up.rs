//! Catching up: what is known to be chosen is learned from the leader's mark, or asked for.

use super::Replica;
use super::chunk::{CHUNK_SLOTS_MAX, chunk};
use crate::paxos::{Ballot, Lsn, Message, NodeId, Slot, SlotReport};

impl Replica {
    /// `from` leads `ballot` and knows everything up to `upto` to be chosen.
    pub(super) fn on_chosen_mark(&mut self, from: NodeId, ballot: Ballot, upto: Slot) {
        self.learner.learn_by_mark(ballot, upto, &self.acceptor, &mut self.journal);
        let lags = self.learner.chosen_upto() < upto;
        let waited = self.learn_asked_at.is_none_or(|at| self.now >= at + self.timing.retransmit_ticks);
        if lags && waited {
            self.ask_to_learn(from);
        }
    }

    pub(super) fn ask_to_learn(&mut self, from: NodeId) {
        self.learn_asked_at = Some(self.now);
        let first = self.learner.chosen_upto().next();
        self.send(from, Message::LearnRequest { from: first }, Lsn::ZERO);
    }

    pub(super) fn on_learn_request(&mut self, from: NodeId, first: Slot) {
        if first <= self.learner.base().slot {
            let slot = self.trimming.snapshot();
            self.send(from, Message::SnapshotOffer { slot }, Lsn::ZERO);
            return;
        }
        let chosen_upto = self.learner.chosen_upto();
        let known = self.learner.learned_from(first).take_while(|report| report.slot <= chosen_upto);
        let (slots, _) = chunk(known.take(CHUNK_SLOTS_MAX + 1));
        self.send(from, Message::LearnReply { slots, chosen_upto }, Lsn::ZERO);
    }

    pub(super) fn on_learn_reply(&mut self, from: NodeId, slots: &[SlotReport], chosen_upto: Slot) {
        let before = self.learner.chosen_upto();
        for report in slots {
            // Whoever knows a ballot above ours to have chosen something has a newer leader.
            self.see(report.ballot);
            self.learner.learn(report.slot, report.ballot, &report.value, &self.acceptor, &mut self.journal);
        }
        let after = self.learner.chosen_upto();
        if after == before {
            // A repetition: the answer to the last question may still be on its way.
            return;
        }
        self.learn_asked_at = None;
        if after < chosen_upto {
            self.ask_to_learn(from);
        }
    }
}
