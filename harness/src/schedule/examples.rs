//! Every kind of fault once, done to a cluster whose first node leads: for tables and tests.

use std::time::Duration;

use super::action::Action;
use super::bind::{Binder, View};
use super::draws::Draws;
use super::observed::{Condition, Observed};
use super::{
    ActionSpec, Body, Lasts, LinkEffect, LinkEnd, LinkSpec, Shape, Share, Span, Step, Target, Way, Who,
};
use crate::system::NodeId;

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// As in schedules, more or less.
    pub name: &'static str,
    /// What it comes to.
    pub action: Action,
    /// Why what may be demanded of the cluster is what it is.
    pub because: &'static str,
}

const QUORUM: &str = "a majority is left, and all of it is connected";
const OUTAGE: &str = "no quorum is left until it is undone";
const LOSSY: &str = "safety never rests on delivery; progress is only probable while it lasts";
const HALF_HEARD: &str = "a node that can only speak may keep deposing the others' leader";
const FORGETFUL: &str = "who forgot what it promised is not let in again: as good as dead";
const ARRIVAL: &str = "frames arrive; those that were late may still come between";

/// All that can be done to a cluster of `nodes`.
#[must_use]
pub fn examples(nodes: u16) -> Vec<Example> {
    let to = Target::now;
    let links =
        |from, effect| ActionSpec::Link(vec![LinkSpec { from, to: LinkEnd::Any, both: true }], effect);
    let everywhere = |effect| links(LinkEnd::Any, effect);
    let clean = LinkEffect::default;
    let some = Share::percent(20, 20);
    let late = Some(Span::exactly(Duration::from_millis(50)));
    use ActionSpec::{Kill, Partition, Pause, Wipe};
    let all: Vec<(&'static str, ActionSpec, &'static str)> = vec![
        ("kill one", Kill(to(Who::One)), QUORUM),
        ("kill leader", Kill(to(Who::Leader)), QUORUM),
        ("kill minority", Kill(to(Who::Minority)), QUORUM),
        ("kill majority", Kill(to(Who::Majority)), OUTAGE),
        ("kill all", Kill(to(Who::All)), OUTAGE),
        ("wipe one", Wipe(to(Who::One)), FORGETFUL),
        ("pause leader", Pause(to(Who::Leader)), QUORUM),
        ("pause minority", Pause(to(Who::Minority)), QUORUM),
        ("pause all", Pause(to(Who::All)), OUTAGE),
        ("partition halves", Partition(Shape::Halves), "the larger half is a majority if the number is odd"),
        ("partition isolate", Partition(Shape::Isolate(to(Who::Leader))), QUORUM),
        ("partition one-way", Partition(Shape::OneWay(to(Who::Leader), Way::In)), HALF_HEARD),
        (
            "partition bridge",
            Partition(Shape::Bridge(to(Who::Leader))),
            "who reaches the bridge but not the leader may keep deposing it",
        ),
        (
            "partition majorities-ring",
            Partition(Shape::MajoritiesRing),
            "every node reaches a majority, no two the same",
        ),
        ("partition chain", Partition(Shape::Chain(to(Who::Leader))), "no majority hears each other"),
        (
            "partition quorum-loss",
            Partition(Shape::QuorumLoss(to(Who::Leader))),
            "only one node reaches a majority",
        ),
        ("partition clients", Partition(Shape::Clients(to(Who::Leader))), QUORUM),
        ("link delay", everywhere(LinkEffect { delay: late, ..clean() }), ARRIVAL),
        ("link drop", everywhere(LinkEffect { drop: some, ..clean() }), LOSSY),
        ("link duplicate", everywhere(LinkEffect { duplicate: some, ..clean() }), LOSSY),
        ("link reorder", everywhere(LinkEffect { reorder: some, ..clean() }), LOSSY),
    ];
    let observed = Observed {
        nodes: (1..=nodes).map(|node| (NodeId(node), Condition::Up)).collect(),
        leader: Some((NodeId(1), (1, 1))),
        ..Observed::default()
    };
    let bound = |(name, spec, because): (&'static str, ActionSpec, &'static str)| {
        let mut draws = Draws::of(0, name, 0);
        let view = View::new(&observed, &[], &mut draws);
        let mut binder = Binder { view: &view, earlier: &|_| None, draws: &mut draws, resolved: Vec::new() };
        let body = Body { steps: vec![Step { after: Span::ZERO, action: spec }], lasts: Lasts::Phase };
        let items = binder.items(&body, Duration::from_secs(1)).ok()?;
        Some(Example { name, action: items.into_iter().next()?.action, because })
    };
    all.into_iter().filter_map(bound).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_nodes_are_enough_for_every_example() {
        assert_eq!(examples(5).len(), 21);
        assert!(
            examples(1).iter().all(|example| example.action.links().is_none_or(|links| links.len() == 1))
        );
    }
}
