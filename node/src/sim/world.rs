//! A whole cluster in virtual time: machines, network, and an observer that sees everything.
//!
//! The world knows no clients and makes no plans: whoever drives it asks nodes for something
//! ([`World::request`]), does things to them ([`World::inject`]), sets alarms, and takes one
//! [`step`](World::step) after the other. After every step the invariants are checked.

mod faults;
mod process;
mod telling;

pub(super) use faults::SEGMENTS_READY_MAX;

use super::clock::{Agenda, Time};
use super::conditions::Conditions;
use super::dice::Dice;
use super::disk::SimDisk;
use super::fault::Fault;
use super::machine::{Archive, Machine};
use super::network::{Network, Postman};
use super::trace::{Show, Trace};
use crate::kv::{ClientReply, ClientRequest, Command};
use crate::paxos::invariants::Observer;
use crate::paxos::{Configuration, LocalTime, Member, Message, NodeId, Replica, RoleName, Standing};
use crate::service::{ClientToken, Service};
use crate::wal::Disk as _;
use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The cluster's identity; any number does.
const CLUSTER: u64 = 77;

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
    Deliver { letter: Letter },
    Synced { node: NodeId, life: u64 },
    Filed { node: NodeId, life: u64 },
    Kept { node: NodeId, life: u64 },
    Wake { node: NodeId, life: u64 },
    Request { node: NodeId, life: u64, client: ClientToken, request: ClientRequest },
    HangUp { node: NodeId, life: u64, client: ClientToken },
    LostTouch { node: NodeId, life: u64, with: NodeId },
    Answer { client: ClientToken, reply: ClientReply },
    Alarm(u64),
    Fault(Fault),
}

/// A message under way, and from which disk: a connection says that before all else.
#[derive(Clone, Debug)]
struct Letter {
    from: NodeId,
    incarnation: u64,
    to: NodeId,
    message: Message,
}

/// A cluster in virtual time.
pub struct World {
    conditions: Conditions,
    agenda: Agenda<Event>,
    network: Network,
    postman: Option<Postman>,
    /// Messages that the postman keeps, in the order in which they were sent.
    kept: Vec<Letter>,
    machines: Vec<Machine<Event>>,
    /// All nodes that there ever were: the first so many of the machines.
    begun: u16,
    founding: Configuration,
    observer: Observer,
    /// Fingerprints of all commands that clients asked for (I1).
    requested: HashSet<u64>,
    happenings: VecDeque<Happening>,
    seed: u64,
    network_dice: Dice,
    disk_dice: Dice,
    file_dice: Dice,
    machine_dice: Dice,
    touch_dice: Dice,
    message_id: u64,
    events: u64,
    trace: Trace,
    keeps_event_traces: bool,
    /// Snapshots that became durable, and states that came from others'.
    snapshots: (u64, u64),
    /// Nodes with an emptied disk that ended because they were not let in.
    turned_away: u64,
    /// Reads answered for a lease, and for a quorum's answer, in lives that are over.
    reads: (u64, u64),
}

impl World {
    /// A world in which all nodes are about to start.
    #[must_use]
    pub fn new(conditions: Conditions, seed: u64, trace: Trace) -> World {
        let machine = |index: usize| Machine {
            life: 0,
            disk: SimDisk::new(),
            incarnation: first_incarnation(seed, index),
            amnesiac: false,
            told: Vec::new(),
            running: None,
            archive: Archive::default(),
            tick_us: conditions.tick_ms * 1000,
            clock: (LocalTime::default(), Time::default()),
            sync_us: conditions.sync_us,
            paused: false,
            held: Vec::new(),
            missed_ticks: 0,
            destroyed: false,
            reachable: true,
        };
        let machines = usize::from(conditions.nodes + conditions.spares);
        let founder = |node: NodeId| Member {
            node,
            standing: Standing::Voter,
            incarnation: first_incarnation(seed, usize::from(node.0) - 1),
            address: String::new(),
        };
        let founding = Configuration::founding(conditions.ids().map(founder).collect());
        let mut world = World {
            machines: (0..machines).map(machine).collect(),
            begun: conditions.nodes,
            network: Network::new(machines, conditions.weather),
            postman: None,
            kept: Vec::new(),
            observer: Observer::new(founding.clone(), conditions.window),
            founding,
            agenda: Agenda::new(),
            requested: HashSet::new(),
            happenings: VecDeque::new(),
            seed,
            network_dice: Dice::new(seed, "network"),
            disk_dice: Dice::new(seed, "disk"),
            file_dice: Dice::new(seed, "files"),
            machine_dice: Dice::new(seed, "machine"),
            touch_dice: Dice::new(seed, "touch"),
            message_id: 0,
            events: 0,
            trace,
            keeps_event_traces: false,
            snapshots: (0, 0),
            turned_away: 0,
            reads: (0, 0),
            conditions,
        };
        world.set_clocks();
        for node in world.conditions.ids() {
            world.agenda.after(0, Event::Fault(Fault::Start(node)));
        }
        world
    }

