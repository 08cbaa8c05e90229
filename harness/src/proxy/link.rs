//! One directed link: accepts, dials onwards, relays both directions under the link's policy.
//!
//! Everything here runs on the mesh's single thread; a connection is one task with two [`Pump`]s,
//! and nothing is spawned per frame. A pump cuts whole units off what it read, decides each one's
//! [`Fate`], and writes what is due in vectored batches. It holds the lock on the map of policies
//! for as long as a batch of decisions takes and never across an await: a swap of the map falls
//! between two batches.

use super::frame::{self, Cutter, Unit};
use super::mesh::FrameReader;
use super::policy::{Decider, Endpoint, Fate, Link, LinkPolicy, Links, Nature};
use bytes::{Buf as _, Bytes, BytesMut};
use futures_util::FutureExt as _;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncWriteExt as _, Interest};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// A cut that lasts longer resets the connections it found, on both sides. Longer than any
/// partition that is meant to be survived in one piece, shorter than TCP's own quarter of an hour.
pub const CUT_STALL_MAX: Duration = Duration::from_secs(60);

/// Bytes kept per direction while a link is cut; beyond, the sender feels a full socket.
pub const STALL_BYTES_MAX: usize = 64 << 10;

/// Bytes decided but not yet written, per direction; beyond, reading pauses.
const QUEUE_BYTES_MAX: usize = 1 << 20;

/// Read at most this much at once: a batch of hundreds of frames.
const READ_BYTES: usize = 64 << 10;

/// Buffers of one vectored write: beyond it the kernel gains nothing.
const WRITE_SLICES_MAX: usize = 64;

/// The kernel's buffers on the proxy's sockets, so that a stall is felt after a bounded amount.
pub(super) const SOCKET_BUFFER_BYTES: u32 = 256 << 10;

/// Connections of one link at a time; more wait in the kernel's queue. A leak must not eat the
/// harness's file descriptors.
const CONNECTIONS_MAX: usize = 1024;

/// How long a dial may take: on this machine only a full accept queue makes one wait.
const DIAL_PATIENCE: Duration = Duration::from_secs(5);

/// How long to let file descriptors come free after accepting has failed.
const ACCEPT_RETRY: Duration = Duration::from_millis(10);

/// What happened on a link since the mesh started: the evidence that a fault bit. Units are
/// frames where frames are known, else chunks as they were read.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Counters {
    /// Connections relayed.
    pub connections: u64,
    /// Connections reset because the node was down or refused.
    pub refused: u64,
    /// Connections that had to wait for the link to heal before they were dialled onwards.
    pub stalled_connections: u64,
    /// Connections reset on one side, or by [`CUT_STALL_MAX`], and therefore on the other.
    pub resets: u64,
    /// Units passed on, second copies included.
    pub forwarded: u64,
    /// Bytes passed on.
    pub forwarded_bytes: u64,
    /// Units that vanished.
    pub dropped: u64,
    /// Units held for a time.
    pub delayed: u64,
    /// Units that were passed on twice.
    pub duplicated: u64,
    /// Units that a later one did overtake.
    pub reordered: u64,
    /// Bytes that a cut kept from going on: found in flight, or arriving while it lasted.
    pub stalled_bytes: u64,
}

impl Counters {
    /// What was counted since `earlier`, an older reading of the same link.
    #[must_use]
    pub fn since(&self, earlier: &Counters) -> Counters {
        Counters {
            connections: self.connections - earlier.connections,
            refused: self.refused - earlier.refused,
            stalled_connections: self.stalled_connections - earlier.stalled_connections,
            resets: self.resets - earlier.resets,
            forwarded: self.forwarded - earlier.forwarded,
            forwarded_bytes: self.forwarded_bytes - earlier.forwarded_bytes,
            dropped: self.dropped - earlier.dropped,
            delayed: self.delayed - earlier.delayed,
            duplicated: self.duplicated - earlier.duplicated,
            reordered: self.reordered - earlier.reordered,
            stalled_bytes: self.stalled_bytes - earlier.stalled_bytes,
        }
    }

    /// Whether a cut of this link kept anything from getting through.
    #[must_use]
    pub fn shows_cut(&self) -> bool {
        self.stalled_bytes > 0 || self.stalled_connections > 0
    }
}

/// [`Counters`] as they grow.
#[derive(Debug, Default)]
pub(super) struct Tally {
    connections: AtomicU64,
    refused: AtomicU64,
    stalled_connections: AtomicU64,
    resets: AtomicU64,
    forwarded: AtomicU64,
    forwarded_bytes: AtomicU64,
    dropped: AtomicU64,
    delayed: AtomicU64,
    duplicated: AtomicU64,
    reordered: AtomicU64,
    stalled_bytes: AtomicU64,
}

