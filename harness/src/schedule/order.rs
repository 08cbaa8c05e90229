//! What a director asks for, and what it tells of phases that are over.

use std::collections::BTreeSet;
use std::time::Duration;

use super::action::Action;
use crate::proxy::Link;

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// This phase begins.
    Phase(String),
    /// Do this. The first of an occurrence says that it came.
    Begin {
        /// Which occurrence, numbered from 0 over the whole run.
        occurrence: u64,
        /// The fault or choice.
        id: String,
        /// Which of its items.
        item: usize,
        /// What.
        action: Action,
        /// Whether the occurrence has bitten only if this has.
        must_bite: bool,
    },
    /// Undo this.
    Undo {
        /// Which occurrence.
        occurrence: u64,
        /// Which of its items.
        item: usize,
        /// What was done.
        action: Action,
    },
    /// All of this occurrence is undone: to be [settled](super::Director::settle).
    Ended(u64),
    /// This could not be done now.
    Skipped {
        /// Which occurrence it would have been.
        occurrence: u64,
        /// The fault or choice.
        id: String,
        /// Why.
        reason: String,
    },
    /// Nothing more will come.
    Finished,
}

impl Order {
    /// Whether the cluster is treated otherwise from here on.
    pub fn changes_something(&self) -> bool {
        matches!(self, Order::Begin { .. } | Order::Undo { .. })
    }
}

/// Frames that some trigger waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// For [`Director::saw`](super::Director::saw).
    pub key: String,
    /// Their kind.
    pub kind: String,
    /// The links they enter.
    pub links: BTreeSet<Link>,
}

/// A phase that is over.
#[derive(Clone, Debug, PartialEq)]
pub struct Passed {
    /// Its name.
    pub name: String,
    /// How long it was.
    pub lasted: Duration,
    /// Operations that succeeded in it.
    pub ops_ok: u64,
    /// How many per second the schedule wants to have seen.
    pub ok_rate_min: Option<f64>,
}
