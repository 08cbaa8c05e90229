//! Several checks of one history, and one verdict.
//!
//! Invalid beats unknown beats valid. Every check has the whole budget for itself, one after the other.

use crate::budget::Budget;
use crate::check::Check;
use crate::history::History;
use crate::verdict::{Report, Verdict};

/// Jepsen's `compose`.
pub struct Compose {
    name: String,
    checks: Vec<Box<dyn Check>>,
}

impl Compose {
    /// All of these, under one name.
    pub fn new(name: impl Into<String>, checks: Vec<Box<dyn Check>>) -> Self {
        Self { name: name.into(), checks }
    }

    /// What each of them says, in their order.
    pub fn each(&self, history: &History, budget: &Budget) -> Vec<Report> {
        self.checks.iter().map(|check| check.check(history, budget)).collect()
    }
}

impl Check for Compose {
    fn name(&self) -> &str {
        &self.name
    }

    fn check(&self, history: &History, budget: &Budget) -> Report {
        let reports = self.each(history, budget);
        let told: Vec<String> =
            reports.iter().map(|report| format!("{}: {}", report.check, report.verdict.word())).collect();
        let mut reports = reports.into_iter();
        let Some(mut merged) = reports.next() else {
            return Report::unknown(self.name(), "composed of no checks");
        };
        let named = |name: &str, verdict: Verdict| match verdict {
            Verdict::Unknown(reason) => Verdict::Unknown(format!("{name}: {reason}")),
            other => other,
        };
        merged.verdict = named(&merged.check, merged.verdict);
        for report in reports {
            let verdict = named(&report.check, report.verdict.clone());
            if verdict.is_invalid() && !merged.verdict.is_invalid() {
                merged.invalid_keys = report.invalid_keys;
            }
            merged.keys = merged.keys.max(report.keys);
            merged.unknown_keys = merged.unknown_keys.max(report.unknown_keys);
            merged.verdict = merged.verdict.merge(verdict);
        }
        Report { check: self.name.clone(), engine: told.join(", "), ..merged }
    }
}
