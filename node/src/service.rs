//! The replicated service: a [`Replica`], the state machine it feeds, and the clients that wait.
//!
//! Pure like the protocol below it: the shell drives it from sockets and a disk, the simulation
//! from a seed, and both see the same code. Input collects; [`Service::output`] proposes what
//! queued up as one batch, applies what was chosen, answers, and hands out what is to be written
//! and sent. Called once per burst of input, that is group commit without a timer.
//!
//! # What a client may be told
//!
//! "Failed" means: did not happen and never will. So it is said only of a request that this node
//! has not let out: not proposed, not forwarded. Since the network may repeat a request, the
//! answer sticks to the [`RequestId`] and not to the copy: once one copy has left, every other
//! copy is "unknown" at worst ([`Departed`]). Updates without an id can't be told apart, so they
//! are never "failed" at all by a node that let any of them out. Reads have no effect: they may
//! always fail.

mod changes;
mod departed;
mod forwarding;
mod proposing;
mod queue;
mod reads;
mod requests;
mod snapshots;
mod status;

pub use forwarding::FORWARDED_MAX;
pub use queue::{QUEUED_BYTES_MAX, QUEUED_COMMANDS_MAX};
pub use reads::{ReadMode, WAITING_READS_MAX};
pub use snapshots::{SnapshotDone, SnapshotOrder};
pub use status::{LeaderStatus, MemberStatus, MembersStatus, Status};

use crate::kv::{
    Batch, ClientReply, ClientRequest, ClientResult, Command, DefiniteError, Kv, RequestId, UnknownReason,
};
use crate::paxos::{
    AppliedHash, Base, Change, ChangeRefused, Effects, ElectionMode, Founding, LeaseTerms, LocalTime,
    LogContradiction, Lsn, Message, NodeId, Record, Recovered, Replica, ReplicaConfig, Send, Slot, Stranger,
    Timing, Value,
};
use crate::snapshot::Loaded;
use crate::wire::members::ChangeReply;
use departed::Departed;
use forwarding::Forwarded;
use queue::Queue;
use reads::Reads;
use snapshots::Snapshots;
use std::collections::BTreeMap;

/// How a node takes part in its cluster.
#[derive(Clone, Debug)]
pub struct Config {
    /// Tells clusters apart; travels in every frame.
    pub cluster: u64,
    /// This node.
    pub id: NodeId,
    /// Its disk: drawn when that was made, so that one that lost its memory has another.
    pub incarnation: u64,
    /// How it comes to know what the cluster began with, if its log does not say.
    pub founding: Founding,
    /// Slots in flight: [`SLOTS_IN_FLIGHT_MAX`](crate::paxos::SLOTS_IN_FLIGHT_MAX) but in small worlds.
    pub window: u64,
    /// The protocol's periods.
    pub timing: Timing,
    /// How election timeouts are chosen.
    pub election: ElectionMode,
    /// How reads are answered.
    pub reads: ReadMode,
    /// The leases that this node grants, whether it uses them or not.
    pub lease: LeaseTerms,
    /// Length of a tick, in milliseconds.
    pub tick_ms: u64,
    /// Different in each life of a node, so that nothing said to an earlier life is taken for an
    /// answer to this one.
    pub life: u64,
    /// A snapshot is taken when the log has grown by so many bytes since the last, and as many as
    /// that is large.
    pub snapshot_every_bytes: u64,
}

/// What a node's disk gave back.
#[derive(Default)]
pub struct Disk<'a> {
    /// The newest snapshot.
    pub snapshot: Option<Loaded>,
    /// How many records have been trimmed from the log's beginning.
    pub trimmed: u64,
    /// Those that are left, in order.
    pub records: &'a [Record],
}

/// One client connection.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Debug)]
pub struct ClientToken(pub u64);

/// Who waits for an answer.
#[derive(Copy, Clone, Debug)]
enum Origin {
    /// A client of this node, and its name for the request.
    Client { client: ClientToken, id: u64 },
    /// A follower that forwarded a request, and its name for it.
    Peer { node: NodeId, token: u64 },
}

/// A batch under way: who waits for each of its commands, and the value, to be sure of it.
#[derive(Debug)]
struct InFlight {
    value: Value,
    origins: Vec<Origin>,
}

