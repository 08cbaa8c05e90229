//! Real `paxos-node` processes for tests, on ports that nobody had to choose.
//!
//! A node must know its peers' addresses before those have a port, and keep them over restarts.
//! So each node has a forwarder: a listener with an address for good, which passes connections on
//! to wherever the node announced itself last.

use bytes::Bytes;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use paxos_node::client::{Client, Connection, Patience};
use paxos_node::kv::{OpResult, Txn, TxnOp, TxnOutcome};
use paxos_node::shell::status::NodeStatus;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

pub(crate) const CLUSTER: u64 = 77;

/// What takes longer than this has failed. Far more than anything needs, even on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// Waits until `probe` yields something, and fails the test when that takes too long.
pub(crate) async fn eventually<T>(what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = probe().await {
            return found;
        }
        assert!(start.elapsed() < DEADLINE, "no {what} within {DEADLINE:?}");
        sleep(Duration::from_millis(5)).await;
    }
}

/// A node's stable address.
pub(crate) struct Forwarder {
    pub(crate) address: SocketAddr,
    upstream: Arc<Mutex<Option<SocketAddr>>>,
}

impl Forwarder {
    async fn start() -> Forwarder {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let upstream = Arc::new(Mutex::new(None));
        let current = Arc::clone(&upstream);
        tokio::spawn(async move {
            loop {
                let (mut from, _) = listener.accept().await.unwrap();
                let upstream: Option<SocketAddr> = *current.lock().unwrap();
                tokio::spawn(async move {
                    // Nobody there: dropping the connection says so.
                    let Ok(mut to) = TcpStream::connect(upstream?).await else { return None };
                    from.set_nodelay(true).and(to.set_nodelay(true)).ok()?;
                    tokio::io::copy_bidirectional(&mut from, &mut to).await.ok()
                });
            }
        });
        Forwarder { address, upstream }
    }
}

/// One node's place: its folder, and its process while it has one.
pub(crate) struct Node {
    pub(crate) id: u16,
    /// The cluster it takes itself to be in.
    pub(crate) cluster: u64,
    /// It joined a cluster that was there.
    joins: bool,
    folder: PathBuf,
    pub(crate) forwarder: Forwarder,
    child: Option<Child>,
}

impl Node {
    async fn new(id: u16, folder: PathBuf) -> Node {
        let forwarder = Forwarder::start().await;
        Node { id, cluster: CLUSTER, joins: false, folder, forwarder, child: None }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn announce(&self) -> PathBuf {
        self.folder.join("announce")
    }

    /// Everything it ever wrote to stderr.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    fn log_file(&self) -> File {
        File::options().create(true).append(true).open(self.folder.join("log")).unwrap()
    }

    /// SIGKILL, and the process is gone.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        *self.forwarder.upstream.lock().unwrap() = None;
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("a signal to a running node");
        kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
    }

    /// Whether the process has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.as_mut().expect("a node that was started").try_wait().unwrap().is_some()
    }

    /// Waits for the process to end by itself.
    pub(crate) async fn exited(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("a running node");
        let status = eventually("exit", async || child.try_wait().unwrap()).await;
        *self.forwarder.upstream.lock().unwrap() = None;
        status
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("---- log of n{}:\n{}", self.id, self.log());
        }
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A cluster of real processes; they go when it does.
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Node>,
    /// Arguments for every node, besides what it needs.
    pub(crate) arguments: Vec<&'static str>,
    folder: tempfile::TempDir,
}

impl Cluster {
    /// A cluster of `size`, none of it running.
    pub(crate) async fn new(size: u16) -> Cluster {
        let folder = tempfile::tempdir().unwrap();
        let mut nodes = Vec::new();
        for id in 1..=size {
            let folder = folder.path().join(format!("n{id}"));
            fs::create_dir(&folder).unwrap();
            nodes.push(Node::new(id, folder).await);
        }
        Cluster { nodes, arguments: Vec::new(), folder }
    }

    /// A cluster of `size`, all of it running.
    pub(crate) async fn started(size: u16) -> Cluster {
        let mut cluster = Cluster::new(size).await;
        cluster.start_all().await;
        cluster
    }

    pub(crate) async fn start_all(&mut self) {
        for index in 0..self.nodes.len() {
            self.start(index).await;
        }
    }

