//! A retried request executes once, and sessions end alike everywhere.

use super::{add, append, apply, cas, get, open_session, request};
use paxos_node::kv::{
    AbortReason, Command, Kv, MAX_SESSIONS, OpResult, Reply, SESSION_IDLE_MS, SessionId, Txn, TxnOutcome,
};
use paxos_node::paxos::Slot;

fn value_of(kv: &Kv, key: &str) -> OpResult {
    match kv.read(&Txn { ops: vec![get(key)] }) {
        TxnOutcome::Done(results) => results[0].clone(),
        aborted => panic!("{aborted:?}"),
    }
}

fn done(result: OpResult) -> Reply {
    Reply::Outcome(TxnOutcome::Done(vec![result]))
}

#[test]
fn a_session_is_named_by_where_it_was_opened() {
    let mut kv = Kv::new();
    let open = Command::OpenSession { nonce: 1 };
    let replies = apply(&mut kv, 0, &[open.clone(), open]);
    let names = [SessionId(1 << 16), SessionId(1 << 16 | 1)];
    assert_eq!(replies, names.map(Reply::SessionOpened));
    assert_eq!(format!("{}", SessionId::new(Slot(12), 3)), "12/3");
}

#[test]
fn a_retried_request_executes_once() {
    let mut kv = Kv::new();
    let session = open_session(&mut kv, 0);
    let retried = request(session, 1, &[add("i", 5)]);

    let within_a_batch = apply(&mut kv, 0, &[retried.clone(), retried.clone()]);
    let in_a_later_slot = apply(&mut kv, 0, &[retried]);

    assert_eq!(within_a_batch, [done(OpResult::Integer(5)), done(OpResult::Integer(5))]);
    assert_eq!(in_a_later_slot, [done(OpResult::Integer(5))]);
    assert_eq!(value_of(&kv, "i"), OpResult::Integer(5));
}

/// Else a client that retries would hear "mismatch" of a change that it has made itself.
#[test]
fn a_retry_gets_the_first_answer() {
    let mut kv = Kv::new();
    let session = open_session(&mut kv, 0);
    let swap = request(session, 1, &[cas("k", None, "1")]);
    let first = apply(&mut kv, 0, std::slice::from_ref(&swap));
    assert_eq!(first, [done(OpResult::Done)]);
    assert_eq!(apply(&mut kv, 0, &[swap]), first);

    let refused = request(session, 2, &[cas("k", None, "2")]);
    let abort = [Reply::Outcome(TxnOutcome::Aborted { op: 0, reason: AbortReason::CasMismatch })];
    assert_eq!(apply(&mut kv, 0, std::slice::from_ref(&refused)), abort);
    assert_eq!(
        apply(&mut kv, 0, &[request(session, 3, &[add("i", 1)]), refused]).last(),
        Some(&Reply::Superseded)
    );
}

#[test]
fn a_late_copy_of_an_earlier_request_is_superseded() {
    let mut kv = Kv::new();
    let session = open_session(&mut kv, 0);
    let late = request(session, 1, &[append("l", "late")]);
    let replies = apply(&mut kv, 0, &[request(session, 2, &[append("l", "next")]), late]);
    assert_eq!(replies, [done(OpResult::Done), Reply::Superseded]);
    assert!(matches!(value_of(&kv, "l"), OpResult::List(items) if items.len() == 1));
}

#[test]
fn a_session_expires_by_the_batches_time() {
    let mut kv = Kv::new();
    let session = open_session(&mut kv, 1000);
    let end = 1000 + SESSION_IDLE_MS;
    let reply = apply(&mut kv, end, &[request(session, 1, &[add("i", 1)])]);
    assert_eq!(reply, [done(OpResult::Integer(1))], "used just in time, and counted from here again");

    let idle = apply(&mut kv, end + SESSION_IDLE_MS + 1, &[request(session, 1, &[add("i", 1)])]);
    assert_eq!(idle, [Reply::SessionExpired]);
    assert_eq!(value_of(&kv, "i"), OpResult::Integer(1), "nobody knows the request: it must not run again");
    assert_eq!(kv.sessions(), 0);
}

#[test]
fn a_leader_whose_clock_is_behind_turns_no_time_back() {
    let mut kv = Kv::new();
    apply(&mut kv, 5_000_000, &[]);
    let session = open_session(&mut kv, 0);
    let later = 5_000_000 + SESSION_IDLE_MS;
    assert_eq!(apply(&mut kv, later, &[request(session, 1, &[add("i", 1)])]), [done(OpResult::Integer(1))]);
}

#[test]
fn beyond_the_limit_the_least_recently_used_session_goes() {
    let mut kv = Kv::new();
    let oldest = open_session(&mut kv, 0);
    let second = open_session(&mut kv, 0);
    for _ in 2..MAX_SESSIONS {
        open_session(&mut kv, 1);
    }
    apply(&mut kv, 2, &[request(oldest, 1, &[add("i", 1)])]);
    assert_eq!(kv.sessions(), MAX_SESSIONS);

    open_session(&mut kv, 2);

    assert_eq!(kv.sessions(), MAX_SESSIONS);
    let replies =
        apply(&mut kv, 2, &[request(oldest, 2, &[add("i", 1)]), request(second, 1, &[add("i", 1)])]);
    assert_eq!(replies, [done(OpResult::Integer(2)), Reply::SessionExpired]);
}
