//! A whole cluster in virtual time: machines, network, and an observer that sees everything.
//!
//! The world knows no clients and makes no plans: whoever drives it asks nodes for something
//! ([`World::request`]), does things to them ([`World::inject`]), sets alarms, and takes one
//! [`step`](World::step) after the other. After every step the invariants are checked.

use super::clock::{Agenda, Time};
use super::dice::{Dice, Ppm};
use super::disk::SimDisk;
use super::fault::Fault;
use super::machine::{Archive, Machine, Running};
use super::network::{Fate, Network, Weather};
use super::trace::{Show, Trace};
use crate::kv::{Batch, ClientReply, ClientRequest, Command};
use crate::paxos::invariants::Observer;
use crate::paxos::{ElectionMode, Message, NodeId, Record, RoleName, Send, Slot, Timing, Value};
use crate::service::{ClientToken, Config, Output, Service};
use crate::wal::{Identity, Options, Wal, WalError};
use crate::wire;
use bytes::BytesMut;
use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

/// The cluster's identity; any number does.
const CLUSTER: u64 = 77;

/// Ticks that a frozen process catches up on at most: no process is owed more than that.
const CATCH_UP_TICKS_MAX: u64 = 1000;

/// What a cluster is made of and how its machines behave before anybody interferes.
#[derive(Clone, Debug)]
pub struct Conditions {
    /// Number of nodes, with ids from 1.
    pub nodes: u16,
    /// The protocol's periods.
    pub timing: Timing,
    /// How election timeouts are chosen.
    pub election: ElectionMode,
    /// Length of a tick, in milliseconds.
    pub tick_ms: u64,
    /// Bytes in a segment of the log.
    pub segment_bytes: u64,
    /// The network at the start.
    pub weather: Weather,
    /// The way between clients and nodes. Never repeats a message: clients hold connections.
    pub client_weather: Weather,
    /// How long a sync takes, in microseconds: at least, at most.
    pub sync_us: (u64, u64),
    /// Chance that a node handles input together with what comes after it.
    pub burst: Ppm,
    /// How long a node may put off handling its input then, in microseconds.
    pub burst_us_max: u64,
    /// Whether a frozen process catches up on missed ticks (or skips them).
    pub catches_up: bool,
    /// Whether messages go through the wire's codec, or are handed over as they are.
    pub encodes: bool,
}

impl Conditions {
    /// A cluster with nothing wrong: what tests start from.
    #[must_use]
    pub fn calm(nodes: u16) -> Conditions {
        Conditions {
            nodes,
            timing: Timing::default(),
            election: ElectionMode::Randomised,
            tick_ms: 10,
            segment_bytes: 64 << 10,
            weather: Weather::CALM,
            client_weather: Weather::CALM,
            sync_us: (200, 400),
            burst: 0,
            burst_us_max: 0,
            catches_up: false,
            encodes: true,
        }
    }

    /// All nodes.
    pub fn ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (1..=self.nodes).map(NodeId)
    }

    /// The longest ordinary election timeout, in microseconds: the protocol's sense of time.
    #[must_use]
    pub fn election_us_max(&self) -> u64 {
        self.timing.election_ticks_max * self.tick_ms * 1000
    }
}

/// What a step means to whoever drives the world.
#[derive(Clone, Debug)]
pub enum Happening {
    /// Nothing that they need to know.
    Nothing,
    /// A node answered a client.
    Answered(ClientToken, ClientReply),
    /// An alarm goes off.
    Alarm(u64),
    /// A node went down, by a fault or by itself; connections to it break.
    Down(NodeId),
}

#[derive(Clone, Debug)]
enum Event {
    Tick { node: NodeId, life: u64 },
    Deliver { from: NodeId, to: NodeId, message: Message },
    Synced { node: NodeId, life: u64 },
    Wake { node: NodeId, life: u64 },
    Request { node: NodeId, client: ClientToken, request: ClientRequest },
    HangUp { node: NodeId, client: ClientToken },
    Answer { client: ClientToken, reply: ClientReply },
    Alarm(u64),
    Fault(Fault),
}

