//! From words to nodes and links: what `leader`, `follower[0]` or a shape stands for right now.

use std::collections::BTreeSet;
use std::num::NonZeroU64;
use std::time::Duration;

use rand::RngExt as _;
use rand::seq::SliceRandom as _;

use super::action::{Action, both_ways, one_way};
use super::draws::{Draws, micros};
use super::observed::{Condition, Observed};
use super::resolve;
use super::{ActionSpec, Body, LinkEffect, LinkEnd, LinkSpec, Shape, Share, Span, Step, Target, Way, Who};
use crate::proxy::{Link, LinkPolicy};
use crate::system::NodeId;

/// The cluster as one fault found it when it came: words mean the same in all its steps, and in
/// those of later faults that refer to it.
#[derive(Clone, Debug, Default)]
pub struct View {
    nodes: Vec<NodeId>,
    /// Those that ran, in this occurrence's random order: who is drawn comes from its front.
    drawn: Vec<NodeId>,
    down: Vec<NodeId>,
    leader: Option<NodeId>,
    leaders: Vec<NodeId>,
    /// Everybody but the leader, in this occurrence's random order.
    followers: Vec<NodeId>,
    most_behind: Option<NodeId>,
    most_ahead: Option<NodeId>,
    last_faulted: Vec<NodeId>,
}

impl View {
    /// A view of the cluster, with an occurrence's own luck.
    pub(super) fn new(observed: &Observed, last_faulted: &[NodeId], draws: &mut Draws) -> View {
        let nodes: Vec<NodeId> = observed.nodes.keys().copied().collect();
        let mut shuffled = nodes.clone();
        shuffled.shuffle(&mut draws.0);
        let is = |node: &NodeId, condition| observed.nodes.get(node) == Some(&condition);
        let leader = observed.leader_up();
        let applied = |node: &NodeId| observed.applied.get(node).copied();
        View {
            drawn: shuffled.iter().copied().filter(|node| is(node, Condition::Up)).collect(),
            down: shuffled.iter().copied().filter(|node| is(node, Condition::Down)).collect(),
            followers: shuffled.iter().copied().filter(|&node| Some(node) != leader).collect(),
            most_behind: nodes.iter().copied().min_by_key(|node| applied(node).unwrap_or(u64::MAX)),
            most_ahead: nodes.iter().copied().max_by_key(|node| applied(node).unwrap_or(0)),
            leaders: observed.leaders.clone(),
            last_faulted: last_faulted.to_vec(),
            leader,
            nodes,
        }
    }

    /// Whom a word stands for, in order; why nobody, if so.
    pub(super) fn resolve(&self, who: &Who) -> Result<Vec<NodeId>, String> {
        let minority = self.nodes.len().saturating_sub(1) / 2;
        let mut found = match who {
            Who::Leader => self.leader.into_iter().collect(),
            Who::Leaders => self.leaders.clone(),
            // Without a leader nobody follows; but `followers` must not come to mean `all`.
            Who::Followers if self.leader.is_some() => self.followers.clone(),
            Who::Follower(place) if self.leader.is_some() => {
                self.followers.get(*place).copied().into_iter().collect()
            }
            Who::Followers | Who::Follower(_) => Vec::new(),
            Who::One => self.some(1)?,
            Who::Minority if minority == 0 => {
                return Err(format!("a cluster of {} has no minority to spare", self.nodes.len()));
            }
            Who::Minority => self.some(minority)?,
            Who::Majority => self.some(self.nodes.len() / 2 + 1)?,
            Who::All | Who::Each => self.nodes.clone(),
            Who::Nodes(nodes) => {
                if let Some(unknown) = nodes.iter().find(|node| !self.nodes.contains(node)) {
                    return Err(format!("there is no {unknown} in a cluster of {}", self.nodes.len()));
                }
                nodes.clone()
            }
            Who::MostBehind => self.most_behind.into_iter().collect(),
            Who::MostAhead => self.most_ahead.into_iter().collect(),
            Who::LastFaulted => self.last_faulted.clone(),
        };
        if found.is_empty() {
            return Err(match who {
                Who::Leader | Who::Leaders | Who::Followers | Who::Follower(_) if self.leader.is_none() => {
                    "nobody leads".to_owned()
                }
                Who::Follower(place) => format!("there is no follower number {place}"),
                Who::LastFaulted => "no fault was done to a node yet".to_owned(),
                _ => "there is no such node".to_owned(),
            });
        }
        if !matches!(who, Who::Each) {
            found.sort();
        }
        Ok(found)
    }

    fn some(&self, count: usize) -> Result<Vec<NodeId>, String> {
        match self.drawn.get(..count) {
            Some(drawn) => Ok(drawn.to_vec()),
            None => Err(format!("only {} of the {count} nodes needed are up", self.drawn.len())),
        }
    }
}

/// One action of an occurrence, with its place in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// After the occurrence came.
    pub from: Duration,
    /// Undone so long after the occurrence came; `None`: with the occurrence.
    pub until: Option<Duration>,
    /// What.
    pub action: Action,
    /// Whether the occurrence has bitten only if this has. One of its items must, in any case.
    pub must_bite: bool,
}

