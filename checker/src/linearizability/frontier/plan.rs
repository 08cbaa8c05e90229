//! A history made ready for the frontier: its events in order, a slot for every completed operation,
//! the operations of unknown outcome in classes, and what is needed when.
//!
//! Everything here is linear in the history and made once.

use super::super::partition::NEVER;
use super::super::register_op::{Kind, RegisterOp, ValueId};

/// The start or the end of an operation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event(u32);

impl Event {
    pub(super) fn op(self) -> usize {
        (self.0 >> 1) as usize
    }

    pub(super) fn is_end(self) -> bool {
        self.0 & 1 == 1
    }
}

/// Operations of unknown outcome that do the same.
#[derive(Clone, Debug)]
pub(super) struct Class {
    pub(super) kind: Kind,
    /// Its operations by start: how many useful unknown operations began before it, and its place.
    pub(super) members: Vec<(u32, usize)>,
}

/// What is needed to walk a history from any event on.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) ops: &'a [RegisterOp],
    pub(super) values: usize,
    /// Of completed operations, and starts of useful unknown ones.
    pub(super) events: Vec<Event>,
    /// For each event, its position.
    pub(super) positions: Vec<u32>,
    /// For each operation its slot while it is open.
    pub(super) slot: Vec<u32>,
    pub(super) slots: usize,
    pub(super) classes: Vec<Class>,
    /// By value: the class of unknown writes of it, if there is one.
    pub(super) writes_of: Vec<u32>,
    /// (expected, new value, class) of unknown compare-and-sets, sorted.
    pub(super) cas_classes: Vec<(ValueId, ValueId, u32)>,
    /// For each event, the least end of a write that begins later.
    pub(super) write_over: Vec<u32>,
    /// By value, the positions at which an operation begins that can only happen at this value: the
    /// ones of value v are `need_starts[need_offsets[v]..need_offsets[v + 1]]`.
    pub(super) need_starts: Vec<u32>,
    pub(super) need_offsets: Vec<u32>,
    /// Starts of [`Kind::NotEqual`], which need every value but one.
    pub(super) not_equal_starts: Vec<u32>,
}

/// How many positions for each event are few enough to go through them all.
const DENSE: usize = 8;

/// No class of unknown writes.
pub(super) const NO_CLASS: u32 = u32::MAX;

impl<'a> Plan<'a> {
    pub(super) fn new(ops: &'a [RegisterOp], values: usize) -> Self {
        let useful = useful_unknown(ops, values);
        let (events, positions) = in_order(ops, &useful);
        let mut plan = Plan {
            ops,
            values,
            events,
            positions,
            slot: vec![0; ops.len()],
            slots: 0,
            classes: Vec::new(),
            writes_of: vec![NO_CLASS; values],
            cas_classes: Vec::new(),
            write_over: Vec::new(),
            need_starts: Vec::new(),
            need_offsets: Vec::new(),
            not_equal_starts: Vec::new(),
        };
        plan.give_slots();
        plan.classify();
        plan.look_ahead();
        plan
    }

    fn give_slots(&mut self) {
        let mut free: Vec<u32> = Vec::new();
        for event in &self.events {
            let op = event.op();
            if self.ops[op].end == NEVER {
                continue;
            }
            if event.is_end() {
                free.push(self.slot[op]);
            } else {
                self.slot[op] = free.pop().unwrap_or_else(|| {
                    self.slots += 1;
                    self.slots as u32 - 1
                });
            }
        }
    }

    fn classify(&mut self) {
        let unknown = self.events.iter().map(|event| event.op()).filter(|op| self.ops[*op].end == NEVER);
        for (rank, op) in unknown.enumerate() {
            let kind = self.ops[op].kind;
            let classes = self.classes.len() as u32;
            let class = match kind {
                Kind::Write(value) => {
                    let class = &mut self.writes_of[value as usize];
                    if *class == NO_CLASS {
                        *class = classes;
                    }
                    *class
                }
                Kind::Cas(from, to) => {
                    match self.cas_classes.binary_search_by_key(&(from, to), |(from, to, _)| (*from, *to)) {
                        Ok(found) => self.cas_classes[found].2,
                        Err(place) => {
                            self.cas_classes.insert(place, (from, to, classes));
                            classes
                        }
                    }
                }
                Kind::Read(_) | Kind::NotEqual(_) => continue,
            };
            if class == classes {
                self.classes.push(Class { kind, members: Vec::new() });
            }
            self.classes[class as usize].members.push((rank as u32, op));
        }
    }

    /// The classes of unknown compare-and-sets that expect this value.
    pub(super) fn cas_classes_from(&self, value: ValueId) -> &[(ValueId, ValueId, u32)] {
        let first = self.cas_classes.partition_point(|(from, ..)| *from < value);
        let count = self.cas_classes[first..].partition_point(|(from, ..)| *from == value);
        &self.cas_classes[first..first + count]
    }

