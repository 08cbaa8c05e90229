//! What was struck, in which role, and what the cluster was doing then: the map by which a run tells
//! where it has been, and by which mixes choose where to go next. Pure, and the same in both worlds.
//!
//! A cell is a fault, the role of whom it was done to, and the state of the protocol just before. It has
//! been reached once a fault began there, and counts for a reader once that fault has bitten.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::action::Action;
use super::observed::{Condition, Observed};
use crate::proxy::{Endpoint, Link, LinkPolicy};
use crate::system::NodeId;

/// A node that has applied so many slots less than another is catching up: more than a healthy one
/// seems to be behind because it was asked a moment earlier.
const LAG_MIN: u64 = 100;

/// Whom a fault concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The leader alone, or links that all are its own.
    Leader,
    /// One other node, or links that all are its own.
    Follower,
    /// More than one node.
    Several,
    /// Links that have no node in common, or only one link.
    Links,
}

/// What the cluster was doing. The first that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Nobody leads by its own word: somebody has to go through phase 1.
    Electing,
    /// A node that was restarted has not yet applied what the others had when it came back.
    Recovering,
    /// A node that runs is far behind another.
    CatchingUp,
    /// Something else is done to the cluster.
    MidFault,
    /// A leader leads, all nodes run and are up to date.
    Steady,
}

impl State {
    /// Every state, as tables list them.
    pub const ALL: [State; 5] =
        [State::Steady, State::Electing, State::Recovering, State::CatchingUp, State::MidFault];

    /// As tables and files call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            State::Electing => "electing",
            State::Recovering => "recovering",
            State::CatchingUp => "catching-up",
            State::MidFault => "mid-fault",
            State::Steady => "steady",
        }
    }
}

/// Where a fault may strike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Cell {
    /// `kill`, `pause`, `cut`, `drop` and the like.
    pub fault: &'static str,
    /// Whom.
    pub role: Role,
    /// While the cluster did what.
    pub state: State,
}

impl Cell {
    /// The cell of an action in a cluster with this leader that does this.
    pub(super) fn of(action: &Action, leader: Option<NodeId>, state: State) -> Cell {
        let of_nodes = |nodes: &[NodeId]| match nodes {
            [node] if Some(*node) == leader => Role::Leader,
            [_] => Role::Follower,
            _ => Role::Several,
        };
        let of_links = |links: &BTreeSet<Link>| match shared(links).as_slice() {
            [node] => of_nodes(&[*node]),
            _ => Role::Links,
        };
        let (fault, role) = match action {
            Action::Kill(nodes) => ("kill", of_nodes(nodes)),
            Action::Wipe(nodes) => ("wipe", of_nodes(nodes)),
            Action::Pause(nodes) => ("pause", of_nodes(nodes)),
            Action::Links(links, policy) => (effect(policy), of_links(links)),
            Action::Reset(links) => ("reset", of_links(links)),
        };
        Cell { fault, role, state }
    }
}

/// The nodes that all of these links touch.
fn shared(links: &BTreeSet<Link>) -> Vec<NodeId> {
    let ends = |link: &Link| {
        let from = match link.from {
            Endpoint::Node(node) => Some(node),
            Endpoint::Clients => None,
        };
        [Some(link.to), from].into_iter().flatten().collect::<BTreeSet<NodeId>>()
    };
    let common = links.iter().map(ends).reduce(|some, others| &some & &others);
    common.into_iter().flatten().collect()
}

/// A thing that a policy does, and whether one of its layers does it.
type Effect = (&'static str, fn(&LinkPolicy) -> bool);

/// The strongest first.
const EFFECTS: [Effect; 8] = [
    ("cut", |layer| layer.cut),
    ("half-open", |layer| layer.half_open),
    ("hold", |layer| layer.hold),
    ("drop", |layer| layer.drop_ppm > 0),
    ("corrupt", |layer| layer.corrupt_ppm > 0),
    ("reorder", |layer| layer.reorder_ppm > 0),
    ("duplicate", |layer| layer.duplicate_ppm > 0),
    ("delay", |layer| layer.delay_us > 0 || layer.jitter_us > 0),
];

/// The strongest thing that a policy does, to whatever frames.
fn effect(policy: &LinkPolicy) -> &'static str {
    let does = |effect: &&Effect| policy.layers().any(effect.1);
    EFFECTS.iter().find(does).map_or("throttle", |(name, _)| name)
}

