//! The envelope of everything said over a socket.
//!
//! A frame is a length prefix (`u32`, little-endian, not counting itself) and that many bytes: a
//! header of 56 and a body. All numbers are little-endian.
//!
//! | offset | type | field |
//! |---|---|---|
//! | 0 | u16 | magic, `0x5041` |
//! | 2 | u8 | version, 1 |
//! | 3 | u8 | [`Kind`] |
//! | 4 | u32 | CRC-32C of all the frame's bytes but these four |
//! | 8 | u64 | cluster |
//! | 16 | u16 | from: the sending node, 0 for a client |
//! | 18 | u16 | to: the receiving node, 0 for a client, or for "whoever listens here" |
//! | 20 | u16 | the ballot's node |
//! | 22 | u16 | reserved, 0 |
//! | 24 | u64 | message id: unique per sender, or the client's request id |
//! | 32 | u64 | the ballot's round |
//! | 40 | u64 | first slot |
//! | 48 | u64 | last slot (inclusive; a last below the first means no slot) |
//! | 56 | | body |
//!
//! The header holds what triggers, leader tracking and message-level faults need, so that a
//! proxy need not decode bodies: [`Header::peek`] reads it without even checking the sum. Ballot
//! and slots live only here, not in the body again: there is no second copy to disagree with.
//! Which kind fills them how is tabled in [`super::peer`] and [`super::client`].

use super::body::Body;
use crate::paxos::{Ballot, NodeId, Slot};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use std::io;
use tokio_util::codec::{Decoder, LengthDelimitedCodec};

/// The largest frame, header included, length prefix not: four of the largest batches.
/// A sender splits its answers to stay below it; a receiver hangs up on anything above.
pub const MAX_FRAME_BYTES: usize = 4 << 20;

/// Bytes before the body.
pub const HEADER_BYTES: usize = 56;

/// Bytes of the length prefix.
pub const PREFIX_BYTES: usize = 4;

const MAGIC: u16 = 0x5041;
const VERSION: u8 = 1;
const CHECKSUM_AT: usize = 4;
const AFTER_CHECKSUM: usize = 8;

/// What a frame says; the byte at offset 3.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug)]
#[repr(u8)]
pub enum Kind {
    /// Phase 1a.
    Prepare = 1,
    /// Phase 1b.
    Promise = 2,
    /// Phase 2a.
    Accept = 3,
    /// Phase 2b.
    Accepted = 4,
    /// The negative answer.
    Reject = 5,
    /// The leader is alive.
    Heartbeat = 6,
    /// Its answer.
    HeartbeatAck = 7,
    /// A laggard asks.
    LearnRequest = 8,
    /// Its answer.
    LearnReply = 9,
    /// A follower hands a client's request on.
    Forward = 10,
    /// Its answer.
    ForwardReply = 11,
    /// A laggard is offered a snapshot.
    SnapshotOffer = 12,
    /// It asks for a part of one.
    SnapshotRequest = 13,
    /// It gets it.
    SnapshotPart = 14,
    /// Somebody asks whether it would be promised a ballot.
    PreVote = 15,
    /// Its answer.
    PreVoteReply = 16,
    /// Founders get to know each other.
    Meet = 17,
    /// Nothing more is taken from a disk that is not the one known.
    Unwelcome = 18,
    /// On which disk the node is that dialled; the first on its connection, and said again.
    Hello = 19,
    /// A client asks.
    ClientRequest = 32,
    /// Its answer.
    ClientReply = 33,
    /// Somebody asks how the node is.
    StatusRequest = 34,
    /// The answer, as JSON.
    StatusReply = 35,
    /// Why the connection is about to be closed, as text. Answers only what was refused.
    Error = 36,
    /// Somebody wants the members changed.
    ChangeRequest = 37,
    /// What became of that.
    ChangeReply = 38,
}

