//! The nemesis's planning: repeatable, complete, bounded, and curable.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use harness::nemesis::plan::{
    CALM_MIN, Condition, LENGTH_MAX, LENGTH_MIN, Next, Observed, Planner, Settings,
};
use harness::nemesis::{Action, Cure, Family, Fault, Kind};
use harness::system::NodeId;
use proptest::prelude::*;

fn nodes(count: u16) -> Vec<NodeId> {
    (1..=count).map(NodeId).collect()
}

fn settings(seed: u64, count: u16, kinds: &[Kind]) -> Settings {
    Settings {
        seed,
        kinds: kinds.to_vec(),
        owed: kinds.to_vec(),
        nodes: nodes(count),
        interval: Duration::from_secs(5),
    }
}

fn healthy(count: u16, leader: Option<u16>, remaining: Duration) -> Observed {
    Observed {
        leader: leader.map(NodeId),
        nodes: nodes(count).into_iter().map(|node| (node, Condition::Up)).collect(),
        remaining,
        extension: Duration::ZERO,
    }
}

/// Plays a whole phase against a cluster where every fault bites, and each takes `overhead` more
/// than planned.
fn play(planner: &mut Planner, count: u16, phase: Duration, overhead: Duration) -> Vec<Fault> {
    let mut remaining = phase;
    let mut faults = Vec::new();
    loop {
        match planner.next(&healthy(count, Some(1), remaining)) {
            Next::Fault(fault) => {
                planner.settle(fault.kind, true);
                remaining = remaining.saturating_sub(fault.length + fault.calm + overhead);
                faults.push(fault);
            }
            Next::Skip { kind, reason, .. } => panic!("{kind} skipped: {reason}"),
            Next::Finished => return faults,
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_plan_and_another_seed_another() {
    let plan = |seed| {
        play(&mut Planner::new(settings(seed, 5, &Kind::ALL)), 5, Duration::from_secs(120), Duration::ZERO)
    };
    assert_eq!(plan(7), plan(7));
    assert_ne!(plan(7), plan(8));
}

#[test]
fn what_is_owed_comes_first_and_then_the_rest_at_random() {
    for seed in 0..50 {
        let mut planner = Planner::new(settings(seed, 5, &Kind::ALL));
        let faults = play(&mut planner, 5, Duration::from_secs(240), Duration::ZERO);
        let first: BTreeSet<Kind> = faults.iter().take(Kind::ALL.len()).map(|fault| fault.kind).collect();
        assert_eq!(first.len(), Kind::ALL.len(), "seed {seed}");
        assert_eq!(planner.owed().count(), 0);
        assert!(faults.len() > Kind::ALL.len(), "seed {seed}: nothing at random in four minutes");
        assert!(faults.iter().take(Kind::ALL.len()).all(|fault| fault.beneath.is_empty()));
    }
}

#[test]
fn every_kind_fits_into_half_a_minute() {
    for seed in 0..50 {
        let mut planner = Planner::new(settings(seed, 5, &Kind::ALL));
        play(&mut planner, 5, Duration::from_secs(28), Duration::from_millis(150));
        assert_eq!(planner.owed().collect::<Vec<_>>(), [], "seed {seed}");
    }
}

#[test]
fn what_is_still_owed_may_use_the_extension_and_nothing_else_may() {
    let mut planner = Planner::new(settings(1, 5, &[Kind::KillOne]));
    let late = Observed { extension: Duration::from_secs(5), ..healthy(5, Some(1), Duration::ZERO) };
    assert!(matches!(planner.next(&late), Next::Fault(_)));
    planner.settle(Kind::KillOne, true);
    assert_eq!(planner.next(&late), Next::Finished);
}

#[test]
fn a_fault_that_did_not_bite_is_owed_again_behind_the_others() {
    let kinds = [Kind::KillOne, Kind::PauseOne, Kind::LinkDrop];
    let mut planner = Planner::new(settings(3, 5, &kinds));
    let Next::Fault(first) = planner.next(&healthy(5, Some(1), Duration::from_secs(60))) else {
        panic!("a fault is possible");
    };
    planner.settle(first.kind, false);
    let owed: Vec<Kind> = planner.owed().collect();
    assert_eq!(owed.len(), 3);
    assert_eq!(owed.last(), Some(&first.kind));
}

#[test]
fn a_leader_is_struck_only_if_somebody_leads_and_is_up() {
    for kind in [Kind::KillLeader, Kind::PauseLeader, Kind::PartitionIsolateLeader] {
        let mut planner = Planner::new(settings(1, 3, &[kind]));
        let next = planner.next(&healthy(3, None, Duration::from_secs(60)));
        assert!(matches!(&next, Next::Skip { reason, .. } if reason == "nobody leads"), "{kind}: {next:?}");
        let mut observed = healthy(3, Some(2), Duration::from_secs(60));
        observed.nodes.insert(NodeId(2), Condition::Down);
        assert!(matches!(planner.next(&observed), Next::Skip { .. }), "{kind}");
        observed.nodes.insert(NodeId(2), Condition::Up);
        let Next::Fault(fault) = planner.next(&observed) else { panic!("{kind}: a leader leads") };
        match fault.action {
            Action::Kill(struck) | Action::Pause(struck) => assert_eq!(struck, [NodeId(2)]),
            Action::Cut(links) => {
                assert_eq!(links.len(), 4);
                assert!(links.iter().all(|&(from, to)| from == NodeId(2) || to == NodeId(2)));
            }
            Action::Trouble(..) => panic!("{kind} is no trouble on links"),
        }
    }
}

#[test]
fn shapes_are_what_they_are_called() {
    for seed in 0..40 {
        for (kind, links) in
            [(Kind::PartitionHalves, 12), (Kind::PartitionIsolateRandom, 8), (Kind::PartitionOneWay, 4)]
        {
            let mut planner = Planner::new(settings(seed, 5, &[kind]));
            let Next::Fault(fault) = planner.next(&healthy(5, Some(1), Duration::from_secs(60))) else {
                panic!("{kind} is possible");
            };
            let Action::Cut(cut) = fault.action else { panic!("{kind} cuts") };
            assert_eq!(cut.len(), links, "{kind} with seed {seed}");
        }
        let mut planner = Planner::new(settings(seed, 5, &[Kind::KillMinority]));
        let Next::Fault(fault) = planner.next(&healthy(5, Some(1), Duration::from_secs(60))) else {
            panic!("a minority can be killed");
        };
        assert!(matches!(fault.action, Action::Kill(ref struck) if struck.len() == 2));
    }
}

#[test]
fn a_cluster_of_one_has_no_links_and_no_minority() {
    for kind in Kind::ALL {
        let mut planner = Planner::new(settings(1, 1, &[kind]));
        let next = planner.next(&healthy(1, Some(1), Duration::from_secs(60)));
        assert_eq!(matches!(next, Next::Fault(_)), kind.nodes_min() == 1, "{kind}: {next:?}");
    }
}

#[test]
fn nothing_asked_for_is_nothing_done() {
    let mut planner = Planner::new(settings(1, 5, &[]));
    assert_eq!(planner.next(&healthy(5, Some(1), Duration::from_secs(60))), Next::Finished);
}

fn a_condition() -> impl Strategy<Value = Condition> {
    prop_oneof![4 => Just(Condition::Up), 1 => Just(Condition::Down), 1 => Just(Condition::Paused)]
}

proptest! {
    /// Whatever is observed: lengths and calms keep their bounds, targets are nodes that are up,
    /// links join two different nodes of the cluster, and every action has its cure.
    #[test]
    fn bounds_hold_and_every_fault_has_its_cure(
        seed in any::<u64>(),
        conditions in prop::collection::vec(a_condition(), 1..=9),
        leader in prop::option::of(1..=9_u16),
        remaining_ms in 0..120_000_u64,
        paid in 0..=Kind::ALL.len(),
    ) {
        let count = conditions.len() as u16;
        let states: BTreeMap<NodeId, Condition> = nodes(count).into_iter().zip(conditions).collect();
        let up = |node: &NodeId| states.get(node) == Some(&Condition::Up);
        let mut planner = Planner::new(settings(seed, count, &Kind::ALL));
        let owed: Vec<Kind> = planner.owed().take(paid).collect();
        for kind in owed {
            planner.settle(kind, true);
        }
        let observed = Observed {
            leader: leader.filter(|&node| node <= count).map(NodeId),
            nodes: states.clone(),
            remaining: Duration::from_millis(remaining_ms),
            extension: Duration::ZERO,
        };
        let Next::Fault(fault) = planner.next(&observed) else { return Ok(()) };
        prop_assert!(fault.length >= LENGTH_MIN && fault.length <= LENGTH_MAX);
        prop_assert!(fault.calm >= CALM_MIN && fault.calm <= Duration::from_secs(5));
        let beneath = fault.beneath.iter().map(|layer| &layer.action);
        for action in beneath.chain([&fault.action]) {
            match action {
                Action::Kill(struck) | Action::Pause(struck) => {
                    prop_assert!(!struck.is_empty() && struck.iter().all(up));
                }
                Action::Cut(links) | Action::Trouble(links, _) => {
                    prop_assert!(!links.is_empty());
                    prop_assert!(links.iter().all(|(from, to)| from != to && from.0.max(to.0) <= count));
                }
            }
            let cure = match fault.kind.family() {
                Family::Kill => Cure::Restart,
                Family::Pause => Cure::Resume,
                Family::Partition | Family::Link => Cure::Heal,
            };
            prop_assert!(action.cure() == cure || action.cure() == Cure::Heal);
        }
    }
}
