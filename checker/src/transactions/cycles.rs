//! Cycles of dependencies: which kinds there are, and a short one of each.
//!
//! | class | a cycle of | found by |
//! |---|---|---|
//! | G0 | ww | a strongly connected component |
//! | G1c | ww and wr, at least one wr | a wr edge within a component |
//! | G-single | ww, wr and exactly one rw | from each rw edge, a way back without rw |
//! | G-nonadjacent | ww, wr and rw, no two rw in a row | a component of the graph of such walks |
//! | G2-item | anything, at least one rw | an rw edge within a component |
//!
//! Each with data alone, with the orders of processes added, and with real time added. Only G-single
//! can cost more than linear time: it has a limit of steps, and a G-single that it misses is still found
//! as a G-nonadjacent, so that what a history rules out does not depend on the limit.

use super::graph::{Graph, Kind, Label, Labels, Via};
use crate::budget::{Exhausted, Meter};
use std::collections::VecDeque;

/// Kinds of cycles, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Class {
    G0,
    G1c,
    GSingle,
    GNonadjacent,
    G2Item,
}

/// What a cycle needs beside the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Level {
    Data,
    Process,
    RealTime,
}

pub(crate) const CLASSES: [Class; 5] =
    [Class::G0, Class::G1c, Class::GSingle, Class::GNonadjacent, Class::G2Item];
pub(crate) const LEVELS: [Level; 3] = [Level::Data, Level::Process, Level::RealTime];

/// One dependency of a cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Edge {
    pub(crate) from: u32,
    pub(crate) to: u32,
    pub(crate) label: Label,
}

/// A cycle: each edge begins where the one before ends, the first where the last ends.
#[derive(Clone, Debug)]
pub(crate) struct Cycle {
    pub(crate) class: Class,
    pub(crate) level: Level,
    pub(crate) edges: Vec<Edge>,
}

/// Cycles shown of one class and level.
const EXAMPLES_MAX: usize = 4;

/// Dependencies of a cycle from which on it is worth looking for another one that rests on time as well.
pub(crate) const LONG: usize = 8;

/// Edges followed in search of one cycle shorter than the one at hand.
const STEPS_MAX: u64 = 3_000_000;

impl Class {
    /// Whether a cycle of this class is one of the other, too.
    fn implies(self, other: Class) -> bool {
        self == other
            || matches!((self, other), (Class::G0, Class::G1c))
            || (self >= Class::GSingle && self < other)
    }

    /// Whether an edge is of the kind that makes the class. An order of versions that would not hold
    /// in weaker models is as much as an anti-dependency.
    fn is_made_by(self, label: Label) -> bool {
        match self {
            Class::G0 => label.kind() == Kind::Ww,
            Class::G1c => label.kind() == Kind::Wr,
            Class::GSingle => label.kind() == Kind::Rw,
            Class::GNonadjacent | Class::G2Item => label.kind() == Kind::Rw || label.via() >= Via::Unread,
        }
    }
}

/// The labels that a class admits at a level.
fn labels(class: Class, level: Level) -> Labels {
    let all = [Via::Data, Via::ReadThenWrite, Via::Unread, Via::Session, Via::Clock];
    let vias = match (class, level) {
        (Class::G0, _) => &all[..1],
        (Class::G1c, _) => &all[..2],
        (_, Level::Data) => &all[..3],
        (_, Level::Process) => &all[..4],
        (_, Level::RealTime) => &all,
    };
    let mut labels = Labels::default().and(Kind::Pass, &[Via::Data]).and(Kind::Ww, vias);
    if class >= Class::G1c {
        labels = labels.and(Kind::Wr, vias);
    }
    if class >= Class::GSingle {
        labels = labels.and(Kind::Rw, vias);
    }
    if level >= Level::Process {
        labels = labels.and(Kind::Process, &[Via::Data]);
    }
    if level >= Level::RealTime {
        labels = labels.and(Kind::RealTime, &[Via::Data]);
    }
    labels
}

/// A few cycles of every class and level that there is.
pub(crate) fn find(graph: &Graph, meter: &Meter) -> Result<Vec<Cycle>, Exhausted> {
    let mut cycles: Vec<Cycle> = Vec::new();
    for nodes in graph.components(Labels::ALL, meter)?.cyclic() {
        meter.check()?;
        let part = graph.part(&nodes);
        let mut found: Vec<(Class, Level, usize)> = Vec::new();
        for class in CLASSES {
            for level in LEVELS {
                let alike = |cycle: &&Cycle| (cycle.class, cycle.level) == (class, level);
                if cycles.iter().filter(alike).count() >= EXAMPLES_MAX {
                    // Those imply the levels above, too.
                    break;
                }
                let implied = found.iter().filter(|(other, at, _)| other.implies(class) && *at <= level);
                let shown = implied.map(|(_, _, length)| *length).min();
                // A long one is worth another look: with the order of time it may be told in a few steps.
                if shown.is_some_and(|length| length <= LONG) {
                    break;
                }
                let bound = if shown.is_some() { LONG } else { usize::MAX };
                if let Some(edges) = shortest(&part, class, level, bound, meter)? {
                    let single = edges.iter().filter(|edge| edge.label.kind() == Kind::Rw).count() < 2;
                    let class = if single { class.min(Class::GSingle) } else { class };
                    found.push((class, level, edges.len()));
                    let edges = edges.iter().map(|edge| Edge {
                        from: nodes[edge.from as usize],
                        to: nodes[edge.to as usize],
                        label: edge.label,
                    });
                    cycles.push(Cycle { class, level, edges: edges.collect() });
                }
            }
        }
    }
    cycles.sort_by_key(|cycle| (cycle.class, cycle.level, cycle.edges.len()));
    Ok(cycles)
}