    fn look_ahead(&mut self) {
        let (mut least, mut offsets) = (NEVER, vec![0; self.values + 1]);
        self.write_over = vec![NEVER; self.events.len()];
        for (place, event) in self.events.iter().enumerate().rev() {
            self.write_over[place] = least;
            if event.is_end() {
                continue;
            }
            let op = &self.ops[event.op()];
            match op.kind {
                Kind::Write(_) => least = least.min(op.end),
                Kind::Read(value) | Kind::Cas(value, _) => offsets[value as usize + 1] += 1,
                Kind::NotEqual(_) => self.not_equal_starts.push(self.positions[place]),
            }
        }
        self.not_equal_starts.reverse();
        for value in 0..self.values {
            offsets[value + 1] += offsets[value];
        }
        self.need_starts = vec![0; offsets[self.values] as usize];
        let mut next = offsets.clone();
        for (event, position) in self.events.iter().zip(&self.positions) {
            if let Kind::Read(value) | Kind::Cas(value, _) = self.ops[event.op()].kind
                && !event.is_end()
            {
                let next = &mut next[value as usize];
                self.need_starts[*next as usize] = *position;
                *next += 1;
            }
        }
        self.need_offsets = offsets;
    }

    /// Bytes it holds.
    pub(super) fn bytes(&self) -> u64 {
        let words = self.events.len() * 3
            + self.slot.len()
            + self.writes_of.len()
            + self.need_starts.len()
            + self.need_offsets.len();
        (words * size_of::<u32>()) as u64
    }
}

/// The events that matter, by position.
fn in_order(ops: &[RegisterOp], useful: &[bool]) -> (Vec<Event>, Vec<u32>) {
    let last_of = |op: &RegisterOp| if op.end == NEVER { op.start } else { op.end };
    let last = ops.iter().map(last_of).max().unwrap_or(0) as usize;
    // At most: some of unknown outcome do not matter.
    let count = 2 * ops.len();
    if last > DENSE * count {
        let mut known: Vec<(u32, Event)> = Vec::with_capacity(count);
        for_each_event(ops, useful, |position, event| known.push((position, event)));
        known.sort_unstable_by_key(|(position, _)| *position);
        return known.into_iter().map(|(position, event)| (event, position)).unzip();
    }
    // All positions are different, so each event has a place of its own and nothing need be compared.
    let mut at = vec![NO_EVENT; last + 1];
    for_each_event(ops, useful, |position, event| at[position as usize] = event.0);
    let (mut events, mut positions) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for (event, position) in at.into_iter().zip(0..).filter(|(event, _)| *event != NO_EVENT) {
        events.push(Event(event));
        positions.push(position);
    }
    (events, positions)
}

const NO_EVENT: u32 = u32::MAX;

/// In any order: ends and starts of completed operations, and starts of useful ones.
fn for_each_event(ops: &[RegisterOp], useful: &[bool], mut found: impl FnMut(u32, Event)) {
    for (place, op) in ops.iter().enumerate() {
        let event = (place as u32) << 1;
        if op.end != NEVER {
            found(op.end, Event(event | 1));
        }
        if op.end != NEVER || useful[place] {
            found(op.start, Event(event));
        }
    }
}

/// Which operations of unknown outcome can matter: those that make a value which something completed,
/// or something else that can matter, needs. Without the others any order is still one, and they may
/// always not have happened. A value is also needed by every [`Kind::NotEqual`] of another.
fn useful_unknown(ops: &[RegisterOp], values: usize) -> Vec<bool> {
    let mut useful = vec![false; ops.len()];
    if ops.iter().all(|op| op.end != NEVER) {
        return useful;
    }
    let mut makers: Vec<Vec<usize>> = vec![Vec::new(); values];
    let mut needed: Vec<ValueId> = Vec::new();
    let mut any = false;
    for (place, op) in ops.iter().enumerate() {
        match op.kind {
            Kind::Read(value) | Kind::Cas(value, _) if op.end != NEVER => needed.push(value),
            Kind::NotEqual(_) if op.end != NEVER => any = true,
            Kind::Write(value) | Kind::Cas(_, value) if op.end == NEVER => makers[value as usize].push(place),
            _ => {}
        }
    }
    if any {
        needed.extend(0..values as ValueId);
    }
    while let Some(value) = needed.pop() {
        for place in std::mem::take(&mut makers[value as usize]) {
            useful[place] = true;
            if let Kind::Cas(from, _) = ops[place].kind {
                needed.push(from);
            }
        }
    }
    useful
}
