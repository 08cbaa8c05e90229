//! Real time, seen through the slots: what was asked after something was answered comes after it
//! in the log.
//!
//! Stricter than judging keys one by one: a read that was served from an old state is caught even
//! if its own key had not changed, because any answer that came before it names a later slot.

use super::Findings;
use super::check::{is_update, slot_of};
use checker::{Op, OpType, Process};
use paxos_node::paxos::Slot;
use std::collections::BTreeMap;

/// The furthest slot that any answer has named so far, and the index of that answer.
type Furthest = Option<(Slot, u64)>;

/// Compares each answer's slot with the furthest one known when its operation was asked.
pub(super) fn real_time(history: &[Op], findings: &mut Findings) {
    let mut furthest: Furthest = None;
    let mut asked: BTreeMap<u64, Furthest> = BTreeMap::new();
    for op in history {
        let Process::Client(process) = op.process else { continue };
        if op.op_type == OpType::Invoke {
            asked.insert(process, furthest);
            continue;
        }
        let Some(slot) = slot_of(op) else { continue };
        findings.examined("slots in real time", 1);
        if let Some(Some((before, by))) = asked.remove(&process)
            && is_too_early(op, slot, before)
        {
            findings.violation(format!(
                "op {}: {} was answered at slot {slot}, but op {by}, answered before it was asked, stands at slot {before}",
                op.index, op.f
            ));
        }
        if furthest.is_none_or(|(known, _)| known < slot) {
            furthest = Some((slot, op.index));
        }
    }
}

/// A read may see the very state that was seen before; an update needs a slot of its own.
fn is_too_early(op: &Op, slot: Slot, before: Slot) -> bool {
    if is_update(op) { slot <= before } else { slot < before }
}
