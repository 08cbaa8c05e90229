//! One replica: proposer, acceptor and learner in one process, joined by an election.
//!
//! It has no rule of its own: it asks the roles, and turns their answers into [`Effects`]. Input
//! comes in through [`tick`](Replica::tick), [`step`](Replica::step),
//! [`propose`](Replica::propose), [`read`](Replica::read) and [`durable`](Replica::durable);
//! [`effects`](Replica::effects) hands out what they led to. What messages of one kind lead to is in
//! a file of its own: `phase1`, `phase2`, `heartbeat` and `catch_up`; here is what they share.

mod canvass;
mod catch_up;
mod chunk;
mod founding;
mod heartbeat;
mod looking_in;
mod membership;
mod phase1;
mod phase2;
mod trimming;

pub use chunk::{CHUNK_BYTES_MAX, CHUNK_SLOTS_MAX};
pub use founding::{Founding, Stranger};

use super::acceptor::{Acceptor, Refused};
use super::candidate::Candidate;
use super::election::{Election, ElectionMode, Timing};
use super::journal::Journal;
use super::leader::Leader;
use super::learner::{Learner, LogContradiction};
use super::lease::{Grant, LeaseTerms};
use super::reads::Reads;
use super::{
    AppliedHash, Ballot, Configuration, Configurations, Effects, LocalTime, Lsn, Message, NodeId, Record,
    Recovered, Send, Slot, Value,
};
use canvass::Canvass;
use founding::Meeting;
use trimming::Trimming;

/// Slots that a leader may have in flight beyond what is chosen: enough to keep network and disks
/// busy, few enough for a take-over to stay short. The α of `configuration.rs`, so the same on every
/// node of a cluster, and never to be changed while it lives.
pub const SLOTS_IN_FLIGHT_MAX: usize = 64;

/// A chosen mark is written with other records, or alone after this many ticks.
const MARK_TICKS: u64 = 10;

/// Who takes part, and how patient they are.
#[derive(Clone, Debug)]
pub struct ReplicaConfig {
    /// This node.
    pub id: NodeId,
    /// Its disk: drawn when that was made.
    pub incarnation: u64,
    /// How it comes to know what the cluster began with, if its log does not say.
    pub founding: Founding,
    /// Slots in flight: [`SLOTS_IN_FLIGHT_MAX`] everywhere, but for small worlds.
    pub window: u64,
    /// Periods.
    pub timing: Timing,
    /// How election timeouts are chosen.
    pub election: ElectionMode,
    /// The leases that this node grants.
    pub lease: LeaseTerms,
    /// Whether it answers reads by them while it leads.
    pub uses_leases: bool,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a replica has one")]
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
    incarnation: u64,
    /// Not over yet: this founder takes no part.
    meeting: Option<Meeting>,
    unwelcome: Option<Stranger>,
    window: u64,
    timing: Timing,
    journal: Journal,
    acceptor: Acceptor,
    learner: Learner,
    election: Election,
    role: Role,
    /// Asks whether to stand; only ever a follower.
    canvass: Option<Canvass>,
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
    trimming: Trimming,
    /// The configuration in force when that was last written down, and where.
    in_force: (u64, Lsn),
    /// The highest ballot that an earlier life used. A crash may have kept that and lost the promise.
    used: Ballot,
    /// The lease granted to another.
    grant: Grant,
    /// The lease to ask for as a leader.
    asks_lease: LeaseTerms,
    /// Reads that could be answered for a lease, and those for a quorum's answer.
    reads_by_lease: u64,
    reads_by_barrier: u64,
    deposed: bool,
    effects: Effects,
}

impl Replica {
    /// A replica that continues where a whole log left off; `seed` feeds its election timeouts.
    ///
    /// # Errors
    /// If the records can't stem from a correct replica.
    pub fn new(config: &ReplicaConfig, recovered: &[Record], seed: u64) -> Result<Replica, LogContradiction> {
        Replica::restore(config, Recovered::whole(recovered), seed)
    }

