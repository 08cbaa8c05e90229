//! The seam between the bench and what it batters.
//!
//! A [`System`] knows how one kind of node is started, when it is ready, how a client speaks with
//! it, what it tells about itself, and, if its logs can be read, whether they bear out what the
//! clients were told. The rest of the harness knows nothing else of it. One folder per system:
//! [`paxos`] is ours. Some others are measured beside it, not battered: a folder each, too.

#[cfg(feature = "etcd")]
pub mod etcd;
pub mod paxos;

pub use crate::process::CommandSpec;

use crate::process::ExitInfo;
use checker::{History, OpType, Value};
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use workloads::Invocation;

/// A node of the cluster under test, from 1. The harness's own word; each system translates.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub u16);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}", self.0)
    }
}

/// What the harness may ask of a system.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Capabilities {
    /// [`System::frame`] understands its frames: message-lossy faults are fair.
    pub frames: bool,
    /// Its nodes can be given an address per peer: links can be harmed one by one.
    pub per_link: bool,
    /// [`System::status`] answers: leaders can be found.
    pub status: bool,
    /// [`System::white_box`] can examine stopped nodes.
    pub white_box: bool,
}

/// A binary that was looked at and may be trusted to be what it says.
#[derive(Clone, Eq, PartialEq, Debug, Serialize, Deserialize)]
pub struct BinaryInfo {
    /// The file.
    pub path: PathBuf,
    /// What it printed for `--version`.
    pub version: String,
    /// Which sources it was built from.
    pub build_id: String,
    /// Size in bytes.
    pub bytes: u64,
    /// CRC32C over the file: tells two builds apart in a manifest.
    pub crc32c: u32,
    /// It holds mutants: deliberately removed rules, switched on by name.
    pub mutants: bool,
}

/// Where one node lives, and whom it may dial.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct NodePlace {
    /// Which node.
    pub node: NodeId,
    /// Its data folder.
    pub data: PathBuf,
    /// The file into which it writes the address it serves on.
    pub announce: PathBuf,
    /// The folder for its stdout and stderr.
    pub log: PathBuf,
    /// The file into which it writes what it does, step by step, over all its lives.
    pub trace: PathBuf,
    /// Its peers, at their proxies' addresses.
    pub peers: Vec<(NodeId, SocketAddr)>,
}

impl NodePlace {
    /// Makes the place ready for a start: the folders exist, and no address announced in an
    /// earlier life can be mistaken for the new one.
    ///
    /// # Errors
    /// A folder can't be made or the old announcement can't be removed.
    pub fn prepare(&self) -> io::Result<()> {
        fs::create_dir_all(&self.data)?;
        fs::create_dir_all(&self.log)?;
        if let Some(folder) = self.announce.parent() {
            fs::create_dir_all(folder)?;
        }
        match fs::remove_file(&self.announce) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// What a proxy may know about a frame without decoding its body.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct FrameInfo {
    /// The kind of message, as [`LinkPolicy`](crate::proxy::LinkPolicy)'s `kinds` name it.
    pub kind: &'static str,
    /// The sender; `None` for a client.
    pub from: Option<NodeId>,
    /// The receiver; `None` for a client.
    pub to: Option<NodeId>,
    /// The ballot as (round, node); zeros if the message has none.
    pub ballot: (u64, u16),
    /// First and last slot concerned; zeros if none.
    pub slots: (u64, u64),
    /// The sender's number for this message.
    pub message_id: u64,
}

/// A node as a client can dial it.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Target {
    /// Which node: noted with every completion.
    pub node: NodeId,
    /// Where: its clients' proxy.
    pub address: SocketAddr,
}

/// What became of one operation.
#[derive(Clone, PartialEq, Debug)]
pub struct Completion {
    /// `Ok`: it happened. `Fail`: it did not, and never will. `Info`: it may have, or may yet.
    pub op_type: OpType,
    /// For `Ok`: what was read, else what was asked. Otherwise what was asked.
    pub value: Value,
    /// Why not `Ok`, in a few words.
    pub error: Option<String>,
    /// Opaque to the checker: slot, request, node, reason, retries.
    pub extra: BTreeMap<String, serde_json::Value>,
    /// Whether the connection may be used for another operation. If not, open another, and
    /// after an `Info` under another process.
    pub usable: bool,
}

/// Why a connection could not be had. Nothing was sent: an operation that needed it did not
/// happen.
#[derive(Debug, thiserror::Error)]
#[error("{target_node} at {address}: {source}")]
pub struct ConnectError {
    /// The node.
    pub target_node: NodeId,
    /// Where it was dialled.
    pub address: SocketAddr,
    /// Why.
    pub source: io::Error,
}

/// One client's connection: one operation at a time.
pub trait Connection: Send {
    /// Carries out one operation and says what became of it, within `patience`.
    fn invoke<'a>(&'a mut self, invocation: &'a Invocation, patience: Duration) -> BoxFuture<'a, Completion>;
}

