//! The planted bugs, and for each the cell of the matrix that should find it. Pure.

use std::path::PathBuf;

use super::cell::{AS_GIVEN, ASKING_AGAIN, Cell, Load, Source};
use crate::run::options::Options;
use crate::run::verdict::Subject;
use crate::schedule::Kind;

/// A planted bug and the cell of the matrix that should find it.
pub(super) struct Planted {
    /// As the node knows it.
    pub(super) name: &'static str,
    /// The parts of the verdict that may find it: what is wrong with what the cluster did. A slow
    /// machine, or a node that never got going, proves nothing about the bench.
    pub(super) counts: &'static [Subject],
    pub(super) cell: Cell,
}

/// By what its clients saw, or by what the nodes' logs and states hold.
const SEEN_OR_LOGGED: &[Subject] = &[Subject::History, Subject::Nodes];
/// By what its clients saw alone.
const SEEN: &[Subject] = &[Subject::History];
/// By these, or by a cluster that makes no progress: for what breaks that alone.
const OR_STUCK: &[Subject] = &[Subject::History, Subject::Nodes, Subject::Liveness];

/// The planted bug that must be found by every `test-all`: seen by the clients alone, in one of
/// the most ordinary faults.
pub(super) const CANARY: &str = "read-without-quorum";

/// Those that live in the node's shell, which the simulation does not run.
pub(super) const IN_THE_SHELL: [&str; 1] = ["unbounded-peer-queue"];

const fn library(
    name: &'static str,
    schedule: &'static str,
    workload: &'static str,
    counts: &'static [Subject],
) -> Planted {
    Planted { name, counts, cell: Cell { source: Source::Library(schedule), workload, load: AS_GIVEN } }
}

const fn mix(
    name: &'static str,
    counts: &'static [Subject],
    workload: &'static str,
    kinds: &'static [Kind],
    interval_ms: u64,
    load: Load,
) -> Planted {
    Planted { name, counts, cell: Cell { source: Source::Mix { kinds, interval_ms }, workload, load } }
}

const THREE: Load = Load { nodes: Some(3), ..AS_GIVEN };

