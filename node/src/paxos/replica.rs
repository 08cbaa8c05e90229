//! One replica: proposer, acceptor and learner in one process, joined by an election.
//!
//! It has no rule of its own: it asks the roles, and turns their answers into [`Effects`]. Input
//! comes in through [`tick`](Replica::tick), [`step`](Replica::step),
//! [`propose`](Replica::propose), [`read`](Replica::read) and [`durable`](Replica::durable);
//! [`effects`](Replica::effects) hands out what they led to.

mod looking_in;

use super::acceptor::{Acceptor, Refused};
use super::candidate::{Candidate, Progress};
use super::election::{Election, ElectionMode, Timing};
use super::journal::Journal;
use super::leader::Leader;
use super::learner::{Learner, LogContradiction};
use super::{AppliedHash, Ballot, Effects, Lsn, Message, NodeId, Record, Send, Slot, SlotReport, Value};
use std::collections::BTreeMap;

/// Slots that a leader may have in flight beyond what is chosen: enough to keep network and disks
/// busy, few enough for a take-over to stay short.
pub const SLOTS_IN_FLIGHT_MAX: usize = 64;

/// Payload of one `Promise` or `LearnReply`: keeps a frame well below the wire's limit.
pub const CHUNK_BYTES_MAX: usize = 1 << 20;

/// Slots in one `Promise` or `LearnReply`.
pub const CHUNK_SLOTS_MAX: usize = 4096;

/// A chosen mark is written with other records, or alone after this many ticks.
const MARK_TICKS: u64 = 10;

/// Who takes part, and how patient they are.
#[derive(Clone, Debug)]
pub struct ReplicaConfig {
    /// This node.
    pub id: NodeId,
    /// All nodes, this one included, in ascending order.
    pub nodes: Vec<NodeId>,
    /// Periods.
    pub timing: Timing,
    /// How election timeouts are chosen.
    pub election: ElectionMode,
}

#[derive(Debug)]
enum Role {
    Follower,
    Candidate(Candidate),
    Leader(Leader),
}

/// What a node is doing, for status answers.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum RoleName {
    /// Follows a leader, or waits for one.
    Follower,
    /// Is in phase 1.
    Candidate,
    /// Has finished phase 1.
    Leader,
}

impl std::fmt::Display for RoleName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            RoleName::Follower => "follower",
            RoleName::Candidate => "candidate",
            RoleName::Leader => "leader",
        })
    }
}

/// A Multi-Paxos replica without IO.
#[derive(Debug)]
pub struct Replica {
    id: NodeId,
    others: Vec<NodeId>,
    timing: Timing,
    journal: Journal,
    acceptor: Acceptor,
    learner: Learner,
    election: Election,
    role: Role,
    /// The ballot of the leader last heard from.
    following: Option<Ballot>,
    /// The highest round seen in any ballot: a new attempt goes above it.
    round_max: u64,
    applied: AppliedHash,
    now: u64,
    marked_at: u64,
    learn_asked_at: Option<u64>,
    /// The latest chunk that a candidate asked for.
    asked: (Ballot, Slot),
    deposed: bool,
    effects: Effects,
}

