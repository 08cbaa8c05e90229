//! What a replica shows of itself: to status answers, to observers, to tests. Changes nothing.

use super::{Replica, Role, RoleName};
use crate::paxos::{Ballot, Lsn, NodeId, Slot, Value};

impl Replica {
    /// This node.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// What this node is doing.
    #[must_use]
    pub fn role(&self) -> RoleName {
        match self.role {
            Role::Follower => RoleName::Follower,
            Role::Candidate(_) => RoleName::Candidate,
            Role::Leader(_) => RoleName::Leader,
        }
    }

    /// The ballot of the leader this node follows or is.
    #[must_use]
    pub fn leader(&self) -> Option<Ballot> {
        self.following
    }

    /// The ballot below which this node accepts nothing.
    #[must_use]
    pub fn promised(&self) -> Ballot {
        self.acceptor.promised()
    }

    /// Everything up to here is learned.
    #[must_use]
    pub fn chosen_upto(&self) -> Slot {
        self.learner.chosen_upto()
    }

    /// What this node accepted in a slot, and in which ballot.
    #[must_use]
    pub fn accepted(&self, slot: Slot) -> Option<(Ballot, &Value)> {
        self.acceptor.accepted(slot).map(|accepted| (accepted.ballot, &accepted.value))
    }

    /// What this node knows to be chosen in a slot.
    #[must_use]
    pub fn learned(&self, slot: Slot) -> Option<&Value> {
        self.learner.get(slot).map(|(_, value)| value)
    }

    /// The highest slot this node has accepted or learned anything in.
    #[must_use]
    pub fn last_slot(&self) -> Slot {
        self.acceptor.last_accepted().max(self.learner.last_learned())
    }

    /// The last record produced, and the last one known to be durable.
    #[must_use]
    pub fn log_position(&self) -> (Lsn, Lsn) {
        (self.journal.written(), self.journal.durable())
    }

    /// Slots proposed and not yet chosen, if this node leads.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        match &self.role {
            Role::Leader(leader) => leader.in_flight(),
            Role::Follower | Role::Candidate(_) => 0,
        }
    }

    /// How many reads this node could answer because its lease lasted, and how many because a quorum
    /// confirmed that it led.
    #[must_use]
    pub fn reads(&self) -> (u64, u64) {
        (self.reads_by_lease, self.reads_by_barrier)
    }
}