/// All of them, in the order of the node's list.
pub(super) const PLANTED: [Planted; 56] = [
    mix(
        "reply-on-accept",
        SEEN_OR_LOGGED,
        "append",
        &[Kind::PartitionIsolateLeader, Kind::KillLeader],
        2_000,
        Load { rate: Some(400.0), ..THREE },
    ),
    library("phase1-own-value", "two-leaders-lost", "append", SEEN_OR_LOGGED),
    mix(
        "noop-overwrites-accepted",
        SEEN_OR_LOGGED,
        "append",
        &[Kind::KillLeader, Kind::LinkDelay, Kind::LinkDrop],
        1_500,
        THREE,
    ),
    mix(
        "majority-off-by-one",
        SEEN_OR_LOGGED,
        "cas-register",
        &[Kind::PartitionHalves],
        3_000,
        Load { nodes: Some(4), rate: Some(400.0), ..AS_GIVEN },
    ),
    mix(
        "read-without-quorum",
        SEEN,
        "cas-register",
        &[Kind::PartitionIsolateLeader],
        1_500,
        // A client of the old leader must give up a write that waits for ever, and read: between
        // the election of the new leader and the old one's stepping down.
        Load { op_timeout_ms: Some(100), ..AS_GIVEN },
    ),
    mix(
        "follower-read-local",
        SEEN_OR_LOGGED,
        "cas-register",
        &[Kind::LinkDelay, Kind::PartitionIsolateRandom],
        3_000,
        Load { rate: Some(400.0), ..AS_GIVEN },
    ),
    mix(
        "definite-error-for-in-flight",
        SEEN_OR_LOGGED,
        "cas-register",
        // A leader that speaks but does not hear: its operations are accepted, and it steps down.
        &[Kind::PartitionOneWay],
        1_000,
        THREE,
    ),
    mix(
        "duplicate-apply",
        SEEN_OR_LOGGED,
        "append",
        &[Kind::KillLeader, Kind::PartitionIsolateLeader, Kind::LinkDrop],
        1_500,
        Load { retries: Some(5), ..THREE },
    ),
    library("ack-before-fsync", "blackouts-under-load", "append", SEEN_OR_LOGGED),
    library("promise-before-fsync", "promised-then-crashed", "append", SEEN_OR_LOGGED),
    library("forget-promise-on-restart", "promised-then-crashed", "append", SEEN_OR_LOGGED),
    library("forget-accepted-on-restart", "blackouts-under-load", "append", SEEN_OR_LOGGED),
    library("accept-lower-ballot", "refusals-lost", "append", SEEN_OR_LOGGED),
    library("accept-does-not-raise-promise", "missed-prepare", "append", SEEN_OR_LOGGED),
    library("ballot-round-only", "two-candidates-one-voter", "append", SEEN_OR_LOGGED),
    library("one-ballot-variable", "two-leaders-lost", "append", SEEN_OR_LOGGED),
    library("promise-omits-chosen", "laggard-leads", "append", SEEN_OR_LOGGED),
    library("promise-first-chunk-counts", "far-behind", "set", OR_STUCK),
    library("stale-promise-counted", "promises-late", "append", SEEN_OR_LOGGED),
    library("duplicate-vote-counted", "votes-doubled", "append", SEEN_OR_LOGGED),
    library("strict-accept", "missed-prepare", "append", OR_STUCK),
    library("phase1-lowest-ballot", "two-leaders-lost", "append", SEEN_OR_LOGGED),
    library("ballot-reuse-after-restart", "leader-blinks", "append", SEEN_OR_LOGGED),
    library("learned-across-ballots", "votes-of-an-earlier-reign", "append", SEEN_OR_LOGGED),
    library("resume-leadership", "leader-blinks", "append", OR_STUCK),
    library("ignore-nack", "tail-of-its-own", "append", OR_STUCK),
    // One key: what a read misses is then what its own key was told.
    library("read-before-barrier", "minority-leader", "append", SEEN_OR_LOGGED)
        .with(Load { keys: Some(1), ..ASKING_AGAIN }),
    library("read-token-reuse", "late-answers", "cas-register", SEEN_OR_LOGGED),
    library("read-ack-any-ballot", "answers-of-an-earlier-reign", "cas-register", SEEN_OR_LOGGED),
    library("cas-at-propose", "accepted-by-a-minority", "cas-register", SEEN_OR_LOGGED).asking_again(),
    library("apply-past-gap", "holes-in-the-log", "append", SEEN_OR_LOGGED),
    library("watermark-without-ballot-check", "tail-of-its-own", "append", SEEN_OR_LOGGED),
    library("no-gap-fill", "holes-in-the-log", "append", OR_STUCK),
    library("dedup-in-leader-memory", "accepted-by-a-minority", "append", SEEN_OR_LOGGED).asking_again(),
    library("cached-reply-of-wrong-seq", "accepted-by-a-minority", "append", SEEN_OR_LOGGED).asking_again(),
    library("nondeterministic-apply", "ci-mix", "cas-register", SEEN_OR_LOGGED),
    library("forwarded-op-dropped-acked", "accepted-by-a-minority", "append", SEEN_OR_LOGGED).asking_again(),
    library("timeout-drawn-once", "far-apart", "set", OR_STUCK),
    library("timer-reset-by-anything", "accepted-by-a-minority", "append", OR_STUCK).asking_again(),
    library("promise-omits-compacted", "snapshots", "append", SEEN_OR_LOGGED),
    library("sessions-not-in-snapshot", "snapshots", "append", SEEN_OR_LOGGED),
    library("applied-index-not-atomic", "snapshots", "append", SEEN_OR_LOGGED),
    library("log-cut-before-snapshot-durable", "snapshots", "append", OR_STUCK),
    library("snapshot-off-by-one", "snapshots", "append", SEEN_OR_LOGGED),
    library("install-older-snapshot", "snapshots", "append", SEEN_OR_LOGGED),
    library("install-resets-promise", "snapshots", "append", SEEN_OR_LOGGED),
    library("promise-after-accept-order", "snapshots", "append", SEEN_OR_LOGGED),
    library("self-vote-before-durable", "blackouts-under-load", "append", SEEN_OR_LOGGED),
    library("crc-ignored", "blackouts-under-load", "append", OR_STUCK),
    // No fault here makes bits rot or a disk slow: these two are missed, in plain sight.
    library("corrupt-middle-truncates", "blackouts-under-load", "append", SEEN_OR_LOGGED),
    library("heartbeat-behind-fsync", "slow-and-half-open", "append", OR_STUCK),
    library("append-after-garbage", "blackouts-under-load", "append", OR_STUCK),
    library("recycled-records-replayed", "snapshots", "append", OR_STUCK),
    library("no-dir-fsync", "blackouts-under-load", "append", OR_STUCK),
    library("amnesia-rejoin", "emptied-disk", "append", SEEN_OR_LOGGED),
    library("unbounded-peer-queue", "frozen-follower", "set", SEEN_OR_LOGGED),
];

impl Planted {
    /// The same with clients that ask again: what is executed twice must be asked twice.
    const fn asking_again(self) -> Planted {
        self.with(ASKING_AGAIN)
    }

    /// The same under another load than the schedule's.
    const fn with(self, load: Load) -> Planted {
        Planted { cell: Cell { load, ..self.cell }, ..self }
    }

    /// Of the parts of the verdict that may find it, those that need no look inside.
    pub(super) fn counts_for_clients(&self) -> Vec<Subject> {
        self.counts.iter().copied().filter(|&subject| subject != Subject::Nodes).collect()
    }

    /// The planted bug of that name.
    pub(super) fn by_name(name: &str) -> Option<&'static Planted> {
        PLANTED.iter().find(|planted| planted.name == name)
    }

    /// The run that should find it.
    pub(super) fn run(&self, binary: PathBuf, seed: u64) -> Result<Options, String> {
        self.cell.run(self.name, binary, seed)
    }
}

#[cfg(test)]
mod tests {
    use super::super::cell::MUTANT_TIME;
    use super::*;
    use std::collections::BTreeSet;
    use std::time::Duration;

    #[test]
    fn the_canary_is_one_of_the_planted_bugs() {
        let canary = Planted::by_name(CANARY).expect("a planted bug");
        let run = canary.run(PathBuf::new(), 7).expect("a run");
        assert_eq!(canary.counts, [Subject::History]);
        assert_eq!((run.mutant.as_deref(), run.time_limit), (Some(CANARY), MUTANT_TIME));
    }

    #[test]
    fn what_lives_in_the_shell_is_one_of_them() {
        assert!(IN_THE_SHELL.iter().all(|name| Planted::by_name(name).is_some()));
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
