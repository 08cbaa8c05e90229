//! What a register's future can still depend on: which blocks bar others, and since when every
//! operation that is still to come began.
//!
//! Relies on positions that only grow. A block is told by f, its first end, and s, its last start (see
//! the zones of [`linearizability`](crate::linearizability)); f is fixed when the block appears, s grows.

use std::collections::VecDeque;

/// What orders a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) first_end: u64,
    pub(super) last_start: u64,
}

/// The blocks that can bar others.
///
/// Forward ones (f < s) hold the register from f to s, so as long as there is no violation they don't
/// meet: both ends rise, and of those with f below a start σ the last reaches furthest. Of
/// the backward ones only those count that begin later than everything that ended before: a staircase.
/// What is noted about a block stays true when the block is forgotten, or when its s grows further.
#[derive(Debug, Default)]
pub(super) struct Bars {
    forward: VecDeque<Bounds>,
    backward: VecDeque<Bounds>,
}

impl Bars {
    /// A block that must come both before and after one with this first end if an operation of that
    /// one began at `start`: it ended before that start, and began after that end.
    pub(super) fn barring(&self, first_end: u64, start: u64) -> Option<Bounds> {
        let last = |bars: &VecDeque<Bounds>| {
            let count = bars.partition_point(|bounds| bounds.first_end < start);
            count.checked_sub(1).map(|place| bars[place])
        };
        // The block itself may be the last forward one; the one before it let go before this began.
        [last(&self.forward), last(&self.backward)]
            .into_iter()
            .flatten()
            .find(|bounds| bounds.first_end != first_end && bounds.last_start > first_end)
    }

    /// Notes a block that is new, or whose last start is.
    pub(super) fn note(&mut self, bounds: Bounds) {
        let Bounds { first_end, last_start } = bounds;
        if first_end < last_start {
            let place = self.forward.partition_point(|other| other.first_end < first_end);
            match self.forward.get_mut(place).filter(|other| other.first_end == first_end) {
                Some(same) => *same = bounds,
                None => self.forward.insert(place, bounds),
            }
            return;
        }
        let place = self.backward.partition_point(|other| other.first_end < first_end);
        if place > 0 && self.backward[place - 1].last_start >= last_start {
            return;
        }
        let lower = |other: &&Bounds| other.last_start <= last_start;
        let covered = self.backward.range(place..).take_while(lower).count();
        match covered {
            0 => self.backward.insert(place, bounds),
            _ => {
                self.backward[place] = bounds;
                self.backward.drain(place + 1..place + covered);
            }
        }
    }

    /// Forgets blocks whose first end is before the horizon, when what they bar from there on is forgotten
    /// too: they bar nothing else, unless they grow, and then they are noted again.
    pub(super) fn forget_before(&mut self, horizon: u64) {
        for bars in [&mut self.forward, &mut self.backward] {
            while bars.front().is_some_and(|bounds| bounds.first_end < horizon) {
                bars.pop_front();
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.forward.len() + self.backward.len()
    }
}

/// The starts of the open operations that may yet show something about what was there since.
#[derive(Debug, Default)]
pub(super) struct Pins {
    /// In order; with whether it is still open.
    starts: VecDeque<(u64, bool)>,
    closed: usize,
}

/// Below this many closed ones there is nothing to gain.
const CLOSED_KEPT_MAX: usize = 32;

impl Pins {
    pub(super) fn open(&mut self, start: u64) {
        self.starts.push_back((start, true));
    }

    pub(super) fn close(&mut self, start: u64) {
        if let Ok(place) = self.starts.binary_search_by_key(&start, |(start, _)| *start)
            && std::mem::replace(&mut self.starts[place].1, false)
        {
            self.closed += 1;
        }
        while self.starts.front().is_some_and(|(_, open)| !open) {
            self.starts.pop_front();
            self.closed -= 1;
        }
        if self.closed > CLOSED_KEPT_MAX && self.closed * 2 > self.starts.len() {
            self.starts.retain(|(_, open)| *open);
            self.closed = 0;
        }
    }

    /// Forgets what began before this.
    pub(super) fn give_up_before(&mut self, start: u64) {
        while self.starts.front().is_some_and(|(earliest, open)| *earliest < start || !open) {
            let given_up = self.starts.pop_front();
            self.closed -= usize::from(given_up.is_some_and(|(_, open)| !open));
        }
    }

    /// The earliest; the given one if nothing is open.
    pub(super) fn first_or(&self, now: u64) -> u64 {
        self.starts.front().map_or(now, |(start, _)| *start)
    }

    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }
}
