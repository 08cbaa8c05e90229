//! What asks: any number of clients on one thread, over few connections.
//!
//! A client is a task, not a thread, and clients share connections as those of a real program do: so
//! many requests leave and arrive with one system call, and the generator is not what is measured. In a
//! closed loop every client asks as soon as it was answered. In an open one requests are due at times
//! that were drawn before, evenly spread around their mean; each goes to a client that is free, or waits
//! for one, and its latency counts from when it was due either way.

use super::contender::{Client, Line};
use super::pacer::Pacer;
use super::processor::Sample;
use super::tally::{Kind, Start, Tallied, Tally, Window};
use super::{BenchError, Contender};
use crate::run::arrivals::Arrivals;
use bytes::Bytes;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{sleep, timeout_at};

/// After a refusal a closed loop's client rests: else one that is refused at once would spin.
const REFUSED_REST: Duration = Duration::from_millis(1);

/// How long an answer may take, beyond the window's end, before nobody waits for it any more.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// How long it may take to connect, open all sessions and write the keys that are to be read.
const PREPARATION: Duration = Duration::from_secs(60);

/// Keys written at a time before the first read.
const PREFILL_AT_ONCE: usize = 64;

/// What to ask, and how.
#[derive(Clone, PartialEq, Debug)]
pub struct Load {
    /// Clients at a time.
    pub clients: usize,
    /// Connections that they share.
    pub connections: usize,
    /// Requests per second; `None`: a closed loop.
    pub rate: Option<f64>,
    /// The share of reads: 0 for writes only, 1 for reads only.
    pub read_share: f64,
    /// Keys, drawn evenly.
    pub keys: u64,
    /// Bytes of each value.
    pub value_bytes: usize,
    /// Before anything is measured.
    pub warm_up: Duration,
    /// What is measured.
    pub time: Duration,
    /// Draws keys, kinds and times.
    pub seed: u64,
}

/// What a drive came to, and the processors' counters at both ends of its window.
pub struct Driven {
    /// The requests.
    pub tallied: Tallied,
    /// Counters at the window's begin and end.
    pub counters: (Sample, Sample),
}

/// Drives the node at `address`. `sample` reads the counters.
///
/// # Errors
/// The node can't be reached, takes no client, or `sample` fails.
pub fn drive(
    contender: &dyn Contender,
    address: SocketAddr,
    load: &Load,
    sample: impl Fn() -> Result<Sample, BenchError>,
) -> Result<Driven, BenchError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| BenchError::new("cannot start the generator's runtime", error))?;
    let local = LocalSet::new();
    local.block_on(&runtime, async {
        let clients = match timeout_at(
            (Instant::now() + PREPARATION).into(),
            prepare(contender, address, load),
        )
        .await
        {
            Ok(prepared) => prepared.map_err(|why| BenchError::new(format!("{address}"), why))?,
            Err(_) => {
                return Err(BenchError(format!("{address}: not ready within {} s", PREPARATION.as_secs())));
            }
        };
        run(clients, load, sample).await
    })
}

async fn prepare(
    contender: &dyn Contender,
    address: SocketAddr,
    load: &Load,
) -> Result<Vec<Box<dyn Client>>, String> {
    let mut lines: Vec<Rc<dyn Line>> = Vec::new();
    for _ in 0..load.connections.clamp(1, load.clients) {
        lines.push(contender.connect(address).await?);
    }
    if load.read_share > 0.0 {
        prefill(&lines, load).await?;
    }
    let mut clients = Vec::new();
    for line in lines.iter().cycle().take(load.clients) {
        clients.push(Rc::clone(line).client().await?);
    }
    Ok(clients)
}

async fn prefill(lines: &[Rc<dyn Line>], load: &Load) -> Result<(), String> {
    let value = value(load.value_bytes);
    let keys: Vec<u64> = (0..load.keys).collect();
    for some in keys.chunks(PREFILL_AT_ONCE) {
        let puts = some.iter().map(|&number| lines[0].put(key(number), value.clone()));
        futures_util::future::try_join_all(puts).await?;
    }
    Ok(())
}

/// What all clients of a drive share.
struct Floor {
    window: Window,
    tally: RefCell<Tally>,
    /// Due, and nobody's yet.
    due: RefCell<VecDeque<(Kind, Bytes, Instant)>>,
    /// What each client asks just now, and since when it was due.
    under_way: RefCell<Vec<Option<(Kind, Instant)>>>,
    /// Something is due, or nothing will be any more.
    news: Notify,
    over: Cell<bool>,
    value: Bytes,
}

