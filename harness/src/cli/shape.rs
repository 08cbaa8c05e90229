//! The flags that say what a run is: load, faults, cluster. Shared by runs on processes and in the
//! simulation. What a schedule file says holds where no flag says otherwise.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::seconds;
use crate::run::options::{Faults, GET_GOING, Options};
use crate::schedule::limits::{
    INSTANT, KEYS_MAX, LATENESS_MAX, NODES_MAX, RATE_MAX, RETRIES_MAX, SNAPSHOT_EVERY_BYTES_MIN,
};
use crate::schedule::{
    Concurrency, Election, GAP_MIN, LENGTH_MIN, Preset, ReadMode, Schedule, Selection, unite,
};

#[derive(Debug, Args)]
pub(super) struct Shape {
    #[arg(short, long, value_name = "NAME", value_parser = workload, help_heading = "Load",
        help = format!("What to ask of the cluster, and what judges the answers: {} [default: cas-register]", workloads::names().join(", ")))]
    workload: Option<String>,

    /// Clients at a time: a number, or a multiple of the nodes such as 2n [default: 2n]
    #[arg(short, long, value_name = "N", help_heading = "Load")]
    concurrency: Option<Concurrency>,

    /// Operations per second, whether or not the cluster keeps up (open loop: latency counts from
    /// the intended start). Without it every client asks as soon as it was answered
    #[arg(short, long, value_name = "HZ", value_parser = rate, help_heading = "Load")]
    rate: Option<f64>,

    /// Seconds of warm-up and faults together; healing, final reads and judging come on top. A
    /// schedule file has its own times [default: 60]
    #[arg(long, value_name = "SECONDS", value_parser = seconds, conflicts_with = "schedule", help_heading = "Load")]
    time_limit: Option<Duration>,

    /// Keys in use at a time [default: 5]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=KEYS_MAX), help_heading = "Load")]
    key_count: Option<u64>,

    /// Operations after which a key is replaced by a fresh one [default: the workload's choice]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Load")]
    ops_per_key: Option<u64>,

    /// Seconds that a client waits for an answer; after that nobody knows whether it happened
    /// [default: 2]
    #[arg(long, value_name = "SECONDS", value_parser = op_timeout, help_heading = "Load")]
    op_timeout: Option<Duration>,

    /// How often a client that does not know what became of its request sends it again, under the
    /// same request id [default: 0]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(..=i64::from(RETRIES_MAX)), help_heading = "Load")]
    retries: Option<u32>,

    /// What is done to the cluster, from a file: see harness/schedules/README.md. One that a run wrote
    /// down (schedule.resolved.toml) repeats that run's faults
    #[arg(long, value_name = "FILE", conflicts_with_all = ["nemesis", "owe", "nemesis_interval"], help_heading = "Faults")]
    schedule: Option<PathBuf>,

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

    /// Draw what is random by its weights alone, wherever the run has been: else what would strike where
    /// nothing struck yet comes first
    #[arg(long, help_heading = "Faults")]
    no_steer: bool,

    /// Nodes in the cluster [default: 5]
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=i64::from(NODES_MAX)), help_heading = "Cluster")]
    node_count: Option<u16>,

    /// How many bytes a node's log grows by from one snapshot to the next [default: the node's own]
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(SNAPSHOT_EVERY_BYTES_MIN..), help_heading = "Cluster")]
    snapshot_every_bytes: Option<u64>,

    /// When nodes stand for leader: `pre-vote`, when they hear none and a quorum would have them;
    /// `randomised`, at once, as in the lectures; `fixed`, at once and all at the same time
    /// [default: the node's own]
    #[arg(long, value_name = "HOW", value_parser = election, help_heading = "Cluster")]
    election: Option<Election>,

    /// How leaders answer reads: `barrier`, when a quorum has confirmed that they lead still; `lease`, by
    /// themselves while a quorum's grants last; `log`, through the log like updates
    /// [default: the node's own]
    #[arg(long, value_name = "HOW", value_parser = read_mode, help_heading = "Cluster")]
    read_mode: Option<ReadMode>,
}

fn election(text: &str) -> Result<Election, String> {
    Election::named(text).ok_or_else(|| "pre-vote, randomised or fixed".to_owned())
}

fn read_mode(text: &str) -> Result<ReadMode, String> {
    ReadMode::named(text).ok_or_else(|| "barrier, lease or log".to_owned())
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate <= RATE_MAX => Ok(rate),
        _ => Err(format!("more than 0 and at most {RATE_MAX} operations per second")),
    }
}

fn op_timeout(text: &str) -> Result<Duration, String> {
    match seconds(text)? {
        timeout if (INSTANT..=LATENESS_MAX).contains(&timeout) => Ok(timeout),
        _ => Err(format!("from {} to {} seconds", INSTANT.as_secs_f64(), LATENESS_MAX.as_secs_f64())),
    }
}

