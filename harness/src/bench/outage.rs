//! What a lost leader costs: how long nobody gets a write done.
//!
//! Probes, small writes, fall due at a fixed pace and go to all nodes in turn, whether or not earlier
//! ones were answered. The outage begins when the leader is about to be killed or stopped, and ends when
//! a probe that was due after that was confirmed is answered well. A probe that a node which lives leaves without any
//! answer for [`HANGING`] counts as hanging.

use super::cluster::Cluster;
use super::compare::median;
use super::contender::Line;
use super::pacer::Pacer;
use super::{BenchError, Contender};
use bytes::Bytes;
use serde::Serialize;
use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{sleep, timeout};

/// A probe falls due this often.
const PROBE_EVERY: Duration = Duration::from_millis(2);
/// Probing goes on for so long before the leader is struck, and after the outage ends.
const MARGIN: Duration = Duration::from_millis(500);
/// Nobody waits longer for an outage to end.
const OUTAGE_MAX: Duration = Duration::from_secs(30);
/// A probe without an answer for so long hangs.
pub const HANGING: Duration = Duration::from_secs(1);
/// Between two attempts to connect to a node that is not there.
const DIAL_REST: Duration = Duration::from_millis(5);

/// What is done to the leader.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strike {
    /// SIGKILL.
    Kill,
    /// SIGSTOP.
    Freeze,
}

/// What came of striking leaders.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Outages {
    /// Whose.
    pub contender: String,
    /// What was done.
    pub strike: Strike,
    /// Each outage, in milliseconds.
    pub ms: Vec<f64>,
    /// The middle one.
    pub ms_median: f64,
    /// The longest.
    pub ms_worst: f64,
    /// Probes that nodes which lived left hanging.
    pub hanging: u64,
}

/// Strikes the leader, whoever it is, `times` times.
///
/// # Errors
/// The cluster can't be used, or an outage does not end.
pub fn measure(cluster: &mut Cluster, strike: Strike, times: u32) -> Result<Outages, BenchError> {
    let (mut ms, mut hanging) = (Vec::new(), 0);
    for _ in 0..times {
        let (outage, hung) = once(cluster, strike)?;
        ms.push(outage.as_secs_f64() * 1e3);
        hanging += hung;
    }
    let worst = ms.iter().copied().fold(0.0, f64::max);
    let (contender, ms_median) = (cluster.contender().name().to_owned(), median(ms.iter().copied()));
    Ok(Outages { contender, strike, ms_median, ms_worst: worst, ms, hanging })
}

fn once(cluster: &mut Cluster, strike: Strike) -> Result<(Duration, u64), BenchError> {
    let leader = cluster.until_ready()?;
    let addresses: Vec<SocketAddr> = (0..cluster.size()).map(|node| cluster.place(node).address).collect();
    let contender = Arc::clone(cluster.contender());
    let (struck, strikes) = mpsc::channel();
    let prober = std::thread::Builder::new()
        .name("prober".to_owned())
        .spawn(move || probe(contender.as_ref(), &addresses, leader, &strikes))
        .map_err(|error| BenchError::new("cannot start the prober's thread", error))?;
    std::thread::sleep(MARGIN);
    let at = Instant::now();
    let done = match strike {
        Strike::Kill => cluster.kill(leader),
        Strike::Freeze => cluster.process(leader)?.pause().map_err(|error| BenchError(error.to_string())),
    };
    // A prober that has ended says why below.
    let _ = struck.send((at, Instant::now()));
    let probed = prober.join().map_err(|_| BenchError("the prober's thread has panicked".to_owned()))?;
    done?;
    match strike {
        Strike::Kill => cluster.launch(leader)?,
        Strike::Freeze => cluster.process(leader)?.resume().map_err(|error| BenchError(error.to_string()))?,
    }
    cluster.until_ready()?;
    probed
}

