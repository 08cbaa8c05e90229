//! A cell of the detection matrix: faults and a load that should bring a planted bug out. Pure.
//!
//! Faults are a schedule of the library, which knows nothing of planted bugs, or kinds that come at
//! random. The load is the schedule's own, but for what the cell says.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::run::options::{Faults, Options, nemesis_words};
use crate::schedule::library::{self, LIBRARY};
use crate::schedule::{Election, Kind, Preset, Schedule};

/// How long a planted bug has to show, where the schedule does not say it.
pub(super) const MUTANT_TIME: Duration = Duration::from_secs(30);

/// Faults and a load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cell {
    pub(super) source: Source,
    pub(super) workload: &'static str,
    pub(super) load: Load,
}

/// Where the faults come from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Source {
    /// Kinds at random. The first is what it takes and owed for certain; the others come on top or
    /// underneath.
    Mix { kinds: &'static [Kind], interval_ms: u64 },
    /// A schedule of the library, by its name.
    Library(&'static str),
}

/// What differs from the schedule's own load; in a mix, from the usual one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Load {
    pub(super) nodes: Option<u16>,
    /// Clients for each node.
    pub(super) clients: Option<usize>,
    /// Operations per second; in a mix, none is a closed loop.
    pub(super) rate: Option<f64>,
    /// What is to be executed twice must be asked twice.
    pub(super) retries: Option<u32>,
    pub(super) op_timeout_ms: Option<u64>,
    pub(super) keys: Option<u64>,
    /// How much a node's log grows from one snapshot to the next.
    pub(super) snapshot_every_bytes: Option<u64>,
}

/// As the schedule has it.
pub(super) const AS_GIVEN: Load = Load {
    nodes: None,
    clients: None,
    rate: None,
    retries: None,
    op_timeout_ms: None,
    keys: None,
    snapshot_every_bytes: None,
};

/// For cells of the pool, and wherever nothing else is said: a client that asks again.
pub(super) const ASKING_AGAIN: Load = Load { retries: Some(2), ..AS_GIVEN };

/// In a mix, clients for each node.
const MIX_CLIENTS: usize = 4;

impl Cell {
    /// Its run, with this rule removed.
    pub(super) fn run(&self, mutant: &str, binary: PathBuf, seed: u64) -> Result<Options, String> {
        let options = match self.source {
            Source::Mix { kinds, interval_ms } => mix(self, kinds, interval_ms, binary, seed),
            Source::Library(name) => {
                let entry = library::by_name(name).ok_or_else(|| format!("no schedule is called {name}"))?;
                let read = Schedule::read(entry.file, entry.text).map_err(|refusals| refusals.to_string())?;
                Options::of_schedule(Some(Path::new(entry.file)), read, &binary, seed)
            }
        };
        let load = self.load;
        let nodes = load.nodes.unwrap_or(options.nodes);
        // Where the cluster is another one, the clients are as many for each node.
        let per_node = options.concurrency.div_ceil(usize::from(options.nodes.max(1)));
        Ok(Options {
            workload: self.workload.to_owned(),
            nodes,
            concurrency: load.clients.unwrap_or(per_node) * usize::from(nodes),
            rate: load.rate.or(options.rate),
            retries: load.retries.unwrap_or(options.retries),
            op_timeout: load.op_timeout_ms.map_or(options.op_timeout, Duration::from_millis),
            keys: load.keys.unwrap_or(options.keys),
            snapshot_every_bytes: load.snapshot_every_bytes.or(options.snapshot_every_bytes),
            seed,
            mutant: Some(mutant.to_owned()),
            stop_early: true,
            ..options
        })
    }

    /// The pool that every planted bug is tried with when its own cell does not show it: the whole
    /// library, and everything at random.
    pub(super) fn pool() -> Vec<Cell> {
        let everything = [
            Source::Mix { kinds: &Kind::ALL, interval_ms: 1_000 },
            Source::Mix { kinds: &Kind::ALL, interval_ms: 2_500 },
        ];
        let library = LIBRARY.iter().map(|entry| Source::Library(entry.name));
        let sources = everything.into_iter().chain(library);
        let both =
            |source| ["append", "cas-register"].map(|workload| Cell { source, workload, load: ASKING_AGAIN });
        sources.flat_map(both).collect()
    }
}

fn mix(cell: &Cell, kinds: &[Kind], interval_ms: u64, binary: PathBuf, seed: u64) -> Options {
    let nodes = cell.load.nodes.unwrap_or(5);
    Options {
        nodes,
        concurrency: MIX_CLIENTS * usize::from(nodes),
        time_limit: MUTANT_TIME,
        // Where ballots meet most.
        election: Some(Election::Randomised),
        faults: Faults::Nemesis(Preset {
            kinds: kinds.to_vec(),
            owed: kinds.iter().take(1).copied().collect(),
            interval: Duration::from_millis(interval_ms),
        }),
        ..Options::usual(cell.workload, binary, seed)
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Load { nodes, clients, rate, retries, op_timeout_ms, keys, snapshot_every_bytes } = self.load;
        match self.source {
            Source::Mix { kinds, interval_ms } => {
                write!(f, "{} under {} every {interval_ms} ms", self.workload, nemesis_words(kinds))?;
            }
            Source::Library(name) => write!(f, "{} under {name}", self.workload)?,
        }
        let mut also = |number: Option<String>, unit: &str| match number {
            Some(number) => write!(f, ", {number} {unit}"),
            None => Ok(()),
        };
        also(nodes.map(|n| n.to_string()), "nodes")?;
        also(clients.map(|n| n.to_string()), "clients a node")?;
        also(rate.map(|n| n.to_string()), "op/s")?;
        also(retries.map(|n| n.to_string()), "retries")?;
        also(op_timeout_ms.map(|n| n.to_string()), "ms patience")?;
        also(keys.map(|n| n.to_string()), "keys")?;
        also(snapshot_every_bytes.map(|n| n.to_string()), "bytes of log to a snapshot")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_pool_is_made_of_different_cells_that_can_be_run() {
        let pool = Cell::pool();
        let words: BTreeSet<String> = pool.iter().map(Cell::to_string).collect();
        assert_eq!(words.len(), pool.len());
        for cell in &pool {
            let run =
                cell.run("any", PathBuf::new(), 3).unwrap_or_else(|refused| panic!("{cell}: {refused}"));
            assert_eq!((run.seed, run.retries), (3, 2), "{cell}");
        }
    }

    #[test]
    fn a_load_says_what_differs_from_the_schedules() {
        let load = Load { nodes: Some(4), op_timeout_ms: Some(100), rate: Some(900.0), ..AS_GIVEN };
        let cell = Cell { source: Source::Library("chain"), workload: "append", load };
        let run = cell.run("any", PathBuf::new(), 3).expect("a run");
        assert_eq!((run.nodes, run.concurrency, run.rate), (4, 8, Some(900.0)));
        assert_eq!(run.op_timeout, Duration::from_millis(100));
        assert_eq!(cell.to_string(), "append under chain, 4 nodes, 900 op/s, 100 ms patience");
    }
}
