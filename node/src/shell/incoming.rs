//! Connections that others dialled: the listener, and a task for each that reads, checks and
//! hands on.
//!
//! The first frame decides what a connection is: a peer's, on which only that peer speaks and
//! nothing is answered, or a client's. A peer says first on which disk it is, and again now and then:
//! what comes before that is as good as lost. Anything that is no frame, or not for this node, or out of
//! role, ends the connection with an [`Error`](Kind::Error) frame that says why. The node itself
//! never notices: whatever a task reads is either a checked event or the end of that task.

use super::clients::{Answer, Clients, Connected};
use super::console::Throttle;
use super::event::{Event, Senders};
use crate::kv::{ClientReply, ClientResult, DefiniteError};
use crate::paxos::{Message, NodeId, Slot};
use crate::wire::peer::{Hello, PROTOCOL};
use crate::wire::plausible::{self, Implausible};
use crate::wire::{Frame, FrameError, FrameReader, Kind, ReadError, client, members, peer};
use bytes::BytesMut;
use futures_util::StreamExt as _;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{sleep, timeout};
use tokio_util::codec::FramedRead;

/// Connections at a time, of peers, clients and the undecided: bounds descriptors and memory.
const CONNECTIONS_MAX: usize = 1024;

/// Connections of one peer at a time. It uses one; after a cut, older ones may not yet know that
/// they are dead. The oldest makes room.
const PEER_CONNECTIONS_MAX: usize = 4;

/// A connection that says nothing for this long after it opened is closed.
const FIRST_FRAME_WAIT: Duration = Duration::from_secs(5);

/// Messages of a peer that has not said on which disk it is. Its first frame says so, but a network may
/// lose that, and it is said again.
const FRAMES_BEFORE_HELLO_MAX: u32 = 10_000;

/// Read buffer per connection: many small frames per system call.
const READ_BYTES: usize = 64 << 10;

/// After a refusal, how long and how much is read and thrown away: closing with bytes unread
/// would reset the connection and could destroy the reason before it is read.
const LINGER_WAIT: Duration = Duration::from_secs(1);
/// See [`LINGER_WAIT`].
const LINGER_BYTES: u64 = 1 << 20;

/// How long accepting rests after an error; those there are (no descriptors left, say) don't pass
/// by asking again at once.
const ACCEPT_REST: Duration = Duration::from_millis(50);

/// What every connection needs to know.
#[derive(Debug)]
pub(super) struct Gate {
    cluster: u64,
    id: NodeId,
    /// The open connections of each peer: oldest first, each closed by dropping its sender. Whoever
    /// has an id may speak: that he is a member is known to the log, and need not be to this node yet.
    peers: Mutex<BTreeMap<NodeId, VecDeque<oneshot::Sender<()>>>>,
    senders: Senders,
    clients: Arc<Clients>,
    complaints: Throttle,
    refused: AtomicU64,
}

