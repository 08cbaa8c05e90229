//! The log's own thread: natural group commit.
//!
//! While one fdatasync runs, whatever is submitted queues up; all of it goes into the next batch.
//! An idle disk so answers at once, a busy one is asked for fewer and larger writes, and there is
//! no timer to tune.
//!
//! **Back-pressure.** The queue is bounded by bytes. [`LogThread::submit`] waits for room,
//! [`LogThread::try_submit`] hands the records back, [`LogThread::backlog_bytes`] lets a node
//! refuse work before it comes to that. Waiting can't deadlock: the thread that makes room waits
//! for nobody but the disk. That is the one duty of the completion callback: *it must not wait
//! for whoever submits*. Setting a watch channel's value is fine (only the latest LSN matters); a
//! blocking send into a bounded queue that the submitter drains is not.

use super::{Disk, Wal, WalError};
use crate::mutants;
use crate::paxos::{Lsn, Record};
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// Told after each batch how far the log is durable, in ascending order; or, once and last, what
/// failed. Runs on the log's thread and must not wait for whoever submits.
pub type Completion = Box<dyn FnMut(Result<Lsn, WalError>) + Send>;

/// How much may queue up, and how much goes into one write.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Limits {
    /// Bytes that may wait for the disk. A submission larger than this is taken when the queue is
    /// empty.
    pub queue_bytes: usize,
    /// Bytes after which a batch takes no further record.
    pub group_bytes: usize,
}

impl Default for Limits {
    /// 64 MiB may wait: some seconds of a slow disk's work. 4 MiB go into a batch: beyond that a
    /// larger write gains no throughput and costs everyone in it latency.
    fn default() -> Self {
        Limits { queue_bytes: 64 << 20, group_bytes: 4 << 20 }
    }
}

/// A handle to the log's thread. Dropping it flushes what was submitted, then ends the thread and
/// waits for it.
#[derive(Debug)]
pub struct LogThread {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    queue_bytes_max: usize,
}

/// The log's thread takes nothing more: it failed (its completion callback was told why), or it
/// is being ended. The records come back.
#[derive(Debug, thiserror::Error)]
#[error("the log's thread has stopped")]
pub struct LogStopped(pub Vec<Record>);

/// Why [`LogThread::try_submit`] took nothing. The records come back.
#[derive(Debug, thiserror::Error)]
pub enum TrySubmitError {
    /// The disk is behind by as much as may queue up.
    #[error("the log's queue is full")]
    Full(Vec<Record>),
    /// As [`LogStopped`].
    #[error("the log's thread has stopped")]
    Stopped(Vec<Record>),
}

impl LogThread {
    /// Starts the thread. The first record submitted gets the LSN after the last one in `wal`.
    ///
    /// # Errors
    /// If the system has no thread left.
    pub fn spawn<D>(wal: Wal<D>, completion: Completion) -> io::Result<LogThread>
    where
        D: Disk + Send + 'static,
    {
        Self::spawn_limited(wal, completion, Limits::default())
    }

    /// As [`LogThread::spawn`], with limits of one's own.
    ///
    /// # Errors
    /// If the system has no thread left.
    pub fn spawn_limited<D>(wal: Wal<D>, completion: Completion, limits: Limits) -> io::Result<LogThread>
    where
        D: Disk + Send + 'static,
    {
        let shared = Arc::new(Shared::default());
        shared.lock().submitted = wal.written();
        let worker = Worker { shared: Arc::clone(&shared), group_bytes_max: limits.group_bytes.max(1) };
        let thread = std::thread::Builder::new()
            .name("wal".to_owned())
            .spawn(mutants::carried(move || worker.run(wal, completion)))?;
        Ok(LogThread { shared, thread: Some(thread), queue_bytes_max: limits.queue_bytes })
    }

