//! A model that begins in the middle: in the state that some operation showed.

use crate::history::op::Value;
use crate::history::pair::Call;
use crate::model::{Guide, Model, OutOfBudget, Steps};

/// The same object as its model's, in the state that an operation shows, or at its start.
pub(super) struct Since<'m, M: Model> {
    pub(super) model: &'m M,
    pub(super) shown_by: Option<M::Op>,
}

impl<M: Model> Model for Since<'_, M> {
    type Op = M::Op;
    type State = M::State;

    fn name(&self) -> &str {
        self.model.name()
    }

    fn decode(&self, call: &Call<'_>) -> Result<Option<M::Op>, String> {
        self.model.decode(call)
    }

    fn initial(&self) -> M::State {
        let shown = self.shown_by.as_ref().and_then(|op| self.model.shows(op));
        shown.unwrap_or_else(|| self.model.initial())
    }

    fn step(&self, state: &M::State, op: &M::Op) -> Option<M::State> {
        self.model.step(state, op)
    }

    fn steps(&self, state: &M::State, op: &M::Op, next: &mut Steps<'_, M::State>) -> Result<(), OutOfBudget> {
        self.model.steps(state, op, next)
    }

    fn is_pure(&self, op: &M::Op) -> bool {
        self.model.is_pure(op)
    }

    fn describe(&self, state: &M::State) -> String {
        self.model.describe(state)
    }

    fn state_bytes(&self, state: &M::State) -> usize {
        self.model.state_bytes(state)
    }

    fn guide<'o>(&self, ops: &[&'o M::Op]) -> Option<Guide<'o, M::State>> {
        self.model.guide(ops)
    }

    fn order_hint(&self, op: &M::Op) -> Option<u64> {
        self.model.order_hint(op)
    }

    fn makes(&self, op: &M::Op) -> Option<Value> {
        self.model.makes(op)
    }

    fn needs(&self, op: &M::Op) -> Vec<Value> {
        self.model.needs(op)
    }

    fn values_separable(&self) -> bool {
        self.model.values_separable()
    }
}
