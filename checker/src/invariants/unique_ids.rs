//! A generator of ids: no two acknowledged ones are the same.
//!
//! | found | verdict |
//! |---|---|
//! | an id answered twice | invalid |
//! | no id at all | unknown |
//!
//! An id of unknown outcome was told to nobody.

use super::{Finding, few, judge};
use crate::budget::Budget;
use crate::check::Check;
use crate::explain::witness::{Anomaly, Argument};
use crate::hash::Table;
use crate::history::History;
use crate::history::values::ValueId;
use crate::verdict::Report;

/// Jepsen's `unique-ids`: `generate` never answers the same twice.
#[derive(Clone, Debug, Default)]
pub struct UniqueIds {}

impl Check for UniqueIds {
    fn name(&self) -> &str {
        "unique-ids"
    }

    fn check(&self, history: &History, budget: &Budget) -> Report {
        judge(self.name(), "ids", history, budget, |part, _, note| {
            let mut first: Table<ValueId, usize> = Table::default();
            let mut twice: Vec<(ValueId, usize, usize)> = Vec::new();
            let mut acknowledged = 0;
            for (number, call, _) in part.possible().filter(|(_, call, _)| call.f() == "generate") {
                let Some(id) = call.result_id() else { continue };
                acknowledged += 1;
                let earlier = *first.entry(id).or_insert(number);
                if earlier != number {
                    twice.push((id, earlier, number));
                }
            }
            *note = format!("{acknowledged} answered, {} different", first.len());
            let Some((_, earlier, later)) = twice.first() else {
                return match acknowledged {
                    0 => Finding::Unclear("no id was answered".to_owned()),
                    _ => Finding::Fine,
                };
            };
            let mut ids: Vec<ValueId> = twice.iter().map(|(id, ..)| *id).collect();
            ids.sort_unstable();
            ids.dedup();
            let summary = format!("answered more than once: {}", few(history, &ids));
            let argument = Argument::new(Anomaly::Duplicate, summary).with(*earlier, "the first time");
            Finding::Wrong(argument.failing(*later, "the second time"))
        })
    }
}
