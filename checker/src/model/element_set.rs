//! A set that elements are added to and removed from.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::quick::{CallIds, Quick, SearchOp};
use super::{Model, list_of, no_such_function};
use crate::history::History;
use crate::history::op::Value;
use crate::history::pair::Call;
use crate::history::values::ValueId;
use crate::linearizability::numbers::Numbers;
use crate::linearizability::partition::NEVER;
use crate::linearizability::set_element::{self, Move, StepOp};

/// `add v`, `remove v`, `contains v` and `read`; empty at first. An add or remove answers whether it
/// changed anything, or answers nothing (its own argument); `contains` answers whether v is there, and
/// `read` all elements in any order. An answer may stand beside the element, as `[v true]`.
#[derive(Clone, Copy, Debug, Default)]
pub struct ElementSet;

/// An operation on a set.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ElementOp {
    /// Put this in, and answered whether it was new.
    Add(Value, Option<bool>),
    /// Took this out, and answered whether it had been there.
    Remove(Value, Option<bool>),
    /// Answered whether this is there.
    Contains(Value, bool),
    /// Answered these; none if it was no set: an element twice, which no state can answer.
    Read(Option<Arc<BTreeSet<Value>>>),
}

impl ElementOp {
    /// The element, unless it is about all.
    pub fn element(&self) -> Option<&Value> {
        match self {
            ElementOp::Add(value, _) | ElementOp::Remove(value, _) | ElementOp::Contains(value, _) => {
                Some(value)
            }
            ElementOp::Read(_) => None,
        }
    }
}

/// What the call answered, if it answered yes or no.
fn answer(call: &Call<'_>) -> Result<Option<bool>, String> {
    let asked = call.asked();
    match call.result() {
        None | Some(Value::Nil) => Ok(None),
        Some(same) if same == asked => Ok(None),
        Some(Value::Bool(answer)) => Ok(Some(answer)),
        Some(Value::List(pair)) if pair.len() == 2 && pair[0] == asked => match pair[1] {
            Value::Bool(answer) => Ok(Some(answer)),
            _ => Err(strange(call)),
        },
        Some(_) => Err(strange(call)),
    }
}

/// What a function is to a set.
#[derive(Clone, Copy)]
enum Function {
    Add,
    Remove,
    Contains,
    Read,
}

fn function(f: &str) -> Option<Function> {
    Some(match f {
        "add" | "insert" => Function::Add,
        "remove" | "delete" => Function::Remove,
        "contains" => Function::Contains,
        "read" => Function::Read,
        _ => return None,
    })
}

/// No answer, yes, no.
const ANSWERS: usize = 3;
const NO_ANSWER: usize = 0;

/// What an operation of this function does, by its answer; nothing if no monitor can tell.
fn moves(f: &str) -> [Option<Move>; ANSWERS] {
    match function(f) {
        // What may have happened may have changed something; if it did not, nobody missed it.
        Some(Function::Add) => [Some(Move::Up), Some(Move::Up), Some(Move::See(1))],
        Some(Function::Remove) => [Some(Move::Down), Some(Move::Down), Some(Move::See(0))],
        Some(Function::Contains) => [Some(Move::Other), Some(Move::See(1)), Some(Move::See(0))],
        Some(Function::Read) | None => [None; ANSWERS],
    }
}

fn strange(call: &Call<'_>) -> String {
    let answer = call.result().unwrap_or_default();
    format!(
        "the {} of op {} answers {answer}, which is neither true nor false",
        call.f(),
        call.invoke_index()
    )
}

impl Model for ElementSet {
    type Op = ElementOp;
    type State = Arc<BTreeSet<Value>>;

    fn name(&self) -> &str {
        "set"
    }

    fn decode(&self, call: &Call<'_>) -> Result<Option<ElementOp>, String> {
        Ok(match function(call.f()).ok_or_else(|| no_such_function("set", call))? {
            Function::Add => Some(ElementOp::Add(call.asked(), answer(call)?)),
            Function::Remove => Some(ElementOp::Remove(call.asked(), answer(call)?)),
            Function::Contains => answer(call)?.map(|answer| ElementOp::Contains(call.asked(), answer)),
            Function::Read => match call.result() {
                None => None,
                Some(result) => {
                    let list = list_of(result, call)?;
                    let (length, set) = (list.len(), BTreeSet::from_iter(list));
                    Some(ElementOp::Read((set.len() == length).then(|| Arc::new(set))))
                }
            },
        })
    }

    fn initial(&self) -> Arc<BTreeSet<Value>> {
        Arc::default()
    }

