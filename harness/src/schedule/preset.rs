//! The faults that `--nemesis` names, as a schedule: one mix of all that was asked for.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::{
    ActionSpec, Body, Choice, Contract, Coverage, Guard, Lasts, LinkEffect, LinkEnd, LinkSpec, Mix,
    NetworkModel, Phase, Schedule, Shape, Share, Span, Step, Target, Way, Who, WorkloadSpec,
};

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

/// What `--nemesis` asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Preset {
    /// The kinds that may come.
    pub kinds: Vec<Kind>,
    /// Those of them that must have bitten for the run to count.
    pub owed: Vec<Kind>,
    /// The usual length of a fault and of the calm after it, each drawn from a half to the whole of it.
    pub interval: Duration,
}

/// Longest fault, whatever interval is asked for: operations time out long before.
const LENGTH_MAX: Duration = Duration::from_secs(30);

impl Preset {
    /// One mix, for so long, and as much longer as `extend` while something is owed.
    #[must_use]
    pub fn schedule(&self, lasts: Duration, extend: Duration) -> Schedule {
        let longest = self.interval.clamp(super::LENGTH_MIN, LENGTH_MAX);
        let length = Span::between((longest / 2).max(super::LENGTH_MIN), longest);
        let limp = self.kinds.contains(&Kind::LinkDelay) && self.kinds.contains(&Kind::LinkDrop);
        let choices: Vec<Choice> = self
            .kinds
            .iter()
            .flat_map(|&kind| {
                let owed = self.owed.contains(&kind);
                forms(kind, limp).into_iter().enumerate().map(move |(number, (suffix, weight, steps))| {
                    Choice {
                        id: format!("{}{suffix}", kind.name()),
                        weight,
                        body: Body { steps, lasts: Lasts::For(length) },
                        required: owed && number == 0,
                    }
                })
            })
            .collect();
        let mix = Mix {
            id: "nemesis".to_owned(),
            gap: Span::between(self.interval / 2, self.interval),
            overlap: 1,
            calm: None,
            swarm: false,
            guard: Guard::Any,
            extend,
            choices,
        };
        Schedule {
            name: "nemesis".to_owned(),
            story: String::new(),
            nodes: None,
            seed: None,
            snapshot_every_bytes: None,
            election: None,
            read_mode: None,
            model: NetworkModel::MessageLossy,
            contract: Contract::SafetyAndLiveness,
            workload: WorkloadSpec::default(),
            phases: vec![Phase {
                name: "faults".to_owned(),
                lasts,
                ok_rate_min: None,
                faults: Vec::new(),
                mixes: if self.kinds.is_empty() { Vec::new() } else { vec![mix] },
            }],
            settle_max: None,
            coverage: Coverage::default(),
            found: None,
        }
    }
}

