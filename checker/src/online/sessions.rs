//! Which operation of which client each event is about, by the rules of
//! [`well_formed`](crate::history::well_formed), without copying what need not be kept.

use std::borrow::Cow;

use super::Broken;
use crate::history::ResolveError;
use crate::history::op::{Op, OpType, Process, Value};
use crate::history::well_formed::{BrokenRule, IllFormed};
use crate::linearizability::hash::Table;

/// What a client asked.
#[derive(Clone, Debug)]
pub(super) enum Asked {
    Read,
    Write(Value),
    Cas(Value, Value),
    Append(Value),
    /// Something that nobody can judge, and why.
    Other(Box<str>),
}

/// An operation that began.
#[derive(Clone, Debug)]
pub(super) struct Began {
    index: u64,
    /// Its position plus one.
    pub(super) start: u64,
    pub(super) key: u32,
    pub(super) asked: Asked,
    f: Cow<'static, str>,
}

/// What an event is.
pub(super) enum Step {
    Nothing,
    Invoked {
        key: u32,
        asked: Asked,
    },
    Completed {
        began: Began,
        /// Whether it had been given up.
        late: bool,
    },
}

/// Processes with nothing open are not kept.
#[derive(Debug)]
enum State {
    Open(Began),
    /// Since an info at this index.
    Retired(Box<Began>, u64),
    /// The same, and the outcome is known by now.
    Resolved(u64),
}

#[derive(Debug, Default)]
pub(super) struct Sessions {
    events: u64,
    last_index: Option<u64>,
    states: Table<u64, State>,
    /// The processes of operations of unknown outcome, by the index of the invocation.
    retired: Table<u64, u64>,
    key_numbers: Table<Value, u32>,
    no_key: Option<u32>,
    /// By number.
    keys: Vec<Option<Value>>,
}

impl Sessions {
    /// Takes an event, if it keeps the rules.
    pub(super) fn take(&mut self, op: &Op) -> Result<Step, IllFormed> {
        let step = self.judge(op).map_err(|broken| IllFormed {
            position: self.events as usize,
            index: op.index,
            process: op.process,
            broken,
        })?;
        self.events += 1;
        self.last_index = Some(op.index);
        Ok(step)
    }

    /// Takes late knowledge about the operation invoked at this index, and says which it is, and whether
    /// it had been given up.
    pub(super) fn resolve(&mut self, invoke_index: u64) -> Result<(Began, bool), ResolveError> {
        let open =
            |(_, state): &(&u64, &State)| matches!(state, State::Open(began) if began.index == invoke_index);
        let process = match self.retired.remove(&invoke_index) {
            None => self.states.iter().find(open).map(|(process, _)| *process),
            retired => retired,
        };
        let resolved = process.and_then(|process| match self.states.remove(&process)? {
            State::Retired(began, info) => {
                self.states.insert(process, State::Resolved(info));
                Some((*began, true))
            }
            State::Open(began) => Some((began, false)),
            State::Resolved(_) => None,
        });
        match resolved {
            Some(resolved) => {
                self.events += 1;
                Ok(resolved)
            }
            None if self.last_index.is_some_and(|last| invoke_index <= last) => {
                Err(ResolveError::Known(invoke_index))
            }
            None => Err(ResolveError::NoInvocation(invoke_index)),
        }
    }

    /// How many events were taken.
    pub(super) fn events(&self) -> u64 {
        self.events
    }

    pub(super) fn last_index(&self) -> u64 {
        self.last_index.unwrap_or(0)
    }

    pub(super) fn keys(&self) -> &[Option<Value>] {
        &self.keys
    }

    /// How many things are remembered.
    pub(super) fn len(&self) -> usize {
        self.states.len() + self.retired.len() + self.keys.len()
    }

    #[cfg(test)]
    pub(super) fn unknown(&self) -> usize {
        self.retired.len()
    }

    fn judge(&mut self, op: &Op) -> Result<Step, BrokenRule> {
        if let Some(after) = self.last_index.filter(|last| op.index <= *last) {
            return Err(BrokenRule::IndexNotRising { after });
        }
        let Process::Client(process) = op.process else {
            return Ok(Step::Nothing);
        };
        match op.op_type {
            OpType::Invoke => self.invoke(process, op),
            OpType::Ok | OpType::Fail | OpType::Info => self.complete(process, op),
        }
    }