/// Knows from look to look what the cluster is doing.
#[derive(Debug, Default)]
pub(super) struct Protocol {
    before: BTreeMap<NodeId, Condition>,
    /// Nodes that were restarted, and the slot that they must apply to be back.
    recovering: BTreeMap<NodeId, u64>,
}

impl Protocol {
    /// Takes in a look.
    pub(super) fn look(&mut self, observed: &Observed) {
        let goal = observed.applied.values().copied().max();
        for (&node, &is) in &observed.nodes {
            let was = self.before.insert(node, is);
            if was == Some(Condition::Down)
                && is != Condition::Down
                && let Some(goal) = goal
            {
                self.recovering.insert(node, goal);
            }
            if is == Condition::Down {
                self.recovering.remove(&node);
            }
        }
        self.recovering.retain(|node, goal| observed.applied.get(node).is_none_or(|at| at < goal));
    }

    /// What the cluster does, `hurt` or not by something that is in force.
    pub(super) fn state(&self, observed: &Observed, hurt: bool) -> State {
        let up = |node: &NodeId| observed.nodes.get(node) == Some(&Condition::Up);
        let most = observed.applied.values().copied().max().unwrap_or(0);
        let behind = |(node, at): (&NodeId, &u64)| up(node) && at + LAG_MIN < most;
        if observed.leader_up().is_none() {
            State::Electing
        } else if !self.recovering.is_empty() {
            State::Recovering
        } else if observed.applied.iter().any(behind) {
            State::CatchingUp
        } else if hurt || !observed.nodes.keys().all(up) {
            State::MidFault
        } else {
            State::Steady
        }
    }
}

/// How often a cell was reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Visits {
    /// Faults that began there.
    pub began: u64,
    /// Those of them that have bitten.
    pub bit: u64,
}

/// The cells that a run, or many of them, reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Territory {
    cells: BTreeMap<Cell, Visits>,
}

impl Territory {
    /// Whether a fault ever began there.
    #[must_use]
    pub fn contains(&self, cell: &Cell) -> bool {
        self.cells.contains_key(cell)
    }

    /// How many cells a fault began in.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether no fault ever began.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// A fault begins there.
    pub fn began(&mut self, cell: Cell) {
        self.cells.entry(cell).or_default().began += 1;
    }

    /// One that was noted there never began.
    pub fn retract(&mut self, cell: Cell) {
        if let Some(visits) = self.cells.get_mut(&cell) {
            visits.began = visits.began.saturating_sub(1);
        }
        self.cells.retain(|_, visits| visits.began > 0);
    }

    /// One that began there has bitten.
    pub fn bit(&mut self, cell: Cell) {
        self.cells.entry(cell).or_default().bit += 1;
    }

    /// What another run reached was reached.
    pub fn add(&mut self, other: &Territory) {
        for (cell, visits) in &other.cells {
            let own = self.cells.entry(*cell).or_default();
            own.began += visits.began;
            own.bit += visits.bit;
        }
    }

    /// Every cell that was reached, and how often.
    pub fn cells(&self) -> impl Iterator<Item = (&Cell, &Visits)> {
        self.cells.iter()
    }
}

