//! Golden scripts: the protocol driven by hand, one behaviour a file in `tests/scripts`.
//!
//! A script's name is its claim, its comment says why it must hold. Lines that start with `>` are
//! commands, everything below is what the replicas did. `UPDATE_SCRIPTS=1 cargo test scripts`
//! writes the output anew; the diff is then the review.
//!
//! ```text
//! > cluster 3            replicas n1..n3, nothing on disk
//! > campaign n1          n1's election timeout expires
//! > tick n1 10           n1's clock moves
//! > sync n1 [LSN]        n1's disk has everything written so far, or up to LSN
//! > deliver [n1->n2] [Kind]   messages under way arrive, once each; what they cause stays under way
//! > drop [n1->n2] [Kind]      messages under way are lost
//! > duplicate [n1->n2] [Kind] messages under way exist twice
//! > run [n1 n2 …]        sync and deliver among these (or all) until nothing is under way
//! > propose n1 VALUE     n1 is asked to propose
//! > read n1 TOKEN        n1 is asked for a read barrier
//! > crash n1             n1 loses what its disk did not have, and starts again
//! > log n1               what n1 holds
//! > status               what every replica is doing
//! ```

use crate::lab::TIMING;
use bytes::Bytes;
use paxos_node::paxos::{
    Configuration, Effects, ElectionMode, Founding, LeaseTerms, LocalTime, Lsn, Message, NodeId, Record,
    Replica, ReplicaConfig, RoleName, SLOTS_IN_FLIGHT_MAX, Send, Slot, SlotReport, Value,
};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

#[test]
fn every_script_says_what_the_protocol_does() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let mut scripts: Vec<_> = std::fs::read_dir(&folder)
        .expect("the folder of scripts")
        .map(|entry| entry.expect("a script").path())
        .collect();
    scripts.sort();
    assert!(!scripts.is_empty(), "no scripts in {}", folder.display());
    for path in scripts {
        let expected = std::fs::read_to_string(&path).expect("a readable script");
        let actual = run_script(&expected);
        if std::env::var_os("UPDATE_SCRIPTS").is_some() {
            std::fs::write(&path, actual).expect("a writable script");
        } else {
            assert!(actual == expected, "{} now does:\n\n{actual}", path.display());
        }
    }
}

fn run_script(script: &str) -> String {
    let mut out = String::new();
    let mut cluster = Cluster::default();
    let mut in_comment = true;
    for line in script.lines() {
        if let Some(command) = line.strip_prefix("> ") {
            in_comment = false;
            writeln!(out, "\n{line}").expect("a string");
            cluster.command(command);
            out.push_str(&std::mem::take(&mut cluster.out));
        } else if in_comment && line.starts_with('#') {
            writeln!(out, "{line}").expect("a string");
        } else if line.starts_with('#') {
            writeln!(out, "\n{line}").expect("a string");
        }
    }
    out
}

#[derive(Default)]
struct Cluster {
    replicas: BTreeMap<NodeId, Replica>,
    records: BTreeMap<NodeId, Vec<Record>>,
    under_way: Vec<(NodeId, Send)>,
    config: Vec<NodeId>,
    out: String,
}

impl Cluster {
    fn command(&mut self, command: &str) {
        let words: Vec<&str> = command.split_whitespace().collect();
        match words.as_slice() {
            ["cluster", nodes] => self.start(nodes.parse().expect("a number of nodes")),
            ["campaign", node] => {
                let replica = self.replica(node);
                let ballot = replica.promised();
                while replica.promised() == ballot {
                    replica.tick();
                }
                self.collect(parse_node(node));
            }
            ["tick", node, ticks] => {
                for _ in 0..ticks.parse().expect("a number of ticks") {
                    self.replica(node).tick();
                }
                self.collect(parse_node(node));
            }
            ["sync", node] => self.sync(parse_node(node), None),
            ["sync", node, lsn] => self.sync(parse_node(node), Some(Lsn(lsn.parse().expect("a number")))),
            ["deliver", filter @ ..] => {
                for (from, send) in self.take(filter) {
                    self.replica_of(send.to).step(from, send.message);
                    self.collect(send.to);
                }
            }
            ["drop", filter @ ..] => {
                for (from, send) in self.take(filter) {
                    self.say(&format!("lost {from}->{} {}", send.to, show(&send.message)));
                }
            }
            ["duplicate", filter @ ..] => {
                for message in self.take(filter) {
                    self.under_way.extend([message.clone(), message]);
                }
            }
            ["run", nodes @ ..] => self.run(&nodes.iter().map(|node| parse_node(node)).collect::<Vec<_>>()),
            ["propose", node, value] => {
                let slot = self.replica(node).propose(Value::Batch(Bytes::copy_from_slice(value.as_bytes())));
                self.say(&slot.map_or("refused".into(), |slot| format!("proposed in {slot:?}")));
                self.collect(parse_node(node));
            }
            ["read", node, token] => {
                let asked = self.replica(node).read(token.parse().expect("a token"));
                self.say(if asked { "asked" } else { "refused" });
                self.collect(parse_node(node));
            }
            ["crash", node] => self.crash(parse_node(node)),
            ["log", node] => self.log(node),
            ["status"] => self.status(),
            _ => panic!("no such command: {command}"),
        }
    }

