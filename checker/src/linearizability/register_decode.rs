//! One key's calls as operations on a register, values by small numbers of the key's own.
//!
//! Straight from the columns: no value is looked at, only its id, since all that an engine for
//! registers asks of two values is whether they are the same.

use super::hash::Table;
use super::partition::Part;
use super::register_op::{INITIAL, Kind, RegisterOp, ValueId as Number};
use crate::history::op::Value;
use crate::history::pair::{Call, Outcome};
use crate::history::values::ValueId;
use crate::model::{CasRegister, Model, no_such_function};

/// A key as a register.
pub(crate) struct Decoded {
    pub(crate) ops: Vec<RegisterOp>,
    numbering: Numbering,
}

impl Decoded {
    /// How many values there are, the initial one included.
    pub(crate) fn values(&self) -> usize {
        match &self.numbering {
            Numbering::AsTheyAre { values, .. } => *values,
            Numbering::Given { given, .. } => given.len(),
        }
    }

    /// For each operation the number of its call. Verdicts need none of them.
    pub(crate) fn calls(&self, part: &Part<'_>) -> Vec<u32> {
        let mut ops = self.ops.iter().peekable();
        let spans = part.spanned().map(|(_, span)| span).enumerate();
        let decoded = spans.filter(|(_, span)| ops.next_if(|op| op.start == span.start).is_some());
        decoded.map(|(number, _)| number as u32).collect()
    }

    /// The values themselves, for words.
    pub(crate) fn spelt_out(&self, part: &Part<'_>, model: &CasRegister) -> Vec<Value> {
        let values = part.history.values();
        match &self.numbering {
            Numbering::AsTheyAre { initial, values: all } => {
                let ids = (0..*all as Number).map(|number| swapped(number, *initial) as usize);
                ids.map(|id| if id < values.len() { values.get(ValueId(id as u32)) } else { model.initial() })
                    .collect()
            }
            Numbering::Given { given, .. } => {
                let value = |id: &Option<ValueId>| id.map_or_else(|| model.initial(), |id| values.get(id));
                given.iter().map(value).collect()
            }
        }
    }
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
    /// In the order of first appearance.
    Given {
        numbers: Numbers,
        /// For each number the value it stands for; the initial one need not be in the history.
        given: Vec<Option<ValueId>>,
    },
}

/// By place where the key has a good share of all values, else by look-up: a thousand keys must not
/// each clear a table of all values.
enum Numbers {
    ByPlace(Vec<Number>),
    ByLookUp(Table<ValueId, Number>),
}

const ABSENT: Number = Number::MAX;
const VALUES_PER_CALL_MAX: usize = 8;
/// So many values more than calls cost nothing.
const VALUES_ALWAYS: usize = 64;

/// The number with those of the initial value and of nil exchanged.
fn swapped(number: Number, initial: Number) -> Number {
    if number == ValueId::NIL.0 || number == initial { number ^ initial } else { number }
}

impl Numbering {
    fn new(part: &Part<'_>, initial: &Value) -> Self {
        let values = part.history.values();
        let found = values.find(initial);
        if part.key.is_none() && values.are_mostly_plain() && values.len() <= part.calls.len() + VALUES_ALWAYS
        {
            let initial = found.map_or(values.len(), ValueId::index);
            return Numbering::AsTheyAre {
                initial: initial as Number,
                values: values.len().max(initial + 1),
            };
        }
        let mut numbers = match values.len() <= part.calls.len() * VALUES_PER_CALL_MAX {
            true => Numbers::ByPlace(vec![ABSENT; values.len()]),
            false => Numbers::ByLookUp(Table::with_capacity_and_hasher(part.calls.len(), Default::default())),
        };
        match (&mut numbers, found) {
            (Numbers::ByPlace(numbers), Some(id)) => numbers[id.index()] = INITIAL,
            (Numbers::ByLookUp(numbers), Some(id)) => drop(numbers.insert(id, INITIAL)),
            (_, None) => {}
        }
        Numbering::Given { numbers, given: vec![found] }
    }

    fn number(&mut self, id: ValueId) -> Number {
        let (numbers, given) = match self {
            Numbering::AsTheyAre { initial, .. } => return swapped(id.0, *initial),
            Numbering::Given { numbers, given } => (numbers, given),
        };
        let next = given.len() as Number;
        let number = match numbers {
            Numbers::ByPlace(numbers) => {
                let number = &mut numbers[id.index()];
                if *number == ABSENT {
                    *number = next;
                }
                *number
            }
            Numbers::ByLookUp(numbers) => *numbers.entry(id).or_insert(next),
        };
        if number == next {
            given.push(Some(id));
        }
        number
    }
}

/// What a function is to a register.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Function {
    Read,
    Write,
    Cas,
    Other,
}

/// Decodes one key. An error means that some op is none of a register, or contradicts itself.
pub(crate) fn decode(part: &Part<'_>, model: &CasRegister) -> Result<Decoded, String> {
    let functions = part.history.functions().iter().map(|name| match &**name {
        "read" => Function::Read,
        "write" => Function::Write,
        "cas" => Function::Cas,
        _ => Function::Other,
    });
    let functions: Vec<Function> = functions.collect();
    let mut numbering = Numbering::new(part, &model.initial());
    let mut ops = Vec::with_capacity(part.calls.len());
    let silent_nil = model.ignores_nil_reads();
    for (call, span) in part.spanned() {
        let (outcome, answer) = call.answer();
        let function = functions[usize::from(call.f_id().0)];
        let kind = match (function, outcome) {
            (Function::Read | Function::Write, Outcome::Ok) => {
                // Which of the two it is can't be predicted.
                let reads = function == Function::Read;
                let (asked, answer) = (call.asked_id(), answer.unwrap_or_default());
                if answer == ValueId::NIL {
                    if reads && silent_nil {
                        continue;
                    }
                } else if answer != asked && !reads {
                    call.argument_id()?;
                }
                let number = numbering.number(if reads { answer } else { asked });
                if reads { Kind::Read(number) } else { Kind::Write(number) }
            }
            (Function::Read | Function::Write, Outcome::Failed) => continue,
            (Function::Read, Outcome::Unknown) => continue,
            (Function::Write, Outcome::Unknown) => Kind::Write(numbering.number(call.asked_id())),
            (Function::Cas, Outcome::Failed) if !model.takes_failed_cas() => continue,
            (Function::Cas, Outcome::Failed) => Kind::NotEqual(numbering.number(pair_of(&call)?[0])),
            (Function::Cas, _) => {
                call.argument_id()?;
                let [old, new] = pair_of(&call)?;
                Kind::Cas(numbering.number(old), numbering.number(new))
            }
            (Function::Other, Outcome::Failed) => continue,
            (Function::Other, _) => return Err(no_such_function("register", &call)),
        };
        ops.push(RegisterOp { kind, start: span.start, end: span.end });
    }
    Ok(Decoded { ops, numbering })
}

fn pair_of(call: &Call<'_>) -> Result<[ValueId; 2], String> {
    match call.history().values().list_view(call.asked_id()) {
        Some([old, new]) => Ok([*old, *new]),
        _ => Err(format!(
            "op {}: the argument of a cas is [old, new], not {}",
            call.invoke_index(),
            call.asked()
        )),
    }
}
