//! Cutting length-prefixed frames out of a byte stream: `u32` little-endian length, then that many
//! bytes. The proxy never changes a byte; it only wants to know where a frame ends.

use bytes::{Buf as _, Bytes, BytesMut};

/// Bytes of the length prefix.
pub const PREFIX_BYTES: usize = 4;

/// The longest frame that is taken for one. Longer than any that a node accepts, so that a node
/// gets to see, and to refuse, one that is too long for it.
pub const FRAME_BYTES_MAX: usize = 8 << 20;

/// The next unit of a stream.
#[derive(Debug, Eq, PartialEq)]
pub enum Unit {
    /// A whole frame, with its prefix.
    Frame(Bytes),
    /// Bytes of a stream that turned out not to consist of frames: relayed as they are.
    Raw(Bytes),
}

impl Unit {
    /// The bytes to relay.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        match self {
            Unit::Frame(bytes) | Unit::Raw(bytes) => bytes,
        }
    }
}

/// Cuts one direction of one connection.
#[derive(Debug)]
pub struct Cutter {
    /// Once a length makes no sense, nothing after it can be trusted to be a frame.
    framed: bool,
}

impl Cutter {
    /// A cutter for a stream that is expected to consist of frames, or not.
    #[must_use]
    pub fn new(framed: bool) -> Cutter {
        Cutter { framed }
    }

    /// Takes the next unit off the front of `buffer`, or `None` until more bytes have come.
    pub fn next(&mut self, buffer: &mut BytesMut) -> Option<Unit> {
        if self.framed {
            let mut prefix = buffer.get(..PREFIX_BYTES)?;
            let length = prefix.get_u32_le() as usize;
            if length <= FRAME_BYTES_MAX {
                let whole = PREFIX_BYTES + length;
                return (buffer.len() >= whole).then(|| Unit::Frame(buffer.split_to(whole).freeze()));
            }
            self.framed = false;
        }
        self.rest(buffer)
    }

    /// Takes everything: for the truncated frame at the end of a stream.
    pub fn rest(&mut self, buffer: &mut BytesMut) -> Option<Unit> {
        (!buffer.is_empty()).then(|| Unit::Raw(buffer.split().freeze()))
    }
}

/// What follows the prefix of a whole frame.
#[must_use]
pub fn body(frame: &Bytes) -> &[u8] {
    frame.get(PREFIX_BYTES..).unwrap_or_default()
}
