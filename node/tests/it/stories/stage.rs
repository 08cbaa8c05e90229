//! A stage: whole nodes (state machine, service, replica), and every message, disk write, clock
//! tick and restart moved by hand. Relies on nothing but the service's own interface, so the same
//! story is told whatever rule is missing. Logs and snapshots are the real ones, over disks that keep no more
//! than they must.
//!
//! Four watch, and go on watching when one of them has found something: the all-seeing
//! [`Observer`]; the nodes, which may stop themselves; the clients, whose answers about one list
//! are judged at the end; and patience. Only the first sees what no one outside could.

mod clients;
mod judging;
mod machines;

use crate::lab::TIMING;
use crate::recovery::{CrashDisk, Shared};
use paxos_node::kv::SessionId;
use paxos_node::paxos::Change;
use paxos_node::paxos::invariants::Observer;
use paxos_node::paxos::{
    Configuration, LeaseTerms, LocalTime, Lsn, Member, Message, NodeId, Record, RoleName,
    SLOTS_IN_FLIGHT_MAX, Send, Standing,
};
use paxos_node::service::{ClientToken, Output, Service, SnapshotOrder};
use paxos_node::sim::History;
use paxos_node::snapshot::Files;
use paxos_node::wal::{Keeper, Wal};
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

fn founding(nodes: u16) -> Configuration {
    let founder = |node| Member {
        node: NodeId(node),
        standing: Standing::Voter,
        incarnation: u64::from(node),
        address: String::new(),
    };
    Configuration::founding((1..=nodes).map(founder).collect())
}

/// The list that all appends go to, and all reads.
const LIST: &[u8] = b"list";

/// Length of a tick, by each node's own clock.
const TICK_US: u64 = 10_000;

/// Ticks within which a healed cluster must be one again: several rounds of the longest back-off.
const PATIENCE_TICKS: u64 = 3_000;

/// Segments so short that each batch has one to itself, nearly: a log is trimmed to the record, nearly.
const SEGMENT_BYTES: u64 = 200;

/// A call of a client: its place in the history.
pub(crate) type Call = usize;

/// What was found wrong, first of each kind.
#[derive(Clone, Default, Debug)]
pub(crate) struct Found {
    /// An invariant, broken where only an observer of everything sees it.
    pub(crate) observer: Option<String>,
    /// A node that stopped itself, and why.
    pub(crate) node: Option<String>,
    /// What clients were told can't be.
    pub(crate) clients: Option<String>,
    /// Something that had to happen did not.
    pub(crate) progress: Option<String>,
}

/// A node: what its disk holds, and its process, if that runs.
struct Actor {
    service: Option<Service>,
    /// What it asked its disk to keep, trimmed or not.
    records: Vec<Record>,
    /// How many of them are durable.
    durable: usize,
    disk: Shared,
    /// How often the disk lost its memory.
    wiped: u64,
    /// The log, and who makes and trims its segments, as long as the process lives.
    log: Option<(Wal<Shared>, Keeper<Shared>)>,
    /// Where the snapshots are, and what is still to be done with them.
    files: Option<Files<Shared>>,
    orders: VecDeque<SnapshotOrder>,
    /// Records before this one are still to be removed.
    trim: Option<Lsn>,
    /// They are done only when the story says so.
    files_slowly: bool,
    life: u64,
    clock: LocalTime,
}

impl Actor {
    fn new() -> Actor {
        Actor {
            service: None,
            records: Vec::new(),
            durable: 0,
            disk: Shared(Rc::new(RefCell::new(CrashDisk::default()))),
            wiped: 0,
            log: None,
            files: None,
            orders: VecDeque::new(),
            trim: None,
            files_slowly: false,
            life: 0,
            clock: LocalTime::default(),
        }
    }
}

/// Nodes, their disks, the messages between them, and who watches.
pub(crate) struct Stage {
    actors: Vec<Actor>,
    /// Sent, or waiting for the sender's disk.
    under_way: Vec<(NodeId, Send)>,
    observer: Observer,
    history: History,
    /// Who still listens on which connection: for a call, or for a session.
    listening: BTreeMap<ClientToken, Option<Call>>,
    connections: u64,
    opened: Option<SessionId>,
    snapshot_every_bytes: u64,
    segment_bytes: u64,
    lease: LeaseTerms,
    founders: u16,
    window: u64,
    found: Found,
}

