//! What the clients of a stage ask, and what they are told.

use super::{Call, LIST, Stage};
use bytes::Bytes;
use paxos_node::kv::{
    ClientReply, ClientRequest, ClientResult, Command, Reply, RequestId, SessionId, Txn, TxnOp, TxnOutcome,
};
use paxos_node::service::ClientToken;
use paxos_node::sim::Told;

impl Stage {
    /// A client asks this node to append to the list.
    pub(crate) fn append(&mut self, node: u16, item: &str) -> Call {
        self.ask(node, vec![append(item)], None)
    }

    /// The same in a session, under a number.
    pub(crate) fn append_as(&mut self, node: u16, session: SessionId, sequence: u64, item: &str) -> Call {
        self.ask(node, vec![append(item)], Some(RequestId { session, sequence }))
    }

    /// A client asks this node to put so many bytes under another key.
    pub(crate) fn put(&mut self, node: u16, key: &str, bytes: usize) -> Call {
        let (key, value) = (Bytes::copy_from_slice(key.as_bytes()), Bytes::from(vec![b'.'; bytes]));
        self.ask(node, vec![TxnOp::Put { key, value }], None)
    }

    /// A client asks this node to make an absent register hold a value.
    pub(crate) fn put_if_absent(&mut self, node: u16, value: &str) -> Call {
        let (key, value) = (Bytes::from_static(b"register"), Bytes::copy_from_slice(value.as_bytes()));
        self.ask(node, vec![TxnOp::Cas { key, expect: None, value }], None)
    }

    /// A client asks this node for the list.
    pub(crate) fn read(&mut self, node: u16) -> Call {
        self.ask(node, vec![TxnOp::Get { key: Bytes::from_static(LIST) }], None)
    }

    /// A client opens a session at this leader; everybody takes part.
    pub(crate) fn open_session(&mut self, leader: u16) -> SessionId {
        self.send(leader, Command::OpenSession { nonce: 1 }, None);
        self.run(&self.everybody());
        self.opened.take().expect("a session, before anything goes wrong")
    }

    /// The client stops listening: whatever it was or would be told, it does not hear.
    pub(crate) fn hang_up(&mut self, call: Call) {
        self.listening.retain(|_, of| *of != Some(call));
    }

    /// The client asks the same again, under the same name, on a new connection.
    pub(crate) fn retry(&mut self, node: u16, call: Call) {
        let asked = &self.history.calls()[call];
        let command = Command::Execute { request: asked.request, txn: asked.txn.clone() };
        self.send(node, command, Some(call));
    }

    /// What the client was told, if anything yet.
    pub(crate) fn told(&self, call: Call) -> Option<&Told> {
        self.history.calls()[call].completed.as_ref().map(|(_, told)| told)
    }

    /// Whether the client was told that it happened.
    pub(crate) fn is_done(&self, call: Call) -> bool {
        matches!(self.told(call), Some(Told::Ok(_, TxnOutcome::Done(_))))
    }

    fn ask(&mut self, node: u16, ops: Vec<TxnOp>, request: Option<RequestId>) -> Call {
        let txn = Txn { ops };
        let client = u32::try_from(self.history.calls().len()).expect("a short story");
        let call = self.history.invoke(client, txn.clone(), request);
        self.send(node, Command::Execute { request, txn }, Some(call));
        call
    }

    fn send(&mut self, node: u16, command: Command, call: Option<Call>) {
        self.connections += 1;
        let client = ClientToken(self.connections);
        self.listening.insert(client, call);
        self.act(node, |service| service.client(client, ClientRequest { id: 1, command, local: false }));
    }

    pub(super) fn answered(&mut self, client: ClientToken, reply: ClientReply) {
        let Some(call) = self.listening.remove(&client) else { return };
        let told = match reply.result {
            ClientResult::Reply(Reply::SessionOpened(session)) => {
                self.opened = Some(session);
                return;
            }
            ClientResult::Reply(Reply::Outcome(outcome)) => Told::Ok(reply.slot, outcome),
            ClientResult::Reply(Reply::SessionExpired | Reply::Superseded) | ClientResult::Unknown(_) => {
                Told::Unknown
            }
            ClientResult::Stale(outcome) => Told::Stale(reply.slot, outcome),
            ClientResult::Failed(_) => Told::Failed,
        };
        if let Some(call) = call.filter(|call| self.told(*call).is_none()) {
            self.history.complete(call, told);
        }
    }
}

fn append(item: &str) -> TxnOp {
    TxnOp::Append { key: Bytes::from_static(LIST), value: Bytes::copy_from_slice(item.as_bytes()) }
}
