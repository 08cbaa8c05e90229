//! The bytes of what is answered: results, outcomes, replies, errors.

use super::super::limits::{MAX_LIST_ITEMS, MAX_TXN_OPS};
use super::super::{
    AbortReason, ClientReply, ClientResult, DefiniteError, OpResult, Reply, SessionId, TxnOutcome,
    UnknownReason,
};
use super::{CodecError, Decode, Encode, Reader, Sink};
use crate::paxos::{NodeId, Slot};

impl Encode for OpResult {
    fn encode(&self, sink: &mut impl Sink) {
        match self {
            OpResult::Done => sink.u8(0),
            OpResult::Value(None) => sink.u8(1),
            OpResult::Value(Some(value)) => {
                sink.u8(2);
                sink.bytes(value);
            }
            OpResult::List(items) => {
                sink.u8(3);
                sink.count(items.len());
                for item in items {
                    sink.bytes(item);
                }
            }
            OpResult::Integer(value) => {
                sink.u8(4);
                sink.u64(value.cast_unsigned());
            }
        }
    }
}

impl Decode for OpResult {
    fn decode(reader: &mut Reader) -> Result<Self, CodecError> {
        Ok(match reader.u8("result")? {
            0 => OpResult::Done,
            1 => OpResult::Value(None),
            2 => OpResult::Value(Some(reader.value()?)),
            3 => OpResult::List(reader.list("list", MAX_LIST_ITEMS, Reader::value)?),
            4 => OpResult::Integer(reader.u64("integer")?.cast_signed()),
            other => return Err(CodecError::Unknown { what: "result", found: u64::from(other) }),
        })
    }
}

impl Encode for TxnOutcome {
    fn encode(&self, sink: &mut impl Sink) {
        match self {
            TxnOutcome::Done(results) => {
                sink.u8(1);
                sink.count(results.len());
                for result in results {
                    result.encode(sink);
                }
            }
            TxnOutcome::Aborted { op, reason } => {
                sink.u8(2);
                sink.u16(*op);
                sink.u8(match reason {
                    AbortReason::CasMismatch => 1,
                    AbortReason::WrongType => 2,
                    AbortReason::Overflow => 3,
                    AbortReason::TooLarge => 4,
                });
            }
        }
    }
}

impl Decode for TxnOutcome {
    fn decode(reader: &mut Reader) -> Result<Self, CodecError> {
        Ok(match reader.u8("outcome")? {
            1 => TxnOutcome::Done(reader.list("results", MAX_TXN_OPS, OpResult::decode)?),
            2 => {
                let op = reader.u16("aborting operation")?;
                let reason = match reader.u8("abort reason")? {
                    1 => AbortReason::CasMismatch,
                    2 => AbortReason::WrongType,
                    3 => AbortReason::Overflow,
                    4 => AbortReason::TooLarge,
                    other => {
                        return Err(CodecError::Unknown { what: "abort reason", found: u64::from(other) });
                    }
                };
                TxnOutcome::Aborted { op, reason }
            }
            other => return Err(CodecError::Unknown { what: "outcome", found: u64::from(other) }),
        })
    }
}

impl Encode for Reply {
    fn encode(&self, sink: &mut impl Sink) {
        match self {
            Reply::SessionOpened(session) => {
                sink.u8(1);
                sink.u64(session.0);
            }
            Reply::Outcome(outcome) => {
                sink.u8(2);
                outcome.encode(sink);
            }
            Reply::SessionExpired => sink.u8(3),
            Reply::Superseded => sink.u8(4),
        }
    }
}

impl Decode for Reply {
    fn decode(reader: &mut Reader) -> Result<Self, CodecError> {
        Ok(match reader.u8("reply")? {
            1 => Reply::SessionOpened(SessionId(reader.u64("session")?)),
            2 => Reply::Outcome(TxnOutcome::decode(reader)?),
            3 => Reply::SessionExpired,
            4 => Reply::Superseded,
            other => return Err(CodecError::Unknown { what: "reply", found: u64::from(other) }),
        })
    }
}

impl Encode for ClientReply {
    fn encode(&self, sink: &mut impl Sink) {
        sink.u64(self.id);
        sink.u64(self.slot.0);
        match &self.result {
            ClientResult::Reply(reply) => {
                sink.u8(1);
                reply.encode(sink);
            }
            ClientResult::Failed(error) => {
                sink.u8(2);
                error.encode(sink);
            }
            ClientResult::Stale(outcome) => {
                sink.u8(4);
                outcome.encode(sink);
            }
            ClientResult::Unknown(reason) => {
                sink.u8(3);
                sink.u8(match reason {
                    UnknownReason::LeaderChanged => 1,
                    UnknownReason::ForwardLost => 2,
                    UnknownReason::Refused => 3,
                    UnknownReason::Stopping => 4,
                });
            }
        }
    }
}

impl Decode for ClientReply {
    fn decode(reader: &mut Reader) -> Result<Self, CodecError> {
        let id = reader.u64("request id")?;
        let slot = Slot(reader.u64("slot")?);
        let result = match reader.u8("answer")? {
            1 => ClientResult::Reply(Reply::decode(reader)?),
            2 => ClientResult::Failed(DefiniteError::decode(reader)?),
            3 => ClientResult::Unknown(match reader.u8("unknown reason")? {
                1 => UnknownReason::LeaderChanged,
                2 => UnknownReason::ForwardLost,
                3 => UnknownReason::Refused,
                4 => UnknownReason::Stopping,
                other => {
                    return Err(CodecError::Unknown { what: "unknown reason", found: u64::from(other) });
                }
            }),
            4 => ClientResult::Stale(TxnOutcome::decode(reader)?),
            other => return Err(CodecError::Unknown { what: "answer", found: u64::from(other) }),
        };
        Ok(ClientReply { id, slot, result })
    }
}

impl Encode for DefiniteError {
    fn encode(&self, sink: &mut impl Sink) {
        match self {
            DefiniteError::NotLeader { hint } => {
                sink.u8(1);
                sink.u16(hint.map_or(0, |node| node.0));
            }
            DefiniteError::NoLeader => sink.u8(2),
            DefiniteError::Overloaded => sink.u8(3),
            DefiniteError::TooLarge => sink.u8(4),
            DefiniteError::Malformed => sink.u8(5),
        }
    }
}

impl Decode for DefiniteError {
    fn decode(reader: &mut Reader) -> Result<Self, CodecError> {
        Ok(match reader.u8("error")? {
            1 => {
                let hint = reader.u16("leader hint")?;
                DefiniteError::NotLeader { hint: (hint != 0).then_some(NodeId(hint)) }
            }
            2 => DefiniteError::NoLeader,
            3 => DefiniteError::Overloaded,
            4 => DefiniteError::TooLarge,
            5 => DefiniteError::Malformed,
            other => return Err(CodecError::Unknown { what: "error", found: u64::from(other) }),
        })
    }
}
