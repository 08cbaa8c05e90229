//! What a trace tells of.

use crate::paxos::{
    AppliedHash, Ballot, Lsn, Message, NodeId, NodeSet, Record, Replica, Slot, SlotReport, Value,
};

/// A value by its length and checksum. Two values of one slot that differ have the same id once in
/// four billion times, and then only a contradiction is missed: equal values never seem to differ.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug)]
pub struct ValueId(pub u64);

impl ValueId {
    /// A slot that a leader filled with nothing.
    pub const NOOP: ValueId = ValueId(0);

    /// The id of a value.
    #[must_use]
    pub fn of(value: &Value) -> ValueId {
        match value {
            Value::Noop => ValueId::NOOP,
            Value::Batch(bytes) => ValueId::of_bytes(bytes),
            Value::Configuration(configuration) => ValueId::of_bytes(&configuration.encode()),
        }
    }

    /// The length is one more, so that nothing looks like a no-op.
    fn of_bytes(bytes: &[u8]) -> ValueId {
        ValueId((bytes.len() as u64 + 1) << 32 | u64::from(crc32c::crc32c(bytes)))
    }
}

impl std::fmt::Display for ValueId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            ValueId::NOOP => f.write_str("no-op"),
            ValueId(id) => write!(f, "value {id:x}"),
        }
    }
}

/// One step of a node.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum Event {
    /// A life begins.
    Started {
        /// Who.
        node: NodeId,
        /// The whole cluster, this node included.
        nodes: NodeSet,
        /// The process.
        pid: u32,
        /// Differs in each life.
        incarnation: u64,
    },
    /// What the log gave back, and what the node makes of it. Always follows [`Event::Started`], with
    /// nothing between them but [`Event::Restored`].
    Recovered {
        /// The last record, trimmed ones counted: the next one written is the one after.
        records: Lsn,
        /// What the node holds itself to have promised.
        promised: Ballot,
        /// What it holds itself to have accepted.
        holding: Holding,
        /// It knows everything up to here to be chosen.
        chosen_upto: Slot,
        /// Its state machine.
        applied: AppliedHash,
    },
    /// The life begins with a snapshot: everything up to its slot is chosen, and gone from the log.
    Restored(AppliedHash),
    /// The node knows that from this slot on these vote: told of the configuration in force and the one to
    /// come when a life begins, and of each later one when it is learned.
    Governs {
        /// The first slot.
        from: Slot,
        /// Who votes there.
        voters: NodeSet,
    },
    /// A snapshot of this node's own or another's state is durable, and begins its next life.
    Saved(Slot),
    /// The state is now that of a snapshot fetched from another node: everything up to its slot is
    /// known to be chosen, and applied.
    Installed(AppliedHash),
    /// A message came in.
    Received {
        /// The sender.
        from: NodeId,
        /// What it says.
        said: Said,
    },
    /// A client asks for a read. Nothing that was chosen by then may be missing from the answer.
    Asked {
        /// The connection.
        client: u64,
        /// The client's name for the request.
        id: u64,
    },
    /// The disk confirmed everything up to here.
    Durable(Lsn),
    /// A record goes to the log.
    Wrote {
        /// Its position.
        lsn: Lsn,
        /// What it says.
        entry: Entry,
    },
    /// The node now knows everything up to this slot to be chosen, and in it this value.
    Chosen {
        /// The slot: each follows the one before.
        slot: Slot,
        /// The value.
        value: ValueId,
    },
    /// The state machine has executed everything up to here. Slots whose hash it no longer
    /// remembers are passed over.
    Applied(AppliedHash),
    /// A message leaves.
    Sent {
        /// To whom.
        to: NodeSet,
        /// What the core said it must wait for.
        after: Lsn,
        /// What it says.
        said: Said,
    },
    /// A client is told that its request was carried out.
    Replied {
        /// The connection.
        client: u64,
        /// The client's name for the request.
        id: u64,
        /// The slot that decided the answer.
        slot: Slot,
    },
}

/// A [`Record`], its value by id.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum Entry {
    /// See [`Record::BallotUsed`].
    BallotUsed(Ballot),
    /// See [`Record::Promised`].
    Promised(Ballot),
    /// See [`Record::Accepted`].
    Accepted {
        /// The slot.
        slot: Slot,
        /// The ballot.
        ballot: Ballot,
        /// The value.
        value: ValueId,
    },
    /// See [`Record::Learned`].
    Learned {
        /// The slot.
        slot: Slot,
        /// The ballot.
        ballot: Ballot,
        /// The value.
        value: ValueId,
    },
    /// See [`Record::ChosenUpto`].
    ChosenUpto(Slot),
    /// See [`Record::Checkpoint`].
    Checkpoint {
        /// The slot that the snapshot covers.
        slot: Slot,
        /// The promise said again.
        promised: Ballot,
    },
    /// See [`Record::Kept`].
    Kept {
        /// The slot.
        slot: Slot,
        /// The ballot.
        ballot: Ballot,
        /// The value.
        value: ValueId,
    },
    /// See [`Record::Pledged`] and [`Record::Founded`]: no rule depends on which disks founders are on.
    Founding,
}

impl Entry {
    /// A record, by what it says.
    #[must_use]
    pub fn of(record: &Record) -> Entry {
        match record {
            Record::BallotUsed(ballot) => Entry::BallotUsed(*ballot),
            Record::Promised(ballot) => Entry::Promised(*ballot),
            Record::Accepted { slot, ballot, value } => {
                Entry::Accepted { slot: *slot, ballot: *ballot, value: ValueId::of(value) }
            }
            Record::Learned { slot, ballot, value } => {
                Entry::Learned { slot: *slot, ballot: *ballot, value: ValueId::of(value) }
            }
            Record::ChosenUpto(slot) => Entry::ChosenUpto(*slot),
            Record::Checkpoint { slot, promised } => Entry::Checkpoint { slot: *slot, promised: *promised },
            Record::Kept { slot, ballot, value } => {
                Entry::Kept { slot: *slot, ballot: *ballot, value: ValueId::of(value) }
            }
            Record::Pledged(_) | Record::Founded(_) => Entry::Founding,
        }
    }
}

