//! Segments: the files the log is cut into, their names, their headers, and how they are made.
//!
//! A segment is a file of fixed length. Its header is 64 bytes, little-endian:
//!
//! | at | what |
//! |---|---|
//! | 0 | the text `APAXWAL` and a zero |
//! | 8 | u32 format, 2 |
//! | 12 | u16 node |
//! | 14 | zeros |
//! | 16 | u64 cluster |
//! | 24 | u64 sequence: 1 for the first segment, without gaps |
//! | 32 | u64 LSN of the first record that will be in it |
//! | 40 | u64 incarnation: which memory of the node it belongs to (see `superblock.rs`) |
//! | 48 | u64 length of the file in bytes |
//! | 56 | zeros |
//! | 60 | u32 CRC32C over the 60 bytes before |
//!
//! A segment gets its name before it is begun, when all its bytes are durable: zeros, or those of an
//! older segment. So one that bears zeros or a *lower* number than its name in its header is *ready*;
//! one that bears its own is *begun*. The header is written with the first batch and lies in one
//! sector, which a crash leaves old or new: any third thing is corruption.

use super::record::{u32_at, u64_at};
use super::{Disk, Identity, Refusal};
use crate::paxos::{Lsn, NodeId};
use std::io;

/// Batches start here.
pub(crate) const HEADER_BYTES: usize = 64;

/// Zeros are written, and synced, in pieces of this many bytes: the log's own writes queue behind one of
/// them at most.
const ZEROS_BYTES: usize = 1 << 20;

const MAGIC: [u8; 8] = *b"APAXWAL\0";
const FORMAT: u32 = 2;
const CRC_AT: usize = 60;
const SUFFIX: &str = ".wal";
const UNFINISHED_SUFFIX: &str = ".wal.new";
const SEQUENCE_DIGITS: usize = 20;

#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) struct Header {
    pub(crate) identity: Identity,
    pub(crate) incarnation: u64,
    pub(crate) sequence: u64,
    pub(crate) first_lsn: Lsn,
    /// Length of the file.
    pub(crate) bytes: u64,
}

/// What every checksum behind a segment's header begins with: whose log it is and which segment. So what
/// an older segment left in a recycled file can't be taken for this one's: for the same bytes a CRC32C
/// that begins differently ends differently, always; and this one begins differently for any two
/// sequences that differ only in 32 adjacent bits, since a CRC misses no burst that short.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) struct Generation(u32);

impl Generation {
    pub(crate) fn new(identity: Identity, incarnation: u64, sequence: u64) -> Generation {
        let mut crc = crc32c::crc32c(&identity.cluster.to_le_bytes());
        crc = crc32c::crc32c_append(crc, &identity.node.0.to_le_bytes());
        crc = crc32c::crc32c_append(crc, &incarnation.to_le_bytes());
        if crate::mutant!(RecycledRecordsReplayed) {
            return Generation(crc);
        }
        Generation(crc32c::crc32c_append(crc, &sequence.to_le_bytes()))
    }

    /// The checksum of bytes of this generation.
    pub(crate) fn crc(self, bytes: &[u8]) -> u32 {
        crc32c::crc32c_append(self.0, bytes)
    }
}

impl Header {
    pub(crate) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&FORMAT.to_le_bytes());
        bytes[12..14].copy_from_slice(&self.identity.node.0.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.identity.cluster.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.first_lsn.0.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.incarnation.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.bytes.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..CRC_AT]);
        bytes[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads the header at the start of a segment's bytes.
    pub(crate) fn decode(segment: &[u8]) -> Result<Header, Refusal> {
        let Some(bytes) = segment.first_chunk::<HEADER_BYTES>() else {
            return Err(Refusal::HeaderUnreadable);
        };
        if bytes[..8] != MAGIC || u32_at(bytes, CRC_AT) != crc32c::crc32c(&bytes[..CRC_AT]) {
            return Err(Refusal::HeaderUnreadable);
        }
        let format = u32_at(bytes, 8);
        if format != FORMAT {
            return Err(Refusal::UnsupportedFormat { found: format, supported: FORMAT });
        }
        Ok(Header {
            identity: Identity {
                cluster: u64_at(bytes, 16),
                node: NodeId(u16::from_le_bytes([bytes[12], bytes[13]])),
            },
            sequence: u64_at(bytes, 24),
            first_lsn: Lsn(u64_at(bytes, 32)),
            incarnation: u64_at(bytes, 40),
            bytes: u64_at(bytes, 48),
        })
    }

    pub(crate) fn generation(&self) -> Generation {
        Generation::new(self.identity, self.incarnation, self.sequence)
    }
}

