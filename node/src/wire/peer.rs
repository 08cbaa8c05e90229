//! Replicas' [`Message`]s as frames.
//!
//! What the header says of each, and what is left for the body. "—" is zero, and is checked to be:
//! a message has exactly one encoding.
//!
//! | kind | ballot | slots | body |
//! |---|---|---|---|
//! | prepare | the candidate's | `from` … 2⁶⁴−1: it is for all slots from there on | |
//! | promise | promised | `from` … highest reported, 0 if none | next: u8 + u64, reports, trimmed: u64 unless 0 |
//! | accept | the leader's | the slot | chosen_upto: u64, value |
//! | accepted | accepted | the slot | |
//! | reject | refused | — | promised: u64 + u16 |
//! | heartbeat | the leader's | `chosen_upto` | read_seq, applied slot, applied hash: u64 each |
//! | heartbeat-ack | echoed | `chosen_upto` | read_seq, applied slot, applied hash, lease_us unless 0: u64 each |
//! | learn-request | — | `from` … 2⁶⁴−1 | |
//! | learn-reply | — | lowest … highest reported, 0 … 0 if none | chosen_upto: u64, reports |
//! | forward | — | — | token: u64, the request to the end |
//! | forward-reply | — | — | token: u64, the reply to the end |
//! | snapshot-offer | — | the slot | |
//! | snapshot-request | — | the slot | part: u32 |
//! | snapshot-part | — | the slot | part: u32, its bytes to the end |
//! | pre-vote | the candidate's next | — | |
//! | pre-vote-reply | echoed | — | promised: u64 + u16, granted: u8 |
//! | meet | — | — | stage: u8 (0 fresh, 1 pledged, 2 founded); if 1, the configuration to the end |
//! | unwelcome | — | — | known: u8 + u64 |
//! | hello | — | — | protocol: u32, incarnation: u64 |
//!
//! *Hello* is no message but says who sends those that follow on its connection: see [`Hello`].
//!
//! A *value* is a u8 (0 noop, 1 batch, 2 configuration), a u32 length and that many bytes. *Reports* are a u32
//! count and as many of: slot u64, ballot u64 + u16, learned u8, value.
//!
//! Programs from before members could be changed know neither the last three kinds nor a configuration. Programs from before there
//! were snapshots know neither the five kinds before those nor a promise's last
//! field, and refuse them: a promise over a trimmed range can't be mistaken for one that tells all.
//! As long as nothing is trimmed, both understand each other.

use super::body::Body;
use super::frame::{self, Frame, FrameError, Header, Kind};
use crate::paxos::{AppliedHash, Ballot, Configuration, Message, NodeId, Slot, SlotReport, Stage, Value};
use bytes::{BufMut, BytesMut};
use std::sync::Arc;

/// A report without its value's bytes: slot, ballot, learned, value tag and length. What a count
/// of reports is checked against before room is made for them.
const REPORT_BYTES_MIN: usize = 8 + 8 + 2 + 1 + 1 + 4;

const NOOP: u8 = 0;
const BATCH: u8 = 1;
const CONFIGURATION: u8 = 2;

const FRESH: u8 = 0;
const PLEDGED: u8 = 1;
const FOUNDED: u8 = 2;

/// What nodes say to each other, and what they may count on: raised when that changes so that those who
/// speak the one can't work with those who speak the other.
pub const PROTOCOL: u32 = 1;

/// Who sends what follows on a connection, besides what each header says.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Hello {
    /// The sender's [`PROTOCOL`].
    pub protocol: u32,
    /// The sender's disk.
    pub incarnation: u64,
}

/// Appends a hello as a frame, length prefix included.
pub fn encode_hello(out: &mut BytesMut, envelope: Envelope, hello: Hello) {
    let header = header(Kind::Hello, envelope, Ballot::ZERO, (Slot::ZERO, Slot::ZERO));
    let body = |out: &mut BytesMut| {
        out.put_u32_le(hello.protocol);
        out.put_u64_le(hello.incarnation);
    };
    frame::append(out, &header, body).expect("a few bytes are below the limit");
}

