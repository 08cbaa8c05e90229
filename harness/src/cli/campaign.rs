//! What `test-all` and `mutants` run: the workloads with their share of the faults, and for each
//! planted bug the load and the faults that expose it. Pure.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::run::options::{Faults, Options};
use crate::run::verdict::Subject;
use crate::schedule::{Family, Kind, Preset};

/// Operations per second of the main runs: two cores carry a cluster of five, its proxies and its
/// clients at this rate with room to spare, so that latencies mean something.
const RATE: f64 = 400.0;

/// The workloads of the main runs: few, so that each has time for its share of the faults. A register, a
/// set and a list show stale answers, lost ones, repeated ones and wrong orders, each by another engine of
/// the checker; what shows only between keys, or in locks and numbers, is for runs of its own.
pub(super) const MAIN: [&str; 3] = ["cas-register", "set", "append"];

/// The main runs: each of [`MAIN`] once, sharing the time. Each kind of fault is owed by exactly
/// one of them; once that is paid, all come at random.
pub(super) fn main_runs(time: Duration, seed: u64, nodes: u16, binary: &Path) -> Vec<Options> {
    let share = time / MAIN.len() as u32;
    let possible: Vec<Kind> = Kind::ALL.into_iter().filter(|kind| kind.nodes_min() <= nodes).collect();
    let mut dealt = deal(&possible, MAIN.len(), seed).into_iter();
    MAIN.into_iter()
        .enumerate()
        .map(|(number, workload)| Options {
            nodes,
            concurrency: 2 * usize::from(nodes),
            rate: Some(RATE),
            time_limit: share,
            faults: Faults::Nemesis(Preset {
                kinds: possible.clone(),
                owed: dealt.next().unwrap_or_default(),
                interval: Duration::from_secs(2),
            }),
            // One plan each, all from one seed.
            ..Options::usual(workload, binary.to_owned(), seed.wrapping_add(number as u64))
        })
        .collect()
}

/// Deals kinds to hands like cards: family by family, so that each hand gets some of each.
fn deal(kinds: &[Kind], hands: usize, seed: u64) -> Vec<Vec<Kind>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut dealt = vec![Vec::new(); hands];
    let mut next = 0;
    for family in Family::ALL {
        let mut cards: Vec<Kind> = kinds.iter().copied().filter(|kind| kind.family() == family).collect();
        cards.shuffle(&mut rng);
        for card in cards {
            dealt[next % hands].push(card);
            next += 1;
        }
    }
    for hand in &mut dealt {
        hand.sort();
    }
    dealt
}

/// A planted bug and what brings it out.
pub(super) struct Planted {
    /// As the node knows it.
    pub(super) name: &'static str,
    workload: &'static str,
    nodes: u16,
    nemesis: &'static [Kind],
    interval_ms: u64,
    rate: Option<f64>,
    retries: u32,
    op_timeout_ms: u64,
    /// The parts of the verdict that may find it: what is wrong with what the cluster did. A slow
    /// machine, or a node that never got going, proves nothing about the bench.
    pub(super) counts: &'static [Subject],
}

/// By what its clients saw, or by what the nodes' logs and states hold.
const SEEN_OR_LOGGED: &[Subject] = &[Subject::History, Subject::Nodes];
/// By what its clients saw alone.
const SEEN: &[Subject] = &[Subject::History];

/// How long a planted bug has to show.
pub(super) const MUTANT_TIME: Duration = Duration::from_secs(30);
/// The planted bug that must be found by every `test-all`: seen by the clients alone, in one of
/// the most ordinary faults.
pub(super) const CANARY: &str = "read-without-quorum";

