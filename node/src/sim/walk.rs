//! Random walks: replicas alone, and an adversary that decides what happens next.
//!
//! The [`World`](super::World) is realistic: most messages arrive soon, most disks are fast, and so
//! the strangest orders of events come up rarely. Here there is no time at all. Messages lie in a
//! bag; each step takes any of them (perhaps leaving a copy), loses one, lets a clock tick, a disk
//! catch up, a leader propose, or a node crash. A walk is short and touches few slots, so that
//! many of its steps matter to each other. The same observer watches.

use super::dice::{Dice, Ppm};
use super::trace::{Show, Trace};
use super::{Failure, Summary, Time};
use crate::paxos::invariants::Observer;
use crate::paxos::{
    Base, Change, Configuration, Effects, ElectionMode, Founding, Governing, LeaseTerms, LocalTime,
    LogContradiction, Lsn, Message, NodeId, Record, Recovered, Replica, ReplicaConfig, RoleName,
    SLOTS_IN_FLIGHT_MAX, Send, Slot, Standing, Timing, Value,
};
use bytes::Bytes;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Messages in the bag; what does not fit is lost, as if the adversary had chosen so.
const BAG_MAX: usize = 60;

/// Chance that a message is taken whoever is awake, in parts per million.
const STRAYS: Ppm = 50_000;

/// Sizes, with weights: three ballots in a row without common knowledge need five nodes.
const SIZES: [(u16, u32); 6] = [(1, 1), (2, 2), (3, 10), (4, 4), (5, 12), (7, 2)];

/// Nodes of a walk at most, those included that are gone.
const NODES_MAX: usize = 10;

/// Periods so short that a few ticks matter.
const TIMING: Timing =
    Timing { heartbeat_ticks: 3, election_ticks_min: 15, election_ticks_max: 30, retransmit_ticks: 6 };

/// What the adversary may do next.
#[derive(Copy, Clone, Debug)]
enum Step {
    Deliver,
    DeliverCopy,
    Lose,
    Tick,
    /// As many ticks as it takes to stand for leadership.
    Stand,
    Sync,
    Propose,
    /// A leader is asked for some change of the members; who is added is there from then on.
    Change,
    /// A snapshot is begun: the log gets its checkpoint.
    Snapshot,
    /// The snapshot begun last is durable.
    Save,
    Crash,
    /// Everything under way is lost, as by a long silence.
    Silence,
}

/// Walks where a seed leads; its events are the steps.
///
/// # Errors
/// The invariant that broke on the way.
pub fn walk(seed: u64) -> Result<Summary, Failure> {
    walk_with(seed, Trace::off()).0
}

/// The same walk once more, with its trace.
pub fn walk_traced(seed: u64) -> (Result<Summary, Failure>, String) {
    let (result, trace) = walk_with(seed, Trace::on());
    (result, trace.into_text())
}

fn walk_with(seed: u64, trace: Trace) -> (Result<Summary, Failure>, Trace) {
    let mut walk = Walk::new(seed, trace);
    let result = catch_unwind(AssertUnwindSafe(|| walk.go())).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(format!("a replica panicked: {}", text.unwrap_or("without a word")))
    });
    let result = result.map(|()| walk.summary()).map_err(|reason| {
        walk.trace.line(Time(walk.steps), format_args!("FAILED {reason}"));
        Failure { at: Time(walk.steps), events: walk.steps, reason }
    });
    (result, walk.trace)
}

struct Walk {
    dice: Dice,
    founding: Configuration,
    window: u64,
    /// All that there ever were.
    config: Vec<NodeId>,
    nodes: Vec<Node>,
    bag: Vec<(NodeId, Send)>,
    observer: Observer,
    weights: Vec<(Step, u32)>,
    /// Who takes part for now. What others have said lies in the bag until they are back.
    awake: Vec<NodeId>,
    /// The step at which that changes.
    changes_at: u64,
    epoch_steps_max: u64,
    proposed: u64,
    lives: u64,
    steps: u64,
    trace: Trace,
}

struct Node {
    replica: Replica,
    /// Written, and not all of it durable; those trimmed stay here, for the count.
    records: Vec<Record>,
    durable: usize,
    trimmed: usize,
    executed: Slot,
    /// What the snapshot begun last covers, and the durable one.
    begun: Saved,
    saved: Saved,
}

#[derive(Clone)]
struct Saved {
    base: Base,
    governing: Vec<Governing>,
}

impl Saved {
    const NOTHING: Saved = Saved { base: Base::NOTHING, governing: Vec::new() };
}