/// How far a segment has come, by its first bytes.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) enum State {
    /// It waits for its first batch. Its header: that of the segment that the file was before.
    Ready(Option<Header>),
    /// It is part of the log.
    Begun(Header),
}

impl State {
    /// Of the segment called `sequence`, whose file starts with these bytes.
    pub(crate) fn of(sequence: u64, bytes: &[u8]) -> Result<State, Refusal> {
        if bytes.first_chunk::<HEADER_BYTES>() == Some(&[0; HEADER_BYTES]) {
            return Ok(State::Ready(None));
        }
        let header = Header::decode(bytes)?;
        Ok(if header.sequence < sequence { State::Ready(Some(header)) } else { State::Begun(header) })
    }
}

/// The file name of a segment: sorts like its number.
pub(crate) fn name(sequence: u64) -> String {
    format!("{sequence:0SEQUENCE_DIGITS$}{SUFFIX}")
}

/// The number of the segment with this file name; `None` for any other file.
pub(crate) fn sequence(file: &str) -> Option<u64> {
    number(file.strip_suffix(SUFFIX)?)
}

/// Whether a file is a segment whose making was cut short. It never held a record.
pub(crate) fn is_unfinished(file: &str) -> bool {
    file.strip_suffix(UNFINISHED_SUFFIX).is_some_and(|digits| number(digits).is_some())
}

fn number(digits: &str) -> Option<u64> {
    let exact = digits.len() == SEQUENCE_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    if exact { digits.parse().ok() } else { None }
}

