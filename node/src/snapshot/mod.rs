//! Snapshots: the state machine's state after some slot, as a file that a restart begins with and
//! that a laggard fetches.
//!
//! What is *in* it is [`crate::kv`]'s (`kv/snapshot.rs`); when one is taken, sent and taken in is
//! [`crate::service`]'s; here is how it stands on the disk. [`part`] is the unit of writing, sending
//! and checking; [`Files`] the folder of snapshots, over the same [`Disk`](crate::wal::Disk) as the
//! log. All its calls are made by one thread that is not the log's: neither waits for the other.
//!
//! # Shape
//! A file is a header of 64 bytes, little-endian, and parts, one behind the other:
//!
//! | at | what |
//! |---|---|
//! | 0 | the text `APAXSNP` and a zero |
//! | 8 | u32 format, 1 |
//! | 12 | u16 node |
//! | 14 | zeros |
//! | 16 | u64 cluster |
//! | 24 | u64 slot: the last one covered |
//! | 32 | zeros |
//! | 60 | u32 CRC32C over the 60 bytes before |
//!
//! Every byte of a file is under one checksum or another, and a part says whose it is and which, so
//! that parts can't be swapped, left out or repeated unnoticed; the last one has a checksum over all.
//! Between nodes parts travel as they are.
//!
//! # Writing
//! Under another name; synced; renamed; the folder synced. Only then may anything rest on it. So a
//! crash leaves a whole file under its name, or none, and a damaged one under a proper name is
//! corruption: it is *refused* like a damaged segment of the log, never passed over for an older one,
//! whose log is gone.
//!
//! Two are kept: the newest, which the log behind it begins at, and the one before, which a laggard
//! may be in the middle of fetching.

mod error;
mod files;
pub mod part;

pub use error::{Flaw, SnapshotError};
pub use files::{Files, Found, KEPT, Loaded, read_only};
