//! The plain register.

use super::{CasRegister, Model, RegisterOp, no_such_function};
use crate::history::op::Value;
use crate::history::pair::Call;

/// `read` and `write v`, nothing else: a cas in the history is an error rather than a surprise.
#[derive(Clone, Debug, Default)]
pub struct Register(CasRegister);

impl Register {
    /// A register that starts with this value instead of nil.
    pub fn starting_with(initial: impl Into<Value>) -> Self {
        Self(CasRegister::starting_with(initial))
    }
}

impl Model for Register {
    type Op = RegisterOp;
    type State = Value;

    fn name(&self) -> &str {
        "register"
    }

    fn decode(&self, call: &Call<'_>) -> Result<Option<RegisterOp>, String> {
        match call.f() {
            "read" | "write" => self.0.decode(call),
            _ => Err(no_such_function("register without cas", call)),
        }
    }

    fn initial(&self) -> Value {
        self.0.initial()
    }

    fn step(&self, state: &Value, op: &RegisterOp) -> Option<Value> {
        self.0.step(state, op)
    }

    fn shows(&self, op: &RegisterOp) -> Option<Value> {
        self.0.shows(op)
    }

    fn is_pure(&self, op: &RegisterOp) -> bool {
        self.0.is_pure(op)
    }

    fn describe(&self, state: &Value) -> String {
        self.0.describe(state)
    }

    fn state_bytes(&self, state: &Value) -> usize {
        self.0.state_bytes(state)
    }

    fn makes(&self, op: &RegisterOp) -> Option<Value> {
        self.0.makes(op)
    }

    fn needs(&self, op: &RegisterOp) -> Vec<Value> {
        self.0.needs(op)
    }

    fn values_separable(&self) -> bool {
        self.0.values_separable()
    }
}
