//! The harness’s tests, one binary.

mod policy;
mod process;
mod proxy;
mod tidy;
