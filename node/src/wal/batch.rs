//! Batches: the unit of writing. One header, then records, all in one write.
//!
//! A header is 40 bytes, little-endian:
//!
//! | at | what |
//! |---|---|
//! | 0 | the text `APXB` |
//! | 4 | u32 number of records, at least 1 |
//! | 8 | u64 LSN of its first record |
//! | 16 | u64 LSN up to which the log was known to be durable when this was written |
//! | 24 | u32 length of the body in bytes, a multiple of 8 |
//! | 28 | u32 CRC32C over the body |
//! | 32 | zeros |
//! | 36 | u32 CRC32C over the 36 bytes before |
//!
//! Both checksums begin with the segment's [`Generation`]: what an older segment left in a recycled file
//! has none that is right here. The header has one of its own because an intact header proves something
//! even where the body is damaged: the batch was begun, and so everything before it was durable.
//!
//! Behind each batch [`END`] is written, in the same write: a header's place full of zeros, where the next
//! batch goes. It tells a log that ends there from one whose last write was torn; what decides about both
//! is whether anything follows (`verdict.rs`).

use super::Damage;
use super::record::{self, ALIGNMENT, RecordError, u32_at, u64_at};
use super::segment::Generation;
use crate::paxos::{Lsn, Record};
use bytes::Bytes;

/// The body starts here.
pub(crate) const HEADER_BYTES: usize = 40;

/// No body is longer: a bound on what one call may hand over, far above what a node asks of its
/// disk at once.
pub(crate) const BODY_BYTES_MAX: usize = 256 << 20;

/// Stands where no batch has been written yet.
pub(crate) const END: [u8; HEADER_BYTES] = [0; HEADER_BYTES];

const MAGIC: [u8; 4] = *b"APXB";
const CRC_AT: usize = 36;

#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) struct Header {
    pub(crate) count: u32,
    pub(crate) first_lsn: Lsn,
    pub(crate) durable_before: Lsn,
    pub(crate) body_bytes: u32,
    body_crc: u32,
}

impl Header {
    /// Reads a header of this generation; `None` where there is none that can be trusted.
    pub(crate) fn decode(bytes: &[u8], generation: Generation) -> Option<Header> {
        let bytes = bytes.first_chunk::<HEADER_BYTES>()?;
        // The magic first: a search for headers looks at every eighth byte of the rest of a segment.
        if bytes[..4] != MAGIC || u32_at(bytes, CRC_AT) != generation.crc(&bytes[..CRC_AT]) {
            return None;
        }
        Some(Header {
            count: u32_at(bytes, 4),
            first_lsn: Lsn(u64_at(bytes, 8)),
            durable_before: Lsn(u64_at(bytes, 16)),
            body_bytes: u32_at(bytes, 24),
            body_crc: u32_at(bytes, 28),
        })
    }
}

