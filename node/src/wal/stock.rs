//! Which segments there are: what the log's writer and its [`Keeper`](super::Keeper) tell each other.
//!
//! The writer takes the next segment from the stock and says so; the keeper makes sure that there is one
//! ready by then, and takes trimmed ones back. Both may work on different threads: whoever makes a segment
//! says so first, and the other waits, for it is the fastest way to have one.

use crate::paxos::Lsn;
use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many segments are ready, and how many may be.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) struct Levels {
    /// Fewer than this: another one is made.
    pub(crate) min: u64,
    /// As many as this: a trimmed one is removed, not kept.
    pub(crate) max: u64,
}

/// A segment that is part of the log.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) struct Begun {
    pub(crate) first_lsn: Lsn,
    pub(crate) bytes: u64,
}

#[derive(Debug)]
pub(crate) struct Stock {
    state: Mutex<State>,
    changed: Condvar,
    levels: Levels,
    /// Length of a segment.
    pub(crate) segment_bytes: u64,
}

#[derive(Debug, Default)]
struct State {
    begun: BTreeMap<u64, Begun>,
    /// The last segment that was begun, trimmed or not; 0: none.
    last_begun: u64,
    /// Segments up to this one are ready.
    ready_upto: u64,
    /// Somebody is making, recycling or removing one.
    busy: bool,
    /// The last try to make one found no space.
    full: bool,
    /// Records before this one are needed no more.
    trim: Option<Lsn>,
    /// Nobody will want another one.
    closed: bool,
}

/// What is to be done with the oldest segment.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) struct Trimmed {
    pub(crate) sequence: u64,
    /// Its next life; `None`: it has none.
    pub(crate) becomes: Option<u64>,
}

/// What a keeper's thread has to do.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) enum Duty {
    Trim(Lsn),
    Make,
    End,
}

impl Stock {
    pub(crate) fn new(
        begun: BTreeMap<u64, Begun>,
        last_begun: u64,
        ready_upto: u64,
        levels: Levels,
        segment_bytes: u64,
    ) -> Stock {
        let state = State { begun, last_begun, ready_upto, ..State::default() };
        Stock { state: Mutex::new(state), changed: Condvar::new(), levels, segment_bytes }
    }

    /// No code panics while it holds the lock, so a poisoned one is as good as any.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_idle(&self) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        while state.busy {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state
    }

    // ---- The writer --------------------------------------------------------------------------

    /// Whether the next segment is ready. If not, the caller is to make it, and to say [`Stock::made`].
    pub(crate) fn is_next_ready(&self) -> bool {
        let mut state = self.lock();
        while state.ready_upto <= state.last_begun && state.busy {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let is_ready = state.ready_upto > state.last_begun;
        state.busy |= !is_ready;
        is_ready
    }

    /// The next segment has become part of the log.
    pub(crate) fn begin(&self, sequence: u64, segment: Begun) {
        let mut state = self.lock();
        state.begun.insert(sequence, segment);
        state.last_begun = sequence;
        state.ready_upto = state.ready_upto.max(sequence);
        self.changed.notify_all();
    }

    // ---- Whoever makes one -------------------------------------------------------------------

    /// Whether fewer are ready than should be.
    pub(crate) fn is_short(&self) -> bool {
        self.lock().is_short(self.levels.min)
    }

    /// The number of the segment to be made, if there are too few. The caller is to say
    /// [`Stock::made`].
    pub(crate) fn next_to_make(&self) -> Option<u64> {
        let mut state = self.lock_idle();
        let is_short = state.is_short(self.levels.min);
        state.busy |= is_short;
        is_short.then_some(state.ready_upto + 1)
    }

    /// What became of the segment that was to be made: whether it is ready, and whether space was lacking.
    pub(crate) fn made(&self, is_ready: bool, is_full: bool) {
        let mut state = self.lock();
        state.ready_upto += u64::from(is_ready);
        state.busy = false;
        state.full = is_full;
        self.changed.notify_all();
    }

    // ---- Trimming ----------------------------------------------------------------------------

    /// The oldest segment, if all its records come before `first`. The last one stays, whatever it
    /// holds: it is being written. The caller is to say [`Stock::trimmed`].
    pub(crate) fn next_to_trim(&self, first: Lsn) -> Option<Trimmed> {
        let mut state = self.lock_idle();
        let (sequence, oldest, next) = {
            let mut begun = state.begun.iter();
            let (sequence, oldest) = begun.next()?;
            (*sequence, *oldest, begun.next()?.1.first_lsn)
        };
        if next > first {
            return None;
        }
        state.busy = true;
        let is_kept = oldest.bytes == self.segment_bytes && !state.is_plenty(self.levels.max);
        Some(Trimmed { sequence, becomes: is_kept.then_some(state.ready_upto + 1) })
    }

    /// It is gone, durably; or, not `done`, the disk failed.
    pub(crate) fn trimmed(&self, segment: Trimmed, done: bool) {
        let mut state = self.lock();
        if done {
            state.begun.remove(&segment.sequence);
            state.ready_upto = segment.becomes.unwrap_or(state.ready_upto);
        }
        state.busy = false;
        self.changed.notify_all();
    }

    // ---- The keeper's thread -----------------------------------------------------------------

    /// Records before `first` are needed no more.
    pub(crate) fn ask_to_trim(&self, first: Lsn) {
        let mut state = self.lock();
        state.trim = state.trim.max(Some(first));
        self.changed.notify_all();
    }

    /// Nobody will want another segment.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Waits for something to do. A full disk is asked again after `patience`.
    pub(crate) fn duty(&self, patience: Duration) -> Duty {
        let mut state = self.lock();
        let mut has_waited = false;
        loop {
            if state.closed {
                return Duty::End;
            }
            if let Some(first) = state.trim.take() {
                return Duty::Trim(first);
            }
            if state.is_short(self.levels.min) && (!state.full || has_waited) {
                return Duty::Make;
            }
            if state.full && state.is_short(self.levels.min) {
                let (next, result) =
                    self.changed.wait_timeout(state, patience).unwrap_or_else(PoisonError::into_inner);
                state = next;
                has_waited = result.timed_out();
            } else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// Whether there are fewer segments ready than there should be, for want of space.
    pub(crate) fn lacks_space(&self) -> bool {
        let state = self.lock();
        state.full && state.is_short(self.levels.min)
    }
}

impl State {
    fn ready(&self) -> u64 {
        self.ready_upto.saturating_sub(self.last_begun)
    }

    fn is_short(&self, min: u64) -> bool {
        self.ready() < min
    }

    fn is_plenty(&self, max: u64) -> bool {
        self.ready() >= max
    }
}
