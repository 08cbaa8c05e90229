//! Commands, batches, requests and replies as bytes.
//!
//! Little-endian integers; byte strings behind a `u32` length; lists behind their count; a tag
//! byte before each variant. One value has exactly one encoding: a decoder refuses trailing bytes
//! and anything it would have written otherwise, so equal hashes of bytes mean equal commands.
//!
//! Decoders never panic, whatever they are given, and never allocate more than a small multiple
//! of the bytes they were given. Byte strings are slices of the input, shared and not copied.
//! A key kept in the store thus keeps its batch's bytes alive; the log holds those anyway.

use super::limits::{
    MAX_BATCH_BYTES, MAX_BATCH_COMMANDS, MAX_COMMAND_BYTES, MAX_KEY_BYTES, MAX_LIST_ITEMS, MAX_TXN_OPS,
    MAX_VALUE_BYTES,
};
use super::{
    AbortReason, Batch, ClientReply, ClientRequest, ClientResult, Command, DefiniteError, OpResult, Reply,
    RequestId, SessionId, Txn, TxnOp, TxnOutcome, UnknownReason,
};
use crate::paxos::{NodeId, Slot};
use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Version of the batch format: the first byte of every batch, since batches outlive programs.
const BATCH_FORMAT: u8 = 1;

/// Why bytes make no sense.
#[derive(Clone, Eq, PartialEq, Debug, thiserror::Error)]
pub enum CodecError {
    /// The bytes end within something.
    #[error("{what} is cut short")]
    Short {
        /// What was being read.
        what: &'static str,
    },
    /// A tag or field holds a value that no encoder writes.
    #[error("{what} can't be {found}")]
    Unknown {
        /// What was being read.
        what: &'static str,
        /// What it held.
        found: u64,
    },
    /// A length or a count is beyond its limit.
    #[error("{what} of {found} is beyond the limit of {limit}")]
    TooLarge {
        /// What was being read.
        what: &'static str,
        /// How much of it there is.
        found: usize,
        /// How much there may be.
        limit: usize,
    },
    /// Bytes are left over.
    #[error("{count} bytes too many at the end")]
    Trailing {
        /// How many.
        count: usize,
    },
}

impl CodecError {
    /// Whether the sender asked for too much, rather than wrote nonsense.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        matches!(self, CodecError::TooLarge { .. })
    }
}

impl Batch {
    /// What an encoded batch holds besides its commands.
    pub const HEADER_BYTES: usize = 1 + 8 + 4;

    /// The batch as bytes.
    ///
    /// # Panics
    /// If the batch is beyond its limits: whoever puts batches together counts with
    /// [`Command::encoded_len`], for no replica could decode it.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let bytes = encode(self);
        assert!(self.commands.len() <= MAX_BATCH_COMMANDS, "a batch of {} commands", self.commands.len());
        assert!(bytes.len() <= MAX_BATCH_BYTES, "a batch of {} bytes", bytes.len());
        bytes
    }

    /// Reads what [`Batch::encode`] wrote.
    ///
    /// # Errors
    /// If the bytes are no batch, or beyond a limit.
    pub fn decode(bytes: Bytes) -> Result<Batch, CodecError> {
        limit("batch bytes", bytes.len(), MAX_BATCH_BYTES)?;
        decode(bytes)
    }
}

impl Command {
    /// How many bytes it adds to a batch.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        let mut count = ByteCount(0);
        self.encode(&mut count);
        count.0
    }
}

impl TxnOutcome {
    /// How many bytes it takes in a reply.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        let mut count = ByteCount(0);
        self.encode(&mut count);
        count.0
    }
}

impl ClientRequest {
    /// The request as bytes.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        encode(self)
    }

    /// Reads what [`ClientRequest::encode`] wrote. A command that passes fits a batch.
    ///
    /// # Errors
    /// If the bytes are no request, or beyond a limit.
    pub fn decode(bytes: Bytes) -> Result<ClientRequest, CodecError> {
        limit("request bytes", bytes.len(), 8 + MAX_COMMAND_BYTES)?;
        decode(bytes)
    }
}

