//! Messages that are well-formed, and that no correct peer would send: from a confused node, an
//! older build, or somebody who computed a checksum over nonsense.
//!
//! The core asserts what a correct cluster guarantees, and an assertion ends the process. So what
//! only a broken *sender* can cause is refused here, before it gets there. What shows that the
//! agreement itself is broken (two values chosen in a slot) is left to the core: that must stop
//! the node, loudly.

use crate::kv::MAX_BATCH_BYTES;
use crate::paxos::{Ballot, Message, NodeId, Slot, SlotReport, Value};
use crate::snapshot::part::PART_BYTES_MAX;

/// No cluster gets this far: a new ballot every microsecond for nine years.
pub const ROUND_MAX: u64 = 1 << 48;
/// No log gets this long either; session ids are made of slots below it.
pub const SLOT_MAX: Slot = Slot(1 << 47);

/// What is wrong with a message.
#[derive(Clone, Eq, PartialEq, Debug, thiserror::Error)]
pub enum Implausible {
    /// Only its owner proposes in a ballot, and only its owner is answered in it.
    #[error("ballot {ballot} is not {owner}'s")]
    ForeignBallot {
        /// The ballot.
        ballot: Ballot,
        /// Whose it should be.
        owner: NodeId,
    },
    /// A round above [`ROUND_MAX`].
    #[error("round {0} is beyond all rounds")]
    Round(u64),
    /// A slot above [`SLOT_MAX`].
    #[error("slot {0} is beyond all slots")]
    Slot(Slot),
    /// A value above [`MAX_BATCH_BYTES`].
    #[error("a value of {0} bytes is more than a slot holds")]
    Value(usize),
    /// A part of a snapshot above [`PART_BYTES_MAX`].
    #[error("a part of {0} bytes is more than a snapshot's part holds")]
    Part(usize),
    /// A report that has no place in this message.
    #[error("a report of slot {0} that has no place here")]
    Report(Slot),
}

/// Checks a message from `from` to `to`.
///
/// # Errors
/// Says what no correct peer would have said.
pub fn check(message: &Message, from: NodeId, to: NodeId) -> Result<(), Implausible> {
    match message {
        Message::Prepare { ballot, from: first } => {
            owned(*ballot, from)?;
            slot(*first)
        }
        Message::Promise { ballot, from: first, slots, next, trimmed } => {
            owned(*ballot, to)?;
            slot(*first)?;
            slot(*trimmed)?;
            next.map_or(Ok(()), slot)?;
            reports(slots, |report| report.slot >= *first)
        }
        Message::Accept { ballot, slot: at, value: proposed, chosen_upto } => {
            owned(*ballot, from)?;
            slot(*at)?;
            slot(*chosen_upto)?;
            value(proposed)
        }
        Message::Accepted { ballot, slot: at } => {
            owned(*ballot, to)?;
            slot(*at)
        }
        Message::PreVote { ballot } => owned(*ballot, from),
        Message::PreVoteReply { ballot, promised, .. } | Message::Reject { ballot, promised } => {
            owned(*ballot, to)?;
            round(*promised)
        }
        Message::Heartbeat { ballot, chosen_upto, .. } => {
            owned(*ballot, from)?;
            slot(*chosen_upto)
        }
        Message::HeartbeatAck { ballot, chosen_upto, .. } => {
            owned(*ballot, to)?;
            slot(*chosen_upto)
        }
        Message::LearnRequest { from: first } => slot(*first),
        Message::LearnReply { slots, chosen_upto } => {
            slot(*chosen_upto)?;
            reports(slots, |report| report.learned)
        }
        Message::SnapshotOffer { slot: upto } | Message::SnapshotRequest { slot: upto, .. } => slot(*upto),
        Message::SnapshotPart { slot: upto, bytes, .. } => {
            slot(*upto)?;
            if bytes.len() > PART_BYTES_MAX { Err(Implausible::Part(bytes.len())) } else { Ok(()) }
        }
        Message::Meet { .. }
        | Message::Unwelcome { .. }
        | Message::Forward { .. }
        | Message::ForwardReply { .. } => Ok(()),
    }
}

fn owned(ballot: Ballot, owner: NodeId) -> Result<(), Implausible> {
    if ballot.node != owner {
        return Err(Implausible::ForeignBallot { ballot, owner });
    }
    round(ballot)
}

