//! What a step of the core asks the world to do.
//!
//! The order of duties, for whoever drives a [`Replica`](super::Replica):
//!
//! 1. append `records` to the log, in order; their [`Lsn`]s are dense and already counted;
//! 2. hold each of `sends` until the log is durable up to its `after`, then send it. This is the
//!    lectures' "replicas write to disk prior to sending ACK", as a type;
//! 3. apply `chosen` to the state machine, in order, and answer the clients that wait for it;
//! 4. remove records that `trim` releases, or don't: nothing depends on it;
//! 5. when the disk reports, call [`Replica::durable`](super::Replica::durable).
//!
//! Nothing else may happen in between that reveals a record before it is durable. Sending late or
//! never is always allowed.

use super::{Ballot, Configuration, Lsn, Message, NodeId, Slot, Value};
use std::sync::Arc;

/// What must survive a crash.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum Record {
    /// This node is about to propose in this ballot, and must never use it again.
    BallotUsed(Ballot),
    /// This node will accept nothing below this ballot, in any slot.
    Promised(Ballot),
    /// This node accepted a value. Implies the promise of its ballot.
    Accepted {
        /// The slot.
        slot: Slot,
        /// The ballot in which it was proposed.
        ballot: Ballot,
        /// The value.
        value: Value,
    },
    /// This node was told that a value is chosen; it may differ from what it accepted.
    Learned {
        /// The slot.
        slot: Slot,
        /// The ballot the teller knew it under.
        ballot: Ballot,
        /// The value chosen.
        value: Value,
    },
    /// Every slot up to this one is chosen, and its value is in this log: as `Learned`, else as
    /// the latest `Accepted` before this record, which then stems from the ballot in which the
    /// value was chosen or a later one. Saves asking again after a restart; safe to lose.
    ChosenUpto(Slot),
    /// From here on this log says again whatever the records before it say that a snapshot of the
    /// state after `slot` (and of the configurations then known) does not: so those may be removed once that snapshot is durable, and
    /// everything up to here is.
    Checkpoint {
        /// The last slot that the snapshot covers.
        slot: Slot,
        /// What the acceptor has promised by now. It may have used that ballot itself, and none
        /// above.
        promised: Ballot,
    },
    /// What this node accepted before, and holds still: said again behind a [`Record::Checkpoint`].
    Kept {
        /// The slot, above the checkpoint's.
        slot: Slot,
        /// The ballot it was accepted in.
        ballot: Ballot,
        /// The value.
        value: Value,
    },
    /// This founder will begin with these disks or never: see `replica/founding.rs`.
    Pledged(Arc<Configuration>),
    /// All founders pledged that: the cluster has begun.
    Founded(Arc<Configuration>),
}

/// A message and the condition under which it may leave.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Send {
    /// The receiver; never the sender itself.
    pub to: NodeId,
    /// What to say.
    pub message: Message,
    /// Leaves only once the log is durable up to here.
    pub after: Lsn,
}

/// Everything one step asks for. See the module's order of duties.
#[derive(Default, Debug)]
#[must_use = "records must be written, messages sent, chosen values applied"]
pub struct Effects {
    /// To append to the log, in order.
    pub records: Vec<Record>,
    /// To send once durable enough.
    pub sends: Vec<Send>,
    /// To apply, in order and without gaps.
    pub chosen: Vec<(Slot, Value)>,
    /// Read barriers confirmed: reads holding these tokens may be served once everything up to
    /// the slot is applied.
    pub reads: Vec<(u64, Slot)>,
    /// Records before this one are needed no more, and may be removed from the log.
    pub trim: Option<Lsn>,
}
