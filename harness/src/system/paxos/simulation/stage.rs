//! A simulated run, read from top to bottom:
//! start → warm-up → faults → heal → settle → final reads.

use std::time::Duration;

use checker::online::Checker;
use futures_util::FutureExt as _;
use paxos_node::paxos::{ElectionMode, LeaseTerms, NodeId as SimNode, RoleName};
use paxos_node::service::ReadMode as SimReads;
use paxos_node::sim::{CLIENT_ALARMS, Conditions, Happening, Time, Trace, World};
use workloads::Generator;

use super::super::timing;
use super::clients::{Around, Clients};
use super::links::SharedWires;
use super::tape::Tape;
use super::victim::Simulated;
use crate::nemesis::{Hands, Victim};
use crate::run::contract;
use crate::run::facts::Facts;
use crate::run::liveness::{Recovery, WARM_UP_MAX, WARM_UP_MIN, answers_needed, not_going};
use crate::run::options::Options;
use crate::run::phase::{FINAL_READS_MAX, Phase};
use crate::run::score::Counts;
use crate::run::stop::StopReason;
use crate::run::verdict::Answer;
use crate::run::vigil::Vigil;
use crate::schedule::{Ballot, Director, Observed, Order};
use crate::schedule::{Election, ReadMode};
use crate::system::NodeId;

/// The driver looks at the cluster at least this often.
const LOOK_US: u64 = 10_000;
/// The alarms of looks, of arrivals, and of moments that somebody waits for.
const LOOK: u64 = CLIENT_ALARMS;
const ARRIVAL: u64 = CLIENT_ALARMS + 1;
const MOMENT: u64 = CLIENT_ALARMS + 2;

/// What a simulated run left.
pub(super) struct Played {
    pub(super) facts: Facts,
    pub(super) tape: Tape,
    /// What cut it short, if anything did.
    pub(super) cut: Option<Cut>,
    pub(super) events: u64,
    pub(super) now_us: u64,
}

/// Why a run is not played to its end.
pub(super) enum Cut {
    /// An invariant was broken, in words.
    Invariant(String),
    /// The history became impossible.
    History,
}

/// How well clocks are to run where leases rest on them: the node's own default.
const CLOCK_DRIFT_PPM: u32 = 10_000;

/// Plays all phases but the judgement. The history is judged on the way by `online`, if it can be: an
/// impossible one ends the run.
pub(super) fn play(options: &Options, generator: Box<dyn Generator>, online: Option<Checker>) -> Played {
    let wires = SharedWires::new(options.seed);
    let conditions = Conditions {
        sync_us: (300, 1_500),
        encodes: false,
        snapshot_every_bytes: options.snapshot_every_bytes.unwrap_or(u64::MAX),
        timing: options.election.and_then(timing).unwrap_or_default(),
        election: match options.election {
            None => ElectionMode::default(),
            Some(Election::PreVote) => ElectionMode::PreVote,
            Some(Election::Randomised) => ElectionMode::Randomised,
            Some(Election::Fixed) => ElectionMode::Fixed,
        },
        reads: match options.read_mode {
            None => SimReads::default(),
            Some(ReadMode::Barrier) => SimReads::Barrier,
            Some(ReadMode::Lease) => SimReads::Lease,
            Some(ReadMode::Log) => SimReads::Log,
        },
        ..Conditions::calm(options.nodes)
    };
    let conditions = match conditions.reads {
        SimReads::Lease => {
            let term_us = conditions.timing.election_ticks_min * conditions.tick_ms * 1000;
            Conditions { lease: LeaseTerms { term_us, drift_ppm: CLOCK_DRIFT_PPM }, ..conditions }
        }
        SimReads::Barrier | SimReads::Log => conditions,
    };
    let mut world = World::new(conditions, options.seed, Trace::off());
    world.set_postman(wires.postman());
    let mut stage = Stage {
        options,
        nodes: (1..=options.nodes).map(NodeId).collect(),
        cluster: Simulated::new(world, wires),
        clients: Clients::new(
            options.concurrency,
            options.nodes,
            options.rate,
            options.seed,
            options.op_timeout,
            options.retries,
        ),
        generator,
        facts: Facts::default(),
        highest: None,
        phase_start: Counts::default(),
    };
    stage.cluster.tape.borrow_mut().checker = online;
    stage.cluster.world.borrow_mut().set_alarm(0, LOOK);
    stage.cluster.world.borrow_mut().set_alarm(0, ARRIVAL);
    let cut = stage.phases().err();
    let Stage { cluster, facts, clients, .. } = stage;
    let (events, now_us) = {
        let world = cluster.world.borrow();
        (world.events(), world.now().0)
    };
    let tape = std::mem::take(&mut *cluster.tape.borrow_mut());
    let facts = Facts { not_issued: clients.not_issued, seconds: now_us as f64 / 1e6, ..facts };
    Played { facts, tape, cut, events, now_us }
}

