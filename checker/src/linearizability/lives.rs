//! The life of each value in a container: put in, looked at, taken out, once.
//!
//! What the monitors of queues, stacks and bags share. Values are small numbers, and every value must be
//! put in at most once. Of a value's operations two moments count: by `in_by` the first of them has
//! ended, from `out_from` on the last of them has begun. From the one to the other the value is in the
//! container in every order; the monitors call that its *stay*.
//!
//! Moments lie between positions: gap g is what is between position g and the next. A stay covers the
//! gaps from `in_by` to just before `out_from`, an operation may take effect in the gaps from its start
//! to just before its end.
//!
//! Two rules hold for all containers, and the monitors rest on them. Leaving out all operations of a value
//! leaves every possible order possible; so a value of unknown put that nobody took or saw is left out
//! from the start. And in the gaps that no stay covers the container can be empty, in all of them at once:
//! whatever is there without need has all its operations still to end, and they can be placed right
//! after, or all begun, and they can be placed right before.

use std::borrow::Cow;

use super::condition::holds;
use super::monitor_condition::Condition;
use super::partition::NEVER;
use super::positions::close_gaps;
use crate::model::{ContainerOp, Quick, SearchOp, Violation};

/// No operation.
pub(crate) const NOBODY: u32 = u32::MAX;

/// What an operation did, with values as numbers, and when it was open: positions of one order, from 1, all
/// different; `end` is [`NEVER`] when the outcome is unknown.
pub(crate) type LifeOp = SearchOp<ContainerOp<u32>>;

/// What was done with one value. Operations by place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Life {
    pub(crate) put: u32,
    /// [`NOBODY`] while it is inside.
    pub(crate) take: u32,
    /// The operation that ended first.
    pub(crate) first_ended: u32,
    /// Its end; [`NEVER`] if none has.
    pub(crate) in_by: u32,
    /// The operation that began last.
    pub(crate) last_begun: u32,
    /// Its start; [`NEVER`] if the value was never taken.
    pub(crate) out_from: u32,
}

impl Life {
    const NONE: Life = Life {
        put: NOBODY,
        take: NOBODY,
        first_ended: NOBODY,
        in_by: NEVER,
        last_begun: NOBODY,
        out_from: 0,
    };

    pub(crate) fn is_taken(&self) -> bool {
        self.take != NOBODY
    }

    /// Whether it is certainly inside at some moment.
    pub(crate) fn stays(&self) -> bool {
        self.in_by < self.out_from
    }
}

/// All lives, and the operations that are about no value.
pub(crate) struct Lives {
    /// By value; those without a put that may have happened are left out (`put` is [`NOBODY`]).
    pub(crate) lives: Vec<Life>,
    /// Places of operations that found nothing.
    pub(crate) empties: Vec<u32>,
    /// Places of peeks.
    pub(crate) peeks: Vec<u32>,
    /// Places of takes that did not live to tell what they took.
    pub(crate) takers: Vec<u32>,
    /// Every position is at most this.
    pub(crate) positions: u32,
}

/// The same with positions numbered anew if there are many more than operations.
pub(crate) fn dense(ops: &[LifeOp]) -> Cow<'_, [LifeOp]> {
    let last = ops.iter().map(|op| if op.end == NEVER { op.start } else { op.end }).max().unwrap_or(0);
    if last as usize <= 8 * ops.len() + 64 {
        return Cow::Borrowed(ops);
    }
    let mut ops = ops.to_vec();
    close_gaps(&mut ops, |op| [&mut op.start, &mut op.end]);
    Cow::Owned(ops)
}

