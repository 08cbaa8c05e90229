//! Transactions in columns: what the engines work on.
//!
//! Keys and values are small numbers (their names are kept for people), lists lie end to end, and a
//! transaction is a stretch of micro-operations. A read whose answer nobody saw is no micro-operation
//! at all.

use crate::history::op::Value;
use crate::history::pair::Outcome;

/// The end of a transaction whose outcome is unknown: later than everything.
pub(crate) const NEVER: u32 = u32::MAX;

/// The value that a register holds before its first write.
pub(crate) const NIL: u32 = 0;

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
    Append(u32),
    /// Wrote a value to a register.
    Write(u32),
    /// Read a list, by its number.
    ReadList(u32),
    /// Read a register.
    Read(u32),
}

/// One micro-operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mop {
    pub(crate) key: u32,
    pub(crate) action: Action,
}

/// All transactions of a history, in the order of their beginnings.
#[derive(Clone, Debug, Default)]
pub(crate) struct Txns {
    pub(crate) txns: Vec<Txn>,
    pub(crate) mops: Vec<Mop>,
    /// First and one past the last element of each list.
    pub(crate) lists: Vec<(u32, u32)>,
    pub(crate) elements: Vec<u32>,
    /// Names of keys and of values, by number.
    pub(crate) keys: Vec<Value>,
    pub(crate) values: Vec<Value>,
}

impl Txns {
    pub(crate) fn len(&self) -> usize {
        self.txns.len()
    }

    pub(crate) fn mops(&self, txn: u32) -> &[Mop] {
        let (from, to) = self.txns[txn as usize].mops;
        &self.mops[from as usize..to as usize]
    }

    pub(crate) fn list(&self, list: u32) -> &[u32] {
        let (from, to) = self.lists[list as usize];
        &self.elements[from as usize..to as usize]
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
        let fixed = self.txns.len() * size_of::<Txn>()
            + self.mops.len() * size_of::<Mop>()
            + 8 * self.lists.len()
            + 4 * self.elements.len();
        let names = (self.keys.len() + self.values.len()) * size_of::<Value>();
        (fixed + names) as u64
    }
}
