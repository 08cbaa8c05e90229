//! What a trimmed log stands on.
//!
//! A snapshot holds the state machine's state after some slot, and says for every slot up to there
//! that it is chosen, executed, and no longer told value by value. Whoever has it needs neither the
//! log below nor anybody's promises about it: what is chosen stays chosen (I2). What it must not
//! replace is the acceptor's memory: promises, and votes above that slot, are this node's own.

use super::{Ballot, Governing, Slot};

/// Everything up to a slot, told by the state after it instead of by its values.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Base {
    /// The last slot covered; [`Slot::ZERO`]: none.
    pub slot: Slot,
    /// No slot up to there was chosen in a higher ballot than this: a proposal from here on for
    /// any of them can only be of the value chosen (I9), one below may be of a value that lost.
    pub ballot: Ballot,
}

impl Base {
    /// Nothing is covered: the log begins with slot 1.
    pub const NOTHING: Base = Base { slot: Slot::ZERO, ballot: Ballot::ZERO };
}

/// What a node comes back with after a restart.
#[derive(Copy, Clone, Debug)]
pub struct Recovered<'a> {
    /// What the newest snapshot covers.
    pub base: Base,
    /// Who governs the slots behind it, as the snapshot says; nothing if there is none.
    pub governing: &'a [Governing],
    /// How many records are gone from the log's beginning: the first one here has the next number.
    pub trimmed: u64,
    /// The records that are left, in order, all of them durable.
    pub records: &'a [super::Record],
}

impl<'a> Recovered<'a> {
    /// A log from its first record on, and no snapshot.
    #[must_use]
    pub fn whole(records: &'a [super::Record]) -> Recovered<'a> {
        Recovered { base: Base::NOTHING, governing: &[], trimmed: 0, records }
    }
}