    fn start(&mut self, nodes: u16) {
        self.config = (1..=nodes).map(NodeId).collect();
        for node in self.config.clone() {
            self.records.insert(node, Vec::new());
            self.boot(node);
        }
    }

    fn boot(&mut self, node: NodeId) {
        let config = ReplicaConfig {
            id: node,
            incarnation: 0,
            founding: Founding::Known(Configuration::of(&self.config)),
            window: SLOTS_IN_FLIGHT_MAX as u64,
            timing: TIMING,
            election: ElectionMode::Randomised,
            lease: LeaseTerms::NONE,
            uses_leases: false,
        };
        let replica = Replica::new(&config, &self.records[&node], u64::from(node.0)).expect("a sound log");
        self.replicas.insert(node, replica);
        self.collect(node);
    }

    /// The node's effects: records are written, sends are under way, the rest is said.
    fn collect(&mut self, node: NodeId) {
        let Effects { records, sends, chosen, reads, trim: _ } =
            self.replica_of(node).effects(LocalTime::default());
        for record in records {
            let lsn = self.records[&node].len() + 1;
            self.say(&format!("{node} writes {lsn}: {}", show_record(&record)));
            self.records.get_mut(&node).expect("a node").push(record);
        }
        for send in sends {
            let after = match send.after {
                Lsn::ZERO => String::new(),
                after => format!("   [after {after}]"),
            };
            self.say(&format!("{node}->{} {}{after}", send.to, show(&send.message)));
            self.under_way.push((node, send));
        }
        for (slot, value) in chosen {
            self.say(&format!("{node} executes {slot:?} {}", show_value(&value)));
        }
        for (token, slot) in reads {
            self.say(&format!("{node} may serve read {token} once {slot:?} is applied"));
        }
        if self.replica_of(node).take_deposed() {
            self.say(&format!("{node} is deposed"));
        }
    }

    /// Takes the messages that match and may leave.
    fn take(&mut self, filter: &[&str]) -> Vec<(NodeId, Send)> {
        let mut taken = Vec::new();
        let mut rest = Vec::new();
        for (from, send) in std::mem::take(&mut self.under_way) {
            let link = format!("{from}->{}", send.to);
            let kind = show(&send.message);
            let matches = filter.iter().all(|word| match word.split_once("->") {
                Some((sender, "*")) => link.starts_with(&format!("{sender}-")),
                Some(("*", receiver)) => link.ends_with(&format!(">{receiver}")),
                Some(_) => link == *word,
                None => kind.split(' ').next() == Some(word),
            });
            let may_leave = send.after <= self.replicas[&from].log_position().1;
            if matches && may_leave {
                taken.push((from, send));
            } else {
                rest.push((from, send));
            }
        }
        self.under_way = rest;
        taken
    }

    fn sync(&mut self, node: NodeId, upto: Option<Lsn>) {
        let written = self.replica_of(node).log_position().0;
        self.replica_of(node).durable(upto.unwrap_or(written));
        self.collect(node);
    }

    fn run(&mut self, among: &[NodeId]) {
        let among = if among.is_empty() { self.config.clone() } else { among.to_vec() };
        loop {
            let before = self.out.len();
            for node in among.clone() {
                if self.replica_of(node).log_position().0 > self.replica_of(node).log_position().1 {
                    self.sync(node, None);
                }
            }
            let mut delivered = false;
            for from in &among {
                for to in &among {
                    for (from, send) in self.take(&[&format!("{from}->{to}")]) {
                        delivered = true;
                        self.replica_of(send.to).step(from, send.message);
                        self.collect(send.to);
                    }
                }
            }
            if !delivered && self.out.len() == before {
                return;
            }
        }
    }

    fn crash(&mut self, node: NodeId) {
        let durable = self.replica_of(node).log_position().1.0 as usize;
        let lost = self.records[&node].len() - durable;
        self.records.get_mut(&node).expect("a node").truncate(durable);
        let replicas = &self.replicas;
        self.under_way.retain(|(from, send)| *from != node || send.after <= replicas[&node].log_position().1);
        self.say(&format!("{node} restarts with {durable} records, {lost} lost"));
        self.boot(node);
    }

    fn log(&mut self, node: &str) {
        let replica = &self.replicas[&parse_node(node)];
        let mut slot = Slot(1);
        let mut lines = Vec::new();
        while slot <= replica.last_slot() {
            let accepted = replica
                .accepted(slot)
                .map_or("nothing".into(), |(ballot, value)| format!("{} in {ballot}", show_value(value)));
            let learned = replica
                .learned(slot)
                .map_or(String::new(), |value| format!(", learned {}", show_value(value)));
            lines.push(format!("{slot:?}: accepted {accepted}{learned}"));
            slot = slot.next();
        }
        lines.iter().for_each(|line| self.say(line));
    }

