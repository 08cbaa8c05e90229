//! Operations with the times of their call and return, as a history of events.
//!
//! What equal times mean is the format's to say; see [`Ties`]. A process does one thing at a time; where a file has no processes, or its processes do
//! several things at once, every operation gets a process that is free.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use super::builder::Builder;
use crate::history::op::{OpType, Process};
use crate::history::values::ValueId;
use crate::history::{F, Row};

/// One operation.
pub(super) struct Interval {
    pub(super) process: Option<u64>,
    pub(super) f: F,
    pub(super) key: Option<ValueId>,
    pub(super) argument: ValueId,
    pub(super) result: ValueId,
    pub(super) call: i64,
    /// None if it never returned.
    pub(super) returned: Option<i64>,
}

/// Whether an operation that is called when another returns comes after it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ties {
    /// No: intervals are closed, and those that touch overlap. Porcupine.
    CallsFirst,
    /// Yes: returns come first. fastlin and fptlin.
    ReturnsFirst,
}

/// An event: when, which of the events of one time it is among, and whose.
type Event = (i64, u8, usize);

/// Calls are between the returns that come before them and those that come after.
const CALL: u8 = 1;

fn events_of(intervals: &[Interval], ties: Ties) -> Vec<Event> {
    let mut events = Vec::with_capacity(2 * intervals.len());
    for (place, interval) in intervals.iter().enumerate() {
        events.push((interval.call, CALL, place));
        if let Some(returned) = interval.returned {
            // An operation that takes no time at all returns after its own call, whatever the rule is.
            let early = ties == Ties::ReturnsFirst && interval.call < returned;
            events.push((returned, if early { CALL - 1 } else { CALL + 1 }, place));
        }
    }
    events.sort_unstable();
    events
}

/// Orders the events of all operations and appends them. Times are whatever the file counts in; those
/// below zero are moved up with all the others.
pub(super) fn push_all(builder: &mut Builder, intervals: &[Interval], ties: Ties) -> Result<(), String> {
    let events = events_of(intervals, ties);
    let processes = match own_processes(intervals, &events) {
        Some(processes) => processes,
        None => assigned(intervals.len(), &events),
    };
    let zero = events.first().map_or(0, |(first, _, _)| *first).min(0);
    for (time, order, place) in events {
        let (interval, is_return) = (&intervals[place], order != CALL);
        builder.push_row(Row {
            index: None,
            time_ns: Some(time.abs_diff(zero)),
            op_type: if is_return { OpType::Ok } else { OpType::Invoke },
            process: Process::Client(processes[place]),
            f: interval.f,
            key: interval.key,
            value: if is_return { interval.result } else { interval.argument },
            more: None,
        })?;
    }
    Ok(())
}

/// The processes that the file gives, if each does one thing at a time.
fn own_processes(intervals: &[Interval], events: &[Event]) -> Option<Vec<u64>> {
    let mut open: HashMap<u64, bool> = HashMap::new();
    for (_, order, place) in events {
        let is_return = *order != CALL;
        let open = open.entry(intervals[*place].process?).or_default();
        if *open != is_return {
            return None;
        }
        *open = !is_return;
    }
    intervals.iter().map(|interval| interval.process).collect()
}

/// The lowest process that is free, for each.
fn assigned(length: usize, events: &[Event]) -> Vec<u64> {
    let mut processes = vec![0; length];
    let (mut free, mut next) = (BinaryHeap::new(), 0);
    for (_, order, place) in events {
        if *order != CALL {
            free.push(Reverse(processes[*place]));
        } else {
            processes[*place] = free.pop().map_or(next, |Reverse(process)| process);
            next = next.max(processes[*place] + 1);
        }
    }
    processes
}
