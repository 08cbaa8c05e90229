//! What a node answers when asked how it is.

use crate::service::Status;
use serde::{Deserialize, Serialize};

/// The answer to a status request: the service's own status with the shell's beside it, as one
/// JSON object.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeStatus {
    /// What the service says of itself.
    #[serde(flatten)]
    pub service: Status,
    /// What the program around it says.
    pub shell: ShellStatus,
}

/// The program around the service.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ShellStatus {
    /// The sources it was built from.
    pub build_id: String,
    /// Its process.
    pub pid: u32,
    /// Milliseconds since it began to serve.
    pub uptime_ms: u64,
    /// Events that wait to be taken in.
    pub events_queued: usize,
    /// Messages that wait for the disk.
    pub sends_held: usize,
    /// Messages dropped because too many waited for the disk.
    pub sends_dropped: u64,
    /// Bytes that wait for the disk.
    pub log_backlog_bytes: usize,
    /// The log is durable up to here, as the disk's thread says.
    pub log_durable: u64,
    /// Why updates are refused before they are proposed, if they are.
    pub refuses_updates: Option<String>,
    /// Clients connected.
    pub clients: usize,
    /// Connections closed because of what they said.
    pub connections_refused: u64,
    /// The way to each peer.
    pub links: Vec<LinkStatus>,
}

/// The way to one peer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LinkStatus {
    /// The peer.
    pub to: u16,
    /// Where it is dialled.
    #[serde(default)]
    pub address: String,
    /// Whether there is a connection.
    pub connected: bool,
    /// How many there have been.
    pub connections: u64,
    /// Messages that wait.
    pub queued: usize,
    /// Their payload, in bytes.
    pub queued_bytes: usize,
    /// Messages handed to the kernel.
    pub sent: u64,
    /// Messages dropped: no connection, a full queue, or too long a wait.
    pub dropped: u64,
}
