//! Batches: the unit of writing. One header, then records, all in one append.
//!
//! A header is 40 bytes, little-endian:
//!
//! | at | what |
//! |---|---|
//! | 0 | the text `APXB` |
//! | 4 | u32 number of records, at least 1 |
//! | 8 | u64 sequence of the segment it is in |
//! | 16 | u64 LSN of its first record |
//! | 24 | u32 length of the body in bytes, a multiple of 8 |
//! | 28 | u32 CRC32C over the body |
//! | 32 | zeros |
//! | 36 | u32 CRC32C over the 36 bytes before |
//!
//! The header has a checksum of its own so that an intact one can be trusted about where its
//! batch ends even when the body is damaged: bytes beyond that end prove that the batch had been
//! durable. The sequence makes what is left in a reused block or file of an older segment
//! recognisable as none of this one's.

use super::Damage;
use super::record::{self, ALIGNMENT, RecordError, u32_at, u64_at};
use crate::paxos::{Lsn, Record};
use bytes::Bytes;

/// The body starts here.
pub(crate) const HEADER_BYTES: usize = 40;

/// No body is longer: a bound on what one call may hand over, far above what a node asks of its
/// disk at once.
pub(crate) const BODY_BYTES_MAX: usize = 256 << 20;

const MAGIC: [u8; 4] = *b"APXB";
const CRC_AT: usize = 36;

#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) struct Header {
    pub(crate) count: u32,
    pub(crate) sequence: u64,
    pub(crate) first_lsn: Lsn,
    pub(crate) body_bytes: u32,
    body_crc: u32,
}

impl Header {
    /// Reads a header of segment `sequence`; `None` where there is none that can be trusted.
    pub(crate) fn decode(bytes: &[u8], sequence: u64) -> Option<Header> {
        let bytes = bytes.first_chunk::<HEADER_BYTES>()?;
        // The magic first: a search for headers looks at every eighth byte of a damaged tail.
        if bytes[..4] != MAGIC || u32_at(bytes, CRC_AT) != crc32c::crc32c(&bytes[..CRC_AT]) {
            return None;
        }
        let header = Header {
            count: u32_at(bytes, 4),
            sequence: u64_at(bytes, 8),
            first_lsn: Lsn(u64_at(bytes, 16)),
            body_bytes: u32_at(bytes, 24),
            body_crc: u32_at(bytes, 28),
        };
        (header.sequence == sequence).then_some(header)
    }
}

/// Encodes one batch into `out`, which is emptied first.
///
/// # Panics
/// If `records` is empty or longer than a body may be.
pub(crate) fn encode(sequence: u64, first_lsn: Lsn, records: &[Record], out: &mut Vec<u8>) {
    assert!(!records.is_empty(), "a batch holds at least one record");
    out.clear();
    out.resize(HEADER_BYTES, 0);
    for record in records {
        record::encode(record, out);
    }
    let body = &out[HEADER_BYTES..];
    assert!(body.len() <= BODY_BYTES_MAX, "a batch of {} bytes exceeds {BODY_BYTES_MAX}", body.len());
    let body_bytes = u32::try_from(body.len()).expect("bounded in the line above");
    let body_crc = crc32c::crc32c(body);
    let count = u32::try_from(records.len()).expect("each record takes bytes, and those are bounded");

    out[..4].copy_from_slice(&MAGIC);
    out[4..8].copy_from_slice(&count.to_le_bytes());
    out[8..16].copy_from_slice(&sequence.to_le_bytes());
    out[16..24].copy_from_slice(&first_lsn.0.to_le_bytes());
    out[24..28].copy_from_slice(&body_bytes.to_le_bytes());
    out[28..32].copy_from_slice(&body_crc.to_le_bytes());
    let crc = crc32c::crc32c(&out[..CRC_AT]);
    out[CRC_AT..HEADER_BYTES].copy_from_slice(&crc.to_le_bytes());
}

