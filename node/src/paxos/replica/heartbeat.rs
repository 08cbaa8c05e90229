//! Heartbeats: who leads, how far the chosen prefix reaches, and that reads may be answered.

use super::{Replica, Role};
use crate::paxos::{Ballot, LocalTime, Lsn, Message, NodeId, Slot};

impl Replica {
    pub(super) fn on_heartbeat(&mut self, from: NodeId, ballot: Ballot, chosen_upto: Slot, read_seq: u64) {
        self.see(ballot);
        if ballot < self.acceptor.promised() {
            let refused = self.acceptor.refused();
            self.reject(from, ballot, refused);
            return;
        }
        if self.knows_later_leader(ballot) {
            return;
        }
        self.follow(ballot);
        self.on_chosen_mark(from, ballot, chosen_upto);
        let lease_us = self.grant.grant(from);
        let (chosen_upto, applied) = (self.learner.chosen_upto(), self.applied);
        let answer = Message::HeartbeatAck { ballot, read_seq, chosen_upto, lease_us, applied };
        self.send(from, answer, Lsn::ZERO);
    }

    pub(super) fn on_heartbeat_ack(
        &mut self,
        from: NodeId,
        ballot: Ballot,
        read_seq: u64,
        learned: Slot,
        lease_us: u64,
    ) {
        let Role::Leader(leader) = &mut self.role else { return };
        if leader.ballot == ballot || crate::mutant!(ReadAckAnyBallot) {
            leader.hear(from, Some(learned), self.now);
            leader.reads.answer(from, read_seq, lease_us);
        }
    }

    pub(super) fn is_heartbeat_due(&self) -> bool {
        let Role::Leader(leader) = &self.role else { return false };
        self.now >= leader.heartbeat_at + self.timing.heartbeat_ticks
    }

    pub(super) fn send_heartbeats(&mut self) {
        let Role::Leader(leader) = &mut self.role else { return };
        leader.heartbeat_at = self.now;
        let read_seq = leader.reads.sequence_to_send();
        let ballot = leader.ballot;
        let (chosen_upto, applied) = (self.learner.chosen_upto(), self.applied);
        let after = if crate::mutant!(HeartbeatBehindFsync) { self.journal.written() } else { Lsn::ZERO };
        for to in self.others() {
            self.send(to, Message::Heartbeat { ballot, chosen_upto, read_seq, applied }, after);
        }
    }

    /// Reads that may be answered at this moment: all of them under a lease, else those that a quorum has
    /// confirmed.
    pub(super) fn confirm_reads(&mut self, now: LocalTime) {
        let Role::Leader(leader) = &mut self.role else { return };
        let holds_lease = leader.reads.holds_lease(self.learner.governing_next(), self.id, now);
        if !holds_lease && leader.reads.needs_round() {
            self.send_heartbeats();
        }
        let Role::Leader(leader) = &mut self.role else { return };
        let mut barrier = leader.barrier;
        if crate::mutant!(ReadBeforeBarrier) {
            barrier = Some(Slot::ZERO);
        }
        // Before there is a barrier nobody knows how much was chosen before this leader.
        let Some(barrier) = barrier else { return };
        let confirmed = match holds_lease {
            true => leader.reads.take_all(),
            false => leader.reads.take_confirmed(self.learner.governing_next(), self.id),
        };
        let count = if holds_lease { &mut self.reads_by_lease } else { &mut self.reads_by_barrier };
        *count += confirmed.len() as u64;
        self.effects.reads.extend(confirmed.into_iter().map(|(token, slot)| (token, slot.max(barrier))));
    }

    /// What this turn granted, and what it asked grants for, counts from this moment.
    pub(super) fn time_leases(&mut self, now: LocalTime) {
        self.grant.turn_ends(now);
        if let Role::Leader(leader) = &mut self.role {
            leader.reads.turn_ends(now);
        }
    }
}
