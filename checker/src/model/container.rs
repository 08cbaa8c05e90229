//! Objects that things are put into and taken out of: queues, stacks, bags.
//!
//! They differ in one thing only, which element comes out next: a [`Discipline`].

use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

use super::quick::{CallIds, Quick, SearchOp};
use super::{Model, OutOfBudget, Steps, no_such_function};
use crate::hash::Table;
use crate::history::History;
use crate::history::ended::each_ended;
use crate::history::op::Value;
use crate::history::pair::{Call, OpCounts, Outcome};
use crate::history::values::ValueId;
use crate::linearizability::numbers::Numbers;
use crate::linearizability::queue;

/// In what order things come out.
pub trait Discipline: Clone + Debug + Send + Sync {
    /// The object's name.
    const NAME: &'static str;
    /// Names of the function that puts its argument in.
    const PUT: &'static [&'static str];
    /// Names of the function that takes the next element out and answers it, nil when there is none.
    const TAKE: &'static [&'static str];
    /// Names of the function that answers the next element, nil when there is none, and leaves it.
    const PEEK: &'static [&'static str];
    /// Whether what goes in first comes out first: such an object is judged at once, see [`Model::quick_history`].
    const FIRST_IN_FIRST_OUT: bool = false;

    /// Where among the elements a new one goes.
    fn place(&self, elements: &[Value], value: &Value) -> usize;

    /// The places of the elements that may come out next.
    fn next(&self, elements: &[Value]) -> Range<usize>;

    /// A quicker way to decide: see [`Model::quick`]. The elements are numbers below a number; what values
    /// they stand for is told when asked.
    fn quick(
        &self,
        ops: &[SearchOp<ContainerOp<u32>>],
        values: usize,
        value: &dyn Fn(usize) -> Value,
    ) -> Quick;

    /// What can be forgotten: see [`Model::settled`].
    fn settled(
        &self,
        _ops: &[SearchOp<ContainerOp<u32>>],
        _values: usize,
        _open_since: u32,
    ) -> Option<Vec<bool>> {
        None
    }
}

/// An object of this discipline, empty at first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Container<D>(pub(super) D);

/// An operation on a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContainerOp<V = Value> {
    /// Put this in.
    Put(V),
    /// Took this out.
    Take(V),
    /// May have taken something out, and did not live to tell what: its outcome is unknown.
    TakeUnknown,
    /// Found nothing to take, or to look at.
    Empty,
    /// Saw this as the next one.
    Peek(V),
}

/// What a function is to a container.
#[derive(Clone, Copy)]
enum Role {
    Put,
    Take,
    Peek,
}

fn role<D: Discipline>(f: &str) -> Option<Role> {
    let named = |names: &[&str]| names.contains(&f);
    match () {
        () if named(D::PUT) => Some(Role::Put),
        () if named(D::TAKE) => Some(Role::Take),
        () if named(D::PEEK) => Some(Role::Peek),
        () => None,
    }
}

impl<D: Discipline> Model for Container<D> {
    type Op = ContainerOp;
    type State = Arc<[Value]>;

    fn name(&self) -> &str {
        D::NAME
    }

    fn decode(&self, call: &Call<'_>) -> Result<Option<ContainerOp>, String> {
        Ok(match (role::<D>(call.f()), call.result()) {
            (Some(Role::Put), _) => Some(ContainerOp::Put(call.argument()?)),
            (Some(Role::Take | Role::Peek), Some(Value::Nil)) => Some(ContainerOp::Empty),
            (Some(Role::Take), Some(value)) => Some(ContainerOp::Take(value)),
            (Some(Role::Peek), Some(value)) => Some(ContainerOp::Peek(value)),
            (Some(Role::Take), None) => Some(ContainerOp::TakeUnknown),
            (Some(Role::Peek), None) => None,
            (None, _) => return Err(no_such_function(D::NAME, call)),
        })
    }

    fn initial(&self) -> Arc<[Value]> {
        Arc::from([])
    }

    fn step(&self, state: &Arc<[Value]>, op: &ContainerOp) -> Option<Arc<[Value]>> {
        let mut next = Vec::new();
        self.steps(state, op, &mut Steps::new(&mut next, None)).ok()?;
        next.pop()
    }

    fn steps(
        &self,
        state: &Arc<[Value]>,
        op: &ContainerOp,
        next: &mut Steps<'_, Arc<[Value]>>,
    ) -> Result<(), OutOfBudget> {
        next.spend(state.len() as u64)?;
        let places = self.0.next(state);
        let without = |place: usize| [&state[..place], &state[place + 1..]].concat().into();
        match op {
            ContainerOp::Put(value) => {
                let place = self.0.place(state, value);
                next.to([&state[..place], std::slice::from_ref(value), &state[place..]].concat().into());
            }
            ContainerOp::Take(value) => {
                // Equal elements are interchangeable.
                if let Some(place) = places.into_iter().find(|place| state[*place] == *value) {
                    next.to(without(place));
                }
            }
            ContainerOp::TakeUnknown => {
                for place in places {
                    next.spend(state.len() as u64)?;
                    next.to(without(place));
                }
            }
            ContainerOp::Empty if state.is_empty() => next.to(state.clone()),
            ContainerOp::Peek(value) if places.into_iter().any(|place| state[place] == *value) => {
                next.to(state.clone());
            }
            ContainerOp::Empty | ContainerOp::Peek(_) => {}
        }
        Ok(())
    }

