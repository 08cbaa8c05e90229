//! Which fault comes next: pure planning, driven by coverage.
//!
//! Relies on: a seed, what the run still owes, and what was observed of the cluster. Promises:
//! - every draw comes from ChaCha8 (seed, fault number), so the same seed and the same
//!   observations give the same plan, and one fault's draws never shift another's;
//! - each requested kind is owed once and comes before anything random; a kind that could not
//!   be installed, or did not bite, is owed again, behind the others;
//! - faults come one at a time with calm after each, so that a cluster can recover (endless
//!   overlapping faults only prove that a dead cluster returns no wrong answers);
//! - lengths and calms shrink together until everything owed fits in the time that is left, but
//!   never below a floor that still lets a fault bite and an election pass.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Action, Direction, Fault, Kind, Layer, Trouble};
use crate::system::NodeId;

/// The shortest fault: well above an election timeout, or a dead leader would not be missed.
pub const LENGTH_MIN: Duration = Duration::from_millis(800);
/// The shortest calm: an election and a few operations must fit.
pub const CALM_MIN: Duration = Duration::from_millis(500);
/// Longest fault, whatever interval is asked for: operations time out long before.
pub const LENGTH_MAX: Duration = Duration::from_secs(30);

/// How long slow and lossy links lie under a fault before it comes: some lag must build up.
const LAG_LEAD: Duration = Duration::from_millis(300);

/// The stream of draws that orders what is owed; fault numbers never get there.
const ORDER_STREAM: u64 = u64::MAX;

/// What the user asked for.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Repeats the plan.
    pub seed: u64,
    /// The kinds that may be drawn at random.
    pub kinds: Vec<Kind>,
    /// The kinds that are owed, once each, before anything random.
    pub owed: Vec<Kind>,
    /// All nodes of the cluster.
    pub nodes: Vec<NodeId>,
    /// The usual length of a fault and of the calm after it, each drawn from ½…1 of it.
    pub interval: Duration,
}

/// What the harness knows of a node's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Running.
    Up,
    /// Not running: killed, or not back yet.
    Down,
    /// Stopped by SIGSTOP.
    Paused,
}

/// What was observed when the fault is drawn.
#[derive(Clone, Debug)]
pub struct Observed {
    /// Who leads by the highest ballot seen, if anybody does.
    pub leader: Option<NodeId>,
    /// Every node's process.
    pub nodes: BTreeMap<NodeId, Condition>,
    /// Time left in the phase of faults.
    pub remaining: Duration,
    /// Time after that which may be used for what is still owed.
    pub extension: Duration,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Do this.
    Fault(Fault),
    /// That was drawn, but there is nothing to do it to; ask again after a calm.
    Skip {
        /// Its position in the plan.
        number: u64,
        /// What was drawn.
        kind: Kind,
        /// Why it can't be done now.
        reason: String,
        /// How long to wait before the next.
        calm: Duration,
    },
    /// No fault fits in the time that is left, or none was asked for.
    Finished,
}

/// Remembers what the run still owes.
#[derive(Clone, Debug)]
pub struct Planner {
    settings: Settings,
    owed: VecDeque<Kind>,
    number: u64,
}

impl Planner {
    /// Pays what is owed in an order drawn from the seed.
    pub fn new(settings: Settings) -> Planner {
        let mut owed = settings.owed.clone();
        owed.shuffle(&mut draws(settings.seed, ORDER_STREAM));
        Planner { owed: owed.into(), settings, number: 0 }
    }

    /// What the run still owes, next first.
    pub fn owed(&self) -> impl Iterator<Item = Kind> {
        self.owed.iter().copied()
    }

    /// Draws the next fault for a cluster observed like this.
    pub fn next(&mut self, observed: &Observed) -> Next {
        let number = self.number;
        let Some(pace) = self.pace(observed) else { return Next::Finished };
        let mut rng = draws(self.settings.seed, number);
        // The random kind is drawn even when one is owed, so that paying a debt early or late
        // does not shift the draws below.
        let random = random_kind(&self.settings.kinds, &mut rng);
        let Some(kind) = self.owed.front().copied().or(random) else { return Next::Finished };
        self.number += 1;
        let length = pace.mul_f64(rng.random_range(0.5..=1.0)).clamp(LENGTH_MIN, LENGTH_MAX);
        let calm = pace.mul_f64(rng.random_range(0.5..=1.0)).max(CALM_MIN);
        let limping = self.owed.is_empty() && rng.random_ratio(2, 3);
        match self.action(kind, observed, &mut rng) {
            Ok(action) => {
                let beneath = if limping { self.beneath(&action, &mut rng) } else { Vec::new() };
                Next::Fault(Fault { number, kind, action, beneath, length, calm })
            }
            Err(reason) => Next::Skip { number, kind, reason, calm: CALM_MIN },
        }
    }

