//! Frames that a link holds, beyond the life of the connection they came on.
//!
//! While its connection stands, a held frame belongs to it: [`HeldHere`]. When the connection ends,
//! the frame goes to the link's [`Shelf`], if anything else may carry it, and waits there. All
//! held frames of a link, wherever they are, are numbered in the order in which they came, and
//! counted against [`HELD_FRAMES_MAX`] and [`HELD_BYTES_MAX`].

use super::counters::{Tally, count};
use super::policy::LinkPolicy;
use bytes::Bytes;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Frames that one link holds at most; those that come later vanish. A busy link of clients fills it
/// in some seconds, heartbeats not within a run.
pub const HELD_FRAMES_MAX: usize = 64 << 10;

/// Bytes that one link holds at most; a frame that does not fit vanishes.
pub const HELD_BYTES_MAX: usize = 16 << 20;

/// A frame that is held.
#[derive(Debug)]
pub(super) struct HeldFrame {
    /// Its number among all that this link ever held.
    pub(super) number: u64,
    pub(super) kind: Option<&'static str>,
    pub(super) bytes: Bytes,
}

/// What one link holds, except what its connections hold themselves.
#[derive(Debug)]
pub(super) struct Shelf {
    inner: Mutex<Inner>,
    /// Grows with every orphan: tells whether looking for some is worth it, without locking.
    orphaned: AtomicU64,
    tally: Arc<Tally>,
}

#[derive(Debug, Default)]
struct Inner {
    last_number: u64,
    /// Of all that is held, here or by a connection.
    frames: usize,
    bytes: usize,
    /// Frames whose connection has ended, in order.
    orphans: Vec<HeldFrame>,
}

impl Shelf {
    pub(super) fn new(tally: Arc<Tally>) -> Shelf {
        Shelf { inner: Mutex::default(), orphaned: AtomicU64::new(0), tally }
    }

    /// How many frames were orphaned so far.
    pub(super) fn orphaned(&self) -> u64 {
        self.orphaned.load(Ordering::Relaxed)
    }

    /// Takes those orphans that `policy` does not hold, in order.
    pub(super) fn take(&self, policy: &LinkPolicy) -> Vec<HeldFrame> {
        let mut inner = self.lock();
        let (held, free) =
            std::mem::take(&mut inner.orphans).into_iter().partition(|frame| policy.holds(frame.kind));
        inner.orphans = held;
        inner.forget(&free);
        free
    }

    fn admit(&self, kind: Option<&'static str>, bytes: &[u8]) -> Option<HeldFrame> {
        let mut inner = self.lock();
        count(&self.tally.held, 1);
        if inner.frames >= HELD_FRAMES_MAX || inner.bytes + bytes.len() > HELD_BYTES_MAX {
            count(&self.tally.held_lost, 1);
            return None;
        }
        inner.last_number += 1;
        inner.frames += 1;
        inner.bytes += bytes.len();
        // A copy of its own: a held frame must not keep the whole read buffer alive.
        Some(HeldFrame { number: inner.last_number, kind, bytes: Bytes::copy_from_slice(bytes) })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn forget(&mut self, frames: &[HeldFrame]) {
        self.frames -= frames.len();
        self.bytes -= frames.iter().map(|frame| frame.bytes.len()).sum::<usize>();
    }
}

/// What one direction of one connection holds. On drop, its frames become orphans or are lost.
pub(super) struct HeldHere<'a> {
    shelf: &'a Shelf,
    frames: Vec<HeldFrame>,
    outlive: bool,
}

impl<'a> HeldHere<'a> {
    /// `outlive`: the frames may be carried by something else when this has ended.
    pub(super) fn new(shelf: &'a Shelf, outlive: bool) -> HeldHere<'a> {
        HeldHere { shelf, frames: Vec::new(), outlive }
    }

    pub(super) fn hold(&mut self, kind: Option<&'static str>, bytes: &[u8]) {
        self.frames.extend(self.shelf.admit(kind, bytes));
    }

    /// Takes those that `policy` does not hold, in order.
    pub(super) fn take(&mut self, policy: &LinkPolicy) -> Vec<HeldFrame> {
        if self.frames.is_empty() {
            return Vec::new();
        }
        let (held, free) =
            std::mem::take(&mut self.frames).into_iter().partition(|frame| policy.holds(frame.kind));
        self.frames = held;
        self.shelf.lock().forget(&free);
        free
    }
}

impl Drop for HeldHere<'_> {
    fn drop(&mut self) {
        if self.frames.is_empty() {
            return;
        }
        let mut frames = std::mem::take(&mut self.frames);
        let mut inner = self.shelf.lock();
        if self.outlive {
            self.shelf.orphaned.fetch_add(frames.len() as u64, Ordering::Relaxed);
            inner.orphans.append(&mut frames);
            // Connections overlap: what ended first need not have come first.
            inner.orphans.sort_unstable_by_key(|frame| frame.number);
        } else {
            inner.forget(&frames);
            count(&self.shelf.tally.held_lost, frames.len());
        }
    }
}
