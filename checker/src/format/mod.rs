//! Readers and writers of histories. The only part of the crate that touches input and output.

pub mod jsonl;
