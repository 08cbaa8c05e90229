//! Fault injection: what can be done to a cluster, how it is undone, and how we know that it bit.
//!
//! [`plan`] is pure and decides; [`kill`], [`pause`] and [`network`] do, each with its evidence
//! and its cure; [`inject`] drives one fault from its installation to its cure. No fault
//! outlives the run: [`heal`] restores everything, whatever happened before.

pub mod inject;
pub mod kill;
pub mod network;
pub mod pause;
pub mod plan;
pub mod report;

pub use inject::{heal, inject};
pub use report::{FaultReport, Outcome};

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::system::NodeId;

/// The four classes of faults, as `--nemesis` names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// SIGKILL, and a restart as the cure.
    Kill,
    /// SIGSTOP, and SIGCONT as the cure.
    Pause,
    /// Directed links cut, and mended.
    Partition,
    /// Links that delay, lose, repeat or reorder frames.
    Link,
}

impl Family {
    /// Every family, in the order in which reports list them.
    pub const ALL: [Family; 4] = [Family::Kill, Family::Pause, Family::Partition, Family::Link];

    /// The name used on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Family::Kill => "kill",
            Family::Pause => "pause",
            Family::Partition => "partition",
            Family::Link => "link",
        }
    }

    /// The kinds of this family.
    pub fn kinds(self) -> impl Iterator<Item = Kind> {
        Kind::ALL.into_iter().filter(move |kind| kind.family() == self)
    }
}

/// One way to hurt a cluster: a family and its target or shape. The unit of coverage: each
/// requested kind is owed to the run once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// One node, at random.
    KillOne,
    /// As many nodes as the cluster can lose and go on.
    KillMinority,
    /// Whoever leads.
    KillLeader,
    /// Every node at once.
    KillAll,
    /// One node, at random.
    PauseOne,
    /// As many nodes as the cluster can lose and go on.
    PauseMinority,
    /// Whoever leads.
    PauseLeader,
    /// Every node at once.
    PauseAll,
    /// Two groups of (nearly) equal size that do not hear each other.
    PartitionHalves,
    /// The leader hears nobody and nobody hears it; its clients still reach it.
    PartitionIsolateLeader,
    /// The same for a node chosen at random.
    PartitionIsolateRandom,
    /// One node can speak but not hear, or hear but not speak.
    PartitionOneWay,
    /// Frames arrive late, in order.
    LinkDelay,
    /// Frames vanish on a live connection.
    LinkDrop,
    /// Frames arrive twice.
    LinkDuplicate,
    /// Frames overtake each other.
    LinkReorder,
}

impl Kind {
    /// Every kind there is.
    pub const ALL: [Kind; 16] = [
        Kind::KillOne,
        Kind::KillMinority,
        Kind::KillLeader,
        Kind::KillAll,
        Kind::PauseOne,
        Kind::PauseMinority,
        Kind::PauseLeader,
        Kind::PauseAll,
        Kind::PartitionHalves,
        Kind::PartitionIsolateLeader,
        Kind::PartitionIsolateRandom,
        Kind::PartitionOneWay,
        Kind::LinkDelay,
        Kind::LinkDrop,
        Kind::LinkDuplicate,
        Kind::LinkReorder,
    ];

    /// `family:kind`, as on the command line and in every report.
    pub fn name(self) -> &'static str {
        match self {
            Kind::KillOne => "kill:one",
            Kind::KillMinority => "kill:minority",
            Kind::KillLeader => "kill:leader",
            Kind::KillAll => "kill:all",
            Kind::PauseOne => "pause:one",
            Kind::PauseMinority => "pause:minority",
            Kind::PauseLeader => "pause:leader",
            Kind::PauseAll => "pause:all",
            Kind::PartitionHalves => "partition:halves",
            Kind::PartitionIsolateLeader => "partition:isolate-leader",
            Kind::PartitionIsolateRandom => "partition:isolate-random",
            Kind::PartitionOneWay => "partition:one-way",
            Kind::LinkDelay => "link:delay",
            Kind::LinkDrop => "link:drop",
            Kind::LinkDuplicate => "link:duplicate",
            Kind::LinkReorder => "link:reorder",
        }
    }

    /// The smallest cluster to which it can be done.
    pub fn nodes_min(self) -> u16 {
        match self {
            Kind::KillOne | Kind::KillLeader | Kind::KillAll => 1,
            Kind::PauseOne | Kind::PauseLeader | Kind::PauseAll => 1,
            Kind::KillMinority | Kind::PauseMinority => 3,
            Kind::PartitionHalves
            | Kind::PartitionIsolateLeader
            | Kind::PartitionIsolateRandom
            | Kind::PartitionOneWay => 2,
            Kind::LinkDelay | Kind::LinkDrop | Kind::LinkDuplicate | Kind::LinkReorder => 2,
        }
    }

    /// Whether it is done to whoever leads.
    pub fn aims_at_leader(self) -> bool {
        matches!(self, Kind::KillLeader | Kind::PauseLeader | Kind::PartitionIsolateLeader)
    }

    /// The class it belongs to.
    pub fn family(self) -> Family {
        match self {
            Kind::KillOne | Kind::KillMinority | Kind::KillLeader | Kind::KillAll => Family::Kill,
            Kind::PauseOne | Kind::PauseMinority | Kind::PauseLeader | Kind::PauseAll => Family::Pause,
            Kind::PartitionHalves
            | Kind::PartitionIsolateLeader
            | Kind::PartitionIsolateRandom
            | Kind::PartitionOneWay => Family::Partition,
            Kind::LinkDelay | Kind::LinkDrop | Kind::LinkDuplicate | Kind::LinkReorder => Family::Link,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// What one word of `--nemesis` stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection(pub Vec<Kind>);

/// A word of `--nemesis` that names no fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no fault is called `{0}`; there are: none, all, kill, pause, partition, link, and single kinds such as {1}"
)]
pub struct UnknownFault(String, String);

