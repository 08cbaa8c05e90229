//! What was drawn, written down as a schedule: what a run leaves for repeating and shrinking it.
//!
//! Every draw is made: times, lengths, shares, who was struck. Roles stay roles: a fault that was done
//! to the leader, or to its first follower, is done to whoever leads then when it is repeated, for
//! elections go their own way and the story is about the leader, not about n3. A fault that waited for
//! something to happen waits for it again; all others come at their time.

use std::collections::{BTreeMap, BTreeSet};

use super::action::Action;
use super::{
    ActionSpec, Body, Coverage, Fault, Guard, Lasts, LinkEffect, LinkEnd, LinkSpec, Schedule, Shape, Start,
    Target, Trigger, What, Who,
};
use crate::proxy::{Endpoint, Link};
use crate::system::NodeId;

/// Every fault that came, each as a single fault that comes once.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// With the phase they came in.
    faults: Vec<(usize, Fault)>,
    /// By fault, the id under which it was written down last.
    last: BTreeMap<String, String>,
    /// Faults that last until another comes, and it has not come yet.
    waiting: Vec<Waiting>,
}

/// One that lasts until another comes.
#[derive(Debug)]
struct Waiting {
    /// Its place among the faults.
    place: usize,
    /// Whose coming ends it, or lets it end.
    awaited: String,
    /// How many comings of that one are still to be waited for.
    comings: u32,
}

impl Written {
    /// Notes one that came, every draw made. Who refers to a fault means its last occurrence; who lasts
    /// until it comes, the next.
    pub(super) fn note(&mut self, phase: usize, id: &str, number: u64, mut start: Start, mut body: Body) {
        let last = |id: &mut Option<String>| {
            if let Some(last) = id.as_ref().and_then(|id| self.last.get(id)) {
                *id = Some(last.clone());
            }
        };
        for step in &mut body.steps {
            step.action.targets_mut(&mut |target| last(&mut target.as_of));
        }
        let watched = |trigger: &mut Trigger| {
            if let What::Message { on, .. } = &mut trigger.what {
                for end in [&mut on.from, &mut on.to] {
                    if let LinkEnd::Nodes(target) = end {
                        last(&mut target.as_of);
                    }
                }
            }
        };
        if let Start::When(trigger) = &mut start {
            watched(trigger);
            last(&mut trigger.after);
        }
        if let Lasts::Until(trigger) = &mut body.lasts {
            watched(trigger);
        }
        let own = format!("{id}-{number}");
        self.last.insert(id.to_owned(), own.clone());
        self.end_of_waiting(id, &own);
        if let Lasts::Until(trigger) = &mut body.lasts
            && let Some(awaited) = trigger.after.clone()
        {
            let place = self.faults.len();
            match (&trigger.what, self.last.get(&awaited)) {
                (What::Came, _) => {
                    self.waiting.push(Waiting { place, awaited, comings: trigger.nth.max(1) });
                    trigger.nth = 1;
                }
                (_, Some(known)) => trigger.after = Some(known.clone()),
                (_, None) => self.waiting.push(Waiting { place, awaited, comings: 1 }),
            }
        }
        // What comes at a time comes once anyway.
        let times_max = (!matches!(start, Start::At(_))).then_some(1);
        let fault = Fault { id: own, start, times_max, body, guard: Guard::Any, required: false };
        self.faults.push((phase, fault));
    }

    /// It was ordered and never begun, at the end of a run: nothing came after it.
    pub(super) fn retract(&mut self, id: &str, number: u64) {
        let own = format!("{id}-{number}");
        if let Some(place) = self.faults.iter().rposition(|(_, fault)| fault.id == own) {
            self.faults.truncate(place);
            self.waiting.retain(|waiting| waiting.place < place);
        }
    }

    /// A fault came, and is written down as `own`: that is what those mean that waited for it.
    fn end_of_waiting(&mut self, id: &str, own: &str) {
        let faults = &mut self.faults;
        self.waiting.retain_mut(|waiting| {
            waiting.comings -= u32::from(waiting.awaited == id);
            if waiting.comings == 0
                && let Lasts::Until(trigger) = &mut faults[waiting.place].1.body.lasts
            {
                trigger.after = Some(own.to_owned());
            }
            waiting.comings > 0
        });
    }

    /// All of them as a schedule of its own. It asks for no coverage: whoever repeats it knows what it
    /// is for.
    pub(super) fn resolved(&self, schedule: &Schedule, seed: u64) -> Schedule {
        let mut resolved = schedule.clone();
        resolved.seed = Some(seed);
        resolved.coverage = Coverage::default();
        resolved.found = None;
        for (number, phase) in resolved.phases.iter_mut().enumerate() {
            phase.mixes = Vec::new();
            phase.ok_rate_min = None;
            let of_phase = self.faults.iter().enumerate().filter(|(_, (of, _))| *of == number);
            let written = |(place, (_, fault)): (usize, &(usize, Fault))| {
                let mut fault = fault.clone();
                // What it waited for never came: it lasted as long as its phase.
                if self.waiting.iter().any(|waiting| waiting.place == place) {
                    fault.body.lasts = Lasts::Phase;
                }
                fault
            };
            phase.faults = of_phase.map(written).collect();
            // What overran its phase was owed, and has its time here as well.
            let ends = phase.faults.iter().filter_map(|fault| match (&fault.start, &fault.body.lasts) {
                (Start::At(at), Lasts::For(length)) => Some(at.max + length.max),
                _ => None,
            });
            phase.lasts = ends.max().unwrap_or_default().max(phase.lasts);
        }
        resolved
    }
}

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
