//! What a seed means: which cluster, how fast its parts are, what will be done to it, and what its
//! clients do. All drawn before anything happens.

use super::clients::Habits;
use super::conditions::Conditions;
use super::dice::{Dice, Ppm};
use super::network::Weather;
use super::schedule::{FaultKind, Plan};
use crate::paxos::{ElectionMode, LeaseTerms, SLOTS_IN_FLIGHT_MAX, Timing};
use crate::service::ReadMode;
use std::fmt;

/// Everything a simulation is made of.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The cluster.
    pub conditions: Conditions,
    /// Its clients.
    pub habits: Habits,
    /// What is done to it.
    pub plan: Plan,
    /// How often its members are changed, in microseconds from one time to the next: at least, at most;
    /// `None`: never.
    pub operator_us: Option<(u64, u64)>,
    /// How long that goes on, in microseconds of virtual time.
    pub faults_us: u64,
}

impl Setup {
    /// What this seed means.
    #[must_use]
    pub fn draw(seed: u64) -> Setup {
        let mut dice = Dice::new(seed, "setup");
        let mut conditions = draw_conditions(&mut dice);
        conditions.snapshot_every_bytes = draw_snapshots(seed);
        conditions.election = draw_election(seed);
        conditions.meets = draw_meeting(seed);
        draw_reads(seed, &mut conditions);
        let patience_us = conditions.election_us_max();
        let faults_us = patience_us * dice.within(8..=25);
        let mut habits = draw_habits(&mut dice, patience_us);
        habits.local = rate(&mut Dice::new(seed, "local-reads"), 500_000);
        let mut plan = draw_plan(&mut dice, patience_us);
        if conditions.reads == ReadMode::Lease && Dice::new(seed, "lease-plan").coin() {
            try_leases(&mut habits, &mut plan, patience_us);
        }
        let operator_us = draw_operator(seed, &mut conditions);
        Setup { conditions, habits, plan, operator_us, faults_us }
    }

    /// The same, and its members stay: for whoever judges by rules that know only one configuration.
    #[must_use]
    pub fn with_lasting_members(mut self) -> Setup {
        self.operator_us = None;
        self.conditions.spares = 0;
        self.conditions.window = SLOTS_IN_FLIGHT_MAX as u64;
        self
    }

    /// A cluster of that size with nothing wrong, and ordinary clients, for so long.
    #[must_use]
    pub fn calm(nodes: u16, us: u64) -> Setup {
        let conditions = Conditions::calm(nodes);
        let habits = Habits {
            clients: 3,
            keys: 2,
            mix: [1; 6],
            think_us: (1_000, 20_000),
            patience_us: (300_000, 600_000),
            attempts_max: 10,
            resigns: 0,
            loyalty: 900_000,
            roam: 0,
            local: 0,
            anonymous: 0,
            calls_max: usize::MAX,
            large: 0,
            large_max: 0,
            large_bytes: 0,
        };
        Setup { conditions, habits, plan: Plan::nothing(), operator_us: None, faults_us: us }
    }
}

/// Odd sizes mostly, as in life; even ones because that is where quorum arithmetic goes wrong.
const SIZES: [(u16, u32); 7] = [(1, 3), (2, 5), (3, 36), (4, 12), (5, 32), (6, 5), (7, 7)];

fn draw_conditions(dice: &mut Dice) -> Conditions {
    let heartbeat_ticks = dice.within(2..=6);
    let election_ticks_min = heartbeat_ticks * dice.within(3..=7);
    let timing = Timing {
        heartbeat_ticks,
        election_ticks_min,
        election_ticks_max: election_ticks_min * dice.within(13..=30) / 10,
        retransmit_ticks: dice.within(2..=10),
    };
    let tick_ms = *dice.pick(&[1, 2, 5, 10]);
    let patience_us = timing.election_ticks_max * tick_ms * 1000;
    let sync_us_min = dice.scattered(20..=patience_us / 20);
    let bursts = dice.coin();
    Conditions {
        nodes: dice.weighted(&SIZES),
        spares: 0,
        meets: false,
        window: SLOTS_IN_FLIGHT_MAX as u64,
        timing,
        election: ElectionMode::Randomised,
        reads: ReadMode::Barrier,
        lease: LeaseTerms::NONE,
        tick_ms,
        segment_bytes: dice.scattered(512..=32 << 10),
        snapshot_every_bytes: u64::MAX,
        weather: draw_weather(dice, patience_us),
        client_weather: Weather { lose: rate(dice, 20_000), ..draw_weather(dice, patience_us / 4) },
        sync_us: (sync_us_min, sync_us_min * dice.within(1..=4)),
        burst: if bursts { dice.within(1..=600_000) as Ppm } else { 0 },
        burst_us_max: dice.scattered(10..=patience_us / 50),
        catches_up: dice.coin(),
        encodes: dice.chance(200_000),
    }
}

/// Some weather, at most so slow that a heartbeat usually makes it in time.
pub(crate) fn draw_weather(dice: &mut Dice, patience_us: u64) -> Weather {
    let delay_us_min = dice.scattered(10..=patience_us / 50);
    Weather {
        lose: rate(dice, 150_000),
        duplicate: rate(dice, 150_000),
        delay_us_min,
        delay_us_max: delay_us_min + dice.scattered(1..=patience_us / 20),
        late: rate(dice, 50_000),
        late_us_max: dice.scattered(patience_us / 20..=patience_us * 3),
    }
}

/// Most clusters take snapshots every few, or few dozen, updates. A stream of its own: the others'
/// stories go on as they would without.
fn draw_snapshots(seed: u64) -> u64 {
    let mut dice = Dice::new(seed, "snapshots");
    if dice.chance(700_000) { dice.scattered(200..=50_000) } else { u64::MAX }
}

