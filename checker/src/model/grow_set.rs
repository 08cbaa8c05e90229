//! A set that only grows.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Model, list_of, no_such_function};
use crate::history::op::Value;
use crate::history::pair::Call;

/// `add v` puts v in, `read` answers all elements in any order; empty at first.
#[derive(Clone, Copy, Debug, Default)]
pub struct GrowSet;

/// An operation on a set.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SetOp {
    /// Put this in.
    Add(Value),
    /// Answered these.
    Read(Arc<BTreeSet<Value>>),
    /// Answered something that is no set: an element twice. No state can answer that.
    ReadTwice(Value),
}

impl Model for GrowSet {
    type Op = SetOp;
    type State = Arc<BTreeSet<Value>>;

    fn name(&self) -> &str {
        "set"
    }

    fn decode(&self, call: &Call<'_>) -> Result<Option<SetOp>, String> {
        match call.f() {
            "add" => Ok(Some(SetOp::Add(call.argument()?))),
            "read" => {
                let Some(list) = call.result().map(|value| list_of(value, call)).transpose()? else {
                    return Ok(None);
                };
                let mut set = BTreeSet::new();
                for value in list {
                    if !set.insert(value.clone()) {
                        return Ok(Some(SetOp::ReadTwice(value)));
                    }
                }
                Ok(Some(SetOp::Read(Arc::new(set))))
            }
            _ => Err(no_such_function("set", call)),
        }
    }

    fn initial(&self) -> Arc<BTreeSet<Value>> {
        Arc::default()
    }

    fn step(&self, state: &Arc<BTreeSet<Value>>, op: &SetOp) -> Option<Arc<BTreeSet<Value>>> {
        match op {
            SetOp::Add(value) if state.contains(value) => Some(state.clone()),
            SetOp::Add(value) => {
                let mut set = BTreeSet::clone(state);
                set.insert(value.clone());
                Some(Arc::new(set))
            }
            SetOp::Read(values) => (state == values).then(|| state.clone()),
            SetOp::ReadTwice(_) => None,
        }
    }

    fn shows(&self, op: &SetOp) -> Option<Arc<BTreeSet<Value>>> {
        match op {
            SetOp::Read(seen) => Some(seen.clone()),
            SetOp::Add(_) | SetOp::ReadTwice(_) => None,
        }
    }

    fn is_pure(&self, op: &SetOp) -> bool {
        matches!(op, SetOp::Read(_) | SetOp::ReadTwice(_))
    }

    fn describe(&self, state: &Arc<BTreeSet<Value>>) -> String {
        Value::List(state.iter().cloned().collect()).to_string()
    }

    fn state_bytes(&self, state: &Arc<BTreeSet<Value>>) -> usize {
        state.iter().map(|value| 2 * size_of::<Value>() + value.heap_bytes()).sum()
    }

    fn makes(&self, op: &SetOp) -> Option<Value> {
        match op {
            SetOp::Add(value) => Some(value.clone()),
            SetOp::Read(_) | SetOp::ReadTwice(_) => None,
        }
    }

    fn needs(&self, op: &SetOp) -> Vec<Value> {
        match op {
            SetOp::Add(_) => Vec::new(),
            SetOp::Read(values) => values.iter().cloned().collect(),
            SetOp::ReadTwice(value) => vec![value.clone()],
        }
    }
}