/// What all probes share.
struct Watch {
    /// When the leader was about to be struck, and when it was, for certain; once it was.
    struck: Cell<Option<(Instant, Instant)>>,
    /// When a probe that was due after that was answered first.
    ended: Cell<Option<Instant>>,
    hanging: Cell<u64>,
    /// A connection for each node; none while it can't be had.
    lines: Vec<RefCell<Option<Rc<dyn Line>>>>,
    leader: usize,
}

fn probe(
    contender: &dyn Contender,
    addresses: &[SocketAddr],
    leader: usize,
    strikes: &mpsc::Receiver<(Instant, Instant)>,
) -> Result<(Duration, u64), BenchError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| BenchError::new("cannot start the prober's runtime", error))?;
    let watch = Rc::new(Watch {
        struck: Cell::new(None),
        ended: Cell::new(None),
        hanging: Cell::new(0),
        lines: addresses.iter().map(|_| RefCell::new(None)).collect(),
        leader,
    });
    LocalSet::new().block_on(&runtime, async {
        let dialling =
            addresses.iter().enumerate().map(|(node, &address)| dial(contender, node, address, &watch));
        tokio::select! {
            _ = futures_util::future::join_all(dialling) => unreachable!("dialling never ends"),
            probed = pace(&watch, strikes) => probed,
        }
    })
}

/// Keeps a connection to one node, for ever.
async fn dial(contender: &dyn Contender, node: usize, address: SocketAddr, watch: &Watch) {
    loop {
        if watch.lines[node].borrow().is_none()
            && let Ok(Ok(line)) = timeout(HANGING, contender.connect(address)).await
        {
            *watch.lines[node].borrow_mut() = Some(line);
        }
        sleep(DIAL_REST).await;
    }
}

async fn pace(
    watch: &Rc<Watch>,
    strikes: &mpsc::Receiver<(Instant, Instant)>,
) -> Result<(Duration, u64), BenchError> {
    let mut pacer = Pacer::new()?;
    let mut probes = JoinSet::new();
    let start = Instant::now();
    for number in 0u32.. {
        let due = start + PROBE_EVERY * number;
        pacer.until(due).await?;
        if watch.struck.get().is_none() {
            watch.struck.set(strikes.try_recv().ok());
        }
        if let (Some((struck, _)), Some(ended)) = (watch.struck.get(), watch.ended.get())
            && due > ended + MARGIN
        {
            // Whoever still waits either gets an answer or hangs.
            while probes.join_next().await.is_some() {}
            return Ok((ended - struck, watch.hanging.get()));
        }
        if watch.struck.get().is_some_and(|(struck, _)| due > struck + OUTAGE_MAX) {
            return Err(BenchError(format!(
                "no write was done for {} s after the strike",
                OUTAGE_MAX.as_secs()
            )));
        }
        let node = number as usize % watch.lines.len();
        probes.spawn_local(one(Rc::clone(watch), node, number, due));
        while probes.try_join_next().is_some() {}
    }
    unreachable!("an outage ends, or is given up, long before the probes can't be counted")
}

async fn one(watch: Rc<Watch>, node: usize, number: u32, due: Instant) {
    let line = watch.lines[node].borrow().clone();
    let Some(line) = line else { return };
    let value = Bytes::from(number.to_string());
    match timeout(HANGING, line.put(Bytes::from_static(b"probe"), value)).await {
        Ok(Ok(())) => {
            let after = watch.struck.get().is_some_and(|(_, confirmed)| due >= confirmed);
            if after && watch.ended.get().is_none() {
                watch.ended.set(Some(Instant::now()));
            }
        }
        Ok(Err(_)) => drop_line(&watch, node, &line),
        Err(_) => {
            // One that stands still can't answer.
            if node != watch.leader {
                watch.hanging.set(watch.hanging.get() + 1);
            }
        }
    }
}

/// A refused probe may mean a connection that is of no use any more; another costs little.
fn drop_line(watch: &Watch, node: usize, refused: &Rc<dyn Line>) {
    let mut line = watch.lines[node].borrow_mut();
    if line.as_ref().is_some_and(|line| Rc::ptr_eq(line, refused) && !line.is_open()) {
        *line = None;
    }
}
