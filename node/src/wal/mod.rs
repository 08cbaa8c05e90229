//! The write-ahead log: what this node must not forget.
//!
//! An acceptor that forgets a promise or an accepted value can make two values be chosen for one
//! slot. So the node tells nobody about a record before the record is durable, and after a crash
//! it must get back every record that it may have told anybody about, or say that it can't.
//!
//! # Shape
//! A log is a folder of *segments* (`00000000000000000001.wal`, …). A segment is a header and
//! *batches*; a batch is a header and [`Record`](crate::paxos::Record)s, written by one append and
//! made durable by one fdatasync. Records are numbered from 1 without gaps ([`Lsn`]). Layouts:
//! `segment.rs`, `batch.rs`, `record.rs`. [`Wal`] is the log over any [`Disk`]; [`Folder`] is the
//! real disk; [`LogThread`] runs a log on a thread of its own, with group commit.
//!
//! # The rule of writing
//! **Nothing is begun before what precedes it is durable.** The next batch is written only after
//! the fdatasync of the one before; the next segment is made only after its predecessor's last
//! batch is durable, and gets its name only after its own header is. [`Wal::write`] asserts it.
//!
//! # What follows for recovery
//! The crash we are built for (power loss, kill) keeps what was synced and does anything to what
//! was not: nothing of it arrives, some of its sectors, or all. By the rule, what was not synced
//! is one batch, the last. So recovery reads batch after batch, and where one is damaged it asks
//! whether anything later exists:
//!
//! - **Something later exists → the damaged batch had been durable.** It may have been
//!   acknowledged; to drop it would be to break a promise, to skip it as well. No crash does this:
//!   the log is *refused*, with file, offset and reason, and nothing is changed. "Later" is a
//!   later segment; or bytes beyond the end that the batch's own header, intact by its own
//!   checksum, states; or, if that header is damaged too, the header of any later batch in the
//!   rest of the segment.
//! - **Nothing later exists → it is the batch a crash cut short.** Nobody was told of it, for that
//!   waits for the fdatasync. It is *cut*: truncated away, durably, before anything is appended,
//!   because a later batch behind garbage would look like the case above, or be lost.
//!
//! Refused likewise: a segment missing in the sequence, a segment header that is unreadable (a
//! segment has no name before its header is durable, so no crash leaves one), another node's or
//! cluster's log, an intact batch out of order, an intact record that this program can't read. An
//! error of the file system is an error; it never counts as "no log".
//!
//! # What can't be told apart
//! Rot in the very last batch looks like a torn write: there is nothing later to prove that it was
//! durable. It is cut, although it may have been acknowledged. No log on one disk can know better:
//! to refuse would be to refuse after honest power losses. The fault contract covers crashes,
//! which damage only what was not synced; a disk that damages what it confirmed is outside it,
//! wherever it can't be detected. The same holds for a file cut exactly between two batches, and
//! for a folder emptied altogether.
//!
//! Disks are assumed to write sectors of at least 512 bytes whole, and not to damage the old bytes
//! of a sector while adding new ones behind them.
//!
//! # Recovery can be interrupted
//! It changes three things, each at once or not at all: the torn tail's truncation, the removal of
//! segments that never got their name, the making of the first segment. A crash between any two
//! leaves a log that the next recovery reads the same way. What it read is durable before it
//! returns: the last segment is synced *before* it is read (see [`Disk::settle`]), for a process
//! killed between write and fdatasync leaves a batch that is visible, and not durable.
//!
//! # Trimming
//! Whole segments go from the front, when all their records are released ([`trim`]): the oldest
//! first, and the next only when the folder's entries are durable without it, so that what a crash
//! leaves is always an unbroken row. A log that does not begin with segment 1 is good only if what
//! is left holds a [`Record::Checkpoint`](crate::paxos::Record::Checkpoint), which says again
//! whatever of the records before it is still needed.
//!
//! # Errors are final
//! After a failed write or fdatasync nobody knows what is on the disk, and Linux forgets the
//! failure once it is reported: a second fdatasync succeeds over lost pages. So the first error
//! stops the log for good; the node exits, and recovery finds out what is there.
//!
//! # Left out
//! Segments grow as they are written. Pre-zeroed ones would save each fdatasync the file system's
//! journal; the sequence in every batch already makes a recycled file safe to read, but the rule
//! of the bytes behind a damaged batch would have to learn about zeros.

mod batch;
mod disk;
mod error;
mod folder;
mod log_thread;
mod record;
mod recovery;
mod segment;
mod trim;
mod writer;

pub use disk::Disk;
pub use error::{Damage, Proof, Refusal, WalError};
pub use folder::Folder;
pub use log_thread::{Completion, Limits, LogStopped, LogThread, TrySubmitError};
pub use record::RecordError;
pub use recovery::{Outcome, Recovery, Survey, TornTail, read_only, survey};
pub use trim::trim;
pub use writer::{Options, Wal};

pub(crate) use record::{u32_at, u64_at};
pub(crate) use recovery::is_there;

#[cfg(doc)]
use crate::paxos::Lsn;
use crate::paxos::NodeId;
use std::fmt;

/// Whose log it is; stamped into every segment, so that a folder mixed up is noticed.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Identity {
    /// The cluster.
    pub cluster: u64,
    /// The node in it.
    pub node: NodeId,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of cluster {}", self.node, self.cluster)
    }
}