impl ClientReply {
    /// The reply as bytes.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        encode(self)
    }

    /// Reads what [`ClientReply::encode`] wrote.
    ///
    /// # Errors
    /// If the bytes are no reply, or beyond a limit.
    pub fn decode(bytes: Bytes) -> Result<ClientReply, CodecError> {
        decode(bytes)
    }
}

/// Where encoded integers and byte strings go: into a buffer, a count or a hash.
pub(super) trait Sink {
    fn u8(&mut self, value: u8);
    fn u16(&mut self, value: u16);
    fn u32(&mut self, value: u32);
    fn u64(&mut self, value: u64);
    /// Exactly these bytes; their length is told apart.
    fn raw(&mut self, bytes: &[u8]);

    fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.raw(bytes);
    }

    fn count(&mut self, count: usize) {
        self.u32(u32::try_from(count).expect("no length or count comes near 32 bits"));
    }
}

impl Sink for BytesMut {
    fn u8(&mut self, value: u8) {
        self.put_u8(value);
    }
    fn u16(&mut self, value: u16) {
        self.put_u16_le(value);
    }
    fn u32(&mut self, value: u32) {
        self.put_u32_le(value);
    }
    fn u64(&mut self, value: u64) {
        self.put_u64_le(value);
    }
    fn raw(&mut self, bytes: &[u8]) {
        self.put_slice(bytes);
    }
}

/// Counts the bytes that a buffer would get.
#[derive(Default)]
pub(super) struct ByteCount(usize);

impl ByteCount {
    pub(super) fn total(&self) -> usize {
        self.0
    }
}

impl Sink for ByteCount {
    fn u8(&mut self, _: u8) {
        self.0 += 1;
    }
    fn u16(&mut self, _: u16) {
        self.0 += 2;
    }
    fn u32(&mut self, _: u32) {
        self.0 += 4;
    }
    fn u64(&mut self, _: u64) {
        self.0 += 8;
    }
    fn raw(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }
}

/// What has bytes.
pub(super) trait Encode {
    fn encode(&self, sink: &mut impl Sink);
}

/// What can be read from bytes.
trait Decode: Sized {
    fn decode(reader: &mut Reader) -> Result<Self, CodecError>;
}

fn encode(value: &impl Encode) -> Bytes {
    let mut count = ByteCount(0);
    value.encode(&mut count);
    let mut buffer = BytesMut::with_capacity(count.0);
    value.encode(&mut buffer);
    buffer.freeze()
}

fn decode<T: Decode>(bytes: Bytes) -> Result<T, CodecError> {
    let mut reader = Reader { left: bytes };
    let value = T::decode(&mut reader)?;
    if reader.left.is_empty() { Ok(value) } else { Err(CodecError::Trailing { count: reader.left.len() }) }
}

fn limit(what: &'static str, found: usize, limit: usize) -> Result<(), CodecError> {
    if found <= limit { Ok(()) } else { Err(CodecError::TooLarge { what, found, limit }) }
}

/// Takes a message apart from the front.
struct Reader {
    left: Bytes,
}

impl Reader {
    fn need(&self, what: &'static str, length: usize) -> Result<(), CodecError> {
        if self.left.len() >= length { Ok(()) } else { Err(CodecError::Short { what }) }
    }

    fn u8(&mut self, what: &'static str) -> Result<u8, CodecError> {
        self.need(what, 1)?;
        Ok(self.left.get_u8())
    }

    fn u16(&mut self, what: &'static str) -> Result<u16, CodecError> {
        self.need(what, 2)?;
        Ok(self.left.get_u16_le())
    }

    fn u32(&mut self, what: &'static str) -> Result<u32, CodecError> {
        self.need(what, 4)?;
        Ok(self.left.get_u32_le())
    }

    fn u64(&mut self, what: &'static str) -> Result<u64, CodecError> {
        self.need(what, 8)?;
        Ok(self.left.get_u64_le())
    }

