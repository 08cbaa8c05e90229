//! A counter, 0 at first: each read is within what could have been added by then.
//!
//! | a read is | means | verdict |
//! |---|---|---|
//! | below the least | less than all that was acknowledged before it began | invalid |
//! | above the most | more than all that was asked for before it ended | invalid |
//!
//! For adds of negative numbers it is the other way round: all that was asked for may have happened,
//! all that was acknowledged has. Failed adds did not happen. Each read is judged alone: two reads that
//! contradict each other within the bounds pass.

use super::{Finding, count, judge};
use crate::budget::Budget;
use crate::check::Check;
use crate::explain::counter::OutOfBounds;
use crate::explain::witness::{Anomaly, Argument};
use crate::explain::words;
use crate::history::History;
use crate::history::pair::Outcome;
use crate::history::values::ValueView;
use crate::linearizability::partition::{NEVER, Part, Span};
use crate::model::{CounterOp, Model, SearchOp};
use crate::verdict::Report;

/// Additions that the evidence holds.
const SHOWN_MAX: usize = 8;

/// Jepsen's `counter`, with decrements.
#[derive(Clone, Debug, Default)]
pub struct Counter {}

impl Check for Counter {
    fn name(&self) -> &str {
        "counter-bounds"
    }

    fn check(&self, history: &History, budget: &Budget) -> Report {
        judge(self.name(), "bounds", history, budget, |part, _, note| match look(part, note) {
            Ok(Some(argument)) => Finding::Wrong(argument),
            Ok(None) => Finding::Fine,
            Err(why) => Finding::Unclear(why),
        })
    }
}

/// What happens at one position.
enum Event {
    Asked(i128),
    Acknowledged(i128),
    ReadBegins(usize),
    ReadEnds(usize),
}

fn look(part: &Part<'_>, note: &mut String) -> Result<Option<Argument>, String> {
    let number_of = |id| match part.history.values().view(id) {
        ValueView::Int(number) => Some(i128::from(number)),
        _ => None,
    };
    let mut events: Vec<(u32, Event)> = Vec::new();
    for (number, call, span) in part.possible() {
        let place = || format!("op {}", call.invoke_index());
        match (call.f(), call.outcome()) {
            ("add", outcome) => {
                let amount = call.argument_id()?;
                let amount =
                    number_of(amount).ok_or_else(|| format!("{}: an add of no whole number", place()))?;
                events.push((span.start, Event::Asked(amount)));
                if outcome == Outcome::Ok {
                    events.push((span.end, Event::Acknowledged(amount)));
                }
            }
            ("read", Outcome::Ok) if span.end != NEVER => {
                events.push((span.start, Event::ReadBegins(number)));
                events.push((span.end, Event::ReadEnds(number)));
            }
            _ => {}
        }
    }
    events.sort_by_key(|(position, _)| *position);
    // Sums of what is certain and of what is possible, up and down.
    let (mut low, mut high) = (0i128, 0i128);
    // What was certain when a read began.
    let mut certain: std::collections::BTreeMap<usize, (i128, i128)> = std::collections::BTreeMap::new();
    let (mut up, mut down) = (0i128, 0i128);
    let (mut reads, mut first_wrong, mut wrong) = (0usize, None, 0usize);
    for (_, event) in events {
        match event {
            Event::Asked(amount) if amount >= 0 => high += amount,
            Event::Asked(amount) => low += amount,
            Event::Acknowledged(amount) if amount >= 0 => up += amount,
            Event::Acknowledged(amount) => down += amount,
            Event::ReadBegins(number) => {
                certain.insert(number, (up, down));
            }
            Event::ReadEnds(number) => {
                let (up, down) = certain.remove(&number).unwrap_or((0, 0));
                let result = part.call(number).result_id();
                let Some(value) = result.and_then(number_of) else {
                    return Err(format!(
                        "op {}: a read of no whole number",
                        part.call(number).invoke_index()
                    ));
                };
                reads += 1;
                let (least, most) = (up + low, high + down);
                if value < least || value > most {
                    wrong += 1;
                    first_wrong = first_wrong.or(Some((number, least, value)));
                }
            }
        }
    }
    *note = format!("{}, {wrong} out of bounds", count(reads, "read"));
    let Some((read, least, value)) = first_wrong else {
        return match reads {
            0 => Err("the counter was never read".to_owned()),
            _ => Ok(None),
        };
    };
    argument(part, read, value < least).map(Some)
}

/// Why a read is out of bounds, told with what makes the bound.
fn argument(part: &Part<'_>, read: usize, is_less: bool) -> Result<Argument, String> {
    let (mut ops, mut numbers) = (Vec::new(), Vec::new());
    for (number, call, Span { start, end }) in part.possible() {
        if let Some(op) = crate::model::Counter::default().decode(&call)? {
            ops.push(SearchOp { op, start, end });
            numbers.push(number);
        }
    }
    let place = numbers.iter().position(|number| *number == read).unwrap_or_default();
    let CounterOp::Read(seen) = ops[place].op else { return Err("a read that is none".to_owned()) };
    let bounds =
        OutOfBounds { ops: &ops, initial: 0, from: None, read: place, seen: i128::from(seen), is_less };
    let (call, (least, most)) = (part.call(read), bounds.bounds());
    let summary = format!(
        "process {} read {seen} {}, but it could only be {least} to {most}",
        call.process(),
        words::span(&call)
    );
    let anomaly = if is_less { Anomaly::LostUpdate } else { Anomaly::NeverWritten };
    let shown = bounds.evidence().unwrap_or_default();
    let told = bounds.told(&shown, &|place| {
        let call = part.call(numbers[place]);
        format!("{} {}", words::whose(&call), words::span(&call))
    });
    let argument = Argument::new(anomaly, summary).failing(read, "out of bounds");
    let argument = shown
        .iter()
        .take(SHOWN_MAX)
        .fold(argument, |argument, place| argument.with(numbers[*place], "was certainly added by then"));
    Ok(told.into_iter().fold(argument, Argument::because))
}
