//! The phases of a run, in order.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// How long the final reads may take.
pub const FINAL_READS_MAX: Duration = Duration::from_secs(20);

/// Where a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Processes come up.
    Start,
    /// Nobody is hurt until a leader leads and operations succeed.
    WarmUp,
    /// The nemesis at work.
    Faults,
    /// Everything is restored.
    Heal,
    /// The cluster must come back by itself.
    Settle,
    /// Every key is read once more.
    FinalReads,
    /// Processes are stopped.
    Stop,
    /// The recorded facts are judged.
    Judge,
}

impl Phase {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Start => "start",
            Phase::WarmUp => "warm-up",
            Phase::Faults => "faults",
            Phase::Heal => "heal",
            Phase::Settle => "settle",
            Phase::FinalReads => "final reads",
            Phase::Stop => "stop",
            Phase::Judge => "judge",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