impl Replica {
    /// A replica that continues where `recovered` left off; `seed` feeds its election timeouts.
    ///
    /// # Errors
    /// If the records can't stem from a correct replica.
    pub fn new(config: &ReplicaConfig, recovered: &[Record], seed: u64) -> Result<Replica, LogContradiction> {
        let mut acceptor = Acceptor::new();
        let mut learner = Learner::new();
        let mut round_max = 0;
        let mut replayed = recovered;
        if crate::mutant!(ForgetAcceptedOnRestart) {
            let last = recovered.iter().rposition(|record| matches!(record, Record::ChosenUpto(_)));
            replayed = &recovered[..last.map_or(0, |last| last + 1)];
        }
        for (index, record) in replayed.iter().enumerate() {
            acceptor.recover(record, Lsn(index as u64 + 1));
            learner.recover(record, &acceptor)?;
            if let Record::BallotUsed(ballot) = record {
                round_max = round_max.max(ballot.round);
            }
        }
        round_max = round_max.max(acceptor.promised().round);
        if crate::mutant!(BallotReuseAfterRestart) && acceptor.promised().node == config.id {
            round_max -= 1;
        }
        let mut replica = Replica {
            id: config.id,
            others: config.nodes.iter().copied().filter(|node| *node != config.id).collect(),
            timing: config.timing,
            journal: Journal::new(recovered.len() as u64),
            acceptor,
            learner,
            election: Election::new(config.election, config.timing, seed),
            role: Role::Follower,
            following: None,
            round_max,
            applied: AppliedHash::default(),
            now: 0,
            marked_at: 0,
            learn_asked_at: None,
            asked: (Ballot::ZERO, Slot::ZERO),
            deposed: false,
            effects: Effects::default(),
        };
        replica.effects.chosen = replica.learner.take_executable();
        if crate::mutant!(ResumeLeadership) && replica.promised().node == replica.id {
            let (ballot, last) = (replica.promised(), replica.last_slot());
            replica.role = Role::Leader(Leader::new(ballot, last, last.next(), &replica.others, 0));
            replica.following = Some(ballot);
        }
        Ok(replica)
    }

    /// One tick of the caller's clock.
    pub fn tick(&mut self) {
        self.now += 1;
        match &mut self.role {
            Role::Leader(leader) => {
                let patience = self.timing.election_ticks_max;
                if !leader.hears_quorum(self.now, patience, self.others.len() + 1) {
                    self.step_down(None);
                    self.election.postpone(self.now);
                    return;
                }
                self.retransmit_accepts();
                if self.is_heartbeat_due() {
                    self.send_heartbeats();
                }
            }
            Role::Candidate(_) | Role::Follower if self.election.is_due(self.now) => self.stand(),
            Role::Candidate(_) => self.retransmit_prepares(),
            Role::Follower => {}
        }
    }

    /// A message of another replica.
    pub fn step(&mut self, from: NodeId, message: Message) {
        assert!(from != self.id, "a replica does not write to itself");
        match message {
            Message::Prepare { ballot, from: first } => self.on_prepare(from, ballot, first),
            Message::Promise { ballot, from: first, slots, next } => {
                self.on_promise(from, ballot, first, &slots, next);
            }
            Message::Accept { ballot, slot, value, chosen_upto } => {
                self.on_accept(from, ballot, slot, &value, chosen_upto);
            }
            Message::Accepted { ballot, slot } => self.on_accepted(from, ballot, slot),
            Message::Reject { ballot, promised } => self.on_reject(ballot, promised),
            Message::Heartbeat { ballot, chosen_upto, read_seq, .. } => {
                self.on_heartbeat(from, ballot, chosen_upto, read_seq);
            }
            Message::HeartbeatAck { ballot, read_seq, .. } => self.on_heartbeat_ack(from, ballot, read_seq),
            Message::LearnRequest { from: first } => self.on_learn_request(from, first),
            Message::LearnReply { slots, chosen_upto } => self.on_learn_reply(from, &slots, chosen_upto),
            Message::Forward { .. } | Message::ForwardReply { .. } => {
                unreachable!("requests travel above the protocol")
            }
        }
    }

    /// The log is durable up to `lsn`.
    pub fn durable(&mut self, lsn: Lsn) {
        self.journal.confirm(lsn);
        let durable = self.journal.durable();
        match &mut self.role {
            Role::Follower => {}
            Role::Candidate(candidate) => {
                if candidate.own_promise <= durable {
                    candidate.own_promise_is_durable(self.id);
                    self.lead_if_promised();
                }
            }
            Role::Leader(leader) => {
                for (slot, ballot) in leader.take_durable(durable) {
                    self.count_vote(self.id, ballot, slot);
                }
            }
        }
    }

    /// Proposes a value in the next free slot, if this node leads and has room in flight.
    pub fn propose(&mut self, value: Value) -> Option<Slot> {
        if !self.can_propose() {
            return None;
        }
        let Role::Leader(leader) = &mut self.role else { return None };
        let slot = leader.next;
        leader.next = slot.next();
        self.propose_in(slot, value);
        Some(slot)
    }