/// Reads the hello in a frame of that kind. What a later protocol may add behind it is not looked at.
///
/// # Errors
/// [`FrameError::Malformed`].
pub fn decode_hello(frame: &Frame) -> Result<Hello, FrameError> {
    let mut body = frame.body();
    Ok(Hello { protocol: body.u32("protocol")?, incarnation: body.u64("incarnation")? })
}

/// Who says it to whom: the part of the header that the message doesn't know.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Envelope {
    /// The cluster of both.
    pub cluster: u64,
    /// The sender.
    pub from: NodeId,
    /// The receiver.
    pub to: NodeId,
    /// Unique per sender.
    pub message_id: u64,
}

/// Appends a message as a frame, length prefix included. Values are copied once, into `out`.
///
/// # Errors
/// [`FrameError::TooLarge`]; `out` is then as it was.
pub fn encode(out: &mut BytesMut, envelope: Envelope, message: &Message) -> Result<(), FrameError> {
    let header = header(kind(message), envelope, ballot(message), slots(message));
    frame::append(out, &header, |out| write_body(out, message))
}

fn header(kind: Kind, envelope: Envelope, ballot: Ballot, slots: (Slot, Slot)) -> Header {
    let Envelope { cluster, from, to, message_id } = envelope;
    let (slot_first, slot_last) = slots;
    Header { kind, cluster, from, to, ballot, message_id, slot_first, slot_last }
}

/// Reads the message in a frame. Values share the frame's buffer.
///
/// # Errors
/// [`FrameError::Malformed`] with the field and its offset; [`FrameError::UnknownKind`] if the
/// kind is none that replicas use.
pub fn decode(frame: &Frame) -> Result<Message, FrameError> {
    let header = &frame.header;
    let mut body = frame.body();
    let message = read_body(header, &mut body)?;
    body.finish()?;
    if header.ballot.node > NodeId::MAX {
        return Err(FrameError::Malformed { field: "ballot node", offset: 20 });
    }
    if ballot(&message) != header.ballot {
        return Err(FrameError::Malformed { field: "ballot", offset: 32 });
    }
    if slots(&message) != (header.slot_first, header.slot_last) {
        return Err(FrameError::Malformed { field: "slots", offset: 40 });
    }
    Ok(message)
}

/// The kind of a message.
#[must_use]
pub fn kind(message: &Message) -> Kind {
    match message {
        Message::Prepare { .. } => Kind::Prepare,
        Message::Promise { .. } => Kind::Promise,
        Message::Accept { .. } => Kind::Accept,
        Message::Accepted { .. } => Kind::Accepted,
        Message::Reject { .. } => Kind::Reject,
        Message::Heartbeat { .. } => Kind::Heartbeat,
        Message::HeartbeatAck { .. } => Kind::HeartbeatAck,
        Message::LearnRequest { .. } => Kind::LearnRequest,
        Message::LearnReply { .. } => Kind::LearnReply,
        Message::Forward { .. } => Kind::Forward,
        Message::ForwardReply { .. } => Kind::ForwardReply,
        Message::SnapshotOffer { .. } => Kind::SnapshotOffer,
        Message::SnapshotRequest { .. } => Kind::SnapshotRequest,
        Message::SnapshotPart { .. } => Kind::SnapshotPart,
        Message::PreVote { .. } => Kind::PreVote,
        Message::PreVoteReply { .. } => Kind::PreVoteReply,
        Message::Meet { .. } => Kind::Meet,
        Message::Unwelcome { .. } => Kind::Unwelcome,
    }
}

