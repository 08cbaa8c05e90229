//! What came of the operations, function by function, and of their errors.
//!
//! | found | verdict of [`Stats`] | of [`UnhandledErrors`] |
//! |---|---|---|
//! | a function of which no operation succeeded | unknown | |
//! | errors of operations of unknown outcome | told | told, the most frequent first |
//! | nothing at all | unknown | unknown |
//!
//! Neither is ever invalid: bad luck is no fault of the system.

use std::collections::BTreeMap;

use crate::budget::Budget;
use crate::check::Check;
use crate::history::History;
use crate::history::pair::Outcome;
use crate::verdict::{Report, Verdict};

/// Jepsen's `stats`: unknown unless every function succeeded at least once.
#[derive(Clone, Debug, Default)]
pub struct Stats {}

/// Jepsen's `unhandled-exceptions`: a list of what clients could not tell the outcome of.
#[derive(Clone, Debug, Default)]
pub struct UnhandledErrors {}

/// Different errors that are told.
const ERRORS_SHOWN_MAX: usize = 8;

impl Check for Stats {
    fn name(&self) -> &str {
        "stats"
    }

    fn check(&self, history: &History, _: &Budget) -> Report {
        let calls = match history.calls() {
            Ok(calls) => calls,
            Err(broken) => return Report::unknown(self.name(), broken.to_string()),
        };
        let by_function: BTreeMap<&str, _> =
            calls.counts_by_function().filter(|(_, counts)| counts.invoked > 0).collect();
        let told = by_function.iter().map(|(f, counts)| {
            format!("{f} {} ok {} failed {} unknown", counts.ok, counts.failed, counts.unknown)
        });
        let told = told.collect::<Vec<_>>().join(", ");
        let never: Vec<&str> =
            by_function.iter().filter(|(_, counts)| counts.ok == 0).map(|(f, _)| *f).collect();
        let verdict = match never[..] {
            _ if by_function.is_empty() => Verdict::Unknown("nothing was asked".to_owned()),
            [] => Verdict::Valid,
            _ => Verdict::Unknown(format!("no operation succeeded of {}", never.join(", "))),
        };
        let ops = calls.counts();
        Report { verdict, ops, engine: format!("counts: {told}"), ..Report::unknown(self.name(), "") }
    }
}

impl Check for UnhandledErrors {
    fn name(&self) -> &str {
        "unhandled-exceptions"
    }

    fn check(&self, history: &History, _: &Budget) -> Report {
        let calls = match history.calls() {
            Ok(calls) => calls,
            Err(broken) => return Report::unknown(self.name(), broken.to_string()),
        };
        let mut errors: BTreeMap<&str, u64> = BTreeMap::new();
        for call in calls.iter().filter(|call| call.outcome() == Outcome::Unknown) {
            let more = call.completion().and_then(|position| history.more(position));
            if let Some(error) = more.and_then(|more| more.error.as_deref()) {
                *errors.entry(error).or_default() += 1;
            }
        }
        let different = errors.len();
        let mut errors: Vec<(&str, u64)> = errors.into_iter().collect();
        errors.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        errors.truncate(ERRORS_SHOWN_MAX);
        let told: Vec<String> = errors.iter().map(|(error, count)| format!("{count} × {error}")).collect();
        let verdict = match calls.is_empty() {
            true => Verdict::Unknown("nothing was asked".to_owned()),
            false => Verdict::Valid,
        };
        let ops = calls.counts();
        let engine = match different {
            0 => "no errors of unknown outcomes".to_owned(),
            _ => format!("{different} different errors of unknown outcomes: {}", told.join("; ")),
        };
        Report { verdict, ops, engine, ..Report::unknown(self.name(), "") }
    }
}
