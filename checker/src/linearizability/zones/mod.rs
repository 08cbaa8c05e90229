//! Registers whose values are written once: decided in linear time.
//!
//! Gibbons & Korach (1997) judge a register by *zones* when every value is written at most once: the
//! write of a value and all its reads form a cluster that must be contiguous in any order. Two
//! things are added here:
//!
//! * A compare-and-set from a to b puts the cluster of b right behind that of a, with nothing between.
//!   Clusters joined in this way form a chain, and the whole chain, a **block**, is contiguous. One from
//!   a to a changes nothing: it is a read.
//! * An update with unknown outcome happened if anybody depends on its value, and can be left out if
//!   nobody does. So nothing is left to guess.
//!
//! For a block X let f(X) be its first end and s(X) its last start. X must come before Y exactly when
//! f(X) < s(Y). The history is linearizable exactly when every block is in order within itself and no
//! two blocks must each come before the other. Pairs are enough: on a cycle X₁ → X₂ → … → X₁ let X₁ be the
//! one with the least f; then f(X₁) ≤ f(Xᵢ₋₁) < s(Xᵢ) for every i, so X₁ comes before each of them, also
//! before the last, which comes before X₁.
//!
//! A failed compare-and-set that proves "the value was not v" belongs to no cluster. It is left out at
//! first: what is a violation without it stays one. If there is none, [`order`] tries to find it a
//! place in the order of the blocks, and if there is no place *in that order* the answer is
//! [`Answer::Undecided`]: another order may have one, and another engine must look.
//!
//! A violation is always one of the shortest prefix of the history that is not linearizable: it is
//! there since the very event at which the history became impossible. (It may name a write that began
//! later, where what matters is that there was none before.)
//!
//! | file | what |
//! |---|---|
//! | `clusters` | reads the operations once, joins the clusters to blocks |
//! | `collide` | whether two blocks collide |
//! | `at_once` | the verdict for all keys at once, straight from the history's columns |
//! | `told` | what one call says of the clusters |
//! | `name` | which operations a collision is made of |
//! | `condition` | what tests drop to see that it is missed |
//! | `order` | the order of a history that is linearizable |
//! | `unique_part` | histories of which only a part has unique values |

mod at_once;
mod clusters;
mod collide;
mod condition;
mod name;
mod order;
mod told;
mod unique_part;

#[cfg(test)]
pub(crate) mod tests;

use super::condition::holds;
use super::partition::NEVER;
use super::register_op::{INITIAL, Kind, RegisterOp};
use clusters::{Clusters, Stop};
use condition::Condition;

#[cfg(test)]
pub(crate) use at_once::at_once_on;
pub(crate) use at_once::{AtOnce, at_once};
pub(crate) use order::order;
pub(crate) use unique_part::unique_part;

const NONE: u32 = u32::MAX;

/// What the zones say.
#[derive(Debug)]
pub(crate) enum Answer {
    Valid,
    /// Some value is written twice, or the initial one is written: ask another engine.
    NotUnique,
    /// There is an order of everything but the [`Kind::NotEqual`]s, and they don't fit into it: ask
    /// another engine.
    Undecided,
    /// There is no order.
    Invalid(Collision),
}

/// What made the zones find that there is no order. It takes a few more looks at the operations to say
/// which of them can't be ordered, so that is left until somebody asks.
#[derive(Debug)]
pub(crate) struct Collision {
    clusters: Clusters,
    stop: Stop,
}

/// A violation, and a position up to which the history is certainly not linearizable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) violation: Violation,
    pub(crate) complete: u32,
}

/// Why there is no order. Operations are named by their place in the slice that was asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Violation {
    /// This operation saw a value that no operation can have written.
    NeverWritten { by: usize },
    /// Both replaced the same value, which was there once.
    TwoSuccessors { first: usize, second: usize },
    /// Compare-and-sets that each need the next one's result.
    Cycle { ops: Vec<usize> },
    /// `early` ended before `late` began, but what `late` deals with comes first: either `late` wrote
    /// the value that `early` saw, or `links` lead from the value of `late` to that of `early`.
    OutOfOrder { early: usize, late: usize, links: Vec<usize> },
    /// Two blocks that must each come before the other.
    Crossing { older: Zone, newer: Zone },
}

