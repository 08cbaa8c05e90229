//! A stage: whole nodes (state machine, service, replica), and every message, disk write, clock
//! tick and restart moved by hand. Relies on nothing but the service's own interface, so the same
//! story is told whatever rule is missing.
//!
//! Four watch, and go on watching when one of them has found something: the all-seeing
//! [`Observer`]; the nodes, which may stop themselves; the clients, whose answers about one list
//! are judged at the end; and patience. Only the first sees what no one outside could.

use bytes::Bytes;
use paxos_node::kv::{
    ClientReply, ClientRequest, ClientResult, Command, OpResult, Reply, RequestId, SessionId, Txn, TxnOp,
    TxnOutcome,
};
use paxos_node::paxos::invariants::Observer;
use paxos_node::paxos::{ElectionMode, Lsn, Message, NodeId, Record, RoleName, Send, Timing};
use paxos_node::service::{ClientToken, Config, Output, Service};
use paxos_node::sim::{History, Told, judge_lists};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The list that all appends go to, and all reads.
const LIST: &[u8] = b"list";

/// Ticks within which a healed cluster must be one again: several rounds of the longest back-off.
const PATIENCE_TICKS: u64 = 3_000;

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
    records: Vec<Record>,
    /// Records that a power loss leaves.
    durable: usize,
    life: u64,
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
    found: Found,
}

impl Stage {
    /// Nodes from 1 on that have never run, and now do.
    pub(crate) fn new(nodes: u16) -> Stage {
        let actor = |_| Actor { service: None, records: Vec::new(), durable: 0, life: 0 };
        let mut stage = Stage {
            actors: (0..nodes).map(actor).collect(),
            under_way: Vec::new(),
            observer: Observer::new(usize::from(nodes)),
            history: History::default(),
            listening: BTreeMap::new(),
            connections: 0,
            opened: None,
            found: Found::default(),
        };
        (1..=nodes).for_each(|node| stage.start(node));
        stage
    }

    /// The same with a leader whom everybody knows, and slot 1 (its no-op) on every disk as
    /// accepted, and on the leader's as chosen.
    pub(crate) fn led_by(leader: u16, nodes: u16) -> Stage {
        let mut stage = Stage::new(nodes);
        stage.elect(leader, &stage.everybody());
        stage.tick(leader, 10);
        stage.run(&stage.everybody());
        stage
    }

    // ---- Clocks and elections ----------------------------------------------------------------

    /// The node's clock moves.
    pub(crate) fn tick(&mut self, node: u16, ticks: u64) {
        for _ in 0..ticks {
            self.act(node, Service::tick);
        }
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
        self.tick(node, Timing::default().heartbeat_ticks);
        self.run(among);
    }