    /// The same from what is left of a log that was trimmed, and the snapshot that it stands on.
    ///
    /// # Errors
    /// If the records can't stem from a correct replica, or don't go with the snapshot.
    pub fn restore(
        config: &ReplicaConfig,
        recovered: Recovered<'_>,
        seed: u64,
    ) -> Result<Replica, LogContradiction> {
        trimming::check(&recovered)?;
        let Recovered { base, governing, trimmed, records } = recovered;
        let mut acceptor = Acceptor::new();
        let (founding, meeting) = beginning(&config.founding, recovered);
        let mut configurations = Configurations::new(founding, config.window);
        configurations.restore(governing);
        let mut learner = Learner::new(base, configurations);
        let mut journal = Journal::new(Lsn(trimmed + records.len() as u64));
        let (mut round_max, mut used) = (base.ballot.round, Ballot::ZERO);
        let mut replayed = records;
        if crate::mutant!(ForgetAcceptedOnRestart) {
            let last = records.iter().rposition(|record| matches!(record, Record::ChosenUpto(_)));
            replayed = &records[..last.map_or(0, |last| last + 1)];
        }
        for (lsn, record) in (trimmed + 1..).zip(replayed) {
            acceptor.recover(record, Lsn(lsn), base.slot);
            learner.recover(record, &acceptor)?;
            journal.recover(record);
            if let Record::BallotUsed(ballot) = record {
                round_max = round_max.max(ballot.round);
                used = used.max(*ballot);
            }
        }
        round_max = round_max.max(acceptor.promised().round);
        if crate::mutant!(BallotReuseAfterRestart) && acceptor.promised().node == config.id {
            round_max -= 1;
        }
        let in_force = (learner.governing_next().number(), Lsn::ZERO);
        let mut replica = Replica {
            in_force,
            id: config.id,
            incarnation: config.incarnation,
            meeting,
            unwelcome: None,
            window: config.window,
            timing: config.timing,
            journal,
            acceptor,
            learner,
            election: Election::new(config.election, config.timing, seed),
            role: Role::Follower,
            canvass: None,
            following: None,
            round_max,
            applied: AppliedHash::default(),
            now: 0,
            marked_at: 0,
            learn_asked_at: None,
            asked: (Ballot::ZERO, Slot::ZERO),
            trimming: Trimming::new(base.slot),
            used,
            grant: Grant::new(config.lease),
            asks_lease: if config.uses_leases { config.lease } else { LeaseTerms::NONE },
            reads_by_lease: 0,
            reads_by_barrier: 0,
            deposed: false,
            effects: Effects::default(),
        };
        replica.effects.chosen = replica.learner.take_executable();
        if crate::mutant!(ResumeLeadership) && replica.promised().node == replica.id {
            let (ballot, last) = (replica.promised(), replica.last_slot());
            let promised = Candidate::promised_by(ballot, replica.configuration().voters());
            let mut leader = Leader::new(promised, last.next(), 0, Reads::new(replica.asks_lease));
            leader.barrier = Some(last);
            replica.role = Role::Leader(leader);
            replica.following = Some(ballot);
        }
        Ok(replica)
    }

    /// One tick of the caller's clock.
    pub fn tick(&mut self) {
        self.now += 1;
        if !self.takes_part() {
            self.tick_meeting();
            return;
        }
        match &mut self.role {
            Role::Leader(leader) => {
                let patience = self.timing.election_ticks_max;
                let configuration = self.learner.governing_next();
                if !leader.hears_quorum(self.now, patience, configuration, self.id) {
                    self.step_down(None);
                    self.election.postpone(self.now);
                    return;
                }
                self.retransmit_accepts();
                self.retransmit_prepares();
                if self.is_heartbeat_due() {
                    self.send_heartbeats();
                }
            }
            Role::Candidate(_) | Role::Follower if self.election.is_due(self.now) => self.campaign(),
            Role::Candidate(_) => self.retransmit_prepares(),
            Role::Follower => self.canvass_again(),
        }
    }

