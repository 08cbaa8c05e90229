//! What a run is asked to be: plain data, all of it in the manifest.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use crate::schedule::{Concurrency, Election, Family, Kind, Preset, ReadMode, Schedule};

/// How much longer than asked the faults may go on at least, if some are still owed.
const EXTENSION_MIN: Duration = Duration::from_secs(5);

/// Until the first fault can come: the nodes start, elect and answer.
pub const GET_GOING: Duration = Duration::from_secs(2);

/// One run.
#[derive(Clone, Debug, Serialize)]
pub struct Options {
    /// As `workloads` knows it.
    pub workload: String,
    /// How many nodes.
    pub nodes: u16,
    /// How many operations may be under way at a time.
    pub concurrency: usize,
    /// Operations per second, open loop; none: closed loop.
    pub rate: Option<f64>,
    /// Warm-up and faults together.
    pub time_limit: Duration,
    /// What is done to the cluster.
    pub faults: Faults,
    /// Decides the plan and the operations.
    pub seed: u64,
    /// Keys in use at a time.
    pub keys: u64,
    /// After how many operations a key retires; none: the workload's own choice.
    pub ops_per_key: Option<u64>,
    /// How long a client waits for an answer.
    pub op_timeout: Duration,
    /// How often a client tries again under the same request id.
    pub retries: u32,
    /// How many bytes a node's log grows by from one snapshot to the next; none: the node's own choice.
    pub snapshot_every_bytes: Option<u64>,
    /// How leaders come to be; none: the node's own choice.
    pub election: Option<Election>,
    /// How reads are answered; none: the node's own choice.
    pub read_mode: Option<ReadMode>,
    /// The node's binary.
    pub binary: PathBuf,
    /// The rule to remove.
    pub mutant: Option<String>,
    /// Whether data folders are kept after a valid run.
    pub keep_data: bool,
    /// Whether mixes prefer what strikes where nothing struck yet.
    pub steer: bool,
    /// Whether a violation found while the run goes on ends it.
    pub stop_early: bool,
}

/// What is done to the cluster.
#[derive(Clone, Debug, PartialEq)]
pub enum Faults {
    /// What `--nemesis` names, until the time limit.
    Nemesis(Preset),
    /// What a file says.
    Schedule {
        /// Where it can be read; none yet if it was made up on the way, as smaller ones are.
        file: Option<PathBuf>,
        /// What it says.
        schedule: Box<Schedule>,
    },
}

impl Faults {
    /// Nothing at all.
    pub fn none() -> Faults {
        Faults::nemesis(&[], Duration::from_secs(5))
    }

    /// These kinds, all of them owed.
    pub fn nemesis(kinds: &[Kind], interval: Duration) -> Faults {
        Faults::Nemesis(Preset { kinds: kinds.to_vec(), owed: kinds.to_vec(), interval })
    }

    /// Whether nobody is ever hurt.
    pub fn is_none(&self) -> bool {
        match self {
            Faults::Nemesis(preset) => preset.kinds.is_empty(),
            Faults::Schedule { schedule, .. } => schedule.ids().next().is_none(),
        }
    }

    /// In a word or two, for titles.
    pub fn title(&self) -> String {
        match self {
            Faults::Nemesis(preset) => format!("nemesis {}", nemesis_words(&preset.kinds)),
            Faults::Schedule { schedule, .. } => format!("schedule {}", schedule.name),
        }
    }
}

impl Serialize for Faults {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Faults::Nemesis(preset) => preset.serialize(serializer),
            Faults::Schedule { file, .. } => file.serialize(serializer),
        }
    }
}

impl Options {
    /// A run's usual shape, of the binary next to this one.
    pub fn usual(workload: &str, binary: PathBuf, seed: u64) -> Options {
        let nodes = 5;
        Options {
            workload: workload.to_owned(),
            nodes,
            concurrency: Concurrency::USUAL.clients(nodes),
            rate: None,
            time_limit: Duration::from_secs(60),
            faults: Faults::none(),
            seed,
            keys: 5,
            ops_per_key: None,
            op_timeout: Duration::from_secs(2),
            retries: 0,
            snapshot_every_bytes: None,
            election: None,
            read_mode: None,
            binary,
            mutant: None,
            keep_data: false,
            steer: true,
            stop_early: true,
        }
    }

    /// The run that a schedule asks for, of this binary, with this seed if it gives none; what it leaves
    /// open is as usual. Without a file it was made up on the way.
    pub fn of_schedule(file: Option<&Path>, schedule: Schedule, binary: &Path, seed: u64) -> Options {
        let said = &schedule.workload;
        let usual = Options::usual(
            said.name.as_deref().unwrap_or("cas-register"),
            binary.to_owned(),
            schedule.seed.unwrap_or(seed),
        );
        let nodes = schedule.nodes.unwrap_or(usual.nodes);
        Options {
            nodes,
            concurrency: said.concurrency.unwrap_or(Concurrency::USUAL).clients(nodes),
            rate: said.rate,
            time_limit: schedule.lasts() + GET_GOING,
            keys: said.keys.unwrap_or(usual.keys),
            ops_per_key: said.ops_per_key,
            op_timeout: said.op_timeout.unwrap_or(usual.op_timeout),
            retries: said.retries.unwrap_or(usual.retries),
            snapshot_every_bytes: schedule.snapshot_every_bytes,
            election: schedule.election,
            read_mode: schedule.read_mode,
            faults: Faults::Schedule { file: file.map(Path::to_owned), schedule: Box::new(schedule) },
            ..usual
        }
    }

