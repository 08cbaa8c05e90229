//! What a run leaves behind: one self-explaining folder each.
//!
//! [`store`] makes the folders, points `latest` at them and throws the old ones away;
//! [`manifest`] says what was run, where and from which sources; [`latency`] keeps histograms;
//! [`schedule`] writes the plan as it came out; [`reached`] draws where faults struck; [`summary`] is
//! what a person reads; [`matrix`] is what the bench itself is judged by.
//! `results/README.md` explains every file. Nothing here decides a verdict.

pub mod latency;
pub mod manifest;
pub mod matrix;
pub mod reached;
pub mod schedule;
pub mod store;
pub mod summary;
pub mod utc;