impl Walk {
    fn new(seed: u64, trace: Trace) -> Walk {
        let mut dice = Dice::new(seed, "walk");
        let nodes = dice.weighted(&SIZES);
        let config: Vec<NodeId> = (1..=nodes).map(NodeId).collect();
        let mut weight = |most: u64| dice.scattered(1..=most) as u32;
        let weights = vec![
            (Step::Deliver, 40 + weight(40)),
            (Step::DeliverCopy, weight(20)),
            (Step::Lose, weight(30)),
            (Step::Tick, weight(30)),
            (Step::Stand, weight(4)),
            (Step::Sync, 10 + weight(40)),
            (Step::Propose, weight(8)),
            (Step::Crash, weight(6)),
            (Step::Silence, weight(2) - 1),
            (Step::Snapshot, weight(8) - 1),
            (Step::Save, weight(8)),
        ];
        // A stream of its own: where members stay, the walk is what it would be if they had to.
        let mut members = Dice::new(seed, "members");
        let changes = members.coin();
        let window = if changes { *members.pick(&[1, 2, 3, 5, 8]) } else { SLOTS_IN_FLIGHT_MAX as u64 };
        let weights = match changes {
            true => [weights, vec![(Step::Change, members.within(1..=10) as u32)]].concat(),
            false => weights,
        };
        let founding = Configuration::of(&config);
        let mut walk = Walk {
            dice,
            nodes: Vec::new(),
            bag: Vec::new(),
            observer: Observer::new(founding.clone(), window),
            founding,
            window,
            weights,
            awake: config.clone(),
            changes_at: 0,
            epoch_steps_max: 0,
            proposed: 0,
            lives: 0,
            steps: 0,
            trace,
            config,
        };
        walk.epoch_steps_max = walk.dice.scattered(10..=200);
        for node in walk.config.clone() {
            walk.begin(node);
        }
        walk
    }

    /// A node that knows nothing is there.
    fn begin(&mut self, node: NodeId) {
        let replica = self.replica(node, Recovered::whole(&[])).expect("nothing contradicts nothing");
        self.nodes.push(Node {
            replica,
            records: Vec::new(),
            durable: 0,
            trimmed: 0,
            executed: Slot::ZERO,
            begun: Saved::NOTHING,
            saved: Saved::NOTHING,
        });
    }

    fn go(&mut self) -> Result<(), String> {
        let steps = self.dice.within(50..=1_000);
        while self.steps < steps {
            self.steps += 1;
            if self.steps >= self.changes_at {
                self.next_epoch();
            }
            let step = self.dice.weighted(&self.weights);
            self.step(step)?;
        }
        Ok(())
    }

    fn summary(&self) -> Summary {
        Summary {
            nodes: self.config.len() as u16,
            events: self.steps,
            ballots: self.observer.ballots_used(),
            slots: self.observer.chosen_slots(),
            members: self.observer.changes(),
            ..Summary::default()
        }
    }

    /// Some nodes fall silent, others are back: so that one quorum after another acts without
    /// knowing all that went before.
    fn next_epoch(&mut self) {
        let steps = self.dice.within(1..=self.epoch_steps_max);
        self.changes_at = self.steps + steps;
        self.awake.clear();
        for node in self.config.clone() {
            if self.dice.chance(700_000) {
                self.awake.push(node);
            }
        }
        if self.awake.is_empty() {
            self.awake.push(*self.dice.pick(&self.config));
        }
        self.trace.line(Time(self.steps), format_args!("awake: {:?}", self.awake));
    }

    fn step(&mut self, step: Step) -> Result<(), String> {
        let index = index_of(*self.dice.pick(&self.awake));
        match step {
            Step::Deliver | Step::DeliverCopy | Step::Lose => return self.message(step),
            Step::Tick => self.nodes[index].replica.tick(),
            Step::Stand => {
                let before = self.nodes[index].replica.promised();
                // A leader first has to find out that it hears nobody, then to lose patience.
                let ticks_max = 20 * TIMING.election_ticks_max;
                for _ in 0..ticks_max {
                    self.nodes[index].replica.tick();
                    if self.nodes[index].replica.promised() != before {
                        break;
                    }
                }
            }
            Step::Sync => self.sync(index)?,
            Step::Propose => {
                let value = Value::Batch(Bytes::from(format!("v{}", self.proposed + 1)));
                if self.nodes[index].replica.propose(value).is_some() {
                    self.proposed += 1;
                }
            }
            Step::Snapshot => {
                let Node { replica, begun, saved, .. } = &mut self.nodes[index];
                let covered = replica.covered();
                let knows_members = !replica.configuration().members().is_empty();
                if covered.slot > saved.base.slot && knows_members {
                    *begun = Saved { base: covered, governing: replica.governing_behind(covered) };
                    replica.checkpoint(covered.slot);
                }
            }
            Step::Save => {
                let Node { replica, begun, saved, .. } = &mut self.nodes[index];
                if begun.base.slot > saved.base.slot {
                    *saved = begun.clone();
                    replica.snapshot_is_durable(saved.base.slot, self.steps % 3);
                }
            }
            Step::Change => self.change(index),
            Step::Crash => return self.crash(index),
            Step::Silence => self.bag.clear(),
        }
        let node = self.config[index];
        self.trace.line(Time(self.steps), format_args!("{node}: {step:?}"));
        self.collect(index)
    }