    /// Whether [`propose`](Self::propose) would take a value now. Counted from the first slot not
    /// known to be chosen: slots behind it that were chosen out of order can't be executed either,
    /// and a new leader would have to take them over.
    #[must_use]
    pub fn can_propose(&self) -> bool {
        let Role::Leader(leader) = &self.role else { return false };
        leader.next.0 - self.learner.chosen_upto().0 <= SLOTS_IN_FLIGHT_MAX as u64
    }

    /// Asks for a read barrier; its token comes back in [`Effects::reads`] once confirmed, or
    /// never, if this node stops leading. `false` if it does not lead.
    pub fn read(&mut self, token: u64) -> bool {
        let Role::Leader(leader) = &mut self.role else { return false };
        let mut index = self.learner.chosen_upto().max(leader.barrier);
        if crate::mutant!(ReadBeforeBarrier) {
            index = self.learner.chosen_upto();
        }
        leader.reads.ask(token, index);
        true
    }

    /// Waits for a leader as if one had just been heard.
    #[cfg(feature = "mutants")]
    pub(crate) fn postpone_election(&mut self) {
        self.election.postpone(self.now);
    }

    /// What the caller has executed, for the comparison with others.
    pub fn set_applied(&mut self, applied: AppliedHash) {
        self.applied = applied;
    }

    /// Writes down how far the chosen prefix reaches, before a stop in good order: whoever reads
    /// the log afterwards then knows as much as the node did.
    pub fn mark_chosen(&mut self) {
        self.learner.mark(&mut self.journal);
    }

    /// Whether this node stopped leading since the last call: whatever it had proposed has an
    /// unknown outcome, and its reads get no barrier.
    pub fn take_deposed(&mut self) -> bool {
        std::mem::take(&mut self.deposed)
    }

    /// Hands out everything asked for since the last call.
    pub fn effects(&mut self) -> Effects {
        self.confirm_reads();
        let overdue = self.now >= self.marked_at + MARK_TICKS && !self.learner.is_marked();
        if !self.journal.is_idle() || overdue {
            self.learner.mark(&mut self.journal);
            self.marked_at = self.now;
        }
        let mut effects = std::mem::take(&mut self.effects);
        effects.records = self.journal.take();
        effects.chosen.extend(self.learner.take_executable());
        effects
    }

    // ---- Election and phase 1 ----------------------------------------------------------------

