//! Ballots in the one order that they should have.

use paxos_node::paxos::{Ballot, NodeId};
use std::fmt;

/// A ballot, ordered by round and then by node.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Default)]
pub(super) struct Rank {
    round: u64,
    node: u16,
}

impl Rank {
    pub(super) fn of(ballot: Ballot) -> Rank {
        Rank { round: ballot.round, node: ballot.node.0 }
    }

    /// The only node that may propose in it.
    pub(super) fn node(self) -> NodeId {
        NodeId(self.node)
    }
}

impl fmt::Display for Rank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.n{}", self.round, self.node)
    }
}
