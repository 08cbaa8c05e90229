//! What a fault may wait for.

use super::LinkSpec;
use std::time::Duration;

/// Something that happens. Counted from the start of the phase, or from another fault's last coming.
#[derive(Clone, Debug, PartialEq)]
pub struct Trigger {
    /// What.
    pub what: What,
    /// Counts only from when the fault of this id last came (`after`); `None`: from the phase's start.
    pub after: Option<String>,
    /// The how-manieth time, from 1.
    pub nth: u32,
    /// So long after it (`plus`).
    pub plus: Duration,
}

/// What happens.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// `after` alone: the other fault came.
    Came,
    /// Something with the cluster, and it stays so for as long as `holds`.
    Event {
        /// What.
        kind: EventKind,
        /// How long it must hold (`for`).
        holds: Duration,
    },
    /// A frame of this kind enters one of these links.
    Message {
        /// `Accept`, `Prepare`, …
        kind: String,
        /// Bound anew whenever the leader changes.
        on: LinkSpec,
    },
    /// So many operations have succeeded.
    OpsOk(u64),
}

/// Something that happens to the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// `leader-elected`: a node leads in a ballot in which none was seen leading before.
    LeaderElected,
    /// `leader-stable`: somebody leads (use `for`).
    LeaderStable,
    /// `leader-lost`: nobody leads any more.
    LeaderLost,
    /// `node-down`: a node's process is gone.
    NodeDown,
    /// `node-up`: a node that was down serves again.
    NodeUp,
}