/// Binds the steps of one occurrence.
pub(super) struct Binder<'a> {
    /// The cluster as this occurrence finds it.
    pub(super) view: &'a View,
    /// How an earlier fault of this id found it.
    pub(super) earlier: &'a dyn Fn(&str) -> Option<View>,
    /// This occurrence's luck.
    pub(super) draws: &'a mut Draws,
    /// The steps with every draw made, for repeating the occurrence: see [`resolve`](super::resolve).
    pub(super) resolved: Vec<Step>,
}

impl Binder<'_> {
    /// All actions of a body, the last step lasting for `length` where a part of it needs to know.
    /// Fails with the reason why it can't be done now.
    pub(super) fn items(&mut self, body: &Body, length: Duration) -> Result<Vec<Item>, String> {
        let mut items = Vec::new();
        let mut from = Duration::ZERO;
        let last = body.steps.len().saturating_sub(1);
        for (number, step) in body.steps.iter().enumerate() {
            let after = self.draws.span(step.after);
            from += after;
            let already = items.len();
            let drawn = self.step(&step.action, from, length, number == last, &mut items)?;
            let action = resolve::action(drawn, items.get(already).map(|item| &item.action));
            self.resolved.push(Step { after: Span::exactly(after), action });
        }
        Ok(items)
    }

    fn step(
        &mut self,
        spec: &ActionSpec,
        from: Duration,
        length: Duration,
        must_bite: bool,
        items: &mut Vec<Item>,
    ) -> Result<ActionSpec, String> {
        let mut drawn = spec.clone();
        let one = |action| Item { from, until: None, action, must_bite };
        match spec {
            ActionSpec::Kill(target) | ActionSpec::Pause(target) if target.who == Who::Each => {
                let mut nodes = self.nodes(target)?;
                nodes.shuffle(&mut self.draws.0);
                let mut from = from;
                for node in nodes {
                    let action = match spec {
                        ActionSpec::Kill(_) => Action::Kill(vec![node]),
                        _ => Action::Pause(vec![node]),
                    };
                    items.push(Item { from, until: Some(from + length), action, must_bite });
                    from += length;
                }
            }
            ActionSpec::Kill(target) => items.push(one(Action::Kill(self.running(target)?))),
            ActionSpec::Wipe(target) => items.push(one(Action::Wipe(self.running(target)?))),
            ActionSpec::Pause(target) => items.push(one(Action::Pause(self.running(target)?))),
            ActionSpec::Partition(shape) => {
                let mut shape = shape.clone();
                if let Shape::OneWay(_, way @ Way::Either) = &mut shape {
                    *way = if self.draws.0.random() { Way::In } else { Way::Out };
                }
                items.push(one(Action::cut(self.shape(&shape)?)));
                drawn = ActionSpec::Partition(shape);
            }
            ActionSpec::Link(on, effect) => {
                let links = self.links(on)?;
                let effect = self.exact(effect);
                items.push(one(Action::Links(links, policy(&effect))));
                drawn = ActionSpec::Link(on.clone(), effect);
            }
            ActionSpec::Reset(on) => items.push(one(Action::Reset(self.links(on)?))),
            ActionSpec::Swizzle(target) => self.swizzle(target, from, length, items)?,
        }
        Ok(drawn)
    }

    fn nodes(&self, target: &Target) -> Result<Vec<NodeId>, String> {
        match &target.as_of {
            None => self.view.resolve(&target.who),
            Some(id) => match (self.earlier)(id) {
                Some(view) => view.resolve(&target.who),
                None => Err(format!("{id} has not come yet")),
            },
        }
    }

    fn running(&self, target: &Target) -> Result<Vec<NodeId>, String> {
        let nodes = self.nodes(target)?;
        match nodes.iter().find(|node| self.view.down.contains(node)) {
            Some(down) => Err(format!("{down} is down already")),
            None => Ok(nodes),
        }
    }

    fn shape(&mut self, shape: &Shape) -> Result<BTreeSet<Link>, String> {
        let nodes = self.view.nodes.clone();
        let without = |some: &[NodeId]| -> Vec<NodeId> {
            nodes.iter().copied().filter(|node| !some.contains(node)).collect()
        };
        let links = match shape {
            Shape::Halves => {
                let mut order = nodes.clone();
                order.shuffle(&mut self.draws.0);
                let (left, right) = order.split_at(order.len() / 2);
                both_ways(left, right)
            }
            Shape::Isolate(target) => {
                let some = self.nodes(target)?;
                both_ways(&some, &without(&some))
            }
            Shape::OneWay(target, way) => {
                let some = self.nodes(target)?;
                if *way == Way::In {
                    one_way(&without(&some), &some)
                } else {
                    one_way(&some, &without(&some))
                }
            }
            Shape::Bridge(target) => {
                let bridge = self.nodes(target)?;
                let mut banks = without(&bridge);
                banks.shuffle(&mut self.draws.0);
                let (left, right) = banks.split_at(banks.len() / 2);
                both_ways(left, right)
            }
            Shape::MajoritiesRing => {
                let mut ring = nodes.clone();
                ring.shuffle(&mut self.draws.0);
                // So many neighbours on either side make a majority with the node itself.
                let reach = (nodes.len() / 2).div_ceil(2);
                distant(&ring, reach, true)
            }
            Shape::Chain(target) => {
                let mut line = self.nodes(target)?;
                let mut rest = without(&line);
                rest.shuffle(&mut self.draws.0);
                line.append(&mut rest);
                distant(&line, 1, false)
            }
            Shape::QuorumLoss(target) => {
                let hub = self.nodes(target)?;
                let rest = without(&hub);
                one_way(&rest, &rest)
            }
            Shape::Clients(target) => self.nodes(target)?.into_iter().map(Link::clients).collect(),
        };
        if links.is_empty() {
            return Err(format!("in a cluster of {} this shape parts nobody", nodes.len()));
        }
        Ok(links)
    }

    /// The links that words stand for.
    pub(super) fn links(&self, specs: &[LinkSpec]) -> Result<BTreeSet<Link>, String> {
        let mut links = BTreeSet::new();
        for LinkSpec { from, to, both } in specs {
            let hearers = self.end(to)?;
            if *from == LinkEnd::Clients {
                links.extend(hearers.into_iter().map(Link::clients));
                continue;
            }
            let speakers = self.end(from)?;
            links.extend(one_way(&speakers, &hearers));
            if *both {
                links.extend(one_way(&hearers, &speakers));
            }
        }
        if links.is_empty() { Err("there is no such link".to_owned()) } else { Ok(links) }
    }

    fn end(&self, end: &LinkEnd) -> Result<Vec<NodeId>, String> {
        match end {
            LinkEnd::Any => Ok(self.view.nodes.clone()),
            LinkEnd::Clients => Err("clients hear nobody but in answers".to_owned()),
            LinkEnd::Nodes(target) => self.nodes(target),
        }
    }

    /// The effect with its draws made.
    fn exact(&mut self, effect: &LinkEffect) -> LinkEffect {
        let mut span = |span: Option<Span>| span.map(|span| Span::exactly(self.draws.span(span)));
        let (delay, jitter) = (span(effect.delay), span(effect.jitter));
        let mut share = |share: Share| {
            let ppm = self.draws.share(share);
            Share { min_ppm: ppm, max_ppm: ppm }
        };
        LinkEffect {
            delay,
            jitter,
            drop: share(effect.drop),
            duplicate: share(effect.duplicate),
            reorder: share(effect.reorder),
            corrupt: share(effect.corrupt),
            ..effect.clone()
        }
    }

    /// Links are cut one by one over the first third, and mended one by one over the last.
    fn swizzle(
        &mut self,
        target: &Target,
        from: Duration,
        length: Duration,
        items: &mut Vec<Item>,
    ) -> Result<(), String> {
        let some = self.nodes(target)?;
        let mut links: Vec<Link> = both_ways(&some, &self.view.nodes).into_iter().collect();
        if links.is_empty() {
            return Err("a single node has no links to its peers".to_owned());
        }
        links.shuffle(&mut self.draws.0);
        let mut mended: Vec<u32> = (0..).take(links.len()).collect();
        mended.shuffle(&mut self.draws.0);
        let steps = u32::try_from(links.len()).unwrap_or(u32::MAX) * 3;
        for (place, (link, mended)) in (0_u32..).zip(links.into_iter().zip(mended)) {
            items.push(Item {
                from: from + length * place / steps,
                until: Some(from + length * 2 / 3 + length * mended / steps),
                action: Action::cut(BTreeSet::from([link])),
                // Links between followers carry next to nothing: it is enough that some of them bite.
                must_bite: false,
            });
        }
        Ok(())
    }
}

