//! One direction of one connection: reads units, decides their fates, writes those that are due.
//!
//! A pump cuts whole units off what it read, decides each one's [`Fate`], and writes what is due in
//! vectored batches. It holds the lock on the map of policies for as long as a batch of decisions
//! takes and never across an await: a swap of the map falls between two batches. Nothing is
//! spawned per unit, and every buffer is bounded.

use super::counters::count;
use super::frame::{self, Cutter, Unit};
use super::link::{LinkContext, Reset};
use super::policy::{Decider, Fate, LinkPolicy, Links, Nature};
use bytes::{Buf as _, Bytes, BytesMut};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io::{self, IoSlice};
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::time::{Instant, sleep_until};

/// Bytes kept per direction while a link is cut; beyond, the sender feels a full socket.
pub const STALL_BYTES_MAX: usize = 64 << 10;

/// Bytes decided but not yet written, per direction; beyond, reading pauses.
const QUEUE_BYTES_MAX: usize = 1 << 20;

/// Read at most this much at once: a batch of hundreds of frames.
const READ_BYTES: usize = 64 << 10;

/// Buffers of one vectored write: beyond it the kernel gains nothing.
const WRITE_SLICES_MAX: usize = 64;

/// How the sender ended its direction.
#[derive(Copy, Clone, Eq, PartialEq)]
enum End {
    Fin,
    Rst,
}

/// A unit that waits for its time. Ordered by it, then by arrival.
#[derive(Eq, PartialEq, Ord, PartialOrd)]
struct Held {
    due_us: u64,
    sequence: u64,
    is_copy: bool,
    bytes: Bytes,
}

/// One direction of one connection.
pub(super) struct Pump<'a> {
    context: &'a LinkContext,
    from: ReadHalf<'a>,
    to: WriteHalf<'a>,
    cutter: Cutter,
    decider: Decider,
    /// Read, not decided.
    inbox: BytesMut,
    /// Decided, not due.
    held: BinaryHeap<Reverse<Held>>,
    /// Due, not written.
    outbox: VecDeque<Bytes>,
    /// Bytes in `held` and `outbox`.
    queued_bytes: usize,
    /// Units decided so far.
    sequence: u64,
    /// The latest unit released so far.
    released: u64,
    end: Option<End>,
    cut_since: Option<Instant>,
}

impl<'a> Pump<'a> {
    pub(super) fn new(
        context: &'a LinkContext,
        stream: u64,
        from: ReadHalf<'a>,
        to: WriteHalf<'a>,
    ) -> Pump<'a> {
        Pump {
            context,
            from,
            to,
            cutter: Cutter::new(context.frames.is_some()),
            // Any odd multiplier keeps the streams of one link apart.
            decider: Decider::new(context.seed ^ stream.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            inbox: BytesMut::with_capacity(READ_BYTES),
            held: BinaryHeap::new(),
            outbox: VecDeque::new(),
            queued_bytes: 0,
            sequence: 0,
            released: 0,
            end: None,
            cut_since: None,
        }
    }

    pub(super) async fn run(mut self) -> Result<(), Reset> {
        let mut policies = self.context.policies.clone();
        loop {
            self.decide(&policies.borrow_and_update());
            self.release_due();
            let cut = self.cut_since;
            if cut.is_none() {
                self.write()?;
                if let Some(end) = self.end
                    && self.is_empty()
                {
                    return self.finish(end).await;
                }
            }
            let reads = self.end.is_none() && self.wants_more();
            let writes = cut.is_none() && !self.outbox.is_empty();
            let due = self.next_due().filter(|_| cut.is_none());
            tokio::select! {
                changed = policies.changed() => changed.map_err(|_| Reset)?,
                _ = self.from.readable(), if reads => self.read(),
                _ = self.to.writable(), if writes => {}
                () = sleep_until(due.unwrap_or(self.context.epoch)), if due.is_some() => {}
                () = sleep_until(cut.unwrap_or(self.context.epoch) + self.context.cut_stall_max), if cut.is_some() => {
                    return Err(Reset);
                }
            }
        }
    }

    /// Decides the fates of all whole units in the inbox, under one reading of the map.
    fn decide(&mut self, links: &Links) {
        let clean = LinkPolicy::default();
        let policy = links.get(&self.context.link).unwrap_or(&clean);
        if policy.cut {
            self.stall();
            return;
        }
        self.cut_since = None;
        let now_us = self.context.now_us();
        while self.queued_bytes < QUEUE_BYTES_MAX {
            let mut unit = self.cutter.next(&mut self.inbox);
            if unit.is_none() && self.end.is_some() {
                unit = self.cutter.rest(&mut self.inbox);
            }
            let Some(unit) = unit else { break };
            self.sequence += 1;
            let is_frame = matches!(unit, Unit::Frame(_));
            let nature = if is_frame { Nature::Message } else { Nature::Chunk };
            let bytes = unit.into_bytes();
            let kind = match &self.context.frames {
                Some(read) if is_frame && policy.kinds.is_some() => {
                    read(frame::body(&bytes)).map(|info| info.kind)
                }
                _ => None,
            };
            let fate = self.decider.decide(policy, now_us, kind, nature);
            self.take(bytes, fate);
        }
    }