    fn bytes(&mut self, what: &'static str, most: usize) -> Result<Bytes, CodecError> {
        let length = self.u32(what)? as usize;
        limit(what, length, most)?;
        self.need(what, length)?;
        Ok(self.left.split_to(length))
    }

    fn key(&mut self) -> Result<Bytes, CodecError> {
        self.bytes("key", MAX_KEY_BYTES)
    }

    fn value(&mut self) -> Result<Bytes, CodecError> {
        self.bytes("value", MAX_VALUE_BYTES)
    }

    /// A count, then as many items. Every item takes a byte at least, so the count can't make us
    /// reserve much more than we were sent.
    fn list<T>(
        &mut self,
        what: &'static str,
        most: usize,
        mut item: impl FnMut(&mut Reader) -> Result<T, CodecError>,
    ) -> Result<Vec<T>, CodecError> {
        let count = self.u32(what)? as usize;
        limit(what, count, most)?;
        self.need(what, count)?;
        (0..count).map(|_| item(self)).collect()
    }
}

impl Encode for Batch {
    fn encode(&self, sink: &mut impl Sink) {
        sink.u8(BATCH_FORMAT);
        sink.u64(self.time_ms);
        sink.count(self.commands.len());
        for command in &self.commands {
            command.encode(sink);
        }
    }
}

impl Decode for Batch {
    fn decode(reader: &mut Reader) -> Result<Self, CodecError> {
        let format = reader.u8("batch format")?;
        if format != BATCH_FORMAT {
            return Err(CodecError::Unknown { what: "batch format", found: u64::from(format) });
        }
        let time_ms = reader.u64("batch time")?;
        let commands = reader.list("commands", MAX_BATCH_COMMANDS, Command::decode)?;
        Ok(Batch { time_ms, commands })
    }
}

impl Encode for Command {
    fn encode(&self, sink: &mut impl Sink) {
        match self {
            Command::OpenSession { nonce } => {
                sink.u8(1);
                sink.u64(*nonce);
            }
            Command::Execute { request: None, txn } => {
                sink.u8(2);
                txn.encode(sink);
            }
            Command::Execute { request: Some(request), txn } => {
                sink.u8(3);
                sink.u64(request.session.0);
                sink.u64(request.sequence);
                txn.encode(sink);
            }
        }
    }
}

impl Decode for Command {
    fn decode(reader: &mut Reader) -> Result<Self, CodecError> {
        Ok(match reader.u8("command")? {
            1 => Command::OpenSession { nonce: reader.u64("nonce")? },
            2 => Command::Execute { request: None, txn: Txn::decode(reader)? },
            3 => {
                let session = SessionId(reader.u64("session")?);
                let sequence = reader.u64("sequence")?;
                if session.0 == 0 || sequence == 0 {
                    return Err(CodecError::Unknown { what: "session or sequence", found: 0 });
                }
                let request = Some(RequestId { session, sequence });
                Command::Execute { request, txn: Txn::decode(reader)? }
            }
            other => return Err(CodecError::Unknown { what: "command", found: u64::from(other) }),
        })
    }
}

impl Encode for Txn {
    fn encode(&self, sink: &mut impl Sink) {
        sink.count(self.ops.len());
        for op in &self.ops {
            op.encode(sink);
        }
    }
}

impl Decode for Txn {
    fn decode(reader: &mut Reader) -> Result<Self, CodecError> {
        Ok(Txn { ops: reader.list("operations", MAX_TXN_OPS, TxnOp::decode)? })
    }
}

impl Encode for TxnOp {
    fn encode(&self, sink: &mut impl Sink) {
        sink.u8(match self {
            TxnOp::Get { .. } => 1,
            TxnOp::Put { .. } => 2,
            TxnOp::Cas { expect: None, .. } => 3,
            TxnOp::Cas { expect: Some(_), .. } => 4,
            TxnOp::Append { .. } => 5,
            TxnOp::Add { .. } => 6,
            TxnOp::Delete { .. } => 7,
        });
        sink.bytes(self.key());
        match self {
            TxnOp::Get { .. } | TxnOp::Delete { .. } => {}
            TxnOp::Put { value, .. } | TxnOp::Append { value, .. } => sink.bytes(value),
            TxnOp::Cas { expect, value, .. } => {
                if let Some(expect) = expect {
                    sink.bytes(expect);
                }
                sink.bytes(value);
            }
            TxnOp::Add { delta, .. } => sink.u64(delta.cast_unsigned()),
        }
    }
}

