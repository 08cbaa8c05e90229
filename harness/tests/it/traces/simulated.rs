//! Traces of simulated clusters under faults: sound nodes are never accused, broken ones are.

use harness::system::paxos::white_box::trace::{NodeTrace, examine_traces};
use harness::system::{NodeId, WhiteBoxReport};
use paxos_node::sim::{Failure, Setup, Summary, simulate_with_event_traces};

/// What a seed's simulation came to, and what its traces say.
fn examined(seed: u64) -> (Result<Summary, Failure>, WhiteBoxReport) {
    let (result, traces) = simulate_with_event_traces(&Setup::draw(seed), seed);
    (result, judged(traces))
}

fn judged(traces: Vec<Vec<u8>>) -> WhiteBoxReport {
    let traces: Vec<NodeTrace> =
        (1..).zip(traces).map(|(node, bytes)| NodeTrace { node: NodeId(node), bytes }).collect();
    examine_traces(&traces, traces.len())
}

#[test]
fn sound_nodes_are_not_accused_whatever_is_done_to_them() {
    let (mut steps, mut changes) = (0, 0);
    for seed in 0..60 {
        let (result, report) = examined(seed);
        let summary = result.unwrap_or_else(|failure| panic!("seed {seed}: {failure}"));
        assert_eq!((&report.violations, &report.unknown), (&vec![], &vec![]), "seed {seed}");
        assert!(report.examined["traced slots"] >= summary.slots, "seed {seed}: {:?}", report.examined);
        steps += report.examined["traced steps"];
        changes += summary.members;
    }
    assert!(steps > 100_000 && changes > 100, "{steps} steps, {changes} changes of members");
}

#[cfg(feature = "mutants")]
mod planted {
    use super::{Setup, judged, simulate_with_event_traces};
    use crate::traces::tale::rules;
    use harness::system::paxos::white_box::trace::Rule::{self, *};
    use paxos_node::mutants::{Mutant, activate};

    /// Seeds within which each must have been seen.
    const SEEDS: u64 = 300;

    /// The bugs that traces are to show, and the rule that each of them breaks. Those that need more
    /// luck than so few clusters have are not here: accept-does-not-raise-promise (whose node
    /// mostly stops itself first), promise-first-chunk-counts, learned-across-ballots, and stale reads
    /// of a leader that is cut off.
    const SEEN: &[(&str, Rule)] = &[
        ("ack-before-fsync", DiskBeforeAck),
        ("promise-before-fsync", DiskBeforeAck),
        ("forget-promise-on-restart", NothingForgotten),
        ("forget-accepted-on-restart", NothingForgotten),
        ("accept-lower-ballot", NeverBelowPromise),
        ("ballot-round-only", NeverBelowPromise),
        ("one-ballot-variable", PromiseTellsAll),
        ("promise-omits-chosen", PromiseTellsAll),
        ("stale-promise-counted", HighestReported),
        ("duplicate-vote-counted", LearntIsChosen),
        ("phase1-own-value", HighestReported),
        ("phase1-lowest-ballot", HighestReported),
        ("noop-overwrites-accepted", HighestReported),
        ("ballot-reuse-after-restart", FreshBallot),
        ("majority-off-by-one", LearntIsChosen),
        ("resume-leadership", HighestReported),
        ("read-before-barrier", ReadSeesChosen),
        ("follower-read-local", ReadSeesChosen),
        ("reply-on-accept", AnsweredIsChosen),
        ("apply-past-gap", GapFreePrefix),
        ("watermark-without-ballot-check", LearntIsChosen),
        ("nondeterministic-apply", EqualStates),
    ];

    /// Those that need members that come and go. (Two changes at once are not among them: all nodes make
    /// the same of them, and what is undone is for whoever asked for it to see.)
    const SEEN_WHERE_MEMBERS_CHANGE: &[(&str, Rule)] =
        &[("config-at-learn", LearntIsChosen), ("removed-node-votes", LearntIsChosen)];

    /// The first seed whose traces break that rule; and what other rules were broken until then.
    fn first_seed(mutant: Mutant, rule: Rule, draw: impl Fn(u64) -> Setup) -> Result<u64, String> {
        let mut others = std::collections::BTreeMap::new();
        for seed in 0..SEEDS {
            activate(Some(mutant));
            let (_, traces) = simulate_with_event_traces(&draw(seed), seed);
            activate(None);
            let broken = rules(&judged(traces));
            if broken.contains(rule.name()) {
                return Ok(seed);
            }
            for other in broken {
                *others.entry(other).or_insert(0) += 1;
            }
        }
        Err(format!("{} shows in no trace as `{}`; others broken: {others:?}", mutant.name(), rule.name()))
    }

    #[test]
    fn planted_bugs_show_in_the_traces() {
        let lasting = |seed| Setup::draw(seed).with_lasting_members();
        let seen = |(name, rule): &(&str, Rule)| first_seed(Mutant::by_name(name).unwrap(), *rule, lasting);
        let mut missed: Vec<String> = SEEN.iter().filter_map(|row| seen(row).err()).collect();
        let seen =
            |(name, rule): &(&str, Rule)| first_seed(Mutant::by_name(name).unwrap(), *rule, Setup::draw);
        missed.extend(SEEN_WHERE_MEMBERS_CHANGE.iter().filter_map(|row| seen(row).err()));
        assert!(missed.is_empty(), "{missed:#?}");
    }
}