    /// No two clocks show the same; and where leases are granted, none runs quite right.
    fn set_clocks(&mut self) {
        let mut dice = Dice::new(self.seed, "clocks");
        let (min, max) = self.conditions.tick_us_range();
        for machine in &mut self.machines {
            machine.clock.0 = LocalTime(dice.within(0..=1 << 40));
            if self.conditions.lease.term_us > 0 {
                machine.tick_us = dice.within(min..=max);
            }
        }
    }

    /// What a node's clock shows.
    pub(super) fn local_time(&self, node: NodeId) -> LocalTime {
        let machine = self.machine(node);
        let (shown, at) = machine.clock;
        let passed = (self.agenda.now().0 - at.0) * self.conditions.tick_ms * 1000 / machine.tick_us;
        LocalTime(shown.0 + passed)
    }

    // ---- For whoever drives ------------------------------------------------------------------

    /// Goes on to the next event and checks the invariants.
    ///
    /// # Errors
    /// Says which invariant is broken, what a node found so wrong that it stopped, or with what words
    /// it panicked: a process that ends by itself is a finding, and must not end the search for more.
    pub fn step(&mut self) -> Result<Happening, String> {
        if let Some(happening) = self.happenings.pop_front() {
            return Ok(happening);
        }
        let Some(event) = self.agenda.next() else { return Ok(Happening::Nothing) };
        self.events += 1;
        catch_unwind(AssertUnwindSafe(|| self.happen(event))).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Err(format!("a node panicked: {}", text.unwrap_or("without a word")))
        })?;
        Ok(self.happenings.pop_front().unwrap_or(Happening::Nothing))
    }

    /// Whether the next step lies after `deadline`, or never comes.
    #[must_use]
    pub fn is_over_at(&self, deadline: Time) -> bool {
        self.happenings.is_empty() && self.agenda.next_at().is_none_or(|at| at > deadline)
    }

    /// A client's request sets out for a node, on a connection that belongs to the process there
    /// now. A connection leads to one node, and the ids on it ascend.
    pub fn request(&mut self, node: NodeId, client: ClientToken, request: ClientRequest) {
        self.requested.insert(fingerprint(&request.command));
        let shown = Show(&request.command);
        self.trace.line(self.agenda.now(), format_args!("{} -> {node} {shown}", Show(&client)));
        let life = self.machine(node).life;
        self.client_link(node, Event::Request { node, life, client, request });
    }

    /// A client closes its connection to a node.
    pub fn hang_up(&mut self, node: NodeId, client: ClientToken) {
        let life = self.machine(node).life;
        self.client_link(node, Event::HangUp { node, life, client });
    }

    /// Goes off after so many microseconds.
    pub fn set_alarm(&mut self, after_us: u64, alarm: u64) {
        self.agenda.after(after_us, Event::Alarm(alarm));
    }

    /// Does something to the cluster, after so many microseconds.
    pub fn inject(&mut self, after_us: u64, fault: Fault) {
        self.agenda.after(after_us, Event::Fault(fault));
    }

    /// Puts somebody on every link who decides, beside the weather, what becomes of messages.
    pub fn set_postman(&mut self, postman: Postman) {
        self.postman = Some(postman);
    }

    /// Hands what was kept to the postman once more: he may have changed his mind.
    pub fn let_go(&mut self) {
        for letter in std::mem::take(&mut self.kept) {
            self.post(letter);
        }
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

    /// Bytes of a node's log on its disk, and of its newest snapshot.
    #[must_use]
    pub fn disk_bytes(&self, node: NodeId) -> (u64, u64) {
        let mut disk = self.machine(node).disk.clone();
        let mut bytes = |suffix: &str| -> Vec<u64> {
            let names = disk.list().unwrap_or_default();
            let names = names.iter().filter(|name| name.ends_with(suffix));
            names.map(|name| disk.length(name).unwrap_or_default()).collect()
        };
        (bytes(".wal").iter().sum(), bytes(".snap").last().copied().unwrap_or_default())
    }

    /// How many snapshots became durable, and how many states came from others'.
    #[must_use]
    pub fn snapshots(&self) -> (u64, u64) {
        self.snapshots
    }

    /// Reads that leaders could answer for their lease, and for a quorum's answer.
    #[must_use]
    pub fn reads(&self) -> (u64, u64) {
        let living = self.ids().filter_map(|node| self.service(node));
        let add = |sum: (u64, u64), more: (u64, u64)| (sum.0 + more.0, sum.1 + more.1);
        living.map(|service| service.replica().reads()).fold(self.reads, add)
    }

    /// All nodes that there ever were.
    pub fn ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (1..=self.begun).map(NodeId)
    }

    /// The members of the last configuration chosen, but for those that are gone for good.
    #[must_use]
    pub fn members(&self) -> Vec<NodeId> {
        let last = self.observer.current().last().expect("never empty");
        let members = last.configuration.members().iter().map(|member| member.node);
        members.filter(|node| !self.is_destroyed(*node)).collect()
    }

    /// The id of a machine that has never been a node.
    #[must_use]
    pub fn next_spare(&self) -> Option<NodeId> {
        (usize::from(self.begun) < self.machines.len()).then_some(NodeId(self.begun + 1))
    }

    /// Whether a machine is gone for good, or what it promised is.
    #[must_use]
    pub fn is_destroyed(&self, node: NodeId) -> bool {
        self.machine(node).destroyed || self.machine(node).amnesiac
    }

    /// What the memory of a machine's disk is called.
    #[must_use]
    pub fn incarnation(&self, node: NodeId) -> u64 {
        self.machine(node).incarnation
    }

    /// Nodes with an emptied disk that ended because they were not let in.
    #[must_use]
    pub fn turned_away(&self) -> u64 {
        self.turned_away
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
        self.ids().filter(|node| leads(node).is_some()).max_by_key(leads)
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
            Event::Deliver { letter: Letter { to: node, .. } }
            | Event::Synced { node, .. }
            | Event::Filed { node, .. }
            | Event::Kept { node, .. }
            | Event::Wake { node, .. }
            | Event::Request { node, .. }
            | Event::HangUp { node, .. }
            | Event::LostTouch { node, .. } => {
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
        let World { machines, observer, trace, agenda, .. } = self;
        let machine = &mut machines[usize::from(node.0) - 1];
        let current = machine.life;
        let Some(running) = &mut machine.running else { return Ok(()) };
        match event {
            Event::Deliver { letter: Letter { from, incarnation, message, .. } } => {
                trace.line(agenda.now(), format_args!("{node} <- {from} {}", Show(&message)));
                running.tell(agenda.now(), |recorder| recorder.received(from, &message));
                let copy = message.clone();
                if running.service.hear(from, incarnation, message) {
                    invariant_remembers(running.service.replica(), from, incarnation)?;
                    observer.heard(node, &copy);
                }
            }
            Event::Request { life, client, request, .. }
                if life == current && !running.hung_up.contains(&client) =>
            {
                trace.line(
                    agenda.now(),
                    format_args!("{node} <- {} {}", Show(&client), Show(&request.command)),
                );
                running.tell(agenda.now(), |recorder| recorder.asked(client, &request));
                running.service.client(client, request);
            }
            Event::HangUp { life, client, .. } if life == current => {
                running.hung_up.insert(client);
                running.service.client_gone(client);
            }
            Event::LostTouch { life, with, .. } if life == current => {
                trace.line(agenda.now(), format_args!("{node} loses touch with {with}"));
                running.service.lost_touch(with);
            }
            Event::Synced { life, .. } if life == current => return self.on_synced(node),
            Event::Filed { life, .. } if life == current => return self.on_filed(node),
            Event::Kept { life, .. } if life == current => return self.on_kept(node),
            Event::Wake { life, .. } if life == current => {
                running.wake_is_due = false;
                return self.respond(node);
            }
            // Connections end with the process, or when the client closes them.
            Event::Synced { .. }
            | Event::Filed { .. }
            | Event::Kept { .. }
            | Event::Wake { .. }
            | Event::Request { .. }
            | Event::HangUp { .. }
            | Event::LostTouch { .. } => {
                return Ok(());
            }
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

    fn client_link(&mut self, node: NodeId, event: Event) {
        let weather = self.conditions.client_weather;
        if !self.machine(node).reachable || self.network_dice.chance(weather.lose) {
            self.trace.line(self.agenda.now(), format_args!("lost between a client and {node}"));
            return;
        }
        let mut us = || self.network_dice.within(weather.delay_us_min..=weather.delay_us_max);
        let (first, second) = (us(), us());
        if self.network_dice.chance(weather.duplicate) {
            self.agenda.after(second, event.clone());
        }
        self.agenda.after(first, event);
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
    ClientRequest { id: 0, command: command.clone(), local: false }.encode().hash(&mut hasher);
    hasher.finish()
}

/// What the memory is called with which a machine's disk begins.
fn first_incarnation(seed: u64, index: usize) -> u64 {
    seed ^ (index as u64 + 1)
}

/// I12: who takes in a message of a member takes in one of that member's first disk. Held here against
/// what the configurations say, not against what the node makes of them.
fn invariant_remembers(replica: &Replica, from: NodeId, incarnation: u64) -> Result<(), String> {
    let mut known = replica.current().iter().filter_map(|governing| governing.configuration.member(from));
    match known.find(|member| member.incarnation != incarnation) {
        None => Ok(()),
        Some(_) => Err(format!("I12: {} counts on {from}, whose disk lost its memory", replica.id())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_in_the_middle_of_an_event_is_a_finding() {
        let mut world = World::new(Conditions::calm(3), 1, Trace::off());
        world.set_postman(Box::new(|_, from, to, _| panic!("{from} to {to}")));
        let found = std::iter::repeat_with(|| world.step()).find_map(Result::err).expect("somebody speaks");
        assert!(found.starts_with("a node panicked: n"), "{found}");
    }
}