struct Stage<'run> {
    options: &'run Options,
    nodes: Vec<NodeId>,
    cluster: Simulated,
    clients: Clients,
    generator: Box<dyn Generator>,
    facts: Facts,
    /// The highest ballot in which anybody was seen leading.
    highest: Option<Ballot>,
    phase_start: Counts,
}

impl Stage<'_> {
    fn phases(&mut self) -> Result<(), Cut> {
        self.warm_up()?;
        self.leave(Phase::WarmUp);
        if self.facts.warmed_up != Some(Answer::Valid) {
            return Ok(());
        }
        if !self.options.faults.is_none() {
            self.faults()?;
            self.leave(Phase::Faults);
        }
        self.cluster.heal(&self.nodes);
        self.settle()?;
        self.leave(Phase::Settle);
        self.clients.quiet = true;
        let patience = self.now_us() + 2 * micros(self.options.op_timeout);
        self.until(patience, |stage| stage.clients.are_idle())?;
        self.final_reads()
    }

    fn warm_up(&mut self) -> Result<(), Cut> {
        let enough = answers_needed(self.options, WARM_UP_MAX);
        let going = |stage: &mut Self| {
            stage.now_us() >= micros(WARM_UP_MIN)
                && stage.counts().ok >= enough
                && stage.look().leader.is_some()
        };
        if self.until(micros(WARM_UP_MAX), going)? {
            self.facts.warmed_up = Some(Answer::Valid);
        } else {
            let leads = self.look().leader.is_some();
            let (answer, reason) = not_going(self.counts(), leads, WARM_UP_MAX, Duration::ZERO);
            self.facts.warmed_up = Some(answer);
            self.facts.stopped = Some(StopReason::Violation(reason));
        }
        Ok(())
    }

    /// What the schedule says, until it is over.
    fn faults(&mut self) -> Result<(), Cut> {
        let left = self.options.time_limit.saturating_sub(Duration::from_micros(self.now_us()));
        let schedule = self.options.schedule(left);
        self.facts.schedule = Some(schedule.clone());
        let mut director = Director::new(schedule, self.options.seed).steering(self.options.steer);
        let played = self.direct(&mut director);
        self.facts.passed = director.passed().to_vec();
        self.facts.reached = director.territory().clone();
        self.facts.resolved = Some(director.resolved());
        played
    }

    /// Looks, does what is due, waits for what comes next.
    fn direct(&mut self, director: &mut Director) -> Result<(), Cut> {
        let mut hands = Hands::new(self.cluster.clone());
        let mut vigil = Vigil::default();
        let began_us = self.now_us();
        while !director.is_finished() {
            for (key, at_us) in self.cluster.wires.take_sightings() {
                director.saw(&key, Duration::from_micros(at_us.saturating_sub(began_us)));
            }
            let mut observed = self.look();
            observed.now = Duration::from_micros(self.now_us() - began_us);
            let orders = director.advance(&observed);
            let turns = orders.iter().any(Order::changes_something);
            for order in orders {
                // In the simulation nothing is waited for.
                let obeyed = hands.obey(order, director).now_or_never();
                let Ok(report) = obeyed.expect("hands of a simulated cluster never wait");
                self.facts.faults.extend(report);
            }
            if turns {
                let demanded = contract::progress_demanded(
                    &self.look().nodes,
                    director.standing(),
                    self.options.op_timeout,
                );
                let counted = self.cluster.tape.borrow().score.since_mark();
                self.facts.windows.extend(vigil.turn(observed.now, counted, demanded));
            }
            if vigil.begins_counting(observed.now) {
                self.mark();
            }
            let watches = director.watches(&observed);
            let watching = !watches.is_empty();
            self.cluster.wires.set_watches(watches);
            let wake = director.wake_at(observed.now).map_or(u64::MAX, |at| began_us + micros(at));
            let wake = wake.min(self.now_us() + LOOK_US).max(self.now_us() + 1);
            // A frame that is waited for must be answered before anything else happens.
            let wires = self.cluster.wires.clone();
            self.until(wake, |_| watching && wires.has_sightings())?;
        }
        Ok(())
    }

    /// Everything is restored: the cluster must elect, answer and catch up.
    fn settle(&mut self) -> Result<(), Cut> {
        let most = self.facts.settle_max();
        let healed_us = self.now_us();
        self.mark();
        let goal = self.look().applied.values().copied().max().unwrap_or(0);
        let enough = answers_needed(self.options, most);
        let before = self.counts();
        let mut recovery = Recovery { goal_unknown: goal == 0 && before.ok > 0, ..Recovery::default() };
        self.until(healed_us + micros(most), |stage| {
            let observed = stage.look();
            let lost = stage.lost_memories();
            let stays = stage.nodes.iter().filter(|node| !lost.contains(node));
            let behind = stays.filter(|node| observed.applied.get(node).is_none_or(|at| *at < goal));
            recovery.note(
                Duration::from_micros(stage.now_us() - healed_us),
                observed.leader.is_some(),
                stage.cluster.tape.borrow().score.since_mark().ok >= enough,
                behind.map(|node| format!("{node} has not applied slot {goal}")).collect(),
            );
            recovery.is_complete()
        })?;
        recovery.counted(before, self.counts().since(before));
        self.facts.recovery = Some(recovery);
        Ok(())
    }

    fn final_reads(&mut self) -> Result<(), Cut> {
        let reads = self.generator.final_reads();
        let keys = reads.len();
        self.clients.read_all(reads);
        let deadline = self.now_us() + micros(FINAL_READS_MAX);
        self.until(deadline, |stage| stage.clients.reads_done >= keys)?;
        self.facts.final_reads = Some((keys, keys - self.clients.reads_done.min(keys)));
        Ok(())
    }

    // ---- Time --------------------------------------------------------------------------------

    /// Lets things happen until `done`, which is asked whenever the cluster is looked at, or until the
    /// deadline. Says whether it is done.
    fn until(&mut self, deadline_us: u64, mut done: impl FnMut(&mut Self) -> bool) -> Result<bool, Cut> {
        self.ask_around();
        loop {
            if done(self) {
                return Ok(true);
            }
            // Between two looks `done` is asked after every event only if it may depend on each.
            let mut looked = false;
            while !looked {
                if self.cluster.world.borrow().is_over_at(Time(deadline_us)) {
                    self.wait_for(deadline_us)?;
                    return Ok(done(self));
                }
                looked = self.step()? || self.cluster.wires.has_sightings();
            }
        }
    }

    /// Goes on to a moment before which nothing happens.
    fn wait_for(&mut self, at_us: u64) -> Result<(), Cut> {
        let now_us = self.now_us();
        if at_us > now_us {
            self.cluster.world.borrow_mut().set_alarm(at_us - now_us, MOMENT);
            while self.now_us() < at_us {
                self.step()?;
            }
        }
        Ok(())
    }

    /// One event. Says whether it is time to look at the cluster.
    fn step(&mut self) -> Result<bool, Cut> {
        let happening = self.cluster.world.borrow_mut().step().map_err(Cut::Invariant)?;
        match happening {
            Happening::Nothing | Happening::Alarm(MOMENT) => {}
            Happening::Alarm(LOOK) => {
                self.cluster.world.borrow_mut().set_alarm(LOOK_US, LOOK);
                return Ok(true);
            }
            Happening::Alarm(ARRIVAL) => {
                if let Some(next_us) = self.ask_around() {
                    let now_us = self.now_us();
                    self.cluster.world.borrow_mut().set_alarm(next_us.saturating_sub(now_us).max(1), ARRIVAL);
                }
            }
            Happening::Alarm(alarm) => self.with_clients(|clients, around| clients.on_alarm(alarm, around)),
            Happening::Answered(token, reply) => {
                self.with_clients(|clients, around| clients.on_answer(token, &reply, around));
            }
            Happening::Down(node) => {
                self.with_clients(|clients, around| clients.on_down(NodeId(node.0), around));
            }
        }
        if self.cluster.tape.borrow().impossible {
            return Err(Cut::History);
        }
        Ok(false)
    }

    fn ask_around(&mut self) -> Option<u64> {
        self.with_clients(|clients, around| clients.look(around))
    }

    fn with_clients<T>(&mut self, act: impl FnOnce(&mut Clients, &mut Around<'_>) -> T) -> T {
        let mut world = self.cluster.world.borrow_mut();
        let mut tape = self.cluster.tape.borrow_mut();
        let mut around = Around {
            world: &mut world,
            tape: &mut tape,
            generator: &mut *self.generator,
            wires: &self.cluster.wires,
        };
        act(&mut self.clients, &mut around)
    }

    // ---- Looking -----------------------------------------------------------------------------

    fn look(&mut self) -> Observed {
        let nodes = self.nodes.iter().map(|&node| (node, self.cluster.condition(node))).collect();
        let world = self.cluster.world.borrow();
        let service = |node: &NodeId| world.service(SimNode(node.0));
        let leads = |node: &NodeId| {
            let replica = service(node).filter(|_| !world.is_paused(SimNode(node.0)))?.replica();
            let ballot = replica.leader().filter(|_| replica.role() == RoleName::Leader)?;
            Some((*node, (ballot.round, ballot.node.0)))
        };
        let mut leaders: Vec<(NodeId, Ballot)> = self.nodes.iter().filter_map(leads).collect();
        leaders.sort_by_key(|&(_, ballot)| std::cmp::Reverse(ballot));
        let leader = leaders.first().copied();
        if let Some((_, ballot)) = leader
            && self.highest.is_none_or(|highest| ballot > highest)
        {
            self.facts.leader_changes += u64::from(self.highest.is_some());
            self.highest = Some(ballot);
        }
        let applied = |node: &NodeId| Some((*node, service(node)?.kv().applied().slot.0));
        Observed {
            now: Duration::from_micros(world.now().0),
            nodes,
            leader,
            leaders: leaders.into_iter().map(|(node, _)| node).collect(),
            applied: self.nodes.iter().filter_map(applied).collect(),
            ops_ok: self.counts().ok,
        }
    }

    /// Whose disks were emptied.
    fn lost_memories(&self) -> Vec<NodeId> {
        let world = self.cluster.world.borrow();
        self.nodes.iter().copied().filter(|node| world.is_destroyed(SimNode(node.0))).collect()
    }

    fn now_us(&self) -> u64 {
        self.cluster.world.borrow().now().0
    }

    fn counts(&self) -> Counts {
        self.cluster.tape.borrow().score.counts()
    }

    /// What begins from now on is counted apart.
    fn mark(&self) {
        let now_ns = self.cluster.now_ns();
        self.cluster.tape.borrow_mut().score.mark(now_ns);
    }

    fn leave(&mut self, phase: Phase) {
        let counts = self.counts();
        self.facts.phases.push((phase, counts.since(self.phase_start)));
        self.phase_start = counts;
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
