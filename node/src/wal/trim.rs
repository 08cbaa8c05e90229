//! Removing what is needed no more from the front of a log.

use super::recovery::{io, segments};
use super::segment::{self, Header};
use super::{Disk, WalError};
use crate::paxos::Lsn;

/// Removes all segments that hold only records before `first`, durably, the oldest first; returns
/// how many. The last segment stays, whatever it holds: it is being written, perhaps by another
/// thread at this very moment, which this does not disturb.
///
/// # Errors
/// If the disk fails, or a segment's header is not what was written.
pub fn trim(disk: &mut impl Disk, first: Lsn) -> Result<u64, WalError> {
    let sequences = segments(disk)?;
    let mut removed = 0;
    for pair in sequences.windows(2) {
        let (name, next) = (segment::name(pair[0]), segment::name(pair[1]));
        let bytes = disk
            .read_part(&next, 0, segment::HEADER_BYTES)
            .map_err(|source| io(disk, "reading the header of", &next, source))?;
        let header = Header::decode(&bytes).map_err(|reason| WalError::Refused {
            file: disk.place(&next),
            offset: 0,
            reason,
        })?;
        if header.first_lsn > first {
            break;
        }
        disk.remove(&name).map_err(|source| io(disk, "removing the trimmed segment", &name, source))?;
        disk.sync_folder().map_err(|source| io(disk, "syncing the folder without", &name, source))?;
        removed += 1;
    }
    Ok(removed)
}
