//! A number that only grows: nobody sees it go back.
//!
//! | found | verdict |
//! |---|---|
//! | a process saw less than it saw before | invalid |
//! | somebody saw less than somebody saw who was done before | invalid, unless only processes count |
//! | nobody saw it twice | unknown |
//!
//! What counts as seeing is what `read` and `inc` answer; nil is less than every number. In time means:
//! the one was complete before the other began.

use std::fmt;

use super::{Finding, count, judge};
use crate::budget::Budget;
use crate::check::Check;
use crate::explain::witness::{Anomaly, Argument};
use crate::explain::words;
use crate::hash::Table;
use crate::history::History;
use crate::history::values::ValueView;
use crate::linearizability::partition::Part;
use crate::verdict::Report;

/// Values never go back.
#[derive(Clone, Debug, Default)]
pub struct Monotonic {
    per_process: bool,
}

impl Monotonic {
    /// Each process for itself: a process may be behind another.
    #[must_use]
    pub fn per_process(self) -> Self {
        Self { per_process: true }
    }
}

impl Check for Monotonic {
    fn name(&self) -> &str {
        if self.per_process { "monotonic (per process)" } else { "monotonic" }
    }

    fn check(&self, history: &History, budget: &Budget) -> Report {
        judge(self.name(), "maxima", history, budget, |part, _, note| match self.look(part, note) {
            Ok(Some(argument)) => Finding::Wrong(argument),
            Ok(None) => Finding::Fine,
            Err(why) => Finding::Unclear(why),
        })
    }
}

/// Ordered: nothing was there before the first number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Seen {
    Nothing,
    Number(i64),
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Seen::Nothing => f.write_str("nil"),
            Seen::Number(number) => number.fmt(f),
        }
    }
}

impl Monotonic {
    fn look(&self, part: &Part<'_>, note: &mut String) -> Result<Option<Argument>, String> {
        // Everything seen: beginning, end, value, call.
        let mut seen: Vec<(u32, u32, Seen, usize)> = Vec::new();
        for (number, call, span) in part.possible().filter(|(_, call, _)| matches!(call.f(), "read" | "inc"))
        {
            let Some(result) = call.result_id() else { continue };
            match part.history.values().view(result) {
                ValueView::Int(value) => seen.push((span.start, span.end, Seen::Number(value), number)),
                ValueView::Nil => seen.push((span.start, span.end, Seen::Nothing, number)),
                _ => return Err(format!("op {} answers no whole number", call.invoke_index())),
            }
        }
        *note = format!("{} seen", count(seen.len(), "value"));
        let mut by_end = seen.clone();
        by_end.sort_by_key(|(_, end, ..)| *end);
        let mut done = by_end.iter().peekable();
        let mut most: Option<(Seen, usize)> = None;
        let mut of_process: Table<u64, (Seen, usize)> = Table::default();
        // In the order of beginnings.
        for (start, _, value, number) in &seen {
            while let Some((_, _, earlier, call)) = done.next_if(|(_, end, ..)| end < start) {
                most = most.max(Some((*earlier, *call)));
            }
            let process = part.call(*number).process();
            let own = of_process.insert(process, (*value, *number));
            let before = own.max(most.filter(|_| !self.per_process));
            if let Some((greater, earlier)) = before.filter(|(greater, _)| greater > value) {
                let (first, second) = (part.call(earlier), part.call(*number));
                let summary = format!(
                    "process {} saw {value} {}, but process {} had seen {greater} {}",
                    second.process(),
                    words::span(&second),
                    first.process(),
                    words::ended(&first)
                );
                let argument = Argument::new(Anomaly::WentBack, summary).with(earlier, "saw more");
                return Ok(Some(argument.failing(*number, "then saw less")));
            }
        }
        match seen.len() {
            0 | 1 => Err("the value was not seen twice, so nothing is shown".to_owned()),
            _ => Ok(None),
        }
    }
}
