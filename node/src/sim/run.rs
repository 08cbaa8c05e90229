//! One simulation, from its seed to a verdict.
//!
//! Safety phase: clients work while faults strike, and the invariants are checked after every
//! event. Liveness phase: every fault is undone, and within a bounded time there must be one
//! leader whom all follow, everybody who waits must have an answer, every node must serve a write
//! and a read, and all must come to the same state. Then what clients were told is judged.

use super::clients::{CLIENT_ALARMS, Clients};
use super::clock::Time;
use super::dice::Dice;
use super::history::Told;
use super::operator::Operator;
use super::oracle;
use super::schedule::Schedule;
use super::setup::Setup;
use super::trace::{Show, Trace};
use super::world::{Happening, SEGMENTS_READY_MAX, World};
use crate::kv::{OpResult, Txn, TxnOp, TxnOutcome};
use crate::paxos::{AppliedHash, Ballot, NodeId, RoleName, Slot};
use crate::service::Service;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::fmt;

/// The schedule's alarm.
const NEXT_FAULT: u64 = CLIENT_ALARMS;

/// The operator's.
const NEXT_CHANGE: u64 = CLIENT_ALARMS + 1;

/// A healed cluster has this many of the longest election timeouts for each thing demanded of it.
/// Back-off reaches eight of them, and the attempt after it may meet another candidate's.
const LIVENESS_ELECTION_TIMEOUTS: u64 = 60;

/// A simulation that found nothing.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Number of nodes.
    pub nodes: u16,
    /// Events that happened.
    pub events: u64,
    /// Virtual time that passed, in microseconds.
    pub virtual_us: u64,
    /// Calls that happened, that failed for certain, and of unknown outcome.
    pub calls: (u64, u64, u64),
    /// Leadership attempts.
    pub ballots: u64,
    /// Slots chosen.
    pub slots: u64,
    /// Snapshots that nodes fetched from others.
    pub installs: u64,
    /// Reads that leaders could answer for their lease, and for a quorum's answer.
    pub reads: (u64, u64),
    /// Snapshots that became durable, fetched ones included.
    pub snapshots: u64,
    /// Changes of the members that were chosen and counted.
    pub members: u64,
    /// Nodes with an emptied disk that were turned away.
    pub turned_away: u64,
    /// Faults that struck, by kind.
    pub faults: BTreeMap<&'static str, u64>,
}

/// A simulation that found something.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Failure {
    /// When, in virtual time.
    pub at: Time,
    /// After how many events.
    pub events: u64,
    /// What is wrong.
    pub reason: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {} after {} events: {}", self.at, self.events, self.reason)
    }
}

/// Simulates what a seed means.
///
/// # Errors
/// What the simulation found.
pub fn simulate(seed: u64) -> Result<Summary, Failure> {
    simulate_setup(&Setup::draw(seed), seed, Trace::off()).0
}

/// The same once more, with its trace: the same bytes whenever it is asked for.
pub fn simulate_traced(seed: u64) -> (Result<Summary, Failure>, String) {
    let (result, trace) = simulate_setup(&Setup::draw(seed), seed, Trace::on());
    (result, trace.into_text())
}

/// Simulates any setup.
pub fn simulate_setup(setup: &Setup, seed: u64, trace: Trace) -> (Result<Summary, Failure>, Trace) {
    let mut run = Run::new(setup, seed, trace);
    run.world.note(format_args!("seed {seed}: {setup}"));
    let result = match run.go() {
        Ok(()) => Ok(run.summary()),
        Err(reason) => Err(Failure { at: run.world.now(), events: run.world.events(), reason }),
    };
    if let Err(failure) = &result {
        run.world.note(format_args!("FAILED {}", failure.reason));
    }
    (result, run.world.into_trace())
}

/// The same, and the event traces that the nodes would have left, from node 1: for whoever judges by
/// those alone.
pub fn simulate_with_event_traces(setup: &Setup, seed: u64) -> (Result<Summary, Failure>, Vec<Vec<u8>>) {
    let mut run = Run::new(setup, seed, Trace::off());
    run.world.keep_event_traces();
    let result = match run.go() {
        Ok(()) => Ok(run.summary()),
        Err(reason) => Err(Failure { at: run.world.now(), events: run.world.events(), reason }),
    };
    (result, run.world.take_event_traces())
}

struct Run {
    world: World,
    clients: Clients,
    schedule: Schedule,
    operator: Operator,
    faults_us: u64,
    /// In the safety phase.
    faults_are_on: bool,
}