/// Mostly as shipped, else as in the lectures, where more ballots meet. A stream of its own, as above.
fn draw_election(seed: u64) -> ElectionMode {
    if Dice::new(seed, "election").chance(600_000) { ElectionMode::PreVote } else { ElectionMode::Randomised }
}

/// Sometimes the founders meet first, among all the faults. A stream of its own, as above.
fn draw_meeting(seed: u64) -> bool {
    Dice::new(seed, "meeting").chance(250_000)
}

/// As shipped in every other cluster; else mostly by lease, with clocks as bad as the bound allows that the
/// leases know of. A stream of its own, as above.
fn draw_reads(seed: u64, conditions: &mut Conditions) {
    let mut dice = Dice::new(seed, "reads");
    let reads = [(ReadMode::Barrier, 5), (ReadMode::Lease, 4), (ReadMode::Log, 1)];
    conditions.reads = dice.weighted(&reads);
    if conditions.reads == ReadMode::Lease || dice.chance(100_000) {
        let term_us = conditions.timing.election_ticks_min * conditions.tick_ms * 1000;
        let term_us = term_us * dice.within(3..=15) / 10;
        // Bad clocks are where the bound matters; good ones where leases last.
        let drift_ppm =
            if dice.coin() { dice.within(200_000..=450_000) } else { dice.scattered(1..=200_000) };
        let drift_ppm = drift_ppm as u32;
        conditions.lease = LeaseTerms { term_us, drift_ppm };
    }
}

/// What leases are tried by: leaders cut off whose clocks are slow, and clients that ask on both sides of
/// the cut and don't wait for long.
fn try_leases(habits: &mut Habits, plan: &mut Plan, patience_us: u64) {
    habits.roam = 1_000_000;
    habits.loyalty = 0;
    habits.patience_us = (patience_us / 10, patience_us / 5);
    habits.think_us = (0, patience_us / 20);
    let [.., reads] = &mut habits.mix;
    *reads = 40;
    *plan = Plan {
        weights: vec![(FaultKind::ClockRate, 1), (FaultKind::Partition, 3)],
        gap_us: (patience_us * 3 / 2, patience_us * 3),
        lasts_us: (patience_us / 2, patience_us * 2),
        at_leader: 1_000_000,
    };
}

/// In every other cluster members come and go; mostly with a small α, so that many changes fit in a
/// short life. A stream of its own, like that of snapshots.
fn draw_operator(seed: u64, conditions: &mut Conditions) -> Option<(u64, u64)> {
    /// Machines in reserve: enough for every change of a long simulation.
    const SPARES: u16 = 12;
    let mut dice = Dice::new(seed, "operator");
    if !dice.coin() {
        return None;
    }
    conditions.spares = SPARES;
    conditions.window = *dice.pick(&[1, 2, 4, 8, 16, SLOTS_IN_FLIGHT_MAX as u64]);
    let min = dice.scattered(conditions.election_us_max() / 5..=conditions.election_us_max() * 2);
    Some((min, min * dice.within(1..=4)))
}

/// Often nothing, else anything up to `max`.
fn rate(dice: &mut Dice, max: Ppm) -> Ppm {
    if dice.coin() { 0 } else { dice.scattered(1_000..=u64::from(max)) as Ppm }
}

fn draw_habits(dice: &mut Dice, patience_us: u64) -> Habits {
    let think_us_max = dice.scattered(patience_us / 50..=patience_us / 2);
    let patience_us_min = dice.scattered(patience_us / 20..=patience_us);
    Habits {
        // Crowds are rare, because slow: enough to fill batches and everything that is in flight.
        clients: if dice.chance(40_000) { dice.within(20..=120) } else { dice.within(1..=8) } as u32,
        keys: dice.within(1..=3),
        mix: std::array::from_fn(|_| dice.scattered(1..=20) as u32),
        think_us: (0, think_us_max),
        patience_us: (patience_us_min, patience_us_min * dice.within(1..=4)),
        attempts_max: dice.within(1..=8),
        resigns: rate(dice, 700_000),
        loyalty: dice.within(0..=1_000_000) as Ppm,
        roam: if dice.coin() { 0 } else { dice.within(10_000..=1_000_000) as Ppm },
        local: 0,
        anonymous: if dice.coin() { 0 } else { 100_000 },
        // Rare, because slow: enough to make promises and catch-up come in several chunks.
        large: if dice.chance(30_000) { dice.within(100_000..=500_000) as Ppm } else { 0 },
        calls_max: 2_000,
        large_max: 24,
        large_bytes: dice.scattered(50_000..=500_000) as usize,
    }
}

fn draw_plan(dice: &mut Dice, patience_us: u64) -> Plan {
    let mut weights: Vec<(FaultKind, u32)> = Vec::new();
    // Some seeds do one thing again and again, some do everything at once.
    let share = *dice.pick(&[150_000, 400_000, 800_000]);
    for kind in FaultKind::ALL {
        if dice.chance(share) {
            weights.push((*kind, dice.within(1..=10) as u32));
        }
    }
    let gap_us_min = dice.scattered(patience_us / 10..=patience_us * 2);
    Plan {
        weights,
        gap_us: (gap_us_min, gap_us_min * dice.within(1..=6)),
        lasts_us: (1_000, patience_us * dice.within(2..=6)),
        at_leader: dice.within(0..=800_000) as Ppm,
    }
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Setup { conditions, habits, plan, operator_us, faults_us } = self;
        writeln!(f, "{conditions:?}")?;
        writeln!(f, "{habits:?}")?;
        write!(f, "{plan:?} for {faults_us}us, members changed every {operator_us:?}us")
    }
}
