//! The write-ahead log: what this node must not forget.
//!
//! An acceptor that forgets a promise or an accepted value can make two values be chosen for one
//! slot. So the node tells nobody about a record before the record is durable, and after a crash
//! it must get back every record that it may have told anybody about, or say that it can't.
//!
//! # Shape
//! A log is a folder of *segments* (`00000000000000000001.wal`, …) and a *superblock*. A segment is a file of
//! fixed length: a header and *batches*; a batch is a header and [`Record`](crate::paxos::Record)s, written by
//! one write in place and made durable by one fdatasync. Records are numbered from 1 without gaps ([`Lsn`]).
//! Layouts: `segment.rs`, `batch.rs`, `record.rs`, `superblock.rs`. [`Wal`] is the log over any [`Disk`];
//! [`Folder`] is the real disk; [`LogThread`] runs a log on a thread of its own, with group commit;
//! [`Keeper`] makes segments ahead of their use and uses trimmed ones again.
//!
//! # The rule of writing
//! **Nothing is begun before what precedes it is durable.** The next batch is written only after
//! the fdatasync of the one before, be it in the same segment or the first of the next; and each says how
//! far the log was durable when it was written. [`Wal::write`] asserts it. A segment gets its name only when
//! all its bytes are durable, and bears its number in its header only with its first batch.
//!
//! # What follows for recovery
//! The crash we are built for (power loss, kill) keeps what was synced and does anything to what
//! was not: each sector of it is as it was before, or as it was to be. By the rule, what was not synced
//! is one batch, the last. So recovery reads batch after batch, and where none is intact it asks
//! whether anything later exists:
//!
//! - **Something later exists → what is missing had been durable.** It may have been
//!   acknowledged; to drop it would be to break a promise, to skip it as well. No crash does this:
//!   the log is *refused*, with file, offset, the records that are lost, and the proof; and nothing is
//!   changed. "Later" is the header of any batch further behind in the segment; a segment after this one
//!   that begins with a later record than the one due here; or a superblock that says the record was durable.
//! - **Nothing later exists → the log ends here.** If there is anything that looks like the begin of a batch,
//!   a crash cut its writing short. Nobody was told of it, for that waits for the fdatasync. It is *cut*:
//!   written over, durably, before anything is appended, because a later batch behind garbage would look
//!   like the case above, or be lost.
//!
//! The end of a file says nothing about where the log ends, and neither do zeros: behind the end there may be
//! zeros or whatever an older segment left in a recycled file. Nothing of that can be taken for a batch,
//! because every checksum begins with the segment's own number (`segment.rs`). `verdict.rs` has the table of
//! all cases.
//!
//! Refused likewise: a segment missing in the sequence, a segment header that is neither begun nor ready (it
//! lies in one sector, so no crash leaves one), a file of another length, another node's or cluster's or
//! incarnation's log, an intact batch out of order, an intact record that this program can't read. An
//! error of the file system is an error; it never counts as "no log".
//!
//! # What can't be told apart
//! Rot in the very last batch looks like a torn write: there is nothing later to prove that it was
//! durable. It is cut, although it may have been acknowledged. No log on one disk can know better, short of
//! a second sync for every batch: to refuse would be to refuse after honest power losses. The fault contract
//! covers crashes, which damage only what was not synced; a disk that damages what it confirmed is outside
//! it, wherever it can't be detected. What is detected even there: any loss before the last batch that bound
//! this node to a higher ballot, and any at all in a log that was closed in good order (`superblock.rs`).
//! The same limits hold for rot in the batch before one that a crash tore with its header, and for a folder
//! emptied altogether.
//!
//! Disks are assumed to write sectors of at least 512 bytes whole, and not to damage the old bytes
//! of a sector while adding new ones behind them.
//!
//! # Recovery can be interrupted
//! It changes a few things, each at once or not at all: the torn tail is written over, files that never got
//! their name and segments that are of no use are removed, the superblock is made. A crash between any two
//! leaves a log that the next recovery reads the same way. What it read is durable before it
//! returns: every file is synced *before* it is read (see [`Disk::settle`]), for a process killed between
//! write and fdatasync leaves a batch that is visible, and not durable. And it is read past the page cache,
//! which after a failed fdatasync shows what the disk never got ("Can Applications Recover from fsync
//! Failures?", ATC 2020).
//!
//! # Trimming
//! Whole segments go from the front, when all their records are released: the oldest
//! first, and the next only when the folder's entries are durable without it, so that what a crash
//! leaves is always an unbroken row. They are renamed to come after all others, or removed if enough wait
//! there already. A log that does not begin with segment 1 is good only if what
//! is left holds a [`Record::Checkpoint`](crate::paxos::Record::Checkpoint), which says again
//! whatever of the records before it is still needed.
//!
//! # Errors are final
//! After a failed write or fdatasync nobody knows what is on the disk, and Linux forgets the
//! failure once it is reported: a second fdatasync succeeds over lost pages. So the first error
//! stops the log for good; the node exits, and recovery finds out what is there.
//!
//! A full disk need not come to that. What is written in place needs no space; only a new segment does, and
//! one is always in reserve. When the next can't be made, that is told ([`Room`]) while there is the
//! reserve, and the node stops to propose; what others propose still fits, until the reserve is used up.
//!
//! # Rejected
//! *Zeroing a recycled segment*: it would tell the end of the log from a torn write without checksums, and
//! doubles what the disk has to write. *A header synced before the first batch*: one more sync in the way of
//! whoever waits, for what one sector gives anyway. *O_DIRECT writes*: they save a copy, which is
//! nothing beside the flush, and each batch would have to fill whole blocks. *One mark for the end of the log*: it would
//! have to be synced with each batch.

mod batch;
mod disk;
mod error;
mod folder;
mod keeper;
mod log_thread;
mod record;
mod recovery;
mod segment;
mod stock;
mod superblock;
mod verdict;
mod writer;

pub use disk::Disk;
pub use error::{Damage, Proof, Refusal, WalError};
pub use folder::Folder;
pub use keeper::{Keeper, KeeperThread, Report, Room};
pub use log_thread::{Completion, Limits, LogStopped, LogThread, TrySubmitError};
pub use record::RecordError;
pub use recovery::{Outcome, Recovery, Survey, TornTail, read_only, survey};
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
