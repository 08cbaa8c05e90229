//! Parts of a snapshot: a header of 32 bytes, little-endian, and a body.
//!
//! | at | what |
//! |---|---|
//! | 0 | the text `APXP` |
//! | 4 | u8 kind: 1 head, 2 state, 3 end |
//! | 5 | zeros |
//! | 8 | u32 index, from 0 |
//! | 12 | u32 length of the body in bytes |
//! | 16 | u64 slot of the snapshot |
//! | 24 | u32 CRC32C over the body |
//! | 28 | u32 CRC32C over the 28 bytes before |
//!
//! The head's body is the ballot of the snapshot's [`Base`]: u64 round, u16 node; and the
//! configurations that govern the slots behind it ([`Governing`]): for each a u64, the first slot it
//! governs, a u16 length and so many bytes. Heads from before members could be changed name none:
//! the founding one it is then. A state part's is a
//! piece of the state. The end's is a u32 CRC32C over the headers of all parts before it, one behind
//! the other, which hold the checksums of all bodies; without the headers' own checksums, though: a
//! checksum over bytes and their own checksum is the same for all bytes.

use super::Flaw;
use crate::kv::PIECE_BYTES_MAX;
use crate::paxos::{Ballot, Base, Configuration, Governing, NodeId, Slot};
use crate::wal::{u32_at, u64_at};
use crate::wire::plausible::ROUND_MAX;
use bytes::{Bytes, BytesMut};
use std::sync::Arc;

/// Bytes before the body.
pub const HEADER_BYTES: usize = 32;

/// No part is longer, header included.
pub const PART_BYTES_MAX: usize = HEADER_BYTES + PIECE_BYTES_MAX;

const MAGIC: [u8; 4] = *b"APXP";
const HEAD: u8 = 1;
const STATE: u8 = 2;
const END: u8 = 3;
const CRC_AT: usize = 28;
const BALLOT_BYTES: usize = 10;

/// What a part holds.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum Body {
    /// The beginning.
    Head(Head),
    /// A piece of the state.
    State(Bytes),
    /// The end.
    End,
}

/// What a snapshot says besides the state.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Head {
    /// Of its [`Base`].
    pub ballot: Ballot,
    /// Who governs the slots behind it.
    pub governing: Vec<Governing>,
}

/// Writes the parts of one snapshot, in order.
#[derive(Debug)]
pub struct Writer {
    slot: Slot,
    next: u32,
    chain: u32,
}

impl Writer {
    /// Begins a snapshot of the state after `base.slot`: the writer, and the first part.
    ///
    /// # Panics
    /// If more configurations are named than can govern the slots behind one.
    #[must_use]
    pub fn begin(base: Base, governing: &[Governing]) -> (Writer, Bytes) {
        let mut writer = Writer { slot: base.slot, next: 0, chain: 0 };
        let mut body = Vec::new();
        body.extend(base.ballot.round.to_le_bytes());
        body.extend(base.ballot.node.0.to_le_bytes());
        for Governing { from, configuration } in governing {
            let bytes = configuration.encode();
            body.extend(from.0.to_le_bytes());
            body.extend(u16::try_from(bytes.len()).expect("bounded by its members").to_le_bytes());
            body.extend(bytes);
        }
        assert!(body.len() <= PIECE_BYTES_MAX, "a head of {} bytes", body.len());
        let head = writer.part(HEAD, &body);
        (writer, head)
    }

    /// The next part, which holds this piece of the state.
    ///
    /// # Panics
    /// If the piece is longer than any piece may be.
    #[must_use]
    pub fn state(&mut self, piece: &[u8]) -> Bytes {
        assert!(piece.len() <= PIECE_BYTES_MAX, "a piece of {} bytes", piece.len());
        self.part(STATE, piece)
    }

    /// The last part.
    #[must_use]
    pub fn end(mut self) -> Bytes {
        let chain = self.chain.to_le_bytes();
        self.part(END, &chain)
    }

