//! What replicas say to each other. Every message may be lost, duplicated, delayed and
//! reordered; none may be corrupted (the wire's checksum turns corruption into loss).

use super::{Ballot, Configuration, Slot};
use bytes::Bytes;
use std::sync::Arc;

/// What one slot holds.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum Value {
    /// Fills a gap: a slot for which a new leader found no value.
    Noop,
    /// An encoded batch of commands, opaque to the protocol (see [`crate::kv::Batch`]).
    /// Encoded once by the leader; log, frames and state machine share the same bytes.
    Batch(Bytes),
    /// Who makes up the cluster from some slot on, if it counts: see `configuration.rs`.
    Configuration(Arc<Configuration>),
}

impl Value {
    /// Bytes of payload, for budgets.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Value::Noop => 0,
            Value::Batch(bytes) => bytes.len(),
            Value::Configuration(configuration) => configuration.encoded_len(),
        }
    }

    /// Whether the value carries nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What an acceptor knows about one slot, told to a candidate or to a laggard.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct SlotReport {
    /// The slot.
    pub slot: Slot,
    /// The highest ballot in which the sender accepted `value`; if `learned`, the ballot that
    /// the sender knows it under.
    pub ballot: Ballot,
    /// The value accepted, or learned.
    pub value: Value,
    /// The sender knows the value to be chosen: no ballot can ever replace it.
    pub learned: bool,
}

/// A digest of everything applied so far, to notice replicas that diverge.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Default)]
pub struct AppliedHash {
    /// The last slot applied.
    pub slot: Slot,
    /// The rolling hash after applying it.
    pub hash: u64,
}

/// How far a founder has come in the meeting with which a cluster begins.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum Stage {
    /// It has yet to hear some of the others.
    Fresh,
    /// It will found the cluster with these disks or never.
    Pledged(Arc<Configuration>),
    /// It knows that all others pledged the same as it did, and takes part.
    Founded,
}