impl FromStr for Selection {
    type Err = UnknownFault;

    fn from_str(word: &str) -> Result<Self, UnknownFault> {
        let word = word.trim();
        if word == "none" {
            return Ok(Selection(Vec::new()));
        }
        if word == "all" {
            return Ok(Selection(Kind::ALL.to_vec()));
        }
        if let Some(family) = Family::ALL.into_iter().find(|family| family.name() == word) {
            return Ok(Selection(family.kinds().collect()));
        }
        let single = Kind::ALL.into_iter().find(|kind| {
            // Both `link:drop` and the plain `drop` that one would say.
            kind.name() == word
                || (kind.family() == Family::Link && kind.name().ends_with(&format!(":{word}")))
        });
        match single {
            Some(kind) => Ok(Selection(vec![kind])),
            None => {
                let names: Vec<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
                Err(UnknownFault(word.to_owned(), names.join(", ")))
            }
        }
    }
}

/// Unites selections, without repetition, in the order of [`Kind::ALL`].
pub fn unite(selections: &[Selection]) -> Vec<Kind> {
    let asked: BTreeSet<Kind> = selections.iter().flat_map(|selection| selection.0.iter().copied()).collect();
    asked.into_iter().collect()
}

/// A directed node-to-node link: who speaks, who hears.
pub type Direction = (NodeId, NodeId);

/// A fault with every choice made: nothing is left to chance between here and its cure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Position in the plan, from 0: with the seed it decides every draw.
    pub number: u64,
    /// What was drawn.
    pub kind: Kind,
    /// What is done to whom.
    pub action: Action,
    /// Milder faults, installed one after the other before this one and cured with it: the
    /// cluster is hurt while it limps.
    pub beneath: Vec<Layer>,
    /// From installation to the start of the cure.
    pub length: Duration,
    /// Calm after the cure, before the next fault.
    pub calm: Duration,
}

/// A milder fault under another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Something done to links.
    pub action: Action,
    /// How long it is in force before what comes on top of it.
    pub lead: Duration,
}

/// What is done to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// SIGKILL to these nodes, together.
    Kill(Vec<NodeId>),
    /// SIGSTOP to these nodes, together.
    Pause(Vec<NodeId>),
    /// These directed links carry nothing.
    Cut(BTreeSet<Direction>),
    /// These directed links misbehave.
    Trouble(BTreeSet<Direction>, Trouble),
}

/// How a link misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Every frame is late by `delay_ms`, give or take `jitter_ms`. What TCP can show.
    Delay {
        /// Mean, in milliseconds.
        delay_ms: u32,
        /// Up to that much more or less.
        jitter_ms: u32,
    },
    /// Frames vanish, that many in a million. More than TCP alone would show.
    Drop {
        /// In parts per million.
        ppm: u32,
    },
    /// Frames arrive twice, that many in a million.
    Duplicate {
        /// In parts per million.
        ppm: u32,
    },
    /// Frames are overtaken, that many in a million.
    Reorder {
        /// In parts per million.
        ppm: u32,
    },
}

/// What undoes an action. Every action has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cure {
    /// Start the killed nodes again on their own data.
    Restart,
    /// SIGCONT.
    Resume,
    /// Clear the policies of the links.
    Heal,
}

impl Action {
    /// What undoes it.
    pub fn cure(&self) -> Cure {
        match self {
            Action::Kill(_) => Cure::Restart,
            Action::Pause(_) => Cure::Resume,
            Action::Cut(_) | Action::Trouble(..) => Cure::Heal,
        }
    }

