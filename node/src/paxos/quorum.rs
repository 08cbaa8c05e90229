//! Quorum arithmetic, kept apart from everything that uses it.

use super::NodeId;
use std::fmt;

/// A set of nodes as bits: adding a member twice changes nothing, so a duplicated message can
/// never be counted as a second vote.
#[derive(Copy, Clone, Eq, PartialEq, Default)]
pub struct NodeSet(u64);

impl NodeSet {
    /// Nobody.
    pub const EMPTY: NodeSet = NodeSet(0);

    /// Adds a node; `true` if it was not there before.
    ///
    /// # Panics
    /// If the id is 0 or above [`NodeId::MAX`]: configuration refuses such ids at the start.
    pub fn insert(&mut self, node: NodeId) -> bool {
        let bit = Self::bit(node);
        let new = self.0 & bit == 0;
        self.0 |= bit;
        new
    }

    /// Takes a node out, if it is in.
    ///
    /// # Panics
    /// As [`insert`](Self::insert).
    pub fn remove(&mut self, node: NodeId) {
        self.0 &= !Self::bit(node);
    }

    /// Whether a node is in the set.
    #[must_use]
    pub fn contains(self, node: NodeId) -> bool {
        self.0 & Self::bit(node) != 0
    }

    /// How many nodes are in the set.
    #[must_use]
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether nobody is in the set.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those that are in both sets.
    #[must_use]
    pub fn intersection(self, other: NodeSet) -> NodeSet {
        NodeSet(self.0 & other.0)
    }

    /// The set as a number: node n is bit n.
    #[must_use]
    pub fn bits(self) -> u64 {
        self.0
    }

    /// Reads [`bits`](Self::bits) back; `None` if some bit is nobody's.
    #[must_use]
    pub fn from_bits(bits: u64) -> Option<NodeSet> {
        let all = (2_u64 << NodeId::MAX.0) - 2;
        (bits & !all == 0).then_some(NodeSet(bits))
    }

    /// The members in ascending order.
    pub fn iter(self) -> impl Iterator<Item = NodeId> {
        (1..=NodeId::MAX.0).map(NodeId).filter(move |&node| self.contains(node))
    }

    fn bit(node: NodeId) -> u64 {
        assert!(node.is_valid(), "node ids run from 1 to {}, not {}", NodeId::MAX.0, node.0);
        1 << node.0
    }
}

impl FromIterator<NodeId> for NodeSet {
    fn from_iter<I: IntoIterator<Item = NodeId>>(nodes: I) -> Self {
        let mut set = NodeSet::EMPTY;
        for node in nodes {
            set.insert(node);
        }
        set
    }
}

impl fmt::Debug for NodeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// The least number of nodes of which any two groups share one: more than half.
#[must_use]
pub fn majority(nodes: usize) -> usize {
    if crate::mutant!(MajorityOffByOne) {
        return (nodes / 2).max(1);
    }
    nodes / 2 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_majorities_always_intersect() {
        for nodes in 1..=9 {
            assert!(2 * majority(nodes) > nodes, "{nodes}");
            assert!(2 * (majority(nodes) - 1) <= nodes, "{nodes}: no smaller number will do");
        }
    }

    #[test]
    fn a_vote_counts_once() {
        let mut votes = NodeSet::EMPTY;
        assert!(votes.insert(NodeId(3)));
        assert!(!votes.insert(NodeId(3)));
        assert_eq!(votes.len(), 1);
        assert!(votes.contains(NodeId(3)) && !votes.contains(NodeId(2)));
        assert_eq!(votes.iter().collect::<Vec<_>>(), [NodeId(3)]);
    }
}
