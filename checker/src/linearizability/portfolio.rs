//! Which engine judges a key, and what becomes of its answer.

use super::append::{self, Decoded};
use super::frontier;
use super::inclusion;
use super::judge::{Judged, Located};
use super::object::{self, Object};
use super::partition::{Known, Part, Span};
use super::register_decode::Decoder;
use super::register_op::{RegisterOp, known_at};
use super::search::{self, Limits, SearchOp, Told};
use super::shown;
use super::zones::{self, Collision, Zones};
use crate::budget::{Exhausted, Meter};
use crate::explain::minimise::minimise;
use crate::explain::witness::Argument;
use crate::explain::{append as append_words, frontier as frontier_words, order, register, set as set_words};
use crate::history::History;
use crate::history::pair::{OpCounts, Outcome};
use crate::model::{AppendList, CallIds, CasRegister, GrowSet, Model, decoded};

pub(super) const ZONES: &str = "zones";
pub(super) const FRONTIER: &str = "frontier";
const INCLUSION: &str = "inclusion";
pub(super) const SEARCH: &str = "search";

/// In shorter histories the pass over all keys, which comes to nothing where values repeat, costs more than it
/// saves: 8 % on files of a few dozen operations.
const AT_ONCE_MIN: usize = 1 << 12;

/// All registers at once, if that shows all that there is to say: see [`zones::at_once`]. A history without a
/// successful operation of those that `look` is for others.
pub(crate) fn registers(
    look: &[&str],
    history: &History,
    model: &CasRegister,
    meter: &Meter,
) -> Option<zones::AtOnce> {
    meter.check().ok()?;
    if history.len() < AT_ONCE_MIN {
        return None;
    }
    let found = zones::at_once(history, model)?;
    let shows = found.ops().ok > 0;
    let suffices = !found.is_valid || shown::too_little(history, &found.counts, look).is_none();
    (shows && suffices).then_some(found)
}

/// A long history without keys all at once, if its model can: see [`Model::quick_history`]. Whether it is valid; one
/// without a successful operation is for others.
pub(crate) fn whole<M: Model>(history: &History, model: &M, meter: &Meter) -> Option<(bool, OpCounts)> {
    meter.check().ok()?;
    if history.len() < AT_ONCE_MIN || history.has_keys() {
        return None;
    }
    let (is_valid, counts) = model.quick_history(history)?;
    let counts: OpCounts = counts.into_iter().sum();
    (counts.ok > 0).then_some((is_valid, counts))
}

/// A register: zones if every value is written once, else what of it is unique, else the frontier.
pub(crate) fn register<'p>(part: &'p Part<'_>, model: &'p CasRegister, meter: &Meter) -> Judged<'p> {
    let mut register = Decoder::new(part, model);
    let mut unique = Zones::new(register.values());
    let answer = match register.each(|op| unique.add(&op)) {
        Ok(true) => unique.decide(part.positions),
        Ok(false) => zones::Answer::NotUnique,
        Err(reason) => return Judged::unknown(reason),
    };
    match answer {
        zones::Answer::Valid => return Judged::valid(ZONES),
        zones::Answer::Invalid(collision) => return collided(part, register, collision),
        zones::Answer::NotUnique | zones::Answer::Undecided => {}
    }
    let ops = match register.ops() {
        Ok(ops) => ops,
        Err(reason) => return Judged::unknown(reason),
    };
    let values = register.values();
    if let zones::Answer::Undecided = answer
        && let zones::Answer::Valid = zones::zones(&ops, values, part.positions)
    {
        return Judged::valid(ZONES);
    }
    if let Some(violation) = zones::never_written(&ops, values) {
        return Judged::invalid(ZONES, move || {
            Located::told(part, told(part, &register, &ops, |story| story.tell(&violation)))
        });
    }
    match frontier::decide(&ops, values, meter) {
        frontier::Answer::Valid => Judged::valid(FRONTIER),
        frontier::Answer::Invalid { failing } => Judged::invalid(FRONTIER, move || {
            Located::at(part.position_of_end(ops[failing].end), move |meter| {
                told(part, &register, &ops, |story| why_stuck(story, failing, meter))
            })
        }),
        frontier::Answer::Undecided { why, placed, completed } => {
            Judged::undecided(FRONTIER, Undecided { why, placed, completed }.to_string())
        }
    }
}

fn collided<'p>(part: &'p Part<'_>, mut register: Decoder<'p, '_>, collision: Collision) -> Judged<'p> {
    Judged::invalid(ZONES, move || {
        let ops = register.ops().expect("the zones have seen all of them");
        let named = collision.earliest(&ops);
        Located::at(part.position_of_end(named.complete), move |_| {
            told(part, &register, &ops, |story| story.tell(&named.violation))
        })
    })
}