async fn run(
    clients: Vec<Box<dyn Client>>,
    load: &Load,
    sample: impl Fn() -> Result<Sample, BenchError>,
) -> Result<Driven, BenchError> {
    let start = Instant::now();
    let begin = start + load.warm_up;
    let window = Window { begin, end: begin + load.time };
    let floor = Rc::new(Floor {
        window,
        tally: RefCell::new(Tally::new(window)),
        due: RefCell::default(),
        under_way: RefCell::new(vec![None; clients.len()]),
        news: Notify::new(),
        over: Cell::new(false),
        value: value(load.value_bytes),
    });
    let mut tasks = JoinSet::new();
    for (number, client) in clients.into_iter().enumerate() {
        let floor = Rc::clone(&floor);
        let draw = Draw::new(load, number as u64);
        match load.rate {
            None => tasks.spawn_local(closed(floor, number, client, draw)),
            Some(_) => tasks.spawn_local(open(floor, number, client)),
        };
    }
    if let Some(rate) = load.rate {
        tasks.spawn_local(arrive(Rc::clone(&floor), Draw::new(load, u64::MAX), rate, start));
    }
    let mut pacer = Pacer::new()?;
    pacer.until(window.begin).await?;
    let before = sample()?;
    pacer.until(window.end).await?;
    let after = sample()?;
    let all_ended = async { while tasks.join_next().await.is_some() {} };
    // Whoever is still without an answer then is counted below.
    let _ = timeout_at((window.end + PATIENCE).into(), all_ended).await;
    drop(tasks);
    let now = Instant::now();
    let mut tally = floor.tally.borrow_mut();
    for (kind, due) in floor.under_way.borrow().iter().flatten() {
        tally.given_up(*kind, *due, now);
    }
    for (kind, _, due) in floor.due.borrow().iter() {
        tally.given_up(*kind, *due, now);
    }
    Ok(Driven { tallied: tally.sum(), counters: (before, after) })
}

/// Asks as soon as it was answered, until the window ends.
async fn closed(floor: Rc<Floor>, number: usize, mut client: Box<dyn Client>, mut draw: Draw) {
    let mut begun = Instant::now();
    while begun < floor.window.end {
        let (kind, key) = draw.next();
        let (refused, ended) = floor.ask(number, &mut *client, kind, key, Start::Free(begun)).await;
        if refused {
            sleep(REFUSED_REST).await;
        }
        begun = if refused { Instant::now() } else { ended };
    }
}

/// Asks for what is due, until nothing will be any more.
async fn open(floor: Rc<Floor>, number: usize, mut client: Box<dyn Client>) {
    loop {
        let next = floor.due.borrow_mut().pop_front();
        match next {
            Some((kind, key, due)) => {
                floor.ask(number, &mut *client, kind, key, Start::Due(due)).await;
            }
            None if floor.over.get() => return,
            None => floor.news.notified().await,
        }
    }
}

/// Lets requests fall due. What is due and waits is bounded by the rate times the window.
async fn arrive(floor: Rc<Floor>, mut draw: Draw, rate: f64, start: Instant) {
    let mut arrivals = Arrivals::new(draw.seed, rate, 0);
    if let Ok(mut pacer) = Pacer::new() {
        loop {
            let next = start + Duration::from_nanos(arrivals.next_ns());
            if next >= floor.window.end || pacer.until(next).await.is_err() {
                break;
            }
            let now = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
            while let Some(due_ns) = arrivals.take_due(now) {
                let (kind, key) = draw.next();
                floor.due.borrow_mut().push_back((kind, key, start + Duration::from_nanos(due_ns)));
                floor.news.notify_one();
            }
        }
    }
    floor.over.set(true);
    floor.news.notify_waiters();
}

impl Floor {
    /// One request. Whether it was not done, and when it ended.
    async fn ask(
        &self,
        number: usize,
        client: &mut dyn Client,
        kind: Kind,
        key: Bytes,
        start: Start,
    ) -> (bool, Instant) {
        let (Start::Free(due) | Start::Due(due)) = start;
        self.under_way.borrow_mut()[number] = Some((kind, due));
        let result = match kind {
            Kind::Put => client.put(key, self.value.clone()).await,
            Kind::Get => client.get(key).await.map(drop),
        };
        let ended = Instant::now();
        self.under_way.borrow_mut()[number] = None;
        let refused = result.is_err();
        self.tally.borrow_mut().ended(kind, start, ended, result);
        (refused, ended)
    }
}

/// Draws what a client asks for.
struct Draw {
    rng: ChaCha8Rng,
    seed: u64,
    read_share: f64,
    keys: u64,
}

impl Draw {
    fn new(load: &Load, stream: u64) -> Draw {
        let mut rng = ChaCha8Rng::seed_from_u64(load.seed);
        rng.set_stream(stream);
        Draw { rng, seed: load.seed, read_share: load.read_share, keys: load.keys }
    }

    fn next(&mut self) -> (Kind, Bytes) {
        let read = self.read_share > 0.0 && self.rng.random_range(0.0..1.0) < self.read_share;
        let number = self.rng.random_range(0..self.keys);
        (if read { Kind::Get } else { Kind::Put }, key(number))
    }
}

fn key(number: u64) -> Bytes {
    Bytes::from(format!("key-{number:08}"))
}

fn value(bytes: usize) -> Bytes {
    Bytes::from(vec![b'v'; bytes])
}

#[cfg(test)]
mod tests;
