//! One direction of one connection: reads units, decides their fates, writes those that are due.
//!
//! A pump cuts whole units off what it read, decides each one's [`Fate`], and writes what is due in
//! vectored batches. All decisions of a batch are made under one regime, unless one of its frames
//! changes it; a swap falls between two batches. Nothing is spawned per unit, and every buffer is
//! bounded.

use super::bucket::Bucket;
use super::counters::count;
use super::decider::{Decider, Fate, Nature};
use super::ends::{Ends, Side};
use super::frame::{self, Cutter, Unit};
use super::held::HeldHere;
use super::link::{LinkContext, Reset, lock};
use super::outbox::Outbox;
use super::policy::{Endpoint, LinkPolicy};
use super::regime::{Regime, Tap};
use crate::system::FrameInfo;
use bytes::{Bytes, BytesMut};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, IoSlice};
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::time::{Instant, sleep_until};

/// Bytes kept per direction while a link is cut or throttled; beyond, the sender feels a full socket.
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
struct Waiting {
    due_us: u64,
    sequence: u64,
    is_copy: bool,
    bytes: Bytes,
}

/// One direction of one connection.
pub(super) struct Pump<'a> {
    context: &'a LinkContext,
    /// Whom it reads from.
    side: Side,
    ends: &'a Ends,
    from: ReadHalf<'a>,
    to: WriteHalf<'a>,
    cutter: Cutter,
    decider: Decider,
    /// Read, not decided.
    inbox: BytesMut,
    /// Taken off the inbox and shown to the watches, not decided: it changed the regime itself.
    shown: Option<Bytes>,
    /// Decided, not due.
    waiting: BinaryHeap<Reverse<Waiting>>,
    /// Decided to be held.
    held: HeldHere<'a>,
    /// What was known of the regime and of the link's orphans when held frames were last looked
    /// through.
    looked: (u64, u64),
    /// Due, not written.
    outbox: Outbox,
    /// Bytes in `waiting` and `outbox`.
    queued_bytes: usize,
    /// When bandwidth allows to go on.
    throttled_until: Option<Instant>,
    /// Units decided so far.
    sequence: u64,
    /// The latest unit released so far.
    released: u64,
    end: Option<End>,
    cut_since: Option<Instant>,
    /// Deciding stopped for want of room, not of units.
    backlog: bool,
    half_open: bool,
    bytes_per_s: Option<NonZeroU64>,
}

impl<'a> Pump<'a> {
    pub(super) fn new(
        context: &'a LinkContext,
        side: Side,
        ordinal: u64,
        ends: &'a Ends,
        from: ReadHalf<'a>,
        to: WriteHalf<'a>,
    ) -> Pump<'a> {
        let stream = match side {
            Side::Dialler => ordinal * 2,
            Side::Node => ordinal * 2 + 1,
        };
        Pump {
            context,
            side,
            ends,
            from,
            to,
            cutter: Cutter::new(context.frames.is_some()),
            // Any odd multiplier keeps the streams of one link apart.
            decider: Decider::new(context.seed ^ stream.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            inbox: BytesMut::with_capacity(READ_BYTES),
            shown: None,
            waiting: BinaryHeap::new(),
            // Answers are for this connection's dialler and nobody else.
            held: HeldHere::new(&context.shelf, side == Side::Dialler),
            looked: (0, 0),
            outbox: Outbox::default(),
            queued_bytes: 0,
            throttled_until: None,
            sequence: 0,
            released: 0,
            end: None,
            cut_since: None,
            backlog: false,
            half_open: false,
            bytes_per_s: None,
        }
    }

    pub(super) async fn run(mut self) -> Result<(), Reset> {
        let mut regimes = self.context.post.subscribe();
        loop {
            let ends_changed = self.ends.changed();
            loop {
                let regime = regimes.borrow_and_update().clone();
                if !self.decide(&regime) {
                    break;
                }
                // What came before the frame that changed the regime goes before a cut can stall it.
                self.release_due();
                self.write()?;
            }
            self.release_due();
            let cut = self.cut_since;
            if cut.is_none() {
                self.write()?;
                if self.backlog && self.queued_bytes < self.queue_bytes_max() {
                    // What had to wait for room may come next; nothing else would wake us for it.
                    continue;
                }
                if let Some(end) = self.end
                    && self.is_empty()
                    && !self.conceals()
                {
                    return self.finish(end).await;
                }
                if self.half_open_ended()? {
                    return Ok(());
                }
            }
            let reads = self.end.is_none() && self.wants_more();
            let writes = cut.is_none() && !self.outbox.is_empty() && self.throttled_until.is_none();
            let due = self.next_due().into_iter().chain(self.throttled_until).min().filter(|_| cut.is_none());
            tokio::select! {
                changed = regimes.changed() => changed.map_err(|_| Reset)?,
                () = ends_changed, if self.half_open => {}
                _ = self.from.readable(), if reads => self.read(),
                _ = self.to.writable(), if writes => {}
                () = sleep_until(due.unwrap_or(self.context.epoch)), if due.is_some() => {}
                () = sleep_until(cut.unwrap_or(self.context.epoch) + self.context.cut_stall_max), if cut.is_some() => {
                    return Err(Reset);
                }
            }
        }
    }