impl Tally {
    pub(super) fn read(&self) -> Counters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counters {
            connections: read(&self.connections),
            refused: read(&self.refused),
            stalled_connections: read(&self.stalled_connections),
            resets: read(&self.resets),
            forwarded: read(&self.forwarded),
            forwarded_bytes: read(&self.forwarded_bytes),
            dropped: read(&self.dropped),
            delayed: read(&self.delayed),
            duplicated: read(&self.duplicated),
            reordered: read(&self.reordered),
            stalled_bytes: read(&self.stalled_bytes),
        }
    }
}

fn count(counter: &AtomicU64, by: usize) {
    counter.fetch_add(by as u64, Ordering::Relaxed);
}

/// What a link's tasks share.
pub(super) struct LinkContext {
    pub(super) link: Link,
    pub(super) policies: watch::Receiver<Arc<Links>>,
    pub(super) upstream: watch::Receiver<Option<SocketAddr>>,
    pub(super) tally: Arc<Tally>,
    pub(super) frames: Option<FrameReader>,
    /// Zero of the mesh's clock.
    pub(super) epoch: Instant,
    pub(super) seed: u64,
}

/// A connection ended by RST, or as if by one.
struct Reset;

/// Serves one link for as long as the mesh lives.
pub(super) async fn serve(context: Arc<LinkContext>, listener: TcpListener) {
    let mut connections = JoinSet::new();
    let mut ordinal = 0;
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => match accepted {
                Ok((accepted, _)) => {
                    ordinal += 1;
                    connections.spawn(connection(context.clone(), accepted, ordinal));
                }
                // The dialler went away, or file descriptors ran out: neither ends the link.
                Err(_) => sleep(ACCEPT_RETRY).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(context: Arc<LinkContext>, mut accepted: TcpStream, ordinal: u64) {
    if context.relay(&mut accepted, ordinal).await.is_err() {
        // With a linger time of zero, closing sends RST. If it can't be set, a FIN must do.
        let _ = accepted.set_zero_linger();
    }
}

impl LinkContext {
    async fn relay(&self, accepted: &mut TcpStream, ordinal: u64) -> Result<(), Reset> {
        if !self.healed(accepted).await? {
            return Ok(());
        }
        let Some(mut upstream) = self.dial().await else {
            count(&self.tally.refused, 1);
            return Err(Reset);
        };
        count(&self.tally.connections, 1);
        // Small frames must not wait for each other's acknowledgements; failing that, they do.
        let _ = accepted.set_nodelay(true);
        let _ = upstream.set_nodelay(true);
        let result = {
            let (from_dialler, to_dialler) = accepted.split();
            let (from_node, to_node) = upstream.split();
            let asking = match self.link.from {
                Endpoint::Clients => Nature::Request,
                Endpoint::Node(_) => Nature::Message,
            };
            let there = Pump::new(self, asking, ordinal * 2, from_dialler, to_node);
            let back = Pump::new(self, Nature::Message, ordinal * 2 + 1, from_node, to_dialler);
            tokio::try_join!(there.run(), back.run())
        };
        if result.is_err() {
            count(&self.tally.resets, 1);
            let _ = upstream.set_zero_linger();
        }
        result.map(|_| ())
    }

    /// Waits until the link is not cut. False if the dialler gave up in the meantime: across a
    /// real partition, its connection would never have come to be.
    async fn healed(&self, accepted: &TcpStream) -> Result<bool, Reset> {
        let mut policies = self.policies.clone();
        if !self.is_cut(&mut policies) {
            return Ok(true);
        }
        count(&self.tally.stalled_connections, 1);
        let healed = async {
            while self.is_cut(&mut policies) {
                policies.changed().await.map_err(|_| Reset)?;
            }
            Ok(())
        };
        timeout(CUT_STALL_MAX, healed).await.map_err(|_| Reset)??;
        let ready = accepted.ready(Interest::READABLE).now_or_never();
        Ok(!matches!(ready, Some(Ok(ready)) if ready.is_read_closed()))
    }

    fn is_cut(&self, policies: &mut watch::Receiver<Arc<Links>>) -> bool {
        policies.borrow_and_update().get(&self.link).is_some_and(|policy| policy.cut)
    }

    async fn dial(&self) -> Option<TcpStream> {
        let address = (*self.upstream.borrow())?;
        let socket = TcpSocket::new_v4().ok()?;
        // A wish: the kernel's own bounds serve if it is not granted.
        let _ = socket.set_send_buffer_size(SOCKET_BUFFER_BYTES);
        let _ = socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES);
        timeout(DIAL_PATIENCE, socket.connect(address)).await.ok()?.ok()
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

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
struct Pump<'a> {
    context: &'a LinkContext,
    /// What a frame of this direction is.
    nature: Nature,
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
    fn new(
        context: &'a LinkContext,
        nature: Nature,
        stream: u64,
        from: ReadHalf<'a>,
        to: WriteHalf<'a>,
    ) -> Pump<'a> {
        Pump {
            context,
            nature,
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

    async fn run(mut self) -> Result<(), Reset> {
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
                () = sleep_until(cut.unwrap_or(self.context.epoch) + CUT_STALL_MAX), if cut.is_some() => {
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
            let nature = if is_frame { self.nature } else { Nature::Chunk };
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