/// What a node says about itself. Fields that it did not tell are `None`.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Its role, in its own word: "leader", "follower", "candidate".
    pub role: Option<String>,
    /// Its current ballot as (round, node).
    pub ballot: Option<(u64, u16)>,
    /// Whom it takes for the leader.
    pub leader: Option<NodeId>,
    /// It knows every slot up to this one to be chosen.
    pub chosen_upto: Option<u64>,
    /// Its state machine's position and hash.
    pub applied: Option<AppliedState>,
    /// Its own bounds that it has passed, in words: what should stay small however long a fault lasts.
    pub beyond: Vec<String>,
    /// All of its answer, for the record.
    pub raw: serde_json::Value,
}

impl NodeStatus {
    /// Whether it takes itself for the leader.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.role.as_deref() == Some("leader")
    }
}

/// A state machine's position.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct AppliedState {
    /// The last slot applied.
    pub slot: u64,
    /// The rolling hash after it.
    pub hash: u64,
}

/// Why a node's status is not known.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// It could not be asked, or the answer did not come.
    #[error("no answer: {0}")]
    Io(#[from] io::Error),
    /// It answered something else.
    #[error("not a status: {0}")]
    Malformed(String),
}

/// What the nodes' logs say about the run.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct WhiteBoxReport {
    /// What contradicts the protocol's promises, in words with node, slot and operation: any of
    /// these makes the run invalid.
    pub violations: Vec<String>,
    /// What could not be examined, and why: any of these makes the examination incomplete.
    pub unknown: Vec<String>,
    /// How much was examined, for "nothing found" to mean something.
    pub examined: BTreeMap<String, u64>,
}

impl WhiteBoxReport {
    /// Adds what another examination of the same nodes found.
    pub fn absorb(&mut self, other: WhiteBoxReport) {
        self.violations.extend(other.violations);
        self.unknown.extend(other.unknown);
        for (what, count) in other.examined {
            *self.examined.entry(what).or_default() += count;
        }
    }
}

/// Why a binary can't be trusted, or a place not used.
#[derive(Debug, thiserror::Error)]
pub enum SystemError {
    /// There is no such file.
    #[error("missing binary: {}: no such file (build it, or say which with --bin; that with planted bugs with --mutant-bin)", .0.display())]
    MissingBinary(PathBuf),
    /// It can't be executed.
    #[error("cannot execute {}: {reason}", path.display())]
    NotExecutable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// It did not answer `--version`.
    #[error("{}: --version did not end within {} s; killed", path.display(), patience.as_secs())]
    Hangs {
        /// The file.
        path: PathBuf,
        /// How long it was given.
        patience: Duration,
    },
    /// It answered `--version` with something else.
    #[error("{}: not a {expected}: --version {said}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What was expected.
        expected: &'static str,
        /// What it did instead.
        said: String,
    },
    /// It was built from other sources than this harness.
    #[error("stale binary: {}: built from sources {found}, but this harness from {expected}: rebuild both", path.display())]
    Stale {
        /// The file.
        path: PathBuf,
        /// What the harness was built with.
        expected: String,
        /// What the binary was built from.
        found: String,
    },
    /// A mutant was asked of a build that holds none.
    #[error("{}: asked for mutant {mutant}, but this build holds no mutants (build with --features mutants)", path.display())]
    NoMutants {
        /// The file.
        path: PathBuf,
        /// The mutant's name.
        mutant: String,
    },
}

/// One kind of system under test.
pub trait System: Send + Sync {
    /// Its name, for manifests and reports.
    fn name(&self) -> &'static str;

    /// What may be asked of it.
    fn capabilities(&self) -> Capabilities;

    /// Looks at the binary that would be started; blocks for as long as its `--version` takes.
    ///
    /// # Errors
    /// [`SystemError`].
    fn verify_binary(&self) -> Result<BinaryInfo, SystemError>;

    /// How the node at `place` is started, for the first time or again.
    fn command(&self, place: &NodePlace) -> CommandSpec;

    /// Whether a node ended in this way because its cluster does not take it for the one whose id it has:
    /// its disk was emptied.
    fn was_turned_away(&self, exit: &ExitInfo) -> bool;

    /// The address that the node serves on, once it does: to be polled after a start.
    ///
    /// # Errors
    /// The announcement can't be read or makes no sense.
    fn announced(&self, place: &NodePlace) -> io::Result<Option<SocketAddr>>;

    /// What can be known of a frame, from what follows its length prefix.
    fn frame(&self, frame: &[u8]) -> Option<FrameInfo>;

    /// Opens a client's connection to the first of `targets`; the others serve a system that
    /// retries elsewhere.
    fn connect(&self, targets: Vec<Target>) -> BoxFuture<'static, Result<Box<dyn Connection>, ConnectError>>;

    /// Asks a node about itself, directly (not through a proxy).
    fn status(&self, address: SocketAddr) -> BoxFuture<'static, Result<NodeStatus, StatusError>>;

    /// Examines the data folders of nodes that have all been stopped. Blocks; changes nothing.
    fn white_box(&self, places: &[NodePlace], history: &History) -> WhiteBoxReport;
}
