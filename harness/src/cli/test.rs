//! `antipaxos test`: one run.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::interrupt::Interrupts;
use super::{complain, fresh_seed, neighbour, output, paxos, progress, seconds, the_file};
use crate::results::store::Store;
use crate::run::options::{Faults, Options};
use crate::run::stop::Stop;
use crate::run::verdict::{HARNESS_FAILED, USAGE};
use crate::run::{Ended, RunError, run};
use crate::schedule::{GAP_MIN, LENGTH_MIN, Preset, Selection, unite};

pub(super) const EXAMPLES: &str = "\
Examples:
  antipaxos test -w cas-register --nemesis kill,pause,partition --nemesis-interval 5 \\
      --concurrency 2n --rate 500 --time-limit 60 --node-count 5 --seed 42
  antipaxos test -w append --nemesis all --time-limit 45
  antipaxos test -w set --nemesis kill:leader,drop --retries 3";

/// The largest cluster: more nodes than that only wait for each other.
const NODES_MAX: u16 = 9;
/// Until the first fault can come: the nodes start, elect and answer.
const GET_GOING: Duration = Duration::from_secs(2);
/// More clients than that measure the harness.
const CONCURRENCY_MAX: usize = 1_000;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[arg(short, long, value_name = "NAME", default_value = "cas-register", help_heading = "Load",
        help = format!("What to ask of the cluster, and what judges the answers: {}", workloads::names().join(", ")))]
    workload: String,

    /// Clients at a time: a number, or a multiple of the nodes such as 2n
    #[arg(short, long, value_name = "N", default_value = "2n", help_heading = "Load")]
    concurrency: Concurrency,

    /// Operations per second, whether or not the cluster keeps up (open loop: latency counts from
    /// the intended start). Without it every client asks as soon as it was answered
    #[arg(short, long, value_name = "HZ", value_parser = rate, help_heading = "Load")]
    rate: Option<f64>,

    /// Seconds of warm-up and faults together; healing, final reads and judging come on top
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds, help_heading = "Load")]
    time_limit: Duration,

    /// Keys in use at a time
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=10_000), help_heading = "Load")]
    key_count: u64,

    /// Operations after which a key is replaced by a fresh one [default: the workload's choice]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Load")]
    ops_per_key: Option<u64>,

    /// Seconds that a client waits for an answer; after that nobody knows whether it happened
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = seconds, help_heading = "Load")]
    op_timeout: Duration,

    /// How often a client that does not know what became of its request sends it again, under the
    /// same request id
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Load")]
    retries: u32,

    /// Faults, separated by commas: none, all; kill, pause, partition, link; or single kinds such
    /// as kill:leader, pause:all, partition:one-way, drop. Each kind is injected once for certain,
    /// then they come at random
    #[arg(
        long,
        value_name = "FAULTS",
        default_value = "none",
        value_delimiter = ',',
        help_heading = "Faults"
    )]
    nemesis: Vec<Selection>,

    /// Of these, only what the run owes for certain [default: all of --nemesis]
    #[arg(long, value_name = "FAULTS", value_delimiter = ',', help_heading = "Faults")]
    owe: Option<Vec<Selection>>,

    /// Seconds: the usual length of a fault, and of the calm after it; shortened if all that is
    /// owed would not fit
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds, help_heading = "Faults")]
    nemesis_interval: Duration,

    /// Nodes in the cluster
    #[arg(short = 'n', long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=i64::from(NODES_MAX)), help_heading = "Cluster")]
    node_count: u16,

    /// The node's binary [default: paxos-node next to antipaxos]. A script must exec the node: what
    /// it starts besides would outlive a harness that is killed
    #[arg(long, value_name = "PATH", help_heading = "Cluster")]
    bin: Option<PathBuf>,

    /// The rule to remove; needs a binary built with --features mutants
    #[arg(long, value_name = "NAME", help_heading = "Cluster")]
    mutant: Option<String>,

    /// Repeats the plan of faults and operations (not how the processes race) [default: random]
    #[arg(long, value_name = "N", help_heading = "Run")]
    seed: Option<u64>,

    /// Where run folders go
    #[arg(long, value_name = "DIR", default_value = "results", help_heading = "Run")]
    results: PathBuf,

    /// Keep the nodes' data folders even if the run is valid
    #[arg(long, help_heading = "Run")]
    keep_data: bool,

    /// Go on to the time limit even if a violation was found already
    #[arg(long, help_heading = "Run")]
    no_stop_early: bool,
}

/// `10` or `2n`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Concurrency {
    Clients(usize),
    PerNode(usize),
}

impl FromStr for Concurrency {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (digits, per_node) = match text.strip_suffix('n') {
            Some(digits) => (digits, true),
            None => (text, false),
        };
        let count = match digits.parse::<usize>() {
            Ok(count) if (1..=CONCURRENCY_MAX).contains(&count) => count,
            _ => {
                return Err(format!(
                    "a number from 1 to {CONCURRENCY_MAX}, or a multiple of the nodes such as 2n"
                ));
            }
        };
        Ok(if per_node { Concurrency::PerNode(count) } else { Concurrency::Clients(count) })
    }
}

