//! Changes of the members, as clients' frames.
//!
//! | kind | from, to | message id | slots | body |
//! |---|---|---|---|---|
//! | change-request | 0, any | the request's id | — | [`Change`] |
//! | change-reply | node, 0 | echoed | the slot that decided it | [`ChangeReply`] |
//!
//! A change: u8 kind (1 add, 2 promote, 3 replace, 4 remove), u16 node; to add: u64 incarnation, the
//! address to the end; to replace: u16 by. A reply: u8 (1 done, 2 refused, 3 unknown); done: u64 number of
//! the configuration; refused: u16 who leads (0: nobody known), u8 whether to try again, and why, to the
//! end; unknown: why, to the end.

use super::body::Body;
use super::frame::{self, Frame, FrameError, Header, Kind};
use crate::paxos::{Ballot, Change, NodeId, Slot};
use bytes::{BufMut, BytesMut};

const ADD: u8 = 1;
const PROMOTE: u8 = 2;
const REPLACE: u8 = 3;
const REMOVE: u8 = 4;

const DONE: u8 = 1;
const REFUSED: u8 = 2;
const UNKNOWN: u8 = 3;

/// What became of a change that was asked for.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum ChangeReply {
    /// It is chosen, or was done before; it is in force some slots later.
    Done {
        /// The slot that holds it; 0: it was done before.
        slot: Slot,
        /// The configuration that has it.
        number: u64,
    },
    /// It did not happen and never will.
    Refused {
        /// Who leads, as far as the node knows.
        leader: Option<NodeId>,
        /// Whether the same may be taken later, or elsewhere.
        again: bool,
        /// Why.
        reason: String,
    },
    /// It may have happened. To ask for the same again does no harm.
    Unknown {
        /// Why nobody can tell.
        reason: String,
    },
}

/// Appends a request as a frame, length prefix included.
///
/// # Errors
/// [`FrameError::TooLarge`]; `out` is then as it was.
pub fn encode_change(out: &mut BytesMut, cluster: u64, id: u64, change: &Change) -> Result<(), FrameError> {
    frame::append(out, &header(Kind::ChangeRequest, cluster, NodeId(0), id, Slot::ZERO), |out| match change {
        Change::Add { node, incarnation, address } => {
            out.put_u8(ADD);
            out.put_u16_le(node.0);
            out.put_u64_le(*incarnation);
            out.put_slice(address.as_bytes());
        }
        Change::Promote { node } => {
            out.put_u8(PROMOTE);
            out.put_u16_le(node.0);
        }
        Change::Replace { node, by } => {
            out.put_u8(REPLACE);
            out.put_u16_le(node.0);
            out.put_u16_le(by.0);
        }
        Change::Remove { node } => {
            out.put_u8(REMOVE);
            out.put_u16_le(node.0);
        }
    })
}

/// Reads the change in a frame of kind [`Kind::ChangeRequest`].
///
/// # Errors
/// If the body is no change: nothing happens.
pub fn decode_change(frame: &Frame) -> Result<Change, FrameError> {
    let mut body = frame.body();
    let unknown = body.malformed("change");
    let (kind, node) = (body.u8("change")?, NodeId(body.u16("node")?));
    let change = match kind {
        ADD => {
            Change::Add { node, incarnation: body.u64("incarnation")?, address: text(&mut body, "address")? }
        }
        PROMOTE => Change::Promote { node },
        REPLACE => Change::Replace { node, by: NodeId(body.u16("by")?) },
        REMOVE => Change::Remove { node },
        _ => return Err(unknown),
    };
    body.finish()?;
    Ok(change)
}

/// Appends a reply as a frame, length prefix included.
///
/// # Errors
/// [`FrameError::TooLarge`]; `out` is then as it was.
pub fn encode_change_reply(
    out: &mut BytesMut,
    cluster: u64,
    from: NodeId,
    id: u64,
    reply: &ChangeReply,
) -> Result<(), FrameError> {
    let slot = if let ChangeReply::Done { slot, .. } = reply { *slot } else { Slot::ZERO };
    frame::append(out, &header(Kind::ChangeReply, cluster, from, id, slot), |out| match reply {
        ChangeReply::Done { number, .. } => {
            out.put_u8(DONE);
            out.put_u64_le(*number);
        }
        ChangeReply::Refused { leader, again, reason } => {
            out.put_u8(REFUSED);
            out.put_u16_le(leader.map_or(0, |node| node.0));
            out.put_u8(u8::from(*again));
            out.put_slice(reason.as_bytes());
        }
        ChangeReply::Unknown { reason } => {
            out.put_u8(UNKNOWN);
            out.put_slice(reason.as_bytes());
        }
    })
}

/// Reads the reply in a frame of kind [`Kind::ChangeReply`].
///
/// # Errors
/// If the body is no reply: what became of the change is unknown.
pub fn decode_change_reply(frame: &Frame) -> Result<ChangeReply, FrameError> {
    let mut body = frame.body();
    let unknown = body.malformed("change reply");
    let reply = match body.u8("change reply")? {
        DONE => ChangeReply::Done { slot: frame.header.slot_first, number: body.u64("number")? },
        REFUSED => {
            let leader = body.u16("leader")?;
            let again = body.u8("again")? == 1;
            let leader = (leader != 0).then_some(NodeId(leader));
            ChangeReply::Refused { leader, again, reason: text(&mut body, "reason")? }
        }
        UNKNOWN => ChangeReply::Unknown { reason: text(&mut body, "reason")? },
        _ => return Err(unknown),
    };
    body.finish()?;
    Ok(reply)
}

fn text(body: &mut Body, field: &'static str) -> Result<String, FrameError> {
    let refusal = body.malformed(field);
    String::from_utf8(body.rest().to_vec()).map_err(|_| refusal)
}

fn header(kind: Kind, cluster: u64, from: NodeId, message_id: u64, slot: Slot) -> Header {
    let (to, ballot) = (NodeId(0), Ballot::ZERO);
    Header { kind, cluster, from, to, ballot, message_id, slot_first: slot, slot_last: slot }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frame::PREFIX_BYTES;

    fn opened(mut out: BytesMut) -> Frame {
        Frame::open(out.split_off(PREFIX_BYTES).freeze()).unwrap()
    }

    #[test]
    fn changes_and_replies_come_back_as_they_were() {
        let node = NodeId(4);
        let changes = [
            Change::Add { node, incarnation: u64::MAX, address: "there:1".to_owned() },
            Change::Promote { node },
            Change::Replace { node, by: NodeId(5) },
            Change::Remove { node },
        ];
        for change in changes {
            let mut out = BytesMut::new();
            encode_change(&mut out, 7, 3, &change).unwrap();
            let frame = opened(out);
            assert_eq!((frame.header.kind, frame.header.message_id), (Kind::ChangeRequest, 3));
            assert_eq!(decode_change(&frame), Ok(change));
            let cut = Frame { body: frame.body.slice(..1), ..frame };
            assert!(decode_change(&cut).is_err());
        }
        let reason = || "because".to_owned();
        let replies = [
            ChangeReply::Done { slot: Slot(9), number: 2 },
            ChangeReply::Refused { leader: Some(node), again: true, reason: reason() },
            ChangeReply::Refused { leader: None, again: false, reason: reason() },
            ChangeReply::Unknown { reason: reason() },
        ];
        for reply in replies {
            let mut out = BytesMut::new();
            encode_change_reply(&mut out, 7, node, 3, &reply).unwrap();
            assert_eq!(decode_change_reply(&opened(out)), Ok(reply));
        }
    }
}
