//! What can go wrong with snapshots, told so that whoever reads it knows what to do next.

use crate::kv::CodecError;
use crate::paxos::Slot;
use crate::wal::Identity;
use std::io;

/// Why a snapshot can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The disk failed.
    #[error("{file}: {operation} failed: {source}")]
    Io {
        /// What was being done, as a verb phrase.
        operation: &'static str,
        /// The file or folder.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not what was written. No crash does that.
    #[error(
        "{file}, byte {offset}: {flaw}. A snapshot gets its name when all of it is on disk, so no crash did \
         this. Refusing to start; nothing was changed. The log that it replaced is gone: bring the file back \
         from the disk's own redundancy, or retire this node for good"
    )]
    Refused {
        /// The file.
        file: String,
        /// Where in it, in bytes from its start.
        offset: u64,
        /// What is wrong there.
        flaw: Flaw,
    },
}

impl SnapshotError {
    /// The content is at fault: restarting will not help.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self, SnapshotError::Refused { .. })
    }
}

/// What is wrong with bytes that should be a snapshot, or a part of one.
#[derive(Clone, Eq, PartialEq, Debug, thiserror::Error)]
pub enum Flaw {
    /// The file's header.
    #[error("the snapshot's header is damaged or cut short")]
    HeaderUnreadable,
    /// Written by another version of this program.
    #[error("the snapshot has format {found}; this program reads format {supported}")]
    UnsupportedFormat {
        /// In the file.
        found: u32,
        /// What this program writes.
        supported: u32,
    },
    /// The snapshot belongs to another node or another cluster.
    #[error("the snapshot belongs to {found}, not to {expected}")]
    ForeignIdentity {
        /// Who opens it.
        expected: Identity,
        /// Whose it is.
        found: Identity,
    },
    /// The header doesn't fit the file's name.
    #[error("the snapshot covers slot {found}, by its name slot {expected}")]
    Misnamed {
        /// In the header.
        found: Slot,
        /// In the name.
        expected: Slot,
    },
    /// Fewer bytes are left than a part has, or more.
    #[error("a part is not as long as it says")]
    PartCut,
    /// A part's header.
    #[error("a part's header is unreadable")]
    PartHeader,
    /// A part's body.
    #[error("a part's checksum doesn't match")]
    PartChecksum,
    /// A part that no program of this version writes.
    #[error("a part of {bytes} bytes is longer than any")]
    PartTooLong {
        /// By its header.
        bytes: usize,
    },
    /// A part of another snapshot, or another one of this.
    #[error(
        "part {index} of the snapshot of slot {slot} stands where part {due} of that of slot {expected} belongs"
    )]
    PartOutOfPlace {
        /// In the part.
        slot: Slot,
        /// In the part.
        index: u32,
        /// Whose part should be here.
        expected: Slot,
        /// Which one.
        due: u32,
    },
    /// A kind that this program doesn't know, or not for this place.
    #[error("a part's kind {kind} is unknown or out of place")]
    PartUnknown {
        /// In the part.
        kind: u8,
    },
    /// Each part is sound, and together they are not what was written.
    #[error("the parts don't belong together")]
    PartsMixed,
    /// Intact bytes that are no state to this program.
    #[error("a part is intact, and no piece of a state: {0}")]
    NoState(CodecError),
    /// The state says that it is another one than the snapshot says.
    #[error("the state in it is that after slot {0}")]
    OtherState(Slot),
    /// Bytes after the end.
    #[error("bytes follow the last part")]
    Surplus,
    /// A snapshot, and no log.
    #[error("there is a snapshot, and no log: what this node promised and accepted is lost")]
    NoLog,
}
