//! The state machine against a naive one: a map that is copied before each transaction, and a
//! list of sessions that is searched from end to end.

use super::{apply, arbitrary};
use bytes::Bytes;
use paxos_node::kv::{
    AbortReason, Command, Kv, OpResult, Reply, RequestId, SESSION_IDLE_MS, SessionId, Txn, TxnOp, TxnOutcome,
};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::HashMap;

#[derive(Clone, PartialEq, Debug)]
enum Held {
    Bytes(Bytes),
    List(Vec<Bytes>),
    Integer(i64),
}

#[derive(Default)]
struct Oracle {
    keys: HashMap<Bytes, Held>,
    /// Id, last sequence, its reply, last use.
    sessions: Vec<(SessionId, u64, Reply, u64)>,
    now: u64,
}

impl Oracle {
    fn execute(&mut self, txn: &Txn) -> TxnOutcome {
        let mut keys = self.keys.clone();
        let mut results = Vec::new();
        for (op, position) in txn.ops.iter().zip(0..) {
            match step(&mut keys, op) {
                Ok(result) => results.push(result),
                Err(reason) => return TxnOutcome::Aborted { op: position, reason },
            }
        }
        self.keys = keys;
        TxnOutcome::Done(results)
    }

    fn apply(&mut self, time_ms: u64, slot: u64, commands: &[Command]) -> Vec<Reply> {
        self.now = self.now.max(time_ms);
        let now = self.now;
        self.sessions.retain(|session| session.3 + SESSION_IDLE_MS >= now);
        let commands = commands.iter().zip(0..);
        commands.map(|(command, position)| self.command(slot << 16 | position, command)).collect()
    }

    fn command(&mut self, name: u64, command: &Command) -> Reply {
        let (request, txn) = match command {
            Command::OpenSession { .. } => {
                self.sessions.push((SessionId(name), 0, Reply::Superseded, self.now));
                return Reply::SessionOpened(SessionId(name));
            }
            Command::Execute { request: None, txn } => return Reply::Outcome(self.execute(txn)),
            Command::Execute { request: Some(request), txn } => (request, txn),
        };
        let Some(at) = self.sessions.iter().position(|session| session.0 == request.session) else {
            return Reply::SessionExpired;
        };
        self.sessions[at].3 = self.now;
        if request.sequence < self.sessions[at].1 {
            return Reply::Superseded;
        }
        if request.sequence > self.sessions[at].1 {
            self.sessions[at].1 = request.sequence;
            self.sessions[at].2 = Reply::Outcome(self.execute(txn));
        }
        self.sessions[at].2.clone()
    }
}

fn step(keys: &mut HashMap<Bytes, Held>, op: &TxnOp) -> Result<OpResult, AbortReason> {
    let held = keys.get(op.key()).cloned();
    let (next, result) = match (op, held) {
        (TxnOp::Get { .. }, held) => {
            return Ok(match held {
                None => OpResult::Value(None),
                Some(Held::Bytes(value)) => OpResult::Value(Some(value)),
                Some(Held::List(items)) => OpResult::List(items),
                Some(Held::Integer(value)) => OpResult::Integer(value),
            });
        }
        (TxnOp::Delete { key }, _) => {
            keys.remove(key);
            return Ok(OpResult::Done);
        }
        (TxnOp::Put { value, .. }, _) => (Held::Bytes(value.clone()), OpResult::Done),
        (TxnOp::Cas { expect, value, .. }, None) if expect.is_none() => {
            (Held::Bytes(value.clone()), OpResult::Done)
        }
        (TxnOp::Cas { expect, value, .. }, Some(Held::Bytes(found))) if *expect == Some(found.clone()) => {
            (Held::Bytes(value.clone()), OpResult::Done)
        }
        (TxnOp::Cas { .. }, None | Some(Held::Bytes(_))) => return Err(AbortReason::CasMismatch),
        (TxnOp::Append { value, .. }, None) => (Held::List(vec![value.clone()]), OpResult::Done),
        (TxnOp::Append { value, .. }, Some(Held::List(items))) => {
            (Held::List([items, vec![value.clone()]].concat()), OpResult::Done)
        }
        (TxnOp::Pop { .. }, None) => return Ok(OpResult::Value(None)),
        (TxnOp::Pop { .. }, Some(Held::List(items))) => match items.split_first() {
            Some((first, rest)) => (Held::List(rest.to_vec()), OpResult::Value(Some(first.clone()))),
            None => return Ok(OpResult::Value(None)),
        },
        (TxnOp::Add { delta, .. }, None) => (Held::Integer(*delta), OpResult::Integer(*delta)),
        (TxnOp::Add { delta, .. }, Some(Held::Integer(value))) => {
            let sum = value.checked_add(*delta).ok_or(AbortReason::Overflow)?;
            (Held::Integer(sum), OpResult::Integer(sum))
        }
        (TxnOp::Cas { .. } | TxnOp::Append { .. } | TxnOp::Pop { .. } | TxnOp::Add { .. }, Some(_)) => {
            return Err(AbortReason::WrongType);
        }
    };
    keys.insert(op.key().clone(), next);
    Ok(result)
}

