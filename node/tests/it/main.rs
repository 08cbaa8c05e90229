//! The node's tests, one binary.

mod kv;
mod lab;
mod lecture;
mod scripts;
mod sim;
mod wire;
