//! What may be known of a cluster when something is decided.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::system::NodeId;

/// What the bench knows of a node's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Running.
    Up,
    /// Not running: killed, or not back yet.
    Down,
    /// Stopped by SIGSTOP.
    Paused,
}

/// A ballot as nodes tell it: round, then node.
pub type Ballot = (u64, u16);

/// A look at the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// Since the first phase began. Never runs backwards.
    pub now: Duration,
    /// Every node's process.
    pub nodes: BTreeMap<NodeId, Condition>,
    /// Who leads by its own fresh word, in the highest ballot, and that ballot.
    pub leader: Option<(NodeId, Ballot)>,
    /// Everybody who says so of itself.
    pub leaders: Vec<NodeId>,
    /// The last slot each node said it has applied.
    pub applied: BTreeMap<NodeId, u64>,
    /// Operations that succeeded since the run began.
    pub ops_ok: u64,
}

impl Observed {
    /// The nodes in this condition.
    pub fn in_condition(&self, condition: Condition) -> impl Iterator<Item = NodeId> + '_ {
        self.nodes.iter().filter(move |(_, is)| **is == condition).map(|(&node, _)| node)
    }

    /// Who leads and runs.
    pub fn leader_up(&self) -> Option<NodeId> {
        let runs = |node: &NodeId| self.nodes.get(node) == Some(&Condition::Up);
        self.leader.map(|(node, _)| node).filter(runs)
    }
}
