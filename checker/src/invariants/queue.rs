//! Queues, whatever their order: what comes out went in, and what went in comes out.
//!
//! | found | means | `queue` | `total-queue` |
//! |---|---|---|---|
//! | unexpected | dequeued, but nobody ever asked to enqueue it, or only later, or its enqueue failed | invalid | invalid |
//! | duplicated | dequeued more often than enqueued | invalid | told; invalid if exactly once is asked for |
//! | lost | acknowledged, and never dequeued though somebody dequeued later | | invalid |
//! | may be lost | the same, but a dequeue of unknown outcome may have it | | unknown |
//! | recovered | its enqueue of unknown outcome, and dequeued | | told |
//!
//! A total queue must be emptied at the end, by dequeues or a `drain` (which answers a list). A dequeue
//! that answers nil found nothing.

use super::{Finding, count, elements, few, judge};
use crate::budget::Budget;
use crate::check::Check;
use crate::explain::witness::{Anomaly, Argument};
use crate::hash::Table;
use crate::history::History;
use crate::history::pair::Outcome;
use crate::history::values::ValueId;
use crate::linearizability::partition::Part;
use crate::verdict::Report;

/// Every dequeue comes from somewhere.
#[derive(Clone, Debug, Default)]
pub struct Queue {}

/// What goes in must come out.
#[derive(Clone, Debug, Default)]
pub struct TotalQueue {
    exactly_once: bool,
}

impl TotalQueue {
    /// Nothing may come out twice.
    #[must_use]
    pub fn exactly_once(self) -> Self {
        Self { exactly_once: true }
    }
}

impl Check for Queue {
    fn name(&self) -> &str {
        "dequeues"
    }

    fn check(&self, history: &History, budget: &Budget) -> Report {
        judge(self.name(), "counts", history, budget, |part, _, note| {
            let traffic = match Traffic::of(part) {
                Ok(traffic) => traffic,
                Err(why) => return Finding::Unclear(why),
            };
            *note = traffic.note();
            match traffic.unexpected(part).or_else(|| traffic.duplicated(part)) {
                Some(argument) => Finding::Wrong(argument),
                None if traffic.dequeued == 0 => Finding::Unclear("nothing was dequeued".to_owned()),
                None => Finding::Fine,
            }
        })
    }
}

impl Check for TotalQueue {
    fn name(&self) -> &str {
        "total-queue"
    }

    fn check(&self, history: &History, budget: &Budget) -> Report {
        judge(self.name(), "counts", history, budget, |part, _, note| {
            let traffic = match Traffic::of(part) {
                Ok(traffic) => traffic,
                Err(why) => return Finding::Unclear(why),
            };
            *note = traffic.note();
            let twice = traffic.duplicated(part).filter(|_| self.exactly_once);
            if let Some(argument) = traffic.unexpected(part).or(twice) {
                return Finding::Wrong(argument);
            }
            traffic.lost(part)
        })
    }
}

/// What became of one value.
#[derive(Clone, Debug, Default)]
struct Item {
    value: ValueId,
    /// Enqueues that did or may have happened: beginning, and call.
    enqueues: Vec<(u32, usize)>,
    /// Of these the acknowledged ones: end, and call.
    acknowledged: Vec<(u32, usize)>,
    failed: Option<usize>,
    /// Dequeues: end, and call.
    dequeues: Vec<(u32, usize)>,
}

struct Traffic {
    items: Vec<Item>,
    dequeued: usize,
    /// Beginning of the last dequeue or drain that was answered.
    last_look: u32,
    /// Dequeues of unknown outcome, and whether there is such a drain.
    unknown_dequeues: usize,
    unknown_drain: bool,
}

impl Traffic {
    fn of(part: &Part<'_>) -> Result<Self, String> {
        let mut place: Table<ValueId, usize> = Table::default();
        let mut items: Vec<Item> = Vec::new();
        let mut at = |value: ValueId, items: &mut Vec<Item>| {
            *place.entry(value).or_insert_with(|| {
                items.push(Item { value, ..Item::default() });
                items.len() - 1
            })
        };
        let (mut dequeued, mut last_look, mut unknown_dequeues, mut unknown_drain) = (0, 0, 0, false);
        for (number, (call, span)) in part.spanned().enumerate() {
            let taken: &[ValueId] = match (call.f(), call.outcome()) {
                ("enqueue", outcome) => {
                    let item = at(call.argument_id()?, &mut items);
                    let item = &mut items[item];
                    match outcome {
                        Outcome::Failed => item.failed = Some(number),
                        Outcome::Unknown => item.enqueues.push((span.start, number)),
                        Outcome::Ok => {
                            item.enqueues.push((span.start, number));
                            item.acknowledged.push((span.end, number));
                        }
                    }
                    continue;
                }
                ("dequeue", Outcome::Ok) => match call.result_id() {
                    Some(value) if value != ValueId::NIL => &[value],
                    _ => &[],
                },
                ("drain", Outcome::Ok) => call
                    .result_id()
                    .and_then(|result| elements(part.history, result))
                    .ok_or_else(|| format!("the drain of op {} answers no list", call.invoke_index()))?,
                ("dequeue", Outcome::Unknown) => {
                    unknown_dequeues += 1;
                    continue;
                }
                ("drain", Outcome::Unknown) => {
                    unknown_drain = true;
                    continue;
                }
                _ => continue,
            };
            last_look = last_look.max(span.start);
            dequeued += taken.len();
            for value in taken {
                let item = at(*value, &mut items);
                items[item].dequeues.push((span.end, number));
            }
        }
        Ok(Self { items, dequeued, last_look, unknown_dequeues, unknown_drain })
    }

