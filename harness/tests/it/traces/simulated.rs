//! Traces of simulated clusters under faults: sound nodes are never accused, broken ones are.

use harness::system::WhiteBoxReport;
use harness::system::paxos::white_box::trace::{NodeTrace, examine_traces};
use paxos_node::sim::{Failure, Setup, Summary, simulate_with_event_traces};

/// What a seed's simulation came to, and what its traces say.
fn examined(seed: u64) -> (Result<Summary, Failure>, WhiteBoxReport) {
    let setup = Setup::draw(seed);
    let (result, traces) = simulate_with_event_traces(&setup, seed);
    let traces: Vec<NodeTrace> = (1..)
        .zip(traces)
        .map(|(node, bytes)| NodeTrace { node: harness::system::NodeId(node), bytes })
        .collect();
    (result, examine_traces(&traces, traces.len()))
}

#[test]
fn sound_nodes_are_not_accused_whatever_is_done_to_them() {
    let mut steps = 0;
    for seed in 0..60 {
        let (result, report) = examined(seed);
        let summary = result.unwrap_or_else(|failure| panic!("seed {seed}: {failure}"));
        assert_eq!((&report.violations, &report.unknown), (&vec![], &vec![]), "seed {seed}");
        assert!(report.examined["traced slots"] >= summary.slots, "seed {seed}: {:?}", report.examined);
        steps += report.examined["traced steps"];
    }
    assert!(steps > 100_000, "{steps}");
}