/// A cluster in virtual time.
pub struct World {
    conditions: Conditions,
    agenda: Agenda<Event>,
    network: Network,
    machines: Vec<Machine<Event>>,
    observer: Observer,
    /// Fingerprints of all commands that clients asked for (I1).
    requested: HashSet<u64>,
    happenings: VecDeque<Happening>,
    seed: u64,
    network_dice: Dice,
    disk_dice: Dice,
    machine_dice: Dice,
    message_id: u64,
    events: u64,
    trace: Trace,
}

impl World {
    /// A world in which all nodes are about to start.
    #[must_use]
    pub fn new(conditions: Conditions, seed: u64, trace: Trace) -> World {
        let machine = |_| Machine {
            life: 0,
            disk: SimDisk::new(),
            running: None,
            archive: Archive::default(),
            tick_us: conditions.tick_ms * 1000,
            sync_us: conditions.sync_us,
            paused: false,
            held: Vec::new(),
            missed_ticks: 0,
            reachable: true,
        };
        let nodes = usize::from(conditions.nodes);
        let mut world = World {
            machines: conditions.ids().map(machine).collect(),
            network: Network::new(nodes, conditions.weather),
            observer: Observer::new(nodes),
            agenda: Agenda::new(),
            requested: HashSet::new(),
            happenings: VecDeque::new(),
            seed,
            network_dice: Dice::new(seed, "network"),
            disk_dice: Dice::new(seed, "disk"),
            machine_dice: Dice::new(seed, "machine"),
            message_id: 0,
            events: 0,
            trace,
            conditions,
        };
        for node in world.conditions.ids() {
            world.agenda.after(0, Event::Fault(Fault::Start(node)));
        }
        world
    }

    // ---- For whoever drives ------------------------------------------------------------------

    /// Goes on to the next event and checks the invariants.
    ///
    /// # Errors
    /// Says which invariant is broken, or what a node found so wrong that it stopped.
    pub fn step(&mut self) -> Result<Happening, String> {
        if let Some(happening) = self.happenings.pop_front() {
            return Ok(happening);
        }
        let Some(event) = self.agenda.next() else { return Ok(Happening::Nothing) };
        self.events += 1;
        self.happen(event)?;
        Ok(self.happenings.pop_front().unwrap_or(Happening::Nothing))
    }

    /// Whether the next step lies after `deadline`, or never comes.
    #[must_use]
    pub fn is_over_at(&self, deadline: Time) -> bool {
        self.happenings.is_empty() && self.agenda.next_at().is_none_or(|at| at > deadline)
    }

    /// A client's request sets out for a node.
    pub fn request(&mut self, node: NodeId, client: ClientToken, request: ClientRequest) {
        self.requested.insert(fingerprint(&request.command));
        let shown = Show(&request.command);
        self.trace.line(self.agenda.now(), format_args!("c{} -> {node} {shown}", client.0));
        self.client_link(node, Event::Request { node, client, request });
    }

    /// A client closes its connection to a node.
    pub fn hang_up(&mut self, node: NodeId, client: ClientToken) {
        self.client_link(node, Event::HangUp { node, client });
    }

    /// Goes off after so many microseconds.
    pub fn set_alarm(&mut self, after_us: u64, alarm: u64) {
        self.agenda.after(after_us, Event::Alarm(alarm));
    }

    /// Does something to the cluster, after so many microseconds.
    pub fn inject(&mut self, after_us: u64, fault: Fault) {
        self.agenda.after(after_us, Event::Fault(fault));
    }