    /// Whether the node takes itself for the leader.
    pub(crate) fn leads(&self, node: u16) -> bool {
        let service = self.actors[index(node)].service.as_ref();
        service.is_some_and(|service| service.replica().role() == RoleName::Leader)
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
            self.act(to, |service| service.peer(NodeId(from), message));
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

    /// All that may leave on a link is lost.
    pub(crate) fn lose(&mut self, from: u16, to: u16) {
        self.take(from, to, "");
    }

    /// Everything under way is lost.
    pub(crate) fn lose_everything(&mut self) {
        self.under_way.clear();
    }

    /// Disks sync and messages arrive among these until it is quiet; the rest is left lying.
    pub(crate) fn run(&mut self, among: &[u16]) {
        loop {
            let mut is_quiet = true;
            for from in among {
                is_quiet &= !self.sync(*from);
                for to in among {
                    is_quiet &= from == to || self.deliver(*from, *to) == 0;
                }
            }
            if is_quiet {
                return;
            }
        }
    }

    // ---- Disks and processes -----------------------------------------------------------------

    /// The node's disk finishes all that was written; whether there was anything.
    pub(crate) fn sync(&mut self, node: u16) -> bool {
        let actor = &mut self.actors[index(node)];
        let newly = actor.durable..actor.records.len();
        if actor.service.is_none() || newly.is_empty() {
            return false;
        }
        actor.durable = newly.end;
        let records = actor.records[newly.clone()].to_vec();
        for record in &records {
            let judged = self.observer.durable(NodeId(node), record);
            self.note(judged);
        }
        self.act(node, |service| service.durable(Lsn(newly.end as u64)));
        true
    }

    /// The process dies; what it wrote is in the page cache, and stays.
    pub(crate) fn kill(&mut self, node: u16) {
        self.go_down(node);
    }

    /// The machine loses power: of what was written, only what was synced stays.
    pub(crate) fn lose_power(&mut self, node: u16) {
        let actor = &mut self.actors[index(node)];
        actor.records.truncate(actor.durable);
        self.go_down(node);
    }

    /// The process starts again, from what the disk holds.
    pub(crate) fn start(&mut self, node: u16) {
        let nodes = self.everybody().into_iter().map(NodeId).collect();
        let actor = &mut self.actors[index(node)];
        if actor.service.is_some() {
            return;
        }
        actor.life += 1;
        let config = Config {
            cluster: 7,
            id: NodeId(node),
            nodes,
            timing: Timing::default(),
            election: ElectionMode::Randomised,
            tick_ms: 10,
            incarnation: actor.life << 32,
        };
        let newly = actor.records[actor.durable..].to_vec();
        actor.durable = actor.records.len();
        let seed = u64::from(node) ^ actor.life << 32;
        let booted = catch_unwind(AssertUnwindSafe(|| Service::new(config, &actor.records, seed)));
        match booted {
            Ok(Ok(service)) => actor.service = Some(service),
            Ok(Err(refusal)) => self.stopped_itself(node, &refusal.to_string()),
            Err(panic) => self.stopped_itself(node, &words(&*panic)),
        }
        for record in &newly {
            let judged = self.observer.durable(NodeId(node), record);
            self.note(judged);
        }
        self.act(node, |_| ());
    }

    fn go_down(&mut self, node: u16) {
        let actor = &mut self.actors[index(node)];
        if actor.service.take().is_some() {
            self.observer.crashed(NodeId(node));
        }
        let durable = Lsn(actor.durable as u64);
        self.under_way.retain(|(from, send)| *from != NodeId(node) || send.after <= durable);
    }

    fn stopped_itself(&mut self, node: u16, why: &str) {
        self.found.node.get_or_insert_with(|| format!("n{node} stopped itself: {why}"));
        self.go_down(node);
    }

    // ---- Clients -----------------------------------------------------------------------------

    /// A client asks this node to append to the list.
    pub(crate) fn append(&mut self, node: u16, item: &str) -> Call {
        self.ask(node, vec![append(item)], None)
    }

    /// The same in a session, under a number.
    pub(crate) fn append_as(&mut self, node: u16, session: SessionId, sequence: u64, item: &str) -> Call {
        self.ask(node, vec![append(item)], Some(RequestId { session, sequence }))
    }

    /// A client asks this node to put so many bytes under another key.
    pub(crate) fn put(&mut self, node: u16, key: &str, bytes: usize) -> Call {
        let (key, value) = (Bytes::copy_from_slice(key.as_bytes()), Bytes::from(vec![b'.'; bytes]));
        self.ask(node, vec![TxnOp::Put { key, value }], None)
    }

    /// A client asks this node to make an absent register hold a value.
    pub(crate) fn put_if_absent(&mut self, node: u16, value: &str) -> Call {
        let (key, value) = (Bytes::from_static(b"register"), Bytes::copy_from_slice(value.as_bytes()));
        self.ask(node, vec![TxnOp::Cas { key, expect: None, value }], None)
    }

    /// A client asks this node for the list.
    pub(crate) fn read(&mut self, node: u16) -> Call {
        self.ask(node, vec![TxnOp::Get { key: Bytes::from_static(LIST) }], None)
    }

    /// A client opens a session at this leader; everybody takes part.
    pub(crate) fn open_session(&mut self, leader: u16) -> SessionId {
        self.send(leader, Command::OpenSession { nonce: 1 }, None);
        self.run(&self.everybody());
        self.opened.take().expect("a session, before anything goes wrong")
    }

    /// The client stops listening: whatever it was or would be told, it does not hear.
    pub(crate) fn hang_up(&mut self, call: Call) {
        self.listening.retain(|_, of| *of != Some(call));
    }

    /// The client asks the same again, under the same name, on a new connection.
    pub(crate) fn retry(&mut self, node: u16, call: Call) {
        let asked = &self.history.calls()[call];
        let command = Command::Execute { request: asked.request, txn: asked.txn.clone() };
        self.send(node, command, Some(call));
    }

    /// What the client was told, if anything yet.
    pub(crate) fn told(&self, call: Call) -> Option<&Told> {
        self.history.calls()[call].completed.as_ref().map(|(_, told)| told)
    }

    /// Whether the client was told that it happened.
    pub(crate) fn is_done(&self, call: Call) -> bool {
        matches!(self.told(call), Some(Told::Ok(_, TxnOutcome::Done(_))))
    }

    fn ask(&mut self, node: u16, ops: Vec<TxnOp>, request: Option<RequestId>) -> Call {
        let txn = Txn { ops };
        let client = u32::try_from(self.history.calls().len()).expect("a short story");
        let call = self.history.invoke(client, txn.clone(), request);
        self.send(node, Command::Execute { request, txn }, Some(call));
        call
    }

    fn send(&mut self, node: u16, command: Command, call: Option<Call>) {
        self.connections += 1;
        let client = ClientToken(self.connections);
        self.listening.insert(client, call);
        self.act(node, |service| service.client(client, ClientRequest { id: 1, command }));
    }

    fn answered(&mut self, client: ClientToken, reply: ClientReply) {
        let Some(call) = self.listening.remove(&client) else { return };
        let told = match reply.result {
            ClientResult::Reply(Reply::SessionOpened(session)) => {
                self.opened = Some(session);
                return;
            }
            ClientResult::Reply(Reply::Outcome(outcome)) => Told::Ok(reply.slot, outcome),
            ClientResult::Reply(Reply::SessionExpired | Reply::Superseded) | ClientResult::Unknown(_) => {
                Told::Unknown
            }
            ClientResult::Failed(_) => Told::Failed,
        };
        if let Some(call) = call.filter(|call| self.told(*call).is_none()) {
            self.history.complete(call, told);
        }
    }

    // ---- Judging -----------------------------------------------------------------------------

    /// Something that every correct cluster does by now.
    pub(crate) fn demand(&mut self, holds: bool, what: &str) {
        if !holds {
            self.found.progress.get_or_insert_with(|| what.to_owned());
        }
    }

    /// Something that no client may be told.
    pub(crate) fn forbid(&mut self, holds: bool, what: &str) {
        if holds {
            self.found.clients.get_or_insert_with(|| what.to_owned());
        }
    }

    /// What is under way is lost, everybody starts, and nothing goes wrong any more: all must
    /// come to the same state and serve, and then the clients are judged.
    pub(crate) fn finish(mut self) -> Found {
        self.lose_everything();
        let everybody = self.everybody();
        everybody.iter().for_each(|node| self.start(*node));
        let healed = self.wait(|stage| stage.agreed_leader().is_some());
        self.demand(healed, "a healed cluster came to no leader and no common state");
        let leader = self.agreed_leader().unwrap_or(1);
        let last = self.append(leader, "the last");
        let served = self.wait(|stage| stage.told(last).is_some());
        self.demand(served, "a healed cluster answered no update");
        let read = self.read(leader);
        let served = self.wait(|stage| stage.told(read).is_some());
        self.demand(served, "a healed cluster answered no read");
        if let Some(items) = self.last_read() {
            let finals = BTreeMap::from([(Bytes::from_static(LIST), items)]);
            let judged = judge_lists(&self.history, &finals);
            self.found.clients = self.found.clients.or(judged.err());
        }
        self.found
    }

    /// What the last read that was answered saw: the final one, unless the cluster is beyond that.
    fn last_read(&self) -> Option<Vec<Bytes>> {
        let reads = self.history.calls().iter().filter(|call| call.txn.is_read_only());
        let answers = reads.filter_map(|call| match &call.completed {
            Some((at, Told::Ok(_, TxnOutcome::Done(results)))) => Some((*at, results.as_slice())),
            _ => None,
        });
        match answers.max_by_key(|(at, _)| *at)? {
            (_, [OpResult::List(items)]) => Some(items.clone()),
            _ => Some(Vec::new()),
        }
    }

    fn wait(&mut self, holds: impl Fn(&Stage) -> bool) -> bool {
        let everybody = self.everybody();
        for _ in 0..PATIENCE_TICKS {
            if holds(self) {
                return true;
            }
            everybody.iter().for_each(|node| self.tick(*node, 1));
            self.run(&everybody);
        }
        false
    }

    /// The leader, if those that run are a quorum, follow it, and have the same state.
    fn agreed_leader(&self) -> Option<u16> {
        let running: Vec<&Service> = self.actors.iter().filter_map(|actor| actor.service.as_ref()).collect();
        let ballot = running.first()?.replica().leader()?;
        let applied = running.first()?.kv().applied();
        let agrees = |service: &&Service| {
            service.replica().leader() == Some(ballot) && service.kv().applied() == applied
        };
        let is_quorum = 2 * running.len() > self.actors.len();
        (is_quorum && self.leads(ballot.node.0) && running.iter().all(agrees)).then_some(ballot.node.0)
    }

    // ---- Inside ------------------------------------------------------------------------------

    fn everybody(&self) -> Vec<u16> {
        (1..).take(self.actors.len()).collect()
    }

    /// A node does something and answers its input; if it is down, nothing happens.
    fn act(&mut self, node: u16, act: impl FnOnce(&mut Service)) {
        let Some(service) = &mut self.actors[index(node)].service else { return };
        let acted = catch_unwind(AssertUnwindSafe(|| {
            act(service);
            service.output()
        }));
        match acted {
            Ok(Output { fatal: Some(evidence), .. }) => self.stopped_itself(node, &evidence),
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

fn append(item: &str) -> TxnOp {
    TxnOp::Append { key: Bytes::from_static(LIST), value: Bytes::copy_from_slice(item.as_bytes()) }
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
    }
}
