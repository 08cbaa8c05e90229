//! The way to each peer: a connection that this node dialled, a bounded queue, and a task that
//! joins them.
//!
//! A directed link is one connection, on which nothing flows back but the reason of a refusal. It begins
//! with a [`Hello`], which says on which disk this node is.
//! The protocol asks little of it: any message may be lost. So a full queue drops what comes, a
//! link that is down drops everything, and what waited too long is dropped too, for by then the
//! protocol has sent again. What does get through leaves in order, many frames to a write.

use super::console::{self, Throttle};
use super::event::Event;
use super::status::LinkStatus;
use crate::paxos::{Message, NodeId};
use crate::wire::peer::{self, Envelope, Hello, PROTOCOL};
use crate::wire::{FrameReader, Kind, client};
use bytes::BytesMut;
use futures_util::StreamExt as _;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::codec::FramedRead;

/// Messages that may wait for one peer: some hundred milliseconds of a busy leader.
pub(super) const QUEUED_MAX: usize = 4096;

/// Payload bytes that may wait for one peer.
const QUEUED_BYTES_MAX: usize = 16 << 20;

/// What has waited this long has been sent again by the protocol, several times. A peer that
/// wakes from a freeze should not be fed its past.
const QUEUED_AGE_MAX: Duration = Duration::from_secs(1);

/// The first wait between two attempts to connect; doubles up to [`DIAL_REST_MAX`]. Both short:
/// a restarted peer is back within milliseconds, and a refused attempt costs next to nothing.
const DIAL_REST_MIN: Duration = Duration::from_millis(10);
/// See [`DIAL_REST_MIN`].
const DIAL_REST_MAX: Duration = Duration::from_millis(200);

/// The wait after the other side has refused to talk to us; that won't change soon.
const REFUSED_REST: Duration = Duration::from_secs(1);

/// A connection that lasted this long was a good one: the waits start from the shortest again.
const GOOD_CONNECTION: Duration = Duration::from_secs(1);

/// How long an attempt to connect may take.
const DIAL_WAIT: Duration = Duration::from_secs(1);

/// A connection that takes no bytes for this long is replaced: its other end may have gone
/// without a word.
const WRITE_WAIT: Duration = Duration::from_secs(10);

/// Frames are gathered up to this before they are written.
const WRITE_BYTES: usize = 64 << 10;

/// While messages leave, a link says so often on which disk this node is: the network may have lost the
/// first time, and with it all that followed.
const HELLO_EVERY: Duration = Duration::from_millis(50);

/// Who this node is, to whom it dials.
#[derive(Copy, Clone, Debug)]
pub(super) struct Own {
    /// The cluster.
    pub(super) cluster: u64,
    /// The node.
    pub(super) id: NodeId,
    /// Its disk.
    pub(super) incarnation: u64,
}

/// The ways to all peers.
#[derive(Debug)]
pub(super) struct Links {
    own: Own,
    links: BTreeMap<NodeId, Link>,
    next_message_id: u64,
    events: mpsc::Sender<Event>,
}

#[derive(Debug)]
struct Link {
    address: String,
    queue: mpsc::Sender<Queued>,
    gauges: Arc<Gauges>,
}

#[derive(Debug)]
struct Queued {
    message: Message,
    id: u64,
    since: Instant,
}

/// What a link's two ends know of each other.
#[derive(Debug, Default)]
struct Gauges {
    connected: AtomicBool,
    queued_bytes: AtomicUsize,
    sent: AtomicU64,
    dropped: AtomicU64,
    connections: AtomicU64,
}

