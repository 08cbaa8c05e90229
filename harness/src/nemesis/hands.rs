//! Does what the director orders, in either world, and reports what came of it.

use std::collections::BTreeMap;

use checker::Value;

use super::network;
use super::report::{ActionReport, FaultReport, Outcome};
use super::victim::{Stopped, Victim};
use crate::schedule::{Action, Condition, Director, Order, policies};
use crate::system::NodeId;

/// What shows whether one action hurt.
#[derive(Debug, Default)]
pub struct Bite {
    /// Whether it did.
    pub bit: bool,
    /// What was seen.
    pub evidence: Vec<String>,
    /// Why nobody can say.
    pub doubts: Vec<String>,
}

impl Bite {
    /// Nobody can say whether it took hold.
    pub fn doubt(&mut self, reason: String) {
        self.doubts.push(reason);
        self.bit = false;
    }
}

/// Everything in force, and the reports of what is not over.
pub struct Hands<V> {
    victim: V,
    open: BTreeMap<u64, Open>,
}

/// An occurrence that is not over.
struct Open {
    report: FaultReport,
    items: BTreeMap<usize, Standing>,
    /// For each of its actions that are over: whether it had to bite, and whether it did.
    bites: Vec<(bool, bool)>,
}

/// An action in force.
struct Standing {
    action: Action,
    must_bite: bool,
    place: usize,
    bite: Bite,
    before: network::Before,
    stopped: Stopped,
}

impl<V: Victim> Hands<V> {
    /// Hands that have done nothing yet.
    pub fn new(victim: V) -> Hands<V> {
        Hands { victim, open: BTreeMap::new() }
    }

    /// Does what is ordered, and tells the director what became of what ended. Gives the report of a
    /// fault that is over, or was skipped; an error is a node that did not come back.
    pub async fn obey(
        &mut self,
        order: Order,
        director: &mut Director,
    ) -> Result<Option<FaultReport>, V::Error> {
        match order {
            Order::Begin { occurrence, id, item, action, must_bite } => {
                self.begin(occurrence, &id, item, action, must_bite).await;
                Ok(None)
            }
            Order::Undo { occurrence, item, .. } => self.undo(occurrence, item).await.map(|()| None),
            Order::Ended(occurrence) => {
                let report = self.ended(occurrence);
                if let Some(report) = &report {
                    director.settle(&report.fault, report.bit);
                }
                Ok(report)
            }
            Order::Skipped { occurrence, id, reason } => {
                Ok(Some(FaultReport::skipped(occurrence, &id, reason, self.victim.now_ns())))
            }
            Order::Phase(_) | Order::Finished => Ok(None),
        }
    }

    /// Whether anything of this occurrence was done.
    pub fn has_begun(&self, occurrence: u64) -> bool {
        self.open.contains_key(&occurrence)
    }

    /// Does one action of an occurrence.
    async fn begin(&mut self, occurrence: u64, fault: &str, item: usize, action: Action, must_bite: bool) {
        let now_ns = self.victim.now_ns();
        self.open.entry(occurrence).or_insert_with(|| Open {
            report: FaultReport::begin(occurrence, fault, now_ns),
            items: BTreeMap::new(),
            bites: Vec::new(),
        });
        let place = self.open.get(&occurrence).map_or(0, |open| open.report.actions.len());
        self.note(occurrence, place, fault, &action, None);
        let mut standing = Standing {
            action,
            must_bite,
            place,
            bite: Bite::default(),
            before: network::Before::new(),
            stopped: Stopped::new(),
        };
        let (victim, bite) = (&self.victim, &mut standing.bite);
        match &standing.action {
            Action::Kill(nodes) => victim.kill(nodes, bite).await,
            Action::Wipe(nodes) => {
                victim.kill(nodes, bite).await;
                for &node in nodes {
                    match victim.wipe(node) {
                        Ok(told) => bite.evidence.push(format!("{node}: {told}")),
                        Err(error) => bite.doubt(error),
                    }
                }
            }
            Action::Pause(nodes) => standing.stopped = victim.pause(nodes, bite).await,
            Action::Links(links, _) => standing.before = network::read(|link| victim.counters(link), links),
            Action::Reset(links) => match victim.reset(links) {
                Ok(connections) => {
                    bite.evidence.push(format!("{connections} connections reset"));
                    bite.bit = connections > 0;
                }
                Err(error) => bite.doubt(error),
            },
        }
        let Some(open) = self.open.get_mut(&occurrence) else { return };
        open.report.actions.push(ActionReport {
            words: standing.action.describe(),
            action: standing.action.clone(),
            start_ns: now_ns,
            end_ns: now_ns,
            bit: false,
        });
        let concerns_links = standing.action.links().is_some();
        open.items.insert(item, standing);
        if concerns_links && let Err(error) = self.set_links() {
            self.doubt(occurrence, error);
        }
    }

