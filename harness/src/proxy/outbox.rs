//! What is due and not yet written, in one direction of one connection.

use bytes::{Buf as _, Bytes};
use std::collections::VecDeque;
use std::io::IoSlice;

/// Whole units, but for the first, of which a part may have been written.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    units: VecDeque<Bytes>,
    bytes: usize,
    /// Bytes that are counted as throttled.
    throttled_bytes: usize,
}

impl Outbox {
    pub(super) fn push(&mut self, unit: Bytes) {
        self.bytes += unit.len();
        self.units.push_back(unit);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.units.is_empty()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Only so many bytes may go now. Says how many of the others are thereby made to wait for the
    /// first time.
    pub(super) fn throttle(&mut self, allowed: usize) -> usize {
        let waiting = self.bytes.saturating_sub(allowed);
        let news = waiting.saturating_sub(self.throttled_bytes);
        self.throttled_bytes += news;
        news
    }

    /// Fills `slices` with what comes next, at most `bytes_max`; says how many it filled.
    pub(super) fn fill<'a>(&'a self, slices: &mut [IoSlice<'a>], bytes_max: usize) -> usize {
        let (mut used, mut left) = (0, bytes_max);
        for (slice, unit) in slices.iter_mut().zip(&self.units) {
            if left == 0 {
                break;
            }
            let part = &unit[..unit.len().min(left)];
            *slice = IoSlice::new(part);
            used += 1;
            left -= part.len();
        }
        used
    }

    /// So many bytes have been written.
    pub(super) fn advance(&mut self, mut bytes: usize) {
        self.bytes -= bytes;
        self.throttled_bytes = self.throttled_bytes.min(self.bytes);
        while let Some(front) = self.units.front_mut() {
            if bytes < front.len() {
                front.advance(bytes);
                return;
            }
            bytes -= front.len();
            self.units.pop_front();
        }
    }

    /// Throws all away; says how many bytes.
    pub(super) fn clear(&mut self) -> usize {
        let bytes = self.bytes;
        *self = Outbox::default();
        bytes
    }
}
