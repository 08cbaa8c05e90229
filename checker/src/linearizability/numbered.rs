//! A register over small numbers, as a model: what engines for registers work on, for whoever needs
//! steps.

use super::register_op::{INITIAL, Kind, ValueId};
use crate::history::pair::Call;
use crate::model::Model;

/// The register.
pub(crate) struct Numbered;

impl Model for Numbered {
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
}
