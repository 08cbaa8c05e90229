//! What a simulated cluster is made of.

use super::dice::Ppm;
use super::network::Weather;
use crate::paxos::{ElectionMode, LeaseTerms, NodeId, SLOTS_IN_FLIGHT_MAX, Timing};
use crate::service::ReadMode;

/// What a cluster is made of and how its machines behave before anybody interferes.
#[derive(Clone, Debug)]
pub struct Conditions {
    /// Number of nodes at the beginning, with ids from 1.
    pub nodes: u16,
    /// Machines that may join later, with the ids that follow.
    pub spares: u16,
    /// Whether the founders have yet to meet; else they know each other's disks.
    pub meets: bool,
    /// Slots in flight, and between the choice of a configuration and its beginning: α.
    pub window: u64,
    /// The protocol's periods.
    pub timing: Timing,
    /// How election timeouts are chosen.
    pub election: ElectionMode,
    /// How leaders answer reads.
    pub reads: ReadMode,
    /// The leases that nodes grant. Where they do, all clocks keep to the drift that is given here.
    pub lease: LeaseTerms,
    /// Length of a tick, in milliseconds.
    pub tick_ms: u64,
    /// Bytes in a segment of the log.
    pub segment_bytes: u64,
    /// A snapshot is taken when the log has grown by so many bytes.
    pub snapshot_every_bytes: u64,
    /// The network at the start.
    pub weather: Weather,
    /// The way between clients and nodes; it is never late.
    pub client_weather: Weather,
    /// How long a sync takes, in microseconds: at least, at most.
    pub sync_us: (u64, u64),
    /// Chance that a node handles input together with what comes after it.
    pub burst: Ppm,
    /// How long a node may put off handling its input then, in microseconds.
    pub burst_us_max: u64,
    /// Whether a frozen process catches up on missed ticks (or skips them).
    pub catches_up: bool,
    /// Whether messages go through the wire's codec, or are handed over as they are.
    pub encodes: bool,
}

impl Conditions {
    /// A cluster with nothing wrong: what tests start from.
    #[must_use]
    pub fn calm(nodes: u16) -> Conditions {
        Conditions {
            nodes,
            spares: 0,
            meets: false,
            window: SLOTS_IN_FLIGHT_MAX as u64,
            timing: Timing::default(),
            election: ElectionMode::default(),
            reads: ReadMode::default(),
            lease: LeaseTerms::NONE,
            tick_ms: 10,
            segment_bytes: 64 << 10,
            snapshot_every_bytes: u64::MAX,
            weather: Weather::CALM,
            client_weather: Weather::CALM,
            sync_us: (200, 400),
            burst: 0,
            burst_us_max: 0,
            catches_up: false,
            encodes: true,
        }
    }

    /// The nodes that the cluster begins with.
    pub fn ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (1..=self.nodes).map(NodeId)
    }

    /// How long a tick may take by true time, in microseconds: at least, at most.
    #[must_use]
    pub fn tick_us_range(&self) -> (u64, u64) {
        let us = self.tick_ms * 1000;
        if self.lease.term_us == 0 {
            return (us / 2, us * 2);
        }
        let (million, drift) = (1_000_000, u64::from(self.lease.drift_ppm));
        ((us * million).div_ceil(million + drift), us * million / (million - drift))
    }

    /// The longest ordinary election timeout, in microseconds: the protocol's sense of time.
    #[must_use]
    pub fn election_us_max(&self) -> u64 {
        self.timing.election_ticks_max * self.tick_ms * 1000
    }
}
