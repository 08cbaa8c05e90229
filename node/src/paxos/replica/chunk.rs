//! What a node knows of many slots, in messages that a frame can hold.

use crate::paxos::{Slot, SlotReport};

/// Payload of one `Promise` or `LearnReply`: keeps a frame well below the wire's limit.
pub const CHUNK_BYTES_MAX: usize = 1 << 20;

/// Slots in one `Promise` or `LearnReply`.
pub const CHUNK_SLOTS_MAX: usize = 4096;

/// As many reports as one frame takes, and the slot at which the rest starts. The first always
/// fits: a single value is below the limit.
pub(super) fn chunk(reports: impl Iterator<Item = SlotReport>) -> (Vec<SlotReport>, Option<Slot>) {
    let mut slots = Vec::new();
    let mut bytes = 0;
    for report in reports {
        bytes += report.value.len();
        if !slots.is_empty() && (bytes > CHUNK_BYTES_MAX || slots.len() >= CHUNK_SLOTS_MAX) {
            return (slots, Some(report.slot));
        }
        slots.push(report);
    }
    (slots, None)
}
