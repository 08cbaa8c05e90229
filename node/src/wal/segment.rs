//! Segments: the files the log is cut into, their names and their headers.
//!
//! A header is 64 bytes, little-endian:
//!
//! | at | what |
//! |---|---|
//! | 0 | the text `APAXWAL` and a zero |
//! | 8 | u32 format, 1 |
//! | 12 | u16 node |
//! | 14 | zeros |
//! | 16 | u64 cluster |
//! | 24 | u64 sequence: 1 for the first segment, without gaps |
//! | 32 | u64 LSN of the first record that will be in it |
//! | 40 | zeros |
//! | 60 | u32 CRC32C over the 60 bytes before |
//!
//! A segment is made under another name and gets its own only when its header is durable. So a
//! crash at any point leaves either no such segment or one with a good header, and a bad header
//! is always corruption.

use super::record::{u32_at, u64_at};
use super::{Disk, Identity, Refusal};
use crate::paxos::{Lsn, NodeId};
use std::io;

/// Batches start here.
pub(crate) const HEADER_BYTES: usize = 64;

const MAGIC: [u8; 8] = *b"APAXWAL\0";
const FORMAT: u32 = 1;
const CRC_AT: usize = 60;
const SUFFIX: &str = ".wal";
const UNFINISHED_SUFFIX: &str = ".wal.new";
const SEQUENCE_DIGITS: usize = 20;

#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) struct Header {
    pub(crate) identity: Identity,
    pub(crate) sequence: u64,
    pub(crate) first_lsn: Lsn,
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
        })
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

/// Makes an empty segment, durable in content and name. Errors say what failed.
pub(crate) fn create(
    disk: &mut impl Disk,
    header: &Header,
) -> Result<String, (&'static str, String, io::Error)> {
    let name = name(header.sequence);
    let unfinished = format!("{:0SEQUENCE_DIGITS$}{UNFINISHED_SUFFIX}", header.sequence);
    let failed = |operation, error| (operation, unfinished.clone(), error);
    disk.create(&unfinished).map_err(|error| failed("creating a segment", error))?;
    disk.append(&unfinished, &header.encode())
        .map_err(|error| failed("writing a segment's header", error))?;
    disk.sync(&unfinished).map_err(|error| failed("syncing a segment's header", error))?;
    disk.rename(&unfinished, &name).map_err(|error| failed("naming a segment", error))?;
    disk.sync_folder().map_err(|error| failed("syncing the folder of a new segment", error))?;
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header = Header {
        identity: Identity { cluster: 0x1122_3344, node: NodeId(5) },
        sequence: 7,
        first_lsn: Lsn(0x0102),
    };

    #[test]
    fn golden_bytes() {
        let golden: [u8; HEADER_BYTES] = [
            b'A', b'P', b'A', b'X', b'W', b'A', b'L', 0, 1, 0, 0, 0, 5, 0, 0, 0, //
            0x44, 0x33, 0x22, 0x11, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, //
            2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, //
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        ];
        let bytes = HEADER.encode();
        assert_eq!(bytes[..CRC_AT], golden[..CRC_AT]);
        assert_eq!(u32_at(&bytes, CRC_AT), GOLDEN_CRC);
        assert_eq!(Header::decode(&bytes), Ok(HEADER));
    }
    const GOLDEN_CRC: u32 = 0xc2bf_8318;

    #[test]
    fn every_flipped_bit_and_every_cut_makes_a_header_unreadable() {
        let good = HEADER.encode();
        for bit in 0..HEADER_BYTES * 8 {
            let mut bytes = good;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::decode(&bytes), Err(Refusal::HeaderUnreadable), "bit {bit}");
        }
        for cut in 0..HEADER_BYTES {
            assert_eq!(Header::decode(&good[..cut]), Err(Refusal::HeaderUnreadable), "cut at {cut}");
        }
    }

    #[test]
    fn a_newer_format_is_named_not_called_damage() {
        let mut bytes = HEADER.encode();
        bytes[8] = 2;
        let crc = crc32c::crc32c(&bytes[..CRC_AT]);
        bytes[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(Header::decode(&bytes), Err(Refusal::UnsupportedFormat { found: 2, supported: 1 }));
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
