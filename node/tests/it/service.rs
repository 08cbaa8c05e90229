//! The service without a shell: what it tells clients.

use bytes::Bytes;
use paxos_node::kv::{
    ClientRequest, ClientResult, Command, DefiniteError, OpResult, Reply, Txn, TxnOp, TxnOutcome,
};
use paxos_node::paxos::{
    Change, Configuration, ElectionMode, Founding, LeaseTerms, LocalTime, Lsn, Message, NodeId, Record,
    RoleName, SLOTS_IN_FLIGHT_MAX, Slot, Timing,
};
use paxos_node::service::{ClientToken, Config, ReadMode, Service};
use paxos_node::wire::members::ChangeReply;

/// n1 of these.
fn one_of(nodes: &[NodeId]) -> Service {
    let config = Config {
        cluster: 7,
        id: NodeId(1),
        incarnation: 0,
        founding: Founding::Known(Configuration::of(nodes)),
        window: SLOTS_IN_FLIGHT_MAX as u64,
        timing: Timing::default(),
        election: ElectionMode::Randomised,
        reads: ReadMode::Barrier,
        lease: LeaseTerms::NONE,
        tick_ms: 10,
        life: 1,
        snapshot_every_bytes: u64::MAX,
    };
    Service::new(config, &[], 1, LocalTime::default()).unwrap()
}

fn alone() -> Service {
    one_of(&[NodeId(1)])
}

fn put(id: u64) -> ClientRequest {
    let op = TxnOp::Put { key: Bytes::from_static(b"k"), value: Bytes::from_static(b"v") };
    ClientRequest {
        id,
        command: Command::Execute { request: None, txn: Txn { ops: vec![op] } },
        local: false,
    }
}

/// Lets it come to lead; returns how many records it has written.
fn lead(service: &mut Service) -> u64 {
    let mut written = 0;
    while service.replica().role() != RoleName::Leader {
        service.tick();
        written += service.output(LocalTime::default()).records.len() as u64;
        service.durable(Lsn(written));
    }
    written + service.output(LocalTime::default()).records.len() as u64
}

/// What it tells its clients now.
fn told(service: &mut Service) -> Vec<ClientResult> {
    service.output(LocalTime::default()).replies.into_iter().map(|(_, reply)| reply.result).collect()
}

/// The network between clients and nodes may repeat a request. What was told to have failed must
/// not happen because a copy of it comes in when the node can serve. Found by simulation.
#[test]
fn a_copy_of_a_failed_request_does_not_happen() {
    let mut service = alone();
    let client = ClientToken(1);
    service.client(client, put(1));
    assert_eq!(told(&mut service), [ClientResult::Failed(DefiniteError::NoLeader)]);

    lead(&mut service);
    service.client(client, put(1));
    let output = service.output(LocalTime::default());
    assert!(output.records.is_empty() && output.replies.is_empty(), "{output:?}");

    service.client(client, put(2));
    assert_eq!(service.output(LocalTime::default()).records.len(), 1, "a new attempt has a new id");
}

/// A full disk: updates are refused for certain, those that wait already among them; reads are served; and
/// when there is room again, so are updates.
#[test]
fn without_room_updates_are_refused_before_they_are_proposed() {
    let mut service = alone();
    let client = ClientToken(1);
    let written = lead(&mut service);
    service.durable(Lsn(written));
    let _ = service.output(LocalTime::default());
    let refused = ClientResult::Failed(DefiniteError::Overloaded);

    service.client(client, put(1));
    service.set_room(false);
    service.client(client, put(2));
    let output = service.output(LocalTime::default());
    let told: Vec<_> = output.replies.into_iter().map(|(_, reply)| reply.result).collect();
    assert_eq!((told, output.records.len()), (vec![refused.clone(), refused], 0));

    let read = Txn { ops: vec![TxnOp::Get { key: Bytes::from_static(b"k") }] };
    service.client(
        client,
        ClientRequest { id: 3, command: Command::Execute { request: None, txn: read }, local: false },
    );
    let nothing = TxnOutcome::Done(vec![OpResult::Value(None)]);
    assert_eq!(self::told(&mut service), [ClientResult::Reply(Reply::Outcome(nothing))]);

    service.set_room(true);
    service.client(client, put(4));
    let records = service.output(LocalTime::default()).records;
    assert!(records.iter().any(|record| matches!(record, Record::Accepted { .. })), "{records:?}");
    service.durable(Lsn(written + records.len() as u64));
    let done = TxnOutcome::Done(vec![OpResult::Done]);
    assert_eq!(self::told(&mut service), [ClientResult::Reply(Reply::Outcome(done))]);
}

/// Whose machine is gone for good never says that it has no snapshot any more. Found by simulation.
#[test]
fn a_laggard_whose_source_falls_silent_fetches_from_another() {
    let (silent, other) = (NodeId(2), NodeId(3));
    let mut service = one_of(&[NodeId(1), silent, other]);
    let mut asked = |from, slot| {
        service.tick();
        service.peer(from, Message::SnapshotOffer { slot: Slot(slot) });
        let requests =
            service.output(LocalTime::default()).sends.into_iter().filter_map(|send| match send.message {
                Message::SnapshotRequest { slot, .. } => Some((send.to, slot)),
                _ => None,
            });
        requests.last()
    };
    assert_eq!(asked(silent, 50), Some((silent, Slot(50))));
    let patience = Timing::default().retransmit_ticks;
    let switched = (1..).find(|_| asked(other, 60) == Some((other, Slot(60)))).expect("endless");
    assert!((3 * patience..10 * patience).contains(&switched), "after {switched} ticks");
}

/// Members are changed by whoever leads; who asks is answered when that is chosen, and may ask twice.
#[test]
fn a_change_of_members_is_answered_once_it_is_chosen_and_is_done_once() {
    let (mut service, client) = (alone(), ClientToken(1));
    let add = Change::Add { node: NodeId(2), incarnation: 7, address: "there:1".to_owned() };
    let changes = |service: &mut Service| {
        let output = service.output(LocalTime::default());
        (output.records.len() as u64, output.changes.into_iter().map(|(_, id, reply)| (id, reply)).collect())
    };
    service.ask_for_change(client, 1, &add);
    let (_, told): (_, Vec<_>) = changes(&mut service);
    assert!(matches!(&told[..], [(1, ChangeReply::Refused { leader: None, again: true, .. })]), "{told:?}");

    let mut written = lead(&mut service);
    service.durable(Lsn(written));
    written += service.output(LocalTime::default()).records.len() as u64;
    service.durable(Lsn(written));
    service.ask_for_change(client, 2, &add);
    let (records, told) = changes(&mut service);
    assert_eq!(told, [], "nobody knows yet");
    written += records;
    service.durable(Lsn(written));
    let (_, told) = changes(&mut service);
    assert!(matches!(told[..], [(2, ChangeReply::Done { number: 1, .. })]), "{told:?}");

    service.ask_for_change(client, 3, &add);
    let other = Change::Add { node: NodeId(2), incarnation: 8, address: "there:1".to_owned() };
    service.ask_for_change(client, 4, &other);
    let (_, told) = changes(&mut service);
    let [(3, again), (4, refused)] = &told[..] else { panic!("{told:?}") };
    assert_eq!(again, &ChangeReply::Done { slot: Slot::ZERO, number: 1 });
    assert!(matches!(refused, ChangeReply::Refused { again: false, .. }), "{refused:?}");
}
