//! Who takes part: asked of the learner, which knows the configurations; and how that is changed.

use super::{Replica, Role};
use crate::paxos::{Base, Change, ChangeRefused, Configuration, Governing, NodeId, NodeSet, Slot, Value};
use std::sync::Arc;

impl Replica {
    /// The configuration of the first slot that this node does not know to be chosen.
    #[must_use]
    pub fn configuration(&self) -> &Configuration {
        self.learner.governing_next()
    }

    /// That one, and the one that comes after it if there is one.
    #[must_use]
    pub fn current(&self) -> &[Governing] {
        self.learner.configurations().from(self.learner.chosen_upto().next())
    }

    /// The last configuration that this node knows to be chosen; it may be still to come.
    #[must_use]
    pub fn latest(&self) -> &Configuration {
        self.learner.configurations().latest()
    }

    /// The first slot that it governs.
    #[must_use]
    pub fn latest_from(&self) -> Slot {
        self.learner.configurations().latest_from()
    }

    /// What a snapshot of what `base` covers has to say of who governs the slots behind it.
    #[must_use]
    pub fn governing_behind(&self, base: Base) -> Vec<Governing> {
        self.learner.configurations().as_of(base.slot)
    }

    /// Whether this node's log says durably that the last configuration it knows is in force. When a
    /// majority of its voters can say so, those who were replaced are needed no more. Before, they are:
    /// that everything up to the first slot of the new configuration is chosen is known by the votes of
    /// the old, and a crash may make that be asked again.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let (number, lsn) = self.in_force;
        let last = self.learner.configurations().latest().number();
        self.takes_part() && number == last && lsn <= self.journal.durable()
    }

    /// Proposes a change of the members: chosen in the slot returned, it is in force α slots later,
    /// unless another leader's came first: see [`is_in_succession`](Self::is_in_succession).
    ///
    /// # Errors
    /// Why nothing was proposed.
    pub fn change(&mut self, change: &Change) -> Result<Slot, ChangeRefused> {
        let Role::Leader(leader) = &self.role else { return Err(ChangeRefused::NotLeader) };
        let (slot, latest) = (leader.next, Arc::clone(self.learner.configurations().latest()));
        let changed = latest.changed(change)?;
        if let Change::Promote { node } | Change::Replace { by: node, .. } = change {
            let (learned, chosen) = (leader.learned_by(*node), self.learner.chosen_upto());
            if learned.0 + self.window < chosen.0 {
                return Err(ChangeRefused::IsBehind { node: *node, learned: learned.0, chosen: chosen.0 });
            }
        }
        if !self.can_propose() {
            return Err(ChangeRefused::NoRoom);
        }
        let unchosen = self.acceptor.accepted_from(self.learner.chosen_upto().next());
        let under_way = unchosen
            .map(|(_, accepted)| &accepted.value)
            .any(|value| matches!(value, Value::Configuration(_)));
        if !self.learner.configurations().admits(slot, changed.number(), under_way) {
            return Err(ChangeRefused::UnderWay);
        }
        let Role::Leader(leader) = &mut self.role else { return Err(ChangeRefused::NotLeader) };
        leader.next = slot.next();
        self.propose_in(slot, Value::Configuration(Arc::new(changed)));
        Ok(slot)
    }

    /// Whether a configuration that was chosen counts, or is void.
    #[must_use]
    pub fn is_in_succession(&self, configuration: &Configuration) -> bool {
        let known = self.learner.configurations().from(Slot::ZERO);
        known.iter().any(|governing| *governing.configuration == *configuration)
    }

    /// What the members, or this node's promises, lead to without a message.
    pub(super) fn go_on(&mut self) {
        let number = self.configuration().number();
        self.find_itself();
        if number != self.in_force.0 {
            self.learner.mark(&mut self.journal);
            self.in_force = (number, self.journal.written());
        }
        if (!matches!(self.role, Role::Follower) || self.canvass.is_some()) && !self.is_electable() {
            // The last news to those who stay: up to where this node was one of them.
            self.send_heartbeats();
            self.step_down(None);
        }
        self.ask_newcomers();
        self.take_over();
    }

    /// Whether this node has a vote, now or soon.
    pub(super) fn is_electable(&self) -> bool {
        self.current().iter().any(|governing| governing.configuration.is_voter(self.id))
    }

    /// Whether a candidate that begins with slot `first` is no voter, as far as this node knows, which
    /// knows all that it does.
    pub(super) fn knows_to_be_gone(&self, candidate: NodeId, first: Slot) -> bool {
        first <= self.learner.chosen_upto().next()
            && !self.current().iter().any(|governing| governing.configuration.is_voter(candidate))
    }

    /// The others who vote in a slot, in ascending order.
    pub(super) fn other_voters_in(&self, slot: Slot) -> impl Iterator<Item = NodeId> + use<> {
        let mut voters = self.learner.configurations().governing(slot).voters();
        voters.remove(self.id);
        voters.iter()
    }

    /// All others that vote, now or soon, in ascending order.
    pub(super) fn current_voters(&self) -> Vec<NodeId> {
        let voters = self.current().iter().flat_map(|governing| governing.configuration.voters().iter());
        self.without_own(voters.collect())
    }

    /// All other members, now or soon, in ascending order.
    pub(super) fn others(&self) -> Vec<NodeId> {
        let members = self.current().iter().flat_map(|governing| governing.configuration.members());
        self.without_own(members.map(|member| member.node).collect())
    }

    fn without_own(&self, mut nodes: NodeSet) -> Vec<NodeId> {
        nodes.remove(self.id);
        nodes.iter().collect()
    }
}