fn workload(name: &str) -> Result<String, String> {
    match workloads::names().contains(&name) {
        true => Ok(name.to_owned()),
        false => Err(format!("no workload is called `{name}`; there are: {}", workloads::names().join(", "))),
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

impl Shape {
    /// The run that these flags and the file ask for, of this binary, with this seed if the file gives
    /// none. What concerns real runs alone is as usual.
    pub(super) fn options(&self, binary: &Path, seed: u64) -> Result<Options, String> {
        let schedule = match &self.schedule {
            Some(file) => Some((file, read(file)?)),
            None => None,
        };
        let of_file = schedule.as_ref().and_then(|(_, schedule)| schedule.workload.concurrency);
        let said = match schedule {
            Some((file, schedule)) => Options::of_schedule(Some(file), schedule, binary, seed),
            None => Options::usual("cas-register", binary.to_owned(), seed),
        };
        let nodes = self.node_count.unwrap_or(said.nodes);
        Ok(Options {
            workload: self.workload.clone().unwrap_or(said.workload),
            nodes,
            concurrency: self.concurrency.or(of_file).unwrap_or(Concurrency::USUAL).clients(nodes),
            rate: self.rate.or(said.rate),
            time_limit: self.time_limit.unwrap_or(said.time_limit),
            faults: if self.schedule.is_some() { said.faults } else { self.nemesis(nodes)? },
            keys: self.key_count.unwrap_or(said.keys),
            ops_per_key: self.ops_per_key.or(said.ops_per_key),
            op_timeout: self.op_timeout.unwrap_or(said.op_timeout),
            retries: self.retries.unwrap_or(said.retries),
            snapshot_every_bytes: self.snapshot_every_bytes.or(said.snapshot_every_bytes),
            election: self.election.or(said.election),
            read_mode: self.read_mode.or(said.read_mode),
            steer: !self.no_steer,
            ..said
        })
    }

    fn nemesis(&self, nodes: u16) -> Result<Faults, String> {
        let kinds = unite(&self.nemesis);
        let owed = self.owe.as_ref().map_or_else(|| kinds.clone(), |owed| unite(owed));
        if let Some(stranger) = owed.iter().find(|kind| !kinds.contains(kind)) {
            return Err(format!("--owe {stranger}: not among --nemesis"));
        }
        if let Some(lonely) = owed.iter().find(|kind| kind.nodes_min() > nodes) {
            let needed = lonely.nodes_min();
            return Err(format!("--nemesis {lonely}: needs {needed} nodes, --node-count is {nodes}"));
        }
        Ok(Faults::Nemesis(Preset { kinds, owed, interval: self.nemesis_interval }))
    }
}

/// What there is to say about a run before it begins, if anything.
pub(super) fn warning(options: &Options) -> Option<String> {
    match &options.faults {
        Faults::Nemesis(preset) => too_short(options.time_limit, preset.owed.len()),
        Faults::Schedule { .. } => None,
    }
}

/// Reads a schedule file; refusals come with their lines.
pub(super) fn read(file: &Path) -> Result<Schedule, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    Schedule::read(&file.display().to_string(), &text).map_err(|refusals| refusals.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        shape: Shape,
    }

    /// What these flags ask for beside a file that says this.
    fn asked(file: &str, flags: &[&str]) -> Options {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file.toml");
        let text = format!("schema = 1\nname = \"quiet\"\ntime-limit = \"10s\"\n{file}");
        std::fs::write(&path, text).expect("a file");
        let words = ["test", "--schedule", path.to_str().expect("plain characters")];
        let flags = Flags::try_parse_from(words.iter().chain(flags)).expect("flags");
        flags.shape.options(Path::new("paxos-node"), 7).expect("a run")
    }

    #[test]
    fn a_seed_that_a_file_gives_is_taken_and_0_is_a_seed() {
        assert_eq!(asked("", &[]).seed, 7);
        assert_eq!(asked("seed = 3\n", &[]).seed, 3);
        assert_eq!(asked("seed = 0\n", &[]).seed, 0);
    }

    #[test]
    fn a_flag_beats_the_file_and_clients_are_counted_for_the_nodes_there_are() {
        let load = "nodes = 5\n[workload]\nconcurrency = \"3n\"\nkeys = 4\nretries = 1\n";
        let run = asked(load, &[]);
        assert_eq!((run.nodes, run.concurrency, run.keys, run.retries), (5, 15, 4, 1));
        assert_eq!(run.time_limit, Duration::from_secs(10) + GET_GOING);
        let run = asked(load, &["--node-count", "3", "--key-count", "9", "--retries", "0"]);
        assert_eq!((run.nodes, run.concurrency, run.keys, run.retries), (3, 9, 9, 0));
        assert_eq!(asked(load, &["--node-count", "3", "--concurrency", "4"]).concurrency, 4);
        // So many are so many, on however many nodes.
        let load = "[workload]\nconcurrency = 8\n";
        assert_eq!(asked(load, &["--node-count", "3"]).concurrency, 8);
    }

    #[test]
    fn a_run_too_short_for_what_it_owes_is_told_before_it_begins() {
        let short = too_short(Duration::from_secs(10), 16).expect("too short");
        assert!(short.starts_with("--time-limit 10: 16 kinds of faults are owed, which takes at least 23 s"));
        assert_eq!(too_short(Duration::from_secs(23), 16), None);
        assert_eq!(too_short(Duration::from_secs(1), 0), None);
    }

    #[test]
    fn flags_ask_for_no_more_than_a_file_may() {
        for wrong in [
            ["--concurrency", "112n"],
            ["--rate", "1000001"],
            ["--key-count", "10001"],
            ["--op-timeout", "61"],
            ["--op-timeout", "0.0001"],
            ["--retries", "1001"],
            ["--node-count", "10"],
        ] {
            assert!(Flags::try_parse_from(["test"].iter().chain(&wrong)).is_err(), "{wrong:?}");
        }
    }
}