    /// A leader is asked for a change that makes some sense to it.
    fn change(&mut self, index: usize) {
        let replica = &self.nodes[index].replica;
        if replica.role() != RoleName::Leader {
            return;
        }
        let members = replica.configuration().members().to_vec();
        let newcomer = NodeId(self.config.len() as u16 + 1);
        let learner = members.iter().find(|member| member.standing == Standing::Learner);
        let anybody = self.dice.pick(&members).node;
        let change = match (self.dice.within(0..=5), learner) {
            (0..=1, Some(learner)) => Change::Promote { node: learner.node },
            (2..=3, Some(learner)) => Change::Replace { node: anybody, by: learner.node },
            (0..=4, _) if self.config.len() < NODES_MAX => {
                Change::Add { node: newcomer, incarnation: 0, address: String::new() }
            }
            _ => Change::Remove { node: anybody },
        };
        let changed = self.nodes[index].replica.change(&change);
        self.trace.line(Time(self.steps), format_args!("{}: {change}: {changed:?}", self.config[index]));
        if changed.is_ok() && matches!(change, Change::Add { .. }) {
            self.config.push(newcomer);
            self.begin(newcomer);
        }
    }

    /// Something becomes of one message that may leave its sender.
    fn message(&mut self, step: Step) -> Result<(), String> {
        let may_leave =
            |(from, send): &(NodeId, Send)| send.after.0 <= self.nodes[index_of(*from)].durable as u64;
        let strays = self.dice.chance(STRAYS);
        let is_heard = |(from, send): &(NodeId, Send)| {
            strays || (self.awake.contains(from) && self.awake.contains(&send.to))
        };
        let candidates: Vec<usize> =
            (0..self.bag.len()).filter(|at| may_leave(&self.bag[*at]) && is_heard(&self.bag[*at])).collect();
        if candidates.is_empty() {
            return Ok(());
        }
        let at = candidates[self.dice.below(candidates.len())];
        let (from, Send { to, message, .. }) = match step {
            Step::DeliverCopy => self.bag[at].clone(),
            _ => self.bag.swap_remove(at),
        };
        self.trace.line(Time(self.steps), format_args!("{step:?} {from}->{to} {}", show(&message)));
        if matches!(step, Step::Lose) {
            return Ok(());
        }
        self.observer.left(from, &message)?;
        self.observer.heard(to, &message);
        match message {
            Message::SnapshotOffer { .. } => self.fetch(from, to),
            message => self.nodes[index_of(to)].replica.step(from, message),
        }
        self.collect(index_of(to))
    }

    /// Who is offered a snapshot has it, at once: how it travels is no matter of the replicas.
    fn fetch(&mut self, from: NodeId, to: NodeId) {
        let fetched = self.nodes[index_of(from)].saved.clone();
        let Node { replica, executed, begun, saved, .. } = &mut self.nodes[index_of(to)];
        let base = fetched.base;
        if replica.install(base, &fetched.governing) {
            (*executed, *begun, *saved) = (base.slot, fetched.clone(), fetched);
            replica.checkpoint(base.slot);
            replica.snapshot_is_durable(base.slot, 0);
        }
    }

    /// The disk catches up: to the end, or somewhere on the way.
    fn sync(&mut self, index: usize) -> Result<(), String> {
        let node = self.config[index];
        let Node { replica, records, durable, .. } = &mut self.nodes[index];
        let upto = if self.dice.coin() {
            records.len()
        } else {
            self.dice.within(*durable as u64..=records.len() as u64) as usize
        };
        for record in &records[*durable..upto] {
            self.observer.durable(node, record)?;
        }
        *durable = upto;
        replica.durable(Lsn(upto as u64));
        Ok(())
    }

