//! Sequential specifications: what one client alone would see.

mod append_list;
mod bag;
mod cas_register;
mod container;
mod counter;
mod element_set;
mod grow_set;
mod kv;
mod lock;
mod multi_register;
mod priority_queue;
mod queue;
mod quick;
mod register;
mod semaphore;
mod stack;
mod steps;
mod stream;

use std::fmt::Debug;
use std::hash::Hash;

pub use append_list::{AppendList, ListOp};
pub use bag::{Bag, Unordered};
pub use cas_register::{CasRegister, RegisterOp};
pub use container::{Container, ContainerOp, Discipline};
pub use counter::{Counter, CounterOp};
pub use element_set::{ElementOp, ElementSet};
pub use grow_set::{GrowSet, SetOp};
pub use kv::{Kv, KvMap, KvOp, Text};
pub use lock::{FencedLock, FencedOp, LockOp, Mutex, OwnerOp, ReentrantLock};
pub use multi_register::{MicroOp, MultiRegister};
pub use priority_queue::{Priority, PriorityQueue};
pub use queue::{Fifo, Queue};
pub use quick::{CallIds, Quick, SearchOp, Violation};
pub use register::Register;
pub use semaphore::{Semaphore, SemaphoreOp};
pub use stack::{Lifo, Stack};
pub use steps::{OutOfBudget, Steps};
pub use stream::{Batch, Stream, StreamOp, StreamState, chain_hash};

use crate::history::History;
use crate::history::op::Value;
use crate::history::pair::{Call, OpCounts, Outcome};
use crate::history::values::{ValueId, ValueView};

/// Maps a state to one that stands for all that no operation at hand can tell from it: see
/// [`Model::guide`].
pub type Guide<'o, S> = Box<dyn Fn(S) -> S + 'o>;

/// A sequential specification of one object. Implement it to check anything with
/// [`Linearizable`](crate::linearizability::Linearizable).
///
/// `name`, `decode`, `initial`, `step` and `is_pure` are all that a model must have; the rest makes
/// searches shorter and explanations better.
pub trait Model: Send + Sync {
    /// An operation with its argument and, where it is known, its result. Equal operations are
    /// interchangeable.
    type Op: Clone + Eq + Hash + Debug + Send + Sync;
    /// What the object holds. Cheap to clone, please: use `Arc` for anything large.
    type State: Clone + Eq + Hash + Debug + Send;

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
    /// Where several states may follow, any one of them: see [`Model::steps`].
    fn step(&self, state: &Self::State, op: &Self::Op) -> Option<Self::State>;

    /// Every state that may follow the operation: what [`Model::step`] says, unless a model says more.
    /// Searches ask this one. To be implemented where one operation may lead to several states (a
    /// removal that does not say what it removed), or where a step may take long enough to be
    /// interrupted ([`Steps::spend`]).
    fn steps(
        &self,
        state: &Self::State,
        op: &Self::Op,
        next: &mut Steps<'_, Self::State>,
    ) -> Result<(), OutOfBudget> {
        if let Some(state) = self.step(state, op) {
            next.to(state);
        }
        Ok(())
    }

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

    /// The state in which the operation must have found the object, and left it, if it shows all of it: a
    /// counter's read, for instance. What was over when such an operation began says nothing more about
    /// what comes after it, and explanations leave it out.
    fn shows(&self, _op: &Self::Op) -> Option<Self::State> {
        None
    }

    /// For searches over exactly these operations: a function that maps each state to one that stands
    /// for it. Two states may be mapped to one only if every sequence of these operations, each at most
    /// as often as it is listed, is possible from both or from neither; mapping a state twice changes
    /// nothing more. A list, for instance, that is no prefix of any list that was read can never be
    /// read again: all such lists are one.
    fn guide<'o>(&self, _ops: &[&'o Self::Op]) -> Option<Guide<'o, Self::State>> {
        None
    }

    /// When the operation took effect, as the object itself told: a version, a revision. Smaller ones
    /// are tried first. It is a hint and nothing more: an order that follows it is believed only because
    /// it was verified, and where there is none the search goes on without.
    fn order_hint(&self, _op: &Self::Op) -> Option<u64> {
        None
    }

    /// Which part of the object the operation is about, where the object is many independent ones: a
    /// set's element, a map's key. If every operation of a history names its part, each part is judged
    /// on its own (and must be a history of this same model); if one does not, none is.
    fn part(&self, _op: &Self::Op) -> Option<Value> {
        None
    }

    /// A quicker way to decide than a search, if there is one for these operations: exact, or
    /// [`Quick::NotApplicable`].
    fn quick(&self, _ops: &[SearchOp<Self::Op>]) -> Quick {
        Quick::NotApplicable
    }

    /// Which of these operations nothing can depend on that [`Model::quick`] will say when more have ended, if none is
    /// open that began before this position; nothing if that is not known, or if [`Model::quick`] is not exact for
    /// most histories. With it an object is judged event by event by [`Model::quick`], too.
    fn settled(&self, _ops: &[SearchOp<Self::Op>], _open_since: u32) -> Option<Vec<bool>> {
        None
    }

    /// Whether the operation is possible in every state: where its end is all that is new, any order goes on.
    fn always_possible(&self, _op: &Self::Op) -> bool {
        false
    }

    /// Why what [`Model::quick`] found is a violation, step by step; nothing where the parts that its operations
    /// play say it all. `name` tells who did the operation at a place, what, and when.
    fn reasons(
        &self,
        _ops: &[SearchOp<Self::Op>],
        _violation: &Violation,
        _name: &dyn Fn(usize) -> String,
    ) -> Vec<String> {
        Vec::new()
    }

    /// Whether there is an order, straight from the calls of a key that did or may have happened, in the order of
    /// invocation; nothing if it can't tell. For models whose operations take longer to decode than to judge.
    /// Asked first, and for the verdict only: what is wrong, [`Model::quick`] is asked when somebody wants to
    /// know, and must find something, too.
    fn quick_calls(
        &self,
        _history: &History,
        _calls: impl Iterator<Item = SearchOp<CallIds>>,
    ) -> Option<bool> {
        None
    }

    /// The same for a whole history without keys, straight from its columns, with what came of the operations of each
    /// function; nothing if it can't tell, or if the history breaks a rule. Asked before all else, and only about
    /// histories of thousands of operations.
    fn quick_history(&self, _history: &History) -> Option<(bool, Vec<OpCounts>)> {
        None
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

/// What a call is to an object of this model, whatever came of it.
pub(crate) fn decoded<M: Model>(model: &M, call: &Call<'_>) -> Result<Option<M::Op>, String> {
    match call.outcome() {
        Outcome::Ok | Outcome::Unknown => model.decode(call),
        Outcome::Failed => model.decode_failed(call),
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
