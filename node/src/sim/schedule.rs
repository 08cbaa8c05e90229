//! Faults over time: which, where, when, for how long.

use super::dice::{Dice, Ppm};
use super::fault::Fault;
use super::setup::draw_weather;
use super::world::World;
use crate::paxos::NodeId;
use crate::service::ReadMode;
use std::collections::BTreeMap;

/// What a plan may hold.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum FaultKind {
    /// A node is told to stop.
    Stop,
    /// A node is killed.
    Kill,
    /// A node loses power.
    PowerLoss,
    /// Several nodes lose power at once, or all.
    Blackout,
    /// A node loses power in the middle of what it does with its disk.
    PowerLossInDiskCall,
    /// A node is frozen for a while.
    Pause,
    /// Links are cut for a while.
    Partition,
    /// Some links, or all, behave differently from now on.
    Weather,
    /// A disk becomes slower or faster.
    DiskSpeed,
    /// A clock runs slower or faster.
    ClockRate,
    /// Clients lose sight of a node for a while.
    ClientLink,
}

impl FaultKind {
    /// Every kind.
    pub const ALL: &'static [FaultKind] = &[
        FaultKind::Stop,
        FaultKind::Kill,
        FaultKind::PowerLoss,
        FaultKind::Blackout,
        FaultKind::PowerLossInDiskCall,
        FaultKind::Pause,
        FaultKind::Partition,
        FaultKind::Weather,
        FaultKind::DiskSpeed,
        FaultKind::ClockRate,
        FaultKind::ClientLink,
    ];
}

/// What is done to a cluster.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The kinds, and how often each in proportion. None: nothing is done.
    pub weights: Vec<(FaultKind, u32)>,
    /// Time from one fault to the next, in microseconds: at least, at most.
    pub gap_us: (u64, u64),
    /// How long a fault lasts that has a cure: at least, at most.
    pub lasts_us: (u64, u64),
    /// Chance that a fault goes for the leader and not for anybody.
    pub at_leader: Ppm,
}

impl Plan {
    /// Nothing is done.
    #[must_use]
    pub fn nothing() -> Plan {
        Plan { weights: Vec::new(), gap_us: (1, 1), lasts_us: (1, 1), at_leader: 0 }
    }
}

/// A plan being carried out.
pub(crate) struct Schedule {
    plan: Plan,
    dice: Dice,
    /// How often which kind of fault struck.
    pub(crate) struck: BTreeMap<&'static str, u64>,
}

impl Schedule {
    pub(crate) fn new(plan: Plan, dice: Dice) -> Schedule {
        Schedule { plan, dice, struck: BTreeMap::new() }
    }

    /// Microseconds to the next fault; `None` if there will be none.
    pub(crate) fn next_gap_us(&mut self) -> Option<u64> {
        let (min, max) = self.plan.gap_us;
        if self.plan.weights.is_empty() {
            return None;
        }
        let us = self.dice.within(min..=max);
        // Now and then the cluster may catch its breath.
        Some(if self.dice.chance(100_000) { us * 5 } else { us })
    }

    /// How long a node that went down stays down.
    pub(crate) fn down_us(&mut self) -> u64 {
        self.lasts_us()
    }

    /// The next fault strikes now, and its cure is arranged.
    pub(crate) fn strike(&mut self, world: &mut World) {
        let kind = self.dice.weighted(&self.plan.weights);
        let node = self.victim(world);
        match kind {
            FaultKind::Stop => self.inject(world, Fault::Stop(node)),
            FaultKind::Kill => self.inject(world, Fault::Kill(node)),
            FaultKind::PowerLoss => self.inject(world, Fault::PowerLoss(vec![node])),
            FaultKind::Blackout => {
                let everybody = self.dice.coin();
                let dark = world.ids().filter(|_| everybody || self.dice.coin()).collect();
                self.inject(world, Fault::PowerLoss(dark));
            }
            FaultKind::PowerLossInDiskCall => {
                let calls = self.dice.within(0..=20);
                self.inject(world, Fault::PowerLossInDiskCall(node, calls));
                if self.dice.coin() {
                    // And strikes while the node recovers, more likely than not.
                    self.inject(world, Fault::Kill(node));
                    self.inject(world, Fault::PowerLossInDiskCall(node, calls));
                }
            }
            FaultKind::Pause => {
                self.inject(world, Fault::Pause(node));
                world.inject(self.lasts_us(), Fault::Resume(node));
            }
            FaultKind::Partition => {
                // A leader that can't know it was replaced: what partitions are worth most for.
                let node = world.leader().filter(|_| self.dice.coin()).unwrap_or(node);
                let cut = self.draw_cut(world, node);
                self.inject(world, Fault::Cut(cut));
                world.inject(self.lasts_us(), Fault::Cut(Vec::new()));
            }
            FaultKind::Weather => {
                let weather = draw_weather(&mut self.dice, world.conditions().election_us_max());
                let everywhere = self.dice.coin();
                let some = links(world).filter(|_| everywhere || self.dice.chance(300_000)).collect();
                self.inject(world, Fault::Weather(some, weather));
            }
            FaultKind::DiskSpeed => {
                let min = self.dice.scattered(20..=world.conditions().election_us_max() / 4);
                let max = min * self.dice.within(1..=4);
                self.inject(world, Fault::DiskSpeed(node, min, max));
            }
            FaultKind::ClockRate => {
                let (min, max) = world.conditions().tick_us_range();
                let us = min + (max - min) * self.dice.within(0..=150) / 150;
                match world.leader() {
                    // The worst for leases. By itself it is rare: fast clocks make leaders.
                    Some(leader) if world.conditions().reads == ReadMode::Lease && self.dice.coin() => {
                        for node in world.ids() {
                            let us = if node == leader { max } else { min };
                            self.inject(world, Fault::ClockRate(node, us));
                        }
                    }
                    _ => self.inject(world, Fault::ClockRate(node, us)),
                }
            }
            FaultKind::ClientLink => {
                self.inject(world, Fault::ClientLink(node, false));
                world.inject(self.lasts_us(), Fault::ClientLink(node, true));
            }
        }
    }

