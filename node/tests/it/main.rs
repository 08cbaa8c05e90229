//! The node's tests, one binary.

mod scripts;
