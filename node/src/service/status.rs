//! What a node says of itself when asked.

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
    /// All nodes.
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