impl Gauges {
    fn drop_one(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

/// How many messages, and how many bytes of payload, may wait for one peer.
fn room() -> (usize, usize) {
    if crate::mutant!(UnboundedPeerQueue) {
        return (tokio::sync::Semaphore::MAX_PERMITS, usize::MAX);
    }
    (QUEUED_MAX, QUEUED_BYTES_MAX)
}

impl Links {
    /// Starts to dial these peers, for ever. Message ids count up from `first_message_id`. Of a connection
    /// that broke, `events` is told.
    pub(super) fn start(
        own: Own,
        peers: &BTreeMap<NodeId, String>,
        first_message_id: u64,
        events: &mpsc::Sender<Event>,
    ) -> Links {
        let events = events.clone();
        let mut links = Links { own, links: BTreeMap::new(), next_message_id: first_message_id, events };
        links.set(peers);
        links
    }

    /// From now on these are the peers: to others, and where one has moved, a link ends with what waited
    /// in it.
    pub(super) fn set(&mut self, peers: &BTreeMap<NodeId, String>) {
        self.links.retain(|to, link| peers.get(to) == Some(&link.address));
        for (&to, address) in peers {
            if to != self.own.id && !self.links.contains_key(&to) {
                self.links.insert(to, self.dial(to, address));
            }
        }
    }

    fn dial(&self, to: NodeId, address: &str) -> Link {
        let (queue, queued) = mpsc::channel(room().0);
        let gauges = Arc::new(Gauges::default());
        let task = LinkTask {
            own: self.own,
            to,
            address: address.to_owned(),
            queued,
            gauges: Arc::clone(&gauges),
            events: self.events.clone(),
            complaints: Throttle::new(),
        };
        tokio::spawn(task.run());
        Link { address: address.to_owned(), queue, gauges }
    }

    /// Sends a message if there is a link and it can take it; drops it otherwise.
    pub(super) fn send(&mut self, to: NodeId, message: Message) {
        let Some(link) = self.links.get(&to) else { return };
        self.next_message_id = self.next_message_id.wrapping_add(1);
        let gauges = &link.gauges;
        let bytes = payload_bytes(&message);
        let waiting = gauges.queued_bytes.load(Ordering::Relaxed);
        if !gauges.connected.load(Ordering::Relaxed) || waiting + bytes > room().1 {
            gauges.drop_one();
            return;
        }
        let queued = Queued { message, id: self.next_message_id, since: Instant::now() };
        match link.queue.try_send(queued) {
            Ok(()) => _ = gauges.queued_bytes.fetch_add(bytes, Ordering::Relaxed),
            Err(_) => gauges.drop_one(),
        }
    }

    /// How each link fares.
    pub(super) fn status(&self) -> Vec<LinkStatus> {
        let status = |(to, link): (&NodeId, &Link)| LinkStatus {
            to: to.0,
            address: link.address.clone(),
            connected: link.gauges.connected.load(Ordering::Relaxed),
            connections: link.gauges.connections.load(Ordering::Relaxed),
            queued: link.queue.max_capacity() - link.queue.capacity(),
            queued_bytes: link.gauges.queued_bytes.load(Ordering::Relaxed),
            sent: link.gauges.sent.load(Ordering::Relaxed),
            dropped: link.gauges.dropped.load(Ordering::Relaxed),
        };
        self.links.iter().map(status).collect()
    }
}

/// Roughly what a message weighs.
fn payload_bytes(message: &Message) -> usize {
    match message {
        Message::Accept { value, .. } => value.len(),
        Message::Promise { slots, .. } | Message::LearnReply { slots, .. } => {
            slots.iter().map(|report| size_of_val(report) + report.value.len()).sum()
        }
        Message::Forward { request: bytes, .. }
        | Message::ForwardReply { reply: bytes, .. }
        | Message::SnapshotPart { bytes, .. } => bytes.len(),
        Message::Prepare { .. }
        | Message::Accepted { .. }
        | Message::Reject { .. }
        | Message::Heartbeat { .. }
        | Message::HeartbeatAck { .. }
        | Message::SnapshotOffer { .. }
        | Message::SnapshotRequest { .. }
        | Message::PreVote { .. }
        | Message::PreVoteReply { .. }
        | Message::Meet { .. }
        | Message::Unwelcome { .. }
        | Message::LearnRequest { .. } => 0,
    }
}

/// The task of one link.
struct LinkTask {
    own: Own,
    to: NodeId,
    address: String,
    queued: mpsc::Receiver<Queued>,
    gauges: Arc<Gauges>,
    events: mpsc::Sender<Event>,
    complaints: Throttle,
}

/// Why a connection was given up.
enum Lost {
    /// It broke, or was closed.
    Broken,
    /// The other side refused, and said why.
    Refused(String),
    /// The node stops.
    Stopped,
}

impl LinkTask {
    async fn run(mut self) {
        let mut rest = DIAL_REST_MIN;
        let mut refusal = String::new();
        while !self.queued.is_closed() {
            let mut lasted = Duration::ZERO;
            if let Ok(Ok(stream)) = timeout(DIAL_WAIT, TcpStream::connect(&self.address)).await {
                let since = Instant::now();
                self.gauges.connections.fetch_add(1, Ordering::Relaxed);
                self.gauges.connected.store(true, Ordering::Relaxed);
                let lost = self.carry(stream).await;
                self.gauges.connected.store(false, Ordering::Relaxed);
                self.drop_queued();
                lasted = since.elapsed();
                match lost {
                    // Only a hint: a node that is too busy for it finds out by its timeout.
                    Lost::Broken => _ = self.events.try_send(Event::LostTouch { with: self.to }),
                    Lost::Stopped => return,
                    Lost::Refused(reason) => {
                        if reason != refusal {
                            let (to, address) = (self.to, &self.address);
                            console::say(self.own.id, format_args!("{to} at {address} refuses: {reason}"));
                            refusal = reason;
                        }
                        sleep(REFUSED_REST).await;
                    }
                }
            }
            rest = if lasted >= GOOD_CONNECTION { DIAL_REST_MIN } else { DIAL_REST_MAX.min(rest * 2) };
            sleep(rest).await;
        }
    }

    /// Writes what is queued until the connection is lost.
    async fn carry(&mut self, stream: TcpStream) -> Lost {
        // Without it only latency suffers.
        let _ = stream.set_nodelay(true);
        let (read, mut write) = stream.into_split();
        let mut answers = FramedRead::new(read, FrameReader::new());
        let mut buffer = BytesMut::with_capacity(WRITE_BYTES);
        self.encode_hello(&mut buffer);
        let mut hello_at = Instant::now();
        if !matches!(timeout(WRITE_WAIT, write.write_all_buf(&mut buffer)).await, Ok(Ok(()))) {
            return Lost::Broken;
        }
        loop {
            // Reading tells at once when the peer has died; a write would only find out the
            // second time.
            tokio::select! {
                answer = answers.next() => return lost(answer),
                queued = self.queued.recv() => match queued {
                    Some(queued) => {
                        if hello_at.elapsed() >= HELLO_EVERY {
                            self.encode_hello(&mut buffer);
                            hello_at = Instant::now();
                        }
                        self.encode(&mut buffer, queued);
                    }
                    None => return Lost::Stopped,
                },
            }
            while buffer.len() < WRITE_BYTES
                && let Ok(queued) = self.queued.try_recv()
            {
                self.encode(&mut buffer, queued);
            }
            tokio::select! {
                answer = answers.next() => return lost(answer),
                written = timeout(WRITE_WAIT, write.write_all_buf(&mut buffer)) => match written {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) | Err(_) => return Lost::Broken,
                },
            }
            if buffer.capacity() > 4 * WRITE_BYTES {
                buffer = BytesMut::with_capacity(WRITE_BYTES);
            }
        }
    }

    fn encode_hello(&self, buffer: &mut BytesMut) {
        let Own { cluster, id, incarnation } = self.own;
        let envelope = Envelope { cluster, from: id, to: self.to, message_id: 0 };
        peer::encode_hello(buffer, envelope, Hello { protocol: PROTOCOL, incarnation });
    }

    fn encode(&self, buffer: &mut BytesMut, queued: Queued) {
        self.gauges.queued_bytes.fetch_sub(payload_bytes(&queued.message), Ordering::Relaxed);
        if queued.since.elapsed() > QUEUED_AGE_MAX {
            self.gauges.drop_one();
            return;
        }
        let Own { cluster, id, .. } = self.own;
        let envelope = Envelope { cluster, from: id, to: self.to, message_id: queued.id };
        match peer::encode(buffer, envelope, &queued.message) {
            Ok(()) => _ = self.gauges.sent.fetch_add(1, Ordering::Relaxed),
            Err(error) => {
                self.gauges.drop_one();
                let kind = peer::kind(&queued.message).name();
                self.complaints.say(id, format_args!("can't send {kind} to {}: {error}", self.to));
            }
        }
    }

    fn drop_queued(&mut self) {
        while let Ok(queued) = self.queued.try_recv() {
            self.gauges.queued_bytes.fetch_sub(payload_bytes(&queued.message), Ordering::Relaxed);
            self.gauges.drop_one();
        }
    }
}

fn lost(answer: Option<Result<crate::wire::Frame, crate::wire::ReadError>>) -> Lost {
    match answer {
        Some(Ok(frame)) if frame.header.kind == Kind::Error => Lost::Refused(client::decode_error(&frame)),
        Some(Ok(frame)) => Lost::Refused(format!("it sent {} on our link", frame.header.kind.name())),
        Some(Err(_)) | None => Lost::Broken,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paxos::{Ballot, Slot, Value};
    use bytes::Bytes;
    use tokio::net::TcpListener;

    const VALUE_BYTES: usize = 64 << 10;
    const OWN: Own = Own { cluster: 7, id: NodeId(1), incarnation: 0xd15c };

    fn accept(slot: u64) -> Message {
        let ballot = Ballot { round: 1, node: NodeId(1) };
        let value = Value::Batch(Bytes::from_static(&[7; VALUE_BYTES]));
        Message::Accept { ballot, slot: Slot(slot), value, chosen_upto: Slot(0) }
    }

    /// A link to n2, connected, and the other end of it.
    async fn connected() -> (Links, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peers = BTreeMap::from([(NodeId(2), listener.local_addr().unwrap().to_string())]);
        let links = Links::start(OWN, &peers, 0, &mpsc::channel(1).0);
        let (stream, _) = listener.accept().await.unwrap();
        while !links.status()[0].connected {
            tokio::task::yield_now().await;
        }
        (links, stream)
    }

    #[tokio::test]
    async fn messages_arrive_in_order_under_their_own_ids() {
        let (mut links, stream) = connected().await;
        (1..=100).for_each(|slot| links.send(NodeId(2), accept(slot)));
        let mut frames = FramedRead::new(stream, FrameReader::new());
        let first = frames.next().await.unwrap().unwrap();
        let hello = Hello { protocol: PROTOCOL, incarnation: OWN.incarnation };
        assert_eq!((first.header.kind, peer::decode_hello(&first)), (Kind::Hello, Ok(hello)));
        for slot in 1..=100 {
            let mut frame = frames.next().await.unwrap().unwrap();
            while frame.header.kind == Kind::Hello {
                frame = frames.next().await.unwrap().unwrap();
            }
            assert_eq!((frame.header.message_id, frame.header.slot_first), (slot, Slot(slot)));
            assert_eq!(peer::decode(&frame).unwrap(), accept(slot));
        }
        assert_eq!((links.status()[0].sent, links.status()[0].dropped), (100, 0));
    }

    #[tokio::test]
    async fn a_peer_that_reads_nothing_costs_a_bounded_queue() {
        let (mut links, _frozen) = connected().await;
        for slot in 0..2000 {
            links.send(NodeId(2), accept(slot));
            tokio::task::yield_now().await;
        }
        let status = &links.status()[0];
        assert!(status.queued_bytes <= QUEUED_BYTES_MAX, "{status:?}");
        assert!(status.dropped > 1000, "{status:?}");
    }

    /// The mutant's own test: the simulation has no shell.
    #[cfg(feature = "mutants")]
    #[tokio::test]
    async fn without_its_bound_a_frozen_peer_costs_all_that_is_sent() {
        use crate::mutants::{Mutant, activate};
        activate(Some(Mutant::UnboundedPeerQueue));
        let (mut links, _frozen) = connected().await;
        for slot in 0..2 * QUEUED_MAX as u64 {
            links.send(NodeId(2), accept(slot));
        }
        activate(None);
        let status = &links.status()[0];
        assert_eq!((status.queued, status.dropped), (2 * QUEUED_MAX, 0), "{status:?}");
        assert!(status.queued_bytes > 8 * QUEUED_BYTES_MAX, "{status:?}");
    }

    #[tokio::test]
    async fn a_link_that_is_down_drops_what_it_is_given() {
        let (mut links, stream) = connected().await;
        drop(stream);
        while links.status()[0].connected {
            tokio::task::yield_now().await;
        }
        links.send(NodeId(2), accept(1));
        let status = &links.status()[0];
        assert_eq!((status.queued, status.queued_bytes, status.dropped), (0, 0, 1));
    }

    #[tokio::test]
    async fn a_lost_connection_is_dialled_again() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peers = BTreeMap::from([(NodeId(2), listener.local_addr().unwrap().to_string())]);
        let _links = Links::start(OWN, &peers, 0, &mpsc::channel(1).0);
        for _ in 0..3 {
            drop(listener.accept().await.unwrap());
        }
    }
}