/// What failed, at which file, and how.
pub(crate) type MakeError = (&'static str, String, io::Error);

/// Makes a segment ready: zeros, durable in content and name.
pub(crate) fn make(disk: &mut impl Disk, sequence: u64, bytes: u64) -> Result<(), MakeError> {
    let name = name(sequence);
    let unfinished = format!("{sequence:0SEQUENCE_DIGITS$}{UNFINISHED_SUFFIX}");
    let failed = |operation, error| (operation, unfinished.clone(), error);
    disk.create(&unfinished).map_err(|error| failed("creating a segment", error))?;
    let made = grow(disk, &unfinished, 0, bytes)
        .and_then(|()| disk.rename(&unfinished, &name).map_err(|error| failed("naming a segment", error)))
        .and_then(|()| match crate::mutant!(NoDirFsync) {
            true => Ok(()),
            false => disk.sync_folder().map_err(|error| failed("syncing the folder of a new segment", error)),
        });
    if let Err((_, _, error)) = &made
        && super::error::is_full(error)
    {
        // Half a segment on a full disk is in everybody's way. That this fails too changes nothing: the
        // next recovery clears it away.
        let _ = disk.remove(&unfinished);
    }
    made
}

/// Lets a file of `length` bytes have zeros up to `bytes`, durably.
pub(crate) fn grow(disk: &mut impl Disk, file: &str, length: u64, bytes: u64) -> Result<(), MakeError> {
    let failed = |operation, error| (operation, file.to_owned(), error);
    let mut left = bytes.saturating_sub(length);
    let zeros = vec![0; usize::try_from(left).unwrap_or(ZEROS_BYTES).min(ZEROS_BYTES)];
    while left > 0 {
        let piece = usize::try_from(left).unwrap_or(ZEROS_BYTES).min(ZEROS_BYTES);
        disk.append(file, &zeros[..piece]).map_err(|error| failed("zeroing a segment", error))?;
        disk.sync(file).map_err(|error| failed("syncing a segment's zeros", error))?;
        left -= piece as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header = Header {
        identity: Identity { cluster: 0x1122_3344, node: NodeId(5) },
        incarnation: 0x0a0b_0c0d,
        sequence: 7,
        first_lsn: Lsn(0x0102),
        bytes: 0x20_0000,
    };

    #[test]
    fn golden_bytes() {
        let golden: [u8; HEADER_BYTES] = [
            b'A', b'P', b'A', b'X', b'W', b'A', b'L', 0, 2, 0, 0, 0, 5, 0, 0, 0, //
            0x44, 0x33, 0x22, 0x11, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, //
            2, 1, 0, 0, 0, 0, 0, 0, 0x0d, 0x0c, 0x0b, 0x0a, 0, 0, 0, 0, //
            0, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        ];
        let bytes = HEADER.encode();
        assert_eq!(bytes[..CRC_AT], golden[..CRC_AT]);
        assert_eq!(u32_at(&bytes, CRC_AT), GOLDEN_CRC);
        assert_eq!(Header::decode(&bytes), Ok(HEADER));
    }
    const GOLDEN_CRC: u32 = 0x75ae_647c;

    #[test]
    fn every_flipped_bit_and_every_cut_makes_a_header_unreadable() {
        let good = HEADER.encode();
        for bit in 0..HEADER_BYTES * 8 {
            let mut bytes = good;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(State::of(7, &bytes), Err(Refusal::HeaderUnreadable), "bit {bit}");
        }
        for cut in 0..HEADER_BYTES {
            assert_eq!(State::of(7, &good[..cut]), Err(Refusal::HeaderUnreadable), "cut at {cut}");
        }
    }

    #[test]
    fn another_format_is_named_not_called_damage() {
        for format in [1, 3] {
            let mut bytes = HEADER.encode();
            bytes[8] = format;
            let crc = crc32c::crc32c(&bytes[..CRC_AT]);
            bytes[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
            let found = u32::from(format);
            assert_eq!(Header::decode(&bytes), Err(Refusal::UnsupportedFormat { found, supported: 2 }));
        }
    }

    #[test]
    fn a_segment_is_begun_when_it_bears_its_own_number() {
        assert_eq!(State::of(7, &HEADER.encode()), Ok(State::Begun(HEADER)));
        assert_eq!(State::of(8, &HEADER.encode()), Ok(State::Ready(Some(HEADER))));
        assert_eq!(State::of(6, &HEADER.encode()), Ok(State::Begun(HEADER)), "to be found out of place");
        assert_eq!(State::of(7, &[0; 100]), Ok(State::Ready(None)));
    }

    #[test]
    fn no_two_generations_in_one_file_share_a_checksum() {
        let generation = |sequence| Generation::new(HEADER.identity, HEADER.incarnation, sequence);
        let crc = |sequence| generation(sequence).crc(b"any bytes");
        let all: std::collections::BTreeSet<u32> = (1..100_000).map(crc).collect();
        assert_eq!(all.len(), 99_999);
        for other in [
            Generation::new(Identity { cluster: 1, ..HEADER.identity }, HEADER.incarnation, 7),
            Generation::new(Identity { node: NodeId(6), ..HEADER.identity }, HEADER.incarnation, 7),
            Generation::new(HEADER.identity, HEADER.incarnation + 1, 7),
        ] {
            assert_ne!(other, generation(7));
        }
    }

    #[test]
    fn only_a_segments_own_name_names_it() {
        assert_eq!(name(42), "00000000000000000042.wal");
        assert_eq!(sequence(&name(u64::MAX)), Some(u64::MAX));
        assert!(is_unfinished("00000000000000000042.wal.new"));
        for other in [
            "42.wal",
            "00000000000000000042.wal.new",
            "+0000000000000000042.wal",
            "99999999999999999999.wal",
            "lock",
            ".wal",
            "",
        ] {
            assert_eq!(sequence(other), None, "{other}");
        }
    }
}
