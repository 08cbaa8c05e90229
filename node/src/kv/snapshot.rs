//! The state as bytes, in pieces, and back.
//!
//! A piece is a tag and what it says; integers and byte strings as in [`codec`](super::codec):
//!
//! | tag | what | how often |
//! |---|---|---|
//! | 1 | slot, its state hash, cluster time in ms: u64 each | once, first |
//! | 2 | sessions: a count, and for each its id, sequence, last use: u64, and its reply behind a u8: 0 none, 1 one | as needed |
//! | 3 | keys: a count, and for each the key and a u8: 0 bytes, 1 a list, 2 an integer, then that | as needed |
//!
//! Sessions come before keys, each in ascending order, so equal states are equal bytes: a node that
//! has fetched half of a snapshot from one node can go on with another that has the same. No session
//! and no key is split; a piece ends after [`PIECE_BYTES`].

use super::codec::{CodecError, Encode, Reader, Sink, encode_with};
use super::frozen::Capture;
use super::limits::{MAX_LIST_ITEMS, MAX_OUTCOME_BYTES, MAX_SESSIONS};
use super::session::Session;
use super::store::{Held, List};
use super::{Kv, Reply, SessionId};
use crate::paxos::{AppliedHash, Slot};
use bytes::{Bytes, BytesMut};
use std::sync::Arc;

/// A piece takes nothing more once it has so many bytes: small enough that writing or sending one
/// holds up nobody, large enough that its header is noise.
pub const PIECE_BYTES: usize = 64 << 10;

/// No piece is larger: a last entry comes on top, and none is larger than a reply (a list has half
/// of that).
pub const PIECE_BYTES_MAX: usize = PIECE_BYTES + MAX_OUTCOME_BYTES + 4096;

const CLOCK: u8 = 1;
const SESSIONS: u8 = 2;
const KEYS: u8 = 3;

const HOLDS_BYTES: u8 = 0;
const HOLDS_LIST: u8 = 1;
const HOLDS_INTEGER: u8 = 2;

/// Where a snapshot under way stands.
#[derive(Debug)]
pub(super) enum Under {
    Clock(Capture),
    Sessions(Capture),
    Keys,
}

impl Kv {
    /// Begins a snapshot of the state as it is now, and says which that is. One that was under way
    /// is given up.
    pub fn begin_snapshot(&mut self) -> AppliedHash {
        let capture = Capture::begin(self.applied(), self.now_ms, &self.sessions, &mut self.store);
        let applied = capture.applied;
        self.capture = Some(Under::Clock(capture));
        applied
    }

    /// Gives up the snapshot under way, if there is one.
    pub fn end_snapshot(&mut self) {
        self.capture = None;
        self.store.frozen = None;
    }

    /// The next piece of the snapshot under way, whatever has been applied since it began; `None`
    /// after the last.
    pub fn next_piece(&mut self) -> Option<Bytes> {
        match self.capture.take()? {
            Under::Clock(capture) => {
                let mut piece = BytesMut::with_capacity(32);
                piece.u8(CLOCK);
                piece.u64(capture.applied.slot.0);
                piece.u64(capture.applied.hash);
                piece.u64(capture.now_ms);
                self.capture = Some(Under::Sessions(capture));
                Some(piece.freeze())
            }
            Under::Sessions(mut capture) => {
                let sessions = std::iter::from_fn(|| capture.sessions.pop_first());
                match piece(SESSIONS, sessions, write_session) {
                    Some(piece) => {
                        self.capture = Some(Under::Sessions(capture));
                        Some(piece)
                    }
                    None => {
                        self.capture = Some(Under::Keys);
                        self.next_piece()
                    }
                }
            }
            Under::Keys => {
                let store = &mut self.store;
                let keys = std::iter::from_fn(|| store.next_frozen());
                let piece = piece(KEYS, keys, write_key);
                match piece {
                    Some(_) => self.capture = Some(Under::Keys),
                    None => self.end_snapshot(),
                }
                piece
            }
        }
    }
}

/// As many entries as one piece takes; `None` if there are none.
fn piece<T>(tag: u8, entries: impl Iterator<Item = T>, write: impl Fn(&T, &mut BytesMut)) -> Option<Bytes> {
    let (mut body, mut count) = (BytesMut::new(), 0);
    for entry in entries {
        write(&entry, &mut body);
        count += 1;
        if body.len() >= PIECE_BYTES {
            break;
        }
    }
    (count > 0).then(|| {
        encode_with(5 + body.len(), |piece| {
            piece.u8(tag);
            piece.count(count);
            piece.raw(&body);
        })
    })
}

fn write_session((id, session): &(SessionId, Session), out: &mut BytesMut) {
    out.u64(id.0);
    out.u64(session.sequence);
    out.u64(session.used_ms);
    match &session.reply {
        None => out.u8(0),
        Some(reply) => {
            out.u8(1);
            reply.encode(out);
        }
    }
}