    /// A node under the next id that joins those that are there, running; returns its index.
    pub(crate) async fn join(&mut self) -> usize {
        let index = self.nodes.len();
        let id = u16::try_from(index + 1).unwrap();
        let folder = self.folder.path().join(format!("n{id}"));
        fs::create_dir(&folder).unwrap();
        let mut node = Node::new(id, folder).await;
        node.joins = true;
        self.nodes.push(node);
        self.start(index).await;
        index
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The arguments of a node.
    pub(crate) fn command(&self, index: usize) -> Command {
        let node = &self.nodes[index];
        let peers: Vec<String> = self
            .nodes
            .iter()
            .filter(|peer| peer.id != node.id)
            .map(|peer| format!("{}={}", peer.id, peer.forwarder.address))
            .collect();
        let mut command = Command::new(env!("CARGO_BIN_EXE_paxos-node"));
        command.args(["--id", &node.id.to_string(), "--cluster", &node.cluster.to_string()]);
        command.arg("--data").arg(node.data()).arg("--announce").arg(node.announce());
        command.args(&self.arguments);
        if node.joins {
            command.arg("--join");
        }
        if !peers.is_empty() {
            command.arg("--peers").arg(peers.join(","));
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(node.log_file());
        command
    }

    /// Starts a node and waits until it serves.
    pub(crate) async fn start(&mut self, index: usize) {
        self.spawn(index);
        self.announced(index).await;
    }

    /// As `start`, in a shell that has done something first.
    pub(crate) async fn start_under(&mut self, index: usize, preparation: &str) {
        let _ = fs::remove_file(self.nodes[index].announce());
        let node = self.command(index);
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("{preparation}; exec \"$0\" \"$@\""));
        command.arg(node.get_program()).args(node.get_args());
        let node = &mut self.nodes[index];
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(node.log_file());
        node.child = Some(command.spawn().unwrap());
        self.announced(index).await;
    }

    /// Waits until a node that was spawned serves.
    pub(crate) async fn announced(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        let announce = node.announce();
        let child = node.child.as_mut().unwrap();
        let address = eventually("announcement", async || {
            if let Some(status) = child.try_wait().unwrap() {
                panic!("the node ended at its start: {status}");
            }
            fs::read_to_string(&announce).ok()?.parse().ok()
        })
        .await;
        *node.forwarder.upstream.lock().unwrap() = Some(address);
    }

    /// Starts a node and doesn't wait.
    pub(crate) fn spawn(&mut self, index: usize) {
        let _ = fs::remove_file(self.nodes[index].announce());
        let child = self.command(index).spawn().unwrap();
        self.nodes[index].child = Some(child);
    }

    /// A client that knows all nodes and asks the given one first.
    pub(crate) fn client(&self, first: usize) -> Client {
        let count = self.nodes.len();
        let addresses = (0..count).map(|offset| self.nodes[(first + offset) % count].forwarder.address);
        let patience = Patience { attempt: Duration::from_secs(2), request: DEADLINE };
        Client::new(CLUSTER, addresses.collect(), patience)
    }

    /// What a node says of itself; `None` while it says nothing.
    pub(crate) async fn status(&self, index: usize) -> Option<NodeStatus> {
        let connection = Connection::open(self.nodes[index].forwarder.address, CLUSTER).await.ok()?;
        tokio::time::timeout(Duration::from_secs(1), connection.status()).await.ok()?.ok()
    }

    /// The node that leads, once one of them does.
    pub(crate) async fn leader(&self) -> usize {
        eventually("leader", async || {
            for index in 0..self.nodes.len() {
                if self.status(index).await.is_some_and(|status| status.service.role == "leader") {
                    return Some(index);
                }
            }
            None
        })
        .await
    }
}

pub(crate) fn key(name: &str) -> Bytes {
    Bytes::copy_from_slice(name.as_bytes())
}

pub(crate) fn txn(op: TxnOp) -> Txn {
    Txn { ops: vec![op] }
}

pub(crate) fn put(name: &str, value: &str) -> Txn {
    txn(TxnOp::Put { key: key(name), value: key(value) })
}

pub(crate) fn get(name: &str) -> Txn {
    txn(TxnOp::Get { key: key(name) })
}

/// The only result of a transaction that must have been done.
pub(crate) async fn must(client: &mut Client, txn: Txn) -> OpResult {
    match client.execute(txn).await.expect("an answer in time").outcome {
        TxnOutcome::Done(mut results) if results.len() == 1 => results.remove(0),
        other => panic!("not done: {other:?}"),
    }
}
