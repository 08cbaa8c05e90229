//! The event trace: what happened, one line an event, the same bytes for the same seed.

use super::clock::Time;
use crate::kv::{Batch, ClientReply, ClientResult, Command, OpResult, Reply, TxnOp, TxnOutcome};
use crate::paxos::{Message, Record, Slot, SlotReport, Value};
use crate::service::{ClientToken, SnapshotOrder};
use bytes::Bytes;
use std::fmt;

/// Lines, collected only if somebody asked: formatting costs more than simulating.
#[derive(Debug, Default)]
pub struct Trace {
    text: Option<String>,
}

impl Trace {
    /// A trace that keeps nothing.
    #[must_use]
    pub fn off() -> Trace {
        Trace::default()
    }

    /// A trace that keeps every line.
    #[must_use]
    pub fn on() -> Trace {
        Trace { text: Some(String::new()) }
    }

    pub(crate) fn line(&mut self, now: Time, line: fmt::Arguments<'_>) {
        use fmt::Write;
        if let Some(text) = &mut self.text {
            // Writing to a string can't fail.
            let _ = writeln!(text, "{now} {line}");
        }
    }

    /// All lines.
    #[must_use]
    pub fn into_text(self) -> String {
        self.text.unwrap_or_default()
    }
}

/// Shows protocol things in a few words.
pub(crate) struct Show<'a, T>(pub(crate) &'a T);

impl fmt::Display for Show<'_, Bytes> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Larger values are padding.
        const BYTES_SHOWN: usize = 24;
        match self.0.get(..BYTES_SHOWN) {
            None => f.write_str(&String::from_utf8_lossy(self.0)),
            Some(_) => {
                let name = self.0.split(|byte| *byte == b'.').next().unwrap_or_default();
                write!(f, "{} ({} bytes)", String::from_utf8_lossy(name), self.0.len())
            }
        }
    }
}

/// The client, and the number of its connection.
impl fmt::Display for Show<'_, ClientToken> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{}.{}", self.0.0 >> 32, self.0.0 as u32)
    }
}

impl fmt::Display for Show<'_, Value> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = match self.0 {
            Value::Noop => return f.write_str("no-op"),
            Value::Configuration(configuration) => return write!(f, "{configuration}"),
            Value::Batch(bytes) => bytes,
        };
        match Batch::decode(bytes.clone()) {
            Ok(batch) => list(f, &batch.commands),
            Err(error) => write!(f, "undecodable batch: {error}"),
        }
    }
}

impl fmt::Display for Show<'_, Command> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Command::OpenSession { nonce } => write!(f, "open session for {nonce}"),
            Command::Execute { request, txn } => {
                if let Some(request) = request {
                    write!(f, "{request} ")?;
                }
                list(f, &txn.ops)
            }
        }
    }
}

impl fmt::Display for Show<'_, TxnOp> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            TxnOp::Get { key } => write!(f, "get {}", Show(key)),
            TxnOp::Put { key, value } => write!(f, "put {}={}", Show(key), Show(value)),
            TxnOp::Cas { key, expect, value } => {
                let expect = expect.as_ref().map_or("nothing".into(), |expect| Show(expect).to_string());
                write!(f, "cas {} {expect}->{}", Show(key), Show(value))
            }
            TxnOp::Append { key, value } => write!(f, "append {} {}", Show(key), Show(value)),
            TxnOp::Pop { key } => write!(f, "pop {}", Show(key)),
            TxnOp::Add { key, delta } => write!(f, "add {} {delta}", Show(key)),
            TxnOp::Delete { key } => write!(f, "delete {}", Show(key)),
        }
    }
}

impl fmt::Display for Show<'_, OpResult> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            OpResult::Value(None) => f.write_str("nothing"),
            OpResult::Value(Some(value)) => write!(f, "{}", Show(value)),
            OpResult::List(items) => {
                /// Of a long list the end tells most.
                const ITEMS_SHOWN: usize = 6;
                let cut = items.len().saturating_sub(ITEMS_SHOWN);
                if cut > 0 {
                    write!(f, "{cut} more and ")?;
                }
                list(f, &items[cut..])
            }
            OpResult::Integer(number) => write!(f, "{number}"),
            OpResult::Done => f.write_str("done"),
        }
    }
}

impl fmt::Display for Show<'_, TxnOutcome> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            TxnOutcome::Done(results) => list(f, results),
            TxnOutcome::Aborted { op, reason } => write!(f, "aborted at {op}: {reason:?}"),
        }
    }
}

impl fmt::Display for Show<'_, ClientReply> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.result {
            ClientResult::Reply(Reply::Outcome(outcome)) => {
                write!(f, "{} at {:?}", Show(outcome), self.0.slot)
            }
            ClientResult::Reply(other) => write!(f, "{other:?} at {:?}", self.0.slot),
            ClientResult::Stale(outcome) => {
                write!(f, "{}, perhaps stale, at {:?}", Show(outcome), self.0.slot)
            }
            ClientResult::Failed(error) => write!(f, "failed: {error}"),
            ClientResult::Unknown(reason) => write!(f, "unknown: {reason}"),
        }
    }
}

