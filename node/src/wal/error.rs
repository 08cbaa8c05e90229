//! What can go wrong with a log, told so that whoever reads it knows what to do next.
//!
//! Two families, because they ask for different answers. A *refusal* is about content: the log
//! shows damage that no crash can explain, so nothing in it may be trusted and nothing is
//! changed. An *IO error* is about the disk: it failed, so what is durable is unknown, and the
//! process stops at once (retrying a failed fsync reports success over lost data).

use super::Identity;
use crate::paxos::Lsn;
use std::io;

/// Why a log can't be opened, or can't go on.
#[derive(Debug, thiserror::Error)]
pub enum WalError {
    /// Another process holds the folder's lock.
    #[error(
        "{file}: the folder is in use by another process ({holder}). One folder belongs to one node: \
         stop the other process or choose another folder"
    )]
    Locked {
        /// The lock file.
        file: String,
        /// What the holder wrote into it.
        holder: String,
    },

    /// The disk failed. Before the log was open: nothing was lost. Afterwards: what was not yet
    /// reported durable may or may not survive, and the next recovery decides.
    #[error("{file}: {operation} failed: {source}")]
    Io {
        /// What was being done, as a verb phrase.
        operation: &'static str,
        /// The file or folder.
        file: String,
        /// What the system said.
        source: io::Error,
    },

    /// The log contradicts itself in a way that no crash can explain. Nothing was changed.
    #[error(
        "{file}, byte {offset}: {reason}. Refusing to start; the log was left as it is. Don't empty the \
         folder to get going: an acceptor that forgets what it promised can break agreement. Bring the \
         file back from the disk's own redundancy, or retire this node for good"
    )]
    Refused {
        /// The file at fault.
        file: String,
        /// Where in it, in bytes from its start.
        offset: u64,
        /// What is wrong there.
        reason: Refusal,
    },

    /// An earlier write or sync failed; this log takes nothing more, however often it is asked.
    #[error("the log stopped taking records: {cause}")]
    Stopped {
        /// The first failure, in words.
        cause: String,
    },
}

impl WalError {
    /// The log's content is at fault (exit code 65): restarting will not help.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self, WalError::Refused { .. })
    }

    /// The disk, or the use of it, is at fault (exit code 74): restarting may help once that is
    /// mended.
    #[must_use]
    pub fn is_io(&self) -> bool {
        !self.is_refusal()
    }

    /// The disk has no space left.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, WalError::Io { source, .. } if is_full(source))
    }
}

/// What is wrong at the place a [`WalError::Refused`] names.
#[derive(Clone, Eq, PartialEq, Debug, thiserror::Error)]
pub enum Refusal {
    /// A segment gets its name only after its header is durable, so no crash leaves this behind.
    #[error("the segment's header is damaged or cut short")]
    HeaderUnreadable,
    /// Written by another version of this program.
    #[error("it has format {found}; this program reads format {supported}")]
    UnsupportedFormat {
        /// In the file.
        found: u32,
        /// What this program writes.
        supported: u32,
    },
    /// The log belongs to another node or another cluster.
    #[error("the log belongs to {found}, not to {expected}")]
    ForeignIdentity {
        /// Who opens the log.
        expected: Identity,
        /// Whose it is.
        found: Identity,
    },
    /// The header doesn't fit the file's name or the segment before it.
    #[error(
        "the header says segment {sequence} from record {first_lsn}, but segment {expected_sequence} from record {expected_lsn} belongs here"
    )]
    SegmentOutOfPlace {
        /// In the header.
        sequence: u64,
        /// In the header.
        first_lsn: Lsn,
        /// By the name of the file.
        expected_sequence: u64,
        /// By the end of the segment before.
        expected_lsn: Lsn,
    },
    /// Segments are numbered without gaps from 1, and the first ones are missing only where a
    /// checkpoint in those that are left says again what they said.
    #[error("segment {expected} is missing: this is segment {found}")]
    SegmentMissing {
        /// The number that should come here.
        expected: u64,
        /// The number that does.
        found: u64,
    },
    /// The file is shorter or longer than when it was made.
    #[error("the file has {found} bytes, but its header says {expected}")]
    SegmentLength {
        /// In the header.
        expected: u64,
        /// Of the file.
        found: u64,
    },
    /// It belongs to the same node, but to another memory of it.
    #[error("the segment belongs to incarnation {found:016x}, but the superblock says {expected:016x}")]
    ForeignIncarnation {
        /// The superblock's.
        expected: u64,
        /// The segment's.
        found: u64,
    },
    /// There are segments, so there must be one.
    #[error("there is a log, but its superblock is missing")]
    SuperblockMissing,
    /// No copy of it is good.
    #[error("all copies of the superblock are damaged")]
    SuperblockUnreadable,
    /// No intact batch where one must be.
    #[error("records {first} to {last} had been durable and can't be read ({damage}): {proof}")]
    RecordsLost {
        /// The first record that is missing.
        first: Lsn,
        /// The last one that is known to have been durable.
        last: Lsn,
        /// What stands in their place.
        damage: Damage,
        /// Why a crash can't have done it.
        proof: Proof,
    },
    /// An intact batch that doesn't continue the one before it.
    #[error("a batch starts at record {found}, but record {expected} comes next")]
    BatchOutOfOrder {
        /// The record that should come next.
        expected: Lsn,
        /// The batch's first record.
        found: Lsn,
    },
    /// A batch whose checksums are right but whose records make no sense to this program.
    #[error("record {lsn} is intact but unreadable: {reason}")]
    RecordUnreadable {
        /// The record.
        lsn: Lsn,
        /// What about it.
        reason: super::record::RecordError,
    },
}

/// What stands where a batch should start.
#[derive(Copy, Clone, Eq, PartialEq, Debug, thiserror::Error)]
pub enum Damage {
    /// Zeros, or the end of the segment.
    #[error("nothing is there")]
    Nothing,
    /// No header of this segment is there.
    #[error("the batch's header is unreadable")]
    HeaderUnreadable,
    /// The header is intact, the segment ends before the batch does.
    #[error("the batch's body is cut short")]
    BodyCut,
    /// The header is intact, the body's checksum is not.
    #[error("the batch's checksum doesn't match")]
    BodyChecksum,
}

/// Why a batch must have been durable once: whatever comes later was begun only after the disk had
/// confirmed it.
#[derive(Copy, Clone, Eq, PartialEq, Debug, thiserror::Error)]
pub enum Proof {
    /// A later segment goes on behind it.
    #[error("segment {sequence} begins with record {first_lsn}")]
    LaterSegment {
        /// The later segment.
        sequence: u64,
        /// Its first record.
        first_lsn: Lsn,
    },
    /// The header of a later batch was found.
    #[error("the batch at byte {offset} was written when everything up to record {durable} was durable")]
    LaterBatch {
        /// Where it starts.
        offset: u64,
        /// What it says.
        durable: Lsn,
    },
    /// The superblock says so.
    #[error("the superblock was written when everything up to record {durable} was durable")]
    Superblock {
        /// What it says.
        durable: Lsn,
    },
}

/// Whether an error means that there is no space left.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