/// A short cycle of this class in a graph, of no more than so many dependencies; no shorter one is known.
fn shortest(
    graph: &Graph,
    class: Class,
    level: Level,
    length_max: usize,
    meter: &Meter,
) -> Result<Option<Vec<Edge>>, Exhausted> {
    let allowed = labels(class, level);
    let walks;
    let graph = match class {
        Class::GNonadjacent => {
            walks = graph.without_adjacent_rw();
            &walks
        }
        Class::G0 | Class::G1c | Class::GSingle | Class::G2Item => graph,
    };
    // Ways back: of a G-single without the rw that it begins with.
    let back = match class {
        Class::GSingle => allowed.without(Kind::Rw),
        Class::G0 | Class::G1c | Class::GNonadjacent | Class::G2Item => allowed,
    };
    let within = graph.components(allowed, meter)?;
    let order = graph.components(back, meter)?;
    let mut search = Search::new(graph, back, &order.of);
    let mut best: Option<Vec<Edge>> = None;
    for from in 0..graph.nodes() as u32 {
        for (to, label) in graph.out(from) {
            if !class.is_made_by(label)
                || !allowed.contains(label)
                || within.of[from as usize] != within.of[to as usize]
            {
                continue;
            }
            let bound = best.as_ref().map_or(length_max, |cycle| cycle.len() - 1);
            let bound = u32::try_from(bound).unwrap_or(u32::MAX);
            if let Some(way) = search.way(to, from, bound.saturating_sub(1), meter)? {
                let cycle = collapse(graph, Edge { from, to, label }, &way);
                if best.as_ref().is_none_or(|best| cycle.len() < best.len()) {
                    best = Some(cycle);
                }
            }
            if best.as_ref().is_some_and(|cycle| cycle.len() <= 2) || search.steps > STEPS_MAX {
                break;
            }
        }
        let done = best.as_ref().is_some_and(|cycle| cycle.len() <= 2);
        if done || search.steps > STEPS_MAX {
            break;
        }
    }
    if class == Class::GNonadjacent {
        best.iter_mut().flatten().for_each(|edge| (edge.from, edge.to) = (edge.from / 2, edge.to / 2));
    }
    Ok(best)
}

/// Leaves out the nodes in between.
fn collapse(graph: &Graph, first: Edge, way: &[Edge]) -> Vec<Edge> {
    let mut edges: Vec<Edge> = Vec::new();
    for edge in std::iter::once(&first).chain(way) {
        match edges.last_mut() {
            Some(last) if last.to >= graph.transactions => last.to = edge.to,
            _ => edges.push(*edge),
        }
    }
    edges
}

/// Ways through a graph, breadth first; passing a node in between costs nothing.
struct Search<'g> {
    graph: &'g Graph,
    labels: Labels,
    /// Where each node stands: no edge leads upwards.
    order: &'g [u32],
    /// In which search a node was met, how far off, and by which edge.
    met: Vec<u32>,
    far: Vec<u32>,
    by: Vec<Option<Edge>>,
    round: u32,
    steps: u64,
}

impl<'g> Search<'g> {
    fn new(graph: &'g Graph, labels: Labels, order: &'g [u32]) -> Self {
        let nodes = graph.nodes();
        let (met, far, by) = (vec![0; nodes], vec![0; nodes], vec![None; nodes]);
        Self { graph, labels, order, met, far, by, round: 0, steps: 0 }
    }

    /// The edges of a shortest way of at most so many dependencies.
    fn way(&mut self, from: u32, to: u32, bound: u32, meter: &Meter) -> Result<Option<Vec<Edge>>, Exhausted> {
        if self.order[from as usize] < self.order[to as usize] {
            return Ok(None);
        }
        self.round += 1;
        let floor = self.order[to as usize];
        let mut queue = VecDeque::from([(0u32, from)]);
        (self.met[from as usize], self.far[from as usize], self.by[from as usize]) = (self.round, 0, None);
        while let Some((far, node)) = queue.pop_front() {
            if self.far[node as usize] < far {
                continue;
            }
            if node == to {
                return Ok(Some(self.back_to(from, to)));
            }
            for (next, label) in self.graph.out(node) {
                self.steps += 1;
                if self.steps.is_multiple_of(4096) {
                    meter.check()?;
                }
                if !self.labels.contains(label) || self.order[next as usize] < floor {
                    continue;
                }
                let cost = far + u32::from(label.kind() != Kind::Pass);
                let at = next as usize;
                if cost > bound || (self.met[at] == self.round && self.far[at] <= cost) {
                    continue;
                }
                (self.met[at], self.far[at]) = (self.round, cost);
                self.by[at] = Some(Edge { from: node, to: next, label });
                match label.kind() {
                    Kind::Pass => queue.push_front((cost, next)),
                    _ => queue.push_back((cost, next)),
                }
            }
        }
        Ok(None)
    }

    fn back_to(&self, from: u32, to: u32) -> Vec<Edge> {
        let mut way = Vec::new();
        let mut node = to;
        while node != from
            && let Some(edge) = self.by[node as usize]
        {
            way.push(edge);
            node = edge.from;
        }
        way.reverse();
        way
    }
}