    /// The schedule for a run with so much time left for faults. What is owed may overrun the limit by
    /// half of it.
    pub fn schedule(&self, left: Duration) -> Schedule {
        match &self.faults {
            Faults::Nemesis(preset) => preset.schedule(left, (self.time_limit / 2).max(EXTENSION_MIN)),
            Faults::Schedule { schedule, .. } => (**schedule).clone(),
        }
    }

    /// One line for people.
    pub fn title(&self) -> String {
        let mutant = self.mutant.as_ref().map(|name| format!(", mutant {name}")).unwrap_or_default();
        format!(
            "{} on {} nodes{mutant}, {}, seed {}",
            self.workload,
            self.nodes,
            self.faults.title(),
            self.seed
        )
    }

    /// The command line that repeats the plan, `program` being this harness and `results` where run
    /// folders go.
    pub fn command_line(&self, program: &str, results: &Path) -> String {
        let mut words = self.words(program, "test");
        let mut flag = |name: &str, value: String| words.extend([name.to_owned(), value]);
        flag("--bin", shell_word(&self.binary));
        if let Some(mutant) = &self.mutant {
            flag("--mutant", shell_word(mutant));
        }
        flag("--results", shell_word(results));
        for (name, given) in [("--keep-data", self.keep_data), ("--no-stop-early", !self.stop_early)] {
            if given {
                words.push(name.to_owned());
            }
        }
        words.join(" ")
    }

    /// The command line that shows the same in the simulation.
    pub fn simulated_command_line(&self, program: &str) -> String {
        let mut words = self.words(program, "sim");
        if let Some(mutant) = &self.mutant {
            words.extend(["--mutant".to_owned(), shell_word(mutant)]);
        }
        words.join(" ")
    }

    /// What both worlds are told alike.
    fn words(&self, program: &str, subcommand: &str) -> Vec<String> {
        let mut words = vec![shell_word(program), subcommand.to_owned()];
        let mut flag = |name: &str, value: String| words.extend([name.to_owned(), value]);
        flag("-w", self.workload.clone());
        match &self.faults {
            Faults::Nemesis(Preset { kinds, owed, interval }) => {
                flag("--nemesis", nemesis_words(kinds));
                if owed != kinds {
                    flag("--owe", nemesis_words(owed));
                }
                flag("--nemesis-interval", seconds(*interval));
                flag("--time-limit", seconds(self.time_limit));
            }
            // A file has its own times.
            Faults::Schedule { file: Some(file), .. } => flag("--schedule", shell_word(file)),
            // Nothing can be named: the run gives it a file before it says how to repeat it.
            Faults::Schedule { file: None, .. } => {}
        }
        flag("--concurrency", self.concurrency.to_string());
        if let Some(rate) = self.rate {
            flag("--rate", rate.to_string());
        }
        flag("--node-count", self.nodes.to_string());
        flag("--seed", self.seed.to_string());
        flag("--key-count", self.keys.to_string());
        if let Some(ops) = self.ops_per_key {
            flag("--ops-per-key", ops.to_string());
        }
        flag("--op-timeout", seconds(self.op_timeout));
        if self.retries > 0 || matches!(self.faults, Faults::Schedule { .. }) {
            flag("--retries", self.retries.to_string());
        }
        if let Some(bytes) = self.snapshot_every_bytes {
            flag("--snapshot-every-bytes", bytes.to_string());
        }
        if let Some(election) = self.election {
            flag("--election", election.name().to_owned());
        }
        if let Some(mode) = self.read_mode {
            flag("--read-mode", mode.name().to_owned());
        }
        if !self.steer {
            words.push("--no-steer".to_owned());
        }
        words
    }
}

/// The shortest `--nemesis` that means these kinds.
pub fn nemesis_words(kinds: &[Kind]) -> String {
    if kinds.is_empty() {
        return "none".to_owned();
    }
    if kinds.len() == Kind::ALL.len() {
        return "all".to_owned();
    }
    let mut words = Vec::new();
    for family in Family::ALL {
        if family.kinds().all(|kind| kinds.contains(&kind)) {
            words.push(family.name());
        } else {
            words.extend(kinds.iter().filter(|kind| kind.family() == family).map(|kind| kind.name()));
        }
    }
    words.join(",")
}

/// Seconds as `--time-limit` takes them.
fn seconds(duration: Duration) -> String {
    duration.as_secs_f64().to_string()
}

/// A path or a name as a shell takes it.
pub fn shell_word(word: impl AsRef<Path>) -> String {
    let text = word.as_ref().display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_repeats_the_run() {
        let mut options = Options::usual("set", "/tmp/a b/paxos-node".into(), 42);
        let kinds = [Family::Kill.kinds().collect(), vec![Kind::LinkDrop]].concat();
        options.faults = Faults::nemesis(&kinds, Duration::from_secs(5));
        options.rate = Some(500.0);
        options.time_limit = Duration::from_millis(12_500);
        options.stop_early = false;
        assert_eq!(
            options.command_line("antipaxos", Path::new("results")),
            "antipaxos test -w set --nemesis kill,link:drop --nemesis-interval 5 --time-limit 12.5 \
             --concurrency 10 --rate 500 --node-count 5 --seed 42 --key-count 5 --op-timeout 2 --bin '/tmp/a b/paxos-node' \
             --results results --no-stop-early"
        );
        assert_eq!(options.title(), "set on 5 nodes, nemesis kill,link:drop, seed 42");
    }

    #[test]
    fn kinds_are_told_in_the_shortest_words() {
        assert_eq!(nemesis_words(&[]), "none");
        assert_eq!(nemesis_words(&Kind::ALL), "all");
        assert_eq!(nemesis_words(&[Kind::KillOne, Kind::PauseAll]), "kill:one,pause:all");
    }
}
