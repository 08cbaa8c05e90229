//! Counters: much of what can't be is found in one sweep; whether the rest can is for the search.
//!
//! A read that was over before another one began shows what the counter held. What was certainly added between
//! the two, and what may have been, bounds the other; and so does all that was added since the start. A
//! counter that breaks a bound has no order. One that keeps them may have none either: nothing is called
//! valid here.

use super::condition::holds;
use super::monitor_condition::Condition;
use super::partition::NEVER;
use crate::explain::counter::OutOfBounds;
use crate::model::{CounterOp, Quick, SearchOp, Violation};

/// Reads that explain another one: so many are tried.
const READS_TRIED_MAX: usize = 48;

/// Parts that operations play in a violation.
const SHOWS: &str = "shows what was there before";
const CERTAIN: &str = "was certainly done in between";

/// Additions, by whether they raise or lower.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    up: i128,
    down: i128,
}

impl Sum {
    fn plus(self, by: i64) -> Self {
        let by = i128::from(by);
        Self { up: self.up + by.max(0), down: self.down + by.min(0) }
    }

    fn minus(self, other: Self) -> Self {
        Self { up: self.up - other.up, down: self.down - other.down }
    }
}

/// A read, or the start, from which on it is known what the counter held.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    value: i128,
    start: u32,
    end: u32,
    /// What was over when it began.
    over: Sum,
    /// What had begun when it ended, and has an end.
    begun: Sum,
}

/// A read that is open.
#[derive(Clone, Copy, Debug)]
struct Open {
    place: u32,
    over: Sum,
    /// What it is compared with, and what was certainly added in between.
    since: [(Known, Sum); 2],
}

/// Looks for a read that breaks a bound.
pub(crate) fn judge(ops: &[SearchOp<CounterOp>], initial: i64) -> Quick {
    if may_wrap(ops, initial) && holds(Condition::CounterDoesNotWrap) {
        return Quick::NotApplicable;
    }
    let at_start = Known { value: i128::from(initial), ..Known::default() };
    let mut sweep = Sweep { ops, initial, at_start, latest: at_start, ..Sweep::default() };
    let mut events: Vec<(u32, u32)> = Vec::with_capacity(2 * ops.len());
    for (place, op) in ops.iter().enumerate() {
        events.push((op.start, place as u32));
        events.push((op.end, place as u32));
    }
    events.retain(|(position, _)| *position != NEVER);
    events.sort_unstable();
    for (position, place) in events {
        let op = &ops[place as usize];
        match (position == op.start, &op.op) {
            (true, CounterOp::Add(by)) => sweep.begin_add(place, *by),
            (false, CounterOp::Add(by)) => sweep.end_add(place, *by),
            (true, CounterOp::Read(_)) => sweep.begin_read(place),
            (false, CounterOp::Read(value)) => {
                if let Some(violation) = sweep.end_read(place, *value) {
                    return Quick::Violation(violation);
                }
            }
        }
    }
    Quick::NotApplicable
}

/// Whether it may count beyond the greatest number: it goes on from the least one then, and bounds say nothing.
fn may_wrap(ops: &[SearchOp<CounterOp>], initial: i64) -> bool {
    let all = ops.iter().fold(Sum::default(), |sum, op| match op.op {
        CounterOp::Add(by) => sum.plus(by),
        CounterOp::Read(_) => sum,
    });
    [all.up, all.down].iter().any(|sum| i64::try_from(i128::from(initial) + sum).is_err())
}

#[derive(Default)]
struct Sweep<'a> {
    ops: &'a [SearchOp<CounterOp>],
    initial: i64,
    at_start: Known,
    /// The last to begin of the reads that are over.
    latest: Known,
    over: Sum,
    /// What has begun and has an end, and all that has begun.
    begun: Sum,
    begun_or_lost: Sum,
    /// Additions that are open and have an end.
    adding: Vec<u32>,
    reading: Vec<Open>,
}