/// A key as those who tell stories want it.
fn told(
    part: &Part<'_>,
    register: &Decoder<'_, '_>,
    ops: &[RegisterOp],
    tell: impl FnOnce(&register::Story<'_, '_>) -> Argument,
) -> Argument {
    let (calls, values) = (register.calls(ops), register.spelt_out());
    tell(&register::Story { part, ops, calls: &calls, values: &values })
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
pub(crate) fn append<'p>(part: &'p Part<'_>, meter: &Meter) -> Judged<'p> {
    let list = match append::decode(part) {
        Ok(Decoded::Register(list)) => list,
        Ok(Decoded::NotUnique) => return any_model(part, &AppendList, meter),
        Ok(Decoded::Impossible(found)) => {
            let told = move || Located::told(part, append_words::impossible(part, &found));
            return Judged::invalid(ZONES, told);
        }
        Err(reason) => return Judged::unknown(reason),
    };
    match zones::zones(&list.ops, list.values, part.positions) {
        zones::Answer::Valid => Judged::valid(ZONES),
        zones::Answer::Invalid(collision) => Judged::invalid(ZONES, move || {
            Located::told(part, append_words::tell(part, &list, &collision.found(&list.ops)))
        }),
        zones::Answer::NotUnique | zones::Answer::Undecided => any_model(part, &AppendList, meter),
    }
}

/// A growing set: inclusion if every element is added once, else search.
pub(crate) fn set<'p>(part: &'p Part<'_>, meter: &Meter) -> Judged<'p> {
    let set = match inclusion::decode(part) {
        Ok(set) => set,
        Err(reason) => return Judged::unknown(reason),
    };
    match inclusion::judge(&set) {
        inclusion::Answer::Valid => Judged::valid(INCLUSION),
        inclusion::Answer::Violation(violation) => {
            Judged::invalid(INCLUSION, move || Located::told(part, set_words::tell(part, &set, &violation)))
        }
        inclusion::Answer::NotUnique => any_model(part, &GrowSet, meter),
    }
}

/// Any model: see [`object`].
pub(crate) fn any_model<'p, M: Model>(part: &'p Part<'_>, model: &'p M, meter: &Meter) -> Judged<'p> {
    let possible = part.known().filter(|known| known.outcome != Outcome::Failed);
    let calls = possible.map(|Known { span: Span { start, end }, f, outcome, asked, answer }| {
        let answer = (outcome == Outcome::Ok).then_some(answer);
        SearchOp { op: CallIds { f, asked, answer }, start, end }
    });
    let decoded = move || decode(part, model).map(|(ops, calls)| Object { model, part, ops, calls });
    match model.quick_calls(part.history, calls) {
        Some(true) => return Judged::valid(object::MONITOR),
        Some(false) => {
            return Judged::invalid(object::MONITOR, move || match decoded() {
                Ok(object) => object.located_violation(),
                Err(reason) => Located::told(part, object::untold(model, &reason)),
            });
        }
        None => {}
    }
    match decoded() {
        Ok(object) => object::judge(object, meter),
        Err(reason) => Judged::unknown(reason),
    }
}

/// How far a search came.
#[derive(Clone, Copy, Debug)]
struct Undecided {
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
pub(crate) fn searched<'p, M: Model>(object: Object<'p, '_, M>, meter: &Meter) -> Judged<'p> {
    let limits = Limits { meter, steps_max: u64::MAX, told: Told::Verdict };
    match search::search(object.model, &object.ops, limits).answer {
        search::Answer::Valid { .. } => Judged::valid(SEARCH),
        search::Answer::Invalid { stuck, .. } => Judged::invalid(SEARCH, move || {
            Located::at(object.end_of(stuck), move |meter| {
                let core = minimise(object.model, &object.ops, stuck, meter);
                order::tell(object.model, object.part, &object.calls, &core)
            })
        }),
        search::Answer::Exhausted { why, placed, completed } => {
            Judged::undecided(SEARCH, Undecided { why, placed, completed }.to_string())
        }
    }
}

/// Operations for an engine, and for each the number of its call.
pub(super) type Ops<O> = (Vec<SearchOp<O>>, Vec<usize>);

pub(super) fn decode<M: Model>(part: &Part<'_>, model: &M) -> Result<Ops<M::Op>, String> {
    let (mut ops, mut calls) = (Vec::new(), Vec::new());
    for (number, (call, span)) in part.spanned().enumerate() {
        if let Some(op) = decoded(model, &call)? {
            ops.push(SearchOp { op, start: span.start, end: span.end });
            calls.push(number);
        }
    }
    Ok((ops, calls))
}
