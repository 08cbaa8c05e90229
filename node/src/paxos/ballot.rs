//! Who speaks, and in which leadership attempt.

use std::cmp::Ordering;
use std::fmt;

/// Identity of a replica, and of the disk that holds its memory: never used for another, however
/// often members come and go. 1-based, and the bit `id` of a [`NodeSet`](super::NodeSet).
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub struct NodeId(pub u16);

impl NodeId {
    /// The highest id a cluster may use in all its life; a [`NodeSet`](super::NodeSet) has room for
    /// as many.
    pub const MAX: NodeId = NodeId(62);

    /// Whether it can be a node's.
    #[must_use]
    pub fn is_valid(self) -> bool {
        self.0 >= 1 && self <= NodeId::MAX
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}", self.0)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}", self.0)
    }
}

/// The lectures' proposal number: unique and totally ordered.
///
/// The order is lexicographic: first the round, then the node that owns the ballot, which makes
/// two nodes' ballots of one round distinct.
#[derive(Copy, Clone, Eq, PartialEq, Hash)]
pub struct Ballot {
    /// How many leadership attempts came before, as far as the proposer knew.
    pub round: u64,
    /// The only node that may ever propose in this ballot.
    pub node: NodeId,
}

impl Ballot {
    /// Below every ballot that a node can use; what an acceptor that has promised nothing holds.
    pub const ZERO: Ballot = Ballot { round: 0, node: NodeId(0) };
}

impl Ord for Ballot {
    fn cmp(&self, other: &Ballot) -> Ordering {
        if crate::mutant!(BallotRoundOnly) {
            return self.round.cmp(&other.round);
        }
        (self.round, self.node).cmp(&(other.round, other.node))
    }
}

impl PartialOrd for Ballot {
    fn partial_cmp(&self, other: &Ballot) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Ballot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.round, self.node)
    }
}

impl fmt::Debug for Ballot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
