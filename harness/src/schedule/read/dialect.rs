//! What depends on the system under test: which kinds of frames it knows.

/// The kinds of frames of a system, as its proxies name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// Between nodes. Empty for a system whose frames nobody knows: its schedules can't name any.
    pub between_nodes: &'static [&'static str],
    /// Between clients and nodes.
    pub with_clients: &'static [&'static str],
}

impl Dialect {
    /// Our own node's.
    pub const PAXOS: Dialect = Dialect {
        between_nodes: &[
            "prepare",
            "promise",
            "accept",
            "accepted",
            "reject",
            "heartbeat",
            "heartbeat-ack",
            "learn-request",
            "learn-reply",
            "forward",
            "forward-reply",
            "snapshot-offer",
            "snapshot-request",
            "snapshot-part",
            "pre-vote",
            "pre-vote-reply",
            "meet",
            "unwelcome",
            "hello",
        ],
        with_clients: &[
            "client-request",
            "client-reply",
            "status-request",
            "status-reply",
            "error",
            "change-request",
            "change-reply",
        ],
    };

    /// The kind that was meant: `Accept` and `HeartbeatAck`, as the papers have it, are understood.
    pub(super) fn kind(&self, written: &str) -> Option<&'static str> {
        let plain = |text: &str| text.replace(['-', '_'], "").to_lowercase();
        self.kinds().find(|kind| plain(kind) == plain(written))
    }

    pub(super) fn kinds(&self) -> impl Iterator<Item = &'static str> {
        self.between_nodes.iter().chain(self.with_clients).copied()
    }
}
