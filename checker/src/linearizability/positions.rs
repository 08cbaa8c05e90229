//! Positions of starts and ends in one order.

use super::partition::NEVER;

/// Numbers the positions of operations anew, from 1 and without gaps, in the same order.
pub(crate) fn close_gaps<O>(ops: &mut [O], span: impl Fn(&mut O) -> [&mut u32; 2]) {
    let mut known: Vec<u32> = Vec::with_capacity(2 * ops.len());
    for op in ops.iter_mut() {
        known.extend(span(op).map(|position| *position).into_iter().filter(|position| *position != NEVER));
    }
    known.sort_unstable();
    for op in ops {
        for position in span(op).into_iter().filter(|position| **position != NEVER) {
            *position = known.partition_point(|other| other < position) as u32 + 1;
        }
    }
}
