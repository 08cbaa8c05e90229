//! The bytes on a socket: length-prefixed frames with a header that a proxy can read without
//! knowing the rest, and the codecs of what lies behind it.
//!
//! * [`frame`]: the envelope. Length prefix, header version 1, checksum, and every way in which
//!   bytes can fail to be a frame.
//! * [`peer`]: [`Message`](crate::paxos::Message)s between replicas.
//! * [`plausible`]: which of them no correct peer would send.
//! * [`client`]: requests, replies, status and refusals.
//! * [`members`]: changes of the members, and what becomes of them.
//!
//! Two promises, on which the rest of the node leans. *Corruption becomes loss*: a frame that
//! differs from what was sent in any bit is refused, so the protocol need not fear it (the
//! lectures' network delays, duplicates, loses and reorders; it does not corrupt). *Nothing is
//! allocated on a stranger's word*: every count and length is compared with the bytes that are
//! there before anything is reserved for it. Values decoded from a frame share its buffer.

mod body;
pub mod client;
pub mod frame;
pub mod members;
pub mod peer;
pub mod plausible;

pub use frame::{Frame, FrameError, FrameReader, Header, Kind, MAX_FRAME_BYTES, ReadError};
