//! The service without a shell: what it tells clients.

use bytes::Bytes;
use paxos_node::kv::{ClientRequest, ClientResult, Command, DefiniteError, Txn, TxnOp};
use paxos_node::paxos::{ElectionMode, NodeId, RoleName, Timing};
use paxos_node::service::{ClientToken, Config, Service};

fn alone() -> Service {
    let config = Config {
        cluster: 7,
        id: NodeId(1),
        nodes: vec![NodeId(1)],
        timing: Timing::default(),
        election: ElectionMode::Randomised,
        tick_ms: 10,
        incarnation: 1,
        snapshot_every_bytes: u64::MAX,
    };
    Service::new(config, &[], 1).unwrap()
}

fn put(id: u64) -> ClientRequest {
    let op = TxnOp::Put { key: Bytes::from_static(b"k"), value: Bytes::from_static(b"v") };
    ClientRequest { id, command: Command::Execute { request: None, txn: Txn { ops: vec![op] } } }
}

/// The network between clients and nodes may repeat a request. What was told to have failed must
/// not happen because a copy of it comes in when the node can serve. Found by simulation.
#[test]
fn a_copy_of_a_failed_request_does_not_happen() {
    let mut service = alone();
    let client = ClientToken(1);
    service.client(client, put(1));
    let told: Vec<_> = service.output().replies.into_iter().map(|(_, reply)| reply.result).collect();
    assert_eq!(told, [ClientResult::Failed(DefiniteError::NoLeader)]);

    let mut written = 0;
    while service.replica().role() != RoleName::Leader {
        service.tick();
        written += service.output().records.len() as u64;
        service.durable(paxos_node::paxos::Lsn(written));
    }
    let _ = service.output();
    service.client(client, put(1));
    let output = service.output();
    assert!(output.records.is_empty() && output.replies.is_empty(), "{output:?}");

    service.client(client, put(2));
    assert_eq!(service.output().records.len(), 1, "a new attempt has a new id");
}
