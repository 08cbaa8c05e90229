//! Commands, batches, requests and replies as bytes.
//!
//! Little-endian integers; byte strings behind a `u32` length; lists behind their count; a tag
//! byte before each variant. One value has exactly one encoding: a decoder refuses trailing bytes
//! and anything it would have written otherwise, so equal hashes of bytes mean equal commands.
//!
//! Decoders never panic, whatever they are given, and never allocate more than a small multiple
//! of the bytes they were given. Byte strings are slices of the input, shared and not copied.
//! What outlives the batch is copied out of it (see `store`).

mod answers;
mod questions;

use super::limits::{MAX_BATCH_BYTES, MAX_BATCH_COMMANDS, MAX_COMMAND_BYTES, MAX_KEY_BYTES, MAX_VALUE_BYTES};
use super::{Batch, ClientReply, ClientRequest, Command, TxnOutcome};
use bytes::{Buf, BufMut, Bytes, BytesMut};

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
    let mut reader = Reader::new(bytes);
    let value = T::decode(&mut reader)?;
    reader.finish()?;
    Ok(value)
}

fn limit(what: &'static str, found: usize, limit: usize) -> Result<(), CodecError> {
    if found <= limit { Ok(()) } else { Err(CodecError::TooLarge { what, found, limit }) }
}

/// So many bytes, written by `write`.
pub(super) fn encode_with(bytes: usize, write: impl FnOnce(&mut BytesMut)) -> Bytes {
    let mut buffer = BytesMut::with_capacity(bytes);
    write(&mut buffer);
    buffer.freeze()
}

/// Takes a message apart from the front.
pub(super) struct Reader {
    left: Bytes,
}

impl Reader {
    pub(super) fn new(bytes: Bytes) -> Reader {
        Reader { left: bytes }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.left.is_empty()
    }

    /// Nothing may be left.
    pub(super) fn finish(self) -> Result<(), CodecError> {
        match self.left.len() {
            0 => Ok(()),
            count => Err(CodecError::Trailing { count }),
        }
    }

    #[expect(private_bounds, reason = "what can be decoded is the codec's own")]
    pub(super) fn decode<T: Decode>(&mut self) -> Result<T, CodecError> {
        T::decode(self)
    }

    fn need(&self, what: &'static str, length: usize) -> Result<(), CodecError> {
        if self.left.len() >= length { Ok(()) } else { Err(CodecError::Short { what }) }
    }

    pub(super) fn u8(&mut self, what: &'static str) -> Result<u8, CodecError> {
        self.need(what, 1)?;
        Ok(self.left.get_u8())
    }

    fn u16(&mut self, what: &'static str) -> Result<u16, CodecError> {
        self.need(what, 2)?;
        Ok(self.left.get_u16_le())
    }

    pub(super) fn u32(&mut self, what: &'static str) -> Result<u32, CodecError> {
        self.need(what, 4)?;
        Ok(self.left.get_u32_le())
    }

    pub(super) fn u64(&mut self, what: &'static str) -> Result<u64, CodecError> {
        self.need(what, 8)?;
        Ok(self.left.get_u64_le())
    }

    fn bytes(&mut self, what: &'static str, most: usize) -> Result<Bytes, CodecError> {
        let length = self.u32(what)? as usize;
        limit(what, length, most)?;
        self.need(what, length)?;
        Ok(self.left.split_to(length))
    }

    pub(super) fn key(&mut self) -> Result<Bytes, CodecError> {
        self.bytes("key", MAX_KEY_BYTES)
    }

    pub(super) fn value(&mut self) -> Result<Bytes, CodecError> {
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
