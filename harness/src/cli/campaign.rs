//! What `test-all` runs: the workloads with their share of the faults. Pure.

use std::path::Path;
use std::time::Duration;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::run::options::{Faults, Options};
use crate::schedule::{Concurrency, Family, Kind, Preset};

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
            concurrency: Concurrency::USUAL.clients(nodes),
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
}