impl Stage {
    /// Nodes from 1 on that have never run, and now do.
    pub(crate) fn new(nodes: u16) -> Stage {
        Stage::with_snapshots(nodes, u64::MAX)
    }

    /// The same, and they take a snapshot whenever their log has grown by so many bytes.
    pub(crate) fn with_snapshots(nodes: u16, snapshot_every_bytes: u64) -> Stage {
        Stage::with_segments(nodes, snapshot_every_bytes, SEGMENT_BYTES)
    }

    /// The same, with segments of so many bytes.
    pub(crate) fn with_segments(nodes: u16, snapshot_every_bytes: u64, segment_bytes: u64) -> Stage {
        Stage::with(nodes, snapshot_every_bytes, segment_bytes, SLOTS_IN_FLIGHT_MAX as u64, LeaseTerms::NONE)
    }

    /// Nodes that never run more than so many slots ahead: their configurations begin as soon.
    pub(crate) fn with_window(nodes: u16, window: u64) -> Stage {
        Stage::with(nodes, u64::MAX, SEGMENT_BYTES, window, LeaseTerms::NONE)
    }

    /// Nodes that grant leases, and use them when they lead. Their clocks run as they tick.
    pub(crate) fn with_leases(nodes: u16, lease: LeaseTerms) -> Stage {
        let mut stage = Stage::with(nodes, u64::MAX, SEGMENT_BYTES, SLOTS_IN_FLIGHT_MAX as u64, lease);
        // Until then they owe an earlier life, for all they know.
        (1..=nodes).for_each(|node| stage.pass(node, lease.term_us));
        stage
    }

    fn with(
        nodes: u16,
        snapshot_every_bytes: u64,
        segment_bytes: u64,
        window: u64,
        lease: LeaseTerms,
    ) -> Stage {
        let mut stage = Stage {
            actors: (0..nodes).map(|_| Actor::new()).collect(),
            under_way: Vec::new(),
            observer: Observer::new(founding(nodes), window),
            history: History::default(),
            listening: BTreeMap::new(),
            connections: 0,
            opened: None,
            snapshot_every_bytes,
            segment_bytes,
            lease,
            founders: nodes,
            window,
            found: Found::default(),
        };
        (1..=nodes).for_each(|node| stage.start(node));
        stage
    }

    /// The same with a leader whom everybody knows, and slot 1 (its no-op) on every disk as
    /// accepted, and on the leader's as chosen.
    pub(crate) fn led_by(leader: u16, nodes: u16) -> Stage {
        Stage::new(nodes).lead(leader)
    }

    /// The same from a stage on which nothing has happened yet.
    pub(crate) fn lead(mut self, leader: u16) -> Stage {
        let stage = &mut self;
        stage.elect(leader, &stage.everybody());
        stage.tick(leader, 10);
        stage.run(&stage.everybody());
        self
    }

    // ---- Clocks and elections ----------------------------------------------------------------

    /// The node's clock moves.
    pub(crate) fn tick(&mut self, node: u16, ticks: u64) {
        for _ in 0..ticks {
            self.actors[index(node)].clock.0 += TICK_US;
            self.act(node, Service::tick);
        }
    }

    /// By the node's clock so much time passes, in which it gets to do nothing: as for one that is frozen.
    pub(crate) fn pass(&mut self, node: u16, us: u64) {
        self.actors[index(node)].clock.0 += us;
        self.act(node, |_| {});
    }

    /// The node's clock moves until it stands for leadership (once more); nothing is delivered.
    pub(crate) fn campaign(&mut self, node: u16) {
        let attempts = |stage: &Stage| {
            let records = stage.actors[index(node)].records.iter();
            records.filter(|record| matches!(record, Record::BallotUsed(_))).count()
        };
        let before = attempts(self);
        let stood = (0..PATIENCE_TICKS).any(|_| {
            self.tick(node, 1);
            attempts(self) > before
        });
        self.demand(stood, &format!("n{node} never stood for leader"));
    }

