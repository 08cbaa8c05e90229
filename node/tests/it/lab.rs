//! A handful of replicas on a table: every disk write and every message moves by hand.
//!
//! For behaviours that are easier to state as facts than as a script; see `scripts.rs` for the
//! others.

use bytes::Bytes;
use paxos_node::paxos::{
    Ballot, Configuration, Effects, ElectionMode, Founding, LeaseTerms, LocalTime, Lsn, Message, NodeId,
    Record, Replica, ReplicaConfig, RoleName, SLOTS_IN_FLIGHT_MAX, Send, Slot, Timing, Value,
};
use std::collections::BTreeMap;

/// What lab, stage and scripts count their ticks by.
pub(crate) const TIMING: Timing =
    Timing { heartbeat_ticks: 5, election_ticks_min: 30, election_ticks_max: 60, retransmit_ticks: 10 };

/// The node called `n`.
pub(crate) const fn n(id: u16) -> NodeId {
    NodeId(id)
}

/// The ballot of that round and node.
pub(crate) fn ballot(round: u64, node: u16) -> Ballot {
    Ballot { round, node: NodeId(node) }
}

/// A command, as opaque to the protocol as any.
pub(crate) fn value(text: &str) -> Value {
    Value::Batch(Bytes::copy_from_slice(text.as_bytes()))
}

/// Replicas, their disks, and the messages between them.
pub(crate) struct Lab {
    nodes: Vec<NodeId>,
    replicas: BTreeMap<NodeId, Replica>,
    /// What each disk holds, durable or not.
    records: BTreeMap<NodeId, Vec<Record>>,
    /// What each node has executed, in order.
    executed: BTreeMap<NodeId, Vec<(Slot, Value)>>,
    /// Sent, or waiting for the sender's disk.
    under_way: Vec<(NodeId, Send)>,
}

impl Lab {
    /// `nodes` replicas that have never run.
    pub(crate) fn new(nodes: u16) -> Lab {
        let ids: Vec<NodeId> = (1..=nodes).map(NodeId).collect();
        let mut lab = Lab {
            records: ids.iter().map(|node| (*node, Vec::new())).collect(),
            nodes: ids.clone(),
            replicas: BTreeMap::new(),
            executed: BTreeMap::new(),
            under_way: Vec::new(),
        };
        ids.into_iter().for_each(|node| lab.boot(node));
        lab
    }

    /// A cluster in which `leader` leads and everybody knows it: slot 1 holds its no-op.
    pub(crate) fn led_by(leader: NodeId, nodes: u16) -> Lab {
        let mut lab = Lab::new(nodes);
        lab.elect(leader);
        lab
    }

    pub(crate) fn replica(&self, node: NodeId) -> &Replica {
        &self.replicas[&node]
    }

    /// The node's clock moves until it stands for leadership once more; nothing leaves its desk.
    pub(crate) fn campaign(&mut self, node: NodeId) {
        let before = self.replicas[&node].promised();
        while self.replicas[&node].promised() == before {
            self.tick(node);
        }
    }

    /// The node stands, and everybody takes part until it is quiet; it must then lead.
    pub(crate) fn elect(&mut self, node: NodeId) {
        let everybody = self.nodes.clone();
        self.elect_among(node, &everybody);
    }

    /// Like [`elect`](Self::elect), with the others dead to the world.
    pub(crate) fn elect_among(&mut self, node: NodeId, among: &[NodeId]) {
        self.campaign(node);
        self.run_among(among);
        assert_eq!(self.replicas[&node].role(), RoleName::Leader, "{node} was to lead");
        // Its next message tells the followers what is chosen.
        self.heartbeat(node);
        self.run_among(among);
    }

    /// The leader's clock moves until it sends heartbeats.
    pub(crate) fn heartbeat(&mut self, leader: NodeId) {
        for _ in 0..TIMING.heartbeat_ticks {
            self.tick(leader);
        }
    }

    pub(crate) fn tick(&mut self, node: NodeId) {
        self.with(node, Replica::tick);
    }

    /// Asks the leader to propose; tells where.
    pub(crate) fn propose(&mut self, node: NodeId, text: &str) -> Slot {
        let slot = self.with(node, |replica| replica.propose(value(text)));
        slot.expect("a leader with room in flight")
    }

    /// A message appears out of nowhere.
    pub(crate) fn hand(&mut self, from: NodeId, to: NodeId, message: Message) {
        self.with(to, |replica| replica.step(from, message));
    }

    /// The node's disk finishes everything written so far.
    pub(crate) fn sync(&mut self, node: NodeId) {
        let written = self.replicas[&node].log_position().0;
        self.with(node, |replica| replica.durable(written));
    }