/// Why a connection is closed from this side.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("{kind} is from {from}, which can't be a peer of {id}")]
    UnknownPeer { kind: &'static str, from: NodeId, id: NodeId },
    #[error("{from} speaks protocol {theirs}, and this node {PROTOCOL}")]
    OtherProtocol { from: NodeId, theirs: u32 },
    #[error("{from} does not say on which disk it is: its build may be older than this node's")]
    NoHello { from: NodeId },
    #[error("{kind} is for {to}, but this is {id}")]
    WrongNode { kind: &'static str, to: NodeId, id: NodeId },
    #[error("{kind} has no place on {role}")]
    OutOfRole { kind: &'static str, role: &'static str },
    #[error("{kind} makes no sense: {reason}")]
    Implausible { kind: &'static str, reason: Implausible },
    #[error("too many clients")]
    TooManyClients,
    #[error("nothing was said for {} s", FIRST_FRAME_WAIT.as_secs())]
    Silent,
}

/// How a connection ended.
enum End {
    /// From the other side, or by the network: nothing to say, nobody to say it to.
    Gone,
    /// From this side.
    Refused(Refusal),
}

impl From<ReadError> for End {
    fn from(error: ReadError) -> End {
        match error {
            ReadError::Frame(error) => End::Refused(error.into()),
            ReadError::Io(_) => End::Gone,
        }
    }
}

impl<R: Into<Refusal>> From<R> for End {
    fn from(refusal: R) -> End {
        End::Refused(refusal.into())
    }
}

/// What a peer's frame holds.
enum Spoken {
    Hello(Hello),
    Message(Message),
}

type Frames = FramedRead<OwnedReadHalf, FrameReader>;

impl Gate {
    /// A gate to a node.
    pub(super) fn new(cluster: u64, id: NodeId, senders: Senders, clients: Arc<Clients>) -> Gate {
        let peers = Mutex::default();
        let (complaints, refused) = (Throttle::new(), AtomicU64::new(0));
        Gate { cluster, id, peers, senders, clients, complaints, refused }
    }

    /// Connections refused or closed because of what they said.
    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Accepts connections for ever.
    pub(super) async fn accept(self: Arc<Self>, listener: TcpListener) {
        let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            // Those beyond the limit wait in the kernel's queue, whose length it bounds.
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, address)) => {
                    let gate = Arc::clone(&self);
                    tokio::spawn(async move {
                        gate.serve(stream, address).await;
                        drop(slot);
                    });
                }
                Err(error) => {
                    self.complaints.say(self.id, format_args!("can't accept connections: {error}"));
                    sleep(ACCEPT_REST).await;
                }
            }
        }
    }

    async fn serve(&self, stream: TcpStream, address: SocketAddr) {
        // Without it only latency suffers.
        let _ = stream.set_nodelay(true);
        let (read, write) = stream.into_split();
        let mut frames = FramedRead::with_capacity(read, FrameReader::new(), READ_BYTES);
        let first = match timeout(FIRST_FRAME_WAIT, self.next(&mut frames)).await {
            Ok(Ok(Some(frame))) => frame,
            Ok(Ok(None)) | Ok(Err(End::Gone)) => return,
            Ok(Err(End::Refused(refusal))) => return self.refuse(address, refusal, frames, write).await,
            Err(_) => return self.refuse(address, Refusal::Silent, frames, write).await,
        };
        if first.header.kind.is_peer() {
            if let End::Refused(refusal) = self.peer(first, &mut frames).await {
                self.refuse(address, refusal, frames, write).await;
            }
            return;
        }
        match self.clients.admit(write) {
            Ok(connected) => self.client(address, first, frames, connected).await,
            Err(write) => self.refuse(address, Refusal::TooManyClients, frames, write).await,
        }
    }

    /// The next frame of this cluster; `None` at the end.
    async fn next(&self, frames: &mut Frames) -> Result<Option<Frame>, End> {
        match frames.next().await {
            Some(frame) => Ok(Some(frame?.of_cluster(self.cluster)?)),
            None => Ok(None),
        }
    }

    // ---- Peers -------------------------------------------------------------------------------

    async fn peer(&self, first: Frame, frames: &mut Frames) -> End {
        let from = first.header.from;
        let mut superseded = match self.enter(&first) {
            Ok(superseded) => superseded,
            Err(refusal) => return refusal.into(),
        };
        let mut frame = first;
        let (mut disk, mut unknown) = (None, 0);
        loop {
            match (self.peer_frame(&frame, from), disk) {
                (Err(refusal), _) => return refusal.into(),
                (Ok(Spoken::Hello(hello)), _) => disk = Some(hello.incarnation),
                (Ok(Spoken::Message(message)), Some(incarnation)) => {
                    let event = Event::Peer { from, incarnation, message };
                    if self.senders.events.send(event).await.is_err() {
                        return End::Gone;
                    }
                }
                (Ok(Spoken::Message(_)), None) if unknown < FRAMES_BEFORE_HELLO_MAX => unknown += 1,
                (Ok(Spoken::Message(_)), None) => return Refusal::NoHello { from }.into(),
            }
            let next = tokio::select! {
                next = self.next(frames) => next,
                _ = &mut superseded => return End::Gone,
            };
            frame = match next {
                Ok(Some(frame)) => frame,
                Ok(None) => return End::Gone,
                Err(end) => return end,
            };
        }
    }

    /// Counts the connection as one of its peer's. What comes back resolves when it must go.
    fn enter(&self, first: &Frame) -> Result<oneshot::Receiver<()>, Refusal> {
        let (kind, from) = (first.header.kind.name(), first.header.from);
        if !from.is_valid() || from == self.id {
            return Err(Refusal::UnknownPeer { kind, from, id: self.id });
        }
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        let connections = peers.entry(from).or_default();
        connections.retain(|connection| !connection.is_closed());
        if connections.len() >= PEER_CONNECTIONS_MAX {
            connections.pop_front();
        }
        let (close, superseded) = oneshot::channel();
        connections.push_back(close);
        Ok(superseded)
    }

    fn peer_frame(&self, frame: &Frame, from: NodeId) -> Result<Spoken, Refusal> {
        self.check_peer(frame, from)?;
        if frame.header.kind == Kind::Hello {
            let hello = peer::decode_hello(frame)?;
            return match hello.protocol {
                PROTOCOL => Ok(Spoken::Hello(hello)),
                theirs => Err(Refusal::OtherProtocol { from, theirs }),
            };
        }
        let message = peer::decode(frame)?;
        let kind = frame.header.kind.name();
        plausible::check(&message, from, self.id).map_err(|reason| Refusal::Implausible { kind, reason })?;
        Ok(Spoken::Message(message))
    }

    fn check_peer(&self, frame: &Frame, from: NodeId) -> Result<(), Refusal> {
        let header = &frame.header;
        let kind = header.kind.name();
        if !header.kind.is_peer() {
            return Err(Refusal::OutOfRole { kind, role: "a peer's connection" });
        }
        if header.from != from {
            return Err(Refusal::OutOfRole { kind, role: "another peer's connection" });
        }
        if header.to != self.id {
            return Err(Refusal::WrongNode { kind, to: header.to, id: self.id });
        }
        Ok(())
    }

    // ---- Clients -----------------------------------------------------------------------------

    async fn client(&self, address: SocketAddr, first: Frame, mut frames: Frames, connected: Connected) {
        let end = self.read_client(first, &mut frames, &connected).await;
        let _ = self.senders.events.send(Event::ClientGone { client: connected.client }).await;
        if let End::Refused(refusal) = end {
            self.note(address, &refusal);
            // Its writer says so, after what is queued already.
            if connected.answers.try_send(Answer::Refusal(refusal.to_string())).is_ok() {
                linger(frames).await;
            }
        }
    }

    async fn read_client(&self, first: Frame, frames: &mut Frames, connected: &Connected) -> End {
        let mut frame = first;
        loop {
            tokio::select! {
                permit = connected.in_flight.acquire() => match permit {
                    Ok(permit) => permit.forget(),
                    Err(_) => return End::Gone,
                },
                () = connected.answers.closed() => return End::Gone,
            }
            if let Err(end) = self.take_client_frame(&frame, connected).await {
                return end;
            }
            let next = tokio::select! {
                next = self.next(frames) => next,
                () = connected.answers.closed() => return End::Gone,
            };
            frame = match next {
                Ok(Some(frame)) => frame,
                Ok(None) => return End::Gone,
                Err(end) => return end,
            };
        }
    }

    async fn take_client_frame(&self, frame: &Frame, connected: &Connected) -> Result<(), End> {
        let header = &frame.header;
        let kind = header.kind.name();
        if header.to != NodeId(0) && header.to != self.id {
            return Err(Refusal::WrongNode { kind, to: header.to, id: self.id }.into());
        }
        match header.kind {
            Kind::ClientRequest => match client::decode_request(frame) {
                Ok(request) => {
                    let event = Event::Client { client: connected.client, request };
                    self.senders.events.send(event).await.map_err(|_| End::Gone)
                }
                Err(error) => {
                    // The frame is sound, so only this request is refused, and the next one may do.
                    let too_large = error.is_too_large();
                    let error = if too_large { DefiniteError::TooLarge } else { DefiniteError::Malformed };
                    let result = ClientResult::Failed(error);
                    let reply = ClientReply { id: header.message_id, slot: Slot::ZERO, result };
                    connected.answers.send(Answer::Reply(reply)).await.map_err(|_| End::Gone)
                }
            },
            Kind::ChangeRequest => {
                let change = members::decode_change(frame).map_err(Refusal::Frame)?;
                let (client, id) = (connected.client, header.message_id);
                let event = Event::Change { client, id, change };
                self.senders.events.send(event).await.map_err(|_| End::Gone)
            }
            Kind::StatusRequest => {
                let (answer, status) = oneshot::channel();
                self.senders.status.send(answer).await.map_err(|_| End::Gone)?;
                let json = status.await.map_err(|_| End::Gone)?;
                let answer = Answer::Status { id: header.message_id, json };
                connected.answers.send(answer).await.map_err(|_| End::Gone)
            }
            _ => Err(Refusal::OutOfRole { kind, role: "a client's connection" }.into()),
        }
    }

    // ---- Refusals ----------------------------------------------------------------------------

    async fn refuse(&self, address: SocketAddr, refusal: Refusal, frames: Frames, mut write: OwnedWriteHalf) {
        self.note(address, &refusal);
        let mut frame = BytesMut::new();
        client::encode_error(&mut frame, self.cluster, self.id, &refusal.to_string());
        let said = async {
            write.write_all_buf(&mut frame).await?;
            write.shutdown().await
        };
        if let Ok(Ok(())) = timeout(LINGER_WAIT, said).await {
            linger(frames).await;
        }
    }

    fn note(&self, address: SocketAddr, refusal: &Refusal) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        self.complaints.say(self.id, format_args!("closed the connection from {address}: {refusal}"));
    }
}

/// Reads until the other side closes, within limits.
async fn linger(frames: Frames) {
    let mut rest = frames.into_inner().take(LINGER_BYTES);
    let _ = timeout(LINGER_WAIT, tokio::io::copy(&mut rest, &mut tokio::io::sink())).await;
}
