//! The clients: slots that ask one operation at a time, open loop or closed.
//!
//! Slot `w` speaks with node `(w mod n) + 1` through that node's client proxy. It asks under a
//! process number, `w` at first; after an operation whose outcome nobody knows, the process is
//! retired (the operation may still take effect at any time, so a process that went on would be
//! doing two things at once) and the slot goes on as process `+ slots`, with a new connection.
//!
//! Open loop: arrivals are intended at their time, whoever is free; latency counts from there.
//! Closed loop: a slot asks as soon as it was answered.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use checker::{OpType, Process};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use workloads::{Context, Generator, Invocation, Next};

use super::arrivals::Arrivals;
use super::cluster::Cluster;
use super::recorder::{Event, Recorder};
use super::stop::{Stop, StopReason};
use super::{files, lock};
use crate::results::latency::Latencies;
use crate::system::{Connection, NodeId};

/// The longest wait for a connection. A cut link answers the handshake and nothing more.
const CONNECT_MAX: Duration = Duration::from_secs(1);
/// After a connection that could not be had: a slot whose node is down is always free, and would
/// otherwise swallow every arrival.
const REFUSED_PAUSE: Duration = Duration::from_millis(150);
/// After an answer "did not happen": the system just said that it can't now.
const FAILED_PAUSE: Duration = Duration::from_millis(20);
/// Before a generator that had nothing to ask is asked again.
const PENDING_PAUSE: Duration = Duration::from_millis(5);
/// How late a timer may be before an arrival is late: the resolution of the runtime's clock.
const ARRIVALS_TICK: Duration = Duration::from_millis(1);

/// What all clients share.
pub struct Load {
    cluster: Arc<Cluster>,
    recorder: Arc<Recorder>,
    generator: Mutex<Box<dyn Generator>>,
    latencies: Mutex<Latencies>,
    op_timeout: Duration,
    slots: usize,
    not_issued: AtomicU64,
    /// Tells the clients, and nobody else, to ask no more.
    quiet: Stop,
    /// Ends the run: only for a harness that can't go on.
    stop: Stop,
}

impl Load {
    /// Nothing is asked yet.
    pub fn new(
        cluster: Arc<Cluster>,
        recorder: Arc<Recorder>,
        generator: Box<dyn Generator>,
        slots: usize,
        op_timeout: Duration,
        stop: Stop,
    ) -> Arc<Load> {
        Arc::new(Load {
            cluster,
            recorder,
            generator: Mutex::new(generator),
            latencies: Mutex::default(),
            op_timeout,
            slots,
            not_issued: AtomicU64::new(0),
            quiet: Stop::default(),
            stop,
        })
    }

    /// Starts every slot; `rate` per second under an open loop. They ask until
    /// [`Running::finish`].
    pub fn start(self: &Arc<Load>, rate: Option<f64>, seed: u64) -> Running {
        let mut tasks = JoinSet::new();
        let arrivals = rate.map(|rate| {
            let (sender, receiver) = mpsc::channel(Arrivals::backlog_max(rate));
            tasks.spawn(Arc::clone(self).arrive(Arrivals::new(seed, rate, self.recorder.now_ns()), sender));
            Arc::new(tokio::sync::Mutex::new(receiver))
        });
        let nodes = self.cluster.ids();
        for slot in 0..self.slots {
            let client = Client::new(Arc::clone(self), slot as u64, nodes[slot % nodes.len()]);
            tasks.spawn(client.work(arrivals.clone()));
        }
        Running { load: Arc::clone(self), tasks }
    }

