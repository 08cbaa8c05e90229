//! Checking while the test is still running.
//!
//! A [`Checker`] is fed one event after the other and says at each what it shows: a violation is
//! reported at the very event at which the history became impossible, which is the first at which a check of
//! the history so far would say so.
//!
//! | what | by | an event costs |
//! |---|---|---|
//! | registers whose values are written once, lists whose elements are appended once | zones that grow | about a microsecond |
//! | the same where values repeat, and objects of any [`Model`] | the search of whole histories, gone on with | as many steps as operations overlap, mostly some tens of microseconds |
//! | first-in-first-out queues whose values are put in once, where that search gives up | the queue's monitor, asked again about what still matters | a look at what is open or inside |
//!
//! A search can grow without bounds. One that meets its limit (some thousand ways to go on, a thousand steps an
//! event on the average) is given up, and that is told, once for that key: [`Status::Undecided`]. From there
//! on only a check of the whole history knows, for which whoever records keeps the events; other keys
//! go on. So does a register whose values are unique for thousands of events and then repeat: what came before is
//! forgotten by then.
//!
//! Memory holds what the future can still depend on: the values that an open operation may still see,
//! the open operations, and a note for each operation of unknown outcome. It does not grow with the
//! history. An operation that stays open for very long without an info (a quarter of a million events of a
//! register) is taken for given up; should it end after all, its key may be undecided. (Lists grow, and so do
//! their reads.)
//!
//! ```
//! use checker::online::{Checker, Status};
//! use checker::{Op, OpType, Process};
//!
//! let mut checker = Checker::registers();
//! let mut index = 0;
//! let mut event = |process, op_type, f, value: i64| {
//!     index += 1;
//!     checker.event(&Op::new(index, index * 1_000_000, op_type, Process::Client(process), f, value))
//! };
//! for (process, value) in [(0, 1), (1, 2)] {
//!     assert_eq!(event(process, OpType::Invoke, "write", value)?, Status::Fine);
//!     assert_eq!(event(process, OpType::Ok, "write", value)?, Status::Fine);
//! }
//! event(2, OpType::Invoke, "read", 0)?;
//! // The write of 2 had ended before this read began, and began after that of 1 had ended.
//! let Status::Violation(violation) = event(2, OpType::Ok, "read", 1)? else { panic!() };
//! assert_eq!((violation.index, violation.anomaly), (6, checker::Anomaly::StaleRead));
//! # Ok::<(), checker::IllFormed>(())
//! ```
//!
//! Every check that looks for an order has one: [`Check::online`](crate::Check::online). So has a model of your own,
//! by [`Checker::of`]:
//!
//! ```
//! use std::sync::Arc;
//! use checker::online::{Checker, Status};
//! use checker::model::Counter;
//! use checker::{Op, OpType, Process};
//!
//! let mut checker = Checker::of(Arc::new(Counter::default()));
//! let op = |index, process, op_type, f, value: i64| {
//!     Op::new(index, index * 1_000_000, op_type, Process::Client(process), f, value)
//! };
//! checker.event(&op(0, 0, OpType::Invoke, "add", 2))?;
//! checker.event(&op(1, 1, OpType::Invoke, "read", 0))?;
//! // The add may have happened by now.
//! assert_eq!(checker.event(&op(2, 1, OpType::Ok, "read", 2))?, Status::Fine);
//! checker.event(&op(3, 1, OpType::Invoke, "read", 0))?;
//! let Status::Violation(violation) = checker.event(&op(4, 1, OpType::Ok, "read", 0))? else { panic!() };
//! assert_eq!(
//!     violation.summary,
//!     "process 1 read 0 at 0.003 s–0.004 s, and with that no order of the operations is left: by what had \
//!      ended before, the counter could hold 2"
//! );
//! # Ok::<(), checker::IllFormed>(())
//! ```

mod horizon;
mod list;
mod past;
mod register;
mod searched;
mod sessions;
mod window;

#[cfg(test)]
mod tests;

use crate::explain::witness::Anomaly;
use crate::history::op::{Op, OpType, Value};
use crate::history::well_formed::IllFormed;
use crate::history::{Resolution, ResolveError};
use std::sync::Arc;

use crate::linearizability::search::growing::Effort;
use crate::model::{AppendList, CasRegister, Model};
use list::List;
use past::Past;
use register::{Register, SWEPT_MIN};
use searched::{Judge, Maker};
use sessions::{Asked, Began, Sessions, Step};

