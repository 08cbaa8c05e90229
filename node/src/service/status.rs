//! What a node says of itself when asked.

use super::Service;
use crate::paxos::Ballot;
use serde::{Deserialize, Serialize};

/// A ballot, spelled out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LeaderStatus {
    /// Its round.
    pub round: u64,
    /// The node that owns it.
    pub node: u16,
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
    /// Requests under way to the leader.
    pub forwarded: usize,
    /// Client sessions open.
    pub sessions: usize,
}

impl Service {
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
            forwarded: self.forwarded.len(),
            sessions: self.kv.sessions(),
        }
    }
}