    fn part(&mut self, kind: u8, body: &[u8]) -> Bytes {
        let length = u32::try_from(body.len()).expect("bounded by its callers");
        let mut part = BytesMut::zeroed(HEADER_BYTES);
        part[..4].copy_from_slice(&MAGIC);
        part[4] = kind;
        part[8..12].copy_from_slice(&self.next.to_le_bytes());
        part[12..16].copy_from_slice(&length.to_le_bytes());
        part[16..24].copy_from_slice(&self.slot.0.to_le_bytes());
        part[24..28].copy_from_slice(&crc32c::crc32c(body).to_le_bytes());
        let crc = crc32c::crc32c(&part[..CRC_AT]);
        part[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
        self.chain = crc32c::crc32c_append(self.chain, &part[..CRC_AT]);
        self.next += 1;
        part.extend_from_slice(body);
        part.freeze()
    }
}

/// Reads the parts of one snapshot, in order, and believes none of them.
#[derive(Debug)]
pub struct Reader {
    slot: Slot,
    next: u32,
    chain: u32,
    ended: bool,
}

impl Reader {
    /// Before the first part of a snapshot of the state after `slot`.
    #[must_use]
    pub fn new(slot: Slot) -> Reader {
        Reader { slot, next: 0, chain: 0, ended: false }
    }

    /// The index of the part that comes next.
    #[must_use]
    pub fn next(&self) -> u32 {
        self.next
    }

    /// Whether the last part has been read.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// Takes in the next part, and nothing but that.
    ///
    /// # Errors
    /// What is wrong with it. The reader is then as it was, and another copy may do.
    pub fn take(&mut self, part: &Bytes) -> Result<Body, Flaw> {
        let length = length(part)?;
        if part.len() != HEADER_BYTES + length {
            return Err(Flaw::PartCut);
        }
        let header = &part[..HEADER_BYTES];
        let (index, slot) = (u32_at(header, 8), Slot(u64_at(header, 16)));
        if self.ended || index != self.next || slot != self.slot {
            return Err(Flaw::PartOutOfPlace { slot, index, expected: self.slot, due: self.next });
        }
        let body = part.slice(HEADER_BYTES..);
        if u32_at(header, 24) != crc32c::crc32c(&body) {
            return Err(Flaw::PartChecksum);
        }
        let kind = header[4];
        let read = match (kind, body.len()) {
            (HEAD, BALLOT_BYTES..) if index == 0 => {
                Body::Head(head(&body).ok_or(Flaw::PartUnknown { kind })?)
            }
            (STATE, _) if index > 0 => Body::State(body),
            (END, 4) if index > 0 && u32_at(&body, 0) == self.chain => Body::End,
            (END, 4) if index > 0 => return Err(Flaw::PartsMixed),
            _ => return Err(Flaw::PartUnknown { kind }),
        };
        self.chain = crc32c::crc32c_append(self.chain, &header[..CRC_AT]);
        self.next += 1;
        self.ended = kind == END;
        Ok(read)
    }
}

fn head(body: &[u8]) -> Option<Head> {
    const PLACE_BYTES: usize = 10;
    let node = NodeId(u16::from_le_bytes([body[8], body[9]]));
    let ballot = Ballot { round: u64_at(body, 0), node };
    if ballot.round > ROUND_MAX || node > NodeId::MAX {
        return None;
    }
    let (mut governing, mut rest) = (Vec::<Governing>::new(), &body[BALLOT_BYTES..]);
    while let Some((place, behind)) = rest.split_first_chunk::<PLACE_BYTES>() {
        let (from, length) = (Slot(u64_at(place, 0)), u16::from_le_bytes([place[8], place[9]]));
        let (bytes, behind) = behind.split_at_checked(usize::from(length))?;
        let configuration = Arc::new(Configuration::decode(bytes)?);
        if governing.last().is_some_and(|last| last.from >= from) {
            return None;
        }
        governing.push(Governing { from, configuration });
        rest = behind;
    }
    rest.is_empty().then_some(Head { ballot, governing })
}

/// The length of the body behind the header at the start of `bytes`, if that can be trusted.
pub(super) fn length(bytes: &[u8]) -> Result<usize, Flaw> {
    let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else { return Err(Flaw::PartCut) };
    if header[..4] != MAGIC || u32_at(header, CRC_AT) != crc32c::crc32c(&header[..CRC_AT]) {
        return Err(Flaw::PartHeader);
    }
    let length = u32_at(header, 12) as usize;
    if length > PIECE_BYTES_MAX { Err(Flaw::PartTooLong { bytes: length }) } else { Ok(length) }
}