    /// The node stands, and these take part until it is quiet; it must then lead, and they know.
    pub(crate) fn elect(&mut self, node: u16, among: &[u16]) {
        self.campaign(node);
        self.run(among);
        self.demand(self.leads(node), &format!("n{node} was to lead"));
        self.tick(node, TIMING.heartbeat_ticks);
        self.run(among);
    }

    /// Whether the node takes itself for the leader.
    pub(crate) fn leads(&self, node: u16) -> bool {
        let service = self.actors[index(node)].service.as_ref();
        service.is_some_and(|service| service.replica().role() == RoleName::Leader)
    }

    // ---- Members -----------------------------------------------------------------------------

    /// A node that knows nothing runs from now on, under the next id.
    pub(crate) fn join(&mut self) -> u16 {
        self.actors.push(Actor::new());
        let node = u16::try_from(self.actors.len()).expect("a short story");
        self.start(node);
        node
    }

    /// The leader is asked to change the members; whether it began to.
    pub(crate) fn change(&mut self, leader: u16, change: &Change) -> bool {
        let mut began = false;
        self.act(leader, |service| began = service.change(change).is_ok());
        began
    }

    /// Another node joins and learns, and then votes in the place of `node`: until the leader's last
    /// change is proposed, and on its way to everybody.
    pub(crate) fn prepare_replacement(&mut self, leader: u16, node: u16) -> u16 {
        let by = self.join();
        let (id, address) = (NodeId(by), String::new());
        let added = self.change(leader, &Change::Add { node: id, incarnation: u64::from(by), address });
        self.run(&self.everybody());
        self.tick(leader, TIMING.heartbeat_ticks);
        self.run(&self.everybody());
        // What it learned then it tells with the next heartbeat.
        self.tick(leader, TIMING.heartbeat_ticks);
        self.run(&self.everybody());
        let replaced = self.change(leader, &Change::Replace { node: NodeId(node), by: id });
        self.demand(added && replaced, "members could not be changed");
        by
    }

    /// Whether a node is a member, as far as this one knows.
    pub(crate) fn is_member(&self, node: u16, asked: u16) -> bool {
        let Some(service) = &self.actors[index(asked)].service else { return false };
        service.replica().configuration().member(NodeId(node)).is_some()
    }

    // ---- Messages ----------------------------------------------------------------------------

    /// Takes what may leave on a link off it; `kind`: only messages of that kind, `""`: all.
    pub(crate) fn take(&mut self, from: u16, to: u16, kind: &str) -> Vec<Message> {
        let durable = Lsn(self.actors[index(from)].durable as u64);
        let leaves = |(sender, send): &mut (NodeId, Send)| {
            let is_meant = *sender == NodeId(from) && send.to == NodeId(to);
            is_meant && send.after <= durable && (kind.is_empty() || kind_of(&send.message) == kind)
        };
        let taken: Vec<Message> =
            self.under_way.extract_if(.., leaves).map(|(_, send)| send.message).collect();
        for message in &taken {
            let judged = self.observer.left(NodeId(from), message);
            self.note(judged);
        }
        taken
    }

    /// These messages arrive, in this order.
    pub(crate) fn hand(&mut self, from: u16, to: u16, messages: Vec<Message>) {
        for message in messages {
            if self.actors[index(to)].service.is_some() {
                self.observer.heard(NodeId(to), &message);
            }
            let incarnation = self.incarnation(from);
            self.act(to, |service| _ = service.hear(NodeId(from), incarnation, message));
        }
    }

    /// All that may leave on a link arrives; how many messages that were.
    pub(crate) fn deliver(&mut self, from: u16, to: u16) -> usize {
        self.deliver_only(from, to, "")
    }

    /// The same for one kind of message; the others stay under way.
    pub(crate) fn deliver_only(&mut self, from: u16, to: u16, kind: &str) -> usize {
        let messages = self.take(from, to, kind);
        let count = messages.len();
        self.hand(from, to, messages);
        count
    }

    /// One tells the other what it has to say, and hears the answer; both have it on disk before they
    /// speak.
    pub(crate) fn exchange(&mut self, first: u16, second: u16) {
        self.sync(first);
        self.deliver(first, second);
        self.sync(second);
        self.deliver(second, first);
    }

