//! How a run tells people where it is, while it is.

use std::time::Duration;

use super::phase::Phase;
use super::score::Counts;

/// What there is to tell about a moment.
#[derive(Clone, Debug)]
pub struct Moment {
    /// Where the run is.
    pub phase: Phase,
    /// Since the run started.
    pub elapsed: Duration,
    /// When warm-up and faults end, since the run started.
    pub time_limit: Duration,
    /// Operations so far.
    pub counts: Counts,
    /// Who leads: "n3", or "-".
    pub leader: String,
    /// The fault that is active.
    pub fault: Option<String>,
}

/// Told by a run; shows it or keeps silent.
pub trait Progress: Send + Sync {
    /// Something worth a line of its own: a phase begins, a fault is installed, a node died.
    fn say(&self, line: &str);

    /// Several times a second while the run goes on.
    fn show(&self, moment: &Moment);

    /// The run is over: clear what moves.
    fn done(&self);
}

/// Says nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn say(&self, _line: &str) {}

    fn show(&self, _moment: &Moment) {}

    fn done(&self) {}
}
