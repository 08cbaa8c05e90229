//! The event trace: what a node did, step by step, for whoever holds several nodes' traces against
//! each other afterwards.
//!
//! `paxos-node --trace FILE` appends to it. The words are those of the protocol, and what is noted
//! is what [`crate::paxos::invariants::Observer`] is told in the simulation: what was written,
//! what the disk confirmed, what left, what was learned and applied; and besides, what came in, so
//! that a reader can count votes and promises again without believing the node's own count. See
//! [`Event`]. Values are noted by length and checksum ([`ValueId`]).
//!
//! # What a reader may rely on
//!
//! - One [`Frame`] holds what one turn of the node's loop did: first what it took in, in the order
//!   in which it took it; then what it wrote, learned and applied; then what it said.
//! - A frame is out of the process before anything that it tells of leaves: before its records
//!   reach the log, its messages a link, its replies a client. So whatever anybody knows of a node
//!   is in that node's trace, also when the node is killed, and a trace that ends too early hides
//!   only what nobody was told. (The file is not synced: it survives the process, not the machine.)
//! - What left a turn late, because it waited for the disk, is noted where it left.
//! - The next life appends to the same file, after cutting off a frame that was left unfinished
//!   ([`intact_bytes`]). It begins with [`Event::Started`], [`Event::Restored`] if there was a snapshot,
//!   and [`Event::Recovered`].
//! - The file is never trimmed: what a log no longer holds is told here all the same.
//! - Times are those of a clock that all processes of one machine share and that only runs
//!   forward: a turn took in nothing before `began_ns`, and did nothing after `written_ns`.
//!
//! The log positions in it are counted here anew, from the records recovered on, and messages are
//! noted by what they say, not by what they claim to wait for: a node that is wrong about either
//! is still told of truthfully.
//!
//! What is not in it: requests forwarded between nodes, acknowledgements of heartbeats, questions
//! of laggards, state hashes older than the state machine remembers.

mod codec;
mod event;
mod frame;
mod recorder;

pub use event::{Entry, Event, Holding, Report, Said, ValueId};
pub use frame::{Damage, Flaw, Frame, Frames, intact_bytes};
pub use recorder::{Life, Recorder};
