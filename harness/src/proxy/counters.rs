//! What happened on a link: the evidence that a fault bit.

use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering};

/// What happened on a link since the mesh started: the evidence that a fault bit. Units are
/// frames where frames are known, else chunks as they were read.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Counters {
    /// Connections relayed.
    pub connections: u64,
    /// Connections reset because the node was down or refused.
    pub refused: u64,
    /// Connections that had to wait for the link to heal before they were dialled onwards.
    pub stalled_connections: u64,
    /// Connections reset on one side, or by [`CUT_STALL_MAX`](super::CUT_STALL_MAX), and therefore on the other.
    pub resets: u64,
    /// Units passed on, second copies included.
    pub forwarded: u64,
    /// Bytes passed on.
    pub forwarded_bytes: u64,
    /// Units that vanished.
    pub dropped: u64,
    /// Units held for a time.
    pub delayed: u64,
    /// Units that were passed on twice.
    pub duplicated: u64,
    /// Units that a later one did overtake.
    pub reordered: u64,
    /// Bytes that a cut kept from going on: found in flight, or arriving while it lasted.
    pub stalled_bytes: u64,
}

impl Counters {
    /// What was counted since `earlier`, an older reading of the same link.
    #[must_use]
    pub fn since(&self, earlier: &Counters) -> Counters {
        Counters {
            connections: self.connections - earlier.connections,
            refused: self.refused - earlier.refused,
            stalled_connections: self.stalled_connections - earlier.stalled_connections,
            resets: self.resets - earlier.resets,
            forwarded: self.forwarded - earlier.forwarded,
            forwarded_bytes: self.forwarded_bytes - earlier.forwarded_bytes,
            dropped: self.dropped - earlier.dropped,
            delayed: self.delayed - earlier.delayed,
            duplicated: self.duplicated - earlier.duplicated,
            reordered: self.reordered - earlier.reordered,
            stalled_bytes: self.stalled_bytes - earlier.stalled_bytes,
        }
    }

    /// Whether a cut of this link kept anything from getting through.
    #[must_use]
    pub fn shows_cut(&self) -> bool {
        self.stalled_bytes > 0 || self.stalled_connections > 0
    }
}

/// [`Counters`] as they grow.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) connections: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) stalled_connections: AtomicU64,
    pub(super) resets: AtomicU64,
    pub(super) forwarded: AtomicU64,
    pub(super) forwarded_bytes: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) delayed: AtomicU64,
    pub(super) duplicated: AtomicU64,
    pub(super) reordered: AtomicU64,
    pub(super) stalled_bytes: AtomicU64,
}

impl Tally {
    pub(super) fn read(&self) -> Counters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counters {
            connections: read(&self.connections),
            refused: read(&self.refused),
            stalled_connections: read(&self.stalled_connections),
            resets: read(&self.resets),
            forwarded: read(&self.forwarded),
            forwarded_bytes: read(&self.forwarded_bytes),
            dropped: read(&self.dropped),
            delayed: read(&self.delayed),
            duplicated: read(&self.duplicated),
            reordered: read(&self.reordered),
            stalled_bytes: read(&self.stalled_bytes),
        }
    }
}

/// Adds to one counter.
pub(super) fn count(counter: &AtomicU64, by: usize) {
    counter.fetch_add(by as u64, Ordering::Relaxed);
}