    /// A line in the trace.
    pub fn note(&mut self, line: std::fmt::Arguments<'_>) {
        self.trace.line(self.agenda.now(), line);
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Time {
        self.agenda.now()
    }

    /// How many events have happened.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// What the cluster is made of.
    #[must_use]
    pub fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    /// What has been chosen, and more.
    #[must_use]
    pub fn observer(&self) -> &Observer {
        &self.observer
    }

    /// A node's service, if it is up.
    #[must_use]
    pub fn service(&self, node: NodeId) -> Option<&Service> {
        self.machine(node).running.as_ref().map(|running| &running.service)
    }

    /// Whether a node is frozen.
    #[must_use]
    pub fn is_paused(&self, node: NodeId) -> bool {
        self.machine(node).paused
    }

    /// The node that leads in the highest ballot, as far as it knows itself.
    #[must_use]
    pub fn leader(&self) -> Option<NodeId> {
        let leads = |node: &NodeId| {
            let replica = self.service(*node)?.replica();
            (replica.role() == RoleName::Leader).then(|| replica.leader())?
        };
        self.conditions.ids().filter(|node| leads(node).is_some()).max_by_key(leads)
    }

    /// Ends the world and keeps what was written of it.
    #[must_use]
    pub fn into_trace(self) -> Trace {
        self.trace
    }

    // ---- Events ------------------------------------------------------------------------------

    fn happen(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::Alarm(alarm) => self.happenings.push_back(Happening::Alarm(alarm)),
            Event::Answer { client, reply } => self.happenings.push_back(Happening::Answered(client, reply)),
            Event::Fault(fault) => return self.strike(&fault),
            Event::Tick { node, life } => return self.on_tick(node, life),
            Event::Deliver { to: node, .. }
            | Event::Synced { node, .. }
            | Event::Wake { node, .. }
            | Event::Request { node, .. }
            | Event::HangUp { node, .. } => {
                let machine = self.machine_mut(node);
                if machine.paused {
                    machine.held.push(event);
                } else {
                    return self.handle(node, event);
                }
            }
        }
        Ok(())
    }

    /// An event that needs the node's process.
    fn handle(&mut self, node: NodeId, event: Event) -> Result<(), String> {
        let World { machines, trace, agenda, .. } = self;
        let machine = &mut machines[usize::from(node.0) - 1];
        let current = machine.life;
        let Some(running) = &mut machine.running else { return Ok(()) };
        match event {
            Event::Deliver { from, message, .. } => {
                trace.line(agenda.now(), format_args!("{node} <- {from} {}", Show(&message)));
                running.service.peer(from, message);
            }
            Event::Request { client, request, .. } => {
                trace.line(agenda.now(), format_args!("{node} <- c{} {}", client.0, Show(&request.command)));
                running.service.client(client, request);
            }
            Event::HangUp { client, .. } => running.service.client_gone(client),
            Event::Synced { life, .. } if life == current => return self.on_synced(node),
            Event::Wake { life, .. } if life == current => {
                running.wake_is_due = false;
                return self.respond(node);
            }
            Event::Synced { .. } | Event::Wake { .. } => return Ok(()),
            Event::Tick { .. } | Event::Answer { .. } | Event::Alarm(_) | Event::Fault(_) => {
                unreachable!("not for a process")
            }
        }
        self.respond_soon(node)
    }

    fn on_tick(&mut self, node: NodeId, life: u64) -> Result<(), String> {
        let machine = self.machine_mut(node);
        let Some(running) = &mut machine.running else { return Ok(()) };
        if machine.life != life {
            return Ok(());
        }
        let paused = machine.paused;
        let tick_us = machine.tick_us;
        match paused {
            true => machine.missed_ticks += 1,
            false => running.service.tick(),
        }
        self.agenda.after(tick_us, Event::Tick { node, life });
        if paused { Ok(()) } else { self.respond_soon(node) }
    }

    /// The disk has the batch: what it reveals may leave, and the next batch may be written.
    fn on_synced(&mut self, node: NodeId) -> Result<(), String> {
        let World { machines, observer, trace, agenda, .. } = self;
        let machine = &mut machines[usize::from(node.0) - 1];
        let Some(running) = &mut machine.running else { return Ok(()) };
        let lsn = match running.wal.sync() {
            Ok(lsn) => lsn,
            Err(error) => return self.disk_failed(node, &error),
        };
        trace.line(agenda.now(), format_args!("{node} durable up to {lsn}"));
        for record in machine.archive.confirm(lsn) {
            observer.durable(node, record)?;
        }
        running.durable = lsn;
        running.is_syncing = false;
        for send in running.release() {
            self.transmit(node, send)?;
        }
        if let Some(running) = &mut self.machine_mut(node).running {
            running.service.durable(lsn);
        }
        self.respond_soon(node)?;
        self.write_batch(node)
    }