/// What stands where a batch should start.
pub(crate) enum Found {
    /// An intact batch and where it ends.
    Batch { header: Header, body: Bytes, end: usize },
    /// None, and where it would end if its header can be trusted that far.
    Damaged { damage: Damage, end: Option<usize> },
}

/// Looks at what starts at byte `at` of a segment.
pub(crate) fn find(segment: &Bytes, at: usize, sequence: u64) -> Found {
    let rest = &segment[at..];
    let Some(header) = Header::decode(rest, sequence) else {
        let damage = if rest.len() < HEADER_BYTES { Damage::HeaderCut } else { Damage::HeaderUnreadable };
        return Found::Damaged { damage, end: None };
    };
    let body_start = at + HEADER_BYTES;
    let end = body_start + header.body_bytes as usize;
    if end > segment.len() {
        return Found::Damaged { damage: Damage::BodyCut, end: Some(end) };
    }
    let body = segment.slice(body_start..end);
    if crc32c::crc32c(&body) != header.body_crc {
        return Found::Damaged { damage: Damage::BodyChecksum, end: Some(end) };
    }
    Found::Batch { header, body, end }
}

/// Where the first header of a batch later than `expected` starts, after byte `at`.
///
/// Its body is not looked at: that a later header exists at all is the proof. Work is linear in
/// the bytes searched. (Bytes inside a value could imitate a header, checksum, sequence and all.
/// That takes intent; the price would be a refusal after a power loss, never a wrong recovery.)
pub(crate) fn find_later_header(segment: &[u8], at: usize, sequence: u64, expected: Lsn) -> Option<usize> {
    (at + ALIGNMENT..segment.len()).step_by(ALIGNMENT).find(|&offset| {
        Header::decode(&segment[offset..], sequence).is_some_and(|header| header.first_lsn > expected)
    })
}

/// Decodes a batch's records. An error comes with the LSN of the record at fault.
pub(crate) fn decode_records(
    header: &Header,
    mut body: Bytes,
    records: &mut Vec<Record>,
) -> Result<(), (Lsn, RecordError)> {
    for position in 0..u64::from(header.count) {
        let lsn = Lsn(header.first_lsn.0.saturating_add(position));
        records.push(record::decode(&mut body).map_err(|error| (lsn, error))?);
    }
    let after = Lsn(header.first_lsn.0.saturating_add(u64::from(header.count)));
    if body.is_empty() { Ok(()) } else { Err((after, RecordError::Surplus)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paxos::{Ballot, NodeId, Slot};

    #[test]
    fn golden_bytes() {
        let records = [Record::Promised(Ballot { round: 3, node: NodeId(2) }), Record::ChosenUpto(Slot(9))];
        let mut bytes = vec![1, 2, 3];
        encode(7, Lsn(0x0102), &records, &mut bytes);
        let golden: [u8; HEADER_BYTES - 12] =
            [b'A', b'P', b'X', b'B', 2, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0, 48, 0, 0, 0];
        assert_eq!(bytes[..28], golden);
        assert_eq!(
            (u32_at(&bytes, 28), u32_at(&bytes, 32), u32_at(&bytes, 36)),
            (GOLDEN_BODY_CRC, 0, GOLDEN_CRC)
        );
        let Found::Batch { header, body, end } = find(&Bytes::from(bytes.clone()), 0, 7) else {
            panic!("an intact batch is found");
        };
        let mut decoded = Vec::new();
        decode_records(&header, body, &mut decoded).unwrap();
        assert_eq!((decoded.as_slice(), end), (records.as_slice(), bytes.len()));
    }
    const GOLDEN_BODY_CRC: u32 = 0xa0fd_d648;
    const GOLDEN_CRC: u32 = 0x2f1c_3097;

    #[test]
    fn a_batch_of_another_segment_is_none_of_this_one() {
        let mut bytes = Vec::new();
        encode(7, Lsn(1), &[Record::ChosenUpto(Slot(9))], &mut bytes);
        let found = find(&Bytes::from(bytes), 0, 8);
        assert!(matches!(found, Found::Damaged { damage: Damage::HeaderUnreadable, end: None }));
    }
}
