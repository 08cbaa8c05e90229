//! Fault injection: does what a schedule orders, and gathers evidence.
//!
//! The [`director`](crate::schedule::Director) decides, purely; [`Hands`] do it to a
//! [`Victim`], each action with its evidence ([`kill`], [`pause`], [`network`]) and its undoing. The
//! victim is a cluster of processes, or one in the simulation. Faults may overlap: a node is up
//! again when the last fault that keeps it down or stopped is undone, and a link behaves as all
//! actions in force on it together ask. No fault outlives the run: [`heal`] restores everything,
//! whatever happened before.

pub mod hands;
pub mod kill;
pub mod network;
pub mod pause;
pub mod report;
pub mod victim;

pub use hands::Hands;
pub use report::{FaultReport, FaultTally, Outcome};
pub use victim::{Processes, Victim, heal};