    /// Undoes one action. An error is a node that did not come back.
    async fn undo(&mut self, occurrence: u64, item: usize) -> Result<(), V::Error> {
        let Some(open) = self.open.get_mut(&occurrence) else { return Ok(()) };
        let Some(mut standing) = open.items.remove(&item) else { return Ok(()) };
        let mut result = Ok(());
        match &standing.action {
            Action::Kill(nodes) => result = self.restart(nodes).await,
            Action::Wipe(nodes) => {
                result = self.restart(nodes).await;
                let left = self.victim.until_turned_away(nodes).await;
                for node in nodes {
                    let became = if left.contains(node) { "runs on" } else { "was not let in again" };
                    standing.bite.evidence.push(format!("{node} {became}"));
                }
            }
            Action::Pause(nodes) => {
                self.victim.examine_paused(nodes, &standing.stopped, &mut standing.bite);
                for error in self.resume(nodes).await {
                    standing.bite.doubt(error);
                }
            }
            Action::Links(_, policy) => {
                let counters = |link| self.victim.counters(link);
                network::examine(counters, policy, &standing.before, &mut standing.bite);
                if let Err(error) = self.set_links() {
                    standing.bite.doubt(error);
                }
            }
            Action::Reset(_) => {}
        }
        if let Err(error) = &result {
            standing.bite.doubt(format!("its cure failed: {error}"));
        }
        self.close(occurrence, standing);
        result
    }

    /// All of an occurrence is undone: what became of it.
    fn ended(&mut self, occurrence: u64) -> Option<FaultReport> {
        let Open { mut report, bites, .. } = self.open.remove(&occurrence)?;
        // Where nothing had to bite by itself, something must have.
        report.bit = report.outcome == Outcome::Installed
            && bites.iter().all(|(must, bit)| *bit || !must)
            && bites.iter().any(|(_, bit)| *bit);
        report.end_ns = self.victim.now_ns();
        Some(report)
    }

    fn close(&mut self, occurrence: u64, standing: Standing) {
        let now_ns = self.victim.now_ns();
        let Some(open) = self.open.get_mut(&occurrence) else { return };
        let Standing { action, must_bite, place, bite, .. } = standing;
        open.bites.push((must_bite, bite.bit));
        if let Some(told) = open.report.actions.get_mut(place) {
            told.end_ns = now_ns;
            told.bit = bite.bit;
        }
        open.report.evidence.extend(bite.evidence);
        for doubt in bite.doubts {
            open.report.doubt(doubt);
        }
        let fault = open.report.fault.clone();
        self.note(occurrence, place, &fault, &action, Some(bite.bit));
    }

    fn doubt(&mut self, occurrence: u64, reason: String) {
        if let Some(open) = self.open.get_mut(&occurrence) {
            open.report.doubt(reason);
        }
    }

    fn standing(&self) -> impl Iterator<Item = &Action> {
        self.open.values().flat_map(|open| open.items.values()).map(|standing| &standing.action)
    }

    fn keeps_down(&self, node: NodeId) -> bool {
        self.standing().any(
            |action| matches!(action, Action::Kill(nodes) | Action::Wipe(nodes) if nodes.contains(&node)),
        )
    }

    fn keeps_stopped(&self, node: NodeId) -> bool {
        self.standing().any(|action| matches!(action, Action::Pause(nodes) if nodes.contains(&node)))
    }

    /// Starts those that nothing else keeps down; what another fault keeps stopped stops again.
    async fn restart(&self, nodes: &[NodeId]) -> Result<(), V::Error> {
        let back: Vec<NodeId> = nodes.iter().copied().filter(|&node| !self.keeps_down(node)).collect();
        self.victim.restart(&back).await?;
        let stopped: Vec<NodeId> = back.into_iter().filter(|&node| self.keeps_stopped(node)).collect();
        if !stopped.is_empty() {
            self.victim.pause(&stopped, &mut Bite::default()).await;
        }
        Ok(())
    }

    /// Resumes those that nothing else keeps stopped; gives what went wrong.
    async fn resume(&self, nodes: &[NodeId]) -> Vec<String> {
        let free =
            |&node: &NodeId| !self.keeps_stopped(node) && self.victim.condition(node) == Condition::Paused;
        let nodes: Vec<NodeId> = nodes.iter().copied().filter(free).collect();
        self.victim.resume(&nodes).await
    }

    /// Every link behaves as all that is in force asks.
    fn set_links(&self) -> Result<(), String> {
        self.victim.set_links(policies(self.standing()))
    }

    /// Puts an action's beginning or end into the history, where its place in the order counts.
    fn note(&self, occurrence: u64, place: usize, fault: &str, action: &Action, bit: Option<bool>) {
        let mut extra = BTreeMap::new();
        // What belongs together has the same number.
        let number = if place == 0 { occurrence.into() } else { format!("{occurrence}.{place}").into() };
        extra.insert("fault".to_owned(), number);
        let moment = if bit.is_some() { "ends" } else { "begins" };
        extra.insert("moment".to_owned(), moment.into());
        if let Some(bit) = bit {
            extra.insert("bit".to_owned(), bit.into());
        }
        self.victim.note(fault, Value::from(action.describe().as_str()), extra);
    }
}
