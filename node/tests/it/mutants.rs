//! Every planted bug is found by the simulation, on a seed that is clean without it.

use paxos_node::mutants::{Mutant, activate};
use paxos_node::sim::simulate;

/// A seed that finds each mutant, and what it says then.
const FOUND_BY: &[(Mutant, u64, &str)] = &[
    (Mutant::ReplyOnAccept, 0, "a read after appending"),
    (Mutant::Phase1OwnValue, 0, "I9"),
    (Mutant::NoopOverwritesAccepted, 0, "I9"),
    (Mutant::MajorityOffByOne, 0, "I3"),
    (Mutant::ReadWithoutQuorum, 1, "stale"),
    (Mutant::FollowerReadLocal, 0, "a read after appending"),
    (Mutant::DefiniteErrorForInFlight, 3, "was told to have failed, and happened"),
    (Mutant::DuplicateApply, 0, "was right"),
];

#[test]
fn every_mutant_is_found_and_only_with_the_rule_removed() {
    for mutant in Mutant::ALL {
        let pinned = FOUND_BY.iter().find(|(found, ..)| found == mutant);
        let (_, seed, words) = pinned.unwrap_or_else(|| panic!("no seed for {}", mutant.name()));
        activate(None);
        simulate(*seed).unwrap_or_else(|failure| panic!("seed {seed} without a mutant: {failure}"));
        activate(Some(*mutant));
        let found = simulate(*seed);
        activate(None);
        match found {
            Err(failure) => assert!(failure.reason.contains(words), "{}: {failure}", mutant.name()),
            Ok(_) => panic!("seed {seed} did not find {}: {}", mutant.name(), mutant.rule()),
        }
    }
}
