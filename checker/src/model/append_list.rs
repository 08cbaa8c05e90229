//! A list that values are appended to.

use std::sync::Arc;

use super::{Guide, Model, list_of, no_such_function};
use crate::history::op::Value;
use crate::history::pair::Call;

/// `append v` puts v at the end, `read` answers the whole list; empty at first.
#[derive(Clone, Copy, Debug, Default)]
pub struct AppendList;

/// An operation on a list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ListOp {
    /// Put this at the end.
    Append(Value),
    /// Answered this.
    Read(Arc<[Value]>),
}

impl Model for AppendList {
    type Op = ListOp;
    type State = Arc<[Value]>;

    fn name(&self) -> &str {
        "list"
    }

    fn decode(&self, call: &Call<'_>) -> Result<Option<ListOp>, String> {
        match call.f() {
            "append" => Ok(Some(ListOp::Append(call.argument()?))),
            "read" => {
                let list = call.result().map(|value| list_of(value, call)).transpose()?;
                Ok(list.map(|values| ListOp::Read(values.into())))
            }
            _ => Err(no_such_function("list", call)),
        }
    }

    fn initial(&self) -> Arc<[Value]> {
        Arc::from([])
    }

    fn step(&self, state: &Arc<[Value]>, op: &ListOp) -> Option<Arc<[Value]>> {
        match op {
            ListOp::Append(value) => Some(state.iter().chain([value]).cloned().collect()),
            ListOp::Read(values) => (state == values).then(|| state.clone()),
        }
    }

    fn shows(&self, op: &ListOp) -> Option<Arc<[Value]>> {
        match op {
            ListOp::Read(seen) => Some(seen.clone()),
            ListOp::Append(_) => None,
        }
    }

    fn is_pure(&self, op: &ListOp) -> bool {
        matches!(op, ListOp::Read(_))
    }

    fn describe(&self, state: &Arc<[Value]>) -> String {
        Value::List(state.to_vec()).to_string()
    }

    fn state_bytes(&self, state: &Arc<[Value]>) -> usize {
        state.iter().map(|value| size_of::<Value>() + value.heap_bytes()).sum()
    }

    /// Appends only make a list longer: one that no list read begins with can't be read any more. All
    /// such lists become one that nobody read.
    fn guide<'o>(&self, ops: &[&'o ListOp]) -> Option<Guide<'o, Arc<[Value]>>> {
        let unseen: Arc<[Value]> = Arc::from([Value::List(vec![Value::from("never read")])]);
        let reads = ops.iter().filter_map(|op| match op {
            ListOp::Read(values) => Some(&**values),
            ListOp::Append(_) => None,
        });
        let mut seen: Vec<&'o [Value]> = reads.collect();
        seen.sort_unstable();
        seen.dedup();
        if seen.iter().any(|values| values.starts_with(&unseen)) {
            return None;
        }
        Some(Box::new(move |list: Arc<[Value]>| {
            let next = seen.partition_point(|values| **values < *list);
            let may_be_read = seen.get(next).is_some_and(|values| values.starts_with(&list));
            if may_be_read { list } else { unseen.clone() }
        }))
    }

    fn makes(&self, op: &ListOp) -> Option<Value> {
        match op {
            ListOp::Append(value) => Some(value.clone()),
            ListOp::Read(_) => None,
        }
    }

    fn needs(&self, op: &ListOp) -> Vec<Value> {
        match op {
            ListOp::Append(_) => Vec::new(),
            ListOp::Read(values) => values.to_vec(),
        }
    }
}
