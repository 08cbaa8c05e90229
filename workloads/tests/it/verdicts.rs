//! What the checks say of systems that are known to be right, or known to be wrong.

use crate::system::{Bug, PROCESSES, Run};
use checker::{Budget, Verdict};
use workloads::{Options, by_name, names};

const STEPS: usize = 6_000;

fn verdict(name: &str, bug: Option<Bug>, seed: u64) -> Verdict {
    let options = Options { seed, processes: PROCESSES, ..Options::default() };
    let mut workload = by_name(name, &options).expect("one of the names");
    let history = Run::history(name, &mut *workload.generator, bug, seed, STEPS);
    history.well_formed().expect("the clients keep the rules");
    workload.check.check(&history, &Budget::default()).verdict
}

#[test]
fn a_perfect_system_is_valid() {
    for name in names() {
        for seed in 0..60 {
            let verdict = verdict(name, None, seed);
            assert!(verdict.is_valid(), "{name}, seed {seed}: {verdict}");
        }
    }
}

fn found(name: &str, bug: Bug) {
    for seed in 0..20 {
        let verdict = verdict(name, Some(bug), seed);
        assert!(verdict.is_invalid(), "{name} with {bug:?}, seed {seed}: {verdict}");
    }
}

#[test]
fn a_stale_read_is_found_by_every_workload() {
    for name in names() {
        found(name, Bug::StaleRead);
    }
}

#[test]
fn a_lost_update_is_found_by_every_workload() {
    for name in names() {
        found(name, Bug::LostUpdate);
    }
}

/// A client told "did not happen" of what has happened will do it again.
#[test]
fn a_false_failure_is_found_by_every_workload() {
    for name in names() {
        found(name, Bug::FailedYetDone);
    }
}

#[test]
fn a_change_that_happens_twice_is_found_where_it_can_show() {
    found("append", Bug::AppliedTwice);
    found("set", Bug::AppliedTwice);
}

#[test]
fn a_compare_and_set_that_does_not_compare_is_found() {
    found("cas-register", Bug::BlindCas);
}
