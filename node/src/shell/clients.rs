//! The clients connected to this node: for each a bounded queue of answers and a task that
//! writes them.
//!
//! A client may have [`IN_FLIGHT_MAX`] requests under way; beyond that its connection is not
//! read from until it has taken answers off. So the queue of answers never overflows, and a
//! client that doesn't read stalls itself alone.

use crate::kv::{ClientReply, ClientResult, UnknownReason};
use crate::paxos::NodeId;
use crate::service::ClientToken;
use crate::wire::client;
use crate::wire::members::{self, ChangeReply};
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

/// Clients at a time. Fewer than the connections in all, so that clients can't lock peers out.
const CLIENTS_MAX: usize = 896;

/// Requests that one client may have under way.
pub(super) const IN_FLIGHT_MAX: usize = 256;

/// Answers to everything in flight, and the last word.
const ANSWERS_QUEUED_MAX: usize = IN_FLIGHT_MAX + 2;

/// A client that takes nothing off for this long is given up.
const WRITE_WAIT: Duration = Duration::from_secs(30);

/// How long a stopping node waits for its clients to take their last answers.
const FLUSH_WAIT: Duration = Duration::from_secs(1);

/// Answers are gathered up to this before they are written.
const WRITE_BYTES: usize = 64 << 10;

/// What is written to a client.
#[derive(Debug)]
pub(super) enum Answer {
    /// To a request.
    Reply(ClientReply),
    /// To a change of the members.
    Change { id: u64, reply: ChangeReply },
    /// To a status question.
    Status { id: u64, json: Bytes },
    /// Why the connection is closed; the last.
    Refusal(String),
    /// The node stops; the last.
    Close,
}

/// A client, as its reading task sees it.
#[derive(Debug)]
pub(super) struct Connected {
    /// Its name.
    pub(super) client: ClientToken,
    /// One permit for each request that may still come.
    pub(super) in_flight: Arc<Semaphore>,
    /// Its queue of answers.
    pub(super) answers: mpsc::Sender<Answer>,
}

/// All clients.
#[derive(Debug)]
pub(super) struct Clients {
    cluster: u64,
    id: NodeId,
    registry: Mutex<Registry>,
}

#[derive(Debug, Default)]
struct Registry {
    next: u64,
    queues: BTreeMap<ClientToken, Queue>,
    writers: JoinSet<()>,
}

/// The way to one client, and the task at its end.
#[derive(Debug)]
struct Queue {
    answers: mpsc::Sender<Answer>,
    writer: AbortHandle,
}

impl Clients {
    /// No clients yet.
    pub(super) fn new(cluster: u64, id: NodeId) -> Clients {
        Clients { cluster, id, registry: Mutex::default() }
    }

    /// Takes a client in, and starts to write its answers; the write half comes back if there
    /// are too many.
    pub(super) fn admit(&self, write: OwnedWriteHalf) -> Result<Connected, OwnedWriteHalf> {
        let mut registry = self.lock();
        while registry.writers.try_join_next().is_some() {}
        if registry.queues.len() >= CLIENTS_MAX {
            return Err(write);
        }
        registry.next += 1;
        let client = ClientToken(registry.next);
        let (answers, queue) = mpsc::channel(ANSWERS_QUEUED_MAX);
        let in_flight = Arc::new(Semaphore::new(IN_FLIGHT_MAX));
        let writer = Writer { cluster: self.cluster, id: self.id, write, in_flight: Arc::clone(&in_flight) };
        let writer = registry.writers.spawn(writer.run(queue));
        registry.queues.insert(client, Queue { answers: answers.clone(), writer });
        Ok(Connected { client, in_flight, answers })
    }

    /// Queues an answer; one for a client that has gone is dropped.
    pub(super) fn reply(&self, client: ClientToken, reply: ClientReply) {
        self.answer(client, Answer::Reply(reply));
    }

    /// The same for any answer.
    pub(super) fn answer(&self, client: ClientToken, answer: Answer) {
        let mut registry = self.lock();
        let Some(queue) = registry.queues.get(&client) else { return };
        if queue.answers.try_send(answer).is_err() {
            // Gone without saying so, or answered more often than it asked. Its reader notices.
            queue.writer.abort();
            registry.queues.remove(&client);
        }
    }

    /// Forgets a client. What is queued for it is still written.
    pub(super) fn remove(&self, client: ClientToken) {
        self.lock().queues.remove(&client);
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.lock().queues.len()
    }

    /// Writes what is queued, closes all connections, and waits for that, but not for long.
    pub(super) async fn close(&self) {
        let registry = std::mem::take(&mut *self.lock());
        for queue in registry.queues.values() {
            let _ = queue.answers.try_send(Answer::Close);
        }
        let mut writers = registry.writers;
        let _ = timeout(FLUSH_WAIT, async { while writers.join_next().await.is_some() {} }).await;
    }

    fn lock(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes one client's answers.
struct Writer {
    cluster: u64,
    id: NodeId,
    write: OwnedWriteHalf,
    in_flight: Arc<Semaphore>,
}

impl Writer {
    /// Until the queue ends, the last word is said, or the client is gone.
    async fn run(mut self, mut queue: mpsc::Receiver<Answer>) {
        let mut buffer = BytesMut::with_capacity(WRITE_BYTES);
        while let Some(answer) = queue.recv().await {
            let mut answered = 0;
            let mut last = !self.encode(&mut buffer, answer, &mut answered);
            while !last
                && buffer.len() < WRITE_BYTES
                && let Ok(answer) = queue.try_recv()
            {
                last = !self.encode(&mut buffer, answer, &mut answered);
            }
            match timeout(WRITE_WAIT, self.write.write_all_buf(&mut buffer)).await {
                Ok(Ok(())) => self.in_flight.add_permits(answered),
                Ok(Err(_)) | Err(_) => return,
            }
            if last {
                let _ = self.write.shutdown().await;
                return;
            }
            if buffer.capacity() > 4 * WRITE_BYTES {
                buffer = BytesMut::with_capacity(WRITE_BYTES);
            }
        }
    }

    /// Appends an answer. `false` if nothing may follow it.
    fn encode(&self, buffer: &mut BytesMut, answer: Answer, answered: &mut usize) -> bool {
        match answer {
            Answer::Reply(reply) => {
                *answered += 1;
                if client::encode_reply(buffer, self.cluster, self.id, &reply).is_err() {
                    // It happened, for all the client may know: its answer doesn't fit a frame.
                    let result = ClientResult::Unknown(UnknownReason::Refused);
                    let reply = ClientReply { result, ..reply };
                    return client::encode_reply(buffer, self.cluster, self.id, &reply).is_ok();
                }
                true
            }
            Answer::Change { id, reply } => {
                *answered += 1;
                members::encode_change_reply(buffer, self.cluster, self.id, id, &reply).is_ok()
            }
            Answer::Status { id, json } => {
                *answered += 1;
                client::encode_status_reply(buffer, self.cluster, self.id, id, &json).is_ok()
            }
            Answer::Refusal(reason) => {
                client::encode_error(buffer, self.cluster, self.id, &reason);
                false
            }
            Answer::Close => false,
        }
    }
}
