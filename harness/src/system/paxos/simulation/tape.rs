//! The history of a simulated run: what the recorder is to a real one.

use std::collections::BTreeMap;

use checker::{History, Op, OpType, Process, Value};

use crate::run::score::Score;

/// The history so far, and what is counted of it.
#[derive(Default)]
pub(super) struct Tape {
    pub(super) history: History,
    pub(super) score: Score,
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