impl Decode for TxnOp {
    fn decode(reader: &mut Reader) -> Result<Self, CodecError> {
        let tag = reader.u8("operation")?;
        if !(1..=7).contains(&tag) {
            return Err(CodecError::Unknown { what: "operation", found: u64::from(tag) });
        }
        let key = reader.key()?;
        Ok(match tag {
            1 => TxnOp::Get { key },
            2 => TxnOp::Put { key, value: reader.value()? },
            3 => TxnOp::Cas { key, expect: None, value: reader.value()? },
            4 => TxnOp::Cas { key, expect: Some(reader.value()?), value: reader.value()? },
            5 => TxnOp::Append { key, value: reader.value()? },
            6 => TxnOp::Add { key, delta: reader.u64("delta")?.cast_signed() },
            _ => TxnOp::Delete { key },
        })
    }
}

impl Encode for OpResult {
    fn encode(&self, sink: &mut impl Sink) {
        match self {
            OpResult::Done => sink.u8(0),
            OpResult::Value(None) => sink.u8(1),
            OpResult::Value(Some(value)) => {
                sink.u8(2);
                sink.bytes(value);
            }
            OpResult::List(items) => {
                sink.u8(3);
                sink.count(items.len());
                for item in items {
                    sink.bytes(item);
                }
            }
            OpResult::Integer(value) => {
                sink.u8(4);
                sink.u64(value.cast_unsigned());
            }
        }
    }
}

impl Decode for OpResult {
    fn decode(reader: &mut Reader) -> Result<Self, CodecError> {
        Ok(match reader.u8("result")? {
            0 => OpResult::Done,
            1 => OpResult::Value(None),
            2 => OpResult::Value(Some(reader.value()?)),
            3 => OpResult::List(reader.list("list", MAX_LIST_ITEMS, Reader::value)?),
            4 => OpResult::Integer(reader.u64("integer")?.cast_signed()),
            other => return Err(CodecError::Unknown { what: "result", found: u64::from(other) }),
        })
    }
}

impl Encode for TxnOutcome {
    fn encode(&self, sink: &mut impl Sink) {
        match self {
            TxnOutcome::Done(results) => {
                sink.u8(1);
                sink.count(results.len());
                for result in results {
                    result.encode(sink);
                }
            }
            TxnOutcome::Aborted { op, reason } => {
                sink.u8(2);
                sink.u16(*op);
                sink.u8(match reason {
                    AbortReason::CasMismatch => 1,
                    AbortReason::WrongType => 2,
                    AbortReason::Overflow => 3,
                    AbortReason::TooLarge => 4,
                });
            }
        }
    }
}

impl Decode for TxnOutcome {
    fn decode(reader: &mut Reader) -> Result<Self, CodecError> {
        Ok(match reader.u8("outcome")? {
            1 => TxnOutcome::Done(reader.list("results", MAX_TXN_OPS, OpResult::decode)?),
            2 => {
                let op = reader.u16("aborting operation")?;
                let reason = match reader.u8("abort reason")? {
                    1 => AbortReason::CasMismatch,
                    2 => AbortReason::WrongType,
                    3 => AbortReason::Overflow,
                    4 => AbortReason::TooLarge,
                    other => {
                        return Err(CodecError::Unknown { what: "abort reason", found: u64::from(other) });
                    }
                };
                TxnOutcome::Aborted { op, reason }
            }
            other => return Err(CodecError::Unknown { what: "outcome", found: u64::from(other) }),
        })
    }
}

