//! Configurations: which nodes make up the cluster, from which slot on.
//!
//! A configuration is a value of the log like any other, chosen by the quorums of the one before
//! it. Chosen in slot i, it governs the slots from i + α on (Lamport, *Reconfiguring a state
//! machine*, 2010), α being the number of slots that a leader may have in flight: whoever proposes
//! in a slot knows everything up to α slots before it to be chosen, and so knows the configuration
//! that governs it. Which one that is follows from the log alone ([`Configurations`]), so all agree.
//!
//! From the rule that each slot has one configuration, everything else follows:
//!
//! - votes in a slot are counted by the configuration of that slot, and by no other;
//! - a leader proposes in a slot only with promises of a majority of that slot's configuration. It
//!   begins with those of every configuration that it knows to be in force or to come, and gets
//!   more when it learns of another (see `replica/phase1.rs`). So no two configurations need to
//!   have anything in common, and no joint one stands between them;
//! - reads, and the question whether a leader still hears a quorum, concern the first slot that is
//!   not known to be chosen: what anybody chose behind a leader's back, he began with that slot.
//!
//! **One change at a time.** A configuration names all members, so it undoes a change that its
//! author did not know. Hence it counts only if it is the successor of the one in force in its own
//! slot and nothing else is to come; another, proposed in a race by two leaders, is *void*: a no-op
//! with a long name. A leader refuses a second change outright until the first is in force.
//!
//! **Nobody comes back.** A node id means one disk, for ever: its votes and promises are what was
//! written there. Each disk has an *incarnation*, drawn when it was made; a member is known by both
//! numbers. Who lost the disk, or was removed, joins again under a new id (an old one is refused:
//! [`Configuration::gone`]): a ballot carries its owner's id, and could otherwise be used twice (I5)
//! by two owners that know nothing of each other.
//!
//! A node joins as a **learner**, which follows and has no vote, and is promoted when it has caught
//! up. To replace a member is one change: the learner votes from then on, the other is gone.

mod bytes;
mod succession;

pub use succession::{Configurations, Governing};

use super::quorum::majority;
use super::{NodeId, NodeSet};
use std::fmt;

/// The longest address of a member, in bytes.
pub const ADDRESS_BYTES_MAX: usize = 255;

/// What a member has a say in.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum Standing {
    /// Promises, accepts, may lead: its votes count.
    Voter,
    /// Learns what is chosen, and nothing more.
    Learner,
}

/// One node of a configuration.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Member {
    /// Its id.
    pub node: NodeId,
    /// Voter or learner.
    pub standing: Standing,
    /// Its disk: drawn when that was made, so a disk that lost its memory has another.
    pub incarnation: u64,
    /// Where other nodes reach it. Empty: they know by other means.
    pub address: String,
}

impl Member {
    /// Whether somebody of its id, who says that his disk is this incarnation, is the member.
    #[must_use]
    pub fn is_on(&self, incarnation: u64) -> bool {
        self.incarnation == incarnation || crate::mutant!(AmnesiaRejoin)
    }
}

/// The members of the cluster. Makes no empty, doubled or out-of-order member lists.
#[derive(Clone, Eq, PartialEq)]
pub struct Configuration {
    number: u64,
    /// In ascending order.
    members: Vec<Member>,
    gone: NodeSet,
    voters: NodeSet,
    /// So many votes choose.
    majority: usize,
}

/// A change of the members.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum Change {
    /// A node that never was a member learns from now on.
    Add {
        /// Its id.
        node: NodeId,
        /// Its disk.
        incarnation: u64,
        /// Where others reach it.
        address: String,
    },
    /// A learner votes from now on.
    Promote {
        /// The learner.
        node: NodeId,
    },
    /// A learner votes from now on, in the place of another member, which is gone.
    Replace {
        /// Who goes.
        node: NodeId,
        /// The learner.
        by: NodeId,
    },
    /// A member is gone, for ever.
    Remove {
        /// Who.
        node: NodeId,
    },
}