impl Concurrency {
    fn of(self, nodes: u16) -> usize {
        match self {
            Concurrency::Clients(count) => count,
            Concurrency::PerNode(count) => count * usize::from(nodes),
        }
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate <= 1e6 => Ok(rate),
        _ => Err("more than 0 and at most 1000000 operations per second".to_owned()),
    }
}

/// Why a run of this length can't pay all that is owed, if so.
fn too_short(time_limit: Duration, owed: usize) -> Option<String> {
    let owed = u32::try_from(owed).unwrap_or(u32::MAX);
    let needed = GET_GOING + (LENGTH_MIN + GAP_MIN).saturating_mul(owed);
    (owed > 0 && time_limit < needed).then(|| {
        format!(
            "--time-limit {}: {owed} kinds of faults are owed, which takes at least {:.0} s; those that find no \
             time will leave the verdict unknown",
            time_limit.as_secs_f64(),
            needed.as_secs_f64().ceil()
        )
    })
}

impl Arguments {
    fn options(&self) -> Result<Options, String> {
        let nemesis = unite(&self.nemesis);
        let owed = self.owe.as_ref().map_or_else(|| nemesis.clone(), |owed| unite(owed));
        if let Some(stranger) = owed.iter().find(|kind| !nemesis.contains(kind)) {
            return Err(format!("--owe {stranger}: not among --nemesis"));
        }
        if let Some(lonely) = owed.iter().find(|kind| kind.nodes_min() > self.node_count) {
            let needed = lonely.nodes_min();
            return Err(format!(
                "--nemesis {lonely}: needs {needed} nodes, --node-count is {}",
                self.node_count
            ));
        }
        let binary = self.bin.clone().unwrap_or_else(|| neighbour("paxos-node"));
        let binary = the_file(&binary).map_err(|error| error.to_string())?;
        Ok(Options {
            workload: self.workload.clone(),
            nodes: self.node_count,
            concurrency: self.concurrency.of(self.node_count),
            rate: self.rate,
            time_limit: self.time_limit,
            faults: Faults::Nemesis(Preset { kinds: nemesis, owed, interval: self.nemesis_interval }),
            seed: self.seed.unwrap_or_else(fresh_seed),
            keys: self.key_count,
            ops_per_key: self.ops_per_key,
            op_timeout: self.op_timeout,
            retries: self.retries,
            binary,
            mutant: self.mutant.clone(),
            keep_data: self.keep_data,
            stop_early: !self.no_stop_early,
        })
    }
}

pub(super) async fn main(arguments: Arguments) -> u8 {
    let options = match arguments.options() {
        Ok(options) => options,
        Err(reason) => return complain(USAGE, &reason),
    };
    let owed = match &options.faults {
        Faults::Nemesis(preset) => preset.owed.len(),
        Faults::Schedule { .. } => 0,
    };
    if let Some(warning) = too_short(options.time_limit, owed) {
        output::remark(&format!("antipaxos: warning: {warning}"));
    }
    let interrupts = match Interrupts::listen() {
        Ok(interrupts) => interrupts,
        Err(error) => return complain(HARNESS_FAILED, &format!("cannot listen for signals: {error}")),
    };
    let store = match Store::open(&arguments.results) {
        Ok(store) => store,
        Err(error) => return complain(USAGE, &error.to_string()),
    };
    match one_run(options, &store, interrupts.stop()).await {
        Ok(ended) => output::answer(&ended.summary.render(), ended.verdict.exit),
        Err(error) => complain(error.exit(), &error.to_string()),
    }
}

/// A run of our own node, shown as it goes.
pub(super) async fn one_run(options: Options, store: &Store, stop: Stop) -> Result<Ended, RunError> {
    let system = Arc::new(paxos(&options));
    let command_line: Vec<String> = std::env::args().collect();
    run(options, system, store, &command_line, progress::suitable(), stop).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_too_short_for_what_it_owes_is_told_before_it_begins() {
        let short = too_short(Duration::from_secs(10), 16).expect("too short");
        assert!(short.starts_with("--time-limit 10: 16 kinds of faults are owed, which takes at least 23 s"));
        assert_eq!(too_short(Duration::from_secs(23), 16), None);
        assert_eq!(too_short(Duration::from_secs(1), 0), None);
    }

    #[test]
    fn concurrency_is_a_number_or_a_multiple_of_the_nodes() {
        assert_eq!("10".parse(), Ok(Concurrency::Clients(10)));
        assert_eq!("2n".parse::<Concurrency>().map(|c| c.of(5)), Ok(10));
        for wrong in ["0", "n", "-1", "2m", "", "1001"] {
            assert!(wrong.parse::<Concurrency>().is_err(), "{wrong}");
        }
    }
}
