//! One key's calls as operations on a register, values by small numbers of the key's own.
//!
//! Straight from the columns: no value is looked at, only its id, since all that an engine for
//! registers asks of two values is whether they are the same. Operations are handed out one by one, so that an
//! engine that looks at each once needs no list of them: a million operations are twenty megabytes.

use super::numbers::Numbers;
use super::partition::{Known, Part};
use super::register_op::{INITIAL, Kind, RegisterOp, ValueId as Number};
use crate::history::op::Value;
use crate::history::pair::Outcome;
use crate::history::values::ValueId;
use crate::model::{CasRegister, Model, no_such_function};

/// A key as a register.
pub(crate) struct Decoder<'p, 'h> {
    part: &'p Part<'h>,
    model: &'p CasRegister,
    numbering: Numbering,
}

/// What number each value has.
enum Numbering {
    /// That of its id, but for the initial one, which has changed places with nil. Where there is one key,
    /// and few values but those that are written, the ids are nearly as dense as any numbers.
    AsTheyAre {
        /// The id of the initial value; behind all others if it is not in the history.
        initial: Number,
        values: usize,
    },
    /// In the order of first appearance, the initial one before all.
    Given(Numbers),
}

/// What a function is to a register.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Read,
    Write,
    Cas,
    Other,
}

impl Function {
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "read" => Function::Read,
            "write" => Function::Write,
            "cas" => Function::Cas,
            _ => Function::Other,
        }
    }
}

/// More values than calls that are still dense.
const VALUES_MORE_MAX: usize = 64;

impl<'p, 'h> Decoder<'p, 'h> {
    pub(crate) fn new(part: &'p Part<'h>, model: &'p CasRegister) -> Self {
        let values = part.history.values();
        let initial = values.find(&model.initial());
        let dense = values.are_mostly_plain() && values.len() <= part.calls.len() + VALUES_MORE_MAX;
        let numbering = if part.key.is_none() && dense {
            let initial = initial.map_or(values.len(), ValueId::index);
            Numbering::AsTheyAre { initial: initial as Number, values: values.len().max(initial + 1) }
        } else {
            let mut numbers = Numbers::of(part);
            let number = match initial {
                Some(id) => numbers.number(id),
                None => numbers.skip(),
            };
            debug_assert_eq!(number, INITIAL, "the first number is that of the initial value");
            Numbering::Given(numbers)
        };
        Self { part, model, numbering }
    }

    /// How many values there are by now, the initial one included.
    pub(crate) fn values(&self) -> usize {
        match &self.numbering {
            Numbering::AsTheyAre { values, .. } => *values,
            Numbering::Given(numbers) => numbers.len(),
        }
    }

    /// All operations; the same as often as it is asked. An error means that some op is none of a register,
    /// or contradicts itself.
    pub(crate) fn ops(&mut self) -> Result<Vec<RegisterOp>, String> {
        let mut ops = Vec::with_capacity(self.part.calls.len());
        self.each(|op| {
            ops.push(op);
            true
        })?;
        Ok(ops)
    }

    /// Each operation, as long as more are wanted. Whether it were all.
    pub(crate) fn each(&mut self, mut wants_more: impl FnMut(RegisterOp) -> bool) -> Result<bool, String> {
        let functions = self.part.history.functions().iter().map(|name| Function::named(name));
        let functions: Vec<Function> = functions.collect();
        let silent_nil = self.model.ignores_nil_reads();
        for (number, known) in self.part.known().enumerate() {
            let Known { span, f, outcome, asked, answer } = known;
            let function = functions[usize::from(f.0)];
            let kind = match (function, outcome) {
                (Function::Read | Function::Write, Outcome::Ok) => {
                    // Which of the two it is can't be predicted.
                    let reads = function == Function::Read;
                    if answer == ValueId::NIL {
                        if reads && silent_nil {
                            continue;
                        }
                    } else if answer != asked && !reads {
                        self.part.call(number).argument_id()?;
                    }
                    let value = self.number(if reads { answer } else { asked });
                    if reads { Kind::Read(value) } else { Kind::Write(value) }
                }
                (Function::Write, Outcome::Unknown) => Kind::Write(self.number(asked)),
                (Function::Cas, Outcome::Failed) if self.model.takes_failed_cas() => {
                    Kind::NotEqual(self.pair(number, asked)?[0])
                }
                (Function::Cas, Outcome::Ok | Outcome::Unknown) => {
                    self.part.call(number).argument_id()?;
                    let [old, new] = self.pair(number, asked)?;
                    Kind::Cas(old, new)
                }
                (_, Outcome::Failed) | (Function::Read, Outcome::Unknown) => continue,
                (Function::Other, _) => return Err(no_such_function("register", &self.part.call(number))),
            };
            if !wants_more(RegisterOp { kind, start: span.start, end: span.end }) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The numbers of a cas, the expected one first; of a failed one only that.
    fn pair(&mut self, call: usize, argument: ValueId) -> Result<[Number; 2], String> {
        let Some(&[old, new]) = self.part.history.values().list_view(argument) else {
            let call = self.part.call(call);
            let (op, asked) = (call.invoke_index(), call.asked());
            return Err(format!("op {op}: the argument of a cas is [old, new], not {asked}"));
        };
        Ok([self.number(old), self.number(new)])
    }

    fn number(&mut self, id: ValueId) -> Number {
        match &mut self.numbering {
            Numbering::AsTheyAre { initial, .. } => swapped(id.0, *initial),
            Numbering::Given(numbers) => numbers.number(id),
        }
    }

    /// For each of the operations the number of its call. Verdicts need none of them.
    pub(crate) fn calls(&self, ops: &[RegisterOp]) -> Vec<u32> {
        let mut ops = ops.iter().peekable();
        let calls = self.part.known().zip(0..);
        let decoded = calls.filter(|(known, _)| ops.next_if(|op| op.start == known.span.start).is_some());
        decoded.map(|(_, number)| number).collect()
    }

    /// The values themselves, for words.
    pub(crate) fn spelt_out(&self) -> Vec<Value> {
        let values = self.part.history.values();
        let value = |id: Option<ValueId>| id.map_or_else(|| self.model.initial(), |id| values.get(id));
        match &self.numbering {
            Numbering::AsTheyAre { initial, values: all } => {
                let ids = (0..*all as Number).map(|number| ValueId(swapped(number, *initial)));
                ids.map(|id| value((id.index() < values.len()).then_some(id))).collect()
            }
            Numbering::Given(numbers) => {
                (0..numbers.len()).map(|number| value(numbers.value(number))).collect()
            }
        }
    }
}

/// The number with those of the initial value and of nil exchanged.
fn swapped(number: Number, initial: Number) -> Number {
    if number == ValueId::NIL.0 || number == initial { number ^ initial } else { number }
}