fn round(ballot: Ballot) -> Result<(), Implausible> {
    if ballot.round > ROUND_MAX { Err(Implausible::Round(ballot.round)) } else { Ok(()) }
}

fn slot(slot: Slot) -> Result<(), Implausible> {
    if slot > SLOT_MAX { Err(Implausible::Slot(slot)) } else { Ok(()) }
}

fn value(value: &Value) -> Result<(), Implausible> {
    if value.len() > MAX_BATCH_BYTES { Err(Implausible::Value(value.len())) } else { Ok(()) }
}

fn reports(reports: &[SlotReport], has_place: impl Fn(&SlotReport) -> bool) -> Result<(), Implausible> {
    for report in reports {
        round(report.ballot)?;
        slot(report.slot)?;
        value(&report.value)?;
        if report.slot == Slot::ZERO || !has_place(report) {
            return Err(Implausible::Report(report.slot));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    const ME: NodeId = NodeId(1);
    const PEER: NodeId = NodeId(2);

    fn ballot(round: u64, node: NodeId) -> Ballot {
        Ballot { round, node }
    }

    fn report(slot: u64, learned: bool) -> SlotReport {
        SlotReport { slot: Slot(slot), ballot: ballot(1, PEER), value: Value::Noop, learned }
    }

    #[test]
    fn what_a_correct_peer_says_passes() {
        let (theirs, mine) = (ballot(3, PEER), ballot(3, ME));
        let good = [
            Message::Prepare { ballot: theirs, from: Slot(1) },
            Message::Promise {
                ballot: mine,
                from: Slot(2),
                slots: vec![report(2, false)],
                next: Some(Slot(9)),
                trimmed: Slot(2),
            },
            Message::Accept { ballot: theirs, slot: Slot(1), value: Value::Noop, chosen_upto: Slot(0) },
            Message::Accepted { ballot: mine, slot: Slot(1) },
            Message::Reject { ballot: mine, promised: ballot(4, NodeId(3)) },
            Message::LearnReply { slots: vec![report(1, true)], chosen_upto: Slot(1) },
        ];
        for message in good {
            assert_eq!(check(&message, PEER, ME), Ok(()), "{message:?}");
        }
    }

    #[test]
    fn what_would_end_the_node_is_refused() {
        let (theirs, mine) = (ballot(3, PEER), ballot(3, ME));
        let huge = Value::Batch(Bytes::from(vec![0; MAX_BATCH_BYTES + 1]));
        let bad = [
            Message::Prepare { ballot: mine, from: Slot(1) },
            Message::Prepare { ballot: ballot(u64::MAX, PEER), from: Slot(1) },
            Message::Prepare { ballot: ballot(3, NodeId(0)), from: Slot(1) },
            Message::Promise {
                ballot: theirs,
                from: Slot(1),
                slots: vec![],
                next: None,
                trimmed: Slot::ZERO,
            },
            Message::Promise {
                ballot: mine,
                from: Slot(2),
                slots: vec![report(1, false)],
                next: None,
                trimmed: Slot::ZERO,
            },
            Message::Promise {
                ballot: mine,
                from: Slot(2),
                slots: vec![],
                next: None,
                trimmed: Slot(u64::MAX),
            },
            Message::SnapshotOffer { slot: Slot(u64::MAX) },
            Message::SnapshotPart { slot: Slot(1), part: 0, bytes: Bytes::from(vec![0; PART_BYTES_MAX + 1]) },
            Message::Promise {
                ballot: mine,
                from: Slot(1),
                slots: vec![report(u64::MAX, false)],
                next: None,
                trimmed: Slot::ZERO,
            },
            Message::Accept { ballot: mine, slot: Slot(1), value: Value::Noop, chosen_upto: Slot(0) },
            Message::Accept {
                ballot: theirs,
                slot: Slot(u64::MAX),
                value: Value::Noop,
                chosen_upto: Slot(0),
            },
            Message::Accept { ballot: theirs, slot: Slot(1), value: huge, chosen_upto: Slot(0) },
            Message::Reject { ballot: mine, promised: ballot(u64::MAX, NodeId(3)) },
            Message::LearnReply { slots: vec![report(1, false)], chosen_upto: Slot(1) },
        ];
        for message in bad {
            assert!(check(&message, PEER, ME).is_err(), "{message:?}");
        }
    }
}
