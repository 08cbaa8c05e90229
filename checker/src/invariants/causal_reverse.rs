//! Blind writes and reads of all that was written: is a write ever seen without one before it?
//!
//! | found | verdict |
//! |---|---|
//! | a read has a write, and lacks one that was acknowledged before that began | invalid |
//! | a read has what nobody wrote | invalid |
//! | a value written twice | unknown |
//! | no read | unknown |
//!
//! That is strict serializability broken where serializability may hold: real time runs backwards.

use super::{Finding, count, elements, judge};
use crate::budget::Budget;
use crate::check::Check;
use crate::explain::witness::{Anomaly, Argument};
use crate::explain::words;
use crate::hash::Table;
use crate::history::History;
use crate::history::pair::Outcome;
use crate::history::values::ValueId;
use crate::linearizability::partition::Part;
use crate::verdict::Report;

/// Jepsen's `causal-reverse`: `write v` of new values, `read` of a list of all of them.
#[derive(Clone, Debug, Default)]
pub struct CausalReverse {}

impl Check for CausalReverse {
    fn name(&self) -> &str {
        "causal-reverse"
    }

    fn check(&self, history: &History, budget: &Budget) -> Report {
        judge(self.name(), "write order", history, budget, |part, _, note| match look(part, note) {
            Ok(Some(argument)) => Finding::Wrong(argument),
            Ok(None) => Finding::Fine,
            Err(why) => Finding::Unclear(why),
        })
    }
}

fn look(part: &Part<'_>, note: &mut String) -> Result<Option<Argument>, String> {
    let values = part.history.values();
    // Of each value: when its write began, and the call.
    let mut begun: Table<ValueId, (u32, usize)> = Table::default();
    // Acknowledged writes: end, value, call.
    let mut acknowledged: Vec<(u32, ValueId, usize)> = Vec::new();
    let mut reads = 0;
    for (number, call, span) in part.possible().filter(|(_, call, _)| call.f() == "write") {
        let value = call.argument_id()?;
        if begun.insert(value, (span.start, number)).is_some() {
            return Err(format!("{} is written more than once", values.get(value)));
        }
        if call.outcome() == Outcome::Ok {
            acknowledged.push((span.end, value, number));
        }
    }
    acknowledged.sort_unstable();
    for (number, call, _) in part.possible().filter(|(_, call, _)| call.f() == "read") {
        let Some(result) = call.result_id() else { continue };
        let seen = elements(part.history, result)
            .ok_or_else(|| format!("the read of op {} answers no list", call.invoke_index()))?;
        reads += 1;
        let present: Table<ValueId, ()> = seen.iter().map(|value| (*value, ())).collect();
        let mut last: Option<(u32, usize)> = None;
        for value in seen {
            let Some(write) = begun.get(value) else {
                let summary = format!("a read has {}, which nobody wrote", values.get(*value));
                return Ok(Some(Argument::new(Anomaly::NeverWritten, summary).failing(number, "the read")));
            };
            last = last.max(Some(*write));
        }
        let lacked = acknowledged.iter().find(|(_, value, _)| !present.contains_key(value));
        if let (Some((begun, later)), Some((end, _, earlier))) = (last, lacked)
            && *end < begun
        {
            let (first, second) = (part.call(*earlier), part.call(later));
            let summary = format!(
                "process {} saw {} without {}, which was there before",
                call.process(),
                second.asked(),
                first.asked()
            );
            let reason = format!(
                "The write of {} was acknowledged {}, that of {} began {}.",
                first.asked(),
                words::ended(&first),
                second.asked(),
                words::began(&second)
            );
            let argument = Argument::new(Anomaly::LostUpdate, summary).because(reason);
            let argument = argument.with(*earlier, "not seen").with(later, "seen");
            return Ok(Some(argument.failing(number, "the read")));
        }
    }
    *note = count(reads, "read");
    match reads {
        0 => Err("nothing was read".to_owned()),
        _ => Ok(None),
    }
}
