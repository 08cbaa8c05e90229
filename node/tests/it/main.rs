//! The node's tests, one binary.

mod kv;
mod recovery;
mod scripts;
mod wire;
