//! The superblock: what the log can't say of itself.
//!
//! A log says nothing of what is missing at its end: rot in its last batch looks like a batch that a crash
//! cut short, and is cut. The superblock says how far the log *had* come, at the moments that matter most.
//! It is written, after the log's own sync and before anybody is told,
//! - when a batch raises the highest ballot that binds this node (promised, used or accepted in). So no
//!   lost tail can lose a promise: the log is refused. It costs a second sync per ballot and node, at
//!   elections, and nothing in between.
//! - when the log is closed in good order: what was durable then must be there next time.
//!
//! It also holds the node's *incarnation*: a number drawn when its memory began. A folder that was
//! emptied gets another, so that a node that forgot can be told from the one that promised.
//!
//! Four copies, 4096 bytes apart, each good for itself; the one written last counts, and three may rot.
//! A copy is 64 bytes, little-endian:
//!
//! | at | what |
//! |---|---|
//! | 0 | the text `APAXSUP` and a zero |
//! | 8 | u32 format, 1 |
//! | 12 | u16 node |
//! | 14 | u16 which copy, from 0 |
//! | 16 | u64 cluster |
//! | 24 | u64 incarnation |
//! | 32 | u64 how many were written before it |
//! | 40 | u64 LSN up to which the log was durable |
//! | 48 | u64 round of the highest ballot |
//! | 56 | u16 its node |
//! | 58 | zeros |
//! | 60 | u32 CRC32C over the 60 bytes before |
//!
//! All copies are written by one call and made durable by one sync. Until that is confirmed nobody was told
//! of anything, and whichever of the old and the new ones are found, they are true.

use super::record::{u32_at, u64_at};
use super::{Disk, Identity, Refusal};
use crate::paxos::{Ballot, Lsn, NodeId, Record};
use std::io;

pub(crate) const FILE: &str = "superblock";
const UNFINISHED: &str = "superblock.new";
const COPIES: usize = 4;
const APART_BYTES: usize = 4096;
const COPY_BYTES: usize = 64;
const MAGIC: [u8; 8] = *b"APAXSUP\0";
const FORMAT: u32 = 1;
const CRC_AT: usize = 60;

#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) struct Superblock {
    pub(crate) identity: Identity,
    pub(crate) incarnation: u64,
    /// How many were written before it.
    pub(crate) version: u64,
    /// The log was durable up to here.
    pub(crate) durable: Lsn,
    /// The highest ballot in it that binds this node.
    pub(crate) ballot: Ballot,
}

impl Superblock {
    /// Of a log that holds nothing yet.
    pub(crate) fn new(identity: Identity, incarnation: u64) -> Superblock {
        Superblock { identity, incarnation, version: 0, durable: Lsn::ZERO, ballot: Ballot::ZERO }
    }

    /// The next one.
    pub(crate) fn after(self, durable: Lsn, ballot: Ballot) -> Superblock {
        Superblock { version: self.version + 1, durable, ballot: ballot.max(self.ballot), ..self }
    }

    /// All copies.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![0; COPIES * APART_BYTES];
        for (index, copy) in (0u16..).zip(bytes.chunks_mut(APART_BYTES)) {
            copy[..8].copy_from_slice(&MAGIC);
            copy[8..12].copy_from_slice(&FORMAT.to_le_bytes());
            copy[12..14].copy_from_slice(&self.identity.node.0.to_le_bytes());
            copy[14..16].copy_from_slice(&index.to_le_bytes());
            copy[16..24].copy_from_slice(&self.identity.cluster.to_le_bytes());
            copy[24..32].copy_from_slice(&self.incarnation.to_le_bytes());
            copy[32..40].copy_from_slice(&self.version.to_le_bytes());
            copy[40..48].copy_from_slice(&self.durable.0.to_le_bytes());
            copy[48..56].copy_from_slice(&self.ballot.round.to_le_bytes());
            copy[56..58].copy_from_slice(&self.ballot.node.0.to_le_bytes());
            let crc = crc32c::crc32c(&copy[..CRC_AT]);
            copy[CRC_AT..COPY_BYTES].copy_from_slice(&crc.to_le_bytes());
        }
        bytes
    }

    /// The latest good copy.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Superblock, Refusal> {
        let mut newest: Option<Superblock> = None;
        let mut refusal = Refusal::SuperblockUnreadable;
        for (index, copy) in (0u16..).zip(bytes.chunks(APART_BYTES)).take(COPIES) {
            match decode_copy(copy, index) {
                Ok(copy) if newest.is_none_or(|newest| newest.version < copy.version) => newest = Some(copy),
                Ok(_) | Err(Refusal::SuperblockUnreadable) => {}
                Err(other) => refusal = other,
            }
        }
        newest.ok_or(refusal)
    }
}

