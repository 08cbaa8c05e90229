//! What was drawn, written down as a schedule: what a run leaves for repeating and shrinking it.
//!
//! Every draw is made: times, lengths, shares, who was struck. Roles stay roles: a fault that was done
//! to the leader, or to its first follower, is done to whoever leads then when it is repeated, for
//! elections go their own way and the story is about the leader, not about n3. A fault that waited for
//! something to happen waits for it again; all others come at their time.

use std::collections::{BTreeMap, BTreeSet};

use super::action::Action;
use super::{ActionSpec, LinkEffect, LinkEnd, LinkSpec, Shape, Target, Who};
use crate::proxy::{Endpoint, Link};
use crate::system::NodeId;

/// A step's action with its draws made (`drawn`), and the first thing that it came to.
pub(super) fn action(drawn: ActionSpec, bound: Option<&Action>) -> ActionSpec {
    let nodes = |target: &Target| match bound {
        Some(bound) if !is_role(target) && !bound.nodes().is_empty() => {
            Target::now(Who::Nodes(bound.nodes().to_vec()))
        }
        _ => target.clone(),
    };
    match &drawn {
        // One after the other: the bound action is only the first.
        ActionSpec::Kill(Target { who: Who::Each, .. })
        | ActionSpec::Pause(Target { who: Who::Each, .. }) => drawn,
        ActionSpec::Kill(target) => ActionSpec::Kill(nodes(target)),
        ActionSpec::Wipe(target) => ActionSpec::Wipe(nodes(target)),
        ActionSpec::Pause(target) => ActionSpec::Pause(nodes(target)),
        ActionSpec::Partition(shape) if !is_of_role(shape) => match bound {
            Some(Action::Links(links, _)) => {
                ActionSpec::Link(specs(links), LinkEffect { cut: true, ..LinkEffect::default() })
            }
            _ => drawn,
        },
        ActionSpec::Link(on, effect) if !on.iter().all(are_roles) => match bound {
            Some(Action::Links(links, _)) => ActionSpec::Link(specs(links), effect.clone()),
            _ => drawn,
        },
        ActionSpec::Reset(on) if !on.iter().all(are_roles) => match bound {
            Some(Action::Reset(links)) => ActionSpec::Reset(specs(links)),
            _ => drawn,
        },
        ActionSpec::Partition(_) | ActionSpec::Link(..) | ActionSpec::Reset(_) | ActionSpec::Swizzle(_) => {
            drawn
        }
    }
}

/// Whether words stand for a part that nodes play, or for all of them, and not for luck.
fn is_role(target: &Target) -> bool {
    match &target.who {
        Who::One | Who::Minority | Who::Majority => false,
        Who::Leader
        | Who::Leaders
        | Who::Followers
        | Who::Follower(_)
        | Who::All
        | Who::Each
        | Who::Nodes(_)
        | Who::MostBehind
        | Who::MostAhead
        | Who::LastFaulted => true,
    }
}

fn is_of_role(shape: &Shape) -> bool {
    match shape {
        Shape::Isolate(target)
        | Shape::OneWay(target, _)
        | Shape::QuorumLoss(target)
        | Shape::Clients(target) => is_role(target),
        Shape::Halves | Shape::Bridge(_) | Shape::MajoritiesRing | Shape::Chain(_) => false,
    }
}

fn are_roles(spec: &LinkSpec) -> bool {
    let is = |end: &LinkEnd| match end {
        LinkEnd::Any | LinkEnd::Clients => true,
        LinkEnd::Nodes(target) => is_role(target),
    };
    is(&spec.from) && is(&spec.to)
}

/// A set of links in words: one for each group of speakers that reach the same hearers.
pub(super) fn specs(links: &BTreeSet<Link>) -> Vec<LinkSpec> {
    let nodes =
        |nodes: &BTreeSet<NodeId>| LinkEnd::Nodes(Target::now(Who::Nodes(nodes.iter().copied().collect())));
    let mut clients = BTreeSet::new();
    let mut hearers: BTreeMap<NodeId, BTreeSet<NodeId>> = BTreeMap::new();
    for link in links {
        match link.from {
            Endpoint::Clients => {
                clients.insert(link.to);
            }
            Endpoint::Node(from) => {
                hearers.entry(from).or_default().insert(link.to);
            }
        }
    }
    let mut speakers: BTreeMap<BTreeSet<NodeId>, BTreeSet<NodeId>> = BTreeMap::new();
    for (from, to) in hearers {
        speakers.entry(to).or_default().insert(from);
    }
    let mut specs: Vec<LinkSpec> = speakers
        .iter()
        .map(|(to, from)| LinkSpec { from: nodes(from), to: nodes(to), both: false })
        .collect();
    if !clients.is_empty() {
        specs.push(LinkSpec { from: LinkEnd::Clients, to: nodes(&clients), both: false });
    }
    specs
}
