//! Objects that go up and down: an element of a set, a lock, a semaphore. Exact, n log n.
//!
//! The object holds a level from 0 to its limit; operations move it up by one, down by one, or see it.
//! An element is in (1) or out (0): an add that answers "new" moves up, a remove that answers "was there"
//! moves down, everything else that answers is a look. No operation can be told from another one of its
//! kind but by when it must be done. So, one end after the other, and only when the operation that ends
//! has not been done: if the level lets it, it is done; if not, the level is moved first, by open
//! operations of the other kind, those that end first first and those of unknown outcome last. Whoever
//! sees the level whenever it is reached is content. Nothing is gained by moving more, or earlier: what is
//! done beyond need can be done right afterwards as well, and leads to the same level.
//!
//! Nor is anything seen by that which is not seen without it, if the limit is one. With more levels it
//! may be worth going up for a look before going down: looks at a semaphore of several permits are for the
//! search, and so are adds and removes that do not answer whether they changed anything.

mod evidence;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::condition::holds;
use super::monitor_condition::Condition;
use super::partition::NEVER;
use crate::hash::Table;
use crate::history::op::Value;
use crate::model::{ElementOp, Quick, SearchOp};

/// What an operation does to the level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Move {
    Up,
    Down,
    /// Sees this level.
    See(u32),
    /// Anything else.
    Other,
}

/// What the level is of, to tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Thing {
    /// An element of a set.
    Element,
    /// A lock, or the permits of a semaphore.
    Permits,
}

/// An operation on one of many objects: positions of one order, from 1, all different; `end` is
/// [`NEVER`] when the outcome is unknown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StepOp {
    pub(crate) object: u32,
    pub(crate) what: Move,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

/// Judges a set, all elements at once.
pub(crate) fn judge_set(ops: &[SearchOp<ElementOp>]) -> Quick {
    let mut numbers: Table<&Value, u32> = Table::default();
    let mut steps = Vec::with_capacity(ops.len());
    for SearchOp { op, start, end } in ops {
        let Some(element) = op.element() else { return Quick::NotApplicable };
        let next = numbers.len() as u32;
        let object = *numbers.entry(element).or_insert(next);
        let what = match op {
            ElementOp::Add(_, Some(true)) => Move::Up,
            ElementOp::Remove(_, Some(true)) => Move::Down,
            // What may have happened may have changed something; if it did not, nobody missed it.
            ElementOp::Add(_, None) if *end == NEVER => Move::Up,
            ElementOp::Remove(_, None) if *end == NEVER => Move::Down,
            ElementOp::Add(_, Some(false)) | ElementOp::Contains(_, true) => Move::See(1),
            ElementOp::Remove(_, Some(false)) | ElementOp::Contains(_, false) => Move::See(0),
            ElementOp::Add(_, None) | ElementOp::Remove(_, None) | ElementOp::Read(_) => Move::Other,
        };
        steps.push(StepOp { object, what, start: *start, end: *end });
    }
    judge_moves(&steps, numbers.len(), 1, Thing::Element)
}

/// Judges one lock or semaphore.
pub(crate) fn judge_steps<O>(ops: &[SearchOp<O>], limit: u32, what: impl Fn(&O) -> Move) -> Quick {
    let steps = ops.iter().map(|op| StepOp { object: 0, what: what(&op.op), start: op.start, end: op.end });
    judge_moves(&steps.collect::<Vec<_>>(), 1, limit, Thing::Permits)
}

/// Operations that are open and not done, those that end first at the top.
type Waiting = BinaryHeap<Reverse<(u32, u32)>>;

/// One object as the sweep goes.
#[derive(Clone, Default)]
struct Object {
    level: u32,
    up: Waiting,
    down: Waiting,
    /// Open looks that have not seen their level: at the lowest, and at the highest.
    see: [Vec<u32>; 2],
}

/// Judges objects numbered below `objects`, all of this limit and at level 0 at first.
pub(crate) fn judge_moves(ops: &[StepOp], objects: usize, limit: u32, thing: Thing) -> Quick {
    if !applies(ops, limit) {
        return Quick::NotApplicable;
    }
    match first_stuck(ops, objects, limit) {
        None => Quick::Valid,
        Some(stuck) => Quick::Violation(evidence::violation(ops, limit, stuck, thing)),
    }
}