impl Serialize for Territory {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Row<'a> {
            #[serde(flatten)]
            cell: &'a Cell,
            #[serde(flatten)]
            visits: &'a Visits,
        }
        serializer.collect_seq(self.cells.iter().map(|(cell, visits)| Row { cell, visits }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::action::{both_ways, one_way};
    use super::*;

    fn n(ids: &[u16]) -> Vec<NodeId> {
        ids.iter().map(|&id| NodeId(id)).collect()
    }

    /// Three nodes of which these are down, n1 leads if it may, and these slots were applied.
    fn look(down: &[u16], leads: bool, applied: [u64; 3]) -> Observed {
        let is = |id| if down.contains(&id) { Condition::Down } else { Condition::Up };
        Observed {
            nodes: (1..=3).map(|id| (NodeId(id), is(id))).collect(),
            leader: leads.then_some((NodeId(1), (1, 1))),
            applied: (1..).map(NodeId).zip(applied).collect(),
            ..Observed::default()
        }
    }

    #[test]
    fn the_role_is_that_of_whom_it_is_done_to() {
        let leader = Some(NodeId(1));
        let role = |action| Cell::of(&action, leader, State::Steady).role;
        assert_eq!(role(Action::Kill(n(&[1]))), Role::Leader);
        assert_eq!(role(Action::Pause(n(&[2]))), Role::Follower);
        assert_eq!(role(Action::Kill(n(&[1, 2]))), Role::Several);
        assert_eq!(role(Action::cut(both_ways(&n(&[1]), &n(&[2, 3])))), Role::Leader);
        assert_eq!(role(Action::Reset(one_way(&n(&[2]), &n(&[1, 3])))), Role::Follower);
        assert_eq!(role(Action::Reset(one_way(&n(&[1]), &n(&[2])))), Role::Links);
        assert_eq!(role(Action::cut(both_ways(&n(&[1, 2, 3]), &n(&[1, 2, 3])))), Role::Links);
        assert_eq!(role(Action::cut(BTreeSet::from([Link::clients(NodeId(1))]))), Role::Leader);
    }

    #[test]
    fn a_cluster_goes_through_the_states_of_a_restart() {
        let mut protocol = Protocol::default();
        let mut state = |observed: Observed, hurt| {
            protocol.look(&observed);
            protocol.state(&observed, hurt)
        };
        assert_eq!(state(look(&[], true, [10, 10, 9]), false), State::Steady);
        assert_eq!(state(look(&[], true, [10, 10, 9]), true), State::MidFault);
        assert_eq!(state(look(&[3], true, [10, 10, 9]), true), State::MidFault);
        assert_eq!(state(look(&[1], true, [10, 10, 9]), true), State::Electing);
        assert_eq!(state(look(&[3], true, [20, 20, 9]), true), State::MidFault);
        assert_eq!(state(look(&[], true, [20, 20, 9]), false), State::Recovering);
        assert_eq!(state(look(&[], true, [20, 20, 20]), false), State::Steady);
        assert_eq!(state(look(&[], true, [200, 200, 20]), false), State::CatchingUp);
        assert_eq!(state(look(&[], false, [200, 200, 200]), false), State::Electing);
    }

    #[test]
    fn a_policy_is_called_after_the_strongest_of_its_layers() {
        let policy = LinkPolicy {
            delay_us: 5,
            also: vec![LinkPolicy { drop_ppm: 7, ..LinkPolicy::default() }],
            ..LinkPolicy::default()
        };
        assert_eq!(effect(&policy), "drop");
        assert_eq!(effect(&LinkPolicy { jitter_us: 1, ..LinkPolicy::default() }), "delay");
        assert_eq!(effect(&LinkPolicy::default()), "throttle");
    }

    #[test]
    fn runs_are_added_up_and_what_never_began_is_taken_back() {
        let cell = Cell { fault: "kill", role: Role::Leader, state: State::Steady };
        let mut one = Territory::default();
        one.began(cell);
        let mut both = one.clone();
        both.bit(cell);
        both.add(&one);
        let other = Cell { state: State::MidFault, ..cell };
        both.began(other);
        assert_eq!(
            both.cells().map(|(_, visits)| (visits.bit, visits.began)).collect::<Vec<_>>(),
            [(0, 1), (1, 2)]
        );
        both.retract(other);
        assert!(both.len() == 1 && !both.contains(&other));
        assert_eq!(
            serde_json::to_string(&one).expect("plain data"),
            r#"[{"fault":"kill","role":"leader","state":"steady","began":1,"bit":0}]"#
        );
    }
}
