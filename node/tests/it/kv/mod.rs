//! The state machine: what it does, that it does it alike everywhere, and its bytes.

mod arbitrary;
mod codec;
mod oracle;
mod sessions;
mod snapshot;
mod transactions;

use bytes::Bytes;
use paxos_node::kv::{Batch, Command, Kv, Reply, RequestId, SessionId, Txn, TxnOp, TxnOutcome};
use paxos_node::paxos::Value;

fn text(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn get(key: &str) -> TxnOp {
    TxnOp::Get { key: text(key) }
}

fn put(key: &str, value: &str) -> TxnOp {
    TxnOp::Put { key: text(key), value: text(value) }
}

fn cas(key: &str, expect: Option<&str>, value: &str) -> TxnOp {
    TxnOp::Cas { key: text(key), expect: expect.map(text), value: text(value) }
}

fn append(key: &str, value: &str) -> TxnOp {
    TxnOp::Append { key: text(key), value: text(value) }
}

fn add(key: &str, delta: i64) -> TxnOp {
    TxnOp::Add { key: text(key), delta }
}

fn pop(key: &str) -> TxnOp {
    TxnOp::Pop { key: text(key) }
}

fn delete(key: &str) -> TxnOp {
    TxnOp::Delete { key: text(key) }
}

fn execute(ops: &[TxnOp]) -> Command {
    Command::Execute { request: None, txn: Txn { ops: ops.to_vec() } }
}

fn request(session: SessionId, sequence: u64, ops: &[TxnOp]) -> Command {
    Command::Execute { request: Some(RequestId { session, sequence }), txn: Txn { ops: ops.to_vec() } }
}

/// Applies one batch in the next slot.
fn apply(kv: &mut Kv, time_ms: u64, commands: &[Command]) -> Vec<Reply> {
    let batch = Batch { time_ms, commands: commands.to_vec() };
    let slot = kv.applied().slot.next();
    kv.apply(slot, &Value::Batch(batch.encode())).expect("our own encoding")
}

/// Executes one transaction, outside any session.
fn run(kv: &mut Kv, ops: &[TxnOp]) -> TxnOutcome {
    match apply(kv, 0, &[execute(ops)]).as_slice() {
        [Reply::Outcome(outcome)] => outcome.clone(),
        other => panic!("one command, one outcome, not {other:?}"),
    }
}

fn open_session(kv: &mut Kv, time_ms: u64) -> SessionId {
    match apply(kv, time_ms, &[Command::OpenSession { nonce: 7 }]).as_slice() {
        [Reply::SessionOpened(session)] => *session,
        other => panic!("a session, not {other:?}"),
    }
}