/// An effect whose draws are made, as a policy.
fn policy(effect: &LinkEffect) -> LinkPolicy {
    let us = |span: Option<Span>| span.map_or(0, |span| micros(span.min));
    LinkPolicy {
        cut: effect.cut,
        delay_us: us(effect.delay),
        jitter_us: us(effect.jitter),
        drop_ppm: effect.drop.min_ppm,
        duplicate_ppm: effect.duplicate.min_ppm,
        reorder_ppm: effect.reorder.min_ppm,
        corrupt_ppm: effect.corrupt.min_ppm,
        hold: effect.hold,
        half_open: effect.half_open,
        bytes_per_s: effect.bandwidth.and_then(|bandwidth| NonZeroU64::new(bandwidth.bytes_per_s)),
        also: Vec::new(),
        kinds: (!effect.messages.is_empty()).then(|| effect.messages.iter().cloned().collect()),
    }
}

/// The links between nodes that stand further apart than `reach` in a ring or a line.
fn distant(order: &[NodeId], reach: usize, ring: bool) -> BTreeSet<Link> {
    let mut links = BTreeSet::new();
    for (i, &a) in order.iter().enumerate() {
        for (j, &b) in order.iter().enumerate() {
            let apart = i.abs_diff(j);
            let apart = if ring { apart.min(order.len() - apart) } else { apart };
            if apart > reach {
                links.insert(Link::between(a, b));
            }
        }
    }
    links
}