impl Kind {
    /// Every kind, in the order of their bytes.
    pub const ALL: [Kind; 26] = [
        Kind::Prepare,
        Kind::Promise,
        Kind::Accept,
        Kind::Accepted,
        Kind::Reject,
        Kind::Heartbeat,
        Kind::HeartbeatAck,
        Kind::LearnRequest,
        Kind::LearnReply,
        Kind::Forward,
        Kind::ForwardReply,
        Kind::SnapshotOffer,
        Kind::SnapshotRequest,
        Kind::SnapshotPart,
        Kind::PreVote,
        Kind::PreVoteReply,
        Kind::Meet,
        Kind::Unwelcome,
        Kind::Hello,
        Kind::ClientRequest,
        Kind::ClientReply,
        Kind::StatusRequest,
        Kind::StatusReply,
        Kind::Error,
        Kind::ChangeRequest,
        Kind::ChangeReply,
    ];

    /// The kind with this byte.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Kind> {
        Kind::ALL.into_iter().find(|&kind| kind as u8 == byte)
    }

    /// The name that schedules and reports use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Prepare => "prepare",
            Kind::Promise => "promise",
            Kind::Accept => "accept",
            Kind::Accepted => "accepted",
            Kind::Reject => "reject",
            Kind::Heartbeat => "heartbeat",
            Kind::HeartbeatAck => "heartbeat-ack",
            Kind::LearnRequest => "learn-request",
            Kind::LearnReply => "learn-reply",
            Kind::Forward => "forward",
            Kind::ForwardReply => "forward-reply",
            Kind::SnapshotOffer => "snapshot-offer",
            Kind::SnapshotRequest => "snapshot-request",
            Kind::SnapshotPart => "snapshot-part",
            Kind::PreVote => "pre-vote",
            Kind::PreVoteReply => "pre-vote-reply",
            Kind::Meet => "meet",
            Kind::Unwelcome => "unwelcome",
            Kind::Hello => "hello",
            Kind::ClientRequest => "client-request",
            Kind::ClientReply => "client-reply",
            Kind::StatusRequest => "status-request",
            Kind::StatusReply => "status-reply",
            Kind::Error => "error",
            Kind::ChangeRequest => "change-request",
            Kind::ChangeReply => "change-reply",
        }
    }

    /// Whether only replicas say this to each other.
    #[must_use]
    pub fn is_peer(self) -> bool {
        self <= Kind::Hello
    }
}

/// The first 56 bytes of every frame.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Header {
    /// What the frame says.
    pub kind: Kind,
    /// The cluster that the sender belongs to, or believes to speak to.
    pub cluster: u64,
    /// The sending node; 0 for a client.
    pub from: NodeId,
    /// The node meant; 0 for a client, and in a client's frame for whoever listens.
    pub to: NodeId,
    /// The ballot spoken of, or [`Ballot::ZERO`].
    pub ballot: Ballot,
    /// Unique per sender; in client frames the request's id, echoed in its reply.
    pub message_id: u64,
    /// First slot spoken of.
    pub slot_first: Slot,
    /// Last slot spoken of, inclusive.
    pub slot_last: Slot,
}

impl Header {
    /// Reads the header of a frame (without its length prefix) and checks nothing that costs:
    /// neither the sum nor the body. For proxies, which must tell kinds apart and never judge.
    /// `None` if the bytes are no header of this version.
    #[must_use]
    pub fn peek(frame: &[u8]) -> Option<Header> {
        Header::parse(frame).ok()
    }

    fn parse(mut frame: &[u8]) -> Result<Header, FrameError> {
        if frame.len() < HEADER_BYTES {
            return Err(FrameError::Truncated { found: frame.len(), needed: HEADER_BYTES });
        }
        let magic = frame.get_u16_le();
        if magic != MAGIC {
            return Err(FrameError::BadMagic { found: magic });
        }
        let version = frame.get_u8();
        if version != VERSION {
            return Err(FrameError::BadVersion { found: version });
        }
        let kind = frame.get_u8();
        let kind = Kind::from_byte(kind).ok_or(FrameError::UnknownKind { found: kind })?;
        frame.advance(AFTER_CHECKSUM - CHECKSUM_AT);
        let cluster = frame.get_u64_le();
        let from = NodeId(frame.get_u16_le());
        let to = NodeId(frame.get_u16_le());
        let ballot_node = NodeId(frame.get_u16_le());
        if frame.get_u16_le() != 0 {
            return Err(FrameError::Malformed { field: "reserved", offset: 22 });
        }
        let message_id = frame.get_u64_le();
        let ballot = Ballot { round: frame.get_u64_le(), node: ballot_node };
        let slot_first = Slot(frame.get_u64_le());
        let slot_last = Slot(frame.get_u64_le());
        Ok(Header { kind, cluster, from, to, ballot, message_id, slot_first, slot_last })
    }