/// The forms in which a kind comes: suffix of its id, weight, steps. The first is the one that is
/// owed. Whole-cluster outages are seldom: nothing is learned from a cluster that is always dead.
fn forms(kind: Kind, limp: bool) -> Vec<(&'static str, u32, Vec<Step>)> {
    let target = |who| Target::now(who);
    let leader = || target(Who::Leader);
    let step = |action| vec![Step { after: Span::ZERO, action }];
    let plain = |weight, action| vec![("", weight, step(action))];
    // A cluster that is struck while it limps: see `limping`.
    let leading = |action: ActionSpec| match limp {
        true => vec![("", 4, step(action.clone())), ("-limping", 8, limping(action))],
        false => plain(12, action),
    };
    let links = |effect: LinkEffect| {
        let on = |from, to| ActionSpec::Link(vec![LinkSpec { from, to, both: true }], effect.clone());
        vec![
            ("", 5, step(on(LinkEnd::Any, LinkEnd::Any))),
            ("-one", 4, step(on(LinkEnd::Nodes(target(Who::One)), LinkEnd::Any))),
        ]
    };
    match kind {
        Kind::KillOne => plain(9, ActionSpec::Kill(target(Who::One))),
        Kind::KillMinority => plain(9, ActionSpec::Kill(target(Who::Minority))),
        Kind::KillLeader => leading(ActionSpec::Kill(leader())),
        Kind::KillAll => plain(3, ActionSpec::Kill(target(Who::All))),
        Kind::PauseOne => plain(9, ActionSpec::Pause(target(Who::One))),
        Kind::PauseMinority => plain(9, ActionSpec::Pause(target(Who::Minority))),
        Kind::PauseLeader => leading(ActionSpec::Pause(leader())),
        Kind::PauseAll => plain(3, ActionSpec::Pause(target(Who::All))),
        Kind::PartitionHalves => plain(9, ActionSpec::Partition(Shape::Halves)),
        Kind::PartitionIsolateLeader => plain(12, ActionSpec::Partition(Shape::Isolate(leader()))),
        Kind::PartitionIsolateRandom => plain(9, ActionSpec::Partition(Shape::Isolate(target(Who::One)))),
        Kind::PartitionOneWay => {
            let one_way = |who| step(ActionSpec::Partition(Shape::OneWay(target(who), Way::Either)));
            vec![("", 6, one_way(Who::Leader)), ("-any", 3, one_way(Who::One))]
        }
        Kind::LinkDelay => {
            links(LinkEffect { delay: Some(ms(20, 90)), jitter: Some(ms(0, 90)), ..LinkEffect::default() })
        }
        Kind::LinkDrop => links(LinkEffect { drop: Share::percent(10, 40), ..LinkEffect::default() }),
        Kind::LinkDuplicate => {
            links(LinkEffect { duplicate: Share::percent(20, 60), ..LinkEffect::default() })
        }
        Kind::LinkReorder => links(LinkEffect { reorder: Share::percent(20, 60), ..LinkEffect::default() }),
    }
}

/// Slow links, one follower that misses most of what the others accept, and at last nothing more
/// from the leader that is about to be struck. It still hears acceptances and acknowledges
/// operations, but nobody learns that these are chosen: exactly what the next leader must find out
/// from the few who accepted them.
fn limping(strike: ActionSpec) -> Vec<Step> {
    let leader = || LinkEnd::Nodes(Target::now(Who::Leader));
    let laggard = LinkEnd::Nodes(Target::now(Who::Follower(0)));
    let link = |from, to, both, effect| ActionSpec::Link(vec![LinkSpec { from, to, both }], effect);
    let slow = LinkEffect { delay: Some(ms(20, 50)), jitter: Some(ms(5, 20)), ..LinkEffect::default() };
    let loss = LinkEffect { drop: Share::percent(50, 70), ..LinkEffect::default() };
    let silence = LinkEffect { cut: true, ..LinkEffect::default() };
    vec![
        Step { after: Span::ZERO, action: link(LinkEnd::Any, LinkEnd::Any, true, slow) },
        Step { after: Span::ZERO, action: link(leader(), laggard, false, loss) },
        // Some lag must build up.
        Step { after: ms(300, 300), action: link(leader(), LinkEnd::Any, false, silence) },
        // Longer than a round trip, shorter than any election timeout.
        Step { after: ms(60, 120), action: strike },
    ]
}

const fn ms(min: u64, max: u64) -> Span {
    Span::between(Duration::from_millis(min), Duration::from_millis(max))
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
    fn what_is_owed_is_required_in_its_first_form() {
        let kinds = Kind::ALL.to_vec();
        let preset = Preset { kinds, owed: vec![Kind::KillLeader], interval: Duration::from_secs(2) };
        let schedule = preset.schedule(Duration::from_secs(20), Duration::from_secs(5));
        let choices = &schedule.phases[0].mixes[0].choices;
        let required: Vec<_> =
            choices.iter().filter(|choice| choice.required).map(|choice| &*choice.id).collect();
        assert_eq!(required, ["kill:leader"]);
        let ids: BTreeSet<_> = choices.iter().map(|choice| &choice.id).collect();
        assert_eq!(ids.len(), choices.len());
        assert!(ids.contains(&"pause:leader-limping".to_owned()));
    }
}
