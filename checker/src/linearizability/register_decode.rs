//! One key's calls as operations on a register, values by small numbers of the key's own.
//!
//! Straight from the columns: no value is looked at, only its id, since all that an engine for
//! registers asks of two values is whether they are the same.

use super::hash::Table;
use super::partition::Part;
use super::register_op::{INITIAL, Kind, RegisterOp, ValueId as Number};
use crate::explain::register::Story;
use crate::history::op::Value;
use crate::history::pair::{Call, Outcome};
use crate::history::values::ValueId;
use crate::model::{CasRegister, Model, no_such_function};

/// A key as a register.
pub(crate) struct Decoded {
    pub(crate) ops: Vec<RegisterOp>,
    /// For each operation the number of its call.
    pub(crate) calls: Vec<u32>,
    /// For each number the value it stands for; the initial one need not be in the history.
    numbered: Vec<Option<ValueId>>,
}

impl Decoded {
    /// How many values there are, the initial one included.
    pub(crate) fn values(&self) -> usize {
        self.numbered.len()
    }

    /// The key as those who tell stories want it.
    pub(crate) fn story<'a, 'h>(&'a self, part: &'a Part<'h>, values: &'a [Value]) -> Story<'a, 'h> {
        Story { part, ops: &self.ops, calls: &self.calls, values }
    }

    /// The values themselves, for words.
    pub(crate) fn spelt_out(&self, part: &Part<'_>, model: &CasRegister) -> Vec<Value> {
        let value =
            |id: &Option<ValueId>| id.map_or_else(|| model.initial(), |id| part.history.values().get(id));
        self.numbered.iter().map(value).collect()
    }
}

/// Numbers in the order of first appearance.
struct Numbering {
    numbers: Numbers,
    numbered: Vec<Option<ValueId>>,
}

/// By place where the key has a good share of all values, else by look-up: a thousand keys must not
/// each clear a table of all values.
enum Numbers {
    ByPlace(Vec<Number>),
    ByLookUp(Table<ValueId, Number>),
}

const ABSENT: Number = Number::MAX;
const VALUES_PER_CALL_MAX: usize = 8;

impl Numbering {
    fn new(part: &Part<'_>, initial: &Value) -> Self {
        let values = part.history.values();
        let numbers = match values.len() <= part.calls.len() * VALUES_PER_CALL_MAX {
            true => Numbers::ByPlace(vec![ABSENT; values.len()]),
            false => Numbers::ByLookUp(Table::default()),
        };
        let mut numbering = Self { numbers, numbered: vec![None] };
        if let Some(id) = values.find(initial) {
            match &mut numbering.numbers {
                Numbers::ByPlace(numbers) => numbers[id.index()] = INITIAL,
                Numbers::ByLookUp(numbers) => drop(numbers.insert(id, INITIAL)),
            }
            numbering.numbered[INITIAL as usize] = Some(id);
        }
        numbering
    }

    fn number(&mut self, id: ValueId) -> Number {
        let next = self.numbered.len() as Number;
        let number = match &mut self.numbers {
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
            self.numbered.push(Some(id));
        }
        number
    }
}

/// What a function is to a register.
#[derive(Clone, Copy)]
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
    let mut calls = Vec::with_capacity(part.calls.len());
    for (number, (call, span)) in part.all().zip(&part.spans).enumerate() {
        let outcome = call.outcome();
        let kind = match (functions[usize::from(call.f_id().0)], outcome) {
            (Function::Read, Outcome::Ok) => match call.result_id() {
                Some(ValueId::NIL) if model.ignores_nil_reads() => continue,
                Some(value) => Kind::Read(numbering.number(value)),
                None => continue,
            },
            (Function::Read | Function::Write, Outcome::Failed) => continue,
            (Function::Read, Outcome::Unknown) => continue,
            (Function::Write, _) => Kind::Write(numbering.number(call.argument_id()?)),
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
        calls.push(number as u32);
    }
    Ok(Decoded { ops, calls, numbered: numbering.numbered })
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
