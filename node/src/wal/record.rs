//! One record as bytes.
//!
//! Little-endian, 8-byte aligned, one layout for all kinds:
//!
//! | at | what |
//! |---|---|
//! | 0 | u8 kind: 1 `BallotUsed`, 2 `Promised`, 3 `Accepted`, 4 `Learned`, 5 `ChosenUpto`, 6 `Checkpoint`, 7 `Kept`,
//! | | 8 `Pledged`, 9 `Founded` |
//! | 1 | u8 value: 0 none, 1 no-op, 2 batch, 3 configuration |
//! | 2 | u16 node of the ballot |
//! | 4 | u32 length of the value in bytes |
//! | 8 | u64 round of the ballot |
//! | 16 | u64 slot |
//! | 24 | the value, zeros up to a multiple of 8 |
//!
//! Fields that a kind doesn't use are zero, and decoding insists on it: one record has one
//! encoding. Written by hand rather than derived, because the bytes outlive the program that
//! wrote them; the golden test below is the contract.

use crate::paxos::{Ballot, Configuration, NodeId, Record, Slot, Value};
use bytes::Bytes;
use std::sync::Arc;

/// A record without its value.
pub(crate) const FIXED_BYTES: usize = 24;

/// The log is a sequence of multiples of this.
pub(crate) const ALIGNMENT: usize = 8;

const BALLOT_USED: u8 = 1;
const PROMISED: u8 = 2;
const ACCEPTED: u8 = 3;
const LEARNED: u8 = 4;
const CHOSEN_UPTO: u8 = 5;
const CHECKPOINT: u8 = 6;
const KEPT: u8 = 7;
const PLEDGED: u8 = 8;
const FOUNDED: u8 = 9;

const NO_VALUE: u8 = 0;
const NOOP: u8 = 1;
const BATCH: u8 = 2;
const CONFIGURATION: u8 = 3;

/// Why bytes are no record.
#[derive(Copy, Clone, Eq, PartialEq, Debug, thiserror::Error)]
pub enum RecordError {
    /// The bytes end before the record does.
    #[error("it is cut short")]
    Cut,
    /// A kind this program doesn't know.
    #[error("its kind {0} is unknown to this program")]
    UnknownKind(u8),
    /// A value this program doesn't know, or not one for this kind of record.
    #[error("its value has form {0}, which is unknown or out of place")]
    UnknownValue(u8),
    /// A configuration's bytes make none.
    #[error("its value is no configuration that this program can read")]
    NoConfiguration,
    /// A field or padding that should be zero is not.
    #[error("bytes that must be zero are not")]
    NotCanonical,
    /// A batch that says it holds fewer records than its bytes.
    #[error("bytes follow the last record of its batch")]
    Surplus,
}

/// How many bytes [`encode`] adds.
pub(crate) fn encoded_len(record: &Record) -> usize {
    let value = match record {
        Record::Accepted { value, .. } | Record::Learned { value, .. } | Record::Kept { value, .. } => {
            value.len()
        }
        Record::Pledged(configuration) | Record::Founded(configuration) => configuration.encoded_len(),
        Record::BallotUsed(_) | Record::Promised(_) | Record::ChosenUpto(_) | Record::Checkpoint { .. } => 0,
    };
    FIXED_BYTES + value.next_multiple_of(ALIGNMENT)
}

/// Adds one record to `out`.
pub(crate) fn encode(record: &Record, out: &mut Vec<u8>) {
    match record {
        Record::BallotUsed(ballot) => fixed(BALLOT_USED, *ballot, Slot::ZERO, None, out),
        Record::Promised(ballot) => fixed(PROMISED, *ballot, Slot::ZERO, None, out),
        Record::Accepted { slot, ballot, value } => fixed(ACCEPTED, *ballot, *slot, Some(value), out),
        Record::Learned { slot, ballot, value } => fixed(LEARNED, *ballot, *slot, Some(value), out),
        Record::ChosenUpto(slot) => fixed(CHOSEN_UPTO, Ballot::ZERO, *slot, None, out),
        Record::Checkpoint { slot, promised } => fixed(CHECKPOINT, *promised, *slot, None, out),
        Record::Kept { slot, ballot, value } => fixed(KEPT, *ballot, *slot, Some(value), out),
        Record::Pledged(founders) => {
            fixed(PLEDGED, Ballot::ZERO, Slot::ZERO, Some(&Value::Configuration(Arc::clone(founders))), out);
        }
        Record::Founded(founders) => {
            fixed(FOUNDED, Ballot::ZERO, Slot::ZERO, Some(&Value::Configuration(Arc::clone(founders))), out);
        }
    }
}