    // ---- Deciding ----------------------------------------------------------------------------

    /// Decides the fates of all whole units in the inbox. True if one of them changed the regime;
    /// it and those behind it are to be decided under the new one.
    fn decide(&mut self, regime: &Regime) -> bool {
        let policy = regime.policy(self.context.link);
        self.half_open = policy.half_open;
        self.bytes_per_s = policy.bytes_per_s;
        if policy.cut {
            self.stall();
            return false;
        }
        self.cut_since = None;
        let now_us = self.context.now_us();
        self.release_held(regime.version, policy, now_us);
        let taps = regime.taps(self.context.link);
        let wants_info = taps.is_some() || policy.names_kinds();
        let harms = policy.harms_frames();
        self.backlog = false;
        loop {
            if self.queued_bytes >= self.queue_bytes_max() {
                self.backlog = true;
                return false;
            }
            let was_shown = self.shown.is_some();
            let unit = if was_shown { self.shown.take().map(Unit::Frame) } else { self.next_unit() };
            let Some(unit) = unit else { return false };
            let is_frame = matches!(unit, Unit::Frame(_));
            let bytes = unit.into_bytes();
            let info = if is_frame && wants_info { self.info(&bytes) } else { None };
            if !was_shown
                && let (Some(taps), Some(info)) = (taps, info)
                && self.show(taps, info)
            {
                self.shown = Some(bytes);
                return true;
            }
            self.sequence += 1;
            if harms {
                self.harm(policy, bytes, is_frame, info.map(|info| info.kind), now_us);
            } else {
                let fate = self.decider.pass(now_us);
                self.take(bytes, None, fate);
            }
        }
    }

    /// Decides the fate of one unit under a policy that does something to frames.
    fn harm(
        &mut self,
        policy: &LinkPolicy,
        bytes: Bytes,
        is_frame: bool,
        kind: Option<&'static str>,
        now_us: u64,
    ) {
        let nature = if is_frame { Nature::Message } else { Nature::Chunk };
        let fate = self.decider.decide(policy, now_us, kind, nature);
        let goes_on = matches!(fate, Fate::Forward | Fate::Delay { .. });
        let flip = if is_frame && goes_on { self.decider.corrupt(policy, kind, bytes.len()) } else { None };
        if let Some(flip) = flip {
            count(&self.context.tally.corrupted, 1);
            self.take(flip.apply(&bytes), kind, fate);
        } else {
            self.take(bytes, kind, fate);
        }
    }

    fn next_unit(&mut self) -> Option<Unit> {
        let unit = self.cutter.next(&mut self.inbox);
        if unit.is_none() && self.end.is_some() { self.cutter.rest(&mut self.inbox) } else { unit }
    }

    fn info(&self, frame: &Bytes) -> Option<FrameInfo> {
        self.context.frames.as_ref().and_then(|read| read(frame::body(frame)))
    }

    fn show(&self, taps: &[Arc<Tap>], info: FrameInfo) -> bool {
        self.context.post.show(taps, self.context.link, info)
    }

    fn stall(&mut self) {
        if self.cut_since.is_none() {
            self.cut_since = Some(Instant::now());
            let shown = self.shown.as_ref().map_or(0, Bytes::len);
            count(&self.context.tally.stalled_bytes, self.queued_bytes + shown + self.inbox.len());
        }
    }

    fn take(&mut self, bytes: Bytes, kind: Option<&'static str>, fate: Fate) {
        let tally = &self.context.tally;
        match fate {
            Fate::Drop => count(&tally.dropped, 1),
            Fate::Hold => self.held.hold(kind, &bytes),
            Fate::Forward => {
                self.queued_bytes += bytes.len();
                self.release(bytes, self.sequence, false);
            }
            Fate::Delay { due_us, overtaken: _, copy_due_us } => {
                count(&tally.delayed, 1);
                // A copy of its own: a waiting frame must not keep the whole read buffer alive.
                let bytes = Bytes::copy_from_slice(&bytes);
                if let Some(due_us) = copy_due_us {
                    count(&tally.duplicated, 1);
                    self.put_off(Waiting {
                        due_us,
                        sequence: self.sequence,
                        is_copy: true,
                        bytes: bytes.clone(),
                    });
                }
                self.put_off(Waiting { due_us, sequence: self.sequence, is_copy: false, bytes });
            }
        }
    }

    // ---- Releasing ---------------------------------------------------------------------------