    /// One line for people: `kill n1 n3`, `cut n1→n2 n2→n1`, `drop 20 % on all links of n2`.
    pub fn describe(&self) -> String {
        match self {
            Action::Kill(nodes) => format!("kill {}", list(nodes)),
            Action::Pause(nodes) => format!("pause {}", list(nodes)),
            Action::Cut(links) => format!("cut {}", links_in_words(links)),
            Action::Trouble(links, trouble) => format!("{trouble} on {}", links_in_words(links)),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Delay { delay_ms, jitter_ms } => write!(f, "delay {delay_ms}±{jitter_ms} ms"),
            Trouble::Drop { ppm } => write!(f, "drop {} %", ppm / 10_000),
            Trouble::Duplicate { ppm } => write!(f, "duplicate {} %", ppm / 10_000),
            Trouble::Reorder { ppm } => write!(f, "reorder {} %", ppm / 10_000),
        }
    }
}

fn list(nodes: &[NodeId]) -> String {
    nodes.iter().map(NodeId::to_string).collect::<Vec<_>>().join(" ")
}

/// The links in as few words as the set allows.
fn links_in_words(links: &BTreeSet<Direction>) -> String {
    let nodes: BTreeSet<NodeId> = links.iter().flat_map(|&(from, to)| [from, to]).collect();
    let complete = |from: &[NodeId], to: &[NodeId]| -> BTreeSet<Direction> {
        from.iter().flat_map(|&a| to.iter().map(move |&b| (a, b))).filter(|(a, b)| a != b).collect()
    };
    let all: Vec<NodeId> = nodes.iter().copied().collect();
    if *links == complete(&all, &all) && all.len() > 2 {
        return "every link".to_owned();
    }
    for &node in &all {
        let others: Vec<NodeId> = all.iter().copied().filter(|&other| other != node).collect();
        if others.len() < 2 {
            continue;
        }
        let (out, into) = (complete(&[node], &others), complete(&others, &[node]));
        if *links == out {
            return format!("{node}→others");
        }
        if *links == into {
            return format!("others→{node}");
        }
        if *links == out.union(&into).copied().collect() {
            return format!("{node}↔others");
        }
    }
    // Two groups: who hears the first node's group is the other group.
    let first_group: Vec<NodeId> = all
        .iter()
        .copied()
        .filter(|&node| all.first().is_some_and(|&first| !links.contains(&(first, node))))
        .collect();
    let second_group: Vec<NodeId> = all.iter().copied().filter(|node| !first_group.contains(node)).collect();
    let across: BTreeSet<Direction> = complete(&first_group, &second_group)
        .union(&complete(&second_group, &first_group))
        .copied()
        .collect();
    if *links == across {
        return format!("{} | {}", list(&first_group), list(&second_group));
    }
    links.iter().map(|(from, to)| format!("{from}→{to}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(words: &str) -> Vec<Kind> {
        let parsed: Vec<Selection> = words.split(',').map(|word| word.parse().expect("a fault")).collect();
        unite(&parsed)
    }

    #[test]
    fn words_of_the_command_line_name_families_and_kinds() {
        assert_eq!(selection("all"), Kind::ALL);
        assert_eq!(selection("none"), []);
        assert_eq!(selection("kill").len(), 4);
        assert_eq!(selection("kill,kill:one").len(), 4);
        assert_eq!(selection("drop, partition:one-way"), [Kind::PartitionOneWay, Kind::LinkDrop]);
        let error = "explode".parse::<Selection>().expect_err("no such fault").to_string();
        assert!(error.contains("`explode`") && error.contains("kill:leader"), "{error}");
    }

    #[test]
    fn links_are_told_in_as_few_words_as_possible() {
        let n = |id| NodeId(id);
        let links = |pairs: &[(u16, u16)]| pairs.iter().map(|&(a, b)| (n(a), n(b))).collect::<BTreeSet<_>>();
        let words = |pairs| links_in_words(&links(pairs));
        assert_eq!(words(&[(1, 2), (1, 3)]), "n1→others");
        assert_eq!(words(&[(2, 1), (3, 1)]), "others→n1");
        assert_eq!(words(&[(2, 1), (3, 1), (1, 2), (1, 3)]), "n1↔others");
        assert_eq!(words(&[(1, 2), (2, 1), (1, 3), (3, 1), (2, 3), (3, 2)]), "every link");
        let halves = [(1, 2), (1, 4), (3, 2), (3, 4), (2, 1), (4, 1), (2, 3), (4, 3)];
        assert_eq!(words(&halves), "n1 n3 | n2 n4");
        assert_eq!(words(&[(1, 2), (3, 4)]), "n1→n2 n3→n4");
    }
}