/// The header's ballot.
fn ballot(message: &Message) -> Ballot {
    match message {
        Message::Prepare { ballot, .. }
        | Message::Promise { ballot, .. }
        | Message::Accept { ballot, .. }
        | Message::Accepted { ballot, .. }
        | Message::Reject { ballot, .. }
        | Message::Heartbeat { ballot, .. }
        | Message::HeartbeatAck { ballot, .. }
        | Message::PreVote { ballot }
        | Message::PreVoteReply { ballot, .. } => *ballot,
        Message::LearnRequest { .. }
        | Message::LearnReply { .. }
        | Message::SnapshotOffer { .. }
        | Message::SnapshotRequest { .. }
        | Message::SnapshotPart { .. }
        | Message::Meet { .. }
        | Message::Unwelcome { .. }
        | Message::Forward { .. }
        | Message::ForwardReply { .. } => Ballot::ZERO,
    }
}

/// The header's slots, first and last.
fn slots(message: &Message) -> (Slot, Slot) {
    let highest = |slots: &[SlotReport]| slots.iter().map(|report| report.slot).max().unwrap_or_default();
    let lowest = |slots: &[SlotReport]| slots.iter().map(|report| report.slot).min().unwrap_or_default();
    match message {
        Message::Prepare { from, .. } | Message::LearnRequest { from } => (*from, Slot(u64::MAX)),
        Message::Promise { from, slots, .. } => (*from, highest(slots)),
        Message::Accept { slot, .. }
        | Message::Accepted { slot, .. }
        | Message::SnapshotOffer { slot }
        | Message::SnapshotRequest { slot, .. }
        | Message::SnapshotPart { slot, .. } => (*slot, *slot),
        Message::Heartbeat { chosen_upto, .. } | Message::HeartbeatAck { chosen_upto, .. } => {
            (*chosen_upto, *chosen_upto)
        }
        Message::LearnReply { slots, .. } => (lowest(slots), highest(slots)),
        Message::Reject { .. }
        | Message::Forward { .. }
        | Message::ForwardReply { .. }
        | Message::PreVote { .. }
        | Message::PreVoteReply { .. }
        | Message::Meet { .. }
        | Message::Unwelcome { .. } => (Slot::ZERO, Slot::ZERO),
    }
}

fn write_body(out: &mut BytesMut, message: &Message) {
    match message {
        Message::Prepare { .. }
        | Message::Accepted { .. }
        | Message::LearnRequest { .. }
        | Message::SnapshotOffer { .. }
        | Message::PreVote { .. } => {}
        Message::PreVoteReply { promised, granted, .. } => {
            write_ballot(out, *promised);
            out.put_u8(u8::from(*granted));
        }
        Message::Promise { slots, next, trimmed, .. } => {
            out.put_u8(u8::from(next.is_some()));
            out.put_u64_le(next.unwrap_or_default().0);
            write_reports(out, slots);
            if *trimmed > Slot::ZERO {
                out.put_u64_le(trimmed.0);
            }
        }
        Message::Meet { stage: Stage::Fresh } => out.put_u8(FRESH),
        Message::Meet { stage: Stage::Founded } => out.put_u8(FOUNDED),
        Message::Meet { stage: Stage::Pledged(configuration) } => {
            out.put_u8(PLEDGED);
            out.put_slice(&configuration.encode());
        }
        Message::Unwelcome { known } => {
            out.put_u8(u8::from(known.is_some()));
            out.put_u64_le(known.unwrap_or_default());
        }
        Message::SnapshotRequest { part, .. } => out.put_u32_le(*part),
        Message::SnapshotPart { part, bytes, .. } => {
            out.put_u32_le(*part);
            out.put_slice(bytes);
        }
        Message::Accept { value, chosen_upto, .. } => {
            out.put_u64_le(chosen_upto.0);
            write_value(out, value);
        }
        Message::Reject { promised, .. } => write_ballot(out, *promised),
        Message::Heartbeat { read_seq, applied, .. } => write_standing(out, *read_seq, *applied),
        Message::HeartbeatAck { read_seq, applied, lease_us, .. } => {
            write_standing(out, *read_seq, *applied);
            if *lease_us > 0 {
                out.put_u64_le(*lease_us);
            }
        }
        Message::LearnReply { slots, chosen_upto } => {
            out.put_u64_le(chosen_upto.0);
            write_reports(out, slots);
        }
        Message::Forward { token, request: bytes } | Message::ForwardReply { token, reply: bytes } => {
            out.put_u64_le(*token);
            out.put_slice(bytes);
        }
    }
}

