//! The rules that every history obeys, whatever the system under test did.
//!
//! A break of one of them is a fault of the recorder, of a client or of a file, never of the system:
//! no verdict can be drawn, and the checks answer *unknown* with the reason instead of guessing.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use super::op::{Op, OpType, Process, Value};

/// Judges ops one by one, in order; a recorder can run it as it writes.
#[derive(Debug, Default)]
pub struct WellFormed {
    position: usize,
    last_index: Option<u64>,
    processes: HashMap<u64, State>,
}

/// What an op that broke no rule turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A client began an operation.
    Invoked,
    /// A client ended the operation that it began at this position.
    Completed {
        /// Position of the invocation in the history, from 0.
        invoked_at: usize,
    },
    /// A fault, or its end.
    Nemesis,
}

#[derive(Debug)]
enum State {
    Idle,
    Open(Began),
    /// With the index of the info, and whether late knowledge has told the outcome since.
    Retired {
        began: Began,
        info: u64,
        resolved: bool,
    },
}

/// What an invocation was.
#[derive(Clone, Debug)]
struct Began {
    invoked_at: usize,
    index: u64,
    f: Cow<'static, str>,
    key: Option<Value>,
}

/// Where a history stopped being one, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IllFormed {
    /// Position in the history, from 0. In a JSONL file without blank lines the line is one more.
    pub position: usize,
    /// The op's own index.
    pub index: u64,
    /// Whose op it is.
    pub process: Process,
    /// The rule that it breaks.
    pub broken: BrokenRule,
}

/// The rules a history can break.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BrokenRule {
    /// Indices must rise strictly.
    IndexNotRising {
        /// The index before.
        after: u64,
    },
    /// A process does one thing at a time.
    InvokedWhileOpen {
        /// Index of the open invocation.
        open: u64,
    },
    /// After an info the operation may still be running: its process is never used again.
    ReusedAfterInfo {
        /// Index of the info.
        info: u64,
    },
    /// A completion needs an invocation.
    CompletedWithoutInvoke {
        /// The kind of completion.
        op_type: OpType,
    },
    /// A completion is of the same function as its invocation.
    OtherFunction {
        /// Index of the invocation.
        invoke: u64,
        /// Function of the invocation.
        invoked: Cow<'static, str>,
        /// Function of the completion.
        completed: Cow<'static, str>,
    },
    /// A completion is about the same key as its invocation.
    OtherKey {
        /// Index of the invocation.
        invoke: u64,
    },
}

impl WellFormed {
    /// Judges the next op.
    pub fn observe(&mut self, op: &Op) -> Result<Event, IllFormed> {
        let position = self.position;
        let event = self.judge(position, op).map_err(|broken| IllFormed {
            position,
            index: op.index,
            process: op.process,
            broken,
        })?;
        self.position += 1;
        self.last_index = Some(op.index);
        Ok(event)
    }

    fn judge(&mut self, position: usize, op: &Op) -> Result<Event, BrokenRule> {
        if let Some(after) = self.last_index.filter(|last| op.index <= *last) {
            return Err(BrokenRule::IndexNotRising { after });
        }
        let Process::Client(process) = op.process else {
            return Ok(Event::Nemesis);
        };
        let state = self.processes.entry(process).or_insert(State::Idle);
        match op.op_type {
            OpType::Invoke => {
                match state {
                    State::Idle => {}
                    State::Open(began) => return Err(BrokenRule::InvokedWhileOpen { open: began.index }),
                    State::Retired { info, .. } => return Err(BrokenRule::ReusedAfterInfo { info: *info }),
                }
                *state = State::Open(Began {
                    invoked_at: position,
                    index: op.index,
                    f: op.f.clone(),
                    key: op.key.clone(),
                });
                Ok(Event::Invoked)
            }
            OpType::Ok | OpType::Fail | OpType::Info => {
                let began = match state {
                    State::Open(began) => began,
                    State::Retired { began, resolved: false, .. } if op.late => began,
                    State::Idle | State::Retired { .. } => {
                        return Err(BrokenRule::CompletedWithoutInvoke { op_type: op.op_type });
                    }
                };
                if began.f != op.f {
                    return Err(BrokenRule::OtherFunction {
                        invoke: began.index,
                        invoked: began.f.clone(),
                        completed: op.f.clone(),
                    });
                }
                if began.key != op.key {
                    return Err(BrokenRule::OtherKey { invoke: began.index });
                }
                let invoked_at = began.invoked_at;
                match state {
                    State::Open(began) if op.op_type == OpType::Info => {
                        *state = State::Retired { began: began.clone(), info: op.index, resolved: false };
                    }
                    State::Open(_) | State::Idle => *state = State::Idle,
                    // A retired process stays so: its connection is as lost as before.
                    State::Retired { resolved, .. } => *resolved = op.op_type != OpType::Info,
                }
                Ok(Event::Completed { invoked_at })
            }
        }
    }
}

impl fmt::Display for IllFormed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let IllFormed { position, index, process, broken } = self;
        write!(f, "ill-formed history at op {index} (line {}, {process}): ", position + 1)?;
        match broken {
            BrokenRule::IndexNotRising { after } => {
                write!(f, "its index is not above {after}, the index before it")
            }
            BrokenRule::InvokedWhileOpen { open } => {
                write!(f, "invokes while its operation of op {open} is still open")
            }
            BrokenRule::ReusedAfterInfo { info } => {
                write!(f, "is used again after the info of op {info}; that operation may still be running")
            }
            BrokenRule::CompletedWithoutInvoke { op_type } => {
                write!(f, "{op_type} without an open invocation")
            }
            BrokenRule::OtherFunction { invoke, invoked, completed } => {
                write!(f, "completes {completed}, but op {invoke} invoked {invoked}")
            }
            BrokenRule::OtherKey { invoke } => {
                write!(f, "completes about another key than op {invoke} invoked")
            }
        }
    }
}

impl std::error::Error for IllFormed {}
