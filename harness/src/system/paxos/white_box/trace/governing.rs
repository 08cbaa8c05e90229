//! Who votes in which slot, as the nodes tell it.
//!
//! Each node says when it learns of a configuration, and with which it begins. What all say together is
//! gathered before any rule is held against anybody: a vote is counted by the configuration of its slot,
//! and that may be known to the reader only from another node's trace.

use super::found::{At, Found, Rule};
use paxos_node::paxos::{NodeId, NodeSet, Slot};
use paxos_node::trace::{Event, Frames};
use std::collections::BTreeMap;
use std::ops::Bound;

/// The voters of every slot.
#[derive(Clone, Debug)]
pub(super) struct Voters {
    /// From which slot on who votes, where it was told first.
    begin: BTreeMap<Slot, (NodeSet, At)>,
    /// Where nobody tells: so many nodes are a quorum.
    otherwise: usize,
}

impl Voters {
    /// Of a cluster in whose traces nobody has been heard yet.
    pub(super) fn new(otherwise: usize) -> Voters {
        Voters { begin: BTreeMap::new(), otherwise }
    }

    /// Takes up what a trace says, and rule 16: all who say where a configuration begins say the same of it.
    pub(super) fn gather(&mut self, node: NodeId, trace: &[u8], found: &mut Found) {
        for frame in Frames::new(trace).map_while(Result::ok) {
            let at =
                At { node, offset: frame.offset, began_ns: frame.began_ns, written_ns: frame.written_ns };
            for event in &frame.events {
                if let Event::Governs { from, voters } = event {
                    self.told(*from, *voters, at, found);
                }
            }
        }
    }

    fn told(&mut self, from: Slot, voters: NodeSet, at: At, found: &mut Found) {
        let (known, by) = self.begin.entry(from).or_insert((voters, at));
        if *known != voters {
            let words = format!("says that from slot {from} on {voters:?} vote, {} says {known:?}", by.node);
            found.broken(Rule::OneSuccession, at, &words);
        }
    }

    /// Slots from the first to the last of which each has other voters than the one before.
    pub(super) fn slots_to_ask(&self, first: Slot, last: Slot) -> impl Iterator<Item = Slot> {
        let later = self.begin.range((Bound::Excluded(first), Bound::Included(last.max(first.next()))));
        [first].into_iter().chain(later.map(|(slot, _)| *slot))
    }

    /// Whether a node votes in this slot and, as far as anybody tells, in all behind it.
    pub(super) fn votes_from(&self, slot: Slot, node: NodeId) -> bool {
        let begun = self.begin.range(..=slot).next_back().map_or(slot, |(from, _)| *from);
        self.begin.range(begun..).all(|(_, (voters, _))| voters.contains(node))
    }

    /// Whether these nodes choose in a slot.
    pub(super) fn are_quorum(&self, slot: Slot, nodes: NodeSet) -> bool {
        match self.begin.range(..=slot).next_back() {
            Some((_, (voters, _))) => 2 * nodes.intersection(*voters).len() > voters.len(),
            None => nodes.len() >= self.otherwise,
        }
    }
}
