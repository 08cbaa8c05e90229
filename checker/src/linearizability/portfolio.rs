//! Which engine judges a key, and what becomes of its answer.

use super::append::{self, Decoded};
use super::frontier;
use super::inclusion;
use super::judge::Judged;
use super::object::{self, Decision, Refusal};
use super::partition::Part;
use super::register_decode;
use super::register_op::{RegisterOp, known_at};
use super::search::{self, Limits, SearchOp, Told};
use super::zones;
use crate::budget::{Exhausted, Meter};
use crate::explain::minimise::minimise;
use crate::explain::witness::{Argument, Witness};
use crate::explain::{append as append_words, frontier as frontier_words, order, register, set as set_words};
use crate::history::History;
use crate::history::pair::Outcome;
use crate::model::{AppendList, CasRegister, GrowSet, Model};
use crate::verdict::Verdict;

const ZONES: &str = "zones";
const FRONTIER: &str = "frontier";
const INCLUSION: &str = "inclusion";
const SEARCH: &str = "search";

/// A register: zones if every value is written once, else what of it is unique, else the frontier.
pub(crate) fn register(history: &History, part: &Part<'_>, model: &CasRegister, meter: &Meter) -> Judged {
    let register = match register_decode::decode(part, model) {
        Ok(register) => register,
        Err(reason) => return Judged::unknown(reason),
    };
    let (ops, values) = (&register.ops[..], register.values());
    let tell = |violation| {
        let values = register.spelt_out(part, model);
        let story = register::Story { part, ops, calls: &register.calls, values: &values };
        invalid(ZONES, history, part, story.tell(&violation))
    };
    match zones::zones(ops, values, part.positions) {
        zones::Answer::Valid => return Judged::new(ZONES, Verdict::Valid),
        zones::Answer::Violation(violation) => return tell(violation),
        zones::Answer::NotUnique | zones::Answer::Undecided => {}
    }
    if let Some(violation) = zones::never_written(ops, values) {
        return tell(violation);
    }
    match frontier::decide(ops, values, meter) {
        frontier::Answer::Valid => Judged::new(FRONTIER, Verdict::Valid),
        frontier::Answer::Invalid { failing } => {
            let spelt_out = register.spelt_out(part, model);
            let story = register::Story { part, ops, calls: &register.calls, values: &spelt_out };
            invalid(FRONTIER, history, part, why_stuck(&story, failing, meter))
        }
        frontier::Answer::Undecided { why, placed, completed } => {
            let undecided = Undecided { why, placed, completed };
            Judged::new(FRONTIER, Verdict::Unknown(undecided.to_string()))
        }
    }
}

/// The shorter argument first: two blocks of unique values that collide need no search to be understood.
fn why_stuck(story: &register::Story<'_, '_>, failing: usize, meter: &Meter) -> Argument {
    let limit = story.ops[failing].end;
    let (numbers, known): (Vec<usize>, Vec<RegisterOp>) = known_at(story.ops, limit).unzip();
    if let Some(part) = zones::unique_part(&known, story.values.len(), story.part.positions) {
        let calls: Vec<u32> = part.numbers.iter().map(|place| story.calls[numbers[*place]]).collect();
        return register::Story { ops: &part.ops, calls: &calls, ..*story }.tell(&part.violation);
    }
    // A limit that is met here costs the explanation, not the verdict.
    let core = frontier::core(story.ops, story.values.len(), failing, meter).ok().flatten();
    frontier_words::tell(story, failing, core.as_ref())
}

