//! The harness’s tests, one binary.

// The helpers of tests may do what tests may.
#![allow(clippy::unwrap_used)]

mod bench;
mod check;
mod cluster;
mod connection;
mod corpus;
mod director;
mod freeze;
mod link_faults;
mod policy;
mod process;
mod proxy;
mod recorder;
mod run;
mod schedule;
mod schedules;
mod simulation;
mod summary;
mod tidy;
mod traces;
mod translate;
mod white_box;