    /// Queues records, waiting for room while the queue is full, and returns the LSN that the
    /// last of them has.
    ///
    /// Records of one submission may end up in several batches: a crash can keep the first of
    /// them and lose the rest, but never the other way round.
    ///
    /// # Errors
    /// [`LogStopped`] with the records, if they will never be written.
    pub fn submit(&self, records: Vec<Record>) -> Result<Lsn, LogStopped> {
        let bytes = queued_bytes(&records);
        let mut queue = self.shared.lock();
        while !queue.closed && !self.has_room(&queue, bytes) {
            queue.submitters_waiting = true;
            queue = self.shared.room.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        if queue.closed {
            return Err(LogStopped(records));
        }
        Ok(self.push(queue, records, bytes))
    }

    /// As [`LogThread::submit`], but hands the records back instead of waiting.
    ///
    /// # Errors
    /// [`TrySubmitError`] with the records.
    pub fn try_submit(&self, records: Vec<Record>) -> Result<Lsn, TrySubmitError> {
        let bytes = queued_bytes(&records);
        let queue = self.shared.lock();
        if queue.closed {
            return Err(TrySubmitError::Stopped(records));
        }
        if !self.has_room(&queue, bytes) {
            return Err(TrySubmitError::Full(records));
        }
        Ok(self.push(queue, records, bytes))
    }

    /// Bytes that wait for the disk, the batch being written not among them.
    #[must_use]
    pub fn backlog_bytes(&self) -> usize {
        self.shared.lock().bytes
    }

    /// Anything fits into an empty queue: else what is larger than the bound would wait forever.
    fn has_room(&self, queue: &Queue, bytes: usize) -> bool {
        queue.bytes == 0 || queue.bytes + bytes <= self.queue_bytes_max
    }

    fn push(&self, mut queue: MutexGuard<'_, Queue>, records: Vec<Record>, bytes: usize) -> Lsn {
        queue.submitted = Lsn(queue.submitted.0 + records.len() as u64);
        queue.bytes += bytes;
        queue.records.extend(records);
        let submitted = queue.submitted;
        // The thread looks into the queue before it waits. While it writes nobody need be woken, and a
        // thread that is woken with the lock still held only goes to sleep again.
        let idle = std::mem::take(&mut queue.worker_waits);
        drop(queue);
        if idle {
            self.shared.work.notify_one();
        }
        submitted
    }
}

impl Drop for LogThread {
    fn drop(&mut self) {
        self.shared.close();
        if let Some(thread) = self.thread.take() {
            // A panic over there has been reported there; a second one here would only hide it.
            let _ = thread.join();
        }
    }
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    /// There are records to write, or the queue was closed.
    work: Condvar,
    /// There is room in the queue, or it was closed.
    room: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    records: VecDeque<Record>,
    bytes: usize,
    /// The LSN of the last record ever queued.
    submitted: Lsn,
    /// Nothing more is taken; what is queued is still written unless the disk failed.
    closed: bool,
    /// The thread waits for records and has not been woken yet.
    worker_waits: bool,
    /// Somebody waits for room and has not been woken yet.
    submitters_waiting: bool,
}

impl Shared {
    /// No code panics while it holds the lock, so a poisoned one is as good as any.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        self.lock().closed = true;
        self.work.notify_all();
        self.room.notify_all();
    }
}

struct Worker {
    shared: Arc<Shared>,
    group_bytes_max: usize,
}

/// However the thread ends, by an error or a panic of the callback, nobody may wait for it.
impl Drop for Worker {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl Worker {
    fn run<D: Disk>(self, mut wal: Wal<D>, mut completion: Completion) {
        while let Some(group) = self.next_group() {
            let result = wal.write(&group).and_then(|_| wal.sync());
            let failed = result.is_err();
            completion(result);
            if failed {
                return;
            }
        }
        // Nobody waits for this: without it the next recovery just knows less.
        if let Err(error) = wal.close() {
            completion(Err(error));
        }
    }

    /// Waits for records and takes as many as go into one batch; `None` at the end of all.
    fn next_group(&self) -> Option<Vec<Record>> {
        let mut queue = self.shared.lock();
        while queue.records.is_empty() {
            if queue.closed {
                return None;
            }
            queue.worker_waits = true;
            queue = self.shared.work.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        let mut group = Vec::new();
        let mut bytes = 0;
        while bytes < self.group_bytes_max
            && let Some(record) = queue.records.pop_front()
        {
            bytes += super::record::encoded_len(&record);
            group.push(record);
        }
        queue.bytes -= bytes;
        // A system call even if nobody hears it: not for each write.
        let crowded = std::mem::take(&mut queue.submitters_waiting);
        drop(queue);
        if crowded {
            self.shared.room.notify_all();
        }
        Some(group)
    }
}

fn queued_bytes(records: &[Record]) -> usize {
    records.iter().map(super::record::encoded_len).sum()
}
