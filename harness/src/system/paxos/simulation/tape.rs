//! The history of a simulated run: what the recorder is to a real one.

use std::collections::BTreeMap;

use checker::{History, Op, OpType, Process, Value};

use crate::run::recorder::Counts;

/// The history so far, and what is counted of it.
#[derive(Default)]
pub(super) struct Tape {
    pub(super) history: History,
    pub(super) counts: Counts,
    open: BTreeMap<Process, u64>,
    mark_ns: u64,
    /// Operations that began since the mark, and have ended, or succeeded.
    pub(super) finished_since_mark: u64,
    pub(super) ok_since_mark: u64,
    ops: u64,
}

impl Tape {
    /// The number of the next op.
    pub(super) fn next_index(&mut self) -> u64 {
        self.ops += 1;
        self.ops - 1
    }

    pub(super) fn push(&mut self, op: Op) {
        let (process, time_ns) = (op.process, op.time_ns);
        let client = matches!(process, Process::Client(_));
        match op.op_type {
            OpType::Invoke => {
                self.counts.asked += 1;
                self.open.insert(process, time_ns);
            }
            completion if client => {
                let since = u64::from(self.open.remove(&process).is_some_and(|began| began >= self.mark_ns));
                self.finished_since_mark += since;
                match completion {
                    OpType::Ok => {
                        self.counts.ok += 1;
                        self.ok_since_mark += since;
                    }
                    OpType::Fail => self.counts.failed += 1,
                    OpType::Info | OpType::Invoke => self.counts.unknown += 1,
                }
            }
            _ => {}
        }
        self.history.push(op);
    }

    /// From now on, what begins from now on is counted apart.
    pub(super) fn mark(&mut self, now_ns: u64) {
        self.mark_ns = now_ns;
        self.finished_since_mark = 0;
        self.ok_since_mark = 0;
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
