//! The node's tests, one binary.

mod kv;
mod scripts;
mod wire;
