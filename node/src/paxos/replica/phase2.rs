//! Phase 2: the leader proposes, the others accept, and a quorum of votes chooses.

use super::{Replica, Role};
use crate::paxos::{Ballot, Lsn, Message, NodeId, Slot, Value};

impl Replica {
    pub(super) fn propose_in(&mut self, slot: Slot, value: Value) {
        let Role::Leader(leader) = &mut self.role else { unreachable!("only a leader proposes") };
        let ballot = leader.ballot;
        let mut votes_at_once = false;
        if crate::mutant!(StaleDiskCompletion) {
            let held = self.acceptor.accepted(slot).filter(|held| held.value == value);
            votes_at_once = held.is_some_and(|held| held.lsn <= self.journal.durable());
        }
        let own = match self.acceptor.accept(ballot, slot, &value, &mut self.journal) {
            Ok(lsn) => lsn,
            Err(refused) => unreachable!("a leader stands down when it promises {}", refused.promised),
        };
        leader.proposed(slot, own, self.now);
        if votes_at_once || crate::mutant!(SelfVoteBeforeDurable) {
            self.count_vote(self.id, ballot, slot);
        }
        let chosen_upto = self.learner.chosen_upto();
        for to in self.other_voters_in(slot) {
            let value = value.clone();
            // Needs no disk: the ballot is durable, and the leader's vote is counted apart.
            self.send(to, Message::Accept { ballot, slot, value, chosen_upto }, Lsn::ZERO);
        }
    }

    pub(super) fn retransmit_accepts(&mut self) {
        let Role::Leader(leader) = &mut self.role else { return };
        let ballot = leader.ballot;
        let chosen_upto = self.learner.chosen_upto();
        for (slot, voters) in leader.take_overdue(self.now, self.timing.retransmit_ticks) {
            let Some(accepted) = self.acceptor.accepted(slot) else { continue };
            let value = accepted.value.clone();
            for to in self.other_voters_in(slot).filter(|node| !voters.contains(*node)) {
                let value = value.clone();
                self.send(to, Message::Accept { ballot, slot, value, chosen_upto }, Lsn::ZERO);
            }
        }
    }

    pub(super) fn on_accept(
        &mut self,
        from: NodeId,
        ballot: Ballot,
        slot: Slot,
        value: &Value,
        chosen_upto: Slot,
    ) {
        self.see(ballot);
        let lost = self.learner.get(slot).is_some_and(|(_, chosen)| chosen != value);
        let base = self.learner.base();
        let lost = lost || (slot <= base.slot && ballot < base.ballot);
        if lost && ballot >= self.acceptor.promised() {
            // A late proposal of a ballot that lost, or may have where the values are gone. To
            // accept it would be legal and useless: it can't be chosen any more.
            return;
        }
        match self.acceptor.accept(ballot, slot, value, &mut self.journal) {
            Err(refused) => self.reject(from, ballot, refused),
            Ok(after) => {
                let after = if crate::mutant!(AckBeforeFsync) { Lsn::ZERO } else { after };
                self.send(from, Message::Accepted { ballot, slot }, after);
                if !self.knows_later_leader(ballot) {
                    self.follow(ballot);
                    self.on_chosen_mark(from, ballot, chosen_upto);
                }
            }
        }
    }

    pub(super) fn on_accepted(&mut self, from: NodeId, ballot: Ballot, slot: Slot) {
        let Role::Leader(leader) = &mut self.role else { return };
        let ballot = if crate::mutant!(LearnedAcrossBallots) { leader.ballot } else { ballot };
        if leader.ballot == ballot {
            leader.hear(from, None, self.now);
            self.count_vote(from, ballot, slot);
        }
    }

    pub(super) fn count_vote(&mut self, from: NodeId, ballot: Ballot, slot: Slot) {
        let configuration = self.learner.configurations().governing(slot);
        let Role::Leader(leader) = &mut self.role else { return };
        // Of slots up to the base it is not even known any more who governed them.
        if leader.ballot != ballot || slot <= self.learner.base().slot {
            return;
        }
        if !leader.vote(from, slot, configuration) {
            return;
        }
        let Some(accepted) = self.acceptor.accepted(slot).cloned() else {
            unreachable!("a leader accepts what it proposes")
        };
        assert!(accepted.ballot == ballot, "I4: a leader's own acceptor stays in its ballot");
        self.learner.learn(slot, ballot, &accepted.value, &self.acceptor, &mut self.journal);
    }
}
