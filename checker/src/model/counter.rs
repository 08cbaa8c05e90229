//! A counter.

use super::quick::{Quick, SearchOp, Violation};
use super::{Model, no_such_function};
use crate::history::op::Value;
use crate::history::pair::Call;
use crate::linearizability::counter;

/// `add n`, `inc` and `dec` (by one, or by their argument) and `read`; zero at first. A read of nil is
/// that of a counter that nobody has touched.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counter {
    initial: i64,
}

/// An operation on a counter.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CounterOp {
    /// Added this.
    Add(i64),
    /// Answered this.
    Read(i64),
}

impl Counter {
    /// A counter that starts with this number.
    pub fn starting_with(initial: i64) -> Self {
        Self { initial }
    }
}

fn number(value: &Value, call: &Call<'_>) -> Result<i64, String> {
    value.as_int().ok_or_else(|| {
        format!("op {}: {} {value}: a counter counts whole numbers", call.invoke_index(), call.f())
    })
}

fn by(call: &Call<'_>) -> Result<i64, String> {
    match call.argument()? {
        Value::Nil => Ok(1),
        value => number(&value, call),
    }
}

impl Model for Counter {
    type Op = CounterOp;
    type State = i64;

    fn name(&self) -> &str {
        "counter"
    }

    fn decode(&self, call: &Call<'_>) -> Result<Option<CounterOp>, String> {
        Ok(match call.f() {
            "add" => Some(CounterOp::Add(number(&call.argument()?, call)?)),
            "inc" | "increment" => Some(CounterOp::Add(by(call)?)),
            "dec" | "decrement" => Some(CounterOp::Add(by(call)?.wrapping_neg())),
            "read" | "get" => match call.result() {
                None => None,
                Some(Value::Nil) => Some(CounterOp::Read(self.initial)),
                Some(value) => Some(CounterOp::Read(number(&value, call)?)),
            },
            _ => return Err(no_such_function("counter", call)),
        })
    }

    fn initial(&self) -> i64 {
        self.initial
    }

    fn step(&self, state: &i64, op: &CounterOp) -> Option<i64> {
        match op {
            // As machines count.
            CounterOp::Add(by) => Some(state.wrapping_add(*by)),
            CounterOp::Read(seen) => (state == seen).then_some(*state),
        }
    }

    fn shows(&self, op: &CounterOp) -> Option<i64> {
        match op {
            CounterOp::Read(seen) => Some(*seen),
            CounterOp::Add(_) => None,
        }
    }

    /// Adding nothing changes nothing.
    fn is_pure(&self, op: &CounterOp) -> bool {
        matches!(op, CounterOp::Read(_) | CounterOp::Add(0))
    }

    fn describe(&self, state: &i64) -> String {
        state.to_string()
    }

    fn quick(&self, ops: &[SearchOp<CounterOp>]) -> Quick {
        counter::judge(ops, self.initial)
    }

    fn reasons(
        &self,
        ops: &[SearchOp<CounterOp>],
        violation: &Violation,
        name: &dyn Fn(usize) -> String,
    ) -> Vec<String> {
        counter::reasons(ops, self.initial, violation, name)
    }
}
