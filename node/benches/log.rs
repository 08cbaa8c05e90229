//! What the log costs beside the disk under it, in interleaved rounds: `cargo bench -p paxos-node --bench log
//! [-- FOLDER [ROUNDS]]`. The folder is one on the disk in question, by default below the build's own; what
//! is written there is removed again.
//!
//! Each round takes all arms in turn, so that whatever else the machine does strikes all of them:
//! - *raw*: the same bytes written over a file of zeros, and fdatasync. What the disk gives.
//! - *growing*: the same bytes appended to a file that grows, and fdatasync. What a log without segments
//!   made ahead asks of the disk.
//! - *log*: [`Wal::write`] and [`Wal::sync`], with a keeper at work beside it, and trimmed as it grows.
//!
//! Then a log of a million records is read back.

use bytes::Bytes;
use paxos_node::paxos::{Ballot, Lsn, NodeId, Record, Slot, Value};
use paxos_node::wal::{Disk, Folder, Identity, KeeperThread, Options, Wal};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const IDENTITY: Identity = Identity { cluster: 1, node: NodeId(1) };
const OPTIONS: Options = Options { segment_bytes: 8 << 20, ready_min: 2, ready_max: 10, incarnation: 1 };
const BALLOT: Ballot = Ballot { round: 1, node: NodeId(1) };
const VALUE_BYTES: usize = 256;
/// What a record of such a value takes in the log, and a batch's header.
const RECORD_BYTES: usize = 24 + VALUE_BYTES;
const BATCH_BYTES: usize = 40;
/// How long an arm runs in one round.
const ARM: Duration = Duration::from_millis(1000);
/// How many records go into one batch: one client's, and many clients'.
const GROUPS: [usize; 3] = [1, 16, 256];
const REPLAYED: u64 = 1_000_000;

fn record(slot: u64) -> Record {
    let value = Value::Batch(Bytes::from(vec![slot as u8; VALUE_BYTES]));
    Record::Accepted { slot: Slot(slot), ballot: BALLOT, value }
}

/// One arm's times, in all rounds.
#[derive(Default)]
struct Arm {
    syncs: Vec<Duration>,
    /// The median of each round.
    medians: Vec<Duration>,
    elapsed: Duration,
}

impl Arm {
    fn round(&mut self, mut once: impl FnMut()) {
        let start = Instant::now();
        let mut syncs = Vec::new();
        while start.elapsed() < ARM {
            let begun = Instant::now();
            once();
            syncs.push(begun.elapsed());
        }
        self.elapsed += start.elapsed();
        syncs.sort_unstable();
        self.medians.push(syncs[syncs.len() / 2]);
        self.syncs.extend(syncs);
    }

    fn say(&mut self, name: &str, group: usize) {
        self.syncs.sort_unstable();
        self.medians.sort_unstable();
        let at = |thousandth: usize| self.syncs[self.syncs.len() * thousandth / 1000].as_micros();
        let rate = (self.syncs.len() * group) as f64 / self.elapsed.as_secs_f64();
        let (low, high) = (self.medians[0], self.medians[self.medians.len() - 1]);
        println!(
            "{name:>8} {group:>4} records a batch: p50 {:>5} µs  p99 {:>6} µs  p99.9 {:>6} µs  {rate:>9.0} \
             records/s  (rounds' p50 {low:?} to {high:?})",
            at(500),
            at(990),
            at(999),
        );
    }
}

/// A file of zeros, gone through again and again.
struct Raw {
    disk: Folder,
    at: u64,
}

impl Raw {
    const BYTES: u64 = 64 << 20;

    fn new(path: &Path) -> Raw {
        let mut disk = Folder::open(path.join("raw")).expect("a folder");
        disk.create("zeros").expect("a file");
        for _ in 0..Raw::BYTES >> 20 {
            disk.append("zeros", &vec![0; 1 << 20]).expect("room");
        }
        disk.sync("zeros").expect("a disk that works");
        Raw { disk, at: 0 }
    }

    fn write(&mut self, bytes: &[u8]) {
        if self.at + bytes.len() as u64 > Raw::BYTES {
            self.at = 0;
        }
        self.disk.write_at("zeros", self.at, bytes).expect("a disk that works");
        self.disk.sync("zeros").expect("a disk that works");
        self.at += bytes.len() as u64;
    }
}

fn log(path: &Path) -> (Wal<Folder>, KeeperThread) {
    let folder = Folder::open(path.join("log")).expect("a folder");
    let (wal, _) = Wal::open(folder, IDENTITY, OPTIONS).expect("a log");
    let report = Box::new(|room| println!("room: {room:?}"));
    let keeper = KeeperThread::spawn(wal.keeper(wal.disk().beside()), report).expect("a thread");
    (wal, keeper)
}

fn writing(path: &Path, rounds: usize) {
    for group in GROUPS {
        let mut raw = Raw::new(path);
        let mut growing = Folder::open(path.join("growing")).expect("a folder");
        growing.create("log").expect("a file");
        let (mut wal, keeper) = log(path);
        let records: Vec<Record> = (0..group as u64).map(record).collect();
        let bytes = vec![7; BATCH_BYTES + group * RECORD_BYTES];
        let mut arms: [Arm; 3] = Default::default();
        for _ in 0..rounds {
            arms[0].round(|| raw.write(&bytes));
            arms[1].round(|| {
                growing.append("log", &bytes).expect("room");
                growing.sync("log").expect("a disk that works");
            });
            let mut trimmed = wal.durable();
            arms[2].round(|| {
                wal.write(&records).expect("room");
                let durable = wal.sync().expect("a disk that works");
                if (durable.0 - trimmed.0) * RECORD_BYTES as u64 > 8 * OPTIONS.segment_bytes {
                    keeper.trim(durable);
                    trimmed = durable;
                }
            });
        }
        for (arm, name) in arms.iter_mut().zip(["raw", "growing", "log"]) {
            arm.say(name, group);
        }
        drop((keeper, wal, raw, growing));
        std::fs::remove_dir_all(path).expect("a folder of ours");
    }
}

fn reading(path: &Path) {
    let (mut wal, keeper) = log(path);
    let mut written = Lsn::ZERO;
    while written.0 < REPLAYED {
        let records: Vec<Record> = (0..500).map(|i| record(written.0 + i)).collect();
        wal.write(&records).expect("room");
        written = wal.sync().expect("a disk that works");
    }
    drop((keeper, wal));
    for _ in 0..5 {
        let folder = Folder::open(path.join("log")).expect("a folder");
        let start = Instant::now();
        let (wal, recovery) = Wal::open(folder, IDENTITY, OPTIONS).expect("a log");
        let (took, count) = (start.elapsed(), recovery.records.len());
        let rate = count as f64 / took.as_secs_f64() / 1e6;
        let how = if wal.disk().reads_directly() { "past" } else { "from" };
        println!("  replay {count} records in {took:?}: {rate:.2} M records/s, {how} the page cache");
    }
    std::fs::remove_dir_all(path).expect("a folder of ours");
}

fn main() {
    // Cargo adds flags of its own.
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let folder = arguments.next().map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
    let rounds = arguments.next().map_or(5, |rounds| rounds.parse().expect("a number of rounds"));
    let path = folder.join(format!("log-bench-{}", std::process::id()));
    writing(&path, rounds);
    reading(&path);
}