    /// What became of a fault of this kind: one that bit is paid, one that did not is owed again.
    pub fn settle(&mut self, kind: Kind, bit: bool) {
        if let Some(place) = self.owed.iter().position(|&owed| owed == kind) {
            self.owed.remove(place);
            if !bit {
                self.owed.push_back(kind);
            }
        }
    }

    /// The interval, shortened until all that is owed fits; `None` when not even one more does.
    fn pace(&self, observed: &Observed) -> Option<Duration> {
        let owed = u32::try_from(self.owed.len()).unwrap_or(u32::MAX);
        // What is owed at its shortest: worth an extension.
        let needed = (LENGTH_MIN + CALM_MIN) * owed;
        let remaining = observed.remaining.max(needed.min(observed.remaining + observed.extension));
        if remaining < LENGTH_MIN {
            return None;
        }
        // At most one length and one calm per debt, each at most one pace long.
        Some(self.settings.interval.min(remaining / (2 * owed.max(1))))
    }

    fn action(&self, kind: Kind, observed: &Observed, rng: &mut ChaCha8Rng) -> Result<Action, String> {
        let nodes = &self.settings.nodes;
        let up = |node: &NodeId| observed.nodes.get(node) == Some(&Condition::Up);
        let mut candidates: Vec<NodeId> = nodes.iter().copied().filter(up).collect();
        candidates.shuffle(rng);
        let some = |count: usize| -> Result<Vec<NodeId>, String> {
            if count == 0 {
                return Err(format!("a cluster of {} has no minority to spare", nodes.len()));
            }
            if candidates.len() < count {
                return Err(format!("only {} of the {count} nodes needed are up", candidates.len()));
            }
            let mut chosen = candidates[..count].to_vec();
            chosen.sort();
            Ok(chosen)
        };
        let leader = || observed.leader.filter(up).ok_or_else(|| "nobody leads".to_owned());
        let minority = nodes.len().saturating_sub(1) / 2;
        Ok(match kind {
            Kind::KillOne => Action::Kill(some(1)?),
            Kind::KillMinority => Action::Kill(some(minority)?),
            Kind::KillLeader => Action::Kill(vec![leader()?]),
            Kind::KillAll => Action::Kill(some(nodes.len())?),
            Kind::PauseOne => Action::Pause(some(1)?),
            Kind::PauseMinority => Action::Pause(some(minority)?),
            Kind::PauseLeader => Action::Pause(vec![leader()?]),
            Kind::PauseAll => Action::Pause(some(nodes.len())?),
            Kind::PartitionHalves => {
                let mut shuffled = several(nodes)?.to_vec();
                shuffled.shuffle(rng);
                let (left, right) = shuffled.split_at(shuffled.len() / 2);
                Action::Cut(both_ways(left, right))
            }
            Kind::PartitionIsolateLeader => Action::Cut(around(leader()?, several(nodes)?)),
            Kind::PartitionIsolateRandom => Action::Cut(around(any(several(nodes)?, rng), nodes)),
            Kind::PartitionOneWay => {
                // The leader is the most interesting victim.
                let victim = if rng.random_ratio(3, 4) { observed.leader } else { None };
                let victim = victim.unwrap_or_else(|| any(nodes, rng));
                let deaf: bool = rng.random();
                let links = around(victim, several(nodes)?);
                Action::Cut(
                    links
                        .into_iter()
                        .filter(|&(from, to)| if deaf { to == victim } else { from == victim })
                        .collect(),
                )
            }
            Kind::LinkDelay => Action::Trouble(some_links(several(nodes)?, rng), delay(rng)),
            Kind::LinkDrop => {
                Action::Trouble(some_links(several(nodes)?, rng), Trouble::Drop { ppm: percent(rng, 10, 40) })
            }
            Kind::LinkDuplicate => Action::Trouble(
                some_links(several(nodes)?, rng),
                Trouble::Duplicate { ppm: percent(rng, 20, 60) },
            ),
            Kind::LinkReorder => Action::Trouble(
                some_links(several(nodes)?, rng),
                Trouble::Reorder { ppm: percent(rng, 20, 60) },
            ),
        })
    }

