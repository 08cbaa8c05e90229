//! The loop: waits for events, feeds them to the service, and does what it asks.

use super::clients::{Answer, Clients};
use super::clock;
use super::console;
use super::event::{EVENTS_QUEUED_MAX, Event, Inbox, Senders};
use super::failure::Failure;
use super::filing::Filing;
use super::held::Held;
use super::incoming::Gate;
use super::links::Links;
use super::status::{NodeStatus, ShellStatus};
use super::tracer::Tracer;
use crate::BUILD_ID;
use crate::paxos::{Ballot, Governing, NodeId, RoleName, Send};
use crate::service::{Output, Service, SnapshotDone};
use crate::wal::{KeeperThread, LogThread, Room};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

/// With this many bytes waiting for the disk nothing more is taken from peers and clients: half
/// of what the log's queue holds, so that handing records over never blocks the loop.
const LOG_BACKLOG_MAX: usize = 32 << 20;

/// The node at work.
pub(super) struct Server {
    pub(super) id: NodeId,
    pub(super) service: Service,
    pub(super) log: LogThread,
    /// Makes and trims the log's segments.
    pub(super) keeper: KeeperThread,
    pub(super) room: Room,
    pub(super) filing: Filing,
    pub(super) held: Held,
    /// Released by the disk, and leaving at the end of this turn.
    pub(super) released: Vec<Send>,
    pub(super) tracer: Option<Tracer>,
    pub(super) links: Links,
    /// The addresses that this node was told, or read in configurations.
    pub(super) peers: BTreeMap<NodeId, String>,
    /// Which configurations it dials the members of: the last one's number, and how many.
    pub(super) dialled: (u64, usize),
    pub(super) clients: Arc<Clients>,
    pub(super) gate: Arc<Gate>,
    pub(super) senders: Senders,
    pub(super) started: Instant,
    /// What was last said about the cluster.
    pub(super) said: Said,
}

/// What people are told of the cluster when it changes.
#[derive(Clone, Eq, PartialEq, Debug)]
pub(super) struct Said {
    role: RoleName,
    leader: Option<Ballot>,
    takes_part: bool,
    /// The founders who have not been heard yet.
    unmet: Vec<NodeId>,
}

impl Said {
    /// What there is to say now.
    pub(super) fn of(service: &Service) -> Said {
        let replica = service.replica();
        Said {
            role: replica.role(),
            leader: replica.leader(),
            takes_part: replica.takes_part(),
            unmet: replica.unmet(),
        }
    }
}

