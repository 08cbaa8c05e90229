//! One connection to one node.

use crate::kv::{ClientReply, ClientRequest, Command, Txn};
use crate::paxos::Change;
use crate::shell::status::NodeStatus;
use crate::wire::members::{self, ChangeReply};
use crate::wire::{Frame, FrameReader, Kind, client};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::codec::FramedRead;

/// Requests that may wait to be written; a caller beyond them waits.
const QUEUED_MAX: usize = 256;

/// Requests are gathered up to this before they are written, and answers read in pieces of it: one
/// system call for as many as there are.
const IO_BYTES: usize = 64 << 10;

/// Why a call has no reply.
#[derive(Clone, Eq, PartialEq, Debug, thiserror::Error)]
pub enum CallError {
    /// Not a byte of it has left: it did not happen.
    #[error("not sent: {0}")]
    NotSent(String),
    /// The connection ended before the reply: it may have happened.
    #[error("{0}")]
    Lost(String),
}

/// A connection with any number of calls under way. Dropping it closes it.
#[derive(Debug)]
pub struct Connection {
    cluster: u64,
    queue: mpsc::Sender<Bytes>,
    waiting: Arc<Mutex<Waiting>>,
    tasks: [JoinHandle<()>; 2],
}

/// Who waits for which answer.
#[derive(Debug, Default)]
struct Waiting {
    next_id: u64,
    calls: BTreeMap<u64, oneshot::Sender<Frame>>,
    /// Why the connection ended, once it has.
    ended: Option<String>,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// If nobody listens there. Whether it is a node, and of this cluster, the first call shows.
    pub async fn open(address: SocketAddr, cluster: u64) -> io::Result<Connection> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (read, write) = stream.into_split();
        let waiting = Arc::new(Mutex::new(Waiting::default()));
        let (queue, queued) = mpsc::channel(QUEUED_MAX);
        let reader = tokio::spawn(read_answers(read, cluster, Arc::clone(&waiting)));
        let writer = tokio::spawn(write_frames(write, queued, Arc::clone(&waiting)));
        Ok(Connection { cluster, queue, waiting, tasks: [reader, writer] })
    }

    /// Whether the connection still stood when last heard of.
    #[must_use]
    pub fn is_open(&self) -> bool {
        lock(&self.waiting).ended.is_none()
    }

    /// Asks for one command and waits for the node's answer, for as long as it takes. A caller
    /// that stops waiting leaves the fate of its command unknown.
    ///
    /// # Errors
    /// [`CallError`], which tells whether the command may have happened.
    pub async fn call(&self, command: Command) -> Result<ClientReply, CallError> {
        self.ask(command, false).await
    }

    /// The same for a transaction that only reads, from the state of the node at the other end: what that
    /// has, stale as it may be.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn call_local(&self, txn: Txn) -> Result<ClientReply, CallError> {
        self.ask(Command::Execute { request: None, txn }, true).await
    }

    async fn ask(&self, command: Command, local: bool) -> Result<ClientReply, CallError> {
        let encode = |out: &mut BytesMut, id| {
            let request = ClientRequest { id, command, local };
            client::encode_request(out, self.cluster, &request).map_err(|error| error.to_string())
        };
        let answer = self.exchange(encode).await?;
        if answer.header.kind != Kind::ClientReply {
            return Err(CallError::Lost(format!("answered with {}", answer.header.kind.name())));
        }
        client::decode_reply(&answer).map_err(|error| CallError::Lost(format!("reply unreadable: {error}")))
    }

    /// Asks for a change of the members, and waits for what becomes of it.
    ///
    /// # Errors
    /// [`CallError`]: it may have happened. To ask again does no harm.
    pub async fn change(&self, change: &Change) -> Result<ChangeReply, CallError> {
        let encode = |out: &mut BytesMut, id| {
            members::encode_change(out, self.cluster, id, change).map_err(|error| error.to_string())
        };
        let answer = self.exchange(encode).await?;
        if answer.header.kind != Kind::ChangeReply {
            return Err(CallError::Lost(format!("answered with {}", answer.header.kind.name())));
        }
        members::decode_change_reply(&answer)
            .map_err(|error| CallError::Lost(format!("reply unreadable: {error}")))
    }

    /// Asks the node how it is.
    ///
    /// # Errors
    /// [`CallError`]; also if the answer is none.
    pub async fn status(&self) -> Result<NodeStatus, CallError> {
        let encode = |out: &mut BytesMut, id| {
            client::encode_status_request(out, self.cluster, id);
            Ok(())
        };
        let answer = self.exchange(encode).await?;
        if answer.header.kind != Kind::StatusReply {
            return Err(CallError::Lost(format!("answered with {}", answer.header.kind.name())));
        }
        serde_json::from_slice(&answer.body)
            .map_err(|error| CallError::Lost(format!("status unreadable: {error}")))
    }

    async fn exchange(
        &self,
        encode: impl FnOnce(&mut BytesMut, u64) -> Result<(), String>,
    ) -> Result<Frame, CallError> {
        let room = self.queue.reserve().await;
        let (answer, answered) = oneshot::channel();
        let call = {
            let mut waiting = lock(&self.waiting);
            let room = match (room, &waiting.ended) {
                (Ok(room), None) => room,
                (_, ended) => {
                    return Err(CallError::NotSent(ended.clone().unwrap_or("connection closed".to_owned())));
                }
            };
            waiting.next_id += 1;
            let id = waiting.next_id;
            let mut frame = BytesMut::new();
            encode(&mut frame, id).map_err(CallError::NotSent)?;
            waiting.calls.insert(id, answer);
            room.send(frame.freeze());
            Call { waiting: &self.waiting, id }
        };
        let answer = answered.await;
        drop(call);
        answer.map_err(|_| {
            CallError::Lost(lock(&self.waiting).ended.clone().unwrap_or("connection lost".to_owned()))
        })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// A call under way; whoever stops waiting takes its entry along.
struct Call<'a> {
    waiting: &'a Mutex<Waiting>,
    id: u64,
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        lock(self.waiting).calls.remove(&self.id);
    }
}

