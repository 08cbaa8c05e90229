//! Runs in virtual time: repeatable to the last event, valid without faults of the nodes, and judged
//! like real ones.

use std::time::Duration;

use harness::results::schedule::resolved;
use harness::run::options::{Faults, Options};
use harness::run::verdict::{Answer, Subject};
use harness::schedule::library::LIBRARY;
use harness::schedule::{Kind, Preset, Schedule};
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

#[test]
fn steering_reaches_more_of_the_map_than_chance() {
    let reached = |steer| -> usize {
        let of_seed = |seed| {
            let faults = Faults::Nemesis(Preset {
                kinds: Kind::ALL.to_vec(),
                owed: Vec::new(),
                interval: Duration::from_secs(2),
            });
            run(&Options { faults, steer, rate: Some(100.0), ..options("append", seed) }).facts.reached.len()
        };
        (0..12).map(of_seed).sum()
    };
    let (by_chance, steered) = (reached(false), reached(true));
    assert!(steered > by_chance, "{steered} cells in 12 runs, {by_chance} by chance");
}

#[test]
fn a_steered_run_is_written_down_and_repeated_as_it_was() {
    let options = options("append", 5);
    let first = run(&options);
    let resolved = harness::results::schedule::resolved(&options, &first.facts).expect("it came to faults");
    let faults = Faults::Schedule { file: None, schedule: Box::new(resolved) };
    let again = run(&Options { faults, steer: false, ..options });
    let began =
        |ran: &Simulated| -> Vec<u64> { ran.facts.faults.iter().map(|fault| fault.start_ns).collect() };
    assert_eq!(began(&first), began(&again));
}

#[test]
fn what_the_simulation_cannot_do_is_not_done_worse() {
    let text = "schema = 1\nname = \"late\"\nstory = \"Clients are late.\"\nnodes = 3\n\
        [[phase]]\nname = \"faults\"\nfor = \"14s\"\n[[phase.fault]]\nid = \"late\"\nat = \"2s\"\n\
        do = \"link\"\non = \"clients->*\"\ndelay = \"5ms\"\nfor = \"10s\"\n";
    let schedule = Schedule::read("late.toml", text).unwrap_or_else(|refused| panic!("{refused}"));
    let faults = Faults::Schedule { file: None, schedule: Box::new(schedule) };
    let ran = run(&Options { nodes: 3, faults, ..options("append", 3) });
    assert_ne!(ran.verdict.verdict, Answer::Invalid, "{:#?}", ran.verdict.parts);
    let told = format!("{:?}", ran.facts.faults);
    assert!(told.contains("the simulation can only cut the links of clients"), "{told}");
}

#[test]
fn what_lasted_until_another_fault_came_is_written_so_that_it_can_be_read() {
    let waits = |text: &str| text.contains("until = { after") || text.contains("until = { event");
    let waiting: Vec<_> = LIBRARY.iter().filter(|entry| waits(entry.text)).collect();
    assert!(waiting.len() >= 2, "{waiting:?}");
    for entry in waiting {
        let schedule = Schedule::read(entry.file, entry.text).unwrap_or_else(|refused| panic!("{refused}"));
        let nodes = schedule.nodes.unwrap_or(5);
        let faults = Faults::Schedule { file: None, schedule: Box::new(schedule) };
        let options = Options { nodes, faults, ..options("append", 5) };
        let resolved = resolved(&options, &run(&options).facts).expect("a schedule");
        let read = Schedule::read("resolved.toml", &resolved.to_toml());
        assert!(read.is_ok(), "{}: {}", entry.name, read.err().map(|e| e.to_string()).unwrap_or_default());
    }
}
