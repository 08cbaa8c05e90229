//! What one node learned, as its log tells it.

use super::{Findings, NodeLog};
use crate::system::NodeId;
use paxos_node::paxos::{Ballot, Record, Slot, Value};
use std::collections::BTreeMap;

/// One node's view of the slots.
pub(super) struct NodeView<'a> {
    pub(super) log: &'a NodeLog,
    /// Everything it learned.
    pub(super) learned: BTreeMap<Slot, &'a Value>,
    /// The latest value it accepted.
    accepted: BTreeMap<Slot, &'a Value>,
    /// How far it marked the log as chosen.
    chosen_upto: Slot,
}

impl<'a> NodeView<'a> {
    /// Reads a log from front to back; complains of what contradicts itself.
    pub(super) fn of(log: &'a NodeLog, findings: &mut Findings) -> NodeView<'a> {
        let base = log.base.slot;
        let mut view =
            NodeView { log, learned: BTreeMap::new(), accepted: BTreeMap::new(), chosen_upto: base };
        for record in &log.records {
            match record {
                Record::BallotUsed(_)
                | Record::Promised(_)
                | Record::Checkpoint { .. }
                | Record::Pledged(_)
                | Record::Founded(_) => {}
                Record::Accepted { slot, value, .. } | Record::Kept { slot, value, .. } => {
                    view.accepted.insert(*slot, value);
                }
                Record::Learned { slot, value, .. } => view.learn(*slot, value, findings),
                Record::ChosenUpto(upto) => view.mark(*upto, findings),
            }
        }
        view
    }

    fn learn(&mut self, slot: Slot, value: &'a Value, findings: &mut Findings) {
        if let Some(earlier) = self.learned.insert(slot, value)
            && earlier != value
        {
            let (node, earlier, later) = (self.log.node, show(earlier), show(value));
            findings.violation(format!("slot {slot}: {node} learned two values: {earlier}, later {later}"));
        }
    }

    fn mark(&mut self, upto: Slot, findings: &mut Findings) {
        while self.chosen_upto < upto {
            let slot = self.chosen_upto.next();
            self.chosen_upto = slot;
            if self.learned.contains_key(&slot) {
                continue;
            }
            match self.accepted.get(&slot).copied() {
                Some(value) => self.learn(slot, value, findings),
                None => {
                    let node = self.log.node;
                    findings.violation(format!(
                        "slot {slot}: {node} marks everything up to slot {upto} as chosen, but its log holds no value here"
                    ));
                }
            }
        }
    }
}

/// The slots behind `base` up to the first gap.
pub(super) fn prefix<'a>(
    base: Slot,
    values: &BTreeMap<Slot, &'a Value>,
) -> impl Iterator<Item = (Slot, &'a Value)> {
    let whole = |(position, (slot, _)): &(u64, (&Slot, &&Value))| slot.0 == *position;
    let behind = values.range(base.next()..);
    (base.0 + 1..).zip(behind).take_while(whole).map(|(_, (slot, value))| (*slot, *value))
}

/// What was accepted in one slot and ballot.
struct Proposal<'a> {
    value: &'a Value,
    /// Who accepted it; the first one's word for the value counts.
    by: Vec<NodeId>,
}

/// The values that a quorum of a cluster of `nodes` accepted in one ballot: chosen, whether or not
/// anybody lived to learn it. Complains of ballots that proposed two values for a slot.
pub(super) fn chosen_by_quorum<'a>(
    logs: &'a [NodeLog],
    nodes: usize,
    findings: &mut Findings,
) -> BTreeMap<Slot, (Ballot, &'a Value)> {
    let mut proposals: BTreeMap<(Slot, Ballot), Proposal<'a>> = BTreeMap::new();
    for log in logs {
        for record in &log.records {
            let (Record::Accepted { slot, ballot, value } | Record::Kept { slot, ballot, value }) = record
            else {
                continue;
            };
            let proposal =
                proposals.entry((*slot, *ballot)).or_insert_with(|| Proposal { value, by: Vec::new() });
            if proposal.value != value {
                findings.violation(format!(
                    "slot {slot}: ballot {ballot} proposed two values: {} accepted {}, {} accepted {}",
                    proposal.by[0],
                    show(proposal.value),
                    log.node,
                    show(value)
                ));
            } else if !proposal.by.contains(&log.node) {
                proposal.by.push(log.node);
            }
        }
    }
    findings.examined("proposals", proposals.len());
    let is_chosen = |proposal: &Proposal<'_>| proposal.by.len() > nodes / 2;
    let chosen = proposals.into_iter().filter(|(_, proposal)| is_chosen(proposal));
    chosen.map(|((slot, ballot), proposal)| (slot, (ballot, proposal.value))).collect()
}

/// A value in a few words.
pub(super) fn show(value: &Value) -> String {
    use paxos_node::kv::{Batch, Command};
    let bytes = match value {
        Value::Noop => return "a no-op".to_owned(),
        Value::Configuration(configuration) => return configuration.to_string(),
        Value::Batch(bytes) => bytes,
    };
    let Ok(batch) = Batch::decode(bytes.clone()) else {
        return format!("{} bytes that are no batch", bytes.len());
    };
    let name = |command: &Command| match command {
        Command::OpenSession { .. } => "open session".to_owned(),
        Command::Execute { request: Some(request), .. } => request.to_string(),
        Command::Execute { request: None, .. } => "unnamed".to_owned(),
    };
    /// Enough to find it, and to see that two differ.
    const NAMES_MAX: usize = 4;
    let names: Vec<String> = batch.commands.iter().take(NAMES_MAX).map(name).collect();
    let more = if batch.commands.len() > NAMES_MAX { ", …" } else { "" };
    format!("a batch of {} [{}{more}]", batch.commands.len(), names.join(", "))
}