    /// Under a kill or a pause: slow links, one node that misses most of what the others accept,
    /// and at last nothing more from those about to be struck. They still hear acceptances and
    /// acknowledge operations, but nobody learns that these are chosen: exactly what the next
    /// leader must find out from the few who accepted them. Only where delays and drops were
    /// asked for.
    fn beneath(&self, action: &Action, rng: &mut ChaCha8Rng) -> Vec<Layer> {
        let struck = match action {
            Action::Kill(nodes) | Action::Pause(nodes) => nodes,
            Action::Cut(_) | Action::Trouble(..) => return Vec::new(),
        };
        let nodes = &self.settings.nodes;
        let asked = |kind| self.settings.kinds.contains(&kind);
        let spared: Vec<NodeId> = nodes.iter().copied().filter(|node| !struck.contains(node)).collect();
        if spared.is_empty() || !asked(Kind::LinkDelay) || !asked(Kind::LinkDrop) {
            return Vec::new();
        }
        let delay_ms = rng.random_range(20..=60);
        let slow = Trouble::Delay { delay_ms, jitter_ms: delay_ms / 4 };
        let laggard = any(&spared, rng);
        let to_laggard = struck.iter().map(|&node| (node, laggard)).collect();
        let loss = Trouble::Drop { ppm: percent(rng, 50, 70) };
        let silence =
            struck.iter().flat_map(|&node| spared.iter().map(move |&other| (node, other))).collect();
        vec![
            Layer { action: Action::Trouble(every_link(nodes), slow), lead: Duration::ZERO },
            Layer { action: Action::Trouble(to_laggard, loss), lead: LAG_LEAD },
            // Longer than a round trip, shorter than any election timeout.
            Layer { action: Action::Cut(silence), lead: Duration::from_millis(2 * u64::from(delay_ms)) },
        ]
    }
}

fn draws(seed: u64, number: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(number);
    rng
}

/// Weighted: the families alike, whole-cluster outages seldom (nothing is learned from a
/// cluster that is always dead).
fn random_kind(kinds: &[Kind], rng: &mut ChaCha8Rng) -> Option<Kind> {
    let weight = |kind: &Kind| match kind {
        Kind::KillAll | Kind::PauseAll => 1_u32,
        Kind::KillLeader | Kind::PauseLeader | Kind::PartitionIsolateLeader => 4,
        _ => 3,
    };
    let total: u32 = kinds.iter().map(weight).sum();
    if total == 0 {
        return None;
    }
    let mut ticket = rng.random_range(0..total);
    kinds.iter().copied().find(|kind| match ticket.checked_sub(weight(kind)) {
        Some(rest) => {
            ticket = rest;
            false
        }
        None => true,
    })
}

fn delay(rng: &mut ChaCha8Rng) -> Trouble {
    let delay_ms = rng.random_range(20..=120);
    Trouble::Delay { delay_ms, jitter_ms: rng.random_range(0..=delay_ms / 2) }
}

fn percent(rng: &mut ChaCha8Rng, from: u32, to: u32) -> u32 {
    rng.random_range(from..=to) * 10_000
}

/// A partition needs two nodes.
fn several(nodes: &[NodeId]) -> Result<&[NodeId], String> {
    if nodes.len() < 2 { Err("a single node has no links to its peers".to_owned()) } else { Ok(nodes) }
}

fn any(nodes: &[NodeId], rng: &mut ChaCha8Rng) -> NodeId {
    nodes[rng.random_range(0..nodes.len())]
}

/// Every link between two groups, in both directions.
fn both_ways(left: &[NodeId], right: &[NodeId]) -> BTreeSet<Direction> {
    left.iter().flat_map(|&a| right.iter().flat_map(move |&b| [(a, b), (b, a)])).collect()
}

/// Every link from and to one node.
fn around(node: NodeId, nodes: &[NodeId]) -> BTreeSet<Direction> {
    let others: Vec<NodeId> = nodes.iter().copied().filter(|&other| other != node).collect();
    both_ways(&[node], &others)
}

/// All links, or those of one node.
fn some_links(nodes: &[NodeId], rng: &mut ChaCha8Rng) -> BTreeSet<Direction> {
    if rng.random() { every_link(nodes) } else { around(any(nodes, rng), nodes) }
}

fn every_link(nodes: &[NodeId]) -> BTreeSet<Direction> {
    nodes.iter().flat_map(|&node| around(node, nodes)).collect()
}
