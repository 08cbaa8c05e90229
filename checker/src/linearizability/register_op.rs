//! Operations on one register, as every engine for registers takes them: values are small numbers,
//! times are positions.

use super::partition::NEVER;

/// A value of this register; [`INITIAL`] is the one it starts with.
pub(crate) type ValueId = u32;

/// The value before any write.
pub(crate) const INITIAL: ValueId = 0;

/// What an operation that did, or may have, happened does to the register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Saw this value.
    Read(ValueId),
    /// Put this value there.
    Write(ValueId),
    /// Saw the first and put the second there, at once.
    Cas(ValueId, ValueId),
    /// Saw that this value was not there: what a failed compare-and-set may tell.
    NotEqual(ValueId),
}

/// One operation. Reads of unknown outcome say nothing and must not be among them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RegisterOp {
    pub(crate) kind: Kind,
    /// Positions of one order, at least 1.
    pub(crate) start: u32,
    /// [`NEVER`] when the outcome is unknown.
    pub(crate) end: u32,
}

impl RegisterOp {
    /// The value it leaves there, which for a read is the one it saw.
    pub(crate) fn value(&self) -> ValueId {
        match self.kind {
            Kind::Read(value) | Kind::Write(value) | Kind::Cas(_, value) | Kind::NotEqual(value) => value,
        }
    }
}

/// What was known at a position, with the place of each operation: what had begun, and of that what had
/// not ended then may happen later or not at all.
pub(crate) fn known_at(ops: &[RegisterOp], position: u32) -> impl Iterator<Item = (usize, RegisterOp)> + '_ {
    let begun = ops.iter().enumerate().filter(move |(_, op)| op.start <= position);
    begun
        .map(move |(place, op)| {
            let end = if op.end <= position { op.end } else { NEVER };
            (place, RegisterOp { end, ..*op })
        })
        .filter(|(_, op)| op.end != NEVER || matches!(op.kind, Kind::Write(_) | Kind::Cas(..)))
}