/// Why members can't be changed like that. Nothing happened.
#[derive(Clone, Eq, PartialEq, Debug, thiserror::Error)]
pub enum ChangeRefused {
    /// Only the leader proposes.
    #[error("this node does not lead")]
    NotLeader,
    /// One at a time.
    #[error("another change of the members is under way; try again when it is in force")]
    UnderWay,
    /// The leader has too much in flight, or has yet to find out what was chosen before it led.
    #[error("the leader has no slot free for it; try again")]
    NoRoom,
    /// It is a member already, or its id is no id.
    #[error("{0} can't be added: it is a member, or its id is out of range")]
    IsMember(NodeId),
    /// Ids are not used twice.
    #[error("{0} was a member once and is gone: a node joins again with an empty data folder and a new id")]
    IsGone(NodeId),
    /// No such member.
    #[error("{0} is no member")]
    NoMember(NodeId),
    /// Voters can't be promoted.
    #[error("{0} is no learner")]
    NoLearner(NodeId),
    /// Its vote would be missing while it fetches what it lacks.
    #[error("{node} has learned up to slot {learned} only, and {chosen} is chosen: it must catch up first")]
    IsBehind {
        /// The learner.
        node: NodeId,
        /// What it has told.
        learned: u64,
        /// What the leader knows.
        chosen: u64,
    },
    /// Nobody would be left to choose anything.
    #[error("{0} is the last voter")]
    LastVoter(NodeId),
    /// Beyond [`ADDRESS_BYTES_MAX`].
    #[error("an address has at most {ADDRESS_BYTES_MAX} bytes")]
    TooLarge,
}

impl Configuration {
    /// What a cluster begins with.
    ///
    /// # Panics
    /// If an id is doubled: whoever starts a cluster has looked.
    #[must_use]
    pub fn founding(members: Vec<Member>) -> Configuration {
        Configuration::build(0, members, NodeSet::EMPTY).expect("distinct founders, with ids in range")
    }

    /// A founding one of voters whose disks and addresses don't matter.
    #[must_use]
    pub fn of(nodes: &[NodeId]) -> Configuration {
        let voter = |node: &NodeId| Member {
            node: *node,
            standing: Standing::Voter,
            incarnation: 0,
            address: String::new(),
        };
        Configuration::founding(nodes.iter().map(voter).collect())
    }

    /// What a node knows that joins a cluster: nothing yet. Nobody is a voter in it, so nobody can
    /// choose by it.
    #[must_use]
    pub fn unknown() -> Configuration {
        Configuration::founding(Vec::new())
    }

    /// `None` if that is no list of members.
    fn build(number: u64, mut members: Vec<Member>, gone: NodeSet) -> Option<Configuration> {
        members.sort_unstable_by_key(|member| member.node);
        let ascend = members.windows(2).all(|pair| pair[0].node < pair[1].node);
        let sound = |member: &Member| {
            member.node.is_valid() && member.address.len() <= ADDRESS_BYTES_MAX && !gone.contains(member.node)
        };
        if !ascend || !members.iter().all(sound) {
            return None;
        }
        let voters = members.iter().filter(|member| member.standing == Standing::Voter);
        let mut voters: NodeSet = voters.map(|member| member.node).collect();
        let majority = majority(voters.len());
        if crate::mutant!(RemovedNodeVotes) {
            gone.iter().for_each(|node| _ = voters.insert(node));
        }
        Some(Configuration { number, members, gone, voters, majority })
    }

    /// How many changes came before it.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The members, in ascending order.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The member of that id.
    #[must_use]
    pub fn member(&self, node: NodeId) -> Option<&Member> {
        self.members.iter().find(|member| member.node == node)
    }

    /// Those whose votes count.
    #[must_use]
    pub fn voters(&self) -> NodeSet {
        self.voters
    }

    /// Whether a node's vote counts.
    #[must_use]
    pub fn is_voter(&self, node: NodeId) -> bool {
        self.voters.contains(node)
    }

    /// Those who were members once.
    #[must_use]
    pub fn gone(&self) -> NodeSet {
        self.gone
    }

    /// How many of these nodes' votes count.
    #[must_use]
    pub fn votes(&self, nodes: NodeSet) -> usize {
        nodes.intersection(self.voters).len()
    }

    /// Whether so many votes choose: two majorities always have a voter in common.
    #[must_use]
    pub fn is_majority(&self, votes: usize) -> bool {
        votes >= self.majority
    }

    /// Whether these nodes are a quorum.
    #[must_use]
    pub fn has_majority(&self, nodes: NodeSet) -> bool {
        self.is_majority(self.votes(nodes))
    }

