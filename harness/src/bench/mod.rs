//! How fast is it? Clusters of real nodes without proxies, faults or observers, driven as hard as they
//! go, and what that cost.
//!
//! [`contender`] is the seam: what is measured, ours or somebody else's, started and spoken to in the
//! same way. [`cluster`] starts one, [`generator`] drives it, closed loop or open, and [`tally`] keeps
//! what came of it. [`processor`] says whose processor time it was, [`raw_disk`] what the disk itself
//! took in the same minute, [`round`] puts these together. [`outage`] and [`restart`] measure what a lost
//! leader and a restart cost. [`compare`] divides one contender's figures by another's, or says why it
//! doesn't; [`report`] and [`table`] tell.
//!
//! # What makes a figure worth something
//!
//! - An open loop's latency counts from the intended start: a stall is not hidden by the requests that
//!   were not made meanwhile. A closed loop says what its clients saw, no more.
//! - Two contenders take turns, round by round, each on a fresh cluster: what the machine did meanwhile
//!   befell both. A pair of rounds in which others took much more of the processors in one than in the
//!   other gives no ratio.
//! - The generator's own use of the processors is told beside every figure: whoever doubts that it kept
//!   up can see.

pub mod cluster;
pub mod compare;
pub mod contender;
pub mod generator;
pub mod outage;
mod pacer;
pub mod processor;
pub mod raw_disk;
pub mod report;
pub mod restart;
pub mod round;
pub mod table;
pub mod tally;

pub use contender::Contender;

/// Why a measurement came to nothing: what was tried, and what happened.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BenchError(pub String);

impl BenchError {
    /// `what` failed because of `why`.
    pub fn new(what: impl std::fmt::Display, why: impl std::fmt::Display) -> BenchError {
        BenchError(format!("{what}: {why}"))
    }
}