/// What an event shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Nothing new: no violation of its key, as far as that is decided.
    Fine,
    /// With this event the history of its key became impossible. Later events of that key are not judged.
    Violation(Box<Violation>),
    /// From this event on its key can't be judged event by event. Nothing was wrong before.
    Undecided(Box<Undecided>),
}

/// Why there is no order. Positions count what was fed, from 0: where it is in a
/// [`History`](crate::History) of the same events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Index of the event at which the history became impossible.
    pub index: u64,
    /// Its position.
    pub position: u64,
    /// The object it is about.
    pub key: Option<Value>,
    /// What kind of violation it is, as far as what is still known tells.
    pub anomaly: Anomaly,
    /// In words.
    pub summary: String,
    /// Positions of the events that show it, this one included.
    pub events: Vec<u64>,
}

/// Why a key can't be judged event by event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undecided {
    /// Index of the event from which on it can't.
    pub index: u64,
    /// Its position.
    pub position: u64,
    /// The key.
    pub key: Option<Value>,
    /// In words.
    pub reason: String,
}

/// Judges a history event by event; see the [module](self).
#[derive(Debug)]
pub struct Checker {
    object: Object,
    /// Makes judges of objects whose values repeat.
    maker: Maker,
    sessions: Sessions,
    /// By the number of the key.
    engines: Vec<Engine>,
    past: Past,
    /// When the last event was.
    time_ns: u64,
    violation: Option<Violation>,
    undecided: Option<Undecided>,
}

/// What every key is.
#[derive(Clone, Debug)]
enum Object {
    Register { initial: Value, ignores_nil_reads: bool, takes_failed_cas: bool, swept_min: usize },
    List,
    Searched,
}

/// What judges a key.
#[derive(Debug)]
enum Engine {
    Register(Box<Register>),
    List(Box<List>),
    Searched(Box<dyn Judge>),
    /// A verdict was reached, or none can be.
    Over,
}

/// Why a key is not judged any further. Starts and ends are positions plus one.
#[derive(Debug)]
enum Broken {
    Violation(Found),
    Undecided(String),
}

#[derive(Debug)]
struct Found {
    anomaly: Anomaly,
    summary: String,
    events: Vec<u64>,
}

impl Broken {
    fn undecided(reason: impl Into<String>) -> Self {
        Broken::Undecided(reason.into())
    }
}

impl From<Found> for Broken {
    fn from(found: Found) -> Self {
        Broken::Violation(found)
    }
}

impl Checker {
    /// Every key is a register with `read`, `write v` and `cas [old, new]`, nil before its first write.
    pub fn registers() -> Self {
        Self::registers_of(&CasRegister::default())
    }

    /// Registers with other rules: another initial value, reads of nil that say nothing.
    pub fn registers_of(model: &CasRegister) -> Self {
        Self::registers_swept_from(model, SWEPT_MIN)
    }

    /// Registers that look for dead values as soon as there are so many.
    fn registers_swept_from(model: &CasRegister, swept_min: usize) -> Self {
        let object = Object::Register {
            initial: model.initial(),
            ignores_nil_reads: model.ignores_nil_reads(),
            takes_failed_cas: model.takes_failed_cas(),
            swept_min,
        };
        Self::new(object, Maker::of(Arc::new(model.clone()), Effort::USUAL))
    }

    /// Every key is a list with `append v` and `read`, empty before its first append.
    pub fn lists() -> Self {
        Self::new(Object::List, Maker::of(Arc::new(AppendList), Effort::USUAL))
    }