    fn note(&self) -> String {
        let sum = |of: fn(&Item) -> usize| self.items.iter().map(of).sum::<usize>();
        format!(
            "{} acknowledged, {} dequeued, {} duplicated, {} recovered",
            sum(|item| item.acknowledged.len()),
            self.dequeued,
            sum(|item| item.dequeues.len().saturating_sub(item.enqueues.len())),
            sum(|item| item.dequeues.len().min(item.enqueues.len()).saturating_sub(item.acknowledged.len()))
        )
    }

    fn unexpected(&self, part: &Part<'_>) -> Option<Argument> {
        let early = |item: &&Item| {
            let asked = item.enqueues.iter().map(|(start, _)| *start).min().unwrap_or(u32::MAX);
            item.dequeues.iter().any(|(end, _)| *end < asked)
        };
        let item = self.items.iter().find(early)?;
        let (_, dequeue) = *item.dequeues.first()?;
        let name = part.history.values().get(item.value);
        let (anomaly, what, call) = match (item.enqueues.first(), item.failed) {
            (Some((_, call)), _) => {
                (Anomaly::ReadFromFuture, "before anybody asked to enqueue it", Some(*call))
            }
            (None, Some(call)) => (Anomaly::FailedWriteSeen, "whose enqueue failed", Some(call)),
            (None, None) => (Anomaly::NeverWritten, "which nobody ever asked to enqueue", None),
        };
        let argument = Argument::new(anomaly, format!("{name} was dequeued, {what}"));
        let argument = argument.failing(dequeue, "the dequeue");
        Some(match call {
            Some(call) => argument.with(call, "its enqueue"),
            None => argument,
        })
    }

    fn duplicated(&self, part: &Part<'_>) -> Option<Argument> {
        let item = self.items.iter().find(|item| item.dequeues.len() > item.enqueues.len())?;
        let summary = format!(
            "{} was enqueued {} and dequeued {}",
            part.history.values().get(item.value),
            count(item.enqueues.len(), "time"),
            count(item.dequeues.len(), "time")
        );
        let mut argument = Argument::new(Anomaly::Duplicate, summary);
        for (_, call) in item.enqueues.iter().take(3) {
            argument = argument.with(*call, "an enqueue");
        }
        for (_, call) in item.dequeues.iter().take(3) {
            argument = argument.with(*call, "a dequeue");
        }
        let (_, last) = *item.dequeues.last()?;
        Some(argument.failing(last, "one dequeue too many"))
    }

    fn lost(&self, part: &Part<'_>) -> Finding {
        let mut lost: Vec<ValueId> = Vec::new();
        let (mut first, mut not_looked_for) = (None, 0);
        for item in &self.items {
            let missing = item.acknowledged.len().saturating_sub(item.dequeues.len());
            for (end, call) in item.acknowledged.iter().take(missing) {
                if *end < self.last_look {
                    lost.push(item.value);
                    first = first.or(Some(*call));
                } else {
                    not_looked_for += 1;
                }
            }
        }
        let may_have = if self.unknown_drain { usize::MAX } else { self.unknown_dequeues };
        let values = few(part.history, &lost);
        match first {
            Some(call) if lost.len() > may_have => {
                let mut argument =
                    Argument::new(Anomaly::LostUpdate, format!("acknowledged and never dequeued: {values}"))
                        .failing(call, "the first of them");
                if may_have > 0 {
                    argument = argument.because(format!(
                        "{} of unknown outcome may have taken as many of the {}, no more.",
                        count(may_have, "dequeue"),
                        lost.len()
                    ));
                }
                Finding::Wrong(argument)
            }
            Some(_) => Finding::Unclear(format!(
                "never dequeued, unless by dequeues of unknown outcome, of which there are enough: {values}"
            )),
            None if not_looked_for > 0 => Finding::Unclear(format!(
                "nobody dequeued after {} acknowledged, so nothing shows that they are there",
                count(not_looked_for, "enqueue")
            )),
            None if self.dequeued == 0 => Finding::Unclear("nothing was dequeued".to_owned()),
            None => Finding::Fine,
        }
    }
}
