//! Traces that end too early, are damaged, or are missing.

use super::tale::*;
use harness::system::paxos::white_box::trace::{FINDINGS_PER_RULE_MAX, NodeTrace, Rule, examine_traces};

/// A kill cuts a trace anywhere; what it hides accuses nobody, and needs no excuse.
#[test]
fn a_trace_that_is_cut_anywhere_accuses_nobody_of_what_it_hides() {
    let traces = Tale::new().traces();
    let whole = traces[1].bytes.len();
    for cut in (0..whole).rev() {
        // What n2 had not told yet, it had not done: nobody heard of it.
        let mut traces = traces.clone();
        traces[1].bytes.truncate(cut);
        let report = examine_traces(&traces, 3);
        assert_eq!((&report.violations, &report.unknown), (&vec![], &vec![]), "cut at {cut}");
    }
}

#[test]
fn garbage_in_the_middle_is_told_with_its_place_and_what_it_hides_is_unknown() {
    let mut tale = Tale::new();
    tale.then(2, [accepts(4, 3, first(), B)]);
    let mut traces = tale.traces();
    assert_eq!(rules(&examine_traces(&traces, 3)), [Rule::OnlyProposed.name().to_owned()].into());
    let middle = traces[0].bytes.len() / 2;
    traces[0].bytes[middle] ^= 1;
    let report = examine_traces(&traces, 3);
    // Whether n1 proposed it can't be seen any more.
    assert_eq!(report.violations, [""; 0]);
    let [unknown] = &report.unknown[..] else { panic!("{report:#?}") };
    assert!(unknown.starts_with("trace: n1: it can't be read on: byte "), "{unknown}");
    assert!(unknown.ends_with("of a frame is damaged"), "{unknown}");
}

#[test]
fn a_missing_trace_accuses_nobody_of_what_only_it_could_bear_out() {
    let mut tale = Tale::new();
    tale.then(2, [accepts(4, 3, first(), B)]);
    let traces = tale.traces();
    let report = examine_traces(&traces[1..], 3);
    assert_eq!(report.violations, [""; 0]);
    // What the others' own traces show stays shown.
    let mut tale = Tale::new();
    tale.then(3, [applied(3)]);
    let report = examine_traces(&tale.traces()[1..], 3);
    assert_eq!(rules(&report), [Rule::GapFreePrefix.name().to_owned()].into());
}

#[test]
fn a_trace_that_does_not_begin_with_the_first_life_says_so() {
    let mut tale = Tale::new();
    tale.then(1, [accepts(5, 3, first(), B)]);
    let mut traces = tale.traces();
    let mut late = Tale::new();
    late.without(2, &accepts(2, 1, first(), NOOP));
    traces[1] = late.traces().swap_remove(1);
    let report = examine_traces(&traces, 3);
    assert_eq!(report.violations, [""; 0]);
    assert_eq!(report.unknown, ["trace: n2: it says that record 2 is durable, and tells only of 1"]);
}

#[test]
fn another_nodes_trace_is_not_believed() {
    let mut traces = Tale::new().traces();
    // That of the leader: its ballots, and its votes, are its own alone.
    traces[2].bytes = traces[0].bytes.clone();
    let report = examine_traces(&traces, 3);
    assert_eq!(report.unknown, ["trace: n3: it is the trace of n1"]);
    assert_eq!(report.violations, [""; 0]);
}

#[test]
fn one_bug_that_shows_everywhere_is_told_a_few_times() {
    let mut tale = Tale::new();
    for slot in 3..30 {
        tale.then(3, [applied(slot)]);
    }
    let report = tale.examined();
    assert_eq!(report.violations.len(), FINDINGS_PER_RULE_MAX + 1);
    assert_eq!(report.violations[FINDINGS_PER_RULE_MAX], "trace: gap-free prefix: and 23 more like these");
}

#[test]
fn empty_traces_accuse_nobody() {
    let traces: Vec<NodeTrace> =
        (1..=3).map(|node| NodeTrace { node: harness::system::NodeId(node), bytes: Vec::new() }).collect();
    let report = examine_traces(&traces, 3);
    assert_eq!((report.violations, report.unknown), (vec![], vec![]));
}