    /// Every key is an object of this model, whatever its values are.
    pub fn of<M: Model + 'static>(model: Arc<M>) -> Self {
        Self::with_effort(model, Effort::USUAL)
    }

    fn with_effort<M: Model + 'static>(model: Arc<M>, effort: Effort) -> Self {
        Self::new(Object::Searched, Maker::of(model, effort))
    }

    fn new(object: Object, maker: Maker) -> Self {
        Self {
            object,
            maker,
            sessions: Sessions::default(),
            engines: Vec::new(),
            past: Past::default(),
            time_ns: 0,
            violation: None,
            undecided: None,
        }
    }

    /// Takes the next event, and says what it shows. An error means that no client obeying the rules
    /// can have caused it; it was not taken, and the next one may be better.
    pub fn event(&mut self, op: &Op) -> Result<Status, IllFormed> {
        let step = self.sessions.take(op)?;
        let now = self.sessions.events();
        self.time_ns = op.time_ns;
        let (key, judged) = match step {
            Step::Nothing => return Ok(Status::Fine),
            Step::Invoked { key, asked } => {
                if key as usize == self.engines.len() {
                    self.add_key(key);
                }
                let judged = self.engines[key as usize].invoke(&asked, op, now);
                self.past.began(key, op, now);
                (key, self.or_searched(key, judged))
            }
            Step::Completed { began, late } => {
                let completion =
                    Completion { op_type: op.op_type, result: &op.value, late, time_ns: op.time_ns };
                (began.key, self.complete(&began, &completion, now))
            }
        };
        Ok(self.status(key, judged, now))
    }

    /// Takes what was learnt late about the operation invoked at this index, whose outcome was unknown.
    /// An operation that happened is known to have done so by now. Counts as an event of its own, as
    /// [`History::resolve`](crate::History::resolve) does.
    pub fn resolve(&mut self, invoke_index: u64, resolution: &Resolution) -> Result<Status, ResolveError> {
        let (began, late) = self.sessions.resolve(invoke_index)?;
        let now = self.sessions.events();
        let (op_type, result) = match resolution {
            Resolution::Happened(result) => (OpType::Ok, result),
            Resolution::DidNotHappen => (OpType::Fail, &Value::Nil),
        };
        let completion = Completion { op_type, result, late, time_ns: self.time_ns };
        let judged = self.complete(&began, &completion, now);
        Ok(self.status(began.key, judged, now))
    }

    /// The first violation, if there was any.
    pub fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    /// The first key that could not be judged any further, if there is any.
    pub fn undecided(&self) -> Option<&Undecided> {
        self.undecided.as_ref()
    }

    /// How many things it remembers: values, blocks, open operations, operations of unknown outcome,
    /// processes and keys. Memory is proportional to this, up to the size of the values.
    pub fn entries(&self) -> usize {
        let held = self.engines.iter().map(|engine| match engine {
            Engine::Register(register) => register.len(),
            Engine::List(list) => list.len(),
            Engine::Searched(judge) => judge.len(),
            Engine::Over => 0,
        });
        self.sessions.len() + self.past.len() + held.sum::<usize>()
    }

    fn add_key(&mut self, key: u32) {
        let engine = match &self.object {
            Object::Register { initial, swept_min, .. } => {
                Engine::Register(Box::new(Register::new(initial.clone(), *swept_min)))
            }
            Object::List => Engine::List(Box::default()),
            Object::Searched => Engine::Searched(self.maker.make()),
        };
        if !matches!(engine, Engine::Searched(_)) {
            self.past.add(key);
        }
        self.engines.push(engine);
    }

    fn complete(&mut self, began: &Began, completion: &Completion<'_>, now: u64) -> Result<(), Broken> {
        let judged = self.engines[began.key as usize].complete(&self.object, began, completion, now);
        self.past.ended(began.key, began.start, completion);
        self.or_searched(began.key, judged)
    }

    /// What was judged, or if it could not be, because values repeat, what somebody says who can do that.
    fn or_searched(&mut self, key: u32, judged: Result<(), Broken>) -> Result<(), Broken> {
        let (Err(Broken::Undecided(reason)), Engine::Register(_) | Engine::List(_)) =
            (&judged, &self.engines[key as usize])
        else {
            return judged;
        };
        match self.past.tell(key, || self.maker.make()) {
            Some(Ok(judge)) => {
                self.engines[key as usize] = Engine::Searched(judge);
                Ok(())
            }
            Some(Err(broken)) => Err(broken),
            None => Err(Broken::undecided(format!(
                "{reason}, and it is too long ago that the key came up to begin anew with that in mind"
            ))),
        }
    }

    fn status(&mut self, key: u32, judged: Result<(), Broken>, now: u64) -> Status {
        let Err(broken) = judged else { return Status::Fine };
        self.engines[key as usize] = Engine::Over;
        self.past.give_up(key);
        let key = self.sessions.keys()[key as usize].clone();
        let (index, position) = (self.sessions.last_index(), now - 1);
        match broken {
            Broken::Violation(Found { anomaly, summary, mut events }) => {
                events.push(now);
                events.retain(|event| *event > 0);
                events.iter_mut().for_each(|event| *event -= 1);
                events.sort_unstable();
                events.dedup();
                let violation = Violation { index, position, key, anomaly, summary, events };
                self.violation.get_or_insert_with(|| violation.clone());
                Status::Violation(Box::new(violation))
            }
            Broken::Undecided(reason) => {
                let undecided = Undecided { index, position, key, reason };
                self.undecided.get_or_insert_with(|| undecided.clone());
                Status::Undecided(Box::new(undecided))
            }
        }
    }
}

