//! Phase 1 in progress: "control the future by extracting a promise", once for all slots.
//!
//! Each acceptor's answer may be long, so it comes in chunks that the candidate fetches one after
//! the other; the promise itself stands from the first. An acceptor counts only when its last
//! chunk is in. Answers are matched by ballot *and* by the chunk asked for, so an answer to an
//! older attempt, or the same chunk twice, changes nothing.
//!
//! A leader keeps this: a configuration that it learns of later may need promises of others, who
//! then report what they hold of the slots that it governs.

use super::{Ballot, Configuration, Lsn, NodeId, NodeSet, Slot, SlotReport, Value};
use std::collections::BTreeMap;

#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) ballot: Ballot,
    /// This node's own promise; it counts once durable.
    pub(crate) own_promise: Lsn,
    /// Per acceptor, the chunk it is to answer next.
    expected: BTreeMap<NodeId, Slot>,
    complete: NodeSet,
    /// What the acceptors reported, per slot: the highest ballot so far, and who reported one.
    reported: BTreeMap<Slot, (SlotReport, NodeSet)>,
    /// Last tick at which requests were sent or repeated.
    pub(crate) asked_at: u64,
}

/// What a chunk of an acceptor's answer leads to.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Progress {
    /// Not the chunk waited for: a repetition, or an answer to something else.
    Ignored,
    /// More is to be fetched, from this slot on.
    More(Slot),
    /// That acceptor's answer is complete.
    Complete,
}

impl Candidate {
    pub(crate) fn new(ballot: Ballot, own_promise: Lsn, now: u64) -> Candidate {
        Candidate {
            ballot,
            own_promise,
            expected: BTreeMap::new(),
            complete: NodeSet::EMPTY,
            reported: BTreeMap::new(),
            asked_at: now,
        }
    }

    /// As if these had promised, and held nothing.
    pub(crate) fn promised_by(ballot: Ballot, nodes: NodeSet) -> Candidate {
        Candidate { complete: nodes, ..Candidate::new(ballot, Lsn::ZERO, 0) }
    }

    /// An acceptor is about to be asked what it holds from a slot on; `false` if it has been.
    pub(crate) fn ask(&mut self, node: NodeId, from: Slot) -> bool {
        let asked = self.complete.contains(node) || self.expected.contains_key(&node);
        if !asked {
            self.expected.insert(node, from);
        }
        !asked
    }

    /// This node's own promise is durable.
    pub(crate) fn own_promise_is_durable(&mut self, own: NodeId) {
        self.complete.insert(own);
    }

    /// Takes in one chunk of `from_node`'s answer.
    pub(crate) fn promise(
        &mut self,
        from_node: NodeId,
        chunk: Slot,
        slots: &[SlotReport],
        next: Option<Slot>,
    ) -> Progress {
        if self.complete.contains(from_node) || self.expected.get(&from_node) != Some(&chunk) {
            return Progress::Ignored;
        }
        let next = if crate::mutant!(PromiseFirstChunkCounts) { None } else { next };
        for report in slots {
            self.report(from_node, report.clone());
        }
        match next {
            Some(next) if next > chunk => {
                self.expected.insert(from_node, next);
                Progress::More(next)
            }
            Some(_) => Progress::Ignored,
            None => {
                self.expected.remove(&from_node);
                self.complete.insert(from_node);
                Progress::Complete
            }
        }
    }

    /// One acceptor's word about one slot: keep the highest ballot, and never lose a learned value.
    pub(crate) fn report(&mut self, from: NodeId, report: SlotReport) {
        if crate::mutant!(Phase1OwnValue) {
            return;
        }
        let (best, reporters) =
            self.reported.entry(report.slot).or_insert_with(|| (report.clone(), NodeSet::EMPTY));
        reporters.insert(from);
        let mut higher = report.ballot > best.ballot;
        if crate::mutant!(Phase1LowestBallot) {
            higher = report.ballot < best.ballot;
        }
        if !best.learned && (report.learned || higher) {
            *best = report;
        }
    }

    /// Who has promised, and told everything.
    pub(crate) fn promised(&self) -> NodeSet {
        self.complete
    }

    /// The acceptors that still owe an answer, with the chunk to ask for.
    pub(crate) fn outstanding(&self) -> impl Iterator<Item = (NodeId, Slot)> {
        self.expected.iter().map(|(node, chunk)| (*node, *chunk))
    }

    /// What phase 2 must propose in a slot that an acceptor reported: the value of the highest ballot
    /// in which one was accepted there.
    pub(crate) fn take_report(&mut self, slot: Slot, configuration: &Configuration) -> Option<SlotReport> {
        let (mut report, reporters) = self.reported.remove(&slot)?;
        if crate::mutant!(NoopOverwritesAccepted) && !report.learned && !configuration.has_majority(reporters)
        {
            report.value = Value::Noop;
        }
        Some(report)
    }

    /// What has been reported as chosen.
    pub(crate) fn take_learned(&mut self) -> Vec<SlotReport> {
        let mut learned = Vec::new();
        self.reported.retain(|_, (report, _)| {
            if report.learned {
                learned.push(report.clone());
            }
            !report.learned
        });
        learned
    }

    /// The highest slot that any acceptor reported.
    pub(crate) fn last_reported(&self) -> Slot {
        self.reported.last_key_value().map_or(Slot::ZERO, |(slot, _)| *slot)
    }

    /// Slots below this one are taken care of.
    pub(crate) fn forget_below(&mut self, slot: Slot) {
        self.reported = self.reported.split_off(&slot);
    }
}
