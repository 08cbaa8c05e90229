//! Quicker ways to decide than a search, where a model has one.

use crate::history::F;
use crate::history::values::ValueId;

/// An operation that did or may have happened, and when it was open.
#[derive(Clone, Copy, Debug)]
pub struct SearchOp<O> {
    /// What it did and answered.
    pub op: O,
    /// When it was asked: a position in one order of all starts and ends, at least 1, all different.
    pub start: u32,
    /// When it was answered; `u32::MAX` when the outcome is unknown: it may have happened at any time
    /// after its start, or not at all.
    pub end: u32,
}

/// A call by the numbers that its parts have in its history: see [`Model::quick_calls`](super::Model::quick_calls).
#[derive(Clone, Copy, Debug)]
pub struct CallIds {
    /// What was called.
    pub f: F,
    /// What was asked.
    pub asked: ValueId,
    /// What was answered; none where the outcome is unknown.
    pub answer: Option<ValueId>,
}

impl CallIds {
    /// What it was about, if it is an update: nothing if the answer names another value.
    #[inline]
    pub fn argument(&self) -> Option<ValueId> {
        match self.answer {
            Some(answer) if answer != ValueId::NIL && answer != self.asked => None,
            _ => Some(self.asked),
        }
    }
}

/// What a quicker way than a search found: see [`Model::quick`](super::Model::quick).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Quick {
    /// It can't tell: search.
    NotApplicable,
    /// There is an order.
    Valid,
    /// There is none.
    Violation(Violation),
}

/// Operations that no order can hold, whatever else of the history happened when.
///
/// They are all that was done with some values, as far as it matters, and operations that say that there
/// was nothing. What else happened, happened to other values, and leaving all of a value out never makes
/// a possible order impossible: so these alone are impossible already, and nobody needs to look further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// What is wrong, to finish the sentence "process 3 did x, but …".
    pub rule: &'static str,
    /// Operations by their place in what was asked about, each with the part it plays.
    pub ops: Vec<(usize, &'static str)>,
    /// The one of them that can't be placed.
    pub failing: usize,
}