/// The same for the verdict alone; nothing if it can't tell.
pub(crate) fn is_valid(ops: &[StepOp], objects: usize, limit: u32) -> Option<bool> {
    applies(ops, limit).then(|| first_stuck(ops, objects, limit).is_none())
}

/// The first operation, by end, that can't be done.
fn first_stuck(ops: &[StepOp], objects: usize, limit: u32) -> Option<u32> {
    let mut sweep =
        Sweep { ops, limit, done: vec![false; ops.len()], objects: vec![Object::default(); objects] };
    for event in events(ops) {
        let place = event / 2;
        if event % 2 == 0 {
            sweep.begin(place);
        } else if !sweep.done[place as usize] && !sweep.finish(place) {
            return Some(place);
        }
    }
    None
}

fn applies(ops: &[StepOp], limit: u32) -> bool {
    limit > 0
        && ops.iter().all(|op| match op.what {
            Move::Up | Move::Down => true,
            Move::See(level) => (limit == 1 && level <= 1) || !holds(Condition::LevelLooksOfOne),
            Move::Other => false,
        })
}

/// Starts (the place twice) and ends (one more) in order.
fn events(ops: &[StepOp]) -> Vec<u32> {
    let last =
        ops.iter().map(|op| if op.end == NEVER { op.start } else { op.end }).max().unwrap_or(0) as usize;
    if last > 8 * ops.len() + 64 {
        let mut timed: Vec<(u32, u32)> = Vec::with_capacity(2 * ops.len());
        for (place, op) in ops.iter().enumerate() {
            timed.push((op.start, 2 * place as u32));
            timed.push((op.end, 2 * place as u32 + 1));
        }
        timed.retain(|(position, _)| *position != NEVER);
        timed.sort_unstable();
        return timed.into_iter().map(|(_, event)| event).collect();
    }
    const NOTHING: u32 = u32::MAX;
    let mut events = vec![NOTHING; last + 1];
    for (place, op) in ops.iter().enumerate() {
        events[op.start as usize] = 2 * place as u32;
        if op.end != NEVER {
            events[op.end as usize] = 2 * place as u32 + 1;
        }
    }
    events.retain(|event| *event != NOTHING);
    events
}

struct Sweep<'a> {
    ops: &'a [StepOp],
    limit: u32,
    done: Vec<bool>,
    objects: Vec<Object>,
}

impl Sweep<'_> {
    fn begin(&mut self, place: u32) {
        let op = self.ops[place as usize];
        let object = &mut self.objects[op.object as usize];
        let by = if holds(Condition::LevelByEnd) { op.end } else { 0 };
        match op.what {
            Move::Up => object.up.push(Reverse((by, place))),
            Move::Down => object.down.push(Reverse((by, place))),
            Move::See(level) if object.level == level => self.done[place as usize] = true,
            Move::See(level) => object.see[usize::from(level > 0)].push(place),
            Move::Other => {}
        }
    }

    /// Does an operation that ends and is not done. False if nothing makes that possible.
    fn finish(&mut self, place: u32) -> bool {
        let op = self.ops[place as usize];
        let level = self.objects[op.object as usize].level;
        match op.what {
            Move::Up => {
                // It ends first of all that are open, so that it is the one that is done.
                let fits = level < self.limit || !holds(Condition::LevelAtMost);
                (fits || self.step(op.object, false)) && self.step(op.object, true)
            }
            Move::Down => {
                let fits = level > 0 || !holds(Condition::LevelAtLeast);
                (fits || self.step(op.object, true)) && self.step(op.object, false)
            }
            Move::See(seen) => {
                debug_assert!(seen != level, "who sees its level is content");
                self.step(op.object, seen > level)
            }
            Move::Other => true,
        }
    }

    /// Does the open operation of this kind that ends first. False if there is none.
    fn step(&mut self, object: u32, up: bool) -> bool {
        let object = &mut self.objects[object as usize];
        let waiting = if up { &mut object.up } else { &mut object.down };
        let Some(Reverse((_, place))) = waiting.pop() else { return false };
        self.done[place as usize] = true;
        object.level = if up { object.level + 1 } else { object.level - 1 };
        let seen = holds(Condition::LevelSeen);
        for content in object.see[usize::from(up)].drain(..).filter(|_| seen) {
            self.done[content as usize] = true;
        }
        true
    }
}
