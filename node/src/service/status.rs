//! What a node says of itself when asked.

use super::Service;
use super::changes::standing_word;
use crate::paxos::{Ballot, Member};
use serde::{Deserialize, Serialize};

/// A ballot, spelled out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LeaderStatus {
    /// Its round.
    pub round: u64,
    /// The node that owns it.
    pub node: u16,
}

/// A member of a configuration.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MemberStatus {
    /// Its id.
    pub node: u16,
    /// `voter` or `learner`.
    pub standing: String,
    /// Its disk, in hex.
    pub incarnation: String,
    /// Where other nodes reach it; empty: they were told otherwise.
    pub address: String,
}

/// Who makes up the cluster, as far as a node knows.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct MembersStatus {
    /// How many changes came before.
    pub number: u64,
    /// The first slot that they govern.
    pub from: u64,
    /// Whether that slot has come, and the node's log says so durably. When a majority of the voters can
    /// say this, whoever is no member any more is needed no more.
    pub settled: bool,
    /// The members.
    pub members: Vec<MemberStatus>,
    /// Ids that were members once, and are never used again.
    pub gone: Vec<u16>,
}

/// A node's state at one moment. Serialised as JSON for whoever asks.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Status {
    /// The cluster's identity.
    pub cluster: u64,
    /// The node's identity.
    pub id: u16,
    /// Its disk's, in hex: drawn when that was made.
    #[serde(default)]
    pub incarnation: String,
    /// The founders it waits for; while it waits for any, or for their word, it takes no part.
    #[serde(default)]
    pub waits_for: Vec<u16>,
    /// The members, voters and learners, of the configuration in force.
    pub nodes: Vec<u16>,
    /// The last configuration that it knows to be chosen, if it is not in force yet.
    #[serde(default)]
    pub configuration: MembersStatus,
    /// `follower`, `candidate` or `leader`.
    pub role: String,
    /// The ballot it leads or follows.
    pub leader: Option<LeaderStatus>,
    /// The ballot below which it accepts nothing.
    pub promised: LeaderStatus,
    /// Slots up to this one are learned.
    pub chosen_upto: u64,
    /// The last slot applied.
    pub applied: u64,
    /// The state's rolling hash after it, in hex.
    pub applied_hash: String,
    /// Its newest durable snapshot covers everything up to this slot; 0: it has none.
    pub snapshot: u64,
    /// Values up to this slot are told to nobody any more: a laggard fetches the snapshot.
    pub trimmed_upto: u64,
    /// The slot of the snapshot that it is fetching from another node.
    pub fetching: Option<u64>,
    /// Roughly how many bytes the log has grown by since the last checkpoint.
    pub log_bytes: u64,
    /// The highest slot it holds anything for.
    pub last_slot: u64,
    /// The last log record produced.
    pub lsn_written: u64,
    /// The last log record known to be durable.
    pub lsn_durable: u64,
    /// Commands waiting for a slot.
    pub queued: usize,
    /// Slots proposed and not yet chosen.
    pub in_flight: usize,
    /// Reads waiting for their barrier.
    pub reads_waiting: usize,
    /// Reads that this life could answer for its lease.
    pub reads_by_lease: u64,
    /// Reads that this life could answer because a quorum confirmed that it led.
    pub reads_by_barrier: u64,
    /// Requests under way to the leader.
    pub forwarded: usize,
    /// Client sessions open.
    pub sessions: usize,
}

impl Service {
    fn members(&self) -> MembersStatus {
        let latest = self.replica.latest();
        let member = |member: &Member| MemberStatus {
            node: member.node.0,
            standing: standing_word(member.standing).to_owned(),
            incarnation: format!("{:016x}", member.incarnation),
            address: member.address.clone(),
        };
        MembersStatus {
            number: latest.number(),
            from: self.replica.current().last().map_or(0, |last| last.from.0),
            settled: self.replica.is_settled(),
            members: latest.members().iter().map(member).collect(),
            gone: latest.gone().iter().map(|node| node.0).collect(),
        }
    }

    /// What the node says of itself.
    #[must_use]
    pub fn status(&self) -> Status {
        let (written, durable) = self.replica.log_position();
        let ballot = |ballot: Ballot| LeaderStatus { round: ballot.round, node: ballot.node.0 };
        let applied = self.kv.applied();
        Status {
            cluster: self.config.cluster,
            id: self.config.id.0,
            incarnation: format!("{:016x}", self.config.incarnation),
            waits_for: self.replica.unmet().iter().map(|node| node.0).collect(),
            nodes: self.replica.configuration().members().iter().map(|member| member.node.0).collect(),
            configuration: self.members(),
            role: self.replica.role().to_string(),
            leader: self.replica.leader().map(ballot),
            promised: ballot(self.replica.promised()),
            chosen_upto: self.replica.chosen_upto().0,
            applied: applied.slot.0,
            applied_hash: format!("{:016x}", applied.hash),
            snapshot: self.replica.snapshot().0,
            trimmed_upto: self.replica.trimmed_upto().0,
            fetching: self.snapshots.fetching().map(|slot| slot.0),
            log_bytes: self.replica.log_bytes(),
            last_slot: self.replica.last_slot().0,
            lsn_written: written.0,
            lsn_durable: durable.0,
            queued: self.queue.len(),
            in_flight: self.replica.in_flight(),
            reads_waiting: self.reads.len(),
            reads_by_lease: self.replica.reads().0,
            reads_by_barrier: self.replica.reads().1,
            forwarded: self.forwarded.len(),
            sessions: self.kv.sessions(),
        }
    }
}
