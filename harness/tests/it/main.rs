//! The harness’s tests, one binary.

mod tidy;