/// What came of an operation.
struct Completion<'a> {
    op_type: OpType,
    result: &'a Value,
    /// Whether the operation had been given up, and no longer held back what is forgotten.
    late: bool,
    time_ns: u64,
}

impl Engine {
    fn invoke(&mut self, asked: &Asked, op: &Op, start: u64) -> Result<(), Broken> {
        match (self, asked) {
            (Engine::Over, _) => Ok(()),
            (Engine::Searched(judge), _) => judge.begin(op, start),
            (_, Asked::Other(reason)) => Err(Broken::undecided(&**reason)),
            (Engine::Register(register), Asked::Read) => {
                register.pin(start);
                Ok(())
            }
            (Engine::Register(register), Asked::Write(value)) => register.begin_write(value, None, start),
            (Engine::Register(register), Asked::Cas(from, to)) => {
                register.pin(start);
                match from == to {
                    true => Ok(()),
                    false => register.begin_write(to, Some(from), start),
                }
            }
            (Engine::List(list), Asked::Append(value)) => list.begin_append(value, start),
            (Engine::List(_), Asked::Read) => Ok(()),
            (Engine::Register(_), Asked::Append(_)) => Err(Broken::undecided("a register has no append")),
            (Engine::List(_), Asked::Write(_) | Asked::Cas(..)) => {
                Err(Broken::undecided("a list has neither write nor cas"))
            }
        }
    }

    fn complete(
        &mut self,
        object: &Object,
        began: &Began,
        completion: &Completion<'_>,
        now: u64,
    ) -> Result<(), Broken> {
        match self {
            Engine::Over => Ok(()),
            Engine::Register(register) => complete_register(register, object, began, completion, now),
            Engine::List(list) => complete_list(list, began, completion, now),
            Engine::Searched(judge) => {
                let Completion { op_type, result, time_ns, .. } = *completion;
                judge.complete(began.start, op_type, result, time_ns)
            }
        }
    }
}

fn complete_register(
    register: &mut Register,
    object: &Object,
    began: &Began,
    completion: &Completion<'_>,
    now: u64,
) -> Result<(), Broken> {
    let Object::Register { ignores_nil_reads, takes_failed_cas, .. } = object else { return Ok(()) };
    let Completion { op_type, result, late, .. } = *completion;
    let start = began.start;
    // Those that pin are forgotten about only if they were given up, by their client or by us.
    let late = late || register.has_forgotten(start);
    let pins = matches!(began.asked, Asked::Read | Asked::Cas(..));
    let judged = match (op_type, &began.asked) {
        (OpType::Ok, Asked::Read) if result.is_nil() && *ignores_nil_reads => Ok(()),
        (OpType::Ok, Asked::Read) => read(register, result, began, late, now),
        (OpType::Ok, Asked::Cas(from, to)) if from == to => read(register, from, began, late, now),
        (OpType::Ok, Asked::Write(value) | Asked::Cas(_, value)) => {
            began.same_argument(result)?;
            register.end_write(value, start, now, late)
        }
        (OpType::Fail, Asked::Cas(..)) if *takes_failed_cas => Err(Broken::undecided(
            "a failed cas says what was not there, which only a check of the whole uses",
        )),
        (OpType::Fail, Asked::Cas(from, to)) if from == to => Ok(()),
        (OpType::Fail, Asked::Write(value) | Asked::Cas(_, value)) => register.fail_write(value, start),
        _ => Ok(()),
    };
    if pins && !late {
        register.unpin(start);
    }
    judged
}

fn read(register: &mut Register, value: &Value, began: &Began, late: bool, now: u64) -> Result<(), Broken> {
    if late && register.has_forgotten(began.start) {
        return Err(Broken::undecided(format!(
            "it is learnt that {value} was found by an operation that began at position {}, but what was there then is forgotten",
            began.start - 1
        )));
    }
    register.end_read(value, began.start, now)
}

fn complete_list(
    list: &mut List,
    began: &Began,
    completion: &Completion<'_>,
    now: u64,
) -> Result<(), Broken> {
    let result = completion.result;
    match (completion.op_type, &began.asked) {
        (OpType::Ok, Asked::Read) => match (result.is_nil(), result.as_list()) {
            (true, _) => list.end_read(&[], began.start, now),
            (_, Some(values)) => list.end_read(values, began.start, now),
            _ => Err(Broken::undecided(format!("a read answers {result}, which is no list"))),
        },
        (OpType::Ok, Asked::Append(value)) => {
            began.same_argument(result)?;
            list.end_append(value, now);
            Ok(())
        }
        (OpType::Fail, Asked::Append(value)) => list.fail_append(value),
        _ => Ok(()),
    }
}
