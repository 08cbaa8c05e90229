//! How the program ends when it doesn't end well.

/// Why the node can't start or go on. One line for a person; the exit code for a program.
#[derive(Clone, Eq, PartialEq, Debug, thiserror::Error)]
pub enum Failure {
    /// The arguments make no sense.
    #[error("{0}")]
    Usage(String),
    /// The log can't be trusted, so neither can a node that would vote by it.
    #[error("{0}")]
    LogRefused(String),
    /// The node is not let in under its id: the cluster knows another disk by it, or none.
    #[error("{0}")]
    Unwelcome(String),
    /// A command that asked a cluster for something was told no, or nothing in time.
    #[error("{0}")]
    Refused(String),
    /// The world misbehaved: disk, port, file system.
    #[error("{0}")]
    Io(String),
    /// The node noticed that it, or its cluster, is wrong. Worth a bug report.
    #[error("{0}")]
    Internal(String),
}

/// The exit code of [`Failure::Internal`], and of a panic anywhere.
pub const INTERNAL: u8 = 70;

impl Failure {
    /// The process's exit code: sysexits.h's numbers for these cases.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Failure::Refused(_) => 1,
            Failure::Usage(_) => 64,
            Failure::LogRefused(_) | Failure::Unwelcome(_) => 65,
            Failure::Internal(_) => INTERNAL,
            Failure::Io(_) => 74,
        }
    }
}
