//! The operations of one key, arranged for a search.
//!
//! Completed ones by rank (their place by end), with a slot each while they are open; those of unknown
//! outcome by class, behind everything, without those that nothing can ever need.

use std::collections::HashMap;

use super::condition::Condition;
use crate::hash::Table;
use crate::history::op::Value;
use crate::linearizability::condition::holds;
use crate::linearizability::partition::NEVER;
use crate::model::{Model, SearchOp};

/// The operations arranged for searching. Completed ones are named by *rank*: their place by end.
///
/// It holds no operation, only their classes, so that the search is the same code for every model.
pub(super) struct Plan {
    /// By rank.
    pub(super) completed: Vec<Planned>,
    /// Every start and end of the completed ones, in order.
    pub(super) events: Vec<Event>,
    /// Equal operations of unknown outcome.
    pub(super) unknown: Vec<UnknownClass>,
    /// The most completed operations open at once.
    pub(super) slots: usize,
    /// How many different operations there are.
    pub(super) classes: usize,
    /// By rank, the place in the order in which to try them: by the model's hints, then by rank. Empty
    /// without hints: try by rank.
    pub(super) preference: Vec<u32>,
    /// The ranks in that order.
    pub(super) preferred: Vec<u32>,
}

pub(super) struct Planned {
    /// Equal operations share a class.
    pub(super) class: u32,
    /// Place in the mask while open. Two operations open at once never share one.
    pub(super) slot: u32,
    pub(super) pure: bool,
    pub(super) end: u32,
    /// Place of its end among the plan's events.
    pub(super) end_event: u32,
    pub(super) number: usize,
}

pub(super) struct UnknownClass {
    pub(super) class: u32,
    /// Starts in order, with the operation's place in the caller's slice.
    pub(super) starts: Vec<(u32, usize)>,
}

#[derive(Clone, Copy)]
pub(super) struct Event {
    /// Beyond all ranks while it has none: see [`super::growing`].
    pub(super) rank: u32,
    pub(super) start: bool,
}

impl Plan {
    /// Without operations, of which at most so many will be open at once.
    pub(super) fn empty(slots: usize) -> Self {
        Plan {
            completed: Vec::new(),
            events: Vec::new(),
            unknown: Vec::new(),
            slots,
            classes: 0,
            preference: Vec::new(),
            preferred: Vec::new(),
        }
    }

    /// The plan, and by class the operation.
    pub(super) fn new<'a, M: Model>(model: &M, ops: &'a [SearchOp<M::Op>]) -> (Self, Vec<&'a M::Op>) {
        let mut numbers: Table<&M::Op, u32> = Table::default();
        let mut classes = Vec::new();
        let mut class = |op: &'a M::Op| {
            *numbers.entry(op).or_insert_with(|| {
                classes.push(op);
                classes.len() as u32 - 1
            })
        };
        let mut by_end: Vec<usize> = (0..ops.len()).filter(|&number| ops[number].end != NEVER).collect();
        by_end.sort_unstable_by_key(|&number| ops[number].end);
        let mut completed: Vec<Planned> = by_end
            .iter()
            .map(|&number| {
                let SearchOp { op, end, .. } = &ops[number];
                let pure = model.is_pure(op);
                Planned { class: class(op), slot: 0, pure, end: *end, end_event: 0, number }
            })
            .collect();
        let starts: Vec<u32> = by_end.iter().map(|&number| ops[number].start).collect();
        let (events, slots) = assign_slots(&mut completed, &starts);
        let mut unknown: Vec<UnknownClass> = Vec::new();
        let mut place: Table<u32, usize> = Table::default();
        for number in useful_unknown(model, ops) {
            let op = &ops[number].op;
            let class = class(op);
            let index = *place.entry(class).or_insert_with(|| {
                unknown.push(UnknownClass { class, starts: Vec::new() });
                unknown.len() - 1
            });
            unknown[index].starts.push((ops[number].start, number));
        }
        for class in &mut unknown {
            class.starts.sort_unstable();
        }
        let (preference, preferred) =
            by_hints(by_end.iter().map(|&number| model.order_hint(&ops[number].op)));
        let plan = Plan { completed, events, unknown, slots, classes: classes.len(), preference, preferred };
        (plan, classes)
    }

    /// The place of a rank in the order in which to try.
    pub(super) fn preference(&self, rank: u32) -> u32 {
        self.preference.get(rank as usize).copied().unwrap_or(rank)
    }

    /// The rank at a place in the order in which to try.
    pub(super) fn preferred(&self, place: u32) -> u32 {
        self.preferred.get(place as usize).copied().unwrap_or(place)
    }
}

/// Preference by rank, and ranks by preference; nothing if there are no hints.
fn by_hints(hints: impl Iterator<Item = Option<u64>>) -> (Vec<u32>, Vec<u32>) {
    let hints: Vec<Option<u64>> = hints.collect();
    if hints.iter().all(Option::is_none) {
        return (Vec::new(), Vec::new());
    }
    let mut preferred: Vec<u32> = (0..hints.len() as u32).collect();
    preferred.sort_by_key(|rank| hints[*rank as usize].unwrap_or(u64::MAX));
    let mut preference = vec![0; hints.len()];
    for (place, rank) in preferred.iter().enumerate() {
        preference[*rank as usize] = place as u32;
    }
    (preference, preferred)
}

fn assign_slots(completed: &mut [Planned], starts: &[u32]) -> (Vec<Event>, usize) {
    let mut timed: Vec<(u32, Event)> = Vec::with_capacity(completed.len() * 2);
    for (rank, planned) in completed.iter().enumerate() {
        let rank = rank as u32;
        timed.push((starts[rank as usize], Event { rank, start: true }));
        timed.push((planned.end, Event { rank, start: false }));
    }
    timed.sort_unstable_by_key(|(position, _)| *position);
    let events: Vec<Event> = timed.into_iter().map(|(_, event)| event).collect();
    let mut free: Vec<u32> = Vec::new();
    let mut slots = 0;
    for (place, event) in events.iter().enumerate() {
        let planned = &mut completed[event.rank as usize];
        if event.start {
            planned.slot = free.pop().unwrap_or_else(|| {
                slots += 1;
                slots - 1
            });
        } else {
            planned.end_event = place as u32;
            free.push(planned.slot);
        }
    }
    (events, slots as usize)
}

/// The operations of unknown outcome that can matter: not pure, and needed by something that
/// completed or that can matter itself. In the order of the slice.
pub(crate) fn useful_unknown<M: Model>(model: &M, ops: &[SearchOp<M::Op>]) -> Vec<usize> {
    let mut makers: HashMap<Value, Vec<usize>> = HashMap::new();
    let mut needed: Vec<Value> = Vec::new();
    let mut useful = Vec::new();
    for (number, search_op) in ops.iter().enumerate() {
        if search_op.end != NEVER {
            needed.extend(model.needs(&search_op.op));
        } else if !model.is_pure(&search_op.op) {
            match model.makes(&search_op.op) {
                Some(value) => makers.entry(value).or_default().push(number),
                None => {
                    if holds(Condition::NeededByMakerless) {
                        needed.extend(model.needs(&search_op.op));
                    }
                    useful.push(number);
                }
            }
        }
    }
    while let Some(value) = needed.pop() {
        // Taken out: a value needed twice is looked at once.
        for number in makers.remove(&value).unwrap_or_default() {
            if holds(Condition::NeededByUnknown) {
                needed.extend(model.needs(&ops[number].op));
            }
            useful.push(number);
        }
    }
    useful.sort_unstable();
    useful
}