/// All of them.
pub(super) const PLANTED: [Planted; 8] = [
    Planted {
        name: "reply-on-accept",
        workload: "append",
        nodes: 3,
        nemesis: &[Kind::PartitionIsolateLeader, Kind::KillLeader],
        interval_ms: 2_000,
        rate: Some(400.0),
        retries: 0,
        op_timeout_ms: 2_000,
        counts: SEEN_OR_LOGGED,
    },
    Planted {
        name: "phase1-own-value",
        workload: "append",
        nodes: 3,
        nemesis: &[Kind::KillLeader, Kind::LinkDelay, Kind::LinkDrop],
        interval_ms: 1_500,
        rate: None,
        retries: 0,
        op_timeout_ms: 2_000,
        counts: SEEN_OR_LOGGED,
    },
    Planted {
        name: "noop-overwrites-accepted",
        workload: "append",
        nodes: 3,
        nemesis: &[Kind::KillLeader, Kind::LinkDelay, Kind::LinkDrop],
        interval_ms: 1_500,
        rate: None,
        retries: 0,
        op_timeout_ms: 2_000,
        counts: SEEN_OR_LOGGED,
    },
    Planted {
        name: "majority-off-by-one",
        workload: "cas-register",
        nodes: 4,
        nemesis: &[Kind::PartitionHalves],
        interval_ms: 3_000,
        rate: Some(400.0),
        retries: 0,
        op_timeout_ms: 2_000,
        counts: SEEN_OR_LOGGED,
    },
    Planted {
        name: "read-without-quorum",
        workload: "cas-register",
        nodes: 5,
        nemesis: &[Kind::PartitionIsolateLeader],
        interval_ms: 1_500,
        rate: None,
        retries: 0,
        // A client of the old leader must give up a write that waits for ever, and read: between
        // the election of the new leader and the old one's stepping down.
        op_timeout_ms: 100,
        counts: SEEN,
    },
    Planted {
        name: "follower-read-local",
        workload: "cas-register",
        nodes: 5,
        nemesis: &[Kind::LinkDelay, Kind::PartitionIsolateRandom],
        interval_ms: 3_000,
        rate: Some(400.0),
        retries: 0,
        op_timeout_ms: 2_000,
        counts: SEEN_OR_LOGGED,
    },
    Planted {
        name: "definite-error-for-in-flight",
        workload: "cas-register",
        nodes: 3,
        // A leader that speaks but does not hear: its operations are accepted, and it steps down.
        nemesis: &[Kind::PartitionOneWay],
        interval_ms: 1_000,
        rate: None,
        retries: 0,
        op_timeout_ms: 2_000,
        counts: SEEN_OR_LOGGED,
    },
    Planted {
        name: "duplicate-apply",
        workload: "append",
        nodes: 3,
        nemesis: &[Kind::KillLeader, Kind::PartitionIsolateLeader, Kind::LinkDrop],
        interval_ms: 1_500,
        rate: None,
        retries: 5,
        op_timeout_ms: 2_000,
        counts: SEEN_OR_LOGGED,
    },
];

impl Planted {
    /// The planted bug of that name.
    pub(super) fn by_name(name: &str) -> Option<&'static Planted> {
        PLANTED.iter().find(|planted| planted.name == name)
    }

    /// The run that should find it.
    pub(super) fn run(&self, binary: PathBuf, seed: u64) -> Options {
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
            mutant: Some(self.name.to_owned()),
            stop_early: true,
            ..Options::usual(self.workload, binary, seed)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn preset(run: &Options) -> &Preset {
        match &run.faults {
            Faults::Nemesis(preset) => preset,
            Faults::Schedule { .. } => panic!("main runs are drawn"),
        }
    }

    #[test]
    fn every_kind_is_owed_by_exactly_one_run_and_the_deal_is_fair() {
        for seed in 0..20 {
            let runs = main_runs(Duration::from_secs(120), seed, 5, Path::new(""));
            let mut owed: Vec<Kind> = runs.iter().flat_map(|run| preset(run).owed.clone()).collect();
            owed.sort();
            assert_eq!(owed, Kind::ALL);
            for run in &runs {
                assert_eq!(preset(run).kinds, Kind::ALL);
                assert_eq!(run.time_limit, Duration::from_secs(40));
                let families: BTreeSet<Family> = preset(run).owed.iter().map(|kind| kind.family()).collect();
                assert_eq!(families.len(), Family::ALL.len(), "seed {seed}: {:?}", preset(run).owed);
            }
        }
    }

    #[test]
    fn the_main_runs_ask_for_workloads_that_there_are() {
        assert!(MAIN.iter().all(|name| workloads::names().contains(name)));
    }

    #[test]
    fn small_clusters_owe_only_what_can_be_done_to_them() {
        let runs = main_runs(Duration::from_secs(30), 1, 1, Path::new(""));
        assert!(runs.iter().all(|run| preset(run).kinds.iter().all(|kind| kind.nodes_min() == 1)));
    }

    #[test]
    fn the_canary_is_one_of_the_planted_bugs() {
        let canary = Planted::by_name(CANARY).expect("a planted bug");
        let run = canary.run(PathBuf::new(), 7);
        assert_eq!(canary.counts, [Subject::History]);
        assert_eq!((run.mutant.as_deref(), run.time_limit), (Some(CANARY), MUTANT_TIME));
    }
}
