//! How much a check may spend, and the meter that holds it to that.
//!
//! Some histories can't be decided in any reasonable time. A check that meets its limit answers
//! *unknown*, with how far it got; it never guesses and never takes the machine down with it. This is
//! the one place of the crate that looks at a clock, and no verdict but *unknown* comes of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What one call of [`Check::check`](crate::Check::check) may spend in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// How long it may take.
    pub time: Duration,
    /// How much memory the search may take beyond the history itself, in bytes.
    pub memory_bytes: u64,
}

impl Default for Budget {
    /// A minute and a gibibyte.
    fn default() -> Self {
        Self { time: Duration::from_secs(60), memory_bytes: 1 << 30 }
    }
}

/// Which limit was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exhausted {
    Time(Duration),
    Memory(u64),
    Steps(u64),
}

impl std::fmt::Display for Exhausted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Exhausted::Time(limit) => write!(f, "the time limit of {limit:?} was met"),
            Exhausted::Memory(limit) => write!(f, "the memory limit of {} MiB was met", limit >> 20),
            Exhausted::Steps(limit) => write!(f, "the limit of {limit} steps was met"),
        }
    }
}

/// Counts what all threads of a check spend together.
#[derive(Debug)]
pub(crate) struct Meter {
    budget: Budget,
    started: Instant,
    memory_bytes: AtomicU64,
}

impl Meter {
    pub(crate) fn new(budget: &Budget) -> Self {
        Self { budget: *budget, started: Instant::now(), memory_bytes: AtomicU64::new(0) }
    }

    /// Whether there is anything left. Looks at the clock: for every few hundred steps, not each.
    pub(crate) fn check(&self) -> Result<(), Exhausted> {
        if self.started.elapsed() >= self.budget.time {
            return Err(Exhausted::Time(self.budget.time));
        }
        if self.memory_bytes.load(Ordering::Relaxed) > self.budget.memory_bytes {
            return Err(Exhausted::Memory(self.budget.memory_bytes));
        }
        Ok(())
    }

    /// Adds memory that was taken.
    pub(crate) fn take(&self, bytes: u64) {
        self.memory_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Gives memory back.
    pub(crate) fn give_back(&self, bytes: u64) {
        self.memory_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}