    /// Lets go of the frames that are held no longer, those of earlier connections included, in the
    /// order in which they came. They still keep their place behind those that are delayed.
    fn release_held(&mut self, version: u64, policy: &LinkPolicy, now_us: u64) {
        let now = (version, self.context.shelf.orphaned());
        if now == self.looked {
            return;
        }
        self.looked = now;
        let takes_orphans = self.side == Side::Dialler && self.context.link.from != Endpoint::Clients;
        let mut free = if takes_orphans { self.context.shelf.take(policy) } else { Vec::new() };
        let tally = &self.context.tally;
        count(&tally.released_later, free.len());
        free.append(&mut self.held.take(policy));
        count(&tally.released, free.len());
        free.sort_unstable_by_key(|frame| frame.number);
        for frame in free {
            self.sequence += 1;
            let fate = self.decider.pass(now_us);
            self.take(frame.bytes, frame.kind, fate);
        }
    }

    fn put_off(&mut self, unit: Waiting) {
        self.queued_bytes += unit.bytes.len();
        self.waiting.push(Reverse(unit));
    }

    fn release_due(&mut self) {
        if self.waiting.is_empty() || self.cut_since.is_some() {
            return;
        }
        let now_us = self.context.now_us();
        while let Some(Reverse(unit)) = self.waiting.pop() {
            if unit.due_us > now_us {
                self.waiting.push(Reverse(unit));
                return;
            }
            self.release(unit.bytes, unit.sequence, unit.is_copy);
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
        self.outbox.push(bytes);
    }

    fn next_due(&self) -> Option<Instant> {
        let Reverse(unit) = self.waiting.peek()?;
        Some(self.context.epoch + Duration::from_micros(unit.due_us))
    }

    fn is_empty(&self) -> bool {
        self.shown.is_none() && self.inbox.is_empty() && self.waiting.is_empty() && self.outbox.is_empty()
    }

    fn wants_more(&self) -> bool {
        match self.cut_since {
            Some(_) => self.inbox.len() < STALL_BYTES_MAX,
            None => self.queued_bytes < self.queue_bytes_max(),
        }
    }

    /// A slow link has a short queue: the sender is to feel it, not to fill it.
    fn queue_bytes_max(&self) -> usize {
        if self.bytes_per_s.is_some() { STALL_BYTES_MAX } else { QUEUE_BYTES_MAX }
    }

    // ---- Half-open ---------------------------------------------------------------------------

    /// Whether this direction has ended without the other side being told, now or before. Such a
    /// pump stays, to see the connection reset in the end.
    fn conceals(&self) -> bool {
        if self.half_open && self.ends.set_gone(self.side) {
            count(&self.context.tally.swallowed_ends, 1);
        }
        self.ends.is_gone(self.side)
    }

    /// True if both ends are gone, and nobody is left to deceive.
    fn half_open_ended(&self) -> Result<bool, Reset> {
        let (own, other) = (self.ends.is_gone(self.side), self.ends.is_gone(self.side.other()));
        // As a host answers that knows nothing of the connection.
        if (own || other) && !self.half_open { Err(Reset) } else { Ok(own && other) }
    }

    /// Nobody is there to read.
    fn swallow(&mut self) {
        let bytes = self.outbox.clear();
        count(&self.context.tally.swallowed_bytes, bytes);
        self.queued_bytes -= bytes;
    }

    // ---- Sockets -----------------------------------------------------------------------------

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

    /// Writes as much of the outbox as the socket takes and the bandwidth allows.
    fn write(&mut self) -> Result<(), Reset> {
        self.throttled_until = None;
        while !self.outbox.is_empty() {
            if self.ends.is_gone(self.side.other()) {
                self.swallow();
                return Ok(());
            }
            let allowed = self.allowance();
            if allowed == 0 {
                return Ok(());
            }
            let mut slices = [IoSlice::new(&[]); WRITE_SLICES_MAX];
            let used = self.outbox.fill(&mut slices, allowed);
            match self.to.try_write_vectored(&slices[..used]) {
                Ok(written) => self.written(written),
                Err(error) if is_transient(&error) => return Ok(()),
                Err(_) if self.half_open => {
                    let news = self.ends.set_gone(self.side.other());
                    count(&self.context.tally.swallowed_ends, usize::from(news));
                }
                Err(_) => return Err(Reset),
            }
        }
        Ok(())
    }

    /// How many bytes may be written now. If none, it is noted until when.
    fn allowance(&mut self) -> usize {
        let Some(bytes_per_s) = self.bytes_per_s else { return usize::MAX };
        let mut bucket = lock(self.bucket());
        let allowed = bucket.allowed(bytes_per_s, self.context.now_us());
        let worth_asking_us = bucket.worth_asking_us(bytes_per_s, self.outbox.bytes());
        drop(bucket);
        count(&self.context.tally.throttled_bytes, self.outbox.throttle(allowed));
        if allowed == 0 {
            self.throttled_until = Some(self.context.epoch + Duration::from_micros(worth_asking_us));
        }
        allowed
    }

    fn bucket(&self) -> &'a Mutex<Bucket> {
        match self.side {
            Side::Dialler => &self.context.there,
            Side::Node => &self.context.back,
        }
    }

    fn written(&mut self, bytes: usize) {
        if self.bytes_per_s.is_some() {
            lock(self.bucket()).spend(bytes);
        }
        self.queued_bytes -= bytes;
        self.outbox.advance(bytes);
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
