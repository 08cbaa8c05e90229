//! What a schedule is: which faults come, when, to whom and for how long, and what the run owes.
//!
//! Plain data, the same whether it was read from a file, built from `--nemesis`, or written down by
//! a run as what came of it ([`Schedule`] is all three). Nothing here knows how a fault is done: a
//! schedule means the same on real processes and in the simulation.
//!
//! | word | meaning |
//! |---|---|
//! | [`Schedule`] | [`Phase`]s one after the other, a workload, and what must be shown |
//! | [`Fault`] | one thing to do, once or again and again, when its [`Start`] says so |
//! | [`Mix`] | faults drawn by weight, a few at a time, with calm in between |
//! | [`Body`] | the [`Step`]s of one fault and how long they last; all are undone together |
//! | [`Target`], [`LinkSpec`] | whom it concerns, in words that are bound when the fault comes |
//! | [`Span`] and the like | a value, or a range from which each *planned* occurrence draws once |
//!
//! Every draw hangs on the schedule's seed, the fault's id and the number of the planned occurrence,
//! so that adding a fault, or one that finds nothing to do, shifts no other.

mod action;
mod amount;
mod bind;
mod concurrency;
mod director;
mod draw;
mod draws;
mod examples;
mod explain;
mod fault;
mod found;
mod happened;
pub mod library;
pub mod limits;
mod mixer;
mod observed;
mod occurrence;
mod order;
mod phrase;
mod preset;
mod reach;
mod read;
mod resolve;
mod single;
mod target;
mod territory;
mod trigger;
mod words;
mod write;

pub use action::{Action, policies};
pub use amount::{Bandwidth, Share, Span};
pub use bind::{Item, View};
pub use concurrency::{Concurrency, NoConcurrency};
pub use director::Director;
pub use examples::{Example, examples};
pub use fault::{ActionSpec, Body, Choice, Fault, Guard, Lasts, LinkEffect, Mix, Shape, Start, Step, Way};
pub use found::{Failure, Found};
pub use mixer::{GAP_MIN, LENGTH_MIN};
pub use observed::{Ballot, Condition, Observed};
pub use order::{Order, Passed, Watch};
pub use preset::{Family, Kind, Preset, Selection, unite};
pub use reach::Damage;
pub use read::{Dialect, Reading, Refusals, Remark};
pub use target::{LinkEnd, LinkSpec, Target, Who};
pub use territory::{Cell, Role, State, Territory, Visits};
pub use trigger::{EventKind, Trigger, What};

use std::time::Duration;

/// The version of the file format.
pub const SCHEMA: u64 = 1;

/// When a node stands for leader.
#[derive(Copy, Clone, Eq, PartialEq, Debug, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Election {
    /// When it hears no leader for a while drawn at random, and a quorum would have it: nobody deposes a
    /// leader that others hear.
    PreVote,
    /// When it hears no leader for a while drawn at random. Many ballots meet.
    Randomised,
    /// When it hears no leader for a time that is the same for all: the duel of proposers.
    Fixed,
}

/// How a leader answers what only reads.
#[derive(Copy, Clone, Eq, PartialEq, Debug, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReadMode {
    /// When a quorum has confirmed that it leads still.
    Barrier,
    /// By itself, while its lease lasts: as right as clocks are.
    Lease,
    /// Through the log, like an update.
    Log,
}

/// A whole schedule.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// Short, as in file names: `leader-frozen-then-woken`.
    pub name: String,
    /// What it tells, in a few sentences for people; may be empty.
    pub story: String,
    /// How many nodes; `None`: the run's own choice.
    pub nodes: Option<u16>,
    /// Repeats the draws; `None`: the run's own choice.
    pub seed: Option<u64>,
    /// How many bytes a node's log grows by from one snapshot to the next, of systems that take them;
    /// `None`: the system's own choice.
    pub snapshot_every_bytes: Option<u64>,
    /// How leaders come to be, of systems that can do it in several ways; `None`: the system's own choice.
    pub election: Option<Election>,
    /// How reads are answered, of systems that can do it in several ways; `None`: the system's own choice.
    pub read_mode: Option<ReadMode>,
    /// What the network may do.
    pub model: NetworkModel,
    /// What may be demanded of the nodes, at most: the fault contract may allow less.
    pub contract: Contract,
    /// What is asked of the cluster meanwhile.
    pub workload: WorkloadSpec,
    /// What happens, one after the other; faults of a phase are undone at its end.
    pub phases: Vec<Phase>,
    /// How long the healed cluster may take to elect, answer and catch up; `None`: the harness's own.
    pub settle_max: Option<Duration>,
    /// What must have been seen for the run to count.
    pub coverage: Coverage,
    /// What it once showed; `None` outside the corpus.
    pub found: Option<Found>,
}

impl Schedule {
    /// The ids of all faults and choices, in order, and whether each is required.
    pub fn ids(&self) -> impl Iterator<Item = (&str, bool)> {
        self.phases.iter().flat_map(|phase| {
            let faults = phase.faults.iter().map(|fault| (&*fault.id, fault.required));
            let choices = phase.mixes.iter().flat_map(|mix| &mix.choices);
            faults.chain(choices.map(|choice| (&*choice.id, choice.required)))
        })
    }

    /// The ids of all that must have bitten.
    pub fn required(&self) -> impl Iterator<Item = &str> {
        self.ids().filter(|(_, required)| *required).map(|(id, _)| id)
    }

    /// How long the phases last together; mixes may overrun them.
    #[must_use]
    pub fn lasts(&self) -> Duration {
        self.phases.iter().map(|phase| phase.lasts).sum()
    }
}

/// What links may do to frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NetworkModel {
    /// Only what TCP can show: delay, stall, loss together with the connection.
    TcpLegal,
    /// Frames may also vanish, double, overtake or be damaged on a live connection.
    #[default]
    MessageLossy,
}

/// What the verdict may demand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Contract {
    /// Nothing false is told; a cluster that makes no progress is forgiven.
    Safety,
    /// And it works where it can, and comes back.
    #[default]
    SafetyAndLiveness,
}

/// What is asked of the cluster; `None` everywhere: the run's own choice.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WorkloadSpec {
    /// As `workloads` knows it.
    pub name: Option<String>,
    /// Clients at a time.
    pub concurrency: Option<Concurrency>,
    /// Operations per second, open loop.
    pub rate: Option<f64>,
    /// Keys in use at a time.
    pub keys: Option<u64>,
    /// After how many operations a key retires.
    pub ops_per_key: Option<u64>,
    /// How often a client tries again under the same request id.
    pub retries: Option<u32>,
    /// How long a client waits for an answer.
    pub op_timeout: Option<Duration>,
}

/// What must have been seen for the run to count, besides the faults that are `required`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Elections after the first.
    pub leader_changes_min: u64,
    /// Operations that succeeded.
    pub ops_ok_min: u64,
}

/// A stretch of the run.
#[derive(Clone, Debug, PartialEq)]
pub struct Phase {
    /// Unique in its schedule.
    pub name: String,
    /// How long. A mix that still owes something may overrun it by its own `extend`.
    pub lasts: Duration,
    /// Operations per second that must succeed, or the phase was too weak to count.
    pub ok_rate_min: Option<f64>,
    /// Single faults.
    pub faults: Vec<Fault>,
    /// Random ones.
    pub mixes: Vec<Mix>,
}