/// What one burst of input leads to. The duties and their order are those of [`Effects`].
#[derive(Default, Debug)]
#[must_use = "records must be written, messages sent, clients answered"]
pub struct Output {
    /// To append to the log, in order.
    pub records: Vec<Record>,
    /// To send once durable enough.
    pub sends: Vec<Send>,
    /// To do with snapshots' files, in order, beside the rest: nothing above waits for it, and each
    /// of these is ordered only when all that it rests on is durable.
    pub snapshots: Vec<SnapshotOrder>,
    /// The log's records before this one are needed no more.
    pub trim: Option<Lsn>,
    /// Answers.
    pub replies: Vec<(ClientToken, ClientReply)>,
    /// What became of changes of the members, with the client's name for its request.
    pub changes: Vec<(ClientToken, u64, ChangeReply)>,
    /// The node must stop at once, loudly, with this evidence.
    pub fatal: Option<String>,
    /// The node must stop: the cluster knows another disk under its id, or none.
    pub unwelcome: Option<Stranger>,
}

/// A replica with its state machine and its clients.
pub struct Service {
    config: Config,
    replica: Replica,
    kv: Kv,
    queue: Queue,
    in_flight: BTreeMap<Slot, InFlight>,
    changes: BTreeMap<Slot, changes::Waiting>,
    reads: Reads,
    forwarded: BTreeMap<u64, Forwarded>,
    next_token: u64,
    /// The latest request id on each connection.
    latest_ids: BTreeMap<ClientToken, u64>,
    departed: Departed,
    snapshots: Snapshots,
    /// The disk has room for proposals.
    has_room: bool,
    now: u64,
    /// What the node's clock said when all input was in.
    clock: LocalTime,
    /// Tick and cluster time at which this node's leadership began to stamp.
    stamp_base: Option<(u64, u64)>,
    output: Output,
}

impl Service {
    /// A service that continues where a whole log left off, without a snapshot.
    ///
    /// # Errors
    /// If the records can't stem from a correct replica.
    pub fn new(
        config: Config,
        recovered: &[Record],
        seed: u64,
        now: LocalTime,
    ) -> Result<Service, LogContradiction> {
        Service::restore(config, Disk { records: recovered, ..Disk::default() }, seed, now)
    }

    /// A service that continues where its disk left off.
    ///
    /// # Errors
    /// If the records can't stem from a correct replica, or don't go with the snapshot.
    pub fn restore(
        config: Config,
        disk: Disk<'_>,
        seed: u64,
        now: LocalTime,
    ) -> Result<Service, LogContradiction> {
        let Disk { snapshot, trimmed, records } = disk;
        let replica_config = ReplicaConfig {
            id: config.id,
            incarnation: config.incarnation,
            founding: config.founding.clone(),
            window: config.window,
            timing: config.timing,
            election: config.election,
            lease: config.lease,
            uses_leases: config.reads == ReadMode::Lease,
        };
        let base = snapshot.as_ref().map_or(Base::NOTHING, |snapshot| snapshot.base);
        let (governing, kv, bytes) = snapshot.map_or_else(
            || (Vec::new(), Kv::new(), 0),
            |Loaded { governing, kv, bytes, .. }| (governing, kv, bytes),
        );
        let recovered = Recovered { base, governing: &governing, trimmed, records };
        let replica = Replica::restore(&replica_config, recovered, seed)?;
        let mut service = Service {
            next_token: config.life,
            config,
            replica,
            kv,
            queue: Queue::default(),
            in_flight: BTreeMap::new(),
            changes: BTreeMap::new(),
            reads: Reads::default(),
            forwarded: BTreeMap::new(),
            latest_ids: BTreeMap::new(),
            departed: Departed::default(),
            snapshots: Snapshots::new(bytes),
            has_room: true,
            now: 0,
            clock: now,
            stamp_base: None,
            output: Output::default(),
        };
        service.settle();
        Ok(service)
    }

    /// One tick of the clock.
    pub fn tick(&mut self) {
        self.now += 1;
        self.replica.tick();
        self.give_up_forwards();
        self.tick_snapshots();
    }

    /// A message that says it is from another replica, which is on disk `incarnation`. Taken in only
    /// if it is the one known: see `paxos/replica/founding.rs`. Whether it was; introductions are not.
    pub fn hear(&mut self, from: NodeId, incarnation: u64, message: Message) -> bool {
        match message {
            Message::Meet { stage } => self.replica.on_meet(from, incarnation, &stage),
            Message::Unwelcome { known } => self.replica.on_unwelcome(from, known),
            message => {
                let is_let_in = self.replica.takes_part() && self.replica.recognises(from, incarnation);
                if is_let_in {
                    self.peer(from, message);
                }
                return is_let_in;
            }
        }
        false
    }

