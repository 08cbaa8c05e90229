//! Multi-Paxos.

mod ballot;
mod effects;
mod message;
mod quorum;
mod slot;

pub use ballot::{Ballot, NodeId};
pub use effects::{Effects, Record, Send};
pub use message::{AppliedHash, Message, SlotReport, Value};
pub use quorum::{NodeSet, majority};
pub use slot::{Lsn, Slot};
