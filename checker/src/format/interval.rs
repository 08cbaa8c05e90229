//! Operations with the times of their call and return, as a history of events.
//!
//! Intervals are closed: at equal times calls come before returns, so that operations that touch are
//! concurrent. A process does one thing at a time; where a file has no processes, or its processes do
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

/// Orders the events of all operations and appends them. Times are whatever the file counts in; those
/// below zero are moved up with all the others.
pub(super) fn push_all(builder: &mut Builder, intervals: &[Interval]) -> Result<(), String> {
    let mut events: Vec<(i64, bool, usize)> = Vec::with_capacity(2 * intervals.len());
    for (place, interval) in intervals.iter().enumerate() {
        events.push((interval.call, false, place));
        if let Some(returned) = interval.returned {
            events.push((returned, true, place));
        }
    }
    events.sort_unstable();
    let processes = match own_processes(intervals, &events) {
        Some(processes) => processes,
        None => assigned(intervals.len(), &events),
    };
    let zero = events.first().map_or(0, |(first, _, _)| *first).min(0);
    for (time, is_return, place) in events {
        let interval = &intervals[place];
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
fn own_processes(intervals: &[Interval], events: &[(i64, bool, usize)]) -> Option<Vec<u64>> {
    let mut open: HashMap<u64, bool> = HashMap::new();
    for (_, is_return, place) in events {
        let open = open.entry(intervals[*place].process?).or_default();
        if *open != *is_return {
            return None;
        }
        *open = !is_return;
    }
    intervals.iter().map(|interval| interval.process).collect()
}

/// The lowest process that is free, for each.
fn assigned(length: usize, events: &[(i64, bool, usize)]) -> Vec<u64> {
    let mut processes = vec![0; length];
    let (mut free, mut next) = (BinaryHeap::new(), 0);
    for (_, is_return, place) in events {
        if *is_return {
            free.push(Reverse(processes[*place]));
        } else {
            processes[*place] = free.pop().map_or(next, |Reverse(process)| process);
            next = next.max(processes[*place] + 1);
        }
    }
    processes
}