    fn is_pure(&self, op: &ContainerOp) -> bool {
        matches!(op, ContainerOp::Empty | ContainerOp::Peek(_))
    }

    fn describe(&self, state: &Arc<[Value]>) -> String {
        Value::List(state.to_vec()).to_string()
    }

    fn state_bytes(&self, state: &Arc<[Value]>) -> usize {
        16 + state.iter().map(|value| size_of::<Value>() + value.heap_bytes()).sum::<usize>()
    }

    fn makes(&self, op: &ContainerOp) -> Option<Value> {
        match op {
            ContainerOp::Put(value) => Some(value.clone()),
            ContainerOp::Take(_) | ContainerOp::TakeUnknown | ContainerOp::Empty | ContainerOp::Peek(_) => {
                None
            }
        }
    }

    fn needs(&self, op: &ContainerOp) -> Vec<Value> {
        match op {
            ContainerOp::Take(value) | ContainerOp::Peek(value) => vec![value.clone()],
            ContainerOp::Put(_) | ContainerOp::TakeUnknown | ContainerOp::Empty => Vec::new(),
        }
    }

    /// Without all that was ever done with a value, the others come out in the same order.
    fn values_separable(&self) -> bool {
        true
    }

    fn quick(&self, ops: &[SearchOp<ContainerOp>]) -> Quick {
        let (numbered, values) = numbered(ops);
        self.0.quick(&numbered, values.len(), &|number| values[number].clone())
    }

    fn settled(&self, ops: &[SearchOp<ContainerOp>], open_since: u32) -> Option<Vec<bool>> {
        let (numbered, values) = numbered(ops);
        self.0.settled(&numbered, values.len(), open_since)
    }

    fn always_possible(&self, op: &ContainerOp) -> bool {
        matches!(op, ContainerOp::Put(_))
    }

    fn quick_calls(&self, history: &History, calls: impl Iterator<Item = SearchOp<CallIds>>) -> Option<bool> {
        let calls_max = calls.size_hint().1.unwrap_or(0);
        let roles: Vec<Option<Role>> = history.functions().iter().map(|f| role::<D>(f)).collect();
        let mut numbers = Numbers::new(history, calls_max);
        let mut ops = Vec::with_capacity(calls_max);
        for SearchOp { op: call, start, end } in calls {
            if let Some(op) = meaning(roles[call.f.index()]?, call, |id| numbers.number(id))? {
                ops.push(SearchOp { op, start, end });
            }
        }
        let value = |number| numbers.value(number).map_or(Value::Nil, |id| history.values().get(id));
        match self.0.quick(&ops, numbers.len(), &value) {
            Quick::NotApplicable => None,
            Quick::Valid => Some(true),
            Quick::Violation(_) => Some(false),
        }
    }

    fn quick_history(&self, history: &History) -> Option<(bool, Vec<OpCounts>)> {
        let mut queue = if D::FIRST_IN_FIRST_OUT { queue::AtOnce::new(history)? } else { return None };
        let roles: Vec<Option<Role>> = history.functions().iter().map(|f| role::<D>(f)).collect();
        let counts = each_ended(history, |ended| {
            let Some(role) = roles[ended.f.index()] else { return false };
            let outcome = Outcome::after(ended.op_type);
            if outcome == Outcome::Failed {
                return true;
            }
            let answer = (outcome == Outcome::Ok).then_some(ended.answered);
            match meaning(role, CallIds { f: ended.f, asked: ended.asked, answer }, |id| id.0) {
                Some(Some(op)) => queue.add(op, ended.start, ended.end),
                Some(None) => true,
                None => false,
            }
        })?;
        Some((queue.is_valid(), counts))
    }
}

/// What a call is, with values as numbers, if it is anything; nothing if it answers another value than it was asked to
/// put in.
#[inline(always)]
fn meaning(
    role: Role,
    call: CallIds,
    mut number: impl FnMut(ValueId) -> u32,
) -> Option<Option<ContainerOp<u32>>> {
    Some(match (role, call.answer) {
        (Role::Put, _) => Some(ContainerOp::Put(number(call.argument()?))),
        (Role::Take | Role::Peek, Some(ValueId::NIL)) => Some(ContainerOp::Empty),
        (Role::Take, Some(value)) => Some(ContainerOp::Take(number(value))),
        (Role::Peek, Some(value)) => Some(ContainerOp::Peek(number(value))),
        (Role::Take, None) => Some(ContainerOp::TakeUnknown),
        (Role::Peek, None) => None,
    })
}

/// The same with values as numbers, and for each number the value.
fn numbered(ops: &[SearchOp<ContainerOp>]) -> (Vec<SearchOp<ContainerOp<u32>>>, Vec<&Value>) {
    let mut numbers: Table<&Value, u32> = Table::default();
    let mut values = Vec::new();
    let mut number = |value| {
        *numbers.entry(value).or_insert_with(|| {
            values.push(value);
            values.len() as u32 - 1
        })
    };
    let numbered = ops.iter().map(|SearchOp { op, start, end }| {
        let op = match op {
            ContainerOp::Put(value) => ContainerOp::Put(number(value)),
            ContainerOp::Take(value) => ContainerOp::Take(number(value)),
            ContainerOp::TakeUnknown => ContainerOp::TakeUnknown,
            ContainerOp::Empty => ContainerOp::Empty,
            ContainerOp::Peek(value) => ContainerOp::Peek(number(value)),
        };
        SearchOp { op, start: *start, end: *end }
    });
    (numbered.collect(), values)
}