    /// A message of another replica, whoever made sure of that.
    pub fn peer(&mut self, from: NodeId, message: Message) {
        match message {
            Message::Meet { .. } | Message::Unwelcome { .. } => {
                unreachable!("who introduces himself is heard, by his disk")
            }
            Message::Forward { token, request } => self.on_forward(from, token, request),
            Message::ForwardReply { token, reply } => self.on_forward_reply(from, token, reply),
            Message::SnapshotOffer { slot } => self.on_snapshot_offer(from, slot),
            Message::SnapshotRequest { slot, part } => self.on_snapshot_request(from, slot, part),
            Message::SnapshotPart { slot, part, bytes } => self.on_snapshot_part(slot, part, bytes),
            Message::Heartbeat { applied, .. } | Message::HeartbeatAck { applied, .. } => {
                self.compare(from, applied);
                self.replica.step(from, message);
            }
            Message::Prepare { .. }
            | Message::Promise { .. }
            | Message::Accept { .. }
            | Message::Accepted { .. }
            | Message::Reject { .. }
            | Message::PreVote { .. }
            | Message::PreVoteReply { .. }
            | Message::LearnRequest { .. }
            | Message::LearnReply { .. } => self.replica.step(from, message),
        }
    }

    /// The connection to a node was refused or reset.
    pub fn lost_touch(&mut self, node: NodeId) {
        self.replica.lost_touch(node);
    }

    /// A client asks. The ids on a connection ascend: one that doesn't is a copy that the network
    /// made, and is ignored. The first copy may have been told that it failed, which must stay true.
    pub fn client(&mut self, client: ClientToken, request: ClientRequest) {
        self.settle_leadership();
        let latest = self.latest_ids.entry(client).or_default();
        if request.id <= *latest {
            return;
        }
        *latest = request.id;
        #[cfg(feature = "mutants")]
        if crate::mutant!(TimerResetByAnything) {
            self.replica.postpone_election();
        }
        let origin = Origin::Client { client, id: request.id };
        match request.local {
            true => self.serve_local(origin, &request.command),
            false => self.accept_request(origin, request.command),
        }
    }

    /// A client has gone: nobody waits for its answers any more. What it asked for goes on.
    pub fn client_gone(&mut self, client: ClientToken) {
        self.latest_ids.remove(&client);
        self.forget_forwards(client);
    }

    /// The log is durable up to `lsn`.
    pub fn durable(&mut self, lsn: Lsn) {
        self.replica.durable(lsn);
    }

    /// Whether the disk has room for what is proposed here. If it has not, updates are refused before they
    /// are proposed, those that wait for a slot among them: what is left of it is for what the protocol
    /// needs.
    pub fn set_room(&mut self, has_room: bool) {
        self.has_room = has_room;
        if !has_room {
            for (origin, command) in self.queue.take_all() {
                self.refuse(origin, &command, DefiniteError::Overloaded);
            }
        }
    }

    /// Changes the members: see [`Replica::change`].
    ///
    /// # Errors
    /// Why nothing was proposed.
    pub fn change(&mut self, change: &Change) -> Result<Slot, ChangeRefused> {
        self.settle_leadership();
        self.replica.change(change)
    }

    /// The node is about to stop: everybody who waits is told what is known, and the log says how
    /// far the chosen prefix reaches.
    pub fn stop(&mut self) {
        self.replica.mark_chosen();
        self.abandon(UnknownReason::Stopping);
        self.give_up_all_forwards(UnknownReason::Stopping);
    }

    /// Hands out what the input since the last call led to. `now` is read after all of that was taken in,
    /// and before anything of this leaves: leases are measured by it.
    pub fn output(&mut self, now: LocalTime) -> Output {
        self.clock = now;
        self.settle_leadership();
        self.propose_queued();
        self.settle();
        if self.take_snapshot_if_due() {
            self.settle();
        }
        std::mem::take(&mut self.output)
    }

    // ---- Settling ----------------------------------------------------------------------------

    fn settle_leadership(&mut self) {
        if self.replica.take_deposed() {
            self.stamp_base = None;
            self.abandon(UnknownReason::LeaderChanged);
        }
    }