impl Run {
    fn new(setup: &Setup, seed: u64, trace: Trace) -> Run {
        let mut world = World::new(setup.conditions.clone(), seed, trace);
        let clients = Clients::new(
            setup.habits.clone(),
            &mut world,
            Dice::new(seed, "clients"),
            Dice::new(seed, "readers"),
        );
        let mut schedule = Schedule::new(setup.plan.clone(), Dice::new(seed, "schedule"));
        if let Some(us) = schedule.next_gap_us() {
            world.set_alarm(us, NEXT_FAULT);
        }
        let mut operator =
            Operator::new(setup.operator_us, Dice::new(seed, "deeds"), Dice::new(seed, "losses"));
        if let Some(us) = operator.next_gap_us() {
            world.set_alarm(us, NEXT_CHANGE);
        }
        Run { world, clients, schedule, operator, faults_us: setup.faults_us, faults_are_on: true }
    }

    fn go(&mut self) -> Result<(), String> {
        let end = self.world.now().after(self.faults_us);
        self.run_until(end, |_| false)?;
        self.heal()?;
        self.every_node_serves()?;
        self.logs_are_short()?;
        // Last: a copy of a request may still be on its way while logs are being cut.
        self.all_nodes_agree()?;
        self.judge()
    }

    fn summary(&self) -> Summary {
        Summary {
            nodes: self.world.conditions().nodes,
            events: self.world.events(),
            virtual_us: self.world.now().0,
            calls: self.clients.history().counts(),
            ballots: self.world.observer().ballots_used(),
            slots: self.world.observer().chosen_slots(),
            installs: self.world.snapshots().1,
            reads: self.world.reads(),
            snapshots: self.world.snapshots().0,
            faults: self.schedule.struck.iter().chain(&self.operator.did).map(|(k, n)| (*k, *n)).collect(),
            members: self.world.observer().changes(),
            turned_away: self.world.turned_away(),
        }
    }