    /// Its successor.
    ///
    /// # Errors
    /// If there is none such.
    pub fn changed(&self, change: &Change) -> Result<Configuration, ChangeRefused> {
        let (mut members, mut gone) = (self.members.clone(), self.gone);
        match change {
            Change::Add { node, incarnation, address } => {
                if node.is_valid() && gone.contains(*node) {
                    return Err(ChangeRefused::IsGone(*node));
                }
                if !node.is_valid() || self.member(*node).is_some() {
                    return Err(ChangeRefused::IsMember(*node));
                }
                let (incarnation, address) = (*incarnation, address.clone());
                members.push(Member { node: *node, standing: Standing::Learner, incarnation, address });
            }
            Change::Promote { node } => promote(&mut members, *node)?,
            Change::Replace { node, by } => {
                remove(&mut members, &mut gone, *node)?;
                promote(&mut members, *by)?;
            }
            Change::Remove { node } => {
                remove(&mut members, &mut gone, *node)?;
                if !members.iter().any(|member| member.standing == Standing::Voter) {
                    return Err(ChangeRefused::LastVoter(*node));
                }
            }
        }
        Configuration::build(self.number + 1, members, gone).ok_or(ChangeRefused::TooLarge)
    }
}

fn promote(members: &mut [Member], node: NodeId) -> Result<(), ChangeRefused> {
    let member = members.iter_mut().find(|member| member.node == node);
    let member = member.ok_or(ChangeRefused::NoMember(node))?;
    if member.standing == Standing::Voter {
        return Err(ChangeRefused::NoLearner(node));
    }
    member.standing = Standing::Voter;
    Ok(())
}

fn remove(members: &mut Vec<Member>, gone: &mut NodeSet, node: NodeId) -> Result<(), ChangeRefused> {
    let at = members.iter().position(|member| member.node == node);
    members.remove(at.ok_or(ChangeRefused::NoMember(node))?);
    gone.insert(node);
    Ok(())
}

impl fmt::Display for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "configuration {}:", self.number)?;
        for Member { node, standing, .. } in &self.members {
            match standing {
                Standing::Voter => write!(f, " {node}")?,
                Standing::Learner => write!(f, " ({node})")?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Add { node, .. } => write!(f, "add {node} as a learner"),
            Change::Promote { node } => write!(f, "promote {node}"),
            Change::Replace { node, by } => write!(f, "replace {node} by {by}"),
            Change::Remove { node } => write!(f, "remove {node}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(node: u16) -> Change {
        Change::Add { node: NodeId(node), incarnation: 7, address: "there".into() }
    }

    #[test]
    fn a_node_joins_as_a_learner_and_an_id_is_used_once() {
        let three = Configuration::of(&[NodeId(1), NodeId(2), NodeId(3)]);
        let four = three.changed(&add(4)).unwrap();
        assert_eq!(four.to_string(), "configuration 1: n1 n2 n3 (n4)");
        let swapped = four.changed(&Change::Replace { node: NodeId(2), by: NodeId(4) }).unwrap();
        assert_eq!(swapped.to_string(), "configuration 2: n1 n3 n4");
        assert_eq!(swapped.changed(&add(2)), Err(ChangeRefused::IsGone(NodeId(2))));
        assert_eq!(swapped.changed(&add(3)), Err(ChangeRefused::IsMember(NodeId(3))));
        assert_eq!(
            swapped.changed(&Change::Promote { node: NodeId(1) }),
            Err(ChangeRefused::NoLearner(NodeId(1)))
        );
        for id in [0, NodeId::MAX.0 + 1] {
            assert_eq!(swapped.changed(&add(id)), Err(ChangeRefused::IsMember(NodeId(id))));
        }
    }

    #[test]
    fn the_last_voter_stays() {
        let one = Configuration::of(&[NodeId(1)]);
        let refused = Err(ChangeRefused::LastVoter(NodeId(1)));
        assert_eq!(one.changed(&Change::Remove { node: NodeId(1) }), refused);
        let with_learner = one.changed(&add(2)).unwrap();
        assert_eq!(with_learner.changed(&Change::Remove { node: NodeId(1) }), refused);
    }

    #[test]
    fn only_voters_count_and_nobody_is_a_quorum_of_nobody() {
        let four = Configuration::of(&[NodeId(1), NodeId(2), NodeId(3)]).changed(&add(4)).unwrap();
        let set = |ids: &[u16]| ids.iter().map(|id| NodeId(*id)).collect::<NodeSet>();
        assert!(four.has_majority(set(&[1, 3])));
        assert!(!four.has_majority(set(&[1, 4, 9])));
        assert!(!Configuration::unknown().has_majority(set(&[1, 2, 3])));
    }
}