    fn invoke(&mut self, process: u64, op: &Op) -> Result<Step, BrokenRule> {
        let start = self.events + 1;
        match self.states.get(&process) {
            None => {}
            Some(State::Open(began)) => return Err(BrokenRule::InvokedWhileOpen { open: began.index }),
            Some(State::Retired(_, info) | State::Resolved(info)) => {
                return Err(BrokenRule::ReusedAfterInfo { info: *info });
            }
        }
        let (key, asked) = (self.key_number(op.key.as_ref()), Asked::by(op));
        let began = Began { index: op.index, start, key, asked: asked.clone(), f: op.f.clone() };
        self.states.insert(process, State::Open(began));
        Ok(Step::Invoked { key, asked })
    }

    fn complete(&mut self, process: u64, op: &Op) -> Result<Step, BrokenRule> {
        let nothing_open = BrokenRule::CompletedWithoutInvoke { op_type: op.op_type };
        let began = match self.states.get(&process) {
            Some(State::Open(began)) => began,
            Some(State::Retired(began, _)) if op.late => began,
            None | Some(State::Retired(..) | State::Resolved(_)) => return Err(nothing_open),
        };
        if began.f != op.f {
            return Err(BrokenRule::OtherFunction {
                invoke: began.index,
                invoked: began.f.clone(),
                completed: op.f.clone(),
            });
        }
        if self.keys[began.key as usize] != op.key {
            return Err(BrokenRule::OtherKey { invoke: began.index });
        }
        match (self.states.remove(&process), op.op_type) {
            (Some(State::Open(began)), OpType::Info) => {
                self.retired.insert(began.index, process);
                self.states.insert(process, State::Retired(Box::new(began.clone()), op.index));
                Ok(Step::Completed { began, late: false })
            }
            (Some(State::Open(began)), _) => Ok(Step::Completed { began, late: false }),
            // It is as unknown as before.
            (Some(retired), OpType::Info) => {
                self.states.insert(process, retired);
                Ok(Step::Nothing)
            }
            (Some(State::Retired(began, info)), _) => {
                // A retired process stays so: its connection is as lost as before.
                self.states.insert(process, State::Resolved(info));
                self.retired.remove(&began.index);
                Ok(Step::Completed { began: *began, late: true })
            }
            (None | Some(State::Resolved(_)), _) => unreachable!("it was open or retired above"),
        }
    }

    fn key_number(&mut self, key: Option<&Value>) -> u32 {
        let next = self.keys.len() as u32;
        let number = match key {
            None => *self.no_key.get_or_insert(next),
            Some(key) => match self.key_numbers.get(key) {
                Some(number) => *number,
                None => {
                    self.key_numbers.insert(key.clone(), next);
                    next
                }
            },
        };
        if number == next {
            self.keys.push(key.cloned());
        }
        number
    }
}

impl Asked {
    fn by(op: &Op) -> Self {
        match (&*op.f, op.value.as_list()) {
            ("read", _) => Asked::Read,
            ("write", _) => Asked::Write(op.value.clone()),
            ("append", _) => Asked::Append(op.value.clone()),
            ("cas", Some([old, new])) => Asked::Cas(old.clone(), new.clone()),
            ("cas", _) => Asked::Other(
                format!("op {}: the argument of a cas is [old, new], not {}", op.index, op.value).into(),
            ),
            (f, _) => Asked::Other(format!("op {}: there is no function {f:?}", op.index).into()),
        }
    }
}

impl Began {
    /// A completion that names another value than the invocation is a contradiction that nobody can judge.
    pub(super) fn same_argument(&self, completed: &Value) -> Result<(), Broken> {
        let same = match &self.asked {
            Asked::Write(value) | Asked::Append(value) => completed == value,
            Asked::Cas(old, new) => {
                matches!(completed.as_list(), Some([from, to]) if from == old && to == new)
            }
            Asked::Read | Asked::Other(_) => true,
        };
        match same || completed.is_nil() {
            true => Ok(()),
            false => Err(Broken::undecided(format!(
                "op {} is completed as {} of {completed}: which of the two values took effect is not known",
                self.index, self.f
            ))),
        }
    }
}
