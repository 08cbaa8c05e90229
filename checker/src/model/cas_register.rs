//! A register with compare-and-set.

use super::{Model, no_such_function};
use crate::history::op::Value;
use crate::history::pair::Call;

/// `read` answers the value, `write v` replaces it, `cas [old, new]` replaces old by new and fails when
/// the value is not old. A failed cas says nothing, for "fail" only promises that nothing happened.
#[derive(Clone, Debug, Default)]
pub struct CasRegister {
    initial: Value,
    nil_read_says_nothing: bool,
}

/// An operation on a register.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RegisterOp {
    /// Answered this.
    Read(Value),
    /// Put this there.
    Write(Value),
    /// Saw the first and put the second there.
    Cas(Value, Value),
}

impl CasRegister {
    /// A register that starts with this value instead of nil.
    pub fn starting_with(initial: impl Into<Value>) -> Self {
        Self { initial: initial.into(), ..Self::default() }
    }

    /// Takes a read of nil for "no answer", as Knossos does, instead of "there is nothing".
    #[must_use]
    pub fn nil_read_says_nothing(mut self) -> Self {
        self.nil_read_says_nothing = true;
        self
    }
}

impl Model for CasRegister {
    type Op = RegisterOp;
    type State = Value;

    fn name(&self) -> &str {
        "register"
    }

    fn decode(&self, call: &Call<'_>) -> Result<Option<RegisterOp>, String> {
        match call.f() {
            "read" => Ok(call
                .result()
                .filter(|value| !(self.nil_read_says_nothing && value.is_nil()))
                .map(|value| RegisterOp::Read(value.clone()))),
            "write" => Ok(Some(RegisterOp::Write(call.argument()?.clone()))),
            "cas" => match call.argument()? {
                Value::List(pair) if pair.len() == 2 => {
                    Ok(Some(RegisterOp::Cas(pair[0].clone(), pair[1].clone())))
                }
                other => {
                    Err(format!("op {}: the argument of a cas is [old, new], not {other}", call.invoke.index))
                }
            },
            _ => Err(no_such_function("register", call)),
        }
    }

    fn initial(&self) -> Value {
        self.initial.clone()
    }

    fn step(&self, state: &Value, op: &RegisterOp) -> Option<Value> {
        match op {
            RegisterOp::Read(value) => (state == value).then(|| state.clone()),
            RegisterOp::Write(value) => Some(value.clone()),
            RegisterOp::Cas(expected, value) => (state == expected).then(|| value.clone()),
        }
    }

    fn is_pure(&self, op: &RegisterOp) -> bool {
        matches!(op, RegisterOp::Read(_))
    }

    fn describe(&self, state: &Value) -> String {
        state.to_string()
    }

    fn state_bytes(&self, state: &Value) -> usize {
        state.heap_bytes()
    }

    fn makes(&self, op: &RegisterOp) -> Option<Value> {
        match op {
            RegisterOp::Read(_) => None,
            RegisterOp::Write(value) | RegisterOp::Cas(_, value) => Some(value.clone()),
        }
    }

    fn needs(&self, op: &RegisterOp) -> Vec<Value> {
        match op {
            RegisterOp::Read(value) | RegisterOp::Cas(value, _) => vec![value.clone()],
            RegisterOp::Write(_) => Vec::new(),
        }
    }

    fn values_separable(&self) -> bool {
        true
    }
}
