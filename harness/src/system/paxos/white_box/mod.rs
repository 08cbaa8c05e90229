//! What the logs of stopped nodes say about the run: the same promises that the history is judged
//! by, seen from the inside.
//!
//! From each node's log follow the values that it *learned*: those it wrote down as learned, and
//! those that it had accepted last when it marked a prefix as chosen ([`learned`]). From all logs
//! together follow the values that were *chosen*: learned by anybody, or accepted by a quorum in
//! one ballot. Then ([`check`]):
//!
//! 1. every slot has one chosen value, whoever tells it;
//! 2. one ballot proposed one value per slot;
//! 3. what a node marks as chosen is all there: no gap below its mark;
//! 4. an update that was acknowledged, or aborted, is chosen: the slot that its answer named holds
//!    its request;
//! 5. an update that was refused for certain is not chosen anywhere;
//! 6. replaying each node's learned prefix gives the same hash at the same slot ([`replay`]);
//! 7. a request that is in the log twice executed once;
//! 8. a read returned what the replayed state held at the slot that its answer named;
//! 9. what was asked after something was answered comes after it in the log ([`order`]);
//! 10. an update was answered what its request came to in the replay;
//! 11. no node answered anything that the protocol does not know.
//!
//! A log that was trimmed begins behind its snapshot, and so do the comparisons: what is left of the
//! slots of several nodes is held against each other, and each snapshot's state against the state that
//! replaying others' logs comes to at its slot. Of slots that only snapshots cover no log tells the
//! value: what was answered there is judged by the history and by the traces.
//!
//! What the nodes' event traces say is examined apart, by rules of its own ([`trace`]).
//!
//! Each finding is a sentence with node, slot and index of the operation in the history.

mod check;
mod learned;
mod order;
mod replay;
pub mod trace;

use crate::system::{NodeId, NodePlace, WhiteBoxReport};
use checker::{History, Op};
use paxos_node::kv::Kv;
use paxos_node::paxos::{Base, Record};
use paxos_node::{snapshot, wal};
use std::path::Path;
use std::sync::Arc;

/// One stopped node's log.
#[derive(Clone)]
pub struct NodeLog {
    /// Whose.
    pub node: NodeId,
    /// All that is left of it, in order.
    pub records: Vec<Record>,
    /// What its newest snapshot covers; [`Base::NOTHING`]: it has none.
    pub base: Base,
    /// The state in it.
    pub state: Option<Arc<dyn Fn() -> Option<Kv> + Send + Sync>>,
}

impl NodeLog {
    /// A log that was never trimmed.
    #[must_use]
    pub fn whole(node: NodeId, records: Vec<Record>) -> NodeLog {
        NodeLog { node, records, base: Base::NOTHING, state: None }
    }

    /// The state that its log goes on from; `None` if it can't be had any more.
    fn begin(&self) -> Option<Kv> {
        match &self.state {
            None => Some(Kv::new()),
            Some(read) => read(),
        }
    }
}

/// Findings reported in full; of more than that only the number, since one bug shows everywhere.
pub const FINDINGS_MAX: usize = 20;

/// Reads the nodes' logs and traces and examines them.
pub(super) fn examine(places: &[NodePlace], history: &History) -> WhiteBoxReport {
    let mut logs = Vec::new();
    let mut findings = Findings::default();
    for place in places {
        match read(place.node, &place.data) {
            Ok(log) => logs.push(log),
            // A node would refuse to start from it.
            Err((true, error)) => {
                findings.violation(format!("{}: its log can't be trusted: {error}", place.node));
            }
            Err((false, error)) => {
                findings.unknown(format!("{}: its log can't be read: {error}", place.node));
            }
        }
    }
    check::all(&logs, places.len(), &ops(history), &mut findings);
    let mut report = findings.report();
    report.absorb(trace::examine(places));
    report.unknown.extend(untraced(&report));
    report
}

/// Says so if the traces tell of fewer slots than the logs show to be chosen: what was chosen unseen was
/// held to no rule of the protocol.
fn untraced(report: &WhiteBoxReport) -> Option<String> {
    let count = |what: &str| report.examined.get(what).copied().unwrap_or(0);
    let (chosen, traced) = (count("chosen slots"), count("traced slots"));
    (traced < chosen).then(|| format!("trace: the traces tell of {traced} of {chosen} chosen slots"))
}

/// A stopped node's log and snapshot; else whether it is their content that is at fault, and why.
fn read(node: NodeId, folder: &Path) -> Result<NodeLog, (bool, String)> {
    let survey = wal::read_only(folder).map_err(|error| (error.is_refusal(), error.to_string()))?;
    let found = snapshot::read_only(folder).map_err(|error| (error.is_refusal(), error.to_string()))?;
    let Some(loaded) = found else { return Ok(NodeLog::whole(node, survey.records)) };
    let folder = folder.to_owned();
    // Read again where it is needed: replaying changes it.
    let state = move || snapshot::read_only(&folder).ok().flatten().map(|loaded| loaded.kv);
    Ok(NodeLog { node, records: survey.records, base: loaded.base, state: Some(Arc::new(state)) })
}

/// Examines logs that have been read, of a cluster of `nodes`. Pure.
#[must_use]
pub fn examine_logs(logs: &[NodeLog], nodes: usize, history: &History) -> WhiteBoxReport {
    let mut findings = Findings::default();
    check::all(logs, nodes, &ops(history), &mut findings);
    findings.report()
}

/// What was found so far.
#[derive(Default)]
struct Findings {
    report: WhiteBoxReport,
    violations: usize,
    unknowns: usize,
}

impl Findings {
    fn violation(&mut self, words: String) {
        self.violations += 1;
        if self.violations <= FINDINGS_MAX {
            self.report.violations.push(words);
        }
    }

    fn unknown(&mut self, words: String) {
        self.unknowns += 1;
        if self.unknowns <= FINDINGS_MAX {
            self.report.unknown.push(words);
        }
    }

    fn examined(&mut self, what: &str, count: usize) {
        *self.report.examined.entry(what.to_owned()).or_default() += count as u64;
    }

    fn report(mut self) -> WhiteBoxReport {
        if let Some(more) = self.violations.checked_sub(FINDINGS_MAX + 1) {
            self.report.violations.push(format!("and {} more like these", more + 1));
        }
        if let Some(more) = self.unknowns.checked_sub(FINDINGS_MAX + 1) {
            self.report.unknown.push(format!("and {} more like these", more + 1));
        }
        self.report
    }
}

/// The operations one by one: the checks here look at what only few have, such as slots.
fn ops(history: &History) -> Vec<Op> {
    history.ops().collect()
}
