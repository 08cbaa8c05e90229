//! A cursor over a frame's body that knows where in the frame it stands, so that a refusal can
//! name the field and its offset. Never panics, never reads past the end.

use super::FrameError;
use super::frame::HEADER_BYTES;
use bytes::{Buf, Bytes};

/// What is left of a body.
pub(super) struct Body {
    bytes: Bytes,
    length: usize,
}

impl Body {
    /// Starts at the first byte after the header.
    pub(super) fn new(bytes: Bytes) -> Body {
        let length = bytes.len();
        Body { bytes, length }
    }

    /// Bytes not yet read.
    pub(super) fn remaining(&self) -> usize {
        self.bytes.len()
    }

    /// A refusal that points at the next byte.
    pub(super) fn malformed(&self, field: &'static str) -> FrameError {
        FrameError::Malformed { field, offset: HEADER_BYTES + self.length - self.bytes.len() }
    }

    pub(super) fn u8(&mut self, field: &'static str) -> Result<u8, FrameError> {
        self.bytes.try_get_u8().map_err(|_| self.malformed(field))
    }

    pub(super) fn u16(&mut self, field: &'static str) -> Result<u16, FrameError> {
        self.bytes.try_get_u16_le().map_err(|_| self.malformed(field))
    }

    pub(super) fn u32(&mut self, field: &'static str) -> Result<u32, FrameError> {
        self.bytes.try_get_u32_le().map_err(|_| self.malformed(field))
    }

    pub(super) fn u64(&mut self, field: &'static str) -> Result<u64, FrameError> {
        self.bytes.try_get_u64_le().map_err(|_| self.malformed(field))
    }

    /// The next `length` bytes, sharing the frame's buffer.
    pub(super) fn bytes(&mut self, length: usize, field: &'static str) -> Result<Bytes, FrameError> {
        if length > self.bytes.len() {
            return Err(self.malformed(field));
        }
        Ok(self.bytes.split_to(length))
    }

    /// Everything that is left, sharing the frame's buffer.
    pub(super) fn rest(&mut self) -> Bytes {
        self.bytes.split_off(0)
    }

    /// A body that holds more than its kind says was not written by us.
    pub(super) fn finish(self) -> Result<(), FrameError> {
        if self.bytes.is_empty() { Ok(()) } else { Err(self.malformed("trailing bytes")) }
    }
}