/// A command whose session, if any, is named by its place among those opened so far.
#[derive(Clone, Debug)]
enum Plan {
    Open,
    Execute { session: Option<prop::sample::Index>, sequence: u64, txn: Txn },
}

fn plan() -> impl Strategy<Value = Vec<(u64, Vec<Plan>)>> {
    let session = prop::option::weighted(0.7, any::<prop::sample::Index>());
    let command = prop_oneof![
        1 => Just(Plan::Open),
        6 => (session, 1..6_u64, arbitrary::txn())
            .prop_map(|(session, sequence, txn)| Plan::Execute { session, sequence, txn }),
    ];
    // Steps of a quarter of a session's life, so that some expire and some are kept alive.
    vec(((0..8_u64).prop_map(|step| step * SESSION_IDLE_MS / 4), vec(command, 0..5)), 1..30)
}

/// Puts the names in: the sessions that a batch opens can be used from the next batch on.
fn resolve(plans: &[Plan], opened: &[SessionId]) -> Vec<Command> {
    plans
        .iter()
        .map(|plan| match plan {
            Plan::Open => Command::OpenSession { nonce: 0 },
            Plan::Execute { session, sequence, txn } => {
                let session = session.filter(|_| !opened.is_empty()).map(|at| opened[at.index(opened.len())]);
                let request = session.map(|session| RequestId { session, sequence: *sequence });
                Command::Execute { request, txn: txn.clone() }
            }
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn agrees_with_the_naive_state_machine(plan in plan()) {
        let (mut kv, mut twin, mut oracle) = (Kv::new(), Kv::new(), Oracle::default());
        let mut opened = Vec::new();
        for ((time_ms, plans), slot) in plan.iter().zip(1..) {
            let commands = resolve(plans, &opened);
            let replies = apply(&mut kv, *time_ms, &commands);
            prop_assert_eq!(&replies, &oracle.apply(*time_ms, slot, &commands));
            prop_assert_eq!(&replies, &apply(&mut twin, *time_ms, &commands));
            prop_assert_eq!(kv.applied(), twin.applied(), "same log, same hash");
            prop_assert_eq!(kv.sessions(), oracle.sessions.len());
            opened.extend(replies.iter().filter_map(|reply| match reply {
                Reply::SessionOpened(session) => Some(*session),
                _ => None,
            }));
        }
        for (key, held) in &oracle.keys {
            let read = kv.read(&Txn { ops: vec![TxnOp::Get { key: key.clone() }] });
            let expected = match held.clone() {
                Held::Bytes(value) => OpResult::Value(Some(value)),
                Held::List(items) => OpResult::List(items),
                Held::Integer(value) => OpResult::Integer(value),
            };
            prop_assert_eq!(read, TxnOutcome::Done(vec![expected]));
        }
    }
}