impl Server {
    /// Serves until a signal asks it to stop; returns its name.
    ///
    /// # Errors
    /// When the node can't go on.
    pub(super) async fn run(&mut self, inbox: &mut Inbox) -> Result<&'static str, Failure> {
        let mut burst = Vec::new();
        self.act()?;
        loop {
            let busy = self.log.backlog_bytes() > LOG_BACKLOG_MAX;
            inbox.wait(busy, &mut burst).await;
            if let Some(tracer) = &mut self.tracer {
                tracer.begin_turn();
            }
            for event in burst.drain(..) {
                if let Event::Stop { signal } = event {
                    return Ok(signal);
                }
                self.take(event)?;
            }
            self.act()?;
            self.say_what_changed();
        }
    }

    fn take(&mut self, event: Event) -> Result<(), Failure> {
        if let Some(tracer) = &mut self.tracer {
            tracer.takes(&event);
        }
        match event {
            Event::Peer { from, incarnation, message } => _ = self.service.hear(from, incarnation, message),
            Event::LostTouch { with } => self.service.lost_touch(with),
            Event::Client { client, request } => self.service.client(client, request),
            Event::Change { client, id, change } => {
                console::say(self.id, format_args!("a client wants to {change}"));
                self.service.ask_for_change(client, id, &change);
            }
            Event::ClientGone { client } => {
                self.clients.remove(client);
                self.service.client_gone(client);
            }
            Event::Status { answer } => {
                // Whoever asked may have gone meanwhile.
                let _ = answer.send(self.status());
            }
            Event::Durable(lsn) => {
                let released = self.held.release(lsn);
                match &mut self.tracer {
                    Some(tracer) => self.released.extend(released.inspect(|send| tracer.recorder.sent(send))),
                    None => released.for_each(|send| self.links.send(send.to, send.message)),
                }
                self.service.durable(lsn);
            }
            Event::LogFailed(failure) => return Err(Failure::Io(failure)),
            Event::Room(room) => self.take_room(room),
            Event::Filed(done) => {
                if let SnapshotDone::Durable { bytes, .. } = &done {
                    console::say(self.id, format_args!("a snapshot of {bytes} bytes is durable"));
                }
                self.service.snapshot_done(done);
            }
            Event::FilingFailed(error) => return Err(Failure::Io(error.to_string())),
            Event::Tick => self.service.tick(),
            Event::Stop { .. } => unreachable!("the loop takes it"),
        }
        Ok(())
    }

    fn take_room(&mut self, room: Room) {
        self.room = room;
        self.service.set_room(room == Room::Enough);
        match room {
            Room::Enough => console::say(self.id, "the disk has room again: updates are taken"),
            Room::Short => console::say(
                self.id,
                "the disk is full: updates are refused until there is room for another segment of the log",
            ),
        }
    }

    /// Does what the service asks. The trace goes first, since nothing may be known of a step that
    /// it does not tell of; then the records: a message that waits for one of them must find its
    /// place in the log taken.
    fn act(&mut self) -> Result<(), Failure> {
        let Output { records, sends, replies, changes, fatal, unwelcome, snapshots, trim } =
            self.service.output(clock::now());
        let leaving: Vec<Send> = sends.into_iter().filter_map(|send| self.held.admit(send)).collect();
        if let Some(tracer) = &mut self.tracer {
            tracer.tell_turn(&self.service, &records, &leaving, &replies)?;
        }
        if let Some(evidence) = fatal {
            return Err(Failure::Internal(evidence));
        }
        if let Some(stranger) = unwelcome {
            return Err(Failure::Unwelcome(stranger.to_string()));
        }
        if !records.is_empty() && self.log.submit(records).is_err() {
            return Err(Failure::Io("the log takes no more records".to_owned()));
        }
        for order in snapshots {
            self.filing.order(order)?;
        }
        if let Some(first) = trim {
            self.keeper.trim(first);
        }
        self.dial_members();
        for send in self.released.drain(..).chain(leaving) {
            self.links.send(send.to, send.message);
        }
        for (client, reply) in replies {
            self.clients.reply(client, reply);
        }
        for (client, id, reply) in changes {
            self.clients.answer(client, Answer::Change { id, reply });
        }
        Ok(())
    }

    /// Whoever is a member, now or soon, is dialled: where this node was told, else where the configuration
    /// says. So is whoever was one: he may not know yet that he is gone, and asks.
    fn dial_members(&mut self) {
        let replica = self.service.replica();
        let now = (replica.latest().number(), replica.current().len());
        if now == self.dialled {
            return;
        }
        self.dialled = now;
        for Governing { configuration, .. } in replica.current() {
            for member in configuration.members().iter().filter(|member| member.node != self.id) {
                if !member.address.is_empty() {
                    self.peers.entry(member.node).or_insert_with(|| member.address.clone());
                }
            }
        }
        self.links.set(&self.peers);
        console::say(self.id, format_args!("{}, from slot {}", replica.latest(), replica.latest_from()));
    }

    /// Answers everybody who waits, makes everything durable, and ends.
    ///
    /// # Errors
    /// If the log fails at the last moment.
    pub(super) async fn stop(mut self, signal: &str, inbox: &mut Inbox) -> Result<(), Failure> {
        console::say(self.id, format_args!("stopping on {signal}"));
        self.service.stop();
        self.act()?;
        self.clients.close().await;
        // Ends the threads after their last writes. The log's has the folder's lock: it goes last.
        drop(self.filing);
        drop(self.keeper);
        drop(self.log);
        if let Some(failure) = inbox.log_failure().or_else(|| inbox.filing_failure()) {
            return Err(Failure::Io(failure));
        }
        console::say(self.id, "stopped");
        Ok(())
    }

    fn say_what_changed(&mut self) {
        let now = Said::of(&self.service);
        if now == self.said {
            return;
        }
        let was = std::mem::replace(&mut self.said, now.clone());
        if now.takes_part && !was.takes_part {
            console::say(self.id, "founded: all founders have met, and agree on who they are");
        }
        if !now.unmet.is_empty() && now.unmet != was.unmet {
            let missing: Vec<String> = now.unmet.iter().map(NodeId::to_string).collect();
            let missing = missing.join(", ");
            console::say(self.id, format_args!("founding: waits for {missing}, who must be heard once"));
        }
        if (now.role, now.leader) != (was.role, was.leader) {
            self.say_who_leads(was.role, &now);
        }
    }

    fn say_who_leads(&self, was: RoleName, now: &Said) {
        let promised = self.service.replica().promised();
        match (now.role, now.leader) {
            (RoleName::Leader, _) => {
                console::say(self.id, format_args!("elected: leads in ballot {promised}"))
            }
            (RoleName::Candidate, _) => {
                console::say(self.id, format_args!("stands for leader in ballot {promised}"));
            }
            (RoleName::Follower, leader) => {
                if was == RoleName::Leader {
                    console::say(self.id, format_args!("deposed: has promised ballot {promised}"));
                }
                if let Some(ballot) = leader {
                    console::say(self.id, format_args!("follows {} in ballot {ballot}", ballot.node));
                }
            }
        }
    }

    fn status(&self) -> Bytes {
        let shell = ShellStatus {
            build_id: BUILD_ID.to_owned(),
            pid: std::process::id(),
            uptime_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            events_queued: EVENTS_QUEUED_MAX - self.senders.events.capacity(),
            sends_held: self.held.len(),
            sends_dropped: self.held.dropped(),
            log_backlog_bytes: self.log.backlog_bytes(),
            log_durable: self.held.durable().0,
            refuses_updates: (self.room == Room::Short).then(|| "the disk is full".to_owned()),
            clients: self.clients.len(),
            connections_refused: self.gate.refused(),
            links: self.links.status(),
        };
        let status = NodeStatus { service: self.service.status(), shell };
        // Numbers, strings and lists always make JSON.
        serde_json::to_vec(&status).map(Bytes::from).unwrap_or_default()
    }
}
