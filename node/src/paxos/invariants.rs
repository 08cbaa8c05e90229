//! The invariants of [`super`] over the states of a whole cluster, as only a simulation can see
//! them. An all-seeing observer notes what every replica accepted; from that it knows what is
//! chosen, independently of what any replica believes.

use super::{Ballot, NodeId, NodeSet, Replica, Slot, Value};
use std::collections::BTreeMap;

/// What the observer has seen of one slot.
#[derive(Default, Debug)]
struct SlotHistory {
    /// Per ballot: the value proposed, and who has accepted it.
    ballots: BTreeMap<Ballot, (Value, NodeSet)>,
    /// The value chosen and the lowest ballot it was chosen in.
    chosen: Option<(Ballot, Value)>,
}

/// Watches a cluster through its whole life, crashes included.
#[derive(Debug)]
pub struct Observer {
    nodes: usize,
    slots: BTreeMap<Slot, SlotHistory>,
    promised: BTreeMap<NodeId, Ballot>,
}

impl Observer {
    /// An observer of a cluster of `nodes` replicas.
    #[must_use]
    pub fn new(nodes: usize) -> Observer {
        Observer { nodes, slots: BTreeMap::new(), promised: BTreeMap::new() }
    }

    /// A replica's acceptance became durable.
    ///
    /// # Errors
    /// Names the invariant broken.
    pub fn accepted(&mut self, by: NodeId, slot: Slot, ballot: Ballot, value: &Value) -> Result<(), String> {
        let history = self.slots.entry(slot).or_default();
        let (proposed, acceptors) =
            history.ballots.entry(ballot).or_insert_with(|| (value.clone(), NodeSet::EMPTY));
        if proposed != value {
            return Err(format!("I6: ballot {ballot} proposed two values in {slot:?}"));
        }
        acceptors.insert(by);
        let is_quorum = 2 * acceptors.len() > self.nodes;
        if let Some((chosen_in, chosen)) = &history.chosen {
            if ballot > *chosen_in && chosen != value {
                return Err(format!(
                    "I9: {slot:?} was chosen in {chosen_in}, yet {ballot} proposes another value"
                ));
            }
            if is_quorum && chosen != value {
                return Err(format!("I2: {slot:?} was chosen in {chosen_in} and, differently, in {ballot}"));
            }
        } else if is_quorum {
            history.chosen = Some((ballot, value.clone()));
            let later = history.ballots.range(ballot..).find(|(_, (other, _))| other != value);
            if let Some((later, _)) = later {
                return Err(format!(
                    "I9: {slot:?} was chosen in {ballot}, yet {later} proposed another value"
                ));
            }
        }
        Ok(())
    }

    /// Looks at a running replica.
    ///
    /// # Errors
    /// Names the invariant broken.
    pub fn look(&mut self, replica: &Replica, from: Slot) -> Result<(), String> {
        let before = self.promised.entry(replica.id()).or_insert(Ballot::ZERO);
        if replica.promised() < *before {
            return Err(format!(
                "I4: {} promised {before} and now only {}",
                replica.id(),
                replica.promised()
            ));
        }
        *before = replica.promised();
        let mut slot = from;
        while slot <= replica.last_slot() {
            if let Some((ballot, _)) = replica.accepted(slot)
                && ballot > replica.promised()
            {
                return Err(format!("I4: {} accepted {slot:?} in {ballot} above its promise", replica.id()));
            }
            if let Some(learned) = replica.learned(slot) {
                match self.chosen(slot) {
                    None => {
                        return Err(format!("I3: {} learned {slot:?}, which nobody chose", replica.id()));
                    }
                    Some(chosen) if chosen != learned => {
                        return Err(format!(
                            "I2: {} learned another value in {slot:?} than was chosen",
                            replica.id()
                        ));
                    }
                    Some(_) => {}
                }
            }
            slot = slot.next();
        }
        Ok(())
    }

    /// A replica crashed: promises that never became durable were never made.
    pub fn crashed(&mut self, node: NodeId) {
        self.promised.remove(&node);
    }

    /// The value chosen in a slot, if any.
    #[must_use]
    pub fn chosen(&self, slot: Slot) -> Option<&Value> {
        self.slots.get(&slot)?.chosen.as_ref().map(|(_, value)| value)
    }
}
