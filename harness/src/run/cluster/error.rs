//! What can go wrong with a cluster, and who is to blame.

use std::io;
use std::path::PathBuf;

use super::READY_MAX;
use crate::process::{ExitInfo, ExitKind, ProcessError};
use crate::proxy::MeshError;
use crate::system::NodeId;

/// Why the cluster could not be brought up, or a node not brought back.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// A folder or file of a node can't be used.
    #[error("{node}: cannot use {}: {source}", path.display())]
    Place {
        /// The node.
        node: NodeId,
        /// Its folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A process could not be started or signalled.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// A proxy could not be started.
    #[error(transparent)]
    Mesh(#[from] MeshError),
    /// The harness can't find its own binary.
    #[error("cannot find the harness's own binary: {0}")]
    Launcher(io::Error),
    /// A node ended before it served.
    #[error("{node} died at start: {exit}")]
    DiedAtStart {
        /// The node.
        node: NodeId,
        /// How, with its last words.
        exit: ExitInfo,
    },
    /// A node runs but does not serve.
    #[error("{node} (pid {pid}) was not ready within {} s; its log is in {}", READY_MAX.as_secs(), log.display())]
    NotReady {
        /// The node.
        node: NodeId,
        /// Its process.
        pid: u32,
        /// Where to look.
        log: PathBuf,
    },
    /// A node whose disk was emptied takes part.
    #[error("{node} lost all that it had promised, and was let in again under its old id")]
    LetIn {
        /// The node.
        node: NodeId,
    },
    /// The blocking thread that did it panicked.
    #[error("the harness panicked while it handled {0}")]
    Panicked(NodeId),
}

impl ClusterError {
    /// Whether the system under test is to blame, not the harness or the machine: a node that
    /// refuses its command line (64), or a launcher that can't become one (126, 254), was started
    /// wrongly.
    pub fn blames_node(&self) -> bool {
        match self {
            ClusterError::DiedAtStart { exit, .. } => !matches!(exit.kind, ExitKind::Status(64 | 126 | 254)),
            ClusterError::NotReady { .. } | ClusterError::LetIn { .. } => true,
            _ => false,
        }
    }
}