impl fmt::Display for Show<'_, SlotReport> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SlotReport { slot, ballot, value, learned } = self.0;
        write!(f, "{slot:?} {ballot} {}{}", Show(value), if *learned { " learned" } else { "" })
    }
}

impl fmt::Display for Show<'_, Record> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Record::BallotUsed(ballot) => write!(f, "used {ballot}"),
            Record::Promised(ballot) => write!(f, "promised {ballot}"),
            Record::Accepted { slot, ballot, value } => {
                write!(f, "accepted {slot:?} {ballot} {}", Show(value))
            }
            Record::Learned { slot, ballot, value } => {
                write!(f, "learned {slot:?} {ballot} {}", Show(value))
            }
            Record::ChosenUpto(slot) => write!(f, "chosen up to {slot:?}"),
            Record::Checkpoint { slot, promised } => {
                write!(f, "checkpoint for a snapshot of {slot:?}, promised {promised}")
            }
            Record::Kept { slot, ballot, value } => write!(f, "kept {slot:?} {ballot} {}", Show(value)),
            Record::Pledged(configuration) => write!(f, "pledged {configuration}"),
            Record::Founded(configuration) => write!(f, "founded {configuration}"),
        }
    }
}

impl fmt::Display for Show<'_, Message> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Message::Prepare { ballot, from } => write!(f, "Prepare {ballot} from {from:?}"),
            Message::Promise { ballot, from, slots, next, trimmed } => {
                write!(f, "Promise {ballot} from {from:?} ")?;
                if *trimmed > Slot::ZERO {
                    write!(f, "trimmed up to {trimmed:?} ")?;
                }
                list(f, slots)?;
                next.map_or(Ok(()), |next| write!(f, ", more from {next:?}"))
            }
            Message::Accept { ballot, slot, value, chosen_upto } => {
                write!(f, "Accept {ballot} {slot:?} {}, chosen up to {chosen_upto:?}", Show(value))
            }
            Message::Accepted { ballot, slot } => write!(f, "Accepted {ballot} {slot:?}"),
            Message::Reject { ballot, promised } => write!(f, "Reject {ballot}, promised {promised}"),
            Message::Heartbeat { ballot, chosen_upto, read_seq, applied } => write!(
                f,
                "Heartbeat {ballot}, chosen up to {chosen_upto:?}, barrier {read_seq}, applied {:?}",
                applied.slot
            ),
            Message::HeartbeatAck { ballot, read_seq, chosen_upto, applied, lease_us } => write!(
                f,
                "HeartbeatAck {ballot}, chosen up to {chosen_upto:?}, barrier {read_seq}, applied {:?}, lease {lease_us}us",
                applied.slot
            ),
            Message::LearnRequest { from } => write!(f, "LearnRequest from {from:?}"),
            Message::LearnReply { slots, chosen_upto } => {
                f.write_str("LearnReply ")?;
                list(f, slots)?;
                write!(f, ", chosen up to {chosen_upto:?}")
            }
            Message::PreVote { ballot } => write!(f, "PreVote {ballot}"),
            Message::PreVoteReply { ballot, promised, granted } => {
                let word = if *granted { "granted" } else { "denied" };
                write!(f, "PreVoteReply {ballot} {word}, promised {promised}")
            }
            Message::SnapshotOffer { slot } => write!(f, "SnapshotOffer {slot:?}"),
            Message::SnapshotRequest { slot, part } => write!(f, "SnapshotRequest {slot:?} part {part}"),
            Message::SnapshotPart { slot, part, bytes } => {
                write!(f, "SnapshotPart {slot:?} part {part}, {} bytes", bytes.len())
            }
            Message::Meet { stage } => write!(f, "Meet {stage:?}"),
            Message::Unwelcome { known } => write!(f, "Unwelcome, known {known:x?}"),
            Message::Forward { token, .. } => write!(f, "Forward {token:x}"),
            Message::ForwardReply { token, .. } => write!(f, "ForwardReply {token:x}"),
        }
    }
}

impl fmt::Display for Show<'_, SnapshotOrder> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            SnapshotOrder::Begin { slot, .. } => write!(f, "begins the file of a snapshot of {slot:?}"),
            SnapshotOrder::Part { bytes, .. } => write!(f, "wrote {} bytes of a snapshot", bytes.len()),
            SnapshotOrder::Finish { .. } => f.write_str("makes a snapshot durable"),
            SnapshotOrder::Abandon => f.write_str("gives up a snapshot"),
            SnapshotOrder::Read { to, slot, part } => {
                write!(f, "reads part {part} of the snapshot of {slot:?} for {to}")
            }
        }
    }
}

fn list<'a, T>(f: &mut fmt::Formatter<'_>, items: &'a [T]) -> fmt::Result
where
    Show<'a, T>: fmt::Display,
{
    f.write_str("[")?;
    for (position, item) in items.iter().enumerate() {
        if position > 0 {
            f.write_str(", ")?;
        }
        write!(f, "{}", Show(item))?;
    }
    f.write_str("]")
}