    /// Stands for leadership: a ballot never used before, durable before it is shown to anybody.
    fn stand(&mut self) {
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

    fn retransmit_prepares(&mut self) {
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

    fn on_prepare(&mut self, from: NodeId, ballot: Ballot, first: Slot) {
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
                    self.election.postpone(self.now);
                }
                let (slots, next) = self.report(first);
                let after = if crate::mutant!(PromiseBeforeFsync) { Lsn::ZERO } else { after };
                self.send(from, Message::Promise { ballot, from: first, slots, next }, after);
            }
        }
    }

    /// What this node holds from `first` on: learned values (also the executed ones: a candidate
    /// that lags may know less than we do), else accepted ones; as much as fits, and where the
    /// rest starts.
    fn report(&self, first: Slot) -> (Vec<SlotReport>, Option<Slot>) {
        let mut reports: BTreeMap<Slot, SlotReport> = BTreeMap::new();
        let mut first = first;
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

    fn on_promise(
        &mut self,
        from: NodeId,
        ballot: Ballot,
        first: Slot,
        slots: &[SlotReport],
        next: Option<Slot>,
    ) {
        let Role::Candidate(candidate) = &mut self.role else { return };
        if candidate.ballot != ballot && !crate::mutant!(StalePromiseCounted) {
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
    fn lead_if_promised(&mut self) {
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
        self.role = Role::Leader(Leader::new(ballot, barrier, barrier.next(), &self.others, self.now));
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

    // ---- Phase 2 -----------------------------------------------------------------------------

    fn propose_in(&mut self, slot: Slot, value: Value) {
        let Role::Leader(leader) = &mut self.role else { unreachable!("only a leader proposes") };
        let ballot = leader.ballot;
        let own = match self.acceptor.accept(ballot, slot, &value, &mut self.journal) {
            Ok(lsn) => lsn,
            Err(refused) => unreachable!("a leader stands down when it promises {}", refused.promised),
        };
        leader.proposed(slot, own, self.now);
        let chosen_upto = self.learner.chosen_upto();
        for to in self.others.clone() {
            let value = value.clone();
            // Needs no disk: the ballot is durable, and the leader's vote is counted apart.
            self.send(to, Message::Accept { ballot, slot, value, chosen_upto }, Lsn::ZERO);
        }
    }

    fn retransmit_accepts(&mut self) {
        let Role::Leader(leader) = &mut self.role else { return };
        let ballot = leader.ballot;
        let chosen_upto = self.learner.chosen_upto();
        for (slot, voters) in leader.take_overdue(self.now, self.timing.retransmit_ticks) {
            let Some(accepted) = self.acceptor.accepted(slot) else { continue };
            let value = accepted.value.clone();
            for to in self.others.clone().into_iter().filter(|node| !voters.contains(*node)) {
                let value = value.clone();
                self.send(to, Message::Accept { ballot, slot, value, chosen_upto }, Lsn::ZERO);
            }
        }
    }

    fn on_accept(&mut self, from: NodeId, ballot: Ballot, slot: Slot, value: &Value, chosen_upto: Slot) {
        self.see(ballot);
        let lost = self.learner.get(slot).is_some_and(|(_, chosen)| chosen != value);
        if lost && ballot >= self.acceptor.promised() {
            // A late proposal of a ballot that lost. To accept it would be legal and useless: it
            // can't be chosen any more.
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

    fn on_accepted(&mut self, from: NodeId, ballot: Ballot, slot: Slot) {
        let Role::Leader(leader) = &mut self.role else { return };
        let ballot = if crate::mutant!(LearnedAcrossBallots) { leader.ballot } else { ballot };
        if leader.ballot == ballot {
            leader.hear(from, self.now);
            self.count_vote(from, ballot, slot);
        }
    }

    fn count_vote(&mut self, from: NodeId, ballot: Ballot, slot: Slot) {
        let nodes = self.others.len() + 1;
        let Role::Leader(leader) = &mut self.role else { return };
        if leader.ballot != ballot || !leader.vote(from, slot, nodes) {
            return;
        }
        let Some(accepted) = self.acceptor.accepted(slot).cloned() else {
            unreachable!("a leader accepts what it proposes")
        };
        assert!(accepted.ballot == ballot, "I4: a leader's own acceptor stays in its ballot");
        self.learner.learn(slot, ballot, &accepted.value, &self.acceptor, &mut self.journal);
    }

    // ---- Leadership --------------------------------------------------------------------------

    fn on_reject(&mut self, ballot: Ballot, promised: Ballot) {
        // Anything else is no reason to refuse.
        if promised > ballot && !crate::mutant!(IgnoreNack) {
            self.see(promised);
        }
    }

    fn on_heartbeat(&mut self, from: NodeId, ballot: Ballot, chosen_upto: Slot, read_seq: u64) {
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
        let (chosen_upto, applied) = (self.learner.chosen_upto(), self.applied);
        self.send(from, Message::HeartbeatAck { ballot, read_seq, chosen_upto, applied }, Lsn::ZERO);
    }

    fn on_heartbeat_ack(&mut self, from: NodeId, ballot: Ballot, read_seq: u64) {
        let Role::Leader(leader) = &mut self.role else { return };
        if leader.ballot == ballot || crate::mutant!(ReadAckAnyBallot) {
            leader.hear(from, self.now);
            leader.reads.answer(from, read_seq);
        }
    }

    fn is_heartbeat_due(&self) -> bool {
        let Role::Leader(leader) = &self.role else { return false };
        self.now >= leader.heartbeat_at + self.timing.heartbeat_ticks
    }

    fn send_heartbeats(&mut self) {
        let Role::Leader(leader) = &mut self.role else { return };
        leader.heartbeat_at = self.now;
        let read_seq = leader.reads.sequence_to_send();
        let ballot = leader.ballot;
        let (chosen_upto, applied) = (self.learner.chosen_upto(), self.applied);
        for to in self.others.clone() {
            self.send(to, Message::Heartbeat { ballot, chosen_upto, read_seq, applied }, Lsn::ZERO);
        }
    }

    fn confirm_reads(&mut self) {
        if matches!(&self.role, Role::Leader(leader) if leader.reads.needs_round()) {
            self.send_heartbeats();
        }
        if let Role::Leader(leader) = &mut self.role {
            let confirmed = leader.reads.take_confirmed(self.others.len() + 1);
            self.effects.reads.extend(confirmed);
        }
    }

    /// Any ballot above our own ends our own attempt or leadership.
    fn see(&mut self, ballot: Ballot) {
        self.round_max = self.round_max.max(ballot.round);
        let own = match &self.role {
            Role::Follower => return,
            Role::Candidate(candidate) => candidate.ballot,
            Role::Leader(leader) => leader.ballot,
        };
        if ballot > own {
            self.step_down(None);
        }
    }

    /// Whether a leader of a later ballot has been heard: a quorum promised it, so the leader of
    /// `ballot` is deposed and will find out. To follow both in turn would tell clients "the
    /// leader changed" again and again.
    fn knows_later_leader(&self, ballot: Ballot) -> bool {
        self.following.is_some_and(|leader| leader > ballot)
    }

    /// Takes the node that leads `ballot` for the leader. Callers have checked the promise.
    fn follow(&mut self, ballot: Ballot) {
        assert!(ballot.node != self.id, "nobody else proposes in {ballot}");
        self.step_down(Some(ballot));
        self.election.calm(self.now);
    }

    fn step_down(&mut self, leader: Option<Ballot>) {
        let was = std::mem::replace(&mut self.role, Role::Follower);
        if matches!(was, Role::Leader(_)) {
            self.deposed = true;
            self.following = None;
            self.election.postpone(self.now);
        }
        if leader.is_some() {
            self.following = leader;
        }
    }

    // ---- Learning ----------------------------------------------------------------------------

    /// `from` leads `ballot` and knows everything up to `upto` to be chosen.
    fn on_chosen_mark(&mut self, from: NodeId, ballot: Ballot, upto: Slot) {
        self.learner.learn_by_mark(ballot, upto, &self.acceptor, &mut self.journal);
        let lags = self.learner.chosen_upto() < upto;
        let waited = self.learn_asked_at.is_none_or(|at| self.now >= at + self.timing.retransmit_ticks);
        if lags && waited {
            self.ask_to_learn(from);
        }
    }

    fn ask_to_learn(&mut self, from: NodeId) {
        self.learn_asked_at = Some(self.now);
        let first = self.learner.chosen_upto().next();
        self.send(from, Message::LearnRequest { from: first }, Lsn::ZERO);
    }

    fn on_learn_request(&mut self, from: NodeId, first: Slot) {
        let chosen_upto = self.learner.chosen_upto();
        let known = self.learner.learned_from(first).take_while(|report| report.slot <= chosen_upto);
        let (slots, _) = chunk(known.take(CHUNK_SLOTS_MAX + 1));
        self.send(from, Message::LearnReply { slots, chosen_upto }, Lsn::ZERO);
    }

    fn on_learn_reply(&mut self, from: NodeId, slots: &[SlotReport], chosen_upto: Slot) {
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

    // ---- Sending -----------------------------------------------------------------------------

    fn reject(&mut self, to: NodeId, ballot: Ballot, refused: Refused) {
        self.send(to, Message::Reject { ballot, promised: refused.promised }, refused.after);
    }

    fn send(&mut self, to: NodeId, message: Message, after: Lsn) {
        self.effects.sends.push(Send { to, message, after });
    }
}

/// As many reports as one frame takes, and the slot at which the rest starts. The first always
/// fits: a single value is below the limit.
fn chunk(reports: impl Iterator<Item = SlotReport>) -> (Vec<SlotReport>, Option<Slot>) {
    let mut slots = Vec::new();
    let mut bytes = 0;
    for report in reports {
        bytes += report.value.len();
        if !slots.is_empty() && (bytes > CHUNK_BYTES_MAX || slots.len() >= CHUNK_SLOTS_MAX) {
            return (slots, Some(report.slot));
        }
        slots.push(report);
    }
    (slots, None)
}