fn read_body(header: &Header, body: &mut Body) -> Result<Message, FrameError> {
    let ballot = header.ballot;
    let slot = header.slot_first;
    Ok(match header.kind {
        Kind::Prepare => Message::Prepare { ballot, from: slot },
        Kind::Promise => {
            let next = read_next(body)?;
            let slots = read_reports(body)?;
            Message::Promise {
                ballot,
                from: slot,
                slots,
                next,
                trimmed: Slot(read_unless_zero(body, "trimmed")?),
            }
        }
        Kind::Accept => {
            let chosen_upto = Slot(body.u64("chosen_upto")?);
            Message::Accept { ballot, slot, value: read_value(body)?, chosen_upto }
        }
        Kind::Accepted => Message::Accepted { ballot, slot },
        Kind::Reject => Message::Reject { ballot, promised: read_ballot(body, "promised")? },
        Kind::Heartbeat => {
            let (read_seq, applied) = read_standing(body)?;
            Message::Heartbeat { ballot, chosen_upto: slot, read_seq, applied }
        }
        Kind::HeartbeatAck => {
            let (read_seq, applied) = read_standing(body)?;
            let lease_us = read_unless_zero(body, "lease")?;
            Message::HeartbeatAck { ballot, read_seq, chosen_upto: slot, lease_us, applied }
        }
        Kind::LearnRequest => Message::LearnRequest { from: slot },
        Kind::LearnReply => {
            let chosen_upto = Slot(body.u64("chosen_upto")?);
            Message::LearnReply { slots: read_reports(body)?, chosen_upto }
        }
        Kind::Forward => Message::Forward { token: body.u64("token")?, request: body.rest() },
        Kind::ForwardReply => Message::ForwardReply { token: body.u64("token")?, reply: body.rest() },
        Kind::SnapshotOffer => Message::SnapshotOffer { slot },
        Kind::SnapshotRequest => Message::SnapshotRequest { slot, part: body.u32("part")? },
        Kind::SnapshotPart => Message::SnapshotPart { slot, part: body.u32("part")?, bytes: body.rest() },
        Kind::PreVote => Message::PreVote { ballot },
        Kind::PreVoteReply => {
            let promised = read_ballot(body, "promised")?;
            Message::PreVoteReply { ballot, promised, granted: read_flag(body, "granted")? }
        }
        Kind::Meet => Message::Meet { stage: read_stage(body)? },
        Kind::Unwelcome => Message::Unwelcome { known: read_optional(body, "known")? },
        Kind::Hello
        | Kind::ClientRequest
        | Kind::ClientReply
        | Kind::StatusRequest
        | Kind::StatusReply
        | Kind::ChangeRequest
        | Kind::ChangeReply
        | Kind::Error => {
            return Err(FrameError::UnknownKind { found: header.kind as u8 });
        }
    })
}

fn read_flag(body: &mut Body, field: &'static str) -> Result<bool, FrameError> {
    let refusal = body.malformed(field);
    match body.u8(field)? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(refusal),
    }
}

fn read_next(body: &mut Body) -> Result<Option<Slot>, FrameError> {
    Ok(read_optional(body, "next")?.map(Slot))
}

fn read_optional(body: &mut Body, field: &'static str) -> Result<Option<u64>, FrameError> {
    let refusal = body.malformed(field);
    match (body.u8(field)?, body.u64(field)?) {
        (0, 0) => Ok(None),
        (1, number) => Ok(Some(number)),
        _ => Err(refusal),
    }
}

fn read_stage(body: &mut Body) -> Result<Stage, FrameError> {
    let refusal = body.malformed("stage");
    match body.u8("stage")? {
        FRESH => Ok(Stage::Fresh),
        FOUNDED => Ok(Stage::Founded),
        PLEDGED => {
            let configuration = Configuration::decode(&body.rest()).ok_or(refusal)?;
            Ok(Stage::Pledged(Arc::new(configuration)))
        }
        _ => Err(refusal),
    }
}

