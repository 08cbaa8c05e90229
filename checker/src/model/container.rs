//! Objects that things are put into and taken out of: queues, stacks, bags.
//!
//! They differ in one thing only, which element comes out next: a [`Discipline`].

use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

use super::quick::{Quick, SearchOp};
use super::{Model, OutOfBudget, Steps, no_such_function};
use crate::history::op::Value;
use crate::history::pair::Call;

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

    /// Where among the elements a new one goes.
    fn place(&self, elements: &[Value], value: &Value) -> usize;

    /// The places of the elements that may come out next.
    fn next(&self, elements: &[Value]) -> Range<usize>;

    /// A quicker way to decide: see [`Model::quick`].
    fn quick(&self, ops: &[SearchOp<ContainerOp>]) -> Quick;
}

/// An object of this discipline, empty at first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Container<D>(pub(super) D);

/// An operation on a container.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ContainerOp {
    /// Put this in.
    Put(Value),
    /// Took this out.
    Take(Value),
    /// May have taken something out, and did not live to tell what: its outcome is unknown.
    TakeUnknown,
    /// Found nothing to take, or to look at.
    Empty,
    /// Saw this as the next one.
    Peek(Value),
}

impl<D: Discipline> Model for Container<D> {
    type Op = ContainerOp;
    type State = Arc<[Value]>;

    fn name(&self) -> &str {
        D::NAME
    }

    fn decode(&self, call: &Call<'_>) -> Result<Option<ContainerOp>, String> {
        let f = call.f();
        if D::PUT.contains(&f) {
            return Ok(Some(ContainerOp::Put(call.argument()?)));
        }
        let takes = D::TAKE.contains(&f);
        if !takes && !D::PEEK.contains(&f) {
            return Err(no_such_function(D::NAME, call));
        }
        Ok(match call.result() {
            Some(Value::Nil) => Some(ContainerOp::Empty),
            Some(value) if takes => Some(ContainerOp::Take(value)),
            Some(value) => Some(ContainerOp::Peek(value)),
            None if takes => Some(ContainerOp::TakeUnknown),
            None => None,
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
        self.0.quick(ops)
    }
}