fn write_key((key, held): &(Bytes, Held), out: &mut BytesMut) {
    out.bytes(key);
    match held {
        Held::Bytes(value) => {
            out.u8(HOLDS_BYTES);
            out.bytes(value);
        }
        Held::List(list) => {
            out.u8(HOLDS_LIST);
            out.count(list.items.len());
            list.items.iter().for_each(|item| out.bytes(item));
        }
        Held::Integer(value) => {
            out.u8(HOLDS_INTEGER);
            out.u64(value.cast_unsigned());
        }
    }
}

/// A state that is being put together from pieces. Whatever they hold, it never panics.
#[derive(Default)]
pub struct Restoring {
    kv: Kv,
    /// The tag of the last piece.
    last: u8,
}

impl Restoring {
    /// Takes in the next piece.
    ///
    /// # Errors
    /// If it is none, or does not come next. What has been put together is then of no use.
    pub fn take(&mut self, piece: Bytes) -> Result<(), CodecError> {
        let mut reader = Reader::new(piece);
        let tag = reader.u8("piece")?;
        let follows = match tag {
            CLOCK => self.last == 0,
            SESSIONS | KEYS => (CLOCK..=tag).contains(&self.last),
            _ => false,
        };
        if !follows {
            return Err(CodecError::Unknown { what: "piece", found: u64::from(tag) });
        }
        self.last = tag;
        match tag {
            CLOCK => {
                let applied = AppliedHash { slot: Slot(reader.u64("slot")?), hash: reader.u64("hash")? };
                self.kv.hashes = [applied].into();
                self.kv.origin = applied;
                self.kv.now_ms = reader.u64("time")?;
            }
            SESSIONS => {
                let count = reader.u32("sessions")? as usize;
                (0..count).try_for_each(|_| self.session(&mut reader))?;
            }
            _ => {
                let count = reader.u32("keys")?;
                (0..count).try_for_each(|_| self.key(&mut reader))?;
            }
        }
        reader.finish()
    }

    /// Which state it will be; slot 0 before the first piece.
    #[must_use]
    pub fn applied(&self) -> AppliedHash {
        self.kv.applied()
    }

    /// The state, after the last piece.
    ///
    /// # Errors
    /// If there was no piece at all.
    pub fn finish(self) -> Result<Kv, CodecError> {
        if self.last == 0 { Err(CodecError::Short { what: "snapshot" }) } else { Ok(self.kv) }
    }

    fn session(&mut self, reader: &mut Reader) -> Result<(), CodecError> {
        let id = SessionId(reader.u64("session")?);
        let (sequence, used_ms) = (reader.u64("sequence")?, reader.u64("last use")?);
        let reply = match reader.u8("reply")? {
            0 => None,
            1 => Some(Arc::new(reader.reply()?)),
            other => return Err(CodecError::Unknown { what: "reply", found: u64::from(other) }),
        };
        let ascends = self.kv.sessions.open.last_key_value().is_none_or(|(last, _)| *last < id);
        if !ascends || used_ms > self.kv.now_ms {
            let found = if ascends { used_ms } else { id.0 };
            return Err(CodecError::Unknown { what: "session's place", found });
        }
        if !self.kv.sessions.restore(id, Session { sequence, reply, used_ms }) {
            let found = self.kv.sessions() + 1;
            return Err(CodecError::TooLarge { what: "sessions", found, limit: MAX_SESSIONS });
        }
        Ok(())
    }

    fn key(&mut self, reader: &mut Reader) -> Result<(), CodecError> {
        let key = reader.key()?;
        let held = match reader.u8("held")? {
            HOLDS_BYTES => Held::Bytes(Bytes::copy_from_slice(&reader.value()?)),
            HOLDS_LIST => Held::List(list(reader)?),
            HOLDS_INTEGER => Held::Integer(reader.u64("integer")?.cast_signed()),
            other => return Err(CodecError::Unknown { what: "held", found: u64::from(other) }),
        };
        if self.kv.store.keys.last_key_value().is_some_and(|(last, _)| *last >= key) {
            return Err(CodecError::Unknown { what: "order of keys", found: 0 });
        }
        self.kv.store.keys.insert(Bytes::copy_from_slice(&key), held);
        Ok(())
    }
}

fn list(reader: &mut Reader) -> Result<List, CodecError> {
    let too_large = |found| CodecError::TooLarge { what: "list", found, limit: MAX_LIST_ITEMS };
    let count = reader.u32("list")? as usize;
    let mut list = List::default();
    for _ in 0..count {
        list.push(&reader.value()?).map_err(|_| too_large(count))?;
    }
    Ok(list)
}

/// Replies are read where replies are written.
impl Reader {
    fn reply(&mut self) -> Result<Reply, CodecError> {
        self.decode()
    }
}
