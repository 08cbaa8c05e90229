//! The planted bugs, and for each the cell of the matrix that should find it. Pure.
//!
//! The first eight were given their faults by hand. The others go by the cheapest of the library's
//! schedules that showed them in the simulation; where none did, by the one that should.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::shape;
use crate::run::options::{Faults, Options};
use crate::run::verdict::Subject;
use crate::schedule::{Kind, Preset, Schedule};

/// A planted bug and the cell of the matrix that should find it.
pub(super) struct Planted {
    /// As the node knows it.
    pub(super) name: &'static str,
    cell: Cell,
    /// The parts of the verdict that may find it: what is wrong with what the cluster did. A slow
    /// machine, or a node that never got going, proves nothing about the bench.
    pub(super) counts: &'static [Subject],
}

/// What brings it out.
enum Cell {
    /// Faults at random.
    Drawn(Drawn),
    /// A schedule of the library, which knows nothing of planted bugs, and a workload.
    Library { schedule: &'static str, text: &'static str, workload: &'static str },
}

/// Faults at random under a load.
struct Drawn {
    workload: &'static str,
    nodes: u16,
    nemesis: &'static [Kind],
    interval_ms: u64,
    rate: Option<f64>,
    retries: u32,
    op_timeout_ms: u64,
}

/// By what its clients saw, or by what the nodes' logs and states hold.
const SEEN_OR_LOGGED: &[Subject] = &[Subject::History, Subject::Nodes];
/// By what its clients saw alone.
const SEEN: &[Subject] = &[Subject::History];

/// By these, or by a cluster that makes no progress: for what breaks that alone.
const OR_STUCK: &[Subject] = &[Subject::History, Subject::Nodes, Subject::Liveness];

/// A cell with a schedule of the library.
macro_rules! library {
    ($name:literal, $schedule:literal, $workload:literal, $counts:ident) => {
        Planted {
            name: $name,
            cell: Cell::Library {
                schedule: concat!("harness/schedules/", $schedule, ".toml"),
                text: include_str!(concat!("../../schedules/", $schedule, ".toml")),
                workload: $workload,
            },
            counts: $counts,
        }
    };
}

/// How often a client of a library cell asks again: what is executed twice must be asked twice.
const LIBRARY_RETRIES: u32 = 2;

/// How long a planted bug has to show.
pub(super) const MUTANT_TIME: Duration = Duration::from_secs(30);
/// The planted bug that must be found by every `test-all`: seen by the clients alone, in one of
/// the most ordinary faults.
pub(super) const CANARY: &str = "read-without-quorum";

/// All of them.
pub(super) const PLANTED: [Planted; 40] = [
    Planted {
        name: "reply-on-accept",
        counts: SEEN_OR_LOGGED,
        cell: Cell::Drawn(Drawn {
            workload: "append",
            nodes: 3,
            nemesis: &[Kind::PartitionIsolateLeader, Kind::KillLeader],
            interval_ms: 2_000,
            rate: Some(400.0),
            retries: 0,
            op_timeout_ms: 2_000,
        }),
    },
    Planted {
        name: "phase1-own-value",
        counts: SEEN_OR_LOGGED,
        cell: Cell::Drawn(Drawn {
            workload: "append",
            nodes: 3,
            nemesis: &[Kind::KillLeader, Kind::LinkDelay, Kind::LinkDrop],
            interval_ms: 1_500,
            rate: None,
            retries: 0,
            op_timeout_ms: 2_000,
        }),
    },
    Planted {
        name: "noop-overwrites-accepted",
        counts: SEEN_OR_LOGGED,
        cell: Cell::Drawn(Drawn {
            workload: "append",
            nodes: 3,
            nemesis: &[Kind::KillLeader, Kind::LinkDelay, Kind::LinkDrop],
            interval_ms: 1_500,
            rate: None,
            retries: 0,
            op_timeout_ms: 2_000,
        }),
    },
    Planted {
        name: "majority-off-by-one",
        counts: SEEN_OR_LOGGED,
        cell: Cell::Drawn(Drawn {
            workload: "cas-register",
            nodes: 4,
            nemesis: &[Kind::PartitionHalves],
            interval_ms: 3_000,
            rate: Some(400.0),
            retries: 0,
            op_timeout_ms: 2_000,
        }),
    },
    Planted {
        name: "read-without-quorum",
        counts: SEEN,
        cell: Cell::Drawn(Drawn {
            workload: "cas-register",
            nodes: 5,
            nemesis: &[Kind::PartitionIsolateLeader],
            interval_ms: 1_500,
            rate: None,
            retries: 0,
            // A client of the old leader must give up a write that waits for ever, and read: between
            // the election of the new leader and the old one's stepping down.
            op_timeout_ms: 100,
        }),
    },
    Planted {
        name: "follower-read-local",
        counts: SEEN_OR_LOGGED,
        cell: Cell::Drawn(Drawn {
            workload: "cas-register",
            nodes: 5,
            nemesis: &[Kind::LinkDelay, Kind::PartitionIsolateRandom],
            interval_ms: 3_000,
            rate: Some(400.0),
            retries: 0,
            op_timeout_ms: 2_000,
        }),
    },
    Planted {
        name: "definite-error-for-in-flight",
        counts: SEEN_OR_LOGGED,
        cell: Cell::Drawn(Drawn {
            workload: "cas-register",
            nodes: 3,
            // A leader that speaks but does not hear: its operations are accepted, and it steps down.
            nemesis: &[Kind::PartitionOneWay],
            interval_ms: 1_000,
            rate: None,
            retries: 0,
            op_timeout_ms: 2_000,
        }),
    },
    Planted {
        name: "duplicate-apply",
        counts: SEEN_OR_LOGGED,
        cell: Cell::Drawn(Drawn {
            workload: "append",
            nodes: 3,
            nemesis: &[Kind::KillLeader, Kind::PartitionIsolateLeader, Kind::LinkDrop],
            interval_ms: 1_500,
            rate: None,
            retries: 5,
            op_timeout_ms: 2_000,
        }),
    },
    library!("ack-before-fsync", "accepted-by-a-minority", "append", SEEN_OR_LOGGED),
    library!("promise-before-fsync", "accepted-by-a-minority", "append", SEEN_OR_LOGGED),
    library!("forget-promise-on-restart", "restart-storm", "append", SEEN_OR_LOGGED),
    library!("forget-accepted-on-restart", "ci-mix", "cas-register", SEEN_OR_LOGGED),
    library!("accept-lower-ballot", "minority-leader", "append", SEEN_OR_LOGGED),
    library!("accept-does-not-raise-promise", "accepted-by-a-minority", "append", SEEN_OR_LOGGED),
    library!("ballot-round-only", "ci-mix", "append", SEEN_OR_LOGGED),
    library!("one-ballot-variable", "everything-at-once", "append", SEEN_OR_LOGGED),
    library!("promise-omits-chosen", "minority-leader", "append", SEEN_OR_LOGGED),
    library!("promise-first-chunk-counts", "ci-mix", "append", SEEN_OR_LOGGED),
    library!("stale-promise-counted", "ci-mix", "cas-register", SEEN_OR_LOGGED),
    library!("duplicate-vote-counted", "duelling-proposers", "append", SEEN_OR_LOGGED),
    library!("strict-accept", "message-starvation", "append", OR_STUCK),
    library!("phase1-lowest-ballot", "duelling-proposers", "append", SEEN_OR_LOGGED),
    library!("ballot-reuse-after-restart", "restart-storm", "append", SEEN_OR_LOGGED),
    library!("learned-across-ballots", "old-accepts-released", "append", SEEN_OR_LOGGED),
    library!("resume-leadership", "ci-mix", "append", OR_STUCK),
    library!("ignore-nack", "minority-leader", "cas-register", OR_STUCK),
    library!("read-before-barrier", "minority-leader", "append", SEEN_OR_LOGGED),
    library!("read-token-reuse", "old-accepts-released", "cas-register", SEEN_OR_LOGGED),
    library!("read-ack-any-ballot", "old-accepts-released", "cas-register", SEEN_OR_LOGGED),
    library!("cas-at-propose", "accepted-by-a-minority", "cas-register", SEEN_OR_LOGGED),
    library!("apply-past-gap", "accepted-by-a-minority", "append", SEEN_OR_LOGGED),
    library!("watermark-without-ballot-check", "accepted-by-a-minority", "append", SEEN_OR_LOGGED),
    library!("no-gap-fill", "accepted-by-a-minority", "append", OR_STUCK),
    library!("dedup-in-leader-memory", "accepted-by-a-minority", "append", SEEN_OR_LOGGED),
    library!("cached-reply-of-wrong-seq", "accepted-by-a-minority", "append", SEEN_OR_LOGGED),
    library!("nondeterministic-apply", "accepted-by-a-minority", "append", SEEN_OR_LOGGED),
    library!("forwarded-op-dropped-acked", "accepted-by-a-minority", "append", SEEN_OR_LOGGED),
    library!("timeout-drawn-once", "duelling-proposers", "append", OR_STUCK),
    library!("timer-reset-by-anything", "accepted-by-a-minority", "append", OR_STUCK),
    library!("unbounded-peer-queue", "leader-frozen-then-woken", "append", SEEN_OR_LOGGED),
];

impl Planted {
    /// The planted bug of that name.
    pub(super) fn by_name(name: &str) -> Option<&'static Planted> {
        PLANTED.iter().find(|planted| planted.name == name)
    }

