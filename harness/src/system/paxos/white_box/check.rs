//! What the nodes' logs must agree on, with each other and with the history.

use super::learned::{NodeView, chosen_by_quorum, show};
use super::order::real_time;
use super::replay::{Answers, replay};
use super::{Findings, NodeLog};
use crate::system::paxos::request::NONSENSE;
use crate::system::paxos::translate::{self, Asked};
use checker::{Op, OpType};
use paxos_node::kv::{Batch, Command};
use paxos_node::paxos::{Ballot, Slot, Value};
use std::collections::{BTreeMap, BTreeSet};

/// The chosen value of each slot, as far as the logs tell.
pub(super) type Chosen<'a> = BTreeMap<Slot, &'a Value>;

/// All checks; `nodes` is the size of the cluster, some of whose logs may be missing.
pub(super) fn all(logs: &[NodeLog], nodes: usize, history: &[Op], findings: &mut Findings) {
    findings.examined("logs", logs.len());
    let by_quorum = chosen_by_quorum(logs, nodes, findings);
    let views: Vec<NodeView<'_>> = logs.iter().map(|log| NodeView::of(log, findings)).collect();
    let chosen = one_value_per_slot(&views, &by_quorum, findings);
    findings.examined("chosen slots", chosen.len());
    let unread = nodes.saturating_sub(logs.len());
    sense(history, findings);
    let covered = logs.iter().map(|log| log.base.slot).max().unwrap_or_default();
    acknowledged_is_chosen(&chosen, covered, unread, history, findings);
    refused_is_not_chosen(&chosen, history, findings);
    real_time(history, findings);
    replay(&views, &chosen, unread, &Answers::of(history), findings);
}

/// The value of each slot, by whichever node tells it first; complains if two differ.
fn one_value_per_slot<'a>(
    views: &[NodeView<'a>],
    by_quorum: &BTreeMap<Slot, (Ballot, &'a Value)>,
    findings: &mut Findings,
) -> Chosen<'a> {
    let mut known: BTreeMap<Slot, (String, &'a Value)> = BTreeMap::new();
    for (&slot, &(ballot, value)) in by_quorum {
        known.insert(slot, (format!("a quorum accepted in ballot {ballot}"), value));
    }
    for view in views {
        findings.examined("learned slots", view.learned.len());
        for (&slot, &value) in &view.learned {
            let learned = || (format!("{} learned", view.log.node), value);
            let (who, earlier) = known.entry(slot).or_insert_with(learned);
            if *earlier != value {
                findings.violation(format!(
                    "slot {slot}: two values were chosen: {who} {}, {} learned {}",
                    show(earlier),
                    view.log.node,
                    show(value)
                ));
            }
        }
    }
    known.into_iter().map(|(slot, (_, value))| (slot, value)).collect()
}

/// The requests in a value, as completions name them.
fn requests(value: &Value) -> BTreeSet<String> {
    let Value::Batch(bytes) = value else { return BTreeSet::new() };
    // Replaying says so if it is none.
    let Ok(batch) = Batch::decode(bytes.clone()) else { return BTreeSet::new() };
    let named = |command: &Command| match command {
        Command::Execute { request, .. } => request.map(|request| request.to_string()),
        Command::OpenSession { .. } => None,
    };
    batch.commands.iter().filter_map(named).collect()
}

/// Nothing was answered that the protocol does not know.
fn sense(history: &[Op], findings: &mut Findings) {
    for op in history.iter().filter(|op| reason_of(op) == Some(NONSENSE)) {
        let words = op.error.as_deref().unwrap_or("the node answered nonsense");
        findings.violation(format!("op {}: {} {}: {words}", op.index, op.f, op.value));
    }
}

/// `covered`: up to there a snapshot tells the state, and perhaps no log any value.
fn acknowledged_is_chosen(
    chosen: &Chosen<'_>,
    covered: Slot,
    unread: usize,
    history: &[Op],
    findings: &mut Findings,
) {
    // A slot's requests are looked up once for each operation in it: decode it once.
    let mut decoded: BTreeMap<Slot, BTreeSet<String>> = BTreeMap::new();
    // An aborted transaction stands in the log like any other.
    let aborted = updates(history, OpType::Fail).filter(|op| slot_of(op).is_some());
    for op in updates(history, OpType::Ok).chain(aborted) {
        let done = op.op_type == OpType::Ok;
        let said = if done { "acknowledged" } else { "aborted" };
        let (Some(slot), Some(request)) = (slot_of(op), request_of(op)) else {
            findings.unknown(format!("op {}: an {said} {} names no slot and request", op.index, op.f));
            continue;
        };
        findings.examined(if done { "acknowledged updates" } else { "aborted updates" }, 1);
        let claim = || {
            format!("op {}: {} {} was {said} as request {request} in slot {slot}", op.index, op.f, op.value)
        };
        match chosen.get(&slot) {
            Some(value) => {
                if !decoded.entry(slot).or_insert_with(|| requests(value)).contains(request) {
                    findings.violation(format!("{}, but that slot holds {}", claim(), show(value)));
                }
            }
            None if slot <= covered => findings.examined("answers in slots that only snapshots cover", 1),
            None if unread == 0 => findings
                .violation(format!("{}, where nobody learned a value and no quorum accepted one", claim())),
            None => findings.unknown(format!("{}, of which the logs that can be read hold nothing", claim())),
        }
    }
}

fn refused_is_not_chosen(chosen: &Chosen<'_>, history: &[Op], findings: &mut Findings) {
    let mut slots: BTreeMap<String, Slot> = BTreeMap::new();
    for (&slot, value) in chosen {
        for request in requests(value) {
            slots.entry(request).or_insert(slot);
        }
    }
    // An aborted transaction is in the log, in the slot that its answer named.
    for op in updates(history, OpType::Fail).filter(|op| slot_of(op).is_none()) {
        let Some(request) = request_of(op) else { continue };
        findings.examined("refused updates", 1);
        if let Some(slot) = slots.get(request) {
            findings.violation(format!(
                "op {}: {} {} was refused for certain ({}), but its request {request} was chosen in slot {slot}",
                op.index,
                op.f,
                op.value,
                op.error.as_deref().unwrap_or("no reason given"),
            ));
        }
    }
}

/// The clients' completions of this type that are about updates.
pub(super) fn updates(history: &[Op], op_type: OpType) -> impl Iterator<Item = &Op> {
    let is_client = |op: &&Op| matches!(op.process, checker::Process::Client(_));
    history.iter().filter(is_client).filter(move |op| op.op_type == op_type && is_update(op))
}

/// Whether the operation takes a slot of its own.
pub(super) fn is_update(op: &Op) -> bool {
    Asked::of(op).is_none_or(translate::is_update)
}

/// The slot that decided an operation, as its completion tells.
pub(super) fn slot_of(op: &Op) -> Option<Slot> {
    op.extra.get("slot")?.as_u64().filter(|slot| *slot > 0).map(Slot)
}

pub(super) fn request_of(op: &Op) -> Option<&str> {
    op.extra.get("request")?.as_str()
}

/// Why an operation is not known to have happened, in the client's word for machines.
pub(super) fn reason_of(op: &Op) -> Option<&str> {
    op.extra.get("reason")?.as_str()
}