    /// All that may leave on a link is lost.
    pub(crate) fn lose(&mut self, from: u16, to: u16) {
        self.take(from, to, "");
    }

    /// Everything under way is lost.
    pub(crate) fn lose_everything(&mut self) {
        self.under_way.clear();
    }

    /// What the memory of the node's disk is called.
    fn incarnation(&self, node: u16) -> u64 {
        u64::from(node) + 1000 * self.actors[index(node)].wiped
    }

    /// Disks sync and messages arrive among these until it is quiet; the rest is left lying.
    pub(crate) fn run(&mut self, among: &[u16]) {
        loop {
            let mut is_quiet = true;
            for from in among {
                is_quiet &= !self.sync(*from);
                is_quiet &= self.actors[index(*from)].files_slowly || !self.file(*from);
                for to in among {
                    is_quiet &= from == to || self.deliver(*from, *to) == 0;
                }
            }
            if is_quiet {
                return;
            }
        }
    }

    // ---- Inside ------------------------------------------------------------------------------

    fn everybody(&self) -> Vec<u16> {
        (1..).take(self.actors.len()).collect()
    }

    /// A node does something and answers its input; if it is down, nothing happens.
    fn act(&mut self, node: u16, act: impl FnOnce(&mut Service)) {
        let actor = &mut self.actors[index(node)];
        let Some(service) = &mut actor.service else { return };
        let acted = catch_unwind(AssertUnwindSafe(|| {
            act(service);
            service.output(actor.clock)
        }));
        match acted {
            Ok(Output { fatal: Some(evidence), .. }) => self.stopped_itself(node, &evidence),
            // As it must if it lost its memory; if not, whoever waits for it will miss it.
            Ok(Output { unwelcome: Some(_), .. }) => self.go_down(node),
            Ok(output) => self.collect(node, output),
            Err(panic) => self.stopped_itself(node, &words(&*panic)),
        }
    }

    fn collect(&mut self, node: u16, output: Output) {
        for record in output.records {
            let judged = self.observer.wrote(NodeId(node), &record);
            self.note(judged);
            self.actors[index(node)].records.push(record);
        }
        if let Some(service) = &self.actors[index(node)].service {
            let kv = service.kv();
            let looked = self.observer.look(service.replica());
            let applied = self.observer.applied(NodeId(node), kv.applied(), |slot| kv.hash_at(slot));
            self.note(looked.and(applied));
        }
        let actor = &mut self.actors[index(node)];
        actor.orders.extend(output.snapshots);
        actor.trim = actor.trim.max(output.trim);
        self.under_way.extend(output.sends.into_iter().map(|send| (NodeId(node), send)));
        for (client, reply) in output.replies {
            self.answered(client, reply);
        }
    }

    fn note(&mut self, judged: Result<(), String>) {
        if let Err(reason) = judged {
            self.found.observer.get_or_insert(reason);
        }
    }
}

fn index(node: u16) -> usize {
    usize::from(node) - 1
}

fn words(panic: &(dyn std::any::Any + std::marker::Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a word").to_owned()
}

fn kind_of(message: &Message) -> &'static str {
    match message {
        Message::Prepare { .. } => "Prepare",
        Message::Promise { .. } => "Promise",
        Message::Accept { .. } => "Accept",
        Message::Accepted { .. } => "Accepted",
        Message::Reject { .. } => "Reject",
        Message::Heartbeat { .. } => "Heartbeat",
        Message::HeartbeatAck { .. } => "HeartbeatAck",
        Message::LearnRequest { .. } => "LearnRequest",
        Message::LearnReply { .. } => "LearnReply",
        Message::Forward { .. } => "Forward",
        Message::ForwardReply { .. } => "ForwardReply",
        Message::SnapshotOffer { .. } => "SnapshotOffer",
        Message::SnapshotRequest { .. } => "SnapshotRequest",
        Message::SnapshotPart { .. } => "SnapshotPart",
        Message::PreVote { .. } => "PreVote",
        Message::PreVoteReply { .. } => "PreVoteReply",
        Message::Meet { .. } => "Meet",
        Message::Unwelcome { .. } => "Unwelcome",
    }
}