/// A list: zones if every value is appended once, else search.
pub(crate) fn append(history: &History, part: &Part<'_>, meter: &Meter) -> Judged {
    let decoded = match append::decode(part) {
        Ok(decoded) => decoded,
        Err(reason) => return Judged::unknown(reason),
    };
    match decoded {
        Decoded::NotUnique => by_search(history, part, &AppendList, meter),
        Decoded::Impossible(found) => invalid(ZONES, history, part, append_words::impossible(part, &found)),
        Decoded::Register(list) => match zones::zones_as_a_whole(&list.ops, list.values, part.positions) {
            zones::Answer::Valid => Judged::new(ZONES, Verdict::Valid),
            zones::Answer::Violation(violation) => {
                invalid(ZONES, history, part, append_words::tell(part, &list, &violation))
            }
            zones::Answer::NotUnique | zones::Answer::Undecided => {
                by_search(history, part, &AppendList, meter)
            }
        },
    }
}

/// A growing set: inclusion if every element is added once, else search.
pub(crate) fn set(history: &History, part: &Part<'_>, meter: &Meter) -> Judged {
    let set = match inclusion::decode(part) {
        Ok(set) => set,
        Err(reason) => return Judged::unknown(reason),
    };
    match inclusion::judge(&set) {
        inclusion::Answer::Valid => Judged::new(INCLUSION, Verdict::Valid),
        inclusion::Answer::Violation(violation) => {
            invalid(INCLUSION, history, part, set_words::tell(part, &set, &violation))
        }
        inclusion::Answer::NotUnique => by_search(history, part, &GrowSet, meter),
    }
}

/// Any model: see [`object`].
pub(crate) fn by_search<M: Model>(history: &History, part: &Part<'_>, model: &M, meter: &Meter) -> Judged {
    let (ops, calls) = match decode(part, model) {
        Ok(decoded) => decoded,
        Err(reason) => return Judged::unknown(reason),
    };
    let (engine, found) = object::judge(model, part, &ops, &calls, meter);
    match found {
        Ok(()) => Judged::new(engine, Verdict::Valid),
        Err(Refusal::Invalid(argument)) => invalid(engine, history, part, argument),
        Err(Refusal::Undecided(why)) => Judged::new(engine, Verdict::Unknown(why.to_string())),
    }
}

/// How far a search came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Undecided {
    why: Exhausted,
    placed: usize,
    completed: usize,
}

impl std::fmt::Display for Undecided {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Undecided { why, placed, completed } = self;
        write!(
            f,
            "{why} after an order for the first {placed} of {completed} completed operations was found; neither a whole order nor a proof that there is none"
        )
    }
}

/// By search alone.
pub(crate) fn searched<M: Model>(
    model: &M,
    part: &Part<'_>,
    ops: &[SearchOp<M::Op>],
    calls: &[usize],
    meter: &Meter,
) -> Decision {
    let limits = Limits { meter, steps_max: u64::MAX, told: Told::Verdict };
    let found = match search::search(model, ops, limits).answer {
        search::Answer::Valid { .. } => Ok(()),
        search::Answer::Invalid { stuck, .. } => {
            let core = minimise(model, ops, stuck, meter);
            Err(Refusal::Invalid(order::tell(model, part, calls, &core)))
        }
        search::Answer::Exhausted { why, placed, completed } => {
            Err(Refusal::Undecided(Undecided { why, placed, completed }))
        }
    };
    (SEARCH, found)
}

fn invalid(engine: &'static str, history: &History, part: &Part<'_>, argument: Argument) -> Judged {
    Judged::new(engine, Verdict::Invalid(Witness::new(history, part, argument)))
}

/// Operations for an engine, and for each the number of its call.
pub(super) type Ops<O> = (Vec<SearchOp<O>>, Vec<usize>);

pub(super) fn decode<M: Model>(part: &Part<'_>, model: &M) -> Result<Ops<M::Op>, String> {
    let (mut ops, mut calls) = (Vec::new(), Vec::new());
    for (number, (call, span)) in part.all().zip(&part.spans).enumerate() {
        let op = match call.outcome() {
            Outcome::Ok | Outcome::Unknown => model.decode(&call)?,
            Outcome::Failed => model.decode_failed(&call)?,
        };
        if let Some(op) = op {
            ops.push(SearchOp { op, start: span.start, end: span.end });
            calls.push(number);
        }
    }
    Ok((ops, calls))
}
