//! A set read once at the end.
//!
//! | found | means | verdict |
//! |---|---|---|
//! | lost | its add was acknowledged before the last read began, which lacks it | invalid |
//! | unexpected | in the last read, but nobody ever asked to add it | invalid |
//! | failed, but there | every add of it failed | invalid |
//! | recovered | in the last read, its add of unknown outcome | told |
//! | not read back | its add was acknowledged only after the last read began | unknown |
//! | no read | | unknown |

use super::{Finding, count, elements, few, judge};
use crate::budget::Budget;
use crate::check::Check;
use crate::explain::witness::{Anomaly, Argument};
use crate::explain::words;
use crate::hash::Table;
use crate::history::History;
use crate::history::pair::Outcome;
use crate::history::values::ValueId;
use crate::linearizability::partition::{NEVER, Part};
use crate::verdict::Report;

/// Jepsen's `set`: the last read has all that was acknowledged and nothing else.
#[derive(Clone, Debug, Default)]
pub struct FinalSet {}

impl Check for FinalSet {
    fn name(&self) -> &str {
        "final-set"
    }

    fn check(&self, history: &History, budget: &Budget) -> Report {
        judge(self.name(), "last read", history, budget, |part, _, note| look(part, note))
    }
}

/// What is known about one element.
#[derive(Clone, Copy)]
struct Element {
    /// The call that added it, the most certain of several.
    call: usize,
    outcome: Outcome,
    /// The first of its acknowledgements.
    acknowledged: u32,
    /// When it was first asked for, by an add that did not fail.
    asked: u32,
}

/// Everything that was asked to be added, in order.
pub(super) fn look(part: &Part<'_>, note: &mut String) -> Finding {
    let history = part.history;
    let reads = part.possible().filter(|(_, call, _)| call.f() == "read" && call.outcome() == Outcome::Ok);
    let Some((last, call, span)) = reads.max_by_key(|(.., span)| span.end) else {
        return Finding::Unclear("the set was never read".to_owned());
    };
    let Some(read) = call.result_id().and_then(|result| elements(history, result)) else {
        return Finding::Unclear(format!("the read of op {} answers no set", call.invoke_index()));
    };
    let (order, added) = match adds(part) {
        Ok(adds) => adds,
        Err(why) => return Finding::Unclear(why),
    };
    let present: Table<ValueId, ()> = read.iter().map(|value| (*value, ())).collect();
    let missing =
        || order.iter().filter(|value| !present.contains_key(*value) && added[*value].acknowledged != NEVER);
    let lost: Vec<ValueId> =
        missing().copied().filter(|value| added[value].acknowledged < span.start).collect();
    let late = missing().count() - lost.len();
    let unexpected: Vec<ValueId> = read.iter().copied().filter(|value| !added.contains_key(value)).collect();
    let failed = read.iter().find(|value| added.get(value).is_some_and(|add| add.outcome == Outcome::Failed));
    let future = read.iter().find(|value| added.get(value).is_some_and(|add| add.asked > span.end));
    let recovered =
        read.iter().filter(|value| added.get(value).is_some_and(|add| add.outcome == Outcome::Unknown));
    *note = format!(
        "{} asked for, {} in the last read, {} lost, {} unexpected, {} recovered",
        order.len(),
        read.len(),
        lost.len(),
        unexpected.len(),
        recovered.count()
    );
    let argument = |anomaly, summary: String| Argument::new(anomaly, summary).failing(last, "the last read");
    if let Some(first) = lost.first() {
        return Finding::Wrong(lacks(part, &lost, added[first].call, last));
    }
    if !unexpected.is_empty() {
        let summary = format!("nobody ever asked to add {}", few(history, &unexpected));
        return Finding::Wrong(argument(Anomaly::NeverWritten, summary));
    }
    if let Some(value) = failed {
        let name = history.values().get(*value);
        let summary = format!("the last read has {name}, whose add failed");
        return Finding::Wrong(argument(Anomaly::FailedWriteSeen, summary).with(added[value].call, "failed"));
    }
    if let Some(value) = future {
        let name = history.values().get(*value);
        let summary = format!("the last read has {name}, whose add had not begun");
        return Finding::Wrong(argument(Anomaly::ReadFromFuture, summary).with(added[value].call, "later"));
    }
    match late {
        0 => Finding::Fine,
        _ => Finding::Unclear(format!(
            "{} acknowledged only after the last read began, so nothing shows that they are there",
            count(late, "add")
        )),
    }
}

/// Elements that the last read lacks, the first of them added by this call.
fn lacks(part: &Part<'_>, lost: &[ValueId], add: usize, last: usize) -> Argument {
    let (elements, values) = (count(lost.len(), "element"), few(part.history, lost));
    let reason = format!(
        "{} {}, before the last read began {}.",
        words::did(&part.call(add)),
        words::span(&part.call(add)),
        words::began(&part.call(last))
    );
    let summary = format!("{elements} acknowledged but not in the last read: {values}");
    let argument = Argument::new(Anomaly::LostUpdate, summary).with(add, "acknowledged").because(reason);
    argument.failing(last, "the last read")
}

type Added = Table<ValueId, Element>;

fn adds(part: &Part<'_>) -> Result<(Vec<ValueId>, Added), String> {
    let mut added = Added::default();
    let mut order = Vec::new();
    for (number, (call, span)) in part.spanned().enumerate().filter(|(_, (call, _))| call.f() == "add") {
        let (value, outcome) = (call.argument_id()?, call.outcome());
        let acknowledged = if outcome == Outcome::Ok { span.end } else { NEVER };
        let asked = if outcome == Outcome::Failed { NEVER } else { span.start };
        let weight = |outcome| match outcome {
            Outcome::Failed => 0,
            Outcome::Unknown => 1,
            Outcome::Ok => 2,
        };
        let element = Element { call: number, outcome, acknowledged, asked };
        let known = added.entry(value).or_insert_with(|| {
            order.push(value);
            element
        });
        if weight(outcome) > weight(known.outcome) {
            (known.call, known.outcome) = (number, outcome);
        }
        known.acknowledged = known.acknowledged.min(acknowledged);
        known.asked = known.asked.min(asked);
    }
    Ok((order, added))
}
