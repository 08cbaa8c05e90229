//! The node's tests, one binary.

// The helpers of tests may do what tests may.
#![allow(clippy::unwrap_used)]

mod cluster;
mod elections;
mod garbage;
mod kv;
mod lab;
mod lecture;
mod members;
mod mutants;
mod process;
mod recovery;
mod scripts;
mod service;
mod sim;
mod snapshots;
mod stories;
mod trace;
mod wire;