impl Encode for Reply {
    fn encode(&self, sink: &mut impl Sink) {
        match self {
            Reply::SessionOpened(session) => {
                sink.u8(1);
                sink.u64(session.0);
            }
            Reply::Outcome(outcome) => {
                sink.u8(2);
                outcome.encode(sink);
            }
            Reply::SessionExpired => sink.u8(3),
            Reply::Superseded => sink.u8(4),
        }
    }
}

impl Decode for Reply {
    fn decode(reader: &mut Reader) -> Result<Self, CodecError> {
        Ok(match reader.u8("reply")? {
            1 => Reply::SessionOpened(SessionId(reader.u64("session")?)),
            2 => Reply::Outcome(TxnOutcome::decode(reader)?),
            3 => Reply::SessionExpired,
            4 => Reply::Superseded,
            other => return Err(CodecError::Unknown { what: "reply", found: u64::from(other) }),
        })
    }
}

impl Encode for ClientRequest {
    fn encode(&self, sink: &mut impl Sink) {
        sink.u64(self.id);
        self.command.encode(sink);
    }
}

impl Decode for ClientRequest {
    fn decode(reader: &mut Reader) -> Result<Self, CodecError> {
        Ok(ClientRequest { id: reader.u64("request id")?, command: Command::decode(reader)? })
    }
}

impl Encode for ClientReply {
    fn encode(&self, sink: &mut impl Sink) {
        sink.u64(self.id);
        sink.u64(self.slot.0);
        match &self.result {
            ClientResult::Reply(reply) => {
                sink.u8(1);
                reply.encode(sink);
            }
            ClientResult::Failed(error) => {
                sink.u8(2);
                error.encode(sink);
            }
            ClientResult::Unknown(reason) => {
                sink.u8(3);
                sink.u8(match reason {
                    UnknownReason::LeaderChanged => 1,
                    UnknownReason::ForwardLost => 2,
                    UnknownReason::Refused => 3,
                    UnknownReason::Stopping => 4,
                });
            }
        }
    }
}

impl Decode for ClientReply {
    fn decode(reader: &mut Reader) -> Result<Self, CodecError> {
        let id = reader.u64("request id")?;
        let slot = Slot(reader.u64("slot")?);
        let result = match reader.u8("answer")? {
            1 => ClientResult::Reply(Reply::decode(reader)?),
            2 => ClientResult::Failed(DefiniteError::decode(reader)?),
            3 => ClientResult::Unknown(match reader.u8("unknown reason")? {
                1 => UnknownReason::LeaderChanged,
                2 => UnknownReason::ForwardLost,
                3 => UnknownReason::Refused,
                4 => UnknownReason::Stopping,
                other => {
                    return Err(CodecError::Unknown { what: "unknown reason", found: u64::from(other) });
                }
            }),
            other => return Err(CodecError::Unknown { what: "answer", found: u64::from(other) }),
        };
        Ok(ClientReply { id, slot, result })
    }
}

impl Encode for DefiniteError {
    fn encode(&self, sink: &mut impl Sink) {
        match self {
            DefiniteError::NotLeader { hint } => {
                sink.u8(1);
                sink.u16(hint.map_or(0, |node| node.0));
            }
            DefiniteError::NoLeader => sink.u8(2),
            DefiniteError::Overloaded => sink.u8(3),
            DefiniteError::TooLarge => sink.u8(4),
            DefiniteError::Malformed => sink.u8(5),
        }
    }
}

impl Decode for DefiniteError {
    fn decode(reader: &mut Reader) -> Result<Self, CodecError> {
        Ok(match reader.u8("error")? {
            1 => {
                let hint = reader.u16("leader hint")?;
                DefiniteError::NotLeader { hint: (hint != 0).then_some(NodeId(hint)) }
            }
            2 => DefiniteError::NoLeader,
            3 => DefiniteError::Overloaded,
            4 => DefiniteError::TooLarge,
            5 => DefiniteError::Malformed,
            other => return Err(CodecError::Unknown { what: "error", found: u64::from(other) }),
        })
    }
}
