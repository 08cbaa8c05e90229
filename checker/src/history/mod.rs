//! A history: the ordered list of everything the clients asked and were told.
//!
//! The order of the list is the only order that the checker believes: an invocation is recorded
//! before its first byte leaves, a completion after its reply is decoded, both at one point of one
//! program. Times are for people.

pub mod op;
pub mod pair;
pub mod value;
pub mod well_formed;

use op::Op;
use pair::Call;
use well_formed::{IllFormed, WellFormed};

/// An ordered list of ops, as a recorder wrote them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    ops: Vec<Op>,
}

impl History {
    /// A history of these ops, in this order. Nothing is checked yet: see [`History::well_formed`].
    pub fn new(ops: Vec<Op>) -> Self {
        Self { ops }
    }

    /// The ops, in order.
    pub fn ops(&self) -> &[Op] {
        &self.ops
    }

    /// Gives the ops back.
    pub fn into_ops(self) -> Vec<Op> {
        self.ops
    }

    /// Appends one op.
    pub fn push(&mut self, op: Op) {
        self.ops.push(op);
    }

    /// How many ops (events, not calls) there are, those of the nemesis included.
    pub fn len(&self) -> usize {
        self.ops.len()
    }

    /// Whether there is nothing at all in it.
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// Whether this is a history that clients obeying the rules can have produced. Every check asks
    /// this first and answers *unknown* with the reason when it is not.
    pub fn well_formed(&self) -> Result<(), IllFormed> {
        let mut rules = WellFormed::default();
        self.ops.iter().try_for_each(|op| rules.observe(op).map(|_| ()))
    }

    /// Every client operation with its completion, in the order of invocation.
    pub fn calls(&self) -> Result<Vec<Call<'_>>, IllFormed> {
        pair::calls(self)
    }

    /// The nemesis's ops with their positions, in order.
    pub fn nemesis(&self) -> impl Iterator<Item = (usize, &Op)> {
        self.ops.iter().enumerate().filter(|(_, op)| op.process == op::Process::Nemesis)
    }
}

impl From<Vec<Op>> for History {
    fn from(ops: Vec<Op>) -> Self {
        Self::new(ops)
    }
}

impl FromIterator<Op> for History {
    fn from_iter<I: IntoIterator<Item = Op>>(ops: I) -> Self {
        Self::new(ops.into_iter().collect())
    }
}
