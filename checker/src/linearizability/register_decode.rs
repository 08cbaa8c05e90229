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
use crate::history::values::{ValueId, Values};
use crate::history::{F, History};
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
enum Function {
    Read,
    Write,
    Cas,
    Other,
}

impl Function {
    fn named(name: &str) -> Self {
        match name {
            "read" => Function::Read,
            "write" => Function::Write,
            "cas" => Function::Cas,
            _ => Function::Other,
        }
    }
}

/// What a call says of a register, in values of its history.
pub(crate) enum Said {
    /// Nothing.
    Nothing,
    /// That this value was there, seen or put there: which of the two it is can't be predicted, so that both are
    /// told alike.
    Value { seen: bool, value: ValueId },
    /// That the first was there, and the second was put there at once.
    Swapped(ValueId, ValueId),
    /// That this was not there.
    NotThere(ValueId),
}

/// Why a call is none of a register.
pub(crate) enum Strange {
    /// An update that answers another value than it was asked to leave there.
    Answer,
    /// A compare-and-set of something else than `[old, new]`.
    Argument,
    /// A function that registers do not have.
    Function,
}

/// What the calls of a history mean: the one place that knows.
pub(crate) struct Meaning<'h> {
    values: &'h Values,
    functions: Vec<Function>,
    silent_nil: bool,
    fails_tell: bool,
}

impl<'h> Meaning<'h> {
    pub(crate) fn new(history: &'h History, model: &CasRegister) -> Self {
        Self {
            values: history.values(),
            functions: history.functions().iter().map(|name| Function::named(name)).collect(),
            silent_nil: model.ignores_nil_reads(),
            fails_tell: model.takes_failed_cas(),
        }
    }

    /// Of a call of this function that was asked and, if its outcome is ok, answered this.
    #[inline(always)]
    pub(crate) fn of(
        &self,
        f: F,
        outcome: Outcome,
        asked: ValueId,
        answer: ValueId,
    ) -> Result<Said, Strange> {
        let function = self.functions[f.index()];
        match (function, outcome) {
            (Function::Read | Function::Write, Outcome::Ok) => {
                let seen = function == Function::Read;
                if answer == ValueId::NIL {
                    if seen && self.silent_nil {
                        return Ok(Said::Nothing);
                    }
                } else if answer != asked && !seen {
                    return Err(Strange::Answer);
                }
                Ok(Said::Value { seen, value: if seen { answer } else { asked } })
            }
            (Function::Write, Outcome::Unknown) => Ok(Said::Value { seen: false, value: asked }),
            (Function::Cas, Outcome::Ok) if answer != asked && answer != ValueId::NIL => Err(Strange::Answer),
            (Function::Cas, Outcome::Ok | Outcome::Unknown) => {
                let [old, new] = self.pair(asked)?;
                Ok(Said::Swapped(old, new))
            }
            (Function::Cas, Outcome::Failed) if self.fails_tell => Ok(Said::NotThere(self.pair(asked)?[0])),
            (_, Outcome::Failed) | (Function::Read, Outcome::Unknown) => Ok(Said::Nothing),
            (Function::Other, _) => Err(Strange::Function),
        }
    }

    /// What a compare-and-set is to find and to leave.
    #[inline(always)]
    fn pair(&self, argument: ValueId) -> Result<[ValueId; 2], Strange> {
        match self.values.list_view(argument) {
            Some(&[old, new]) => Ok([old, new]),
            _ => Err(Strange::Argument),
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
        let meaning = Meaning::new(self.part.history, self.model);
        for (number, known) in self.part.known().enumerate() {
            let Known { span, f, outcome, asked, answer } = known;
            let kind = match meaning.of(f, outcome, asked, answer) {
                Ok(Said::Nothing) => continue,
                Ok(Said::Value { seen, value }) => {
                    let value = self.number(value);
                    if seen { Kind::Read(value) } else { Kind::Write(value) }
                }
                Ok(Said::Swapped(old, new)) => Kind::Cas(self.number(old), self.number(new)),
                Ok(Said::NotThere(value)) => Kind::NotEqual(self.number(value)),
                Err(strange) => return Err(self.told(number, &strange)),
            };
            if !wants_more(RegisterOp { kind, start: span.start, end: span.end }) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Why a call is none of a register, in words.
    #[cold]
    fn told(&self, call: usize, strange: &Strange) -> String {
        let call = self.part.call(call);
        let (op, asked) = (call.invoke_index(), call.asked());
        match (strange, call.argument_id()) {
            (Strange::Answer, Err(told)) => told,
            (Strange::Function, _) => no_such_function("register", &call),
            (Strange::Answer | Strange::Argument, _) => {
                format!("op {op}: the argument of a cas is [old, new], not {asked}")
            }
        }
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