    fn step(&self, state: &Arc<BTreeSet<Value>>, op: &ElementOp) -> Option<Arc<BTreeSet<Value>>> {
        let changed = |change: &dyn Fn(&mut BTreeSet<Value>)| {
            let mut set = BTreeSet::clone(state);
            change(&mut set);
            Arc::new(set)
        };
        match op {
            ElementOp::Add(value, new) => match (state.contains(value), new) {
                (true, Some(true)) | (false, Some(false)) => None,
                (true, _) => Some(state.clone()),
                (false, _) => Some(changed(&|set| {
                    set.insert(value.clone());
                })),
            },
            ElementOp::Remove(value, there) => match (state.contains(value), there) {
                (true, Some(false)) | (false, Some(true)) => None,
                (true, _) => Some(changed(&|set| {
                    set.remove(value);
                })),
                (false, _) => Some(state.clone()),
            },
            ElementOp::Contains(value, there) => (state.contains(value) == *there).then(|| state.clone()),
            ElementOp::Read(seen) => (seen.as_ref() == Some(state)).then(|| state.clone()),
        }
    }

    fn shows(&self, op: &ElementOp) -> Option<Arc<BTreeSet<Value>>> {
        match op {
            ElementOp::Read(seen) => seen.clone(),
            ElementOp::Add(..) | ElementOp::Remove(..) | ElementOp::Contains(..) => None,
        }
    }

    fn is_pure(&self, op: &ElementOp) -> bool {
        match op {
            ElementOp::Add(_, changed) | ElementOp::Remove(_, changed) => *changed == Some(false),
            ElementOp::Contains(..) | ElementOp::Read(_) => true,
        }
    }

    fn describe(&self, state: &Arc<BTreeSet<Value>>) -> String {
        Value::Set(state.iter().cloned().collect()).to_string()
    }

    fn state_bytes(&self, state: &Arc<BTreeSet<Value>>) -> usize {
        state.iter().map(|value| 2 * size_of::<Value>() + value.heap_bytes()).sum()
    }

    /// Each element is an object of its own, as long as nobody reads them all at once.
    fn part(&self, op: &ElementOp) -> Option<Value> {
        op.element().cloned()
    }

    fn makes(&self, op: &ElementOp) -> Option<Value> {
        match op {
            ElementOp::Add(value, _) => Some(value.clone()),
            ElementOp::Remove(..) | ElementOp::Contains(..) | ElementOp::Read(_) => None,
        }
    }

    /// More than it needs: every element that it is about, so that all of an element hangs together.
    fn needs(&self, op: &ElementOp) -> Vec<Value> {
        match op {
            ElementOp::Add(_, None | Some(true)) => Vec::new(),
            ElementOp::Add(value, Some(false)) => vec![value.clone()],
            ElementOp::Remove(value, _) | ElementOp::Contains(value, _) => vec![value.clone()],
            ElementOp::Read(seen) => seen.iter().flat_map(|set| set.iter().cloned()).collect(),
        }
    }

    fn values_separable(&self) -> bool {
        true
    }

    fn quick(&self, ops: &[SearchOp<ElementOp>]) -> Quick {
        set_element::judge_set(ops)
    }

    fn quick_calls(&self, history: &History, calls: impl Iterator<Item = SearchOp<CallIds>>) -> Option<bool> {
        let calls_max = calls.size_hint().1.unwrap_or(0);
        let mut elements = Numbers::new(history, calls_max);
        let mut steps = Vec::with_capacity(calls_max);
        // Which function and which answer it is can't be predicted, so what they mean is looked up.
        let moves: Vec<[Option<Move>; ANSWERS]> = history.functions().iter().map(|f| moves(f)).collect();
        let [yes, no] = [true, false].map(|answer| history.values().find(&Value::Bool(answer)));
        for SearchOp { op: call, start, end } in calls {
            // The element again is no answer, even if it is true or false.
            let answered = call.answer.filter(|answer| (*answer != ValueId::NIL) & (*answer != call.asked));
            let is_strange = answered.is_some() & (answered != yes) & (answered != no);
            if is_strange {
                return None;
            }
            let answer = usize::from(answered.is_some() & (answered == yes))
                + 2 * usize::from(answered.is_some() & (answered == no));
            let what = moves[call.f.index()][answer]?;
            if answer == NO_ANSWER {
                match what {
                    Move::Other => continue,
                    // An update that did happen, and does not say whether it changed anything.
                    _ if end != NEVER => return None,
                    _ => {}
                }
            }
            steps.push(StepOp { object: elements.number(call.asked), what, start, end });
        }
        set_element::is_valid(&steps, elements.len(), 1)
    }
}
