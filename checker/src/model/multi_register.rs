//! Several registers, read and written at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Model, no_such_function};
use crate::history::op::Value;
use crate::history::pair::Call;

/// `txn [[r key nil] [w key value] ..]` reads and writes several registers in one step, in this order,
/// and answers the same with the reads filled in; `read {key value ..}` and `write {key value ..}` do one
/// of both. Every register holds nil at first, unless told.
#[derive(Clone, Debug, Default)]
pub struct MultiRegister {
    initial: Arc<BTreeMap<Value, Value>>,
    /// What a register holds that no state names.
    otherwise: Value,
    nil_read_says_nothing: bool,
}

/// One step of an operation on several registers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MicroOp {
    /// Saw this value in this register.
    Read(Value, Value),
    /// Put this value in this register.
    Write(Value, Value),
}

impl MultiRegister {
    /// Registers that start with these values instead of nil.
    pub fn starting_with(initial: impl IntoIterator<Item = (Value, Value)>) -> Self {
        let filled = initial.into_iter().filter(|(_, value)| !value.is_nil());
        Self { initial: Arc::new(filled.collect()), ..Self::default() }
    }

    /// Registers that all start with this value instead of nil.
    pub fn all_starting_with(otherwise: Value) -> Self {
        Self { otherwise, ..Self::default() }
    }

    /// Takes a read of nil for "no answer", as Knossos does, instead of "there is nothing".
    #[must_use]
    pub fn nil_read_says_nothing(mut self) -> Self {
        self.nil_read_says_nothing = true;
        self
    }

    /// The reads and writes of a call: writes as asked, reads as answered.
    fn micro_ops(&self, call: &Call<'_>) -> Result<Vec<MicroOp>, String> {
        let strange = || {
            format!(
                "op {}: {} {}: not reads and writes of registers",
                call.invoke_index(),
                call.f(),
                call.asked()
            )
        };
        let done = match call.result() {
            None | Some(Value::Nil) => call.asked(),
            Some(done) => done,
        };
        let answered = call.result().is_some();
        let mut micro_ops = Vec::new();
        let mut add = |writes: bool, register: &Value, value: &Value| {
            if writes {
                micro_ops.push(MicroOp::Write(register.clone(), value.clone()));
            } else if answered && !(self.nil_read_says_nothing && value.is_nil()) {
                micro_ops.push(MicroOp::Read(register.clone(), value.clone()));
            }
        };
        let writes = call.f() == "write";
        match done {
            Value::Map(entries) => {
                entries.iter().for_each(|(register, value)| add(writes, register, value));
            }
            Value::List(list) => {
                for micro_op in &list {
                    match micro_op {
                        Value::List(parts) if parts.len() == 3 => {
                            let Value::Text(f) = &parts[0] else { return Err(strange()) };
                            match &**f {
                                "r" | "read" => add(false, &parts[1], &parts[2]),
                                "w" | "write" => add(true, &parts[1], &parts[2]),
                                _ => return Err(strange()),
                            }
                        }
                        _ => return Err(strange()),
                    }
                }
            }
            _ => return Err(strange()),
        }
        Ok(micro_ops)
    }
}

impl Model for MultiRegister {
    type Op = Arc<[MicroOp]>;
    /// What is not there holds what registers start with.
    type State = Arc<BTreeMap<Value, Value>>;

    fn name(&self) -> &str {
        "multi-register"
    }

    fn decode(&self, call: &Call<'_>) -> Result<Option<Arc<[MicroOp]>>, String> {
        match call.f() {
            "txn" | "read" | "write" => {
                let micro_ops = self.micro_ops(call)?;
                Ok((!micro_ops.is_empty()).then(|| micro_ops.into()))
            }
            _ => Err(no_such_function("multi-register", call)),
        }
    }

    fn initial(&self) -> Self::State {
        self.initial.clone()
    }

    fn step(&self, state: &Self::State, op: &Arc<[MicroOp]>) -> Option<Self::State> {
        let mut after = state.clone();
        for micro_op in op.iter() {
            match micro_op {
                MicroOp::Read(register, value) => {
                    if after.get(register).unwrap_or(&self.otherwise) != value {
                        return None;
                    }
                }
                // That is written as nothing, so that equal states are equal.
                MicroOp::Write(register, value) if *value == self.otherwise => {
                    Arc::make_mut(&mut after).remove(register);
                }
                MicroOp::Write(register, value) => {
                    Arc::make_mut(&mut after).insert(register.clone(), value.clone());
                }
            }
        }
        Some(after)
    }

    fn is_pure(&self, op: &Arc<[MicroOp]>) -> bool {
        op.iter().all(|micro_op| matches!(micro_op, MicroOp::Read(..)))
    }

    fn describe(&self, state: &Self::State) -> String {
        Value::Map(state.iter().map(|(register, value)| (register.clone(), value.clone())).collect())
            .to_string()
    }

    fn state_bytes(&self, state: &Self::State) -> usize {
        let entry = |(register, value): (&Value, &Value)| {
            2 * size_of::<(Value, Value)>() + register.heap_bytes() + value.heap_bytes()
        };
        state.iter().map(entry).sum()
    }

    /// The register, where the operation is about one only.
    fn part(&self, op: &Arc<[MicroOp]>) -> Option<Value> {
        let register = |micro_op: &MicroOp| match micro_op {
            MicroOp::Read(register, _) | MicroOp::Write(register, _) => register.clone(),
        };
        let first = op.first().map(register)?;
        op.iter().all(|micro_op| register(micro_op) == first).then_some(first)
    }
}