    /// The run that should find it.
    pub(super) fn run(&self, binary: PathBuf, seed: u64) -> Result<Options, String> {
        let options = match &self.cell {
            Cell::Drawn(drawn) => drawn.run(binary, seed),
            Cell::Library { schedule, text, workload } => {
                let read = Schedule::read(schedule, text).map_err(|refusals| refusals.to_string())?;
                let options = shape::of_schedule(Some(Path::new(schedule)), read, &binary, seed);
                Options { workload: (*workload).to_owned(), retries: LIBRARY_RETRIES, seed, ..options }
            }
        };
        Ok(Options { mutant: Some(self.name.to_owned()), stop_early: true, ..options })
    }
}

impl Drawn {
    fn run(&self, binary: PathBuf, seed: u64) -> Options {
        Options {
            nodes: self.nodes,
            concurrency: 4 * usize::from(self.nodes),
            rate: self.rate,
            time_limit: MUTANT_TIME,
            faults: Faults::Nemesis(Preset {
                kinds: self.nemesis.to_vec(),
                // The first is what it takes; the others come at random, on top or underneath.
                owed: self.nemesis.iter().take(1).copied().collect(),
                interval: Duration::from_millis(self.interval_ms),
            }),
            retries: self.retries,
            op_timeout: Duration::from_millis(self.op_timeout_ms),
            ..Options::usual(self.workload, binary, seed)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_canary_is_one_of_the_planted_bugs() {
        let canary = Planted::by_name(CANARY).expect("a planted bug");
        let run = canary.run(PathBuf::new(), 7).expect("a run");
        assert_eq!(canary.counts, [Subject::History]);
        assert_eq!((run.mutant.as_deref(), run.time_limit), (Some(CANARY), MUTANT_TIME));
    }

    #[test]
    fn every_planted_bug_has_one_cell_that_can_be_run() {
        let names: BTreeSet<&str> = PLANTED.iter().map(|planted| planted.name).collect();
        assert_eq!(names.len(), PLANTED.len());
        for planted in &PLANTED {
            let run = planted
                .run(PathBuf::new(), 1)
                .unwrap_or_else(|refused| panic!("{}: {refused}", planted.name));
            assert_eq!(run.mutant.as_deref(), Some(planted.name));
            assert!(run.time_limit <= Duration::from_secs(45), "{}", planted.name);
        }
    }
}