    /// The node starts again with what is durable, and perhaps some of what was not.
    fn crash(&mut self, index: usize) -> Result<(), String> {
        let node = self.config[index];
        let Node { records, durable, .. } = &mut self.nodes[index];
        let kept = self.dice.within(*durable as u64..=records.len() as u64) as usize;
        let kept = if self.dice.coin() { *durable } else { kept };
        for record in &records[*durable..kept] {
            self.observer.durable(node, record)?;
        }
        let before = *durable;
        *durable = kept;
        records.truncate(kept);
        let records = records.clone();
        let Node { trimmed, saved, .. } = &mut self.nodes[index];
        let (trimmed, saved) = (*trimmed, saved.clone());
        self.trace.line(Time(self.steps), format_args!("{node} restarts with {kept} records"));
        self.observer.crashed(node);
        // What waited for the disk died with the node.
        self.bag.retain(|(from, send)| *from != node || send.after.0 <= before as u64);
        let Saved { base, governing } = &saved;
        let (base, trimmed) = (*base, trimmed as u64);
        let recovered = Recovered { base, governing, trimmed, records: &records[trimmed as usize..] };
        let replica = self.replica(node, recovered).map_err(|error| format!("{node}: {error}"))?;
        self.nodes[index].replica = replica;
        self.nodes[index].executed = base.slot;
        self.nodes[index].begun = saved;
        self.collect(index)
    }

    fn replica(&mut self, node: NodeId, recovered: Recovered<'_>) -> Result<Replica, LogContradiction> {
        self.lives += 1;
        let config = ReplicaConfig {
            id: node,
            incarnation: 0,
            founding: Founding::Known(match self.founding.member(node) {
                Some(_) => self.founding.clone(),
                None => Configuration::unknown(),
            }),
            window: self.window,
            timing: TIMING,
            election: ElectionMode::Randomised,
            lease: LeaseTerms::NONE,
            uses_leases: false,
        };
        Replica::restore(&config, recovered, self.lives)
    }

    /// Takes what a replica wants done, and looks at it.
    fn collect(&mut self, index: usize) -> Result<(), String> {
        let node = self.config[index];
        let Effects { records, sends, chosen, reads: _, trim } =
            self.nodes[index].replica.effects(LocalTime::default());
        if let Some(first) = trim {
            self.nodes[index].trimmed = usize::try_from(first.0).expect("a log in memory") - 1;
        }
        for record in records {
            self.trace.line(Time(self.steps), format_args!("{node} writes {}", show_record(&record)));
            self.observer.wrote(node, &record)?;
            self.nodes[index].records.push(record);
        }
        self.observer.look(&self.nodes[index].replica)?;
        for (slot, value) in chosen {
            if slot != self.nodes[index].executed.next() || self.observer.chosen(slot) != Some(&value) {
                return Err(format!("I7: {node} executes {} in {slot:?}", text(&value)));
            }
            self.nodes[index].executed = slot;
        }
        let _ = self.nodes[index].replica.take_deposed();
        for send in sends {
            if self.bag.len() >= BAG_MAX {
                let at = self.dice.below(self.bag.len());
                self.bag.swap_remove(at);
            }
            self.bag.push((node, send));
        }
        Ok(())
    }
}

fn index_of(node: NodeId) -> usize {
    usize::from(node.0) - 1
}

fn text(value: &Value) -> String {
    match value {
        Value::Noop => "no-op".into(),
        Value::Batch(bytes) => Show(bytes).to_string(),
        Value::Configuration(configuration) => configuration.to_string(),
    }
}

/// As [`Show`], for values that are no batches.
fn show(message: &Message) -> String {
    match message {
        Message::Accept { ballot, slot, value, chosen_upto } => {
            format!("Accept {ballot} {slot:?} {}, chosen up to {chosen_upto:?}", text(value))
        }
        Message::Promise { ballot, from, slots, next, trimmed } => {
            let slots: Vec<String> = slots
                .iter()
                .map(|report| {
                    let learned = if report.learned { " learned" } else { "" };
                    format!("{:?} {} {}{learned}", report.slot, report.ballot, text(&report.value))
                })
                .collect();
            format!("Promise {ballot} from {from:?} {slots:?} next {next:?} trimmed up to {trimmed:?}")
        }
        Message::LearnReply { slots, chosen_upto } => {
            let slots: Vec<String> =
                slots.iter().map(|report| format!("{:?} {}", report.slot, text(&report.value))).collect();
            format!("LearnReply {slots:?}, chosen up to {chosen_upto:?}")
        }
        other => Show(other).to_string(),
    }
}

fn show_record(record: &Record) -> String {
    match record {
        Record::Accepted { slot, ballot, value } => format!("accepted {slot:?} {ballot} {}", text(value)),
        Record::Kept { slot, ballot, value } => format!("kept {slot:?} {ballot} {}", text(value)),
        Record::Learned { slot, ballot, value } => format!("learned {slot:?} {ballot} {}", text(value)),
        other => Show(other).to_string(),
    }
}