    /// All that may leave on a link now arrives; says what it was.
    pub(crate) fn deliver(&mut self, from: NodeId, to: NodeId) -> Vec<Message> {
        let messages = self.take(from, to);
        for message in &messages {
            self.hand(from, to, message.clone());
        }
        messages
    }

    /// All that may leave on a link now is taken off it.
    pub(crate) fn take(&mut self, from: NodeId, to: NodeId) -> Vec<Message> {
        let durable = self.replicas[&from].log_position().1;
        let leaves =
            |(sender, send): &(NodeId, Send)| *sender == from && send.to == to && send.after <= durable;
        self.under_way.extract_if(.., |entry| leaves(entry)).map(|(_, send)| send.message).collect()
    }

    /// What waits for this node's disk.
    pub(crate) fn held(&self, node: NodeId) -> Vec<&Message> {
        let durable = self.replicas[&node].log_position().1;
        let waits = |(from, send): &&(NodeId, Send)| *from == node && send.after > durable;
        self.under_way.iter().filter(waits).map(|(_, send)| &send.message).collect()
    }

    /// Everything under way is lost.
    pub(crate) fn lose_everything(&mut self) {
        self.under_way.clear();
    }

    /// Disks sync and messages arrive until it is quiet.
    pub(crate) fn run(&mut self) {
        let everybody = self.nodes.clone();
        self.run_among(&everybody);
    }

    /// The same among some nodes; what concerns others is left lying.
    pub(crate) fn run_among(&mut self, among: &[NodeId]) {
        loop {
            let mut quiet = true;
            for from in among {
                if self.replicas[from].log_position().0 > self.replicas[from].log_position().1 {
                    self.sync(*from);
                    quiet = false;
                }
                for to in among {
                    quiet &= self.deliver(*from, *to).is_empty();
                }
            }
            if quiet {
                return;
            }
        }
    }

    /// The node loses its memory, and what its disk had not confirmed.
    pub(crate) fn crash(&mut self, node: NodeId) {
        let durable = self.replicas[&node].log_position().1;
        self.records.get_mut(&node).expect("a node").truncate(durable.0 as usize);
        self.under_way.retain(|(from, send)| *from != node || send.after <= durable);
        self.boot(node);
    }

    /// What a node has executed in this life, as text.
    pub(crate) fn executed(&self, node: NodeId) -> Vec<(u64, String)> {
        self.executed[&node].iter().map(|(slot, value)| (slot.0, text(value))).collect()
    }

    /// What a node knows to be chosen in a slot, as text.
    pub(crate) fn learned(&self, node: NodeId, slot: u64) -> Option<String> {
        self.replicas[&node].learned(Slot(slot)).map(text)
    }

    /// What a node accepted in a slot, as text, and in which ballot.
    pub(crate) fn accepted(&self, node: NodeId, slot: u64) -> Option<(Ballot, String)> {
        self.replicas[&node].accepted(Slot(slot)).map(|(ballot, value)| (ballot, text(value)))
    }

    pub(crate) fn records(&self, node: NodeId) -> &[Record] {
        &self.records[&node]
    }

    fn boot(&mut self, node: NodeId) {
        let config = ReplicaConfig {
            id: node,
            incarnation: 0,
            founding: Founding::Known(Configuration::of(&self.nodes)),
            window: SLOTS_IN_FLIGHT_MAX as u64,
            timing: TIMING,
            election: ElectionMode::Randomised,
            lease: LeaseTerms::NONE,
            uses_leases: false,
        };
        let replica = Replica::new(&config, &self.records[&node], u64::from(node.0)).expect("a sound log");
        self.executed.insert(node, Vec::new());
        self.replicas.insert(node, replica);
        self.with(node, |_| ());
    }

    /// Lets a replica do something and takes what comes of it.
    fn with<T>(&mut self, node: NodeId, act: impl FnOnce(&mut Replica) -> T) -> T {
        let replica = self.replicas.get_mut(&node).expect("a node");
        let result = act(replica);
        let Effects { records, sends, chosen, reads: _, trim: _ } = replica.effects(LocalTime::default());
        self.records.get_mut(&node).expect("a node").extend(records);
        self.executed.get_mut(&node).expect("a node").extend(chosen);
        self.under_way.extend(sends.into_iter().map(|send| (node, send)));
        result
    }
}

/// A value as text; a no-op is `-`.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Noop => "-".into(),
        Value::Batch(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Configuration(configuration) => configuration.to_string(),
    }
}

/// The last record of a log.
pub(crate) fn last_lsn(records: &[Record]) -> Lsn {
    Lsn(records.len() as u64)
}