/// A [`SlotReport`], its value by id.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Report {
    /// The slot.
    pub slot: Slot,
    /// The ballot it is reported under.
    pub ballot: Ballot,
    /// The value.
    pub value: ValueId,
    /// Whether the sender says that it is chosen.
    pub learned: bool,
}

impl Report {
    fn of(report: &SlotReport) -> Report {
        Report {
            slot: report.slot,
            ballot: report.ballot,
            value: ValueId::of(&report.value),
            learned: report.learned,
        }
    }
}

/// A [`Message`] that a rule of the protocol depends on, its values by id.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum Said {
    /// See [`Message::Prepare`].
    Prepare {
        /// The candidate's ballot.
        ballot: Ballot,
        /// The first slot asked for.
        from: Slot,
    },
    /// See [`Message::Promise`].
    Promise {
        /// The ballot promised.
        ballot: Ballot,
        /// The first slot that was asked for.
        from: Slot,
        /// What the sender holds.
        slots: Vec<Report>,
        /// Where the next chunk starts.
        next: Option<Slot>,
        /// Everything up to here is chosen, and not reported; 0: nothing is left out.
        trimmed: Slot,
    },
    /// See [`Message::Accept`].
    Accept {
        /// The leader's ballot.
        ballot: Ballot,
        /// The slot.
        slot: Slot,
        /// The value.
        value: ValueId,
        /// The leader knows everything up to here to be chosen.
        chosen_upto: Slot,
    },
    /// See [`Message::Accepted`].
    Accepted {
        /// The ballot accepted in.
        ballot: Ballot,
        /// The slot.
        slot: Slot,
    },
    /// See [`Message::Reject`].
    Reject {
        /// The ballot refused.
        ballot: Ballot,
        /// The ballot promised.
        promised: Ballot,
    },
    /// See [`Message::Heartbeat`].
    Heartbeat {
        /// The leader's ballot.
        ballot: Ballot,
        /// The leader knows everything up to here to be chosen.
        chosen_upto: Slot,
    },
    /// See [`Message::LearnReply`].
    LearnReply {
        /// What the sender says to be chosen.
        slots: Vec<Report>,
    },
}

impl Said {
    /// What a message says, if any rule depends on it.
    #[must_use]
    pub fn of(message: &Message) -> Option<Said> {
        let reports = |slots: &[SlotReport]| slots.iter().map(Report::of).collect();
        Some(match message {
            Message::Prepare { ballot, from } => Said::Prepare { ballot: *ballot, from: *from },
            Message::Promise { ballot, from, slots, next, trimmed } => Said::Promise {
                ballot: *ballot,
                from: *from,
                slots: reports(slots),
                next: *next,
                trimmed: *trimmed,
            },
            Message::Accept { ballot, slot, value, chosen_upto } => Said::Accept {
                ballot: *ballot,
                slot: *slot,
                value: ValueId::of(value),
                chosen_upto: *chosen_upto,
            },
            Message::Accepted { ballot, slot } => Said::Accepted { ballot: *ballot, slot: *slot },
            Message::Reject { ballot, promised } => Said::Reject { ballot: *ballot, promised: *promised },
            Message::Heartbeat { ballot, chosen_upto, .. } => {
                Said::Heartbeat { ballot: *ballot, chosen_upto: *chosen_upto }
            }
            Message::LearnReply { slots, .. } => Said::LearnReply { slots: reports(slots) },
            Message::HeartbeatAck { .. }
            | Message::LearnRequest { .. }
            | Message::SnapshotOffer { .. }
            | Message::SnapshotRequest { .. }
            | Message::SnapshotPart { .. }
            | Message::PreVote { .. }
            | Message::PreVoteReply { .. }
            | Message::Meet { .. }
            | Message::Unwelcome { .. }
            | Message::Forward { .. }
            | Message::ForwardReply { .. } => return None,
        })
    }
}

/// What an acceptor holds, in a few bytes: for a reader that knows from the records what it should
/// hold.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Default)]
pub struct Holding {
    /// Slots in which something was accepted.
    pub slots: u64,
    /// Sum of a hash of each slot's latest ballot and value.
    pub digest: u64,
}

impl Holding {
    /// What a replica holds above what it has trimmed.
    #[must_use]
    pub fn of(replica: &Replica) -> Holding {
        let mut holding = Holding::default();
        let mut slot = replica.trimmed_upto();
        while slot < replica.last_slot() {
            slot = slot.next();
            if let Some((ballot, value)) = replica.accepted(slot) {
                holding.add(slot, ballot, ValueId::of(value));
            }
        }
        holding
    }

    /// Another slot, with the latest of what was accepted in it.
    pub fn add(&mut self, slot: Slot, ballot: Ballot, value: ValueId) {
        /// Odd, and with bits everywhere: the golden ratio's 64 bits.
        const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut hash = 0u64;
        for word in [slot.0, ballot.round, u64::from(ballot.node.0), value.0] {
            hash = (hash.rotate_left(23) ^ word).wrapping_add(1).wrapping_mul(MULTIPLIER);
            hash ^= hash >> 32;
        }
        self.slots += 1;
        self.digest = self.digest.wrapping_add(hash);
    }
}
