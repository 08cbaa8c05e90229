//! What a run, real or simulated, left to be judged.

use std::collections::BTreeMap;
use std::time::Duration;

use checker::Report;

use super::cluster::Casualty;
use super::freeze::Frozen;
use super::liveness::{Recovery, SETTLE_MAX, Window};
use super::phase::Phase;
use super::score::Counts;
use super::stop::StopReason;
use super::verdict::Answer;
use crate::nemesis::FaultReport;
use crate::schedule::{Passed, Schedule, Territory};

/// What a run left to be judged, besides its history.
#[derive(Debug, Default)]
pub struct Facts {
    /// What was to be done; none if it never came that far.
    pub schedule: Option<Schedule>,
    /// What came of it, with every draw made.
    pub resolved: Option<Schedule>,
    /// Where its faults struck.
    pub reached: Territory,
    /// Its phases that came to their end.
    pub passed: Vec<Passed>,
    /// Every fault that came up.
    pub faults: Vec<FaultReport>,
    /// Stretches in which a cluster that was hurt had to make progress.
    pub windows: Vec<Window>,
    /// Operations per phase under load.
    pub phases: Vec<(Phase, Counts)>,
    /// How the cluster came back; none if it never came that far.
    pub recovery: Option<Recovery>,
    /// Whether a fresh cluster elected and answered; none if that was not looked at.
    pub warmed_up: Option<Answer>,
    /// What the check said that found a violation while the run went on.
    pub found_early: Option<Report>,
    /// Keys to read at the end, and those never read; none if it never came that far.
    pub final_reads: Option<(usize, usize)>,
    /// Nodes that ended by themselves.
    pub casualties: Vec<Casualty>,
    /// Nodes that were seen beyond a bound of their own, such as a queue's.
    pub beyond: Vec<String>,
    /// Nodes that did not stop when asked to, and were killed.
    pub hung: Vec<String>,
    /// Nodes that could not be started, restarted or stopped.
    pub troubles: Vec<String>,
    /// Why the run ended before its time.
    pub stopped: Option<StopReason>,
    /// Who was held where it was, if the run was stopped by a violation.
    pub frozen: Option<Frozen>,
    /// Arrivals that were never asked.
    pub not_issued: u64,
    /// Elections seen after the first.
    pub leader_changes: u64,
    /// Under load, in seconds.
    pub seconds: f64,
    /// What every node said of itself last.
    pub last_status: BTreeMap<String, serde_json::Value>,
}

impl Facts {
    /// How long the healed cluster may take to come back.
    pub fn settle_max(&self) -> Duration {
        self.schedule.as_ref().and_then(|schedule| schedule.settle_max).unwrap_or(SETTLE_MAX)
    }
}
