//! A register with compare-and-set.

use super::{Model, no_such_function};
use crate::history::op::Value;
use crate::history::pair::Call;

/// `read` answers the value, `write v` replaces it, `cas [old, new]` replaces old by new and fails when
/// the value is not old. A failed cas says nothing, for "fail" only promises that nothing happened, unless
/// the register is told that in this history it means just that ([`CasRegister::failed_cas_is_read`]).
#[derive(Clone, Debug, Default)]
pub struct CasRegister {
    initial: Value,
    nil_read_says_nothing: bool,
    failed_cas_is_read: bool,
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
    /// Saw something else than this.
    NotEqual(Value),
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

    /// Takes a failed cas for an answer, "the value is not old", as Porcupine does for etcd. Only right where
    /// clients say *fail* for nothing else.
    #[must_use]
    pub fn failed_cas_is_read(mut self) -> Self {
        self.failed_cas_is_read = true;
        self
    }

    pub(crate) fn takes_failed_cas(&self) -> bool {
        self.failed_cas_is_read
    }

    pub(crate) fn ignores_nil_reads(&self) -> bool {
        self.nil_read_says_nothing
    }
}

fn pair_of(call: &Call<'_>, argument: Value) -> Result<[Value; 2], String> {
    match argument {
        Value::List(pair) if pair.len() == 2 => {
            let mut pair = pair.into_iter();
            Ok([pair.next().unwrap_or_default(), pair.next().unwrap_or_default()])
        }
        other => Err(format!("op {}: the argument of a cas is [old, new], not {other}", call.invoke_index())),
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
                .map(RegisterOp::Read)),
            "write" => Ok(Some(RegisterOp::Write(call.argument()?))),
            "cas" => {
                let [old, new] = pair_of(call, call.argument()?)?;
                Ok(Some(RegisterOp::Cas(old, new)))
            }
            _ => Err(no_such_function("register", call)),
        }
    }

    fn decode_failed(&self, call: &Call<'_>) -> Result<Option<RegisterOp>, String> {
        if !self.failed_cas_is_read || call.f() != "cas" {
            return Ok(None);
        }
        let [old, _] = pair_of(call, call.asked())?;
        Ok(Some(RegisterOp::NotEqual(old)))
    }

    fn initial(&self) -> Value {
        self.initial.clone()
    }

    fn step(&self, state: &Value, op: &RegisterOp) -> Option<Value> {
        match op {
            RegisterOp::Read(value) => (state == value).then(|| state.clone()),
            RegisterOp::Write(value) => Some(value.clone()),
            RegisterOp::Cas(expected, value) => (state == expected).then(|| value.clone()),
            RegisterOp::NotEqual(value) => (state != value).then(|| state.clone()),
        }
    }

    fn shows(&self, op: &RegisterOp) -> Option<Value> {
        match op {
            RegisterOp::Read(seen) => Some(seen.clone()),
            RegisterOp::Write(_) | RegisterOp::Cas(..) | RegisterOp::NotEqual(_) => None,
        }
    }

    fn is_pure(&self, op: &RegisterOp) -> bool {
        matches!(op, RegisterOp::Read(_) | RegisterOp::NotEqual(_))
    }

    fn describe(&self, state: &Value) -> String {
        state.to_string()
    }

    fn state_bytes(&self, state: &Value) -> usize {
        state.heap_bytes()
    }

    fn makes(&self, op: &RegisterOp) -> Option<Value> {
        match op {
            RegisterOp::Read(_) | RegisterOp::NotEqual(_) => None,
            RegisterOp::Write(value) | RegisterOp::Cas(_, value) => Some(value.clone()),
        }
    }

    fn needs(&self, op: &RegisterOp) -> Vec<Value> {
        match op {
            RegisterOp::Read(value) | RegisterOp::Cas(value, _) => vec![value.clone()],
            RegisterOp::Write(_) | RegisterOp::NotEqual(_) => Vec::new(),
        }
    }

    /// A failed compare-and-set is about every value but one, so that leaving out the others can turn
    /// it from possible into impossible.
    fn values_separable(&self) -> bool {
        !self.failed_cas_is_read
    }
}