async fn read_answers(read: OwnedReadHalf, cluster: u64, waiting: Arc<Mutex<Waiting>>) {
    let mut frames = FramedRead::with_capacity(read, FrameReader::new(), IO_BYTES);
    let reason = loop {
        let frame = match frames.next().await {
            Some(Ok(frame)) if frame.header.kind == Kind::Error => {
                break format!("the node refuses: {}", client::decode_error(&frame));
            }
            Some(Ok(frame)) => match frame.of_cluster(cluster) {
                Ok(frame) => frame,
                Err(error) => break error.to_string(),
            },
            Some(Err(error)) => break error.to_string(),
            None => break "the node closed the connection".to_owned(),
        };
        let call = lock(&waiting).calls.remove(&frame.header.message_id);
        // An answer that nobody waits for any more is no error.
        let _ = call.map(|call| call.send(frame));
    };
    end(&waiting, reason);
}

async fn write_frames(
    mut write: OwnedWriteHalf,
    mut queued: mpsc::Receiver<Bytes>,
    waiting: Arc<Mutex<Waiting>>,
) {
    let mut buffer = BytesMut::with_capacity(IO_BYTES);
    while let Some(frame) = queued.recv().await {
        buffer.extend_from_slice(&frame);
        while buffer.len() < IO_BYTES
            && let Ok(frame) = queued.try_recv()
        {
            buffer.extend_from_slice(&frame);
        }
        if let Err(error) = write.write_all_buf(&mut buffer).await {
            // The reader may know the reason, and still finds out by itself.
            end(&waiting, format!("connection lost: {error}"));
            return;
        }
    }
}

/// The first reason counts; everybody who waits is let go.
fn end(waiting: &Mutex<Waiting>, reason: String) {
    let mut waiting = lock(waiting);
    waiting.ended.get_or_insert(reason);
    waiting.calls.clear();
}

fn lock(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}
