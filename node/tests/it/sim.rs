//! The simulation: what it finds, and that it finds the same thing twice.

use paxos_node::paxos::{ElectionMode, LeaseTerms};
use paxos_node::service::ReadMode;
use paxos_node::sim::{Setup, Trace, Weather, simulate, simulate_setup, simulate_traced, walk, walk_traced};

#[test]
fn one_seed_is_one_story_to_the_last_byte() {
    for seed in [1, 7, 42] {
        let (result, trace) = simulate_traced(seed);
        result.unwrap_or_else(|failure| panic!("seed {seed}: {failure}"));
        assert!(trace.lines().count() > 100, "seed {seed}: hardly anything happened");
        let (_, again) = simulate_traced(seed);
        assert!(trace == again, "seed {seed} told two stories");
    }
}

/// A cluster that can't come to a leader: the liveness phase must say so, twice in the same words.
#[test]
fn a_failure_is_one_story_too() {
    let mut setup = Setup::calm(3, 1_000_000);
    setup.conditions.election = ElectionMode::Fixed;
    setup.conditions.client_weather = Weather { lose: 1_000_000, ..Weather::CALM };
    let fail = || {
        let (result, trace) = simulate_setup(&setup, 3, Trace::on());
        (result.expect_err("nobody can be answered").to_string(), trace.into_text())
    };
    let (reason, trace) = fail();
    assert!(reason.contains("liveness"), "{reason}");
    assert!(trace.ends_with(&format!("FAILED {}\n", reason.split_once(": ").expect("a reason").1)));
    assert_eq!((reason, trace), fail());
}

#[test]
fn clusters_of_one_to_nine_elect_and_serve() {
    for nodes in 1..=9 {
        let setup = Setup::calm(nodes, 3_000_000);
        let (result, _) = simulate_setup(&setup, u64::from(nodes), Trace::off());
        let summary = result.unwrap_or_else(|failure| panic!("{nodes} nodes: {failure}"));
        assert!(summary.calls.0 > 100, "{nodes} nodes served {:?}", summary.calls);
        assert!(summary.ballots <= 10, "{nodes} nodes took {} ballots", summary.ballots);
    }
}

/// And in some of them disks are emptied, whose nodes are not let in again.
#[test]
fn each_read_mode_answers_in_its_way() {
    let lease = LeaseTerms { term_us: 100_000, drift_ppm: 10_000 };
    let counts = [(ReadMode::Barrier, LeaseTerms::NONE), (ReadMode::Lease, lease), (ReadMode::Log, lease)];
    let [barrier, leased, log] = counts.map(|(reads, lease)| {
        let mut setup = Setup::calm(3, 3_000_000);
        (setup.conditions.reads, setup.conditions.lease) = (reads, lease);
        let (result, _) = simulate_setup(&setup, 11, Trace::off());
        result.unwrap_or_else(|failure| panic!("{reads}: {failure}")).reads
    });
    assert!(barrier.0 == 0 && barrier.1 > 50, "by barrier: {barrier:?}");
    assert!(leased.0 > 50 && leased.1 * 10 < leased.0, "by lease: {leased:?}");
    assert_eq!(log, (0, 0), "through the log");
}

#[test]
fn a_few_hundred_seeds_are_clean() {
    let mut turned_away = 0;
    for seed in 0..200 {
        let summary = simulate(seed).unwrap_or_else(|failure| {
            panic!(
                "seed {seed} failed {failure}\nrepeat: cargo run --release -p paxos-node --bin paxos-sim -- --seed {seed}"
            )
        });
        turned_away += summary.turned_away;
    }
    assert!(turned_away > 10, "only {turned_away} nodes with an emptied disk were turned away");
}

#[test]
fn founders_meet_before_anything_else_however_many_they_are() {
    for nodes in 1..=9 {
        let mut setup = Setup::calm(nodes, 1_000_000);
        setup.conditions.meets = true;
        let (result, _) = simulate_setup(&setup, u64::from(nodes), Trace::off());
        let summary = result.unwrap_or_else(|failure| panic!("{nodes} nodes: {failure}"));
        assert!(summary.calls.0 > 100, "{nodes} nodes served {:?}", summary.calls);
    }
}

#[test]
fn random_walks_are_clean_and_repeat_themselves() {
    for seed in 0..2_000 {
        if let Err(failure) = walk(seed) {
            panic!(
                "walk {seed} failed {failure}\nrepeat: cargo run --release -p paxos-node --bin paxos-sim -- --walk --seed {seed}"
            );
        }
    }
    assert!(walk_traced(9).1 == walk_traced(9).1, "one walk, two stories");
}