    fn write(&self, out: &mut BytesMut) {
        out.put_u16_le(MAGIC);
        out.put_u8(VERSION);
        out.put_u8(self.kind as u8);
        out.put_u32_le(0);
        out.put_u64_le(self.cluster);
        out.put_u16_le(self.from.0);
        out.put_u16_le(self.to.0);
        out.put_u16_le(self.ballot.node.0);
        out.put_u16_le(0);
        out.put_u64_le(self.message_id);
        out.put_u64_le(self.ballot.round);
        out.put_u64_le(self.slot_first.0);
        out.put_u64_le(self.slot_last.0);
    }
}

/// A frame whose sum was right: a header to believe and a body to decode.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Frame {
    /// The header.
    pub header: Header,
    /// What follows it, a slice of the buffer it arrived in.
    pub body: Bytes,
}

impl Frame {
    /// Checks a frame (without its length prefix): size, magic, version, sum, kind.
    ///
    /// # Errors
    /// What is wrong with it. The body is not looked at.
    pub fn open(mut bytes: Bytes) -> Result<Frame, FrameError> {
        if bytes.len() > MAX_FRAME_BYTES {
            return Err(FrameError::TooLarge { bytes: Some(bytes.len()) });
        }
        let header = match Header::parse(&bytes) {
            // It does not claim to be ours, so its sum would say nothing.
            Err(
                error @ (FrameError::Truncated { .. }
                | FrameError::BadMagic { .. }
                | FrameError::BadVersion { .. }),
            ) => return Err(error),
            // A bad sum explains more than the odd kind that it may have caused.
            parsed => check_sum(&bytes).and(parsed)?,
        };
        bytes.advance(HEADER_BYTES);
        Ok(Frame { header, body: bytes })
    }

    /// Refuses a frame of another cluster: two clusters that were given each other's addresses
    /// must not vote in each other's elections.
    ///
    /// # Errors
    /// [`FrameError::ForeignCluster`].
    pub fn of_cluster(self, cluster: u64) -> Result<Frame, FrameError> {
        if self.header.cluster == cluster {
            Ok(self)
        } else {
            Err(FrameError::ForeignCluster { ours: cluster, theirs: self.header.cluster })
        }
    }

    pub(super) fn body(&self) -> Body {
        Body::new(self.body.clone())
    }
}

/// Appends a frame, length prefix included, to what is about to be written to a socket. `body`
/// appends the body; nothing is copied afterwards.
///
/// # Errors
/// [`FrameError::TooLarge`]; `out` is then as it was.
pub(super) fn append(
    out: &mut BytesMut,
    header: &Header,
    body: impl FnOnce(&mut BytesMut),
) -> Result<(), FrameError> {
    let prefix_at = out.len();
    out.put_u32_le(0);
    header.write(out);
    body(out);
    let frame_at = prefix_at + PREFIX_BYTES;
    let length = out.len() - frame_at;
    if length > MAX_FRAME_BYTES {
        out.truncate(prefix_at);
        return Err(FrameError::TooLarge { bytes: Some(length) });
    }
    let sum = checksum(&out[frame_at..]);
    out[frame_at + CHECKSUM_AT..frame_at + AFTER_CHECKSUM].copy_from_slice(&sum.to_le_bytes());
    let length = u32::try_from(length).expect("at most MAX_FRAME_BYTES, checked above");
    out[prefix_at..frame_at].copy_from_slice(&length.to_le_bytes());
    Ok(())
}

fn check_sum(frame: &[u8]) -> Result<(), FrameError> {
    let carried = (&frame[CHECKSUM_AT..AFTER_CHECKSUM]).get_u32_le();
    let computed = checksum(frame);
    if carried == computed { Ok(()) } else { Err(FrameError::BadChecksum { carried, computed }) }
}

