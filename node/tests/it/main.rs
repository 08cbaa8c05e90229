//! The node's tests, one binary.

// The helpers of tests may do what tests may.
#![allow(clippy::unwrap_used)]

mod kv;
mod recovery;
mod scripts;
mod wire;