fn fixed(kind: u8, ballot: Ballot, slot: Slot, value: Option<&Value>, out: &mut Vec<u8>) {
    let encoded;
    let (form, bytes): (u8, &[u8]) = match value {
        None => (NO_VALUE, &[]),
        Some(Value::Noop) => (NOOP, &[]),
        Some(Value::Batch(bytes)) => (BATCH, bytes),
        Some(Value::Configuration(configuration)) => {
            encoded = configuration.encode();
            (CONFIGURATION, &encoded)
        }
    };
    let length = u32::try_from(bytes.len()).expect("a value is smaller than a batch of the log may be");
    out.push(kind);
    out.push(form);
    out.extend(ballot.node.0.to_le_bytes());
    out.extend(length.to_le_bytes());
    out.extend(ballot.round.to_le_bytes());
    out.extend(slot.0.to_le_bytes());
    out.extend(bytes);
    out.resize(out.len().next_multiple_of(ALIGNMENT), 0);
}

/// Takes one record off the front of `body`. Its value shares the bytes of `body`.
pub(crate) fn decode(body: &mut Bytes) -> Result<Record, RecordError> {
    let Some(head) = body.first_chunk::<FIXED_BYTES>() else { return Err(RecordError::Cut) };
    let (kind, form) = (head[0], head[1]);
    let length = u32_at(head, 4) as usize;
    let ballot = Ballot { round: u64_at(head, 8), node: NodeId(u16::from_le_bytes([head[2], head[3]])) };
    let slot = Slot(u64_at(head, 16));

    let padded = length.next_multiple_of(ALIGNMENT);
    if body.len() - FIXED_BYTES < padded {
        return Err(RecordError::Cut);
    }
    let value = match (form, length) {
        (NO_VALUE, 0) => None,
        (NOOP, 0) => Some(Value::Noop),
        (NO_VALUE | NOOP, _) => return Err(RecordError::NotCanonical),
        (BATCH, _) => Some(Value::Batch(body.slice(FIXED_BYTES..FIXED_BYTES + length))),
        (CONFIGURATION, _) => {
            let configuration = Configuration::decode(&body[FIXED_BYTES..FIXED_BYTES + length]);
            Some(Value::Configuration(Arc::new(configuration.ok_or(RecordError::NoConfiguration)?)))
        }
        (unknown, _) => return Err(RecordError::UnknownValue(unknown)),
    };
    if body[FIXED_BYTES + length..FIXED_BYTES + padded].iter().any(|&byte| byte != 0) {
        return Err(RecordError::NotCanonical);
    }

    let record = match (kind, value) {
        (BALLOT_USED | PROMISED, None) if slot != Slot::ZERO => return Err(RecordError::NotCanonical),
        (CHOSEN_UPTO, None) if ballot != Ballot::ZERO => return Err(RecordError::NotCanonical),
        (PLEDGED | FOUNDED, Some(_)) if slot != Slot::ZERO || ballot != Ballot::ZERO => {
            return Err(RecordError::NotCanonical);
        }
        (PLEDGED, Some(Value::Configuration(founders))) => Record::Pledged(founders),
        (FOUNDED, Some(Value::Configuration(founders))) => Record::Founded(founders),
        (BALLOT_USED, None) => Record::BallotUsed(ballot),
        (PROMISED, None) => Record::Promised(ballot),
        (CHOSEN_UPTO, None) => Record::ChosenUpto(slot),
        (CHECKPOINT, None) => Record::Checkpoint { slot, promised: ballot },
        (KEPT, Some(value)) => Record::Kept { slot, ballot, value },
        (ACCEPTED, Some(value)) => Record::Accepted { slot, ballot, value },
        (LEARNED, Some(value)) => Record::Learned { slot, ballot, value },
        (BALLOT_USED..=FOUNDED, _) => {
            return Err(RecordError::UnknownValue(form));
        }
        (unknown, _) => return Err(RecordError::UnknownKind(unknown)),
    };
    let _ = body.split_to(FIXED_BYTES + padded);
    Ok(record)
}

/// # Panics
/// If `bytes` has no eight bytes at `at`: the caller looks at a header of fixed size.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("a slice of eight bytes"))
}