    // ---- A node's answers --------------------------------------------------------------------

    /// The node answers its input now, or together with what comes shortly after.
    fn respond_soon(&mut self, node: NodeId) -> Result<(), String> {
        let burst = self.conditions.burst;
        let puts_off = burst > 0 && self.machine_dice.chance(burst);
        let machine = &mut self.machines[usize::from(node.0) - 1];
        let Some(running) = &mut machine.running else { return Ok(()) };
        if running.wake_is_due {
            return Ok(());
        }
        if puts_off {
            running.wake_is_due = true;
            let life = machine.life;
            let us = self.machine_dice.within(0..=self.conditions.burst_us_max);
            self.agenda.after(us, Event::Wake { node, life });
            return Ok(());
        }
        self.respond(node)
    }

    fn respond(&mut self, node: NodeId) -> Result<(), String> {
        let Some(running) = &mut self.machine_mut(node).running else { return Ok(()) };
        let Output { records, sends, replies, fatal } = running.service.output();
        if let Some(evidence) = fatal {
            return Err(evidence);
        }
        for record in records {
            self.take_record(node, record)?;
        }
        let observer = &mut self.observer;
        if let Some(running) = &self.machines[usize::from(node.0) - 1].running {
            let kv = running.service.kv();
            observer.look(running.service.replica())?;
            observer.applied(node, kv.applied(), |slot| kv.hash_at(slot))?;
        }
        for send in sends {
            match &mut self.machine_mut(node).running {
                Some(running) if send.after > running.durable => running.held_sends.push_back(send),
                _ => self.transmit(node, send)?,
            }
        }
        for (client, reply) in replies {
            self.trace.line(self.agenda.now(), format_args!("{node} -> c{} {}", client.0, Show(&reply)));
            self.client_link(node, Event::Answer { client, reply });
        }
        self.write_batch(node)
    }

    fn take_record(&mut self, node: NodeId, record: Record) -> Result<(), String> {
        self.trace.line(self.agenda.now(), format_args!("{node} writes {}", Show(&record)));
        if let Record::Accepted { slot, ballot, value } = &record
            && !self.observer.is_proposed(*slot, *ballot)
        {
            self.invariant_only_requested(*slot, value)?;
        }
        self.observer.wrote(node, &record)?;
        let machine = self.machine_mut(node);
        machine.archive.records.push(record.clone());
        if let Some(running) = &mut machine.running {
            running.queued.push(record);
        }
        Ok(())
    }

    /// I1: only what a client asked for is ever proposed.
    fn invariant_only_requested(&self, slot: Slot, value: &Value) -> Result<(), String> {
        let Value::Batch(bytes) = value else { return Ok(()) };
        let batch = Batch::decode(bytes.clone()).map_err(|error| format!("I1: {slot:?} holds {error}"))?;
        match batch.commands.iter().find(|command| !self.requested.contains(&fingerprint(command))) {
            None => Ok(()),
            Some(command) => Err(format!("I1: nobody asked for {} in {slot:?}", Show(command))),
        }
    }

    /// Group commit: one batch at a time; whatever came while it was written makes the next.
    fn write_batch(&mut self, node: NodeId) -> Result<(), String> {
        let machine = &mut self.machines[usize::from(node.0) - 1];
        let Some(running) = &mut machine.running else { return Ok(()) };
        if running.is_syncing || running.queued.is_empty() {
            return Ok(());
        }
        let records = std::mem::take(&mut running.queued);
        if let Err(error) = running.wal.write(&records) {
            return self.disk_failed(node, &error);
        }
        running.is_syncing = true;
        let (min, max) = machine.sync_us;
        let life = machine.life;
        let us = self.disk_dice.within(min..=max);
        self.agenda.after(us, Event::Synced { node, life });
        Ok(())
    }

