//! Lists as registers.
//!
//! A list whose values are appended once is told by its last value. Every completed read must be a
//! prefix of the longest one, L. The append of a value that stands after u in L is then a
//! compare-and-set from u, a read is a read of its last value, and an acknowledged append that no
//! read shows is a write that nobody read. The [`zones`](super::zones) do the rest.

use super::hash::Table;
use super::partition::{NEVER, Part, Span};
use super::register_op::{INITIAL, Kind, RegisterOp, ValueId};
use crate::history::op::Value;
use crate::history::pair::Outcome;
use crate::history::values::ValueId as ValueNumber;
use crate::model::{list_ids, no_such_function};

/// A list told as a register, or why it can't be.
#[derive(Debug)]
pub(crate) enum Decoded {
    Register(ListRegister),
    /// Some value is appended twice: ask another engine.
    NotUnique,
    Impossible(Impossible),
}

/// The register: value n is "the first n values of the longest read", larger ones are appends that no
/// read shows.
#[derive(Debug)]
pub(crate) struct ListRegister {
    pub(crate) ops: Vec<RegisterOp>,
    /// For each of `ops` the number of its call.
    pub(crate) calls: Vec<usize>,
    pub(crate) values: usize,
    /// The call of the longest read, if there is any read.
    pub(crate) longest: Option<usize>,
}

/// What no list can answer. Calls by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Impossible {
    /// A value that nobody can have appended.
    NeverAppended { read: usize, value: Value },
    /// A value twice, though it was appended once.
    Twice { read: usize, value: Value },
    /// Neither of two reads is a prefix of the other; they differ first at this place.
    Fork { read: usize, other: usize, place: usize },
}

struct Read<'h> {
    call: usize,
    values: &'h [ValueNumber],
    span: Span,
}

struct Append {
    call: usize,
    value: ValueNumber,
    span: Span,
}

/// Decodes one key. An error means that some op is none of a list.
pub(crate) fn decode(part: &Part<'_>) -> Result<Decoded, String> {
    let (mut reads, mut appends) = (Vec::new(), Vec::new());
    for (number, call, span) in part.possible() {
        match call.f() {
            "append" => appends.push(Append { call: number, value: call.argument_id()?, span }),
            "read" => {
                if let Some(value) = call.result_id() {
                    reads.push(Read { call: number, values: list_ids(value, &call)?, span });
                }
            }
            _ => return Err(no_such_function("list", &call)),
        }
    }
    let mut place_of: Table<ValueNumber, Option<ValueId>> = Table::default();
    for append in &appends {
        if place_of.insert(append.value, None).is_some() {
            return Ok(Decoded::NotUnique);
        }
    }
    // The first of the longest ones, so that the choice does not depend on anything else.
    let longest = reads.iter().rev().max_by_key(|read| read.values.len());
    let values = longest.map_or(&[][..], |read| read.values);
    if let Some(longest) = longest {
        for (place, value) in values.iter().enumerate() {
            match place_of.get_mut(value) {
                None => return Ok(impossible_value(part, longest.call, *value)),
                Some(Some(_)) => {
                    let (read, value) = (longest.call, part.history.values().get(*value));
                    return Ok(Decoded::Impossible(Impossible::Twice { read, value }));
                }
                Some(unseen) => *unseen = Some(place as ValueId + 1),
            }
        }
        for read in &reads {
            if !values.starts_with(read.values) {
                return Ok(Decoded::Impossible(misfit(part, read, longest, &place_of)));
            }
        }
    }
    Ok(Decoded::Register(register(&reads, &appends, &place_of, longest)))
}

fn impossible_value(part: &Part<'_>, read: usize, value: ValueNumber) -> Decoded {
    let value = part.history.values().get(value);
    Decoded::Impossible(Impossible::NeverAppended { read, value })
}

/// Why a read is no prefix of the longest.
fn misfit(
    part: &Part<'_>,
    read: &Read<'_>,
    longest: &Read<'_>,
    place_of: &Table<ValueNumber, Option<ValueId>>,
) -> Impossible {
    for (place, value) in read.values.iter().enumerate() {
        if !place_of.contains_key(value) {
            return Impossible::NeverAppended { read: read.call, value: part.history.values().get(*value) };
        }
        if read.values[..place].contains(value) {
            return Impossible::Twice { read: read.call, value: part.history.values().get(*value) };
        }
    }
    let same = read.values.iter().zip(longest.values).take_while(|(a, b)| a == b).count();
    Impossible::Fork { read: read.call, other: longest.call, place: same }
}

fn register(
    reads: &[Read<'_>],
    appends: &[Append],
    place_of: &Table<ValueNumber, Option<ValueId>>,
    longest: Option<&Read<'_>>,
) -> ListRegister {
    let mut next_value = longest.map_or(INITIAL, |read| read.values.len() as ValueId) + 1;
    let mut list = Vec::with_capacity(reads.len() + appends.len());
    for Read { call, values, span } in reads {
        let kind = Kind::Read(values.len() as ValueId);
        list.push((*call, RegisterOp { kind, start: span.start, end: span.end }));
    }
    for Append { call, value, span } in appends {
        let kind = match place_of.get(value).copied().flatten() {
            Some(place) => Kind::Cas(place - 1, place),
            // Nobody saw it, and nobody knows whether it happened: it says nothing.
            None if span.end == NEVER => continue,
            None => {
                next_value += 1;
                Kind::Write(next_value - 1)
            }
        };
        list.push((*call, RegisterOp { kind, start: span.start, end: span.end }));
    }
    list.sort_unstable_by_key(|(call, _)| *call);
    let (calls, ops) = list.into_iter().unzip();
    ListRegister { ops, calls, values: next_value as usize, longest: longest.map(|read| read.call) }
}

/// The failed append of a value, if there is one: it did not happen.
pub(crate) fn failed_update(part: &Part<'_>, f: &str, value: &Value) -> Option<usize> {
    part.all().position(|call| call.outcome() == Outcome::Failed && call.f() == f && call.asked() == *value)
}
