//! Everything that a bench found, for programs and for the table.

use super::compare::{Ratios, Refused, ratios};
use super::outage::Outages;
use super::restart::Restart;
use super::round::Figures;
use crate::results::manifest::{Commit, Machine};
use crate::results::utc::Utc;
use serde::Serialize;
use std::collections::BTreeMap;

/// What was found, and where.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// When it began.
    pub started: String,
    /// The command line.
    pub command_line: Vec<String>,
    /// What each contender calls itself.
    pub versions: BTreeMap<String, String>,
    /// The sources, if this is a git checkout.
    pub git: Option<Commit>,
    /// The machine.
    pub machine: Machine,
    /// One for each contender, load and round, in the order in which they were measured.
    pub figures: Vec<Figures>,
    /// One for each load that could be compared.
    pub ratios: Vec<Ratios>,
    /// One for each that could not.
    pub refused: Vec<Refused>,
    /// What lost leaders cost.
    pub outages: Vec<Outages>,
    /// What restarts cost.
    pub restarts: Vec<Restart>,
    /// Why the comparison that was asked for was not made.
    pub skipped: Option<String>,
}

impl Report {
    /// Nothing found yet.
    #[must_use]
    pub fn new(command_line: Vec<String>, versions: BTreeMap<String, String>) -> Report {
        Report {
            started: Utc::now().rfc3339(),
            command_line,
            versions,
            git: Commit::read(),
            machine: Machine::read(),
            figures: Vec::new(),
            ratios: Vec::new(),
            refused: Vec::new(),
            outages: Vec::new(),
            restarts: Vec::new(),
            skipped: None,
        }
    }

    /// How many rounds there were.
    #[must_use]
    pub fn rounds(&self) -> u32 {
        self.figures.iter().map(|figures| figures.round).max().unwrap_or(0)
    }

    /// Figures of the same contender under the same load, each in the order of rounds; groups in the
    /// order in which they first came.
    #[must_use]
    pub fn groups(&self) -> Vec<Vec<&Figures>> {
        let mut groups: Vec<Vec<&Figures>> = Vec::new();
        for figures in &self.figures {
            let same = |group: &&mut Vec<&Figures>| {
                group[0].contender == figures.contender && group[0].asked == figures.asked
            };
            match groups.iter_mut().find(same) {
                Some(group) => group.push(figures),
                None => groups.push(vec![figures]),
            }
        }
        groups.sort_by_key(|group| group[0].asked.clients);
        groups
    }

    /// Compares `ours` with `theirs` under each load; the limit is in processors.
    pub fn compare(&mut self, ours: &str, theirs: &str, limit: f64) {
        let groups = self.groups();
        let mut found = Vec::new();
        for group in groups.iter().filter(|group| group[0].contender == ours) {
            let same =
                |other: &&Vec<&Figures>| other[0].contender == theirs && other[0].asked == group[0].asked;
            if let Some(other) = groups.iter().find(same).filter(|other| other.len() == group.len()) {
                found.push(ratios(group, other, limit));
            }
        }
        for result in found {
            match result {
                Ok(ratios) => self.ratios.push(ratios),
                Err(refused) => self.refused.push(refused),
            }
        }
    }
}
