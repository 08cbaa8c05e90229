//! `antipaxos bench`: how fast, and what it costs.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::output::{self, remark};
use super::{complain, fresh_seed, interrupt, neighbour, seconds, the_file};
use crate::bench::cluster::Cluster;
use crate::bench::generator::Load;
use crate::bench::outage::{self, Strike};
use crate::bench::report::Report;
use crate::bench::{BenchError, Contender, restart, round, table};
use crate::run::verdict::{Answer, HARNESS_FAILED, USAGE};
use crate::schedule::ReadMode;
use crate::schedule::limits::{NODES_MAX, RATE_MAX};
#[cfg(feature = "etcd")]
use crate::system::etcd::EtcdContender;
use crate::system::paxos::PaxosOptions;
use crate::system::paxos::contender::PaxosContender;

pub(super) const EXAMPLES: &str = "\
Examples:
  antipaxos bench --clients 1,16,64,256 --rounds 5
  antipaxos bench --clients 64 --reads 1                 # linearizable reads only
  antipaxos bench --clients 64 --reads 1 --read-mode lease
  antipaxos bench --clients 64 --rate 5000               # open loop
  antipaxos bench --vs etcd --rounds 5                   # interleaved rounds, ratios
  antipaxos bench --vs /path/to/an/older/paxos-node      # what a change is worth
  antipaxos bench --failover 50 --freeze 10 --restart";

/// Clients that share a connection unless told otherwise.
const CLIENTS_PER_CONNECTION: usize = 64;

/// More would outgrow the sessions that a node keeps.
const CLIENTS_MAX: u64 = 2_048;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Nodes in the cluster
    #[arg(short = 'n', long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=i64::from(NODES_MAX)), help_heading = "Cluster")]
    nodes: u16,

    /// The node's binary [default: paxos-node next to antipaxos]
    #[arg(long, value_name = "PATH", help_heading = "Cluster")]
    bin: Option<PathBuf>,

    /// Whom to take turns with: `etcd`, or another build of the node (a path)
    #[arg(long, value_name = "WHOM", help_heading = "Cluster")]
    vs: Option<String>,

    /// A folder on the disk to be measured; what is put there is removed
    #[arg(long, value_name = "DIR", default_value = "results", help_heading = "Cluster")]
    data: PathBuf,

    /// Clients at a time; several numbers: one load after the other
    #[arg(short, long, value_name = "N,…", default_value = "1,16,64,256", value_delimiter = ',', value_parser = clap::value_parser!(u64).range(1..=CLIENTS_MAX), help_heading = "Load")]
    clients: Vec<u64>,

    /// Connections that the clients share [default: one for every 64]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=512), help_heading = "Load")]
    connections: Option<u64>,

    /// Requests per second, whether or not they are answered (open loop: latency counts from when
    /// each was due). Without it every client asks as soon as it was answered
    #[arg(short, long, value_name = "HZ", value_parser = rate, help_heading = "Load")]
    rate: Option<f64>,

    /// The share of linearizable reads; 1: nothing else
    #[arg(long, value_name = "0..1", default_value_t = 0.0, value_parser = share, help_heading = "Load")]
    reads: f64,

    /// How reads are answered: `barrier`, `lease`, `log`, or `local`, by whichever node is asked, from what
    /// it has [default: the node's own]
    #[arg(long, value_name = "HOW", value_parser = reading, help_heading = "Load")]
    read_mode: Option<Reading>,

    /// Bytes of each value
    #[arg(long, value_name = "BYTES", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=512 << 10), help_heading = "Load")]
    value_bytes: u32,

    /// Keys, drawn evenly
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000), help_heading = "Load")]
    keys: u64,

    /// Rounds; each starts every cluster afresh
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1_000), help_heading = "Measuring")]
    rounds: u32,

    /// Seconds measured of each load in each round
    #[arg(long, value_name = "SECONDS", default_value = "4", value_parser = seconds, help_heading = "Measuring")]
    seconds: Duration,

    /// Seconds of each load before it is measured
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds, help_heading = "Measuring")]
    warm_up: Duration,

    /// Kill the leader so many times instead, and measure for how long no write is done
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..=10_000), help_heading = "Measuring")]
    failover: Option<u32>,

    /// The same with SIGSTOP
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..=10_000), help_heading = "Measuring")]
    freeze: Option<u32>,

    /// After the last load of a round, kill all nodes and start them again: how fast logs are read
    #[arg(long, help_heading = "Measuring")]
    restart: bool,

    /// Processors by which the use of others may differ between the two turns of a round that is to
    /// give a ratio
    #[arg(long, value_name = "CORES", default_value_t = 0.25, help_heading = "Measuring")]
    foreign_difference_max: f64,

    /// Draws keys and times [default: random]
    #[arg(long, value_name = "N", help_heading = "Measuring")]
    seed: Option<u64>,

    /// Also write all that was found, round by round, as JSON
    #[arg(long, value_name = "FILE", help_heading = "Measuring")]
    json: Option<PathBuf>,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate <= RATE_MAX => Ok(rate),
        _ => Err(format!("more than 0 and at most {RATE_MAX} requests per second")),
    }
}

