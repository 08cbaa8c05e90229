//! Everything that can happen to a node, and the one place where it is waited for.

use super::filing::Filed;
use crate::kv::ClientRequest;
use crate::paxos::{Change, Lsn, Message, NodeId};
use crate::service::{ClientToken, SnapshotDone};
use crate::snapshot::SnapshotError;
use crate::wal::Room;
use bytes::Bytes;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

/// Events that may wait for the server. Each can hold a frame, so this bounds memory; a full
/// queue stops the reading of sockets, which the other side feels.
pub(super) const EVENTS_QUEUED_MAX: usize = 256;

/// Events taken in before the output is asked for: the size of a burst. More would only make the
/// first of them wait for its log write.
const EVENTS_PER_BURST_MAX: usize = 256;

/// Status questions that may wait for the server.
pub(super) const STATUS_QUEUED_MAX: usize = 64;

/// What happened.
#[derive(Debug)]
pub(super) enum Event {
    /// A replica on this disk said something.
    Peer { from: NodeId, incarnation: u64, message: Message },
    /// The connection to a replica was lost.
    LostTouch { with: NodeId },
    /// A client asks.
    Client { client: ClientToken, request: ClientRequest },
    /// A client wants the members changed.
    Change { client: ClientToken, id: u64, change: Change },
    /// A client's connection ended; nothing of it comes after this.
    ClientGone { client: ClientToken },
    /// Somebody wants to know how the node is; the answer is JSON.
    Status { answer: oneshot::Sender<Bytes> },
    /// The log is durable up to here.
    Durable(Lsn),
    /// The log failed and takes nothing more.
    LogFailed(String),
    /// Whether the log's disk has room has changed.
    Room(Room),
    /// Something was done with snapshots' files.
    Filed(SnapshotDone),
    /// They can't be relied on any more.
    FilingFailed(SnapshotError),
    /// A tick of the clock.
    Tick,
    /// A signal asks the node to stop.
    Stop { signal: &'static str },
}

/// How the log fares, as its thread tells.
#[derive(Clone, Debug)]
pub(super) struct LogProgress {
    /// Durable up to here.
    pub(super) durable: Lsn,
    /// Whether there is room for more.
    pub(super) room: Room,
    /// What failed; nothing is durable after it.
    pub(super) failed: Option<String>,
}

/// Where connections put what they read.
#[derive(Clone, Debug)]
pub(super) struct Senders {
    /// Peers' messages and clients' requests, in the order of each connection.
    pub(super) events: mpsc::Sender<Event>,
    /// Status questions: apart, because they are answered even when nothing else is taken in.
    pub(super) status: mpsc::Sender<oneshot::Sender<Bytes>>,
}

/// Where the server waits.
#[derive(Debug)]
pub(super) struct Inbox {
    events: mpsc::Receiver<Event>,
    status: mpsc::Receiver<oneshot::Sender<Bytes>>,
    log: watch::Receiver<LogProgress>,
    /// What was last said of it.
    room: Room,
    filed: mpsc::UnboundedReceiver<Filed>,
    /// Keeps the channel open when the log's thread has ended: its last word is still to be read.
    _log_sender: Arc<watch::Sender<LogProgress>>,
    terminate: Signal,
    interrupt: Signal,
    tick: Duration,
    next_tick: Instant,
}

impl Inbox {
    /// An inbox whose clock ticks from now on.
    pub(super) fn new(
        log: Arc<watch::Sender<LogProgress>>,
        filed: mpsc::UnboundedReceiver<Filed>,
        tick: Duration,
    ) -> io::Result<(Senders, Inbox)> {
        let (events_in, events) = mpsc::channel(EVENTS_QUEUED_MAX);
        let (status_in, status) = mpsc::channel(STATUS_QUEUED_MAX);
        let inbox = Inbox {
            events,
            status,
            log: log.subscribe(),
            room: Room::Enough,
            filed,
            _log_sender: log,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            tick,
            next_tick: Instant::now() + tick,
        };
        Ok((Senders { events: events_in, status: status_in }, inbox))
    }

    /// Waits for something to happen, then adds it and whatever else has happened by now to
    /// `burst`. With `busy`, peers and clients must wait.
    ///
    /// A tick comes last: whoever has just been heard from is not taken for silent.
    pub(super) async fn wait(&mut self, busy: bool, burst: &mut Vec<Event>) {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => burst.push(Event::Stop { signal: "SIGTERM" }),
            _ = self.interrupt.recv() => burst.push(Event::Stop { signal: "SIGINT" }),
            Ok(()) = self.log.changed() => self.take_log(burst),
            Some(filed) = self.filed.recv() => burst.push(filed_event(filed)),
            Some(answer) = self.status.recv() => burst.push(Event::Status { answer }),
            Some(event) = self.events.recv(), if !busy => burst.push(event),
            () = sleep_until(self.next_tick) => {}
        }
        if self.log.has_changed().unwrap_or(false) {
            self.take_log(burst);
        }
        while !busy
            && burst.len() < EVENTS_PER_BURST_MAX
            && let Ok(event) = self.events.try_recv()
        {
            burst.push(event);
        }
        self.take_tick(burst);
    }

    /// What the log's thread failed with, if it did.
    pub(super) fn log_failure(&self) -> Option<String> {
        self.log.borrow().failed.clone()
    }

    /// What the snapshots' thread failed with, if it did.
    pub(super) fn filing_failure(&mut self) -> Option<String> {
        while let Ok(filed) = self.filed.try_recv() {
            if let Err(error) = filed {
                return Some(error.to_string());
            }
        }
        None
    }

    fn take_log(&mut self, burst: &mut Vec<Event>) {
        let progress = self.log.borrow_and_update();
        if progress.room != self.room {
            self.room = progress.room;
            burst.push(Event::Room(progress.room));
        }
        burst.push(match &progress.failed {
            Some(failure) => Event::LogFailed(failure.clone()),
            None => Event::Durable(progress.durable),
        });
    }

    /// At most one tick at a time, however long ago the last was: a process that slept (stopped,
    /// or starved of its processor) must not take the time it missed for the silence of others.
    fn take_tick(&mut self, burst: &mut Vec<Event>) {
        let now = Instant::now();
        if now < self.next_tick {
            return;
        }
        burst.push(Event::Tick);
        self.next_tick += self.tick;
        if self.next_tick <= now {
            self.next_tick = now + self.tick;
        }
    }
}

fn filed_event(filed: Filed) -> Event {
    match filed {
        Ok(done) => Event::Filed(done),
        Err(error) => Event::FilingFailed(error),
    }
}
