//! What clients and nodes say to each other, as frames: requests and replies, status, refusals.
//!
//! | kind | from, to | message id | slots | body |
//! |---|---|---|---|---|
//! | client-request | 0, any | the request's id | — | [`ClientRequest`] |
//! | client-reply | node, 0 | echoed | the slot that decided it | [`ClientReply`] |
//! | status-request | 0, any | the asker's choice | — | |
//! | status-reply | node, 0 | echoed | — | JSON |
//! | error | node, 0 or a peer | 0 | — | text |
//!
//! Replies come back on the connection of their request, in the order in which they were decided,
//! which need not be the order of the requests: the message id tells which is which. The bodies
//! of requests and replies are [`crate::kv`]'s: a follower forwards them as they are.

use super::frame::{self, Frame, FrameError, Header, Kind};
use crate::kv::{ClientReply, ClientRequest, CodecError};
use crate::paxos::{Ballot, NodeId, Slot};
use bytes::{BufMut, Bytes, BytesMut};

/// What a client's frames carry for a node: clients have no id.
const CLIENT: NodeId = NodeId(0);

/// A refusal is a sentence, not a report.
const ERROR_BYTES_MAX: usize = 1024;

/// Appends a request as a frame, length prefix included.
///
/// # Errors
/// [`FrameError::TooLarge`]; `out` is then as it was.
pub fn encode_request(out: &mut BytesMut, cluster: u64, request: &ClientRequest) -> Result<(), FrameError> {
    let header = header(Kind::ClientRequest, cluster, CLIENT, request.id);
    frame::append(out, &header, |out| out.put_slice(&request.encode()))
}

/// Reads the request in a frame of kind [`Kind::ClientRequest`].
///
/// # Errors
/// If the body is no request: this one did not happen.
pub fn decode_request(frame: &Frame) -> Result<ClientRequest, CodecError> {
    let request = ClientRequest::decode(frame.body.clone())?;
    same_id(frame, request.id)?;
    Ok(request)
}

/// Appends a reply as a frame, length prefix included.
///
/// # Errors
/// [`FrameError::TooLarge`]; `out` is then as it was.
pub fn encode_reply(
    out: &mut BytesMut,
    cluster: u64,
    from: NodeId,
    reply: &ClientReply,
) -> Result<(), FrameError> {
    let mut header = header(Kind::ClientReply, cluster, from, reply.id);
    header.slot_first = reply.slot;
    header.slot_last = reply.slot;
    frame::append(out, &header, |out| out.put_slice(&reply.encode()))
}

/// Reads the reply in a frame of kind [`Kind::ClientReply`].
///
/// # Errors
/// If the body is no reply: what became of the request is unknown.
pub fn decode_reply(frame: &Frame) -> Result<ClientReply, CodecError> {
    let reply = ClientReply::decode(frame.body.clone())?;
    same_id(frame, reply.id)?;
    Ok(reply)
}

/// Appends the question how the node is.
pub fn encode_status_request(out: &mut BytesMut, cluster: u64, id: u64) {
    let header = header(Kind::StatusRequest, cluster, CLIENT, id);
    frame::append(out, &header, |_| {}).expect("a header alone is below the limit");
}

/// Appends the answer to a status request.
///
/// # Errors
/// [`FrameError::TooLarge`]; `out` is then as it was.
pub fn encode_status_reply(
    out: &mut BytesMut,
    cluster: u64,
    from: NodeId,
    id: u64,
    json: &[u8],
) -> Result<(), FrameError> {
    frame::append(out, &header(Kind::StatusReply, cluster, from, id), |out| out.put_slice(json))
}

/// Appends the reason why the connection is about to be closed.
pub fn encode_error(out: &mut BytesMut, cluster: u64, from: NodeId, reason: &str) {
    // May cut a character in two; `decode_error` reads it all the same.
    let reason = &reason.as_bytes()[..reason.len().min(ERROR_BYTES_MAX)];
    let header = header(Kind::Error, cluster, from, 0);
    frame::append(out, &header, |out| out.put_slice(reason)).expect("ERROR_BYTES_MAX is below the limit");
}

/// The reason in a frame of kind [`Kind::Error`].
#[must_use]
pub fn decode_error(frame: &Frame) -> String {
    let body: &Bytes = &frame.body;
    String::from_utf8_lossy(&body[..body.len().min(ERROR_BYTES_MAX)]).into_owned()
}

fn header(kind: Kind, cluster: u64, from: NodeId, message_id: u64) -> Header {
    Header {
        kind,
        cluster,
        from,
        to: CLIENT,
        ballot: Ballot::ZERO,
        message_id,
        slot_first: Slot::ZERO,
        slot_last: Slot::ZERO,
    }
}

/// The id stands in the header, for proxies, and in the body, which a follower forwards alone.
fn same_id(frame: &Frame, id: u64) -> Result<(), CodecError> {
    if frame.header.message_id == id {
        Ok(())
    } else {
        Err(CodecError::Unknown { what: "message id", found: frame.header.message_id })
    }
}