/// How the bench reads.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
enum Reading {
    Leader(ReadMode),
    Local,
}

fn reading(text: &str) -> Result<Reading, String> {
    match ReadMode::named(text) {
        Some(mode) => Ok(Reading::Leader(mode)),
        None if text == "local" => Ok(Reading::Local),
        None => Err("barrier, lease, log or local".to_owned()),
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("a number from 0 to 1".to_owned()),
    }
}

pub(super) fn main(arguments: Arguments) -> u8 {
    match arguments.bench() {
        Ok(code) => code,
        Err(Failed::Usage(reason)) => complain(USAGE, &reason),
        Err(Failed::Bench(error)) => complain(HARNESS_FAILED, &error.to_string()),
    }
}

enum Failed {
    Usage(String),
    Bench(BenchError),
}

impl From<BenchError> for Failed {
    fn from(error: BenchError) -> Failed {
        Failed::Bench(error)
    }
}

/// Whom the first is compared with.
enum Other {
    Nobody,
    Contender(Arc<dyn Contender>),
    Absent(String),
}

impl Arguments {
    fn bench(&self) -> Result<u8, Failed> {
        let folder = self.folder()?;
        let seed = self.seed.unwrap_or_else(fresh_seed);
        let ours = PaxosContender::new(self.paxos(self.bin.as_deref(), seed)?);
        let ours = Arc::new(self.reading(ours)) as Arc<dyn Contender>;
        let mut versions = BTreeMap::from([(ours.name().to_owned(), ours.version()?)]);
        let other = self.other(seed)?;
        let mut contenders = vec![ours];
        let mut skipped = None;
        match other {
            Other::Nobody => {}
            Other::Absent(reason) => {
                remark(&format!("antipaxos: comparison skipped: {reason}"));
                skipped = Some(reason);
            }
            Other::Contender(other) => {
                versions.insert(other.name().to_owned(), other.version()?);
                contenders.push(other);
            }
        }
        let mut report = Report::new(std::env::args().collect(), versions);
        report.skipped = skipped;
        if self.failover.is_some() || self.freeze.is_some() {
            self.strike(&contenders, &folder, &mut report)?;
        } else {
            self.load(&contenders, &folder, seed, &mut report)?;
        }
        if let [ours, other] = contenders.as_slice() {
            report.compare(ours.name(), other.name(), self.foreign_difference_max);
        }
        if let Some(file) = &self.json {
            write_json(file, &report)?;
        }
        let code = if report.refused.is_empty() { Answer::Valid } else { Answer::Unknown }.code();
        Ok(output::answer(&table::render(&report), code))
    }

    /// A folder of our own on the disk to be measured, removed however this ends.
    fn folder(&self) -> Result<Folder, Failed> {
        let path = self.data.join(format!(".bench-{}", std::process::id()));
        fs::create_dir_all(&path)
            .map_err(|error| Failed::Usage(format!("--data: cannot make {}: {error}", path.display())))?;
        let path = path
            .canonicalize()
            .map_err(|error| Failed::Usage(format!("--data: cannot find {}: {error}", path.display())))?;
        let left = path.clone();
        let interrupted = move || {
            // The nodes end with this process; what they write meanwhile may stay behind.
            let _ = fs::remove_dir_all(&left);
            Answer::Unknown.code()
        };
        interrupt::ends_the_program(interrupted)
            .map_err(|error| BenchError::new("cannot listen for signals", error))?;
        Ok(Folder(path))
    }

