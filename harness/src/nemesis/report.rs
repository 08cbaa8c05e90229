//! What became of a fault: installed, skipped or indeterminate, and whether it bit.
//!
//! Installing is not biting: a partition across which nobody spoke, or a pause of a process that
//! was already stopped, has tested nothing. Only evidence counts for coverage.

use serde::Serialize;

use super::{Fault, Kind};

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

/// One planned fault from its draw to its cure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FaultReport {
    /// Its place in the plan.
    pub number: u64,
    /// What was drawn.
    pub kind: Kind,
    /// What was done to whom, for people.
    pub action: String,
    /// The milder faults underneath.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub beneath: Vec<String>,
    /// Whether it got into place.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Whether the evidence shows that it hurt.
    pub bit: bool,
    /// What was seen: process ids and wait statuses, process states, counters of links.
    pub evidence: Vec<String>,
    /// Operations that began and succeeded while it lasted, once the cluster had had time to get
    /// over its beginning; none if it did not last that long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<u64>,
    /// When it was installed, in nanoseconds since the run started.
    pub start_ns: u64,
    /// When its cure was complete; equal to the start if it never began.
    pub end_ns: u64,
}

impl FaultReport {
    /// A fault about to be installed.
    pub fn begin(fault: &Fault, now_ns: u64) -> FaultReport {
        FaultReport {
            number: fault.number,
            kind: fault.kind,
            action: fault.action.describe(),
            beneath: fault.beneath.iter().map(|layer| layer.action.describe()).collect(),
            outcome: Outcome::Installed,
            bit: false,
            evidence: Vec::new(),
            progress: None,
            start_ns: now_ns,
            end_ns: now_ns,
        }
    }

    /// A fault that had nothing to be done to.
    pub fn skipped(number: u64, kind: Kind, reason: String, now_ns: u64) -> FaultReport {
        FaultReport {
            number,
            kind,
            action: "nothing".to_owned(),
            beneath: Vec::new(),
            outcome: Outcome::Skipped(reason),
            bit: false,
            evidence: Vec::new(),
            progress: None,
            start_ns: now_ns,
            end_ns: now_ns,
        }
    }

    /// Notes a doubt: the outcome is indeterminate from now on (the first reason stays).
    pub fn doubt(&mut self, reason: impl Into<String>) {
        if self.outcome == Outcome::Installed {
            self.outcome = Outcome::Indeterminate(reason.into());
        }
    }
}

/// How often a kind was drawn, and what came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct KindTally {
    /// Which kind.
    pub kind: Kind,
    /// Drawn.
    pub drawn: u32,
    /// Installed and proven to have hurt.
    pub bit: u32,
}

/// Adds up reports per kind: every requested kind, and every other that was drawn.
pub fn tally(requested: &[Kind], reports: &[FaultReport]) -> Vec<KindTally> {
    Kind::ALL
        .into_iter()
        .map(|kind| {
            let of_kind = || reports.iter().filter(move |report| report.kind == kind);
            KindTally {
                kind,
                drawn: of_kind().count() as u32,
                bit: of_kind().filter(|report| report.bit).count() as u32,
            }
        })
        .filter(|tally| tally.drawn > 0 || requested.contains(&tally.kind))
        .collect()
}