/// A number at the end of a body that came into the format later: 0 is said by saying nothing.
fn read_unless_zero(body: &mut Body, field: &'static str) -> Result<u64, FrameError> {
    if body.remaining() == 0 {
        return Ok(0);
    }
    let refusal = body.malformed(field);
    match body.u64(field)? {
        0 => Err(refusal),
        number => Ok(number),
    }
}

fn write_standing(out: &mut BytesMut, read_seq: u64, applied: AppliedHash) {
    out.put_u64_le(read_seq);
    out.put_u64_le(applied.slot.0);
    out.put_u64_le(applied.hash);
}

fn read_standing(body: &mut Body) -> Result<(u64, AppliedHash), FrameError> {
    let read_seq = body.u64("read_seq")?;
    let slot = Slot(body.u64("applied slot")?);
    Ok((read_seq, AppliedHash { slot, hash: body.u64("applied hash")? }))
}

fn write_reports(out: &mut BytesMut, reports: &[SlotReport]) {
    // A count past u32 means a frame past its limit, which `append` refuses.
    out.put_u32_le(u32::try_from(reports.len()).unwrap_or(u32::MAX));
    for report in reports {
        out.put_u64_le(report.slot.0);
        write_ballot(out, report.ballot);
        out.put_u8(u8::from(report.learned));
        write_value(out, &report.value);
    }
}

fn read_reports(body: &mut Body) -> Result<Vec<SlotReport>, FrameError> {
    let refusal = body.malformed("report count");
    let count = body.u32("report count")? as usize;
    if count > body.remaining() / REPORT_BYTES_MIN {
        return Err(refusal);
    }
    (0..count).map(|_| read_report(body)).collect()
}

fn read_report(body: &mut Body) -> Result<SlotReport, FrameError> {
    let slot = Slot(body.u64("report slot")?);
    let ballot = read_ballot(body, "report ballot")?;
    let learned = read_flag(body, "report learned")?;
    Ok(SlotReport { slot, ballot, value: read_value(body)?, learned })
}

fn write_ballot(out: &mut BytesMut, ballot: Ballot) {
    out.put_u64_le(ballot.round);
    out.put_u16_le(ballot.node.0);
}

fn read_ballot(body: &mut Body, field: &'static str) -> Result<Ballot, FrameError> {
    let refusal = body.malformed(field);
    let ballot = Ballot { round: body.u64(field)?, node: NodeId(body.u16(field)?) };
    if ballot.node > NodeId::MAX { Err(refusal) } else { Ok(ballot) }
}

fn write_value(out: &mut BytesMut, value: &Value) {
    match value {
        Value::Noop => {
            out.put_u8(NOOP);
            out.put_u32_le(0);
        }
        Value::Batch(bytes) => {
            out.put_u8(BATCH);
            // As above: what does not fit in a u32 does not fit in a frame either.
            out.put_u32_le(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
            out.put_slice(bytes);
        }
        Value::Configuration(configuration) => {
            out.put_u8(CONFIGURATION);
            out.put_u32_le(u32::try_from(configuration.encoded_len()).unwrap_or(u32::MAX));
            out.put_slice(&configuration.encode());
        }
    }
}

fn read_value(body: &mut Body) -> Result<Value, FrameError> {
    let refusal = body.malformed("value");
    match (body.u8("value tag")?, body.u32("value length")?) {
        (NOOP, 0) => Ok(Value::Noop),
        (BATCH, length) => Ok(Value::Batch(body.bytes(length as usize, "value bytes")?)),
        (CONFIGURATION, length) => {
            let configuration = Configuration::decode(&body.bytes(length as usize, "value bytes")?);
            Ok(Value::Configuration(Arc::new(configuration.ok_or(refusal)?)))
        }
        _ => Err(refusal),
    }
}
