//! The bytes of what is asked: batches, commands, transactions, requests.

use super::super::limits::{MAX_BATCH_COMMANDS, MAX_TXN_OPS};
use super::super::{Batch, ClientRequest, Command, RequestId, SessionId, Txn, TxnOp};
use super::{CodecError, Decode, Encode, Reader, Sink};

/// Version of the batch format: the first byte of every batch, since batches outlive programs.
const BATCH_FORMAT: u8 = 1;

impl Encode for Batch {
    fn encode(&self, sink: &mut impl Sink) {
        sink.u8(BATCH_FORMAT);
        sink.u64(self.time_ms);
        sink.count(self.commands.len());
        for command in &self.commands {
            command.encode(sink);
        }
    }
}

impl Decode for Batch {
    fn decode(reader: &mut Reader) -> Result<Self, CodecError> {
        let format = reader.u8("batch format")?;
        if format != BATCH_FORMAT {
            return Err(CodecError::Unknown { what: "batch format", found: u64::from(format) });
        }
        let time_ms = reader.u64("batch time")?;
        let commands = reader.list("commands", MAX_BATCH_COMMANDS, Command::decode)?;
        Ok(Batch { time_ms, commands })
    }
}

impl Encode for Command {
    fn encode(&self, sink: &mut impl Sink) {
        match self {
            Command::OpenSession { nonce } => {
                sink.u8(1);
                sink.u64(*nonce);
            }
            Command::Execute { request: None, txn } => {
                sink.u8(2);
                txn.encode(sink);
            }
            Command::Execute { request: Some(request), txn } => {
                sink.u8(3);
                sink.u64(request.session.0);
                sink.u64(request.sequence);
                txn.encode(sink);
            }
        }
    }
}

impl Decode for Command {
    fn decode(reader: &mut Reader) -> Result<Self, CodecError> {
        Ok(match reader.u8("command")? {
            1 => Command::OpenSession { nonce: reader.u64("nonce")? },
            2 => Command::Execute { request: None, txn: Txn::decode(reader)? },
            3 => {
                let session = SessionId(reader.u64("session")?);
                let sequence = reader.u64("sequence")?;
                if session.0 == 0 || sequence == 0 {
                    return Err(CodecError::Unknown { what: "session or sequence", found: 0 });
                }
                let request = Some(RequestId { session, sequence });
                Command::Execute { request, txn: Txn::decode(reader)? }
            }
            other => return Err(CodecError::Unknown { what: "command", found: u64::from(other) }),
        })
    }
}

impl Encode for Txn {
    fn encode(&self, sink: &mut impl Sink) {
        sink.count(self.ops.len());
        for op in &self.ops {
            op.encode(sink);
        }
    }
}

impl Decode for Txn {
    fn decode(reader: &mut Reader) -> Result<Self, CodecError> {
        Ok(Txn { ops: reader.list("operations", MAX_TXN_OPS, TxnOp::decode)? })
    }
}

impl Encode for TxnOp {
    fn encode(&self, sink: &mut impl Sink) {
        sink.u8(match self {
            TxnOp::Get { .. } => 1,
            TxnOp::Put { .. } => 2,
            TxnOp::Cas { expect: None, .. } => 3,
            TxnOp::Cas { expect: Some(_), .. } => 4,
            TxnOp::Append { .. } => 5,
            TxnOp::Add { .. } => 6,
            TxnOp::Delete { .. } => 7,
            TxnOp::Pop { .. } => 8,
        });
        sink.bytes(self.key());
        match self {
            TxnOp::Get { .. } | TxnOp::Delete { .. } | TxnOp::Pop { .. } => {}
            TxnOp::Put { value, .. } | TxnOp::Append { value, .. } => sink.bytes(value),
            TxnOp::Cas { expect, value, .. } => {
                if let Some(expect) = expect {
                    sink.bytes(expect);
                }
                sink.bytes(value);
            }
            TxnOp::Add { delta, .. } => sink.u64(delta.cast_unsigned()),
        }
    }
}

impl Decode for TxnOp {
    fn decode(reader: &mut Reader) -> Result<Self, CodecError> {
        let tag = reader.u8("operation")?;
        if !(1..=8).contains(&tag) {
            return Err(CodecError::Unknown { what: "operation", found: u64::from(tag) });
        }
        let key = reader.key()?;
        Ok(match tag {
            1 => TxnOp::Get { key },
            2 => TxnOp::Put { key, value: reader.value()? },
            3 => TxnOp::Cas { key, expect: None, value: reader.value()? },
            4 => TxnOp::Cas { key, expect: Some(reader.value()?), value: reader.value()? },
            5 => TxnOp::Append { key, value: reader.value()? },
            6 => TxnOp::Add { key, delta: reader.u64("delta")?.cast_signed() },
            7 => TxnOp::Delete { key },
            _ => TxnOp::Pop { key },
        })
    }
}

impl Encode for ClientRequest {
    fn encode(&self, sink: &mut impl Sink) {
        sink.u64(self.id);
        self.command.encode(sink);
        // Came later: what is not so is not said.
        if self.local {
            sink.u8(1);
        }
    }
}

impl Decode for ClientRequest {
    fn decode(reader: &mut Reader) -> Result<Self, CodecError> {
        let (id, command) = (reader.u64("request id")?, Command::decode(reader)?);
        let local = !reader.is_at_end();
        if local {
            match reader.u8("local")? {
                1 => {}
                other => return Err(CodecError::Unknown { what: "local", found: u64::from(other) }),
            }
        }
        Ok(ClientRequest { id, command, local })
    }
}
