//! What became of a fault: installed, skipped or indeterminate, and whether it bit.
//!
//! Installing is not biting: a partition across which nobody spoke, or a pause of a process that
//! was already stopped, has tested nothing. Only evidence counts for coverage.

use serde::Serialize;

use crate::schedule::{Action, Schedule};

/// Whether a fault got into place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "outcome", content = "reason")]
pub enum Outcome {
    /// It did, and that was confirmed.
    Installed,
    /// It was not tried, for this reason.
    Skipped(String),
    /// It was tried, and nobody can say whether it took hold.
    Indeterminate(String),
}

/// One action of a fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ActionReport {
    /// What was done to whom, for people.
    #[serde(rename = "do")]
    pub words: String,
    /// The same as data.
    #[serde(skip)]
    pub action: Action,
    /// When it was in force, in nanoseconds since the run started.
    pub start_ns: u64,
    /// When it was undone; equal to the start if it never was.
    pub end_ns: u64,
    /// Whether the evidence shows that it hurt.
    pub bit: bool,
}

/// One occurrence of a fault, from its first action to its undoing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FaultReport {
    /// Its number among all of the run.
    pub number: u64,
    /// The fault's or the choice's id in the schedule.
    pub fault: String,
    /// What was done, in order.
    pub actions: Vec<ActionReport>,
    /// Whether it got into place.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Whether the evidence shows that all of it hurt that had to.
    pub bit: bool,
    /// What was seen: process ids and wait statuses, process states, counters of links.
    pub evidence: Vec<String>,
    /// When its first action was done, in nanoseconds since the run started.
    pub start_ns: u64,
    /// When all was undone; equal to the start if it never began.
    pub end_ns: u64,
}

/// Actions of one fault that are told one by one; of more only the number is told.
const TOLD_MAX: usize = 4;

impl FaultReport {
    /// A fault about to be done.
    pub fn begin(number: u64, fault: &str, now_ns: u64) -> FaultReport {
        FaultReport {
            number,
            fault: fault.to_owned(),
            actions: Vec::new(),
            outcome: Outcome::Installed,
            bit: false,
            evidence: Vec::new(),
            start_ns: now_ns,
            end_ns: now_ns,
        }
    }

    /// A fault that had nothing to be done to.
    pub fn skipped(number: u64, fault: &str, reason: String, now_ns: u64) -> FaultReport {
        FaultReport { outcome: Outcome::Skipped(reason), ..FaultReport::begin(number, fault, now_ns) }
    }

    /// Notes a doubt: the outcome is indeterminate from now on (the first reason stays).
    pub fn doubt(&mut self, reason: impl Into<String>) {
        if self.outcome == Outcome::Installed {
            self.outcome = Outcome::Indeterminate(reason.into());
        }
    }

    /// What was done, in a line.
    pub fn words(&self) -> String {
        let mut words: Vec<&str> = self.actions.iter().map(|action| &*action.words).collect();
        words.truncate(TOLD_MAX);
        let mut words = words.join(", ");
        if self.actions.len() > TOLD_MAX {
            words += &format!(" and {} more", self.actions.len() - TOLD_MAX);
        }
        if words.is_empty() { "nothing".to_owned() } else { words }
    }
}

/// How often a fault came up, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FaultTally {
    /// Its id.
    pub fault: String,
    /// Whether the run counts only if it bit.
    pub required: bool,
    /// How often it came up.
    pub drawn: u32,
    /// How often it was installed and proven to have hurt.
    pub bit: u32,
}

/// Adds up reports per fault, in the schedule's order: every required one, and every other that came
/// up.
pub fn tally(schedule: &Schedule, reports: &[FaultReport]) -> Vec<FaultTally> {
    schedule
        .ids()
        .map(|(fault, required)| {
            let of_it = || reports.iter().filter(move |report| report.fault == fault);
            FaultTally {
                fault: fault.to_owned(),
                required,
                drawn: of_it().count() as u32,
                bit: of_it().filter(|report| report.bit).count() as u32,
            }
        })
        .filter(|tally| tally.drawn > 0 || tally.required)
        .collect()
}