    /// Runs until something holds or a moment has come; tells whether it holds.
    fn run_until(&mut self, deadline: Time, holds: impl Fn(&Run) -> bool) -> Result<bool, String> {
        while !self.world.is_over_at(deadline) {
            let happening = self.world.step()?;
            match &happening {
                Happening::Alarm(NEXT_FAULT) if self.faults_are_on => {
                    self.schedule.strike(&mut self.world);
                    if let Some(us) = self.schedule.next_gap_us() {
                        self.world.set_alarm(us, NEXT_FAULT);
                    }
                }
                Happening::Alarm(NEXT_CHANGE) if self.faults_are_on => {
                    self.operator.act(&mut self.world);
                    self.clients.know(self.world.members());
                    if let Some(us) = self.operator.next_gap_us() {
                        self.world.set_alarm(us, NEXT_CHANGE);
                    }
                }
                Happening::Down(node) => {
                    let us = self.schedule.down_us();
                    self.world.inject(us, super::Fault::Start(*node));
                }
                Happening::Nothing | Happening::Answered(..) | Happening::Alarm(_) => {}
            }
            if !self.faults_are_on {
                // A change that was under way may yet take away the node that a client holds on to.
                self.clients.know(self.world.members());
            }
            self.clients.on(&happening, &mut self.world)?;
            if holds(self) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    // ---- Liveness ----------------------------------------------------------------------------

    fn heal(&mut self) -> Result<(), String> {
        self.world.note(format_args!("all faults are undone"));
        self.faults_are_on = false;
        Schedule::cure(&mut self.world);
        self.clients.finish();
        self.demand("one leader, an answer for everybody, and the last change of members in force", |run| {
            run.clients.are_done()
                && run.agreed_leader().is_some_and(|leader| run.has_nothing_in_flight(leader.node))
                && run.world.observer().current().len() == 1
        })
    }

    fn every_node_serves(&mut self) -> Result<(), String> {
        let key = self.clients.keys().swap_remove(0);
        for node in self.world.members() {
            let value = self.clients.fresh_value();
            self.serve(node, TxnOp::Append { key: key.clone(), value: value.clone() })?;
            let seen = self.serve(node, TxnOp::Get { key: key.clone() })?;
            let TxnOutcome::Done(results) = &seen else { return Err(format!("{node}: a read was aborted")) };
            if !matches!(results.as_slice(), [OpResult::List(items)] if items.last() == Some(&value)) {
                return Err(format!("{node}: a read after appending {} saw {}", Show(&value), Show(&seen)));
            }
        }
        Ok(())
    }

    /// A client asks this node and gets its answer.
    fn serve(&mut self, node: NodeId, op: TxnOp) -> Result<TxnOutcome, String> {
        let txn = Txn { ops: vec![op] };
        loop {
            let calls = self.clients.history().calls().len();
            self.clients.ask(0, node, txn.clone(), &mut self.world);
            self.demand(&format!("an answer from {node}"), |run| run.clients.are_done())?;
            // The client may have had to open its session first.
            let Some(call) = self.clients.history().calls().get(calls) else { continue };
            return match &call.completed {
                Some((_, Told::Ok(_, outcome))) => Ok(outcome.clone()),
                told => Err(format!("liveness: {node} answered {told:?} in a healthy cluster")),
            };
        }
    }

    fn all_nodes_agree(&mut self) -> Result<(), String> {
        self.demand("the same state everywhere", |run| run.common_state().is_some())
    }

    /// However much was written, what is left of a node's log is what it grows by between two
    /// snapshots, and while one is written or fetched; a few segments at its ends, and ready; headers; and the large
    /// values that were in flight, perhaps said again behind a checkpoint.
    fn logs_are_short(&mut self) -> Result<(), String> {
        /// A record of no value, in a batch of its own, takes so many times what is counted for it.
        const OVERHEAD: u64 = 3;
        let conditions = self.world.conditions();
        let (every, segment) = (conditions.snapshot_every_bytes, conditions.segment_bytes);
        if every == u64::MAX {
            return Ok(());
        }
        let in_flight = self.clients.in_flight_bytes_max() as u64;
        let log_and_most = move |run: &Run, node| {
            let (log, snapshot) = run.world.disk_bytes(node);
            let most = OVERHEAD * 3 * every.max(snapshot) + (3 + SEGMENTS_READY_MAX) * segment;
            (log, most + 2 * in_flight)
        };
        let is_short = |run: &Run, node| {
            let (log, most) = log_and_most(run, node);
            run.world.service(node).is_some_and(Service::is_snapshot_idle) && log <= most
        };
        self.demand("logs as short as snapshots allow", |run| {
            run.world.members().into_iter().all(|node| is_short(run, node))
        })
        .map_err(|error| {
            let long = self.world.members().into_iter().filter(|node| !is_short(self, *node));
            let sizes = long.map(|node| {
                let (log, most) = log_and_most(self, node);
                format!("; {node}'s has {log} bytes, {most} are enough")
            });
            sizes.fold(error, |error, size| error + &size)
        })
    }

    fn demand(&mut self, what: &str, holds: impl Fn(&Run) -> bool) -> Result<(), String> {
        let us = self.world.conditions().election_us_max() * LIVENESS_ELECTION_TIMEOUTS;
        let deadline = self.world.now().after(us);
        if self.run_until(deadline, holds)? {
            return Ok(());
        }
        Err(format!("liveness: in {us}us without faults the cluster did not come to {what}"))
    }

    /// Whether all that a leader proposed is chosen: among it may be a change of the members, which is not
    /// in the observer's succession before that.
    fn has_nothing_in_flight(&self, leader: NodeId) -> bool {
        self.world.service(leader).is_some_and(|service| service.replica().in_flight() == 0)
    }

    /// The leader, if there is one and everybody knows it.
    fn agreed_leader(&self) -> Option<Ballot> {
        let mut leaders = self.world.members().into_iter().map(|node| {
            let replica = self.world.service(node)?.replica();
            let leads = replica.role() == RoleName::Leader;
            replica.leader().filter(|leader| leads == (leader.node == node))
        });
        let first = leaders.next()??;
        leaders.all(|leader| leader == Some(first)).then_some(first)
    }

    /// What everybody has applied, if that is the same and all there is.
    fn common_state(&self) -> Option<AppliedHash> {
        let mut states =
            self.world.members().into_iter().map(|node| Some(self.world.service(node)?.kv().applied()));
        let first = states.next()??;
        let same = states.all(|state| state == Some(first));
        (same && first.slot.0 == self.world.observer().chosen_slots()).then_some(first)
    }

    // ---- Verdict -----------------------------------------------------------------------------

    fn judge(&mut self) -> Result<(), String> {
        let Some(state) = self.common_state() else { return Err("no common state".into()) };
        let observer = self.world.observer();
        let chosen: Option<Vec<_>> = (1..=state.slot.0).map(|slot| observer.chosen(Slot(slot))).collect();
        let Some(chosen) = chosen else { return Err("applied beyond what is chosen".into()) };
        let history = self.clients.history();
        let model = oracle::judge_by_log(history, &chosen)?;

        let keys = self.clients.keys();
        let gets = keys.iter().map(|key| TxnOp::Get { key: key.clone() }).collect();
        let right = TxnOutcome::Done(keys.iter().map(|key| model.get(key)).collect());
        let gets = Txn { ops: gets };
        let mut lists: BTreeMap<Bytes, Vec<Bytes>> = BTreeMap::new();
        for node in self.world.members() {
            let Some(service) = self.world.service(node) else { return Err(format!("{node} is down")) };
            let held = service.kv().read(&gets);
            if held != right {
                return Err(format!("{node} holds {}, {} was right", Show(&held), Show(&right)));
            }
            let TxnOutcome::Done(held) = held else { return Err(format!("{node} refuses to be read")) };
            for (key, held) in keys.iter().zip(held) {
                match held {
                    OpResult::List(items) => lists.insert(key.clone(), items),
                    OpResult::Value(None) if key.starts_with(b"list") => {
                        lists.insert(key.clone(), Vec::new())
                    }
                    OpResult::Value(_) | OpResult::Integer(_) | OpResult::Done => None,
                };
            }
        }
        oracle::judge_lists(history, &lists)
    }
}
