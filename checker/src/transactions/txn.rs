//! Transactions in columns: what the engines work on.
//!
//! Values and lists are the history's own ids, keys are numbered from 0, and a transaction is a stretch
//! of micro-operations. A read whose answer nobody saw is no micro-operation at all.

use crate::history::op::Value;
use crate::history::pair::Outcome;
use crate::history::values::{ValueId, Values};

/// The end of a transaction whose outcome is unknown: later than everything.
pub(crate) const NEVER: u32 = u32::MAX;

/// One transaction.
#[derive(Clone, Debug)]
pub(crate) struct Txn {
    pub(crate) process: u64,
    /// Position in the history at which it began.
    pub(crate) start: u32,
    /// Position at which it was complete, or [`NEVER`].
    pub(crate) end: u32,
    pub(crate) outcome: Outcome,
    /// First and one past the last of its micro-operations.
    pub(crate) mops: (u32, u32),
}

/// What a micro-operation did to its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Appended a value to a list.
    Append(ValueId),
    /// Wrote a value to a register.
    Write(ValueId),
    /// Read a list.
    ReadList(ValueId),
    /// Read a register.
    Read(ValueId),
}

/// One micro-operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mop {
    pub(crate) key: u32,
    pub(crate) action: Action,
}

/// All transactions of a history, in the order of their beginnings.
#[derive(Clone, Debug)]
pub(crate) struct Txns<'h> {
    pub(crate) txns: Vec<Txn>,
    pub(crate) mops: Vec<Mop>,
    /// Names of keys, by number.
    pub(crate) keys: Vec<Value>,
    pub(crate) values: &'h Values,
}

impl<'h> Txns<'h> {
    pub(crate) fn len(&self) -> usize {
        self.txns.len()
    }

    pub(crate) fn mops(&self, txn: u32) -> &[Mop] {
        let (from, to) = self.txns[txn as usize].mops;
        &self.mops[from as usize..to as usize]
    }

    /// The elements of a list; nil is the empty one.
    pub(crate) fn list(&self, list: ValueId) -> &'h [ValueId] {
        self.values.list_view(list).unwrap_or(&[])
    }

    /// A value, as people know it.
    pub(crate) fn value(&self, value: ValueId) -> Value {
        self.values.get(value)
    }

    /// The transactions that certainly happened, by number.
    pub(crate) fn ok(&self) -> impl Iterator<Item = (u32, &Txn)> {
        let numbered = (0u32..).zip(&self.txns);
        numbered.filter(|(_, txn)| txn.outcome == Outcome::Ok)
    }

    /// How many reads were answered.
    pub(crate) fn reads(&self) -> u64 {
        let read = |mop: &&Mop| matches!(mop.action, Action::ReadList(_) | Action::Read(_));
        self.mops.iter().filter(read).count() as u64
    }

    /// About how many bytes it takes.
    pub(crate) fn bytes(&self) -> u64 {
        let columns = self.txns.len() * size_of::<Txn>() + self.mops.len() * size_of::<Mop>();
        (columns + self.keys.len() * size_of::<Value>()) as u64
    }
}