/// A block, by what orders it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Zone {
    /// The first of it to end; none for the block of the initial value, which was there before all.
    pub(crate) first_end: Option<usize>,
    /// The last of it to begin.
    pub(crate) last_start: usize,
    /// The compare-and-sets that join the values of these two.
    pub(crate) links: Vec<usize>,
}

/// Decides a register of `values` different values; starts and ends are within `1..=positions`.
pub(crate) fn zones(ops: &[RegisterOp], values: usize, positions: u32) -> Answer {
    let mut zones = Zones::new(values);
    if !ops.iter().all(|op| zones.add(op)) {
        return Answer::NotUnique;
    }
    zones.answer(positions, |clusters| order::arrange(ops, clusters, positions).is_some())
}

/// The same with operations that come one by one, each looked at once.
pub(crate) struct Zones {
    clusters: Clusters,
}

impl Zones {
    /// None yet, with room for so many values.
    pub(crate) fn new(values: usize) -> Self {
        Self { clusters: Clusters::new(values) }
    }

    /// Takes the next operation. False if some value is written twice, or the initial one is.
    #[inline]
    pub(crate) fn add(&mut self, op: &RegisterOp) -> bool {
        self.clusters.add(op)
    }

    /// What is to be said of all of them.
    pub(crate) fn decide(self, positions: u32) -> Answer {
        self.answer(positions, |_| false)
    }

    /// The same with a way to fit in whatever only says what was not there.
    fn answer(mut self, positions: u32, fits: impl Fn(&Clusters) -> bool) -> Answer {
        match self.clusters.judge(positions) {
            Ok(()) if self.clusters.not_equals == 0 || fits(&self.clusters) => Answer::Valid,
            Ok(()) => Answer::Undecided,
            Err(stop) => Answer::Invalid(Collision { clusters: self.clusters, stop }),
        }
    }
}

impl Collision {
    /// The violation that was found, which need not be the first: enough for what was made a register of
    /// with knowledge of the whole history, since its prefixes mean nothing. Takes the operations that were
    /// asked about.
    pub(crate) fn found(&self, ops: &[RegisterOp]) -> Violation {
        name::name(ops, &self.clusters, &self.stop).violation
    }

    /// The violation that is complete first of all: shortens an impossible prefix until it is the
    /// shortest. A prefix of a linearizable history is linearizable, so that can be searched by halving;
    /// but most often the first violation found is the one.
    pub(crate) fn earliest(&self, ops: &[RegisterOp]) -> Named {
        let mut found = name::name(ops, &self.clusters, &self.stop);
        let mut possible = 0;
        let mut beside = true;
        while found.complete - possible > 1 {
            let before = found.complete - 1;
            let cut = if beside { before } else { possible + (before - possible).div_ceil(2) };
            beside = !beside;
            let values = self.clusters.values();
            let mut clusters = Clusters::load(ops, values, cut).expect("values were unique in the whole");
            match clusters.judge(cut) {
                Ok(()) => possible = cut,
                Err(stop) => {
                    found = name::name(ops, &clusters, &stop);
                    assert!(found.complete <= cut, "what is wrong with a prefix is complete within it");
                }
            }
        }
        found
    }
}

/// The event at which the history became impossible, if the zones find that it did.
#[cfg(test)]
pub(crate) fn first_impossible(ops: &[RegisterOp], values: usize, positions: u32) -> Option<u32> {
    match zones(ops, values, positions) {
        Answer::Invalid(collision) => Some(collision.earliest(ops).complete),
        Answer::Valid | Answer::NotUnique | Answer::Undecided => None,
    }
}

/// Whether somebody saw a value that nobody can have written. True of any register, also of one whose
/// values repeat.
pub(crate) fn never_written(ops: &[RegisterOp], values: usize) -> Option<Violation> {
    let mut written = vec![false; values.max(1)];
    written[INITIAL as usize] = true;
    for op in ops {
        if let Kind::Write(value) | Kind::Cas(_, value) = op.kind {
            written[value as usize] = true;
        }
    }
    let by = ops.iter().position(|op| match op.kind {
        Kind::Read(value) | Kind::Cas(value, _) => {
            (op.end != NEVER || !holds(Condition::NeverWrittenByEnded)) && !written[value as usize]
        }
        Kind::Write(_) | Kind::NotEqual(_) => false,
    })?;
    Some(Violation::NeverWritten { by })
}
