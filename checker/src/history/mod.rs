//! A history: the ordered list of everything the clients asked and were told.
//!
//! The order of the list is the only order that the checker believes: an invocation is recorded
//! before its first byte leaves, a completion after its reply is decoded, both at one point of one
//! program. Times are for people.
//!
//! A history is kept in columns (a million operations take about fifty megabytes), with every
//! different value, function and process once. [`Op`] is one event standing on its own, as a recorder
//! makes it; [`Row`] the same for whoever reads a file and has interned its parts already.

pub(crate) mod ended;
mod join;
pub mod op;
pub mod pair;
mod processes;
pub mod value;
pub mod values;
pub mod well_formed;

use std::borrow::Cow;
use std::collections::BTreeMap;

use op::{Op, OpType, Process};
use pair::Calls;
use processes::Processes;
use value::Value;
use values::{ValueId, Values};
use well_formed::IllFormed;

/// A function of one history, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct F(pub(crate) u16);

impl F {
    /// The number: its place among [`History::functions`].
    #[inline]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// An ordered list of ops, as a recorder wrote them.
#[derive(Clone, Debug, Default)]
pub struct History {
    values: Values,
    functions: Vec<Cow<'static, str>>,
    processes: Processes,
    /// Empty as long as every index is its position.
    index: Vec<u64>,
    time_ns: Vec<u64>,
    timed: bool,
    op_type: Vec<OpType>,
    /// Numbers that `processes` gave out.
    process: Vec<u32>,
    f: Vec<F>,
    /// [`NO_KEY`] where there is none.
    key: Vec<ValueId>,
    keyed: bool,
    value: Vec<ValueId>,
    /// What few ops have, by position, in order.
    more: Vec<(u32, Box<More>)>,
}

const NO_KEY: ValueId = ValueId(u32::MAX);

/// An op whose parts are interned in the history it is for.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its index; none for the one after that of the row before.
    pub index: Option<u64>,
    /// When, in nanoseconds since the run began; none where nobody wrote it down.
    pub time_ns: Option<u64>,
    /// Invocation or which kind of completion.
    pub op_type: OpType,
    /// Whose op it is.
    pub process: Process,
    /// The function; see [`History::f`].
    pub f: F,
    /// The object it is about, when there are several independent ones.
    pub key: Option<ValueId>,
    /// The argument on an invocation, the result on a completion.
    pub value: ValueId,
    /// What few ops have.
    pub more: Option<Box<More>>,
}

/// The parts of an [`Op`] that few have.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct More {
    /// When an open-loop client meant to begin, in nanoseconds since the run began.
    pub intended_ns: Option<u64>,
    /// Why it failed or is unknown, in the words of the client.
    pub error: Option<String>,
    /// Whether it is late knowledge; see [`History::resolve`].
    pub late: bool,
    /// Anything else: carried along, never interpreted.
    pub extra: BTreeMap<String, serde_json::Value>,
}

/// What was learnt late about an operation of unknown outcome.
#[derive(Clone, Debug, PartialEq)]
pub enum Resolution {
    /// It did happen, some time between its invocation and now, with this result (nil for none).
    Happened(Value),
    /// It did not happen, and never will.
    DidNotHappen,
}

/// Why late knowledge can't be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// No op has this index, or it is no invocation of a client.
    #[error("op {0} is no invocation of a client")]
    NoInvocation(u64),
    /// The outcome of the operation is known already.
    #[error("the outcome of op {0} is known already")]
    Known(u64),
}

impl History {
    /// A history of these ops, in this order. Nothing is checked yet: see [`History::well_formed`].
    pub fn new(ops: impl IntoIterator<Item = Op>) -> Self {
        let mut history = History::default();
        ops.into_iter().for_each(|op| history.push(op));
        history
    }