/// A message between replicas.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum Message {
    /// Phase 1a: "promise me `ballot`, for all slots; report what you have from `from` on".
    ///
    /// Sent again with a higher `from` to fetch the next chunk of a long answer: the promise
    /// stands already, so any part may be asked again at any time.
    Prepare {
        /// The candidate's ballot, durable as used before this leaves.
        ballot: Ballot,
        /// The first slot to report: what lies below, the candidate knows to be chosen.
        from: Slot,
    },
    /// Phase 1b: "I shall accept nothing below `ballot`; this is what I hold from `from` on".
    Promise {
        /// The ballot promised, durable before this leaves.
        ballot: Ballot,
        /// Echo of [`Message::Prepare`]'s `from`: names the chunk.
        from: Slot,
        /// Slots at or above `from` that the sender accepted or learned, ascending.
        slots: Vec<SlotReport>,
        /// Where the next chunk starts, or `None`: this was the last, and only then does the
        /// sender count as promised.
        next: Option<Slot>,
        /// If not below `from`: everything up to here is chosen, and the sender holds it only as a
        /// snapshot. A candidate that does not know all of that has to fetch it before it leads.
        trimmed: Slot,
    },
    /// Phase 2a: "accept `value` in `slot`".
    Accept {
        /// The leader's ballot.
        ballot: Ballot,
        /// The slot.
        slot: Slot,
        /// The value: the one that phase 1 demands, or the leader's own.
        value: Value,
        /// The leader knows every slot up to this one to be chosen.
        chosen_upto: Slot,
    },
    /// Phase 2b: "I accepted what you proposed in `slot`".
    Accepted {
        /// The ballot of the `Accept` answered, captured when it was taken in.
        ballot: Ballot,
        /// The slot accepted, durable before this leaves.
        slot: Slot,
    },
    /// "I can't: I have promised a higher ballot." Answers `Prepare`, `Accept` and `Heartbeat`.
    Reject {
        /// The ballot refused.
        ballot: Ballot,
        /// The higher ballot promised, durable before this leaves.
        promised: Ballot,
    },
    /// "I lead": keeps followers from standing, spreads what is chosen, confirms reads.
    Heartbeat {
        /// The leader's ballot.
        ballot: Ballot,
        /// The leader knows every slot up to this one to be chosen.
        chosen_upto: Slot,
        /// Highest read barrier asked for in this ballot; only ever grows.
        read_seq: u64,
        /// The leader's state, for comparison.
        applied: AppliedHash,
    },
    /// Answer to [`Message::Heartbeat`]: "when this reached me I had promised nothing higher".
    HeartbeatAck {
        /// Echo of the heartbeat's ballot.
        ballot: Ballot,
        /// Echo of the heartbeat's barrier.
        read_seq: u64,
        /// The sender has learned every slot up to this one: the next is its first gap.
        chosen_upto: Slot,
        /// For so many microseconds of its clock the sender promises no other node anything; 0: it
        /// grants no leases.
        lease_us: u64,
        /// The sender's state, for comparison.
        applied: AppliedHash,
    },
    /// "Tell me what was chosen from `from` on": a laggard to whoever knows more.
    LearnRequest {
        /// The asker's first gap.
        from: Slot,
    },
    /// Learned slots from `from` on, as many as a frame holds.
    LearnReply {
        /// Learned slots in ascending order, `learned` set on each.
        slots: Vec<SlotReport>,
        /// The sender knows every slot up to this one to be chosen.
        chosen_upto: Slot,
    },
    /// "What you ask for I hold only as a snapshot": the answer to a [`Message::LearnRequest`] for a
    /// slot that is trimmed, or to a [`Message::SnapshotRequest`] for a snapshot that is gone.
    SnapshotOffer {
        /// The last slot that the sender's newest durable snapshot covers.
        slot: Slot,
    },
    /// "Send me that part of that snapshot." One at a time: the asker sets the pace.
    SnapshotRequest {
        /// The last slot that the snapshot covers.
        slot: Slot,
        /// Which part, counted from 0.
        part: u32,
    },
    /// A part of a snapshot.
    SnapshotPart {
        /// The last slot that the snapshot covers.
        slot: Slot,
        /// Which part, counted from 0.
        part: u32,
        /// As it stands in the sender's file, checksums and all (see [`crate::snapshot`]): what is
        /// damaged there or on the way is noticed where it is taken in.
        bytes: Bytes,
    },
    /// "Would you promise `ballot` if I asked for it?" Binds nobody: see `replica/canvass.rs`.
    PreVote {
        /// The ballot that the sender would use next. Not used yet, and not written down.
        ballot: Ballot,
    },
    /// Answer to [`Message::PreVote`].
    PreVoteReply {
        /// Echo of the question's ballot.
        ballot: Ballot,
        /// What the sender has promised, durable before this leaves: if it is not below `ballot`, a
        /// higher one would have to be asked for.
        promised: Ballot,
        /// It would promise, for it hears no leader.
        granted: bool,
    },
    /// A founder to another, until it knows that all have met: see `replica/founding.rs`.
    Meet {
        /// How far the sender has come; what it pledged is durable before this leaves.
        stage: Stage,
    },
    /// "You are not the one whom I know by your id": nothing of yours is taken in here.
    Unwelcome {
        /// The disk whose id it is, if it is anybody's.
        known: Option<u64>,
    },
    /// A client's request handed to the leader by a follower.
    Forward {
        /// Matches the answer to the client that waits at the follower; the follower's choice.
        token: u64,
        /// The encoded client request (see [`crate::kv`]), opaque to the protocol.
        request: Bytes,
    },
    /// The answer to a [`Message::Forward`].
    ForwardReply {
        /// Echo of the forward's token.
        token: u64,
        /// The encoded answer, opaque to the protocol.
        reply: Bytes,
    },
}
