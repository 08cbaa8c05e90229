//! A register over small numbers, as a model: what engines for registers work on, for whoever needs
//! steps and states.

use super::register_op::{INITIAL, Kind, ValueId};
use crate::history::op::Value;
use crate::history::pair::Call;
use crate::model::Model;

/// The register, with the values that its numbers stand for.
pub(crate) struct Numbered<'v> {
    /// None where nobody needs words.
    pub(crate) values: &'v [Value],
    /// Whether some operations are [`Kind::NotEqual`].
    pub(crate) with_not_equal: bool,
}

impl Model for Numbered<'_> {
    type Op = Kind;
    type State = ValueId;

    fn name(&self) -> &str {
        "register"
    }

    fn decode(&self, call: &Call<'_>) -> Result<Option<Kind>, String> {
        Err(format!("op {}: numbers are given out where a whole key is decoded", call.invoke_index()))
    }

    fn initial(&self) -> ValueId {
        INITIAL
    }

    fn step(&self, state: &ValueId, op: &Kind) -> Option<ValueId> {
        match *op {
            Kind::Read(value) => (*state == value).then_some(value),
            Kind::Write(value) => Some(value),
            Kind::Cas(expected, value) => (*state == expected).then_some(value),
            Kind::NotEqual(value) => (*state != value).then_some(*state),
        }
    }

    fn is_pure(&self, op: &Kind) -> bool {
        match op {
            Kind::Read(_) | Kind::NotEqual(_) => true,
            Kind::Write(_) | Kind::Cas(..) => false,
        }
    }

    fn describe(&self, state: &ValueId) -> String {
        self.values.get(*state as usize).map_or_else(|| format!("value {state}"), ToString::to_string)
    }

    fn makes(&self, op: &Kind) -> Option<Value> {
        match *op {
            Kind::Write(value) | Kind::Cas(_, value) => Some(Value::Int(i64::from(value))),
            Kind::Read(_) | Kind::NotEqual(_) => None,
        }
    }

    fn needs(&self, op: &Kind) -> Vec<Value> {
        match *op {
            Kind::Read(value) | Kind::Cas(value, _) => vec![Value::Int(i64::from(value))],
            Kind::Write(_) | Kind::NotEqual(_) => Vec::new(),
        }
    }

    /// See [`CasRegister`](crate::model::CasRegister) for why not with failed compare-and-sets.
    fn values_separable(&self) -> bool {
        !self.with_not_equal
    }
}