/// Joins the operations of each value. Answers at once where a value's own operations are impossible, or
/// where values are not unique.
pub(crate) fn lives(ops: &[LifeOp], values: usize) -> Result<Lives, Quick> {
    let mut lives = Lives {
        lives: vec![Life::NONE; values],
        empties: Vec::new(),
        peeks: Vec::new(),
        takers: Vec::new(),
        positions: 0,
    };
    for (place, op) in ops.iter().enumerate() {
        let place = place as u32;
        lives.positions = lives.positions.max(if op.end == NEVER { op.start } else { op.end });
        if let ContainerOp::Put(value) | ContainerOp::Take(value) | ContainerOp::Peek(value) = op.op {
            let life = &mut lives.lives[value as usize];
            if op.end < life.in_by {
                (life.in_by, life.first_ended) = (op.end, place);
            }
            if op.start > life.out_from {
                (life.out_from, life.last_begun) = (op.start, place);
            }
        }
        match op.op {
            ContainerOp::Put(value) => {
                let life = &mut lives.lives[value as usize];
                if life.put != NOBODY && holds(Condition::PutOnce) {
                    return Err(Quick::NotApplicable);
                }
                life.put = place;
            }
            ContainerOp::Take(_) | ContainerOp::Peek(_) | ContainerOp::Empty if op.end == NEVER => {
                return Err(Quick::NotApplicable);
            }
            ContainerOp::Take(value) => {
                let life = &mut lives.lives[value as usize];
                if life.take != NOBODY && holds(Condition::TakenOnce) {
                    // Once put in is once to take out, unless another put follows.
                    return Err(taken_twice(ops, value));
                }
                life.take = place;
            }
            ContainerOp::TakeUnknown => lives.takers.push(place),
            ContainerOp::Empty => lives.empties.push(place),
            ContainerOp::Peek(_) => lives.peeks.push(place),
        }
    }
    for life in &mut lives.lives {
        own_order(ops, life).map_err(Quick::Violation)?;
        if life.in_by == NEVER && holds(Condition::UnseenHasNoStay) {
            // A put that may have happened, and that nobody saw.
            *life = Life::NONE;
        }
        if !life.is_taken() && holds(Condition::UntakenStays) {
            (life.out_from, life.last_begun) = (NEVER, NOBODY);
        }
    }
    Ok(lives)
}

fn taken_twice(ops: &[LifeOp], value: u32) -> Quick {
    let lost = |op: &LifeOp| op.op == ContainerOp::Take(value) && op.end == NEVER;
    if ops.iter().any(lost) && holds(Condition::TakesOfUnknownEnd) {
        return Quick::NotApplicable;
    }
    let of_value = |kind: ContainerOp<u32>| ops.iter().enumerate().filter(move |(_, op)| op.op == kind);
    let puts: Vec<usize> = of_value(ContainerOp::Put(value)).map(|(place, _)| place).collect();
    let mut takes: Vec<(u32, usize)> =
        of_value(ContainerOp::Take(value)).map(|(place, op)| (op.end, place)).collect();
    takes.sort_unstable();
    match puts[..] {
        [] => Quick::Violation(Violation {
            rule: "what was never put in can't be taken out",
            ops: vec![(takes[0].1, "took it")],
            failing: takes[0].1,
        }),
        [put] if takes[0].0 < ops[put].start => Quick::Violation(taken_too_early(put, takes[0].1)),
        [put] => Quick::Violation(Violation {
            rule: "what was put in once can't be taken out twice",
            ops: vec![(put, "put it in"), (takes[0].1, "took it"), (takes[1].1, "took it again")],
            failing: takes[1].1,
        }),
        _ => Quick::NotApplicable,
    }
}

fn taken_too_early(put: usize, first: usize) -> Violation {
    Violation {
        rule: "what was not yet put in can't be seen",
        ops: vec![(put, "put it in, later"), (first, "saw it")],
        failing: first,
    }
}

/// Whether a value's own operations can be in order: put in before, taken out after all others.
fn own_order(ops: &[LifeOp], life: &Life) -> Result<(), Violation> {
    if life.first_ended == NOBODY {
        return Ok(());
    }
    let first = life.first_ended as usize;
    let Some(put) = ops.get(life.put as usize) else {
        if !holds(Condition::SeenIsPut) {
            return Ok(());
        }
        return Err(Violation {
            rule: "what was never put in can't be seen",
            ops: vec![(first, "saw it")],
            failing: first,
        });
    };
    if life.in_by < put.start && holds(Condition::PutBeforeSeen) {
        return Err(taken_too_early(life.put as usize, first));
    }
    match ops.get(life.take as usize) {
        Some(take) if take.end < life.out_from && holds(Condition::SeenBeforeTaken) => {
            let last = life.last_begun as usize;
            Err(Violation {
                rule: "what was taken out can't be seen afterwards",
                ops: vec![
                    (life.put as usize, "put it in"),
                    (life.take as usize, "took it"),
                    (last, "saw it, later"),
                ],
                failing: last,
            })
        }
        _ => Ok(()),
    }
}