    /// A message of another replica.
    pub fn step(&mut self, from: NodeId, message: Message) {
        assert!(from != self.id, "a replica does not write to itself");
        match message {
            Message::Prepare { ballot, from: first } => self.on_prepare(from, ballot, first),
            Message::Promise { ballot, from: first, slots, next, trimmed } => {
                self.on_promise(from, ballot, first, &slots, next, trimmed);
            }
            Message::Accept { ballot, slot, value, chosen_upto } => {
                self.on_accept(from, ballot, slot, &value, chosen_upto);
            }
            Message::Accepted { ballot, slot } => self.on_accepted(from, ballot, slot),
            Message::Reject { ballot, promised } => self.on_reject(ballot, promised),
            Message::Heartbeat { ballot, chosen_upto, read_seq, .. } => {
                self.on_heartbeat(from, ballot, chosen_upto, read_seq);
            }
            Message::HeartbeatAck { ballot, read_seq, chosen_upto, lease_us, .. } => {
                self.on_heartbeat_ack(from, ballot, read_seq, chosen_upto, lease_us);
            }
            Message::LearnRequest { from: first } => self.on_learn_request(from, first),
            Message::LearnReply { slots, chosen_upto } => self.on_learn_reply(from, &slots, chosen_upto),
            Message::PreVote { ballot } => self.on_pre_vote(from, ballot),
            Message::PreVoteReply { ballot, promised, granted } => {
                self.on_pre_vote_reply(from, ballot, promised, granted);
            }
            Message::Meet { .. }
            | Message::Unwelcome { .. }
            | Message::Forward { .. }
            | Message::ForwardReply { .. }
            | Message::SnapshotOffer { .. }
            | Message::SnapshotRequest { .. }
            | Message::SnapshotPart { .. } => {
                unreachable!("introductions, requests and snapshots travel above the protocol")
            }
        }
    }

    /// The log is durable up to `lsn`.
    pub fn durable(&mut self, lsn: Lsn) {
        self.journal.confirm(lsn);
        self.begin_if_founded();
        self.cut_log();
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
    ///
    /// # Panics
    /// If it is a configuration: members are changed by [`change`](Self::change) alone.
    pub fn propose(&mut self, value: Value) -> Option<Slot> {
        assert!(!matches!(value, Value::Configuration(_)), "a change of members is checked first");
        if !self.can_propose() {
            return None;
        }
        let Role::Leader(leader) = &mut self.role else { return None };
        let slot = leader.next;
        leader.next = slot.next();
        self.propose_in(slot, value);
        Some(slot)
    }

    /// Whether [`propose`](Self::propose) would take a value now: this node leads, has taken over
    /// what was there, and may propose in its next slot.
    #[must_use]
    pub fn can_propose(&self) -> bool {
        let Role::Leader(leader) = &self.role else { return false };
        leader.barrier.is_some()
            && leader.next > leader.phase1.last_reported()
            && self.may_propose(leader.next)
    }

    /// Asks for a read barrier; its token comes back in [`Effects::reads`] once confirmed, or
    /// never, if this node stops leading. `false` if it does not lead.
    pub fn read(&mut self, token: u64) -> bool {
        let Role::Leader(leader) = &mut self.role else { return false };
        leader.reads.ask(token, self.learner.chosen_upto());
        true
    }

    /// Waits for a leader as if one had just been heard.
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

    /// Hands out everything asked for since the last call, at this moment by the node's clock: read after
    /// all input was taken in, and before anything of this leaves.
    pub fn effects(&mut self, now: LocalTime) -> Effects {
        self.go_on();
        self.confirm_reads(now);
        self.time_leases(now);
        self.drop_trimmed();
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

    fn on_reject(&mut self, ballot: Ballot, promised: Ballot) {
        // Anything else is no reason to refuse.
        if promised > ballot && !crate::mutant!(IgnoreNack) {
            self.see(promised);
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
        self.canvass = None;
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

    fn reject(&mut self, to: NodeId, ballot: Ballot, refused: Refused) {
        self.send(to, Message::Reject { ballot, promised: refused.promised }, refused.after);
    }

    fn send(&mut self, to: NodeId, message: Message, after: Lsn) {
        self.effects.sends.push(Send { to, message, after });
    }
}

/// What a log says of how the cluster began; if it does not say, what the node was told.
fn beginning(founding: &Founding, recovered: Recovered<'_>) -> (Configuration, Option<Meeting>) {
    let mut pledged = None;
    for (lsn, record) in (recovered.trimmed + 1..).zip(recovered.records) {
        match record {
            Record::Founded(founding) => return (Configuration::clone(founding), None),
            Record::Pledged(pledge) => pledged = Some((std::sync::Arc::clone(pledge), Lsn(lsn))),
            _ => {}
        }
    }
    let is_fresh = recovered.records.is_empty() && recovered.base.slot == Slot::ZERO;
    match founding {
        Founding::Known(configuration) => (configuration.clone(), None),
        Founding::Meeting(founders) if is_fresh || pledged.is_some() => {
            (Configuration::unknown(), Some(Meeting::new(founders, pledged)))
        }
        // Its log goes back to before it knew anybody, or to a snapshot that says who governs: it joined,
        // or was founded and has trimmed that.
        Founding::Meeting(_) => (Configuration::unknown(), None),
    }
}
