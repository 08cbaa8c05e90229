//! The node's tests that are too long to live beside the code.

mod kv;
