//! Our own node as the bench drives it: one session for each client, many on one connection.

use super::PaxosOptions;
use super::status;
use crate::bench::BenchError;
use crate::bench::contender::{Client, Contender, Line, Place, Standing};
use crate::process::CommandSpec;
use crate::system::SystemError;
use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, LocalBoxFuture};
use paxos_node::client::Connection;
use paxos_node::kv::{
    ClientReply, ClientResult, Command, OpResult, Reply, RequestId, SessionId, Txn, TxnOp, TxnOutcome,
};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::rc::Rc;

/// A cluster of `paxos-node`s with nothing between them.
#[derive(Clone, Debug)]
pub struct PaxosContender {
    name: String,
    options: PaxosOptions,
    /// Whether the binary must stem from the sources of this harness. One that is compared with it may
    /// be older, as long as it understands the same frames.
    own_sources: bool,
    /// Reads are answered by the node that is asked, stale as it may be.
    local_reads: bool,
}

impl PaxosContender {
    /// The node built from the same sources as this harness.
    #[must_use]
    pub fn new(options: PaxosOptions) -> PaxosContender {
        PaxosContender { name: "paxos".to_owned(), options, own_sources: true, local_reads: false }
    }

    /// Another build to compare with.
    #[must_use]
    pub fn other(options: PaxosOptions) -> PaxosContender {
        PaxosContender { name: "paxos-other".to_owned(), options, own_sources: false, local_reads: false }
    }
}

impl PaxosContender {
    /// The same, with reads that ask for no more than what a node has.
    #[must_use]
    pub fn with_local_reads(mut self) -> PaxosContender {
        self.local_reads = true;
        self
    }
}

impl Contender for PaxosContender {
    fn name(&self) -> &str {
        &self.name
    }

    fn version(&self) -> Result<String, BenchError> {
        let verified = super::binary::verify(&self.options.binary, None);
        match verified {
            Ok(info) => Ok(info.version),
            Err(SystemError::Stale { found, .. }) if !self.own_sources => {
                Ok(format!("paxos-node build {found}"))
            }
            Err(error) => Err(BenchError(error.to_string())),
        }
    }

    fn command(&self, place: &Place, all: &[Place]) -> CommandSpec {
        let mut args: Vec<OsString> = Vec::new();
        let mut flag = |name: &str, value: OsString| args.extend([name.into(), value]);
        flag("--id", place.node.to_string().into());
        flag("--cluster", self.options.cluster.to_string().into());
        flag("--data", place.data.clone().into());
        flag("--listen", place.address.to_string().into());
        let others = all.iter().filter(|other| other.node != place.node);
        let peers: Vec<String> = others.map(|other| format!("{}={}", other.node, other.address)).collect();
        if !peers.is_empty() {
            flag("--peers", peers.join(",").into());
        }
        if let Some(mode) = self.options.read_mode {
            flag("--read-mode", mode.name().into());
        }
        CommandSpec { program: self.options.binary.clone(), args }
    }

    fn standing<'a>(&'a self, place: &'a Place) -> BoxFuture<'a, Result<Standing, String>> {
        async {
            let status =
                status::ask(self.options.cluster, place.address).await.map_err(|error| error.to_string())?;
            Ok(Standing {
                leads: status.is_leader(),
                knows_leader: status.leader.is_some(),
                records: status.raw["lsn_durable"].as_u64(),
            })
        }
        .boxed()
    }

    fn connect(&self, address: SocketAddr) -> LocalBoxFuture<'_, Result<Rc<dyn Line>, String>> {
        let (cluster, local_reads) = (self.options.cluster, self.local_reads);
        async move {
            let connection = Connection::open(address, cluster).await.map_err(|error| error.to_string())?;
            let line: Rc<dyn Line> = Rc::new(PaxosLine { connection, local_reads });
            Ok(line)
        }
        .boxed_local()
    }
}

struct PaxosLine {
    connection: Connection,
    local_reads: bool,
}

impl Line for PaxosLine {
    fn client(self: Rc<Self>) -> LocalBoxFuture<'static, Result<Box<dyn Client>, String>> {
        async move {
            let reply = call(&self.connection, Command::OpenSession { nonce: 0 }).await?;
            let Reply::SessionOpened(session) = reply else {
                return Err(format!("no session: {reply:?}"));
            };
            let client: Box<dyn Client> = Box::new(PaxosClient { line: self, session, sequence: 0 });
            Ok(client)
        }
        .boxed_local()
    }

    fn is_open(&self) -> bool {
        self.connection.is_open()
    }

    fn put<'a>(&'a self, key: Bytes, value: Bytes) -> LocalBoxFuture<'a, Result<(), String>> {
        async move {
            let txn = Txn { ops: vec![TxnOp::Put { key, value }] };
            done(call(&self.connection, Command::Execute { request: None, txn }).await?).map(drop)
        }
        .boxed_local()
    }
}

impl PaxosLine {
    async fn read_local(&self, op: TxnOp) -> Result<Vec<OpResult>, String> {
        let reply = self.connection.call_local(Txn { ops: vec![op] }).await;
        match reply.map_err(|error| error.to_string())?.result {
            ClientResult::Stale(TxnOutcome::Done(results)) => Ok(results),
            other => Err(format!("a local read was answered with {other:?}")),
        }
    }
}

/// One session.
struct PaxosClient {
    line: Rc<PaxosLine>,
    session: SessionId,
    sequence: u64,
}

impl PaxosClient {
    async fn execute(&mut self, op: TxnOp) -> Result<Vec<OpResult>, String> {
        self.sequence += 1;
        let request = Some(RequestId { session: self.session, sequence: self.sequence });
        let command = Command::Execute { request, txn: Txn { ops: vec![op] } };
        done(call(&self.line.connection, command).await?)
    }
}

impl Client for PaxosClient {
    fn put<'a>(&'a mut self, key: Bytes, value: Bytes) -> LocalBoxFuture<'a, Result<(), String>> {
        async move { self.execute(TxnOp::Put { key, value }).await.map(drop) }.boxed_local()
    }

    fn get<'a>(&'a mut self, key: Bytes) -> LocalBoxFuture<'a, Result<usize, String>> {
        async move {
            let results = match self.line.local_reads {
                true => self.line.read_local(TxnOp::Get { key }).await?,
                false => self.execute(TxnOp::Get { key }).await?,
            };
            match results.as_slice() {
                [OpResult::Value(value)] => Ok(value.as_ref().map_or(0, Bytes::len)),
                other => Err(format!("a read was answered with {other:?}")),
            }
        }
        .boxed_local()
    }
}

async fn call(connection: &Connection, command: Command) -> Result<Reply, String> {
    match connection.call(command).await {
        Ok(ClientReply { result: ClientResult::Reply(reply), .. }) => Ok(reply),
        Ok(ClientReply { result: ClientResult::Stale(outcome), .. }) => Err(format!("stale: {outcome:?}")),
        Ok(ClientReply { result: ClientResult::Failed(error), .. }) => Err(error.to_string()),
        Ok(ClientReply { result: ClientResult::Unknown(reason), .. }) => Err(reason.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

fn done(reply: Reply) -> Result<Vec<OpResult>, String> {
    match reply {
        Reply::Outcome(TxnOutcome::Done(results)) => Ok(results),
        other => Err(format!("not done: {other:?}")),
    }
}
