//! The history of a simulated run: what the recorder is to a real one.

use std::collections::BTreeMap;

use checker::online::{Checker, Status};
use checker::{History, Op, OpType, Process, Value};

use crate::run::score::Score;

/// The history so far, and what is counted of it.
#[derive(Default)]
pub(super) struct Tape {
    pub(super) history: History,
    pub(super) score: Score,
    /// Judges event by event, for as long as it can.
    pub(super) checker: Option<Checker>,
    /// No order of what is recorded explains it.
    pub(super) impossible: bool,
    ops: u64,
}

impl Tape {
    /// The number of the next op.
    pub(super) fn next_index(&mut self) -> u64 {
        self.ops += 1;
        self.ops - 1
    }

    pub(super) fn push(&mut self, op: Op) {
        match op.op_type {
            OpType::Invoke => self.score.began(op.process, op.time_ns),
            how if matches!(op.process, Process::Client(_)) => self.score.ended(op.process, how),
            _ => {}
        }
        match self.checker.as_mut().map(|checker| checker.event(&op)) {
            // A key that can't be judged any more leaves the others.
            None | Some(Ok(Status::Fine | Status::Undecided(_))) => {}
            Some(Ok(Status::Violation(_))) => self.impossible = true,
            // The whole history is judged at the end, whatever it is.
            Some(Err(_)) => self.checker = None,
        }
        self.history.push(op);
    }

    pub(super) fn nemesis(
        &mut self,
        time_ns: u64,
        f: &str,
        value: Value,
        extra: BTreeMap<String, serde_json::Value>,
    ) {
        let index = self.next_index();
        let op = Op::new(index, time_ns, OpType::Info, Process::Nemesis, f.to_owned(), value);
        self.push(Op { extra, ..op });
    }
}
