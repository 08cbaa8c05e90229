//! Phase 1: a candidate asks what was accepted, and goes on with what may have been chosen.

use super::chunk::{CHUNK_SLOTS_MAX, chunk};
use super::{Replica, Role};
use crate::paxos::candidate::{Candidate, Progress};
use crate::paxos::leader::Leader;
use crate::paxos::{Ballot, Lsn, Message, NodeId, Record, Slot, SlotReport, Timing, Value};
use std::collections::BTreeMap;

impl Replica {
    /// Stands for leadership: a ballot never used before, durable before it is shown to anybody.
    pub(super) fn stand(&mut self) {
        self.step_down(None);
        self.election.attempt(self.now);
        self.following = None;
        self.round_max += 1;
        let ballot = Ballot { round: self.round_max, node: self.id };
        self.journal.append(Record::BallotUsed(ballot));
        let own_promise = match self.acceptor.prepare(ballot, &mut self.journal) {
            Ok(lsn) => lsn,
            Err(refused) => unreachable!("{ballot} is above {}, the highest seen", refused.promised),
        };
        let from = self.learner.chosen_upto().next();
        for to in self.others.clone() {
            self.send(to, Message::Prepare { ballot, from }, own_promise);
        }
        self.role = Role::Candidate(Candidate::new(ballot, own_promise, &self.others, from, self.now));
    }

    pub(super) fn retransmit_prepares(&mut self) {
        let Role::Candidate(candidate) = &mut self.role else { return };
        if self.now < candidate.asked_at + self.timing.retransmit_ticks {
            return;
        }
        candidate.asked_at = self.now;
        let (ballot, after) = (candidate.ballot, candidate.own_promise);
        let again: Vec<_> = candidate.outstanding().collect();
        for (to, from) in again {
            self.send(to, Message::Prepare { ballot, from }, after);
        }
    }

    pub(super) fn on_prepare(&mut self, from: NodeId, ballot: Ballot, first: Slot) {
        self.see(ballot);
        match self.acceptor.prepare(ballot, &mut self.journal) {
            Err(refused) => self.reject(from, ballot, refused),
            Ok(after) => {
                if self.following.is_some_and(|leader| leader < ballot) {
                    self.following = None;
                }
                // Only for news: a candidate that never hears our answer repeats its question for
                // ever, and would keep everybody else from standing.
                if (ballot, first) > self.asked {
                    self.asked = (ballot, first);
                    self.canvass = None;
                    self.election.make_way(self.now);
                }
                let (slots, next) = self.report(first);
                let trimmed = self.trimmed_from(first);
                let after = if crate::mutant!(PromiseBeforeFsync) { Lsn::ZERO } else { after };
                self.send(from, Message::Promise { ballot, from: first, slots, next, trimmed }, after);
            }
        }
    }

    /// How far a promise from `first` on has to say that everything is chosen and gone: whatever
    /// the report leaves out was never accepted here.
    fn trimmed_from(&self, first: Slot) -> Slot {
        let base = self.learner.base().slot;
        if base < first || crate::mutant!(PromiseOmitsCompacted) { Slot::ZERO } else { base }
    }

    /// Everything up to some slot is chosen, and this candidate does not know all of it: to go on
    /// would be to fill with no-ops what others have executed. Whoever told it has the snapshot.
    fn give_up_to_fetch(&mut self, from: NodeId) {
        self.step_down(None);
        self.election.postpone(self.now);
        self.ask_to_learn(from);
    }

    /// What this node holds from `first` on: learned values (also the executed ones: a candidate
    /// that lags may know less than we do), else accepted ones; as much as fits, and where the
    /// rest starts.
    fn report(&self, first: Slot) -> (Vec<SlotReport>, Option<Slot>) {
        let mut reports: BTreeMap<Slot, SlotReport> = BTreeMap::new();
        let mut first = first.max(self.learner.base().slot.next());
        if crate::mutant!(PromiseOmitsChosen) {
            first = first.max(self.learner.chosen_upto().next());
        }
        for (slot, accepted) in self.acceptor.accepted_from(first).take(CHUNK_SLOTS_MAX + 1) {
            let (mut ballot, value) = (accepted.ballot, accepted.value.clone());
            if crate::mutant!(OneBallotVariable) {
                ballot = self.acceptor.promised();
            }
            reports.insert(slot, SlotReport { slot, ballot, value, learned: false });
        }
        for report in self.learner.learned_from(first).take(CHUNK_SLOTS_MAX + 1) {
            reports.insert(report.slot, report);
        }
        chunk(reports.into_values())
    }

    pub(super) fn on_promise(
        &mut self,
        from: NodeId,
        ballot: Ballot,
        first: Slot,
        slots: &[SlotReport],
        next: Option<Slot>,
        trimmed: Slot,
    ) {
        let Role::Candidate(candidate) = &mut self.role else { return };
        if candidate.ballot != ballot && !crate::mutant!(StalePromiseCounted) {
            return;
        }
        if trimmed > self.learner.chosen_upto() {
            self.give_up_to_fetch(from);
            return;
        }
        let progress = candidate.promise(from, first, slots, next);
        let after = candidate.own_promise;
        match progress {
            Progress::Ignored => {}
            Progress::More(next) => {
                self.election.postpone(self.now);
                self.send(from, Message::Prepare { ballot, from: next }, after);
            }
            Progress::Complete => self.lead_if_promised(),
        }
    }

    /// Phase 1 is done when a quorum's answers are complete. What they know to be chosen is
    /// learned; what they accepted is proposed again, the highest ballot's value for each slot;
    /// gaps get a no-op; and one no-op behind it all is the read barrier.
    pub(super) fn lead_if_promised(&mut self) {
        let nodes = self.others.len() + 1;
        let promised = matches!(&self.role, Role::Candidate(candidate) if candidate.has_quorum(nodes));
        if !promised {
            return;
        }
        let Role::Candidate(mut candidate) = std::mem::replace(&mut self.role, Role::Follower) else {
            unreachable!("just matched")
        };
        let ballot = candidate.ballot;
        assert!(
            ballot == self.acceptor.promised(),
            "a candidate whose own acceptor promised higher stands down"
        );
        for (slot, accepted) in self.acceptor.accepted_from(self.learner.chosen_upto().next()) {
            let (ballot, value) = (accepted.ballot, accepted.value.clone());
            candidate.report(self.id, SlotReport { slot, ballot, value, learned: false });
        }
        let mut take_over = candidate.into_take_over(nodes);
        for report in take_over.values().filter(|report| report.learned) {
            self.learner.learn(report.slot, report.ballot, &report.value, &self.acceptor, &mut self.journal);
        }
        let highest = take_over.last_key_value().map_or(Slot::ZERO, |(slot, _)| *slot);
        let first_open = self.learner.chosen_upto().next();
        let barrier = highest.max(self.learner.last_learned()).next();
        let Timing { election_ticks_max: patience, .. } = self.timing;
        let heard = (self.now + self.timing.grace_ticks()).saturating_sub(patience);
        self.role = Role::Leader(Leader::new(ballot, barrier, barrier.next(), &self.others, heard));
        self.following = Some(ballot);
        self.election.calm(self.now);
        let mut slot = first_open;
        while slot < barrier {
            let unreported = !take_over.contains_key(&slot);
            if self.learner.get(slot).is_none() && !(unreported && crate::mutant!(NoGapFill)) {
                let value = take_over.remove(&slot).map_or(Value::Noop, |report| report.value);
                self.propose_in(slot, value);
            }
            slot = slot.next();
        }
        self.propose_in(barrier, Value::Noop);
        self.send_heartbeats();
    }
}