    fn status(&mut self) {
        let lines: Vec<String> = self
            .replicas
            .values()
            .map(|replica| {
                let leader = match replica.role() {
                    RoleName::Leader => " of itself".to_string(),
                    _ => replica.leader().map_or(String::new(), |ballot| format!(" of {ballot}")),
                };
                format!(
                    "{}: {}{leader}, promised {}, chosen up to {:?}",
                    replica.id(),
                    replica.role(),
                    replica.promised(),
                    replica.chosen_upto()
                )
            })
            .collect();
        lines.iter().for_each(|line| self.say(line));
    }

    fn replica(&mut self, node: &str) -> &mut Replica {
        self.replica_of(parse_node(node))
    }

    fn replica_of(&mut self, node: NodeId) -> &mut Replica {
        self.replicas.get_mut(&node).expect("a node of the cluster")
    }

    fn say(&mut self, line: &str) {
        writeln!(self.out, "{line}").expect("a string");
    }
}

fn parse_node(word: &str) -> NodeId {
    NodeId(word.strip_prefix('n').and_then(|id| id.parse().ok()).expect("a node, like n1"))
}

fn show_value(value: &Value) -> String {
    match value {
        Value::Noop => "no-op".into(),
        Value::Batch(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Configuration(configuration) => configuration.to_string(),
    }
}

fn show_reports(slots: &[SlotReport]) -> String {
    let show = |report: &SlotReport| {
        let learned = if report.learned { " learned" } else { "" };
        format!("{:?} {} in {}{learned}", report.slot, show_value(&report.value), report.ballot)
    };
    slots.iter().map(show).collect::<Vec<_>>().join("; ")
}

fn show_record(record: &Record) -> String {
    match record {
        Record::BallotUsed(ballot) => format!("ballot {ballot} used"),
        Record::Promised(ballot) => format!("promised {ballot}"),
        Record::Accepted { slot, ballot, value } => {
            format!("accepted {} in {slot:?}, {ballot}", show_value(value))
        }
        Record::Learned { slot, value, .. } => format!("learned {} in {slot:?}", show_value(value)),
        Record::ChosenUpto(slot) => format!("chosen up to {slot:?}"),
        Record::Checkpoint { slot, promised } => format!("checkpoint at {slot:?}, promised {promised}"),
        Record::Kept { slot, ballot, value } => format!("kept {} in {slot:?}, {ballot}", show_value(value)),
        Record::Pledged(configuration) => format!("pledged {configuration}"),
        Record::Founded(configuration) => format!("founded {configuration}"),
    }
}

fn show(message: &Message) -> String {
    match message {
        Message::Prepare { ballot, from } => format!("Prepare {ballot} from {from:?}"),
        Message::Promise { ballot, from, slots, next, trimmed } => {
            let mut rest = next.map_or(String::new(), |next| format!(", more from {next:?}"));
            if *trimmed > Slot::ZERO {
                rest.push_str(&format!(", trimmed up to {trimmed:?}"));
            }
            format!("Promise {ballot} from {from:?}: [{}]{rest}", show_reports(slots))
        }
        Message::Accept { ballot, slot, value, chosen_upto } => {
            format!("Accept {ballot} {slot:?} {}, chosen up to {chosen_upto:?}", show_value(value))
        }
        Message::Accepted { ballot, slot } => format!("Accepted {ballot} {slot:?}"),
        Message::Reject { ballot, promised } => format!("Reject {ballot}, promised {promised}"),
        Message::Heartbeat { ballot, chosen_upto, read_seq, .. } => {
            format!("Heartbeat {ballot}, chosen up to {chosen_upto:?}, barrier {read_seq}")
        }
        Message::HeartbeatAck { ballot, read_seq, chosen_upto, .. } => {
            format!("HeartbeatAck {ballot}, chosen up to {chosen_upto:?}, barrier {read_seq}")
        }
        Message::LearnRequest { from } => format!("LearnRequest from {from:?}"),
        Message::LearnReply { slots, chosen_upto } => {
            format!("LearnReply [{}], chosen up to {chosen_upto:?}", show_reports(slots))
        }
        Message::Forward { token, .. } => format!("Forward {token}"),
        Message::ForwardReply { token, .. } => format!("ForwardReply {token}"),
        Message::PreVote { ballot } => format!("PreVote {ballot}"),
        Message::PreVoteReply { ballot, promised, granted } => {
            format!("PreVoteReply {ballot}, promised {promised}, granted {granted}")
        }
        Message::Meet { stage } => format!("Meet {stage:?}"),
        Message::Unwelcome { known } => format!("Unwelcome, known {known:?}"),
        Message::SnapshotOffer { slot } => format!("SnapshotOffer {slot:?}"),
        Message::SnapshotRequest { slot, part } => format!("SnapshotRequest {slot:?} part {part}"),
        Message::SnapshotPart { slot, part, .. } => format!("SnapshotPart {slot:?} part {part}"),
    }
}
