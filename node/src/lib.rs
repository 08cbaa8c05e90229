//! A Multi-Paxos replica, as the lectures tell it and as one would want to run it.
//!
//! Read in this order: [`paxos`] is the essay and the protocol (pure: no IO, no clock, no
//! randomness of its own), [`kv`] the state machine it replicates, [`service`] the two joined
//! with the clients that wait, [`wal`] the log on disk and [`snapshot`] the states that
//! let it be trimmed, [`wire`] the bytes on a socket, [`trace`] what a node
//! tells of its steps, [`shell`] the tokio program around it all, [`sim`] whole clusters in virtual
//! time, [`client`] a client, [`admin`] the command that changes the members.

pub mod paxos;

pub mod kv;
pub mod service;
pub mod snapshot;

pub mod trace;
pub mod wal;
pub mod wire;

pub mod shell;

pub mod admin;
pub mod client;
pub mod sim;

pub mod mutants;

/// Identifies the sources this crate was built from: a hash over `node/`'s sources, manifest and
/// build script, made by `build.rs`. A harness compares it with what `paxos-node --version`
/// prints before it trusts a binary.
pub const BUILD_ID: &str = env!("PAXOS_NODE_BUILD_ID");