impl Lives {
    /// The operations that say that these values were inside, each value once.
    pub(crate) fn evidence(&self, values: &[u32], ops: &mut Vec<(usize, &'static str)>) {
        for value in values {
            let life = &self.lives[*value as usize];
            ops.push((life.put as usize, "put it in before"));
            let others = [(life.first_ended, "saw it inside"), (life.last_begun, "saw it inside")];
            for (place, role) in [(life.take, "took it only after")].into_iter().chain(others) {
                if place != NOBODY && ops.iter().all(|(known, _)| *known != place as usize) {
                    ops.push((place as usize, role));
                }
            }
        }
    }

    /// As few values as do, whose stays cover all gaps from `from` to just before `to`, out of these.
    pub(crate) fn cover(&self, values: impl Iterator<Item = u32>, from: u32, to: u32) -> Vec<u32> {
        let meets = |life: &Life| life.stays() && life.in_by < to && life.out_from > from;
        let mut stays: Vec<u32> = values.filter(|value| meets(&self.lives[*value as usize])).collect();
        stays.sort_unstable_by_key(|value| self.lives[*value as usize].in_by);
        let (mut chain, mut next, mut gap) = (Vec::new(), 0, from);
        while gap < to {
            let mut best: Option<u32> = None;
            while let Some(value) = stays.get(next).filter(|value| self.lives[**value as usize].in_by <= gap)
            {
                let out_from = |value: u32| self.lives[value as usize].out_from;
                if best.is_none_or(|best| out_from(*value) > out_from(best)) {
                    best = Some(*value);
                }
                next += 1;
            }
            let Some(best) = best.filter(|best| self.lives[*best as usize].out_from > gap) else { break };
            gap = self.lives[best as usize].out_from;
            chain.push(best);
        }
        chain
    }
}

/// Gaps that are covered, and the next one that is not.
pub(crate) struct Gaps {
    /// A gap that is not before this one and not covered, or on the way to it.
    free: Vec<u32>,
}

impl Gaps {
    pub(crate) fn new(positions: u32) -> Self {
        Self { free: (0..positions + 2).collect() }
    }

    /// The same with those covered to which something reaches that began at or before them. For every gap from
    /// 0 on it says how far what begins there reaches.
    pub(crate) fn reached(positions: u32, reaches: impl Iterator<Item = u32>) -> Self {
        let mut reach = 0;
        let marked = (0..).zip(reaches.take(positions as usize + 1)).map(|(gap, to)| {
            reach = reach.max(to);
            if gap < reach { gap + 1 } else { gap }
        });
        let mut free: Vec<u32> = marked.collect();
        // One beyond the last position is always free.
        free.push(positions + 1);
        for gap in (0..=positions as usize).rev() {
            free[gap] = if free[gap] as usize == gap { free[gap] } else { free[gap + 1] };
        }
        Self { free }
    }

    /// The first free gap from this one on; one beyond the last position is always free.
    pub(crate) fn next_free(&mut self, gap: u32) -> u32 {
        let mut end = gap;
        while self.free[end as usize] != end {
            end = self.free[end as usize];
        }
        let mut gap = gap;
        while gap != end {
            gap = std::mem::replace(&mut self.free[gap as usize], end);
        }
        end
    }

    /// Covers the gaps from one to just before another.
    pub(crate) fn cover(&mut self, from: u32, to: u32) {
        let to = to.min(self.free.len() as u32 - 1);
        let mut gap = self.next_free(from);
        while gap < to {
            self.free[gap as usize] = gap + 1;
            gap = self.next_free(gap + 1);
        }
    }
}