    fn transmit(&mut self, from: NodeId, send: Send) -> Result<(), String> {
        self.observer.left(from, &send.message)?;
        let to = send.to;
        let message = match self.conditions.encodes {
            true => self.through_the_wire(from, to, &send.message)?,
            false => send.message,
        };
        match self.network.fate(from, to, &mut self.network_dice) {
            Fate::Lost => {
                self.trace.line(self.agenda.now(), format_args!("lost {from}->{to} {}", Show(&message)));
            }
            Fate::Arrives(us) => self.agenda.after(us, Event::Deliver { from, to, message }),
            Fate::ArrivesTwice(first, second) => {
                self.agenda.after(first, Event::Deliver { from, to, message: message.clone() });
                self.agenda.after(second, Event::Deliver { from, to, message });
            }
        }
        Ok(())
    }

    fn through_the_wire(&mut self, from: NodeId, to: NodeId, message: &Message) -> Result<Message, String> {
        self.message_id += 1;
        let envelope = wire::peer::Envelope { cluster: CLUSTER, from, to, message_id: self.message_id };
        let mut bytes = BytesMut::new();
        wire::peer::encode(&mut bytes, envelope, message).map_err(|error| format!("wire: {error}"))?;
        let decoded = wire::frame::Frame::open(bytes.split_off(wire::frame::PREFIX_BYTES).freeze())
            .and_then(|frame| wire::peer::decode(&frame))
            .map_err(|error| format!("wire: {error}"))?;
        match decoded == *message {
            true => Ok(decoded),
            false => Err(format!("wire: {message:?} became {decoded:?}")),
        }
    }

    fn client_link(&mut self, node: NodeId, event: Event) {
        let weather = self.conditions.client_weather;
        if !self.machine(node).reachable || self.network_dice.chance(weather.lose) {
            self.trace.line(self.agenda.now(), format_args!("lost between a client and {node}"));
            return;
        }
        let us = self.network_dice.within(weather.delay_us_min..=weather.delay_us_max);
        self.agenda.after(us, event);
    }

    // ---- Faults ------------------------------------------------------------------------------

    fn strike(&mut self, fault: &Fault) -> Result<(), String> {
        self.trace.line(self.agenda.now(), format_args!("fault: {fault}"));
        match fault {
            Fault::Stop(node) => {
                if let Some(running) = &mut self.machine_mut(*node).running {
                    running.service.stop();
                    self.respond(*node)?;
                }
                self.go_down(*node);
                self.machine(*node).disk.process_died();
            }
            Fault::Kill(node) => {
                self.go_down(*node);
                self.machine(*node).disk.process_died();
            }
            Fault::PowerLoss(nodes) => {
                for node in nodes {
                    self.lose_power(*node);
                }
            }
            Fault::PowerLossInDiskCall(node, calls) => self.machine(*node).disk.arm(*calls),
            Fault::Start(node) => return self.start(*node),
            Fault::Pause(node) => self.machine_mut(*node).paused = true,
            Fault::Resume(node) => return self.resume(*node),
            Fault::Cut(links) => self.network.cut(links),
            Fault::Weather(links, weather) => {
                for (from, to) in links {
                    self.network.set_weather(*from, *to, *weather);
                }
            }
            Fault::DiskSpeed(node, min, max) => self.machine_mut(*node).sync_us = (*min, *max),
            Fault::ClockRate(node, us) => self.machine_mut(*node).tick_us = *us,
            Fault::ClientLink(node, reachable) => self.machine_mut(*node).reachable = *reachable,
        }
        Ok(())
    }

    fn go_down(&mut self, node: NodeId) {
        let machine = self.machine_mut(node);
        machine.life += 1;
        machine.paused = false;
        machine.held.clear();
        machine.missed_ticks = 0;
        if machine.running.take().is_some() {
            self.observer.crashed(node);
            self.happenings.push_back(Happening::Down(node));
        }
    }

