//! Sequential specifications: what one client alone would see.

mod append_list;
mod cas_register;
mod grow_set;
mod register;

use std::fmt::Debug;
use std::hash::Hash;

pub use append_list::{AppendList, ListOp};
pub use cas_register::{CasRegister, RegisterOp};
pub use grow_set::{GrowSet, SetOp};
pub use register::Register;

use crate::history::op::Value;
use crate::history::pair::Call;
use crate::history::values::{ValueId, ValueView};

/// A sequential specification of one object. Implement it to check anything with
/// [`Linearizable`](crate::linearizability::Linearizable).
///
/// A specification that allows several next states can use sets of states as its state.
pub trait Model: Send + Sync {
    /// An operation with its argument and, where it is known, its result. Equal operations are
    /// interchangeable.
    type Op: Clone + Eq + Hash + Debug + Send + Sync;
    /// What the object holds. Cheap to clone, please: use `Arc` for anything large.
    type State: Clone + Eq + Hash + Debug;

    /// Its name, as reports show it.
    fn name(&self) -> &str;

    /// What a call that did or may have happened is to this object: `None` when it says nothing, as
    /// a read without a result; an error when it is no operation of this object.
    fn decode(&self, call: &Call<'_>) -> Result<Option<Self::Op>, String>;

    /// What a call that failed, which means that it did not happen, says all the same: by default
    /// nothing. A compare-and-set that was refused may say that the object held something else.
    fn decode_failed(&self, _call: &Call<'_>) -> Result<Option<Self::Op>, String> {
        Ok(None)
    }

    /// The state before any operation.
    fn initial(&self) -> Self::State;

    /// The state after the operation; none if the operation can't have this result in this state.
    fn step(&self, state: &Self::State, op: &Self::Op) -> Option<Self::State>;

    /// Whether the operation never changes the state.
    fn is_pure(&self, op: &Self::Op) -> bool;

    /// The state in words, to finish the sentence "the register holds …".
    fn describe(&self, state: &Self::State) -> String {
        format!("{state:?}")
    }

    /// Memory of a state beyond its own size, in bytes.
    fn state_bytes(&self, _state: &Self::State) -> usize {
        0
    }

    /// The value that the operation leaves for others to see. An operation that makes a value may
    /// be declared here only if any order stays possible without it once nothing needs that value.
    fn makes(&self, _op: &Self::Op) -> Option<Value> {
        None
    }

    /// The values that must have been made for the operation to have its result.
    fn needs(&self, _op: &Self::Op) -> Vec<Value> {
        Vec::new()
    }

    /// Whether any order stays possible when all operations that make or need certain values are
    /// left out. True of registers; not of lists, where a later read shows all earlier values.
    fn values_separable(&self) -> bool {
        false
    }
}

/// The elements of a list result; nil is the list of an object that nobody has touched.
pub(crate) fn list_of(value: Value, call: &Call<'_>) -> Result<Vec<Value>, String> {
    match value {
        Value::Nil => Ok(Vec::new()),
        Value::List(values) | Value::Set(values) => Ok(values),
        other => {
            Err(format!("the {} of op {} answers {other}, which is no list", call.f(), call.invoke_index()))
        }
    }
}

/// The same by number.
pub(crate) fn list_ids<'h>(value: ValueId, call: &Call<'h>) -> Result<&'h [ValueId], String> {
    let values = call.history().values();
    match values.view(value) {
        ValueView::Nil => Ok(&[]),
        ValueView::List(elements) | ValueView::Set(elements) => Ok(elements),
        _ => Err(list_of(values.get(value), call).err().unwrap_or_default()),
    }
}

/// The error for a function that the object does not have.
pub(crate) fn no_such_function(object: &str, call: &Call<'_>) -> String {
    format!("op {}: a {object} has no function {:?}", call.invoke_index(), call.f())
}