    /// The ops, in order, each standing on its own.
    pub fn ops(&self) -> impl DoubleEndedIterator<Item = Op> + ExactSizeIterator + '_ {
        (0..self.len()).map(|position| self.op(position))
    }

    /// Every op, standing on its own.
    pub fn into_ops(self) -> Vec<Op> {
        self.ops().collect()
    }

    /// The op at a position, from 0, standing on its own.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn op(&self, position: usize) -> Op {
        let more = self.more(position);
        Op {
            index: self.index(position),
            time_ns: self.time_ns[position],
            intended_ns: more.and_then(|more| more.intended_ns),
            op_type: self.op_type[position],
            process: self.process(position),
            f: self.functions[usize::from(self.f[position].0)].clone(),
            key: self.key_id(position).map(|key| self.values.get(key)),
            value: self.values.get(self.value[position]),
            error: more.and_then(|more| more.error.clone()),
            late: more.is_some_and(|more| more.late),
            extra: more.map(|more| more.extra.clone()).unwrap_or_default(),
        }
    }

    /// Appends one op.
    pub fn push(&mut self, op: Op) {
        let Op { index, time_ns, intended_ns, op_type, process, f, key, value, error, late, extra } = op;
        let plain = intended_ns.is_none() && error.is_none() && !late && extra.is_empty();
        let row = Row {
            index: Some(index),
            time_ns: Some(time_ns),
            op_type,
            process,
            f: match f {
                Cow::Borrowed(name) => self.f_static(name),
                Cow::Owned(name) => self.f(&name),
            },
            key: key.map(|key| self.values.intern(&key)),
            value: self.values.intern(&value),
            more: (!plain).then(|| Box::new(More { intended_ns, error, late, extra })),
        };
        self.push_row(row);
    }

    /// Appends one op whose parts are interned.
    ///
    /// # Panics
    ///
    /// At the four thousand millionth op: memory ends long before.
    pub fn push_row(&mut self, row: Row) {
        let position = self.op_type.len();
        let number = u32::try_from(position).expect("a history has fewer than four thousand million ops");
        let next = if position == 0 { 0 } else { self.index(position - 1).saturating_add(1) };
        let index = row.index.unwrap_or(next);
        if !self.index.is_empty() {
            self.index.push(index);
        } else if index != position as u64 {
            self.index = (0..position as u64).chain([index]).collect();
        }
        self.timed |= row.time_ns.is_some();
        self.time_ns.push(row.time_ns.unwrap_or(0));
        self.op_type.push(row.op_type);
        let process = self.processes.number(row.process);
        self.process.push(process);
        self.f.push(row.f);
        self.keyed |= row.key.is_some();
        self.key.push(row.key.unwrap_or(NO_KEY));
        self.value.push(row.value);
        if let Some(more) = row.more {
            self.more.push((number, more));
        }
    }

    /// The number of a function, new or not.
    ///
    /// # Panics
    ///
    /// At the 65,536th different function.
    pub fn f(&mut self, name: &str) -> F {
        match self.find_f(name) {
            Some(f) => f,
            None => self.new_f(Cow::Owned(name.to_owned())),
        }
    }

    /// The number of a function that is there already.
    pub fn find_f(&self, name: &str) -> Option<F> {
        self.functions.iter().position(|known| known == name).map(|place| F(place as u16))
    }

    /// Makes room for this many more ops.
    pub fn reserve(&mut self, ops: usize) {
        self.time_ns.reserve(ops);
        self.op_type.reserve(ops);
        self.process.reserve(ops);
        self.f.reserve(ops);
        self.key.reserve(ops);
        self.value.reserve(ops);
    }

    /// How many ops (events, not calls) there are, those of the nemesis included.
    pub fn len(&self) -> usize {
        self.op_type.len()
    }

    /// Whether there is nothing at all in it.
    pub fn is_empty(&self) -> bool {
        self.op_type.is_empty()
    }

    /// The different values in it.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// The different values in it, to add more for [`History::push_row`].
    pub fn values_mut(&mut self) -> &mut Values {
        &mut self.values
    }

    /// The different functions in it, by number.
    pub fn functions(&self) -> &[Cow<'static, str>] {
        &self.functions
    }

    /// Whether any op says when it was.
    pub fn has_times(&self) -> bool {
        self.timed
    }

    /// Whether any op says which of several objects it is about.
    pub fn has_keys(&self) -> bool {
        self.keyed
    }

    /// The index of the op at a position.
    pub fn index(&self, position: usize) -> u64 {
        self.index.get(position).copied().unwrap_or(position as u64)
    }

    /// Where the op with an index is; none where indices don't rise or there is none.
    pub fn position_of(&self, index: u64) -> Option<usize> {
        let position = match self.index.is_empty() {
            true => usize::try_from(index).ok()?,
            false => self.index.binary_search(&index).ok()?,
        };
        (position < self.len()).then_some(position)
    }

    /// When the op at a position was, in nanoseconds since the run began; 0 where nobody wrote it down.
    pub fn time_ns(&self, position: usize) -> u64 {
        self.time_ns[position]
    }

    /// The kind of the op at a position.
    pub fn op_type(&self, position: usize) -> OpType {
        self.op_type[position]
    }

    /// Whose op it is.
    pub fn process(&self, position: usize) -> Process {
        self.processes.process(self.process[position])
    }

    /// The function of the op at a position, by number.
    pub fn f_id(&self, position: usize) -> F {
        self.f[position]
    }

    /// The name of a function.
    pub fn name(&self, f: F) -> &str {
        &self.functions[usize::from(f.0)]
    }

    /// The key of the op at a position.
    pub fn key_id(&self, position: usize) -> Option<ValueId> {
        let key = self.key[position];
        (key != NO_KEY).then_some(key)
    }

    /// The value of the op at a position.
    pub fn value_id(&self, position: usize) -> ValueId {
        self.value[position]
    }

    /// What few ops have.
    pub fn more(&self, position: usize) -> Option<&More> {
        let place = self.more.binary_search_by_key(&(position as u32), |(position, _)| *position).ok()?;
        Some(&self.more[place].1)
    }

    /// Whether this is a history that clients obeying the rules can have produced. Every check asks
    /// this first and answers *unknown* with the reason when it is not.
    pub fn well_formed(&self) -> Result<(), IllFormed> {
        self.calls().map(|_| ())
    }

    /// Every client operation with its completion, in the order of invocation.
    pub fn calls(&self) -> Result<Calls<'_>, IllFormed> {
        join::calls(self)
    }

    /// The nemesis's ops with their positions, in order.
    pub fn nemesis(&self) -> impl Iterator<Item = (usize, Op)> + '_ {
        let nemesis = |position: &usize| self.process[*position] == processes::NEMESIS;
        (0..self.len()).filter(nemesis).map(|position| (position, self.op(position)))
    }

    /// Adds what was learnt late about the operation invoked at this index, whose outcome was unknown:
    /// from a node's log, a watch, a revision. It is appended as a completion marked `late`; an
    /// operation that happened is known to have done so by then.
    pub fn resolve(&mut self, invoke_index: u64, resolution: Resolution) -> Result<(), ResolveError> {
        let unknown = ResolveError::NoInvocation(invoke_index);
        let position = self.position_of(invoke_index).ok_or(unknown)?;
        if self.op_type[position] != OpType::Invoke || self.process[position] == processes::NEMESIS {
            return Err(unknown);
        }
        let process = self.process[position];
        let later = (position + 1..self.len()).filter(|later| self.process[*later] == process);
        if later.into_iter().any(|later| self.op_type[later] != OpType::Info) {
            return Err(ResolveError::Known(invoke_index));
        }
        let (op_type, value) = match resolution {
            Resolution::Happened(value) => (OpType::Ok, self.values.intern(&value)),
            Resolution::DidNotHappen => (OpType::Fail, self.value[position]),
        };
        let last_time_ns = self.time_ns.last().copied();
        self.push_row(Row {
            index: None,
            time_ns: last_time_ns.filter(|_| self.timed),
            op_type,
            process: self.processes.process(process),
            f: self.f[position],
            key: self.key_id(position),
            value,
            more: Some(Box::new(More { late: true, ..More::default() })),
        });
        Ok(())
    }

    fn f_static(&mut self, name: &'static str) -> F {
        match self.find_f(name) {
            Some(f) => f,
            None => self.new_f(Cow::Borrowed(name)),
        }
    }

    fn new_f(&mut self, name: Cow<'static, str>) -> F {
        let number = u16::try_from(self.functions.len()).expect("a history has fewer than 65,536 functions");
        self.functions.push(name);
        F(number)
    }
}

impl PartialEq for History {
    /// The same ops, whatever numbers their parts have.
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.ops().eq(other.ops())
    }
}

impl From<Vec<Op>> for History {
    fn from(ops: Vec<Op>) -> Self {
        Self::new(ops)
    }
}

impl FromIterator<Op> for History {
    fn from_iter<I: IntoIterator<Item = Op>>(ops: I) -> Self {
        Self::new(ops)
    }
}
