//! What the nodes' logs must agree on, with each other and with the history.

use super::learned::{NodeView, one_proposal_per_ballot, show};
use super::replay::{Reads, replay};
use super::{Findings, NodeLog};
use checker::{History, Op, OpType};
use paxos_node::kv::{Batch, Command};
use paxos_node::paxos::{Slot, Value};
use std::collections::{BTreeMap, BTreeSet};

/// All checks; `nodes` is the size of the cluster, some of whose logs may be missing.
pub(super) fn all(logs: &[NodeLog], nodes: usize, history: &History, findings: &mut Findings) {
    findings.examined("logs", logs.len());
    one_proposal_per_ballot(logs, findings);
    let views: Vec<NodeView<'_>> = logs.iter().map(|log| NodeView::of(log, findings)).collect();
    let learned = one_value_per_slot(&views, findings);
    findings.examined("learned slots", learned.len());
    let requests = Requests::of(&learned);
    acknowledged_is_chosen(&views, nodes, &learned, history, findings);
    refused_is_not_chosen(&requests, history, findings);
    replay(&views, &Reads::of(history), findings);
}

/// The learned value of each slot, by whichever node tells it first; complains if two differ.
fn one_value_per_slot<'a>(views: &[NodeView<'a>], findings: &mut Findings) -> BTreeMap<Slot, &'a Value> {
    let mut learned: BTreeMap<Slot, (&NodeLog, &'a Value)> = BTreeMap::new();
    for view in views {
        for (&slot, &value) in &view.learned {
            let (first, earlier) = *learned.entry(slot).or_insert((view.log, value));
            if earlier != value {
                findings.violation(format!(
                    "slot {slot}: two values were learned: {} learned {}, {} learned {}",
                    first.node,
                    show(earlier),
                    view.log.node,
                    show(value)
                ));
            }
        }
    }
    learned.into_iter().map(|(slot, (_, value))| (slot, value)).collect()
}

/// In which slots each request stands.
struct Requests(BTreeMap<String, Vec<Slot>>);

impl Requests {
    fn of(learned: &BTreeMap<Slot, &Value>) -> Requests {
        let mut slots: BTreeMap<String, Vec<Slot>> = BTreeMap::new();
        for (&slot, value) in learned {
            for request in requests(value) {
                slots.entry(request).or_default().push(slot);
            }
        }
        Requests(slots)
    }
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

fn acknowledged_is_chosen(
    views: &[NodeView<'_>],
    nodes: usize,
    learned: &BTreeMap<Slot, &Value>,
    history: &History,
    findings: &mut Findings,
) {
    // A slot's requests are looked up once for each operation in it: decode it once.
    let mut decoded: BTreeMap<Slot, BTreeSet<String>> = BTreeMap::new();
    for op in updates(history, OpType::Ok) {
        let (Some(slot), Some(request)) = (slot_of(op), request_of(op)) else {
            findings.unknown(format!("op {}: an acknowledged {} names no slot and request", op.index, op.f));
            continue;
        };
        findings.examined("acknowledged updates", 1);
        if let Some(value) = learned.get(&slot) {
            if !decoded.entry(slot).or_insert_with(|| requests(value)).contains(request) {
                findings.violation(format!(
                    "op {}: {} {} was acknowledged as request {request} in slot {slot}, but that slot holds {}",
                    op.index,
                    op.f,
                    op.value,
                    show(value)
                ));
            }
            continue;
        }
        // Nobody lived to write that it was chosen. If it was, a quorum holds it.
        let holds = |view: &&NodeView<'_>| {
            view.accepted.get(&slot).is_some_and(|value| requests(value).contains(request))
        };
        let holders: Vec<String> = views.iter().filter(holds).map(|view| view.log.node.to_string()).collect();
        let quorum = nodes / 2 + 1;
        let unread = nodes.saturating_sub(views.len());
        let by = if holders.is_empty() { "no node".to_owned() } else { holders.join(", ") };
        if holders.len() + unread < quorum {
            findings.violation(format!(
                "op {}: {} {} was acknowledged as request {request} in slot {slot}, which nobody learned, and it was accepted by {by}: no quorum of {nodes}",
                op.index, op.f, op.value
            ));
        } else if holders.len() < quorum {
            findings.unknown(format!(
                "op {}: slot {slot} was learned by nobody whose log can be read; request {request} was accepted by {by}",
                op.index
            ));
        }
    }
}

fn refused_is_not_chosen(requests: &Requests, history: &History, findings: &mut Findings) {
    // An aborted transaction is in the log, in the slot that its answer named.
    for op in updates(history, OpType::Fail).filter(|op| slot_of(op).is_none()) {
        let Some(request) = request_of(op) else { continue };
        findings.examined("refused updates", 1);
        if let Some(slots) = requests.0.get(request) {
            findings.violation(format!(
                "op {}: {} {} was refused for certain ({}), but its request {request} was chosen in slot {}",
                op.index,
                op.f,
                op.value,
                op.error.as_deref().unwrap_or("no reason given"),
                slots[0]
            ));
        }
    }
}

/// The clients' completions of this type that are about updates.
fn updates(history: &History, op_type: OpType) -> impl Iterator<Item = &Op> {
    let is_client = |op: &&Op| matches!(op.process, checker::Process::Client(_));
    history.ops().iter().filter(is_client).filter(move |op| op.op_type == op_type && op.f != "read")
}

/// The slot that decided an operation, as its completion tells.
pub(super) fn slot_of(op: &Op) -> Option<Slot> {
    op.extra.get("slot")?.as_u64().filter(|slot| *slot > 0).map(Slot)
}

fn request_of(op: &Op) -> Option<&str> {
    op.extra.get("request")?.as_str()
}