fn decode_copy(copy: &[u8], index: u16) -> Result<Superblock, Refusal> {
    let bytes = copy.first_chunk::<COPY_BYTES>().ok_or(Refusal::SuperblockUnreadable)?;
    let is_good = bytes[..8] == MAGIC && u32_at(bytes, CRC_AT) == crc32c::crc32c(&bytes[..CRC_AT]);
    if !is_good || bytes[14..16] != index.to_le_bytes() {
        return Err(Refusal::SuperblockUnreadable);
    }
    let format = u32_at(bytes, 8);
    if format != FORMAT {
        return Err(Refusal::UnsupportedFormat { found: format, supported: FORMAT });
    }
    let node = |at: usize| NodeId(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
    Ok(Superblock {
        identity: Identity { cluster: u64_at(bytes, 16), node: node(12) },
        incarnation: u64_at(bytes, 24),
        version: u64_at(bytes, 32),
        durable: Lsn(u64_at(bytes, 40)),
        ballot: Ballot { round: u64_at(bytes, 48), node: node(56) },
    })
}

/// Makes the first one, durable in content and name. Says what failed.
pub(crate) fn create(disk: &mut impl Disk, superblock: &Superblock) -> Result<(), (&'static str, io::Error)> {
    disk.create(UNFINISHED).map_err(|error| ("creating", error))?;
    disk.append(UNFINISHED, &superblock.encode()).map_err(|error| ("writing", error))?;
    disk.sync(UNFINISHED).map_err(|error| ("syncing", error))?;
    disk.rename(UNFINISHED, FILE).map_err(|error| ("naming", error))?;
    disk.sync_folder().map_err(|error| ("syncing the folder of", error))
}

/// Puts one in the place of another, durably. Says what failed.
pub(crate) fn write(disk: &mut impl Disk, superblock: &Superblock) -> Result<(), (&'static str, io::Error)> {
    disk.write_at(FILE, 0, &superblock.encode()).map_err(|error| ("writing", error))?;
    disk.sync(FILE).map_err(|error| ("syncing", error))
}

/// Whether a file is a superblock whose making was cut short.
pub(crate) fn is_unfinished(file: &str) -> bool {
    file == UNFINISHED
}

/// The ballot by which a record binds this node, if it does.
pub(crate) fn binding(record: &Record) -> Option<Ballot> {
    match record {
        Record::BallotUsed(ballot) | Record::Promised(ballot) => Some(*ballot),
        Record::Accepted { ballot, .. } => Some(*ballot),
        Record::Checkpoint { promised, .. } => Some(*promised),
        Record::Learned { .. }
        | Record::Kept { .. }
        | Record::ChosenUpto(_)
        | Record::Pledged(_)
        | Record::Founded(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: Superblock = Superblock {
        identity: Identity { cluster: 0x1122_3344, node: NodeId(5) },
        incarnation: 0x0a0b,
        version: 6,
        durable: Lsn(0x0102),
        ballot: Ballot { round: 9, node: NodeId(3) },
    };

    #[test]
    fn golden_bytes() {
        let golden: [u8; COPY_BYTES] = [
            b'A', b'P', b'A', b'X', b'S', b'U', b'P', 0, 1, 0, 0, 0, 5, 0, 2, 0, //
            0x44, 0x33, 0x22, 0x11, 0, 0, 0, 0, 0x0b, 0x0a, 0, 0, 0, 0, 0, 0, //
            6, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0, //
            9, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0,
        ];
        let bytes = OLD.encode();
        assert_eq!(bytes.len(), COPIES * APART_BYTES);
        let third = &bytes[2 * APART_BYTES..][..COPY_BYTES];
        assert_eq!(third[..CRC_AT], golden[..CRC_AT]);
        assert_eq!(u32_at(third, CRC_AT), GOLDEN_CRC);
        assert_eq!(Superblock::decode(&bytes), Ok(OLD));
    }
    const GOLDEN_CRC: u32 = 0xde43_b89d;

    #[test]
    fn whatever_arrives_of_a_new_one_either_it_or_the_old_one_is_read() {
        let new = OLD.after(Lsn(0x0203), Ballot { round: 10, node: NodeId(1) });
        let (old_bytes, new_bytes) = (OLD.encode(), new.encode());
        for arrived in 0..1 << COPIES {
            let mut bytes = old_bytes.clone();
            for copy in (0..COPIES).filter(|copy| arrived >> copy & 1 == 1) {
                let range = copy * APART_BYTES..(copy + 1) * APART_BYTES;
                bytes[range.clone()].copy_from_slice(&new_bytes[range]);
            }
            let expected = if arrived == 0 { OLD } else { new };
            assert_eq!(Superblock::decode(&bytes), Ok(expected), "{arrived:b}");
        }
    }

    #[test]
    fn one_good_copy_is_enough_and_none_is_not() {
        for rotten in 0..1 << COPIES {
            let mut bytes = OLD.encode();
            for copy in (0..COPIES).filter(|copy| rotten >> copy & 1 == 1) {
                bytes[copy * APART_BYTES + 33] ^= 4;
            }
            let all = rotten == (1 << COPIES) - 1;
            let expected = if all { Err(Refusal::SuperblockUnreadable) } else { Ok(OLD) };
            assert_eq!(Superblock::decode(&bytes), expected, "{rotten:b}");
        }
        for cut in 0..COPY_BYTES {
            assert_eq!(Superblock::decode(&OLD.encode()[..cut]), Err(Refusal::SuperblockUnreadable));
        }
        // A copy in another's place is none.
        let mut swapped = OLD.encode();
        swapped.rotate_left(APART_BYTES);
        assert_eq!(Superblock::decode(&swapped), Err(Refusal::SuperblockUnreadable));
    }

    #[test]
    fn a_ballot_never_goes_down() {
        let next = OLD.after(Lsn(700), Ballot::ZERO);
        assert_eq!((next.version, next.durable, next.ballot), (7, Lsn(700), OLD.ballot));
    }
}