/// # Panics
/// If `bytes` has no four bytes at `at`: the caller looks at a header of fixed size.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("a slice of four bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const B: Ballot = Ballot { round: 0x0102_0304_0506_0708, node: NodeId(9) };

    #[test]
    fn golden_bytes() {
        let batch = Value::Batch(Bytes::from_static(b"abc"));
        let configuration = Value::Configuration(Arc::new(Configuration::of(&[NodeId(2)])));
        let founders = Arc::new(Configuration::of(&[NodeId(2)]));
        let table: [(Record, &[u8]); 11] = [
            (
                Record::BallotUsed(B),
                &[1, 0, 9, 0, 0, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0],
            ),
            (Record::Promised(B), &[2, 0, 9, 0, 0, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0]),
            (
                Record::Accepted { slot: Slot(0x1122), ballot: B, value: Value::Noop },
                &[3, 1, 9, 0, 0, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1, 0x22, 0x11, 0, 0, 0, 0, 0, 0],
            ),
            (
                Record::Accepted { slot: Slot(1), ballot: B, value: batch.clone() },
                &[
                    3, 2, 9, 0, 3, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, b'a', b'b', b'c',
                    0, 0, 0, 0, 0,
                ],
            ),
            (
                Record::Accepted { slot: Slot(1), ballot: B, value: configuration },
                &[
                    3, 3, 9, 0, 29, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                ],
            ),
            (
                Record::Learned { slot: Slot(1), ballot: B, value: batch },
                &[
                    4, 2, 9, 0, 3, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, b'a', b'b', b'c',
                    0, 0, 0, 0, 0,
                ],
            ),
            (
                Record::Checkpoint { slot: Slot(0x1122), promised: B },
                &[6, 0, 9, 0, 0, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1, 0x22, 0x11, 0, 0, 0, 0, 0, 0],
            ),
            (
                Record::Kept { slot: Slot(0x1122), ballot: B, value: Value::Noop },
                &[7, 1, 9, 0, 0, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1, 0x22, 0x11, 0, 0, 0, 0, 0, 0],
            ),
            (
                Record::Pledged(Arc::clone(&founders)),
                &[
                    8, 3, 0, 0, 29, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                ],
            ),
            (
                Record::Founded(founders),
                &[
                    9, 3, 0, 0, 29, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                ],
            ),
            (
                Record::ChosenUpto(Slot(u64::MAX)),
                &[5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255],
            ),
        ];
        for (record, golden) in table {
            let mut bytes = Vec::new();
            encode(&record, &mut bytes);
            assert_eq!(bytes, golden, "{record:?}");
            assert_eq!(bytes.len(), encoded_len(&record));
            let mut bytes = Bytes::from(bytes);
            assert_eq!(decode(&mut bytes), Ok(record));
            assert!(bytes.is_empty());
        }
    }

    #[test]
    fn a_length_beyond_the_bytes_is_cut_short_whatever_it_claims() {
        let mut bytes = Vec::new();
        fixed(ACCEPTED, B, Slot(1), Some(&Value::Batch(Bytes::from_static(b"abc"))), &mut bytes);
        for claim in [9, 4096, u32::MAX - 7, u32::MAX] {
            bytes[4..8].copy_from_slice(&claim.to_le_bytes());
            assert_eq!(decode(&mut Bytes::from(bytes.clone())), Err(RecordError::Cut), "{claim}");
        }
    }

    proptest! {
        #[test]
        fn what_decodes_encodes_to_the_same_bytes(
            kind in 0u8..11, form in 0u8..4, node in 0u16..3, length in 0u32..20,
            round in 0u64..3, slot in 0u64..3, rest in prop::collection::vec(0u8..2, 0..32),
        ) {
            let mut bytes = vec![kind, form];
            bytes.extend(node.to_le_bytes());
            bytes.extend(length.to_le_bytes());
            bytes.extend(round.to_le_bytes());
            bytes.extend(slot.to_le_bytes());
            bytes.extend(rest);
            let mut body = Bytes::from(bytes.clone());
            if let Ok(record) = decode(&mut body) {
                let mut again = Vec::new();
                encode(&record, &mut again);
                prop_assert_eq!(&again, &bytes[..again.len()]);
                prop_assert_eq!(bytes.len() - body.len(), again.len());
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&mut Bytes::from(bytes));
        }
    }
}
