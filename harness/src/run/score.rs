//! How many operations came to what, counted as they begin and end.

use std::collections::HashMap;

use checker::{OpType, Process};
use serde::Serialize;

/// How many client operations came to what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Invoked.
    pub asked: u64,
    /// Did happen.
    pub ok: u64,
    /// Did not happen.
    pub failed: u64,
    /// May have happened.
    pub unknown: u64,
}

impl Counts {
    /// What was added since `before`.
    pub fn since(self, before: Counts) -> Counts {
        Counts {
            asked: self.asked - before.asked,
            ok: self.ok - before.ok,
            failed: self.failed - before.failed,
            unknown: self.unknown - before.unknown,
        }
    }

    /// Invoked and not answered yet.
    pub fn open(self) -> u64 {
        self.asked - self.ok - self.failed - self.unknown
    }
}

/// Operations that began after the last [`Score::mark`]: an answer that was already under way proves
/// nothing about what came after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SinceMark {
    /// Came to an end, good or bad.
    pub finished: u64,
    /// Succeeded.
    pub ok: u64,
}

/// Counts the operations of one run, real or simulated.
#[derive(Debug, Default)]
pub struct Score {
    counts: Counts,
    /// When the open operation of each process began.
    open: HashMap<Process, u64>,
    mark_ns: u64,
    since_mark: SinceMark,
}

impl Score {
    /// A client is about to ask.
    pub fn began(&mut self, process: Process, time_ns: u64) {
        self.counts.asked += 1;
        self.open.insert(process, time_ns);
    }

    /// A client was answered, or gave up. `how` is no invocation.
    pub fn ended(&mut self, process: Process, how: OpType) {
        let began_ns = self.open.remove(&process);
        let counted = u64::from(began_ns >= Some(self.mark_ns));
        self.since_mark.finished += counted;
        match how {
            OpType::Ok => {
                self.counts.ok += 1;
                self.since_mark.ok += counted;
            }
            OpType::Fail => self.counts.failed += 1,
            OpType::Info => self.counts.unknown += 1,
            OpType::Invoke => panic!("an invocation is not a completion"),
        }
    }

    /// The counts so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// What begins from that moment on is counted apart, from nothing.
    pub fn mark(&mut self, at_ns: u64) {
        self.mark_ns = at_ns;
        self.since_mark = SinceMark::default();
    }

    /// What came of the operations that began after the mark.
    pub fn since_mark(&self) -> SinceMark {
        self.since_mark
    }
}