    /// Takes the replica's effects: applies, answers, and keeps what the caller has to do.
    fn settle(&mut self) {
        let Effects { records, sends, chosen, reads, trim } = self.replica.effects(self.clock);
        self.output.records.extend(records);
        self.output.sends.extend(sends);
        self.output.trim = self.output.trim.max(trim);
        for (slot, value) in chosen {
            self.apply(slot, &value);
        }
        self.output.unwelcome = self.replica.unwelcome();
        self.replica.set_applied(self.kv.applied());
        self.reads.confirm(reads);
        self.serve_reads();
    }

    fn apply(&mut self, slot: Slot, value: &Value) {
        let mut own = None;
        if crate::mutant!(NondeterministicApply)
            && let Value::Batch(bytes) = value
            && let Ok(mut batch) = Batch::decode(bytes.clone())
        {
            batch.time_ms = self.now * self.config.tick_ms;
            own = Some(Value::Batch(batch.encode()));
        }
        #[cfg(feature = "mutants")]
        if crate::mutant!(SessionExpiryByLocalClock) {
            self.kv.expire_sessions(self.now * self.config.tick_ms);
        }
        let replies = self.kv.apply(slot, own.as_ref().unwrap_or(value));
        self.decide_change(slot, value);
        let Some(waiting) = self.in_flight.remove(&slot) else { return };
        let origins = waiting.origins.into_iter();
        match replies {
            Ok(replies) if waiting.value == *value => {
                for (origin, reply) in origins.zip(replies) {
                    self.answer(origin, slot, ClientResult::Reply(reply));
                }
            }
            _ => {
                for origin in origins {
                    self.answer(origin, slot, ClientResult::Unknown(UnknownReason::LeaderChanged));
                }
            }
        }
    }

    /// This node does not lead any more: proposed commands have an unknown outcome, those that
    /// only waited did not happen, and neither did reads.
    fn abandon(&mut self, reason: UnknownReason) {
        let hint = self.replica.leader().map(|ballot| ballot.node);
        self.abandon_changes(&reason.to_string());
        for (_, waiting) in std::mem::take(&mut self.in_flight) {
            for origin in waiting.origins {
                let mut result = ClientResult::Unknown(reason);
                if crate::mutant!(DefiniteErrorForInFlight) {
                    result = ClientResult::Failed(DefiniteError::NotLeader { hint });
                }
                self.answer(origin, Slot::ZERO, result);
            }
        }
        for (origin, command) in self.queue.take_all() {
            self.refuse(origin, &command, DefiniteError::NotLeader { hint });
        }
        for origin in self.reads.take_all() {
            self.answer(origin, Slot::ZERO, ClientResult::Failed(DefiniteError::NotLeader { hint }));
        }
    }

    /// I8: equal prefixes, equal states.
    fn compare(&mut self, from: NodeId, theirs: AppliedHash) {
        let Some(ours) = self.kv.hash_at(theirs.slot) else { return };
        if ours != theirs.hash && self.output.fatal.is_none() {
            self.output.fatal = Some(format!(
                "I8: replicas diverged: after slot {} the state hash is {ours:016x} here on {} and {:016x} on {from}",
                theirs.slot, self.config.id, theirs.hash
            ));
        }
    }

    // ---- Answering ---------------------------------------------------------------------------

    fn answer(&mut self, origin: Origin, slot: Slot, result: ClientResult) {
        match origin {
            Origin::Client { client, id } => {
                self.output.replies.push((client, ClientReply { id, slot, result }));
            }
            Origin::Peer { node, token } => {
                let reply = ClientReply { id: token, slot, result }.encode();
                self.send(node, Message::ForwardReply { token, reply });
            }
        }
    }

    fn send(&mut self, to: NodeId, message: Message) {
        // Reveals nothing that is not durable: requests, and answers about what is chosen.
        self.output.sends.push(Send { to, message, after: Lsn::ZERO });
    }

    fn take_token(&mut self) -> u64 {
        self.next_token = self.next_token.wrapping_add(1);
        self.next_token
    }

    // ---- Looking in --------------------------------------------------------------------------

    /// The replica, for observers.
    #[must_use]
    pub fn replica(&self) -> &Replica {
        &self.replica
    }

    /// The state machine, for observers.
    #[must_use]
    pub fn kv(&self) -> &Kv {
        &self.kv
    }

    /// Whether no snapshot is being taken or fetched, for observers.
    #[must_use]
    pub fn is_snapshot_idle(&self) -> bool {
        self.snapshots.is_idle()
    }
}

/// The name of a request, if it has one that stays the same when it is repeated.
fn request_id(command: &Command) -> Option<RequestId> {
    match command {
        Command::OpenSession { .. } => None,
        Command::Execute { request, .. } => *request,
    }
}