    /// Undoes everything there is to undo.
    pub(crate) fn cure(world: &mut World) {
        let all: Vec<_> = links(world).collect();
        let (sync_us, tick_us) = (world.conditions().sync_us, world.conditions().tick_ms * 1000);
        world.inject(0, Fault::Cut(Vec::new()));
        world.inject(0, Fault::Weather(all, super::Weather::CALM));
        for node in world.ids() {
            world.inject(0, Fault::PowerLossInDiskCall(node, u64::MAX));
            world.inject(0, Fault::DiskSpeed(node, sync_us.0, sync_us.1));
            world.inject(0, Fault::ClockRate(node, tick_us));
            world.inject(0, Fault::ClientLink(node, true));
            world.inject(0, Fault::Resume(node));
            world.inject(0, Fault::Start(node));
        }
    }

    fn inject(&mut self, world: &mut World, fault: Fault) {
        *self.struck.entry(fault.kind()).or_default() += 1;
        world.inject(0, fault);
    }

    fn victim(&mut self, world: &World) -> NodeId {
        let anybody = NodeId(self.dice.within(1..=world.ids().count() as u64) as u16);
        match world.leader() {
            Some(leader) if self.dice.chance(self.plan.at_leader) => leader,
            Some(_) | None => anybody,
        }
    }

    /// Short ones catch what is under way; only long ones let others take over meanwhile.
    fn lasts_us(&mut self) -> u64 {
        let (min, max) = self.plan.lasts_us;
        if self.dice.coin() { self.dice.scattered(min..=max) } else { self.dice.within(max / 4..=max) }
    }

    /// Who no longer hears whom.
    fn draw_cut(&mut self, world: &World, node: NodeId) -> Vec<(NodeId, NodeId)> {
        let all: Vec<(NodeId, NodeId)> = links(world).collect();
        let nodes = world.ids().count();
        match self.dice.within(0..=7) {
            // Two sides, of any sizes; with an even number often two halves.
            0 | 1 => {
                let mut order: Vec<NodeId> = world.ids().collect();
                for last in (1..order.len()).rev() {
                    order.swap(last, self.dice.below(last + 1));
                }
                let split = if self.dice.coin() { nodes / 2 } else { self.dice.below(nodes + 1) };
                let left = &order[..split];
                let crosses = |link: &(NodeId, NodeId)| left.contains(&link.0) != left.contains(&link.1);
                all.into_iter().filter(crosses).collect()
            }
            // One node alone.
            2..=4 => all.into_iter().filter(|(from, to)| *from == node || *to == node).collect(),
            // One node that hears nobody, or that nobody hears.
            5 => {
                let deaf = self.dice.coin();
                all.into_iter().filter(|(from, to)| if deaf { *to == node } else { *from == node }).collect()
            }
            // One node between two sides that don't hear each other.
            6 => {
                let left: Vec<NodeId> = world.ids().filter(|_| self.dice.coin()).collect();
                let bridged = |link: &(NodeId, NodeId)| link.0 == node || link.1 == node;
                let crosses = |link: &(NodeId, NodeId)| left.contains(&link.0) != left.contains(&link.1);
                all.into_iter().filter(|link| !bridged(link) && crosses(link)).collect()
            }
            // Anything.
            _ => all.into_iter().filter(|_| self.dice.chance(400_000)).collect(),
        }
    }
}

/// All directed links.
fn links(world: &World) -> impl Iterator<Item = (NodeId, NodeId)> + use<> {
    let ids: Vec<NodeId> = world.ids().collect();
    let others = ids.clone();
    ids.into_iter()
        .flat_map(move |from| others.clone().into_iter().map(move |to| (from, to)))
        .filter(|(from, to)| from != to)
}