impl Sweep<'_> {
    fn begin_add(&mut self, place: u32, by: i64) {
        self.begun_or_lost = self.begun_or_lost.plus(by);
        if self.ops[place as usize].end != NEVER {
            self.begun = self.begun.plus(by);
            self.adding.push(place);
        }
    }

    fn end_add(&mut self, place: u32, by: i64) {
        self.over = self.over.plus(by);
        self.adding.retain(|open| *open != place);
    }

    fn begin_read(&mut self, place: u32) {
        let since = [self.at_start, self.latest].map(|known| (known, self.certain_since(&known)));
        self.reading.push(Open { place, over: self.over, since });
    }

    /// What began and ended since then.
    fn certain_since(&self, known: &Known) -> Sum {
        let mut before = if holds(Condition::CounterCertainIsNew) { known.begun } else { known.over };
        for place in &self.adding {
            let op = &self.ops[*place as usize];
            if op.start < known.end
                && let CounterOp::Add(by) = op.op
            {
                before = before.minus(Sum::default().plus(by));
            }
        }
        let certain = if holds(Condition::CounterCertainIsOver) { self.over } else { self.begun };
        certain.minus(before)
    }

    fn end_read(&mut self, place: u32, value: i64) -> Option<Violation> {
        let number = self.reading.iter().position(|open| open.place == place)?;
        let read = self.reading.swap_remove(number);
        let value = i128::from(value);
        for (known, certain) in read.since.iter().rev() {
            let over = if holds(Condition::CounterPossible) { known.over } else { self.over };
            let possible = self.begun_or_lost.minus(over);
            let least = known.value + certain.up + possible.down;
            let most = known.value + certain.down + possible.up;
            if !(least..=most).contains(&value) {
                return Some(self.violation(place, value, value < least));
            }
        }
        let start = self.ops[place as usize].start;
        if start > self.latest.start {
            let end = self.ops[place as usize].end;
            self.latest = Known { value, start, end, over: read.over, begun: self.begun };
        }
        None
    }

    /// The read and one that was over before, or the start, and as few of what was certainly added in between
    /// as do: of the latest ones before it that which takes the fewest.
    fn violation(&self, place: u32, value: i128, is_less: bool) -> Violation {
        let failed = &self.ops[place as usize];
        let mut before: Vec<(u32, usize)> = Vec::new();
        for (number, op) in self.ops.iter().enumerate() {
            if matches!(op.op, CounterOp::Read(_)) && op.end < failed.start {
                before.push((op.start, number));
            }
        }
        before.sort_unstable_by(|a, b| b.cmp(a));
        let shown = before.into_iter().take(READS_TRIED_MAX).map(|(_, number)| Some(number)).chain([None]);
        let since = |from| OutOfBounds {
            ops: self.ops,
            initial: self.initial,
            from,
            read: place as usize,
            seen: value,
            is_less,
        };
        let needs = shown.filter_map(|shown| Some((shown, since(shown).evidence()?)));
        let (shown, added) = needs.min_by_key(|(_, added)| added.len()).unwrap_or_default();
        let mut ops: Vec<(usize, &'static str)> = Vec::new();
        ops.extend(shown.map(|shown| (shown, SHOWS)));
        ops.extend(added.into_iter().map(|number| (number, CERTAIN)));
        ops.push((place as usize, "can't have seen that"));
        let rule = match is_less {
            true => "it must have been more by then, whatever may have lowered it",
            false => "it can't have been as much by then, whatever may have raised it",
        };
        Violation { rule, ops, failing: place as usize }
    }
}

/// Why a violation is one, step by step.
pub(crate) fn reasons(
    ops: &[SearchOp<CounterOp>],
    initial: i64,
    violation: &Violation,
    name: &dyn Fn(usize) -> String,
) -> Vec<String> {
    let CounterOp::Read(seen) = ops[violation.failing].op else { return Vec::new() };
    let with = |role: &'static str| {
        let has = move |(_, part): &&(usize, &'static str)| *part == role;
        violation.ops.iter().filter(has).map(|(place, _)| *place)
    };
    let of = |is_less| OutOfBounds {
        ops,
        initial,
        from: with(SHOWS).next(),
        read: violation.failing,
        seen: i128::from(seen),
        is_less,
    };
    let (least, _) = of(true).bounds();
    of(i128::from(seen) < least).told(&with(CERTAIN).collect::<Vec<_>>(), name)
}