/// Adds one batch to `out`.
///
/// # Panics
/// If `records` is empty or longer than a body may be.
pub(crate) fn encode(
    generation: Generation,
    first_lsn: Lsn,
    durable_before: Lsn,
    records: &[Record],
    out: &mut Vec<u8>,
) {
    assert!(!records.is_empty(), "a batch holds at least one record");
    let start = out.len();
    out.resize(start + HEADER_BYTES, 0);
    for record in records {
        record::encode(record, out);
    }
    let (header, body) = out[start..].split_at_mut(HEADER_BYTES);
    assert!(body.len() <= BODY_BYTES_MAX, "a batch of {} bytes exceeds {BODY_BYTES_MAX}", body.len());
    let body_bytes = u32::try_from(body.len()).expect("bounded in the line above");
    let count = u32::try_from(records.len()).expect("each record takes bytes, and those are bounded");

    header[..4].copy_from_slice(&MAGIC);
    header[4..8].copy_from_slice(&count.to_le_bytes());
    header[8..16].copy_from_slice(&first_lsn.0.to_le_bytes());
    header[16..24].copy_from_slice(&durable_before.0.to_le_bytes());
    header[24..28].copy_from_slice(&body_bytes.to_le_bytes());
    header[28..32].copy_from_slice(&generation.crc(body).to_le_bytes());
    let crc = generation.crc(&header[..CRC_AT]);
    header[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
}

/// What stands where a batch should start.
pub(crate) enum Found {
    /// An intact batch and where it ends.
    Batch { header: Header, body: Bytes, end: usize },
    /// [`END`], or too few bytes for a batch.
    Nothing,
    /// Neither.
    Damaged(Damage),
}

/// Looks at what starts at byte `at` of a segment.
pub(crate) fn find(segment: &Bytes, at: usize, generation: Generation) -> Found {
    let rest = &segment[at..];
    if rest.len() < HEADER_BYTES || rest[..HEADER_BYTES] == END {
        return Found::Nothing;
    }
    let Some(header) = Header::decode(rest, generation) else {
        return Found::Damaged(Damage::HeaderUnreadable);
    };
    let body_start = at + HEADER_BYTES;
    let end = body_start + header.body_bytes as usize;
    if end > segment.len() {
        return Found::Damaged(Damage::BodyCut);
    }
    let body = segment.slice(body_start..end);
    if generation.crc(&body) != header.body_crc && !crate::mutant!(CrcIgnored) {
        return Found::Damaged(Damage::BodyChecksum);
    }
    Found::Batch { header, body, end }
}

/// The first header of this generation after byte `at`, and where it starts.
///
/// Its body is not looked at: that a later header exists at all is the proof. Work is linear in
/// the bytes searched. (Bytes inside a value could imitate a header, checksum, generation and all.
/// That takes intent; the price would be a refusal after a power loss, never a wrong recovery.)
pub(crate) fn find_later_header(
    segment: &[u8],
    at: usize,
    generation: Generation,
) -> Option<(usize, Header)> {
    (at + ALIGNMENT..segment.len()).step_by(ALIGNMENT).find_map(|offset| {
        let is_candidate = segment[offset..].starts_with(&MAGIC);
        is_candidate.then(|| Header::decode(&segment[offset..], generation))?.map(|header| (offset, header))
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
    use crate::wal::Identity;

    fn generation(sequence: u64) -> Generation {
        Generation::new(Identity { cluster: 3, node: NodeId(2) }, 5, sequence)
    }

    #[test]
    fn golden_bytes() {
        let records = [Record::Promised(Ballot { round: 3, node: NodeId(2) }), Record::ChosenUpto(Slot(9))];
        let mut bytes = vec![];
        encode(generation(7), Lsn(0x0102), Lsn(0x0101), &records, &mut bytes);
        let golden: [u8; HEADER_BYTES - 12] =
            [b'A', b'P', b'X', b'B', 2, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 48, 0, 0, 0];
        assert_eq!(bytes[..28], golden);
        assert_eq!(
            (u32_at(&bytes, 28), u32_at(&bytes, 32), u32_at(&bytes, 36)),
            (GOLDEN_BODY_CRC, 0, GOLDEN_CRC)
        );
        let Found::Batch { header, body, end } = find(&Bytes::from(bytes.clone()), 0, generation(7)) else {
            panic!("an intact batch is found");
        };
        let mut decoded = Vec::new();
        decode_records(&header, body, &mut decoded).unwrap();
        assert_eq!((decoded.as_slice(), end), (records.as_slice(), bytes.len()));
    }
    const GOLDEN_BODY_CRC: u32 = 0x98fc_99bf;
    const GOLDEN_CRC: u32 = 0xb436_9fd2;

    #[test]
    fn a_batch_of_another_generation_is_none_of_this_one() {
        let mut bytes = Vec::new();
        encode(generation(7), Lsn(1), Lsn(0), &[Record::ChosenUpto(Slot(9))], &mut bytes);
        let found = find(&Bytes::from(bytes.clone()), 0, generation(8));
        assert!(matches!(found, Found::Damaged(Damage::HeaderUnreadable)));
        bytes.splice(0..0, [0; 16]);
        assert_eq!(find_later_header(&bytes, 0, generation(8)), None);
        assert_eq!(find_later_header(&bytes, 0, generation(7)).unwrap().0, 16);
    }

    #[test]
    fn nothing_is_a_headers_place_of_zeros_or_no_place_for_one() {
        let found = |bytes: &[u8]| find(&Bytes::copy_from_slice(bytes), 0, generation(7));
        assert!(matches!(found(&[0; 40]), Found::Nothing));
        assert!(matches!(found(&[0xff; 39]), Found::Nothing));
        assert!(matches!(found(&[[0; 39].as_slice(), &[1]].concat()), Found::Damaged(_)));
    }
}