/// Covers the four bytes before the sum too: without them a flipped bit could turn a heartbeat
/// into its own acknowledgement.
fn checksum(frame: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&frame[..CHECKSUM_AT]), &frame[AFTER_CHECKSUM..])
}

/// Why bytes are not a frame for us.
#[derive(Clone, Eq, PartialEq, Debug, thiserror::Error)]
pub enum FrameError {
    /// The length prefix asks for more than a frame may hold.
    #[error("frame too large{}: at most {MAX_FRAME_BYTES} bytes", size(.bytes))]
    TooLarge {
        /// The frame's size, where known.
        bytes: Option<usize>,
    },
    /// The frame, or the stream, ends too early.
    #[error("truncated frame: {found} bytes where at least {needed} were due")]
    Truncated {
        /// How many there are.
        found: usize,
        /// How many there must be.
        needed: usize,
    },
    /// Not our protocol at all.
    #[error("bad magic {found:#06x}: not a frame of this protocol (expected {MAGIC:#06x})")]
    BadMagic {
        /// What stands in its place.
        found: u16,
    },
    /// Our protocol, of another version.
    #[error("frame version {found} is not supported: this node speaks version {VERSION}")]
    BadVersion {
        /// The version found.
        found: u8,
    },
    /// Damaged on the way.
    #[error("bad checksum: the frame says {carried:#010x}, its bytes say {computed:#010x}")]
    BadChecksum {
        /// The sum in the frame.
        carried: u32,
        /// The sum of its bytes.
        computed: u32,
    },
    /// From, or for, somebody else's cluster.
    #[error("foreign cluster {theirs}: this node belongs to cluster {ours}")]
    ForeignCluster {
        /// The cluster of this node.
        ours: u64,
        /// The cluster in the frame.
        theirs: u64,
    },
    /// A kind that this version does not have.
    #[error("unknown frame kind {found}")]
    UnknownKind {
        /// The byte found.
        found: u8,
    },
    /// The sum is right and yet the content makes no sense.
    #[error("malformed {field} at byte {offset} of the frame")]
    Malformed {
        /// The field.
        field: &'static str,
        /// Where it starts, counted from the start of the frame (after the length prefix).
        offset: usize,
    },
}

fn size(bytes: &Option<usize>) -> String {
    bytes.map(|bytes| format!(" ({bytes} bytes)")).unwrap_or_default()
}

/// Why reading from a connection stopped.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The other side sent something that is no frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The connection broke.
    #[error("connection lost: {0}")]
    Io(#[from] io::Error),
}

/// Cuts a byte stream into checked frames: a [`Decoder`] for `FramedRead`.
#[derive(Debug)]
pub struct FrameReader {
    lengths: LengthDelimitedCodec,
    /// A length prefix was taken, and its frame is not complete.
    inside: bool,
}

impl FrameReader {
    /// A reader at the start of a connection.
    #[must_use]
    pub fn new() -> FrameReader {
        let lengths = LengthDelimitedCodec::builder()
            .little_endian()
            .length_field_type::<u32>()
            .max_frame_length(MAX_FRAME_BYTES)
            .new_codec();
        FrameReader { lengths, inside: false }
    }
}

impl Default for FrameReader {
    fn default() -> Self {
        FrameReader::new()
    }
}

impl Decoder for FrameReader {
    type Item = Frame;
    type Error = ReadError;

    fn decode(&mut self, bytes: &mut BytesMut) -> Result<Option<Frame>, ReadError> {
        let before = bytes.len();
        // The codec's only complaint is about the length; it reserves nothing before that.
        let Some(frame) = self.lengths.decode(bytes).map_err(|_| FrameError::TooLarge { bytes: None })?
        else {
            self.inside |= bytes.len() < before;
            return Ok(None);
        };
        self.inside = false;
        Ok(Some(Frame::open(frame.freeze())?))
    }

    fn decode_eof(&mut self, bytes: &mut BytesMut) -> Result<Option<Frame>, ReadError> {
        match self.decode(bytes)? {
            Some(frame) => Ok(Some(frame)),
            None if bytes.is_empty() && !self.inside => Ok(None),
            None => {
                let found = bytes.len();
                Err(FrameError::Truncated { found, needed: HEADER_BYTES.max(found + 1) }.into())
            }
        }
    }
}
