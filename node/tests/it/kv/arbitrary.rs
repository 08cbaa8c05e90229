//! Random commands and replies, with few keys so that they meet.

use bytes::Bytes;
use paxos_node::kv::{
    AbortReason, Batch, ClientReply, ClientRequest, ClientResult, Command, DefiniteError, OpResult, Reply,
    RequestId, SessionId, Txn, TxnOp, TxnOutcome, UnknownReason,
};
use paxos_node::paxos::{NodeId, Slot};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

fn key() -> impl Strategy<Value = Bytes> {
    prop::sample::select(vec!["", "a", "b", "c", "key with a longer name"])
        .prop_map(|key| Bytes::from_static(key.as_bytes()))
}

fn value() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        4 => prop::sample::select(vec!["", "1", "2"]).prop_map(|value| Bytes::from_static(value.as_bytes())),
        1 => vec(any::<u8>(), 0..40).prop_map(Bytes::from),
    ]
}

fn delta() -> impl Strategy<Value = i64> {
    prop_oneof![4 => -3..=3_i64, 1 => prop::sample::select(vec![i64::MAX, i64::MIN])]
}

pub(super) fn op() -> impl Strategy<Value = TxnOp> {
    prop_oneof![
        key().prop_map(|key| TxnOp::Get { key }),
        (key(), value()).prop_map(|(key, value)| TxnOp::Put { key, value }),
        (key(), option::of(value()), value()).prop_map(|(key, expect, value)| TxnOp::Cas {
            key,
            expect,
            value
        }),
        (key(), value()).prop_map(|(key, value)| TxnOp::Append { key, value }),
        key().prop_map(|key| TxnOp::Pop { key }),
        (key(), delta()).prop_map(|(key, delta)| TxnOp::Add { key, delta }),
        key().prop_map(|key| TxnOp::Delete { key }),
    ]
}

pub(super) fn txn() -> impl Strategy<Value = Txn> {
    vec(op(), 0..5).prop_map(|ops| Txn { ops })
}

fn request_id() -> impl Strategy<Value = RequestId> {
    (1..=u64::MAX, 1..=u64::MAX)
        .prop_map(|(session, sequence)| RequestId { session: SessionId(session), sequence })
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        1 => any::<u64>().prop_map(|nonce| Command::OpenSession { nonce }),
        4 => (option::of(request_id()), txn()).prop_map(|(request, txn)| Command::Execute { request, txn }),
    ]
}

pub(super) fn batch() -> impl Strategy<Value = Batch> {
    (any::<u64>(), vec(command(), 0..6)).prop_map(|(time_ms, commands)| Batch { time_ms, commands })
}

pub(super) fn client_request() -> impl Strategy<Value = ClientRequest> {
    (any::<u64>(), command(), any::<bool>()).prop_map(|(id, command, local)| ClientRequest {
        id,
        command,
        local,
    })
}

fn result() -> impl Strategy<Value = OpResult> {
    prop_oneof![
        option::of(value()).prop_map(OpResult::Value),
        vec(value(), 0..4).prop_map(OpResult::List),
        any::<i64>().prop_map(OpResult::Integer),
        Just(OpResult::Done),
    ]
}

fn outcome() -> impl Strategy<Value = TxnOutcome> {
    let reason = prop::sample::select(vec![
        AbortReason::CasMismatch,
        AbortReason::WrongType,
        AbortReason::Overflow,
        AbortReason::TooLarge,
    ]);
    prop_oneof![
        vec(result(), 0..4).prop_map(TxnOutcome::Done),
        (any::<u16>(), reason).prop_map(|(op, reason)| TxnOutcome::Aborted { op, reason }),
    ]
}

fn client_result() -> impl Strategy<Value = ClientResult> {
    prop_oneof![
        (1..=u64::MAX).prop_map(|id| ClientResult::Reply(Reply::SessionOpened(SessionId(id)))),
        outcome().prop_map(|outcome| ClientResult::Reply(Reply::Outcome(outcome))),
        outcome().prop_map(ClientResult::Stale),
        prop::sample::select(vec![Reply::SessionExpired, Reply::Superseded]).prop_map(ClientResult::Reply),
        prop::sample::select(vec![
            DefiniteError::NotLeader { hint: None },
            DefiniteError::NotLeader { hint: Some(NodeId(3)) },
            DefiniteError::NoLeader,
            DefiniteError::Overloaded,
            DefiniteError::TooLarge,
            DefiniteError::Malformed,
        ])
        .prop_map(ClientResult::Failed),
        prop::sample::select(vec![
            UnknownReason::LeaderChanged,
            UnknownReason::ForwardLost,
            UnknownReason::Refused,
            UnknownReason::Stopping,
        ])
        .prop_map(ClientResult::Unknown),
    ]
}

pub(super) fn client_reply() -> impl Strategy<Value = ClientReply> {
    (any::<u64>(), any::<u64>(), client_result()).prop_map(|(id, slot, result)| ClientReply {
        id,
        slot: Slot(slot),
        result,
    })
}