    /// Reads every key once more, by fresh processes, until each read succeeds or `patience` is
    /// over. Gives how many keys there are and how many were never read.
    pub async fn final_reads(self: &Arc<Load>, patience: Duration, stop: &Stop) -> (usize, usize) {
        let reads = self.generator().final_reads();
        let keys = reads.len();
        let left = Arc::new(Mutex::new(reads));
        let done = Arc::new(AtomicUsize::new(0));
        let nodes = self.cluster.ids();
        // No slot can have retired more processes than there were unknown outcomes.
        let first_process = (self.recorder.counts().unknown + 1) * self.slots as u64;
        let mut tasks = JoinSet::new();
        for slot in 0..self.slots {
            let (left, done, stop) = (Arc::clone(&left), Arc::clone(&done), stop.clone());
            let mut client =
                Client::new(Arc::clone(self), first_process + slot as u64, nodes[slot % nodes.len()]);
            tasks.spawn(async move {
                let next = || lock(&left).pop();
                while !stop.is_stopped()
                    && let Some(read) = next()
                {
                    let (outcome, pause) = client.perform(&read, None).await;
                    if outcome == OpType::Ok {
                        done.fetch_add(1, Ordering::Relaxed);
                    } else {
                        lock(&left).insert(0, read);
                        client.move_on();
                        stop.sleep(pause).await;
                    }
                }
            });
        }
        // Whoever is still at it then is dropped: its operation stays open, its key unread.
        tokio::select! {
            () = self.all_ended(&mut tasks) => {}
            () = stop.stopped() => {}
            () = tokio::time::sleep(patience) => {}
        }
        (keys, keys - done.load(Ordering::Relaxed))
    }

    /// Waits until all of these ended. One that panicked asked less than it should have: the
    /// harness has failed.
    async fn all_ended(&self, tasks: &mut JoinSet<()>) {
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended {
                self.stop.now(StopReason::Broken(format!("a client of the harness failed: {error}")));
            }
        }
    }

    /// Arrivals that found no free process and a full backlog.
    pub fn not_issued(&self) -> u64 {
        self.not_issued.load(Ordering::Relaxed)
    }

    /// The latencies so far.
    pub fn latencies(&self) -> MutexGuard<'_, Latencies> {
        lock(&self.latencies)
    }

    fn generator(&self) -> MutexGuard<'_, Box<dyn Generator>> {
        lock(&self.generator)
    }

    /// Puts arrivals into the backlog at their time.
    async fn arrive(self: Arc<Load>, mut arrivals: Arrivals, backlog: mpsc::Sender<u64>) {
        loop {
            while let Some(intended_ns) = arrivals.take_due(self.recorder.now_ns()) {
                if backlog.try_send(intended_ns).is_err() {
                    self.not_issued.fetch_add(1, Ordering::Relaxed);
                }
            }
            let wait = Duration::from_nanos(arrivals.next_ns().saturating_sub(self.recorder.now_ns()));
            if !self.quiet.sleep(wait.max(ARRIVALS_TICK)).await {
                return;
            }
        }
    }
}

/// Clients at work.
pub struct Running {
    load: Arc<Load>,
    tasks: JoinSet<()>,
}

impl Running {
    /// Asks no more, and waits for the answers under way, but no longer than `patience`: then
    /// they stay open in the history, which means that they may have happened.
    pub async fn finish(mut self, patience: Duration) {
        self.load.quiet.now(StopReason::Interrupted);
        let _ = tokio::time::timeout(patience, self.load.all_ended(&mut self.tasks)).await;
        self.tasks.abort_all();
    }
}

type Backlog = Arc<tokio::sync::Mutex<mpsc::Receiver<u64>>>;

/// One slot.
struct Client {
    load: Arc<Load>,
    process: u64,
    node: NodeId,
    connection: Option<Box<dyn Connection>>,
}

impl Client {
    fn new(load: Arc<Load>, process: u64, node: NodeId) -> Client {
        Client { load, process, node, connection: None }
    }

    /// Asks until told to be quiet.
    async fn work(mut self, backlog: Option<Backlog>) {
        let quiet = self.load.quiet.clone();
        loop {
            let intended_ns = tokio::select! {
                biased;
                () = quiet.stopped() => return,
                intended_ns = next_arrival(backlog.as_ref()) => intended_ns,
            };
            let Some(invocation) = self.ask_generator(&quiet).await else { return };
            let (_, pause) = self.perform(&invocation, intended_ns).await;
            if !pause.is_zero() && !quiet.sleep(pause).await {
                return;
            }
        }
    }

