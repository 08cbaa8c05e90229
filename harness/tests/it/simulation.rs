//! Runs in virtual time: repeatable to the last event, valid without faults of the nodes, and judged
//! like real ones.

use std::time::Duration;

use harness::run::options::{Faults, Options};
use harness::run::verdict::{Answer, Subject};
use harness::schedule::Kind;
use harness::system::paxos::simulation::{Simulated, simulate};

fn options(workload: &str, seed: u64) -> Options {
    Options {
        nodes: 5,
        rate: Some(200.0),
        time_limit: Duration::from_secs(25),
        faults: Faults::nemesis(&Kind::ALL, Duration::from_secs(2)),
        ..Options::usual(workload, "paxos-node".into(), seed)
    }
}

fn run(options: &Options) -> Simulated {
    simulate(options).expect("a workload")
}

#[test]
fn the_same_seed_is_the_same_run() {
    let (first, second) = (run(&options("cas-register", 7)), run(&options("cas-register", 7)));
    assert_eq!(first.events, second.events);
    assert_eq!(first.facts.faults, second.facts.faults);
    assert!(first.history.ops().eq(second.history.ops()));
    let other = run(&options("cas-register", 8));
    assert_ne!(first.events, other.events);
}

#[test]
fn every_workload_is_valid_under_every_fault() {
    for (seed, workload) in (40..).zip(workloads::names()) {
        let ran = run(&options(workload, seed));
        assert_eq!(ran.verdict.verdict, Answer::Valid, "{workload}, seed {seed}: {:#?}", ran.verdict.parts);
        assert!(ran.ops.ok > 1_000, "{workload}: {:?}", ran.ops);
        assert!(ran.facts.leader_changes > 2, "{workload}: {}", ran.facts.leader_changes);
    }
}

#[test]
fn a_run_too_short_for_what_it_owes_is_unknown() {
    let mut options = options("cas-register", 3);
    options.time_limit = Duration::from_secs(2);
    let ran = run(&options);
    assert_eq!(ran.verdict.verdict, Answer::Unknown, "{:#?}", ran.verdict.parts);
    assert_eq!(ran.verdict.part(Subject::Coverage).expect("told").answer, Answer::Unknown);
    assert_eq!(ran.verdict.part(Subject::History).expect("told").answer, Answer::Valid);
}
