//! Histories of which only some values are unique: a quick way to find some violations.
//!
//! Let D be the values that are written more than once (and the initial one, if it is written at all).
//! Leave out
//!
//! * every write and read of a value of D, every compare-and-set between two of them, everything that
//!   only says what was not there;
//!
//! and weaken what joins a value w outside of D to one of D:
//!
//! * a compare-and-set from D to w becomes a write of w, one from w to D becomes a read of w.
//!
//! *If the history is linearizable, so is what is left.* Take an order of the whole, do the same to
//! it, and compare the states step by step: wherever the state of the whole is some w outside of D, the
//! state of the rest is w too. For the last operation that set the state of the whole wrote w, so it is
//! still there, as a write or as a compare-and-set, and whatever sets a state in the rest sets one in
//! the whole. So every read and compare-and-set that is left still finds what it saw; nothing moved, so
//! real time is respected. (The weakening is needed: without the compare-and-set that wrote w, a
//! read of w would be of a value that nobody wrote.)
//!
//! So what is impossible in the rest is impossible in the whole. Nothing follows when the rest is
//! fine, and the whole may have become impossible earlier than the rest did.

use super::condition::Condition;
use super::{Answer, Violation, zones};
use crate::linearizability::condition::holds;
use crate::linearizability::register_op::{INITIAL, Kind, RegisterOp, ValueId};

/// A violation in a history of which some values are left out.
#[derive(Debug)]
pub(crate) struct UniquePart {
    /// Names operations by their place in `ops`.
    pub(crate) violation: Violation,
    pub(crate) ops: Vec<RegisterOp>,
    /// For each of `ops` its place among the operations that were asked about.
    pub(crate) numbers: Vec<usize>,
}

/// Looks for a violation among the values that are written once.
pub(crate) fn unique_part(ops: &[RegisterOp], values: usize, positions: u32) -> Option<UniquePart> {
    let mut writes = vec![0u8; values.max(1)];
    writes[INITIAL as usize] = u8::from(holds(Condition::InitialIsRepeated));
    for op in ops {
        match op.kind {
            Kind::Write(value) => bump(&mut writes, value),
            Kind::Cas(expected, value) if expected != value || !holds(Condition::SwapToItselfWritesNot) => {
                bump(&mut writes, value)
            }
            Kind::Cas(..) | Kind::Read(_) | Kind::NotEqual(_) => {}
        }
    }
    let out = |value: ValueId| writes[value as usize] > 1;
    let (mut left, mut numbers) = (Vec::new(), Vec::new());
    for (number, op) in ops.iter().enumerate() {
        let kind = match op.kind {
            Kind::NotEqual(_) => continue,
            Kind::Read(value) | Kind::Write(value) if out(value) && holds(Condition::RepeatedLeftOut) => {
                continue;
            }
            Kind::Read(_) | Kind::Write(_) => op.kind,
            Kind::Cas(expected, value) => match (out(expected), out(value)) {
                (true, true) => continue,
                (true, false) if holds(Condition::FromRepeatedWrites) => Kind::Write(value),
                // One of unknown outcome says nothing then.
                (false, true) if holds(Condition::ToRepeatedReads) => Kind::Read(expected),
                (true, false) | (false, true | false) => op.kind,
            },
        };
        left.push(RegisterOp { kind, ..*op });
        numbers.push(number);
    }
    match zones(&left, values, positions) {
        Answer::Invalid(collision) => {
            let violation = collision.earliest(&left).violation;
            Some(UniquePart { violation, ops: left, numbers })
        }
        Answer::Valid | Answer::NotUnique | Answer::Undecided => None,
    }
}

fn bump(writes: &mut [u8], value: ValueId) {
    let count = &mut writes[value as usize];
    *count = count.saturating_add(1);
}
