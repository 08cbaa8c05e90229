//! Which process is doing what, in formats where a line tells only half of it.

use crate::hash::Table;
use crate::history::op::{OpType, Process};

/// The rules of processes, kept line by line, so that a break of one is told with its place.
#[derive(Default)]
pub(super) struct OpenCalls {
    processes: Table<u64, Doing>,
}

#[derive(Clone, Copy)]
enum Doing {
    Nothing,
    Call { line: u64 },
    Retired { line: u64 },
}

impl OpenCalls {
    /// An op of a process, and what is wrong with it if there is anything.
    pub(super) fn observe(&mut self, process: Process, op_type: OpType, line: u64) -> Result<(), String> {
        let Process::Client(process) = process else { return Ok(()) };
        let doing = self.processes.entry(process).or_insert(Doing::Nothing);
        *doing = match (op_type, *doing) {
            (OpType::Invoke, Doing::Nothing) => Doing::Call { line },
            (OpType::Invoke, Doing::Call { line }) => {
                return Err(format!(
                    "process {process} invokes while its operation of line {line} is still open"
                ));
            }
            (OpType::Invoke, Doing::Retired { line }) => {
                return Err(format!(
                    "process {process} is used again after the info of line {line}: that operation may still \
                     be running"
                ));
            }
            (OpType::Ok | OpType::Fail, Doing::Call { .. }) => Doing::Nothing,
            (OpType::Info, Doing::Call { .. }) => Doing::Retired { line },
            (OpType::Ok | OpType::Fail | OpType::Info, Doing::Nothing | Doing::Retired { .. }) => {
                return Err(format!("{op_type} of process {process} without an open invocation"));
            }
        };
        Ok(())
    }
}
