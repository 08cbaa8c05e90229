//! The harness’s tests, one binary.

// The helpers of tests may do what tests may.
#![allow(clippy::unwrap_used)]

mod cluster;
mod connection;
mod policy;
mod process;
mod proxy;
mod tidy;
mod white_box;
