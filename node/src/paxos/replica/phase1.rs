//! Phase 1: a candidate asks what was accepted, and goes on with what may have been chosen.

use super::chunk::{CHUNK_SLOTS_MAX, chunk};
use super::{Replica, Role};
use crate::paxos::candidate::{Candidate, Progress};
use crate::paxos::leader::Leader;
use crate::paxos::reads::Reads;
use crate::paxos::{Ballot, Lsn, Message, NodeId, Record, Slot, SlotReport, Value};
use std::collections::BTreeMap;

impl Replica {
    /// Stands for leadership: a ballot never used before, durable before it is shown to anybody.
    pub(super) fn stand(&mut self) {
        if !self.is_electable() || self.grant.denies(self.id) {
            self.election.postpone(self.now);
            return;
        }
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
        let mut candidate = Candidate::new(ballot, own_promise, self.now);
        for to in self.current_voters() {
            candidate.ask(to, from);
            self.send(to, Message::Prepare { ballot, from }, own_promise);
        }
        self.role = Role::Candidate(candidate);
    }

    /// Phase 1, while somebody's promise is wanted.
    fn phase1(&mut self) -> Option<&mut Candidate> {
        let wanted = self.lacks_promises();
        match &mut self.role {
            Role::Candidate(candidate) => Some(candidate),
            Role::Leader(leader) if wanted => Some(&mut leader.phase1),
            Role::Leader(_) | Role::Follower => None,
        }
    }

    /// Whether this leader knows of a configuration of which it has no majority's promises yet.
    fn lacks_promises(&self) -> bool {
        let Role::Leader(leader) = &self.role else { return false };
        let promised = leader.phase1.promised();
        self.current().iter().any(|governing| !governing.configuration.has_majority(promised))
    }

    /// A leader asks those for their promises whom a configuration brought in that it has learned of:
    /// for the slots from there on.
    pub(super) fn ask_newcomers(&mut self) {
        if !self.lacks_promises() {
            return;
        }
        let (from, now) = (self.learner.configurations().latest_from(), self.now);
        let voters = self.current_voters();
        let Role::Leader(Leader { phase1, ballot, .. }) = &mut self.role else { return };
        let newcomers: Vec<NodeId> = voters.into_iter().filter(|node| phase1.ask(*node, from)).collect();
        let (ballot, after) = (*ballot, phase1.own_promise);
        if !newcomers.is_empty() {
            phase1.asked_at = now;
        }
        for to in newcomers {
            self.send(to, Message::Prepare { ballot, from }, after);
        }
    }

    pub(super) fn retransmit_prepares(&mut self) {
        let (now, patience) = (self.now, self.timing.retransmit_ticks);
        let Some(candidate) = self.phase1() else { return };
        if now < candidate.asked_at + patience {
            return;
        }
        candidate.asked_at = now;
        let (ballot, after) = (candidate.ballot, candidate.own_promise);
        let again: Vec<_> = candidate.outstanding().collect();
        for (to, from) in again {
            self.send(to, Message::Prepare { ballot, from }, after);
        }
    }

    pub(super) fn on_prepare(&mut self, from: NodeId, ballot: Ballot, first: Slot) {
        if self.knows_to_be_gone(from, first) {
            // It would depose whom a quorum follows. What it does not know tells it why.
            if first <= self.learner.chosen_upto() {
                self.on_learn_request(from, first);
            }
            return;
        }
        self.see(ballot);
        if self.grant.denies(from) {
            // It asks again, and by then the lease may be over.
            return;
        }
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
        let chosen_upto = self.learner.chosen_upto();
        let Some(candidate) = self.phase1() else { return };
        if candidate.ballot != ballot && !crate::mutant!(StalePromiseCounted) {
            return;
        }
        if trimmed > chosen_upto {
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
            Progress::Complete => match &mut self.role {
                // What was proposed behind the barrier by others may be in the report.
                Role::Leader(leader) if leader.next <= leader.phase1.last_reported() => leader.barrier = None,
                Role::Leader(_) | Role::Follower => {}
                Role::Candidate(_) => self.lead_if_promised(),
            },
        }
    }

    /// Phase 1 is done when the answers of a quorum of every configuration in force or to come are
    /// complete.
    pub(super) fn lead_if_promised(&mut self) {
        let current = self.current();
        let has_quorums = |candidate: &Candidate| {
            let promised = candidate.promised();
            current.iter().all(|governing| governing.configuration.has_majority(promised))
        };
        if !matches!(&self.role, Role::Candidate(candidate) if has_quorums(candidate)) {
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
        let first = self.learner.chosen_upto().next();
        for (slot, accepted) in self.acceptor.accepted_from(first) {
            let (ballot, value) = (accepted.ballot, accepted.value.clone());
            candidate.report(self.id, SlotReport { slot, ballot, value, learned: false });
        }
        let patience = self.timing.election_ticks_max;
        let heard = (self.now + self.timing.grace_ticks()).saturating_sub(patience);
        self.role = Role::Leader(Leader::new(candidate, first, heard, Reads::new(self.asks_lease)));
        self.following = Some(ballot);
        self.election.calm(self.now);
        self.take_over();
        self.send_heartbeats();
    }

    /// Take-over: what is reported as chosen is learned; what was accepted is proposed again, the
    /// highest ballot's value for each slot; gaps get a no-op; one no-op behind it all is the read
    /// barrier. As far as this leader may propose; it goes on when it may go further. While another
    /// configuration is to come, no-ops bring it nearer.
    pub(super) fn take_over(&mut self) {
        let Role::Leader(leader) = &mut self.role else { return };
        for report in leader.phase1.take_learned() {
            self.learner.learn(report.slot, report.ballot, &report.value, &self.acceptor, &mut self.journal);
        }
        while let Role::Leader(leader) = &self.role {
            let slot = leader.next;
            let is_learned = slot <= self.learner.chosen_upto() || self.learner.get(slot).is_some();
            if !is_learned && !self.may_propose(slot) {
                return;
            }
            let configurations = self.learner.configurations();
            let (governing, to_come) = (configurations.governing(slot), configurations.latest_from());
            let is_gap = self.learner.last_learned() > slot;
            let Role::Leader(leader) = &mut self.role else { return };
            let value = match leader.phase1.take_report(slot, governing) {
                _ if is_learned => None,
                Some(report) => Some(report.value),
                None if is_gap || leader.phase1.last_reported() > slot => {
                    if crate::mutant!(NoGapFill) {
                        None
                    } else {
                        Some(Value::Noop)
                    }
                }
                None if leader.barrier.is_none() => {
                    leader.barrier = Some(slot);
                    Some(Value::Noop)
                }
                None if slot < to_come => Some(Value::Noop),
                None => return,
            };
            leader.next = slot.next();
            leader.phase1.forget_below(slot.next());
            if let Some(value) = value {
                self.propose_in(slot, value);
            }
        }
    }

    /// Whether this leader may propose in a slot: it knows who governs that (everything α slots before
    /// it is chosen), and a majority of those has promised. Counted from the first slot not known to
    /// be chosen: slots behind it that were chosen out of order can't be executed either, and a new
    /// leader would have to take them over.
    pub(super) fn may_propose(&self, slot: Slot) -> bool {
        let Role::Leader(leader) = &self.role else { return false };
        if slot.0 > self.learner.chosen_upto().0 + self.window && !crate::mutant!(OutOfWindowPropose) {
            return false;
        }
        self.learner.configurations().governing(slot).has_majority(leader.phase1.promised())
    }
}