    fn stall(&mut self) {
        if self.cut_since.is_none() {
            self.cut_since = Some(Instant::now());
            count(&self.context.tally.stalled_bytes, self.queued_bytes + self.inbox.len());
        }
    }

    fn take(&mut self, bytes: Bytes, fate: Fate) {
        let tally = &self.context.tally;
        match fate {
            Fate::Drop => count(&tally.dropped, 1),
            Fate::Forward => {
                self.queued_bytes += bytes.len();
                self.release(bytes, self.sequence, false);
            }
            Fate::Hold { due_us, overtaken: _, copy_due_us } => {
                count(&tally.delayed, 1);
                // A copy of its own: a held frame must not keep the whole read buffer alive.
                let bytes = Bytes::copy_from_slice(&bytes);
                if let Some(due_us) = copy_due_us {
                    count(&tally.duplicated, 1);
                    self.hold(Held { due_us, sequence: self.sequence, is_copy: true, bytes: bytes.clone() });
                }
                self.hold(Held { due_us, sequence: self.sequence, is_copy: false, bytes });
            }
        }
    }

    fn hold(&mut self, held: Held) {
        self.queued_bytes += held.bytes.len();
        self.held.push(Reverse(held));
    }

    fn release_due(&mut self) {
        if self.held.is_empty() || self.cut_since.is_some() {
            return;
        }
        let now_us = self.context.now_us();
        while let Some(Reverse(held)) = self.held.pop() {
            if held.due_us > now_us {
                self.held.push(Reverse(held));
                return;
            }
            self.release(held.bytes, held.sequence, held.is_copy);
        }
    }

    fn release(&mut self, bytes: Bytes, sequence: u64, is_copy: bool) {
        let tally = &self.context.tally;
        if !is_copy {
            if sequence < self.released {
                count(&tally.reordered, 1);
            }
            self.released = self.released.max(sequence);
        }
        count(&tally.forwarded, 1);
        count(&tally.forwarded_bytes, bytes.len());
        self.outbox.push_back(bytes);
    }

    fn next_due(&self) -> Option<Instant> {
        let Reverse(held) = self.held.peek()?;
        Some(self.context.epoch + Duration::from_micros(held.due_us))
    }

    fn is_empty(&self) -> bool {
        self.inbox.is_empty() && self.held.is_empty() && self.outbox.is_empty()
    }

    fn wants_more(&self) -> bool {
        match self.cut_since {
            Some(_) => self.inbox.len() < STALL_BYTES_MAX,
            None => self.queued_bytes < QUEUE_BYTES_MAX,
        }
    }

    fn read(&mut self) {
        self.inbox.reserve(READ_BYTES);
        match self.from.try_read_buf(&mut self.inbox) {
            Ok(0) => self.end = Some(End::Fin),
            Ok(bytes) if self.cut_since.is_some() => count(&self.context.tally.stalled_bytes, bytes),
            Ok(_) => {}
            Err(error) if is_transient(&error) => {}
            Err(_) => self.end = Some(End::Rst),
        }
    }

    /// Writes as much of the outbox as the socket takes.
    fn write(&mut self) -> Result<(), Reset> {
        while !self.outbox.is_empty() {
            let mut slices = [IoSlice::new(&[]); WRITE_SLICES_MAX];
            let count = self.outbox.len().min(WRITE_SLICES_MAX);
            for (slice, bytes) in slices.iter_mut().zip(&self.outbox) {
                *slice = IoSlice::new(bytes);
            }
            match self.to.try_write_vectored(&slices[..count]) {
                Ok(written) => self.written(written),
                Err(error) if is_transient(&error) => return Ok(()),
                Err(_) => return Err(Reset),
            }
        }
        Ok(())
    }

    fn written(&mut self, mut bytes: usize) {
        self.queued_bytes -= bytes;
        while let Some(front) = self.outbox.front_mut() {
            if bytes < front.len() {
                front.advance(bytes);
                return;
            }
            bytes -= front.len();
            self.outbox.pop_front();
        }
    }

    async fn finish(mut self, end: End) -> Result<(), Reset> {
        match end {
            End::Fin => self.to.shutdown().await.map_err(|_| Reset),
            End::Rst => Err(Reset),
        }
    }
}

fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
