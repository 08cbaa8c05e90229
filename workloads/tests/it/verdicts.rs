//! What the checks say of systems that are known to be right, or known to be wrong.

use crate::clients::{PROCESSES, Run};
use crate::system::Bug;
use checker::{Budget, Report};
use workloads::{Options, by_name, names};

const STEPS: usize = 6_000;

/// About 12,000 operations: half a minute at 400 per second, as a run asks by default.
const STEPS_OF_A_RUN: usize = 44_000;

fn report(name: &str, bug: Option<Bug>, seed: u64, steps: usize, lost_percent: u32) -> Report {
    let options = Options { seed, processes: PROCESSES, ..Options::default() };
    let mut workload = by_name(name, &options).expect("one of the names");
    let history = Run::history(&mut *workload.generator, bug, seed, steps, lost_percent);
    history.well_formed().expect("the clients keep the rules");
    workload.check.check(&history, &Budget::default())
}

#[test]
fn a_perfect_system_is_valid() {
    for name in names() {
        for seed in 0..30 {
            let report = report(name, None, seed, STEPS, 1);
            assert!(report.verdict.is_valid(), "{name}, seed {seed}: {report}");
        }
    }
}

/// In a run at its full length, however many answers get lost: up to one in five.
#[test]
fn no_check_meets_its_limits() {
    for name in names() {
        for (seed, lost_percent) in [(0, 1), (1, 4), (2, 8)] {
            let report = report(name, None, seed, STEPS_OF_A_RUN, lost_percent);
            assert!(report.ops.invoked > 12_000, "{name}, seed {seed}: {report}");
            assert!(report.verdict.is_valid(), "{name}, seed {seed}: {report}");
        }
    }
}

/// What each workload is there to find. What is missing, it can't see: a register does not show
/// who wrote it twice, a total not which transfer was lost as a whole.
const FINDS: [(&str, &[Bug]); 12] = {
    use Bug::*;
    [
        ("cas-register", &[StaleRead, LostUpdate, BlindCas, FailedYetDone, Amnesia, Forked]),
        ("set", &[StaleRead, LostUpdate, AppliedTwice, FailedYetDone, Amnesia, Forked]),
        ("append", &[StaleRead, LostUpdate, AppliedTwice, FailedYetDone, Amnesia, Forked]),
        (
            "list-append",
            &[StaleRead, FracturedRead, LostUpdate, Torn, AppliedTwice, FailedYetDone, Amnesia, Forked],
        ),
        ("rw-register", &[StaleRead, FracturedRead, LostUpdate, Torn, FailedYetDone, Amnesia, Forked]),
        ("bank", &[FracturedRead, Torn, AppliedTwice, Amnesia, Forked]),
        ("queue", &[LostUpdate, AppliedTwice, Overtaken, FailedYetDone, Amnesia, Forked]),
        ("counter", &[StaleRead, LostUpdate, AppliedTwice, FailedYetDone, Amnesia, Forked]),
        ("lock", &[LostUpdate, BlindCas, FailedYetDone, Amnesia, Forked]),
        ("unique-ids", &[LostUpdate, Amnesia, Forked]),
        ("long-fork", &[FailedYetDone, Amnesia, Forked]),
        ("monotonic", &[StaleRead, LostUpdate, Amnesia, Forked]),
    ]
};

#[test]
fn every_workload_finds_what_it_is_there_for() {
    assert!(FINDS.iter().map(|(name, _)| *name).eq(names().iter().copied()), "one row for each workload");
    for (name, bugs) in FINDS {
        for bug in bugs {
            for seed in 0..6 {
                let report = report(name, Some(*bug), seed, STEPS, 1);
                assert!(report.verdict.is_invalid(), "{name} with {bug:?}, seed {seed}: {report}");
            }
        }
    }
}