    async fn ask_generator(&mut self, quiet: &Stop) -> Option<Invocation> {
        loop {
            let context = Context { time_ns: self.load.recorder.now_ns(), process: self.process };
            let next = self.load.generator().next(&context);
            match next {
                Next::Invoke(invocation) => return Some(invocation),
                Next::Exhausted => return None,
                Next::Pending if quiet.sleep(PENDING_PAUSE).await => {}
                Next::Pending => return None,
            }
        }
    }

    /// One operation, from its invocation to what became of it, both recorded. Says how long to
    /// wait before the next.
    async fn perform(&mut self, invocation: &Invocation, intended_ns: Option<u64>) -> (OpType, Duration) {
        let load = Arc::clone(&self.load);
        let event = |process| Event {
            intended_ns,
            ..Event::new(Process::Client(process), invocation.f, invocation.key, invocation.value.clone())
        };
        let invoke = load.recorder.invoke(event(self.process));
        load.generator().update(&invoke);
        let started_ns = invoke.time_ns;

        if let Err(error) = self.connect().await {
            // Nothing was sent.
            let mut extra = BTreeMap::new();
            extra.insert("node".to_owned(), self.node.to_string().into());
            let failed = Event { error: Some(error), extra, ..event(self.process) };
            let op = load.recorder.complete(OpType::Fail, failed);
            load.generator().update(&op);
            return (OpType::Fail, REFUSED_PAUSE);
        }
        let Some(connection) = self.connection.as_mut() else { return (OpType::Fail, REFUSED_PAUSE) };
        let completion = connection.invoke(invocation, load.op_timeout).await;
        let finished = Event {
            value: completion.value,
            error: completion.error,
            extra: completion.extra,
            ..event(self.process)
        };
        let op = load.recorder.complete(completion.op_type, finished);
        load.generator().update(&op);
        if !completion.usable || completion.op_type == OpType::Info {
            self.connection = None;
        }
        match completion.op_type {
            OpType::Ok => {
                let latency_ns = op.time_ns.saturating_sub(intended_ns.unwrap_or(started_ns));
                load.latencies().record(invocation.f, Duration::from_nanos(latency_ns));
                (OpType::Ok, Duration::ZERO)
            }
            OpType::Info => {
                self.process += load.slots as u64;
                (OpType::Info, Duration::ZERO)
            }
            OpType::Fail | OpType::Invoke => (OpType::Fail, FAILED_PAUSE),
        }
    }

    async fn connect(&mut self) -> Result<(), String> {
        if self.connection.is_some() {
            return Ok(());
        }
        let targets = self.load.cluster.targets(self.node);
        let patience = CONNECT_MAX.min(self.load.op_timeout);
        match tokio::time::timeout(patience, self.load.cluster.system().connect(targets)).await {
            Ok(Ok(connection)) => {
                self.connection = Some(connection);
                Ok(())
            }
            Ok(Err(error)) => {
                if files::ran_out(&error.source) {
                    self.load.stop.now(StopReason::Broken(format!("a client cannot dial {error}")));
                }
                Err(format!("no connection to {error}"))
            }
            Err(_) => Err(format!("no connection to {} within {} ms", self.node, patience.as_millis())),
        }
    }

    /// Speaks with the next node from now on.
    fn move_on(&mut self) {
        let nodes = self.load.cluster.ids();
        let at = nodes.iter().position(|&node| node == self.node).unwrap_or(0);
        self.node = nodes[(at + 1) % nodes.len()];
        self.connection = None;
    }
}

/// The next intended time under an open loop; at once under a closed one.
async fn next_arrival(backlog: Option<&Backlog>) -> Option<u64> {
    match backlog {
        None => None,
        Some(backlog) => match backlog.lock().await.recv().await {
            Some(intended_ns) => Some(intended_ns),
            // No more arrivals: the clients are told to be quiet at the same time.
            None => std::future::pending().await,
        },
    }
}