    fn lose_power(&mut self, node: NodeId) {
        self.go_down(node);
        let World { machines, disk_dice, .. } = self;
        machines[usize::from(node.0) - 1].disk.power_failed(disk_dice);
    }

    /// A call to the disk failed: the power loss that was armed, or a bug.
    fn disk_failed(&mut self, node: NodeId, error: &WalError) -> Result<(), String> {
        if !self.machine(node).disk.has_failed() {
            return Err(format!("{node}: {error}"));
        }
        self.trace.line(self.agenda.now(), format_args!("{node} loses power in a disk call: {error}"));
        self.lose_power(node);
        Ok(())
    }

    fn start(&mut self, node: NodeId) -> Result<(), String> {
        if self.machine(node).running.is_some() {
            return Ok(());
        }
        let options = Options { segment_bytes: self.conditions.segment_bytes };
        let machine = self.machine_mut(node);
        machine.life += 1;
        let life = machine.life;
        let opened = Wal::open(machine.disk.clone(), Identity { cluster: CLUSTER, node }, options);
        let (wal, recovery) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                // It will be started again, as machines are whose power comes back.
                self.disk_failed(node, &error)?;
                self.agenda.after(1000, Event::Fault(Fault::Start(node)));
                return Ok(());
            }
        };
        self.trace.line(
            self.agenda.now(),
            format_args!("{node} recovers {} records, {}", recovery.records.len(), recovery.outcome),
        );
        let World { machines, observer, .. } = self;
        let machine = &mut machines[usize::from(node.0) - 1];
        let unconfirmed = machine.archive.recovered(&recovery.records).map_err(|e| format!("{node}: {e}"))?;
        let already = recovery.records.len() - unconfirmed;
        machine.archive.confirmed = recovery.records.len();
        for record in &recovery.records[already..] {
            observer.durable(node, record)?;
        }
        let config = Config {
            cluster: CLUSTER,
            id: node,
            nodes: self.conditions.ids().collect(),
            timing: self.conditions.timing,
            election: self.conditions.election,
            tick_ms: self.conditions.tick_ms,
            incarnation: life << 32,
        };
        let seed = self.seed ^ (u64::from(node.0) << 48) ^ (life << 32);
        let service = Service::new(config, &recovery.records, seed).map_err(|e| format!("{node}: {e}"))?;
        machine.running = Some(Running::new(service, wal));
        let tick_us = self.machine(node).tick_us;
        let first_tick_us = self.machine_dice.within(1..=tick_us);
        self.agenda.after(first_tick_us, Event::Tick { node, life });
        self.respond(node)
    }

    fn resume(&mut self, node: NodeId) -> Result<(), String> {
        let catches_up = self.conditions.catches_up;
        let machine = self.machine_mut(node);
        if !machine.paused {
            return Ok(());
        }
        machine.paused = false;
        let ticks = std::mem::take(&mut machine.missed_ticks).min(CATCH_UP_TICKS_MAX);
        let held = std::mem::take(&mut machine.held);
        for event in held {
            self.handle(node, event)?;
        }
        if catches_up {
            for _ in 0..ticks {
                if let Some(running) = &mut self.machine_mut(node).running {
                    running.service.tick();
                }
            }
            self.respond_soon(node)?;
        }
        Ok(())
    }

    fn machine(&self, node: NodeId) -> &Machine<Event> {
        &self.machines[usize::from(node.0) - 1]
    }

    fn machine_mut(&mut self, node: NodeId) -> &mut Machine<Event> {
        &mut self.machines[usize::from(node.0) - 1]
    }
}

/// Tells commands apart. `DefaultHasher::new` has fixed keys, and nothing ever iterates the set.
fn fingerprint(command: &Command) -> u64 {
    let mut hasher = DefaultHasher::new();
    ClientRequest { id: 0, command: command.clone() }.encode().hash(&mut hasher);
    hasher.finish()
}