    fn paxos(&self, binary: Option<&Path>, seed: u64) -> Result<PaxosOptions, Failed> {
        let binary = binary.map_or_else(|| neighbour("paxos-node"), Path::to_owned);
        let binary = the_file(&binary).map_err(|error| Failed::Usage(error.to_string()))?;
        // Two benches on one machine must not take each other's nodes for their own.
        let cluster = u64::from(std::process::id()) << 32 | seed & 0xffff_ffff;
        let read_mode = match self.read_mode {
            Some(Reading::Leader(mode)) => Some(mode),
            Some(Reading::Local) | None => None,
        };
        Ok(PaxosOptions { read_mode, ..PaxosOptions::new(binary, cluster, seed) })
    }

    fn other(&self, seed: u64) -> Result<Other, Failed> {
        match self.vs.as_deref() {
            None => Ok(Other::Nobody),
            Some("etcd") => Ok(etcd(seed)),
            Some(path) => {
                let options = self.paxos(Some(Path::new(path)), seed)?;
                Ok(Other::Contender(Arc::new(self.reading(PaxosContender::other(options)))))
            }
        }
    }

    fn reading(&self, contender: PaxosContender) -> PaxosContender {
        match self.read_mode {
            Some(Reading::Local) => contender.with_local_reads(),
            Some(Reading::Leader(_)) | None => contender,
        }
    }

    fn loads(&self, seed: u64) -> Vec<Load> {
        let load = |&clients: &u64| {
            let clients = usize::try_from(clients).expect("bounded by the command line");
            let connections =
                self.connections.map_or(clients.div_ceil(CLIENTS_PER_CONNECTION), |connections| {
                    usize::try_from(connections).expect("bounded by the command line")
                });
            Load {
                clients,
                connections: connections.min(clients),
                rate: self.rate,
                read_share: self.reads,
                keys: self.keys,
                value_bytes: self.value_bytes as usize,
                warm_up: self.warm_up,
                time: self.seconds,
                seed,
            }
        };
        self.clients.iter().map(load).collect()
    }

    /// All loads, round by round, the contenders taking turns; who begins changes too.
    fn load(
        &self,
        contenders: &[Arc<dyn Contender>],
        folder: &Folder,
        seed: u64,
        report: &mut Report,
    ) -> Result<(), Failed> {
        for number in 1..=self.rounds {
            let mut turns: Vec<_> = contenders.iter().collect();
            if number % 2 == 0 {
                turns.reverse();
            }
            for contender in turns {
                remark(&format!("round {number} of {}: {}", self.rounds, contender.name()));
                let mut cluster = Cluster::start(contender, self.nodes, &folder.0.join("cluster"))?;
                for load in self.loads(seed.wrapping_add(u64::from(number))) {
                    report.figures.push(round::measure(&mut cluster, &load, number, &folder.0)?);
                }
                if self.restart {
                    report.restarts.push(restart::measure(&mut cluster)?);
                }
            }
        }
        Ok(())
    }

    fn strike(
        &self,
        contenders: &[Arc<dyn Contender>],
        folder: &Folder,
        report: &mut Report,
    ) -> Result<(), Failed> {
        let strikes = [(Strike::Kill, self.failover), (Strike::Freeze, self.freeze)];
        for contender in contenders {
            let mut cluster = Cluster::start(contender, self.nodes, &folder.0.join("cluster"))?;
            for (strike, times) in strikes {
                if let Some(times) = times {
                    remark(&format!("{}: {strike:?} the leader, {times} times", contender.name()));
                    report.outages.push(outage::measure(&mut cluster, strike, times)?);
                }
            }
        }
        Ok(())
    }
}

/// Removed when dropped.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // What can't be removed is in the way of nothing but the disk.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(feature = "etcd")]
fn etcd(seed: u64) -> Other {
    match EtcdContender::find(format!("bench-{}-{seed}", std::process::id())) {
        Ok(etcd) => Other::Contender(Arc::new(etcd)),
        Err(absent) => Other::Absent(absent.to_string()),
    }
}

#[cfg(not(feature = "etcd"))]
fn etcd(_seed: u64) -> Other {
    let how = "this antipaxos was built without its etcd client (make bench-etcd builds one that has it)";
    Other::Absent(how.to_owned())
}

fn write_json(file: &Path, report: &Report) -> Result<(), BenchError> {
    let failed =
        |error: &dyn std::fmt::Display| BenchError::new(format!("cannot write {}", file.display()), error);
    let json = serde_json::to_vec_pretty(report).map_err(|error| failed(&error))?;
    fs::write(file, json).map_err(|error| failed(&error))
}
